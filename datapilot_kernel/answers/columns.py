"""Which columns an answer has: the compiler's when a plan ran, the result's own when SQL ran."""

from __future__ import annotations

import re

from datapilot_kernel.answers.grammar import typographic, upper_first
from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.plan.compiled import Compiled
from datapilot_kernel.semantic.model import Format, FormatKind, Layer
from datapilot_kernel.sources.model import LogicalType, ResultTable

_KINDS: dict[LogicalType, FormatKind] = {
    "integer": "integer",
    "decimal": "decimal",
    "float": "decimal",
    "date": "date",
    "timestamp": "datetime",
    "timestamptz": "datetime",
}
# Whole numbers that name something are not grouped by thousands: « 2025 », not « 2 025 ».
_PLAIN = re.compile(
    r"(^|_)(annee|année|an|year|exercice|id|code|cd|num|numero|numéro|no|ref|cp|siret|siren)(_|$)", re.IGNORECASE
)


def format_of(name: str, kind: LogicalType) -> Format:
    """Return how a column that no layer describes is written, from its type and, for whole numbers, its name."""
    if kind == "integer" and _PLAIN.search(name):
        return Format(kind="year")
    return Format(kind=_KINDS.get(kind, "text"))


def answer_columns(compiled: Compiled | None, table: ResultTable, layer: Layer | None = None) -> tuple[AnswerColumn, ...]:
    """Return the columns of the answer, in the table's order. ``compiled`` None: SQL was run."""
    if compiled is None:
        return tuple(AnswerColumn(c.name, c.name, c.type, format_of(c.name, c.type)) for c in table.columns)
    columns = []
    for described, found in zip(compiled.columns, table.columns, strict=True):
        columns.append(
            AnswerColumn(
                name=described.name,
                label=upper_first(typographic(described.label)),
                type=found.type,
                format=described.format,
                role=described.role,
                grain=described.grain,
                ref=described.ref,
                of=described.of,
                lower_is_better=described.lower_is_better,
                values=_value_labels(described.ref, layer) if described.role in ("dimension", "column") else {},
            )
        )
    return tuple(columns)


def _value_labels(ref: str | None, layer: Layer | None) -> dict[str, str]:
    if ref is None or layer is None:
        return {}
    entity, _, name = ref.partition(".")
    found = layer.entities.get(entity)
    dimension = found.dimensions.get(name) if found else None
    return {stored: names[0] for stored, names in dimension.values.items() if names} if dimension else {}
