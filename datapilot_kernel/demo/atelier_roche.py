"""« Atelier Roche »: a workshop that machines parts for others. Small, and unlike Maison Lumière in every word.

Its fiscal year begins on 1 October. Orders of fabrication, scrap and machine stops are three grains over the same
machines: what sums over one must not be joined row by row with another.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from datapilot_kernel.demo.atelier_roche_tables import TABLES
from datapilot_kernel.demo.tables import DEFAULT_SEED, DemoTenant, Row, Rows, add_months, money, stream
from datapilot_kernel.demo.vocabulary import FIRST_NAMES, LAST_NAMES

_CLIENTS = (
    ("Aéro Pyrénées", "Aéronautique", "Tarbes", "65000", "Hautes-Pyrénées", 9),
    ("Ferroviaire du Nord", "Ferroviaire", "Valenciennes", "59300", "Nord", 7),
    ("Hydrolac", "Énergie", "Annecy", "74000", "Haute-Savoie", 6),
    ("Mécanique Faure", "Mécanique générale", "Saint-Étienne", "42000", "Loire", 5),
    ("Médilame", "Médical", "Besançon", "25000", "Doubs", 6),
    ("Turbines du Rhône", "Énergie", "Lyon", "69007", "Rhône", 8),
    ("Outillages Vallet", "Mécanique générale", "Cluses", "74300", "Haute-Savoie", 4),
    ("Agri Bresse", "Machinisme agricole", "Bourg-en-Bresse", "01000", "Ain", 4),
    ("Sofrane Emballage", "Agroalimentaire", "Dijon", "21000", "Côte-d'Or", 3),
    ("Ateliers du Léman", "Horlogerie", "Thonon-les-Bains", "74200", "Haute-Savoie", 3),
    ("Vérins Durand", "Hydraulique", "Roanne", "42300", "Loire", 5),
    ("Nucléaire Services Drôme", "Énergie", "Pierrelatte", "26700", "Drôme", 5),
    ("Cycles Mont-Blanc", "Loisirs", "Sallanches", "74700", "Haute-Savoie", 2),
    ("Robotique Isère", "Robotique", "Grenoble", "38000", "Isère", 6),
    ("Pompes Garnier", "Hydraulique", "Mâcon", "71000", "Saône-et-Loire", 4),
    ("Défense Berry", "Défense", "Bourges", "18000", "Cher", 4),
    ("Optique Jura", "Optique", "Morez", "39400", "Jura", 2),
    ("Levage Atlantique", "Levage", "Saint-Nazaire", "44600", "Loire-Atlantique", 3),
    ("Moteurs Lorrains", "Automobile", "Metz", "57000", "Moselle", 5),
    ("Chimie Fine du Gard", "Chimie", "Alès", "30100", "Gard", 2),
    ("Prothèses Lumen", "Médical", "Lyon", "69008", "Rhône", 3),
    ("Signalisation Auber", "Ferroviaire", "Lille", "59000", "Nord", 2),
    ("Fonderie Sainte-Barbe", "Fonderie", "Vierzon", "18100", "Cher", 0),
    ("Drones Garonne", "Aéronautique", "Toulouse", "31000", "Haute-Garonne", 3),
)  # fmt: skip
_MACHINES = (
    ("T01", "Tour Alpha 300", "TOUR", "Tournage", date(2012, 5, 2), 52, 1.2),
    ("T02", "Tour Alpha 300 bis", "TOUR", "Tournage", date(2013, 9, 16), 52, 1.1),
    ("T03", "Tour bibroche", "TOUR", "Tournage", date(2019, 3, 11), 68, 1.4),
    ("F01", "Fraiseuse 3 axes", "FRAI", "Fraisage", date(2010, 1, 18), 58, 1.0),
    ("F02", "Centre 5 axes", "FRAI", "Fraisage", date(2018, 6, 4), 92, 1.6),
    ("F03", "Centre 5 axes palettisé", "FRAI", "Fraisage", date(2022, 11, 7), 105, 1.7),
    ("R01", "Rectifieuse plane", "RECT", "Finition", date(2008, 2, 25), 61, 0.6),
    ("R02", "Rectifieuse cylindrique", "RECT", "Finition", date(2016, 4, 4), 64, 0.6),
    ("S01", "Scie à ruban", "SCIE", "Débit", date(2009, 10, 5), 34, 0.5),
    ("C01", "Machine à mesurer", "CTRL", "Contrôle", date(2020, 9, 1), 71, 0.0),
)  # fmt: skip
_FAMILIES = (
    ("Axes et arbres", ("Axe", "Arbre", "Broche"), "TOUR"),
    ("Brides et platines", ("Bride", "Platine"), "FRAI"),
    ("Carters et corps", ("Carter", "Corps de pompe", "Boîtier"), "FRAI"),
    ("Bagues et douilles", ("Bague", "Douille", "Entretoise"), "TOUR"),
    ("Outillages", ("Mors", "Gabarit", "Montage"), "FRAI"),
    ("Cales et glissières", ("Cale", "Glissière"), "RECT"),
)  # fmt: skip
_MATERIALS = (
    "Acier 42CD4",
    "Inox 316L",
    "Inox 304",
    "Aluminium 7075",
    "Aluminium 2017",
    "Titane TA6V",
    "Bronze UE12",
    "Laiton",
)
_CAUSES = (("COTE", 40), ("ETAT", 25), ("MAT", 12), ("CASSE", 18), (None, 5))
_STOPS = (("PAN", 22, 190), ("MAI", 16, 120), ("REG", 40, 45), ("MAT", 12, 75), ("OPE", 10, 90))
_MONTHS = (1.05, 1.0, 1.1, 0.98, 0.9, 1.08, 1.0, 0.35, 1.12, 1.15, 1.05, 0.8)


@dataclass(frozen=True)
class _Part:
    number: int
    kind: str
    price: int
    cost: int
    hours: float
    client: int


def generate(today: date, seed: int = DEFAULT_SEED) -> Rows:
    """Return the rows of every table; equal arguments give equal rows."""
    start = add_months(today, -36) + timedelta(days=1)
    client_rows: list[Row] = [
        (number, *fields, start - timedelta(days=150 + 97 * number % 3_000))
        for number, (*fields, _) in enumerate(_CLIENTS, 1)
    ]
    machine_rows: list[Row] = [(n, *fields, money(rate * 100)) for n, (*fields, rate, _) in enumerate(_MACHINES, 1)]
    operator_rows = _operators(stream(seed, today, "operateurs"), today, start)
    part_rows, parts = _parts(stream(seed, today, "pieces"))
    quote_rows = _quotes(stream(seed, today, "devis"), today, start)
    order_rows, scrap_rows = _production(stream(seed, today, "of"), today, start, parts, quote_rows, operator_rows)
    return {
        "clients": client_rows,
        "machines": machine_rows,
        "operateurs": operator_rows,
        "pieces": part_rows,
        "devis": quote_rows,
        "ordres_fabrication": order_rows,
        "rebuts": scrap_rows,
        "arrets": _stops(stream(seed, today, "arrets"), today, start),
    }


def _operators(rnd: random.Random, today: date, start: date) -> list[Row]:
    rows: list[Row] = []
    for number, surname in enumerate(rnd.sample(LAST_NAMES, 26), 1):
        skill = rnd.choice(("Tourneur", "Fraiseur", "Régleur", "Rectifieur", "Opérateur polyvalent"))
        hired = start - timedelta(days=rnd.randrange(60, 6_000))
        left = start + timedelta(days=rnd.randrange(200, 900)) if number % 8 == 0 else None
        left = left if left is None or left < today else None
        rows.append(
            (
                number,
                f"M{number:03d}",
                surname,
                rnd.choice(FIRST_NAMES),
                skill,
                ("M", "AM", "M", "N", "AM")[number % 5],
                hired,
                left,
            )
        )
    return rows


def _parts(rnd: random.Random) -> tuple[list[Row], list[_Part]]:
    rows: list[Row] = []
    kept: list[_Part] = []
    weights = [weight for *_, weight in _CLIENTS]
    for number in range(1, 141):
        family, nouns, kind = rnd.choice(_FAMILIES)
        material = rnd.choice(_MATERIALS) if rnd.random() > 0.08 else None
        hours = round(rnd.uniform(0.08, 2.6), 2)
        cost = int(hours * 2_600 * rnd.uniform(0.8, 1.3)) + rnd.randrange(150, 2_400)
        price = round(cost * rnd.uniform(1.12, 1.6))
        name = (
            f"{rnd.choice(nouns)} Ø{rnd.randrange(8, 220)}"
            if kind == "TOUR"
            else f"{rnd.choice(nouns)} {rnd.randrange(20, 400)}x{rnd.randrange(20, 300)}"
        )
        weight_kg = Decimal(rnd.randrange(20, 18_000)).scaleb(-3)
        rows.append((number, f"P-{1000 + number}", name, family, material, weight_kg, money(price), money(cost)))
        owner = rnd.choices(range(1, len(_CLIENTS) + 1), weights)[0]
        kept.append(_Part(number, kind, price, cost, hours, owner))
    return rows, kept


def _quotes(rnd: random.Random, today: date, start: date) -> list[Row]:
    weights = [weight + 1 for *_, weight in _CLIENTS]
    days = sorted(start + timedelta(days=rnd.randrange((today - start).days + 1)) for _ in range(1_150))
    rows: list[Row] = []
    for number, day in enumerate((d for d in days if d.weekday() < 5), 1):
        client = rnd.choices(range(1, len(_CLIENTS) + 1), weights)[0]
        answered: date | None = day + timedelta(days=int(rnd.expovariate(1 / 14)) + 1)
        status = rnd.choices(("ACC", "REF", "EXP"), (46, 38, 16))[0]
        if status == "EXP":
            answered = None
            status = "EXP" if (today - day).days > 60 else "ENC"
        elif answered is not None and answered > today:
            answered, status = None, "ENC"
        amount = int(rnd.lognormvariate(8.1, 0.95)) * 100
        rows.append(
            (
                number,
                f"D{day:%y}-{number:04d}",
                client,
                day,
                answered,
                status,
                money(amount),
                rnd.choice((2, 3, 4, 4, 5, 6, 8, 10)),
            )
        )
    return rows


def _production(
    rnd: random.Random, today: date, start: date, parts: list[_Part], quotes: list[Row], operators: list[Row]
) -> tuple[list[Row], list[Row]]:
    accepted: dict[int, list[Row]] = {}
    for quote in quotes:
        if quote[5] == "ACC":
            accepted.setdefault(quote[2], []).append(quote)
    load = [weight for *_, weight in _MACHINES]
    orders: list[Row] = []
    scrap: list[tuple[date, int, int, str | None, int]] = []
    causes = [cause for cause, _ in _CAUSES]
    cause_weights = [weight for _, weight in _CAUSES]
    day = start
    while day <= today:
        if day.weekday() < 5:
            expected = 4.6 * _MONTHS[day.month - 1] * 1.04 ** ((day - start).days / 365.25)
            for _ in range(max(0, round(rnd.gauss(expected, 1.4)))):
                number = len(orders) + 1
                order, lost = _order(rnd, number, day, today, parts, accepted, operators, load)
                orders.append(order)
                end = order[9] or today
                for count in lost:
                    part = parts[order[4] - 1]
                    when = day + timedelta(days=rnd.randrange((end - day).days + 1))
                    scrap.append((when, number, count, rnd.choices(causes, cause_weights)[0], count * part.cost))
        day += timedelta(days=1)
    scrap.sort(key=lambda item: (item[0], item[1]))
    return orders, [
        (number, of, when, count, cause, money(cost)) for number, (when, of, count, cause, cost) in enumerate(scrap, 1)
    ]


def _order(
    rnd: random.Random, number: int, day: date, today: date, parts: list[_Part], accepted: dict[int, list[Row]],
    operators: list[Row], load: list[float],
) -> tuple[Row, list[int]]:  # fmt: skip
    """Return one order's row and the quantities of its declarations of scrap."""
    part = rnd.choice(parts)
    fitting = [n for n, machine in enumerate(_MACHINES, 1) if machine[2] == part.kind]
    machine = rnd.choices(fitting, [load[n - 1] for n in fitting])[0]
    present = [row[0] for row in operators if row[6] <= day and (row[7] is None or day <= row[7])]
    quotes = [quote for quote in accepted.get(part.client, ()) if quote[4] <= day <= quote[4] + timedelta(days=120)]
    quote = rnd.choice(quotes)[0] if quotes and rnd.random() < 0.6 else None
    planned = rnd.choice((5, 10, 12, 20, 25, 40, 50, 80, 100, 150))
    hours = part.hours * planned / 4 + 1
    due = day + timedelta(days=rnd.choice((5, 7, 10, 12, 15, 20)))
    late = 0 if rnd.random() < 0.74 else int(rnd.expovariate(1 / 5)) + 1
    done: date | None = due + timedelta(days=late) if late else due - timedelta(days=rnd.randrange(0, 4))
    status, lost = (
        "TER",
        [count for _ in range(3) if rnd.random() < 0.2 and (count := min(planned, int(rnd.expovariate(20 / planned)) + 1))],
    )
    if rnd.random() < 0.025:
        status, done, lost = "ANN", None, []
    elif done is not None and done > today:
        status, done, lost = "LAN", None, lost[:1]
    good = max(0, planned - sum(lost)) if status == "TER" else 0
    if status == "LAN":
        good = max(0, int((planned - sum(lost)) * min(1.0, (today - day).days / max(1, (due - day).days)) * 0.8))
    spent = hours * rnd.uniform(0.85, 1.35) * (1 if status == "TER" else 0 if status == "ANN" else good / planned)
    row: Row = (
        number, f"OF{day:%y}{number:05d}", quote, part.client, part.number, machine, rnd.choice(present),
        day, due, done, status,
        planned, good, Decimal(round(hours * 100)).scaleb(-2), Decimal(round(spent * 100)).scaleb(-2),
        money(good * part.price),
        late if status == "TER" else None,
    )  # fmt: skip
    return row, lost


