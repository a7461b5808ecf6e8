"""The kernel's half of a rendering: ``%tile ID [-o NAME]`` shows a tile of the version, run by the API with the viewer's
rights, and gives its result to the author's code, as ``%ask -o NAME`` did in the notebook.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from dashboards.rendering.execution import TILE

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from datapilot_kernel.engine.outcome import Outcome


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magic, and DataPilot's own."""
    from datapilot_kernel.notebook import load_ipython_extension as load_datapilot

    load_datapilot(shell)
    shell.register_magic_function(partial(tile, shell), "line", "tile")


def tile(shell: InteractiveShell, line: str) -> None:
    """Run a tile, leave its place in the page, and name its result where that is asked for.

    Raises
    ------
    BadInput
        The result has more rows than a page's code is given: sums over a part of them would be wrong.
    """
    from dashboards.rendering.api import GrantClient

    tile_id, _, name = line.strip().partition(" -o ")
    client = GrantClient()
    try:
        found: dict[str, Any] = client.tile(tile_id)
    finally:
        client.close()
    place = TilePlace(tile_id, found["outcome"])
    if name.strip():
        shell.user_ns[name.strip()] = _result(found, place)
    place.show_again()


def _result(found: dict[str, Any], place: TilePlace) -> Any:
    from datapilot_kernel.engine.wire_reading import from_json
    from datapilot_kernel.errors import BadInput
    from datapilot_kernel.notebook.result import AskResult

    if found["outcome"] == "answer" and found["row_count"] > len(found["rows"]):
        raise BadInput("notebook.page_rows", count=found["row_count"], rows=len(found["rows"]))
    return AskResult(from_json(found), place)  # type: ignore[arg-type]  # what a result asks of its place is there


class TilePlace:
    """Where a tile's result is shown: in a page nobody edits it."""

    def __init__(self, tile_id: str, outcome: str) -> None:
        self._tile_id, self._outcome = tile_id, outcome

    def show_again(self, outcome: Outcome | None = None) -> None:
        """Leave the tile's place in the page."""
        from IPython.display import display

        display({TILE: {"id": self._tile_id, "outcome": self._outcome}}, raw=True)

    def layer(self) -> None:
        """Return nothing: the layer stays with the API."""

    def dialect(self) -> None:
        """Return nothing, for the same reason."""

    def cell_now(self) -> None:
        """Return nothing: a result that is a cell's value is shown again."""

    def run_plan(self, plan: Any) -> None:
        """Refuse: a page runs its tiles, nothing else."""
        self.edit("", plan)

    def edit(self, path: str, value: Any) -> None:
        """Refuse."""
        from datapilot_kernel.errors import BadInput

        raise BadInput("notebook.page_fixed")
