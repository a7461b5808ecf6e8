"""Company sign-in."""

from __future__ import annotations

from typing import Any


def company_handlers(settings: Any) -> list[Any]:
    return []
