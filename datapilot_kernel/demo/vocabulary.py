"""Invented people and real places: what both demo tenants draw names, towns and companies from.

Telephone numbers are of the ranges kept for fiction, e-mail addresses of ``example.org`` and ``example.com``, and SIRET
numbers begin with 0, which is given to nobody: nothing here can reach a real person or company.
"""

from __future__ import annotations

import random
import unicodedata

FIRST_NAMES = (
    "Marie", "Camille", "Léa", "Chloé", "Manon", "Inès", "Jade", "Louise", "Emma", "Zoé", "Françoise",
    "Hélène", "Sophie",
    "Nathalie", "Céline", "Aurélie", "Élodie", "Amélie", "Noémie", "Anaïs", "Fatima", "Yasmine", "Aïcha",
    "Mélanie", "Lucie",
    "Jean", "Pierre", "Michel", "Philippe", "Laurent", "Nicolas", "Julien", "Thomas", "Antoine", "Hugo",
    "Louis", "Gabriel",
    "Raphaël", "Jérôme", "François", "Benoît", "Cédric", "Mickaël", "Karim", "Mehdi", "Loïc", "Gaël",
    "Mathéo", "Théo", "Noël",
)  # fmt: skip

LAST_NAMES = (
    "Martin", "Bernard", "Dubois", "Thomas", "Robert", "Richard", "Petit", "Durand", "Leroy", "Moreau",
    "Simon", "Laurent",
    "Lefèvre", "Michel", "Garcia", "David", "Bertrand", "Roux", "Vincent", "Fournier", "Morel", "Girard",
    "André", "Mercier",
    "Dupont", "Lambert", "Bonnet", "François", "Martinez", "Legrand", "Garnier", "Faure", "Rousseau",
    "Blanc", "Guérin",
    "Müller", "Henry", "Roussel", "Nicolas", "Perrin", "Morin", "Mathieu", "Clément", "Gauthier", "Dumont",
    "Lopez", "Fontaine",
    "Chevalier", "Robin", "Masson", "Sanchez", "Gérard", "Nguyen", "Boyer", "Denis", "Lemaire", "Duval",
    "Joly", "Gautier",
    "Roger", "Roche", "Noël", "Meyer", "Lucas", "Meunier", "Jean", "Pérez", "Marchand", "Dufour",
    "Blanchard", "Barbier",
    "Brun", "Dumas", "Brunet", "Schmitt", "Leroux", "Colin", "Fernandez", "Renard", "Arnaud", "Rolland",
    "Caron", "Aubert",
    "Giraud", "Leclerc", "Vidal", "Bourgeois", "Renaud", "Lemoine", "Picard", "Gaillard", "Philippe",
    "Le Goff", "Le Gall",
    "Benali", "Traoré", "Diallo", "Haddad", "Pires", "D'Angelo", "De la Tour", "Kowalski", "Bénézet", "Çelik",
)  # fmt: skip

