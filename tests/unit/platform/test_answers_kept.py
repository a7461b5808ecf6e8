"""Whole answers kept beside their results: nothing is understood twice, and nobody gets what is not theirs or of another day."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datapilot_kernel.engine import Engine
from hub_config.database import DataSource, Quota, Workspace, WorkspaceMember, utc_now
from tests.platform_support import World
from tests.questions_support import TODAY, accept_layer, add_files, answer, asking_world, give_attributes

BY_REGION = "montant par region"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with asking_world(tmp_path) as made:
        yield made


@pytest.fixture
def understood(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the engine itself was asked."""
    seen: list[str] = []
    real = Engine._routed

    def routed(self: Engine, run: Any, *given: Any) -> Any:
        seen.append(run.question)
        return real(self, run, *given)

    monkeypatch.setattr(Engine, "_routed", routed)
    return seen


def test_the_same_question_is_understood_once(world: World, understood: list[str]) -> None:
    source = add_files(world)
    body = {"source_id": source, "question": BY_REGION, "today": TODAY}
    first, again = answer(world, body), answer(world, body)
    assert (first["cached"], again["cached"]) == (False, True)
    assert understood == [BY_REGION]
    assert first["id"] != again["id"]
    for key in ("rows", "columns", "sentence", "reading", "sql", "plan", "chart", "trust", "engine", "notes", "question"):
        assert first[key] == again[key], key
    # It is written down like any other, with its statement and its tables.
    kept = world.client.get(f"/api/v1/queries/{again['id']}", headers=world.headers("analyst")).json()
    assert (kept["cached"], kept["sql"], kept["row_count"]) == (True, first["sql"], 3)
    assert kept["tables"]
    # Another person of the same rights shares it; another day, other words, another language or a fresh one does not.
    assert answer(world, body, "administrator")["cached"]
    assert understood == [BY_REGION]
    answer(world, {**body, "today": "2026-03-11"})
    answer(world, {**body, "question": BY_REGION + " ?"})
    answer(world, {**body, "fresh": True})
    answer(world, {**body, "engine": "local"})
    assert understood == [BY_REGION, BY_REGION, BY_REGION + " ?", BY_REGION, BY_REGION]
    english = world.client.post(
        "/api/v1/ai/query", json=body, headers=world.headers("analyst") | {"Accept-Language": "en"}
    ).json()
    assert len(understood) == 6
    assert english["sentence"] != first["sentence"]


def test_a_plan_and_a_statement_are_kept_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    source = add_files(world)
    first = answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})
    ran: list[str] = []
    real = Engine._execute
    monkeypatch.setattr(Engine, "_execute", lambda self, sql, run: (ran.append(sql), real(self, sql, run))[1])
    for body in ({"plan": first["plan"], "question": BY_REGION}, {"sql": "SELECT region FROM ventes"}):
        before = len(ran)
        once, twice = (answer(world, {"source_id": source, "today": TODAY, **body}) for _ in range(2))
        assert len(ran) == before + 1
        assert (once["rows"], once["engine"]) == (twice["rows"], twice["engine"])


def test_other_rights_and_other_layers_share_nothing(world: World, understood: list[str]) -> None:
    source = add_files(world)
    accept_layer(world, source, row_filter="region = {region}")
    body = {"source_id": source, "question": BY_REGION, "today": TODAY}
    give_attributes(world, "analyst", region="Sud")
    give_attributes(world, "administrator", region="Nord")
    assert [r[0] for r in answer(world, body)["rows"]] == ["Sud"]
    assert [r[0] for r in answer(world, body, "administrator")["rows"]] == ["Nord"]
    assert len(understood) == 2
    give_attributes(world, "analyst", region="Ouest")
    assert [r[0] for r in answer(world, body)["rows"]] == ["Ouest"]
    accept_layer(world, source, row_filter="region <> {region}")
    assert sorted(r[0] for r in answer(world, body)["rows"]) == ["Nord", "Sud"]
    assert len(understood) == 4


def test_what_goes_on_with_a_conversation_is_understood_in_it(world: World, understood: list[str]) -> None:
    source = add_files(world)
    body = {"source_id": source, "question": BY_REGION, "today": TODAY}
    answer(world, body)
    first = answer(world, body)
    assert first["cached"]
    follow = {**body, "question": "et par mois ?", "conversation_id": first["conversation_id"]}
    followed = answer(world, follow)
    assert followed["plan"] is not None
    assert followed["plan"] != first["plan"]
    # The same words later in the same conversation stand on another turn.
    answer(world, follow)
    assert understood == [BY_REGION, "et par mois ?", "et par mois ?"]


