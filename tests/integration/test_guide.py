"""The analyst's guide keeps its promises: every question and statement in it is run, on the demo data, in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from datapilot_kernel.demo.loader import layer_path, load_tenant, tenants
from datapilot_kernel.engine import Engine
from datapilot_kernel.nl2sql.conversation import Conversation
from datapilot_kernel.notebook import options as opt
from datapilot_kernel.semantic import load_layer
from datapilot_kernel.sources import open_source

GUIDE = Path(__file__).parents[2] / "docs" / "fr" / "guide-analyste.md"
BLOCK = re.compile(r"(?:<!-- attendu : (\w+) -->\s*)?^ *```(\w*)\n(.*?)^ *```", re.S | re.M)
TODAY = date(2026, 6, 17)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    tenant = tenants()["maison-lumiere"]
    folder = tmp_path_factory.mktemp("guide")
    load_tenant(tenant, str(folder), today=TODAY)
    source = open_source(str(folder))
    yield Engine(source, layer=load_layer(Path(str(layer_path(tenant)))), fixed_today=TODAY)
    source.close()


def _blocks() -> list[tuple[str, list[str]]]:
    found = BLOCK.findall(GUIDE.read_text(encoding="utf-8"))
    return [
        (expected or "Answer", [x.strip() for x in body.strip().splitlines()]) for expected, kind, body in found if not kind
    ]


def test_every_question_of_the_guide_has_the_outcome_it_shows(engine: Engine) -> None:
    talk, asked, faults = Conversation(), 0, []
    for expected, lines in _blocks():
        for line in lines:
            if not line.startswith("%ask "):
                continue
            parsed = opt.parse(line.removeprefix("%ask "), opt.ASK)
            talk = Conversation() if parsed.has(opt.NEW) else talk
            outcome = engine.ask(parsed.rest, conversation=talk)
            asked += 1
            if type(outcome).__name__ != expected:
                faults.append(f"{parsed.rest}: {outcome.message}")
            elif expected == "Answer":
                assert outcome.table.rows, parsed.rest  # type: ignore[union-attr]
    assert asked >= 25
    assert faults == []


def test_the_sql_of_the_guide_runs(engine: Engine) -> None:
    statements = ["\n".join(lines[1:]) for _, lines in _blocks() if lines[0] == "%%sql"]
    assert statements
    for statement in statements:
        assert engine.run_sql(statement).table.rows  # type: ignore[union-attr]


def test_the_commands_of_the_guide_exist() -> None:
    from datapilot_kernel.notebook.magics import SUBCOMMANDS

    named = set(re.findall(r"%datapilot (\w+)", GUIDE.read_text(encoding="utf-8")))
    assert named
    assert named <= set(SUBCOMMANDS)
