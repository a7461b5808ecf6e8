"""What an editor of a chip offers: from the layer, only what the plan can reach; from the calendar, the usual periods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.answers.grammar import typographic, upper_first
from datapilot_kernel.answers.reading import counted_entities
from datapilot_kernel.answers.wording import describe_period, dimension_label, grain_name
from datapilot_kernel.plan.model import AllTime, CalendarPeriod, Grain, LastPeriod, Period, Plan, ToDate

if TYPE_CHECKING:
    from datapilot_kernel.semantic.model import Layer

USUAL_PERIODS: tuple[Period, ...] = (
    CalendarPeriod(unit="month", offset=0),
    CalendarPeriod(unit="month", offset=-1),
    CalendarPeriod(unit="quarter", offset=0),
    CalendarPeriod(unit="quarter", offset=-1),
    ToDate(unit="year"),
    CalendarPeriod(unit="year", offset=-1),
    LastPeriod(count=30, unit="day", complete=False),
    LastPeriod(count=3, unit="month"),
    LastPeriod(count=12, unit="month"),
    AllTime(),
)
USUAL_GRAINS: tuple[Grain, ...] = ("day", "week", "month", "quarter", "year", "month_of_year", "day_of_week")


def periods(formatter: Formatter) -> list[tuple[str, Period]]:
    """Return the usual periods with their names."""
    return [(upper_first(describe_period(period, formatter)), period) for period in USUAL_PERIODS]


def grains(formatter: Formatter) -> list[tuple[str, Grain]]:
    """Return the usual cuts of time with their names."""
    return [(upper_first(grain_name(grain, formatter)), grain) for grain in USUAL_GRAINS]


def measures(layer: Layer) -> list[tuple[str, str]]:
    """Return the layer's measures: label, reference."""
    found = [
        (typographic(measure.label), f"{name}.{key}")
        for name, entity in layer.entities.items()
        for key, measure in entity.measures.items()
        if not measure.hidden and not entity.hidden
    ]
    return _told_apart(found, layer)


def dimensions(layer: Layer, plan: Plan) -> list[tuple[str, str]]:
    """Return the dimensions that rows of the plan can be grouped by: those of its entities and of the ones they point at."""
    near = reachable(layer, counted_entities(plan, layer) or [d.field.partition(".")[0] for d in plan.dimensions])
    found = [
        (dimension_label(f"{name}.{key}", layer), f"{name}.{key}")
        for name in near
        for key, dimension in layer.entities[name].dimensions.items()
        if not dimension.hidden and not layer.entities[name].hidden
    ]
    return _told_apart(found, layer)


def reachable(layer: Layer, names: list[str]) -> list[str]:
    """Return the entities found from ``names`` along joins from many to one, themselves first, each once."""
    found = [n for n in dict.fromkeys(names) if n in layer.entities]
    for name in found:
        for join in layer.joins.values():
            if join.from_entity == name and join.to_entity not in found:
                found.append(join.to_entity)
    return found


def _told_apart(found: list[tuple[str, str]], layer: Layer) -> list[tuple[str, str]]:
    labels = [label.lower() for label, _ in found]
    named: list[tuple[str, str]] = []
    for label, ref in found:
        if labels.count(label.lower()) > 1:
            label = f"{label} ({typographic(layer.entities[ref.partition('.')[0]].label)})"
        named.append((upper_first(label), ref))
    return sorted(named)


def value_of(text_typed: str, old: tuple[Any, ...]) -> list[Any]:
    """Return the values that a person typed for a filter, separated by ``;``, as numbers where the old ones were."""
    parts = [p.strip() for p in text_typed.split(";") if p.strip()]
    if old and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in old):
        return [p.replace("\u202f", "").replace("\u00a0", "").replace(" ", "").replace(",", ".") for p in parts]
    return list(parts)
