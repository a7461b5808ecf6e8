"""Results kept for those with equal rights, and one execution for equal questions asked at the same time.

:class:`CachedSource` stands between the engine and the real source, so that the guard always runs first: what is looked up
is the statement the guard produced (complete in itself, values included), under the :class:`Scope` of the engine: tenant,
source, versions of catalog and layer, rights. Two scopes never meet: the scope is part of the key, and a source object
belongs to one scope.

An execution in flight is shared by the equal queries of one scope. It runs on a thread of its own and belongs to none of
them: whoever cancels leaves, and only when the last has left is the statement itself stopped.

A statement whose connection was lost is sent once more: it is read-only, and not one row of it was handed on.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any

from datapilot_kernel.errors import Cancelled, SourceProblem
from datapilot_kernel.sources import CancelToken, Dialect, Limits, OpenedSource, ResultTable
from hub_config.operations.metrics import Metrics
from hub_config.queries.scheduler import Turn

LARGEST_SHARE = 8
"""An entry takes at most one such part of the cache."""

_SAFE_TO_RETRY = frozenset({"connection_lost"})
_SAMPLE_ROWS = 200


@dataclass(frozen=True)
class Scope:
    """For whom a result holds. ``rights`` are the sorted attributes that row filters may bind."""

    tenant_id: str
    source_id: str
    catalog_version: str
    layer_version: str
    rights: tuple[tuple[str, str], ...]


Key = tuple[Any, ...]


@dataclass
class Statements:
    """What one query had executed: filled by :class:`CachedSource` in the query's own thread.

    Attributes
    ----------
    turn
        The query's hold on the gate, left while the source works.
    fresh
        Look nothing up.
    tell
        Told of each statement before it is executed.
    until
        When the first of the kept results that were used is to be forgotten, by the cache's clock.
    read_at
        When the oldest of the rows that were used were read from the source, in seconds since 1970; infinite: none were.
    """

    turn: Turn
    fresh: bool = False
    tell: Callable[[str], None] | None = None
    sql: str | None = None
    until: float = math.inf
    read_at: float = math.inf
    hits: int = 0
    misses: int = 0
    source_ms: float = 0.0

    @property
    def from_cache(self) -> bool:
        """True when nothing was asked of the source."""
        return self.hits > 0 and self.misses == 0


current: ContextVar[Statements | None] = ContextVar("datapilot_statements", default=None)
"""The query that runs in this thread; None: work of ours, such as a value index."""


@dataclass
class _Kept:
    value: Any
    size_bytes: int
    until: float
    kept_at: float


class ResultCache:
    """Results by key, bounded in bytes and in time; the least used goes first. Thread-safe.

    Parameters
    ----------
    max_bytes, ttl_s
        0: nothing is kept.
    """

    def __init__(
        self, *, max_bytes: int, ttl_s: float, metrics: Metrics | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self.size_bytes = 0

    def get(self, key: Key, *, again: bool = False) -> Any:
        """Return what is kept, or None; ``again``: when it is not there it will be looked up again, and counted then."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None and found.until <= self._clock():
                self._drop(key)
                found = None
            if found is not None:
                self._kept.move_to_end(key)
        if self._metrics is not None and (found is not None or not again):
            self._metrics.cache.labels("hit" if found is not None else "miss").inc()
        return found.value if found is not None else None

    def until(self, key: Key) -> float:
        """Return when what is kept under a key is forgotten, by the cache's clock."""
        with self._lock:
            found = self._kept.get(key)
            return found.until if found is not None else self._clock()

    def kept_at(self, key: Key) -> float:
        """Return when what is under a key was kept, in seconds since 1970."""
        with self._lock:
            found = self._kept.get(key)
            return found.kept_at if found is not None else time.time()

    def put(self, key: Key, value: Any, size_bytes: int, *, until: float = math.inf) -> None:
        """Keep a value, when it is not too large, for as long as this cache keeps; not longer than ``until``."""
        size_bytes += sum(len(part) for part in key if isinstance(part, str)) + 512
        if self._ttl_s <= 0 or size_bytes > self._max_bytes // LARGEST_SHARE:
            return
        with self._lock:
            if key in self._kept:
                self._drop(key)
            self._kept[key] = _Kept(value, size_bytes, min(until, self._clock() + self._ttl_s), time.time())
            self.size_bytes += size_bytes
            while self.size_bytes > self._max_bytes:
                self._drop(next(iter(self._kept)))

    def forget(self, tenant_id: str, source_id: str | None = None) -> None:
        """Drop what is kept of a source, or of a whole tenant."""
        with self._lock:
            for key in [k for k in self._kept if _of(k[0], tenant_id, source_id)]:
                self._drop(key)

    def _drop(self, key: Key) -> None:
        self.size_bytes -= self._kept.pop(key).size_bytes

    def __len__(self) -> int:
        return len(self._kept)


