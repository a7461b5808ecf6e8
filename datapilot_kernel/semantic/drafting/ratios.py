"""Ratios and delays that a catalog makes evident outside of sales: scrap rate, use of a budget, days between two dates."""

from __future__ import annotations

from datapilot_kernel.catalog.lexicon import fold
from datapilot_kernel.catalog.model import Column
from datapilot_kernel.semantic.drafting.amounts import EXCLUDED, quantity_of
from datapilot_kernel.semantic.drafting.context import Draft, TableDraft, of, safe_name
from datapilot_kernel.semantic.drafting.reserved import quoted
from datapilot_kernel.semantic.drafting.sales import measure_of
from datapilot_kernel.semantic.drafting.wording import MeasureDraft
from datapilot_kernel.semantic.model import Format

_PERCENT = Format(kind="percent")
_DELAYS: tuple[tuple[tuple[str, ...], tuple[str, ...], str, tuple[str, ...]], ...] = (
    (("date de commande",), ("date de livraison",), "délai de livraison moyen", ("délai moyen de livraison",
    "délai de livraison", "temps de livraison moyen", "temps moyen de livraison", "temps de livraison")),
    (("date de commande",), ("date d’expédition",), "délai d’expédition moyen", ("délai moyen d’expédition",
    "délai d’expédition", "temps moyen d’expédition", "temps d’expédition")),
    (("date d’expédition",), ("date de livraison",), "délai de transport moyen", ("délai moyen de transport",
    "temps de transport")),
    (("date de création", "date d’ouverture"), ("date de clôture",), "délai de résolution moyen",
    ("délai moyen de résolution", "délai de résolution", "temps moyen de résolution", "temps de résolution",
    "durée moyenne de résolution", "délai de traitement", "délai moyen de traitement")),
    (("date de facture", "date d’émission"), ("date de paiement",), "délai de paiement moyen", ("délai moyen de paiement",
    "délai de paiement", "temps moyen de paiement")),
    (("date de demande",), ("date de réalisation", "date de fin", "date de clôture"), "délai de réalisation moyen",
    ("délai moyen de réalisation", "délai de réalisation", "délai d’intervention", "délai moyen d’intervention",
    "délai de traitement", "délai moyen de traitement", "temps moyen d’intervention")),
    (("date de réservation",), ("date d’arrivée", "date de début"), "délai de réservation moyen",
    ("délai moyen de réservation", "délai de réservation", "anticipation moyenne", "durée moyenne d’anticipation")),
    (("date de demande", "date de création"), ("date de rendez-vous",), "délai d’obtention moyen",
    ("délai moyen d’obtention", "délai d’obtention d’un rendez-vous")),
)  # fmt: skip
_CASES = ("ticket", "demande", "incident", "réclamation", "dossier", "sinistre", "tâche", "affaire", "intervention", "panne",
    "anomalie", "non-conformité", "litige")  # fmt: skip
_STAY_LENGTHS = ("durée moyenne de séjour", "durée moyenne des séjours", "durée de séjour", "durée moyenne du séjour",
    "durée de séjour moyenne", "séjour moyen")  # fmt: skip
_PAID = ("addition", "vente", "commande", "ticket de caisse", "compte", "caisse")
_STAYS = ("séjour", "réservation", "location", "hospitalisation")
_NUMERIC = {"integer", "decimal", "float"}


def draft_ratios(draft: Draft, measures: list[MeasureDraft]) -> None:
    """Add the ratios and delays."""
    by_table: dict[str, list[MeasureDraft]] = {}
    for measure in measures:
        by_table.setdefault(measure.table.name, []).append(measure)
    for table in draft.visible():
        own = by_table.get(table.name, [])
        _delays(draft, table, measures)
        _duration(draft, table, own, measures)
        _budget(table, own, measures)
        _balance(table, own, measures)
        _outstanding(draft, table, measures)
        _outcomes(draft, table, measures)
    _scrap(draft, measures)
    _returns(draft, measures)


