"""A question cut into tokens, and words reduced to what two spellings of the same word share.

*Folding* drops case, accents and ligatures. *Stemming* is deliberately light: it unites singular and plural, masculine
and feminine (« livrées », « livré »), and nothing more: a strong stemmer unites words that mean different things
(« commercial », « commerce »), and a wrong answer costs more than a question back. Offsets into the person's text are kept
so that what was typed can be quoted.

Dates and numbers are recognised here, because their punctuation would otherwise be lost: a number token carries its value,
a date token is rewritten in ISO form (a month as ``2025-05``).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Literal

TokenKind = Literal["word", "number", "date", "symbol"]


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes
    ----------
    text
        As typed; ``start`` and ``end`` are its offsets in the question.
    norm
        Folded; a number's digits, a date's ISO form. After a correction of spelling, the corrected word.
    number
        A number's value.
    hyphened
        A hyphen joins it to the word before (« Sud-Ouest »).
    corrected
        The spelling was corrected: ``norm`` is not what was typed.
    """

    text: str
    norm: str
    start: int
    end: int
    kind: TokenKind = "word"
    number: Decimal | None = None
    corrected: bool = False
    hyphened: bool = False

    @property
    def stem(self) -> str:
        """The stem of ``norm``."""
        return stem(self.norm)

    def corrected_to(self, norm: str) -> Token:
        """Return this token read as ``norm``."""
        return replace(self, norm=norm, corrected=True)


_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "’": "'", "‘": "'", "ʼ": "'", "–": "-", "—": "-", "‑": "-"})


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """Return ``text`` in lower case without accents or ligatures (``"Île-de-France"`` -> ``"ile-de-france"``)."""
    lowered = text.lower().translate(_LIGATURES)
    if lowered.isascii():
        return lowered
    return "".join(c for c in unicodedata.normalize("NFKD", lowered) if not unicodedata.combining(c))


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return what singular and plural, masculine and feminine of a folded word share.

    >>> stem("regionaux") == stem("regional"), stem("livrees") == stem("livre"), stem("actives") == stem("actif")
    (True, True, True)
    """
    if len(word) < 4 or not word.isalpha():
        return word
    if word.endswith("eaux"):
        word = word[:-1]
    elif word.endswith("aux") and len(word) > 5:
        word = word[:-3] + "al"
    elif word.endswith("ies") and len(word) > 6:
        word = word[:-1]  # boutiques, parties; English plurals in -ies are caught below
    elif word[-1] in "sx" and not word.endswith("ss") and len(word) > 3:
        word = word[:-1]
    if word.endswith("ee"):
        word = word[:-1]
    elif word.endswith("ive"):
        word = word[:-3] + "if"
    elif word.endswith(("elle", "enne", "onne")):
        word = word[:-2]
    elif word.endswith("euse"):
        word = word[:-3] + "ur"
    elif word.endswith("trice"):
        word = word[:-4] + "eur"
    elif word.endswith("y") and len(word) > 4:
        word = word[:-1] + "ie"
    if word.endswith("e") and len(word) > 4:
        word = word[:-1]
    return word


_TOKEN = re.compile(
    r"""
      (?P<day>\b(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d{2}))(?![\d/]))
    | (?P<month>\b(?:\d{4}-(?:0[1-9]|1[0-2])|(?:0?[1-9]|1[0-2])/\d{4})(?![\d/-]))
    | (?P<ordinal>\b\d{1,2}(?:ere|er|eme|ème|e|nde|nd|st|rd|th)\b)
    | (?P<number>\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?![\d])(?:[.,]\d+)?|\d+(?:[.,]\d+)?)
    | (?P<back>\b[nmajst]\s?-\s?\d{1,3}\b)
    | (?P<word>aujourd'hui|[^\W\d_]+\d*(?:[^\W\d_]+\d*)?)
    | (?P<symbol><=|>=|!=|<>|[^\s])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ENGLISH_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")


def _day(text: str) -> str | None:
    parts = [int(p) for p in re.split(r"[/.-]", text)]
    year, month, day = parts if len(text.split("-")[0]) == 4 else (parts[2], parts[1], parts[0])
    year += 2000 if year < 100 else 0
    if 1900 <= year <= 2200 and 1 <= month <= 12 and 1 <= day <= 31:
        return f"{year:04}-{month:02}-{day:02}"
    return None


def tokenize(text: str, *, language: str = "fr") -> list[Token]:
    """Cut a question into tokens; white space is dropped, punctuation is kept as symbols.

    >>> [t.norm for t in tokenize("CA d'avril, 1 234,5 € au 03/05/2025")]
    ['ca', 'd', 'avril', ',', '1234.5', '€', 'au', '2025-05-03']
    """
    source = text.translate(_LIGATURES) if "’" in text or "‑" in text or "–" in text else text
    if language == "en":
        source = _ENGLISH_THOUSANDS.sub("\u202f", source)
    tokens: list[Token] = []
    for match in _TOKEN.finditer(source):
        raw = match.group()
        start, end, kind = match.start(), match.end(), match.lastgroup
        shown = text[start:end] if len(source) == len(text) else raw
        if kind == "day" and (iso := _day(raw)):
            tokens.append(Token(shown, iso, start, end, "date"))
        elif kind == "month":
            a, b = re.split(r"[/-]", raw)
            year, month = (a, b) if len(a) == 4 else (b, a)
            tokens.append(Token(shown, f"{year}-{int(month):02}", start, end, "date"))
        elif kind == "number":
            value = Decimal(re.sub(r"[ \u00a0\u202f]", "", raw).replace(",", "."))
            norm = format(value.normalize(), "f") if "." in str(value) else str(value)
            # A code keeps its leading zeros: « 01000 » is a postcode.
            norm = raw if raw.isdigit() and raw.startswith("0") and len(raw) > 1 else norm
            tokens.append(Token(shown, norm, start, end, "number", value))
        elif kind == "back":
            tokens.append(Token(shown, fold(raw).replace(" ", ""), start, end))
        elif kind == "word":
            folded = fold(raw)
            joined = start > 1 and source[start - 1] == "-" and source[start - 2].isalnum()
            tokens.append(Token(shown, folded.replace("'", ""), start, end, hyphened=joined))
        elif kind in ("day", "ordinal"):
            tokens.append(Token(shown, fold(raw), start, end))
        elif raw not in "'’-_·":
            tokens.append(Token(shown, raw, start, end, "symbol"))
    return tokens
