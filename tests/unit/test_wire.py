"""The outcome on the wire, held to the contract."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from datapilot_kernel.engine.outcome import Answer, Clarification, Failure, Refusal, Timings
from datapilot_kernel.engine.wire import to_json, wire_value
from datapilot_kernel.nl2sql.understanding import Choice
from datapilot_kernel.plan.model import Plan
from tests.scripted_client import ScriptedClient, plan

COMMON = {"id", "outcome", "message", "notes", "engine", "timings_ms"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), (True, True), (3, 3), (2**70, 2**70), (Decimal("12.50"), "12.50"), (Decimal("12"), 12),
     (Decimal("1E+3"), 1000), (Decimal("1E-7"), "0.0000001"), (0.1, "0.1"), (3.0, "3.0"), (1e22, "10000000000000000000000"),
     (float("nan"), "NaN"), (date(2026, 5, 3), "2026-05-03"), (datetime(2026, 5, 3, 1, 2, tzinfo=UTC), "2026-05-03T01:02:00+00:00"),
     (time(1, 2), "01:02:00"), (timedelta(hours=-1, minutes=-30), "-PT1H30M"), (timedelta(0), "PT0S"), (b"\x00\xff", "AP8="),
     ({"a": [Decimal("1.5")]}, {"a": ["1.5"]})],
)  # fmt: skip
def test_values(value: Any, expected: Any) -> None:
    shown = wire_value(value)
    assert shown == expected
    assert type(shown) is type(expected)


def test_an_answer() -> None:
    answer = ScriptedClient().run_plan(plan(), question="ca par région")
    assert isinstance(answer, Answer)
    made = json.loads(json.dumps(to_json(answer), allow_nan=False))
    assert made.keys() >= COMMON | {"trust", "sentence", "reading", "plan", "sql", "columns", "rows", "truncated", "chart"}
    assert made["outcome"] == "answer"
    assert made["timings_ms"].keys() == {"understand", "guard", "execute", "answer", "total"}
    assert made["reading"][0].keys() == {"path", "kind", "label", "value", "editable"}
    assert made["columns"][0].keys() >= {"name", "label", "type", "format"}
    assert made["rows"][4][0] is None
    assert isinstance(made["rows"][0][1], str)
    assert Plan.model_validate(made["plan"]) == answer.plan
    assert made["chart"]["data"]


def test_the_three_others() -> None:
    clarification = Clarification(
        "1", "Laquelle ?", (), "local", Timings(), (Choice("A", plan()), Choice("B", plan(by="month")))
    )
    made = to_json(clarification)
    assert made["outcome"] == "clarification"
    assert [c["label"] for c in made["choices"]] == ["A", "B"]
    refusal = to_json(Refusal("2", "Non.", ("n",), "local", Timings(), "missing_data", "la météo"))
    assert (refusal["outcome"], refusal["reason"], refusal["missing"], refusal["notes"]) == (
        "refusal",
        "missing_data",
        "la météo",
        ["n"],
    )
    failure = to_json(Failure("3", "Panne.", (), "local", Timings(total=1.23456), "3F9A-C21B"))
    assert (failure["outcome"], failure["incident"], failure["timings_ms"]["total"]) == ("failure", "3F9A-C21B", 1.235)
    for made in (clarification, refusal, failure):
        assert made is not None
