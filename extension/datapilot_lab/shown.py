"""What the kernel package makes of an outcome for the panel: written-out values, other charts, edited readings.

Everything is made by the code that the notebook uses, so that a number reads the same in the panel, in a cell and in an
export. The kernel package's heavy rooms are imported inside the functions: they load at the first question, not with Lab.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datapilot_kernel.answers.formats import Formatter
    from datapilot_kernel.answers.model import AnswerColumn
    from datapilot_kernel.plan.model import Plan
    from datapilot_kernel.semantic.model import Layer
    from datapilot_kernel.sources.model import ResultTable


@dataclass(frozen=True)
class Table:
    """A result as the kernel package holds it."""

    columns: tuple[AnswerColumn, ...]
    table: ResultTable


def read_layer(found: dict[str, Any]) -> Layer:
    """Return the API's layer as a model."""
    from datapilot_kernel.semantic.model import Layer

    return Layer.model_validate(found)


def read_table(columns: list[dict[str, Any]], rows: list[list[Any]], *, truncated: bool) -> Table:
    """Return columns and rows of the wire with their types."""
    from datapilot_kernel.answers.model import AnswerColumn
    from datapilot_kernel.engine.wire_reading import rows_from_json
    from datapilot_kernel.semantic.model import Format

    read = tuple(AnswerColumn(**{**c, "format": Format.model_validate(c["format"])}) for c in columns)
    return Table(read, rows_from_json(read, rows, truncated=truncated))


def write_rows(table: Table, rows: list[tuple[Any, ...]], formatter: Formatter) -> list[list[str]]:
    """Return rows as people read them; a difference or a growth has its sign."""
    signed = [c.role in ("growth", "difference") for c in table.columns]
    return [
        [
            formatter.signed(v, c.format) if s and v is not None else formatter.cell(v, c)
            for v, c, s in zip(row, table.columns, signed, strict=True)
        ]
        for row in rows
    ]


def extras(outcome: dict[str, Any], layer: Layer | None, dialect: Any) -> dict[str, Any]:
    """Return what is added to an answer (:class:`~datapilot_lab.wire.AnswerShown`)."""
    from datapilot_kernel.answers import formatter_for
    from datapilot_kernel.answers.shape import shape_of
    from datapilot_kernel.notebook.card import pretty

    table = read_table(outcome["columns"], outcome["rows"], truncated=outcome["truncated"])
    shape = shape_of(table.columns, table.table, read_plan(outcome["plan"]))
    return {
        "shown": write_rows(table, list(table.table.rows), formatter_for(layer)),
        "single": shape.kind == "value" and not shape.dimensions and len(table.columns) <= 6,
        "pretty_sql": pretty(outcome["sql"], dialect),
    }


def read_plan(found: dict[str, Any] | None) -> Plan | None:
    """Return a plan of the wire.

    Raises
    ------
    BadInput
        It is none.
    """
    from pydantic import ValidationError

    from datapilot_kernel.errors import BadInput
    from datapilot_kernel.plan.model import Plan

    if found is None:
        return None
    try:
        return Plan.model_validate(found)
    except ValidationError as error:
        raise BadInput("answers.edit.bad_value", path="/") from error


def composed(query: dict[str, Any], table: Table, layer: Layer | None, dialect: Any) -> dict[str, Any]:
    """Return an answer of the history again, from its plan or its SQL and its result: what the wire would have said."""
    from datapilot_kernel.answers import compose
    from datapilot_kernel.engine.wire import wire_value

    plan = read_plan(query["plan"])
    made = compose(
        table.table, table.columns, plan=plan, compiled=None, layer=layer, sql=query["sql"] or "", dialect=dialect
    )
    parts = [
        {"path": p.path, "kind": p.kind, "label": p.label, "value": p.value, "editable": p.editable} for p in made.reading
    ]
    return {
        "sentence": made.sentence,
        "reading": parts,
        "chart": made.chart,
        "rows": [[wire_value(v) for v in row] for row in table.table.rows],
    }


def chart_of(table: Table, plan: Plan | None, layer: Layer | None, kind: Any) -> dict[str, Any] | None:
    """Return a chart of that type; None when the table makes no chart."""
    from datapilot_kernel.answers import formatter_for
    from datapilot_kernel.answers.chart import choose_chart

    return choose_chart(table.columns, table.table, plan, None, formatter_for(layer), chart_type=kind)


def sort_key(value: Any) -> tuple[int, Any]:
    """Return what a column's values are ordered by: text without case and accents, nothing last.

    >>> sorted(["zoé", None, "Éric", "abel"], key=sort_key)
    ['abel', 'Éric', 'zoé', None]
    """
    if value is None:
        return (2, 0)
    if isinstance(value, str):
        plain = unicodedata.normalize("NFKD", value.casefold())
        return (1, "".join(c for c in plain if not unicodedata.combining(c)))
    if isinstance(value, float):
        return (0, Decimal(repr(value))) if value == value else (2, 0)
    if isinstance(value, (list, dict)):
        return (1, str(value))
    return (0, value)


def sorted_rows(table: Table, column: int, *, descending: bool) -> list[tuple[Any, ...]]:
    """Return the rows by one column; rows without a value stay last either way."""
    present = [row for row in table.table.rows if row[column] is not None]
    absent = [row for row in table.table.rows if row[column] is None]
    return sorted(present, key=lambda row: sort_key(row[column]), reverse=descending) + absent


def tab_separated(table: Table, rows: list[tuple[Any, ...]], formatter: Formatter) -> str:
    """Return the table as a spreadsheet takes it from the clipboard: in French, decimal comma and no grouping."""
    # One writer of spreadsheets' values: the CSV export's, its separator changed for the clipboard's.
    import csv
    import io
    from dataclasses import replace

    from datapilot_kernel.answers.exports import to_csv

    text = to_csv(table.columns, replace(table.table, rows=rows), formatter).decode("utf-8-sig")
    delimiter = ";" if formatter.language == "fr" else ","
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\r\n")
    writer.writerows(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    return out.getvalue()
