"""What each pattern of the grammar of periods builds: a match, read as a symbolic :class:`Period` of the plan.

The names of the builders are those that ``words/periods.LANG.toml`` uses. A period that does not exist raises
:class:`NoSuchPeriod`, and the question says so instead of another period being taken.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Protocol, cast

from datapilot_kernel.plan.holidays import easter
from datapilot_kernel.plan.model import AllTime, Between, CalendarPeriod, LastPeriod, Period, ToDate, Unit


class Names(Protocol):
    """The names of one language that a match is read with."""

    months: dict[str, int]
    weekdays: dict[str, int]
    units: dict[str, str]
    ordinals: dict[str, int]
    holidays: dict[str, str]
    seasons: dict[str, str]


class NoSuchPeriod(Exception):
    """What was named does not exist (« 31 février »), or cannot be expressed."""


class Match:
    """A match with its named groups read as values."""

    def __init__(self, found: re.Match[str], words: Names, today: date) -> None:
        self.groups = {k: v for k, v in found.groupdict().items() if v is not None}
        self.words, self.today = words, today

    def whole(self, name: str) -> int | None:
        """Return a group as a whole number."""
        raw = self.groups.get(name)
        return None if raw is None else int(raw)

    def year(self, s: str = "1") -> int | None:
        """Return the year said, also within « 2025-05 »."""
        ym = self.groups.get(f"ym{s}")
        return int(ym[:4]) if ym else self.whole(f"year{s}")

    def month(self, s: str = "1") -> int:
        """Return the month, 1 to 12."""
        ym = self.groups.get(f"ym{s}")
        return int(ym[5:]) if ym else self.words.months[self.groups[f"month{s}"]]

    def count(self) -> int:
        """Return how many units; an article is one."""
        raw = self.groups["n1"]
        return int(raw) if raw.isdigit() else 1

    def unit(self) -> str:
        """Return the unit of the calendar."""
        return str(self.words.units[self.groups["unit1"]])

    def nth(self) -> int:
        """Return the number or the ordinal (« 2e », « premier »)."""
        return self.whole("q1") or self.words.ordinals[self.groups["ord1"]]

    def day(self, s: str, *, month: int | None = None, year: int | None = None) -> date:
        """Return the day said; without a year the latest that has begun."""
        iso = self.groups.get(f"iso{s}")
        if iso:
            return date.fromisoformat(iso)
        raw = self.groups.get(f"dd{s}") or self.groups.get(f"dd{s}b") or ""
        number = int(raw) if raw.isdigit() else 1
        name = self.groups.get(f"dm{s}") or self.groups.get(f"dm{s}b")
        month = self.words.months[name] if name else month
        given = self.whole(f"dy{s}") or year
        assert month is not None
        if given is None:
            # « le 3 mai » without a year: the latest that has begun, like a month without a year.
            given = self.today.year if (month, number) <= (self.today.month, self.today.day) else self.today.year - 1
        try:
            return date(given, month, number)
        except ValueError:
            raise NoSuchPeriod from None


def _latest_year(m: Match, month: int) -> int:
    return m.today.year if month <= m.today.month else m.today.year - 1


def _month_last(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def _days(m: Match) -> Period:
    end = m.day("2")
    named_year = m.whole("dy1")
    start = m.day("1", month=end.month, year=named_year or (end.year if "iso1" not in m.groups else None))
    if start > end and named_year is None:
        start = start.replace(year=start.year - 1)
    if start > end:
        raise NoSuchPeriod
    return Between(start=start, end=end)


def _months(m: Match) -> Period:
    last, first = m.month("2"), m.month("1")
    end_year = (
        m.year("2")
        or (m.year("1") if m.year("1") is not None and last >= first else None)
        or _latest_year(m, first if last >= first else last)
    )
    start_year = m.year("1") or (end_year if first <= last else end_year - 1)
    start, end = date(start_year, first, 1), _month_last(end_year, last)
    if start > end:
        raise NoSuchPeriod
    return Between(start=start, end=end)


def _years(m: Match) -> Period:
    first, last = m.year("1") or 0, m.year("2") or 0
    if first > last:
        first, last = last, first
    return Between(start=date(first, 1, 1), end=date(last, 12, 31))


def _since_month(m: Match) -> Period:
    return Between(start=date(m.year() or _latest_year(m, m.month()), m.month(), 1))


def _after_month(m: Match) -> Period:
    return Between(start=_month_last(m.year() or _latest_year(m, m.month()), m.month()) + timedelta(days=1))


def _before_month(m: Match) -> Period:
    return Between(end=date(m.year() or _latest_year(m, m.month()), m.month(), 1) - timedelta(days=1))


def _until_month(m: Match) -> Period:
    return Between(end=_month_last(m.year() or _latest_year(m, m.month()), m.month()))


def _month(m: Match) -> Period:
    return CalendarPeriod(unit="month", number=m.month(), year=m.year())


def _month_short_year(m: Match) -> Period:
    return CalendarPeriod(unit="month", number=m.month(), year=2000 + (m.whole("yy1") or 0))


def _fortnight(m: Match) -> Period:
    year = m.year() or _latest_year(m, m.month())
    if m.groups["half"] in ("premiere", "1ere"):
        return Between(start=date(year, m.month(), 1), end=date(year, m.month(), 15))
    return Between(start=date(year, m.month(), 16), end=_month_last(year, m.month()))


def _back(m: Match) -> Period:
    letter, _, number = m.groups["back"].partition("-")
    unit = {"n": "year", "a": "year", "m": "month", "j": "day", "s": "week", "t": "quarter"}[letter]
    return CalendarPeriod(unit=cast("Unit", unit), offset=-int(number))


def _week(m: Match) -> Period:
    number = m.whole("w1") or 0
    if not 1 <= number <= 53:
        raise NoSuchPeriod
    return CalendarPeriod(unit="week", number=number, year=m.year())


def _weekday(m: Match) -> Period:
    day = _last_weekday(m)
    return Between(start=day, end=day)


def _since_weekday(m: Match) -> Period:
    """« depuis lundi »: since the last one before today, today included."""
    return Between(start=_last_weekday(m))


def _last_weekday(m: Match) -> date:
    return m.today - timedelta(days=(m.today.weekday() - m.words.weekdays[m.groups["weekday1"]]) % 7 or 7)


def _by_day(m: Match) -> Period:
    """« d'ici le 30 juin »: up to the next one, as far as it is to come."""
    day = m.day("1")
    if day < m.today and m.whole("dy1") is None and "iso1" not in m.groups:
        day = day.replace(year=day.year + 1)
    if day < m.today:
        raise NoSuchPeriod
    return Between(end=day)


