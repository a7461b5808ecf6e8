"""Record and replay, on the command line: a bench runs again without network, with the same outcomes and the same cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datapilot_kernel.cli import main
from datapilot_kernel.messages import text as say
from datapilot_kernel.nl2sql.claude.settings import DEFAULT_MODEL
from tests.model_server import KEY, ModelServer, error, text, tool
from tests.unit.claude.conftest import FILES, LAYER, by_city

ODD = "le chiffre d'affaires pondéré des bidules par ville"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name, content in FILES.items():
        (tmp_path / "data" / name).write_text(content, encoding="utf-8")
    (tmp_path / "layer.yaml").write_text(LAYER, encoding="utf-8")
    questions = [
        {"id": 1, "question": ODD, "gold": ["SELECT 'Grenoble' AS v, 120.5 AS ca UNION ALL SELECT 'Voiron', 999"]},
        {"id": 2, "question": "combien de bidules", "expect": "refusal"},
        {"id": 3, "question": "CA par ville en mai 2026"},
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(json.dumps(q) for q in questions), encoding="utf-8")
    return tmp_path


def run(folder: Path, *more: str) -> tuple[int, list[dict[str, Any]]]:
    out = folder / "out.jsonl"
    code = main([
        "eval", "--source", str(folder / "data"), "--semantic", str(folder / "layer.yaml"), "--questions", str(folder / "q.jsonl"),
        "--today", "2026-06-17", "--rows", "3", "--out", str(out), *more,
    ])  # fmt: skip
    return code, [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []


@pytest.fixture
def configured(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setenv("DATAPILOT_MODEL_MAX_RETRIES", "0")
    return server


SCRIPT = [
    tool("give_sql", {"sql": "SELECT nope FROM ventes", "note": ""}),
    tool("give_plan", {"plan": by_city()}, before="Hm."),
    tool("refuse", {"reason": "missing_data", "missing": "bidules", "message": "Il n’y a pas de bidules."}),
]


def test_a_recorded_bench_runs_again_without_a_network(
    folder: Path, configured: ModelServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.play(SCRIPT)
    code, first = run(folder, "--record", str(folder / "traffic"), "--run-log", str(folder / "log.jsonl"))
    assert code == 0
    said = capsys.readouterr().err
    assert "Claude : 2 questions, 3 appels dont 1 corrections" in said
    assert [line["right"] for line in first] == [True, None, None]
    assert [line["outcome"] for line in first] == ["answer", "refusal", "answer"]
    assert first[0]["model"]["calls"] == 2
    assert first[2]["model"] is None, "the local engine was sure"

    log = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [step["verdict"] for step in log[0]["steps"]] == ["guard", "ran"]
    assert log[0]["steps"][0]["given"]["sql"] == "SELECT nope FROM ventes"
    assert log[0]["steps"][1]["usage"]["input_tokens"] == 1200
    assert log[0]["plan"]["period"] == {"kind": "calendar", "unit": "month", "offset": -1}
    assert [{**body, "stream": True} for body in log[0]["requests"]] == [seen.body for seen in configured.requests[:2]]
    files = list((folder / "traffic").glob("*.json"))
    assert len(files) == 3
    for file in (*files, folder / "log.jsonl", folder / "out.jsonl"):
        assert KEY not in file.read_text(encoding="utf-8")

    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    code, second = run(folder, "--replay", str(folder / "traffic"))
    assert code == 0
    for line in (*first, *second):
        line.pop("latency_ms")
        if line["model"]:
            line["model"].pop("model_ms")
    assert second == first
    assert len(configured.requests) == 3


def test_a_question_that_was_not_recorded_says_so(folder: Path, configured: ModelServer) -> None:
    configured.play([text("x"), text("x"), error(529)])
    run(folder, "--record", str(folder / "traffic"))
    (folder / "q.jsonl").write_text(json.dumps({"id": 9, "question": "combien de trucs bidules"}), encoding="utf-8")
    _, lines = run(folder, "--replay", str(folder / "traffic"), "--run-log", str(folder / "log.jsonl"))
    assert lines[0]["outcome"] == "refusal"
    log = json.loads((folder / "log.jsonl").read_text(encoding="utf-8"))
    assert log["notes"][-1] == say("claude.problem.not_recorded")


def test_trouble_is_replayed_too(folder: Path, configured: ModelServer) -> None:
    configured.play([error(529), error(401)])
    _, first = run(folder, "--record", str(folder / "traffic"))
    _, second = run(folder, "--replay", str(folder / "traffic"))
    assert [(a["outcome"], a["message"]) for a in first] == [(b["outcome"], b["message"]) for b in second]


@pytest.mark.parametrize("option", ["--record", "--replay"])
def test_a_folder_that_cannot_be_used(
    folder: Path, configured: ModelServer, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "file").write_text("x", encoding="utf-8")
    code, _ = run(folder, option, str(folder / "file"))
    assert code == 2
    assert "file" in capsys.readouterr().err


def test_a_recording_that_is_broken(folder: Path, configured: ModelServer, capsys: pytest.CaptureFixture[str]) -> None:
    configured.play(SCRIPT)
    run(folder, "--record", str(folder / "traffic"))
    for file in (folder / "traffic").glob("*.json"):
        file.write_text("{", encoding="utf-8")
    _, lines = run(folder, "--replay", str(folder / "traffic"))
    assert "enregistrement" in lines[0]["message"]


def test_recording_needs_a_key(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    code, _ = run(folder, "--record", str(folder / "traffic"))
    assert code == 2
    assert "ANTHROPIC_API_KEY" in capsys.readouterr().err


def test_the_turns_before_are_paid_for_too(
    folder: Path, configured: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    question = {"id": 1, "question": "et les bidules ?", "previous": [ODD, "et par bidule"]}
    (folder / "q.jsonl").write_text(json.dumps(question), encoding="utf-8")
    configured.play([tool("give_plan", {"plan": by_city()})] * 3)
    _, lines = run(folder, "--engine", "claude")
    assert (lines[0]["model"]["calls"], lines[0]["model_before"]["calls"]) == (1, 2)
    assert f"{3 * (1200 * 3 + 80 * 15) / 1e6:.4f} €" in capsys.readouterr().err
    assert ODD in configured.requests[2].body["messages"][0]["content"]


def test_doctor_knows_the_model(
    configured: ModelServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said() -> tuple[bool, str]:
        main(["doctor", "--json"])
        check = next(c for c in json.loads(capsys.readouterr().out) if c["name"] == "model")
        return check["ok"], check["message"]

    assert said() == (True, say("cli.doctor.model", model=DEFAULT_MODEL))
    monkeypatch.setenv("DATAPILOT_MODEL", "claude-sonnet-4-5-20250929")
    assert said() == (False, say("cli.doctor.model_retired", model="claude-sonnet-4-5-20250929", date="November 30th, 2026"))
    monkeypatch.setenv("DATAPILOT_MODEL", "claude-sonnet-5-5")
    assert said() == (True, say("cli.doctor.model", model="claude-sonnet-5-5"))
    monkeypatch.setenv("DATAPILOT_MODEL_OPENNESS", "wide")
    assert said()[0] is False
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert said() == (True, say("cli.doctor.model_none"))
    assert configured.requests == [], "nothing is sent"


def test_ask_through_claude(folder: Path, configured: ModelServer, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["ask", ODD, "--source", str(folder / "data"), "--semantic", str(folder / "layer.yaml"), "--today", "2026-06-17"]
    configured.play([tool("give_plan", {"plan": by_city()})])
    assert main([*ask, "--engine", "claude", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["engine"], shown["trust"], shown["model"]["calls"]) == ("claude", "governed", 1)
    configured.play([error(500)])
    assert main(ask) == 1
    assert "Claude est en panne" in capsys.readouterr().err
