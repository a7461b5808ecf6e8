"""The engine behind the API, as the notebook's client: the second implementation of ``AskClient``, for the hub.

No secret is in this container but the hub's token (:mod:`hub_token`). A question is a request whose progress comes as
server-sent events; a small answer comes with its rows, a larger one's rows come as Arrow. Cancelling asks the API to stop
the query by its id; should the API not hear, the connection is closed, which stops it too.

An error of the API is raised with the API's own sentence: it is written for the person.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from datapilot_kernel.engine.outcome import Answer, Outcome
from datapilot_kernel.engine.wire_reading import from_json
from datapilot_kernel.errors import BadInput, Cancelled, DataPilotError, Refused, SourceProblem
from datapilot_kernel.messages import current_language
from datapilot_kernel.notebook.client import EngineChoice, Progress, SourceStatus
from datapilot_kernel.notebook.hub_token import URL_VARIABLE, HubToken

if TYPE_CHECKING:
    import httpx
    import pyarrow as pa

    from datapilot_kernel.plan.model import Plan
    from datapilot_kernel.semantic.model import Layer
    from datapilot_kernel.sources.model import CancelToken, Dialect

INLINE_ROWS = 500
"""An answer of no more rows comes whole; a larger one's come as Arrow."""

ARROW = "application/vnd.apache.arrow.stream"
_SILENCE_S = 35.0  # the API says « still there » every ten seconds
_CONNECT_S, _STOP_S = 5.0, 5.0


@dataclass
class RemoteConversation:
    """A conversation that the API keeps; it begins with its first question."""

    id: str | None = None


class TokenGiver(Protocol):
    """Gives the token to send: the hub's, exchanged, or a session's."""

    def current(self, client: httpx.Client) -> str:
        """Return a token that is good for a while yet."""

    def forget(self, token: str) -> None:
        """A token was refused."""


