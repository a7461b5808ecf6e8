"""Maison Lumière's small tables: categories, products, shops, salespeople. Everything that sells starts here.

Money is in cents until the rows are made, so that sums are exact and quick.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from datapilot_kernel.demo.tables import Row, add_months, money
from datapilot_kernel.demo.vocabulary import FIRST_NAMES, LAST_NAMES, plain

# Name, family, lowest and highest price (euros HT), weight in sales, share returned (%), season, nouns.
_CATEGORIES: tuple[tuple[str, str, int, int, int, float, str, tuple[str, ...]], ...] = (
    ("Suspensions", "Luminaires intérieurs", 45, 390, 14, 2.5, "dark", ("Suspension",)),
    ("Lustres", "Luminaires intérieurs", 180, 1450, 4, 5.5, "dark", ("Lustre",)),
    ("Appliques", "Luminaires intérieurs", 29, 240, 9, 2.2, "dark", ("Applique",)),
    ("Plafonniers", "Luminaires intérieurs", 35, 320, 8, 2.2, "dark", ("Plafonnier",)),
    ("Lampadaires", "Luminaires intérieurs", 79, 690, 7, 3.5, "dark", ("Lampadaire", "Liseuse")),
    ("Lampes à poser", "Luminaires intérieurs", 25, 280, 13, 2.6, "dark", ("Lampe", "Lampe de bureau", "Lampe de chevet")),
    ("Spots et rails", "Luminaires intérieurs", 15, 190, 7, 1.6, "flat", ("Spot", "Rail", "Réglette")),
    ("Bornes et potelets", "Luminaires extérieurs", 39, 260, 4, 2.0, "sun", ("Borne", "Potelet")),
    ("Appliques extérieures", "Luminaires extérieurs", 35, 230, 5, 2.1, "sun", ("Applique murale", "Hublot")),
    ("Guirlandes et solaire", "Luminaires extérieurs", 12, 120, 7, 4.2, "sun", ("Guirlande", "Lanterne solaire", "Balise")),
    ("Ampoules", "Ampoules et accessoires", 4, 39, 22, 0.8, "flat", ("Ampoule LED", "Ampoule à filament", "Tube LED")),
    ("Variateurs et interrupteurs", "Ampoules et accessoires", 9, 75, 7, 1.3, "flat", ("Variateur", "Interrupteur")),
    ("Abat-jour et câbles", "Ampoules et accessoires", 8, 95, 8, 1.8, "flat", ("Abat-jour", "Câble textile", "Rosace")),
    ("Miroirs", "Décoration", 29, 350, 5, 4.8, "flat", ("Miroir",)),
    ("Vases et bougeoirs", "Décoration", 12, 130, 9, 3.9, "flat", ("Vase", "Bougeoir", "Photophore")),
    ("Coussins et plaids", "Décoration", 15, 110, 9, 2.4, "dark", ("Coussin", "Plaid")),
    ("Décorations de Noël", "Décoration", 6, 85, 6, 1.5, "noel", ("Boule de Noël", "Étoile lumineuse", "Sapin lumineux")),
)

_MODELS = (
    "Aurore", "Hélios", "Brume", "Nacre", "Ombelle", "Céleste", "Lichen", "Galet", "Écume", "Saphir",
    "Zéphyr", "Corail", "Opale",
    "Mistral", "Ardoise", "Bohème", "Épure", "Orée", "Phare", "Soleil", "Lune", "Comète", "Boréal", "Azur",
    "Argile", "Osier",
    "Vallée", "Rivage", "Fougère", "Pampa", "Tilleul", "Cyprès", "Atelier", "Manège", "Voltige", "Cascade",
    "Île", "Œillet",
)  # fmt: skip
_COLORS = (
    "noir", "blanc", "laiton", "cuivre", "bois clair", "noyer", "vert sauge", "bleu nuit", "terracotta",
    "doré", "gris", "naturel",
)  # fmt: skip
_BRANDS = (
    ("Maison Lumière", 30), ("Atelier Brume", 14), ("Casa Vetro", 12), ("Ombrelune", 11),
    ("Filament & Fils", 10),
    ("Solenza", 9), ("Éclat du Nord", 8), ("Verrerie d'Ambre", 6),
)  # fmt: skip


@dataclass(frozen=True)
class Product:
    """A product as the sale needs it: cents, weight in sales, dates between which it sells."""

    number: int
    category: int
    price: int
    cost: int
    weight: float
    returned: float
    season: str
    launched: date
    stopped: date | None


@dataclass(frozen=True)
class Shop:
    """A shop as the sale needs it."""

    number: int
    kind: str
    region: str
    weight: int
    opened: date
    closed: date | None

    def sells_on(self, day: date) -> bool:
        """Tell whether it is open for business in that season of its life."""
        return self.opened <= day and (self.closed is None or day < self.closed)


@dataclass(frozen=True)
class Salesperson:
    """A salesperson as the sale needs it."""

    number: int
    team: str
    hired: date
    left: date | None
    weight: int


def category_rows() -> list[Row]:
    """Return the rows of ``categories``."""
    return [(number, name, family) for number, (name, family, *_) in enumerate(_CATEGORIES, 1)]


def products(rnd: random.Random, today: date, start: date) -> tuple[list[Row], list[Product]]:
    """Return the rows of ``produits`` and what the sale needs of them: about 300, some of them withdrawn."""
    rows: list[Row] = []
    kept: list[Product] = []
    seen: set[str] = set()
    brand_names, brand_weights = zip(*_BRANDS, strict=True)
    for number_of_category, (_, _, low, high, weight, returned, season, nouns) in enumerate(_CATEGORIES, 1):
        for _ in range(11 + weight // 2 + (6 if weight > 6 else 2)):
            color = rnd.choice(_COLORS) if season != "flat" or rnd.random() < 0.6 else None
            name = f"{rnd.choice(nouns)} {rnd.choice(_MODELS)}" + (f" {color}" if color else "")
            if name in seen:
                continue
            seen.add(name)
            number = len(rows) + 1
            price = round(low * 100 * (high / low) ** rnd.betavariate(1.6, 2.2)) // 10 * 10
            cost = round(price * rnd.uniform(0.42, 0.66))
            launched = start - timedelta(days=rnd.randrange(30, 1500))
            if rnd.random() < 0.18:
                launched = start + timedelta(days=rnd.randrange(20, 1000))
            stopped = None
            if rnd.random() < 0.10:
                stopped = max(launched + timedelta(days=200), start + timedelta(days=rnd.randrange(200, 1050)))
                stopped = stopped if stopped < today else None
            brand = rnd.choices(brand_names, brand_weights)[0]
            weight_kg = Decimal(rnd.randrange(80, 9000)).scaleb(-3) if rnd.random() < 0.94 else None
            rows.append(
                (
                    number, f"{name[:3].upper()}-{number:04d}", name, number_of_category, brand, color,
                    money(price),
                    money(cost), weight_kg, launched, stopped is None,
                )
            )  # fmt: skip
            share = weight * rnd.paretovariate(1.9)
            kept.append(Product(number, number_of_category, price, cost, share, returned, season, launched, stopped))
    return rows, kept


def shops(today: date) -> tuple[list[Row], list[Shop]]:
    """Return the rows of ``magasins`` and what the sale needs: one opened and one closed within the 36 months."""
    opened, closed = add_months(today, -20).replace(day=12), add_months(today, -8).replace(day=1)
    paca, ara = "Provence-Alpes-Côte d'Azur", "Auvergne-Rhône-Alpes"
    told: list[tuple[str, str, str, str | None, str | None, str | None, int | None, date, date | None, int]] = [
        ("PAR1", "Paris Rivoli", "BTQ", "Paris", "Île-de-France", "75001", 420, date(2009, 3, 14), None, 22),
        ("PAR2", "Paris Batignolles", "BTQ", "Paris", "Île-de-France", "75017", 260, date(2015, 9, 5), None, 14),
        ("LYO", "Lyon Bellecour", "BTQ", "Lyon", ara, "69002", 380, date(2011, 10, 1), None, 16),
        ("MRS", "Marseille Prado", "BTQ", "Marseille", paca, "13008", 310, date(2013, 4, 20), None, 10),
        ("LIL", "Lille Grand-Place", "BTQ", "Lille", "Hauts-de-France", "59800", 290, date(2014, 11, 8), None, 10),
        ("BDX", "Bordeaux Chartrons", "BTQ", "Bordeaux", "Nouvelle-Aquitaine", "33000", 300, date(2016, 3, 12), None, 11),
        ("TLS", "Toulouse Carmes", "BTQ", "Toulouse", "Occitanie", "31000", 270, date(2016, 10, 15), None, 10),
        ("STR", "Strasbourg Krutenau", "BTQ", "Strasbourg", "Grand Est", "67000", 240, date(2018, 5, 26), None, 8),
        ("REN", "Rennes Sainte-Anne", "BTQ", "Rennes", "Bretagne", "35000", 220, date(2019, 9, 7), None, 7),
        ("NIC", "Nice Masséna", "BTQ", "Nice", paca, "06000", 230, date(2017, 6, 3), None, 8),
        ("MPL", "Montpellier Comédie", "BTQ", "Montpellier", "Occitanie", "34000", 210, date(2020, 10, 10), None, 6),
        ("NTE", "Nantes Graslin", "BTQ", "Nantes", "Pays de la Loire", "44000", 280, opened, None, 9),
        ("GRE", "Grenoble Championnet", "BTQ", "Grenoble", ara, "38000", 150, date(2012, 2, 18), closed, 5),
        ("WEB", "Boutique en ligne", "WEB", None, None, None, None, date(2012, 1, 9), None, 0),
        ("PRO", "Showroom Pro", "PRO", "Saint-Denis", "Île-de-France", "93210", 600, date(2017, 1, 16), None, 0),
    ]
    rows: list[Row] = []
    kept: list[Shop] = []
    for number, (code, name, kind, city, region, postcode, surface, since, until, weight) in enumerate(told, 1):
        rows.append((number, code, name, kind, city, region, postcode, surface, since, until))
        kept.append(Shop(number, kind, region or "", weight, since, until))
    return rows, kept


def salespeople(rnd: random.Random, today: date, start: date) -> tuple[list[Row], list[Salesperson]]:
    """Return the rows of ``commerciaux`` and what the sale needs. Two of them are called Martin: as in life."""
    teams = ("Grands comptes", "Nord", "Sud", "Est", "Ouest")
    rows: list[Row] = []
    kept: list[Salesperson] = []
    surnames = ["Martin", "Martin", *rnd.sample([name for name in LAST_NAMES if name != "Martin"], 20)]
    firsts = ["Hélène", "Olivier", *rnd.sample(FIRST_NAMES, 20)]
    for number, (surname, first) in enumerate(zip(surnames, firsts, strict=True), 1):
        team = teams[number % len(teams)]
        hired = start - timedelta(days=rnd.randrange(40, 4000))
        if number % 6 == 0:
            hired = start + timedelta(days=rnd.randrange(60, 800))
        left = None
        if number % 7 == 0:
            left = (
                hired + timedelta(days=rnd.randrange(300, 700))
                if hired > start
                else start + timedelta(days=200 + number * 17)
            )
            left = left if left < today else None
        email = f"{plain(first)}.{plain(surname)}@example.com"
        rows.append((number, f"C{100 + number}", surname, first, team, email, hired, left))
        kept.append(Salesperson(number, team, hired, left, rnd.randrange(4, 13)))
    return rows, kept
