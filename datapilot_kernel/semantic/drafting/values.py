"""What people call stored values: from the comment first, from known codes and English words where the domain is evident.

One known code proves nothing (``ANN`` may be a first name): a domain counts when the column is named like it and at least
half of its values are known, or when nearly all are. Countries come from the locale data of Babel, in both languages.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from datapilot_kernel.catalog.lexicon import fold
from datapilot_kernel.catalog.model import Column
from datapilot_kernel.catalog.names import Reading
from datapilot_kernel.semantic.drafting.comments import meanings

Gender = Literal["f", "m"]
_YES = frozenset({"oui", "o", "yes", "y", "true", "t", "vrai", "1", "x"})
_NO = frozenset({"non", "n", "no", "false", "f", "faux", "0", ""})
_EXPIRING = frozenset({"devis", "contrat", "abonnement", "promotion", "coupon", "licence", "offre", "adhésion", "police"})
_MAX_ALIASED = 60
_ADJECTIVAL = re.compile(r"(?:able|ible|aire|ique|ant|ent|el|al|if|ise|ie|ue|ee|e)$")


@dataclass(frozen=True)
class _Domain:
    columns: frozenset[str]
    codes: dict[str, str]
    words: dict[str, str]


@cache
def _domains() -> tuple[_Domain, ...]:
    text = files("datapilot_kernel.semantic.drafting").joinpath("values.toml").read_text(encoding="utf-8")
    return tuple(
        _Domain(
            frozenset(domain["columns"]),
            {fold(code): meaning for code, meaning in domain.get("codes", {}).items()},
            {_plain(word): meaning for word, meaning in domain.get("words", {}).items()},
        )
        for domain in tomllib.loads(text).values()
    )


def aliases(column: Column, reading: Reading, gender: Gender, table_words: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return stored value -> what people call it (the label first), for the values that are sure."""
    values = column.values or ()
    if column.type == "integer":
        return {code: _agreed(meaning, gender) for code, meaning in spelled_codes(column).items()}
    if not values or column.type != "text":
        return {}
    said = {value: (meaning,) for value, meaning in meanings(column.comment, values).items()}
    known = _known(values, reading, gender, table_words)
    countries: dict[str, tuple[str, ...]] = _countries(values) if reading.has("pays") else {}
    merged: dict[str, tuple[str, ...]] = {}
    for value in values[:_MAX_ALIASED]:
        names = [*said.get(value, ()), *known.get(value, ()), *countries.get(value, ())]
        names = list(dict.fromkeys(n for n in names if fold(n) != fold(value)))
        if names and value in countries and value not in said and fold(countries[value][0]) == fold(value):
            names = [value, *names]  # the country stays the label, its adjectives are what else it is called
        if names:
            merged[value] = tuple(names)
    return merged


def spelled_codes(column: Column) -> dict[str, str]:
    """Return stored whole number -> meaning, where a comment spells every code out.

    >>> from datapilot_kernel.catalog.model import Column
    >>> spelled_codes(Column(name="etat", type="integer", native_type="int", comment="1 : en cours, 2 = terminé"))
    {'1': 'en cours', '2': 'terminé'}
    """
    if column.type != "integer" or not column.comment:
        return {}
    pairs = re.findall(
        r"(?:^|[,;/(\n]|\bet\b|:\s)\s*(\d{1,3})\s*(?:=|:|->|→|-)\s*([^\d,;/()\n][^,;/()\n]{0,38})", column.comment
    )
    return {code: meaning.strip(" .") for code, meaning in pairs} if len(pairs) >= 2 else {}


