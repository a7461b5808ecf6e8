"""The face's files and the charts' library, from the pages' own origin. With the version in their address browsers keep them
for good.

The library is its small build where there is one (:mod:`hub_config.face.library`), else the file that the ``plotly`` package
brings; nothing of the package is imported. Where neither is there a dashboard shows its tables, and no chart.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import anyio.to_thread
from starlette.responses import Response

from hub_config import face
from hub_config.errors import NotFound
from hub_config.face import library
from hub_config.pages.serving import Visit

PLOTLY = "plotly.js"
_TYPES = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml", "js": "text/javascript; charset=utf-8"}


@cache
def _plotly() -> Path | None:
    if (small := library.small()) is not None:
        return small
    found = find_spec("plotly")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        path = Path(folder) / "package_data" / "plotly.min.js"
        if path.is_file():
            return path
    return None


@cache
def plotly_version() -> str | None:
    """Return a short name of the very file; None: there is none."""
    path = _plotly()
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path is not None else None


@cache
def _packed() -> bytes:
    path = _plotly()
    assert path is not None
    return gzip.compress(path.read_bytes(), 9, mtime=0)


async def static(visit: Visit) -> Response:
    """Return a file of the face, or the charts' library."""
    name = visit.request.path_params["name"]
    asked = visit.request.query_params.get("v")
    if name == PLOTLY:
        return await _library(visit, asked)
    if name not in face.FILES:
        raise NotFound(log="no such file of the face")
    content = (face.folder() / name).read_bytes()
    return Response(content, media_type=_TYPES[name.rpartition(".")[2]], headers=_kept(asked == face.version()))


async def _library(visit: Visit, asked: str | None) -> Response:
    path, version = _plotly(), await anyio.to_thread.run_sync(plotly_version)
    if path is None:
        raise NotFound(log="the charts' library is not installed")
    headers = _kept(asked == version) | {"Vary": "Accept-Encoding"}
    if "gzip" in visit.request.headers.get("accept-encoding", ""):
        content = await anyio.to_thread.run_sync(_packed)
        headers["Content-Encoding"] = "gzip"
    else:
        content = await anyio.to_thread.run_sync(path.read_bytes)
    return Response(content, media_type=_TYPES["js"], headers=headers)


def _kept(long: bool) -> dict[str, str]:
    return {"Cache-Control": "public, max-age=31536000, immutable" if long else "no-cache"}
