"""The kernel's half: ``%tile ID`` gives a tile of the version, run by the API with the viewer's rights, to look at and to
compute with. ``ventes = %tile ID`` or ``%tile ID -o ventes``; then ``ventes.df``, ``ventes.figure``, ``ventes.sentence``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datapilot_kernel.errors import BadInput
from datapilot_kernel.notebook.result import AskResult

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class _Still:
    """Where a published result stands: nothing of it can be asked anew from a page."""

    def layer(self) -> None:
        return None

    def dialect(self) -> None:
        return None

    def cell_now(self) -> None:
        return None

    def run_plan(self, plan: Any) -> None:
        raise BadInput("notebook.published")

    def edit(self, path: str, value: Any) -> None:
        raise BadInput("notebook.published")


class TileResult(AskResult):
    """What ``%ask`` gives in the notebook, of a tile: the same attributes, without asking anything else."""

    def __init__(self, outcome: Any) -> None:
        super().__init__(outcome, _Still())  # type: ignore[arg-type]  # the few things that a shown result asks of its place

    def _ipython_display_(self) -> None:
        from IPython.display import display

        from datapilot_kernel.engine.outcome import Answer
        from datapilot_kernel.notebook import card

        head = card.head(self.outcome, self.formatter)
        display({"text/html": head, "text/plain": card.plain(self.outcome, self.formatter)}, raw=True)
        if isinstance(self.outcome, Answer) and self.figure is not None:
            display(self.figure)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magic, and DataPilot's own."""
    from datapilot_kernel.notebook import load_ipython_extension as load_datapilot

    load_datapilot(shell)

    def tile(line: str) -> TileResult:
        words = line.split()
        name = words[2] if len(words) == 3 and words[1] in ("-o", "--output") else None
        if not words or (len(words) > 1 and name is None) or (name is not None and not name.isidentifier()):
            raise BadInput("notebook.tile_line")
        result = TileResult(_asked(words[0]))
        if name is not None:
            shell.user_ns[name] = result
        return result

    shell.register_magic_function(tile, "line", "tile")


def _asked(tile_id: str) -> Any:
    from dashboards.rendering.api import GrantClient
    from datapilot_kernel.engine.wire_reading import from_json

    client = GrantClient()
    try:
        found = client.tile(tile_id)
    finally:
        client.close()
    if found["outcome"] == "answer" and found["row_count"] > len(found["rows"]):
        # Sums over a part of the rows would be wrong.
        raise BadInput("notebook.page_rows", count=found["row_count"], rows=len(found["rows"]))
    return from_json(found)
