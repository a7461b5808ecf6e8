"""Dashboards: edited by authors, published by administrators, opened by whoever has the right, with their own rights."""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response
from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from datapilot_kernel.plan.model import Plan
from hub_config.api.ai import OutcomeOut, ask, dumps, stopped_when_gone
from hub_config.api.fields import IdField, Name, bounded_json
from hub_config.api.paging import Cursor, Limit, next_of, read_cursor
from hub_config.api.routing import Caller, Id, Routes, ThePlatform, Wire
from hub_config.content.dashboards import Right
from hub_config.content.publishing import Decision
from hub_config.database import Dashboard, DashboardVersion, PublicationRequest, Widget
from hub_config.principal import Role
from hub_config.queries import Ended

routes = Routes("/dashboards", tag="dashboards")

ChartType = Literal[
    "auto", "table", "number", "bar", "horizontal_bar", "line", "area", "pie", "scatter", "stacked_bar", "grouped_bar",
    "histogram",
]  # fmt: skip
_Ref = Annotated[str, StringConstraints(max_length=200, pattern=r"^[A-Za-z_]\w*\.[A-Za-z_]\w*$")]
_Title = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Layout = Annotated[dict[Annotated[str, StringConstraints(max_length=64)], Any], Field(max_length=200)]
_Value = str | int | float | bool
_LONGEST_TILES = 256 * 1024


class DashboardIn(Wire):
    """A dashboard to make."""

    name: Name
    workspace_id: IdField | None = None
    layout: _Layout = Field(default_factory=dict)


class DashboardPatch(Wire):
    """What to change; what is left out stays."""

    name: Name | None = None
    layout: _Layout | None = None
    workspace_id: IdField | None = None
    move: bool = Field(False, description="true: workspace_id is where it goes (null: to the whole tenant)")


class DashboardOut(Wire):
    """A dashboard."""

    id: str
    name: str
    workspace_id: str | None
    layout: dict[str, Any]
    status: Literal["draft", "published"]
    published_version_id: str | None
    created_by: str | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class DashboardsOut(Wire):
    """A page of dashboards."""

    items: list[DashboardOut]
    next: str | None


class WidgetQuery(Wire):
    """What a tile shows: a plan over a source, and the question that it is a reading of."""

    source_id: IdField
    question: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    plan: Plan


class WidgetIn(Wire):
    """A tile to add."""

    title: _Title = ""
    query: WidgetQuery
    chart_type: ChartType = "auto"
    position: Annotated[int, Field(ge=0, le=10_000)] = 0


class WidgetPatch(Wire):
    """What to change of a tile; what is left out stays."""

    title: _Title | None = None
    query: WidgetQuery | None = None
    chart_type: ChartType | None = None
    position: Annotated[int, Field(ge=0, le=10_000)] | None = None


class WidgetOut(Wire):
    """A tile as its authors see it."""

    id: str
    title: str
    query: dict[str, Any]
    chart_type: str
    position: int


class WidgetsOut(Wire):
    """The tiles, in order."""

    items: list[WidgetOut]


class RightIn(Wire):
    """One person, or everyone of a role."""

    user_id: IdField | None = None
    role: Role | None = None

    @model_validator(mode="after")
    def _one(self) -> RightIn:
        if (self.user_id is None) == (self.role is None):
            raise ValueError("user_id or role")
        return self


class Rights(Wire):
    """Who may open what is published."""

    items: Annotated[list[RightIn], Field(max_length=2000)]


class ListedFilter(Wire):
    """A filter that viewers may set."""

    field: _Ref
    label: _Title
    values: Annotated[list[_Value], Field(max_length=1000)] | None = Field(None, description="null: any value")
    kind: Literal["values", "period"] = Field("values", description="period: viewers choose one, it replaces the plan's")


class PublishIn(Wire):
    """How to publish: what is edited now, or an older version again."""

    version_id: IdField | None = Field(None, description="an older version to put in force again; null: what is edited now")
    filters: Annotated[list[ListedFilter], Field(max_length=20)] = Field(default_factory=list)
    exploratory: bool = Field(False, description="tiles that no accepted layer stands behind are accepted")
    mode: Literal["page", "interactive"] | None = Field(None, description="null: as the version in force")


