"""A snapshot made ready for its readers: the page's body as HTML, its charts as data. Kept in memory, bounded in bytes.

What is prepared belongs to *one* snapshot (a digest of everything in it is the key: no two people's rights meet here that
did not meet there), one language, and one of two kinds of reader: authors see statements and sources. A reader then costs
the look at their rights, a row, and the sending of what is already written.

The data stand in a ``<script type="application/json">``: read by the page's script, never run.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.engine.outcome import Answer
from datapilot_kernel.engine.wire_reading import from_json
from datapilot_kernel.messages import Language, text
from datapilot_kernel.plan.model import Plan
from hub_config.pages import sketches, tiles

if TYPE_CHECKING:
    from hub_config.content.viewing import Ground
    from hub_config.pages.rendering import Renderer
    from hub_config.snapshots import Snapshot

_PLACE = re.compile(r'<section\b[^>]*\bdata-tile="([0-9a-f]{32})"[^>]*>\s*</section>')
_FIRST_TITLE = re.compile(r'\A\s*<section class="dp-text">\s*<h1>(.*?)</h1>\s*(?=<|\Z)', re.DOTALL)
_EMPTY_TEXT = re.compile(r'<section class="dp-text">\s*</section>')
MOST_BYTES = 48 * 1024 * 1024
_ABOUT_S, _MOST_ABOUTS = 60.0, 500

Key = tuple[bytes, Language, bool]


@dataclass(frozen=True)
class Board:
    """What every reader of a snapshot gets.

    Attributes
    ----------
    body
        The page's middle: text and tiles, in their order.
    data
        JSON for the script: ``{tile id: {"chart", "rows", "points"}}``, safe within a script element.
    sketch
        A small SVG of the first chart, else of the first figure; empty: there is neither.
    failed
        Titles of tiles that have no figure.
    """

    body: str = field(repr=False)
    data: str = field(repr=False)
    sketch: str = field(repr=False)
    failed: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return 2 * (len(self.body) + len(self.data) + len(self.sketch)) + 1000


class Boards:
    """The boards of this process. Thread-safe; who asks for one that is being made waits for it."""

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, Board] = OrderedDict()
        self._making: dict[Key, Future[Board]] = {}
        self._size = 0

    def get(self, key: Key, make: Callable[[], Board]) -> Board:
        """Return a board: kept, or made now."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
            waiting = self._making.get(key)
            mine: Future[Board] | None = None
            if waiting is None:
                mine = self._making[key] = Future()
        if mine is None:
            assert waiting is not None
            return waiting.result()
        try:
            board = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
            self._kept[key] = board
            self._size += board.size
            while self._size > self._most_bytes and self._kept:
                self._size -= self._kept.popitem(last=False)[1].size
        mine.set_result(board)
        return board

    def clear(self) -> None:
        """Drop everything: a tenant goes away, and what is prepared again for the others is little."""
        with self._lock:
            self._kept.clear()
            self._size = 0

    @property
    def size(self) -> int:
        """About how many bytes are kept."""
        return self._size


@dataclass(frozen=True)
class About:
    """What a page shows of a dashboard that is the same for everybody who may open it."""

    workspace: str | None
    published_at: datetime
    filters: list[dict[str, Any]]


