"""No road leads from one tenant to another: SQLite, where the code is the only wall."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from hub_config.database import Database, Unscoped
from tests.platform_world import MODELS, ORDINARY, PASSES, REFUSED, new_database, populate, sqlite_url


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    folder = tmp_path_factory.mktemp("platform")
    database = new_database(sqlite_url(folder))
    ours, theirs = populate(database, "nous"), populate(database, "eux")
    database.dispose()
    return folder / "platform.db", ours, theirs


@pytest.fixture
def world(filled: tuple[Path, str, str], tmp_path: Path) -> Iterator[tuple[Database, str, str]]:
    path, ours, theirs = filled
    shutil.copy(path, tmp_path / "platform.db")
    database = Database(sqlite_url(tmp_path))
    yield database, ours, theirs
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


pytestmark = pytest.mark.filterwarnings("ignore:SELECT statement has a cartesian product")


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
    with database.tenant(ours) as session:
        reached = list(PASSES[road](session, theirs))
    assert set(reached) <= {ours}
    assert reached or "another" in road or road == "other_asked_for"
    assert _everything_of(database, theirs) == before


@pytest.mark.parametrize("shape", ORDINARY)
def test_what_a_manager_writes_every_day_passes(shape: str, world: tuple[Database, str, str]) -> None:
    database, ours, theirs = world
    before = _everything_of(database, theirs)
    with database.tenant(ours) as session:
        found = ORDINARY[shape](session)
    assert list(found)
    assert theirs not in repr(found)
    assert _everything_of(database, theirs) == before
