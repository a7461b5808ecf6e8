"""Who is asked, by what the local engine came to."""

from __future__ import annotations

from typing import get_args

import pytest

from datapilot_kernel.nl2sql.conversation import Conversation
from datapilot_kernel.nl2sql.router import HANDED_ON, Routing
from datapilot_kernel.nl2sql.understanding import Ambiguous, NotAnswerable, RefusalReason, Understood, Unsure
from datapilot_kernel.plan.model import Plan

PLAN = Plan(measures=({"alias": "n", "measure": "ventes.nb"},))  # type: ignore[arg-type]  # pydantic makes it


@pytest.mark.parametrize(("certainty", "handed"), [(1.0, False), (0.95, False), (0.85, True)])
def test_certainty(certainty: float, handed: bool) -> None:
    assert Routing().hands_on(Understood(PLAN, certainty)) is handed
    assert not Routing(min_certainty=0.5).hands_on(Understood(PLAN, certainty))


def test_doubt_is_handed_on_and_two_readings_are_not() -> None:
    assert Routing().hands_on(Unsure(("bidule",)))
    assert not Routing().hands_on(Ambiguous("?", ()))


@pytest.mark.parametrize("reason", get_args(RefusalReason))
def test_refusals(reason: RefusalReason) -> None:
    assert Routing().hands_on(NotAnswerable(reason, "", "")) is (reason in HANDED_ON)
    never = {
        "write_request",
        "forecast",
        "explanation",
        "not_allowed",
        "empty_question",
        "question_too_long",
        "guard",
        "not_a_data_question",
    }
    assert reason not in never or reason not in HANDED_ON


def test_after_sql_a_local_doubt_is_the_models() -> None:
    conversation = Conversation()
    conversation.add("a", PLAN)
    assert not Routing().hands_on(Ambiguous("?", ()), conversation)
    conversation.add("b", sql="SELECT 1")
    assert Routing().hands_on(Ambiguous("?", ()), conversation)
    assert conversation.last_plan is None
    conversation.add("c", PLAN)
    assert conversation.last_plan == PLAN
