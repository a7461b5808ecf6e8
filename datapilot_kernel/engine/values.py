"""Fill the value index with what this person may see, and nothing else.

A value reaches the index (and from there chips, suggestions and prompts) only through a statement that passed the guard
with this person's policy. The catalog's own sample values were read without rights, so they serve only to choose which
columns are worth asking: they are never shown.

Cost: one ``SELECT DISTINCT`` for each text dimension that is not personal and not known to be too varied, capped in rows
and in time together; what the time did not allow is left out, and the dimension is then filtered by typed text only.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from datapilot_kernel.catalog.model import Catalog, Column
from datapilot_kernel.catalog.values import ValueIndex
from datapilot_kernel.engine.policy import table_key
from datapilot_kernel.errors import DataPilotError
from datapilot_kernel.plan.model import ColumnItem, Filter, Order, Plan
from datapilot_kernel.semantic.model import Dimension, Layer

MAX_VALUES = 5_000
"""Distinct values kept of one dimension; one more and the dimension is left out of the index."""

TIME_BUDGET_S = 8.0
"""For the whole index, at first use."""


def collect_values(catalog: Catalog, layer: Layer, run: Callable[[Plan, int], list[object]]) -> ValueIndex:
    """Return the index of the text dimensions' values.

    Parameters
    ----------
    run
        Compiles, guards and executes a one-column plan with a row cap; returns that column.
    """
    deadline = time.monotonic() + TIME_BUDGET_S
    found: dict[str, list[str]] = {}
    for ref, plan in _questions(catalog, layer):
        if time.monotonic() > deadline:
            break
        try:
            values = run(plan, MAX_VALUES + 1)
        except DataPilotError:
            # One column that cannot be read leaves the others usable; a question on it will say what is wrong.
            continue
        if len(values) <= MAX_VALUES:
            found[ref] = [str(value) for value in values if value is not None and str(value).strip()]
    return ValueIndex(found)


def _questions(catalog: Catalog, layer: Layer) -> list[tuple[str, Plan]]:
    """Return the one-column plans, least varied dimension first."""
    ranked: list[tuple[int, str, Plan]] = []
    for entity_name, entity in layer.entities.items():
        columns = _columns(catalog, table_key(entity.table, catalog.default_schema))
        for name, dimension in entity.dimensions.items():
            ref = f"{entity_name}.{name}"
            column = columns.get(dimension.column or "")
            if dimension.type != "text" or dimension.personal or (column and column.personal):
                continue
            varied = _variety(dimension, column)
            if varied > MAX_VALUES:
                continue
            plan = Plan(
                kind="rows",
                entity=entity_name,
                columns=(ColumnItem(alias="valeur", field=ref),),
                distinct=True,
                filters=(Filter(field=ref, op="not_null"),),
                order=(Order(by="valeur", descending=False),),
                ignored_defaults=(entity_name,),
            )
            ranked.append((varied, ref, plan))
    ranked.sort(key=lambda item: (item[0], item[1]))
    return [(ref, plan) for _, ref, plan in ranked]


def _columns(catalog: Catalog, key: str) -> dict[str, Column]:
    for table in catalog.tables:
        if table.key == key:
            return {column.name: column for column in table.columns}
    return {}


def _variety(dimension: Dimension, column: Column | None) -> int:
    if dimension.hidden:
        return MAX_VALUES + 1
    if column is None or column.distinct_count is None:
        return MAX_VALUES
    return column.distinct_count
