"""Whole results, beyond an answer's row limit: read from the source in batches, encoded, sent on as they come.

The road is the same as for an answer: let in, in line, the engine of the person's rights, guard, source, written down. What
differs: the guard's row limit and the time limit are those of frames, and where the engine executes its statement a stream
begins (:class:`FrameSource`) that this module reads to its end. Nothing is whole in memory but a workbook's own file, which
is on the disk.

Frames have a line of their own (:mod:`scheduler`): a slow client holds a connection of its source for minutes, and must not
hold up questions. A tenant has at most half of it.

The last piece (Arrow's end-of-stream mark, Parquet's footer) is sent after the end was written down: what could not be
written, or broke on the way, is a stream that is cut, and every reader of these formats notices.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any, Protocol

from datapilot_kernel.answers.exports import to_csv
from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.engine.outcome import Answer, Failure, Outcome
from datapilot_kernel.errors import DataPilotError, Refused, SourceProblem
from datapilot_kernel.messages import current_language
from datapilot_kernel.sources import CancelToken, Dialect, Limits, OpenedSource, ResultTable
from datapilot_kernel.sources.arrow_reading import arrow_to_table
from hub_config.queries.engines import allow_rows
from hub_config.queries.renderings import Format, Workbook, storable

if TYPE_CHECKING:
    import pyarrow as pa

    from datapilot_kernel.engine import Engine
    from datapilot_kernel.sources.model import LogicalType
    from datapilot_kernel.sources.streams import ArrowStream

_PIECE_BYTES = 1024 * 1024


class FrameSource:
    """A source whose ``execute`` begins a stream and gives back its columns without rows."""

    def __init__(self, inner: OpenedSource, limits: Limits) -> None:
        self._inner = inner
        self._limits = limits
        self.stream: ArrowStream | None = None
        self.sql: str | None = None

    @property
    def dialect(self) -> Dialect:
        """Which SQL it speaks."""
        return self._inner.dialect

    @property
    def name(self) -> str:
        """For people."""
        return self._inner.name

    @property
    def default_schema(self) -> str:
        """The schema of unqualified names."""
        return self._inner.default_schema

    def execute(self, sql: str, *, limits: Limits | None = None, cancel: CancelToken | None = None) -> ResultTable:
        """Begin to read; the rows come from :attr:`stream`."""
        if self.stream is not None:
            self.stream.close()
        self.sql = sql
        self.stream = self._inner.stream_arrow(sql, limits=self._limits, cancel=cancel)
        return ResultTable(self.stream.columns, [])

    def explain(self, sql: str, *, cancel: CancelToken | None = None) -> Any:
        """Return the engine's own plan of a statement."""
        return self._inner.explain(sql, cancel=cancel)

    def introspect_rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one of our own catalog queries."""
        return self._inner.introspect_rows(sql, parameters)

    def close(self) -> None:
        """Stop reading. The source stays open: it is the tenant's."""
        if self.stream is not None:
            self.stream.close()


def streaming(engine: Engine, inner: OpenedSource, limits: Limits) -> tuple[Engine, FrameSource]:
    """Return an engine of the same rights whose statements are streamed, and the source that holds the stream."""
    source = FrameSource(inner, limits)
    twin = copy(engine)
    twin.source = source
    twin.limits = limits
    allow_rows(twin, limits.max_rows)
    return twin, source


def refused(outcome: Outcome) -> DataPilotError:
    """Return the error of a frame that the engine did not begin."""
    error: DataPilotError
    if isinstance(outcome, Failure):
        error = SourceProblem("queries.frame_failed", message=outcome.message, log=f"frame: {outcome.reason}")
    else:
        error = Refused("queries.frame_refused", message=outcome.message, log="frame refused")
    error.reason = str(getattr(outcome, "reason", error.reason))
    return error


# ── encoders ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Encoder(Protocol):
    """Makes a file of batches; :meth:`take` gives what is ready to be sent."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Encode a batch."""

    def finish(self) -> None:
        """Encode the end."""

    def take(self) -> Iterator[bytes]:
        """Give out what is encoded and not yet given out."""


class _Sink:
    """A file that is read as it is written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size_bytes = 0
        self.closed = False

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self.pieces.append(piece)
        self.size_bytes += len(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing to do: what is written can be read."""

    def close(self) -> None:
        self.closed = True

    def tell(self) -> int:
        return self.size_bytes

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def take(self) -> Iterator[bytes]:
        pieces, self.pieces = self.pieces, []
        if pieces:
            yield b"".join(pieces)


