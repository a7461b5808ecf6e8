"""SQL that a layer's author wrote: expressions, filters, formulas. Parsed in the layer's dialect, bound to an alias,
mended.

Mended so that one layer means the same everywhere: every division is real (and NULL by zero), ``FILTER (WHERE …)`` and a
measure's own filter become CASE, text literals compare exactly on MySQL when the layer was not written for MySQL. A
fragment that holds a subquery, or is not one expression, is refused here; what it calls is the guard's business.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sqlglot import exp
from sqlglot import parse as parse_statements
from sqlglot.errors import SqlglotError

from datapilot_kernel.plan.dialects import Forms, number, paren
from datapilot_kernel.plan.problems import PlanProblem
from datapilot_kernel.plan.quoting import column
from datapilot_kernel.semantic.model import Entity, Layer

_BRACES = re.compile(r"\{\s*([a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)?)\s*\}")
_PLACEHOLDER = "measure__"


@lru_cache(maxsize=4096)
def _parsed(sql: str, dialect: str) -> exp.Expr | None:
    try:
        trees = parse_statements(sql, read=dialect)
    except (SqlglotError, RecursionError):
        return None
    tree = trees[0] if len(trees) == 1 else None
    if tree is None or isinstance(tree, exp.Query | exp.Command | exp.DDL | exp.DML) or tree.find(exp.Query, exp.Subquery):
        return None
    return tree


def parse(sql: str, dialect: str, name: str) -> exp.Expr:
    """Return a fresh tree of a fragment; ``name`` is what a message calls it."""
    tree = _parsed(sql, dialect)
    if tree is None:
        raise PlanProblem("bad_expression", name=name)
    return tree.copy()


def formula(sql: str, dialect: str, entity: str, name: str) -> tuple[exp.Expr, dict[str, str]]:
    """Return a formula's tree, and which placeholder column stands for which measure (``entity.name``).

    >>> tree, measures = formula("{ca} / {client.nb}", "postgres", "commande", "panier")
    >>> sorted(measures.values())
    ['client.nb', 'commande.ca']
    """
    measures: dict[str, str] = {}

    def placeholder(match: re.Match[str]) -> str:
        ref = match[1] if "." in match[1] else f"{entity}.{match[1]}"
        key = next((known for known, measure in measures.items() if measure == ref), f"{_PLACEHOLDER}{len(measures)}")
        measures[key] = ref
        return key

    return parse(_BRACES.sub(placeholder, sql), dialect, name), measures


def bind(tree: exp.Expr, alias: str, entity: Entity, layer: Layer, forms: Forms) -> exp.Expr:
    """Qualify the columns of a fragment with ``alias`` and mend it for the engine. Takes the tree over."""
    root: exp.Expr = exp.Paren(this=tree)
    for found in list(tree.find_all(exp.Column)):
        name = found.this.name
        if layer.sql_dialect == "postgres" and not found.this.args.get("quoted"):
            name = name.lower()
        found.replace(column(name, alias))
    mend(root, forms)
    if forms.dialect == "mysql" and layer.sql_dialect != "mysql":
        _exact_texts(root, entity, forms)
    return _unwrap(root)


def mend(root: exp.Expr, forms: Forms) -> None:
    """Make every division of a tree real, and every FILTER a CASE, in place; the root itself is left alone."""
    for node in reversed(list(root.find_all(exp.Div))):
        left, right = node.this.unnest(), node.expression.unnest()
        if isinstance(right, exp.Nullif):
            node.replace(exp.Div(this=forms.real(left.copy()), expression=right.copy()))
        else:
            node.replace(forms.divide(left.copy(), right.copy()))
    for filtered in list(root.find_all(exp.Filter)):
        condition = filtered.expression.this
        filtered.replace(narrow(filtered.this.copy(), condition.copy()))
    if forms.dialect != "mysql":
        for median in list(root.find_all(exp.Median)):
            median.replace(forms.median(median.this.copy()))
    if forms.dialect == "duckdb":
        # DuckDB interpolates decimals in decimals: 0.5 between 1.01 and 1.02 would be 1.01.
        for percentile in list(root.find_all(exp.PercentileCont)):
            if isinstance(percentile.parent, exp.WithinGroup):
                for term in percentile.parent.expression.expressions:
                    term.set("this", forms.real(term.this.copy()))


def _unwrap(root: exp.Expr) -> exp.Expr:
    inner: exp.Expr = root.this
    inner.pop()
    return inner


def _exact_texts(root: exp.Expr, entity: Entity, forms: Forms) -> None:
    for node in list(root.find_all(exp.EQ, exp.NEQ, exp.In)):
        sides = [*node.args.get("expressions", ()), node.args.get("expression"), node.this]
        for side in sides:
            if isinstance(side, exp.Literal) and side.is_string:
                side.replace(forms.exact_literal(side.name))
    texts = {dimension.column for dimension in entity.dimensions.values() if dimension.type == "text"}
    for distinct in list(root.find_all(exp.Distinct)):
        for found in list(distinct.find_all(exp.Column)):
            if found.name in texts:
                found.replace(forms.exact(found.copy()))


def narrow(tree: exp.Expr, condition: exp.Expr) -> exp.Expr:
    """Make every aggregate of a tree look only at rows where ``condition`` holds. Takes the tree over.

    >>> from sqlglot import parse_one
    >>> narrow(parse_one("SUM(a) - COUNT(*)"), parse_one("b = 1")).sql()
    'SUM(CASE WHEN b = 1 THEN a END) - COUNT(CASE WHEN b = 1 THEN 1 END)'
    """
    root = exp.Paren(this=tree)

    def kept(value: exp.Expr) -> exp.Expr:
        return exp.Case(ifs=[exp.If(this=condition.copy(), true=value.copy())])

    for node in list(root.find_all(exp.AggFunc, exp.WithinGroup)):
        if isinstance(node, exp.WithinGroup):
            for term in node.expression.expressions:
                term.set("this", kept(term.this))
        elif isinstance(node.parent, exp.WithinGroup):
            continue
        elif isinstance(node.this, exp.Star) or node.this is None:
            node.set("this", kept(number(1)))
        elif isinstance(node.this, exp.Distinct):
            node.this.set("expressions", [kept(value) for value in node.this.expressions])
        else:
            node.set("this", kept(node.this))
    return _unwrap(root)


def can_narrow(tree: exp.Expr) -> bool:
    """Tell whether every aggregate of a tree is known to be one; of an unknown function nobody can say."""
    return all(
        call.find(exp.AggFunc) is not None or call.find_ancestor(exp.AggFunc) is not None
        for call in tree.find_all(exp.Anonymous)
    )


def substitute(tree: exp.Expr, values: dict[str, exp.Expr]) -> exp.Expr:
    """Put ``values`` in the place of the columns of these names. Takes the tree over."""
    root = exp.Paren(this=tree)
    for found in list(root.find_all(exp.Column)):
        value = values.get(found.name)
        if value is not None and not found.table:
            copy = value.copy()
            found.replace(copy if found.parent is root else paren(copy))
    return _unwrap(root)
