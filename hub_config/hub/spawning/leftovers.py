"""What lies here of people and tenants, and taking it away: one contract for containers and for folders.

Who is gone is not decided here: :mod:`hub_config.hub.janitor` asks the API, waits, and calls.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hub_config import docker_names as names
from hub_config.hub.spawning.container_settings import ContainerSettings
from hub_config.hub.spawning.docker_line import DockerLine, NotFound
from hub_config.hub.spawning.networks import TenantNetworks
from hub_config.hub_names import hub_user_name, person_of, rendering_of

_ORPHAN_S = 600.0
"""A rendering's network without its container for so long is nobody's: a start has other limits."""
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass
class Held:
    """Whose things lie here."""

    tenants: set[str] = field(default_factory=set)
    people: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class Removed:
    """What was taken away, and what was found when it was looked for again: nothing, or it was not done."""

    removed: list[str]
    left: list[str]


class Keeper(Protocol):
    """Looks and takes away. Every method may raise whatever Docker or the disk raise: then it is tried again later."""

    async def held(self) -> Held:
        """Return whose things lie here."""

    async def stop(self, tenant_id: str) -> None:
        """End what runs of a tenant that is gone; no file of it is touched yet."""

    async def remove_tenant(self, tenant_id: str) -> Removed:
        """Take everything of a tenant away, and look again."""

    async def remove_person(self, tenant_id: str, user_id: str) -> Removed:
        """Take everything of a person away, and look again; what the tenant shares is the tenant's."""

    async def tidy(self) -> None:
        """Take away what a rendering that broke off has left."""


