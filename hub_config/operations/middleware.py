"""What holds for every request: an id, a language, a time limit, headers, a line in the log, a count in the metrics.

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
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datapilot_kernel.messages import Language, set_language, text
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
    app.add_middleware(Context, metrics=app.state.platform.metrics, https=settings.public_url.startswith("https:"))


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

    def __init__(self, app: ASGIApp, *, metrics: Metrics, https: bool) -> None:
        self.app = app
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
        status = 500

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, with_headers)
        finally:
            self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = str(getattr(scope.get("route"), "path", "unknown"))
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self.metrics.requests.labels(method, route, str(status)).inc()
        self.metrics.request_seconds.labels(method, route).observe(seconds)
        principal = scope.get("state", {}).get("principal")
        extra = {"tenant_id": principal.tenant_id, "user_id": principal.user_id} if principal else {}
        with structlog.contextvars.bound_contextvars(**extra):
            log.info("%s %s %s %.1f ms", method, route, status, seconds * 1000)


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
                from starlette.responses import JSONResponse

                from hub_config.api.errors import error_body

                answer = JSONResponse(error_body("request_timeout", text("hub.request_timeout")), 503)
                await answer(scope, receive, send)
