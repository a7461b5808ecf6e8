"""French public holidays and working days.

Source of the list: article L3133-1 of the French labour code (eleven days); Alsace-Moselle (``FR-57``) adds Good Friday
and 26 December (article L3134-13). Easter Sunday by the "Meeus/Jones/Butcher" algorithm for the Gregorian calendar
(J. Meeus, *Astronomical Algorithms*, chapter 8; first printed anonymously in *Nature*, 20 April 1876): exact for every
year from 1583.

*Jours ouvrés* are Monday to Friday without holidays; *jours ouvrables* are Monday to Saturday without holidays (the
calendar's ``worked_saturday``). The « journée de solidarité » is a working day here, as it is for most companies that
spread it out: a layer cannot say so yet.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import Literal

from datapilot_kernel.semantic.model import Calendar

Region = Literal["FR", "FR-57", "none"]

_FIXED = {
    (1, 1): "new_year",
    (5, 1): "labour_day",
    (5, 8): "victory_1945",
    (7, 14): "bastille_day",
    (8, 15): "assumption",
    (11, 1): "all_saints",
    (11, 11): "armistice_1918",
    (12, 25): "christmas",
}
_AFTER_EASTER = {1: "easter_monday", 39: "ascension", 50: "whit_monday"}


def easter(year: int) -> date:
    """Return Easter Sunday of a Gregorian year.

    >>> easter(2026)
    datetime.date(2026, 4, 5)
    """
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


@cache
def holidays(year: int, region: Region = "FR") -> dict[date, str]:
    """Return the public holidays of a year, in order: the date and its key (``easter_monday``…)."""
    if region == "none":
        return {}
    found = {date(year, month, day): name for (month, day), name in _FIXED.items()}
    sunday = easter(year)
    for days, name in _AFTER_EASTER.items():
        # Ascension may fall on 1 May (2008) or 8 May (1997): one day off, not two.
        found.setdefault(sunday + timedelta(days=days), name)
    if region == "FR-57":
        found[sunday - timedelta(days=2)] = "good_friday"
        found[date(year, 12, 26)] = "second_christmas_day"
    return dict(sorted(found.items()))


def is_holiday(day: date, calendar: Calendar) -> bool:
    """Tell whether ``day`` is a public holiday of this calendar."""
    return day in holidays(day.year, calendar.holidays)


def is_working_day(day: date, calendar: Calendar) -> bool:
    """Tell whether people work on ``day``: no week-end (Saturday counts with ``worked_saturday``), no holiday."""
    last_worked = 6 if calendar.worked_saturday else 5
    return day.isoweekday() <= last_worked and not is_holiday(day, calendar)


def add_working_days(day: date, count: int, calendar: Calendar) -> date:
    """Return the ``count``-th working day after ``day`` (before it, when negative); 0 is ``day`` itself."""
    step = timedelta(days=1 if count > 0 else -1)
    left = abs(count)
    while left:
        day += step
        left -= is_working_day(day, calendar)
    return day


def working_days(start: date, end: date, calendar: Calendar) -> int:
    """Count the working days from ``start`` (included) to ``end`` (excluded)."""
    return sum(is_working_day(start + timedelta(days=n), calendar) for n in range((end - start).days))