def _delays(draft: Draft, table: TableDraft, measures: list[MeasureDraft]) -> None:
    dates = [c for c in table.table.columns if c.type in {"date", "timestamp", "timestamptz"} and not c.personal]
    for starts, ends, label, synonyms in _DELAYS:
        start = next((c for c in dates if _head(table, c) in starts and not table.reading_of(c).has("prévu")), None)
        end = next((c for c in dates if _head(table, c) in ends and not table.reading_of(c).has("prévu")), None)
        if start is None or end is None or start is end:
            continue
        if label.startswith("délai de résolution") and not table.is_a(*_CASES) and table.concept in _PAID:
            continue  # a bill is opened and closed, and no case of anybody
        noun = label.removesuffix(" moyen")
        if any(table.dimensions[d].label.startswith(noun) for d in table.dimensions):
            continue  # a column already says it
        name = safe_name(noun, dict.fromkeys([*table.dimensions, *(m.name for m in measures if m.table is table)]), "m")
        measures.append(
            MeasureDraft(
                table, name, [label], expression=f"AVG({days_between(draft, start, end)})",
                synonyms=[*synonyms, *_between(table, start, end)],
                format=Format(kind="days", decimals=1), additivity="non_additive", priority=4, lower_is_better=True,
                description=f"Moyenne du nombre de jours entre « {table.label_of(start)} » et « {table.label_of(end)} ».",
            )
        )  # fmt: skip


_OUTCOMES: tuple[tuple[tuple[str, ...], str, str, bool], ...] = (
    (("annule", "annulee"), "annulation", "annulations", True), (("refuse", "refusee"), "refus", "refus", True),
    (("rejete", "rejetee"), "rejet", "rejets", True), (("echoue", "echouee", "echec"), "échec", "échecs", True),
    (("resilie", "resiliee"), "résiliation", "résiliations", True),
    (("accepte", "acceptee"), "acceptation", "acceptations", False),
    (("resolu", "resolue"), "résolution", "résolutions", False),
    (("no-show", "no show", "non honore", "non honoree"), "no-show", "no-shows", True),
    (("gagne", "gagnee"), "réussite", "réussites", False),
)  # fmt: skip


_SUBSCRIBED = ("abonnement", "contrat")
_OWN_DAY = {"résiliation": ("date d’annulation", "date de fin")}
"""The days that say as much for what people subscribe to: as :mod:`.measures` counts them."""


def _outcomes(draft: Draft, table: TableDraft, measures: list[MeasureDraft]) -> None:
    """Add how often rows end in a state that has a noun: « taux d’annulation », « nombre d’annulations »."""
    states = [
        c for c in table.table.columns
        if c.type == "text" and c.values and not c.personal and c.name in table.dimension_names
        and table.column_readings[c.name].has("statut", "état", "résultat")
    ]  # fmt: skip
    if len(states) != 1 or table.role != "fact":
        return
    column = states[0]
    names = table.dimensions[table.dimension_names[column.name]].values
    for forms, noun, plural, worse in _OUTCOMES:
        said = [v for v in column.values or () if {fold(v), *(fold(n) for n in names.get(v, ()))} & set(forms)]
        if not said or len(said) == len(column.values or ()):
            continue
        listed = ", ".join("'" + v.replace("'", "''") + "'" for v in said)
        condition = f"CASE WHEN {quoted(draft, column.name)} IN ({listed}) THEN 1 ELSE 0 END"
        stem = fold(noun).replace("-", "_")
        measures.append(
            MeasureDraft(
                table, f"taux_{stem}", [f"taux {of(noun)}"], expression=f"AVG(1.0 * {condition})", format=_PERCENT,
                additivity="non_additive", priority=4, lower_is_better=worse,
                synonyms=[f"taux {of(plural)}", f"taux {of(noun)} des {table.plural}", f"part {of(plural)}",
                f"pourcentage {of(plural)}"],
                description=f"Part des {table.plural} dont le {table.label_of(column)} est {', '.join(said)}.",
            )
        )  # fmt: skip
        own_day = [f"date {of(noun)}", *_OWN_DAY.get(noun, ())] if table.is_a(*_SUBSCRIBED) else [f"date {of(noun)}"]
        if any(r.has(day) for r in table.column_readings.values() for day in own_day) or noun == plural:
            continue  # what happened on a day of its own is counted by that day
        measures.append(
            MeasureDraft(
                table, f"nb_{stem}", [f"nombre {of(plural)}"], expression=f"SUM({condition})", format=Format(kind="integer"),
                priority=6, lower_is_better=worse, synonyms=[plural, f"nb {of(plural)}"],
            )
        )  # fmt: skip


