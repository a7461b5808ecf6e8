"""Connections of tenants against real servers with TLS: whose certificate is believed, which address is used, what is shown."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import pickle
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from datapilot_kernel.errors import Cancelled, SourceProblem
from datapilot_kernel.sources import CancelToken, OpenedSource, open_source
from hub_config.data_sources.connection import ConnectionConfig
from hub_config.data_sources.network import NetworkWall
from tests import servers

pytestmark = [pytest.mark.postgres, pytest.mark.mariadb]

NAME = "bd.datapilot.invalid"  # .invalid: no resolver in the world answers for it
PASSWORD = "s3cr3t-é€/@#:%?"
KINDS = ["postgresql", "mariadb"]


class Authority:
    """An authority of tests, and the certificates that it signs."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        built = self._builder(self.name, self.key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.pem = built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _builder(self, subject: x509.Name, key: Any, days: int = 30) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(now + datetime.timedelta(days=days))
        )

    def server(self, *names: str, days: int = 30) -> servers.Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [x509.IPAddress(ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        built = self._builder(subject, key, days).add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        chain = built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        return servers.Certificate(chain, plain)


AUTHORITY, STRANGER = Authority("Autorité de test"), Authority("Autre autorité")


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, servers.Server]]:
    """Both servers, with a certificate for NAME and for 127.0.0.1, and an account with an unkind password."""
    certificate = AUTHORITY.server(NAME, "127.0.0.1")
    started: dict[str, servers.Server] = {}
    try:
        with ThreadPoolExecutor() as pool:
            first = pool.submit(servers.start_postgres, certificate)
            second = pool.submit(servers.start_mariadb, certificate)
            started["postgresql"] = first.result()
            started["mariadb"] = second.result()
        import psycopg
        import pymysql

        quoted = PASSWORD.replace("'", "''")
        with psycopg.connect(f"{started['postgresql'].url}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE ROLE lea LOGIN PASSWORD '{quoted}'")
            connection.execute("CREATE DATABASE ventes")
        with pymysql.connect(
            host="127.0.0.1", port=started["mariadb"].port, user="root", password="secret", ssl_disabled=True
        ) as connection_my:
            connection_my.query(f"CREATE USER lea@'%' IDENTIFIED BY '{quoted}'".encode().decode())
            connection_my.query("CREATE DATABASE ventes")
            connection_my.query("GRANT SELECT ON ventes.* TO lea@'%'")
        yield started
    finally:
        for server in started.values():
            server.stop()


class Opening:
    """Opens sources of tests against one of the servers, and closes them."""

    def __init__(self, kind: str, server: servers.Server) -> None:
        self.kind, self.server = kind, server
        self.asked: list[str] = []
        self.answers: Callable[[str], list[str]] = lambda host: ["127.0.0.1"]
        self._opened: list[OpenedSource] = []

    def resolve(self, host: str) -> list[str]:
        self.asked.append(host)
        return self.answers(host)

    def config(self, **changed: Any) -> ConnectionConfig:
        given: dict[str, Any] = {
            "type": self.kind, "host": NAME, "port": self.server.port, "database": "ventes", "user": "lea",
            "password": PASSWORD, "ca_certificate": AUTHORITY.pem.decode(),
        }  # fmt: skip
        return ConnectionConfig(**{**given, **changed})

    def __call__(self, *, own: tuple[str, ...] = (), **changed: Any) -> OpenedSource:
        wall = NetworkWall(["127.0.0.0/8"], own, resolver=self.resolve)
        source = open_source(self.config(**changed).location(wall))
        self._opened.append(source)
        return source

    def refused(self, **changed: Any) -> SourceProblem:
        with pytest.raises(SourceProblem) as caught:
            self(**changed).execute("SELECT 1")
        return caught.value

    def close(self) -> None:
        for source in self._opened:
            source.close()


@pytest.fixture(params=KINDS)
def opening(request: pytest.FixtureRequest, running: dict[str, servers.Server]) -> Iterator[Opening]:
    made = Opening(request.param, running[request.param])
    yield made
    made.close()


