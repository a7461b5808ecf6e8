"""Where passwords are hashed: few at once, in threads of their own, with a queue that ends.

The event loop never waits for a hash, the threads that serve the other routes are not taken, and a flood of sign-ins is
turned away (503) instead of filling the memory. A failed answer takes at least :data:`FLOOR_S` of working time, so that what
differs inside (an account more, an update in the database) cannot be measured from outside; waiting for it takes no thread.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from datapilot_kernel.errors import DataPilotError
from hub_config.errors import PlatformUnavailable

FLOOR_S = 0.5
_WAITING = 200

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Work:
    """Runs functions in a small pool of threads.

    Parameters
    ----------
    threads
        None: as many as there are processors, at least 2 and at most 4 (64 MiB each while hashing).
    """

    def __init__(self, threads: int | None = None, *, floor_s: float = FLOOR_S) -> None:
        self._pool = ThreadPoolExecutor(threads or min(4, max(2, os.cpu_count() or 2)), thread_name_prefix="people")
        self._waiting = 0
        self._lock = threading.Lock()
        self.floor_s = floor_s

    async def run(
        self, function: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Return what the function returns, computed in the pool with this context's language and request id.

        Raises
        ------
        PlatformUnavailable
            Too many are waiting already.
        """
        self._enter()
        context = contextvars.copy_context()
        started = [0.0]

        def work() -> Result:
            started[0] = time.monotonic()
            return function(*args, **kwargs)

        try:
            future = self._pool.submit(context.run, work)
        except BaseException:
            self._leave()
            raise
        future.add_done_callback(lambda _: self._leave())
        try:
            return await asyncio.wrap_future(future)
        except DataPilotError:
            await asyncio.sleep(max(0.0, started[0] + self.floor_s - time.monotonic()))
            raise

    def later(self, function: Callable[[], None]) -> None:
        """Run something after the answer; dropped when too many are waiting. It must catch what it raises itself."""
        try:
            self._enter()
        except PlatformUnavailable:
            return
        self._pool.submit(contextvars.copy_context().run, function).add_done_callback(lambda _: self._leave())

    def close(self) -> None:
        """Let what runs finish, start nothing more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _enter(self) -> None:
        with self._lock:
            if self._waiting >= _WAITING:
                raise PlatformUnavailable(log="too many sign-ins at once")
            self._waiting += 1

    def _leave(self) -> None:
        with self._lock:
            self._waiting -= 1
