"""``datapilot eval`` as a customer's tool: why an answer is not the gold's, and what changed between two runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datapilot_kernel.cli import main
from datapilot_kernel.engine.conditions_of import conditions_of
from datapilot_kernel.engine.differences import REASONS, Reason, Side, digest, reasons

VENTES = """id;jour;ville;canal;montant
1;2026-05-03;Lyon;WEB;100,00
2;2026-05-09;Lyon;MAG;40,00
3;2026-06-02;Nice;WEB;70,00
4;2026-06-05;Lyon;WEB;10,00
5;2025-05-20;Nice;MAG;30,00
"""
LAYER = """
version: 1
name: Ventes
status: accepted
sql_dialect: duckdb
entities:
  ventes:
    table: ventes
    label: vente
    gender: f
    key: [id]
    time: jour
    dimensions:
      jour: {column: jour, type: date, label: jour}
      ville: {column: ville, label: ville}
      canal: {column: canal, label: canal}
    measures:
      ca: {expression: SUM(montant), label: chiffre d'affaires, synonyms: [CA], format: {kind: currency}}
      nb: {expression: COUNT(*), label: nombre de ventes, format: {kind: integer}}
"""
TODAY = "2026-06-17"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ventes.csv").write_text(VENTES, encoding="utf-8")
    (tmp_path / "couche.yaml").write_text(LAYER, encoding="utf-8")
    return tmp_path


def run(folder: Path, questions: str, out: str, *more: str, layer: str = "couche.yaml") -> list[dict[str, Any]]:
    (folder / "q.json").write_text(questions, encoding="utf-8")
    line = ["eval", "--source", str(folder / "data"), "--semantic", str(folder / layer), "--today", TODAY]
    assert main([*line, "--questions", str(folder / "q.json"), "--out", str(folder / out), *more]) == 0
    return [json.loads(one) for one in (folder / out).read_text(encoding="utf-8").splitlines()]


def asked(*questions: dict[str, Any]) -> str:
    return "\n".join(json.dumps({"id": n, **one}) for n, one in enumerate(questions, 1))


# ── why an answer is not the gold's ────────────────────────────────────────────────────────────────────────────────────

TABLE = "FROM ventes"
GOLDS: list[tuple[str, str, dict[str, Any], list[Reason]]] = [
    ("CA par ville en mai 2026", f"SELECT ville, SUM(montant) {TABLE} WHERE jour BETWEEN '2026-05-01' AND '2026-05-31' GROUP BY 1",
     {}, []),
    ("CA par ville", f"SELECT ville, SUM(montant) {TABLE} WHERE EXTRACT(YEAR FROM jour) = 2026 GROUP BY 1", {}, ["other_period"]),
    ("CA par ville en mai 2026", f"SELECT ville, SUM(montant) {TABLE} WHERE DATE_TRUNC('month', jour) = DATE '2026-06-01' "
     "GROUP BY 1", {}, ["other_period", "other_rows"]),
    ("CA web par ville", f"SELECT ville, SUM(montant) {TABLE} GROUP BY 1", {}, ["other_filter"]),
    ("CA par ville", f"SELECT ville, SUM(montant), COUNT(*) {TABLE} GROUP BY 1", {}, ["missing_column"]),
    ("CA par ville croissant", f"SELECT ville, SUM(montant) AS m {TABLE} GROUP BY 1 ORDER BY m DESC", {"ordered": True}, ["order"]),
    ("CA par ville", f"SELECT canal, SUM(montant) {TABLE} WHERE ville = 'Paris' GROUP BY 1", {}, ["other_filter", "other_rows"]),
    ("zorglub par ville", f"SELECT ville, SUM(montant) {TABLE} GROUP BY 1", {}, ["outcome"]),
]  # fmt: skip


def test_a_wrong_answer_says_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(folder, asked(*({"question": q, "gold": [gold], **more} for q, gold, more, _ in GOLDS)), "out.jsonl")
    for line, (question, gold, _, why) in zip(lines, GOLDS, strict=True):
        assert line["reasons"] == why, (question, gold, line["sql"])
        assert line["right"] is (not why)
    shown = capsys.readouterr().err
    assert "réponses fausses, autre période : 2" in shown
    assert "autre issue" not in shown, "a refusal is not a wrong answer"


def test_the_nearest_gold_tells_the_reason(folder: Path) -> None:
    far = f"SELECT canal, SUM(montant) {TABLE} WHERE ville = 'Paris' AND jour > '2026-01-01' GROUP BY 1"
    near = f"SELECT ville, SUM(montant), COUNT(*) {TABLE} GROUP BY 1"
    line = run(folder, asked({"question": "CA par ville", "gold": [far, near]}), "out.jsonl")[0]
    assert line["reasons"] == ["missing_column"]


# ── a tenant's own questions ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_platform_s_list_of_verified_questions_is_a_file_of_questions(folder: Path) -> None:
    plan = {"measures": [{"alias": "ca", "measure": "ventes.ca"}], "dimensions": [{"alias": "v", "field": "ventes.ville"}]}
    web = {**plan, "filters": [{"field": "ventes.canal", "values": ["WEB"]}]}
    page = {
        "items": [
            {"id": "a", "source_id": "s", "question": "CA par ville", "plan": plan, "status": "approved", "problem": None},
            {"id": "b", "source_id": "s", "question": "CA par ville", "plan": web, "status": "approved", "problem": None},
            {"id": "c", "source_id": "s", "question": "CA par ville", "plan": web, "status": "rejected", "problem": None},
            {"id": "d", "source_id": "s", "question": "CA par ville", "plan": {"version": 9}, "status": "approved"},
        ],
        "next": None,
    }
    lines = run(folder, json.dumps(page), "out.jsonl")
    assert [(line["id"], line["right"], line["reasons"]) for line in lines] == [
        ("a", True, []), ("b", False, ["other_filter"]), ("d", None, []),
    ]  # fmt: skip
    assert [line["id"] for line in run(folder, json.dumps([page, page]), "out.jsonl")] == ["a", "b", "d", "a", "b", "d"]


# ── two runs ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_changed_layer_against_the_run_before(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    total = "SELECT SUM(montant) FROM ventes WHERE canal = 'WEB'"
    questions = asked(
        {"question": "CA", "gold": [total]},
        {"question": "CA par ville", "gold": ["SELECT ville, SUM(montant) FROM ventes GROUP BY 1"]},
        {"question": "nombre de ventes"},
        {"question": "CA par mois"},
        {"question": "panier médian", "expect": "refusal"},
    )
    run(folder, questions, "avant.jsonl")
    web = LAYER.replace("expression: SUM(montant)", "expression: SUM(montant), filter: canal = 'WEB'")
    web = web.replace(
        "nb: {expression: COUNT(*), label: nombre de ventes", "nb: {expression: COUNT(*), label: nombre d'achats"
    )
    (folder / "web.yaml").write_text(web, encoding="utf-8")
    capsys.readouterr()
    baseline, report = str(folder / "avant.jsonl"), str(folder / "rapport.json")
    run(folder, questions, "après.jsonl", "--baseline", baseline, "--report", report, layer="web.yaml")
    shown = capsys.readouterr().err
    found = json.loads((folder / "rapport.json").read_text(encoding="utf-8"))
    changed = {one["id"]: (one["verdict"], one["reasons"]) for one in found["differences"]}
    assert changed == {
        1: ("fixed", ["other_filter"]), 2: ("broken", ["other_filter"]), 4: ("changed", ["other_filter", "other_rows"]),
    } | ({3: changed[3]} if 3 in changed else {})  # fmt: skip
    assert [one["verdict"] for one in found["differences"]][:2] == ["broken", "fixed"], "what broke comes first"
    assert (found["before"]["right"], found["after"]["right"]) == (2, 2)
    assert found["after"]["questions"] == 5
    assert "1 corrigées, 1 cassées" in shown
    assert "autre filtre" in shown
    # The same again changes nothing, and a run may replace its own baseline.
    after = str(folder / "après.jsonl")
    run(folder, questions, "après.jsonl", "--baseline", after, "--report", report, layer="web.yaml")
    again = json.loads((folder / "rapport.json").read_text(encoding="utf-8"))
    assert (again["differences"], again["same"]) == ([], 5)


def test_another_day_is_another_period(folder: Path) -> None:
    questions = asked({"question": "CA par ville ce mois-ci"}, {"question": "CA"})
    run(folder, questions, "avant.jsonl")
    baseline, report = str(folder / "avant.jsonl"), str(folder / "rapport.json")
    run(folder, questions, "out.jsonl", "--baseline", baseline, "--report", report, "--today", "2026-05-20")
    found = json.loads((folder / "rapport.json").read_text(encoding="utf-8"))["differences"]
    assert [(one["id"], one["verdict"], one["reasons"][0]) for one in found] == [(1, "changed", "other_period")]


@pytest.mark.parametrize(
    ("content", "more"), [("pas du JSON", []), ('{"id": 1}', []), (None, ["--report", "r.json"])], ids=["text", "keys", "report"]
)  # fmt: skip
def test_wrong_usage(folder: Path, content: str | None, more: list[str]) -> None:
    (folder / "q.json").write_text(asked({"question": "CA"}), encoding="utf-8")
    line = [
        "eval",
        "--source",
        str(folder / "data"),
        "--questions",
        str(folder / "q.json"),
        "--out",
        str(folder / "o.jsonl"),
    ]
    if content is not None:
        (folder / "b.jsonl").write_text(content, encoding="utf-8")
        more = ["--baseline", str(folder / "b.jsonl")]
    assert main([*line, *more]) == 2


# ── reading statements ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "written",
    [
        "d >= DATE '2026-05-01' AND d < DATE '2026-06-01'",
        "d BETWEEN '2026-05-01' AND '2026-05-31'",
        "CAST('2026-05-01' AS DATE) <= v.d AND v.d <= '2026-05-31'",
        "DATE_TRUNC('month', d) = DATE '2026-05-01'",
        "EXTRACT(YEAR FROM d) = 2026 AND EXTRACT(MONTH FROM d) = 5",
        "(d >= '2026-05-01' AND d < '2026-06-01') AND ville IS NOT NULL",
    ],
)
@pytest.mark.parametrize("dialect", ["postgres", "duckdb"])
def test_a_period_is_the_same_however_it_is_written(written: str, dialect: Any) -> None:
    found = conditions_of(f"SELECT 1 FROM v WHERE {written}", dialect)
    assert found.periods == {("2026-05-01", "2026-06-01")}
    assert found.certain_of_periods
    assert not found.conditions


def test_conditions_are_their_column_sense_and_values() -> None:
    one = conditions_of(
        "SELECT 1 FROM v JOIN c ON v.c = c.id WHERE v.a IN ('x', 'y') AND NOT (b = 1) AND e IS NULL", "postgres"
    )
    other = conditions_of("SELECT 1 FROM v AS t WHERE t.a IN ('Y', 'X') AND t.b <> 1 AND t.e IS NULL", "postgres")
    assert other.conditions == {("a", "=", ("x", "y")), ("b", "<>", ("1",)), ("e", "null", ())}
    assert one.conditions >= other.conditions - {("b", "<>", ("1",))}
    unclear = conditions_of("SELECT 1 FROM v WHERE d > CURRENT_DATE - INTERVAL '1 month'", "postgres")
    assert not unclear.certain_of_periods
    assert not conditions_of("SELEC 1 FRM", "postgres").readable


def test_reasons_are_known_and_never_empty_for_what_differs() -> None:
    same = Side("answer", "SELECT 1", None, digest([(1, "a"), (2, "b")]))
    crossed = Side("answer", "SELECT 1", None, digest([(1, "b"), (2, "a")]))
    assert reasons(same, crossed, "postgres") == []
    assert reasons(same, crossed, "postgres", differ=True) == ["other_rows"], "the cells are there, not in these rows"
    assert reasons(same, Side("refusal"), "postgres") == ["outcome"]
    assert reasons(Side("refusal"), Side("refusal"), "postgres") == []
    assert digest([(1.00001,)]).bags == digest([(1,)]).bags
    assert set(REASONS) >= {"outcome", "order"}