class VersionOut(Wire):
    """A version; ``content`` is null in lists."""

    id: str
    number: int
    created_by: str | None
    created_at: AwareDatetime
    content: dict[str, Any] | None


class VersionsOut(Wire):
    """A page of versions."""

    items: list[VersionOut]
    next: str | None


class TileOut(Wire):
    """A tile as its viewers see it: no plan, no SQL."""

    id: str
    title: str
    chart_type: str
    position: int


class PublishedOut(Wire):
    """A dashboard as its viewers see it."""

    id: str
    name: str
    number: int
    layout: dict[str, Any]
    filters: list[dict[str, Any]]
    tiles: list[TileOut]


class TileDataIn(Wire):
    """What a viewer chose, by field of the listed filters."""

    filters: Annotated[dict[_Ref, Annotated[list[_Value], Field(max_length=1000)]], Field(max_length=20)] = Field(
        default_factory=dict
    )


class RequestedTile(Wire):
    """A tile of what a notebook asks to have published."""

    title: _Title = ""
    source_id: IdField
    question: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    plan: Plan
    chart_type: ChartType = "auto"
    cell: Annotated[int, Field(ge=0, le=10_000)] | None = Field(
        None, description="the notebook's cell whose question it is, counted from 0 among all; null: none"
    )


class RequestIn(Wire):
    """What a notebook asks to have published."""

    name: Name | None = Field(None, description="of the dashboard; null: as the one named by dashboard_id")
    dashboard_id: IdField | None = Field(None, description="the dashboard that it becomes a version of; null: a new one")
    add_tiles: bool = Field(
        False, description="with dashboard_id: the tiles come beside those of its version in force instead of replacing them"
    )
    layout: _Layout = Field(default_factory=dict)
    filters: Annotated[list[ListedFilter], Field(max_length=20)] = Field(default_factory=list)
    tiles: Annotated[list[RequestedTile], Field(min_length=1, max_length=60)]
    notebook: dict[str, Any] | None = Field(
        None, description="nbformat 4; outputs, execution counts, attachments and metadata are not kept; null: tiles alone"
    )
    mode: Literal["page", "interactive"] = "page"
    exploratory: bool = Field(False, description="the author knows that something of it is exploratory")

    @model_validator(mode="after")
    def _whole(self) -> RequestIn:
        if self.dashboard_id is None and (self.name is None or self.add_tiles):
            raise ValueError("name, or the dashboard_id that it is for")
        if self.add_tiles and self.notebook is not None:
            raise ValueError("add_tiles, or a notebook")
        return self


class RequestOut(Wire):
    """A request and what was decided."""

    id: str
    dashboard_id: str | None
    name: str
    status: Literal["requested", "accepted", "rejected"]
    requested_by: str | None
    requested_at: AwareDatetime
    decided_by: str | None
    decided_at: AwareDatetime | None
    content: dict[str, Any]
    url: str = Field(description="the page where it is looked at and decided, for a browser")
    reason: str | None = Field(description="why it was rejected, as the one who decided says; null: nothing was said")


class PublishableOut(Wire):
    """A dashboard that one may ask to add to."""

    id: str
    name: str
    published: bool


class PublishablesOut(Wire):
    """The dashboards that one may ask to add to, by name."""

    items: list[PublishableOut]


class RequestsOut(Wire):
    """A page of requests."""

    items: list[RequestOut]
    next: str | None


class DecisionIn(Wire):
    """What an administrator decides."""

    accept: bool
    exploratory: bool = Field(False, description="tiles that no accepted layer stands behind are accepted")
    reason: Annotated[str, StringConstraints(max_length=1000)] = Field("", description="said to the one who asked")


def _dashboard(row: Dashboard, *, edited: bool) -> DashboardOut:
    layout = row.layout_json if edited else {}
    return DashboardOut.model_validate(
        {
            "id": row.id,
            "name": row.name,
            "workspace_id": row.workspace_id,
            "layout": layout,
            "status": row.status,
            "published_version_id": row.published_version_id,
            "created_by": row.created_by if edited else None,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
        }
    )


def _widget(row: Widget) -> WidgetOut:
    return WidgetOut(id=row.id, title=row.title, query=row.query_json, chart_type=row.chart_type, position=row.position)


