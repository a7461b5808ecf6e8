"""A dashboard rendered for a viewer by a real hub, with processes of this machine: to the page, and nothing left of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hub_world import HubWorld, until
from tests.rendering_support import PLAN, begin, client, ended, published

pytestmark = pytest.mark.timeout(300)


def processes_of(folder: Path) -> list[str]:
    """The processes that have a home below a folder."""
    mark = f"HOME={folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and mark in (entry / "environ").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_a_page_is_rendered_and_nothing_is_left(hub_world: HubWorld) -> None:
    dashboard, tile = published(hub_world)
    rendering, name = begin(hub_world, dashboard)
    folder = hub_world.hub_data / "people" / name
    seen: set[str] = set()

    def look() -> None:
        if folder.exists():
            seen.update(path.name for path in folder.iterdir())

    shown = ended(hub_world, rendering, meanwhile=look)
    assert shown["state"] == "ready", (shown, hub_world.hub.last_words())
    assert shown["markup"] == f'<section class="dp-tile" data-tile="{tile}"></section>'
    assert sorted(map(tuple, shown["tiles"][tile]["rows"])) == [("Nord", "10.00"), ("Ouest", "300.25"), ("Sud", "120.50")]
    assert "home" in seen, "it ran where the spawner said"
    until(lambda: hub_world.hub_api("GET", f"users/{name}").status_code == 404, 60, lambda: "the hub user stays")
    until(lambda: not folder.exists() and not processes_of(folder), 60, lambda: "folder or process stays")


KEEPS = """
import pathlib
places = [pathlib.Path.home() / "kept.txt", pathlib.Path("kept-here.txt")]
before = "".join(place.read_text() for place in places if place.exists())
for place in places:
    place.write_text(ca.df.to_csv())
from IPython.display import Markdown, display
display(Markdown(f"BEFORE[{before}] ROWS[{len(ca.df)}]"))
"""


def test_an_authors_code_keeps_nothing_from_one_rendering_to_the_next(hub_world: HubWorld) -> None:
    """What it writes where it may write is gone with the rendering: the next one, for anybody, begins with nothing."""
    cells = [("markdown", "# Ventes"), ("code", "%ask -o ca CA par région"), ("code", KEEPS)]
    made = [{"cell_type": kind, "source": source, "metadata": {}} for kind, source in cells]
    tile = {"title": "CA", "source_id": hub_world.sources["t1"], "question": "CA par région", "plan": PLAN, "cell": 1}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}
    with client(hub_world, "analyst") as author, client(hub_world, "administrator") as admin:
        asked = author.post("/dashboards/publication-requests", json={"name": "V", "tiles": [tile], "notebook": notebook})
        assert asked.status_code == 201, asked.text
        path = f"/dashboards/publication-requests/{asked.json()['id']}/decision"
        dashboard = admin.post(path, json={"accept": True, "exploratory": True}).json()["dashboard_id"]
        admin.put(f"/dashboards/{dashboard}/rights", json={"items": [{"role": "viewer"}]})
    for role in ("viewer", "administrator"):
        rendering, _ = begin(hub_world, dashboard, role=role)
        shown = ended(hub_world, rendering, role=role)
        assert shown["state"] == "ready", (shown, hub_world.hub.last_words())
        assert "BEFORE[] ROWS[3]" in shown["markup"], shown["markup"]
