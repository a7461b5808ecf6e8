from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
import sqlglot

from datapilot_kernel.answers.reading import read_plan
from datapilot_kernel.answers.sql_reading import read_sql
from datapilot_kernel.answers.wording import describe_period
from datapilot_kernel.plan.compiled import DateRange
from datapilot_kernel.plan.model import (
    AllTime,
    Between,
    CalendarPeriod,
    Comparison,
    Filter,
    Having,
    LastPeriod,
    MeasureItem,
    Order,
    Plan,
    Related,
    RelativeTime,
    Rollup,
    ToDate,
)
from datapilot_kernel.semantic.model import Entity, Join, Measure
from tests.unit.answers.results import BY_MONTH, BY_REGION, CA, FR, LAYER, MAY, MAY_2025, plan, result


def read(of_plan: Plan, **more: object) -> dict[str, str]:
    compiled, _, _ = result([CA], [], **more)  # type: ignore[arg-type]
    parts = read_plan(of_plan, LAYER, compiled, FR)
    assert len({p.path for p in parts}) == len(parts)
    return {p.path: f"{p.label} | {p.value}".replace("\u00a0", " ").replace("\u202f", " ") for p in parts}


def test_every_part_of_a_plan_is_read() -> None:
    whole = plan(
        dimensions=(BY_REGION, BY_MONTH),
        filters=(
            Filter(field="commande.statut", op="ne", values=("EXP",)),
            Filter(field="commande.region", op="in", values=("Bretagne", "Corse"), typed=("bretgne", "Corse")),
            Filter(field="commande.montant", op="between", values=(10, Decimal("20.5"))),
            Filter(field="client.ville", op="is_null"),
        ),
        any_of=((Filter(field="client.ville", values=("Lyon",)), Filter(field="commande.ville", values=("Lyon",))),),
        having=(Having(measure="ca", op="gt", values=(1000,)),),
        period=CalendarPeriod(unit="month", offset=-1),
        comparison=Comparison(kind="previous_year"),
        order=(Order(by="ca"),),
        limit=3,
        limit_per="mois",
    )
    assert read(whole, period=MAY, previous=MAY_2025) == {
        "/measures/0": "Mesure | Chiffre d’affaires",
        "/dimensions/0": "Par | Région",
        "/dimensions/1": "Par | Mois (date de commande)",
        "/filters/0": "Statut | ≠ expédiée",
        "/filters/1": "Région | Bretagne ou Corse (tapé « bretgne »)",
        "/filters/2": "Montant HT | entre 10,00 € et 20,50 €",
        "/filters/3": "Ville (client) | non renseigné",
        "/any_of/0": "L’un ou l’autre | ville (client) = Lyon ou ville (commande) = Lyon",
        "/having/0": "Chiffre d’affaires | > 1 000,00 €",
        "/period": "Période | mai 2026",
        "/comparison": "Comparé à | mai 2025",
        "/order/0": "Tri | chiffre d’affaires, du plus grand au plus petit",
        "/limit": "Limite | les 3 premiers pour chaque mois (date de commande)",
        "/ignored_defaults/commande": "Par défaut | Commandes : statut ≠ annulée et montant HT > 0,00 €",
    }


def test_default_filters_behind_a_formula_are_told_and_left_out_ones_are_not() -> None:
    formula = Plan(measures=(MeasureItem(alias="p", measure="commande.panier"),))
    assert "/ignored_defaults/commande" in read(formula)
    assert "/ignored_defaults/commande" not in read(formula.model_copy(update={"ignored_defaults": ("commande",)}))


def test_a_quarter_is_read_with_its_days() -> None:
    quarter = DateRange(date(2026, 4, 1), date(2026, 7, 1), "T2 2026")
    period = CalendarPeriod(unit="quarter", number=2, year=2026)
    assert read(plan(period=period), period=quarter)["/period"] == "Période | T2 2026 (du 01/04/2026 au 30/06/2026)"


def test_details_follow_the_default_filters_of_their_event() -> None:
    line = Entity(table="lignes", label="Ligne", measures={"qte": Measure(expression="SUM(qte)", label="Quantité")})
    join = Join(from_entity="ligne", from_columns=("c",), to_entity="commande", to_columns=("id",))
    layer = LAYER.model_copy(update={"entities": LAYER.entities | {"ligne": line}, "joins": LAYER.joins | {"l": join}})
    parts = read_plan(Plan(measures=(MeasureItem(alias="q", measure="ligne.qte"),)), layer, None, FR)
    assert "/ignored_defaults/commande" in {p.path for p in parts}


def test_a_list_without_related_rows() -> None:
    listed = Plan(
        kind="rows",
        entity="client",
        related=(Related(entity="commande", negated=True, period=LastPeriod(count=6, unit="month", complete=False)),),
        filters=(Filter(field="client.nom", op="older_than", span=RelativeTime(count=30)),),
    )
    parts = read(listed)
    assert parts["/entity"] == "Liste | Clients"
    assert parts["/related/0"] == "Lien | sans commandes (6 mois glissants)"
    assert parts["/filters/0"] == "Nom | depuis plus de 30 jours"


