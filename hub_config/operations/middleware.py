"""What holds for every request: an id, a language, a time limit, headers, a line in the log, a count in the metrics, and the
one error shape for what the application itself did not catch or answered in plain text.

Pure ASGI, so that streams pass through untouched. The order is: context (outermost), CORS, time limit, application. The
id is ours, never the client's: a log must not be written by whoever calls.
"""

from __future__ import annotations

import logging
import time
from uuid import uuid4

import anyio
import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datapilot_kernel.messages import Language, set_language, text
from hub_config.api.errors import error_body, fault_of, response_of
from hub_config.operations.metrics import Metrics
from hub_config.settings import Settings

log = logging.getLogger("hub_config.access_log")

_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def install(app: FastAPI, settings: Settings) -> None:
    """Wrap the application; the last added is the outermost."""
    app.add_middleware(TimeLimit, seconds=settings.request_timeout_seconds)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Accept-Language", "If-Match"],
            expose_headers=["X-Request-Id", "Retry-After", "ETag"],
            max_age=600,
        )
    app.add_middleware(
        Context,
        metrics=app.state.platform.metrics,
        https=settings.public_url.startswith("https:"),
        body_max_bytes=settings.body_max_bytes,
    )


def language_of(accepted: str) -> Language:
    """Return the language of an Accept-Language header: English only when it comes before French.

    >>> language_of("en-GB,en;q=0.9,fr;q=0.5"), language_of("de"), language_of("")
    ('en', 'fr', 'fr')
    """
    for part in accepted.split(","):
        tag = part.split(";")[0].strip().casefold()[:2]
        if tag in ("fr", "en"):
            return "en" if tag == "en" else "fr"
    return "fr"


class Context:
    """Request id, language, headers, access log, metrics."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, https: bool, body_max_bytes: int) -> None:
        self.app = app
        self.body_max_bytes = body_max_bytes
        self.metrics = metrics
        self.headers = dict(_SECURITY)
        if https:
            self.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        set_language(language_of(Headers(scope=scope).get("accept-language", "")))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        status = 0
        replaced: JSONResponse | None = None

        async def with_headers(message: Message) -> None:
            nonlocal status, replaced
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                if status in _PLAIN and headers.get("content-type", "").startswith("text/plain"):
                    replaced = _in_shape(status, self.body_max_bytes)
                    return
                headers["X-Request-Id"] = request_id
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            elif replaced is not None:
                answer, replaced = replaced, None
                await answer(scope, receive, with_headers)
                return
            await send(message)

        try:
            await self.app(scope, receive, with_headers)
        except Exception as error:  # noqa: BLE001 -- the edge: whatever broke becomes a 500 with an incident id
            if isinstance(error, ClientDisconnect):
                return
            fault = fault_of(error, f"{scope['method']} {getattr(scope.get('route'), 'path', 'unknown route')}")
            if not status:
                await response_of(fault)(scope, receive, with_headers)
        finally:
            self._record(scope, status or 499, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = str(getattr(scope.get("route"), "path", "unknown"))
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self.metrics.requests.labels(method, route, str(status)).inc()
        self.metrics.request_seconds.labels(method, route).observe(seconds)
        principal = scope.get("state", {}).get("principal")
        extra = {"tenant_id": principal.tenant_id, "user_id": principal.user_id} if principal else {}
        with structlog.contextvars.bound_contextvars(**extra):
            log.info("%s %s %s %.1f ms", method, route, status, seconds * 1000)


_PLAIN = {413: "hub.too_large", 405: "hub.method_not_allowed", 404: "hub.not_found", 400: "hub.bad_json"}
"""Statuses that Starlette answers by itself in plain text (its body limit, its CORS), and our words for them."""


def _in_shape(status: int, body_max_bytes: int) -> JSONResponse:
    key = _PLAIN[status]
    limit = f"{body_max_bytes // 1024} Kio" if status == 413 else ""
    return JSONResponse(error_body(key.rpartition(".")[2], text(key, limit=limit)), status)


_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class TimeLimit:
    """Stop a request that takes longer than anything may; a started answer is cut, an unstarted one is a 503."""

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        with anyio.move_on_after(self.seconds) as limit:
            await self.app(scope, receive, watched)
        if limit.cancelled_caught:
            log.warning("request stopped after %s s", self.seconds)
            if not begun:
                answer = JSONResponse(error_body("request_timeout", text("hub.request_timeout")), 503)
                await answer(scope, receive, send)
