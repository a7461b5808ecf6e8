"""A small shop for the compiler's tests: tables, a layer, rows, and the same rows in three engines."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from datapilot_kernel.semantic.model import Layer
from tests.servers import Server

Row = dict[str, Any]
Data = dict[str, list[Row]]
Run = Callable[[str], list[tuple[Any, ...]]]

TABLES: dict[str, dict[str, str]] = {
    "regions": {"id": "int", "nom": "text"},
    "clients": {"id": "int", "nom": "text", "ville": "text", "region_id": "int", "inscrit": "date"},
    "magasins": {"id": "int", "nom": "text", "region_id": "int"},
    "produits": {"id": "int", "nom": "text", "categorie": "text", "prix": "decimal"},
    "commandes": {
        "id": "int", "jour": "date", "cree": "timestamp", "instant": "timestamptz", "statut": "text", "montant": "decimal",
        "client_id": "int", "livre_id": "int", "magasin_id": "int",
    },
    "lignes": {"id": "int", "commande_id": "int", "produit_id": "int", "qte": "int", "montant": "decimal"},
    "objectifs": {"id": "int", "mois": "date", "region_id": "int", "montant": "decimal"},
    "stocks": {"id": "int", "jour": "date", "produit_id": "int", "qte": "int"},
}  # fmt: skip

LAYER = Layer.model_validate({
    "name": "boutique",
    "entities": {
        "region": {"table": "regions", "label": "Région", "key": ["id"], "name_dimension": "nom",
                   "dimensions": {"nom": {"column": "nom", "label": "Région"}}},
        "client": {"table": "clients", "label": "Client", "plural": "Clients", "key": ["id"], "name_dimension": "nom",
                   "dimensions": {"nom": {"column": "nom", "label": "Client"}, "ville": {"column": "ville", "label": "Ville"},
                                  "inscrit": {"column": "inscrit", "type": "date", "label": "Inscription"}},
                   "measures": {"nb_clients": {"expression": "COUNT(*)", "label": "Clients", "format": {"kind": "integer"}}}},
        "magasin": {"table": "magasins", "label": "Magasin", "key": ["id"], "name_dimension": "nom",
                    "dimensions": {"nom": {"column": "nom", "label": "Magasin"}}},
        "produit": {"table": "produits", "label": "Produit", "plural": "Produits", "key": ["id"], "name_dimension": "nom",
                    "dimensions": {"nom": {"column": "nom", "label": "Produit"}, "categorie": {"column": "categorie", "label": "Catégorie"},
                                   "prix": {"column": "prix", "type": "number", "label": "Prix"}}},
        "commande": {"table": "commandes", "label": "Commande", "plural": "Commandes", "key": ["id"], "time": "jour",
                     "default_filters": ["statut <> 'ANN'"],
                     "dimensions": {"jour": {"column": "jour", "type": "date", "label": "Date"},
                                    "cree": {"column": "cree", "type": "timestamp", "label": "Création"},
                                    "instant": {"column": "instant", "type": "timestamp", "zoned": True, "label": "Instant"},
                                    "statut": {"column": "statut", "label": "Statut"},
                                    "montant": {"column": "montant", "type": "number", "label": "Montant"},
                                    "gros": {"expression": "montant >= 100", "type": "boolean", "label": "Grosse"}},
                     "measures": {"ca": {"expression": "SUM(montant)", "label": "CA", "format": {"kind": "currency"}},
                                  "ca_fin": {"expression": "SUM(montant)", "label": "CA net", "finer": "ligne.vendu"},
                                  "nb": {"expression": "COUNT(*)", "label": "Commandes", "format": {"kind": "integer"}},
                                  "expedie": {"expression": "SUM(montant)", "filter": "statut = 'EXP'", "label": "Expédié"},
                                  "panier": {"formula": "{ca} / {nb}", "label": "Panier moyen", "additivity": "non_additive"},
                                  "mediane": {"expression": "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY montant)", "label": "Médiane",
                                              "additivity": "non_additive"},
                                  "par_objectif": {"formula": "{ca} / {objectif.objectif}", "label": "Réalisation"}}},
        "ligne": {"table": "lignes", "label": "Ligne", "plural": "Lignes", "key": ["id"],
                  "dimensions": {"qte": {"column": "qte", "type": "number", "label": "Quantité"}},
                  "measures": {"quantite": {"expression": "SUM(qte)", "label": "Quantité"},
                               "vendu": {"expression": "SUM(montant)", "label": "CA des lignes"}}},
        "objectif": {"table": "objectifs", "label": "Objectif", "key": ["id"], "time": "mois",
                     "dimensions": {"mois": {"column": "mois", "type": "date", "label": "Mois"}},
                     "measures": {"objectif": {"expression": "SUM(montant)", "label": "Objectif"}}},
        "stock": {"table": "stocks", "label": "Stock", "key": ["id"], "time": "jour",
                  "dimensions": {"jour": {"column": "jour", "type": "date", "label": "Jour"}},
                  "measures": {"stock": {"expression": "SUM(qte)", "label": "Stock", "additivity": "semi_additive"},
                               "ruptures": {"expression": "COUNT(*)", "filter": "qte = 0", "label": "Ruptures", "additivity": "semi_additive"}}},
    },
    "joins": {
        "client_region": {"from_entity": "client", "from_columns": ["region_id"], "to_entity": "region", "to_columns": ["id"], "label": "région du client"},
        "magasin_region": {"from_entity": "magasin", "from_columns": ["region_id"], "to_entity": "region", "to_columns": ["id"], "label": "région du magasin"},
        "client_facture": {"from_entity": "commande", "from_columns": ["client_id"], "to_entity": "client", "to_columns": ["id"], "label": "client facturé", "preferred": True},
        "client_livre": {"from_entity": "commande", "from_columns": ["livre_id"], "to_entity": "client", "to_columns": ["id"], "label": "client livré"},
        "commande_magasin": {"from_entity": "commande", "from_columns": ["magasin_id"], "to_entity": "magasin", "to_columns": ["id"]},
        "ligne_commande": {"from_entity": "ligne", "from_columns": ["commande_id"], "to_entity": "commande", "to_columns": ["id"]},
        "ligne_produit": {"from_entity": "ligne", "from_columns": ["produit_id"], "to_entity": "produit", "to_columns": ["id"]},
        "objectif_region": {"from_entity": "objectif", "from_columns": ["region_id"], "to_entity": "region", "to_columns": ["id"]},
        "stock_produit": {"from_entity": "stock", "from_columns": ["produit_id"], "to_entity": "produit", "to_columns": ["id"]},
    },
})  # fmt: skip

_TYPES = {
    "postgres": {"int": "integer", "text": "text", "decimal": "numeric(12,2)", "date": "date", "timestamp": "timestamp", "timestamptz": "timestamptz"},
    "mysql": {"int": "int", "text": "varchar(80)", "decimal": "decimal(12,2)", "date": "date", "timestamp": "datetime", "timestamptz": "datetime"},
    "duckdb": {"int": "integer", "text": "varchar", "decimal": "decimal(12,2)", "date": "date", "timestamp": "timestamp", "timestamptz": "timestamptz"},
}  # fmt: skip


def ddl(dialect: str) -> Iterable[str]:
    for table, columns in TABLES.items():
        cells = ", ".join(f"{name} {_TYPES[dialect][kind]}" for name, kind in columns.items())
        yield f"CREATE TABLE {table} ({cells})"


def inserts(data: Data, placeholder: str, dialect: str) -> Iterable[tuple[str, list[tuple[Any, ...]]]]:
    for table, columns in TABLES.items():
        rows = [
            tuple(_stored(row.get(name), kind, dialect) for name, kind in columns.items()) for row in data.get(table, [])
        ]
        if rows:
            marks = ", ".join([placeholder] * len(columns))
            yield f"INSERT INTO {table} VALUES ({marks})", rows


def _stored(value: Any, kind: str, dialect: str) -> Any:
    # MySQL keeps no zone: an instant is stored as the local time that its session shows.
    if kind == "timestamptz" and value is not None and dialect == "mysql":
        return value.replace(tzinfo=None)
    return value


class Engines(dict[tuple[str, Any], Run]):
    """A way to run SQL, for each engine and each set of rows."""

    def __repr__(self) -> str:
        return "engines"


@contextlib.contextmanager
def loaded(postgres: Server, mariadb: Server, shops: Mapping[Any, Data]) -> Iterator[Engines]:
    """The same rows in three engines. PostgreSQL's session is in New York, so nothing may lean on its time zone."""
    import duckdb
    import psycopg
    import pymysql

    runs = Engines()
    opened: list[Any] = []
    for key, data in shops.items():
        pg = psycopg.connect(postgres.new_database(), autocommit=True)
        pg.execute("SET timezone = 'America/New_York'")
        my = pymysql.connect(
            host="127.0.0.1", port=mariadb.port, user="root", password="secret", autocommit=True, charset="utf8mb4",
            database=mariadb.new_database().rpartition("/")[2],
        )  # fmt: skip
        cursor = my.cursor()
        cursor.execute("SET sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE'")
        duck = duckdb.connect()
        opened += [pg, my, duck]
        runs["postgres", key] = lambda sql, pg=pg: pg.execute(sql).fetchall()  # type: ignore[misc]
        runs["mysql", key] = lambda sql, cursor=cursor: (cursor.execute(sql), list(cursor.fetchall()))[1]  # type: ignore[misc]
        runs["duckdb", key] = lambda sql, duck=duck: duck.execute(sql).fetchall()  # type: ignore[misc]
        for statement in ddl("postgres"):
            pg.execute(statement)
        for statement in ddl("mysql"):
            cursor.execute(statement)
        for statement in ddl("duckdb"):
            duck.execute(statement)
        for statement, rows in inserts(data, "%s", "postgres"):
            pg.cursor().executemany(statement, rows)
        for statement, rows in inserts(data, "%s", "mysql"):
            cursor.executemany(statement, rows)
        for statement, rows in inserts(data, "?", "duckdb"):
            duck.executemany(statement, rows)
    try:
        yield runs
    finally:
        for connection in opened:
            connection.close()


def plain(value: Any) -> Any:
    """The same value, whatever the driver made of it: numbers as Decimal or float, days as dates."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, float | Decimal | int):
        return round(float(value), 4) + 0.0
    if isinstance(value, dt.datetime):
        value = value.replace(tzinfo=None)
        return value
    return value


def normal(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return [tuple(plain(value) for value in row) for row in rows]
