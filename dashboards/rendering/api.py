"""The grant's routes of the API, as a rendering calls them. Small and synchronous: the kernel's ``%tile`` uses it too."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import httpx

URL_VARIABLE, GRANT_VARIABLE = "DATAPILOT_API_URL", "DATAPILOT_GRANT"
ROUTES_VARIABLE = "DATAPILOT_GRANT_ROUTES"
"""Which of the API's routes the grant opens: ``rendering``, or ``interactive``; set by the process, for its kernel."""
_TIMEOUT = httpx.Timeout(330.0, connect=5.0)


class GrantClient:
    """One rendering's conversation with the API.

    Raises
    ------
    KeyError
        The environment names no API or no grant.
    httpx.HTTPError
        From every method: the API is away, or no longer takes the grant.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        found = os.environ if environment is None else environment
        base = found[URL_VARIABLE].rstrip("/") + "/api/v1/" + found.get(ROUTES_VARIABLE, "rendering")
        headers = {"Authorization": f"Bearer {found[GRANT_VARIABLE]}", "User-Agent": "datapilot-rendering"}
        # No proxy of the environment: the API is ours, and the grant is nobody else's business.
        self._http = httpx.Client(base_url=base, headers=headers, timeout=_TIMEOUT, trust_env=False)

    def __repr__(self) -> str:
        return "GrantClient()"

    def job(self) -> dict[str, Any]:
        """Return what is to be rendered: ``{"notebook", "language", "cell_timeout_s"}``."""
        return self._asked("GET", "/job")

    def tile(self, tile_id: str) -> dict[str, Any]:
        """Have the API run a tile of the version with the viewer's rights; return its outcome."""
        return self._asked("POST", f"/tiles/{tile_id}")

    def progress(self, done: int, of: int) -> None:
        """Say how far it is, in cells."""
        self._asked("POST", "/progress", {"done": done, "of": of})

    def finished(self, markup: str, tiles: tuple[str, ...]) -> None:
        """Hand in the page; the grant ends with it."""
        self._asked("POST", "/page", {"markup": markup, "tiles": list(tiles)})

    def failed(self, cell: int | None, name: str, trace: str) -> None:
        """Say that it could not be rendered; the grant ends with it."""
        self._asked("POST", "/failure", {"cell": cell, "name": name[:200], "trace": trace[-8000:]})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _asked(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        response = self._http.request(method, path, json=body)
        response.raise_for_status()
        found: dict[str, Any] = response.json() if response.content else {}
        return found
