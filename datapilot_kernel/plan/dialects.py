"""What the three engines say differently, each as one small function from trees to a tree.

Everything else the compiler writes means the same to PostgreSQL, MySQL 8 / MariaDB and DuckDB. What is decided here:

- **Text equality is exact.** The values of a filter are values as stored. MySQL's usual collations take « Lyon », « LYON
  » and « lyôn » for one; there, values and text groups are compared with ``utf8mb4_bin``. (It still ignores trailing
  blanks: MariaDB and MySQL 8 share no collation that would not.)
- **contains / starts_with / ends_with** ignore case and the accents of Latin letters: MySQL by ``utf8mb4_general_ci``,
  the others by ``LOWER(TRANSLATE(…))``. Ligatures (« œ ») are letters of their own.
- **A division is a real one**, of doubles, and by zero it is NULL: PostgreSQL would truncate integers, MySQL would keep
  four decimals.
- **NULL comes last**, ascending and descending.
- Instants (``zoned`` dimensions) become local time with ``AT TIME ZONE`` in PostgreSQL and DuckDB; their bounds are
  local midnights, so an index on the bare column still serves. MySQL's ``TIMESTAMP`` already shows in the session's time
  zone.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from sqlglot import exp

from datapilot_kernel.plan.model import Grain
from datapilot_kernel.semantic.model import Calendar

Dialect = Literal["postgres", "mysql", "duckdb"]

_ACCENTED = "ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝàáâãäåçèéêëìíîïñòóôõöùúûüýÿ"
_PLAIN = "AAAAAACEEEEIIIINOOOOOUUUUYaaaaaaceeeeiiiinooooouuuuyy"


def string(value: str) -> exp.Literal:
    """Return a text literal."""
    return exp.Literal.string(value)


def number(value: object) -> exp.Expr:
    """Return a number literal; a negative one is in parentheses where it must be."""
    text = format(value, "f") if not isinstance(value, int) else str(value)
    return exp.Neg(this=exp.Literal.number(text[1:])) if text.startswith("-") else exp.Literal.number(text)


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """Return a call written exactly so."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def cast(expression: exp.Expr, kind: str) -> exp.Cast:
    """Return ``CAST(expression AS kind)``."""
    return exp.Cast(this=expression, to=exp.DataType.build(kind))


def paren(expression: exp.Expr) -> exp.Expr:
    """Put an operation in parentheses; leave everything else."""
    simple = not isinstance(expression, exp.Binary | exp.Unary | exp.Interval) or isinstance(expression, exp.Paren | exp.Dot)
    return expression if simple else exp.Paren(this=expression)


@dataclass(frozen=True)
class Shift:
    """Moves the groups of an earlier period onto those they are compared with: forward by months or days.

    ``weeks_of_371``: Mondays (from, until) of ISO years that follow one of 53 weeks; week N of the year before is 53
    weeks back there, 52 elsewhere.
    """

    months: int = 0
    days: int = 0
    weeks_of_371: tuple[tuple[date, date], ...] = ()