CITIES: tuple[tuple[str, str, str, int], ...] = (
    ("Paris", "75011", "Île-de-France", 90), ("Paris", "75015", "Île-de-France", 70),
    ("Boulogne-Billancourt", "92100", "Île-de-France", 22),
    ("Versailles", "78000", "Île-de-France", 16), ("Saint-Denis", "93200", "Île-de-France", 18),
    ("Créteil", "94000", "Île-de-France", 14),
    ("Lyon", "69003", "Auvergne-Rhône-Alpes", 70), ("Villeurbanne", "69100", "Auvergne-Rhône-Alpes", 20),
    ("Grenoble", "38000", "Auvergne-Rhône-Alpes", 26), ("Annecy", "74000", "Auvergne-Rhône-Alpes", 24),
    ("Saint-Étienne", "42000", "Auvergne-Rhône-Alpes", 16),
    ("Clermont-Ferrand", "63000", "Auvergne-Rhône-Alpes", 14),
    ("Chambéry", "73000", "Auvergne-Rhône-Alpes", 8), ("Bourg-en-Bresse", "01000", "Auvergne-Rhône-Alpes", 6),
    ("Marseille", "13006", "Provence-Alpes-Côte d'Azur", 46),
    ("Nice", "06000", "Provence-Alpes-Côte d'Azur", 36),
    ("Aix-en-Provence", "13100", "Provence-Alpes-Côte d'Azur", 18),
    ("Toulon", "83000", "Provence-Alpes-Côte d'Azur", 14),
    ("Cannes", "06400", "Provence-Alpes-Côte d'Azur", 10), ("Gap", "05000", "Provence-Alpes-Côte d'Azur", 3),
    ("Toulouse", "31000", "Occitanie", 44), ("Montpellier", "34000", "Occitanie", 32),
    ("Nîmes", "30000", "Occitanie", 12),
    ("Perpignan", "66000", "Occitanie", 10), ("Béziers", "34500", "Occitanie", 6),
    ("Bordeaux", "33000", "Nouvelle-Aquitaine", 42), ("Limoges", "87000", "Nouvelle-Aquitaine", 8),
    ("Poitiers", "86000", "Nouvelle-Aquitaine", 8), ("La Rochelle", "17000", "Nouvelle-Aquitaine", 10),
    ("Pau", "64000", "Nouvelle-Aquitaine", 8),
    ("Lille", "59000", "Hauts-de-France", 40), ("Roubaix", "59100", "Hauts-de-France", 10),
    ("Amiens", "80000", "Hauts-de-France", 10),
    ("Calais", "62100", "Hauts-de-France", 5),
    ("Strasbourg", "67000", "Grand Est", 34), ("Nancy", "54000", "Grand Est", 12),
    ("Metz", "57000", "Grand Est", 12),
    ("Reims", "51100", "Grand Est", 12), ("Mulhouse", "68100", "Grand Est", 8),
    ("Charleville-Mézières", "08000", "Grand Est", 3),
    ("Nantes", "44000", "Pays de la Loire", 36), ("Angers", "49000", "Pays de la Loire", 12),
    ("Le Mans", "72000", "Pays de la Loire", 10),
    ("Rennes", "35000", "Bretagne", 30), ("Brest", "29200", "Bretagne", 10),
    ("Quimper", "29000", "Bretagne", 6), ("Vannes", "56000", "Bretagne", 6),
    ("Rouen", "76000", "Normandie", 14), ("Caen", "14000", "Normandie", 12),
    ("Le Havre", "76600", "Normandie", 8),
    ("Dijon", "21000", "Bourgogne-Franche-Comté", 12), ("Besançon", "25000", "Bourgogne-Franche-Comté", 8),
    ("Auxerre", "89000", "Bourgogne-Franche-Comté", 3),
    ("Orléans", "45000", "Centre-Val de Loire", 10), ("Tours", "37000", "Centre-Val de Loire", 12),
    ("Blois", "41000", "Centre-Val de Loire", 3),
    ("Ajaccio", "20000", "Corse", 4), ("Bastia", "20200", "Corse", 3),
)  # fmt: skip
"""Town, postcode, region, weight."""

STREETS = (
    "rue de la République", "avenue Jean-Jaurès", "rue Victor-Hugo", "boulevard Gambetta",
    "place de l'Église", "rue des Lilas",
    "allée des Tilleuls", "rue du Faubourg", "quai de la Gare", "chemin du Moulin", "rue Pasteur",
    "cours Lafayette",
)  # fmt: skip

_PHONE_PREFIXES = ("01 99 00", "02 61 91", "03 53 01", "04 65 71", "05 36 49", "06 39 98")


def plain(text: str) -> str:
    """Return lower-case letters and digits only, without accents (for e-mail addresses).

    >>> plain("Le Goff-Müller")
    'legoffmuller'
    """
    flat = unicodedata.normalize("NFD", text.lower())
    return "".join(c for c in flat if c.isascii() and c.isalnum())


def phone(rnd: random.Random) -> str:
    """Return a number of a range kept for fiction, written as people write it."""
    return f"{rnd.choice(_PHONE_PREFIXES)} {rnd.randrange(100):02d} {rnd.randrange(100):02d}"


def siret(rnd: random.Random) -> str:
    """Return 14 digits with leading zeros and a right check digit (Luhn)."""
    body = f"000{rnd.randrange(10**6):06d}{rnd.randrange(1, 4):04d}"
    total = 0
    for position, char in enumerate(reversed(body)):
        digit = int(char) * (2 if position % 2 == 0 else 1)
        total += digit - 9 if digit > 9 else digit
    return f"{body}{-total % 10}"
