"""Containers, networks and volumes of who is gone, on a real engine through a real gate; others' stay."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub_config import docker_names as names
from hub_config.hub.janitor import Janitor
from hub_config.hub.platform_api import Departed
from hub_config.hub.spawning.docker_line import line_to_docker
from hub_config.hub.spawning.leftovers import Containers
from hub_config.hub_names import hub_user_name
from tests.integration.docker.test_starts import Ground, gate_settings, ground

__all__ = ["gate_settings", "ground"]
pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


def things(ground: Ground, tenant: str) -> list[str]:
    """What the engine has of a tenant, as it says itself."""
    only = {"label": [f"{names.INSTALLATION}={ground.installation}", f"{names.TENANT}={tenant}"]}
    client = ground.engine.client
    found = [*client.containers.list(all=True, filters=only), *client.networks.list(filters=only)]
    return sorted(str(each.name) for each in [*found, *client.volumes.list(filters=only)])


class Api:
    """Says who is gone."""

    def __init__(self) -> None:
        self.tenants: set[str] = set()
        self.people: set[str] = set()

    async def gone(self, tenants: Any, people: Any) -> Departed:
        return Departed(frozenset(self.tenants & set(tenants)), frozenset(self.people & set(people)))


def test_nothing_of_who_is_gone_is_left_and_everything_of_others(
    ground: Ground, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given, api, now = ground.settings(), Api(), [0.0]
    keeper = Containers(given, lambda: line_to_docker(given))
    settings: Any = SimpleNamespace(leftover_check_minutes=10, tenant_kept_hours=24, home_kept_days=30)
    the_api: Any = api
    janitor = Janitor(settings, the_api, keeper, memory=tmp_path / "leftovers.json", clock=lambda: now[0])

    async def look(after_s: float) -> None:
        now[0] += after_s
        await janitor.look()

    async def life() -> None:
        gone, stays, person = (uuid.uuid4().hex for _ in range(3))
        running = [ground.spawner(gone), ground.spawner(gone, rendering=True, reset=False)]
        theirs = ground.spawner(stays, person=person, reset=False)
        colleague = ground.spawner(stays, reset=False)
        for spawner in (*running, theirs, colleague):
            await spawner.start()
        await theirs.stop()
        before, others = things(ground, gone), things(ground, stays)
        assert len(before) == 6, "two containers, two networks, a home, what is shared"
        api.tenants, api.people = {gone}, {hub_user_name(stays, person)}
        await look(0)
        await look(60)
        assert things(ground, gone) == before, "said twice, and not at once"
        await look(600)
        home = names.home_volume(gone, running[0].person.user_id)
        assert things(ground, gone) == sorted([home, names.shared_volume(gone)]), "what ran is gone, no file yet"
        assert things(ground, stays) == others
        await look(24 * 3600)
        assert things(ground, gone) == []
        assert things(ground, stays) == others
        await look(30 * 86_400)
        assert things(ground, stays) == [each for each in others if each != names.home_volume(stays, person)]
        assert await colleague.poll() is None
        await colleague.stop()

    asyncio.run(life())
    assert caplog.text.count("none left") == 2


def test_a_renderings_network_that_was_left_alone_is_taken_down_and_no_other(ground: Ground) -> None:
    now = [0.0]
    given = ground.settings()
    keeper = Containers(given, lambda: line_to_docker(given), clock=lambda: now[0])

    async def life() -> None:
        tenant = uuid.uuid4().hex
        left, runs = ground.spawner(tenant, rendering=True), ground.spawner(tenant, rendering=True, reset=False)
        await left.start()
        await runs.start()
        await left.networks.ready(tenant)
        ground.inside(left).remove(force=True)
        networks = {names.rendering_network(tenant, each.person.user_id) for each in (left, runs)}
        for seconds in (0, 300):
            now[0] += seconds
            await keeper.tidy()
            assert networks <= set(things(ground, tenant))
        now[0] += 301
        await keeper.tidy()
        own = names.rendering_network(tenant, runs.person.user_id)
        assert things(ground, tenant) == sorted([own, names.network_name(tenant), runs.object_name])
        await runs.stop()
        assert things(ground, tenant) == [names.network_name(tenant)], "a rendering takes its network along"

    asyncio.run(life())
