"""A published dashboard: its page, made ahead for the reader's rights; and its tiles, one by one, for the page's script.

The page comes from the last good snapshot for these rights (:mod:`hub_config.snapshots`): text, sentences, tables and the
data of the charts at once, with how old they are and what failed since. Where there is none yet the page says so, and its
script runs the tiles one by one. Filters, a period and steps into a tile (:mod:`hub_config.content.viewing`) always run:
the version's plan with what was chosen, under the session's cookie and the form's token, with the reader's rights of that
very moment. Files go the same road; they need no script.

A script is answered by JSON with a ``state``: ``shown``, ``levels`` (what a row can be broken down by), ``problem`` (this
tile), ``stale`` (another version is in force) or ``closed`` (not, or no longer, this person's to see: the page then shows
nothing more). A page that lies open asks now and then whether it still may, and whether there is anything newer.

Rejected: an event stream for each page (a connection for each reader), a plan from the browser. What remains: between two
such questions an open page shows what it has.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from starlette.responses import Response

from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.engine.outcome import Answer
from datapilot_kernel.errors import BadInput, DataPilotError, Fault
from datapilot_kernel.messages import current_language, has_text, text
from hub_config.access import permitted
from hub_config.api.ai import ask, dumps, stopped_when_gone
from hub_config.content.drilling import cells_of, steps_of
from hub_config.content.publishing import Published
from hub_config.content.viewing import Choice, Ground, Seen
from hub_config.errors import NotFound, status_of
from hub_config.pages import boards, sketches, static, tiles
from hub_config.pages.rendering import clock
from hub_config.pages.serving import Visit, problem_page, quickly, run
from hub_config.queries import Ended
from hub_config.queries.renderings import MEDIA_TYPES, Format, formatter_of, render
from hub_config.snapshots import why

if TYPE_CHECKING:
    from hub_config.snapshots import Snapshot

_ID = re.compile("[0-9a-f]{32}")
_FILTER, _STEPS, _OPEN, _DAYS = "filter:", "pas", "ouvrir", "jours"
_FILES: tuple[Format, ...] = ("csv", "xlsx")


@dataclass(frozen=True)
class _Found:
    """A dashboard as this person may see it; ``board`` None: nothing was made ahead for their rights yet."""

    published: Published
    about: boards.About
    snapshot: Snapshot | None
    board: boards.Board | None
    library: static.ChartsLibrary | None
    edits: bool = False


async def dashboard(visit: Visit) -> Response:
    """Show it as it was made ahead; without that, its script fetches the figures."""
    found: _Found = await quickly(visit, _found, visit)
    board, snapshot, published, library = found.board, found.snapshot, found.published, found.library
    if board is None:
        entries = sorted(published.content["tiles"], key=lambda tile: int(tile.get("position", 0)))
        cards = [
            boards.article(visit.pages.render, published.dashboard_id, tile, n, None) for n, tile in enumerate(entries, 1)
        ]
        body, data = '<div class="dp-tiles">' + "\n".join(cards) + "</div>", "{}"
    else:
        body, data = board.body, board.data
    return visit.page(
        "dashboard.html",
        connects=True,
        current="dashboard",
        board=published,
        workspace=found.about.workspace,
        published_at=found.about.published_at,
        made_at=snapshot.made_at if snapshot is not None else None,
        made=_made(snapshot),
        notes=_notes(found),
        body=body,
        data=data,
        charts=board is None or '"chart"' in board.data,
        filters=found.about.filters,
        edits=found.edits,
        interactive=published.content.get("mode") == "interactive",
        plotly=f"{visit.pages.render.url('/static/' + static.PLOTLY)}?v={library.version}" if library is not None else "",
        styles=library.styles if library is not None else (),
    )


def _state(visit: Visit) -> tuple[int, str]:
    content, principal = visit.platform.content, visit.person.principal
    found = content.publishing.published(principal, _dashboard_id(visit))
    return found.number, _made(content.snapshots.of(principal, found))


async def state(visit: Visit) -> Response:
    """Say whether the page is still the person's to see, which version of it is in force, and how old its figures are."""
    number, made = await quickly(visit, _state, visit)
    return _json({"state": "open", "number": number, "made": made})


async def picture(visit: Visit) -> Response:
    """Return a small picture of what this person sees on it; of nothing in particular where nothing was made ahead."""
    found: _Found = await quickly(visit, _found, visit)
    drawn = found.board.sketch if found.board is not None else ""
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "Cache-Control": "private, max-age=60",
        "Vary": "Cookie",
    }
    return Response(drawn or sketches.nothing(), media_type="image/svg+xml", headers=headers)


