"""Periods: from « le mois dernier » to two dates, and from a period to the one it is compared with.

A resolved period is a :class:`DateRange`: from ``start`` (included) to ``end`` (excluded), civil dates of the calendar's
time zone. Where instants are stored, the compiler turns these dates into that zone's midnights, so a day of 23 or 25
hours is a day. Nothing here reads a clock: ``today`` is always given.

Rules that people notice:

- Weeks are ISO weeks (Monday; week 1 has the year's first Thursday). With ``week_start: sunday`` a week begins the
  Sunday before and keeps the number of its Monday.
- A date moved by months keeps its day, or takes the month's last one (31 March -> 28 February). A stretch that ends at
  the end of a month ends at the end of the other month too: January-February 2025 compares with all of January-February
  2024.
- A week a year earlier is the week of the same ISO number; week 53 compares with week 52 of a year that has no 53rd.
- A fiscal year is named by the civil year in which it ends or starts (``fiscal_year_named_by``).

Rejected: a library for time (dateutil): the arithmetic is thirty lines, and the kernel's start-up counts.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from datapilot_kernel.plan.compiled import DateRange
from datapilot_kernel.plan.holidays import add_working_days
from datapilot_kernel.plan.model import AllTime, Between, CalendarPeriod, LastPeriod, Period, ToDate, Unit
from datapilot_kernel.plan.period_labels import label_of
from datapilot_kernel.plan.problems import PlanProblem
from datapilot_kernel.semantic.model import Calendar

_DAY = timedelta(days=1)
_MONTHS: dict[Unit, int] = {"month": 1, "quarter": 3, "semester": 6, "year": 12, "fiscal_year": 12, "fiscal_quarter": 3}
_PER_YEAR: dict[Unit, int] = {"month": 12, "quarter": 4, "semester": 2, "fiscal_quarter": 4, "week": 53}

# ── arithmetic ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def add_months(day: date, months: int) -> date:
    """Move by months; the day of the month is kept, or becomes the month's last.

    >>> add_months(date(2024, 3, 31), -1)
    datetime.date(2024, 2, 29)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first = date(year, month + 1, 1)
    length = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - first).days
    return first.replace(day=min(day.day, length))


def add_units(day: date, unit: Unit, count: int) -> date:
    """Move by ``count`` units."""
    if unit == "day":
        return day + timedelta(days=count)
    if unit == "week":
        return day + timedelta(weeks=count)
    return add_months(day, _MONTHS[unit] * count)


def _move_end(end: date, months: int) -> date:
    """Move the excluded end of a stretch: what ended with a month still does."""
    if end.day == 1:
        return add_months(end, months)
    return add_months(end - _DAY, months) + _DAY


def unit_start(day: date, unit: Unit, calendar: Calendar) -> date:
    """Return the first day of the unit that ``day`` is in."""
    if unit == "day":
        return day
    if unit == "week":
        lag = day.isoweekday() % 7 if calendar.week_start == "sunday" else day.weekday()
        return day - timedelta(days=lag)
    first = calendar.fiscal_year_start if unit.startswith("fiscal") else 1
    return add_months(day.replace(day=1), -((day.month - first) % _MONTHS[unit]))


def fiscal_year_name(start: date, calendar: Calendar) -> int:
    """Return the civil year that names the fiscal year which starts on ``start``."""
    ends_next_year = calendar.fiscal_year_start > 1 and calendar.fiscal_year_named_by == "end"
    return start.year + ends_next_year


def fiscal_year_start(name: int, calendar: Calendar) -> date:
    """Return the first day of the fiscal year of that name."""
    ends_next_year = calendar.fiscal_year_start > 1 and calendar.fiscal_year_named_by == "end"
    return date(name - ends_next_year, calendar.fiscal_year_start, 1)


def iso_week_start(year: int, week: int, calendar: Calendar) -> date | None:
    """Return the first day of an ISO week; None when the year has no such week."""
    try:
        monday = date.fromisocalendar(year, week, 1)
    except ValueError:
        return None
    return monday - _DAY if calendar.week_start == "sunday" else monday


def iso_week(start: date, calendar: Calendar) -> tuple[int, int]:
    """Return (ISO year, number) of the week that starts on ``start``."""
    monday = start + _DAY if calendar.week_start == "sunday" else start
    year, week, _ = monday.isocalendar()
    return year, week


