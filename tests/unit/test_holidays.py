from __future__ import annotations

from datetime import date, timedelta

import pytest

from datapilot_kernel.plan.holidays import add_working_days, easter, holidays, is_working_day, working_days
from datapilot_kernel.semantic.model import Calendar

FR = Calendar()
MOSELLE = Calendar(holidays="FR-57")
OUVRABLES = Calendar(worked_saturday=True)


def gauss_easter(year: int) -> date:
    """Gauss's rule with Lichtenberg's correction: another way to the same Sunday."""
    k = year // 100
    m = 15 + (3 * k + 3) // 4 - (8 * k + 13) // 25
    s = 2 - (3 * k + 3) // 4
    a = year % 19
    d = (19 * a + m) % 30
    r = (d + a // 11) // 29
    og = 21 + d - r
    sz = 7 - (year + year // 4 + s) % 7
    return date(year, 3, 1) + timedelta(days=og + 7 - (og - sz) % 7 - 1)


def test_easter_is_gauss_s_for_a_thousand_years() -> None:
    for year in range(1583, 2600):
        assert easter(year) == gauss_easter(year)
        assert easter(year).isoweekday() == 7


@pytest.mark.parametrize(
    ("year", "moving"),
    [
        (2024, [(4, 1), (5, 9), (5, 20)]),
        (2025, [(4, 21), (5, 29), (6, 9)]),
        (2026, [(4, 6), (5, 14), (5, 25)]),
        (2027, [(3, 29), (5, 6), (5, 17)]),
    ],
)
def test_the_eleven_holidays(year: int, moving: list[tuple[int, int]]) -> None:
    fixed = [(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)]
    assert list(holidays(year)) == sorted(date(year, month, day) for month, day in fixed + moving)


def test_ascension_on_another_holiday_is_one_day_off() -> None:
    assert len(holidays(2008)) == 10  # Ascension was on 1 May
    assert len(holidays(1997)) == 10  # and on 8 May
    assert len(holidays(2009)) == 11


def test_moselle_has_two_more() -> None:
    assert set(holidays(2026, "FR-57")) - set(holidays(2026)) == {date(2026, 4, 3), date(2026, 12, 26)}
    assert not is_working_day(date(2026, 4, 3), MOSELLE)
    assert is_working_day(date(2026, 4, 3), FR)


def test_no_holidays() -> None:
    assert holidays(2026, "none") == {}
    assert is_working_day(date(2026, 5, 1), Calendar(holidays="none"))


def test_saturday_is_ouvrable_and_not_ouvre() -> None:
    saturday = date(2026, 11, 21)
    assert not is_working_day(saturday, FR)
    assert is_working_day(saturday, OUVRABLES)
    assert not is_working_day(saturday + timedelta(days=1), OUVRABLES)


def test_may_2026_has_17_jours_ouvres_and_22_ouvrables() -> None:
    # 21 weekdays and 5 Saturdays; 1, 8, 14 and 25 May are holidays on weekdays.
    assert working_days(date(2026, 5, 1), date(2026, 6, 1), FR) == 17
    assert working_days(date(2026, 5, 1), date(2026, 6, 1), OUVRABLES) == 22


def test_working_days_are_counted_over_a_long_weekend() -> None:
    # Thursday 30 April 2026; 1 May is a Friday.
    assert add_working_days(date(2026, 4, 30), 1, FR) == date(2026, 5, 4)
    assert add_working_days(date(2026, 5, 4), -1, FR) == date(2026, 4, 30)
    assert add_working_days(date(2026, 5, 4), 0, FR) == date(2026, 5, 4)
