"""From one end to the other: « du plus rentable au moins rentable », « de la plus grosse marge à la plus petite ».

Such a stretch names an order, and often what it is by, in words that none of them says alone. It is replaced by what it
stands for (sort, the measure, a direction); where the measure is not one thing of the layer the words stay, and are refused.
"""

from __future__ import annotations

from datapilot_kernel.nl2sql.local.cover import Cover, Item
from datapilot_kernel.nl2sql.local.grammar import Grammar
from datapilot_kernel.nl2sql.local.lexicon import Lexicon, Option
from datapilot_kernel.nl2sql.local.tokens import Token, stem

_MORE, _LESS = {"plus", "most"}, {"moins", "least"}
_BIG = {stem(w) for w in ("gros", "grosse", "grand", "grande", "eleve", "elevee", "important", "importante", "haut", "fort")}
_SMALL = {stem(w) for w in ("petit", "petite", "faible", "bas", "basse")}
_SORTED = ("class", "trie", "triee", "trier", "range", "rang", "ordonn", "liste")
_SAYS_WHICH = {"en", "sur", "selon", "par", "in", "by"}
_LONGEST_MIDDLE = 4


def from_end_to_end(found: Cover, lexicon: Lexicon, words: Grammar) -> None:
    """Replace each such stretch of a cover, in place."""
    for start in range(len(found.tokens)):
        stretch = _stretch(found.tokens, start)
        if stretch is None:
            continue
        end, adjective, middle, descending = stretch
        options = _what(adjective, middle, lexicon, words)
        if options is None:
            continue
        if start and found.tokens[start - 1].norm.startswith(_SORTED) and found.tokens[start - 1].norm != "liste":
            start -= 1
        said = _said_after(found, end)
        _put(found, start, end, () if said and not middle else options, descending=descending)
        return


def _said_after(found: Cover, end: int) -> bool:
    """Tell whether the measure is named next: « de la plus vendue à la moins vendue en CA »."""
    if end >= len(found.tokens) or found.tokens[end].norm not in _SAYS_WHICH:
        return False
    return any(i.start == end + 1 and i.kind == "lex" and bool(i.of("measure")) for i in found.items)


def _stretch(tokens: list[Token], start: int) -> tuple[int, Token, list[Token], bool] | None:
    """Return the end, the adjective, what stands after it, and the direction; None when none begins here."""
    norms = [t.norm for t in tokens]
    place = start + 1
    if norms[start] == "de" and norms[place : place + 1] == ["la"]:
        place += 1
    elif norms[start] not in ("du", "des"):
        return None
    if place + 1 >= len(norms) or norms[place] not in _MORE | _LESS:
        return None
    first_more, adjective = norms[place] in _MORE, tokens[place + 1]
    for turn in range(place + 2, min(place + 3 + _LONGEST_MIDDLE, len(norms) - 1)):
        after = turn + 1
        if norms[turn] == "a" and norms[after] == "la":
            after += 1
        elif norms[turn] not in ("au", "aux"):
            continue
        if after + 1 >= len(norms) or norms[after] not in _MORE | _LESS:
            continue
        second_more, other = norms[after] in _MORE, tokens[after + 1]
        opposite = _end(adjective) is not None and _end(other) is not None and _end(adjective) != _end(other)
        if first_more != second_more and adjective.stem == other.stem:
            descending = first_more != (_end(adjective) is False)
        elif first_more and second_more and opposite:
            descending = bool(_end(adjective))
        else:
            return None
        return after + 2, adjective, tokens[place + 2 : turn], descending
    return None


def _end(adjective: Token) -> bool | None:
    """True: of the great ones; False: of the small; None: an adjective that says more."""
    return True if adjective.stem in _BIG else False if adjective.stem in _SMALL else None


def _what(adjective: Token, middle: list[Token], lexicon: Lexicon, words: Grammar) -> tuple[Option, ...] | None:
    """Return what the order is by: () where the stretch does not say; None where its words are of nothing known."""
    if middle:
        if _end(adjective) is None:
            return None
        found = lexicon.lookup(" ".join(t.text for t in middle))
        return tuple(o for o in found if o.kind in ("measure", "dimension") and o.quality >= 0.94) or None
    if _end(adjective) is not None:
        return ()
    if words.adjectives.get(adjective.stem) == ("*",):
        return ()  # « du plus fréquent au moins fréquent »: by how many there are
    for noun in words.adjectives.get(adjective.stem, ()):
        usable = tuple(o for o in lexicon.lookup(noun) if o.kind in ("measure", "dimension") and o.quality >= 0.85)
        if usable:
            return usable
    return None


def _put(found: Cover, start: int, end: int, options: tuple[Option, ...], *, descending: bool) -> None:
    if any(i.start < start < i.end or i.start < end < i.end for i in found.items):
        return
    before = [i for i in found.items if i.end <= start]
    after = [i for i in found.items if i.start >= end]

    def text(a: int, b: int) -> str:
        return " ".join(t.text for t in found.tokens[a:b])

    new = [Item("op", start, start + 1, text(start, end), ops=("sort",), norm="trie")]
    if options:
        new.append(
            Item("lex", start + 1, end - 1, text(start + 1, end - 1), options=options, norm=found.tokens[end - 2].norm)
        )
    direction = ("descending",) if descending else ("ascending",)
    new.append(Item("op", end - 1, end, text(end - 1, end), ops=direction, norm=found.tokens[end - 1].norm))
    found.items[:] = [*before, *new, *after]
