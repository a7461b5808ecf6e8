"""One formatter for the table, the chart, the sentence, the reading and the exports.

Numbers are grouped and rounded here, in decimal arithmetic, with the symbols that CLDR (Babel) gives for the language:
``1 234 567,89 €`` has narrow no-break spaces between thousands and a no-break space before the sign. Babel's own
``format_decimal`` was left aside: it costs 30 µs a cell, ten times this, and a table has thousands.

Rejected: formatting in the browser (the saved notebook, the CLI and the CSV would each need another one).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.messages import Language, text
from datapilot_kernel.plan.model import Grain
from datapilot_kernel.semantic.model import Calendar, Format

NBSP, NNBSP = "\u00a0", "\u202f"
MINUS = "-"
_MAX_TEXT = 2000


_USUAL = Calendar()


@dataclass(frozen=True)
class _Symbols:
    decimal: str
    group: str
    percent: str
    months: tuple[str, ...]
    short_months: tuple[str, ...]
    days: tuple[str, ...]


@lru_cache(maxsize=4)
def _symbols(language: Language) -> _Symbols:
    from babel.core import Locale

    locale = Locale.parse(language)
    numbers = locale.number_symbols["latn"]
    months = locale.months["format"]["wide"]
    short = locale.months["format"]["abbreviated"]
    days = locale.days["format"]["wide"]
    space = NNBSP if language == "fr" else ""
    return _Symbols(
        decimal=numbers["decimal"],
        group=numbers["group"],
        percent=f"{space}%",
        months=tuple(months[i] for i in range(1, 13)),
        short_months=tuple(short[i] for i in range(1, 13)),
        days=tuple(days[i] for i in range(7)),
    )


@lru_cache(maxsize=64)
def _currency(code: str, language: Language) -> tuple[str, int]:
    from babel.core import Locale
    from babel.numbers import get_currency_precision

    return Locale.parse(language).currency_symbols.get(code, code), get_currency_precision(code)


def as_decimal(value: Any) -> Decimal | None:
    """Return the number a cell holds, exactly; None when it holds none (or not a finite one)."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, Decimal)):
        number = Decimal(value)
    elif isinstance(value, float):
        number = Decimal(repr(value))
    elif isinstance(value, timedelta):
        number = Decimal(value.days) + Decimal(value.seconds) / 86400
    else:
        return None
    return number if number.is_finite() else None


