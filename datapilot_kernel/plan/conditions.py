"""Filters as conditions over some rows.

A filter on a dimension that the rows reach (many to one) compares; on one that lies on the many side it becomes an
EXISTS over the rows in between, so nothing is counted twice: « commandes contenant le produit X ». Several positive
filters of one many side speak of the same row of it (« le produit X, en plus de 5 exemplaires »). A negative one says
that no such row exists. ``related`` conditions are made here too.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

from sqlglot import exp

from datapilot_kernel.plan.compiled import DateRange
from datapilot_kernel.plan.dialects import number
from datapilot_kernel.plan.events import default_conditions, time_of
from datapilot_kernel.plan.holidays import holidays
from datapilot_kernel.plan.model import Filter, Operator, Related
from datapilot_kernel.plan.paths import Path
from datapilot_kernel.plan.periods import add_units, resolve
from datapilot_kernel.plan.problems import PlanProblem
from datapilot_kernel.plan.quoting import alias, column, identifier
from datapilot_kernel.plan.scope import Context, Field, Rows
from datapilot_kernel.plan.values import literal, moment, span

_POSITIVE: dict[Operator, Operator] = {
    "ne": "eq", "not_in": "in", "not_contains": "contains", "is_null": "not_null",
}  # fmt: skip
_COMPARE: dict[str, type[exp.Binary]] = {
    "eq": exp.EQ, "ne": exp.NEQ, "lt": exp.LT, "le": exp.LTE, "gt": exp.GT, "ge": exp.GTE,
}  # fmt: skip
_PASSES: dict[str, Callable[[int, int], bool]] = {
    "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge, "eq": operator.eq, "ne": operator.ne,
}  # fmt: skip
_OPPOSITE = {"lt": "ge", "le": "gt", "gt": "le", "ge": "lt", "eq": "ne", "ne": "eq"}
_WIDE_YEARS = (1990, 2050)
"""Where a filter on holidays has no period: the years whose moving holidays are listed."""


def compare(op: str, left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Return ``left op right``."""
    return _COMPARE[op](this=left, expression=right)


def is_null(expression: exp.Expr) -> exp.Expr:
    """Return ``expression IS NULL``."""
    return exp.Is(this=expression.copy(), expression=exp.null())


def all_of(conditions: Iterable[exp.Expr]) -> exp.Expr | None:
    """Return the conditions joined by AND; None when there are none."""
    parts = [_grouped(condition) for condition in conditions]
    return exp.and_(*parts, copy=False, wrap=False) if parts else None


def one_of(conditions: Iterable[exp.Expr]) -> exp.Expr:
    """Return the conditions joined by OR, in parentheses when there are several."""
    parts = [exp.Paren(this=c) if isinstance(c, exp.And) else c for c in conditions]
    joined = exp.or_(*parts, copy=False, wrap=False)
    return exp.Paren(this=joined) if len(parts) > 1 else joined


def _grouped(condition: exp.Expr) -> exp.Expr:
    return exp.Paren(this=condition) if isinstance(condition, exp.Or) else condition


# ── all conditions of some rows ────────────────────────────────────────────────────────────────────────────────────────


def plan_conditions(rows: Rows) -> list[exp.Expr]:
    """Return what limits every measure or list over these rows, but for default filters and period: filters, related."""
    plan = rows.context.plan
    found = filter_conditions(rows, plan.filters)
    for group in plan.any_of:
        if group:
            found.append(one_of(holds(rows, one) for one in group))
    found += [related_condition(rows, related) for related in plan.related]
    return found


def filter_conditions(rows: Rows, filters: Sequence[Filter]) -> list[exp.Expr]:
    """Return the conditions of filters that all hold."""
    found: list[exp.Expr] = []
    many_side: dict[tuple[str, tuple[str, ...]], tuple[Path, list[Filter]]] = {}
    for one in filters:
        field = rows.field(one.field, one.via)
        if field is not None:
            found.append(field_condition(rows.context, field, one))
            continue
        way = way_back(rows.context, rows.entity, one.field, one.via)
        if one.op in _POSITIVE:
            found.append(_semi_join(rows, way, [one.model_copy(update={"op": _POSITIVE[one.op]})], negated=True))
        else:
            many_side.setdefault((way.from_entity, way.joins), (way, []))[1].append(one)
    found += [_semi_join(rows, way, together) for way, together in many_side.values()]
    return found


def holds(rows: Rows, one: Filter) -> exp.Expr:
    """Return the condition of one filter."""
    condition = all_of(filter_conditions(rows, [one]))
    assert condition is not None
    return condition


