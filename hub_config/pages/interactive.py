"""A published notebook with a kernel of its own for its viewer: the page around it, and what passes between the two.

The walls are told in :mod:`hub_config.interactive`; this is the browser's side of them. The page is ours, with the policy of
every page; it holds a frame, whose document is the author's and comes with a policy of its own: no origin, no network. The
page's script sends what the frame says to the kernel as a form of ours (the session's cookie, the form's token, the same
origin), and asks for what the kernel says. Nothing in an address names a sitting: it is always that of whoever is signed in.

Opening is a button and no link: it starts a process, which another site's page must not.
"""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.responses import HTMLResponse, Response

from dashboards.interactive.messages import Refused
from datapilot_kernel.errors import DataPilotError
from datapilot_kernel.messages import current_language, text
from hub_config.api.ai import dumps
from hub_config.content.publishing import Published
from hub_config.errors import Forbidden, NotFound, status_of
from hub_config.interactive import Sitting
from hub_config.pages.serving import Page, Visit, run

_ID = re.compile("[0-9a-f]{32}")
_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?")
_FORM_BYTES = 512 * 1024
_TYPES = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
    "png": "image/png",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "ttf": "font/ttf",
    "eot": "application/vnd.ms-fontobject",
}
_NOWHERE = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",  # a frame without an origin is nobody's same origin
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "private, max-age=3600",
}


async def show(visit: Visit) -> Response:
    """Show where it is: to be opened, being prepared, open, or over."""
    found = await _published(visit)
    if found.content.get("mode") != "interactive":
        return visit.go(f"/tableaux/{found.dashboard_id}")
    interactives = visit.platform.interactives
    sitting = await run(interactives.read, visit.person.principal, found.dashboard_id) if interactives.available else None
    state = _state(sitting) if interactives.available else "refused"
    author = visit.person.principal.role != "viewer"
    response = visit.page(
        "interactive.html",
        connects=True,
        current="dashboard",
        board=found,
        here=visit.pages.render.url(_here(found.dashboard_id)),
        state=state,
        why=_why(sitting),
        done=sitting.done if sitting else 0,
        of=sitting.of if sitting else 0,
        after=sitting.to_page.last if sitting else 0,
        trace=sitting.trace if sitting and author else "",
        cell=sitting.cell if sitting and author else None,
    )
    if state == "ready":
        frame = f"{_host(visit)}{visit.pages.render.url(_here(found.dashboard_id))}/page"
        response.headers["Content-Security-Policy"] += f"; frame-src {frame}"
    return response


async def begin(visit: Visit) -> Response:
    """Open it."""
    found = await _published(visit)
    await run(visit.platform.interactives.begin, visit.person, found.dashboard_id)
    return visit.go(_here(found.dashboard_id))


async def close(visit: Visit) -> Response:
    """End it."""
    found = await _published(visit)
    await run(visit.platform.interactives.close, visit.person.principal, found.dashboard_id)
    return visit.go(_here(found.dashboard_id))


async def state(visit: Visit) -> Response:
    """Say how far it is; with ``after``, wait for what the kernel says after that number, and return it."""
    found = await _published(visit)
    interactives, principal = visit.platform.interactives, visit.person.principal
    sitting = await run(interactives.read, principal, found.dashboard_id)
    given = visit.request.query_params.get("after")
    if given is None:
        return _json({"state": _state(sitting), "said": _progress(sitting)})
    after = int(given) if given.isascii() and given.isdigit() and len(given) < 12 else 0
    sitting, frames, following, lost = await interactives.heard(principal, found.dashboard_id, after)
    return _json({"state": _state(sitting), "frames": frames, "next": following, "lost": lost})


