"""A published dashboard: its page, and what the page's script asks for: each tile by itself, with the viewer's own rights.

The page itself holds no figure. It says what is on it; each tile is then run for whoever looks, under the session's cookie
and the form's token, at every request anew: the right to the dashboard, the rows of the person, the filters that the
publisher listed. Files go the same road; they need no script.

A script is answered by JSON with a ``state``: ``shown``, ``problem`` (this tile), ``stale`` (another version is in force) or
``closed`` (not, or no longer, this person's to see: the page then shows nothing more). A page that lies open asks now and
then whether it still may.

Rejected: figures in the page itself (one slow source would hold all of them), an event stream for each page (a connection
for each reader). What remains: between two such questions an open page shows what it has.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from typing import Any

import anyio.to_thread
from starlette.responses import Response

from datapilot_kernel.engine.outcome import Answer
from datapilot_kernel.errors import BadInput, DataPilotError, Fault
from datapilot_kernel.messages import has_text, text
from hub_config.api.ai import ask, dumps, stopped_when_gone
from hub_config.content.publishing import Published
from hub_config.errors import NotFound, status_of
from hub_config.pages import static, tiles
from hub_config.pages.serving import Visit, problem_page, run
from hub_config.queries import Ended
from hub_config.queries.renderings import MEDIA_TYPES, Format, render

_ID = re.compile("[0-9a-f]{32}")
_FILTER = "filter:"
_MOST_TYPED = 300
_FILES: tuple[Format, ...] = ("csv", "xlsx")


async def dashboard(visit: Visit) -> Response:
    """Show what is on it; the script fetches the figures."""
    found = await _published(visit)
    shown = await run(visit.platform.content.dashboards.shown, visit.person.principal, found.dashboard_id)
    plotly = await anyio.to_thread.run_sync(static.plotly_version)
    return visit.page(
        "dashboard.html",
        connects=True,
        current="dashboard",
        board=found,
        workspace=shown.workspace,
        published_at=shown.published_at,
        tiles=sorted(found.content["tiles"], key=lambda tile: int(tile.get("position", 0))),
        filters=[_choices(entry) for entry in found.content.get("filters", ())],
        plotly=f"{visit.pages.render.url('/static/' + static.PLOTLY)}?v={plotly}" if plotly is not None else "",
    )


async def state(visit: Visit) -> Response:
    """Say whether the page is still the person's to see, and which version of it is in force."""
    return _json({"state": "open", "number": (await _published(visit)).number})


async def tile(visit: Visit) -> Response:
    """Run a tile with what was chosen, and return its pieces."""
    found = await _published(visit)
    entry = _tile(visit, found)
    if entry is None:
        return _json({"state": "stale"})
    author = visit.person.principal.role != "viewer"
    pages, tenant_id = visit.pages, visit.person.principal.tenant_id

    def shape(ended: Ended) -> bytes:
        result = visit.platform.queries.results.get(tenant_id, ended.query_id)
        return dumps(tiles.pieces(ended.outcome, result, entry, pages.render, author=author) | {"number": found.number})

    try:
        ended = await _asked(visit, found, entry, shape=shape)
    except DataPilotError as error:
        # The dashboard is this person's to see: what went wrong is the tile's affair.
        return _json(_pieces_of(visit, error) | {"state": "problem", "number": found.number}, status_of(error))
    return Response(ended.body, media_type="application/json")


async def file(visit: Visit) -> Response:
    """Return a tile's whole table as a file."""
    kind: Format | None = next((kind for kind in _FILES if kind == visit.request.path_params["kind"]), None)
    found = await _published(visit)
    entry = _tile(visit, found)
    if kind is None or entry is None:
        raise NotFound(log="tile, or form of a file")
    ended = await _asked(visit, found, entry)
    result = visit.platform.queries.results.get(visit.person.principal.tenant_id, ended.query_id)
    if not isinstance(ended.outcome, Answer) or result is None:
        author = visit.person.principal.role != "viewer"
        said = tiles.pieces(ended.outcome, None, entry, visit.pages.render, author=author)
        return _not_done(visit, 424, said.get("message") or text("pages.dashboard.failed"), said.get("incident"))
    body = await anyio.to_thread.run_sync(lambda: render(result, kind))
    name = _file_name(entry.get("title") or found.name)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return Response(body, media_type=MEDIA_TYPES[kind], headers=headers)


# ── what went wrong ───────────────────────────────────────────────────────────────────────────────────────────────────


