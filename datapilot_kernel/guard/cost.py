"""Limits on the work a source estimates: pure functions over sizes and plans, called by execution.

``limits.py`` sees the text only. Here come in what the catalog knows (rows of a table) and what the engine estimates
(``EXPLAIN (FORMAT JSON)`` of PostgreSQL, ``EXPLAIN FORMAT=JSON`` of MySQL and MariaDB, the estimated cardinalities of
DuckDB's plan). Estimates are wrong by factors, so the limits are meant for the absurd: the statement timeout stands
behind them.

The refusal says what to add; it gives rounded figures, because an exact estimate over a filtered table would tell of
the rows that the filter leaves out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from datapilot_kernel.guard.reasons import Refusal

MAX_SCANNED_ROWS = 200_000_000
MAX_PRODUCED_ROWS = 500_000_000


@dataclass(frozen=True)
class Estimate:
    """What a source expects to do.

    Attributes
    ----------
    scanned_rows
        Rows read from tables, all together.
    produced_rows
        Rows of the largest intermediate result.
    cost
        The engine's own cost, in its own unit; None: it gives none.
    """

    scanned_rows: float = 0.0
    produced_rows: float = 0.0
    cost: float | None = None


@dataclass(frozen=True)
class CostLimits:
    """Limits of one execution; 0 means no limit.

    Attributes
    ----------
    scanned_rows, produced_rows
        As in :class:`Estimate`.
    """

    scanned_rows: int = MAX_SCANNED_ROWS
    produced_rows: int = MAX_PRODUCED_ROWS


def from_sizes(tables: tuple[str, ...], sizes: Mapping[str, int | None]) -> Estimate:
    """Estimate from the catalog alone: every table read once.

    Parameters
    ----------
    tables
        ``Accepted.tables``.
    sizes
        Rows by ``schema.table``; a table that is missing or None counts as nothing.
    """
    rows = [float(sizes.get(t) or 0) for t in tables]
    return Estimate(scanned_rows=sum(rows), produced_rows=max(rows, default=0.0))


def from_postgres(plan: Any) -> Estimate:
    """Read ``EXPLAIN (FORMAT JSON)``.

    Parameters
    ----------
    plan
        The parsed JSON: a list with one object that has ``Plan``, or that object.
    """
    root = plan[0] if isinstance(plan, list) and plan else plan
    top = root.get("Plan", {}) if isinstance(root, dict) else {}
    scanned = produced = 0.0
    for node, times in _postgres_nodes(top, 1.0):
        rows = _number(node.get("Plan Rows"))
        if "Relation Name" in node:
            # rows after the filter are all it tells; the cost of a sequential scan grows with the rows before it
            scanned += max(rows, _number(node.get("Total Cost")) - _number(node.get("Startup Cost"))) * times
        produced = max(produced, rows * times)
    return Estimate(scanned, produced, _number(top.get("Total Cost")))


def _postgres_nodes(node: dict[str, Any], times: float) -> Iterator[tuple[dict[str, Any], float]]:
    stack = [(node, times)]
    while stack:
        current, count = stack.pop()
        yield current, count
        children = [c for c in current.get("Plans") or () if isinstance(c, dict)]
        for at, child in enumerate(children):
            inner = count
            if current.get("Node Type") == "Nested Loop" and at == 1 and child.get("Node Type") != "Materialize":
                inner = count * max(_number(children[0].get("Plan Rows")), 1.0)
            if child.get("Parent Relationship") == "SubPlan":
                inner = count * max(_number(current.get("Plan Rows")), 1.0)
            stack.append((child, inner))


def from_mysql(plan: Any) -> Estimate:
    """Read ``EXPLAIN FORMAT=JSON`` of MySQL 8 or MariaDB (their keys differ: both are known)."""
    scanned = produced = 0.0
    cost: float | None = None
    stack: list[Any] = [plan]
    while stack:
        current = stack.pop()
        if isinstance(current, list):
            stack.extend(current)
            continue
        if not isinstance(current, dict):
            continue
        block = current.get("nested_loop")
        # the tables of a nested loop multiply; what is inside them (derived tables) is looked at on its own
        stack.extend(v for k, v in current.items() if k not in {"nested_loop", "table"})
        if isinstance(block, list):
            product = 1.0
            for item in block:
                table = _mysql_table(item)
                stack.extend(v for v in table.values() if isinstance(v, (dict, list)))
                rows = _mysql_rows(table)
                scanned += product * max(rows, 1.0)
                kept = _number(table.get("filtered") or 100) / 100
                product *= max(rows * kept, 1.0)
                produced = max(produced, product)
        elif "table" in current and isinstance(current["table"], dict):
            rows = _mysql_rows(current["table"])
            scanned += rows
            produced = max(produced, rows)
            stack.extend(v for v in current["table"].values() if isinstance(v, (dict, list)))
        info = current.get("cost_info")
        if isinstance(info, dict) and "query_cost" in info:
            cost = max(cost or 0.0, _number(info["query_cost"]))
    return Estimate(scanned, produced, cost)


def _mysql_rows(table: dict[str, Any]) -> float:
    """Return the rows of a table of the database; 1 for a derived one.

    Of a derived table (``<derived2>``) MariaDB 10.11 tells the product of what is inside, also where it is one row of
    totals: two sums of 60,000 rows side by side were told as 3.6 billion. What is inside is looked at on its own; joins of
    large derived tables are for the guard's own estimate (``amounts``) and the statement's time limit.
    """
    if str(table.get("table_name", "")).startswith("<"):
        return 1.0
    return _number(table.get("rows") or table.get("rows_examined_per_scan"))


def _mysql_table(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        return {}
    for key in ("table", "block-nl-join", "read_sorted_file", "filesort", "temporary_table"):
        inner = item.get(key)
        if isinstance(inner, dict):
            return inner if key == "table" else _mysql_table(inner) or inner
    return item


def from_duckdb(plan: Any) -> Estimate:
    """Read ``EXPLAIN (FORMAT json)`` of DuckDB: ``name``, ``children``, ``extra_info`` with ``Estimated Cardinality``."""
    scanned = produced = 0.0
    stack: list[Any] = list(plan) if isinstance(plan, list) else [plan]
    while stack:
        node = stack.pop()
        if not isinstance(node, dict):
            continue
        stack.extend(node.get("children") or ())
        rows, name = _duckdb_rows(node), str(node.get("name", "")).upper()
        produced = max(produced, rows)
        if "SCAN" in name:
            scanned += rows
        if any(join in name for join in _COMPARES_EVERY_PAIR):
            # DuckDB estimates such a join by its larger side; the work is every pair.
            produced = max(produced, math.prod(max(1.0, _duckdb_rows(child)) for child in node.get("children") or ()))
    return Estimate(scanned, produced, None)


_COMPARES_EVERY_PAIR = ("CROSS_PRODUCT", "NESTED_LOOP", "PIECEWISE", "BLOCKWISE", "IE_JOIN")


def _duckdb_rows(node: Any) -> float:
    info = node.get("extra_info") if isinstance(node, dict) else None
    return _number(info.get("Estimated Cardinality") if isinstance(info, dict) else None)


def judge(estimate: Estimate, limits: CostLimits | None = None) -> Refusal | None:
    """Refuse what is estimated to be above the limits; None: it may run.

    Returns
    -------
    Refusal | None
        ``too_expensive``, with what to add.
    """
    limits = limits or CostLimits()
    if (
        limits.produced_rows
        and estimate.produced_rows > limits.produced_rows
        and estimate.produced_rows > 4 * estimate.scanned_rows
    ):
        return _refusal("too_expensive_joins", estimate.produced_rows, limits.produced_rows)
    if limits.scanned_rows and estimate.scanned_rows > limits.scanned_rows:
        return _refusal("too_expensive", estimate.scanned_rows, limits.scanned_rows)
    if limits.produced_rows and estimate.produced_rows > limits.produced_rows:
        return _refusal("too_expensive", estimate.produced_rows, limits.produced_rows)
    return None


def _refusal(key: str, rows: float, limit: int) -> Refusal:
    rounded = 10 ** math.ceil(math.log10(max(min(rows, 1e18), 1.0)))
    values: dict[str, object] = {"rows": f"{rounded:,}".replace(",", "\u202f"), "limit": f"{limit:,}".replace(",", "\u202f")}
    return Refusal("too_expensive", values, log=f"estimate {rows:.3g} rows, limit {limit}", key=key)


def _number(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) else 1e18
    if isinstance(value, str):
        try:
            return float(value.replace(",", ""))
        except ValueError:
            return 0.0
    return 0.0
