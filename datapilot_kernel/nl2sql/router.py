"""Who answers: an approved question, the local engine, Claude, in that order; or the one that was asked for by name.

Pure decisions, no side effects: the engine asks, and does. What the local engine is sure of stays here (free, in
milliseconds, nothing leaves); what it would ask back stays here too (two readings that it can name precisely). What it
could not place, or has no measure, cut or join for, may be a question for a model that can write SQL. What is refused
for its kind (a wish to change data, a forecast) is refused by any engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from datapilot_kernel.nl2sql.conversation import Conversation
from datapilot_kernel.nl2sql.understanding import (
    Ambiguous,
    NotAnswerable,
    RefusalReason,
    Understanding,
    Understood,
    Unsure,
)

HANDED_ON: frozenset[RefusalReason] = frozenset(
    {"unknown_word", "missing_data", "missing_measure", "missing_dimension", "missing_time", "no_join", "unsupported"}
)
"""Refusals of the local engine that another one may still answer."""


@dataclass(frozen=True)
class Routing:
    """The router's settings.

    Attributes
    ----------
    min_certainty
        A local plan less certain than this goes to Claude. The local engine gives 1 (every word, exactly), 0.95 (with a
        note: a spelling corrected, a default taken) and 0.85 (only one of several readings could be built). On the open
        bench 1 was right 130 times in 130 and 0.95 20 times in 20; nothing there was 0.85, so nothing speaks for it.
    """

    min_certainty: float = 0.9

    def hands_on(self, understanding: Understanding, conversation: Conversation | None = None) -> bool:
        """Tell whether the local engine's understanding is one to hand on.

        Where the last turn came to SQL or to a model's question, only the model knows what « et par région ? » stands on:
        the local engine's doubt is then not worth a question to the person.
        """
        match understanding:
            case Understood(certainty=certainty):
                return certainty < self.min_certainty
            case Ambiguous():
                last = conversation.turns[-1] if conversation else None
                return last is not None and (last.sql is not None or last.asked_back is not None)
            case NotAnswerable(reason=reason):
                return reason in HANDED_ON
            case Unsure():
                return True
            case _:
                assert_never(understanding)
