"""``datapilot doctor --server`` against real servers: each thing right, and each thing wrong in the way that happens."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from pydantic import SecretStr

from datapilot_kernel.messages import has_text
from hub_config import doctor
from hub_config.doctor import (
    Finding,
    Installation,
    certificates,
    containers,
    database,
    engine,
    findings,
    hub,
    keys,
    machine,
    mail,
    names,
    production,
)
from hub_config.doctor import model as model_part
from hub_config.settings import Settings
from tests.integration.test_source_connections import AUTHORITY, STRANGER
from tests.mail_server import mail_server
from tests.platform_support import make_world
from tests.servers import Server, free_port

PASSWORD = "a-password-that-no-line-may-show"


def _settings(folder: Path, **given: Any) -> Settings:
    return Settings(data_dir=folder, **given)


def _found(look: Callable[[Installation], Iterator[Finding]], installation: Installation) -> dict[str, str]:
    """What a part found: names with their levels and keys. Every line has its text, and a problem says what to do."""
    found = list(look(installation))
    for finding in found:
        assert PASSWORD not in finding.message + (finding.action or "") + repr(finding)
        assert finding.level not in {"problem", "warning"} or finding.action or finding.key == "settings_refused", finding
    return {f"{finding.name}": f"{finding.level} {finding.key}" for finding in found}


# ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("total", "free", "level"), [(16, 9, "ok"), (4, 2, "warning"), (16, 1, "warning"), (1, 1, "problem")]
)
def test_memory(tmp_path: Path, total: int, free: int, level: str) -> None:
    told = tmp_path / "meminfo"
    told.write_text(f"MemTotal: {total * 1024**2} kB\nMemFree: 1 kB\nMemAvailable: {free * 1024**2} kB\n")
    assert [finding.level for finding in machine.memory(told)] == [level]
    assert [finding.level for finding in machine.memory(tmp_path / "none")] == ["skipped"]


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.disk("disk", tmp_path).level in {"ok", "warning", "problem"}
    for free_gb, level in ((100, "ok"), (5, "warning"), (1, "problem")):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free_gb: SimpleNamespace(free=free * 1024**3))
        assert machine.disk("disk", tmp_path).level == level


def test_the_whole_look_at_this_machine(tmp_path: Path) -> None:
    found = _found(machine.look, Installation(_settings(tmp_path)))
    assert {"memory", "processors", "disk_data", "clock"} <= found.keys()


# ── names and certificates ────────────────────────────────────────────────────────────────────────────────────────────


def test_names_and_the_wildcard(tmp_path: Path) -> None:
    settings = _settings(
        tmp_path,
        public_url="https://datapilot.app.exemple.fr/services/datapilot/",
        hub_public_url="https://app.exemple.fr/hub/",
    )
    installation = Installation(settings)
    assert names.wildcard_of(installation) == "app.exemple.fr"

    def levels(known: Callable[[str], list[str]]) -> list[str]:
        return [f"{f.level} {f.key}" for f in names.resolved(installation, known)]

    good = ["ok name", "ok name"]
    assert levels(lambda host: ["8.8.8.8"]) == [*good, "ok wildcard"]
    elsewhere = {"app.exemple.fr": ["8.8.8.8"], "datapilot.app.exemple.fr": ["8.8.8.8"]}
    assert levels(lambda host: elsewhere.get(host, ["9.9.9.9"])) == [*good, "problem wildcard_elsewhere"]
    assert levels(lambda host: elsewhere.get(host, [])) == [
        *good,
        "problem wildcard_unknown",
    ]

    def unknown(host: str) -> list[str]:
        raise OSError

    assert levels(unknown) == ["problem name_unknown", "problem name_unknown", "problem wildcard_unknown"]
    assert [f.key for f in names.resolved(Installation(settings, one_origin=True), lambda h: ["8.8.8.8"])][2:] == [
        "wildcard_none"
    ]
    alone = Installation(_settings(tmp_path, public_url="https://app.exemple.fr/services/datapilot/"))
    assert [f.key for f in names.resolved(alone, lambda host: ["8.8.8.8"])] == ["name", "wildcard_none"]
    local = Installation(_settings(tmp_path))
    assert [f.key for f in names.resolved(local, lambda host: ["127.0.0.1"])] == ["names_local"]


@contextlib.contextmanager
def _tls_server(folder: Path, authority: Any, *given: str, days: int = 90) -> Iterator[int]:
    """A server that shows a certificate for these names, and hangs up."""
    made = authority.server(*given, days=days)
    folder.mkdir(exist_ok=True)
    (folder / "chain.pem").write_bytes(made.chain)
    (folder / "key.pem").write_bytes(made.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")

    class Quiet(HTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that believes nothing hangs up."""

        def get_request(self) -> Any:
            plain, client = self.socket.accept()
            plain.settimeout(5)
            return context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), client

    server = Quiet(("127.0.0.1", 0), BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.mark.parametrize(
    ("signer", "given", "days", "said"),
    [
        (AUTHORITY, ("localhost",), 90, "ok certificate"),
        (AUTHORITY, ("localhost",), 15, "warning certificate_soon"),
        (AUTHORITY, ("localhost",), 3, "problem certificate_ends"),
        (AUTHORITY, ("localhost",), -1, "problem certificate_expired"),
        (AUTHORITY, ("autre.exemple.fr",), 90, "problem certificate_name"),
        (STRANGER, ("localhost",), 90, "problem certificate_untrusted"),
    ],
)
def test_certificates(tmp_path: Path, signer: Any, given: tuple[str, ...], days: int, said: str) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(AUTHORITY.pem)
    with _tls_server(tmp_path / "tls", signer, *given, days=days) as port:
        settings = _settings(tmp_path, public_url=f"https://localhost:{port}/", ca_bundle_file=bundle)
        assert _found(certificates.look, Installation(settings)) == {"certificate": said}


def test_a_wildcard_is_asked_for_by_a_name_that_was_never_there(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(AUTHORITY.pem)
    for given, said in (
        (("app.localhost", "*.app.localhost"), "ok"),
        (("app.localhost", "datapilot.app.localhost"), "problem"),
    ):
        with _tls_server(tmp_path / "tls", AUTHORITY, *given) as port:
            installation = Installation(_settings(tmp_path, ca_bundle_file=bundle))
            found = certificates.certificate(
                installation, "dp-abc.app.localhost", "127.0.0.1", port, shown="*.app.localhost"
            )
            assert (found.level, found.values["name"]) == (said, "*.app.localhost")
    assert certificates.certificate(installation, "localhost", "127.0.0.1", free_port()).key == "certificate_away"
    assert _found(certificates.look, Installation(_settings(tmp_path))) == {"certificate": "skipped certificate_plain"}


def test_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert names.port_open("127.0.0.1", listening.getsockname()[1]).level == "ok"
    assert names.port_open("127.0.0.1", free_port()).level == "problem"


# ── docker ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Engine(ThreadingHTTPServer):
    """What an engine says to the questions of the doctor, on a socket of this machine."""

    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "engine", 0

    answers: dict[str, Any]


@contextlib.contextmanager
def _engine(folder: Path, **changed: Any) -> Iterator[Path]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            path = path[len("/v1.41") :] if path.startswith("/v1.41") else path
            body = server.answers.get(path)
            content = json.dumps(body if body is not None else {"message": "none"}).encode()
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    where = folder / "docker.sock"
    server = _Engine(str(where), Handler)  # type: ignore[arg-type]
    limits = dict.fromkeys(("MemoryLimit", "PidsLimit", "CpuCfsQuota", "LiveRestoreEnabled"), True)
    server.answers = {
        "/version": {"Version": "24.0.7", "ApiVersion": "1.43"},
        "/info": limits,
        "/images/carnet:1/json": {"Id": "sha256:0"},
        "/networks": [{"Name": "dpt-1", "Internal": True}],
    } | changed
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield where
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
        where.unlink()


@contextlib.contextmanager
def _gate(engine: Path, token: str) -> Iterator[str]:
    """The real gate as its command starts it, before a stand-in of the engine."""
    port = free_port()
    environment = {**os.environ, "DATAPILOT_GATE_TOKEN": token, "DATAPILOT_GATE_IMAGES": "carnet:1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "datapilot_kernel.cli", "docker-gate", "--listen", f"127.0.0.1:{port}", "--socket", engine],
        env=environment, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield f"tcp://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def test_the_engine(tmp_path: Path) -> None:
    good = {"engine": "ok engine"}
    unlimited = {"MemoryLimit": False, "PidsLimit": True, "CpuCfsQuota": True}
    for changed, said in (
        ({}, good),
        ({"/version": {"Version": "19.03.1"}}, {"engine": "problem engine_old"}),
        ({"/version": None}, {"engine": "problem engine_away"}),
        ({"/info": unlimited}, good | {"live_restore": "warning live_restore_off", "limits": "problem limits_missing"}),
    ):
        with _engine(tmp_path, **changed) as where:
            installation = Installation(_settings(tmp_path), docker_socket=where)
            assert _found(engine.look, installation) == said
    gone = Installation(_settings(tmp_path), docker_socket=tmp_path / "none")
    assert _found(engine.look, gone) == {"engine": "skipped engine_unseen"}
    assert _found(containers.look, gone) == {"gate": "skipped gate_unseen"}


def test_the_gate_the_images_and_the_networks(tmp_path: Path) -> None:
    from hub_config.hub.spawning.container_settings import ContainerSettings

    token = PASSWORD

    def told(url: str, token: str = token, **given: Any) -> dict[str, str]:
        wanted = ContainerSettings(url=url, token=SecretStr(token), image="carnet:1", **given)
        return _found(containers.look, Installation(_settings(tmp_path), containers=wanted))

    with _engine(tmp_path) as where:
        with _gate(where, token) as url:
            everything = {"gate": "ok gate", "image": "ok image", "networks": "ok networks"}
            assert told(url) == everything
            assert told(url, rendering_image="autre:2") == everything | {"image": "problem image_not_allowed"}
            assert told(url, token="x" * 40) == {"gate": "problem gate_token"}
        assert told(url) == {"gate": "problem gate_away"}
        # The engine itself on a port, which is what the gate is there for.
        assert told(f"unix://{where}")["gate"] == "problem gate_none"
    for networks, said in (
        ([{"Name": "dpt-1", "Internal": False}], "problem networks_open"),
        ([{"Name": f"dpt-{n}", "Internal": True} for n in range(15)], "warning networks_full"),
    ):
        with _engine(tmp_path, **{"/networks": networks, "/images/carnet:1/json": None}) as where:
            found = told(f"unix://{where}", address_pool="10.213.0.0/22", network_prefix_bits=26)
            assert (found["networks"], found["image"]) == (said, "problem image_missing")


# ── keys, backups, settings ───────────────────────────────────────────────────────────────────────────────────────────


def test_keys_and_backups(tmp_path: Path) -> None:
    with make_world(tmp_path / "data", real=True) as world:
        settings = world.settings
        installation = Installation(settings)
        found = _found(keys.look, installation)
        assert found == {
            "vault_key": "ok key", "signing_key": "ok key", "secrets": "ok secrets", "backups": "skipped backups_unknown",
        }  # fmt: skip
        vault = settings.resolved_vault_key_file()
        vault.chmod(0o644)
        assert _found(keys.look, installation)["vault_key"] == "problem key_open"
        vault.chmod(0o600)
        kept = vault.read_bytes()
        vault.write_bytes(b"")
        assert _found(keys.look, installation)["vault_key"] == "problem key_empty"
        vault.unlink()
        assert _found(keys.look, installation)["vault_key"] == "problem key_missing"
        vault.touch(0o600)
        vault.write_bytes(kept)
        backups = tmp_path / "backups"
        backups.mkdir()
        installation = Installation(settings, backups=backups)
        assert _found(keys.look, installation)["backups"] == "problem backups_none"
        (backups / "2026-01-01.tar").write_bytes(b"x")
        assert _found(keys.look, installation)["backups"] == "ok backups"
        os.utime(backups / "2026-01-01.tar", (0, time.time() - 3 * 86_400))
        assert _found(keys.look, installation)["backups"] == "warning backups_late"
        (backups / vault.name).write_bytes(kept)
        assert _found(keys.look, installation)["keys_apart"] == "problem keys_in_backups"
        in_production = Installation(settings.model_copy(update={"mode": "production"}))
        assert _found(keys.look, in_production)["keys_apart"] == "warning keys_beside_data"


def test_settings(tmp_path: Path) -> None:
    assert _found(production.look, Installation(_settings(tmp_path))) == {"mode": "warning mode_development"}
    public = _settings(tmp_path, public_url="https://app.exemple.fr/", hub_public_url="https://app.exemple.fr/hub/")
    assert _found(production.look, Installation(public)) == {
        "mode": "problem mode_development", "hub_settings": "problem hub_settings_missing", "proxies": "warning proxies_none",
    }  # fmt: skip
    refused = _settings(tmp_path, mode="production", public_url="http://app.exemple.fr/")
    assert _found(production.look, Installation(refused)) == {"settings": "problem settings_refused"}


# ── the servers beside ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.postgres
def test_the_database(tmp_path: Path, postgres: Server) -> None:
    from hub_config.database import migrate

    owner = postgres.new_database()
    role = f"app_{free_port()}"
    application = urlsplit(owner)._replace(netloc=f"{role}:{PASSWORD}@127.0.0.1:{postgres.port}").geturl()

    def found(url: str = application, admin: str = owner) -> dict[str, str]:
        settings = _settings(tmp_path, database_url=SecretStr(url), database_admin_url=SecretStr(admin))
        return _found(database.look, Installation(settings))

    assert found() == {"database": "problem database_away"}
    with psycopg.connect(owner, autocommit=True) as made:
        made.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        assert found() == {"database": "ok database", "migration": "problem migration_missing"}
        migrate(owner, application_url=application)
        good = {"database": "ok database", "migration": "ok migration", "row_security": "ok row_security"}
        assert found() == good
        made.execute("ALTER TABLE users NO FORCE ROW LEVEL SECURITY")
        assert found() == good | {"row_security": "problem row_security_missing"}
        made.execute("ALTER TABLE users FORCE ROW LEVEL SECURITY")
        made.execute("GRANT UPDATE ON audit_events TO " + role)
        assert found() == good | {"role": "problem role_changes_audit"}
        made.execute("REVOKE UPDATE ON audit_events FROM " + role)
        made.execute(f"ALTER ROLE {role} BYPASSRLS")
        assert found() == good | {"role": "problem role_bypasses_row_security"}
        assert found(owner, owner)["role"] == "problem role_same"
        made.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert _found(database.look, Installation(_settings(tmp_path))) == {"database": "ok database_new"}


def test_mail(tmp_path: Path) -> None:
    with mail_server(tmp_path) as server:
        given: dict[str, Any] = {
            "smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_user": "nous", "smtp_from": "DataPilot <bi@exemple.fr>",
            "smtp_password": SecretStr("mail-secret-9-battery"), "ca_bundle_file": server.ca,
        }  # fmt: skip

        def found(**changed: Any) -> dict[str, str]:
            return _found(mail.look, Installation(_settings(tmp_path, **{**given, **changed})))

        assert found() == {"mail": "ok mail"}
        assert server.mails == []
        assert found(smtp_from="x@localhost") == {"mail": "ok mail", "mail_sender": "warning mail_sender"}
        assert found(smtp_password=SecretStr(PASSWORD)) == {"mail": "problem mail_account"}
        assert found(ca_bundle_file=None) == {"mail": "problem mail_certificate"}
        assert found(smtp_port=free_port()) == {"mail": "problem mail_away"}
        assert found(smtp_host=None) == {"mail": "warning mail_none"}
    with mail_server(tmp_path, tls="none") as server:
        given |= {"smtp_port": server.port}
        assert found() == {"mail": "problem mail_plain"}
        assert found(smtp_security="none") == {"mail": "ok mail", "mail_tls": "warning mail_unencrypted"}


@contextlib.contextmanager
def _hub(user: dict[str, Any] | None, *, date: str | None = None, refuses: int = 0) -> Iterator[str]:
    refused = iter(range(refuses))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            who = user if self.headers.get("Authorization") == f"token {PASSWORD}" else None
            if self.path != "/hub/api/" and next(refused, None) is not None:
                who = None
            body = {"version": "6.1.1"} if self.path == "/hub/api/" else who
            self.send_response(200 if body else 403)
            self.end_headers()
            self.wfile.write(json.dumps(body or {}).encode())

        def date_time_string(self, timestamp: float | None = None) -> str:
            return date or super().date_time_string(timestamp)

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hub/api"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_the_hub(tmp_path: Path) -> None:
    ours = {"kind": "service", "name": "datapilot"}

    def found(url: str | None, token: str = PASSWORD) -> dict[str, str]:
        return _found(hub.look, Installation(_settings(tmp_path, hub_api_url=url, hub_api_token=SecretStr(token))))

    with _hub(ours) as url:
        assert found(url) == {"hub": "ok hub", "hub_token": "ok hub_token"}
        assert found(url, "another") == {"hub": "ok hub", "hub_token": "problem hub_token_unknown"}
    assert found(url) == {"hub": "problem hub_away"}
    with _hub(ours, refuses=1) as url:
        assert found(url) == {"hub": "ok hub", "hub_token": "ok hub_token"}
    assert found(None) == {"hub": "skipped hub_none"}
    with _hub({"kind": "service", "name": "autre"}, date="Mon, 01 Jan 2024 00:00:00 GMT") as url:
        assert found(url) == {"hub": "ok hub", "hub_token": "problem hub_token_unknown", "clock_hub": "problem clock_skew"}


def test_companies_sign_in(tmp_path: Path) -> None:
    from hub_config.doctor import providers
    from hub_config.hub.settings import HubSettings
    from tests.oidc_server import oidc_server

    secret = tmp_path / "secret"
    secret.write_text(PASSWORD)

    def found(issuer: str, path: Path = secret) -> dict[str, str]:
        given = {"id": "entra", "name": "Dupont", "issuer": issuer, "client_id": "c", "client_secret_file": str(path)}
        settings = HubSettings(api_token=SecretStr("x" * 40), providers=(given,))
        return _found(providers.look, Installation(_settings(tmp_path), settings))

    with oidc_server() as company:
        assert found(company.issuer) == {"provider": "ok provider"}
        assert found(company.issuer + "/") == {"provider": "problem provider_other"}
        assert found(company.issuer, tmp_path / "none") == {
            "provider": "ok provider", "provider_secret": "problem provider_secret",
        }  # fmt: skip
    assert found(company.issuer) == {"provider": "problem provider_away"}
    nobody = HubSettings(api_token=SecretStr("x" * 40))
    assert _found(providers.look, Installation(_settings(tmp_path), nobody)) == {"providers": "ok providers_none"}
    unreadable = nobody.model_copy(update={"providers_file": secret})
    assert _found(providers.look, Installation(_settings(tmp_path), unreadable)) == {
        "providers": "problem providers_unreadable"
    }
    assert _found(providers.look, Installation(_settings(tmp_path))) == {"providers": "skipped providers_unseen"}


def test_the_model(tmp_path: Path) -> None:
    def found(**given: Any) -> dict[str, str]:
        return _found(model_part.look, Installation(_settings(tmp_path, **given)))

    assert found() == {"model": "ok model_none"}
    assert found(model_key=SecretStr(PASSWORD), model_name="claude-sonnet-5-5") == {"model": "ok model"}
    retired = found(model_key=SecretStr(PASSWORD), model_name="claude-sonnet-4-5-20250929")
    assert retired == {"model": "problem model_retired"}


# ── the command ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_part_that_breaks_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(installation: Installation) -> Iterator[Finding]:
        raise RuntimeError(PASSWORD)
        yield

    monkeypatch.setattr(mail, "look", breaks)
    found = list(doctor.examine(Installation(_settings(tmp_path)), ("mail", "model")))
    assert [(f.name, f.level) for f in found] == [("mail", "problem"), ("model", "ok")]
    assert "RuntimeError" in found[0].message
    assert PASSWORD not in found[0].message


def test_the_command(tmp_path: Path) -> None:
    def run(*arguments: str, **environment: str) -> tuple[int, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "datapilot_kernel.cli", "doctor", "--data", tmp_path, "--json", *arguments],
            capture_output=True, text=True, timeout=100, env={**os.environ, **environment},
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    code, found = run("--server")
    assert code == 1
    levels = {line["name"]: line["level"] for line in found}
    assert (levels["vault_key"], levels["model"], levels["hub"]) == ("problem", "ok", "skipped")
    assert all(line["action"] for line in found if line["level"] in {"problem", "warning"})
    assert not (tmp_path / "platform.sqlite3").exists()
    code, found = run("--part", "model", DATAPILOT_MODEL_KEY=PASSWORD, DATAPILOT_MODEL_NAME="claude-sonnet-5-5")
    assert (code, [line["name"] for line in found]) == (0, ["model"])
    assert PASSWORD not in json.dumps(found)
    code, found = run("--server", DATAPILOT_SMTP_PORT=PASSWORD)
    assert code == 3 or code == 2
    assert PASSWORD not in json.dumps(found)


def test_every_finding_has_its_text_in_both_languages() -> None:
    """Read off the code: each key that a look names."""
    import ast

    used = set()
    for path in Path(doctor.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and has_text(f"doctor.{node.value}"):
                used.add(node.value)
    from importlib.resources import files

    for language in ("fr", "en"):
        lines = files("hub_config").joinpath(f"locale/{language}/doctor.toml").read_text(encoding="utf-8").splitlines()
        keys_there = {line.partition(" = ")[0] for line in lines if " = " in line}
        unused = {
            key
            for key in keys_there
            if key.removesuffix("_do") not in used and not key.startswith(("help_", "role_", "certificate_"))
        }
        assert not unused
    assert {f.key for f in (findings.ok("a", "memory"),)} == {"memory"}
