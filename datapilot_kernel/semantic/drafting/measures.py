"""Numeric columns to measures: what adds up, what is averaged, what is only the last value of a period.

The name decides first (a price is averaged, an amount adds up), the kind of table second (a salary in a table of employees
is both a payroll and an average), the format of the column last.
"""

from __future__ import annotations

import re
from typing import Literal

from datapilot_kernel.catalog.lexicon import fold, words
from datapilot_kernel.catalog.model import Column
from datapilot_kernel.catalog.names import Reading, is_code_name, split_name
from datapilot_kernel.semantic.drafting.columns import MONEY, column_format, is_rate, label_starts
from datapilot_kernel.semantic.drafting.context import Draft, TableDraft, of, safe_name
from datapilot_kernel.semantic.drafting.reserved import quoted
from datapilot_kernel.semantic.drafting.spoken import a, days, if_alone, surely
from datapilot_kernel.semantic.drafting.values import spelled_codes
from datapilot_kernel.semantic.drafting.wording import MeasureDraft, counted, qualified
from datapilot_kernel.semantic.model import Additivity, Format

Kind = Literal["sum", "average", "none"]

_AVERAGED = frozenset({
    "prix", "prix unitaire", "prix d’achat", "prix de vente", "prix de revient", "coût unitaire", "taux", "taux de remise",
    "taux de TVA", "pourcentage",
    "ratio", "note", "âge", "coefficient", "température", "pression", "cadence", "rendement", "satisfaction", "ancienneté",
    "délai", "délai de livraison",
    "délai de réponse", "délai de résolution", "temps de réponse", "temps de cycle", "moyenne", "largeur", "hauteur",
    "longueur", "taille", "grille tarifaire",
    "qualité", "plafond de crédit", "seuil", "seuil de réapprovisionnement", "minimum", "maximum", "limite", "plafond",
    "évaluation", "distance", "taux horaire", "tarif", "tarif de base",
})  # fmt: skip
_NOT_MEASURES = frozenset({
    "année", "mois", "jour", "semaine", "trimestre", "rang", "ordre", "numéro", "code", "latitude", "longitude",
    "code postal", "téléphone", "version",
    "niveau", "identifiant", "matricule", "SIRET", "SIREN", "référence", "période", "exercice", "mobile", "fax", "type",
    "statut", "étape", "priorité",
    "place", "page", "parent", "gravité", "classe", "état", "étage", "étoile", "source", "mode", "nature", "motif",
})  # fmt: skip
_AVERAGED_WORDS = frozenset({"score", "index", "indice", "level", "grade", "nps", "csat", "avg", "moy", "moyen", "moyenne",
    "mean", "ratio", "rate", "std", "pct", "percent"})  # fmt: skip
_THING_AVERAGED = frozenset(
    {
        "salaire",
        "salaire brut",
        "salaire net",
        "poids",
        "durée",
        "coût",
        "montant",
        "valeur",
        "prime",
        "loyer",
        "capacité",
        "surface",
    }
)
_PEOPLE = ("employé", "salarié", "collaborateur", "utilisateur", "personne")
_GOODS = (
    "produit",
    "article",
    "référence",
    "pièce",
    "composant",
    "matière",
    "matière première",
    "prestation",
    "machine",
    "article de la carte",
    "médicament",
    "formule",
    "offre",
    "opération",
)
_STAFF = ("employé", "salarié", "collaborateur", "opérateur", "commercial", "vendeur", "technicien", "agent")
_SUM_WORDS = {"salaire": "masse salariale", "salaire brut": "masse salariale brute", "salaire net": "masse salariale nette"}
_SNAPSHOT = re.compile(r"photograph|snapshot|fin de mois|fin de journ|end of (month|day|period)|inventaire|stock au ", re.I)
_COLLECTIVE = frozenset({"vente", "facturation", "trésorerie"})
_LOWER_BETTER = frozenset({"rebut", "arrêt", "arrêt machine", "panne", "absence", "retour", "réclamation", "coût",
    "dépense", "frais", "défaut", "délai", "impayé", "incident", "délai de livraison"})  # fmt: skip
_NUMERIC = {"integer", "decimal", "float"}