def midnight(day: date, calendar: Calendar) -> datetime:
    """Return the instant at which ``day`` begins in the calendar's time zone."""
    return datetime.combine(day, time(), ZoneInfo(calendar.timezone))


# ── resolution ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def resolve(period: Period, *, today: date, calendar: Calendar) -> DateRange:
    """Resolve a symbolic period on the day ``today``.

    Raises
    ------
    PlanProblem
        ``period_not_possible``: no such period (week 53 of a year of 52, a 13th month, an end before its start).
    """
    try:
        start, end = _bounds(period, today, calendar)
    except (ValueError, OverflowError) as error:  # beyond year 1 or 9999
        raise PlanProblem("period_not_possible") from error
    if start is not None and end is not None and end <= start:
        raise PlanProblem("period_not_possible")
    return DateRange(start, end, label_of(start, end, _unit_of(period), calendar))


def _bounds(period: Period, today: date, calendar: Calendar) -> tuple[date | None, date | None]:
    match period:
        case AllTime():
            return None, None
        case Between():
            return period.start, None if period.end is None else period.end + _DAY
        case CalendarPeriod():
            start = _calendar_start(period, today, calendar)
            return start, add_units(start, period.unit, period.count)
        case LastPeriod():
            return _last(period, today, calendar)
        case ToDate():
            start = unit_start(today, period.unit, calendar)
            return add_units(start, period.unit, period.offset), _to_date_end(period, today)


def _to_date_end(period: ToDate, today: date) -> date:
    end = today + _DAY
    if period.offset == 0:
        return end
    if period.unit in ("day", "week"):
        return add_units(end, period.unit, period.offset)
    return _move_end(end, _MONTHS[period.unit] * period.offset)


def _calendar_start(period: CalendarPeriod, today: date, calendar: Calendar) -> date:
    unit = period.unit
    if period.offset is not None:
        if period.number is not None or period.year is not None or period.year_offset is not None:
            raise PlanProblem("period_not_possible")
        return add_units(unit_start(today, unit, calendar), unit, period.offset)
    current = _year_of(unit_start(today, unit, calendar), unit, calendar)
    year = current + period.year_offset if period.year is None and period.year_offset is not None else period.year
    if period.number is None:
        if year is None:
            return unit_start(today, unit, calendar)
        if unit == "year":
            return date(year, 1, 1)
        if unit == "fiscal_year":
            return fiscal_year_start(year, calendar)
        raise PlanProblem("period_not_possible")
    if unit not in _PER_YEAR or period.number > _PER_YEAR[unit]:
        raise PlanProblem("period_not_possible")
    if year is not None:
        start = _numbered(unit, period.number, year, calendar)
    else:
        # The latest that has begun; an ISO week 53 may be several years back.
        candidates = (_numbered(unit, period.number, current - back, calendar) for back in range(-1, 8))
        start = next((day for day in candidates if day is not None and day <= today), None)
    if start is None:
        raise PlanProblem("period_not_possible")
    return start


def _year_of(start: date, unit: Unit, calendar: Calendar) -> int:
    if unit == "week":
        return iso_week(start, calendar)[0]
    if unit.startswith("fiscal"):
        return fiscal_year_name(unit_start(start, "fiscal_year", calendar), calendar)
    return start.year


def _numbered(unit: Unit, number: int, year: int, calendar: Calendar) -> date | None:
    if unit == "week":
        return iso_week_start(year, number, calendar)
    first = fiscal_year_start(year, calendar) if unit == "fiscal_quarter" else date(year, 1, 1)
    return add_units(first, unit, number - 1)


def _last(period: LastPeriod, today: date, calendar: Calendar) -> tuple[date, date]:
    unit, count = period.unit, period.count
    if unit == "working_day":
        return _last_working_days(period, today, calendar)
    current = unit_start(today, unit, calendar)
    if period.next:
        first = add_units(current, unit, 1) if period.complete else today
        end = add_units(first, unit, count)
        return first, end
    if period.complete:
        return add_units(current, unit, -count), current
    end = today + _DAY
    return add_units(end, unit, -count), end


