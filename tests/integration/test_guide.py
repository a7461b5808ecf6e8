"""The analyst's guide keeps its promises: every question and statement in it is run, on the demo data, in order."""

from __future__ import annotations

import json
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


@pytest.mark.parametrize("slug", ["maison-lumiere", "atelier-roche"])
def test_the_notebook_that_greets_the_demos_analysts_says_what_happens(
    slug: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Every question is answered but those of the section about questions that are not; one statement is refused."""
    shipped = Path(__file__).parents[2] / "hub_config" / "demo" / "notebooks" / f"{slug}.ipynb"
    cells = [(c["cell_type"], "".join(c["source"])) for c in json.loads(shipped.read_text(encoding="utf-8"))["cells"]]
    engine = request.getfixturevalue("engine") if slug == "maison-lumiere" else _roche(request, tmp_path)
    talk, section, found = Conversation(), "", []
    for kind, source in cells:
        if kind == "markdown":
            section = source if source.startswith("#") else section
        elif source.startswith("%ask "):
            parsed = opt.parse(source.removeprefix("%ask "), opt.ASK)
            talk = Conversation() if parsed.has(opt.NEW) else talk
            outcome = engine.ask(parsed.rest, conversation=talk)
            is_answer = type(outcome).__name__ == "Answer"
            assert is_answer != ("ambiguë" in section), (parsed.rest, outcome.message)
            assert not is_answer or outcome.table.rows, parsed.rest
            found.append(type(outcome).__name__)
        elif source.startswith("%%sql"):
            found.append(type(engine.run_sql(source.partition("\n")[2])).__name__)
    assert {"Clarification", "Refusal"} <= set(found)
    assert found[-2:] == ["Answer", "Refusal"]  # what may be read is, what would delete is not


def _roche(request: pytest.FixtureRequest, folder: Path) -> Engine:
    tenant = tenants()["atelier-roche"]
    load_tenant(tenant, str(folder), today=TODAY)
    source = open_source(str(folder))
    request.addfinalizer(source.close)
    return Engine(source, layer=load_layer(Path(str(layer_path(tenant)))), fixed_today=TODAY)
