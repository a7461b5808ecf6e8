"""PostgreSQL and MariaDB, for real: types, caps, limits, refusals, stopping, and servers that go away."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psutil
import psycopg
import pymysql
import pytest

from datapilot_kernel.errors import Cancelled, SourceProblem
from datapilot_kernel.guard import cost
from datapilot_kernel.sources import CancelToken, Limits, OpenedSource, Source, open_source
from datapilot_kernel.sources.location import DatabaseLocation, parse_location
from datapilot_kernel.sources.mysql import connect_arguments
from datapilot_kernel.sources.roles import least_privilege_sql
from tests import servers
from tests.servers import Server

pytestmark = [pytest.mark.postgres, pytest.mark.mariadb]


@dataclass
class Place:
    """A fresh database and how to look at it from outside."""

    kind: str
    url: str

    def admin(self, *statements: str) -> list[Any]:
        rows: list[Any] = []
        if self.kind == "postgres":
            with psycopg.connect(self.url, autocommit=True) as connection:
                for statement in statements:
                    cursor = connection.execute(statement)
                    rows = cursor.fetchall() if cursor.description else []
        else:
            where = parse_location(self.url)
            assert isinstance(where, DatabaseLocation)
            connection_my = pymysql.connect(**connect_arguments(where), autocommit=True)
            with connection_my, connection_my.cursor() as cursor_my:
                for statement in statements:
                    cursor_my.execute(statement)
                    rows = list(cursor_my.fetchall())
        return rows

    def running(self, mark: str) -> int:
        """How many statements with this text the server is working on."""
        if self.kind == "postgres":
            look = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%{}%' AND pid <> pg_backend_pid()"
        else:
            look = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%{}%' AND id <> CONNECTION_ID()"
        return int(self.admin(look.format(mark))[0][0])

    def as_user(self, user: str, password: str) -> str:
        head, _, tail = self.url.partition("://")
        return f"{head}://{user}:{password}@{tail.rpartition('@')[2]}"


@pytest.fixture(params=["postgres", "mysql"])
def place(request: pytest.FixtureRequest) -> Place:
    server: Server = request.getfixturevalue("postgres" if request.param == "postgres" else "mariadb")
    return Place(request.param, server.new_database())


@pytest.fixture
def source(place: Place) -> Iterator[OpenedSource]:
    opened = open_source(place.url)
    yield opened
    opened.close()


# Never ends by itself, works all the while, and can be found by its mark.
FOREVER = {
    "postgres": "SELECT sum(a.i * b.i) AS {mark} FROM generate_series(1, 1000000) a(i), generate_series(1, 1000000) b(i)",
    "mysql": "SELECT sum(a.seq * b.seq) AS {mark} FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
}


def _until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@contextlib.contextmanager
def _once(begun: Callable[[], bool], act: Callable[[], object]) -> Iterator[None]:
    """Act beside the block once something in it has begun; if it never does, the block is left to itself."""
    thread = threading.Thread(target=lambda: _until(begun, 25) and act())
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_it_is_a_source(source: OpenedSource, place: Place) -> None:
    assert isinstance(source, Source)
    assert source.name == place.url.rpartition("/")[2]
    assert source.default_schema == ("public" if place.kind == "postgres" else source.name)
    assert "secret" not in f"{source!r} {vars(source)!r}"


def test_types_postgres(postgres: Server) -> None:
    source = open_source(postgres.new_database())
    result = source.execute(
        "SELECT 1::int2, 9000000000, 1234.50::numeric(12,2), 0.1::float8, 'été', true, date '2024-02-29', "
        "timestamp '2026-03-29 02:30:00', timestamptz '2026-07-01 10:00:00+00', time '10:20', interval '1 day 2 hours', "
        "'{\"a\": 1}'::jsonb, '\\x00ff'::bytea, array[1, 2], NULL::numeric, date 'infinity', date '0044-03-15 BC', "
        "'-12.5'::money, gen_random_uuid() IS NOT NULL, 'a'::char(3), row(1, 'x'), int4range(1, 5)"
    )
    source.close()
    kinds = [c.type for c in result.columns]
    assert kinds[:16] == [
        "integer", "integer", "decimal", "float", "text", "boolean", "date", "timestamp", "timestamptz", "time", "interval",
        "json", "binary", "array", "decimal", "date",
    ]  # fmt: skip
    row = result.rows[0]
    assert row[:8] == (1, 9000000000, Decimal("1234.50"), 0.1, "été", True, date(2024, 2, 29), datetime(2026, 3, 29, 2, 30))  # noqa: DTZ001
    assert str(row[2]) == "1234.50"
    assert row[8] == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert row[8].utcoffset() == timedelta(hours=2)
    assert row[10:] == (
        timedelta(days=1, hours=2), {"a": 1}, b"\x00\xff", [1, 2], None, date.max, None, Decimal("-12.5"), True, "a  ",
        "(1,x)", "[1,5)",
    )  # fmt: skip


def test_types_mariadb(mariadb: Server) -> None:
    place = Place("mysql", mariadb.new_database())
    place.admin(
        "CREATE TABLE t (a TINYINT, b TINYINT(1), c BIT(1), d DECIMAL(12,2), e DOUBLE, f TEXT, g DATE, h DATETIME, i TIMESTAMP, "
        "j TIME, k BLOB, l VARBINARY(4), m YEAR, n TINYINT(1), o BIGINT UNSIGNED)",
        "SET time_zone = '+00:00'",
        "INSERT INTO t VALUES (1, 1, b'1', 1234.50, 0.1, 'été', '2024-02-29', '2026-03-29 02:30:00', '2026-01-15 10:00:00', "
        "'10:20:00', x'00ff', x'00ff', 2026, 2, 18446744073709551615)",
        "SET sql_mode = ''",
        "INSERT INTO t (g, h) VALUES ('0000-00-00', '0000-00-00 00:00:00')",
    )
    source = open_source(place.url)
    result = source.execute("SELECT t.*, SUM(a) OVER () AS s, AVG(a) OVER () AS v FROM t ORDER BY a DESC")
    source.close()
    assert [c.type for c in result.columns] == [
        "integer", "boolean", "boolean", "decimal", "float", "text", "date", "timestamp", "timestamptz", "time", "binary",
        "binary", "integer", "integer", "integer", "integer", "decimal",
    ]  # fmt: skip
    row = result.rows[0]
    assert row[:8] == (1, True, True, Decimal("1234.50"), 0.1, "été", date(2024, 2, 29), datetime(2026, 3, 29, 2, 30))  # noqa: DTZ001
    assert row[8].utcoffset() is not None
    assert str(row[9]) == "10:20:00"
    assert row[10:] == (b"\x00\xff", b"\x00\xff", 2026, 2, 18446744073709551615, 1, Decimal("1.0000"))
    assert isinstance(row[15], int)
    assert result.rows[1][6:8] == (None, None)


def test_an_empty_result_has_its_columns(source: OpenedSource) -> None:
    result = source.execute("SELECT 1 AS a, 'x' AS b FROM (SELECT 1 AS q) t WHERE q = 2")
    assert [c.name for c in result.columns] == ["a", "b"]
    assert result.rows == []


def test_rows_are_capped(source: OpenedSource, place: Place) -> None:
    many = "generate_series(1, 50000) t(i)" if place.kind == "postgres" else "(SELECT seq AS i FROM seq_1_to_50000) t"
    for rows, truncated in ((50_000, False), (49_999, True), (7, True), (1, True)):
        result = source.execute(f"SELECT i FROM {many}", limits=Limits(max_rows=rows))
        assert (len(result.rows), result.truncated) == (rows, truncated)
        assert result.rows[-1] == (rows,)
    assert source.execute("SELECT 1").rows == [(1,)]


def test_bytes_are_capped(source: OpenedSource, place: Place) -> None:
    many = "generate_series(1, 5000) t(i)" if place.kind == "postgres" else "(SELECT seq AS i FROM seq_1_to_5000) t"
    result = source.execute(f"SELECT repeat('x', 1000) AS a, i FROM {many}", limits=Limits(max_bytes=1_000_000))
    assert result.truncated
    assert 800 < len(result.rows) < 1000
    assert source.execute("SELECT 1").rows == [(1,)]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT 1; SELECT 2", "statement_rejected"),
        ("SELECT 1; DROP TABLE t", "statement_rejected"),
        ("INSERT INTO t VALUES (2)", "read_only"),
        ("UPDATE t SET a = 5", "read_only"),
        ("DELETE FROM t", "read_only"),
        ("DROP TABLE t", "read_only"),
        ("CREATE TABLE u (a INT)", "read_only"),
        ("SELECT * FROM inconnue", "object_missing"),
        ("SELECT inconnue FROM t", "object_missing"),
        ("SELECT (SELECT a FROM t UNION ALL SELECT 4242)", "several_rows"),
        ("SELECT FROM WHERE", "statement_rejected"),
    ],
)
def test_refusals(source: OpenedSource, place: Place, sql: str, reason: str) -> None:
    place.admin("CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)")
    with pytest.raises(SourceProblem) as caught:
        source.execute(sql)
    assert caught.value.reason == reason
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert "4242" not in f"{caught.value} {caught.value!r} {caught.value.log}"
    assert place.admin("SELECT a FROM t") in ([(1,)], [(1,)])
    assert source.execute("SELECT a FROM t").rows == [(1,)]


def test_settings_are_fixed(source: OpenedSource, place: Place) -> None:
    if place.kind == "postgres":
        shown = source.execute(
            "SELECT current_setting('transaction_read_only'), current_setting('search_path'), current_setting('TimeZone'), "
            "current_setting('statement_timeout'), current_setting('lock_timeout')",
            limits=Limits(timeout_ms=7_000, lock_timeout_ms=1_500),
        )
        assert shown.rows == [("on", "public, pg_temp", "Europe/Paris", "7s", "1500ms")]
    else:
        shown = source.execute(
            "SELECT @@tx_read_only, @@max_statement_time, @@lock_wait_timeout, @@sql_mode LIKE '%STRICT_TRANS_TABLES%', "
            "@@sql_mode LIKE '%ANSI_QUOTES%'",
            limits=Limits(timeout_ms=7_000, lock_timeout_ms=2_000),
        )
        assert [int(v) for v in shown.rows[0]] == [1, 7, 2, 1, 0]
        with pytest.raises(SourceProblem):
            source.execute("LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t")


def test_a_statement_that_takes_too_long_is_stopped_by_the_server(source: OpenedSource, place: Place) -> None:
    began = time.monotonic()
    with pytest.raises(SourceProblem) as caught:
        source.execute(FOREVER[place.kind].format(mark="trop_long"), limits=Limits(timeout_ms=400))
    assert caught.value.reason == "timeout"
    assert time.monotonic() - began < 15
    assert _until(lambda: place.running("trop_long") == 0)
    assert source.execute("SELECT 1").rows == [(1,)]


def test_a_locked_table_is_not_waited_for(source: OpenedSource, place: Place) -> None:
    place.admin("CREATE TABLE t (a INT)")
    where = parse_location(place.url)
    assert isinstance(where, DatabaseLocation)
    with contextlib.ExitStack() as stack:
        if place.kind == "postgres":
            holder = stack.enter_context(psycopg.connect(place.url))
            holder.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        else:
            holder_my = stack.enter_context(pymysql.connect(**connect_arguments(where)))
            holder_my.query("LOCK TABLES t WRITE")
        with pytest.raises(SourceProblem) as caught:
            source.execute("SELECT * FROM t", limits=Limits(lock_timeout_ms=1_000, timeout_ms=20_000))
    assert caught.value.reason == "locked"


def test_cancelled_before_it_starts(source: OpenedSource, place: Place) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        source.execute(FOREVER[place.kind].format(mark="jamais"), cancel=token)
    assert place.running("jamais") == 0


@pytest.mark.parametrize("delay_ms", [0, 1, 3, 30, 300])
def test_cancelled_from_another_thread(source: OpenedSource, place: Place, delay_ms: int) -> None:
    source.execute("SELECT 1")
    token, mark = CancelToken(), f"arret_{delay_ms}"
    threading.Timer(delay_ms / 1000, token.cancel).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        source.execute(FOREVER[place.kind].format(mark=mark), cancel=token)
    assert time.monotonic() - began < 15
    assert _until(lambda: place.running(mark) == 0)
    assert source.execute("SELECT 1").rows == [(1,)]


def test_an_interrupt_of_the_kernel_stops_the_server_too(source: OpenedSource, place: Place) -> None:
    """Jupyter's Stop is a SIGINT in the thread that waits."""
    source.execute("SELECT 1")
    interrupt = lambda: os.kill(os.getpid(), signal.SIGINT)  # noqa: E731
    with _once(lambda: place.running("clavier") == 1, interrupt), pytest.raises(KeyboardInterrupt):
        source.execute(FOREVER[place.kind].format(mark="clavier"))
    assert _until(lambda: place.running("clavier") == 0)
    assert source.execute("SELECT 1").rows == [(1,)]


