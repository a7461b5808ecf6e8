"""One FROM clause growing: the rows of an entity, and what is joined to them on the way to a dimension.

Only ways from many to one are joined (LEFT JOIN: a row whose parent is missing still counts), so there is one row out
for each row in. The same way is joined once; two ways to the same entity (client facturé, client livré) stand under two
aliases, the second named after its join.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlglot import exp

from datapilot_kernel.messages import text
from datapilot_kernel.plan.compiled import DateRange
from datapilot_kernel.plan.dialects import Forms, paren
from datapilot_kernel.plan.fragments import bind, parse
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.plan.paths import JoinGraph, Path
from datapilot_kernel.plan.quoting import column, table
from datapilot_kernel.semantic.model import Dimension, Layer


@dataclass
class Context:
    """What every part of one compilation needs to know."""

    plan: Plan
    layer: Layer
    forms: Forms
    today: date
    graph: JoinGraph
    period: DateRange | None = None
    notes: list[str] = field(default_factory=list)

    def note(self, key: str, **values: Any) -> None:
        """Add a sentence for the person, once."""
        sentence = text(f"plan.note.{key}", **values)
        if sentence not in self.notes:
            self.notes.append(sentence)


class Names:
    """Aliases in use within one statement and its subqueries."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, *wishes: str) -> str:
        """Return the first wish that is free, or the last one numbered."""
        for wish in wishes:
            if wish not in self._taken:
                self._taken.add(wish)
                return wish
        number = 2
        while f"{wishes[-1]}_{number}" in self._taken:
            number += 1
        return self.take(f"{wishes[-1]}_{number}")


@dataclass(frozen=True)
class Field:
    """A dimension, seen from some rows."""

    expression: exp.Expr
    dimension: Dimension
    entity: str
    alias: str

    @property
    def is_time(self) -> bool:
        """A date or a timestamp."""
        return self.dimension.type in ("date", "timestamp")


class Rows:
    """The rows of an entity, with what was joined to them."""

    def __init__(self, context: Context, entity: str, names: Names) -> None:
        self.context = context
        self.entity = entity
        self.names = names
        self.alias = names.take(entity)
        self._reached: dict[tuple[str, ...], str] = {(): self.alias}
        self._joins: list[exp.Join] = []
        self.source: exp.Expr | None = None
        """What stands in the FROM clause under ``alias``; None: the entity's table."""

    def path(self, ref: str, via: tuple[str, ...] = ()) -> Path | None:
        """Return the way to the entity of ``entity.name``; None when these rows cannot reach it."""
        entity = ref.partition(".")[0]
        label = self.context.layer.entities[entity].label
        if "." in ref:
            label = self.context.layer.dimension(ref).label
        return self.context.graph.best(self.entity, entity, via, ref=ref, label=label)

    def reach(self, path: Path) -> str:
        """Join what the way needs; return the alias of where it leads."""
        for length in range(1, len(path.steps) + 1):
            if path.joins[:length] in self._reached:
                continue
            step = path.steps[length - 1]
            left = self._reached[path.joins[: length - 1]]
            right = self.names.take(step.to_entity, step.join)
            on = [
                exp.EQ(this=column(many, left), expression=column(one, right))
                for many, one in zip(step.from_columns, step.to_columns, strict=True)
            ]
            source = table(self.context.layer.entities[step.to_entity].table, right)
            self._joins.append(exp.Join(this=source, side="LEFT", on=exp.and_(*on, copy=False)))
            self._reached[path.joins[:length]] = right
        return self._reached[path.joins]

    def field(self, ref: str, via: tuple[str, ...] = ()) -> Field | None:
        """Return the dimension, joining what it needs; None when these rows cannot reach it."""
        path = self.path(ref, via)
        if path is None:
            return None
        return self.at(self.reach(path), ref)

    def at(self, alias: str, ref: str) -> Field:
        """Return the dimension of the entity that stands under ``alias``."""
        entity = ref.partition(".")[0]
        layer = self.context.layer
        dimension = layer.dimension(ref)
        if dimension.column is not None:
            expression: exp.Expr = column(dimension.column, alias)
        else:
            assert dimension.expression is not None
            tree = parse(dimension.expression, layer.sql_dialect, dimension.label)
            expression = paren(bind(tree, alias, layer.entities[entity], layer, self.context.forms))
        return Field(expression, dimension, entity, alias)

    def own(self, sql: str, alias: str | None = None, entity: str | None = None) -> exp.Expr:
        """Return a fragment of the entity's own, bound to these rows."""
        layer = self.context.layer
        tree = parse(sql, layer.sql_dialect, sql)
        return bind(tree, alias or self.alias, layer.entities[entity or self.entity], layer, self.context.forms)

    def select(self, *expressions: exp.Expr) -> exp.Select:
        """Return ``SELECT expressions FROM entity LEFT JOIN …``, without conditions."""
        select = exp.Select(expressions=list(expressions))
        source = self.source or table(self.context.layer.entities[self.entity].table, self.alias)
        select.set("from_", exp.From(this=source))
        if self._joins:
            select.set("joins", [join.copy() for join in self._joins])
        return select
