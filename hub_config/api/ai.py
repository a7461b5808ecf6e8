"""``POST /ai/query``: a question, a plan or a statement in, an outcome out; as JSON, or as events while it comes about.

Whatever the engine, the guard or the source says is an outcome with status 200. An error status means that nothing was
asked (404, 422, 429), or that the answer could not be written down (503). A client that goes away stops its query.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from typing import Annotated, Any, Literal
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread
from fastapi import Header, Request, Response
from pydantic import Field, model_validator
from starlette.requests import ClientDisconnect
from starlette.types import Send

from datapilot_kernel.errors import Cancelled, DataPilotError
from datapilot_kernel.plan.model import Plan
from hub_config.api.errors import body_of, fault_of
from hub_config.api.routing import Caller, Id, Routes, ThePlatform, Wire
from hub_config.operations.streaming import StreamedWhileHeard
from hub_config.queries import Asked, Ended, Running

routes = Routes("/ai", tag="questions")

KEEP_ALIVE_S = 10.0
EVENTS = "text/event-stream"

AnyId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class QueryIn(Wire):
    """What is asked: ``question``, ``plan`` or ``sql``; a plan may bring the question that it is a reading of."""

    source_id: AnyId = Field(description="the data source")
    question: str | None = Field(None, min_length=1, max_length=10_000, description="in French or English")
    plan: Plan | None = Field(None, description="an edited reading, a choice that was clicked: run without an engine")
    sql: str | None = Field(None, min_length=1, max_length=200_000, description="one SELECT in the source's dialect")
    conversation_id: AnyId | None = Field(None, description="goes on with a conversation; none: a question begins one")
    engine: Literal["auto", "local", "claude"] = Field("auto", description="who understands the question")
    today: date | None = Field(None, description="fixes relative periods; none: the clock")
    fresh: bool = Field(False, description="true: not from the cache")
    inline_rows: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="rows that come with the outcome; none: all (the rest: /queries/{id}/result)",
    )

    @model_validator(mode="after")
    def _one_thing(self) -> QueryIn:
        if self.sql is not None:
            if self.question is not None or self.plan is not None or self.conversation_id is not None:
                raise ValueError("sql comes alone")
        elif self.question is None and self.plan is None:
            raise ValueError("a question, a plan or sql")
        return self

    def asked(self) -> Asked:
        """Return it as the service takes it."""
        return Asked(
            self.source_id,
            question=self.question or "",
            plan=self.plan,
            sql=self.sql,
            engine=self.engine,
            today=self.today,
            conversation_id=self.conversation_id,
            fresh=self.fresh,
        )


class TimingsOut(Wire):
    """Milliseconds of each step; null: not reached."""

    understand: float | None
    guard: float | None
    execute: float | None
    answer: float | None
    total: float | None


class _OutcomeOut(Wire):
    id: str = Field(description="of the query: history, result, cancel, feedback")
    message: str
    notes: list[str]
    engine: Literal["verified", "local", "claude", "sql", "plan"]
    timings_ms: TimingsOut
    model: dict[str, Any] | None = Field(description="what a language model did and cost; null: none was called")
    conversation_id: str | None


class ReadingOut(Wire):
    """One part of what was understood."""

    path: str
    kind: str
    label: str
    value: str
    editable: bool


class ColumnOut(Wire):
    """A column of the table."""

    name: str
    label: str
    type: str
    format: dict[str, Any]
    role: str
    grain: str | None
    ref: str | None = Field(description="of the semantic layer")
    of: str | None = Field(description="the measure that a derived column belongs to")
    lower_is_better: bool
    values: dict[str, str] = Field(description="what people call a stored value")


class AnswerOut(_OutcomeOut):
    """An answer."""

    outcome: Literal["answer"]
    question: str
    trust: Literal["verified", "governed", "exploratory"]
    sentence: str
    reading: list[ReadingOut]
    plan: dict[str, Any] | None
    sql: str
    columns: list[ColumnOut]
    rows: list[list[Any]]
    row_count: int = Field(description="of the whole result")
    truncated: bool
    cached: bool = Field(description="nothing was asked of the source for it")
    chart: dict[str, Any] | None


class ChoiceOut(Wire):
    """A reading to click."""

    label: str
    plan: dict[str, Any]


class ClarificationOut(_OutcomeOut):
    """One precise question."""

    outcome: Literal["clarification"]
    choices: list[ChoiceOut]


class RefusalOut(_OutcomeOut):
    """What is missing, and why."""

    outcome: Literal["refusal"]
    reason: str
    missing: str


class FailureOut(_OutcomeOut):
    """A technical fault."""

    outcome: Literal["failure"]
    incident: str | None
    reason: str


OutcomeOut = Annotated[AnswerOut | ClarificationOut | RefusalOut | FailureOut, Field(discriminator="outcome")]

_DESCRIPTION = """
With `Accept: text/event-stream` the same comes as server-sent events, each with JSON as its data:

| event | data |
|---|---|
| `queued` | `{"id", "state": "waiting" or "running"}`: the query is let in |
| `step` | `{"step": "understand", "guard", "execute" or "answer", "elapsed_ms"}` |
| `partial` | `{"sql"}`: the statement that is executed now |
| `outcome` | the outcome, as in JSON |
| `error` | the error object (cancelled, or it could not be written down) |

