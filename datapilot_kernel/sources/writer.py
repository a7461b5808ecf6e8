"""Writing tables out: into PostgreSQL, into MySQL/MariaDB, or as French CSV files.

The one road by which this package writes to a database, for data of its own making (``datapilot demo-data``): never part
of answering a question. One interface, three implementations, chosen by :func:`open_writer`::

    with open_writer("postgresql://…/demo") as writer:
        writer.create_table("clients", [("id", "integer", "Numéro du client"), ("nom", "text", None)], ("id",))
        writer.load("clients", ["id", "nom"], [(1, "Lumière")])
        writer.finish()

Nothing shows before :meth:`Writer.finish`: PostgreSQL works in one transaction, files are renamed at the end, and on
MySQL, whose DDL cannot be rolled back, the tables made so far are dropped. A table that is already there is an error
unless ``replace=True``, which drops tables of the names written and no others.
"""

from __future__ import annotations

import csv
import os
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Literal, Self

from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.sources.location import DatabaseLocation, parse_location
from datapilot_kernel.sources.names import clean_name
from datapilot_kernel.sources.problems import translated

if TYPE_CHECKING:
    import psycopg
    import pymysql

WrittenColumn = tuple[str, str, str | None]
"""Name, type key (``integer bigint text decimal(p,s) date timestamp boolean``), comment or None."""

WrittenForeignKey = tuple[Sequence[str], str, Sequence[str]]
"""Own columns, the other table, its columns."""

_DECIMAL = re.compile(r"^decimal\((\d+), ?(\d+)\)$")
_POSTGRES_TYPES = {
    "integer": "integer", "bigint": "bigint", "text": "text", "date": "date", "timestamp": "timestamp",
    "boolean": "boolean",
}  # fmt: skip
# 500 characters of four bytes can still be indexed by InnoDB (3,072 bytes); TEXT could not, and groups on disk.
_MYSQL_TYPES = {
    "integer": "INT", "bigint": "BIGINT", "text": "VARCHAR(500)", "date": "DATE", "timestamp": "DATETIME",
    "boolean": "TINYINT(1)",
}  # fmt: skip


def _native_type(key: str, types: Mapping[str, str]) -> str:
    decimal = _DECIMAL.match(key)
    if decimal:
        return f"DECIMAL({decimal[1]},{decimal[2]})"
    if key not in types:
        raise ValueError(f"unknown type key {key!r}: one of {', '.join(types)}, decimal(p,s)")
    return types[key]


