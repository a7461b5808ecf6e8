"""The platform's API, for this server: one pool of connections, the notebook's token, one shape of errors.

The hub's token is exchanged as the kernel's client does it (:class:`~datapilot_kernel.notebook.hub_token.HubToken`): before
its ten minutes are over, and once more when the API answers 401. No token, header or cookie of the browser is passed on, and
none of the platform's comes back.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from datapilot_kernel.errors import DataPilotError
from datapilot_kernel.messages import current_language, text
from datapilot_kernel.notebook.hub_token import HUB_TOKEN_VARIABLE, URL_VARIABLE, HubToken

if TYPE_CHECKING:
    import httpx

_SILENCE_S = 35.0  # the API says « still there » every ten seconds
_CONNECT_S = 5.0


class Said(Exception):
    """What is answered to the browser instead of a result: the API's own error, or ours in its shape.

    Attributes
    ----------
    error
        ``{"code", "message", "details", "incident"}``, as everywhere.
    """

    def __init__(self, status: int, error: Mapping[str, Any], *, retry_after: str | None = None) -> None:
        super().__init__(str(error.get("code")))
        self.status, self.error, self.retry_after = status, dict(error), retry_after

    @classmethod
    def ours(cls, status: int, code: str, **values: Any) -> Said:
        """Return an error of this half, with its sentence from the catalogue."""
        return cls(status, {"code": code, "message": text(f"lab.{code}", **values), "details": {}, "incident": None})


class Platform:
    """Speaks to the API. Made at the first request; closed with the server.

    Parameters
    ----------
    base_url
        None: ``DATAPILOT_API_URL``.
    token, transport
        For tests; None: the hub's token, exchanged; the network.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        token: HubToken | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        exchange: httpx.BaseTransport | None = None,
    ) -> None:
        self._base_url = base_url
        self._token = token or HubToken()
        self._transport, self._exchange = transport, exchange
        self._http: httpx.AsyncClient | None = None
        self._plain: httpx.Client | None = None

    def __repr__(self) -> str:
        return "Platform()"

    @property
    def missing(self) -> str | None:
        """What keeps this server from asking the platform: ``no_platform``, ``no_hub_token``, or None."""
        if not (self._base_url or os.environ.get(URL_VARIABLE)):
            return "no_platform"
        return None if os.environ.get(HUB_TOKEN_VARIABLE) or self._exchange is not None else "no_hub_token"

    async def aclose(self) -> None:
        """Close the connections. Safe twice."""
        http, plain, self._http, self._plain = self._http, self._plain, None, None
        if http is not None:
            await http.aclose()
        if plain is not None:
            plain.close()

    # ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def opened(
        self,
        method: str,
        path: str,
        *,
        accept: str = "application/json",
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        timeout_s: float = _SILENCE_S,
    ) -> AsyncIterator[httpx.Response]:
        """Open a response whose status is a success; what is left of it is cut off at the end of the block.

        A body that is an iterator is sent once: a token that has just run out is answered with the error then.

        Raises
        ------
        Said
            The API says no, is away, or does not know this server's token.
        """
        import httpx

        http, _ = self._clients()
        try:
            for attempt in (1, 2):
                token = await self._current()
                request = http.build_request(
                    method,
                    path,
                    params=dict(params or {}),
                    content=content,
                    headers={
                        "Authorization": f"Bearer {token}",
                        "Accept": accept,
                        "Accept-Language": current_language(),
                        **(headers or {}),
                    },
                    timeout=httpx.Timeout(timeout_s, connect=_CONNECT_S),
                )
                response = await http.send(request, stream=True)
                if response.status_code != 401:
                    break
                self._token.forget(token)
                if attempt == 2 or not (content is None or isinstance(content, bytes)):
                    await response.aclose()
                    raise Said.ours(403, "not_signed_in")
                await response.aclose()
            try:
                if response.status_code >= 400:
                    raise await _said_by(response)
                yield response
            finally:
                await response.aclose()
        except (httpx.HTTPError, httpx.StreamError):
            # Whatever it was: which host and why stands in no answer.
            raise Said.ours(502, "unreachable") from None

    async def json(self, method: str, path: str, *, body: Any = None, **options: Any) -> Any:
        """Return what the API answers, read as JSON. See :meth:`opened`."""
        if body is not None:
            options["content"] = json.dumps(body).encode()
            options["headers"] = {"Content-Type": "application/json"}
        async with self.opened(method, path, **options) as response:
            return json.loads(await response.aread())

    async def _current(self) -> str:
        _, plain = self._clients()
        try:
            return await asyncio.to_thread(self._token.current, plain)
        except DataPilotError as error:
            raise Said.ours(403, "no_hub_token" if error.reason == "no_hub_token" else "not_signed_in") from None

    def _clients(self) -> tuple[httpx.AsyncClient, httpx.Client]:
        import httpx

        if self._http is None or self._plain is None:
            where = self._base_url or os.environ.get(URL_VARIABLE, "")
            if not where:
                raise Said.ours(503, "no_platform")
            common: dict[str, Any] = {
                "base_url": where.rstrip("/") + "/api/v1/",
                "timeout": httpx.Timeout(_SILENCE_S, connect=_CONNECT_S),
                "headers": {"User-Agent": "datapilot-lab"},
                "follow_redirects": False,
            }
            self._http = httpx.AsyncClient(transport=self._transport, **common)
            self._plain = httpx.Client(transport=self._exchange, **common)
        return self._http, self._plain


async def _said_by(response: httpx.Response) -> Said:
    """Return the API's error; one without our shape (a proxy's page) is told as « does not answer »."""
    try:
        error = json.loads(await response.aread())["error"]
        found = {name: error[name] for name in ("code", "message", "details", "incident")}
    except (ValueError, KeyError, TypeError):
        return Said.ours(502, "unreachable")
    return Said(response.status_code, found, retry_after=response.headers.get("Retry-After"))