def period_condition(rows: Rows, ref: str, period: DateRange, via: tuple[str, ...] = ()) -> list[exp.Expr]:
    """Return the conditions that keep the rows of a period."""
    field = rows.field(ref, via)
    if field is None:
        label = rows.context.layer.entities[rows.entity].label
        raise PlanProblem("filter_not_reachable", entity=label, dimension=rows.context.layer.dimension(ref).label)
    forms, zoned = rows.context.forms, field.dimension.zoned
    found: list[exp.Expr] = []
    if period.start is not None:
        found.append(exp.GTE(this=field.expression.copy(), expression=forms.day(period.start, zoned)))
    if period.end is not None:
        found.append(exp.LT(this=field.expression.copy(), expression=forms.day(period.end, zoned)))
    return found


# ── one filter on a dimension in reach ─────────────────────────────────────────────────────────────────────────────────


def field_condition(context: Context, field: Field, one: Filter) -> exp.Expr:
    """Return the condition of a filter on a dimension in reach."""
    expression, op = field.expression, one.op
    if op == "is_null":
        return is_null(expression)
    if op == "not_null":
        return exp.Not(this=is_null(expression))
    if op in ("older_than", "within_last"):
        return _span_condition(context, field, one)
    if op == "day_type":
        return _day_type(context, field, one)
    if op in ("contains", "not_contains", "starts_with", "ends_with"):
        text = context.forms.like(expression.copy(), str(one.values[0]), before=op != "starts_with", after=op != "ends_with")
        return text if op != "not_contains" else one_of([exp.Not(this=text), is_null(expression)])
    if field.is_time:
        return _time_condition(context, field, one)
    values = [literal(value, field.dimension, context.forms) for value in one.values]
    if op == "between":
        return exp.Between(this=expression.copy(), low=values[0], high=values[1])
    if op in ("in", "not_in") and len(values) > 1:
        member = exp.In(this=expression.copy(), expressions=values)
        return member if op == "in" else one_of([exp.Not(this=member), is_null(expression)])
    name = {"in": "eq", "not_in": "ne"}.get(op, op)
    condition = compare(name, expression.copy(), values[0])
    return one_of([condition, is_null(expression)]) if name == "ne" else condition


def _time_condition(context: Context, field: Field, one: Filter) -> exp.Expr:
    """Compare a date or timestamp with days: a day is a whole day, also of a timestamp."""
    dimension, forms = field.dimension, context.forms

    def bound(op: str, value: date) -> exp.Expr:
        return compare(op, field.expression.copy(), moment(value, dimension, forms))

    def is_on(start: date, end: date) -> exp.Expr:
        if dimension.type == "date" or start == end:
            return bound("eq", start)
        return exp.and_(bound("ge", start), bound("lt", end), copy=False)

    spans = [span(value, dimension) for value in one.values]
    start, end = spans[0]
    match one.op:
        case "eq" | "in":
            return one_of(is_on(*each) for each in spans)
        case "ne" | "not_in":
            on = one_of(is_on(*each) for each in spans)
            return one_of([exp.Not(this=exp.Paren(this=on.unnest())), is_null(field.expression)])
        case "lt" | "ge":
            return bound(one.op, start)
        case "le" | "gt":
            exact = start == end
            return bound(one.op, end) if exact else bound("lt" if one.op == "le" else "ge", end)
        case _:
            # Both days included: up to the end of the last one (of a moment, that moment).
            inside = bound("le" if spans[-1][0] == spans[-1][1] else "lt", spans[-1][1])
            return exp.and_(bound("ge", start), inside, copy=False)


def _span_condition(context: Context, field: Field, one: Filter) -> exp.Expr:
    """« De plus de 30 jours »: before today less 30 days. « Depuis 30 jours »: from that day to today."""
    if one.span is None or not field.is_time:
        raise PlanProblem("bad_filter", label=field.dimension.label)
    edge = add_units(context.today, one.span.unit, -one.span.count)
    start = moment(edge, field.dimension, context.forms)
    if one.op == "older_than":
        return exp.LT(this=field.expression.copy(), expression=start)
    end = moment(context.today + timedelta(days=1), field.dimension, context.forms)
    return exp.and_(
        exp.GTE(this=field.expression.copy(), expression=start),
        exp.LT(this=field.expression.copy(), expression=end),
        copy=False,
    )


