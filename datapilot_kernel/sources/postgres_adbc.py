"""PostgreSQL's large results through ADBC's driver, where it is installed: twice as fast as COPY read by psycopg.

It is a libpq of its own, so it gets a connection of its own with the same arguments (checked address, TLS, nothing of our
environment), the same session settings, a read-only transaction and the same time limit; psycopg's connection has described
the statement and stops it (``pg_cancel_backend``, over TLS as all else). It is used only where every column is of a type
that it hands on unharmed: it gives ``money`` in hundredths, whole numbers of type ``oid`` in 31 bits, and ``infinity`` as a
wrapped-around date, which is recognised here. Everything else, and every machine without the driver, takes the road of
:mod:`datapilot_kernel.sources.postgres_stream`.
"""

from __future__ import annotations

from contextlib import closing, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from datapilot_kernel.errors import Cancelled, DataPilotError
from datapilot_kernel.sources.calendar_ends import DAYS, MICROS, within
from datapilot_kernel.sources.model import Limits, ResultColumn
from datapilot_kernel.sources.pooled import Stopper
from datapilot_kernel.sources.postgres import SETTINGS
from datapilot_kernel.sources.problems import POSTGRES_CLASSES, POSTGRES_STATES, problem
from datapilot_kernel.sources.streams import ColumnChanged, Emitter, typed_array

if TYPE_CHECKING:
    import pyarrow as pa
    from psycopg import Connection

_NUMERIC = 1700
_FAST = {16, 20, 21, 23, 25, 701, 1042, 1043, 1082, 1114, 1184, _NUMERIC}
_BATCH_BYTES = 1 << 20
_ASKED_TIMES = 10
# PostgreSQL counts from 2000, Arrow from 1970: the driver adds the difference, and infinities wrap around.
_DAY_SHIFT, _MICRO_SHIFT = 10_957, 946_684_800_000_000
_DAY_ENDS = (-(2**31) + _DAY_SHIFT, -(2**31) + _DAY_SHIFT - 1)
_MICRO_ENDS = (-(2**63) + _MICRO_SHIFT, -(2**63) + _MICRO_SHIFT - 1)


def can_stream(oids: list[int], modifiers: list[int]) -> bool:
    """Tell whether the driver is there, and hands on all these types unharmed."""
    if not all(o in _FAST and (o != _NUMERIC or m >= 4) for o, m in zip(oids, modifiers, strict=True)) or not oids:
        return False
    return find_spec("adbc_driver_postgresql") is not None


class BatchDecoder:
    """The driver's batches, brought to this package's types. See :class:`datapilot_kernel.sources.streams.Decoder`."""

    def __init__(self, columns: tuple[ResultColumn, ...], types: list[Any]) -> None:
        self._columns, self._types = columns, types

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The result's columns."""
        return self._columns

    def settle(self, block: Any, is_all: bool) -> pa.Schema:
        """Return the types: all of them are declared."""
        import pyarrow as pa

        self._schema = pa.schema(list(zip((c.name for c in self._columns), self._types, strict=True)))
        return self._schema

    def batch(self, block: Any) -> pa.RecordBatch:
        """Return a batch in this package's types."""
        import pyarrow as pa

        if block.num_columns != len(self._types):
            raise ColumnChanged(0)
        arrays = [_brought(block.column(i), wanted, i, self._columns[i]) for i, wanted in enumerate(self._types)]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _brought(values: Any, wanted: Any, position: int, column: ResultColumn) -> Any:
    import pyarrow as pa

    values = getattr(values, "storage", values)
    try:
        if pa.types.is_date32(wanted):
            return within(values.cast(pa.int32()), pa.int32(), DAYS, _DAY_ENDS).cast(wanted)
        if pa.types.is_timestamp(wanted):
            bare = values if values.type.tz is None else values.cast(pa.timestamp(values.type.unit, tz="UTC"))
            moments = within(bare.cast(pa.int64()), pa.int64(), MICROS, _MICRO_ENDS)
            return moments.cast(pa.timestamp("us")).cast(wanted)
        return values if values.type == wanted else values.cast(wanted)
    except pa.ArrowException:
        pass
    if pa.types.is_decimal(wanted) and pa.types.is_string(values.type):
        return typed_array(column.type, values.to_pylist(), wanted, position)  # NaN
    raise ColumnChanged(position)


