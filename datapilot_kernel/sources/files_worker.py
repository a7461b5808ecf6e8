"""The process that runs statements over files: DuckDB, shut in, and nothing else.

Started by :mod:`datapilot_kernel.sources.files` as a script (``python -I files_worker.py``), so it imports nothing of
this package and starts fast. It reads frames on standard input and answers on standard output; a frame is four bytes of
length and that many bytes of JSON. No pickle, in either direction: the parent trusts nothing that comes from here.

First frame: ``{"path", "memory_bytes", "threads", "temp", "time_zone"}``; answered ``{"ready": true}`` or ``{"error"}``.
Then, one at a time: ``{"id", "sql", "parameters", "max_rows", "max_bytes", "kinds"}``, answered ``{"id", "columns":
[[name, kind]…], "data": [values of one column]…, "truncated"}`` or ``{"id", "error": class}``; and at any time
``{"interrupt": id}``. End of input ends the process, whatever it is doing.

A job with ``"stream": true`` is answered by many frames: ``{"id", "columns", "arrow"}``; then blocks, each
``{"id", "ipc": n}`` followed by n bytes of Arrow's stream format (``arrow`` true: every type is one that Arrow has) or
``{"id", "data"}``; at the end ``{"id", "end": true, "truncated"}``, or ``{"id", "error"}`` at any time.

Walls here: the database file is opened read-only; external access, extensions and replacement scans are off; memory and
threads are bounded; the configuration is locked; exactly one statement of a permitted kind runs. An error is its class
name: DuckDB's texts quote values and never leave this process.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import re
import resource
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, BinaryIO

_CHUNK_ROWS = 2_000
_STREAM_ROWS = 16_384

_KINDS = (
    ("DECIMAL", "decimal"), ("TIMESTAMP WITH TIME ZONE", "timestamptz"), ("TIMESTAMP", "timestamp"), ("TIME", "time"),
    ("DATE", "date"), ("BOOLEAN", "boolean"), ("DOUBLE", "float"), ("FLOAT", "float"), ("INTERVAL", "interval"),
    ("BLOB", "binary"), ("JSON", "json"), ("VARCHAR", "text"), ("UUID", "text"), ("ENUM", "text"), ("BIT", "text"),
    ("BIGNUM", "integer"), ("TINYINT", "integer"), ("SMALLINT", "integer"), ("INTEGER", "integer"),
    ("BIGINT", "integer"), ("HUGEINT", "integer"), ("UTINYINT", "integer"), ("USMALLINT", "integer"),
    ("UINTEGER", "integer"), ("UBIGINT", "integer"), ("UHUGEINT", "integer"), ("STRUCT", "json"), ("MAP", "json"),
    ("UNION", "json"), ('"NULL"', "text"), ("NULL", "text"),
)  # fmt: skip


# What Arrow writes with the same values; the others (intervals, lists, structures, bits…) go as values.
_ARROW = re.compile(
    r"(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DECIMAL\(\d+,\d+\)|DOUBLE|FLOAT|VARCHAR|UUID|BOOLEAN|DATE|TIME|BLOB"
    r"|TIMESTAMP(_S|_MS|_NS)?|TIMESTAMP WITH TIME ZONE)"
)


def kind_of(native: str) -> str:
    """Return the logical type for DuckDB's name of a type."""
    if native.endswith("]"):
        return "array"
    return next((kind for prefix, kind in _KINDS if native.startswith(prefix)), "other")


