"""A little hub that starts renderings: users and their servers, as the API asks for them by the hub's REST API.

``launch`` None: the processes are only written down (a test plays them). Otherwise each is started for real, on this
machine, with the environment that the spawner gives: the API's address and the grant.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "jeton-du-service-a-ce-hub"


@dataclass
class RenderingHub:
    """What was asked and what runs."""

    url: str = ""
    api_url: str | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    grants: dict[str, str] = field(default_factory=dict)
    users: set[str] = field(default_factory=set)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    status: int | None = None

    def stop(self, name: str) -> None:
        process = self.processes.pop(name, None)
        if process is not None:
            process.kill()
            process.wait(10)

    def _start(self, name: str, options: dict[str, Any]) -> None:
        self.grants[name] = options["grant"]
        if self.api_url is not None:
            kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
            env = kept | {"DATAPILOT_API_URL": self.api_url, "DATAPILOT_GRANT": options["grant"]}
            env["JUPYTERHUB_SERVICE_URL"] = "http://127.0.0.1:0"
            self.processes[name] = subprocess.Popen([sys.executable, "-m", "dashboards.rendering"], env=env)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """(status, JSON) of a request, as JupyterHub 6 answers."""
        parts = path.removeprefix("/hub/api/users/").split("/")
        name, server = parts[0], parts[1:] == ["server"]
        if self.status is not None:
            return self.status, {}
        if method == "POST" and not server:
            known = name in self.users
            self.users.add(name)
            return (409, {}) if known else (201, {"name": name})
        if name not in self.users:
            return 404, {}
        if method == "POST":
            self._start(name, json.loads(body))
            return 202, {}
        if method == "GET":
            process = self.processes.get(name)
            alive = name in self.grants and (process is None or process.poll() is None)
            return 200, {"name": name, "server": "/user/x/" if alive else None, "pending": None, "servers": {}}
        if server:
            self.stop(name)
            return 204, {}
        self.users.discard(name)
        self.grants.pop(name, None)
        self.removed.append(name)
        return 204, {}


@contextmanager
def rendering_hub(api_url: str | None = None) -> Iterator[RenderingHub]:
    """Run it; every process that is left is killed."""
    hub = RenderingHub(api_url=api_url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.asked.append((self.command, self.path))
            allowed = self.headers.get("Authorization") == f"token {TOKEN}"
            status, answer = hub.answer(self.command, self.path, body) if allowed else (403, {})
            sent = b"" if status == 204 else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_DELETE = _any  # noqa: N815 -- the base class's names

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
        for name in list(hub.processes):
            hub.stop(name)
        server.shutdown()
        server.server_close()
        thread.join(5)
