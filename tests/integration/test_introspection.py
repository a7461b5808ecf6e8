"""Introspection of real servers and files: structure, contents, keys that nobody declared, what is personal, what is refused."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

import pytest

from datapilot_kernel.catalog import Catalog, ForeignKey, introspect
from datapilot_kernel.errors import Cancelled
from datapilot_kernel.sources import CancelToken, open_source
from tests import schemas
from tests.servers import Server

ENGINES = ["postgres", "mysql", "duckdb"]


def take(location: str | Path, **options: object) -> Catalog:
    source = open_source(str(location))
    try:
        return introspect(source, **options)  # type: ignore[arg-type]
    finally:
        source.close()


@pytest.fixture(scope="module")
def catalogs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Catalog]:
    """Every invented schema in every engine that runs here."""
    found: dict[tuple[str, str], Catalog] = {}
    servers = {"postgres": request.getfixturevalue("postgres"), "mysql": request.getfixturevalue("mariadb")}
    for name, make in schemas.ALL.items():
        schema = make()
        for dialect, server in servers.items():
            url = server.new_database(name)
            (schemas.load_postgres if dialect == "postgres" else schemas.load_mysql)(schema, url)
            found[name, dialect] = take(url)
        path = tmp_path_factory.mktemp(name) / f"{name}.duckdb"
        found[name, "duckdb"] = take(schemas.load_duckdb(schema, path))
    return found


@pytest.mark.parametrize("dialect", ENGINES)
def test_structure(catalogs: dict[tuple[str, str], Catalog], dialect: str) -> None:
    catalog = catalogs["webshop", dialect]
    assert catalog.dialect == dialect
    assert {t.name for t in catalog.tables} == {
        "customers",
        "categories",
        "products",
        "orders",
        "order_items",
        "payments",
        "reviews",
        "schema_migrations",
    }
    orders = catalog.table(f"{catalog.default_schema}.orders")
    assert orders.primary_key == ("id",)
    assert {c.name: c.type for c in orders.columns} == {
        "id": "integer", "customer_id": "integer", "order_date": "timestamp", "shipped_at": "timestamp", "status": "text", "total_amount": "decimal",
        "created_at": "timestamp", "updated_at": "timestamp",
    }  # fmt: skip
    assert orders.foreign_keys == (
        ForeignKey(columns=("customer_id",), ref_table=f"{catalog.default_schema}.customers", ref_columns=("id",)),
    )
    assert catalog.table(f"{catalog.default_schema}.products").column("is_active").type == "boolean"
    assert orders.row_estimate == 500
    assert not orders.column("id").nullable


@pytest.mark.parametrize("dialect", ENGINES)
def test_contents(catalogs: dict[tuple[str, str], Catalog], dialect: str) -> None:
    catalog = catalogs["webshop", dialect]
    orders = catalog.table(f"{catalog.default_schema}.orders")
    status = orders.column("status")
    assert status.values is not None
    assert set(status.values) == {"pending", "shipped", "delivered", "cancelled"}
    assert status.values[0] == "delivered"  # the most frequent first
    assert status.distinct_count == 4
    assert orders.column("order_date").minimum == datetime(2024, 1, 2, 16)  # noqa: DTZ001
    assert 0 < (orders.column("shipped_at").null_share or 0) < 0.5
    assert orders.column("status").null_share == 0
    assert catalog.table(f"{catalog.default_schema}.categories").column("name").values == ("Bags", "Hats", "Shoes")


@pytest.mark.parametrize("dialect", ENGINES)
def test_personal_columns_are_never_valued(catalogs: dict[tuple[str, str], Catalog], dialect: str) -> None:
    for name in schemas.ALL:
        for table in catalogs[name, dialect].tables:
            for column in table.columns:
                if column.personal:
                    assert column.values is None
                    assert column.minimum is column.maximum is None
    customers = catalogs["webshop", dialect].table(f"{catalogs['webshop', dialect].default_schema}.customers")
    assert {c.name for c in customers.columns if c.personal} == {"first_name", "last_name", "email", "phone"}
    hr = catalogs["hr", dialect]
    assert {c.name for c in hr.table(f"{hr.default_schema}.salaries").columns if c.personal} == {
        "nom",
        "prenom",
        "date_naissance",
    }


@pytest.mark.parametrize("dialect", ENGINES)
def test_a_column_whose_values_are_personal_is_personal(
    postgres: Server, mariadb: Server, tmp_path: Path, dialect: str
) -> None:
    schema = schemas.Invented(
        ["CREATE TABLE suivi (id INTEGER PRIMARY KEY, info VARCHAR(60), joindre VARCHAR(60), libre VARCHAR(60))"],
        {"suivi": [(i, f"jean{i % 9}@example.org", f"06 12 34 56 {i % 9 + 10}", "ok") for i in range(40)]},
    )
    location = _load(schema, dialect, postgres, mariadb, tmp_path)
    (table,) = take(location).tables
    assert [c.name for c in table.columns if c.personal] == ["info", "joindre"]
    assert table.column("info").values is None
    assert table.column("libre").values == ("ok",)


def _load(schema: schemas.Invented, dialect: str, postgres: Server, mariadb: Server, tmp_path: Path) -> str | Path:
    if dialect == "duckdb":
        return schemas.load_duckdb(schema, tmp_path / "x.duckdb")
    url = (postgres if dialect == "postgres" else mariadb).new_database()
    (schemas.load_postgres if dialect == "postgres" else schemas.load_mysql)(schema, url)
    return url


def _links(catalog: Catalog) -> set[tuple[str, str, str, str, bool]]:
    return {
        (t.name, fk.columns[0], fk.ref_table.rpartition(".")[2], fk.ref_columns[0], fk.inferred)
        for t in catalog.tables
        for fk in t.foreign_keys
    }


@pytest.mark.parametrize("dialect", ENGINES)
def test_undeclared_links_between_codes(catalogs: dict[tuple[str, str], Catalog], dialect: str) -> None:
    assert _links(catalogs["erp", dialect]) == {
        ("T_CLI", "CD_REP", "T_REP", "CD_REP", True), ("T_ART", "CD_FAM", "T_FAM", "CD_FAM", True), ("T_CDE", "CD_CLI", "T_CLI", "CD_CLI", True),
        ("T_CDE_LIG", "NO_CDE", "T_CDE", "NO_CDE", True), ("T_CDE_LIG", "CD_ART", "T_ART", "CD_ART", True), ("T_FACT", "NO_CDE", "T_CDE", "NO_CDE", True),
    }  # fmt: skip


@pytest.mark.parametrize("dialect", ENGINES)
def test_undeclared_links_between_ids_and_roles(catalogs: dict[tuple[str, str], Catalog], dialect: str) -> None:
    assert _links(catalogs["saas", dialect]) == {
        ("Subscriptions", "accountId", "Accounts", "accountId", True), ("Subscriptions", "planId", "Plans", "planId", True),
        ("Invoices", "accountId", "Accounts", "accountId", True), ("Tickets", "accountId", "Accounts", "accountId", True),
        ("Tickets", "assigneeId", "Users", "userId", True), ("Tickets", "createdById", "Users", "userId", True),
    }  # fmt: skip
    assert ("salaries", "id_manager", "salaries", "id_salarie", True) in _links(catalogs["hr", dialect])


@pytest.mark.parametrize("dialect", ENGINES)
def test_a_name_without_the_values_is_no_link(postgres: Server, mariadb: Server, tmp_path: Path, dialect: str) -> None:
    schema = schemas.Invented(
        ["CREATE TABLE agents (id_agent INTEGER PRIMARY KEY, zone VARCHAR(9))", "CREATE TABLE ventes (id_vente INTEGER PRIMARY KEY, id_agent INTEGER, objectif_agents INTEGER)"],
        {"agents": [(i, "N") for i in range(1, 9)], "ventes": [(i, 1000 + i, i % 8 + 1) for i in range(1, 40)]},
    )  # fmt: skip
    assert _links(take(_load(schema, dialect, postgres, mariadb, tmp_path))) == set()


def test_files_get_keys_and_links(tmp_path: Path) -> None:
    (tmp_path / "Clients.csv").write_text(
        "Code client;Raison sociale;Ville\nC001;Durand SA;Lyon\nC002;Petit SARL;Paris\nC003;Roux SAS;Lyon\n",
        encoding="cp1252",
    )
    (tmp_path / "Factures.csv").write_text(
        "N° facture;Code client;Date facture;Montant HT\n"
        + "".join(f"F{i:04};C00{i % 3 + 1};{i % 28 + 1:02}/03/2025;{i},50\n" for i in range(1, 60)),
        encoding="cp1252",
    )
    catalog = take(tmp_path)
    factures, clients = catalog.table("main.factures"), catalog.table("main.clients")
    assert clients.primary_key == ("code_client",)
    assert factures.primary_key == ("num_facture",)
    assert factures.foreign_keys == (
        ForeignKey(columns=("code_client",), ref_table="main.clients", ref_columns=("code_client",), inferred=True),
    )
    assert factures.column("date_facture").minimum == date(2025, 3, 1)


def test_postgres_views_schemas_comments_enums_domains_partitions(postgres: Server) -> None:
    import psycopg

    url = postgres.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("""
            CREATE SCHEMA ventes;
            CREATE TYPE statut AS ENUM ('ouvert', 'clos', 'jamais');
            CREATE DOMAIN euros AS numeric(12,2);
            CREATE TABLE ventes.tickets (id serial PRIMARY KEY, statut statut, prix euros, "Été %" date, fin timestamptz, tags text[], doc jsonb, statut2 text);
            COMMENT ON TABLE ventes.tickets IS 'Tickets de caisse';
            COMMENT ON COLUMN ventes.tickets.prix IS 'Prix payé';
            CREATE UNIQUE INDEX ON ventes.tickets ("Été %", prix);
            CREATE UNIQUE INDEX ON ventes.tickets (lower(statut2)) WHERE id > 3;
            INSERT INTO ventes.tickets (statut, prix, "Été %", fin) VALUES ('clos', 3, '2025-01-01', now()), ('clos', 4, '2025-02-01', now());
            CREATE VIEW ventes.v_clos AS SELECT id, prix FROM ventes.tickets WHERE statut = 'clos';
            CREATE TABLE mesures (jour date, valeur numeric) PARTITION BY RANGE (jour);
            CREATE TABLE mesures_2025 PARTITION OF mesures FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
            INSERT INTO mesures VALUES ('2025-05-05', 1);
        """)
    catalog = take(url)
    assert [(t.key, t.kind) for t in catalog.tables] == [
        ("public.mesures", "table"),
        ("ventes.tickets", "table"),
        ("ventes.v_clos", "view"),
    ]
    tickets = catalog.table("ventes.tickets")
    assert tickets.comment == "Tickets de caisse"
    assert tickets.column("prix").comment == "Prix payé"
    assert {c.name: c.type for c in tickets.columns} == {
        "id": "integer", "statut": "text", "prix": "decimal", "Été %": "date", "fin": "timestamptz", "tags": "array", "doc": "json", "statut2": "text",
    }  # fmt: skip
    assert tickets.unique_keys == (("Été %", "prix"),)
    assert tickets.column("statut").values == ("clos", "ouvert", "jamais")
    assert tickets.column("Été %").maximum == date(2025, 2, 1)
    assert catalog.table("public.mesures").column("jour").minimum == date(2025, 5, 5)


def test_a_table_without_permission_costs_a_note(postgres: Server, mariadb: Server) -> None:
    import psycopg

    url = postgres.new_database()
    reader = f"lecteur_{url[-6:]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"""
            CREATE TABLE ouverte (id int PRIMARY KEY, nom text);
            CREATE TABLE secrete (id int PRIMARY KEY, ouverte_id int REFERENCES ouverte);
            CREATE TABLE partielle (id int PRIMARY KEY, visible text, cache text, secrete_id int REFERENCES secrete);
            CREATE ROLE {reader} LOGIN PASSWORD 'x';
            GRANT SELECT ON ouverte TO {reader};
            GRANT SELECT (id, visible, secrete_id) ON partielle TO {reader};
        """)
    catalog = take(re.sub(r"//[^@]+@", f"//{reader}:x@", url))
    assert [t.name for t in catalog.tables] == ["ouverte", "partielle"]
    assert [c.name for c in catalog.table("public.partielle").columns] == ["id", "visible", "secrete_id"]
    assert catalog.table("public.partielle").foreign_keys == ()
    assert len(catalog.notes) == 1
    assert "secrete" in catalog.notes[0]

    import pymysql

    url = mariadb.new_database()
    database = url.rpartition("/")[2]
    connection = pymysql.connect(
        host="127.0.0.1", port=mariadb.port, user="root", password="secret", database=database, autocommit=True
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE base (id int PRIMARY KEY, n int)")
        cursor.execute("CREATE TABLE cachee (id int PRIMARY KEY)")
        cursor.execute("CREATE SQL SECURITY INVOKER VIEW vue AS SELECT id FROM cachee")
        cursor.execute(f"CREATE USER '{reader}'@'%' IDENTIFIED BY 'x'")
        cursor.execute(f"GRANT SELECT ON {database}.base TO '{reader}'@'%'")
        cursor.execute(f"GRANT SELECT ON {database}.vue TO '{reader}'@'%'")
    catalog = take(re.sub(r"//[^@]+@", f"//{reader}:x@", url))
    assert [t.name for t in catalog.tables] == ["base"]
    assert len(catalog.notes) == 1
    assert "vue" in catalog.notes[0]


def test_without_profile_nothing_is_read(postgres: Server) -> None:
    url = postgres.new_database()
    schemas.load_postgres(schemas.webshop(), url)
    catalog = take(url, profile=False)
    assert all(c.values is None and c.minimum is None for t in catalog.tables for c in t.columns)
    assert len(catalog.tables) == 8


def test_a_spent_budget_is_said(postgres: Server) -> None:
    url = postgres.new_database()
    schemas.load_postgres(schemas.webshop(), url)
    catalog = take(url, budget_s=0.0)
    assert len(catalog.tables) == 8
    assert any("8" in note and "orders" in note for note in catalog.notes)


def test_progress_and_cancel(postgres: Server) -> None:
    url = postgres.new_database()
    schemas.load_postgres(schemas.hr(), url)
    steps: list[tuple[str, int, int]] = []
    take(url, progress=lambda p: steps.append((p.step, p.done, p.total)))
    assert [s for s in steps if s[0] == "profile"] == [("profile", n, 4) for n in (1, 2, 3, 4)]
    assert steps[0] == ("structure", 0, 1)
    assert steps[-1] == ("keys", 1, 1)
    token = CancelToken()
    with pytest.raises(Cancelled):
        take(url, cancel=token, progress=lambda p: token.cancel())


def test_the_same_source_gives_the_same_catalog(catalogs: dict[tuple[str, str], Catalog], tmp_path: Path) -> None:
    path = schemas.load_duckdb(schemas.erp(), tmp_path / "again.duckdb")
    again, before = take(path), catalogs["erp", "duckdb"]
    assert again.version == before.version
    assert again.tables == before.tables


def test_mysql_integers_called_tinyint_1(mariadb: Server, postgres: Server, tmp_path: Path) -> None:
    schema = schemas.Invented(
        ["CREATE TABLE t (id INTEGER PRIMARY KEY, actif TINYINT(1), note TINYINT(1))"], {"t": [(1, 1, 3), (2, 0, 5)]}
    )
    (table,) = take(_load(schema, "mysql", postgres, mariadb, tmp_path)).tables
    assert (table.column("actif").type, table.column("note").type) == ("boolean", "integer")
    assert table.column("note").maximum == 5


@pytest.mark.parametrize("dialect", ENGINES)
def test_empty_tables_and_wide_ones(postgres: Server, mariadb: Server, tmp_path: Path, dialect: str) -> None:
    wide = ", ".join(f"c{i} VARCHAR(3)" for i in range(200))
    schema = schemas.Invented(
        ["CREATE TABLE vide (id INTEGER, nom VARCHAR(10))", f"CREATE TABLE large (id INTEGER PRIMARY KEY, {wide})"],
        {"large": [(1, *(["x"] * 200)), (2, *(["y"] * 200))]},
    )
    catalog = take(_load(schema, dialect, postgres, mariadb, tmp_path))
    assert catalog.notes == ()
    assert len(catalog.table(f"{catalog.default_schema}.large").columns) == 201
    assert catalog.table(f"{catalog.default_schema}.large").column("c199").values == ("x", "y")
    assert catalog.table(f"{catalog.default_schema}.vide").primary_key == ()
