"""Limits over sizes and plans: pure functions."""

from __future__ import annotations

from datapilot_kernel.guard.cost import CostLimits, Estimate, from_duckdb, from_mysql, from_postgres, from_sizes, judge


def test_sizes() -> None:
    estimate = from_sizes(("a.x", "a.y", "a.z"), {"a.x": 1000, "a.y": None})
    assert estimate == Estimate(1000.0, 1000.0)


def test_postgres_plan() -> None:
    scan = {"Node Type": "Seq Scan", "Relation Name": "t", "Plan Rows": 5000, "Startup Cost": 0, "Total Cost": 90}
    plan = [{"Plan": {"Node Type": "Nested Loop", "Plan Rows": 25_000_000, "Total Cost": 1e6, "Plans": [scan, dict(scan)]}}]
    estimate = from_postgres(plan)
    assert estimate.produced_rows == 25_000_000
    assert estimate.scanned_rows == 5000 + 5000 * 5000
    assert estimate.cost == 1e6


def test_mariadb_and_mysql_plans() -> None:
    mariadb = {
        "query_block": {
            "nested_loop": [{"table": {"rows": 100, "filtered": 100}}, {"table": {"rows": 1000, "filtered": 50}}]
        }
    }
    assert from_mysql(mariadb) == Estimate(100 + 100 * 1000, 100 * 500, None)
    mysql8 = {"query_block": {"cost_info": {"query_cost": "12.5"}, "table": {"rows_examined_per_scan": 42}}}
    assert from_mysql(mysql8) == Estimate(42.0, 42.0, 12.5)


def test_duckdb_plan() -> None:
    scan = {"name": "SEQ_SCAN ", "extra_info": {"Estimated Cardinality": "7000"}, "children": []}
    plan = [{"name": "CROSS_PRODUCT", "extra_info": {"Estimated Cardinality": "49000000"}, "children": [scan, dict(scan)]}]
    assert from_duckdb(plan) == Estimate(14_000.0, 49_000_000.0, None)


def test_what_is_not_a_plan_counts_as_nothing() -> None:
    for broken in (None, [], {}, "x", [{"Plan": {}}], {"query_block": None}):
        assert from_postgres(broken).scanned_rows == 0
        assert from_mysql(broken).scanned_rows == 0
        assert from_duckdb(broken).scanned_rows == 0


def test_judgement_says_what_to_add() -> None:
    limits = CostLimits(scanned_rows=1_000_000, produced_rows=10_000_000)
    assert judge(Estimate(999_999, 999_999), limits) is None
    reading = judge(Estimate(3_000_000, 3_000_000), limits)
    joining = judge(Estimate(20_000, 400_000_000), limits)
    assert reading is not None
    assert joining is not None
    assert reading.reason == joining.reason == "too_expensive"
    assert "période" in reading.message
    assert "jointure" in joining.message
    assert "3 000 000" not in reading.message  # rounded: an exact figure would tell of rows that are filtered out
    assert judge(Estimate(1e15, 1e15), CostLimits(0, 0)) is None


def test_one_row_of_totals_is_not_taken_for_what_it_sums() -> None:
    """As MariaDB 10.11 tells two sums side by side: each derived table with the rows of what it sums."""
    inside = {"query_block": {"select_id": 2, "nested_loop": [{"table": {"table_name": "commandes", "rows": 59781}}]}}
    derived = {"table_name": "<derived2>", "rows": 59781, "filtered": 100, "materialized": inside}
    other = {"table": {"table_name": "<derived5>", "rows": 59781, "filtered": 100}, "materialized": inside}
    plan = {"query_block": {"select_id": 1, "nested_loop": [{"table": derived}, {"block-nl-join": other}]}}
    assert judge(from_mysql(plan)) is None
    crossed = [{"table": {"table_name": name, "rows": 59781}} for name in ("a", "b")]
    assert judge(from_mysql({"query_block": {"nested_loop": crossed}})) is not None
