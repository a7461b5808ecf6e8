"""Files into tables of one DuckDB database.

A text file has two roads. The quick one reads and converts in one pass, with the types decided on a sample and
conversions that fail loudly; most files end there. Whatever it stumbles over (a cell that does not fit, a line of another
width, a stray quote) sends the file down the sure road: the standard library's reader cuts the records and numbers their
lines, everything is staged as text, types are decided again over all cells, and what does not fit is named by line and
column. Workbooks take the sure road. Parquet is copied as it is.

Every table gets the headers as written as its columns' comments: the catalog reads the labels there.
"""

# ruff: noqa: S608 -- every name below is quoted by ``quoted``, every text by ``sql_text``

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, get_args

from datapilot_kernel.sources.files_import import encoding as encodings
from datapilot_kernel.sources.files_import.cells import SPACES, stripped
from datapilot_kernel.sources.files_import.columns import Decision, decide, null_literals, sql_text
from datapilot_kernel.sources.files_import.layout import (
    LONGEST_FIELD,
    Layout,
    Record,
    Tail,
    choose_delimiter,
    find_book_table,
    find_table,
    find_tail,
)
from datapilot_kernel.sources.files_import.problems import Unreadable
from datapilot_kernel.sources.files_import.report import (
    BadCell,
    ColumnOverride,
    ColumnReport,
    ColumnType,
    FileOptions,
    FileReport,
    ImportReport,
    Note,
)
from datapilot_kernel.sources.names import clean_name, clean_names

if TYPE_CHECKING:
    import duckdb

TEXT_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".tab"})
BOOK_SUFFIXES = frozenset({".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"})
SUFFIXES = TEXT_SUFFIXES | BOOK_SUFFIXES | {".parquet"}
_SAMPLE_BYTES, _TAIL_BYTES, _SAMPLE_ROWS = 1 << 19, 64 << 10, 4_000
_SHOWN_CELLS, _ROUNDS, _SEARCHED_ROWS = 20, 4, 300_000


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def import_files(paths: Sequence[Path], options: Mapping[str, FileOptions], target: Path, memory_bytes: int) -> ImportReport:
    """Read every file into a new DuckDB database at ``target``.

    Raises
    ------
    Unreadable
        None of the files could be read: the first one's reason.
    """
    import duckdb

    reports: list[FileReport] = []
    skipped: dict[str, Note] = {}
    taken: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="datapilot-import-", dir=target.parent) as work:
        limits = {"memory_limit": f"{memory_bytes >> 20}MiB", "temp_directory": f"{work}/spill"}
        connection = duckdb.connect(str(target), config=limits)
        try:
            loader = Loader(connection, Path(work), taken)
            for path, chosen in _in_order(paths, options):
                try:
                    reports.extend(loader.load(path, chosen))
                except Unreadable as unreadable:
                    note = unreadable.note
                    skipped[path.name] = Note(note.key, {"file": path.name, **note.values})
        finally:
            connection.close()
    if not reports:
        first = next(iter(skipped.values()))
        raise Unreadable(first.key.removeprefix("sources."), **first.values)
    return ImportReport(files=tuple(reports), skipped=skipped)


def _in_order(paths: Sequence[Path], options: Mapping[str, FileOptions]) -> list[tuple[Path, FileOptions]]:
    chosen = [(path, options.get(path.name) or options.get("*") or FileOptions()) for path in paths]
    return sorted(chosen, key=lambda one: (one[1].rank is None, one[1].rank or 0))


@dataclass
class _Sheet:
    """A table on its way in: what it is called, and what was decided about it."""

    file: str
    table: str
    kind: Literal["csv", "xlsx"]
    options: FileOptions
    headers: list[str]
    names: list[str]
    header_line: int
    preamble: bool = False
    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    notes: tuple[Note, ...] = ()

    def override(self, position: int) -> ColumnOverride | None:
        """Return what a person decided about a column."""
        for key in (self.headers[position], self.names[position]):
            if key in self.options.columns:
                return self.options.columns[key]
        return None


