"""Work in the background while the platform's database is away for a moment: nothing is lost, nothing runs for ever."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from datapilot_kernel.errors import Cancelled, DataPilotError
from datapilot_kernel.sources import CancelToken
from hub_config.data_sources import jobs as module
from hub_config.data_sources.jobs import Jobs
from hub_config.database import Database, Job
from tests.platform_support import World, make_world, wait_until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


@pytest.fixture
def jobs(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    monkeypatch.setattr(module, "_AGAIN_AFTER_S", 0.05)
    made = Jobs(world.database, threads=1)
    made.start()
    yield made
    made.stop()


def _queued(world: World) -> str:
    with world.database.tenant(world.tenant_id()) as session:
        job = Job(kind="catalog.refresh", created_by=world.user_id("analyst"))
        session.add(job)
        session.flush()
        return job.id


def _row(world: World, job_id: str) -> Job:
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        job = session.get(Job, job_id)
        assert job is not None
        session.expunge(job)
        return job


def _away(database: Database, until: float) -> None:
    """No connection is tried before this moment, as after one that failed."""
    database._rest_until = until


def _works(world: World, before: Callable[[], None]) -> Any:
    def work(tell: Callable[[dict[str, Any]], None], cancel: CancelToken) -> None:
        _away(world.database, math.inf)
        tell({"done": 1})
        before()

    return work


def _fails() -> None:
    raise DataPilotError("sources.unreachable")


@pytest.mark.parametrize(("before", "status"), [(lambda: None, "done"), (_fails, "failed")], ids=["done", "failed"])
def test_an_end_that_could_not_be_written_is_written_later(
    world: World, jobs: Jobs, before: Callable[[], None], status: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = _queued(world)
    jobs.submit(world.tenant_id(), first, _works(world, before))
    wait_until(lambda: any("still to be written" in record.message for record in caplog.records))
    _away(world.database, 0.0)
    wait_until(lambda: _row(world, first).status == status)
    assert _row(world, first).problem_code == ("sources.unreachable" if status == "failed" else None)
    # The thread takes the next one.
    second = _queued(world)
    jobs.submit(world.tenant_id(), second, lambda tell, cancel: tell({"done": 2}))
    wait_until(lambda: _row(world, second).status == "done")


def test_what_is_dropped_from_the_line_meanwhile_is_cancelled_later(world: World, jobs: Jobs) -> None:
    tenant_id, first, second = world.tenant_id(), _queued(world), _queued(world)

    def holds(tell: Any, cancel: CancelToken) -> None:
        wait_until(lambda: cancel.cancelled)
        raise Cancelled

    jobs.submit(tenant_id, first, holds)
    wait_until(lambda: _row(world, first).status == "running")
    jobs.submit(tenant_id, second, lambda tell, cancel: None)
    _away(world.database, math.inf)
    jobs.cancel(tenant_id)
    _away(world.database, 0.0)
    wait_until(lambda: [_row(world, one).status for one in (first, second)] == ["cancelled", "cancelled"])


def test_a_stop_does_not_wait_for_a_database_that_is_away(
    world: World, jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    job = _queued(world)
    jobs.submit(world.tenant_id(), job, _works(world, lambda: None))
    wait_until(lambda: any("still to be written" in record.message for record in caplog.records))
    jobs.stop()
    assert not any(worker.is_alive() for worker in jobs._workers)
    _away(world.database, 0.0)
    assert _row(world, job).status == "running"
    jobs.fail_interrupted(world.tenant_id())
    assert _row(world, job).problem_code == "interrupted"
