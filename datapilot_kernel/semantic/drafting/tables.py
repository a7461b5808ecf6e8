"""Tables to entities: what each is about, what people call it, whether they see it at all."""

from __future__ import annotations

import re

from datapilot_kernel.catalog.lexicon import english_plural, fold
from datapilot_kernel.catalog.model import Catalog, Table
from datapilot_kernel.catalog.names import Gender, read_name, split_name
from datapilot_kernel.semantic.drafting.comments import label_in
from datapilot_kernel.semantic.drafting.context import Draft, Role, TableDraft, distinct, in_sense, safe_name, same

_TECHNICAL = re.compile(
    r"^(alembic_version|schema_migrations?|flyway_.*|databasechangelog.*|django_(migrations|session|content_type|admin_log)|auth_(permission|group_permissions|user_user_permissions)|"
    r"knex_.*|_prisma_.*|migrations?|ar_internal_metadata|sysdiagrams|spatial_ref_sys|geometry_columns|geography_columns|pg_stat_.*|sqlite_.*|"
    r"failed_jobs|jobs|job_batches|cache(_locks)?|sessions|password_resets?|password_reset_tokens|personal_access_tokens|oauth_.*|hibernate_sequences?|"
    r"celery_.*|delayed_jobs|queue_.*|tmp_.*|temp_.*|bak_.*|backup_.*|.*_(bak|backup|old|tmp|temp))$"
)  # fmt: skip
_LOG_WORDS = frozenset(
    {
        "log",
        "logs",
        "audit",
        "audits",
        "trace",
        "traces",
        "debug",
        "migration",
        "migrations",
        "queue",
        "token",
        "tokens",
        "cron",
    }
)
_FACT_CONCEPTS = frozenset({
    "commande", "ligne de commande", "facture", "ligne de facture", "vente", "ligne de vente", "avoir", "devis", "paiement",
    "règlement", "livraison",
    "expédition", "retour", "remboursement", "mouvement", "mouvement de stock", "stock", "objectif", "budget", "prévision",
    "absence", "congé",
    "ordre de fabrication", "rebut", "arrêt", "arrêt machine", "panne", "intervention", "ticket", "abonnement", "contrat",
    "écriture", "transaction",
    "bulletin de paie", "salaire", "pointage", "commande d’achat", "achat", "production", "dépense", "note de frais",
    "réservation", "séjour", "visite",
    "consultation", "rendez-vous", "appel", "évaluation", "formation", "contrôle qualité", "contrôle", "consommation",
    "relevé", "mesure", "trajet", "vol",
    "opportunité", "avis", "sinistre", "location", "inscription", "cotisation", "don", "événement", "session",
    "encaissement", "réclamation", "incident",
    "demande", "embauche", "candidature", "non-conformité", "opération", "panier", "résiliation", "facturation", "récolte",
    "emprunt", "page", "addition", "ligne d’addition", "gaspillage alimentaire", "bail", "quittance", "gaspillage",
    "vacation", "subvention", "collecte", "promesse de don", "hospitalisation", "acte", "ordonnance", "analyse",
    "mensualité", "accident",
    "amende", "téléchargement", "fréquentation", "émission", "nuitée", "lancement", "essai", "anomalie", "déploiement",
    "commande en ligne", "bon de livraison", "honoraires", "charge", "loyer", "heure", "temps passé", "virement reçu",
})  # fmt: skip
_THING_CONCEPTS = frozenset({
    "client", "employé", "salarié", "collaborateur", "utilisateur", "personne", "contact", "fournisseur", "produit",
    "article", "machine", "équipement",
    "magasin", "entrepôt", "dépôt", "site", "agence", "société", "entreprise", "compte", "commercial", "vendeur",
    "représentant", "opérateur", "patient",
    "médecin", "étudiant", "élève", "enseignant", "adhérent", "véhicule", "bien", "logement", "hôtel", "chambre", "projet",
    "service", "catégorie",
    "famille", "ville", "région", "pays", "formule", "cours", "livre", "film", "composant", "pièce", "matière première",
    "campagne", "bâtiment",
    "technicien", "chauffeur", "camion", "partenaire", "courtier", "assuré", "locataire", "propriétaire", "joueur",
    "candidat", "agent", "membre", "immeuble", "appartement", "prestataire", "bénévole", "donateur", "praticien", "soignant",
    "infirmier", "médicament", "école", "serveur", "cuisinier", "article de la carte", "restaurant", "lot", "consultant",
    "participant", "intervenant", "bailleur", "association", "mutuelle", "spécialité", "navire", "portefeuille", "outil",
    "moule", "terrain", "spectateur", "convive", "antenne",
})  # fmt: skip
_ALSO_CALLED = {
    "compte": ("client", "clients"), "organisation": ("client", "clients"), "congé": ("absence", "absences"),
    "article": ("produit", "produits"),
    "produit": ("article", "articles"), "employé": ("salarié", "collaborateur"), "arrêt machine": ("arrêt", "arrêts"),
    "abonné": ("client", "clients"),
    "ordre de fabrication": ("OF",), "expédition": ("livraison", "livraisons"), "livraison": ("expédition", "expéditions"),
    "pièce": ("article", "articles"),
    "règlement": ("paiement", "paiements"), "paiement": ("règlement", "règlements"), "opportunité": ("affaire", "affaires"),
    "évaluation": ("entretien",),
    "hôtel": ("établissement", "établissements"), "restaurant": ("établissement", "établissements"),
    "site": ("établissement", "établissements", "lieu"), "bail": ("contrat de location", "contrat", "location"),
    "lot": ("bien", "logement"), "donateur": ("bienfaiteur",), "patient": ("patientèle",), "praticien": ("médecin",),
    "acheteur": ("client", "clients"), "société": ("entreprise", "entreprises"), "entreprise": ("société", "sociétés"),
}  # fmt: skip
_NUMERIC = {"integer", "decimal", "float"}
_DATES = {"date", "timestamp", "timestamptz"}


