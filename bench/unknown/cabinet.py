"""A group medical practice: columns prefixed by their table, coded states with comments, no declared key.

Written after the other ten, to see what was learned from them rather than for them.
"""

# ruff: noqa: E501
from __future__ import annotations

import datetime as dt
from random import Random

from bench.unknown.table import CITIES, FIRST_NAMES, LAST_NAMES, TODAY, Table, days, money

DAY = dt.timedelta(1)


def tables() -> list[Table]:
    rnd = Random("cabinet")
    specialities = [
        ("GEN", "Médecine générale"),
        ("DER", "Dermatologie"),
        ("CAR", "Cardiologie"),
        ("PED", "Pédiatrie"),
        ("KIN", "Kinésithérapie"),
    ]
    doctors = [
        (n, rnd.choice(LAST_NAMES), rnd.choice(FIRST_NAMES), spec, sector)
        for n, (spec, sector) in enumerate(
            [("GEN", 1), ("GEN", 1), ("GEN", 2), ("DER", 2), ("CAR", 2), ("PED", 1), ("KIN", 1), ("KIN", 1)], 1
        )
    ]
    towns = ["Tours", "Joué-lès-Tours", "Saint-Avertin", "Chambray-lès-Tours", "Amboise"]
    patients = [
        (n, rnd.choice(LAST_NAMES), rnd.choice(FIRST_NAMES), rnd.choice("FH"), rnd.choice(days(dt.date(1935, 1, 1), dt.date(2025, 6, 1))), rnd.choice(towns), list(CITIES.values())[n % 5],
         rnd.choices([None, *range(1, 9)], [20, *[10] * 8])[0], rnd.choice(days(dt.date(2020, 1, 1), TODAY)), "O" if rnd.random() < 0.12 else "N")
        for n in range(1, 1201)
    ]  # fmt: skip
    kinds = [
        ("CS", "Consultation", 30),
        ("CSU", "Consultation urgente", 42),
        ("TC", "Téléconsultation", 25),
        ("ECG", "Électrocardiogramme", 54),
        ("VAC", "Vaccination", 30),
        ("KIN", "Séance de kinésithérapie", 22),
    ]
    slots, bills, acts = [], [], []
    for day in days(dt.date(2024, 9, 2), TODAY + 20 * DAY):
        if day.weekday() > 4:
            continue
        for doctor in doctors:
            for _ in range(rnd.randint(2, 5)):
                patient = rnd.choice(patients)
                at = dt.datetime.combine(day, dt.time(rnd.randint(8, 18), rnd.choice([0, 15, 30, 45])))
                taken = at - dt.timedelta(days=rnd.randint(0, 40))
                if taken.date() > TODAY:
                    continue
                state = "P" if day > TODAY else rnd.choices(["H", "A", "N"], [85, 9, 6])[0]
                number = len(slots) + 1
                slots.append(
                    (
                        number,
                        patient[0],
                        doctor[0],
                        taken,
                        at,
                        rnd.choice([15, 15, 20, 30]),
                        rnd.choices(["DOCTOLIB", "TEL", "ACCUEIL"], [62, 28, 10])[0],
                        state,
                        rnd.randint(0, 45) if state == "H" else None,
                    )
                )
                if state == "H":
                    kind = rnd.choice(
                        [
                            k
                            for k in kinds
                            if (k[0] == "KIN") == (doctor[3] == "KIN") and (k[0] != "ECG" or doctor[3] == "CAR")
                        ]
                    )
                    extra = rnd.choice([0, 10, 20, 35]) if doctor[4] == 2 else 0
                    bill = len(bills) + 1
                    bills.append(
                        (
                            bill,
                            number,
                            patient[0],
                            doctor[0],
                            day,
                            money(kind[2] + extra),
                            money(kind[2] * 0.7),
                            money(extra),
                            "O" if rnd.random() < 0.3 else "N",
                            rnd.choices(["REGLE", "ATTENTE", "REJET"], [90, 7, 3])[0],
                        )
                    )
                    acts.append((len(acts) + 1, bill, kind[0], 1 if rnd.random() < 0.9 else 2, money(kind[2])))
    return [
        Table("t_specialite", [("spe_code", "varchar(5)"), ("spe_libelle", "varchar(40)")], specialities),
        Table("t_praticien", [("prat_id", "integer"), ("prat_nom", "varchar(40)"), ("prat_prenom", "varchar(40)"), ("spe_code", "varchar(5)"), ("prat_secteur", "integer", "Secteur de conventionnement")], doctors),
        Table("t_patient", [("pat_id", "integer"), ("pat_nom", "varchar(40)"), ("pat_prenom", "varchar(40)"), ("pat_sexe", "char(1)"), ("pat_date_naiss", "date"), ("pat_ville", "varchar(40)"), ("pat_cp", "char(5)"), ("prat_id_traitant", "integer", "Médecin traitant"),
                            ("pat_date_crea", "date"), ("pat_ald", "char(1)", "Affection de longue durée (O/N)")], patients),
        Table("t_rdv", [("rdv_id", "integer"), ("pat_id", "integer"), ("prat_id", "integer"), ("rdv_date_prise", "timestamp", "Date de prise du rendez-vous"), ("rdv_date_heure", "timestamp", "Date et heure du rendez-vous"), ("rdv_duree_min", "integer"), ("rdv_origine", "varchar(10)"),
                        ("rdv_statut", "char(1)", "P = prévu, H = honoré, A = annulé, N = non honoré"), ("rdv_attente_min", "integer", "Attente en salle, en minutes")], slots, comment="Rendez-vous"),
        Table("t_facture", [("fac_id", "integer"), ("rdv_id", "integer"), ("pat_id", "integer"), ("prat_id", "integer"), ("fac_date", "date"), ("fac_montant", "numeric(8,2)"), ("fac_part_secu", "numeric(8,2)", "Part remboursée par l'assurance maladie"), ("fac_depassement", "numeric(8,2)", "Dépassement d'honoraires"),
                            ("fac_tiers_payant", "char(1)"), ("fac_statut", "varchar(10)")], bills, comment="Factures (feuilles de soins)"),
        Table("t_acte", [("act_id", "integer"), ("fac_id", "integer"), ("act_code", "varchar(5)"), ("act_qte", "integer"), ("act_tarif", "numeric(8,2)")], acts, comment="Actes facturés"),
        Table("t_type_acte", [("act_code", "varchar(5)"), ("act_libelle", "varchar(40)"), ("act_tarif_base", "numeric(8,2)")], kinds),
    ]  # fmt: skip
