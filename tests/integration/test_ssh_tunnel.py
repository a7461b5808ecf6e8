"""The SSH tunnel in front of real databases, through the real sshd: what passes, who is believed, and what is said when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import re
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from datapilot_kernel.errors import Cancelled, SourceProblem
from datapilot_kernel.sources import CancelToken, OpenedSource, open_source, ssh_tunnel
from datapilot_kernel.sources.ssh import HostKey, SshServer
from datapilot_kernel.sources.ssh_tunnel import read_host_key
from hub_config.data_sources.connection import ConnectionConfig
from hub_config.data_sources.network import NetworkWall
from tests import servers, ssh_server
from tests.integration.test_source_connections import AUTHORITY, PASSWORD, _encrypted, _forever

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.mariadb,
    pytest.mark.skipif(ssh_server.missing() is not None, reason=str(ssh_server.missing())),
]

KINDS = ["postgresql", "mariadb"]
BASTION = "bastion.datapilot.invalid"


@pytest.fixture(scope="module")
def databases() -> Iterator[dict[str, servers.Server]]:
    """Both servers, with a certificate for ``localhost``: the name by which the SSH server knows them."""
    certificate = AUTHORITY.server("localhost")
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
            connection_my.query(f"CREATE USER lea@'%' IDENTIFIED BY '{quoted}'")
            connection_my.query("CREATE DATABASE ventes")
            connection_my.query("GRANT SELECT ON ventes.* TO lea@'%'")
        yield started
    finally:
        for server in started.values():
            server.stop()


@pytest.fixture(scope="module")
def shared() -> Iterator[ssh_server.SshServer]:
    with ssh_server.ssh_server() as server:
        yield server


class Opening:
    """Opens sources behind an SSH server, and closes them."""

    def __init__(self, kind: str, database: servers.Server, bastion: ssh_server.SshServer) -> None:
        self.kind, self.database, self.bastion = kind, database, bastion
        self.asked: list[str] = []
        self._opened: list[OpenedSource] = []

    def _resolve(self, host: str) -> list[str]:
        self.asked.append(host)
        return ["127.0.0.1"]

    def config(self, ssh: dict[str, Any] | None = None, **changed: Any) -> ConnectionConfig:
        way = {
            "host": BASTION, "port": self.bastion.port, "user": self.bastion.user, "host_key": self.bastion.host_key,
            "private_key": self.bastion.client_key,
        }  # fmt: skip
        given: dict[str, Any] = {
            "type": self.kind, "host": "localhost", "port": self.database.port, "database": "ventes", "user": "lea",
            "password": PASSWORD, "ca_certificate": AUTHORITY.pem.decode(), "ssh": {**way, **(ssh or {})},
        }  # fmt: skip
        return ConnectionConfig(**{**given, **changed})

    def __call__(self, ssh: dict[str, Any] | None = None, **changed: Any) -> OpenedSource:
        wall = NetworkWall(["127.0.0.0/8"], resolver=self._resolve)
        source = open_source(self.config(ssh, **changed).location(wall))
        self._opened.append(source)
        return source

    def refused(self, ssh: dict[str, Any] | None = None, **changed: Any) -> SourceProblem:
        began = time.monotonic()
        with pytest.raises(SourceProblem) as caught:
            self(ssh, **changed).execute("SELECT 1")
        assert time.monotonic() - began < 15
        return caught.value

    def close(self) -> None:
        for source in self._opened:
            source.close()


@pytest.fixture(params=KINDS)
def opening(
    request: pytest.FixtureRequest, databases: dict[str, servers.Server], shared: ssh_server.SshServer
) -> Iterator[Opening]:
    made = Opening(request.param, databases[request.param], shared)
    yield made
    made.close()


@pytest.fixture(params=KINDS)
def alone(request: pytest.FixtureRequest, databases: dict[str, servers.Server]) -> Iterator[Opening]:
    """With an SSH server of its own, which may be killed or set up anew."""
    with ssh_server.ssh_server() as bastion:
        made = Opening(request.param, databases[request.param], bastion)
        yield made
        made.close()


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "datapilot-ssh"]


def _in_background(work: Any) -> tuple[threading.Thread, list[BaseException]]:
    problems: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except (SourceProblem, Cancelled) as problem:
            problems.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, problems


# ── what passes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_database_is_reached_encrypted_and_by_its_own_name(opening: Opening) -> None:
    source = opening()
    assert source.execute("SELECT 1").rows == [(1,)]
    assert _encrypted(source)
    # The wall was asked for the SSH server alone: the database's name is the far side's business.
    assert opening.asked == [BASTION, BASTION]
    assert opening.refused(host="127.0.0.1").reason == "certificate_name"
    assert opening.refused(ca_certificate=None).reason == "certificate_untrusted"
    assert opening.refused(password="faux").reason == "wrong_password"


def test_streams_take_the_tunnel_too(opening: Opening) -> None:
    source = opening()
    series = (
        "generate_series(1, 200000) AS t(n)" if opening.kind == "postgresql" else "(SELECT seq AS n FROM seq_1_to_200000) t"
    )
    table = source.stream_arrow(f"SELECT n, md5(CONCAT(n, '')) AS h FROM {series}").read_all()
    assert table.num_rows == 200_000
    assert sum(table.column(0).to_pylist()) == 200_000 * 200_001 // 2
    with pytest.raises(SourceProblem) as caught:
        opening(password="faux").stream_arrow("SELECT 1")
    assert caught.value.reason == "wrong_password"


def test_many_at_once_share_one_ssh_connection(alone: Opening) -> None:
    source = alone()
    slow = "SELECT pg_sleep(0.3)" if alone.kind == "postgresql" else "SELECT sleep(0.3)"
    with ThreadPoolExecutor(6) as pool:
        assert len(list(pool.map(lambda _: source.execute(slow).rows, range(6)))) == 6
    assert alone.bastion.count("Accepted publickey", 1) == 1


def test_stopping_works_through_the_tunnel(opening: Opening) -> None:
    source = opening()
    source.execute("SELECT 1")
    for run in (source.execute, lambda sql, cancel: source.stream_arrow(sql, cancel=cancel).read_all()):
        token = CancelToken()
        threading.Timer(0.3, token.cancel).start()
        began = time.monotonic()
        with pytest.raises(Cancelled):
            run(_forever(source), cancel=token)
        assert time.monotonic() - began < 15
    assert source.execute("SELECT 1").rows == [(1,)]


def test_closed_with_rows_on_the_way_it_leaves_no_socket(
    databases: dict[str, servers.Server], shared: ssh_server.SshServer
) -> None:
    opening = Opening("postgresql", databases["postgresql"], shared)
    with socket.create_server(("127.0.0.1", 0)) as database:
        config = opening.config(host="127.0.0.1", port=database.getsockname()[1])
        tunnel = ssh_tunnel.Tunnel(config.location(NetworkWall(["127.0.0.0/8"], resolver=opening._resolve)))
        try:
            (address,) = tunnel.ready()
            with socket.create_connection((address, tunnel.port)) as driver:
                far, _ = database.accept()
                with far:
                    far.settimeout(1)
                    with contextlib.suppress(TimeoutError):
                        far.sendall(b"x" * 40_000_000)  # more than all buffers hold, and the driver takes none of it
                    assert driver.recv(1, socket.MSG_PEEK) == b"x"
                tunnel.close()
                assert driver.recv(1) == b"x"
        finally:
            tunnel.close()
    gc.collect()  # what was left open says so here, and fails this test


def test_keys_of_every_kind_sign_in(databases: dict[str, servers.Server], tmp_path: Path) -> None:
    makers = {
        "rsa": ("-t", "rsa", "-b", "2048"),
        "ecdsa": ("-t", "ecdsa"),
        "pem": ("-t", "rsa", "-b", "2048", "-m", "PEM"),
        "pkcs8": ("-t", "ecdsa", "-m", "PKCS8"),
    }
    with ssh_server.ssh_server() as bastion:
        opening = Opening("postgresql", databases["postgresql"], bastion)
        opening.bastion.new_host_key("-t", "ecdsa", "-b", "384")
        for name, options in makers.items():
            key = ssh_server.new_key(tmp_path / name, *options)
            (bastion.folder / "authorized").write_text((tmp_path / f"{name}.pub").read_text())
            assert opening({"private_key": key}).execute("SELECT 1").rows == [(1,)], name
        locked = ssh_server.new_key(tmp_path / "locked", passphrase="phrase-sésame")
        (bastion.folder / "authorized").write_text((tmp_path / "locked.pub").read_text())
        assert opening({"private_key": locked, "passphrase": "phrase-sésame"}).execute("SELECT 1").rows == [(1,)]
        assert opening.refused({"private_key": locked, "passphrase": "autre"}).reason == "ssh_key_passphrase"
        assert opening.refused({"private_key": locked}).reason == "ssh_key_passphrase"
        opening.close()


def test_an_account_that_may_do_nothing_else_is_enough(alone: Opening) -> None:
    alone.bastion.allow(f'restrict,port-forwarding,permitopen="localhost:{alone.database.port}",command="/bin/false"')
    assert alone().execute("SELECT 1").rows == [(1,)]
    alone.bastion.allow('restrict,port-forwarding,permitopen="localhost:1"')
    assert alone.refused().reason == "ssh_forwarding_refused"
    alone.bastion.allow("restrict")
    assert alone.refused().reason == "ssh_forwarding_refused"


# ── who is believed ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_servers_key_is_read_without_signing_in(shared: ssh_server.SshServer) -> None:
    key = read_host_key(SshServer("127.0.0.1", shared.port))
    shown = subprocess.run(["ssh-keygen", "-lf", shared.folder / "host.pub"], check=True, capture_output=True, text=True)
    assert key.fingerprint in shown.stdout.split()
    assert key == HostKey.parse(shared.host_key)


def test_an_account_that_is_refused_is_not_tried_again_and_again(alone: Opening, tmp_path: Path) -> None:
    source = alone({"private_key": ssh_server.new_key(tmp_path / "other")})
    for _ in range(5):
        with pytest.raises(SourceProblem) as caught:
            source.execute("SELECT 1")
        assert caught.value.reason == "ssh_key_refused"
    assert sum("publickey" in told for told in alone.bastion.connections()) == 1
    assert alone.refused({"user": "personne"}).reason == "ssh_key_refused"


@pytest.mark.parametrize("options", [("-t", "ed25519"), ("-t", "rsa", "-b", "2048")])
def test_a_server_with_another_key_gets_nothing(databases: dict[str, servers.Server], options: tuple[str, ...]) -> None:
    with ssh_server.ssh_server() as bastion:
        opening = Opening("postgresql", databases["postgresql"], bastion)
        source = opening()
        assert source.execute("SELECT 1").rows == [(1,)]
        before, confirmed = len(bastion.log), bastion.host_key
        bastion.new_host_key(*options)
        with pytest.raises(SourceProblem) as caught:
            source.execute("SELECT 1")
        assert caught.value.reason == "ssh_host_key_changed"
        # It hung up before an account was named.
        told = bastion.connections(before)
        assert told
        assert not any(re.search(rf"user|publickey|{re.escape(bastion.user)}", one, re.I) for one in told), told
        assert opening.refused({"host_key": confirmed}).reason == "ssh_host_key_changed"
        assert opening.refused({"host_key": None}).reason == "ssh_host_key_unconfirmed"
        assert opening().execute("SELECT 1").rows == [(1,)]
        opening.close()


def test_only_this_process_comes_through_the_local_port(opening: Opening) -> None:
    source = opening()
    source.execute("SELECT 1")
    port = source._tunnel.port  # type: ignore[attr-defined]
    # PostgreSQL answers what asks for TLS, MariaDB greets.
    knock = (
        "import socket, sys\n"
        f"s = socket.create_connection(('127.0.0.1', {port}), 30); s.settimeout(30)\n"
        "s.sendall(bytes.fromhex('0000000804d2162f'))\n"
        "try: sys.stdout.write(repr(s.recv(1)))\n"
        "except ConnectionError: sys.stdout.write(repr(b''))\n"
    )
    stranger = subprocess.run([sys.executable, "-c", knock], check=True, capture_output=True, text=True, timeout=90)
    assert stranger.stdout == "b''"
    with socket.create_connection(("127.0.0.1", port), 30) as ours:
        ours.settimeout(30)
        ours.sendall(bytes.fromhex("0000000804d2162f"))
        assert ours.recv(1) != b""


# ── what is said when it ends ─────────────────────────────────────────────────────────────────────────────────────────


def test_killed_mid_way_it_says_so_and_comes_back(alone: Opening) -> None:
    source = alone()
    source.execute("SELECT 1")
    thread, problems = _in_background(lambda: source.execute(_forever(source)))
    alone.database.await_statement("1000000")
    began = time.monotonic()
    alone.bastion.kill_connections()
    thread.join(30)
    assert time.monotonic() - began < 15
    assert [getattr(problem, "reason", None) for problem in problems] == ["ssh_lost"]
    assert source.execute("SELECT 1").rows == [(1,)]
    alone.bastion.stop()
    with pytest.raises(SourceProblem) as caught:
        source.execute("SELECT 1")
    assert caught.value.reason == "ssh_unreachable"
    alone.bastion.start()
    assert source.execute("SELECT 1").rows == [(1,)]


def test_a_channel_that_died_waiting_is_given_to_nobody(alone: Opening) -> None:
    source = alone()
    source.execute("SELECT 1")
    tunnel = source._tunnel  # type: ignore[attr-defined]
    tunnel.ready()  # as for a connection that a driver never made
    alone.bastion.kill_connections()
    deadline = time.monotonic() + 30
    while tunnel.is_up:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert source.execute("SELECT 1").rows == [(1,)]


def test_a_stream_that_is_cut_is_not_taken_for_whole(alone: Opening) -> None:
    source = alone()
    series = (
        "generate_series(1, 30000000) AS t(n)"
        if alone.kind == "postgresql"
        else "(SELECT seq AS n FROM seq_1_to_30000000) t"
    )
    read = 0

    def drain() -> None:
        nonlocal read
        for batch in source.stream_arrow(f"SELECT n, md5(CONCAT(n, '')) AS h FROM {series}"):
            if not read:
                alone.bastion.kill_connections()
            read += batch.num_rows

    with pytest.raises(SourceProblem) as caught:
        drain()
    assert caught.value.reason == "ssh_lost"
    assert 0 < read < 30_000_000


def test_a_server_that_falls_silent_is_given_up(alone: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    # Three silences of this: less would take a server that the machine has stopped for a moment for one that is gone.
    monkeypatch.setattr(ssh_tunnel, "KEEPALIVE_S", 2.0)
    source = alone()
    source.execute("SELECT 1")
    thread, problems = _in_background(lambda: source.execute(_forever(source)))
    alone.database.await_statement("1000000")
    alone.bastion.freeze_connections()
    thread.join(30)
    assert [getattr(problem, "reason", None) for problem in problems] == ["ssh_lost"]
    assert source.execute("SELECT 1").rows == [(1,)]


def test_a_database_that_is_down_is_not_the_tunnels_fault(opening: Opening) -> None:
    assert opening.refused(port=servers.free_port()).reason == "ssh_target_unreachable"
    assert opening.refused(host="base.datapilot.invalid").reason == "ssh_target_unreachable"


def test_whatever_answers_that_is_no_ssh_server(opening: Opening) -> None:
    assert opening.refused({"port": servers.free_port()}).reason == "ssh_unreachable"
    # A database's own port: MariaDB greets in its own tongue, PostgreSQL says nothing.
    assert opening.refused({"port": opening.database.port}).reason in {"ssh_protocol", "ssh_unreachable"}


def test_an_accounts_password_and_nothing_of_ours(
    databases: dict[str, servers.Server], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server that asks for a password. asyncssh's own, since sshd would want an account of this machine."""
    import asyncssh

    tried: list[str] = []

    class Server(asyncssh.SSHServer):
        def password_auth_supported(self) -> bool:
            return True

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            tried.append("key")
            return False

        def validate_password(self, username: str, password: str) -> bool:
            tried.append(password)
            return (username, password) == ("passage", PASSWORD)

        def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
            return True

    # What ssh itself would offer: a key in the home folder, settings that send it elsewhere.
    (tmp_path / ".ssh").mkdir()
    ssh_server.new_key(tmp_path / ".ssh" / "id_ed25519")
    (tmp_path / ".ssh" / "config").write_text("Host *\n  User autre\n  KexAlgorithms diffie-hellman-group1-sha1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()
    listener = loop.run_until_complete(asyncssh.listen("127.0.0.1", 0, server_factory=Server, server_host_keys=[host_key]))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        line = host_key.export_public_key("openssh").decode()
        way = {"port": listener.get_port(), "user": "passage", "private_key": None, "password": PASSWORD, "host_key": line}
        with ssh_server.ssh_server() as unused:
            opening = Opening("postgresql", databases["postgresql"], unused)
            assert opening(way).execute("SELECT 1").rows == [(1,)]
            assert opening.refused({**way, "password": "faux"}).reason == "ssh_password_refused"
            opening.close()
        assert tried == [PASSWORD, "faux"]
    finally:

        async def leave() -> None:
            listener.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait(others, timeout=2) if others else None

        asyncio.run_coroutine_threadsafe(leave(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


# ── what stays ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_closed_with_its_source_it_leaves_nothing(alone: Opening) -> None:
    before = len(_threads())
    source = alone()
    source.execute("SELECT 1")
    port = source._tunnel.port  # type: ignore[attr-defined]
    assert len(_threads()) == before + 1
    source.close()
    source.close()
    assert len(_threads()) == before
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 1)
    with pytest.raises(SourceProblem) as caught:
        source.execute("SELECT 1")
    assert caught.value.reason == "closed"
    unused = alone()
    unused.close()
    assert len(_threads()) == before


def test_no_secret_is_shown(opening: Opening, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG)
    locked = ssh_server.new_key(tmp_path / "locked", passphrase="phrase-secrète")
    ways: list[dict[str, Any]] = [
        {},
        {"private_key": locked, "passphrase": "phrase-secrète"},
        {"private_key": locked, "passphrase": "une-autre-phrase"},
        {"private_key": None, "password": "mot-de-passe-ssh"},
        {"port": servers.free_port()},
    ]
    shown = []
    for way in ways:
        config = opening.config(way)
        shown += [repr(config), str(config), repr(config.location(NetworkWall(["127.0.0.0/8"], resolver=opening._resolve)))]
        shown.append(repr(config.shown()))
        source = opening(way)
        try:
            source.execute("SELECT 1")
        except SourceProblem as problem:
            shown += ["".join(traceback.format_exception(problem)), repr(problem), problem.log, problem.message]
        shown += [repr(source), repr(source.__dict__)]
    text = "".join(shown) + caplog.text
    for secret in (PASSWORD, "phrase-secrète", "une-autre-phrase", "mot-de-passe-ssh", *locked.split("\n")[1:4]):
        assert secret not in text
    for line in opening.bastion.client_key.split("\n")[1:-2]:
        assert line not in text
