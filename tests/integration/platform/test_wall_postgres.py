"""No road leads from one tenant to another on PostgreSQL: with the code's wall, and with row-level security alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import create_engine, exc, select, text

from hub_config.database import Database, ScopedSession, Tenant, Unscoped, User, email_key, problems
from hub_config.database.engine import normal_url
from hub_config.errors import PlatformUnavailable
from tests.platform_world import (
    MODELS,
    ORDINARY,
    PASSES,
    REFUSED,
    SHARED_EMAIL,
    TABLES,
    RowSecurityOnly,
    application_url,
    new_database,
    owned_database,
    populate,
)
from tests.servers import Server

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.filterwarnings("ignore:SELECT statement has a cartesian product"),
]
# Roads that only the code closes: the application's role says itself for whom it works, and PostgreSQL believes it.
SAYS_WHO_IT_IS = {"text_set_scope", "text_set_scope_qualified", "text_set"}


class _Undone(Exception):
    pass


def _undone(database: Database, tenant_id: str, work: Callable[[ScopedSession], Any]) -> Any:
    """Return what the work returns, and roll back what it did."""
    reached: Any = None
    with contextlib.suppress(_Undone), database.tenant(tenant_id) as session:
        reached = work(session)
        raise _Undone
    return reached


@pytest.fixture(scope="module")
def admin_url(postgres: Server) -> str:
    return owned_database(postgres)


@pytest.fixture(scope="module")
def world(admin_url: str) -> Iterator[tuple[Database, str, str]]:
    database = new_database(admin_url)
    yield database, populate(database, "nous"), populate(database, "eux")
    database.dispose()


@pytest.fixture(scope="module")
def unfiltered(world: object, admin_url: str) -> Iterator[RowSecurityOnly]:
    database = RowSecurityOnly(application_url(admin_url), admin_url=admin_url)
    yield database
    database.dispose()


def _everything_of(database: Database, tenant_id: str) -> dict[str, list[object]]:
    with database.tenant(tenant_id, read_only=True) as session:
        return {
            model.__tablename__: [
                tuple(row)
                for row in session.execute(select(*model.__table__.columns).where(model.__table__.c.tenant_id == tenant_id))
            ]
            for model in MODELS
        }


@pytest.mark.parametrize("road", REFUSED)
def test_refused(road: str, world: tuple[Database, str, str]) -> None:
    database, ours, theirs = world
    before = _everything_of(database, theirs)
    with pytest.raises(Unscoped), database.tenant(ours) as session:
        REFUSED[road](session, theirs)
    assert _everything_of(database, theirs) == before


@pytest.mark.parametrize("road", PASSES)
def test_reaches_the_own_rows_alone(road: str, world: tuple[Database, str, str]) -> None:
    database, ours, theirs = world
    before = _everything_of(database, theirs)
    reached = list(_undone(database, ours, lambda session: PASSES[road](session, theirs)))
    assert set(reached) <= {ours}
    assert reached or "another" in road or road == "other_asked_for"
    assert _everything_of(database, theirs) == before


@pytest.mark.parametrize("shape", ORDINARY)
def test_what_a_manager_writes_every_day_passes(shape: str, world: tuple[Database, str, str]) -> None:
    database, ours, theirs = world
    before = _everything_of(database, theirs)
    found = _undone(database, ours, ORDINARY[shape])
    assert list(found)
    assert theirs not in repr(found)
    assert _everything_of(database, theirs) == before


@pytest.mark.parametrize("road", [*sorted(set(REFUSED) - SAYS_WHO_IT_IS), *PASSES])
def test_row_security_alone_holds(road: str, world: tuple[Database, str, str], unfiltered: RowSecurityOnly) -> None:
    _, ours, theirs = world
    before = _everything_of(unfiltered, theirs)
    reached: object = None
    with contextlib.suppress(exc.SQLAlchemyError, PlatformUnavailable, Unscoped):
        reached = _undone(unfiltered, ours, lambda session: (REFUSED | PASSES)[road](session, theirs))
    assert theirs not in repr(reached)
    assert "eux" not in repr(reached)
    assert _everything_of(unfiltered, theirs) == before


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__tablename__)
def test_row_security_alone_on_every_table(
    model: type, world: tuple[Database, str, str], unfiltered: RowSecurityOnly
) -> None:
    _, ours, theirs = world
    with unfiltered.tenant(ours) as session:
        assert set(session.scalars(select(model.tenant_id))) == {ours}
    for scope in (unfiltered.sign_in(email_key(SHARED_EMAIL)), unfiltered.sign_in("nobody"), unfiltered.operator()):
        with scope as session:
            seen = set(session.scalars(select(model.tenant_id)))
            if model is Tenant and session.scope.kind == "operator":
                assert {ours, theirs} <= seen
            elif model is User and session.scope.value == email_key(SHARED_EMAIL):
                assert seen == {ours, theirs}
            else:
                assert seen == set()


def test_every_table_has_forced_row_security(world: object, admin_url: str) -> None:
    engine = create_engine(normal_url(admin_url))
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,"
                " (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd = '*'"
                "  AND p.polwithcheck IS NOT NULL) AS policies"
                " FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
            )
        ).all()
    engine.dispose()
    assert {row[0] for row in rows} == {*TABLES, "alembic_version"}
    assert {tuple(row[1:]) for row in rows if row[0] != "alembic_version"} == {(True, True, 1)}


def test_the_owner_too_sees_nothing_without_saying_for_whom(world: object, admin_url: str) -> None:
    engine = create_engine(normal_url(admin_url))
    with engine.connect() as connection:
        assert [connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() for table in TABLES] == [0] * len(TABLES)
    engine.dispose()


def test_the_owners_functions_look_in_no_temporary_schema_first(world: object, admin_url: str) -> None:
    engine = create_engine(normal_url(admin_url))
    with engine.connect() as connection:
        paths = connection.execute(
            text("SELECT proconfig, prosecdef FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
        ).all()
    engine.dispose()
    assert [tuple(row) for row in paths] == [(["search_path=public, pg_temp"], True)] * 2


def test_the_role_owns_nothing_and_bypasses_nothing(world: object, admin_url: str, postgres: Server) -> None:
    assert problems(application_url(admin_url)) == []
    assert {"owns_tables", "changes_audit"} == set(problems(admin_url))
    superuser = postgres.url + urlsplit(admin_url).path
    assert {"superuser", "bypasses_row_security", "owns_tables", "changes_audit"} == set(problems(superuser))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET action = 'x'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "INSERT INTO erasures (tenant_id, id, before, reason, started_at) VALUES ('{ours}', 'x', now(), 'tenant', now())",
        "UPDATE erasures SET erased_rows = 0",
        "DELETE FROM tenants",
        "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE users NO FORCE ROW LEVEL SECURITY",
        "CREATE TABLE own (id int)",
        "CREATE TEMPORARY TABLE audit_events (id int)",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE POLICY all_of_it ON users USING (true)",
        "DROP TABLE feedback",
        "UPDATE alembic_version SET version_num = 'x'",
        "SET ROLE postgres",
        "SET row_security = off; SELECT * FROM users",
    ],
)
def test_the_role_may_not(statement: str, world: tuple[Database, str, str], unfiltered: RowSecurityOnly) -> None:
    _, ours, _ = world
    with pytest.raises(exc.SQLAlchemyError) as caught, unfiltered.tenant(ours) as session:
        session.execute(text(statement.format(ours=ours)))
    assert caught.value.orig.sqlstate == "42501"  # type: ignore[attr-defined]
