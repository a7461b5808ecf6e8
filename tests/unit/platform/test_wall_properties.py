"""What the wall lets through does not depend on any other tenant's rows: asked of SQLite itself, over statements made at random.

Two databases, one with both tenants' rows and one with ours alone. A statement that passes gives the same rows on both.
"""

from __future__ import annotations

import random
import sqlite3
from functools import cache

from hub_config.database.wall import Scope, Unscoped, check

OURS, THEIRS = "a" * 32, "b" * 32
TABLES = ("users", "widgets", "quotas")


@cache
def _databases() -> tuple[sqlite3.Connection, sqlite3.Connection]:
    both, alone = sqlite3.connect(":memory:", isolation_level=None), sqlite3.connect(":memory:", isolation_level=None)
    for connection, tenants in ((both, (OURS, THEIRS)), (alone, (OURS,))):
        for table in TABLES:
            connection.execute(f"CREATE TABLE {table} (tenant_id text, id text, value int)")
            for tenant in tenants:
                connection.executemany(
                    f"INSERT INTO {table} VALUES (?, ?, ?)", [(tenant, f"{table}{n}", n + len(tenant)) for n in range(2)]
                )
    return both, alone


class _Maker:
    """Makes statements: most tables bound as they should be, some not, in every place where a table may stand."""

    def __init__(self, seed: int) -> None:
        self.pick = random.Random(seed)
        self.aliases = 0

    def select(self, depth: int = 2) -> str:
        pick = self.pick
        names, text, bound = [], "", []
        for number in range(pick.choice([1, 1, 2, 3])):
            self.aliases += 1
            name = f"t{self.aliases}"
            table = pick.choice(TABLES)
            source = f"({self.select(depth - 1)}) AS {name}" if depth and pick.random() < 0.2 else f"{table} AS {name}"
            names.append(name)
            own = f"{name}.tenant_id = :t"
            if not number:
                text = source
                bound.append(own)
                continue
            join = pick.choice([", ", " JOIN ", " LEFT JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " CROSS JOIN "])
            text += join + source
            if join in (", ", " CROSS JOIN "):
                bound.append(own)
            elif pick.random() < 0.5:
                text += f" ON {self.condition(names, [own], depth)}"
            else:
                text += f" ON {self.condition(names, [], depth)}"
                bound.append(own)
        if pick.random() < 0.25:
            bound.pop(pick.randrange(len(bound))) if bound else None
        name = pick.choice(names)
        select = f"SELECT {name}.tenant_id, {name}.id, {name}.value FROM {text} WHERE {self.condition(names, bound, depth)}"
        shape = pick.random() if depth else 1
        if shape < 0.1:
            return f"{select} {pick.choice(['UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT'])} {self.select(0)}"
        if shape < 0.2:
            return f"WITH c AS ({select}) SELECT c.tenant_id, c.id, c.value FROM c"
        return select

    def condition(self, names: list[str], bound: list[str], depth: int) -> str:
        pick = self.pick
        parts = list(bound) + [self.atom(names, depth) for _ in range(pick.choice([0, 1, 1, 2]))]
        pick.shuffle(parts)
        text = parts.pop() if parts else "1 = 1"
        for part in parts:
            word = "OR" if pick.random() < 0.08 else "AND"
            text = f"{part} {word} {text}" if pick.random() < 0.5 else f"({part} {word} {text})"
        return f"NOT ({text})" if pick.random() < 0.05 else text

    def atom(self, names: list[str], depth: int) -> str:
        pick = self.pick
        one, two = pick.choice(names), pick.choice(names)
        atoms = [
            f"{one}.tenant_id = :t", f":t = {one}.tenant_id", f"{one}.tenant_id = :o", f"{one}.tenant_id <> :t",
            f"{one}.tenant_id IN (:t, :o)", f"{one}.tenant_id = {two}.tenant_id", f"{one}.id = {two}.id",
            f"{one}.value < 33", f"{one}.tenant_id IS NULL", "1 = 1", "tenant_id = :t", ":t = :t",
        ]  # fmt: skip
        if depth and pick.random() < 0.25:
            inner = self.select(depth - 1)
            atoms = [f"EXISTS ({inner})", f"NOT EXISTS ({inner})", f"(SELECT count(*) FROM ({inner}) AS n) < 3"]
        return pick.choice(atoms)


def _rows(connection: sqlite3.Connection, statement: str) -> list[tuple[object, ...]]:
    return sorted(connection.execute(statement, {"t": OURS, "o": THEIRS}).fetchall(), key=repr)


def test_what_passes_does_not_depend_on_another_tenant() -> None:
    both, alone = _databases()
    refused = passed = leaking = with_rows = 0
    for seed in range(2500):
        statement = _Maker(seed).select()
        try:
            there = _rows(both, statement)
        except sqlite3.OperationalError:
            continue  # ambiguous names, or a join that this SQLite does not know
        here = _rows(alone, statement)
        try:
            check(statement, [{"t": OURS, "o": THEIRS}], Scope("tenant", OURS, read_only=True), "sqlite")
        except Unscoped:
            refused += 1
            leaking += there != here
            continue
        passed += 1
        with_rows += bool(there)
        assert there == here, (seed, statement)
    # The statements are worth asking: many leak and are refused, many pass and find something.
    assert leaking > 200
    assert with_rows > 120
    assert refused < 2400
    assert passed > 200