async def document(visit: Visit) -> Response:
    """Return what stands in the frame: the author's page, which has no origin and no network."""
    found = await _published(visit)
    sitting = await run(visit.platform.interactives.read, visit.person.principal, found.dashboard_id)
    # By itself it would be a page without ours around it: browsers say what they ask for.
    framed = visit.request.headers.get("sec-fetch-dest") in (None, "iframe")
    if sitting is None or sitting.state != "ready" or not framed:
        return visit.go(_here(found.dashboard_id))
    files = f"{_host(visit)}{visit.pages.render.url('/interactif/')}{sitting.key}/"
    policy = (
        "sandbox allow-scripts; default-src 'none'; "
        # Voilà's script and the widgets', file by file, and no other: what the author wrote is markup here, never script.
        f"script-src {files}; style-src {files} 'unsafe-inline'; font-src {files} data:; "
        f"img-src {files} data: blob:; media-src data: blob:; connect-src 'none'; frame-src 'none'; object-src 'none'; "
        "worker-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Frame-Options": "SAMEORIGIN",
        "Referrer-Policy": "no-referrer",
        "X-DNS-Prefetch-Control": "off",
        "Content-Language": current_language(),
    }
    return HTMLResponse(sitting.markup, headers=headers)


async def said(visit: Visit) -> Response:
    """Hand on what the frame says to its kernel, if it may be said."""
    found = await _published(visit)
    try:
        entries = json.loads(visit.form.get("frames", ""))
        if not isinstance(entries, list):
            raise Refused("shape")
        await run(visit.platform.interactives.say, visit.person.principal, found.dashboard_id, entries)
    except (ValueError, RecursionError, Refused) as error:
        why = str(error) if isinstance(error, Refused) else "shape"
        raise Forbidden("interactive.message_refused", log=f"a message that a page may not send: {why}") from None
    return Response(status_code=204)


async def file(visit: Visit) -> Response:
    """Return a file of the page's script."""
    name = visit.request.path_params["name"]
    kind = _TYPES.get(name.rpartition(".")[2])
    if kind is None:
        raise NotFound(log="a file of no kind that scripts have")
    body = await visit.platform.interactives.file(visit.request.path_params["key"], name)
    return Response(body, media_type=kind, headers=_NOWHERE)


def part_problem(visit: Visit, error: DataPilotError) -> Response:
    """Answer the page's script."""
    status = status_of(error)
    return _json({"state": "closed" if status in (401, 404) else "problem", "message": error.message}, status)


def _json(value: dict[str, Any], status: int = 200) -> Response:
    return Response(dumps(value), status, media_type="application/json")


def _here(dashboard_id: str) -> str:
    return f"/tableaux/{dashboard_id}/interactif"


def _host(visit: Visit) -> str:
    """Return the host by which the browser came, for a policy; none that is not written like one."""
    host = visit.request.headers.get("host", "")
    if _HOST.fullmatch(host) is None:
        raise NotFound(log="a host that is none")
    return host


def _state(sitting: Sitting | None) -> str:
    return "none" if sitting is None else sitting.state


def _why(sitting: Sitting | None) -> str:
    return text(f"interactive.why_{sitting.why}") if sitting is not None and sitting.why is not None else ""


def _progress(sitting: Sitting | None) -> str:
    if sitting is not None and sitting.of:
        return text("interactive.cells", done=min(sitting.done + 1, sitting.of), of=sitting.of)
    return text("interactive.starting")


async def _published(visit: Visit) -> Published:
    dashboard_id = visit.request.path_params["dashboard_id"]
    if _ID.fullmatch(dashboard_id) is None:
        raise NotFound(log="malformed id")
    found: Published = await run(visit.platform.content.publishing.published, visit.person.principal, dashboard_id)
    return found


_BOARD = "/tableaux/{dashboard_id}/interactif"
_KEY = "the key of one open dashboard's files is the credential: its frame has no origin, and no cookie"


def _page(method: str, path: str, handler: Any, **options: Any) -> Page:
    return Page(method, path, "dashboards.read", handler, **options)


PAGES: tuple[Page, ...] = (
    _page("GET", _BOARD, show),
    _page("POST", _BOARD, begin),
    _page("POST", f"{_BOARD}/fermer", close),
    _page("GET", f"{_BOARD}/etat", state, problem=part_problem),
    _page("GET", f"{_BOARD}/page", document),
    _page("POST", f"{_BOARD}/messages", said, form_bytes=_FORM_BYTES),
    Page("GET", "/interactif/{key}/{name:path}", None, file, why=_KEY),
)
