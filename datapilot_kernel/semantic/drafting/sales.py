"""What follows from the turnover: margin, average basket, buyers, units sold, what was invoiced and paid, targets."""

from __future__ import annotations

from datapilot_kernel.catalog.model import Column
from datapilot_kernel.semantic.drafting.amounts import EXCLUDED, best_amount, cost_of, list_product_of, quantity_of
from datapilot_kernel.semantic.drafting.context import Draft, TableDraft
from datapilot_kernel.semantic.drafting.reserved import quoted
from datapilot_kernel.semantic.drafting.spoken import a
from datapilot_kernel.semantic.drafting.wording import MeasureDraft, counted
from datapilot_kernel.semantic.model import Format

_MONEY = Format(kind="currency")


def measure_of(measures: list[MeasureDraft], table: TableDraft, column: Column) -> MeasureDraft | None:
    """Return the measure that adds up a column."""
    return next(
        (
            m
            for m in measures
            if m.table is table and m.column == column.name and m.expression and m.expression.startswith("SUM")
        ),
        None,
    )


def add_margin(draft: Draft, table: TableDraft, measures: list[MeasureDraft], amount: MeasureDraft | None) -> None:
    """Add the margin and its rate, where costs stand beside amounts."""
    if any("marge" in m.wishes[0] for m in measures if m.priority <= 1):
        return
    own = next(
        (c for c in table.table.columns if table.concept_of(c) in {"marge", "bénéfice"}),
        None,
    )
    margin: MeasureDraft | None = None
    if own is not None:
        margin = measure_of(measures, table, own)
    elif amount is not None and amount.expression is not None:
        cost = cost_of(draft, table)
        if cost is not None:
            inner = amount.expression.removeprefix("SUM(").removesuffix(")")
            margin = MeasureDraft(table, "marge", ["marge"], expression=f"SUM({inner} - {cost})", format=_MONEY)
            measures.append(margin)
    if margin is None:
        return
    margin.wishes, margin.priority = ["marge"], 1
    margin.synonyms = [
        "marge brute",
        "marge commerciale",
        "bénéfice",
        "bénéfice brut",
        "profit",
        "gross margin",
        *margin.synonyms,
    ]
    if amount is not None:
        measures.append(
            MeasureDraft(
                table, "taux_marge", ["taux de marge"], formula=f"{{{margin.name}}} / {{{amount.name}}}",
                format=Format(kind="percent"),
                synonyms=["taux de marge brute", "marge en pourcentage", "pourcentage de marge", "marge %", "margin rate"],
                additivity="non_additive", priority=1, description="Marge divisée par le chiffre d’affaires.",
            )
        )  # fmt: skip


def add_discount(draft: Draft, table: TableDraft, measures: list[MeasureDraft], amount: MeasureDraft | None) -> None:
    """What was given away, where lines have a rate of discount: the price asked less the amount charged."""
    full = list_product_of(draft, table)
    if full is None or amount is None or amount.table is not table or amount.expression is None or tax_of(amount) == "TTC":
        return
    charged = amount.expression.removeprefix("SUM(").removesuffix(")")
    measures.append(
        MeasureDraft(
            table, "montant_remises", ["montant des remises"], expression=f"SUM({full} - ({charged}))", format=_MONEY,
            priority=3, description="Quantité multipliée par le prix, moins le montant facturé.",
            synonyms=["remises", "remises accordées", "total des remises", "montant remisé", "montant des remises accordées",
            "remise totale", "rabais", "discounts"],
        )
    )  # fmt: skip


def add_basket(table: TableDraft, measures: list[MeasureDraft], main: MeasureDraft) -> None:
    """Add the average amount of a document."""
    if not table.is_a("commande", "vente", "ticket de caisse", "addition", "panier", "facture", "réservation"):
        return
    amount = f"{{{main.name}}}" if main.table is table else f"{{{main.ref}}}"
    tax = tax_of(main) if main.table is table else ""
    label = (
        "panier moyen"
        if table.is_a("commande", "vente", "ticket de caisse", "addition", "panier")
        else f"montant moyen par {table.label}"
    )
    measures.append(
        MeasureDraft(
            table, "panier_moyen", [label], formula=f"{amount} / {{nombre}}", format=_MONEY, additivity="non_additive",
            priority=1,
            synonyms=[
                f"montant moyen par {table.label}", f"valeur moyenne par {table.label}",
                f"valeur moyenne des {table.plural}", f"{table.label} {'moyenne' if table.gender == 'f' else 'moyen'}",
                f"montant moyen des {table.plural}", f"montant moyen {a(table)}", f"CA moyen par {table.label}",
                *(f"montant {tax} moyen {said}" for said in (f"par {table.label}", f"des {table.plural}", a(table)) if tax),
                "ticket moyen", "average order value",
                f"chiffre d’affaires moyen par {table.label}", "average basket",
            ],
            description=f"Chiffre d’affaires divisé par le {counted(table)}.",
        )
    )  # fmt: skip


