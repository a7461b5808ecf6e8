"""A little server that speaks the parts of JupyterHub's API that the platform asks.

``GET /hub/api/user`` for whose a token is; ``/hub/api/users`` for the people there and their servers, as the service
(:data:`SERVICE_TOKEN`); ``/hub/api/oauth2/token`` for a code of the sign-in to the pages (:attr:`HubServer.codes`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

SERVICE_TOKEN = "the-services-own-token-at-the-hub-0123456789"
SCOPES = ["access:services!service=datapilot", "read:users:name!user=x", "users:activity!user=x"]


@dataclass
class HubServer:
    """Tokens and whose they are; what was asked, and how often the service was told of users.

    ``answer`` takes the place of every answer: (status, body). ``people`` are the hub's users by name: their servers
    and groups. ``slow_stops``: how often a server is asked about before it has stopped.
    """

    url: str = ""
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answered: int = 0
    answer: tuple[int, bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    acts: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    slow_stops: int = 0
    page_size: int = 50

    def add_person(self, name: str, *servers: str, groups: tuple[str, ...] = ()) -> str:
        """A user of the hub with running servers (« » is the default one)."""
        self.people[name] = {"servers": {server: {"ready": True} for server in servers}, "groups": list(groups)}
        return name

    def code_for(self, token: str, *, challenge: str, redirect_uri: str) -> str:
        """A code of the sign-in to the pages, as the hub's authorize page would have sent the browser back with."""
        code = f"code-{len(self.codes)}-0123456789"
        self.codes[code] = {"token": token, "challenge": challenge, "redirect_uri": redirect_uri}
        return code

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
            if hub.answer is None and self.path.startswith("/hub/api/users"):
                self.reply(*_as_service(hub, "GET", self.path, token))
                hub.answered += 1
                return
            self.reply(
                *(
                    hub.answer
                    or (
                        (200, json.dumps(hub.users[token]).encode())
                        if token in hub.users
                        else (403, b'{"status": 403, "message": "Forbidden"}')
                    )
                )
            )

        def do_DELETE(self) -> None:
            token = self.headers.get("Authorization", "").removeprefix("token ")
            self.reply(*(hub.answer or _as_service(hub, "DELETE", self.path, token)))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            self.reply(*(hub.answer or _exchanged(hub, self.path, {k: v[0] for k, v in parse_qs(body).items()})))

        def reply(self, status: int, body: bytes) -> None:
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


def _as_service(hub: HubServer, method: str, path: str, token: str) -> tuple[int, bytes]:
    """The administration of users and servers, as JupyterHub 6 answers it."""
    if token != SERVICE_TOKEN:
        return 403, b'{"status": 403}'
    where = urlsplit(path)
    parts = [unquote(part) for part in where.path.removeprefix("/hub/api/").split("/")]
    if len(parts) == 1:
        asked = parse_qs(where.query)
        offset, names = int(asked["offset"][0]), sorted(hub.people)
        items = [_shown(hub, name) for name in names[offset : offset + hub.page_size]]
        end = offset + len(items)
        pagination = {"offset": offset, "total": len(names), "next": {"offset": end} if end < len(names) else None}
        return 200, json.dumps({"items": items, "_pagination": pagination}).encode()
    name, rest = parts[1], parts[2:]
    if name not in hub.people:
        return 404, b'{"status": 404}'
    person = hub.people[name]
    if method == "GET":
        for server in [s for s, left in person.get("stopping", {}).items() if left <= 0]:
            del person["stopping"][server], person["servers"][server]
        person["stopping"] = {server: left - 1 for server, left in person.get("stopping", {}).items()}
        return 200, json.dumps(_shown(hub, name)).encode()
    hub.acts.append(f"{method} {where.path.removeprefix('/hub/api')}")
    if not rest:
        if person["servers"]:
            return 400, b'{"status": 400}'
        del hub.people[name]
        return 204, b""
    server = rest[1] if len(rest) > 1 else ""
    if server not in person["servers"]:
        return 404, b'{"status": 404}'
    if hub.slow_stops:
        person.setdefault("stopping", {})[server] = hub.slow_stops
        return 202, b""
    del person["servers"][server]
    return 204, b""


def _shown(hub: HubServer, name: str) -> dict[str, Any]:
    person = hub.people[name]
    return {"kind": "user", "name": name, "servers": person["servers"], "groups": person["groups"]}


def _exchanged(hub: HubServer, path: str, form: dict[str, str]) -> tuple[int, bytes]:
    """A code for a token, once, for the client that has its secret, its verifier and its address."""
    code = hub.codes.pop(form.get("code", ""), None)
    if path != "/hub/api/oauth2/token" or code is None:
        return 400, b'{"error": "invalid_grant"}'
    if (form.get("client_id"), form.get("client_secret")) != ("service-datapilot", SERVICE_TOKEN):
        return 401, b'{"error": "invalid_client"}'
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    if challenge != code["challenge"] or form.get("redirect_uri") != code["redirect_uri"]:
        return 400, b'{"error": "invalid_grant"}'
    return 200, json.dumps({"access_token": code["token"], "token_type": "Bearer"}).encode()
