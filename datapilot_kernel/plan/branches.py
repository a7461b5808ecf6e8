"""Branches: each group of leaves over the same rows, aggregated at exactly the plan's dimensions.

A branch is one SELECT … GROUP BY over one entity, one date and one period. Branches never join one another's rows: they meet
after they were aggregated (``assemble``), so a measure cannot multiply another.

A dimension may bring *keys*, columns grouped by and not shown: the primary key behind a name (two clients called Durand
stay two), the number of a bin (so that bins come in order).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from sqlglot import exp

from datapilot_kernel.messages import text
from datapilot_kernel.plan.aggregates import Kind, aggregated, kind_of, median_of
from datapilot_kernel.plan.compiled import DateRange
from datapilot_kernel.plan.conditions import all_of, filter_conditions, one_of, period_condition, plan_conditions
from datapilot_kernel.plan.dialects import Shift, number, string
from datapilot_kernel.plan.events import default_conditions
from datapilot_kernel.plan.fragments import can_narrow, narrow
from datapilot_kernel.plan.leaves import Leaf, default_time
from datapilot_kernel.plan.model import DimensionItem, Grain
from datapilot_kernel.plan.problems import PlanProblem
from datapilot_kernel.plan.quoting import alias, column, identifier
from datapilot_kernel.plan.scope import Context, Field, Names, Rows
from datapilot_kernel.semantic.model import Dimension

SERIES: frozenset[Grain] = frozenset(
    {"day", "week", "month", "quarter", "semester", "year", "fiscal_year", "fiscal_quarter"}
)
"""Grains that follow one another; the others come round again."""


_AGE = "anciennete__"
"""1 for the rows of the last date. Ends so that no column of a table is called that."""


@dataclass(frozen=True)
class Axis:
    """A dimension of the plan, with what the compiler needs to know of it.

    ``is_time_axis``: it stands for time itself, so each branch takes its own date. ``keys``: names of the columns
    grouped by and
    not shown; ``key_columns``: the entity's columns behind them.
    """

    item: DimensionItem
    dimension: Dimension
    grain: Grain | None
    is_time_axis: bool
    keys: tuple[str, ...] = ()
    key_columns: tuple[str, ...] = ()

    @property
    def is_series(self) -> bool:
        """Its groups follow one another in time."""
        return self.grain in SERIES


@dataclass
class Branch:
    """Leaves over the same rows. ``suffix`` ends the names of its columns (``_previous``); ``shift`` moves its time
    groups. ``unfiltered``: the default filters do not hold for them.
    """

    base: str
    time: str | None
    kind: Kind
    leaves: list[Leaf] = field(default_factory=list)
    period: DateRange | None = None
    suffix: str = ""
    shift: Shift | None = None
    unfiltered: bool = False

    def column(self, leaf: Leaf) -> str:
        """Return the name of a leaf's column."""
        return leaf.name + self.suffix


def axes_of(context: Context, time_axes: set[str], taken: set[str]) -> list[Axis]:
    """Return the plan's dimensions, ready to be grouped by. ``taken``: names of columns in use; keys are added to it."""
    found: list[Axis] = []
    for item in context.plan.dimensions:
        dimension = context.layer.dimension(item.field)
        entity_name, _, name = item.field.partition(".")
        entity = context.layer.entities[entity_name]
        is_time = dimension.type in ("date", "timestamp")
        grain = item.grain or ("day" if dimension.type == "timestamp" else None)
        keys: list[str] = []
        key_columns: tuple[str, ...] = ()
        if item.bins:
            keys = [free(f"{item.alias}_rang", taken)]
        elif name == entity.name_dimension and not is_time:
            key_columns = tuple(key for key in entity.key if key != dimension.column)
            keys = [free(f"{item.alias}_{key}", taken) for key in map(_plain, key_columns)]
        on_time = is_time and item.field in time_axes
        found.append(Axis(item, dimension, grain, on_time, tuple(keys), key_columns))
    return found


def _plain(name: str) -> str:
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.lower())
    return kept or "cle"


def free(wish: str, taken: set[str]) -> str:
    """Return a name that is not taken (the wish, or the wish numbered), and take it."""
    name, count = wish, 2
    while name in taken:
        name, count = f"{wish}_{count}", count + 1
    taken.add(name)
    return name


