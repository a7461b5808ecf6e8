"""The grammar of periods: where a question names a time, and which one.

The words are data (``words/periods.LANG.toml``: patterns over the folded question, each naming a builder); the builders of
``period_builders.py`` turn a match into a symbolic :class:`Period` of the plan. What is relative stays so: « le mois
dernier » is resolved to dates by the plan, but for days by name (« lundi dernier », « à Noël »).

Also found here: the grain of a trend (« par mois », « hebdomadaire ») and bare units (« mois », « jour »).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, cast

from datapilot_kernel.nl2sql.local.period_builders import BUILDERS, Match, NoSuchPeriod
from datapilot_kernel.nl2sql.local.tokens import Token
from datapilot_kernel.plan.model import AllTime, Between, CalendarPeriod, Grain, LastPeriod, Period
from datapilot_kernel.plan.periods import resolve
from datapilot_kernel.semantic.model import Calendar


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
        self.seasons: dict[str, str] = {word: season for season, forms in names.get("seasons", {}).items() for word in forms}
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
            "season": rf"(?P<season{{s}}>{_any(self.seasons or ['-'])})",
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
                span = TimeSpan(first, last, period=BUILDERS[build](Match(found, words, today)))
            except NoSuchPeriod:
                span = TimeSpan(first, last, possible=False)
            if build == "bare_this" and not _bare_this(norms, first, last, words):
                continue
            known = spans.get((first, last))
            if known is None or known.unit is not None or not known.possible:
                spans[first, last] = span
    _lend_years(spans, norms)
    _from_to(spans, norms, today)
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
                and theirs.number not in (None, mine.number)
            ):  # « mai vs mai 2025 »: of this year against that one
                spans[key] = replace(span, period=mine.model_copy(update={"year": theirs.year}))


_TO = (("jusqu",), ("jusqu", "a"), ("jusqu", "au"), ("au",), ("a",), ("a", "la"))
_FROM_TO = {"du": _TO, "de": _TO, "depuis": _TO, "d": _TO, "entre": (("et", "la"), ("et", "le"), ("et",))}


def _from_to(spans: dict[tuple[int, int], TimeSpan], norms: Sequence[str], today: date) -> None:
    """« du 1er trimestre au 31 mai », « entre le 15 mars et la fin mai »: from the start of one to the end of the other.

    Only of two periods of different kinds: those of one kind have patterns of their own.
    """
    named = [s for s in spans.values() if s.period is not None and s.possible]
    for first in named:
        opening = norms[first.start]
        begin = first.start
        if opening not in _FROM_TO:
            if begin == 0 or norms[begin - 1] not in _FROM_TO:
                continue
            begin -= 1
            opening = norms[begin]
        for second in named:
            if second.start < first.end or second.start > first.end + 2 or (begin, second.end) in spans:
                continue
            between = tuple(norms[first.end : second.start])
            glue = _FROM_TO[opening]
            own = second.start == first.end and norms[second.start] in ("au", "a") and opening != "entre"
            if not own and between not in glue:
                continue
            period = _stretch(first.period, second.period, today)
            if period is not None:
                spans[begin, second.end] = TimeSpan(begin, second.end, period=period)


def _stretch(first: Period | None, second: Period | None, today: date) -> Period | None:
    if first is None or second is None or isinstance(first, AllTime) or isinstance(second, AllTime):
        return None
    if isinstance(first, LastPeriod) or isinstance(second, LastPeriod):
        return None
    one = resolve(first, today=today, calendar=Calendar())
    other = resolve(second, today=today, calendar=Calendar())
    if one.start is None or other.end is None:
        return None
    start, end = one.start, other.end - timedelta(days=1)
    if start > end:
        try:
            start = start.replace(year=end.year if (start.month, start.day) <= (end.month, end.day) else end.year - 1)
        except ValueError:
            return None
    return Between(start=start, end=end)


_AROUND_TIME = {
    "fr": ("debut", "depuis", "dernier", "derniere", "derniers", "dernieres", "premier", "premiere", "glissants", "jusque"),
    "en": ("since", "last", "first", "previous", "until"),
}


@cache
def time_words(language: str) -> frozenset[str]:
    """Return the stems of months, units and grains: what a misspelt word of time may be."""
    words = _words(language)
    names = [*words.months, *words.units, *words.weekdays, *(w for form in words.grains for w in form)]
    names += _AROUND_TIME.get(language, ())
    return frozenset(w for name in names for w in name.split() if len(w) >= 4)
