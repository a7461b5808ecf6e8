"""A property manager's database, as a MySQL application makes it: ``id``, ``xxx_id``, enums, tinyint flags, coded states."""

# ruff: noqa: E501
from __future__ import annotations

import datetime as dt
from random import Random

from bench.unknown.table import CITIES, FIRST_NAMES, LAST_NAMES, TODAY, Table, days, money

DAY = dt.timedelta(1)


def _month(day: dt.date, more: int) -> dt.date:
    number = day.year * 12 + day.month - 1 + more
    return dt.date(number // 12, number % 12 + 1, 1)


def tables() -> list[Table]:
    rnd = Random("gerance")
    towns = ["Nantes", "Rennes", "Angers", "Lyon"]
    buildings = [(n, f"{rnd.choice(['Résidence', 'Le Clos', 'Villa', 'Domaine'])} {name}", f"{rnd.randint(1, 90)} rue {rnd.choice(LAST_NAMES)}", CITIES[town], town, rnd.randint(1930, 2019))
                 for n, (name, town) in enumerate([(name, towns[i % 4]) for i, name in enumerate(["des Lilas", "du Parc", "Belle-Île", "Voltaire", "des Tanneurs", "Jean Moulin", "de la Gare", "Saint-Clair", "des Ponts", "Montplaisir", "du Port", "Bel Air"])], 1)]  # fmt: skip
    lots = []
    for building in buildings:
        for n in range(1, rnd.randint(10, 22)):
            kind = rnd.choices(["studio", "T2", "T3", "T4", "parking", "commerce"], [18, 30, 24, 12, 12, 4])[0]
            size = {"studio": 24, "T2": 42, "T3": 63, "T4": 84, "parking": 12, "commerce": 95}[kind] * rnd.uniform(0.85, 1.2)
            lots.append((len(lots) + 1, building[0], f"{building[0]:02}-{n:03}", kind, money(size), rnd.randint(0, 6)))
    tenants = [
        (
            n,
            rnd.choice(LAST_NAMES),
            rnd.choice(FIRST_NAMES),
            f"loc{n}@exemple.fr",
            rnd.choice(days(dt.date(1950, 1, 1), dt.date(2005, 1, 1))),
        )
        for n in range(1, 321)
    ]
    leases, rents, receipts = [], [], []
    who = iter(tenants)
    for lot in lots:
        start = rnd.choice(days(dt.date(2019, 1, 1), dt.date(2025, 12, 1)))
        for _ in range(2):
            tenant = next(who, None)
            if tenant is None or start > TODAY:
                break
            ended = start + rnd.randint(300, 1500) * DAY if rnd.random() < 0.4 else None
            if ended and ended > TODAY + 90 * DAY:
                ended = None
            state = 1 if ended is None else (3 if ended > TODAY else 2)
            base = {"parking": 65, "commerce": 1500}.get(lot[3], float(lot[4]) * 13.5)
            rent, charges = money(base * rnd.uniform(0.9, 1.15)), money(base * 0.11)
            number = len(leases) + 1
            leases.append(
                (
                    number,
                    lot[0],
                    tenant[0],
                    "commercial" if lot[3] == "commerce" else rnd.choice(["nu", "nu", "meuble"]),
                    start,
                    ended,
                    rent,
                    charges,
                    money(float(rent)),
                    state,
                )
            )
            month = max(dt.date(2024, 1, 1), start.replace(day=1))
            while month <= TODAY and (ended is None or month < ended):
                paid = rnd.choices(
                    ["payee", "partielle", "impayee"], [93, 2, 5] if month < dt.date(2026, 4, 1) else [80, 6, 14]
                )[0]
                slip = len(rents) + 1
                rents.append((slip, number, month, rent, charges, rent + charges, month + 4 * DAY, paid))
                if paid != "impayee":
                    whole = rent + charges
                    got = whole if paid == "payee" else money(float(whole) * 0.5)
                    receipts.append(
                        (
                            len(receipts) + 1,
                            slip,
                            month + rnd.randint(0, 14) * DAY,
                            got,
                            rnd.choices(["prelevement", "virement", "cheque"], [65, 28, 7])[0],
                        )
                    )
                month = _month(month, 1)
            if ended is None:
                break
            start = ended + rnd.randint(10, 120) * DAY
    trades = [(n, name, trade, town) for n, (name, trade, town) in enumerate([("Plomberie Guérin", "plombier", "Nantes"), ("Élec Ouest", "électricien", "Rennes"), ("Serrures Express", "serrurier", "Angers"), ("Thermi Lyon", "chauffagiste", "Lyon"),
              ("Bâti Services", "multi-services", "Nantes"), ("Net & Clair", "nettoyage", "Rennes"), ("Peintures Roux", "peintre", "Lyon")], 1)]  # fmt: skip
    works = []
    for day in days(dt.date(2024, 1, 1), TODAY):
        for _ in range(rnd.choice([0, 1, 1, 2])):
            done = day + rnd.randint(0, 30) * DAY
            finished = done <= TODAY and rnd.random() < 0.93
            works.append(
                (
                    len(works) + 1,
                    rnd.choice(lots)[0],
                    rnd.choice(trades)[0],
                    rnd.choice(["Fuite d'eau", "Panne de chauffage", "Serrure", "Peinture", "Ménage", "Panne électrique"]),
                    day,
                    done if finished else None,
                    money(rnd.lognormvariate(5.2, 0.7)),
                    int(rnd.random() < 0.22),
                )
            )
    return [
        Table("immeubles", [("id", "integer"), ("nom", "varchar(60)"), ("adresse", "varchar(90)"), ("code_postal", "char(5)"), ("ville", "varchar(40)"), ("annee_construction", "smallint")], buildings, ["id"]),
        Table("lots", [("id", "integer"), ("immeuble_id", "integer"), ("reference", "varchar(12)"), ("type", "enum:studio,T2,T3,T4,parking,commerce"), ("surface", "numeric(8,2)"), ("etage", "smallint")], lots, ["id"], {"immeuble_id": "immeubles.id"}),
        Table("locataires", [("id", "integer"), ("nom", "varchar(60)"), ("prenom", "varchar(60)"), ("email", "varchar(80)"), ("date_naissance", "date")], tenants, ["id"]),
        Table("baux", [("id", "integer"), ("lot_id", "integer"), ("locataire_id", "integer"), ("type_bail", "enum:nu,meuble,commercial"), ("date_debut", "date"), ("date_fin", "date"), ("loyer_hc", "numeric(9,2)", "Loyer mensuel hors charges"),
                       ("charges", "numeric(9,2)"), ("depot_garantie", "numeric(9,2)"), ("etat", "smallint", "1 : en cours, 2 : terminé, 3 : préavis")], leases, ["id"], {"lot_id": "lots.id", "locataire_id": "locataires.id"}),
        Table("quittances", [("id", "integer"), ("bail_id", "integer"), ("periode", "date", "Premier jour du mois"), ("loyer", "numeric(9,2)"), ("charges", "numeric(9,2)"), ("total", "numeric(9,2)"), ("date_echeance", "date"), ("statut", "enum:payee,partielle,impayee")], rents, ["id"], {"bail_id": "baux.id"}),
        Table("encaissements", [("id", "integer"), ("quittance_id", "integer"), ("date_encaissement", "date"), ("montant", "numeric(9,2)"), ("moyen", "varchar(20)")], receipts, ["id"], {"quittance_id": "quittances.id"}),
        Table("prestataires", [("id", "integer"), ("raison_sociale", "varchar(60)"), ("metier", "varchar(30)"), ("ville", "varchar(40)")], trades, ["id"]),
        Table("interventions", [("id", "integer"), ("lot_id", "integer"), ("prestataire_id", "integer"), ("objet", "varchar(60)"), ("date_demande", "date"), ("date_realisation", "date"), ("cout_ttc", "numeric(9,2)"), ("est_urgent", "smallint")], works, ["id"],
              {"lot_id": "lots.id", "prestataire_id": "prestataires.id"}),
    ]  # fmt: skip
