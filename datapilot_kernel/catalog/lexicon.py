"""The words of business databases: French, English and their abbreviations, as three data files.

``lexicon.txt`` holds nouns (one concept per line), ``qualifiers.txt`` adjectives and participles, ``accents.txt`` words
that only need their accents back. Looking up is by *folded* words: no accents, lower case, linking words (de, of, the…)
left out, singular or plural alike.

Rejected: a stemmer or a dictionary package (megabytes, and knows neither ``mt_ht`` nor ``cd_cli``); guessing with edit
distance (``cout`` is not ``court``). Remaining risk: an abbreviation that a company uses for something else; the layer's
author corrects the label, and nothing but labels comes from here.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

LINKING = frozenset(
    {
        "de",
        "d",
        "du",
        "des",
        "la",
        "le",
        "les",
        "l",
        "of",
        "the",
        "a",
        "au",
        "aux",
        "en",
        "et",
        "and",
        "par",
        "pour",
        "for",
    }
)

_LIGATURES = str.maketrans({"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "’": "'", "ß": "ss"})


@lru_cache(maxsize=50_000)
def fold(text: str) -> str:
    """Return the text in lower case without accents.

    >>> fold("Échéance"), fold("Œuvre")
    ('echeance', 'oeuvre')
    """
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.translate(_LIGATURES))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).lower()


@lru_cache(maxsize=50_000)
def words(text: str) -> tuple[str, ...]:
    """Return the folded words of a phrase, linking words left out.

    >>> words("Date d’embauche")
    ('date', 'embauche')
    """
    found = re.findall(r"[a-z0-9]+", fold(text))
    kept = tuple(w for w in found if w not in LINKING)
    return kept or tuple(found)


@dataclass(frozen=True)
class Concept:
    """One line of a lexicon. ``french`` is the masculine singular for a qualifier."""

    kind: Literal["noun", "qualifier"]
    french: str
    plural: str
    gender: Literal["f", "m"]
    english: tuple[str, ...]
    abbreviations: tuple[str, ...]
    synonyms: tuple[str, ...]
    forms: tuple[str, str, str, str] = ("", "", "", "")

    def agreed(self, gender: Literal["f", "m"], plural: bool) -> str:
        """Return a qualifier's form for a noun."""
        return self.forms[(1 if gender == "f" else 0) + (2 if plural else 0)]


@dataclass(frozen=True)
class Entry:
    """What a sequence of folded words stands for. ``english``: the words are English and not also French."""

    concept: Concept
    english: bool
    plural: bool
    abbreviation: bool = False


def french_plural(word: str) -> str:
    """Return the regular plural of one French word.

    >>> french_plural("journal"), french_plural("prix"), french_plural("bateau"), french_plural("client")
    ('journaux', 'prix', 'bateaux', 'clients')
    """
    if not word or word[-1] in "sxz" or word.isupper():
        return word
    if word.endswith(("eau", "eu")):
        return word + "x"
    if word.endswith("al") and word not in {"bal", "carnaval", "festival", "récital", "régal", "chacal"}:
        return word[:-2] + "aux"
    return word + "s"


def english_plural(phrase: str) -> str:
    """Return the plural of an English phrase (of its last word).

    >>> english_plural("category"), english_plural("order line"), english_plural("batch")
    ('categories', 'order lines', 'batches')
    """
    irregular = {"person": "people", "staff": "staff", "criterion": "criteria", "sales": "sales", "series": "series"}
    head, space, last = phrase.rpartition(" ")
    if last in irregular:
        plural = irregular[last]
    elif re.search(r"[^aeiou]y$", last):
        plural = last[:-1] + "ies"
    elif re.search(r"(s|x|z|ch|sh)$", last):
        plural = last + "es"
    else:
        plural = last + "s"
    return f"{head}{space}{plural}"


def _lines(name: str) -> list[list[str]]:
    raw = files("datapilot_kernel.catalog").joinpath(name).read_text(encoding="utf-8")
    rows = [line for line in raw.splitlines() if line.strip() and not line.startswith("#")]
    return [[cell.strip() for cell in line.split("|")] + [""] * 6 for line in rows]


def _list(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(",") if part.strip())


@cache
def concepts() -> tuple[Concept, ...]:
    """Return every noun and qualifier, in the files' order."""
    found: list[Concept] = []
    for cells in _lines("lexicon.txt"):
        french, gender, plural, english, abbreviations, synonyms = cells[:6]
        if plural == "=":
            plural = french
        elif not plural:
            first, space, rest = french.partition(" ")
            plural = french_plural(first) + space + rest
        found.append(
            Concept(
                "noun", french, plural, "f" if gender == "f" else "m", _list(english), _list(abbreviations), _list(synonyms)
            )
        )
    for cells in _lines("qualifiers.txt"):
        masculine, feminine, plural, feminine_plural, english, abbreviations = cells[:6]
        feminine = masculine if feminine == "=" else feminine or (masculine if masculine.endswith("e") else masculine + "e")
        plural = masculine if plural == "=" else plural or french_plural(masculine)
        feminine_plural = feminine if feminine_plural == "=" else feminine_plural or french_plural(feminine)
        forms = (masculine, feminine, plural, feminine_plural)
        found.append(Concept("qualifier", masculine, plural, "m", _list(english), _list(abbreviations), (), forms))
    return tuple(found)


@cache
def index() -> dict[tuple[str, ...], Entry]:
    """Return folded words -> entry. French wins over English, English over abbreviations, nouns over qualifiers."""
    entries: dict[tuple[str, ...], Entry] = {}
    for concept in concepts():
        for position, form in enumerate(dict.fromkeys((concept.french, concept.plural, *concept.forms))):
            if form:
                entries.setdefault(words(form), Entry(concept, english=False, plural=position == 1))
    for concept in concepts():
        for english in concept.english:
            entries.setdefault(words(english), Entry(concept, english=True, plural=False))
            if concept.kind == "noun":
                entries.setdefault(words(english_plural(english)), Entry(concept, english=True, plural=True))
    for concept in concepts():
        for abbreviation in concept.abbreviations:
            entries.setdefault(words(abbreviation), Entry(concept, english=False, plural=False, abbreviation=True))
    return entries


@cache
def qualifiers() -> dict[str, Concept]:
    """Return folded single-word forms of qualifiers -> qualifier (for boolean columns, where « livre » is « livré »)."""
    found: dict[str, Concept] = {}
    for concept in concepts():
        if concept.kind == "qualifier":
            for form in (*concept.forms, *concept.english):
                found.setdefault(" ".join(words(form)), concept)
    return found


@cache
def accented() -> dict[str, str]:
    """Return folded word -> the word with its accents, for words that are not concepts of their own."""
    raw = files("datapilot_kernel.catalog").joinpath("accents.txt").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for line in raw.splitlines():
        if not line.startswith("#"):
            for word in line.split():
                found.setdefault(fold(word), word)
    return found


def lookup(sequence: tuple[str, ...]) -> Entry | None:
    """Return what these folded words stand for; None when they are not in the lexicon."""
    return index().get(sequence)


def concept_of(word: str) -> Concept | None:
    """Return the noun a French or English word or phrase stands for."""
    entry = index().get(words(word))
    return entry.concept if entry and entry.concept.kind == "noun" else None
