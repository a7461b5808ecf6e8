"""Large results as Arrow batches: the same values and types as ``execute``, caps, limits, stopping, and memory that does not grow."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import psutil
import psycopg
import pyarrow as pa
import pymysql
import pytest

from datapilot_kernel.errors import Cancelled, SourceProblem
from datapilot_kernel.sources import CancelToken, Limits, OpenedSource, open_source
from datapilot_kernel.sources.location import DatabaseLocation, parse_location
from datapilot_kernel.sources.mysql import connect_arguments

pytestmark = [pytest.mark.postgres, pytest.mark.mariadb]

ROWS = 60_000
POSTGRES_TABLE = f"""
CREATE TABLE v AS SELECT i AS id, date '2020-01-01' + (i % 1500)::int AS jour, ((i % 97) / 7.0)::numeric(12, 2) AS montant,
 CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN E'l’été\n"cité";, \\\\.' ELSE 'client ' || i END AS client,
 CASE WHEN i % 11 = 0 THEN NULL ELSE i / 3.0::float8 END AS taux, timestamptz '2024-03-30 10:00+00' + i * interval '1 minute' AS le,
 i % 2 = 0 AS pair, interval '1 day' * i AS duree, ARRAY[i, NULL] AS liste, i / 7.0 AS libre
FROM generate_series(1, {ROWS}) i
"""
MYSQL_TABLE = f"""
CREATE TABLE v AS SELECT seq AS id, DATE_ADD('2020-01-01', INTERVAL seq % 1500 DAY) AS jour, CAST(seq % 97 / 7 AS DECIMAL(12, 2)) AS montant,
 CASE seq % 5 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'l’été\n"cité";,' ELSE CONCAT('client ', seq) END AS client,
 CASE WHEN seq % 11 = 0 THEN NULL ELSE CAST(seq / 3 AS DOUBLE) END AS taux, TIMESTAMP '2024-03-30 10:00:00' AS le
FROM seq_1_to_{ROWS}
"""
DUCKDB_TABLE = f"""
CREATE TABLE v AS SELECT i AS id, date '2020-01-01' + (i % 1500)::int AS jour, (i % 97)::decimal(12, 2) AS montant,
 CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'l’été ' || i END AS client, i / 3 AS taux,
 timestamptz '2024-03-30 10:00+00' + i * interval '1 minute' AS le, i % 2 = 0 AS pair
