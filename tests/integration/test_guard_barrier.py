"""The subquery that stands for a filtered table is opaque: no error of another tenant's row, at planning or at execution.

The tables are large enough and analysed, so that the planners have statistics to try constants on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from datapilot_kernel.guard import Accepted, Guard, Policy
from tests.guard_world import Failed, Place

ROWS = 20_000


def _policy(schema: str, row_filter: str) -> Policy:
    table = {"columns": ["id", "nom", "valeur"], "masked": [], "row_filter": row_filter}
    return Policy.model_validate(
        {"version": 1, "default_schema": schema, "attributes": {"tenant": "t1"}, "tables": {"grande": table}}
    )


@pytest.fixture(scope="module")
def postgres_place(postgres: Any) -> Iterator[Place]:
    import psycopg

    connection = psycopg.connect(postgres.new_database("barrier"), autocommit=True)
    connection.execute(
        "CREATE TABLE grande AS SELECT i AS id, CASE WHEN i % 2 = 0 THEN 't1' ELSE 't2' END AS tenant_id,"
        " CASE WHEN i % 2 = 0 THEN 'T1-x' ELSE 'T2-Abc' END AS nom, CASE WHEN i % 2 = 0 THEN 1 ELSE 2000000 END AS valeur"
        f" FROM generate_series(1, {ROWS}) i"
    )
    connection.execute("CREATE INDEX ON grande (nom)")
    connection.execute("ANALYZE grande")
    yield Place("postgres", connection)
    connection.close()


@pytest.mark.parametrize(
    "condition",
    [
        r"nom LIKE 'T2-\'",
        r"nom ILIKE 't2-\'",
        r"nom NOT ILIKE 't2-\'",
        "nom ILIKE 't2-' || chr(92)",
        "nom ILIKE CASE WHEN true THEN 't2-' || chr(92) ELSE nom END",
        "nom ILIKE COALESCE('t2-' || chr(92), nom)",
        "nom ILIKE 't2-|' ESCAPE '|'",
        r"nom LIKE ANY (ARRAY['T2-\'])",
        r"NOT nom LIKE ALL (ARRAY['T2-\', 'x'])",
        r"nom ILIKE ANY (ARRAY['t2-' || chr(92)])",
        r"""nom LIKE ANY ('{"T2-\\"}')""",
        r"""nom LIKE ANY ('{"T2-\\"}'::text[])""",
        r"nom LIKE ANY (string_to_array('T2-\', ','))",
        r"nom LIKE SOME (ARRAY['a'] || 'T2-\'::text)",
        r"nom LIKE ANY (ARRAY[CASE WHEN true THEN 'T2-\' END])",
        r"nom !~~ ALL (ARRAY['T2-\'])",
        "nom SIMILAR TO '%' || CASE WHEN true THEN 'x' END",
        "nom = ALL (ARRAY['T2-Abc', 'x'])",
        "(CASE WHEN valeur > 5 THEN nom ELSE '1' END)::int = 1",
        "1 / (valeur - 2000000) < 5",
        "valeur * 2000 > 0",
    ],
)
def test_postgres_conditions_tell_nothing(postgres_place: Place, condition: str) -> None:
    guard = Guard(_policy("public", "tenant_id = {tenant}"), "postgres")
    verdict = guard.check(f"SELECT COUNT(*) FROM grande WHERE {condition}")
    assert isinstance(verdict, Accepted), verdict
    postgres_place.run(verdict.sql)


def test_postgres_needs_more_than_offset_0(postgres_place: Place) -> None:
    """The planner tries a constant pattern on the column's common values: this is why ``pattern`` wraps it."""
    with pytest.raises(Failed, match="must not end with escape"):
        postgres_place.run(
            r"SELECT COUNT(*) FROM (SELECT nom FROM grande WHERE tenant_id = 't1' OFFSET 0) c WHERE nom ILIKE E't2-\\'"
        )