def _between(table: TableDraft, start: Column, end: Column) -> list[str]:
    """« délai moyen entre la demande et la réalisation »: by the two nouns that the dates are of."""
    nouns = [table.label_of(c).removeprefix("date de ").removeprefix("date d’") for c in (start, end)]
    if any(n.startswith("date") for n in nouns):
        return []
    said = f"entre {nouns[0]} et {nouns[1]}"
    return [f"délai moyen {said}", f"délai {said}", f"temps moyen {said}", f"durée moyenne {said}",
            f"nombre moyen de jours {said}"]  # fmt: skip


def _duration(draft: Draft, table: TableDraft, own: list[MeasureDraft], measures: list[MeasureDraft]) -> None:
    """Total and average days from a start to an end, where no column says how many."""
    said = ("durée", "nombre de jours", "nombre d’heures")
    if any(word in m.wishes[0] for m in own for word in said):
        return
    dates = [c for c in table.table.columns if c.type in {"date", "timestamp", "timestamptz"}]
    stay = {"date d’embauche", "date d’arrivée"} if table.is_a(*_STAYS) else set()  # « date_entree » of a stay
    start = next(
        (c for c in dates if _head(table, c) in {"date de début", "début", *stay} and not table.reading_of(c).has("prévu")),
        None,
    )
    end = next(
        (
            c
            for c in dates
            if _head(table, c) in {"date de fin", "fin", *({"date de départ"} if stay else ())}
            and not table.reading_of(c).has("prévu")
        ),
        None,
    )
    if start is None or end is None or table.role != "fact":
        return
    days = days_between(draft, start, end)
    absence = table.is_a("absence", "congé", "séjour", "réservation", "location")
    if table.is_a("absence", "congé") and start.type == "date":
        days = f"{days} + 1"  # both days are days of leave
    if absence:
        measures.append(
            MeasureDraft(
                table, "jours", [f"jours {_of(table)}"], expression=f"SUM({days})", format=Format(kind="days"), priority=4,
                synonyms=[f"nombre de jours {_of(table)}", f"durée totale des {table.plural}",
                f"total des jours {_of(table)}"],
                description="Jours du calendrier, début et fin compris." if days.endswith("+ 1") else None,
            )
        )  # fmt: skip
    if start.type == "date" or absence:
        kind, unit, expression = "days", "jours", f"AVG({days})"
    else:
        kind, unit, expression = "hours", "heures", f"AVG(({days}) * 24.0)"
        measures.append(
            MeasureDraft(
                table, "duree_heures", [f"durée {_of(table, plural=True)}"], expression=f"SUM(({days}) * 24.0)",
                format=Format(kind="hours", decimals=1),
                priority=4, synonyms=[f"durée totale {_of(table, plural=True)}", f"temps {_of(table)}",
                f"heures {_of(table)}", f"durée {_of(table)}"],
            )
        )  # fmt: skip
    measures.append(
        MeasureDraft(
            table, "duree_moyenne", [f"durée moyenne {_of(table, plural=True)}"], expression=expression,
            synonyms=[f"durée moyenne d’un {table.label}" if table.gender == "m" else f"durée moyenne d’une {table.label}",
            f"temps moyen {_of(table)}", *(_STAY_LENGTHS if table.is_a(*_STAYS[:2]) else ())],
            format=Format(kind="days" if kind == "days" else "hours", decimals=1), additivity="non_additive", priority=4,
            description=f"En {unit}, de « {table.label_of(start)} » à « {table.label_of(end)} ».",
        )
    )  # fmt: skip


def _of(table: TableDraft, *, plural: bool = False) -> str:
    return f"des {table.plural}" if plural else of(table.label)


def _head(table: TableDraft, column: Column) -> str:
    reading = table.reading_of(column)
    if reading.head is None:
        return ""
    if (
        reading.head.french == "date"
        and table.concept
        and len(reading.nouns) == 2
        and reading.nouns[1].french == table.concept
    ):
        return f"date de {table.concept}"
    return reading.head.french


