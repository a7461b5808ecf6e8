"""Requests for publication: what is asked, what will be seen and by whom, and the decision.

Whoever asked reads their own requests and what became of them; administrators read all and decide. Nothing here is put in
force by less than the form of the decision, in the browser's own session (wall 1). The addresses of dashboards' versions and
of their edition stand in :mod:`hub_config.pages.versions` and :mod:`hub_config.pages.editing`.
"""

from __future__ import annotations

from typing import Any

import anyio.to_thread
from starlette.responses import Response

from datapilot_kernel.errors import BadInput
from datapilot_kernel.notebook.secrets import secrets_in
from hub_config.api.paging import read_cursor
from hub_config.content.notebooks import left_out, own_code, places_of
from hub_config.content.publishing import Decision
from hub_config.content.versions import difference
from hub_config.database import PublicationRequest
from hub_config.errors import PlatformUnavailable, status_of
from hub_config.pages import editing, versions
from hub_config.pages.given import asked, following, ident, known_form, line, notice
from hub_config.pages.proposal import Audience, Candidate, audience, candidates, tile_views
from hub_config.pages.publishing_forms import Typed, addresses_of, chosen_filters, chosen_rights, names_of, typed_of
from hub_config.pages.serving import Page, Visit, run

_PER_PAGE = 50


async def listed(visit: Visit) -> Response:
    """Show the requests: to administrators all, to others their own."""
    principal, publishing = visit.person.principal, visit.platform.content.publishing
    after = asked(visit, "suite") or None
    rows = await run(publishing.requests, principal, status=None, limit=_PER_PAGE, before=read_cursor(after))
    return visit.page(
        "publications.html",
        current="publications",
        done=notice(visit, "publications"),
        rows=rows,
        names=await run(names_of, visit, principal),
        beginning=after is None,
        next=following([(row.requested_at, row.id) for row in rows], _PER_PAGE),
    )


async def request(visit: Visit) -> Response:
    """Show one."""
    return await _shown(visit)


async def decide(visit: Visit) -> Response:
    """Accept or reject."""
    principal, publishing = visit.person.principal, visit.platform.content.publishing
    request_id = ident(visit, "request_id")
    into = visit.form.get("dans", "")
    try:
        if visit.form.get("decision") == "refuser":
            decision = Decision(accept=False, reason=line(visit, "motif", 1000))
        else:
            decision = await _accepted(visit, request_id, known_form(into) if into else "")
        row: PublicationRequest = await run(publishing.decide, principal, request_id, decision)
    except PlatformUnavailable:
        raise
    except BadInput as error:
        return await _shown(visit, status=status_of(error), problem=error.message, into=into, typed=typed_of(visit))
    alone = decision.accept and not decision.rights
    return visit.go(f"/publications/{row.id}?fait={'accepted_alone' if alone else row.status}")


async def _accepted(visit: Visit, request_id: str, into: str) -> Decision:
    principal, platform = visit.person.principal, visit.platform
    content = await run(platform.content.publishing.proposed, principal, request_id, into=into)
    possible = await run(candidates, platform, principal, content)
    workspace = visit.form.get("espace", "")
    if not line(visit, "nom"):
        raise BadInput("publications.name_missing")
    return Decision(
        accept=True,
        exploratory=visit.form.get("exploratoire") == "oui",
        name=line(visit, "nom"),
        into=into,
        workspace_id=known_form(workspace) if workspace else None,
        filters=chosen_filters(visit, possible),
        rights=await run(chosen_rights, visit, principal),
        mode="interactive" if content.get("notebook") and visit.form.get("mode") == "interactive" else "page",
    )


async def _shown(
    visit: Visit, *, status: int = 200, problem: str | None = None, into: str | None = None, typed: Typed | None = None
) -> Response:
    principal, platform = visit.person.principal, visit.platform
    publishing = platform.content.publishing
    row: PublicationRequest = await run(publishing.read_request, principal, ident(visit, "request_id"))
    adds = bool(row.content_json.get("add"))
    waits = row.status == "requested"
    decides = waits and principal.is_administrator
    given = into if into is not None else asked(visit, "dans", 40) if "dans" in visit.request.query_params else None
    target = row.dashboard_id or "" if given is None or adds or not decides else given
    content, before = _as_asked(row), None
    if decides:
        content = await run(publishing.proposed, principal, row.id, into=known_form(target) if target else "")
        before = await run(publishing.in_force, principal, target) if target else None
    boards = await run(publishing.publishable, principal, limit=500) if decides else []
    values: dict[str, Any] = {}
    if decides:
        values = await _for_the_decision(visit, content, target, typed)
    cells = (content.get("notebook") or {}).get("cells", [])
    secrets = secrets_in([cell["source"] for cell in cells])
    return visit.page(
        "publication.html",
        status=status,
        current="publications",
        done=notice(visit, "publications"),
        problem=problem,
        row=row,
        name=content["name"],
        names=await run(names_of, visit, principal),
        tiles=await anyio.to_thread.run_sync(tile_views, platform, principal, content),
        doubtful=sum(1 for tile in content["tiles"] if tile.get("trust") == "exploratory"),
        cells=cells,
        code=own_code(content),
        left=left_out(content),
        secrets=places_of(secrets) if secrets else "",
        reason=row.content_json.get("decision", {}).get("reason"),
        adds=adds,
        waits=waits,
        decides=decides,
        target=target,
        boards=boards,
        changes=difference(before.content_json, content) if before is not None else None,
        number=before.number if before is not None else None,
        **values,
    )


async def _for_the_decision(visit: Visit, content: dict[str, Any], target: str, typed: Typed | None) -> dict[str, Any]:
    principal, platform = visit.person.principal, visit.platform
    seen: Audience = await run(audience, platform, principal, {tile["source_id"] for tile in content["tiles"]})
    possible: list[Candidate] = await run(candidates, platform, principal, content)
    if typed is None:
        rights = await run(platform.content.dashboards.rights, principal, target) if target else []
        typed = Typed(
            content["name"],
            mode=content.get("mode", "page"),
            roles={right.role for right in rights if right.role},
            people={right.user_id for right in rights if right.user_id},
            addresses=addresses_of(rights, seen),
            filters={one.key for one in possible if one.offered},
        )
    corners = await run(platform.content.workspaces.corners, principal, limit=500)
    return {"audience": seen, "candidates": possible, "typed": typed, "corners": [one.row for one in corners]}


def _as_asked(row: PublicationRequest) -> dict[str, Any]:
    return {**row.content_json, "tiles": [{"question": None, **tile} for tile in row.content_json["tiles"]]}


PAGES: tuple[Page, ...] = (
    Page("GET", "/publications", "publication.request", listed),
    Page("GET", "/publications/{request_id}", "publication.request", request),
    Page("POST", "/publications/{request_id}", "dashboards.publish", decide),
    *versions.PAGES,
    *editing.PAGES,
)
