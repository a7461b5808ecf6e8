"""MySQL's and MariaDB's structure in four queries over ``information_schema``, which shows what the account may see.

One database: the one the connection names. What MySQL calls schemas are databases, and an account that sees several of
them does not mean them all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from datapilot_kernel.catalog.model import ForeignKey
from datapilot_kernel.catalog.raw import RawColumn, RawTable
from datapilot_kernel.sources.model import LogicalType, Source

_OURS = "table_schema = DATABASE()"

_TABLES = f"""
SELECT table_schema, table_name, table_type, table_comment, table_rows FROM information_schema.tables
WHERE {_OURS} AND table_type IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED') ORDER BY 1, 2
"""  # noqa: S608 -- constants of this module
_COLUMNS = f"""
SELECT table_schema, table_name, column_name, data_type, column_type, is_nullable, column_comment
FROM information_schema.columns WHERE {_OURS} ORDER BY 1, 2, ordinal_position
"""  # noqa: S608
_UNIQUE = f"""
SELECT table_schema, table_name, index_name, column_name, sub_part FROM information_schema.statistics
WHERE {_OURS} AND non_unique = 0 ORDER BY 1, 2, 3, seq_in_index
"""  # noqa: S608
_FOREIGN = f"""
SELECT table_schema, table_name, constraint_name, column_name,
       referenced_table_schema, referenced_table_name, referenced_column_name
FROM information_schema.key_column_usage
WHERE {_OURS} AND referenced_table_name IS NOT NULL ORDER BY 1, 2, 3, ordinal_position
"""  # noqa: S608

_TYPES: Mapping[str, LogicalType] = {
    "tinyint": "integer", "smallint": "integer", "mediumint": "integer", "int": "integer", "bigint": "integer",
    "year": "integer",
    "decimal": "decimal", "float": "float", "double": "float", "bit": "integer", "boolean": "boolean", "date": "date",
    "datetime": "timestamp",
    "timestamp": "timestamp", "time": "time", "json": "json", "char": "text", "varchar": "text", "tinytext": "text",
    "text": "text",
    "mediumtext": "text", "longtext": "text", "enum": "text", "set": "text", "uuid": "text", "inet6": "text",
    "inet4": "text", "binary": "binary",
    "varbinary": "binary", "tinyblob": "binary", "blob": "binary", "mediumblob": "binary", "longblob": "binary",
}  # fmt: skip
_ENUM_VALUE = re.compile(r"'((?:[^']|'')*)'")


def logical_type(data_type: str, column_type: str) -> LogicalType:
    """Return our word for a column's type. ``tinyint(1)`` and ``bit(1)`` are what MySQL calls a boolean."""
    if column_type.lower().startswith(("tinyint(1)", "bit(1)")):
        return "boolean"
    return _TYPES.get(data_type.lower(), "other")


def read_structure(source: Source) -> list[RawTable]:
    """Return every table and view that is not the system's, with keys and comments."""
    tables: dict[tuple[Any, Any], RawTable] = {}
    for schema, name, kind, comment, rows in source.introspect_rows(_TABLES):
        view = kind == "VIEW"
        tables[schema, name] = RawTable(
            schema=schema,
            name=name,
            kind="view" if view else "table",
            comment=None if view else comment,
            rows=None if view or rows is None else int(rows),
        )
    for schema, name, column, data_type, column_type, nullable, comment in source.introspect_rows(_COLUMNS):
        if (schema, name) in tables:
            native = _text(column_type)
            raw = RawColumn(
                column, logical_type(_text(data_type), native), native, nullable=nullable == "YES", comment=_text(comment)
            )
            if native.lower().startswith("enum("):
                raw.values = tuple(value.replace("''", "'") for value in _ENUM_VALUE.findall(native))
            tables[schema, name].columns.append(raw)
    grouped: dict[tuple[Any, Any, Any], list[str]] = {}
    partial: set[tuple[Any, Any, Any]] = set()
    for schema, name, index, column, prefix in source.introspect_rows(_UNIQUE):
        grouped.setdefault((schema, name, index), []).append(column)
        if prefix is not None or column is None:  # a prefix or an expression is unique, the column need not be
            partial.add((schema, name, index))
    for (schema, name, index), columns in grouped.items():
        table = tables.get((schema, name))
        if table is None or (schema, name, index) in partial:
            continue
        if index == "PRIMARY":
            table.primary_key = tuple(columns)
        else:
            table.unique_keys.append(tuple(columns))
    foreign: dict[tuple[Any, Any, Any], list[tuple[Any, ...]]] = {}
    for schema, name, constraint, *rest in source.introspect_rows(_FOREIGN):
        foreign.setdefault((schema, name, constraint), []).append(tuple(rest))
    for (schema, name, _), parts in foreign.items():
        if (schema, name) in tables:
            tables[schema, name].foreign_keys.append(
                ForeignKey(
                    columns=tuple(p[0] for p in parts),
                    ref_table=f"{parts[0][1]}.{parts[0][2]}",
                    ref_columns=tuple(p[3] for p in parts),
                )
            )
    return list(tables.values())


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value or "")
