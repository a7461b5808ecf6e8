"""Who runs next: fair between tenants, a limit for each and one for all; waiting costs no thread.

A query first reserves a *place* in its tenant's line (a full line is refused at once, before anything is written down), then
is submitted with what to run. Tenants with somebody waiting take turns; within a tenant people take turns too. Running is on
the scheduler's own threads; whoever waits for the end waits for a future, from any event loop or thread.

*The gate* (:class:`Gate`) is the other half of fairness. Understanding, compiling, the guard and the answer are Python and
share one interpreter: with one tenant's four queries computing at once, everybody else's would take several times as long,
whatever the order of the lines. So only few compute at a time, again in turns between tenants, and whoever waits for a
source is outside of the gate. It is a courtesy, not a lock: after a while of waiting one goes on without it, so that it can
never hold up for good what it is meant to order.

Rejected: asyncio's primitives (questions also come from threads, and a stop comes from another loop), and one pool of
threads for each tenant (threads that wait, and no order between them).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, Literal

from hub_config.errors import PlatformUnavailable, TooMany
from hub_config.operations.metrics import Metrics

log = logging.getLogger(__name__)

State = Literal["reserved", "waiting", "running", "done"]
FULL_RETRY_S = 5


class Place:
    """A place in a tenant's line, and what became of it."""

    def __init__(self, scheduler: Scheduler, tenant_id: str, user_id: str) -> None:
        self._scheduler = scheduler
        self.tenant_id = tenant_id
        self.user_id = user_id
        self.state: State = "reserved"
        self.work: Callable[[], Any] | None = None
        self.future: Future[Any] = Future()
        self.submitted_at = 0.0

    def submit(self, work: Callable[[], Any], *, parallel: int) -> Future[Any]:
        """Run ``work`` when its turn comes; ``parallel`` is how many of the tenant may run at once."""
        self._scheduler.submit(self, work, parallel)
        return self.future

    def release(self) -> None:
        """Give back a place that was reserved and not used. Safe at any time."""
        self._scheduler.release(self)

    def hurry(self) -> None:
        """Run what waits at once, aside: it was cancelled and only has to be written down."""
        self._scheduler.hurry(self)


@dataclass
class _Line:
    """A tenant's line: a queue for each person, in turns."""

    people: OrderedDict[str, deque[Place]] = field(default_factory=OrderedDict)
    waiting: int = 0
    reserved: int = 0
    running: int = 0
    parallel: int = 1

    def push(self, place: Place) -> None:
        self.people.setdefault(place.user_id, deque()).append(place)
        self.waiting += 1

    def pop(self) -> Place:
        user_id, queue = next(iter(self.people.items()))
        place = queue.popleft()
        if queue:
            self.people.move_to_end(user_id)
        else:
            del self.people[user_id]
        self.waiting -= 1
        return place

    def remove(self, place: Place) -> bool:
        queue = self.people.get(place.user_id)
        if queue is None or place not in queue:
            return False
        queue.remove(place)
        if not queue:
            del self.people[place.user_id]
        self.waiting -= 1
        return True

    @property
    def empty(self) -> bool:
        return not (self.waiting or self.reserved or self.running)