def split(context: Context, leaves: Sequence[Leaf]) -> list[Branch]:
    """Put leaves over the same rows together; dates are settled here."""
    found: list[Branch] = []
    for leaf in leaves:
        kind = kind_of(context, leaf)
        time = branch_time(context, leaf)
        unfiltered = leaf.measure is not None and context.layer.measure(leaf.measure).unfiltered
        same = (leaf.base, time, kind, unfiltered)
        branch = next((b for b in found if (b.base, b.time, b.kind, b.unfiltered) == same and kind != "median"), None)
        if branch is None:
            branch = Branch(leaf.base, time, kind, period=context.period, unfiltered=unfiltered)
            found.append(branch)
        branch.leaves.append(leaf)
    return found


def branch_time(context: Context, leaf: Leaf) -> str | None:
    """Return the date of a leaf: the plan's ``time`` where it can be reached, else its own."""
    asked = context.plan.time
    if asked is not None and asked.partition(".")[0] in context.graph.distances(leaf.base):
        return asked
    if leaf.base != leaf.owner:
        return default_time(context, None, leaf.base)
    return default_time(context, leaf.measure, leaf.owner)


# ── what is grouped by ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Grouped:
    """One column grouped by: ``name``, its expression, whether it is shown, and whether it is time itself."""

    name: str
    expression: exp.Expr
    shown: bool
    on_time: bool


def grouped_columns(rows: Rows, branch: Branch, axes: Sequence[Axis]) -> list[Grouped]:
    """Return the columns that a branch groups by, in the plan's order (keys follow what they belong to)."""
    found: list[Grouped] = []
    for axis in axes:
        field_ = _axis_field(rows, branch, axis)
        forms = rows.context.forms
        if field_.is_time:
            local = forms.local(field_.expression, field_.dimension.zoned)
            if axis.grain is not None:
                local = forms.bucket(local, axis.grain, branch.shift if axis.is_series else None)
            found.append(Grouped(axis.item.alias, local, True, axis.is_time_axis))
        elif axis.item.bins:
            label, rank = _binned(field_.expression, axis)
            found.append(Grouped(axis.item.alias, label, True, False))
            found.append(Grouped(axis.keys[0], rank, False, False))
        else:
            value = forms.exact(field_.expression) if field_.dimension.type == "text" else field_.expression
            found.append(Grouped(axis.item.alias, value, True, False))
            for name, key in zip(axis.keys, axis.key_columns, strict=True):
                found.append(Grouped(name, column(key, field_.alias), False, False))
    return found


def _axis_field(rows: Rows, branch: Branch, axis: Axis) -> Field:
    context = rows.context
    ref = axis.item.field
    own_date = axis.is_time_axis and branch.time is not None
    if own_date and branch.time != ref:
        assert branch.time is not None
        ref = branch.time
    found = rows.field(ref, axis.item.via)
    if found is not None:
        return found
    label = branch.leaves[0].label if branch.leaves else context.layer.entities[branch.base].label
    if axis.dimension.type in ("date", "timestamp") and branch.time is None:
        raise PlanProblem("time_missing", label=label)
    raise PlanProblem(
        "measure_dimension_not_reachable", measure=label, dimension=axis.dimension.label, hint=_hint(context, axis)
    )


def _hint(context: Context, axis: Axis) -> str:
    """Say which measures can be cut by a dimension: up to four."""
    entity = axis.item.field.partition(".")[0]
    able = [
        measure.label
        for name, other in context.layer.entities.items()
        if entity in context.graph.distances(name) and not other.hidden
        for measure in other.measures.values()
        if not measure.hidden and measure.formula is None
    ]
    return text("plan.measures_that_can", measures=", ".join(f"« {label} »" for label in able[:4])) if able else ""


def _binned(value: exp.Expr, axis: Axis) -> tuple[exp.Expr, exp.Expr]:
    bounds = sorted(set(axis.item.bins))
    words = [format(bound.normalize(), "f") for bound in bounds]
    labels = [text("plan.bin.below", high=words[0])]
    labels += [text("plan.bin.between", low=low, high=high) for low, high in pairwise(words)]
    labels.append(text("plan.bin.above", low=words[-1]))

    def case(outcomes: Sequence[exp.Expr]) -> exp.Expr:
        ifs = [
            exp.If(this=exp.LT(this=value.copy(), expression=number(bound)), true=outcome)
            for bound, outcome in zip(bounds, outcomes, strict=False)
        ]
        ifs.append(exp.If(this=exp.GTE(this=value.copy(), expression=number(bounds[-1])), true=outcomes[-1]))
        return exp.Case(ifs=ifs)

    return case([string(label) for label in labels]), case([number(rank) for rank in range(1, len(labels) + 1)])