def name_documents(draft: Draft, header: TableDraft | None, measures: list[MeasureDraft]) -> None:
    """Where orders are the turnover, invoices have « CA facturé »; payments « montant encaissé »."""
    for concept, label, synonyms in (
        ("facture", "montant facturé", ["CA facturé", "chiffre d’affaires facturé", "facturation", "total facturé",
        "montant des factures", "invoiced amount"]),
        ("paiement", "montant encaissé", ["encaissements", "montant payé", "montant des paiements", "total encaissé",
        "paiements reçus"]),
        ("règlement", "montant réglé", ["encaissements", "montant encaissé", "montant des règlements",
        "total des règlements", "règlements reçus"]),
        ("encaissement", "montant encaissé", ["encaissements", "total encaissé", "montant perçu", "sommes encaissées",
        "total des encaissements"]),
        ("quittance", "montant quittancé", ["total quittancé", "montant appelé"]),
        ("commande d’achat", "montant des achats", ["achats", "total des achats", "montant acheté"]),
        ("avoir", "montant des avoirs", ["total des avoirs"]),
        ("devis", "montant des devis", ["total des devis", "montant devisé"]),
        ("remboursement", "montant remboursé", ["montant des remboursements", "remboursements", "total remboursé",
        "montant total remboursé", "total des remboursements"]),
        ("commande", "montant commandé", ["CA commandé", "total commandé"]),
    ):  # fmt: skip
        for table in draft.visible():
            if not table.is_a(concept):
                continue
            column = best_amount(table)
            measure = measure_of(measures, table, column) if column is not None else None
            if measure is not None and table is header:
                measure.synonyms += [label, *synonyms]
            elif measure is not None and measure.priority > 1:
                measure.synonyms = [*synonyms, *measure.synonyms]
                measure.wishes = [*measure.wishes, label]
                measure.synonyms.insert(0, label)
            _with_tax_said(table, measures, label)
            break


_COLLECTED: dict[str, tuple[str, ...]] = {
    "don": ("montant donné", "montant collecté", "montant versé", "montant reçu", "total collecté", "total donné",
            "collecte", "sommes collectées", "sommes données"),
    "cotisation": ("montant cotisé", "cotisations perçues", "montant perçu"),
    "subvention": ("montant accordé", "subventions reçues", "montant versé"),
    "dépense": ("montant dépensé", "total dépensé"), "note de frais": ("montant dépensé", "frais remboursés"),
    "sinistre": ("montant indemnisé",), "prêt": ("montant prêté", "capital prêté"), "collecte": ("montant collecté",),
    "amende": ("montant des amendes",), "loyer": ("loyers perçus",),
}  # fmt: skip


def name_collected(draft: Draft, measures: list[MeasureDraft]) -> None:
    """Name the one amount of what is given, contributed or spent by the verb for it: « montant collecté »."""
    for table in draft.visible():
        said = _COLLECTED.get(table.concept)
        column = best_amount(table) if said else None
        measure = measure_of(measures, table, column) if column is not None else None
        if said and measure is not None:
            measure.synonyms += said


def _with_tax_said(table: TableDraft, measures: list[MeasureDraft], label: str) -> None:
    """« montant HT facturé », « montant TTC facturé », « CA facturé TTC »: the tax may be said anywhere."""
    done = label.removeprefix("montant ")
    for measure in measures:
        tax = tax_of(measure) if measure.table is table and (measure.expression or "").startswith("SUM") else ""
        if not tax or measure.column is None or table.column_readings[measure.column].has(*EXCLUDED) or " " in done:
            continue
        measure.synonyms += [f"montant {tax} {done}", f"montant {done} {tax}", f"CA {tax} {done}", f"CA {done} {tax}",
            f"total {tax} {done}", f"montant total {tax} {done}"]  # fmt: skip