def _known(
    values: tuple[str, ...], reading: Reading, gender: Gender, table_words: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    about = {c.french for c in (*reading.nouns, *reading.qualifiers)} | {reading.label}
    best: dict[str, tuple[str, ...]] = {}
    for domain in _domains():
        found: dict[str, tuple[str, ...]] = {}
        for value in values:
            spelled = domain.codes.get(fold(value)) if value.isupper() or len(value) <= 2 else None
            spelled = spelled or domain.words.get(_plain(value))
            if spelled:
                found[value] = _agreed(spelled, gender)
        named = bool(domain.columns & {*about, *table_words})
        needed = 0.34 if named else 0.8
        if len(found) >= 1 and len(found) >= needed * len(values) and (named or len(found) >= 2):
            for value, names in found.items():
                if value.upper() == "EXP" and set(table_words) & _EXPIRING:
                    names = _agreed("expiré|expirée", gender)  # a quotation is not shipped
                best.setdefault(value, names)
    return best


def _plain(text: str) -> str:
    return fold(text).replace("-", "_").replace(" ", "_")


def _agreed(spelled: str, gender: Gender) -> tuple[str, ...]:
    """Return the forms, the one that agrees first, the other gender after: people type both."""
    names: list[str] = []
    for form in spelled.split(";"):
        masculine, _, feminine = form.strip().partition("|")
        pair = [feminine or masculine, masculine] if gender == "f" else [masculine, feminine]
        names += [n for n in pair if n]
    return tuple(dict.fromkeys(names))


@cache
def _territories() -> dict[str, str]:
    from babel import Locale

    french, english = Locale("fr").territories, Locale("en").territories
    found: dict[str, str] = {}
    for code, name in french.items():
        if len(code) == 2 and code.isalpha():
            label = str(name).replace("'", "’")
            found[code.lower()] = label
            found[fold(str(english.get(code, "")))] = label
            found[fold(label)] = label
    for spelled, code in {"usa": "US", "uk": "GB", "england": "GB", "fra": "FR", "deu": "DE", "esp": "ES", "ita": "IT",
        "bel": "BE", "che": "CH", "gbr": "GB", "nld": "NL", "prt": "PT", "lux": "LU", "uae": "AE", "czech republic": "CZ",
        "holland": "NL"}.items():  # fmt: skip
        found[spelled] = str(french[code])
    return found


def _countries(values: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {v: (_territories()[fold(v)],) for v in values if fold(v) in _territories()}
    if len(found) < 0.6 * len(values):
        return {}
    return {value: (*names, *_people_of(names[0])) for value, names in found.items()}


_DEMONYMS = {
    "France": "français", "Allemagne": "allemand", "Royaume-Uni": "britannique anglais", "Belgique": "belge",
    "Suisse": "suisse", "Espagne": "espagnol", "Italie": "italien", "États-Unis": "américain", "Pays-Bas": "néerlandais",
    "Portugal": "portugais", "Luxembourg": "luxembourgeois", "Autriche": "autrichien", "Pologne": "polonais",
    "Irlande": "irlandais", "Danemark": "danois", "Suède": "suédois", "Norvège": "norvégien", "Finlande": "finlandais",
    "Grèce": "grec", "Tchéquie": "tchèque", "Roumanie": "roumain", "Hongrie": "hongrois", "Chine": "chinois",
    "Japon": "japonais", "Inde": "indien", "Brésil": "brésilien", "Canada": "canadien", "Maroc": "marocain",
    "Algérie": "algérien", "Tunisie": "tunisien", "Sénégal": "sénégalais", "Turquie": "turc", "Russie": "russe",
    "Ukraine": "ukrainien", "Mexique": "mexicain", "Argentine": "argentin", "Australie": "australien",
    "Corée du Sud": "coréen", "Israël": "israélien", "Liban": "libanais",
}  # fmt: skip
_ODD_FEMININES = {"grec": "grecque", "turc": "turque"}


def _people_of(country: str) -> tuple[str, ...]:
    """Return the adjectives of a country in every form: « allemand », « allemande »…

    >>> _people_of("Italie"), _people_of("Atlantide")
    (('italien', 'italienne', 'italiens', 'italiennes'), ())
    """
    found: list[str] = []
    for one in _DEMONYMS.get(country, "").split():
        feminine = _ODD_FEMININES.get(one) or (one if one.endswith("e") else one + "ne" if one.endswith("en") else one + "e")
        found += [one, feminine, one if one.endswith("s") else one + "s", feminine + "s"]
    return tuple(dict.fromkeys(found))


def yes_and_no(column: Column) -> tuple[str, str] | None:
    """Return the stored yes and no of a text column that holds nothing else; None when it does.

    >>> from datapilot_kernel.catalog.model import Column
    >>> yes_and_no(Column(name="actif", type="text", native_type="text", values=("oui", "non")))
    ('oui', 'non')
    """
    values = column.values or ()
    if column.type != "text" or not 1 <= len(values) <= 2:
        return None
    yes = next((v for v in values if fold(v) in _YES), None)
    no = next((v for v in values if fold(v) in _NO and v != yes), None)
    if yes is not None and (no is not None or len(values) == 1) and fold(yes) not in {"t", "x", "1"}:
        return yes, no or ("non" if fold(yes) == "oui" else "N")
    return None


_ACTIVE = (
    (("produit", "article", "référence", "prestation", "pièce"), ("au catalogue", "encore au catalogue", "en vente"),
     ("retiré du catalogue", "retirés du catalogue", "hors catalogue", "plus au catalogue", "retirés de la vente")),
    (("employé", "salarié", "collaborateur", "commercial", "vendeur", "chauffeur", "technicien", "opérateur", "agent"),
     ("présents", "en poste", "en activité"), ("non présents",)),
)  # fmt: skip


def situated(reading: Reading, concept: str, values: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Add what « actif » means for this kind of thing: a product is « au catalogue », a person « en poste »."""
    if len(values) != 2 or [q.french for q in reading.qualifiers] != ["actif"]:
        return values
    for concepts, yes, no in _ACTIVE:
        if concept in concepts:
            (first, held), (second, not_held) = values.items()
            return {first: tuple(dict.fromkeys((*held, *yes))), second: tuple(dict.fromkeys((*not_held, *no)))}
    return values


_LISTS = frozenset({"newsletter", "infolettre"})


def _with_or_without(label: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names for a flag that is a noun: what one has, or a list one is on."""
    yes, no = [label, f"avec {label}"], [f"sans {label}", f"non {label}"]
    if label in _LISTS:
        yes += [f"{w} à la {label}" for w in ("abonné", "abonnée", "abonnés", "abonnées", "inscrit", "inscrite", "inscrits")]
        no += [f"non abonnés à la {label}", f"non inscrits à la {label}"]
    return tuple(yes), tuple(no)


def _adjective(reading: Reading) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the forms of one word that ends like an adjective or a participle, though the lexicon does not know it."""
    word = reading.label
    if reading.nouns or reading.qualifiers or len(reading.words) != 1 or not _ADJECTIVAL.search(fold(word)):
        return None
    feminine = word if word.endswith("e") else f"{word}e"
    forms = (word, feminine, f"{word}s", f"{feminine}s")
    return tuple(dict.fromkeys(forms)), (f"non {word}", f"non {feminine}")


def boolean_names(reading: Reading, gender: Gender) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what people call the rows where it holds, and those where it does not.

    >>> from datapilot_kernel.catalog.names import read_name
    >>> boolean_names(read_name("is_active", "boolean"), "f")
    (('active', 'actives', 'actif', 'actifs'), ('inactive', 'inactives', 'inactif', 'inactifs', 'non active', 'non actif'))
    """
    if len(reading.qualifiers) != 1 or reading.nouns or len(reading.words) > 1:
        return _adjective(reading) or _with_or_without(reading.label)
    qualifier = reading.qualifiers[0]
    other: Gender = "m" if gender == "f" else "f"
    forms = [qualifier.agreed(g, plural) for g in (gender, other) for plural in (False, True)]
    opposite = {
        "actif": ("inactif", "inactive"),
        "payé": ("impayé", "impayée"),
        "disponible": ("indisponible", "indisponible"),
    }
    negated: list[str] = []
    if qualifier.french in opposite:
        masculine, feminine = opposite[qualifier.french]
        pair = (feminine, masculine) if gender == "f" else (masculine, feminine)
        negated += [p + s for p in pair for s in ("", "s")]
    negated += [f"non {qualifier.agreed(g, False)}" for g in (gender, other)]
    return tuple(dict.fromkeys(forms)), tuple(dict.fromkeys(negated))
