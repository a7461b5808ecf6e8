"""Names for SQL out of what people write above a column or on a file: lower snake case, ASCII, recognisable.

``Montant HT (€)`` becomes ``montant_ht_eur``; what was written stays beside it as the label. Two headers never get one
name. SQL's reserved words are left as they are: everything this package generates quotes its names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_SPELLED = {
    "œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "ß": "ss", "ø": "o", "Ø": "o",
    "€": " eur ", "%": " pct ", "&": " et ", "’": " ", "'": " ",
}  # fmt: skip
_NUMBER_SIGN = re.compile(r"(?<!\w)[Nn]\s?[°º](?!\w)|№")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_OTHER = re.compile(r"[^a-z0-9]+")
_LONGEST = 60


def clean_name(written: str, fallback: str = "") -> str:
    """Return the SQL name for a header or a file name; ``fallback`` when nothing of it is a letter or a digit.

    >>> clean_name("N° de commande"), clean_name("Chiffre d’affaires"), clean_name("EcritureDate"), clean_name("2025")
    ('num_de_commande', 'chiffre_d_affaires', 'ecriture_date', 'c_2025')
    """
    text = _NUMBER_SIGN.sub("num ", written)
    for sign, spelled in _SPELLED.items():
        text = text.replace(sign, spelled)
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    text = _CAMEL.sub("_", text).lower()
    text = _OTHER.sub("_", text).strip("_")[:_LONGEST].strip("_")
    if not text:
        return fallback
    return f"c_{text}" if text[0].isdigit() else text


def clean_names(written: Iterable[str], prefix: str = "colonne") -> list[str]:
    """Return one distinct SQL name per header, in order: empty ones are numbered, repeated ones get ``_2``, ``_3``.

    >>> clean_names(["Date", "", "date", "Montant"])
    ['date', 'colonne_2', 'date_2', 'montant']
    """
    names: list[str] = []
    taken: set[str] = set()
    for position, header in enumerate(written, 1):
        base = clean_name(header, f"{prefix}_{position}")
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name)
        names.append(name)
    return names