class Scheduler:
    """The lines of all tenants.

    Parameters
    ----------
    parallel
        Queries of all tenants running at once, each on a thread.
    queue_per_tenant
        Waiting queries of one tenant.
    """

    def __init__(self, *, parallel: int, queue_per_tenant: int, metrics: Metrics) -> None:
        self._parallel = parallel
        self._queue_per_tenant = queue_per_tenant
        self._metrics = metrics
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._lines: OrderedDict[str, _Line] = OrderedDict()
        self._running = 0
        self._aside_running = 0
        self._stopping = False
        self._threads = ThreadPoolExecutor(parallel, thread_name_prefix="datapilot-query")
        self._aside = ThreadPoolExecutor(2, thread_name_prefix="datapilot-aside")

    def reserve(self, tenant_id: str, user_id: str) -> Place:
        """Take a place in the tenant's line.

        Raises
        ------
        TooMany
            The line is full.
        PlatformUnavailable
            The service is stopping.
        """
        with self._lock:
            if self._stopping:
                raise PlatformUnavailable(log="a query while stopping")
            line = self._lines.setdefault(tenant_id, _Line())
            # Those that can start at once do not wait: the bound is for the line behind them.
            if line.waiting + line.reserved >= self._queue_per_tenant + max(0, line.parallel - line.running):
                self._metrics.refused.labels("queue_full").inc()
                raise TooMany("queries.queue_full", retry_after_s=FULL_RETRY_S, limit=self._queue_per_tenant)
            line.reserved += 1
            return Place(self, tenant_id, user_id)

    def submit(self, place: Place, work: Callable[[], Any], parallel: int) -> None:
        """Put a reserved place into its line. See :meth:`Place.submit`."""
        context = copy_context()
        with self._lock:
            line = self._lines[place.tenant_id]
            line.reserved -= 1
            line.parallel = max(1, parallel)
            place.work = lambda: context.run(work)
            place.state = "waiting"
            place.submitted_at = time.perf_counter()
            line.push(place)
            self._metrics.waiting.inc()
            self._pump()

    def release(self, place: Place) -> None:
        """Give a reserved place back. See :meth:`Place.release`."""
        with self._lock:
            if place.state == "reserved":
                place.state = "done"
                self._lines[place.tenant_id].reserved -= 1
                self._tidy(place.tenant_id)

    def hurry(self, place: Place) -> None:
        """Take a waiting place out of its line and run it aside. See :meth:`Place.hurry`."""
        with self._lock:
            line = self._lines.get(place.tenant_id)
            if place.state != "waiting" or line is None or not line.remove(place):
                return
            place.state = "running"
            self._metrics.waiting.dec()
            self._aside_running += 1
            self._tidy(place.tenant_id)
        self._aside.submit(self._run_aside, place)

    @property
    def running(self) -> int:
        """How many run now."""
        return self._running

    def waiting(self, tenant_id: str) -> int:
        """How many of a tenant wait now."""
        line = self._lines.get(tenant_id)
        return line.waiting if line else 0

    def begin_stopping(self) -> None:
        """Take nothing new; what is in line goes on."""
        with self._lock:
            self._stopping = True

    def drain(self, seconds: float) -> bool:
        """Wait until nothing waits or runs; False: it still does."""
        deadline = time.monotonic() + seconds
        with self._lock:
            while self._lines or self._aside_running:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._idle.wait(left)
            return True

    def close(self) -> None:
        """Let the threads go. What still runs ends on its own."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._aside.shutdown(wait=False, cancel_futures=True)

    # ── behind the lock ───────────────────────────────────────────────────────────────────────────────────────────

    def _pump(self) -> None:
        while self._running < self._parallel:
            tenant_id = next((t for t, line in self._lines.items() if line.waiting and line.running < line.parallel), None)
            if tenant_id is None:
                return
            line = self._lines[tenant_id]
            place = line.pop()
            place.state = "running"
            line.running += 1
            self._running += 1
            self._lines.move_to_end(tenant_id)
            self._metrics.waiting.dec()
            self._metrics.running.inc()
            self._metrics.waiting_seconds.observe(time.perf_counter() - place.submitted_at)
            self._threads.submit(self._run, place)

    def _tidy(self, tenant_id: str) -> None:
        line = self._lines.get(tenant_id)
        if line is not None and line.empty:
            del self._lines[tenant_id]
        if not self._lines and not self._aside_running:
            self._idle.notify_all()

    # ── on the scheduler's threads ────────────────────────────────────────────────────────────────────────────────

    def _run(self, place: Place) -> None:
        value, error = _attempt(place)
        with self._lock:
            place.state = "done"
            self._running -= 1
            self._metrics.running.dec()
            self._lines[place.tenant_id].running -= 1
            self._tidy(place.tenant_id)
            if not self._stopping or self._lines:
                self._pump()
        _settle(place.future, value, error)

    def _run_aside(self, place: Place) -> None:
        value, error = _attempt(place)
        with self._lock:
            place.state = "done"
            self._aside_running -= 1
            self._tidy(place.tenant_id)
        _settle(place.future, value, error)


def _attempt(place: Place) -> tuple[Any, BaseException | None]:
    assert place.work is not None
    try:
        return place.work(), None
    except BaseException as error:  # noqa: BLE001 -- the thread's edge: raised again where the future is waited for
        return None, error
    finally:
        place.work = None


def _settle(future: Future[Any], value: Any, error: BaseException | None) -> None:
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)


class Gate:
    """Lets few compute at a time, in turns between tenants. Thread-safe.

    Parameters
    ----------
    slots
        How many at a time.
    patience_s
        After so long one goes on without a turn.
    """

    def __init__(self, *, slots: int, patience_s: float = 1.0) -> None:
        self._free = slots
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._lines: OrderedDict[str, deque[threading.Event]] = OrderedDict()

    def enter(self, tenant_id: str) -> bool:
        """Wait for a turn; True: it must be given back by :meth:`leave`. False: patience ended first."""
        with self._lock:
            if self._free and not self._lines:
                self._free -= 1
                return True
            called = threading.Event()
            self._lines.setdefault(tenant_id, deque()).append(called)
        if called.wait(self._patience_s):
            return True
        with self._lock:
            if called.is_set():
                return True
            line = self._lines[tenant_id]
            line.remove(called)
            if not line:
                del self._lines[tenant_id]
            return False

    def leave(self) -> None:
        """Give a turn back: it is the next tenant's."""
        with self._lock:
            if not self._lines:
                self._free += 1
                return
            tenant_id, line = next(iter(self._lines.items()))
            called = line.popleft()
            if line:
                self._lines.move_to_end(tenant_id)
            else:
                del self._lines[tenant_id]
            called.set()


class Turn:
    """One query's hold on the gate: taken to compute, given back while it waits for a source or a model."""

    def __init__(self, gate: Gate, tenant_id: str) -> None:
        self._gate = gate
        self._tenant_id = tenant_id
        self._inside = False
        self._wanted = False

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Compute in this block."""
        self._wanted = True
        self._inside = self._gate.enter(self._tenant_id)
        try:
            yield
        finally:
            self._wanted = False
            self._out()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Wait for something else in this block."""
        if not self._wanted:
            yield
            return
        self._out()
        try:
            yield
        finally:
            self._inside = self._gate.enter(self._tenant_id)

    def _out(self) -> None:
        if self._inside:
            self._inside = False
            self._gate.leave()
