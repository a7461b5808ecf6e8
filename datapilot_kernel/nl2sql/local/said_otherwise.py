"""What a whole turn of phrase asks for, where the layer has a measure of that name: « il nous reste combien à encaisser » is
the outstanding amount, « en combien de jours les clients paient-ils » the delay of payment.

The turns are data (``[[turn]]`` of ``words/spoken.LANG.toml``): a pattern over the folded words, and names to look up in the
layer, in order. A turn whose names the layer does not have changes nothing: its words stay, and are refused one by one. What
a pattern matches but does not explain (``(?P<keep>…)``) stays in the question, after the name.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from datapilot_kernel.nl2sql.local.lexicon import Lexicon
from datapilot_kernel.nl2sql.local.tokens import Token, tokenize

_AVERAGES = {"moyen", "moyenne", "moyens", "moyennes", "median", "mediane", "minimum", "maximum", "maximal", "minimal"}
_OF = {"de", "du", "des", "d"}


@dataclass(frozen=True)
class _Turn:
    pattern: re.Pattern[str]
    names: tuple[str, ...]
    read: str | None
    alone: bool = False


@cache
def _turns(language: str) -> tuple[_Turn, ...]:
    path = files("datapilot_kernel").joinpath("nl2sql", "local", "words", f"spoken.{language}.toml")
    if not path.is_file():
        return ()
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    names: dict[str, list[str]] = raw.get("names", {})
    places = raw.get("places", {})

    def filled(pattern: str) -> str:
        for name, words in places.items():
            pattern = pattern.replace("{" + name + "}", f"(?:{words})")
        return pattern

    return tuple(
        _Turn(
            re.compile(rf"(?<!\S)(?:{filled(t['match'])})(?!\S)"),
            tuple(names.get(t.get("names", ""), ())),
            t.get("read"),
            bool(t.get("alone")),
        )
        for t in raw.get("turn", ())
    )


def say_plainly(tokens: list[Token], lexicon: Lexicon, language: str) -> list[Token]:
    """Return the tokens with every turn that the layer has a measure for replaced by the measure's name."""
    joined, starts, ends = _joined(tokens)
    for turn in _turns(language):
        found = turn.pattern.search(joined)
        if found is None:
            continue
        first, last = starts.get(found.start()), ends.get(found.end())
        if first is None or last is None or (turn.alone and _measured(tokens, first, last, lexicon)):
            continue
        read = turn.read if turn.read is not None else _known(turn.names, lexicon)
        if read is None:
            continue
        kept = list[Token]()
        if "keep" in turn.pattern.groupindex and found.group("keep"):
            begin, end = found.span("keep")
            inside = [i for position, i in starts.items() if begin <= position < end]
            kept = [tokens[i] for i in inside]
        at = tokens[first]
        name = [Token(t.text, t.norm, at.start, tokens[last - 1].end) for t in tokenize(read.replace("{keep}", ""))]
        middle = [*kept, *name] if read.startswith("{keep}") else [*name, *kept]
        tokens = [*tokens[:first], *middle, *tokens[last:]]
        joined, starts, ends = _joined(tokens)
    return _average_last(tokens, lexicon)


def _measured(tokens: list[Token], first: int, last: int, lexicon: Lexicon) -> bool:
    """Tell whether something beside the turn says what is measured or listed: « CA : on en est à combien ? »."""
    stems = [t.stem for t in tokens]
    return any(
        o.kind == "measure" or (o.kind == "entity" and not any(x.kind == "value" for x in span.options))
        for span in lexicon.spans(tokens, stems)
        for o in span.options
        if (span.end <= first or span.start >= last) and o.quality >= 0.85
        and not _by_it(tokens, span.start, last)
    )  # fmt: skip


def _by_it(tokens: list[Token], start: int, last: int) -> bool:
    """« on a fait combien par magasin », « dans les magasins »: whose, not what."""
    near = [t.norm for t in tokens[max(0, start - 2) : start]]
    return bool({"par", "chaque", "dans", "au", "en"} & set(near))


def _joined(tokens: list[Token]) -> tuple[str, dict[int, int], dict[int, int]]:
    text, starts, ends, position = list[str](), dict[int, int](), dict[int, int](), 0
    for i, token in enumerate(tokens):
        piece = token.norm.replace(" ", "")
        starts[position], ends[position + len(piece)] = i, i + 1
        text.append(piece)
        position += len(piece) + 1
    return " ".join(text), starts, ends


def _known(names: tuple[str, ...], lexicon: Lexicon) -> str | None:
    for name in names:
        found = {o.ref for o in lexicon.lookup(name) if o.kind == "measure" and o.quality >= 0.95}
        if len(found) == 1:
            return name
    return None


def _average_last(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """« taux moyen de remise » is « taux de remise moyen », where the layer knows a « taux de remise »."""
    for i in range(1, len(tokens) - 2):
        if tokens[i].norm not in _AVERAGES or tokens[i + 1].norm not in _OF or tokens[i - 1].kind != "word":
            continue
        if tokens[i - 1].norm in ("nombre", "nb"):
            continue  # « nombre moyen de commandes par jour » is a mean of counts
        ends = range(min(len(tokens), i + 6), i + 2, -1)
        wholes = (" ".join(t.norm for t in tokens[i - 1 : end]) for end in ends)
        if any(o.kind == "measure" and o.quality >= 0.95 for whole in wholes for o in lexicon.lookup(whole)):
            continue  # « prix moyen de vente d'un article »: the layer says it in these words
        for end in ends:
            said = " ".join(t.norm for t in (tokens[i - 1], *tokens[i + 1 : end]))
            whole = " ".join(t.norm for t in tokens[i - 1 : end])
            if any(o.quality >= 0.95 for o in lexicon.lookup(whole)):
                break
            if any(o.kind in ("measure", "dimension") and o.quality >= 0.9 for o in lexicon.lookup(said)):
                return [*tokens[:i], *tokens[i + 1 : end], tokens[i], *tokens[end:]]
    return tokens
