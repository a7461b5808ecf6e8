"""The demo tenants: deterministic, whole, with their flaws; the same in PostgreSQL, MariaDB and French CSV."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections import Counter, defaultdict
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from datapilot_kernel.cli import demo_data_command
from datapilot_kernel.demo.loader import layer_path, load_tenant, tenants
from datapilot_kernel.demo.tables import DemoTenant, Rows
from datapilot_kernel.semantic.model import Layer
from datapilot_kernel.sources import open_source
from tests import servers

TODAY = date(2026, 6, 17)
TENANTS = tenants()
ML, AR = TENANTS["maison-lumiere"], TENANTS["atelier-roche"]


@pytest.fixture(scope="module")
def made() -> dict[str, Rows]:
    return {slug: tenant.generate(TODAY, 1789) for slug, tenant in TENANTS.items()}


def column(tenant: DemoTenant, rows: Rows, name: str) -> list[Any]:
    table_name, _, column_name = name.partition(".")
    table = next(t for t in tenant.tables if t.name == table_name)
    at = table.column_names.index(column_name)
    return [row[at] for row in rows[table_name]]


def digest(rows: Rows) -> str:
    return hashlib.sha256(repr(sorted((name, list(table)) for name, table in rows.items())).encode()).hexdigest()


@pytest.mark.parametrize("tenant", [ML, AR], ids=lambda t: t.slug)
def test_equal_seed_and_day_give_equal_bytes_and_others_do_not(tenant: DemoTenant, made: dict[str, Rows]) -> None:
    first = digest(made[tenant.slug])
    assert digest(tenant.generate(TODAY, 1789)) == first
    assert digest(tenant.generate(TODAY, 1790)) != first
    assert digest(tenant.generate(date(2026, 6, 18), 1789)) != first


def test_the_same_bytes_as_when_the_bench_was_written(made: dict[str, Rows]) -> None:
    """Gold answers were checked on these data: whoever changes the generator checks them again, and this line."""
    rows = made["maison-lumiere"]
    ca = sum(
        amount
        for amount, status in zip(column(ML, rows, "commandes.mt_ht"), column(ML, rows, "commandes.statut"), strict=True)
        if status != "ANN"
    )
    assert ca == Decimal("22202310.01")


def test_volumes(made: dict[str, Rows]) -> None:
    counts = {name: len(table) for name, table in made["maison-lumiere"].items()}
    assert counts["commandes"] == 60_000
    assert 170_000 < counts["lignes_commande"] < 195_000
    assert counts["clients"] == 4_000
    assert 280 < counts["produits"] < 360
    assert 55_000 < counts["factures"] < counts["commandes"]
    assert min(counts[name] for name in ("retours", "avoirs")) > 2_500
    assert counts["objectifs"] > 500
    days = column(ML, made["maison-lumiere"], "commandes.date_commande")
    assert (min(days), max(days)) == (date(2023, 6, 18), TODAY)
    small = {name: len(table) for name, table in made["atelier-roche"].items()}
    assert small["ordres_fabrication"] > 3_000
    assert sum(small.values()) < 12_000


@pytest.mark.parametrize("tenant", [ML, AR], ids=lambda t: t.slug)
def test_keys_hold(tenant: DemoTenant, made: dict[str, Rows]) -> None:
    rows = made[tenant.slug]
    assert set(rows) == {table.name for table in tenant.tables}
    for table in tenant.tables:
        keys = column(tenant, rows, f"{table.name}.{table.primary_key}")
        assert len(set(keys)) == len(keys), table.name
        assert None not in keys
        for key in table.foreign_keys:
            there = set(column(tenant, rows, f"{key.table}.{key.target}")) | {None}
            assert set(column(tenant, rows, f"{table.name}.{key.column}")) <= there, f"{table.name}.{key.column}"


@pytest.mark.parametrize("tenant", [ML, AR], ids=lambda t: t.slug)
def test_every_value_is_of_its_column_s_type(tenant: DemoTenant, made: dict[str, Rows]) -> None:
    kinds = {"integer": int, "text": str, "date": date, "timestamp": datetime, "boolean": bool}
    for table in tenant.tables:
        for spec in table.columns:
            values = [v for v in column(tenant, made[tenant.slug], f"{table.name}.{spec.name}") if v is not None]
            assert values, f"{table.name}.{spec.name} is always empty"
            if spec.type.startswith("decimal"):
                precision, scale = map(int, spec.type[8:-1].split(","))
                assert all(isinstance(v, Decimal) and -v.as_tuple().exponent == scale for v in values), spec.name
                assert max(abs(v) for v in values) < 10 ** (precision - scale)
            else:
                assert {type(v) for v in values} == {kinds[spec.type]}, f"{table.name}.{spec.name}"


def test_every_table_and_column_has_a_comment() -> None:
    for tenant in (ML, AR):
        for table in tenant.tables:
            assert table.comment
            for spec in table.columns:
                assert len(spec.comment) > 2, f"{table.name}.{spec.name}"


def test_every_table_and_column_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "fr" / "donnees-demo.md").read_text(encoding="utf-8")
    for tenant in (ML, AR):
        part = text.split(f"\n## {tenant.label}", 1)[1].split("\n## ", 1)[0]
        for table in tenant.tables:
            assert f"**{table.name}**" in part
            for spec in table.columns:
                assert spec.name in part, f"{table.name}.{spec.name}"


def test_amounts_add_up_to_the_cent(made: dict[str, Rows]) -> None:
    rows = made["maison-lumiere"]
    net: dict[int, Decimal] = defaultdict(Decimal)
    gross: dict[int, Decimal] = defaultdict(Decimal)
    for order, ht, ttc in zip(
        *(column(ML, rows, f"lignes_commande.{name}") for name in ("id_commande", "mt_ht", "mt_ttc")), strict=True
    ):
        net[order] += ht
        gross[order] += ttc
    for number, ht, tva, ttc in zip(
        *(column(ML, rows, f"commandes.{name}") for name in ("id_commande", "mt_ht", "mt_tva", "mt_ttc")), strict=True
    ):
        assert (net[number], gross[number], ht + tva) == (ht, ttc, ttc)
    paid: dict[int, Decimal] = defaultdict(Decimal)
    for invoice, amount in zip(*(column(ML, rows, f"reglements.{name}") for name in ("id_facture", "montant")), strict=True):
        paid[invoice] += amount
    for number, due, status, ttc, settled in zip(
        *(column(ML, rows, f"factures.{name}") for name in ("id_facture", "date_echeance", "statut", "mt_ttc", "mt_regle")),
        strict=True,
    ):
        assert paid[number] == settled
        expected = "PAY" if settled == ttc else "IMP" if due < TODAY else "ATT"
        assert status in {expected, "ANN"}


def test_nothing_happened_after_the_reference_day(made: dict[str, Rows]) -> None:
    ahead = {"date_echeance", "mois", "date_fin_prevue"}
    for tenant in (ML, AR):
        for table in tenant.tables:
            for spec in table.columns:
                if spec.type in {"date", "timestamp"} and spec.name not in ahead:
                    for value in column(tenant, made[tenant.slug], f"{table.name}.{spec.name}"):
                        day = value.date() if isinstance(value, datetime) else value
                        assert day is None or day <= TODAY, f"{table.name}.{spec.name}"


def test_flaws_of_real_life(made: dict[str, Rows]) -> None:
    rows = made["maison-lumiere"]
    towns = set(column(ML, rows, "clients.ville"))
    assert {"Lyon", "LYON", "Saint-Étienne"} <= towns
    people = zip(*(column(ML, rows, f"clients.{name}") for name in ("type_client", "email")), strict=True)
    emails = Counter(mail for kind, mail in people if mail and kind == "PART")
    assert 20 < sum(count > 1 for count in emails.values()) < 80
    for name in (
        "clients.email",
        "clients.region",
        "clients.segment",
        "commandes.id_client",
        "retours.motif",
        "produits.poids_kg",
    ):
        empty = column(ML, rows, name).count(None)
        assert 0 < empty < len(column(ML, rows, name)) / 3, name
    assert 0.02 < column(ML, rows, "commandes.statut").count("ANN") / 60_000 < 0.07
    with_lines = set(column(ML, rows, "lignes_commande.id_commande"))
    assert 50 < sum(n not in with_lines for n in column(ML, rows, "commandes.id_commande")) < 400
    buyers = set(column(ML, rows, "commandes.id_client"))
    assert 100 < sum(n not in buyers for n in column(ML, rows, "clients.id_client")) < 800
    assert column(ML, rows, "commerciaux.nom").count("Martin") == 2
    assert any(code.startswith("0") for code in column(ML, rows, "clients.code_postal"))


def test_seasons_and_growth(made: dict[str, Rows]) -> None:
    days = Counter((day.year, day.month) for day in column(ML, made["maison-lumiere"], "commandes.date_commande"))
    assert days[2025, 12] > 1.5 * days[2025, 2] > days[2025, 8]
    assert sum(days[2025, month] for month in range(1, 13)) > sum(days[2024, month] for month in range(1, 13))


@pytest.mark.parametrize("tenant", [ML, AR], ids=lambda t: t.slug)
def test_the_layer_names_what_there_is(tenant: DemoTenant, made: dict[str, Rows]) -> None:
    layer = Layer.model_validate(yaml.safe_load(layer_path(tenant).read_text(encoding="utf-8")))
    assert layer.status == "accepted"
    tables = {table.name: table for table in tenant.tables}
    assert {entity.table for entity in layer.entities.values()} == set(tables)
    for name, entity in layer.entities.items():
        columns = set(tables[entity.table].column_names)
        for dimension in entity.dimensions.values():
            if dimension.column is not None:
                assert dimension.column in columns, f"{name}: {dimension.column}"
                if dimension.values and dimension.type == "text":
                    stored = set(column(tenant, made[tenant.slug], f"{entity.table}.{dimension.column}")) - {None}
                    assert set(dimension.values) <= stored, f"{name}: {dimension.label}"
        for wanted in (entity.time, entity.name_dimension):
            assert wanted is None or wanted in entity.dimensions
    for key in (k for table in tenant.tables for k in [(table.name, f.column, f.table) for f in table.foreign_keys]):
        assert any(
            (layer.entities[j.from_entity].table, j.from_columns, layer.entities[j.to_entity].table)
            == (key[0], (key[1],), key[2])
            for j in layer.joins.values()
        ), key


def sums(tenant: DemoTenant, rows: Rows) -> dict[str, tuple[int, Decimal]]:
    """Rows and the sum of every number, by table: what the three forms must agree on."""
    found = {}
    for table in tenant.tables:
        total = Decimal(0)
        for spec in table.columns:
            if spec.type == "integer" or spec.type.startswith("decimal"):
                total += sum(
                    (Decimal(v) for v in column(tenant, rows, f"{table.name}.{spec.name}") if v is not None), Decimal(0)
                )
        found[table.name] = (len(rows[table.name]), total)
    return found


def query_sums(tenant: DemoTenant, run: Any) -> dict[str, tuple[int, Decimal]]:
    found = {}
    for table in tenant.tables:
        numbers = [spec.name for spec in table.columns if spec.type == "integer" or spec.type.startswith("decimal")]
        count, *totals = run(f"SELECT COUNT(*), {', '.join(f'SUM({name})' for name in numbers)} FROM {table.name}")[0]
        found[table.name] = (int(count), sum((Decimal(total) for total in totals), Decimal(0)))
    return found


@pytest.mark.postgres
@pytest.mark.parametrize("tenant", [ML, AR], ids=lambda t: t.slug)
def test_postgres_holds_the_same_with_comments_and_keys(
    tenant: DemoTenant, postgres: servers.Server, made: dict[str, Rows]
) -> None:
    import psycopg

    url = postgres.new_database("demo")
    load_tenant(tenant, url, today=TODAY)
    with psycopg.connect(url) as connection:

        def run(sql: str) -> list[tuple[Any, ...]]:
            return connection.execute(sql).fetchall()  # type: ignore[arg-type]

        assert query_sums(tenant, run) == sums(tenant, made[tenant.slug])
        columns = run(
            "SELECT c.relname, a.attname, col_description(c.oid, a.attnum), obj_description(c.oid, 'pg_class') FROM pg_class c"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
        )
        assert {(t, c, d, td) for t, c, d, td in columns} == {
            (t.name, c.name, c.comment, t.comment) for t in tenant.tables for c in t.columns
        }
        keys = run("SELECT COUNT(*) FROM pg_constraint WHERE contype = 'f'")
        assert keys == [(sum(len(t.foreign_keys) for t in tenant.tables),)]


@pytest.mark.mariadb
@pytest.mark.parametrize("tenant", [ML, AR], ids=lambda t: t.slug)
def test_mariadb_holds_the_same_with_comments_and_keys(
    tenant: DemoTenant, mariadb: servers.Server, made: dict[str, Rows]
) -> None:
    import pymysql

    url = mariadb.new_database("demo")
    load_tenant(tenant, url, today=TODAY)
    connection = pymysql.connect(
        host="127.0.0.1",
        port=mariadb.port,
        user="root",
        password="secret",
        database=url.rpartition("/")[2],
        charset="utf8mb4",
    )
    with connection, connection.cursor() as cursor:

        def run(sql: str) -> list[tuple[Any, ...]]:
            cursor.execute(sql)
            return list(cursor.fetchall())

        assert query_sums(tenant, run) == sums(tenant, made[tenant.slug])
        columns = run(
            "SELECT table_name, column_name, column_comment FROM information_schema.columns WHERE table_schema = DATABASE()"
        )
        assert set(columns) == {(t.name, c.name, c.comment) for t in tenant.tables for c in t.columns}
        keys = run("SELECT COUNT(*) FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE()")
        assert keys == [(sum(len(t.foreign_keys) for t in tenant.tables),)]


@pytest.mark.parametrize("tenant", [ML, AR], ids=lambda t: t.slug)
def test_french_csv_holds_the_same(tenant: DemoTenant, tmp_path: Path, made: dict[str, Rows]) -> None:
    load_tenant(tenant, str(tmp_path), today=TODAY)
    read: dict[str, list[tuple[Any, ...]]] = {}
    for table in tenant.tables:
        with (tmp_path / f"{table.name}.csv").open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(stream, delimiter=";")
            next(lines)
            read[table.name] = [
                tuple(
                    Decimal(cell.replace(",", "."))
                    if cell and (c.type == "integer" or c.type.startswith("decimal"))
                    else cell or None
                    for c, cell in zip(table.columns, line, strict=True)
                )
                for line in lines
            ]
    assert sums(tenant, read) == sums(tenant, made[tenant.slug])
    text = (tmp_path / "clients.csv").read_text(encoding="utf-8-sig")
    assert "Saint-Étienne" in text
    assert ";01000;" in text
    # And as our own reader of French CSV sees it: same names, same sums, codes still text.
    source = open_source(str(tmp_path))
    try:
        assert query_sums(tenant, lambda sql: source.execute(sql).rows) == sums(tenant, made[tenant.slug])
        ours = source.execute("SELECT * FROM clients").columns
        assert [column.name for column in ours] == next(t for t in tenant.tables if t.name == "clients").column_names
        assert {column.name: column.type for column in ours}["code_postal"] == "text"
    finally:
        source.close()


def test_the_command_writes_a_folder_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    demo_data_command.register(parser.add_subparsers())
    arguments = ["demo-data", "--to", str(tmp_path / "d"), "--today", "2026-06-17", "--tenant", "atelier-roche"]
    assert demo_data_command.run(parser.parse_args([*arguments, "--json"])) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["today"] == "2026-06-17"
    assert set(told["rows"]) == {path.stem for path in (tmp_path / "d").glob("*.csv")}
    assert "ordres_fabrication" in err
    with pytest.raises(SystemExit):
        parser.parse_args(["demo-data", "--to", "x", "--today", "17/06/2026"])


def test_the_reference_day_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    demo_data_command.register(parser.add_subparsers())
    arguments = parser.parse_args(["demo-data", "--to", str(tmp_path), "--tenant", "atelier-roche", "--json"])
    monkeypatch.setenv("DATAPILOT_TODAY", "2025-02-28")
    assert demo_data_command.run(arguments) == 0
    assert json.loads(capsys.readouterr().out)["today"] == "2025-02-28"
    monkeypatch.setenv("DATAPILOT_TODAY", "demain")
    assert demo_data_command.run(arguments) == 2
