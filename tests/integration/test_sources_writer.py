"""Writing tables into PostgreSQL, MariaDB and folders: what went in is there, and a broken load leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.sources.location import DatabaseLocation, parse_location
from datapilot_kernel.sources.mysql import connect_arguments
from datapilot_kernel.sources.writer import Writer, open_writer
from tests.servers import Server

CLIENTS = [("id", "integer", "Numéro du client"), ("nom", "text", "Nom d’usage"), ("cree_le", "date", None)]
COMMANDES = [
    ("id", "bigint", None),
    ("client_id", "integer", None),
    ("montant_ht", "decimal(12,2)", "Montant hors taxes, en euros"),
    ("payee", "boolean", None),
    ("passee_le", "timestamp", None),
]
CLIENT_ROWS = [(1, "Lumière & fils ; « été »", date(2024, 2, 29)), (2, 'dit "l\'œuvre"\n🙂', None)]
COMMANDE_ROWS = [  # a time without a zone, as the column's type has it
    (10, 1, Decimal("-1234.50"), True, datetime(2026, 3, 29, 2, 30)),  # noqa: DTZ001
    (11, 2, None, False, None),
]


def _fill(writer: Writer) -> None:
    # The table that points comes before the table it points at, on purpose.
    writer.create_table("commandes", COMMANDES, ["id"], [(["client_id"], "clients", ["id"])], "Commandes passées")
    writer.load("commandes", [c[0] for c in COMMANDES], iter(COMMANDE_ROWS))
    writer.create_table("clients", CLIENTS, ["id"], comment="L'annuaire")
    assert writer.load("clients", ["id", "nom", "cree_le"], iter(CLIENT_ROWS)) == 2


def _mysql(url: str) -> pymysql.Connection[Any]:
    where = parse_location(url)
    assert isinstance(where, DatabaseLocation)
    return pymysql.connect(**connect_arguments(where))


@pytest.mark.postgres
def test_postgres(postgres: Server) -> None:
    url = postgres.new_database()
    with open_writer(url) as writer:
        _fill(writer)
        writer.finish()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT * FROM clients ORDER BY id").fetchall() == CLIENT_ROWS
        assert connection.execute("SELECT * FROM commandes ORDER BY id").fetchall() == COMMANDE_ROWS
        keys = connection.execute(
            "SELECT contype::text FROM pg_constraint WHERE conrelid = 'commandes'::regclass AND contype IN ('p', 'f')"
        ).fetchall()
        assert sorted(k for (k,) in keys) == ["f", "p"]
        assert connection.execute("SELECT obj_description('clients'::regclass)").fetchone() == ("L'annuaire",)
        assert connection.execute("SELECT col_description('clients'::regclass, 2)").fetchone() == ("Nom d’usage",)


@pytest.mark.mariadb
def test_mariadb(mariadb: Server) -> None:
    url = mariadb.new_database()
    with open_writer(url) as writer:
        _fill(writer)
        writer.finish()
    with _mysql(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM clients ORDER BY id")
        assert list(cursor.fetchall()) == CLIENT_ROWS
        cursor.execute("SELECT * FROM commandes ORDER BY id")
        assert list(cursor.fetchall()) == COMMANDE_ROWS
        cursor.execute(
            "SELECT referenced_table_name FROM information_schema.key_column_usage WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL"
        )
        assert cursor.fetchall() == (("clients",),)
        cursor.execute(
            "SELECT column_comment FROM information_schema.columns WHERE table_schema = DATABASE() AND column_name = 'nom'"
        )
        assert cursor.fetchall() == (("Nom d’usage",),)


def _tables(url: str) -> list[str]:
    if url.startswith("postgres"):
        with psycopg.connect(url) as connection:
            return [
                n for (n,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            ]
    with _mysql(url) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW TABLES")
        return [n for (n,) in cursor.fetchall()]


@pytest.mark.postgres
@pytest.mark.mariadb
def test_a_failed_load_leaves_nothing_and_says_it_in_one_sentence(postgres: Server, mariadb: Server) -> None:
    for server in (postgres, mariadb):
        url = server.new_database()
        writer = open_writer(url)
        writer.create_table("t", [("id", "integer", None)], ["id"])
        with pytest.raises(SourceProblem) as caught, writer:
            writer.load("t", ["id"], [(424242,), (424242,)])
        assert _tables(url) == []
        assert "424242" not in f"{caught.value} {caught.value!r} {caught.value.log}"


@pytest.mark.postgres
@pytest.mark.mariadb
def test_an_existing_table_stays_unless_replaced(postgres: Server, mariadb: Server, tmp_path: Path) -> None:
    folder = str(tmp_path / "csv")
    for url in (postgres.new_database(), mariadb.new_database(), folder):
        fill: Callable[[Writer], None]
        for replace, nom in ((False, "un"), (False, "deux"), (True, "trois")):

            def fill(writer: Writer, nom: str = nom) -> None:
                writer.create_table("clients", CLIENTS, ["id"])
                writer.load("clients", ["id", "nom"], [(1, nom)])
                writer.finish()

            if nom == "deux":
                with pytest.raises(SourceProblem), open_writer(url, replace=replace) as writer:
                    fill(writer)
                continue
            with open_writer(url, replace=replace) as writer:
                fill(writer)
        if url == folder:
            content = (tmp_path / "csv" / "clients.csv").read_text(encoding="utf-8-sig")
            assert "trois" in content
            assert "un" not in content.splitlines()[1]
        else:
            assert _tables(url) == ["clients"]


def test_french_csv(tmp_path: Path) -> None:
    with open_writer(str(tmp_path), encoding="cp1252") as writer:
        _fill(writer)
        writer.finish()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clients.csv", "commandes.csv"]
    # cp1252 cannot hold the emoji of clients: that file goes out as UTF-8 with its mark.
    assert (tmp_path / "clients.csv").read_bytes().startswith(b"\xef\xbb\xbfId;Nom;Cree le\r\n1;")
    text = (tmp_path / "commandes.csv").read_bytes().decode("cp1252")
    assert text == ("Id;Client id;Montant ht;Payee;Passee le\r\n10;1;-1234,50;oui;29/03/2026 02:30:00\r\n11;2;;non;\r\n")


def test_an_abandoned_folder_is_clean(tmp_path: Path) -> None:
    with open_writer(str(tmp_path)) as writer:
        _fill(writer)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceProblem, match="dossier"):
        open_writer(str(tmp_path / "x.duckdb"))