@dataclass(frozen=True)
class _Table:
    name: str
    columns: tuple[WrittenColumn, ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[WrittenForeignKey, ...]
    comment: str | None
    headers: Mapping[str, str]


class Writer(ABC):
    """Creates tables and fills them. Use it as a context manager: leaving it without ``finish`` leaves nothing behind."""

    def __init__(self, *, replace: bool) -> None:
        self._replace = replace
        self._tables: dict[str, _Table] = {}
        self._finished = False

    def create_table(
        self,
        name: str,
        columns: Sequence[WrittenColumn],
        primary_key: Sequence[str] = (),
        foreign_keys: Sequence[WrittenForeignKey] = (),
        comment: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Create one table.

        Parameters
        ----------
        columns
            ``(name, type key, comment)``; the key is one of ``integer``, ``bigint``, ``text`` (at most 500 characters on
            MySQL), ``decimal(p,s)``, ``date``, ``timestamp``, ``boolean``.
        foreign_keys
            ``(columns, table, columns of that table)``; they are added by ``finish``, so tables load in any order. A
            folder of CSV files keeps neither keys nor comments: as in life.
        headers
            For CSV files: what to write above a column; default: its name with spaces, capitalised.

        Raises
        ------
        SourceProblem
            There is such a table already, or the database refuses.
        """
        table = _Table(name, tuple(columns), tuple(primary_key), tuple(foreign_keys), comment, dict(headers or {}))
        self._tables[name] = table
        self._create(table)

    def load(self, name: str, column_names: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Append rows to a created table; return how many. Columns that are not named stay NULL."""
        known = {column for column, _, _ in self._tables[name].columns}
        missing = [column for column in column_names if column not in known]
        if missing:
            raise ValueError(f"no such columns in {name}: {', '.join(missing)}")
        return self._load(self._tables[name], list(column_names), rows)

    def finish(self) -> None:
        """Add the foreign keys, refresh the statistics, and make everything visible."""
        self._finish()
        self._finished = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self._finished:
            self._abandon()
        self._close()

    @abstractmethod
    def _create(self, table: _Table) -> None: ...

    @abstractmethod
    def _load(self, table: _Table, columns: list[str], rows: Iterable[Sequence[Any]]) -> int: ...

    @abstractmethod
    def _finish(self) -> None: ...

    @abstractmethod
    def _abandon(self) -> None: ...

    @abstractmethod
    def _close(self) -> None: ...


def open_writer(location: str, *, replace: bool = False, encoding: Literal["utf-8-sig", "cp1252"] = "utf-8-sig") -> Writer:
    """Open a writer.

    Parameters
    ----------
    location
        A ``postgresql://`` or ``mysql://`` URL, or a folder (made if it is not there).
    replace
        Tables and files of the names written are replaced; False: they are an error.
    encoding
        Of CSV files. A file that ``cp1252`` cannot hold is written as UTF-8 with its mark.

    Raises
    ------
    SourceProblem
        The location cannot be reached or written.
    """
    where = parse_location(location)
    if isinstance(where, DatabaseLocation):
        return _PostgresWriter(where, replace) if where.kind == "postgres" else _MysqlWriter(where, replace)
    if where.kind == "duckdb" or where.path.is_file() or where.path.suffix.lower() in {".csv", ".xlsx", ".parquet"}:
        raise SourceProblem("sources.write_needs_folder", name=where.path.name)
    return _FolderWriter(where.path, replace, encoding)


class _PostgresWriter(Writer):
    def __init__(self, where: DatabaseLocation, replace: bool) -> None:
        super().__init__(replace=replace)
        from datapilot_kernel.sources.postgres import connect_arguments

        with translated("postgres"):
            import psycopg

            self._connection: psycopg.Connection[Any] = psycopg.connect(**connect_arguments(where))

    def _run(self, statement: psycopg.sql.Composed) -> None:
        with translated("postgres"):
            self._connection.execute(statement)

    def _create(self, table: _Table) -> None:
        from psycopg import sql

        named = sql.Identifier(table.name)
        if self._replace:
            self._run(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(named))
        parts: list[sql.Composable] = [
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(_native_type(key, _POSTGRES_TYPES)))
            for name, key, _ in table.columns
        ]
        if table.primary_key:
            parts.append(sql.SQL("PRIMARY KEY ({})").format(sql.SQL(", ").join(map(sql.Identifier, table.primary_key))))
        self._run(sql.SQL("CREATE TABLE {} ({})").format(named, sql.SQL(", ").join(parts)))
        if table.comment:
            self._run(sql.SQL("COMMENT ON TABLE {} IS {}").format(named, sql.Literal(table.comment)))
        for name, _, comment in table.columns:
            if comment:
                column = sql.Identifier(table.name, name)
                self._run(sql.SQL("COMMENT ON COLUMN {} IS {}").format(column, sql.Literal(comment)))

    def _load(self, table: _Table, columns: list[str], rows: Iterable[Sequence[Any]]) -> int:
        from psycopg import sql

        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        count = 0
        with translated("postgres"), self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
                count += 1
        return count

    def _finish(self) -> None:
        from psycopg import sql

        for table in self._tables.values():
            for columns, other, referenced in table.foreign_keys:
                own = sql.SQL(", ").join(map(sql.Identifier, columns))
                self._run(
                    sql.SQL("ALTER TABLE {} ADD FOREIGN KEY ({}) REFERENCES {} ({})").format(
                        sql.Identifier(table.name), own, sql.Identifier(other),
                        sql.SQL(", ").join(map(sql.Identifier, referenced)),
                    )
                )  # fmt: skip
                # MySQL indexes a foreign key by itself; PostgreSQL's joins want one as well.
                self._run(sql.SQL("CREATE INDEX ON {} ({})").format(sql.Identifier(table.name), own))
            self._run(sql.SQL("ANALYZE {}").format(sql.Identifier(table.name)))
        with translated("postgres"):
            self._connection.commit()

    def _abandon(self) -> None:
        with suppress(SourceProblem), translated("postgres"):
            self._connection.rollback()

    def _close(self) -> None:
        self._connection.close()


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(_quoted, names))


