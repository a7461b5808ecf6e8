"""The policy that the engine makes of a catalog and a layer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from datapilot_kernel.catalog import Catalog, Column, Table
from datapilot_kernel.engine.policy import build_policy
from datapilot_kernel.guard import Accepted, Guard
from datapilot_kernel.semantic import Layer

COLUMNS = (
    ("id", "integer", "integer"),
    ("agence", "text", "character varying(20)"),
    ("niveau", "integer", "integer"),
    ("salaire", "decimal", "numeric(12,2)"),
    ("humeur", "text", "humeur_enum"),
)
CATALOG = Catalog(
    dialect="postgres",
    default_schema="public",
    version="1",
    taken_at=datetime(2026, 1, 1, tzinfo=UTC),
    tables=tuple(
        Table(
            db_schema="public",
            name=name,
            primary_key=key,
            columns=tuple(Column(name=n, type=t, native_type=native) for n, t, native in COLUMNS),
        )
        for name, key in (("paie", ("id",)), ("vue", ()), ("paie.2024", ("id",)))
    ),
)


def _layer(row_filter: str) -> Layer:
    entity = {
        "table": "paie", "label": "paie", "key": ["id"], "row_filter": row_filter, "masked": ["agence", "salaire", "humeur"],
        "dimensions": {"id": {"column": "id", "label": "id"}},
    }  # fmt: skip
    return Layer.model_validate({"version": 1, "name": "Essai", "entities": {"paie": entity}})


def _sql(row_filter: str, sql: str, **attributes: str) -> str:
    verdict = Guard(build_policy(CATALOG, _layer(row_filter), attributes=attributes), "postgres").check(sql)
    assert isinstance(verdict, Accepted), verdict
    return verdict.sql


def test_types_and_keys_come_from_the_catalog() -> None:
    policy = build_policy(CATALOG, None)
    assert policy.tables["public.paie"].types == {n: native for n, _, native in COLUMNS}
    assert policy.tables["public.paie"].primary_key == ["id"]
    assert policy.tables["public.vue"].primary_key == []


def test_a_masked_column_keeps_its_type_unless_it_is_of_the_database() -> None:
    written = _sql("agence = {agence}", "SELECT * FROM paie", agence="Lyon")
    assert 'CAST(NULL AS DECIMAL(12, 2)) AS "salaire"' in written.replace("NUMERIC", "DECIMAL")
    assert 'NULL AS "humeur"' in written


def test_a_masked_column_keeps_its_place() -> None:
    written = _sql("agence = {agence}", "SELECT * FROM paie", agence="Lyon")
    places = [written.index(f'"{name}"') for name, _, _ in COLUMNS]
    assert places == sorted(places)


@pytest.mark.parametrize(("column", "written"), [("agence", "= '7'"), ("niveau", "= 7)")])
def test_an_attribute_compares_by_the_column_s_type(column: str, written: str) -> None:
    assert written in _sql(f"{column} = {{a}}", "SELECT id FROM paie", a="7")


def test_a_number_column_takes_no_word() -> None:
    guard = Guard(build_policy(CATALOG, _layer("niveau = {a}"), attributes={"a": "tous"}), "postgres")
    assert not guard.check("SELECT id FROM paie").ok
    assert guard.problems


def test_a_name_with_a_dot_is_one_name() -> None:
    assert _sql("agence = {a}", 'SELECT id FROM "paie.2024"', a="x")