@dataclass(frozen=True)
class Formatter:
    """Writes values for people.

    Parameters
    ----------
    language
        ``fr`` or ``en``.
    currency
        Of a ``currency`` format that names none (the layer's).
    calendar
        For time zones and fiscal quarters; None: the usual one.
    """

    language: Language = "fr"
    currency: str = "EUR"
    calendar: Calendar = _USUAL

    # ── the public forms ───────────────────────────────────────────────────────────────────────────────────────────────

    def value(self, value: Any, format: Format, grain: Grain | None = None, *, null: str = "—") -> str:
        """Return ``value`` as text: ``1 234,50 €``, ``12,5 %``, ``mars 2025``. NULL is ``null``."""
        if value is None:
            return null
        if isinstance(value, (str, bool)):
            return self._plain(value)
        if grain is not None:
            return self._grain(value, grain)
        if isinstance(value, datetime):
            return self._datetime(value) if format.kind != "date" else self._date(value)
        if isinstance(value, date):
            return self._date(value)
        number = as_decimal(value)
        if number is None:
            return self._plain(value)
        return self._number(number, format, whole=isinstance(value, int))

    def cell(self, value: Any, column: AnswerColumn, *, null: str | None = None) -> str:
        """Return a cell of an answer: as :meth:`value`, with what people call a stored value.

        ``null`` None: « (non renseigné) » where rows are named by it (a dimension), a dash elsewhere.
        """
        if value is None:
            if null is None:
                null = text("answers.not_given", language=self.language) if column.role == "dimension" else "—"
            return null
        if column.values:
            key = str(value).lower() if isinstance(value, bool) else str(value)
            if key in column.values:
                return column.values[key]
        return self.value(value, column.format, column.grain)

    def signed(self, value: Any, format: Format) -> str:
        """Return a difference or a growth with its sign: ``+12,5 %``."""
        number = as_decimal(value)
        shown = self.value(value, format)
        return f"+{shown}" if number is not None and number > 0 else shown

    def compact(self, value: Any, format: Format) -> str:
        """Return a short form for an axis: ``1,2 M€``, ``850 k€``, ``12 %``, ``3 k``."""
        number = as_decimal(value)
        if number is None:
            return self.value(value, format)
        if format.kind == "percent":
            return self._trimmed(number * 100, 2) + _symbols(self.language).percent
        if format.kind == "year":
            return self._fixed(number, 0, group=False)
        scale, letter = next(((s, k) for s, k in self._scales() if abs(number) >= s), (Decimal(1), ""))
        shown = self._trimmed(number / scale, 2)
        sign = self._unit_sign(format)
        if format.kind == "currency" and self.language == "en":
            return f"{MINUS if number < 0 else ''}{sign}{shown.removeprefix(MINUS)}{letter}"
        tail = f"{letter}{sign}" if format.kind == "currency" else " ".join(p for p in (letter, sign) if p)
        return f"{shown}{NBSP}{tail}" if tail else shown

    def short(self, value: Any, grain: Grain | None) -> str | None:
        """Return a short form of a point in time for an axis, « janv. 2026 », « s. 12 2026 »; None when there is none."""
        if isinstance(value, datetime):
            value = value.date()
        if not isinstance(value, date):
            return None
        if grain == "month":
            return f"{_symbols(self.language).short_months[value.month - 1]} {value.year}"
        if grain == "week":
            iso = (value + timedelta(days=3)).isocalendar()
            return text("answers.grain.short_week", language=self.language, number=iso.week, year=iso.year)
        return None

    def count(self, number: int) -> str:
        """Return a number of rows or a limit: ``12 345``."""
        return self._fixed(Decimal(number), 0)

    def month(self, number: int) -> str:
        """Return the name of a month, 1 to 12."""
        return _symbols(self.language).months[number - 1]

    # ── dates ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _date(self, value: date) -> str:
        if self.language == "fr":
            return f"{value.day:02d}/{value.month:02d}/{value.year:04d}"
        return f"{value.day} {self.month(value.month)[:3]} {value.year:04d}"

    def _datetime(self, value: datetime) -> str:
        if value.tzinfo is not None:
            from zoneinfo import ZoneInfo

            value = value.astimezone(ZoneInfo(self.calendar.timezone))
        clock = f"{value:%H:%M}" if not value.second else f"{value:%H:%M:%S}"
        return f"{self._date(value)} {clock}"

    def _grain(self, value: Any, grain: Grain) -> str:
        if isinstance(value, datetime):
            value = value.date()
        if isinstance(value, date):
            return self._date_of_grain(value, grain)
        number = as_decimal(value)
        if number is None or number != int(number):
            return self.value(value, Format(kind="decimal"))
        whole, symbols = int(number), _symbols(self.language)
        if grain == "month_of_year" and 1 <= whole <= 12:
            return symbols.months[whole - 1]
        if grain == "day_of_week" and 1 <= whole <= 7:
            return symbols.days[whole - 1]
        if grain in ("quarter_of_year", "hour_of_day", "fiscal_year"):
            return text(f"answers.grain.{grain}", language=self.language, number=whole)
        return str(whole)

    def _date_of_grain(self, value: date, grain: Grain) -> str:
        def named(**values: object) -> str:
            return text(f"answers.grain.{grain}", language=self.language, **values)

        if grain == "week":
            # The Thursday of an ISO week settles its year; a week that starts on a Sunday is named by its Monday.
            iso = (value + timedelta(days=3)).isocalendar()
            return named(number=iso.week, year=iso.year)
        if grain == "month":
            return f"{self.month(value.month)} {value.year}"
        if grain == "quarter":
            return named(number=(value.month + 2) // 3, year=value.year)
        if grain == "semester":
            return named(number=1 if value.month <= 6 else 2, year=value.year)
        if grain == "fiscal_quarter":
            start = self.calendar.fiscal_year_start
            begun = value.year if value.month >= start else value.year - 1
            name = begun + 1 if start > 1 and self.calendar.fiscal_year_named_by == "end" else begun
            return named(number=(value.month - start) % 12 // 3 + 1, year=name)
        if grain == "year":
            return str(value.year)
        return self._date(value)

    # ── numbers ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _number(self, number: Decimal, format: Format, *, whole: bool) -> str:
        kind, decimals = format.kind, format.decimals
        if kind == "year":
            return self._fixed(number, 0, group=False) if number == int(number) else self._fixed(number, 2)
        if kind == "percent":
            return self._fixed(number * 100, 1 if decimals is None else decimals) + _symbols(self.language).percent
        if kind == "currency":
            sign, usual = _currency(format.currency or self.currency, self.language)
            shown = self._fixed(number, usual if decimals is None else decimals)
            if self.language == "en":
                return f"{MINUS if shown.startswith(MINUS) else ''}{sign}{shown.removeprefix(MINUS)}"
            return f"{shown}{NBSP}{sign}"
        if kind in ("days", "hours"):
            shown = self._trimmed(number, 1 if decimals is None else decimals)
            return text(f"answers.unit.{kind}", language=self.language, count=number, number=shown)
        if decimals is None:
            decimals = 0 if whole or (kind in ("integer", "text") and number == int(number)) else 2
            if 0 < abs(number) < Decimal("0.01"):
                decimals = min(6, 1 - number.adjusted())
        shown = self._fixed(number, decimals, group=kind != "text")
        return f"{shown}{NBSP}{format.unit}" if format.unit else shown

    def _fixed(self, number: Decimal, decimals: int, *, group: bool = True) -> str:
        rounded = number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP) if number.adjusted() < 20 else number
        shown = f"{rounded:,f}" if group else f"{rounded:f}"
        if not rounded:
            shown = shown.removeprefix(MINUS)
        symbols = _symbols(self.language)
        return shown.replace(",", "\0").replace(".", symbols.decimal).replace("\0", symbols.group)

    def _trimmed(self, number: Decimal, decimals: int) -> str:
        shown = self._fixed(number, decimals)
        mark = _symbols(self.language).decimal
        return shown.rstrip("0").rstrip(mark) if mark in shown else shown

    def _scales(self) -> tuple[tuple[Decimal, str], ...]:
        billion = "Md" if self.language == "fr" else "B"
        return (Decimal(10**9), billion), (Decimal(10**6), "M"), (Decimal(10**3), "k")

    def _unit_sign(self, format: Format) -> str:
        if format.kind == "currency":
            return _currency(format.currency or self.currency, self.language)[0]
        if format.kind in ("days", "hours"):
            return text(f"answers.unit.short_{format.kind}", language=self.language)
        return format.unit or ""

    # ── the rest ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _plain(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return text("answers.yes" if value else "answers.no", language=self.language)
        if isinstance(value, time):
            return f"{value:%H:%M}" if not value.second else f"{value:%H:%M:%S}"
        if isinstance(value, (bytes, bytearray, memoryview)):
            return text("answers.bytes", language=self.language, count=len(bytes(value)))
        if isinstance(value, (list, dict, tuple)):
            return json.dumps(value, ensure_ascii=False, default=str)[:_MAX_TEXT]
        if isinstance(value, float):
            return "—"
        return str(value)


def number_locale(language: Language = "fr") -> dict[str, str]:
    """Return what d3 and Plotly need to write numbers in this language: ``{"decimal": ",", "thousands": " "}``."""
    symbols = _symbols(language)
    return {"decimal": symbols.decimal, "thousands": symbols.group}
