"""What kind of table a result is: the one place where sentence and chart learn it, so that they never disagree."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Literal

from datapilot_kernel.answers.formats import as_decimal
from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.plan.model import Grain, Plan
from datapilot_kernel.semantic.model import Layer
from datapilot_kernel.sources.model import ResultTable

ShapeKind = Literal["empty", "rows", "value", "trend", "ranking", "share", "distribution"]

TREND_GRAINS: frozenset[Grain | None] = frozenset(
    {"day", "week", "month", "quarter", "semester", "year", "fiscal_year", "fiscal_quarter"}
)
CYCLIC_GRAINS: frozenset[Grain | None] = frozenset(
    {"hour_of_day", "day_of_week", "day_of_month", "month_of_year", "quarter_of_year"}
)
_NUMERIC = frozenset({"integer", "decimal", "float"})
_DERIVED = frozenset({"previous", "difference", "growth", "rank"})


@dataclass(frozen=True)
class Shape:
    """What a table shows.

    Attributes
    ----------
    kind
        ``value``: one row of figures. ``trend``: along time. ``ranking``: figures by names. ``share``: with parts of a
        total. ``distribution``: by classes or by the hours of a day, days of a week… ``rows``: a list. ``empty``: no row.
    dimensions, measures
        Indexes of the columns that name, and of those that count (without previous, difference, growth, rank).
    previous, growth, difference
        Index of the first such column, None when there is none.
    """

    kind: ShapeKind
    dimensions: tuple[int, ...] = ()
    measures: tuple[int, ...] = ()
    previous: int | None = None
    growth: int | None = None
    difference: int | None = None
    main: int = -1


def shape_of(columns: tuple[AnswerColumn, ...], table: ResultTable, plan: Plan | None, layer: Layer | None = None) -> Shape:
    """Return the shape of a result; for SQL (``plan`` None) it is read from types and names alone.

    Beside what names a thing (a client's name), other columns of the same thing (first name, code) are its details, and
    no further dimension: with the layer they are left out of ``dimensions``, unless two rows have the same name.
    """
    if not table.rows or not columns:
        return Shape("empty")
    if plan is not None and plan.kind == "rows":
        return Shape("rows")
    dimensions, measures = _split(columns, table) if plan is None else _by_role(columns)
    if not measures:
        return Shape("rows", dimensions)
    dimensions = _without_details(columns, table, dimensions, layer)

    def first(role: str) -> int | None:
        return next((i for i, c in enumerate(columns) if c.role == role), None)

    shares = [i for i in measures if columns[i].role == "share"]
    totals = [i for i in measures if columns[i].role == "running_total"]
    main = shares[0] if shares else totals[0] if totals else _ordered_first(columns, measures, plan, table)
    kind: ShapeKind = "ranking"
    grains = [columns[d].grain for d in dimensions]
    if not dimensions or (len(table.rows) == 1 and not shares):
        kind = "value"
    elif any(g in TREND_GRAINS for g in grains) or (plan is None and _is_time(columns[dimensions[0]])):
        kind = "trend"
    elif shares:
        kind = "share"
    elif any(g in CYCLIC_GRAINS for g in grains) or _binned(columns, dimensions, plan):
        kind = "distribution"
    if plan is None and kind != "value" and len(dimensions) > 2:
        return Shape("rows", dimensions)
    return Shape(kind, dimensions, measures, first("previous"), first("growth"), first("difference"), main)


def _without_details(
    columns: tuple[AnswerColumn, ...], table: ResultTable, dimensions: tuple[int, ...], layer: Layer | None
) -> tuple[int, ...]:
    if layer is None or len(dimensions) < 2:
        return dimensions
    owner, _, name = (columns[dimensions[0]].ref or "").partition(".")
    entity = layer.entities.get(owner)
    if entity is None or entity.name_dimension != name:
        return dimensions
    names = [row[dimensions[0]] for row in table.rows]
    if len(set(names)) != len(names):
        return dimensions
    return tuple(
        d
        for d in dimensions
        if d == dimensions[0] or columns[d].grain is not None or (columns[d].ref or "").partition(".")[0] != owner
    )


def _by_role(columns: tuple[AnswerColumn, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    dimensions = tuple(i for i, c in enumerate(columns) if c.role in ("dimension", "column"))
    measures = tuple(i for i, c in enumerate(columns) if c.role not in ("dimension", "column") and c.role not in _DERIVED)
    return dimensions, measures


def _split(columns: tuple[AnswerColumn, ...], table: ResultTable) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of SQL: numbers (but codes and years) count, the rest names; a table without both is a list."""
    measures = tuple(
        i
        for i, c in enumerate(columns)
        if c.type in _NUMERIC and c.format.kind != "year" and any(as_decimal(r[i]) is not None for r in table.rows)
    )
    dimensions = tuple(i for i in range(len(columns)) if i not in measures)
    names = [tuple(str(row[d]) for d in dimensions) for row in table.rows]
    if dimensions and len(set(names)) != len(names):
        return dimensions, ()
    if not dimensions and len(table.rows) > 1:
        return (), ()
    return dimensions, measures


def _ordered_first(
    columns: tuple[AnswerColumn, ...], measures: tuple[int, ...], plan: Plan | None, table: ResultTable
) -> int:
    if plan is not None:
        for order in plan.order:
            for i in measures:
                if order.by in (columns[i].name, columns[i].of):
                    return i
        return measures[0]
    return next((i for i in measures if _is_sorted([as_decimal(row[i]) for row in table.rows])), measures[0])


def _is_sorted(numbers: list[Decimal | None]) -> bool:
    """Tell whether rows of SQL come in this column's order, largest first: it is then what they are about."""
    found = [n for n in numbers if n is not None]
    return len(found) > 2 and all(a >= b for a, b in pairwise(found)) and found[0] != found[-1]


def _is_time(column: AnswerColumn) -> bool:
    return column.type in ("date", "timestamp", "timestamptz") or (
        column.format.kind == "year" and "an" in column.name.lower()
    )


def _binned(columns: tuple[AnswerColumn, ...], dimensions: tuple[int, ...], plan: Plan | None) -> bool:
    binned = {d.alias for d in plan.dimensions if d.bins} if plan else set()
    return any(columns[d].name in binned for d in dimensions)
