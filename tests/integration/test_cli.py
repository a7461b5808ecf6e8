"""The command line as its contract says: exit codes, what goes to which stream, one clear sentence for bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import Server, free_port

LAYER = """
version: 1
name: Essai
status: accepted
entities:
  ventes:
    table: ventes
    label: vente
    gender: f
    time: jour
    dimensions:
      jour: {column: jour, type: date, label: jour de vente}
      ville: {column: ville, label: ville}
      produit: {column: produit, label: produit}
    measures:
      ca: {expression: SUM(montant), label: chiffre d'affaires, synonyms: [CA], format: {kind: currency}}
      nb: {expression: COUNT(*), label: nombre de ventes, format: {kind: integer}}
"""
CSV = (
    "Jour;Ville;Produit;Montant\n03/05/2026;Lyon;Lampe;1 234,50\n04/05/2026;Paris;Lampe;100,00\n"
    "05/06/2026;Lyon;Vase;50,25\n06/06/2026;;Vase;10,00\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ventes.csv").write_text(CSV, encoding="cp1252")
    (tmp_path / "couche.yaml").write_text(LAYER, encoding="utf-8")
    return tmp_path


def datapilot(*arguments: str, cwd: Path | None = None, text_in: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "datapilot_kernel.cli", *arguments],
        capture_output=True, text=True, encoding="utf-8", cwd=cwd, input=text_in, timeout=90,
    )  # fmt: skip


def ask(folder: Path, question: str, *more: str) -> subprocess.CompletedProcess[str]:
    return datapilot(
        "ask",
        question,
        "--source",
        str(folder / "data"),
        "--semantic",
        str(folder / "couche.yaml"),
        "--today",
        "2026-06-17",
        *more,
    )


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


def test_ask_json_is_the_contract(folder: Path) -> None:
    done = ask(folder, "CA par ville", "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["outcome"] == "answer"
    assert outcome["trust"] == "governed"
    assert outcome["engine"] == "local"
    by_city = {row[0]: row[1] for row in outcome["rows"]}
    assert by_city == {"Lyon": "1284.75", "Paris": "100.00", None: "10.00"}
    assert {
        "id",
        "message",
        "notes",
        "timings_ms",
        "sentence",
        "reading",
        "plan",
        "sql",
        "columns",
        "truncated",
        "chart",
    } <= outcome.keys()
    assert {"understand", "guard", "execute", "answer", "total"} == outcome["timings_ms"].keys()


def test_ask_for_people(folder: Path) -> None:
    done = ask(folder, "chiffre d'affaires de mai 2026")
    assert done.returncode == 0, done.stderr
    assert "1\u202f334,50\u00a0€" in done.stdout


def test_without_a_layer_the_answer_is_exploratory(folder: Path) -> None:
    done = datapilot("ask", "total montant par ville", "--source", str(folder / "data"), "--today", "2026-06-17", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["trust"] == "exploratory"
    assert any("brouillon" in note for note in outcome["notes"])


@pytest.mark.parametrize(
    "question",
    [
        "",
        "   ",
        "😀😀",
        "x " * 5000,
        "SELECT * FROM ventes",
        "quel temps fera-t-il demain ?",
        "DROP TABLE ventes",
        "chiffre d'affaires par licorne",
    ],
    ids=["empty", "blank", "emoji", "10000-characters", "sql", "weather", "ddl", "unknown-word"],
)
def test_what_cannot_be_answered_is_one_sentence_and_exit_1(folder: Path, question: str) -> None:
    done = ask(folder, question, "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["outcome"] in ("refusal", "clarification")
    assert outcome["message"]
    assert len(outcome["message"]) < 400


def test_claude_without_a_key_says_so(folder: Path) -> None:
    done = ask(folder, "CA par ville", "--engine", "claude", "--json")
    assert done.returncode == 1
    assert "Claude" in json.loads(done.stdout)["message"]


def test_sql_is_guarded(folder: Path) -> None:
    good = datapilot(
        "sql", "SELECT ville, SUM(montant) AS total FROM ventes GROUP BY ville", "--source", str(folder / "data"), "--json"
    )
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout)["trust"] == "exploratory"
    bad = datapilot("sql", "DROP TABLE ventes", "--source", str(folder / "data"), "--json")
    assert bad.returncode == 1
    assert json.loads(bad.stdout)["outcome"] == "refusal"


def test_sql_with_a_policy_sees_only_its_rows_and_columns(folder: Path) -> None:
    policy = {
        "version": 1, "default_schema": "main", "attributes": {"ville": "Lyon"}, "max_rows": 100,
        "tables": {"ventes": {"columns": ["jour", "ville"], "masked": ["montant"], "row_filter": "ville = {ville}"}},
    }  # fmt: skip
    (folder / "p.json").write_text(json.dumps(policy), encoding="utf-8")
    done = datapilot(
        "sql", "SELECT ville FROM ventes", "--source", str(folder / "data"), "--policy", str(folder / "p.json"), "--json"
    )
    assert [row[0] for row in json.loads(done.stdout)["rows"]] == ["Lyon", "Lyon"]
    hidden = datapilot(
        "sql", "SELECT produit FROM ventes", "--source", str(folder / "data"), "--policy", str(folder / "p.json"), "--json"
    )
    assert hidden.returncode == 1


def test_eval_follows_the_contract(folder: Path) -> None:
    questions = [
        {
            "id": 1,
            "question": "CA par ville",
            "gold": ["SELECT ville, SUM(montant) FROM ventes GROUP BY 1"],
            "theme": "ventes",
        },
        {"id": 2, "question": "CA par ville", "gold": ["SELECT ville, SUM(montant) + 1000 FROM ventes GROUP BY 1"]},
        {
            "id": 3,
            "question": "et par produit ?",
            "previous": "CA de Lyon",
            "gold": "SELECT produit, SUM(montant) FROM ventes WHERE ville = 'Lyon' GROUP BY 1",
        },
        {"id": 4, "question": "salaire moyen", "expect": "refusal"},
        {"id": 5, "question": "nombre de ventes", "gold": ["SELECT bogus FROM nowhere"]},
    ]
    (folder / "q.jsonl").write_text("\n".join(json.dumps(q) for q in questions), encoding="utf-8")
    done = datapilot(
        "eval", "--source", str(folder / "data"), "--semantic", str(folder / "couche.yaml"), "--questions", str(folder / "q.jsonl"),
        "--today", "2026-06-17", "--rows", "2", "--out", str(folder / "o.jsonl"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (folder / "o.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == [1, 2, 3, 4, 5]
    assert [line["right"] for line in lines] == [True, False, True, None, None]
    assert lines[0]["theme"] == "ventes"
    assert len(lines[0]["rows"]) == 2
    assert lines[0]["row_count"] == 3
    assert lines[3]["outcome"] in ("refusal", "clarification")
    assert "5" in done.stderr


def test_a_broken_question_line_is_named(folder: Path) -> None:
    (folder / "q.jsonl").write_text('{"id": 1, "question": "CA"}\nnot json\n', encoding="utf-8")
    done = datapilot("eval", "--source", str(folder / "data"), "--questions", str(folder / "q.jsonl"), "--out", "-")
    assert done.returncode == 2
    assert "ligne 2" in one_sentence(done)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["ask"], 2),
        (["ask", "CA", "--source", "/nowhere/at/all.csv"], 2),
        (["ask", "CA", "--source", "ftp://example.invalid/x"], 2),
        (["ask", "CA", "--source", "x.csv", "--today", "demain"], 2),
        (["ask", "CA", "--source", "postgresql://u:motdepasse-secret@nowhere.invalid/db"], 3),
    ],
)
def test_wrong_usage_and_unreachable_sources(arguments: list[str], code: int) -> None:
    done = datapilot(*arguments)
    assert done.returncode in ({2, 3} if code == 2 and len(arguments) > 1 else {code}), done.stderr
    assert "Traceback" not in done.stderr
    assert "motdepasse-secret" not in done.stderr + done.stdout


def test_a_refused_connection_is_one_sentence() -> None:
    done = datapilot("ask", "CA", "--source", f"mysql://u:motdepasse-secret@127.0.0.1:{free_port()}/db")
    assert done.returncode == 3
    assert "motdepasse-secret" not in one_sentence(done)


def test_a_wrong_password_is_one_sentence(postgres: Server) -> None:
    url = postgres.new_database().replace(":secret@", ":motdepasse-secret@")
    done = datapilot("ask", "CA", "--source", url)
    assert done.returncode == 3
    assert "mot de passe" in one_sentence(done)
    assert "motdepasse-secret" not in done.stderr


@pytest.mark.parametrize("command", ["ask", "sql", "guard", "eval", "demo", "demo-data", "semantic", "kernelspec", "doctor"])
def test_every_command_has_help(command: str) -> None:
    done = datapilot(command, "--help")
    assert done.returncode == 0
    assert done.stdout.strip()


def test_doctor_tells_what_is_there() -> None:
    done = datapilot("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert checks["duckdb"]["ok"]
    assert checks["files"]["ok"]


def test_files_are_read_as_decided_beside_them(tmp_path: Path) -> None:
    (tmp_path / "ventes.csv").write_text("Code;Montant\n012;1 234,50\n013;abc\n", encoding="utf-8")
    first = datapilot("files", "--source", str(tmp_path), "--json")
    assert first.returncode == 0, first.stderr
    columns = {c["name"]: c["type"] for c in json.loads(first.stdout)["files"][0]["columns"]}
    assert columns == {"code": "text", "montant": "text"}
    model = datapilot("files", "--source", str(tmp_path), "--yaml").stdout
    (tmp_path / "datapilot.yaml").write_text(
        model.replace("Montant:\n        type: text", "Montant:\n        type: decimal"), encoding="utf-8"
    )
    again = datapilot("files", "--source", str(tmp_path))
    assert again.returncode == 1, "a cell that does not fit is a failed check"
    assert "ligne 3, colonne « Montant »" in again.stdout
    (tmp_path / "datapilot.yaml").write_text("files: 3", encoding="utf-8")
    broken = datapilot("files", "--source", str(tmp_path))
    assert broken.returncode == 3
    assert "datapilot.yaml" in one_sentence(broken)


def test_the_connection_test_says_what_the_account_can_do_beyond_reading(postgres: Server) -> None:
    url = postgres.new_database()
    done = datapilot("doctor", "--source", url)
    assert done.returncode == 1, "an administrator's account is a failed check"
    assert "GRANT SELECT" in done.stdout
    assert "répond" in done.stdout
    assert "secret" not in done.stdout + done.stderr
    gone = datapilot("doctor", "--source", f"postgresql://u:secret@127.0.0.1:{free_port()}/x")
    assert gone.returncode == 3
    one_sentence(gone)
