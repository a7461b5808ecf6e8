"""Pages made ahead on PostgreSQL: the same rights and the same ends as on SQLite, and two services over one database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select, update

from hub_config.database import DashboardSnapshot
from hub_config.platform import Platform
from hub_config.snapshots import store
from tests.integration.platform.conftest import copy_of
from tests.platform_support import World, make_settings
from tests.platform_world import application_url
from tests.servers import Server
from tests.unit.platform.test_content import _call, filtered, source_id
from tests.unit.platform.test_snapshots import (
    _held,
    _make,
    _of,
    _queries,
    open_to_viewers,
    test_a_newer_version_is_made_and_the_older_stays_until_then,
    test_a_publication_meanwhile_wins,
    test_a_row_that_its_maker_left_is_taken_up_by_another,
    test_a_schedule_makes_up_once_for_what_was_missed,
    test_a_tenants_pages_have_bounds,
    test_an_author_whom_no_right_names_needs_the_source_by_themselves,
    test_another_layer_another_attribute_another_connection_find_nothing_of_before,
    test_one_is_made_for_each_distinct_rights_and_shared_by_equal_ones_alone,
    test_what_is_kept_is_sealed_for_its_row_and_tenant,
    test_what_nobody_has_the_rights_of_any_more_is_let_go,
)

__all__ = [
    "filtered",
    "open_to_viewers",
    "source_id",
    "test_a_newer_version_is_made_and_the_older_stays_until_then",
    "test_a_publication_meanwhile_wins",
    "test_a_row_that_its_maker_left_is_taken_up_by_another",
    "test_a_schedule_makes_up_once_for_what_was_missed",
    "test_a_tenants_pages_have_bounds",
    "test_an_author_whom_no_right_names_needs_the_source_by_themselves",
    "test_another_layer_another_attribute_another_connection_find_nothing_of_before",
    "test_one_is_made_for_each_distinct_rights_and_shared_by_equal_ones_alone",
    "test_what_is_kept_is_sealed_for_its_row_and_tenant",
    "test_what_nobody_has_the_rights_of_any_more_is_let_go",
]


@pytest.fixture
def world(tmp_path: Path, postgres: Server, migrated: str) -> Iterator[World]:
    admin_url = copy_of(postgres, migrated)
    application = application_url(migrated).replace(urlsplit(migrated).path, urlsplit(admin_url).path)
    settings = make_settings(tmp_path, database_url=application, database_admin_url=admin_url, parallel_refreshes=1)
    made = World(settings)
    made.platform.content.snapshots.keeper.start = lambda: None
    with made:
        yield made


def test_two_services_make_a_page_once(world: World, open_to_viewers: str) -> None:
    before = len(_queries(world))
    other = Platform.build(world.settings)
    try:
        keepers = [world.platform.content.snapshots.keeper, other.content.snapshots.keeper]
        together = threading.Barrier(2)

        def work(keeper: Any) -> None:
            keeper.look(world.tenant_id())
            together.wait(30)
            keeper.work_off()

        threads = [threading.Thread(target=work, args=(keeper,)) for keeper in keepers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        other.queries.stop()
        other.people.close()
        other.database.dispose()
    assert len(_queries(world)) == before + 1
    assert _of(world, world.principal("viewer"), open_to_viewers) is not None


def test_row_level_security_keeps_them_apart(world: World, open_to_viewers: str, migrated: str) -> None:
    import psycopg

    _make(world)
    (row,) = _held(world, open_to_viewers)
    url = world.settings.resolved_database_url()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM dashboard_snapshots").fetchone() == (0,), "nobody's session"
        connection.execute("SELECT set_config('datapilot.tenant_id', %s, true)", [world.tenant_id("t2")])
        assert connection.execute("SELECT count(*) FROM dashboard_snapshots").fetchone() == (0,)
        connection.execute("SELECT set_config('datapilot.tenant_id', %s, true)", [world.tenant_id()])
        found = connection.execute("SELECT id, content_encrypted FROM dashboard_snapshots").fetchall()
    assert [row_id for row_id, _ in found] == [row.id]
    assert "Nord" not in found[0][1]


def test_a_new_key_seals_them_again_and_the_old_one_stays_until_then(world: World, open_to_viewers: str) -> None:
    from hub_config.vault import rotate

    _make(world)
    (row,) = _held(world, open_to_viewers)
    rotate(world.database, world.platform.vault)
    assert _of(world, world.principal("viewer"), open_to_viewers) is not None
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        assert store.read(session, world.platform.vault, row.id) is not None, "the retired key still opens it"
    world.platform.content.snapshots.keeper.look(world.tenant_id())
    (again,) = _held(world, open_to_viewers)
    assert again.sealed_by != row.sealed_by
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        assert store.read(session, world.platform.vault, row.id) is not None


def test_a_tenant_that_goes_takes_its_pages_along(world: World, open_to_viewers: str) -> None:
    _make(world)
    certificate = world.platform.departure.delete(world.tenant_id())
    assert certificate.rows["dashboard_snapshots"] == 1
    assert certificate.rows_left == 0
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        assert session.scalars(select(DashboardSnapshot.id)).all() == []


def test_a_row_of_nobody_is_not_made(world: World, open_to_viewers: str) -> None:
    keeper = world.platform.content.snapshots.keeper
    keeper.look(world.tenant_id())
    with world.database.tenant(world.tenant_id()) as session:
        session.execute(update(DashboardSnapshot).values(attributes_key="nobody's"))
    before = len(_queries(world))
    keeper.work_off()
    assert len(_queries(world)) == before
    keeper.look(world.tenant_id())
    assert all(row.attributes_key != "nobody's" for row in _held(world, open_to_viewers))
    assert _call(world, "GET", f"/dashboards/{open_to_viewers}/refresh/progress").json()["queued"] == 1