class _Arrow:
    def __init__(self, schema: pa.Schema) -> None:
        import pyarrow as pa

        self._sink = _Sink()
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._sink, mode="w"), schema)
        self._schema = schema

    def add(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def finish(self) -> None:
        self._writer.close()

    def take(self) -> Iterator[bytes]:
        return self._sink.take()


class _Parquet:
    _ROWS = 131_072

    def __init__(self, schema: pa.Schema) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._sink = _Sink()
        wanted = storable(schema.empty_table()).schema
        self._writer = pq.ParquetWriter(pa.PythonFile(self._sink, mode="w"), wanted, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._schema = schema

    def add(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._rows += batch.num_rows
        if self._rows >= self._ROWS:
            self._write()

    def _write(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._writer.write_table(storable(pa.Table.from_batches(self._waiting, self._schema)))
        self._waiting, self._rows = [], 0

    def finish(self) -> None:
        self._write()
        self._writer.close()

    def take(self) -> Iterator[bytes]:
        return self._sink.take()


@dataclass
class Described:
    """What a frame's columns are, for the forms that people read."""

    columns: tuple[AnswerColumn, ...]
    types: tuple[LogicalType, ...]
    formatter: Formatter


class _Csv:
    def __init__(self, described: Described) -> None:
        self._described = described
        self._heading = to_csv(described.columns, ResultTable((), []), described.formatter)
        self._ready = [self._heading]

    def add(self, batch: pa.RecordBatch) -> None:
        whole = to_csv(self._described.columns, _rows(batch, self._described.types), self._described.formatter)
        self._ready.append(whole[len(self._heading) :])

    def finish(self) -> None:
        """Nothing more."""

    def take(self) -> Iterator[bytes]:
        ready, self._ready = self._ready, []
        yield from ready


class _Xlsx:
    def __init__(self, described: Described) -> None:
        self._described = described
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 -- given out by take()
        self._book = Workbook(self._file, described.columns, described.formatter)
        self._finished = False

    def add(self, batch: pa.RecordBatch) -> None:
        for row in _rows(batch, self._described.types).rows:
            self._book.write(row)

    def finish(self) -> None:
        self._book.__exit__()
        self._finished = True

    def take(self) -> Iterator[bytes]:
        if self._finished:
            self._file.seek(0)
            while piece := self._file.read(_PIECE_BYTES):
                yield piece
            self._file.close()


def _rows(batch: pa.RecordBatch, types: tuple[LogicalType, ...]) -> ResultTable:
    import pyarrow as pa

    return arrow_to_table(pa.Table.from_batches([batch]), types)


def encoder(kind: Format, stream: ArrowStream, answer: Answer, engine: Engine) -> Encoder:
    """Return what makes a file of this kind."""
    if kind == "arrow":
        return _Arrow(stream.schema)
    if kind == "parquet":
        return _Parquet(stream.schema)
    layer = engine.layer
    formatter = Formatter(language=current_language(), currency=layer.currency, calendar=layer.calendar)
    columns = tuple(replace(c, type=s.type) for c, s in zip(answer.columns, stream.columns, strict=True))
    described = Described(columns, tuple(c.type for c in stream.columns), formatter)
    return _Csv(described) if kind == "csv" else _Xlsx(described)


@dataclass
class Pumped:
    """What was read."""

    row_count: int
    truncated: bool
    source_ms: float


def pump(stream: ArrowStream, made: Encoder, put: Callable[[bytes], None]) -> Pumped:
    """Read a stream to its end, encode it, hand on all but what :meth:`Encoder.finish` makes."""
    began = time.perf_counter()
    waiting, size_bytes, wanted_bytes = [], 0, 0
    try:
        for batch in stream:
            made.add(batch)
            for piece in made.take():
                waiting.append(piece)
                size_bytes += len(piece)
            # The first at once, so that the client hears of it; then in larger pieces: each costs a change of threads.
            if size_bytes > wanted_bytes:
                put(b"".join(waiting))
                waiting, size_bytes, wanted_bytes = [], 0, _PIECE_BYTES
        if waiting:
            put(b"".join(waiting))
    finally:
        stream.close()
    return Pumped(stream.row_count, stream.truncated, (time.perf_counter() - began) * 1000)
