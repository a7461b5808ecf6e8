"""Roles that words were once taken wrongly in, over the demo layer: what is a condition, a measure, a list, a value."""

from __future__ import annotations

from pathlib import Path

import pytest

import datapilot_kernel.demo
from datapilot_kernel.catalog.values import ValueIndex
from datapilot_kernel.nl2sql.conversation import Conversation
from datapilot_kernel.nl2sql.local import LocalEngine
from datapilot_kernel.nl2sql.understanding import Ambiguous, Understood
from datapilot_kernel.plan.compiler import compile_plan
from datapilot_kernel.plan.model import CalendarPeriod, Comparison, DimensionItem, MeasureItem, Plan
from datapilot_kernel.semantic.loading import load_layer
from datapilot_kernel.semantic.model import Layer
from tests.unit.local.conftest import TODAY, conversations, pairs
from tests.unit.local.notation import line

VALUES = {
    "clients.ville": ["LYON", "PARIS", "MARSEILLE"],
    "clients.region": ["Bretagne", "Occitanie", "Île-de-France"],
    "magasins.nom": ["Paris Rivoli", "Paris Batignolles", "Lyon Bellecour", "Boutique en ligne", "Showroom Pro"],
    "magasins.ville": ["Paris", "Lyon"],
    "magasins.region": ["Île-de-France", "Bretagne"],
    "produits.marque": ["Maison Lumière", "Solenza"],
    "produits.designation": ["Suspension Azur bois clair", "Lustre Bohème"],
    "categories.libelle": ["Suspensions", "Lustres", "Lampadaires", "Appliques extérieures"],
    "categories.famille": ["Luminaires intérieurs", "Luminaires extérieurs"],
}
QUESTIONS = [*pairs("lumiere.txt"), *pairs("lumiere_ranks.txt")]


@pytest.fixture(scope="module")
def lumiere() -> Layer:
    return load_layer(Path(datapilot_kernel.demo.__file__).parent / "maison_lumiere.yaml")


@pytest.fixture(scope="module")
def lumiere_engine(lumiere: Layer) -> LocalEngine:
    return LocalEngine(lumiere, ValueIndex(VALUES))


@pytest.mark.parametrize(("question", "expected"), QUESTIONS)
def test_question(lumiere_engine: LocalEngine, question: str, expected: str) -> None:
    assert line(lumiere_engine.understand(question, today=TODAY)) == expected


@pytest.mark.parametrize("turns", conversations("lumiere_turns.txt"), ids=lambda turns: turns[0][0])
def test_conversation(lumiere_engine: LocalEngine, turns: list[tuple[str, str]]) -> None:
    conversation = Conversation()
    for question, expected in turns:
        understood = lumiere_engine.understand(question, today=TODAY, conversation=conversation)
        assert line(understood) == expected, question
        conversation.add(question, understood.plan if isinstance(understood, Understood) else None)


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "duckdb"])
def test_every_plan_and_choice_compiles(lumiere_engine: LocalEngine, lumiere: Layer, dialect: str) -> None:
    for question, _ in QUESTIONS:
        understood = lumiere_engine.understand(question, today=TODAY)
        plans = [understood.plan] if isinstance(understood, Understood) else []
        if isinstance(understood, Ambiguous):
            assert 2 <= len({c.label for c in understood.choices}) == len(understood.choices) <= 4
            plans = [c.plan for c in understood.choices]
        for plan in plans:
            assert compile_plan(plan, lumiere, dialect=dialect, today=TODAY).sql, question  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "before", ["CA par région en 2025", "combien de clients", "factures impayées", "top 5 des marques par CA"]
)
def test_a_question_that_stands_alone_is_never_merged(lumiere_engine: LocalEngine, before: str) -> None:
    first = lumiere_engine.understand(before, today=TODAY)
    assert isinstance(first, Understood)
    for question, expected in QUESTIONS:
        if expected[:1] in "?!" or len(expected.split()) == 1:
            continue  # a measure alone, and nothing else, goes on from what was asked before
        conversation = Conversation()
        conversation.add(before, first.plan)
        assert line(lumiere_engine.understand(question, today=TODAY, conversation=conversation)) == expected, question


def test_a_period_given_compares_along_a_time_axis(lumiere: Layer) -> None:
    plan = Plan(
        measures=(MeasureItem(alias="ca", measure="lignes_commande.ca"),),
        dimensions=(DimensionItem(alias="mois", field="commandes.date_commande", grain="month"),),
        period=CalendarPeriod(unit="year", year=2025),
        comparison=Comparison(kind="period", period=CalendarPeriod(unit="year", year=2023)),
    )
    labels = [c.label for c in compile_plan(plan, lumiere, dialect="duckdb", today=TODAY).columns]
    assert any("chiffre d'affaires" in label and label != "chiffre d'affaires" for label in labels)
