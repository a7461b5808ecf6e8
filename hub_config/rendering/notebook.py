"""The notebook that a rendering runs: the version's own with its tiles, or its tiles alone."""

from __future__ import annotations

from typing import Any

from hub_config.content.notebooks import run_of


def notebook_of(content: dict[str, Any]) -> dict[str, Any]:
    """Return nbformat 4 JSON (:func:`~hub_config.content.notebooks.run_of`)."""
    return run_of(content)