FROM range(1, {ROWS + 1}) t(i)
"""


class Place:
    def __init__(self, kind: str, location: str) -> None:
        self.kind, self.location = kind, location

    def running(self, mark: str) -> int:
        if self.kind == "postgres":
            with psycopg.connect(self.location) as connection:
                row = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND query LIKE %s AND pid <> pg_backend_pid()",
                    (f"%{mark}%",),
                ).fetchone()
                assert row is not None
                return int(row[0])
        if self.kind == "mysql":
            where = parse_location(self.location)
            assert isinstance(where, DatabaseLocation)
            with pymysql.connect(**connect_arguments(where)) as connection_my, connection_my.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM information_schema.processlist WHERE info LIKE %s AND id <> CONNECTION_ID()",
                    (f"%{mark}%",),
                )
                return int(cursor.fetchone()[0])
        return 0


@pytest.fixture(scope="module", params=["postgres", "mysql", "duckdb"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    if request.param == "duckdb":
        path = tmp_path_factory.mktemp("stream") / "v.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute(DUCKDB_TABLE)
        return Place("duckdb", str(path))
    url = request.getfixturevalue("postgres" if request.param == "postgres" else "mariadb").new_database()
    if request.param == "postgres":
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(POSTGRES_TABLE)
    else:
        where = parse_location(url)
        assert isinstance(where, DatabaseLocation)
        with pymysql.connect(**connect_arguments(where), autocommit=True) as connection_my:
            connection_my.query(MYSQL_TABLE)
    return Place(request.param, url)


@pytest.fixture
def source(place: Place) -> Iterator[OpenedSource]:
    opened = open_source(place.location)
    yield opened
    opened.close()


FOREVER = {
    "postgres": "SELECT a.i AS {mark}, b.i FROM generate_series(1, 1000000) a(i), generate_series(1, 1000000) b(i)",
    "mysql": "SELECT a.seq AS {mark}, b.seq FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
    "duckdb": "SELECT a.i AS {mark}, b.i FROM range(1000000) a(i), range(1000000) b(i)",
}
BUSY = {
    "postgres": "SELECT sum(a.i * b.i) AS {mark} FROM generate_series(1, 1000000) a(i), generate_series(1, 1000000) b(i)",
    "mysql": "SELECT sum(a.seq * b.seq) AS {mark} FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
    "duckdb": "SELECT sum(a.i * b.i) AS {mark} FROM range(1000000) a(i), range(1000000) b(i)",
}


def _until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


WHOLE = Limits(max_rows=10**6, max_bytes=1 << 30, timeout_ms=60_000)


def test_a_long_result_has_the_values_and_types_of_a_short_one(source: OpenedSource) -> None:
    sql = "SELECT * FROM v ORDER BY id"
    with source.stream_arrow(sql) as stream:
        batches = list(stream)
    assert len(batches) > 2
    assert all(batch.schema == stream.schema for batch in batches)
    got, expected = pa.Table.from_batches(batches), source.execute(sql, limits=WHOLE).to_arrow()
    assert stream.row_count == ROWS
    assert not stream.truncated
    assert [c.name for c in stream.columns] == expected.column_names
    for name in expected.column_names:
        if name == "libre":  # no declared scale: so many digits, the rest rounded
            assert str(got.schema.field(name).type) == "decimal128(38, 20)" or got.schema.field(name).type.scale >= 16
            assert all(abs(a - b) < 1e-15 for a, b in zip(got[name].to_pylist(), expected[name].to_pylist(), strict=True))
        else:
            assert got.schema.field(name).type == expected.schema.field(name).type, name
            assert got[name].to_pylist() == expected[name].to_pylist(), name


SHORT = {
    "postgres": [
        "SELECT 1::int2, 9000000000, 1234.50::numeric(12,2), 0.1::float8, 'été', true, date '2024-02-29', timestamp '2026-03-29 02:30:00', "
        "timestamptz '2026-07-01 10:00:00+00', time '10:20', interval '1 day 2 hours', '{\"a\": 1}'::jsonb, '\\x00ff'::bytea, array[1, 2], "
        "NULL::numeric, date 'infinity', date '0044-03-15 BC', '-12.5'::money, 'a'::char(3), row(1, 'x'), int4range(1, 5), 1.505, 0.1::float4, "
        "timetz '10:20+02', timestamptz '1890-01-01 10:00+00', timestamp '-infinity', 'NaN'::numeric(10,2), 'NaN'::float8, 1e60::numeric, "
        "12::numeric(50, 2), 1234::numeric(5, -2), 'x'::name, 5::oid, '10.0.0.1'::inet, gen_random_uuid() IS NULL, '{}'::int[], '{a,NULL}'::text[]",
        "SELECT 'infinity'::float8, '-infinity'::float8, ''::text, NULL::text, E'\\\\.'::text, E'a\\rb', 'a' AS x, 'b' AS x",
        # Only types that ADBC's driver streams: its infinities wrap around.
        "SELECT date 'infinity', date '-infinity', date '0044-03-15 BC', date '9999-12-31', timestamp 'infinity', timestamp '-infinity', "
        "timestamp '0044-03-15 10:00 BC', 'NaN'::numeric(10,2), 'NaN'::float8, NULL::int, -12.5::numeric(12,2), 'x'::varchar(3), 'a'::char(3), "
        "timestamptz '2026-07-01 10:00+00', true, ''::text, 32000::int2, 9223372036854775807, timestamp '2026-03-29 02:30:00.123456'",
        "SELECT NULL::text",
        "SELECT ''::text",
        "SELECT generate_series(1, 3) AS n -- avec un commentaire",
        "SELECT * FROM v WHERE false",
        "SELECT libre, liste, montant FROM v WHERE id < 20 ORDER BY id",
        "SELECT avg(montant), sum(montant), count(*) FROM v",
    ],
    "mysql": [
        "SELECT 1, 9000000000, CAST(1234.5 AS DECIMAL(12,2)), 0.1e0, 'été', DATE '2024-02-29', TIMESTAMP '2026-03-29 02:30:00', TIME '10:20:00', "
        "x'00ff', NULL, true, CAST(18446744073709551615 AS UNSIGNED), SEC_TO_TIME(200000), '' AS vide",
        "SELECT * FROM v WHERE id < 0",
        "SELECT SUM(id), SUM(montant), AVG(montant), COUNT(*) FROM v",
    ],
    "duckdb": [
        "SELECT sum(i) AS s, 170141183460469231731687303715884105::hugeint, 1::decimal(12,2), 'x'::enum('x','y'), interval 1 day, time '10:20', "
        "[1,2], {'a': 1}, map{'a': 1}, '101'::bit, timestamptz '2024-01-01 10:00+00', NULL FROM (SELECT 1 AS i)",
        "SELECT 1::utinyint, 18446744073709551615::ubigint, 1.5::float, '\\xAA'::blob, date 'infinity', date '-infinity', timestamp '-infinity', "
        "date '0044-03-15 (BC)', timestamp_s '2024-01-01 00:00:00', timestamp_ms '2024-01-01 00:00:00.5', "
        "timestamp_ns '2024-01-01 00:00:00.123456789', NULL::int, 'a', sum(1)::hugeint, '00000000-0000-0000-0000-000000000001'::uuid",
        "SELECT i, [i] FROM range(30000) t(i)",
        "SELECT id, client FROM v WHERE id < 0",
    ],
}  # fmt: skip


def _kind(field: pa.Field) -> str:
    # A declared scale is kept where to_arrow sees only the values: they are the same numbers.
    return "decimal" if pa.types.is_decimal(field.type) else str(field.type)


def test_a_short_result_is_what_execute_gives(source: OpenedSource, place: Place) -> None:
    for sql in SHORT[place.kind]:
        got, expected = source.stream_arrow(sql).read_all(), source.execute(sql, limits=WHOLE).to_arrow()
        assert got.column_names == expected.column_names
        if expected.num_rows:
            assert [_kind(f) for f in got.schema] == [_kind(f) for f in expected.schema], sql
        for name, here, there in zip(got.column_names, got.columns, expected.columns, strict=True):
            pairs = zip(here.to_pylist(), there.to_pylist(), strict=True)
            assert all(x == y or repr(x) == repr(y) for x, y in pairs), (sql, name)


def test_a_moment_without_an_end_is_the_calendars_end(source: OpenedSource, place: Place) -> None:
    if place.kind == "mysql":
        pytest.skip("MySQL has no infinite moments")
    sql = "SELECT timestamptz 'infinity' AS fin"
    got, expected = source.stream_arrow(sql).read_all(), source.execute(sql).to_arrow()
    assert got["fin"].cast(pa.int64()) == expected["fin"].cast(pa.int64())


def test_the_row_cap_cuts_exactly_and_says_so(source: OpenedSource, place: Place) -> None:
    for cap in (1, 5_000, 40_001):
        stream = source.stream_arrow(FOREVER[place.kind].format(mark="plafond"), limits=Limits(max_rows=cap))
        assert stream.read_all().num_rows == cap
        assert stream.truncated
    exact = source.stream_arrow("SELECT id FROM v", limits=Limits(max_rows=ROWS))
    assert exact.read_all().num_rows == ROWS
    assert not exact.truncated
    assert _until(lambda: place.running("plafond") == 0)
    assert source.execute("SELECT 1").rows == [(1,)]


def test_the_byte_cap_cuts(source: OpenedSource, place: Place) -> None:
    stream = source.stream_arrow(
        FOREVER[place.kind].format(mark="octets"), limits=Limits(max_rows=10**9, max_bytes=3_000_000)
    )
    table = stream.read_all()
    assert stream.truncated
    assert 10_000 < table.num_rows < 1_000_000


def test_a_result_that_takes_too_long_is_stopped(source: OpenedSource, place: Place) -> None:
    for sql in (BUSY, FOREVER):
        with pytest.raises(SourceProblem) as caught:
            source.stream_arrow(
                sql[place.kind].format(mark="trop_long"), limits=Limits(max_rows=10**9, max_bytes=1 << 40, timeout_ms=700)
            ).read_all()
        assert caught.value.reason == "timeout"
    assert _until(lambda: place.running("trop_long") == 0)
    assert source.execute("SELECT 1").rows == [(1,)]


def test_cancelled_before_during_and_between_batches(source: OpenedSource, place: Place) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        source.stream_arrow(BUSY[place.kind].format(mark="jamais"), cancel=token)
    token = CancelToken()
    threading.Timer(0.3, token.cancel).start()
    with pytest.raises(Cancelled):
        source.stream_arrow(BUSY[place.kind].format(mark="arret"), cancel=token)
    token = CancelToken()
    stream = source.stream_arrow(FOREVER[place.kind].format(mark="arret"), limits=WHOLE, cancel=token)
    next(stream)
    token.cancel()
    with pytest.raises(Cancelled):
        list(stream)
    assert _until(lambda: place.running("arret") == 0)
    assert source.execute("SELECT 1").rows == [(1,)]


def test_a_caller_that_goes_away_stops_the_statement(source: OpenedSource, place: Place) -> None:
    sql = FOREVER[place.kind].format(mark="parti")
    limits = Limits(max_rows=10**9, max_bytes=1 << 40, timeout_ms=60_000)
    with source.stream_arrow(sql, limits=limits) as stream:
        next(stream)
    assert _until(lambda: place.running("parti") == 0)
    forgotten: Any = source.stream_arrow(sql, limits=limits)
    next(forgotten)
    del forgotten
    gc.collect()
    assert _until(lambda: place.running("parti") == 0)
    assert _until(lambda: not [t for t in threading.enumerate() if t.name == "datapilot-stream"])
    assert source.execute("SELECT 1").rows == [(1,)]


def test_a_slow_caller_does_not_fill_the_memory(source: OpenedSource, place: Place) -> None:
    limits = Limits(max_rows=10**9, max_bytes=1 << 40, timeout_ms=60_000)
    with source.stream_arrow(FOREVER[place.kind].format(mark="lent"), limits=limits) as stream:
        next(stream)
        before = psutil.Process().memory_info().rss
        time.sleep(1.0)
        assert psutil.Process().memory_info().rss - before < 40_000_000


def test_only_one_reading_statement(source: OpenedSource, place: Place, tmp_path: Path) -> None:
    out = tmp_path / "sorti"
    for sql in (
        "SELECT 1; SELECT 2", "INSERT INTO v (id) VALUES (1)", "DELETE FROM v", "CREATE TABLE w (a INT)", "SELECT 1) TO STDOUT; --", "",
        f"SELECT 1) TO PROGRAM 'touch {out}' --", "WITH d AS (DELETE FROM v RETURNING id) SELECT * FROM d", "SELECT 1 INTO w", "COPY v TO STDOUT",
    ):  # fmt: skip
        with pytest.raises(SourceProblem):
            source.stream_arrow(sql).read_all()
    assert source.execute("SELECT count(*) FROM v").rows == [(ROWS,)]
    assert not out.exists()


def test_errors_say_nothing_of_the_engine(source: OpenedSource, place: Place) -> None:
    sql = {
        "postgres": "SELECT client::int FROM v WHERE client LIKE 'client%'",
        "mysql": "SELECT EXP(id) FROM v",
        "duckdb": "SELECT client::int FROM v WHERE client LIKE 'l%'",
    }[place.kind]
    with pytest.raises(SourceProblem) as caught:
        source.stream_arrow(sql).read_all()
    shown = f"{caught.value} {caught.value!r} {caught.value.log} {caught.value.__cause__} {caught.value.__context__}"
    assert "client" not in shown
    assert "été" not in shown


def test_a_later_block_that_does_not_fit_ends_the_stream(source: OpenedSource, place: Place) -> None:
    sql = {
        "postgres": "SELECT CASE WHEN i < 90000 THEN ARRAY[i] ELSE ARRAY[[i]] END AS liste FROM generate_series(1, 100000) i",
        "mysql": "SELECT CASE WHEN seq < 90000 THEN CAST(seq AS UNSIGNED) ELSE 18446744073709551615 END AS grand FROM seq_1_to_100000",
        "duckdb": "SELECT CASE WHEN i < 90000 THEN i::hugeint ELSE 170141183460469231731687303715884105::hugeint END AS grand FROM range(100000) t(i)",
    }[place.kind]
    with pytest.raises(SourceProblem) as caught:
        source.stream_arrow(sql).read_all()
    assert caught.value.reason == "column_changed"
    assert source.execute("SELECT 1").rows == [(1,)]


@pytest.mark.parametrize("road", ["adbc", "copy"])
def test_both_roads_of_postgres_give_the_same(place: Place, road: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if place.kind != "postgres":
        pytest.skip("PostgreSQL alone has two")
    from datapilot_kernel.sources import postgres_adbc

    taken: list[bool] = []
    real = postgres_adbc.can_stream
    monkeypatch.setattr(postgres_adbc, "can_stream", lambda *a: taken.append(real(*a)) or (road == "adbc" and taken[-1]))
    source = open_source(place.location)
    sql = "SELECT id, jour, montant, client, taux, le, pair FROM v ORDER BY id"
    got, expected = source.stream_arrow(sql).read_all(), source.execute(sql, limits=WHOLE).to_arrow()
    stream = source.stream_arrow(sql, limits=Limits(max_rows=100))
    assert (stream.read_all().num_rows, stream.truncated) == (100, True)
    token = CancelToken()
    stopped = source.stream_arrow("SELECT a.id FROM v a, v b", limits=WHOLE, cancel=token)
    next(stopped)
    token.cancel()
    with pytest.raises(Cancelled):
        list(stopped)
    for wrong in ("SELECT 1 / (id - 1) FROM v", "SELECT nom FROM v", "SELECT 1; SELECT 2"):
        with pytest.raises(SourceProblem) as caught:
            source.stream_arrow(wrong).read_all()
        assert caught.value.reason in {"division_by_zero", "object_missing", "statement_rejected"}
    source.close()
    assert taken[:3] == [True] * 3
    assert got.schema == expected.schema
    assert got == expected


def test_streams_run_side_by_side(source: OpenedSource) -> None:
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append(source.stream_arrow("SELECT * FROM v").read_all().num_rows))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [ROWS] * 3
