"""Values of a filter, as what their dimension's type wants. JSON knows no decimals and no dates: they come as text."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from datapilot_kernel.plan.dialects import Forms, cast, number, string
from datapilot_kernel.plan.model import Value
from datapilot_kernel.plan.problems import PlanProblem
from datapilot_kernel.semantic.model import Dimension

_TRUE = frozenset({"true", "t", "1", "vrai", "oui", "yes"})
_FALSE = frozenset({"false", "f", "0", "faux", "non", "no"})


def as_date(value: Value, dimension: Dimension) -> date | datetime:
    """Return the day (or the moment, when the text has a time of day)."""
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            return moment.replace(tzinfo=None)
    raise PlanProblem("bad_value", value=value, label=dimension.label)


def as_number(value: Value, dimension: Dimension) -> int | Decimal:
    """Return the number."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal | str):
        try:
            found = Decimal(value)
        except InvalidOperation:
            found = Decimal("NaN")
        if found.is_finite():
            return found
    raise PlanProblem("bad_value", value=value, label=dimension.label)


def literal(value: Value, dimension: Dimension, forms: Forms) -> exp.Expr:
    """Return the value as a literal to compare a dimension (not a time dimension) with."""
    match dimension.type:
        case "text":
            return forms.exact_literal(str(value))
        case "number":
            return number(as_number(value, dimension))
        case "boolean":
            word = str(value).casefold()
            if word not in _TRUE | _FALSE:
                raise PlanProblem("bad_value", value=value, label=dimension.label)
            return exp.true() if word in _TRUE else exp.false()
        case "date" | "timestamp":
            return moment(as_date(value, dimension), dimension, forms)


def moment(value: date | datetime, dimension: Dimension, forms: Forms) -> exp.Expr:
    """Return a day's beginning, or a moment, to compare a time dimension with."""
    if isinstance(value, datetime):
        start = cast(string(value.isoformat(sep=" ")), "timestamp" if forms.dialect != "mysql" else "datetime")
        if dimension.zoned and forms.dialect != "mysql":
            return exp.AtTimeZone(this=start, zone=string(forms.calendar.timezone))
        return start
    return forms.day(value, dimension.zoned)


def span(value: Value, dimension: Dimension) -> tuple[date | datetime, date | datetime]:
    """Return (beginning, end excluded) of a day; a moment is both."""
    start = as_date(value, dimension)
    if isinstance(start, datetime):
        return start, start
    return start, start + timedelta(days=1)