def draft_measures(draft: Draft, table: TableDraft) -> list[MeasureDraft]:
    """Return the table's own measures: its count, and one or two for each numeric column."""
    measures = [_count(table)]
    snapshot = is_snapshot(table)
    for column in table.table.columns:
        kind = measure_kind(table, column)
        if kind == "none" or coded(column):
            continue
        reading = table.reading_of(column)
        if kind == "sum":
            measures.append(_sum(draft, table, column, reading, snapshot))
        head = reading.head.french if reading.head else ""
        if (
            kind == "average"
            or (table.role == "thing" and head in _THING_AVERAGED)
            or (table.is_a("contrat", "bail") and head.startswith(("salaire", "loyer")))
            or (table.role == "fact" and (head in {"distance", "durée"} or _lasts(reading)))
        ):
            measures.append(_average(draft, table, column, reading))
        elif kind == "sum" and table.role == "fact" and days(reading):
            measures.append(_average_days(draft, table, column))
    _totals(table, measures)
    return [*measures, *_events(draft, table), *_documents(draft, table)]


def _totals(table: TableDraft, measures: list[MeasureDraft]) -> None:
    """« total des factures » is their amount where they have one, how many they are where they have none.

    Where they have several it is nobody's. A table that is called by money (gifts, expenses) or by a unit (hours) is asked
    for by that: « dépenses par mois » is no number of rows.
    """
    sums = [m for m in measures if (m.expression or "").startswith("SUM") and m.column is not None]
    money = [m for m in sums if m.format.kind == "currency"]
    heads = {m.ref: _head_of(table, m) for m in sums}
    amounts = [m for m in money if heads[m.ref] in {"montant", "montant total", "total", "chiffre d’affaires"}]
    if not money:
        measures[0].synonyms.append(f"total des {table.plural}")
    elif len(amounts) == 1 and len(money) == 1:
        amounts[0].synonyms.append(f"total des {table.plural}")
    if table.concept in MONEY and len(amounts or money) == 1:
        (amounts or money)[0].synonyms += [table.plural, *([table.label] if table.concept in _COLLECTIVE else [])]
    unit = {"heure": "hours", "jour": "days"}.get(table.concept)
    counted_in = [m for m in sums if m.format.kind == unit] if unit else []
    if len(counted_in) == 1:
        counted_in[0].synonyms += [table.plural, f"nombre {of(table.plural)}", f"nb {of(table.plural)}"]
        measures[0].wishes = [f"nombre de lignes {of(table.plural)}"]
        measures[0].synonyms = []


def _head_of(table: TableDraft, measure: MeasureDraft) -> str:
    head = table.column_readings[measure.column].head if measure.column is not None else None
    return head.french if head is not None else ""


def coded(column: Column) -> bool:
    """Tell whether a whole number only codes what its comment spells out: « 1 : en cours, 2 : terminé »."""
    return column.type == "integer" and len(spelled_codes(column)) >= 2


def _average_days(draft: Draft, table: TableDraft, column: Column) -> MeasureDraft:
    """Average days of a row: « nombre moyen de jours d’absence » is by absence."""
    return MeasureDraft(
        table,
        measure_name(table, "moyenne", column, dict.fromkeys(table.measures)),
        [f"nombre moyen de jours {of(table.label)}"],
        expression=f"AVG({quoted(draft, column.name)})",
        synonyms=[
            f"durée moyenne des {table.plural}", f"durée moyenne {a(table)}", f"nombre moyen de jours {of(table.plural)}",
            f"jours {of(table.label)} en moyenne", f"nombre de jours moyen {of(table.label)}",
            f"nombre moyen de jours par {table.label}", f"nombre de jours moyen par {table.label}",
        ],
        format=Format(kind="days", decimals=1),
        additivity="non_additive",
        column=column.name,
        priority=6,
    )  # fmt: skip


def _documents(draft: Draft, table: TableDraft) -> list[MeasureDraft]:
    """Count the documents that several rows share the number of: « nombre de pièces » of entries."""
    if table.role != "fact":
        return []
    tables = {t.concept for t in draft.visible()}
    found: list[MeasureDraft] = []
    for column in table.table.columns:
        reading = table.column_readings[column.name]
        meant = reading.nouns[1] if len(reading.nouns) == 2 else None
        repeated = (column.name,) not in (table.table.primary_key, *table.table.unique_keys)
        if (
            meant is None or reading.identifier or column.personal or column.type not in {"text", "integer"}
            or reading.head is None or reading.head.french not in {"numéro", "référence"} or not repeated
            or meant.french in tables or set(words(meant.french)) & set(words(table.label))
            or table.foreign(column.name) or column.name not in table.dimension_names
            or table.dimensions[table.dimension_names[column.name]].hidden
        ):  # fmt: skip
            continue
        plural, apart = meant.plural, "distinctes" if meant.gender == "f" else "distincts"
        found.append(
            MeasureDraft(
                table, measure_name(table, "nombre", column, dict.fromkeys(table.measures)), [f"nombre {of(plural)}"],
                expression=f"COUNT(DISTINCT {quoted(draft, column.name)})", additivity="non_additive", priority=6,
                synonyms=[f"nb {of(plural)}", f"nombre {of(plural)} {apart}", f"nombre de {reading.plural}"],
                format=Format(kind="integer"),
            )
        )  # fmt: skip
    return found


