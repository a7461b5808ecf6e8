"""Maison Lumière after the sale: invoices, payments, returns, credit notes; and its targets and stocks.

An invoice's status follows from its payments, its due date and the reference day; nothing is dated after that day, except
due dates and the targets of the months to come.
"""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, timedelta

from datapilot_kernel.demo.maison_lumiere_catalog import Product, Shop
from datapilot_kernel.demo.maison_lumiere_sales import Order, vat
from datapilot_kernel.demo.tables import Row, add_months, money, month_end

_REASONS = (("CASSE", 22), ("DEFAUT", 20), ("ERREUR", 15), ("AVIS", 34), ("RETARD", 6), (None, 3))


def _payments(rnd: random.Random, order: Order, billed: date, due: date, today: date) -> list[tuple[date, str, int]]:
    """Return the payments of an invoice up to the reference day: day, means, cents."""
    if order.channel != "B2B":
        means = {"MAG": ("CB", "CB", "CB", "CB", "ESP", "CHQ"), "WEB": ("CB",), "TEL": ("CB", "CB", "CHQ")}[order.channel]
        if rnd.random() < 0.003:
            return []
        return [(billed, rnd.choice(means), order.gross)]
    means_b2b = rnd.choice(("VIR", "VIR", "VIR", "PRLV", "CHQ"))
    draw = rnd.random()
    if draw < 0.022:
        return []
    delay = int(rnd.gauss(2, 5)) if draw < 0.70 else int(rnd.expovariate(1 / 24)) + 3
    paid = max(billed + timedelta(days=1), due + timedelta(days=delay))
    if draw > 0.93:
        first = order.gross * rnd.choice((30, 40, 50)) // 100
        parts = [(billed + timedelta(days=3), means_b2b, first)]
        if draw < 0.985:
            parts.append((paid + timedelta(days=10), means_b2b, order.gross - first))
    else:
        parts = [(paid, means_b2b, order.gross)]
    return [part for part in parts if part[0] <= today]


def invoices(
    rnd: random.Random, today: date, orders: list[Order]
) -> tuple[list[Row], list[Row], dict[int, tuple[int, date]]]:
    """Return the rows of ``factures`` and ``reglements``,
    and number and date of the invoice of each order.
    """
    dated: list[tuple[date, Order]] = []
    for order in orders:
        if not order.net:
            continue
        if order.status in {"LIV", "EXP"}:
            dated.append((order.delivered or min(order.day + timedelta(days=2), today), order))
        elif order.status == "ANN" and rnd.random() < 0.35:
            dated.append((min(order.day + timedelta(days=1), today), order))
    dated.sort(key=lambda pair: (pair[0], pair[1].number))
    bills: list[Row] = []
    receipts: list[Row] = []
    of_order: dict[int, tuple[int, date]] = {}
    yearly: dict[int, int] = defaultdict(int)
    for number, (billed, order) in enumerate(dated, 1):
        yearly[billed.year] += 1
        due = billed
        if order.channel == "B2B":
            terms = (30, 30, 45, 60)[(order.client.number if order.client else 0) % 4]
            due = month_end(billed + timedelta(days=45)) if terms == 45 else billed + timedelta(days=terms)
        payments = [] if order.status == "ANN" else _payments(rnd, order, billed, due, today)
        paid = sum(amount for _, _, amount in payments)
        if order.status == "ANN":
            status = "ANN"
        elif paid == order.gross:
            status = "PAY"
        else:
            status = "IMP" if due < today else "ATT"
        of_order[order.number] = (number, billed)
        bills.append(
            (
                number, f"FA-{billed.year}-{yearly[billed.year]:05d}", order.number,
                order.client.number if order.client else None,
                billed, due, status, money(order.net), money(order.tax), money(order.gross), money(paid),
            )
        )  # fmt: skip
        receipts.extend((0, number, day, means, money(amount), (day - billed).days) for day, means, amount in payments)
    receipts.sort(key=lambda row: (row[2], row[1]))
    return bills, [(number, *row[1:]) for number, row in enumerate(receipts, 1)], of_order


