"""What was decided when files were read, as data; and what a person decides instead.

A report says per file which encoding, delimiter and header line were found, per column which type and format, with the
doubts that remain and the cells that do not fit; the same words, given as options, override the decision. Everything is
plain data: it is kept beside the imported database and shown by the pages and the notebook.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from datapilot_kernel.messages import text

ColumnType = Literal["integer", "decimal", "float", "text", "boolean", "date", "timestamp", "timestamptz", "time", "other"]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Note(_Data):
    """One thing worth knowing, as a key of the catalogues and its placeholders."""

    key: str
    values: dict[str, Any] = {}

    @property
    def message(self) -> str:
        """The sentence, in the language in force."""
        return text(self.key, **self.values)


class ColumnOverride(_Data):
    """What a person decides about a column; None leaves the decision to the reader.

    ``format`` is one of ``dmy``, ``mdy``, ``ymd`` for dates and times, ``comma`` or ``point`` for the decimal sign.
    ``name`` is the SQL name. A cell that does not fit an overridden type becomes NULL and is listed.
    """

    type: Literal["integer", "decimal", "float", "text", "boolean", "date", "timestamp"] | None = None
    format: Literal["dmy", "mdy", "ymd", "comma", "point"] | None = None
    name: str | None = None


class FileOptions(_Data):
    """What a person decides about a file; None leaves the decision to the reader.

    ``header_line`` counts from 1 as an editor does; 0: there is no header. ``columns`` is keyed by the header as written
    or by the SQL name. ``keep_totals`` takes total rows for data. ``sheets`` names the sheets of a workbook to read.
    """

    encoding: str | None = None
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    header_line: int | None = Field(default=None, ge=0)
    table: str | None = None
    keep_totals: bool = False
    sheets: tuple[str, ...] | None = None
    columns: dict[str, ColumnOverride] = {}


FilesOptions = dict[str, FileOptions]
"""By file name (``ventes.csv``); ``*`` for every file that has none of its own."""


class BadCell(_Data):
    """A cell that does not fit its column's type: ``line`` as an editor counts, ``column`` is the header."""

    line: int
    column: str
    value: str = Field(repr=False)


class ColumnReport(_Data):
    """What was decided for one column."""

    name: str
    header: str
    type: ColumnType
    native_type: str
    format: str | None = None
    nulls: int = 0
    doubts: tuple[Note, ...] = ()
    bad_cells: tuple[BadCell, ...] = ()
    bad_cell_count: int = 0
    overridden: bool = False


class FileReport(_Data):
    """What was decided for one file, or one sheet of a workbook."""

    file: str
    sheet: str | None = None
    table: str
    kind: Literal["csv", "xlsx", "parquet"]
    encoding: str | None = None
    delimiter: str | None = None
    header_line: int | None = None
    rows: int = 0
    columns: tuple[ColumnReport, ...] = ()
    notes: tuple[Note, ...] = ()

    def column(self, name: str) -> ColumnReport:
        """Return the column of that SQL name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


class ImportReport(_Data):
    """What was decided for everything that was read. ``skipped``: files that could not be, each with its sentence."""

    files: tuple[FileReport, ...]
    skipped: dict[str, Note] = {}

    def table(self, name: str) -> FileReport:
        """Return the report of the table of that name. Raises KeyError."""
        for file in self.files:
            if file.table == name:
                return file
        raise KeyError(name)
