"""The reading of SQL: from the tree of the statement that ran, in the layer's words where it has some.

The guard has put a subquery in the place of each table (permitted columns and rows): it is read as the table it stands
for, and its row filter is not shown, for it belongs to the person's rights and not to the question. What has no simpler
name is shown as the SQL it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.answers.grammar import lower_first, typographic, upper_first
from datapilot_kernel.answers.model import ReadingPart
from datapilot_kernel.answers.wording import entity_label, format_of_dimension, listed, say, shown_value
from datapilot_kernel.semantic.model import Dimension, Entity, Format, Layer

_AGGREGATES: dict[type[exp.Expr], str] = {
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
    exp.Median: "median",
}
_SIGNS: dict[type[exp.Expr], str] = {
    exp.EQ: "eq",
    exp.NEQ: "ne",
    exp.LT: "lt",
    exp.LTE: "le",
    exp.GT: "gt",
    exp.GTE: "ge",
}
_LONGEST = 90


def read_sql(tree: exp.Expr, layer: Layer | None, formatter: Formatter, dialect: str) -> tuple[ReadingPart, ...]:
    """Return the parts of a SELECT: tables, figures, groups, conditions, order, limit. None can be edited."""
    return tuple(_SqlReader(tree, layer, formatter, dialect).parts())


def describe_conditions(fragments: Iterable[str], layer: Layer, entity: str, formatter: Formatter) -> list[str]:
    """Return SQL conditions of an entity (default filters) in words: ``statut <> 'ANN'`` -> « statut ≠ annulée »."""
    found = []
    for fragment in fragments:
        try:
            condition = sqlglot.parse_one(fragment, read=layer.sql_dialect)
        except SqlglotError:
            found.append(fragment)
            continue
        words = _Words(layer, formatter, layer.sql_dialect, {"": layer.entities[entity]})
        found += [words.condition(c) for c in _conjuncts(condition)]
    return found


def _conjuncts(condition: exp.Expr) -> list[exp.Expr]:
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        return _conjuncts(condition.left) + _conjuncts(condition.right)
    return [condition]


class _Words:
    """Says columns, values and conditions in the layer's words."""

    def __init__(self, layer: Layer | None, formatter: Formatter, dialect: str, entities: dict[str, Entity]) -> None:
        self.layer, self.formatter, self.dialect = layer, formatter, dialect
        self.entities = entities

    def say(self, key: str, /, **values: object) -> str:
        return say(self.formatter, f"reading.{key}", **values)

    def dimension(self, column: exp.Column) -> Dimension | None:
        owners = [self.entities[column.table]] if column.table in self.entities else list(self.entities.values())
        for entity in owners:
            for dimension in entity.dimensions.values():
                if dimension.column is not None and dimension.column.lower() == column.name.lower():
                    return dimension
        return None

    def name(self, node: exp.Expr) -> str:
        """Return what an expression is called."""
        node = node.unnest() if isinstance(node, exp.Paren) else node
        if isinstance(node, exp.Column):
            dimension = self.dimension(node)
            return typographic(lower_first(dimension.label)) if dimension else node.name
        if isinstance(node, exp.Count):
            return self._count(node)
        kind = _AGGREGATES.get(type(node))
        if kind is not None and node.this is not None:
            return self.say(f"aggregate.{kind}", name=self.name(node.this))
        if isinstance(node, exp.Cast):
            return self.name(node.this)
        if isinstance(node, exp.Literal):
            return self.value(node, None)
        shown = node.sql(dialect=self.dialect)
        return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"

    def _count(self, node: exp.Count) -> str:
        inner = node.this
        if isinstance(inner, exp.Distinct) and len(inner.expressions) == 1:
            return self.say("aggregate.count_distinct", name=self.name(inner.expressions[0]))
        if isinstance(inner, exp.Column):
            return self.say("aggregate.count", name=self.name(inner))
        return self.say("aggregate_rows")

    def value(self, node: exp.Expr, dimension: Dimension | None) -> str:
        node = node.this if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal) else node
        number = isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string
        if isinstance(node, exp.Literal) or number:
            raw = node.name if isinstance(node, exp.Literal) else f"-{node.this.name}"
            if isinstance(node, exp.Literal) and node.is_string:
                return self._dated(raw) or shown_value(raw, dimension, self.formatter)
            try:
                return self._numbered(Decimal(raw), dimension)
            except InvalidOperation:
                return raw
        if isinstance(node, exp.Boolean):
            return self.formatter.value(bool(node.this), Format(kind="text"))
        return self.name(node)

    def _numbered(self, number: Decimal, dimension: Dimension | None) -> str:
        plain: Any = int(number) if number == int(number) else number
        if dimension is not None and dimension.format is not None:
            return self.formatter.value(number, format_of_dimension(dimension))
        return shown_value(plain, dimension, self.formatter)

    def _dated(self, raw: str) -> str | None:
        from datetime import date

        try:
            return self.formatter.value(date.fromisoformat(raw), Format(kind="date")) if len(raw) == 10 else None
        except ValueError:
            return None

    def condition(self, node: exp.Expr) -> str:
        """Return a condition in words; the SQL itself when it has no simpler name."""
        node = node.unnest()
        sign = _SIGNS.get(type(node))
        if sign is not None:
            left, right = node.this, node.expression
            if isinstance(left, exp.Literal) and isinstance(right, exp.Column):
                left, right = right, left
                sign = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}.get(sign, sign)
            dimension = self.dimension(left) if isinstance(left, exp.Column) else None
            return f"{self.name(left)} {self.say(f'sign.{sign}')} {self.value(right, dimension)}"
        if isinstance(node, exp.In) and node.expressions and isinstance(node.this, exp.Column):
            return self._in(node, negated=False)
        if isinstance(node, exp.Between):
            dimension = self.dimension(node.this) if isinstance(node.this, exp.Column) else None
            low, high = (self.value(node.args[k], dimension) for k in ("low", "high"))
            return f"{self.name(node.this)} {self.say('op.between', low=low, high=high)}"
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return self.say("condition_state", label=self.name(node.this), value=self.say("op.is_null", value=""))
        if isinstance(node, exp.Not):
            inner = node.this.unnest()
            if isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null):
                return self.say("condition_state", label=self.name(inner.this), value=self.say("op.not_null", value=""))
            if isinstance(inner, exp.In) and inner.expressions and isinstance(inner.this, exp.Column):
                return self._in(inner, negated=True)
            return self.say("not", condition=self.condition(inner))
        if isinstance(node, exp.Or):
            return f"{self.condition(node.left)}{self.say('or')}{self.condition(node.right)}"
        if isinstance(node, (exp.Column, exp.Boolean)):
            return self.name(node)
        shown = node.sql(dialect=self.dialect)
        return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"

    def _in(self, node: exp.In, *, negated: bool) -> str:
        dimension = self.dimension(node.this)
        shown = listed([self.value(v, dimension) for v in node.expressions], self.formatter, last="or")
        return self.say(
            "condition", label=self.name(node.this), value=self.say("op.not_in" if negated else "op.in", value=shown)
        )


