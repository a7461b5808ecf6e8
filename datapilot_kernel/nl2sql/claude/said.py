"""Words of a model on their way to a person: made harmless, and turned away when they claim what the model cannot know.

The model never sees a row, so a figure in its words that stands neither in what it was sent nor in what it gave (its plan,
its statement) is invented; so is an address. What runs is told by code: a label may name a column that code cannot name (an
aggregate, a part of a measure), never rename a measure of the layer.

Remaining risk: a figure in words (« douze millions »), and a sentence that is wrong without any figure.
"""

from __future__ import annotations

import re
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from datapilot_kernel.plan.model import Plan
from datapilot_kernel.sources.model import Dialect

_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
_NUMBER = re.compile(r"\d+(?:[\s\u00a0\u202f.,]\d+)*")
_AMOUNT = re.compile(r"^\s*(?:%|€|\$|k€|m€|md€|euros?\b|millions?\b|milliards?\b|pour ?cent)", re.IGNORECASE)
_ADDRESS = re.compile(r"https?:|www\.|\]\(|<\s*/?[a-z]", re.IGNORECASE)
_SMALL = 31
"""Whole numbers up to a month's days count things (« les 3 derniers mois »), unless they are an amount."""


def shown(text: str) -> str:
    r"""Return a model's text on one line, without characters that hide or turn others around.

    >>> shown("CA\u202e de\n2025")
    'CA de 2025'
    """
    return " ".join(_HIDDEN.sub(" ", text).split())


def invents(text: str, known: str, asked: str = "") -> bool:
    """Tell whether a text has an address, or a figure that is not in ``known``; an amount (« 12 % ») has to be in ``asked``.

    >>> invents("Le CA est de 12 000 €", "CA en 2025"), invents("CA de 2025, 3 mois", "CA en 2025")
    (True, False)
    """
    if _ADDRESS.search(text):
        return True
    if _NUMBER.search(text) is None:
        return False  # nothing to look for in what was sent, which is long
    there, spoken = _numbers(f"{known}\n{asked}"), _numbers(asked)
    for found in _NUMBER.finditer(text):
        number = _digits(found[0])
        if _AMOUNT.match(text[found.end() :]):
            if number not in spoken:
                return True
        elif number not in there and (len(number) > 2 or int(number) > _SMALL):
            return True
    return False


def _numbers(text: str) -> set[str]:
    whole = (_digits(found[0]) for found in _NUMBER.finditer(text))
    return {*whole, *(_digits(found) for found in re.findall(r"\d+", text))}


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number).lstrip("0") or "0"


def without_labels(plan: Plan) -> Plan:
    """Return a plan whose measures, dimensions and columns of the layer have the layer's own labels.

    A label stays where code has no better one: an aggregate, a measure with a filter or a transform of its own, a dimension
    or column reached by a way of its own.
    """
    measures = tuple(
        m.model_copy(update={"label": _label(m.label, m.measure is None or bool(m.filters) or m.transform is not None)})
        for m in plan.measures
    )
    dimensions = tuple(d.model_copy(update={"label": _label(d.label, bool(d.via or d.bins))}) for d in plan.dimensions)
    columns = tuple(c.model_copy(update={"label": _label(c.label, bool(c.via))}) for c in plan.columns)
    changed: dict[str, Any] = {"measures": measures, "dimensions": dimensions, "columns": columns}
    if plan.rollup is not None:
        changed["rollup"] = plan.rollup.model_copy(update={"label": _label(plan.rollup.label, True)})
    return plan.model_copy(update=changed)


def _label(label: str | None, kept: bool) -> str | None:
    if label is None or not kept:
        return None
    said = shown(label)[:80]
    # A figure in a heading would be read as the result.
    return None if not said or (invents(said, "") and not re.fullmatch(r"\D*(?:19|20)\d\d\D*", said)) else said


def reads_nothing(sql: str, dialect: Dialect) -> bool:
    """Tell whether a statement's rows are constants: figures that the model made up, not the source's.

    >>> reads_nothing("SELECT 42 AS ca FROM ventes", "duckdb"), reads_nothing("SELECT COUNT(*) FROM ventes", "duckdb")
    (True, False)
    """
    try:
        tree = sqlglot.parse_one(sql, read=dialect)
    except (SqlglotError, RecursionError):
        return False  # the guard will say what it cannot read
    if tree.find(exp.Table) is None:
        return True
    return any(
        not any(one.find(exp.Column, exp.Star, exp.AggFunc, exp.Subquery, exp.Exists) for one in select.expressions)
        for select in _outermost(tree)
    )


def _outermost(tree: exp.Expr) -> list[exp.Select]:
    if isinstance(tree, exp.Select):
        return [tree]
    if isinstance(tree, exp.SetOperation):
        return [*_outermost(tree.this), *_outermost(tree.expression)]
    return _outermost(tree.this) if isinstance(tree, exp.Subquery) else []
