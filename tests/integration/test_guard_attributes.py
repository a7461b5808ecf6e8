"""A person's attributes on the real servers: what a row filter binds fits the rows it names and no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from datapilot_kernel.guard import Accepted, Guard, Policy
from tests.guard_world import Place

TENANTS = ("t1", "T1", "t1 ", "ｔ1", "té", "te", "x%", "x_", "xy", "5", "05", "0", "abc", "a\\b", "o'x")
TYPES = {"tenant": "varchar(20)", "n": "bigint"}


@pytest.fixture(scope="module", params=["postgres", "mysql", "latin1", "duckdb"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    kind = request.param
    connection: Any
    if kind == "duckdb":
        import duckdb

        connection = duckdb.connect(":memory:")
    elif kind == "postgres":
        import psycopg

        connection = psycopg.connect(request.getfixturevalue("postgres").new_database("attributes"), autocommit=True)
    else:
        import pymysql

        server = request.getfixturevalue("mariadb")
        name = server.new_database("attributes").rpartition("/")[2]
        connection = pymysql.connect(
            host="127.0.0.1",
            port=server.port,
            user="root",
            password="secret",
            database=name,
            charset="utf8mb4",
            autocommit=True,
        )
    place = Place("mysql" if kind == "latin1" else kind, connection)
    tail = " CHARACTER SET latin1" if kind == "latin1" else " CHARACTER SET utf8mb4" if kind == "mysql" else ""
    execute = connection.cursor().execute if place.dialect == "mysql" else connection.execute
    execute(f"CREATE TABLE lignes (tenant varchar(20), n bigint){tail}")
    execute("CREATE INDEX i_tenant ON lignes (tenant)")
    for at, tenant in enumerate(TENANTS):
        if kind == "latin1" and tenant == "ｔ1":
            continue
        text = tenant.replace("'", "''")
        text = text.replace("\\", "\\\\") if place.dialect == "mysql" else text
        execute(f"INSERT INTO lignes VALUES ('{text}', {at})")
    yield place
    connection.close()


def _seen(place: Place, row_filter: str, value: object, *, types: bool) -> list[str]:
    schema = {"postgres": "public", "duckdb": "main"}.get(place.dialect) or place.connection.db.decode()
    table = {"columns": ["tenant", "n"], "row_filter": row_filter, "types": TYPES if types else {}}
    policy = Policy.model_validate(
        {"version": 1, "default_schema": schema, "attributes": {"a": value}, "tables": {"lignes": table}}
    )
    verdict = Guard(policy, place.dialect).check("SELECT tenant FROM lignes ORDER BY n")  # type: ignore[arg-type]
    assert isinstance(verdict, Accepted), verdict
    return [row[0] for row in place.run(verdict.sql)]


@pytest.mark.parametrize("types", [True, False])
@pytest.mark.parametrize("row_filter", ["tenant = {a}", "{a} = tenant", "tenant IN ({a})", "tenant LIKE {a}"])
@pytest.mark.parametrize("value", ["t1", "té", "te", "x%", "x_", "5", "0", "a\\b", "o'x"])
def test_a_text_attribute_fits_itself_only(place: Place, row_filter: str, value: str, types: bool) -> None:
    assert _seen(place, row_filter, value, types=types) == [value]


@pytest.mark.parametrize("types", [True, False])
@pytest.mark.parametrize("row_filter", ["tenant = {a}", "tenant IN ({a})"])
@pytest.mark.parametrize(("value", "wanted"), [(0, ["0"]), (5, ["5"]), (False, []), (True, []), (5.0, ["5"])])
def test_a_number_is_no_text(place: Place, row_filter: str, value: object, wanted: list[str], types: bool) -> None:
    seen = _seen(place, row_filter, value, types=types)
    assert seen in (wanted, ["0"] if value is False and not types else wanted)


@pytest.mark.parametrize("types", [True, False])
@pytest.mark.parametrize(("value", "wanted"), [(1, ["T1"]), ("1", ["T1"]), (-1, [])])
def test_a_number_column(place: Place, value: object, wanted: list[str], types: bool) -> None:
    assert _seen(place, "n = {a}", value, types=types) == wanted
    assert _seen(place, "n IN ({a}, 99)", value, types=types) == wanted


def test_lists(place: Place) -> None:
    assert _seen(place, "tenant IN ({a})", ["t1", "x%"], types=True) == ["t1", "x%"]
    assert _seen(place, "n IN ({a})", ["0", "1"], types=True) == ["t1", "T1"]
    assert _seen(place, "tenant IN ({a})", [], types=True) == []


def test_mysql_a_word_is_not_zero(place: Place) -> None:
    if place.dialect == "mysql":  # the others fail
        assert _seen(place, "n = {a}", "abc", types=False) == []
        assert _seen(place, "n IN ({a})", ["abc", "1"], types=False) == ["T1"]


def test_mysql_the_index_still_serves(place: Place) -> None:
    if place.dialect != "mysql":
        return
    policy = Policy.model_validate(
        {
            "version": 1, "default_schema": place.connection.db.decode(), "attributes": {"a": "t1"},
            "tables": {"lignes": {"columns": ["n"], "row_filter": "tenant = {a}"}},
        }
    )  # fmt: skip
    verdict = Guard(policy, "mysql").check("SELECT COUNT(*) FROM lignes")
    assert isinstance(verdict, Accepted)
    place.run("ANALYZE TABLE lignes")
    assert "i_tenant" in str(place.run("EXPLAIN " + verdict.sql))