_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _day_type(context: Context, field: Field, one: Filter) -> exp.Expr:
    forms, calendar, kind = context.forms, context.layer.calendar, one.values[0]
    local = forms.local(field.expression.copy(), field.dimension.zoned)
    weekday = forms.bucket(local, "day_of_week")
    if kind == "weekend":
        return exp.GTE(this=weekday, expression=number(6))
    if kind == "not_weekend":
        return exp.LTE(this=weekday, expression=number(5))
    if kind in _WEEKDAYS:
        return exp.EQ(this=weekday, expression=number(_WEEKDAYS.index(str(kind)) + 1))
    listed = _holidays_in(context, one.field)
    days = [forms.day(day) for day in listed]
    holiday: exp.Expr = exp.In(this=forms.bucket(local.copy(), "day"), expressions=days) if days else exp.false()
    if kind == "holiday":
        return holiday
    worked = exp.LTE(this=weekday, expression=number(6 if calendar.worked_saturday else 5))
    return exp.and_(worked, exp.Not(this=holiday), copy=False) if days else worked


def _holidays_in(context: Context, ref: str) -> list[date]:
    """Return the holidays that a filter must list: those of the period, when it limits this very date."""
    region, period, plan = context.layer.calendar.holidays, context.period, context.plan
    first, last = date(_WIDE_YEARS[0], 1, 1), date(_WIDE_YEARS[1], 12, 31)
    limited = plan.time == ref or (plan.time is None and time_of(context, ref.partition(".")[0]) == ref)
    if period is not None and limited and plan.comparison is None:
        first, last = period.start or first, period.end or last
    years = range(first.year, last.year + 1)
    return [day for year in years for day in holidays(year, region) if first <= day <= last]


# ── the many side ──────────────────────────────────────────────────────────────────────────────────────────────────────


def way_back(context: Context, entity: str, ref: str, via: tuple[str, ...] = ()) -> Path:
    """Return the way to ``entity`` from the rows in between it and a dimension on the many side.

    Those rows (an order's lines, between orders and the products filtered by) reach both; the nearest ones are meant.

    Raises
    ------
    PlanProblem
        ``filter_not_reachable``: nothing lies in between.
    AmbiguousPath
        Several do, equally near.
    """
    graph, layer = context.graph, context.layer
    target = ref.partition(".")[0]
    label = layer.dimension(ref).label if "." in ref else layer.entities[target].label
    between: dict[str, int] = {}
    for other in layer.entities:
        reached = graph.distances(other)
        if other != entity and entity in reached and target in reached:
            between[other] = reached[entity] + reached[target]
    if via:
        through = {
            other for other in between
            if all(graph.relevant_via(other, entity, (name,)) or graph.relevant_via(other, target, (name,)) for name in via)
        }  # fmt: skip
        between = {other: distance for other, distance in between.items() if other in through} or between
    if not between:
        raise PlanProblem("filter_not_reachable", entity=layer.entities[entity].label, dimension=label)
    nearest = [other for other, distance in between.items() if distance == min(between.values())]
    nearest = [target] if target in nearest else nearest
    if len(nearest) > 1:
        ways = [graph.best(other, entity, via, ref=ref, label=label) for other in nearest]
        raise_between(context, [way for way in ways if way is not None], ref, label)
    way = graph.best(nearest[0], entity, via, ref=ref, label=label)
    assert way is not None
    return way


def raise_between(context: Context, ways: list[Path], ref: str, label: str) -> None:
    """Ask which rows in between are meant."""
    from datapilot_kernel.plan.problems import AmbiguousPath, PathChoice

    choices = tuple(PathChoice(way.joins, context.layer.entities[way.from_entity].label) for way in ways)
    raise AmbiguousPath(ways[0].from_entity, ways[0].to_entity, choices, ref=ref, label=label)


def _semi_join(rows: Rows, way: Path, filters: Sequence[Filter], *, negated: bool = False) -> exp.Expr:
    def conditions(inner: Rows) -> list[exp.Expr]:
        found = default_conditions(inner, already=rows.entity)
        for one in filters:
            field = inner.field(one.field, one.via)
            assert field is not None
            found.append(field_condition(rows.context, field, one))
        return found

    exists = _exists(rows, rows.alias, way, conditions)
    return exp.Not(this=exists) if negated else exists


def _exists(rows: Rows, outer: str, way: Path, conditions: Callable[[Rows], list[exp.Expr]]) -> exp.Expr:
    """Return EXISTS over the rows that lead to the one under the alias ``outer``."""
    inner, ties = _leading_to(rows, way, outer)
    where = all_of([*ties, *conditions(inner)])
    return exp.Exists(this=inner.select(number(1)).where(where, copy=False))


