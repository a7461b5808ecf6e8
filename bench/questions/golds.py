"""Checks the gold SQL of question files against the demo data.

``python -m bench.questions.golds FILE… [--on duckdb|postgres|mysql] [--tenant T] [--show]``

A gold is wrong in ways that only show when it runs: it errs everywhere, it returns nothing, its variants disagree, or a
wrong reading of the question gives the same rows by accident (then the question proves nothing). The reading tried here
is the commonest mistake on these data: counting what was cancelled. Where that moves a result by less than the tolerance
(averages, shares), the question says so with ``"cancelled_barely_count": true``.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from datapilot_kernel.demo.loader import load_tenant, tenants
from datapilot_kernel.demo.tables import DEFAULT_SEED, DemoTenant
from datapilot_kernel.engine.matching import results_match

TODAY = date(2026, 6, 17)
Run = Callable[[str], list[tuple[Any, ...]]]
_KINDS = {"answer", "refusal", "clarification"}
_CANCELLED = re.compile(r"(\w+\.)?statut <> 'ANN'")


@dataclass(frozen=True)
class Problem:
    """What is wrong with one question."""

    question: str
    what: str


def in_duckdb(tenant: DemoTenant, today: date = TODAY) -> duckdb.DuckDBPyConnection:
    """Return a database in memory with the tenant's data, made without any of our own readers."""
    rows = tenant.generate(today, DEFAULT_SEED)
    connection = duckdb.connect()
    with tempfile.TemporaryDirectory() as folder:
        for table in tenant.tables:
            types = ", ".join(f"{c.name} {'VARCHAR' if c.type == 'text' else c.type}" for c in table.columns)
            connection.execute(f"CREATE TABLE {table.name} ({types})")
            path = Path(folder, f"{table.name}.csv")
            with path.open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream).writerows(rows[table.name])
            connection.execute(f"COPY {table.name} FROM '{path}' (FORMAT csv, HEADER false, NULLSTR '')")
    return connection


@contextlib.contextmanager
def runner(engine: str, tenant: DemoTenant) -> Iterator[Run]:
    """Yield a function that runs one statement on the tenant's data in that engine (servers are private and stopped)."""
    if engine == "duckdb":
        connection = in_duckdb(tenant)
        yield lambda sql: connection.execute(sql).fetchall()
        connection.close()
        return
    from tests import servers

    with servers.running(engine) as server:
        url = server.new_database("golds")
        load_tenant(tenant, url, today=TODAY)
        if engine == "postgres":
            import psycopg

            with psycopg.connect(url, autocommit=True) as pg:
                yield lambda sql: pg.execute(sql).fetchall()  # type: ignore[arg-type]
            return
        import pymysql

        database = url.rpartition("/")[2]
        my = pymysql.connect(
            host="127.0.0.1", port=server.port, user="root", password="secret", database=database, charset="utf8mb4"
        )
        with my, my.cursor() as cursor:

            def run(sql: str) -> list[tuple[Any, ...]]:
                cursor.execute(sql)
                return list(cursor.fetchall())

            yield run


def check(record: dict[str, Any], run: Run, errors: tuple[type[Exception], ...]) -> list[Problem]:
    """Return what is wrong with one question on one engine."""
    label = f"{record.get('id')} {record.get('question')!r}"
    expected, golds = record.get("expect", "answer"), record.get("gold") or []
    golds = [golds] if isinstance(golds, str) else golds
    if expected not in _KINDS:
        return [Problem(label, f"unknown expectation {expected!r}")]
    if (expected == "answer") != bool(golds):
        return [Problem(label, "an answer has golds, and only an answer")]
    ran: list[tuple[str, list[tuple[Any, ...]]]] = []
    for gold in golds:
        with contextlib.suppress(*errors):
            ran.append((gold, run(gold)))
    if golds and not ran:
        return [Problem(label, "no gold runs")]
    problems = []
    for gold, rows in ran:
        if not rows or all(value is None for row in rows for value in row):
            problems.append(Problem(label, f"empty: {gold}"))
        elif len(rows) > 2_000:
            problems.append(Problem(label, f"{len(rows)} rows: {gold}"))
        if _CANCELLED.search(gold) and not record.get("cancelled_barely_count"):
            careless = _CANCELLED.sub("1 = 1", gold)
            if results_match(rows, run(careless), ordered=bool(record.get("ordered"))):
                problems.append(Problem(label, f"cancelled rows make no difference: {gold}"))
    return problems


def main(arguments: Sequence[str] | None = None) -> int:
    """Check files; print what is wrong; 1 when something is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--on", choices=("duckdb", "postgres", "mysql"), default="duckdb")
    parser.add_argument("--tenant", default="maison-lumiere")
    parser.add_argument("--show", action="store_true", help="print the first rows of each gold")
    options = parser.parse_args(arguments)
    import psycopg
    import pymysql

    errors: tuple[type[Exception], ...] = (duckdb.Error, psycopg.Error, pymysql.Error)
    found = 0
    with runner(options.on, tenants()[options.tenant]) as run:
        for path in options.files:
            for line in path.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                for problem in check(record, run, errors):
                    found += 1
                    print(f"{path.name}: {problem.question}: {problem.what}")
                if options.show:
                    print(record["id"], record["question"])
                    for gold in record.get("gold", []):
                        try:
                            rows = run(gold)
                        except errors as error:
                            print("    -", str(error).splitlines()[0][:150])
                        else:
                            print("    ", len(rows), *rows[:3])
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
