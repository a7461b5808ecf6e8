"""The notebook's end: ``%ask``, ``%%ask``, ``%%sql``, ``%datapilot``, and how an answer looks in a cell.

Loaded at every kernel's start, so nothing heavy is imported here: the engine, pandas, plotly and ipywidgets load with the
first question. The magics parse and delegate; :class:`~datapilot_kernel.notebook.client.AskClient` is the seam between the
engine in this process and, in the hub, the same engine behind the API.
"""

from __future__ import annotations

from typing import Any


def load_ipython_extension(shell: Any) -> None:
    """Register the magics and their completion (``%load_ext datapilot_kernel.notebook``; the DataPilot kernel does it)."""
    from datapilot_kernel.notebook.magics import register

    register(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Close the sources that the magics opened."""
    from datapilot_kernel.notebook.magics import unregister

    unregister(shell)
