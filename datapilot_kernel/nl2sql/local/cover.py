"""Cut a question into items: the best way to explain all of its tokens.

Every span that something recognises (the layer's words, a period, a closed-class phrase, a number, filler) is a
candidate; the
cover is the cheapest way through the question. Longer phrases of the layer win over shorter ones; a token that nothing
recognises costs so much that it is left only when there is no other way, and then the question is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from datapilot_kernel.nl2sql.local.grammar import Grammar
from datapilot_kernel.nl2sql.local.lexicon import TRANSLATED, Lexicon, Option
from datapilot_kernel.nl2sql.local.periods import TimeSpan, find_time
from datapilot_kernel.nl2sql.local.tokens import Token, stem

ItemKind = Literal["lex", "op", "time", "number", "filler", "verb", "unknown"]


@dataclass
class Item:
    """A stretch of the question with one explanation (an ``unknown`` has none).

    ``ops`` are the operators a phrase may be; ``options`` what a phrase of the layer may name; ``nouns`` what a
    verb stands for, ``ranked_by`` what a superlative of it ranks by.
    """

    kind: ItemKind
    start: int
    end: int
    text: str
    options: tuple[Option, ...] = ()
    ops: tuple[str, ...] = ()
    time: TimeSpan | None = None
    number: Decimal | None = None
    nouns: tuple[str, ...] = ()
    ranked_by: tuple[str, ...] = ()
    used: bool = field(default=False, compare=False)
    norm: str = ""

    def of(self, *kinds: str) -> tuple[Option, ...]:
        """Return its options of these kinds."""
        return tuple(o for o in self.options if o.kind in kinds)

    def is_op(self, *names: str) -> bool:
        """Tell whether it may be one of these operators."""
        return self.kind == "op" and any(n in self.ops for n in names)


@dataclass(frozen=True)
class Cover:
    """The items of a question, in order, and its tokens."""

    items: list[Item]
    tokens: list[Token]

    @property
    def unknown(self) -> list[Item]:
        """The stretches that nothing explains."""
        return [i for i in self.items if i.kind == "unknown"]


_UNKNOWN = 8.0
_NO_STATES = {"soldes"}
"""Nouns that fold to the same letters as a state: « hors soldes » leaves out the sales, not what is paid off."""
_QUARTER = re.compile(r"[ts][1-4]$")


def _quoted(tokens: Sequence[Token], start: int, end: int) -> bool:
    return (
        start > 0 and end < len(tokens) and tokens[start - 1].norm in ('"', "«", "“") and tokens[end].norm in ('"', "»", "”")
    )


def cover(
    tokens: list[Token], lexicon: Lexicon, grammar: Grammar, *, today: date, without: tuple[int, int] | None = None
) -> Cover:
    """Return the cheapest explanation of ``tokens``; ``without`` is a span of the layer's words that is not to be used."""
    n = len(tokens)
    stems = [t.stem for t in tokens]
    candidates: list[list[tuple[float, Item]]] = [[] for _ in range(n)]

    def text_of(start: int, end: int) -> str:
        return " ".join(t.text for t in tokens[start:end])

    def add(cost: float, item: Item) -> None:
        candidates[item.start].append((cost, item))

    for i, token in enumerate(tokens):
        if grammar.is_filler(token, tokens[i - 1] if i else None) or token.text.lower() == "où":
            add(0.3 if token.text.lower() == "où" else 0.9, Item("filler", i, i + 1, token.text, norm=token.norm))
        else:
            add(_UNKNOWN, Item("unknown", i, i + 1, token.text, norm=token.norm))
        if token.kind == "number":
            add(0.9, Item("number", i, i + 1, token.text, number=token.number, norm=token.norm))
        if token.kind == "word":
            if 3 <= len(token.norm) <= 6 and (hits := lexicon.values.initials(token.norm)):
                # Only where the letters mean nothing else: « PACA », never « par ».
                named = tuple(Option("value", h.ref, h.score, h.value) for h in hits)
                add(1.6, Item("lex", i, i + 1, token.text, options=named, norm=token.norm))
            nouns, ranked = grammar.verbs.get(stems[i], ()), grammar.adjectives.get(stems[i], ())
            if nouns or ranked:
                add(1.25, Item("verb", i, i + 1, token.text, nouns=nouns, ranked_by=ranked, norm=token.norm))
        for end, names in grammar.operators.at(stems, i):
            add(0.8 + 0.08 * (end - i - 1), Item("op", i, end, text_of(i, end), ops=tuple(names), norm=token.norm))
    times = find_time(tokens, today=today, language=grammar.language)
    kinds, undecided = _kinds_not_quarters(tokens, stems, lexicon)
    compares = any("compare" in names or "growth" in names for i in range(n) for _, names in grammar.operators.at(stems, i))
    for time in times:
        if compares and not time.possible and tokens[time.start].norm in ("entre", "between"):
            continue  # « écart entre mai 2026 et mai 2025 » is no stretch, it is two
        if not time.possible and any(t.norm == "," for t in tokens[time.start : time.end]):
            continue  # « janvier, mars et mai 2026 » is no stretch, it is three
        if _amount(tokens, time.end - 1):
            continue  # « plus de 2 000 € », « over 2000 euros » are no years
        if time.end - 1 in kinds | undecided and time.end - time.start <= 2:
            continue
        # A bare unit is weaker than anything longer that contains it; a year may as well be a number.
        cost = 0.85 if time.unit is not None else 0.7 + 0.1 * (time.end - time.start - 1)
        add(cost, Item("time", time.start, time.end, text_of(time.start, time.end), time=time))
    grains = {(t.start, t.end) for t in times if t.grain is not None}
    for span in lexicon.spans(tokens, stems):
        options = span.options
        if (span.start, span.end) == without or (span.start in undecided and span.end == span.start + 1):
            continue
        if (
            (span.start, span.end) in grains
            and all(o.kind == "value" for o in options)
            and not _beside(span.start, options, stems, lexicon)
        ):
            continue  # « recettes mensuelles » is by month, « la formule mensuelle » is not
        if span.end - span.start == 1:
            following = tokens[span.start + 1].norm if span.start + 1 < n else ""
            options = _honest_short_values(options, tokens[span.start], following, grammar)
            if grammar.language == "en" and stems[span.start] in grammar.verbs:
                # « sold » is what was sold, though a layer may say « soldé » or « solde » of its invoices.
                spelled = tokens[span.start].norm in lexicon.vocabulary
                options = options if spelled else tuple(o for o in options if o.quality <= TRANSLATED)
        if tokens[span.start].text.lower() in _NO_STATES and span.end - span.start == 1:
            options = options if tokens[span.start].norm in lexicon.vocabulary else ()
        if span.start == 0 and span.end == 1 and tokens[0].text.lower() in ("retire", "retirez"):
            options = tuple(o for o in options if o.kind != "value")  # a wish, never the state « retiré »
        if not options:
            continue
        best = options[0].quality
        cost = 0.55 + 0.12 * (span.end - span.start - 1) + (1 - best) * 1.5
        if span.end - span.start == 1 and tokens[span.start].kind in ("number", "date"):
            cost += 0.4  # a number is a number first, even if it is stored somewhere as text
        # A code as it is stored is no everyday word either: « en retard » is not the reason RETARD of a return.
        bar = 0.9 if tokens[span.start].text.isupper() else 0.935
        if all(o.kind == "value" and o.quality < bar for o in options) and all(
            t.stem in grammar.common for t in tokens[span.start : span.end]
        ):
            continue  # an everyday word is not a part of a name (« noël » is not « Décorations de Noël »)
        if _quoted(tokens, span.start, span.end):
            cost -= 0.3
        add(
            cost,
            Item("lex", span.start, span.end, text_of(span.start, span.end), options=options, norm=tokens[span.start].norm),
        )

    cheapest: list[float] = [0.0] * (n + 1)
    back: list[Item | None] = [None] * (n + 1)
    reached = [False] * (n + 1)
    reached[0] = True
    for i in range(n):
        if not reached[i]:
            continue
        for cost, item in candidates[i]:
            total = cheapest[i] + cost
            if not reached[item.end] or total < cheapest[item.end] - 1e-9:
                cheapest[item.end], back[item.end], reached[item.end] = total, item, True
    _explain_leftovers(back, tokens, lexicon)
    items, place = list[Item](), n
    while place > 0:
        last = back[place]
        assert last is not None
        items.append(last)
        place = last.start
    return Cover(items[::-1], tokens)


