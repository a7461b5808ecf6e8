"""Correct the spelling of words that nothing explains.

Only those, and only when one known word is clearly nearest: no slip below five letters (but one left out of an everyday
word of five), one up to seven, two from eight on;
the first letter holds for short words. An everyday word is never corrected (« salaires » is not « salariés »).
"""

from __future__ import annotations

from dataclasses import dataclass

from datapilot_kernel.catalog.values import ValueIndex, value_words
from datapilot_kernel.nl2sql.local.cover import Cover
from datapilot_kernel.nl2sql.local.grammar import Grammar
from datapilot_kernel.nl2sql.local.lexicon import Lexicon
from datapilot_kernel.nl2sql.local.periods import time_words
from datapilot_kernel.nl2sql.local.tokens import Token, fold, stem


@dataclass(frozen=True)
class Corrected:
    """The tokens with corrections, and what was changed: (typed, read)."""

    tokens: list[Token]
    changes: list[tuple[str, str]]


class Speller:
    """Built once for a lexicon."""

    def __init__(self, lexicon: Lexicon, values: ValueIndex) -> None:
        self.lexicon, self.values = lexicon, values
        self._words: dict[str, tuple[str, ...]] = {}
        self._near: dict[tuple[str, int, int], tuple[str, ...]] = {}
        # Loaded with the first engine, not with the first misspelt question.
        import rapidfuzz.process  # noqa: F401

    def _vocabulary(self, grammar: Grammar, length: int, slips: int) -> tuple[str, ...]:
        """Return the words that so many slips can make of one so long, sorted: five hundred tables have many others."""
        if grammar.language not in self._words:
            words = self.lexicon.vocabulary | grammar.spelled | time_words(grammar.language)
            self._words[grammar.language] = tuple(sorted(w for w in words if w.isalpha()))
        key = (grammar.language, length, slips)
        if key not in self._near:
            self._near[key] = tuple(w for w in self._words[grammar.language] if abs(len(w) - length) <= slips)
        return self._near[key]

    def correct(self, found: Cover, grammar: Grammar) -> Corrected | None:
        """Return the tokens with their spelling corrected; None when nothing could be."""
        tokens, changes = list(found.tokens), list[tuple[str, str]]()
        replaced: dict[int, list[Token]] = {}
        settled = 0
        for place, item in enumerate(found.items):
            if item.kind != "unknown" or item.start < settled:
                continue
            token = tokens[item.start]
            window = self._whole_value(found, place)
            if window is not None:
                start, end, value = window
                for i in range(start, end):
                    replaced[i] = []
                replaced[start] = [
                    Token(tokens[start].text, w, tokens[start].start, tokens[end - 1].end, corrected=True)
                    for w in value_words(value)
                ]
                changes.append((" ".join(t.text for t in tokens[start:end]), value))
                settled = end
                continue
            word = self._word(token, grammar)
            if word is not None:
                replaced[item.start] = [token.corrected_to(word)]
                changes.append((token.text, word))
                continue
            stored = self._value(token, grammar)
            if stored is not None:
                replaced[item.start] = [
                    Token(token.text, w, token.start, token.end, corrected=True) for w in value_words(stored)
                ]
                changes.append((token.text, stored))
        if not replaced:
            return None
        out: list[Token] = []
        for i, token in enumerate(tokens):
            out += replaced.get(i, [token])
        return Corrected(out, changes)

    def _word(self, token: Token, grammar: Grammar) -> str | None:
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        typed = token.norm
        if token.kind != "word" or not typed.isalpha():
            return None
        if f"{typed}s" in grammar.spelled and grammar.operators.at((token.stem,), 0) == [] and len(typed) >= 5:
            return f"{typed}s"  # « depui »
        if token.stem in grammar.common:
            return None
        if len(typed) < 5:
            return self._left_out(typed, grammar) if len(typed) == 4 else None
        slips = 1 if len(typed) < 8 else 2
        near = self._vocabulary(grammar, len(typed), slips)
        hits = process.extract(typed, near, scorer=OSA.distance, score_cutoff=slips, limit=6)
        if typed.endswith("s") and len(typed) > 5:
            near = self._vocabulary(grammar, len(typed) - 1, 1)
            hits += process.extract(typed[:-1], near, scorer=OSA.distance, score_cutoff=1, limit=6)
        hits = sorted((h for h in hits if h[0][0] == typed[0] or len(typed) >= 8), key=lambda h: h[1])
        best = {stem(h[0]): h[0] for h in reversed(hits) if h[1] == hits[0][1]}
        return str(next(iter(best.values()))) if len(best) == 1 else None

    def _left_out(self, typed: str, grammar: Grammar) -> str | None:
        """« totl », « anee »: one letter left out of an everyday word; of the layer's words, four letters say too little."""
        words = {w for w in grammar.spelled | time_words(grammar.language) if len(w) == 5 and w[0] == typed[0]}
        found = {w for w in words if any(w[:i] + w[i + 1 :] == typed for i in range(1, 5))}
        return next(iter(found)) if len(found) == 1 else None

    def _value(self, token: Token, grammar: Grammar) -> str | None:
        if token.kind != "word" or len(token.norm) < 5 or stem(fold(token.norm)) in grammar.common:
            return None
        hits = self.values.fuzzy(token.norm, limit=3)
        if not hits:
            return None
        best = [h for h in hits if h.score == hits[0].score]
        return best[0].value if len({value_words(h.value) for h in best}) == 1 else None

    def _whole_value(self, found: Cover, place: int) -> tuple[int, int, str] | None:
        """Return the stored value of several words that the words around an unknown one misspell, and where they stand.

        Word by word: as many, each within its own slips (« Casa Veto », « Hotelerie restauration »).
        """
        tokens, at = found.tokens, found.items[place].start
        best: tuple[float, int, int, str] | None = None
        for start in range(max(0, at - 3), at + 1):
            for end in range(max(at + 1, start + 2), min(len(tokens), start + 6) + 1):
                typed = tokens[start:end]
                if any(t.kind != "word" for t in typed):
                    continue
                norms = tuple(t.norm for t in typed)
                hits = self.values.misspelt(norms)
                near = [h for h in hits if h.score == hits[0].score]
                if not near or len({value_words(h.value) for h in near}) != 1:
                    continue
                if best is None or (near[0].score, end - start) > (best[0], best[2] - best[1]):
                    best = near[0].score, start, end, near[0].value
        return best[1:] if best is not None else None
