"""The grammar of periods: where a question names a time, and which one.

The words are data (``words/periods.LANG.toml``: patterns over the folded question, each naming a builder); the builders
here turn a match into a symbolic :class:`Period` of the plan. Nothing is resolved to dates here, except « lundi dernier »:
that is the plan's own work, so that « le mois dernier » stays what it says.

Also found here: the grain of a trend (« par mois », « hebdomadaire ») and bare units (« mois », « jour »).
"""

from __future__ import annotations

import calendar
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, cast

from datapilot_kernel.nl2sql.local.tokens import Token
from datapilot_kernel.plan.holidays import easter
from datapilot_kernel.plan.model import AllTime, Between, CalendarPeriod, Grain, LastPeriod, Period, ToDate, Unit


@dataclass(frozen=True)
class TimeSpan:
    """Tokens ``start`` … ``end`` (excluded) that name a period, a grain (of a trend) or a bare unit; exactly one is set.

    ``possible`` False: it names a period that does not exist (« 31 février ») or that cannot be expressed.
    """

    start: int
    end: int
    period: Period | None = None
    grain: Grain | None = None
    unit: Grain | None = None
    possible: bool = True


_YEAR = r"(?P<year{s}>(?:19|20)\d\d)"
_HEADS = (
    "en", "au", "aux", "pour", "pour le", "pour l", "pour la", "sur", "sur le", "sur la", "sur l",
    "dans", "dans le", "dans la", "de", "du", "d", "des", "pendant", "durant", "au cours de", "au cours du",
    "au cours des", "courant", "a", "lors de", "lors du", "depuis les", "fin", "au titre de", "au titre du",
)  # fmt: skip
_GLUE = {
    "fr": rf"(?:(?:{'|'.join(_HEADS)}) )?",
    "en": r"(?:(?:in|for|during|over|on|of|from|within) )?(?:the )?",
}


class _Words:
    """One language's names and compiled patterns."""

    def __init__(self, language: str) -> None:
        raw = tomllib.loads(
            files("datapilot_kernel")
            .joinpath("nl2sql", "local", "words", f"periods.{language}.toml")
            .read_text(encoding="utf-8")
        )
        names = raw["names"]
        self.months = {word: i for i, forms in enumerate(names["months"], 1) for word in forms}
        self.weekdays = {word: i for i, word in enumerate(names["weekdays"])}
        self.units = {word: unit for unit, forms in names["units"].items() for word in forms}
        self.ordinals = {word: int(n) for n, forms in names["ordinals"].items() for word in forms}
        self.holidays = {word: day for day, forms in names["holidays"].items() for word in forms}
        # « à Noël » is a day, « décorations de Noël » is not: these need their preposition.
        feasts = {word: day for day, forms in names.get("feasts", {}).items() for word in forms}
        self.language = language
        month, ordinal = _any(self.months), _any(self.ordinals)
        weekday, unit = _any(self.weekdays), _any(self.units)
        first = _any(names["ordinals"]["1"])
        number, year = r"\d{{1,2}}", r"(?: (?:de )?(?P<dy{s}>(?:19|20)\d\d))?"
        if language == "en":
            nth = r"(?: ?(?:st|nd|rd|th))?"
            day = (
                rf"(?:(?P<dm{{s}}>{month}) (?P<dd{{s}}>{number}){nth}(?: ,)?"
                rf"|(?P<dd{{s}}b>{number}){nth}(?: of)? (?P<dm{{s}}b>{month})){year}"
            )
        else:
            day = rf"(?:(?:{weekday}) )?(?P<dd{{s}}>{number}|1er|{first}) (?P<dm{{s}}>{month}){year}"
        self._places = {
            "day": rf"(?:{day}|(?P<iso{{s}}>\d{{{{4}}}}-\d\d-\d\d))",
            "dnum": rf"(?P<dd{{s}}>\d{{{{1,2}}}}|1er|{first})",
            "month": rf"(?:(?P<month{{s}}>{month})|(?P<ym{{s}}>\d{{{{4}}}}-\d\d))(?![-\w])",
            "year": _YEAR,
            "ord": rf"(?P<ord{{s}}>{ordinal})",
            "n": r"(?P<n{s}>\d{{1,4}}|un|une|one|a)",
            "unit": rf"(?P<unit{{s}}>{unit})",
            "weekday": rf"(?P<weekday{{s}}>{weekday})",
            "holiday": rf"(?P<holiday{{s}}>{_any(self.holidays)})",
            "feast": rf"(?P<holiday{{s}}>{_any(feasts)})",
        }
        self.holidays |= feasts
        self.patterns = [(self._compile(p["match"]), p["build"]) for p in raw["pattern"]]
        self.grains = {tuple(form.split()): cast("Grain", grain) for grain, forms in raw["grains"].items() for form in forms}
        self.longest_grain = max(len(form) for form in self.grains)

    def _compile(self, pattern: str) -> re.Pattern[str]:
        def fill(found: re.Match[str]) -> str:
            name, number = found.group(1), found.group(2)
            return (
                _GLUE[self.language]
                if name == "head"
                else self._places[name].replace("{s}", number).replace("{{", "{").replace("}}", "}")
            )

        return re.compile(r"(?<!\S)(?:" + re.sub(r"\{(head|[a-z]+)(\d?)\}", fill, pattern) + r")(?!\S)")


