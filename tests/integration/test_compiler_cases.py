"""Plans over a shop of a dozen rows, with the answer worked out by hand: the same on three engines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from datapilot_kernel.guard import Accepted, Guard, Policy
from datapilot_kernel.plan.compiler import compile_plan
from datapilot_kernel.plan.model import (
    Between,
    CalendarPeriod,
    ColumnItem,
    Comparison,
    DimensionItem,
    Filter,
    Having,
    LastPeriod,
    MeasureItem,
    Order,
    Plan,
    Related,
    RelativeTime,
    Rollup,
)
from datapilot_kernel.semantic.model import Calendar
from tests.integration.shop import LAYER, TABLES, Data, Engines, loaded, normal
from tests.servers import Server

TODAY = dt.date(2026, 11, 22)
PARIS = ZoneInfo("Europe/Paris")
D = dt.date


def order(
    id: int, jour: dt.date | None, statut: str, montant: int, client: int, livre: int, moment: str | None = None
) -> dict[str, Any]:
    local = dt.datetime.fromisoformat(moment) if moment else None
    return {"id": id, "jour": jour, "statut": statut, "montant": Decimal(montant), "client_id": client, "livre_id": livre, "magasin_id": 1,
            "cree": local, "instant": local.replace(tzinfo=PARIS) if local else None}  # fmt: skip


def line(id: int, commande: int, produit: int, qte: int, montant: int) -> dict[str, Any]:
    return {"id": id, "commande_id": commande, "produit_id": produit, "qte": qte, "montant": Decimal(montant)}


SHOP: Data = {
    "regions": [{"id": 1, "nom": "Nord"}, {"id": 2, "nom": "Sud"}],
    "clients": [
        {"id": 1, "nom": "Durand", "ville": "Lyon", "region_id": 1, "inscrit": D(2024, 1, 1)},
        {"id": 2, "nom": "Durand", "ville": "Paris", "region_id": 2, "inscrit": D(2025, 1, 1)},
        {"id": 3, "nom": "Élise", "ville": None, "region_id": 1, "inscrit": D(2025, 2, 1)},
        {"id": 4, "nom": "Zoé", "ville": "LYON", "region_id": None, "inscrit": None},
    ],
    "magasins": [{"id": 1, "nom": "Centre", "region_id": 1}],
    "produits": [
        {"id": 1, "nom": "Lampe A", "categorie": "Lampe", "prix": Decimal(10)},
        {"id": 2, "nom": "Table B", "categorie": "Table", "prix": Decimal(20)},
        {"id": 3, "nom": "Vase C", "categorie": "Vase", "prix": Decimal(30)},
    ],
    "commandes": [
        order(1, D(2026, 10, 5), "EXP", 100, 1, 2, "2026-10-25 00:30:00"),
        order(2, D(2026, 10, 25), "EXP", 50, 2, 2, "2026-10-25 23:59:59"),  # a Sunday of 25 hours
        order(3, D(2025, 10, 31), "EXP", 80, 1, 1, "2026-10-24 23:59:59"),
        order(4, D(2026, 11, 11), "OK", 30, 3, 3, "2026-10-26 00:00:00"),  # a holiday, a Wednesday
        order(5, D(2026, 11, 14), "EXP", 20, 1, 1, "2026-03-29 12:00:00"),  # a Saturday
        order(6, D(2026, 10, 10), "ANN", 1000, 1, 1, "2026-10-25 12:00:00"),
        order(7, None, "EXP", 7, 2, 2),
        order(8, D(2025, 12, 30), "EXP", 1, 4, 4),
        order(9, D(2027, 1, 5), "EXP", 2, 4, 4),
    ],
    "lignes": [
        line(1, 1, 1, 2, 60), line(2, 1, 2, 1, 40), line(3, 2, 1, 1, 50), line(4, 3, 2, 4, 80), line(5, 6, 1, 9, 1000), line(6, 5, 1, 1, 20),
    ],
    "objectifs": [
        {"id": 1, "mois": D(2026, 10, 1), "region_id": 1, "montant": Decimal(200)},
        {"id": 2, "mois": D(2026, 11, 1), "region_id": 1, "montant": Decimal(100)},
    ],
    "stocks": [
        {"id": 1, "jour": D(2026, 9, 30), "produit_id": 1, "qte": 10}, {"id": 2, "jour": D(2026, 9, 30), "produit_id": 2, "qte": 5},
        {"id": 3, "jour": D(2026, 10, 30), "produit_id": 1, "qte": 8}, {"id": 4, "jour": D(2026, 10, 30), "produit_id": 2, "qte": 6},
        {"id": 5, "jour": D(2026, 10, 31), "produit_id": 1, "qte": 7}, {"id": 6, "jour": D(2026, 10, 31), "produit_id": 2, "qte": 4},
        {"id": 7, "jour": None, "produit_id": 2, "qte": 99}, {"id": 8, "jour": D(2026, 9, 2), "produit_id": 3, "qte": 0},
        {"id": 9, "jour": D(2026, 9, 1), "produit_id": 3, "qte": 0}, {"id": 10, "jour": D(2026, 10, 31), "produit_id": 1, "qte": 0},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def engines(postgres: Server, mariadb: Server) -> Iterator[Engines]:
    with loaded(postgres, mariadb, {"shop": SHOP}) as found:
        yield found


def m(alias: str, measure: str | None = None, **more: Any) -> MeasureItem:
    return MeasureItem(alias=alias, measure=measure, **more)


def d(alias: str, field: str, grain: Any = None, **more: Any) -> DimensionItem:
    return DimensionItem(alias=alias, field=field, grain=grain, **more)


def f(field: str, op: Any = "eq", *values: Any, **more: Any) -> Filter:
    return Filter(field=field, op=op, values=values, **more)


CA, NB = m("ca", "commande.ca"), m("nb", "commande.nb")
IN_2026 = CalendarPeriod(unit="year", year=2026)
OCTOBER = CalendarPeriod(unit="month", number=10, year=2026)
NAME = ColumnItem(alias="nom", field="client.nom")

CASES: dict[str, tuple[Plan, list[tuple[Any, ...]]]] = {
    "a total": (Plan(measures=(CA, NB)), [(290, 8)]),
    "a total without the default filter": (Plan(measures=(CA,), ignored_defaults=("commande",)), [(1290,)]),
    "two clients of one name stay two": (
        Plan(measures=(NB,), dimensions=(d("client", "client.nom"),), order=(Order(by="nb"),)),
        [("Durand", 3), ("Durand", 2), ("Zoé", 2), ("Élise", 1)],
    ),
    "roles: billed to, delivered to": (
        Plan(
            measures=(CA,),
            dimensions=(d("facture", "client.ville", via=("client_facture",)), d("livre", "client.ville", via=("client_livre",))),
            period=OCTOBER,
        ),
        [("Lyon", "Paris", 100), ("Paris", "Paris", 50)],
    ),
    "a filter on the many side counts each order once": (
        Plan(measures=(CA, NB), filters=(f("produit.categorie", "eq", "Lampe"),)), [(170, 3)],
    ),
    "two filters on one line": (
        Plan(measures=(NB,), filters=(f("produit.categorie", "eq", "Lampe"), f("ligne.qte", "ge", 2))), [(1,)],
    ),
    "orders without any lamp": (Plan(measures=(NB,), filters=(f("produit.categorie", "ne", "Lampe"),)), [(5,)]),
    "the finer measure, cut by what lies beyond": (
        Plan(measures=(m("ca", "commande.ca_fin"),), dimensions=(d("cat", "produit.categorie"),)), [("Lampe", 130), ("Table", 120)],
    ),
    "the finer measure, filtered by what lies beyond": (
        Plan(measures=(m("ca", "commande.ca_fin"),), filters=(f("produit.categorie", "eq", "Lampe"),)), [(130,)],
    ),
    "the measure itself, when nothing lies beyond": (Plan(measures=(m("ca", "commande.ca_fin"),)), [(290,)]),
    "clients counted once across their lines": (
        Plan(measures=(m("n", "client.nb_clients"),), dimensions=(d("cat", "produit.categorie"),)), [("Lampe", 2), ("Table", 1)],
    ),
    "active clients of a month": (
        Plan(measures=(m("n", aggregate="count", entity="client"),), time="commande.jour", period=OCTOBER), [(2,)],
    ),
    "distinct cities of buyers by month": (
        Plan(measures=(m("n", aggregate="count_distinct", field="client.ville"),), dimensions=(d("mois", "commande.jour", "month"),), period=IN_2026),
        [(D(2026, 10, 1), 2), (D(2026, 11, 1), 1)],
    ),
    "a stock is that of the last day": (Plan(measures=(m("s", "stock.stock"),)), [(11,)]),
    "a stock by month, by product": (
        Plan(measures=(m("s", "stock.stock"),), dimensions=(d("mois", "stock.jour", "month"), d("produit", "produit.nom"))),
        [(D(2026, 9, 1), "Lampe A", 10), (D(2026, 9, 1), "Table B", 5), (D(2026, 10, 1), "Lampe A", 7), (D(2026, 10, 1), "Table B", 4)],
    ),
    "a stock of what was not photographed on the last day": (
        Plan(measures=(m("s", "stock.stock"),), filters=(f("produit.nom", "eq", "Vase C"),)), [(None,)],
    ),
    "products out of stock on the last day, by month": (
        Plan(measures=(m("r", "stock.ruptures"),), dimensions=(d("mois", "stock.jour", "month"),)), [(D(2026, 10, 1), 1)],
    ),
    "a stock against that of the month before": (
        Plan(measures=(m("s", "stock.stock"),), period=OCTOBER, comparison=Comparison(kind="previous_period")), [(11, 15, -4, -4 / 15)],
    ),
    "objective and actual, of two grains": (
        Plan(
            measures=(CA, m("objectif", "objectif.objectif"), m("taux", "commande.par_objectif")),
            dimensions=(d("mois", "commande.jour", "month"), d("region", "region.nom", via=("client_region",))),
            period=IN_2026,
        ),
        [(D(2026, 10, 1), "Nord", 100, 200, 0.5), (D(2026, 10, 1), "Sud", 50, 0, None), (D(2026, 11, 1), "Nord", 50, 100, 0.5)],
    ),
    "orders and their lines": (
        Plan(measures=(CA, m("vendu", "ligne.vendu"), m("q", "ligne.quantite")), dimensions=(d("client", "client.nom"),), period=IN_2026),
        [("Durand", 120, 120, 4), ("Durand", 50, 50, 1), ("Élise", 30, 0, 0)],
    ),
    "compared with a period given": (
        Plan(measures=(CA,), period=OCTOBER, comparison=Comparison(kind="period", period=CalendarPeriod(unit="month", number=10, year=2025))),
        [(150, 80, 70, 0.875)],
    ),
    "by month, with the month before": (
        Plan(
            measures=(CA,), dimensions=(d("mois", "commande.jour", "month"),), comparison=Comparison(kind="previous_period"),
            period=CalendarPeriod(unit="month", number=10, year=2026, count=2),
        ),
        [(D(2026, 10, 1), 150, None, None, None), (D(2026, 11, 1), 50, 150, -100, -2 / 3)],
    ),
    "by month, with a year before": (
        Plan(measures=(CA,), dimensions=(d("mois", "commande.jour", "month"),), period=IN_2026, comparison=Comparison(kind="previous_year", show=("value",))),
        [(D(2026, 10, 1), 150, 80), (D(2026, 11, 1), 50, None)],
    ),
    "by week, with the week of the same number 53 weeks before": (
        Plan(
            measures=(NB,), dimensions=(d("semaine", "commande.jour", "week"),), comparison=Comparison(kind="previous_year", show=("value",)),
            period=CalendarPeriod(unit="week", number=1, year=2027),
        ),
        [(D(2027, 1, 4), 1, 1)],
    ),
    "by city, who is gone shows too, the steepest fall first": (
        Plan(
            measures=(CA,), dimensions=(d("ville", "client.ville"),), period=CalendarPeriod(unit="month", number=11, year=2026),
            comparison=Comparison(kind="previous_period"), order=(Order(by="ca", part="difference", descending=False),),
        ),
        [("Lyon", 20, 100, -80, -0.8), ("Paris", 0, 50, -50, -1), (None, 30, 0, 30, None)],
    ),
    "only what grew": (
        Plan(
            measures=(CA,), dimensions=(d("ville", "client.ville"),), period=CalendarPeriod(unit="month", number=11, year=2026),
            comparison=Comparison(kind="previous_period", show=("growth",)), having=(Having(measure="ca", part="difference", op="gt", values=(0,)),),
        ),
        [(None, 30, None)],
    ),
    "a share of the total, and of a part": (
        Plan(
            measures=(m("part", "commande.ca", transform="share"), m("dans", "commande.ca", transform="share", within="region")),
            dimensions=(d("region", "region.nom", via=("client_region",)), d("ville", "client.ville")), period=IN_2026,
        ),
        [("Nord", "Lyon", 0.6, 0.8), ("Nord", None, 0.15, 0.2), ("Sud", "Paris", 0.25, 1)],
    ),
    "the share of one city in all": (
        Plan(measures=(m("part", "commande.ca", filters=(f("client.ville", "eq", "Lyon"),), transform="share"),), period=IN_2026), [(0.6,)],
    ),
    "a running total": (
        Plan(measures=(CA, m("cumul", "commande.ca", transform="running_total")), dimensions=(d("mois", "commande.jour", "month"),), period=IN_2026),
        [(D(2026, 10, 1), 150, 150), (D(2026, 11, 1), 50, 200)],
    ),
    "how many clients have two orders or more": (
        Plan(measures=(NB,), dimensions=(d("client", "client.nom"),), having=(Having(measure="nb", op="ge", values=(2,)),), rollup=Rollup(function="count")),
        [(3,)],
    ),
    "the median of what clients spend": (
        Plan(measures=(CA,), dimensions=(d("client", "client.nom"),), rollup=Rollup(function="median", measure="ca")), [(43.5,)],
    ),
    "the mean of the two best": (
        Plan(measures=(CA,), dimensions=(d("client", "client.nom"),), limit=2, order=(Order(by="ca"),), rollup=Rollup(function="avg", measure="ca")),
        [(128.5,)],
    ),
    "the best of each region": (
        Plan(measures=(CA,), dimensions=(d("region", "region.nom", via=("client_region",)), d("client", "client.nom")), limit=1, limit_per="region"),
        [("Nord", "Durand", 200), ("Sud", "Durand", 57), (None, "Zoé", 3)],
    ),
    "the best, and who equals it": (
        Plan(measures=(NB,), dimensions=(d("ville", "client.ville"),), filters=(f("client.ville", "ne", "Lyon"),), limit=1, ties=True),
        [("LYON", 2), ("Paris", 2)],
    ),
    "a hidden measure orders": (
        Plan(measures=(NB, m("ca", "commande.ca", hidden=True)), dimensions=(d("ville", "client.ville"),), order=(Order(by="ca", descending=False),), limit=2),
        [("LYON", 2), (None, 1)],
    ),
    "bins come in order, NULL last": (
        Plan(measures=(NB,), dimensions=(d("tranche", "commande.montant", bins=(Decimal(50), Decimal(10))),)),
        [("moins de 10", 3), ("de 10 à moins de 50", 2), ("50 et plus", 3)],
    ),
    "working days": (Plan(measures=(NB,), filters=(f("commande.jour", "day_type", "working"),)), [(4,)]),
    "week-ends": (Plan(measures=(NB,), filters=(f("commande.jour", "day_type", "weekend"),)), [(2,)]),
    "holidays": (Plan(measures=(NB,), filters=(f("commande.jour", "day_type", "holiday"),), period=IN_2026), [(1,)]),
    "older than 30 days": (Plan(measures=(NB,), filters=(f("commande.jour", "older_than", span=RelativeTime(count=30)),)), [(3,)]),
    "within the last 30 days": (Plan(measures=(NB,), filters=(f("commande.jour", "within_last", span=RelativeTime(count=30)),)), [(3,)]),
    "a day of 25 hours, instants": (
        Plan(measures=(NB,), time="commande.instant", period=Between(start=D(2026, 10, 25), end=D(2026, 10, 25))), [(2,)],
    ),
    "a day of 25 hours, local timestamps": (Plan(measures=(NB,), filters=(f("commande.cree", "eq", "2026-10-25"),)), [(2,)]),
    "days of instants are those of Paris": (
        Plan(measures=(NB,), dimensions=(d("jour", "commande.instant", "day"),), filters=(f("commande.instant", "ge", "2026-10-01"),)),
        [(D(2026, 10, 24), 1), (D(2026, 10, 25), 2), (D(2026, 10, 26), 1)],
    ),
    "hours of instants are those of Paris": (
        Plan(measures=(NB,), dimensions=(d("heure", "commande.instant", "hour_of_day"),), filters=(f("commande.instant", "not_null"),)),
        [(0, 2), (12, 1), (23, 2)],
    ),
    "the first and the last": (
        Plan(measures=(m("a", aggregate="min", field="commande.jour"), m("b", aggregate="max", field="commande.instant"))),
        [(D(2025, 10, 31), dt.datetime.fromisoformat("2026-10-26"))],
    ),
    "a list": (
        Plan(kind="rows", entity="commande", columns=(ColumnItem(alias="date", field="commande.jour"), NAME), order=(Order(by="date"),), limit=3),
        [(D(2027, 1, 5), "Zoé"), (D(2026, 11, 14), "Durand"), (D(2026, 11, 11), "Élise")],
    ),
    "a list of a period, oldest first": (
        Plan(kind="rows", entity="commande", columns=(ColumnItem(alias="montant", field="commande.montant"),), order=(Order(by="montant", descending=False),), period=IN_2026),
        [(20,), (30,), (50,), (100,)],
    ),
    "each city once, as it is written": (
        Plan(kind="rows", entity="client", columns=(ColumnItem(alias="ville", field="client.ville"),), distinct=True, order=(Order(by="ville", descending=False),)),
        [("LYON",), ("Lyon",), ("Paris",), (None,)],
    ),
    "text is found without case and accents": (
        Plan(kind="rows", entity="client", columns=(NAME,), filters=(f("client.nom", "starts_with", "ELI"),)), [("Élise",)],
    ),
    "sauf keeps who has none": (
        Plan(kind="rows", entity="client", columns=(NAME,), filters=(f("client.ville", "not_in", "Lyon", "Paris"),)), [("Élise",), ("Zoé",)],
    ),
    "clients without an order for 60 days": (
        Plan(kind="rows", entity="client", columns=(NAME,), related=(Related(entity="commande", negated=True, via=("client_facture",),
             period=LastPeriod(count=60, unit="day", complete=False)),)),
        [("Zoé",)],
    ),
    "clients with fewer than two orders": (
        Plan(kind="rows", entity="client", columns=(NAME,), related=(Related(entity="commande", op="lt", value=2, via=("client_facture",)),)), [("Élise",)],
    ),
    "what clients who bought a table spend": (
        Plan(measures=(CA,), related=(Related(entity="ligne", of="client", filters=(f("produit.categorie", "eq", "Table"),), via=("client_facture",)),)), [(200,)],
    ),
    "orders that have a table": (
        Plan(measures=(CA,), related=(Related(entity="ligne", filters=(f("produit.categorie", "eq", "Table"),)),)), [(180,)],
    ),
    "one of two": (
        Plan(measures=(NB,), any_of=((f("client.ville", "eq", "Paris"), f("produit.categorie", "eq", "Table")),)), [(4,)],
    ),
    "dimensions alone": (Plan(dimensions=(d("ville", "client.ville"),), filters=(f("client.nom", "eq", "Durand"),)), [("Lyon",), ("Paris",)]),
    "a dimension that is an expression": (
        Plan(measures=(NB,), dimensions=(d("gros", "commande.gros"),)), [(0, 7), (1, 1)],
    ),
}  # fmt: skip


def close(found: list[tuple[Any, ...]], expected: list[tuple[Any, ...]]) -> bool:
    def same(left: Any, right: Any) -> bool:
        return abs(left - right) < 1e-3 if isinstance(left, float) and isinstance(right, float) else bool(left == right)

    return len(found) == len(expected) and all(
        all(map(same, a, b)) and len(a) == len(b) for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "duckdb"])
@pytest.mark.parametrize("name", CASES)
def test_case(engines: Engines, name: str, dialect: str) -> None:
    plan, expected = CASES[name]
    compiled = compile_plan(plan, LAYER, dialect=cast("Any", dialect), today=TODAY)
    again = Plan.model_validate_json(plan.model_dump_json())
    assert compile_plan(again, LAYER, dialect=cast("Any", dialect), today=TODAY) == compiled
    found = normal(engines[dialect, "shop"](compiled.sql))
    assert close(found, normal(expected)), f"{compiled.sql}\n{found}"
    assert all(len(row) == len(compiled.columns) for row in found)


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "duckdb"])
@pytest.mark.parametrize("name", CASES)
def test_the_guard_lets_it_pass_and_changes_nothing(engines: Engines, name: str, dialect: str) -> None:
    plan, expected = CASES[name]
    schema = {"postgres": "SELECT CURRENT_SCHEMA()", "mysql": "SELECT DATABASE()", "duckdb": "SELECT CURRENT_SCHEMA()"}[
        dialect
    ]
    tables = {name: {"columns": list(columns), "masked": [], "row_filter": None} for name, columns in TABLES.items()}
    policy = {"version": 1, "attributes": {}, "max_rows": 10_000, "tables": tables}
    policy["default_schema"] = engines[dialect, "shop"](schema)[0][0]
    compiled = compile_plan(plan, LAYER, dialect=cast("Any", dialect), today=TODAY)
    verdict = Guard(Policy.model_validate(policy), cast("Any", dialect)).check(compiled.sql)
    assert isinstance(verdict, Accepted), f"{verdict}\n{compiled.sql}"
    assert close(normal(engines[dialect, "shop"](verdict.sql)), normal(expected))


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "duckdb"])
@pytest.mark.parametrize(
    ("calendar", "grain", "expected"),
    [
        (Calendar(fiscal_year_start=10), "fiscal_year", [(2026, 81), (2027, 202)]),
        (Calendar(fiscal_year_start=10, fiscal_year_named_by="start"), "fiscal_year", [(2025, 81), (2026, 202)]),
        (Calendar(), "fiscal_year", [(2025, 81), (2026, 200), (2027, 2)]),
        (Calendar(fiscal_year_start=12), "fiscal_quarter", [(D(2025, 9, 1), 80), (D(2025, 12, 1), 1), (D(2026, 9, 1), 200), (D(2026, 12, 1), 2)]),
        (Calendar(week_start="sunday"), "week", [(D(2025, 10, 26), 80), (D(2025, 12, 28), 1), (D(2026, 10, 4), 100), (D(2026, 10, 25), 50), (D(2026, 11, 8), 50), (D(2027, 1, 3), 2)]),
        (Calendar(), "week", [(D(2025, 10, 27), 80), (D(2025, 12, 29), 1), (D(2026, 10, 5), 100), (D(2026, 10, 19), 50), (D(2026, 11, 9), 50), (D(2027, 1, 4), 2)]),
        (Calendar(), "semester", [(D(2025, 7, 1), 81), (D(2026, 7, 1), 200), (D(2027, 1, 1), 2)]),
        (Calendar(), "day_of_week", [(1, 100), (2, 3), (3, 30), (5, 80), (6, 20), (7, 50)]),
    ],
)  # fmt: skip
def test_calendar(engines: Engines, calendar: Calendar, grain: Any, expected: list[tuple[Any, ...]], dialect: str) -> None:
    layer = LAYER.model_copy(update={"calendar": calendar})
    plan = Plan(measures=(CA,), dimensions=(d("t", "commande.jour", grain),), filters=(f("commande.jour", "not_null"),))
    compiled = compile_plan(plan, layer, dialect=cast("Any", dialect), today=TODAY)
    assert normal(engines[dialect, "shop"](compiled.sql)) == normal(expected)
    assert compiled.columns[0].grain == grain
