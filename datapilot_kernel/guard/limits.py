"""Work limits that need no database (stub being filled in)."""

from __future__ import annotations

from sqlglot import exp

from datapilot_kernel.guard.dialects import DialectRules
from datapilot_kernel.guard.scope import Resolution


def check(tree: exp.Expr, found: Resolution, rules: DialectRules) -> None:
    """Refuse what would obviously be too much work."""
