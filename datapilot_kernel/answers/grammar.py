"""A little French: articles, elision, contractions, periods in a sentence.

The layer knows the gender of entities, not of measures: the gender of a label is read from its first word, by a short list
of the words that businesses measure, then by endings that do not lie. Where that is not sure (``None``), the sentence takes
a form that needs no article: a wrong « le » is worse than a colon.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from datapilot_kernel.messages import Language

Gender = Literal["f", "m"]

_FEMININE = frozenset({
    "anciennete", "annee", "baisse", "charge", "commande", "cotisation", "creance", "croissance", "depense", "dette",
    "distance", "duree", "facture", "frequence", "hausse", "heure", "journee", "main", "marge", "masse", "mediane",
    "moyenne", "note", "part", "performance", "perte", "prime", "quantite", "recette", "remise", "semaine", "somme",
    "surface", "taille", "taxe", "tva", "valeur", "vente",
})  # fmt: skip
_MASCULINE = frozenset({
    "achat", "age", "article", "avoir", "benefice", "besoin", "budget", "ca", "capital", "chiffre", "client", "cout",
    "credit", "cumul", "debit", "delai", "ecart", "effectif", "encours", "frais", "gain", "indice", "jour", "kilo",
    "litre", "manque", "maximum", "minimum", "mois", "montant", "niveau", "nombre", "objectif", "paiement", "panier",
    "plafond", "poids", "port", "pourcentage", "prix", "produit", "profit", "rang", "ratio", "rebut", "reglement",
    "rendement", "reste", "resultat", "retour", "revenu", "salaire", "score", "solde", "stock", "tarif", "taux", "temps",
    "ticket", "total", "volume",
})  # fmt: skip
_FEMININE_ENDINGS = ("tion", "sion", "aison", "ite", "ence", "ance", "ure", "ude", "ette", "elle", "esse")
_MASCULINE_ENDINGS = ("ment", "eau", "isme", "oir", "ier")
_H_ASPIRATED = re.compile(
    r"^(hausse|haut|hors|huit|hangar|handicap|hasard|hotline|heros|hub|hall|hameau|havre|hauteur|hollande|hongrie)"
)


def fold(word: str) -> str:
    """Return ``word`` in lower case without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(c))


def typographic(label: str) -> str:
    """Return ``label`` with typographic apostrophes between letters (« chiffre d’affaires »)."""
    return re.sub(r"(?<=\w)'(?=\w)", "’", label)


def lower_first(label: str) -> str:
    """Return ``label`` with a small first letter, unless it begins with an acronym (« CA », « TVA déductible »)."""
    first = label.split(" ", 1)[0]
    return label if len(first) > 1 and first.isupper() else label[:1].lower() + label[1:]


def upper_first(sentence: str) -> str:
    """Return ``sentence`` with a capital first letter."""
    return sentence[:1].upper() + sentence[1:]


def gender_of(label: str) -> Gender | None:
    """Return the gender of a label's first word, None when it is not sure."""
    words = fold(label).split()
    if not words:
        return None
    head = words[0].strip("’'().,:")
    for candidate in (head, head.removesuffix("s"), head.removesuffix("x")):
        if candidate in _FEMININE:
            return "f"
        if candidate in _MASCULINE:
            return "m"
    stem = head.removesuffix("s")
    if stem.endswith(_MASCULINE_ENDINGS):
        return "m"
    if stem.endswith(_FEMININE_ENDINGS):
        return "f"
    return None


def is_plural(label: str) -> bool:
    """Tell whether a label's first word is a plural (« ventes », « frais »)."""
    words = fold(label).split()
    head = words[0] if words else ""
    return head.endswith(("s", "x")) and head not in {
        "prix",
        "taux",
        "poids",
        "mois",
        "temps",
        "encours",
        "cours",
        "jours-homme",
    }


def elides(word: str) -> bool:
    """Tell whether « de » and « le » lose their vowel before ``word``."""
    first = fold(word)
    return first[:1] in set("aeiouy") or (first[:1] == "h" and _H_ASPIRATED.match(first) is None)


