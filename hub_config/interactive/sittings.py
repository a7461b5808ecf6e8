"""One interactive dashboard that somebody has open, and the store of them. In memory: after a restart it is opened anew."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

from hub_config.errors import NotFound, TooMany, Unauthenticated
from hub_config.interactive.mailbox import Mailbox
from hub_config.principal import Principal

State = Literal["starting", "running", "ready", "ended"]
Why = Literal["idle", "left", "closed", "rights", "version", "author", "lost", "not_started", "fault", "stopped", "time"]
"""``left``: no page asks any more; ``rights``: the person, their session or the right went; ``author``: a cell raised;
``lost``: the process went away; ``stopped``: this service was."""

_KEPT_S = 900.0
_FROM_PAGE = {"most": 500, "most_bytes": 4_000_000}
_TO_PAGE = {"most": 4_000, "most_bytes": 16_000_000}


@dataclass
class Sitting:
    """What one person has open.

    Attributes
    ----------
    session_id
        The page session in which it was begun: it ends with it.
    key
        What stands in the address of the files of its script.
    heard_at, said_at
        When a page asked last whether there is something, and when it last said something to the kernel.
    trace
        The author's error, for the author alone: it may quote values.
    stood
        Of each source that the person reached here, the layer in force when it was opened; None: not known yet.
    """

    principal: Principal
    session_id: str
    dashboard_id: str
    version: int
    notebook: dict[str, Any] = field(repr=False)
    begun_at: float
    grant_hash: bytes = field(repr=False)
    stood: frozenset[tuple[str, str]] | None = None
    id: str = field(default_factory=lambda: uuid4().hex)
    key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    state: State = "starting"
    why: Why | None = None
    on_hub: bool = False
    cell: int | None = None
    trace: str = field(default="", repr=False)
    done: int = 0
    of: int = 0
    markup: str = field(default="", repr=False)
    heard_at: float = 0.0
    said_at: float = 0.0
    ended_at: float = 0.0
    to_process: Mailbox = field(default_factory=lambda: Mailbox(**_FROM_PAGE), repr=False)
    to_page: Mailbox = field(default_factory=lambda: Mailbox(**_TO_PAGE), repr=False)
    awaited: dict[str, tuple[str, asyncio.AbstractEventLoop, asyncio.Future[bytes | None]]] = field(
        default_factory=dict, repr=False
    )

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.state == "ended"


class Sittings:
    """The store. Thread-safe.

    Parameters
    ----------
    tenant_most
        Of one tenant at once; one place of several is left for somebody else than the person who asks.
    """

    def __init__(self, *, tenant_most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._tenant_most = tenant_most
        self.clock = clock
        self._lock = threading.Lock()
        self._all: dict[str, Sitting] = {}

    def add(
        self, principal: Principal, session_id: str, dashboard_id: str, version: int, notebook: dict[str, Any]
    ) -> tuple[Sitting, str | None]:
        """Return the person's sitting of the dashboard: the one that is open (grant None), or a new one and its grant.

        Raises
        ------
        TooMany
            As many of the tenant's, or of this person's, are open as may be.
        """
        grant, now = secrets.token_urlsafe(32), self.clock()
        made = Sitting(principal, session_id, dashboard_id, version, notebook, now, _hash(grant), heard_at=now, said_at=now)
        with self._lock:
            mine = self._find(principal, dashboard_id)
            if mine is not None and not mine.ended and mine.version == version:
                return mine, None
            live = [one for one in self._all.values() if one.principal.tenant_id == principal.tenant_id and not one.ended]
            own = sum(1 for one in live if one.principal.user_id == principal.user_id)
            if len(live) >= self._tenant_most or own >= max(1, self._tenant_most - 1):
                raise TooMany("interactive.too_many", retry_after_s=60, log="interactive dashboards of the tenant")
            if mine is not None:
                del self._all[mine.id]
            self._all[made.id] = made
        return made, grant

    def of_grant(self, grant: str) -> Sitting:
        """Return the one whose grant this is. Raises Unauthenticated: there is none that is open."""
        wanted = _hash(grant)
        with self._lock:
            for one in self._all.values():
                if hmac.compare_digest(one.grant_hash, wanted) and not one.ended:
                    return one
        raise Unauthenticated(log="grant: of no interactive dashboard that is open")

    def of_key(self, key: str) -> Sitting:
        """Return the open one whose files have this key. Raises NotFound."""
        given = key.encode("utf-8", "replace")
        with self._lock:
            for one in self._all.values():
                if hmac.compare_digest(one.key.encode(), given) and not one.ended:
                    return one
        raise NotFound(log="files of an interactive dashboard: no such key")

    def of_person(self, principal: Principal, dashboard_id: str) -> Sitting | None:
        """Return the person's own, open or lately ended; None: there is none."""
        with self._lock:
            return self._find(principal, dashboard_id)

    def _find(self, principal: Principal, dashboard_id: str) -> Sitting | None:
        mine = [
            one
            for one in self._all.values()
            if (one.principal.tenant_id, one.principal.user_id) == (principal.tenant_id, principal.user_id)
            and one.dashboard_id == dashboard_id
        ]
        return max(mine, key=lambda one: (not one.ended, one.begun_at), default=None)

    def end(self, sitting: Sitting, why: Why, *, cell: int | None = None, trace: str = "") -> bool:
        """End one, once; False: it had already ended. What it held is gone but for why it ended."""
        with self._lock:
            if sitting.ended:
                return False
            sitting.state, sitting.why, sitting.cell, sitting.trace = "ended", why, cell, trace
            sitting.ended_at = self.clock()
            sitting.markup, sitting.notebook = "", {}
            awaited, sitting.awaited = list(sitting.awaited.values()), {}
        for _, loop, future in awaited:
            settle(loop, future, None)
        sitting.to_page.wake()
        sitting.to_process.wake()
        return True

    def live(self, tenant_id: str | None = None, user_id: str | None = None) -> list[Sitting]:
        """Return those that are open: all, a tenant's, or a person's."""
        with self._lock:
            return [
                one
                for one in self._all.values()
                if not one.ended
                and tenant_id in (None, one.principal.tenant_id)
                and user_id in (None, one.principal.user_id)
            ]

    def sweep(self) -> None:
        """Forget what ended long ago."""
        now = self.clock()
        with self._lock:
            for one in [one for one in self._all.values() if one.ended and now - one.ended_at > _KEPT_S]:
                del self._all[one.id]

    def forget(self, tenant_id: str) -> None:
        """Drop everything of a tenant."""
        with self._lock:
            for one in [one for one in self._all.values() if one.principal.tenant_id == tenant_id]:
                del self._all[one.id]


def settle(loop: asyncio.AbstractEventLoop, future: asyncio.Future[bytes | None], value: bytes | None) -> None:
    """Give a waiting request its file, from any thread."""

    def given() -> None:
        if not future.done():
            future.set_result(value)

    try:
        loop.call_soon_threadsafe(given)
    except RuntimeError:
        return  # its loop is closed: nobody waits


def _hash(grant: str) -> bytes:
    return hashlib.sha256(grant.encode("utf-8", "replace")).digest()
