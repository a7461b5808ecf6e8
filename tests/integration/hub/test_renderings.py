"""A dashboard rendered for a viewer by a real hub, with processes of this machine: to the page, and nothing left of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hub_world import HubWorld, until
from tests.rendering_support import begin, ended, published

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
    until(lambda: not folder.exists() and not processes_of(folder), 30, lambda: "folder or process stays")
