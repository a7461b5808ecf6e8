"""What a leaf computes: its aggregate, bound to rows of its base, and whether its groups add up to its total."""

from __future__ import annotations

from typing import Literal

from sqlglot import exp

from datapilot_kernel.plan.fragments import parse
from datapilot_kernel.plan.leaves import Item, Leaf
from datapilot_kernel.plan.problems import PlanProblem
from datapilot_kernel.plan.quoting import column
from datapilot_kernel.plan.scope import Context, Field, Rows

Kind = Literal["plain", "semi_additive", "median"]


def kind_of(context: Context, leaf: Leaf) -> Kind:
    """Return how a leaf is computed."""
    if leaf.measure is not None and context.layer.measure(leaf.measure).additivity == "semi_additive":
        return "semi_additive"
    # A branch of its own everywhere, though only MySQL has to compute it apart: groups must not depend on the engine.
    if _median_argument(context, leaf) is not None:
        return "median"
    return "plain"


def _median_argument(context: Context, leaf: Leaf) -> exp.Expr | None:
    """Return what a median is taken of (unbound); None when the leaf is none."""
    if leaf.aggregate == "median":
        return exp.null()
    if leaf.measure is None:
        return None
    expression = context.layer.measure(leaf.measure).expression or ""
    tree = parse(expression, context.layer.sql_dialect, leaf.label)
    if isinstance(tree, exp.Median):
        argument: exp.Expr = tree.this
        return argument
    if isinstance(tree, exp.WithinGroup) and isinstance(tree.this, exp.PercentileCont) and tree.this.this.name == "0.5":
        term: exp.Expr = tree.expression.expressions[0].this
        return term
    return None


def aggregated(leaf: Leaf, rows: Rows) -> exp.Expr:
    """Return the aggregate of a leaf, bound to rows of its base."""
    context = rows.context
    forms, layer = context.forms, context.layer
    path = rows.path(leaf.owner)
    assert path is not None
    alias = rows.reach(path)
    if leaf.base != leaf.owner and leaf.field is None:
        return _distinct_rows(leaf, alias, context)
    if leaf.measure is not None:
        expression = layer.measure(leaf.measure).expression
        assert expression is not None
        return rows.own(expression, alias, leaf.owner)
    if leaf.field is None:
        return exp.Count(this=exp.Star())
    field = rows.at(alias, leaf.field)
    match leaf.aggregate:
        case "count":
            return exp.Count(this=field.expression)
        case "count_distinct":
            return exp.Count(this=exp.Distinct(expressions=[_distinct_value(field, context)]))
        case "sum":
            return exp.Sum(this=field.expression)
        case "avg":
            return exp.Avg(this=field.expression)
        case "min" | "max":
            value = forms.local(field.expression, field.dimension.zoned)
            return exp.Min(this=value) if leaf.aggregate == "min" else exp.Max(this=value)
        case _:
            return forms.median(field.expression)


def median_of(leaf: Leaf, rows: Rows) -> exp.Expr:
    """Return what the median of a leaf is taken of, bound to rows of its base (MySQL)."""
    context = rows.context
    if leaf.field is not None:
        field = rows.field(leaf.field)
        assert field is not None
        return field.expression
    argument = _median_argument(context, leaf)
    assert argument is not None
    return rows.own(argument.sql(context.layer.sql_dialect))


def _distinct_value(field: Field, context: Context) -> exp.Expr:
    if field.dimension.type == "text":
        return context.forms.exact(field.expression)
    return field.expression


def _distinct_rows(leaf: Leaf, alias: str, context: Context) -> exp.Expr:
    entity = context.layer.entities[leaf.owner]
    if len(entity.key) != 1:
        raise PlanProblem("entity_without_key", entity=entity.label)
    return exp.Count(this=exp.Distinct(expressions=[column(entity.key[0], alias)]))


def is_additive(context: Context, item: Item) -> bool:
    """Tell whether an item's groups add up to its total: sums and counts, and their sums and multiples."""
    for leaf in item.leaves:
        if leaf.base != leaf.owner:
            return False
        if leaf.measure is None:
            if leaf.aggregate not in ("count", "sum"):
                return False
            continue
        measure = context.layer.measure(leaf.measure)
        if measure.additivity == "non_additive":
            return False
        tree = parse(measure.expression or "", context.layer.sql_dialect, measure.label)
        if not _adds_up(tree):
            return False
    return _linear(item.tree)


def zero_when_absent(context: Context, leaf: Leaf) -> bool:
    """Tell whether a group without rows has 0 (a count, a sum) rather than nothing."""
    if leaf.measure is None:
        return leaf.aggregate in ("count", "count_distinct", "sum")
    tree = parse(context.layer.measure(leaf.measure).expression or "", context.layer.sql_dialect, leaf.label)
    return isinstance(tree, exp.Count | exp.Sum)


def _adds_up(tree: exp.Expr) -> bool:
    if isinstance(tree, exp.Filter | exp.Paren | exp.Neg):
        return _adds_up(tree.this)
    if isinstance(tree, exp.Coalesce | exp.Round):
        return _adds_up(tree.this)
    if isinstance(tree, exp.Sum | exp.Count):
        return not isinstance(tree.this, exp.Distinct)
    if isinstance(tree, exp.Add | exp.Sub):
        return _adds_up(tree.this) and _adds_up(tree.expression)
    if isinstance(tree, exp.Mul):
        return any(_constant(a) and _adds_up(b) for a, b in ((tree.this, tree.expression), (tree.expression, tree.this)))
    return isinstance(tree, exp.Div) and _adds_up(tree.this) and _constant(tree.expression)


def _constant(tree: exp.Expr) -> bool:
    return tree.find(exp.Column, exp.AggFunc) is None


def _linear(tree: exp.Expr) -> bool:
    if isinstance(tree, exp.Column):
        return True
    if isinstance(tree, exp.Paren | exp.Neg | exp.Cast | exp.Coalesce | exp.Round):
        return _linear(tree.this)
    if isinstance(tree, exp.Add | exp.Sub):
        return _linear(tree.this) and _linear(tree.expression)
    if isinstance(tree, exp.Mul):
        return any(_constant(a) and _linear(b) for a, b in ((tree.this, tree.expression), (tree.expression, tree.this)))
    return isinstance(tree, exp.Div) and _linear(tree.this) and _constant(tree.expression)