def test_an_approved_question_holds_at_once(world: World) -> None:
    source = add_files(world)
    accept_layer(world, source)
    body = {"source_id": source, "question": BY_REGION, "today": TODAY}
    assert answer(world, body)["trust"] == "governed"
    asked = answer(world, body)
    headers = world.headers("administrator")
    mine = answer(world, body, "administrator")
    proposed = world.client.post(
        f"/api/v1/queries/{mine['id']}/feedback", json={"verdict": "up", "propose_verified": True}, headers=headers
    ).json()["verified_question_id"]
    approved = world.client.post(f"/api/v1/verified-questions/{proposed}/decision", json={"approve": True}, headers=headers)
    assert approved.status_code == 200, approved.text
    assert answer(world, body)["trust"] == "verified"
    assert asked["trust"] == "governed"


def test_it_is_forgotten_with_its_result(world: World, understood: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    source = add_files(world)
    cache = world.platform.queries.cache
    now = [1000.0]
    monkeypatch.setattr(cache, "_clock", lambda: now[0])
    body = {"source_id": source, "question": BY_REGION, "today": TODAY}
    answer(world, body)
    now[0] += cache._ttl_s - 10
    # Other words of the same meaning: the answer is made of the result that there is, and ends with it.
    assert answer(world, {**body, "question": BY_REGION + " ?"})["cached"]
    now[0] += 11
    assert not answer(world, {**body, "question": BY_REGION + " ?"})["cached"]
    assert understood == [BY_REGION, BY_REGION + " ?", BY_REGION + " ?"]
    world.platform.queries.forget(world.tenant_id(), source)
    assert not answer(world, body)["cached"]


@pytest.fixture
def submitted(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which queries ran, and were not answered where they were let in."""
    seen: list[str] = []
    scheduler = world.platform.queries.scheduler
    real = scheduler.submit

    def submit(place: Any, *given: Any) -> None:
        seen.append(place.user_id)
        real(place, *given)

    monkeypatch.setattr(scheduler, "submit", submit)
    return seen


def _in_memory(world: World, submitted: list[str], body: dict[str, Any], role: str = "analyst") -> dict[str, Any]:
    """Ask until the answer comes from where the query is let in; return it."""
    for _ in range(4):
        before = len(submitted)
        outcome = answer(world, body, role)
        if len(submitted) == before:
            assert outcome["cached"]
            return outcome
    raise AssertionError("it ran every time")


def test_what_is_answered_from_memory_is_still_reached_counted_and_of_now(world: World, submitted: list[str]) -> None:
    source = add_files(world)
    body = {"source_id": source, "question": BY_REGION, "today": TODAY}
    first = _in_memory(world, submitted, body)
    headers, path = world.headers("analyst"), "/api/v1/ai/query"
    # With events it is the same: let in, then the outcome.
    events = world.client.post(path, json=body, headers=headers | {"Accept": "text/event-stream"}).text
    kinds = [line.removeprefix("event: ") for line in events.splitlines() if line.startswith("event: ")]
    assert kinds == ["queued", "partial", "outcome"]
    # Its result is there, under its own id.
    found = world.client.get(f"/api/v1/queries/{first['id']}/result", headers=headers).json()
    assert found["rows"] == first["rows"]
    # A source that is no longer the person's is not found, whatever is in memory; an administrator still reaches it.
    _in_memory(world, submitted, body, "administrator")
    with world.database.tenant(world.tenant_id()) as session:
        workspace = Workspace(name="Direction")
        session.add(workspace)
        session.flush()
        session.get(DataSource, source).workspace_id = workspace.id
    assert world.client.post(path, json=body, headers=headers).status_code == 404
    _in_memory(world, submitted, body, "administrator")
    with world.database.tenant(world.tenant_id()) as session:
        session.add(WorkspaceMember(workspace_id=workspace.id, user_id=world.user_id("analyst")))
    _in_memory(world, submitted, body)
    # Nor does another tenant find it.
    other = world.client.post(path, json=body, headers=world.headers("administrator", "t2"))
    assert other.status_code == 404
    # Another layer, told to nobody in this process (another one accepted it): what is in memory is not for it.
    ran = len(submitted)
    accept_layer(world, source, row_filter="region <> 'Sud'")
    assert "Sud" not in {row[0] for row in answer(world, body)["rows"]}
    assert len(submitted) == ran + 1


def test_what_is_answered_from_memory_counts_against_the_quota(world: World, submitted: list[str]) -> None:
    source = add_files(world)
    body = {"source_id": source, "question": BY_REGION, "today": TODAY}
    _in_memory(world, submitted, body)
    with world.database.tenant(world.tenant_id()) as session:
        used = world.platform.queries.quotas.used(session, "queries", day=utc_now().date())
        session.add(Quota(key="queries_per_day", value=used + 1))
    world.platform.queries.quotas.changed(world.tenant_id())
    ran = len(submitted)
    assert answer(world, body)["cached"]
    refused = world.client.post("/api/v1/ai/query", json=body, headers=world.headers("analyst"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota_queries_per_day")
    assert len(submitted) == ran
    assert world.platform.queries.scheduler.drain(1.0)
