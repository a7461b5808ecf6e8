"""A company's sign-in: a real OpenID Connect provider over HTTP, with its own keys (RS256), for tests.

::

    with oidc_server() as company:
        company.person = {"sub": "zoe", "email": "zoe@t1.example", "email_verified": True, "name": "Zoé"}
        ... the browser is sent to ``company.issuer`` and back ...
        company.claims = lambda claims: claims | {"aud": "another"}      # a wrong answer

It signs in whoever ``person`` is without asking. The code is good once, for the address it was asked for, and with the PKCE
verifier that fits; the client's secret is checked: a hub that left one out would fail here. ``history`` has every request.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


@dataclass
class Oidc:
    """The provider, and what it is to answer."""

    issuer: str = ""
    client_id: str = "datapilot-hub"
    client_secret: str = "the client's secret"
    person: dict[str, Any] = field(default_factory=dict)
    claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    sign: Callable[[Oidc, dict[str, Any]], str] | None = None
    error: str | None = None
    away: bool = False
    configuration: dict[str, Any] = field(default_factory=dict)
    history: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    key: Any = None
    kid: str = "k1"
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def fresh_key(self, kid: str) -> None:
        """Another key from now on: the provider has rotated."""
        self.key, self.kid = rsa.generate_private_key(public_exponent=65537, key_size=2048), kid

    def token(self, claims: dict[str, Any]) -> str:
        """Sign an ID token."""
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.kid})

    def asked(self, path: str) -> list[dict[str, str]]:
        """What was asked of a path."""
        return [given for _, where, given in self.history if where == path]

    # ── the routes ────────────────────────────────────────────────────────────────────────────────────────────────

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        } | self.configuration

    def keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": self.kid, "use": "sig", "alg": "RS256"}]}

    def authorize(self, given: dict[str, str]) -> str:
        """Where the browser goes next."""
        if self.error is not None:
            return f"{given['redirect_uri']}?{urlencode({'error': self.error, 'state': given['state']})}"
        code = secrets.token_urlsafe(16)
        self._codes[code] = given
        return f"{given['redirect_uri']}?{urlencode({'code': code, 'state': given['state']})}"

    def exchange(self, given: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self._codes.pop(given.get("code", ""), None)
        basic = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        if authorization != f"Basic {basic}":
            return 401, {"error": "invalid_client"}
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if asked is None or asked["redirect_uri"] != given["redirect_uri"] or asked.get("code_challenge") != challenge:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": asked.get("nonce")}
        claims = self.claims(claims | self.person)
        token = self.sign(self, claims) if self.sign is not None else self.token(claims)
        return 200, {"access_token": "unused", "token_type": "Bearer", "id_token": token}


@contextmanager
def oidc_server() -> Iterator[Oidc]:
    """Run one."""
    company = Oidc()
    company.fresh_key("k1")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self, status: int, body: object, **headers: str) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            where = urlsplit(self.path)
            given = {name: values[0] for name, values in parse_qs(where.query).items()}
            company.history.append(("GET", where.path, given))
            if company.away:
                self._answer(503, {})
            elif where.path == "/.well-known/openid-configuration":
                self._answer(200, company.metadata())
            elif where.path == "/keys":
                self._answer(200, company.keys())
            elif where.path == "/authorize":
                self._answer(302, {}, Location=company.authorize(given))
            else:
                self._answer(404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            given = {name: values[0] for name, values in parse_qs(body).items()}
            company.history.append(("POST", self.path, given))
            if company.away:
                self._answer(503, {})
            else:
                self._answer(*company.exchange(given, self.headers.get("Authorization", "")))

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    company.issuer = f"http://127.0.0.1:{server.server_port}"
    try:
        yield company
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
