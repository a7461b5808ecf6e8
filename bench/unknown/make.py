"""Write one of the unknown databases: ``python -m bench.unknown.make NAME LOCATION``.

LOCATION is a PostgreSQL URL, a MariaDB URL, or a folder (French CSV files: ``;``, decimal comma, dd/mm/yyyy, cp1252).
"""

from __future__ import annotations

import importlib
import sys

from bench.unknown.table import Table, write

NAMES = (
    "negoce",
    "webshop",
    "rh",
    "saas",
    "transport",
    "compta",
    "hotel",
    "fabrication",
    "dons",
    "gerance",
    "resto",
    "cabinet",
)


def tables(name: str) -> list[Table]:
    """Return the tables of one database, always the same."""
    found: list[Table] = importlib.import_module(f"bench.unknown.{name}").tables()
    return found


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or arguments[0] not in NAMES:
        print(f"usage: python -m bench.unknown.make {{{','.join(NAMES)}}} LOCATION", file=sys.stderr)
        return 2
    made = tables(arguments[0])
    write(made, arguments[1])
    for table in made:
        print(f"{table.name:20} {len(table.rows):7}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