def test_a_late_cancel_hits_nobody_else(source: OpenedSource) -> None:
    """Tokens cancelled around the end of their statement never stop the statement of another."""
    for _ in range(40):
        token = CancelToken()
        thread = threading.Thread(target=token.cancel)
        with contextlib.suppress(Cancelled):
            thread.start()
            source.execute("SELECT 1", cancel=token)
        assert source.execute("SELECT 2").rows == [(2,)]
        thread.join()


def test_a_stopped_connection_is_not_used_again(source: OpenedSource, place: Place) -> None:
    """A request to stop may arrive late: it must find nobody on that connection."""
    own = "SELECT pg_backend_pid()" if place.kind == "postgres" else "SELECT CONNECTION_ID()"
    before = source.execute(own).rows
    assert source.execute(own).rows == before
    token = CancelToken()
    with _once(lambda: place.running("jetee") == 1, token.cancel), pytest.raises(Cancelled):
        source.execute(FOREVER[place.kind].format(mark="jetee"), cancel=token)
    assert source.execute(own).rows != before


def test_statements_run_side_by_side_and_one_is_cancelled(source: OpenedSource, place: Place) -> None:
    token = CancelToken()
    outcome: list[object] = []

    def endless() -> None:
        try:
            source.execute(FOREVER[place.kind].format(mark="cote"), cancel=token)
        except Cancelled as cancelled:
            outcome.append(cancelled)

    thread = threading.Thread(target=endless)
    thread.start()
    assert _until(lambda: place.running("cote") == 1)
    assert [source.execute(f"SELECT {i}").rows for i in range(5)] == [[(i,)] for i in range(5)]
    assert place.running("cote") == 1
    token.cancel()
    thread.join(25)
    assert len(outcome) == 1


