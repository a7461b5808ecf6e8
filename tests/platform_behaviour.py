"""What the platform's database does on both engines: the same tests, run by tests/unit (SQLite) and tests/integration (PostgreSQL).

A module that runs them gives two fixtures: ``admin_url``, of a new empty database, and ``database``, migrated.
"""

from __future__ import annotations

import multiprocessing
import re
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, delete, event, exc, func, inspect, select, text, update

from hub_config.database import (
    AuditEvent,
    Dashboard,
    Database,
    DataSource,
    Erasure,
    Job,
    Quota,
    ScopedSession,
    Tenant,
    Unscoped,
    User,
    Workspace,
    add_usage,
    delete_tenant,
    email_key,
    erase_audit,
    export_tenant,
    migrate,
    usage,
    utc_now,
)
from hub_config.database.base import Base
from hub_config.database.engine import new_engine
from hub_config.database.erasure import count_rows
from hub_config.database.migration import _config, head
from tests.platform_world import MODELS, SHARED_EMAIL, TABLES, application_url, new_database, populate

ROOT = Path(__file__).parents[1]


# ── scopes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_block_is_one_transaction(database: Database) -> None:
    tenant_id = populate(database, "nous")

    def fail() -> None:
        with database.tenant(tenant_id) as session:
            session.add(Workspace(name="jamais"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.tenant(tenant_id, read_only=True) as session:
        assert session.scalars(select(Workspace.name)).all() == ["Ventes"]


def test_sign_in_sees_the_people_of_one_address_and_nothing_else(database: Database) -> None:
    ours, theirs = populate(database, "nous"), populate(database, "eux")
    with database.tenant(ours) as session:
        session.add(User(email="b@c.fr", email_key="b@c.fr", role="viewer"))
    with database.sign_in(email_key(" camille.durand@EXEMPLE.fr ")) as session:
        people = session.scalars(select(User)).all()
        assert {user.tenant_id for user in people} == {ours, theirs}
        assert {user.email for user in people} == {SHARED_EMAIL}
    with database.sign_in("nobody@exemple.fr") as session:
        assert session.scalars(select(User)).all() == []
    with pytest.raises(Unscoped), database.sign_in(email_key(SHARED_EMAIL)) as session:
        session.scalars(select(Tenant)).all()
    with pytest.raises(Unscoped), database.sign_in(email_key(SHARED_EMAIL)) as session:
        session.execute(text("SELECT * FROM users")).all()
    with pytest.raises(Unscoped), database.sign_in(email_key(SHARED_EMAIL)) as session:
        session.execute(update(User).values(failed_logins=0))
    with pytest.raises(Unscoped), database.sign_in(email_key(SHARED_EMAIL)) as session:
        session.scalars(select(User)).first().failed_logins = 3  # type: ignore[union-attr]
    with pytest.raises(Unscoped), database.sign_in(""):
        pass
    with pytest.raises(Unscoped), database.tenant(""):
        pass


def test_the_operator_lists_tenants_and_nothing_else(database: Database) -> None:
    ids = [populate(database, "nous"), populate(database, "eux")]
    assert database.tenant_ids() == ids
    for model in MODELS:
        if model is not Tenant:
            with pytest.raises(Unscoped), database.operator() as session:
                session.scalars(select(model)).all()
    with pytest.raises(Unscoped), database.operator() as session:
        session.execute(update(Tenant).values(name="x"))
    with pytest.raises(Unscoped), database.operator() as session:
        _ = session.tenant_id


def test_read_only_writes_nothing(database: Database) -> None:
    tenant_id = populate(database, "nous")
    for write in (
        lambda s: s.execute(update(Quota).values(value=0)),
        lambda s: (s.add(Quota(key="k", value=1)), s.flush()),
        lambda s: s.delete(s.scalars(select(Quota)).one()),
        lambda s: setattr(s.scalars(select(Quota)).one(), "value", 0),
    ):
        with pytest.raises(Unscoped), database.tenant(tenant_id, read_only=True) as session:
            write(session)


def test_a_reference_into_another_tenant_does_not_exist(database: Database) -> None:
    ours, theirs = populate(database, "nous"), populate(database, "eux")
    with database.tenant(theirs, read_only=True) as session:
        source, workspace = session.scalars(select(DataSource.id)).one(), session.scalars(select(Workspace.id)).one()
    with database.tenant(ours) as session:
        assert session.get(DataSource, source) is None
        with pytest.raises(exc.IntegrityError), session.begin_nested():
            session.add(Dashboard(name="x", workspace_id=workspace))
        with pytest.raises(exc.IntegrityError), session.begin_nested():
            session.add(Job(kind="refresh", data_source_id=source))
        session.add(Job(kind="refresh"))
    with database.tenant(ours, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 2


def test_the_same_address_twice_in_one_tenant(database: Database) -> None:
    tenant_id = populate(database, "nous")
    with pytest.raises(exc.IntegrityError), database.tenant(tenant_id) as session:
        session.add(User(email="CAMILLE.durand@exemple.fr", email_key=email_key("CAMILLE.durand@exemple.fr"), role="viewer"))


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_moments_keep_their_instant(database: Database) -> None:
    tenant_id = populate(database, "nous")
    paris = datetime(2026, 6, 17, 0, 30, 15, 123456, tzinfo=timezone(timedelta(hours=2)))
    with database.tenant(tenant_id) as session:
        session.scalars(select(User)).one().last_login_at = paris
    with database.tenant(tenant_id, read_only=True) as session:
        found = session.scalars(select(User.last_login_at)).one()
        assert found == paris
        assert found.tzinfo == UTC
        assert session.scalar(select(func.count()).select_from(User).where(User.last_login_at < paris)) == 0
        assert session.scalar(select(func.count()).select_from(User).where(User.last_login_at <= paris)) == 1
    with pytest.raises(exc.StatementError, match="without a time zone"), database.tenant(tenant_id) as session:
        session.execute(update(User).values(last_login_at=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_a_document_that_is_not_there_is_null(database: Database) -> None:
    tenant_id = populate(database, "nous")
    with database.tenant(tenant_id) as session:
        source = session.scalars(select(DataSource)).one()
        source.schema_cache, source.options = {"tables": ["Café"]}, {"a": None}
    with database.tenant(tenant_id) as session:
        source = session.scalars(select(DataSource)).one()
        assert (source.schema_cache, source.options) == ({"tables": ["Café"]}, {"a": None})
        source.schema_cache = None
    with database.tenant(tenant_id, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(DataSource).where(DataSource.schema_cache.is_(None))) == 1


@pytest.mark.parametrize(
    "row",
    [
        lambda: User(email="a", email_key="a", role="owner"),
        lambda: User(email="a", email_key="", role="viewer"),
        lambda: DataSource(name="x", type="oracle"),
        lambda: Tenant(id="other", tenant_id="another", name="x", slug="x"),
    ],
)
def test_a_word_outside_the_closed_set(row: Any, database: Database) -> None:
    tenant_id = populate(database, "nous")
    with pytest.raises((exc.IntegrityError, Unscoped)), database.tenant(tenant_id) as session:
        session.add(row())


# ── many at once ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_counters_lose_nothing(database: Database) -> None:
    tenant_id = populate(database, "nous")
    today = date(2026, 6, 18)

    def add(_: int) -> None:
        with database.tenant(tenant_id) as session:
            add_usage(session, "queries", 2, day=today, user_id="u")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(100)))
    with database.tenant(tenant_id) as session:
        assert add_usage(session, "queries", 0, day=today, user_id="u") == 200
        assert usage(session, "queries", since=today, user_id="u") == 200
        assert usage(session, "queries", since=date(2026, 6, 1), until=date(2026, 6, 17)) == 7
        assert usage(session, "nothing", since=date(2026, 6, 1)) == 0


def test_readers_who_then_write_do_not_collide(database: Database) -> None:
    tenants = [populate(database, "nous"), populate(database, "eux")]

    def work(number: int) -> None:
        with database.tenant(tenants[number % 2]) as session:
            seen = session.scalars(select(func.count()).select_from(AuditEvent)).one()
            session.add(AuditEvent(action="counted", details={"seen": seen}))
            session.flush()
        with database.tenant(tenants[number % 2], read_only=True) as session:
            session.scalars(select(AuditEvent.id)).all()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(120)))
    for tenant_id in tenants:
        with database.tenant(tenant_id, read_only=True) as session:
            assert session.scalar(select(func.count()).select_from(AuditEvent).where(AuditEvent.action == "counted")) == 60


# ── erasure and export ───────────────────────────────────────────────────────────────────────────────────────────


def test_every_table_is_filled_by_these_tests(database: Database) -> None:
    tenant_id = populate(database, "nous")
    with database.tenant(tenant_id) as session:
        counts = count_rows(session)
    assert [table for table in TABLES if counts[table] == 0] == []


def test_a_deleted_tenant_is_gone_and_the_other_is_whole(database: Database) -> None:
    ours, theirs = populate(database, "nous"), populate(database, "eux")
    with database.tenant(theirs, read_only=True) as session:
        before = dict(_rows(session))
    with database.tenant(ours, read_only=True) as session:
        expected = count_rows(session)
    counts = delete_tenant(database, ours)
    assert counts.keys() == set(TABLES)
    assert all(counts[table] >= expected[table] > 0 for table in TABLES)
    with database.tenant(ours) as session:
        assert set(count_rows(session).values()) == {0}
    with database.tenant(theirs, read_only=True) as session:
        assert dict(_rows(session)) == before
    assert database.tenant_ids() == [theirs]
    assert set(delete_tenant(database, ours).values()) == {0}


def _rows(session: ScopedSession) -> list[tuple[str, list[tuple[Any, ...]]]]:
    return [
        (
            model.__tablename__,
            session.execute(select(*model.__table__.columns).where(model.__table__.c.tenant_id == session.tenant_id)).all(),
        )
        for model in MODELS
    ]


def test_the_audit_is_append_only(database: Database) -> None:
    tenant_id = populate(database, "nous")
    for change in (
        lambda s: s.execute(update(AuditEvent).values(action="x")),
        lambda s: s.execute(delete(AuditEvent)),
        lambda s: s.execute(delete(AuditEvent).where(AuditEvent.at < datetime(2030, 1, 1, tzinfo=UTC))),
        lambda s: s.delete(s.scalars(select(AuditEvent)).first()),
        lambda s: setattr(s.scalars(select(AuditEvent)).first(), "action", "x"),
    ):
        with pytest.raises(exc.DatabaseError), database.tenant(tenant_id) as session:
            change(session)
    with database.tenant(tenant_id, read_only=True) as session:
        assert session.scalars(select(AuditEvent.action).order_by(AuditEvent.action)).all() == ["after", "query.asked"]


def test_the_audit_is_erased_by_age_and_the_erasure_stays(database: Database) -> None:
    ours, theirs = populate(database, "nous"), populate(database, "eux")
    now = utc_now()
    for tenant_id in (ours, theirs):
        with database.tenant(tenant_id) as session:
            session.add_all([AuditEvent(action=f"{days} days", at=now - timedelta(days=days)) for days in (400, 366, 364)])
    with database.tenant(ours) as session:
        assert erase_audit(session, now - timedelta(days=365), requested_by="camille") == 2
    with database.tenant(ours, read_only=True) as session:
        assert set(session.scalars(select(AuditEvent.action))) == {"364 days", "after", "query.asked"}
        last = session.scalars(select(Erasure).order_by(Erasure.started_at.desc())).first()
        assert last is not None
        assert (last.erased_rows, last.reason, last.requested_by) == (2, "retention", "camille")
        assert last.finished_at is not None
        assert last.before == now - timedelta(days=365)
    with database.tenant(theirs, read_only=True) as session:
        assert "400 days" in set(session.scalars(select(AuditEvent.action)))
    with database.tenant(ours) as session, pytest.raises(ValueError, match="last day"):
        erase_audit(session, now - timedelta(hours=2))
    with pytest.raises(exc.DatabaseError), database.tenant(ours) as session:
        session.execute(delete(AuditEvent).where(AuditEvent.action == "364 days"))


def test_the_export_holds_everything_but_secrets(database: Database) -> None:
    ours = populate(database, "nous")
    populate(database, "eux")
    with database.tenant(ours) as session:
        session.add_all([AuditEvent(action=f"n{number}") for number in range(1200)])
    with database.tenant(ours, read_only=True) as session:
        expected = count_rows(session)
        parts = [(table, rows) for table, rows in export_tenant(session)]
    assert max(len(rows) for _, rows in parts) <= 500
    counted: dict[str, int] = {}
    for table, rows in parts:
        counted[table] = counted.get(table, 0) + len(rows)
        secrets = {column.name for column in Base.metadata.tables[table].columns if column.info.get("secret")}
        assert all(row["tenant_id"] == ours and not secrets & row.keys() for row in rows)
        assert all(row.keys() | secrets == set(Base.metadata.tables[table].columns.keys()) for row in rows)
    assert counted == expected
    for hidden in ("gAAA", "gBBB", "argon", "eux"):
        assert hidden not in repr(parts)


# ── migrations ───────────────────────────────────────────────────────────────────────────────────────────────────


def _tables(url: str) -> set[str]:
    engine = new_engine(url, pool_size=1)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def _words(condition: str) -> frozenset[str]:
    """The words of a closed set, which is what a condition's two spellings have in common."""
    return frozenset(re.findall(r"'([^']*)'", condition))


def test_models_and_migrations_agree(database: Database, admin_url: str) -> None:
    engine = new_engine(admin_url, pool_size=1)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
        # Alembic does not compare these.
        inspector = inspect(connection)
        for table in Base.metadata.sorted_tables:
            checks = {(c.name, _words(str(c.sqltext))) for c in table.constraints if isinstance(c, CheckConstraint)}
            found_checks = {(f["name"], _words(f["sqltext"])) for f in inspector.get_check_constraints(table.name)}
            assert found_checks == checks
            assert inspector.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]
            keys = {
                (tuple(found["constrained_columns"]), found["referred_table"], found["options"].get("ondelete"))
                for found in inspector.get_foreign_keys(table.name)
            }
            assert keys == {
                (tuple(c.name for c in key.columns), key.referred_table.name, key.ondelete)
                for key in table.foreign_key_constraints
            }
        connection.rollback()
    engine.dispose()


