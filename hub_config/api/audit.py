"""The record, for a tenant's administrators: searched, and exported as French CSV."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from hub_config.api.paging import Cursor, Limit, next_of, read_cursor
from hub_config.api.routing import Caller, Routes, ThePlatform, Wire
from hub_config.audit import AuditFilter

routes = Routes("/audit", tag="audit")

_TEXT = r"^[^\x00]*$"
_Id = Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")]
_Word = Annotated[str | None, Query(max_length=100, pattern=_TEXT)]


class EventOut(Wire):
    """One event."""

    id: str
    at: AwareDatetime
    actor_id: str | None
    actor_email: str | None
    audience: str | None
    action: str
    object_type: str | None
    object_id: str | None
    query_id: str | None
    data_source_id: str | None
    question: str | None
    sql: str | None
    tables: list[str] | None
    outcome: str | None
    row_count: int | None
    duration_ms: int | None
    cost_microeuros: int | None
    details: dict[str, Any]
    request_id: str | None


class EventsOut(Wire):
    """A page of events, newest first."""

    items: list[EventOut]
    next: str | None


@routes.get("", permission="audit.read", summary="Search the record")
def search(
    caller: Caller,
    platform: ThePlatform,
    since: Annotated[AwareDatetime | None, Query()] = None,
    until: Annotated[AwareDatetime | None, Query()] = None,
    actor_id: _Id = None,
    source_id: _Id = None,
    action: _Word = None,
    outcome: _Word = None,
    q: Annotated[str | None, Query(max_length=200, pattern=_TEXT, description="in questions, SQL, addresses")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> EventsOut:
    """Return the events that fit, newest first."""
    wanted = AuditFilter(since, until, actor_id, source_id, action, outcome, q)
    rows = platform.audit.search(caller.tenant_id, wanted, limit=limit, before=read_cursor(cursor))
    items = [EventOut(**{name: getattr(row, name) for name in EventOut.model_fields}) for row in rows]
    return EventsOut(items=items, next=next_of(rows, limit, "at"))


@routes.get(
    "/export",
    permission="audit.read",
    summary="The record as CSV that French Excel opens",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "CSV"}},
)
def export(
    caller: Caller,
    platform: ThePlatform,
    since: Annotated[AwareDatetime | None, Query()] = None,
    until: Annotated[AwareDatetime | None, Query()] = None,
    actor_id: _Id = None,
    source_id: _Id = None,
    action: _Word = None,
    outcome: _Word = None,
    q: Annotated[str | None, Query(max_length=200, pattern=_TEXT)] = None,
) -> StreamingResponse:
    """Stream the events that fit, newest first. The export is itself recorded."""
    wanted = AuditFilter(since, until, actor_id, source_id, action, outcome, q)
    with platform.database.tenant(caller.tenant_id) as session:
        platform.audit.record(session, caller, action="audit.export", object_type="audit")
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return StreamingResponse(
        platform.audit.as_csv(caller.tenant_id, wanted), media_type="text/csv; charset=utf-8", headers=headers
    )
