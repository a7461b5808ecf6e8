"""Newest first, from a row on: what every list of this room shares."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, or_

Before = tuple[datetime, str] | None
"""The moment and id of the last row already seen; None: from the beginning."""


def newest_first(statement: Select[Any], at: Any, row_id: Any, *, limit: int, before: Before) -> Select[Any]:
    """Return the statement's page: newest first, ties by id."""
    if before is not None:
        moment, seen = before
        statement = statement.where(or_(at < moment, and_(at == moment, row_id < seen)))
    return statement.order_by(at.desc(), row_id.desc()).limit(limit)