def _stops(rnd: random.Random, today: date, start: date) -> list[Row]:
    kinds = [kind for kind, _, _ in _STOPS]
    weights = [weight for _, weight, _ in _STOPS]
    typical = {kind: minutes for kind, _, minutes in _STOPS}
    worn = {number: 1.6 if machine[4].year < 2014 else 1.0 for number, machine in enumerate(_MACHINES, 1)}
    remarks = (
        "Broche en défaut",
        "Attente barre",
        "Changement d'outil",
        "Fuite d'huile",
        "Vidange",
        "Réglage mors",
        None,
        None,
        None,
    )
    moments = sorted(
        datetime.combine(
            start + timedelta(days=rnd.randrange((today - start).days + 1)), time(rnd.randrange(5, 21), rnd.randrange(60))
        )
        for _ in range(2_900)
    )
    rows: list[Row] = []
    for began in moments:
        if began.weekday() > 5 or (began.month == 8 and rnd.random() < 0.6):
            continue
        machine = rnd.choices(list(worn), list(worn.values()))[0]
        kind = rnd.choices(kinds, weights)[0]
        minutes = max(5, int(rnd.lognormvariate(0, 0.6) * typical[kind]))
        ended = began + timedelta(minutes=minutes)
        running = ended.date() > today or (began.date() == today and rnd.random() < 0.5)
        rows.append(
            (
                len(rows) + 1,
                machine,
                began,
                None if running else ended,
                None if running else minutes,
                kind,
                rnd.choice(remarks),
            )
        )
    return rows


ATELIER_ROCHE = DemoTenant("atelier-roche", "Atelier Roche", TABLES, generate)
