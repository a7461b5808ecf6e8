"""The routes of this half, below ``/datapilot`` of the notebook server. They translate HTTP; the other modules work.

Every handler is a Jupyter server's ``APIHandler``: signed in, authorized as the server decides, XSRF checked. Errors have
the platform's shape (``{"error": {"code", "message", "details", "incident"}}``), so that the panel reads one kind; an answer
of the server's own (an expired sign-in) has not, and that is how the panel tells them apart.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, TypeVar

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from pydantic import BaseModel, ValidationError
from tornado import web
from tornado.iostream import StreamClosedError

from datapilot_kernel.errors import DataPilotError, logged_fault
from datapilot_kernel.messages import register_catalogues, set_language
from datapilot_lab import wire
from datapilot_lab.answers import INLINE_ROWS, Answers
from datapilot_lab.asking import GRACE_S, Askings
from datapilot_lab.platform import Platform, Said
from datapilot_lab.routes import Rule, rule_for

log = logging.getLogger(__name__)

SETTING = "datapilot_lab"
_MOST_BODY_BYTES = 1024 * 1024
_MOST_STOPPED = 100
_ID = r"([0-9a-f]{32})"
_PASSED_BACK = ("Content-Type", "Content-Disposition", "Retry-After")

Model = TypeVar("Model", bound=BaseModel)


class Half:
    """What the handlers of one server share."""

    def __init__(self, platform: Platform | None = None) -> None:
        self.platform = platform or Platform()
        self.answers = Answers(self.platform)
        self._grace_s = float(os.environ.get("DATAPILOT_LAB_GRACE_S") or GRACE_S)
        self._askings: dict[str, Askings] = {}
        self._stopped: OrderedDict[str, None] = OrderedDict()

    def ask(self, request_id: str, source_id: str, query: dict[str, Any]) -> Any:
        """Begin a question. Raises Said: it was stopped before it came."""
        if request_id in self._stopped:
            raise Said.ours(499, "cancelled")
        return self.askings(source_id).ask(request_id, query)

    def stop(self, request_id: str) -> None:
        """Stop a question; one that has not come yet (Stop was faster) will not begin."""
        try:
            self.find(request_id).stop()
        except Said:
            self._stopped[request_id] = None
            while len(self._stopped) > _MOST_STOPPED:
                self._stopped.popitem(last=False)

    def askings(self, source_id: str) -> Askings:
        """Return the questions about a source; each knows whose layer writes its answers."""
        found = self._askings.get(source_id)
        if found is None:

            async def shape(event: str, data: dict[str, Any]) -> dict[str, Any]:
                return await self.answers.shape(source_id, event, data)

            found = self._askings[source_id] = Askings(self.platform, shape, grace_s=self._grace_s)
        return found

    def find(self, request_id: str) -> Any:
        """Return a question by the panel's id, whatever its source. Raises Said."""
        for askings in self._askings.values():
            try:
                return askings.find(request_id)
            except Said:
                continue
        raise Said.ours(404, "no_such_question")

    async def aclose(self) -> None:
        """Stop the questions, close the connections."""
        for askings in self._askings.values():
            await askings.aclose()
        await self.platform.aclose()


