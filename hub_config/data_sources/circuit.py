"""A source that is down fails fast, and is used again once it answers.

After ``FAILURES`` connection failures in a row the circuit opens: for a while every statement is refused at once, in
place of each waiting for its own time limit while holding a turn of its tenant. Then one statement at a time probes; the
first that comes through closes the circuit, a failure doubles the pause (from ``FIRST_PAUSE_S`` to ``LONGEST_PAUSE_S``).
Only failures to reach the server count: a wrong statement says nothing about the server, and a wrong password is answered
by it quickly.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.sources import CancelToken, Dialect, Limits, OpenedSource, ResultTable, RoleFinding

if TYPE_CHECKING:
    from datapilot_kernel.sources.streams import ArrowStream

FAILURES = 3
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 30.0

_DOWN = frozenset(
    {
        "unknown_host", "unreachable", "connection_lost", "server_starting", "host_not_found",
        "ssh_unreachable", "ssh_lost", "ssh_protocol", "ssh_target_unreachable",
    }
)  # fmt: skip


class Circuit:
    """The state of one source. Thread-safe.

    Parameters
    ----------
    clock
        Seconds, never going back. For tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._pause_s = FIRST_PAUSE_S
        self._closed_until: float | None = None
        self._probing = False

    @property
    def retry_in_s(self) -> int | None:
        """Seconds until the source is tried again; None: it is not held to be down."""
        with self._lock:
            return None if self._closed_until is None else max(1, round(self._closed_until - self._clock()))

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Let one use of the source through, and learn from it.

        Raises
        ------
        SourceProblem
            The source was found down a moment ago (``data_sources.source_down``).
        """
        probe = self._enter()
        try:
            yield
        except SourceProblem as problem:
            self._leave(probe, down=problem.reason in _DOWN)
            raise
        except BaseException:
            # Cancelled, or a fault of ours: says nothing about the server.
            self._leave(probe, down=None)
            raise
        self._leave(probe, down=False)

    def _enter(self) -> bool:
        with self._lock:
            if self._closed_until is None:
                return False
            wait_s = self._closed_until - self._clock()
            if wait_s > 0 or self._probing:
                raise SourceProblem("data_sources.source_down", seconds=max(1, round(wait_s)))
            self._probing = True
            return True

    def _leave(self, probe: bool, *, down: bool | None) -> None:
        with self._lock:
            if probe:
                self._probing = False
            if down is None:
                return
            if not down:
                self._failures, self._pause_s, self._closed_until = 0, FIRST_PAUSE_S, None
                return
            self._failures += 1
            if probe:
                self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
            if probe or self._failures >= FAILURES:
                self._closed_until = self._clock() + self._pause_s


class CircuitSource:
    """A source behind its circuit; the same protocol."""

    def __init__(self, inner: OpenedSource, circuit: Circuit) -> None:
        self._inner = inner
        self._circuit = circuit

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

    @property
    def import_report(self) -> Any:
        """What was decided when files were read; None for a database."""
        return self._inner.import_report

    def execute(self, sql: str, *, limits: Limits | None = None, cancel: CancelToken | None = None) -> ResultTable:
        """Run one guarded statement."""
        with self._circuit.passing():
            return self._inner.execute(sql, limits=limits, cancel=cancel)

    def stream_arrow(self, sql: str, *, limits: Limits | None = None, cancel: CancelToken | None = None) -> ArrowStream:
        """Run one guarded statement and give its result as Arrow batches; what breaks after the first is not counted."""
        with self._circuit.passing():
            return self._inner.stream_arrow(sql, limits=limits, cancel=cancel)

    def explain(self, sql: str, *, cancel: CancelToken | None = None) -> Any:
        """Return the engine's own plan of a guarded statement."""
        with self._circuit.passing():
            return self._inner.explain(sql, cancel=cancel)

    def introspect_rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one of our own catalog queries."""
        with self._circuit.passing():
            return self._inner.introspect_rows(sql, parameters)

    def role_report(self) -> tuple[RoleFinding, ...]:
        """Say what the account can do beyond reading."""
        with self._circuit.passing():
            return self._inner.role_report()

    def close(self) -> None:
        """Give back every connection."""
        self._inner.close()
