"""The face's files and the charts' library, from the pages' own origin. With the version in their address browsers keep them
for good.

The library is its small build where there is one (:mod:`hub_config.face.library`), else the file that the ``plotly`` package
brings; nothing of the package is imported. Where neither is there a dashboard shows its tables, and no chart.

What a first visit waits for is mostly that file, so it is served as browsers run it fastest: its one big function stands in
parentheses, which a browser takes as « run at once » and compiles whole while the file still comes, instead of skipping it
then and reading it a second time when it is called (« possibly invoked function expressions », https://v8.dev/blog/preparser).
And the page has elements of the names under which the whole library looks for its style sheets
(:attr:`ChartsLibrary.styles`; maps need them, no chart of ours does): it adds none then, where the policy would turn each
away with an error.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
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


_OUTER = (
    (b'} (typeof self !== "undefined" ? self : this, () => {', b'} (typeof self !== "undefined" ? self : this, (() => {'),
    (b"return Plotly;\n}));", b"return Plotly;\n})));"),
)
"""How the library's file calls its one function, and with parentheses around that."""
_STYLES = re.compile(rb'getElementById\("([0-9a-f]{64})"\)')


@dataclass(frozen=True)
class ChartsLibrary:
    """The charts' library as it is served.

    Attributes
    ----------
    version
        A short name of these very bytes.
    packed
        The script, as gzip.
    styles
        Names of elements; where the page has one of a name the library adds no style sheet under it.
    """

    version: str
    packed: bytes
    styles: tuple[str, ...]

    @classmethod
    def of(cls, script: bytes) -> ChartsLibrary:
        """Return a library from its file; of an unknown shape it is served as it is."""
        if all(script.count(old) == 1 for old, _ in _OUTER):
            for old, new in _OUTER:
                script = script.replace(old, new)
        version = hashlib.sha256(script).hexdigest()[:12]
        styles = tuple(dict.fromkeys(name.decode() for name in _STYLES.findall(script)))
        return cls(version, gzip.compress(script, 9, mtime=0), styles)


def _file() -> Path | None:
    if (small := library.small()) is not None:
        return small
    found = find_spec("plotly")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        path = Path(folder) / "package_data" / "plotly.min.js"
        if path.is_file():
            return path
    return None


@cache
def charts_library() -> ChartsLibrary | None:
    """Return the charts' library, read once; None: there is none."""
    path = _file()
    return ChartsLibrary.of(path.read_bytes()) if path is not None else None


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
    found = await anyio.to_thread.run_sync(charts_library)
    if found is None:
        raise NotFound(log="the charts' library is not installed")
    headers = _kept(asked == found.version) | {"Vary": "Accept-Encoding"}
    if "gzip" in visit.request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.packed, media_type=_TYPES["js"], headers=headers)
    content = await anyio.to_thread.run_sync(gzip.decompress, found.packed)
    return Response(content, media_type=_TYPES["js"], headers=headers)


def _kept(long: bool) -> dict[str, str]:
    return {"Cache-Control": "public, max-age=31536000, immutable" if long else "no-cache"}
