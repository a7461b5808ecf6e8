"""« Ce que j'ai compris »: the plan, part by part, each with the JSON pointer that edits it.

Derived from the plan that ran and nothing else, so it cannot say what was not done. Default filters are shown like others:
a person must see that cancelled orders are left out, and be able to put them back.
"""

from __future__ import annotations

from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.answers.grammar import lower_first, upper_first
from datapilot_kernel.answers.model import ReadingPart
from datapilot_kernel.answers.wording import (
    decimal_text,
    describe_filter,
    describe_period,
    dimension_label,
    entity_label,
    find_dimension,
    grain_label,
    listed,
    measure_label,
    say,
    way_label,
)
from datapilot_kernel.plan.compiled import Compiled, DateRange
from datapilot_kernel.plan.model import Filter, MeasureItem, Plan, Related
from datapilot_kernel.plan.paths import JoinGraph
from datapilot_kernel.semantic.model import Format, Layer


def read_plan(plan: Plan, layer: Layer | None, compiled: Compiled | None, formatter: Formatter) -> tuple[ReadingPart, ...]:
    """Return the parts of a plan, in the order people read them: what, by what, which ones, when, how shown."""
    reader = _Reader(plan, layer, compiled, formatter)
    return tuple(reader.parts())


class _Reader:
    def __init__(self, plan: Plan, layer: Layer | None, compiled: Compiled | None, formatter: Formatter) -> None:
        self.plan, self.layer, self.compiled, self.formatter = plan, layer, compiled, formatter

    def say(self, key: str, /, **values: object) -> str:
        return say(self.formatter, f"reading.{key}", **values)

    def part(self, path: str, kind: str, label: str, value: str, *, editable: bool = True) -> ReadingPart:
        return ReadingPart(path, kind, self.say(f"label.{label}"), value, editable)  # type: ignore[arg-type]  # closed below

    def parts(self) -> list[ReadingPart]:
        plan = self.plan
        found: list[ReadingPart] = []
        if plan.kind == "rows" and plan.entity is not None:
            key = "distinct" if plan.distinct else "list"
            found.append(
                self.part("/entity", "table", key, upper_first(entity_label(plan.entity, self.layer)), editable=False)
            )
            if plan.columns:
                names = [c.label or lower_first(dimension_label(c.field, self.layer)) for c in plan.columns]
                found.append(self.part("/columns", "column", "columns", listed(names, self.formatter, most=8)))
        for i, item in enumerate(plan.measures):
            if not item.hidden:
                found.append(self.part(f"/measures/{i}", "measure", "measure", self._measure(item)))
        for i, dimension in enumerate(plan.dimensions):
            value = grain_label(dimension, self.layer, self.formatter)
            found.append(self.part(f"/dimensions/{i}", "dimension", "dimension", upper_first(value)))
        for i, condition in enumerate(plan.filters):
            label = way_label(dimension_label(condition.field, self.layer), condition.via, self.layer)
            value = describe_filter(condition, self.layer, self.formatter, labelled=True)
            found.append(ReadingPart(f"/filters/{i}", "filter", upper_first(label), value))
        for i, group in enumerate(plan.any_of):
            either = listed([self._whole_filter(f) for f in group], self.formatter, last="or")
            found.append(self.part(f"/any_of/{i}", "filter", "any_of", either))
        for i, related in enumerate(plan.related):
            found.append(self.part(f"/related/{i}", "related", "related", self._related(related)))
        found += self._having()
        found += self._times()
        found += self._shown()
        found += self._defaults()
        return found

    # ── what ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _measure(self, item: MeasureItem) -> str:
        value = upper_first(measure_label(item, self.layer, self.formatter))
        if item.transform:
            value = self.say(f"transform.{item.transform}", name=value)
        if item.filters and not item.minus:  # the label of a difference names both parts
            value += f" ({listed([self._whole_filter(f) for f in item.filters], self.formatter)})"
        return value

    def _whole_filter(self, condition: Filter) -> str:
        label = lower_first(way_label(dimension_label(condition.field, self.layer), condition.via, self.layer))
        key = "condition_state" if condition.op in ("is_null", "not_null") else "condition"
        return self.say(key, label=label, value=describe_filter(condition, self.layer, self.formatter))

    def _related(self, related: Related) -> str:
        name = entity_label(related.entity, self.layer)
        if related.negated:
            said = self.say("without", name=name)
        elif related.op == "ge" and related.value == 1:
            said = self.say("with", name=name)
        else:
            said = self.say("with_count", name=name, op=self.say(f"sign.{related.op}"), count=related.value)
        details = [self._whole_filter(f) for f in related.filters]
        if related.period is not None:
            details.append(describe_period(related.period, self.formatter))
        return said + (f" ({listed(details, self.formatter)})" if details else "")

    def _having(self) -> list[ReadingPart]:
        found = []
        for i, condition in enumerate(self.plan.having):
            item = next((m for m in self.plan.measures if m.alias == condition.measure), None)
            label = measure_label(item, self.layer, self.formatter) if item else condition.measure
            kept_format = self._format_of(condition.measure)
            if condition.part != "value":
                label = self.say(f"part.{condition.part}", name=lower_first(label))
                kept_format = Format(kind="percent") if condition.part == "growth" else kept_format
            shown = [decimal_text(v, kept_format, self.formatter) for v in condition.values]
            if condition.op == "between" and len(shown) == 2:
                value = self.say("op.between", low=shown[0], high=shown[1])
            else:
                value = f"{self.say(f'sign.{condition.op}')} {shown[0]}"
            found.append(ReadingPart(f"/having/{i}", "having", upper_first(label), value))
        return found

    def _format_of(self, alias: str) -> Format | None:
        for column in self.compiled.columns if self.compiled else ():
            if column.name == alias:
                return column.format
        item = next((m for m in self.plan.measures if m.alias == alias), None)
        if item is None or item.measure is None or self.layer is None:
            return Format(kind="integer") if item and item.aggregate in ("count", "count_distinct") else None
        owner, _, name = item.measure.partition(".")
        entity = self.layer.entities.get(owner)
        measure = entity.measures.get(name) if entity else None
        return measure.format if measure else None

    # ── when ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _times(self) -> list[ReadingPart]:
        found = []
        plan = self.plan
        if plan.period is not None:
            resolved = self.compiled.period if self.compiled else None
            value = self._range(resolved) if resolved else describe_period(plan.period, self.formatter)
            if plan.time is not None:
                value = self.say("dated", period=value, label=lower_first(dimension_label(plan.time, self.layer)))
            found.append(self.part("/period", "period", "period", value))
        elif self._is_dated():
            found.append(self.part("/period", "period", "period", say(self.formatter, "period.all")))
        if plan.comparison is not None:
            previous = self.compiled.previous if self.compiled else None
            kind = plan.comparison.kind
            value = self._range(previous) if previous else self.say(f"comparison.{kind}")
            found.append(self.part("/comparison", "comparison", "comparison", value))
        return found

    def _range(self, resolved: DateRange) -> str:
        """Return « T2 2026 (du 01/04/2026 au 30/06/2026) »; the days only where the label names no months."""
        from datetime import timedelta

        if resolved.start is None or resolved.end is None:
            return resolved.label
        last_day = resolved.end - timedelta(days=1)
        named = all(self.formatter.month(d.month) in resolved.label for d in (resolved.start, last_day))
        if named or resolved.start.day != 1 or resolved.end.day != 1 or "(" in resolved.label:
            return resolved.label
        day = Format(kind="date")
        first = self.formatter.value(resolved.start, day)
        last = self.formatter.value(last_day, day)
        return f"{resolved.label} ({say(self.formatter, 'period.between', start=first, end=last)})"

    def _is_dated(self) -> bool:
        if self.layer is None or self.plan.rollup is not None or self.plan.kind == "rows":
            return False
        return any(event_of(name, self.layer) is not None for name in counted_entities(self.plan, self.layer))

    # ── how it is shown, what is left out ──────────────────────────────────────────────────────────────────────────────

    def _shown(self) -> list[ReadingPart]:
        plan = self.plan
        found = []
        for i, order in enumerate(plan.order):
            direction = self.say(f"{self._order_kind(order.by)}{'descending' if order.descending else 'ascending'}")
            name = lower_first(self._alias(order.by))
            name = self.say(f"part.{order.part}", name=name) if order.part != "value" else name
            value = self.say("ordered", name=name, direction=direction)
            found.append(self.part(f"/order/{i}", "order", "order", value))
        if plan.limit is not None:
            value = self.say("first", count=plan.limit, number=self.formatter.count(plan.limit))
            if plan.limit_per:
                value = self.say("per", value=value, name=lower_first(self._alias(plan.limit_per)))
            found.append(self.part("/limit", "limit", "limit", value))
        if plan.rollup is not None:
            name = plan.rollup.label or self.say(f"rollup.{plan.rollup.function}")
            if plan.rollup.measure and not plan.rollup.label:
                name = self.say("rollup_of", function=name, name=lower_first(self._alias(plan.rollup.measure)))
            found.append(self.part("/rollup", "rollup", "rollup", upper_first(name)))
        return found

    def _alias(self, alias: str) -> str:
        for item in self.plan.measures:
            if item.alias == alias:
                return measure_label(item, self.layer, self.formatter)
        for dimension in self.plan.dimensions:
            if dimension.alias == alias:
                return grain_label(dimension, self.layer, self.formatter)
        for column in self.plan.columns:
            if column.alias == alias:
                return column.label or dimension_label(column.field, self.layer)
        return alias

    def _order_kind(self, alias: str) -> str:
        """Return ``time_`` or ``text_`` for an order by such a column, nothing for one by figures."""
        fields = {d.alias: d.field for d in self.plan.dimensions} | {c.alias: c.field for c in self.plan.columns}
        field = fields.get(alias)
        dimension = find_dimension(field, self.layer) if field else None
        if dimension is None:
            return ""
        return {"date": "time_", "timestamp": "time_", "text": "text_"}.get(dimension.type, "")

    def _defaults(self) -> list[ReadingPart]:
        """Return the default filters that apply, each with the pointer that leaves them out."""
        if self.layer is None:
            return []
        found = []
        counted = counted_entities(self.plan, self.layer, filtered=True)
        # The default filters of an event hold for its details: lines of cancelled orders are left out as the orders are.
        events = [event for name in counted if (event := event_of(name, self.layer)) is not None]
        for name in dict.fromkeys([*counted, *events]):
            entity = self.layer.entities[name]
            if name in self.plan.ignored_defaults or not entity.default_filters:
                continue
            from datapilot_kernel.answers.sql_reading import describe_conditions

            conditions = describe_conditions(entity.default_filters, self.layer, name, self.formatter)
            value = f"{entity_label(name, self.layer)}{self.say('colon')}{listed(conditions, self.formatter)}"
            found.append(self.part(f"/ignored_defaults/{name}", "default_filter", "default_filter", upper_first(value)))
        return found


