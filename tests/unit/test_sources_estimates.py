"""Plans of engines read for what a statement costs. The one of MySQL 8 is written after its manual: it cannot be run here."""

from __future__ import annotations

from typing import Any

import pytest

from datapilot_kernel.sources.estimates import duckdb_estimate, mysql_estimate, postgres_estimate


def _scan(rows: int) -> dict[str, Any]:
    return {"Node Type": "Seq Scan", "Plan Rows": rows, "Total Cost": float(rows)}


def test_postgres_counts_the_inner_side_once_per_outer_row() -> None:
    inner = {"Node Type": "Materialize", "Plan Rows": 2_000, "Total Cost": 1.0, "Plans": [_scan(2_000)]}
    loop = {"Node Type": "Nested Loop", "Plan Rows": 10, "Total Cost": 9.0, "Plans": [_scan(1_000), inner]}
    top = {"Node Type": "Aggregate", "Plan Rows": 1, "Total Cost": 10.5, "Plans": [loop]}
    estimate = postgres_estimate([{"Plan": top}])
    assert (estimate.rows, estimate.work_rows, estimate.cost) == (1, 2_000_000, 10.5)


@pytest.mark.parametrize(
    ("plan", "work", "cost"),
    [
        (
            {
                "query_block": {
                    "select_id": 1,
                    "cost_info": {"query_cost": "250.75"},
                    "ordering_operation": {
                        "nested_loop": [
                            {"table": {"table_name": "a", "rows_examined_per_scan": 300}},
                            {"table": {"table_name": "b", "rows_examined_per_scan": 40, "filtered": "10.00"}},
                        ]
                    },
                }
            },
            12_000,
            250.75,
        ),
        (
            {
                "query_block": {
                    "nested_loop": [
                        {"table": {"table_name": "a", "rows": 300}},
                        {"block-nl-join": {"table": {"table_name": "b", "rows": 500}, "buffer_type": "flat"}},
                    ]
                }
            },
            150_000,
            None,
        ),
        ({"query_block": {"table": {"table_name": "a", "rows": 7}}}, 7, None),
    ],
)
def test_mysql_multiplies_along_the_loop(plan: dict[str, Any], work: int, cost: float | None) -> None:
    estimate = mysql_estimate(plan)
    assert (estimate.work_rows, estimate.cost, estimate.rows) == (work, cost, None)


def test_duckdb_multiplies_a_cross_product() -> None:
    def node(name: str, rows: int, *children: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "extra_info": {"Estimated Cardinality": str(rows)}, "children": list(children)}

    cross = {"name": "CROSS_PRODUCT", "extra_info": {}, "children": [node("SEQ_SCAN", 1_000), node("SEQ_SCAN", 500)]}
    estimate = duckdb_estimate([node("PROJECTION", 1, cross)])
    assert (estimate.rows, estimate.work_rows, estimate.cost) == (1, 500_000, None)
