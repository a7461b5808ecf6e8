"""Turnover, and what follows from it: margin, average basket, what was invoiced.

Who is « chiffre d’affaires »? A column that says so; else sales; else orders; else invoices; else, if nothing else is there,
receipts, bookings, payments or rentals. Orders come before invoices because most questions about turnover go by customer,
product or channel, which orders carry, and because an invoiced amount has a name of its own (« CA facturé », « montant
facturé »). Excluding tax comes before including it, which is then « CA TTC ». Where both a header and its lines carry
amounts, the header's is the turnover and the lines' its ``finer`` measure: totals are the documents', and « par produit »
is still answered. Nothing is filtered: which statuses do not count is for the tenant to say (the description says so).
"""

from __future__ import annotations

from datapilot_kernel.semantic.drafting.amounts import AMOUNT_RANK, EXCLUDED, best_amount, product_of, quantity_of
from datapilot_kernel.semantic.drafting.context import Draft, TableDraft
from datapilot_kernel.semantic.drafting.measures import measure_kind
from datapilot_kernel.semantic.drafting.reserved import quoted
from datapilot_kernel.semantic.drafting.sales import (
    add_basket,
    add_buyers,
    add_discount,
    add_margin,
    add_targets,
    measure_of,
    name_collected,
    name_documents,
    name_sold_quantity,
    tax_of,
)
from datapilot_kernel.semantic.drafting.wording import MeasureDraft
from datapilot_kernel.semantic.model import Format

_HEADERS = (
    "vente",
    "commande",
    "ticket de caisse",
    "addition",
    "facture",
    "facturation",
    "quittance",
    "réservation",
    "location",
    "transaction",
    "encaissement",
    "paiement",
)
_CA = [
    "CA", "chiffre d’affaire", "ventes", "montant des ventes", "montant vendu", "recettes", "recette", "revenu", "revenus",
    "chiffre d’affaires réalisé",
    "revenue", "sales", "turnover", "montant total des ventes", "CA réalisé", "CA total", "chiffre d’affaires total",
]  # fmt: skip
_CA_HT = ["CA HT", "chiffre d’affaires HT", "chiffre d’affaires hors taxes", "ventes HT"]
_NOT_SALES = ("devis", "avoir", "objectif", "budget", "prévision", "opportunité", "remboursement", "retour", "réclamation",
    "sinistre", "commande d’achat", "solde", "écriture")  # fmt: skip
_MONEY = Format(kind="currency")


def draft_revenue(draft: Draft, measures: list[MeasureDraft]) -> None:
    """Name the turnover among the measures drafted so far, and add what follows from it."""
    header, lines = _family(draft)
    name_collected(draft, measures)
    if header is None and lines is None:
        name_documents(draft, None, measures)
        return
    turnover: MeasureDraft | None = None
    line_turnover = _of_lines(draft, lines, measures) if lines is not None else None
    if header is not None:
        turnover = _of_table(draft, header, measures)
    if (
        turnover is not None
        and line_turnover is not None
        and line_turnover is not turnover
        and _same_tax(turnover, line_turnover)
    ):
        turnover.finer = line_turnover.ref
        line_turnover.yields = True
        line_turnover.priority = 6
    main = turnover or line_turnover
    if main is None:
        return
    _is_turnover(main)
    for table in (header, lines):
        if table is not None:
            _with_tax(draft, table, measures, main)
            add_margin(draft, table, measures, line_turnover if table is lines else turnover)
            add_discount(draft, table, measures, line_turnover if table is lines else turnover)
    counted = header if header is not None else lines
    if counted is not None:
        add_basket(counted, measures, main)
    name_documents(draft, header, measures)
    add_buyers(draft, header or lines, measures)
    sold = lines or header
    if sold is not None:
        name_sold_quantity(sold, measures)
    add_targets(draft, measures, main)


def _family(draft: Draft) -> tuple[TableDraft | None, TableDraft | None]:
    """Return the header and the lines of what is sold; either may be missing."""
    visible = draft.visible()
    for table in visible:
        if not table.is_a("objectif", "budget", "prévision") and any(
            table.reading_of(c).head is not None
            and table.reading_of(c).label.startswith("chiffre d’affaires")
            and measure_kind(table, c) == "sum"
            for c in table.table.columns
        ):
            return table, _lines_of(draft, table)
    for concept in _HEADERS:
        for table in visible:
            if table.is_a(concept) and not _is_purchase(draft, table):
                lines = _lines_of(draft, table)
                if (
                    best_amount(table) is not None
                    or product_of(draft, table) is not None
                    or (lines is not None and _can_sell(draft, lines))
                ):
                    return table, lines
    for table in visible:
        if table.is_a("ligne de commande", "ligne de vente", "ligne de facture", "ligne d’addition") and _can_sell(
            draft, table
        ):
            return None, table
    # The only thing that customers are charged for, whatever it is called: work orders, missions, contracts.
    charged = [
        table
        for table in visible
        if table.role == "fact"
        and not table.is_a(*_NOT_SALES)
        and any(
            (t := draft.target(fk)) is not None and t.is_a("client", "compte", "adhérent", "patient")
            for fk in table.table.foreign_keys
        )
        and best_amount(table) is not None
    ]
    return (charged[0], _lines_of(draft, charged[0])) if len(charged) == 1 else (None, None)


