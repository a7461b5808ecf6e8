"""Whole answers kept beside their results: nothing is understood twice, and nobody gets what is not theirs or of another day."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datapilot_kernel.engine import Engine
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
