"""The value index: which stored values the words of a question may mean.

It is filled by the engine with what guarded queries return for one person's rights, so it can only show what that person
may see. Values are found as wholes (any case, accents, plural), by a telling part of them (« Part-Dieu » for « Boutique Lyon
Part-Dieu »), and, for words that nothing else explains, by spelling. Very short values (codes of one letter, « oui »)
are found
only as wholes and only in their own case.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "’": "'", "ß": "ss"})
_WORD = re.compile(r"[^\W\d_]+\d*(?:[^\W\d_]+\d*)?|\d+(?:[.,]\d+)?|[^\s\w]")
_KEPT_SYMBOLS = set("&+%€")
_LONGEST = 10
_MOST_WITH_INITIALS = 60
"""Initials stand for a value only of a dimension with few of them: among many, any three letters are somebody's."""
_SMALL = {
    "de",
    "du",
    "des",
    "la",
    "le",
    "les",
    "l",
    "d",
    "en",
    "et",
    "a",
    "au",
    "aux",
    "sur",
    "sous",
    "of",
    "the",
    "and",
    "sa",
    "sarl",
    "sas",
}


@dataclass(frozen=True, slots=True)
class ValueHit:
    """A stored value that words may mean; ``score`` 1: written as stored (but for case, accents and plural)."""

    ref: str
    value: str
    score: float


def _fold(text: str) -> str:
    lowered = text.lower().translate(_LIGATURES)
    if lowered.isascii():
        return lowered
    return "".join(c for c in unicodedata.normalize("NFKD", lowered) if not unicodedata.combining(c))


def value_words(text: str) -> tuple[str, ...]:
    """Return the folded words of a value (``"Provence-Alpes-Côte d'Azur"`` -> provence alpes cote d azur)."""
    return tuple(w for w in _WORD.findall(_fold(text)) if w[0].isalnum() or w in _KEPT_SYMBOLS)


def _singular(word: str) -> str:
    if len(word) < 4 or not word.isalpha():
        return word
    if word.endswith("eaux"):
        return word[:-1]
    if word.endswith("aux"):
        return word[:-3] + "al"
    return word[:-1] if word[-1] in "sx" else word


