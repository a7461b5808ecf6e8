"""Fixtures of the platform's tests: a world on SQLite. Those that drive whole pages and processes are no part of ``make check``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform_support import World, make_world

_SLOW = (
    "test_pages",
    "test_snapshots",
    "test_interactive",
    "test_rendering",
    "test_publishing",
    "test_review_",
    "test_queries_api",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.stem.startswith(_SLOW):
            item.add_marker("slow")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made
