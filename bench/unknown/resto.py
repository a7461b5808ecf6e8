"""A restaurant chain on an English point of sale: checks, their items, staff, shifts, waste. Keys declared, no comment."""

# ruff: noqa: E501
from __future__ import annotations

import datetime as dt
from random import Random

from bench.unknown.table import FIRST_NAMES, LAST_NAMES, TODAY, Table, days, money


def tables() -> list[Table]:
    rnd = Random("resto")
    places = [(1, "Bastille", "Paris", "Île-de-France", dt.date(2014, 3, 1), 64), (2, "Part-Dieu", "Lyon", "Auvergne-Rhône-Alpes", dt.date(2016, 5, 12), 80), (3, "Vieux-Port", "Marseille", "Provence-Alpes-Côte d'Azur", dt.date(2017, 9, 4), 72),
              (4, "Wazemmes", "Lille", "Hauts-de-France", dt.date(2019, 1, 21), 56), (5, "Graslin", "Nantes", "Pays de la Loire", dt.date(2021, 6, 9), 48), (6, "Capitole", "Toulouse", "Occitanie", dt.date(2024, 10, 1), 60)]  # fmt: skip
    menu = [(n, name, kind, money(price), money(price * share), vegan) for n, (name, kind, price, share, vegan) in enumerate([
        ("Salade César", "starter", 9.5, 0.28, False), ("Houmous", "starter", 7, 0.2, True), ("Soupe du jour", "starter", 6.5, 0.18, True), ("Burger maison", "main", 16.5, 0.33, False), ("Burger végétal", "main", 15.5, 0.3, True), ("Pavé de saumon", "main", 19.5, 0.4, False),
        ("Entrecôte", "main", 24, 0.42, False), ("Risotto aux champignons", "main", 15, 0.26, False), ("Tiramisu", "dessert", 7.5, 0.22, False), ("Fondant au chocolat", "dessert", 8, 0.21, False), ("Salade de fruits", "dessert", 6, 0.25, True),
        ("Limonade", "drink", 4.5, 0.12, True), ("Bière pression", "drink", 6, 0.22, True), ("Verre de vin", "drink", 5.5, 0.25, True), ("Café", "drink", 2.2, 0.1, True)], 1)]  # fmt: skip
    staff = []
    for n in range(1, 91):
        place = rnd.choice(places)
        hired = rnd.choice(days(max(place[4], dt.date(2018, 1, 1)), dt.date(2026, 5, 1)))
        left = hired + dt.timedelta(rnd.randint(60, 900)) if rnd.random() < 0.4 else None
        job = rnd.choices(["server", "cook", "manager", "dishwasher"], [50, 30, 8, 12])[0]
        staff.append(
            (
                n,
                rnd.choice(FIRST_NAMES),
                rnd.choice(LAST_NAMES),
                job,
                place[0],
                hired,
                left if left and left <= TODAY else None,
                money({"server": 12.2, "cook": 14, "manager": 19, "dishwasher": 11.9}[job] * rnd.uniform(1, 1.15)),
            )
        )
    servers = {p[0]: [s[0] for s in staff if s[4] == p[0] and s[3] == "server"] or [1] for p in places}
    checks, lines = [], []
    for day in days(dt.date(2025, 1, 2), TODAY):
        for place in places:
            for _ in range(rnd.randint(2, 5) + (2 if day.weekday() in (4, 5) else 0)):
                at = dt.datetime.combine(day, dt.time(rnd.choice([12, 12, 13, 19, 20, 20, 21]), rnd.randint(0, 59)))
                channel = rnd.choices(["dine_in", "takeaway", "delivery"], [68, 18, 14])[0]
                people, number = rnd.choices([1, 2, 3, 4, 6], [22, 42, 12, 18, 6])[0], len(checks) + 1
                total = 0.0
                for _ in range(people + rnd.randint(0, people)):
                    item = rnd.choice(menu)
                    count = rnd.choices([1, 2], [85, 15])[0]
                    total += float(item[3]) * count
                    lines.append((len(lines) + 1, number, item[0], count, item[3], item[3] * count))
                rebate = money(total * 0.1) if rnd.random() < 0.08 else money(0)
                net = money(total) - rebate
                checks.append((number, place[0], rnd.choice(servers[place[0]]), at, at + dt.timedelta(minutes=rnd.randint(15, 120)), people, channel, net, money(float(net) * 0.1), money(float(net) * 0.05) if rnd.random() < 0.3 else money(0), rebate,
                               rnd.choices(["cash", "card", "meal_voucher", "online"], [12, 58, 20, 10])[0], rnd.choices(["closed", "void"], [98, 2])[0]))  # fmt: skip
    shifts = []
    for person in staff:
        for day in days(max(person[5], dt.date(2025, 1, 1)), min(person[6] or TODAY, TODAY)):
            if rnd.random() < 0.25:
                shifts.append(
                    (
                        len(shifts) + 1,
                        person[0],
                        person[4],
                        day,
                        rnd.choice([5, 6, 7, 8]),
                        rnd.choices([0, 1, 2], [85, 10, 5])[0],
                    )
                )
    waste = [
        (
            n,
            rnd.choice(places)[0],
            rnd.choice(days(dt.date(2025, 1, 1), TODAY)),
            rnd.choice(["Tomates", "Pain", "Saumon", "Crème", "Salade", "Poulet"]),
            round(rnd.uniform(0.2, 8), 2),
            money(rnd.uniform(1, 60)),
            rnd.choice(["expired", "overproduction", "damaged"]),
        )
        for n in range(1, 1201)
    ]
    return [
        Table("locations", [("location_id", "integer"), ("location_name", "varchar(40)"), ("city", "varchar(40)"), ("region", "varchar(40)"), ("opening_date", "date"), ("seats", "integer")], places, ["location_id"]),
        Table("menu_items", [("item_id", "integer"), ("item_name", "varchar(60)"), ("menu_category", "varchar(20)"), ("list_price", "numeric(8,2)"), ("food_cost", "numeric(8,2)"), ("is_vegan", "boolean")], menu, ["item_id"]),
        Table("employees", [("employee_id", "integer"), ("first_name", "varchar(40)"), ("last_name", "varchar(40)"), ("job_title", "varchar(20)"), ("location_id", "integer"), ("hire_date", "date"), ("termination_date", "date"), ("hourly_wage", "numeric(6,2)")], staff, ["employee_id"], {"location_id": "locations.location_id"}),
        Table("checks", [("check_id", "integer"), ("location_id", "integer"), ("server_id", "integer"), ("opened_at", "timestamp"), ("closed_at", "timestamp"), ("guest_count", "integer"), ("order_channel", "varchar(20)"), ("net_sales", "numeric(9,2)"), ("tax_amount", "numeric(9,2)"), ("tip_amount", "numeric(9,2)"), ("discount_amount", "numeric(9,2)"), ("payment_method", "varchar(20)"), ("check_status", "varchar(10)")],
              checks, ["check_id"], {"location_id": "locations.location_id", "server_id": "employees.employee_id"}),
        Table("check_items", [("check_item_id", "integer"), ("check_id", "integer"), ("item_id", "integer"), ("quantity", "integer"), ("unit_price", "numeric(8,2)"), ("line_total", "numeric(9,2)")], lines, ["check_item_id"], {"check_id": "checks.check_id", "item_id": "menu_items.item_id"}),
        Table("shifts", [("shift_id", "integer"), ("employee_id", "integer"), ("location_id", "integer"), ("shift_date", "date"), ("hours_worked", "numeric(5,2)"), ("overtime_hours", "numeric(5,2)")], shifts, ["shift_id"], {"employee_id": "employees.employee_id", "location_id": "locations.location_id"}),
        Table("food_waste", [("waste_id", "integer"), ("location_id", "integer"), ("waste_date", "date"), ("ingredient", "varchar(30)"), ("quantity_kg", "numeric(8,2)"), ("cost", "numeric(8,2)"), ("reason", "varchar(20)")], waste, ["waste_id"], {"location_id": "locations.location_id"}),
    ]  # fmt: skip
