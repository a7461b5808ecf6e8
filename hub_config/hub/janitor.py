"""Nothing of whoever is gone stays here: containers, networks, volumes, folders are compared with what the API says.

What lies here says itself whose it is (labels in Docker, names of folders). Every ``leftover_check_minutes`` the API is
asked about all of it (``POST /hub/gone``), and what belongs to somebody gone is removed:

- of a *tenant*: containers and networks when it was found gone twice, some time apart; volumes and folders, shared ones
  too, after ``tenant_kept_hours``;
- of a *person*: their own volume or folder after ``home_kept_days``. Whoever is disabled or was made a viewer is not gone.

So a deletion is made good also when the hub, the API or Docker were away when it happened. Nothing is removed on an error,
on an API that is away or says something else than it should, nor for what it does not know: only on its clear « gone »,
said each time of at least two. Whoever comes back in between is counted anew. Since when somebody is gone is remembered in
``DATA/leftovers.json``; without that file the counting begins again.

After a removal it is looked again: the log says what went and that nothing is left, or what is, and it is tried again.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from hub_config.hub.platform_api import Away, PlatformApi
from hub_config.hub.settings import HubSettings
from hub_config.hub.spawning.leftovers import Keeper, Removed
from hub_config.hub_names import hub_user_name, person_of

log = logging.getLogger("datapilot.janitor")

_NEARLY = 0.9
"""Two looks are so much of their distance apart, at least: the loop's own time is not counted."""
_FIRST_S = 60.0


class Janitor:
    """Looks, asks, removes.

    Parameters
    ----------
    memory
        The file that remembers since when somebody is gone.
    """

    def __init__(
        self,
        settings: HubSettings,
        api: PlatformApi,
        keeper: Keeper,
        *,
        memory: Path,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._keeper = keeper
        self._memory = memory
        self._clock = clock
        self._every_s = settings.leftover_check_minutes * 60
        self._tenant_s = settings.tenant_kept_hours * 3600
        self._person_s = settings.home_kept_days * 86_400
        self._away = ""

    async def run(self) -> None:
        """Look again and again."""
        await asyncio.sleep(min(_FIRST_S, self._every_s))
        while True:
            try:
                await self.look()
            except Exception as problem:  # noqa: BLE001 -- Docker or the disk: the next look may go well
                log.warning("leftovers are not looked for now: %s", type(problem).__name__)
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Look once."""
        await self._keeper.tidy()
        held = await self._keeper.held()
        people = {hub_user_name(*person) for person in held.people}
        gone = await self._api.gone(held.tenants, people)
        if isinstance(gone, Away):
            if gone.why != self._away:
                log.warning("leftovers stay: the API is away: %s", gone.why)
            self._away = gone.why
            return
        self._away = ""
        known, now = self._remembered(), self._clock()
        since = {key: known.get(key, now) for key in gone.tenants | gone.people}
        if since != known:
            self._remember(since)
        for key in sorted(since):
            age = now - since[key]
            if key not in known or age < _NEARLY * self._every_s:
                continue  # said once: once more, and not at once
            try:
                await (self._tenant(key, age) if key in gone.tenants else self._person(key, age))
            except Exception as problem:  # noqa: BLE001 -- the others' turn must come
                log.warning("what is left of %s stays for now: %s", key, type(problem).__name__)

    async def _tenant(self, tenant_id: str, age_s: float) -> None:
        if age_s < self._tenant_s:
            await self._keeper.stop(tenant_id)
        else:
            _tell("tenant", tenant_id, await self._keeper.remove_tenant(tenant_id))

    async def _person(self, name: str, age_s: float) -> None:
        person = person_of(name)
        if person is not None and age_s >= self._person_s:
            _tell("person", name, await self._keeper.remove_person(*person))

    def _remembered(self) -> dict[str, float]:
        try:
            found = json.loads(self._memory.read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {str(key): float(value) for key, value in found.items() if isinstance(value, int | float)}

    def _remember(self, since: dict[str, float]) -> None:
        beside = self._memory.with_name(self._memory.name + ".new")
        beside.write_text(json.dumps(since), encoding="utf-8")
        os.replace(beside, self._memory)


def _tell(what: str, name: str, done: Removed) -> None:
    if done.left:
        log.error("of the deleted %s %s there is still left: %s", what, name, ", ".join(done.left))
    else:
        log.warning("of the deleted %s %s were removed, none left: %s", what, name, ", ".join(done.removed))


def begin(settings: HubSettings, api: PlatformApi) -> asyncio.Task[None] | None:
    """Have it run beside the hub; None: it is not to, or no hub runs."""
    if settings.leftover_check_minutes == 0:
        return None
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # a hub that only prints its configuration
        return None
    way = importlib.import_module(f"hub_config.hub.spawning.{settings.spawner}")
    memory = settings.data_dir.resolve() / "leftovers.json"
    return loop.create_task(Janitor(settings, api, way.leftovers(settings), memory=memory).run())
