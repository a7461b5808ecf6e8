"""What a well-formed body must also be: this installation's, inside its limits, and all of one tenant.

Each function takes a body that its model let through and returns nothing; it raises :class:`Denied`, in English, for the
hub's log. ``facts`` is what the engine knows of the objects that a body names, looked up by the caller.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from hub_config import docker_names as names
from hub_config.docker_gate import bodies
from hub_config.docker_gate.settings import GateSettings

HOME = "/home/datapilot"
SHARED = "/home/datapilot/partage"
TMP_OPTIONS = re.compile(
    r"\Arw,nosuid,nodev(?P<noexec>,noexec)?,size=(?P<size>[1-9][0-9]{0,11})(,uid=1000,gid=1000,mode=0?700|,mode=1777)\Z"
)
_SERVER = re.compile(r"\A[a-z0-9]{1,20}\Z")
Labels = Mapping[str, str]


class Denied(Exception):
    """The call is refused.

    Parameters
    ----------
    message
        What the hub's log says: which rule, and the offending name; no value of an environment.
    """

    def __init__(self, message: str, *, status: int = 403) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


def own(settings: GateSettings, labels: Labels | None) -> Labels:
    """Return the labels of something of this installation.

    Raises
    ------
    Denied
        It is somebody else's.
    """
    if not labels or labels.get(names.INSTALLATION) != settings.installation:
        raise Denied("not of this installation")
    return labels


def own_container(settings: GateSettings, labels: Labels | None) -> Labels:
    """Return the labels of a person's container: the platform's own are not the hub's to stop or read."""
    found = own(settings, labels)
    if found.get(names.KIND) not in names.KINDS or names.SERVICE in found:
        raise Denied("not a container of a person")
    return found


def own_service(settings: GateSettings, labels: Labels | None, *, network: Labels) -> str:
    """Return the alias of one of the platform's own containers on a network of these labels."""
    service = own(settings, labels).get(names.SERVICE, "")
    if service not in names.SERVICES:
        raise Denied("not a service that is attached to tenants' networks")
    if network.get(names.KIND) == "rendering" and service not in names.RENDERING_SERVICES:
        raise Denied("not a service that is attached to renderings' networks")
    return f"dp-{service}"


def own_network(settings: GateSettings, labels: Labels | None) -> str:
    """Return the tenant of a tenant's or a rendering's network: edge, core and the gate's own network are none."""
    tenant = own(settings, labels).get(names.TENANT)
    if not tenant:
        raise Denied("not a tenant's network")
    return tenant


def check_image(settings: GateSettings, image: str) -> None:
    """Refuse an image that is not named."""
    if image not in settings.images:
        raise Denied(f"image not allowed: {image[:100]}")


def check_container(
    settings: GateSettings, name: str, body: bodies.Container, *, network: Labels, volumes: Mapping[str, Labels]
) -> None:
    """Refuse a container that is not within the limits, or not all of one tenant and person.

    Parameters
    ----------
    network
        Labels of the network that the body names.
    volumes
        Labels of each volume that the body names.
    """
    check_image(settings, body.image)
    labels, host = body.labels, body.host
    _same(settings, labels.installation)
    _named(name, names.container_name(labels.tenant, labels.person))
    _network(settings, labels, host.network, network)
    _limits(settings, host)
    _mounts(settings, body, volumes)
    _temporary(settings, body)


def _network(settings: GateSettings, labels: bodies.ContainerLabels, name: str, network: Labels) -> None:
    """Refuse another network than the tenant's for a notebook, and than its very own for a rendering."""
    rendering = labels.person if labels.kind == "rendering" else None
    right = names.rendering_network(labels.tenant, rendering) if rendering else names.network_name(labels.tenant)
    if (
        name != right
        or own_network(settings, network) != labels.tenant
        or (network.get(names.PERSON), network.get(names.KIND)) != (rendering, "rendering" if rendering else None)
    ):
        raise Denied(f"the network is not the {'rendering' if rendering else 'tenant'}'s")


def _limits(settings: GateSettings, host: bodies.Host) -> None:
    if host.memory > settings.memory_max_bytes:
        raise Denied(f"Memory beyond {settings.memory_max_bytes}")
    if host.memory_and_swap != host.memory:
        raise Denied("MemorySwap must equal Memory: no swap")
    if host.cpu_quota > settings.cpu_max * host.cpu_period:
        raise Denied(f"CpuQuota beyond {settings.cpu_max} CPUs")
    if host.pids > settings.pids_max:
        raise Denied(f"PidsLimit beyond {settings.pids_max}")
    limits = {limit.name: limit for limit in host.ulimits}
    if limits.keys() != {"nofile", "core", "fsize"} or len(host.ulimits) != 3:
        raise Denied("Ulimits must be nofile, core and fsize")
    if limits["core"].hard or limits["nofile"].hard > 65_536 or limits["fsize"].hard > settings.file_max_bytes:
        raise Denied("Ulimits beyond the limits")
    if any(limit.soft > limit.hard for limit in host.ulimits):
        raise Denied("Ulimits: soft beyond hard")


