"""Results are kept for equal rights and nobody else; one execution for equal questions; cancelling one is not cancelling all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapilot_kernel.errors import Cancelled, SourceProblem
from datapilot_kernel.sources import CancelToken, Limits, ResultColumn, ResultTable
from hub_config.queries.cache import CachedSource, Flights, ResultCache, Scope, Statements, current, size_of
from hub_config.queries.engines import fingerprint, rights_of
from hub_config.queries.scheduler import Gate, Turn
from tests.platform_support import wait_until

SCOPE = Scope("t1", "s1", "c1", "l1", (("region", "Sud"),))


class Source:
    """Counts what it is asked; can be held up, and can fail."""

    dialect, name, default_schema = "postgres", "x", "public"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.stopped = 0
        self.go = threading.Event()
        self.go.set()
        self.failures: list[str] = []

    def execute(self, sql: str, *, limits: Limits | None = None, cancel: CancelToken | None = None) -> ResultTable:
        self.asked.append(sql)
        if self.failures:
            raise SourceProblem(f"sources.{self.failures.pop(0)}")
        assert cancel is not None
        woken = threading.Event()
        release = cancel.on_cancel(woken.set)
        while not self.go.is_set() and not woken.wait(0.01):
            pass
        release()
        if cancel.cancelled:
            self.stopped += 1
            raise Cancelled
        return ResultTable((ResultColumn("n", "integer"),), [(len(self.asked),)])

    def explain(self, sql: str, *, cancel: CancelToken | None = None) -> Any:
        self.asked.append(f"EXPLAIN {sql}")
        return [{"Plan": {}}]


@pytest.fixture
def flights() -> Iterator[Flights]:
    made = Flights(threads=8)
    yield made
    made.close()


@pytest.fixture
def source() -> Source:
    return Source()


def cached(source: Source, flights: Flights, scope: Scope = SCOPE, *, cache: ResultCache | None = None) -> CachedSource:
    kept = ResultCache(max_bytes=10**6, ttl_s=60) if cache is None else cache
    return CachedSource(source, scope, kept, flights)  # type: ignore[arg-type]


scopes = st.builds(
    Scope,
    st.sampled_from(["t1", "t2"]),
    st.sampled_from(["s1", "s2"]),
    st.sampled_from(["c1", "c2"]),
    st.sampled_from(["", "l1", "l2"]),
    st.dictionaries(st.sampled_from(["region", "agence", "a,b", "a"]), st.sampled_from(["Sud", "Nord", "", "b=Sud"])).map(
        lambda d: rights_of(d)
    ),
)


@given(scopes, scopes)
def test_two_scopes_never_share(one: Scope, other: Scope) -> None:
    flights, source, cache = Flights(threads=2), Source(), ResultCache(max_bytes=10**6, ttl_s=60)
    mine = cached(source, flights, one, cache=cache).execute("SELECT 1")
    theirs = cached(source, flights, other, cache=cache).execute("SELECT 1")
    flights.close()
    assert (mine is theirs) == (one == other)
    assert len(source.asked) == (1 if one == other else 2)


@pytest.mark.parametrize("field", [f.name for f in fields(Scope)])
def test_every_part_of_a_scope_separates(field: str, source: Source, flights: Flights) -> None:
    other = replace(SCOPE, **{field: (("region", "Nord"),) if field == "rights" else "other"})
    cache = ResultCache(max_bytes=10**6, ttl_s=60)
    cached(source, flights, cache=cache).execute("SELECT 1")
    cached(source, flights, other, cache=cache).execute("SELECT 1")
    assert len(source.asked) == 2
    if field != "catalog_version":
        assert fingerprint(SCOPE) != fingerprint(other)


def test_limits_separate_and_so_does_an_explanation(source: Source, flights: Flights) -> None:
    one = cached(source, flights)
    for _ in range(2):
        one.execute("SELECT 1", limits=Limits(max_rows=10))
        one.execute("SELECT 1", limits=Limits(max_rows=20))
        one.explain("SELECT 1")
    assert source.asked == ["SELECT 1", "SELECT 1", "EXPLAIN SELECT 1"]


def test_rights_under_way_are_not_shared_either(source: Source, flights: Flights) -> None:
    source.go.clear()
    cache = ResultCache(max_bytes=10**6, ttl_s=60)
    with ThreadPoolExecutor() as pool:
        one = pool.submit(cached(source, flights, cache=cache).execute, "SELECT 1")
        other = pool.submit(cached(source, flights, replace(SCOPE, rights=()), cache=cache).execute, "SELECT 1")
        wait_until(lambda: len(source.asked) == 2)
        source.go.set()
        assert one.result(30) is not other.result(30)


def test_equal_queries_at_once_share_one_execution(source: Source, flights: Flights) -> None:
    source.go.clear()
    one = cached(source, flights)
    with ThreadPoolExecutor() as pool:
        got = [pool.submit(one.execute, "SELECT 1") for _ in range(5)]
        wait_until(lambda: next(iter(flights._flying.values())).users == 5 if flights._flying else False)
        source.go.set()
        assert len({id(f.result(30)) for f in got}) == 1
    assert len(source.asked) == 1


def test_cancelling_one_leaves_the_others_their_result(source: Source, flights: Flights) -> None:
    source.go.clear()
    one, first, second = cached(source, flights), CancelToken(), CancelToken()
    with ThreadPoolExecutor() as pool:
        leading = pool.submit(one.execute, "SELECT 1", cancel=first)
        wait_until(lambda: len(source.asked) == 1)
        joined = pool.submit(one.execute, "SELECT 1", cancel=second)
        wait_until(lambda: next(iter(flights._flying.values())).users == 2)
        first.cancel()
        with pytest.raises(Cancelled):
            leading.result(30)
        assert source.stopped == 0
        source.go.set()
        assert joined.result(30).rows == [(1,)]


def test_the_last_to_cancel_stops_the_statement_and_nobody_joins_it(source: Source, flights: Flights) -> None:
    source.go.clear()
    one, tokens = cached(source, flights), [CancelToken(), CancelToken()]
    with ThreadPoolExecutor() as pool:
        got = [pool.submit(one.execute, "SELECT 1", cancel=t) for t in tokens]
        wait_until(lambda: next(iter(flights._flying.values())).users == 2 if flights._flying else False)
        for token in tokens:
            token.cancel()
        for future in got:
            with pytest.raises(Cancelled):
                future.result(30)
        wait_until(lambda: source.stopped == 1)
        source.go.set()
        assert one.execute("SELECT 1").rows == [(2,)]


def test_a_cancelled_token_asks_nothing(source: Source, flights: Flights) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        cached(source, flights).execute("SELECT 1", cancel=token)
    assert source.asked == []


def test_a_failure_is_everybodys_and_is_not_kept(source: Source, flights: Flights) -> None:
    source.failures = ["timeout"]
    one = cached(source, flights)
    with pytest.raises(SourceProblem) as problem:
        one.execute("SELECT 1")
    assert problem.value.reason == "timeout"
    assert one.execute("SELECT 1").rows == [(2,)]


@pytest.mark.parametrize(
    ("failures", "asked", "fails"),
    [(["connection_lost"], 2, False), (["connection_lost"] * 2, 2, True), (["unreachable"], 1, True)],
)
def test_a_lost_connection_is_tried_once_more_and_nothing_else_is(
    failures: list[str], asked: int, fails: bool, source: Source, flights: Flights
) -> None:
    source.failures = list(failures)
    one = cached(source, flights)
    if fails:
        with pytest.raises(SourceProblem):
            one.execute("SELECT 1")
    else:
        assert one.execute("SELECT 1").rows == [(2,)]
    assert len(source.asked) == asked


def test_what_is_kept_ends_with_its_time_its_bytes_and_its_tenant() -> None:
    now = [0.0]
    cache = ResultCache(max_bytes=80_000, ttl_s=10, clock=lambda: now[0])
    keys: list[tuple[Any, ...]] = [(replace(SCOPE, tenant_id=f"t{i}"), "rows", "SELECT 1") for i in range(20)]
    for key in keys:
        cache.put(key, "value", 7_000)
    assert cache.size_bytes <= 80_000
    assert cache.get(keys[0]) is None
    assert cache.get(keys[19]) == "value"
    cache.forget("t19")
    assert cache.get(keys[19]) is None
    now[0] = 10.0
    assert cache.get(keys[18]) is None
    cache.put(keys[0], "too large", 20_000)
    assert cache.get(keys[0]) is None


def test_size_is_about_right_for_wide_text() -> None:
    table = ResultTable((ResultColumn("a", "text"),), [("x" * 1000,)] * 5000)
    assert 5_000_000 < size_of(table) < 8_000_000


def _query(source: CachedSource, sql: str, **options: Any) -> Statements:
    statements = Statements(Turn(Gate(slots=1), "t1"), **options)
    token = current.set(statements)
    try:
        source.execute(sql)
    finally:
        current.reset(token)
    return statements


def test_a_query_knows_what_ran_for_it_and_a_fresh_one_looks_nothing_up(source: Source, flights: Flights) -> None:
    one, told = cached(source, flights), []
    first = _query(one, "SELECT 1", tell=told.append)
    assert (first.from_cache, first.sql, told) == (False, "SELECT 1", ["SELECT 1"])
    assert first.source_ms > 0
    second = _query(one, "SELECT 1")
    assert second.from_cache
    assert second.source_ms == 0
    assert not _query(one, "SELECT 1", fresh=True).from_cache
    assert len(source.asked) == 2
    assert _query(one, "SELECT 1").from_cache


def test_others_compute_while_a_source_works(source: Source, flights: Flights) -> None:
    source.go.clear()
    gate = Gate(slots=1, patience_s=60)
    statements = Statements(Turn(gate, "t1"))

    def ask() -> None:
        current.set(statements)
        with statements.turn.computing():
            cached(source, flights).execute("SELECT 1")

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: len(source.asked) == 1)
    began = time.monotonic()
    assert gate.enter("t2")
    assert time.monotonic() - began < 20
    gate.leave()
    source.go.set()
    thread.join(5)
    assert gate.enter("t2")
