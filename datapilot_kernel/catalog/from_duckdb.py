"""The structure of a DuckDB database (imported files, or a person's own) through its ``duckdb_*()`` functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datapilot_kernel.catalog.model import ForeignKey
from datapilot_kernel.catalog.raw import RawColumn, RawTable
from datapilot_kernel.sources.model import LogicalType, Source

_TABLES = """
SELECT schema_name, table_name, 'table', comment, estimated_size FROM duckdb_tables()
WHERE NOT internal AND NOT temporary AND database_name = current_database()
UNION ALL
SELECT schema_name, view_name, 'view', comment, NULL FROM duckdb_views()
WHERE NOT internal AND NOT temporary AND database_name = current_database()
ORDER BY 1, 2
"""
_COLUMNS = """
SELECT schema_name, table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns()
WHERE NOT internal AND database_name = current_database() ORDER BY 1, 2, column_index
"""
_CONSTRAINTS = """
SELECT schema_name, table_name, constraint_type, constraint_column_names, referenced_table, referenced_column_names
FROM duckdb_constraints()
WHERE database_name = current_database() AND constraint_type IN ('PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY')
ORDER BY 1, 2, constraint_index
"""
_TYPES: Mapping[str, LogicalType] = {
    "TINYINT": "integer", "SMALLINT": "integer", "INTEGER": "integer", "BIGINT": "integer", "HUGEINT": "integer",
    "UTINYINT": "integer",
    "USMALLINT": "integer", "UINTEGER": "integer", "UBIGINT": "integer", "UHUGEINT": "integer", "DECIMAL": "decimal",
    "FLOAT": "float",
    "DOUBLE": "float", "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "timestamp", "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_NS": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamptz", "TIME": "time", "TIME WITH TIME ZONE": "time",
    "INTERVAL": "interval", "JSON": "json", "BLOB": "binary", "BIT": "binary", "VARCHAR": "text", "UUID": "text",
}  # fmt: skip


def logical_type(data_type: str) -> LogicalType:
    """Return our word for a DuckDB type."""
    if data_type.endswith("]"):
        return "array"
    if data_type.startswith("ENUM"):
        return "text"
    return _TYPES.get(data_type.split("(")[0], "other")


def read_structure(source: Source) -> list[RawTable]:
    """Return every table and view with keys and comments."""
    tables: dict[tuple[Any, Any], RawTable] = {}
    for schema, name, kind, comment, rows in source.introspect_rows(_TABLES):
        tables[schema, name] = RawTable(
            schema, name, "view" if kind == "view" else "table", comment=comment, rows=None if rows is None else int(rows)
        )
    for schema, name, column, data_type, nullable, comment in source.introspect_rows(_COLUMNS):
        if (schema, name) in tables:
            tables[schema, name].columns.append(
                RawColumn(column, logical_type(str(data_type)), str(data_type), nullable=bool(nullable), comment=comment)
            )
    for schema, name, kind, columns, ref_table, ref_columns in source.introspect_rows(_CONSTRAINTS):
        table = tables.get((schema, name))
        if table is None:
            continue
        if kind == "PRIMARY KEY":
            table.primary_key = tuple(columns)
        elif kind == "UNIQUE":
            table.unique_keys.append(tuple(columns))
        else:
            table.foreign_keys.append(
                ForeignKey(columns=tuple(columns), ref_table=f"{schema}.{ref_table}", ref_columns=tuple(ref_columns))
            )
    return list(tables.values())
