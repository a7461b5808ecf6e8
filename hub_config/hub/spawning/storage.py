"""How much people's volumes hold, and what happens when it is too much.

What *holds* depends on the server's disk. Where it has project quotas (XFS mounted with ``pquota``),
``DATAPILOT_HUB_DOCKER_VOLUME_QUOTA=engine`` gives each volume its size, and the kernel refuses the write beyond it. On
overlay2 over ext4 nothing can: there the size is *watched*, and this is all it is.

- No single file grows beyond ``file_bytes`` (a limit of the process, which nobody inside can raise).
- Volumes are measured by the engine every ``storage_check_minutes``. Whoever is beyond nine tenths of their limit reads so
  at the next start; the operator reads it in the log.
- While the disk has less than ``disk_reserve_bytes`` free (looked at with every poll of a server), volumes are measured at
  once, and the servers of those beyond their limit are stopped and do not start again until there is room. Nobody else's
  is. Between the disk being full enough and the stop lie one poll (20 s) and one measuring: the reserve must be what
  can be written in that time.

No file is ever deleted here.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hub_config import docker_names as names
from hub_config.hub.spawning.container_settings import ContainerSettings

_AT_ONCE_S = 60.0
"""While the disk is short, a measuring of so long ago is taken for now: it reads every file's size."""
_NEARLY = 0.9


@dataclass(frozen=True)
class Taken:
    """What a volume holds, and may."""

    used_bytes: int
    limit_bytes: int

    @property
    def is_nearly_full(self) -> bool:
        """Tell whether its owner should hear of it."""
        return self.limit_bytes > 0 and self.used_bytes >= _NEARLY * self.limit_bytes

    @property
    def is_over(self) -> bool:
        """Tell whether it is beyond its limit."""
        return 0 < self.limit_bytes < self.used_bytes


class StorageWatch:
    """Measures volumes, seldom.

    Parameters
    ----------
    call
        ``await call("df")`` calls docker-py off the loop.
    free_bytes
        What is free on the disk of the volumes. A container's own root lies on the same disk as they do.
    """

    def __init__(
        self,
        settings: ContainerSettings,
        call: Callable[..., Awaitable[Any]],
        *,
        clock: Callable[[], float] = time.monotonic,
        free_bytes: Callable[[], int] | None = None,
    ) -> None:
        self._settings = settings
        self._call = call
        self._clock = clock
        self._free_bytes = free_bytes or _free_bytes
        self._lock = asyncio.Lock()
        self._sizes: dict[str, int] = {}
        self._measured: float | None = None

    def is_short(self) -> bool:
        """Tell whether the disk has less free than the reserve."""
        return self._settings.disk_reserve_bytes > 0 and self._free_bytes() < self._settings.disk_reserve_bytes

    async def taken(self, tenant_id: str, person_id: str) -> list[Taken]:
        """Return what the person's and the tenant's volume hold, as last measured; measured anew when it is time."""
        await self._measure_when_due()
        limits = {
            names.home_volume(tenant_id, person_id): self._settings.home_bytes,
            names.shared_volume(tenant_id): self._settings.shared_bytes,
        }
        return [Taken(self._sizes[name], limit) for name, limit in limits.items() if name in self._sizes]

    async def must_stop(self, tenant_id: str, person_id: str) -> Taken | None:
        """Return the volume for which a person's server must not run now; None: it may."""
        if not self.is_short():
            return None
        return next((each for each in await self.taken(tenant_id, person_id) if each.is_over), None)

    async def _measure_when_due(self) -> None:
        every = self._settings.storage_check_minutes * 60.0
        async with self._lock:
            age = float("inf") if self._measured is None else self._clock() - self._measured
            if (every and age >= every) or (age >= _AT_ONCE_S and self.is_short()):
                volumes = (await self._call("df")).get("Volumes") or []
                self._sizes = {v["Name"]: int((v.get("UsageData") or {}).get("Size", -1)) for v in volumes}
                self._measured = self._clock()


def _free_bytes() -> int:
    found = os.statvfs("/")
    return found.f_bavail * found.f_frsize
