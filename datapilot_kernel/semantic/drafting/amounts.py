"""Amounts of a document or a line: its amount column, or quantity times price less discount, and what it cost."""

from __future__ import annotations

from decimal import Decimal

from datapilot_kernel.catalog.model import Column
from datapilot_kernel.semantic.drafting.columns import is_rate, is_share
from datapilot_kernel.semantic.drafting.context import Draft, TableDraft
from datapilot_kernel.semantic.drafting.reserved import quoted

EXCLUDED = (
    "remise", "TVA", "taxe", "payé", "réglé", "restant", "remboursé", "coût", "frais", "frais de port", "annulé", "solde",
    "acompte", "marge", "commission",
    "objectif", "budget", "unitaire", "dû", "paiement", "règlement", "remboursement", "livraison", "impayé", "plafond",
    "port",
)  # fmt: skip
AMOUNT_RANK = {"chiffre d’affaires": 0, "montant total": 1, "total": 1, "montant": 2, "vente": 2, "revenu": 2,
    "sous-total": 3, "valeur": 4, "prix": 5, "recette": 2, "prix de vente": 6}  # fmt: skip


def best_amount(table: TableDraft) -> Column | None:
    """Return the column that is a document's amount: excluding tax first, then without a word on tax, then including it."""
    found: list[tuple[int, int, int, Column]] = []
    for position, column in enumerate(table.table.columns):
        reading = table.reading_of(column)
        head = reading.head.french if reading.head else ""
        if (
            head not in AMOUNT_RANK
            or column.type not in {"integer", "decimal", "float"}
            or reading.has(*EXCLUDED)
            or column.personal
        ):
            continue
        if head in {"prix", "prix de vente"} and quantity_of(table) is not None:
            continue  # a price beside a quantity is a unit price
        if any(column.name in fk.columns for fk in table.table.foreign_keys) or column.name in table.table.primary_key:
            continue
        if head == "total" and reading.has("quantité", "nombre"):
            continue
        tax = 0 if reading.has("HT", "net") else 2 if reading.has("TTC") else 1
        found.append((tax, AMOUNT_RANK[head], position, column))
    return min(found, key=lambda f: f[:3])[3] if found else None


def quantity_of(table: TableDraft) -> Column | None:
    """Return the column that says how many."""
    wanted = [
        c
        for c in table.table.columns
        if c.type in {"integer", "decimal", "float"}
        and table.concept_of(c) == "quantité"
        and not table.reading_of(c).has("retourné", "livré", "rebut", "stock", "prévu")
    ]
    return wanted[0] if wanted else None


def product_of(draft: Draft, table: TableDraft) -> str | None:
    """Return quantity x price x (1 - discount) over a table's own columns; None when it has no such columns."""
    quantity = quantity_of(table)
    prices = [
        c
        for c in table.table.columns
        if c.type in {"integer", "decimal", "float"}
        and table.concept_of(c) in {"prix", "prix unitaire", "prix de vente"}
        and not table.reading_of(c).has("prix d’achat", "coût", "prix de revient")
    ]
    if quantity is None or not prices:
        return None
    price = min(prices, key=lambda c: (table.reading_of(c).has("TTC"), table.concept_of(c) != "prix unitaire"))
    product = f"{quoted(draft, quantity.name)} * {quoted(draft, price.name)}"
    discount = next(
        (c for c in table.table.columns if c.type in {"integer", "decimal", "float"} and _is_discount(table, c)), None
    )
    if discount is None:
        return product
    reading, name = table.reading_of(discount), f"COALESCE({quoted(draft, discount.name)}, 0)"
    top = discount.maximum
    large = isinstance(top, int | float | Decimal) and top > 100
    amount = not is_rate(reading) and (reading.has("montant", "total") or large)
    if amount:
        return f"{product} - {name}"
    return f"{product} * (1 - {name})" if is_share(discount) else f"{product} * (1 - {name} / 100.0)"


def list_product_of(draft: Draft, table: TableDraft) -> str | None:
    """Return quantity x price before any discount, excluding tax; None when a row has no discount to give or no price."""
    quantity = quantity_of(table)
    numbers = [c for c in table.table.columns if c.type in {"integer", "decimal", "float"}]
    price = next(
        (c for c in numbers if table.concept_of(c) in {"prix", "prix unitaire"} and not table.reading_of(c).has("TTC")), None
    )
    if (
        quantity is None
        or price is None
        or not any(_is_discount(table, c) and is_rate(table.reading_of(c)) for c in numbers)
    ):
        return None
    return f"{quoted(draft, quantity.name)} * {quoted(draft, price.name)}"


def _is_discount(table: TableDraft, column: Column) -> bool:
    reading = table.reading_of(column)
    return reading.has("remise", "taux de remise", "ristourne")


def cost_of(draft: Draft, table: TableDraft) -> str | None:
    """Return the cost of a row over its own columns: a total, or a unit cost times the quantity."""
    quantity = quantity_of(table)
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
