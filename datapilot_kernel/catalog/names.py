"""Technical names read as people would say them: ``mt_ht`` is « montant HT », ``orderDate`` is « date de commande ».

A name is split (case, underscores, digits, and words run together that the lexicon knows), its prefixes of habit are
taken off (``t_``, ``tbl_``, ``fk_``, ``id_``), and what remains is read by longest match. English puts its head last and
French first; which one a name is follows from the words that only one of them has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from datapilot_kernel.catalog.lexicon import (
    LINKING,
    Concept,
    Entry,
    accented,
    fold,
    french_plural,
    index,
    lookup,
    qualifiers,
)

Gender = Literal["f", "m"]

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_TABLE_PREFIXES = frozenset({"tb", "tbl", "tab", "table", "dim", "fact", "fct", "vw", "view", "stg", "ods", "dwh", "dw",
    "mv", "src", "raw", *"abcdefghiklmnopqrstuvwxz"})  # fmt: skip
"""A single letter before a table's name sorts tables (``F_ARTICLE``, ``P_MACHINE``, ``r_client``) and says nothing."""
_TABLE_SUFFIXES = frozenset({"tbl", "tab", "table", "vw", "view", "master", "data"})
_COLUMN_PREFIXES = frozenset({"fk", "pk", "col", "fld", "c", "f"})
_ID_WORDS = frozenset(
    {"id", "ids", "uuid", "guid", "ident", "identifiant", "idt", "key", "cle", "sk", "fk", "pk", "rowid", "oid"}
)
_CODE_WORDS = frozenset({"code", "cd", "cod", "num", "numero", "no", "nr", "nro", "ref", "reference", "matricule", "number"})
_RUN_TOGETHER_MIN = 4
_SHORT_PARTS = frozenset(
    {
        "ht",
        "ttc",
        "mt",
        "nb",
        "dt",
        "qte",
        "id",
        "pu",
        "tx",
        "tva",
        "ca",
        "cd",
        "no",
        "lib",
        "num",
        "ref",
        "nom",
        "px",
        "prx",
    }
)
_NO_DE_HEADS = frozenset({"code", "libellé", "identifiant", "référence", "stock", "chiffre d’affaires", "e-mail", "SIRET"})
_BOOLEAN_PREFIXES = frozenset({"is", "has", "est", "flag", "flg", "top", "ind", "bool", "b"})
_UNITS = {
    "jours": "jours", "jour": "jours", "days": "jours", "j": "jours", "heures": "heures", "hours": "heures", "h": "heures",
    "hrs": "heures",
    "minutes": "minutes", "min": "minutes", "mn": "minutes", "mins": "minutes", "secondes": "secondes",
    "seconds": "secondes", "sec": "secondes",
    "kg": "kg", "tonnes": "tonnes", "km": "km", "kwh": "kWh", "mwh": "MWh", "litres": "litres", "liters": "litres",
    "m2": "m²", "m3": "m³",
    "eur": "€", "euros": "€", "euro": "€", "keur": "k€", "usd": "$", "pct": "%", "percent": "%", "pourcent": "%",
    "mois": "mois", "months": "mois", "semaines": "semaines", "weeks": "semaines",
    "pieces": "pièces", "pcs": "pièces", "ms": "ms",
}  # fmt: skip
_UNIT_HEADS_KEPT = frozenset({"nb", "nbr", "nbre", "nombre", "number", "count", "total", "date"})
_ENGLISH_ABBREVIATIONS = frozenset(
    [
        "qty",
        "amt",
        "num",
        "no",
        "nr",
        "desc",
        "descr",
        "ref",
        "cat",
        "cust",
        "inv",
        "prod",
        "emp",
        "dept",
        "addr",
        "cnt",
        "min",
        "max",
        "vol",
        "temp",
        "org",
        "proj",
        "sub",
        "promo",
        "src",
        "stat",
        "st",
        "sts",
        "img",
        "doc",
        "msg",
        "param",
        "hist",
        "trans",
        "trx",
        "txn",
        "loc",
        "rep",
        "app",
        "opp",
        "camp",
        "comm",
        "cred",
        "obj",
        "real",
        "act",
        "int",
        "ext",
        "init",
        "seg",
        "lat",
        "lng",
        "lon",
        "dest",
        "dist",
        "mod",
        "pos",
        "id",
        "uuid",
        "guid",
        "total",
        "unit",
        "client",
        "article",
        "date",
    ]
)
_OF_UNKNOWN = frozenset({"date", "nombre", "type", "mode"})
"""Heads whose complement is nearly always a noun: « date de compromis », « nombre de lits »."""
_ADJECTIVE = re.compile(
    r"(é|és|ée|ées|ifs?|ives?|els?|elles?|als?|ales?|aux|aires?|iques?|ables?|ibles?|eux|euses?|ants?|antes?)$"
)
_COUNTED_UNITS = frozenset({"kilomètre", "litre"})
_QUANTITY_DONE = {"commande": "commandée", "livraison": "livrée", "facture": "facturée", "réception": "reçue",
    "retour": "retournée", "expédition": "expédiée", "production": "produite", "vente": "vendue",
    "lancement": "lancée", "fabrication": "fabriquée", "rebut": "rebutée", "réservation": "réservée"}  # fmt: skip
