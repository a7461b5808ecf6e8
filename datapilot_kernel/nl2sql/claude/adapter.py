"""The one module that speaks to the vendor: its SDK, asynchronous and streaming, behind the synchronous :class:`Model`.

The engine is synchronous and runs in worker threads, also inside a notebook's running event loop. So one loop of our own
runs in a thread of its own, shared by the whole process; a call hands its coroutine to it and waits. A forked child
makes its own (the parent's thread is not there).

Time. Three limits, each a sentence for the person: the connection, the first token, the whole question; and between two
tokens, so that a stream that stands still ends. The SDK's own retries are off: it would wait past our deadline. What is
sent again is what was turned away before anything of a reply came (429, 500, 503, 529, and an error event that opens the
stream), after the wait the service asks for, if that fits. A connection that fails is not tried again: the local outcome
is at hand.

Stop. A cancelled token cancels the task, whose ``finally`` closes the stream: the service stops generating. What was
billed by then is in the meter: input as reported when the stream began, output as reported or, when the end did not come,
estimated from what was received.

Errors become kinds through :data:`KINDS`, by class name, most particular first; a test walks every exception class of the
SDK and of its HTTP client and fails on one that only the fallback takes. An error's text is never shown: it can quote the
request.

What the SDK reads from the environment: proxies, ``SSL_CERT_FILE``, ``SSL_CERT_DIR``, ``ANTHROPIC_CUSTOM_HEADERS`` (an
operator's gateway). Not: the key (given), credentials on disk, OpenTelemetry (off: a trace could carry the question).
Redirects are not followed: the question goes where the settings say.

What comes is not trusted: an event that is none, arguments nested too deeply, a reply far longer than was allowed are a
cut stream; ``NaN`` is no JSON; control characters and half of a surrogate pair are taken out of texts before anything else
sees them. A service that reports no usage is counted by our own estimate, never as free.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError as FutureCancelled
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from datapilot_kernel.errors import Cancelled
from datapilot_kernel.nl2sql.claude.cost import Usage
from datapilot_kernel.nl2sql.claude.settings import ModelSettings
from datapilot_kernel.nl2sql.claude.wire import Meter, ModelProblem, ModelReply, ModelRequest, ToolCall, estimate_tokens
from datapilot_kernel.sources.model import CancelToken

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

log = logging.getLogger(__name__)
T = TypeVar("T")

KINDS: Final[dict[str, str]] = {
    # the SDK, by what the service answered
    "BadRequestError": "bad_request",
    "AuthenticationError": "bad_key",
    "PaymentRequiredError": "no_credit",
    "PermissionDeniedError": "bad_key",
    "NotFoundError": "no_model",
    "RequestTimeoutError": "timeout",
    "ConflictError": "bad_request",
    "PreconditionFailedError": "bad_request",
    "ContentTooLargeError": "bad_request",
    "UnprocessableEntityError": "bad_request",
    "ContractSpendLimitReachedError": "no_credit",
    "EnforcedSpendLimitReachedError": "no_credit",
    "RateLimitError": "rate_limited",
    "RequestHeaderFieldsTooLargeError": "bad_request",
    "ClientClosedRequestError": "cut",
    "HTTPNotImplementedError": "bad_request",
    "ServiceUnavailableError": "down",
    "GatewayTimeoutError": "timeout",
    "OverloadedError": "overloaded",
    "InternalServerError": "down",
    "APIStatusError": "down",
    "APIResponseValidationError": "cut",
    "APIWebhookValidationError": "bad_request",
    "APITimeoutError": "timeout",
    "APIConnectionError": "unreachable",
    "RetryableError": "down",
    "IdentityTokenFileError": "bad_key",
    "CredentialsError": "bad_key",
    "WorkloadIdentityError": "bad_key",
    "MutuallyExclusiveAuthError": "bad_key",
    "MissingDependencyError": "bad_request",
    "StreamAlreadyConsumed": "cut",
    "ToolsetConfigError": "bad_request",
    "ToolsetContractError": "bad_request",
    "ToolsetsFixedError": "bad_request",
    "ToolsetClosedError": "bad_request",
    "ToolsetUsageError": "bad_request",
    # its HTTP client: what breaks while a stream is read comes as it is
    "ConnectTimeout": "unreachable",
    "ReadTimeout": "timeout",
    "WriteTimeout": "timeout",
    "PoolTimeout": "timeout",
    "ReadError": "cut",
    "WriteError": "cut",
    "CloseError": "cut",
    "ConnectError": "unreachable",
    "ProxyError": "unreachable",
    "UnsupportedProtocol": "unreachable",
    "LocalProtocolError": "cut",
    "RemoteProtocolError": "cut",
    "DecodingError": "cut",
    "TooManyRedirects": "unreachable",
    "HTTPStatusError": "down",
    "InvalidURL": "unreachable",
    "CookieConflict": "bad_request",
    "StreamError": "cut",
    "SSEError": "cut",
    # reading a frame
    "JSONDecodeError": "cut",
    "UnicodeDecodeError": "cut",
}
EVENT_KINDS: Final[dict[str, str]] = {
    "invalid_request_error": "bad_request", "authentication_error": "bad_key", "billing_error": "no_credit",
    "permission_error": "bad_key", "not_found_error": "no_model", "rate_limit_error": "rate_limited",
    "timeout_error": "timeout", "api_error": "down", "overloaded_error": "overloaded",
    "memory_precondition_failed_error": "bad_request", "memory_path_conflict_error": "bad_request",
    "conflict_error": "bad_request",
}  # fmt: skip
"""By ``error.type`` of an error event: it comes inside a stream that began with status 200."""
FALLBACK: Final = "down"
_MALFORMED = (AttributeError, TypeError, KeyError, RecursionError)
"""What the SDK and we stumble over in an event that is none."""
MAX_DEPTH = 40
"""Of a tool's arguments: a plan nests a dozen deep."""
_MAX_BLOCKS = 64
_CHARACTERS_A_TOKEN = 40
"""No text has so many: what is longer does not come from the model that was asked."""
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
RETRIED: Final = frozenset({"rate_limited", "overloaded", "down"})
_FIRST_WAIT_S = 0.5