def _mounts(settings: GateSettings, body: bodies.Container, volumes: Mapping[str, Labels]) -> None:
    labels = body.labels
    wanted = (
        {HOME: names.home_volume(labels.tenant, labels.person), SHARED: names.shared_volume(labels.tenant)}
        if labels.kind == "notebook"
        else {}
    )
    if {mount.target: mount.source for mount in body.host.mounts} != wanted or len(body.host.mounts) != len(wanted):
        raise Denied(f"Mounts of a {labels.kind} must be {sorted(wanted.values())}")
    for mount in body.host.mounts:
        whose = own(settings, volumes.get(mount.source))
        person = labels.person if mount.target == HOME else None
        if whose.get(names.TENANT) != labels.tenant or whose.get(names.PERSON) != person:
            raise Denied("the volume is not this person's")


def _temporary(settings: GateSettings, body: bodies.Container) -> None:
    wanted = {"/tmp"} if body.labels.kind == "notebook" else {"/tmp", HOME}  # noqa: S108
    if set(body.host.tmpfs) != wanted:
        raise Denied(f"Tmpfs of a {body.labels.kind} must be {sorted(wanted)}")
    for options in body.host.tmpfs.values():
        found = TMP_OPTIONS.match(options)
        if found is None or int(found["size"]) > settings.tmp_max_bytes:
            raise Denied("Tmpfs must be rw,nosuid,nodev with a size within the limit")


def check_network(settings: GateSettings, body: bodies.Network) -> None:
    """Refuse a network that is not a tenant's or a rendering's, in the pool, on its own bridge."""
    labels = body.labels
    _same(settings, labels.installation)
    if (labels.person is None) != (labels.kind is None):
        raise Denied("a network with a person is a rendering's")
    if labels.person is None:
        name, bits = names.network_name(labels.tenant), settings.network_prefix_bits
        bridge = names.bridge_name(settings.installation, labels.tenant)
    else:
        name, bits = names.rendering_network(labels.tenant, labels.person), names.RENDERING_PREFIX_BITS
        bridge = names.rendering_bridge(settings.installation, labels.tenant, labels.person)
    if body.name != name:
        raise Denied("the network's name is not its owner's")
    if body.options.name != bridge:
        raise Denied("the bridge's name is not its owner's")
    pool = ipaddress.IPv4Network(settings.address_pool)
    try:
        subnet = ipaddress.IPv4Network(body.addresses.config[0].subnet)
    except ValueError:
        raise Denied("Subnet: not a network") from None
    if subnet.prefixlen != bits or not subnet.subnet_of(pool):
        raise Denied(f"Subnet: not a /{bits} of {pool}")


def check_volume(settings: GateSettings, body: bodies.Volume) -> None:
    """Refuse a volume whose name is not what its labels say, or whose size is beyond the limit."""
    labels = body.labels
    _same(settings, labels.installation)
    right = names.home_volume(labels.tenant, labels.person) if labels.person else names.shared_volume(labels.tenant)
    if body.name != right:
        raise Denied("the volume's name is not its owner's")
    if body.options.size is not None and int(body.options.size) > settings.volume_max_bytes:
        raise Denied(f"size beyond {settings.volume_max_bytes}")


def _same(settings: GateSettings, installation: str) -> None:
    if installation != settings.installation:
        raise Denied("label of another installation")


def _named(name: str, right: str) -> None:
    rest = name.removeprefix(right)
    if not name.startswith(right) or (rest and (rest[0] != "-" or not _SERVER.match(rest[1:]))):
        raise Denied("the container's name is not its owner's")


def shown_container(container: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a listed container what the hub needs: who it is, whose, and where it is attached."""
    kept = ("Id", "Names", "Labels", "State", "Created")
    attached = (container.get("NetworkSettings") or {}).get("Networks") or {}
    return {
        **{key: container[key] for key in kept if key in container},
        "NetworkSettings": {"Networks": {name: {"NetworkID": it.get("NetworkID")} for name, it in attached.items()}},
    }
