"""A version's notebook: what is kept of the one that was sent, and what a rendering runs of it.

*Kept* is source and nothing else: outputs, execution counts, attachments and metadata go (wall 6), whoever sent them and
whatever they said of having done it already. Markdown and code stay as written, raw cells go (they are for other programs).

*Run* is the same notebook with each question of ours replaced by the tile that stands for it (``%tile ID``), or taken out
when it stands for none; statements and settings of the author's session are taken out. All other code runs as it is, in the
rendering's container, with a grant that opens this version's tiles and nothing else. Tiles without a place in the notebook
(pinned, added later) come after it. A dashboard that was made without a notebook is its tiles, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from datapilot_kernel.errors import BadInput
from datapilot_kernel.notebook.cells import Written, replaced, written_in
from datapilot_kernel.notebook.secrets import Secret, secrets_in
from hub_config.errors import TooLarge

MOST_CELLS = 500
MOST_CHARACTERS = 512 * 1024

_METADATA = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}


class SecretInside(BadInput):
    """A cell has what looks like a secret: it is not kept."""


def kept(sent: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a notebook that somebody sent: nbformat 4, sources only.

    Raises
    ------
    BadInput
        It is no notebook of format 4.
    TooLarge
        It has more cells, or more text, than a page can have.
    SecretInside
        A cell has what looks like a secret; says where, not what.
    """
    cells = sent.get("cells")
    if sent.get("nbformat") != 4 or not isinstance(cells, list):
        raise BadInput("publishing.not_a_notebook")
    if len(cells) > MOST_CELLS:
        raise TooLarge("publishing.notebook_too_large", cells=MOST_CELLS, limit=MOST_CHARACTERS // 1024)
    made, length = [], 0
    for number, cell in enumerate(cells):
        kind, source = _read(cell)
        length += len(source)
        made.append(_cell(number, kind, source))
    if length > MOST_CHARACTERS:
        raise TooLarge("publishing.notebook_too_large", cells=MOST_CELLS, limit=MOST_CHARACTERS // 1024)
    found = secrets_in([cell["source"] for cell in made])
    if found:
        raise SecretInside("publishing.secret_inside", places=places_of(found))
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": _METADATA, "cells": made}


def places_of(found: list[Secret]) -> str:
    """Return where secrets are, for people, who count from 1: « cellule 3, ligne 2 »."""
    from datapilot_kernel.messages import text

    said = [text("publishing.secret_at", cell=one.cell + 1, line=one.line, kind=text(f"publishing.secret.{one.kind}"))
            for one in found[:5]]  # fmt: skip
    return " ; ".join(said)


def _read(cell: Any) -> tuple[str, str]:
    if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
        raise BadInput("publishing.not_a_notebook")
    source = cell.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise BadInput("publishing.not_a_notebook")
    # A raw cell keeps its place, so that the others keep their numbers, and loses what is in it.
    return ("markdown", "") if cell["cell_type"] == "raw" else (str(cell["cell_type"]), source)


def _cell(number: int, kind: str, source: str) -> dict[str, Any]:
    made: dict[str, Any] = {"id": f"cell-{number}", "cell_type": kind, "metadata": {}, "source": source}
    return made | {"execution_count": None, "outputs": []} if kind == "code" else made


# ── what a rendering runs ─────────────────────────────────────────────────────────────────────────────────────────────


def run_of(content: dict[str, Any]) -> dict[str, Any]:
    """Return the notebook that a rendering of a version runs: nbformat 4 JSON.

    >>> [cell["source"] for cell in run_of({"name": "Ventes", "tiles": [{"id": "a1", "title": "CA"}]})["cells"]]
    ['%tile a1']
    """
    tiles = sorted(content["tiles"], key=lambda tile: int(tile.get("position", 0)))
    notebook = content.get("notebook")
    places = placed(notebook, tiles) if notebook else {}
    cells: list[dict[str, Any]] = []
    for number, cell in enumerate(notebook["cells"] if notebook else ()):
        source = cell["source"]
        if cell["cell_type"] == "code":
            source = _with_tiles(source, {at: tiles[i]["id"] for i, (n, at) in places.items() if n == number})
        if source.strip():
            cells.append(_cell(number, cell["cell_type"], source))
    without = [tile for i, tile in enumerate(tiles) if i not in places]
    cells += [_cell(10_000 + i, "code", f"%tile {tile['id']}") for i, tile in enumerate(without)]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": _METADATA, "cells": cells}


def _with_tiles(source: str, tile_of: dict[int, str]) -> str:
    questions = [magic for magic in written_in(source) if magic.kind == "ask"]

    def line(magic: Written) -> str | None:
        tile = tile_of.get(questions.index(magic)) if magic.kind == "ask" else None
        if tile is None:
            return None
        return f"%tile {tile}" + (f" -o {magic.output}" if magic.output and magic.output.isidentifier() else "")

    return replaced(source, line)


def placed(notebook: dict[str, Any], tiles: list[dict[str, Any]]) -> dict[int, tuple[int, int]]:
    """Return where tiles stand: index of the tile → (cell, which of the cell's questions).

    A tile says its cell; of several questions in one it is the one that has its words, else the next that is free.
    """
    found: dict[int, tuple[int, int]] = {}
    by_cell: dict[int, list[int]] = {}
    for i, tile in enumerate(tiles):
        if isinstance(tile.get("cell"), int):
            by_cell.setdefault(tile["cell"], []).append(i)
    cells = notebook["cells"]
    for number, mine in by_cell.items():
        if not 0 <= number < len(cells) or cells[number]["cell_type"] != "code":
            continue
        free = {at: magic.text for at, magic in enumerate(m for m in written_in(cells[number]["source"]) if m.kind == "ask")}
        late = []
        for i in mine:
            said = " ".join((tiles[i].get("question") or "").split())
            at = next((at for at, written in free.items() if written == said), None)
            if at is None:
                late.append(i)
            else:
                found[i] = (number, at)
                del free[at]
        found |= {i: (number, at) for i, at in zip(late, list(free), strict=False)}
    return found


@dataclass(frozen=True)
class OwnCode:
    """A cell that runs as its author's code; ``cell`` counted from 1, as people do."""

    cell: int
    source: str


def own_code(content: dict[str, Any]) -> list[OwnCode]:
    """Return the code of a version that is its author's own: what is left of code cells without the tiles."""
    notebook = content.get("notebook")
    if not notebook:
        return []
    shown = []
    for number, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] == "code":
            left = replaced(cell["source"], lambda _magic: None)
            if any(
                line.strip() and not line.strip().startswith("#") and line.strip() != "pass" for line in left.split("\n")
            ):
                shown.append(OwnCode(number, cell["source"]))
    return shown


@dataclass(frozen=True)
class LeftOut:
    """A question or a statement of the notebook that no tile stands for; ``cell`` counted from 1."""

    cell: int
    kind: str
    text: str


def left_out(content: dict[str, Any]) -> list[LeftOut]:
    """Return what of the notebook the page will not show."""
    notebook = content.get("notebook")
    if not notebook:
        return []
    tiles = sorted(content["tiles"], key=lambda tile: int(tile.get("position", 0)))
    taken = set(placed(notebook, tiles).values())
    missing = []
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        at = -1
        for magic in written_in(cell["source"]):
            at += magic.kind == "ask"
            if magic.kind == "sql" or (magic.kind == "ask" and (number, at) not in taken):
                missing.append(LeftOut(number + 1, magic.kind, magic.text[:300]))
    return missing
