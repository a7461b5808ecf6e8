"""A result as an Arrow table: decimals stay decimals, times keep their zone. pyarrow is imported when it is called."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from datapilot_kernel.sources.model import LogicalType, ResultTable

if TYPE_CHECKING:
    import pyarrow as pa


def table_to_arrow(table: ResultTable) -> pa.Table:
    """Return ``table`` in Arrow's form.

    Whole numbers beyond 64 bits become decimals; a decimal that is not a number becomes null; lists whose items are of
    different kinds, and structures, become JSON text (Arrow has no type for "any").
    """
    import pyarrow as pa

    values = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    arrays = [_array(pa, column.type, list(items)) for column, items in zip(table.columns, values, strict=True)]
    return pa.Table.from_arrays(arrays, names=[column.name for column in table.columns])


def array_of(kind: LogicalType, values: list[Any]) -> Any:
    """Return one column's values as an array, its type chosen by the kind and the values."""
    import pyarrow as pa

    return _array(pa, kind, values)


def _array(pa: Any, kind: LogicalType, values: list[Any]) -> Any:
    match kind:
        case "integer":
            small = all(v is None or -(2**63) <= v < 2**63 for v in values)
            return (
                pa.array(values, pa.int64()) if small else _decimals(pa, [None if v is None else Decimal(v) for v in values])
            )
        case "decimal":
            return _decimals(pa, values)
        case "float":
            return pa.array(values, pa.float64())
        case "boolean":
            return pa.array(values, pa.bool_())
        case "date":
            return pa.array(values, pa.date32())
        case "timestamp":
            return pa.array(values, pa.timestamp("us"))
        case "timestamptz":
            return pa.array(values, pa.timestamp("us", tz=_zone(values)))
        case "time":
            return pa.array(values, pa.time64("us")) if not any(hasattr(v, "days") for v in values) else _texts(pa, values)
        case "interval":
            return pa.array(values, pa.duration("us"))
        case "binary":
            return pa.array(values, pa.binary())
        case "array":
            try:
                return pa.array(values)
            except (pa.ArrowInvalid, pa.ArrowTypeError):
                return _jsons(pa, values)
        case "json":
            return _jsons(pa, values)
        case "text" | "other":
            return _texts(pa, values)


def _texts(pa: Any, values: list[Any]) -> Any:
    return pa.array([v if v is None or isinstance(v, str) else str(v) for v in values], pa.string())


def _jsons(pa: Any, values: list[Any]) -> Any:
    return pa.array([None if v is None else json.dumps(v, ensure_ascii=False, default=str) for v in values], pa.string())


def _zone(values: list[Any]) -> str:
    for value in values:
        if isinstance(value, datetime) and value.tzinfo is not None:
            return getattr(value.tzinfo, "key", None) or "UTC"
    return "UTC"


def _decimals(pa: Any, values: list[Any]) -> Any:
    finite = [v if v is not None and v.is_finite() else None for v in values]
    whole, scale = 1, 0
    for value in finite:
        if value is not None:
            _, digits, exponent = value.as_tuple()
            scale = max(scale, -exponent)
            whole = max(whole, len(digits) + exponent)
    scale = min(scale, 75)
    precision = max(1, whole + scale)
    if precision > 76:
        return _texts(pa, finite)
    return pa.array(finite, pa.decimal128(38, scale) if precision <= 38 else pa.decimal256(76, scale))
