"""The operator's commands: quotas, export, a confirmed deletion, retention, migrations."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from datapilot_kernel.cli import main
from hub_config.database import AuditEvent, Conversation, Database, Query, Tenant, utc_now
from hub_config.database.erasure import count_rows
from hub_config.operations.retention import Retention
from tests.platform_support import World


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATAPILOT_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def slug(data: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["tenant", "create", "Essai", "--email", "a@essai.example", "--json"]) == 0
    made: str = json.loads(capsys.readouterr().out)["slug"]
    return made


def _database(data: Path) -> Database:
    return Database(f"sqlite:///{data / 'platform.sqlite3'}")


def test_a_tenant_is_exported_and_deleted_once_confirmed(
    data: Path, slug: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "export.zip"
    assert main(["tenant", "export", slug, "--to", str(target)]) == 0
    assert target.stat().st_mode & 0o077 == 0
    assert any("users" in name for name in zipfile.ZipFile(target).namelist())
    assert main(["tenant", "export", slug, "--to", str(target)]) == 2, "what is there is not overwritten"
    assert main(["tenant", "delete", slug]) == 1
    assert main(["tenant", "delete", slug, "--confirm", "autre"]) == 1
    capsys.readouterr()
    assert main(["tenant", "delete", slug, "--confirm", slug]) == 0
    certificate = json.loads(capsys.readouterr().out)
    assert (certificate["rows_left"], certificate["rows"]["users"]) == (0, 1)
    database = _database(data)
    assert database.tenant_ids() == []
    database.dispose()
    assert main(["tenant", "delete", slug, "--confirm", slug]) == 2


def test_a_quota_is_set_for_one_tenant(data: Path, slug: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tenant", "quota", slug, "queries_per_day", "7"]) == 0
    assert main(["tenant", "quota", slug, "nothing", "7"]) == 2
    assert "queries_per_day" in capsys.readouterr().err


def test_going_back_to_nothing_has_to_be_meant(data: Path, slug: str) -> None:
    assert main(["platform", "migrate", "--to", "base"]) == 1
    database = _database(data)
    assert len(database.tenant_ids()) == 1
    database.dispose()
    assert main(["platform", "migrate", "--to", "base", "--erase-everything"]) == 0
    assert main(["platform", "migrate"]) == 0
    database = _database(data)
    assert database.tenant_ids() == []
    database.dispose()


def _older(world: World, table: Any, column: Any, days: int) -> None:
    with world.database.tenant(world.tenant_id()) as session:
        statement = update(table).values({column: utc_now() - timedelta(days=days)})
        session.execute(statement.execution_options(synchronize_session=False))


def test_what_is_kept_too_long_goes_and_nothing_else(world: World) -> None:
    principal = world.principal("analyst")
    with world.database.tenant(world.tenant_id()) as session:
        world.platform.audit.record(session, principal, action="old.event")
        session.add(Query(user_id=principal.user_id, data_source_id="0" * 32, kind="ask", tables=[]))
        old = AuditEvent(action="older.event", at=utc_now() - timedelta(days=400))
        session.add(old)
    retention = Retention(world.settings, world.database)
    assert retention.sweep(world.tenant_id()).audit_rows == 1
    assert retention.sweep(world.tenant_id()).history_rows == 0
    _older(world, Query, Query.created_at, 200)
    swept = retention.sweep_all()
    assert swept[world.tenant_id()].history_rows == 1
    assert swept[world.tenant_id("t2")].history_rows == 0
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        left = count_rows(session)
    assert (left["queries"], left["users"], left["conversations"]) == (0, 3, 0)
    assert left["audit_events"] >= 1
    assert left["erasures"] >= 1
    assert Conversation.__tablename__ in left
    assert Tenant.__tablename__ in left