`outcome` or `error` is the last. A comment line is sent when nothing else was for a while. A client that closes the
connection stops the query, the model's stream and the database's statement.
"""


@routes.post(
    "/query",
    permission="questions.ask",
    summary="Ask a question, run a plan or a statement",
    description=_DESCRIPTION,
    response_class=Response,
    responses={
        200: {
            "model": OutcomeOut,
            "description": "The outcome",
            "content": {EVENTS: {"schema": {"type": "string"}}},
        },
    },
)
async def query(
    body: QueryIn,
    request: Request,
    caller: Caller,
    platform: ThePlatform,
    accept: Annotated[str, Header(description="application/json or text/event-stream")] = "application/json",
) -> Response:
    """Ask, and answer in the form that is asked for."""
    shape = _shape(body.inline_rows)
    if EVENTS in accept:
        events = Events()
        running = await ask(platform, caller, body.asked(), tell=events.tell, shape=shape)
        return EventStream(running, events)
    running = await ask(platform, caller, body.asked(), shape=shape)
    async with stopped_when_gone(request, running.cancel):
        ended = await running.wait()
    return Response(ended.body, media_type="application/json")


class SourceAnswers(Wire):
    """What one's questions about a source are answered over."""

    id: str
    name: str
    dialect: Literal["postgres", "mysql", "duckdb"]
    tables: int
    layer: dict[str, Any] = Field(description="the layer in force, or an automatic draft; status says which")
    today: date = Field(description="the day that relative periods stand at")


@routes.get("/sources/{source_id}", permission="catalog.read", summary="Get a source ready for one's questions; describe it")
async def describe(source_id: Id, caller: Caller, platform: ThePlatform) -> SourceAnswers:
    """Do what the first question would have to wait for, and say what questions are answered over."""
    future = await anyio.to_thread.run_sync(lambda: platform.queries.describe(caller, source_id))
    found = await asyncio.shield(asyncio.wrap_future(future))
    layer = found.layer.model_dump(mode="json")
    return SourceAnswers(
        id=source_id, name=found.name, dialect=found.dialect, tables=found.tables, layer=layer, today=found.today
    )


def _shape(inline_rows: int | None) -> Callable[[Ended], bytes]:
    def shape(ended: Ended) -> bytes:
        return dumps(ended.to_json(inline_rows=inline_rows))

    return shape


def dumps(value: Any) -> bytes:
    """Return JSON as it goes over the wire."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


_AT_THE_DOOR = 2
_DOORS: WeakKeyDictionary[asyncio.AbstractEventLoop, OrderedDict[str, anyio.CapacityLimiter]] = WeakKeyDictionary()


def _door(tenant_id: str) -> anyio.CapacityLimiter:
    """Return what lets a tenant's queries in few at a time: a flood takes no thread that another's request needs."""
    doors = _DOORS.setdefault(asyncio.get_running_loop(), OrderedDict())
    door = doors.setdefault(tenant_id, anyio.CapacityLimiter(_AT_THE_DOOR))
    doors.move_to_end(tenant_id)
    for other in [t for t, d in doors.items() if t != tenant_id and d.borrowed_tokens == 0][: max(0, len(doors) - 1000)]:
        del doors[other]
    return door


async def ask(platform: ThePlatform, caller: Caller, asked: Asked, **options: Any) -> Running:
    """Let a query in, from a thread; a request that ends meanwhile leaves no query behind."""
    let_in: list[Running] = []
    try:
        await anyio.to_thread.run_sync(
            lambda: let_in.append(platform.queries.ask(caller, asked, **options)), limiter=_door(caller.tenant_id)
        )
    except asyncio.CancelledError:
        for running in let_in:
            running.cancel()
        raise
    return let_in[0]


@asynccontextmanager
async def stopped_when_gone(request: Request, stop: Callable[[], None]) -> AsyncIterator[None]:
    """Call ``stop`` when the client goes away during the block; leaving it then raises ClientDisconnect."""
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone = True
        stop()

    watching = asyncio.ensure_future(watch())
    try:
        yield
    except Cancelled:
        if gone:
            raise ClientDisconnect from None
        raise
    finally:
        watching.cancel()


class Events:
    """Events from the query's thread to the event loop that sends them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    def tell(self, event: str, data: dict[str, Any]) -> None:
        """Send one; from any thread."""
        try:
            self._loop.call_soon_threadsafe(self.queue.put_nowait, (event, data))
        except RuntimeError:
            # The loop is closed: nobody listens any more.
            return


class EventStream(StreamedWhileHeard):
    """The events of a running query."""

    media_type = EVENTS

    def __init__(self, running: Running, events: Events) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        self._running = running
        self._events = events

    def stop(self) -> None:
        """Stop the query; has no effect on one that ended."""
        self._running.cancel()

    async def send_pieces(self, send: Send) -> None:
        """Send the events."""
        running = self._running
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await _event(send, "queued", dumps({"id": running.id, "state": running.state}))
        ended = asyncio.ensure_future(running.wait())
        while not ended.done():
            following = asyncio.ensure_future(self._events.queue.get())
            done, _ = await asyncio.wait({ended, following}, timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
            if following in done:
                event, data = following.result()
                await _event(send, event, dumps(data))
            else:
                following.cancel()
                if not done:
                    await send({"type": "http.response.body", "body": b": still there\n\n", "more_body": True})
        while not self._events.queue.empty():
            event, data = self._events.queue.get_nowait()
            await _event(send, event, dumps(data))
        await _event(send, *_last(ended))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _last(ended: asyncio.Future[Ended]) -> tuple[str, bytes]:
    try:
        return "outcome", ended.result().body
    except DataPilotError as error:
        return "error", dumps(body_of(error))
    except Exception as error:  # noqa: BLE001 -- the stream's edge: a status can no longer be sent
        return "error", dumps(body_of(fault_of(error, "the events of a query")))


def _event(send: Send, event: str, data: bytes) -> Awaitable[None]:
    body = b"event: %b\ndata: %b\n\n" % (event.encode(), data)
    return send({"type": "http.response.body", "body": body, "more_body": True})