class Api:
    """Requests of no source in particular; errors are the API's own sentences."""

    def __init__(self, client: RemoteClient) -> None:
        self._client = client

    def get(self, path: str) -> dict[str, Any]:
        """Return what a GET answers."""
        return self._client._get(path, {})

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return what a POST answers."""
        with _as_ours(), self._client._opened("POST", path, json=body, accept="application/json") as response:
            found: dict[str, Any] = json.loads(response.read())
            return found


class RemoteClient:
    """Answers questions about one source, through the API.

    Parameters
    ----------
    source
        The source's name, as the API lists it, or its id. Empty: the only one there is.
    base_url
        None: ``DATAPILOT_API_URL``.
    token
        None: the hub's, exchanged.
    transport
        httpx's, for tests.

    Raises
    ------
    BadInput
        No such source; no API; not signed in.
    SourceProblem
        The API cannot be reached.
    """

    def __init__(
        self,
        source: str = "",
        *,
        base_url: str | None = None,
        token: TokenGiver | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._connect(base_url, token, transport)
        try:
            found = self._find(source)
        except BaseException:
            self._http.close()
            raise
        self._source_id: str = found["id"]
        self._name: str = found["name"]
        self._about: dict[str, Any] | None = None
        self._layer: Layer | None = None

    @classmethod
    @contextmanager
    def api(cls, *, base_url: str | None = None, token: TokenGiver | None = None) -> Iterator[Api]:
        """Give the API itself, without a source: what ``datapilot publish`` asks beside questions."""
        client = cls.__new__(cls)
        client._connect(base_url, token, None)
        try:
            yield Api(client)
        finally:
            client._http.close()

    def _connect(self, base_url: str | None, token: TokenGiver | None, transport: httpx.BaseTransport | None) -> None:
        import httpx

        where = base_url or os.environ.get(URL_VARIABLE, "")
        if not where:
            raise BadInput("remote.no_url", variable=URL_VARIABLE)
        self._token: TokenGiver = token or HubToken()
        self._http = httpx.Client(
            base_url=where.rstrip("/") + "/api/v1",
            transport=transport,
            timeout=httpx.Timeout(_SILENCE_S, connect=_CONNECT_S),
            headers={"User-Agent": "datapilot-notebook"},
        )

    # ── the protocol ──────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def name(self) -> str:
        """What the source is called."""
        return self._name

    @property
    def source_id(self) -> str:
        """The source's id."""
        return self._source_id

    @property
    def dialect(self) -> Dialect:
        """Which SQL the source speaks."""
        found: Dialect = self._described()["dialect"]
        return found

    def new_conversation(self) -> RemoteConversation:
        """Return a conversation that has not begun."""
        return RemoteConversation()

    def ask(
        self,
        question: str,
        *,
        engine: EngineChoice = "auto",
        today: date | None = None,
        conversation: RemoteConversation | None = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Ask the API."""
        body: dict[str, Any] = {"question": question, "engine": engine}
        return self._query(body, today, conversation, cancel, progress)

    def run_plan(
        self,
        plan: Plan,
        *,
        question: str = "",
        today: date | None = None,
        conversation: RemoteConversation | None = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Have the API run a plan."""
        body: dict[str, Any] = {"plan": plan.model_dump(mode="json")}
        if question:
            body["question"] = question
        return self._query(body, today, conversation, cancel, progress)

    def run_sql(self, sql: str, *, cancel: CancelToken | None = None, progress: Progress | None = None) -> Outcome:
        """Have the API run guarded SQL."""
        return self._query({"sql": sql}, None, None, cancel, progress)

    def layer(self) -> Layer:
        """Return the layer that the API answers over: the one in force, or an automatic draft."""
        if self._layer is None:
            from datapilot_kernel.semantic.model import Layer

            self._layer = Layer.model_validate(self._described()["layer"])
        return self._layer

    def status(self) -> SourceStatus:
        """Have the API do what the first question would have to wait for, and describe."""
        self._about = self._layer = None
        about = self._described()
        layer = self.layer()
        return SourceStatus(
            name=self._name,
            dialect=about["dialect"],
            tables=about["tables"],
            layer=layer.name,
            accepted=layer.status == "accepted",
            today=date.fromisoformat(about["today"]),
        )

    def close(self) -> None:
        """Close the connections. Safe twice."""
        self._http.close()

    def whole(self, query_id: str) -> pa.Table:
        """Return the whole result of a query, beyond the answer's limit of rows, as the API streams it.

        Raises
        ------
        SourceProblem
            The stream was cut.
        """
        return self._arrow(query_id, full=True)

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _query(
        self,
        body: dict[str, Any],
        today: date | None,
        conversation: RemoteConversation | None,
        cancel: CancelToken | None,
        progress: Progress | None,
    ) -> Outcome:
        if cancel is not None and cancel.cancelled:
            raise Cancelled
        body |= {"source_id": self._source_id, "inline_rows": INLINE_ROWS}
        if today is not None:
            body["today"] = today.isoformat()
        if conversation is not None and conversation.id is not None:
            body["conversation_id"] = conversation.id
        found = self._listen(body, cancel, progress)
        if conversation is not None and found.get("conversation_id"):
            conversation.id = found["conversation_id"]
        if found["outcome"] == "answer" and found["row_count"] > len(found["rows"]):
            outcome = from_json(found)
            assert isinstance(outcome, Answer)
            return replace(outcome, table=self._rows(outcome, found["truncated"]))
        return from_json(found)

    def _rows(self, answer: Answer, truncated: bool) -> Any:
        from datapilot_kernel.sources.arrow_reading import arrow_to_table

        return arrow_to_table(self._arrow(answer.id), [c.type for c in answer.columns], truncated=truncated)

    def _listen(self, body: dict[str, Any], cancel: CancelToken | None, progress: Progress | None) -> dict[str, Any]:
        import httpx

        stopping: _Stopping | None = None
        release: Callable[[], None] | None = None
        try:
            with self._opened("POST", "/ai/query", json=body, accept="text/event-stream") as response:
                stopping = _Stopping(self, response)
                release = cancel.on_cancel(stopping.stop) if cancel is not None else None
                for event, data in _events(response):
                    if event == "queued":
                        stopping.known(data["id"])
                    elif event == "step" and progress is not None:
                        progress(data["step"])
                    elif event == "outcome":
                        return data
                    elif event == "error":
                        raise _raised(data, 499 if data["error"]["code"] == "cancelled" else 500)
            raise SourceProblem("remote.cut")
        except (DataPilotError, httpx.HTTPError, httpx.StreamError, RuntimeError, OSError) as error:
            # A connection that was closed under the reader breaks in many ways; that it was asked for is what counts.
            if stopping is not None and stopping.asked:
                raise Cancelled from None
            raise _translated(error) from None
        finally:
            if release is not None:
                release()

    def stop_query(self, query_id: str) -> bool:
        """Ask the API to stop a query; False: it did not hear."""
        import httpx

        with suppress(httpx.HTTPError, DataPilotError):
            headers = self._headers("application/json")
            return self._http.post(f"/queries/{query_id}/cancel", headers=headers, timeout=_STOP_S).status_code < 400
        return False

    def _arrow(self, query_id: str, *, full: bool = False) -> pa.Table:
        import pyarrow as pa

        path = f"/queries/{query_id}/result"
        parameters = {"full": "true"} if full else {}
        with _as_ours(), self._opened("GET", path, params=parameters, accept=ARROW) as response:
            try:
                reader = pa.ipc.open_stream(_Readable(response.iter_raw()))
                return pa.Table.from_batches(list(reader), reader.schema)
            except pa.ArrowException:
                raise SourceProblem("remote.cut") from None

    # ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _find(self, source: str) -> dict[str, Any]:
        known: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self._get("/data-sources", {"limit": 200, **({"cursor": cursor} if cursor else {})})
            known += page["items"]
            cursor = page["next"]
            if not cursor:
                break
        if not source:
            if len(known) == 1:
                return known[0]
            names = ", ".join(one["name"] for one in known)
            raise BadInput("remote.which_source", known=names) if known else BadInput("remote.no_sources")
        for one in known:
            if source in (one["id"], one["name"]):
                return one
        raise BadInput("remote.unknown_source", name=source or "—", known=", ".join(one["name"] for one in known) or "—")

    def _described(self) -> dict[str, Any]:
        if self._about is None:
            self._about = self._get(f"/ai/sources/{self._source_id}", {})
        return self._about

    def _get(self, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
        with _as_ours(), self._opened("GET", path, params=parameters, accept="application/json") as response:
            found: dict[str, Any] = json.loads(response.read())
            return found

    def _opened(self, method: str, path: str, *, accept: str, **options: Any) -> _Opened:
        return _Opened(self, method, path, accept, options)

    def _headers(self, accept: str) -> dict[str, str]:
        token = self._token.current(self._http)
        return {"Authorization": f"Bearer {token}", "Accept": accept, "Accept-Language": current_language()}


class _Opened:
    """A response whose status is a success; a token that has run out meanwhile is exchanged once."""

    def __init__(self, client: RemoteClient, method: str, path: str, accept: str, options: dict[str, Any]) -> None:
        self._client, self._method, self._path, self._accept, self._options = client, method, path, accept, options
        self._response: httpx.Response | None = None

    def __enter__(self) -> httpx.Response:
        with _as_ours():
            response = self._sent()
            if response.status_code == 401:
                response.close()
                self._client._token.forget(response.request.headers["Authorization"].removeprefix("Bearer "))
                response = self._sent()
            if response.status_code >= 400:
                try:
                    raise _of_response(response)
                finally:
                    response.close()
        self._response = response
        return response

    def _sent(self) -> httpx.Response:
        headers = self._client._headers(self._accept)
        request = self._client._http.build_request(self._method, self._path, headers=headers, **self._options)
        return self._client._http.send(request, stream=True)

    def __exit__(self, *raised: object) -> None:
        if self._response is not None:
            self._response.close()


class _Stopping:
    """Stops a query whose id may not be known yet. :meth:`stop` comes from another thread."""

    def __init__(self, client: RemoteClient, response: httpx.Response) -> None:
        self._client, self._response = client, response
        self._lock = threading.Lock()
        self._id: str | None = None
        self.asked = False

    def known(self, query_id: str) -> None:
        """The query has this id."""
        with self._lock:
            self._id = query_id
            asked = self.asked
        if asked:
            self._tell(query_id)

    def stop(self) -> None:
        """Stop it, now or as soon as it has an id."""
        with self._lock:
            self.asked = True
            query_id = self._id
        if query_id is not None:
            self._tell(query_id)

    def _tell(self, query_id: str) -> None:
        if not self._client.stop_query(query_id):
            self._response.close()


class _Readable:
    """What Arrow reads from: the pieces of a response, without holding more than one."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; as many as asked for, unless it ends."""
        if len(self._left) >= size >= 0:
            taken, self._left = self._left[:size], self._left[size:]
            return bytes(taken)
        parts, missing = [bytes(self._left)], size - len(self._left) if size >= 0 else -1
        self._left = memoryview(b"")
        for piece in self._pieces:
            if 0 <= missing < len(piece):
                parts.append(piece[:missing])
                self._left = memoryview(piece)[missing:]
                break
            parts.append(piece)
            if size >= 0:
                missing -= len(piece)
                if missing == 0:
                    break
        return b"".join(parts)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def flush(self) -> None:
        """Nothing is written."""

    def close(self) -> None:
        self.closed = True


def _events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    event = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            event = line[7:]
        elif line.startswith("data: "):
            yield event, json.loads(line[6:])


def _of_response(response: httpx.Response) -> DataPilotError:
    try:
        return _raised(json.loads(response.read()), response.status_code)
    except (ValueError, KeyError, TypeError):
        return SourceProblem("remote.unreachable", log=f"the API answered {response.status_code} without our shape")


def _raised(found: dict[str, Any], status: int) -> DataPilotError:
    """Return the API's error as ours, with its own sentence."""
    if status == 499:
        return Cancelled()
    kind = Refused if status in (403, 404) else SourceProblem if status >= 500 else BadInput
    error = kind("remote.said", message=str(found["error"]["message"]), log=f"the API answered {status}")
    error.reason = str(found["error"]["code"])
    return error


@contextmanager
def _as_ours() -> Iterator[None]:
    """Raise what httpx raises as ours."""
    import httpx

    try:
        yield
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise _translated(error) from None


def _translated(error: Exception) -> Exception:
    """Return what httpx raised as ours; anything else as it is."""
    import httpx

    if isinstance(error, (httpx.HTTPError, httpx.StreamError)):
        return SourceProblem("remote.unreachable", log=f"the API: {type(error).__name__}")
    return error