def _found(visit: Visit) -> _Found:
    """Read everything that a page needs, in one thread."""
    principal, platform, pages = visit.person.principal, visit.platform, visit.pages
    published: Published = platform.content.publishing.published(principal, _dashboard_id(visit))
    key = (principal.tenant_id, published.dashboard_id, published.number, current_language())
    about = pages.abouts.get(key, lambda: _about(visit, published))
    snapshot = platform.content.snapshots.of(principal, published)
    board = None
    if snapshot is not None:
        author = principal.role != "viewer"
        content = snapshot.content or published.content
        board = pages.boards.get(
            boards.key_of(snapshot, principal.tenant_id, current_language(), author=author),
            lambda: boards.board_of(snapshot, content, _grounds(visit), pages.render, author=author),
        )
    return _Found(published, about, snapshot, board, static.charts_library(), _edits(visit, published))


def _edits(visit: Visit, published: Published) -> bool:
    """Tell whether the person edits this dashboard: they are led to its versions, where the author's own errors are."""
    principal = visit.person.principal
    if not permitted(principal, "dashboards.write"):
        return False
    try:
        visit.platform.content.dashboards.rights(principal, published.dashboard_id)
    except NotFound:
        return False
    return True


def _about(visit: Visit, published: Published) -> boards.About:
    shown = visit.platform.content.dashboards.shown(visit.person.principal, published.dashboard_id)
    return boards.About(shown.workspace, shown.published_at, _filters(visit, published))


def _grounds(visit: Visit) -> Any:
    @functools.cache
    def ground(source_id: str) -> Ground | None:
        try:
            found: Ground = visit.platform.content.viewing.ground(visit.person.principal, source_id)
        except NotFound:
            return None
        return found

    return ground


def _filters(visit: Visit, published: Published) -> list[dict[str, Any]]:
    offered = visit.platform.content.viewing.offered
    return [
        {
            "name": _FILTER + entry["field"],
            "field": entry["field"],
            "label": entry.get("label") or entry["field"].rpartition(".")[2],
            "period": entry.get("kind") == "period",
            "choices": offered(visit.person.principal, published.content, entry),
        }
        for entry in published.content.get("filters", ())
    ]


def _made(snapshot: Snapshot | None) -> str:
    return snapshot.made_at.isoformat() if snapshot is not None else ""


def _notes(found: _Found) -> list[dict[str, Any]]:
    """Return what is to be said before anything is shown: what failed, what is older than it should be, what is coming."""
    snapshot, board = found.snapshot, found.board
    if snapshot is None or board is None:
        return [{"words": text("pages.dashboard.preparing"), "bad": False, "id": "dp-preparing"}]
    notes = []
    if snapshot.failed_at is not None:
        reason = why(snapshot.failure) if snapshot.failure else text("pages.dashboard.failed_reason")
        said = text(
            "pages.dashboard.refresh_failed", moment=clock(snapshot.failed_at), why=reason, made=clock(snapshot.made_at)
        )
        notes.append({"words": said, "bad": True, "id": "dp-refresh-failed"})
    if board.failed:
        names = ", ".join(f"«\u202f{name}\u202f»" for name in board.failed)
        notes.append(
            {"words": text("pages.dashboard.tiles_failed", count=len(board.failed), names=names), "bad": True, "id": ""}
        )
    if snapshot.version != found.published.number:
        notes.append({"words": text("pages.dashboard.older_version"), "bad": False, "id": "dp-older"})
    return notes


async def tile(visit: Visit) -> Response:
    """Run a tile with what was chosen, and return its pieces; or say what a row of it can be broken down by."""
    found = await _published(visit)
    entry = _tile(visit, found)
    if entry is None:
        return _json({"state": "stale"})
    author = visit.person.principal.role != "viewer"
    pages, tenant_id = visit.pages, visit.person.principal.tenant_id
    accepted = bool(found.content.get("exploratory"))
    try:
        if _OPEN in visit.form:
            return await _levels(visit, found, entry)
        seen = await _seen(visit, found, entry)
        source = (
            (await run(visit.platform.content.viewing.ground, visit.person.principal, entry["source_id"])).name
            if author
            else ""
        )

        def shape(ended: Ended) -> bytes:
            result = visit.platform.queries.results.get(tenant_id, ended.query_id)
            around = tiles.Around(
                formatter_of(result) if result is not None else Formatter(language=current_language()),
                read_at=tiles.moment_of(result),
                source=source,
                accepted=accepted,
                plan=seen.asked.plan,
                without=seen.without,
                crumbs=seen.crumbs,
            )
            return dumps(tiles.pieces(ended.outcome, entry, around, pages.render, author=author) | {"number": found.number})

        ended = await _asked(visit, seen, shape=shape)
    except DataPilotError as error:
        # The dashboard is this person's to see: what went wrong is the tile's affair.
        return _json(_pieces_of(visit, error) | {"state": "problem", "number": found.number}, status_of(error))
    return Response(ended.body, media_type="application/json")


