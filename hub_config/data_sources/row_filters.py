"""Which rows of which data a person's attributes open, in words: read from the layers in force.

A row filter is a condition over one table's columns with attributes in braces (``region = {region}``). Where it is a chain
of « column equals », « column is one of », joined by AND, it is said in words with the columns' own labels; any other is
shown as it is written, with the person's values in it. What decides is the guard, not this page: an attribute that is
missing refuses every statement over the table, and so it is said here.

Rejected: counting the rows (a query for each person and table, on every opening of the page).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from datapilot_kernel.answers.grammar import upper_first
from datapilot_kernel.guard.conditions import attributes_of
from datapilot_kernel.messages import text
from hub_config.database import DataSource, SemanticLayer

if TYPE_CHECKING:
    from hub_config.database import Database
    from hub_config.principal import Principal

_NAMED = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_STAND_IN = "attribute_"


@dataclass(frozen=True)
class RowFilter:
    """One table's row filter.

    Attributes
    ----------
    labels
        What people call the table's columns, by the column's name.
    attributes
        Names of the attributes that it needs.
    """

    source_id: str
    source: str
    table: str
    condition: str
    labels: Mapping[str, str]
    attributes: frozenset[str]

    def opens(self, attributes: Mapping[str, str]) -> str | None:
        """Say which rows somebody with these attributes sees; None: none, for want of an attribute."""
        if any(attributes.get(name) is None for name in self.attributes):
            return None
        said = _in_words(self.condition, self.labels, attributes)
        return said or text("team.rows.as_written", condition=_filled(self.condition, attributes))

    def missing(self, attributes: Mapping[str, str]) -> list[str]:
        """Return the names of the attributes that somebody lacks for it."""
        return sorted(name for name in self.attributes if attributes.get(name) is None)


def row_filters(database: Database, principal: Principal) -> list[RowFilter]:
    """Return the row filters of every layer in force of the tenant, by source and table."""
    statement = (
        select(DataSource.id, DataSource.name, SemanticLayer.definitions_json)
        .join(
            SemanticLayer,
            (SemanticLayer.tenant_id == DataSource.tenant_id) & (SemanticLayer.data_source_id == DataSource.id),
        )
        .where(SemanticLayer.status == "accepted")
    )
    with database.tenant(principal.tenant_id, read_only=True) as session:
        rows = session.execute(statement.order_by(DataSource.name, DataSource.id)).all()
    return [found for source_id, name, definitions in rows for found in _of(source_id, name, definitions.get("layer", {}))]


def attribute_names(filters: Iterable[RowFilter]) -> list[str]:
    """Return the names of the attributes that row filters read, in order."""
    return sorted({name for one in filters for name in one.attributes})


def _of(source_id: str, source: str, layer: Mapping[str, Any]) -> list[RowFilter]:
    found = []
    for name, entity in sorted(layer.get("entities", {}).items()):
        condition = entity.get("row_filter")
        if not condition:
            continue
        labels = {d["column"]: d["label"] for d in entity.get("dimensions", {}).values() if d.get("column")}
        table = upper_first(entity.get("label") or entity.get("table") or name)
        found.append(RowFilter(source_id, source, table, condition, labels, frozenset(attributes_of(condition))))
    return found


def _filled(condition: str, attributes: Mapping[str, str]) -> str:
    return _NAMED.sub(lambda m: "'" + attributes[m[1]].replace("'", "''") + "'", condition)


def _in_words(condition: str, labels: Mapping[str, str], attributes: Mapping[str, str]) -> str | None:
    """Return a chain of equalities in words; None: it is more than that."""
    try:
        tree = parse_one(_NAMED.sub(lambda m: f":{_STAND_IN}{m[1]}", condition))
    except SqlglotError:
        return None
    parts = [_part(one, labels, attributes) for one in (tree.flatten() if isinstance(tree, exp.And) else (tree,))]
    said = [part for part in parts if part is not None]
    return text("team.rows.and").join(said) if len(said) == len(parts) else None


def _part(node: Any, labels: Mapping[str, str], attributes: Mapping[str, str]) -> str | None:
    node = node.unnest() if isinstance(node, exp.Paren) else node
    if isinstance(node, exp.EQ) and isinstance(node.this, exp.Column):
        value = _value(node.expression, attributes)
        return None if value is None else text("team.rows.is", column=_label(node.this, labels), value=value)
    if isinstance(node, exp.In) and isinstance(node.this, exp.Column) and node.expressions:
        values = [_value(one, attributes) for one in node.expressions]
        if all(value is not None for value in values):
            among = text("team.rows.or").join(f"« {value} »" for value in values)
            return text("team.rows.is_one_of", column=_label(node.this, labels), values=among)
    return None


def _label(column: exp.Column, labels: Mapping[str, str]) -> str:
    return labels.get(column.name, column.name)


def _value(node: Any, attributes: Mapping[str, str]) -> str | None:
    if isinstance(node, exp.Placeholder) and isinstance(node.this, str):
        return attributes.get(node.this.removeprefix(_STAND_IN))
    return str(node.this) if isinstance(node, exp.Literal) else None
