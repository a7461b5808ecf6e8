"""Why two outcomes of one question differ: an answer and its gold, or two runs of the same questions.

A closed set of reasons. Causes are read off the plans, where both are there and exact, else off the statements
(:mod:`.conditions_of`); results are compared by digests, so a run's file says whether rows changed without holding them.

Remaining risk: two statements that ask the same of their rows in ways the reader cannot tell apart from different ones. So
a cause is only claimed for results that do differ.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal, get_args

from datapilot_kernel.engine.conditions_of import conditions_of
from datapilot_kernel.engine.matching import comparable
from datapilot_kernel.sources.model import Dialect

Reason = Literal[
    "outcome", "other_period", "other_filter", "other_measure", "other_grouping", "missing_column", "other_rows", "order"
]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)

_PARTS: Final[tuple[tuple[tuple[str, ...], Reason], ...]] = (
    (("period", "time", "comparison"), "other_period"),
    (("filters", "any_of", "related", "having", "narrowed", "ignored_defaults", "entity", "distinct"), "other_filter"),
    (("measures", "rollup"), "other_measure"),
    (("dimensions", "columns"), "other_grouping"),
)
"""Which parts of a plan, once they differ, are which reason."""


@dataclass(frozen=True)
class Digest:
    """A result without its rows: of each column, its cells as a bag and in order."""

    rows: int
    bags: tuple[str, ...] = ()
    ordered: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"rows": self.rows, "bags": list(self.bags), "ordered": list(self.ordered)}


def digest(rows: Sequence[Sequence[Any]]) -> Digest:
    """Return the digest of a result; decimals count to five digits, as results are compared within a tolerance."""
    if not rows:
        return Digest(0)
    columns = [[_told(row[i]) for row in rows] for i in range(len(rows[0]))]
    return Digest(len(rows), tuple(_hash(sorted(cells)) for cells in columns), tuple(_hash(cells) for cells in columns))


def _told(value: Any) -> str:
    kind, said = comparable(value)
    if kind in "nf":
        number = Decimal(said)
        return f"n{number:.4e}" if number else "n0"
    return f"{kind}{said}"


def _hash(cells: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(cells).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Side:
    """One of the two. ``plan`` is compact JSON; None: there is none."""

    outcome: str
    sql: str | None = None
    plan: dict[str, Any] | None = None
    result: Digest = field(default_factory=lambda: Digest(0))

    @classmethod
    def of_line(cls, line: dict[str, Any]) -> Side:
        """Return the side that an output line of ``datapilot eval`` describes; lines of older versions say less."""
        given = line.get("digest") or {}
        found = Digest(
            given.get("rows", line.get("row_count") or 0), tuple(given.get("bags", ())), tuple(given.get("ordered", ()))
        )
        plan = line.get("plan")
        return cls(line.get("outcome", "failure"), line.get("sql"), plan if isinstance(plan, dict) else None, found)


def same_result(expected: Digest, got: Digest, *, ordered: bool = False) -> bool:
    """Tell whether the expected columns are all there with the same cells."""
    if expected.rows != got.rows:
        return False
    if ordered:
        return not Counter(expected.ordered) - Counter(got.ordered)
    return not Counter(expected.bags) - Counter(got.bags)


def reasons(expected: Side, got: Side, dialect: Dialect, *, ordered: bool = False, differ: bool = False) -> list[Reason]:
    """Return why two outcomes differ, causes first; empty when they do not.

    Parameters
    ----------
    differ
        They are known to differ (by the rule of the contract, which knows rows): at least one reason is given.
    """
    if expected.outcome != got.outcome:
        return ["outcome"]
    if got.outcome != "answer":
        return []
    if same_result(expected.result, got.result):
        # Column by column the same cells: the order, or which cells stand in one row.
        if ordered and not same_result(expected.result, got.result, ordered=True):
            return ["order"]
        return ["other_rows"] if differ else []
    found = _causes(expected, got, dialect)
    missing = Counter(expected.result.bags) - Counter(got.result.bags)
    some_there = missing.total() < len(expected.result.bags)
    if len(got.result.bags) < len(expected.result.bags) or (
        expected.result.rows == got.result.rows and some_there and not found
    ):
        found.append("missing_column")
    if expected.result.rows != got.result.rows or not found:
        found.append("other_rows")
    return [one for one in REASONS if one in found]


def _causes(expected: Side, got: Side, dialect: Dialect) -> list[Reason]:
    found: list[Reason] = []
    if expected.plan is not None and got.plan is not None:
        one_plan, other_plan = _named(expected.plan), _named(got.plan)
        for keys, reason in _PARTS:
            if any(one_plan.get(key) != other_plan.get(key) for key in keys):
                found.append(reason)
    if found:
        return found
    # The same plan over a layer that changed, or statements that nobody planned.
    one, other = conditions_of(expected.sql, dialect), conditions_of(got.sql, dialect)
    if not (one.readable and other.readable):
        return found
    if one.certain_of_periods and other.certain_of_periods and one.periods != other.periods:
        found.append("other_period")
    if one.conditions != other.conditions:
        found.append("other_filter")
    return found


def _named(plan: dict[str, Any]) -> dict[str, Any]:
    """Return a plan without aliases, which are whoever's choice: what they stand for is said in their place."""
    names: dict[str, str] = {}
    found = dict(plan)
    narrowed = []
    for key in ("measures", "dimensions", "columns"):
        parts = []
        for part in plan.get(key, []):
            told = {k: v for k, v in part.items() if k not in ("alias", "label", "filters")}
            names[str(part.get("alias"))] = json.dumps(told, sort_keys=True)
            parts.append(told)
            narrowed.append(part.get("filters", []))
        found[key] = parts
    found["narrowed"] = [one for one in narrowed if one]
    found["having"] = [{**one, "measure": names.get(str(one.get("measure")))} for one in plan.get("having", [])]
    return found