_DOCUMENTS = frozenset({"commande", "facture", "vente", "devis", "commande d’achat", "écriture"})
_ENGLISH_MARKS = frozenset({"is", "has", "at", "on", "of", "by", "the"})


@dataclass(frozen=True)
class Reading:
    """A name as people say it.

    Attributes
    ----------
    label, plural, gender
        In French; ``gender`` is of the head noun (masculine when unknown).
    head
        The noun the label is about; None when no word of it is known.
    nouns, qualifiers
        Every concept found, the head first.
    english
        The name is in English.
    english_label
        The name's own words when it is English, in lower case and spaced: « order date ».
    known
        Every word was found in the lexicon.
    unit
        What it is counted in, when the name says so: ``delai_jours`` is a « délai », in « jours ».
    identifier
        It names a key: ``id``, ``id_client``, ``client_uuid``.
    words
        The folded words, prefixes and key words taken off.
    """

    label: str
    plural: str
    gender: Gender
    head: Concept | None
    nouns: tuple[Concept, ...]
    qualifiers: tuple[Concept, ...]
    english: bool
    english_label: str
    known: bool
    identifier: bool
    words: tuple[str, ...]
    unit: str | None = None

    def has(self, *french: str) -> bool:
        """Tell whether any of these concepts (by their French word) is in the name."""
        return any(c.french in french for c in (*self.nouns, *self.qualifiers))


@lru_cache(maxsize=20_000)
def split_name(name: str) -> tuple[str, ...]:
    """Return the folded words of a technical name.

    >>> split_name("T_CdeClient"), split_name("mtHT"), split_name("orderdate"), split_name("adresse1")
    (('t', 'cde', 'client'), ('mt', 'ht'), ('order', 'date'), ('adresse', '1'))
    """
    spaced = _CAMEL.sub(" ", name.replace("HT", "Ht").replace("TTC", "Ttc") if not name.isupper() else name)
    tokens = re.findall(r"[a-z]+|\d+", fold(spaced))
    out: list[str] = []
    for token in tokens:
        out.extend(_unglue(token))
    return tuple(out)


@lru_cache(maxsize=20_000)
def _unglue(token: str) -> tuple[str, ...]:
    """Cut words that were run together, when every piece is known and the whole is not."""
    if len(token) < _RUN_TOGETHER_MIN or _known_word(token):
        return (token,)
    best: tuple[str, ...] | None = None
    stack: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    while stack:
        start, parts = stack.pop()
        if start == len(token):
            if best is None or len(parts) < len(best):
                best = parts
            continue
        if len(parts) >= 3:
            continue
        for end in range(start + 2, len(token) + 1):
            piece = token[start:end]
            if (
                piece in _SHORT_PARTS
                or (len(piece) >= 4 and _known_word(piece))
                or (piece in {"tel", "jour", "mois", "fin", "day"})
            ):
                stack.append((end, (*parts, piece)))
    return best if best and len(best) > 1 else (token,)


def _known_word(word: str) -> bool:
    return lookup((word,)) is not None or word in accented() or word in _ID_WORDS or word in _vocabulary()


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    """Every single word that occurs in an entry of the lexicon."""
    return frozenset(word for sequence in index() for word in sequence if len(word) >= 4)


