"""The platform's database on SQLite, and what holds of its models whatever the engine."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from hub_config.database import Database, Quota, Tenant, Unscoped, User, delete_tenant, migrate
from hub_config.database.base import Base
from hub_config.errors import PlatformUnavailable, status_of
from tests.platform_behaviour import *  # noqa: F403
from tests.platform_behaviour import ROOT
from tests.platform_world import MODELS, new_database, populate, sqlite_url


@pytest.fixture
def admin_url(tmp_path: Path) -> str:
    return sqlite_url(tmp_path)


@pytest.fixture
def database(admin_url: str) -> Iterator[Database]:
    database = new_database(admin_url)
    yield database
    database.dispose()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__tablename__)
def test_every_table_belongs_to_a_tenant(model: type[Base]) -> None:
    table = model.__table__
    assert isinstance(table, Table)
    assert next(iter(table.primary_key)).name == "tenant_id"
    assert [c.name for c in model.__mapper__.primary_key] == [c.name for c in table.primary_key]
    for key in table.foreign_key_constraints:
        assert key.column_keys[0] == "tenant_id"
        assert key.elements[0].column.name == "tenant_id"
    if model is not Tenant:
        assert any(k.column_keys == ["tenant_id"] and k.ondelete == "CASCADE" for k in table.foreign_key_constraints)
    for index in table.indexes:
        first = next(iter(index.columns)).name
        assert first == "tenant_id" or (table.name, first) == ("users", "email_key")


def test_every_secret_is_declared() -> None:
    named = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if re.search(r"hash|secret|encrypted|wrapped|password(?!_resets)|token", column.name)
    }
    declared = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if column.info.get("secret")
    }
    assert named == declared
    assert {"users.hashed_password", "data_sources.connection_config_encrypted", "tenant_keys.wrapped_key"} <= declared


def test_a_plain_session_reaches_nothing(database: Database) -> None:
    populate(database, "nous")
    for model in MODELS:
        with Session(database._engine) as session, pytest.raises(Unscoped):
            session.scalars(select(model)).all()


def test_a_writer_inside_a_writer_says_so_instead_of_waiting(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_config.database.engine.WAIT_TIMEOUT_S", 60)
    tenant_id = populate(database, "nous")
    begun = time.monotonic()
    with database.tenant(tenant_id), pytest.raises(Unscoped), database.tenant(tenant_id):
        pass
    assert time.monotonic() - begun < 30  # it would be sixty
    with database.tenant(tenant_id), database.tenant(tenant_id, read_only=True) as session:
        assert session.scalars(select(Quota)).one()


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    tenant_id = populate(database, "nous")
    inside, finish = threading.Event(), threading.Event()

    def write() -> None:
        with database.tenant(tenant_id) as session:
            session.scalars(select(Quota)).one().value = 99
            session.flush()
            inside.set()
            finish.wait(60)

    writer = threading.Thread(target=write)
    writer.start()
    assert inside.wait(30)
    with database.tenant(tenant_id, read_only=True) as session:
        assert session.scalars(select(Quota.value)).one() == 3
    finish.set()
    writer.join()
    with database.tenant(tenant_id, read_only=True) as session:
        assert session.scalars(select(Quota.value)).one() == 99


def test_another_process_that_holds_the_file(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant_id = populate(database, "nous")
    monkeypatch.setattr("hub_config.database.engine.WAIT_TIMEOUT_S", 0.3)
    hasty = Database(sqlite_url(tmp_path))
    other = sqlite3.connect(tmp_path / "platform.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(PlatformUnavailable) as caught, hasty.tenant(tenant_id):
        pass
    assert status_of(caught.value) == 503
    with hasty.tenant(tenant_id, read_only=True) as session:
        assert session.scalars(select(User)).one()
    other.execute("ROLLBACK")
    other.close()
    with hasty.tenant(tenant_id) as session:
        session.scalars(select(Quota)).one().value = 5
    hasty.dispose()


def test_a_file_that_is_gone_and_comes_back(database: Database, admin_url: str, tmp_path: Path) -> None:
    tenant_id = populate(database, "nous")
    database.dispose()
    away = tmp_path / "away"
    away.mkdir()
    for name in os.listdir(tmp_path):
        if name.startswith("platform.db"):
            (tmp_path / name).rename(away / name)
    (tmp_path / "platform.db").mkdir()
    with pytest.raises(PlatformUnavailable), database.tenant(tenant_id):
        pass
    with pytest.raises(PlatformUnavailable):
        database.ping()
    (tmp_path / "platform.db").rmdir()
    for name in os.listdir(away):
        (away / name).rename(tmp_path / name)
    time.sleep(0.6)
    database.ping()
    with database.tenant(tenant_id) as session:
        assert session.scalars(select(User)).one()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "platform.db").write_bytes(b"PK" * 4096)
    broken = Database(sqlite_url(tmp_path))
    with pytest.raises(PlatformUnavailable):
        broken.ping()


def test_an_object_of_another_tenant_is_refused_at_once(database: Database) -> None:
    ours, theirs = populate(database, "nous"), populate(database, "eux")
    with database.tenant(theirs) as session:
        loaded = session.scalars(select(Quota)).one()
    passed = []

    def add(row: Quota) -> None:
        with database.tenant(ours) as session:
            session.add(row)
            passed.append(row)

    for row in (loaded, Quota(tenant_id=theirs, key="k", value=1)):
        with pytest.raises(Unscoped):
            add(row)
    assert passed == []


def test_the_file_is_for_its_owner_alone(database: Database, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "platform.db").stat().st_mode) == 0o600


def test_rows_that_would_be_left_undo_the_deletion(database: Database, tmp_path: Path) -> None:
    tenant_id = populate(database, "nous")
    database.dispose()
    raw = sqlite3.connect(tmp_path / "platform.db")
    raw.executescript("CREATE TABLE q2 AS SELECT * FROM quotas; DROP TABLE quotas; ALTER TABLE q2 RENAME TO quotas")
    raw.close()
    with pytest.raises(RuntimeError, match="quotas"):
        delete_tenant(database, tenant_id)
    with database.tenant(tenant_id, read_only=True) as session:
        assert session.scalars(select(User)).one()


@pytest.mark.parametrize(
    "url", ["mysql://a:hemlig@b/c", "sqlite://", "sqlite:///:memory:", "nothing", "postgresql://a:hemlig@b:port/x"]
)
def test_an_address_that_is_not_one(url: str) -> None:
    with pytest.raises(ValueError, match="database") as caught:
        Database(url)
    assert "hemlig" not in str(caught.value)


def test_errors_of_statements_hold_no_values(database: Database) -> None:
    tenant_id = populate(database, "nous")
    with pytest.raises(Exception, match="UNIQUE") as caught, database.tenant(tenant_id) as session:
        session.add_all([User(email="hemlig@x.fr", email_key="hemlig@x.fr", role="viewer") for _ in range(2)])
    assert "hemlig" not in str(caught.value)


def test_a_tenant_that_never_was(database: Database) -> None:
    with database.tenant("f" * 32) as session:
        assert session.scalars(select(User)).all() == []
    with pytest.raises(Exception, match="FOREIGN KEY"), database.tenant("f" * 32) as session:
        session.add(Quota(key="k", value=1))


def test_an_unknown_revision(admin_url: str) -> None:
    with pytest.raises(Exception, match="nowhere"):
        migrate(admin_url, "nowhere")


def test_migrations_come_with_the_wheel(tmp_path: Path) -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    site = tmp_path / "site"
    for package in packages:
        shutil.copytree(ROOT / package, site / package, ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        "import sys, hub_config.database as d, migrations; "
        "assert migrations.__file__.startswith(sys.argv[2]) and d.__file__.startswith(sys.argv[2]); "
        "d.migrate(sys.argv[1]); assert d.Database(sys.argv[1]).is_current()"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, sqlite_url(tmp_path), str(site)],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(site)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
