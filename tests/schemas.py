# ruff: noqa: DTZ001 -- these are the wall-clock times of columns without a time zone
"""Five invented databases, very unlike each other, for introspection and drafts: the same tables in every engine.

Types are the least common ones; ``TIMESTAMP`` becomes ``DATETIME`` for MariaDB. Rows are deterministic.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

Row = tuple[Any, ...]


@dataclass
class Invented:
    """DDL statements and rows per table, in the order of creation."""

    ddl: list[str]
    rows: dict[str, list[Row]] = field(default_factory=dict)


def load(schema: Invented, execute: Callable[[str, list[Row] | None], None], *, dialect: str) -> None:
    """Create and fill; ``execute(sql, rows)`` runs a statement, once or for many rows."""
    mark = "?" if dialect == "duckdb" else "%s"
    for statement in schema.ddl:
        if dialect == "mysql":
            statement = statement.replace("TIMESTAMP", "DATETIME").replace('"', "`")
        execute(statement, None)
    for table, rows in schema.rows.items():
        if rows:
            quoted = f"`{table}`" if dialect == "mysql" else f'"{table}"'
            execute(f"INSERT INTO {quoted} VALUES ({', '.join([mark] * len(rows[0]))})", rows)


def load_duckdb(schema: Invented, path: Path) -> Path:
    import duckdb

    def execute(sql: str, rows: list[Row] | None) -> None:
        if rows is None:
            connection.execute(sql)
            return
        one = sql[sql.rindex("(") :]  # DuckDB's executemany is a statement per row
        for start in range(0, len(rows), 200):
            part = rows[start : start + 200]
            connection.execute(sql + f", {one}" * (len(part) - 1), [value for row in part for value in row])

    connection = duckdb.connect(str(path))
    load(schema, execute, dialect="duckdb")
    connection.close()
    return path


def load_postgres(schema: Invented, url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        load(schema, lambda sql, rows: cursor.executemany(sql, rows) if rows else cursor.execute(sql), dialect="postgres")


def load_mysql(schema: Invented, url: str) -> None:
    from urllib.parse import urlsplit

    import pymysql

    parts = urlsplit(url)
    connection = pymysql.connect(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        password=parts.password or "",
        database=parts.path[1:],
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        load(schema, lambda sql, rows: cursor.executemany(sql, rows) if rows else cursor.execute(sql), dialect="mysql")


def _days(rnd: random.Random, first: date, days: int) -> date:
    return first + timedelta(days=rnd.randrange(days))


FIRST = ("Marie", "Paul", "Léa", "Hugo", "Inès", "Louis", "Chloé", "Jules", "Emma", "Nathan", "Zoé", "Adam")
LAST = (
    "Durand",
    "Martin",
    "Petit",
    "Moreau",
    "Garnier",
    "Lefèvre",
    "Roux",
    "Fontaine",
    "Chevalier",
    "Blanc",
    "Guérin",
    "Faure",
)
CITIES = ("Lyon", "Paris", "Lille", "Nantes", "Brest", "Nice", "Dijon", "Tours")


def erp() -> Invented:
    """A French ERP: abbreviations, upper case, codes as keys, nothing declared but primary keys."""
    rnd = random.Random(1)
    reps = [(f"R{i:02}", f"{FIRST[i]} {LAST[i]}", ("NORD", "SUD", "EST")[i % 3]) for i in range(8)]
    clients = [
        (
            f"C{i:05}",
            f"{LAST[i % 12]} {('SARL', 'SAS', 'SA', 'et Fils')[i % 4]} {i}",
            CITIES[i % 8],
            f"{10000 + i * 37}",
            rnd.choice(reps)[0],
            ("PRO", "PART")[i % 2],
        )
        for i in range(120)
    ]
    families = [("F1", "Outillage"), ("F2", "Peinture"), ("F3", "Quincaillerie"), ("F4", "Jardin")]
    articles = [
        (
            f"A{i:04}",
            f"Article numéro {i}",
            rnd.choice(families)[0],
            round(rnd.uniform(2, 200), 2),
            round(rnd.uniform(1, 90), 2),
        )
        for i in range(60)
    ]
    orders, lines, invoices = [], [], []
    for i in range(400):
        day = _days(rnd, date(2024, 1, 1), 900)
        total = 0.0
        for n in range(1, rnd.randrange(2, 5)):
            article = rnd.choice(articles)
            quantity, discount = rnd.randrange(1, 9), rnd.choice((0, 0, 5, 10))
            total += quantity * article[3] * (1 - discount / 100)
            lines.append((100000 + i, n, article[0], quantity, article[3], discount))
        orders.append(
            (
                100000 + i,
                day,
                rnd.choice(clients)[0],
                rnd.choice(("LIV", "LIV", "EXP", "ANN", "PREP")),
                round(total, 2),
                round(total * 1.2, 2),
            )
        )
        if i % 3:
            invoices.append(
                (
                    500000 + i,
                    100000 + i,
                    day + timedelta(days=3),
                    day + timedelta(days=33),
                    round(total, 2),
                    round(total * 1.2, 2),
                )
            )
    return Invented(
        [
            'CREATE TABLE "T_REP" ("CD_REP" VARCHAR(8) PRIMARY KEY, "NOM_REP" VARCHAR(60), "SECT" VARCHAR(20))',
            'CREATE TABLE "T_CLI" ("CD_CLI" VARCHAR(8) PRIMARY KEY, "RAIS_SOC" VARCHAR(80), "VIL" VARCHAR(40), "CP" VARCHAR(10), "CD_REP" VARCHAR(8), "TYP_CLI" VARCHAR(8))',
            'CREATE TABLE "T_FAM" ("CD_FAM" VARCHAR(8) PRIMARY KEY, "LIB_FAM" VARCHAR(40))',
            'CREATE TABLE "T_ART" ("CD_ART" VARCHAR(8) PRIMARY KEY, "LIB_ART" VARCHAR(60), "CD_FAM" VARCHAR(8), "PX_VTE" DECIMAL(10,2), "PX_ACH" DECIMAL(10,2))',
            'CREATE TABLE "T_CDE" ("NO_CDE" INTEGER PRIMARY KEY, "DT_CDE" DATE, "CD_CLI" VARCHAR(8), "ST_CDE" VARCHAR(8), "MT_HT" DECIMAL(12,2), "MT_TTC" DECIMAL(12,2))',
            'CREATE TABLE "T_CDE_LIG" ("NO_CDE" INTEGER, "NO_LIG" INTEGER, "CD_ART" VARCHAR(8), "QTE" INTEGER, "PU_HT" DECIMAL(10,2), "TX_REM" DECIMAL(5,2), PRIMARY KEY ("NO_CDE", "NO_LIG"))',
            'CREATE TABLE "T_FACT" ("NO_FACT" INTEGER PRIMARY KEY, "NO_CDE" INTEGER, "DT_FACT" DATE, "DT_ECH" DATE, "MT_HT" DECIMAL(12,2), "MT_TTC" DECIMAL(12,2))',
        ],
        {
            "T_REP": reps,
            "T_CLI": clients,
            "T_FAM": families,
            "T_ART": articles,
            "T_CDE": orders,
            "T_CDE_LIG": lines,
            "T_FACT": invoices,
        },
    )


def webshop() -> Invented:
    """An English web shop with declared keys, timestamps and statuses in words."""
    rnd = random.Random(2)
    countries = ("France", "Germany", "Spain", "Italy", "Belgium")
    customers = [
        (
            i,
            FIRST[i % 12],
            LAST[i % 7],
            f"user{i}@example.org",
            f"+33 6 12 34 56 {i % 90 + 10}",
            CITIES[i % 8],
            countries[i % 5],
            datetime(2023, 1, 1) + timedelta(days=i * 3),
        )
        for i in range(1, 151)
    ]
    categories = [(1, "Shoes"), (2, "Bags"), (3, "Hats")]
    products = [
        (
            i,
            f"Product {i}",
            rnd.randrange(1, 4),
            round(rnd.uniform(10, 300), 2),
            round(rnd.uniform(5, 100), 2),
            rnd.randrange(0, 500),
            bool(i % 5),
        )
        for i in range(1, 41)
    ]
    orders, items, payments, reviews = [], [], [], []
    for i in range(1, 501):
        ordered = datetime(2024, 1, 1) + timedelta(hours=i * 40)
        total = 0.0
        for _ in range(rnd.randrange(1, 4)):
            product = rnd.choice(products)
            quantity = rnd.randrange(1, 4)
            total += quantity * product[3]
            items.append((len(items) + 1, i, product[0], quantity, product[3]))
        status = rnd.choice(("pending", "shipped", "delivered", "delivered", "cancelled"))
        orders.append(
            (
                i,
                rnd.randrange(1, 151),
                ordered,
                ordered + timedelta(days=2) if status != "pending" else None,
                status,
                round(total, 2),
                ordered,
                ordered,
            )
        )
        payments.append((i, i, ordered, round(total, 2), rnd.choice(("credit_card", "paypal", "bank_transfer"))))
        if i % 4 == 0:
            reviews.append((i, rnd.randrange(1, 41), rnd.randrange(1, 151), rnd.randrange(1, 6), ordered))
    return Invented(
        [
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, first_name VARCHAR(40), last_name VARCHAR(40), email VARCHAR(80), phone VARCHAR(30), city VARCHAR(40), country VARCHAR(40), created_at TIMESTAMP)",
            "CREATE TABLE categories (id INTEGER PRIMARY KEY, name VARCHAR(40))",
            "CREATE TABLE products (id INTEGER PRIMARY KEY, name VARCHAR(60), category_id INTEGER, price DECIMAL(10,2), cost DECIMAL(10,2), stock_quantity INTEGER, is_active BOOLEAN, FOREIGN KEY (category_id) REFERENCES categories (id))",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, order_date TIMESTAMP, shipped_at TIMESTAMP, status VARCHAR(20), total_amount DECIMAL(12,2), created_at TIMESTAMP, updated_at TIMESTAMP, FOREIGN KEY (customer_id) REFERENCES customers (id))",
            "CREATE TABLE order_items (id INTEGER PRIMARY KEY, order_id INTEGER, product_id INTEGER, quantity INTEGER, unit_price DECIMAL(10,2), FOREIGN KEY (order_id) REFERENCES orders (id), FOREIGN KEY (product_id) REFERENCES products (id))",
            "CREATE TABLE payments (id INTEGER PRIMARY KEY, order_id INTEGER, paid_at TIMESTAMP, amount DECIMAL(12,2), method VARCHAR(20), FOREIGN KEY (order_id) REFERENCES orders (id))",
            "CREATE TABLE reviews (id INTEGER PRIMARY KEY, product_id INTEGER, customer_id INTEGER, rating INTEGER, created_at TIMESTAMP, FOREIGN KEY (product_id) REFERENCES products (id), FOREIGN KEY (customer_id) REFERENCES customers (id))",
            "CREATE TABLE schema_migrations (version VARCHAR(40) PRIMARY KEY)",
        ],
        {
            "customers": customers,
            "categories": categories,
            "products": products,
            "orders": orders,
            "order_items": items,
            "payments": payments,
            "reviews": reviews,
            "schema_migrations": [("20240101",)],
        },
    )


def hr() -> Invented:
    """Human resources: people, their manager, leave with a start and an end, payroll, training."""
    rnd = random.Random(3)
    departments = [(i, n) for i, n in enumerate(("Comptabilité", "Production", "Ventes", "Informatique"), 1)]
    employees: list[Row] = []
    for i in range(1, 81):
        employees.append(
            (
                i,
                f"M{i:04}",
                LAST[i % 12],
                FIRST[i % 12],
                rnd.randrange(1, 5),
                None if i < 5 else rnd.randrange(1, 5),
                _days(rnd, date(2010, 1, 1), 5000),
                date(1970, 1, 1) + timedelta(days=i * 130),
                rnd.choice(("CDI", "CDI", "CDD", "Intérim")),
                round(rnd.uniform(1800, 6000), 2),
                ("F", "M")[i % 2],
                bool(i % 9),
            )
        )
    leaves = []
    for i in range(1, 301):
        start = _days(rnd, date(2024, 1, 1), 800)
        leaves.append(
            (
                i,
                rnd.randrange(1, 81),
                start,
                start + timedelta(days=rnd.randrange(0, 12)),
                rnd.choice(("CP", "RTT", "MAL")),
                rnd.choice(("VAL", "ATT", "REF")),
            )
        )
    payslips = [
        (n, e, 2025, m, round(employees[e - 1][9] * 1.0, 2), round(employees[e - 1][9] * 0.78, 2))
        for n, (e, m) in enumerate(((e, m) for e in range(1, 81) for m in range(1, 13)), 1)
    ]
    return Invented(
        [
            "CREATE TABLE services (id_service INTEGER PRIMARY KEY, nom_service VARCHAR(40))",
            "CREATE TABLE salaries (id_salarie INTEGER PRIMARY KEY, matricule VARCHAR(10) UNIQUE, nom VARCHAR(40), prenom VARCHAR(40), id_service INTEGER, id_manager INTEGER, date_embauche DATE, date_naissance DATE, type_contrat VARCHAR(20), salaire_brut DECIMAL(10,2), sexe VARCHAR(1), actif BOOLEAN, FOREIGN KEY (id_service) REFERENCES services (id_service))",
            "CREATE TABLE conges (id_conge INTEGER PRIMARY KEY, id_salarie INTEGER, date_debut DATE, date_fin DATE, type_conge VARCHAR(10), statut VARCHAR(10), FOREIGN KEY (id_salarie) REFERENCES salaries (id_salarie))",
            "CREATE TABLE bulletins_paie (id_bulletin INTEGER PRIMARY KEY, id_salarie INTEGER, annee INTEGER, mois INTEGER, salaire_brut DECIMAL(10,2), salaire_net DECIMAL(10,2), FOREIGN KEY (id_salarie) REFERENCES salaries (id_salarie))",
        ],
        {"services": departments, "salaries": employees, "conges": leaves, "bulletins_paie": payslips},
    )


def factory() -> Invented:
    """An English-named factory: work orders, scrap, downtime, stock photographs."""
    rnd = random.Random(4)
    machines = [(i, f"MC-{i:02}", f"Press {i}", ("Stamping", "Molding", "Assembly")[i % 3]) for i in range(1, 13)]
    parts = [(i, f"P{i:03}", f"Part {i}", round(rnd.uniform(1, 40), 2)) for i in range(1, 31)]
    work_orders, downtime, stock = [], [], []
    for i in range(1, 401):
        start = datetime(2024, 6, 1) + timedelta(hours=i * 17)
        good = rnd.randrange(50, 400)
        work_orders.append(
            (
                i,
                rnd.randrange(1, 31),
                rnd.randrange(1, 13),
                start,
                start + timedelta(hours=rnd.randrange(1, 9)),
                good + 10,
                good,
                rnd.randrange(0, 12),
                rnd.choice(("released", "completed", "completed", "in_progress")),
            )
        )
        if i % 2:
            downtime.append(
                (i, rnd.randrange(1, 13), start, rnd.randrange(5, 240), rnd.choice(("breakdown", "setup", "no_material")))
            )
    for month in range(1, 13):
        for part in parts:
            stock.append((len(stock) + 1, date(2025, month, 28), part[0], rnd.randrange(0, 900)))
    return Invented(
        [
            "CREATE TABLE machines (machine_id INTEGER PRIMARY KEY, machine_code VARCHAR(10), machine_name VARCHAR(40), workshop VARCHAR(40))",
            "CREATE TABLE parts (part_id INTEGER PRIMARY KEY, part_number VARCHAR(10), part_name VARCHAR(40), standard_cost DECIMAL(10,2))",
            "CREATE TABLE work_orders (work_order_id INTEGER PRIMARY KEY, part_id INTEGER, machine_id INTEGER, started_at TIMESTAMP, ended_at TIMESTAMP, qty_planned INTEGER, qty_produced INTEGER, scrap_qty INTEGER, status VARCHAR(20), FOREIGN KEY (part_id) REFERENCES parts (part_id), FOREIGN KEY (machine_id) REFERENCES machines (machine_id))",
            "CREATE TABLE machine_downtime (downtime_id INTEGER PRIMARY KEY, machine_id INTEGER, started_at TIMESTAMP, duration_minutes INTEGER, reason VARCHAR(20), FOREIGN KEY (machine_id) REFERENCES machines (machine_id))",
            "CREATE TABLE stock_levels (id INTEGER PRIMARY KEY, snapshot_date DATE, part_id INTEGER, quantity INTEGER, FOREIGN KEY (part_id) REFERENCES parts (part_id))",
        ],
        {
            "machines": machines,
            "parts": parts,
            "work_orders": work_orders,
            "machine_downtime": downtime,
            "stock_levels": stock,
        },
    )


def saas() -> Invented:
    """Subscriptions: accounts, plans, invoices, tickets with two people on them, camel case, nothing declared."""
    rnd = random.Random(5)
    plans = [(1, "Starter", 29.0), (2, "Team", 99.0), (3, "Business", 299.0)]
    accounts = [
        (
            i,
            f"Company {i} {('SAS', 'Ltd', 'GmbH')[i % 3]}",
            ("FR", "DE", "ES")[i % 3],
            ("Retail", "Health", "Finance")[i % 3],
            datetime(2023, 1, 1) + timedelta(days=i * 5),
        )
        for i in range(1, 101)
    ]
    users = [
        (i, f"{FIRST[i % 12]} {LAST[i % 12]}", f"agent{i}@example.com", ("admin", "agent")[i % 2]) for i in range(1, 21)
    ]
    subscriptions, invoices, tickets = [], [], []
    for i in range(1, 141):
        start = _days(rnd, date(2023, 1, 1), 700)
        gone = rnd.random() < 0.3
        plan = rnd.choice(plans)
        subscriptions.append(
            (
                i,
                rnd.randrange(1, 101),
                plan[0],
                start,
                start + timedelta(days=200) if gone else None,
                "churned" if gone else rnd.choice(("active", "active", "trialing")),
                plan[2],
            )
        )
    for i in range(1, 601):
        issued = _days(rnd, date(2024, 1, 1), 600)
        amount = rnd.choice(plans)[2]
        invoices.append(
            (i, rnd.randrange(1, 101), issued, issued + timedelta(days=30), amount, rnd.choice(("paid", "paid", "overdue")))
        )
    for i in range(1, 401):
        opened = datetime(2024, 3, 1) + timedelta(hours=i * 13)
        tickets.append(
            (
                i,
                rnd.randrange(1, 101),
                rnd.randrange(1, 21),
                rnd.randrange(1, 21),
                opened,
                opened + timedelta(hours=rnd.randrange(1, 90)) if i % 5 else None,
                rnd.choice(("low", "high", "urgent")),
                rnd.choice(("open", "closed", "closed")),
                rnd.choice((1, 2, 3, 4, 5, None)),
            )
        )
    return Invented(
        [
            'CREATE TABLE "Plans" ("planId" INTEGER PRIMARY KEY, "planName" VARCHAR(20), "monthlyPrice" DECIMAL(10,2))',
            'CREATE TABLE "Accounts" ("accountId" INTEGER PRIMARY KEY, "companyName" VARCHAR(60), "countryCode" VARCHAR(2), "industry" VARCHAR(20), "createdAt" TIMESTAMP)',
            'CREATE TABLE "Users" ("userId" INTEGER PRIMARY KEY, "fullName" VARCHAR(60), "email" VARCHAR(60), "role" VARCHAR(20))',
            'CREATE TABLE "Subscriptions" ("subscriptionId" INTEGER PRIMARY KEY, "accountId" INTEGER, "planId" INTEGER, "startDate" DATE, "endDate" DATE, "status" VARCHAR(20), "mrr" DECIMAL(10,2))',
            'CREATE TABLE "Invoices" ("invoiceId" INTEGER PRIMARY KEY, "accountId" INTEGER, "issueDate" DATE, "dueDate" DATE, "totalAmount" DECIMAL(10,2), "status" VARCHAR(20))',
            'CREATE TABLE "Tickets" ("ticketId" INTEGER PRIMARY KEY, "accountId" INTEGER, "assigneeId" INTEGER, "createdById" INTEGER, "createdAt" TIMESTAMP, "resolvedAt" TIMESTAMP, "priority" VARCHAR(10), "status" VARCHAR(10), "satisfactionScore" INTEGER)',
        ],
        {
            "Plans": plans,
            "Accounts": accounts,
            "Users": users,
            "Subscriptions": subscriptions,
            "Invoices": invoices,
            "Tickets": tickets,
        },
    )


ALL: dict[str, Callable[[], Invented]] = {"erp": erp, "webshop": webshop, "hr": hr, "factory": factory, "saas": saas}


def names(rows: Iterable[Row]) -> list[Any]:
    return [row[0] for row in rows]