def event_of(name: str, layer: Layer) -> str | None:
    """Return the entity that dates the rows of this one: itself, or the nearest on the one side; as the compiler has it."""
    if layer.entities[name].time is not None:
        return name
    near: list[tuple[int, str]] = [
        (distance, other)
        for other, distance in JoinGraph.of(layer).distances(name).items()
        if layer.entities[other].time is not None
    ]
    nearest = [other for distance, other in near if distance == min(near)[0]]
    return nearest[0] if len(nearest) == 1 else None


def counted_entities(plan: Plan, layer: Layer, *, filtered: bool = False) -> list[str]:
    """Return the entities whose rows are listed, counted or measured, those behind formulas too, each once.

    ``filtered``: without those that only measures look at for which the default filters do not hold.
    """
    names: list[str] = [plan.entity] if plan.kind == "rows" and plan.entity else []
    pending = [m.measure for m in plan.measures if m.measure]
    seen: set[str] = set()
    while pending:
        ref = pending.pop(0)
        if ref in seen:
            continue
        seen.add(ref)
        owner, _, name = ref.partition(".")
        entity = layer.entities.get(owner)
        measure = entity.measures.get(name) if entity else None
        if measure is None:
            continue
        if measure.formula is None:
            names += [] if filtered and measure.unfiltered else [owner]
            continue
        for part in measure.formula.split("{")[1:]:
            inner = part.partition("}")[0].strip()
            pending.append(inner if "." in inner else f"{owner}.{inner}")
    names += [m.entity for m in plan.measures if m.entity]
    names += [m.field.partition(".")[0] for m in plan.measures if m.field]
    return [n for n in dict.fromkeys(names) if n in layer.entities]