_EVENTS: tuple[tuple[tuple[str, ...], tuple[str, ...], str, tuple[str, ...]], ...] = (
    (_STAFF, ("date d’embauche", "date de début"), "nombre d’embauches", ("embauches", "recrutements",
    "nombre de recrutements", "arrivées", "nombre d’arrivées", "entrées", "nombre d’entrées", "entrées {of_plural}",
    "nombre d’entrées {of_plural}", "{plural} embauchés", "{plural} recrutés")),
    (_STAFF, ("date de départ", "date de fin"), "nombre de départs", ("départs", "sorties", "nombre de sorties",
    "sorties {of_plural}", "nombre de sorties {of_plural}", "départs {of_plural}", "nombre de départs {of_plural}")),
    (("abonnement", "contrat"), ("date de résiliation", "date d’annulation", "date de fin"), "nombre de résiliations",
    ("résiliations", "churn", "désabonnements", "annulations")),
    (("client", "abonné", "adhérent", "utilisateur", "donateur", "bénévole", "patient", "membre", "locataire", "compte",
      "prospect", "élève", "étudiant", "voyageur", "cotisant"),
     ("date d’inscription", "date de création", "date d’arrivée", "date de début"), "nouveaux {plural}",
    ("nombre de nouveaux {plural}", "{plural} créés", "inscriptions", "nombre d’inscriptions")),
    (("réservation", "séjour", "hospitalisation"), ("date d’arrivée",), "nombre d’arrivées", ("arrivées",)),
    (("réservation", "séjour", "hospitalisation"), ("date de départ",), "nombre de départs", ("départs",)),
    (("produit", "article", "référence"), ("date de lancement", "date de création"), "nouveaux {plural}",
    ("nombre de nouveaux {plural}", "{plural} lancés", "nombre de {plural} lancés", "lancements", "{plural} créés")),
)  # fmt: skip


def _events(draft: Draft, table: TableDraft) -> list[MeasureDraft]:
    """Count what a second date of a table says: hires, departures, cancellations, new customers. Each has its own date."""
    found: list[MeasureDraft] = []
    for concepts, dates, label, synonyms in _EVENTS:
        if not table.is_a(*concepts):
            continue
        for column in table.table.columns:
            reading = table.column_readings.get(column.name)
            if reading is None or column.type not in {"date", "timestamp", "timestamptz"} or column.personal:
                continue
            if reading.head is not None and reading.head.french in dates and not reading.has("prévu"):
                found.append(
                    MeasureDraft(
                        table,
                        safe_name(
                            label.format(plural=table.plural).replace("nombre d’", "").replace("nombre de ", "nb_"),
                            set(table.dimensions),
                            "m",
                        ),
                        [label.format(plural=table.plural)],
                        expression=f"COUNT({quoted(draft, column.name)})",
                        synonyms=[s.format(plural=table.plural, of_plural=of(table.plural)) for s in synonyms],
                        format=Format(kind="integer"),
                        time=table.dimension_names[column.name],
                        priority=4,
                    )
                )
                break
    return found


