"""An accounting package's export: flat files, no key, no comment. Meant to be written as French CSV files."""

# ruff: noqa: E501
from __future__ import annotations

import datetime as dt
from decimal import Decimal
from random import Random

from bench.unknown.table import LAST_NAMES, TODAY, Table, days, money

ACCOUNTS = {
    "101000": "Capital", "106800": "Réserves", "164000": "Emprunts auprès des établissements de crédit", "213500": "Agencements", "218300": "Matériel informatique",
    "281830": "Amortissements du matériel informatique", "401000": "Fournisseurs", "411000": "Clients", "421000": "Personnel - rémunérations dues", "431000": "Sécurité sociale",
    "445660": "TVA déductible", "445710": "TVA collectée", "467000": "Autres comptes débiteurs ou créditeurs", "512000": "Banque", "530000": "Caisse",
    "604000": "Achats d'études et prestations", "606100": "Eau, énergie", "606300": "Petit équipement", "606400": "Fournitures administratives", "611000": "Sous-traitance",
    "613200": "Locations immobilières", "615000": "Entretien et réparations", "616000": "Assurances", "622600": "Honoraires", "623000": "Publicité", "625100": "Voyages et déplacements",
    "626000": "Frais postaux et télécommunications", "627000": "Services bancaires", "641000": "Rémunérations du personnel", "645000": "Charges sociales", "661000": "Charges d'intérêts",
    "671000": "Charges exceptionnelles", "706000": "Prestations de services", "707000": "Ventes de marchandises", "708500": "Ports facturés", "758000": "Produits divers de gestion",
}  # fmt: skip
SECTIONS = {
    "ATL": "Atelier",
    "BUR": "Bureau d'études",
    "COM": "Commercial",
    "ADM": "Administration",
    "POS": "Pose et chantiers",
}