@dataclass(frozen=True)
class Forms:
    """How one engine says it. ``calendar`` gives the time zone, the week and the fiscal year."""

    dialect: Dialect
    calendar: Calendar

    # ── text ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def exact(self, expression: exp.Expr) -> exp.Expr:
        """Return the text so that grouping and DISTINCT tell « Lyon » from « LYON »."""
        if self.dialect != "mysql":
            return expression
        converted = exp.Cast(this=expression, to=exp.DataType(this=exp.DataType.Type.CHARACTER_SET, kind=exp.var("utf8mb4")))
        return exp.Collate(this=converted, expression=exp.var("utf8mb4_bin"))

    def exact_literal(self, value: str) -> exp.Expr:
        """Return a text literal that is compared exactly."""
        if self.dialect != "mysql":
            return string(value)
        return exp.Collate(this=string(value), expression=exp.var("utf8mb4_bin"))

    def like(self, expression: exp.Expr, value: str, *, before: bool, after: bool) -> exp.Expr:
        """Return ``expression LIKE '%value%'``, without regard to case and accents."""
        escaped = "".join(f"!{c}" if c in "!%_\\" else c for c in value)
        if self.dialect == "mysql":
            converted = exp.Cast(
                this=expression, to=exp.DataType(this=exp.DataType.Type.CHARACTER_SET, kind=exp.var("utf8mb4"))
            )
            subject: exp.Expr = exp.Collate(this=converted, expression=exp.var("utf8mb4_general_ci"))
        else:
            # An enumeration or a uuid is no text to PostgreSQL's functions.
            text = cast(expression, "text") if self.dialect == "postgres" else expression
            subject = exp.Lower(this=call("TRANSLATE", text, string(_ACCENTED), string(_PLAIN)))
            escaped = "".join(_unaccented(c) for c in escaped).lower()
        pattern = f"{'%' if before else ''}{escaped}{'%' if after else ''}"
        found: exp.Expr = exp.Like(this=subject, expression=string(pattern))
        # DuckDB has no escape character of its own, the others have the backslash: always say which.
        if escaped != "".join(c for c in escaped if c != "!"):
            found = exp.Escape(this=found, expression=string("!"))
        return found

    # ── numbers ────────────────────────────────────────────────────────────────────────────────────────────────────

    def real(self, expression: exp.Expr) -> exp.Expr:
        """Return the number as a double."""
        return expression if isinstance(expression, exp.Cast) else cast(expression.unnest(), "double")

    def divide(self, left: exp.Expr, right: exp.Expr) -> exp.Expr:
        """Return the real quotient; NULL when dividing by zero."""
        if isinstance(right, exp.Literal) and right.name.strip("0.") != "":
            return exp.Div(this=self.real(left), expression=right)
        return exp.Div(this=self.real(left), expression=exp.Nullif(this=right, expression=number(0)))

    def median(self, expression: exp.Expr) -> exp.Expr:
        """Return the median of a group (PostgreSQL and DuckDB; MySQL has none, see ``branches``)."""
        if self.dialect == "postgres":
            order = exp.Order(expressions=[exp.Ordered(this=expression)])
            return exp.WithinGroup(this=exp.PercentileCont(this=exp.Literal.number("0.5")), expression=order)
        return exp.Median(this=self.real(expression))

    # ── order ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def ordered(self, expression: exp.Expr, descending: bool, origin: exp.Expr | None = None) -> list[exp.Expr]:
        """Return the terms of an ORDER BY that puts NULL last.

        ``origin`` is what stands behind ``expression``, when that is an alias of the same SELECT: MySQL knows no alias of
        an aggregate inside an expression.
        """
        if self.dialect == "mysql":
            # NULL is the smallest to MySQL: last by itself when descending.
            missing = exp.Is(this=paren((origin or expression).copy()), expression=exp.null())
            first = [] if descending else [exp.Ordered(this=missing, desc=False, nulls_first=True)]
            return [*first, self._bare(expression, descending)]
        return [exp.Ordered(this=expression, desc=descending, nulls_first=False)]

    @staticmethod
    def _bare(expression: exp.Expr, descending: bool) -> exp.Ordered:
        # What MySQL does by itself (NULL is the smallest), said so that sqlglot adds nothing.
        return exp.Ordered(this=expression, desc=descending, nulls_first=not descending)

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _keeps_instants(self, zoned: bool) -> bool:
        return zoned and self.dialect != "mysql"

    def local(self, expression: exp.Expr, zoned: bool) -> exp.Expr:
        """Return the civil date and time of an instant; what has no time zone is that already."""
        if self._keeps_instants(zoned):
            return exp.AtTimeZone(this=paren(expression), zone=string(self.calendar.timezone))
        return expression

    def day(self, value: date, zoned: bool = False) -> exp.Expr:
        """Return the beginning of a civil day, to compare a date, a timestamp or an instant with."""
        if self._keeps_instants(zoned):
            start = cast(string(f"{value.isoformat()} 00:00:00"), "timestamp")
            return exp.AtTimeZone(this=start, zone=string(self.calendar.timezone))
        return cast(string(value.isoformat()), "date")

    def bucket(self, expression: exp.Expr, grain: Grain, shift: Shift | None = None) -> exp.Expr:
        """Return what groups a civil date or timestamp by ``grain``; see ``compiler`` for what comes out."""
        match grain:
            case "day" | "week" | "month" | "quarter" | "semester" | "fiscal_quarter":
                return self._moved_day(expression, self._first_day(expression, grain), shift)
            case "year" | "fiscal_year":
                return self._year(expression, grain, shift)
            case "day_of_week":
                if self.dialect == "mysql":
                    return exp.Add(this=call("WEEKDAY", expression), expression=number(1))
                return self._part("isodow", expression)
            case "hour_of_day":
                return self._part("hour", expression)
            case "day_of_month":
                return self._part("day", expression)
            case "month_of_year":
                return self._part("month", expression)
            case "quarter_of_year":
                return self._part("quarter", expression)

    def _part(self, part: str, expression: exp.Expr) -> exp.Expr:
        extracted = exp.Extract(this=exp.var(part.upper()), expression=expression)
        return cast(extracted, "int") if self.dialect == "postgres" else extracted

    def _year(self, expression: exp.Expr, grain: Grain, shift: Shift | None) -> exp.Expr:
        first = self.calendar.fiscal_year_start if grain == "fiscal_year" else 1
        ahead = 0 if first == 1 else 1 - first
        if ahead and self.calendar.fiscal_year_named_by == "end":
            ahead += 12
        year = self._part("year", self.add(expression, months=ahead) if ahead else expression)
        years = shift.months // 12 if shift else 0
        return exp.Add(this=year, expression=number(years)) if years else year

    def _first_day(self, expression: exp.Expr, grain: Grain) -> exp.Expr:
        """Return the first day of a unit, as whatever the engine makes of it."""
        if grain == "day":
            return cast(expression, "date")
        if grain == "week":
            return self._first_of_week(expression)
        if grain == "month":
            return self._first_of_month(expression)
        first = self.calendar.fiscal_year_start if grain == "fiscal_quarter" else 1
        length = 6 if grain == "semester" else 3
        # Quarters that start in January, April, July or October are the calendar's, fiscal or not.
        if length == 3 and (first - 1) % 3 == 0 and self.dialect != "mysql":
            return call("DATE_TRUNC", string("quarter"), expression)
        lag = (first - 1) % length
        month = exp.Extract(this=exp.var("MONTH"), expression=expression)
        since = (
            exp.Sub(this=month, expression=number(1 + lag))
            if lag == 0
            else exp.Add(this=month, expression=number(length - 1 - lag))
        )
        months: exp.Expr = exp.Mod(this=exp.Paren(this=since), expression=number(length))
        start = self._first_of_month(expression)
        if self.dialect == "mysql":
            return exp.Sub(
                this=cast(start, "date"), expression=exp.Interval(this=exp.Paren(this=months), unit=exp.var("MONTH"))
            )
        if self.dialect == "postgres":
            months = cast(months, "int")
        one = exp.Interval(this=string("1"), unit=exp.var("MONTH"))
        return exp.Sub(this=start, expression=exp.Mul(this=paren(months), expression=one))

    def _first_of_month(self, expression: exp.Expr) -> exp.Expr:
        if self.dialect == "mysql":
            return exp.Anonymous(this="DATE_FORMAT", expressions=[expression, string("%Y-%m-01")])
        return call("DATE_TRUNC", string("month"), expression)

    def _first_of_week(self, expression: exp.Expr) -> exp.Expr:
        sunday = self.calendar.week_start == "sunday"
        if self.dialect == "mysql":
            lag: exp.Expr = call("WEEKDAY", expression)
            if sunday:
                lag = exp.Mod(this=exp.Paren(this=exp.Add(this=lag, expression=number(1))), expression=number(7))
            return exp.Sub(this=cast(expression, "date"), expression=exp.Interval(this=paren(lag), unit=exp.var("DAY")))
        if sunday:
            monday = call("DATE_TRUNC", string("week"), self.add(expression, days=1))
            return self.add(monday, days=-1)
        return call("DATE_TRUNC", string("week"), expression)

    def add(self, expression: exp.Expr, *, months: int = 0, days: int = 0) -> exp.Expr:
        """Return a date moved by months or days."""
        count, unit = (months, "MONTH") if months else (days, "DAY")
        operation = exp.Sub if count < 0 else exp.Add
        return operation(this=paren(expression), expression=exp.Interval(this=string(str(abs(count))), unit=exp.var(unit)))

    def _moved_day(self, expression: exp.Expr, first: exp.Expr, shift: Shift | None) -> exp.Expr:
        start = _as_date(first)
        if shift is None or not (shift.months or shift.days):
            return start
        moved = _as_date(self.add(start, months=shift.months, days=shift.days))
        if not shift.weeks_of_371:
            return moved
        far = _as_date(self.add(start.copy(), days=371))
        ifs = [
            exp.If(
                this=exp.and_(
                    exp.GTE(this=expression.copy(), expression=self.day(since - timedelta(days=371))),
                    exp.LT(this=expression.copy(), expression=self.day(until - timedelta(days=371))),
                    copy=False,
                ),
                true=far.copy(),
            )
            for since, until in shift.weeks_of_371
        ]
        return exp.Case(ifs=ifs, default=moved)


def _as_date(expression: exp.Expr) -> exp.Expr:
    already = isinstance(expression, exp.Cast) and expression.is_type("date")
    return expression if already else cast(expression, "date")


def _unaccented(letter: str) -> str:
    if letter in _ACCENTED:
        return unicodedata.normalize("NFD", letter)[0]
    return letter
