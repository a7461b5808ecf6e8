"""A model that lies or is made to: its words reach a person harmless, and no figure of its own is an answer."""

from __future__ import annotations

import pytest

from datapilot_kernel.engine import Answer, Clarification, Failure, Refusal
from tests.model_server import ModelServer, tool
from tests.unit.claude.conftest import Make, by_city
from tests.unit.claude.test_engine import ODD, plan, rows, sql, told

EVIL = "<img src=x onerror=alert(1)> \u202e\x1b[2Jvoir https://evil.example"


def test_a_label_does_not_rename_a_measure(make: Make, server: ModelServer) -> None:
    server.play([plan(measures=[{"alias": "x", "measure": "ventes.nb", "label": "Chiffre d'affaires : 12 000 000 €"}])])
    outcome = make().ask(ODD, engine="claude")
    assert isinstance(outcome, Answer)
    assert [c.label for c in outcome.columns] == ["Ville", "Nombre de ventes"]
    assert "12" not in outcome.sentence
    assert "affaires" not in outcome.sentence + str(outcome.reading)


def test_a_label_stays_where_two_parts_of_one_measure_need_it(make: Make, server: ModelServer) -> None:
    parts = [
        {"alias": a, "measure": "ventes.ca", "label": label, "filters": [{"field": "magasins.etat", "values": [a.upper()]}]}
        for a, label in (("o", "CA ouverts\u202e"), ("f", "CA fermés 999 €"))
    ]
    server.play([plan(measures=parts, dimensions=[])])
    outcome = make().ask(ODD, engine="claude")
    assert isinstance(outcome, Answer)
    assert [c.label for c in outcome.columns] == ["CA ouverts", "Chiffre d’affaires"] or outcome.columns[
        0
    ].label == "CA ouverts"
    assert "999 €" not in outcome.sentence + str(outcome.columns)


@pytest.mark.parametrize("statement", ["SELECT 42 AS ca", "SELECT 42 AS ca FROM ventes LIMIT 1", "WITH v AS (SELECT 1 AS x) SELECT 7 AS ca FROM v",
                                       "SELECT 'CA' AS q, 1000000 AS ca FROM ventes UNION ALL SELECT 'b', COUNT(*) FROM ventes"])  # fmt: skip
def test_figures_of_its_own_are_no_answer(make: Make, server: ModelServer, statement: str) -> None:
    server.play([sql(statement)] * 3)
    outcome = make().ask(ODD, engine="claude")
    assert isinstance(outcome, Failure)
    assert "guard constants" in told(server.requests[1])


@pytest.mark.parametrize("statement", [
    "SELECT 2025 AS annee, SUM(montant) AS ca FROM ventes", "SELECT COUNT(*) FROM ventes", "SELECT (SELECT COUNT(*) FROM ventes) AS n",
    "SELECT 'a' AS q, COUNT(*) AS n FROM ventes UNION ALL SELECT 'b', COUNT(*) FROM magasins",
])  # fmt: skip
def test_right_statements_with_constants_run(make: Make, server: ModelServer, statement: str) -> None:
    server.play([sql(statement)])
    assert isinstance(make().ask(ODD, engine="claude"), Answer)


def test_a_note_with_a_figure_of_its_own_is_not_shown(make: Make, server: ModelServer) -> None:
    for note in ("Le CA total est de 5 000 000 €.", "soit +12 %", EVIL):
        server.play([tool("give_plan", {"plan": by_city(), "note": note})])
        outcome = make().ask(ODD)
        assert isinstance(outcome, Answer)
        assert outcome.notes == ()
    server.play([tool("give_plan", {"plan": by_city(limit=40), "note": "Les 40 premières\u202e villes,\nsur 3 mois."})])
    assert make().ask(ODD).notes == ("Les 40 premières villes, sur 3 mois.",)


def test_a_refusal_that_states_a_figure_is_told_by_us(make: Make, server: ModelServer) -> None:
    server.play([tool("refuse", {"reason": "missing_data", "missing": EVIL, "message": "Le CA est de 12 000 000 €."})])
    outcome = make().ask(ODD)
    assert isinstance(outcome, Refusal)
    assert outcome.message
    assert "12" not in outcome.message
    assert outcome.missing == ""


def test_readings_that_cannot_be_told_apart_go_back(make: Make, server: ModelServer) -> None:
    same = [{"label": "CA", "plan": by_city()}, {"label": "ca", "plan": by_city(limit=3)}]
    lying = [{"label": "CA", "plan": by_city()}, {"label": "Les 12 000 000 €", "plan": by_city(limit=3)}]
    right = [{"label": "CA", "plan": by_city()}, {"label": "Les 3 premières", "plan": by_city(limit=3)}]
    ask = [tool("ask_back", {"question": "Sur 999 000 €, lequel ?", "readings": r}) for r in (same, lying, right)]
    server.play(ask)
    outcome = make().ask(ODD)
    assert isinstance(outcome, Clarification)
    assert "999" not in outcome.message
    assert [c.label for c in outcome.choices] == ["CA", "Les 3 premières"]
    assert "same_labels" in told(server.requests[1])


@pytest.mark.parametrize("count", [0, 1, 5, 9])
def test_a_number_of_readings_that_is_none_goes_back(make: Make, server: ModelServer, count: int) -> None:
    readings = [{"label": f"n{i}", "plan": by_city(limit=i + 1)} for i in range(count)]
    server.play([tool("ask_back", {"question": "?", "readings": readings}), plan()])
    assert len(rows(make().ask(ODD))) == 2
    assert "do not validate" in told(server.requests[1])


def test_a_plan_or_a_statement_over_a_hidden_column_never_runs(make: Make, server: ModelServer) -> None:
    for attempt in (
        sql("SELECT MAX(secret) AS s FROM ventes"),
        sql("SELECT v.secret FROM (SELECT * FROM ventes) v"),
        plan(measures=[{"alias": "s", "aggregate": "max", "field": "ventes.secret"}]),
        plan(filters=[{"field": "ventes.secret", "op": "starts_with", "values": ["zx"]}]),
    ):
        server.play([attempt] * 3)
        outcome = make().ask(ODD, engine="claude")
        assert "zx-secret" not in repr(outcome) + str(getattr(outcome, "table", ""))