def draft_tables(catalog: Catalog) -> Draft:
    """Return every table with its reading, label and role, most important first."""
    names: set[str] = set()
    drafts: list[TableDraft] = []
    several = len({t.db_schema for t in catalog.tables}) > 1
    senses = _senses(catalog)
    for table in catalog.tables:
        if not table.columns:
            continue
        spelled = in_sense(table.name, senses)
        reading = read_name(spelled, "table")
        name = safe_name("_".join(read_name(table.name, "table").words) or table.name, names, "t")
        if name in names or (name != safe_name("_".join(read_name(table.name, "table").words), set(), "t") and several):
            name = safe_name(f"{table.db_schema}_{table.name}", names, "t")
        names.add(name)
        label, plural, gender = _label(table, spelled)
        drafts.append(TableDraft(table, name, reading, label, plural, gender, _role(table, catalog, spelled)))
    pointed = dict.fromkeys((t.table.key for t in drafts), 0)
    for draft in drafts:
        for fk in draft.table.foreign_keys:
            pointed[fk.ref_table] = pointed.get(fk.ref_table, 0) + 1
    # Important: what people see before what they do not, facts that point at most before the things they point at.
    order = {"fact": 0, "thing": 0, "view": 1, "bridge": 2, "technical": 3}
    drafts.sort(
        key=lambda d: (
            order[d.role],
            d.role != "fact",
            -(len(d.table.foreign_keys) + pointed[d.table.key]),
            d.table.key,
        )
    )
    _tell_apart(drafts)
    return Draft(catalog, {d.table.key: d for d in drafts}, senses=senses)


_PLACE = frozenset(
    {"city", "town", "address", "street", "zip", "country", "region", "state", "latitude", "ville", "adresse"}
)
_RENTED = frozenset({"start", "end", "debut", "fin", "return", "retour", "rent", "loyer", "client", "customer", "tenant"})
_MONEY_WORDS = frozenset({"amount", "total", "price", "sales", "tip", "paid", "subtotal", "revenue", "montant", "amt"})


def _senses(catalog: Catalog) -> dict[str, str]:
    """Return the homographs that the columns around them settle: « locations » with towns are places, with tenants rentals;
    « checks » with amounts are bills, without any inspections.
    """
    found: dict[str, str] = {}
    for table in catalog.tables:
        last = split_name(table.name)[-1:]
        columns = {w for c in table.columns for w in split_name(c.name)}
        if last in {("location",), ("locations",)} and columns & _PLACE and not columns & _RENTED:
            found |= {"location": "site", "locations": "sites"}
        if last in {("check",), ("checks",)} and not columns & _MONEY_WORDS:
            found |= {"check": "control", "checks": "controls"}
    return found


_COLLECTIONS = {"plan comptable": ("compte", "comptes", "m")}
"""What a row of a collection is, where the collection and its rows have different names."""


def _label(table: Table, spelled: str) -> tuple[str, str, Gender]:
    reading = read_name(spelled, "table")
    member = _COLLECTIONS.get(reading.label)
    if member is not None:
        return member[0], member[1], "f" if member[2] == "f" else "m"
    said = label_in(table.comment)
    if reading.known or not said or len(said.split()) > 4 or fold(said) == fold(table.name).replace("_", " "):
        return reading.label, reading.plural, reading.gender
    spoken = read_name(said, "table")
    if spoken.known:
        return spoken.label, spoken.plural, spoken.gender
    if reading.head is not None and not _cryptic(table.name):
        return reading.label, reading.plural, reading.gender
    return said, said if said.endswith("s") else spoken.plural, spoken.gender


