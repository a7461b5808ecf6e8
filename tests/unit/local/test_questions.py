"""Questions and what they come to, over a layer that no other test or bench knows (``velos.yaml``)."""

from __future__ import annotations

import unicodedata

import pytest

from datapilot_kernel.nl2sql.conversation import Conversation
from datapilot_kernel.nl2sql.local import LocalEngine
from datapilot_kernel.nl2sql.understanding import Ambiguous, Understood
from datapilot_kernel.plan.compiler import compile_plan
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.semantic.model import Layer
from tests.unit.local.conftest import TODAY, conversations, pairs
from tests.unit.local.notation import line

QUESTIONS = pairs("questions.txt")
ANSWERED = [(q, a) for q, a in QUESTIONS if a[:1] not in "?!"]


@pytest.mark.parametrize(("question", "expected"), QUESTIONS)
def test_question(engine: LocalEngine, question: str, expected: str) -> None:
    assert line(engine.understand(question, today=TODAY)) == expected


@pytest.mark.parametrize("turns", conversations(), ids=lambda turns: turns[0][0])
def test_conversation(engine: LocalEngine, turns: list[tuple[str, str]]) -> None:
    conversation = Conversation()
    for question, expected in turns:
        understood = engine.understand(question, today=TODAY, conversation=conversation)
        assert line(understood) == expected, question
        conversation.add(question, understood.plan if isinstance(understood, Understood) else None)


def test_the_files_are_worth_their_name() -> None:
    assert len(QUESTIONS) + sum(len(c) for c in conversations()) >= 250
    assert sum(a.startswith("! ") for _, a in QUESTIONS) >= 15
    assert sum(a.startswith("? ") for _, a in QUESTIONS) >= 12


def test_every_plan_compiles(engine: LocalEngine, layer: Layer) -> None:
    for question, _ in QUESTIONS:
        understood = engine.understand(question, today=TODAY)
        plans = [understood.plan] if isinstance(understood, Understood) else []
        plans += [c.plan for c in understood.choices] if isinstance(understood, Ambiguous) else []
        for plan in plans:
            assert Plan.model_validate_json(plan.model_dump_json()) == plan
            assert compile_plan(plan, layer, dialect="postgres", today=TODAY).sql, question


def test_choices_are_two_to_four_and_differ(engine: LocalEngine) -> None:
    for question, expected in QUESTIONS:
        if expected.startswith("? "):
            understood = engine.understand(question, today=TODAY)
            assert isinstance(understood, Ambiguous)
            assert 2 <= len(understood.choices) <= 4
            assert len({c.label for c in understood.choices}) == len(understood.choices)
            assert understood.message


@pytest.mark.parametrize("word", ["zorglub", "fidèles", "rentables", "hors-taxe", "salaires"])
def test_a_word_that_has_no_place_is_never_dropped(engine: LocalEngine, word: str) -> None:
    for question, _ in ANSWERED:
        words = question.split()
        for place in {1, len(words)}:
            changed = " ".join([*words[:place], word, *words[place:]])
            understood = engine.understand(changed, today=TODAY)
            assert not isinstance(understood, Understood), f"{changed} -> {line(understood)}"


def test_case_and_accents_do_not_matter(engine: LocalEngine) -> None:
    for question, expected in ANSWERED:
        bare = "".join(c for c in unicodedata.normalize("NFKD", question) if not unicodedata.combining(c))
        for written in (
            question.upper() if "N-1" not in question else question,
            bare,
            question.replace("'", "’"),
            f"  {question} ?",
        ):
            # Without accents a participle may be a noun: a question back is right, another answer is not.
            found = line(engine.understand(written, today=TODAY))
            assert found == expected or found[:1] in "?!", written
