"""What one side leaves for the other: numbered, bounded, awaited from any event loop, filled from any thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any


class Overflow(Exception):
    """More lies here than may."""


class Mailbox:
    """Numbered entries, the newest kept.

    Parameters
    ----------
    most, most_bytes
        What is kept. With ``strict`` the next one beyond it is an :class:`Overflow`; else the oldest go, and whoever has not
        fetched them is told (:meth:`lost`).
    """

    def __init__(self, *, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._lock = threading.Lock()
        self._kept: deque[tuple[int, Any, int]] = deque()
        self._bytes = 0
        self._last = 0
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    @property
    def last(self) -> int:
        """The number of the newest entry."""
        with self._lock:
            return self._last

    def put(self, entries: list[Any], sizes: list[int]) -> None:
        """Leave entries; the oldest make room."""
        with self._lock:
            for entry, size in zip(entries, sizes, strict=True):
                self._last += 1
                self._kept.append((self._last, entry, size))
                self._bytes += size
            while len(self._kept) > self._most or (self._bytes > self._most_bytes and len(self._kept) > 1):
                self._bytes -= self._kept.popleft()[2]
            waiting = list(self._waiting)
        _wake(waiting)

    def wake(self) -> None:
        """Let whoever waits look again."""
        with self._lock:
            waiting = list(self._waiting)
        _wake(waiting)

    def taken(self, through: int) -> None:
        """Drop what was fetched, up to that number."""
        with self._lock:
            while self._kept and self._kept[0][0] <= through:
                self._bytes -= self._kept.popleft()[2]

    def waiting(self) -> tuple[int, int]:
        """Return how many entries lie here, and how many bytes."""
        with self._lock:
            return len(self._kept), self._bytes

    def after(self, number: int) -> tuple[list[Any], int, bool]:
        """Return the entries after a number, the number of the last, and whether some between were lost."""
        with self._lock:
            found = [entry for at, entry, _ in self._kept if at > number]
            oldest = self._kept[0][0] if self._kept else self._last + 1
            return found, self._last, number + 1 < oldest and number < self._last

    async def wait(self, number: int, seconds: float) -> None:
        """Return once there is an entry after that number, when somebody wakes us, or after so many seconds."""
        mine = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            if self._last > number:
                return
            self._waiting.add(mine)
        try:
            await asyncio.wait_for(mine[1].wait(), seconds)
        except TimeoutError:
            return
        finally:
            with self._lock:
                self._waiting.discard(mine)


def _wake(waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    for loop, event in waiting:
        try:
            loop.call_soon_threadsafe(event.set)
        except RuntimeError:
            continue  # its loop is closed: nobody waits there
