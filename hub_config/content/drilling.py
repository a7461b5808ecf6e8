"""One level deeper into a tile: what a reader may choose at a bar, a point or a row, and the plan that follows from it.

The browser names a place (the values of the row's dimensions) and a level (a key that this module offered). The plan is
made here, from the version's own plan and its semantic layer: the row becomes conditions, the level what is grouped by.
Levels are the finer grains of the row's date, the words (text, yes or no) of the entities that the plan counts or leads
to, and the months where the plan has no date yet. Never what the layer hides, masks, calls personal, or uses as a key.

Rejected: levels named by the publisher (nobody fills in such a list; the layer knows them), a plan from the browser.
What remains: a layer has no hierarchies, so a level may say little (one bar); the way back is one click.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.answers.grammar import upper_first
from datapilot_kernel.answers.reading import counted_entities, event_of
from datapilot_kernel.answers.wording import dimension_label, grain_label, grain_name
from datapilot_kernel.errors import BadInput
from datapilot_kernel.plan.model import Between, DimensionItem, Filter, Grain, Order, Plan, Unit
from datapilot_kernel.plan.paths import JoinGraph
from datapilot_kernel.plan.periods import add_units, resolve, unit_start
from datapilot_kernel.plan.problems import PlanProblem

if TYPE_CHECKING:
    from datapilot_kernel.semantic.model import Layer
    from datapilot_kernel.sources.model import LogicalType

MOST_STEPS, MOST_LEVELS = 5, 10
_MOST_TYPED = 300
_FINER: dict[str, tuple[Unit, ...]] = {
    "year": ("quarter", "month"), "fiscal_year": ("fiscal_quarter", "month"), "semester": ("month",), "quarter": ("month",),
    "fiscal_quarter": ("month",), "month": ("week", "day"), "week": ("day",),
}  # fmt: skip
_UNITS = frozenset({"day", *_FINER})
_ALIAS = re.compile(r"[^a-z0-9_]+")

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Step:
    """A row that was chosen, by the values of its dimensions in the plan's order (none: of a single figure), and a level."""

    at: tuple[Cell, ...]
    level: str


@dataclass(frozen=True)
class Level:
    """What can be grouped by next: ``entity.name`` or ``entity.name/grain``, and its name for a person."""

    key: str
    label: str


def steps_of(given: Any) -> tuple[Step, ...]:
    """Return the steps that a browser sent (JSON, decoded).

    Raises
    ------
    BadInput
        They are not such a list.

    >>> steps_of([{"at": ["Nord"], "by": "ventes.ville"}])
    (Step(at=('Nord',), level='ventes.ville'),)
    """
    if not isinstance(given, list) or len(given) > MOST_STEPS:
        raise BadInput("content.drill_not_possible")
    found = []
    for one in given:
        at, by = (one.get("at"), one.get("by")) if isinstance(one, dict) else (None, None)
        if not isinstance(by, str) or len(by) > _MOST_TYPED:
            raise BadInput("content.drill_not_possible")
        found.append(Step(cells_of(at), by))
    return tuple(found)


def cells_of(at: Any) -> tuple[Cell, ...]:
    """Return a row's place as a browser sent it. Raises BadInput."""
    if not isinstance(at, list) or len(at) > 8:
        raise BadInput("content.drill_not_possible")
    for cell in at:
        if not (cell is None or isinstance(cell, (str, int, float, bool))) or len(str(cell)) > _MOST_TYPED:
            raise BadInput("content.drill_not_possible")
        if isinstance(cell, str) and not cell.isascii() and any("\ud800" <= c <= "\udfff" for c in cell):
            raise BadInput("content.drill_not_possible")  # half of a pair, by JSON's escapes: nobody's text
    return tuple(at)


def descends(plan: Plan | None) -> bool:
    """Tell whether the rows of a plan lead anywhere: groups whose values can be named again, of no folded result."""
    if plan is None or plan.kind != "aggregate" or plan.rollup is not None or all(m.hidden for m in plan.measures):
        return False
    return all(not item.bins and (item.grain is None or item.grain in _UNITS) for item in plan.dimensions)