class Abouts:
    """Those of this process, each for a minute: names change seldom, and what is chosen is looked at anew in any case."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str, int, Language], tuple[float, About]] = OrderedDict()

    def get(self, key: tuple[str, str, int, Language], make: Callable[[], About]) -> About:
        """Return what is known of a version (tenant, dashboard, number, language), asked again after a minute."""
        with self._lock:
            found = self._kept.get(key)
        if found is not None and self._clock() - found[0] < _ABOUT_S:
            return found[1]
        made = make()
        with self._lock:
            self._kept[key] = (self._clock(), made)
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST_ABOUTS:
                self._kept.popitem(last=False)
        return made

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._kept.clear()


def key_of(snapshot: Snapshot, tenant_id: str, language: Language, *, author: bool) -> Key:
    """Return what a board is kept by: everything that is in the snapshot, and who reads it in what language."""
    read = hashlib.blake2b(digest_size=24)
    for part in (tenant_id, snapshot.dashboard_id, str(snapshot.version), snapshot.made_at.isoformat(), snapshot.markup):
        read.update(part.encode("utf-8", "surrogatepass") + b"\0")
    for name, body in sorted(snapshot.tiles.items()):
        read.update(name.encode() + b"\0" + body + b"\0")
    return read.digest(), language, author


def board_of(
    snapshot: Snapshot,
    content: Mapping[str, Any],
    grounds: Callable[[str], Ground | None],
    render: Renderer,
    *,
    author: bool,
) -> Board:
    """Make a snapshot's board.

    Parameters
    ----------
    content
        Of the snapshot's version.
    grounds
        What a source is, by its id; None: it is no longer there.
    """
    known = {tile["id"]: tile for tile in content["tiles"]}
    data: dict[str, Any] = {}
    failed: list[str] = []
    drawn: tuple[list[str], list[str]] = ([], [])
    parts: list[str] = []
    filled: set[str] = set()
    open_grid = False
    for number, piece in enumerate(_PLACE.split(_without_title(snapshot.markup, str(content.get("name", ""))))):
        if number % 2 == 0:
            words = _EMPTY_TEXT.sub("", piece).strip()
            if words:
                parts.append("</div>" if open_grid else "")
                parts.append(words)
                open_grid = False
            continue
        tile = known.get(piece)
        if tile is None or piece in filled:
            continue
        filled.add(piece)
        found, outcome = _tile(snapshot.tiles.get(piece), tile, content, grounds, render, author=author)
        if found["state"] != "shown" and not found.get("calm"):
            failed.append(title_of(tile, len(filled)))
        if isinstance(outcome, Answer) and found["state"] == "shown":
            drawn[found["chart"] is None].append(sketches.sketch(outcome, found["chart"]))
        if not open_grid:
            parts.append('<div class="dp-tiles">')
            open_grid = True
        parts.append(article(render, snapshot.dashboard_id, tile, len(filled), found))
        data[piece] = {name: found[name] for name in ("chart", "rows", "points") if found.get(name)}
    parts.append("</div>" if open_grid else "")
    return Board(
        "\n".join(part for part in parts if part),
        script_json(data),
        next(filter(None, (*drawn[0], *drawn[1])), ""),
        tuple(failed),
    )


def article(
    render: Renderer, dashboard_id: str, tile: Mapping[str, Any], number: int, found: Mapping[str, Any] | None
) -> str:
    """Return a tile's card; ``found`` None: it is fetched by the page's script."""
    chart = (found or {}).get("chart")
    height = chart["layout"].get("height", 340) if chart else 0
    return render.part(
        "dashboard_tile.html",
        file=render.url(f"/tableaux/{dashboard_id}/tuiles/{tile['id']}"),
        tile_id=tile["id"],
        title=title_of(tile, number),
        question=tile.get("question") if tile.get("title") else None,
        number=number,
        found=found,
        height=height,
    )


def title_of(tile: Mapping[str, Any], number: int) -> str:
    """Return what a tile is called."""
    return str(tile.get("title") or tile.get("question") or text("pages.dashboard.untitled", number=number))


def script_json(value: Any) -> str:
    r"""Return JSON that no parser of HTML reads anything else out of.

    >>> script_json("</script>")
    '"\\u003c/script>"'
    """
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return written.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _tile(
    body: bytes | None,
    tile: Mapping[str, Any],
    content: Mapping[str, Any],
    grounds: Callable[[str], Ground | None],
    render: Renderer,
    *,
    author: bool,
) -> tuple[dict[str, Any], Any]:
    if body is None:
        return tiles.problem(render, text("pages.dashboard.failed")), None
    said = json.loads(body)
    outcome = from_json(said)
    ground = grounds(tile["source_id"])
    around = tiles.Around(
        ground.formatter() if ground is not None else Formatter(),
        read_at=datetime.fromisoformat(said["read_at"]) if said.get("read_at") else None,
        total=said.get("row_count"),
        source=ground.name if ground is not None else "",
        accepted=bool(content.get("exploratory")),
        plan=Plan.model_validate(tile["plan"]) if ground is not None and ground.layer is not None else None,
    )
    return tiles.pieces(outcome, tile, around, render, author=author), outcome


def _without_title(markup: str, name: str) -> str:
    """Leave out a notebook's first heading where it is the page's own title."""
    found = _FIRST_TITLE.match(markup)
    if found is None or _plain(found[1]) != _plain(name):
        return markup
    return '<section class="dp-text">' + markup[found.end() :]


def _plain(words: str) -> str:
    from html import unescape

    return " ".join(unescape(re.sub(r"<[^>]*>", "", words)).casefold().split())
