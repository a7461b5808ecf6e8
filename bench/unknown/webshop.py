"""A webshop with English names and not one comment."""
# ruff: noqa: E501

from __future__ import annotations

import datetime as dt
from random import Random

from bench.unknown.table import FIRST_NAMES, LAST_NAMES, TODAY, Table, days, money

CATEGORIES = {
    "Tea": (6, 28),
    "Coffee": (7, 32),
    "Teapots": (24, 110),
    "Mugs": (8, 25),
    "Gift Sets": (25, 90),
    "Accessories": (5, 45),
    "Chocolate": (4, 22),
}
COUNTRIES = {"FR": 70, "BE": 12, "CH": 7, "LU": 3, "DE": 5, "ES": 3}


def tables() -> list[Table]:
    rnd = Random("webshop")
    categories = [(n, name) for n, name in enumerate(CATEGORIES, 1)]
    products = []
    for n in range(1, 161):
        kind = rnd.choice(categories)
        low, high = CATEGORIES[kind[1]]
        price = money(rnd.uniform(low, high))
        words = rnd.choice(
            ["Earl", "Jade", "Sencha", "Arabica", "Porto", "Kyoto", "Lotus", "Velvet", "Oslo", "Nordic", "Breizh"]
        )
        products.append(
            (
                n,
                f"SKU-{n:05}",
                f"{words} {kind[1]} {n}",
                kind[0],
                price,
                money(float(price) * rnd.uniform(0.35, 0.65)),
                max(0, int(rnd.gauss(70, 60))),
                rnd.random() > 0.08,
            )
        )
    customers = []
    for n in range(1, 3001):
        first, last = rnd.choice(FIRST_NAMES), rnd.choice(LAST_NAMES)
        at = dt.datetime.combine(
            rnd.choice(days(dt.date(2023, 3, 1), TODAY - dt.timedelta(1))),
            dt.time(rnd.randint(6, 23), rnd.randint(0, 59), rnd.randint(0, 59)),
        )
        customers.append((n, f"client{n}@example.org", first, last, rnd.choices(list(COUNTRIES), list(COUNTRIES.values()))[0],
                          None if rnd.random() < 0.06 else rnd.choice(["Paris", "Lyon", "Nantes", "Bruxelles", "Genève", "Rennes", "Lille", "Luxembourg"]),
                          rnd.random() < 0.42, at))  # fmt: skip
    orders, items, refunds = [], [], []
    liking = [rnd.expovariate(1) + 0.05 for _ in products]
    faithful = [rnd.expovariate(1) + 0.05 if n % 6 else 0.0 for n in range(len(customers))]
    end = dt.datetime.combine(TODAY, dt.time(9, 0))
    who = rnd.choices(customers, faithful, k=9000)
    for customer in who:
        span = (end - customer[7]).total_seconds()
        orders.append((customer, customer[7] + dt.timedelta(seconds=int(span * rnd.random() ** 1.5))))
    orders.sort(key=lambda pair: pair[1])
    heads = []
    for number, (customer, at) in enumerate(orders, 1):
        age = (end - at).days
        state = rnd.choices(["pending", "paid", "shipped", "cancelled"], [3, 3, 88, 6] if age > 6 else [30, 40, 25, 5])[0]
        total = 0
        for product in set(rnd.choices(range(len(products)), liking, k=rnd.choice([1, 1, 2, 2, 3, 5]))):
            quantity = rnd.choice([1, 1, 1, 2, 2, 3])
            price = products[product][4]
            items.append((len(items) + 1, number, product + 1, quantity, price))
            total += quantity * price
        shipping = money(0 if total > 60 else 5.9)
        coupon = rnd.choice(["WELCOME10", "NOEL", "PRINTEMPS"]) if rnd.random() < 0.12 else None
        heads.append((number, customer[0], at, state, rnd.choices(["card", "paypal", "bank_transfer"], [70, 25, 5])[0], customer[4], coupon, shipping, total,
                      at + dt.timedelta(hours=rnd.randint(8, 120)) if state == "shipped" else None))  # fmt: skip
        if state == "shipped" and age > 12 and rnd.random() < 0.05:
            refunds.append((len(refunds) + 1, number, money(float(total) * rnd.choice([1, 1, 0.5])),
                            rnd.choice(["damaged", "late", "changed_mind", "wrong_item"]), at + dt.timedelta(days=rnd.randint(6, 12))))  # fmt: skip
    return [
        Table("categories", [("id", "integer"), ("name", "varchar(60)")], categories, ["id"]),
        Table("products", [("id", "integer"), ("sku", "varchar(20)"), ("name", "varchar(80)"), ("category_id", "integer"), ("price", "decimal(10,2)"),
                           ("cost", "decimal(10,2)"), ("stock", "integer"), ("active", "boolean")], products, ["id"], {"category_id": "categories.id"}),
        Table("customers", [("id", "integer"), ("email", "varchar(120)"), ("first_name", "varchar(60)"), ("last_name", "varchar(60)"), ("country", "char(2)"),
                            ("city", "varchar(60)"), ("newsletter", "boolean"), ("created_at", "timestamp")], customers, ["id"]),
        Table("orders", [("id", "integer"), ("customer_id", "integer"), ("created_at", "timestamp"), ("status", "enum:pending,paid,shipped,cancelled"),
                         ("payment_method", "varchar(20)"), ("shipping_country", "char(2)"), ("coupon_code", "varchar(20)"), ("shipping_fee", "decimal(8,2)"),
                         ("total_amount", "decimal(10,2)"), ("shipped_at", "timestamp")], heads, ["id"], {"customer_id": "customers.id"}),
        Table("order_items", [("id", "integer"), ("order_id", "integer"), ("product_id", "integer"), ("quantity", "integer"), ("unit_price", "decimal(10,2)")],
              items, ["id"], {"order_id": "orders.id", "product_id": "products.id"}),
        Table("refunds", [("id", "integer"), ("order_id", "integer"), ("amount", "decimal(10,2)"), ("reason", "varchar(30)"), ("created_at", "timestamp")],
              refunds, ["id"], {"order_id": "orders.id"}),
    ]  # fmt: skip