def _leading_to(rows: Rows, way: Path, outer: str) -> tuple[Rows, list[exp.Expr]]:
    inner = Rows(rows.context, way.from_entity, rows.names)
    last = way.steps[-1]
    left = inner.reach(Path(way.from_entity, way.steps[:-1]))
    ties: list[exp.Expr] = [
        exp.EQ(this=column(many, left), expression=column(one, outer))
        for many, one in zip(last.from_columns, last.to_columns, strict=True)
    ]
    return inner, ties


def related_condition(rows: Rows, related: Related) -> exp.Expr:
    """Return the condition that the row has (or has not) so many related rows."""
    context = rows.context
    outer, way = _related_way(rows, related)

    def conditions(inner: Rows) -> list[exp.Expr]:
        already = rows.entity if outer == rows.alias else None
        found = default_conditions(inner, already=already) + filter_conditions(inner, related.filters)
        if related.period is not None:
            time = related.time or time_of(context, related.entity)
            if time is None:
                raise PlanProblem("time_missing", label=context.layer.entities[related.entity].label)
            period = resolve(related.period, today=context.today, calendar=context.layer.calendar)
            found += period_condition(inner, time, period)
        return found

    op, value = related.op, related.value
    if (op, value) in (("ge", 1), ("gt", 0)):
        found = _exists(rows, outer, way, conditions)
        return exp.Not(this=found) if related.negated else found
    if related.negated:
        return _counted(rows, outer, way, conditions, _OPPOSITE[op], value)
    return _counted(rows, outer, way, conditions, op, value)


def _counted(
    rows: Rows, outer: str, way: Path, conditions: Callable[[Rows], list[exp.Expr]], op: str, value: int
) -> exp.Expr:
    """Compare the number of related rows; who has none counts 0.

    Counted once for all in a grouped subquery, not for each row: PostgreSQL and MySQL make a hash join of that.
    """
    zero_passes = _PASSES[op](0, value)
    inner, ties = _leading_to(rows, way, outer)
    keys = [tie.this for tie in ties]
    counts = rows.names.take(f"nb_{way.from_entity}")
    names = [f"cle_{position}" if len(keys) > 1 else "cle" for position in range(1, len(keys) + 1)]
    grouped = inner.select(*(alias(key.copy(), name) for key, name in zip(keys, names, strict=True)))
    grouped = _with_where(grouped, conditions(inner), inner)
    grouped.set("group", exp.Group(expressions=[key.copy() for key in keys]))
    effective = _OPPOSITE[op] if zero_passes else op
    having = compare(effective, exp.Count(this=exp.Star()), number(value))
    grouped.set("having", exp.Having(this=having))
    source = exp.Subquery(this=grouped, alias=exp.TableAlias(this=identifier(counts)))
    select = exp.Select(expressions=[number(1)])
    select.set("from_", exp.From(this=source))
    same = [
        exp.EQ(this=column(name, counts), expression=tie.expression.copy()) for name, tie in zip(names, ties, strict=True)
    ]
    exists = exp.Exists(this=select.where(all_of(same), copy=False))
    return exp.Not(this=exists) if zero_passes else exists


def _with_where(select: exp.Select, conditions: list[exp.Expr], rows: Rows) -> exp.Select:
    # The conditions may have joined more: take the FROM clause again.
    fresh = rows.select(*select.expressions)
    where = all_of(conditions)
    return fresh.where(where, copy=False) if where is not None else fresh


def _related_way(rows: Rows, related: Related) -> tuple[str, Path]:
    """Return the alias of the row that the related ones point at, and their way to it.

    It is what the plan says (``of``), or the listed or counted row itself, else a row it is grouped by, else the nearest
    one that both point at.
    """
    context = rows.context
    graph, layer = context.graph, context.layer
    pointing = graph.distances(related.entity)
    label = layer.entities[related.entity].label
    grouped = [item.field.partition(".")[0] for item in context.plan.dimensions]
    here = graph.distances(rows.entity)
    if related.of is not None:
        candidates = [related.of] if related.of in here else []
    else:
        candidates = [rows.entity, *(entity for entity in grouped if entity in here)]
        candidates += [entity for entity in here if entity not in candidates]
    for entity in candidates:
        if entity not in pointing or entity == related.entity:
            continue
        way = graph.best(related.entity, entity, related.via, ref=related.entity, label=label)
        path = rows.path(entity)
        assert way is not None
        assert path is not None
        return rows.reach(path), way
    if related.entity == rows.entity:
        own = [path for ways in graph.paths(related.entity, related.entity, related.via) for path in ways if path.steps]
        if own:
            return rows.alias, own[0]
    raise PlanProblem("related_not_reachable", related=label, entity=layer.entities[rows.entity].label)
