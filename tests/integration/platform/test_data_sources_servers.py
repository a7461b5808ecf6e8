"""Databases as sources, on real servers: connected, tested, changed, asked; the password goes in and never comes out."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.platform_support import World, make_world
from tests.servers import Server
from tests.unit.platform.test_content import _call
from tests.unit.platform.test_data_sources_files import _done

SECRET = "s3cret-that-is-nowhere"
READER = f"lecteur_{uuid4().hex[:8]}"  # accounts are the server's, which another process of the run uses too
TABLES = (
    "CREATE TABLE clients (id INTEGER PRIMARY KEY, nom VARCHAR(40), region VARCHAR(20))",
    "CREATE TABLE ventes (id INTEGER PRIMARY KEY, id_client INTEGER, montant_ht DECIMAL(12,2), date_vente DATE)",
    "INSERT INTO clients VALUES (1, 'Alpha', 'Sud'), (2, 'Beta', 'Nord')",
    "INSERT INTO ventes VALUES (1, 1, 100.50, '2026-05-03'), (2, 2, 20.00, '2026-05-04'), (3, 2, 4.50, '2026-06-01')",
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path, source_networks_allowed=("127.0.0.0/8", "localhost")) as made:
        yield made


@pytest.fixture(params=["postgres", "mariadb"])
def connection(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A database with two tables, and an account that only reads, with a password."""
    server: Server = request.getfixturevalue(request.param)
    url = server.new_database()
    where = urlsplit(url)
    common = {"host": "127.0.0.1", "port": where.port, "database": where.path.lstrip("/"), "user": READER}
    if request.param == "postgres":
        import psycopg

        with psycopg.connect(url, autocommit=True) as made:
            for statement in TABLES:
                made.execute(statement)  # type: ignore[call-overload]
            made.execute(f"DROP OWNED BY {READER}") if _has_role(made) else None
            if not _has_role(made):
                made.execute(f"CREATE ROLE {READER} LOGIN PASSWORD '{SECRET}'")  # type: ignore[call-overload]
            made.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}")  # type: ignore[call-overload]
        return common | {"type": "postgresql", "password": SECRET, "tls": "disable"}
    import pymysql

    made = pymysql.connect(
        host="127.0.0.1", port=where.port or 3306, user=where.username or "", password=where.password or "",
        database=common["database"], autocommit=True,
    )  # fmt: skip
    with made, made.cursor() as cursor:
        for statement in TABLES:
            cursor.execute(statement)
        cursor.execute(f"CREATE USER IF NOT EXISTS '{READER}'@'%' IDENTIFIED BY '{SECRET}'")
        cursor.execute(f"GRANT SELECT ON {common['database']}.* TO '{READER}'@'%'")
    return common | {"type": "mariadb", "password": SECRET, "tls": "disable"}


def _has_role(made: Any) -> bool:
    return made.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [READER]).fetchone() is not None


def _connected(world: World, connection: dict[str, Any]) -> str:
    made = _call(world, "POST", "/data-sources", json={"name": "Base", "connection": connection})
    assert made.status_code == 201, made.text
    source_id: str = made.json()["source"]["id"]
    job = _done(world, source_id, made.json()["job_id"], "administrator")
    assert job["status"] == "done", job
    return source_id


