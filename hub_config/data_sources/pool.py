"""Open sources, shared within a tenant and closed when nobody uses them.

A source is opened once per (tenant, source, revision): its connections, or its DuckDB worker, serve everybody of that
tenant; rights are the guard's, above. A changed connection has another revision, so what is opened after the change is
another source; the old one is closed when its last user leaves. Opening happens outside the lock: a server that hangs
holds up those who wait for that source and nobody else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.sources import OpenedSource

log = logging.getLogger(__name__)

MOST_OPEN = 64
IDLE_S = 300.0


@dataclass(frozen=True)
class PoolKey:
    """Which source, in which state of its connection."""

    tenant_id: str
    source_id: str
    revision: str


@dataclass
class _Entry:
    opening: threading.Lock = field(default_factory=threading.Lock)
    source: OpenedSource | None = None
    users: int = 0
    left_at: float = 0.0
    dropped: bool = False


class SourcePool:
    """The open sources of this process. Thread-safe.

    Parameters
    ----------
    most_open
        Beyond it, the one unused for longest is closed when another is opened.
    idle_s
        Seconds unused after which :meth:`close_idle` closes.
    """

    def __init__(
        self, *, most_open: int = MOST_OPEN, idle_s: float = IDLE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_open = most_open
        self._idle_s = idle_s
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[PoolKey, _Entry] = {}
        self._stopped = False

    @contextmanager
    def lease(self, key: PoolKey, opener: Callable[[], OpenedSource]) -> Iterator[OpenedSource]:
        """Hand out the open source of ``key``, opened by ``opener`` when it is not yet.

        Raises
        ------
        SourceProblem
            Of the opener; the next lease tries again. ``sources.closed`` once the pool is stopped.
        """
        entry = self._enter(key)
        try:
            with entry.opening:
                if entry.source is None:
                    entry.source = opener()
                source = entry.source
            yield source
        finally:
            self._leave(key, entry)

    def _enter(self, key: PoolKey) -> _Entry:
        with self._lock:
            if self._stopped:
                raise SourceProblem("sources.closed")
            entry = self._entries.setdefault(key, _Entry())
            entry.users += 1
            crowded = self._crowded()
        self._close(crowded)
        return entry

    def _crowded(self) -> list[_Entry]:
        unused = sorted((e.left_at, k.source_id, k) for k, e in self._entries.items() if e.users == 0)
        surplus = len(self._entries) - self._most_open
        return [self._entries.pop(k) for _, _, k in unused[: max(0, surplus)]]

    def _leave(self, key: PoolKey, entry: _Entry) -> None:
        with self._lock:
            entry.users -= 1
            entry.left_at = self._clock()
            gone = entry.users == 0 and (entry.dropped or entry.source is None)
            if gone and self._entries.get(key) is entry:
                del self._entries[key]
        if gone:
            self._close([entry])

    def drop(self, tenant_id: str, source_id: str | None = None, *, keep: str | None = None) -> None:
        """Close what is open of a source (of the whole tenant: None), now or when its last user leaves.

        Parameters
        ----------
        keep
            The revision that stays.
        """
        with self._lock:
            meant = [
                key
                for key in self._entries
                if key.tenant_id == tenant_id and source_id in (None, key.source_id) and key.revision != keep
            ]
            dropped = [self._entries.pop(key) for key in meant]
            for entry in dropped:
                entry.dropped = True
            unused = [entry for entry in dropped if entry.users == 0]
        self._close(unused)

    def close_idle(self) -> None:
        """Close what nobody has used for a while."""
        now = self._clock()
        with self._lock:
            idle = [k for k, e in self._entries.items() if e.users == 0 and now - e.left_at >= self._idle_s]
            entries = [self._entries.pop(key) for key in idle]
        self._close(entries)

    def stop(self) -> None:
        """Close everything; nothing is handed out any more. Safe twice."""
        with self._lock:
            self._stopped = True
            entries = list(self._entries.values())
            self._entries.clear()
            for entry in entries:
                entry.dropped = True
        self._close(entries)

    def __len__(self) -> int:
        return len(self._entries)

    @staticmethod
    def _close(entries: list[_Entry]) -> None:
        for entry in entries:
            source, entry.source = entry.source, None
            if source is not None:
                try:
                    source.close()
                except SourceProblem as problem:
                    log.warning("a source did not close: %s", problem.log)