def tax_of(measure: MeasureDraft) -> str:
    """Return « HT », « TTC » or nothing: what the measure's column says."""
    if measure.column is None:
        return ""
    reading = measure.table.column_readings[measure.column]
    return "TTC" if reading.has("TTC") else "HT" if reading.has("HT") else ""


def add_buyers(draft: Draft, table: TableDraft | None, measures: list[MeasureDraft]) -> None:
    """Distinct customers of the sales."""
    if table is None:
        return
    for fk in table.table.foreign_keys:
        target = draft.target(fk)
        if target is not None and target.is_a("client", "utilisateur", "abonné") and len(fk.columns) == 1:
            plural = target.plural
            measures.append(
                MeasureDraft(
                    table, "clients_distincts", [f"{plural} actifs"],
                    expression=f"COUNT(DISTINCT {quoted(draft, fk.columns[0])})",
                    format=Format(kind="integer"), additivity="non_additive", priority=3,
                    synonyms=[
                        f"nombre de {plural} actifs", f"nombre de {plural} distincts", f"{plural} distincts",
                        f"{plural} différents",
                        f"nombre de {plural} différents", f"{plural} acheteurs", f"{plural} ayant commandé", "acheteurs",
                        "nombre d’acheteurs",
                    ],
                    description=f"{plural.capitalize()} distincts ayant au moins une {table.label} dans la période.",
                )
            )  # fmt: skip
            return


def name_sold_quantity(table: TableDraft, measures: list[MeasureDraft]) -> None:
    """Call the quantity of what is sold « quantité vendue »."""
    column = quantity_of(table)
    measure = measure_of(measures, table, column) if column is not None else None
    sells = table.concept.startswith("ligne") or table.is_a(
        "commande", "vente", "facture", "ticket de caisse", "addition", "panier"
    )
    if column is None or measure is None or not sells or table.column_readings[column.name].qualifiers:
        return
    label = "quantité vendue"
    measure.synonyms = [
        "quantités vendues", "articles vendus", "nombre d’articles vendus", "nombre d’articles", "unités vendues",
        "pièces vendues", "produits vendus",
        "nombre de produits vendus", "volume vendu", "volume des ventes", "volume de ventes", "quantité commandée",
        "quantities sold", "units sold",
        measure.wishes[0], *measure.synonyms,
    ]  # fmt: skip
    measure.was, measure.wishes, measure.priority = measure.wishes[0], [label], 1
    measure.format = Format(kind="integer") if measure.format.kind == "integer" else measure.format


def add_targets(draft: Draft, measures: list[MeasureDraft], main: MeasureDraft) -> None:
    """Targets of turnover: how much of them was reached."""
    for measure in list(measures):
        if (
            measure.column is None
            or measure.expression is None
            or not measure.expression.startswith("SUM")
            or measure.table.hidden
        ):
            continue
        reading = measure.table.column_readings[measure.column]
        about = measure.table.is_a("objectif") or reading.has("objectif")
        money = measure.format.kind == "currency" or reading.has("chiffre d’affaires", "montant", "vente")
        other = reading.has("nombre", "quantité", "commande", "client", "marge")
        if not (about and money) or other:
            continue
        measure.synonyms = ["objectif", "objectif de CA", "objectif de chiffre d’affaires", "objectif de vente",
            "objectifs", "objectif commercial", "target", *measure.synonyms]  # fmt: skip
        measures.append(
            MeasureDraft(
                measure.table, "taux_realisation", ["taux de réalisation de l’objectif"],
                formula=f"{{{main.ref}}} / {{{measure.name}}}", format=Format(kind="percent"), additivity="non_additive",
                priority=1,
                synonyms=[
                    "taux de réalisation", "taux de réalisation des objectifs", "taux d’atteinte",
                    "taux d’atteinte de l’objectif", "taux d’atteinte des objectifs",
                    "atteinte de l’objectif", "atteinte des objectifs", "réalisation de l’objectif",
                    "réalisation des objectifs", "pourcentage de l’objectif",
                ],
                description="Chiffre d’affaires divisé par l’objectif.",
            )
        )  # fmt: skip
        measures.append(
            MeasureDraft(
                measure.table, "ecart_objectif", ["écart à l’objectif"], formula=f"{{{main.ref}}} - {{{measure.name}}}",
                format=_MONEY, priority=2,
                synonyms=["écart sur objectif", "écart par rapport à l’objectif", "écart avec l’objectif",
                "écart entre objectif et réalisé"],
                description="Chiffre d’affaires moins l’objectif.",
            )
        )  # fmt: skip
        return