class _SqlReader:
    def __init__(self, tree: exp.Expr, layer: Layer | None, formatter: Formatter, dialect: str) -> None:
        self.layer, self.formatter, self.dialect = layer, formatter, dialect
        self.tree = tree
        self.tables: dict[str, str] = {}
        for table in tree.find_all(exp.Table):
            self._know(table)
        by_table = {e.table.rpartition(".")[2].lower(): (n, e) for n, e in (layer.entities.items() if layer else ())}
        self.names = {t: by_table.get(t.lower()) for t in self.tables.values()}
        entities = {alias: found[1] for alias, t in self.tables.items() if (found := self.names[t]) is not None}
        self.words = _Words(layer, formatter, dialect, entities)

    def _know(self, table: exp.Table) -> None:
        """Note a real table under every alias it is reached by (also that of the guard's subquery around it)."""
        ctes = {cte.alias for cte in self.tree.find_all(exp.CTE)}
        if table.name in ctes:
            return
        self.tables[table.alias_or_name] = table.name
        wrapped = stands_for(table)
        if wrapped is not None and wrapped.alias:
            self.tables[wrapped.alias] = table.name

    def part(self, path: str, kind: str, label: str, value: str) -> ReadingPart:
        return ReadingPart(path, kind, say(self.formatter, f"reading.label.{label}"), value, False)  # type: ignore[arg-type]

    def parts(self) -> list[ReadingPart]:
        found = []
        names = [
            entity_label(known[0], self.layer) if (known := self.names[t]) else t
            for t in dict.fromkeys(self.tables.values())
        ]
        if names:
            found.append(self.part("/sql/from", "source", "tables", upper_first(listed(names, self.formatter))))
        select = self._select()
        if select is None:
            return found
        figures = [e for e in select.expressions if e.find(exp.AggFunc)]
        for i, expression in enumerate(figures):
            found.append(
                self.part(f"/sql/select/{i}", "measure", "measure", upper_first(self.words.name(expression.unalias())))
            )
        group = select.args.get("group")
        for i, expression in enumerate(group.expressions if group else ()):
            name = self.words.name(self._group(expression, select))
            found.append(self.part(f"/sql/group/{i}", "dimension", "dimension", upper_first(name)))
        for clause, kind in (("where", "condition"), ("having", "having")):
            node = select.args.get(clause)
            for i, condition in enumerate(_conjuncts(node.this) if node else ()):
                found.append(
                    self.part(f"/sql/{clause}/{i}", kind, "condition", upper_first(self.words.condition(condition)))
                )
        found += self._order(select)
        return found

    def _select(self) -> exp.Select | None:
        """Return the outermost SELECT that says something: not the guard's wrap that only limits the rows."""
        node: Any = self.tree
        while isinstance(node, exp.Subquery):
            node = node.this
        if not isinstance(node, exp.Select):
            return None
        source = node.args.get("from_") or node.args.get("from")
        inner = source.this if source else None
        bare = not any(node.args.get(k) for k in ("where", "group", "having", "joins", "distinct"))
        stars = all(isinstance(e, (exp.Star, exp.Column)) for e in node.expressions)
        if bare and stars and isinstance(inner, exp.Subquery) and stands_for_subquery(inner) is None:
            return inner.this if isinstance(inner.this, exp.Select) else node
        return node

    def _group(self, expression: exp.Expr, select: exp.Select) -> exp.Expr:
        if isinstance(expression, exp.Literal) and expression.is_int:
            index = int(expression.name) - 1
            return select.expressions[index].unalias() if 0 <= index < len(select.expressions) else expression
        return expression

    def _order(self, select: exp.Select) -> list[ReadingPart]:
        found = []
        order = select.args.get("order")
        for i, ordered in enumerate(order.expressions if order else ()):
            direction = say(self.formatter, f"reading.{'descending' if ordered.args.get('desc') else 'ascending'}")
            name = self.words.name(self._group(ordered.this, select))
            value = say(self.formatter, "reading.ordered", name=name, direction=direction)
            found.append(self.part(f"/sql/order/{i}", "order", "order", value))
        limit = select.args.get("limit")
        count = getattr(limit, "expression", None)
        if isinstance(count, exp.Literal) and count.is_int:
            number = int(count.name)
            value = say(self.formatter, "reading.first", count=number, number=self.formatter.count(number))
            found.append(self.part("/sql/limit", "limit", "limit", value))
        return found


def stands_for(table: exp.Table) -> exp.Subquery | None:
    """Return the guard's subquery around a table, None when there is none."""
    subquery = table.find_ancestor(exp.Subquery)
    return subquery if subquery is not None and stands_for_subquery(subquery) is table else None


def stands_for_subquery(subquery: exp.Subquery) -> exp.Table | None:
    """Return the table that a subquery of plain columns stands for, None when it does more."""
    select = subquery.this
    if not isinstance(select, exp.Select) or any(
        select.args.get(k) for k in ("group", "having", "joins", "distinct", "order", "limit")
    ):
        return None
    source = select.args.get("from_") or select.args.get("from")
    table = source.this if source else None
    plain = all(isinstance(e.unalias(), (exp.Column, exp.Null, exp.Cast)) for e in select.expressions)
    return table if isinstance(table, exp.Table) and plain else None
