"""PostgreSQL's large results: ``COPY (statement) TO STDOUT`` in CSV form, read by psycopg, parsed by Arrow.

The statement is described first, by itself: that gives the columns with their types, and it is where a text that is not one
statement fails, before it is put between COPY's brackets. Both go out with the extended protocol, which takes one statement.
COPY makes the server write its text form, so every type is what ``execute`` gets too; CSV keeps NULL (nothing) and the empty
text (two quotes) apart.

Arrow's parser reads whole numbers, decimals, dates and times straight into their types. A block that holds what it does not
know (``infinity``, ``NaN`` in a decimal, years before Christ) is read once more as text and goes through psycopg's own
loaders, value by value, as ``execute`` does; so do intervals, arrays, bytes and money, always.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from datapilot_kernel.sources.location import DatabaseLocation
from datapilot_kernel.sources.model import Limits, ResultColumn
from datapilot_kernel.sources.postgres import TYPES, connect_arguments
from datapilot_kernel.sources.streams import OPEN_SCALE, ColumnChanged, Emitter, settled_type, typed_array

if TYPE_CHECKING:
    import pyarrow as pa
    from psycopg import Connection
    from psycopg.pq.abc import PGconn, PGresult

# Small enough to stay in the processor's cache: blocks of 4 MiB took half as long again.
_BLOCK_BYTES = 256 << 10
_NUMERIC, _MONEY, _TIMETZ = 1700, 790, 1266


def stream(
    connection: Connection[Any], where: DatabaseLocation, sql: str, limits: Limits, emitter: Emitter, zone: str
) -> bool:
    """Read the result of one statement into the emitter; return whether a cap cut it."""
    from datapilot_kernel.sources import postgres_adbc

    described = connection.wait(_describe(connection.pgconn, sql.encode()))
    decoder = CopyDecoder(connection, described, zone)
    if postgres_adbc.can_stream(decoder.oids, decoder.modifiers):
        emitter.begin(postgres_adbc.BatchDecoder(decoder.columns, decoder.declared()))
        return postgres_adbc.stream(connection, connect_arguments(where), zone, sql, limits, emitter)
    emitter.begin(decoder)
    connection.wait(_copy(connection.pgconn, sql.encode()))
    truncated = _read(connection, limits, emitter)
    if truncated:
        _drop_the_rest(connection)
    else:
        connection.wait(_last(connection.pgconn))
    return truncated


def _describe(pgconn: PGconn, sql: bytes) -> Generator[Any, Any, PGresult]:
    from psycopg import generators

    pgconn.send_prepare(b"", sql)
    yield from _results(pgconn)
    pgconn.send_describe_prepared(b"")
    yield from generators.send(pgconn)
    return (yield from _last(pgconn))


def _results(pgconn: PGconn) -> Generator[Any, Any, None]:
    from psycopg import generators

    yield from generators.send(pgconn)
    yield from _last(pgconn)


def _last(pgconn: PGconn) -> Generator[Any, Any, PGresult]:
    """Return the one result of what was sent; raise the statement's error."""
    from psycopg import errors, generators, pq

    last: PGresult | None = None
    while (result := (yield from generators.fetch(pgconn))) is not None:
        if last is None or last.status != pq.ExecStatus.FATAL_ERROR:
            last = result
    assert last is not None, "the server answers what is sent"
    if last.status == pq.ExecStatus.FATAL_ERROR:
        raise errors.error_from_result(last, encoding="utf-8")
    return last


def _copy(pgconn: PGconn, sql: bytes) -> Generator[Any, Any, None]:
    from psycopg import errors, generators, pq

    # A line of its own: the statement may end with a comment.
    pgconn.send_query_params(b"COPY (" + sql + b"\n) TO STDOUT (FORMAT csv)", None)
    yield from generators.send(pgconn)
    result = yield from generators.fetch(pgconn)
    if result is not None and result.status == pq.ExecStatus.COPY_OUT:
        return
    while (yield from generators.fetch(pgconn)) is not None:
        pass
    if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
        raise errors.error_from_result(result, encoding="utf-8")
    raise errors.FeatureNotSupported


def _read(connection: Connection[Any], limits: Limits, emitter: Emitter) -> bool:
    """Hand on the rows (a message each) in blocks, up to the caps; return whether one cut it."""
    get = connection.pgconn.get_copy_data
    left_rows, left_bytes, count = limits.max_rows, limits.max_bytes, 0
    while count >= 0:
        rows: list[Any] = []
        add, size = rows.append, 0
        # The one loop that runs for every row: nothing in it that can be done once per block.
        while size < _BLOCK_BYTES:
            count, row = get(1)
            if count > 0:
                add(row)
                size += count
            elif count == 0:
                connection.wait(_arrival(connection.pgconn))
            else:
                break
        kept = _within(rows, size, left_rows, left_bytes)
        if kept:
            lines = b"".join(rows[:kept])
            left_rows, left_bytes = left_rows - kept, left_bytes - len(lines)
            emitter.block((kept, lines))
        if kept < len(rows):
            return True
    return False


def _within(rows: Sequence[Any], size: int, left_rows: int, left_bytes: int) -> int:
    """Return how many of the rows the caps leave."""
    if size <= left_bytes:
        return min(len(rows), left_rows)
    kept = 0
    for kept, row in enumerate(rows[:left_rows]):
        left_bytes -= len(row)
        if left_bytes < 0:
            return kept
    return kept + 1


def _arrival(pgconn: PGconn) -> Generator[Any, Any, None]:
    from psycopg.waiting import Wait

    while not (yield Wait.R):
        pass
    pgconn.consume_input()


