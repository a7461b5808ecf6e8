"""A charity's files: French CSV whose headers have accents, spaces and « N° », no key, no comment."""

# ruff: noqa: E501
from __future__ import annotations

import datetime as dt
from random import Random

from bench.unknown.table import CITIES, FIRST_NAMES, LAST_NAMES, TODAY, Table, days, money


def tables() -> list[Table]:
    rnd = Random("dons")
    towns = list(CITIES)
    donors = []
    for n in range(1, 901):
        kind = rnd.choices(["Particulier", "Entreprise", "Fondation"], [88, 9, 3])[0]
        town = rnd.choice(towns)
        name = (
            rnd.choice(LAST_NAMES)
            if kind == "Particulier"
            else f"{rnd.choice(['Groupe', 'Fondation', 'SAS', 'Éts'])} {rnd.choice(LAST_NAMES)} {n}"
        )
        donors.append(
            (
                f"D{n:05}",
                name,
                rnd.choice(FIRST_NAMES) if kind == "Particulier" else None,
                kind,
                CITIES[town],
                town,
                rnd.choice(days(dt.date(2019, 1, 1), TODAY)),
                rnd.choices(["Courrier", "Site web", "Rue", "Événement", "Bouche-à-oreille"], [30, 34, 14, 12, 10])[0],
            )
        )
    campaigns = [("HIV24", "Un toit pour l'hiver 2024", dt.date(2024, 11, 4), 18000, 120000), ("PRI25", "Printemps solidaire 2025", dt.date(2025, 3, 10), 9000, 60000), ("RE25", "Rentrée pour tous 2025", dt.date(2025, 8, 25), 7000, 45000),
                 ("HIV25", "Un toit pour l'hiver 2025", dt.date(2025, 11, 3), 20000, 140000), ("PRI26", "Printemps solidaire 2026", dt.date(2026, 3, 9), 10000, 70000)]  # fmt: skip
    gifts = []
    for day in days(dt.date(2023, 9, 1), TODAY):
        live = [c for c in campaigns if 0 <= (day - c[2]).days < 80]
        for _ in range(rnd.randint(2, 5) * (3 if day.month == 12 else 1)):
            donor = rnd.choice(donors)
            if donor[6] > day:
                continue
            amount = (
                rnd.choice([10, 20, 30, 50, 50, 80, 100, 150, 250])
                if donor[3] == "Particulier"
                else rnd.choice([500, 1000, 2500, 5000])
            )
            campaign = rnd.choice(live)[0] if live and rnd.random() < 0.7 else None
            gifts.append((len(gifts) + 1, donor[0], day, money(amount), rnd.choices(["Carte bancaire", "Chèque", "Prélèvement", "Virement", "Espèces"], [42, 22, 22, 10, 4])[0], campaign,
                          rnd.choices(["Ponctuel", "Régulier"], [72, 28])[0], rnd.choices(["Logement", "Aide alimentaire", "Insertion", "Non affecté"], [30, 28, 14, 28])[0], rnd.random() < 0.8))  # fmt: skip
    branches = ["Nantes", "Lyon", "Lille", "Marseille"]
    helpers = [
        (
            f"B{n:03}",
            rnd.choice(LAST_NAMES),
            rnd.choice(FIRST_NAMES),
            rnd.choice(branches),
            rnd.choice(days(dt.date(2018, 1, 1), dt.date(2026, 5, 30))),
            rnd.random() < 0.8,
        )
        for n in range(1, 121)
    ]
    hours = []
    for _ in range(2600):
        who = rnd.choice(helpers)
        day = rnd.choice(days(dt.date(2024, 1, 1), TODAY))
        if day >= who[4]:
            hours.append(
                (
                    who[0],
                    day,
                    rnd.choices(["Maraude", "Accueil de jour", "Collecte", "Administratif"], [30, 35, 20, 15])[0],
                    rnd.choice([2, 2.5, 3, 4, 6]),
                )
            )
    return [
        Table("Donateurs", [("N° donateur", ""), ("Nom", ""), ("Prénom", ""), ("Type de donateur", ""), ("Code postal", ""), ("Ville", ""), ("Date d'inscription", ""), ("Origine du contact", "")], donors),
        Table("Campagnes", [("Code campagne", ""), ("Nom de la campagne", ""), ("Date de lancement", ""), ("Budget (€)", ""), ("Objectif de collecte (€)", "")], campaigns),
        Table("Dons", [("N° don", ""), ("N° donateur", ""), ("Date du don", ""), ("Montant (€)", ""), ("Mode de règlement", ""), ("Code campagne", ""), ("Régularité", ""), ("Affectation", ""), ("Reçu fiscal", "")], gifts),
        Table("Bénévoles", [("Matricule", ""), ("Nom", ""), ("Prénom", ""), ("Antenne", ""), ("Date d'arrivée", ""), ("Actif", "")], helpers),
        Table("Heures bénévolat", [("Matricule", ""), ("Date", ""), ("Mission", ""), ("Nb heures", "")], hours),
    ]  # fmt: skip