def _cryptic(name: str) -> bool:
    """Tell whether a name says nothing by itself: ``T001``, ``F_DOCLIGNE``."""
    return any(c.isdigit() for c in name) or max((len(w) for w in split_name(name)), default=0) <= 3


def _role(table: Table, catalog: Catalog, spelled: str) -> Role:
    words = split_name(table.name)
    if _TECHNICAL.match(table.name.lower()) or (
        words and (words[-1] in _LOG_WORDS or words[0] in {"audit", "log", "tmp", "temp", "stg", "staging"})
    ):
        return "technical"
    if table.kind == "view" and any(t.kind == "table" for t in catalog.tables):
        base = {c.name.lower() for t in catalog.tables if t.kind == "table" for c in t.columns}
        shared = sum(c.name.lower() in base for c in table.columns)
        if shared >= 0.5 * len(table.columns):
            return "technical"
        return "view"
    own_keys = {c for fk in table.foreign_keys for c in fk.columns}
    payload = [
        c for c in table.columns if c.name not in own_keys and c.name not in table.primary_key and not _bookkeeping(c.name)
    ]
    if len(table.foreign_keys) >= 2 and not payload:
        return "bridge"
    reading = read_name(spelled, "table")
    if reading.head is not None and reading.head.french in _FACT_CONCEPTS:
        return "fact"
    if reading.head is not None and reading.head.french in _THING_CONCEPTS:
        return "thing"
    has_date = any(c.type in _DATES and not _bookkeeping(c.name) for c in table.columns)
    has_number = any(
        c.type in _NUMERIC and c.name not in own_keys and c.name not in table.primary_key for c in table.columns
    )
    return "fact" if table.foreign_keys and has_date and has_number else "thing"


def _bookkeeping(column: str) -> bool:
    reading = read_name(column)
    return reading.has("date de création", "date de mise à jour", "date de suppression") or fold(column) in {
        "id",
        "uuid",
        "version",
        "position",
        "ordre",
    }


def _tell_apart(drafts: list[TableDraft]) -> None:
    """Give different labels to tables that read alike, and let each synonym belong to one table."""
    taken: dict[str, TableDraft] = {}
    for draft in drafts:
        if fold(draft.label) in taken and draft.role != "technical":
            extra = draft.table.name.lower().replace("_", " ")
            if fold(extra) == fold(draft.label):
                extra = draft.table.db_schema
            draft.label, draft.plural = f"{draft.label} ({extra})", f"{draft.plural} ({extra})"
        if draft.role != "technical":
            taken.setdefault(fold(draft.label), draft)
            taken.setdefault(fold(draft.plural), draft)
    for draft in drafts:
        if draft.role == "technical":
            continue
        head = draft.reading.head
        wished: list[str] = []
        if head is not None and same(head.french, draft.label):
            wished += list(head.synonyms)
        if head is not None and draft.reading.label in _COLLECTIONS:
            wished += [head.french, head.plural, f"{draft.label} comptable", f"{draft.plural} comptables"]
        comment = label_in(draft.table.comment)
        if comment and len(comment.split()) <= 3:
            wished.append(comment)
        english = draft.reading.english_label
        if draft.reading.english and english:
            wished += [_singular(english), english if english.endswith("s") else english_plural(english)]
        elif not draft.reading.known:
            wished.append(draft.table.name.lower().replace("_", " "))
        for synonym in distinct(wished, draft.label, draft.plural):
            owner = taken.setdefault(fold(synonym), draft)
            if owner is draft:
                draft.synonyms.append(synonym)
    # A site with bills of guests is a restaurant.
    if any(d.concept == "addition" for d in drafts):
        for draft in drafts:
            wanted = ("restaurant", "restaurants") if draft.concept in {"site", "magasin", "établissement"} else ()
            for synonym in wanted:
                if taken.setdefault(fold(synonym), draft) is draft:
                    draft.synonyms.append(synonym)
    # What a table is also called, where no other table is called so: an account is the customer of who has no customers.
    for draft in drafts:
        if draft.role != "technical" and draft.reading.head is not None and same(draft.reading.head.french, draft.label):
            for synonym in _ALSO_CALLED.get(draft.concept, ()):
                if taken.setdefault(fold(synonym), draft) is draft and fold(synonym) not in {
                    fold(s) for s in draft.synonyms
                }:
                    draft.synonyms.append(synonym)


def _singular(phrase: str) -> str:
    head, space, last = phrase.rpartition(" ")
    if last.endswith("ies"):
        last = last[:-3] + "y"
    elif last.endswith(("ches", "shes", "sses", "xes")):
        last = last[:-2]
    elif last.endswith("s") and not last.endswith("ss") and last not in {"sales", "series"}:
        last = last[:-1]
    return f"{head}{space}{last}"
