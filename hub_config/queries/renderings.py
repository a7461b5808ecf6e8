"""A result as pages of JSON, Arrow, CSV in French form, XLSX with real types, Parquet.

One set of column formats for all of them: what the answer's table shows. A spreadsheet gets numbers, dates and percentages
as such, never a formula: text stays text, whatever it begins with. What Excel cannot hold exactly (whole numbers beyond 15
digits, dates before 1900, structures) is text there.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from datapilot_kernel.answers.exports import to_csv
from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.engine.wire import wire_value
from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import current_language, text
from hub_config.queries.results import Result

if TYPE_CHECKING:
    import pyarrow as pa

Format = Literal["json", "arrow", "csv", "xlsx", "parquet"]

MEDIA_TYPES: dict[Format, str] = {
    "json": "application/json",
    "arrow": "application/vnd.apache.arrow.stream",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}

XLSX_MAX_ROWS = 1_048_575
_XLSX_MAX_TEXT = 32_767
_EXACT_IN_EXCEL = 10**15
_EXCEL_BEGINS = date(1900, 3, 1)  # before it, Excel's calendar has a day too many


def formatter_of(result: Result) -> Formatter:
    """Return what writes the result's values, in the language in force."""
    return Formatter(language=current_language(), currency=result.currency, calendar=result.calendar)


def page(result: Result, *, offset: int, limit: int) -> dict[str, Any]:
    """Return rows ``offset`` to ``offset + limit`` as the contract's values, and where the next page begins."""
    rows = result.table.rows[offset : offset + limit]
    following = offset + len(rows)
    return {
        "columns": [column_json(c) for c in result.columns],
        "rows": [[wire_value(v) for v in row] for row in rows],
        "row_count": len(result.table.rows),
        "truncated": result.table.truncated,
        "offset": offset,
        "next": following if following < len(result.table.rows) else None,
    }


def column_json(column: AnswerColumn) -> dict[str, Any]:
    """Return a column as the contract's outcome has it."""
    return {
        "name": column.name,
        "label": column.label,
        "type": column.type,
        "format": column.format.model_dump(mode="json", exclude_none=True),
        "role": column.role,
        "grain": column.grain,
        "ref": column.ref,
        "of": column.of,
        "lower_is_better": column.lower_is_better,
        "values": dict(column.values),
    }


def render(result: Result, kind: Format) -> bytes:
    """Return the whole result as a file.

    Raises
    ------
    BadInput
        It has more rows than the format takes.
    """
    match kind:
        case "json":
            return json.dumps(page(result, offset=0, limit=len(result.table.rows)), ensure_ascii=False).encode()
        case "arrow":
            return _arrow(result.to_arrow())
        case "csv":
            return to_csv(result.columns, result.table, formatter_of(result))
        case "parquet":
            return _parquet(result.to_arrow())
        case "xlsx":
            if len(result.table.rows) > XLSX_MAX_ROWS:
                raise BadInput("queries.too_many_rows_for_xlsx", limit=XLSX_MAX_ROWS)
            out = io.BytesIO()
            with Workbook(out, result.columns, formatter_of(result)) as book:
                for row in result.table.rows:
                    book.write(row)
            return out.getvalue()


def _arrow(table: pa.Table) -> bytes:
    import pyarrow as pa

    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return bytes(out.getvalue())


def _parquet(table: pa.Table) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = pa.BufferOutputStream()
    pq.write_table(storable(table), out, compression="zstd")
    return bytes(out.getvalue())


def storable(table: pa.Table) -> pa.Table:
    """Return the table in types that Parquet has: a duration becomes microseconds, as Parquet's readers expect of one."""
    import pyarrow as pa

    fields = [pa.field(f.name, pa.int64()) if pa.types.is_duration(f.type) else f for f in table.schema]
    wanted = pa.schema(fields, metadata=table.schema.metadata)
    return table if wanted == table.schema else table.cast(wanted)


