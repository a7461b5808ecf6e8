"""A result as a file: CSV as French Excel opens it by a double click, and plain records.

French CSV: ``;``, decimal comma, UTF-8 with its mark, CRLF. Numbers are exact and not grouped (Excel reads
``1234567,89``, not ``1 234 567,89``); dates are ``31/05/2026``, months ``mai 2026``, shares ``12,5%``. Text that a
spreadsheet would run as a formula is written with an apostrophe before it.
"""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from datapilot_kernel.answers.formats import Formatter, as_decimal
from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.sources.model import ResultTable

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def to_csv(columns: tuple[AnswerColumn, ...], table: ResultTable, formatter: Formatter) -> bytes:
    """Return the table as a CSV file (French: ``;`` and decimal comma; English: ``,`` and point)."""
    french = formatter.language == "fr"
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";" if french else ",", lineterminator="\r\n")
    writer.writerow([harmless(c.label) for c in columns])
    for row in table.rows:
        writer.writerow([_cell(value, column, formatter) for value, column in zip(row, columns, strict=True)])
    return out.getvalue().encode("utf-8-sig")


def harmless(value: str) -> str:
    """Return text that no spreadsheet takes for a formula.

    >>> harmless("=HYPERLINK(1)")
    "'=HYPERLINK(1)"
    >>> harmless("Lyon")
    'Lyon'
    """
    return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) or value.startswith(_FORMULA) else value


def _cell(value: Any, column: AnswerColumn, formatter: Formatter) -> str:
    if value is None:
        return ""
    number = as_decimal(value) if isinstance(value, (int, float, Decimal)) else None
    if number is not None and column.grain is None and not column.values:
        percent = column.format.kind == "percent"
        shown = plain_number(number * 100 if percent else number) + ("%" if percent else "")
        return shown.replace(".", ",") if formatter.language == "fr" else shown
    if formatter.language == "en" and isinstance(value, (date, datetime)) and column.grain in (None, "day"):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    return harmless(formatter.cell(value, column, null=""))


def plain_number(number: Decimal) -> str:
    """Return a number with all its digits, a point and no exponent.

    >>> plain_number(Decimal("1E+3")), plain_number(Decimal("12.50"))
    ('1000', '12.50')
    """
    return f"{number:f}"