def test_connected_asked_and_the_password_is_nowhere(
    world: World, connection: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    with caplog.at_level(logging.DEBUG):
        tested = _call(world, "POST", "/data-sources/test", json=connection)
        assert (tested.json()["ok"], tested.json()["code"]) == (True, None), tested.text
        source_id = _connected(world, connection)
        for path in ("", "/connection", "/catalog"):
            told.append(_call(world, "GET", f"/data-sources/{source_id}{path}").text)
        asked = {"source_id": source_id, "question": "montant HT total des ventes par région", "today": "2026-06-17"}
        answer = _call(world, "POST", "/ai/query", "analyst", json=asked)
        told += [answer.text, _call(world, "GET", "/audit").text, _call(world, "GET", "/audit/export").text]
    assert sorted(map(tuple, answer.json()["rows"])) == [("Nord", "24.50"), ("Sud", "100.50")], answer.text
    shown = json.loads(told[1])["connection"]
    assert (shown["host"], shown["user"], shown["has_password"]) == ("127.0.0.1", READER, True)
    logged = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert SECRET not in "".join(told) + logged + repr(world.platform.sources.__dict__)
    stored = b"".join(p.read_bytes() for p in world.settings.data_dir.rglob("*") if p.is_file())
    assert SECRET.encode() not in stored


def test_what_is_wrong_is_said_in_one_sentence(world: World, connection: dict[str, Any]) -> None:
    for change, code in (
        ({"password": "faux"}, "wrong_password"),
        ({"port": 9}, "unreachable"),
        ({"database": "n_existe_pas"}, None),
    ):
        tested = _call(world, "POST", "/data-sources/test", json=connection | change).json()
        assert tested["ok"] is False
        assert code is None or tested["code"] == code, tested
        assert READER not in tested["message"]


@pytest.mark.parametrize("host", ["10.0.0.8", "169.254.169.254", "[::1]", "0x7f000001", "metadata.google.internal"])
def test_hosts_that_are_not_for_tenants(world: World, host: str) -> None:
    body = {"type": "postgresql", "host": host, "database": "d", "user": "u", "password": "p"}
    tested = _call(world, "POST", "/data-sources/test", json=body)
    assert tested.status_code == 422 or tested.json()["ok"] is False, tested.text
    made = _call(world, "POST", "/data-sources", json={"name": "x", "connection": body})
    assert made.status_code == 422, made.text
    assert _call(world, "GET", "/data-sources").json()["items"] == []


def test_a_kept_password_goes_to_no_other_server(world: World, connection: dict[str, Any]) -> None:
    source_id = _connected(world, connection)
    path = f"/data-sources/{source_id}"

    def change(**fields: Any) -> Any:
        revision = _call(world, "GET", path).json()["revision"]
        return _call(world, "PATCH", path, json={"revision": revision, "connection": fields})

    for fields in ({"host": "localhost"}, {"port": 1}, {"user": "autre"}):
        assert change(**fields).json()["error"]["code"] == "password_again"
    assert change(database=connection["database"]).status_code == 200
    assert change(host="localhost", password=SECRET).status_code == 200
    stale = _call(world, "PATCH", path, json={"revision": 1, "name": "Autre"})
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "changed_meanwhile")
    assert _call(world, "POST", f"{path}/test").json()["ok"] is True


def test_one_road_for_both_tenants_and_no_bridge(world: World, connection: dict[str, Any]) -> None:
    source_id = _connected(world, connection)
    theirs = _call(world, "POST", "/data-sources", tenant="t2", json={"name": "Base", "connection": connection})
    assert theirs.status_code == 201
    asked = {"source_id": source_id, "question": "nombre de ventes"}
    assert _call(world, "POST", "/ai/query", "analyst", tenant="t2", json=asked).status_code == 404
    # A ciphertext that is moved to another tenant's row opens nothing.
    from sqlalchemy import select, update

    from hub_config.database import DataSource

    with world.database.tenant(world.tenant_id("t1"), read_only=True) as session:
        stolen = session.scalars(select(DataSource.connection_config_encrypted)).one()
    with world.database.tenant(world.tenant_id("t2")) as session:
        session.execute(update(DataSource).values(connection_config_encrypted=stolen, revision=DataSource.revision + 1))
    moved = _call(world, "GET", f"/data-sources/{theirs.json()['source']['id']}/connection", tenant="t2")
    assert moved.status_code == 500
    assert moved.json()["error"]["incident"]


def test_changes_of_the_schema_are_found(world: World, connection: dict[str, Any]) -> None:
    source_id = _connected(world, connection)
    before = _call(world, "GET", f"/data-sources/{source_id}/catalog").json()
    assert {t["name"] for t in before["tables"]} == {"clients", "ventes"}
    job = _call(world, "POST", f"/data-sources/{source_id}/refresh", "analyst").json()
    assert _done(world, source_id, job["id"])["status"] == "done"
    after = _call(world, "GET", f"/data-sources/{source_id}/catalog").json()
    assert after["version"] == before["version"]
