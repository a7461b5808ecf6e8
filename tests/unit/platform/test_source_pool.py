"""Open sources: shared, counted, closed; a source that is down fails fast and recovers."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from datapilot_kernel.errors import Cancelled, SourceProblem
from hub_config.data_sources.circuit import FAILURES, FIRST_PAUSE_S, LONGEST_PAUSE_S, Circuit
from hub_config.data_sources.pool import PoolKey, SourcePool


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def _source() -> Any:
    source = SimpleNamespace(closed=0)
    source.close = lambda: setattr(source, "closed", source.closed + 1)
    return source


KEY = PoolKey("t", "s", "1")


def test_a_source_is_opened_once_and_shared() -> None:
    pool, opened = SourcePool(), []
    gate = threading.Barrier(8)

    def opener() -> Any:
        opened.append(_source())
        return opened[-1]

    def use() -> None:
        gate.wait()
        with pool.lease(KEY, opener):
            gate.wait()

    threads = [threading.Thread(target=use) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(opened) == 1
    assert not opened[0].closed


def test_tenants_share_nothing() -> None:
    pool = SourcePool()
    with pool.lease(PoolKey("t1", "s", "1"), _source) as one, pool.lease(PoolKey("t2", "s", "1"), _source) as two:
        assert one is not two


def test_a_dropped_source_is_closed_when_its_last_user_leaves() -> None:
    pool = SourcePool()
    with pool.lease(KEY, _source) as old:
        pool.drop("t", "s", keep="2")
        assert not old.closed
        with pool.lease(PoolKey("t", "s", "2"), _source) as new:
            assert new is not old
    assert (old.closed, new.closed) == (1, 0)
    pool.drop("t")
    assert new.closed == 1


def test_a_failed_opening_is_tried_again() -> None:
    pool = SourcePool()

    def fails() -> Any:
        raise SourceProblem("sources.unreachable")

    with pytest.raises(SourceProblem), pool.lease(KEY, fails):
        pass
    assert len(pool) == 0
    with pool.lease(KEY, _source) as source:
        assert not source.closed


def test_idle_and_surplus_sources_are_closed_and_used_ones_are_not() -> None:
    clock = _Clock()
    pool = SourcePool(most_open=2, idle_s=10, clock=clock)
    with pool.lease(KEY, _source) as used:
        with pool.lease(PoolKey("t", "a", "1"), _source) as first:
            pass
        clock.now += 1
        with pool.lease(PoolKey("t", "b", "1"), _source) as second:
            assert first.closed == 1
        clock.now += 9
        pool.close_idle()
        assert not second.closed
        clock.now += 1
        pool.close_idle()
        assert (second.closed, used.closed) == (1, 0)


def test_a_stopped_pool_hands_nothing_out() -> None:
    pool = SourcePool()
    with pool.lease(KEY, _source) as source:
        pass
    pool.stop()
    pool.stop()
    assert source.closed == 1
    with pytest.raises(SourceProblem, match="fermée"), pool.lease(KEY, _source):
        pass


def _fail(circuit: Circuit, reason: str = "sources.unreachable") -> str:
    with pytest.raises(SourceProblem) as caught, circuit.passing():
        raise SourceProblem(reason)
    return caught.value.reason


def test_a_source_that_is_down_fails_fast_and_recovers() -> None:
    clock = _Clock()
    circuit = Circuit(clock)
    assert [_fail(circuit) for _ in range(FAILURES + 2)] == ["unreachable"] * FAILURES + ["source_down"] * 2
    clock.now += FIRST_PAUSE_S
    assert _fail(circuit) == "unreachable"
    assert _fail(circuit) == "source_down"
    clock.now += FIRST_PAUSE_S * 2
    with circuit.passing():
        assert _fail(circuit) == "source_down", "one probe at a time"
    with circuit.passing(), circuit.passing():
        pass


def test_the_pause_grows_and_is_bounded() -> None:
    clock = _Clock()
    circuit = Circuit(clock)
    for _ in range(FAILURES + 10):
        _fail(circuit)
        clock.now += LONGEST_PAUSE_S
    assert _fail(circuit) == "unreachable"


def test_a_wrong_statement_or_a_stop_says_nothing_about_the_server() -> None:
    circuit = Circuit(_Clock())
    for _ in range(FAILURES * 2):
        assert _fail(circuit, "sources.statement_rejected") == "statement_rejected"
    for _ in range(FAILURES - 1):
        _fail(circuit)
    with pytest.raises(Cancelled), circuit.passing():
        raise Cancelled
    with circuit.passing():
        pass
    assert _fail(circuit) == "unreachable"
