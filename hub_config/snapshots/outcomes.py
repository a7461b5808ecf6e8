"""A tile's outcome as it is kept in a snapshot, and as a reader of a role gets it.

Beside :meth:`~hub_config.queries.Ended.to_json` it says what showing it later needs: ``read_at`` (ISO 8601, when the oldest
of its rows were read from the source, or null), and ``currency`` and ``calendar`` of the layer that it was answered over.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub_config.queries import Ended, QueryService

TILE_ROWS = 500
"""Rows of a tile that are kept; the others are fetched when a reader asks for them."""


def outcome_of(queries: QueryService, tenant_id: str, ended: Ended) -> dict[str, Any]:
    """Return an outcome as it is kept: with SQL and plan."""
    found = ended.to_json(inline_rows=TILE_ROWS)
    result = queries.results.get(tenant_id, ended.query_id)
    read_at = result.read_at if result is not None else None
    found["read_at"] = datetime.fromtimestamp(read_at, UTC).isoformat() if read_at is not None else None
    if result is not None:
        found |= {"currency": result.currency, "calendar": result.calendar.model_dump(mode="json")}
    return found


def for_viewer(body: bytes) -> bytes:
    """Return an outcome without what is for authors.

    >>> for_viewer(b'{"outcome":"answer","sql":"SELECT 1","plan":{},"sentence":"1"}')
    b'{"outcome":"answer","sql":"","plan":null,"sentence":"1"}'
    """
    found = json.loads(body)
    if found.get("outcome") == "answer":
        found |= {"sql": "", "plan": None}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def is_failure(body: bytes) -> bool:
    """Tell whether a tile failed for a technical reason: another time it may not."""
    return bool(json.loads(body).get("outcome") == "failure")