class Handler(APIHandler):
    """Base: the language, the errors, the bodies."""

    auth_resource = "datapilot"

    @property
    def half(self) -> Half:
        """What the handlers share."""
        found: Half = self.settings[SETTING]
        return found

    async def prepare(self) -> None:  # type: ignore[override]  # as APIHandler itself does
        """Check as the server does, then take the panel's language."""
        await super().prepare()
        set_language("en" if self.request.headers.get("Accept-Language", "").lower().startswith("en") else "fr")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    def say(self, status: int, error: dict[str, Any], *, retry_after: str | None = None) -> None:
        """Answer with an error in the platform's shape."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        if retry_after is not None:
            self.set_header("Retry-After", retry_after)
        self.finish(json.dumps({"error": error}, ensure_ascii=False))

    def write_error(self, status_code: int, **options: Any) -> None:
        """Answer what a handler raised."""
        raised = options["exc_info"][1] if "exc_info" in options else None
        match raised:
            case Said():
                self.say(raised.status, raised.error, retry_after=raised.retry_after)
            case DataPilotError():
                error: dict[str, Any] = {"code": raised.reason, "message": raised.message, "details": {}, "incident": None}
                self.say(400, error)
            case web.HTTPError():
                super().write_error(status_code, **options)
            case _:
                fault = logged_fault(raised or RuntimeError(), "the panel's half", log)
                error = {"code": "fault", "message": fault.message, "details": {}, "incident": fault.incident}
                self.say(500, error)

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        """Log what is not an answer; a fault is logged where it is told, without its text."""
        if isinstance(value, web.HTTPError):
            super().log_exception(kind, value, trace)

    def body(self, model: type[Model]) -> Model:
        """Return the request's body. Raises Said."""
        if len(self.request.body) > _MOST_BODY_BYTES:
            raise Said.ours(413, "too_large")
        try:
            return model.model_validate_json(self.request.body)
        except ValidationError:
            raise Said.ours(400, "bad_request") from None

    def give(self, found: Any) -> None:
        """Answer with JSON."""
        self.set_header("Content-Type", "application/json")
        if isinstance(found, BaseModel):
            found = found.model_dump(mode="json")
        self.finish(json.dumps(found, ensure_ascii=False, separators=(",", ":")))

    def whole(self, name: str, *, usual: int = 0, most: int = 10**9) -> int:
        """Return a whole number of the query string. Raises Said."""
        given = self.get_query_argument(name, str(usual))
        if re.fullmatch(r"\d{1,10}", given, re.ASCII) is None or int(given) > most:
            raise Said.ours(400, "bad_request")
        return int(given)

    def order(self) -> tuple[int | None, bool]:
        """Return the order that the query string asks for: a column, and whether it goes down."""
        asked = self.get_query_argument("sort", None) is not None
        sort = self.whole("sort", most=10_000) if asked else None
        return sort, self.get_query_argument("descending", "") == "1"


class StatusHandler(Handler):
    """Whether there is a platform, and who asks."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Say it."""
        platform = self.half.platform
        me: dict[str, Any] | None = None
        said: Said | None = Said.ours(503, platform.missing) if platform.missing is not None else None
        if said is None:
            try:
                me = await platform.json("GET", "auth/me", timeout_s=10.0)
            except Said as raised:
                said = raised
        codes = ("no_platform", "no_hub_token", "not_signed_in")
        code = None if said is None else said.error["code"] if said.error["code"] in codes else "unreachable"
        message = None if said is None else str(said.error["message"])
        self.give(wire.Status(connected=said is None, code=code, message=message, me=me, pages_url=_pages_url()))


class PassHandler(Handler):
    """Passes a request of the list on to the API, and its answer back, piece by piece."""

    _sending: asyncio.Task[None] | None = None

    def on_connection_close(self) -> None:
        """The page is gone: closing the connection stops what the API does for it."""
        super().on_connection_close()
        if self._sending is not None:
            self._sending.cancel()

    async def _pass(self, path: str) -> None:
        rule = rule_for(self.request.method or "", path)
        if rule is None:
            raise Said.ours(404, "not_allowed")
        body = self.request.body
        if len(body) > rule.most_bytes:
            raise Said.ours(413, "too_large")
        headers = {"Content-Type": "application/json"} if body else {}
        self._sending = asyncio.ensure_future(self._passed(rule, path, headers, body or None))
        with suppress(asyncio.CancelledError):
            await self._sending

    async def _passed(self, rule: Rule, path: str, headers: dict[str, str], content: Any) -> None:
        params = [(k, self.get_query_argument(k)) for k in sorted(rule.parameters) if self.get_query_arguments(k)]
        accept = "application/json" if "format" not in dict(params) else "*/*"
        request = self.half.platform.opened(
            rule.method, path, params=dict(params), headers=headers, content=content, accept=accept, timeout_s=300.0
        )
        async with request as response:
            self.set_status(response.status_code)
            for name in _PASSED_BACK:
                if name in response.headers:
                    self.set_header(name, response.headers[name])
            if response.status_code == 204:
                self.clear_header("Content-Type")
            try:
                async for piece in response.aiter_raw():
                    self.write(piece)
                    await self.flush()
            except StreamClosedError:
                return
        await self.finish()

    @web.authenticated
    @authorized
    async def get(self, path: str) -> None:
        """Pass on."""
        await self._pass(path)

    @web.authenticated
    @authorized
    async def post(self, path: str) -> None:
        """Pass on."""
        await self._pass(path)

    @web.authenticated
    @authorized
    async def patch(self, path: str) -> None:
        """Pass on."""
        await self._pass(path)

    @web.authenticated
    @authorized
    async def delete(self, path: str) -> None:
        """Pass on."""
        await self._pass(path)


