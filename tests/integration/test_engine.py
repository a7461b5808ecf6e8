"""The engine as a whole, over real sources: rights in every road, work limits, a schema that changes, Stop, faults."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import psycopg
import pymysql
import pytest
from sqlalchemy.engine import make_url

from datapilot_kernel.engine import Answer, Clarification, Engine, Failure, Refusal
from datapilot_kernel.errors import Cancelled
from datapilot_kernel.nl2sql.conversation import Conversation
from datapilot_kernel.semantic import load_layer
from datapilot_kernel.sources import open_source
from datapilot_kernel.sources.model import CancelToken
from tests.servers import Server

TODAY = date(2026, 6, 17)
LAYER = """
version: 1
name: Essai
status: accepted
entities:
  ventes:
    table: ventes
    label: vente
    gender: f
    key: [id]
    time: jour
    masked: [marge]
    row_filter: "region = {region}"
    dimensions:
      jour: {column: jour, type: date, label: jour de vente}
      ville: {column: ville, label: ville}
      region: {column: region, label: région}
    measures:
      ca: {expression: SUM(montant), label: chiffre d'affaires, synonyms: [CA], format: {kind: currency}}
"""
DDL = [
    "CREATE TABLE ventes (id integer PRIMARY KEY, jour date, ville varchar(40), region varchar(40), montant decimal(12,2), marge decimal(12,2))",
    "INSERT INTO ventes VALUES (1, '2026-05-03', 'Lyon', 'Sud', 100.50, 1), (2, '2026-05-04', 'Secretville', 'Nord', 999, 2), (3, '2026-06-01', 'Lyon', 'Sud', 50, 3)",
]


def run_on(url: str, *statements: str) -> None:
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
        return
    where = make_url(url)
    with (
        pymysql.connect(host=where.host, port=where.port or 3306, user=where.username, password=str(where.password), database=where.database, autocommit=True) as my,
        my.cursor() as cursor,
    ):  # fmt: skip
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture(params=["postgres", "mariadb"])
def database(request: pytest.FixtureRequest) -> str:
    server: Server = request.getfixturevalue(request.param)
    url = server.new_database("eng")
    run_on(url, *DDL)
    return url


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    source = open_source(database)
    yield Engine(source, layer=load_layer(LAYER), attributes={"region": "Sud"}, fixed_today=TODAY)
    source.close()


def test_rights_hold_on_every_road(engine: Engine) -> None:
    asked = engine.ask("chiffre d'affaires par ville")
    assert isinstance(asked, Answer)
    assert [tuple(map(str, row)) for row in asked.table.rows] == [("Lyon", "150.50")]
    assert asked.plan is not None
    again = engine.run_plan(asked.plan)
    assert isinstance(again, Answer)
    assert again.table.rows == asked.table.rows
    by_hand = engine.run_sql("SELECT ville FROM ventes WHERE region = 'Nord' OR 1 = 1")
    assert isinstance(by_hand, Answer)
    assert {row[0] for row in by_hand.table.rows} == {"Lyon"}
    assert isinstance(engine.run_sql("SELECT SUM(marge) FROM ventes"), Refusal)


def test_a_value_of_another_region_is_neither_found_nor_suggested(engine: Engine) -> None:
    outcome = engine.ask("chiffre d'affaires de Secretvile")
    assert not isinstance(outcome, Answer)
    assert "Secretville" not in outcome.message
    if isinstance(outcome, Clarification):
        assert not any("Secretville" in choice.label for choice in outcome.choices)


def test_a_missing_attribute_shows_nothing(database: str) -> None:
    source = open_source(database)
    outcome = Engine(source, layer=load_layer(LAYER), fixed_today=TODAY).ask("chiffre d'affaires par ville")
    source.close()
    assert not isinstance(outcome, Answer)


def test_follow_ups_continue_the_conversation(engine: Engine) -> None:
    conversation = Conversation()
    engine.ask("chiffre d'affaires de mai 2026", conversation=conversation)
    outcome = engine.ask("et par ville ?", conversation=conversation)
    assert isinstance(outcome, Answer)
    assert [str(row[-1]) for row in outcome.table.rows] == ["100.50"]


def test_a_changed_schema_is_noticed(engine: Engine, database: str) -> None:
    before = engine.run_sql("SELECT ville FROM ventes")
    assert isinstance(before, Answer)
    run_on(database, "ALTER TABLE ventes DROP COLUMN ville")
    gone = engine.run_sql("SELECT ville FROM ventes")
    assert isinstance(gone, Refusal | Failure)
    assert isinstance(engine.run_sql("SELECT jour FROM ventes"), Answer), "the catalog was read again"


def test_work_that_would_take_the_server_down_is_refused(database: str, engine: Engine) -> None:
    digits = "(SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
    crossed = " CROSS JOIN ".join(f"{digits} AS d{i}" for i in range(5))
    number = " + ".join(f"{10**i} * d{i}.n" for i in range(5))
    run_on(
        database,
        "CREATE TABLE gros (id integer PRIMARY KEY, v integer)",
        f"INSERT INTO gros SELECT {number}, {number} FROM {crossed}",
        "ANALYZE gros" if database.startswith("postgresql") else "ANALYZE TABLE gros",
    )
    engine.refresh()
    started = time.monotonic()
    outcome = engine.run_sql("SELECT COUNT(*) FROM gros a JOIN gros b ON a.v < b.v")
    assert isinstance(outcome, Refusal), outcome.message
    assert outcome.reason == "too_expensive"
    assert time.monotonic() - started < 30
    assert isinstance(engine.run_sql("SELECT COUNT(*) FROM gros a JOIN gros b ON a.id = b.id"), Answer)


def test_stop_ends_the_question_and_the_query(engine: Engine) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        engine.ask("chiffre d'affaires par ville", cancel=token)


def test_a_source_that_is_gone_is_a_failure_and_says_so(postgres: Server) -> None:
    url = postgres.new_database("gone")
    source = open_source(url.replace(f":{postgres.port}/", ":1/"))
    outcome = Engine(source, layer=load_layer(LAYER), fixed_today=TODAY).ask("chiffre d'affaires")
    source.close()
    assert isinstance(outcome, Failure)
    assert outcome.incident is None
    assert "secret" not in outcome.message


def test_a_fault_of_ours_has_an_incident_and_a_log_line_without_values(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name = "".join(["Dur", "and"])

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("value " + name)

    monkeypatch.setattr(engine.guard, "check", broken)
    with caplog.at_level(logging.ERROR):
        outcome = engine.run_sql("SELECT 1 AS un")
    assert isinstance(outcome, Failure)
    assert outcome.incident
    assert outcome.incident in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert name not in caplog.text + outcome.message


def test_many_questions_side_by_side(engine: Engine) -> None:
    engine.prepare()
    outcomes: list[object] = []
    ask: Callable[[], None] = lambda: outcomes.append(engine.ask("chiffre d'affaires par ville"))  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(outcomes) == 12
    assert all(isinstance(o, Answer) and len(o.table.rows) == 1 for o in outcomes)


def test_files_have_the_same_rights(tmp_path: Path) -> None:
    (tmp_path / "ventes.csv").write_text(
        "id;jour;ville;region;montant;marge\n1;03/05/2026;Lyon;Sud;100,50;1\n2;04/05/2026;Lille;Nord;999,00;2\n",
        encoding="utf-8",
    )
    source = open_source(str(tmp_path))
    engine = Engine(source, layer=load_layer(LAYER), attributes={"region": "Sud"}, fixed_today=TODAY)
    outcome = engine.ask("CA par ville")
    source.close()
    assert isinstance(outcome, Answer)
    assert [row[0] for row in outcome.table.rows] == ["Lyon"]
