"""A catalog's version changes with names, types and keys, and with nothing else; changes are said one by one."""

from __future__ import annotations

from datetime import UTC, datetime

from datapilot_kernel.catalog import Catalog, Column, ForeignKey, Table, detect_changes
from datapilot_kernel.catalog.changes import catalog_version


def _catalog(*tables: Table) -> Catalog:
    return Catalog(
        dialect="postgres",
        default_schema="public",
        tables=tables,
        version=catalog_version("postgres", tables),
        taken_at=datetime.now(UTC),
    )


def _table(
    name: str, *columns: Column, key: tuple[str, ...] = ("id",), fks: tuple[ForeignKey, ...] = (), **more: object
) -> Table:
    return Table(db_schema="public", name=name, columns=columns, primary_key=key, foreign_keys=fks, **more)  # type: ignore[arg-type]


ID = Column(name="id", type="integer", native_type="integer")
TEXT = Column(name="nom", type="text", native_type="text")


def test_version_ignores_contents_comments_and_order() -> None:
    one = _table("a", ID, TEXT)
    other = _table("b", ID)
    same = _table(
        "a", ID, TEXT.model_copy(update={"comment": "x", "distinct_count": 3, "values": ("u",)}), row_estimate=9, comment="y"
    )
    assert _catalog(one, other).version == _catalog(other, same).version


def test_version_sees_types_keys_and_names() -> None:
    base = _catalog(_table("a", ID, TEXT)).version
    assert _catalog(_table("a", ID, TEXT.model_copy(update={"type": "date"}))).version != base
    assert _catalog(_table("a", ID, TEXT, key=())).version != base
    assert _catalog(_table("b", ID, TEXT)).version != base
    assert _catalog(_table("a", TEXT, ID)).version != base


def test_changes_are_said() -> None:
    link = ForeignKey(columns=("b_id",), ref_table="public.b", ref_columns=("id",))
    old = _catalog(_table("a", ID, TEXT), _table("b", ID), _table("gone", ID))
    new = _catalog(
        _table(
            "a",
            ID,
            TEXT.model_copy(update={"native_type": "varchar(10)"}),
            Column(name="b_id", type="integer", native_type="integer"),
            key=("nom",),
            fks=(link,),
        ),
        _table("b", TEXT),
        _table("new", ID),
    )
    found = detect_changes(old, new)
    assert {(c.kind, c.table, c.column) for c in found} == {
        ("column_added", "public.a", "b_id"), ("type_changed", "public.a", "nom"), ("key_changed", "public.a", None), ("foreign_keys_changed", "public.a", None),
        ("column_removed", "public.b", "id"), ("column_added", "public.b", "nom"), ("table_removed", "public.gone", None), ("table_added", "public.new", None),
    }  # fmt: skip
    assert all(c.message for c in found)
    assert not detect_changes(old, old)
