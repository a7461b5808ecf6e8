"""A dashboard rendered for a viewer in containers: to the page, alone on a network of its own, and nothing left of it."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from docker.errors import NotFound

from hub_config import docker_names as names
from hub_config.hub_names import rendering_of
from tests.container_world import ContainerWorld
from tests.docker_engine import Engine
from tests.hub_world import until
from tests.integration.docker.test_isolation import reached
from tests.rendering_support import begin, ended, published

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


def things(world: ContainerWorld, name: str) -> list[str]:
    """What the engine has of a rendering: containers, networks, volumes."""
    _, rendering = rendering_of(name) or ("", "")
    only = {"label": [f"{names.INSTALLATION}={world.installation}", f"{names.PERSON}={rendering}"]}
    client = world.engine.client
    found = [*client.containers.list(all=True, filters=only, ignore_removed=True), *client.networks.list(filters=only)]
    return [str(each.name) for each in [*found, *client.volumes.list(filters=only)]]


def test_a_page_is_rendered_and_nothing_is_left(container_world: ContainerWorld) -> None:
    dashboard, tile = published(container_world)
    rendering, name = begin(container_world, dashboard)
    seen: set[str] = set()
    shown = ended(container_world, rendering, meanwhile=lambda: seen.update(things(container_world, name)))
    assert shown["state"] == "ready", (shown, container_world.hub.last_words())
    assert shown["markup"] == f'<section class="dp-tile" data-tile="{tile}"></section>'
    assert sorted(map(tuple, shown["tiles"][tile]["rows"])) == [("Nord", "10.00"), ("Ouest", "300.25"), ("Sud", "120.50")]
    tenant = container_world.world.tenant_id("t1")
    assert seen == {names.container_name(tenant, rendering), names.rendering_network(tenant, rendering)}
    until(lambda: container_world.hub_api("GET", f"users/{name}").status_code == 404, 60, lambda: "the hub user stays")
    until(lambda: not things(container_world, name), 60, lambda: f"left: {things(container_world, name)}")


def wait_for(world: ContainerWorld, name: str) -> Any:
    """The container of a rendering, as soon as it runs."""
    tenant, rendering = rendering_of(name) or ("", "")
    end = time.monotonic() + 90
    while time.monotonic() < end:
        with contextlib.suppress(NotFound):
            found = world.engine.client.containers.get(names.container_name(tenant, rendering))
            if found.status == "running":
                return found
        time.sleep(0.05)
    raise AssertionError(f"no container of {name}: {world.hub.last_words()}")


ROLES = ("viewer", "administrator")
LISTENS = "import http.server as h; h.ThreadingHTTPServer(('', 7777), h.BaseHTTPRequestHandler).serve_forever()"


def test_neither_notebooks_nor_other_renderings_are_reached_and_none_reaches_it(
    container_world: ContainerWorld, docker_engine: Engine
) -> None:
    world, tenant = container_world, container_world.world.tenant_id("t1")
    world.server("analyst", "t1")
    notebook = world.inside("analyst", "t1")
    at = world.address(notebook, names.network_name(tenant))
    notebook.exec_run(["python3", "-c", LISTENS], detach=True)
    dashboard, _ = published(world)
    controls, running = [], []
    try:
        for role in ROLES:
            _, name = begin(world, dashboard, role=role)
            container = wait_for(world, name)
            container.pause()  # it is looked at from a container in its very place, however soon it would be ready
            running.append((name, container, names.rendering_network(tenant, (rendering_of(name) or ("", ""))[1])))
        networks = [docker_engine.client.networks.get(network) for _, _, network in running]
        for network in networks:
            inside = {docker_engine.client.containers.get(each).name for each in network.attrs["Containers"]}
            assert network.attrs["Internal"] is True
            assert {each.rpartition("-")[2] for each in inside} >= {"hub", "api"}
            assert len(inside) == 3, "the rendering, the hub, the API: nothing else"
        first, second = (world.address(container, network) for _, container, network in running)
        for _, _, network in running:
            # As a rendering is: no capability, user 1000; on its network by the engine's own socket.
            controls.append(
                docker_engine.client.containers.run(
                    docker_engine.base_image(), ["python3", "-c", LISTENS], detach=True, network=network, user="1000:1000",
                    cap_drop=["ALL"], labels=docker_engine.labels,
                )
            )  # fmt: skip
        beside, other = controls
        colleague = world.control(names.network_name(tenant))
        controls.append(colleague)
        other_at = world.address(other, running[1][2])
        beside_at = world.address(beside, running[0][2])
        until(lambda: all(reached(each, ("127.0.0.1", 7777)).values() for each in (beside, other)), 30)
        until(lambda: all(reached(colleague, (at, 7777)).values()), 30, lambda: "the control does not reach the notebook")

        assert reached(beside, ("dp-hub", 8081), ("dp-api", 8000)) == {"dp-hub:8081": True, "dp-api:8000": True}
        found = reached(
            beside, (at, 7777), (at, 8888), (other_at, 7777), (second, 8888), (world.internet_ip, 80), ("dp-proxy", 8000),
            (world.address(world.database, world.networks["core"].name), 5432),
        )  # fmt: skip
        assert not any(found.values()), found
        assert reached(other, (beside_at, 7777), (first, 8888)) == {f"{beside_at}:7777": False, f"{first}:8888": False}
        assert reached(notebook, (beside_at, 7777), (other_at, 7777)) == {
            f"{beside_at}:7777": False,
            f"{other_at}:7777": False,
        }
        assert reached(colleague, (beside_at, 7777)) == {f"{beside_at}:7777": False}
    finally:
        for control in controls:
            control.remove(force=True)
        for _, container, _ in running:
            with contextlib.suppress(Exception):
                container.unpause()
    for role, (name, _, _) in zip(ROLES, running, strict=True):
        ended(world, (rendering_of(name) or ("", ""))[1], role=role)
        until(lambda name=name: not things(world, name), 90, lambda name=name: f"left: {things(world, name)}")  # type: ignore[misc]


def test_a_rendering_that_is_killed_leaves_nothing(container_world: ContainerWorld) -> None:
    dashboard, _ = published(container_world)
    rendering, name = begin(container_world, dashboard)

    def ready() -> bool:
        servers = container_world.hub_api("GET", f"users/{name}").json().get("servers") or {}
        return any(each["ready"] for each in servers.values())

    container, api = (
        wait_for(container_world, name),
        container_world.engine.client.containers.get(
            container_world.api.container.id  # type: ignore[attr-defined]  # a Service, which has one
        ),
    )
    api.pause()  # however fast it is, it cannot hand in its page now
    try:
        until(ready, 60)  # before, the hub would wait for its first answer
        container.kill()
    finally:
        api.unpause()
    assert ended(container_world, rendering)["failure"] in ("lost", "not_started")
    until(lambda: container_world.hub_api("GET", f"users/{name}").status_code == 404, 60, lambda: "the hub user stays")
    until(lambda: not things(container_world, name), 90, lambda: f"left: {things(container_world, name)}")
