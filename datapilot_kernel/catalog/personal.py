"""Which columns hold what belongs to a person: their values are never listed, indexed or suggested.

Two looks. By name, before any value is read: e-mail, telephone, IBAN, social security number (NIR), postal address, birth
date, first and last names, and ``nom``/``name`` of tables about people. By value, where a column's values were read anyway:
what looks like an e-mail, a telephone number, an IBAN or a NIR. When in doubt a column is personal: a person can open it
in the layer; the other way round it would already have been shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from datapilot_kernel.catalog.lexicon import fold
from datapilot_kernel.catalog.names import read_name, singular_words, split_name

_ALWAYS = frozenset({
    "email", "mail", "emails", "courriel", "mel", "telephone", "tel", "phone", "mobile", "portable", "fax", "gsm",
    "cellphone", "iban", "bic", "rib",
    "nir", "ssn", "nss", "prenom", "prenoms", "pren", "firstname", "lastname", "surname", "forename", "middlename",
    "fullname", "nickname", "username",
    "login", "password", "passwd", "pwd", "mdp", "passport", "passeport", "birthdate", "birthday", "dob", "naissance",
    "naiss", "birth",
    "adresse", "address", "adr", "addr", "street", "rue", "voie", "ip", "token", "hash", "salt", "signature", "civilite",
    "salutation", "maiden", "patronyme",
})  # fmt: skip
_PHRASES = (
    ("first", "name"), ("last", "name"), ("full", "name"), ("family", "name"), ("given", "name"), ("middle", "name"),
    ("nom", "famille"),
    ("nom", "usage"), ("nom", "naissance"), ("nom", "complet"), ("contact", "name"), ("nom", "contact"), ("secu", "sociale"),
    ("securite", "sociale"), ("social", "security"), ("carte", "bancaire"), ("card", "number"), ("credit", "card"), ("user",
    "name"),
    ("nom", "prenom"), ("bank", "account"), ("compte", "bancaire"), ("recipient", "name"), ("nom", "destinataire"), ("ship",
    "name"),
)  # fmt: skip
_NOT_PLACE = frozenset(
    {"ville", "city", "pays", "country", "region", "cp", "postal", "code", "zip", "type", "id", "state", "departement"}
)
_PEOPLE = frozenset({
    "employe", "salarie", "collaborateur", "utilisateur", "contact", "personne", "patient", "medecin", "etudiant", "eleve",
    "enseignant", "adherent",
    "donateur", "beneficiaire", "locataire", "proprietaire", "voyageur", "candidat", "commercial", "vendeur",
    "representant", "agent", "chauffeur",
    "operateur", "manager", "responsable", "passager", "joueur", "assure", "abonne", "acteur", "technicien", "conducteur",
    "member", "membre",
    "technician", "author", "auteur", "visiteur", "consultant", "guest", "prospect",
})  # fmt: skip
_MAYBE_PEOPLE = frozenset({"client", "acheteur", "compte", "tiers", "fournisseur"})
_NAMES = frozenset({"nom", "name", "nm", "noms"})
_COMPANY = re.compile(
    r"\b(sa|sas|sasu|sarl|eurl|sci|snc|scop|gmbh|ag|ltd|limited|inc|llc|plc|corp|corporation|co|company|bv|spa|srl|group|"
    r"groupe|ets|etablissements|"
    r"societe|association|mairie|ville|commune|hotel|cafe|restaurant|garage|pharmacie|boulangerie|cabinet|agence|maison|"
    r"atelier|services?|"
    r"industries?|transports?|conseil|consulting|solutions?|systems?|technologies|distribution|international|france|"
    r"europe|holding|partners|"
    r"supermarche|magasins?|boutique|markets?|foods?|traders?|import|export|clinique|hopital|university|universite|ecole|"
    r"et fils)\b|&"
)
_PATTERNS = (
    re.compile(r"[^@\s]+@[^@\s]+\.[a-z]{2,}", re.I),
    re.compile(r"(?:\+|00(?=[1-9]))\d{1,3}[\s.()-]*(?:\d[\s.()-]*){7,12}|0[1-9](?:[\s.-]?\d{2}){4}"),
    re.compile(r"[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){3,7}(?:\s?[A-Z0-9]{1,4})?"),
    re.compile(r"[12]\s?\d{2}\s?(?:0[1-9]|1[0-2]|[2-9]\d)\s?(?:\d{2}|2[AB])\s?\d{3}\s?\d{3}(?:\s?\d{2})?"),
    re.compile(r"(?:M\.|Mr\.?|Mme|Mlle|Mrs\.?|Ms\.?|Dr\.?)\s+\w+.*"),
    re.compile(
        r"\d{1,4}(?:\s?(?:bis|ter|[A-D]))?,?\s+(?:rue|avenue|av\.?|boulevard|bd\.?|place|chemin|allée|impasse|route|quai|cours)\s+.+",
        re.I,
    ),
)


def named_like_people(column: str, table: str, siblings: Iterable[str] = ()) -> bool:
    """Tell whether a column's name says that it holds something personal.

    Parameters
    ----------
    siblings
        Names of the table's other columns: a ``nom`` beside a ``prenom`` is a person's.
    """
    words = split_name(column)
    if not words or read_name(column).identifier:
        return False
    joined = "".join(words)
    if joined in _ALWAYS:
        return True
    if any(w in _ALWAYS for w in words) and not (words[-1] in _NOT_PLACE or words[0] in _NOT_PLACE):
        # « tel_type », « adresse_ville » are about a place or a kind, « date_signature » is about a day.
        return not (
            words[0] in {"date", "dt", "nb", "nombre", "is", "has", "mode", "statut"}
            and "naissance" not in words
            and "naiss" not in words
        )
    for phrase in _PHRASES:
        if any(words[i : i + len(phrase)] == phrase for i in range(len(words))):
            return True
    if words[0] in _NAMES or words[-1] in _NAMES:
        subject = set(singular_words(table)) | set(singular_words(column))
        if any(fold(w) in _PEOPLE for w in subject):
            return True
        if subject & _MAYBE_PEOPLE and len(words) <= 2:
            return any(named_like_person_mark(s) for s in siblings if s != column)
    return False


def named_like_person_mark(column: str) -> bool:
    """Tell whether a column is one that only a table of natural persons has: first name, title, birth date."""
    words = split_name(column)
    if not words:
        return False
    marks = {
        "prenom",
        "pren",
        "firstname",
        "civilite",
        "naissance",
        "birthdate",
        "dob",
        "sexe",
        "gender",
        "forename",
        "birth",
        "birthday",
    }
    return bool(set(words) & marks) or words[:2] in {("first", "name"), ("given", "name")}


def maybe_people(column: str, table: str) -> bool:
    """Tell whether only the values say if this is a person's name or a company's: ``clients.nom``, ``customers.name``."""
    words = split_name(column)
    subject = set(singular_words(table)) | set(singular_words(column))
    return bool(words) and (words[0] in _NAMES or words[-1] in _NAMES) and bool(subject & (_MAYBE_PEOPLE - {"fournisseur"}))


def valued_like_people(values: Sequence[str]) -> bool:
    """Tell whether values look personal: at least three in ten match one pattern."""
    filled = [v.strip() for v in values if v and v.strip()][:500]
    if not filled:
        return False
    return any(sum(bool(pattern.fullmatch(v)) for v in filled) >= max(1, 0.3 * len(filled)) for pattern in _PATTERNS)


def look_like_companies(values: Sequence[str]) -> bool:
    """Tell whether names are companies' rather than persons': one in five says so (SA, SARL, Ltd, &, a digit…)."""
    filled = [fold(v) for v in values if v and v.strip()][:500]
    marked = sum(bool(_COMPANY.search(v)) or any(c.isdigit() for c in v) for v in filled)
    return bool(filled) and marked >= 0.2 * len(filled)