def measure_kind(table: TableDraft, column: Column) -> Kind:
    """Tell whether a column adds up, is averaged, or is no quantity at all."""
    if column.type not in _NUMERIC or column.personal or column.name not in table.dimension_names:
        return "none"
    reading = table.reading_of(column)
    dimension = table.dimensions[table.dimension_names[column.name]]
    in_key = column.name in table.table.primary_key or any(column.name in fk.columns for fk in table.table.foreign_keys)
    if in_key or dimension.type == "boolean" or reading.identifier or is_code_name(column.name) or dimension.hidden:
        return "none"
    head = reading.head.french if reading.head else ""
    if head in _NOT_MEASURES and not (head == "jour" and (column.type != "integer" or label_starts(reading, "jours"))):
        return "none"
    if head == "distance" and table.role == "fact":
        return "sum"  # of trips; between two places of a thing it is averaged
    if (
        is_rate(reading)
        or head in _AVERAGED
        or set(split_name(column.name)) & _AVERAGED_WORDS
        or reading.has("moyen", "unitaire", "horaire")
    ):
        return "average"
    if head == "siège" and not label_starts(reading, "sièges"):
        return "none"  # « siège » is a place, « sièges » are counted
    if head in MONEY and re.match(r"[^,;.(]*\bpar (?!mois|an\b|trimestre|jour)", fold(column.comment or "")):
        return "average"  # « coût par participant » does not add up over sessions
    if table.role == "thing" and (
        head == "poids" or (head in {"coût", "montant", "valeur", "durée"} and table.is_a(*_GOODS))
    ):
        return "average"
    return "sum"


def is_snapshot(table: TableDraft) -> bool:
    """Tell whether rows are photographs of a state at a date, which do not add up over time."""
    if table.time is None or table.is_a("mouvement de stock", "mouvement"):
        return False
    own = table.is_a("stock", "inventaire", "effectif", "encours", "solde") or bool(
        _SNAPSHOT.search(table.table.comment or "")
    )
    return own or "snapshot" in split_name(table.table.name)


def measure_name(table: TableDraft, prefix: str, column: Column, taken: dict[str, object]) -> str:
    """Return a name for a column's measure."""
    return safe_name(f"{prefix}_{table.dimension_names[column.name]}", taken, "m")


def _count(table: TableDraft) -> MeasureDraft:
    synonyms = [
        f"nb {of(table.plural)}",
        f"nb {table.plural}",
        f"nombre total {of(table.plural)}",
    ]
    if table.is_a(*_PEOPLE):
        synonyms += ["effectif", "effectifs", "headcount"]
    lasting = any(days(r) or r.unit == "heures" or r.has("nombre d’heures") for r in table.column_readings.values())
    if table.role == "fact" and not lasting:  # the volume of what lasts may be its rows or its days: to be asked
        synonyms.append(f"volume {of(table.plural)}")
    if table.reading.english and table.reading.english_label:
        synonyms.append(f"number of {table.reading.english_label}")
    return MeasureDraft(
        table,
        "nombre",
        [counted(table)],
        expression="COUNT(*)",
        synonyms=synonyms,
        format=Format(kind="integer"),
        priority=2,
        lower_is_better=table.concept in _LOWER_BETTER,
    )


def _sum(draft: Draft, table: TableDraft, column: Column, reading: Reading, snapshot: bool) -> MeasureDraft:
    label = table.dimensions[table.dimension_names[column.name]].label
    head = reading.head.french if reading.head else ""
    wishes = [label]
    synonyms: list[str] = []
    if head in _SUM_WORDS and table.role == "thing":
        wishes = [_SUM_WORDS[head], "masse salariale"]
        synonyms += [f"total des {reading.plural}", f"somme des {reading.plural}"]
    additivity: Additivity = "additive"
    if snapshot or (head in {"solde",
        "stock"} and table.role == "fact" and table.time is not None and "ligne" not in table.concept and not table.is_a(
            "commande", "facture", "mouvement de stock")):  # fmt: skip
        additivity = "semi_additive"
    synonyms += _variants(table, column, reading, label)
    if reading.has("stock") or (snapshot and reading.has("quantité")):
        synonyms += ["stock", "quantité en stock", "niveau de stock", "stock disponible", "unités en stock",
            "pièces en stock"] if head != "valeur" else []  # fmt: skip
    if (
        reading.has("quantité")
        and table.concept.startswith("ligne de")
        and not reading.qualifiers
        and len(reading.nouns) == 1
    ):
        sold = {"ligne de commande": "quantité commandée"}.get(table.concept)
        synonyms += [sold] if sold else []
    return MeasureDraft(
        table,
        measure_name(table, "total", column, dict.fromkeys(table.measures)),
        wishes,
        expression=f"SUM({quoted(draft, column.name)})",
        synonyms=synonyms,
        format=_sum_format(column, reading),
        additivity=additivity,
        description=column.comment if column.comment and len(column.comment) <= 300 else None,
        lower_is_better=head in _LOWER_BETTER or reading.has("rebut", "défaut", "coût", "rebuté"),
        column=column.name,
        bare=if_alone(reading, label),
        hidden=False,
    )


