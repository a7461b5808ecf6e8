"""For the operator's tools: alive, ready, measured."""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from typing import Literal

from fastapi import Request, Response

from hub_config.api.routing import Routes, ThePlatform, Wire
from hub_config.errors import NotFound, PlatformUnavailable

routes = Routes("", tag="operations")


class Health(Wire):
    """The service answers."""

    status: Literal["ok"] = "ok"


@routes.get("/healthz", permission=None, summary="Alive: the process answers")
async def healthz() -> Health:
    """Say that the process answers; asks nothing of the database."""
    return Health()


@routes.get("/readyz", permission=None, summary="Ready: the database answers, is migrated, and the service is not stopping")
def readyz(platform: ThePlatform) -> Health:
    """Say that questions can be served now, or 503."""
    if not platform.is_ready():
        raise PlatformUnavailable
    return Health()


@routes.get(
    "/metrics",
    permission=None,
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text"}},
)
async def metrics(request: Request, platform: ThePlatform) -> Response:
    """Return the metrics, to loopback or to whoever holds the metrics token."""
    token = platform.settings.metrics_token
    if token is not None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        allowed = hmac.compare_digest(given.encode(), token.get_secret_value().encode())
    else:
        allowed = _is_loopback(request.client.host if request.client else "")
    if not allowed:
        raise NotFound(log="metrics asked for from elsewhere, or with another token")
    return Response(platform.metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "testclient"
