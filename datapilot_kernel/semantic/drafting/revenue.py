"""Turnover, and what follows from it: margin, average basket, what was invoiced.

Who is « chiffre d’affaires »? A column that says so; else sales; else orders; else invoices; else, if nothing else is there,
receipts, bookings, payments or rentals. Orders come before invoices because most questions about turnover go by customer,
product or channel, which orders carry, and because an invoiced amount has a name of its own (« CA facturé », « montant
facturé »). Excluding tax comes before including it, which is then « CA TTC ». Where both a header and its lines carry
amounts, the header's is the turnover and the lines' its ``finer`` measure: totals are the documents', and « par produit »
is still answered. Nothing is filtered: which statuses do not count is for the tenant to say (the description says so).
"""

from __future__ import annotations

from datapilot_kernel.catalog.model import Column
from datapilot_kernel.semantic.drafting.columns import is_rate, is_share, quoted
from datapilot_kernel.semantic.drafting.context import Draft, TableDraft
from datapilot_kernel.semantic.drafting.measures import measure_kind
from datapilot_kernel.semantic.drafting.wording import MeasureDraft
from datapilot_kernel.semantic.model import Format

_HEADERS = (
    "vente",
    "commande",
    "ticket de caisse",
    "facture",
    "facturation",
    "réservation",
    "location",
    "transaction",
    "encaissement",
    "paiement",
)
_CA = [
    "CA", "chiffre d’affaire", "ventes", "montant des ventes", "montant vendu", "recettes", "recette", "revenu", "revenus", "chiffre d’affaires réalisé",
    "revenue", "sales", "turnover", "montant total des ventes", "CA réalisé", "CA total", "chiffre d’affaires total",
]  # fmt: skip
_CA_HT = ["CA HT", "chiffre d’affaires HT", "chiffre d’affaires hors taxes", "ventes HT"]
_NOT_SALES = ("devis", "avoir", "objectif", "budget", "prévision", "opportunité", "remboursement", "retour", "réclamation", "sinistre", "commande d’achat", "solde", "écriture")  # noqa: E501  # fmt: skip
_EXCLUDED = (
    "remise", "TVA", "taxe", "payé", "réglé", "restant", "remboursé", "coût", "frais", "frais de port", "annulé", "solde", "acompte", "marge", "commission",
    "objectif", "budget", "unitaire", "dû", "paiement", "règlement", "remboursement", "livraison", "impayé", "plafond", "port",
)  # fmt: skip
_AMOUNT_RANK = {"chiffre d’affaires": 0, "montant total": 1, "total": 1, "montant": 2, "vente": 2, "revenu": 2, "sous-total": 3, "valeur": 4, "prix": 5, "recette": 2, "prix de vente": 6}  # noqa: E501  # fmt: skip
_MONEY = Format(kind="currency")


def draft_revenue(draft: Draft, measures: list[MeasureDraft]) -> None:
    """Name the turnover among the measures drafted so far, and add what follows from it."""
    header, lines = _family(draft)
    if header is None and lines is None:
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
            _margin(draft, table, measures, line_turnover if table is lines else turnover)
    counted = header if header is not None else lines
    if counted is not None:
        _basket(counted, measures, main)
    _invoiced(draft, header, measures)
    _buyers(draft, header or lines, measures)
    sold = lines or header
    if sold is not None:
        _sold_quantity(sold, measures)
    _targets(draft, measures, main)


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
                    or _product_of(draft, table) is not None
                    or (lines is not None and _can_sell(draft, lines))
                ):
                    return table, lines
    for table in visible:
        if table.is_a("ligne de commande", "ligne de vente", "ligne de facture") and _can_sell(draft, table):
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
    names = {table.reading_of(c).head.french for c in table.table.columns if table.reading_of(c).head}  # type: ignore[union-attr]
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
        quantity = _quantity(table) is not None
        score = 3 * named + goods + quantity
        if (named or (goods and quantity)) and not table.is_a(
            "retour", "avoir", "livraison", "expédition", "remboursement", "stock", "avis"
        ):
            if best is None or score > best[0]:
                best = (score, table)
    return best[1] if best else None


def _can_sell(draft: Draft, table: TableDraft) -> bool:
    return best_amount(table) is not None or _product_of(draft, table) is not None