def singular_words(name: str) -> tuple[str, ...]:
    """Return the words of a name reduced for comparison: concepts by their French word, the rest without plural.

    >>> singular_words("cd_cli") == singular_words("codes_clients")
    True
    """
    found: list[str] = []
    raw = split_name(name)
    for entry, words in _segments(tuple(w for w in raw if w not in LINKING) or raw):
        found.append(fold(entry.concept.french) if entry else _bare(words[0]))
    return tuple(found)


def _bare(word: str) -> str:
    if len(word) > 3 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith(("s", "x")) and not word.endswith("ss") else word


def _segments(words: tuple[str, ...]) -> list[tuple[Entry | None, tuple[str, ...]]]:
    """Cut words into the longest entries of the lexicon, from the left."""
    found: list[tuple[Entry | None, tuple[str, ...]]] = []
    position = 0
    while position < len(words):
        for length in range(min(4, len(words) - position), 0, -1):
            piece = words[position : position + length]
            entry = lookup(piece)
            if entry is not None or length == 1:
                found.append((entry, piece))
                position += length
                break
    return found


@lru_cache(maxsize=20_000)
def read_name(name: str, kind: Literal["table", "column", "boolean"] = "column") -> Reading:
    """Read a technical name.

    >>> read_name("mt_ht").label, read_name("order_date").label, read_name("lib_prod").label
    ('montant HT', 'date de commande', 'libellé produit')
    >>> read_name("tbl_order_items", "table").plural
    'lignes de commande'
    """
    raw = split_name(name)
    words = _without_habits(raw, kind)
    identifier = kind == "column" and (
        any(w in _ID_WORDS and w not in {"key", "cle"} for w in (raw[:1] + raw[-1:]))
        or (len(raw) > 1 and raw[-1] in {"key", "cle"})
    )
    if identifier:
        words = tuple(w for w in words if w not in _ID_WORDS) or words
    words, unit = _without_unit(words, kind)
    english_mark = any(w in _ENGLISH_MARKS for w in words[:-1]) or words[-1:] == ("at",)
    words = tuple(w for i, w in enumerate(words) if w != "du" or i in (0, len(words) - 1)) or words  # « date du don »
    pieces = _segments(words)
    if not any(entry for entry, _ in pieces) or any(w in LINKING for w in words):
        pieces = _best(pieces, _segments(tuple(w for w in words if w not in LINKING) or words))
    pieces = _planned(_lines_of_documents(pieces))
    read = _compose(pieces, kind, identifier, english_mark, words)
    return replace(read, unit=unit) if unit else read


def _lines_of_documents(pieces: list[tuple[Entry | None, tuple[str, ...]]]) -> list[tuple[Entry | None, tuple[str, ...]]]:
    """Read ``cde_lig`` as ``lig_cde``: a line of a document, in whichever order."""
    found: list[tuple[Entry | None, tuple[str, ...]]] = []
    for entry, words in pieces:
        before = found[-1][0] if found else None
        if entry and before and entry.concept.french in {"ligne", "détail"} and before.concept.french in _DOCUMENTS:
            whole = lookup(("ligne", fold(before.concept.french)))
            if whole is not None:
                found[-1] = (whole, (*found[-1][1], *words))
                continue
        found.append((entry, words))
    return found


def _planned(pieces: list[tuple[Entry | None, tuple[str, ...]]]) -> list[tuple[Entry | None, tuple[str, ...]]]:
    """Read ``prev`` after a date, a quantity or a time as « prévu »: no forecast of it, but what was planned."""
    planned = qualifiers().get("prevu")
    head = pieces[0][0].concept.french.split(" ")[0] if pieces and pieces[0][0] is not None else ""
    if planned is None or head not in {"date", "quantité", "temps", "durée", "nombre", "heure", "échéance", "début", "fin"}:
        return pieces
    entry = Entry(planned, english=False, plural=False, abbreviation=True)
    return [pieces[0], *((entry, words) if words == ("prev",) else (e, words) for e, words in pieces[1:])]


def _without_unit(words: tuple[str, ...], kind: str) -> tuple[tuple[str, ...], str | None]:
    """Take the unit off the end: « poids_kg », « surface_m2 », « duree_min ». A bare « jours » is what is counted."""
    if kind != "column" or len(words) < 2 or words[0] in _UNIT_HEADS_KEPT:
        return words, None
    if len(words) > 2 and (words[-2] + words[-1]) in _UNITS:
        return words[:-2], _UNITS[words[-2] + words[-1]]
    entry = lookup(words)
    if words[-1] in _UNITS and (entry is None or entry.abbreviation):
        rest = tuple(w for w in words[:-1] if w not in {"en", "in"}) or words[:-1]
        return rest, _UNITS[words[-1]]
    return words, None