def _kinds_not_quarters(
    tokens: Sequence[Token], stems: Sequence[str], lexicon: Lexicon
) -> tuple[frozenset[int], frozenset[int]]:
    """Return where « T2 » is no quarter, in data that has a value of that name (« le loyer des T2 et des T3 »),
    and where nothing says which it is. A quarter is singular: « au T2 », « du T2 », « T2 2026 ».
    """
    found: dict[int, str] = {}
    for i, token in enumerate(tokens):
        if not _QUARTER.match(token.norm):
            continue
        known = any(o.kind == "value" and o.quality >= 0.9 for o in lexicon.knows((stems[i],)))
        if not known and not any(h for s, e, hits in lexicon.values.spans([token.norm]) for h in hits):
            continue
        before = tokens[i - 1].norm if i else ""
        year = i + 1 < len(tokens) and tokens[i + 1].kind == "number"
        dated = year or before in ("au", "du", "le", "ce", "en", "depuis", "in", "since", "dernier")
        counted = before == "de" and i > 1 and tokens[i - 2].norm in ("nombre", "nb", "combien", "liste")
        found[i] = "kind" if counted or before in ("des", "les", "aux", "ces", "nos") else "quarter" if dated else ""
    default = next((v for v in found.values() if v), "")
    said = {i: one or default for i, one in found.items()}
    return frozenset(i for i in said if said[i] == "kind"), frozenset(i for i in said if not said[i])