def best_amount(table: TableDraft) -> Column | None:
    """Return the column that is a document's amount: excluding tax first, then without a word on tax, then including it."""
    found: list[tuple[int, int, int, Column]] = []
    for position, column in enumerate(table.table.columns):
        reading = table.reading_of(column)
        head = reading.head.french if reading.head else ""
        if (
            head not in _AMOUNT_RANK
            or column.type not in {"integer", "decimal", "float"}
            or reading.has(*_EXCLUDED)
            or column.personal
        ):
            continue
        if head in {"prix", "prix de vente"} and _quantity(table) is not None:
            continue  # a price beside a quantity is a unit price
        if any(column.name in fk.columns for fk in table.table.foreign_keys) or column.name in table.table.primary_key:
            continue
        if head == "total" and reading.has("quantité", "nombre"):
            continue
        tax = 0 if reading.has("HT", "net") else 2 if reading.has("TTC") else 1
        found.append((tax, _AMOUNT_RANK[head], position, column))
    return min(found, key=lambda f: f[:3])[3] if found else None


def _quantity(table: TableDraft) -> Column | None:
    wanted = [
        c
        for c in table.table.columns
        if c.type in {"integer", "decimal", "float"}
        and table.reading_of(c).head is not None
        and table.reading_of(c).head.french == "quantité"  # type: ignore[union-attr]
        and not table.reading_of(c).has("retourné", "livré", "rebut", "stock", "prévu")
    ]
    return wanted[0] if wanted else None


def _product_of(draft: Draft, table: TableDraft) -> str | None:
    """Return quantity x price x (1 - discount) over a table's own columns; None when it has no such columns."""
    quantity = _quantity(table)
    prices = [
        c
        for c in table.table.columns
        if c.type in {"integer", "decimal", "float"}
        and table.reading_of(c).head is not None
        and table.reading_of(c).head.french in {"prix", "prix unitaire", "prix de vente"}  # type: ignore[union-attr]
        and not table.reading_of(c).has("prix d’achat", "coût", "prix de revient")
    ]
    if quantity is None or not prices:
        return None
    price = min(prices, key=lambda c: (table.reading_of(c).has("TTC"), table.reading_of(c).head.french != "prix unitaire"))  # type: ignore[union-attr]
    product = f"{quoted(draft, quantity.name)} * {quoted(draft, price.name)}"
    discount = next(
        (c for c in table.table.columns if c.type in {"integer", "decimal", "float"} and _is_discount(table, c)), None
    )
    if discount is None:
        return product
    reading, name = table.reading_of(discount), f"COALESCE({quoted(draft, discount.name)}, 0)"
    top = discount.maximum
    amount = not is_rate(reading) and (
        reading.has("montant", "total") or (isinstance(top, int | float) or top is not None) and float(top) > 100
    )  # type: ignore[arg-type]
    if amount:
        return f"{product} - {name}"
    return f"{product} * (1 - {name})" if is_share(discount) else f"{product} * (1 - {name} / 100.0)"


def _is_discount(table: TableDraft, column: Column) -> bool:
    reading = table.reading_of(column)
    return reading.has("remise", "taux de remise", "ristourne")


def _measure_of(measures: list[MeasureDraft], table: TableDraft, column: Column) -> MeasureDraft | None:
    return next(
        (
            m
            for m in measures
            if m.table is table and m.column == column.name and m.expression and m.expression.startswith("SUM")
        ),
        None,
    )


def _of_table(draft: Draft, table: TableDraft, measures: list[MeasureDraft]) -> MeasureDraft | None:
    column = best_amount(table)
    if column is not None:
        found = _measure_of(measures, table, column)
        if found is None and measure_kind(table, column) != "none":
            found = MeasureDraft(
                table, f"total_{table.dimension_names[column.name]}", [table.dimensions[table.dimension_names[column.name]].label],
                expression=f"SUM({quoted(draft, column.name)})", column=column.name, format=_MONEY,
            )  # fmt: skip
            measures.append(found)
        return found
    product = _product_of(draft, table)
    if product is None:
        return None
    made = MeasureDraft(
        table, "montant_calcule", [f"montant des {table.plural}"], expression=f"SUM({product})", format=_MONEY
    )
    measures.append(made)
    return made


def _of_lines(draft: Draft, lines: TableDraft, measures: list[MeasureDraft]) -> MeasureDraft | None:
    return _of_table(draft, lines, measures)


def _tax(measure: MeasureDraft) -> str:
    if measure.column is None:
        return ""
    reading = measure.table.column_readings[measure.column]
    return "TTC" if reading.has("TTC") else "HT" if reading.has("HT") else ""


