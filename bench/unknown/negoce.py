"""An old French trading-company ERP: abbreviations, declared keys, comments on some columns."""
# ruff: noqa: E501

from __future__ import annotations

import datetime as dt
from random import Random

from bench.unknown.table import CITIES, FIRST_NAMES, LAST_NAMES, TODAY, Table, days, money

FAMILIES = {
    "VIS": ("Visserie et boulonnerie", 0.3, 18), "OUT": ("Outillage à main", 8, 90), "ELP": ("Outillage électroportatif", 60, 480),
    "PLO": ("Plomberie", 4, 160), "ELE": ("Électricité", 2, 120), "PEI": ("Peinture", 12, 140), "QUI": ("Quincaillerie", 3, 75),
    "EPI": ("Protection individuelle", 4, 95), "COL": ("Colles et mastics", 3, 28), "ECL": ("Éclairage", 9, 190),
    "JAR": ("Jardin", 10, 320),
}  # fmt: skip
NOUNS = ["Modèle A", "Modèle B", "Série Pro", "Série Éco", "Standard", "Renforcé", "Inox", "Laiton", "Compact", "XL"]


def tables() -> list[Table]:
    rnd = Random("negoce")
    reps = [(f"R{n:02}", LAST_NAMES[n * 3], FIRST_NAMES[n * 2], s) for n, s in enumerate(
        ["Nord", "Île-de-France", "Est", "Ouest", "Sud-Ouest", "Sud-Est", "Centre", "Rhône-Alpes", "Grands comptes"], 1)]  # fmt: skip
    families = [(code, label) for code, (label, _, _) in FAMILIES.items()]
    articles = []
    for n in range(1, 421):
        code = rnd.choice(list(FAMILIES))
        label, low, high = FAMILIES[code]
        price = money(rnd.uniform(low, high))
        articles.append(
            (f"{code}{n:04}", f"{label.split()[0]} {rnd.choice(NOUNS)} {n}", code, price, rnd.choice(["U", "U", "U", "BTE", "LOT"]),
             "N" if rnd.random() < 0.09 else "O")
        )  # fmt: skip
    cities = list(CITIES)
    clients = []
    for n in range(1, 351):
        city = cities[min(int(rnd.expovariate(0.25)), len(cities) - 1)]
        kind = rnd.choices(["ART", "IND", "COL", "REV"], [50, 20, 10, 20])[0]
        form = rnd.choice(["SARL", "SAS", "Ets", "EURL", "SA"])
        clients.append(
            (f"C{n:05}", f"{form} {LAST_NAMES[n % 46]} {rnd.choice(['Bâtiment', 'Services', 'Négoce', 'Industrie', 'Rénovation', 'et Fils'])} {n}",
             None if rnd.random() < 0.02 else CITIES[city], city, rnd.choice(reps)[0], kind,
             rnd.choice(days(dt.date(2009, 1, 1), dt.date(2025, 12, 31))),
             None if rnd.random() < 0.1 else money(rnd.choice([1500, 3000, 5000, 8000, 15000, 30000])))
        )  # fmt: skip
    weights = [rnd.expovariate(1) + 0.002 for _ in clients]
    for n in range(0, 350, 13):
        weights[n] = 0.0
    calendar = [d for d in days(dt.date(2023, 1, 2), TODAY) if d.weekday() < 5]
    heads, lines, bills = [], [], []
    liking = [rnd.expovariate(1) + 0.05 for _ in articles]
    dates = sorted(calendar[min(int((rnd.random() ** 0.9) * len(calendar)), len(calendar) - 1)] for _ in range(6000))
    for number, day in enumerate(dates, 1):
        client = rnd.choices(clients, weights)[0]
        while client[6] > day:
            client = rnd.choices(clients, weights)[0]
        total = 0
        age = (TODAY - day).days
        state = (
            "A" if rnd.random() < 0.06 else "E" if age < rnd.randint(3, 25) else "L" if age < rnd.randint(20, 45) else "F"
        )
        delivered = None if state in "AE" else day + dt.timedelta(min(rnd.randint(1, 14), age))
        for rank in range(1, rnd.choices([1, 2, 3, 4, 6], [20, 30, 25, 15, 10])[0] + 1):
            article = rnd.choices(articles, liking)[0]
            quantity = rnd.choice([1, 2, 3, 5, 10, 10, 20, 50]) if article[3] < 60 else rnd.randint(1, 6)
            discount = rnd.choice([0, 0, 0, 5, 5, 10, 15])
            price = money(float(article[3]) * (0.94 if day.year < 2025 else 1))
            amount = money(quantity * float(price) * (1 - discount / 100))
            total += amount
            sent = 0 if state in "AE" else quantity if rnd.random() < 0.95 else max(quantity - 1, 0)
            lines.append((number, rank, article[0], quantity, sent, price, money(discount), amount))
        tax = money(float(total) * 0.2)
        heads.append((number, client[0], day, delivered, state, total, tax, total + tax))
        if state == "F":
            billed = min(delivered + dt.timedelta(rnd.randint(0, 5)), TODAY)
            due = billed + dt.timedelta(rnd.choice([30, 30, 45, 60]))
            gross = total + tax
            late = (TODAY - due).days
            paid = (
                gross if rnd.random() < (0.96 if late > 0 else 0.3) else money(float(gross) * rnd.choice([0, 0, 0.3, 0.5]))
            )
            bills.append((20000 + len(bills), number, client[0], billed, due, total, gross, paid))
    depots = [("D1", "Dépôt de Villeurbanne"), ("D2", "Dépôt de Carquefou"), ("D3", "Dépôt de Lens")]
    stock = [(a[0], d[0], max(0, int(rnd.gauss(60, 50)))) for a in articles for d in depots if rnd.random() < 0.8]
    return [
        Table("rep", [("cd_rep", "varchar(5)", "Code du représentant"), ("nom_rep", "varchar(40)"), ("pren_rep", "varchar(40)"),
                      ("secteur", "varchar(30)", "Secteur commercial")], reps, ["cd_rep"], comment="Représentants"),
        Table("fam_art", [("cd_fam", "varchar(5)"), ("lib_fam", "varchar(60)", "Libellé de la famille")], families, ["cd_fam"],
              comment="Familles d'articles"),
        Table("art", [("cd_art", "varchar(12)"), ("lib_art", "varchar(80)"), ("cd_fam", "varchar(5)"), ("pu_ht", "decimal(10,2)", "Prix unitaire HT du tarif"),
                      ("un_vte", "varchar(5)", "Unité de vente (U, BTE, LOT)"), ("actif", "char(1)", "O = actif, N = retiré du catalogue")],
              articles, ["cd_art"], {"cd_fam": "fam_art.cd_fam"}, "Articles"),
        Table("cli", [("cd_cli", "varchar(10)"), ("rs_cli", "varchar(80)", "Raison sociale"), ("cp", "varchar(5)", "Code postal"), ("ville", "varchar(40)"),
                      ("cd_rep", "varchar(5)"), ("typ_cli", "varchar(3)", "Type de client : ART = artisan, IND = industriel, COL = collectivité, REV = revendeur"),
                      ("dt_crea", "date", "Date de création du compte"), ("enc_max", "decimal(12,2)", "Encours maximum autorisé")],
              clients, ["cd_cli"], {"cd_rep": "rep.cd_rep"}, "Clients"),
        Table("cde_ent", [("no_cde", "integer", "Numéro de commande"), ("cd_cli", "varchar(10)"), ("dt_cde", "date", "Date de commande"),
                          ("dt_liv", "date", "Date de livraison"), ("etat", "char(1)", "État : E = en cours, L = livrée, F = facturée, A = annulée"),
                          ("mt_ht", "decimal(12,2)"), ("mt_tva", "decimal(12,2)"), ("mt_ttc", "decimal(12,2)")],
              heads, ["no_cde"], {"cd_cli": "cli.cd_cli"}, "Commandes : entêtes"),
        Table("cde_lig", [("no_cde", "integer"), ("no_lig", "integer"), ("cd_art", "varchar(12)"), ("qte_cde", "integer"), ("qte_liv", "integer"),
                          ("pu_ht", "decimal(10,2)"), ("tx_rem", "decimal(5,2)", "Taux de remise en %"), ("mt_lig_ht", "decimal(12,2)")],
              lines, ["no_cde", "no_lig"], {"no_cde": "cde_ent.no_cde", "cd_art": "art.cd_art"}, "Commandes : lignes"),
        Table("fac", [("no_fac", "integer"), ("no_cde", "integer"), ("cd_cli", "varchar(10)"), ("dt_fac", "date", "Date de facture"),
                      ("dt_ech", "date", "Date d'échéance"), ("mt_ht", "decimal(12,2)"), ("mt_ttc", "decimal(12,2)"), ("mt_regl", "decimal(12,2)", "Montant déjà réglé")],
              bills, ["no_fac"], {"no_cde": "cde_ent.no_cde", "cd_cli": "cli.cd_cli"}, "Factures"),
        Table("depot", [("cd_dep", "varchar(5)"), ("lib_dep", "varchar(40)")], depots, ["cd_dep"]),
        Table("stk", [("cd_art", "varchar(12)"), ("cd_dep", "varchar(5)"), ("qte_stk", "integer")], stock, ["cd_art", "cd_dep"],
              {"cd_art": "art.cd_art", "cd_dep": "depot.cd_dep"}, "Stocks"),
    ]  # fmt: skip
