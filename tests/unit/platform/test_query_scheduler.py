"""Lines of tenants: turns, limits, places, stopping; the gate of those that compute."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from typing import Any

import pytest

from hub_config.errors import PlatformUnavailable, TooMany
from hub_config.operations.metrics import Metrics
from hub_config.queries.scheduler import Gate, Place, Scheduler, Turn
from tests.platform_support import wait_until


class Work:
    """Runs that note who ran, and wait until they are let go."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.go = threading.Event()
        self.at_once = 0
        self.most: dict[str, int] = {}
        self._now: dict[str, int] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> Any:
        def run() -> str:
            with self._lock:
                self.began.append(name)
                self._now[name] = self._now.get(name, 0) + 1
                self.most[name] = max(self.most.get(name, 0), self._now[name])
                self.at_once = max(self.at_once, sum(self._now.values()))
            self.go.wait(60)
            with self._lock:
                self._now[name] -= 1
            return name

        return run


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    made = Scheduler(parallel=4, queue_per_tenant=20, metrics=Metrics())
    yield made
    made.close()


def submit(scheduler: Scheduler, work: Any, tenant: str, *, user: str = "u", parallel: int = 2) -> tuple[Place, Future[Any]]:
    place = scheduler.reserve(tenant, user)
    return place, place.submit(work, parallel=parallel)


def test_a_tenants_limit_and_the_limit_of_all_hold_and_nobody_idles(scheduler: Scheduler) -> None:
    work = Work()
    futures = [submit(scheduler, work.of(t), t)[1] for t in ("a", "a", "a", "a", "b", "b", "b", "c") for _ in (0, 1)]
    wait_until(lambda: len(work.began) == 4)
    assert sorted(work.began) == ["a", "a", "b", "b"]
    work.go.set()
    assert not wait(futures, 30).not_done
    assert work.at_once <= 4
    assert all(most <= 2 for most in work.most.values())


def test_a_flood_of_one_tenant_puts_nobody_else_behind_it() -> None:
    scheduler = Scheduler(parallel=1, queue_per_tenant=100, metrics=Metrics())
    order: list[str] = []
    hold = threading.Event()
    submit(scheduler, lambda: hold.wait(30), "x")
    futures = [submit(scheduler, lambda: order.append("flood"), "flood")[1] for _ in range(50)]
    futures += [submit(scheduler, lambda: order.append("b"), "b")[1] for _ in range(5)]
    hold.set()
    assert not wait(futures, 30).not_done
    scheduler.close()
    assert order[:10].count("b") == 5


def test_the_people_of_a_tenant_take_turns_too() -> None:
    scheduler = Scheduler(parallel=1, queue_per_tenant=100, metrics=Metrics())
    order: list[str] = []
    hold = threading.Event()
    submit(scheduler, lambda: hold.wait(30), "t")
    futures = [submit(scheduler, lambda: order.append("anna"), "t", user="anna")[1] for _ in range(20)]
    futures.append(submit(scheduler, lambda: order.append("bruno"), "t", user="bruno")[1])
    hold.set()
    assert not wait(futures, 30).not_done
    scheduler.close()
    assert order.index("bruno") <= 1


def test_a_full_line_is_refused_and_takes_again_once_it_moves(scheduler: Scheduler) -> None:
    work = Work()
    scheduler = Scheduler(parallel=1, queue_per_tenant=3, metrics=Metrics())
    futures = [submit(scheduler, work.of("a"), "a", parallel=1)[1]]
    wait_until(lambda: work.began == ["a"])
    futures += [submit(scheduler, work.of("a"), "a", parallel=1)[1] for _ in range(3)]
    with pytest.raises(TooMany) as refused:
        scheduler.reserve("a", "u")
    assert refused.value.reason == "queue_full"
    assert refused.value.retry_after_s is not None
    scheduler.reserve("b", "u").release()  # another tenant's line is its own
    work.go.set()
    assert not wait(futures, 30).not_done
    scheduler.reserve("a", "u").release()
    assert scheduler.drain(30)
    scheduler.close()


def test_waiting_costs_no_thread(scheduler: Scheduler) -> None:
    work = Work()
    before = threading.active_count()
    futures = [submit(scheduler, work.of(f"t{i}"), f"t{i}")[1] for i in range(200)]
    wait_until(lambda: len(work.began) == 4)
    assert threading.active_count() - before <= 4
    work.go.set()
    assert not wait(futures, 30).not_done


def test_a_cancelled_query_leaves_the_line_at_once(scheduler: Scheduler) -> None:
    work = Work()
    for _ in range(4):
        submit(scheduler, work.of("a"), "a", parallel=4)
    wait_until(lambda: len(work.began) == 4)
    place, future = submit(scheduler, lambda: "written down", "a", parallel=4)
    place.hurry()
    assert future.result(30) == "written down"
    assert scheduler.waiting("a") == 0
    place.hurry()  # twice: nothing
    work.go.set()
    assert scheduler.drain(30)


def test_what_breaks_is_told_and_gives_its_place_back(scheduler: Scheduler) -> None:
    def broken() -> None:
        raise ValueError("x")

    _, future = submit(scheduler, broken, "a")
    with pytest.raises(ValueError, match="x"):
        future.result(30)
    assert submit(scheduler, lambda: 1, "a", parallel=1)[1].result(30) == 1
    assert scheduler.drain(30)


def test_stopping_takes_nothing_new_and_drains(scheduler: Scheduler) -> None:
    work = Work()
    futures = [submit(scheduler, work.of("a"), "a", parallel=1)[1] for _ in range(3)]
    scheduler.begin_stopping()
    with pytest.raises(PlatformUnavailable):
        scheduler.reserve("a", "u")
    assert not scheduler.drain(0.05)
    work.go.set()
    assert scheduler.drain(30)
    assert all(f.done() for f in futures)


def test_the_gate_goes_round_the_tenants() -> None:
    gate = Gate(slots=1, patience_s=60)
    assert gate.enter("x")
    order: list[str] = []

    def compute(tenant: str) -> None:
        with Turn(gate, tenant).computing():
            order.append(tenant)
            time.sleep(0.002)

    threads = [threading.Thread(target=compute, args=("flood",)) for _ in range(10)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(gate._lines.get("flood", ())) == 10)
    late = threading.Thread(target=compute, args=("b",))
    late.start()
    wait_until(lambda: "b" in gate._lines)
    gate.leave()
    for thread in (*threads, late):
        thread.join(30)
    assert order.index("b") <= 1
    assert gate.enter("x")  # every turn came back
    gate.leave()


def test_the_gate_holds_nobody_up_for_good_and_is_left_while_a_source_works() -> None:
    gate = Gate(slots=1, patience_s=0.05)
    first, second = Turn(gate, "a"), Turn(gate, "b")
    with first.computing():
        with first.away():
            assert gate.enter("c")
            gate.leave()
        with second.computing():  # patience ended: goes on without a turn, and gives none back
            pass
        assert not gate.enter("c")
    assert gate.enter("c")
    gate.leave()