def _encrypted(source: OpenedSource) -> bool:
    if source.dialect == "postgres":
        return bool(source.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").rows[0][0])
    return bool(source.introspect_rows("SHOW STATUS LIKE 'Ssl_cipher'")[0][1])


def test_the_name_is_verified_and_the_checked_address_used(opening: Opening) -> None:
    """The system knows no such name: only the address that the wall gave can have been connected to."""
    source = opening()
    assert source.execute("SELECT 1").rows == [(1,)]
    assert _encrypted(source)
    # When it was opened, and before the one connection.
    assert opening.asked == [NAME, NAME]


def test_an_address_is_verified_as_an_address(opening: Opening) -> None:
    assert _encrypted(opening(host="127.0.0.1"))


def test_a_certificate_for_another_name_is_refused(opening: Opening) -> None:
    assert opening.refused(host="autre.datapilot.invalid").reason == "certificate_name"
    assert _encrypted(opening(host="autre.datapilot.invalid", tls="require"))


def test_a_certificate_that_nobody_known_signed_is_refused(opening: Opening) -> None:
    assert opening.refused(ca_certificate=None).reason == "certificate_untrusted"
    assert opening.refused(ca_certificate=STRANGER.pem.decode()).reason == "certificate_untrusted"
    assert _encrypted(opening(ca_certificate=None, tls="require"))


def test_the_operators_bundle_is_believed(opening: Opening, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(STRANGER.pem + AUTHORITY.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert _encrypted(opening(ca_certificate=None))


def test_without_encryption_only_when_told(opening: Opening) -> None:
    assert not _encrypted(opening(tls="disable"))


@pytest.mark.parametrize(("kind", "reason"), [("postgresql", "certificate_untrusted"), ("mariadb", "certificate_expired")])
def test_an_expired_certificate_is_refused(kind: str, reason: str) -> None:
    """libpq says only that it was not verified."""
    start = servers.start_postgres if kind == "postgresql" else servers.start_mariadb
    server = start(AUTHORITY.server(NAME, days=-1))
    try:
        assert Opening(kind, server).refused().reason == reason
    finally:
        server.stop()


@pytest.mark.parametrize("tls", ["verify", "require"])
def test_a_server_without_tls_is_not_spoken_to(postgres: servers.Server, mariadb: servers.Server, tls: str) -> None:
    assert Opening("postgresql", postgres).refused(tls=tls).reason == "tls_unsupported"
    assert Opening("mariadb", mariadb).refused(tls=tls).reason == "tls_unsupported"


def test_a_name_that_changes_its_mind_changes_nothing(opening: Opening) -> None:
    """DNS rebinding: allowed when it is checked, inside when it is connected to."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    opening.answers = lambda host: next(answers)
    assert opening.refused().reason == "host_not_found"


def test_every_new_connection_is_judged(opening: Opening) -> None:
    source = opening()
    assert source.execute("SELECT 1").rows == [(1,)]
    opening.answers = lambda host: ["0.0.0.0"]
    # The pool's connection goes to where it went; a second one at the same time is a new one.
    assert source.execute("SELECT 1").rows == [(1,)]
    token, problems = CancelToken(), []

    def busy() -> None:
        try:
            source.execute(_forever(source), cancel=token)
        except Cancelled as error:
            problems.append(error)

    thread = threading.Thread(target=busy)
    thread.start()
    opening.server.await_statement("1000000")
    with pytest.raises(SourceProblem) as caught:
        source.execute("SELECT 1")
    token.cancel()
    thread.join(30)
    assert caught.value.reason == "host_not_found"
    assert len(problems) == 1


def _forever(source: OpenedSource) -> str:
    if source.dialect == "postgres":
        return "SELECT sum(a.i * b.i) FROM generate_series(1, 1000000) a(i), generate_series(1, 1000000) b(i)"
    return "SELECT sum(a.seq * b.seq) FROM seq_1_to_1000000 a, seq_1_to_1000000 b"


def test_the_address_is_the_one_that_was_given_even_when_the_system_knows_the_name(opening: Opening) -> None:
    """``localhost`` would answer; nobody listens at the address that the wall gave."""
    opening.answers = lambda host: ["127.0.0.77"]
    assert opening.refused(host="localhost", tls="disable").reason == "unreachable"
    opening.answers = lambda host: ["127.0.0.77", "127.0.0.1"]
    assert opening(host="localhost", tls="disable").execute("SELECT 1").rows == [(1,)]


def test_stopping_works_over_the_pinned_encrypted_connection(opening: Opening) -> None:
    source = opening()
    source.execute("SELECT 1")
    token = CancelToken()
    threading.Timer(0.3, token.cancel).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        source.execute(_forever(source), cancel=token)
    assert time.monotonic() - began < 15
    assert source.execute("SELECT 1").rows == [(1,)]


def test_streams_take_the_pinned_encrypted_connection_too(opening: Opening) -> None:
    source = opening()
    sql = (
        "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        if source.dialect == "postgres"
        else "SELECT VARIABLE_VALUE <> '' FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'"
    )
    assert bool(source.stream_arrow(sql).read_all().column(0).to_pylist()[0])
    for changed in ({"host": "autre.datapilot.invalid"}, {"ca_certificate": None}, {"password": "faux"}):
        with pytest.raises(SourceProblem) as caught:
            opening(**changed).stream_arrow("SELECT 1")
        assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    token = CancelToken()
    stream = source.stream_arrow("SELECT 1 AS n FROM (SELECT 1) AS a", cancel=token)
    assert stream.read_all().num_rows == 1


def test_our_own_service_is_refused_inside_the_allowed_network(opening: Opening) -> None:
    with pytest.raises(SourceProblem) as caught:
        opening(own=(f"127.0.0.1:{opening.server.port}",))
    assert caught.value.reason == "host_not_found"


def test_nothing_of_our_environment_reaches_the_server(
    opening: Opening, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own password, password file, service or options must not go to a server that a tenant named."""
    passfile = tmp_path / ".pgpass"
    passfile.write_text(f"*:*:*:*:{PASSWORD}\n".replace(":%", "\\:%").replace("#:", "#\\:"))
    passfile.chmod(0o600)
    service = tmp_path / "pg_service.conf"
    service.write_text(f"[ours]\npassword={PASSWORD}\noptions=-c statement_timeout=1\n")
    for name, value in {
        "PGPASSWORD": PASSWORD, "PGPASSFILE": str(passfile), "PGSERVICEFILE": str(service), "PGSERVICE": "ours", "HOME": str(tmp_path),
        "PGOPTIONS": "-c application_name=nous", "PGHOSTADDR": "127.0.0.78", "PGSSLMODE": "disable", "PGUSER": "postgres",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert opening.refused(password="").reason == "wrong_password"
    source = opening()
    assert _encrypted(source)
    if source.dialect == "postgres":
        assert source.introspect_rows("SELECT current_user, current_setting('application_name')") == [("lea", "datapilot")]


@pytest.mark.parametrize(
    "database",
    ["host=127.0.0.78 dbname=ventes", "postgresql://127.0.0.78/ventes", "ventes' host='127.0.0.78", "ventes\\", "é ventes"],
)
def test_a_databases_name_is_a_name_and_nothing_else(opening: Opening, database: str) -> None:
    assert opening.refused(database=database).reason in {"database_missing", "no_permission_database"}


@pytest.mark.parametrize("user", ["lea password=x", "lea' host='127.0.0.78", "root", "postgres"])
def test_an_account_is_a_name_and_nothing_else(opening: Opening, user: str) -> None:
    assert opening.refused(user=user).reason == "wrong_password"


def test_no_word_of_the_driver_and_no_secret_is_shown(opening: Opening, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for changed in (
        {"password": "faux-" + PASSWORD}, {"database": "absente"}, {"host": "autre.datapilot.invalid"}, {"ca_certificate": None},
        {"port": servers.free_port()}, {"user": "personne"}, {"password": "mot-de-passe-€-\N{SNOWMAN}"},
    ):  # fmt: skip
        problem = opening.refused(**changed)
        shown = "".join(traceback.format_exception(problem)) + repr(problem) + problem.log + caplog.text
        assert problem.__cause__ is None
        assert problem.__context__ is None
        for hidden in (PASSWORD, "mot-de-passe-€", "lea@", "127.0.0.1", "FATAL", "Access denied", "SSL:", "errno", "libpq"):
            assert hidden not in shown, (changed, hidden)


def test_a_server_that_says_nothing_is_given_up(opening: Opening) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = opening.config(port=silent.getsockname()[1]).location(
            NetworkWall(["127.0.0.1"], resolver=lambda host: ["127.0.0.1"])
        )
        source = open_source(dataclasses.replace(where, options={"connect_timeout": "1"}))
        began = time.monotonic()
        with pytest.raises(SourceProblem) as caught:
            source.execute("SELECT 1")
    assert caught.value.reason in {"unreachable", "connection_lost"}
    assert time.monotonic() - began < 8  # it would be ten


def test_a_config_shows_no_secret() -> None:
    config = ConnectionConfig(type="postgresql", host="DB.Exemple.FR", database="d", user="u", password=PASSWORD)  # type: ignore[arg-type]
    assert (config.host, config.effective_port, config.tls) == ("db.exemple.fr", 5432, "verify")
    location = config.location(NetworkWall(resolver=lambda host: ["51.15.20.30"]))
    assert PASSWORD not in f"{config!r} {config} {config.model_dump()} {config.model_dump_json()} {location!r}"
    assert config.plain()["password"] == PASSWORD
    assert ConnectionConfig(**config.plain()) == config
    with pytest.raises(Exception, match="pickle"):
        pickle.dumps(location)


@pytest.mark.parametrize(
    "extra",
    [
        {"service": "x"}, {"options": "-c x=y"}, {"passfile": "/etc/passwd"}, {"sslkey": "/x"}, {"init_command": "x"}, {"local_infile": True},
        {"unix_socket": "/x"}, {"read_default_file": "/x"}, {"hostaddr": "127.0.0.1"}, {"sslrootcert": "/x"}, {"query": {}},
    ],
)  # fmt: skip
def test_drivers_parameters_do_not_exist(extra: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        ConnectionConfig(type="mysql", host="db.exemple.fr", database="d", user="u", password=PASSWORD, **extra)  # type: ignore[arg-type]
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "127.1"}, {"host": "/tmp"}, {"host": ""}, {"port": 0}, {"port": 70000}, {"port": "5432"}, {"database": ""}, {"user": ""},
        {"user": "a\0b"}, {"database": "a\nb"}, {"password": "a\0b"}, {"tls": "prefer"}, {"type": "oracle"},
        {"ca_certificate": "rien"}, {"ca_certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
    ],
)  # fmt: skip
def test_what_is_no_connection_is_refused(wrong: dict[str, Any]) -> None:
    given = {"type": "mysql", "host": "db.exemple.fr", "database": "d", "user": "u", "password": PASSWORD, **wrong}
    with pytest.raises((ValidationError, SourceProblem)) as caught:
        ConnectionConfig(**given)
    assert PASSWORD not in f"{caught.value} {caught.value!r}"


def test_a_key_is_no_certificate_of_an_authority() -> None:
    key = AUTHORITY.server(NAME)
    with pytest.raises(SourceProblem) as caught:
        ConnectionConfig(
            type="mysql",
            host=NAME,
            database="d",
            user="u",
            password=PASSWORD,
            ca_certificate=(key.chain + key.key).decode(),  # type: ignore[arg-type]
        )
    assert caught.value.reason == "certificate_unreadable"
