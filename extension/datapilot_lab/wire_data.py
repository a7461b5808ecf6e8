"""What the panels for data and for publishing get: a source to be browsed, and what was understood of a file.

The panel's types are made from these, as from :mod:`datapilot_lab.wire`. What was understood comes from the API as it is;
a test holds these models to what the API sends.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from datapilot_lab.wire import Wire


class BrowsedColumn(Wire):
    """A column, in people's words where the layer has some."""

    name: str
    label: str | None = Field(description="the layer's; null: the layer does not show it")
    type: str
    description: str | None
    personal: bool
    field: str | None = Field(description="entity.name in the layer: what a filter names; null: it has none")


class BrowsedTable(Wire):
    """A table, with questions that it can answer."""

    name: str = Field(description="schema.table, as the catalog says it")
    label: str | None = Field(description="the layer's; null: the layer does not show it")
    description: str | None
    row_estimate: int | None
    columns: list[BrowsedColumn]
    measures: list[str] = Field(description="labels of what is counted and added up")
    questions: list[str]


class Browsed(Wire):
    """A source to be browsed."""

    id: str
    name: str
    layer: str
    accepted: bool
    tables: list[BrowsedTable]


class BadCell(Wire):
    """A cell that does not fit its column's type."""

    line: int
    value: str


class UnderstoodColumn(Wire):
    """A column of a file, as it was read."""

    name: str
    header: str
    type: Literal["integer", "decimal", "float", "text", "boolean", "date", "timestamp", "timestamptz", "time", "other"]
    format: str | None
    nulls: int
    doubts: list[str] = Field(description="sentences: what a person had better confirm or correct")
    bad_cells: list[BadCell]
    bad_cell_count: int
    overridden: bool = Field(description="a person has decided it")


class UnderstoodFile(Wire):
    """A file, or one sheet of a workbook, as it was read."""

    file: str
    table: str
    kind: Literal["csv", "xlsx", "parquet"]
    sheet: str | None
    encoding: str | None
    delimiter: str | None
    header_line: int | None
    rows: int
    notes: list[str]
    columns: list[UnderstoodColumn]
    first_rows: list[list[Any]]


class SkippedFile(Wire):
    """A file that could not be read, and why."""

    file: str
    message: str


class Understood(Wire):
    """What was understood of an upload."""

    files: list[UnderstoodFile]
    skipped: list[SkippedFile]
