"""A little server that speaks the part of JupyterHub's API that the platform asks: ``GET /hub/api/user``."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SCOPES = ["access:services!service=datapilot", "read:users:name!user=x", "users:activity!user=x"]


@dataclass
class HubServer:
    """Tokens and whose they are; what was asked.

    ``answer`` takes the place of every answer: (status, body).
    """

    url: str = ""
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answer: tuple[int, bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def add(self, token: str, name: str, **more: Any) -> str:
        """A token of a hub user."""
        self.users[token] = {"kind": "user", "name": name, "admin": True, "groups": ["admins"], "scopes": SCOPES} | more
        return token


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """Run it."""
    hub = HubServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            token = self.headers.get("Authorization", "").removeprefix("token ")
            hub.asked.append(token)
            hub.paths.append(self.path)
            status, body = hub.answer or (
                (200, json.dumps(hub.users[token]).encode())
                if token in hub.users
                else (403, b'{"status": 403, "message": "Forbidden"}')
            )
            self.send_response(status)
            for name, value in (
                {"Content-Type": "application/json", "Content-Length": str(len(body))} | hub.headers
            ).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}/hub/api"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
