"""Wall 1 against a real JupyterHub: its names, its scopes, its answers to tokens that are good, foreign and revoked."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub_config.people import hub_user_name
from tests.platform_support import World, make_world
from tests.servers import free_port

pytest.importorskip("jupyterhub")

SERVICE_TOKEN = "a" * 40  # of the test at its own hub
SCOPES = ["access:services!service=datapilot", "users:activity!user"]

CONFIG = """
from jupyterhub.proxy import Proxy

class NoProxy(Proxy):  # the hub is asked directly
    should_start = False
    async def get_all_routes(self): return {{}}
    async def add_route(self, routespec, target, data): pass
    async def delete_route(self, routespec): pass
    async def check_routes(self, *args, **options): pass

c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.bind_url = "http://127.0.0.1:{public}/"
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = {port}
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret = bytes.fromhex("{cookie}")
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{{"name": "tester", "api_token": "{token}"}}, {{"name": "datapilot", "api_token": "{cookie}"}}]
c.JupyterHub.load_roles = [
    {{"name": "tester", "services": ["tester"], "scopes": ["admin:users", "tokens", "read:users"]}},
    {{"name": "user", "scopes": ["self", "access:services!service=datapilot"]}},
]
"""


class RealHub:
    """A hub and its own administration."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(headers={"Authorization": f"token {SERVICE_TOKEN}"}, trust_env=False, timeout=20)

    def user(self, name: str) -> str:
        made = self._client.post(f"{self.url}/users/{name}")
        assert made.status_code == 201, made.text
        assert made.json()["name"] == name  # the hub takes our names as they are
        return name

    def token(self, name: str, scopes: list[str]) -> tuple[str, str]:
        made = self._client.post(f"{self.url}/users/{name}/tokens", json={"scopes": scopes})
        assert made.status_code == 201, made.text
        return made.json()["token"], made.json()["id"]

    def revoke(self, name: str, token_id: str) -> None:
        assert self._client.delete(f"{self.url}/users/{name}/tokens/{token_id}").status_code == 204

    def answers(self) -> bool:
        try:
            return self._client.get(self.url).status_code == 200
        except httpx.HTTPError:
            return False

    def close(self) -> None:
        self._client.close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHub]:
    folder = tmp_path_factory.mktemp("hub")
    port = free_port()
    config = CONFIG.format(port=port, public=free_port(), folder=folder, cookie="5a" * 32, token=SERVICE_TOKEN)
    (folder / "config.py").write_text(config)
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterhub", "-f", str(folder / "config.py")], cwd=folder, stdout=log, stderr=log
    )
    running = RealHub(f"http://127.0.0.1:{port}/hub/api")
    try:
        end = time.monotonic() + 90
        while not running.answers():
            assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()[-3000:]  # noqa: PT018
            time.sleep(0.2)
        yield running
    finally:
        running.close()
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        log.close()


@pytest.fixture
def world(tmp_path: Path, hub: RealHub) -> Iterator[World]:
    with make_world(tmp_path, hub_api_url=hub.url, hub_cache_seconds=0) as made:
        yield made


def _exchange(world: World, token: str) -> Any:
    return world.client.post("/api/v1/auth/exchange", json={"token": token})


def test_a_real_hubs_token_opens_a_notebooks_rights_until_it_is_revoked(world: World, hub: RealHub) -> None:
    name = hub.user(hub_user_name(world.tenant_id(), world.user_id("analyst")))
    token, token_id = hub.token(name, SCOPES)
    answer = _exchange(world, token)
    assert answer.status_code == 200
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    me = world.client.get("/api/v1/auth/me", headers=headers).json()
    assert (me["id"], me["audience"]) == (world.user_id("analyst"), "notebook")
    hub.revoke(name, token_id)
    assert _exchange(world, token).status_code == 401


def test_a_real_hubs_token_for_something_else_opens_nothing(world: World, hub: RealHub) -> None:
    name = hub.user(hub_user_name(world.tenant_id(), world.user_id("analyst")))
    assert _exchange(world, hub.token(name, ["users:activity!user"])[0]).status_code == 401
    assert _exchange(world, hub.token(name, ["self"])[0]).status_code == 401
    assert _exchange(world, SERVICE_TOKEN).status_code == 401
    assert _exchange(world, "0" * 32).status_code == 401


def test_other_people_of_a_real_hub_are_nobody_here(world: World, hub: RealHub) -> None:
    name = hub.user("alice")
    assert _exchange(world, hub.token(name, SCOPES)[0]).status_code == 401
    viewer = hub.user(hub_user_name(world.tenant_id(), world.user_id("viewer")))
    assert _exchange(world, hub.token(viewer, SCOPES)[0]).status_code == 403
