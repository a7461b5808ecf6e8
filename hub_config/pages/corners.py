"""Workspaces: corners of the company that group sources and dashboards, and the people who see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from datapilot_kernel.errors import BadInput
from hub_config.errors import NotFound, PlatformUnavailable, status_of
from hub_config.pages.given import ident, known_form, line, notice
from hub_config.pages.serving import Page, Visit, run

if TYPE_CHECKING:
    from hub_config.database import Workspace

_MOST = 500
_MOST_PEOPLE = 2000


async def corners(visit: Visit) -> Response:
    """List them."""
    return await _listed(visit)


async def _listed(visit: Visit, *, status: int = 200, problem: str | None = None, name: str = "") -> Response:
    found = await run(visit.platform.content.workspaces.corners, visit.person.principal, limit=_MOST)
    done = notice(visit, "team")
    return visit.page("corners.html", status=status, current="team", corners=found, done=done, problem=problem, name=name)


async def create(visit: Visit) -> Response:
    """Make one."""
    name = line(visit, "name")
    try:
        if not name:
            raise BadInput("team.corner_name_missing")
        row: Workspace = await run(visit.platform.content.workspaces.create, visit.person.principal, name, {})
    except PlatformUnavailable:
        raise
    except BadInput as error:
        return await _listed(visit, status=status_of(error), problem=error.message, name=name)
    return visit.go(f"/espaces/{row.id}?fait=espace_cree")


async def corner(visit: Visit) -> Response:
    """Show one with its members."""
    return await _shown(visit, ident(visit, "workspace_id"))


async def _shown(
    visit: Visit, workspace_id: str, *, status: int = 200, problem: str | None = None, name: str | None = None
) -> Response:
    principal, platform = visit.person.principal, visit.platform
    row: Workspace = await run(platform.content.workspaces.read, principal, workspace_id)
    inside = set(await run(platform.content.workspaces.members, principal, workspace_id))
    people = await run(platform.people.accounts.list, principal, limit=_MOST_PEOPLE)
    every = await run(platform.content.workspaces.corners, principal, limit=_MOST)
    return visit.page(
        "corner.html",
        status=status,
        current="team",
        done=notice(visit, "team"),
        problem=problem,
        corner=row,
        name=row.name if name is None else name,
        groups=next((one for one in every if one.row.id == workspace_id), None),
        members=sorted((one for one in people if one.id in inside), key=lambda one: (one.full_name or one.email).casefold()),
        others=sorted(
            (one for one in people if one.id not in inside), key=lambda one: (one.full_name or one.email).casefold()
        ),
    )


async def rename(visit: Visit) -> Response:
    """Give it another name."""
    workspace_id, name = ident(visit, "workspace_id"), line(visit, "name")
    try:
        if not name:
            raise BadInput("team.corner_name_missing")
        await run(visit.platform.content.workspaces.update, visit.person.principal, workspace_id, name=name)
    except (NotFound, PlatformUnavailable):
        raise
    except BadInput as error:
        return await _shown(visit, workspace_id, status=status_of(error), problem=error.message, name=name)
    return visit.go(f"/espaces/{workspace_id}?fait=espace")


async def admit(visit: Visit) -> Response:
    """Add a member."""
    workspace_id, user_id = ident(visit, "workspace_id"), known_form(visit.form.get("user_id", ""))
    await run(visit.platform.content.workspaces.admit, visit.person.principal, workspace_id, user_id)
    return visit.go(f"/espaces/{workspace_id}?fait=membre")


async def dismiss(visit: Visit) -> Response:
    """Take a member away; what they were asking of its sources ends."""
    workspace_id, user_id = ident(visit, "workspace_id"), known_form(visit.form.get("user_id", ""))
    principal = visit.person.principal
    await run(visit.platform.content.workspaces.dismiss, principal, workspace_id, user_id)
    await run(visit.platform.end_work_of, principal.tenant_id, user_id)
    return visit.go(f"/espaces/{workspace_id}?fait=membre")


async def delete(visit: Visit) -> Response:
    """Remove one that groups nothing any more."""
    workspace_id = ident(visit, "workspace_id")
    try:
        await run(visit.platform.content.workspaces.delete, visit.person.principal, workspace_id)
    except (NotFound, PlatformUnavailable):
        raise
    except BadInput as error:
        return await _shown(visit, workspace_id, status=status_of(error), problem=error.message)
    return visit.go("/espaces?fait=espace_supprime")


_ONE = "/espaces/{workspace_id}"

PAGES: tuple[Page, ...] = (
    Page("GET", "/espaces", "workspaces.manage", corners),
    Page("POST", "/espaces", "workspaces.manage", create),
    Page("GET", _ONE, "workspaces.manage", corner),
    Page("POST", _ONE, "workspaces.manage", rename),
    Page("POST", f"{_ONE}/membres", "workspaces.manage", admit),
    Page("POST", f"{_ONE}/membres/retrait", "workspaces.manage", dismiss),
    Page("POST", f"{_ONE}/suppression", "workspaces.manage", delete),
)