@web.stream_request_body
class UploadHandler(PassHandler):
    """Passes a file on as it comes in: it is never whole in this process, whatever its size."""

    _PATH = "data-sources/upload"

    async def prepare(self) -> None:  # type: ignore[override]  # as APIHandler itself does
        """Check who asks before the first byte of the file is taken."""
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=8)
        self._received = 0
        await super().prepare()
        if self._finished:
            return
        if not self.current_user:
            raise web.HTTPError(403)
        rule = rule_for(self.request.method or "", self._PATH)
        if rule is None:  # a GET too, which no token of a form protects: it would hold a connection to the API for good
            raise Said.ours(404, "not_allowed")
        self._rule = rule
        if self.request.connection is not None:
            self.request.connection.set_max_body_size(rule.most_bytes)  # type: ignore[attr-defined]  # HTTP/1's
        headers = {"Content-Type": "application/octet-stream"}
        for name in ("X-File-Name", "Content-Length"):
            if name in self.request.headers:
                headers[name] = self.request.headers[name]
        self._sending = asyncio.ensure_future(self._passed(rule, self._PATH, headers, self._given()))

    async def _given(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece

    async def data_received(self, chunk: bytes) -> None:
        """Hand a piece on; the browser waits while the API is slower. What comes after the API's no is let drop."""
        await self._put(chunk)

    async def _put(self, piece: bytes | None) -> None:
        putting = asyncio.ensure_future(self._pieces.put(piece))
        await asyncio.wait({putting, *self._waiting()}, return_when=asyncio.FIRST_COMPLETED)
        putting.cancel()

    def _waiting(self) -> list[asyncio.Task[None]]:
        return [self._sending] if self._sending is not None else []

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """The file has come in: wait for the API's answer."""
        await self._put(None)
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._waiting())


class TellingHandler(Handler):
    """Tells a question's events, each as it comes, until its end or the page's."""

    _telling: asyncio.Task[None] | None = None

    async def tell(self, asking: Any, after: int) -> None:
        """Tell the events from number ``after`` on."""
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("X-Accel-Buffering", "no")
        self._telling = asyncio.ensure_future(self._tell(asking, after))
        try:
            await self._telling
        except (asyncio.CancelledError, StreamClosedError):
            # The page is gone; the question knows, and waits for it to come back.
            return
        await self.finish()

    async def _tell(self, asking: Any, after: int) -> None:
        await self.flush()  # the head: the question has come in, also when nothing is to be told yet
        events = asking.watch(after)
        try:
            async for event in events:
                self.write(event)
                await self.flush()
        finally:
            await events.aclose()

    def on_connection_close(self) -> None:
        """Stop listening at once, not at the next event."""
        super().on_connection_close()
        if self._telling is not None:
            self._telling.cancel()


class AskHandler(TellingHandler):
    """Begins a question and tells its events."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Ask."""
        asked = self.body(wire.AskIn)
        source_id = asked.query.get("source_id")
        if not isinstance(source_id, str) or re.fullmatch(_ID, source_id, re.ASCII) is None:
            raise Said.ours(400, "bad_request")
        query = asked.query | {"inline_rows": INLINE_ROWS}
        await self.tell(self.half.ask(asked.request_id, source_id, query), 0)


class AskedHandler(TellingHandler):
    """A question that was begun: its events again, or its end."""

    @web.authenticated
    @authorized
    async def get(self, request_id: str) -> None:
        """Tell the events from ``after`` on."""
        await self.tell(self.half.find(request_id), self.whole("after", most=10_000))

    @web.authenticated
    @authorized
    async def delete(self, request_id: str) -> None:
        """Stop it."""
        self.half.stop(request_id)
        self.set_status(202)
        self.give({"cancelling": True})


