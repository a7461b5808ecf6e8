"""One error shape for everything that is not a success, whoever raised it: ours, FastAPI's, Starlette's, or a fault.

What came in is never echoed: a wrong field is named, its value is not (it may be a password). A fault gets an incident id;
the log has where it broke and never the foreign exception's text.
"""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from datapilot_kernel.errors import DataPilotError, Fault, LayerProblem, logged_fault
from datapilot_kernel.messages import text
from hub_config.errors import NotFound, PlatformUnavailable, TooMany, Unauthenticated, status_of

log = logging.getLogger(__name__)

_HTTP_KEYS = {
    401: "hub.unauthenticated",
    403: "hub.forbidden",
    404: "hub.not_found",
    405: "hub.method_not_allowed",
    413: "hub.too_large",
    415: "hub.unsupported_media_type",
}


def error_body(
    code: str, message: str, *, details: dict[str, Any] | None = None, incident: str | None = None
) -> dict[str, Any]:
    """Return the contract's error object."""
    return {"error": {"code": code, "message": message, "details": details or {}, "incident": incident}}


def body_of(error: DataPilotError) -> dict[str, Any]:
    """Return the contract's error object for one of our errors."""
    details: dict[str, Any] = dict(getattr(error, "details", None) or {})
    if isinstance(error, TooMany) and error.retry_after_s is not None:
        details["retry_after_s"] = error.retry_after_s
    if isinstance(error, LayerProblem):
        found = error.values.get("findings", ())
        details["findings"] = [{"line": f.line, "code": f.code, "message": f.message} for f in found]
    return error_body(error.reason, error.message, details=details, incident=getattr(error, "incident", None))


def response_of(error: DataPilotError) -> JSONResponse:
    """Return the answer for one of our errors, with the headers that go with it."""
    headers: dict[str, str] = {}
    retry_after = getattr(error, "retry_after_s", None)
    if isinstance(error, (TooMany, PlatformUnavailable)) and retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body_of(error), status_of(error), headers=headers)


def fault_of(error: BaseException, where: str) -> Fault:
    """Log whatever broke, without its text, and return the fault that the person is told of."""
    return logged_fault(error, where, log)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DataPilotError)
    if isinstance(error, Fault):
        log.error("incident %s: %s", error.incident, error.log)
    else:
        log.info("%s: %s", type(error).__name__, error.log)
    return response_of(error)


async def _validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # A path that does not fit its pattern names nothing that exists: no other answer than for an unknown id.
    if all(e["loc"][:1] == ("path",) for e in error.errors()):
        return response_of(NotFound(log="malformed id"))
    if any(e["type"] == "json_invalid" for e in error.errors()):
        return JSONResponse(error_body("bad_json", text("hub.bad_json")), 422)
    fields = [_field(e) for e in error.errors()]
    shown = ", ".join(dict.fromkeys(said for _, said in fields))
    details = {"fields": list(dict.fromkeys(name for name, _ in fields))}
    return JSONResponse(error_body("bad_request", text("hub.bad_request", fields=shown), details=details), 422)


def _field(error: Any) -> tuple[str, str]:
    place, *rest = error["loc"]
    # A discriminated union's branch and the names of unknown fields come from outside: only identifiers are shown.
    name = ".".join(str(part) for part in rest if isinstance(part, int) or str(part).isidentifier())[:80] or str(place)
    kind = {"missing": "hub.field_missing", "extra_forbidden": "hub.field_unknown"}.get(error["type"], "hub.field_wrong")
    return name, text(kind, field=name)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    key = _HTTP_KEYS.get(error.status_code, "hub.bad_json" if error.status_code < 500 else "hub.unavailable")
    limit = f"{request.app.state.platform.settings.body_max_bytes // 1024} Kio" if key == "hub.too_large" else ""
    body = error_body(key.rpartition(".")[2], text(key, limit=limit))
    return JSONResponse(body, error.status_code, headers=dict(error.headers or {}))


def install(app: FastAPI) -> None:
    """Give the application the one error shape.

    Whatever else is raised is caught by :mod:`hub_config.operations.middleware`: a handler of ``Exception`` here would have
    Starlette raise it again for the server to log, text and all.
    """
    app.add_exception_handler(DataPilotError, _ours)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