def test_too_many_at_once_wait_and_can_be_cancelled(source: OpenedSource, place: Place) -> None:
    tokens = [CancelToken() for _ in range(9)]
    outcomes: list[str] = []

    def endless(token: CancelToken) -> None:
        try:
            source.execute(FOREVER[place.kind].format(mark="foule"), cancel=token)
        except Cancelled:
            outcomes.append("cancelled")

    threads = [threading.Thread(target=endless, args=(t,)) for t in tokens]
    for thread in threads:
        thread.start()
    assert _until(lambda: place.running("foule") == 8, 20)
    with pytest.raises(SourceProblem) as caught:
        source.execute("SELECT 1", limits=Limits(timeout_ms=600))
    assert caught.value.reason == "busy"
    for token in tokens:
        token.cancel()
    for thread in threads:
        thread.join(25)
    assert outcomes == ["cancelled"] * 9
    assert _until(lambda: place.running("foule") == 0)
    assert source.execute("SELECT 1").rows == [(1,)]


def test_closed(source: OpenedSource) -> None:
    source.execute("SELECT 1")
    source.close()
    source.close()
    with pytest.raises(SourceProblem) as caught:
        source.execute("SELECT 1")
    assert caught.value.reason == "closed"


def test_introspection_binds_its_parameters(source: OpenedSource, place: Place) -> None:
    place.admin("CREATE TABLE clients (id INT)")
    rows = source.introspect_rows(
        "SELECT DISTINCT table_name FROM information_schema.tables WHERE table_name = %s", ("clients",)
    )
    assert rows == [("clients",)]
    assert source.introspect_rows("SELECT '100%'") == [("100%",)]


