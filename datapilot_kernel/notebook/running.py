"""Runs a question beside the kernel's main thread, so that Stop is heard at every moment.

The main thread only waits and shows progress. SIGINT (the Stop button) raises ``KeyboardInterrupt`` there; the cancel token
then ends the model's stream or the database's query, from this thread, while the worker is still inside the driver.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from datapilot_kernel.errors import Cancelled
from datapilot_kernel.messages import text
from datapilot_kernel.sources.model import CancelToken

T = TypeVar("T")

_PATIENCE_S = 0.15
_GRACE_S = 10.0


class Said(Exception):
    """Ends a cell (and « Run all ») with one sentence and no traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def _render_traceback_(self) -> list[str]:
        return [self.message]


def run(work: Callable[[CancelToken, Callable[[str], None]], T], show: Callable[[str], None]) -> T:
    """Do ``work(cancel, progress)`` in a thread and wait for it.

    Parameters
    ----------
    show
        Told, in the calling thread, the step in hand; only when the work takes long enough to be noticed.

    Raises
    ------
    Said
        The person pressed Stop; the work was cancelled.
    """
    cancel, done = CancelToken(), threading.Event()
    outcome: dict[str, Any] = {}
    steps: list[str] = []

    def target() -> None:
        try:
            outcome["value"] = work(cancel, steps.append)
        except BaseException as error:  # noqa: BLE001 -- the thread's edge: raised again in the caller's thread
            outcome["error"] = error
        finally:
            done.set()

    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: context.run(target), name="datapilot-ask", daemon=True)
    try:
        thread.start()
        shown, waited = None, _PATIENCE_S
        while not done.wait(waited):
            waited = 0.05
            if steps and steps[-1] != shown:
                shown = steps[-1]
                show(shown)
    except KeyboardInterrupt:
        cancel.cancel()
        done.wait(_GRACE_S)
        raise Said(text("notebook.stopped")) from None
    if "error" in outcome:
        if isinstance(outcome["error"], Cancelled):
            raise Said(text("notebook.stopped")) from None
        raise outcome["error"]
    value: T = outcome["value"]
    return value
