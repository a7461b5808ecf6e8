"""Whether a plan speaks of what the layer has: references, joins, types, conditions. Before anything is compiled."""

from __future__ import annotations

from collections.abc import Iterable

from datapilot_kernel.plan.model import DAY_TYPES, Filter, MeasureItem, Plan, Related
from datapilot_kernel.plan.problems import PlanProblem
from datapilot_kernel.plan.values import as_date, as_number
from datapilot_kernel.semantic.model import Dimension, Layer

_ARITY = {
    "is_null": (0, 0), "not_null": (0, 0), "older_than": (0, 0), "within_last": (0, 0), "between": (2, 2),
    "in": (1, 10_000), "not_in": (1, 10_000),
}  # fmt: skip
_TEXT_ONLY = frozenset({"contains", "not_contains", "starts_with", "ends_with"})
_TIME_ONLY = frozenset({"older_than", "within_last", "day_type"})
_TIME = ("date", "timestamp")


def validate_plan(plan: Plan, layer: Layer) -> None:
    """Check a plan against a layer.

    Raises
    ------
    PlanProblem
        The first thing that is not so: ``unknown_reference``, ``unknown_join``, ``unknown_alias``, ``bad_filter``,
        ``bad_value``,
        ``not_a_date``, ``not_a_number``, ``grain_not_possible``.
    """
    if plan.entity is not None:
        _entity(plan.entity, layer)
    for measure in plan.measures:
        _measure(measure, plan, layer)
    for axis in plan.dimensions:
        dimension = _dimension(axis.field, layer)
        _joins(axis.via, layer)
        if axis.grain is not None and dimension.type not in _TIME:
            raise PlanProblem("not_a_date", label=dimension.label)
        if axis.grain == "hour_of_day" and dimension.type == "date":
            raise PlanProblem("grain_not_possible", label=dimension.label)
        if axis.bins and dimension.type != "number":
            raise PlanProblem("not_a_number", label=dimension.label)
    for column in plan.columns:
        _dimension(column.field, layer)
        _joins(column.via, layer)
    filters = [*plan.filters, *(one for group in plan.any_of for one in group)]
    filters += [one for measure in plan.measures for one in (*measure.filters, *measure.minus)]
    for one in filters:
        _filter(one, layer)
    for related in plan.related:
        _related(related, layer)
    if plan.time is not None:
        _time(plan.time, layer)
    for name in plan.ignored_defaults:
        _entity(name, layer)
    _aliases(plan)


def _aliases(plan: Plan) -> None:
    groups = {axis.alias for axis in plan.dimensions} | {column.alias for column in plan.columns}
    measures = {measure.alias for measure in plan.measures}
    wanted = [(plan.limit_per, groups), (plan.rollup.measure if plan.rollup else None, measures)]
    wanted += [(measure.within, groups) for measure in plan.measures]
    wanted += [(having.measure, measures) for having in plan.having]
    wanted += [(order.by, measures) for order in plan.order if order.part != "value"]
    for alias, known in wanted:
        if alias is not None and alias not in known:
            raise PlanProblem("unknown_alias", alias=alias)
    compared = [order.by for order in plan.order if order.part != "value"]
    compared += [having.measure for having in plan.having if having.part != "value"]
    for alias in compared:
        transformed = any(measure.alias == alias and measure.transform for measure in plan.measures)
        if plan.comparison is None or transformed:
            raise PlanProblem("unknown_alias", alias=alias)


def _entity(name: str, layer: Layer) -> None:
    if name not in layer.entities:
        raise PlanProblem("unknown_reference", ref=name)


def _dimension(ref: str, layer: Layer) -> Dimension:
    try:
        return layer.dimension(ref)
    except KeyError:
        raise PlanProblem("unknown_reference", ref=ref) from None


def _time(ref: str, layer: Layer) -> None:
    dimension = _dimension(ref, layer)
    if dimension.type not in _TIME:
        raise PlanProblem("not_a_date", label=dimension.label)


def _joins(names: Iterable[str], layer: Layer) -> None:
    for name in names:
        if name not in layer.joins:
            raise PlanProblem("unknown_join", name=name)


def _measure(item: MeasureItem, plan: Plan, layer: Layer) -> None:
    if item.measure is not None:
        try:
            layer.measure(item.measure)
        except KeyError:
            raise PlanProblem("unknown_reference", ref=item.measure) from None
    if item.entity is not None:
        _entity(item.entity, layer)
        if item.aggregate not in ("count", "count_distinct"):
            raise PlanProblem("not_a_number", label=layer.entities[item.entity].label)
    if item.field is not None:
        dimension = _dimension(item.field, layer)
        if item.aggregate in ("sum", "avg", "median") and dimension.type != "number":
            raise PlanProblem("not_a_number", label=dimension.label)


def _related(related: Related, layer: Layer) -> None:
    _entity(related.entity, layer)
    _joins(related.via, layer)
    if related.of is not None:
        _entity(related.of, layer)
    if related.time is not None:
        _time(related.time, layer)
    for one in related.filters:
        _filter(one, layer)


def _filter(one: Filter, layer: Layer) -> None:
    dimension = _dimension(one.field, layer)
    _joins(one.via, layer)
    low, high = _ARITY.get(one.op, (1, 1))
    if not low <= len(one.values) <= high:
        raise PlanProblem("bad_filter", label=dimension.label)
    if one.op in ("older_than", "within_last") and one.span is None:
        raise PlanProblem("bad_filter", label=dimension.label)
    if one.op in _TIME_ONLY and dimension.type not in _TIME:
        raise PlanProblem("not_a_date", label=dimension.label)
    if one.op == "day_type":
        if one.values[0] not in DAY_TYPES:
            raise PlanProblem("bad_value", value=one.values[0], label=dimension.label)
        return
    if one.op in _TEXT_ONLY:
        if dimension.type != "text":
            raise PlanProblem("bad_filter", label=dimension.label)
        return
    for value in one.values:
        if dimension.type == "number":
            as_number(value, dimension)
        elif dimension.type in _TIME:
            as_date(value, dimension)
