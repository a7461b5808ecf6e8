"""People on PostgreSQL, as the application's role behind row-level security: the tests of SQLite that take a world, again."""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest
from sqlalchemy import create_engine, text

from datapilot_kernel.errors import DataPilotError
from hub_config.database import User
from hub_config.errors import PlatformUnavailable
from hub_config.people import People, UserChanges
from tests.platform_support import PASSWORD, World
from tests.unit.platform import (
    test_people_accounts,
    test_people_links,
    test_people_sessions,
    test_people_signing_in,
)

pytestmark = pytest.mark.postgres


# What these refuse is refused before any database is asked.
_NO_DATABASE = {"test_a_cursor_that_was_not_given_out_is_refused", "test_only_administrators_keep_people"}


def _of_a_world(module: ModuleType) -> dict[str, object]:
    found = {name: test for name, test in vars(module).items() if name.startswith("test_") and name not in _NO_DATABASE}
    return {name: test for name, test in found.items() if "world" in inspect.signature(test).parameters}


for _module in (test_people_accounts, test_people_links, test_people_sessions, test_people_signing_in):
    _tests = _of_a_world(_module)
    assert _tests
    assert not _tests.keys() & globals().keys()
    globals().update(_tests)


def test_this_really_is_postgresql_and_its_role_owns_nothing(world: World) -> None:
    assert world.database.dialect == "postgresql"
    url = world.settings.resolved_database_url().replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url)
    with engine.connect() as connection:
        owned = connection.execute(text("SELECT count(*) FROM pg_tables WHERE tableowner = current_user")).scalar()
        seen = connection.execute(text("SELECT count(*) FROM users")).scalar()
    engine.dispose()
    assert (owned, seen) == (0, 0)


def test_many_acts_on_one_person_at_once_never_wait_in_a_circle(world: World) -> None:
    """A deadlock would be a 503: nothing but refusals may come out of this."""
    people, admin, analyst = world.people, world.principal("administrator"), world.principal("analyst")
    tenant_id, user_id = world.tenant_id(), world.user_id("analyst")
    wrong: list[str] = []

    def session() -> str:
        with world.database.tenant(tenant_id) as open_session:
            user = open_session.get(User, user_id)
            return str(people.sessions.begin(open_session, user, label="").refresh_token)

    def act(number: int) -> None:
        token = session()
        acts = (
            lambda: people.sessions.refresh(token),
            lambda: people.sessions.end(token),
            lambda: people.sessions.end_all(analyst),
            lambda: people.accounts.change(admin, user_id, UserChanges(status=("disabled", "active")[number % 2])),
            lambda: people.resets.reset(_secret(people, tenant_id, user_id), password="une phrase toute neuve"),
            lambda: people.accounts.change_password(analyst, current=PASSWORD, new="une phrase toute neuve"),
            lambda: people.signing_in.sign_in(email="analyst@t1.example", password=PASSWORD, client=str(number)),
        )
        try:
            acts[number % len(acts)]()
        except PlatformUnavailable as error:
            wrong.append(f"{number % len(acts)}: {error.log}")
        except DataPilotError:
            pass  # refused, as it may be

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(280)))
    assert wrong == []


def _secret(people: People, tenant_id: str, user_id: str) -> str:
    url = people.resets.link(None, tenant_id, user_id).url
    assert url is not None
    return url.partition("#")[2]
