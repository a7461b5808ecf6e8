"""Carrying a period over to the next question: « et l'an dernier ? » after « mai 2026 » is May 2025, not the whole of
2025.
"""

from __future__ import annotations

from datetime import date, timedelta

from datapilot_kernel.nl2sql.local.tokens import fold
from datapilot_kernel.plan.model import Between, CalendarPeriod, LastPeriod, Period, ToDate
from datapilot_kernel.plan.periods import resolve, shift_year
from datapilot_kernel.semantic.model import Calendar

_YEARS = ("year", "fiscal_year")


def carried(base: Period | None, said: Period, typed: str, *, today: date, calendar: Calendar) -> Period:
    """Return what ``said`` means after a question about ``base``.

    Parameters
    ----------
    typed
        The words of ``said``: « le mois d'avant » counts back from the base, « le mois dernier » from today.
    """
    if base is None:
        return said
    if said == ToDate(unit="year", offset=-1) and fold(typed) and {"meme", "same"} & set(fold(typed).split()):
        # « l'an dernier à la même époque »: as far as the base has come, a year before.
        return _as_far_a_year_before(base, today, calendar)
    if not isinstance(said, CalendarPeriod):
        return said
    start = resolve(base, today=today, calendar=calendar).start
    if start is None:
        return said
    if said.number is not None and said.year is None and said.year_offset is None and not _covers_years(base):
        # « et en avril ? » after May 2025.
        return said.model_copy(update={"year": start.year})
    if said.offset != -1:
        return said
    if said.unit == "year" and not _is_year(base) and not isinstance(base, Between):
        if isinstance(base, ToDate):
            return base.model_copy(update={"offset": base.offset - 1})
        if (
            isinstance(base, CalendarPeriod)
            and base.number is not None
            and base.unit in ("month", "quarter", "semester", "week")
        ):
            return CalendarPeriod(unit=base.unit, number=base.number, year=(base.year or start.year) - 1)
        return _dates_a_year_before(base, today, calendar)
    counted_back = any(word in typed.lower() for word in ("avant", "précéd", "preced", "previous", "before"))
    if counted_back and isinstance(base, CalendarPeriod) and base.unit == said.unit and base.offset is not None:
        return base.model_copy(update={"offset": base.offset - 1})
    if counted_back and isinstance(base, CalendarPeriod) and base.unit == said.unit and base.offset is None:
        before = resolve(base, today=today, calendar=calendar).start
        assert before is not None
        day = before - timedelta(days=1)
        if base.unit == "month":
            return CalendarPeriod(unit="month", number=day.month, year=day.year)
        if base.unit == "year":
            return CalendarPeriod(unit="year", year=day.year)
        if base.unit == "quarter":
            return CalendarPeriod(unit="quarter", number=(day.month - 1) // 3 + 1, year=day.year)
        if base.unit == "semester":
            return CalendarPeriod(unit="semester", number=1 if day.month <= 6 else 2, year=day.year)
    return said


def _as_far_a_year_before(base: Period, today: date, calendar: Calendar) -> Period:
    stretch = resolve(base, today=today, calendar=calendar)
    before = _dates_a_year_before(base, today, calendar)
    if stretch.start is None or stretch.end is None or not stretch.start <= today < stretch.end:
        return carried(base, CalendarPeriod(unit="year", offset=-1), "", today=today, calendar=calendar)
    end = before.end if isinstance(before, Between) else None
    day = (stretch.end - timedelta(days=1) - today).days
    return Between(start=before.start, end=end - timedelta(days=day)) if isinstance(before, Between) and end else before


def _dates_a_year_before(base: Period, today: date, calendar: Calendar) -> Period:
    shifted = shift_year(resolve(base, today=today, calendar=calendar), calendar=calendar)
    end = shifted.end - timedelta(days=1) if shifted.end is not None else None
    return Between(start=shifted.start, end=end)


def _is_year(period: Period) -> bool:
    return isinstance(period, CalendarPeriod) and period.unit in _YEARS


def _covers_years(period: Period) -> bool:
    return isinstance(period, LastPeriod) or (isinstance(period, Between) and (period.start is None or period.end is None))
