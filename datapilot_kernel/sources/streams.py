"""A large result as Arrow batches, one after another: never whole in memory, columns and types known before the first row.

A stream is the same road as ``execute`` (read-only transaction, time limits on the server, caps, stopping, pinned and
encrypted connection), walked by a thread of its own that reads ahead by a few blocks, while the caller's thread turns blocks
into batches. So reading overlaps with converting, a slow caller slows the server down and not our memory, and a caller that
goes away (``close``, garbage collection) stops the statement.

Types are those of ``ResultTable.to_arrow``, which sees all values before it chooses; a stream chooses by what the database
says of the column, and where that is not enough by the first block:

- a decimal without a declared scale has the scale of the first block, at least ``OPEN_SCALE`` digits when there is more
  than one block (further digits are rounded);
- what the first block settles and a later one contradicts (a whole number beyond 64 bits, say) ends the stream with
  SourceProblem ``column_changed``, never with another value.

The time limit of a statement covers the reading, a slow caller's pauses included: a connection is not held for ever.

What was rejected: ADBC's driver for every result of PostgreSQL. It is fast, and it hands on ``infinity`` as a wrapped-around
date and money as hundredths, without a word: it is used for the types it gets right (see ``postgres_adbc``).
"""

from __future__ import annotations

import queue
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import TYPE_CHECKING, Any, Protocol

from datapilot_kernel.errors import Cancelled, DataPilotError, Fault, SourceProblem
from datapilot_kernel.sources.model import CancelToken, Limits, LogicalType, ResultColumn

if TYPE_CHECKING:
    import pyarrow as pa

STREAM_LIMITS = Limits(max_rows=5_000_000, max_bytes=2 * 1024**3, timeout_ms=300_000)
OPEN_SCALE = 16
_AHEAD_BLOCKS, _TURN_S, _END_S = 3, 0.2, 5.0


class ColumnChanged(Exception):
    """A later block holds what the first one ruled out; carries the column's position."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


class Decoder(Protocol):
    """Turns an adapter's blocks into batches. Used by one thread, blocks in order."""

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The result's columns; final after :meth:`settle`."""

    def settle(self, block: Any, is_all: bool) -> pa.Schema:
        """Choose the types: ``block`` is the first one (None: the result is empty), ``is_all``: there is no other."""

    def batch(self, block: Any) -> pa.RecordBatch:
        """Return a block in Arrow's form. Raises ColumnChanged."""


class Emitter:
    """The reading thread's end: hands blocks on, waits when the caller is slow, stops when the caller has gone."""

    def __init__(self, token: CancelToken) -> None:
        self.queue: queue.Queue[tuple[str, Any]] = queue.Queue(_AHEAD_BLOCKS)
        self.token = token

    def begin(self, decoder: Decoder) -> None:
        """Say how what follows is read."""
        self._put("begin", decoder)

    def block(self, block: Any) -> None:
        """Hand on one block."""
        self._put("block", block)

    def _put(self, kind: str, value: Any) -> None:
        while not self.token.cancelled:
            with suppress(queue.Full):
                self.queue.put((kind, value), timeout=_TURN_S)
                return
        raise Cancelled

    def end(self, outcome: bool | DataPilotError) -> None:
        """Say how it ended: whether a cap cut it, or our error."""
        while True:
            try:
                self.queue.put_nowait(("end", outcome))
                return
            except queue.Full:
                if self.token.cancelled:
                    with suppress(queue.Empty):
                        self.queue.get_nowait()
                else:
                    self.token_wait()

    def token_wait(self) -> None:
        """Wait a turn for the caller."""
        threading.Event().wait(_TURN_S / 10)


Road = Callable[[Emitter, CancelToken], "bool | DataPilotError"]
"""Reads a whole result into the emitter; gives back whether a cap cut it, or our error."""


