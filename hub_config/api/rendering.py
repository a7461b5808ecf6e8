"""Renderings: begun and looked at by people, served to their processes by the grant that each of them holds."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import Depends, Request, Response
from fastapi.security import HTTPBearer
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from hub_config.api.ai import OutcomeOut, ask, dumps, stopped_when_gone
from hub_config.api.routing import Caller, Id, Routes, ThePlatform, Wire
from hub_config.errors import Unauthenticated
from hub_config.queries import Ended
from hub_config.rendering import Job
from hub_config.rendering.manager import MARKUP_CHARACTERS, TILE_ROWS

routes = Routes("", tag="rendering")
_grant = HTTPBearer(auto_error=False, scheme_name="grant", description="The grant of one rendering")


def _granted(credentials: Annotated[Any, Depends(_grant)]) -> str:
    if credentials is None:
        raise Unauthenticated(log="no grant")
    return str(credentials.credentials)


Grant = Annotated[str, Depends(_granted)]


class RenderingOut(Wire):
    """A rendering, as the person for whom it is made sees it."""

    id: str
    dashboard_id: str
    version: int
    state: Literal["starting", "running", "ready", "failed"]
    failure: Literal["not_started", "lost", "author", "fault"] | None
    cells_done: int
    cells: int = Field(description="0: not known yet")
    markup: str = Field(description="cleaned; a place for a tile is <section data-tile=ID>; empty until it is ready")
    tiles: dict[str, Any] = Field(description="outcomes by tile, as /dashboards/{id}/tiles/{id}/data gives them")
    trace: str | None = Field(description="the author's error; null for whoever does not edit the dashboard")


class JobOut(Wire):
    """What a process renders."""

    notebook: dict[str, Any]
    language: Literal["fr", "en"]
    cell_timeout_s: int


class ProgressIn(Wire):
    """How far it is."""

    done: Annotated[int, Field(ge=0, le=10_000)]
    of: Annotated[int, Field(ge=0, le=10_000)]


class PageIn(Wire):
    """The page: markup, and the tiles in it."""

    markup: Annotated[str, Field(max_length=MARKUP_CHARACTERS)]
    tiles: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=200)]


class FailureIn(Wire):
    """Why there is no page; ``cell`` null: not because of a cell."""

    cell: Annotated[int, Field(ge=0, le=10_000)] | None
    name: Annotated[str, Field(max_length=200)]
    trace: Annotated[str, Field(max_length=8_000)]


# ── for people ────────────────────────────────────────────────────────────────────────────────────────────────────────


@routes.post(
    "/dashboards/{dashboard_id}/renderings",
    permission="dashboards.read",
    status_code=202,
    summary="Have a published dashboard rendered with one's own rights",
)
def begin(dashboard_id: Id, caller: Caller, platform: ThePlatform) -> RenderingOut:
    """Begin; look at it until it is ready."""
    return _out(platform.renderings.begin(caller, dashboard_id), author=False)


@routes.get("/renderings/{rendering_id}", permission="dashboards.read", summary="How far one's rendering is; its page")
def read(rendering_id: Id, caller: Caller, platform: ThePlatform) -> RenderingOut:
    """Return it, with the page once it is ready."""
    job = platform.renderings.read(caller, rendering_id)
    return _out(job, author=caller.role != "viewer")


def _out(job: Job, *, author: bool) -> RenderingOut:
    ready = job.state == "ready"
    return RenderingOut(
        id=job.id, dashboard_id=job.dashboard_id, version=job.version, state=job.state, failure=job.failure,
        cells_done=job.done, cells=job.of, markup=job.markup,
        tiles={tile: json.loads(body) for tile, body in job.outcomes.items()} if ready else {},
        trace=job.trace if author and job.failure == "author" else None,
    )  # fmt: skip


# ── for the process ───────────────────────────────────────────────────────────────────────────────────────────────────


@routes.get("/rendering/job", permission=None, summary="What a rendering renders")
def job(grant: Grant, platform: ThePlatform) -> JobOut:
    """Return the notebook."""
    found = platform.renderings.job(grant)
    timeout_s = max(1, platform.settings.rendering_cell_seconds)
    return JobOut(notebook=found.notebook, language="fr", cell_timeout_s=timeout_s)


@routes.post(
    "/rendering/tiles/{tile_id}",
    permission=None,
    summary="A tile of the version that is rendered, with its viewer's rights",
    response_class=Response,
    responses={200: {"model": OutcomeOut, "description": "The outcome; a viewer's has no SQL and no plan"}},
)
async def tile(tile_id: Id, grant: Grant, request: Request, platform: ThePlatform) -> Response:
    """Run the tile's plan with the viewer's rights as they are now, and keep what it answered for the page."""
    found, principal, asked, reach = await run_in_threadpool(platform.renderings.tile, grant, tile_id)

    def shape(ended: Ended) -> bytes:
        shown = ended.to_json(inline_rows=TILE_ROWS)
        if principal.role == "viewer" and shown["outcome"] == "answer":
            shown |= {"sql": "", "plan": None}
        return dumps(shown)

    running = await ask(platform, principal, asked, reach=reach, shape=shape)
    async with stopped_when_gone(request, running.cancel):
        ended = await running.wait()
    if not found.ended:
        found.outcomes[tile_id] = ended.body
    return Response(ended.body, media_type="application/json")


@routes.post("/rendering/progress", permission=None, status_code=204, summary="How far a rendering is")
def progress(body: ProgressIn, grant: Grant, platform: ThePlatform) -> Response:
    """Note it."""
    platform.renderings.progress(grant, body.done, body.of)
    return Response(status_code=204)


@routes.post("/rendering/page", permission=None, status_code=204, summary="A rendering hands in its page")
def page(body: PageIn, grant: Grant, platform: ThePlatform) -> Response:
    """Take it, cleaned; the grant is over."""
    platform.renderings.page(grant, body.markup)
    return Response(status_code=204)


@routes.post("/rendering/failure", permission=None, status_code=204, summary="A rendering says that it failed")
def failure(body: FailureIn, grant: Grant, platform: ThePlatform) -> Response:
    """Take the author's error; the grant is over."""
    platform.renderings.failure(grant, cell=body.cell, trace=body.trace)
    return Response(status_code=204)
