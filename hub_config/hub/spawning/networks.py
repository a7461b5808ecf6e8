"""A network per tenant: made when its first container starts, with the platform's services attached, and nothing else on it.

The host has no address on the bridge (``inhibit_ipv4``; from engine 28 also the mode ``isolated``), Docker routes nothing in
or out (``internal``), and the host's firewall drops what is left (:mod:`hub_config.firewall`): any of the three alone keeps
the host out of reach.

Addresses are ours to give: Docker's own pools end at about thirty networks. A tenant's place in the pool follows from its
id, so that it mostly gets the same one again; where that is taken, the next. When the pool is used up, networks without a
person's container are taken down first.

The services' containers are found by their label, not by name: compose names them, and makes them anew at each change. What
was made anew is attached again within :data:`_KEPT_S` of the next look, which every poll of a running server is.

A *rendering* of a dashboard has a network for itself, with the hub and the API on it and nothing else: a notebook of the
tenant, or another rendering, could listen where it would ask, or ask where it listens. It is made when the rendering starts
and taken down when it ends. Renderings fill the pool from its end, so that they seldom stand in a tenant's place.

Rejected: one network for all with rules between containers (one forgotten rule opens everything); an overlay of policies
on the default bridge. What remains: containers of one tenant reach each other's ports; what listens there asks for a token.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hub_config import docker_names as names
from hub_config.hub.spawning.container_settings import ContainerSettings
from hub_config.hub.spawning.docker_line import APIError, NotFound

_KEPT_S = 20.0
"""For so long a network is believed to have its services attached."""
Call = Callable[..., Awaitable[Any]]


class NoAddresses(Exception):
    """The pool is used up."""


class NoService(Exception):
    """A service of the platform that containers need is not there.

    Parameters
    ----------
    services
        Which.
    """

    def __init__(self, services: list[str]) -> None:
        super().__init__(", ".join(services))
        self.services = services


@dataclass(frozen=True)
class _Whose:
    """A tenant's network, or that of one rendering of its."""

    tenant_id: str
    rendering_id: str | None = None

    @property
    def name(self) -> str:
        if self.rendering_id is None:
            return names.network_name(self.tenant_id)
        return names.rendering_network(self.tenant_id, self.rendering_id)

    @property
    def labels(self) -> dict[str, str]:
        rendering = {} if self.rendering_id is None else {names.PERSON: self.rendering_id, names.KIND: "rendering"}
        return {names.TENANT: self.tenant_id, **rendering}

    def bridge(self, installation: str) -> str:
        if self.rendering_id is None:
            return names.bridge_name(installation, self.tenant_id)
        return names.rendering_bridge(installation, self.tenant_id, self.rendering_id)


