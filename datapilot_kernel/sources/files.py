"""Files, asked through DuckDB in a process of its own.

The database file (made by ``files_import``, or a person's own ``.duckdb``) is opened read-only by worker processes
(``files_worker``), each running one statement at a time. A statement that takes its process down is one failed statement:
the next one finds another process. Stopping interrupts the statement, and kills the process if that does not help.

A few processes at most, started when they are needed and kept; the first is started while the files are still being
imported, so that it waits for the first question and not the other way round.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import struct
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from datapilot_kernel.errors import Cancelled, DataPilotError, SourceProblem
from datapilot_kernel.sources import files_worker
from datapilot_kernel.sources.model import (
    CancelToken,
    Dialect,
    Limits,
    ResultColumn,
    ResultTable,
    RoleFinding,
)
from datapilot_kernel.sources.problems import duckdb_key, problem

if TYPE_CHECKING:
    from datapilot_kernel.sources.files_import.report import FilesOptions, ImportReport
    from datapilot_kernel.sources.streams import ArrowStream, Emitter

_START_S, _TURN_S, _KILL_S = 30.0, 0.05, 1.0
_LARGEST_ANSWER = 1 << 30


class _Lost(Exception):
    """The process ended or spoke nonsense."""


class _Process:
    """One worker process, from the parent's side. One thread at a time."""

    def __init__(self) -> None:
        kept = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "TZ", "LANG", "LC_ALL", "SYSTEMROOT")
        self._temp = tempfile.TemporaryDirectory(prefix="datapilot-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(  # noqa: S603 -- our own script, our own interpreter
            [sys.executable, "-I", files_worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # No secret of the parent's environment reaches it, and a Ctrl-C in the terminal does not either.
            env={name: os.environ[name] for name in kept if name in os.environ},
            start_new_session=True,
        )
        self._writing = threading.Lock()
        self.settings: tuple[int, int] | None = None
        self._ready = False

    @property
    def alive(self) -> bool:
        """False: it ended while nobody asked it anything."""
        return self._process.poll() is None

    def configure(self, path: Path, limits: Limits, time_zone: str) -> None:
        """Say what to open; the answer is awaited by the first statement."""
        self.settings = (limits.memory_bytes, limits.threads)
        self._send(
            {
                "path": str(path),
                "memory_bytes": limits.memory_bytes,
                "threads": limits.threads,
                "temp": self._temp.name,
                "time_zone": time_zone,
            }
        )

    def run(self, job: dict[str, Any], cancel: CancelToken, timeout_s: float) -> dict[str, Any]:
        """Run one statement.

        Raises
        ------
        _Lost
            The process ended; it was killed if it did not obey.
        SourceProblem
            The database file could not be opened.
        """
        self._await_ready()
        self._send(job)
        return self._receive(job, cancel, timeout_s)

    def _await_ready(self) -> None:
        if self._ready:
            return
        first = self._receive({"id": 0}, CancelToken(), _START_S)
        if "error" in first:
            raise problem(_opening_key(str(first["error"])), f"duckdb open {first['error']}")
        self._ready = True

    def _send(self, frame: dict[str, Any]) -> None:
        body = json.dumps(frame, default=str).encode()
        try:
            with self._writing:
                assert self._process.stdin is not None
                self._process.stdin.write(struct.pack(">I", len(body)) + body)
                self._process.stdin.flush()
        except (OSError, ValueError):
            raise _Lost from None

    def _receive(self, job: dict[str, Any], cancel: CancelToken, timeout_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        deadline = time.monotonic() + timeout_s
        stopping_since: float | None = None
        try:
            received, wanted = bytearray(), None
            while wanted is None or len(received) < wanted + 4:
                now = time.monotonic()
                if stopping_since is None and (cancel.cancelled or now > deadline):
                    stopping_since = now
                if stopping_since is not None:
                    if now - stopping_since > _KILL_S:
                        raise _Lost("InterruptException")
                    self._send({"interrupt": job["id"]})
                # In short turns: a person who cancels is noticed at the next one.
                if not poll.poll(_TURN_S * 1000):
                    continue
                block = os.read(descriptor, 1 << 20)
                if not block:
                    raise _Lost
                received += block
                if wanted is None and len(received) >= 4:
                    wanted = struct.unpack(">I", received[:4])[0]
                    if wanted > _LARGEST_ANSWER:
                        raise _Lost
            answer = json.loads(bytes(received[4:]))
        except ValueError:
            raise _Lost from None
        if not isinstance(answer, dict):
            raise _Lost
        if stopping_since is not None and not cancel.cancelled and "error" in answer:
            answer["error"] = "InterruptException"
        return answer

    def stream(self, job: dict[str, Any], token: CancelToken, timeout_s: float) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Run one statement and give its frames as they come, each with the bytes that follow it.

        After the last one (``end``, ``error``) the process is free again; one that is left before is of no more use.

        Raises
        ------
        _Lost
            The process ended, spoke nonsense, or took too long.
        Cancelled
            The token was cancelled.
        SourceProblem
            The database file could not be opened.
        """
        self._await_ready()
        self._send(job)
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        deadline, received = time.monotonic() + timeout_s, bytearray()

        def take(count: int) -> bytes:
            while len(received) < count:
                if token.cancelled:
                    raise Cancelled
                if time.monotonic() > deadline:
                    raise _Lost("InterruptException")
                if not poll.poll(_TURN_S * 1000):
                    continue
                block = os.read(descriptor, 1 << 20)
                if not block:
                    raise _Lost
                received.extend(block)
            taken = bytes(received[:count])
            del received[:count]
            return taken

        while True:
            size = struct.unpack(">I", take(4))[0]
            if size > _LARGEST_ANSWER:
                raise _Lost
            try:
                frame = json.loads(take(size))
                tail = take(min(int(frame.get("ipc", 0)), _LARGEST_ANSWER))
            except (ValueError, TypeError, AttributeError):
                raise _Lost from None
            yield frame, tail
            if "end" in frame or "error" in frame:
                return

    def end(self) -> None:
        """Kill it; safe twice."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._temp.cleanup()


def _end_all(processes: list[_Process]) -> None:
    while processes:
        processes.pop().end()


def _opening_key(error: str) -> str:
    return "file_locked_or_foreign" if error in {"IOException", "SerializationException"} else duckdb_key(error)


class FilesSource:
    """A DuckDB database file behind worker processes. See :class:`datapilot_kernel.sources.model.Source`."""

    dialect: Dialect = "duckdb"
    _PLACES = 3

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        report: ImportReport | None = None,
        time_zone: str = "Europe/Paris",
        process: _Process | None = None,
    ) -> None:
        self._path, self._name, self._report, self._time_zone = path, name, report, time_zone
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._places = threading.BoundedSemaphore(self._PLACES)
        self._ids = itertools.count(1)
        self._closed = False
        self._idle.append(self._started(Limits(), process))
        # A source that nobody closed must not leave processes behind.
        self._ending = weakref.finalize(self, _end_all, self._idle)

    @property
    def name(self) -> str:
        """The file's or the folder's name."""
        return self._name

    @property
    def default_schema(self) -> str:
        """``main``."""
        return "main"

    @property
    def import_report(self) -> ImportReport | None:
        """What was decided when the files were read; None for a ``.duckdb`` file."""
        return self._report

    def __repr__(self) -> str:
        return f"FilesSource({self._name!r})"

    def execute(self, sql: str, *, limits: Limits | None = None, cancel: CancelToken | None = None) -> ResultTable:
        """Run one statement that the guard produced. See :class:`datapilot_kernel.sources.model.Source`."""
        began = time.perf_counter()
        columns, data, truncated = self._run(sql, (), limits or Limits(), cancel or CancelToken(), ("SELECT",))
        rows = list(zip(*data, strict=True))
        return ResultTable(columns, rows, truncated, (time.perf_counter() - began) * 1000)

    def stream_arrow(self, sql: str, *, limits: Limits | None = None, cancel: CancelToken | None = None) -> ArrowStream:
        """Run one statement that the guard produced. See :class:`datapilot_kernel.sources.model.OpenedSource`."""
        from datapilot_kernel.sources.streams import STREAM_LIMITS, ArrowStream

        given = limits or STREAM_LIMITS

        def road(emitter: Emitter, token: CancelToken) -> bool | DataPilotError:
            return self._stream(sql, given, emitter, token)

        return ArrowStream(road, cancel)

    def _stream(self, sql: str, limits: Limits, emitter: Emitter, token: CancelToken) -> bool | DataPilotError:
        from datapilot_kernel.sources.files_stream import decoder_of

        self._take_place(token, limits.timeout_ms / 1000)
        process: _Process | None = None
        keep = False
        frame: dict[str, Any] = {}
        try:
            process = self._process_for(limits)
            job = {
                "id": next(self._ids), "sql": sql, "kinds": ["SELECT"], "stream": True,
                "max_rows": limits.max_rows, "max_bytes": limits.max_bytes,
            }  # fmt: skip
            try:
                for frame, tail in process.stream(job, token, limits.timeout_ms / 1000):
                    if "columns" in frame:
                        emitter.begin(decoder_of(frame, self._time_zone))
                    elif tail or "data" in frame:
                        emitter.block(tail or frame["data"])
                keep = True
            except _Lost as lost:
                frame = {"error": str(lost) or "stopped"}
        finally:
            self._give_back(process, keep)
            self._places.release()
        if "error" in frame:
            return problem(_answer_key(frame["error"]), f"duckdb {frame['error']}")
        return bool(frame.get("truncated"))

    def introspect_rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one of our own catalog queries. See :class:`datapilot_kernel.sources.model.Source`."""
        limits = Limits(max_rows=10**9, max_bytes=1 << 29, timeout_ms=60_000)
        _, data, _ = self._run(sql, parameters, limits, CancelToken(), ("SELECT",))
        return list(zip(*data, strict=True))

    def explain(self, sql: str, *, cancel: CancelToken | None = None) -> Any:
        """Return ``EXPLAIN (FORMAT JSON)``, parsed."""
        limits = Limits(timeout_ms=5_000)
        _, data, _ = self._run(f"EXPLAIN (FORMAT JSON) {sql}", (), limits, cancel or CancelToken(), ("EXPLAIN",))
        return json.loads(data[-1][0])

    def role_report(self) -> tuple[RoleFinding, ...]:
        """Nothing to say: the file is opened read-only and the process is shut in."""
        self.introspect_rows("SELECT 1")
        return ()

    def close(self) -> None:
        """End every process. Safe twice."""
        with self._lock:
            self._closed = True
        self._ending()

    def _started(self, limits: Limits, process: _Process | None = None) -> _Process:
        process = process or _Process()
        with suppress(_Lost):
            process.configure(self._path, limits, self._time_zone)
        return process

    def _run(
        self, sql: str, parameters: Sequence[Any], limits: Limits, cancel: CancelToken, kinds: Sequence[str]
    ) -> tuple[tuple[ResultColumn, ...], list[list[Any]], bool]:
        timeout_s = limits.timeout_ms / 1000
        self._take_place(cancel, timeout_s)
        process: _Process | None = None
        keep = False
        try:
            process = self._process_for(limits)
            job = {
                "id": next(self._ids), "sql": sql, "parameters": list(parameters), "kinds": list(kinds),
                "max_rows": limits.max_rows, "max_bytes": limits.max_bytes,
            }  # fmt: skip
            try:
                answer = process.run(job, cancel, timeout_s)
            except _Lost as lost:
                answer = {"error": str(lost) or "stopped"}
            else:
                keep = not cancel.cancelled
        finally:
            self._give_back(process, keep)
            self._places.release()
        if cancel.cancelled:
            raise Cancelled
        if "error" in answer:
            raise problem(_answer_key(answer["error"]), f"duckdb {answer['error']}")
        return self._read(answer)

    def _take_place(self, cancel: CancelToken, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not self._places.acquire(timeout=0.1):
            if cancel.cancelled:
                raise Cancelled
            if time.monotonic() > deadline:
                raise problem("busy", "no worker free")
        if cancel.cancelled or self._closed:
            self._places.release()
            if cancel.cancelled:
                raise Cancelled
            raise problem("closed", "source closed")

    def _process_for(self, limits: Limits) -> _Process:
        wanted = (limits.memory_bytes, limits.threads)
        with self._lock:
            dead = [process for process in self._idle if not process.alive]
            for process in dead:
                self._idle.remove(process)
                process.end()
            for process in self._idle:
                if process.settings == wanted:
                    self._idle.remove(process)
                    return process
            spare = self._idle.pop() if len(self._idle) >= self._PLACES else None
        if spare is not None:
            spare.end()
        return self._started(limits)

    def _give_back(self, process: _Process | None, keep: bool) -> None:
        if process is None:
            return
        with self._lock:
            if keep and not self._closed:
                self._idle.append(process)
                return
        process.end()

    def _read(self, answer: dict[str, Any]) -> tuple[tuple[ResultColumn, ...], list[list[Any]], bool]:
        columns = tuple(ResultColumn(name, kind) for name, kind in answer["columns"])
        data = [files_worker.decoded(c.type, v) for c, v in zip(columns, answer["data"], strict=True)]
        zone: ZoneInfo | None = None
        for position, column in enumerate(columns):
            if column.type == "timestamptz":
                zone = zone or ZoneInfo(self._time_zone)
                data[position] = [files_worker.moved(v, zone) for v in data[position]]
        return columns, data, bool(answer["truncated"])


def _answer_key(error: str) -> str:
    return "worker_lost" if error == "stopped" else duckdb_key(error)


def open_duckdb(path: Path, *, time_zone: str = "Europe/Paris") -> FilesSource:
    """Open a person's own DuckDB file, read-only.

    Raises
    ------
    SourceProblem
        There is no such file. (One that is no database says so at its first statement.)
    """
    if not path.is_file():
        raise SourceProblem("sources.path_missing", name=path.name)
    return FilesSource(path.absolute(), path.stem, time_zone=time_zone)


def open_files(
    path: Path, options: FilesOptions, *, time_zone: str = "Europe/Paris", cache: Path | None = None
) -> FilesSource:
    """Read a file or a folder of files (or find that it was read before), and open what came of it.

    ``cache`` is where the imported database is kept; None: the person's own cache folder.

    Raises
    ------
    SourceProblem
        There is no such path, or nothing in it can be read.
    """
    from datapilot_kernel.sources.files_import.cache import imported
    from datapilot_kernel.sources.files_import.sidecar import read_decisions

    options = {**read_decisions(path), **options}
    # It starts while the files are read, and is ready for the first question.
    process = _Process()
    try:
        database, report = imported(path, options, cache)
    except BaseException:
        process.end()
        raise
    return FilesSource(database, path.stem or path.name, report=report, time_zone=time_zone, process=process)
