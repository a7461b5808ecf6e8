"""Measures taken apart: what is aggregated (leaves, each over the rows of one entity), and the arithmetic after it.

A leaf is either a measure's ``expression`` or an ad-hoc aggregate. It is computed over the rows of its *base* entity.
The base moves in two cases, and in no other, so nothing is ever multiplied:

- the measure names a ``finer`` one (the lines' amount, for the orders'), and a dimension or filter can be reached from
  there only;
- rows or distinct values are counted, and a dimension lies beyond the entity (« nombre de clients par produit »): they
  are counted once per group across the nearest rows that reach both, which the notes say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from datapilot_kernel.plan.dialects import paren
from datapilot_kernel.plan.events import time_of
from datapilot_kernel.plan.fragments import formula, mend, parse, substitute
from datapilot_kernel.plan.model import Filter, MeasureItem
from datapilot_kernel.plan.problems import AmbiguousPath, PathChoice, PlanProblem
from datapilot_kernel.plan.quoting import column
from datapilot_kernel.plan.scope import Context
from datapilot_kernel.semantic.model import Measure

_MAX_DEPTH = 16


@dataclass(frozen=True)
class Leaf:
    """One aggregate over the rows of ``base``.

    ``owner`` is the entity whose columns it speaks of (another than ``base`` when it is counted across). ``measure`` is a
    reference of the layer, or None and ``aggregate`` over ``field`` (None: rows of ``owner``).
    """

    name: str
    owner: str
    base: str
    label: str
    measure: str | None = None
    aggregate: str | None = None
    field: str | None = None
    filters: tuple[Filter, ...] = ()

    def same_as(self, other: Leaf) -> bool:
        """Tell whether both are one and the same column."""
        return replace(self, name="", label="") == replace(other, name="", label="")


@dataclass
class Item:
    """A measure of the plan: arithmetic (``tree``) over columns named as leaves; ``whole`` the same without its own filters.

    ``whole`` is what a share is a share of; it is ``tree`` itself when the item has no filters.
    """

    item: MeasureItem
    tree: exp.Expr
    whole: exp.Expr
    leaves: list[Leaf]


class Decomposer:
    """Takes the measures of a plan apart; equal leaves become one column."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.leaves: list[Leaf] = []
        self._taken = {item.alias for item in context.plan.dimensions}

    def item(self, item: MeasureItem) -> Item:
        """Take one measure of the plan apart."""
        tree, leaves = self._tree(item, item.filters)
        if item.minus:
            other, more = self._tree(item, item.minus)
            tree, leaves = exp.Sub(this=paren(tree), expression=paren(other)), leaves + more
        whole = tree
        if item.transform == "share" and item.filters:
            whole, more = self._tree(item, ())
            leaves = leaves + more
        return Item(item, tree, whole, leaves)

    def _tree(self, item: MeasureItem, filters: tuple[Filter, ...]) -> tuple[exp.Expr, list[Leaf]]:
        label = label_of(self.context, item)
        if item.measure is not None:
            wish = item.alias if item.transform is None else item.measure.partition(".")[2]
            return self._measure(item.measure, filters, wish, label, 0)
        assert item.aggregate is not None
        owner = item.entity or (item.field or "").partition(".")[0]
        leaf = Leaf(item.alias, owner, owner, label, aggregate=item.aggregate, field=item.field, filters=filters)
        return self._leaf(leaf)

    def _measure(
        self, ref: str, filters: tuple[Filter, ...], wish: str, label: str, depth: int
    ) -> tuple[exp.Expr, list[Leaf]]:
        layer = self.context.layer
        measure = self._finer(ref, filters)
        if measure != ref:
            return self._measure(measure, filters, wish, label, depth)
        entity = ref.partition(".")[0]
        found = layer.measure(ref)
        if found.formula is None:
            return self._leaf(Leaf(wish, entity, entity, found.label, measure=ref, filters=filters))
        if depth > _MAX_DEPTH:
            raise PlanProblem("formula_cycle", measure=label)
        tree, measures = formula(found.formula, layer.sql_dialect, entity, found.label)
        values: dict[str, exp.Expr] = {}
        leaves: list[Leaf] = []
        for placeholder, part in measures.items():
            part_entity, _, part_name = part.partition(".")
            known = layer.entities.get(part_entity)
            if known is None or part_name not in known.measures:
                raise PlanProblem("unknown_reference", ref=part)
            value, more = self._measure(part, filters, part_name, known.measures[part_name].label, depth + 1)
            values[placeholder] = value
            leaves += more
        root = exp.Paren(this=substitute(tree, values))
        mend(root, self.context.forms)
        inner: exp.Expr = root.this
        inner.pop()
        return inner, leaves

    def _leaf(self, leaf: Leaf) -> tuple[exp.Expr, list[Leaf]]:
        leaf = self._based(leaf)
        for known in self.leaves:
            if known.same_as(leaf):
                return column(known.name), [known]
        names = {known.name for known in self.leaves} | self._taken
        wish, number = leaf.name, 2
        while leaf.name in names:
            leaf = replace(leaf, name=f"{wish}_{number}")
            number += 1
        self.leaves.append(leaf)
        return column(leaf.name), [leaf]

    # ── the base ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _wanted(self, filters: tuple[Filter, ...]) -> list[str]:
        """Return the dimensions that rows must reach for a ``finer`` measure not to be taken."""
        plan = self.context.plan
        return [item.field for item in plan.dimensions] + [one.field for one in (*plan.filters, *filters)]

    def _unreached(self, entity: str, refs: list[str]) -> list[str]:
        reached = self.context.graph.distances(entity)
        return [ref for ref in refs if ref.partition(".")[0] not in reached]

    def _finer(self, ref: str, filters: tuple[Filter, ...]) -> str:
        wanted = self._wanted(filters)
        entity = ref.partition(".")[0]
        measure = self.context.layer.measure(ref)
        missing = [one for one in self._unreached(entity, wanted) if not self._is_axis(one, entity, measure)]
        seen = {ref}
        while missing and measure.finer is not None and measure.finer not in seen:
            finer = measure.finer
            seen.add(finer)
            if not self._unreached(finer.partition(".")[0], missing):
                return finer
            measure = self.context.layer.measure(finer)
        return ref

    def _is_axis(self, ref: str, entity: str, measure: Measure) -> bool:
        is_time = self.context.layer.dimension(ref).type in ("date", "timestamp")
        return is_time and (measure.time is not None or time_of(self.context, entity) is not None) and ref in self.axes()

    def axes(self) -> set[str]:
        """Return the time dimensions that stand for *time itself*: each measure is then dated by its own.

        Those are the plan's ``time`` and the default time of any measure in it.
        """
        context = self.context
        found = {context.plan.time} if context.plan.time else set()
        queue = [item.measure for item in context.plan.measures if item.measure]
        for item in context.plan.measures:
            owner = item.entity or (item.field or "").partition(".")[0]
            if owner and (time := time_of(context, owner)):
                found.add(time)
        seen: set[str] = set()
        while queue:
            ref = queue.pop()
            if ref in seen:
                continue
            seen.add(ref)
            entity, _, name = ref.partition(".")
            if entity not in context.layer.entities or name not in context.layer.entities[entity].measures:
                continue
            measure = context.layer.measure(ref)
            if measure.formula is not None:
                _, parts = formula(measure.formula, context.layer.sql_dialect, entity, measure.label)
                queue += parts.values()
            elif time := default_time(context, ref, entity):
                found.add(time)
        return found

    def _based(self, leaf: Leaf) -> Leaf:
        """Move what is counted to the rows that reach all dimensions, when its own entity does not."""
        context = self.context
        refs = [item.field for item in context.plan.dimensions]
        if context.plan.time is not None and (context.period or context.plan.dimensions):
            refs.append(context.plan.time)
        time = default_time(context, leaf.measure, leaf.owner)
        axes = self.axes()
        missing = [ref for ref in self._unreached(leaf.owner, refs) if not (time is not None and ref in axes)]
        if not missing or not self._countable(leaf):
            return leaf
        between = {
            other: sum(context.graph.distances(other)[ref.partition(".")[0]] for ref in [*missing, leaf.owner])
            for other in context.layer.entities
            if other != leaf.owner and not self._unreached(other, [*missing, leaf.owner])
        }
        if not between:
            return leaf
        nearest = [other for other in between if between[other] == min(between.values())]
        # What another measure counts already, then what the dimension itself belongs to.
        used = {item.measure.partition(".")[0] for item in context.plan.measures if item.measure} - {leaf.owner}
        own = {ref.partition(".")[0] for ref in missing}
        for wished in (used, own):
            nearest = [other for other in nearest if other in wished] or nearest
        if len(nearest) > 1:
            layer = context.layer
            ways = [context.graph.best(other, leaf.owner, ref=leaf.owner, label=leaf.label) for other in nearest]
            choices = tuple(PathChoice(w.joins, layer.entities[w.from_entity].label) for w in ways if w is not None)
            raise AmbiguousPath(nearest[0], leaf.owner, choices, ref=leaf.owner, label=leaf.label)
        fact = context.layer.entities[nearest[0]]
        owner = context.layer.entities[leaf.owner]
        context.note("counted_through", entity=owner.plural or owner.label, fact=fact.plural or fact.label)
        return replace(leaf, base=nearest[0])

    def _countable(self, leaf: Leaf) -> bool:
        if leaf.aggregate in ("count_distinct",) or (leaf.aggregate == "count" and leaf.field is None):
            return True
        return leaf.measure is not None and counts_rows(self.context, leaf.measure)


