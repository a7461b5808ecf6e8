"""What differs between two versions of a layer: in words, thing by thing, and line by line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from datapilot_kernel.messages import has_text, text
from datapilot_kernel.semantic import Layer, parse_layer
from datapilot_kernel.semantic.model import Dimension, Measure

MOST_SAID = 60
MOST_LINES = 2_000


@dataclass(frozen=True)
class Line:
    """A line of a difference, with its number in the version that has it (None: a gap between two places)."""

    mark: Literal["+", "-", " ", "…"]
    number: int | None
    text: str


@dataclass(frozen=True)
class Said:
    """One thing that differs: what became of it, what it is called, and which of its keys."""

    became: Literal["added", "removed", "changed"]
    name: str
    keys: tuple[str, ...] = ()


def lines(before: str, after: str, *, around: int = 2) -> list[Line]:
    r"""Return the lines that went and came, with some around them.

    >>> [(line.mark, line.number, line.text) for line in lines("a\nb\n", "a\nc\n")]
    [(' ', 1, 'a'), ('-', 2, 'b'), ('+', 2, 'c')]
    """
    old, new = before.splitlines(), after.splitlines()
    found: list[Line] = []
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(around):
        if found:
            found.append(Line("…", None, ""))
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                found += [Line(" ", j1 + at + 1, new[j1 + at]) for at in range(j2 - j1)]
                continue
            found += [Line("-", at + 1, old[at]) for at in range(i1, i2)]
            found += [Line("+", at + 1, new[at]) for at in range(j1, j2)]
    return found[:MOST_LINES]


def said(before: str, after: str) -> list[Said]:
    """Return the things that differ, in words; nothing when one of the two is no layer."""
    old, new = parse_layer(before)[0], parse_layer(after)[0]
    if old is None or new is None:
        return []
    were, are = dict(_things(old)), dict(_things(new))
    found = [Said("removed", were[path][0]) for path in were if path not in are]
    found += [Said("added", are[path][0]) for path in are if path not in were]
    for path, (name, now) in are.items():
        if path in were and were[path][1] != now:
            then = were[path][1]
            keys = tuple(key for key in now if now[key] != then.get(key))
            found.append(Said("changed", name, tuple(_word(key) for key in keys)))
    return found[:MOST_SAID]


def _things(layer: Layer) -> Iterator[tuple[tuple[str, ...], tuple[str, dict[str, Any]]]]:
    whole = layer.model_dump(mode="json", exclude={"entities", "joins", "status", "version"})
    yield ("",), (text("layer_pages.company"), whole)
    for name, entity in layer.entities.items():
        yield ("entity", name), (entity.label, entity.model_dump(mode="json", exclude={"dimensions", "measures"}))
        inside: dict[str, Dimension | Measure] = {**entity.dimensions, **entity.measures}
        for key, one in inside.items():
            yield ("in", name, key), (f"{entity.label} › {one.label}", one.model_dump(mode="json"))
    for name, join in layer.joins.items():
        named = text("layer_pages.join_named", one=join.from_entity, other=join.to_entity)
        yield ("join", name), (named, join.model_dump(mode="json"))


def _word(key: str) -> str:
    named = f"layer_pages.field.{key}"
    return text(named) if has_text(named) else key