# ── the SELECT ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Built:
    """A branch as a SELECT without its columns: how to make them, and what it groups by.

    ``values``: for each leaf (by its column's name) its aggregate; ``grouped``: as seen by this SELECT.
    """

    select: exp.Select
    grouped: list[Grouped]
    values: dict[str, exp.Expr]

    def finished(self) -> exp.Select:
        """Return the SELECT with every column, keys too, grouped."""
        select = self.select.copy()
        shown = [alias(one.expression.copy(), one.name) for one in self.grouped]
        select.set("expressions", shown + [alias(value.copy(), name) for name, value in self.values.items()])
        return group(select, self.grouped)


def group(select: exp.Select, grouped: Sequence[Grouped]) -> exp.Select:
    """Add GROUP BY; without dimensions, nothing."""
    if grouped:
        select.set("group", exp.Group(expressions=[one.expression.copy() for one in grouped]))
    return select


def build(context: Context, branch: Branch, axes: Sequence[Axis]) -> Built:
    """Build a branch."""
    if branch.kind == "median" and context.forms.dialect == "mysql":
        return _median_branch(context, branch, axes)
    return _plain_branch(context, branch, axes)


def _prepared(
    context: Context, branch: Branch, axes: Sequence[Axis]
) -> tuple[Rows, list[Grouped], list[exp.Expr], list[exp.Expr | None]]:
    """Return the rows, what they are grouped by, what limits them all, and what limits each leaf beside."""
    rows = Rows(context, branch.base, Names())
    grouped = grouped_columns(rows, branch, axes)
    if branch.kind == "semi_additive":
        _last_date_only(rows, branch, axes)
        where = [exp.EQ(this=column(_AGE, rows.alias), expression=number(1)), *plan_conditions(rows)]
    else:
        where = _limits(rows, branch, plan_conditions)
    own = [all_of(_leaf_conditions(rows, leaf)) for leaf in branch.leaves]
    if own and all(condition is not None and condition == own[0] for condition in own):
        assert own[0] is not None
        where += [own[0]]
        own = [None for _ in own]
    elif own and all(condition is not None for condition in own):
        # A group shows when one of the measures has rows in it.
        distinct = list(dict.fromkeys(condition for condition in own if condition is not None))
        where.append(one_of(condition.copy() for condition in distinct))
    return rows, grouped, where, own


def _limits(rows: Rows, branch: Branch, more: Callable[[Rows], list[exp.Expr]] = lambda rows: []) -> list[exp.Expr]:
    """Return the default filters, what ``more`` says, and the period."""
    found = ([] if branch.unfiltered else default_conditions(rows)) + more(rows)
    if branch.period is not None and (branch.period.start or branch.period.end):
        if branch.time is None:
            label = branch.leaves[0].label if branch.leaves else rows.context.layer.entities[branch.base].label
            raise PlanProblem("time_missing", label=label)
        found += period_condition(rows, branch.time, branch.period)
    return found


def _leaf_conditions(rows: Rows, leaf: Leaf) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    if leaf.measure is not None:
        own = rows.context.layer.measure(leaf.measure).filter
        if own is not None:
            path = rows.path(leaf.owner)
            assert path is not None
            found.append(rows.own(own, rows.reach(path), leaf.owner))
    return found + filter_conditions(rows, leaf.filters)


def _plain_branch(context: Context, branch: Branch, axes: Sequence[Axis]) -> Built:
    rows, grouped, where, own = _prepared(context, branch, axes)
    values: dict[str, exp.Expr] = {}
    for leaf, condition in zip(branch.leaves, own, strict=True):
        value = aggregated(leaf, rows)
        if condition is not None:
            if not can_narrow(value):
                raise PlanProblem("unsupported_expression", measure=leaf.label)
            value = narrow(value, condition)
        values[branch.column(leaf)] = value
    select = rows.select()
    condition = all_of(where)
    if condition is not None:
        select.where(condition, copy=False)
    return Built(select, grouped, values)


