"""What a files' worker streams, as batches: Arrow's own form where the types allow it, else values as ``execute`` gets them.

The worker is not trusted: what it sends as Arrow is validated before anything reads it. DuckDB's calendar is longer than
Python's: its infinities become Python's first and last day, what else does not fit becomes null, as in ``execute``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from datapilot_kernel.sources import files_worker
from datapilot_kernel.sources.calendar_ends import DAYS, MICROS, fits, within
from datapilot_kernel.sources.model import ResultColumn
from datapilot_kernel.sources.streams import ColumnChanged, Decoder, ValueDecoder

if TYPE_CHECKING:
    import pyarrow as pa

_INT64 = (-(2**63), 2**63 - 1)


def decoder_of(frame: dict[str, Any], zone: str) -> Decoder:
    """Return the decoder for what the worker announced."""
    columns = tuple(ResultColumn(name, kind) for name, kind in frame["columns"])
    return ArrowDecoder(columns, zone) if frame["arrow"] else EncodedDecoder(columns, zone)


class EncodedDecoder(ValueDecoder):
    """Columns of JSON values."""

    def values_of(self, block: Any) -> list[list[Any]]:
        """Return the values as plain Python."""
        data = [files_worker.decoded(c.type, v) for c, v in zip(self._columns, block, strict=True)]
        zone = ZoneInfo(self._zone)
        for position, column in enumerate(self._columns):
            if column.type == "timestamptz":
                data[position] = [files_worker.moved(v, zone) for v in data[position]]
        return data


class ArrowDecoder:
    """Arrow blocks, brought to this package's types."""

    def __init__(self, columns: tuple[ResultColumn, ...], zone: str) -> None:
        self._columns, self._zone = columns, zone
        self._schema: pa.Schema | None = None

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The result's columns."""
        return self._columns

    def settle(self, block: Any, is_all: bool) -> pa.Schema:
        """Choose the types: whole numbers have 64 bits unless the first block needs more."""
        import pyarrow as pa

        first = self._read(block) if block is not None else None
        types = [self._type(c, None if first is None else first.column(i)) for i, c in enumerate(self._columns)]
        self._schema = pa.schema(list(zip((c.name for c in self._columns), types, strict=True)))
        return self._schema

    def _type(self, column: ResultColumn, values: Any) -> Any:
        import pyarrow as pa

        match column.type:
            case "integer":
                return pa.int64() if values is None or fits(values, *_INT64) else pa.decimal128(38, 0)
            case "decimal":
                return pa.decimal128(38, 0 if values is None else values.type.scale)
            case "float":
                return pa.float64()
            case "boolean":
                return pa.bool_()
            case "date":
                return pa.date32()
            case "timestamp":
                return pa.timestamp("us")
            case "timestamptz":
                return pa.timestamp("us", tz=self._zone)
            case "time":
                return pa.time64("us")
            case "binary":
                return pa.binary()
            case _:
                return pa.string()

    @staticmethod
    def _read(block: bytes) -> pa.RecordBatch:
        import pyarrow as pa

        with pa.ipc.open_stream(pa.py_buffer(block)) as reader:
            batch = reader.read_next_batch()
        batch.validate(full=True)
        return batch

    def batch(self, block: Any) -> pa.RecordBatch:
        """Return a block in this package's types."""
        import pyarrow as pa

        assert self._schema is not None
        read = self._read(block)
        arrays = []
        for position, (values, wanted) in enumerate(zip(read.columns, self._schema.types, strict=True)):
            try:
                arrays.append(_brought(values, wanted))
                continue
            except pa.ArrowException:
                pass
            raise ColumnChanged(position)
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _brought(values: Any, wanted: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_date32(wanted):
        return within(values.cast(pa.int32()), pa.int32(), DAYS, (-(2**31) + 1, 2**31 - 1)).cast(wanted)
    if pa.types.is_timestamp(wanted):
        bare = values if values.type.tz is None else values.cast(pa.timestamp(values.type.unit, tz="UTC"))
        # DuckDB keeps infinity as the last value of any unit; nanoseconds lose what is below a microsecond.
        numbers = bare.cast(pa.int64())
        factor = {"s": 10**6, "ms": 10**3, "us": 1, "ns": 1}[values.type.unit]
        ends = (-(2**63) + 1, 2**63 - 1)
        if values.type.unit == "ns":
            return bare.cast(pa.timestamp("us"), safe=False).cast(wanted)
        limits = (MICROS[0] // factor, MICROS[1] // factor)
        return (
            within(numbers, pa.int64(), limits, ends)
            .cast(pa.timestamp(values.type.unit))
            .cast(pa.timestamp("us"))
            .cast(wanted)
        )
    return values if values.type == wanted else values.cast(wanted)