def _refused(location: str) -> SourceProblem:
    source = open_source(location)
    try:
        with pytest.raises(SourceProblem) as caught:
            source.execute("SELECT 1", limits=Limits(timeout_ms=5_000))
    finally:
        source.close()
    assert "secret" not in f"{caught.value} {caught.value!r} {caught.value.log}"
    assert str(caught.value).endswith(".")
    return caught.value


def test_what_goes_wrong_with_a_connection(place: Place) -> None:
    port = servers.free_port()
    at = place.url.rpartition("@")[2]
    assert _refused(place.url.replace("127.0.0.1", "nulle-part.invalid")).reason == "unknown_host"
    assert _refused(place.url.replace("secret", "secret2")).reason == "wrong_password"
    assert _refused(place.as_user("personne", "secret")).reason == "wrong_password"
    assert _refused(place.url + "_absente").reason == "database_missing"
    assert _refused(place.url.replace(at.partition("/")[0], f"127.0.0.1:{port}")).reason == "unreachable"


def test_a_table_that_may_not_be_read(place: Place) -> None:
    place.admin("CREATE TABLE ouverte (a INT)", "CREATE TABLE paie (a INT)")
    name = f"u{abs(hash(place.url)) % 10**8}"
    if place.kind == "postgres":
        place.admin(f"CREATE ROLE {name} LOGIN PASSWORD 'pw'", f"GRANT SELECT ON ouverte TO {name}")
    else:
        place.admin(f"CREATE USER {name} IDENTIFIED BY 'pw'", f"GRANT SELECT ON ouverte TO {name}")
    source = open_source(place.as_user(name, "pw"))
    assert source.execute("SELECT * FROM ouverte").rows == []
    with pytest.raises(SourceProblem) as caught:
        source.execute("SELECT * FROM paie")
    source.close()
    assert caught.value.reason in {"no_permission", "no_permission_table"}
    assert "« paie »" in str(caught.value)


