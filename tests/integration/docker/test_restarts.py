"""Whatever of the platform is started again, people's containers run on and are found again; what ends is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import websocket

from hub_config import docker_names as names
from tests.container_world import ContainerWorld
from tests.docker_engine import run_shell
from tests.hub_world import Kernel, Server, until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

QUESTION = "%ask quel est le montant par région ?"
ROLE = "administrator"


@pytest.fixture(scope="module")
def server(container_world: ContainerWorld) -> Server:
    return container_world.server(ROLE)


def runs_on(server: Server, kernel: Kernel) -> bool:
    """Whether a variable of before is still there, through the proxy."""
    try:
        kernel.connect()
        return kernel.run("print(kept)", seconds=15).strip() == "42"
    except (OSError, websocket.WebSocketException):
        return False


@pytest.fixture
def kernel(server: Server) -> Iterator[Kernel]:
    made = server.kernel()
    assert made.run("kept = 42") == ""
    yield made
    made.close()


@pytest.mark.parametrize(("part", "kill"), [("hub", False), ("hub", True), ("proxy", True), ("gate", True), ("api", True)])
def test_a_running_notebook_outlives_the_platforms_parts(
    container_world: ContainerWorld, server: Server, kernel: Kernel, part: str, kill: bool
) -> None:
    before = container_world.inside(ROLE).id
    started = container_world.inside(ROLE).attrs["State"]["StartedAt"]
    getattr(container_world, part).restart(kill=kill)
    until(lambda: runs_on(server, kernel), 60, lambda: f"after {part}: {container_world.hub.last_words()}")
    after = container_world.inside(ROLE)
    assert (after.id, after.attrs["State"]["StartedAt"]) == (before, started)
    assert container_world.is_running(server.name)
    if part in ("hub", "api"):
        until(lambda: "Ouest" in kernel.run(QUESTION), 60, lambda: f"the API is not found again after {part}")


def test_a_hub_that_comes_back_before_the_gate_does_not_forget_anybody(
    container_world: ContainerWorld, server: Server, kernel: Kernel
) -> None:
    container_world.gate.kill()
    container_world.hub.restart(kill=True)
    container_world.gate.start().wait_ready()
    until(lambda: runs_on(server, kernel), 60)
    assert container_world.is_running(server.name)


def test_what_leaves_a_tenants_network_is_attached_again(
    container_world: ContainerWorld, server: Server, kernel: Kernel
) -> None:
    """As after « docker compose up » with a new image: the container of the API is another, on none of the tenants' networks."""
    name = names.network_name(container_world.world.tenant_id("t1"))
    api = container_world.api.container

    def endpoint() -> str | None:
        api.reload()
        found = api.attrs["NetworkSettings"]["Networks"].get(name)
        return str(found["EndpointID"]) if found else None

    before = endpoint()
    assert before is not None
    container_world.engine.client.networks.get(name).disconnect(api, force=True)
    until(lambda: endpoint() not in (None, before), 60, container_world.hub.last_words)
    reach = "python3 -c 'import socket; socket.create_connection((\"dp-api\", 8000), 3)'"
    inside: Any = container_world.inside(ROLE)
    until(lambda: run_shell(inside, reach)[0] == 0, 60)
    assert "Ouest" in kernel.run(QUESTION)


def test_a_container_that_dies_is_noticed_and_starts_again(container_world: ContainerWorld) -> None:
    person = container_world.server("analyst")
    assert (
        person.request(
            "PUT", "contents/travail.txt", json={"type": "file", "format": "text", "content": "gardé"}
        ).status_code
        == 201
    )
    container_world.inside("analyst").kill()
    until(lambda: not container_world.is_running(person.name), 60, container_world.hub.last_words)
    gone = container_world.engine.client.containers.list(
        all=True, filters={"name": container_world.container_name("analyst")}
    )
    assert gone == []
    until(lambda: b"exit code 137" in container_world.hub.container.logs(), 30)  # the engine copies the hub's words
    again = container_world.server("analyst")
    assert again.request("GET", "contents/travail.txt").json()["content"] == "gardé"
    container_world.hub_api("DELETE", f"users/{person.name}/server")
    until(lambda: not container_world.is_running(person.name), 60)
    assert container_world.engine.client.containers.list(filters={"name": container_world.container_name("analyst")}) == []