class ArrowStream:
    """Batches of a result, in order; an iterator and a context manager. Close it, or read it to its end.

    Attributes
    ----------
    columns
        As of ``ResultTable``.
    schema
        Arrow's, of every batch.
    truncated
        A cap cut the result; final once the last batch was read.
    row_count
        Rows given out so far.
    """

    def __init__(self, road: Road, cancel: CancelToken | None) -> None:
        self._token = CancelToken()
        self._release = (cancel or CancelToken()).on_cancel(self._token.cancel)
        self._emitter = Emitter(self._token)
        self._thread = threading.Thread(target=_walk, args=(road, self._emitter), name="datapilot-stream", daemon=True)
        self._gone = weakref.finalize(self, _abandon, self._token, self._release)
        self.truncated, self.row_count = False, 0
        self.columns: tuple[ResultColumn, ...] = ()
        self.schema: pa.Schema
        self._ended = False
        self._first: list[Any] = []
        self._thread.start()
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self._decoder: Decoder | None = None
        while len(self._first) < 2 and not self._ended:
            block = self._receive()
            if block is not None:
                self._first.append(block)
        assert self._decoder is not None, "a result that ended well has begun"
        try:
            self.schema = self._decoder.settle(self._first[0] if self._first else None, self._ended and len(self._first) < 2)
        except ColumnChanged as changed:
            failed = changed.position
        else:
            self.columns = self._decoder.columns
            return
        raise _changed(self._decoder.columns[failed])

    def _receive(self) -> Any:
        """Return the next block; None: it was a beginning or the end. Raises what ended the stream."""
        kind, value = self._emitter.queue.get()
        if kind == "begin":
            self._decoder = value
            return None
        if kind == "block":
            return value
        self._ended = True
        self._gone()
        if isinstance(value, DataPilotError):
            raise value
        self.truncated = value
        return None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        """Return the next batch.

        Raises
        ------
        SourceProblem, Cancelled
            As ``execute`` does, also after batches were given out.
        """
        assert self._decoder is not None
        block: Any = self._first.pop(0) if self._first else None
        while block is None:
            if self._ended:
                raise StopIteration
            if self._token.cancelled:
                self.close()
                raise Cancelled
            block = self._receive()
        try:
            batch = self._decoder.batch(block)
        except ColumnChanged as changed:
            failed = changed.position
        else:
            self.row_count += batch.num_rows
            return batch
        self.close()
        raise _changed(self._decoder.columns[failed])

    def read_all(self) -> pa.Table:
        """Return what is left as one table (in memory)."""
        import pyarrow as pa

        with self:
            return pa.Table.from_batches(list(self), self.schema)

    def reader(self) -> pa.RecordBatchReader:
        """Return the same as pyarrow's reader, for what takes one (an IPC writer, Parquet, ``to_pandas``)."""
        import pyarrow as pa

        return pa.RecordBatchReader.from_batches(self.schema, self)

    def close(self) -> None:
        """Stop the statement if it still runs, and give its connection back. Safe twice."""
        self._gone()
        if not self._ended:
            self._ended = True
            self._first.clear()
            # The reading thread may wait for room: it sees the token at its next turn.
            self._thread.join(_END_S)

    def __enter__(self) -> ArrowStream:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _abandon(token: CancelToken, release: Callable[[], None]) -> None:
    token.cancel()
    release()


def _walk(road: Road, emitter: Emitter) -> None:
    """Read a whole result; the thread's edge."""
    outcome: bool | DataPilotError
    try:
        outcome = road(emitter, emitter.token)
    except DataPilotError as error:
        outcome = error
    except BaseException as error:  # noqa: BLE001 -- a thread's edge: whoever waits must hear of it, by its class alone
        where = traceback.extract_tb(error.__traceback__)[-1]
        outcome = Fault(log=f"{type(error).__name__} while streaming, at {where.name}:{where.lineno}")
    emitter.end(outcome)