def test_too_many_connections() -> None:
    for kind in ("postgres", "mysql"):
        with servers.running(kind) as server:
            place = Place(kind, server.new_database())
            name = "plein"
            if kind == "postgres":
                place.admin(f"CREATE ROLE {name} LOGIN PASSWORD 'pw' CONNECTION LIMIT 1")
            else:
                place.admin(
                    f"CREATE USER {name} IDENTIFIED BY 'pw' WITH MAX_USER_CONNECTIONS 1", f"GRANT SELECT ON *.* TO {name}"
                )
            first = open_source(place.as_user(name, "pw"))
            first.execute("SELECT 1")
            assert _refused(place.as_user(name, "pw")).reason == "too_many_connections"
            first.close()


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_a_server_that_restarts(kind: str) -> None:
    """Pooled connections that died while idle are replaced unseen; one that dies under a statement is one clear error."""
    with servers.running(kind) as server:
        place = Place(kind, server.new_database())
        source = open_source(place.url)
        ready = threading.Barrier(3)

        def warm() -> None:
            ready.wait()
            source.execute("SELECT 1")

        threads = [threading.Thread(target=warm) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        _restart(server)
        for i in range(5):
            assert source.execute(f"SELECT {i}").rows == [(i,)]

        problems: list[SourceProblem] = []

        def endless() -> None:
            try:
                source.execute(FOREVER[kind].format(mark="coupe"))
            except SourceProblem as problem:
                problems.append(problem)

        thread = threading.Thread(target=endless)
        thread.start()
        assert _until(lambda: place.running("coupe") == 1)
        _restart(server)
        thread.join(25)
        assert [p.reason for p in problems] in (["connection_lost"], ["interrupted"], ["server_starting"])
        assert source.execute("SELECT 1").rows == [(1,)]
        source.close()


def _restart(server: Server) -> None:
    """Kill a private server outright, as a power cut would, and start it again on its port and data."""
    command: list[str] = list(server.process.args)  # type: ignore[arg-type]  # a list, as servers.py starts it
    backends = psutil.Process(server.process.pid).children(recursive=True)
    server.process.kill()
    server.process.wait(10)
    for backend in backends:
        with contextlib.suppress(psutil.NoSuchProcess):
            backend.kill()
    deadline = time.monotonic() + 60
    while True:
        for left in server.folder.rglob("postmaster.pid"):
            left.unlink()
        server.process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=servers._servant(),
            cwd=server.folder,
            start_new_session=True,
        )
        while server.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(psycopg.Error, pymysql.MySQLError):
                if server.dialect == "postgres":
                    psycopg.connect(f"{server.url}/postgres", connect_timeout=2).close()
                else:
                    pymysql.connect(
                        host="127.0.0.1", port=server.port, user="root", password="secret", connect_timeout=2
                    ).close()
                return
            time.sleep(0.1)
        # Backends of the old server may hold its memory for a moment longer.
        assert time.monotonic() < deadline
        time.sleep(0.3)


