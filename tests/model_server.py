"""A scripted server that speaks the Messages API's wire format to the real SDK, streaming included.

A test gives it a list of replies; each request takes the next one. Every request is kept (:attr:`ModelServer.requests`),
headers and body, so a test can say what left the machine. Replies are made by :func:`tool`, :func:`text`, :func:`blocks`
(whole streams), :func:`error` (a status), and changed by ``cut_after``, ``pause_s``, ``error_event``.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-test-not-a-key"


@dataclass(frozen=True)
class Usage:
    """What the service reports; ``output`` at the end of the stream."""

    input: int = 1200
    output: int = 80
    cache_write: int = 0
    cache_read: int = 0


@dataclass(frozen=True)
class Reply:
    """One scripted reply.

    Attributes
    ----------
    content
        Blocks of the message, as the API has them.
    fragments
        In how many pieces a tool's arguments come.
    raw_arguments
        Sent in place of the last tool's arguments, whatever it is.
    cut_after
        Close the connection after this many events.
    end_after
        End the answer as it should be ended after this many events, before the message is over.
    pauses
        ``{event number: seconds}`` to wait before that event.
    error_event
        ``(event number, error type)``: an ``error`` event in place of that event.
    wait_s
        Before anything is answered.
    """

    content: tuple[dict[str, Any], ...] = ()
    stop_reason: str = "tool_use"
    usage: Usage = Usage()
    status: int = 200
    error: dict[str, Any] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    fragments: int = 4
    raw_arguments: str | None = None
    cut_after: int | None = None
    end_after: int | None = None
    pauses: tuple[tuple[int, float], ...] = ()
    error_event: tuple[int, str] | None = None
    wait_s: float = 0.0

    def but(self, **changes: Any) -> Reply:
        return replace(self, **changes)


def tool(name: str, arguments: dict[str, Any], *, before: str = "", usage: Usage = Usage()) -> Reply:
    """One tool call, with text before it when given."""
    content: list[dict[str, Any]] = [{"type": "text", "text": before}] if before else []
    content.append({"type": "tool_use", "id": "toolu_1", "name": name, "input": arguments})
    return Reply(tuple(content), usage=usage)


def tools(*calls: tuple[str, dict[str, Any]]) -> Reply:
    """Several tool calls in one message."""
    content = [
        {"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": arguments}
        for n, (name, arguments) in enumerate(calls, 1)
    ]
    return Reply(tuple(content))


def text(said: str, *, stop_reason: str = "end_turn") -> Reply:
    return Reply(({"type": "text", "text": said},), stop_reason=stop_reason)


_ERRORS = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 504: "timeout_error",
    529: "overloaded_error",
}  # fmt: skip


def error(status: int, *, message: str = "SECRET-ECHO of the request", **headers: str) -> Reply:
    """An error answer; the message must never reach a person."""
    body = {"type": "error", "error": {"type": _ERRORS.get(status, "api_error"), "message": message}, "request_id": "req_x"}
    return Reply(status=status, error=body, headers=tuple((k.replace("_", "-"), v) for k, v in headers.items()))


@dataclass
class Seen:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float
    left_early: bool = False
    events_sent: int = 0
    finished: threading.Event = field(default_factory=threading.Event)
    ended: float = 0.0

    @property
    def everything(self) -> str:
        """The body as one text, to look for what must not be in it."""
        return json.dumps(self.body, ensure_ascii=False)


Script = Sequence[Reply] | Callable[[dict[str, Any]], Reply]


class ModelServer:
    """Answers ``POST /v1/messages`` from a script; with none left, 500."""

    def __init__(self, script: Script = ()) -> None:
        self.requests: list[Seen] = []
        self._lock = threading.Lock()
        self.play(script)
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # small frames, as any real service sends them: at once

            def do_POST(self) -> None:
                owner._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def play(self, script: Script) -> None:
        """Take a new script; what came so far is forgotten."""
        with self._lock:
            self._make = script if callable(script) else None
            self._script = [] if callable(script) else list(script)
            self.requests.clear()

    @property
    def left(self) -> int:
        """Replies of the script that nothing has asked for."""
        return len(self._script)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers.get("content-length", "0"))))
        seen = Seen(handler.path, {k.lower(): v for k, v in handler.headers.items()}, body, time.monotonic())
        with self._lock:
            self.requests.append(seen)
            reply = self._make(body) if self._make else self._script.pop(0) if self._script else error(500)
        try:
            waited = time.monotonic() + reply.wait_s
            while time.monotonic() < waited:
                time.sleep(0.02)
                if _gone(handler):
                    seen.left_early = True
                    return
            if reply.status != 200:
                _send(handler, reply.status, reply.error, reply.headers)
            elif body.get("stream"):
                self._stream(handler, reply, body, seen)
            else:
                _send(handler, 200, _message(reply, body, whole=True), reply.headers)
        except (BrokenPipeError, ConnectionResetError):
            seen.left_early = True
        finally:
            seen.ended = time.monotonic()
            seen.finished.set()

    def _stream(self, handler: BaseHTTPRequestHandler, reply: Reply, body: dict[str, Any], seen: Seen) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream; charset=utf-8")
        handler.send_header("transfer-encoding", "chunked")
        handler.send_header("request-id", "req_test")
        for name, value in reply.headers:
            handler.send_header(name, value)
        handler.end_headers()
        pauses = dict(reply.pauses)
        for number, event in enumerate(_events(reply, body)):
            waited = time.monotonic() + pauses.get(number, 0.0)
            while time.monotonic() < waited:
                time.sleep(0.02)
                if _gone(handler):
                    seen.left_early = True
                    return
            if reply.cut_after is not None and number >= reply.cut_after:
                handler.close_connection = True
                handler.connection.close()
                return
            if reply.end_after is not None and number >= reply.end_after:
                break
            if reply.error_event is not None and number == reply.error_event[0]:
                event = {"type": "error", "error": {"type": reply.error_event[1], "message": "SECRET-ECHO"}}
            data = json.dumps(event, ensure_ascii=False)
            frame = f"event: {event['type']}\ndata: {data}\n\n".encode()
            handler.wfile.write(f"{len(frame):x}\r\n".encode() + frame + b"\r\n")
            handler.wfile.flush()
            seen.events_sent += 1
            if event["type"] == "error":
                break
        handler.wfile.write(b"0\r\n\r\n")


def _gone(handler: BaseHTTPRequestHandler) -> bool:
    """Tell whether the other side has closed."""
    import select
    import socket

    ready, _, _ = select.select([handler.connection], [], [], 0)
    return bool(ready) and handler.connection.recv(1, socket.MSG_PEEK) == b""


def _send(
    handler: BaseHTTPRequestHandler, status: int, body: dict[str, Any] | None, headers: tuple[tuple[str, str], ...]
) -> None:
    data = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(data)))
    handler.send_header("request-id", "req_test")
    for name, value in headers:
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


def _message(reply: Reply, body: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    usage = reply.usage
    return {
        "id": "msg_test",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": list(reply.content) if whole else [],
        "stop_reason": reply.stop_reason if whole else None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage.input,
            "cache_creation_input_tokens": usage.cache_write,
            "cache_read_input_tokens": usage.cache_read,
            "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": 0},
            "output_tokens": usage.output if whole else 1,
            "service_tier": "standard",
        },
    }


def _events(reply: Reply, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": _message(reply, body, whole=False)}
    for index, block in enumerate(reply.content):
        if block["type"] == "text":
            yield {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}
            yield {"type": "ping"}
            for piece in _pieces(block["text"], reply.fragments):
                delta = {"type": "text_delta", "text": piece}
                yield {"type": "content_block_delta", "index": index, "delta": delta}
        else:
            last = index == len(reply.content) - 1
            yield {"type": "content_block_start", "index": index, "content_block": {**block, "input": {}}}
            yield {"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": ""}}
            given = json.dumps(block["input"], ensure_ascii=False)
            if last and reply.raw_arguments is not None:
                given = reply.raw_arguments
            for piece in _pieces(given, reply.fragments):
                delta = {"type": "input_json_delta", "partial_json": piece}
                yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": reply.stop_reason, "stop_sequence": None},
        "usage": {"output_tokens": reply.usage.output},
    }
    yield {"type": "message_stop"}


def _pieces(whole: str, count: int) -> Iterator[str]:
    size = max(1, -(-len(whole) // count))
    for start in range(0, len(whole), size):
        yield whole[start : start + size]


@contextmanager
def model_server(script: Script = ()) -> Iterator[ModelServer]:
    server = ModelServer(script)
    try:
        yield server
    finally:
        server.close()
