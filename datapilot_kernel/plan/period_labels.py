"""How a resolved period is called: « mai 2026 », « T2 2026 », « semaine 20 de 2026 », « du 3 mars au 22 novembre 2026 ».

A label is made from the two dates (and the unit the person named), so it never says more than what is computed.
"""

from __future__ import annotations

from datetime import date, timedelta

from datapilot_kernel.messages import text
from datapilot_kernel.plan.model import Unit
from datapilot_kernel.semantic.model import Calendar

_DAY = timedelta(days=1)


def day_label(day: date, *, year: bool = True) -> str:
    """« 1er mai 2026 », « May 1, 2026 »."""
    key = "plan.label.first_day" if day.day == 1 else "plan.label.day"
    name = text(key, day=day.day, month=month_name(day.month))
    return text("plan.label.with_year", part=name, year=day.year) if year else name


def month_name(month: int) -> str:
    """Return the month's name in the language in force."""
    return text(f"plan.month.{month}")


def label_of(start: date | None, end: date | None, unit: Unit | None, calendar: Calendar) -> str:
    """Name a range (``end`` excluded). ``unit`` is what the person named, when it is one whole unit."""
    if start is None and end is None:
        return text("plan.label.all")
    if start is None:
        assert end is not None
        return text("plan.label.until", end=day_label(end - _DAY))
    if end is None:
        return text("plan.label.since", start=day_label(start))
    return _unit_label(start, end, unit, calendar) or _stretch_label(start, end)


def _unit_label(start: date, end: date, unit: Unit | None, calendar: Calendar) -> str | None:
    months = (end.year - start.year) * 12 + end.month - start.month if start.day == end.day == 1 else 0
    if unit == "week" and (end - start).days == 7:
        monday = start + _DAY if calendar.week_start == "sunday" else start
        year, week, _ = monday.isocalendar()
        return text("plan.label.week", number=week, year=year, days=_stretch_label(start, end))
    if unit in ("fiscal_year", "fiscal_quarter") and calendar.fiscal_year_start > 1 and months in (3, 12):
        lag = (start.month - calendar.fiscal_year_start) % 12
        first_year = start.year - (start.month < calendar.fiscal_year_start)
        name = first_year + (calendar.fiscal_year_named_by == "end")
        if unit == "fiscal_year" and months == 12 and lag == 0:
            return text("plan.label.fiscal_year", year=name)
        if unit == "fiscal_quarter" and months == 3 and lag % 3 == 0:
            return text("plan.label.fiscal_quarter", number=lag // 3 + 1, year=name)
        return None
    if (end - start) == _DAY:
        return day_label(start)
    if months == 1:
        return text("plan.label.with_year", part=month_name(start.month), year=start.year)
    if months == 12 and start.month == 1:
        return str(start.year)
    if months == 3 and start.month % 3 == 1 and unit in ("quarter", "fiscal_quarter"):
        return text("plan.label.quarter", number=start.month // 3 + 1, year=start.year)
    if months == 6 and start.month in (1, 7) and unit == "semester":
        return text("plan.label.semester_1" if start.month == 1 else "plan.label.semester_2", year=start.year)
    return None


def _stretch_label(start: date, end: date) -> str:
    last = end - _DAY
    if start.day == 1 and end.day == 1:
        first_part = month_name(start.month)
        if start.year != last.year:
            first_part = text("plan.label.with_year", part=first_part, year=start.year)
        last_part = text("plan.label.with_year", part=month_name(last.month), year=last.year)
        return text("plan.label.months", start=first_part, end=last_part)
    if (start.year, start.month) == (last.year, last.month):
        alone = text("plan.label.first_alone" if start.day == 1 else "plan.label.day_alone", day=start.day)
        return text("plan.label.days", start=alone, end=day_label(last))
    return text("plan.label.days", start=day_label(start, year=start.year != last.year), end=day_label(last))
