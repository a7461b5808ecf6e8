"""Key rotation against SIGKILL and against a service that goes on serving, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from datapilot_kernel.sources.location import DatabaseLocation
from hub_config.data_sources.connection import ConnectionConfig
from hub_config.database import Database, DataSource, Tenant, TenantKey, migrate
from hub_config.vault import Vault, status
from tests.integration.platform.conftest import copy_of
from tests.platform_world import application_url
from tests.servers import Server

pytestmark = pytest.mark.postgres

# The command, run in processes that kill themselves where they are told: at the n-th step, statement, or file operation. One
# process that has imported everything makes them, so that a kill costs no start.
DRIVER = """
import json, os, signal, sys
import hub_config.commands.vault, hub_config.database, hub_config.vault, hub_config.settings
from datapilot_kernel.cli import main
from hub_config.vault import rotation

def prepare(kind, number):
    left = [number]
    def count(*_, **__):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    if kind == "step":
        real = rotation.Progress.count
        rotation.Progress.count = lambda self, name: (real(self, name), count())
    elif kind in ("before statement", "after statement", "before commit"):
        from sqlalchemy import event
        from sqlalchemy.engine import Engine
        names = {"before statement": "before_cursor_execute", "after statement": "after_cursor_execute", "before commit": "commit"}
        event.listen(Engine, names[kind], count)
    else:
        moment, name = kind.split()
        real = getattr(os, name)
        def operation(*given, **more):
            if moment == "before":
                count()
            result = real(*given, **more)
            if moment == "after":
                count()
            return result
        setattr(os, name, operation)

for line in sys.stdin:
    kind, number = json.loads(line)
    child = os.fork()
    if child == 0:
        code = 3
        try:
            os.dup2(2, 1)
            prepare(kind, number)
            code = main(sys.argv[1:])
        finally:
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Installation:
    """A platform's database and key file, and what must always decrypt."""

    def __init__(self, folder: Path, urls: tuple[str, str | None]) -> None:
        self.folder = folder
        url, admin_url = urls
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("DATAPILOT_")}
        self.environment["DATAPILOT_SECRETS_DIR"] = str(folder / "none")
        if admin_url is not None:
            self.environment |= {"DATAPILOT_DATABASE_URL": url, "DATAPILOT_DATABASE_ADMIN_URL": admin_url}
        self.database = Database(url, admin_url=admin_url)
        self.key_file = folder / "keys" / "vault.keys"
        self.vault = Vault(self.key_file)
        self.vault.prepare(self.database)
        self.driver: subprocess.Popen[str] | None = None
        self.secrets: dict[tuple[str, str], ConnectionConfig] = {}

    def add(self, tenants: int, sources: int) -> None:
        for number in range(tenants):
            tenant = Tenant(name=f"Maison {number}", slug=f"m-{number}")
            with self.database.tenant(tenant.id) as session:
                session.add(tenant)
                session.flush()
                for place in range(sources):
                    self.put(session, tenant.id, f"source {place}")

    def put(self, session: Any, tenant_id: str, name: str) -> tuple[str, str]:
        row = DataSource(name=name, type="postgres")
        given = config(len(self.secrets))
        row.connection_config_encrypted = self.vault.encrypt(session, tenant_id, row.id, given)
        session.add(row)
        self.secrets[(tenant_id, row.id)] = given
        return tenant_id, row.id

    def arguments(self) -> list[str]:
        return ["vault", "rotate", "--json", "--data", str(self.folder)]

    def rotate(self) -> dict[str, Any]:
        command = [sys.executable, "-m", "datapilot_kernel.cli", *self.arguments()]
        ended = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def killed(self, kind: str, number: int) -> bool:
        """Run the command in a process that kills itself there; False: it did not come to that, and ended."""
        if self.driver is None:
            command = [sys.executable, "-c", DRIVER, *self.arguments()]
            self.driver = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self.driver.stdin is not None
        assert self.driver.stdout is not None
        self.driver.stdin.write(json.dumps([kind, number]) + "\n")
        self.driver.stdin.flush()
        code = int(self.driver.stdout.readline())
        assert code in (0, -signal.SIGKILL)
        return code == -signal.SIGKILL

    def close(self) -> None:
        self.database.dispose()
        if self.driver is not None:
            self.driver.communicate()

    def check(self, vault: Vault | None = None) -> None:
        """Everything decrypts, with what a service finds that starts now."""
        vault = vault or Vault(self.key_file)
        for (tenant_id, source_id), expected in self.secrets.items():
            with self.database.tenant(tenant_id, read_only=True) as session:
                token = session.get(DataSource, source_id).connection_config_encrypted
                assert vault.decrypt(session, tenant_id, source_id, token) == expected

    def finished(self) -> None:
        found = status(self.database, Vault(self.key_file))
        assert (found.pending_tenants, found.unreadable_secrets) == (0, 0)
        for tenant_id in {tenant for tenant, _ in self.secrets}:
            with self.database.tenant(tenant_id, read_only=True) as session:
                rows = session.scalars(select(TenantKey).where(TenantKey.retired_at.is_(None))).all()
                assert len(rows) == 1
                tokens = session.scalars(select(DataSource.connection_config_encrypted)).all()
                assert {token.split(".")[1] for token in tokens if token} <= {rows[0].id}


