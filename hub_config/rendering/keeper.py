"""What renderings and interactive dashboards both need of a thread: to look now and then, and to take away what is over."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from hub_config.errors import PlatformUnavailable

if TYPE_CHECKING:
    from hub_config.rendering.hub_servers import HubServers

log = logging.getLogger(__name__)


class Keeper:
    """A thread that calls ``look`` every ``every_s`` seconds, and at once after :meth:`leave` or :meth:`wake`.

    Parameters
    ----------
    name
        Of the thread, and in the log.
    servers
        Where what is left is removed; without a hub nothing is started.
    look
        Ends what must end; it calls :meth:`clear`. What it raises is logged, and the next round tries again.
    """

    def __init__(self, name: str, servers: HubServers, look: Callable[[], None], every_s: float) -> None:
        self._name = name
        self._servers = servers
        self._look = look
        self._every_s = every_s
        self._leftover: deque[tuple[str, str]] = deque()
        self._stopped = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin. Safe twice."""
        if self._thread is None and self._servers.available:
            self._thread = threading.Thread(target=self._keep, name=f"datapilot-{self._name}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; what :meth:`clear` cannot remove from here on is not tried again. Safe twice."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(10.0)
            self._thread = None

    def wake(self) -> None:
        """Have it look at once."""
        self._wake.set()

    def leave(self, tenant_id: str, process_id: str) -> None:
        """Have the process removed from the hub, as soon as the hub can."""
        self._leftover.append((tenant_id, process_id))
        self._wake.set()

    def clear(self) -> None:
        """Remove what is left; what the hub cannot remove now stays for the next time."""
        for _ in range(len(self._leftover)):
            tenant_id, process_id = self._leftover.popleft()
            try:
                gone = self._servers.remove(tenant_id, process_id)
            except PlatformUnavailable:
                gone = False
            if not gone and not self._stopped.is_set():
                self._leftover.append((tenant_id, process_id))

    def _keep(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait(self._every_s)
            self._wake.clear()
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 -- the thread's edge: the next round tries again
                log.warning("%s: %s", self._name, type(error).__name__)