def days_between(draft: Draft, start: Column, end: Column) -> str:
    """Return the SQL of the days from one column to another, in the catalog's dialect."""
    a, b = quoted(draft, start.name), quoted(draft, end.name)
    plain = start.type == end.type == "date"
    match draft.catalog.dialect:
        case "mysql":
            return f"DATEDIFF({b}, {a})" if plain else f"TIMESTAMPDIFF(SECOND, {a}, {b}) / 86400.0"
        case "duckdb":
            return f"DATE_DIFF('day', {a}, {b})" if plain else f"DATE_DIFF('second', {a}, {b}) / 86400.0"
        case _:
            if plain:
                return f"({b} - {a})"
            return f"EXTRACT(EPOCH FROM (CAST({b} AS TIMESTAMP) - CAST({a} AS TIMESTAMP))) / 86400.0"


def _outstanding(draft: Draft, table: TableDraft, measures: list[MeasureDraft]) -> None:
    """What is left to pay of documents that say their amount and what was paid of it, in one row."""
    if not table.is_a("facture", "facturation", "échéance", "créance", "commande", "prêt"):
        return
    numbers = [c for c in table.table.columns if c.type in _NUMERIC and not c.personal]
    readings = table.column_readings
    if any(readings[c.name].has("restant", "solde", "encours", "dû") for c in numbers):
        return  # a column says it
    paid = next(
        (c for c in numbers if readings[c.name].has("payé", "réglé", "règlement", "paiement", "encaissement")
         and readings[c.name].has("montant", "montant total", "total")), None,
    )  # fmt: skip
    owed = [
        c for c in numbers
        if c is not paid and (h := readings[c.name].head) is not None and h.french in {"montant", "montant total", "total"}
        and not readings[c.name].has(*EXCLUDED)
    ]  # fmt: skip
    if paid is None or not owed:
        return
    amount = min(owed, key=lambda c: (not readings[c.name].has("TTC"), readings[c.name].has("HT")))
    measures.append(
        MeasureDraft(
            table, "reste_a_payer", ["reste à payer"],
            expression=f"SUM({quoted(draft, amount.name)} - COALESCE({quoted(draft, paid.name)}, 0))",
            format=Format(kind="currency"), priority=3, lower_is_better=True,
            description=f"« {table.label_of(amount)} » moins « {table.label_of(paid)} ».",
            synonyms=["encours", "encours clients", "encours client", "reste dû", "restant dû", "montant restant dû",
            "montant restant à payer", "reste à encaisser", "reste à régler", "créances", "créances clients",
            "montant dû", "montant non réglé", "montant non payé", "montant impayé", f"montant dû des {table.plural}"],
        )
    )  # fmt: skip


def _returns(draft: Draft, measures: list[MeasureDraft]) -> None:
    """Share of what was sold that came back: the quantity returned over the quantity of the rows that returns point at."""

    def quantity(table: TableDraft) -> MeasureDraft | None:
        column = quantity_of(table) or next(
            (c for c in table.table.columns if c.type in _NUMERIC and table.concept_of(c) == "quantité"), None
        )
        return measure_of(measures, table, column) if column is not None else None

    for table in draft.visible():
        back = quantity(table) if table.is_a("retour") else None
        for fk in table.table.foreign_keys if back is not None else ():
            target = draft.target(fk)
            sold = quantity(target) if target is not None and not target.hidden and target.role == "fact" else None
            if back is not None and sold is not None:
                measures.append(
                    MeasureDraft(
                        table, "taux_retour", ["taux de retour"], formula=f"{{{back.name}}} / {{{sold.ref}}}",
                        format=_PERCENT, additivity="non_additive", priority=3, lower_is_better=True,
                        synonyms=["taux de retours", "part des retours", "pourcentage de retours", "part retournée",
                        "return rate"],
                        description="Quantité retournée divisée par la quantité vendue.",
                    )
                )  # fmt: skip
                return


def _balance(table: TableDraft, own: list[MeasureDraft], measures: list[MeasureDraft]) -> None:
    """Debit less credit, where both stand in one table and no column says the balance."""

    def find(french: str) -> MeasureDraft | None:
        return next(
            (
                m for m in own
                if m.column and (m.expression or "").startswith("SUM")
                and (head := table.column_readings[m.column].head) is not None and head.french == french
            ),
            None,
        )  # fmt: skip

    debit, credit = find("débit"), find("crédit")
    if debit is None or credit is None or find("solde") is not None:
        return
    measures.append(
        MeasureDraft(
            table, "solde", ["solde"], formula=f"{{{debit.name}}} - {{{credit.name}}}", format=debit.format, priority=3,
            synonyms=["solde débit moins crédit", "débit moins crédit", "solde débiteur", "solde comptable",
            f"solde des {table.plural}", "différence entre débit et crédit", "soldes"],
            description="Débit moins crédit : positif quand le compte est débiteur.",
        )
    )  # fmt: skip


