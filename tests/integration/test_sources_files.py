"""Files end to end: the process that asks, its walls, its crashes; the cache; workbooks and Parquet."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from pathlib import Path

import duckdb
import psutil
import pytest

from datapilot_kernel.errors import Cancelled, SourceProblem
from datapilot_kernel.guard import cost
from datapilot_kernel.sources import CancelToken, Limits, Source, open_source
from datapilot_kernel.sources.files import FilesSource
from datapilot_kernel.sources.files_import import cache
from datapilot_kernel.sources.files_import.report import ColumnOverride, FileOptions
from datapilot_kernel.sources.writer import open_writer

FOREVER = "SELECT sum(a.range * b.range) FROM range(100000000) a, range(100000000) b"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAPILOT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("DATAPILOT_FERNET_KEYS", "a-secret-of-the-parent")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "ventes.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT i, i * 1.5::DECIMAL(10,2) AS m, 'x' || i AS s FROM range(20000) r(i)")
    return path


@pytest.fixture
def source(database: Path) -> Iterator[FilesSource]:
    opened = open_source(str(database))
    assert isinstance(opened, FilesSource)
    yield opened
    opened.close()


def _children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if "files_worker.py" in _command(p)]


def _worked_s(processes: list[psutil.Process]) -> float:
    """Seconds of a processor that processes have used."""
    return sum(process.cpu_times().user for process in processes)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.ZombieProcess, psutil.NoSuchProcess):  # another test's, that has just ended
        return ""


def _until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_it_is_a_source(source: FilesSource) -> None:
    assert isinstance(source, Source)
    assert (source.dialect, source.name, source.default_schema) == ("duckdb", "ventes", "main")
    assert source.role_report() == ()


def test_types(source: FilesSource) -> None:
    result = source.execute(
        "SELECT 1::TINYINT, 170141183460469231731687303715884105727::HUGEINT, 12.50::DECIMAL(10,2), 'nan'::DOUBLE, 'été', true, "
        "DATE '2024-02-29', TIMESTAMP '2026-03-29 02:30:00', TIMESTAMPTZ '2026-07-01 10:00:00+00', TIME '10:20', "
        "INTERVAL 26 HOURS, '\\x00a'::BLOB, [1, 2], {'a': DATE '2026-01-01'}, NULL::DECIMAL(4,1), 'infinity'::DATE, "
        "(-1000000)::INT, MAP {'k': 1}, uuid() IS NOT NULL"
    )
    kinds = [c.type for c in result.columns]
    assert kinds[:16] == [
        "integer", "integer", "decimal", "float", "text", "boolean", "date", "timestamp", "timestamptz", "time", "interval",
        "binary", "array", "json", "decimal", "date",
    ]  # fmt: skip
    row = result.rows[0]
    assert row[:3] == (1, 2**127 - 1, Decimal("12.50"))
    assert row[3] != row[3]
    assert row[4:8] == ("été", True, date(2024, 2, 29), datetime(2026, 3, 29, 2, 30))  # noqa: DTZ001
    assert row[8] == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert row[8].utcoffset() == timedelta(hours=2)
    assert row[9:16] == (clock(10, 20), timedelta(hours=26), b"\x00a", [1, 2], {"a": "2026-01-01"}, None, date.max)


def test_rows_and_bytes_are_capped(source: FilesSource) -> None:
    for rows, truncated in ((20_000, False), (19_999, True), (7, True)):
        result = source.execute("SELECT i FROM t ORDER BY i", limits=Limits(max_rows=rows))
        assert (len(result.rows), result.truncated) == (rows, truncated)
    result = source.execute("SELECT repeat('x', 1000) FROM t", limits=Limits(max_bytes=1_000_000))
    assert result.truncated
    assert len(result.rows) < 5_000


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "CREATE TABLE u (a INT)",
        "INSERT INTO t VALUES (1, 2, 'a')",
        "WITH x AS (DELETE FROM t RETURNING i) SELECT * FROM x",
        "COPY t TO '/tmp/datapilot_test_leak.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "ATTACH '/tmp/x.duckdb' AS x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '100GB'",
        "SET enable_external_access = true",
        "SET TimeZone = 'UTC'",
        "RESET lock_configuration",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "SELECT getenv('DATAPILOT_FERNET_KEYS')",
        "SELECT * FROM connection",
        "EXPLAIN ANALYZE SELECT 1",
        "SELECT CAST('Salaire 4242' AS INT)",
    ],
)
def test_walls(source: FilesSource, sql: str) -> None:
    with pytest.raises(SourceProblem) as caught:
        source.execute(sql)
    assert caught.value.__context__ is None
    assert "4242" not in f"{caught.value} {caught.value!r} {caught.value.log}"
    assert not Path("/tmp/datapilot_test_leak.csv").exists()
    assert source.execute("SELECT count(*) FROM t").rows == [(20_000,)]


def test_the_worker_holds_no_secret_of_its_parent(source: FilesSource) -> None:
    source.execute("SELECT 1")
    environment = _children()[0].environ()
    assert "PATH" in environment
    assert "DATAPILOT_FERNET_KEYS" not in environment


def test_a_crash_is_one_failed_statement(source: FilesSource) -> None:
    problems: list[SourceProblem] = []

    def endless() -> None:
        try:
            source.execute(FOREVER)
        except SourceProblem as problem:
            problems.append(problem)

    source.execute("SELECT 1")
    thread = threading.Thread(target=endless)
    thread.start()
    assert _until(lambda: any(process.cpu_percent(0.1) > 5 for process in _children()))
    for process in _children():
        process.kill()
    thread.join(30)
    assert [p.reason for p in problems] == ["worker_lost"]
    assert source.execute("SELECT count(*) FROM t").rows == [(20_000,)]


def test_a_process_that_died_while_idle_is_replaced_unseen(source: FilesSource) -> None:
    source.execute("SELECT 1")
    for process in _children():
        process.kill()
        process.wait(5)
    assert source.execute("SELECT 2").rows == [(2,)]


def test_memory_is_bounded(source: FilesSource) -> None:
    small = Limits(memory_bytes=128 << 20, timeout_ms=20_000)
    with pytest.raises(SourceProblem) as caught:
        source.execute("SELECT list(repeat('x', 1000) || i) FROM range(100000000) r(i)", limits=small)
    assert caught.value.reason in {"out_of_resources", "timeout", "worker_lost"}
    assert source.execute("SELECT current_setting('memory_limit')", limits=small).rows == [("128.0 MiB",)]


def test_a_statement_that_takes_too_long(source: FilesSource) -> None:
    began = time.monotonic()
    with pytest.raises(SourceProblem) as caught:
        source.execute(FOREVER, limits=Limits(timeout_ms=300))
    assert caught.value.reason == "timeout"
    assert time.monotonic() - began < 15
    assert source.execute("SELECT 1").rows == [(1,)]


def test_a_statement_that_does_not_listen_is_killed(source: FilesSource) -> None:
    token = CancelToken()
    threading.Timer(0.3, token.cancel).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        # One long call inside the engine: it looks at no interrupt until it is over.
        source.execute("SELECT length(repeat('x', 1500000000)) + length(repeat('y', 1500000000))", cancel=token)
    assert time.monotonic() - began < 15
    assert source.execute("SELECT 1").rows == [(1,)]


@pytest.mark.parametrize("delay_ms", [0, 2, 60])
def test_cancelled_from_another_thread(source: FilesSource, delay_ms: int) -> None:
    token = CancelToken()
    threading.Timer(delay_ms / 1000, token.cancel).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        source.execute(FOREVER, cancel=token)
    assert time.monotonic() - began < 15
    assert _until(lambda: all(p.cpu_percent(0.1) < 50 for p in _children()))
    assert source.execute("SELECT 1").rows == [(1,)]


def test_an_interrupt_of_the_kernel_ends_the_process(source: FilesSource) -> None:
    source.execute("SELECT 1")
    busy = _children()
    before = _worked_s(busy)

    def interrupt() -> None:
        if _until(lambda: _worked_s(busy) > before + 0.2, 25):  # it works on the statement
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        source.execute(FOREVER)
    thread.join()
    assert _until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in busy))
    assert source.execute("SELECT 1").rows == [(1,)]


def test_cancelled_before_it_starts(source: FilesSource) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        source.execute("SELECT 1", cancel=token)


def test_many_threads(source: FilesSource) -> None:
    seen: list[list[tuple[int, ...]]] = []
    threads = [threading.Thread(target=lambda i=i: seen.append(source.execute(f"SELECT {i}").rows)) for i in range(12)]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(rows[0][0] for rows in seen) == list(range(12))
    assert len(_children()) <= 3


def test_close_ends_every_process(database: Path) -> None:
    before = len(_children())
    source = open_source(str(database))
    source.execute("SELECT 1")
    source.close()
    source.close()
    assert _until(lambda: len(_children()) == before)
    with pytest.raises(SourceProblem) as caught:
        source.execute("SELECT 1")
    assert caught.value.reason == "closed"


def test_estimates(source: FilesSource) -> None:
    assert cost.from_duckdb(source.explain("SELECT * FROM t")).scanned_rows == 20_000
    assert cost.from_duckdb(source.explain("SELECT count(*) FROM t a, t b WHERE a.i + b.i > 3")).produced_rows >= 10**8


def test_introspection(source: FilesSource) -> None:
    rows = source.introspect_rows(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index", ["t"]
    )
    assert [r[0] for r in rows] == ["i", "m", "s"]


def test_a_duckdb_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SourceProblem) as caught:
        open_source(str(tmp_path / "absent.duckdb"))
    assert caught.value.reason == "path_missing"
    (tmp_path / "faux.duckdb").write_bytes(b"certainly not a database" * 200)
    source = open_source(str(tmp_path / "faux.duckdb"))
    with pytest.raises(SourceProblem) as caught:
        source.execute("SELECT 1")
    source.close()
    assert caught.value.reason == "file_locked_or_foreign"


# Folders, workbooks, Parquet.


def test_a_folder_written_by_the_writer_reads_back(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    rows = [
        (1, "Lumière & fils ; « été »", Decimal("-1234.50"), date(2024, 2, 29), datetime(2026, 3, 29, 2, 30), True, "01000"),  # noqa: DTZ001
        (2, 'dit "l\'œuvre"\nsur deux lignes', Decimal("0.05"), None, None, False, "75001"),
    ]
    names = ["id", "nom", "montant_ht", "cree_le", "vu_le", "actif", "code_postal"]
    types = ["integer", "text", "decimal(12,2)", "date", "timestamp", "boolean", "text"]
    with open_writer(str(folder), encoding="cp1252") as writer:
        writer.create_table("clients", [(n, t, None) for n, t in zip(names, types, strict=True)], ["id"])
        writer.load("clients", names, rows)
        writer.finish()
    source = open_source(str(folder))
    result = source.execute("SELECT * FROM clients ORDER BY id")
    labels = source.introspect_rows(
        "SELECT comment FROM duckdb_columns() WHERE table_name = 'clients' ORDER BY column_index"
    )
    source.close()
    assert [c.name for c in result.columns] == names
    assert result.rows == rows
    assert labels[2] == ("Montant ht",)


def test_a_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Ventes 2025"
    sheet["A1"] = "Ventes de l'année"
    sheet.merge_cells("A1:D1")
    for row in (
        ("Date", "Client", "Montant HT", "Payée", "Code postal"),
        (datetime(2025, 1, 31), "Été", 1234.5, True, "01000"),  # noqa: DTZ001
        (datetime(2025, 2, 28), "Noël", -0.1 - 0.2, False, "75001"),  # noqa: DTZ001
        ("Total", None, 1234.2, None, None),
    ):
        sheet.append(row)
    second = book.create_sheet("Clients")
    second.append(("Id", "Créé le"))
    second.append((1, datetime(2025, 1, 31, 8, 30)))  # noqa: DTZ001
    book.create_sheet("Vide")
    book.save(tmp_path / "Suivi.xlsx")
    source = open_source(str(tmp_path / "Suivi.xlsx"))
    sales = source.execute("SELECT * FROM ventes_2025")
    clients = source.execute("SELECT * FROM clients")
    report = source.import_report
    source.close()
    assert report is not None
    assert [(f.table, f.sheet) for f in report.files] == [("ventes_2025", "Ventes 2025"), ("clients", "Clients")]
    assert [c.name for c in sales.columns] == ["date", "client", "montant_ht", "payee", "code_postal"]
    assert sales.rows == [
        (date(2025, 1, 31), "Été", Decimal("1234.50"), True, "01000"),
        (date(2025, 2, 28), "Noël", Decimal("-0.30"), False, "75001"),
    ]
    assert clients.rows == [(1, datetime(2025, 1, 31, 8, 30))]  # noqa: DTZ001
    assert [n.key for n in report.table("ventes_2025").notes] == ["sources.note_totals", "sources.note_preamble"]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT 12.50::DECIMAL(12,2) AS \"Montant HT\", DATE '2026-05-01' AS Jour, TIMESTAMPTZ '2026-07-01 10:00:00+00' AS vu) "
            f"TO '{tmp_path}/ventes.parquet' (FORMAT parquet)"
        )
    source = open_source(str(tmp_path / "ventes.parquet"))
    result = source.execute("SELECT * FROM ventes")
    source.close()
    assert [(c.name, c.type) for c in result.columns] == [("montant_ht", "decimal"), ("jour", "date"), ("vu", "timestamptz")]
    assert result.rows[0][:2] == (Decimal("12.50"), date(2026, 5, 1))


def test_bad_places(tmp_path: Path) -> None:
    empty = tmp_path / "vide"
    empty.mkdir()
    (tmp_path / "a.docx").write_bytes(b"x")
    (tmp_path / "vide.csv").write_bytes(b"")
    (tmp_path / "image.csv").write_bytes(bytes(range(256)) * 40)
    for location, reason in (
        (empty, "folder_empty"),
        (tmp_path / "absent.csv", "path_missing"),
        (tmp_path / "a.docx", "file_kind"),
        (tmp_path / "vide.csv", "file_empty"),
        (tmp_path / "image.csv", "looks_binary"),
    ):
        with pytest.raises(SourceProblem) as caught:
            open_source(str(location))
        assert caught.value.reason == reason
        assert str(caught.value).endswith(".")
        assert location.name in str(caught.value)
    assert _children() == []


# The cache.


def test_the_second_opening_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text("A;B\n1;x\n", encoding="utf-8")
    first = open_source(str(path))
    first.close()

    def never(*_: object) -> None:
        raise AssertionError("imported again")

    monkeypatch.setattr(cache, "_import", never)
    second = open_source(str(path))
    assert second.execute("SELECT * FROM a").rows == [(1, "x")]
    assert second.import_report == first.import_report
    second.close()


def test_a_changed_file_or_option_is_imported_again(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("A;B\n1;x\n", encoding="utf-8")
    first = open_source(str(path))
    path.write_text("A;B\n1;x\n2;y\n", encoding="utf-8")
    second = open_source(str(path))
    third = open_source(str(path), files_options={"a.csv": FileOptions(columns={"A": ColumnOverride(type="text")})})
    assert second.execute("SELECT count(*) FROM a").rows == [(2,)]
    assert third.execute("SELECT a FROM a ORDER BY a").rows == [("1",), ("2",)]
    assert first.execute("SELECT count(*) FROM a").rows == [(1,)]
    for source in (first, second, third):
        source.close()


def _open_and_count(path: str, results: multiprocessing.Queue[int]) -> None:
    source = open_source(path)
    results.put(source.execute("SELECT count(*) FROM a").rows[0][0])
    source.close()


def test_two_processes_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("A;B\n" + "1;x\n" * 50_000, encoding="utf-8")
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[int] = context.Queue()
    processes = [context.Process(target=_open_and_count, args=(str(path), results)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == [50_000] * 3
    for process in processes:
        process.join(60)
    kept = sorted(p.suffix for p in (tmp_path / "cache" / "files").iterdir())
    assert kept == [".duckdb", ".json", ".lock"]
    assert json.loads(next((tmp_path / "cache" / "files").glob("*.json")).read_text())["files"][0]["rows"] == 50_000
