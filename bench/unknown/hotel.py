"""A group of eight hotels: French names, declared keys, bookings with their extras and reviews."""

# ruff: noqa: E501
from __future__ import annotations

import datetime as dt
from random import Random

from bench.unknown.table import FIRST_NAMES, LAST_NAMES, TODAY, Table, days, money

DAY = dt.timedelta(1)


def tables() -> list[Table]:
    rnd = Random("hotel")
    hotels = [(1, "Le Grand Pavois", "La Rochelle", 4, dt.date(2009, 4, 1)), (2, "Hôtel des Remparts", "Saint-Malo", 3, dt.date(2012, 6, 15)), (3, "Villa Mirabelle", "Nancy", 3, dt.date(2015, 9, 1)),
              (4, "Le Clos du Lac", "Annecy", 5, dt.date(2018, 5, 10)), (5, "Hôtel Bellecour", "Lyon", 4, dt.date(2005, 1, 20)), (6, "Les Terrasses", "Nice", 4, dt.date(2010, 3, 3)),
              (7, "Auberge du Pont Vieux", "Albi", 2, dt.date(2020, 7, 1)), (8, "Hôtel de la Gare", "Dijon", 2, dt.date(2002, 2, 2))]  # fmt: skip
    kinds = {"Simple": 72, "Double": 98, "Familiale": 135, "Suite": 210}
    rooms = []
    for hotel in hotels:
        for n in range(1, rnd.randint(14, 30)):
            kind = rnd.choices(list(kinds), [25, 50, 17, 8])[0]
            rooms.append(
                (len(rooms) + 1, hotel[0], f"{n // 10 + 1}{n % 10:02}", kind, money(kinds[kind] * (0.7 + hotel[3] / 8)))
            )
    countries = ["France", "Allemagne", "Royaume-Uni", "Belgique", "Suisse", "Espagne", "Italie", "États-Unis"]
    guests = [
        (n, rnd.choice(LAST_NAMES), rnd.choice(FIRST_NAMES), f"client{n}@exemple.fr", rnd.choices(countries, [58, 9, 9, 8, 6, 4, 3, 3])[0],
         rnd.random() < 0.3, rnd.choice(days(dt.date(2021, 1, 1), TODAY)))
        for n in range(1, 1601)
    ]  # fmt: skip
    bookings, extras, reviews = [], [], []
    prices = {"Petit-déjeuner": 14, "Parking": 12, "Spa": 65, "Restaurant": 38, "Minibar": 9}
    for arrival in days(dt.date(2023, 7, 1), TODAY + 60 * DAY):
        season = {7: 9, 8: 10, 12: 6}.get(arrival.month, 5)
        for _ in range(rnd.randint(season - 3, season + 2)):
            room, guest = rnd.choice(rooms), rnd.choice(guests)
            nights = rnd.choices([1, 2, 3, 4, 7], [34, 32, 18, 9, 7])[0]
            ordered = arrival - rnd.randint(0, 90) * DAY
            if ordered > TODAY:
                continue
            leaving = arrival + nights * DAY
            status = rnd.choices(["ok", "Annulée", "No-show"], [86, 11, 3])[0]
            if status == "ok" or arrival > TODAY:
                status = "Terminée" if leaving <= TODAY else "Confirmée"
            number = len(bookings) + 1
            bookings.append((number, guest[0], room[0], room[1], ordered, arrival, leaving, nights, rnd.choice([1, 2, 2, 2]), rnd.choices([0, 1, 2], [78, 12, 10])[0],
                             rnd.choices(["Site direct", "Booking.com", "Expedia", "Téléphone", "Agence de voyages"], [34, 36, 12, 12, 6])[0], status, money(float(room[4]) * nights * rnd.uniform(0.85, 1.2))))  # fmt: skip
            if status == "Terminée":
                for _ in range(rnd.choice([0, 1, 1, 2])):
                    kind = rnd.choices(list(prices), [45, 20, 8, 20, 7])[0]
                    count = rnd.randint(1, 3)
                    extras.append(
                        (
                            len(extras) + 1,
                            number,
                            kind,
                            arrival + rnd.randint(0, nights) * DAY,
                            count,
                            money(prices[kind] * count * rnd.uniform(0.9, 1.3)),
                        )
                    )
                if rnd.random() < 0.35:
                    reviews.append((len(reviews) + 1, number, leaving + rnd.randint(1, 9) * DAY, rnd.choices([1, 2, 3, 4, 5], [4, 7, 17, 40, 32])[0],
                                    rnd.choice(["Très bien", "Accueil parfait", None, "Bruyant", "Propre et calme"])))  # fmt: skip
    return [
        Table("hotels", [("id_hotel", "integer"), ("nom", "varchar(60)"), ("ville", "varchar(60)"), ("etoiles", "integer"), ("date_ouverture", "date")], hotels, ["id_hotel"]),
        Table("chambres", [("id_chambre", "integer"), ("id_hotel", "integer"), ("numero", "varchar(8)"), ("type_chambre", "varchar(20)"), ("tarif_nuit", "numeric(8,2)")],
              rooms, ["id_chambre"], {"id_hotel": "hotels.id_hotel"}),
        Table("clients", [("id_client", "integer"), ("nom", "varchar(60)"), ("prenom", "varchar(60)"), ("email", "varchar(80)"), ("pays", "varchar(40)"), ("fidelite", "boolean", "Membre du programme de fidélité"),
                          ("date_creation", "date")], guests, ["id_client"]),
        Table("reservations", [("id_resa", "integer"), ("id_client", "integer"), ("id_chambre", "integer"), ("id_hotel", "integer"), ("date_resa", "date"), ("date_arrivee", "date"), ("date_depart", "date"),
                               ("nb_nuits", "integer"), ("nb_adultes", "integer"), ("nb_enfants", "integer"), ("canal", "varchar(30)"), ("statut", "varchar(20)"), ("montant_ttc", "numeric(10,2)")],
              bookings, ["id_resa"], {"id_client": "clients.id_client", "id_chambre": "chambres.id_chambre", "id_hotel": "hotels.id_hotel"}),
        Table("prestations", [("id_prestation", "integer"), ("id_resa", "integer"), ("type_prestation", "varchar(30)"), ("date_prestation", "date"), ("quantite", "integer"), ("montant_ttc", "numeric(10,2)")],
              extras, ["id_prestation"], {"id_resa": "reservations.id_resa"}),
        Table("avis", [("id_avis", "integer"), ("id_resa", "integer"), ("date_avis", "date"), ("note", "integer", "De 1 à 5"), ("commentaire", "varchar(200)")],
              reviews, ["id_avis"], {"id_resa": "reservations.id_resa"}),
    ]  # fmt: skip
