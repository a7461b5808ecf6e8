"""``GROUP BY`` of a table's key in PostgreSQL (being filled in)."""

from __future__ import annotations

from datapilot_kernel.guard.dialects import DialectRules
from datapilot_kernel.guard.scope import Resolution


def complete_group_by(found: Resolution, rules: DialectRules) -> None:
    """Add the columns that the key determines."""