def _weekend(m: Match) -> Period:
    """The latest week-end that has begun; « dernier » is over."""
    over = m.groups.get("over") is not None
    if "dd1" in m.groups or "dd1b" in m.groups or "iso1" in m.groups:
        day = m.day("1")
        if day.weekday() < 5:
            raise NoSuchPeriod
        saturday = day - timedelta(days=day.weekday() - 5)
    else:
        saturday = m.today - timedelta(days=(m.today.weekday() - 5) % 7)
        if over and m.today.weekday() >= 5:
            saturday -= timedelta(days=7)
    return Between(start=saturday, end=saturday + timedelta(days=1))


def _week_of(m: Match) -> Period:
    day = m.day("1")
    monday = day - timedelta(days=day.weekday())
    return Between(start=monday, end=monday + timedelta(days=6))


_SEASONS = {
    "spring": ((3, 20), (6, 20)), "summer": ((6, 21), (9, 22)), "autumn": ((9, 23), (12, 20)), "winter": ((12, 21), (3, 19)),
}  # fmt: skip
"""First and last day: the calendar's, within a day; the answer shows the dates."""


def _season(m: Match) -> Period:
    """« l'été dernier » is over, « cet hiver » is of this year, a bare one the latest that has begun."""
    name = m.words.seasons[m.groups["season1"]]
    (month, day), (last_month, last_day) = _SEASONS[name]
    over_years = last_month < month

    def of(year: int) -> Between:
        return Between(start=date(year, month, day), end=date(year + over_years, last_month, last_day))

    year = m.year()
    if year is not None:
        second = m.whole("year2")
        if over_years and second != year + 1:
            raise NoSuchPeriod  # « l'hiver 2025 »: which of the two?
        return of(year)
    wanted = of(m.today.year)
    while (wanted.start or m.today) > m.today or ("over" in m.groups and (wanted.end or m.today) >= m.today):
        wanted = of((wanted.start or m.today).year - 1)
    if "this" in m.groups and (wanted.end or m.today).year != m.today.year:
        raise NoSuchPeriod  # « cet été », in May: the one to come?
    if "lastyear" in m.groups:
        wanted = of(m.today.year - 1)
        if over_years:
            raise NoSuchPeriod
    return wanted


_EASTER = {"easter": 0, "easter_monday": 1, "ascension": 39, "whit_sunday": 49, "whit_monday": 50, "good_friday": -2}