async def _levels(visit: Visit, found: Published, entry: Mapping[str, Any]) -> Response:
    at = cells_of(_decoded(visit.form[_OPEN]))
    viewing = visit.platform.content.viewing
    said, levels = await run(viewing.levels, visit.person.principal, found, entry, _choice(visit), at)
    return _json({"state": "levels", "said": said, "levels": [{"key": one.key, "label": one.label} for one in levels]})


async def file(visit: Visit) -> Response:
    """Return a tile's whole table as a file."""
    kind: Format | None = next((kind for kind in _FILES if kind == visit.request.path_params["kind"]), None)
    found = await _published(visit)
    entry = _tile(visit, found)
    if kind is None or entry is None:
        raise NotFound(log="tile, or form of a file")
    ended = await _asked(visit, await _seen(visit, found, entry))
    result = visit.platform.queries.results.get(visit.person.principal.tenant_id, ended.query_id)
    accepted = bool(found.content.get("exploratory"))
    hidden = isinstance(ended.outcome, Answer) and ended.outcome.trust == "exploratory" and not accepted
    if not isinstance(ended.outcome, Answer) or result is None or hidden:
        author = visit.person.principal.role != "viewer"
        around = tiles.Around(Formatter(language=current_language()), accepted=accepted)
        said = tiles.pieces(ended.outcome, entry, around, visit.pages.render, author=author)
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


def _dashboard_id(visit: Visit) -> str:
    dashboard_id: str = visit.request.path_params["dashboard_id"]
    if _ID.fullmatch(dashboard_id) is None:
        raise NotFound(log="malformed id")
    return dashboard_id


async def _published(visit: Visit) -> Published:
    found: Published = await run(visit.platform.content.publishing.published, visit.person.principal, _dashboard_id(visit))
    return found


def _tile(visit: Visit, found: Published) -> dict[str, Any] | None:
    wanted = visit.request.path_params["tile_id"]
    return next((tile for tile in found.content["tiles"] if tile["id"] == wanted), None)


async def _seen(visit: Visit, found: Published, entry: Mapping[str, Any]) -> Seen:
    viewing = visit.platform.content.viewing
    seen: Seen = await run(viewing.tile, visit.person.principal, found, entry, _choice(visit))
    return seen


async def _asked(visit: Visit, seen: Seen, **options: Any) -> Ended:
    """Run a tile; a reader who goes away stops it."""
    running = await ask(visit.platform, visit.person.principal, seen.asked, reach=seen.reach, **options)
    async with stopped_when_gone(visit.request, running.cancel):
        ended = await running.wait()
    return ended


def _choice(visit: Visit) -> Choice:
    """Return what was chosen, as the form has it."""
    chosen = {}
    for name, given in visit.form.items():
        field = name.removeprefix(_FILTER)
        if field == name or not given.strip():
            continue
        if given == _DAYS:
            given = "/".join(visit.form.get(f"{side}:{field}", "").strip() for side in ("du", "au"))
            if given == "/":
                continue  # no day was given: as the tile has it
        chosen[field] = given
    steps = visit.form.get(_STEPS, "")
    return Choice(chosen, steps_of(_decoded(steps)) if steps else ())


def _decoded(given: str) -> Any:
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        raise BadInput("content.drill_not_possible") from None


def _file_name(title: str) -> str:
    """Return a name that every system takes.

    >>> _file_name("Chiffre d’affaires : régions")
    'chiffre-d-affaires-regions'
    """
    letters = (c for c in unicodedata.normalize("NFKD", title.casefold()) if not unicodedata.combining(c))
    plain = "".join(letters)
    return re.sub(r"[^a-z0-9]+", "-", plain.casefold()).strip("-")[:80] or "tableau"