def uri_of(arguments: dict[str, Any]) -> str:
    """Return libpq's address for connection arguments. Holds the password: given to the driver, and nowhere else."""
    pairs = "&".join(f"{quote(k, safe='')}={quote(str(v), safe='')}" for k, v in arguments.items())
    return f"postgresql:///?{pairs}"


def stream(
    connection: Connection[Any], arguments: dict[str, Any], zone: str, sql: str, limits: Limits, emitter: Emitter
) -> bool:
    """Read the result of one statement into the emitter; return whether a cap cut it.

    ``connection`` is psycopg's, inside its transaction; it stops the statement when that is asked.
    """
    import adbc_driver_manager
    from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]  # it ships none

    failed: DataPilotError
    try:
        with closing(dbapi.connect(uri_of(arguments), autocommit=True)) as reading:
            return _read(reading, connection, zone, sql, limits, emitter)
    except adbc_driver_manager.Error as error:
        failed = _translated(error)
    except OSError as error:
        failed = _translated(error)
    if emitter.token.cancelled:
        raise Cancelled
    raise failed


def _read(reading: Any, connection: Connection[Any], zone: str, sql: str, limits: Limits, emitter: Emitter) -> bool:
    with closing(reading.cursor()) as cursor:
        for setting in (*SETTINGS.split(";"), f"SET timezone = '{zone}'"):
            if setting.strip():
                cursor.execute(setting)
        cursor.execute("SELECT pg_catalog.pg_backend_pid()")
        backend = int(cursor.fetchone()[0])

        # Idle in a transaction it would be ended by its time limit, and could stop nothing.
        connection.execute("ROLLBACK")

        def stop() -> None:
            # Whoever cancels also asks the server to stop what this connection does: that may hit the asking itself.
            for _ in range(_ASKED_TIMES):
                with suppress(Exception):
                    connection.execute("SELECT pg_catalog.pg_cancel_backend(%s)", (backend,))
                    return

        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(f"SET LOCAL statement_timeout = {max(1, limits.timeout_ms)}")
        cursor.execute(f"SET LOCAL lock_timeout = {max(1, limits.lock_timeout_ms)}")
        cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": _BATCH_BYTES})
        # Again and again: a request that comes before the statement does is forgotten by the server.
        stopper = Stopper(stop, lambda: None)
        release = emitter.token.on_cancel(stopper.start)
        try:
            # A line of its own behind it: the driver puts the statement into COPY's brackets.
            cursor.execute(f"{sql}\n")
            # The driver's reader, whose errors carry the SQLSTATE; what fetch_record_batch gives raises a bare OSError.
            truncated = _hand_on(cursor._results.reader, limits, emitter)
            if truncated:
                stop()
            return truncated
        finally:
            release()
            stopper.finish()


def _hand_on(reader: Any, limits: Limits, emitter: Emitter) -> bool:
    left_rows, left_bytes = limits.max_rows, limits.max_bytes
    for batch in reader:
        if not batch.num_rows:
            continue
        size = batch.nbytes
        if batch.num_rows > left_rows or size > left_bytes:
            kept = min(left_rows, batch.num_rows * left_bytes // max(1, size))
            if kept:
                emitter.block(batch.slice(0, kept))
            return True
        emitter.block(batch)
        left_rows, left_bytes = left_rows - batch.num_rows, left_bytes - size
    return False


def _translated(error: Exception) -> DataPilotError:
    """Return our error: by SQLSTATE; a driver that gives none has lost the connection. Its text goes nowhere."""
    state = str(getattr(error, "sqlstate", None) or "")
    key = POSTGRES_STATES.get(state) or POSTGRES_CLASSES.get(state[:2], "connection_lost")
    return problem(key, f"postgres adbc {type(error).__name__} {state or '-'}")