def counts_rows(context: Context, ref: str) -> bool:
    """Tell whether a measure counts the rows of its entity, and nothing else (not « nouveaux clients », dated apart)."""
    measure = context.layer.measure(ref)
    if measure.expression is None or measure.filter is not None or measure.time is not None:
        return False
    tree = parse(measure.expression, context.layer.sql_dialect, measure.label)
    if not isinstance(tree, exp.Count):
        return False
    inside = tree.this
    if isinstance(inside, exp.Distinct):
        inside = inside.expressions[0] if len(inside.expressions) == 1 else None
    key = context.layer.entities[ref.partition(".")[0]].key
    is_key = isinstance(inside, exp.Column) and len(key) == 1 and inside.name.lower() == key[0].lower()
    return is_key or isinstance(inside, exp.Star | exp.Literal)


def default_time(context: Context, measure: str | None, entity: str) -> str | None:
    """Return the time dimension that dates a measure: its own, else its entity's."""
    if measure is not None:
        own = context.layer.measure(measure).time
        if own is not None:
            return f"{measure.partition('.')[0]}.{own}"
    return time_of(context, entity)


def label_of(context: Context, item: MeasureItem) -> str:
    """Return what a measure of the plan is called."""
    from datapilot_kernel.plan.columns import measure_label

    return measure_label(context.layer, item)
