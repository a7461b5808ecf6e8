"""Tables of the bench over unknown databases, and how they are written to PostgreSQL, MariaDB or French CSV files."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote, urlsplit

TODAY = dt.date(2026, 6, 17)


@dataclass
class Table:
    """One table: columns are (name, type) or (name, type, comment); type is SQL, or ``enum:a,b,c``."""

    name: str
    columns: Sequence[tuple[str, ...]]
    rows: Sequence[tuple[object, ...]]
    key: Sequence[str] = ()
    links: dict[str, str] = field(default_factory=dict)
    comment: str = ""

    @property
    def names(self) -> list[str]:
        return [column[0] for column in self.columns]


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _create(table: Table, dialect: str) -> list[str]:
    mysql, before, parts, after = dialect == "mysql", [], [], []
    for name, kind, *comment in table.columns:
        if kind.startswith("enum:"):
            values = ", ".join(_text(value) for value in kind[5:].split(","))
            if mysql:
                kind = f"ENUM({values})"
            else:
                kind = f"{table.name}_{name}"
                before += [f"DROP TYPE IF EXISTS {kind} CASCADE", f"CREATE TYPE {kind} AS ENUM ({values})"]
        elif mysql and kind == "timestamp":
            kind = "datetime"
        line = f"{name} {kind}" + (" NOT NULL" if name in table.key else "")
        if comment and mysql:
            line += f" COMMENT {_text(comment[0])}"
        elif comment:
            after.append(f"COMMENT ON COLUMN {table.name}.{name} IS {_text(comment[0])}")
        parts.append(line)
    if table.key:
        parts.append(f"PRIMARY KEY ({', '.join(table.key)})")
    for column, target in table.links.items():
        other, _, its = target.partition(".")
        parts.append(f"FOREIGN KEY ({column}) REFERENCES {other} ({its})")
    tail = ""
    if table.comment and mysql:
        tail = f" COMMENT = {_text(table.comment)}"
    elif table.comment:
        after.append(f"COMMENT ON TABLE {table.name} IS {_text(table.comment)}")
    return [*before, f"CREATE TABLE {table.name} (\n  " + ",\n  ".join(parts) + f"\n){tail}", *after]


def to_postgres(tables: list[Table], url: str) -> None:
    import psycopg

    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for table in reversed(tables):
            cursor.execute(f"DROP TABLE IF EXISTS {table.name} CASCADE")
        for table in tables:
            for statement in _create(table, "postgres"):
                cursor.execute(statement)
            with cursor.copy(f"COPY {table.name} ({', '.join(table.names)}) FROM STDIN") as copy:
                for row in table.rows:
                    copy.write_row(row)
        for table in tables:
            cursor.execute(f"ANALYZE {table.name}")


def to_mysql(tables: list[Table], url: str) -> None:
    import pymysql

    at = urlsplit(url)
    connection = pymysql.connect(
        host=at.hostname or "127.0.0.1",
        port=at.port or 3306,
        user=unquote(at.username or ""),
        password=unquote(at.password or ""),
        database=at.path.strip("/"),
        charset="utf8mb4",
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
        for table in reversed(tables):
            cursor.execute(f"DROP TABLE IF EXISTS {table.name}")
        for table in tables:
            for statement in _create(table, "mysql"):
                cursor.execute(statement)
            marks = ", ".join(["%s"] * len(table.columns))
            cursor.executemany(f"INSERT INTO {table.name} ({', '.join(table.names)}) VALUES ({marks})", table.rows)
        connection.commit()
        for table in tables:
            cursor.execute(f"ANALYZE TABLE {table.name}")


def _french(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "Oui" if value else "Non"
    if isinstance(value, Decimal | float):
        return str(value).replace(".", ",")
    if isinstance(value, dt.datetime):
        return value.strftime("%d/%m/%Y %H:%M:%S")
    if isinstance(value, dt.date):
        return value.strftime("%d/%m/%Y")
    return str(value)


def to_csv(tables: list[Table], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for table in tables:
        with (folder / f"{table.name}.csv").open("w", encoding="cp1252", newline="") as file:
            writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
            writer.writerow(table.names)
            writer.writerows([_french(value) for value in row] for row in table.rows)


def write(tables: list[Table], location: str) -> None:
    """Write the tables where ``location`` says: a PostgreSQL URL, a MariaDB/MySQL URL or a folder."""
    if location.startswith(("postgres://", "postgresql://")):
        to_postgres(tables, location)
    elif location.startswith(("mysql://", "mariadb://")):
        to_mysql(tables, location)
    else:
        to_csv(tables, Path(location))


# helpers of the generators


def money(value: float) -> Decimal:
    return Decimal(str(round(value, 2))).quantize(Decimal("0.01"))


def days(first: dt.date, last: dt.date) -> list[dt.date]:
    return [first + dt.timedelta(n) for n in range((last - first).days + 1)]


FIRST_NAMES = [
    "Camille",
    "Julien",
    "Sophie",
    "Thomas",
    "Nathalie",
    "Nicolas",
    "Céline",
    "Karim",
    "Léa",
    "Antoine",
    "Isabelle",
    "Mathieu",
    "Aïcha",
    "Romain",
    "Chloé",
    "Hugo",
    "Élodie",
    "Benoît",
    "Fatou",
    "Guillaume",
    "Manon",
    "Sébastien",
    "Inès",
    "Olivier",
    "Anaïs",
    "Pierre",
    "Mélanie",
    "Yann",
    "Laure",
    "Jérôme",
]
LAST_NAMES = [
    "Martin",
    "Bernard",
    "Dubois",
    "Robert",
    "Richard",
    "Petit",
    "Durand",
    "Leroy",
    "Moreau",
    "Simon",
    "Laurent",
    "Lefebvre",
    "Michel",
    "Garcia",
    "David",
    "Bertrand",
    "Roux",
    "Vincent",
    "Fournier",
    "Morel",
    "Girard",
    "André",
    "Mercier",
    "Dupont",
    "Lambert",
    "Bonnet",
    "François",
    "Martinez",
    "Legrand",
    "Garnier",
    "Faure",
    "Rousseau",
    "Blanc",
    "Guérin",
    "Muller",
    "Henry",
    "Roussel",
    "Perrin",
    "Morin",
    "Mathieu",
    "Clément",
    "Gauthier",
    "Benali",
    "Diallo",
    "Nguyen",
    "Le-Goff",
]
CITIES = {
    "Paris": "75011", "Lyon": "69003", "Marseille": "13008", "Toulouse": "31000", "Nantes": "44000", "Lille": "59000",
    "Bordeaux": "33000", "Rennes": "35000", "Strasbourg": "67000", "Grenoble": "38000", "Dijon": "21000", "Angers": "49000",
    "Nîmes": "30000", "Bourg-en-Bresse": "01000",
}  # fmt: skip
