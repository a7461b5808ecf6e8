"""The permission matrix, as data: permission x audience x role. Routes name a permission; nothing else decides.

Wall 1: a notebook's token asks, reads the catalog, sees its own history and conversations, adds files and asks for
publication. Connections, secrets, people, quotas, approvals, rights and publishing need the person's own session.
``docs/permissions.md`` is generated from here (``python -m hub_config.documents``), and a test holds it to that.

What a *role* may do is here; which *rows* a person reaches (own history, members' workspaces, dashboards' rights) is the
managers' business, and what they withhold is :class:`~hub_config.errors.NotFound`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from hub_config.principal import Audience, Principal, Role

Permission = Literal[
    "account.read", "account.write", "questions.ask", "catalog.read", "history.own", "feedback.give", "files.add",
    "publication.request", "sources.manage", "layers.write", "layers.accept", "verified.decide", "workspaces.read",
    "workspaces.manage", "dashboards.read", "dashboards.write", "dashboards.publish", "people.manage", "quotas.manage",
    "audit.read", "tenant.manage",
]  # fmt: skip


@dataclass(frozen=True)
class Grant:
    """Who has a permission, by kind of token; ``why`` documents it (English, for the operator)."""

    session: frozenset[Role]
    notebook: frozenset[Role]
    why: str


_NOBODY: frozenset[Role] = frozenset()
_ALL: frozenset[Role] = frozenset(get_args(Role))
_AUTHORS: frozenset[Role] = frozenset({"administrator", "analyst"})
_ADMIN: frozenset[Role] = frozenset({"administrator"})

MATRIX: dict[Permission, Grant] = {
    "account.read": Grant(_ALL, _AUTHORS, "who am I"),
    "account.write": Grant(_ALL, _NOBODY, "own name, own password, ending own sessions"),
    "questions.ask": Grant(_AUTHORS, _AUTHORS, "ask, run a plan or SQL, fetch results, cancel"),
    "catalog.read": Grant(_AUTHORS, _AUTHORS, "sources by name, tables, columns, the semantic layer, jobs"),
    "history.own": Grant(_AUTHORS, _AUTHORS, "own questions and conversations"),
    "feedback.give": Grant(_AUTHORS, _AUTHORS, "thumbs, a proposed correction or verified question, on own questions"),
    "files.add": Grant(_AUTHORS, _AUTHORS, "upload files, preview, keep them as a source"),
    "publication.request": Grant(_AUTHORS, _AUTHORS, "ask for a notebook to be published"),
    "sources.manage": Grant(_ADMIN, _NOBODY, "connections and their secrets: create, test, change, delete"),
    "layers.write": Grant(_AUTHORS, _NOBODY, "draft and edit a semantic layer"),
    "layers.accept": Grant(_ADMIN, _NOBODY, "make a draft the layer in force"),
    "verified.decide": Grant(_ADMIN, _NOBODY, "approve or reject verified questions"),
    "workspaces.read": Grant(_ALL, _AUTHORS, "the workspaces one is a member of"),
    "workspaces.manage": Grant(_ADMIN, _NOBODY, "create workspaces, choose members"),
    "dashboards.read": Grant(_ALL, _NOBODY, "open the dashboards one has the right to, run their tiles with own rights"),
    "dashboards.write": Grant(_AUTHORS, _NOBODY, "create and edit dashboards and widgets"),
    "dashboards.publish": Grant(_ADMIN, _NOBODY, "publish for good, roll back, decide who may see"),
    "people.manage": Grant(_ADMIN, _NOBODY, "invite, change roles and attributes, disable, reset passwords"),
    "quotas.manage": Grant(_ADMIN, _NOBODY, "read and set quotas and budgets within the operator's bounds"),
    "audit.read": Grant(_ADMIN, _NOBODY, "search and export the record"),
    "tenant.manage": Grant(_ADMIN, _NOBODY, "the tenant's name and settings, export of its data, its deletion"),
}

PUBLIC: dict[tuple[str, str], str] = {
    ("POST", "/api/v1/auth/register"): "creates a tenant",
    ("POST", "/api/v1/auth/login"): "opens a session",
    ("POST", "/api/v1/auth/refresh"): "the refresh token is the credential",
    ("POST", "/api/v1/auth/logout"): "the refresh token is the credential",
    ("POST", "/api/v1/auth/exchange"): "the hub's token is the credential",
    ("POST", "/api/v1/auth/password/forgotten"): "sends a link by mail, says nothing",
    ("POST", "/api/v1/auth/password/reset"): "the link's token is the credential",
    ("POST", "/api/v1/auth/invitations/preview"): "the link's token is the credential",
    ("POST", "/api/v1/auth/invitations/accept"): "the link's token is the credential",
    ("GET", "/api/v1/rendering/job"): "the grant of one rendering is the credential",
    ("POST", "/api/v1/rendering/tiles/{tile_id}"): "the grant of one rendering is the credential",
    ("POST", "/api/v1/rendering/progress"): "the grant of one rendering is the credential",
    ("POST", "/api/v1/rendering/page"): "the grant of one rendering is the credential",
    ("POST", "/api/v1/rendering/failure"): "the grant of one rendering is the credential",
    ("GET", "/api/v1/interactive/job"): "the grant of one interactive dashboard is the credential",
    ("POST", "/api/v1/interactive/tiles/{tile_id}"): "the grant of one interactive dashboard is the credential",
    ("POST", "/api/v1/interactive/progress"): "the grant of one interactive dashboard is the credential",
    ("POST", "/api/v1/interactive/page"): "the grant of one interactive dashboard is the credential",
    ("POST", "/api/v1/interactive/failure"): "the grant of one interactive dashboard is the credential",
    ("GET", "/api/v1/interactive/orders"): "the grant of one interactive dashboard is the credential",
    ("POST", "/api/v1/interactive/messages"): "the grant of one interactive dashboard is the credential",
    ("POST", "/api/v1/interactive/files/{order_id}"): "the grant of one interactive dashboard is the credential",
    ("POST", "/api/v1/hub/sign-in"): "the hub's key is the credential",
    ("POST", "/api/v1/hub/company-sign-in"): "the hub's key is the credential",
    ("POST", "/api/v1/hub/person"): "the hub's key is the credential",
    ("POST", "/api/v1/hub/gone"): "the hub's key is the credential",
    ("GET", "/api/v1/semantic-layers/schema"): "a published JSON Schema",
    ("GET", "/api/v1/openapi.json"): "the description of the API",
    ("GET", "/api/v1/healthz"): "alive",
    ("GET", "/api/v1/readyz"): "ready to serve",
    ("GET", "/api/v1/metrics"): "for the operator's Prometheus: loopback, or with the metrics token",
}
"""Routes that need no person, and why. Every other route names a permission; a test enumerates both."""

if set(MATRIX) != set(get_args(Permission)):
    raise AssertionError("the matrix and the permissions differ")


def permitted(principal: Principal, permission: Permission) -> bool:
    """Tell whether this person, with this kind of token, has the permission."""
    return principal.role in roles_of(permission, principal.audience)


def roles_of(permission: Permission, audience: Audience) -> frozenset[Role]:
    """Return the roles that have a permission with that kind of token."""
    grant = MATRIX[permission]
    return grant.session if audience == "session" else grant.notebook
