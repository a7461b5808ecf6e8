"""One tenant cannot hold up the others: found by a review, each once open."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hub_config.data_sources.turns import PER_TENANT
from tests.platform_support import World, wait_until

CONNECTION = {"type": "postgresql", "host": "db.client.fr", "database": "d", "user": "u", "password": "p"}


def _test(world: World, tenant: str = "t1") -> Any:
    headers = world.headers("administrator", tenant)
    return world.client.post("/api/v1/data-sources/test", json=CONNECTION, headers=headers)


def test_a_server_that_never_answers_holds_few_threads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    go, held = threading.Event(), []

    def never(host: str, port: int) -> tuple[str, ...]:
        held.append(host)
        assert go.wait(30)
        raise OSError("nobody")

    monkeypatch.setattr(world.platform.sources.wall, "addresses", never)
    with ThreadPoolExecutor(PER_TENANT) as threads:
        waiting = [threads.submit(_test, world) for _ in range(PER_TENANT)]
        try:
            wait_until(lambda: len(held) == PER_TENANT)
            refused = _test(world)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_at_once")
            assert int(refused.headers["Retry-After"]) > 0
            assert len(held) == PER_TENANT, "it did not wait"
        finally:
            go.set()
        assert all(one.result().status_code != 429 for one in waiting)
    monkeypatch.undo()
    assert _test(world).status_code != 429, "given back"
