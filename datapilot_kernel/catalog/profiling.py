"""What columns hold, seen in at most two queries per table: counts, bounds, distinct values of short lists.

Small tables are read whole, large ones through a sample; nothing is read of a column that its name makes personal beyond
how full it is, and a column whose values turn out to look personal loses them again. A table that may not be read is
marked, and costs a note, not a failure.

Remaining risk: a sample misses rare values and the outermost dates; views may be slow whatever the sample (they come last,
within the budget).
"""

from __future__ import annotations

from typing import Any

from datapilot_kernel.catalog.names import is_code_name
from datapilot_kernel.catalog.personal import look_like_companies, maybe_people, named_like_people, valued_like_people
from datapilot_kernel.catalog.raw import RawColumn, RawTable
from datapilot_kernel.sources.model import Dialect, Source

MAX_VALUES = 200
_LONGEST_VALUE = 120
_LOOKED_AT = 60
_COUNTABLE = {"integer", "decimal", "float", "text", "boolean", "date", "timestamp", "timestamptz"}
_BOUNDED = {"integer", "decimal", "float", "date", "timestamp", "timestamptz"}
_WHOLE_ROWS = {"postgres": 60_000, "mysql": 60_000, "duckdb": 300_000}
_SAMPLE_ROWS = 30_000
_EXACT_ROWS = 50_000
_WIDTH = {"postgres": 60, "mysql": 60, "duckdb": 20}
"""Columns per query: DuckDB sets memory aside for every distinct count and grouping of a statement."""
_VIEW_ROWS = 5_000


def quote(dialect: Dialect, name: str) -> str:
    """Return an identifier quoted for the dialect."""
    mark = "`" if dialect == "mysql" else '"'
    return f"{mark}{name.replace(mark, mark * 2)}{mark}"


def qualified(dialect: Dialect, table: RawTable) -> str:
    """Return ``schema.table`` quoted."""
    return f"{quote(dialect, table.schema)}.{quote(dialect, table.name)}"


def mark_personal(table: RawTable) -> None:
    """Mark the columns whose names say that they are personal."""
    names = [c.name for c in table.columns]
    for column in table.columns:
        if column.type in {"text", "date", "timestamp", "timestamptz", "integer", "other"}:
            column.personal = named_like_people(column.name, table.name, names)
        if column.personal:
            column.values = None


def profile_table(source: Source, table: RawTable) -> None:
    """Fill in what two queries (more for very wide tables) tell of a table. Raises what ``introspect_rows`` raises."""
    columns = [c for c in table.columns if c.readable and c.type in _COUNTABLE]
    for start in range(0, len(columns), _WIDTH[source.dialect]):
        _profile(source, table, columns[start : start + _WIDTH[source.dialect]])


def _profile(source: Source, table: RawTable, columns: list[RawColumn]) -> None:
    dialect = source.dialect
    rows, whole = _rows_clause(dialect, table, columns)
    # Exact counting costs memory for every column; from a size on, DuckDB estimates, and keys are counted on their own.
    estimated = dialect == "duckdb" and (table.rows or 0) > _EXACT_ROWS
    distinct = "APPROX_COUNT_DISTINCT({})" if estimated else "COUNT(DISTINCT {})"
    parts = ["COUNT(*)"]
    for column in columns:
        name = quote(dialect, column.name)
        bounded = column.type in _BOUNDED and not column.personal
        # A personal column is counted too: whether it is a key matters, what it holds does not.
        parts += [f"COUNT({name})", distinct.format(name) if column.type not in {"boolean", "float"} else "NULL"]
        parts += [f"MIN({name})", f"MAX({name})"] if bounded else ["NULL", "NULL"]
    found = source.introspect_rows(f"WITH s AS ({rows}) SELECT {', '.join(parts)} FROM s")[0]  # noqa: S608 -- quoted names
    total = int(found[0])
    whole = whole or (rows.endswith(f"LIMIT {_SAMPLE_ROWS}") and total < _SAMPLE_ROWS)
    table.profiled, table.counted = True, whole
    if whole:
        table.rows = total
    for position, column in enumerate(columns):
        filled, distinct_count, low, high = found[1 + 4 * position : 5 + 4 * position]
        _note(column, total, int(filled), distinct_count, whole and not estimated)
        if column.type in _BOUNDED and not column.personal:
            column.minimum, column.maximum = low, high
        if column.type == "boolean" and dialect == "mysql":
            _check_boolean(source, table, column, rows)
    _values(source, table, columns, rows)


