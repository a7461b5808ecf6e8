"""PostgreSQL's structure in five queries, whatever the number of tables: ``pg_catalog``, because ``information_schema``
hides keys of tables that one does not own and knows no comments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datapilot_kernel.catalog.model import ForeignKey
from datapilot_kernel.catalog.raw import RawColumn, RawTable
from datapilot_kernel.sources.model import LogicalType, Source

_OURS = (
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') "
    "AND n.nspname NOT LIKE 'pg\\_temp%' AND n.nspname NOT LIKE 'pg\\_toast%'"
)
_RELATIONS = "c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition"
_NOT_EXTENSION = (
    "NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')"
)

_TABLES = f"""
SELECT n.nspname, c.relname, c.relkind::text, obj_description(c.oid, 'pg_class'),
       CASE WHEN c.relkind = 'p'
            THEN (SELECT sum(greatest(k.reltuples, 0)) FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid
                  WHERE i.inhparent = c.oid)
            ELSE c.reltuples END::float8,
       has_schema_privilege(n.oid, 'USAGE')
           AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_RELATIONS} AND {_OURS} AND {_NOT_EXTENSION}
ORDER BY 1, 2
"""  # noqa: S608 -- constants of this module

_COLUMNS = f"""
SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), coalesce(b.typname, t.typname),
       coalesce(b.typcategory, t.typcategory)::text, coalesce(b.typtype, t.typtype)::text, a.attnotnull,
       col_description(c.oid, a.attnum), has_column_privilege(c.oid, a.attnum, 'SELECT'), a.attndims
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
WHERE a.attnum > 0 AND NOT a.attisdropped AND {_RELATIONS} AND {_OURS}
ORDER BY 1, 2, a.attnum
"""  # noqa: S608

_KEYS = f"""
SELECT n.nspname, c.relname, k.contype::text,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(num, pos)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.pos),
       fn.nspname, fc.relname,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(num, pos)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.pos)
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class fc ON fc.oid = k.confrelid
LEFT JOIN pg_namespace fn ON fn.oid = fc.relnamespace
WHERE k.contype IN ('p', 'u', 'f') AND k.conparentid = 0 AND {_RELATIONS} AND {_OURS}
ORDER BY 1, 2, k.conname
"""  # noqa: S608

_UNIQUE_INDEXES = f"""
SELECT n.nspname, c.relname,
       ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(num, pos)
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.num
             WHERE u.pos <= i.indnkeyatts ORDER BY u.pos)
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND {_RELATIONS} AND {_OURS}
ORDER BY 1, 2, i.indexrelid
"""  # noqa: S608

_STATS = """
SELECT schemaname, tablename, attname, null_frac, n_distinct FROM pg_stats
WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""

_ENUMS = """
SELECT n.nspname, c.relname, a.attname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_enum e ON e.enumtypid = a.atttypid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
GROUP BY 1, 2, 3
"""

_TYPES: Mapping[str, LogicalType] = {
    "int2": "integer", "int4": "integer", "int8": "integer", "oid": "integer", "numeric": "decimal", "money": "decimal",
    "float4": "float",
    "float8": "float", "bool": "boolean", "date": "date", "timestamp": "timestamp", "timestamptz": "timestamptz",
    "time": "time",
    "timetz": "time", "interval": "interval", "json": "json", "jsonb": "json", "bytea": "binary", "text": "text",
    "varchar": "text",
    "bpchar": "text", "char": "text", "name": "text", "uuid": "text", "inet": "text", "cidr": "text", "citext": "text",
    "xml": "text",
}  # fmt: skip


def logical_type(name: str, category: str, kind: str) -> LogicalType:
    """Return our word for a type of ``pg_type`` (domains already resolved)."""
    if kind == "e":
        return "text"
    if category == "A":
        return "array"
    return _TYPES.get(name, "text" if category == "S" else "other")


def read_structure(source: Source) -> list[RawTable]:
    """Return every table and view that is not the system's or an extension's, with keys, comments and statistics."""
    tables: dict[tuple[Any, Any], RawTable] = {}
    for schema, name, kind, comment, rows, readable in source.introspect_rows(_TABLES):
        tables[schema, name] = RawTable(
            schema=schema,
            name=name,
            kind="view" if kind in "vm" else "table",
            comment=comment,
            # -1 (or 0 from before version 14) is "never looked"; a view has no count of its own.
            rows=int(rows) if rows is not None and rows > 0 and kind != "v" else None,
            readable=bool(readable),
        )
    for schema, name, column, native, type_name, category, kind, required, comment, readable, _ in source.introspect_rows(
        _COLUMNS
    ):
        if (schema, name) in tables:
            tables[schema, name].columns.append(
                RawColumn(
                    column,
                    logical_type(type_name, category, kind),
                    native,
                    nullable=not required,
                    comment=comment,
                    readable=bool(readable),
                )
            )
    for schema, name, kind, columns, ref_schema, ref_table, ref_columns in source.introspect_rows(_KEYS):
        table = tables.get((schema, name))
        if table is None:
            continue
        if kind == "p":
            table.primary_key = tuple(columns)
        elif kind == "u":
            table.unique_keys.append(tuple(columns))
        else:
            table.foreign_keys.append(
                ForeignKey(columns=tuple(columns), ref_table=f"{ref_schema}.{ref_table}", ref_columns=tuple(ref_columns))
            )
    for schema, name, columns in source.introspect_rows(_UNIQUE_INDEXES):
        table = tables.get((schema, name))
        if table is not None and columns and tuple(columns) != table.primary_key and tuple(columns) not in table.unique_keys:
            table.unique_keys.append(tuple(columns))
    _statistics(source, tables)
    return list(tables.values())


def _statistics(source: Source, tables: dict[tuple[Any, Any], RawTable]) -> None:
    places = {(t.schema, t.name, c.name): (t, c) for t in tables.values() for c in t.columns}
    for schema, name, column, null_share, distinct in source.introspect_rows(_STATS):
        found = places.get((schema, name, column))
        if found is None:
            continue
        table, raw = found
        raw.null_share = float(null_share)
        if distinct >= 0:
            raw.distinct_count = int(distinct)
        elif table.rows:  # negative: a share of the rows
            raw.distinct_count = round(-distinct * table.rows)
    for schema, name, column, labels in source.introspect_rows(_ENUMS):
        found = places.get((schema, name, column))
        if found is not None:
            found[1].values = tuple(labels)
