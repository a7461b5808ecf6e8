"""« Maison Lumière »: a retailer of lamps and home decoration, with shops, a web site and sales to professionals.

36 months that end on the reference day. The parts draw from streams of their own (see :func:`tables.stream`), in an order
in which each needs only what came before: catalogue, clients, sales, then what follows a sale.
"""

from __future__ import annotations

from datetime import date, timedelta

from datapilot_kernel.demo import maison_lumiere_catalog as catalog
from datapilot_kernel.demo import maison_lumiere_money as after_sale
from datapilot_kernel.demo.maison_lumiere_clients import clients
from datapilot_kernel.demo.maison_lumiere_sales import sales
from datapilot_kernel.demo.maison_lumiere_tables import TABLES
from datapilot_kernel.demo.tables import DEFAULT_SEED, DemoTenant, Rows, add_months, stream

MONTHS = 36


def generate(today: date, seed: int = DEFAULT_SEED) -> Rows:
    """Return the rows of every table; equal arguments give equal rows."""
    start = add_months(today, -MONTHS) + timedelta(days=1)
    product_rows, products = catalog.products(stream(seed, today, "produits"), today, start)
    shop_rows, shops = catalog.shops(today)
    team_rows, team = catalog.salespeople(stream(seed, today, "commerciaux"), today, start)
    client_rows, people = clients(stream(seed, today, "clients"), today, start)
    order_rows, line_rows, orders = sales(stream(seed, today, "ventes"), today, start, people, shops, team, products)
    invoice_rows, payment_rows, invoice_of = after_sale.invoices(stream(seed, today, "factures"), today, orders)
    return_rows, credit_rows = after_sale.returns(stream(seed, today, "retours"), today, orders, invoice_of)
    return {
        "categories": catalog.category_rows(),
        "produits": product_rows,
        "magasins": shop_rows,
        "commerciaux": team_rows,
        "clients": client_rows,
        "commandes": order_rows,
        "lignes_commande": line_rows,
        "factures": invoice_rows,
        "reglements": payment_rows,
        "retours": return_rows,
        "avoirs": credit_rows,
        "objectifs": after_sale.targets(stream(seed, today, "objectifs"), today, start, orders, shops),
        "stocks": after_sale.stock(stream(seed, today, "stocks"), today, start, shops, products),
    }


MAISON_LUMIERE = DemoTenant("maison-lumiere", "Maison Lumière", TABLES, generate)
