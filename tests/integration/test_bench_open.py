"""The open half of the bench, end to end, on the three engines: right, never wrong, and the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from datapilot_kernel.demo.loader import load_tenant, tenants
from datapilot_kernel.engine import Engine
from datapilot_kernel.engine.evaluate import Summary, evaluate, read_questions
from datapilot_kernel.semantic import load_layer
from datapilot_kernel.sources import open_source
from datapilot_kernel.sources.model import Limits

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 6, 17)
QUESTIONS = list(read_questions((ROOT / "bench/questions/open.jsonl").read_text(encoding="utf-8").splitlines()))


@pytest.fixture(params=["postgres", "mariadb", "csv"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    place = (
        str(tmp_path / "demo") if request.param == "csv" else request.getfixturevalue(request.param).new_database("bench")
    )
    load_tenant(tenants()["maison-lumiere"], place, today=TODAY)
    source = open_source(place)
    layer = load_layer(ROOT / "datapilot_kernel/demo/maison_lumiere.yaml")
    yield Engine(source, layer=layer, limits=Limits(max_rows=100_000), fixed_today=TODAY)
    source.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_open_questions_are_right_on_every_engine(engine: Engine) -> None:
    summary, failures = Summary(), []
    for record, line in evaluate(engine, QUESTIONS):
        summary.add(record, line)
        if line["outcome"] == "failure":
            failures.append(line["id"])
    assert not failures
    assert summary.wrong == 0
    assert summary.right >= 0.97 * summary.answerable
    assert summary.withheld == summary.withheld_due
