"""What the two database servers have in common: a pool, one statement at a time, and stopping it from another thread.

The road of one statement: take a connection from the pool, open a read-only transaction with the statement's time limits
(this also finds out whether the pooled connection still lives: if not, the next one is taken, nothing has run yet), send
the statement, read it up to the caps, roll back. No separate ping.

Stopping: whoever cancels starts a :class:`Stopper`, a thread that asks the server through a second connection to stop,
again and again until the statement is over. Asking once is not enough: a request that arrives just before the statement
does is forgotten by the server. A connection whose statement was stopped never goes back to the pool, so a late request
cannot hit somebody else's statement. A server that does not answer at all has its socket shut.

A driver's exception never leaves this module: it is turned into ours *outside* of its handler, so that not even
``__context__`` carries the engine's text.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from datapilot_kernel.errors import Cancelled, DataPilotError, SourceProblem
from datapilot_kernel.sources.location import DatabaseLocation
from datapilot_kernel.sources.model import (
    CancelToken,
    Dialect,
    Limits,
    ResultColumn,
    ResultTable,
    RoleFinding,
)
from datapilot_kernel.sources.problems import problem, translate

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.pool import PoolProxiedConnection

    from datapilot_kernel.sources.files_import.report import ImportReport
    from datapilot_kernel.sources.ssh_tunnel import Tunnel
    from datapilot_kernel.sources.streams import ArrowStream, Emitter

_T = TypeVar("_T")

DEFAULT_TIME_ZONE = "Europe/Paris"
CHUNK_ROWS = 250
_INTROSPECTION = Limits(max_rows=10**9, max_bytes=2**40, timeout_ms=60_000)


class Stopper:
    """Makes a server stop one statement, from a thread of its own, until :meth:`finish`."""

    _FIRST_S, _AGAIN_S, _GIVE_UP_S = 0.0, 0.15, 5.0

    def __init__(self, kill: Callable[[], None], abort: Callable[[], None]) -> None:
        self._kill, self._abort = kill, abort
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def started(self) -> bool:
        """True once somebody asked to stop."""
        return self._thread is not None

    def start(self) -> None:
        """Begin stopping, unless the statement is over; returns at once."""
        with self._lock:
            if self._done.is_set():
                return
            self._thread = threading.Thread(target=self._run, name="datapilot-stop", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        began, wait = time.monotonic(), self._FIRST_S
        while not self._done.wait(wait):
            # Whatever goes wrong with the second connection, the next round tries again.
            with suppress(Exception):
                self._kill()
            if time.monotonic() - began > self._GIVE_UP_S:
                with suppress(Exception):
                    self._abort()
                return
            wait = self._AGAIN_S

    def finish(self) -> None:
        """The statement is over: stop asking, and wait for a request on its way."""
        # Never between the thread's making and its start: who cancels and who ends are two threads.
        with self._lock:
            self._done.set()
        if self._thread is not None:
            self._thread.join(2.0)


@dataclass(frozen=True)
class Fetched:
    """What an adapter read: columns, rows, and whether a cap cut it."""

    columns: tuple[ResultColumn, ...]
    rows: list[tuple[Any, ...]]
    truncated: bool


class Rows:
    """Collects rows up to the caps; ``add`` tells whether more are wanted."""

    def __init__(self, limits: Limits, sized: Sequence[int], width: int) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.truncated = False
        self._limits, self._sized, self._width = limits, sized, width
        self._bytes = 0

    def add(self, chunk: Sequence[tuple[Any, ...]]) -> bool:
        """Take a chunk; False: a cap is reached, the rest is not wanted."""
        room = self._limits.max_rows - len(self.rows)
        if len(chunk) > room:
            self.truncated, chunk = True, chunk[:room]
        cost = len(chunk) * (8 * self._width + 48)
        for position in self._sized:
            cost += sum(len(row[position]) for row in chunk if row[position] is not None)
        if self._bytes + cost > self._limits.max_bytes:
            chunk = self._within_bytes(chunk)
            self.truncated = True
        self._bytes += cost
        self.rows.extend(chunk)
        return not self.truncated

    def _within_bytes(self, chunk: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        kept, used = [], self._bytes
        for row in chunk:
            used += 8 * self._width + 48 + sum(len(row[p]) for p in self._sized if row[p] is not None)
            if used > self._limits.max_bytes:
                break
            kept.append(row)
        return kept


class PooledSource(ABC):
    """A database server behind a SQLAlchemy engine; subclasses speak one driver each."""

    dialect: ClassVar[Dialect]
    _PLACES = 8

    def __init__(self, where: DatabaseLocation, *, time_zone: str = DEFAULT_TIME_ZONE) -> None:
        self._where, self._time_zone = where, time_zone
        self._tunnel: Tunnel | None = None
        if where.ssh is not None:
            from datapilot_kernel.sources.ssh_tunnel import Tunnel

            self._tunnel = Tunnel(where)
            self._where = self._tunnel.location(where)
        self._engine: Engine | None = None
        self._engine_lock = threading.Lock()
        self._closed = False

    # What a subclass says.

    @property
    @abstractmethod
    def default_schema(self) -> str:
        """The schema of unqualified names."""

    @property
    def name(self) -> str:
        """The database's name."""
        return self._where.database

    @property
    def time_zone(self) -> str:
        """In which times with a zone are computed and shown."""
        return self._time_zone

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    _SCHEME: ClassVar[str]

    @abstractmethod
    def _connect(self) -> Any:
        """Open a driver's connection, its session settings fixed."""

    @abstractmethod
    def _begin(self, connection: Any, limits: Limits) -> None:
        """Open a read-only transaction with these time limits."""

    @abstractmethod
    def _fetch(self, connection: Any, sql: str, limits: Limits) -> Fetched:
        """Send the one statement and read it up to the caps."""

    @abstractmethod
    def _stream(self, connection: Any, sql: str, limits: Limits, emitter: Emitter) -> bool:
        """Send the one statement and hand its rows on up to the caps; return whether one cut it."""

    @abstractmethod
    def _query(self, connection: Any, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run one of our own queries."""

    @abstractmethod
    def _rollback(self, connection: Any) -> None:
        """End the transaction."""

    @abstractmethod
    def _kill(self, connection: Any) -> None:
        """Ask the server, on a second connection, to stop what ``connection`` runs."""

    @abstractmethod
    def _abort(self, connection: Any) -> None:
        """Shut the socket of ``connection``."""

    @abstractmethod
    def _driver_errors(self) -> tuple[type[Exception], ...]:
        """The exceptions that :func:`translate` knows."""

    @abstractmethod
    def explain(self, sql: str, *, cancel: CancelToken | None = None) -> Any:
        """Return EXPLAIN's JSON, parsed: the statement is not run."""

    @abstractmethod
    def role_report(self) -> tuple[RoleFinding, ...]:
        """Say what the account can do beyond reading; empty: nothing."""

    # The road.

    def execute(self, sql: str, *, limits: Limits | None = None, cancel: CancelToken | None = None) -> ResultTable:
        """Run one statement that the guard produced. See :class:`datapilot_kernel.sources.model.Source`."""
        limits = limits or Limits()
        began = time.perf_counter()
        fetched = self._on_a_connection(lambda c: self._fetch(c, sql, limits), limits, cancel, sql)
        if isinstance(fetched, DataPilotError):
            raise fetched
        elapsed_ms = (time.perf_counter() - began) * 1000
        return ResultTable(fetched.columns, fetched.rows, fetched.truncated, elapsed_ms)

    def stream_arrow(self, sql: str, *, limits: Limits | None = None, cancel: CancelToken | None = None) -> ArrowStream:
        """Run one statement that the guard produced. See :class:`datapilot_kernel.sources.model.OpenedSource`."""
        from datapilot_kernel.sources.streams import STREAM_LIMITS, ArrowStream

        given = limits or STREAM_LIMITS

        def road(emitter: Emitter, token: CancelToken) -> bool | DataPilotError:
            return self._on_a_connection(lambda c: self._stream(c, sql, given, emitter), given, token, sql)

        return ArrowStream(road, cancel)

    def introspect_rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one of our own catalog queries. See :class:`datapilot_kernel.sources.model.Source`."""
        rows = self._on_a_connection(lambda c: self._query(c, sql, parameters), _INTROSPECTION, None, "")
        if isinstance(rows, DataPilotError):
            raise rows
        return rows

    @property
    def import_report(self) -> ImportReport | None:
        """None: nothing is imported from a database."""
        return None

    def close(self) -> None:
        """Close every pooled connection, and the tunnel they go through. Safe twice."""
        with self._engine_lock:
            self._closed = True
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None
        if self._tunnel is not None:
            self._tunnel.close()

    def _on_a_connection(
        self, work: Callable[[Any], _T], limits: Limits, cancel: CancelToken | None, sql: str
    ) -> _T | DataPilotError:
        """Run ``work`` inside a read-only transaction; give back its result or our error, never a driver's."""
        try:
            result = self._on_one(work, limits, cancel, sql)
        except SourceProblem as problem:
            result = problem
        # A connection that ended with its tunnel has another remedy than one that the database ended.
        return self._tunnel.told(result) if self._tunnel is not None and isinstance(result, SourceProblem) else result

    def _on_one(
        self, work: Callable[[Any], _T], limits: Limits, cancel: CancelToken | None, sql: str
    ) -> _T | DataPilotError:
        errors = self._driver_errors()
        cancel = cancel or CancelToken()
        while True:
            place = self._checkout(cancel, limits)
            if isinstance(place, DataPilotError):
                return place
            connection, used_before = place.driver_connection, "used" in place.info
            place.info["used"] = True
            stopper = Stopper(lambda c=connection: self._kill(c), lambda c=connection: self._abort(c))  # type: ignore[misc]
            release = cancel.on_cancel(stopper.start)
            keep, began, opened = False, time.monotonic(), False
            try:
                self._begin(connection, limits)
                opened = True
                if cancel.cancelled:
                    return Cancelled()
                result = work(connection)
                if cancel.cancelled:
                    return Cancelled()
                keep = self._clean(connection)
                return result
            except errors as error:
                found = translate(self.dialect, error, sql)
                keep = opened and found.reason != "connection_lost" and self._clean(connection)
            except KeyboardInterrupt:
                self._kill_quietly(connection)
                raise
            finally:
                release()
                stopper.finish()
                if keep and not stopper.started:
                    place.close()
                else:
                    place.invalidate()
            if cancel.cancelled:
                return Cancelled()
            if used_before and not opened:
                continue
            if found.reason == "timeout" and time.monotonic() - began < limits.timeout_ms / 1000 * 0.9:
                return problem("interrupted", found.log)
            return found

    def _clean(self, connection: Any) -> bool:
        try:
            self._rollback(connection)
        except self._driver_errors():
            return False
        return True

    def _kill_quietly(self, connection: Any) -> None:
        with suppress(*self._driver_errors()):
            self._kill(connection)

    def _checkout(self, cancel: CancelToken, limits: Limits) -> PoolProxiedConnection | DataPilotError:
        from sqlalchemy import exc

        deadline = time.monotonic() + limits.timeout_ms / 1000
        while not cancel.cancelled:
            engine = self._opened_engine()
            if engine is None:
                return problem("closed", "source closed")
            try:
                return engine.raw_connection()
            except exc.TimeoutError:
                # The pool is full; it waits in short turns so that a person can stop waiting.
                if time.monotonic() > deadline:
                    return problem("busy", "pool exhausted")
            except exc.DBAPIError as error:
                original = error.orig
                return translate(self.dialect, original if isinstance(original, Exception) else error)
            except self._driver_errors() as error:
                return translate(self.dialect, error)
        return Cancelled()

    def _opened_engine(self) -> Engine | None:
        if self._engine is None:
            with self._engine_lock:
                if self._engine is None and not self._closed:
                    from sqlalchemy import create_engine
                    from sqlalchemy.pool import QueuePool

                    self._engine = create_engine(
                        f"{self._SCHEME}://", creator=self._connect, poolclass=QueuePool, pool_size=4,
                        max_overflow=self._PLACES - 4, pool_timeout=0.2, pool_recycle=1800, pool_reset_on_return=None,
                    )  # fmt: skip
        return self._engine
