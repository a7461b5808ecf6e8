"""The parts of the local engine on their own: tokens, numbers, periods, values, limits."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datapilot_kernel.catalog.values import ValueIndex
from datapilot_kernel.engine import Engine
from datapilot_kernel.engine.outcome import Answer
from datapilot_kernel.nl2sql.local import LocalEngine
from datapilot_kernel.nl2sql.local.numbers import merge_numbers
from datapilot_kernel.nl2sql.local.periods import find_time
from datapilot_kernel.nl2sql.local.tokens import stem, tokenize
from datapilot_kernel.nl2sql.understanding import NotAnswerable, Unsure
from datapilot_kernel.plan.model import Between, CalendarPeriod, LastPeriod, ToDate
from datapilot_kernel.sources import open_source
from tests.unit.local.conftest import TODAY


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10k€", "10000"), ("1,5 M€", "1500000"), ("1 234,5 €", "1234.5"), ("vingt-cinq", "25"), ("deux cents", "200"),
        ("quatre-vingt-dix-sept", "97"), ("trois mille deux cents", "3200"), ("2 millions", "2000000"), ("soixante-dix", "70"),
        ("vingt et un", "21"), ("1\u202f000\u202f000", "1000000"), ("0,5", "0.5"),
    ],
)  # fmt: skip
def test_numbers(text: str, number: str) -> None:
    merged = [t for t in merge_numbers(tokenize(text)) if t.kind == "number"]
    assert [t.norm for t in merged] == [number]


def test_two_numbers_stay_two() -> None:
    assert [t.norm for t in merge_numbers(tokenize("deux et trois"))] == ["2", "et", "3"]
    assert [t.norm for t in merge_numbers(tokenize("un client"))] == ["un", "client"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("régionaux", "régional"), ("livrées", "livré"), ("actives", "actif"), ("nouvelles", "nouvelle"), ("canaux", "canal"),
        ("catégories", "catégorie"), ("acheteuse", "acheteur"), ("bureaux", "bureau"),
    ],
)  # fmt: skip
def test_stems_unite_forms(one: str, other: str) -> None:
    assert stem(tokenize(one)[0].norm) == stem(tokenize(other)[0].norm)


def test_stems_keep_words_apart() -> None:
    assert (
        len({stem(w) for w in ("commercial", "commerce", "marge", "marque", "stock", "client", "commande", "compte")}) == 8
    )


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("mai 2026", CalendarPeriod(unit="month", number=5, year=2026)),
        ("en mai", CalendarPeriod(unit="month", number=5)),
        ("05/2026", CalendarPeriod(unit="month", number=5, year=2026)),
        ("T2 2025", CalendarPeriod(unit="quarter", number=2, year=2025)),
        ("au deuxième trimestre 2025", CalendarPeriod(unit="quarter", number=2, year=2025)),
        ("S1", CalendarPeriod(unit="semester", number=1)),
        ("s12", CalendarPeriod(unit="week", number=12)),
        ("la semaine 3 de 2026", CalendarPeriod(unit="week", number=3, year=2026)),
        ("l'an dernier", CalendarPeriod(unit="year", offset=-1)),
        ("N-2", CalendarPeriod(unit="year", offset=-2)),
        ("le mois en cours", CalendarPeriod(unit="month", offset=0)),
        ("l'exercice 2025", CalendarPeriod(unit="fiscal_year", year=2025)),
        ("exercice précédent", CalendarPeriod(unit="fiscal_year", offset=-1)),
        ("il y a 3 semaines", CalendarPeriod(unit="week", offset=-3)),
        ("mai de l'année dernière", CalendarPeriod(unit="month", number=5, year_offset=-1)),
        ("les 3 derniers mois", LastPeriod(count=3, unit="month")),
        ("les trois derniers mois", LastPeriod(count=3, unit="month")),
        ("12 mois glissants", LastPeriod(count=12, unit="month", complete=False)),
        ("depuis 30 jours", LastPeriod(count=30, unit="day", complete=False)),
        ("les 2 prochains mois", LastPeriod(count=2, unit="month", next=True)),
        ("depuis le début du trimestre", ToDate(unit="quarter")),
        ("N-1 à date", ToDate(unit="year", offset=-1)),
        ("du 3 au 17 mai 2026", Between(start=date(2026, 5, 3), end=date(2026, 5, 17))),
        ("du 20 décembre au 5 janvier 2026", Between(start=date(2025, 12, 20), end=date(2026, 1, 5))),
        ("entre le 01/02/2025 et le 15/02/2025", Between(start=date(2025, 2, 1), end=date(2025, 2, 15))),
        ("de janvier à mars 2025", Between(start=date(2025, 1, 1), end=date(2025, 3, 31))),
        ("depuis mars", Between(start=date(2026, 3, 1))),
        ("avant 2024", Between(end=date(2023, 12, 31))),
        ("le 14 juillet", Between(start=date(2025, 7, 14), end=date(2025, 7, 14))),
        ("lundi dernier", Between(start=date(2026, 6, 15), end=date(2026, 6, 15))),
    ],
)  # fmt: skip
def test_periods(text: str, period: object) -> None:
    tokens = merge_numbers(tokenize(text))
    found = [s for s in find_time(tokens, today=TODAY, language="fr") if (s.start, s.end) == (0, len(tokens))]
    assert [s.period for s in found] == [period]


def test_a_day_that_does_not_exist_is_said_so(engine: LocalEngine) -> None:
    understood = engine.understand("CA du 31 février 2026", today=TODAY)
    assert isinstance(understood, NotAnswerable)
    assert understood.reason == "period_not_possible"


def test_values_are_found_whole_by_part_and_by_spelling() -> None:
    index = ValueIndex(
        {
            "a.ville": ["Saint-Étienne", "Lyon"],
            "m.nom": ["Boutique Lyon Part-Dieu", "Boutique Nice"],
            "f.num": ["AV-2025-1000"],
        }
    )
    assert [h.value for h in index.exact(["saint", "etienne"])] == ["Saint-Étienne"]
    assert [h.value for h in index.partial(["part", "dieu"])] == ["Boutique Lyon Part-Dieu"]
    assert [h.value for h in index.fuzzy("saint etiene")] == ["Saint-Étienne"]
    assert index.partial(["1000"]) == []
    assert index.fuzzy("lyom") == []  # too short to guess
    assert len(index) == 5


@pytest.mark.parametrize(
    ("question", "reason"),
    [("", "empty_question"), ("   \n", "empty_question"), ("a " * 5000, "question_too_long"), ("😀😀", "not_a_question"), ("12 + 3", "not_a_question"),
     ("select nom from abonnes", "sql_instead_of_question"), ("DROP TABLE abonnes", "sql_instead_of_question"), ("merci", "not_a_data_question")],
)  # fmt: skip
def test_what_is_no_question(engine: LocalEngine, question: str, reason: str) -> None:
    understood = engine.understand(question, today=TODAY)
    assert isinstance(understood, NotAnswerable)
    assert understood.reason == reason
    assert understood.message


def test_unsure_names_the_words(engine: LocalEngine) -> None:
    understood = engine.understand("taux de désabonnement par canal", today=TODAY)
    assert isinstance(understood, Unsure)
    assert "désabonnement" in " ".join(understood.unexplained)
    assert "désabonnement" in understood.message


def test_a_loose_match_is_noted(engine: LocalEngine) -> None:
    understood = engine.understand("chifre d'affaires à Thonon", today=TODAY)
    notes = " ".join(getattr(understood, "notes", ()))
    assert "chifre" in notes
    assert "Thonon-les-Bains" in notes


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    global _engine
    assert _fuzzed().understand(text, today=TODAY) is not None


_WORDS = [
    "CA",
    "par",
    "canal",
    "mois",
    "top",
    "5",
    "plus",
    "de",
    "sans",
    "pas",
    "et",
    "ou",
    "entre",
    "10",
    "2025",
    "mai",
    "abonnés",
    "locations",
    "qui",
    "ont",
    "location",
    "Annecy",
    "le",
    "moins",
    "sauf",
    "vs",
    "N-1",
    "part",
    "cumulé",
    "moyen",
    "combien",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(_WORDS), min_size=1, max_size=9))
def test_no_order_of_words_breaks_it(words: list[str]) -> None:
    assert _fuzzed().understand(" ".join(words), today=TODAY) is not None


_engine: LocalEngine | None = None


def _fuzzed() -> LocalEngine:
    global _engine
    if _engine is None:
        from datapilot_kernel.semantic.loading import load_layer
        from tests.unit.local.conftest import HERE, VALUES

        _engine = LocalEngine(load_layer(HERE / "velos.yaml"), ValueIndex(VALUES))
    return _engine


def test_it_is_quick(engine: LocalEngine) -> None:
    began = time.perf_counter()
    for _ in range(20):
        engine.understand("top 5 des abonnés d'Annecy par CA en mai 2026 sauf par téléphone", today=TODAY)
    assert (time.perf_counter() - began) / 20 < 0.05


def test_a_table_that_nothing_joins_to_what_is_measured_is_not_passed_over(tmp_path: Path) -> None:
    """Two sheets of one workbook, a table each: the name of one beside the measure of the other is never dropped."""
    for month, amount in (("janvier", "100,50"), ("fevrier", "7,25")):
        rows = f"region;poste;montant\nNord;Loyer;{amount}\nSud;Loyer;3,10\n"
        (tmp_path / f"{month}.csv").write_text(rows, encoding="utf-8")
    with closing(Engine(open_source(str(tmp_path)), fixed_today=TODAY)) as engine:
        names = {name: entity.plural for name, entity in engine.layer.entities.items()}
        assert set(names) == {"janvier", "fevrier"}
        for name, plural in names.items():
            other = next(each for each in names if each != name)
            for question in (f"montant des {plural} par région", f"montant des {plural} {other} par région"):
                said = engine.ask(question)
                wrong = isinstance(said, Answer) and other in question and name in str(said.plan)
                assert not wrong, (question, said)
