"""Work that goes on beside a page (:class:`~hub_config.data_sources.drafts.Attempt`): a page waits for it a moment.

Most of it is done by then, and the next page shows what came of it; else that page says that it goes on, and looks again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from hub_config.data_sources.drafts import Attempt

MOMENT_S = 1.5


async def a_moment(attempt: Attempt[Any], seconds: float = MOMENT_S) -> None:
    """Wait for the end of an attempt, but no longer than that; no thread waits meanwhile."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(ended.set)

    attempt.then(tell)
    with anyio.move_on_after(seconds):
        await ended.wait()
