"""Structured logs: one line of JSON each (or readable, on a terminal), with the request's id, never with a secret.

Code logs through the standard library's ``logging``; structlog renders it and adds what the request's context
knows. The scrubber is the last net, not the rule: nothing of ours puts a token, a connection string or a value into a line.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from hub_config.settings import Settings

_SECRETS = re.compile(
    r"(?P<url>[a-z][a-z0-9+]*://)[^/\s:@]+:[^@\s]+@"
    r"|(?i:bearer|token)\s+[\w\-.~+/=]{12,}"
    r"|\beyJ[\w\-]+\.[\w\-]+\.[\w\-]+"
    r"|\bsk-[\w\-]{8,}"
    r"|\bgAAAAA[\w\-=]{20,}"
)


def scrub(text: str) -> str:
    """Return a text without what looks like a secret.

    >>> scrub("cannot reach postgresql://anna:s3cret@db/x")
    'cannot reach postgresql://…@db/x'
    """
    return _SECRETS.sub(lambda found: f"{found['url']}…@" if found["url"] else "…", text)


def _scrubbed(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = scrub(value)
    return event


def configure(settings: Settings) -> None:
    """Send every logger to standard error in the settings' form. Called by the commands that serve, never at import."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _scrubbed,
    ]
    last: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for noisy in ("uvicorn.access", "httpx", "httpcore", "sqlalchemy.engine"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True
