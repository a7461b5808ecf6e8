"""An interactive dashboard in a container of its own: it opens, a slider answers, its walls are a rendering's, nothing is left."""

from __future__ import annotations

import re

import pytest

from dashboards.interactive import files
from hub_config import docker_names as names
from hub_config.hub_names import rendering_of
from tests.container_world import ContainerWorld
from tests.hub_world import until
from tests.integration.docker.test_isolation import reached
from tests.integration.docker.test_renderings import things
from tests.interactive_support import Opened, frame, interactive, slider_answers

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


def test_an_interactive_dashboard_in_its_container(container_world: ContainerWorld) -> None:
    world, tenant = container_world, container_world.world.tenant_id("t1")
    dashboard, _ = interactive(world)
    opened = Opened(world, world.sign_in("viewer"), dashboard).begin()
    assert opened.state() == "ready", (opened.page().text[-3000:], world.hub.last_words())
    _, sitting = rendering_of(opened.name) or ("", "")
    network = names.rendering_network(tenant, sitting)
    assert set(things(world, opened.name)) == {names.container_name(tenant, sitting), network}

    slider_answers(opened)
    assert opened.say(frame("execute_request", {"code": "1", "silent": False})).status_code == 403
    script = re.search(r'src="([^"]+static/voila.js)', opened.document().text)
    assert script, "the page's script comes from the API"
    assets = script[1].removesuffix("static/voila.js")
    mended = next(
        name for name in files.known() if name.startswith("labextensions/@jupyter-widgets/") and "/static/32." in name
    )
    for name in ("static/voila.js", mended):  # of the image, and the very files that the API knows
        answer = opened.browser.get(f"{assets}{name}")
        assert (answer.status_code, files.is_known(name, answer.content)) == (200, True), name

    container = world.engine.client.containers.get(names.container_name(tenant, sitting))
    limits = container.attrs["HostConfig"]
    assert limits["CapDrop"] == ["ALL"]
    assert limits["Memory"] > 0
    assert limits["PidsLimit"] > 0
    assert set(container.attrs["NetworkSettings"]["Networks"]) == {network}
    world.server("analyst", "t1")
    notebook = world.address(world.inside("analyst", "t1"), names.network_name(tenant))
    found = reached(container, ("dp-api", 8000), (world.internet_ip, 80), (notebook, 8888), ("dp-proxy", 8000))
    assert found.pop("dp-api:8000"), "the control"
    assert not any(found.values()), found

    opened.page()
    assert opened.post("/fermer").status_code == 303
    until(lambda: world.hub_api("GET", f"users/{opened.name}").status_code == 404, 90, lambda: "the hub user stays")
    until(lambda: not things(world, opened.name), 90, lambda: f"left: {things(world, opened.name)}")
