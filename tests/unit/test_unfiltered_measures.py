"""Measures for which the default filters do not hold: a rate of cancellation counts the cancelled orders too."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest
from pydantic import ValidationError

from datapilot_kernel.answers.reading import counted_entities
from datapilot_kernel.plan.compiler import compile_plan
from datapilot_kernel.plan.model import CalendarPeriod, Comparison, DimensionItem, Filter, MeasureItem, Plan
from datapilot_kernel.semantic.model import Layer, Measure

LAYER = Layer.model_validate(
    {
        "name": "Ventes",
        "status": "accepted",
        "sql_dialect": "duckdb",
        "entities": {
            "ordre": {
                "table": "ordre",
                "label": "ordre",
                "key": ["id"],
                "time": "jour",
                "default_filters": ["etat <> 'X'"],
                "dimensions": {
                    "jour": {"column": "jour", "type": "date", "label": "jour"},
                    "etat": {"column": "etat", "label": "état"},
                    "canal": {"column": "canal", "label": "canal"},
                },
                "measures": {
                    "nombre": {"expression": "COUNT(*)", "label": "nombre"},
                    "tous": {"expression": "COUNT(*)", "label": "tous", "unfiltered": True},
                    "annules": {"expression": "COUNT(*)", "filter": "etat = 'X'", "label": "annulés", "unfiltered": True},
                    "taux": {"formula": "{annules} / {tous}", "label": "taux", "additivity": "non_additive"},
                },
            },
            "ligne": {
                "table": "ligne",
                "label": "ligne",
                "key": ["id"],
                "measures": {
                    "pieces": {"expression": "SUM(qte)", "label": "pièces"},
                    "demandees": {"expression": "SUM(qte)", "label": "pièces demandées", "unfiltered": True},
                },
            },
        },
        "joins": {
            "vers": {"from_entity": "ligne", "from_columns": ["id_ordre"], "to_entity": "ordre", "to_columns": ["id"]}
        },
    }
)
TODAY = date(2026, 6, 17)


@pytest.fixture(scope="module")
def base() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE ordre AS SELECT * FROM (VALUES"
        " (1, DATE '2026-05-01', 'X', 'web'), (2, DATE '2026-05-02', 'A', 'web'), (3, DATE '2026-05-03', 'A', 'web'),"
        " (4, DATE '2026-05-04', 'B', 'web'), (5, DATE '2026-05-05', 'A', 'mag'), (6, DATE '2025-05-05', 'X', 'mag'),"
        " (7, DATE '2025-05-06', 'A', 'mag')) t(id, jour, etat, canal)"
    )
    connection.execute("CREATE TABLE ligne AS SELECT * FROM (VALUES (1, 1, 10), (2, 2, 5), (3, 6, 7)) t(id, id_ordre, qte)")
    return connection


def _run(base: duckdb.DuckDBPyConnection, plan: Plan) -> list[tuple[object, ...]]:
    return base.execute(compile_plan(plan, LAYER, dialect="duckdb", today=TODAY).sql).fetchall()


def _items(*names: str) -> tuple[MeasureItem, ...]:
    return tuple(
        MeasureItem(alias=name, measure=f"{'ligne' if name in ('pieces', 'demandees') else 'ordre'}.{name}")
        for name in names
    )


def test_its_rows_are_all_rows_and_the_others_keep_their_filter(base: duckdb.DuckDBPyConnection) -> None:
    period = CalendarPeriod(unit="year", year=2026)
    plan = Plan(
        measures=_items("taux", "nombre"), dimensions=(DimensionItem(alias="canal", field="ordre.canal"),), period=period
    )
    assert sorted(_run(base, plan), key=str) == [("mag", 0.0, 1), ("web", 0.25, 3)]


def test_conditions_of_the_question_hold(base: duckdb.DuckDBPyConnection) -> None:
    plan = Plan(measures=_items("tous", "nombre"), filters=(Filter(field="ordre.canal", values=("mag",)),))
    assert _run(base, plan) == [(3, 2)]


def test_the_filters_of_the_event_that_dates_it_do_not_hold_either(base: duckdb.DuckDBPyConnection) -> None:
    assert _run(base, Plan(measures=_items("pieces", "demandees"))) == [(5, 22)]


def test_it_is_compared_unfiltered_too(base: duckdb.DuckDBPyConnection) -> None:
    plan = Plan(
        measures=_items("taux"), period=CalendarPeriod(unit="year", year=2026), comparison=Comparison(kind="previous_year")
    )
    assert _run(base, plan)[0][:2] == (0.2, 0.5)


def test_the_reading_says_no_default_filter_of_what_has_none() -> None:
    assert counted_entities(Plan(measures=_items("taux")), LAYER, filtered=True) == []
    assert counted_entities(Plan(measures=_items("taux")), LAYER) == ["ordre"]
    assert counted_entities(Plan(measures=_items("taux", "nombre")), LAYER, filtered=True) == ["ordre"]


def test_a_formula_says_it_of_its_parts() -> None:
    with pytest.raises(ValidationError, match="unfiltered"):
        Measure(formula="{a} / {b}", label="taux", unfiltered=True)