def kind_of(error: BaseException) -> str:
    """Return the kind of an exception of the SDK or of its HTTP client."""
    if type(error).__name__ == "APIStatusError" and getattr(error, "status_code", 500) < 400:
        event = EVENT_KINDS.get(str(getattr(error, "type", "")))
        if event is not None:
            return event
    cause = error.__cause__
    if type(error).__name__ in ("APITimeoutError", "APIConnectionError") and cause is not None:
        particular = KINDS.get(type(cause).__name__)
        if particular is not None:
            return particular
    return next((KINDS[c.__name__] for c in type(error).__mro__ if c.__name__ in KINDS), FALLBACK)


@dataclass
class _Reading:
    """A reply as far as it has come; ``before`` is what earlier attempts at it used."""

    meter: Meter
    request: ModelRequest
    before: Usage = field(default_factory=Usage)
    usage: Usage = field(default_factory=Usage)
    sent: bool = False
    text: str = ""
    blocks: dict[int, dict[str, Any]] = field(default_factory=dict)
    stop_reason: str = ""
    started: bool = False
    ended: bool = False
    input_reported: bool = False
    output_reported: bool = False
    characters: int = 0
    first_token_at: float | None = None

    def take(self, event: Any) -> None:
        """Take one event of the stream in."""
        match event.type:
            case "message_start":
                self.started = True
                self._count(getattr(event.message, "usage", None))
                self.output_reported = False
            case "content_block_start":
                self._begun()
                block = event.content_block
                if len(self.blocks) >= _MAX_BLOCKS:
                    raise ModelProblem("cut", log="model: too many parts in one reply")
                self.blocks[event.index] = {
                    "type": block.type, "id": getattr(block, "id", ""), "name": getattr(block, "name", ""),
                    "json": "", "given": getattr(block, "input", None),
                }  # fmt: skip
                self._more(getattr(block, "text", "") or "")
            case "content_block_delta":
                self._begun()
                piece = getattr(event.delta, "text", None)
                if piece is not None:
                    self._more(piece)
                partial = getattr(event.delta, "partial_json", None)
                if partial is not None and event.index in self.blocks:
                    self.blocks[event.index]["json"] += partial
                    self._longer(len(partial))
            case "message_delta":
                self.stop_reason = event.delta.stop_reason or self.stop_reason
                self._count(getattr(event, "usage", None))
            case "message_stop":
                self.ended = True
            case _:
                pass  # an event this version does not know says nothing that is needed

    def _begun(self) -> None:
        if self.first_token_at is None:
            self.first_token_at = time.monotonic()

    def _more(self, piece: str) -> None:
        self.text += piece
        self._longer(len(piece))

    def _longer(self, characters: int) -> None:
        self.characters += characters
        if self.characters > self.request.max_tokens * _CHARACTERS_A_TOKEN:
            raise ModelProblem("cut", log="model: a reply longer than was asked for")

    def _count(self, usage: Any) -> None:
        """Take reported usage over: the counts are cumulative, and one that is not given keeps its value."""
        for ours, theirs in (
            ("input_tokens", "input_tokens"),
            ("output_tokens", "output_tokens"),
            ("cache_write_tokens", "cache_creation_input_tokens"),
            ("cache_read_tokens", "cache_read_input_tokens"),
        ):
            value = getattr(usage, theirs, None)
            if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
                setattr(self.usage, ours, value)
                self.input_reported = self.input_reported or ours == "input_tokens"
                self.output_reported = self.output_reported or ours == "output_tokens"
        self._tell()

    def _tell(self) -> None:
        whole = Usage()
        whole.add(self.before)
        whole.add(self.usage)
        self.meter.usage = whole

    def settle(self) -> None:
        """No more comes: what was not reported is estimated, from what was sent and what was received."""
        if self.sent and not self.input_reported:
            self.usage.input_tokens = max(self.usage.input_tokens, self.request.estimated_tokens())
            self.usage.estimated = True
        if self.started and not self.output_reported:
            received = estimate_tokens("x" * self.characters)
            self.usage.output_tokens = max(self.usage.output_tokens, received)
            self.usage.estimated = True
        self._tell()

    def calls(self) -> tuple[ToolCall, ...]:
        found = []
        for index in sorted(self.blocks):
            block = self.blocks[index]
            if block["type"] != "tool_use":
                continue
            arguments: Any = None
            try:
                arguments = json.loads(block["json"], parse_constant=_no_number) if block["json"] else block["given"]
                arguments = _sound(arguments)
            except (ValueError, RecursionError):
                arguments = None
            name = _clean(str(block["name"]))[:100]
            found.append(ToolCall(_clean(str(block["id"])), name, arguments if isinstance(arguments, dict) else None))
        return tuple(found)


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def _sound(value: Any, depth: int = 0) -> Any:
    """Return JSON whose texts are texts; raises ValueError when it is nested too deeply."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, list):
        return [_sound(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {_clean(str(key)): _sound(one, depth + 1) for key, one in value.items()}
    return value


def _clean(text: str) -> str:
    r"""Return a text without what is none: control characters (a terminal would obey them), lone surrogates.

    >>> _clean("CA\x1b[2J\n2025")
    'CA[2J\n2025'
    """
    return _NOT_TEXT.sub("", text)


class ClaudeModel:
    """The model behind the vendor's API. Make one per settings and keep it: it holds the connections."""

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._client: AsyncAnthropic | None = None
        self._owner: _LoopThread | None = None
        self._strict = settings.strict_tools

    def send(self, request: ModelRequest, *, meter: Meter, deadline: float, cancel: CancelToken | None = None) -> ModelReply:
        """Send one request; see :class:`wire.Model`."""
        if cancel is not None and cancel.cancelled:
            raise Cancelled
        began = time.monotonic()
        client, owner = self._ready()
        # Loading the SDK is our own slowness, once per process: it does not count against the service.
        deadline += time.monotonic() - began
        return owner.run(lambda: self._exchange(client, request, meter, deadline), cancel)

    def warm(self) -> None:
        """Load the SDK in the background; what goes wrong is the first call's to say."""

        def ready() -> None:
            with suppress(ModelProblem):
                self._ready()

        threading.Thread(target=ready, name="datapilot-model-warm", daemon=True).start()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, owner, self._client = self._client, self._owner, None
        if client is not None and owner is not None and owner.alive:
            try:
                owner.run(client.close, None)
            except ModelProblem:
                log.info("closing the model's client failed")

    def _ready(self) -> tuple[AsyncAnthropic, _LoopThread]:
        owner = _loop_thread()
        with self._lock:
            if self._client is None or self._owner is not owner:
                self._client, self._owner = self._new_client(), owner
            return self._client, owner

    def _new_client(self) -> AsyncAnthropic:
        import ssl

        try:
            import httpx2
            from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient
        except ImportError:
            raise ModelProblem("not_installed", log="the SDK is not installed (extra « claude »)") from None

        settings = self.settings
        key = settings.key.get_secret_value().strip()
        if not key or not key.isascii() or not key.isprintable():
            # Of a file with a line too many, or with a typographic dash: no header can carry it.
            raise ModelProblem("bad_key", log="the model's key is no header's text")
        until = retirement(settings.model)
        if until is not None:
            log.warning("model %s is to be retired on %s", settings.model, until)
        options: dict[str, Any] = {}
        whole = settings.whole_timeout_ms / 1000
        timeout = httpx2.Timeout(whole, connect=settings.connect_timeout_ms / 1000)
        try:
            if settings.ca_file:
                trusted = ssl.create_default_context()
                trusted.load_verify_locations(settings.ca_file)
                options["verify"] = trusted
            http_client = DefaultAsyncHttpxClient(
                timeout=timeout, follow_redirects=False, event_hooks={"request": [_watch_handshake]}, **options
            )
            return AsyncAnthropic(
                api_key=key,
                base_url=settings.base_url or "https://api.anthropic.com",
                timeout=timeout,
                max_retries=0,
                http_client=http_client,
                open_telemetry=False,
            )
        except (ValueError, OSError, httpx2.InvalidURL) as error:
            # an address that is none, a file of authorities that cannot be read
            raise ModelProblem("unreachable", log=f"model client: {type(error).__name__}") from None

    async def _exchange(self, client: AsyncAnthropic, request: ModelRequest, meter: Meter, deadline: float) -> ModelReply:
        began = time.monotonic()
        tries = 0
        while True:
            tries += 1
            # An attempt that was turned away inside its stream may have been billed: it stays counted.
            before = Usage()
            before.add(meter.usage)
            reading = _Reading(meter, request, before)
            strict = self._strict
            try:
                return await self._once(client, request, reading, deadline, began)
            except (asyncio.CancelledError, ModelProblem) as stopped:
                _let_go(stopped)
                raise
            except _foreign_errors() as error:
                _let_go(error)
                reading.sent = reading.started
                reading.settle()
                problem = self._translated(error)
                if problem.kind == "bad_request" and strict and _dislikes_strict(error):
                    # Not every gateway and model takes strict tools; what they give is validated here anyway.
                    self._strict = False
                    continue
                if problem.kind not in RETRIED or tries > self.settings.max_retries or reading.first_token_at is not None:
                    raise problem from None
                wait = _wait_of(error, tries)
                if time.monotonic() + wait >= deadline:
                    raise problem from None
                await asyncio.sleep(wait)

    async def _once(
        self, client: AsyncAnthropic, request: ModelRequest, reading: _Reading, deadline: float, began: float
    ) -> ModelReply:
        """One attempt, from the connection to the last event."""
        from anthropic import AsyncStream
        from anthropic.types import Message, RawMessageStreamEvent

        settings = self.settings
        body = request.body()
        if not self._strict:
            body["tools"] = [{k: v for k, v in tool.items() if k != "strict"} for tool in body["tools"]]
        now = time.monotonic()
        loop = asyncio.get_running_loop()
        first = min(settings.first_token_timeout_ms / 1000, deadline - now)
        stream = None
        reading.sent = True
        try:
            async with asyncio.timeout(first) as watch:
                # The road of messages.create, without its warning that a model will be retired: that is the log's.
                stream = await client.post(
                    "/v1/messages",
                    body={**body, "stream": True},
                    cast_to=Message,
                    stream=True,
                    stream_cls=AsyncStream[RawMessageStreamEvent],
                )
                async for event in stream:
                    reading.take(event)
                    if reading.first_token_at is not None:
                        left = min(settings.idle_timeout_ms / 1000, deadline - time.monotonic())
                        watch.reschedule(loop.time() + left)
        except TimeoutError:
            # Sent, and nobody knows how far it came: what was sent is counted rather than forgotten.
            reading.settle()
            raise ModelProblem("timeout", log=f"model: no end after {time.monotonic() - now:.1f} s") from None
        except (asyncio.CancelledError, ModelProblem):
            reading.settle()
            raise
        except _MALFORMED as error:
            reading.settle()
            raise ModelProblem("cut", log=f"model: an event that is none ({type(error).__name__})") from None
        finally:
            if stream is not None:
                await stream.close()
                stream = None
        reading.settle()
        if not reading.ended:
            raise ModelProblem("cut", log="model: the stream ended before message_stop")
        done = time.monotonic()
        first_ms = (reading.first_token_at - began) * 1000 if reading.first_token_at is not None else None
        return ModelReply(
            _clean(reading.text), reading.calls(), reading.stop_reason, reading.meter.usage, first_ms, (done - began) * 1000
        )

    def _translated(self, error: Exception) -> ModelProblem:
        status = getattr(error, "status_code", None)
        request_id = getattr(error, "request_id", None)
        return ModelProblem(kind_of(error), log=f"model: {type(error).__name__} {status or '-'} {request_id or '-'}")


