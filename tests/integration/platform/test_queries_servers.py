"""Questions over real servers, through a real HTTP server: what is cancelled stops in the database, whoever went away how."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pyarrow as pa
import pymysql
import pytest
import uvicorn

from tests.platform_support import World, wait_until
from tests.platform_world import owned_database
from tests.questions_support import (
    STATEMENTS,
    TODAY,
    accept_layer,
    add_database,
    add_files,
    answer,
    asking_world,
    give_attributes,
    post,
)
from tests.servers import Server

BY_REGION = "montant par region"


@contextmanager
def served(world: World) -> Iterator[str]:
    """The world's application behind uvicorn."""
    config = uvicorn.Config(world.app, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    # Asyncio turns Nagle's waiting off only for a socket that says it is TCP.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


class Shop:
    """A database of a tenant on a real server, with a table that is slow to read."""

    def __init__(self, server: Server) -> None:
        self.dialect = server.dialect
        self.url = server.new_database()
        self.run(*STATEMENTS)
        sleep = "pg_sleep({})::text" if self.dialect == "postgres" else "SLEEP({})"
        cases = " ".join(f"WHEN r.secondes = {s} THEN {sleep.format(s)}" for s in (2, 20, 60))
        self.lock = f"'{httpx.URL(self.url).path.strip('/')}'"
        wait = "pg_advisory_xact_lock_shared(7)::text" if self.dialect == "postgres" else f"GET_LOCK({self.lock}, 100)"
        cases += f" WHEN r.secondes = -1 THEN {wait}"
        # Quick while its tables are looked at; slow once a test says so.
        self.run(
            "CREATE TABLE reglage (secondes INTEGER)",
            "INSERT INTO reglage VALUES (0)",
            f"CREATE VIEW lente AS SELECT v.region, CASE {cases} ELSE 'vite' END AS attente FROM ventes v, reglage r LIMIT 1",
        )

    def slow(self, seconds: int) -> None:
        """Reading the slow table takes so long from now on."""
        self.run(f"UPDATE reglage SET secondes = {seconds}")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Whoever reads the slow table in the block gets it at the block's end."""
        self.slow(-1)
        if self.dialect == "postgres":
            with psycopg.connect(self.url) as locking:
                locking.execute("SELECT pg_advisory_xact_lock(7)")
                yield
        else:
            with self._mariadb() as connection, connection.cursor() as cursor:
                cursor.execute(f"SELECT GET_LOCK({self.lock}, 0)")
                yield
        self.slow(0)

    def run(self, *statements: str) -> list[Any]:
        rows: list[Any] = []
        if self.dialect == "postgres":
            with psycopg.connect(self.url, autocommit=True) as connection:
                for statement in statements:
                    cursor = connection.execute(statement)  # type: ignore[call-overload]
                    rows = cursor.fetchall() if cursor.description else []
            return rows
        with self._mariadb() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall())
        return rows

    def _mariadb(self) -> Any:
        where = httpx.URL(self.url)
        return pymysql.connect(
            host=where.host,
            port=where.port or 3306,
            user=where.username,
            password=where.password,
            database=where.path.strip("/"),
            autocommit=True,
        )

    def at_work(self) -> int:
        """How many statements read this database's slow table now, as the server itself says; others' are not counted."""
        if self.dialect == "postgres":
            sql = (
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%lente%'"
                " AND pid <> pg_backend_pid() AND datname = current_database()"
            )
        else:
            sql = (
                "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%lente%'"
                " AND id <> CONNECTION_ID() AND db = DATABASE()"
            )
        return int(self.run(sql)[0][0])


@pytest.fixture(params=["postgres", "mariadb"])
def shop(request: pytest.FixtureRequest) -> Shop:
    return Shop(request.getfixturevalue(request.param))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with asking_world(tmp_path) as made:
        yield made


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[World]:
    """One that gives a statement more time than any test waits for its end."""
    with asking_world(tmp_path, query_timeout_ms=110_000) as made:
        yield made


SLOW = {"sql": "SELECT region, attente FROM lente"}


@contextmanager
def asked(address: str, method: str, path: str, headers: dict[str, str], body: Any = None) -> Iterator[None]:
    """A request that is sent, and whose client leaves with the end of the block."""
    line = http.client.HTTPConnection(httpx.URL(address).netloc.decode(), timeout=30)
    try:
        content = json.dumps(body).encode() if body is not None else None
        line.request(method, f"/api/v1{path}", content, headers | {"Content-Type": "application/json"})
        yield
    finally:
        line.close()


def test_a_question_over_a_server(shop: Shop, world: World) -> None:
    source = add_database(world, shop.url)
    outcome = answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})
    assert [r[0] for r in outcome["rows"]] == ["Ouest", "Sud", "Nord"]
    got = world.client.get(
        f"/api/v1/queries/{outcome['id']}/result?full=true&format=arrow", headers=world.headers("analyst")
    )
    assert pa.ipc.open_stream(got.content).read_all().num_rows == 3


