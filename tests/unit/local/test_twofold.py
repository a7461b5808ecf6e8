"""Words that are two things at once, and are settled or asked but never taken for the wrong one (``refuge.yaml``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from datapilot_kernel.catalog.values import ValueIndex
from datapilot_kernel.nl2sql.local import LocalEngine
from datapilot_kernel.semantic.loading import load_layer
from tests.unit.local.conftest import TODAY, pairs
from tests.unit.local.notation import line

VALUES = {
    "races.nom": ["Épagneul", "Chartreux", "Wouaf.fr"],
    "gardes.box": ["T1", "T2"],
}
QUESTIONS = pairs("twofold.txt")


@pytest.fixture(scope="module")
def shelter() -> LocalEngine:
    return LocalEngine(load_layer(Path(__file__).parent / "refuge.yaml"), ValueIndex(VALUES))


@pytest.mark.parametrize(("question", "expected"), QUESTIONS)
def test_question(shelter: LocalEngine, question: str, expected: str) -> None:
    assert line(shelter.understand(question, today=TODAY)) == expected
