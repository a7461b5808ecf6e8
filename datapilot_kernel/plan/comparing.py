"""What a plan's period is compared with: which dates, and how far the groups of that time move to meet today's.

Without a breakdown in time, two periods are aggregated and meet on the other dimensions. With one (by month, by week…)
each group meets its predecessor or the same unit a year before: the earlier groups are moved forward by one unit, or by
a year. A group that did not exist then has no value then, and a group that exists only then does not show.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import cast

from datapilot_kernel.plan.branches import Axis
from datapilot_kernel.plan.compiled import DateRange
from datapilot_kernel.plan.dialects import Shift
from datapilot_kernel.plan.model import AllTime, CalendarPeriod, Comparison, LastPeriod, Unit
from datapilot_kernel.plan.period_labels import day_label, label_of
from datapilot_kernel.plan.periods import (
    add_months,
    add_units,
    iso_week,
    iso_week_start,
    previous,
    resolve,
    same_last_year,
    unit_start,
)
from datapilot_kernel.plan.problems import PlanProblem
from datapilot_kernel.plan.scope import Context

_DAY = timedelta(days=1)
_STEP: dict[str, Shift] = {
    "day": Shift(days=1), "week": Shift(days=7), "month": Shift(months=1), "quarter": Shift(months=3),
    "semester": Shift(months=6), "year": Shift(months=12), "fiscal_year": Shift(months=12), "fiscal_quarter":
    Shift(months=3),
}  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """The other period (None: no limit) and how its time groups move; ``shift`` None: there is no breakdown in time."""

    period: DateRange | None
    shift: Shift | None


def compared_with(context: Context, comparison: Comparison, axes: list[Axis]) -> Compared:
    """Return what the plan's period is compared with."""
    series = [axis for axis in axes if axis.is_series]
    if not series:
        return Compared(_other_period(context, comparison), None)
    if len({axis.grain for axis in series}) > 1:
        raise PlanProblem("comparison_not_aligned")
    grain = cast("Unit", series[0].grain)
    if comparison.kind == "previous_period":
        return Compared(_predecessors(context, grain), _STEP[grain])
    if comparison.kind == "previous_year":
        return _year_before(context, grain)
    return _given(context, comparison, grain)


def _other_period(context: Context, comparison: Comparison) -> DateRange:
    today, calendar = context.today, context.layer.calendar
    if comparison.kind == "period":
        assert comparison.period is not None
        return resolve(comparison.period, today=today, calendar=calendar)
    period = context.plan.period
    if period is None or isinstance(period, AllTime):
        raise PlanProblem("comparison_needs_period")
    if comparison.kind == "previous_year":
        return same_last_year(period, today=today, calendar=calendar)
    other = previous(period, today=today, calendar=calendar)
    this = context.period
    if this is not None and this.end is not None and this.end > today + _DAY and isinstance(period, CalendarPeriod):
        context.note("compared_whole", previous=other.label)
    return other


def _range(context: Context, start: date | None, end: date | None) -> DateRange | None:
    if start is None and end is None:
        return None
    return DateRange(start, end, label_of(start, end, None, context.layer.calendar))


def _predecessors(context: Context, grain: Unit) -> DateRange | None:
    """Return the units before those of the period, whole ones."""
    period, calendar = context.period, context.layer.calendar
    if period is None:
        return None
    start = None if period.start is None else add_units(unit_start(period.start, grain, calendar), grain, -1)
    end = None if period.end is None else unit_start(period.end - _DAY, grain, calendar)
    return _range(context, start, end)


def _year_before(context: Context, grain: Unit) -> Compared:
    period, calendar, today = context.plan.period, context.layer.calendar, context.today
    this = context.period
    if grain == "week":
        return _weeks_before(context)
    shift = Shift(months=12)
    if this is None or period is None:
        return Compared(None, shift)
    if this.start is None or this.end is None:
        start = None if this.start is None else add_months(this.start, -12)
        end = None if this.end is None else add_months(this.end, -12)
        return Compared(_range(context, start, end), shift)
    return Compared(same_last_year(period, today=today, calendar=calendar), shift)


def _weeks_before(context: Context) -> Compared:
    """Weeks meet by their number: 52 weeks back, or 53 where the year before has 53."""
    calendar, this, today = context.layer.calendar, context.period, context.today
    start = this.start if this else None
    end = this.end if this else None
    if end is not None and end > today + _DAY and (start is None or start <= today):
        end = today + _DAY
    first = (start or date(today.year - 30, 1, 1)).year - 1
    last = (end or today).year + 1
    long_years = tuple(
        (monday, until)
        for year in range(first, last + 1)
        if (monday := iso_week_start(year, 1, calendar)) and (until := iso_week_start(year + 1, 1, calendar))
        if iso_week_start(year - 1, 53, calendar) is not None
    )

    def back(day: date) -> date:
        year, _ = iso_week(unit_start(day, "week", calendar), calendar)
        return day - timedelta(days=364 if iso_week_start(year - 1, 53, calendar) is None else 371)

    other = _range(context, back(start) if start else None, back(end - _DAY) + _DAY if end else None)
    concerned = tuple(
        (monday, until) for monday, until in long_years if (end is None or monday < end) and (start is None or until > start)
    )
    return Compared(other, Shift(days=364, weeks_of_371=concerned))


def _given(context: Context, comparison: Comparison, grain: Unit) -> Compared:
    """Compare row by row with a period the person named: both must begin, and at like places of their units."""
    assert comparison.period is not None
    calendar = context.layer.calendar
    other = resolve(comparison.period, today=context.today, calendar=calendar)
    this = context.period
    if this is None or this.start is None or other.start is None:
        raise PlanProblem("comparison_not_aligned")
    here, there = unit_start(this.start, grain, calendar), unit_start(other.start, grain, calendar)
    months = (here.year - there.year) * 12 + here.month - there.month
    if grain in ("day", "week") and not (grain == "day" and here.day == there.day):
        return Compared(other, Shift(days=(here - there).days))
    if grain in ("year", "fiscal_year") and months % 12:
        raise PlanProblem("comparison_not_aligned")
    return Compared(other, Shift(months=months))


def note_unfinished(context: Context) -> None:
    """Say that a period which holds today is not over."""
    period, this = context.plan.period, context.period
    if this is None or this.end is None or this.start is None or (isinstance(period, LastPeriod) and period.next):
        return
    if this.start <= context.today and this.end > context.today + _DAY:
        context.note("not_over", today=day_label(context.today))
