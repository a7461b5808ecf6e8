"""A question that was stopped on the platform is in the history with what it had cost by then."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model_server import KEY, ModelServer, text
from tests.platform_support import World
from tests.questions_support import TODAY, add_files, asking_world, post

UNKNOWN = "quel est le zorglub pondéré des quenouilles"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    made = ModelServer()
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, server: ModelServer) -> Iterator[World]:
    with asking_world(tmp_path, model_key=KEY, model_base_url=server.url) as made:
        yield made


def test_what_a_stopped_question_cost_is_in_the_history(world: World, server: ModelServer) -> None:
    source = add_files(world)
    server.play([text("une longue réponse " * 20).but(fragments=40, pauses=((12, 20.0),))])
    asking = threading.Thread(target=post, args=(world, {"source_id": source, "question": UNKNOWN, "today": TODAY}))
    asking.start()
    until = time.monotonic() + 20
    while not (server.requests and server.requests[0].events_sent >= 12) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.2)
    for running in world.platform.queries._all_live():
        running.cancel()
    asking.join(20)
    rows = world.client.get("/api/v1/queries", headers=world.headers("analyst")).json()["items"]
    (row,) = [r for r in rows if r["question"] == UNKNOWN]
    assert row["status"] == "cancelled"
    whole = world.client.get(f"/api/v1/queries/{row['id']}", headers=world.headers("analyst")).json()
    assert whole["cost_microeuros"] >= 1200 * 3
    assert whole["model"]["estimated"] is True
    with world.database.tenant(world.tenant_id()) as session:
        assert world.platform.queries.quotas.usage(session)["model_microeuros"] == whole["cost_microeuros"]