def read_frame(stream: BinaryIO) -> Any:
    """Return the next frame; None at the end of the stream."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    body = stream.read(struct.unpack(">I", head)[0])
    return json.loads(body)


def write_frame(stream: BinaryIO, frame: Any, *, flush: bool = True) -> None:
    """Send one frame."""
    body = json.dumps(frame, separators=(",", ":"), default=_nested).encode()
    stream.write(struct.pack(">I", len(body)) + body)
    if flush:
        stream.flush()


def _nested(value: Any) -> Any:
    """Values inside lists and structures, as JSON knows them."""
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    return str(value)


def _encoded(kind: str, values: list[Any]) -> list[Any]:
    if kind == "decimal":
        return [None if v is None else str(v) for v in values]
    if kind in {"date", "timestamp", "time"}:
        return [v if v is None or isinstance(v, str) else v.isoformat() for v in values]
    if kind == "timestamptz":
        return [v if v is None or isinstance(v, str) else v.astimezone(timezone.utc).isoformat() for v in values]  # noqa: UP017
    if kind == "interval":
        return [None if v is None else [v.days, v.seconds, v.microseconds] for v in values]
    if kind == "binary":
        return [None if v is None else base64.b64encode(v).decode() for v in values]
    if kind in {"text", "other"}:
        return [v if v is None or isinstance(v, str) else str(v) for v in values]
    return values


def _size(kind: str, values: list[Any]) -> int:
    if kind in {"text", "binary", "json", "array", "other"}:
        return 8 * len(values) + sum(len(v) if isinstance(v, (str, bytes, list)) else 8 for v in values)
    return 8 * len(values)


class Worker:
    """One connection, one statement at a time; interrupts arrive on the reading thread."""

    def __init__(self, source: BinaryIO, target: BinaryIO) -> None:
        self._source, self._target = source, target
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running: tuple[int, Any] | None = None
        self._duckdb: Any = None
        self._connection: Any = None

    def serve(self) -> None:
        """Answer until the input ends."""
        # The core module alone loads in a fifth of the package's time; what the package adds is not used here.
        try:
            import _duckdb as duckdb
        except ImportError:
            import duckdb  # type: ignore[no-redef]  # the same names

        self._duckdb = duckdb
        configuration = read_frame(self._source)
        if configuration is None:
            return
        try:
            self._open(configuration)
        except (duckdb.Error, OSError, MemoryError) as error:
            write_frame(self._target, {"error": type(error).__name__})
            return
        write_frame(self._target, {"ready": True})
        threading.Thread(target=self._listen, daemon=True).start()
        while (job := self._jobs.get()) is not None:
            self._answer(job)

    def _open(self, configuration: dict[str, Any]) -> None:
        memory = int(configuration["memory_bytes"])
        # A backstop behind DuckDB's own limit: a process that runs away meets its own wall, not the machine's.
        roof = memory * 2 + (4 << 30)
        resource.setrlimit(resource.RLIMIT_AS, (roof, roof))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        connection = self._duckdb.connect(
            configuration["path"],
            read_only=True,
            config={
                "memory_limit": f"{max(64, memory >> 20)}MiB",
                "threads": str(max(1, int(configuration["threads"]))),
                "temp_directory": configuration["temp"],
                "max_temp_directory_size": "4GiB",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
                "allow_unsigned_extensions": "false",
                "python_enable_replacements": "false",
            },
        )
        connection.execute(f"SET GLOBAL TimeZone = '{configuration['time_zone']}'")
        # After the temporary directory is set: DuckDB takes no directory once the outside is shut.
        connection.execute("SET GLOBAL enable_external_access = false")
        connection.execute("SET GLOBAL lock_configuration = true")
        self._connection = connection

    def _listen(self) -> None:
        while (frame := read_frame(self._source)) is not None:
            if "interrupt" in frame:
                with self._lock:
                    if self._running is not None and self._running[0] == frame["interrupt"]:
                        self._running[1].interrupt()
            else:
                self._jobs.put(frame)
        # The parent is gone, or wants an end: a statement in progress must not outlive it.
        os._exit(0)

    def _answer(self, job: dict[str, Any]) -> None:
        cursor = self._connection.cursor()
        with self._lock:
            self._running = (job["id"], cursor)
        try:
            answer = self._stream(cursor, job) if job.get("stream") else self._run(cursor, job)
        except Exception as error:  # noqa: BLE001 -- the process's edge: the parent gets the class of whatever it was
            answer = {"error": type(error).__name__}
        finally:
            with self._lock:
                self._running = None
            cursor.close()
        answer["id"] = job["id"]
        write_frame(self._target, answer)

    def _statement(self, cursor: Any, job: dict[str, Any]) -> Any:
        statements = cursor.extract_statements(job["sql"])
        if len(statements) != 1 or statements[0].type.name not in job["kinds"]:
            raise self._duckdb.PermissionException("not one reading statement")
        return statements[0]

    def _stream(self, cursor: Any, job: dict[str, Any]) -> dict[str, Any]:
        """Send the result in blocks as DuckDB makes it; return the last frame."""
        # Relations, which give rows while they are made, are the package's, not the core module's.
        import duckdb  # noqa: F401

        statement = self._statement(cursor, job)
        relation = cursor.sql(statement.query)
        natives = [str(native) for native in relation.types]
        columns = [(str(n), kind_of(native)) for n, native in zip(relation.columns, natives, strict=True)]
        as_arrow = all(_ARROW.fullmatch(native) for native in natives)
        write_frame(self._target, {"id": job["id"], "columns": columns, "arrow": as_arrow})
        room, budget = int(job["max_rows"]), int(job["max_bytes"])
        send = self._arrow_blocks(job, relation) if as_arrow else self._value_blocks(job, cursor, statement, columns)
        for count, size, block in send:
            if count > room or size > budget:
                # A block that is beyond a cap by its rows is cut; by its bytes, it is left out.
                if size <= budget and room:
                    block(room)
                return {"end": True, "truncated": True}
            block(count)
            room, budget = room - count, budget - size
        return {"end": True, "truncated": False}

    def _arrow_blocks(self, job: dict[str, Any], relation: Any) -> Iterator[tuple[int, int, Callable[[int], None]]]:
        import pyarrow as pa

        def sender(batch: Any) -> Callable[[int], None]:
            def send(rows: int) -> None:
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, batch.schema) as writer:
                    writer.write_batch(batch.slice(0, rows))
                body = sink.getvalue()
                write_frame(self._target, {"id": job["id"], "ipc": body.size}, flush=False)
                self._target.write(body)
                self._target.flush()

            return send

        for batch in relation.to_arrow_reader(_STREAM_ROWS):
            yield batch.num_rows, batch.nbytes, sender(batch)

    def _value_blocks(
        self, job: dict[str, Any], cursor: Any, statement: Any, columns: list[tuple[str, str]]
    ) -> Iterator[tuple[int, int, Callable[[int], None]]]:
        def sender(data: list[list[Any]]) -> Callable[[int], None]:
            return lambda rows: write_frame(self._target, {"id": job["id"], "data": [values[:rows] for values in data]})

        cursor.execute(statement)
        while chunk := cursor.fetchmany(_CHUNK_ROWS):
            pairs = zip(columns, zip(*chunk, strict=True), strict=True)
            data = [_encoded(kind, list(values)) for (_, kind), values in pairs]
            size = sum(_size(kind, values) for (_, kind), values in zip(columns, data, strict=True))
            yield len(chunk), size, sender(data)

    def _run(self, cursor: Any, job: dict[str, Any]) -> dict[str, Any]:
        cursor.execute(self._statement(cursor, job), job["parameters"] or None)
        columns = [(str(d[0]), kind_of(str(d[1]))) for d in cursor.description]
        data: list[list[Any]] = [[] for _ in columns]
        room, budget, truncated = int(job["max_rows"]), int(job["max_bytes"]), False
        while chunk := cursor.fetchmany(min(_CHUNK_ROWS, room + 1)):
            if len(chunk) > room:
                chunk, truncated = chunk[:room], True
            room -= len(chunk)
            for into, (_, kind), values in zip(data, columns, zip(*chunk, strict=True), strict=False):
                encoded = _encoded(kind, list(values))
                budget -= _size(kind, encoded)
                into.extend(encoded)
            truncated = truncated or budget < 0
            if truncated:
                break
        return {"columns": columns, "data": data, "truncated": truncated}


def decoded(kind: str, values: list[Any]) -> list[Any]:
    """Return one column's values as plain Python (the parent's half of ``_encoded``)."""
    match kind:
        case "decimal":
            return [None if v is None else Decimal(v) for v in values]
        case "date":
            return [None if v is None else _parsed(date, v) for v in values]
        case "timestamp" | "timestamptz":
            return [None if v is None else _parsed(datetime, v) for v in values]
        case "time":
            return [None if v is None else time.fromisoformat(v) for v in values]
        case "interval":
            return [None if v is None else timedelta(v[0], v[1], v[2]) for v in values]
        case "binary":
            return [None if v is None else base64.b64decode(v) for v in values]
        case "json":
            return [json.loads(v) if isinstance(v, str) else v for v in values]
        case _:
            return values


def _parsed(kind: type[date], text: str) -> Any:
    """DuckDB's calendar is longer than Python's: its infinities are Python's ends, what else does not fit is None."""
    try:
        return kind.fromisoformat(text)
    except ValueError:
        return {"infinity": kind.max, "-infinity": kind.min}.get(text)


def moved(value: datetime | None, zone: tzinfo) -> datetime | None:
    """Return a moment in this time zone; the ends of Python's calendar, where there is no room to move, in UTC."""
    if value is None:
        return None
    if value.tzinfo is None:
        value = value.replace(tzinfo=timezone.utc)  # noqa: UP017
    try:
        return value.astimezone(zone)
    except OverflowError:
        return value


if __name__ == "__main__":
    Worker(sys.stdin.buffer, sys.stdout.buffer).serve()
