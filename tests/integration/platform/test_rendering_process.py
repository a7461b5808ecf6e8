"""A rendering for real: ``datapilot serve``, a process of ``dashboards.rendering`` with its kernel, Voilà's exporter."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.platform_support import make_world
from tests.rendering_hub import TOKEN, rendering_hub
from tests.rendering_support import standing_still
from tests.served import Service, finished
from tests.unit.platform.test_content import CSV, PLAN


def _made(client: httpx.Client, tile_source: str) -> tuple[str, str]:
    dashboard = client.post("/dashboards", json={"name": "Ventes"}).json()["id"]
    query = {"source_id": tile_source, "question": "CA par région", "plan": PLAN}
    tile = client.post(f"/dashboards/{dashboard}/widgets", json={"title": "CA", "query": query}).json()["id"]
    assert client.post(f"/dashboards/{dashboard}/publish", json={"exploratory": True}).status_code == 200
    client.put(f"/dashboards/{dashboard}/rights", json={"items": [{"role": "viewer"}]})
    return dashboard, tile


def _ended(client: httpx.Client, rendering: str, *, seconds: float = 90) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while True:
        shown: dict[str, Any] = client.get(f"/renderings/{rendering}").json()
        if shown["state"] in ("ready", "failed"):
            return shown
        assert time.monotonic() < until, shown
        time.sleep(0.1)


@pytest.mark.slow
def test_a_page_is_rendered_and_its_process_ends(tmp_path: Path) -> None:
    with rendering_hub() as hub:
        world = make_world(tmp_path, hub_api_url=hub.url, hub_api_token=TOKEN)
        with Service(world.settings) as service:
            hub.api_url = service.address
            author = service.client(world.headers("administrator"))
            upload = author.post("/data-sources/upload", files={"file": ("ventes.csv", CSV)}).json()["id"]
            made = author.post("/data-sources/from-files", json={"name": "Ventes", "uploads": [upload]}).json()
            assert finished(author, made["source"]["id"], made["job_id"])["status"] == "done"
            dashboard, tile = _made(author, made["source"]["id"])
            viewer = service.client(world.headers("viewer"))
            with standing_still(hub):
                begun = viewer.post(f"/dashboards/{dashboard}/renderings")
                assert begun.status_code == 202, begun.text
                (process,) = hub.processes.values()
            shown = _ended(viewer, begun.json()["id"])
            assert shown["state"] == "ready", shown
            assert shown["markup"] == f'<section class="dp-tile" data-tile="{tile}"></section>'
            assert sorted(map(tuple, shown["tiles"][tile]["rows"])) == [("Nord", "25.00"), ("Sud", "10.00")]
            assert (shown["cells_done"], shown["cells"]) == (1, 1)
            process.wait(20)

            # The process is killed on its way: the person is told, nothing hangs.
            with standing_still(hub):
                begun = viewer.post(f"/dashboards/{dashboard}/renderings")
                for running in list(hub.processes.values()):
                    running.kill()
            assert _ended(viewer, begun.json()["id"], seconds=60)["failure"] in ("lost", "not_started")
        world.platform.stop()