class Loader:
    """Loads files one after the other into one database."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, work: Path, taken: set[str]) -> None:
        self._connection, self._work, self._taken = connection, work, taken
        self._own: set[str] = set()

    def load(self, path: Path, options: FileOptions) -> list[FileReport]:
        """Load one file; a workbook gives a table per sheet.

        Raises
        ------
        Unreadable
            The file holds no table that can be read.
        """
        try:
            size = path.stat().st_size
        except OSError:
            raise Unreadable("path_missing", name=path.name) from None
        if size == 0:
            raise Unreadable("file_empty", file=path.name)
        self._own = set()
        try:
            return self._loaded(path, options)
        except Unreadable:
            # The sheets before the one that could not be read: a file is read whole or not at all.
            for name in self._own:
                self._connection.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
            self._taken -= self._own
            raise

    def _loaded(self, path: Path, options: FileOptions) -> list[FileReport]:
        try:
            if path.suffix.lower() in BOOK_SUFFIXES:
                return self._load_book(path, options)
            if path.suffix.lower() == ".parquet":
                return [self._load_parquet(path, options)]
            return [self._load_text(path, options)]
        except PermissionError:
            raise Unreadable("file_forbidden", file=path.name) from None

    def _table_name(self, wanted: str, path: Path, options: FileOptions) -> str:
        base = clean_name(wanted, "table")
        name, count = base, 1
        while name in (self._taken if options.rank is None else self._own):
            count += 1
            name = f"{base}_{count}"
        if name in self._taken:
            raise Unreadable("table_taken", file=path.name, table=name)
        self._taken.add(name)
        self._own.add(name)
        return name

    # Text.

    def _load_text(self, path: Path, options: FileOptions) -> FileReport:
        encoding = encodings.detect_encoding(path, options.encoding)
        with path.open("rb") as stream:
            head = stream.read(_SAMPLE_BYTES)
        whole = path.stat().st_size <= _SAMPLE_BYTES
        text = encodings.decode(head, encoding)
        delimiter = options.delimiter or choose_delimiter(text[:200_000])
        layout = find_table(text, whole, delimiter, options.header_line)
        tail, end = self._tail(path, encoding, layout, options)
        data = _without_tail(layout.data, tail) if whole else layout.data
        sheet = _Sheet(
            file=path.name, table=self._table_name(options.table or path.stem, path, options), kind="csv", options=options,
            headers=layout.headers, names=_names(layout.headers, options), header_line=layout.header_line,
            preamble=layout.preamble, encoding=encoding.name, delimiter=delimiter if delimiter in text else None,
            notes=(*encoding.notes, *_tail_notes(tail)),
        )  # fmt: skip
        decisions = _decisions(sheet, [record.cells for record in data[:_SAMPLE_ROWS]])
        source = path
        if not encoding.direct or end is not None or encoding.mark_bytes:
            source = self._work / "utf8.csv"
            with source.open("wb") as target:
                encodings.utf8_copy(path, target, encoding, end)
        try:
            wrapped = any(_FORMULA_TEXT.fullmatch(cell) for r in data[:500] for cell in r.cells)
            if layout.plain_preamble and not wrapped and self._quick(source, layout, sheet, decisions):
                return self._reported(sheet, decisions, {})
            return self._sure(_numbered(source, layout), layout.width, sheet)
        finally:
            if source != path:
                source.unlink()

    def _tail(
        self, path: Path, encoding: encodings.Encoding, layout: Layout, options: FileOptions
    ) -> tuple[Tail, int | None]:
        """Look for totals under the table; return them, and where the table ends (None: at the end of the file)."""
        size = path.stat().st_size
        with path.open("rb") as stream:
            stream.seek(max(0, size - _TAIL_BYTES))
            block = stream.read()
        if encoding.name.startswith("utf-16"):
            return Tail(0, (), 0, 0), None
        lines = block.splitlines(keepends=True)
        first_data_line = layout.data[0].line if layout.data else layout.skip_lines + 1
        keep = len(lines) - (first_data_line - 1) if size <= _TAIL_BYTES else len(lines) - 1
        lines = lines[len(lines) - max(0, keep) :]
        filled = [sum(1 for c in r.cells if stripped(c)) for r in layout.data[:500] if any(r.cells)]
        usual = sorted(filled)[len(filled) // 2] if filled else layout.width
        texts = [encodings.decode(line, encodings.Encoding(encoding.name, 0, encoding.mended)) for line in lines]
        tail = find_tail(texts, layout.delimiter, layout.width, usual, options.keep_totals)
        if not tail.lines or tail.lines >= len(lines):
            return Tail(0, (), 0, 0), None
        return tail, size - sum(len(line) for line in lines[len(lines) - tail.lines :])

    def _quick(self, source: Path, layout: Layout, sheet: _Sheet, decisions: Sequence[Decision]) -> bool:
        import duckdb

        raw = [f"c{i}" for i in range(layout.width)]
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in raw)
        padded = any(cell != stripped(cell) for r in layout.data[:2000] for cell in r.cells)
        chosen = ", ".join(
            f"{_strict(name, decision, padded)} AS {quoted(column)}"
            for name, decision, column in zip(raw, decisions, sheet.names, strict=True)
        )
        try:
            self._connection.execute(
                f"CREATE TABLE {quoted(sheet.table)} AS SELECT {chosen} FROM read_csv({sql_text(str(source))}, "
                f"auto_detect = false, header = false, skip = {layout.skip_records}, columns = {{{columns}}}, "
                f"delim = {sql_text(layout.delimiter)}, quote = '\"', escape = '\"', max_line_size = {LONGEST_FIELD}, "
                f"null_padding = {layout.ragged}) WHERE NOT ({' AND '.join(f'{name} IS NULL' for name in raw)})"
            )
        except duckdb.Error:
            # Whatever it was, the sure road finds it and names it; DuckDB's own text quotes cells.
            self._connection.execute(f"DROP TABLE IF EXISTS {quoted(sheet.table)}")
            return False
        return True

    def _sure(self, records: Iterable[Record], width: int, sheet: _Sheet) -> FileReport:
        """Stage everything as text, decide over all of it, convert, and name what does not fit."""
        staged = self._work / "staged.csv"
        with staged.open("w", encoding="utf-8", newline="") as target:
            wide = _write_staged(target, records, width)
        raw = [f"c{i}" for i in range(width)]
        columns = ", ".join(["'line': 'BIGINT'", *(f"'{name}': 'VARCHAR'" for name in raw)])
        run = self._connection.execute
        stage = self._work / "stage.duckdb"
        run(f"ATTACH {sql_text(str(stage))} AS stage")
        try:
            run(
                f"CREATE TABLE stage.raw AS SELECT line, {', '.join(map(_trimmed, raw))} "
                f"FROM read_csv({sql_text(str(staged))}, "
                f"auto_detect = false, header = false, columns = {{{columns}}}, delim = ',', quote = '\"', escape = '\"', "
                f"new_line = '\\n', max_line_size = {2 * LONGEST_FIELD})"
            )
            decisions, bad = self._decided(raw, sheet)
            chosen = ", ".join(
                f"{_lenient(name, decision)} AS {quoted(column)}"
                for name, decision, column in zip(raw, decisions, sheet.names, strict=True)
            )
            run(f"CREATE TABLE {quoted(sheet.table)} AS SELECT {chosen} FROM stage.raw ORDER BY line")
        finally:
            run("DETACH stage")
            staged.unlink()
            for left in self._work.glob("stage.duckdb*"):
                left.unlink()
        if wide:
            notes = Note(key="sources.note_wide_lines", values={"count": len(wide), "lines": _listed(wide)})
            sheet.notes = (*sheet.notes, notes)
        return self._reported(sheet, decisions, bad)

    def _decided(self, raw: Sequence[str], sheet: _Sheet) -> tuple[list[Decision], dict[int, tuple[int, list[BadCell]]]]:
        """Decide every column over all cells; return what still does not fit, by column."""
        run = self._connection.execute
        counts: list[dict[str, int]] = []
        for name in raw:
            rows = run(
                f"SELECT {name}, count(*) FROM (SELECT {name} FROM stage.raw LIMIT {_SAMPLE_ROWS}) GROUP BY 1"
            ).fetchall()
            counts.append({value: count for value, count in rows if value is not None})
        decisions = _decide_all(sheet, counts)
        bad: dict[int, tuple[int, list[BadCell]]] = {}
        for _ in range(_ROUNDS):
            unfit = [_unfit(name, decision) for name, decision in zip(raw, decisions, strict=True)]
            filters = ", ".join(f"count(*) FILTER ({condition})" for condition in unfit)
            found: list[int] = list(run(f"SELECT {filters} FROM stage.raw").fetchone() or ())
            troubled = [i for i, number in enumerate(found) if number]
            bad = {i: (found[i], []) for i in troubled}
            changed = False
            for i in troubled:
                rows = run(f"SELECT {raw[i]}, count(*) FROM stage.raw WHERE {unfit[i]} GROUP BY 1 LIMIT 2000").fetchall()
                if any(value not in counts[i] for value, _ in rows):
                    counts[i].update(dict(rows))
                    changed = True
            if not changed:
                break
            decisions = _decide_all(sheet, counts)
        for i, (_, cells) in bad.items():
            rows = run(
                f"SELECT line, {raw[i]} FROM stage.raw WHERE {unfit[i]} ORDER BY line LIMIT {_SHOWN_CELLS}"
            ).fetchall()
            cells += [
                BadCell(line=line, column=sheet.headers[i] or sheet.names[i], value=value[:60]) for line, value in rows
            ]
        return decisions, bad

    def _reported(
        self, sheet: _Sheet, decisions: Sequence[Decision], bad: Mapping[int, tuple[int, list[BadCell]]]
    ) -> FileReport:
        counted = ", ".join(f"count({quoted(name)})" for name in sheet.names)
        found: list[int] = list(
            self._connection.execute(f"SELECT count(*), {counted} FROM {quoted(sheet.table)}").fetchone() or ()
        )
        title = sheet.file if sheet.sheet is None else f"{sheet.file} – {sheet.sheet}"
        self._commented(sheet.table, title, zip(sheet.names, sheet.headers, strict=True))
        columns = tuple(
            ColumnReport(
                name=name, header=header, type=decision.type, native_type=decision.native, format=decision.format,
                nulls=found[0] - found[i + 1], doubts=decision.doubts, overridden=decision.overridden,
                bad_cells=tuple(bad[i][1]) if i in bad else (), bad_cell_count=bad[i][0] if i in bad else 0,
            )
            for i, (name, header, decision) in enumerate(zip(sheet.names, sheet.headers, decisions, strict=True))
        )  # fmt: skip
        notes = list(sheet.notes)
        subtotals = self._subtotals(sheet, decisions) if found[0] <= _SEARCHED_ROWS else 0
        if subtotals:
            notes.append(Note(key="sources.note_subtotals", values={"count": subtotals}))
        if not sheet.header_line:
            notes.append(Note(key="sources.note_no_header"))
        if sheet.preamble:
            notes.append(Note(key="sources.note_preamble", values={"line": sheet.header_line}))
        return FileReport(
            file=sheet.file, sheet=sheet.sheet, table=sheet.table, kind=sheet.kind, encoding=sheet.encoding,
            delimiter=sheet.delimiter, header_line=sheet.header_line, rows=found[0], columns=columns, notes=tuple(notes),
        )  # fmt: skip

    def _subtotals(self, sheet: _Sheet, decisions: Sequence[Decision]) -> int:
        """Count the lines inside the data that read like subtotals: they stay, and a person should know."""
        texts = [quoted(n) for n, d in zip(sheet.names, decisions, strict=True) if d.type == "text"]
        if not texts or len(texts) == len(decisions) or sheet.options.keep_totals:
            return 0
        named = " OR ".join(f"regexp_matches({n}, '(?i)^(sous[- ]?)?tota(l|ux)\\b')" for n in texts)
        empty = " + ".join(f"({quoted(n)} IS NULL)::INT" for n in sheet.names)
        counted = f"SELECT count(*) FROM {quoted(sheet.table)} WHERE ({named}) AND ({empty}) * 3 >= {len(decisions)}"
        return int((self._connection.execute(counted).fetchone() or (0,))[0])

    def _commented(self, table: str, title: str, labels: Iterable[tuple[str, str]]) -> None:
        self._connection.execute(f"COMMENT ON TABLE {quoted(table)} IS {sql_text(title)}")
        for name, header in labels:
            if header:
                self._connection.execute(f"COMMENT ON COLUMN {quoted(table)}.{quoted(name)} IS {sql_text(header)}")

    # Workbooks and Parquet.

    def _load_book(self, path: Path, options: FileOptions) -> list[FileReport]:
        from datapilot_kernel.sources.files_import.workbook import sheets_of

        found = list(sheets_of(path, options.sheets))
        reports = []
        for name, records in found:
            table = find_book_table(records, options.header_line)
            if table is None:
                continue
            headers, header_line, data, totals = table
            sheet = _Sheet(
                file=path.name,
                table=self._table_name(options.table or (path.stem if len(found) == 1 else name), path, options),
                kind="xlsx", options=options, headers=headers, names=_names(headers, options), header_line=header_line,
                preamble=any(r.line < header_line for r in records), sheet=name, notes=_tail_notes(totals),
            )  # fmt: skip
            reports.append(self._sure(data, len(headers), sheet))
        if not reports:
            raise Unreadable("file_empty", file=path.name)
        return reports

    def _load_parquet(self, path: Path, options: FileOptions) -> FileReport:
        import duckdb

        run = self._connection.execute
        try:
            described = run(f"DESCRIBE SELECT * FROM read_parquet({sql_text(str(path))})").fetchall()
            headers = [row[0] for row in described]
            names = _names(headers, options)
            table = self._table_name(options.table or path.stem, path, options)
            chosen = ", ".join(f"{quoted(h)} AS {quoted(n)}" for h, n in zip(headers, names, strict=True))
            run(f"CREATE TABLE {quoted(table)} AS SELECT {chosen} FROM read_parquet({sql_text(str(path))})")
        except duckdb.Error:
            raise Unreadable("parquet_unreadable", file=path.name) from None
        self._commented(table, path.name, zip(names, headers, strict=True))
        from datapilot_kernel.sources.files_worker import kind_of

        kinds = [_column_type(kind_of(str(row[1]))) for row in described]
        counted = ", ".join(f"count({quoted(name)})" for name in names)
        found: list[int] = list(run(f"SELECT count(*), {counted} FROM {quoted(table)}").fetchone() or ())
        columns = tuple(
            ColumnReport(name=n, header=h, type=k, native_type=str(d[1]), nulls=found[0] - c)
            for n, h, k, d, c in zip(names, headers, kinds, described, found[1:], strict=True)
        )
        return FileReport(file=path.name, table=table, kind="parquet", rows=found[0], columns=columns)


# Pieces of the two roads.


def _column_type(kind: str) -> ColumnType:
    """Return the reader's word for a type of DuckDB's; nested ones are ``other``."""
    known: dict[str, ColumnType] = {name: name for name in get_args(ColumnType)}
    return known.get(kind, "other")


def _names(headers: Sequence[str], options: FileOptions) -> list[str]:
    names = clean_names(headers)
    for i, header in enumerate(headers):
        override = options.columns.get(header) or options.columns.get(names[i])
        if override is not None and override.name and override.name not in names:
            names[i] = override.name
    return names


def _decisions(sheet: _Sheet, rows: Sequence[Sequence[str]]) -> list[Decision]:
    counts: list[dict[str, int]] = [{} for _ in sheet.headers]
    for row in rows:
        for column, cell in zip(counts, row, strict=False):
            column[cell] = column.get(cell, 0) + 1
    return _decide_all(sheet, counts)


def _decide_all(sheet: _Sheet, counts: Sequence[Mapping[str, int]]) -> list[Decision]:
    """Decide every column; what one column proves about the file (its decimal sign, its order of days) helps the others."""

    def every(comma_file: bool, day_order: str | None) -> list[Decision]:
        named = zip(sheet.names, counts, strict=True)
        return [decide(n, c, sheet.override(i), comma_file, day_order) for i, (n, c) in enumerate(named)]

    first = every(False, None)
    comma_file = any(d.type == "decimal" and d.format == "comma" and not d.doubts for d in first)
    orders = {d.format for d in first if d.type in {"date", "timestamp"} and not d.doubts} & {"dmy", "mdy"}
    day_order = next(iter(orders)) if len(orders) == 1 else None
    return every(comma_file, day_order) if comma_file or day_order else first


def _cell(name: str) -> str:
    return f"trim({name}, {sql_text(SPACES)})"


def _trimmed(name: str) -> str:
    return f"nullif({_cell(name)}, '') AS {name}"


def _strict(name: str, decision: Decision, padded: bool) -> str:
    """Return the SQL that converts a cell or stops the whole statement."""
    nulls = null_literals(decision)
    cell = _cell(name) if padded else name
    if decision.type == "text":
        if padded:
            return f"CASE WHEN {cell} IN ({nulls}) THEN NULL ELSE {cell} END"
        # Looking at the ends costs a third of trimming; padding is rare where the sample has none.
        spaced = " OR ".join(f"{end}_with({name}, {sql_text(space)})" for end in ("starts", "ends") for space in " \u00a0")
        return f"CASE WHEN {name} IN ({nulls}) THEN NULL WHEN {spaced} THEN nullif({_cell(name)}, '') ELSE {name} END"
    assert decision.pattern is not None
    return (
        f"CASE WHEN regexp_full_match({cell}, {sql_text(decision.pattern)}) THEN {decision.convert.replace('{v}', cell)} "
        f"WHEN {name} IS NULL OR {cell} IN ({nulls}) THEN NULL ELSE error('unfit') END"
    )


def _tried(decision: Decision, name: str) -> str:
    convert = decision.convert.replace("{v}", name)
    return convert.replace("CAST(", "TRY_CAST(").replace("strptime(", "try_strptime(")


def _lenient(name: str, decision: Decision) -> str:
    """Return the SQL that converts a staged cell, or gives NULL."""
    if decision.type == "text":
        return f"CASE WHEN {name} IN ({null_literals(decision)}) THEN NULL ELSE {name} END"
    assert decision.pattern is not None
    return f"CASE WHEN regexp_full_match({name}, {sql_text(decision.pattern)}) THEN {_tried(decision, name)} END"


def _unfit(name: str, decision: Decision) -> str:
    """Return the condition that a staged cell says something and does not fit."""
    if decision.type == "text":
        return "false"
    return f"({name} IS NOT NULL AND {name} NOT IN ({null_literals(decision)}) AND {_lenient(name, decision)} IS NULL)"


def _numbered(source: Path, layout: Layout) -> Iterator[Record]:
    """Yield the records of the table with their lines, read by the standard library."""
    csv.field_size_limit(LONGEST_FIELD)
    with source.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        reader = csv.reader(stream, delimiter=layout.delimiter)
        before = 0
        for position in range(2**62):
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                raise Unreadable("line_too_long", line=before + 1) from None
            if position >= layout.skip_records:
                yield Record(before + 1, cells)
            before = reader.line_num


_FORMULA_TEXT = re.compile(r'="(.*)"', re.DOTALL)


def _unwrapped(cell: str) -> str:
    """``="00123"`` is how programs make Excel keep a zero: the cell is what stands inside."""
    found = _FORMULA_TEXT.fullmatch(cell)
    return found[1].replace('""', '"') if found else cell


def _write_staged(target: IO[str], records: Iterable[Record], width: int) -> list[int]:
    """Write records of one width, each with its line; return the lines that held more."""
    wide: list[int] = []
    writer = csv.writer(target, lineterminator="\n")

    def rows() -> Iterator[list[str]]:
        for record in records:
            cells = record.cells
            if len(cells) != width:
                if not any(cells):
                    continue
                if any(map(stripped, cells[width:])):
                    wide.append(record.line)
                cells = cells[:width] + [""] * (width - len(cells))
            elif not any(cells):
                continue
            yield [str(record.line), *(_unwrapped(cell) if cell[:1] == "=" else cell for cell in cells)]

    writer.writerows(rows())
    return wide


def _without_tail(data: list[Record], tail: Tail) -> list[Record]:
    if not tail.lines or not data:
        return data
    kept = list(data)
    left = tail.total_lines + tail.footer_lines
    while kept and (left > 0 or not any(kept[-1].cells)):
        left -= 1 if any(map(stripped, kept[-1].cells)) else 0
        kept.pop()
    return kept


def _tail_notes(tail: Tail) -> tuple[Note, ...]:
    notes = []
    if tail.totals:
        notes.append(Note(key="sources.note_totals", values={"count": tail.total_lines, "lines": " ; ".join(tail.totals)}))
    if tail.footer_lines:
        notes.append(Note(key="sources.note_footers", values={"count": tail.footer_lines}))
    return tuple(notes)


def _listed(lines: Sequence[int]) -> str:
    return ", ".join(map(str, lines[:10])) + ("…" if len(lines) > 10 else "")