def _holiday(m: Match) -> Period:
    """A public holiday: of the year said, or the latest that has begun."""
    name = m.words.holidays[m.groups["holiday1"]]

    def on(year: int) -> date:
        if name in _EASTER:
            return easter(year) + timedelta(days=_EASTER[name])
        month, number = name.split("-")
        return date(year, int(month), int(number))

    offset = -1 if m.groups.get("lastyear") else 0 if m.groups.get("thisyear") else None
    year = m.year() or (None if offset is None else m.today.year + offset)
    if year is None:
        year = m.today.year if on(m.today.year) <= m.today else m.today.year - 1
    return _one_day(on(year))


def _begins(today: date, unit: str) -> date:
    """Return the first day of the running unit (of the civil calendar)."""
    if unit == "week":
        return today - timedelta(days=today.weekday())
    months = {"month": 1, "quarter": 3, "semester": 6, "year": 12}.get(unit)
    if months is None:
        raise NoSuchPeriod
    return date(today.year, (today.month - 1) // months * months + 1, 1)


def _until_yesterday(m: Match) -> Period:
    start, end = _begins(m.today, m.unit()), m.today - timedelta(days=1)
    if start > end:
        raise NoSuchPeriod
    return Between(start=start, end=end)


def _some_of_year(*, last: bool) -> Callable[[Match], Period]:
    """« les 3 premiers mois de 2026 », « les 2 derniers trimestres de 2025 »."""

    def build(m: Match) -> Period:
        months = {"month": 1, "quarter": 3, "semester": 6}.get(m.unit())
        year = m.year() or m.today.year
        if months is None or not 1 <= m.count() * months <= 12:
            raise NoSuchPeriod
        span = m.count() * months
        if last:
            return Between(start=date(year, 13 - span, 1), end=date(year, 12, 31))
        return Between(start=date(year, 1, 1), end=_month_last(year, span))

    return build


def _some_of_month(*, last: bool) -> Callable[[Match], Period]:
    """« les 10 premiers jours de mai »."""

    def build(m: Match) -> Period:
        year, count = m.year() or _latest_year(m, m.month()), m.count()
        end = _month_last(year, m.month())
        if not 1 <= count <= end.day:
            raise NoSuchPeriod
        if last:
            return Between(start=end - timedelta(days=count - 1), end=end)
        return Between(start=end.replace(day=1), end=end.replace(day=count))

    return build


def _third_of_month(m: Match) -> Period:
    """« début mai », « mi-mai »: its first ten days, the ten after; « fin mai »: the rest."""
    year = m.year() or _latest_year(m, m.month())
    first, last = {"debut": (1, 10), "mi": (11, 20)}[m.groups["third"]]
    return Between(start=date(year, m.month(), first), end=date(year, m.month(), last))


def _from_mid_month(m: Match) -> Period:
    return Between(start=date(m.year() or _latest_year(m, m.month()), m.month(), 15))


def _to_mid_month(m: Match) -> Period:
    return Between(end=date(m.year() or _latest_year(m, m.month()), m.month(), 15))


def _to_month_end(m: Match) -> Period:
    year = m.year() or _latest_year(m, m.month())
    return Between(start=date(year, 1, 1), end=_month_last(year, m.month()))


def _months_in_a_row(m: Match) -> Period:
    """« mars, avril et mai 2026 »: one stretch, when they follow each other."""
    first, second, third = m.month("1"), m.month("2"), m.month("3")
    year = m.year("3") or _latest_year(m, third)
    if (first + 1, second + 1) != (second, third):
        raise NoSuchPeriod
    return Between(start=date(year, first, 1), end=_month_last(year, third))


def _last(m: Match) -> Period:
    unit = m.unit()
    # « les 30 derniers jours » runs up to today; « les 3 derniers mois » are whole months.
    return LastPeriod(count=m.count(), unit=cast("Unit", unit), complete=unit not in ("day", "working_day"))


def _sliding(m: Match) -> Period:
    return LastPeriod(count=m.count(), unit=cast("Unit", m.unit()), complete=False)


def _numbered(unit: Unit, highest: int, year_offset: int | None = None) -> Callable[[Match], Period]:
    def build(m: Match) -> Period:
        if not 1 <= m.nth() <= highest:
            # « quatrième » also stands for « dernier »: the last half-year is the second.
            if "ord1" in m.groups and not m.groups["ord1"][0].isdigit() and m.groups["ord1"] in ("dernier", "last"):
                return CalendarPeriod(unit=unit, offset=-1)
            raise NoSuchPeriod
        if m.groups.get("ord1") in ("dernier", "last") and m.year() is None and year_offset is None:
            return CalendarPeriod(unit=unit, offset=-1)
        return CalendarPeriod(unit=unit, number=m.nth(), year=m.year(), year_offset=year_offset)

    return build


def _offset(offset: int) -> Callable[[Match], Period]:
    return lambda m: CalendarPeriod(unit=cast("Unit", m.unit()), offset=offset)


def _unsupported(m: Match) -> Period:
    raise NoSuchPeriod


def _one_day(day: date) -> Period:
    return Between(start=day, end=day)


BUILDERS: dict[str, Callable[[Match], Period]] = {
    "days": _days,
    "since_day": lambda m: Between(start=m.day("1")),
    "after_day": lambda m: Between(start=m.day("1") + timedelta(days=1)),
    "before_day": lambda m: Between(end=m.day("1") - timedelta(days=1)),
    "by_day": _by_day,
    "until_day": lambda m: Between(end=m.day("1")),
    "day_last_year": lambda m: _one_day(m.day("1", year=m.today.year - 1)),
    "weekend": _weekend,
    "week_of": _week_of,
    "holiday": _holiday,
    "season": _season,
    "until_yesterday": _until_yesterday,
    "up_to_yesterday": lambda m: Between(end=m.today - timedelta(days=1)),
    "first_of_year": _some_of_year(last=False),
    "last_of_year": _some_of_year(last=True),
    "first_of_month": _some_of_month(last=False),
    "last_of_month": _some_of_month(last=True),
    "third_of_month": _third_of_month,
    "from_mid_month": _from_mid_month,
    "to_mid_month": _to_mid_month,
    "to_month_end": _to_month_end,
    "months_in_a_row": _months_in_a_row,
    "bare_this": _offset(0),
    "this_year": lambda m: CalendarPeriod(unit="year", offset=0),
    "one_day": lambda m: _one_day(m.day("1")),
    "months": _months,
    "years": _years,
    "since_month": _since_month,
    "after_month": _after_month,
    "before_month": _before_month,
    "until_month": _until_month,
    "since_year": lambda m: Between(start=date(m.year() or 0, 1, 1)),
    "after_year": lambda m: Between(start=date((m.year() or 0) + 1, 1, 1)),
    "before_year": lambda m: Between(end=date((m.year() or 0) - 1, 12, 31)),
    "until_year": lambda m: Between(end=date(m.year() or 0, 12, 31)),
    "month": _month,
    "month_short_year": _month_short_year,
    "fortnight": _fortnight,
    "month_last_year": lambda m: CalendarPeriod(unit="month", number=m.month(), year_offset=-1),
    "month_this_year": lambda m: CalendarPeriod(unit="month", number=m.month(), year_offset=0),
    "year": lambda m: CalendarPeriod(unit="year", year=m.year()),
    "quarter": _numbered("quarter", 4),
    "quarter_last_year": _numbered("quarter", 4, -1),
    "quarter_this_year": _numbered("quarter", 4, 0),
    "fiscal_quarter": _numbered("fiscal_quarter", 4),
    "semester": _numbered("semester", 2),
    "semester_last_year": _numbered("semester", 2, -1),
    "week": _week,
    "fiscal_year": lambda m: CalendarPeriod(unit="fiscal_year", year=m.year()),
    "this_fiscal_year": lambda m: CalendarPeriod(unit="fiscal_year", offset=0),
    "last_fiscal_year": lambda m: CalendarPeriod(unit="fiscal_year", offset=-1),
    "this": _offset(0),
    "previous": _offset(-1),
    "next": _offset(1),
    "back": _back,
    "yesterday": lambda m: CalendarPeriod(unit="day", offset=-1),
    "before_yesterday": lambda m: CalendarPeriod(unit="day", offset=-2),
    "today": lambda m: CalendarPeriod(unit="day", offset=0),
    "tomorrow": lambda m: CalendarPeriod(unit="day", offset=1),
    "ago": lambda m: CalendarPeriod(unit=cast("Unit", m.unit()), offset=-m.count()),
    "weekday": _weekday,
    "since_weekday": _since_weekday,
    "since_yesterday": lambda m: Between(start=m.today - timedelta(days=1)),
    "last": _last,
    "sliding": _sliding,
    "sliding_one": lambda m: LastPeriod(count=1, unit=cast("Unit", m.unit()), complete=False),
    "coming": lambda m: LastPeriod(count=m.count(), unit=cast("Unit", m.unit()), next=True),
    "to_date": lambda m: ToDate(unit=cast("Unit", m.unit())),
    "year_to_date": lambda m: ToDate(unit="year"),
    "month_to_date": lambda m: ToDate(unit="month"),
    "last_year_to_date": lambda m: ToDate(unit="year", offset=-1),
    "always": lambda m: AllTime(),
    "unsupported": _unsupported,
}
