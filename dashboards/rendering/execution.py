"""A published notebook made a page by our template: outputs of its cells are *data*.

A tile (``application/vnd.datapilot.tile+json``) becomes a place in the page, which the API fills from its own record; text
and Markdown stay. Whatever else a cell shows (HTML of its own, scripts, widgets) is left out here, and what is kept is
cleaned again by the API, which trusts nothing that comes out of this process.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.notebooks import exported, run

TILE = "application/vnd.datapilot.tile+json"
KERNEL_EXTENSION = "dashboards.rendering.tiles"


@dataclass(frozen=True)
class Page:
    """The page's markup, and the ids of the tiles in the order of their places."""

    markup: str
    tiles: tuple[str, ...]


async def render(
    notebook: Mapping[str, Any],
    *,
    on_cell: Callable[[int, int], None] = lambda done, of: None,
    environment: Mapping[str, str] | None = None,
    cell_timeout_s: int = 120,
) -> Page:
    """Run every cell, end the kernel, and return the page; parameters and errors are :func:`dashboards.notebooks.run`'s."""
    ran = await run(
        notebook, extension=KERNEL_EXTENSION, on_cell=on_cell, environment=environment, cell_timeout_s=cell_timeout_s
    )
    await ran.end()
    for index in ran.code:
        ran.node.cells[index].outputs = [kept for kept in map(_kept, ran.node.cells[index].outputs) if kept is not None]
    found: list[str] = []

    def place(output: Any) -> str:
        tile = str(output.data[TILE].get("id", ""))
        found.append(tile)
        return tile

    markup = await exported(ran.node, "dashboards.rendering", "page.html.j2", filters={"tile_id": place})
    return Page(markup, tuple(found))


def _kept(output: Any) -> Any:
    """Return the output with what a page may hold of it; None: nothing."""
    import nbformat

    if output.output_type not in ("display_data", "execute_result"):
        return None
    data = output.data
    kept = {kind: data[kind] for kind in (TILE, "text/markdown") if kind in data}
    return nbformat.v4.new_output("display_data", data=kept) if kept else None  # type: ignore[no-untyped-call]


def main_of(notebook_json: str) -> str:
    """Return the page's markup of a notebook's JSON, in a loop of its own: for scripts and tests."""
    return asyncio.run(render(json.loads(notebook_json))).markup
