"""What is built and laid out for a server, looked at without an engine: images, nginx's configuration, compose, the locks."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from hub_config import docker_names
from hub_config.data_sources.network import HostRefused, NetworkWall
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "hub_config" / "images"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")


def _module(path: Path) -> ModuleType:
    """A script of an image, which is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = made
    spec.loader.exec_module(made)
    return made


serve = _module(IMAGES / "nginx" / "serve.py")
certificates = _module(IMAGES / "nginx" / "certificates.py")
own_wheel = _module(IMAGES / "own_wheel.py")


def _site(**given: str) -> Any:
    return serve.Site.of(
        {"DATAPILOT_DOMAIN": "carnets.exemple.fr"} | {f"DATAPILOT_{k.upper()}": v for k, v in given.items()}
    )


# ── the web server ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ("carnets.exemple.fr", "*.carnets.exemple.fr")),
        ({"api_domain": "pilote.exemple.fr"}, ("carnets.exemple.fr", "*.carnets.exemple.fr", "pilote.exemple.fr")),
        ({"api_domain": "a.b.carnets.exemple.fr"}, ("carnets.exemple.fr", "*.carnets.exemple.fr", "a.b.carnets.exemple.fr")),
        ({"wildcard": "no"}, ("carnets.exemple.fr", "api.carnets.exemple.fr")),
        ({"wildcard": "no", "api_domain": "carnets.exemple.fr"}, ("carnets.exemple.fr",)),
    ],
)
def test_the_certificate_holds_every_name_and_each_once(given: dict[str, str], names: tuple[str, ...]) -> None:
    assert _site(**given).all_names == names


