"""From what a person may see to what the guard enforces: catalog + layer + attributes -> ``Policy``.

Every table and column of the catalog is known to the policy, whether the layer speaks of it or not (SQL that a person
writes may use it); a layer's row filters and masks apply to its table wherever it is named.
"""

from __future__ import annotations

from collections.abc import Mapping

from datapilot_kernel.catalog.model import Catalog
from datapilot_kernel.guard import Policy, TablePolicy
from datapilot_kernel.guard.policy import split_name
from datapilot_kernel.semantic.model import Entity, Layer


def table_key(table: str, default_schema: str) -> str:
    """Return ``schema.table`` of a layer's table name.

    >>> table_key("clients", "public")
    'public.clients'
    >>> table_key("rh.clients", "public")
    'rh.clients'
    """
    return table if "." in table else f"{default_schema}.{table}"


def policy_name(schema: str, table: str) -> str:
    """Return a table's name as the guard's policy writes it.

    >>> policy_name("public", "clients"), policy_name("main", "ventes.2024")
    ('public.clients', 'main."ventes.2024"')
    """
    return ".".join('"' + p.replace('"', '""') + '"' if "." in p or '"' in p else p for p in (schema, table))


def build_policy(
    catalog: Catalog, layer: Layer | None, *, attributes: Mapping[str, str] | None = None, max_rows: int = 10_000
) -> Policy:
    """Return the guard's policy for a person with these attributes.

    Two entities over the same table add up: every row filter holds (AND), every masked column is masked. Types and keys come
    from the catalog: the guard compares attributes by the column's type, and keeps the type of a masked column.
    """
    entities: dict[str, list[Entity]] = {}
    for entity in layer.entities.values() if layer else ():
        entities.setdefault(table_key(entity.table, catalog.default_schema), []).append(entity)
    tables: dict[str, TablePolicy] = {}
    for table in catalog.tables:
        own = entities.get(table.key, [])
        masked = {column for entity in own for column in entity.masked}
        filters = [f"({entity.row_filter})" for entity in own if entity.row_filter]
        tables[policy_name(table.db_schema, table.name)] = TablePolicy(
            columns=tuple(c.name for c in table.columns if c.name not in masked),
            masked=tuple(c.name for c in table.columns if c.name in masked),
            row_filter=" AND ".join(dict.fromkeys(filters)) or None,
            types={c.name: c.native_type for c in table.columns},
            primary_key=list(table.primary_key),
            order=[c.name for c in table.columns] if masked else [],
        )
    return Policy(
        version=1,
        default_schema=catalog.default_schema,
        attributes=dict(attributes or {}),
        tables=tables,
        max_rows=max_rows,
    )


def visible_columns(policy: Policy) -> dict[str, frozenset[str]]:
    """Return the columns that a policy lets be read, by ``schema.table``; masked ones are not among them."""
    return {
        ".".join(split_name(name, policy.default_schema)): frozenset(table.columns) - frozenset(table.masked)
        for name, table in policy.tables.items()
    }