def _version(row: DashboardVersion, *, whole: bool) -> VersionOut:
    return VersionOut(
        id=row.id, number=row.number, created_by=row.created_by, created_at=row.created_at,
        content=row.content_json if whole else None,
    )  # fmt: skip


def _request(row: PublicationRequest, platform: ThePlatform) -> RequestOut:
    content = {k: v for k, v in row.content_json.items() if k not in ("decision", "add")}
    return RequestOut.model_validate(
        {
            "id": row.id,
            "dashboard_id": row.dashboard_id,
            "name": row.content_json["name"],
            "status": row.status,
            "requested_by": row.requested_by,
            "requested_at": row.requested_at,
            "decided_by": row.decided_by,
            "decided_at": row.decided_at,
            "content": content,
            "url": f"{platform.settings.public_url.rstrip('/')}/publications/{row.id}",
            "reason": row.content_json.get("decision", {}).get("reason"),
        }
    )


# ── requests (before /{dashboard_id}: their path is no id) ────────────────────────────────────────────────────────────


@routes.get("/publishable", permission="publication.request", summary="The dashboards one may ask to add to")
def list_publishable(caller: Caller, platform: ThePlatform, limit: Limit = 200) -> PublishablesOut:
    """Return them by name."""
    rows = platform.content.publishing.publishable(caller, limit=limit)
    items = [PublishableOut(id=row.id, name=row.name, published=row.status == "published") for row in rows]
    return PublishablesOut(items=items)


@routes.post("/publication-requests", permission="publication.request", status_code=201, summary="Ask for publication")
def request_publication(body: RequestIn, caller: Caller, platform: ThePlatform) -> RequestOut:
    """Ask; an administrator decides on the page that the answer names."""
    content = body.model_dump(mode="json", exclude={"dashboard_id", "add_tiles", "notebook"})
    if body.name is None and body.dashboard_id is not None:
        # Bounded without the notebook, which has bounds of its own.
        content["name"] = platform.content.publishing.name_of(caller, body.dashboard_id)
    bounded_json(content, most=_LONGEST_TILES)
    if body.notebook is not None:
        content["notebook"] = body.notebook
    asked = platform.content.publishing.request(caller, content, dashboard_id=body.dashboard_id, add=body.add_tiles)
    return _request(asked, platform)


