"""People on PostgreSQL, as the application's role behind row-level security: the tests of SQLite that take a world, again."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest
from sqlalchemy import create_engine, text

from tests.platform_support import World
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
