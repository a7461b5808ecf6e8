"""How many requests that wait for a source, a file's reader or a tenant's server hold a thread at once.

Questions have a line of their own (:mod:`hub_config.queries.scheduler`). Beside them some routes wait in the threads that
serve all quick routes: a connection test, a preview, the check of a layer. A tenant whose server never answers would fill
these threads and hold up everybody, so each tenant has few of them, and all tenants together not all of them. Who finds
none free is told at once to come again: a line would hold the very threads it is about.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from hub_config.errors import TooMany

PER_TENANT = 8
TOGETHER = 40
READERS_PER_TENANT = 2
READERS_TOGETHER = 4
"""Of files that are read to be previewed: each may take a core and gigabytes."""
_RETRY_S = 3


class Turns:
    """Counts. Thread-safe.

    Parameters
    ----------
    per_tenant, together
        How many at once.
    """

    def __init__(self, *, per_tenant: int = PER_TENANT, together: int = TOGETHER) -> None:
        self._per_tenant = per_tenant
        self._together = together
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken(self, tenant_id: str) -> Iterator[None]:
        """Hold one as long as the block lasts.

        Raises
        ------
        TooMany
            None is free.
        """
        with self._lock:
            if self._taken[tenant_id] >= self._per_tenant or self._taken.total() >= self._together:
                raise TooMany("data_sources.too_many_at_once", retry_after_s=_RETRY_S)
            self._taken[tenant_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[tenant_id] -= 1
                if not self._taken[tenant_id]:
                    del self._taken[tenant_id]
