"""Engines' plans read for what the guard's work limits need: result rows, work rows, cost."""

from __future__ import annotations

from typing import Any

from datapilot_kernel.sources.model import Estimate


def postgres_estimate(plan: Any) -> Estimate:
    """Read ``EXPLAIN (FORMAT JSON)``."""
    top = plan[0]["Plan"]
    return Estimate(int(top["Plan Rows"]), _postgres_work(top, 1), float(top["Total Cost"]), plan)


def _postgres_work(node: dict[str, Any], loops: float) -> int:
    """Return the most rows any node handles, the inner side of a nested loop counted once per outer row."""
    most = node["Plan Rows"] * loops
    children = node.get("Plans", [])
    if node["Node Type"] == "Nested Loop" and len(children) == 2:
        outer, inner = children
        most = max(most, _postgres_work(outer, loops))
        # A materialised inner side is computed once, and yet read once per outer row: that is the work.
        return int(max(most, _postgres_work(inner, loops * max(1, outer["Plan Rows"]))))
    return int(max([most, *(_postgres_work(child, loops) for child in children)]))


def mysql_estimate(plan: Any) -> Estimate:
    """Read MySQL's or MariaDB's ``EXPLAIN FORMAT=JSON``: rows multiplied along each nested loop."""
    costs = [found for key in ("query_cost", "cost") if (found := _first(plan, key)) is not None]
    return Estimate(None, int(_mysql_work(plan)), float(costs[0]) if costs else None, plan)


def _mysql_work(node: Any) -> float:
    if isinstance(node, list):
        return max((_mysql_work(child) for child in node), default=0.0)
    if not isinstance(node, dict):
        return 0.0
    most = 0.0
    for key, child in node.items():
        if key == "nested_loop" and isinstance(child, list):
            product = 1.0
            for step in child:
                product *= max(1.0, _table_rows(step))
                most = max(most, _mysql_work(step))
            most = max(most, product)
        elif key == "table":
            most = max(most, _table_rows({"table": child}), _mysql_work(child))
        else:
            most = max(most, _mysql_work(child))
    return most


def _table_rows(step: Any) -> float:
    """Rows that one step of a nested loop examines per row before it."""
    if not isinstance(step, dict):
        return 0.0
    for key, table in step.items():
        if key in {"table", "read_sorted_file", "block-nl-join", "filesort", "temporary_table"} and isinstance(table, dict):
            if "rows" in table or "rows_examined_per_scan" in table:
                return float(table.get("rows") or table.get("rows_examined_per_scan") or 0)
            return _table_rows(table)
    return 0.0


def _first(node: Any, key: str) -> Any:
    if isinstance(node, dict):
        if key in node:
            return node[key]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            found = _first(child, key)
            if found is not None:
                return found
    return None


def duckdb_estimate(plan: Any) -> Estimate:
    """Read DuckDB's ``EXPLAIN (FORMAT JSON)``: estimated cardinalities; it has no cost."""
    roots = plan if isinstance(plan, list) else [plan]
    rows = [_cardinality(node) for node in roots]
    return Estimate(rows[0] if rows else None, max((_duckdb_work(node) for node in roots), default=None), None, plan)


def _cardinality(node: dict[str, Any]) -> int:
    said = str((node.get("extra_info") or {}).get("Estimated Cardinality", "0")).replace(",", "").lstrip("~")
    return int(said) if said.isdigit() else 0


def _duckdb_work(node: dict[str, Any]) -> int:
    children = node.get("children") or []
    most = max([_cardinality(node), *(_duckdb_work(child) for child in children)])
    if any(word in str(node.get("name", "")).upper() for word in ("CROSS_PRODUCT", "NESTED_LOOP", "PIECEWISE", "BLOCKWISE")):
        product = 1
        for child in children:
            product *= max(1, _cardinality(child))
        most = max(most, product)
    return most