class SourceHandler(Handler):
    """A source, ready to be asked."""

    @web.authenticated
    @authorized
    async def get(self, source_id: str) -> None:
        """Describe it."""
        fresh = self.get_query_argument("fresh", "") == "1"
        self.give((await self.half.answers.source(source_id, fresh=fresh)).about)


class AnswerHandler(Handler):
    """An outcome again."""

    @web.authenticated
    @authorized
    async def get(self, query_id: str) -> None:
        """Give it."""
        self.give(await self.half.answers.outcome(query_id))


class RowsHandler(Handler):
    """Rows of a result, in an order."""

    @web.authenticated
    @authorized
    async def get(self, query_id: str) -> None:
        """Give them."""
        sort, descending = self.order()
        offset, limit = self.whole("offset"), self.whole("limit", usual=INLINE_ROWS, most=2_000)
        found = await self.half.answers.rows(query_id, offset=offset, limit=limit, sort=sort, descending=descending)
        self.give(found)


class CopyHandler(Handler):
    """A whole table, for the clipboard."""

    @web.authenticated
    @authorized
    async def get(self, query_id: str) -> None:
        """Give it, separated by tabs."""
        sort, descending = self.order()
        found = await self.half.answers.copied(query_id, sort=sort, descending=descending)
        self.set_header("Content-Type", "text/tab-separated-values; charset=utf-8")
        self.finish(found)


class ChartHandler(Handler):
    """An answer's chart, of another type."""

    @web.authenticated
    @authorized
    async def post(self, query_id: str) -> None:
        """Draw it."""
        asked = self.body(wire.ChartIn)
        self.give(wire.ChartOut(chart=await self.half.answers.chart(query_id, asked.type)))


class EditorHandler(Handler):
    """What an editor of a chip offers."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Give it."""
        from datapilot_lab.editing import editor_for

        place = self.body(wire.Place)
        self.give(editor_for(place, (await self.half.answers.source(place.source_id)).layer))


class EditHandler(Handler):
    """The plan after an edit."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Give it."""
        from datapilot_lab.editing import edited

        asked = self.body(wire.EditIn)
        plan = edited(asked, (await self.half.answers.source(asked.source_id)).layer)
        self.give(wire.EditOut(plan=plan.model_dump(mode="json")))


class NothingHandler(Handler):
    """Whatever else is asked below ``/datapilot``."""

    @web.authenticated
    async def _refuse(self, *_: str) -> None:
        raise Said.ours(404, "not_allowed")

    get = post = put = patch = delete = _refuse


def _pages_url() -> str | None:
    """Return where the API's own pages are: as set, or the hub's service beside this server."""
    given = os.environ.get("DATAPILOT_PAGES_URL")
    if given:
        return given
    base = os.environ.get("JUPYTERHUB_BASE_URL")
    return f"{base.rstrip('/')}/services/datapilot/" if base and os.environ.get("DATAPILOT_API_URL") else None


def add_handlers(web_app: Any, half: Half | None = None) -> Half:
    """Add the routes to a Jupyter server's application."""
    register_catalogues("datapilot_lab")
    made = half or Half()
    web_app.settings[SETTING] = made
    base = url_path_join(web_app.settings["base_url"], "datapilot")
    request_id = r"([0-9a-f-]{16,64})"
    routes = [
        ("/status", StatusHandler),
        ("/api/data-sources/upload", UploadHandler),
        (r"/api/([a-z0-9/-]+)", PassHandler),
        ("/ask", AskHandler),
        (f"/ask/{request_id}", AskedHandler),
        (f"/sources/{_ID}", SourceHandler),
        (f"/answers/{_ID}", AnswerHandler),
        (f"/answers/{_ID}/rows", RowsHandler),
        (f"/answers/{_ID}/copy", CopyHandler),
        (f"/answers/{_ID}/chart", ChartHandler),
        ("/plan/editor", EditorHandler),
        ("/plan/edit", EditHandler),
        ("/.*", NothingHandler),
    ]
    web_app.add_handlers(".*$", [(base + pattern, handler) for pattern, handler in routes])
    return made
