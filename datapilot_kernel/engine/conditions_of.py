"""What a statement asks of its rows, read off its tree: the stretches of time, and the other conditions.

For telling why two statements give different rows, whoever wrote them: so a period is a pair of days however it is written
(``BETWEEN``, ``>= … <``, ``DATE_TRUNC('month', d) = …``, ``EXTRACT(YEAR FROM d) = …``), and a condition is its column, its
sense and its values, without aliases. What cannot be read for certain makes ``certain`` False, and nothing is then claimed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from datapilot_kernel.sources.model import Dialect

_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[ T].*)?")
Condition = tuple[str, str, tuple[str, ...]]
"""Column, sense (``=``, ``<>``, ``<``, ``>``, ``like``, ``null``…), values in order of spelling."""


@dataclass(frozen=True)
class Asked:
    """What a statement asks. ``periods`` as ``[start, end)`` in ISO days, an open side empty."""

    periods: frozenset[tuple[str, str]]
    conditions: frozenset[Condition]
    certain_of_periods: bool = True
    readable: bool = True


def conditions_of(sql: str | None, dialect: Dialect) -> Asked:
    """Return what a statement asks of its rows.

    >>> conditions_of("SELECT 1 FROM v WHERE d >= '2026-05-01' AND d < '2026-06-01' AND v.st <> 'X'", "duckdb").periods
    frozenset({('2026-05-01', '2026-06-01')})
    """
    try:
        tree = sqlglot.parse_one(sql or "", read=dialect)
    except (SqlglotError, RecursionError):
        return Asked(frozenset(), frozenset(), certain_of_periods=False, readable=False)
    reader = _Reader()
    for node in tree.find_all(exp.Where, exp.Having, exp.Filter, exp.Join, exp.If):
        condition = node.args.get("on") if isinstance(node, exp.Join) else node.this
        if isinstance(node, exp.Filter):
            condition = node.expression.this
        if condition is not None:
            reader.conjunction(condition)
    return Asked(frozenset(reader.periods), frozenset(reader.conditions), reader.certain)


class _Reader:
    def __init__(self) -> None:
        self.periods: set[tuple[str, str]] = set()
        self.conditions: set[Condition] = set()
        self.certain = True

    def conjunction(self, condition: exp.Expr) -> None:
        """Take the parts of an AND; bounds of one column make one stretch."""
        bounds: dict[str, list[date | None]] = {}
        months: dict[str, dict[str, int]] = {}
        for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
            self._part(part, bounds, months)
        for start, end in bounds.values():
            self.periods.add((start.isoformat() if start else "", end.isoformat() if end else ""))
        for units in months.values():
            self._calendar(units)

    def _calendar(self, units: dict[str, int]) -> None:
        year = units.get("year")
        if year is None or set(units) - {"year", "month"}:
            self.certain = False
            return
        month = units.get("month")
        start = date(year, month or 1, 1)
        end = date(year + 1, 1, 1) if month is None else _next_month(start)
        self.periods.add((start.isoformat(), end.isoformat()))

    def _part(self, part: exp.Expr, bounds: dict[str, list[date | None]], months: dict[str, dict[str, int]]) -> None:
        part = part.unnest()
        if isinstance(part, exp.And):
            self.conjunction(part)
            return
        if isinstance(part, exp.Or):
            for one in part.flatten():
                self.conjunction(one.unnest())
            return
        if isinstance(part, exp.Not) and not isinstance(part.this.unnest(), exp.In | exp.Is | exp.Like | exp.ILike):
            self.conjunction(part.this)
            return
        if _mentions_time(part):
            self._time(part, bounds, months)
            return
        found = _condition(part)
        if found is not None:
            self.conditions.add(found)

    def _time(self, part: exp.Expr, bounds: dict[str, list[date | None]], months: dict[str, dict[str, int]]) -> None:
        if isinstance(part, exp.Between):
            low, high = _day(part.args["low"]), _day(part.args["high"])
            if low is None or high is None or not isinstance(part.this.unnest(), exp.Column | exp.Cast | exp.Date):
                self.certain = False
                return
            self._bound(bounds, part.this, low, high + timedelta(days=1))
            return
        if not isinstance(part, exp.GT | exp.GTE | exp.LT | exp.LTE | exp.EQ):
            self.certain = False
            return
        left, right, turned = part.this, part.expression, False
        if _day(left) is not None:
            left, right, turned = right, left, True
        day = _day(right)
        unit = _unit(left)
        if unit is not None and isinstance(part, exp.EQ) and isinstance(right, exp.Literal) and not right.is_string:
            months.setdefault(unit[1], {})[unit[0]] = int(right.name)
            return
        if day is None:
            self.certain = False
            return
        if isinstance(left, exp.DateTrunc | exp.TimestampTrunc):
            grain = str(left.args["unit"].name).lower()
            if not isinstance(part, exp.EQ) or grain not in ("month", "year"):
                self.certain = False
                return
            self._bound(bounds, left.this, day, _next_month(day) if grain == "month" else day.replace(year=day.year + 1))
            return
        after = day + timedelta(days=1)
        less = isinstance(part, exp.LT | exp.LTE) != turned
        if isinstance(part, exp.EQ):
            self._bound(bounds, left, day, after)
        elif less:
            self._bound(bounds, left, None, after if isinstance(part, exp.LTE | exp.GTE) else day)
        else:
            self._bound(bounds, left, day if isinstance(part, exp.GTE | exp.LTE) else after, None)

    def _bound(self, bounds: dict[str, list[date | None]], of: exp.Expr, start: date | None, end: date | None) -> None:
        column = of.find(exp.Column)
        held = bounds.setdefault(column.name.lower() if column is not None else "", [None, None])
        held[0] = start or held[0]
        held[1] = end or held[1]


def _mentions_time(part: exp.Expr) -> bool:
    kinds = (
        exp.DateTrunc, exp.TimestampTrunc, exp.Extract, exp.Year, exp.Month, exp.Day, exp.Week, exp.Quarter, exp.CurrentDate,
        exp.CurrentTimestamp, exp.Interval, exp.DateAdd, exp.DateSub, exp.DateDiff,
    )  # fmt: skip
    if part.find(*kinds):
        return True
    return any(one.is_string and _DAY.fullmatch(one.name) for one in part.find_all(exp.Literal))


def _day(node: exp.Expr) -> date | None:
    node = node.unnest()
    while isinstance(node, exp.Cast | exp.Date | exp.TsOrDsToDate | exp.Timestamp):
        node = node.this
    if not isinstance(node, exp.Literal) or not node.is_string:
        return None
    found = _DAY.fullmatch(node.name)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def _unit(node: exp.Expr) -> tuple[str, str] | None:
    """Return the unit and the column of ``EXTRACT(YEAR FROM d)`` and the like."""
    node = node.unnest()
    column = node.find(exp.Column)
    if column is None:
        return None
    if isinstance(node, exp.Extract):
        return node.this.name.lower(), column.name.lower()
    if isinstance(node, exp.Year | exp.Month | exp.Day | exp.Week | exp.Quarter):
        return type(node).__name__.lower(), column.name.lower()
    return None


_SENSES: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=", exp.In: "=", exp.Like: "like",
    exp.ILike: "like", exp.Is: "null", exp.Between: "between", exp.NullSafeNEQ: "<>", exp.NullSafeEQ: "=",
}  # fmt: skip


def _condition(part: exp.Expr) -> Condition | None:
    """Return a condition on a column; None for what compares columns with each other (a join)."""
    sense_of_not = ""
    if isinstance(part, exp.Not):
        part, sense_of_not = part.this.unnest(), "not "
    elif part.args.get("negate"):
        sense_of_not = "not "
    column = part.find(exp.Column)
    if column is None:
        return None
    sense = next((said for kind, said in _SENSES.items() if isinstance(part, kind)), type(part).__name__.lower())
    if sense_of_not:
        sense = "<>" if sense == "=" else sense_of_not + sense
    values = tuple(sorted({one.name.lower() for one in part.find_all(exp.Literal)}))
    if not values and sense in _SENSES.values() and sense != "null":
        return None
    # « IS NOT NULL » beside a comparison changes no row: the comparison asks for it already.
    if sense == "not null":
        return None
    return column.name.lower(), sense, values


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