def test_the_way_that_was_taken_is_said() -> None:
    labelled = LAYER.joins["c"].model_copy(update={"label": "client livré"})
    layer = LAYER.model_copy(update={"joins": {"c": labelled}})
    by_client = BY_REGION.model_copy(update={"field": "client.nom", "via": ("c",)})
    parts = read_plan(plan(dimensions=(by_client,)), layer, None, FR)
    assert "Nom (client livré)" in [p.value for p in parts]


def test_an_order_is_said_as_what_it_orders() -> None:
    orders = (Order(by="mois", descending=False), Order(by="region", descending=True))
    parts = read(plan(dimensions=(BY_MONTH, BY_REGION), order=orders))
    assert parts["/order/0"] == "Tri | mois (date de commande), du plus ancien au plus récent"
    assert parts["/order/1"] == "Tri | région, de Z à A"


def test_rollup_transform_and_measure_filters() -> None:
    item = MeasureItem(
        alias="ca", measure="commande.ca", transform="share", filters=(Filter(field="commande.region", values=("Corse",)),)
    )
    parts = read(Plan(measures=(item,), dimensions=(BY_REGION,), rollup=Rollup(function="count")))
    assert parts["/measures/0"] == "Mesure | Chiffre d’affaires (part du total) (région = Corse)"
    assert parts["/rollup"] == "Puis | Nombre de lignes"


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        (CalendarPeriod(unit="month", offset=-1), "le mois dernier"),
        (CalendarPeriod(unit="quarter", number=2, year=2025), "T2 2025"),
        (CalendarPeriod(unit="month", number=5, year_offset=-1), "mai de l’an dernier"),
        (CalendarPeriod(unit="fiscal_year", year=2025), "exercice 2025"),
        (CalendarPeriod(unit="month", offset=-3), "il y a 3 mois"),
        (LastPeriod(count=12, unit="month", complete=False), "12 mois glissants"),
        (ToDate(unit="year"), "depuis le début de l’année"),
        (Between.model_validate({"start": "2026-01-01", "end": "2026-01-31"}), "du 01/01/2026 au 31/01/2026"),
        (AllTime(), "toutes les dates"),
    ],
)
def test_periods_as_they_were_asked(period: object, expected: str) -> None:
    assert describe_period(period, FR) == expected  # type: ignore[arg-type]


# ── SQL ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_statement(sql: str) -> list[str]:
    parts = read_sql(sqlglot.parse_one(sql, read="postgres"), LAYER, FR, "postgres")
    assert not any(p.editable for p in parts)
    return [f"{p.label} | {p.value}".replace("\u00a0", " ").replace("\u202f", " ") for p in parts]


def test_sql_is_read_in_the_words_of_the_layer() -> None:
    sql = """
        SELECT c.region, SUM(c.mt_ht) AS total, COUNT(*) AS n FROM commandes AS c
        WHERE c.statut <> 'ANN' AND c.region IN ('Bretagne', 'Corse') AND c.date_commande >= '2026-05-01'
          AND NOT c.ville IS NULL AND c.mt_ht BETWEEN 10 AND 20
        GROUP BY 1 HAVING SUM(c.mt_ht) > 1000 ORDER BY total DESC LIMIT 5"""
    assert read_statement(sql) == [
        "Tables | Commandes",
        "Mesure | Somme (montant HT)",
        "Mesure | Nombre de lignes",
        "Par | Région",
        "Condition | Statut ≠ annulée",
        "Condition | Région = Bretagne ou Corse",
        "Condition | Date de commande ≥ 01/05/2026",
        "Condition | Ville : renseigné",
        "Condition | Montant HT entre 10,00 € et 20,00 €",
        "Condition | Somme (montant HT) > 1000",
        "Tri | total, du plus grand au plus petit",
        "Limite | les 5 premiers",
    ]


def test_the_guards_subquery_is_the_table_it_stands_for_and_its_row_filter_is_not_shown() -> None:
    sql = """
        SELECT region FROM (SELECT region, NULL AS email FROM public.commandes WHERE tenant_id = 't1') AS commandes
        WHERE region = 'Corse'"""
    assert read_statement(sql) == ["Tables | Commandes", "Condition | Région = Corse"]


@pytest.mark.parametrize(
    "sql",
    [
        "WITH x AS (SELECT 1 AS a) SELECT * FROM x",
        "SELECT 1 UNION ALL SELECT 2",
        "SELECT CASE WHEN a THEN 1 END FROM inconnue WHERE EXISTS (SELECT 1 FROM commandes) OR a LIKE '%x%'",
    ],
)
def test_any_statement_can_be_read(sql: str) -> None:
    assert isinstance(read_statement(sql), list)
