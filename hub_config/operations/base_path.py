"""The path below which browsers reach the service (``public_url``'s), when it shares its host with the hub.

The hub's proxy does not strip it. What comes below it is served as if it stood at the root (``root_path`` says so to whoever
builds addresses), and what comes without it is served too: the containers ask by an internal name, at the root.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


def base_of(public_url: str) -> str:
    """Return the path of an address, without a slash at its end.

    >>> base_of("https://datapilot.example"), base_of("http://127.0.0.1:8000/services/datapilot/")
    ('', '/services/datapilot')
    """
    return urlsplit(public_url).path.rstrip("/")


class BasePath:
    """Serve below a path, and at the root."""

    def __init__(self, app: ASGIApp, *, base: str) -> None:
        self.app = app
        self.base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and self.base:
            path: str = scope["path"]
            if path == self.base:
                await RedirectResponse(f"{self.base}/", 307)(scope, receive, send)
                return
            if path.startswith(f"{self.base}/"):
                scope = {**scope, "root_path": self.base}
        await self.app(scope, receive, send)
