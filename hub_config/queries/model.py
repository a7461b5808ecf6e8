"""What is asked, and what it came to: the values that travel between the service, its parts and the routes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from datapilot_kernel.engine.outcome import Outcome
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.semantic.model import Layer
from datapilot_kernel.sources import Dialect

Kind = Literal["ask", "plan", "sql", "frame"]
EngineChoice = Literal["auto", "local", "claude"]


@dataclass(frozen=True)
class Trial:
    """A layer that is being written, to ask a question over before it is kept.

    Attributes
    ----------
    attributes
        Values that its row filters are tried with. The rights in force hold on top, with the person's own.
    """

    layer: Layer
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Asked:
    """One request: a question, a plan (with the question it is a reading of, or none), or a statement.

    Attributes
    ----------
    today
        Fixes relative periods; None: the clock. Anybody may: a period can be written out in full as well.
    conversation_id
        None: a question begins a new conversation.
    fresh
        Do not answer from the cache.
    trial
        Ask over this layer instead of the one in force, within the rights in force: always exploratory, without a model and
        without approved questions.
    alone
        Belongs to no conversation and begins none.
    """

    source_id: str
    question: str = ""
    plan: Plan | None = None
    sql: str | None = None
    engine: EngineChoice = "auto"
    today: date | None = None
    conversation_id: str | None = None
    fresh: bool = False
    trial: Trial | None = None
    alone: bool = False

    @property
    def kind(self) -> Kind:
        """Which of the three it is."""
        if self.sql is not None:
            return "sql"
        return "plan" if self.plan is not None else "ask"

    @property
    def text(self) -> str | None:
        """What the person wrote: the question, or the statement."""
        return self.sql if self.sql is not None else (self.question or None)


@dataclass(frozen=True)
class Ended:
    """A query that ended with one of the four outcomes, and is written down.

    Attributes
    ----------
    conversation_id
        The conversation that it went on, or began; None: none.
    rights
        The fingerprint of the rights that its result was made for.
    body
        What whoever asked had made of it on the query's thread.
    """

    query_id: str
    outcome: Outcome
    conversation_id: str | None = None
    cached: bool = False
    rights: str = ""
    body: bytes = field(default=b"", repr=False)

    def to_json(self, *, inline_rows: int | None = None) -> dict[str, Any]:
        """Return the contract's object, and what the platform adds to it.

        Parameters
        ----------
        inline_rows
            Rows of an answer that come with it; None: all of them.
        """
        from datapilot_kernel.engine.outcome import Answer
        from datapilot_kernel.engine.wire import to_json

        outcome = self.outcome
        found = to_json(outcome) if inline_rows is None else to_json(_cut(outcome, inline_rows))
        found["conversation_id"] = self.conversation_id
        if isinstance(outcome, Answer):
            found["row_count"] = len(outcome.table.rows)
            found["cached"] = self.cached
            found["truncated"] = outcome.truncated
        return found


def _cut(outcome: Outcome, rows: int) -> Outcome:
    from dataclasses import replace

    from datapilot_kernel.engine.outcome import Answer

    if not isinstance(outcome, Answer) or len(outcome.table.rows) <= rows:
        return outcome
    return replace(outcome, table=replace(outcome.table, rows=outcome.table.rows[:rows]))


@dataclass(frozen=True)
class Described:
    """What a person's questions about a source are answered over."""

    name: str
    dialect: Dialect
    tables: int
    layer: Layer
    today: date


@dataclass
class Ending:
    """What is to be written down of a query that ended, however it did."""

    status: Literal["done", "cancelled", "failed"]
    outcome: str | None = None
    engine: str | None = None
    trust: str | None = None
    reason: str | None = None
    incident: str | None = None
    sql: str | None = None
    tables: list[str] = field(default_factory=list)
    plan: dict[str, Any] | None = None
    row_count: int | None = None
    cache_hit: bool = False
    timings_ms: dict[str, Any] = field(default_factory=dict)
    source_ms: float = 0.0
    duration_ms: float = 0.0
    model: dict[str, Any] | None = None
    cost_microeuros: int = 0