def _note(column: RawColumn, total: int, filled: int, distinct: Any, exact: bool) -> None:
    if total:
        column.null_share = 1 - filled / total
    if distinct is not None:
        column.distinct_count = (
            int(distinct) if exact or column.distinct_count is None else max(column.distinct_count, int(distinct))
        )
        if exact and total:
            column.unique = filled == total == int(distinct)


def _check_boolean(source: Source, table: RawTable, column: RawColumn, rows: str) -> None:
    """MySQL's ``tinyint(1)`` holds numbers where somebody put some."""
    name = quote(source.dialect, column.name)
    if column.native.lower().startswith("tinyint"):
        low, high = source.introspect_rows(f"WITH s AS ({rows}) SELECT MIN({name}), MAX({name}) FROM s")[0]  # noqa: S608
        if low is not None and (int(low) < 0 or int(high) > 1):
            column.type, column.minimum, column.maximum = "integer", int(low), int(high)


def _rows_clause(dialect: Dialect, table: RawTable, columns: list[RawColumn]) -> tuple[str, bool]:
    """Return the query for the rows to look at, and whether they are all there are."""
    names = ", ".join(quote(dialect, c.name) for c in columns)
    select = f"SELECT {names} FROM {qualified(dialect, table)}"  # noqa: S608
    estimate = table.rows
    if table.kind == "view" and dialect != "duckdb":
        return f"{select} LIMIT {_VIEW_ROWS}", False  # a view's rows are costly, and it has no keys to find
    if estimate is not None and estimate <= _WHOLE_ROWS[dialect]:
        return select, True
    if dialect == "postgres" and table.kind == "table" and estimate:
        percent = min(100.0, 100.0 * _SAMPLE_ROWS / estimate)
        return f"{select} TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE (1)", False
    if dialect == "duckdb":
        return select, estimate is not None
    # Never analysed, or MySQL: the first rows; when fewer come back than asked for, they were all there are.
    return f"{select} LIMIT {_SAMPLE_ROWS}", False


def _values(source: Source, table: RawTable, columns: list[RawColumn], rows: str) -> None:
    """Take the distinct values of short lists, most frequent first, and look at some of the others."""
    dialect = source.dialect
    wanted = [c for c in columns if c.type == "text" and not c.personal]
    if not wanted:
        return
    parts = []
    for position, column in enumerate(wanted):
        name = quote(dialect, column.name)
        short = (column.distinct_count or 0) <= MAX_VALUES
        if short:
            count, tail = "COUNT(*)", f"GROUP BY {name} ORDER BY COUNT(*) DESC, {name} LIMIT {MAX_VALUES + 1}"
        else:
            count, tail = "1", f"LIMIT {_LOOKED_AT}"
        text = _as_text(dialect, name)
        part = f"SELECT {position} AS p, {text} AS v, {count} AS n FROM s WHERE {name} IS NOT NULL {tail}"  # noqa: S608
        parts.append(f"({part})")
    found: dict[int, list[tuple[int, str]]] = {}
    union = " UNION ALL ".join(parts)
    for position, value, count in source.introspect_rows(f"WITH s AS ({rows}) {union}"):
        found.setdefault(int(position), []).append((-int(count), str(value)))
    for position, column in enumerate(wanted):
        values = [value for _, value in sorted(found.get(position, []))]
        if (valued_like_people(values) and not is_code_name(column.name)) or (
            maybe_people(column.name, table.name) and not look_like_companies(values)
        ):
            column.personal, column.values = True, None
        elif (column.distinct_count or 0) <= MAX_VALUES and values and max(map(len, values)) <= _LONGEST_VALUE:
            taken = [v for v in values if v.strip()]
            # An enumeration keeps the values that no row has yet.
            declared = [v for v in column.values or () if v not in set(taken)]
            column.values = tuple((taken + declared)[:MAX_VALUES]) if len(taken) <= MAX_VALUES else None


def _as_text(dialect: Dialect, name: str) -> str:
    return f"CAST({name} AS CHAR)" if dialect == "mysql" else f"CAST({name} AS TEXT)"
