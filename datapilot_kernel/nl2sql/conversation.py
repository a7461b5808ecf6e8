"""A conversation: the questions just asked and what they came to, so that « et par région ? » has something to stand on.

Bounded: only the last turns matter, and nothing grows with a long day's work. A turn holds a plan, a statement or what was
asked back, never a result.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from datapilot_kernel.plan.model import Plan

MAX_TURNS = 20


@dataclass(frozen=True)
class Turn:
    """One question and what it came to: a plan, a statement (no plan could say it), or a question back.

    Attributes
    ----------
    sql
        The statement as it was given to the guard.
    """

    question: str
    plan: Plan | None = None
    sql: str | None = None
    asked_back: str | None = None


class Conversation:
    """The last turns, oldest first."""

    def __init__(self, turns: Iterable[Turn] = ()) -> None:
        self._turns: deque[Turn] = deque(turns, maxlen=MAX_TURNS)

    def add(self, question: str, plan: Plan | None = None, *, sql: str | None = None, asked_back: str | None = None) -> None:
        """Remember a question and what it came to."""
        self._turns.append(Turn(question, plan, sql, asked_back))

    def __iter__(self) -> Iterator[Turn]:
        return iter(self._turns)

    def __len__(self) -> int:
        return len(self._turns)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Every turn kept, oldest first."""
        return tuple(self._turns)

    @property
    def last_plan(self) -> Plan | None:
        """The latest plan; None when no question came to one, or when a later one came to SQL: what follows then stands on
        that, and not on the plan before it.
        """
        for turn in reversed(self._turns):
            if turn.plan is not None:
                return turn.plan
            if turn.sql is not None:
                return None
        return None

    def clear(self) -> None:
        """Forget everything."""
        self._turns.clear()