class _MysqlWriter(Writer):
    _BATCH_ROWS = 2_000

    def __init__(self, where: DatabaseLocation, replace: bool) -> None:
        super().__init__(replace=replace)
        from datapilot_kernel.sources.mysql import connect_arguments

        with translated("mysql"):
            import pymysql

            self._connection: pymysql.Connection[Any] = pymysql.connect(**connect_arguments(where))
        self._made: list[str] = []
        self._run("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_BACKSLASH_ESCAPES'")
        # Tables load in any order and may be replaced while others point at them.
        self._run("SET SESSION foreign_key_checks = 0")

    def _run(self, statement: str) -> None:
        with translated("mysql"), self._connection.cursor() as cursor:
            cursor.execute(statement)

    def _literal(self, text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    def _create(self, table: _Table) -> None:
        if self._replace:
            self._run(f"DROP TABLE IF EXISTS {_quoted(table.name)}")
        parts = [
            f"{_quoted(name)} {_native_type(key, _MYSQL_TYPES)}" + (f" COMMENT {self._literal(comment)}" if comment else "")
            for name, key, comment in table.columns
        ]
        if table.primary_key:
            parts.append(f"PRIMARY KEY ({_listed(table.primary_key)})")
        comment = f" COMMENT {self._literal(table.comment)}" if table.comment else ""
        self._run(f"CREATE TABLE {_quoted(table.name)} ({', '.join(parts)}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4{comment}")
        self._made.append(table.name)

    def _load(self, table: _Table, columns: list[str], rows: Iterable[Sequence[Any]]) -> int:
        # PyMySQL turns this form into one INSERT of many rows.
        statement = f"INSERT INTO {_quoted(table.name)} ({_listed(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"  # noqa: S608 -- names are quoted, values bound
        count = 0
        source = iter(rows)
        with translated("mysql"), self._connection.cursor() as cursor:
            while batch := list(islice(source, self._BATCH_ROWS)):
                cursor.executemany(statement, batch)
                count += len(batch)
            self._connection.commit()
        return count

    def _finish(self) -> None:
        self._run("SET SESSION foreign_key_checks = 1")
        for table in self._tables.values():
            for columns, other, referenced in table.foreign_keys:
                self._run(
                    f"ALTER TABLE {_quoted(table.name)} ADD FOREIGN KEY ({_listed(columns)}) "
                    f"REFERENCES {_quoted(other)} ({_listed(referenced)})"
                )
        for table in self._tables.values():
            self._run(f"ANALYZE TABLE {_quoted(table.name)}")

    def _abandon(self) -> None:
        with suppress(SourceProblem):
            self._run("SET SESSION foreign_key_checks = 0")
            for name in self._made:
                self._run(f"DROP TABLE IF EXISTS {_quoted(name)}")

    def _close(self) -> None:
        self._connection.close()


def french_cell(value: object) -> str:
    """Return a value as a French spreadsheet writes it in a CSV file; None is the empty cell.

    >>> french_cell(Decimal("-1234.50")), french_cell(date(2026, 5, 1)), french_cell(True), french_cell(None)
    ('-1234,50', '01/05/2026', 'oui', '')
    """
    match value:
        case None:
            return ""
        case bool():
            return "oui" if value else "non"
        case Decimal():
            return f"{value:f}".replace(".", ",")
        case float():
            return repr(value).replace(".", ",")
        case datetime():
            return value.strftime("%d/%m/%Y %H:%M:%S")
        case date():
            return value.strftime("%d/%m/%Y")
        case _:
            return str(value)


class _FolderWriter(Writer):
    def __init__(self, folder: Path, replace: bool, encoding: Literal["utf-8-sig", "cp1252"]) -> None:
        super().__init__(replace=replace)
        self._folder, self._encoding = folder, encoding
        self._open: dict[str, tuple[Path, IO[str]]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            raise SourceProblem("sources.folder_unwritable", name=folder.name) from None

    def _create(self, table: _Table) -> None:
        if not self._replace and (self._folder / f"{table.name}.csv").exists():
            raise SourceProblem("sources.table_exists", name=f"{table.name}.csv")
        for _, key, _ in table.columns:
            _native_type(key, _POSTGRES_TYPES)
        try:
            handle, path = tempfile.mkstemp(prefix=f".{table.name}-", suffix=".part", dir=self._folder)
            # The mark is written by finish: a file that goes out as cp1252 has none.
            stream = os.fdopen(handle, "w", encoding="utf-8", newline="")
        except OSError:
            raise SourceProblem("sources.folder_unwritable", name=self._folder.name) from None
        self._open[table.name] = (Path(path), stream)
        self._sheet(table.name).writerow([self._header(table, name) for name, _, _ in table.columns])

    def _sheet(self, name: str) -> Any:
        return csv.writer(self._open[name][1], delimiter=";", lineterminator="\r\n")

    @staticmethod
    def _header(table: _Table, name: str) -> str:
        header = table.headers.get(name) or name.replace("_", " ").capitalize()
        # Reading the file back must find the column's name again.
        return header if clean_name(header) == name or name in table.headers else name

    def _load(self, table: _Table, columns: list[str], rows: Iterable[Sequence[Any]]) -> int:
        positions = {column: position for position, column in enumerate(columns)}
        order = [positions.get(name) for name, _, _ in table.columns]
        count = 0

        def lines() -> Iterator[list[str]]:
            nonlocal count
            for row in rows:
                count += 1
                yield [french_cell(None if at is None else row[at]) for at in order]

        self._sheet(table.name).writerows(lines())
        return count

    def _finish(self) -> None:
        for name, (part, stream) in self._open.items():
            stream.close()
            encoded = part.with_suffix(".csv")
            try:
                self._encode(part, encoded, self._encoding)
            except UnicodeEncodeError:
                self._encode(part, encoded, "utf-8-sig")
            encoded.chmod(0o644)
            encoded.replace(self._folder / f"{name}.csv")
            part.unlink()

    @staticmethod
    def _encode(part: Path, target: Path, encoding: str) -> None:
        with (
            part.open(encoding="utf-8", newline="") as source,
            target.open("w", encoding=encoding, newline="") as out,
        ):
            while block := source.read(1 << 20):
                out.write(block)

    def _abandon(self) -> None:
        for part, stream in self._open.values():
            stream.close()
            part.unlink(missing_ok=True)
            part.with_suffix(".csv").unlink(missing_ok=True)

    def _close(self) -> None:
        return None
