"""Where the parts of an answer are put, so that they can be put again: outputs of the cell, or widgets in a dashboard.

``CellSlots``: one output with a display id for each part; JupyterLab replaces it wherever it stands and saves what it
holds. ``WidgetSlots``: for Voilà, which does not replace outputs once its page is there, but keeps widgets in step; nothing
is saved there.
"""

from __future__ import annotations

import os
from typing import Any, Literal, Protocol

Slot = Literal["head", "chart", "table"]
_EMPTY = {"text/plain": ""}


class Slots(Protocol):
    """Four places, from the top: head, chips, chart, table."""

    def fill(self, slot: Slot, bundle: dict[str, Any]) -> None:
        """Show a bundle of MIME types in a slot, in place of what was there."""

    def put_chips(self, widget: Any) -> None:
        """Show the widget of the chips under the head; once."""


class CellSlots:
    """Outputs of the cell that runs, in the order in which they are first filled."""

    def __init__(self) -> None:
        self._handles: dict[Slot, Any] = {}

    def fill(self, slot: Slot, bundle: dict[str, Any]) -> None:
        """Add the output, or replace it."""
        handle = self._handles.get(slot)
        if handle is not None:
            if slot == "chart":
                # JupyterLab hands a chart that follows a chart to the same renderer, and Plotly's keeps its first one.
                handle.update(_EMPTY, raw=True)
            handle.update(bundle, raw=True)
            return
        from IPython.display import display

        self._handles[slot] = display(bundle, raw=True, display_id=True)

    def put_chips(self, widget: Any) -> None:
        """Add the widget's output."""
        from IPython.display import display

        # The text of a widget's output is what other programs show: it stays empty, the head has the reading.
        display({**(widget._repr_mimebundle_() or {}), "text/plain": ""}, raw=True)


class WidgetSlots:
    """One widget that holds an ``Output`` for each slot."""

    def __init__(self) -> None:
        import ipywidgets as w
        from IPython.display import display

        self._outputs: dict[Slot, Any] = {"head": w.Output(), "chart": w.Output(), "table": w.Output()}
        self._box = w.VBox([self._outputs[slot] for slot in ("head", "chart", "table")])
        display(self._box)

    def fill(self, slot: Slot, bundle: dict[str, Any]) -> None:
        """Give the slot's widget another output."""
        self._outputs[slot].outputs = ({"output_type": "display_data", "data": bundle, "metadata": {}},)

    def put_chips(self, widget: Any) -> None:
        """Put the chips between head and chart."""
        head, *rest = self._box.children
        self._box.children = (head, widget, *rest)


def in_dashboard() -> bool:
    """Tell whether Voilà renders this kernel's notebook."""
    return "VOILA_BASE_URL" in os.environ or "VOILA_REQUEST_URL" in os.environ


def new_slots() -> Slots:
    """Return the slots that fit where this kernel is looked at."""
    return WidgetSlots() if in_dashboard() else CellSlots()
