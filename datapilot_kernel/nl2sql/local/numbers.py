"""Numbers as people write them: « 10k€ », « 1,5 million », « vingt-cinq », « deux mille ».

« un », « une », « one » alone stay words (articles); « neuf » alone stays a word too (it also means new).
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache

from datapilot_kernel.nl2sql.local.tokens import Token

_FR = {
    "zero": 0, "un": 1, "une": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "six": 6, "sept": 7, "huit": 8, "neuf": 9,
    "dix": 10, "onze": 11, "douze": 12, "treize": 13, "quatorze": 14, "quinze": 15, "seize": 16, "vingt": 20, "vingts": 20,
    "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60, "septante": 70, "huitante": 80, "nonante": 90,
    "cent": 100, "cents": 100, "mille": 1000, "million": 1_000_000, "millions": 1_000_000, "milliard": 10**9,
    "milliards": 10**9,
}  # fmt: skip
_EN = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
    "hundred": 100, "thousand": 1000, "million": 1_000_000, "millions": 1_000_000, "billion": 10**9,
}  # fmt: skip
_COLLECTIVE = {"dizaine": 10, "douzaine": 12, "quinzaine": 15, "vingtaine": 20, "centaine": 100, "millier": 1000}
_SCALES = {"k": 1000, "keur": 1000, "m": 10**6, "meur": 10**6, "md": 10**9, "mds": 10**9}
_ALONE_IS_A_WORD = {"un", "une", "one", "neuf", "second"}


@cache
def _words(language: str) -> dict[str, int]:
    return _EN if language == "en" else _FR


def _compose(values: list[int]) -> int | None:
    """Add up number words in their order: [2, 1000, 3, 100] -> 2300; None when the order makes no number."""
    total = group = 0
    for value in values:
        if value >= 1000:
            total, group = total + max(group, 1) * value, 0
        elif value == 100:
            group = max(group, 1) * 100
        elif value == 20 and group % 100 == 4:
            group = group - 4 + 80
        elif group and group % 10 and not (group % 100 in (60, 70, 80) or value < 10 <= group % 100 < 100):
            return None
        else:
            group += value
    return total + group


def merge_numbers(tokens: list[Token], *, language: str = "fr") -> list[Token]:
    """Return ``tokens`` with number words and scales folded into number tokens (« 1,5 M » -> 1500000)."""
    words, out, i = _words(language), list[Token](), 0
    while i < len(tokens):
        token = tokens[i]
        if token.kind == "number" and token.number is not None:
            i += 1
            value, end = token.number, token.end
            while i < len(tokens) and tokens[i].kind == "word":
                scale = _SCALES.get(tokens[i].norm) or (words[tokens[i].norm] if words.get(tokens[i].norm, 0) >= 1000 else 0)
                glued = tokens[i].start == end
                if not scale or (tokens[i].norm == "m" and not glued and not _money_follows(tokens, i)):
                    break
                value, end, i = value * scale, tokens[i].end, i + 1
            if end != token.end:
                token = Token(token.text, format(value.normalize(), "f"), token.start, end, "number", value)
            out.append(token)
            continue
        values, j = list[int](), i
        while j < len(tokens) and tokens[j].kind == "word":
            if tokens[j].norm in words:
                values.append(words[tokens[j].norm])
            elif not (
                tokens[j].norm in ("et", "and")
                and values
                and j + 1 < len(tokens)
                and tokens[j + 1].norm in ("un", "une", "onze")
            ):
                break
            j += 1
        # « deux et trois » are two numbers, and a lone article is not one.
        while values and (_compose(values) is None):
            values.pop()
            j -= 1
        value_int = _compose(values) if values else None
        lone_article = j == i + 1 and token.norm in _ALONE_IS_A_WORD
        if (
            value_int is not None
            and not lone_article
            and not (j > i + 1 and token.norm in ("un", "une") and len(values) == 1)
        ):
            text = " ".join(t.text for t in tokens[i:j])
            out.append(Token(text, str(value_int), token.start, tokens[j - 1].end, "number", Decimal(value_int)))
            i = j
            continue
        if token.norm in _COLLECTIVE and out and out[-1].norm in ("une", "un") and i + 1 < len(tokens):
            out.pop()
            out.append(
                Token(
                    token.text,
                    str(_COLLECTIVE[token.norm]),
                    token.start,
                    token.end,
                    "number",
                    Decimal(_COLLECTIVE[token.norm]),
                )
            )
        else:
            out.append(token)
        i += 1
    return out


def _money_follows(tokens: list[Token], i: int) -> bool:
    return i + 1 < len(tokens) and tokens[i + 1].norm in ("€", "eur", "euro", "euros", "$")
