"""The company's people: who they are, what they may, which rows their attributes open, and what ends it.

What may be changed is the managers' business (the last administrator stays one, an act is recorded); this page adds one
rule: nobody disables or deletes the account they are signed in with. A link that opens an account is shown in the answer of
the very form that made it, once, where no mail was sent: it stands in no address and is kept nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from starlette.responses import Response

from datapilot_kernel.errors import BadInput
from hub_config.api.paging import read_cursor
from hub_config.data_sources.row_filters import RowFilter, attribute_names, row_filters
from hub_config.errors import Conflict, NotFound, PlatformUnavailable, status_of
from hub_config.pages.given import asked, following, ident, known_form, line, notice, one_of
from hub_config.pages.serving import Page, Visit, run
from hub_config.people import UserChanges
from hub_config.people.belongings import belongings
from hub_config.principal import Role

if TYPE_CHECKING:
    from hub_config.database import User
    from hub_config.people import Link

ROLES: tuple[str, ...] = get_args(Role)
_PER_PAGE = 50
MOST_ATTRIBUTES = 50
_MOST_SHOWN = 30
"""Attributes in a form: it may have few fields. What is not shown stays as it is."""
_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_PREFIX = "attribut."


# ── the list ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def people(visit: Visit) -> Response:
    """List the company's people."""
    principal, platform = visit.person.principal, visit.platform
    words, role = asked(visit, "q"), one_of(asked(visit, "role"), *ROLES)
    status = one_of(asked(visit, "etat"), "active", "disabled")
    after = asked(visit, "suite") or None
    rows = await run(
        platform.people.accounts.list,
        principal, limit=_PER_PAGE, after=read_cursor(after), words=words or None, role=role, status=status,
    )  # fmt: skip
    return visit.page(
        "team.html",
        current="team",
        done=notice(visit, "team"),
        people=rows,
        corners=await run(platform.content.workspaces.memberships, principal),
        words=words,
        role=role,
        state=status,
        roles=ROLES,
        beginning=after is None,
        next=following([(row.created_at, row.id) for row in rows], _PER_PAGE),
    )


# ── one person ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Typed:
    """What was typed into a person's form; kept when something of it is wrong."""

    full_name: str
    role: str
    attributes: dict[str, str] = field(default_factory=dict)
    new_name: str = ""
    new_value: str = ""


async def person(visit: Visit) -> Response:
    """Show one."""
    return await shown(visit, ident(visit, "user_id"))


async def shown(
    visit: Visit, user_id: str, *, status: int = 200, problem: str | None = None, typed: Typed | None = None
) -> Response:
    """Show a person, perhaps with what was wrong and what was typed."""
    principal, platform = visit.person.principal, visit.platform
    user: User = await run(platform.people.accounts.read, principal, user_id)
    filters: list[RowFilter] = await run(row_filters, platform.database, principal)
    has = {str(k): str(v) for k, v in user.attributes.items()}
    every = await run(platform.content.workspaces.corners, principal, limit=500)
    mine = (await run(platform.content.workspaces.memberships, principal)).get(user_id, [])
    known = {row.id for row in mine}
    return visit.page(
        "person.html",
        status=status,
        current="team",
        done=notice(visit, "team"),
        problem=problem,
        person=user,
        oneself=user_id == principal.user_id,
        typed=typed or Typed(user.full_name, user.role, has),
        names=form_names(filters, has),
        read_by={name: [one for one in filters if name in one.attributes] for name in attribute_names(filters)},
        rows=[(one, one.opens(has), one.missing(has)) for one in filters],
        roles=ROLES,
        corners=mine,
        other_corners=[one.row for one in every if one.row.id not in known],
        theirs=await run(belongings, platform.database, principal, user_id),
        by_mail=visit.pages.settings.smtp_host is not None,
    )


def form_names(filters: list[RowFilter], has: Mapping[str, str]) -> list[str]:
    """Return the attributes that a form asks for: those that row filters read, then what the person has besides."""
    read = attribute_names(filters)
    return [*read, *sorted(name for name in has if name not in read)][:_MOST_SHOWN]