class TenantNetworks:
    """Makes and keeps tenants' networks.

    Parameters
    ----------
    call
        ``await call("create_network", …)`` calls docker-py off the loop.
    services
        Which services are attached; a test leaves some out.
    """

    def __init__(
        self,
        settings: ContainerSettings,
        call: Call,
        *,
        services: tuple[names.Service, ...] = names.SERVICES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._call = call
        self._services = services
        self._clock = clock
        self._lock = asyncio.Lock()
        self._kept: dict[str, float] = {}
        self._modes: bool | None = None

    async def ready(self, tenant_id: str, rendering_id: str | None = None) -> str:
        """Return the name of the tenant's network (or of a rendering's), made if need be, with the services attached.

        Raises
        ------
        NoAddresses
            No subnet of the pool is free.
        NoService
            One that containers need does not run.
        """
        whose = _Whose(tenant_id, rendering_id)
        async with self._lock:
            network = await self._find(whose.name)
            if network is None:
                await self._make(whose)
                network = await self._call("inspect_network", whose.name)
            await self._attach(network, whose)
            self._kept[whose.name] = self._clock()
        return whose.name

    async def keep(self, tenant_id: str, rendering_id: str | None = None) -> None:
        """Attach again what was made anew since the last look. Quiet: a running notebook must not end of it."""
        whose = _Whose(tenant_id, rendering_id)
        if self._clock() - self._kept.get(whose.name, float("-inf")) < _KEPT_S:
            return
        async with self._lock:
            self._kept[whose.name] = self._clock()
            network = await self._find(whose.name)
            if network is not None:
                try:
                    await self._attach(network, whose)
                except NoService:
                    self._kept.pop(whose.name, None)

    async def remove(self, tenant_id: str, rendering_id: str | None = None) -> None:
        """Take a network down, with whatever service is attached. Nothing when there is none."""
        await self.remove_named(_Whose(tenant_id, rendering_id).name)

    async def remove_named(self, name: str) -> None:
        """Take down one of our networks by its name or id. Nothing when there is none."""
        async with self._lock:
            network = await self._find(name)
            if network is not None:
                await self._take_down(network)
                self._kept.pop(network.get("Name", name), None)

    # ── making ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _find(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = await self._call("inspect_network", name)
        except NotFound:
            return None
        return found

    async def _make(self, whose: _Whose) -> None:
        if await self._try_places(whose) or (await self._reclaim() and await self._try_places(whose)):
            return
        raise NoAddresses(self._settings.address_pool)

    async def _try_places(self, whose: _Whose) -> bool:
        taken = [ipaddress.IPv4Network(subnet) for network in await self._own() for subnet in _subnets(network)]
        for place in self._places(whose.tenant_id) if whose.rendering_id is None else self._places_of_renderings():
            if any(place.overlaps(other) for other in taken):
                continue
            try:
                await self._call("create_network", whose.name, **self._described(whose, place, await self._has_modes()))
            except APIError as error:
                # Another network of this machine, not ours, lies there.
                if "overlap" in str(error.explanation).lower():
                    continue
                raise
            return True
        return False

    def _places(self, tenant_id: str) -> Iterator[ipaddress.IPv4Network]:
        """Yield every subnet of the pool once, beginning with the tenant's own."""
        pool, bits = ipaddress.IPv4Network(self._settings.address_pool), self._settings.network_prefix_bits
        count, size = 2 ** (bits - pool.prefixlen), 2 ** (32 - bits)
        first = int.from_bytes(hashlib.sha256(tenant_id.encode()).digest()[:8]) % count
        for step in range(count):
            yield ipaddress.IPv4Network((int(pool.network_address) + (first + step) % count * size, bits))

    def _places_of_renderings(self) -> Iterator[ipaddress.IPv4Network]:
        """Yield the pool's small places, the last one first."""
        pool, bits = ipaddress.IPv4Network(self._settings.address_pool), names.RENDERING_PREFIX_BITS
        size = 2 ** (32 - bits)
        for first in range(int(pool.broadcast_address) + 1 - size, int(pool.network_address) - 1, -size):
            yield ipaddress.IPv4Network((first, bits))

    def _described(self, whose: _Whose, place: ipaddress.IPv4Network, modes: bool) -> dict[str, Any]:
        bridge = "com.docker.network.bridge"
        options = {
            f"{bridge}.name": whose.bridge(self._settings.installation),
            f"{bridge}.inhibit_ipv4": "true",
            f"{bridge}.enable_ip_masquerade": "false",
        }
        if modes:
            options[f"{bridge}.gateway_mode_ipv4"] = "isolated"
        return {
            "driver": "bridge",
            "internal": True,
            "check_duplicate": True,
            "options": options,
            "ipam": {"Driver": "default", "Config": [{"Subnet": str(place)}]},
            "labels": {names.INSTALLATION: self._settings.installation, **whose.labels},
        }

    async def _has_modes(self) -> bool:
        """Tell whether the engine knows the gateway mode ``isolated``: from 28 on."""
        if self._modes is None:
            version = str((await self._call("version")).get("Version", "0"))
            major = version.split(".")[0]
            self._modes = major.isdecimal() and int(major) >= 28
        return self._modes

    # ── attaching ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _attach(self, network: dict[str, Any], whose: _Whose) -> None:
        wanted = [each for each in self._services if whose.rendering_id is None or each in names.RENDERING_SERVICES]
        running = await self._call(
            "containers",
            filters={"label": [f"{names.INSTALLATION}={self._settings.installation}", names.SERVICE], "status": "running"},
        )
        missing = set(wanted)
        for container in running:
            service = container["Labels"].get(names.SERVICE)
            # « docker compose run api … » has the service's labels, and is not the service.
            if service not in wanted or container["Labels"].get("com.docker.compose.oneoff") == "True":
                continue
            missing.discard(service)
            if all(it.get("NetworkID") != network["Id"] for it in container["NetworkSettings"]["Networks"].values()):
                try:
                    await self._call(
                        "connect_container_to_network", container["Id"], network["Id"], aliases=[names.alias_of(service)]
                    )
                except APIError as error:
                    # Already there: between looking and attaching.
                    if "already exists" not in str(error.explanation):
                        raise
        if missing:
            raise NoService(sorted(missing))

    # ── taking down ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _own(self) -> list[dict[str, Any]]:
        only = {"label": [f"{names.INSTALLATION}={self._settings.installation}", names.TENANT]}
        found: list[dict[str, Any]] = await self._call("networks", filters=only)
        return found

    async def _reclaim(self) -> bool:
        """Take down the networks on which no person's container is; tell whether there were any."""
        used = {
            it.get("NetworkID")
            for container in await self._call("containers", all=True, filters={"label": [names.KIND]})
            for it in container["NetworkSettings"]["Networks"].values()
        }
        unused = [network for network in await self._own() if network["Id"] not in used]
        for network in unused:
            await self._take_down(await self._call("inspect_network", network["Id"]))
            self._kept.pop(network["Name"], None)
        return bool(unused)

    async def _take_down(self, network: dict[str, Any]) -> None:
        for attached in network.get("Containers") or {}:
            try:
                await self._call("disconnect_container_from_network", attached, network["Id"], force=True)
            except NotFound:
                continue
        await self._call("remove_network", network["Id"])


def _subnets(network: dict[str, Any]) -> list[str]:
    return [config["Subnet"] for config in (network.get("IPAM") or {}).get("Config") or [] if "Subnet" in config]
