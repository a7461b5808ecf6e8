"""Which way something changed: « en baisse », « ont le plus progressé », « la plus forte hausse ».

A word of change is neutral (« évolution », « variation »), or goes up, or down. Said of things as what they did (« les
magasins en recul », « dont le CA a baissé ») it is a condition on the change; after a superlative it is what they are
ranked by. A rate of change (« croissance », « en % ») and an amount of it (« en euros ») rank differently: where neither is
said, the rate is taken for words of growth, and the person is asked for the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from datapilot_kernel.nl2sql.local.tokens import fold

_UP = ("progress", "augment", "hauss", "croiss", "accru", "mont", "grew", "grow", "increas", "rise", "rose", "up", "gagn")
_DOWN = (
    "baiss",
    "recul",
    "diminu",
    "chut",
    "declin",
    "decroiss",
    "regress",
    "decreas",
    "drop",
    "fell",
    "fall",
    "down",
    "shrunk",
)
_RATES = ("progress", "croiss", "grew", "grow", "taux", "rate")
_DID = (
    "a",
    "ont",
    "qui",
    "en",
    "est",
    "sont",
    "is",
    "are",
    "has",
    "have",
    "went",
    "grew",
    "fell",
    "dropped",
    "declined",
    "rose",
)


@dataclass(frozen=True)
class Change:
    """``up``: to more; ``rate``: as a growth rate; ``done``: said of things as what they did, not named as a figure."""

    up: bool
    rate: bool
    done: bool


def change_of(text: str) -> Change | None:
    """Return which way a phrase of change goes; None when it is neutral.

    >>> change_of("en baisse")
    Change(up=False, rate=False, done=True)
    >>> change_of("évolution") is None
    True
    """
    words = [fold(w) for w in text.replace("-", " ").split()]
    up = any(w.startswith(_UP) for w in words)
    down = any(w.startswith(_DOWN) for w in words)
    if up == down:
        return None
    return Change(up, any(w.startswith(_RATES) for w in words), words[0] in _DID or _doing(words))


def _doing(words: list[str]) -> bool:
    """« les magasins qui baissent », « lesquels reculent »: what several things do."""
    return len(words) == 1 and words[0].endswith("ent") and words[0].startswith((*_UP, *_DOWN))


Part = Literal["growth", "difference"]