def levels(plan: Plan, layer: Layer) -> list[Level]:
    """Return what a row of the plan can be broken down by, the nearest first."""
    if not descends(plan):
        return []
    formatter = _formatter(layer)
    found: list[Level] = []
    for item in plan.dimensions:
        for grain in _FINER.get(item.grain or "", ()):
            name = grain_name(grain, formatter)
            found.append(Level(f"{item.field}/{grain}", upper_first(name)))
    words = _words(plan, layer)
    time = _time_of(plan, layer)
    if time is not None and not any(item.grain for item in plan.dimensions) and not _fixed(plan, time):
        words.insert(min(3, len(words)), Level(f"{time}/month", upper_first(grain_name("month", formatter))))
    return (found + words)[:MOST_LEVELS]


def descend(plan: Plan, layer: Layer, step: Step, *, today: date) -> Plan:
    """Return the plan of a row, broken down by a level.

    Raises
    ------
    BadInput
        The row is none of this plan, or the level is none of those offered.
    """
    if len(step.at) != len(plan.dimensions) or step.level not in {level.key for level in levels(plan, layer)}:
        raise BadInput("content.drill_not_possible")
    field, _, grain = step.level.partition("/")
    try:
        narrowed = _narrowed(plan, layer, step.at, today)
    except (ValueError, PlanProblem):
        raise BadInput("content.drill_not_possible") from None
    taken = {m.alias for m in narrowed.measures}
    alias = _ALIAS.sub("_", field.rpartition(".")[2])[:50] or "par"
    while alias in taken:
        alias += "_"
    deeper = DimensionItem(alias=alias, field=field, grain=_grain(grain))
    measures = tuple(m.model_copy(update={"within": None}) for m in narrowed.measures)
    order = tuple(o for o in narrowed.order if any(m.alias == o.by for m in measures))
    # Words by what they count, the largest first; dates in their own order.
    order = order or (Order(by=next(m.alias for m in measures if not m.hidden)),)
    return Plan.model_validate(
        narrowed.model_copy(
            update={
                "dimensions": (deeper,), "measures": measures, "order": () if grain else order,
                "having": (), "limit": None, "limit_per": None, "ties": False,
            }
        ).model_dump()
    )  # fmt: skip


def said(plan: Plan, layer: Layer, at: tuple[Cell, ...]) -> str:
    """Return a row's place in words: « Nord, mars 2025 »."""
    formatter = _formatter(layer)
    return ", ".join(_word(item, cell, layer, formatter) for item, cell in zip(plan.dimensions, at, strict=False))


# ── levels ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _words(plan: Plan, layer: Layer) -> list[Level]:
    near = _reached(layer, counted_entities(plan, layer))
    own = [item.field.partition(".")[0] for item in plan.dimensions]
    near.sort(key=lambda name: name not in own)  # what the row itself is of comes first
    used = {item.field for item in plan.dimensions} | {one.field for one in plan.filters if _is_one(one)}
    found: list[tuple[int, Level]] = []
    for rank, name in enumerate(near):
        entity = layer.entities[name]
        if entity.hidden:
            continue
        for key, dimension in entity.dimensions.items():
            ref = f"{name}.{key}"
            closed = dimension.hidden or dimension.personal or ref in used
            closed = closed or dimension.column in entity.masked or dimension.column in entity.key
            if closed or dimension.type not in ("text", "boolean"):
                continue
            # Of the entities beside, what names them is what people mean by them.
            first = name in own or key == entity.name_dimension
            found.append((rank if first else rank + 100, Level(ref, upper_first(dimension_label(ref, layer)))))
    return [level for _, level in sorted(found, key=lambda pair: pair[0])]


def _reached(layer: Layer, names: list[str]) -> list[str]:
    found = list(names)
    graph = JoinGraph.of(layer)
    for name in names:
        near = sorted(graph.distances(name).items(), key=lambda pair: pair[1])
        found += [other for other, _ in near if other not in found]
    return found


