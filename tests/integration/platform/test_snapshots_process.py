"""Pages made ahead for real: ``datapilot serve``, rendering processes with their kernels, and what befalls them.

One service after the other over the same data; the test reads what readers would get through managers of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub_config.snapshots import Snapshot
from tests.platform_support import World, make_world
from tests.rendering_hub import TOKEN, RenderingHub, rendering_hub
from tests.rendering_support import standing_still
from tests.served import Service, finished
from tests.unit.platform.test_content import CSV, PLAN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TOTAL = "from IPython.display import Markdown, display\ndisplay(Markdown(f'Total : {ca.df.iloc[:, -1].sum():.0f}'))"


@contextmanager
def _served(folder: Path) -> Iterator[tuple[World, Service, RenderingHub, httpx.Client]]:
    with rendering_hub() as hub:
        world = make_world(folder, hub_api_url=hub.url, hub_api_token=TOKEN, parallel_refreshes=1)
        with Service(world.settings) as service:
            hub.api_url = service.address
            yield world, service, hub, service.client(world.headers("administrator"))
        world.platform.stop()


def _source(author: httpx.Client) -> str:
    upload = author.post("/data-sources/upload", files={"file": ("ventes.csv", CSV)}).json()["id"]
    made = author.post("/data-sources/from-files", json={"name": "Ventes", "uploads": [upload]}).json()
    assert finished(author, made["source"]["id"], made["job_id"])["status"] == "done"
    return str(made["source"]["id"])


def _publish(author: httpx.Client, source: str, code: str, *, dashboard: str | None = None) -> str:
    cells = [("markdown", "# Ventes"), ("code", "%ask -o ca CA par région"), ("code", code)]
    notebook = {
        "nbformat": 4, "nbformat_minor": 5, "metadata": {},
        "cells": [{"cell_type": kind, "source": source, "metadata": {}} for kind, source in cells],
    }  # fmt: skip
    tile = {"title": "CA", "source_id": source, "question": "CA par région", "plan": PLAN, "cell": 1}
    asked = {"name": "Ventes", "tiles": [tile], "notebook": notebook, "dashboard_id": dashboard, "exploratory": True}
    request = author.post("/dashboards/publication-requests", json=asked)
    assert request.status_code == 201, request.text
    path = f"/dashboards/publication-requests/{request.json()['id']}/decision"
    decided = author.post(path, json={"accept": True, "exploratory": True})
    assert decided.status_code == 200, decided.text
    made = str(decided.json()["dashboard_id"])
    author.put(f"/dashboards/{made}/rights", json={"items": [{"role": "viewer"}]})
    return made


def _of(world: World, dashboard: str) -> Snapshot | None:
    viewer = world.principal("viewer")
    found: Snapshot | None = world.platform.content.snapshots.of(
        viewer, world.platform.content.publishing.published(viewer, dashboard)
    )
    return found


def _until(look: Callable[[], Any], *, seconds: float = 120, said: Callable[[], Any] = lambda: None) -> Any:
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, said()
        time.sleep(0.2)
    return found


def test_a_notebooks_page_is_made_ahead_and_stays_readable_whatever_befalls(tmp_path: Path) -> None:
    with _served(tmp_path) as (world, service, hub, author):
        source = _source(author)
        dashboard = _publish(author, source, TOTAL)

        def progress() -> dict[str, Any]:
            shown: dict[str, Any] = author.get(f"/dashboards/{dashboard}/refresh/progress").json()
            return shown

        def made(version: int, after: Any = None) -> Snapshot | None:
            found = _of(world, dashboard)
            good = found is not None and found.version == version and (after is None or found.made_at > after)
            return found if good and found is not None and found.failed_at is None else None

        @contextmanager
        def begun() -> Iterator[None]:
            """A refresh whose process runs, and no other's; it comes no further before the block's end."""
            _until(lambda: not hub.processes, said=progress)
            with standing_still(hub):
                assert author.post(f"/dashboards/{dashboard}/refresh").status_code == 202
                _until(lambda: hub.processes, said=progress)
                yield

        first: Snapshot = _until(lambda: made(1), said=progress)
        assert "<h1" in first.markup
        assert "Total : 35" in first.markup, "the notebook's own code, over the tile's rows"
        (tile,) = first.tiles.values()
        assert sorted(map(tuple, json.loads(tile)["rows"])) == [("Nord", "25.00"), ("Sud", "10.00")]
        assert _until(lambda: not progress()["queued"] + progress()["running"])
        assert (progress()["rights"], progress()["done"]) == (1, 1), "the administrator's rights are the viewer's"

        # The rendering is killed: the page stays, says so, and is tried again by itself.
        with begun():
            for process in list(hub.processes.values()):
                process.kill()
        _until(lambda: progress()["failure"] in ("lost", "not_started"), seconds=60, said=progress)
        kept = _of(world, dashboard)
        assert kept is not None
        assert (kept.markup, kept.made_at) == (first.markup, first.made_at)
        assert kept.failed_at is not None
        assert kept.making, "it is tried again"

        # A publication while it is refreshed: the newest version wins, and there is a page at every moment.
        with begun():
            _publish(author, source, TOTAL.replace("Total", "Somme"), dashboard=dashboard)
        seen = []

        def second() -> Snapshot | None:
            now = _of(world, dashboard)
            seen.append(now is not None)
            return made(2)

        newer: Snapshot = _until(second, said=progress)
        assert all(seen)
        assert "Somme : 35" in newer.markup

        # The API is killed while it is refreshed, and started again: it goes on.
        with begun():
            service.kill()
        assert _of(world, dashboard) is not None
        service.start()
        hub.api_url = service.address
        author = service.client(world.headers("administrator"))
        again: Snapshot = _until(lambda: made(2, newer.made_at), said=progress)
        assert "Somme : 35" in again.markup

        # The author's error: the page of before, and the trace for whoever has the rights it came about with.
        _publish(author, source, "raise ValueError('non')", dashboard=dashboard)
        _until(lambda: progress()["failure"] == "author", said=progress)
        broken = _of(world, dashboard)
        assert broken is not None
        assert (broken.version, broken.markup, broken.failure) == (2, again.markup, "author")
        assert progress()["cell"] == 1
        assert "ValueError: non" in progress()["trace"]
        analyst = service.client(world.headers("analyst"))
        assert "ValueError" in analyst.get(f"/dashboards/{dashboard}/refresh/progress").json()["trace"], "equal rights"
