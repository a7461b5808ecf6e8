"""What a comment says: a label, when it is short enough to be one, and the meaning of codes, when it lists them."""

from __future__ import annotations

import re

_CUT = re.compile(r"\s*[,;:.(–\n\[]|\s-\s|\s=\s")
_LONGEST_WORDS, _LONGEST = 6, 48
_NOT_LABELS = re.compile(
    r"^(vrai|true|faux|si |nombre de jours entre|fk|pk|clé|foreign|primary|todo|deprecated|obsolete|unused|auto|indique|"
    r"whether|voir|see)\b",
    re.IGNORECASE,
)
_MEANING_END = re.compile(r"[,;/|)\n]|\.\s|\.$")


def label_in(comment: str | None) -> str | None:
    """Return the label a comment begins with; None when it is a sentence.

    >>> label_in("Montant HT, en euros"), label_in("Vrai si le client est abonné"), label_in("Client (vide : de passage)")
    ('montant HT', None, 'client')
    """
    if not comment:
        return None
    first = _CUT.split(comment.strip(), maxsplit=1)[0].strip().strip("« »\"'")
    if not first or len(first) > _LONGEST or len(first.split()) > _LONGEST_WORDS or _NOT_LABELS.match(first):
        return None
    if not any(c.isalpha() for c in first) or "_" in first or "=" in first:
        return None
    return lower_first(first)


def lower_first(text: str) -> str:
    """Lower the first letter, unless the first word is an acronym.

    >>> lower_first("Date de commande"), lower_first("TVA collectée")
    ('date de commande', 'TVA collectée')
    """
    first = text.split(" ", 1)[0]
    return text if len(first) > 1 and first.isupper() else text[:1].lower() + text[1:]


def meanings(comment: str | None, values: tuple[str, ...]) -> dict[str, str]:
    """Return what a comment says about stored codes: ``Statut : EXP expédiée, LIV = livrée``.

    Only codes that are stored count, and only when the comment explains at least two, or all there are.

    >>> meanings("Statut : EXP expédiée, LIV = livrée", ("LIV", "EXP"))
    {'LIV': 'livrée', 'EXP': 'expédiée'}
    """
    if not comment or not values or len(values) > 40:
        return {}
    marks = {
        value: list(re.finditer(rf"(?<![\w]){re.escape(value)}(?![\w])", comment))
        for value in values
        if 0 < len(value) <= 20
    }
    starts = sorted(m.start() for found in marks.values() for m in found)
    said: dict[str, str] = {}
    for value, found in marks.items():
        for mark in found:
            rest = comment[mark.end() :]
            following = next((s for s in starts if s > mark.start()), len(comment))
            rest = re.sub(r"^\s*(?:=>|->|→|[=:–-])?\s*", "", rest[: following - mark.end()])
            text = _MEANING_END.split(re.sub(r"\(.*?(\)|$)", "", rest), maxsplit=1)[0].strip(" '\"«»-–=")
            if text and len(text) <= 40 and len(text.split()) <= 5 and any(c.isalpha() for c in text):
                said[value] = lower_first(text)
                break
    return said if len(said) >= min(2, len(values)) else {}
