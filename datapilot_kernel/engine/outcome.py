"""What comes back for a question: always exactly one of four. The JSON is the contract's (``ask --json``).

Values in JSON: decimals as strings with a point, whole numbers as numbers, dates and times as ISO 8601 text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from datapilot_kernel.answers.model import AnswerColumn, ReadingPart
from datapilot_kernel.nl2sql.claude.cost import ModelUse
from datapilot_kernel.nl2sql.understanding import Choice, RefusalReason
from datapilot_kernel.plan.compiled import Compiled
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.sources.model import ResultTable

Trust = Literal["verified", "governed", "exploratory"]
EngineName = Literal["verified", "local", "claude", "sql", "plan"]
"""Who understood: ``sql`` for SQL a person wrote, ``plan`` for a plan that was edited or clicked."""


@dataclass
class Timings:
    """Milliseconds spent in each step; None in a step that was not reached."""

    understand: float | None = None
    guard: float | None = None
    execute: float | None = None
    answer: float | None = None
    total: float | None = None


@dataclass(frozen=True)
class _Outcome:
    """``model``: what a language model did and cost for this question; None when none was called."""

    id: str
    message: str
    notes: tuple[str, ...]
    engine: EngineName
    timings_ms: Timings
    model: ModelUse | None = field(default=None, repr=False, kw_only=True)


@dataclass(frozen=True)
class Answer(_Outcome):
    """The result table and everything about it. ``plan`` and ``compiled`` are None when SQL was run."""

    question: str
    trust: Trust
    sentence: str
    reading: tuple[ReadingPart, ...]
    plan: Plan | None
    sql: str
    columns: tuple[AnswerColumn, ...]
    table: ResultTable = field(repr=False)
    chart: dict[str, Any] | None = field(default=None, repr=False)
    compiled: Compiled | None = field(default=None, repr=False)

    @property
    def truncated(self) -> bool:
        """The row or byte cap cut the table."""
        return self.table.truncated


@dataclass(frozen=True)
class Clarification(_Outcome):
    """One precise question, with readings one can click."""

    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Refusal(_Outcome):
    """What is missing, and why."""

    reason: RefusalReason | str
    missing: str


@dataclass(frozen=True)
class Failure(_Outcome):
    """A technical fault, with an incident id; None when it is the source's or the person's (``reason`` says which)."""

    incident: str | None
    reason: str = "fault"


Outcome = Answer | Clarification | Refusal | Failure