class Containers:
    """Containers, networks and volumes with this installation's label."""

    def __init__(
        self, given: ContainerSettings, line: Callable[[], DockerLine], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._given = given
        self._line = line
        self._client: DockerLine | None = None
        # One thread: its line to Docker is its own, and nothing here is in a hurry.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="leftovers")
        self._networks = TenantNetworks(given, self._call)
        self._clock = clock
        self._alone: dict[str, float] = {}

    async def held(self) -> Held:
        """Return whose things lie here."""
        found = Held()
        for labels in [labels for _, _, labels in await self._things()]:
            tenant, person = labels.get(names.TENANT, ""), labels.get(names.PERSON)
            if _ID.fullmatch(tenant) is None:
                continue
            found.tenants.add(tenant)
            if person is not None and _ID.fullmatch(person) and labels.get(names.KIND) != "rendering":
                found.people.add((tenant, person))
        return found

    async def stop(self, tenant_id: str) -> None:
        """Remove containers and networks; volumes stay."""
        await self._remove(await self._things(tenant_id), volumes=False)

    async def remove_tenant(self, tenant_id: str) -> Removed:
        """Take everything of a tenant away, and look again."""
        return await self._removed(tenant_id, None)

    async def remove_person(self, tenant_id: str, user_id: str) -> Removed:
        """Take a person's volume away, and a container that is left, and look again."""
        return await self._removed(tenant_id, user_id)

    async def tidy(self) -> None:
        """Take down networks of renderings that have long had no container."""
        containers = await self._call("containers", all=True, filters=self._filters(names.KIND))
        used = {it.get("NetworkID") for each in containers for it in each["NetworkSettings"]["Networks"].values()}
        listed = await self._call("networks", filters=self._filters(f"{names.KIND}=rendering"))
        alone = {network["Name"] for network in listed if network["Id"] not in used}
        now = self._clock()
        self._alone = {name: self._alone.get(name, now) for name in alone}
        for name in [name for name, since in self._alone.items() if now - since >= _ORPHAN_S]:
            await self._networks.remove_named(name)

    async def _removed(self, tenant_id: str, user_id: str | None) -> Removed:
        things = await self._things(tenant_id, user_id)
        await self._remove(things, volumes=True)
        left = await self._things(tenant_id, user_id)
        return Removed([name for _, name, _ in things], [name for _, name, _ in left])

    async def _remove(self, things: list[tuple[str, str, dict[str, str]]], *, volumes: bool) -> None:
        for kind, name, _ in things:
            try:
                if kind == "container":
                    await self._call("remove_container", name, v=True, force=True)
                elif kind == "network":
                    await self._networks.remove_named(name)
                elif volumes:
                    await self._call("remove_volume", name)
            except NotFound:
                continue

    async def _things(
        self, tenant_id: str | None = None, user_id: str | None = None
    ) -> list[tuple[str, str, dict[str, str]]]:
        """Return (kind, name, labels) of a tenant's or a person's things, or of all: containers first, volumes last."""
        whose = [names.TENANT if tenant_id is None else f"{names.TENANT}={tenant_id}"]
        if user_id is not None:
            whose.append(f"{names.PERSON}={user_id}")
        filters = self._filters(*whose)
        containers = await self._call("containers", all=True, filters=filters)
        networks = await self._call("networks", filters=filters)
        volumes = (await self._call("volumes", filters=filters)).get("Volumes") or []
        return [
            *(("container", each["Id"], each["Labels"]) for each in containers if names.KIND in each["Labels"]),
            *(("network", each["Name"], each["Labels"]) for each in networks),
            *(("volume", each["Name"], each["Labels"]) for each in volumes),
        ]

    def _filters(self, *labels: str) -> dict[str, list[str]]:
        return {"label": [f"{names.INSTALLATION}={self._given.installation}", *labels]}

    async def _call(self, method: str, *given: Any, **options: Any) -> Any:
        def ask() -> Any:
            if self._client is None:
                self._client = self._line()
            return getattr(self._client, method)(*given, **options)

        return await asyncio.get_running_loop().run_in_executor(self._thread, ask)


class Folders:
    """Folders of an installation with local processes: see :mod:`hub_config.hub.spawning.local`."""

    def __init__(self, data_dir: Path) -> None:
        self._data = data_dir

    async def held(self) -> Held:
        """Return whose things lie here."""
        found = Held()
        for folder in _folders(self._data / "people"):
            person = person_of(folder.name)
            whose = person or rendering_of(folder.name)
            if whose is not None:
                found.tenants.add(whose[0])
            if person is not None:
                found.people.add(person)
        for folder in [*_folders(self._data / "shared"), *_folders(self._data / "welcome")]:
            if _ID.fullmatch(folder.name):
                found.tenants.add(folder.name)
        return found

    async def stop(self, tenant_id: str) -> None:
        """Do nothing: the API has the hub stop servers, and a folder stays while something runs in it."""

    async def remove_tenant(self, tenant_id: str) -> Removed:
        """Take everything of a tenant away, and look again."""
        return await asyncio.to_thread(self._removed, lambda: self._of_tenant(tenant_id))

    async def remove_person(self, tenant_id: str, user_id: str) -> Removed:
        """Take a person's folder away, and look again."""
        folder = self._data / "people" / hub_user_name(tenant_id, user_id)
        return await asyncio.to_thread(self._removed, lambda: [folder] if folder.is_dir() else [])

    async def tidy(self) -> None:
        """Do nothing: a rendering's folder goes with its hub user."""

    def _of_tenant(self, tenant_id: str) -> list[Path]:
        people = [
            folder
            for folder in _folders(self._data / "people")
            if (person_of(folder.name) or rendering_of(folder.name) or ("",))[0] == tenant_id
        ]
        others = [self._data / name / tenant_id for name in ("shared", "welcome")]
        return [*people, *(folder for folder in others if folder.is_dir())]

    def _removed(self, find: Callable[[], list[Path]]) -> Removed:
        found = find()
        for folder in found:
            # A process that still writes there would make it anew, or lose what it is about to read.
            if not _is_in_use(folder):
                shutil.rmtree(folder)
        return Removed([folder.name for folder in found], [folder.name for folder in find()])


def _folders(above: Path) -> Iterator[Path]:
    """Yield the folders in a folder: no link that leads elsewhere."""
    if above.is_dir():
        yield from (entry for entry in sorted(above.iterdir()) if entry.is_dir() and not entry.is_symlink())


def _is_in_use(folder: Path) -> bool:
    mark = f"HOME={folder.resolve()}{os.sep}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if any(each.startswith(mark) for each in entry.read_bytes().split(b"\0")):
                return True
        except OSError:
            continue
    return False