def _best(one: list[tuple[Entry | None, tuple[str, ...]]], other: list[tuple[Entry | None, tuple[str,
    ...]]]) -> list[tuple[Entry | None, tuple[str, ...]]]:  # fmt: skip
    def unknown(pieces: list[tuple[Entry | None, tuple[str, ...]]]) -> int:
        return sum(entry is None for entry, _ in pieces)

    return other if unknown(other) < unknown(one) else one


def _without_habits(words: tuple[str, ...], kind: str) -> tuple[str, ...]:
    if kind == "table":
        while len(words) > 1 and words[0] in _TABLE_PREFIXES:
            words = words[1:]
        if len(words) > 1 and words[-1] in _TABLE_SUFFIXES:
            words = words[:-1]
    elif kind == "boolean":
        while len(words) > 1 and words[0] in _BOOLEAN_PREFIXES:
            words = words[1:]
        if len(words) > 1 and words[-1] in {"flag", "flg", "yn", "on"}:
            words = words[:-1]
    elif len(words) > 1 and words[0] in _COLUMN_PREFIXES:
        words = words[1:]
    return words


def _compose(
    pieces: list[tuple[Entry | None, tuple[str, ...]]],
    kind: str,
    identifier: bool,
    english_mark: bool,
    words: tuple[str, ...],
) -> Reading:
    if kind == "boolean" and len(pieces) == 1 and (qualifier := qualifiers().get(" ".join(pieces[0][1]))):
        label = qualifier.french
        return Reading(label, label, "m", None, (), (qualifier,), False, "", True, False, words)
    entries = [entry for entry, _ in pieces if entry is not None]
    coded = (
        len(pieces) > 1
        and pieces[-1][0] is not None
        and pieces[-1][0].concept.french in {"numéro", "code", "nom", "libellé"}
    )
    coded = coded and len(pieces[-1][1]) == 1 and not any(_french_only(e, p) for e, p in pieces[:-1] if e)
    english = (
        english_mark or coded or (any(e.english for e in entries) and not any(_french_only(e, p) for e, p in pieces if e))
    )
    if english:
        pieces = _english_order(pieces)
    head_at = next((i for i, (entry, _) in enumerate(pieces) if entry and entry.concept.kind == "noun"), None)
    known = all(entry is not None or piece[0].isdigit() for entry, piece in pieces)
    english_label = " ".join(words) if english else ""
    nouns = tuple(e.concept for e, _ in pieces if e and e.concept.kind == "noun")
    found_qualifiers = tuple(e.concept for e, _ in pieces if e and e.concept.kind == "qualifier")
    if head_at is None:
        spelled = [_spelled(e, p) for e, p in pieces]
        label = " ".join(spelled)
        if kind == "table" and spelled:
            label = " ".join([*spelled[:-1], _bare_label(spelled[-1])])
        plural = " ".join([french_plural(w) for w in label.split(" ")[:1]] + label.split(" ")[1:])
        return Reading(
            label,
            plural,
            _guess_gender(label),
            None,
            nouns,
            found_qualifiers,
            english,
            english_label,
            known,
            identifier,
            words,
        )
    head_entry = pieces[head_at][0]
    assert head_entry is not None
    head = head_entry.concept
    before = [_spelled(e, p) for e, p in pieces[:head_at] if e is None]
    before_qualifiers = [e for e, _ in pieces[:head_at] if e is not None]
    rest = pieces[head_at + 1 :]
    # « heures prévues », « jours de retard » are said in the plural when they are written so.
    several = head_entry.plural or (head_entry.abbreviation and head.french in _COUNTED_UNITS)
    label = _phrase(head, before_qualifiers, rest, before, plural=kind == "column" and several and not identifier)
    plural = _phrase(head, before_qualifiers, rest, before, plural=True)
    ordered = (head, *(c for c in nouns if c is not head))
    return Reading(
        label, plural, head.gender, head, ordered, found_qualifiers, english, english_label, known, identifier, words
    )