@routes.get("/publication-requests", permission="dashboards.publish", summary="What is asked to be published")
def list_requests(
    caller: Caller,
    platform: ThePlatform,
    status: Annotated[Literal["requested", "accepted", "rejected"] | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RequestsOut:
    """Return the requests, newest first."""
    rows = platform.content.publishing.requests(caller, status=status, limit=limit, before=read_cursor(cursor))
    return RequestsOut(items=[_request(row, platform) for row in rows], next=next_of(rows, limit, "requested_at"))


@routes.get("/publication-requests/mine", permission="publication.request", summary="What one asked to have published")
def list_own_requests(caller: Caller, platform: ThePlatform, limit: Limit = 50, cursor: Cursor = None) -> RequestsOut:
    """Return one's own requests with what became of them, newest first; an administrator's own too."""
    rows = platform.content.publishing.requests(caller, status=None, limit=limit, before=read_cursor(cursor), mine=True)
    return RequestsOut(items=[_request(row, platform) for row in rows], next=next_of(rows, limit, "requested_at"))


@routes.post("/publication-requests/{request_id}/decision", permission="dashboards.publish", summary="Decide a request")
def decide_request(request_id: Id, body: DecisionIn, caller: Caller, platform: ThePlatform) -> RequestOut:
    """Accept (it becomes the version in force of its dashboard) or reject."""
    decision = Decision(accept=body.accept, exploratory=body.exploratory, reason=body.reason.strip())
    return _request(platform.content.publishing.decide(caller, request_id, decision), platform)


# ── dashboards ────────────────────────────────────────────────────────────────────────────────────────────────────────


@routes.get("", permission="dashboards.read", summary="The dashboards one may open")
def list_dashboards(caller: Caller, platform: ThePlatform, limit: Limit = 50, cursor: Cursor = None) -> DashboardsOut:
    """Return them, newest first; viewers see what is published and open to them."""
    rows = platform.content.dashboards.listed(caller, limit=limit, before=read_cursor(cursor))
    author = caller.role != "viewer"
    return DashboardsOut(items=[_dashboard(row, edited=author) for row in rows], next=next_of(rows, limit))


@routes.post("", permission="dashboards.write", status_code=201, summary="Make a dashboard")
def create_dashboard(body: DashboardIn, caller: Caller, platform: ThePlatform) -> DashboardOut:
    """Make one, empty."""
    row = platform.content.dashboards.create(
        caller, body.name, workspace_id=body.workspace_id, layout=bounded_json(body.layout)
    )
    return _dashboard(row, edited=True)


@routes.get("/{dashboard_id}", permission="dashboards.read", summary="One dashboard")
def read_dashboard(dashboard_id: Id, caller: Caller, platform: ThePlatform) -> DashboardOut:
    """Return one; its layout only to those who edit it."""
    row = platform.content.dashboards.read(caller, dashboard_id)
    return _dashboard(row, edited=caller.role != "viewer")


@routes.patch("/{dashboard_id}", permission="dashboards.write", summary="Change a dashboard")
def update_dashboard(dashboard_id: Id, body: DashboardPatch, caller: Caller, platform: ThePlatform) -> DashboardOut:
    """Change it; what is published stays as it was."""
    row = platform.content.dashboards.update(
        caller, dashboard_id, name=body.name, layout=None if body.layout is None else bounded_json(body.layout),
        workspace_id=body.workspace_id, move=body.move,
    )  # fmt: skip
    return _dashboard(row, edited=True)


@routes.delete("/{dashboard_id}", permission="dashboards.write", status_code=204, summary="Remove a dashboard")
def delete_dashboard(dashboard_id: Id, caller: Caller, platform: ThePlatform) -> Response:
    """Remove it with its widgets and versions."""
    platform.content.dashboards.delete(caller, dashboard_id)
    return Response(status_code=204)


@routes.get("/{dashboard_id}/widgets", permission="dashboards.write", summary="The tiles as they are edited")
def list_widgets(dashboard_id: Id, caller: Caller, platform: ThePlatform) -> WidgetsOut:
    """Return them in order."""
    return WidgetsOut(items=[_widget(row) for row in platform.content.dashboards.widgets(caller, dashboard_id)])


@routes.post("/{dashboard_id}/widgets", permission="dashboards.write", status_code=201, summary="Add a tile")
def add_widget(dashboard_id: Id, body: WidgetIn, caller: Caller, platform: ThePlatform) -> WidgetOut:
    """Add a tile: a plan over a source that the caller reaches."""
    row = platform.content.dashboards.add_widget(
        caller, dashboard_id, title=body.title, query=bounded_json(body.query.model_dump(mode="json")),
        chart_type=body.chart_type, position=body.position,
    )  # fmt: skip
    return _widget(row)


@routes.patch("/{dashboard_id}/widgets/{widget_id}", permission="dashboards.write", summary="Change a tile")
def update_widget(dashboard_id: Id, widget_id: Id, body: WidgetPatch, caller: Caller, platform: ThePlatform) -> WidgetOut:
    """Change a tile."""
    changes: dict[str, Any] = body.model_dump(mode="json", exclude_none=True, exclude={"query"})
    if body.query is not None:
        changes["query_json"] = bounded_json(body.query.model_dump(mode="json"))
    return _widget(platform.content.dashboards.update_widget(caller, dashboard_id, widget_id, **changes))


@routes.delete(
    "/{dashboard_id}/widgets/{widget_id}", permission="dashboards.write", status_code=204, summary="Remove a tile"
)
def delete_widget(dashboard_id: Id, widget_id: Id, caller: Caller, platform: ThePlatform) -> Response:
    """Remove a tile."""
    platform.content.dashboards.delete_widget(caller, dashboard_id, widget_id)
    return Response(status_code=204)


# ── publishing ────────────────────────────────────────────────────────────────────────────────────────────────────────


@routes.get("/{dashboard_id}/rights", permission="dashboards.publish", summary="Who may open what is published")
def read_rights(dashboard_id: Id, caller: Caller, platform: ThePlatform) -> Rights:
    """Return the rights."""
    return _rights(platform.content.dashboards.rights(caller, dashboard_id))


@routes.put("/{dashboard_id}/rights", permission="dashboards.publish", summary="Decide who may open what is published")
def set_rights(dashboard_id: Id, body: Rights, caller: Caller, platform: ThePlatform) -> Rights:
    """Let these people and roles, and nobody else, open it."""
    wanted = [Right(item.user_id, item.role) for item in body.items]
    return _rights(platform.content.dashboards.set_rights(caller, dashboard_id, wanted))


def _rights(found: list[Right]) -> Rights:
    return Rights.model_validate({"items": [{"user_id": r.user_id, "role": r.role} for r in found]})


@routes.get("/{dashboard_id}/versions", permission="dashboards.write", summary="A dashboard's versions")
def list_versions(
    dashboard_id: Id, caller: Caller, platform: ThePlatform, limit: Limit = 50, cursor: Cursor = None
) -> VersionsOut:
    """Return the versions, newest first."""
    rows = platform.content.publishing.versions(caller, dashboard_id, limit=limit, before=read_cursor(cursor))
    return VersionsOut(items=[_version(row, whole=False) for row in rows], next=next_of(rows, limit))


@routes.get("/{dashboard_id}/versions/{version_id}", permission="dashboards.write", summary="One version, whole")
def read_version(dashboard_id: Id, version_id: Id, caller: Caller, platform: ThePlatform) -> VersionOut:
    """Return one version."""
    return _version(platform.content.publishing.version(caller, dashboard_id, version_id), whole=True)


@routes.post("/{dashboard_id}/publish", permission="dashboards.publish", summary="Publish, or go back to a version")
def publish(dashboard_id: Id, body: PublishIn, caller: Caller, platform: ThePlatform) -> VersionOut:
    """Make a version of what is edited now and put it in force; or put an older one in force again."""
    publishing = platform.content.publishing
    if body.version_id is not None:
        return _version(publishing.roll_back(caller, dashboard_id, body.version_id), whole=True)
    filters = [listed.model_dump(mode="json") for listed in body.filters]
    made = publishing.publish(caller, dashboard_id, filters=filters, exploratory=body.exploratory, mode=body.mode)
    return _version(made, whole=True)


@routes.post("/{dashboard_id}/unpublish", permission="dashboards.publish", summary="Take it off the gallery")
def unpublish(dashboard_id: Id, caller: Caller, platform: ThePlatform) -> DashboardOut:
    """Take it off; its versions stay."""
    return _dashboard(platform.content.publishing.unpublish(caller, dashboard_id), edited=True)


@routes.get("/{dashboard_id}/published", permission="dashboards.read", summary="A dashboard as its viewers see it")
def read_published(dashboard_id: Id, caller: Caller, platform: ThePlatform) -> PublishedOut:
    """Return the version in force: titles and filters, no plan and no SQL."""
    found = platform.content.publishing.published(caller, dashboard_id)
    tiles = [TileOut(**{k: tile[k] for k in ("id", "title", "chart_type", "position")}) for tile in found.content["tiles"]]
    return PublishedOut(
        id=found.dashboard_id, name=found.name, number=found.number, layout=found.content["layout"],
        filters=found.content["filters"], tiles=tiles,
    )  # fmt: skip


@routes.post(
    "/{dashboard_id}/tiles/{tile_id}/data",
    permission="dashboards.read",
    summary="A tile's data, with the viewer's rights",
    response_class=Response,
    responses={200: {"model": OutcomeOut, "description": "The outcome; a viewer's has no SQL and no plan"}},
)
async def tile_data(
    dashboard_id: Id, tile_id: Id, body: TileDataIn, request: Request, caller: Caller, platform: ThePlatform
) -> Response:
    """Run the published tile's plan with the caller's rights and what they chose of the listed filters."""
    from starlette.concurrency import run_in_threadpool

    publishing = platform.content.publishing
    tile = functools.partial(publishing.tile, caller, dashboard_id, tile_id, body.filters)
    asked, reach = await run_in_threadpool(tile)

    def shape(ended: Ended) -> bytes:
        shown = ended.to_json()
        if caller.role == "viewer" and shown["outcome"] == "answer":
            shown |= {"sql": "", "plan": None}
        return dumps(shown)

    running = await ask(platform, caller, asked, reach=reach, shape=shape)
    async with stopped_when_gone(request, running.cancel):
        ended = await running.wait()
    return Response(ended.body, media_type="application/json")
