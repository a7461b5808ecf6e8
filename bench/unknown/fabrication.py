"""A factory's production system: abbreviated ERP names, upper case, no declared key, codes with their labels elsewhere."""

# ruff: noqa: E501
from __future__ import annotations

import datetime as dt
from random import Random

from bench.unknown.table import FIRST_NAMES, LAST_NAMES, TODAY, Table, days, money

DAY = dt.timedelta(1)


def tables() -> list[Table]:
    rnd = Random("fabrication")
    families = [("CAR", "Carters"), ("ENG", "Engrenages"), ("ARB", "Arbres"), ("VIS", "Visserie"), ("SUP", "Supports")]
    items = [
        (
            f"AR{n:05}",
            f"{families[n % 5][1][:-1]} {rnd.choice(['alu', 'inox', 'acier', 'laiton'])} {n}",
            families[n % 5][0],
            money(rnd.uniform(3, 140)),
            money(rnd.uniform(0.1, 12)),
        )
        for n in range(1, 91)
    ]
    shops = [("USI", "Usinage"), ("ASS", "Assemblage"), ("TRT", "Traitement thermique"), ("CTR", "Contrôle")]
    machines = [(f"M{n:02}", f"{kind} {n}", shop, money(rate)) for n, (kind, shop, rate) in enumerate([
        ("Tour CN", "USI", 62), ("Tour CN", "USI", 62), ("Centre d'usinage", "USI", 85), ("Centre d'usinage", "USI", 85), ("Fraiseuse", "USI", 48), ("Rectifieuse", "USI", 55),
        ("Presse", "ASS", 40), ("Robot de soudage", "ASS", 70), ("Poste d'assemblage", "ASS", 32), ("Four", "TRT", 90), ("Four", "TRT", 90), ("Banc de mesure", "CTR", 45)], 1)]  # fmt: skip
    people = [
        (
            f"OP{n:03}",
            rnd.choice(LAST_NAMES),
            rnd.choice(FIRST_NAMES),
            rnd.choice(["Matin", "Après-midi", "Nuit"]),
            rnd.choice(days(dt.date(2005, 1, 1), dt.date(2025, 12, 1))),
        )
        for n in range(1, 46)
    ]
    customers = [(f"C{n:03}", name, town) for n, (name, town) in enumerate([
        ("AERO LOIRE", "Nantes"), ("MECA RHONE", "Lyon"), ("STE DURIEUX", "Grenoble"), ("VALDIS", "Annecy"), ("TECHNIFAB", "Lille"), ("OUEST HYDRAULIQUE", "Rennes"), ("GARONNE AUTOMATION", "Toulouse"), ("FONDERIES DU NORD", "Lille")], 1)]  # fmt: skip
    orders, clocked = [], []
    for day in days(dt.date(2024, 1, 2), TODAY):
        if day.weekday() > 4:
            continue
        for _ in range(rnd.randint(2, 6)):
            item, shop = rnd.choice(items), rnd.choices(shops, [50, 30, 10, 10])[0][0]
            asked = rnd.choice([50, 100, 200, 250, 500])
            planned = day + rnd.randint(4, 25) * DAY
            ended = planned + rnd.choices([-3, -1, 0, 0, 2, 6, 11], [10, 15, 25, 20, 15, 10, 5])[0] * DAY
            late = ended > TODAY
            status = rnd.choice(["L", "E"]) if late else rnd.choices(["T", "A"], [95, 5])[0]
            scrapped = 0 if status in "LA" else int(asked * rnd.choices([0, 0.01, 0.03, 0.08], [40, 30, 20, 10])[0])
            made = 0 if status in "LA" else (asked // 2 if status == "E" else asked - scrapped)
            number = f"OF{len(orders) + 1:06}"
            orders.append(
                (
                    number,
                    item[0],
                    rnd.choice(customers)[0],
                    shop,
                    day,
                    planned,
                    None if status != "T" else ended,
                    asked,
                    made,
                    scrapped,
                    status,
                )
            )
            if status in "TE":
                for _ in range(rnd.randint(1, 3)):
                    machine = rnd.choice([m for m in machines if m[2] == shop])
                    at = min(day + rnd.randint(0, 12) * DAY, TODAY)
                    clocked.append(
                        (
                            len(clocked) + 1,
                            number,
                            machine[0],
                            rnd.choice(people)[0],
                            at,
                            round(rnd.uniform(0.5, 9), 2),
                            rnd.choices(["REG", "PROD"], [20, 80])[0],
                        )
                    )
    reasons = [
        ("PAN", "Panne"),
        ("REG", "Réglage"),
        ("MAT", "Manque matière"),
        ("MAI", "Maintenance préventive"),
        ("QUA", "Problème qualité"),
    ]
    stops = []
    for day in days(dt.date(2024, 1, 2), TODAY):
        for _ in range(rnd.choice([0, 1, 2, 3]) if day.weekday() < 5 else 0):
            reason = rnd.choices(reasons, [34, 26, 18, 14, 8])[0]
            stops.append(
                (
                    len(stops) + 1,
                    rnd.choice(machines)[0],
                    dt.datetime.combine(day, dt.time(rnd.randint(5, 21), rnd.randint(0, 59))),
                    rnd.randint(5, 240),
                    reason[0],
                )
            )
    return [
        Table("F_FAMILLE", [("FA_CODE", "varchar(5)"), ("FA_INTITULE", "varchar(40)")], families),
        Table("F_ARTICLE", [("AR_REF", "varchar(12)"), ("AR_DESIGN", "varchar(60)"), ("FA_CODE", "varchar(5)"), ("AR_PX_REV", "decimal(10,2)"), ("AR_POIDS_KG", "decimal(10,2)")], items),
        Table("P_ATELIER", [("CD_ATELIER", "varchar(5)"), ("LIB_ATELIER", "varchar(40)")], shops),
        Table("P_MACHINE", [("CD_MACHINE", "varchar(5)"), ("LIB_MACHINE", "varchar(40)"), ("CD_ATELIER", "varchar(5)"), ("TX_HORAIRE", "decimal(8,2)")], machines),
        Table("P_OPERATEUR", [("CD_OPER", "varchar(8)"), ("NOM", "varchar(40)"), ("PRENOM", "varchar(40)"), ("EQUIPE", "varchar(12)"), ("DT_ENTREE", "date")], people),
        Table("F_CLIENT", [("CD_CLI", "varchar(6)"), ("RS_CLI", "varchar(40)"), ("VIL_CLI", "varchar(30)")], customers),
        Table("F_OF", [("NUM_OF", "varchar(10)"), ("AR_REF", "varchar(12)"), ("CD_CLI", "varchar(6)"), ("CD_ATELIER", "varchar(5)"), ("DT_LANC", "date"), ("DT_FIN_PREV", "date"), ("DT_FIN_REEL", "date"),
                       ("QT_LANC", "int"), ("QT_FAB", "int"), ("QT_REB", "int"), ("ST_OF", "char(1)", "L = lancé, E = en cours, T = terminé, A = annulé")], orders, comment="Ordres de fabrication"),
        Table("F_POINTAGE", [("NO_POINT", "int"), ("NUM_OF", "varchar(10)"), ("CD_MACHINE", "varchar(5)"), ("CD_OPER", "varchar(8)"), ("DT_POINT", "date"), ("NB_HEURES", "decimal(6,2)"), ("TYP_HEURE", "varchar(5)")], clocked),
        Table("P_MOTIF_ARRET", [("CD_MOTIF", "varchar(5)"), ("LIB_MOTIF", "varchar(40)")], reasons),
        Table("F_ARRET", [("NO_ARRET", "int"), ("CD_MACHINE", "varchar(5)"), ("DT_ARRET", "timestamp"), ("DUREE_MIN", "int"), ("CD_MOTIF", "varchar(5)")], stops),
    ]  # fmt: skip
