"""Who may do what at the hub, as data: roles of people, groups of tenants, scopes of services and servers.

A person has one role, that of their role in their tenant (at a sign-in the hub takes every other away, its own ``user``
too). A viewer's is to know who one is and to open the API's pages: no server can be started for them by anybody,
themselves included. Nobody of a tenant is an administrator of the hub, and nobody else is: there is no such account.
``tokens`` is in no role: a person cannot make hub tokens, so the only ones are their server's, and the browser's own.

Groups are ``tenant-<32 hex>`` for everybody of a tenant and ``tenant-<32 hex>-ROLE``; they carry no scopes here, other
pieces share with them (a rendering server: ``access:servers!group=tenant-…``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, get_args

from hub_config.principal import Role

ROLES: tuple[Role, ...] = get_args(Role)

_GROUP = re.compile(r"tenant-(?P<tenant>[0-9a-f]{32})(?:-(?P<role>administrator|analyst|viewer))?")

WITH_SERVERS: frozenset[Role] = frozenset({"administrator", "analyst"})
"""Roles that have a notebook server."""

EVERYBODY = ("read:users:name!user", "read:users:groups!user", "access:services!service={service}")
"""Everybody's: who one is, and the API's pages."""

OWN_SERVER = ("servers!user", "access:servers!user", "users:activity!user")
"""What those with a server have besides. ``servers`` is start, stop and see; ``users:activity`` lets the server report."""

SERVER_TOKEN_SCOPES = (
    "users:activity!user",
    "access:servers!server",
    "access:services!service={service}",
    "read:users:groups!user",
)
"""What a server's own token may do (``service``: the API's name); the hub leaves out whatever its owner may not."""

RENDERING_TOKEN_SCOPES = ("users:activity!user",)
"""A rendering's token says that it lives, and nothing else: what it works with is its grant, at the API."""

PLATFORM_SCOPES = (
    "list:users",
    "read:users:name",
    "read:users:groups",
    "read:users:activity",
    "read:servers",
    "servers",
    "delete:servers",
    "admin:users",
    "delete:users",
    "read:hub",
)
"""The API's token: it stops servers and removes people who left, and makes a user and a server for each rendering of a
dashboard (no filter of the hub's names those alone; ``pre_spawn_start`` refuses it everything else). It makes no tokens."""

CULLER_SCOPES = ("list:users", "read:users:activity", "read:servers", "delete:servers")


@dataclass(frozen=True)
class RoleAtHub:
    """A role of the hub's."""

    name: str
    description: str
    scopes: tuple[str, ...]

    def spec(self) -> dict[str, Any]:
        """Return it as JupyterHub wants it."""
        return {"name": self.name, "description": self.description, "scopes": list(self.scopes)}


def role_name(role: Role) -> str:
    """Return the hub's name of a tenant's role.

    >>> role_name("analyst")
    'datapilot-analyst'
    """
    return f"datapilot-{role}"


def role_specs(service: str = "datapilot") -> list[dict[str, Any]]:
    """Return the roles that the authenticator manages (who has them is said at each sign-in).

    They hold what ``user`` holds too: a person whose roles the authenticator says has those and no other.
    """
    everybody = tuple(scope.format(service=service) for scope in EVERYBODY)
    return [
        RoleAtHub(
            role_name(role), f"{role} of a tenant", (*everybody, *OWN_SERVER) if role in WITH_SERVERS else everybody
        ).spec()
        for role in ROLES
    ]


def roles_of(role: Role, service: str = "datapilot") -> list[dict[str, Any]]:
    """Return what the authenticator says of a person's roles at sign-in."""
    return [spec for spec in role_specs(service) if spec["name"] == role_name(role)]


def fixed_roles(service: str, *, culls: bool) -> list[dict[str, Any]]:
    """Return the roles of the configuration: everybody's, the API's (``service``), and the culler's if there is one."""
    everybody = tuple(scope.format(service=service) for scope in EVERYBODY)
    found = [
        RoleAtHub("user", "Who one is, and the pages of the platform", everybody).spec(),
        RoleAtHub("platform", "The platform's API", PLATFORM_SCOPES).spec() | {"services": [service]},
    ]
    if culls:
        found.append(RoleAtHub("culler", "Stops idle servers", CULLER_SCOPES).spec() | {"services": ["idle-culler"]})
    return found


def role_in(groups: list[str]) -> Role | None:
    """Return the role that somebody's groups tell; None: no group of ours.

    >>> role_in(["tenant-00000000000000000000000000000001", "tenant-00000000000000000000000000000001-analyst"])
    'analyst'
    """
    for group in groups:
        found = _GROUP.fullmatch(group)
        if found is not None and found["role"]:
            role: Role = found["role"]  # type: ignore[assignment]  # the pattern lists them
            return role
    return None