def _is_purchase(draft: Draft, table: TableDraft) -> bool:
    """Tell whether it is about what the company buys: it points at suppliers and at no customer."""
    targets = {t.concept for fk in table.table.foreign_keys if (t := draft.target(fk))}
    names = {table.concept_of(c) for c in table.table.columns}
    sells = targets & {"client", "utilisateur", "abonné", "magasin"} or "client" in names
    return bool((targets | names) & {"fournisseur"}) and not sells


def _lines_of(draft: Draft, header: TableDraft) -> TableDraft | None:
    """Return the table of a header's lines: it points at the header, and at a product or has a quantity."""
    best: tuple[int, TableDraft] | None = None
    for table in draft.visible():
        if table is header or not any(fk.ref_table == header.table.key for fk in table.table.foreign_keys):
            continue
        named = table.concept.startswith("ligne")
        goods = any(
            (t := draft.target(fk)) is not None and t.is_a("produit", "article", "référence", "prestation")
            for fk in table.table.foreign_keys
        )
        quantity = quantity_of(table) is not None
        score = 3 * named + goods + quantity
        other = table.is_a("retour", "avoir", "livraison", "expédition", "remboursement", "stock", "avis")
        if (named or (goods and quantity)) and not other and (best is None or score > best[0]):
            best = (score, table)
    return best[1] if best else None


def _can_sell(draft: Draft, table: TableDraft) -> bool:
    return best_amount(table) is not None or product_of(draft, table) is not None


def _of_table(draft: Draft, table: TableDraft, measures: list[MeasureDraft]) -> MeasureDraft | None:
    column = best_amount(table)
    if column is not None:
        found = measure_of(measures, table, column)
        if found is None and measure_kind(table, column) != "none":
            found = MeasureDraft(
                table, f"total_{table.dimension_names[column.name]}",
                [table.dimensions[table.dimension_names[column.name]].label],
                expression=f"SUM({quoted(draft, column.name)})", column=column.name, format=_MONEY,
            )  # fmt: skip
            measures.append(found)
        return found
    product = product_of(draft, table)
    if product is None:
        return None
    made = MeasureDraft(
        table, "montant_calcule", [f"montant des {table.plural}"], expression=f"SUM({product})", format=_MONEY
    )
    measures.append(made)
    return made


def _of_lines(draft: Draft, lines: TableDraft, measures: list[MeasureDraft]) -> MeasureDraft | None:
    return _of_table(draft, lines, measures)


def _same_tax(one: MeasureDraft, other: MeasureDraft) -> bool:
    """An amount without a word on tax is taken to be what its neighbour is, unless that one includes tax."""
    return tax_of(one) == tax_of(other) or "TTC" not in (tax_of(one), tax_of(other))


def _is_turnover(measure: MeasureDraft) -> None:
    measure.synonyms = [
        *_CA,
        *(_CA_HT if tax_of(measure) != "TTC" else ["CA TTC", "chiffre d’affaires TTC"]),
        measure.wishes[0],
        *measure.synonyms,
    ]
    measure.was, measure.wishes = measure.wishes[0], ["chiffre d’affaires"]
    measure.format = _MONEY
    measure.priority = 0
    measure.name = "ca" if "ca" not in measure.table.dimensions else "chiffre_affaires"
    note = "Brouillon : aucune ligne n’est écartée ; si des statuts ne comptent pas (annulées…), ajoutez un filtre."
    statuses = any(d.values and "statut" in d.label for d in measure.table.dimensions.values())
    if statuses:
        measure.description = f"{measure.description.rstrip('.')}. {note}" if measure.description else note


def _with_tax(draft: Draft, table: TableDraft, measures: list[MeasureDraft], main: MeasureDraft) -> None:
    """« CA TTC » is the amount including tax, of the same table as the turnover excluding it."""
    for column in table.table.columns:
        reading = table.reading_of(column)
        if (
            not reading.has("TTC")
            or reading.has(*EXCLUDED)
            or reading.head is None
            or reading.head.french not in AMOUNT_RANK
        ):
            continue
        measure = measure_of(measures, table, column)
        if measure is None or measure is main:
            continue
        if table is main.table:
            measure.synonyms = [
                "CA TTC",
                "chiffre d’affaires toutes taxes comprises",
                "ventes TTC",
                measure.wishes[0],
                *measure.synonyms,
            ]
            measure.was, measure.wishes = measure.wishes[0], ["chiffre d’affaires TTC"]
            measure.priority = 1
        elif main.finer and main.finer.startswith(f"{table.name}."):
            header = next((m for m in measures if m.wishes[0] == "chiffre d’affaires TTC" and m.table is main.table), None)
            measure.yields = True
            if header is not None:
                header.finer = measure.ref
        return
