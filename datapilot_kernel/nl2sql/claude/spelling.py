"""Values that a model wrote as a person would say them, and the stored values that they are: checked here, by code.

The model may not have seen the values. « lyon » for ``Lyon`` would give an empty result that looks like an answer. Before a
plan or a statement runs, a value that is stored but for case, accents and plural is replaced (:func:`settle_plan`,
:func:`settle_sql`). When a result is empty, once, a value that is not stored gives way to the one stored value that it can
be a part or a misspelling of; two candidates: none. The person is told of each.

In SQL only what cannot mean anything else is touched: a text literal compared by ``=``, ``<>`` or ``IN`` to a bare column
that is a dimension of the layer with indexed values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from datapilot_kernel.catalog.values import ValueIndex, value_words
from datapilot_kernel.messages import text
from datapilot_kernel.plan.filters import map_filters
from datapilot_kernel.plan.model import Filter, Plan
from datapilot_kernel.semantic.model import Layer
from datapilot_kernel.sources.model import Dialect

_OPERATORS = frozenset({"eq", "ne", "in", "not_in"})


@dataclass
class Changes:
    """What was read as what."""

    made: list[tuple[str, str]] = field(default_factory=list)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the person."""
        return tuple(text("claude.value_read_as", typed=typed, stored=stored) for typed, stored in dict.fromkeys(self.made))


def settle_plan(plan: Plan, layer: Layer, values: ValueIndex, *, loosely: bool) -> tuple[Plan, Changes]:
    """Return a plan with its text values as they are stored.

    Parameters
    ----------
    loosely
        Also those that are only a part of a stored value, or misspell it.
    """
    changes = Changes()

    def change(one: Filter) -> Filter:
        if one.op not in _OPERATORS or one.field not in values.values:
            return one
        settled = []
        for value in one.values:
            stored = _stored(value, (one.field,), layer, values, loosely=loosely) if isinstance(value, str) else None
            if stored is not None:
                changes.made.append((str(value), stored))
            settled.append(value if stored is None else stored)
        return one.model_copy(update={"values": tuple(settled)})

    return map_filters(plan, change), changes


def settle_sql(sql: str, dialect: Dialect, layer: Layer, values: ValueIndex, *, loosely: bool) -> tuple[str, Changes]:
    """Return a statement with its compared literals as they are stored; the same text when nothing changes."""
    changes = Changes()
    try:
        tree = sqlglot.parse_one(sql, read=dialect)
    except (SqlglotError, RecursionError):
        return sql, changes  # the guard will say what it cannot read
    refs = _refs_of_columns(layer, values)
    meant: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for column, literal in _compared(tree):
        typed = str(literal.this)
        stored = _stored(typed, refs.get(column.lower(), ()), layer, values, loosely=loosely)
        if stored is not None and meant.setdefault(typed, stored) == stored:
            counts[typed] += 1
    for typed, count in counts.items():
        # In the text itself: a statement written anew by the parser's library is not the same in every dialect.
        written = _quoted(typed, dialect)
        if sql.count(written) == count:
            sql = sql.replace(written, _quoted(meant[typed], dialect))
            changes.made.append((typed, meant[typed]))
    return sql, changes


def _quoted(value: str, dialect: Dialect) -> str:
    doubled = value.replace("'", "''")
    return "'" + (doubled.replace("\\", "\\\\") if dialect == "mysql" else doubled) + "'"


def _refs_of_columns(layer: Layer, values: ValueIndex) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, entity in layer.entities.items():
        for part, dimension in entity.dimensions.items():
            ref = f"{name}.{part}"
            if dimension.column is not None and ref in values.values:
                column = dimension.column.lower()
                found[column] = (*found.get(column, ()), ref)
    return found


def _compared(tree: exp.Expr) -> Iterable[tuple[str, exp.Literal]]:
    for node in tree.find_all(exp.EQ, exp.NEQ):
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(one, exp.Column) and isinstance(other, exp.Literal) and other.is_string:
                yield one.name, other
    for within in tree.find_all(exp.In):
        if isinstance(within.this, exp.Column):
            for other in list(within.expressions):
                if isinstance(other, exp.Literal) and other.is_string:
                    yield within.this.name, other


def _stored(value: str, refs: Sequence[str], layer: Layer, values: ValueIndex, *, loosely: bool) -> str | None:
    """Return the one stored value of these dimensions that is meant; None when it is stored, or when it is not clear."""
    if not refs or any(value in values.values[ref] for ref in refs):
        return None
    words = value_words(value)
    found = {hit.value for hit in values.exact(words) if hit.ref in refs}
    folded = " ".join(words)
    for ref in refs:
        for stored, names in layer.dimension(ref).values.items():
            if any(" ".join(value_words(name)) == folded for name in names):
                found.add(stored)
    if not found and loosely:
        found = {hit.value for hit in values.partial(words) if hit.ref in refs}
        found = found or {hit.value for hit in values.fuzzy(value, refs=refs, limit=2)}
    return found.pop() if len(found) == 1 else None