def _french_only(entry: Entry, piece: tuple[str, ...]) -> bool:
    """Tell whether the words are French and could not be English (« date », « client » are both)."""
    if entry.english:
        return False
    if entry.abbreviation:
        return not set(piece) <= _ENGLISH_ABBREVIATIONS
    from datapilot_kernel.catalog.lexicon import words as words_of

    both = any(words_of(e) == piece or words_of(e + "s") == piece for e in entry.concept.english)
    return not both


def _english_order(pieces: list[tuple[Entry | None, tuple[str, ...]]]) -> list[tuple[Entry | None, tuple[str, ...]]]:
    """Bring the head to the front: the last noun, then qualifiers, then the other words from the nearest outwards."""
    numbers = [p for p in pieces if p[1][0].isdigit()]
    pieces = [p for p in pieces if not p[1][0].isdigit()]
    nouns = [i for i, (entry, _) in enumerate(pieces) if entry and entry.concept.kind == "noun"]
    if not nouns:
        return pieces + numbers
    head = nouns[-1]
    after = pieces[head + 1 :]
    qualifying = [p for i, p in enumerate(pieces[:head]) if p[0] and p[0].concept.kind == "qualifier"]
    others = [p for p in reversed(pieces[:head]) if not (p[0] and p[0].concept.kind == "qualifier")]
    return [pieces[head], *after, *qualifying, *others, *numbers]


def _phrase(
    head: Concept, leading: list[Entry], rest: list[tuple[Entry | None, tuple[str, ...]]], before: list[str], *, plural: bool
) -> str:
    parts = [head.plural if plural else head.french]
    parts += [entry.concept.agreed(head.gender, plural) for entry in leading if entry.concept.kind == "qualifier"]
    for entry, piece in rest:
        if entry is None:
            spelled = _spelled(entry, piece)
            noun = head.french in _OF_UNKNOWN and len(spelled) >= 4 and spelled.isalpha()
            noun = noun and (head.french == "nombre" or not _ADJECTIVE.search(spelled))
            parts.append(_de(spelled) if noun and piece is rest[0][1] else spelled)
        elif entry.concept.kind == "qualifier":
            parts.append(entry.concept.agreed(head.gender, plural))
        elif head.french in {"quantité", "valeur"} and entry.concept.french == "stock":
            parts.append("en stock")
        elif head.french in _NO_DE_HEADS:
            parts.append(entry.concept.french)
        elif head.french == "quantité" and entry.concept.french in _QUANTITY_DONE:
            parts.append(_QUANTITY_DONE[entry.concept.french])
        elif head.french == "nombre":
            parts.append(_de(entry.concept.plural))
        else:
            parts.append(_de(entry.concept.french))
    return " ".join(parts + before)


def _de(word: str) -> str:
    """Return « de X » or « d’X ».

    >>> _de("commande"), _de("échéance"), _de("hôtel")
    ('de commande', 'd’échéance', 'd’hôtel')
    """
    return f"d’{word}" if fold(word)[:1] in "aeiouyh" and fold(word)[:2] not in {"ha", "ya", "yo"} else f"de {word}"


def _spelled(entry: Entry | None, piece: tuple[str, ...]) -> str:
    if entry is not None:
        return entry.concept.french
    return " ".join("par" if word == "by" else restore_accents(word) for word in piece)


def restore_accents(word: str) -> str:
    """Return a folded French word with its accents, when they are sure.

    >>> restore_accents("societe"), restore_accents("priorites"), restore_accents("site")
    ('société', 'priorités', 'site')
    """
    if word in accented():
        return accented()[word]
    if word.endswith("s") and word[:-1] in accented():
        return accented()[word[:-1]] + "s"
    return word


def _bare_label(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


_FEMININE_ENDINGS = (
    "tion",
    "sion",
    "té",
    "tte",
    "ance",
    "ence",
    "ure",
    "ée",
    "ie",
    "ise",
    "ade",
    "ette",
    "lle",
    "esse",
    "tude",
    "ique",
)


def _guess_gender(label: str) -> Gender:
    first = label.split(" ")[0] if label else ""
    return "f" if first.endswith(_FEMININE_ENDINGS) else "m"


def is_code_name(name: str) -> bool:
    """Tell whether a column is named like a code or a number given to something: ``cd_cli``, ``num_facture``, ``sku``."""
    words = split_name(name)
    return bool(words) and (
        words[0] in _CODE_WORDS
        or words[-1] in _CODE_WORDS
        or words[-1] in {"sku", "ean", "isbn", "barcode", "siret", "siren"}
    )
