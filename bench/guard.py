# ruff: noqa: E501 - statements on one line each
"""The guard's own time, and what its rewriting costs the databases.

1. Guard.check over a policy of 50 tables, on the honest corpora (three dialects). Target: p50 <= 5 ms, p95 <= 12 ms.
2. Ten analytic queries over the demo data, on PostgreSQL, MariaDB and DuckDB (whatever of them can run here): raw against
   guarded without a row filter (target: <= 5 %), and, with a row filter on the three large tables, the guarded statement
   against the same filters without the barrier. The filter keeps every row, so what is seen is the barrier alone: it stops the
   person's own conditions from reaching the table's indexes, and materialises on MariaDB.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import sqlglot.parser

from datapilot_kernel.guard import Accepted, Guard, Policy
from tests import servers
from tests.guard_world import CORPORA, Failed, Place, read_lines

LARGE = ("commandes", "lignes_commande", "factures")
QUERIES = {
    "chiffre d’affaires par mois": "SELECT EXTRACT(YEAR FROM date_commande) AS a, EXTRACT(MONTH FROM date_commande) AS m, SUM(mt_ht) AS ca FROM commandes GROUP BY EXTRACT(YEAR FROM date_commande), EXTRACT(MONTH FROM date_commande) ORDER BY a, m",
    "par région": "SELECT c.region, SUM(o.mt_ht) AS ca FROM commandes o JOIN clients c ON c.id_client = o.id_client GROUP BY c.region ORDER BY ca DESC",
    "par famille": "SELECT k.famille, SUM(l.mt_ht) AS ca FROM lignes_commande l JOIN produits p ON p.id_produit = l.id_produit JOIN categories k ON k.id_categorie = p.id_categorie GROUP BY k.famille ORDER BY ca DESC",
    "dix meilleurs clients": "SELECT id_client, SUM(mt_ht) AS ca FROM commandes GROUP BY id_client ORDER BY ca DESC, id_client LIMIT 10",
    "un trimestre": "SELECT statut, COUNT(*) AS n, SUM(mt_ht) AS ca FROM commandes WHERE date_commande >= DATE '2025-01-01' AND date_commande < DATE '2025-04-01' GROUP BY statut ORDER BY statut",
    "une commande": "SELECT l.id_produit, l.qte, l.mt_ht FROM commandes o JOIN lignes_commande l ON l.id_commande = o.id_commande WHERE o.id_commande = 4242 ORDER BY l.id_ligne",
    "marge par marque": "SELECT p.marque, SUM(l.mt_ht - l.mt_cout) AS marge FROM lignes_commande l JOIN produits p ON p.id_produit = l.id_produit GROUP BY p.marque ORDER BY marge DESC",
    "cumul par client": "SELECT id_client, id_commande, SUM(mt_ht) OVER (PARTITION BY id_client ORDER BY date_commande, id_commande) AS cumul FROM commandes WHERE id_client < 50 ORDER BY id_client, id_commande",
    "impayés": "SELECT f.statut, COUNT(*) AS n, SUM(f.mt_ttc - f.mt_regle) AS reste FROM factures f GROUP BY f.statut ORDER BY f.statut",
    "clients sans commande": "SELECT COUNT(*) AS n FROM clients c WHERE NOT EXISTS (SELECT 1 FROM commandes o WHERE o.id_client = c.id_client)",
}  # fmt: skip


def guard_times() -> bool:
    """Time the guard alone; return whether the targets hold."""
    compiled = str(sqlglot.parser.__file__).endswith(".so")
    print(f"sqlglot parser: {'compiled' if compiled else 'INTERPRETED'} ({Path(sqlglot.parser.__file__).name})")
    times: list[float] = []
    for dialect in ("postgres", "mysql", "duckdb"):
        data = json.loads((CORPORA / "world" / f"policy.{dialect}.json").read_text(encoding="utf-8"))
        for i in range(50 - len(data["tables"])):
            data["tables"][f"table_{i:02d}"] = {
                "columns": [f"colonne_{c:02d}" for c in range(20)],
                "row_filter": "colonne_01 = {tenant}",
            }
        started = time.perf_counter()
        guard = Guard(Policy.model_validate(data), dialect)  # type: ignore[arg-type]
        built_ms = (time.perf_counter() - started) * 1000
        own: list[float] = []
        for _ in range(3):
            for line in read_lines(CORPORA / f"accept_{dialect}.jsonl"):
                started = time.perf_counter()
                guard.check(line["sql"])
                own.append((time.perf_counter() - started) * 1000)
        times += own
        p95 = statistics.quantiles(own, n=20)[-1]
        print(
            f"  {dialect:<9} p50 {statistics.median(own):5.2f} ms   p95 {p95:5.2f} ms   (built in {built_ms:.0f} ms, {len(own)} checks)"
        )
    p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    good = p50 <= 5 and p95 <= 12
    print(f"  {'all':<9} p50 {p50:5.2f} ms   p95 {p95:5.2f} ms   target 5 and 12 ms: {'held' if good else 'MISSED'}")
    return good


def _policy(schema: str, tables: dict[str, list[str]], *, filtered: bool) -> Policy:
    return Policy.model_validate(
        {
            "version": 1,
            "default_schema": schema,
            "attributes": {"premiere": 0},
            "tables": {
                name: {
                    "columns": columns,
                    "row_filter": f"{columns[0]} > {{premiere}}" if filtered and name in LARGE else None,
                }
                for name, columns in tables.items()
            },
            "max_rows": 100_000,
        }
    )


def database_times(place: Place, schema: str, tables: dict[str, list[str]], rounds: int) -> None:
    """Time the ten queries raw, guarded, and guarded with a row filter."""
    dialect: Any = place.dialect
    plain = Guard(_policy(schema, tables, filtered=False), dialect)
    filtered = Guard(_policy(schema, tables, filtered=True), dialect)
    print(f"  {place.dialect:<28} {'raw ms':>8} {'guarded':>9} {'filters':>9} {'barrier':>9}")
    totals = [0.0, 0.0, 0.0, 0.0]
    for name, sql in QUERIES.items():
        without, within = plain.check(sql), filtered.check(sql)
        assert isinstance(without, Accepted), without
        assert isinstance(within, Accepted), within
        hand = within.sql.replace(f"{filtered.rules.barrier})", ")")
        cells = _best(place, [sql, without.sql, hand, within.sql], rounds)
        totals = [t + c for t, c in zip(totals, cells, strict=True)]
        print(
            f"  {name:<28} {cells[0]:8.1f} {_change(cells[1], cells[0]):>9} {cells[2]:9.1f} {_change(cells[3], cells[2]):>9}"
        )
    print(
        f"  {'sum':<28} {totals[0]:8.1f} {_change(totals[1], totals[0]):>9} {totals[2]:9.1f} {_change(totals[3], totals[2]):>9}"
    )


def _change(value: float, base: float) -> str:
    return f"{(value / base - 1) * 100:+.1f} %"


def _best(place: Place, statements: list[str], rounds: int) -> list[float]:
    """Median time of each statement, interleaved so that drift of the machine falls on all."""
    times: list[list[float]] = [[] for _ in statements]
    results = [place.run(s) for s in statements]
    assert all(sorted(map(str, r)) == sorted(map(str, results[0])) for r in results), (
        "the guarded statement gives other rows"
    )
    for _ in range(rounds):
        for at, statement in enumerate(statements):
            started = time.perf_counter()
            place.run(statement)
            times[at].append((time.perf_counter() - started) * 1000)
    return [statistics.median(t) for t in times]


def _with_server(dialect: str, rounds: int) -> None:
    from datapilot_kernel.demo.loader import load_tenant, tenants

    tenant = next(iter(tenants().values()))
    tables = {t.name: [c.name for c in t.columns] for t in tenant.tables}
    if dialect == "duckdb":
        import duckdb

        connection = duckdb.connect(":memory:", config={"threads": 2})
        connection.execute("SET GLOBAL pandas_analyze_sample = 0")  # the first rows do not tell a decimal's width
        rows = tenant.generate(date(2025, 6, 30), 7)
        for table in tenant.tables:
            columns = ", ".join(f'"{c.name}" {"VARCHAR" if c.type == "text" else c.type}' for c in table.columns)
            connection.execute(f'CREATE TABLE "{table.name}" ({columns})')
            import pandas

            frame = pandas.DataFrame(rows[table.name], columns=[c.name for c in table.columns])  # noqa: F841 - read by DuckDB
            connection.execute(f'INSERT INTO "{table.name}" SELECT * FROM frame')
        database_times(Place("duckdb", connection), "main", tables, rounds)
        connection.close()
        return
    with servers.running(dialect) as server:
        url = server.new_database("bench")
        load_tenant(tenant, url, today=date(2025, 6, 30))
        if dialect == "postgres":
            import psycopg

            connection = psycopg.connect(url, autocommit=True)
            connection.execute("VACUUM ANALYZE")
            schema = "public"
        else:
            import pymysql

            schema = url.rpartition("/")[2]
            connection = pymysql.connect(
                host="127.0.0.1", port=server.port, user="root", password="secret", database=schema, autocommit=True
            )
            with connection.cursor() as cursor:
                for name in tables:
                    cursor.execute(f"ANALYZE TABLE `{name}`")
                    cursor.fetchall()
        database_times(Place(dialect, connection), schema, tables, rounds)
        connection.close()


def main() -> int:
    """Run both parts; 1 when a target of the first is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["postgres", "mysql", "duckdb", "none"], help="one engine's databases, or none")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    good = guard_times()
    runs: dict[str, Callable[[], str | None]] = {
        "duckdb": lambda: None,
        "postgres": lambda: servers.missing("postgres"),
        "mysql": lambda: servers.missing("mysql"),
    }
    for dialect, missing in runs.items():
        if args.only in (None, dialect):
            reason = missing()
            if reason:
                print(f"  {dialect}: {reason}")
                continue
            try:
                _with_server(dialect, args.rounds)
            except Failed as error:
                print(f"  {dialect}: {error.text[:200]}", file=sys.stderr)
                good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
