"""How building a plan ends early: several readings, something missing, or a word without a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.understanding import RefusalReason


class Signal(Exception):
    """Base of the three."""


class Fork(Signal):
    """Several readings: ``labels`` tell them apart; the builder is called again with ``slot`` picked."""

    def __init__(self, slot: str, labels: list[str], message: str) -> None:
        super().__init__(slot)
        self.slot, self.labels, self.message = slot, labels, message


class Missing(Signal):
    """Understood, and not answerable."""

    def __init__(self, reason: RefusalReason, missing: str, **values: Any) -> None:
        super().__init__(reason)
        self.reason: RefusalReason = reason
        self.missing = missing
        self.message = text(f"nl2sql.{reason}", missing=missing, **values)


class NotSure(Signal):
    """Some words have no place in any reading."""

    def __init__(self, *words: str) -> None:
        super().__init__(*words)
        self.words = words


@dataclass(frozen=True)
class Pick:
    """Which reading of each fork to take."""

    slots: tuple[tuple[str, int], ...] = ()

    def get(self, slot: str) -> int | None:
        """Return the reading picked for ``slot``."""
        return dict(self.slots).get(slot)

    def plus(self, slot: str, index: int) -> Pick:
        """Return these picks and one more."""
        return Pick((*self.slots, (slot, index)))
