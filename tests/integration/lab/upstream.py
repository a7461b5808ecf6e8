"""A scripted API behind the server half: it answers what a test says, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER: dict[str, Any] = {
    "id": "a" * 32, "outcome": "answer", "message": "Deux.", "notes": [], "engine": "local",
    "timings_ms": dict.fromkeys(("understand", "guard", "execute", "answer", "total"), 1.0), "model": None,
    "conversation_id": "c" * 32, "question": "combien ?", "trust": "governed", "sentence": "Deux.", "reading": [],
    "plan": None, "sql": "SELECT 2 AS n",
    "columns": [
        {"name": "n", "label": "N", "type": "decimal", "format": {"kind": "currency"}, "role": "measure", "grain": None,
         "ref": None, "of": None, "lower_is_better": False, "values": {}}
    ],
    "rows": [["1234.50"]], "row_count": 1, "truncated": False, "cached": False, "chart": None,
}  # fmt: skip


@dataclass
class Request:
    """What came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Upstream:
    """The API's other end."""

    url: str = ""
    asked: list[Request] = field(default_factory=list)
    tokens: list[str] = field(default_factory=lambda: ["first", "second", "third", "fourth"])
    refused: set[str] = field(default_factory=set)
    go: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)
    queued: threading.Event = field(default_factory=threading.Event)
    answers: dict[tuple[str, str], tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    silent: bool = False
    hanging: str = ""

    def paths(self, method: str) -> list[str]:
        """The paths that were asked by that method, the exchange left out."""
        return [r.path for r in self.asked if r.method == method and not r.path.endswith("/auth/exchange")]

    def wait_for(self, method: str, path: str, seconds: float = 30.0) -> Request:
        """Wait until something was asked."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for one in self.asked:
                if (one.method, one.path) == (method, path):
                    return one
            time.sleep(0.01)
        raise AssertionError(f"{method} {path} was not asked; {[(r.method, r.path) for r in self.asked]}")


@contextmanager
def upstream() -> Iterator[Upstream]:
    """Run it."""
    made = Upstream()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _chunk(self, text: str) -> None:
            body = text.encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(body), body))
            self.wfile.flush()

        def _read(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                found = b""
                while size := int(self.rfile.readline(), 16):
                    found += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return found
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _answer(self) -> None:
            body = self._read()
            made.asked.append(Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if self.path == "/api/v1/auth/exchange":
                token = made.tokens.pop(0) if len(made.tokens) > 1 else made.tokens[0]
                self._say(200, {}, json.dumps({"access_token": token, "expires_in_s": 600}).encode())
                return
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if token in made.refused or not token:
                self._say(401, {}, _error("not_authenticated"))
            elif (found := made.answers.get((self.command, self.path.partition("?")[0]))) is not None:
                self._say(*found)
            elif self.path == "/api/v1/ai/query":
                self._stream()
            elif self.path == made.hanging:
                self.connection.settimeout(60)
                if self.connection.recv(1) == b"":
                    made.gone.set()
                self.close_connection = True
            elif self.path.startswith("/api/v1/ai/sources/"):
                self._say(404, {}, _error("not_found"))
            elif self.path.endswith("/cancel"):
                made.go.set()
                self._say(202, {}, b'{"cancelling":true}')
            else:
                self._say(200, {"Content-Type": "application/json", "Set-Cookie": "secret=1"}, b'{"items":[],"next":null}')

        def _stream(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            try:
                if not made.silent:
                    self._chunk(f'event: queued\ndata: {{"id":"{"a" * 32}","state":"running"}}\n\n')
                    self._chunk('event: step\ndata: {"step":"understand","elapsed_ms":1}\n\n')
                made.queued.set()
                while not made.go.wait(0.05):
                    self._chunk(": still there\n\n")
                stopped = any(r.path.endswith("/cancel") for r in made.asked)
                data = _error("cancelled").decode() if stopped else json.dumps(ANSWER)
                self._chunk(f"event: {'error' if stopped else 'outcome'}\ndata: {data}\n\n")
                self.wfile.write(b"0\r\n\r\n")
            except OSError:
                made.gone.set()

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 -- the library's names

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield made
    finally:
        made.go.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def _error(code: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": "Dit par l’API.", "details": {}, "incident": None}}).encode()
