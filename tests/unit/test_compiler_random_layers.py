"""Any layer: random tables, joins and rows, in DuckDB, against loops. Either the right numbers or a refusal; never a fan-out."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from datapilot_kernel.plan.compiler import compile_plan
from datapilot_kernel.plan.model import DimensionItem, Filter, MeasureItem, Plan
from datapilot_kernel.plan.problems import PlanProblem
from datapilot_kernel.semantic.model import Layer

Row = dict[str, Any]


class World:
    """Tables ``t0``… each with ``id``, ``v``, ``g``; join ``jK`` is a column of one table that points at a later one."""

    def __init__(self, size: int, joins: list[tuple[int, int]], rows: list[list[Row]]) -> None:
        self.size, self.joins, self.rows = size, joins, rows
        self.by_id = [{row["id"]: row for row in table} for table in rows]

    def layer(self) -> Layer:
        return Layer.model_validate({
            "name": "w",
            "entities": {
                f"t{n}": {"table": f"t{n}", "label": f"T{n}", "key": ["id"], "dimensions": {"g": {"column": "g", "label": f"G{n}"}},
                          "measures": {"s": {"expression": "SUM(v)", "label": f"S{n}"}, "c": {"expression": "COUNT(v)", "label": f"C{n}"}}}
                for n in range(self.size)
            },
            "joins": {
                f"j{k}": {"from_entity": f"t{a}", "from_columns": [f"j{k}"], "to_entity": f"t{b}", "to_columns": ["id"], "label": f"J{k}"}
                for k, (a, b) in enumerate(self.joins)
            },
        })  # fmt: skip

    def ways(self, start: int, end: int) -> list[list[int]]:
        """All shortest ways."""
        found: list[list[int]] = [[]] if start == end else []
        frontier: list[tuple[int, list[int]]] = [(start, [])]
        while frontier and not found:
            frontier = [(b, [*way, k]) for at, way in frontier for k, (a, b) in enumerate(self.joins) if a == at]
            found = [way for at, way in frontier if at == end]
        return found

    def follow(self, row: Row, way: list[int]) -> Row | None:
        for k in way:
            there = self.by_id[self.joins[k][1]].get(row[f"j{k}"])
            if there is None:
                return None
            row = there
        return row

    def only_way(self, start: int, end: int) -> list[int]:
        ways = self.ways(start, end)
        if len(ways) != 1:
            raise LookupError
        return ways[0]

    def passes(self, base: int, row: Row, target: int, wanted: str) -> bool:
        if self.ways(base, target):
            there = self.follow(row, self.only_way(base, target))
            return there is not None and there["g"] == wanted
        between = self.between(base, target)
        back, on = self.only_way(between, base), self.only_way(between, target)
        for other in self.rows[between]:
            there = self.follow(other, on)
            if self.follow(other, back) is row and there is not None and there["g"] == wanted:
                return True
        return False

    def between(self, base: int, target: int) -> int:
        lengths = {
            n: len(self.ways(n, base)[0]) + len(self.ways(n, target)[0])
            for n in range(self.size)
            if n != base and self.ways(n, base) and self.ways(n, target)
        }
        nearest = [n for n in lengths if lengths[n] == min(lengths.values())]
        nearest = [target] if target in nearest else nearest
        if len(nearest) != 1:
            raise LookupError
        return nearest[0]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    size = draw(st.integers(2, 5))
    pairs = [(a, b) for a in range(size) for b in range(a + 1, size)]
    joins = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=6))
    rows: list[list[Row]] = []
    for n in range(size):
        table = []
        for id in range(1, draw(st.integers(0, 7)) + 1):
            row: Row = {
                "id": id,
                "v": draw(st.sampled_from([None, 0, 1, 10, 100])),
                "g": draw(st.sampled_from([None, "a", "b"])),
            }
            for k, (a, _) in enumerate(joins):
                if a == n:
                    row[f"j{k}"] = draw(st.sampled_from([None, 1, 1, 2, 3, 4, 99]))
            table.append(row)
        rows.append(table)
    return World(size, joins, rows)


def computed(
    world: World, measures: list[tuple[int, str]], dims: list[int], narrowed: tuple[int, str] | None
) -> list[tuple[Any, ...]]:
    cells: dict[tuple[Any, ...], dict[int, Any]] = defaultdict(dict)
    for base in dict.fromkeys(base for base, _ in measures):
        ways = [world.only_way(base, dim) for dim in dims]
        if narrowed is not None and not world.ways(base, narrowed[0]):
            between = world.between(base, narrowed[0])
            world.only_way(between, base)
            world.only_way(between, narrowed[0])
        elif narrowed is not None:
            world.only_way(base, narrowed[0])
        groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        if not dims:
            groups[()] = []
        for row in world.rows[base]:
            if narrowed is None or world.passes(base, row, *narrowed):
                reached = [world.follow(row, way) for way in ways]
                groups[tuple(None if there is None else there["g"] for there in reached)].append(row)
        for key, members in groups.items():
            known = [row["v"] for row in members if row["v"] is not None]
            for n, (entity, kind) in enumerate(measures):
                if entity == base:
                    cells[key][n] = len(known) if kind == "c" else (sum(known) if known else None)
    several = len({base for base, _ in measures}) > 1 and bool(dims)
    rows = []
    for key, made in cells.items():
        values = [made.get(n) for n in range(len(measures))]
        rows.append((*key, *(0 if value is None and several else value for value in values)))
    return rows


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(world=worlds(), data=st.data())
def test_the_right_numbers_or_a_refusal(world: World, data: st.DataObject) -> None:
    entity = st.integers(0, world.size - 1)
    early = st.integers(0, world.size - 2)  # later tables point at nothing
    measures = data.draw(st.lists(st.tuples(early, st.sampled_from("sc")), min_size=1, max_size=3, unique=True))
    # Mostly dimensions that every measure reaches in one way; now and then any.
    common = [n for n in range(world.size) if all(len(world.ways(base, n)) == 1 for base, _ in measures)]
    reached = st.sampled_from(common) if common and data.draw(st.integers(0, 4)) else entity
    dims = data.draw(st.lists(reached, min_size=1 if common else 0, max_size=2, unique=True))
    narrowed = data.draw(st.none() | st.tuples(entity, st.sampled_from("ab")))
    plan = Plan(
        measures=tuple(MeasureItem(alias=f"m{n}", measure=f"t{base}.{kind}") for n, (base, kind) in enumerate(measures)),
        dimensions=tuple(DimensionItem(alias=f"d{n}", field=f"t{dim}.g") for n, dim in enumerate(dims)),
        filters=(Filter(field=f"t{narrowed[0]}.g", values=(narrowed[1],)),) if narrowed else (),
    )
    try:
        expected = computed(world, measures, dims, narrowed)
    except (LookupError, ValueError):
        expected = None
    event("refused" if expected is None else f"computed, {len(dims)} dimensions")
    if expected is None:
        with pytest.raises(PlanProblem):
            compile_plan(plan, world.layer(), dialect="duckdb", today=date(2026, 11, 22))
        return
    compiled = compile_plan(plan, world.layer(), dialect="duckdb", today=date(2026, 11, 22))
    with duckdb.connect() as connection:
        for n in range(world.size):
            mine = [f"j{k}" for k, (a, _) in enumerate(world.joins) if a == n]
            connection.execute(f"CREATE TABLE t{n} (id int, v int, g text{''.join(f', {name} int' for name in mine)})")
            rows = [[row["id"], row["v"], row["g"], *(row[name] for name in mine)] for row in world.rows[n]]
            if rows:
                connection.executemany(f"INSERT INTO t{n} VALUES ({', '.join('?' * (3 + len(mine)))})", rows)
        found = connection.execute(compiled.sql).fetchall()

    def order(row: tuple[Any, ...]) -> list[tuple[bool, str]]:
        return [(cell is None, str(cell)) for cell in row]

    assert sorted(found, key=order) == sorted(expected, key=order), compiled.sql
