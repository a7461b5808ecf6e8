"""A dashboard as it is edited: its name, its tiles in their order, their titles and charts; and publishing what was made.

Nobody sees an edit before it is published. Whoever may publish does it here; other authors ask, and an administrator
decides. Each tile has a form of its own: the page works without a script, and two people who edit at once overwrite a tile
of each other's at most.
"""

from __future__ import annotations

from typing import Any

import anyio.to_thread
from starlette.responses import Response

from datapilot_kernel.errors import BadInput
from hub_config.access import permitted
from hub_config.database import Dashboard, PublicationRequest, Widget
from hub_config.errors import NotFound, PlatformUnavailable, status_of
from hub_config.pages.given import ident, line, notice, one_of
from hub_config.pages.proposal import CHARTS, candidates, tile_views
from hub_config.pages.publishing_forms import Typed, chosen_filters, typed_of
from hub_config.pages.serving import Page, Visit, run


async def edit(visit: Visit) -> Response:
    """Show it."""
    return await _shown(visit)


async def rename(visit: Visit) -> Response:
    """Change its name."""
    dashboard_id, name = ident(visit, "dashboard_id"), line(visit, "nom")
    if not name:
        return await _shown(visit, status=422, problem=BadInput("publications.name_missing").message)
    await run(visit.platform.content.dashboards.update, visit.person.principal, dashboard_id, name=name)
    return visit.go(f"/tableaux/{dashboard_id}/modifier?fait=renamed")


async def change_tile(visit: Visit) -> Response:
    """Change a tile, move it one place, or take it away."""
    principal, content = visit.person.principal, visit.platform.content
    dashboard_id, widget_id = ident(visit, "dashboard_id"), ident(visit, "tile_id")
    act = visit.form.get("acte", "")
    if act == "retirer":
        await run(content.dashboards.delete_widget, principal, dashboard_id, widget_id)
    elif act in ("monter", "descendre"):
        await run(content.dashboards.move_widget, principal, dashboard_id, widget_id, up=act == "monter")
    else:
        chart = one_of(visit.form.get("graphique", ""), *CHARTS) or "auto"
        await run(
            content.dashboards.update_widget, principal, dashboard_id, widget_id, title=line(visit, "titre", 300),
            chart_type=chart,
        )  # fmt: skip
    return visit.go(f"/tableaux/{dashboard_id}/modifier?fait=tile#tuile-{widget_id}")


async def publish(visit: Visit) -> Response:
    """Publish what is edited; or ask for it, where one may not."""
    principal, platform = visit.person.principal, visit.platform
    dashboard_id = ident(visit, "dashboard_id")
    publishing = platform.content.publishing
    try:
        content = await run(publishing.as_edited, principal, dashboard_id)
        possible = await run(candidates, platform, principal, content)
        filters = chosen_filters(visit, possible)
        if permitted(principal, "dashboards.publish"):
            accepted = visit.form.get("exploratoire") == "oui"
            await run(publishing.publish, principal, dashboard_id, filters=filters, exploratory=accepted)
            return visit.go(f"/tableaux/{dashboard_id}/versions?fait=published")
        row: PublicationRequest = await run(publishing.ask_as_edited, principal, dashboard_id, filters=filters)
        return visit.go(f"/publications/{row.id}?fait=asked")
    except PlatformUnavailable:
        raise
    except BadInput as error:
        return await _shown(visit, status=status_of(error), problem=error.message, typed=typed_of(visit))


async def _shown(visit: Visit, *, status: int = 200, problem: str | None = None, typed: Typed | None = None) -> Response:
    principal, platform = visit.person.principal, visit.platform
    dashboard_id = ident(visit, "dashboard_id")
    content: dict[str, Any] = await run(platform.content.publishing.as_edited, principal, dashboard_id)
    row: Dashboard = await run(platform.content.dashboards.read, principal, dashboard_id)
    widgets: list[Widget] = await run(platform.content.dashboards.widgets, principal, dashboard_id)
    views = await anyio.to_thread.run_sync(tile_views, platform, principal, content)
    by_id = {view.id: view for view in views}
    if {widget.id for widget in widgets} != by_id.keys():
        raise NotFound(log="a dashboard that changes while it is read")
    possible = await run(candidates, platform, principal, content)
    in_force = await run(platform.content.publishing.in_force, principal, dashboard_id)
    return visit.page(
        "editing.html",
        status=status,
        current="publications",
        done=notice(visit, "publications"),
        problem=problem,
        board=row,
        widgets=[(widget, by_id[widget.id]) for widget in widgets],
        charts=CHARTS,
        candidates=possible,
        doubtful=sum(1 for tile in content["tiles"] if tile["trust"] == "exploratory"),
        typed=typed or Typed(row.name, filters={one.key for one in possible if one.offered}),
        publishes=permitted(principal, "dashboards.publish"),
        notebook=bool(content.get("notebook")),
        in_force=in_force,
    )


_AT = "/tableaux/{dashboard_id}"

PAGES: tuple[Page, ...] = (
    Page("GET", f"{_AT}/modifier", "dashboards.write", edit),
    Page("POST", f"{_AT}/modifier", "dashboards.write", rename),
    Page("POST", f"{_AT}/modifier/{{tile_id}}", "dashboards.write", change_tile),
    Page("POST", f"{_AT}/publier", "dashboards.write", publish),
)