def of(word: str) -> str:
    """Return « de mai », « d’avril »."""
    return f"d’{word}" if elides(word) else f"de {word}"


def the(label: str, gender: Gender | None = None) -> str | None:
    """Return the label with its article (« le chiffre d’affaires », « l’écart », « les ventes »), None when not sure."""
    if is_plural(label):
        return f"les {label}"
    gender = gender or gender_of(label)
    if gender is None:
        return None
    if elides(label):
        return f"l’{label}"
    return f"la {label}" if gender == "f" else f"le {label}"


def a(label: str, gender: Gender | None = None) -> str | None:
    """Return « un panier moyen », « une marge »; None when the gender is not sure or the label is a plural."""
    gender = gender or gender_of(label)
    if gender is None or is_plural(label):
        return None
    return f"une {label}" if gender == "f" else f"un {label}"


def is_typical(label: str) -> bool:
    """Tell whether a label names a level and not an amount: « panier moyen », « prix unitaire » (no « 12 € de prix »)."""
    return re.search(r"\b(moyen|median|prix|unitaire|maximum|minimum|taux|cout|tarif)", fold(label)) is not None


def of_the(label: str, gender: Gender | None = None) -> str | None:
    """Return « du chiffre d’affaires », « de la marge », « de l’écart », « des ventes »; None when not sure."""
    whole = the(label, gender)
    if whole is None:
        return None
    if whole.startswith("le "):
        return f"du {whole[3:]}"
    return f"des {whole[4:]}" if whole.startswith("les ") else f"de {whole}"


_MONTH = r"(janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre)"
_MONTHS = rf"^{_MONTH}( \d{{4}})? à "
_DAY = rf"^\d{{1,2}}(er)? {_MONTH}"
# The labels are those of plan.period_labels; one that no pattern knows gets the form that is always right.
_IN_FR: tuple[tuple[str, str], ...] = (
    (_MONTHS, "de {}"),
    (rf"^{_MONTH}\b", "en {}"),
    (r"^\d{4}$", "en {}"),
    (r"^T[1-4]\b", "au {}"),
    (r"^(1er|2e) semestre ", "au {}"),
    (r"^semaine ", "en {}"),
    (r"^exercice ", "sur l’{}"),
    (r"^(du|depuis|jusqu)\b", "{}"),
    (_DAY, "le {}"),
)
_TO_FR: tuple[tuple[str, str], ...] = (
    (_MONTHS, "à la période de {}"),
    (r"^T[1-4]\b", "au {}"),
    (r"^(1er|2e) semestre ", "au {}"),
    (r"^semaine ", "à la {}"),
    (r"^exercice ", "à l’{}"),
    (r"^(du|depuis|jusqu)\b", "à la période {}"),
    (_DAY, "au {}"),
)
_IN_EN: tuple[tuple[str, str], ...] = (
    (r"^(since|until) ", "{}"),
    (r".* to ", "from {}"),
    (r"^(first|second) half ", "in the {}"),
    (r"^\d{1,2} ", "on {}"),
)


def in_period(label: str, language: Language) -> str:
    """Return a period's label as an adverb: « en mai 2026 », « au T2 2025 », « du 01/05/2026 au 12/05/2026 »."""
    for pattern, form in _IN_FR if language == "fr" else _IN_EN:
        if re.match(pattern, label, re.IGNORECASE):
            return _elided(form.format(label))
    return f"sur la période « {label} »" if language == "fr" else f"in {label}"


def to_period(label: str, language: Language) -> str:
    """Return a period's label after « par rapport »: « à mai 2025 », « au T2 2025 », « aux 30 derniers jours »."""
    if language != "fr":
        return label
    for pattern, form in _TO_FR:
        if re.match(pattern, label, re.IGNORECASE):
            return _elided(form.format(label))
    return f"à {label}"


def _elided(phrase: str) -> str:
    return re.sub(r"\bde (?=[ao])", "d’", phrase, count=1) if phrase.startswith(("de ", "à la période de ")) else phrase
