"""How branches meet, and how the parts of a WITH are written.

Branches meet by UNION ALL and GROUP BY, not by a FULL JOIN: NULL groups with NULL, MySQL has no FULL JOIN, and PostgreSQL
makes none on IS NOT DISTINCT FROM. A group has at most one row of each branch, so MAX takes the one value there is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from datapilot_kernel.plan.dialects import number
from datapilot_kernel.plan.quoting import alias, column, identifier


@dataclass
class Statement:
    """A SELECT in the making, with the parts of its WITH."""

    ctes: list[tuple[str, exp.Query]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def part(self, name: str, query: exp.Query) -> str:
        """Add a part; return its name."""
        wish, count = name, 2
        while name in self.taken:
            name, count = f"{wish}_{count}", count + 1
        self.taken.add(name)
        self.ctes.append((name, query))
        return name

    def finish(self, select: exp.Select) -> exp.Select:
        """Return the SELECT with its WITH."""
        if self.ctes:
            parts = [exp.CTE(this=query, alias=exp.TableAlias(this=identifier(name))) for name, query in self.ctes]
            select.set("with_", exp.With(expressions=parts))
        return select


def from_part(name: str, *expressions: exp.Expr) -> exp.Select:
    """Return ``SELECT expressions FROM name``."""
    select = exp.Select(expressions=list(expressions))
    select.set("from_", exp.From(this=exp.Table(this=identifier(name))))
    return select


@dataclass(frozen=True)
class Met:
    """A branch that is a part of the WITH by now: its name, and the columns it brings besides what it is grouped by."""

    name: str
    values: tuple[str, ...]


def side_by_side(parts: Sequence[Met]) -> exp.Select:
    """Return the one row of each branch, in one row: there are no dimensions."""
    select = exp.Select(expressions=[column(value, part.name) for part in parts for value in part.values])
    select.set("from_", exp.From(this=exp.Table(this=identifier(parts[0].name))))
    select.set("joins", [exp.Join(this=exp.Table(this=identifier(part.name)), kind="CROSS") for part in parts[1:]])
    return select


def stacked(parts: Sequence[Met], groups: Sequence[str], zero: Collection[str]) -> exp.Select:
    """Return the branches' columns side by side, one row for each group of any of them.

    Parameters
    ----------
    groups
        What every branch is grouped by.
    zero
        Columns that are 0 where a branch has no such group (counts and sums); the others are NULL.
    """
    have: list[str] = []
    union: exp.Query | None = None
    for part in parts:
        new = [value for value in part.values if value not in have]
        cells: list[exp.Expr] = [column(each) for each in groups]
        cells += [column(each) if each in part.values else alias(exp.null(), each) for each in have]
        right = from_part(part.name, *cells, *(column(each) for each in new))
        union = right if union is None else _with_one_more(union, right, groups, have, new)
        have += new
    assert union is not None
    values: list[exp.Expr] = []
    for each in have:
        value: exp.Expr = exp.Max(this=column(each))
        if each in zero:
            value = exp.Coalesce(this=value, expressions=[number(0)])
        values.append(alias(value, each))
    select = _from_union(union, [*(column(each) for each in groups), *values])
    select.set("group", exp.Group(expressions=[column(each) for each in groups]))
    return select


def _with_one_more(
    union: exp.Query, right: exp.Select, groups: Sequence[str], have: Sequence[str], new: Sequence[str]
) -> exp.Query:
    # Two at a time: PostgreSQL settles a column's type on the first two of a UNION, and two NULLs are text to it.
    if isinstance(union, exp.Union) and new:
        union = _from_union(union, [column(each) for each in (*groups, *have)])
    if isinstance(union, exp.Select):
        union.set("expressions", [*union.expressions, *(alias(exp.null(), each) for each in new)])
    return exp.Union(this=union, expression=right, distinct=False)


def _from_union(union: exp.Query, cells: Sequence[exp.Expr]) -> exp.Select:
    select = exp.Select(expressions=list(cells))
    select.set("from_", exp.From(this=exp.Subquery(this=union, alias=exp.TableAlias(this=identifier("reunion")))))
    return select
