"""A published dashboard in a running platform, and one whole rendering of it, as a viewer asks for it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from hub_config.hub_names import rendering_user_name
from tests.hub_world import HubWorld
from tests.rendering_hub import RenderingHub

PLAN = {
    "measures": [{"alias": "ca", "measure": "ventes.ca"}],
    "dimensions": [{"alias": "region", "field": "ventes.region"}],
}


def client(world: HubWorld, role: str, tenant: str = "t1") -> httpx.Client:
    """The API as that person's own session asks it."""
    headers = world.world.headers(role, tenant)
    return httpx.Client(base_url=f"{world.api_url}/api/v1", headers=headers, timeout=60, trust_env=False)


def published(world: HubWorld, tenant: str = "t1") -> tuple[str, str]:
    """(dashboard, tile): one tile over the tenant's source, in force and open to viewers."""
    with client(world, "administrator", tenant) as author:
        dashboard = str(_good(author.post("/dashboards", json={"name": "Ventes"}))["id"])
        query = {"source_id": world.sources[tenant], "question": "montant par région", "plan": PLAN}
        tile = str(_good(author.post(f"/dashboards/{dashboard}/widgets", json={"title": "CA", "query": query}))["id"])
        _good(author.post(f"/dashboards/{dashboard}/publish", json={"exploratory": True}))
        _good(author.put(f"/dashboards/{dashboard}/rights", json={"items": [{"role": "viewer"}]}))
    return dashboard, tile


def begin(world: HubWorld, dashboard: str, tenant: str = "t1", *, role: str = "viewer") -> tuple[str, str]:
    """(rendering, its hub user), begun by somebody of the tenant."""
    with client(world, role, tenant) as viewer:
        rendering = str(_good(viewer.post(f"/dashboards/{dashboard}/renderings"))["id"])
    return rendering, rendering_user_name(world.world.tenant_id(tenant), rendering)


def ended(
    world: HubWorld,
    rendering: str,
    tenant: str = "t1",
    *,
    role: str = "viewer",
    seconds: float = 150,
    meanwhile: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """The rendering once it is ready or failed; ``meanwhile`` is called before each look."""
    end = time.monotonic() + seconds
    with client(world, role, tenant) as viewer:
        while True:
            meanwhile()
            shown = _good(viewer.get(f"/renderings/{rendering}"))
            if shown["state"] in ("ready", "failed"):
                return shown
            assert time.monotonic() < end, (shown, world.hub.last_words())
            time.sleep(0.2)


@contextmanager
def standing_still(hub: RenderingHub) -> Iterator[None]:
    """What the hub starts in the block does nothing before its end, however long the test takes to look at it."""
    start = hub._start

    def still(name: str, options: dict[str, Any]) -> None:
        start(name, options)
        hub.processes[name].send_signal(signal.SIGSTOP)

    hub._start = still  # type: ignore[method-assign]
    try:
        yield
    finally:
        hub._start = start  # type: ignore[method-assign]
        for process in list(hub.processes.values()):
            process.send_signal(signal.SIGCONT)


def _good(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code < 300, (response.status_code, response.text)
    found: dict[str, Any] = response.json() if response.content else {}
    return found