def _same_tax(one: MeasureDraft, other: MeasureDraft) -> bool:
    """An amount without a word on tax is taken to be what its neighbour is, unless that one includes tax."""
    return _tax(one) == _tax(other) or "TTC" not in (_tax(one), _tax(other))


def _is_turnover(measure: MeasureDraft) -> None:
    measure.synonyms = [
        *_CA,
        *(_CA_HT if _tax(measure) != "TTC" else ["CA TTC", "chiffre d’affaires TTC"]),
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
            or reading.has(*_EXCLUDED)
            or reading.head is None
            or reading.head.french not in _AMOUNT_RANK
        ):
            continue
        measure = _measure_of(measures, table, column)
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


def _margin(draft: Draft, table: TableDraft, measures: list[MeasureDraft], amount: MeasureDraft | None) -> None:
    if any("marge" in m.wishes[0] for m in measures if m.priority <= 1):
        return
    own = next(
        (
            c
            for c in table.table.columns
            if table.reading_of(c).head and table.reading_of(c).head.french in {"marge", "bénéfice"}
        ),
        None,
    )  # type: ignore[union-attr]
    margin: MeasureDraft | None = None
    if own is not None:
        margin = _measure_of(measures, table, own)
    elif amount is not None and amount.expression is not None:
        cost = _cost(draft, table)
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
                table, "taux_marge", ["taux de marge"], formula=f"{{{margin.name}}} / {{{amount.name}}}", format=Format(kind="percent"),
                synonyms=["taux de marge brute", "marge en pourcentage", "pourcentage de marge", "marge %", "margin rate"],
                additivity="non_additive", priority=1, description="Marge divisée par le chiffre d’affaires.",
            )
        )  # fmt: skip


def _cost(draft: Draft, table: TableDraft) -> str | None:
    """Return the cost of a row over its own columns: a total, or a unit cost times the quantity."""
    quantity = _quantity(table)
    for column in table.table.columns:
        reading = table.reading_of(column)
        head = reading.head.french if reading.head else ""
        if column.type not in {"integer", "decimal", "float"} or reading.has("frais", "livraison", "frais de port"):
            continue
        unit = head in {"coût unitaire", "prix d’achat", "prix de revient"} or (head == "coût" and reading.has("unitaire"))
        if unit and quantity is not None:
            return f"{quoted(draft, quantity.name)} * {quoted(draft, column.name)}"
        if head == "coût" or (head == "montant" and reading.has("coût")) or (unit and quantity is None):
            return quoted(draft, column.name)
    return None


def _basket(table: TableDraft, measures: list[MeasureDraft], main: MeasureDraft) -> None:
    if not table.is_a("commande", "vente", "ticket de caisse", "panier", "facture", "réservation"):
        return
    amount = f"{{{main.name}}}" if main.table is table else f"{{{main.ref}}}"
    label = (
        "panier moyen"
        if table.is_a("commande", "vente", "ticket de caisse", "panier")
        else f"montant moyen par {table.label}"
    )
    measures.append(
        MeasureDraft(
            table, "panier_moyen", [label], formula=f"{amount} / {{nombre}}", format=_MONEY, additivity="non_additive", priority=1,
            synonyms=[
                f"montant moyen par {table.label}", f"valeur moyenne par {table.label}", f"valeur moyenne des {table.plural}", f"{table.label} moyenne",
                f"montant moyen des {table.plural}", f"montant moyen d’une {table.label}", f"CA moyen par {table.label}", "ticket moyen", "average order value",
                f"chiffre d’affaires moyen par {table.label}", "average basket",
            ],
            description=f"Chiffre d’affaires divisé par le {measures_label(table)}.",
        )
    )  # fmt: skip


def measures_label(table: TableDraft) -> str:
    """Return « nombre de commandes »."""
    from datapilot_kernel.semantic.drafting.wording import counted

    return counted(table)


