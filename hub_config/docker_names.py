"""Names and labels of what the platform makes at the Docker engine: pure functions that the hub and the gate share.

The gate (:mod:`hub_config.docker_gate`) holds every name to its labels with these, so that neither can say something else
than the other. Twelve digits of a random id stand in names; whose a thing really is, its labels say, with all 32.
"""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

Kind = Literal["notebook", "rendering"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Service = Literal["hub", "proxy", "api"]
SERVICES: tuple[Service, ...] = get_args(Service)

INSTALLATION = "fr.datapilot.installation"
"""Label of everything of one installation; its value is the installation's name."""
TENANT = "fr.datapilot.tenant"
PERSON = "fr.datapilot.person"
KIND = "fr.datapilot.kind"
SERVICE = "fr.datapilot.service"
"""Label of the platform's own containers (docker-compose.yml): those that are attached to tenants' networks."""

BRIDGES = "dpt-"
"""How every tenant's bridge begins, and every rendering's: the host's firewall names them all by it."""
RENDERING_PREFIX_BITS = 28
"""Size of a rendering's network: room for it, the hub and the API, each made anew once."""
RENDERING_SERVICES: tuple[Service, ...] = ("hub", "api")
"""The platform's services on a rendering's network: nobody's browser goes there."""
SHORT = 12


def container_name(tenant_id: str, person_id: str, server: str = "") -> str:
    """Return a container's name.

    >>> container_name("a" * 32, "b" * 32)
    'dp-aaaaaaaaaaaa-bbbbbbbbbbbb'
    """
    return f"dp-{tenant_id[:SHORT]}-{person_id[:SHORT]}" + (f"-{server}" if server else "")


def home_volume(tenant_id: str, person_id: str) -> str:
    """Return the name of a person's own volume.

    >>> home_volume("a" * 32, "b" * 32)
    'dp-aaaaaaaaaaaa-bbbbbbbbbbbb-home'
    """
    return f"dp-{tenant_id[:SHORT]}-{person_id[:SHORT]}-home"


def shared_volume(tenant_id: str) -> str:
    """Return the name of the volume that a tenant's people share.

    >>> shared_volume("a" * 32)
    'dp-aaaaaaaaaaaa-shared'
    """
    return f"dp-{tenant_id[:SHORT]}-shared"


def network_name(tenant_id: str) -> str:
    """Return the name of a tenant's network.

    >>> network_name("a" * 32)
    'dpt-aaaaaaaaaaaa'
    """
    return f"{BRIDGES}{tenant_id[:SHORT]}"


def bridge_name(installation: str, tenant_id: str) -> str:
    """Return the name of a tenant's bridge on the host: 15 characters, all that Linux has room for.

    >>> len(bridge_name("datapilot", "a" * 32))
    15
    """
    return BRIDGES + hashlib.sha256(f"{installation}/{tenant_id}".encode()).hexdigest()[:11]


def rendering_network(tenant_id: str, rendering_id: str) -> str:
    """Return the name of the network of one rendering, on which nothing else of the tenant is.

    >>> rendering_network("a" * 32, "b" * 32)
    'dpt-aaaaaaaaaaaa-bbbbbbbbbbbb'
    """
    return f"{network_name(tenant_id)}-{rendering_id[:SHORT]}"


def rendering_bridge(installation: str, tenant_id: str, rendering_id: str) -> str:
    """Return the name of a rendering's bridge; « r » is no digit of a tenant's.

    >>> rendering_bridge("datapilot", "a" * 32, "b" * 32)[:5], len(rendering_bridge("datapilot", "a" * 32, "b" * 32))
    ('dpt-r', 15)
    """
    digest = hashlib.sha256(f"{installation}/{tenant_id}/{rendering_id}".encode()).hexdigest()
    return f"{BRIDGES}r{digest[:10]}"


def alias_of(service: Service) -> str:
    """Return the name by which a tenant's containers find a service of the platform.

    >>> alias_of("hub")
    'dp-hub'
    """
    return f"dp-{service}"
