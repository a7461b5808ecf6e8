"""What the compiler gives back: SQL, and what each column of its result means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from datapilot_kernel.plan.model import Grain
from datapilot_kernel.semantic.model import Format


@dataclass(frozen=True)
class DateRange:
    """From ``start`` (included) to ``end`` (excluded); None: open. ``label``: « mai 2026 », in the language in force."""

    start: date | None
    end: date | None
    label: str


@dataclass(frozen=True)
class CompiledColumn:
    """One column of the result.

    Attributes
    ----------
    name
        As in the SQL.
    role
        ``dimension``, ``measure``; of a comparison ``previous``, ``difference``, ``growth``; ``share``,
        ``running_total``, ``rank``; ``column`` of a list.
    of
        The alias of the measure a derived column belongs to; None otherwise.
    ref
        The layer's reference (``entity.name``), None when there is none.
    """

    name: str
    label: str
    role: Literal["dimension", "measure", "previous", "difference", "growth", "share", "running_total", "rank", "column"]
    format: Format
    ref: str | None = None
    of: str | None = None
    grain: Grain | None = None
    lower_is_better: bool = False


@dataclass(frozen=True)
class Compiled:
    """A plan turned into SQL of one dialect.

    Attributes
    ----------
    sql
        One SELECT, not yet guarded.
    period, previous
        The resolved period and the one compared with; None when there is none.
    notes
        Sentences for the person (a period that is not over, rows without a date…), in the language in force.
    """

    sql: str
    columns: tuple[CompiledColumn, ...]
    period: DateRange | None = None
    previous: DateRange | None = None
    notes: tuple[str, ...] = ()
