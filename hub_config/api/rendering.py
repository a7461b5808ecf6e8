"""Renderings: begun and looked at by people, served to their processes by the grant that each of them holds; and pages that
are made ahead: when, how far, again now.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import Depends, Request, Response
from fastapi.security import HTTPBearer
from pydantic import AwareDatetime, Field
from starlette.concurrency import run_in_threadpool

from datapilot_kernel.errors import DataPilotError
from hub_config.api.ai import OutcomeOut, ask, dumps, stopped_when_gone
from hub_config.api.routing import Caller, Id, Routes, ThePlatform, Wire
from hub_config.database import utc_now
from hub_config.errors import TooMany, Unauthenticated
from hub_config.queries import Ended
from hub_config.rendering import Job
from hub_config.rendering.manager import MARKUP_CHARACTERS, TILE_ROWS
from hub_config.snapshots import Progress, Schedule, why
from hub_config.snapshots.outcomes import outcome_of
from hub_config.snapshots.schedule import AT, Kind

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
    failure: Literal["not_started", "lost", "author", "timeout", "fault", "quota"] | None
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


class ScheduleOut(Wire):
    """When a dashboard is refreshed by itself."""

    kind: Kind
    at: str = Field(description="HH:MM in Paris; of hourly only the minutes count")
    next_at: AwareDatetime | None


class ScheduleIn(Wire):
    """When to refresh a dashboard by itself."""

    kind: Kind = Field(description="workdays: Monday to Friday without French public holidays")
    at: Annotated[str, Field(pattern=AT)] = Field("08:00", description="HH:MM in Paris; of hourly only the minutes count")


class RefreshOut(Wire):
    """How far the pages of the version in force are."""

    version: int
    rights: int = Field(description="distinct rights that there is to be a page for")
    done: int
    queued: int
    running: int
    failed: int
    cells_done: int
    cells: int = Field(description="of the page that is being made; 0: not known, or none is")
    made_at: AwareDatetime | None = Field(description="when the oldest figure of the oldest page was read")
    failed_at: AwareDatetime | None
    failure: str | None
    reason: str | None = Field(description="the failure in words")
    cell: int | None = Field(description="the cell that failed, from 0")
    trace: str | None = Field(description="the author's error, if it came about with the rights of whoever asks")


# ── pages made ahead ──────────────────────────────────────────────────────────────────────────────────────────────────


@routes.get("/dashboards/{dashboard_id}/refresh", permission="dashboards.write", summary="When a dashboard is refreshed")
def read_schedule(dashboard_id: Id, caller: Caller, platform: ThePlatform) -> ScheduleOut:
    """Return the schedule."""
    return _schedule(platform.content.snapshots.schedule(caller, dashboard_id))


@routes.put(
    "/dashboards/{dashboard_id}/refresh",
    permission="dashboards.write",
    summary="Say when a dashboard is refreshed by itself",
)
def set_schedule(dashboard_id: Id, body: ScheduleIn, caller: Caller, platform: ThePlatform) -> ScheduleOut:
    """Set the schedule; what it would have made before now is not made up for."""
    wanted = Schedule(kind=body.kind, at=body.at)
    return _schedule(platform.content.snapshots.set_schedule(caller, dashboard_id, wanted))


@routes.post(
    "/dashboards/{dashboard_id}/refresh", permission="dashboards.write", status_code=202, summary="Refresh a dashboard now"
)
def refresh(dashboard_id: Id, caller: Caller, platform: ThePlatform) -> RefreshOut:
    """Have its pages made again for everybody's rights; its readers see the last good ones until then."""
    return _refresh(platform.content.snapshots.refresh(caller, dashboard_id))


@routes.get(
    "/dashboards/{dashboard_id}/refresh/progress", permission="dashboards.write", summary="How far a dashboard's pages are"
)
def read_progress(dashboard_id: Id, caller: Caller, platform: ThePlatform) -> RefreshOut:
    """Return it."""
    return _refresh(platform.content.snapshots.progress(caller, dashboard_id))


def _schedule(found: Schedule) -> ScheduleOut:
    return ScheduleOut(kind=found.kind, at=found.at, next_at=found.following(utc_now()))


def _refresh(found: Progress) -> RefreshOut:
    return RefreshOut(**vars(found), reason=why(found.failure) if found.failure is not None else None)


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
    ahead = found.asked is not None
    if tile_id in found.told:
        return Response(found.told[tile_id], media_type="application/json")
    kept: list[bytes] = []

    def shape(ended: Ended) -> bytes:
        # The page has a tile's first rows; the author's code counts with all of them.
        if ahead:
            kept.append(dumps(outcome_of(platform.queries, principal.tenant_id, ended)))
        shown, told = ended.to_json(inline_rows=TILE_ROWS), ended.to_json()
        for each in (shown, told):
            if principal.role == "viewer" and each["outcome"] == "answer":
                each |= {"sql": "", "plan": None}
        if not ahead:
            kept.append(dumps(shown))
        return dumps(told)

    try:
        running = await ask(platform, principal, asked, reach=reach, shape=shape)
        async with stopped_when_gone(request, running.cancel):
            ended = await running.wait()
    except DataPilotError as error:
        # The cell fails, and it is not its author's doing.
        found.problem = "quota" if isinstance(error, TooMany) else "fault"
        raise
    if not found.ended:
        found.outcomes[tile_id] = kept[0]
        if ahead:
            found.told[tile_id] = ended.body
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
    platform.renderings.failure(grant, cell=body.cell, trace=body.trace, name=body.name)
    return Response(status_code=204)
