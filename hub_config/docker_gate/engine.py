"""The gate's own line to the engine: requests that the gate wrote, over the socket, one answer each, never a stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

_ANSWER_BYTES = 16 * 1024 * 1024
_TIMEOUT = httpx.Timeout(100.0, connect=5.0)


class EngineAway(Exception):
    """The engine does not answer, or answers what no engine would."""


@dataclass(frozen=True)
class Answer:
    """What the engine said."""

    status: int
    content: bytes
    content_type: str

    def json(self) -> Any:
        """Return the body.

        Raises
        ------
        EngineAway
            It is no JSON.
        """
        import json

        try:
            return json.loads(self.content)
        except ValueError:
            raise EngineAway("the engine's answer is no JSON") from None


class EngineLine:
    """Speaks to the engine."""

    def __init__(self, socket: Path) -> None:
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(socket)), base_url="http://docker", timeout=_TIMEOUT, trust_env=False
        )

    async def ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> Answer:
        """Send one request, read one bounded answer.

        Raises
        ------
        EngineAway
            No answer, or one beyond 16 MiB.
        """
        try:
            async with self._client.stream(method, path, params=query, json=body) as response:
                content = bytearray()
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > _ANSWER_BYTES:
                        raise EngineAway("the engine's answer is too large")
                return Answer(response.status_code, bytes(content), response.headers.get("content-type", ""))
        except httpx.HTTPError as error:
            raise EngineAway(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()
