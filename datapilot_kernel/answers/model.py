"""The pieces of an answer that people see: the parts of the reading, and the columns of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from datapilot_kernel.plan.model import Grain
from datapilot_kernel.semantic.model import Format
from datapilot_kernel.sources.model import LogicalType


@dataclass(frozen=True)
class ReadingPart:
    """One part of « Ce que j'ai compris ».

    ``path`` is a JSON pointer into the plan (``/period``, ``/filters/0``); ``kind`` says which editor fits it; ``label``
    names it (« Période »), ``value`` shows it (« mai 2026 (du 01/05 au 31/05) »).
    """

    path: str
    kind: Literal[
        "measure", "dimension", "filter", "period", "order", "limit", "comparison", "having", "related", "rollup",
        "default_filter", "table", "column", "condition", "source",
    ]  # fmt: skip
    label: str
    value: str
    editable: bool = True


@dataclass(frozen=True)
class AnswerColumn:
    """A column of the answer's table: ``name`` as in the SQL, ``label`` for people.

    Attributes
    ----------
    role
        As in :class:`~datapilot_kernel.plan.compiled.CompiledColumn`; ``column`` when SQL was run.
    grain
        Of a time dimension: how its values are to be read; None otherwise.
    ref, of
        The layer's reference; the alias of the measure that a derived column belongs to.
    values
        What people call a stored value (``EXP`` -> expédiée), from the layer.
    """

    name: str
    label: str
    type: LogicalType
    format: Format
    role: str = "column"
    grain: Grain | None = None
    ref: str | None = None
    of: str | None = None
    lower_is_better: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
