"""The face's files, from the pages' own origin. With the version in their address browsers keep them for good."""

from __future__ import annotations

from starlette.responses import Response

from hub_config import face
from hub_config.errors import NotFound
from hub_config.pages.serving import Visit

_TYPES = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


async def static(visit: Visit) -> Response:
    """Return a file of the face."""
    name = visit.request.path_params["name"]
    if name not in face.FILES:
        raise NotFound(log="no such file of the face")
    kept = visit.request.query_params.get("v") == face.version()
    headers = {"Cache-Control": "public, max-age=31536000, immutable" if kept else "no-cache"}
    return Response((face.folder() / name).read_bytes(), media_type=_TYPES[name.rpartition(".")[2]], headers=headers)