def test_estimates_grow_with_the_work(source: OpenedSource, place: Place) -> None:
    place.admin("CREATE TABLE t (i INT PRIMARY KEY, k INT)")
    fill = (
        "SELECT i, i FROM generate_series(1, 3000) g(i)"
        if place.kind == "postgres"
        else "SELECT seq, seq FROM seq_1_to_3000"
    )
    place.admin(f"INSERT INTO t {fill}", "ANALYZE t" if place.kind == "postgres" else "ANALYZE TABLE t")
    read = cost.from_postgres if place.kind == "postgres" else cost.from_mysql
    by_key = read(source.explain("SELECT * FROM t WHERE i = 5"))
    scan = read(source.explain("SELECT * FROM t"))
    product = read(source.explain("SELECT count(*) FROM t a, t b, t c WHERE a.k + b.k > c.k"))
    assert by_key.produced_rows <= 10
    assert 1000 <= scan.scanned_rows <= 10_000
    assert product.produced_rows > 10**8


def test_the_role_report_and_the_role_that_has_nothing_to_report(place: Place) -> None:
    administrator = open_source(place.url)
    assert "sources.role_superuser" in [f.key for f in administrator.role_report()]
    administrator.close()
    place.admin("CREATE TABLE clients (id INT)", "CREATE TABLE secrets (id INT)", "INSERT INTO clients VALUES (1)")
    role = f"lecture_{place.url[-6:]}"
    database = place.url.rpartition("/")[2]
    engine = "postgres" if place.kind == "postgres" else "mariadb"
    script = least_privilege_sql(engine, database, role=role, tables=["clients"])  # type: ignore[arg-type]  # one of the two
    place.admin(*[s for s in script.replace("«mot de passe»", "pw").split(";\n") if s.strip()])
    reader = open_source(place.as_user(role, "pw"))
    assert reader.execute("SELECT id FROM clients").rows == [(1,)]
    with pytest.raises(SourceProblem):
        reader.execute("SELECT id FROM secrets")
    assert [f.key for f in reader.role_report() if f.serious] == []
    if place.kind == "postgres":
        place.admin(
            f"GRANT INSERT ON clients TO {role}", f"GRANT pg_read_server_files TO {role}", f"ALTER ROLE {role} CREATEDB"
        )
        wanted = {"sources.role_writes", "sources.role_member", "sources.role_right"}
    else:
        place.admin(f"GRANT INSERT, DELETE ON {database}.clients TO {role}", f"GRANT FILE, PROCESS ON *.* TO {role}")
        wanted = {"sources.role_rights_on", "sources.role_files", "sources.role_right"}
    findings = reader.role_report()
    reader.close()
    assert wanted <= {f.key for f in findings}
    assert all(f.message.endswith(".") for f in findings)
