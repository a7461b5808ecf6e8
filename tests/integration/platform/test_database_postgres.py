"""The platform's database on PostgreSQL: what both engines do, and a server that goes away and comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import exc, select, text

from hub_config.database import Database, Unscoped, User, Workspace, migrate, problems
from hub_config.database.session import owner_function
from hub_config.database.wall import set_up
from hub_config.errors import PlatformUnavailable
from tests.platform_behaviour import *  # noqa: F403
from tests.platform_world import application_url, new_database, owned_database, populate
from tests.road import Road
from tests.servers import Server

pytestmark = pytest.mark.postgres


@pytest.fixture
def admin_url(postgres: Server) -> str:
    return owned_database(postgres)


@pytest.fixture
def database(admin_url: str) -> Iterator[Database]:
    database = new_database(admin_url)
    yield database
    database.dispose()


@pytest.fixture
def road(admin_url: str) -> Iterator[Road]:
    road = Road(urlsplit(admin_url).port or 0)
    yield road
    road.cut()


def test_gone_for_a_while_and_back(database: Database, admin_url: str, road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant_id = populate(database, "nous")
    monkeypatch.setattr("hub_config.database.engine.CONNECT_TIMEOUT_S", 3)
    far = Database(application_url(admin_url).replace(f":{road.target}/", f":{road.port}/"), pool_size=3)

    def ask() -> str:
        with far.tenant(tenant_id) as session:
            return session.scalars(select(User)).one().email

    assert ask()
    road.cut()
    begun = time.monotonic()
    for _ in range(20):
        with pytest.raises(PlatformUnavailable):
            ask()
        time.sleep(0.05)
    assert time.monotonic() - begun < 20  # the time limits of twenty connections would be sixty
    road.silent = True
    road.open()
    time.sleep(0.6)
    monkeypatch.setattr("hub_config.database.engine.REST_S", 60)
    begun = time.monotonic()
    with pytest.raises(PlatformUnavailable) as silent:
        ask()
    assert time.monotonic() - begun < 20
    with pytest.raises(PlatformUnavailable) as resting:
        ask()
    assert ["not asked again" in caught.value.log for caught in (silent, resting)] == [False, True]
    road.cut()
    road.silent = False
    road.open()
    monkeypatch.setattr(far, "_rest_until", 0.0)
    assert ask()
    far.dispose()


def test_cut_in_the_middle_of_a_block(database: Database, admin_url: str, road: Road) -> None:
    tenant_id = populate(database, "nous")
    far = Database(application_url(admin_url).replace(f":{road.target}/", f":{road.port}/"))

    def write(*, then_read: bool) -> None:
        with far.tenant(tenant_id) as session:
            session.add(Workspace(name="half"))
            session.flush()
            road.cut()
            if then_read:
                session.scalars(select(User)).all()

    with pytest.raises(PlatformUnavailable):
        write(then_read=True)
    with pytest.raises(PlatformUnavailable), far.tenant(tenant_id) as session:
        pass
    road.open()
    time.sleep(0.6)
    with far.tenant(tenant_id) as session:
        assert session.scalars(select(Workspace.name)).all() == ["Ventes"]
    # At the commit itself.
    with pytest.raises(PlatformUnavailable):
        write(then_read=False)
    road.open()
    time.sleep(0.6)
    with far.tenant(tenant_id) as session:
        assert session.scalars(select(Workspace.name)).all() == ["Ventes"]
    far.dispose()


def test_the_server_ends_the_connections(database: Database, postgres: Server, admin_url: str) -> None:
    tenant_id = populate(database, "nous")
    role = urlsplit(application_url(admin_url)).username

    def ask_twice() -> None:
        with database.tenant(tenant_id) as session:
            session.scalars(select(User)).all()
            with psycopg.connect(f"{postgres.url}/postgres", autocommit=True) as admin:
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role])
            session.scalars(select(User)).all()

    with pytest.raises(PlatformUnavailable):
        ask_twice()
    with database.tenant(tenant_id) as session:
        assert session.scalars(select(User)).one()


def test_idle_connections_that_the_server_ended_are_nobodys_error(
    database: Database, postgres: Server, admin_url: str
) -> None:
    tenant_id = populate(database, "nous")
    with database.tenant(tenant_id), database.tenant(tenant_id), database.tenant(tenant_id, read_only=True):
        pass
    with psycopg.connect(f"{postgres.url}/postgres", autocommit=True) as admin:
        role = urlsplit(application_url(admin_url)).username
        ended = admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role]).fetchall()
    assert len(ended) == 3
    with database.tenant(tenant_id) as session:
        assert session.scalars(select(User)).one()


def test_more_callers_than_connections(admin_url: str, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_config.database.engine.WAIT_TIMEOUT_S", 0.3)
    small = Database(application_url(admin_url), pool_size=1)
    tenant_id = populate(database, "nous")
    with small.tenant(tenant_id), small.tenant(tenant_id), pytest.raises(PlatformUnavailable), small.tenant(tenant_id):
        pass
    with small.tenant(tenant_id) as session:
        assert session.scalars(select(User)).one()
    small.dispose()


def test_no_setting_outlives_its_block(admin_url: str, database: Database) -> None:
    ours = populate(database, "nous")
    one = Database(application_url(admin_url), pool_size=1)
    with one.tenant(ours) as session:
        session.scalars(select(User)).all()
    with pytest.raises(ZeroDivisionError), one.tenant(ours) as session:
        _ = 1 / 0
    with one._engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        with raw.cursor() as cursor:
            for setting in ("datapilot.tenant_id", "datapilot.sign_in", "datapilot.operator"):
                cursor.execute("SELECT current_setting(%s, true)", [setting])
                assert cursor.fetchone()[0] in (None, "")
            cursor.execute("SELECT count(*) FROM users")
            assert cursor.fetchone()[0] == 0
        connection.rollback()
    one.dispose()


def test_an_operator_needs_the_owner(admin_url: str, database: Database) -> None:
    alone = Database(application_url(admin_url))
    with pytest.raises(Unscoped), alone.operator():
        pass
    pretender = Database(application_url(admin_url), admin_url=application_url(admin_url))
    populate(database, "nous")
    assert pretender.tenant_ids() == []
    for one in (alone, pretender):
        one.dispose()


def test_the_role_is_made_once_and_keeps_its_password(admin_url: str, database: Database) -> None:
    url = application_url(admin_url)
    other = url.replace("it%27s%25s%40cret", "another")
    migrate(admin_url, application_url=other)
    database.dispose()
    database.ping()
    assert problems(url) == []
    with pytest.raises(ValueError, match="owner"):
        migrate(admin_url, application_url=admin_url)


def test_rights_that_were_given_by_hand_are_taken_back(admin_url: str, database: Database) -> None:
    role = urlsplit(application_url(admin_url)).username
    with psycopg.connect(admin_url, autocommit=True) as owner:
        owner.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    assert problems(application_url(admin_url)) == ["changes_audit"]
    migrate(admin_url, application_url=application_url(admin_url))
    assert problems(application_url(admin_url)) == []


def test_a_statement_that_takes_too_long(database: Database, monkeypatch: pytest.MonkeyPatch, admin_url: str) -> None:
    monkeypatch.setattr("hub_config.database.engine.STATEMENT_TIMEOUT_MS", 200)
    hasty = Database(application_url(admin_url))
    tenant_id = populate(database, "nous")
    with pytest.raises(PlatformUnavailable), hasty.tenant(tenant_id) as session, set_up(session.get_bind()):
        session.execute(text("SELECT pg_sleep(5)"))
    hasty.dispose()


def test_a_deletion_needs_its_announcement(database: Database) -> None:
    tenant_id = populate(database, "nous")
    with database.tenant(tenant_id) as session, owner_function(session):
        assert session.execute(text("SELECT datapilot_erase_tenant()")).scalar_one() == 0
    with pytest.raises(exc.DatabaseError), database.tenant(tenant_id) as session, owner_function(session):
        session.execute(text("SELECT datapilot_erase_audit(now(), 'x')"))
    with pytest.raises(Unscoped), database.tenant(tenant_id) as session:
        session.execute(text("SELECT datapilot_erase_tenant()"))
