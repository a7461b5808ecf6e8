"""A published dashboard in a running platform, and one whole rendering of it, as a viewer asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from hub_config.hub_names import rendering_user_name
from tests.hub_world import HubWorld

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
    """The rendering once it is ready or failed; ``meanwhile`` is called between the looks."""
    end = time.monotonic() + seconds
    with client(world, role, tenant) as viewer:
        while True:
            shown = _good(viewer.get(f"/renderings/{rendering}"))
            if shown["state"] in ("ready", "failed"):
                return shown
            meanwhile()
            assert time.monotonic() < end, (shown, world.hub.last_words())
            time.sleep(0.2)


def _good(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code < 300, (response.status_code, response.text)
    found: dict[str, Any] = response.json() if response.content else {}
    return found
