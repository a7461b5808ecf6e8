"""What a layer's joins claim and a catalog does not know, counted in the data.

Files declare no keys, and many a database leaves some undeclared: a join « to one » is right there if the values say so.
The check asks for uniqueness; this counts it, once for each side of a join that needs it, and hands the check a catalog
that knows.
"""

from __future__ import annotations

from collections.abc import Iterator

from datapilot_kernel.catalog.model import Catalog, Table
from datapilot_kernel.catalog.profiling import quote
from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.semantic.model import Layer
from datapilot_kernel.sources.model import Source


def with_proved_keys(source: Source, catalog: Catalog, layer: Layer) -> Catalog:
    """Return the catalog with the keys that the layer's joins need and the data have.

    A source that does not answer proves nothing: the catalog comes back as it was for that join.
    """
    found: dict[str, list[tuple[str, ...]]] = {}
    for table, columns in dict.fromkeys(_claimed(catalog, layer)):
        if _holds(source, catalog.table(table), columns):
            found.setdefault(table, []).append(columns)
    if not found:
        return catalog
    tables = tuple(
        table.model_copy(update={"unique_keys": (*table.unique_keys, *found.get(table.key, ()))}) for table in catalog.tables
    )
    return catalog.model_copy(update={"tables": tables})


def _claimed(catalog: Catalog, layer: Layer) -> Iterator[tuple[str, tuple[str, ...]]]:
    for join in layer.joins.values():
        sides = [(join.to_entity, join.to_columns)]
        if join.cardinality == "one_to_one":
            sides.append((join.from_entity, join.from_columns))
        for entity, columns in sides:
            table = _table(catalog, layer, entity)
            if table is not None and _known(table, columns) and not _unique(table, columns):
                yield table.key, tuple(columns)


def _table(catalog: Catalog, layer: Layer, entity: str) -> Table | None:
    if entity not in layer.entities:
        return None
    name = layer.entities[entity].table
    key = name if "." in name else f"{catalog.default_schema}.{name}"
    return next((table for table in catalog.tables if table.key == key), None)


def _known(table: Table, columns: tuple[str, ...]) -> bool:
    return {c.name for c in table.columns} >= set(columns)


def _unique(table: Table, columns: tuple[str, ...]) -> bool:
    return any(key and set(key) == set(columns) for key in (table.primary_key, *table.unique_keys))


def _holds(source: Source, table: Table, columns: tuple[str, ...]) -> bool:
    names = ", ".join(quote(source.dialect, column) for column in columns)
    filled = " AND ".join(f"{quote(source.dialect, column)} IS NOT NULL" for column in columns)
    where = f"{quote(source.dialect, table.db_schema)}.{quote(source.dialect, table.name)}"
    # Names of the catalog, quoted as the engine quotes; nothing that anybody typed.
    sql = f"SELECT 1 FROM {where} WHERE {filled} GROUP BY {names} HAVING COUNT(*) > 1 LIMIT 1"  # noqa: S608
    try:
        return not source.introspect_rows(sql)
    except SourceProblem:
        return False
