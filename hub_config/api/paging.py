"""Pages of a list ordered by a moment and an id: the cursor is opaque, and holds nothing about anybody."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Query

from datapilot_kernel.errors import BadInput

Limit = Annotated[int, Query(ge=1, le=200, description="how many")]
Cursor = Annotated[str | None, Query(max_length=100, description="`next` of the page before; none: from the beginning")]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = re.compile(r"(\d{1,17})\.([0-9a-f]{32})", re.ASCII)


def cursor_of(at: datetime, row_id: str) -> str:
    """Return the cursor after a row."""
    return base64.urlsafe_b64encode(f"{(at - _EPOCH) // timedelta(microseconds=1)}.{row_id}".encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    """Return the moment and id of the last row seen.

    Raises
    ------
    BadInput
        It is none that was given out.
    """
    if cursor is None:
        return None
    try:
        found = _FORM.fullmatch(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii"))
        if found is not None:
            return _EPOCH + timedelta(microseconds=int(found[1])), found[2]
    except (ValueError, OverflowError):
        pass
    raise BadInput("people.bad_cursor", log="malformed cursor") from None


def next_of(rows: Any, limit: int, moment: str = "created_at") -> str | None:
    """Return the cursor of the next page; None when this one was not full."""
    return cursor_of(getattr(rows[-1], moment), rows[-1].id) if len(rows) == limit else None
