"""Approved questions: equal but for values and periods, or not equal."""

from __future__ import annotations

from datetime import date

import pytest

from datapilot_kernel.catalog.values import ValueIndex
from datapilot_kernel.engine import Answer
from datapilot_kernel.nl2sql.local import LocalEngine
from datapilot_kernel.nl2sql.verified import Approved, ApprovedQuestions
from datapilot_kernel.plan.compact import compact_plan
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.semantic.model import Layer
from tests.model_server import ModelServer
from tests.unit.claude.conftest import Make, by_city

TODAY = date(2026, 6, 17)
VALUES = ValueIndex({"magasins.ville": ["Grenoble", "Voiron"], "magasins.nom": ["Halle Centrale"], "clients.segment": ["Fidèle", "Nouveau"]})  # fmt: skip


@pytest.fixture(scope="module")
def local(layer: Layer) -> LocalEngine:
    return LocalEngine(layer, VALUES)


def approved(question: str, **more: object) -> Approved:
    return Approved(question, Plan.model_validate(by_city(**more)))


STORE = ApprovedQuestions(
    [
        approved("le palmarès pondéré de Grenoble le mois dernier", filters=[{"field": "magasins.ville", "values": ["Grenoble"]}]),
        approved("la tendance des fidèles", filters=[{"field": "clients.segment", "values": ["Fidèle"]}]),
        approved("activité d'hier", period={"kind": "calendar", "unit": "year", "offset": 0}),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("question", "changed"),
    [
        ("le palmarès pondéré de Grenoble le mois dernier", {}),
        ("Palmarès PONDÉRÉ de grenoble, le mois dernier ?", {}),
        ("le palmarès pondéré de Voiron le mois dernier", {"filters": [{"field": "magasins.ville", "values": ["Voiron"]}]}),
        ("le palmarès pondéré de Grenoble au T1 2025", {"period": {"kind": "calendar", "unit": "quarter", "number": 1, "year": 2025}}),
        ("palmarès pondéré de Voiron cette année", {"filters": [{"field": "magasins.ville", "values": ["Voiron"]}],
                                                    "period": {"kind": "calendar", "unit": "year", "offset": 0}}),
    ],
)  # fmt: skip
def test_equal_once_values_and_periods_are_taken_out(local: LocalEngine, question: str, changed: dict[str, object]) -> None:
    plan = STORE.find(question, local=local, today=TODAY)
    assert plan == Plan.model_validate({**compact_plan(STORE.approved[0].plan), **changed})


@pytest.mark.parametrize(
    "question",
    [
        "le palmarès de Grenoble le mois dernier",
        "le palmarès pondéré de Grenoble",
        "le palmarès pondéré de Grenoble et Voiron le mois dernier",
        "le palmarès pondéré de Halle Centrale le mois dernier",
        "le palmarès pondéré par ville le mois dernier",
        "le palmarès pondéré hors Grenoble le mois dernier",
        "le palmarès pondéré de Chambéry le mois dernier",
        "",
    ],
)
def test_another_question_is_not_equal(local: LocalEngine, question: str) -> None:
    assert STORE.find(question, local=local, today=TODAY) is None


def test_a_plan_that_means_more_than_the_words_is_for_the_very_same_question(local: LocalEngine) -> None:
    assert STORE.find("activité d'hier", local=local, today=TODAY) == STORE.approved[2].plan
    assert STORE.find("activité du mois dernier", local=local, today=TODAY) is None


def test_the_latest_of_two_equal_ones_counts(local: LocalEngine) -> None:
    store = ApprovedQuestions([approved("bilan bidule"), approved("bilan bidule", limit=1)])
    plan = store.find("le bilan bidule", local=local, today=TODAY)
    assert plan is not None
    assert plan.limit == 1


def test_examples_are_the_nearest(local: LocalEngine) -> None:
    found = STORE.examples("la tendance pondérée des fidèles", limit=2)
    assert found[0].question == "la tendance des fidèles"
    assert STORE.examples("zzz", limit=5) == []


def test_the_engine_answers_it_without_a_model_and_says_verified(make: Make, server: ModelServer) -> None:
    engine = make(verified=STORE)
    outcome = engine.ask("le palmarès pondéré de Voiron le mois dernier")
    assert isinstance(outcome, Answer)
    assert (outcome.trust, outcome.engine) == ("verified", "verified")
    assert [str(cell) for cell in outcome.table.rows[0]] == ["Voiron", "999.00"]
    assert server.requests == []
    server.play([])
    forced = engine.ask("le palmarès pondéré de Voiron le mois dernier", engine="local")
    assert not isinstance(forced, Answer), "a forced engine is the one that answers"