@pytest.mark.parametrize("how", ["by id", "the client leaves", "the client leaves the events", "the frame's client leaves"])
def test_cancelling_stops_the_database(how: str, shop: Shop, patient: World) -> None:
    world = patient
    source = add_database(world, shop.url)
    answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})
    shop.slow(60)  # by itself it would end long after the patience of the waits here
    headers = world.headers("analyst")
    with served(world) as address, httpx.Client(base_url=f"{address}/api/v1", headers=headers, timeout=50) as client:
        body = {"source_id": source, **SLOW}

        def ask() -> None:
            with asked(address, "POST", "/ai/query", headers, body):
                wait_until(lambda: shop.at_work() == 1)

        def listen() -> None:
            with client.stream("POST", "/ai/query", json=body, headers={"Accept": "text/event-stream"}) as stream:
                for line in stream.iter_lines():
                    if "execute" in line:
                        wait_until(lambda: shop.at_work() == 1)
                        return

        def frame() -> None:
            with world.database.tenant(world.tenant_id()) as session:
                from hub_config.database import Query

                row = Query(
                    user_id=world.user_id("analyst"),
                    data_source_id=source,
                    kind="sql",
                    question=SLOW["sql"],
                    status="done",
                    outcome="answer",
                )
                session.add(row)
            with asked(address, "GET", f"/queries/{row.id}/result?full=true&format=arrow", headers):
                wait_until(lambda: shop.at_work() == 1)

        if how == "by id":
            with ThreadPoolExecutor() as pool:
                asking = pool.submit(client.post, "/ai/query", json=body)
                wait_until(lambda: shop.at_work() == 1)
                (running,) = [q for q in client.get("/queries").json()["items"] if q["status"] == "running"]
                assert client.post(f"/queries/{running['id']}/cancel").json() == {"cancelling": True}
                got = asking.result(30)
            assert (got.status_code, got.json()["error"]["code"]) == (499, "cancelled")
        else:
            {"the client leaves": ask, "the client leaves the events": listen, "the frame's client leaves": frame}[how]()
        wait_until(lambda: shop.at_work() == 0)

        def ended() -> bool:
            return all(q["status"] in ("done", "cancelled") for q in client.get("/queries").json()["items"])

        wait_until(ended)
        assert "cancelled" in {q["status"] for q in client.get("/queries").json()["items"]}


def test_one_who_leaves_takes_nothing_from_one_who_asks_the_same(shop: Shop, world: World) -> None:
    source = add_database(world, shop.url)
    answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})
    with served(world) as address, ThreadPoolExecutor() as pool:
        headers, body = world.headers("analyst"), {"source_id": source, **SLOW}
        with httpx.Client(base_url=f"{address}/api/v1", headers=headers, timeout=60) as client:

            def statuses() -> list[str]:
                return sorted(q["status"] for q in client.get("/queries").json()["items"] if q["question"] == SLOW["sql"])

            with shop.held():
                staying = pool.submit(client.post, "/ai/query", json=body)
                wait_until(lambda: shop.at_work() == 1)
                with asked(address, "POST", "/ai/query", headers, body):
                    wait_until(lambda: statuses() == ["running", "running"])
                    assert shop.at_work() == 1
                wait_until(lambda: statuses() == ["cancelled", "running"])
                assert shop.at_work() == 1
            assert staying.result(30).json()["outcome"] == "answer"


def test_a_server_that_comes_back_is_used_again(shop: Shop, world: World) -> None:
    source = add_database(world, shop.url)
    answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})
    if shop.dialect == "postgres":
        name = shop.url.rsplit("/", 1)[1].split("?")[0]
        shop.run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        )
    else:
        for (pid,) in shop.run(
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        ):
            with contextlib.suppress(pymysql.OperationalError):  # its client had closed it, and it is gone by now
                shop.run(f"KILL {pid}")
    answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY, "fresh": True})


def test_a_statement_whose_connection_is_killed_is_sent_once_more(postgres: Server, world: World) -> None:
    shop = Shop(postgres)
    source = add_database(world, shop.url)
    answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})
    shop.slow(2)
    with ThreadPoolExecutor() as pool:
        asking = pool.submit(post, world, {"source_id": source, **SLOW})
        wait_until(lambda: shop.at_work() == 1)
        shop.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%lente%' AND state = 'active'"
            " AND pid <> pg_backend_pid() AND datname = current_database()"
        )
        assert asking.result(30).json()["outcome"] == "answer"


def test_two_tenants_and_rights_on_postgres_as_the_platforms_database(postgres: Server, tmp_path: Path) -> None:
    with asking_world(tmp_path, admin_url=owned_database(postgres)) as world:
        # The server of the platform's own database is no source: files are.
        sources = {
            "t1": add_files(world),
            "t2": add_files(world, "t2", content="region;date_vente;montant\nSecret;2026-01-01;1\n"),
        }
        accept_layer(world, sources["t1"], row_filter="region = {region}")
        give_attributes(world, "analyst", region="Sud")
        give_attributes(world, "administrator", region="Nord")
        body = {"question": BY_REGION, "today": TODAY}
        seen = {
            (role, tenant): json.dumps(answer(world, body | {"source_id": sources[tenant]}, role, tenant)["rows"])
            for role, tenant in (("analyst", "t1"), ("administrator", "t1"), ("analyst", "t2"))
        }
        assert "Sud" in seen["analyst", "t1"]
        assert "Nord" not in seen["analyst", "t1"]
        assert "Nord" in seen["administrator", "t1"]
        assert seen["analyst", "t2"].count("Secret") == 1
        assert "Secret" not in seen["analyst", "t1"] + seen["administrator", "t1"]
        assert post(world, body | {"source_id": sources["t2"]}).status_code == 404
        first = answer(world, body | {"source_id": sources["t1"]})
        follow = {
            "source_id": sources["t1"],
            "question": "et en janvier 2026 ?",
            "conversation_id": first["conversation_id"],
            "today": TODAY,
        }
        assert answer(world, follow)["conversation_id"] == first["conversation_id"]
        items = world.client.get("/api/v1/queries?q=janvier", headers=world.headers("analyst")).json()["items"]
        assert [i["question"] for i in items] == ["et en janvier 2026 ?"]
        headers = world.headers("analyst")
        assert world.client.get(f"/api/v1/queries/{first['id']}/result?format=csv", headers=headers).status_code == 200
        assert world.client.delete(f"/api/v1/conversations/{first['conversation_id']}", headers=headers).status_code == 204
