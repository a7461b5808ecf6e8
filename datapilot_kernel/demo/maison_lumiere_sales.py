"""Maison Lumière's orders and their lines: 36 months of them, with growth, seasons, week-days, sales and Black Friday.

The number of orders is fixed and spread over the days by weight, so the volume does not depend on the reference day. Every
amount is in whole cents and an order's totals are the sums of its lines', to the cent.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

from datapilot_kernel.demo.maison_lumiere_catalog import Product, Salesperson, Shop
from datapilot_kernel.demo.maison_lumiere_clients import Client
from datapilot_kernel.demo.tables import Row, money

ORDER_COUNT = 60_000

_MONTHS = (0.98, 0.86, 0.90, 0.88, 0.92, 0.95, 0.93, 0.66, 1.02, 1.14, 1.36, 1.48)
_SEASONS = {
    "dark": (1.15, 1.05, 0.95, 0.85, 0.8, 0.8, 0.85, 0.85, 1.05, 1.25, 1.25, 1.1),
    "flat": (1.0,) * 12,
    "sun": (0.3, 0.4, 0.8, 1.5, 2.0, 2.1, 1.7, 1.1, 0.6, 0.4, 0.4, 0.5),
    "noel": (0.15, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.05, 0.2, 1.2, 4.5, 5.5),
}
_LINE_COUNTS, _LINE_WEIGHTS = (1, 2, 3, 4, 5, 6, 8), (23, 24, 20, 13, 9, 7, 4)


@dataclass(frozen=True)
class Line:
    """A line as invoices and returns need it (cents)."""

    number: int
    product: Product
    quantity: int
    net: int
    gross: int


@dataclass(frozen=True)
class Order:
    """An order as invoices, returns and targets need it (cents)."""

    number: int
    day: date
    status: str
    channel: str
    client: Client | None
    shop: Shop
    delivered: date | None
    net: int
    tax: int
    gross: int
    lines: tuple[Line, ...]


def vat(cents: int) -> int:
    """Return the tax at 20 %, rounded to the cent."""
    return (cents * 20 + 50) // 100


def black_friday(year: int) -> date:
    """Return the fourth Friday of November."""
    first = date(year, 11, 1)
    return first + timedelta(days=(4 - first.weekday()) % 7 + 21)


def _day_weight(day: date, start: date) -> float:
    growth: float = 1.085 ** ((day - start).days / 365.25)
    week = (0.82, 0.92, 1.0, 0.98, 1.12, 1.55, 0.42)[day.weekday()]
    weight = growth * _MONTHS[day.month - 1] * week
    if abs((day - black_friday(day.year)).days) <= 2:
        weight *= 2.1
    if (day.month, day.day) in {(1, 1), (5, 1), (12, 25)}:
        weight *= 0.2
    return weight


def _spread(start: date, today: date, count: int, rnd: random.Random) -> list[tuple[date, int]]:
    """Share ``count`` orders among the days by weight, none lost to rounding."""
    days = [start + timedelta(days=n) for n in range((today - start).days + 1)]
    weights = [_day_weight(day, start) * rnd.uniform(0.85, 1.15) for day in days]
    total, done, so_far = sum(weights), 0, 0.0
    shared = []
    for day, weight in zip(days, weights, strict=True):
        so_far += weight
        upto = round(count * so_far / total)
        shared.append((day, upto - done))
        done = upto
    return shared


class _Pool:
    """Clients who may order, each as many times as they weigh, by date of entry."""

    def __init__(self, people: list[Client]) -> None:
        self._entries = [client for client in people for _ in range(math.ceil(client.weight * 2))]
        self._dates = [client.since for client in self._entries]

    def draw(self, rnd: random.Random, day: date) -> Client | None:
        known = bisect_right(self._dates, day)
        for _ in range(25):
            if not known:
                return None
            client = self._entries[int(rnd.random() * known)]
            if client.gone is None or day <= client.gone:
                return client
        return None


class _Market:
    """Draws who buys, where, through whom."""

    def __init__(self, people: list[Client], shops: list[Shop], team: list[Salesperson]) -> None:
        self.shops = [shop for shop in shops if shop.kind == "BTQ"]
        self.web = next(shop for shop in shops if shop.kind == "WEB")
        self.showroom = next(shop for shop in shops if shop.kind == "PRO")
        self.team = team
        self._pros = _Pool([client for client in people if client.pro])
        private = [client for client in people if not client.pro]
        self._private = _Pool(private)
        self._near = {shop.region: _Pool([c for c in private if c.region == shop.region]) for shop in self.shops}

    def channel(self, rnd: random.Random, day: date, start: date) -> str:
        weekday = day.weekday()
        closed = weekday == 6 or (day.month, day.day) in {(1, 1), (5, 1), (12, 25)}
        web = 0.27 + 0.05 * (day - start).days / 365.25
        draw = rnd.random()
        if closed or draw < web:
            return "WEB"
        if weekday < 5 and draw < web + 0.17:
            return "B2B"
        if weekday < 5 and draw < web + 0.21:
            return "TEL"
        return "MAG"

    def deal(self, rnd: random.Random, channel: str, day: date) -> tuple[Client | None, Shop, int | None, int | None]:
        """Return client, shop, number of the salesperson, number of the shop where it is collected."""
        if channel == "MAG":
            open_shops = [shop for shop in self.shops if shop.sells_on(day)]
            shop = rnd.choices(open_shops, [s.weight for s in open_shops])[0]
            if rnd.random() < 0.07:
                return None, shop, None, None
            near = self._near[shop.region].draw(rnd, day) if rnd.random() < 0.86 else None
            return near or self._private.draw(rnd, day), shop, None, None
        if channel == "WEB":
            client = self._private.draw(rnd, day)
            collected = None
            if client is not None and rnd.random() < 0.34:
                nearby = [shop for shop in self.shops if shop.region == client.region and shop.sells_on(day)]
                collected = rnd.choice(nearby).number if nearby else None
            return client, self.web, None, collected
        client = self._pros.draw(rnd, day) if channel == "B2B" or rnd.random() < 0.5 else self._private.draw(rnd, day)
        active = [p for p in self.team if p.hired <= day and (p.left is None or day <= p.left) for _ in range(p.weight)]
        person = active[(client.number * 131) % len(active)] if client is not None else active[0]
        if rnd.random() < 0.08:
            person = rnd.choice(active)
        return client, self.showroom, person.number, None


class _Shelf:
    """Draws products by popularity and season; rebuilt each month."""

    def __init__(self, products: list[Product]) -> None:
        self._products = products
        self._month: tuple[int, int] | None = None
        self._choice: list[Product] = []
        self._weights: list[float] = []

    def draw(self, rnd: random.Random, day: date, count: int) -> list[Product]:
        if self._month != (day.year, day.month):
            self._month = (day.year, day.month)
            self._choice = [p for p in self._products if p.launched <= day and (p.stopped is None or day < p.stopped)]
            self._weights = list(accumulate(p.weight * _SEASONS[p.season][day.month - 1] for p in self._choice))
        drawn = rnd.choices(self._choice, cum_weights=self._weights, k=count)
        return list(dict.fromkeys(drawn))


def _discount(rnd: random.Random, day: date, channel: str) -> int:
    """Return the discount of one line, in percent."""
    if channel == "B2B":
        return rnd.choice((0, 5, 10, 10, 15, 20, 25))
    if abs((day - black_friday(day.year)).days) <= 2:
        return rnd.choice((15, 20, 30))
    if (day.month == 1 and day.day >= 8) or (day.month == 7 and day.day <= 24):
        return rnd.choice((0, 10, 20, 30, 40))
    return rnd.choice((0, 0, 0, 0, 0, 0, 5, 10))


def _quantity(rnd: random.Random, product: Product, channel: str) -> int:
    small = product.price < 5_000
    if channel == "B2B":
        return rnd.choice((4, 6, 8, 10, 12, 20, 24)) if small else rnd.choice((1, 2, 2, 3, 4, 6))
    return rnd.choice((1, 1, 2, 2, 3, 4, 6)) if small else rnd.choice((1, 1, 1, 1, 1, 2, 2))


def _fate(rnd: random.Random, day: date, channel: str, today: date) -> tuple[str, date | None]:
    """Return the status and the day of delivery."""
    if rnd.random() < (0.016 if channel == "MAG" else 0.062):
        return "ANN", None
    if channel == "MAG" and rnd.random() < 0.82:
        return "LIV", day
    prepared = day + timedelta(days=rnd.choice((1, 1, 2, 2, 3, 5)))
    delivered = prepared + timedelta(days=rnd.choice((1, 2, 2, 3, 4, 7)) + (4 if channel == "B2B" else 0))
    if rnd.random() < 0.004:
        delivered += timedelta(days=45)
    if delivered <= today:
        return "LIV", delivered
    return ("EXP", None) if prepared <= today else ("PREP", None)


def sales(
    rnd: random.Random, today: date, start: date, people: list[Client], shops: list[Shop], team: list[Salesperson],
    products: list[Product],
) -> tuple[list[Row], list[Row], list[Order]]:  # fmt: skip
    """Return the rows of ``commandes`` and of ``lignes_commande``, and the orders as the rest needs them."""
    market, shelf = _Market(people, shops, team), _Shelf(products)
    order_rows: list[Row] = []
    line_rows: list[Row] = []
    orders: list[Order] = []
    yearly: dict[int, int] = {}
    first_year = start.year
    for day, count in _spread(start, today, ORDER_COUNT, rnd):
        # Prices rise on 1 January; the catalogue shows today's.
        rise = 1.025 ** (day.year - today.year)
        for _ in range(count):
            channel = market.channel(rnd, day, start)
            client, shop, salesperson, collected = market.deal(rnd, channel, day)
            status, delivered = _fate(rnd, day, channel, today)
            number = len(orders) + 1
            empty = status in {"PREP", "ANN"} and rnd.random() < 0.05
            wanted = 0 if empty else rnd.choices(_LINE_COUNTS, _LINE_WEIGHTS)[0] + (1 if channel == "B2B" else 0)
            lines: list[Line] = []
            for rank, product in enumerate(shelf.draw(rnd, day, wanted) if wanted else (), 1):
                quantity = _quantity(rnd, product, channel)
                unit = round(product.price * rise)
                discount = _discount(rnd, day, channel)
                net = (quantity * unit * (100 - discount) + 50) // 100
                gross = net + vat(net)
                line = Line(len(line_rows) + 1, product, quantity, net, gross)
                lines.append(line)
                line_rows.append(
                    (
                        line.number, number, rank, product.number, "ANN" if status == "ANN" else "VAL",
                        quantity, money(unit),
                        money(discount * 100), money(net), money(gross),
                        money(quantity * round(product.cost * rise)),
                    )
                )  # fmt: skip
            net, gross = sum(line.net for line in lines), sum(line.gross for line in lines)
            shipping = 0
            if channel in {"WEB", "TEL"} and collected is None and 0 < net < 10_000:
                shipping = 590
            elif channel == "B2B" and 0 < net < 50_000:
                shipping = 1_900
            # The first year is under way: its numbers go on from orders older than the data.
            yearly[day.year] = yearly.get(day.year, 0 if day.year > first_year else 4_210) + 1
            order_rows.append(
                (
                    number, f"CMD-{day.year}-{yearly[day.year]:05d}", day, status, channel,
                    client.number if client else None,
                    salesperson, shop.number, collected, delivered, money(net), money(gross - net),
                    money(gross), money(shipping),
                )
            )  # fmt: skip
            orders.append(
                Order(number, day, status, channel, client, shop, delivered, net, gross - net, gross, tuple(lines))
            )
    return order_rows, line_rows, orders