def _invoiced(draft: Draft, header: TableDraft | None, measures: list[MeasureDraft]) -> None:
    """Where orders are the turnover, invoices have « CA facturé »; payments « montant encaissé »."""
    for concept, label, synonyms in (
        ("facture", "montant facturé", ["CA facturé", "chiffre d’affaires facturé", "facturation", "total facturé", "montant des factures", "invoiced amount"]),
        ("paiement", "montant encaissé", ["encaissements", "montant payé", "montant des paiements", "total encaissé", "paiements reçus"]),
        ("règlement", "montant réglé", ["encaissements", "montant encaissé", "montant des règlements", "total des règlements", "règlements reçus"]),
        ("commande d’achat", "montant des achats", ["achats", "total des achats", "montant acheté"]),
        ("avoir", "montant des avoirs", ["total des avoirs"]),
        ("devis", "montant des devis", ["total des devis", "montant devisé"]),
        ("remboursement", "montant remboursé", ["montant des remboursements", "remboursements"]),
    ):  # fmt: skip
        for table in draft.visible():
            if not table.is_a(concept) or table is header:
                continue
            column = best_amount(table)
            measure = _measure_of(measures, table, column) if column is not None else None
            if measure is not None and measure.priority > 1:
                measure.synonyms = [*synonyms, *measure.synonyms]
                measure.wishes = [*measure.wishes, label]
                measure.synonyms.insert(0, label)
            break


def _buyers(draft: Draft, table: TableDraft | None, measures: list[MeasureDraft]) -> None:
    """Distinct customers of the sales."""
    if table is None:
        return
    for fk in table.table.foreign_keys:
        target = draft.target(fk)
        if target is not None and target.is_a("client", "utilisateur", "abonné") and len(fk.columns) == 1:
            plural = target.plural
            measures.append(
                MeasureDraft(
                    table, "clients_distincts", [f"{plural} actifs"], expression=f"COUNT(DISTINCT {quoted(draft, fk.columns[0])})",
                    format=Format(kind="integer"), additivity="non_additive", priority=3,
                    synonyms=[
                        f"nombre de {plural} actifs", f"nombre de {plural} distincts", f"{plural} distincts", f"{plural} différents",
                        f"nombre de {plural} différents", f"{plural} acheteurs", f"{plural} ayant commandé", "acheteurs", "nombre d’acheteurs",
                    ],
                    description=f"{plural.capitalize()} distincts ayant au moins une {table.label} dans la période.",
                )
            )  # fmt: skip
            return


def _sold_quantity(table: TableDraft, measures: list[MeasureDraft]) -> None:
    column = _quantity(table)
    measure = _measure_of(measures, table, column) if column is not None else None
    sells = table.concept.startswith("ligne") or table.is_a("commande", "vente", "facture", "ticket de caisse", "panier")
    if measure is None or not sells or table.column_readings[column.name].qualifiers:  # type: ignore[union-attr]
        return
    label = "quantité vendue"
    measure.synonyms = [
        "quantités vendues", "articles vendus", "nombre d’articles vendus", "nombre d’articles", "unités vendues", "pièces vendues", "produits vendus",
        "nombre de produits vendus", "volume vendu", "volume des ventes", "volume de ventes", "quantité commandée", "quantities sold", "units sold",
        measure.wishes[0], *measure.synonyms,
    ]  # fmt: skip
    measure.was, measure.wishes, measure.priority = measure.wishes[0], [label], 1
    measure.format = Format(kind="integer") if measure.format.kind == "integer" else measure.format


def _targets(draft: Draft, measures: list[MeasureDraft], main: MeasureDraft) -> None:
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
        measure.synonyms = ["objectif", "objectif de CA", "objectif de chiffre d’affaires", "objectif de vente", "objectifs", "objectif commercial", "target", *measure.synonyms]  # noqa: E501  # fmt: skip
        measures.append(
            MeasureDraft(
                measure.table, "taux_realisation", ["taux de réalisation de l’objectif"],
                formula=f"{{{main.ref}}} / {{{measure.name}}}", format=Format(kind="percent"), additivity="non_additive", priority=1,
                synonyms=[
                    "taux de réalisation", "taux de réalisation des objectifs", "taux d’atteinte", "taux d’atteinte de l’objectif", "taux d’atteinte des objectifs",
                    "atteinte de l’objectif", "atteinte des objectifs", "réalisation de l’objectif", "réalisation des objectifs", "pourcentage de l’objectif",
                ],
                description="Chiffre d’affaires divisé par l’objectif.",
            )
        )  # fmt: skip
        measures.append(
            MeasureDraft(
                measure.table, "ecart_objectif", ["écart à l’objectif"], formula=f"{{{main.ref}}} - {{{measure.name}}}", format=_MONEY, priority=2,
                synonyms=["écart sur objectif", "écart par rapport à l’objectif", "écart avec l’objectif", "écart entre objectif et réalisé"],
                description="Chiffre d’affaires moins l’objectif.",
            )
        )  # fmt: skip
        return
