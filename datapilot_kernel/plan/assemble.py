"""From branches to one statement: they meet, formulas and shares are computed, then conditions, order and limit.

One branch and nothing after it makes one flat SELECT, as a person would write it. Anything more makes a WITH whose parts
read in the order of the work: ``mesures_…`` (one for each branch), ``ensemble`` (branches side by side), ``calculs``
(formulas, shares, comparisons), ``classement`` (ranks), then the SELECT that orders and cuts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from datapilot_kernel.plan import columns as described
from datapilot_kernel.plan.aggregates import is_additive, zero_when_absent
from datapilot_kernel.plan.branches import Branch, Built, axes_of, build, free, group, median_over, split
from datapilot_kernel.plan.comparing import Compared, compared_with, note_unfinished
from datapilot_kernel.plan.compiled import CompiledColumn, DateRange
from datapilot_kernel.plan.conditions import all_of, compare
from datapilot_kernel.plan.dialects import number, paren
from datapilot_kernel.plan.fragments import substitute
from datapilot_kernel.plan.leaves import Decomposer, Item, Leaf
from datapilot_kernel.plan.meeting import Met, Statement, from_part, side_by_side, stacked
from datapilot_kernel.plan.model import Having, Order
from datapilot_kernel.plan.problems import PlanProblem
from datapilot_kernel.plan.quoting import alias, column
from datapilot_kernel.plan.scope import Context

PREVIOUS = "_previous"
PREVIOUS_FR = "_avant"


@dataclass(frozen=True)
class Result:
    """A finished statement and its columns."""

    select: exp.Select
    columns: tuple[CompiledColumn, ...]
    previous: DateRange | None = None


def aggregate(context: Context) -> Result:
    """Compile an aggregate plan."""
    return _Aggregate(context).result()


class _Aggregate:
    def __init__(self, context: Context) -> None:
        self.context = context
        self.plan = context.plan
        decomposer = Decomposer(context)
        self.items = [decomposer.item(item) for item in context.plan.measures]
        taken = {item.alias for item in context.plan.dimensions} | {item.alias for item in context.plan.measures}
        for leaf in decomposer.leaves:
            taken |= {leaf.name, leaf.name + PREVIOUS}
        for item in context.plan.measures:
            taken |= {f"{item.alias}_{part}" for part in ("previous", "difference", "growth")}
        self.axes = axes_of(context, decomposer.axes(), taken)
        self.rank, self.current = free("rang", taken), free("courant", taken)
        self.branches = split(context, decomposer.leaves) or [self._without_measures()]
        self.compared: Compared | None = None
        if self.plan.comparison is not None and self.items:
            self.compared = compared_with(context, self.plan.comparison, self.axes)
        note_unfinished(context)
        self._check_transforms()
        reserved = {entity.table.rpartition(".")[2].lower() for entity in context.layer.entities.values()}
        self._origins: dict[str, exp.Expr] = {}
        self.statement = Statement(taken=reserved | set(context.layer.entities))

    # ── shapes ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _without_measures(self) -> Branch:
        """Dimensions alone (« quelles villes… ») are those of the entity that reaches them all."""
        graph, layer = self.context.graph, self.context.layer
        wanted = list(dict.fromkeys(item.field.partition(".")[0] for item in self.plan.dimensions))
        able = [name for name in wanted if all(other in graph.distances(name) for other in wanted)]
        if not able:
            between = {
                name: sum(graph.distances(name)[other] for other in wanted)
                for name in layer.entities
                if all(other in graph.distances(name) for other in wanted)
            }
            able = [name for name in between if between[name] == min(between.values())]
        if not able:
            labels = " et ".join(f"« {layer.dimension(item.field).label} »" for item in self.plan.dimensions)
            raise PlanProblem("no_join_path", dimensions=labels)
        from datapilot_kernel.plan.branches import branch_time

        probe = Leaf("", able[0], able[0], layer.entities[able[0]].label)
        return Branch(able[0], branch_time(self.context, probe), "plain", period=self.context.period)

    def _check_transforms(self) -> None:
        for item in self.items:
            transform = item.item.transform
            label = described.measure_label(self.context.layer, item.item)
            if transform == "share" and not is_additive(self.context, item):
                raise PlanProblem("share_not_additive", measure=label)
            if transform == "running_total":
                if not any(axis.is_series for axis in self.axes):
                    raise PlanProblem("running_total_needs_time")
                semi = any(
                    branch.kind == "semi_additive" for branch in self.branches if set(branch.leaves) & set(item.leaves)
                )
                if semi or not is_additive(self.context, item):
                    raise PlanProblem("running_total_not_additive", measure=label)

    @property
    def _flat(self) -> bool:
        plan = self.plan
        return (
            len(self.branches) == 1
            and self.compared is None
            and plan.rollup is None
            and not plan.having
            and plan.limit_per is None
            and not (plan.ties and plan.limit)
            and not any(item.item.transform or item.item.hidden for item in self.items)
        )

    def result(self) -> Result:
        """Return the statement."""
        if self._flat:
            return Result(self._flat_select(), tuple(self._columns()))
        relation = self._combined()
        select = self._computed(relation)
        if self.plan.rollup is not None:
            return self._rolled_up(select)
        previous = self.compared.period if self.compared else None
        return Result(self.statement.finish(select), tuple(self._columns()), previous)

    def _flat_select(self) -> exp.Select:
        built = build(self.context, self.branches[0], self.axes)
        select = built.select
        shown = [alias(one.expression.copy(), one.name) for one in built.grouped if one.shown]
        values = [alias(substitute(item.tree.copy(), built.values), item.item.alias) for item in self.items]
        select.set("expressions", shown + values)
        group(select, built.grouped)
        hidden = {one.name: one.expression for one in built.grouped if not one.shown}
        self._origins = {cell.alias: cell.this for cell in (*shown, *values)}
        return self._ordered_and_cut(select, hidden)

    # ── branches side by side ──────────────────────────────────────────────────────────────────────────────────────

    def _group_names(self) -> list[str]:
        return [name for axis in self.axes for name in (axis.item.alias, *axis.keys)]

    def _combined(self) -> str:
        """Add the parts that compute every leaf at the plan's dimensions; return the name of the last."""
        branches = list(self.branches)
        if self.compared is not None:
            branches += [
                replace(branch, period=self.compared.period, suffix=PREVIOUS, shift=self.compared.shift)
                for branch in self.branches
            ]
        built: list[tuple[Branch, Built]] = [(branch, build(self.context, branch, self.axes)) for branch in branches]
        if len(built) == 1:
            return self.statement.part("mesures", built[0][1].finished())
        names = []
        for branch, one in built:
            finished = one.finished()
            if self._marks_current and not branch.suffix:
                finished.set("expressions", [*finished.expressions, alias(number(1), self.current)])
            names.append(self.statement.part(f"mesures_{branch.base}{PREVIOUS_FR if branch.suffix else ''}", finished))
        parts = [Met(name, tuple(one.values)) for (_, one), name in zip(built, names, strict=True)]
        if not self.axes:
            return self.statement.part("ensemble", side_by_side(parts))
        if self._marks_current:
            marked = [() if branch.suffix else (self.current,) for branch in branches]
            parts = [replace(part, values=part.values + mark) for part, mark in zip(parts, marked, strict=True)]
        zero = {
            branch.column(leaf)
            for branch in branches
            for leaf in branch.leaves
            if zero_when_absent(self.context, leaf) and not (self._marks_current and branch.suffix)
        }
        return self.statement.part("ensemble", stacked(parts, self._group_names(), zero))

    @property
    def _marks_current(self) -> bool:
        """Groups that exist only in the earlier time do not show, when there is a breakdown in time."""
        return self.compared is not None and self.compared.shift is not None

    # ── formulas, shares, comparisons ──────────────────────────────────────────────────────────────────────────────

    def _computed(self, relation: str) -> exp.Select:
        """Return the SELECT of the shown columns, ordered and cut."""
        cells: list[exp.Expr] = [column(name) for name in self._group_names()]
        for item in self.items:
            cells += self._item_cells(item)
        inner = from_part(relation, *cells)
        if self._marks_current:
            inner.where(exp.EQ(this=column(self.current), expression=number(1)), copy=False)
        shown = [column.name for column in self._columns()]
        passes = [self._passes(having) for having in self.plan.having]
        ranked = self.plan.limit is not None and (self.plan.limit_per is not None or self.plan.ties)
        if not (passes or ranked) and all(cell.alias_or_name in shown for cell in cells):
            return self._ordered_and_cut(inner, {})
        nothing_computed = all(isinstance(cell, exp.Column) for cell in cells) and not self._marks_current
        name = relation if nothing_computed else self.statement.part("calculs", inner)
        if ranked:
            name = self._ranked(name, cells, passes)
            passes = [exp.LTE(this=column(self.rank), expression=number(self.plan.limit or 0))]
        select = from_part(name, *(column(each) for each in shown))
        where = all_of(passes)
        if where is not None:
            select.where(where, copy=False)
        hidden: dict[str, exp.Expr] = {each: column(each) for each in self._group_names()}
        return self._ordered_and_cut(select, hidden, cut=not ranked)

    def _item_cells(self, item: Item) -> list[exp.Expr]:
        name = item.item.alias
        value = item.tree.copy()
        if item.item.transform is not None:
            return [alias(self._transformed(item), name)]
        cells: list[exp.Expr] = [alias(value, name) if not _is_column(value, name) else value]
        if not self._compares(item):
            return cells
        assert self.plan.comparison is not None
        then = substitute(value.copy(), {leaf.name: column(leaf.name + PREVIOUS) for leaf in item.leaves})
        difference = exp.Sub(this=paren(value.copy()), expression=paren(then.copy()))
        growth = self.context.forms.divide(exp.Paren(this=difference.copy()), exp.Abs(this=then.copy()))
        made = {"previous": then, "difference": difference, "growth": growth}
        for role in self._roles(item, hidden=True):
            cells.append(alias(made[role], f"{name}_{role}") if not _is_column(made[role], f"{name}_{role}") else made[role])
        return cells

    def _compares(self, item: Item) -> bool:
        return self.compared is not None and item.item.transform is None

    def _roles(self, item: Item, *, hidden: bool) -> list[described.Derived]:
        """Return the columns of a comparison, shown or (``hidden``) only used by an order or a condition."""
        assert self.plan.comparison is not None
        shown = {"previous" if part == "value" else part for part in self.plan.comparison.show}
        if hidden:
            shown |= {one.part for one in self.plan.order if one.by == item.item.alias}
            shown |= {one.part for one in self.plan.having if one.measure == item.item.alias}
        roles: list[described.Derived] = ["previous", "difference", "growth"]
        return [role for role in roles if role in shown]

    def _transformed(self, item: Item) -> exp.Expr:
        forms = self.context.forms
        within = [
            name for axis in self.axes if axis.item.alias == item.item.within for name in (axis.item.alias, *axis.keys)
        ]
        partition: list[exp.Expr] = [column(name) for name in within]
        if item.item.transform == "share":
            total = exp.Window(this=exp.Sum(this=item.whole.copy()), partition_by=partition)
            return forms.divide(paren(item.tree.copy()), total)
        if item.item.transform == "rank":
            lower = item.item.measure is not None and self.context.layer.measure(item.item.measure).lower_is_better
            terms = forms.ordered(item.tree.copy(), not lower)
            rank = exp.Anonymous(this="RANK", expressions=[])
            return exp.Window(this=rank, partition_by=partition, order=exp.Order(expressions=terms))
        series = [axis for axis in self.axes if axis.is_series]
        others = [name for axis in self.axes if not axis.is_series for name in (axis.item.alias, *axis.keys)]
        terms = [term for axis in series for term in forms.ordered(column(axis.item.alias), False)]
        frame = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW")
        return exp.Window(
            this=exp.Sum(this=item.tree.copy()),
            partition_by=[column(name) for name in others],
            order=exp.Order(expressions=terms),
            spec=frame,
        )

    # ── conditions, order, limit ───────────────────────────────────────────────────────────────────────────────────

    def _passes(self, having: Having) -> exp.Expr:
        cell = column(_part_name(having.measure, having.part))
        if having.op == "between":
            low, high = having.values[0], having.values[-1]
            return exp.Between(this=cell, low=number(low), high=number(high))
        return compare(having.op, cell, number(having.values[0]))

    def _orders(self) -> list[Order]:
        """Return the plan's order; the best first where only a limit is said."""
        if self.plan.order:
            return list(self.plan.order)
        visible = [item.item for item in self.items if not item.item.hidden] or [item.item for item in self.items]
        if self.plan.limit is not None and visible:
            return [Order(by=visible[0].alias)]
        return []

    def _order_terms(self, hidden: dict[str, exp.Expr], *, breaking_ties: bool = True) -> list[exp.Expr]:
        forms = self.context.forms
        terms: list[exp.Expr] = []
        used: set[str] = set()
        for order in self._orders():
            name = _part_name(order.by, order.part)
            terms += self._axis_terms(order.by, order.descending, hidden, used) or forms.ordered(
                column(name), order.descending, self._origins.get(name)
            )
        if breaking_ties:
            for axis in self.axes:
                terms += self._axis_terms(axis.item.alias, False, hidden, used)
        return terms

    def _axis_terms(self, name: str, descending: bool, hidden: dict[str, exp.Expr], used: set[str]) -> list[exp.Expr]:
        axis = next((axis for axis in self.axes if axis.item.alias == name), None)
        if axis is None or name in used:
            return []
        used.add(name)
        keys = [hidden[key].copy() for key in axis.keys if key in hidden]
        # Bins come in the order of their numbers, which says it all.
        if axis.item.bins and keys:
            return self.context.forms.ordered(keys[0], descending)
        terms = self.context.forms.ordered(column(name), descending, self._origins.get(name))
        for key in keys:
            terms += self.context.forms.ordered(key, False)
        return terms

    def _ordered_and_cut(self, select: exp.Select, hidden: dict[str, exp.Expr], *, cut: bool = True) -> exp.Select:
        terms: list[exp.Expr] = []
        if self.plan.limit_per is not None:
            terms += self._axis_terms(self.plan.limit_per, False, hidden, set())
        for term in self._order_terms(hidden):
            if term not in terms:
                terms.append(term)
        if terms:
            select.set("order", exp.Order(expressions=terms))
        if cut and self.plan.limit is not None:
            select.limit(self.plan.limit, copy=False)
        return select

    def _ranked(self, name: str, cells: Sequence[exp.Expr], passes: list[exp.Expr]) -> str:
        per = [
            column(each)
            for axis in self.axes
            if axis.item.alias == self.plan.limit_per
            for each in (axis.item.alias, *axis.keys)
        ]
        hidden: dict[str, exp.Expr] = {each: column(each) for each in self._group_names()}
        terms = self._order_terms(hidden, breaking_ties=not self.plan.ties)
        function = exp.Anonymous(this="RANK" if self.plan.ties else "ROW_NUMBER", expressions=[])
        rank = exp.Window(this=function, partition_by=per, order=exp.Order(expressions=terms))
        select = from_part(name, *(column(cell.alias_or_name) for cell in cells), alias(rank, self.rank))
        where = all_of(passes)
        if where is not None:
            select.where(where, copy=False)
        return self.statement.part("classement", select)

    # ── folding once more ──────────────────────────────────────────────────────────────────────────────────────────

    def _rolled_up(self, select: exp.Select) -> Result:
        rollup = self.plan.rollup
        assert rollup is not None
        item = next((item.item for item in self.items if item.item.alias == rollup.measure), None)
        visible = item or next((one.item for one in self.items), None)
        name = f"{rollup.function}_{visible.alias}" if visible and rollup.function != "count" else "nombre"
        if self.plan.limit is None:
            select.set("order", None)
        if item is not None and item.alias not in [cell.alias_or_name for cell in select.expressions]:
            select.set("expressions", [*select.expressions, column(item.alias)])
        described_as = described.rollup_column(self.context.layer, rollup, visible, name)
        if rollup.function == "count":
            part = self.statement.part("groupes", select)
            folded = from_part(part, alias(exp.Count(this=exp.Star()), name))
            return Result(self.statement.finish(folded), (described_as,))
        if visible is None:
            raise PlanProblem("unknown_alias", alias=rollup.measure or "")
        part = self.statement.part("groupes", select)
        if rollup.function == "median" and self.context.forms.dialect == "mysql":
            built = median_over(from_part(part, column(visible.alias)), [], visible.alias, name)
            return Result(self.statement.finish(built.finished()), (described_as,))
        cell = column(visible.alias)
        made: dict[str, exp.Expr] = {
            "sum": exp.Sum(this=cell), "avg": exp.Avg(this=cell), "min": exp.Min(this=cell), "max": exp.Max(this=cell),
        }  # fmt: skip
        value = made.get(rollup.function) or self.context.forms.median(cell)
        return Result(self.statement.finish(from_part(part, alias(value, name))), (described_as,))

    # ── what the columns mean ──────────────────────────────────────────────────────────────────────────────────────

    def _columns(self) -> list[CompiledColumn]:
        layer = self.context.layer
        found = [described.dimension_column(layer, axis.item, axis.grain) for axis in self.axes]
        for item in self.items:
            if item.item.hidden:
                continue
            found.append(described.measure_column(layer, item.item, self._made_of(item)))
            if self._compares(item):
                assert self.plan.comparison is not None
                assert self.compared is not None
                period = None if self.compared.shift or self.compared.period is None else self.compared.period.label
                kind = self.plan.comparison.kind
                for role in self._roles(item, hidden=False):
                    found.append(described.compared_column(layer, item.item, role, kind, period))
        return found

    def _made_of(self, item: Item) -> str | None:
        """Return the alias of the plain measure that a transformed one goes with."""
        if item.item.transform is None:
            return None
        same = (item.item.measure, item.item.aggregate, item.item.field, item.item.entity)
        for other in self.items:
            one = other.item
            if one.transform is None and (one.measure, one.aggregate, one.field, one.entity) == same:
                return one.alias
        return None


def _part_name(name: str, part: str) -> str:
    return name if part == "value" else f"{name}_{part}"


def _is_column(value: exp.Expr, name: str) -> bool:
    return isinstance(value, exp.Column) and value.name == name and not value.table
