"""Questions that run, held here while the page reloads or the connection breaks.

The API stops a query whose client goes away. Here the client is this server, not the page: a page that is gone may come
back within the grace and finds its question where it was, events it missed included; one that does not come back is taken
to be gone, and its query is stopped at the API. Stop, pressed, is at once in every state, also before the API has answered.

Held in memory, bounded in number: a notebook server is one person's.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from datapilot_kernel.errors import logged_fault
from datapilot_lab.platform import Platform, Said

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

GRACE_S = 30.0
"""How long a page may be gone before its question is stopped; ``DATAPILOT_LAB_GRACE_S`` sets another."""

_KEEP_S = 600.0
_MOST, _MOST_RUNNING = 60, 8
_STOP_S = 4.0
_KEEP_ALIVE_S = 10.0

Shape = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Makes of the last event's data what the panel gets: ``(event, data) -> data``."""


class Asking:
    """One question: its events so far, and who waits for more."""

    def __init__(self, request_id: str, platform: Platform, query: dict[str, Any], shape: Shape, grace_s: float) -> None:
        self.request_id = request_id
        self.query_id: str | None = None
        self.ended_at: float | None = None
        self._platform, self._query, self._shape, self._grace_s = platform, query, shape, grace_s
        self._events: list[bytes] = []
        self._more = asyncio.Event()
        self._watchers = 0
        self._stopping = False
        self._alone: asyncio.TimerHandle | None = None
        self._work = asyncio.ensure_future(self._run())
        self._ending: asyncio.Future[None] | None = None
        self._leave_alone()

    # ── watching ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def watch(self, after: int = 0) -> AsyncIterator[bytes]:
        """Give the events from number ``after`` on (the first is 0) as server-sent events, until the last."""
        self._watchers += 1
        if self._alone is not None:
            self._alone.cancel()
            self._alone = None
        try:
            at = after
            while True:
                while at < len(self._events):
                    yield self._events[at]
                    at += 1
                if self.ended_at is not None:
                    return
                more = self._more
                try:
                    await asyncio.wait_for(more.wait(), _KEEP_ALIVE_S)
                except TimeoutError:
                    yield b": still there\n\n"
        finally:
            self._watchers -= 1
            if self._watchers == 0 and self.ended_at is None:
                self._leave_alone()

    def _leave_alone(self) -> None:
        """Nobody watches: stop it when nobody has come back within the grace."""
        self._alone = asyncio.get_running_loop().call_later(self._grace_s, self.stop)

    # ── stopping ──────────────────────────────────────────────────────────────────────────────────────────────────

    def stop(self) -> None:
        """Stop it, in whatever state it is. Safe twice, and after its end."""
        if self._stopping or self.ended_at is not None:
            return
        self._stopping = True
        self._ending = asyncio.ensure_future(self._stop())

    async def _stop(self) -> None:
        """Ask the API to stop the query; should it not end then, close the connection, which stops it too."""
        if self.query_id is not None:
            with suppress(Said):
                await self._platform.json("POST", f"queries/{self.query_id}/cancel", timeout_s=_STOP_S)
                await asyncio.wait({self._work}, timeout=_STOP_S)
        self._work.cancel()

    async def aclose(self) -> None:
        """End it with the server."""
        self.stop()
        if self._ending is not None:
            await self._ending
        with suppress(asyncio.CancelledError):
            await self._work

    # ── the work ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _run(self) -> None:
        try:
            body = json.dumps(self._query).encode()
            headers = {"Content-Type": "application/json"}
            async with self._platform.opened(
                "POST", "ai/query", accept="text/event-stream", headers=headers, content=body
            ) as response:
                async for event, data in events_of(response):
                    if event == "queued":
                        self.query_id = str(data["id"])
                    if event in ("outcome", "error"):
                        self._tell(event, await self._shape(event, data))
                        return
                    self._tell(event, data)
            raise Said.ours(502, "cut")
        except Said as said:
            self._tell("error", {"error": said.error})
        except asyncio.CancelledError:
            self._tell("error", {"error": Said.ours(499, "cancelled").error})
        except Exception as error:  # noqa: BLE001 -- the task's edge: whoever watches must hear of an end
            incident = logged_fault(error, "a question of the panel", log).incident
            self._tell("error", {"error": Said.ours(500, "fault", incident=incident).error | {"incident": incident}})
        finally:
            self.ended_at = time.monotonic()
            if self._alone is not None:
                self._alone.cancel()
            self._more.set()

    def _tell(self, event: str, data: dict[str, Any]) -> None:
        body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        self._events.append(b"id: %d\nevent: %b\ndata: %b\n\n" % (len(self._events), event.encode(), body))
        more, self._more = self._more, asyncio.Event()
        more.set()


class Askings:
    """The questions of one server."""

    def __init__(self, platform: Platform, shape: Shape, *, grace_s: float = GRACE_S) -> None:
        self._platform, self._shape, self._grace_s = platform, shape, grace_s
        self._known: OrderedDict[str, Asking] = OrderedDict()

    def ask(self, request_id: str, query: dict[str, Any]) -> Asking:
        """Begin a question; one that was begun already under this id is given back (a request that was sent twice).

        Raises
        ------
        Said
            Too many run.
        """
        found = self._known.get(request_id)
        if found is not None:
            return found
        self._sweep()
        if sum(one.ended_at is None for one in self._known.values()) >= _MOST_RUNNING:
            raise Said.ours(429, "busy")
        made = self._known[request_id] = Asking(request_id, self._platform, query, self._shape, self._grace_s)
        return made

    def find(self, request_id: str) -> Asking:
        """Return a question that runs or has ended a short while ago.

        Raises
        ------
        Said
            There is none.
        """
        found = self._known.get(request_id)
        if found is None:
            raise Said.ours(404, "no_such_question")
        return found

    def _sweep(self) -> None:
        oldest = time.monotonic() - _KEEP_S
        ended = [k for k, one in self._known.items() if one.ended_at is not None]
        for key in ended:
            one = self._known[key]
            if len(self._known) > _MOST or (one.ended_at is not None and one.ended_at < oldest):
                del self._known[key]

    async def aclose(self) -> None:
        """Stop them all."""
        for one in list(self._known.values()):
            await one.aclose()
        self._known.clear()


async def events_of(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Give the server-sent events of a response, comments left out."""
    event = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            event = line[7:]
        elif line.startswith("data: "):
            yield event, json.loads(line[6:])