def _budget(table: TableDraft, own: list[MeasureDraft], measures: list[MeasureDraft]) -> None:
    def find(*concepts: str) -> MeasureDraft | None:
        for m in own:
            if (
                m.column is not None
                and m.expression
                and m.expression.startswith("SUM")
                and table.column_readings[m.column].has(*concepts)
            ):
                return m
        return None

    planned, actual = find("budget", "budgété", "prévision", "prévu"), find("réalisé", "réel")
    if planned is None or actual is None or planned is actual or planned.format.kind != actual.format.kind:
        return
    if not table.is_a("budget") and not (planned.column and table.column_readings[planned.column].has("budget", "budgété")):
        return
    measures.append(
        MeasureDraft(
            table, "consommation_budget", ["taux de consommation du budget"],
            formula=f"{{{actual.name}}} / {{{planned.name}}}", format=_PERCENT,
            additivity="non_additive", priority=3, synonyms=["consommation du budget", "taux de réalisation du budget",
            "taux d’exécution du budget"],
        )
    )  # fmt: skip
    measures.append(
        MeasureDraft(
            table, "ecart_budget", ["écart budgétaire"], formula=f"{{{actual.name}}} - {{{planned.name}}}",
            format=planned.format, priority=3,
            synonyms=["écart au budget", "écart entre budget et réalisé", "dépassement de budget", "écart budget réalisé"],
            description="Réalisé moins budget.",
        )
    )  # fmt: skip


def _scrap(draft: Draft, measures: list[MeasureDraft]) -> None:
    """Scrap rate: scrapped over produced, in one table or from a table of scraps to the one it points at."""
    summed: dict[str, list[MeasureDraft]] = {}
    for measure in measures:
        if (measure.expression or "").startswith("SUM"):
            summed.setdefault(measure.table.name, []).append(measure)

    def of_kind(table: TableDraft, wanted: tuple[str, ...], without: tuple[str, ...] = ()) -> MeasureDraft | None:
        for m in summed.get(table.name, ()):
            if m.column is None:
                continue
            reading = table.column_readings[m.column]
            countable = reading.has("quantité", "nombre", "nombre de pièces", "rebut", "pièce") and m.format.kind in {
                "integer",
                "decimal",
            }
            if countable and reading.has(*wanted) and not (without and reading.has(*without)):
                return m
        return None

    for table in draft.visible():
        scrap = of_kind(table, ("rebut", "rebuté", "défectueux"))
        if scrap is None and table.is_a("rebut"):
            scrap = of_kind(table, ("quantité", "nombre"))
        if scrap is None:
            continue
        made = of_kind(table, ("fabriqué", "production", "fabrication"), ("rebut", "rebuté"))
        good = of_kind(table, ("conforme", "bon"), ("rebut", "rebuté"))
        bottom = f"{{{made.name}}}" if made else f"({{{good.name}}} + {{{scrap.name}}})" if good else None
        if bottom is None:
            for fk in table.table.foreign_keys:
                target = draft.target(fk)
                found = of_kind(target, ("fabriqué", "production"), ("rebut",)) if target else None
                kept = of_kind(target, ("conforme", "bon"), ("rebut", "rebuté")) if target else None
                if found is not None or kept is not None:
                    bottom = f"{{{found.ref}}}" if found else f"({{{kept.ref}}} + {{{scrap.name}}})"  # type: ignore[union-attr]
                    break
        if bottom is None:
            continue
        measures.append(
            MeasureDraft(
                table, "taux_rebut", ["taux de rebut"], formula=f"{{{scrap.name}}} / {bottom}", format=_PERCENT,
                additivity="non_additive", priority=1,
                synonyms=["taux de rebuts", "pourcentage de rebut", "part de rebut", "scrap rate"], lower_is_better=True,
            )
        )  # fmt: skip
        return
