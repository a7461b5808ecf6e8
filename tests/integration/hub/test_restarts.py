"""What goes away and comes back under a running notebook: the hub, the proxy, the API, a server itself; and people who leave.

The notebook keeps its kernel with what is in it, and asks again. The API's database is a file that only the API opens, so
killing the API is killing the database with it.
"""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from hub_config.hub_names import hub_user_name
from tests.hub_world import HubWorld, Kernel, Server, until

QUESTION, ANSWER = "%ask montant par région", "300,25"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def server(hub_world: HubWorld) -> Server:
    return hub_world.server("analyst")


@pytest.fixture(scope="module")
def kernel(server: Server) -> Iterator[Kernel]:
    made = server.kernel()
    made.run("kept = 41")
    assert ANSWER in made.run(QUESTION)
    yield made
    made.close()


def _process_of(world: HubWorld, name: str) -> psutil.Process:
    """The person's server."""
    home = str(world.hub_data / "people" / name / "home")
    for process in psutil.process_iter(["cmdline", "environ"]):
        command, environment = process.info["cmdline"] or [], process.info["environ"] or {}
        if "jupyterhub.singleuser" in command and environment.get("HOME") == home:
            return process
    raise AssertionError(f"no server of {name}")


def _ended(process: psutil.Process) -> bool:
    """It may go while one looks."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _still_works(kernel: Kernel, server: Server) -> None:
    assert kernel.run("kept + 1") == "42"
    assert ANSWER in kernel.run(QUESTION)
    assert server.request("GET", "kernels").status_code == 200


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_the_hub_restarts(hub_world: HubWorld, server: Server, kernel: Kernel, kill: bool) -> None:
    before = _process_of(hub_world, server.name)
    hub_world.hub.kill() if kill else hub_world.hub.stop()
    # While it is away the notebook goes on: the proxy has its route, the API its token for some minutes.
    _still_works(kernel, server)
    hub_world.hub.start().wait_ready()
    kernel.connect()
    _still_works(kernel, server)
    assert hub_world.is_running(server.name)
    assert _process_of(hub_world, server.name) == before


def test_the_hub_and_the_api_restart_together(hub_world: HubWorld, server: Server, kernel: Kernel) -> None:
    hub_world.hub.kill()
    hub_world.api.kill()
    hub_world.api.start().wait_ready()
    hub_world.hub.start().wait_ready()
    _still_works(kernel, server)
    assert hub_world.is_running(server.name)


def test_the_proxy_restarts(hub_world: HubWorld, server: Server, kernel: Kernel) -> None:
    hub_world.proxy.restart(kill=True)
    until(lambda: server.request("GET", "kernels").status_code == 200, 60)  # its routes are in the file
    kernel.connect()
    _still_works(kernel, server)


def test_the_api_is_killed_and_comes_back(hub_world: HubWorld, server: Server, kernel: Kernel) -> None:
    hub_world.api.kill()
    assert kernel.run("kept + 1") == "42"
    assert "ne répond pas" in kernel.run(QUESTION)
    # Nobody is thrown out meanwhile, and nobody comes in.
    assert server.browser.get(f"{server.path}lab").status_code == 200
    with pytest.raises(AssertionError, match=r"\(50\d"):
        hub_world.sign_in("analyst", "t2")
    hub_world.api.start().wait_ready()
    _still_works(kernel, server)
    hub_world.sign_in("analyst", "t2")


def test_a_server_that_dies_is_noticed_and_starts_again(hub_world: HubWorld) -> None:
    server = hub_world.server("administrator")
    _process_of(hub_world, server.name).send_signal(signal.SIGKILL)
    until(lambda: not hub_world.is_running(server.name), 60, hub_world.hub.last_words)
    again = hub_world.server("administrator", browser=server.browser)
    kernel = again.kernel()
    assert ANSWER in kernel.run(QUESTION)
    kernel.close()
    assert again.browser.delete(
        f"/hub/api/users/{again.name}/server", headers={"X-XSRFToken": again.browser.token("/hub/")}
    ).status_code in (202, 204)
    until(lambda: not hub_world.is_running(again.name), 60)


def test_whoever_is_removed_has_no_session_and_no_server(hub_world: HubWorld) -> None:
    world = hub_world.world
    user_id = world.add_user("t1", "partante@t1.example", "analyst")
    name = hub_user_name(world.tenant_id(), user_id)
    browser = hub_world.sign_in("analyst", email="partante@t1.example")
    server = hub_world.server("analyst", name=name, browser=browser)
    kernel = server.kernel()
    assert ANSWER in kernel.run(QUESTION)
    process = _process_of(hub_world, name)

    headers = world.headers("administrator")
    removed = httpx.delete(f"{hub_world.api_url}/api/v1/users/{user_id}", headers=headers, trust_env=False, timeout=60)
    assert removed.status_code == 204, removed.text
    until(lambda: _ended(process), 60)
    until(lambda: hub_world.hub_api("GET", f"users/{name}").status_code == 404, 60)
    assert "jupyter-config-data" not in browser.get(f"{server.path}lab").text
    landed = browser.get("/hub/home")
    assert landed.url.path == "/hub/login", landed.url
    with pytest.raises(AssertionError, match="401"):
        hub_world.sign_in("analyst", email="partante@t1.example")


def test_several_people_start_at_once(hub_world: HubWorld) -> None:
    """Each gets their own server and their own company's answer; bench/hub.py does it with twenty."""
    people = [("administrator", "t1"), ("administrator", "t2"), ("analyst", "t2")]
    with ThreadPoolExecutor(len(people)) as pool:
        servers = list(pool.map(lambda who: hub_world.server(*who), people))
    for (_, tenant), server in zip(people, servers, strict=True):
        kernel = server.kernel()
        answer = kernel.run(QUESTION)
        assert ("7\u202f777,77" in answer, ANSWER in answer) == (tenant == "t2", tenant == "t1"), answer
        kernel.close()


def test_what_is_a_persons_is_theirs_alone_and_their_process_holds_no_secret_but_their_token(
    hub_world: HubWorld, server: Server
) -> None:
    folder = hub_world.hub_data / "people" / server.name
    for place in (folder.parent, folder, folder / "home", *(folder / "private").iterdir()):
        assert stat.S_IMODE(place.stat().st_mode) & 0o777 == 0o700, place
    environment = _process_of(hub_world, server.name).environ()
    assert Path(environment["HOME"]) == folder / "home"
    assert Path(environment["JUPYTER_RUNTIME_DIR"]).is_relative_to(folder)
    secrets = {hub_world.hub_key, hub_world.hub_token, hub_world.hub.environment["DATAPILOT_HUB_PROXY_API_PASSWORD"]}
    assert not [name for name, value in environment.items() if any(secret in value for secret in secrets)]
    own = {"DATAPILOT_API_URL", "DATAPILOT_LANGUAGE", "DATAPILOT_PAGES_URL"}
    assert {name for name in environment if name.startswith("DATAPILOT_")} == own
    assert not set(environment) & {name for name in os.environ if "KEY" in name or "SECRET" in name}
