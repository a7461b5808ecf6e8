"""A commit whose answer was lost may have arrived: what it wrote is neither written twice nor left without an end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from hub_config.database import AuditEvent, ConversationTurn, Query, UsageCounter
from hub_config.errors import PlatformUnavailable
from hub_config.queries.quotas import QUERIES
from tests.platform_support import World
from tests.questions_support import TODAY, add_files, answer, asking_world, post


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with asking_world(tmp_path) as made:
        yield made


def lose_the_answer(world: World, monkeypatch: pytest.MonkeyPatch, *, of_write: int, arrives: bool) -> None:
    """The connection breaks at the n-th commit from now: after it, or before."""
    database = world.database
    real, left = database.tenant, [of_write]

    @contextmanager
    def tenant(tenant_id: str, *, read_only: bool = False) -> Iterator[Any]:
        with real(tenant_id, read_only=read_only) as session:
            yield session
            left[0] -= not read_only
            lost = left[0] == 0 and not read_only
            if lost and not arrives:
                raise PlatformUnavailable(log="lost before the commit")
        if lost:
            raise PlatformUnavailable(log="lost after the commit")

    monkeypatch.setattr(database, "tenant", tenant)


@pytest.mark.parametrize("arrives", [True, False])
@pytest.mark.parametrize("of_write", [1, 2])
def test_each_query_ends_once(world: World, of_write: int, arrives: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    source = add_files(world)
    body = {"source_id": source, "question": "montant par region", "today": TODAY}
    answer(world, body)
    with monkeypatch.context() as broken:
        lose_the_answer(world, broken, of_write=of_write, arrives=arrives)
        assert post(world, body).status_code == 503
    record = world.platform.queries.record
    assert record.write_late() == 0
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        ended = {row.id: row.status for row in session.scalars(select(Query))}
        audited = session.scalars(select(AuditEvent.query_id).where(AuditEvent.query_id.is_not(None))).all()
        counted = session.scalar(select(func.sum(UsageCounter.value)).where(UsageCounter.key == QUERIES))
    there = 1 if of_write == 1 and not arrives else 2
    assert len(ended) == there
    assert "waiting" not in ended.values()
    assert sorted(map(str, audited)) == sorted(ended)
    assert counted == there


@pytest.mark.parametrize("arrives", [True, False])
def test_an_answer_from_memory_is_written_down_whole_or_not_at_all(
    world: World, arrives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = add_files(world)
    body = {"source_id": source, "question": "montant par region", "today": TODAY}
    for _ in range(3):
        answer(world, body)
    scheduler = world.platform.queries.scheduler
    with monkeypatch.context() as broken:
        broken.setattr(scheduler, "submit", lambda *_: pytest.fail("it was in memory"))
        assert answer(world, body)["cached"]
        # One transaction: the one that lets it in.
        lose_the_answer(world, broken, of_write=1, arrives=arrives)
        assert post(world, body).status_code == 503
    assert world.platform.queries.record.write_late() == 0
    assert scheduler.drain(1.0)
    there = 5 if arrives else 4
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        rows = session.scalars(select(Query)).all()
        turns = session.scalars(select(ConversationTurn)).all()
        audited = session.scalars(select(AuditEvent).where(AuditEvent.query_id.is_not(None))).all()
        counted = session.scalar(select(func.sum(UsageCounter.value)).where(UsageCounter.key == QUERIES))
    assert [row.status for row in rows] == ["done"] * there
    assert {row.conversation_id for row in rows} == {turn.conversation_id for turn in turns}
    assert len(turns) == there
    assert sorted(str(event.query_id) for event in audited) == sorted(row.id for row in rows)
    assert counted == there
    # What is written down of it is what is written down of one that ran.
    first, last = (min(rows, key=lambda r: r.created_at), max(rows, key=lambda r: r.created_at))
    for name in ("kind", "question", "plan_json", "engine", "outcome", "trust", "sql", "tables", "row_count", "audience"):
        assert getattr(first, name) == getattr(last, name), name
    assert (first.cache_hit, last.cache_hit) == (False, True)
    events = {event.query_id: event for event in audited}
    for name in ("actor_id", "action", "object_type", "data_source_id", "question", "sql", "tables", "outcome", "row_count"):
        assert getattr(events[first.id], name) == getattr(events[last.id], name), name
