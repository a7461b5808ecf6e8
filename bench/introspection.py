"""Taking the catalog of 500 tables x 20 columns from real servers, over asking the server's information_schema per table.

Target: seconds (<= 15 s with contents and inferred links, <= 3 s for the structure alone). The other side is what a user
would pick instead: SQLAlchemy's ``inspect`` and its ``get_columns``/``get_pk_constraint``/``get_foreign_keys`` for each
table, which reads the structure only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from datapilot_kernel.catalog import introspect
from datapilot_kernel.semantic import draft_layer
from datapilot_kernel.sources import open_source
from tests import servers

TABLES, COLUMNS, ROWS = 500, 20, 200
TARGET_WHOLE_S, TARGET_STRUCTURE_S = 15.0, 3.0


def _fill(url: str, dialect: str) -> None:
    """500 tables of 20 columns, 200 rows each; every table points at three others by undeclared ids."""
    types = ["INTEGER", "VARCHAR(40)", "DECIMAL(12,2)", "DATE"]
    if dialect == "postgres":
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            for sql in _statements(types, dialect):
                connection.execute(sql)
        return
    from urllib.parse import urlsplit

    import pymysql

    parts = urlsplit(url)
    connection = pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        database=parts.path[1:],
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        for sql in _statements(types, dialect):
            cursor.execute(sql)


def _statements(types: list[str], dialect: str) -> list[str]:
    found = []
    for n in range(TABLES):
        columns = [f"id_objet{n} INTEGER PRIMARY KEY"]
        values = ["g"]
        for i in range(1, COLUMNS):
            if i <= 3:
                columns.append(f"id_objet{(n + i * 31) % TABLES} INTEGER")
                values.append(f"g % 100 + {i}")
                continue
            kind = types[i % 4]
            columns.append(f"c{i} {kind}")
            text = f"concat('v', g % {i * 3})"
            day = (
                "DATE '2024-01-01' + g * INTERVAL '1 day'"
                if dialect == "postgres"
                else "DATE_ADD('2024-01-01', INTERVAL g DAY)"
            )
            values.append({"INTEGER": f"g * {i}", "VARCHAR(40)": text, "DECIMAL(12,2)": f"g / {i}", "DATE": day}[kind])
        found.append(f"CREATE TABLE objet{n} ({', '.join(columns)})")
        series = f"generate_series(1, {ROWS}) g" if dialect == "postgres" else f"(SELECT seq AS g FROM seq_1_to_{ROWS}) s"
        found.append(f"INSERT INTO objet{n} SELECT {', '.join(values)} FROM {series}")
    return found


def _timed(work: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def _sqlalchemy(url: str) -> int:
    from sqlalchemy import create_engine, inspect

    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://").replace("mysql://", "mysql+pymysql://"))
    try:
        inspector = inspect(engine)
        names = inspector.get_table_names()
        for name in names:
            inspector.get_columns(name)
            inspector.get_pk_constraint(name)
            inspector.get_foreign_keys(name)
        return len(names)
    finally:
        engine.dispose()


def main() -> int:
    """Print one line per server and way."""
    late = 0
    for dialect in ("postgres", "mysql"):
        if (reason := servers.missing(dialect)) is not None:
            print(f"{dialect}: skipped ({reason})")
            continue
        with servers.running(dialect) as server:
            url = server.new_database("bench")
            _fill(url, dialect)
            source = open_source(url)
            try:
                structure_s, _ = _timed(lambda source=source: introspect(source, profile=False))  # type: ignore[misc]
                whole_s, catalog = _timed(lambda source=source: introspect(source, budget_s=60))  # type: ignore[misc]
            finally:
                source.close()
            draft_s, _ = _timed(lambda catalog=catalog: draft_layer(catalog))  # type: ignore[misc]
            other_s, _ = _timed(lambda url=url: _sqlalchemy(url))  # type: ignore[misc]
        links = sum(len(t.foreign_keys) for t in catalog.tables)  # type: ignore[attr-defined]
        late += structure_s > TARGET_STRUCTURE_S or whole_s > TARGET_WHOLE_S
        print(f"{dialect}: {TABLES} tables x {COLUMNS} columns")
        print(f"  structure alone              {structure_s:6.2f} s   target {TARGET_STRUCTURE_S:.0f} s")
        print(f"  with contents and links      {whole_s:6.2f} s   target {TARGET_WHOLE_S:.0f} s   ({links} links inferred)")
        print(f"  draft of the semantic layer  {draft_s:6.2f} s")
        print(f"  SQLAlchemy inspect           {other_s:6.2f} s   (structure alone, three calls per table)")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