def typed_attributes(visit: Visit, before: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes as the form leaves them: an emptied one goes, one that was not in the form stays.

    Raises
    ------
    BadInput
        A name that row filters could not read, a name without a value, or too many of them.
    """
    found = dict(before)
    for name in visit.form:
        if name.startswith(_PREFIX) and _ATTRIBUTE.fullmatch(name.removeprefix(_PREFIX)):
            found[name.removeprefix(_PREFIX)] = line(visit, name, 500)
    name, value = line(visit, "attribut_nom", 63), line(visit, "attribut_valeur", 500)
    if name or value:
        if _ATTRIBUTE.fullmatch(name) is None:
            raise BadInput("team.attribute_name")
        if not value:
            raise BadInput("team.attribute_value", name=name)
        found[name] = value
    kept = {name: value for name, value in found.items() if value}
    if len(kept) > MOST_ATTRIBUTES:
        raise BadInput("team.attributes_too_many", count=MOST_ATTRIBUTES)
    return kept


async def change(visit: Visit) -> Response:
    """Change name, role and attributes."""
    user_id, principal, accounts = ident(visit, "user_id"), visit.person.principal, visit.platform.people.accounts
    user: User = await run(accounts.read, principal, user_id)
    before = {str(k): str(v) for k, v in user.attributes.items()}
    typed = Typed(
        line(visit, "full_name"),
        visit.form.get("role", ""),
        before | {name: line(visit, _PREFIX + name, 500) for name in _sent(visit)},
        line(visit, "attribut_nom", 63),
        line(visit, "attribut_valeur", 500),
    )
    try:
        if not typed.full_name and user.full_name:
            raise BadInput("team.name_missing")
        role = one_of(typed.role, *ROLES)
        if role is None:
            raise BadInput("team.role_unknown")
        attributes = typed_attributes(visit, before)
        changes = UserChanges(full_name=typed.full_name, role=role, attributes=attributes)
        await run(accounts.change, principal, user_id, changes)
    except (NotFound, PlatformUnavailable):
        raise
    except BadInput as error:
        return await shown(visit, user_id, status=status_of(error), problem=error.message, typed=typed)
    if role != user.role or attributes != before:
        await run(visit.platform.end_work_of, principal.tenant_id, user_id)
    if user_id == principal.user_id and role != "administrator":
        return visit.go("/")
    return visit.go(f"/personnes/{user_id}?fait=modifiee")


def _sent(visit: Visit) -> list[str]:
    names = (name.removeprefix(_PREFIX) for name in visit.form if name.startswith(_PREFIX))
    return [name for name in names if _ATTRIBUTE.fullmatch(name)]


async def switch(visit: Visit) -> Response:
    """Disable somebody, or enable them again."""
    user_id, principal = ident(visit, "user_id"), visit.person.principal
    status = one_of(visit.form.get("etat", ""), "active", "disabled")
    try:
        if status is None:
            raise BadInput("team.role_unknown")
        _not_oneself(visit, user_id)
        await run(visit.platform.people.accounts.change, principal, user_id, UserChanges(status=status))
    except (NotFound, PlatformUnavailable):
        raise
    except BadInput as error:
        return await shown(visit, user_id, status=status_of(error), problem=error.message)
    await run(visit.platform.end_work_of, principal.tenant_id, user_id)
    return visit.go(f"/personnes/{user_id}?fait={'reactivee' if status == 'active' else 'desactivee'}")


def _not_oneself(visit: Visit, user_id: str) -> None:
    if user_id == visit.person.principal.user_id:
        raise Conflict("team.not_oneself")


async def password_link(visit: Visit) -> Response:
    """Send a link by which the person chooses a new password, or show it once."""
    user_id, principal = ident(visit, "user_id"), visit.person.principal
    user: User = await run(visit.platform.people.accounts.read, principal, user_id)
    try:
        link: Link = await run(visit.platform.people.resets.link, principal, principal.tenant_id, user_id)
    except (NotFound, PlatformUnavailable):
        raise
    except BadInput as error:
        return await shown(visit, user_id, status=status_of(error), problem=error.message)
    if link.sent:
        return visit.go(f"/personnes/{user_id}?fait=lien")
    return links_shown(visit, [(user.email, link)], kind="password", back=f"/personnes/{user_id}")


def links_shown(
    visit: Visit,
    links: list[tuple[str, Link]],
    *,
    kind: str,
    back: str,
    problems: list[tuple[str, str]] | None = None,
) -> Response:
    """Show links to be handed on; nowhere else, and not again."""
    return visit.page(
        "links_made.html", current="team", links=links, kind=kind, back=back, problems=problems or [], script="copy.js"
    )


async def delete(visit: Visit) -> Response:
    """Delete somebody, whose address is typed once more."""
    user_id, principal = ident(visit, "user_id"), visit.person.principal
    user: User = await run(visit.platform.people.accounts.read, principal, user_id)
    try:
        _not_oneself(visit, user_id)
        if line(visit, "email", 320).casefold() != user.email.casefold():
            raise BadInput("team.wrong_address_again")
        await run(visit.platform.people.accounts.delete, principal, user_id)
    except (NotFound, PlatformUnavailable):
        raise
    except BadInput as error:
        return await shown(visit, user_id, status=status_of(error), problem=error.message)
    await run(visit.platform.end_work_of, principal.tenant_id, user_id)
    return visit.go("/personnes?fait=supprimee")


async def admit(visit: Visit) -> Response:
    """Make the person a member of one more workspace."""
    user_id, workspace_id = ident(visit, "user_id"), known_form(visit.form.get("workspace_id", ""))
    await run(visit.platform.content.workspaces.admit, visit.person.principal, workspace_id, user_id)
    return visit.go(f"/personnes/{user_id}?fait=espace")


async def dismiss(visit: Visit) -> Response:
    """Make them a member of one less; what they were asking of its sources ends."""
    user_id, workspace_id = ident(visit, "user_id"), known_form(visit.form.get("workspace_id", ""))
    principal = visit.person.principal
    await run(visit.platform.content.workspaces.dismiss, principal, workspace_id, user_id)
    await run(visit.platform.end_work_of, principal.tenant_id, user_id)
    return visit.go(f"/personnes/{user_id}?fait=espace")


_ONE = "/personnes/{user_id}"

PAGES: tuple[Page, ...] = (
    Page("GET", "/personnes", "people.manage", people),
    Page("GET", _ONE, "people.manage", person),
    Page("POST", _ONE, "people.manage", change),
    Page("POST", f"{_ONE}/etat", "people.manage", switch),
    Page("POST", f"{_ONE}/mot-de-passe", "people.manage", password_link),
    Page("POST", f"{_ONE}/suppression", "people.manage", delete),
    Page("POST", f"{_ONE}/espaces", "workspaces.manage", admit),
    Page("POST", f"{_ONE}/espaces/retrait", "workspaces.manage", dismiss),
)


def label_of(user: Any) -> str:
    """Return how somebody is called: their name, or else their address.

    >>> from types import SimpleNamespace
    >>> label_of(SimpleNamespace(full_name="", email="zoe@maison.fr"))
    'zoe@maison.fr'
    """
    return str(user.full_name or user.email)
