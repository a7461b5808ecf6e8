"""The kernel's half of a rendering: ``%tile ID`` shows a tile of the version, run by the API with the viewer's rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashboards.rendering.execution import TILE

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magic, and DataPilot's own."""
    from datapilot_kernel.notebook import load_ipython_extension as load_datapilot

    load_datapilot(shell)
    shell.register_magic_function(tile, "line", "tile")


def tile(line: str) -> None:
    """Run a tile and leave its place in the page."""
    from IPython.display import display

    from dashboards.rendering.api import GrantClient

    tile_id = line.strip()
    client = GrantClient()
    try:
        outcome: dict[str, Any] = client.tile(tile_id)
    finally:
        client.close()
    display({TILE: {"id": tile_id, "outcome": outcome["outcome"]}}, raw=True)
