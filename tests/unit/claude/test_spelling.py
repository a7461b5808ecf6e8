"""Values as a model wrote them, and as they are stored."""

from __future__ import annotations

from typing import Any

import pytest

from datapilot_kernel.catalog.values import ValueIndex
from datapilot_kernel.nl2sql.claude.spelling import settle_plan, settle_sql
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.semantic import load_layer
from tests.unit.claude.conftest import LAYER, by_city

LAYER_READ = load_layer(LAYER)
VALUES = ValueIndex(
    {
        "magasins.ville": ["Grenoble", "Saint-Égrève", "L'Isle-d'Abeau", "Vienne"],
        "magasins.nom": ["Comptoir Grenoble", "Grand Bazar", "Petit Bazar"],
        "magasins.etat": ["O", "F"],
    }
)


def plan(**one: Any) -> Plan:
    return Plan.model_validate(by_city(filters=[one]))


@pytest.mark.parametrize(
    ("given", "exact", "loose"),
    [
        ("Grenoble", "Grenoble", "Grenoble"),
        ("GRENOBLE", "Grenoble", "Grenoble"),
        ("saint egreve", "Saint-Égrève", "Saint-Égrève"),
        ("Grenobel", "Grenobel", "Grenoble"),
        ("Égrève", "Égrève", "Saint-Égrève"),
        ("Chambéry", "Chambéry", "Chambéry"),
    ],
)
def test_a_plans_value(given: str, exact: str, loose: str) -> None:
    for loosely, expected in ((False, exact), (True, loose)):
        settled, changes = settle_plan(plan(field="magasins.ville", values=[given]), LAYER_READ, VALUES, loosely=loosely)
        assert settled.filters[0].values == (expected,)
        assert bool(changes.made) is (expected != given)


def test_what_two_values_could_mean_is_left_alone() -> None:
    given = plan(field="magasins.nom", values=["Bazar"])
    assert settle_plan(given, LAYER_READ, VALUES, loosely=True)[0] == given


def test_a_label_of_the_layer_is_its_code_and_other_conditions_stay() -> None:
    assert settle_plan(plan(field="magasins.etat", values=["ouvert"]), LAYER_READ, VALUES, loosely=False)[0].filters[
        0
    ].values == ("O",)
    for op in ("contains", "starts_with"):
        given = plan(field="magasins.ville", op=op, values=["grenoble"])
        assert settle_plan(given, LAYER_READ, VALUES, loosely=True)[0] == given


def test_filters_of_measures_and_of_related_rows_too() -> None:
    one = {"field": "magasins.ville", "values": ["vienne"]}
    given = Plan.model_validate(
        {
            "kind": "rows", "entity": "clients", "columns": [{"alias": "s", "field": "clients.segment"}],
            "related": [{"entity": "ventes", "filters": [one]}], "any_of": [[one, one]],
        }
    )  # fmt: skip
    settled, _ = settle_plan(given, LAYER_READ, VALUES, loosely=False)
    assert settled.related[0].filters[0].values == ("Vienne",)
    assert [f.values for f in settled.any_of[0]] == [("Vienne",), ("Vienne",)]


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "duckdb"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("SELECT 1 FROM magasins WHERE ville = 'grenoble'", "SELECT 1 FROM magasins WHERE ville = 'Grenoble'"),
        ("SELECT 1 FROM magasins m WHERE 'vienne' <> m.ville", "SELECT 1 FROM magasins m WHERE 'Vienne' <> m.ville"),
        (
            "SELECT 1 FROM magasins WHERE ville IN ('vienne', 'Paris')",
            "SELECT 1 FROM magasins WHERE ville IN ('Vienne', 'Paris')",
        ),
        (
            "SELECT 1 FROM magasins WHERE ville = 'l''isle d''abeau'",
            "SELECT 1 FROM magasins WHERE ville = 'L''Isle-d''Abeau'",
        ),
        ("SELECT 1 FROM magasins WHERE LOWER(ville) = 'grenoble'", None),
        ("SELECT 1 FROM magasins WHERE ville LIKE 'grenoble'", None),
        ("SELECT 'grenoble' FROM magasins WHERE ville = 'grenoble'", None),
        ("SELECT 1 FROM magasins WHERE autre = 'grenoble'", None),
        ("SELECT 1 FROM magasins WHERE ville = ", None),
        ("SELECT 1 FROM magasins WHERE nom REGEXP 'x' AND ville = 'Vienne'", None),
    ],
)
def test_a_statements_literal(dialect: Any, given: str, expected: str | None) -> None:
    settled, changes = settle_sql(given, dialect, LAYER_READ, VALUES, loosely=False)
    assert settled == (expected or given), "what is not changed is the text that came, to the letter"
    assert bool(changes.made) is (expected is not None)