def _any(words: Any) -> str:
    return "(?:" + "|".join(sorted(words, key=len, reverse=True)) + ")"


@cache
def _words(language: str) -> _Words:
    return _Words(language)


class _NoSuchPeriod(Exception):
    pass


class _Match:
    """A match with its named groups read as values."""

    def __init__(self, found: re.Match[str], words: _Words, today: date) -> None:
        self.groups = {k: v for k, v in found.groupdict().items() if v is not None}
        self.words, self.today = words, today

    def whole(self, name: str) -> int | None:
        raw = self.groups.get(name)
        return None if raw is None else int(raw)

    def year(self, s: str = "1") -> int | None:
        ym = self.groups.get(f"ym{s}")
        return int(ym[:4]) if ym else self.whole(f"year{s}")

    def month(self, s: str = "1") -> int:
        ym = self.groups.get(f"ym{s}")
        return int(ym[5:]) if ym else self.words.months[self.groups[f"month{s}"]]

    def count(self) -> int:
        raw = self.groups["n1"]
        return int(raw) if raw.isdigit() else 1

    def unit(self) -> str:
        return str(self.words.units[self.groups["unit1"]])

    def nth(self) -> int:
        return self.whole("q1") or self.words.ordinals[self.groups["ord1"]]

    def day(self, s: str, *, month: int | None = None, year: int | None = None) -> date:
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
            raise _NoSuchPeriod from None


def _latest_year(m: _Match, month: int) -> int:
    return m.today.year if month <= m.today.month else m.today.year - 1


