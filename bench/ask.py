"""A whole ``ask``, warm and in process, over running the same SQL through the bare driver.

Target: p50 <= 40 ms and p95 <= 90 ms above the driver. The other side is what an analyst would do by hand with the SQL
already written: ``psycopg``, ``pymysql`` or ``duckdb`` and ``fetchall``.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from datapilot_kernel.demo.loader import load_tenant, tenants
from datapilot_kernel.engine import Answer, Engine
from datapilot_kernel.semantic import load_layer
from datapilot_kernel.sources import open_source
from tests import servers

ROOT = Path(__file__).parents[1]
TODAY = "2026-06-17"
QUESTIONS = [
    "chiffre d'affaires du mois dernier",
    "ca par région en 2025",
    "top 10 des clients par chiffre d'affaires",
    "évolution du ca par mois en 2025",
    "panier moyen par canal le trimestre dernier",
    "nombre de commandes à Lyon en mai 2026",
    "part du ca par catégorie en 2025",
    "ca de mai 2026 par rapport à mai 2025",
    "clients sans commande depuis 6 mois",
    "quel est le mois le plus rentable de 2025 ?",
]
REPEATS = 7


def main() -> int:
    """Measure each engine that this machine has; print one line each."""
    os.environ["DATAPILOT_TODAY"] = TODAY
    layer = load_layer(ROOT / "datapilot_kernel" / "demo" / "maison_lumiere.yaml")
    print(
        f"{'source':<10} {'questions':>9} {'ask p50':>9} {'ask p95':>9} {'driver p50':>11} {'above p50':>10} {'p95':>6}"
        "   target 40 / 90 ms"
    )
    with tempfile.TemporaryDirectory() as folder:
        places: list[tuple[str, str]] = [("csv", folder)]
        running = []
        for dialect, start in (("postgres", servers.start_postgres), ("mysql", servers.start_mariadb)):
            reason = servers.missing(dialect)
            if reason:
                print(f"{dialect:<10} skipped: {reason}")
                continue
            running.append(start())
            places.append((dialect, running[-1].new_database()))
        try:
            for name, place in places:
                load_tenant(tenants()["maison-lumiere"], place, today=date.fromisoformat(TODAY))
                _measure(name, place, layer)
        finally:
            for server in running:
                server.stop()
    return 0


def _measure(name: str, place: str, layer: object) -> None:
    source = open_source(place)
    engine = Engine(source, layer=layer)  # type: ignore[arg-type]
    engine.prepare()
    run, close = _driver(name, place, source)
    asked, bare, above = [], [], []
    skipped = 0
    for question in QUESTIONS:
        first = engine.ask(question)
        if not isinstance(first, Answer):
            skipped += 1
            continue
        run(first.sql)
        for _ in range(REPEATS):
            started = time.perf_counter()
            engine.ask(question)
            between = time.perf_counter()
            run(first.sql)
            ended = time.perf_counter()
            asked.append((between - started) * 1000)
            bare.append((ended - between) * 1000)
            above.append(asked[-1] - bare[-1])
    close()
    source.close()
    print(
        f"{name:<10} {len(QUESTIONS) - skipped:>9} {_p(asked, 50):>9.1f} {_p(asked, 95):>9.1f} {_p(bare, 50):>11.1f} "
        f"{_p(above, 50):>10.1f} {_p(above, 95):>6.1f}   ms"
    )


def _p(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _driver(name: str, place: str, source: Any) -> tuple[Callable[[str], object], Callable[[], None]]:
    """Return how a user would run SQL by hand, and how to let go."""
    if name == "postgres":
        import psycopg

        pg = psycopg.connect(place, autocommit=True)
        return (lambda sql: pg.execute(sql).fetchall()), pg.close
    if name == "mysql":
        import pymysql
        from sqlalchemy.engine import make_url

        url = make_url(place)
        my = pymysql.connect(
            host=url.host, port=url.port or 3306, user=url.username, password=str(url.password), database=url.database
        )

        def run_mysql(sql: str) -> object:
            with my.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()

        return run_mysql, my.close
    import duckdb

    # The database that the files were imported into: by hand, somebody would have made one like it.
    db = duckdb.connect(str(source._path), read_only=True)
    return (lambda sql: db.execute(sql).fetchall()), db.close


if __name__ == "__main__":
    sys.exit(main())
