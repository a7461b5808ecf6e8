"""What the guard writes for a string is the string, on each server and under the settings that change how one is read."""

from __future__ import annotations

import random
from typing import Any

import pytest

from datapilot_kernel.guard import Accepted, Guard, Policy

_PIECES = [
    "'",
    '"',
    "\\",
    "\\'",
    "''",
    "\n",
    "\r",
    "\t",
    "%",
    "_",
    "$$",
    "$a$",
    "--",
    "/*",
    "*/",
    ";",
    "é",
    "🙂",
    "a",
    "{#",
    "\x1a",
    "\b",
    "`",
    "x",
    "U&'",
]


def _strings(count: int) -> list[str]:
    chance = random.Random(3)
    return ["".join(chance.choice(_PIECES) for _ in range(chance.randint(0, 9))) for _ in range(count)]


def _sources(dialect: str, value: str) -> list[str]:
    doubled = value.replace("'", "''")
    if dialect == "mysql":
        escaped = value.replace("\\", "\\\\")
        return [
            "'" + escaped.replace("'", "''") + "'",
            '"' + escaped.replace('"', '""') + '"',
            "'" + escaped.replace("'", "\\'") + "'",
        ]
    forms = [f"'{doubled}'", "E'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"]
    if "$" not in value:
        forms.append(f"$q${value}$q$")
    return forms


def _check(dialect: Any, run: Any) -> None:
    guard = Guard(Policy(default_schema="x", tables={}), dialect)
    for value in _strings(250):
        for source in _sources(dialect, value):
            verdict = guard.check(f"SELECT {source} AS v")
            assert isinstance(verdict, Accepted), (source, verdict)
            assert run(verdict.sql) == value, (source, verdict.sql)


@pytest.mark.parametrize("conforming", ["on", "off"])
def test_postgres(postgres: Any, conforming: str) -> None:
    import psycopg

    with psycopg.connect(f"{postgres.url}/postgres", autocommit=True) as connection:
        connection.execute(f"SET standard_conforming_strings = {conforming}")
        connection.execute("SET escape_string_warning = off")
        _check("postgres", lambda sql: connection.execute(sql.encode()).fetchone()[0])


def test_mariadb(mariadb: Any) -> None:
    import pymysql

    connection = pymysql.connect(host="127.0.0.1", port=mariadb.port, user="root", password="secret", charset="utf8mb4")
    with connection, connection.cursor() as cursor:

        def run(sql: str) -> Any:
            cursor.execute(sql)
            return cursor.fetchone()[0]

        _check("mysql", run)


def test_mariadb_without_backslash_escapes_is_never_broken_out_of(mariadb: Any) -> None:
    """The value may differ under a sql_mode that sources never sets, the statement's shape may not."""
    import pymysql

    connection = pymysql.connect(host="127.0.0.1", port=mariadb.port, user="root", password="secret", charset="utf8mb4")
    guard = Guard(Policy(default_schema="x", tables={}), "mysql")
    with connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = 'NO_BACKSLASH_ESCAPES'")
        for value in _strings(250):
            verdict = guard.check(f"SELECT {_sources('mysql', value)[0]} AS v, 1 AS un")
            assert isinstance(verdict, Accepted)
            cursor.execute(verdict.sql)
            assert cursor.fetchone()[1] == 1


def test_duckdb() -> None:
    import duckdb

    with duckdb.connect(":memory:") as connection:
        _check("duckdb", lambda sql: connection.execute(sql).fetchone()[0])
