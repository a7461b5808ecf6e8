"""A language model behind the platform: its cost is the query's, the tenant's and the record's; a budget ends it; Stop stops it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_config.audit import AuditFilter
from hub_config.database import Quota
from tests.model_server import KEY, ModelServer, tool
from tests.platform_support import World
from tests.questions_support import TODAY, add_files, answer, asking_world, post

STATEMENT = "SELECT region, SUM(montant) AS total FROM ventes GROUP BY region ORDER BY total DESC"
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


def test_what_the_model_cost_is_the_querys_the_tenants_and_the_records(world: World, server: ModelServer) -> None:
    source = add_files(world)
    server.play([tool("give_sql", {"sql": STATEMENT, "note": "Total par région."})])
    outcome = answer(world, {"source_id": source, "question": UNKNOWN, "today": TODAY})
    assert (outcome["engine"], outcome["rows"][0][0]) == ("claude", "Ouest")
    cost = outcome["model"]["cost_microeuros"]
    assert cost > 0
    row = world.client.get(f"/api/v1/queries/{outcome['id']}", headers=world.headers("analyst")).json()
    assert (row["cost_microeuros"], row["model"]["calls"], row["engine"]) == (cost, 1, "claude")
    (event,) = world.platform.audit.search(world.tenant_id(), AuditFilter(action="query.ask"))
    assert event.cost_microeuros == cost
    with world.database.tenant(world.tenant_id()) as session:
        assert world.platform.queries.quotas.usage(session)["model_microeuros"] == cost
    talk = world.client.get(f"/api/v1/conversations/{outcome['conversation_id']}", headers=world.headers("analyst")).json()
    assert talk["turns"][0]["sql"] == STATEMENT
    assert KEY not in str(outcome) + str(row)


def test_a_tenant_without_budget_asks_the_model_nothing(world: World, server: ModelServer) -> None:
    source = add_files(world)
    with world.database.tenant(world.tenant_id()) as session:
        session.add(Quota(key="model_euros_per_month", value=0))
    got = post(world, {"source_id": source, "question": UNKNOWN, "today": TODAY}).json()
    assert got["outcome"] in ("refusal", "clarification")
    assert got["notes"]
    with world.database.tenant(world.tenant_id()) as session:
        assert world.platform.queries.quotas.usage(session)["model_microeuros"] == 0
    assert not server.requests


def test_values_leave_for_the_model_only_from_a_source_that_was_opened(world: World, server: ModelServer) -> None:
    source = add_files(world)
    server.play([tool("give_sql", {"sql": STATEMENT, "note": "x"})] * 3)
    body = {"source_id": source, "question": f"{UNKNOWN} par région", "today": TODAY, "fresh": True}
    answer(world, body)
    assert "Ouest" not in server.requests[-1].everything
    path = f"/api/v1/data-sources/{source}"
    opened = {"revision": 1, "model_values": True}
    assert world.client.patch(path, json=opened, headers=world.headers("analyst")).status_code == 403
    changed = world.client.patch(path, json=opened, headers=world.headers("administrator"))
    assert changed.json()["model_values"] is True, changed.text
    answer(world, body)
    assert "Ouest" in server.requests[-1].everything
    closed = {"revision": 2, "model_values": False}
    world.client.patch(path, json=closed, headers=world.headers("administrator"))
    answer(world, body)
    assert "Ouest" not in server.requests[-1].everything


def test_a_persons_budget_ends_before_the_tenants(world: World, server: ModelServer) -> None:
    source = add_files(world)
    server.play([tool("give_sql", {"sql": STATEMENT, "note": "x"})] * 2)
    first = answer(world, {"source_id": source, "question": UNKNOWN, "today": TODAY})
    path = "/api/v1/tenant/model-spend"
    spent = world.client.get(path, headers=world.headers("administrator")).json()["items"]
    assert spent == [{"user_id": world.user_id("analyst"), "microeuros": first["model"]["cost_microeuros"]}]
    with world.database.tenant(world.tenant_id()) as session:
        session.add(Quota(key="person_model_euros_per_month", value=1))
        world.platform.queries.quotas.count(
            session, "model_microeuros", 1_000_000, day=None, user_id=world.user_id("analyst")
        )
    world.platform.queries.quotas.changed(world.tenant_id())
    sent = len(server.requests)
    stopped = post(world, {"source_id": source, "question": f"{UNKNOWN} encore", "today": TODAY}).json()
    assert stopped["outcome"] in ("refusal", "clarification")
    assert any("budget" in note.lower() for note in stopped["notes"]), stopped["notes"]
    assert len(server.requests) == sent
    other = post(world, {"source_id": source, "question": f"{UNKNOWN} encore", "today": TODAY}, role="administrator").json()
    assert other["engine"] == "claude", "everybody else goes on"
