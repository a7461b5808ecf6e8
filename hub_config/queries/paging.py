"""A place in a list that is ordered by a moment, newest first, as an opaque text."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime

from datapilot_kernel.errors import BadInput


@dataclass(frozen=True)
class Position:
    """The last row already seen."""

    at: datetime
    id: str

    def cursor(self) -> str:
        """Return the text that stands for it."""
        return base64.urlsafe_b64encode(f"{self.at.isoformat()} {self.id}".encode()).decode().rstrip("=")


def position_of(cursor: str | None) -> Position | None:
    """Read a cursor; None for None.

    Raises
    ------
    BadInput
        It is none of ours.

    >>> from datetime import UTC
    >>> here = Position(datetime(2026, 5, 3, tzinfo=UTC), "a" * 32)
    >>> position_of(here.cursor()) == here
    True
    """
    if cursor is None:
        return None
    try:
        at, _, row_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(" ")
        moment = datetime.fromisoformat(at)
    except (ValueError, binascii.Error):
        raise BadInput("queries.bad_cursor") from None
    if moment.tzinfo is None or not row_id or len(row_id) > 64 or "\x00" in row_id:
        raise BadInput("queries.bad_cursor")
    return Position(moment, row_id)
