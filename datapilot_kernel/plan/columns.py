"""What the columns of a result mean: labels and formats."""

from __future__ import annotations

from typing import Literal

from datapilot_kernel.messages import text
from datapilot_kernel.plan.compiled import CompiledColumn
from datapilot_kernel.plan.model import ColumnItem, DimensionItem, Grain, MeasureItem, Rollup
from datapilot_kernel.semantic.model import Dimension, Format, Layer

_CYCLES = frozenset({"hour_of_day", "day_of_week", "day_of_month", "month_of_year", "quarter_of_year"})
Derived = Literal["previous", "difference", "growth"]


def measure_label(layer: Layer, item: MeasureItem) -> str:
    """Return what a measure is called, without its transform."""
    if item.label is not None:
        return item.label
    if item.measure is not None:
        return layer.measure(item.measure).label
    if item.entity is not None:
        entity = layer.entities[item.entity]
        return text("plan.column.count_rows", entity=(entity.plural or entity.label).lower())
    assert item.field is not None
    return text(f"plan.column.{item.aggregate}", field=layer.dimension(item.field).label.lower())


def measure_format(layer: Layer, item: MeasureItem) -> Format:
    """Return how a measure is written, without its transform."""
    if item.measure is not None:
        return layer.measure(item.measure).format
    if item.aggregate in ("count", "count_distinct"):
        return Format(kind="integer")
    assert item.field is not None
    dimension = layer.dimension(item.field)
    found = dimension_format(dimension, None)
    if item.aggregate in ("avg", "median") and found.kind == "integer":
        return found.model_copy(update={"kind": "decimal"})
    return found


def dimension_format(dimension: Dimension, grain: Grain | None) -> Format:
    """Return how a dimension is written; of a grain, how its column comes out (see ``compiler``)."""
    if grain in ("year", "fiscal_year"):
        return Format(kind="year")
    if grain in _CYCLES:
        return Format(kind="integer")
    if grain is not None:
        return Format(kind="date")
    if dimension.format is not None:
        return dimension.format
    match dimension.type:
        case "date":
            return Format(kind="date")
        case "timestamp":
            return Format(kind="datetime")
        case "number":
            return Format(kind="decimal")
        case _:
            return Format(kind="text")


def dimension_column(layer: Layer, item: DimensionItem, grain: Grain | None) -> CompiledColumn:
    """Describe a column grouped by."""
    dimension = layer.dimension(item.field)
    label = item.label or (text(f"plan.grain.{grain}") if grain is not None else dimension.label)
    shown = Format(kind="text") if item.bins else dimension_format(dimension, grain)
    return CompiledColumn(item.alias, label, "dimension", shown, ref=item.field, grain=grain)


def list_column(layer: Layer, item: ColumnItem) -> CompiledColumn:
    """Describe a column of a list."""
    dimension = layer.dimension(item.field)
    shown = dimension_format(dimension, None)
    return CompiledColumn(item.alias, item.label or dimension.label, "column", shown, ref=item.field)


def measure_column(layer: Layer, item: MeasureItem, of: str | None) -> CompiledColumn:
    """Describe a measure's column; ``of`` is the alias of the measure that a share, a rank or a running total is made of."""
    label, shown = measure_label(layer, item), measure_format(layer, item)
    lower = item.measure is not None and layer.measure(item.measure).lower_is_better
    if item.transform is None:
        return CompiledColumn(item.alias, label, "measure", shown, ref=item.measure, lower_is_better=lower)
    if item.transform == "share":
        shown = Format(kind="percent")
    elif item.transform == "rank":
        shown = Format(kind="integer")
    if item.label is None:
        label = text(f"plan.column.{item.transform}", measure=label)
    return CompiledColumn(item.alias, label, item.transform, shown, ref=item.measure, of=of, lower_is_better=lower)


def compared_column(layer: Layer, item: MeasureItem, role: Derived, kind: str, period: str | None) -> CompiledColumn:
    """Describe a column of a comparison; ``period`` is the label of the one compared with, when there is one."""
    label = measure_label(layer, item)
    shown = Format(kind="percent") if role == "growth" else measure_format(layer, item)
    lower = item.measure is not None and layer.measure(item.measure).lower_is_better
    if role != "previous":
        label = text(f"plan.column.{role}", measure=label)
    elif period is not None:
        label = text("plan.column.previous", measure=label, period=period)
    else:
        label = text(f"plan.column.{kind}", measure=label)
    return CompiledColumn(f"{item.alias}_{role}", label, role, shown, item.measure, item.alias, lower_is_better=lower)


def rollup_column(layer: Layer, rollup: Rollup, item: MeasureItem | None, name: str) -> CompiledColumn:
    """Describe the single column of a folded result."""
    if item is None or rollup.function == "count":
        return CompiledColumn(name, rollup.label or text("plan.column.rollup_count"), "measure", Format(kind="integer"))
    label = rollup.label or text(f"plan.column.{rollup.function}", field=measure_label(layer, item).lower())
    shown = measure_format(layer, item)
    if shown.kind == "integer" and rollup.function in ("avg", "median"):
        shown = shown.model_copy(update={"kind": "decimal"})
    return CompiledColumn(name, label, "measure", shown, ref=item.measure)