def tables() -> list[Table]:
    rnd = Random("compta")
    plan = [
        (code, name, int(code[0]), {"6": "Charge", "7": "Produit"}.get(code[0], "Bilan")) for code, name in ACCOUNTS.items()
    ]
    customers = [
        (
            f"C{n:04}",
            f"{rnd.choice(['SCI', 'SARL', 'SAS', 'Mairie de', 'M. et Mme'])} {LAST_NAMES[n % 46]}",
            "Client",
            rnd.choice(["Annecy", "Chambéry", "Grenoble", "Lyon", "Valence"]),
        )
        for n in range(1, 91)
    ]
    suppliers = [
        (
            f"F{n:04}",
            f"{rnd.choice(['Ets', 'SA', 'SAS', 'Comptoir'])} {LAST_NAMES[(n * 7) % 46]} {n}",
            "Fournisseur",
            rnd.choice(["Lyon", "Grenoble", "Paris", None]),
        )
        for n in range(1, 61)
    ]
    entries: list[tuple[object, ...]] = []
    letter = 0
    zero = Decimal("0.00")

    def post(
        day: dt.date,
        book: str,
        piece: str,
        account: str,
        label: str,
        debit: Decimal,
        credit: Decimal,
        section: str | None = None,
        who: str | None = None,
        let: str | None = None,
    ) -> None:
        entries.append((day, book, piece, account, label, debit, credit, section, who, let))

    counts = {"VE": 0, "AC": 0, "BQ": 0, "OD": 0}

    def piece(book: str, day: dt.date) -> str:
        counts[book] += 1
        return f"{book}{day:%y%m}-{counts[book]:05}"

    costs = {
        "604000": 1800,
        "606100": 420,
        "606300": 260,
        "606400": 110,
        "611000": 3200,
        "615000": 480,
        "622600": 900,
        "623000": 650,
        "625100": 240,
        "626000": 95,
    }
    usual = {s[0]: (rnd.choice(list(costs)), rnd.expovariate(1) + 0.1) for s in suppliers}
    for day in days(dt.date(2024, 1, 1), TODAY):
        if day.weekday() < 5:
            for _ in range(rnd.choice([0, 1, 1, 2, 2])):
                who = rnd.choice(customers)
                net = money(rnd.lognormvariate(7.9, 0.8))
                tax = money(float(net) * 0.2)
                name, number = f"Facture {who[1]}", piece("VE", day)
                paid = min(day + dt.timedelta(rnd.randint(8, 60)), dt.date(2027, 1, 1))
                let = None
                if paid <= TODAY and rnd.random() < 0.95:
                    letter += 1
                    let = f"L{letter:05}"
                    number2 = piece("BQ", paid)
                    post(paid, "BQ", number2, "512000", f"Règlement {who[1]}", net + tax, zero)
                    post(paid, "BQ", number2, "411000", f"Règlement {who[1]}", zero, net + tax, None, who[0], let)
                post(day, "VE", number, "411000", name, net + tax, zero, None, who[0], let)
                post(
                    day,
                    "VE",
                    number,
                    rnd.choices(["706000", "707000"], [60, 40])[0],
                    name,
                    zero,
                    net,
                    rnd.choice(["ATL", "BUR", "POS", "POS"]),
                )
                post(day, "VE", number, "445710", name, zero, tax)
            for _ in range(rnd.choice([0, 1, 1, 2, 3])):
                who = rnd.choices(suppliers, [usual[s[0]][1] for s in suppliers])[0]
                account = usual[who[0]][0]
                net = money(costs[account] * rnd.uniform(0.4, 1.8))
                tax = money(float(net) * 0.2)
                name, number = f"Facture {who[1]}" if rnd.random() < 0.9 else f"FACT {who[1].upper()}", piece("AC", day)
                paid = day + dt.timedelta(rnd.randint(15, 50))
                let = None
                if paid <= TODAY and rnd.random() < 0.97:
                    letter += 1
                    let = f"L{letter:05}"
                    number2 = piece("BQ", paid)
                    post(paid, "BQ", number2, "401000", f"Virement {who[1]}", net + tax, zero, None, who[0], let)
                    post(paid, "BQ", number2, "512000", f"Virement {who[1]}", zero, net + tax)
                post(
                    day, "AC", number, account, name, net, zero, None if rnd.random() < 0.04 else rnd.choice(list(SECTIONS))
                )
                post(day, "AC", number, "445660", name, tax, zero)
                post(day, "AC", number, "401000", name, zero, net + tax, None, who[0], let)
        if day.day == 5:
            number = piece("AC", day)
            post(day, "AC", number, "613200", "Loyer", money(3150 if day.year < 2026 else 3240), zero, "ADM")
            post(day, "AC", number, "401000", "Loyer", zero, money(3150 if day.year < 2026 else 3240), None, "F0001")
            number = piece("BQ", day)
            post(day, "BQ", number, "627000", "Frais de tenue de compte", money(42.5), zero, "ADM")
            post(
                day,
                "BQ",
                number,
                "661000",
                "Intérêts emprunt",
                money(310 - 4 * (day.year * 12 + day.month - 24288)),
                zero,
                "ADM",
            )
            post(
                day,
                "BQ",
                number,
                "512000",
                "Prélèvement banque",
                zero,
                money(352.5 - 4 * (day.year * 12 + day.month - 24288)),
            )
        if (day + dt.timedelta(1)).day == 1:
            number, total, charges = piece("OD", day), zero, zero
            for section, base in {"ATL": 11200, "BUR": 8900, "COM": 6100, "ADM": 5400, "POS": 12600}.items():
                gross = money(base * rnd.uniform(0.97, 1.05) * (1.02 ** (day.year - 2024)))
                social = money(float(gross) * 0.41)
                total, charges = total + gross, charges + social
                post(day, "OD", number, "641000", f"Salaires {day:%m/%Y}", gross, zero, section)
                post(day, "OD", number, "645000", f"Charges sociales {day:%m/%Y}", social, zero, section)
            post(day, "OD", number, "421000", f"Salaires {day:%m/%Y}", zero, total)
            post(day, "OD", number, "431000", f"Charges sociales {day:%m/%Y}", zero, charges)
    entries.sort(key=lambda entry: (entry[0], entry[2]))
    budget = []
    for year in (2025, 2026):
        for account in (
            "604000",
            "606100",
            "606300",
            "611000",
            "622600",
            "623000",
            "625100",
            "641000",
            "645000",
            "706000",
            "707000",
        ):
            for section in SECTIONS:
                if account in ("706000", "707000") and section in ("ADM", "COM"):
                    continue
                base = {"641000": 8800, "645000": 3600, "706000": 19000, "707000": 12500}.get(
                    account, costs.get(account, 500) * 0.7
                )
                base *= rnd.uniform(0.6, 1.4)
                budget += [
                    (year, dt.date(year, month, 1), account, section, money(round(base * (0.6 if month == 8 else 1), -1)))
                    for month in range(1, 13)
                ]
    books = [("AC", "Achats"), ("VE", "Ventes"), ("BQ", "Banque"), ("OD", "Opérations diverses"), ("AN", "À nouveaux")]
    return [
        Table("journaux", [("journal", "varchar(3)"), ("libelle_journal", "varchar(40)")], books),
        Table("plan_comptable", [("compte", "varchar(8)"), ("intitule", "varchar(80)"), ("classe", "integer"), ("type_compte", "varchar(10)")], plan),
        Table("sections", [("section", "varchar(5)"), ("libelle_section", "varchar(40)")], list(SECTIONS.items())),
        Table("tiers", [("compte_tiers", "varchar(8)"), ("nom_tiers", "varchar(60)"), ("type_tiers", "varchar(15)"), ("ville", "varchar(40)")], customers + suppliers),
        Table("ecritures", [("date_ecriture", "date"), ("journal", "varchar(3)"), ("num_piece", "varchar(20)"), ("compte", "varchar(8)"), ("libelle", "varchar(100)"), ("debit", "decimal(12,2)"),
                            ("credit", "decimal(12,2)"), ("section", "varchar(5)"), ("compte_tiers", "varchar(8)"), ("lettrage", "varchar(8)")], entries),
        Table("budget", [("exercice", "integer"), ("mois", "date"), ("compte", "varchar(8)"), ("section", "varchar(5)"), ("montant_budget", "decimal(12,2)")], budget),
    ]  # fmt: skip