class Workbook:
    """An XLSX file that is written row by row, in constant memory."""

    def __init__(self, out: io.BytesIO | Any, columns: tuple[AnswerColumn, ...], formatter: Formatter) -> None:
        import xlsxwriter

        self._book = xlsxwriter.Workbook(
            out,
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_numbers": False,
                "strings_to_urls": False,
                "nan_inf_to_errors": False,
            },
        )
        self._sheet = self._book.add_worksheet(text("queries.sheet_name"))
        self._zone = ZoneInfo(formatter.calendar.timezone)
        heading = self._book.add_format({"bold": True, "bottom": 1})
        self._writers: list[Callable[[int, int, Any], None]] = []
        for position, column in enumerate(columns):
            self._sheet.set_column(position, position, _width(column))
            self._writers.append(self._writer(column, formatter))
        self._sheet.freeze_panes(1, 0)
        for position, column in enumerate(columns):
            self._sheet.write_string(0, position, _fitting(column.label), heading)
        self._row = 0

    def __enter__(self) -> Workbook:
        return self

    def __exit__(self, *exc: object) -> None:
        self._book.close()

    def write(self, row: tuple[Any, ...]) -> None:
        """Add a row.

        Raises
        ------
        BadInput
            A sheet has no more rows than this.
        """
        self._row += 1
        if self._row > XLSX_MAX_ROWS:
            raise BadInput("queries.too_many_rows_for_xlsx", limit=XLSX_MAX_ROWS)
        for position, (value, write) in enumerate(zip(row, self._writers, strict=True)):
            if value is not None:
                write(self._row, position, value)

    def _writer(self, column: AnswerColumn, formatter: Formatter) -> Callable[[int, int, Any], None]:
        numbers = self._book.add_format({"num_format": number_format(column, formatter)})
        dates = self._book.add_format({"num_format": "mmmm yyyy" if column.grain == "month" else "dd/mm/yyyy"})
        moments = self._book.add_format({"num_format": "dd/mm/yyyy hh:mm:ss"})
        clocks = self._book.add_format({"num_format": "hh:mm:ss"})
        spans = self._book.add_format({"num_format": "[h]:mm:ss"})
        sheet = self._sheet
        # A quarter, a week or a day of the week is shown by its name, as in the table.
        named = bool(column.values) or column.grain not in (None, "day", "month")

        def write(row: int, place: int, value: Any) -> None:
            if named:
                sheet.write_string(row, place, _fitting(formatter.cell(value, column, null="")))
            elif isinstance(value, bool):
                sheet.write_boolean(row, place, value)
            elif isinstance(value, (int, float, Decimal)) and _exact(value):
                sheet.write_number(row, place, float(value), numbers)
            elif isinstance(value, datetime):
                local = value.astimezone(self._zone).replace(tzinfo=None) if value.tzinfo is not None else value
                if local.date() < _EXCEL_BEGINS:
                    sheet.write_string(row, place, formatter.cell(value, column))
                else:
                    plain = column.grain is not None or column.format.kind == "date"
                    sheet.write_datetime(row, place, local, dates if plain else moments)
            elif isinstance(value, date) and value >= _EXCEL_BEGINS:
                sheet.write_datetime(row, place, value, dates)
            elif isinstance(value, time) and value.tzinfo is None:
                sheet.write_datetime(row, place, value, clocks)
            elif isinstance(value, timedelta) and value >= timedelta(0):
                sheet.write_datetime(row, place, value, spans)
            else:
                sheet.write_string(row, place, _fitting(_shown(value, column, formatter)))

        return write


def _shown(value: Any, column: AnswerColumn, formatter: Formatter) -> str:
    if isinstance(value, (list, dict)):
        return json.dumps(wire_value(value), ensure_ascii=False)
    if isinstance(value, (bytes, float, int, Decimal)):
        return str(wire_value(value))
    return formatter.cell(value, column, null="")


def _exact(value: float | Decimal) -> bool:
    """Tell whether Excel, whose numbers have 15 digits, shows it as it is.

    >>> _exact(12), _exact(10**17), _exact(Decimal("0.1")), _exact(Decimal("1234567890123456.78")), _exact(float("nan"))
    (True, False, True, False, False)
    """
    if isinstance(value, int):
        return abs(value) < _EXACT_IN_EXCEL
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")
    # Digits behind the fifteenth of an average or a share are nobody's: only what counts things must be exact.
    return value.is_finite() and abs(value) < _EXACT_IN_EXCEL


def _fitting(value: str) -> str:
    return value if len(value) <= _XLSX_MAX_TEXT else value[: _XLSX_MAX_TEXT - 1] + "…"


def _width(column: AnswerColumn) -> int:
    usual = {"currency": 16, "date": 12, "datetime": 19, "percent": 10, "integer": 12, "decimal": 14}
    return min(60, max(len(column.label) + 2, usual.get(column.format.kind, 18)))


def number_format(column: AnswerColumn, formatter: Formatter) -> str:
    """Return Excel's number format of a column: what the table shows, in Excel's words (which follow the reader's language).

    >>> from datapilot_kernel.semantic.model import Format
    >>> number_format(AnswerColumn("taux", "Taux", "decimal", Format(kind="percent", decimals=1)), Formatter())
    '0.0%'
    """
    format = column.format
    match format.kind:
        case "percent":
            return "0" + _point(1 if format.decimals is None else format.decimals) + "%"
        case "currency":
            from babel.core import Locale
            from babel.numbers import get_currency_precision

            code = format.currency or formatter.currency
            sign = Locale.parse(formatter.language).currency_symbols.get(code, code).replace('"', "")
            places = get_currency_precision(code) if format.decimals is None else format.decimals
            number = f"#,##0{_point(places)}"
            return f'"{sign}"{number}' if formatter.language == "en" else f'{number} "{sign}"'
        case "integer":
            number = "#,##0"
        case "year":
            return "0"
        case _:
            number = "#,##0" + (".##########" if format.decimals is None else _point(format.decimals))
            if column.type == "integer":
                number = "#,##0"
    if format.unit:
        unit = format.unit.replace('"', "")
        return f'{number} "{unit}"'
    return number


def _point(places: int) -> str:
    return "." + "0" * places if places else ""


__all__ = ["MEDIA_TYPES", "XLSX_MAX_ROWS", "Format", "Workbook", "column_json", "page", "render"]