def returns(
    rnd: random.Random, today: date, orders: list[Order], invoice_of: dict[int, tuple[int, date]]
) -> tuple[list[Row], list[Row]]:
    """Return the rows of ``retours`` and of ``avoirs`` (most returns earn one; so do some complaints without return)."""
    reasons = [reason for reason, _ in _REASONS]
    weights = [weight for _, weight in _REASONS]
    back: list[tuple[date, int, int, str | None, int, int]] = []
    gestures: list[tuple[date, int, int]] = []
    for order in orders:
        if order.status != "LIV" or order.delivered is None:
            continue
        online = 1.35 if order.channel == "WEB" else 0.9
        for line in order.lines:
            if rnd.random() * 100 < line.product.returned * online:
                day = order.delivered + timedelta(days=rnd.randrange(1, 31))
                quantity = line.quantity if rnd.random() < 0.7 else rnd.randrange(1, line.quantity + 1)
                if day <= today:
                    credit = line.net * quantity // line.quantity if rnd.random() < 0.9 else 0
                    back.append(
                        (day, line.number, quantity, rnd.choices(reasons, weights)[0], credit, invoice_of[order.number][0])
                    )
        if order.net > 5_000 and rnd.random() < 0.006:
            day = order.delivered + timedelta(days=rnd.randrange(2, 40))
            if day <= today:
                gestures.append((day, order.net * rnd.choice((5, 10, 15)) // 100, invoice_of[order.number][0]))
    back.sort(key=lambda item: (item[0], item[1]))
    return_rows: list[Row] = []
    credits: list[tuple[date, int, int | None, int]] = [(day, invoice, None, amount) for day, amount, invoice in gestures]
    for number, (day, line_number, quantity, reason, credit, invoice) in enumerate(back, 1):
        return_rows.append((number, line_number, day, quantity, reason))
        if credit:
            # Written within the days that follow, at the latest on the reference day.
            credits.append((min(day + timedelta(days=rnd.randrange(0, 8)), today), invoice, number, credit))
    credits.sort(key=lambda item: (item[0], item[1], item[2] or 0))
    credit_rows: list[Row] = []
    yearly: dict[int, int] = defaultdict(int)
    for number, (day, invoice, return_number, amount) in enumerate(credits, 1):
        yearly[day.year] += 1
        credit_rows.append(
            (
                number,
                f"AV-{day.year}-{yearly[day.year]:04d}",
                invoice,
                return_number,
                day,
                money(amount),
                money(amount + vat(amount)),
            )
        )
    return return_rows, credit_rows


def targets(rnd: random.Random, today: date, start: date, orders: list[Order], shops: list[Shop]) -> list[Row]:
    """Return the rows of ``objectifs``: per shop and month, up to December of the reference year.

    A target is what the same month made a year before, a little more ambitious; for the first year, what it was going to
    make, seen with a shaky hand.
    """
    made: dict[tuple[int, date], int] = defaultdict(int)
    count: dict[tuple[int, date], int] = defaultdict(int)
    for order in orders:
        if order.status != "ANN":
            made[order.shop.number, order.day.replace(day=1)] += order.net
            count[order.shop.number, order.day.replace(day=1)] += 1
    rows: list[Row] = []
    first = add_months(start.replace(day=1), 1) if start.day > 1 else start
    last = date(today.year, 12, 1)
    month = first
    while month <= last:
        for shop in shops:
            if not shop.sells_on(month_end(month)):
                continue
            before = (shop.number, add_months(month, -12))
            basis = before if before in made and add_months(month, -12) >= first else (shop.number, month)
            factor = (1.07 if basis == before else 1.02) * rnd.uniform(0.9, 1.12)
            amount = round(made[basis] * factor / 50_000) * 50_000
            if amount:
                rows.append((len(rows) + 1, shop.number, month, money(amount), max(1, round(count[basis] * factor))))
        month = add_months(month, 1)
    return rows


def stock(rnd: random.Random, today: date, start: date, shops: list[Shop], products: list[Product]) -> list[Row]:
    """Return the rows of ``stocks``: the last day of each finished month, an assortment per shop,
    some shelves empty.
    """
    assortments = {
        shop.number: [p for p in products if shop.kind == "WEB" or rnd.random() < (0.55 if shop.kind == "PRO" else 0.34)]
        for shop in shops
    }
    rows: list[Row] = []
    day = month_end(start)
    while day <= today:
        for shop in shops:
            if not shop.sells_on(day):
                continue
            scale = {"BTQ": 6, "PRO": 18, "WEB": 40}[shop.kind]
            for product in assortments[shop.number]:
                if not (product.launched <= day and (product.stopped is None or day < product.stopped)):
                    continue
                level = 0 if rnd.random() < 0.05 else 1 + int(rnd.random() * scale * (3 if product.price < 5_000 else 1))
                rows.append((len(rows) + 1, day, shop.number, product.number, level, money(level * product.cost)))
        day = month_end(day + timedelta(days=1))
    return rows
