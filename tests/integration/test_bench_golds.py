"""The open half of the bench: well-formed, and every gold runs and proves something on the demo data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bench.questions.golds import Run, check, runner
from datapilot_kernel.demo.loader import tenants

FOLDER = Path(__file__).parents[2] / "bench" / "questions"
FILES = {"open.jsonl": "maison-lumiere", "open_atelier.jsonl": "atelier-roche"}


def questions(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def maison_lumiere() -> Iterator[Run]:
    with runner("duckdb", tenants()["maison-lumiere"]) as run:
        yield run


def test_enough_of_every_kind() -> None:
    records = questions("open.jsonl")
    expected = Counter(record["expect"] for record in records)
    assert expected["answer"] >= 110
    assert expected["refusal"] >= 15
    assert expected["clarification"] >= 10
    assert len({record["id"] for record in records}) == len(records)
    assert len({record["question"].lower() for record in records if "previous" not in record}) == len(
        [record for record in records if "previous" not in record]
    )
    kinds = {record["category"] for record in records}
    assert kinds >= {
        "total", "distinct", "average", "dimension", "two dimensions", "top", "superlative", "trend", "filter", "comparison",
        "negation", "having", "share", "growth", "ratio", "stock", "list", "absence", "two values", "running", "follow-up",
        "typo", "telegraphic", "english", "calendar", "second path",
    }  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_golds_run_and_are_not_right_by_accident(name: str) -> None:
    with runner("duckdb", tenants()[FILES[name]]) as run:
        problems = [problem for record in questions(name) for problem in check(record, run, (duckdb.Error,))]
    assert problems == []


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({"gold": ["SELECT nothing FROM nowhere"]}, "no gold runs"),
        ({"gold": ["SELECT SUM(mt_ht) FROM commandes WHERE date_commande > DATE '2030-01-01'"]}, "empty"),
        (
            {"gold": ["SELECT COUNT(*) FROM magasins, (SELECT 1 FROM commandes WHERE statut <> 'ANN' LIMIT 1) t"]},
            "no difference",
        ),
        ({"expect": "refusal", "gold": ["SELECT 1"]}, "an answer has golds"),
        ({"gold": ["SELECT id_commande FROM commandes"]}, "60000 rows"),
        ({"expect": "maybe"}, "unknown expectation"),
    ],
)
def test_a_bad_gold_is_told(record: dict[str, Any], what: str, maison_lumiere: Run) -> None:
    problems = check({"id": "x", "question": "?", **record}, maison_lumiere, (duckdb.Error,))
    assert len(problems) == 1
    assert what in problems[0].what