def _amount(tokens: Sequence[Token], place: int) -> bool:
    """Tell whether a number is written as an amount is, and no year ever: « 2 000 », « 2000 € »."""
    token = tokens[place]
    if token.kind != "number":
        return False
    after = tokens[place + 1].norm if place + 1 < len(tokens) else ""
    return not token.text.isdigit() or after in ("€", "eur", "euro", "euros", "$", "%")


def _beside(start: int, options: tuple[Option, ...], stems: Sequence[str], lexicon: Lexicon) -> bool:
    """Tell whether the word before names the dimension or the entity of these values."""
    if start == 0:
        return False
    before = lexicon.knows((stems[start - 1],))
    owners = {o.entity for o in options}
    return any(o.kind in ("entity", "dimension") and o.entity in owners for o in before)


def _explain_leftovers(back: list[Item | None], tokens: list[Token], lexicon: Lexicon) -> None:
    """Explain single leftover words: by the phrase beside them, of whose names they are a word, or as a dated participle."""
    path, place = list[Item](), len(tokens)
    while place > 0 and (item := back[place]) is not None:
        path.append(item)
        place = item.start
    path.reverse()
    for at, item in enumerate(path):
        if item.kind != "unknown":
            continue
        token = tokens[item.start]
        for other in (_neighbour(path, at, -1), _neighbour(path, at, 1)):
            if other is not None and len(token.stem) >= 4:
                keeping = tuple(o for o in other.options if token.stem in lexicon.words_of(o))
                if keeping and len(other.options) >= len(keeping):
                    other.options = keeping
                    item.kind = "filler"
                    break
        if item.kind == "unknown" and (dates := lexicon.dated_by(token)):
            item.kind, item.options = "lex", dates


def _neighbour(path: list[Item], at: int, step: int) -> Item | None:
    at += step
    while (
        0 <= at < len(path)
        and path[at].kind == "filler"
        and path[at].norm in ("de", "d", "du", "des", "la", "le", "les", "l", "of", "the")
    ):
        at += step
    return path[at] if 0 <= at < len(path) and path[at].kind == "lex" else None


def _honest_short_values(options: tuple[Option, ...], token: Token, following: str, grammar: Grammar) -> tuple[Option, ...]:
    """Drop values that a function word only happens to be: « a » is not category A, « non » is not the status « Non »; «
    l'équipe Est » is one, with its capital in the middle of a question.
    """
    risky = token.norm in grammar.filler or len(token.norm) <= 1 or bool(grammar.operators.at([stem(token.norm)], 0))
    if not risky:
        return options
    name = token.start > 0 and token.text[:1].isupper() and len(token.norm) > 2
    name = name and following not in ("ce", "il", "elle", "on", "ils", "elles")
    return tuple(
        o
        for o in options
        if o.kind != "value" or not isinstance(o.value, str) or (o.value == token.text and (token.text.isupper() or name))
    )
