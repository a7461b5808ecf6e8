"""A result in Arrow's form keeps its types."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa

from datapilot_kernel.sources import ResultColumn, ResultTable


def test_types_survive() -> None:
    paris = ZoneInfo("Europe/Paris")
    columns = {
        "i": ("integer", 2**62, pa.int64()),
        "big": ("integer", 2**70, pa.decimal128(38, 0)),
        "d": ("decimal", Decimal("-1234.50"), pa.decimal128(38, 2)),
        "wide": ("decimal", Decimal("1e40"), pa.decimal256(76, 0)),
        "f": ("float", 0.5, pa.float64()),
        "t": ("text", "été", pa.string()),
        "b": ("boolean", True, pa.bool_()),
        "day": ("date", date(2026, 5, 1), pa.date32()),
        "ts": ("timestamp", datetime(2026, 5, 1, 10), pa.timestamp("us")),  # noqa: DTZ001
        "tz": ("timestamptz", datetime(2026, 5, 1, 10, tzinfo=paris), pa.timestamp("us", tz="Europe/Paris")),
        "time": ("time", time(10, 30), pa.time64("us")),
        "span": ("interval", timedelta(days=3), pa.duration("us")),
        "bytes": ("binary", b"ab", pa.binary()),
        "list": ("array", [1, 2], pa.list_(pa.int64())),
        "json": ("json", {"a": [1, None]}, pa.string()),
    }
    described = tuple(ResultColumn(name, kind) for name, (kind, _, _) in columns.items())  # type: ignore[arg-type]
    row = tuple(value for _, value, _ in columns.values())
    table = ResultTable(described, [row, tuple(None for _ in row)]).to_arrow()
    assert {field.name: field.type for field in table.schema} == {name: kind for name, (_, _, kind) in columns.items()}
    assert table.column("d").to_pylist() == [Decimal("-1234.50"), None]
    assert table.column("tz").to_pylist()[0] == datetime(2026, 5, 1, 8, tzinfo=UTC)
    assert table.column("json").to_pylist() == ['{"a": [1, null]}', None]


def test_an_empty_result_has_its_columns() -> None:
    table = ResultTable((ResultColumn("a", "decimal"), ResultColumn("a", "text")), []).to_arrow()
    assert table.column_names == ["a", "a"]
    assert table.num_rows == 0


def test_what_is_no_number_is_null() -> None:
    table = ResultTable((ResultColumn("a", "decimal"),), [(Decimal("NaN"),), (Decimal("1.5"),)]).to_arrow()
    assert table.column("a").to_pylist() == [None, Decimal("1.5")]
