"""Every error that a driver can raise has a sentence of ours, and none of the engine's own words."""

from __future__ import annotations

import inspect
from zoneinfo import ZoneInfoNotFoundError

import duckdb
import psycopg
import pymysql
import pytest
from pymysql import err

from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.messages import has_text
from datapilot_kernel.sources import files_worker, open_source, problems, redact
from datapilot_kernel.sources.location import DatabaseLocation, parse_location


def _subclasses(kind: type) -> set[type]:
    found = {kind}
    for child in kind.__subclasses__():
        found |= _subclasses(child)
    return found


def test_every_key_has_a_sentence() -> None:
    keys = {
        *problems.POSTGRES_STATES.values(),
        *problems.POSTGRES_CLASSES.values(),
        *problems.MYSQL_CODES.values(),
        *problems.MYSQL_CLASSES.values(),
        *problems.DUCKDB_CLASSES.values(),
        *(key for key, _ in problems._POSTGRES_CONNECT),
        problems.FALLBACK,
    }
    assert [key for key in sorted(keys) if not has_text(f"sources.{key}")] == []


def test_every_sqlstate_that_psycopg_knows_is_mapped() -> None:
    states = {cls.sqlstate for cls in _subclasses(psycopg.Error) if cls.__dict__.get("sqlstate")}
    assert len(states) > 200
    unmapped = {s for s in states if s not in problems.POSTGRES_STATES and s[:2] not in problems.POSTGRES_CLASSES}
    # 00 and 01 are success and warnings: never raised.
    assert {s for s in unmapped if s[:2] not in {"00", "01"}} == set()


def test_every_error_class_of_pymysql_is_mapped() -> None:
    names = {cls.__name__ for cls in _subclasses(err.MySQLError)}
    assert len(names) >= 10
    assert names - problems.MYSQL_CLASSES.keys() == set()


def test_every_error_class_of_duckdb_is_mapped() -> None:
    names = {name for name, cls in inspect.getmembers(duckdb, inspect.isclass) if issubclass(cls, duckdb.Error)}
    assert len(names) > 30
    assert names - problems.DUCKDB_CLASSES.keys() == set()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            pymysql.err.OperationalError(1045, "Access denied for user 'lea'@'10.0.0.7' (using password: YES)"),
            "wrong_password",
        ),
        (pymysql.err.DataError(1690, "BIGINT value is out of range in '(4242 + `s`.`salaire`)'"), "out_of_range"),
        (pymysql.err.OperationalError(9999, "Salaire de Lumière : 4242"), "server_refused"),
        (psycopg.errors.InvalidTextRepresentation('invalid input syntax for type integer: "Salaire 4242"'), "bad_value"),
        (psycopg.errors.DivisionByZero("division by zero"), "division_by_zero"),
        (psycopg.OperationalError("connection failed: FATAL: la base de données « x » n'existe pas"), "database_missing"),
        (psycopg.OperationalError('FATAL: authentification par mot de passe échouée pour "lea"'), "wrong_password"),
    ],
)
def test_no_word_of_the_engine_is_kept(error: Exception, reason: str) -> None:
    problem = problems.translate("mysql" if isinstance(error, err.MySQLError) else "postgres", error, "SELECT 4242")
    assert problem.reason == reason
    everything = (
        f"{problem} {problem!r} {problem.log} {problem.args} {problem.values} {problem.__cause__} {problem.__context__}"
    )
    for word in ("4242", "lea", "10.0.0.7", "Lumière", "Salaire"):
        assert word not in everything


@pytest.mark.parametrize(
    ("sql", "named"), [("SELECT 1 FROM public.clients", True), ("SELECT 1 FROM autre", False), ("SELECT clients_2", False)]
)
def test_a_denied_table_is_named_only_when_the_statement_names_it(sql: str, named: bool) -> None:
    error = pymysql.err.OperationalError(1142, "SELECT command denied to user 'u'@'h' for table `b`.`clients`")
    assert ("clients" in str(problems.translate("mysql", error, sql))) is named


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("postgresql://lea:p%40ss@h:5432/ventes?sslmode=require", "postgresql://***@h:5432/ventes"),
        ("mysql://lea:un/mot?de#passe@h/ventes", "mysql://***@h/ventes"),
        ("mysql://lea:a@b@h/ventes", "mysql://***@h/ventes"),
        ("postgresql://h/ventes?password=secret", "postgresql://h/ventes"),
        ("/data/ventes.csv", "/data/ventes.csv"),
    ],
)
def test_redact(location: str, shown: str) -> None:
    assert redact(location) == shown


def test_a_location_keeps_its_secrets_out_of_its_repr() -> None:
    where = parse_location("postgresql://lea:p%40ss@h/ventes")
    assert isinstance(where, DatabaseLocation)
    assert where.password == "p@ss"
    assert "p@ss" not in repr(where)
    assert "lea" not in repr(where)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("  ", "location_empty"),
        ("oracle://h/x", "location_scheme"),
        ("postgresql://h", "location_no_database"),
        ("postgresql:///x", "location_no_database"),
        ("mysql://h:port/x", "location_unreadable"),
        ("mysql://h/x?local_infile=1", "location_option"),
        ("postgresql://h/x?options=-c%20statement_timeout%3D0", "location_option"),
        ("mysql://h/x?init_command=DROP", "location_option"),
    ],
)
def test_locations_that_say_nothing(location: str, reason: str) -> None:
    with pytest.raises(SourceProblem) as caught:
        parse_location(location)
    assert caught.value.reason == reason


def test_the_worker_knows_every_type_of_duckdb() -> None:
    with duckdb.connect() as connection:
        names = {n for (n,) in connection.execute("SELECT DISTINCT logical_type FROM duckdb_types()").fetchall()}
    unknown = {name for name in names if files_worker.kind_of(name) == "other"}
    assert unknown <= {
        "GEOMETRY",
        "POINTER",
        "TYPE",
        "LAMBDA",
        "TABLE",
        "VARIANT",
        "AGGREGATE_STATE",
        "ANY",
        "UNKNOWN",
        "INVALID",
        "LIST",
        "ARRAY",
        "TUPLE",
    }


@pytest.mark.parametrize("zone", ["UTC'; DROP TABLE clients; --", "Europe/Nulle_Part", "../etc/passwd"])
def test_a_time_zone_is_one_that_exists(zone: str) -> None:
    with pytest.raises((ValueError, ZoneInfoNotFoundError)):
        open_source("postgresql://h/x", time_zone=zone)
