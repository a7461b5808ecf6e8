"""Where one lands: the gallery for everybody; for authors before it what they work with."""

from __future__ import annotations

from starlette.responses import Response

from hub_config.access import permitted
from hub_config.pages.serving import Visit, run

_MOST = 200


async def home(visit: Visit) -> Response:
    """Show the dashboards that the person may open, and to authors their notebook and the sources."""
    principal = visit.person.principal
    gallery = await run(visit.platform.content.dashboards.gallery, principal, limit=_MOST)
    sources = None
    if permitted(principal, "catalog.read"):
        sources = await run(visit.platform.sources.administration.listed, principal, limit=_MOST)
    return visit.page("home.html", current="home", gallery=gallery, sources=sources)
