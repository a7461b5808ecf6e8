"""A parcel carrier: rounds, vehicles, drivers, deliveries with hours; French names, keys, no comment at all."""

# ruff: noqa: E501
from __future__ import annotations

import datetime as dt
from random import Random

from bench.unknown.table import CITIES, FIRST_NAMES, LAST_NAMES, TODAY, Table, days, money


def tables() -> list[Table]:
    rnd = Random("transport")
    depots = [
        (1, "Dépôt Nord", "Lille"),
        (2, "Dépôt Centre", "Dijon"),
        (3, "Dépôt Ouest", "Nantes"),
        (4, "Dépôt Sud", "Nîmes"),
    ]
    drivers = [
        (
            n,
            LAST_NAMES[n],
            FIRST_NAMES[n % 30],
            rnd.choice(["B", "B", "C", "CE"]),
            rnd.choice(days(dt.date(2012, 1, 1), dt.date(2025, 3, 1))),
            n not in (7, 19),
        )
        for n in range(1, 33)
    ]
    vehicles = []
    for n in range(1, 31):
        kind = rnd.choices(["Utilitaire", "Porteur", "Semi-remorque"], [60, 30, 10])[0]
        vehicles.append((n, f"{rnd.choice('ABCDEFG')}{rnd.choice('ABCDEFG')}-{rnd.randint(100, 999)}-{rnd.choice('KLMNP')}{rnd.choice('RSTVW')}",
                         rnd.choice(["Renault", "Iveco", "Mercedes", "MAN", "Volvo"]), kind, "Diesel" if kind == "Semi-remorque" else rnd.choices(["Diesel", "Électrique", "GNV"], [60, 25, 15])[0],
                         {"Utilitaire": rnd.choice([800, 1000, 1200]), "Porteur": rnd.choice([6000, 9000, 12000]), "Semi-remorque": 24000}[kind],
                         rnd.choice(days(dt.date(2016, 1, 1), dt.date(2025, 6, 30))), n % 4 + 1))  # fmt: skip
    clients = [(n, f"{rnd.choice(['Boutique', 'Pharmacie', 'Meubles', 'Librairie', 'Ateliers', 'Maison'])} {LAST_NAMES[n % 46]} {n}", rnd.choice(list(CITIES)),
                None if rnd.random() < 0.05 else rnd.choice(["Mode", "Santé", "Ameublement", "Culture", "Industrie", "Alimentaire"])) for n in range(1, 91)]  # fmt: skip
    weight = [rnd.expovariate(1) + 0.05 for _ in clients]
    towns = [
        "Lille",
        "Roubaix",
        "Arras",
        "Dijon",
        "Beaune",
        "Chalon-sur-Saône",
        "Nantes",
        "Saint-Nazaire",
        "Angers",
        "Nîmes",
        "Montpellier",
        "Avignon",
    ]
    speed = [rnd.uniform(0.7, 1.3) for _ in drivers]
    rounds, parcels, deliveries, incidents = [], [], [], []
    for day in days(dt.date(2025, 1, 2), TODAY):
        if day.weekday() > 4 or (day.month == 8 and rnd.random() < 0.3):
            continue
        crew = rnd.choices(drivers, [s if d[5] or day.year < 2026 else 0 for d, s in zip(drivers, speed, strict=True)], k=40)
        seen: set[int] = set()
        crew = [d for d in crew if not (d[0] in seen or seen.add(d[0]))][: rnd.randint(7, 10)]  # type: ignore[func-returns-value]
        lorries = rnd.sample([v for v in vehicles if v[0] not in (11, 26) and v[6] <= day], len(crew))
        for driver, lorry in zip(crew, lorries, strict=True):
            number, km = len(rounds) + 1, rnd.randint(35, 290)
            leave = dt.datetime.combine(day, dt.time(rnd.randint(5, 8), rnd.choice([0, 15, 30, 45])))
            stops = rnd.randint(3, 12)
            clock = leave
            for _ in range(stops):
                planned = clock + dt.timedelta(minutes=rnd.randint(15, 50))
                clock = planned
                result = rnd.choices(["Livré", "Absent", "Refusé", "Adresse introuvable"], [89, 7, 2, 2])[0]
                actual = planned + dt.timedelta(minutes=int(rnd.gauss(4, 14)))
                if day == TODAY and planned.hour >= 10:
                    result, actual = None, None
                taken = max(day - dt.timedelta(rnd.randint(0, 4)), dt.date(2025, 1, 1))
                state = {
                    "Livré": "Livré",
                    "Absent": "Livré" if (TODAY - day).days > 6 else "En attente",
                    "Refusé": "Retourné",
                    "Adresse introuvable": "Retourné",
                    None: "En tournée",
                }[result]
                if rnd.random() < 0.004:
                    state = "Perdu"
                parcels.append((len(parcels) + 1, f"DP{day:%y%m}{len(parcels) + 1:07}", rnd.choices(clients, weight)[0][0], None if rnd.random() < 0.01 else money(rnd.expovariate(1 / 9) + 0.2),
                                taken, rnd.choice(towns[(lorry[7] - 1) * 3 : lorry[7] * 3]), state))  # fmt: skip
                deliveries.append((len(deliveries) + 1, number, len(parcels), planned, actual, result))
                if result == "Absent" and rnd.random() < 0.02:
                    deliveries.append(
                        (
                            len(deliveries) + 1,
                            number,
                            len(parcels),
                            planned + dt.timedelta(hours=2),
                            actual + dt.timedelta(hours=2),
                            "Livré",
                        )
                    )
            back = clock + dt.timedelta(minutes=rnd.randint(20, 80))
            litres = (
                None
                if lorry[4] == "Électrique"
                else money(
                    km * {"Utilitaire": 0.09, "Porteur": 0.21, "Semi-remorque": 0.32}[lorry[3]] * rnd.uniform(0.85, 1.2)
                )
            )
            rounds.append(
                (
                    number,
                    day,
                    driver[0],
                    lorry[0],
                    lorry[7],
                    leave.time(),
                    back.time() if back.date() == day else dt.time(23, 30),
                    km,
                    litres,
                )
            )
            if rnd.random() < 0.07:
                kind = rnd.choices(["Panne", "Accident", "Retard", "Colis endommagé", "Vol"], [25, 10, 40, 22, 3])[0]
                cost = {"Panne": 700, "Accident": 2600, "Retard": 0, "Colis endommagé": 90, "Vol": 1100}[kind]
                incidents.append((len(incidents) + 1, number, day, kind, rnd.choices(["Mineure", "Moyenne", "Grave"], [60, 30, 10])[0],
                                  money(rnd.uniform(0.3, 1.7) * cost) if cost else None))  # fmt: skip
    return [
        Table("depots", [("id_depot", "integer"), ("nom", "varchar(40)"), ("ville", "varchar(40)")], depots, ["id_depot"]),
        Table("chauffeurs", [("id_chauffeur", "integer"), ("nom", "varchar(40)"), ("prenom", "varchar(40)"), ("permis", "varchar(5)"), ("date_embauche", "date"), ("actif", "boolean")],
              drivers, ["id_chauffeur"]),
        Table("vehicules", [("id_vehicule", "integer"), ("immatriculation", "varchar(12)"), ("marque", "varchar(30)"), ("type_vehicule", "varchar(20)"), ("energie", "varchar(15)"),
                            ("capacite_kg", "integer"), ("date_mise_en_service", "date"), ("id_depot", "integer")], vehicles, ["id_vehicule"], {"id_depot": "depots.id_depot"}),
        Table("clients", [("id_client", "integer"), ("raison_sociale", "varchar(80)"), ("ville", "varchar(40)"), ("secteur", "varchar(30)")], clients, ["id_client"]),
        Table("tournees", [("id_tournee", "integer"), ("date_tournee", "date"), ("id_chauffeur", "integer"), ("id_vehicule", "integer"), ("id_depot", "integer"), ("heure_depart", "time"),
                           ("heure_retour", "time"), ("km_parcourus", "integer"), ("litres_carburant", "decimal(8,2)")], rounds, ["id_tournee"],
              {"id_chauffeur": "chauffeurs.id_chauffeur", "id_vehicule": "vehicules.id_vehicule", "id_depot": "depots.id_depot"}),
        Table("colis", [("id_colis", "integer"), ("num_suivi", "varchar(20)"), ("id_client", "integer"), ("poids_kg", "decimal(8,2)"), ("date_prise_en_charge", "date"),
                        ("ville_destination", "varchar(40)"), ("statut", "varchar(20)")], parcels, ["id_colis"], {"id_client": "clients.id_client"}),
        Table("livraisons", [("id_livraison", "integer"), ("id_tournee", "integer"), ("id_colis", "integer"), ("heure_prevue", "timestamp"), ("heure_reelle", "timestamp"), ("resultat", "varchar(30)")],
              deliveries, ["id_livraison"], {"id_tournee": "tournees.id_tournee", "id_colis": "colis.id_colis"}),
        Table("incidents", [("id_incident", "integer"), ("id_tournee", "integer"), ("date_incident", "date"), ("type_incident", "varchar(30)"), ("gravite", "varchar(10)"), ("cout", "decimal(10,2)")],
              incidents, ["id_incident"], {"id_tournee": "tournees.id_tournee"}),
    ]  # fmt: skip
