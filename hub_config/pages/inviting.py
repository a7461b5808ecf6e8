"""Inviting people: several addresses at once, what became of each, and the invitations that are still open."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from starlette.responses import Response

from datapilot_kernel.errors import BadInput, DataPilotError
from datapilot_kernel.messages import text
from hub_config.api.paging import read_cursor
from hub_config.data_sources.row_filters import RowFilter, row_filters
from hub_config.errors import NotFound, PlatformUnavailable, status_of
from hub_config.pages.given import asked, following, ident, known_form, notice, one_of
from hub_config.pages.serving import Page, Visit, run
from hub_config.pages.team import ROLES, Typed, form_names, links_shown, typed_attributes

if TYPE_CHECKING:
    from hub_config.people import Link

MOST_AT_ONCE = 30
_PER_PAGE = 100
_PATIENCE_S = 20.0
"""A mail server that does not answer holds up one invitation after the other: who is left then stands in the form again."""
_BETWEEN = re.compile(r"[\s,;]+")


async def invitations(visit: Visit) -> Response:
    """Show the form, and the invitations that can still be accepted."""
    return await _shown(visit, "", Typed("", "analyst"), "")


async def _shown(
    visit: Visit,
    addresses: str,
    typed: Typed,
    workspace_id: str,
    *,
    status: int = 200,
    problem: str | None = None,
    problems: list[tuple[str, str]] | None = None,
    sent: int = 0,
) -> Response:
    principal, platform = visit.person.principal, visit.platform
    filters: list[RowFilter] = await run(row_filters, platform.database, principal)
    after = asked(visit, "suite") or None
    rows = await run(platform.people.invitations.list, principal, limit=_PER_PAGE, after=read_cursor(after))
    corners = [one.row for one in await run(platform.content.workspaces.corners, principal, limit=500)]
    return visit.page(
        "invite.html",
        status=status,
        current="team",
        done=text("team.sent", count=sent) if sent else notice(visit, "team"),
        problem=problem,
        problems=problems or [],
        addresses=addresses,
        typed=typed,
        names=form_names(filters, {}),
        workspace_id=workspace_id,
        corners=corners,
        corner_names={row.id: row.name for row in corners},
        invitations=rows,
        roles=ROLES,
        by_mail=visit.pages.settings.smtp_host is not None,
        days=visit.pages.settings.invitation_days,
        next=following([(row.created_at, row.id) for row in rows], _PER_PAGE),
    )


async def invite(visit: Visit) -> Response:
    """Invite everybody who was named; who cannot be is said, and stands in the form again."""
    typed = Typed(
        "",
        visit.form.get("role", ""),
        {name.removeprefix("attribut."): value[:500] for name, value in visit.form.items() if name.startswith("attribut.")},
    )
    addresses, workspace_id = visit.form.get("addresses", "")[:20_000], visit.form.get("workspace_id", "")
    wanted = list(dict.fromkeys(part for part in _BETWEEN.split(addresses) if part))
    try:
        role = one_of(typed.role, *ROLES)
        if role is None:
            raise BadInput("team.role_unknown")
        if not wanted:
            raise BadInput("team.addresses_missing")
        if len(wanted) > MOST_AT_ONCE:
            raise BadInput("team.addresses_too_many", count=MOST_AT_ONCE)
        attributes = typed_attributes(visit, {})
    except BadInput as error:
        return await _shown(visit, addresses, typed, workspace_id, status=status_of(error), problem=error.message)
    workspaces = [known_form(workspace_id)] if workspace_id else []
    made, problems = await run(_invited, visit, wanted, role, attributes, workspaces)
    links = [(address, link) for address, link in made if not link.sent]
    if links:
        return links_shown(visit, links, kind="invitation", back="/personnes/inviter", problems=problems)
    if problems:
        left = "\n".join(address for address, _ in problems)
        return await _shown(visit, left, typed, workspace_id, status=422, problems=problems, sent=len(made))
    return visit.go("/personnes/inviter?fait=invitees")


def _invited(
    visit: Visit, wanted: list[str], role: str, attributes: dict[str, str], workspaces: list[str]
) -> tuple[list[tuple[str, Link]], list[tuple[str, str]]]:
    """Return what became of each address: a link, or why there is none."""
    made: list[tuple[str, Link]] = []
    problems: list[tuple[str, str]] = []
    until = time.monotonic() + _PATIENCE_S
    for address in wanted:
        if time.monotonic() > until:
            problems.append((address, text("team.not_yet")))
            continue
        try:
            link = visit.platform.people.invitations.create(
                visit.person.principal, email=address, role=role, attributes=attributes, workspace_ids=workspaces
            )
        except (NotFound, PlatformUnavailable):
            if not made:
                raise
            # Some are invited already: their links must be seen.
            problems.append((address, text("team.not_invited")))
        except DataPilotError as error:
            problems.append((address, error.message))
        else:
            made.append((address, link))
    return made, problems


async def again(visit: Visit) -> Response:
    """Make a new link for an open invitation; the one of before is worthless."""
    invitation_id = ident(visit, "invitation_id")
    try:
        address, link = await run(visit.platform.people.invitations.again, visit.person.principal, invitation_id)
    except (NotFound, PlatformUnavailable):
        raise
    except BadInput as error:
        return await _shown(visit, "", Typed("", "analyst"), "", status=status_of(error), problem=error.message)
    if link.sent:
        return visit.go("/personnes/inviter?fait=renvoyee")
    return links_shown(visit, [(address, link)], kind="invitation", back="/personnes/inviter")


async def withdraw(visit: Visit) -> Response:
    """Make an invitation's link worthless."""
    invitation_id = ident(visit, "invitation_id")
    await run(visit.platform.people.invitations.revoke, visit.person.principal, invitation_id)
    return visit.go("/personnes/inviter?fait=retiree")


PAGES: tuple[Page, ...] = (
    Page("GET", "/personnes/inviter", "people.manage", invitations),
    Page("POST", "/personnes/inviter", "people.manage", invite),
    Page("POST", "/personnes/invitations/{invitation_id}/renvoi", "people.manage", again),
    Page("POST", "/personnes/invitations/{invitation_id}/retrait", "people.manage", withdraw),
)