def test_down_and_up_again_on_a_populated_database(database: Database, admin_url: str) -> None:
    populate(database, "nous")
    assert database.is_current()
    database.dispose()
    revisions = [found.revision for found in ScriptDirectory.from_config(_config()).walk_revisions()]
    for revision in (*revisions[1:], "base"):
        migrate(admin_url, revision)
        assert not database.is_current()
    assert _tables(admin_url) == {"alembic_version"}
    migrate(admin_url, application_url=application_url(admin_url) if admin_url.startswith("postgresql") else None)
    assert database.is_current()
    tenant_id = populate(database, "encore")
    assert database.tenant_ids() == [tenant_id]
    migrate(admin_url)
    assert database.tenant_ids() == [tenant_id]


def test_a_migration_killed_in_the_middle_never_happened(admin_url: str) -> None:
    program = textwrap.dedent(
        """
        import os, signal, sys
        from sqlalchemy import event
        from sqlalchemy.engine import Engine
        from hub_config.database import migrate

        @event.listens_for(Engine, "after_cursor_execute")
        def stop(connection, cursor, statement, *rest):
            if "CREATE TABLE dashboards" in statement:
                os.kill(os.getpid(), signal.SIGKILL)

        migrate(sys.argv[1])
        """
    )
    run = subprocess.run([sys.executable, "-c", program, admin_url], cwd=ROOT, capture_output=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert _tables(admin_url) == set()
    with new_database_closing(admin_url) as database:
        assert populate(database, "nous") in database.tenant_ids()


def test_a_downgrade_killed_in_the_middle_never_happened(database: Database, admin_url: str) -> None:
    tenant_id = populate(database, "nous")
    database.dispose()
    program = textwrap.dedent(
        """
        import os, signal, sys
        from sqlalchemy import event
        from sqlalchemy.engine import Engine
        from hub_config.database import migrate

        @event.listens_for(Engine, "after_cursor_execute")
        def stop(connection, cursor, statement, *rest):
            if "DROP TABLE users" in statement:
                os.kill(os.getpid(), signal.SIGKILL)

        migrate(sys.argv[1], "base")
        """
    )
    run = subprocess.run([sys.executable, "-c", program, admin_url], cwd=ROOT, capture_output=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert database.is_current()
    with database.tenant(tenant_id) as session:
        assert all(count_rows(session).values())


def _migrate_and_say(url: str) -> str:
    migrate(url, application_url=application_url(url) if url.startswith("postgresql") else None)
    return head()


def test_services_that_start_together_migrate_once(admin_url: str) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_migrate_and_say, [admin_url] * 3) == [head()] * 3
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(_migrate_and_say, [admin_url] * 3)) == [head()] * 3
    with new_database_closing(admin_url) as database:
        assert populate(database, "nous")


class new_database_closing:  # noqa: N801
    def __init__(self, url: str) -> None:
        self.database = new_database(url)

    def __enter__(self) -> Database:
        return self.database

    def __exit__(self, *error: object) -> None:
        self.database.dispose()


def test_a_process_killed_in_the_middle_of_a_write_leaves_nothing_half_written(database: Database, admin_url: str) -> None:
    tenant_id = populate(database, "nous")
    url = application_url(admin_url) if admin_url.startswith("postgresql") else admin_url
    program = textwrap.dedent(
        """
        import os, signal, sys
        from hub_config.database import Database, Workspace

        with Database(sys.argv[1]).tenant(sys.argv[2]) as session:
            session.add(Workspace(name="half"))
            session.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    run = subprocess.run([sys.executable, "-c", program, url, tenant_id], cwd=ROOT, capture_output=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    with database.tenant(tenant_id) as session:
        assert session.scalars(select(Workspace.name)).all() == ["Ventes"]
        session.add(Workspace(name="whole"))


def test_a_sign_of_life(database: Database) -> None:
    statements: list[str] = []
    event.listen(database._engine, "before_cursor_execute", lambda c, cur, statement, *rest: statements.append(statement))
    database.ping()
    assert statements[-1] == "SELECT 1"
