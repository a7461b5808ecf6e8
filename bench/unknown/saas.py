"""A subscription software company: English names, keys, comments on two columns."""

# ruff: noqa: E501
from __future__ import annotations

import datetime as dt
from random import Random

from bench.unknown.table import FIRST_NAMES, LAST_NAMES, TODAY, Table, days, money

PLANS = [
    (1, "Starter", money(19), "month"),
    (2, "Team", money(49), "month"),
    (3, "Business", money(119), "month"),
    (4, "Enterprise", money(390), "month"),
]
INDUSTRIES = ["Retail", "Manufacturing", "Healthcare", "Education", "Construction", "Hospitality", "Consulting", "Transport"]


def _month(day: dt.date, count: int) -> dt.date:
    at = day.year * 12 + day.month - 1 + count
    return dt.date(at // 12, at % 12 + 1, min(day.day, 28))


def tables() -> list[Table]:
    rnd = Random("saas")
    managers = [(n, f"{FIRST_NAMES[n * 2]} {LAST_NAMES[n * 4]}", rnd.choice(["France", "Export"])) for n in range(1, 9)]
    accounts, subscriptions, invoices, tickets, usage = [], [], [], [], []
    end = dt.datetime.combine(TODAY, dt.time(8, 30))
    for n in range(1, 901):
        day = rnd.choice(days(dt.date(2022, 9, 1), TODAY - dt.timedelta(2)))
        staff = int(rnd.expovariate(1 / 60)) + 1
        accounts.append((n, f"{rnd.choice(LAST_NAMES)} {rnd.choice(['Group', 'Conseil', 'Tech', 'Labs', 'Retail', 'Partners'])} {n}", rnd.choices(["FR", "BE", "CH", "CA", "DE"], [68, 12, 8, 7, 5])[0],
                         None if rnd.random() < 0.05 else rnd.choice(INDUSTRIES), staff, None if rnd.random() < 0.04 else rnd.choice(managers)[0],
                         dt.datetime.combine(day, dt.time(rnd.randint(7, 20), rnd.randint(0, 59)))))  # fmt: skip
        if rnd.random() < 0.11:
            continue
        start, plan = day + dt.timedelta(rnd.randint(0, 20)), rnd.choices(PLANS, [40, 32, 20, 8])[0]
        heavy = rnd.expovariate(1) + 0.1
        while start < TODAY:
            seats = max(1, int(rnd.expovariate(1 / (3 * plan[0]))))
            mrr = money(float(plan[2]) * (1 + 0.25 * (seats - 1)) * rnd.choice([1, 1, 1, 0.9]))
            stop = start + dt.timedelta(int(rnd.expovariate(1 / 900)) + 30)
            if (TODAY - start).days < 16:
                state = "trialing"
            elif stop <= TODAY:
                state = "canceled"
            else:
                state = "past_due" if rnd.random() < 0.04 else "active"
            number = len(subscriptions) + 1
            subscriptions.append((number, n, plan[0], state, start, stop if state == "canceled" else None, seats, mrr))
            last, step = min(stop, TODAY), 0
            while state != "trialing" and _month(start, step) <= last:
                issued = _month(start, step)
                due = issued + dt.timedelta(30)
                void = rnd.random() < 0.01
                late = (TODAY - due).days
                paid = (
                    None
                    if void or rnd.random() < (0.03 if late > 0 else 0.6)
                    else min(issued + dt.timedelta(rnd.randint(0, 45)), TODAY)
                )
                invoices.append(
                    (len(invoices) + 1, n, number, issued, due, paid, mrr, "void" if void else "paid" if paid else "open")
                )
                step += 1
            if state != "canceled" or rnd.random() < 0.7:
                break
            start, plan = stop + dt.timedelta(rnd.randint(20, 200)), rnd.choice(PLANS)
        span = (end - accounts[-1][6]).total_seconds()
        for _ in range(int(heavy * span / 86400 / 90)):
            opened = (accounts[-1][6] + dt.timedelta(seconds=span * rnd.random())).replace(microsecond=0)
            priority = rnd.choices(["low", "normal", "high", "urgent"], [25, 50, 18, 7])[0]
            first = opened + dt.timedelta(
                minutes=int(rnd.expovariate(1 / {"low": 900, "normal": 400, "high": 150, "urgent": 40}[priority])) + 2
            )
            closed = first + dt.timedelta(minutes=int(rnd.expovariate(1 / 2500)))
            tickets.append((n, opened, first if first < end else None, closed if closed < end and rnd.random() < 0.985 else None, priority,
                            rnd.choices(["billing", "bug", "question", "feature_request"], [20, 30, 40, 10])[0]))  # fmt: skip
        month = max(dt.date(2025, 1, 1), dt.date(day.year, day.month, 1))
        while month <= TODAY:
            usage.append((n, month, rnd.randint(1, 4 * plan[0] + 2), int(rnd.expovariate(1 / (600 * plan[0])))))
            month = _month(month, 1)
    tickets.sort(key=lambda ticket: ticket[1])
    tickets = [
        (
            n,
            *ticket,
            None if ticket[3] is None or rnd.random() < 0.55 else rnd.choices([1, 2, 3, 4, 5], [5, 8, 17, 40, 30])[0],
        )
        for n, ticket in enumerate(tickets, 1)
    ]
    return [
        Table("plans", [("id", "integer"), ("name", "varchar(40)"), ("price", "decimal(10,2)"), ("billing_interval", "varchar(10)")], PLANS, ["id"]),
        Table("account_managers", [("id", "integer"), ("full_name", "varchar(80)"), ("team", "varchar(20)")], managers, ["id"]),
        Table("accounts", [("id", "integer"), ("company_name", "varchar(80)"), ("country", "char(2)"), ("industry", "varchar(40)"), ("employee_count", "integer"),
                           ("account_manager_id", "integer"), ("created_at", "timestamp")], accounts, ["id"], {"account_manager_id": "account_managers.id"}),
        Table("subscriptions", [("id", "integer"), ("account_id", "integer"), ("plan_id", "integer"), ("status", "varchar(20)"), ("started_on", "date"), ("canceled_on", "date"),
                                ("seats", "integer"), ("mrr", "decimal(10,2)", "Monthly recurring revenue, in euros")],
              subscriptions, ["id"], {"account_id": "accounts.id", "plan_id": "plans.id"}),
        Table("invoices", [("id", "integer"), ("account_id", "integer"), ("subscription_id", "integer"), ("issued_on", "date"), ("due_on", "date"), ("paid_on", "date"),
                           ("amount", "decimal(10,2)"), ("status", "varchar(10)")], invoices, ["id"], {"account_id": "accounts.id", "subscription_id": "subscriptions.id"}),
        Table("tickets", [("id", "integer"), ("account_id", "integer"), ("opened_at", "timestamp"), ("first_response_at", "timestamp"), ("closed_at", "timestamp"), ("priority", "varchar(10)"),
                          ("category", "varchar(20)"), ("satisfaction", "integer", "Customer rating, 1 to 5")], tickets, ["id"], {"account_id": "accounts.id"}),
        Table("usage_monthly", [("account_id", "integer"), ("month", "date"), ("active_users", "integer"), ("api_calls", "integer")], usage, ["account_id", "month"],
              {"account_id": "accounts.id"}),
    ]  # fmt: skip
