"""Periods: every kind, at the edges of the calendar. Expectations were written by hand from a calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapilot_kernel.messages import set_language
from datapilot_kernel.plan.model import AllTime, Between, CalendarPeriod, LastPeriod, Period, ToDate
from datapilot_kernel.plan.periods import (
    add_months,
    add_units,
    iso_week_start,
    midnight,
    previous,
    resolve,
    same_last_year,
    shift_year,
    unit_start,
)
from datapilot_kernel.plan.problems import PlanProblem
from datapilot_kernel.semantic.model import Calendar

CIVIL = Calendar()
APRIL = Calendar(fiscal_year_start=4)
APRIL_START = Calendar(fiscal_year_start=4, fiscal_year_named_by="start")
SUNDAY = Calendar(week_start="sunday")
TODAY = date(2026, 11, 22)  # a Sunday

C, L, B, TD = CalendarPeriod, LastPeriod, Between, ToDate


def days(text: str) -> tuple[date | None, date | None]:
    """``"2026-05-01 2026-05-31"``: both included; ``*`` is open."""
    start, end = text.split()
    return (
        None if start == "*" else date.fromisoformat(start),
        None if end == "*" else date.fromisoformat(end) + timedelta(days=1),
    )


@pytest.mark.parametrize(
    ("period", "expected", "label"),
    [
        (C(unit="day", offset=0), "2026-11-22 2026-11-22", "22 novembre 2026"),
        (C(unit="day", offset=-1), "2026-11-21 2026-11-21", "21 novembre 2026"),
        (C(unit="week", offset=0), "2026-11-16 2026-11-22", "semaine 47 de 2026 (du 16 au 22 novembre 2026)"),
        (C(unit="week", offset=-1), "2026-11-09 2026-11-15", "semaine 46 de 2026 (du 9 au 15 novembre 2026)"),
        (C(unit="month", offset=0), "2026-11-01 2026-11-30", "novembre 2026"),
        (C(unit="month", offset=-1), "2026-10-01 2026-10-31", "octobre 2026"),
        (C(unit="month", offset=-11), "2025-12-01 2025-12-31", "décembre 2025"),
        (C(unit="month", offset=2), "2027-01-01 2027-01-31", "janvier 2027"),
        (C(unit="quarter", offset=0), "2026-10-01 2026-12-31", "T4 2026"),
        (C(unit="quarter", offset=-1), "2026-07-01 2026-09-30", "T3 2026"),
        (C(unit="semester", offset=0), "2026-07-01 2026-12-31", "2e semestre 2026"),
        (C(unit="semester", offset=-2), "2025-07-01 2025-12-31", "2e semestre 2025"),
        (C(unit="year", offset=0), "2026-01-01 2026-12-31", "2026"),
        (C(unit="year", offset=-1), "2025-01-01 2025-12-31", "2025"),
        (C(unit="year", year=2024), "2024-01-01 2024-12-31", "2024"),
        (C(unit="year", year_offset=-2), "2024-01-01 2024-12-31", "2024"),
        (C(unit="year"), "2026-01-01 2026-12-31", "2026"),
        (C(unit="month", number=5), "2026-05-01 2026-05-31", "mai 2026"),
        (C(unit="month", number=12), "2025-12-01 2025-12-31", "décembre 2025"),  # December 2026 has not begun
        (C(unit="month", number=11), "2026-11-01 2026-11-30", "novembre 2026"),
        (C(unit="month", number=2, year=2024), "2024-02-01 2024-02-29", "février 2024"),
        (C(unit="month", number=5, year_offset=-1), "2025-05-01 2025-05-31", "mai 2025"),
        (C(unit="quarter", number=2), "2026-04-01 2026-06-30", "T2 2026"),
        (C(unit="quarter", number=2, year_offset=-1), "2025-04-01 2025-06-30", "T2 2025"),
        (C(unit="semester", number=1, year=2025), "2025-01-01 2025-06-30", "1er semestre 2025"),
        (C(unit="week", number=20), "2026-05-11 2026-05-17", "semaine 20 de 2026 (du 11 au 17 mai 2026)"),
        (C(unit="week", number=1, year=2026), "2025-12-29 2026-01-04", "semaine 1 de 2026 (du 29 décembre 2025 au 4 janvier 2026)"),
        (C(unit="week", number=53, year=2026), "2026-12-28 2027-01-03", "semaine 53 de 2026 (du 28 décembre 2026 au 3 janvier 2027)"),
        (C(unit="week", number=53), "2020-12-28 2021-01-03", "semaine 53 de 2020 (du 28 décembre 2020 au 3 janvier 2021)"),
        (C(unit="month", number=3, year=2026, count=2), "2026-03-01 2026-04-30", "mars à avril 2026"),
        (C(unit="month", number=11, year=2025, count=3), "2025-11-01 2026-01-31", "novembre 2025 à janvier 2026"),
        (C(unit="year", year=2024, count=2), "2024-01-01 2025-12-31", "janvier 2024 à décembre 2025"),
        (L(count=3, unit="month"), "2026-08-01 2026-10-31", "août à octobre 2026"),
        (L(count=1, unit="month"), "2026-10-01 2026-10-31", "octobre 2026"),
        (L(count=12, unit="month", complete=False), "2025-11-23 2026-11-22", "du 23 novembre 2025 au 22 novembre 2026"),
        (L(count=30, unit="day", complete=False), "2026-10-24 2026-11-22", "du 24 octobre au 22 novembre 2026"),
        (L(count=1, unit="day", complete=False), "2026-11-22 2026-11-22", "22 novembre 2026"),
        (L(count=7, unit="day"), "2026-11-15 2026-11-21", "du 15 au 21 novembre 2026"),
        (L(count=2, unit="week"), "2026-11-02 2026-11-15", "du 2 au 15 novembre 2026"),
        (L(count=4, unit="quarter"), "2025-10-01 2026-09-30", "octobre 2025 à septembre 2026"),
        (L(count=2, unit="semester"), "2025-07-01 2026-06-30", "juillet 2025 à juin 2026"),
        (L(count=1, unit="year", complete=False), "2025-11-23 2026-11-22", "du 23 novembre 2025 au 22 novembre 2026"),
        (L(count=2, unit="month", next=True), "2026-12-01 2027-01-31", "décembre 2026 à janvier 2027"),
        (L(count=30, unit="day", next=True, complete=False), "2026-11-22 2026-12-21", "du 22 novembre au 21 décembre 2026"),
        (L(count=5, unit="working_day"), "2026-11-16 2026-11-21", "du 16 au 21 novembre 2026"),
        # Wednesday 11 November is a holiday: the ten before today go back to Friday 6.
        (L(count=10, unit="working_day"), "2026-11-06 2026-11-21", "du 6 au 21 novembre 2026"),
        (L(count=1, unit="working_day", complete=False), "2026-11-20 2026-11-22", "du 20 au 22 novembre 2026"),
        (L(count=2, unit="working_day", next=True), "2026-11-23 2026-11-24", "du 23 au 24 novembre 2026"),
        (TD(unit="year"), "2026-01-01 2026-11-22", "du 1er janvier au 22 novembre 2026"),
        (TD(unit="year", offset=-1), "2025-01-01 2025-11-22", "du 1er janvier au 22 novembre 2025"),
        (TD(unit="month"), "2026-11-01 2026-11-22", "du 1er au 22 novembre 2026"),
        (TD(unit="month", offset=-1), "2026-10-01 2026-10-22", "du 1er au 22 octobre 2026"),
        (TD(unit="quarter", offset=-1), "2026-07-01 2026-08-22", "du 1er juillet au 22 août 2026"),
        (TD(unit="semester", offset=-1), "2026-01-01 2026-05-22", "du 1er janvier au 22 mai 2026"),
        (TD(unit="week", offset=-1), "2026-11-09 2026-11-15", "du 9 au 15 novembre 2026"),
        (TD(unit="day", offset=-1), "2026-11-21 2026-11-21", "21 novembre 2026"),
        (B(start=date(2026, 5, 1), end=date(2026, 5, 31)), "2026-05-01 2026-05-31", "mai 2026"),
        (B(start=date(2026, 5, 14), end=date(2026, 5, 14)), "2026-05-14 2026-05-14", "14 mai 2026"),
        (B(start=date(2026, 5, 3)), "2026-05-03 *", "depuis le 3 mai 2026"),
        (B(end=date(2026, 5, 1)), "* 2026-05-01", "jusqu’au 1er mai 2026"),
        (B(start=date(2025, 12, 30), end=date(2026, 1, 2)), "2025-12-30 2026-01-02", "du 30 décembre 2025 au 2 janvier 2026"),
        (AllTime(), "* *", "toutes les dates"),
    ],
)  # fmt: skip
def test_civil_periods(period: Period, expected: str, label: str) -> None:
    found = resolve(period, today=TODAY, calendar=CIVIL)
    assert (found.start, found.end) == days(expected)
    assert found.label == label


@pytest.mark.parametrize(
    ("calendar", "period", "expected", "label"),
    [
        (APRIL, C(unit="fiscal_year", offset=0), "2026-04-01 2027-03-31", "exercice 2027"),
        (APRIL, C(unit="fiscal_year", offset=-1), "2025-04-01 2026-03-31", "exercice 2026"),
        (APRIL, C(unit="fiscal_year", year=2025), "2024-04-01 2025-03-31", "exercice 2025"),
        (APRIL_START, C(unit="fiscal_year", year=2025), "2025-04-01 2026-03-31", "exercice 2025"),
        (APRIL_START, C(unit="fiscal_year"), "2026-04-01 2027-03-31", "exercice 2026"),
        (APRIL, C(unit="fiscal_quarter", number=1), "2026-04-01 2026-06-30", "T1 de l’exercice 2027"),
        (APRIL, C(unit="fiscal_quarter", number=4), "2026-01-01 2026-03-31", "T4 de l’exercice 2026"),
        (APRIL, C(unit="fiscal_quarter", number=4, year=2027), "2027-01-01 2027-03-31", "T4 de l’exercice 2027"),
        (APRIL, C(unit="fiscal_quarter", offset=0), "2026-10-01 2026-12-31", "T3 de l’exercice 2027"),
        (APRIL, TD(unit="fiscal_year"), "2026-04-01 2026-11-22", "du 1er avril au 22 novembre 2026"),
        (APRIL, TD(unit="fiscal_year", offset=-1), "2025-04-01 2025-11-22", "du 1er avril au 22 novembre 2025"),
        (APRIL, L(count=2, unit="fiscal_year"), "2024-04-01 2026-03-31", "avril 2024 à mars 2026"),
        (CIVIL, C(unit="fiscal_year", year=2025), "2025-01-01 2025-12-31", "2025"),
        (CIVIL, C(unit="fiscal_quarter", number=2), "2026-04-01 2026-06-30", "T2 2026"),
        (Calendar(fiscal_year_start=9), C(unit="fiscal_quarter", offset=0), "2026-09-01 2026-11-30", "T1 de l’exercice 2027"),
        (Calendar(fiscal_year_start=12), C(unit="fiscal_year", offset=0), "2025-12-01 2026-11-30", "exercice 2026"),
        (SUNDAY, C(unit="week", offset=0), "2026-11-22 2026-11-28", "semaine 48 de 2026 (du 22 au 28 novembre 2026)"),
        (SUNDAY, C(unit="week", number=1, year=2026), "2025-12-28 2026-01-03", "semaine 1 de 2026 (du 28 décembre 2025 au 3 janvier 2026)"),
    ],
)  # fmt: skip
def test_other_calendars(calendar: Calendar, period: Period, expected: str, label: str) -> None:
    found = resolve(period, today=TODAY, calendar=calendar)
    assert (found.start, found.end) == days(expected)
    assert found.label == label


@pytest.mark.parametrize(
    "period",
    [
        C(unit="month", number=13),
        C(unit="quarter", number=5),
        C(unit="semester", number=3),
        C(unit="week", number=53, year=2025),
        C(unit="day", number=4),
        C(unit="year", number=4),
        C(unit="month", year=2025),
        C(unit="month", offset=-1, year=2025),
        C(unit="year", offset=-3000),
        B(start=date(2026, 5, 2), end=date(2026, 5, 1)),
        L(count=4000, unit="year"),
    ],
)
def test_periods_that_do_not_exist(period: Period) -> None:
    with pytest.raises(PlanProblem) as caught:
        resolve(period, today=TODAY, calendar=CIVIL)
    assert caught.value.reason == "period_not_possible"


@pytest.mark.parametrize(
    ("today", "period", "expected"),
    [
        # The day before, the day of, the day after 29 February.
        (date(2024, 2, 28), TD(unit="year", offset=-1), "2023-01-01 2023-02-28"),
        (date(2024, 2, 29), TD(unit="year", offset=-1), "2023-01-01 2023-02-28"),
        (date(2024, 3, 1), TD(unit="year", offset=-1), "2023-01-01 2023-03-01"),
        # What ends with February compares with all of February.
        (date(2025, 2, 28), TD(unit="year", offset=-1), "2024-01-01 2024-02-29"),
        (date(2025, 2, 27), TD(unit="year", offset=-1), "2024-01-01 2024-02-27"),
        (date(2026, 3, 31), TD(unit="month", offset=-1), "2026-02-01 2026-02-28"),
        (date(2026, 3, 30), TD(unit="month", offset=-1), "2026-02-01 2026-02-28"),
        (date(2026, 3, 29), TD(unit="month", offset=-1), "2026-02-01 2026-02-28"),
        (date(2026, 3, 28), TD(unit="month", offset=-1), "2026-02-01 2026-02-28"),
        (date(2026, 3, 27), TD(unit="month", offset=-1), "2026-02-01 2026-02-27"),
        (date(2026, 4, 30), TD(unit="month", offset=-1), "2026-03-01 2026-03-31"),
        (date(2024, 2, 29), L(count=12, unit="month", complete=False), "2023-03-01 2024-02-29"),
        (date(2024, 3, 31), L(count=1, unit="month", complete=False), "2024-03-01 2024-03-31"),
        (date(2026, 1, 1), C(unit="month", offset=-1), "2025-12-01 2025-12-31"),
        (date(2026, 1, 1), C(unit="week", offset=0), "2025-12-29 2026-01-04"),
        (date(2026, 1, 1), C(unit="week", number=1), "2025-12-29 2026-01-04"),
        (date(2025, 12, 29), C(unit="week", number=1), "2025-12-29 2026-01-04"),
        (date(2025, 12, 28), C(unit="week", number=1), "2024-12-30 2025-01-05"),
        (date(2027, 1, 1), C(unit="week", offset=0), "2026-12-28 2027-01-03"),
        (date(2027, 1, 1), C(unit="week", number=53), "2026-12-28 2027-01-03"),
        (date(2026, 1, 1), C(unit="quarter", number=4), "2025-10-01 2025-12-31"),
        (date(2026, 1, 1), TD(unit="year"), "2026-01-01 2026-01-01"),
    ],
)
def test_edges(today: date, period: Period, expected: str) -> None:
    found = resolve(period, today=today, calendar=CIVIL)
    assert (found.start, found.end) == days(expected)


@pytest.mark.parametrize(
    ("period", "before", "year_before"),
    [
        (C(unit="month", offset=-1), "2026-09-01 2026-09-30", "2025-10-01 2025-10-31"),
        (C(unit="month", number=2, year=2025), "2025-01-01 2025-01-31", "2024-02-01 2024-02-29"),
        (C(unit="month", number=3, year=2024), "2024-02-01 2024-02-29", "2023-03-01 2023-03-31"),
        (C(unit="quarter", number=1, year=2026), "2025-10-01 2025-12-31", "2025-01-01 2025-03-31"),
        (C(unit="year", offset=-1), "2024-01-01 2024-12-31", "2024-01-01 2024-12-31"),
        (C(unit="year", offset=0), "2025-01-01 2025-12-31", "2025-01-01 2025-11-22"),  # not over: to date
        (C(unit="month", offset=0), "2026-10-01 2026-10-31", "2025-11-01 2025-11-22"),
        (C(unit="week", number=20), "2026-05-04 2026-05-10", "2025-05-12 2025-05-18"),
        (C(unit="week", number=53, year=2020), "2020-12-21 2020-12-27", "2019-12-23 2019-12-29"),  # week 52
        (C(unit="week", number=1, year=2021), "2020-12-28 2021-01-03", "2019-12-30 2020-01-05"),
        (C(unit="month", number=3, year=2026, count=2), "2026-01-01 2026-02-28", "2025-03-01 2025-04-30"),
        (L(count=3, unit="month"), "2026-05-01 2026-07-31", "2025-08-01 2025-10-31"),
        (L(count=12, unit="month", complete=False), "2024-11-23 2025-11-22", "2024-11-23 2025-11-22"),
        (L(count=30, unit="day", complete=False), "2026-09-24 2026-10-23", "2025-10-24 2025-11-22"),
        (L(count=5, unit="working_day"), "2026-11-06 2026-11-15", "2025-11-16 2025-11-21"),
        (TD(unit="year"), "2025-01-01 2025-11-22", "2025-01-01 2025-11-22"),
        (TD(unit="month"), "2026-10-01 2026-10-22", "2025-11-01 2025-11-22"),
        (B(start=date(2026, 5, 4), end=date(2026, 5, 10)), "2026-04-27 2026-05-03", "2025-05-04 2025-05-10"),
        (B(start=date(2026, 4, 1), end=date(2026, 6, 30)), "2026-01-01 2026-03-31", "2025-04-01 2025-06-30"),
        (B(start=date(2024, 2, 29), end=date(2024, 2, 29)), "2024-02-28 2024-02-28", "2023-02-28 2023-02-28"),
    ],
)
def test_what_a_period_is_compared_with(period: Period, before: str, year_before: str) -> None:
    found = previous(period, today=TODAY, calendar=CIVIL)
    assert (found.start, found.end) == days(before)
    found = same_last_year(period, today=TODAY, calendar=CIVIL)
    assert (found.start, found.end) == days(year_before)


def test_an_unfinished_week_compares_to_date_with_the_week_of_its_number() -> None:
    found = same_last_year(C(unit="week", offset=0), today=date(2026, 11, 18), calendar=CIVIL)
    assert (found.start, found.end) == days("2025-11-17 2025-11-19")


@pytest.mark.parametrize("period", [AllTime(), B(start=date(2027, 1, 1)), B(end=date(2026, 1, 1))])
def test_an_open_period_compares_with_nothing(period: Period) -> None:
    for compare in (previous, same_last_year):
        with pytest.raises(PlanProblem) as caught:
            compare(period, today=TODAY, calendar=CIVIL)
        assert caught.value.reason == "comparison_needs_period"


def test_labels_in_english() -> None:
    set_language("en")
    try:
        assert resolve(C(unit="month", offset=-1), today=TODAY, calendar=CIVIL).label == "October 2026"
        assert resolve(TD(unit="year"), today=TODAY, calendar=CIVIL).label == "1 January to 22 November 2026"
        assert resolve(C(unit="fiscal_year", offset=0), today=TODAY, calendar=APRIL).label == "fiscal year 2027"
    finally:
        set_language("fr")


# ── properties ─────────────────────────────────────────────────────────────────────────────────────────────────────────

DAYS = st.dates(date(1950, 1, 1), date(2150, 12, 31))
UNITS = st.sampled_from(["day", "week", "month", "quarter", "semester", "year", "fiscal_year", "fiscal_quarter"])
CALENDARS = st.builds(
    Calendar,
    fiscal_year_start=st.integers(1, 12),
    fiscal_year_named_by=st.sampled_from(["start", "end"]),
    week_start=st.sampled_from(["monday", "sunday"]),
)


@given(day=DAYS, unit=UNITS, calendar=CALENDARS)
def test_every_day_is_in_its_unit_and_units_follow_one_another(day: date, unit: str, calendar: Calendar) -> None:
    start = unit_start(day, unit, calendar)  # type: ignore[arg-type]
    end = add_units(start, unit, 1)  # type: ignore[arg-type]
    assert start <= day < end
    assert unit_start(end - timedelta(days=1), unit, calendar) == start  # type: ignore[arg-type]
    assert unit_start(end, unit, calendar) == end  # type: ignore[arg-type]
    assert add_units(end, unit, -1) == start  # type: ignore[arg-type]


@given(day=DAYS)
def test_week_numbers_are_iso_s(day: date) -> None:
    year, week, _ = day.isocalendar()
    start = iso_week_start(year, week, CIVIL)
    assert start is not None
    assert start <= day < start + timedelta(days=7)


@given(day=DAYS, months=st.integers(-600, 600))
def test_months_keep_the_day_or_take_the_last(day: date, months: int) -> None:
    moved = add_months(day, months)
    assert moved.day <= day.day
    assert (moved.year * 12 + moved.month) - (day.year * 12 + day.month) == months
    if moved.day < day.day:
        assert (moved + timedelta(days=1)).day == 1


@given(today=DAYS, unit=UNITS, offset=st.integers(-30, 30), count=st.integers(1, 12), calendar=CALENDARS)
def test_the_period_before_ends_where_the_period_starts(
    today: date, unit: str, offset: int, count: int, calendar: Calendar
) -> None:
    for period in (
        CalendarPeriod(unit=unit, offset=offset, count=count),  # type: ignore[arg-type]
        LastPeriod(unit=unit, count=count),  # type: ignore[arg-type]
        LastPeriod(unit=unit, count=count, complete=False),  # type: ignore[arg-type]
    ):
        this = resolve(period, today=today, calendar=calendar)
        before = previous(period, today=today, calendar=calendar)
        assert before.end == this.start
        assert before.start is not None
        assert before.end is not None
        assert before.start < before.end


@given(today=DAYS, unit=UNITS, calendar=CALENDARS)
def test_to_date_never_goes_beyond_today_and_a_year_back_stays_in_its_unit(
    today: date, unit: str, calendar: Calendar
) -> None:
    for offset in (0, -1):
        found = resolve(ToDate(unit=unit, offset=offset), today=today, calendar=calendar)  # type: ignore[arg-type]
        whole = resolve(CalendarPeriod(unit=unit, offset=offset), today=today, calendar=calendar)  # type: ignore[arg-type]
        assert found.start == whole.start
        assert found.end is not None
        assert whole.end is not None
        assert found.end <= whole.end


@given(start=DAYS, length=st.integers(1, 800))
def test_a_year_back_and_forth(start: date, length: int) -> None:
    end = start + timedelta(days=length)
    period = resolve(Between(start=start, end=end - timedelta(days=1)), today=TODAY, calendar=CIVIL)
    moved = shift_year(period, calendar=CIVIL)
    assert moved.start is not None
    assert moved.end is not None
    assert (moved.start.year, moved.start.month) == (start.year - 1, start.month)
    assert moved.start < moved.end


def test_days_begin_at_midnight_in_paris_also_when_clocks_change() -> None:
    assert midnight(date(2026, 3, 29), CIVIL) == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert midnight(date(2026, 3, 30), CIVIL) == datetime(2026, 3, 29, 22, tzinfo=UTC)  # a day of 23 hours
    assert midnight(date(2026, 10, 25), CIVIL) == datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert midnight(date(2026, 10, 26), CIVIL) == datetime(2026, 10, 25, 23, tzinfo=UTC)  # a day of 25 hours


def test_an_open_stretch_is_compared_as_far_as_it_has_come() -> None:
    """« Depuis janvier, par rapport à N-1 »: 1 January to today against the same days a year earlier."""
    since = Between(start=date(2026, 1, 1))
    day = date(2026, 6, 17)
    earlier = same_last_year(since, today=day, calendar=Calendar())
    assert (earlier.start, earlier.end) == (date(2025, 1, 1), date(2025, 6, 18))
    with pytest.raises(PlanProblem):
        same_last_year(Between(start=date(2026, 7, 1)), today=day, calendar=Calendar())
    with pytest.raises(PlanProblem):
        same_last_year(Between(end=date(2026, 7, 1)), today=day, calendar=Calendar())