def _drop_the_rest(connection: Connection[Any]) -> None:
    """Stop a statement whose cap is reached; the connection is usable afterwards."""
    import psycopg

    connection.cancel_safe(timeout=4.0)
    count = 0
    while count >= 0:
        count, _ = connection.pgconn.get_copy_data(1)
        if count == 0:
            connection.wait(_arrival(connection.pgconn))
    try:
        connection.wait(_last(connection.pgconn))
    except psycopg.errors.QueryCanceled:
        return


class CopyDecoder:
    """Blocks of CSV lines as batches. See :class:`datapilot_kernel.sources.streams.Decoder`."""

    def __init__(self, connection: Connection[Any], described: PGresult, zone: str) -> None:
        from psycopg.adapt import Transformer
        from psycopg.pq import Format

        places = range(described.nfields)
        self.oids = [described.ftype(i) for i in places]
        self.modifiers = [described.fmod(i) for i in places]
        names = [(described.fname(i) or b"").decode() for i in places]
        kinds = [TYPES.get(oid, "text") for oid in self.oids]
        self._columns = tuple(ResultColumn(n, k) for n, k in zip(names, kinds, strict=True))
        self._zone = zone
        transformer = Transformer(connection)
        self._loaders = [transformer.get_loader(oid, Format.TEXT) for oid in self.oids]
        self._schema: pa.Schema | None = None
        self._csv_types: dict[str, Any] = {}

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The result's columns."""
        return self._columns

    def declared(self) -> list[Any]:
        """Return by position the type that the description gives a column; None: it depends on the values."""
        return [self._declared(position) for position in range(len(self._columns))]

    def settle(self, block: Any, is_all: bool) -> pa.Schema:
        """Choose the types: from the description, and for what it leaves open from the first block."""
        import pyarrow as pa

        types = self.declared()
        opened = [position for position, wanted in enumerate(types) if wanted is None]
        texts = self._texts(block) if opened and block is not None else None
        for position in opened:
            values = self._loaded(position, texts.column(position)) if texts is not None else []
            types[position] = settled_type(self._columns[position].type, values, is_all, self._zone)
        self._schema = pa.schema([(column.name, wanted) for column, wanted in zip(self._columns, types, strict=True)])
        self._csv_types = {str(i): self._read_as(i, wanted) for i, wanted in enumerate(self._schema.types)}
        return self._schema

    def _declared(self, position: int) -> Any:
        """Return the type that the description gives a column; None: it depends on the values."""
        import pyarrow as pa

        match self._columns[position].type:
            case "integer":
                return pa.int64()
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
            case "interval":
                return pa.duration("us")
            case "binary":
                return pa.binary()
            case "decimal":
                return self._decimal(self.oids[position], self.modifiers[position])
            case "array":
                return None
            case _:
                return pa.string()

    @staticmethod
    def _decimal(oid: int, modifier: int) -> Any:
        import pyarrow as pa

        if oid == _MONEY:
            return pa.decimal128(38, 2)
        if modifier < 4:
            return None
        # numeric's typmod: ((precision << 16) | (scale & 0x7ff)) + 4, the scale signed in eleven bits.
        precision, scale = (modifier - 4) >> 16 & 0xFFFF, ((modifier - 4) & 0x7FF ^ 0x400) - 0x400
        precision, scale = (precision - scale, 0) if scale < 0 else (max(precision, scale), scale)
        if precision <= 38:
            return pa.decimal128(38, scale)
        return pa.decimal256(76, scale) if precision <= 76 and scale <= 75 else None

    def _read_as(self, position: int, wanted: Any) -> Any:
        """Return what the CSV parser makes of a column: its type, or text when values go through the loaders."""
        import pyarrow as pa

        by_value = self._columns[position].type in {"interval", "binary", "array"}
        if by_value or self.oids[position] in {_MONEY, _TIMETZ} or pa.types.is_decimal256(wanted):
            return pa.string()
        if self.oids[position] == _NUMERIC and self.modifiers[position] < 4 and wanted.scale >= OPEN_SCALE:
            # More digits than the scale has are rounded, which the parser does not do.
            return pa.string()
        return wanted

    def batch(self, block: Any) -> pa.RecordBatch:
        """Return a block in Arrow's form."""
        import pyarrow as pa

        assert self._schema is not None
        try:
            table = self._parsed(block, self._csv_types)
        except pa.ArrowInvalid:
            table = None
        if table is None:
            table = self._texts(block)
        arrays = [self._finished(position, table.column(position)) for position in range(len(self._columns))]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _finished(self, position: int, column: Any) -> Any:
        import pyarrow as pa

        assert self._schema is not None
        wanted = self._schema.field(position).type
        whole = column.combine_chunks()
        whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
        if whole.type == wanted and not (pa.types.is_string(wanted) and self._columns[position].type == "array"):
            return whole
        return typed_array(self._columns[position].type, self._loaded(position, column), wanted, position)

    def _loaded(self, position: int, texts: Any) -> list[Any]:
        from psycopg import Error

        load = self._loaders[position].load
        try:
            return [None if text is None else load(text.encode()) for text in texts.to_pylist()]
        except Error:
            pass
        raise ColumnChanged(position)

    def _texts(self, block: Any) -> Any:
        import pyarrow as pa

        return self._parsed(block, {str(position): pa.string() for position in range(len(self._columns))})

    def _parsed(self, block: Any, types: dict[str, Any]) -> Any:
        import pyarrow as pa
        from pyarrow import csv

        _, lines = block
        return csv.read_csv(
            pa.py_buffer(lines),
            read_options=csv.ReadOptions(column_names=list(types), block_size=max(len(lines) + 1, 1024)),
            parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
                true_values=["t"], false_values=["f"],
            ),
        )  # fmt: skip