def part_problem(visit: Visit, error: DataPilotError) -> Response:
    """Answer the page's script: what is not, or no longer, open closes the page; anything else may be tried again."""
    status = status_of(error)
    closed = status in (401, 403, 404)
    title = f"pages.problem.title_{status}"
    said = _pieces_of(visit, error) | {
        "state": "closed" if closed else "problem",
        "title": text(title if has_text(title) else "pages.problem.title"),
    }
    if status == 404:
        said |= {"title": text("pages.dashboard.closed"), "message": text("pages.dashboard.closed_why")}
    return _json(said, status)


def file_problem(visit: Visit, error: DataPilotError) -> Response:
    """Answer a form with a page that leads back."""
    if status_of(error) in (401, 403, 404):
        return problem_page(visit, error)
    return _not_done(visit, status_of(error), error.message, error.incident if isinstance(error, Fault) else None)


def _not_done(visit: Visit, status: int, message: str, incident: str | None) -> Response:
    title = f"pages.problem.title_{status}"
    return visit.page(
        "problem.html",
        status=status,
        title=text(title if has_text(title) else "pages.problem.title"),
        message=message,
        incident=incident,
        again=False,
        back=visit.pages.render.url(f"/tableaux/{visit.request.path_params['dashboard_id']}"),
    )


def _pieces_of(visit: Visit, error: DataPilotError) -> dict[str, Any]:
    incident = error.incident if isinstance(error, Fault) else None
    return tiles.problem(visit.pages.render, error.message, incident=incident, again=status_of(error) not in (403, 404, 422))


def _json(value: dict[str, Any], status: int = 200) -> Response:
    return Response(dumps(value), status, media_type="application/json")


# ── what is asked ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def _published(visit: Visit) -> Published:
    dashboard_id = visit.request.path_params["dashboard_id"]
    if _ID.fullmatch(dashboard_id) is None:
        raise NotFound(log="malformed id")
    found: Published = await run(visit.platform.content.publishing.published, visit.person.principal, dashboard_id)
    return found


def _tile(visit: Visit, found: Published) -> dict[str, Any] | None:
    wanted = visit.request.path_params["tile_id"]
    return next((tile for tile in found.content["tiles"] if tile["id"] == wanted), None)


async def _asked(visit: Visit, found: Published, entry: dict[str, Any], **options: Any) -> Ended:
    """Run a tile; a reader who goes away stops it."""
    principal, platform = visit.person.principal, visit.platform
    chosen = _chosen(found.content.get("filters", ()), visit.form)
    publishing = platform.content.publishing
    asked, reach = await run(functools.partial(publishing.tile, principal, found.dashboard_id, entry["id"], chosen))
    running = await ask(platform, principal, asked, reach=reach, **options)
    async with stopped_when_gone(visit.request, running.cancel):
        ended = await running.wait()
    return ended


def _chosen(listed: Any, form: dict[str, str]) -> dict[str, list[Any]]:
    """Return what was chosen, by field: of listed values the value itself, as the publisher listed it.

    >>> listed = [{"field": "a.b", "values": [1, 2]}, {"field": "a.c", "values": None}]
    >>> _chosen(listed, {"filter:a.b": "2", "filter:a.c": " x "})
    {'a.b': [2], 'a.c': ['x']}
    """
    by_field = {entry["field"]: entry for entry in listed}
    found: dict[str, list[Any]] = {}
    for name, given in form.items():
        if not name.startswith(_FILTER) or not given.strip():
            continue
        field = name.removeprefix(_FILTER)
        entry = by_field.get(field)
        if entry is None or len(given) > _MOST_TYPED:
            raise BadInput("content.filter_not_listed")
        values = entry.get("values")
        if values is None:
            found[field] = [given.strip()]
            continue
        # By what it is written as: of 1, 1.0 and true only the one that was listed.
        known = {json.dumps(value): value for value in values}
        if given not in known:
            raise BadInput("content.filter_not_listed")
        found[field] = [known[given]]
    return found


def _choices(entry: dict[str, Any]) -> dict[str, Any]:
    values = entry.get("values")
    return {
        "name": _FILTER + entry["field"],
        "label": entry.get("label") or entry["field"].rpartition(".")[2],
        "values": None if values is None else [(json.dumps(value), _in_words(value)) for value in values],
    }


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return text("pages.dashboard.yes" if value else "pages.dashboard.no")
    return str(value).replace(".", ",") if isinstance(value, float) else str(value)


def _file_name(title: str) -> str:
    """Return a name that every system takes.

    >>> _file_name("Chiffre d’affaires : régions")
    'chiffre-d-affaires-regions'
    """
    letters = (c for c in unicodedata.normalize("NFKD", title.casefold()) if not unicodedata.combining(c))
    plain = "".join(letters)
    return re.sub(r"[^a-z0-9]+", "-", plain.casefold()).strip("-")[:80] or "tableau"
