"""Plans that cannot be computed on a layer: refused with a reason and a sentence, never computed wrongly."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlglot import exp, parse_one

from datapilot_kernel.messages import set_language
from datapilot_kernel.plan.compiler import compile_plan
from datapilot_kernel.plan.model import (
    CalendarPeriod,
    ColumnItem,
    Comparison,
    DimensionItem,
    Filter,
    Having,
    MeasureItem,
    Order,
    Plan,
    Related,
)
from datapilot_kernel.plan.problems import AmbiguousPath, PlanProblem
from datapilot_kernel.plan.validate import validate_plan
from datapilot_kernel.semantic.model import Layer
from tests.integration.shop import LAYER

TODAY = date(2026, 11, 22)
YEAR = CalendarPeriod(unit="year")


def m(alias: str, measure: str | None = None, **more: Any) -> MeasureItem:
    return MeasureItem(alias=alias, measure=measure, **more)


def d(alias: str, field: str, grain: Any = None, **more: Any) -> DimensionItem:
    return DimensionItem(alias=alias, field=field, grain=grain, **more)


def f(field: str, op: Any, *values: Any, **more: Any) -> Filter:
    return Filter(field=field, op=op, values=values, **more)


CA = m("ca", "commande.ca")
CITY = d("ville", "client.ville")
MONTH = d("mois", "commande.jour", "month")

PROBLEMS: dict[str, tuple[Plan, str, str]] = {
    "orders by product": (Plan(measures=(CA,), dimensions=(d("p", "produit.nom"),)), "measure_dimension_not_reachable", "« Quantité »"),
    "an average by product": (
        Plan(measures=(m("a", aggregate="avg", field="commande.montant"),), dimensions=(d("p", "produit.nom"),)), "measure_dimension_not_reachable", "Produit",
    ),
    "an objective by city": (Plan(measures=(CA, m("o", "objectif.objectif")), dimensions=(CITY,)), "measure_dimension_not_reachable", "Objectif"),
    "an objective of a city": (Plan(measures=(m("o", "objectif.objectif"),), filters=(f("client.ville", "eq", "Lyon"),)), "filter_not_reachable", "Objectif"),
    "stock of a client": (Plan(measures=(m("s", "stock.stock"),), filters=(f("client.ville", "eq", "Lyon"),)), "filter_not_reachable", "Stock"),
    "no such measure": (Plan(measures=(m("x", "commande.rien"),)), "unknown_reference", "commande.rien"),
    "no such dimension": (Plan(measures=(CA,), dimensions=(d("x", "client.rien"),)), "unknown_reference", "client.rien"),
    "no such entity": (Plan(measures=(m("x", aggregate="count", entity="rien"),)), "unknown_reference", "rien"),
    "no such join": (Plan(measures=(CA,), dimensions=(d("v", "client.ville", via=("rien",)),)), "unknown_join", "rien"),
    "a column that is a measure": (Plan(kind="rows", entity="commande", columns=(ColumnItem(alias="x", field="commande.ca"),)), "unknown_reference", "commande.ca"),
    "a column with several values": (Plan(kind="rows", entity="client", columns=(ColumnItem(alias="x", field="commande.montant"),)), "column_not_reachable", "Montant"),
    "a list of nothing": (Plan(kind="rows", entity="client"), "empty_list", "colonne"),
    "clients have no date": (Plan(measures=(m("n", "client.nb_clients"),), period=YEAR), "time_missing", "Clients"),
    "a list of clients of a year": (Plan(kind="rows", entity="client", columns=(ColumnItem(alias="x", field="client.nom"),), period=YEAR), "time_missing", "Client"),
    "grain of a text": (Plan(measures=(CA,), dimensions=(d("v", "client.ville", "month"),)), "not_a_date", "Ville"),
    "hours of a date": (Plan(measures=(CA,), dimensions=(d("h", "commande.jour", "hour_of_day"),)), "grain_not_possible", "Date"),
    "bins of a text": (Plan(measures=(CA,), dimensions=(d("v", "client.ville", bins=(1,)),)), "not_a_number", "Ville"),
    "sum of a text": (Plan(measures=(m("s", aggregate="sum", field="client.ville"),)), "not_a_number", "Ville"),
    "sum of rows": (Plan(measures=(m("s", aggregate="sum", entity="client"),)), "not_a_number", "Client"),
    "a filter without values": (Plan(measures=(CA,), filters=(f("client.ville", "eq"),)), "bad_filter", "Ville"),
    "between one value": (Plan(measures=(CA,), filters=(f("commande.montant", "between", 1),)), "bad_filter", "Montant"),
    "older than nothing": (Plan(measures=(CA,), filters=(f("commande.jour", "older_than"),)), "bad_filter", "Date"),
    "older than, of a text": (Plan(measures=(CA,), filters=(Filter(field="client.ville", op="day_type", values=("weekend",)),)), "not_a_date", "Ville"),
    "a number that is none": (Plan(measures=(CA,), filters=(f("commande.montant", "gt", "beaucoup"),)), "bad_value", "beaucoup"),
    "a number without end": (Plan(measures=(CA,), filters=(f("commande.montant", "gt", "NaN"),)), "bad_value", "NaN"),
    "a date that is none": (Plan(measures=(CA,), filters=(f("commande.jour", "gt", "hier"),)), "bad_value", "hier"),
    "a kind of day that is none": (Plan(measures=(CA,), filters=(f("commande.jour", "day_type", "lundi"),)), "bad_value", "lundi"),
    "yes or no that is neither": (Plan(measures=(CA,), filters=(f("commande.gros", "eq", "peut-être"),)), "bad_value", "peut-être"),
    "share of a mean": (Plan(measures=(m("s", "commande.panier", transform="share"),), dimensions=(CITY,)), "share_not_additive", "Panier"),
    "share of a median": (Plan(measures=(m("s", "commande.mediane", transform="share"),), dimensions=(CITY,)), "share_not_additive", "Médiane"),
    "share of a distinct count": (
        Plan(measures=(m("s", aggregate="count_distinct", field="commande.statut", transform="share"),), dimensions=(CITY,)), "share_not_additive", "statut",
    ),
    "running total without time": (Plan(measures=(m("s", "commande.ca", transform="running_total"),), dimensions=(CITY,)), "running_total_needs_time", "cumul"),
    "running total of a mean": (Plan(measures=(m("s", "commande.panier", transform="running_total"),), dimensions=(MONTH,)), "running_total_not_additive", "Panier"),
    "running total of a stock": (
        Plan(measures=(m("s", "stock.stock", transform="running_total"),), dimensions=(d("m", "stock.jour", "month"),)), "running_total_not_additive", "Stock",
    ),
    "comparison without a period": (Plan(measures=(CA,), comparison=Comparison(kind="previous_year")), "comparison_needs_period", "période"),
    "comparison of two grains": (
        Plan(measures=(CA,), dimensions=(MONTH, d("a", "commande.jour", "year")), comparison=Comparison(kind="previous_year"), period=YEAR), "comparison_not_aligned", "périodes",
    ),
    "order by a difference without a comparison": (Plan(measures=(CA,), order=(Order(by="ca", part="growth"),)), "unknown_alias", "ca"),
    "condition on a difference without a comparison": (Plan(measures=(CA,), having=(Having(measure="ca", part="growth", op="gt", values=(0,)),)), "unknown_alias", "ca"),
    "within what is not there": (Plan(measures=(m("s", "commande.ca", transform="share", within="x"),), dimensions=(CITY,)), "unknown_alias", "x"),
    "a 13th month": (Plan(measures=(CA,), period=CalendarPeriod(unit="month", number=13)), "period_not_possible", "période"),
    "dimensions that nothing links": (Plan(dimensions=(d("m", "objectif.mois", "month"), d("p", "produit.nom"))), "no_join_path", "Produit"),
    "related that nothing links": (
        Plan(kind="rows", entity="produit", columns=(ColumnItem(alias="x", field="produit.nom"),), related=(Related(entity="objectif"),)), "related_not_reachable", "Objectif",
    ),
}  # fmt: skip


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "duckdb"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_refused(name: str, dialect: Any) -> None:
    plan, reason, words = PROBLEMS[name]
    with pytest.raises(PlanProblem) as caught:
        compile_plan(plan, LAYER, dialect=dialect, today=TODAY)
    assert caught.value.reason == reason
    assert words in str(caught.value)
    set_language("en")
    try:
        assert caught.value.message != str(caught.value)
    finally:
        set_language("fr")


def test_two_ways_are_a_question_and_each_answer_compiles() -> None:
    plan = Plan(measures=(CA,), dimensions=(d("region", "region.nom"),))
    with pytest.raises(AmbiguousPath) as caught:
        compile_plan(plan, LAYER, dialect="postgres", today=TODAY)
    found = {}
    for choice in caught.value.candidates:
        chosen = plan.model_copy(update={"dimensions": (d("region", "region.nom", via=choice.joins),)})
        found[choice.label] = compile_plan(chosen, LAYER, dialect="postgres", today=TODAY).sql
    assert len(set(found.values())) == 2


def test_a_good_plan_is_valid_and_says_nothing() -> None:
    validate_plan(Plan(measures=(CA,), dimensions=(MONTH, CITY)), LAYER)


def layer_with(**changes: Any) -> Layer:
    data = LAYER.model_dump(mode="json")
    for path, value in changes.items():
        entity, _, name = path.partition("__")
        data["entities"][entity]["measures"][name] = {"label": name, **value}
    return Layer.model_validate(data)


@pytest.mark.parametrize(
    "expression",
    [
        "SUM(montant",
        "SELECT 1",
        "(SELECT MAX(montant) FROM commandes)",
        "SUM(montant); DROP TABLE x",
        "DELETE FROM commandes",
    ],
)
def test_expressions_that_are_none(expression: str) -> None:
    layer = layer_with(commande__mauvaise={"expression": expression})
    with pytest.raises(PlanProblem) as caught:
        compile_plan(Plan(measures=(m("x", "commande.mauvaise"),)), layer, dialect="postgres", today=TODAY)
    assert caught.value.reason == "bad_expression"


def test_an_aggregate_that_nobody_knows_cannot_be_narrowed() -> None:
    """What cannot be made to look at fewer rows is refused: unfiltered, it would be a wrong number."""
    layer = layer_with(commande__secret={"expression": "MON_AGREGAT(montant)"})
    plain = Plan(measures=(m("x", "commande.secret"),))
    assert "MON_AGREGAT" in compile_plan(plain, layer, dialect="postgres", today=TODAY).sql
    narrowed = Plan(measures=(CA, m("x", "commande.secret", filters=(f("client.ville", "eq", "Lyon"),))))
    with pytest.raises(PlanProblem) as caught:
        compile_plan(narrowed, layer, dialect="postgres", today=TODAY)
    assert caught.value.reason == "unsupported_expression"
    rounded = layer_with(commande__arrondi={"expression": "MON_ARRONDI(SUM(montant))"})
    kept = Plan(measures=(CA, m("x", "commande.arrondi", filters=(f("client.ville", "eq", "Lyon"),))))
    assert "SUM(CASE WHEN" in compile_plan(kept, rounded, dialect="postgres", today=TODAY).sql


def test_a_formula_that_goes_round() -> None:
    layer = layer_with(commande__a={"formula": "{b} + 1"}, commande__b={"formula": "{a} * 2"})
    with pytest.raises(PlanProblem) as caught:
        compile_plan(Plan(measures=(m("x", "commande.a"),)), layer, dialect="postgres", today=TODAY)
    assert caught.value.reason == "formula_cycle"


def test_a_formula_of_what_is_not_there() -> None:
    layer = layer_with(commande__a={"formula": "{rien} + 1"})
    with pytest.raises(PlanProblem) as caught:
        compile_plan(Plan(measures=(m("x", "commande.a"),)), layer, dialect="postgres", today=TODAY)
    assert caught.value.reason == "unknown_reference"


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "duckdb"])
@pytest.mark.parametrize("value", ["l'eau", 'a"b', "a\\", "\\'; DROP TABLE x; --", "100%", "_", "é", "a!b", "{x}", ""])
@pytest.mark.parametrize("op", ["eq", "contains", "ne", "in"])
def test_a_value_stays_a_value(value: str, op: Any, dialect: Any) -> None:
    """Whatever is in a value, it comes back from the statement as one literal."""
    sql = compile_plan(
        Plan(measures=(CA,), filters=(f("client.ville", op, value),)), LAYER, dialect=dialect, today=TODAY
    ).sql
    literals = [node.this for node in parse_one(sql, read=dialect).find_all(exp.Literal) if node.is_string]
    if op == "contains":
        folded = value if dialect == "mysql" else value.replace("é", "e").lower()
        wanted = "".join(f"!{c}" if c in "!%_\\" else c for c in folded)
        assert f"%{wanted}%" in literals
    else:
        assert value in literals


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "duckdb"])
def test_names_of_the_database_are_kept(dialect: Any) -> None:
    layer = Layer.model_validate({
        "name": "t",
        "entities": {
            "order": {"table": "main.Journal des ventes", "label": "Vente", "key": ["N° pièce"],
                      "dimensions": {"group": {"column": "Libellé", "label": "Libellé"}},
                      "measures": {"rank": {"expression": 'SUM("Montant HT")', "label": "Montant"}}},
        },
    })  # fmt: skip
    plan = Plan(measures=(m("select", "order.rank"),), dimensions=(d("from", "order.group"),))
    tree = parse_one(compile_plan(plan, layer, dialect=dialect, today=TODAY).sql, read=dialect)
    assert tree.named_selects == ["from", "select"]
    assert {column.name for column in tree.find_all(exp.Column)} >= {"Montant HT", "Libellé"}
    table = tree.find(exp.Table)
    assert table is not None
    assert (table.db, table.name) == ("main", "Journal des ventes")


def test_notes_say_what_is_not_over() -> None:
    compiled = compile_plan(Plan(measures=(CA,), period=YEAR), LAYER, dialect="postgres", today=TODAY)
    assert compiled.notes == ("La période n’est pas terminée : les chiffres vont jusqu’au 22 novembre 2026.",)
    assert compiled.period is not None
    assert compiled.period.label == "2026"
    over = compile_plan(
        Plan(measures=(CA,), period=CalendarPeriod(unit="year", year=2025)), LAYER, dialect="postgres", today=TODAY
    )
    assert over.notes == ()


def test_a_comparison_says_with_what() -> None:
    plan = Plan(measures=(CA,), period=CalendarPeriod(unit="month", number=5), comparison=Comparison(kind="previous_year"))
    compiled = compile_plan(plan, LAYER, dialect="postgres", today=TODAY)
    assert compiled.previous is not None
    assert compiled.previous.label == "mai 2025"
    assert [(column.name, column.role, column.of, column.label) for column in compiled.columns] == [
        ("ca", "measure", None, "CA"),
        ("ca_previous", "previous", "ca", "CA (mai 2025)"),
        ("ca_difference", "difference", "ca", "Écart de CA"),
        ("ca_growth", "growth", "ca", "Évolution de CA"),
    ]