class ValueIndex:
    """Stored values by their words.

    Parameters
    ----------
    values
        ``entity.dimension`` -> stored values (up to tens of thousands).
    """

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self.values: dict[str, tuple[str, ...]] = {
            ref: tuple(dict.fromkeys(v for v in vs if v)) for ref, vs in values.items()
        }
        self._whole: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        self._by_word: dict[str, list[tuple[str, str, int]]] = {}
        self._longest: dict[str, int] = {}
        self._joined: dict[str, list[tuple[str, str]]] = {}
        self._by_length: dict[int, list[str]] = {}
        self._by_letters: dict[str, list[tuple[str, ...]]] = {}
        self._initials: dict[str, dict[tuple[str, ...], list[tuple[str, str]]]] = {}
        for ref, stored in self.values.items():
            for value in stored:
                words = value_words(value)
                if not words or len(words) > _LONGEST:
                    continue
                text = " ".join(words)
                if len(words) > 1 and text not in self._joined:
                    self._by_letters.setdefault("".join(w[0] for w in words), []).append(words)
                self._joined.setdefault(text, []).append((ref, value))
                if len(words) >= 3 and len(stored) <= _MOST_WITH_INITIALS:
                    for name in {"".join(w[0] for w in words), "".join(w[0] for w in words if w not in _SMALL)}:
                        if len(name) >= 3 and name.isalpha():
                            self._initials.setdefault(name, {}).setdefault(words, []).append((ref, value))
                key = tuple(_singular(w) for w in words)
                self._whole.setdefault(key, []).append((ref, value))
                self._longest[key[0]] = max(self._longest.get(key[0], 0), len(key))
                # A number within a value (« AV-2025-1000 ») tells nothing of it: « plus de 1000 € » is no credit note.
                telling = [w for w in set(key) if w not in _SMALL and len(w) >= 3 and w.isalpha()]
                if len(key) > 1:
                    for word in telling:
                        self._by_word.setdefault(word, []).append((ref, value, len(telling)))
        for text in self._joined:
            self._by_length.setdefault(len(text), []).append(text)

    def __len__(self) -> int:
        return sum(len(v) for v in self.values.values())

    def exact(self, words: Sequence[str]) -> list[ValueHit]:
        """Return the values that are these words (folded), whole."""
        return [ValueHit(ref, value, 1.0) for ref, value in self._whole.get(tuple(_singular(w) for w in words), ())]

    def partial(self, words: Sequence[str], *, at_most: int = 4) -> list[ValueHit]:
        """Return the values that contain all these words; none when a dimension has more than ``at_most`` of them."""
        telling = [_singular(w) for w in words if w not in _SMALL]
        if not telling or all(len(w) < 4 for w in telling):
            return []
        found: dict[tuple[str, str], int] | None = None
        for word in telling:
            here = {(ref, value): size for ref, value, size in self._by_word.get(word, ())}
            found = here if found is None else {k: v for k, v in found.items() if k in here}
        per_ref: dict[str, list[tuple[str, int]]] = {}
        for (ref, value), size in (found or {}).items():
            per_ref.setdefault(ref, []).append((value, size))
        hits = []
        if len(telling) == 1 and per_ref and min(map(len, per_ref.values())) <= at_most < max(map(len, per_ref.values())):
            # « Brume » is one brand's name in part, and a whole range's of products: neither, until somebody says which.
            return []
        for ref, entries in per_ref.items():
            if len(entries) <= at_most:
                hits += [ValueHit(ref, value, 0.6 + 0.25 * min(1.0, len(telling) / size)) for value, size in entries]
        return hits

    def fuzzy(self, text: str, *, refs: Iterable[str] | None = None, limit: int = 4) -> list[ValueHit]:
        """Return the values nearest in spelling to ``text``, best first; the shorter the text the fewer slips are
        allowed.
        """
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        wanted = " ".join(value_words(text))
        slips = 0 if len(wanted) < 5 else 1 if len(wanted) < 8 else 2 if len(wanted) < 14 else 3
        if not slips:
            return []
        allowed = set(refs) if refs is not None else None
        near = [
            key for length in range(len(wanted) - slips, len(wanted) + slips + 1) for key in self._by_length.get(length, ())
        ]
        hits: list[ValueHit] = []
        for key, distance, _ in process.extract(wanted, near, scorer=OSA.distance, score_cutoff=slips, limit=limit * 3):
            if distance and key[0] != wanted[0] and len(wanted) < 8:
                continue
            for ref, value in self._joined[key]:
                if allowed is None or ref in allowed:
                    hits.append(ValueHit(ref, value, 1.0 - 0.08 * distance))
        return sorted(hits, key=lambda h: -h.score)[:limit]

    def misspelt(self, words: Sequence[str]) -> list[ValueHit]:
        """Return the values of as many words that these misspell, nearest first.

        Word by word, the first letters hold: no slip below four letters, one below eight, two from there on.
        """
        from rapidfuzz.distance import OSA

        hits: list[ValueHit] = []
        for stored in self._by_letters.get("".join(w[0] for w in words), ()):
            slips = 0
            for typed, word in zip(words, stored, strict=True):
                allowed = 0 if len(typed) < 4 else 1 if len(typed) < 8 else 2
                if abs(len(typed) - len(word)) > allowed:
                    break
                slip = 0 if typed == word else OSA.distance(typed, word, score_cutoff=allowed)
                if slip > allowed:
                    break
                slips += slip
            else:
                hits += [ValueHit(ref, value, 1.0 - 0.08 * slips) for ref, value in self._joined[" ".join(stored)]]
        return sorted(hits, key=lambda h: -h.score)

    def initials(self, word: str) -> list[ValueHit]:
        """Return the value of three words or more whose initials these are, with or without the small words (« PACA »,
        « IDF »); none when two values share them.
        """
        found = self._initials.get(word, {})
        return [ValueHit(ref, value, 0.86) for ref, value in next(iter(found.values()))] if len(found) == 1 else []

    def spans(self, norms: Sequence[str]) -> list[tuple[int, int, list[ValueHit]]]:
        """Return every (start, end, hits) of the folded words ``norms`` that name a value, wholly or by a telling part."""
        found: list[tuple[int, int, list[ValueHit]]] = []
        keys = [_singular(n) for n in norms]
        for start, first in enumerate(keys):
            whole_ends = set[int]()
            for length in range(min(self._longest.get(first, 0), len(keys) - start), 0, -1):
                entries = self._whole.get(tuple(keys[start : start + length]))
                if entries:
                    found.append((start, start + length, [ValueHit(r, v, 1.0) for r, v in entries]))
                    whole_ends.add(start + length)
            if first in self._by_word:
                for length in range(min(6, len(keys) - start), 0, -1):
                    last = keys[start + length - 1]
                    if start + length in whole_ends or last in _SMALL or (length > 1 and last not in self._by_word):
                        continue
                    hits = self.partial(norms[start : start + length])
                    if hits:
                        found.append((start, start + length, hits))
        return found
