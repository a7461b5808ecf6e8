"""How the parts of a plan are said: a filter, a value, a period, in the language of the formatter."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, assert_never

from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.answers.grammar import lower_first, typographic
from datapilot_kernel.messages import text
from datapilot_kernel.plan.model import (
    AllTime,
    Between,
    CalendarPeriod,
    DimensionItem,
    Filter,
    Grain,
    LastPeriod,
    MeasureItem,
    Period,
    ToDate,
    Unit,
)
from datapilot_kernel.semantic.model import Dimension, Format, Layer


def say(formatter: Formatter, key: str, /, **values: Any) -> str:
    """Return a text of the room's catalogue in the formatter's language."""
    return text(f"answers.{key}", language=formatter.language, **values)


# ── names ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def find_dimension(ref: str, layer: Layer | None) -> Dimension | None:
    """Return the layer's dimension, None when it has none of that name."""
    owner, _, name = ref.partition(".")
    entity = layer.entities.get(owner) if layer else None
    return entity.dimensions.get(name) if entity else None


def dimension_label(ref: str, layer: Layer | None, *, alone: bool = False) -> str:
    """Return a dimension's label, with its entity's when another entity has one of the same label (« Ville (magasin) »)."""
    dimension = find_dimension(ref, layer)
    if dimension is None or layer is None:
        return ref.rpartition(".")[2].replace("_", " ")
    label = typographic(dimension.label)
    owner = ref.partition(".")[0]
    low = dimension.label.lower()
    # Every dimension of five hundred tables: the cheap question first.
    twins = (
        f"{name}.{key}" != ref
        for name, entity in layer.entities.items()
        for key, d in entity.dimensions.items()
        if len(d.label) == len(dimension.label) and not d.hidden and d.label.lower() == low
    )
    if not alone and any(twins):
        return f"{label} ({typographic(lower_first(layer.entities[owner].label))})"
    return label


def way_label(label: str, via: tuple[str, ...], layer: Layer | None) -> str:
    """Return a label with the way that was taken to it, where joins tell ways apart: « Magasin (magasin de retrait) »."""
    joins = layer.joins if layer else {}
    ways = [typographic(joins[name].label or "") for name in via if name in joins and joins[name].label]
    ways = [way for way in ways if way.lower() not in label.lower()]
    return f"{label} ({', '.join(lower_first(way) for way in ways)})" if ways else label


def entity_label(name: str, layer: Layer | None, *, plural: bool = True) -> str:
    """Return an entity's label, in the plural when the layer gives one."""
    entity = layer.entities.get(name) if layer else None
    if entity is None:
        return name.replace("_", " ")
    return typographic(lower_first((entity.plural if plural else None) or entity.label))


def measure_label(item: MeasureItem, layer: Layer | None, formatter: Formatter) -> str:
    """Return what a measure is called: its own label, the layer's, or « somme de … »."""
    if item.label:
        return typographic(item.label)
    if item.measure is not None:
        owner, _, name = item.measure.partition(".")
        entity = layer.entities.get(owner) if layer else None
        measure = entity.measures.get(name) if entity else None
        return typographic(measure.label if measure else name.replace("_", " "))
    if item.entity is not None:
        return say(formatter, "reading.count_of", name=entity_label(item.entity, layer))
    label = lower_first(dimension_label(item.field or "", layer))
    return say(formatter, f"reading.aggregate.{item.aggregate}", name=label)


def grain_label(item: DimensionItem, layer: Layer | None, formatter: Formatter) -> str:
    """Return what is grouped by: « Région », « mois (date de commande) »."""
    label = way_label(item.label or dimension_label(item.field, layer), item.via, layer)
    if item.grain is None:
        return label
    return say(formatter, "reading.grained", grain=grain_name(item.grain, formatter), label=lower_first(label))


def grain_name(grain: Grain, formatter: Formatter) -> str:
    """Return « mois », « jour de la semaine »."""
    return say(formatter, f"reading.grain.{grain}")


# ── values and filters ─────────────────────────────────────────────────────────────────────────────────────────────────


def format_of_dimension(dimension: Dimension | None) -> Format:
    """Return how a dimension's values are written."""
    if dimension is None:
        return Format(kind="text")
    if dimension.format is not None:
        return dimension.format
    kinds = {"number": "decimal", "date": "date", "timestamp": "datetime"}
    return Format.model_validate({"kind": kinds.get(dimension.type, "text")})


def shown_value(value: Any, dimension: Dimension | None, formatter: Formatter) -> str:
    """Return a filter's value as people call it (« expédiée » for ``EXP``)."""
    if dimension is not None and dimension.values:
        key = str(value).lower() if isinstance(value, bool) else str(value)
        if dimension.values.get(key):
            return dimension.values[key][0]
    if isinstance(value, int) and not isinstance(value, bool) and dimension is not None and dimension.type != "number":
        return str(value)
    return formatter.value(value, format_of_dimension(dimension))