def _let_go(error: BaseException | None) -> None:
    """Empty the frames of an error, which hold what was reading the stream: a chain of generators, half way.

    Here, in the loop's thread, each closes the next. Left to the garbage collector, which may run in any thread, they are
    finalized there while this loop closes them, and it complains (« async generator already executing »). It also keeps
    the request's text from living as long as the error does.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


async def _watch_handshake(request: Any) -> None:
    """Close a connection whose TLS handshake is stopped half way: the client closes it for an error, not for a cancel.

    (httpcore2 2.16, ``start_tls``: ``except Exception``.) Left to the garbage collector, a stopped question would keep its
    connection, and the service's, for as long as that takes.
    """
    opened: list[Any] = []

    async def trace(event: str, info: dict[str, Any]) -> None:
        # « connection. » before it, or « proxy. »
        if event.endswith(".connect_tcp.complete"):
            opened.append(info["return_value"])
        elif event.endswith(".start_tls.failed") and isinstance(info["exception"], asyncio.CancelledError):
            while opened:
                await opened.pop().aclose()
        elif event.endswith(".start_tls.complete"):
            opened.clear()

    request.extensions["trace"] = trace


def retirement(model: str) -> str | None:
    """Return the day that the vendor has announced for a model's retirement, in its own words; None: none is known.

    Raises
    ------
    ModelProblem
        The SDK is not installed.
    """
    try:
        from anthropic.resources.messages import DEPRECATED_MODELS
    except ImportError:
        raise ModelProblem("not_installed", log="the SDK is not installed (extra « claude »)") from None
    return DEPRECATED_MODELS.get(model)


def _foreign_errors() -> tuple[type[Exception], ...]:
    """Return what the SDK, its HTTP client and the reading of a frame raise; anything else is a fault of ours."""
    import httpx2
    from anthropic import AnthropicError

    return (AnthropicError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.CookieConflict, httpx2.StreamError, ValueError)


def _dislikes_strict(error: Exception) -> bool:
    """Tell whether a request was turned down for its strict tools (the vendor's words may change: then it just fails)."""
    said = str(getattr(error, "api_message", None) or "").lower()
    return "strict" in said or "schema" in said


def _wait_of(error: Exception, tries: int) -> float:
    """Return the seconds to wait: what the service asks for, else longer with each try."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError, TypeError):
            continue
    return float(_FIRST_WAIT_S * 2 ** (tries - 1))


# ── the loop ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class _LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="datapilot-model", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """True in the process that made it."""
        return self.pid == os.getpid() and self._thread.is_alive()

    def run(self, make: Callable[[], Coroutine[Any, Any, T]], cancel: CancelToken | None) -> T:
        """Run a coroutine on the loop and wait; cancel it with the token, and then wait until it has cleaned up."""
        cleaned = threading.Event()

        async def whole() -> T:
            try:
                return await make()
            finally:
                cleaned.set()

        future = asyncio.run_coroutine_threadsafe(whole(), self._loop)
        forget = cancel.on_cancel(lambda: _cancel(future)) if cancel is not None else lambda: None
        try:
            return future.result()
        except FutureCancelled:
            # Closing a stream takes a moment; a task that never began cleans nothing.
            cleaned.wait(1.0)
            raise Cancelled from None
        except BaseException:
            # An interrupt of the waiting thread (Ctrl-C, a stopped kernel) stops the stream as well.
            future.cancel()
            raise
        finally:
            forget()


def _cancel(future: Any) -> None:
    future.cancel()


_shared: _LoopThread | None = None
_shared_lock = threading.Lock()


def _loop_thread() -> _LoopThread:
    global _shared
    with _shared_lock:
        if _shared is None or not _shared.alive:
            _shared = _LoopThread()
        return _shared


def _new_lock_after_fork() -> None:
    global _shared_lock
    _shared_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock_after_fork)