@pytest.mark.parametrize(
    "given",
    [
        {"domain": ""}, {"domain": "a b.fr"}, {"domain": "x.fr; return 200"}, {"certificate": "maybe"},
        {"certificate": "letsencrypt-http"}, {"upload_max_bytes": "much"}, {"url_port": "https"}, {"api_domain": "-x.fr"},
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_said(given: dict[str, str]) -> None:
    with pytest.raises(serve.BadConfiguration):
        _site(**given)


def test_a_self_signed_certificate_is_never_remembered_by_browsers() -> None:
    assert _site(certificate="self-signed").hsts_seconds == 0
    assert _site(certificate="own").hsts_seconds == 31_536_000


def _configuration(**given: str) -> str:
    template = (IMAGES / "nginx" / "site.conf").read_text(encoding="utf-8")
    return str(serve.configuration(_site(**given), template, chain=Path("/c/fullchain.pem"), key=Path("/c/privkey.pem")))


@pytest.mark.parametrize("given", [{}, {"wildcard": "no"}, {"api_domain": "carnets.exemple.fr", "wildcard": "no"}])
def test_nginx_is_told_everything(given: dict[str, str]) -> None:
    found = _configuration(**given)
    assert re.findall(r"@[A-Z_]+@", found) == []
    assert "ssl_reject_handshake on" in found
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in found, "what a client says of itself is replaced"
    for place in found.split("location ")[1:]:
        if "proxy_pass" in place:
            assert "proxy_buffering off" in place, "streams are not held back"
    assert "/(hub/|metrics)" in found


def test_who_comes_without_tls_is_sent_to_the_port_that_is_served() -> None:
    assert "return 301 https://$host$request_uri;" in _configuration()
    assert "return 301 https://$host:8443$request_uri;" in _configuration(url_port="8443")


def test_the_api_has_its_own_server_or_its_own_path() -> None:
    assert "server_name api.carnets.exemple.fr;" in _configuration()
    below = _configuration(api_domain="carnets.exemple.fr", wildcard="no")
    assert "location /services/datapilot/ {" in below
    assert "server_name api." not in below


@pytest.mark.skipif(shutil.which("nginx") is None or shutil.which("openssl") is None, reason="nginx is not installed")
@pytest.mark.parametrize("given", [{}, {"api_domain": "carnets.exemple.fr", "wildcard": "no"}])
def test_nginx_takes_it(given: dict[str, str], tmp_path: Path) -> None:
    chain, key = tmp_path / "made" / "fullchain.pem", tmp_path / "made" / "privkey.pem"
    site = _site(**given)
    serve.self_signed(site, chain, key)
    before = chain.read_bytes()
    serve.self_signed(site, chain, key)
    assert chain.read_bytes() == before, "kept over a restart: an exception in a browser stays good"
    text = (IMAGES / "nginx" / "site.conf").read_text(encoding="utf-8").replace("/tmp/", f"{tmp_path}/")
    (tmp_path / "nginx.conf").write_text(serve.configuration(site, text, chain=chain, key=key), encoding="utf-8")
    done = subprocess.run(
        ["nginx", "-t", "-q", "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr


class _Behind(socketserver.BaseRequestHandler):
    """A service behind nginx that says what it was asked, and takes every other protocol it is offered."""

    def handle(self) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked and (part := self.request.recv(65536)):
            asked += part
        if asked.startswith(b"GET /gone"):
            return
        if b"\r\nupgrade:" in asked.lower():
            self.request.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + asked)
        else:
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(asked) + asked)


@pytest.fixture
def asked_of_nginx(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """A real nginx with our configuration; a function that sends a head to it, and returns what came back."""
    site, port = _site(), free_port()
    serve.self_signed(site, chain := tmp_path / "made" / "fullchain.pem", key := tmp_path / "made" / "privkey.pem")
    text = (IMAGES / "nginx" / "site.conf").read_text(encoding="utf-8").replace("/tmp/", f"{tmp_path}/")
    text = text.replace("@API_SERVER@", serve._API_SERVER).replace("127.0.0.1:8081", "8081")
    for there, here in (("8443", port), ("8080", free_port()), ("8081", free_port())):
        text = text.replace(f"listen {there}", f"listen 127.0.0.1:{here}")
    behind = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Behind)
    threading.Thread(target=behind.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{behind.server_address[1]}"
    made = serve.configuration(site, text, chain=chain, key=key, resolver="127.0.0.1", proxy=address, api=address)
    for stream in ("stdout", "stderr"):
        made = made.replace(f"/dev/{stream}", str(tmp_path / stream))
    (tmp_path / "nginx.conf").write_text(made, encoding="utf-8")
    nginx = subprocess.Popen(["nginx", "-c", str(tmp_path / "nginx.conf"), "-g", "daemon off;"])
    tls = ssl.create_default_context(cafile=str(chain))

    def ask(*head: str) -> str:
        plain = socket.create_connection(("127.0.0.1", port), 10)
        with tls.wrap_socket(plain, server_hostname="carnets.exemple.fr") as line:
            line.sendall("\r\n".join([*head, "", ""]).encode())
            return line.recv(65536).decode()

    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield ask
    finally:
        nginx.terminate()
        nginx.wait(10)
        behind.shutdown()
        behind.server_close()


@pytest.mark.skipif(shutil.which("nginx") is None or shutil.which("openssl") is None, reason="nginx is not installed")
def test_nginx_lets_no_request_call_itself_something_else(asked_of_nginx: Callable[..., str]) -> None:
    def host(*head: str) -> list[str]:
        return re.findall(r"(?m)^(?:X-Forwarded-)?Host: (.*?)\r$", asked_of_nginx(*head, "Connection: close"))

    own = "carnets.exemple.fr"
    assert host("GET / HTTP/1.1", f"Host: {own}:8443") == [f"{own}:8443"] * 2, "the port stays: websockets compare it"
    assert host(f"GET https://{own}/ HTTP/1.1", "Host: autre.exemple.org") == [own] * 2
    assert host(f"GET https://api.{own}/ HTTP/1.1", f"Host: {own}") == [f"api.{own}"] * 2
    assert host("GET / HTTP/1.1", f"Host: {own}:1@autre.exemple.org") == [own] * 2
    assert asked_of_nginx("GET / HTTP/1.1", "Host: autre.exemple.org") == "", "after a handshake with a name of ours"
    assert asked_of_nginx("GET https://autre.exemple.org/ HTTP/1.1", f"Host: {own}") == ""


@pytest.mark.skipif(shutil.which("nginx") is None or shutil.which("openssl") is None, reason="nginx is not installed")
def test_nginx_changes_to_websockets_and_to_no_other_protocol(asked_of_nginx: Callable[..., str]) -> None:
    def offered(protocol: str) -> str:
        return asked_of_nginx("GET / HTTP/1.1", "Host: carnets.exemple.fr", f"Upgrade: {protocol}", "Connection: upgrade")

    assert offered("WebSocket").startswith("HTTP/1.1 101 ")
    for other in ("h2c", "websocket, h2c", "TLS/1.0", "tcp"):
        assert offered(other).startswith("HTTP/1.1 200 "), other


@pytest.mark.skipif(shutil.which("nginx") is None or shutil.which("openssl") is None, reason="nginx is not installed")
def test_nginx_writes_no_code_down_that_is_on_its_way(asked_of_nginx: Callable[..., str], tmp_path: Path) -> None:
    answered = asked_of_nginx("GET /gone?code=the-code HTTP/1.1", "Host: carnets.exemple.fr", "Connection: close")
    assert answered.startswith("HTTP/1.1 502 ")
    for _ in range(100):  # written down once it is answered
        if written := (tmp_path / "stdout").read_text(encoding="utf-8"):
            break
        time.sleep(0.1)
    lines = [json.loads(line) for line in written.splitlines()]
    assert [(line["path"], line["upstream_status"]) for line in lines] == [("/gone", "502")]
    assert "the-code" not in (tmp_path / "stderr").read_text(encoding="utf-8")


def test_certbot_is_asked_for_every_name_by_the_way_that_can_give_it() -> None:
    told = {"DATAPILOT_CERTIFICATE_EMAIL": "it@exemple.fr"}
    by_dns = certificates.arguments(_site(certificate="letsencrypt-dns"), told)
    assert "--dns-ovh" in by_dns
    assert by_dns[-4:] == ["--domain", "carnets.exemple.fr", "--domain", "*.carnets.exemple.fr"]
    by_http = certificates.arguments(_site(certificate="letsencrypt-http", wildcard="no"), told)
    assert "--webroot" in by_http
    assert "--dns-ovh" not in by_http
    for wrong, environment in ((_site(certificate="own"), told), (_site(certificate="letsencrypt-dns"), {})):
        with pytest.raises(certificates.BadConfiguration):
            certificates.arguments(wrong, environment)


# ── the images ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_notebooks_wheel_knows_nothing_of_the_platform() -> None:
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    made = own_wheel.project_file(whole, ["datapilot_kernel", "dashboards", "extension/datapilot_lab"], {})
    assert "hub_config" not in made
    assert "migrations" not in made
    kept = tomllib.loads(made)
    assert kept["project"]["version"] == whole["project"]["version"]
    assert kept["project"]["scripts"] == {"datapilot": "datapilot_kernel.cli:main"}
    everything = tomllib.loads(
        own_wheel.project_file(whole, whole["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], {})
    )
    assert everything["project"]["entry-points"] == whole["project"]["entry-points"]


def test_the_notebooks_dockerfile_copies_nothing_of_the_platform() -> None:
    copied = re.findall(r"(?m)^COPY (?!--)(.+)$", (IMAGES / "notebook" / "Dockerfile").read_text(encoding="utf-8"))
    sources = [word for line in copied for word in line.split()[:-1]]
    assert [
        s for s in sources if s.startswith("hub_config") and not re.fullmatch(r"hub_config/images/[a-z_]+\.(sh|py)", s)
    ] == []


@pytest.mark.parametrize("image", ["notebook", "hub", "api", "nginx"])
def test_images_run_as_nobody_special(image: str) -> None:
    text = (IMAGES / image / "Dockerfile").read_text(encoding="utf-8")
    last = text[text.rindex("FROM ") :]
    assert re.search(r"(?m)^USER (1000:1000|10001:10001)$", last)
    assert "PIP_" not in last, "how the builder reaches its registry stays in the build"


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.lock")), ids=lambda path: path.name)
def test_locks_name_digests_and_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "--hash=sha256:" in text
    assert re.findall(r"(?m)^\s*--(?:index|extra-index|find-links)|https?://", text) == []


def test_an_images_lock_has_the_versions_that_are_tested() -> None:
    pinned = re.compile(r"(?m)^([a-z0-9.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
    tested = set(pinned.findall((ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8")))
    for name in ("notebook", "hub", "api"):
        found = pinned.findall((ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8"))
        assert len(found) > 30
        assert set(found) - tested == set(), name


# ── docker-compose.yml ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_the_web_server_is_published_and_only_the_gate_holds_the_socket() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]
    holds = [name for name, service in SERVICES.items() if any("docker.sock" in v for v in service.get("volumes", ()))]
    assert holds == ["docker-gate"]
    assert SERVICES["docker-gate"]["networks"] == ["docker"]
    assert not any(service.get("privileged") for service in SERVICES.values())
    assert {name for name, service in SERVICES.items() if service.get("cap_add")} == {"firewall"}
    assert {name for name, service in SERVICES.items() if service.get("network_mode")} == {"firewall"}


def test_every_service_of_ours_is_bound() -> None:
    for name, service in SERVICES.items():
        assert "no-new-privileges:true" in service["security_opt"], name
        if name != "postgres":
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name


def test_only_the_api_goes_out_and_the_database_is_inside() -> None:
    outside = {name for name, network in COMPOSE["networks"].items() if not (network or {}).get("internal")}
    assert outside == {"public", "egress"}
    reaches = {name: set(service.get("networks", ())) & outside for name, service in SERVICES.items()}
    assert {name for name, networks in reaches.items() if networks} == {"nginx", "certbot", "api"}
    assert set(SERVICES["postgres"]["networks"]) == {"core"}


def test_no_service_is_a_router_between_tenants() -> None:
    attached = {name for name, service in SERVICES.items() if "fr.datapilot.service" in service.get("labels", {})}
    assert attached == set(docker_names.SERVICES)
    for name in attached:
        assert SERVICES[name]["sysctls"] == {"net.ipv4.ip_forward": "0"}, f"{name} would route from network to network"


def test_no_source_is_on_the_platforms_networks_whatever_the_operator_allows() -> None:
    told = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", SERVICES["api"]["environment"]["DATAPILOT_OWN_SERVICES"])
    names = {"dp-hub": ["10.213.4.2"]}
    wall = NetworkWall(["10.0.0.0/8"], told.split(), resolver=lambda host: names.get(host, []))
    assert wall.addresses("10.8.0.3", 5432) == ("10.8.0.3",)
    for host, port in (("10.213.4.66", 8081), ("10.213.9.70", 8888), ("10.212.0.75", 8099), ("dp-hub", 5432)):
        with pytest.raises(HostRefused):
            wall.addresses(host, port)


def test_no_secret_stands_in_what_is_committed() -> None:
    for name, service in SERVICES.items():
        for key, value in (service.get("environment") or {}).items():
            told = re.search(r"(?i)(password|token|secret|_key)$", key)
            assert not told, f"{name}: {key}={value}"
    assert re.findall(r"(?mi)^DATAPILOT_\w*(?:PASSWORD|TOKEN|_KEY)=.+$", EXAMPLE) == []


def test_every_variable_of_compose_is_explained() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{([A-Z_]+)", text))
    explained = set(re.findall(r"(?m)^#? ?([A-Z_]+)=", EXAMPLE))
    assert used - explained == {"DATAPILOT_POSTGRES_IMAGE", "DATAPILOT_DOCKER_SOCKET"}, "these two are the tests' own"


def test_no_service_can_take_the_whole_machine() -> None:
    unbound = [
        n for n, service in COMPOSE["services"].items() if not service.get("mem_limit") or not service.get("pids_limit")
    ]
    assert unbound == []


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
def test_the_old_compose_reads_it_too(tmp_path: Path) -> None:
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    shutil.copy(ROOT / ".env.example", tmp_path / ".env")
    done = subprocess.run(["docker-compose", "config", "-q"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_operators_command_is_plain_sh() -> None:
    for script in (ROOT / "datapilot-server", *IMAGES.rglob("*.sh")):
        shell = "dash" if shutil.which("dash") else "sh"
        done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, timeout=10)
        assert done.returncode == 0, (script, done.stderr)
