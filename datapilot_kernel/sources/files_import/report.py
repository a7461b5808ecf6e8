"""What was decided when files were read, as data; and what a person decides instead.

A report says per file which encoding, delimiter and header line were found, per column which type and format, with the
doubts that remain and the cells that do not fit; the same words, given as options, override the decision. Everything is
plain data: it is kept beside the imported database and shown by the pages and the notebook.

Dataclasses, not pydantic: these cross a pipe between two processes of ours, and every import would pay for loading it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, get_args

from datapilot_kernel.messages import text

ColumnType = Literal["integer", "decimal", "float", "text", "boolean", "date", "timestamp", "timestamptz", "time", "other"]
ChosenType = Literal["integer", "decimal", "float", "text", "boolean", "date", "timestamp"]
ChosenFormat = Literal["dmy", "mdy", "ymd", "comma", "point"]


@dataclass(frozen=True)
class Note:
    """One thing worth knowing, as a key of the catalogues and its placeholders."""

    key: str
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The sentence, in the language in force."""
        return text(self.key, **self.values)


@dataclass(frozen=True)
class ColumnOverride:
    """What a person decides about a column; None leaves the decision to the reader.

    ``format`` is one of ``dmy``, ``mdy``, ``ymd`` for dates and times, ``comma`` or ``point`` for the decimal sign.
    ``name`` is the SQL name. A cell that does not fit an overridden type becomes NULL and is listed.

    Raises
    ------
    ValueError
        There is no such type or format.
    """

    type: ChosenType | None = None
    format: ChosenFormat | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if self.type is not None and self.type not in get_args(ChosenType):
            raise ValueError(f"type {self.type!r}: one of {', '.join(get_args(ChosenType))}")
        if self.format is not None and self.format not in get_args(ChosenFormat):
            raise ValueError(f"format {self.format!r}: one of {', '.join(get_args(ChosenFormat))}")


@dataclass(frozen=True)
class FileOptions:
    """What a person decides about a file; None leaves the decision to the reader.

    ``header_line`` counts from 1 as an editor does; 0: there is no header. ``columns`` is keyed by the header as written
    or by the SQL name. ``keep_totals`` takes total rows for data. ``sheets`` names the sheets of a workbook to read.

    ``rank`` is for collections that several people add to, and is not a person's decision: ranked files are read in its
    order, and each has its tables under its own names or not at all. Without it a file whose name is taken is numbered, and
    a file that comes later could thereby give another's table a new name: rights go by names.

    Raises
    ------
    ValueError
        The delimiter is not one character, or the header line is negative.
    """

    encoding: str | None = None
    delimiter: str | None = None
    header_line: int | None = None
    table: str | None = None
    keep_totals: bool = False
    sheets: tuple[str, ...] | None = None
    columns: Mapping[str, ColumnOverride] = field(default_factory=dict)
    rank: int | None = None

    def __post_init__(self) -> None:
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise ValueError(f"delimiter {self.delimiter!r}: one character")
        if self.header_line is not None and self.header_line < 0:
            raise ValueError(f"header_line {self.header_line}: a line's number, or 0")

    def to_data(self) -> dict[str, Any]:
        """Return it as what JSON knows."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_data`` gave, or a person wrote. Raises ValueError or TypeError for a key that does not exist."""
        columns = {name: ColumnOverride(**given) for name, given in data.get("columns", {}).items()}
        sheets = data.get("sheets")
        return cls(**{**data, "columns": columns, "sheets": None if sheets is None else tuple(sheets)})


FilesOptions = Mapping[str, FileOptions]
"""By file name (``ventes.csv``); ``*`` for every file that has none of its own."""


@dataclass(frozen=True)
class BadCell:
    """A cell that does not fit its column's type: ``line`` as an editor counts, ``column`` is the header."""

    line: int
    column: str
    value: str = field(repr=False)


@dataclass(frozen=True)
class ColumnReport:
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


@dataclass(frozen=True)
class FileReport:
    """What was decided for one file, or one sheet of a workbook."""

    file: str
    table: str
    kind: Literal["csv", "xlsx", "parquet"]
    sheet: str | None = None
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


@dataclass(frozen=True)
class ImportReport:
    """What was decided for everything that was read. ``skipped``: files that could not be, each with its sentence."""

    files: tuple[FileReport, ...]
    skipped: dict[str, Note] = field(default_factory=dict)

    def table(self, name: str) -> FileReport:
        """Return the report of the table of that name. Raises KeyError."""
        for file in self.files:
            if file.table == name:
                return file
        raise KeyError(name)

    def to_data(self) -> dict[str, Any]:
        """Return it as what JSON knows."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_data`` gave."""
        files = []
        for file in data["files"]:
            columns = tuple(
                ColumnReport(
                    **{
                        **column,
                        "doubts": tuple(Note(**note) for note in column["doubts"]),
                        "bad_cells": tuple(BadCell(**cell) for cell in column["bad_cells"]),
                    }
                )
                for column in file["columns"]
            )
            files.append(FileReport(**{**file, "columns": columns, "notes": tuple(Note(**note) for note in file["notes"])}))
        return cls(tuple(files), {name: Note(**note) for name, note in data["skipped"].items()})