def describe_filter(condition: Filter, layer: Layer | None, formatter: Formatter, *, labelled: bool = False) -> str:
    """Return what a filter keeps, without the name of its dimension: « = Bretagne ou Corse », « sauf Lyon », « ≥ 100 € ».

    ``labelled``: it follows « Région : », where no « = » is needed.
    """
    dimension = find_dimension(condition.field, layer)
    shown = [shown_value(v, dimension, formatter) for v in condition.values]
    if condition.op == "between" and len(shown) == 2:
        return say(formatter, "reading.op.between", low=shown[0], high=shown[1])
    if condition.op in ("older_than", "within_last"):
        span = condition.span
        amount = say(formatter, f"reading.span.{span.unit}", count=span.count) if span else ""
        return say(formatter, f"reading.op.{condition.op}", span=amount)
    if condition.op == "day_type":
        return " ".join(say(formatter, f"reading.day_type.{v}") for v in condition.values)
    joined = listed(shown, formatter, last="or")
    plain = labelled and condition.op in ("eq", "in")
    said = joined if plain else say(formatter, f"reading.op.{condition.op}", value=joined)
    typed = [t for t, s in zip(condition.typed, shown, strict=False) if t and t.lower() != s.lower()]
    if typed:
        said += " " + say(formatter, "reading.typed", typed=", ".join(typed))
    return said


def listed(shown: list[str], formatter: Formatter, *, last: str = "and", most: int = 6) -> str:
    """Return « A, B et C »; beyond ``most``, « A, B, … et 12 autres »."""
    if len(shown) > most:
        return ", ".join(shown[:most]) + say(formatter, "reading.and_others", count=len(shown) - most)
    if len(shown) < 2:
        return "".join(shown)
    return ", ".join(shown[:-1]) + say(formatter, f"reading.{last}") + shown[-1]


# ── periods, as they are said (not resolved) ───────────────────────────────────────────────────────────────────────────


def describe_period(period: Period, formatter: Formatter) -> str:
    """Return a period as it was asked for: « le mois dernier », « T2 2025 », « les 6 derniers mois »."""
    match period:
        case AllTime():
            return say(formatter, "period.all")
        case Between(start=start, end=end):
            return _between(start, end, formatter)
        case LastPeriod(count=count, unit=unit, complete=complete, next=ahead):
            key = "next" if ahead else "last" if complete else "sliding"
            return say(formatter, f"period.{key}", amount=say(formatter, f"period.amount.{unit}", count=count))
        case ToDate(unit=unit, offset=offset):
            return say(formatter, f"period.to_date.{unit}") + _offset(offset, formatter)
        case CalendarPeriod():
            return _calendar(period, formatter)
        case _:
            assert_never(period)


def _between(start: date | None, end: date | None, formatter: Formatter) -> str:
    day = Format(kind="date")
    if start is not None and start == end:
        return formatter.value(start, day)
    if start is not None and end is not None:
        return say(formatter, "period.between", start=formatter.value(start, day), end=formatter.value(end, day))
    if start is not None:
        return say(formatter, "period.since", start=formatter.value(start, day))
    return say(formatter, "period.until", end=formatter.value(end, day)) if end else say(formatter, "period.all")


def _offset(offset: int, formatter: Formatter) -> str:
    return say(formatter, "period.earlier", count=-offset) if offset else ""


def _calendar(period: CalendarPeriod, formatter: Formatter) -> str:
    unit: Unit = period.unit
    if period.number is None and period.year is None and period.year_offset is None:
        offset = period.offset or 0
        if offset in (-1, 0, 1):
            name = say(formatter, f"period.{('previous', 'current', 'following')[offset + 1]}.{unit}")
        else:
            name = say(formatter, f"period.ago.{unit}", count=abs(offset))
            name = name if offset < 0 else say(formatter, "period.ahead", amount=name)
    else:
        name = _numbered(period, formatter)
    return name if period.count == 1 else say(formatter, "period.units_from", count=period.count, name=name)


def _numbered(period: CalendarPeriod, formatter: Formatter) -> str:
    if period.year is not None:
        year = str(period.year)
    elif period.year_offset:
        year = say(formatter, "period.year_offset", count=abs(period.year_offset))
    else:
        year = ""
    if period.number is None:
        return f"{say(formatter, 'period.fiscal')} {year}".strip() if period.unit == "fiscal_year" else year
    if period.unit == "month":
        name = formatter.month(min(period.number, 12))
    else:
        name = say(formatter, f"period.number.{period.unit}", number=period.number)
    return f"{name} {year}".strip()


def decimal_text(value: int | Decimal, format: Format | None, formatter: Formatter) -> str:
    """Return a bound of a condition as the column it looks at is written."""
    return formatter.value(value, format or Format(kind="decimal"))
