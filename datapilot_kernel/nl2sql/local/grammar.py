"""The closed class of words, read from ``words/LANG.toml``: operators, filler words, adjectives and verbs that stand
for nouns.

Phrases are compared stem by stem, so the files need one form of each word. Nothing in them names a business notion of any
customer: those come from the layer.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from datapilot_kernel.nl2sql.local.tokens import Token, fold, stem, tokenize

Phrase = tuple[str, ...]


def phrase(text: str) -> Phrase:
    """Return the stems of a phrase.

    >>> phrase("Chiffres d'affaires")
    ('chiffr', 'd', 'affair')
    """
    return tuple(stem(t.norm) for t in tokenize(text))


class PhraseTable:
    """Phrases and what each means; finds the longest at a place."""

    def __init__(self) -> None:
        self._table: dict[Phrase, list[str]] = {}
        self._longest: dict[str, int] = {}

    def add(self, text: str, meaning: str) -> None:
        """Add one phrase; it may have several meanings."""
        key = phrase(text)
        if not key:
            return
        meanings = self._table.setdefault(key, [])
        if meaning not in meanings:
            meanings.append(meaning)
        self._longest[key[0]] = max(self._longest.get(key[0], 0), len(key))

    def at(self, stems: Sequence[str], start: int) -> list[tuple[int, list[str]]]:
        """Return every (end, meanings) of phrases that begin at ``start``, longest first."""
        found = []
        for length in range(min(self._longest.get(stems[start], 0), len(stems) - start), 0, -1):
            meanings = self._table.get(tuple(stems[start : start + length]))
            if meanings:
                found.append((start + length, meanings))
        return found

    def words(self) -> set[str]:
        """Return every stem used."""
        return {word for key in self._table for word in key}


class Grammar:
    """One language's closed class.

    Attributes
    ----------
    operators, intents
        Phrase -> names of operators; of reasons to refuse.
    filler, filler_after
        Words that carry nothing; words that carry nothing after some others.
    durations
        Stem of a unit of duration -> minutes.
    adjectives, verbs
        Stem -> nouns to look up.
    done
        Verbs of « how much did we … » -> measures to look up.
    making
        Verbs of making: beside a measure they say nothing more.
    common
        Stems of everyday words: never taken for a misspelt word of the layer.
    """

    def __init__(self, language: str) -> None:
        raw = _read(f"{language}.toml")
        self.language = language
        self.operators, self.intents = PhraseTable(), PhraseTable()
        for name, phrases in raw["operators"].items():
            for text in phrases:
                self.operators.add(text, name)
        for name, phrases in raw["intents"].items():
            for text in phrases:
                self.intents.add(text, name)
        self.filler = {fold(word) for word in raw["filler"].split()}
        self.filler_after = {fold(word): frozenset(before) for word, before in raw["filler_after"].items()}
        self.durations = {stem(word): int(minutes) for word, minutes in raw["durations"].items()}
        self.adjectives = {stem(word): tuple(nouns) for word, nouns in raw["adjectives"].items()}
        self.verbs = {stem(word): tuple(nouns) for word, nouns in raw["verbs"].items()}
        texts = [t for table in (raw["operators"], raw["intents"]) for phrases in table.values() for t in phrases]
        self.spelled = {
            fold(w) for t in [*texts, raw["filler"], *raw["verbs"], *raw["adjectives"]] for w in t.split() if len(w) >= 4
        }
        self._rewrites: dict[str, list[tuple[Phrase, Phrase]]] = {}
        spoken = _read(f"spoken.{language}.toml").get("rewrites", {}) if language == "fr" else {}
        for typed, read in (raw.get("rewrites", {}) | spoken).items():
            key = tuple(t.norm for t in tokenize(typed))
            self._rewrites.setdefault(key[0], []).append((key, tuple(t.norm for t in tokenize(read))))
        for known in self._rewrites.values():
            known.sort(key=lambda pair: -len(pair[0]))
        self.making = {fold(word) for word in raw.get("making", "").split()}
        self.done = {verb: tuple(nouns) for verb, nouns in raw.get("done", {}).items()}
        self.common = {stem(fold(w)) for w in _read("common.toml")[language].split()}
        self.known = (
            {stem(w) for w in self.filler}
            | self.operators.words()
            | set(self.adjectives)
            | set(self.verbs)
            | self.intents.words()
        )

    def rewrites_at(self, first: str) -> Sequence[tuple[Phrase, Phrase]]:
        """Return (words as typed, what they stand for) of phrases that begin with a word, longest first."""
        return self._rewrites.get(first, ())

    def is_filler(self, token: Token, before: Token | None = None) -> bool:
        """Tell whether the token carries nothing by itself (punctuation included)."""
        if token.norm in self.filler_after:
            return before is not None and before.norm in self.filler_after[token.norm]
        return token.norm in self.filler if token.kind == "word" else token.kind == "symbol" and token.norm in _PUNCTUATION


_PUNCTUATION = set('€$£?!.,;:()"«»“”…*#[]/')


@cache
def grammar(language: str) -> Grammar:
    """Return the grammar of ``fr`` or ``en``, read once."""
    return Grammar(language)


@cache
def equivalents() -> tuple[tuple[Phrase, ...], ...]:
    """Return classes of business words that translate each other (``words/equivalents.toml``), as phrases."""
    return tuple(tuple(phrase(form) for form in forms) for forms in _read("equivalents.toml")["classes"])


@cache
def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files("datapilot_kernel").joinpath("nl2sql", "local", "words", name).read_text(encoding="utf-8"))