@pytest.fixture(scope="module")
def mariadb_place(mariadb: Any) -> Iterator[Place]:
    import pymysql

    name = mariadb.new_database("barrier").rpartition("/")[2]
    connection = pymysql.connect(
        host="127.0.0.1", port=mariadb.port, user="root", password="secret", database=name, autocommit=True
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE grande AS SELECT seq AS id, IF(seq % 2 = 0, 't1', 't2') AS tenant_id, IF(seq % 2 = 0, 'T1-x', 'T2-Abc') AS nom,"
            f" IF(seq % 2 = 0, 1, 2000) AS valeur FROM seq_1_to_{ROWS}"
        )
        cursor.execute("CREATE INDEX i ON grande (valeur)")
        cursor.execute("ANALYZE TABLE grande PERSISTENT FOR ALL")
        cursor.fetchall()
    yield Place("mysql", connection)
    connection.close()


@pytest.mark.parametrize(
    "condition",
    [
        "EXP(valeur) > 0",
        "valeur + 18446744073709550613 > 0",
        "POW(10, valeur) > 0",
        "IF(valeur > 5, (SELECT 1 UNION SELECT 2), 1) = 1",
        "JSON_EXTRACT('{}', IF(valeur > 5, nom, '$.a')) IS NULL",
        "'x' REGEXP IF(valeur > 5, '(', 'x')",
        "valeur > 5 AND EXP(valeur) > 0",
    ],
)
def test_mariadb_conditions_tell_nothing(mariadb_place: Place, condition: str) -> None:
    schema = mariadb_place.connection.db.decode()
    guard = Guard(_policy(schema, "tenant_id = {tenant}"), "mysql")
    verdict = guard.check(f"SELECT COUNT(*) FROM grande WHERE {condition}")
    assert isinstance(verdict, Accepted), verdict
    mariadb_place.run(verdict.sql)


@pytest.fixture(scope="module")
def duckdb_place() -> Iterator[Place]:
    import duckdb

    connection = duckdb.connect(":memory:")
    connection.execute(
        "CREATE TABLE grande AS SELECT i AS id, CASE WHEN i % 2 = 0 THEN 't1' ELSE 't2' END AS tenant_id,"
        " CASE WHEN i % 2 = 0 THEN 'T1-x' ELSE 'T2-Abc' END AS nom, CASE WHEN i % 2 = 0 THEN 1 ELSE 2000000 END AS valeur"
        " FROM range(300000) t(i)"
    )
    yield Place("duckdb", connection)
    connection.close()


@pytest.mark.parametrize(
    "row_filter", ["tenant_id = {tenant}", "lower(tenant_id) = {tenant}", "tenant_id IN ({tenant}, 'tx') AND id % 2 = 0"]
)
@pytest.mark.parametrize(
    "condition",
    [
        "CAST(CASE WHEN valeur > 5 THEN nom ELSE '1' END AS INTEGER) = 1",
        "valeur > 5 AND CAST(nom AS INTEGER) = 1",
        "CAST(valeur * 2000 AS INTEGER) > 0",
        "strptime(CASE WHEN valeur > 5 THEN nom ELSE '2024' END, '%Y') IS NOT NULL",
        "regexp_matches('x', CASE WHEN valeur > 5 THEN '(' ELSE 'x' END)",
        "CAST(nom[3:] AS VARCHAR) <> '' AND CAST(replace(nom, 'T1-x', '1') AS INTEGER) = 1",
    ],
)
def test_duckdb_conditions_tell_nothing(duckdb_place: Place, row_filter: str, condition: str) -> None:
    guard = Guard(_policy("main", row_filter), "duckdb")
    for sql in (
        f"SELECT COUNT(*) FROM grande WHERE {condition}",
        f"SELECT id FROM grande WHERE {condition} ORDER BY id DESC LIMIT 3",
        f"SELECT COUNT(*) FROM grande a JOIN grande b ON a.id = b.id WHERE {condition.replace('valeur', 'a.valeur').replace('nom', 'a.nom')}",
    ):
        verdict = guard.check(sql)
        assert isinstance(verdict, Accepted), verdict
        duckdb_place.run(verdict.sql)
