"""How much work a statement asks for, as far as its text tells: estimates, ties, recursions, the parser's own time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlglot import exp

from datapilot_kernel.guard import Guard, Policy
from datapilot_kernel.guard.amounts import COLUMN, TEXT_COLUMN, Amounts
from datapilot_kernel.guard.dialects import DialectName
from datapilot_kernel.guard.tree import parse

WORLD = Path(__file__).resolve().parents[1] / "corpora" / "guard" / "world"
DIALECTS: tuple[DialectName, ...] = ("postgres", "mysql", "duckdb")


def guard(dialect: DialectName) -> Guard:
    return Guard(Policy.model_validate_json((WORLD / f"policy.{dialect}.json").read_text(encoding="utf-8")), dialect)


def item(sql: str, dialect: str = "postgres") -> exp.Expr:
    found = parse(f"SELECT {sql}", dialect).expressions[0]
    assert isinstance(found, exp.Expr)
    return found


@pytest.mark.parametrize(
    ("sql", "number"),
    [
        ("12", 12.0),
        ("-(3 + 4)", 7.0),
        ("least(n, 50)", 50.0),
        ("mod(1999999999, 1000000000)", 1e9),
        ("1 << 30", 2.0**30),
        ("n * 100", 100 * COLUMN),
        ("count(*) * 50 / max(n)", 50.0),
        ("length(repeat('x', 700))", 700.0),
        ("CASE WHEN n > 1 THEN 5 ELSE 9 END", 9.0),
    ],
)
def test_numbers(sql: str, number: float) -> None:
    assert Amounts({}).number(item(sql)) == number


@pytest.mark.parametrize(
    ("sql", "size"),
    [
        ("'abc'", 3.0),
        ("nom || 'abc'", TEXT_COLUMN + 3),
        ("repeat('ab', 50)", 100.0),
        ("replace(repeat('a', 100), 'a', 'xyz')", 300.0),
        ("replace(repeat('a', 100), 'a', '')", 100.0),
        ("replace(replace('x', 'x', 'yyyyy'), 'y', 'zzzz')", 20.0),
        ("lpad(nom, 30)", 30.0),
    ],
)
def test_sizes(sql: str, size: float) -> None:
    assert Amounts({}).size(item(sql)) == size


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("generate_series(1, 10)", 10.0),
        ("generate_series(date '2024-01-01', date '2024-01-31', interval '1 day')", 31.0),
        ("generate_series('2024-01-01'::timestamp, '2024-01-02'::timestamp, '1 hour')", 25.0),
        ("generate_series('-infinity'::timestamp, 'infinity'::timestamp, '1 day'::interval)", 1e18),
        ("generate_series(1, 10, 0)", 1e18),
        ("generate_series(1, n)", None),
    ],
)
def test_series(sql: str, rows: float | None) -> None:
    node = item(sql)
    assert isinstance(node, exp.Anonymous)
    assert Amounts({}).series_rows(node) == (rows if rows is None else pytest.approx(rows))


@pytest.mark.parametrize(
    "condition",
    [
        "b.tenant_id = a.tenant_id",
        "a.id - a.id = b.id - b.id",
        "a.id * 0 = b.id * 0",
        "1 IN (a.id, b.id, 1)",
        "a.id < b.id",
        "a.id = a.id",
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_no_tie(dialect: DialectName, condition: str) -> None:
    """Three tables untied are too many; two of the three conditions tie, one does not."""
    sql = (
        f"SELECT COUNT(*) FROM commandes a JOIN commandes b ON {condition} JOIN clients c ON {condition.replace('b.', 'c.')}"
    )
    verdict = guard(dialect).check(sql)
    assert not verdict.ok
    assert verdict.reason == "too_many_joins"


@pytest.mark.parametrize(
    "condition",
    [
        "b.id = a.id",
        "COALESCE(a.id, 0) = COALESCE(b.id, 0)",
        "a.id + 1 = b.id",
        "b.tenant_id = a.tenant_id AND a.client_id = b.client_id",
        "a.id * 100 + a.client_id = b.id",
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_a_tie(dialect: DialectName, condition: str) -> None:
    chained = condition.replace("a.", "b2.").replace("b.", "c.").replace("b2.", "b.")
    assert (
        guard(dialect)
        .check(f"SELECT COUNT(*) FROM commandes a JOIN commandes b ON {condition} JOIN commandes c ON {chained}")
        .ok
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_walk_with_depth_is_allowed_and_a_fan_out_is_not(dialect: DialectName) -> None:
    walk = (
        "WITH RECURSIVE r(id, n) AS (SELECT id, 1 FROM commandes UNION ALL "
        "SELECT c.{out}, r.n + 1 FROM r JOIN commandes c ON c.client_id = r.id WHERE r.n < 10) SELECT COUNT(*) FROM r"
    )
    assert guard(dialect).check(walk.format(out="id")).ok
    assert not guard(dialect).check(walk.format(out="client_id")).ok


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nom" + "[1]" * 3000 + " FROM clients",
        "SELECT 'a'" + ".upper()" * 3000,
        "SELECT id" + "::int" * 3000 + " FROM clients",
        "SELECT id" + "->1" * 3000 + " FROM clients",
        "SELECT nom" + " COLLATE x" * 3000 + " FROM clients",
        "SELECT 1 FROM clients" + " JOIN clients" * 30,
        "SELECT 1 FROM clients" + " LEFT JOIN clients" * 30,
        "SELECT 1 FROM clients" + " STRAIGHT_JOIN clients" * 30,
        "SELECT " + "+".join(["1"] * 5900),
        "SELECT 1 FROM clients WHERE " + " AND ".join(["id=1"] * 2900),
        "WITH a AS (SELECT 1 AS x)"
        + "".join(
            f", a{i} AS (SELECT x FROM {f'a{i - 1}' if i else 'a'} UNION ALL SELECT x FROM {f'a{i - 1}' if i else 'a'})"
            for i in range(30)
        )
        + " SELECT x FROM a29",
    ],
    ids=range(11),
)
def test_the_parser_is_not_held_up(dialect: DialectName, sql: str) -> None:
    start = time.thread_time()  # of the processor: however busy the machine is with other things
    assert not guard(dialect).check(sql).ok
    assert time.thread_time() - start < 2
