"""Row filters: a condition over one table's own columns, with a person's attributes bound as values.

``{name}`` becomes a value of the tree, never text of the statement: a tenant called ``x' OR 1=1 --`` is a string like any
other. An attribute that is missing or null refuses every statement that reads the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlglot import exp

from datapilot_kernel.guard.dialects import DialectRules
from datapilot_kernel.guard.policy import AttributeValue
from datapilot_kernel.guard.reasons import RefusedSql
from datapilot_kernel.guard.render import Renderer
from datapilot_kernel.guard.tree import parse

_ATTRIBUTE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_STAND_IN = "guardattribute_"
_FORBIDDEN = (exp.Select, exp.SetOperation, exp.Subquery, exp.Table, exp.Star, exp.Window, exp.Exists, exp.Lambda)


def attributes_of(condition: str) -> frozenset[str]:
    """Names of the attributes that a row filter needs."""
    return frozenset(_ATTRIBUTE.findall(condition))


def condition_sql(condition: str, rules: DialectRules, table: str, attributes: Mapping[str, AttributeValue] | None) -> str:
    """Write a row filter, its attributes bound.

    Parameters
    ----------
    attributes
        None: only the form is checked, every attribute reads as NULL.

    Raises
    ------
    RefusedSql
        ``missing_attribute``, or ``bad_policy`` when it is not a condition over the table's own columns.
    """
    missing = [n for n in sorted(attributes_of(condition)) if attributes is not None and attributes.get(n) is None]
    if missing:
        raise RefusedSql("missing_attribute", name=missing[0], log=f"attribute {missing[0]!r} missing for {table!r}")
    text = _ATTRIBUTE.sub(lambda m: f"{_STAND_IN}{m[1]}", condition)
    try:
        tree = parse(f"SELECT 1 WHERE ({text})", rules.name)
        node = _condition(tree)
        _bind(node, attributes, rules, table)
        return Renderer(rules, {}, {}).sql(node)
    except RefusedSql as refused:
        if refused.refusal.reason == "bad_policy":
            raise
        raise RefusedSql(
            "bad_policy", log=f"row filter of {table!r}: {refused.refusal.reason}: {refused.refusal.log}"
        ) from None


def _condition(tree: exp.Expr) -> exp.Expr:
    where = tree.args.get("where")
    others = [k for k, v in tree.args.items() if v and k not in {"where", "expressions"}]
    if not isinstance(tree, exp.Select) or where is None or others or not isinstance(where.this, exp.Paren):
        raise RefusedSql("bad_policy", log="row filter is not one condition")
    node: exp.Expr = where.this
    if any(isinstance(n, _FORBIDDEN) for n in node.walk()):
        raise RefusedSql("bad_policy", log="row filter reads more than its own row")
    return node


def _bind(node: exp.Expr, attributes: Mapping[str, AttributeValue] | None, rules: DialectRules, table: str) -> None:
    for found in list(node.walk()):
        if isinstance(found, exp.Literal) and found.is_string and _STAND_IN in found.this:
            raise RefusedSql("bad_policy", log=f"attribute inside quotes in the row filter of {table!r}")
        if not isinstance(found, exp.Column):
            continue
        qualifier = found.args.get("table")
        if qualifier is not None:
            if rules.fold(qualifier) != rules.fold_text(table) or found.args.get("db"):
                raise RefusedSql("bad_policy", log=f"row filter of {table!r} names another table")
            found.set("table", None)
        name = found.name
        if not name.startswith(_STAND_IN):
            continue
        value = attributes.get(name[len(_STAND_IN) :]) if attributes is not None else None
        parent = found.parent
        if isinstance(value, list):
            if not isinstance(parent, exp.In) or found.arg_key != "expressions":
                raise RefusedSql("bad_policy", log=f"list attribute outside IN (…) in the row filter of {table!r}")
            others = [e for e in parent.expressions if e is not found]
            parent.set("expressions", others + ([_value(v) for v in value] or [exp.Null()]))
        else:
            found.replace(_value(value))


def _value(value: str | int | float | bool | None) -> exp.Expr:
    if value is None:
        return exp.Null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, (int, float)):
        number = exp.Literal.number(abs(value))
        return exp.Paren(this=exp.Neg(this=number)) if value < 0 else number
    return exp.Literal.string(value)
