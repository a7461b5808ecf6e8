"""From a result table to what people read: formats, sentence, chart, reading, exports. Everything is made by code.

One formatter (:mod:`formats`) serves the table, the chart, the sentence and the exports. The sentence holds no number that
is not in the table; the reading comes from the plan, or from the tree of the SQL that ran. :func:`compose` makes all of it
at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datapilot_kernel.answers.columns import answer_columns
    from datapilot_kernel.answers.composed import Composed, compose, formatter_for
    from datapilot_kernel.answers.edits import apply_edit
    from datapilot_kernel.answers.formats import Formatter

__all__ = ["Composed", "Formatter", "answer_columns", "apply_edit", "compose", "formatter_for"]

_WHERE = {
    "Composed": "composed",
    "Formatter": "formats",
    "answer_columns": "columns",
    "apply_edit": "edits",
    "compose": "composed",
    "formatter_for": "composed",
}


def __getattr__(name: str) -> Any:
    """Load a name of this room when it is first used: the outcome's models alone must stay quick to import."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
