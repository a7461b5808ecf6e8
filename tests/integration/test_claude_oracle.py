"""A model that is always right loses nothing on its way: its SQL and its plans come out as right answers.

The scripted server knows the open bench's gold and gives it, through the real SDK, as a tool call. Whatever the pipeline
does to it (value tokens, spelling of values, guard, limits) must leave it right: no right statement refused, no plan that
says less than it said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from datapilot_kernel.demo.loader import load_tenant, tenants
from datapilot_kernel.engine import Engine
from datapilot_kernel.engine.evaluate import Summary, evaluate, read_questions
from datapilot_kernel.nl2sql.claude.settings import ModelSettings
from datapilot_kernel.nl2sql.router import Routing
from datapilot_kernel.nl2sql.understanding import Understood
from datapilot_kernel.plan.compact import compact_plan
from datapilot_kernel.semantic import load_layer
from datapilot_kernel.sources import open_source
from datapilot_kernel.sources.model import Limits
from tests.model_server import KEY, ModelServer, Reply, model_server, tool

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 6, 17)
QUESTIONS = list(read_questions((ROOT / "bench/questions/open.jsonl").read_text(encoding="utf-8").splitlines()))
ALONE = [q for q in QUESTIONS if not q.get("previous")]
_ASKED = re.compile(r"<question>\n(.*)\n</question>", re.DOTALL)


def asked(body: dict[str, Any]) -> str:
    found = _ASKED.search(body["messages"][0]["content"])
    assert found is not None
    return found[1]


REFUSAL = tool("refuse", {"reason": "missing_data", "missing": "", "message": "Cette donnée n’est pas là."})


def knows_the_gold() -> Callable[[dict[str, Any]], Reply]:
    """Give the gold; sent back, the next of its alternatives (one may be of another dialect)."""
    golds = {q["question"]: ([q["gold"]] if isinstance(q["gold"], str) else q["gold"]) for q in ALONE if q.get("gold")}

    def reply(body: dict[str, Any]) -> Reply:
        gold = golds.get(asked(body))
        if gold is None:
            return REFUSAL
        tried = len(body["messages"]) // 2
        return tool("give_sql", {"sql": gold[min(tried, len(gold) - 1)], "note": ""})

    return reply


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, ModelServer]]:
    place = str(tmp_path_factory.mktemp("oracle") / "demo")
    load_tenant(tenants()["maison-lumiere"], place, today=TODAY)
    source = open_source(place)
    layer = load_layer(ROOT / "datapilot_kernel/demo/maison_lumiere.yaml")
    with model_server() as server:
        settings = ModelSettings(key=KEY, base_url=server.url)  # type: ignore[arg-type]  # pydantic makes it secret
        made = Engine(source, layer=layer, limits=Limits(max_rows=100_000), fixed_today=TODAY, model=settings)
        yield made, server
        made.close()
    source.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_right_sql_comes_out_right(engine: tuple[Engine, ModelServer]) -> None:
    made, server = engine
    server.play(knows_the_gold())
    summary, wrong = Summary(), []
    for record, line in evaluate(made, ALONE, choice="claude"):
        summary.add(record, line)
        if record.get("expect", "answer") == "answer" and line["right"] is not True:
            wrong.append((line["id"], line["outcome"], line["message"]))
    assert wrong == []
    assert summary.wrong == 0
    assert summary.withheld == summary.withheld_due
    assert summary.right == summary.answerable > 150
    assert summary.cost_microeuros == summary.model_calls * (1200 * 3 + 80 * 15)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_plan_comes_out_as_it_went_in(engine: tuple[Engine, ModelServer]) -> None:
    made, server = engine
    plans = {}
    for question in ALONE:
        understood = made.local.understand(question["question"], today=TODAY)
        if isinstance(understood, Understood):
            plans[question["question"]] = understood.plan
    assert len(plans) > 140
    server.play(lambda body: tool("give_plan", {"plan": compact_plan(plans[asked(body)])}))
    different = []
    for question, plan in plans.items():
        there, here = made.ask(question, engine="claude"), made.run_plan(plan)
        if type(there) is not type(here) or getattr(there, "sql", None) != getattr(here, "sql", None):
            different.append((question, there.message, here.message))
    assert different == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_stays_local_is_right(engine: tuple[Engine, ModelServer]) -> None:
    """The router's threshold is measured: what the local engine is that certain of is right."""
    made, _ = engine
    lines = {line["id"]: line for _, line in evaluate(made, ALONE, choice="local")}
    total: Counter[float] = Counter()
    right: Counter[float] = Counter()
    for question in ALONE:
        understood = made.local.understand(question["question"], today=TODAY)
        if isinstance(understood, Understood):
            total[understood.certainty] += 1
            right[understood.certainty] += lines[question["id"]]["right"] is True
    kept = [certainty for certainty in total if certainty >= Routing().min_certainty]
    assert sum(total[c] for c in kept) > 140
    for certainty in kept:
        assert right[certainty] >= 0.97 * total[certainty], (certainty, right[certainty], total[certainty])
