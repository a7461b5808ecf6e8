"""Interactive dashboards, for their processes: by the grant that each holds. People have pages (:mod:`hub_config.pages`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request, Response
from fastapi.security import HTTPBearer
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from dashboards.interactive.files import MOST_BYTES
from dashboards.interactive.messages import MOST_TO_VIEWER_BYTES
from datapilot_kernel.messages import current_language
from hub_config.api.ai import OutcomeOut, ask, dumps, stopped_when_gone
from hub_config.api.routing import Id, Routes, ThePlatform, Wire
from hub_config.errors import Unauthenticated
from hub_config.interactive.manager import MARKUP_CHARACTERS, TILE_ROWS
from hub_config.operations.base_path import base_of
from hub_config.queries import Ended

routes = Routes("/interactive", tag="rendering")
_grant = HTTPBearer(auto_error=False, scheme_name="grant", description="The grant of one rendering")


def _granted(credentials: Annotated[Any, Depends(_grant)]) -> str:
    if credentials is None:
        raise Unauthenticated(log="no grant")
    return str(credentials.credentials)


Grant = Annotated[str, Depends(_granted)]


class InteractiveJobOut(Wire):
    """What a process runs."""

    notebook: dict[str, Any]
    language: Literal["fr", "en"]
    cell_timeout_s: int
    assets: str = Field(description="where browsers find the files of the page's script; ends with a slash")


class InteractiveProgressIn(Wire):
    """How far it is."""

    done: Annotated[int, Field(ge=0, le=10_000)]
    of: Annotated[int, Field(ge=0, le=10_000)]


class InteractivePageIn(Wire):
    """The page: what its viewer's frame shows."""

    markup: Annotated[str, Field(max_length=MARKUP_CHARACTERS)]


class InteractiveFailureIn(Wire):
    """Why there is no page; ``cell`` null: not because of a cell."""

    cell: Annotated[int, Field(ge=0, le=10_000)] | None
    name: Annotated[str, Field(max_length=200)]
    trace: Annotated[str, Field(max_length=8_000)]


class SpokenIn(Wire):
    """What the kernel said: frames as JSON has them."""

    entries: Annotated[list[str | dict[str, str]], Field(max_length=200)]


class OrdersOut(Wire):
    """What the process has to do."""

    orders: list[dict[str, Any]]
    next: int


@routes.get("/job", permission=None, summary="What an interactive dashboard runs")
def job(grant: Grant, platform: ThePlatform) -> InteractiveJobOut:
    """Return the notebook."""
    found = platform.interactives.job(grant)
    return InteractiveJobOut(
        notebook=found.notebook, language=current_language(),
        cell_timeout_s=max(1, platform.settings.rendering_cell_seconds),
        assets=f"{base_of(platform.settings.public_url)}/interactif/{found.key}/",
    )  # fmt: skip


@routes.post(
    "/tiles/{tile_id}",
    permission=None,
    summary="A tile of the version that is open, with its viewer's rights",
    response_class=Response,
    responses={200: {"model": OutcomeOut, "description": "The outcome; a viewer's has no SQL and no plan"}},
)
async def tile(tile_id: Id, grant: Grant, request: Request, platform: ThePlatform) -> Response:
    """Run the tile's plan with the viewer's rights as they are now."""
    principal, asked, reach = await run_in_threadpool(platform.interactives.tile, grant, tile_id)

    def shape(ended: Ended) -> bytes:
        shown = ended.to_json(inline_rows=TILE_ROWS)
        if principal.role == "viewer" and shown["outcome"] == "answer":
            shown |= {"sql": "", "plan": None}
        return dumps(shown)

    running = await ask(platform, principal, asked, reach=reach, shape=shape)
    async with stopped_when_gone(request, running.cancel):
        ended = await running.wait()
    return Response(ended.body, media_type="application/json")


@routes.post("/progress", permission=None, status_code=204, summary="How far an interactive dashboard is")
def progress(body: InteractiveProgressIn, grant: Grant, platform: ThePlatform) -> Response:
    """Note it."""
    platform.interactives.progress(grant, body.done, body.of)
    return Response(status_code=204)


@routes.post(
    "/page",
    permission=None,
    status_code=204,
    summary="An interactive dashboard hands in its page",
    max_body_size=4 * MARKUP_CHARACTERS,
)
def page(body: InteractivePageIn, grant: Grant, platform: ThePlatform) -> Response:
    """Take it."""
    platform.interactives.page(grant, body.markup)
    return Response(status_code=204)


@routes.post("/failure", permission=None, status_code=204, summary="An interactive dashboard says that it failed")
def failure(body: InteractiveFailureIn, grant: Grant, platform: ThePlatform) -> Response:
    """Take the author's error; the grant is over."""
    platform.interactives.failure(grant, cell=body.cell, trace=body.trace)
    return Response(status_code=204)


@routes.get("/orders", permission=None, summary="What an interactive dashboard's process has to do; waits for it")
async def orders(
    grant: Grant, platform: ThePlatform, after: Annotated[int, Query(ge=0, description="the last number it has")] = 0
) -> OrdersOut:
    """Return messages for the kernel and names of files."""
    found, following = await platform.interactives.orders(grant, after)
    return OrdersOut(orders=found, next=following)


@routes.post(
    "/messages",
    permission=None,
    status_code=204,
    summary="What an interactive dashboard's kernel said",
    max_body_size=3 * MOST_TO_VIEWER_BYTES,
)
def messages(body: SpokenIn, grant: Grant, platform: ThePlatform) -> Response:
    """Take what is for its page."""
    platform.interactives.spoke(grant, body.entries)
    return Response(status_code=204)


@routes.post(
    "/files/{order_id}",
    permission=None,
    status_code=204,
    summary="A file of the script of an interactive dashboard's page",
    max_body_size=MOST_BYTES,
    openapi_extra={
        "requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def file(
    order_id: Id, request: Request, grant: Grant, platform: ThePlatform, status: Literal["found", "none"] = "found"
) -> Response:
    """Take it."""
    await run_in_threadpool(platform.interactives.sittings.of_grant, grant)
    body = await request.body()
    platform.interactives.arrived(grant, order_id, body if status == "found" else None)
    return Response(status_code=204)