def _sum_format(column: Column, reading: Reading) -> Format:
    found = column_format(column, reading)
    # A sum of whole days or hours stays whole; a sum of euros is currency whatever the column's name for it.
    return found


def _variants(table: TableDraft, column: Column, reading: Reading, label: str) -> list[str]:
    """Return other ways of naming a column's total."""
    dimension = table.dimensions[table.dimension_names[column.name]]
    found = list(dimension.synonyms)
    head = reading.head
    # « montant total » alone is nobody's: too many tables have a « montant ».
    if (
        " " in label
        and head is not None
        and head.french in MONEY
        and head.french not in {"total", "montant total"}
        and "total" not in fold(label)
    ):
        agreed = "totale" if reading.gender == "f" else "total"
        found.append(f"{label} {agreed}")
    if head is not None and head.french in {"montant total", "total"}:
        found += ["montant", "montant total"]
    if reading.unit in {"minutes", "heures", "jours"} and "durée" in label:
        if label == "durée":
            found += [
                f"durée {of(table.label)}",
                f"temps {of(table.label)}",
                f"durée totale {of(table.label)}",
                f"temps total {of(table.label)}",
            ]
        else:
            found.append(label.replace("durée", "temps", 1))
    if reading.has("fabriqué"):
        found += [label.replace("fabriqué", "produit"), "production", "production totale"]
    found += surely(table, column, reading, label)
    found.append(qualified(label, table))
    return found


def _only_tax(reading: Reading) -> bool:
    return len(reading.nouns) == 1 and {q.french for q in reading.qualifiers} <= {"HT", "TTC", "HC", "CC"}


def _lasts(reading: Reading) -> bool:
    """Tell whether a column is how long a row lasts: « attente_min », but not « nb_heures »."""
    return reading.unit in {"minutes", "secondes", "heures"} and not reading.has("nombre", "nombre d’heures", "heure")


def _average(draft: Draft, table: TableDraft, column: Column, reading: Reading) -> MeasureDraft:
    label = table.dimensions[table.dimension_names[column.name]].label
    agreed = "moyenne" if reading.gender == "f" else "moyen"
    if reading.has("moyen", "moyenne"):
        wishes, synonyms = [label], []
    else:
        first, _, rest = label.partition(" ")
        wishes = [f"{label} {agreed}"]
        synonyms = [f"{first} {agreed} {rest}".strip(), f"moyenne des {reading.plural}"]
        if table.role == "fact" and len(reading.nouns) == 1 and not rest:
            synonyms += [f"{first} {agreed} {of(said)}" for said in (table.label, *table.synonyms[:1])]
            synonyms += [f"{first} {agreed} {a(table)}", f"{first} {agreed} par {table.label}"]
            synonyms += [f"{first} {of(said)} {agreed}" for said in (table.label, *table.synonyms[:1])]
        if first == "durée":
            synonyms += [f"temps moyen {rest}".strip(), f"temps {rest} moyen".replace("  ", " ")]
        for short, whole in (("HC", "hors charges"), ("CC", "charges comprises")):
            if f" {short}" in label:
                synonyms += [f"{first} {agreed} {whole}", f"{first} {whole} {agreed}"]
        if reading.english_label:
            synonyms.append(f"average {reading.english_label}")
        if reading.head is not None and _only_tax(reading):
            # « prix catalogue moyen » of a « prix de vente HT »; « prix de vente moyen » when no other column is one.
            others = [c for c in table.table.columns if c is not column and table.concept_of(c) == reading.head.french]
            synonyms += [
                f"{said} {agreed}" for said in (*(() if others else (reading.head.french,)), *reading.head.synonyms)
            ]
        if reading.head is not None and reading.head.french in {"salaire brut", "salaire net"} and table.role == "thing":
            synonyms += ["salaire moyen", "rémunération moyenne"]
    number = column_format(column, reading)
    if number.kind == "integer":
        number = Format(kind="decimal", unit=number.unit)
    elif number.kind in {"days", "hours"}:
        number = Format(kind=number.kind, decimals=1)
    return MeasureDraft(
        table,
        measure_name(table, "moyenne", column, dict.fromkeys(table.measures)),
        wishes,
        expression=f"AVG({quoted(draft, column.name)})",
        synonyms=synonyms,
        format=number,
        additivity="non_additive",
        description=column.comment if column.comment and len(column.comment) <= 300 else None,
        lower_is_better=bool(reading.head and reading.head.french in _LOWER_BETTER),
        column=column.name,
        priority=6,
    )
