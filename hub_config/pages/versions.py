"""A dashboard as it was published: its versions, which one is in force, who may open it, when it is made anew.

An author reads all of it for what they edit; whoever publishes puts a version in force again, takes it off, decides who may
open it. What went wrong when its pages were made is said to both; the trace alone to the one with whose rights it came
about, since it may quote what those rights show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from starlette.responses import Response

from datapilot_kernel.errors import BadInput
from hub_config.access import permitted
from hub_config.api.paging import read_cursor
from hub_config.database import Dashboard, DashboardVersion
from hub_config.errors import NotFound, PlatformUnavailable, status_of
from hub_config.pages.given import asked, following, ident, known_form, notice
from hub_config.pages.proposal import audience
from hub_config.pages.publishing_forms import Typed, addresses_of, chosen_rights, names_of, typed_of
from hub_config.pages.serving import Page, Visit, run
from hub_config.snapshots.schedule import Schedule

if TYPE_CHECKING:
    from hub_config.snapshots import Progress

_PER_PAGE = 25


async def history(visit: Visit) -> Response:
    """Show them."""
    return await _shown(visit)


async def put_in_force(visit: Visit) -> Response:
    """Put an older one in force again."""
    principal, dashboard_id = visit.person.principal, ident(visit, "dashboard_id")
    version_id = known_form(visit.form.get("version", ""))
    await run(visit.platform.content.publishing.roll_back, principal, dashboard_id, version_id)
    return visit.go(f"/tableaux/{dashboard_id}/versions?fait=in_force")


async def unpublish(visit: Visit) -> Response:
    """Take it off the gallery."""
    dashboard_id = ident(visit, "dashboard_id")
    await run(visit.platform.content.publishing.unpublish, visit.person.principal, dashboard_id)
    return visit.go(f"/tableaux/{dashboard_id}/versions?fait=unpublished")


async def set_rights(visit: Visit) -> Response:
    """Decide who may open it."""
    principal, dashboard_id = visit.person.principal, ident(visit, "dashboard_id")
    try:
        rights = await run(chosen_rights, visit, principal)
        await run(visit.platform.content.dashboards.set_rights, principal, dashboard_id, rights)
    except PlatformUnavailable:
        raise
    except BadInput as error:
        return await _shown(visit, status=status_of(error), problem=error.message, typed=typed_of(visit))
    return visit.go(f"/tableaux/{dashboard_id}/versions?fait=rights")


async def set_schedule(visit: Visit) -> Response:
    """Decide when its pages are made anew."""
    principal, dashboard_id = visit.person.principal, ident(visit, "dashboard_id")
    try:
        schedule = Schedule.model_validate({"kind": visit.form.get("rythme", ""), "at": visit.form.get("heure") or "08:00"})
    except ValidationError:
        return await _shown(visit, status=422, problem=BadInput("publications.bad_schedule").message)
    await run(visit.platform.content.snapshots.set_schedule, principal, dashboard_id, schedule)
    return visit.go(f"/tableaux/{dashboard_id}/versions?fait=schedule")


async def refresh(visit: Visit) -> Response:
    """Have its pages made anew now."""
    dashboard_id = ident(visit, "dashboard_id")
    try:
        await run(visit.platform.content.snapshots.refresh, visit.person.principal, dashboard_id)
    except PlatformUnavailable:
        raise
    except BadInput as error:
        return await _shown(visit, status=status_of(error), problem=error.message)
    return visit.go(f"/tableaux/{dashboard_id}/versions?fait=refresh")


async def delete(visit: Visit) -> Response:
    """Remove it with its versions, once its name was typed again."""
    principal, dashboard_id = visit.person.principal, ident(visit, "dashboard_id")
    row: Dashboard = await run(visit.platform.content.dashboards.read, principal, dashboard_id)
    if " ".join(visit.form.get("nom", "").split()) != " ".join(row.name.split()):
        return await _shown(visit, status=422, problem=BadInput("publications.wrong_name").message)
    await run(visit.platform.content.dashboards.delete, principal, dashboard_id)
    return visit.go("/publications?fait=deleted")


async def _shown(visit: Visit, *, status: int = 200, problem: str | None = None, typed: Typed | None = None) -> Response:
    principal, content = visit.person.principal, visit.platform.content
    dashboard_id = ident(visit, "dashboard_id")
    after = asked(visit, "suite") or None
    rows: list[DashboardVersion] = await run(
        content.publishing.versions, principal, dashboard_id, limit=_PER_PAGE, before=read_cursor(after)
    )
    row: Dashboard = await run(content.dashboards.read, principal, dashboard_id)
    in_force = await run(content.publishing.in_force, principal, dashboard_id)
    values: dict[str, Any] = {"audience": None, "typed": None}
    if permitted(principal, "dashboards.publish"):
        tiles = (await run(content.publishing.as_edited, principal, dashboard_id))["tiles"]
        tiles = in_force.content_json["tiles"] if in_force is not None else tiles
        seen = await run(audience, visit.platform, principal, {tile["source_id"] for tile in tiles})
        if typed is None:
            rights = await run(content.dashboards.rights, principal, dashboard_id)
            typed = Typed(
                row.name,
                roles={right.role for right in rights if right.role},
                people={right.user_id for right in rights if right.user_id},
                addresses=addresses_of(rights, seen),
            )
        values = {"audience": seen, "typed": typed}
    return visit.page(
        "versions.html",
        status=status,
        current="publications",
        done=notice(visit, "publications"),
        problem=problem,
        board=row,
        rows=rows,
        in_force=in_force,
        names=await run(names_of, visit, principal),
        schedule=await run(content.snapshots.schedule, principal, dashboard_id),
        progress=await run(_progress, visit, dashboard_id) if in_force is not None else None,
        may_delete=row.status != "published" or principal.is_administrator,
        beginning=after is None,
        next=following([(one.created_at, one.id) for one in rows], _PER_PAGE),
        **values,
    )


def _progress(visit: Visit, dashboard_id: str) -> Progress | None:
    try:
        return visit.platform.content.snapshots.progress(visit.person.principal, dashboard_id)
    except NotFound:
        return None


_AT = "/tableaux/{dashboard_id}"

PAGES: tuple[Page, ...] = (
    Page("GET", f"{_AT}/versions", "dashboards.write", history),
    Page("POST", f"{_AT}/versions", "dashboards.publish", put_in_force),
    Page("POST", f"{_AT}/retrait", "dashboards.publish", unpublish),
    Page("POST", f"{_AT}/droits", "dashboards.publish", set_rights),
    Page("POST", f"{_AT}/rythme", "dashboards.write", set_schedule),
    Page("POST", f"{_AT}/actualisation", "dashboards.write", refresh),
    Page("POST", f"{_AT}/suppression", "dashboards.write", delete),
)