def _last_working_days(period: LastPeriod, today: date, calendar: Calendar) -> tuple[date, date]:
    if period.next:
        anchor = today if period.complete else today - _DAY
        return anchor + _DAY, add_working_days(anchor, period.count, calendar) + _DAY
    anchor = today if period.complete else today + _DAY
    return add_working_days(anchor, -period.count, calendar), anchor


def _unit_of(period: Period) -> Unit | None:
    return period.unit if isinstance(period, CalendarPeriod) and period.count == 1 else None


# ── the period compared with ───────────────────────────────────────────────────────────────────────────────────────────


def is_over(period: DateRange, today: date) -> bool:
    """Tell whether the whole period lies before today's end."""
    return period.end is not None and period.end <= today + _DAY


def previous(period: Period, *, today: date, calendar: Calendar) -> DateRange:
    """Return the stretch just before: the unit before for whole units, else as many days.

    A period *to date* compares with the same stretch of the unit before. A unit that is not over compares with the whole
    unit before (the compiler says so in a note).

    Raises
    ------
    PlanProblem
        ``comparison_needs_period``: the period has no start, or no end and has not begun.
    """
    if isinstance(period, ToDate):
        return resolve(period.model_copy(update={"offset": period.offset - 1}), today=today, calendar=calendar)
    this = _until_today(resolve(period, today=today, calendar=calendar), today)
    if this.start is None or this.end is None:
        raise PlanProblem("comparison_needs_period")
    unit: Unit | None = None
    if isinstance(period, CalendarPeriod):
        start = add_units(this.start, period.unit, -period.count)
        unit = _unit_of(period)
    elif isinstance(period, LastPeriod):
        start = (
            add_working_days(this.start, -period.count, calendar)
            if period.unit == "working_day"
            else add_units(this.start, period.unit, -period.count)
        )
    else:
        start = _before(this.start, this.end)
    return DateRange(start, this.start, label_of(start, this.start, unit, calendar))


def _until_today(period: DateRange, today: date) -> DateRange:
    """« Depuis janvier » is compared as far as it has come: to the end of today."""
    if period.end is None and period.start is not None and period.start <= today:
        return DateRange(period.start, today + _DAY, period.label)
    return period


def _before(start: date, end: date) -> date:
    if start.day == 1 and end.day == 1:
        return add_months(start, -((end.year - start.year) * 12 + end.month - start.month))
    return start - (end - start)


def shift_year(period: DateRange, years: int = -1, *, calendar: Calendar, unit: Unit | None = None) -> DateRange:
    """Return the same stretch ``years`` later (earlier, when negative).

    With ``unit="week"`` (a period that is whole ISO weeks): the weeks of the same numbers.
    """
    start, end = period.start, period.end
    if unit == "week" and start is not None and end is not None:
        year, week = iso_week(start, calendar)
        moved = iso_week_start(year + years, week, calendar) or iso_week_start(year + years, 52, calendar)
        assert moved is not None
        start, end = moved, moved + (end - start)
    else:
        start = None if start is None else add_months(start, 12 * years)
        end = None if end is None else _move_end(end, 12 * years)
    return DateRange(start, end, label_of(start, end, unit, calendar))


def same_last_year(period: Period, *, today: date, calendar: Calendar) -> DateRange:
    """Return the same stretch a year earlier; to date when the period is not over.

    « 2026 », asked on 22 November 2026, compares with 1 January to 22 November 2025.
    """
    this = _until_today(resolve(period, today=today, calendar=calendar), today)
    if this.start is None or this.end is None:
        raise PlanProblem("comparison_needs_period")
    week = isinstance(period, CalendarPeriod | LastPeriod) and period.unit == "week"
    week = week and not (isinstance(period, LastPeriod) and not period.complete)
    if this.start <= today and this.end > today + _DAY:
        elapsed = today + _DAY
        if week:
            moved = shift_year(this, calendar=calendar, unit="week")
            assert moved.start is not None
            start, end = moved.start, moved.start + (elapsed - this.start)
            return DateRange(start, end, label_of(start, end, None, calendar))
        return shift_year(DateRange(this.start, elapsed, ""), calendar=calendar)
    return shift_year(this, calendar=calendar, unit="week" if week else _unit_of(period))
