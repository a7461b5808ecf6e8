"""A conversation: the questions just asked and what they came to, so that « et par région ? » has something to stand on.

Bounded: only the last turns matter, and nothing grows with a long day's work. A turn holds a plan, never a result.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from datapilot_kernel.plan.model import Plan

MAX_TURNS = 20


@dataclass(frozen=True)
class Turn:
    """One question; ``plan`` None when it did not come to one."""

    question: str
    plan: Plan | None = None


class Conversation:
    """The last turns, oldest first."""

    def __init__(self, turns: Iterable[Turn] = ()) -> None:
        self._turns: deque[Turn] = deque(turns, maxlen=MAX_TURNS)

    def add(self, question: str, plan: Plan | None = None) -> None:
        """Remember a question and its plan."""
        self._turns.append(Turn(question, plan))

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
        """The latest plan; None when no question of this conversation came to one."""
        return next((turn.plan for turn in reversed(self._turns) if turn.plan is not None), None)

    def clear(self) -> None:
        """Forget everything."""
        self._turns.clear()
