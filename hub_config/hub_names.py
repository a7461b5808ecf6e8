"""A person's name at the hub, and the hub's groups: pure functions that the hub's process and the API's share.

The hub's user name *is* the person: ``<tenant>-<user>``, both ids in base 32 (:func:`hub_user_name`). So whoever sees a
hub user knows the tenant without asking (the spawner its network, the API its session), a name belongs to exactly
one person of exactly one tenant, and it is fit for host names, paths and containers (53 characters, a-z, 2-7 and one
hyphen).

Groups say the same for the hub's roles: everybody of a tenant, and everybody of a tenant with a role.
"""

from __future__ import annotations

import base64
import re

from hub_config.principal import Role

_NAME = re.compile(r"([a-z2-7]{26})-([a-z2-7]{26})")


def hub_user_name(tenant_id: str, user_id: str) -> str:
    """Return the hub's name of a person.

    >>> hub_user_name("00000000000000000000000000000001", "ffffffffffffffffffffffffffffffff")
    'aaaaaaaaaaaaaaaaaaaaaaaaae-77777777777777777777777774'
    """
    return f"{_base32(tenant_id)}-{_base32(user_id)}"


def person_of(name: str) -> tuple[str, str] | None:
    """Return the tenant's and the person's id of a hub user name; None: it is not one of ours.

    >>> person_of("aaaaaaaaaaaaaaaaaaaaaaaaae-77777777777777777777777774")
    ('00000000000000000000000000000001', 'ffffffffffffffffffffffffffffffff')
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    tenant_id, user_id = (base64.b32decode(part.upper() + "======").hex() for part in found.groups())
    # 26 characters are 130 bits: the spare two must be zero, or two names would be one person.
    return (tenant_id, user_id) if hub_user_name(tenant_id, user_id) == name else None


def tenant_group(tenant_id: str) -> str:
    """Return the hub's group of everybody of a tenant.

    >>> tenant_group("00000000000000000000000000000001")
    'tenant-00000000000000000000000000000001'
    """
    return f"tenant-{tenant_id}"


def role_group(tenant_id: str, role: Role) -> str:
    """Return the hub's group of everybody of a tenant with a role.

    >>> role_group("00000000000000000000000000000001", "viewer")
    'tenant-00000000000000000000000000000001-viewer'
    """
    return f"{tenant_group(tenant_id)}-{role}"


def _base32(hexadecimal: str) -> str:
    return base64.b32encode(bytes.fromhex(hexadecimal)).decode().rstrip("=").lower()


def rendering_user_name(tenant_id: str, rendering_id: str) -> str:
    """Return the hub's name of one rendering of a tenant: nobody signs in with it, and it lives as long as its server.

    >>> rendering_user_name("00000000000000000000000000000001", "ffffffffffffffffffffffffffffffff")
    'rendu-aaaaaaaaaaaaaaaaaaaaaaaaae-77777777777777777777777774'
    """
    return f"rendu-{hub_user_name(tenant_id, rendering_id)}"


def rendering_of(name: str) -> tuple[str, str] | None:
    """Return the tenant's and the rendering's id of such a name; None: it is not one.

    >>> rendering_of("rendu-aaaaaaaaaaaaaaaaaaaaaaaaae-77777777777777777777777774")
    ('00000000000000000000000000000001', 'ffffffffffffffffffffffffffffffff')
    """
    return person_of(name.removeprefix("rendu-")) if name.startswith("rendu-") else None
