"""The world the guard's corpora run in: two tenants' rows on every engine, and beside it the *oracle*, which holds only what
tenant t1 may see. A guarded statement on the first must give what the raw statement gives on the second.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import json
import math
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datapilot_kernel.guard import Guard, Policy

CORPORA = Path(__file__).parent / "corpora" / "guard"
SAMPLES = Path(__file__).parents[2] / "shared" / "samples" / "guard"


def statements_of(script: str) -> list[str]:
    """Split a script of plain statements (no procedure bodies)."""
    text = re.sub(r"^--.*$", "", script, flags=re.M)
    return [s for s in (p.strip() for p in re.split(r";\s*\n", text + "\n")) if s.rstrip(";")]


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


class Failed(Exception):
    """The engine refused a statement; ``text`` is its message."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass
class Place:
    """One database: ``run`` gives the rows of a statement."""

    dialect: str
    connection: Any

    def localised(self, sql: str) -> str:
        """MySQL: the corpora call the database ``bi``; here it has a name of its own."""
        if self.dialect != "mysql":
            return sql
        return re.sub(r"(?<![\w`'.])`?bi`?\s*\.\s*(?=[`\w])", f"`{self.connection.db.decode()}`.", sql)

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        if self.dialect == "duckdb":
            import duckdb

            try:
                return self.connection.execute(sql).fetchall()
            except duckdb.Error as error:
                raise Failed(str(error)) from None
        if self.dialect == "postgres":
            import psycopg

            try:
                with self.connection.cursor() as cursor:
                    cursor.execute("SET statement_timeout = 8000")
                    cursor.execute(sql.encode())
                    return cursor.fetchall() if cursor.description else []
            except psycopg.Error as error:
                raise Failed(str(error)) from None
        import pymysql

        try:
            with self.connection.cursor() as cursor:
                cursor.execute("SET max_statement_time = 8")
                cursor.execute(self.localised(sql))
                return list(cursor.fetchall())
        except pymysql.Error as error:
            raise Failed(str(error)) from None


@dataclass
class World:
    """Both databases of one engine, and the guard of tenant t1."""

    dialect: str
    shared: Place
    oracle: Place
    guard: Guard
    policy: Policy


def _place(dialect: str, server: Any, scripts: list[str], name: str) -> Place:
    if dialect == "duckdb":
        import duckdb

        connection = duckdb.connect(":memory:", config={"threads": 2})
        connection.execute("SET TimeZone = 'Europe/Paris'")
        place = Place(dialect, connection)
    elif dialect == "postgres":
        import psycopg

        place = Place(dialect, psycopg.connect(server.new_database(name), autocommit=True))
        place.connection.execute("SET TIME ZONE 'Europe/Paris'")
    else:
        import pymysql

        url = server.new_database(name)
        place = Place(
            dialect,
            pymysql.connect(
                host="127.0.0.1", port=server.port, user="root", password="secret", database=url.rpartition("/")[2], charset="utf8mb4", autocommit=True,
                client_flag=0,
            ),
        )  # fmt: skip
    for script in scripts:
        for statement in statements_of(script):
            if dialect == "mysql":
                statement = re.sub(r"\brh\b", f"`{_other(name)}`", statement)
                with place.connection.cursor() as cursor:
                    cursor.execute(statement)
            else:
                place.connection.execute(statement)
    return place


def _other(name: str) -> str:
    return f"{name}_rh"


@contextlib.contextmanager
def world(dialect: str, server: Any, folder: Path) -> Iterator[World]:
    """Build the world of ``folder`` (``ddl/``, ``seed/`` and ``policy.*.json``, as in the samples)."""
    ddl = (folder / "ddl" / f"{dialect}.sql").read_text(encoding="utf-8")
    seed = (folder / "seed" / f"{dialect}.sql").read_text(encoding="utf-8")
    oracle_seed = (folder / "seed" / f"{dialect}_oracle_t1.sql").read_text(encoding="utf-8")
    tag = uuid.uuid4().hex[:6]
    shared = _place(dialect, server, [ddl, seed], f"gw_{tag}")
    oracle = _place(dialect, server, [ddl, oracle_seed], f"go_{tag}")
    data = json.loads((folder / f"policy.{dialect}.json").read_text(encoding="utf-8"))
    if dialect == "mysql":
        data["default_schema"] = (
            shared.connection.db.decode() if isinstance(shared.connection.db, bytes) else shared.connection.db
        )
    policy = Policy.model_validate(data)
    try:
        yield World(dialect, shared, oracle, Guard(policy, dialect), policy)  # type: ignore[arg-type]
    finally:
        shared.connection.close()
        oracle.connection.close()


def plain(value: Any) -> Any:
    """A cell as something that can be compared and sorted."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (decimal.Decimal, float)):
        number = float(value)
        return "NaN" if math.isnan(number) else round(number, 6)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        text = value.isoformat()
        return text.replace("T00:00:00", "") if isinstance(value, datetime.datetime) else text
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in sorted(value.items(), key=lambda p: str(p[0]))}
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def table_of(rows: list[tuple[Any, ...]], *, ordered: bool = False) -> list[str]:
    """Rows as comparable text, sorted unless the order counts."""
    texts = [json.dumps([plain(v) for v in row], ensure_ascii=False, default=str, sort_keys=True) for row in rows]
    return texts if ordered else sorted(texts)
