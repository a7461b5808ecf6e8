"""What a single cell of a French file may mean, as patterns that Python and DuckDB's engine (RE2) both read alike."""

from __future__ import annotations

import re

SPACES = " \t\u00a0\u202f\u2009"
NULL_WORDS = ("", "-", "–", "—", "null", "n/a", "#n/a", "#n/d", "nan", "none", "(vide)")
"""Cells that say nothing, in any column (compared in lower case)."""
TYPED_NULL_WORDS = (
    *NULL_WORDS, "na", "nd", "n.d.", "n.c.", "nc", "n/d", "?", "néant", "neant", "vide", "--", "---", "#valeur!", "#ref!",
    "#div/0!", "#nom?", "inconnu", "inconnue", "non renseigné", "non renseigne",
)  # fmt: skip
"""Cells that say nothing in a column of numbers, dates or yes/no: in a text column these may be words."""

GROUP = "[ \u00a0\u202f\u2009'.]"
SIGN = "[-+\u2212]"
CURRENCY = "(?:€|EUR|euros?|\\$|£|USD|GBP|CHF|%)"
_NUMBER = re.compile(
    rf"\(?{SIGN}?\s?{CURRENCY}?[{SPACES}]?{SIGN}?"
    r"(?:\d{1,3}(?:[ \u00a0\u202f\u2009'.,]\d{3})+|\d+)?(?:[.,]\d*)?(?:[eE][-+]?\d+)?"
    rf"[{SPACES}]?{CURRENCY}?[{SPACES}]?-?\)?"
)
_DATE = re.compile(
    r"(?:\d{1,2}[/.\- ]\d{1,2}[/.\- ](?:\d{4}|\d{2})|\d{4}[/.\-]\d{1,2}[/.\-]\d{1,2})"
    r"(?:[T ]\d{1,2}[:hH]\d{2}(?:[:mM]\d{2}(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
)


def stripped(cell: str) -> str:
    """Return the cell without the spaces around it, the no-break ones included."""
    return cell.strip(SPACES + "\r\n\ufeff")


def is_null_word(cell: str) -> bool:
    """Tell whether a cell says nothing, whatever its column."""
    return stripped(cell).lower() in NULL_WORDS


def looks_typed(cell: str) -> bool:
    """Tell whether a cell is a number or a date, and not words (so that it can hardly be a header)."""
    cell = stripped(cell)
    return any(c.isdigit() for c in cell) and bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell))


def looks_dated(cell: str) -> bool:
    """Tell whether a cell is written as a day."""
    return bool(_DATE.fullmatch(stripped(cell)))
