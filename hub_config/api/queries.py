"""One's own queries: history, cancelling, results in every form, feedback."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import Header, Query, Request, Response
from pydantic import AwareDatetime, Field, model_validator

from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import text
from datapilot_kernel.plan.model import Plan
from hub_config.api.ai import AnyId, ColumnOut, ask, dumps, stopped_when_gone
from hub_config.api.routing import Caller, Id, Routes, ThePlatform, Wire
from hub_config.database import Query as Row
from hub_config.queries.history import Wanted
from hub_config.queries.paging import Position, position_of
from hub_config.queries.pipe import Frame
from hub_config.queries.renderings import MEDIA_TYPES, Format, page, render
from hub_config.queries.results import Result

routes = Routes("/queries", tag="questions")

OutcomeName = Literal["answer", "clarification", "refusal", "failure"]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before")]


class QueryOut(Wire):
    """A query of one's history."""

    id: str
    source_id: str
    conversation_id: str | None
    kind: Literal["ask", "plan", "sql", "frame"]
    question: str | None
    status: Literal["waiting", "running", "done", "cancelled", "failed"]
    outcome: OutcomeName | None
    engine: str | None
    trust: str | None
    reason: str | None
    incident: str | None
    row_count: int | None
    cached: bool
    timings_ms: dict[str, float | None]
    cost_microeuros: int
    created_at: datetime
    finished_at: datetime | None


class QueryDetail(QueryOut):
    """A query with what ran."""

    plan: dict[str, Any] | None
    sql: str | None
    tables: list[str]
    model: dict[str, Any] | None


class QueryPage(Wire):
    """A page of one's history, the latest first."""

    items: list[QueryOut]
    next: str | None


class Cancelling(Wire):
    """Whether there was something to stop."""

    cancelling: bool


class FeedbackIn(Wire):
    """What one thinks of an answer; ``plan`` or ``sql``: what it should have been."""

    verdict: Literal["up", "down"]
    comment: str = Field("", max_length=4_000)
    plan: Plan | None = None
    sql: str | None = Field(None, min_length=1, max_length=200_000)
    propose_verified: bool = Field(False, description="propose the question with its plan to be verified")

    @model_validator(mode="after")
    def _one_correction(self) -> FeedbackIn:
        if self.plan is not None and self.sql is not None:
            raise ValueError("a plan or sql")
        return self


class FeedbackOut(Wire):
    """What was kept."""

    id: str
    verified_question_id: str | None = Field(description="of the proposal; null: none was made")


class ResultPage(Wire):
    """Rows of a result."""

    columns: list[ColumnOut]
    rows: list[list[Any]]
    row_count: int = Field(description="of the whole result")
    truncated: bool = Field(description="the source has more rows than were read")
    offset: int
    next: int | None = Field(description="where the next page begins; null: this is the last")


def _common(row: Row, live: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "source_id": row.data_source_id,
        "conversation_id": row.conversation_id,
        "kind": row.kind,
        "question": row.question,
        "status": live.state if live is not None else row.status,
        "outcome": row.outcome,
        "engine": row.engine,
        "trust": row.trust,
        "reason": row.reason,
        "incident": row.incident,
        "row_count": row.row_count,
        "cached": row.cache_hit,
        "timings_ms": row.timings_ms,
        "cost_microeuros": row.cost_microeuros,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
    }