def _last_date_only(rows: Rows, branch: Branch, axes: Sequence[Axis]) -> None:
    """Let the rows be those of the last date alone: of each unit of time, or of the whole period without one.

    The last date is that of all rows of the period, whatever else the question asks for: so groups add up to the total, and
    a shop that closed last year has no stock today. It supposes that stocks are photographed all on one day.
    """
    context = rows.context
    if branch.time is None:
        raise PlanProblem("time_missing", label=branch.leaves[0].label)
    inner = Rows(context, branch.base, Names())
    time = inner.field(branch.time)
    assert time is not None
    day = context.forms.bucket(context.forms.local(time.expression.copy(), time.dimension.zoned), "day")
    units = [one.expression for one in grouped_columns(inner, branch, [axis for axis in axes if axis.is_time_axis])]
    where = [exp.Not(this=exp.Is(this=time.expression.copy(), expression=exp.null())), *_limits(inner, branch)]
    window = exp.Window(
        this=exp.Anonymous(this="RANK", expressions=[]),
        partition_by=units,
        order=exp.Order(expressions=[exp.Ordered(this=day, desc=True, nulls_first=context.forms.dialect == "postgres")]),
    )
    everything = exp.Column(this=exp.Star(), table=identifier(inner.alias))
    select = inner.select(everything, alias(window, _AGE))
    select.where(all_of(where), copy=False)
    rows.source = exp.Subquery(this=select, alias=exp.TableAlias(this=identifier(rows.alias)))


def _median_branch(context: Context, branch: Branch, axes: Sequence[Axis]) -> Built:
    """MySQL and MariaDB have no median aggregate: the middle one or two of the values in order, averaged."""
    rows, grouped, where, own = _prepared(context, branch, axes)
    leaf, condition = branch.leaves[0], own[0]
    value = median_of(leaf, rows)
    if condition is not None:
        value = exp.Case(ifs=[exp.If(this=condition, true=value)])
    value_name = free("valeur", {one.name for one in grouped})
    inner = rows.select(*(alias(one.expression.copy(), one.name) for one in grouped), alias(value, value_name))
    joined = all_of(where)
    if joined is not None:
        inner.where(joined, copy=False)
    seen = [_seen(one) for one in grouped]
    return median_over(inner, seen, value_name, branch.column(leaf))


def median_over(inner: exp.Select, seen: list[Grouped], value: str, name: str) -> Built:
    """Return the median of a column of ``inner`` for each group, with windows (MySQL and MariaDB)."""
    partition = [one.expression.copy() for one in seen]
    taken = {value, *(one.name for one in seen)}
    place_name, count_name = free("place", taken), free("nombre", taken)
    missing = exp.Is(this=column(value), expression=exp.null())
    order = exp.Order(
        expressions=[
            exp.Ordered(this=missing, desc=False, nulls_first=True),
            exp.Ordered(this=column(value), nulls_first=True),
        ]
    )
    place = exp.Window(this=exp.RowNumber(), partition_by=[one.copy() for one in partition], order=order)
    count = exp.Window(this=exp.Count(this=column(value)), partition_by=[one.copy() for one in partition])
    placed = _from_subquery(inner, "valeurs")
    placed.set(
        "expressions",
        [*(one.expression.copy() for one in seen), column(value), alias(place, place_name), alias(count, count_name)],
    )
    select = _from_subquery(placed, "places")
    # Places n/2 … n/2 + 1, for both an odd and an even count.
    middle = exp.Between(
        this=exp.Mul(this=number(2), expression=column(place_name)),
        low=column(count_name),
        high=exp.Add(this=column(count_name), expression=number(2)),
    )
    kept = exp.Case(ifs=[exp.If(this=middle, true=exp.Cast(this=column(value), to=exp.DataType.build("double")))])
    return Built(select, seen, {name: exp.Avg(this=kept)})


def _seen(one: Grouped) -> Grouped:
    return Grouped(one.name, column(one.name), one.shown, one.on_time)


def _from_subquery(inner: exp.Select, name: str) -> exp.Select:
    select = exp.Select()
    select.set("from_", exp.From(this=exp.Subquery(this=inner, alias=exp.TableAlias(this=identifier(name)))))
    return select