def _changed(column: ResultColumn) -> DataPilotError:
    return SourceProblem("sources.column_changed", log="a later block contradicts the first", column=column.name)


class ValueDecoder:
    """Blocks that are lists of values by column, or of rows: the general way, for every engine and every type.

    Parameters
    ----------
    declared
        By position, the Arrow type that the database's own description gives; absent: chosen by the first block.
    """

    def __init__(self, columns: Sequence[ResultColumn], zone: str, declared: dict[int, pa.DataType] | None = None) -> None:
        self._columns, self._zone, self._declared = tuple(columns), zone, declared or {}
        self.schema: pa.Schema | None = None

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The result's columns."""
        return self._columns

    def values_of(self, block: Any) -> list[list[Any]]:
        """Return a block's values by column; a list of rows unless a subclass knows better."""
        return [list(values) for values in zip(*block, strict=True)]

    def settle(self, block: Any, is_all: bool) -> pa.Schema:
        """See :class:`Decoder`."""
        import pyarrow as pa

        columns = self.values_of(block) if block is not None else [[] for _ in self._columns]
        types = [self._type(i, c, v, is_all) for i, (c, v) in enumerate(zip(self._columns, columns, strict=True))]
        self.schema = pa.schema(list(zip((c.name for c in self._columns), types, strict=True)))
        return self.schema

    def _type(self, position: int, column: ResultColumn, values: list[Any], is_all: bool) -> pa.DataType:
        if position in self._declared:
            return self._declared[position]
        return settled_type(column.type, values, is_all, self._zone)

    def batch(self, block: Any) -> pa.RecordBatch:
        """See :class:`Decoder`."""
        import pyarrow as pa

        assert self.schema is not None
        arrays = []
        for position, (column, values) in enumerate(zip(self._columns, self.values_of(block), strict=True)):
            arrays.append(typed_array(column.type, values, self.schema.field(position).type, position))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def settled_type(kind: LogicalType, values: list[Any], is_all: bool, zone: str) -> pa.DataType:
    """Return the type of a column of which these are the first values, as ``to_arrow`` would choose it."""
    import pyarrow as pa

    from datapilot_kernel.sources.arrow import array_of

    if kind == "timestamptz":
        return pa.timestamp("us", tz=zone)
    chosen = array_of(kind, values).type
    if kind == "array" and not is_all and pa.types.is_null(getattr(chosen, "value_type", chosen)):
        return pa.list_(pa.string())
    if kind == "decimal" and pa.types.is_decimal(chosen) and not is_all:
        return pa.decimal128(38, max(chosen.scale, OPEN_SCALE)) if chosen.scale < 38 else chosen
    return chosen


def typed_array(kind: LogicalType, values: list[Any], wanted: pa.DataType, position: int) -> pa.Array:
    """Return values as an array of just this type. Raises ColumnChanged."""
    import pyarrow as pa

    from datapilot_kernel.sources.arrow import array_of

    try:
        if pa.types.is_decimal(wanted):
            return pa.array([_scaled(value, wanted.scale) for value in values], wanted)
        if kind in {"text", "other", "json", "time"} or (pa.types.is_string(wanted) and kind != "binary"):
            made = array_of("text" if pa.types.is_string(wanted) and kind == "time" else kind, values)
            return made if made.type == wanted else made.cast(wanted)
        return pa.array(values, wanted)
    except (pa.ArrowException, OverflowError, TypeError, ValueError, ArithmeticError):
        pass
    raise ColumnChanged(position)


def _scaled(value: Any, scale: int) -> Decimal | None:
    """Return a decimal with so many digits after the point, rounded if it had more; None if it is not a number."""
    if value is None:
        return None
    number = Decimal(value)
    if not number.is_finite():
        return None
    if -number.as_tuple().exponent <= scale:  # type: ignore[operator]  # finite: the exponent is a number
        return number
    with localcontext(prec=100) as context:
        return number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_EVEN, context)