def _of(scope: Any, tenant_id: str, source_id: str | None) -> bool:
    return isinstance(scope, Scope) and scope.tenant_id == tenant_id and source_id in (None, scope.source_id)


def size_of(table: ResultTable) -> int:
    """Return about how many bytes a result takes in memory, from its first rows.

    >>> size_of(ResultTable((), [("a" * 1000,)] * 10)) > 10_000
    True
    """
    rows = table.rows[:_SAMPLE_ROWS]
    if not rows:
        return 256
    sample = sum(56 + sum(40 + (len(v) if isinstance(v, (str, bytes, list, dict)) else 0) for v in row) for row in rows)
    return 256 + sample * len(table.rows) // len(rows)


@dataclass
class _Flight:
    token: CancelToken = field(default_factory=CancelToken)
    future: Future[ResultTable] = field(default_factory=Future)
    users: int = 0


class Flights:
    """Executions under way, shared by equal queries. Thread-safe.

    Parameters
    ----------
    threads
        At least as many as queries may run at once: an execution never waits for a thread.
    """

    def __init__(self, *, threads: int) -> None:
        self._lock = threading.Lock()
        self._flying: dict[Key, _Flight] = {}
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="datapilot-source")

    def fly(self, key: Key, work: Callable[[CancelToken], ResultTable], cancel: CancelToken | None) -> ResultTable:
        """Return the result of ``work``, or of the same work of somebody else that is under way.

        Raises
        ------
        Cancelled
            ``cancel`` was; the work goes on for the others, if there are any.
        SourceProblem
            Of the work.
        """
        if cancel is not None and cancel.cancelled:
            raise Cancelled
        with self._lock:
            flight = self._flying.get(key)
            if flight is None:
                flight = self._flying[key] = _Flight()
                context = copy_context()
                self._threads.submit(context.run, self._work, key, flight, work)
            flight.users += 1
        woken = threading.Event()
        flight.future.add_done_callback(lambda _: woken.set())
        take_back = cancel.on_cancel(woken.set) if cancel is not None else _nothing
        try:
            woken.wait()
        finally:
            take_back()
            self._leave(key, flight)
        if cancel is not None and cancel.cancelled:
            raise Cancelled
        try:
            return flight.future.result(timeout=0)
        except SourceProblem as problem:
            raise _copy(problem) from None

    def _work(self, key: Key, flight: _Flight, work: Callable[[CancelToken], ResultTable]) -> None:
        try:
            value = work(flight.token)
        except BaseException as error:  # noqa: BLE001 -- the thread's edge: raised again for everybody who waits
            self._land(key, flight)
            flight.future.set_exception(error)
        else:
            self._land(key, flight)
            flight.future.set_result(value)

    def _land(self, key: Key, flight: _Flight) -> None:
        with self._lock:
            if self._flying.get(key) is flight:
                del self._flying[key]

    def _leave(self, key: Key, flight: _Flight) -> None:
        with self._lock:
            flight.users -= 1
            abandoned = flight.users == 0 and not flight.future.done()
            if abandoned and self._flying.get(key) is flight:
                # Nobody may join what is about to be stopped.
                del self._flying[key]
        if abandoned:
            flight.token.cancel()

    def close(self) -> None:
        """Let the threads go; what still runs ends on its own."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _nothing() -> None:
    return None


def _copy(problem: SourceProblem) -> SourceProblem:
    """Return the same problem as an exception of its own: several threads raise it."""
    again = type(problem).__new__(type(problem))
    again.__dict__.update(problem.__dict__)
    again.args = problem.args
    return again


def retried(work: Callable[[], ResultTable], cancel: CancelToken) -> ResultTable:
    """Do read-only work that hands on nothing before its end; once more when the connection was lost."""
    try:
        return work()
    except SourceProblem as problem:
        if problem.reason not in _SAFE_TO_RETRY or cancel.cancelled:
            raise
    return work()


class CachedSource:
    """A source for one scope: looks up, shares what is under way, keeps. The same protocol as the real one."""

    def __init__(self, inner: OpenedSource, scope: Scope, cache: ResultCache, flights: Flights) -> None:
        self.inner = inner
        self.scope = scope
        self._cache = cache
        self._flights = flights

    @property
    def dialect(self) -> Dialect:
        """Which SQL it speaks."""
        return self.inner.dialect

    @property
    def name(self) -> str:
        """For people."""
        return self.inner.name

    @property
    def default_schema(self) -> str:
        """The schema of unqualified names."""
        return self.inner.default_schema

    def execute(self, sql: str, *, limits: Limits | None = None, cancel: CancelToken | None = None) -> ResultTable:
        """Run one statement that the guard produced. See :class:`datapilot_kernel.sources.model.Source`."""
        limits = limits or Limits()
        query = current.get()
        fresh = query is not None and query.fresh
        key: Key = (self.scope, "rows", sql, limits.max_rows, limits.max_bytes)
        if query is not None:
            query.sql = sql
            if query.tell is not None:
                query.tell(sql)
        found = None if fresh else self._cache.get(key)
        if isinstance(found, ResultTable):
            if query is not None:
                query.hits += 1
                query.until = min(query.until, self._cache.until(key))
                query.read_at = min(query.read_at, self._cache.kept_at(key))
            return found
        began = time.perf_counter()
        # A fresh answer does not board what took off before it was asked for.
        flight_key = (*key, object()) if fresh else key

        def work(token: CancelToken) -> ResultTable:
            table = retried(lambda: self.inner.execute(sql, limits=limits, cancel=token), token)
            self._cache.put(key, table, size_of(table))
            return table

        try:
            if query is None:
                return self._flights.fly(flight_key, work, cancel)
            query.misses += 1
            query.read_at = min(query.read_at, time.time())
            with query.turn.away():
                return self._flights.fly(flight_key, work, cancel)
        finally:
            if query is not None:
                query.source_ms += (time.perf_counter() - began) * 1000

    def explain(self, sql: str, *, cancel: CancelToken | None = None) -> Any:
        """Return the engine's own plan of a statement; that of a result still kept is kept with it."""
        key: Key = (self.scope, "explain", sql)
        query = current.get()
        found = None if query is not None and query.fresh else self._cache.get(key)
        if found is not None:
            return found
        if query is None:
            plan = self.inner.explain(sql, cancel=cancel)
        else:
            with query.turn.away():
                plan = self.inner.explain(sql, cancel=cancel)
        self._cache.put(key, plan, 8 * len(str(plan)))
        return plan

    def introspect_rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one of our own catalog queries: never kept."""
        query = current.get()
        if query is None:
            return self.inner.introspect_rows(sql, parameters)
        with query.turn.away():
            return self.inner.introspect_rows(sql, parameters)

    def close(self) -> None:
        """Do nothing: the source is the tenant's, not this scope's."""