def config(number: int) -> ConnectionConfig:
    return ConnectionConfig(
        type="mysql",
        host="db.exemple.fr",
        database="ventes",
        user="lea",
        password=f"secret-{number}",  # type: ignore[arg-type]
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/platform.sqlite3"
        migrate(url)
        urls: tuple[str, str | None] = (url, None)
    else:
        server: Server = request.getfixturevalue("postgres")
        migrated: str = request.getfixturevalue("migrated")
        admin_url = copy_of(server, migrated)
        urls = (application_url(migrated).replace(urlsplit(migrated).path, urlsplit(admin_url).path), admin_url)
    made = Installation(tmp_path, urls)
    yield made
    made.close()


@pytest.mark.timeout(300)
def test_killed_after_every_step_it_goes_on_and_ends(installation: Installation) -> None:
    """Every run takes one step and dies: a master key, 2 keys rewrapped, 2 new, 4 secrets encrypted again, 2 keys retired."""
    installation.add(tenants=2, sources=2)
    for run in range(1 + 2 + 2 + 4 + 2):
        assert installation.killed("step", 1)
        installation.check()
        pending = status(installation.database, Vault(installation.key_file)).pending_tenants
        assert (pending == 0) == (run == 10)
    installation.finished()
    assert len(Vault(installation.key_file).master.all()) == 2
    found = installation.rotate()
    assert (found["resumed"], found["pending_tenants"]) == (False, 0)
    installation.finished()
    installation.check()


POINTS = [
    ("before replace", 1), ("after replace", 1), ("before fsync", 1), ("after fsync", 1), ("after fsync", 2), ("after open", 4),
    ("before statement", 9), ("after statement", 13), ("after statement", 24), ("before commit", 6), ("before commit", 9), ("before commit", 14),
    ("before commit", 20),
]  # fmt: skip


@pytest.mark.timeout(300)
def test_killed_inside_a_step_it_goes_on_and_ends(installation: Installation) -> None:
    """In the middle of a transaction and of writing the key file."""
    installation.add(tenants=2, sources=2)
    killed = 0
    for kind, number in POINTS:
        killed += installation.killed(kind, number)
        installation.check()
        assert installation.key_file.stat().st_mode & 0o777 == 0o600
    assert killed >= len(POINTS) - 3
    found = installation.rotate()
    assert found["pending_tenants"] == 0
    installation.finished()
    installation.check()
    # What a killed process left beside the key file is cleared away by the next that writes it.
    installation.rotate()
    assert not list(installation.key_file.parent.glob("*.half"))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_any_moment(installation: Installation) -> None:
    """The real command, and a clock."""
    installation.add(tenants=10, sources=3)
    command = [sys.executable, "-m", "datapilot_kernel.cli", *installation.arguments()]
    began = time.monotonic()
    installation.rotate()
    whole = time.monotonic() - began
    for part in (0.6, 0.75, 0.9):
        process = subprocess.Popen(
            command, env=installation.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(whole * part)
        process.send_signal(signal.SIGKILL)
        process.wait()
        installation.check()
    found = installation.rotate()
    assert found["pending_tenants"] == 0
    installation.finished()
    installation.check()


def test_the_service_goes_on_while_keys_rotate(installation: Installation) -> None:
    """Connections are read, changed and added all the while, by a vault that was opened before."""
    installation.add(tenants=3, sources=3)
    places, over, problems = list(installation.secrets), threading.Event(), []
    changes = [0]

    def serve(number: int) -> None:
        turn = number
        while not over.is_set():
            turn += 1
            tenant_id, source_id = places[turn % len(places)]
            try:
                with installation.database.tenant(tenant_id, read_only=True) as session:
                    token = session.get(DataSource, source_id).connection_config_encrypted
                    installation.vault.decrypt(session, tenant_id, source_id, token)
                if number == 0 and turn % 3 == 0:
                    given = config(10_000 + turn)
                    with installation.database.tenant(tenant_id) as session:
                        row = session.get(DataSource, source_id)
                        row.connection_config_encrypted = installation.vault.encrypt(session, tenant_id, source_id, given)
                        row.revision += 1
                    installation.secrets[(tenant_id, source_id)] = given
                    changes[0] += 1
            except Exception as error:  # noqa: BLE001 -- whatever it is, the test shows it
                problems.append(f"{error!r} {getattr(error, 'log', '')}")
                return
            time.sleep(0.002)

    threads = [threading.Thread(target=serve, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    try:
        turns = 0
        while turns < 2 or (changes[0] <= 20 and not problems):
            installation.rotate()
            turns += 1
    finally:
        over.set()
        for thread in threads:
            thread.join(20)
    assert problems == []
    assert changes[0] > 20
    installation.check(installation.vault)
    installation.check()


def test_a_key_in_use_by_an_open_edit_is_not_retired(installation: Installation) -> None:
    """An edit that began before the rotation and ends after its last look must not be left with a retired key."""
    if installation.database.dialect == "sqlite":
        pytest.skip("SQLite has one writer: the edit and the rotation never overlap")
    installation.add(tenants=1, sources=2)
    (place, other) = installation.secrets
    tenant_id = place[0]
    given = config(77)

    def token_of(source_id: str) -> str:
        with installation.database.tenant(tenant_id, read_only=True) as session:
            return str(session.get(DataSource, source_id).connection_config_encrypted)

    before = token_of(other[1])
    with installation.database.tenant(tenant_id) as session:
        row = session.get(DataSource, place[1])
        token = installation.vault.encrypt(session, tenant_id, place[1], given)
        process = subprocess.Popen(
            [sys.executable, "-m", "datapilot_kernel.cli", *installation.arguments()],
            env=installation.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        # The rotation has done everything else, and waits for this edit to end.
        deadline = time.monotonic() + 60
        while token_of(other[1]) == before and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        assert process.poll() is None
        row.connection_config_encrypted = token
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    installation.secrets[place] = given
    installation.check()
    assert json.loads(out)["pending_tenants"] == 0
    installation.finished()


def test_a_location_is_made_of_what_was_decrypted(installation: Installation) -> None:
    """From the vault to the driver without a text that holds the password."""
    from hub_config.data_sources.network import NetworkWall

    installation.add(tenants=1, sources=1)
    (place,) = installation.secrets
    with installation.database.tenant(place[0], read_only=True) as session:
        token = session.get(DataSource, place[1]).connection_config_encrypted
        found = installation.vault.decrypt(session, *place, token)
    location = found.location(NetworkWall(resolver=lambda host: ["51.15.20.30"]))
    assert isinstance(location, DatabaseLocation)
    assert location.password == "secret-0"
    assert "secret-0" not in f"{location!r} {found!r}"
