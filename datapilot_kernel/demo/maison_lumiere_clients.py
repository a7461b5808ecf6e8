"""Maison Lumière's clients: individuals and companies, with the flaws of a file that people type into.

Flaws, on purpose: towns in capitals or small letters, missing e-mails, telephones, regions and segments, the same person
entered twice, clients who never order.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

from datapilot_kernel.demo.tables import Row
from datapilot_kernel.demo.vocabulary import CITIES, FIRST_NAMES, LAST_NAMES, STREETS, phone, plain, siret

_COUNT = 3_960
_DUPLICATES = 40
_PRO_SEGMENTS = (
    ("Architecte d'intérieur", 30), ("Hôtellerie-restauration", 24), ("Revendeur", 20), ("Électricien", 16),
    ("Collectivité", 10),
)  # fmt: skip
_COMPANY_FORMS = {
    "Architecte d'intérieur": ("Atelier {}", "Agence {}", "{} Architecture", "Studio {}"),
    "Hôtellerie-restauration": ("Hôtel {}", "Brasserie {}", "Auberge {}", "Restaurant {}"),
    "Revendeur": ("{} Décoration", "Lumières {}", "Comptoir {}"),
    "Électricien": ("{} Électricité", "Élec {}", "{} et Fils"),
    "Collectivité": ("Mairie de {}", "Lycée {}", "Médiathèque {}"),
}


@dataclass(frozen=True)
class Client:
    """A client as the sale needs it; ``weight`` 0: never orders; ``gone``: the day of the last possible order."""

    number: int
    pro: bool
    segment: str | None
    region: str | None
    since: date
    weight: float
    gone: date | None


def clients(rnd: random.Random, today: date, start: date) -> tuple[list[Row], list[Client]]:
    """Return the rows of ``clients``, by date of entry, and what the sale needs of them."""
    days = (today - start).days
    dates = sorted(
        start + timedelta(days=rnd.randrange(-1400, 0) if rnd.random() < 0.52 else rnd.randrange(0, days))
        for _ in range(_COUNT)
    )
    totals = list(accumulate(weight for *_, weight in CITIES))
    rows: list[Row] = []
    kept: list[Client] = []
    for since in dates:
        pro = rnd.random() < 0.14
        row, segment, region = _client_row(rnd, len(rows) + 1, since, pro, totals)
        rows.append(row)
        kept.append(_behaviour(rnd, len(rows), pro, segment, region, since, start, today))
    for original in rnd.sample([row for row in rows if row[2] == "PART"], _DUPLICATES):
        number = len(rows) + 1
        since = min(original[14] + timedelta(days=rnd.randrange(30, 600)), today)
        surname = original[4].upper() if rnd.random() < 0.5 else original[4]
        rows.append(
            (
                number,
                f"CL{number:05d}",
                *original[2:4],
                surname,
                *original[5:9],
                phone(rnd),
                *original[10:14],
                since,
                original[15],
            )
        )
        kept.append(_behaviour(rnd, number, False, original[6], original[13], since, start, today))
    # Numbers follow the order of entry, the doubles included.
    order = sorted(range(len(rows)), key=lambda at: (rows[at][14], at))
    renumbered = {kept[at].number: number for number, at in enumerate(order, 1)}
    rows = [(number, f"CL{number:05d}", *rows[at][2:]) for number, at in enumerate(order, 1)]
    return rows, [
        Client(
            renumbered[kept[at].number],
            kept[at].pro,
            kept[at].segment,
            kept[at].region,
            kept[at].since,
            kept[at].weight,
            kept[at].gone,
        )
        for at in order
    ]


def _client_row(
    rnd: random.Random, number: int, since: date, pro: bool, totals: list[int]
) -> tuple[Row, str | None, str | None]:
    city, postcode, region, _ = rnd.choices(CITIES, cum_weights=totals)[0]
    surname, first = rnd.choice(LAST_NAMES), rnd.choice(FIRST_NAMES)
    spelled = city
    flaw = rnd.random()
    if flaw < 0.03:
        spelled = city.upper()
    elif flaw < 0.045:
        spelled = city.lower()
    known_region: str | None = region if rnd.random() > 0.012 else None
    address = f"{rnd.randrange(1, 190)} {rnd.choice(STREETS)}"
    telephone = phone(rnd) if rnd.random() > 0.18 else None
    newsletter = rnd.random() < 0.46
    segment: str | None
    if pro:
        kind = rnd.choices([name for name, _ in _PRO_SEGMENTS], [weight for _, weight in _PRO_SEGMENTS])[0]
        named = city if kind == "Collectivité" else surname
        company = rnd.choice(_COMPANY_FORMS[kind]).format(named)
        segment = kind if rnd.random() > 0.05 else None
        email = f"contact@{plain(company)}.example.com" if rnd.random() > 0.06 else None
        number_siret = siret(rnd) if rnd.random() > 0.08 else None
        row: Row = (
            number, "", "PRO", None, company, None, segment, number_siret, email, telephone, address,
            postcode, spelled,
            known_region, since, newsletter,
        )  # fmt: skip
        return row, segment, known_region
    segment = "Particulier"
    email = f"{plain(first)}.{plain(surname)}{rnd.randrange(1, 99)}@example.org" if rnd.random() > 0.13 else None
    civility = rnd.choices(("Mme", "M.", None), (50, 45, 5))[0]
    row = (
        number, "", "PART", civility, surname, first, segment, None, email, telephone, address, postcode,
        spelled, known_region,
        since, newsletter,
    )  # fmt: skip
    return row, segment, known_region


def _behaviour(
    rnd: random.Random,
    number: int,
    pro: bool,
    segment: str | None,
    region: str | None,
    since: date,
    start: date,
    today: date,
) -> Client:
    weight = 0.0 if rnd.random() < 0.06 else rnd.paretovariate(1.6) * (1.6 if pro else 1.0)
    gone = None
    if rnd.random() < 0.34:
        gone = max(since, start) + timedelta(days=int(rnd.expovariate(1 / 420)) + 30)
        gone = gone if gone < today else None
    return Client(number, pro, segment, region, since, min(weight, 12.0), gone)
