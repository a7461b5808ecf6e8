"""Who is gone for good, as the hub asks it: deleted here and no row left, never merely unknown."""

from __future__ import annotations

from typing import Any

import pytest

from hub_config.departed import Departed
from hub_config.errors import PlatformUnavailable
from hub_config.hub_names import hub_user_name, rendering_user_name
from hub_config.tenant import departure
from tests.platform_support import World, make_world

KEY = "k" * 40
UNKNOWN = "e5" * 16


@pytest.fixture
def world(tmp_path: Any) -> Any:
    with make_world(tmp_path, hub_key=KEY) as made:
        yield made


def ask(world: World, tenants: list[str], people: list[str], *, key: str = KEY) -> Any:
    body = {"tenants": tenants, "people": people}
    return world.client.post("/api/v1/hub/gone", json=body, headers={"Authorization": f"Bearer {key}"})


def test_only_what_was_deleted_here_is_gone(world: World) -> None:
    t1, t2 = world.tenant_id("t1"), world.tenant_id("t2")
    analyst, viewer = world.user_id("analyst"), world.user_id("viewer")
    nobody = "f" * 32
    people = [hub_user_name(t1, each) for each in (analyst, viewer, nobody)] + [
        hub_user_name(UNKNOWN, nobody), rendering_user_name(t1, nobody), "not-of-ours",
    ]  # fmt: skip
    said = ask(world, [t1, t2, UNKNOWN], people)
    assert (said.status_code, said.json()) == (200, {"tenants": [], "people": [hub_user_name(t1, nobody)]})

    administrator = world.headers("administrator")
    assert (
        world.client.patch(f"/api/v1/users/{viewer}", json={"status": "disabled"}, headers=administrator).status_code == 200
    )
    assert world.client.delete(f"/api/v1/users/{analyst}", headers=administrator).status_code == 204
    gone = ask(world, [t1], people).json()["people"]
    assert gone == [hub_user_name(t1, analyst), hub_user_name(t1, nobody)], "a disabled person is here"

    world.platform.departure.delete(t1)
    assert ask(world, [t1, t2, UNKNOWN], people).json() == {"tenants": [t1], "people": []}
    assert ask(world, [t1], people, key="x" * 40).status_code == 401
    assert ask(world, ["../../etc"], []).status_code == 422


def test_a_tenant_that_is_still_being_deleted_is_here(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise PlatformUnavailable(log="the database went away")

    t1 = world.tenant_id("t1")
    monkeypatch.setattr(departure, "delete_tenant", fails)
    with pytest.raises(PlatformUnavailable):
        world.platform.departure.delete(t1)
    assert ask(world, [t1], []).json()["tenants"] == []


def test_a_database_without_the_tenant_is_no_proof(world: World, tmp_path: Any) -> None:
    t1 = world.tenant_id("t1")
    other = Departed(tmp_path / "another-folder", world.database)
    world.platform.departure.delete(t1)
    assert other.tenants([t1]) == [], "no row, and nobody deleted it here"
    assert Departed(world.settings.data_dir, world.database).tenants([t1]) == [t1]


def test_while_the_database_is_away_nobody_is_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise PlatformUnavailable(log="away")

    t1 = world.tenant_id("t1")
    world.platform.departure.delete(t1)
    monkeypatch.setattr(world.database, "tenant", away)
    assert ask(world, [t1], []).status_code == 503
