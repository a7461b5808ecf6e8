"""How often a wrong password may be tried: per account and per client address. The same for accounts that do not exist.

An attempt is counted *before* the password is looked at and given back when it was right, so that a hundred at once are
no more than the limit. Per account: counted in the account's row (it survives a restart and holds for every process),
and for an address without an account in memory, by the same rule (:class:`Attempts`). Per client: in memory, in
windows.

The memory forgets: the least recently used of many thousands goes first, and a restart forgets all. What that could
tell an attacker (an unknown account's count lost at a restart) needs a restart between two of their attempts. A lock is
short on purpose: it slows a guesser by orders of magnitude, and cannot keep the person out for long; sessions that are
open, and password links, are not touched by it.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from hub_config.errors import TooMany


@dataclass
class _Count:
    attempts: int = 0
    locked_until: float = 0.0
    window_ends: float = 0.0


class _Counts:
    def __init__(self, limit: int, wait_s: int, *, clock: Callable[[], float], size: int) -> None:
        self.limit = limit
        self.wait_s = wait_s
        self._clock = clock
        self._size = size
        self._lock = threading.Lock()
        self._counts: OrderedDict[Hashable, _Count] = OrderedDict()

    def _of(self, key: Hashable) -> _Count:
        count = self._counts.setdefault(key, _Count())
        self._counts.move_to_end(key)
        while len(self._counts) > self._size:
            self._counts.popitem(last=False)
        return count


class Attempts(_Counts):
    """Accounts that do not exist, counted as :func:`hub_config.people.signing.reserve` counts those that do."""

    def __init__(self, limit: int, wait_s: int, *, clock: Callable[[], float] = time.time, size: int = 50_000) -> None:
        super().__init__(limit, wait_s, clock=clock, size=size)

    def reserve(self, key: Hashable) -> None:
        """Count an attempt, or raise :class:`~hub_config.errors.TooMany`."""
        now = self._clock()
        with self._lock:
            count = self._of(key)
            if count.locked_until > now:
                raise too_many(count.locked_until - now)
            count.attempts = 1 if count.locked_until else count.attempts + 1
            count.locked_until = now + self.wait_s if count.attempts >= self.limit else 0.0


class Windows(_Counts):
    """So many in a window, then wait until it ends; for client addresses."""

    def __init__(self, limit: int, wait_s: int, *, clock: Callable[[], float] = time.monotonic, size: int = 50_000) -> None:
        super().__init__(limit, wait_s, clock=clock, size=size)

    def reserve(self, key: Hashable) -> None:
        """Count an attempt, or raise :class:`~hub_config.errors.TooMany`."""
        now = self._clock()
        with self._lock:
            count = self._of(key)
            if count.window_ends <= now:
                count.attempts, count.window_ends = 0, now + self.wait_s
            if count.attempts >= self.limit:
                raise too_many(count.window_ends - now)
            count.attempts += 1

    def give_back(self, key: Hashable) -> None:
        """The attempt was right: it does not count."""
        with self._lock:
            count = self._counts.get(key)
            if count is not None and count.attempts > 0:
                count.attempts -= 1


def too_many(seconds: float) -> TooMany:
    """Return the one error of every limit here."""
    whole = max(1, round(seconds + 0.5))
    return TooMany("people.too_many_attempts", retry_after_s=whole, seconds=whole)


def client_key(address: str) -> str:
    """Return what counts as one client: an IPv4 address, the /64 of an IPv6 one, or whatever else it is called.

    >>> client_key("2001:db8::1"), client_key("192.0.2.7"), client_key("::ffff:192.0.2.7")
    ('2001:db8::/64', '192.0.2.7', '192.0.2.7')
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((parsed, 64), strict=False))
    return str(parsed)
