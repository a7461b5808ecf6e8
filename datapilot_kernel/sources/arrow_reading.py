"""An Arrow table back as a result: what :mod:`datapilot_kernel.sources.arrow` made, for what crossed a wire or a disk.

Arrow has no JSON, no times beyond a day and no whole numbers beyond 64 bits: those came as text or decimals, and the
columns' logical types, which travel beside the table, say what they were. Values come back equal; a decimal may have more
zeros after its point (a column of decimals has one scale).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from datapilot_kernel.sources.model import LogicalType, ResultColumn, ResultTable

if TYPE_CHECKING:
    import pyarrow as pa


def arrow_to_table(
    table: pa.Table, types: Sequence[LogicalType], *, truncated: bool = False, elapsed_ms: float = 0.0
) -> ResultTable:
    """Return the result that ``table`` was made from; ``types`` are those of its columns, in order."""
    columns = tuple(ResultColumn(name, kind) for name, kind in zip(table.column_names, types, strict=True))
    values = [_values(table.column(i), kind) for i, kind in enumerate(types)]
    return ResultTable(columns, list(zip(*values, strict=True)), truncated, elapsed_ms)


def _values(column: Any, kind: LogicalType) -> list[Any]:
    import pyarrow as pa

    back: Callable[[Any], Any] | None = None
    if kind in ("json", "array") and pa.types.is_string(column.type):
        back = json.loads
    elif kind == "integer" and pa.types.is_decimal(column.type):
        back = int
    elif kind == "decimal" and pa.types.is_string(column.type):
        back = Decimal
    found = column.to_pylist()
    return found if back is None else [None if v is None else back(v) for v in found]
