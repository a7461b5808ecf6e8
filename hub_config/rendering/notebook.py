"""The notebook of a version that was made without one: a title, and a cell for each tile, in order."""

from __future__ import annotations

from typing import Any


def notebook_of(content: dict[str, Any]) -> dict[str, Any]:
    """Return nbformat 4 JSON.

    >>> [cell["source"] for cell in notebook_of({"name": "Ventes", "tiles": [{"id": "a1", "title": "CA"}]})["cells"]]
    ['%tile a1']
    """
    cells: list[dict[str, Any]] = [
        {"id": f"tile-{number}", "cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [],
         "source": f"%tile {tile['id']}"}
        for number, tile in enumerate(content["tiles"])
    ]  # fmt: skip
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}},
        "cells": cells,
    }