def _month_last(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def _days(m: _Match) -> Period:
    end = m.day("2")
    named_year = m.whole("dy1")
    start = m.day("1", month=end.month, year=named_year or (end.year if "iso1" not in m.groups else None))
    if start > end and named_year is None:
        start = start.replace(year=start.year - 1)
    if start > end:
        raise _NoSuchPeriod
    return Between(start=start, end=end)


def _months(m: _Match) -> Period:
    last, first = m.month("2"), m.month("1")
    end_year = (
        m.year("2")
        or (m.year("1") if m.year("1") is not None and last >= first else None)
        or _latest_year(m, first if last >= first else last)
    )
    start_year = m.year("1") or (end_year if first <= last else end_year - 1)
    start, end = date(start_year, first, 1), _month_last(end_year, last)
    if start > end:
        raise _NoSuchPeriod
    return Between(start=start, end=end)


def _years(m: _Match) -> Period:
    first, last = m.year("1") or 0, m.year("2") or 0
    if first > last:
        first, last = last, first
    return Between(start=date(first, 1, 1), end=date(last, 12, 31))


def _since_month(m: _Match) -> Period:
    return Between(start=date(m.year() or _latest_year(m, m.month()), m.month(), 1))


def _after_month(m: _Match) -> Period:
    return Between(start=_month_last(m.year() or _latest_year(m, m.month()), m.month()) + timedelta(days=1))


def _before_month(m: _Match) -> Period:
    return Between(end=date(m.year() or _latest_year(m, m.month()), m.month(), 1) - timedelta(days=1))


def _until_month(m: _Match) -> Period:
    return Between(end=_month_last(m.year() or _latest_year(m, m.month()), m.month()))


def _month(m: _Match) -> Period:
    return CalendarPeriod(unit="month", number=m.month(), year=m.year())


def _month_short_year(m: _Match) -> Period:
    return CalendarPeriod(unit="month", number=m.month(), year=2000 + (m.whole("yy1") or 0))


def _fortnight(m: _Match) -> Period:
    year = m.year() or _latest_year(m, m.month())
    if m.groups["half"] in ("premiere", "1ere"):
        return Between(start=date(year, m.month(), 1), end=date(year, m.month(), 15))
    return Between(start=date(year, m.month(), 16), end=_month_last(year, m.month()))


def _back(m: _Match) -> Period:
    letter, _, number = m.groups["back"].partition("-")
    unit = {"n": "year", "a": "year", "m": "month", "j": "day", "s": "week", "t": "quarter"}[letter]
    return CalendarPeriod(unit=cast("Unit", unit), offset=-int(number))


def _week(m: _Match) -> Period:
    number = m.whole("w1") or 0
    if not 1 <= number <= 53:
        raise _NoSuchPeriod
    return CalendarPeriod(unit="week", number=number, year=m.year())


def _weekday(m: _Match) -> Period:
    wanted = m.words.weekdays[m.groups["weekday1"]]
    back = (m.today.weekday() - wanted) % 7 or 7
    day = m.today - timedelta(days=back)
    return Between(start=day, end=day)


def _weekend(m: _Match) -> Period:
    """The latest week-end that has begun; « dernier » is over."""
    over = m.groups.get("over") is not None
    if "dd1" in m.groups or "dd1b" in m.groups or "iso1" in m.groups:
        day = m.day("1")
        if day.weekday() < 5:
            raise _NoSuchPeriod
        saturday = day - timedelta(days=day.weekday() - 5)
    else:
        saturday = m.today - timedelta(days=(m.today.weekday() - 5) % 7)
        if over and m.today.weekday() >= 5:
            saturday -= timedelta(days=7)
    return Between(start=saturday, end=saturday + timedelta(days=1))


def _week_of(m: _Match) -> Period:
    day = m.day("1")
    monday = day - timedelta(days=day.weekday())
    return Between(start=monday, end=monday + timedelta(days=6))


_EASTER = {"easter": 0, "easter_monday": 1, "ascension": 39, "whit_sunday": 49, "whit_monday": 50, "good_friday": -2}


def _holiday(m: _Match) -> Period:
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
        raise _NoSuchPeriod
    return date(today.year, (today.month - 1) // months * months + 1, 1)


def _until_yesterday(m: _Match) -> Period:
    start, end = _begins(m.today, m.unit()), m.today - timedelta(days=1)
    if start > end:
        raise _NoSuchPeriod
    return Between(start=start, end=end)


def _some_of_year(*, last: bool) -> Callable[[_Match], Period]:
    """« les 3 premiers mois de 2026 », « les 2 derniers trimestres de 2025 »."""

    def build(m: _Match) -> Period:
        months = {"month": 1, "quarter": 3, "semester": 6}.get(m.unit())
        year = m.year() or m.today.year
        if months is None or not 1 <= m.count() * months <= 12:
            raise _NoSuchPeriod
        span = m.count() * months
        if last:
            return Between(start=date(year, 13 - span, 1), end=date(year, 12, 31))
        return Between(start=date(year, 1, 1), end=_month_last(year, span))

    return build


def _some_of_month(*, last: bool) -> Callable[[_Match], Period]:
    """« les 10 premiers jours de mai »."""

    def build(m: _Match) -> Period:
        year, count = m.year() or _latest_year(m, m.month()), m.count()
        end = _month_last(year, m.month())
        if not 1 <= count <= end.day:
            raise _NoSuchPeriod
        if last:
            return Between(start=end - timedelta(days=count - 1), end=end)
        return Between(start=end.replace(day=1), end=end.replace(day=count))

    return build


def _third_of_month(m: _Match) -> Period:
    """« début mai », « mi-mai »: its first ten days, the ten after; « fin mai »: the rest."""
    year = m.year() or _latest_year(m, m.month())
    first, last = {"debut": (1, 10), "mi": (11, 20)}[m.groups["third"]]
    return Between(start=date(year, m.month(), first), end=date(year, m.month(), last))


def _from_mid_month(m: _Match) -> Period:
    return Between(start=date(m.year() or _latest_year(m, m.month()), m.month(), 15))


def _to_mid_month(m: _Match) -> Period:
    return Between(end=date(m.year() or _latest_year(m, m.month()), m.month(), 15))


def _to_month_end(m: _Match) -> Period:
    year = m.year() or _latest_year(m, m.month())
    return Between(start=date(year, 1, 1), end=_month_last(year, m.month()))


def _months_in_a_row(m: _Match) -> Period:
    """« mars, avril et mai 2026 »: one stretch, when they follow each other."""
    first, second, third = m.month("1"), m.month("2"), m.month("3")
    year = m.year("3") or _latest_year(m, third)
    if (first + 1, second + 1) != (second, third):
        raise _NoSuchPeriod
    return Between(start=date(year, first, 1), end=_month_last(year, third))


def _last(m: _Match) -> Period:
    unit = m.unit()
    # « les 30 derniers jours » runs up to today; « les 3 derniers mois » are whole months.
    return LastPeriod(count=m.count(), unit=cast("Unit", unit), complete=unit not in ("day", "working_day"))


def _sliding(m: _Match) -> Period:
    return LastPeriod(count=m.count(), unit=cast("Unit", m.unit()), complete=False)


def _numbered(unit: Unit, highest: int, year_offset: int | None = None) -> Callable[[_Match], Period]:
    def build(m: _Match) -> Period:
        if not 1 <= m.nth() <= highest:
            # « quatrième » also stands for « dernier »: the last half-year is the second.
            if "ord1" in m.groups and not m.groups["ord1"][0].isdigit() and m.groups["ord1"] in ("dernier", "last"):
                return CalendarPeriod(unit=unit, offset=-1)
            raise _NoSuchPeriod
        if m.groups.get("ord1") in ("dernier", "last") and m.year() is None and year_offset is None:
            return CalendarPeriod(unit=unit, offset=-1)
        return CalendarPeriod(unit=unit, number=m.nth(), year=m.year(), year_offset=year_offset)

    return build


def _offset(offset: int) -> Callable[[_Match], Period]:
    return lambda m: CalendarPeriod(unit=cast("Unit", m.unit()), offset=offset)


def _unsupported(m: _Match) -> Period:
    raise _NoSuchPeriod


def _one_day(day: date) -> Period:
    return Between(start=day, end=day)


_BUILDERS: dict[str, Callable[[_Match], Period]] = {
    "days": _days,
    "since_day": lambda m: Between(start=m.day("1")),
    "after_day": lambda m: Between(start=m.day("1") + timedelta(days=1)),
    "before_day": lambda m: Between(end=m.day("1") - timedelta(days=1)),
    "until_day": lambda m: Between(end=m.day("1")),
    "day_last_year": lambda m: _one_day(m.day("1", year=m.today.year - 1)),
    "weekend": _weekend,
    "week_of": _week_of,
    "holiday": _holiday,
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


def find_time(tokens: Sequence[Token], *, today: date, language: str) -> list[TimeSpan]:
    """Return every span of tokens that names a period, a grain or a unit; spans may overlap (the cover chooses)."""
    words = _words(language)
    spans: dict[tuple[int, int], TimeSpan] = {}
    norms = [t.norm for t in tokens]
    for start in range(len(tokens)):
        for length in range(min(words.longest_grain, len(tokens) - start), 0, -1):
            grain = words.grains.get(tuple(norms[start : start + length]))
            if grain is not None:
                spans[start, start + length] = TimeSpan(start, start + length, grain=grain)
        for length in (2, 1):
            unit = words.units.get(" ".join(norms[start : start + length])) if start + length <= len(tokens) else None
            if unit is not None and unit != "working_day" and norms[start] != "j":
                spans.setdefault((start, start + length), TimeSpan(start, start + length, unit=cast("Grain", unit)))
    text, starts, ends, position = [], dict[int, int](), dict[int, int](), 0
    for i, norm in enumerate(norms):
        piece = norm.replace(" ", "")
        starts[position], ends[position + len(piece)] = i, i + 1
        text.append(piece)
        position += len(piece) + 1
    joined = " ".join(text)
    for pattern, build in words.patterns:
        place = 0
        while found := pattern.search(joined, place):
            first, last = starts.get(found.start()), ends.get(found.end())
            place = found.start() + 1
            if first is None or last is None:
                continue
            try:
                span = TimeSpan(first, last, period=_BUILDERS[build](_Match(found, words, today)))
            except _NoSuchPeriod:
                span = TimeSpan(first, last, possible=False)
            if build == "bare_this" and not _bare_this(norms, first, last, words):
                continue
            known = spans.get((first, last))
            if known is None or known.unit is not None or not known.possible:
                spans[first, last] = span
    _lend_years(spans, norms)
    return _without_weak(list(spans.values()), norms)


_NOT_BEFORE_BARE = {
    "fin", "debut", "milieu", "cours", "chaque", "dernier", "premier", "derniere", "premiere", "par", "du", "start", "end",
}  # fmt: skip
_NOT_AFTER_BARE = {"le", "la", "les", "ou", "qui", "dont", "avec", "plus", "moins", "record", "de", "d", "des", "a", "au"}


def _bare_this(norms: Sequence[str], start: int, end: int, words: _Words) -> bool:
    """« le CA du mois » is this month's; « le meilleur jour du mois », « le CA du mois le plus fort » are not."""
    before = norms[start - 1] if start else ""
    after = norms[end] if end < len(norms) else ""
    return before not in _NOT_BEFORE_BARE and before not in words.units and after not in _NOT_AFTER_BARE and bool(before)


def _without_weak(spans: list[TimeSpan], norms: Sequence[str]) -> list[TimeSpan]:
    """Drop « du mois » where another period or a grain is said."""
    weak = [
        s
        for s in spans
        if isinstance(s.period, CalendarPeriod)
        and s.period.offset == 0
        and s.end - s.start <= 3
        and norms[s.start] in ("du", "de")
        and norms[s.end - 1] in ("mois", "jour", "semaine", "trimestre", "semestre", "annee")
        and norms[s.start + 1] not in ("ce", "cette")
    ]
    periods = [s for s in spans if s.period is not None or s.grain is not None]
    for one in weak:
        others = [o for o in periods if o is not one and not (o.start < one.end and one.start < o.end)]
        if others:
            spans.remove(one)
    return spans


def _lend_years(spans: dict[tuple[int, int], TimeSpan], norms: Sequence[str]) -> None:
    """« mars et avril 2025 », « T1 vs T2 2025 »: the year said last is the year of both."""
    glue = {"et", "vs", "ou", ",", "contre", "versus", "and", "or", "against"}
    for key, span in list(spans.items()):
        mine = span.period
        if not (
            isinstance(mine, CalendarPeriod) and mine.number is not None and mine.year is None and mine.year_offset is None
        ):
            continue
        if span.end >= len(norms) or norms[span.end] not in glue:
            continue
        for other in list(spans.values()):
            theirs = other.period
            if (
                other.start == span.end + 1
                and isinstance(theirs, CalendarPeriod)
                and theirs.unit == mine.unit
                and theirs.year is not None
                and theirs.number is not None
            ):
                spans[key] = replace(span, period=mine.model_copy(update={"year": theirs.year}))


@cache
def time_words(language: str) -> frozenset[str]:
    """Return the stems of months, units and grains: what a misspelt word of time may be."""
    words = _words(language)
    names = [*words.months, *words.units, *words.weekdays, *(w for form in words.grains for w in form)]
    return frozenset(w for name in names for w in name.split() if len(w) >= 4)
