"""Words of every day, periods and values, over a layer that nothing else knows (``pepiniere.yaml``)."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import pytest

from datapilot_kernel.catalog.values import ValueIndex
from datapilot_kernel.nl2sql.local import LocalEngine
from datapilot_kernel.nl2sql.understanding import Ambiguous, Understood
from datapilot_kernel.plan.compiler import compile_plan
from datapilot_kernel.plan.periods import resolve
from datapilot_kernel.semantic.loading import load_layer
from tests.unit.local.conftest import TODAY, pairs
from tests.unit.local.notation import line

VALUES = {
    "clients.region": ["Pays de la Loire", "Provence-Alpes-Côte d'Azur", "Hauts-de-France", "Occitanie"],
    "clients.metier": ["Paysagiste-concepteur", "Jardinier amateur", "Collectivité locale"],
    "plants.obtenteur": ["Meilland Richardier", "Roses Anciennes du Val", "Pépin d'Or"],
    "plants.nom": ["Rosier Pierre de Ronsard", "Rosier Iceberg", "Lavande vraie"],
}
QUESTIONS = pairs("vocabulary.txt")


@pytest.fixture(scope="module")
def nursery() -> LocalEngine:
    return LocalEngine(load_layer(Path(__file__).parent / "pepiniere.yaml"), ValueIndex(VALUES))


@pytest.mark.parametrize(("question", "expected"), QUESTIONS)
def test_question(nursery: LocalEngine, question: str, expected: str) -> None:
    assert line(nursery.understand(question, today=TODAY)) == expected


def test_every_plan_compiles(nursery: LocalEngine) -> None:
    for question, _ in QUESTIONS:
        understood = nursery.understand(question, today=TODAY)
        plans = [understood.plan] if isinstance(understood, Understood) else []
        plans += [c.plan for c in understood.choices] if isinstance(understood, Ambiguous) else []
        for plan in plans:
            assert compile_plan(plan, nursery.layer, dialect="postgres", today=TODAY).sql, question


@pytest.mark.parametrize(
    ("question", "descending"),
    [
        ("CA par rayon du plus faible au plus élevé", False),
        ("CA par rayon du plus élevé au plus faible", True),
        ("CA par région, de la meilleure à la moins bonne", True),
        ("CA par région classé par ordre croissant", False),
        ("CA par région classé par CA décroissant", True),
        ("revenue by region, lowest to highest", False),
    ],
)
def test_the_order_said_is_the_order_of_the_plan(nursery: LocalEngine, question: str, descending: bool) -> None:
    understood = nursery.understand(question, today=TODAY)
    assert isinstance(understood, Understood)
    assert [o.descending for o in understood.plan.order] == [descending]


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("le jour de l'an 2026", date(2026, 1, 1)), ("le lundi de Pâques 2026", date(2026, 4, 6)), ("à Pâques 2025", date(2025, 4, 20)),
        ("à la fête du travail 2026", date(2026, 5, 1)), ("le jeudi de l'Ascension 2026", date(2026, 5, 14)),
        ("le lundi de Pentecôte 2025", date(2025, 6, 9)), ("à la fête nationale 2025", date(2025, 7, 14)),
        ("à l'Assomption 2025", date(2025, 8, 15)), ("à la Toussaint 2025", date(2025, 11, 1)),
        ("de l'armistice 2025", date(2025, 11, 11)), ("à Noël", date(2025, 12, 25)), ("on Easter Monday 2026", date(2026, 4, 6)),
    ],
)  # fmt: skip
def test_public_holidays_by_name(nursery: LocalEngine, said: str, day: date) -> None:
    understood = nursery.understand(f"CA {said}", today=TODAY)
    assert isinstance(understood, Understood), line(understood)
    assert understood.plan.period is not None
    found = resolve(understood.plan.period, today=TODAY, calendar=nursery.layer.calendar)
    assert (found.start, (found.end - found.start).days if found.end and found.start else None) == (day, 1)


@pytest.mark.parametrize(
    ("today", "said", "saturday"),
    [
        (date(2026, 6, 17), "le week-end dernier", date(2026, 6, 13)), (date(2026, 6, 20), "le week-end dernier", date(2026, 6, 13)),
        (date(2026, 6, 20), "ce week-end", date(2026, 6, 20)), (date(2026, 6, 22), "le week-end dernier", date(2026, 6, 20)),
    ],
)  # fmt: skip
def test_the_last_week_end(nursery: LocalEngine, today: date, said: str, saturday: date) -> None:
    understood = nursery.understand(f"CA {said}", today=today)
    assert isinstance(understood, Understood)
    assert understood.plan.period is not None
    assert resolve(understood.plan.period, today=today, calendar=nursery.layer.calendar).start == saturday


def test_initials_stand_for_a_value_only_where_they_are_its_alone() -> None:
    index = ValueIndex({"a.b": ["Hauts de France", "Halle des Fleurs"], "a.c": ["Pays du Lac Bleu"]})
    assert [h.value for h in index.initials("plb")] == ["Pays du Lac Bleu"]
    assert index.initials("hdf") == []


def test_a_long_list_lends_no_initials() -> None:
    assert ValueIndex({"a.b": [f"Nappe Percale Satin{i}" for i in range(90)] + ["Drap Brodé Main"]}).initials("dbm") == []


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (("meiland", "richardier"), "Meilland Richardier"), (("roses", "ancienne", "du", "vall"), "Roses Anciennes du Val"),
        (("roses", "anciennes"), None), (("deilland", "richardier"), None), (("meilland", "rechercher"), None),
    ],
)  # fmt: skip
def test_a_value_is_misspelt_word_by_word(typed: tuple[str, ...], read: str | None) -> None:
    found = ValueIndex(VALUES).misspelt(typed)
    assert [h.value for h in found] == ([read] if read else [])


def test_a_refusal_is_as_fast_as_an_answer() -> None:
    many = {
        f"{e}.{d}": [f"Valeur {d} {i} de {e}" for i in range(4000)] for e, d in (("plants", "nom"), ("clients", "metier"))
    }
    engine = LocalEngine(load_layer(Path(__file__).parent / "pepiniere.yaml"), ValueIndex(many))
    engine.understand("CA zzyzx", today=TODAY)
    begun = time.perf_counter()
    for question in ("salaire moyen", "CA de Frobnicator Zorglub", "combien de licornes violettes en mai"):
        assert not isinstance(engine.understand(question, today=TODAY), Understood)
    assert (time.perf_counter() - begun) / 3 < 0.15
