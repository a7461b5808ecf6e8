"""Human resources of a group of 320 people on six sites: French names, keys, a few comments."""

# ruff: noqa: E501
from __future__ import annotations

import datetime as dt
from random import Random

from bench.unknown.table import FIRST_NAMES, LAST_NAMES, TODAY, Table, days, money

DAY = dt.timedelta(1)


def tables() -> list[Table]:
    rnd = Random("rh")
    sites = [(1, "Siège", "Lyon", "Auvergne-Rhône-Alpes"), (2, "Usine de Roanne", "Roanne", "Auvergne-Rhône-Alpes"), (3, "Usine de Cholet", "Cholet", "Pays de la Loire"),
             (4, "Agence Paris", "Paris", "Île-de-France"), (5, "Agence Lille", "Lille", "Hauts-de-France"), (6, "Entrepôt de Saint-Priest", "Saint-Priest", "Auvergne-Rhône-Alpes")]  # fmt: skip
    services = [(n, label) for n, label in enumerate(["Direction", "Comptabilité", "Ressources humaines", "Production", "Maintenance", "Logistique", "Commercial",
                                                     "Marketing", "Informatique", "Qualité", "Achats"], 1)]  # fmt: skip
    people, contracts = [], []
    for n in range(1, 421):
        gender = rnd.choice("FH")
        service = rnd.choices(services, [2, 4, 3, 34, 8, 14, 13, 4, 6, 7, 5])[0][0]
        site = (
            rnd.choice([2, 3])
            if service in (4, 5, 10)
            else rnd.choice([6, 6, 2])
            if service == 6
            else rnd.choice([1, 1, 4, 5])
        )
        entry = (
            rnd.choice(days(dt.date(2008, 1, 1), dt.date(2026, 6, 10)))
            if n % 3
            else rnd.choice(days(dt.date(2022, 1, 1), dt.date(2026, 6, 10)))
        )
        left = None
        if rnd.random() < 0.32:
            left = entry + dt.timedelta(rnd.randint(60, 2200))
            if left < dt.date(2021, 1, 1) or left > dt.date(2026, 9, 30):
                left = None
        born = rnd.choice(days(dt.date(1961, 1, 1), dt.date(2003, 12, 31)))
        if (entry - born).days < 18 * 366:
            born = dt.date(born.year - 20, born.month, min(born.day, 28))
            born = max(born, dt.date(1961, 3, n % 28 + 1))
        level = rnd.choices(
            ["Cadre", "Agent de maîtrise", "Employé", "Ouvrier"],
            [8, 18, 18, 56] if service in (4, 5, 6) else [38, 20, 42, 0],
        )[0]
        people.append((f"M{n:04}", rnd.choice(LAST_NAMES), rnd.choice(FIRST_NAMES), gender, born, entry, left, service, site, level,
                       None if n < 12 else f"M{rnd.randint(1, 11):04}"))  # fmt: skip
        base = {"Cadre": 3900, "Agent de maîtrise": 2750, "Employé": 2200, "Ouvrier": 2050}[level]
        pay = base * rnd.uniform(0.9, 1.45)
        start = entry
        if rnd.random() < 0.35:
            kind = rnd.choices(["CDD", "Apprentissage", "Intérim"], [60, 20, 20])[0]
            end = start + dt.timedelta(rnd.choice([90, 120, 180, 365]))
            contracts.append((len(contracts) + 1, f"M{n:04}", kind, start, end, money(pay * 0.92), 100))
            start = end + DAY
        if start < TODAY and (left is None or start < left):
            contracts.append(
                (len(contracts) + 1, f"M{n:04}", "CDI", start, left, money(pay), rnd.choice([100, 100, 100, 100, 80, 50]))
            )
    absences = []
    reasons = {
        "Congés payés": (1, 15),
        "RTT": (1, 2),
        "Maladie": (1, 25),
        "Enfant malade": (1, 3),
        "Accident du travail": (4, 60),
        "Congé parental": (20, 120),
    }
    for _ in range(7000):
        person = rnd.choice(people)
        first = max(person[5], dt.date(2023, 1, 1))
        last = min(person[6] or TODAY, TODAY)
        if last <= first:
            continue
        day = rnd.choice(days(first, last))
        reason = rnd.choices(list(reasons), [45, 22, 20, 9, 2, 1])[0]
        count = rnd.randint(*reasons[reason])
        absences.append(
            (
                len(absences) + 1,
                person[0],
                reason,
                day,
                day + dt.timedelta(count + count // 5 * 2 - 1),
                count,
                rnd.random() < 0.94 if reason == "Maladie" else True,
            )
        )
    courses = [(n, title, body, money(cost), hours) for n, (title, body, cost, hours) in enumerate([
        ("Sauveteur secouriste du travail", "Croix-Rouge", 290, 14), ("Habilitation électrique B1V", "Apave", 640, 21), ("CACES R489", "Aftral", 890, 28),
        ("Excel perfectionnement", "Cegos", 720, 14), ("Management d'équipe", "Cegos", 1890, 28), ("Anglais professionnel", "Wall Street English", 1450, 40),
        ("Sécurité incendie", "Apave", 180, 4), ("Gestes et postures", "Apave", 240, 7), ("Négociation commerciale", "Orsys", 1320, 21),
        ("Paie et droit social", "Lefebvre", 1580, 21), ("Audit interne ISO 9001", "Afnor", 1250, 14), ("Cybersécurité : les bons réflexes", "Orsys", 350, 7)], 1)]  # fmt: skip
    enrolled, seen = [], set()
    for _ in range(900):
        person, course = rnd.choice(people), rnd.choice(courses)
        day = rnd.choice(days(dt.date(2023, 2, 1), dt.date(2026, 11, 30)))
        if day < person[5] or (person[6] and day > person[6]) or (person[0], course[0], day) in seen:
            continue
        seen.add((person[0], course[0], day))
        state = "Annulée" if rnd.random() < 0.07 else "Réalisée" if day <= TODAY else "Prévue"
        enrolled.append((len(enrolled) + 1, person[0], course[0], day, state))
    talks = []
    for year in (2023, 2024, 2025, 2026):
        for person in people:
            day = dt.date(year, rnd.randint(1, 5 if year == 2026 else 12), rnd.randint(1, 28))
            if person[5] < day and (person[6] is None or day < person[6]) and rnd.random() < 0.78:
                talks.append((len(talks) + 1, person[0], day, "Professionnel" if rnd.random() < 0.25 else "Annuel",
                              None if rnd.random() < 0.08 else rnd.choices([1, 2, 3, 4, 5], [2, 10, 40, 35, 13])[0]))  # fmt: skip
    return [
        Table("sites", [("id_site", "integer"), ("nom", "varchar(60)"), ("ville", "varchar(60)"), ("region", "varchar(60)")], sites, ["id_site"]),
        Table("services", [("id_service", "integer"), ("libelle", "varchar(60)")], services, ["id_service"]),
        Table("salaries", [("matricule", "varchar(8)"), ("nom", "varchar(60)"), ("prenom", "varchar(60)"), ("sexe", "char(1)", "F = femme, H = homme"), ("date_naissance", "date"),
                           ("date_entree", "date"), ("date_sortie", "date", "Vide si le salarié est toujours présent"), ("id_service", "integer"), ("id_site", "integer"),
                           ("categorie", "varchar(30)", "Catégorie socioprofessionnelle"), ("matricule_manager", "varchar(8)")],
              people, ["matricule"], {"id_service": "services.id_service", "id_site": "sites.id_site", "matricule_manager": "salaries.matricule"}, "Salariés"),
        Table("contrats", [("id_contrat", "integer"), ("matricule", "varchar(8)"), ("type_contrat", "varchar(20)"), ("date_debut", "date"), ("date_fin", "date"),
                           ("salaire_brut_mensuel", "decimal(10,2)"), ("temps_travail", "integer", "Temps de travail en % d'un temps plein")],
              contracts, ["id_contrat"], {"matricule": "salaries.matricule"}, "Contrats de travail"),
        Table("absences", [("id_absence", "integer"), ("matricule", "varchar(8)"), ("motif", "varchar(30)"), ("date_debut", "date"), ("date_fin", "date"),
                           ("nb_jours", "integer", "Nombre de jours ouvrés d'absence"), ("justifiee", "boolean")], absences, ["id_absence"], {"matricule": "salaries.matricule"}),
        Table("formations", [("id_formation", "integer"), ("intitule", "varchar(80)"), ("organisme", "varchar(60)"), ("cout", "decimal(10,2)", "Coût par participant"), ("duree_heures", "integer")],
              courses, ["id_formation"], {}, "Catalogue des formations"),
        Table("inscriptions", [("id_inscription", "integer"), ("matricule", "varchar(8)"), ("id_formation", "integer"), ("date_session", "date"), ("statut", "varchar(20)")],
              enrolled, ["id_inscription"], {"matricule": "salaries.matricule", "id_formation": "formations.id_formation"}, "Inscriptions aux formations"),
        Table("entretiens", [("id_entretien", "integer"), ("matricule", "varchar(8)"), ("date_entretien", "date"), ("type_entretien", "varchar(20)"), ("note", "integer", "Note de 1 à 5")],
              talks, ["id_entretien"], {"matricule": "salaries.matricule"}),
    ]  # fmt: skip
