"""What understanding a question comes to, whichever engine did it: one of four.

``Understood`` has a plan and nothing unexplained. ``Ambiguous`` has one precise question and 2 to 4 readings.
``NotAnswerable`` knows what is missing. ``Unsure`` hands on, with what was understood so far: to the next engine
(Claude) or, when there is none, the engine turns it into a clarification or a refusal that says which word could not
be placed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from datapilot_kernel.plan.model import Plan

RefusalReason = Literal[
    "empty_question", "question_too_long", "not_a_question", "sql_instead_of_question", "unknown_word",
    "missing_data", "missing_measure", "missing_dimension", "missing_time", "value_not_found", "not_a_data_question",
    "forecast", "explanation", "write_request", "no_join", "unsupported", "period_not_possible", "not_allowed", "guard",
]  # fmt: skip
"""The closed set of reasons of a refusal that comes from understanding or from the guard."""


@dataclass(frozen=True)
class Choice:
    """One reading of an ambiguous question: what a person clicks, and the plan that runs then."""

    label: str
    plan: Plan


@dataclass(frozen=True)
class Understood:
    """A plan that explains every word.

    ``certainty`` is between 0 and 1, for the router. ``notes`` are sentences for the person (a value matched loosely, an
    assumption made).
    """

    plan: Plan
    certainty: float = 1.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ambiguous:
    """One precise question, 2 to 4 readings."""

    message: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class NotAnswerable:
    """Understood well enough to say what is missing: ``missing`` names it in the person's words; ``message`` is for them."""

    reason: RefusalReason
    missing: str
    message: str


@dataclass(frozen=True)
class Unsure:
    """Not understood wholly. ``unexplained`` are the words that no reading explains; ``partial`` what was understood."""

    unexplained: tuple[str, ...]
    partial: Plan | None = None
    suggestions: tuple[Choice, ...] = field(default=())
    message: str = ""


Understanding = Understood | Ambiguous | NotAnswerable | Unsure