def _is_one(one: Filter) -> bool:
    return one.op in ("eq", "is_null") or (one.op == "in" and len(one.values) == 1)


def _time_of(plan: Plan, layer: Layer) -> str | None:
    """Return the one date that the plan's rows are dated by; None: there is none, or more than one."""
    if plan.time is not None:
        return plan.time
    found = set()
    for item in plan.measures:
        owner, _, name = (item.measure or "").partition(".")
        own = layer.entities[owner].measures[name].time if owner in layer.entities and item.measure else None
        if own is not None:
            found.add(f"{owner}.{own}")
    for name in counted_entities(plan, layer) if not found else ():
        event = event_of(name, layer)
        if event is not None:
            found.add(f"{event}.{layer.entities[event].time}")
    return found.pop() if len(found) == 1 else None


def _fixed(plan: Plan, time: str) -> bool:
    """Tell whether the plan is of one day already."""
    period = plan.period
    return isinstance(period, Between) and period.start is not None and period.start == period.end and bool(time)


# ── the row as conditions ─────────────────────────────────────────────────────────────────────────────────────────────


def _narrowed(plan: Plan, layer: Layer, at: tuple[Cell, ...], today: date) -> Plan:
    for item, cell in zip(plan.dimensions, at, strict=True):
        if cell is None:
            plan = _with(plan, Filter(field=item.field, op="is_null", via=item.via))
        elif item.grain is None:
            value = cell if not isinstance(cell, float) else str(cell)
            plan = _with(plan, Filter(field=item.field, op="eq", values=(value,), via=item.via))
        else:
            plan = _within(plan, layer, item, _unit(item.grain), str(cell), today)
    return plan


def _with(plan: Plan, one: Filter) -> Plan:
    return plan.model_copy(update={"filters": (*plan.filters, one)})


def _within(plan: Plan, layer: Layer, item: DimensionItem, unit: Unit, cell: str, today: date) -> Plan:
    """Narrow to the unit of the calendar that begins on that day, and to no day that the plan leaves out."""
    start = unit_start(date.fromisoformat(cell[:10]), unit, layer.calendar)
    end = add_units(start, unit, 1) - timedelta(days=1)
    if _time_of(plan, layer) != item.field:
        return _with(plan, Filter(field=item.field, op="between", values=(start, end), via=item.via))
    if plan.period is not None:
        outer = resolve(plan.period, today=today, calendar=layer.calendar)
        start = max(start, outer.start) if outer.start is not None else start
        end = min(end, outer.end - timedelta(days=1)) if outer.end is not None else end
    return plan.model_copy(update={"period": Between(start=start, end=end), "time": plan.time or item.field})


def _unit(grain: Grain) -> Unit:
    found: dict[str, Unit] = {unit: unit for units in _FINER.values() for unit in units}
    found |= {"year": "year", "fiscal_year": "fiscal_year", "semester": "semester"}
    return found[grain]


def _grain(name: str) -> Grain | None:
    return _unit(name) if name else None  # type: ignore[arg-type]  # one of the levels that were offered


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _word(item: DimensionItem, cell: Cell, layer: Layer, formatter: Formatter) -> str:
    from datapilot_kernel.answers.model import AnswerColumn
    from datapilot_kernel.answers.wording import find_dimension, format_of_dimension

    dimension = find_dimension(item.field, layer)
    names = {key: words[0] for key, words in (dimension.values if dimension else {}).items() if words}
    kind: LogicalType = "text" if item.grain is None else "date"
    column = AnswerColumn(
        item.alias, grain_label(item, layer, formatter), kind, format_of_dimension(dimension), "dimension", item.grain,
        values=names,
    )  # fmt: skip
    value: Any = cell
    if item.grain is not None and isinstance(cell, str):
        try:
            value = date.fromisoformat(cell[:10])
        except ValueError:
            raise BadInput("content.drill_not_possible") from None
    return formatter.cell(value, column)


def _formatter(layer: Layer) -> Formatter:
    from datapilot_kernel.messages import current_language

    return Formatter(language=current_language(), currency=layer.currency, calendar=layer.calendar)
