"""SQL fragments of a layer, read: their columns, whether they aggregate or are conditions, what a formula refers to.

A fragment names columns of its own table and nothing else: no subquery, no qualifier, no window. The guard has the last
word when a query runs; here the author is told early, at the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_BRACES = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_REF = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")
_FORBIDDEN = (exp.Subquery, exp.Select, exp.Window, exp.Star, exp.Command)
_FORMULA_NODES = (
    exp.Column, exp.Identifier, exp.Literal, exp.Paren, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.Nullif,
    exp.Coalesce, exp.Round, exp.Abs, exp.Null,
    exp.Cast, exp.DataType, exp.DataTypeParam, exp.Greatest, exp.Least, exp.Case, exp.If, exp.GT, exp.GTE, exp.LT, exp.LTE,
    exp.EQ, exp.NEQ, exp.And, exp.Or,
    exp.Not, exp.Is,
)  # fmt: skip


@dataclass(frozen=True)
class Fragment:
    """A fragment that could be read. ``columns``: name as written, and whether it was quoted."""

    tree: Any
    columns: tuple[tuple[str, bool], ...]
    problem: str | None = None
    detail: str = ""

    @property
    def aggregates(self) -> bool:
        """Whether it aggregates rows."""
        return self.tree is not None and self.tree.find(exp.AggFunc) is not None


def read_fragment(sql: str, dialect: str, *, aggregate: bool = False) -> Fragment:
    """Read a fragment; ``problem`` is the code of what is wrong with it (``sql_unreadable``, ``sql_forbidden``, …)."""
    try:
        select = sqlglot.parse_one(f"SELECT {sql}\n", dialect=dialect)
    except (SqlglotError, RecursionError):
        return Fragment(None, (), "sql_unreadable")
    if not isinstance(select,
        exp.Select) or len(select.expressions) != 1 or any(select.args.get(k) for k in select.args if k not in {
            "expressions", "kind", "hint"}):  # fmt: skip
        return Fragment(None, (), "sql_unreadable")
    tree = select.expressions[0]
    if isinstance(tree, exp.Alias):
        return Fragment(None, (), "sql_unreadable")
    for node in tree.walk():
        if isinstance(node, _FORBIDDEN) and not (isinstance(node, exp.Star) and isinstance(node.parent, exp.Count)):
            return Fragment(tree, (), "sql_forbidden")
        if isinstance(node, exp.Column) and node.table:
            return Fragment(tree, (), "sql_qualified", node.sql(dialect=dialect))
    columns = tuple(
        dict.fromkeys(
            (c.name, bool(c.this.args.get("quoted")))
            for c in tree.find_all(exp.Column)
            if isinstance(c.this, exp.Identifier)
        )
    )
    problem = detail = None
    if aggregate:
        outside = [c for c in tree.find_all(exp.Column) if c.find_ancestor(exp.AggFunc) is None]
        nested = any(a.find_ancestor(exp.AggFunc) is not None for a in tree.find_all(exp.AggFunc))
        if tree.find(exp.AggFunc) is None:
            problem = "not_an_aggregate"
        elif nested:
            problem = "nested_aggregate"
        elif outside:
            problem, detail = "column_outside_aggregate", outside[0].name
    elif tree.find(exp.AggFunc) is not None:
        problem = "aggregate_not_allowed"
    return Fragment(tree, columns, problem, detail or "")


def is_condition(tree: Any, booleans: set[str]) -> bool:
    """Tell whether a tree is true or false for a row. A bare column is when it is a boolean; a function may be."""
    while isinstance(tree, exp.Paren | exp.Not):
        tree = tree.this
    if isinstance(tree, exp.Connector):
        return is_condition(tree.this, booleans) and is_condition(tree.expression, booleans)
    if isinstance(tree, exp.Column):
        return tree.name.lower() in booleans
    return isinstance(
        tree, exp.Predicate | exp.Boolean | exp.Anonymous | exp.In | exp.Between | exp.RegexpLike | exp.StartsWith | exp.Case
    )


def bind_attributes(condition: str) -> tuple[str, list[str], str | None]:
    """Return a row filter with its attributes as literals, their names, and the code of what is wrong.

    >>> bind_attributes("agence = {agence}")
    ("agence = 'x'", ['agence'], None)
    """
    names = _BRACES.findall(condition)
    if any(not _NAME.fullmatch(n) for n in names) or "{" in _BRACES.sub("", condition) or "}" in _BRACES.sub("", condition):
        return condition, names, "attribute_name"
    if re.search(r"'[^']*\{[a-z0-9_]*\}[^']*'", condition):
        return condition, names, "attribute_quoted"
    return _BRACES.sub("'x'", condition), names, None


def formula_references(formula: str) -> tuple[list[str], str | None]:
    """Return the measures that a formula refers to, and the code of what is wrong with its form.

    >>> formula_references("{ca} / {commandes.nombre}")
    (['ca', 'commandes.nombre'], None)
    """
    names = _BRACES.findall(formula)
    if not names:
        return [], "formula_empty"
    if any(not _REF.fullmatch(n) for n in names):
        return names, "formula_unreadable"
    position = iter(range(len(names)))
    plain = _BRACES.sub(lambda _: f"m{next(position)}", formula)
    fragment = read_fragment(plain, "postgres")
    if fragment.problem is not None:
        return names, "formula_unreadable"
    known = {f"m{i}" for i in range(len(names))}
    if any(name not in known for name, _ in fragment.columns):
        return names, "formula_not_braced"
    if any(not isinstance(node, _FORMULA_NODES) for node in fragment.tree.walk()):
        return names, "formula_unreadable"
    return names, None
