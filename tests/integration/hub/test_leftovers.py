"""A tenant and a person are deleted while the hub is away; their folders go when it is back, others' stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_config.hub_names import hub_user_name
from tests.hub_world import HubWorld, running_hub_world, until

pytestmark = pytest.mark.timeout(300)


def home(world: HubWorld, role: str, tenant: str) -> Path:
    """Somebody's folder."""
    return world.hub_data / "people" / world.name(role, tenant)


def test_folders_of_who_is_gone_go_also_when_the_hub_was_away(tmp_path: Path) -> None:
    often = {"leftover_check_minutes": "0.02", "tenant_kept_hours": "0", "home_kept_days": "0"}
    with running_hub_world(tmp_path, **often) as world:
        api = world.world
        t1, t2 = api.tenant_id("t1"), api.tenant_id("t2")
        world.server("analyst", "t2")
        # As the local spawner leaves them behind.
        for role in ("administrator", "analyst", "viewer"):
            (home(world, role, "t1") / "home").mkdir(parents=True)
        shared = world.hub_data / "shared"
        (shared / t1).mkdir()
        (home(world, "analyst", "t2") / "home" / "ventes.ipynb").write_text("her results")
        gone = home(world, "analyst", "t2")
        world.hub.stop()
        api.platform.departure.delete(t2)
        headers = api.headers("administrator", "t1")
        kept, deleted = home(world, "viewer", "t1"), home(world, "analyst", "t1")
        api.client.delete(f"/api/v1/users/{api.user_id('analyst', 't1')}", headers=headers)
        api.client.patch(f"/api/v1/users/{api.user_id('viewer', 't1')}", json={"status": "disabled"}, headers=headers)
        # The API is away as well when the hub comes back: nothing is removed for that.
        world.api.stop()
        world.hub.start().wait_ready()
        until(lambda: "leftovers stay: the API is away" in world.hub.log.read_text(), 60)
        assert gone.exists()
        assert (shared / t2).exists()
        assert deleted.exists()
        world.api.start().wait_ready()
        until(lambda: not gone.exists() and not (shared / t2).exists(), 60, world.hub.last_words)
        until(lambda: not deleted.exists(), 60, world.hub.last_words)
        assert kept.exists(), "a disabled person's folder stays"
        assert home(world, "administrator", "t1").exists()
        assert (shared / t1).exists()
        assert not list((world.hub_data / "people").glob(f"{hub_user_name(t2, '0' * 32)[:26]}*"))
        removed = f"of the deleted tenant {t2} were removed, none left"
        until(lambda: removed in world.hub.log.read_text(), 30, world.hub.last_words)
