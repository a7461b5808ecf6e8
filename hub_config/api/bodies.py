"""JSON that comes in: only what every part of the platform can keep, write down and answer again.

RFC 8259 lets through what is none of a person's text: NUL (PostgreSQL has none), halves of surrogate pairs (UTF-8 has
none), numbers beyond every float (``1e400``; Python also reads ``NaN``), thousands of nested lists. Where a field is a free
document, one such value once kept would break every list that it stands in. So it is refused at the door, for every route,
as JSON that cannot be read. Rejected: a validator of each model (free documents have none, and one is forgotten).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

DEEPEST = 64
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|NaN|Infinity|[eE]\+?\d{3}|\d{300}")
_NEVER = re.compile("[\x00\ud800-\udfff]")


def is_keepable(value: Any) -> bool:
    r"""Tell whether a document holds text and numbers that can be kept, not nested too deeply.

    >>> is_keepable({"a": ["é", 1.5, None]}), is_keepable(["\x00"]), is_keepable({"a": float("nan")})
    (True, False, False)
    """
    waiting = [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        if isinstance(one, str):
            if _NEVER.search(one):
                return False
        elif isinstance(one, float):
            if not math.isfinite(one):
                return False
        elif isinstance(one, (dict, list)):
            if depth >= DEEPEST:
                return False
            if isinstance(one, dict):
                waiting += [(key, depth) for key in one]
                one = one.values()
            waiting += [(item, depth + 1) for item in one]
    return True


class _Request(Request):
    async def json(self) -> Any:
        """Return the body's JSON.

        Raises
        ------
        json.JSONDecodeError
            It is none, or holds what nobody can keep.
        """
        body = await self.body()
        try:
            value = json.loads(body)
        except RecursionError:
            raise json.JSONDecodeError("too deep", "", 0) from None
        suspect = body.count(b"[") + body.count(b"{") > DEEPEST or b"\x00" in body or _SUSPECT.search(body) is not None
        if suspect and not is_keepable(value):
            raise json.JSONDecodeError("not keepable", "", 0)
        return value


class KeepableRoute(APIRoute):
    """A route whose JSON body is held to :func:`is_keepable`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, which is given a request that reads JSON so."""
        handler = super().get_route_handler()

        async def held(request: Request) -> Response:
            return await handler(_Request(request.scope, request.receive))

        return held
