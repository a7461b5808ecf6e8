"""The product's face: the mark, and one style sheet for the API's pages and the hub's. Each serves it from its own origin.
Beside it what the page of a dashboard needs: its own sheet, and the script that fetches the tiles.

``folder()`` is where the files are: the API serves them below ``/static/``, the hub's process names the folder to its own
static handler. Nothing is fetched from elsewhere: system fonts, no pictures but the mark.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

FILES = (
    "datapilot.css",
    "logo.svg",
    "dashboard.css",
    "dashboard.js",
    "copy.js",
    "interactive.js",
    "connect.js",
    "layer.css",
    "layer.js",
)


def folder() -> Path:
    """Return the folder of the files."""
    return Path(__file__).parent


@cache
def version() -> str:
    """Return a short name of these very files: what a page appends to their address, so that they may be kept for long."""
    read = hashlib.sha256()
    for name in FILES:
        read.update((folder() / name).read_bytes())
    return read.hexdigest()[:12]