@routes.get("", permission="history.own", summary="One's own queries, the latest first")
def history(
    caller: Caller,
    platform: ThePlatform,
    q: Annotated[str | None, Query(max_length=200, description="text in the question or the SQL")] = None,
    source_id: Annotated[AnyId | None, Query()] = None,
    outcome: Annotated[OutcomeName | None, Query()] = None,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> QueryPage:
    """List one's own queries."""
    wanted = Wanted(clean(q), source_id, outcome, since, until)
    rows = platform.queries.history.mine(caller, wanted, before=position_of(cursor), limit=limit + 1)
    items = [QueryOut(**_common(row, platform.queries.live(caller, row.id))) for row in rows[:limit]]
    more = rows[limit - 1] if len(rows) > limit else None
    return QueryPage(items=items, next=Position(more.created_at, more.id).cursor() if more is not None else None)


def clean(typed: str | None) -> str | None:
    """Return a text to search for without what no database takes."""
    return typed.replace("\x00", "") or None if typed is not None else None


@routes.get("/{query_id}", permission="history.own", summary="One of one's own queries")
def read(query_id: Id, caller: Caller, platform: ThePlatform) -> QueryDetail:
    """Return a query with its plan and its SQL."""
    row = platform.queries.history.read(caller, query_id)
    return QueryDetail(
        **_common(row, platform.queries.live(caller, query_id)),
        plan=row.plan_json,
        sql=row.sql,
        tables=row.tables,
        model=row.model,
    )


@routes.post(
    "/{query_id}/cancel",
    permission="questions.ask",
    summary="Stop a query: one's own; an administrator any of the organisation",
    status_code=202,
)
def cancel(query_id: Id, caller: Caller, platform: ThePlatform) -> Cancelling:
    """Stop a query; one that has ended is left as it is."""
    return Cancelling(cancelling=platform.queries.cancel(caller, query_id))


@routes.post(
    "/{query_id}/feedback",
    permission="feedback.give",
    summary="Say what one thinks of an answer, correct it, propose it as verified",
    status_code=201,
)
def feedback(query_id: Id, body: FeedbackIn, caller: Caller, platform: ThePlatform) -> FeedbackOut:
    """Keep a person's feedback on their own query."""
    kept, proposed = platform.queries.history.give_feedback(
        caller,
        query_id,
        verdict=body.verdict,
        comment=body.comment,
        plan=body.plan,
        sql=body.sql,
        propose=body.propose_verified,
    )
    return FeedbackOut(id=kept.id, verified_question_id=proposed.id if proposed is not None else None)


_RESULT = """
The kept result of one's own query; when it is no longer kept, or the rights it was made for have changed, it is made again
with the rights of now (relative periods stay those of the query's day).

The form: `format`, or else the `Accept` header; pages of JSON when neither says. `full=true` gives the whole result beyond
the answer's row limit, streamed from the source, as Arrow, Parquet, CSV or XLSX. An Arrow stream that ends without its
end-of-stream mark was cut by a fault.
"""


@routes.get(
    "/{query_id}/result",
    permission="questions.ask",
    summary="The result: pages, Arrow, CSV in French form, XLSX, Parquet",
    description=_RESULT,
    response_class=Response,
    responses={
        200: {
            "model": ResultPage,
            "description": "The result",
            "content": {
                media.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
                for name, media in MEDIA_TYPES.items()
                if name != "json"
            },
        },
    },
)
async def result(
    query_id: Id,
    request: Request,
    caller: Caller,
    platform: ThePlatform,
    format: Annotated[Format | None, Query()] = None,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000, description="rows of a page of JSON")] = 1_000,
    full: Annotated[bool, Query(description="beyond the answer's row limit")] = False,
    accept: Annotated[str, Header()] = "application/json",
) -> Response:
    """Hand out a result."""
    kind = format or accepted(accept)
    if full:
        if kind == "json":
            raise BadInput("queries.full_needs_file", formats="arrow, parquet, csv, xlsx")
        return await _whole(platform, caller, query_id, kind, request)
    found = await _result(platform, caller, query_id, request)
    if kind == "json":
        body = await anyio.to_thread.run_sync(lambda: dumps(page(found, offset=offset, limit=limit)))
        return Response(body, media_type=MEDIA_TYPES["json"])
    body = await anyio.to_thread.run_sync(lambda: render(found, kind))
    return Response(body, media_type=MEDIA_TYPES[kind], headers=attachment(kind))


async def _result(platform: ThePlatform, caller: Caller, query_id: str, request: Request) -> Result:
    found = await anyio.to_thread.run_sync(lambda: platform.queries.kept_result(caller, query_id))
    if isinstance(found, Result):
        return found
    running = await ask(platform, caller, found)
    async with stopped_when_gone(request, running.cancel):
        ended = await running.wait()
    again: Result = await anyio.to_thread.run_sync(lambda: platform.queries.keep_result(caller, query_id, ended))
    return again


async def _whole(platform: ThePlatform, caller: Caller, query_id: str, kind: Format, request: Request) -> Response:
    loop = asyncio.get_running_loop()
    frame: Frame = await anyio.to_thread.run_sync(lambda: platform.queries.frame(caller, query_id, kind, loop))
    async with stopped_when_gone(request, frame.stop):
        # What fails before the first piece is an answer of its own.
        return await frame.response(MEDIA_TYPES[kind], attachment(kind))


_BY_MEDIA: dict[str, Format] = {media.partition(";")[0]: name for name, media in MEDIA_TYPES.items()}


def accepted(accept: str) -> Format:
    """Return the form that an Accept header asks for: the first that there is.

    Raises
    ------
    BadInput
        It takes none of ours.

    >>> accepted("application/vnd.apache.arrow.stream"), accepted("*/*"), accepted("text/html, text/csv;q=0.5")
    ('arrow', 'json', 'csv')
    """
    for part in accept.split(","):
        media = part.partition(";")[0].strip().casefold()
        if media in _BY_MEDIA:
            return _BY_MEDIA[media]
        if media in ("", "*/*", "application/*"):
            return "json"
    raise BadInput("hub.not_acceptable", formats=", ".join(MEDIA_TYPES))


def attachment(kind: Format) -> dict[str, str]:
    """Return the headers of a file to be kept."""
    if kind == "arrow":
        return {}
    name = re.sub(r"[^a-z]", "", text("queries.file_name"))
    return {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
