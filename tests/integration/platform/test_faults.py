"""What breaks around a real ``datapilot serve``: the process itself, its database, a tenant's database, its disk.

After each: nothing half-written is seen, what people were told was clear, and everything works again without a restart of
anything that was not killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pyarrow as pa
import pytest
from sqlalchemy import select

from hub_config.database import AuditEvent, DataSource, Job, Query, Workspace
from tests.integration.platform.conftest import copy_of
from tests.integration.platform.test_queries_servers import Shop
from tests.platform_support import World, make_settings, make_world, wait_until
from tests.platform_world import application_url
from tests.road import Road
from tests.served import Service, connected, finished
from tests.servers import Server, running

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

LOCAL: dict[str, Any] = {"source_networks_allowed": ("127.0.0.1",), "log_level": "warning"}
CSV = b"region;montant\r\nSud;120,50\r\nNord;10,00\r\n"
QUICK = "SELECT region, montant FROM ventes ORDER BY id"
SLOW = "SELECT region, attente FROM lente"
LOST = {"connection_lost", "unreachable", "server_starting"}
MIB = 1024 * 1024


@contextlib.contextmanager
def kept(world: World) -> Iterator[World]:
    """A world whose managers the test uses beside the service, and which is not served itself."""
    try:
        yield world
    finally:
        world.platform.people.close()
        world.platform.database.dispose()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with kept(make_world(tmp_path, **LOCAL)) as made:
        yield made


def on_postgres(folder: Path, server: Server, migrated: str, *, port: int | None = None, **given: Any) -> World:
    """A world on a copy of the migrated database, reached by another port if one is given."""
    admin_url = copy_of(server, migrated)
    application = application_url(migrated).replace(urlsplit(migrated).path, urlsplit(admin_url).path)
    urls = [url.replace(f":{server.port}/", f":{port or server.port}/") for url in (application, admin_url)]
    return World(make_settings(folder, **LOCAL | given, database_url=urls[0], database_admin_url=urls[1]))


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path, postgres: Server) -> Iterator[World]:
    if request.param == "sqlite":
        made = make_world(tmp_path, **LOCAL)
    else:
        made = on_postgres(tmp_path, postgres, request.getfixturevalue("migrated"))
    with kept(made):
        yield made


def send(client: httpx.Client, content: Any = CSV, name: str = "ventes.csv") -> httpx.Response:
    return client.post("/data-sources/upload", content=content, headers={"X-File-Name": name})


def ask(client: httpx.Client, source_id: str, sql: str = QUICK, *, fresh: bool = True) -> httpx.Response:
    return client.post("/ai/query", json={"source_id": source_id, "sql": sql, "fresh": fresh})


def unended(world: World) -> list[str]:
    """The ids of the queries of the tenant whose end is not written."""
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        return list(session.scalars(select(Query.id).where(Query.status.in_(("waiting", "running")))))


def uploads(world: World) -> list[Path]:
    folder = world.settings.data_dir / "tenants" / world.tenant_id() / "uploads"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def assert_unavailable(answer: httpx.Response, code: str = "unavailable") -> None:
    """A 503 that says so in the one shape, and when to come back."""
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    error = answer.json()["error"]
    assert (error["code"], error["incident"]) == (code, None)
    assert error["message"]


# ── the process is killed ─────────────────────────────────────────────────────────────────────────────────────────────


def test_killed_in_the_middle_of_an_upload(tmp_path: Path) -> None:
    with (
        kept(make_world(tmp_path, **LOCAL, tenant_storage_bytes=8 * MIB)) as world,
        Service(world.settings) as service,
    ):
        go_on = threading.Event()
        headers = world.headers("analyst")

        def half() -> Iterator[bytes]:
            yield CSV + b"Sud;1,00\r\n" * (5 * MIB // 10)
            go_on.wait(30)
            yield b"Sud;1,00\r\n"

        def sending() -> None:
            with pytest.raises(httpx.HTTPError):
                send(service.client(headers), half())

        with ThreadPoolExecutor() as pool:
            sent = pool.submit(sending)
            wait_until(
                lambda: any(p.stat().st_size >= 4 * MIB for u in uploads(world) for p in u.rglob("*.csv")), seconds=60
            )
            (part,) = uploads(world)
            assert part.suffix == ".part"
            service.kill()
            go_on.set()
            sent.result(60)
        # What comes in whole while nobody answers any more is there whole, or not at all.
        service.start()
        assert uploads(world) == []
        with ThreadPoolExecutor() as pool:
            whole = pool.submit(lambda: send(service.client(headers), CSV + b"Sud;1,00\r\n" * (3 * MIB // 10)))
            wait_until(lambda: bool(uploads(world)), seconds=60)
            service.kill()
            whole.exception(60)
        for upload in uploads(world):
            assert upload.suffix == ".part" or (upload / "meta.json").is_file()
            if upload.suffix != ".part":
                shutil.rmtree(upload)
        service.start()
        client = service.client(headers)
        assert uploads(world) == []
        # What died counts nothing: the whole quota is there, and no byte more.
        assert send(client, CSV + b"Sud;1,00\r\n" * (7 * MIB // 10)).status_code == 201
        refused = send(client, CSV + b"Sud;1,00\r\n" * (2 * MIB // 10))
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "storage_full")


def test_killed_in_the_middle_of_writes(either: World) -> None:
    told: list[str] = []
    sources: list[str] = []
    with Service(either.settings) as service:
        headers = either.headers("administrator")

        def write(who: int) -> None:
            client = service.client(headers)
            for number in range(10_000):
                answer = client.post("/workspaces", json={"name": f"espace {who} {number}"})
                assert answer.status_code == 201, answer.text
                told.append(answer.json()["id"])

        def add() -> None:
            client = service.client(headers)
            for number in range(10_000):
                upload = send(client).json()["id"]
                answer = client.post("/data-sources/from-files", json={"name": f"S {number}", "uploads": [upload]})
                assert answer.status_code == 201, answer.text
                sources.append(answer.json()["source"]["id"])

        def until_killed(work: Any, *given: Any) -> None:
            with pytest.raises(httpx.HTTPError):
                work(*given)

        with ThreadPoolExecutor() as pool:
            busy = [pool.submit(until_killed, write, who) for who in range(3)] + [pool.submit(until_killed, add)]
            wait_until(lambda: len(told) >= 20 and len(sources) >= 2, seconds=60)
            service.kill()
            for work in busy:
                work.result(60)
        if either.database.dialect == "sqlite":
            with contextlib.closing(sqlite3.connect(either.settings.data_dir / "platform.sqlite3")) as file:
                assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        service.start()
        client = service.client(headers)
        with either.database.tenant(either.tenant_id(), read_only=True) as session:
            there = set(session.scalars(select(Workspace.id)))
            audited = session.scalars(select(AuditEvent.object_id).where(AuditEvent.action == "workspace.create")).all()
            kept_sources = {row.id: row.revision for row in session.scalars(select(DataSource))}
            jobs = session.execute(select(Job.data_source_id, Job.status, Job.problem_code)).all()
        # Whatever was said to be done is; each has its line in the audit, and nothing else has.
        assert set(told) <= there
        assert Counter(audited) == Counter(there)
        assert set(sources) <= kept_sources.keys()
        folder = either.settings.data_dir / "tenants" / either.tenant_id() / "sources"
        assert {(p.parent.name, p.name) for p in folder.glob("*/*")} == {(s, str(r)) for s, r in kept_sources.items()}
        assert {job[0] for job in jobs} == kept_sources.keys()
        assert {job[1:] for job in jobs} <= {("done", None), ("failed", "interrupted")}
        # And what was interrupted can be done again.
        newest = sources[-1]
        again = client.post(f"/data-sources/{newest}/refresh")
        assert again.status_code == 202, again.text
        assert finished(client, newest, again.json()["id"])["status"] == "done"
        assert ask(client, newest, "SELECT region FROM ventes").json()["outcome"] == "answer"


def test_killed_while_a_catalog_is_read_and_a_question_runs(world: World, postgres: Server) -> None:
    import psycopg

    shop = Shop(postgres)
    shop.run("CREATE TABLE stocks AS SELECT 1 AS article")
    with Service(world.settings) as service, ThreadPoolExecutor() as pool:
        headers = world.headers("administrator")
        client = service.client(headers)
        source_id = connected(client, shop.url)
        with shop.held(), psycopg.connect(shop.url) as locking:
            asking = pool.submit(lambda: ask(service.client(headers), source_id, SLOW))
            wait_until(lambda: shop.at_work() == 1, seconds=60)
            # Whoever reads this table's values waits for it: the catalog does, the question does not.
            locking.execute("LOCK TABLE stocks IN ACCESS EXCLUSIVE MODE")
            job_id = client.post(f"/data-sources/{source_id}/refresh").json()["id"]
            job = f"/data-sources/{source_id}/jobs/{job_id}"
            wait_until(lambda: client.get(job).json()["status"] == "running", seconds=60)
            time.sleep(0.3)
            assert client.get(job).json()["status"] == "running"
            service.kill()
            assert isinstance(asking.exception(60), httpx.HTTPError)
        service.start()
        client = service.client(headers)
        found = client.get(job).json()
        assert (found["status"], bool(found["problem"])) == ("failed", True), found
        # What was known before is known, and reading again works.
        assert ask(client, source_id).json()["outcome"] == "answer"
        again = client.post(f"/data-sources/{source_id}/refresh").json()["id"]
        assert again != job_id
        assert finished(client, source_id, again)["status"] == "done"
        assert unended(world) == []
        left = [q for q in client.get("/queries").json()["items"] if q["question"] == SLOW]
        assert [(q["status"], q["reason"]) for q in left] == [("failed", "restarted")]


# ── a tenant's database goes away ─────────────────────────────────────────────────────────────────────────────────────


def test_the_sources_server_crashes_and_comes_back(world: World) -> None:
    with running("postgres") as server, Service(world.settings) as service, ThreadPoolExecutor() as pool:
        shop = Shop(server)
        shop.run("CREATE TABLE grande AS SELECT g AS id, repeat('x', 200) AS texte FROM generate_series(1, 400000) g")
        headers = world.headers("administrator")
        client = service.client(headers)
        source_id = connected(client, shop.url)
        shop.slow(20)
        big = ask(client, source_id, "SELECT id, texte FROM grande").json()
        assert big["outcome"] == "answer"

        def frame() -> None:
            with client.stream("GET", f"/queries/{big['id']}/result?full=true&format=arrow") as stream:
                assert stream.status_code == 200
                flowing.set()
                gone.wait(60)
                for _ in stream.iter_bytes():
                    pass

        flowing, gone = threading.Event(), threading.Event()
        slow = [pool.submit(lambda: ask(service.client(headers), source_id, SLOW)) for _ in range(2)]
        reading = pool.submit(frame)
        wait_until(lambda: shop.at_work() == 2 and flowing.is_set(), seconds=60)
        server.crash()
        gone.set()
        for lost in slow:
            outcome = lost.result(60).json()
            # It is sent once more, to a server that may be on its way down or out.
            assert outcome["outcome"] == "failure"
            assert outcome["reason"] in LOST | {"source_down"}, outcome
            assert outcome["message"]
        # A stream that was cut is never taken for a whole one.
        assert isinstance(reading.exception(60), httpx.RemoteProtocolError)

        reasons: list[str] = []
        # The pause after too many failures is of seconds: it may be over by the next question, and is said at the next.
        while "source_down" not in reasons:
            assert len(reasons) < 20, reasons
            began = time.monotonic()
            outcome = ask(client, source_id).json()
            # Far below the statement's own limit of 30 s, also on a machine that has other things to do.
            assert time.monotonic() - began < 20
            assert outcome["outcome"] == "failure"
            reasons.append(outcome["reason"])
        assert set(reasons) <= LOST | {"source_down"}
        assert client.get("/readyz").status_code == 200

        server.resume()
        shop.slow(0)
        deadline = time.monotonic() + 60
        while (back := ask(client, source_id).json())["outcome"] != "answer":
            assert time.monotonic() < deadline, back
            time.sleep(0.1)
        assert len(back["rows"]) == 5
        whole = client.get(f"/queries/{big['id']}/result?full=true&format=arrow")
        assert pa.ipc.open_stream(whole.content).read_all().num_rows == 400_000
        assert unended(world) == []


# ── the platform's database goes away ─────────────────────────────────────────────────────────────────────────────────


def test_the_platforms_database_is_gone_for_ten_seconds(tmp_path: Path, postgres: Server, migrated: str) -> None:
    shop = Shop(postgres)
    with (
        Road(postgres.port) as road,
        kept(on_postgres(tmp_path, postgres, migrated, port=road.port)) as world,
        Service(world.settings) as service,
        ThreadPoolExecutor() as pool,
    ):
        headers = world.headers("administrator")
        client = service.client(headers)
        source_id = connected(client, shop.url)
        assert ask(client, source_id).status_code == 200
        stop = threading.Event()
        seen: list[tuple[float, float, httpx.Response]] = []

        def go_on_asking() -> None:
            mine = service.client(headers)
            while not stop.is_set():
                began = time.monotonic()
                answer = ask(mine, source_id)
                seen.append((began, time.monotonic(), answer))
                time.sleep(0.05)

        asking = [pool.submit(go_on_asking) for _ in range(4)]
        with shop.held():
            under_way = pool.submit(lambda: ask(service.client(headers), source_id, SLOW))
            wait_until(lambda: shop.at_work() == 1, seconds=60)
            road.cut()
            cut_at = time.monotonic()
        # Whatever was read of the source meanwhile is not answered, for it cannot be written down.
        assert_unavailable(under_way.result(60))
        while time.monotonic() < cut_at + 10:
            assert client.get("/healthz").status_code == 200
            assert_unavailable(client.get("/readyz"))
            assert_unavailable(client.get("/workspaces"))
            time.sleep(0.5)
        road.open()
        opened_at = time.monotonic()
        wait_until(lambda: client.get("/readyz").status_code == 200, seconds=60)
        ready_at = time.monotonic()
        wait_until(lambda: sum(began > ready_at + 1 for began, _, _ in list(seen)) >= 20)
        stop.set()
        for one in asking:
            one.result(60)
        during = [(began, ended, answer) for began, ended, answer in seen if began > cut_at + 0.5 and ended < opened_at]
        assert len(during) > 5
        for began, ended, answer in during:
            assert_unavailable(answer)
            assert ended - began < 15
        after = [answer for began, _, answer in seen if began > ready_at + 1]
        assert after
        assert {answer.status_code for answer in after} == {200}
        # Nothing is forgotten: what could not be written then is written now, as failed, each with its line in the audit.
        wait_until(lambda: unended(world) == [], seconds=60)
        with world.database.tenant(world.tenant_id(), read_only=True) as session:
            row = session.scalars(select(Query).where(Query.question == SLOW)).one()
            assert (row.status, row.reason) == ("failed", "not_recorded")
            ended_ids = set(session.scalars(select(Query.id)))
            audited = session.scalars(select(AuditEvent.query_id).where(AuditEvent.action == "query.sql")).all()
        assert Counter(audited) == Counter(ended_ids)


# ── the disk is full ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A disk of 24 MiB of its own; None where this account may not mount one."""
    where = tmp_path / "small"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(where)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        yield None
        return
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


def test_a_full_disk(small_disk: Path | None, tmp_path: Path) -> None:
    # Without a disk of one's own: no file may be larger than 12 MiB, which fails in the same place.
    limit = None if small_disk is not None else 12 * MIB
    with (
        kept(make_world(small_disk or tmp_path, **LOCAL)) as world,
        Service(world.settings, largest_file_bytes=limit) as service,
    ):
        client = service.client(world.headers("analyst"))
        before = send(client).json()["id"]
        for _ in range(2):
            assert_unavailable(send(client, CSV + b"Sud;1,00\r\n" * (40 * MIB // 10)), "disk_full")
            assert [u.name for u in uploads(world)] == [before]
        # What was there is, what is small goes in, and is asked.
        made = client.post("/data-sources/from-files", json={"name": "Ventes", "uploads": [before]}).json()
        source_id = made["source"]["id"]
        assert finished(client, source_id, made["job_id"])["status"] == "done"
        assert ask(client, source_id, "SELECT region FROM ventes").json()["outcome"] == "answer"
        if small_disk is None:
            return
        # Full to the last block: the platform's own database has no room either.
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        codes = set()
        for number in range(200):
            answer = ask(client, source_id, f"SELECT region, {number} AS n FROM ventes")
            codes.add(answer.status_code)
            if answer.status_code != 200:
                assert_unavailable(answer)
        assert 503 in codes
        assert_unavailable(send(client), "disk_full")
        assert client.get("/healthz").status_code == 200
        filler.unlink()
        assert ask(client, source_id, "SELECT region FROM ventes").json()["outcome"] == "answer"
        assert send(client).status_code == 201
        wait_until(lambda: unended(world) == [], seconds=60)


# ── the process is told to stop ───────────────────────────────────────────────────────────────────────────────────────


def test_told_to_stop_lets_what_runs_finish(tmp_path: Path, postgres: Server) -> None:
    shop = Shop(postgres)
    with (
        kept(make_world(tmp_path, **LOCAL | {"shutdown_grace_seconds": 15})) as world,
        Service(world.settings) as service,
        ThreadPoolExecutor() as pool,
    ):
        headers = world.headers("administrator")
        source_id = connected(service.client(headers), shop.url)
        shop.slow(2)
        asking = pool.submit(lambda: ask(service.client(headers), source_id, SLOW))
        wait_until(lambda: shop.at_work() == 1, seconds=60)
        service.signal(signal.SIGTERM)
        outcome = asking.result(60).json()
        assert (outcome["outcome"], len(outcome["rows"])) == ("answer", 1)
        assert service.wait(30) == 0
        assert unended(world) == []


def test_told_to_stop_cancels_what_takes_longer(tmp_path: Path, postgres: Server) -> None:
    shop = Shop(postgres)
    with (
        kept(make_world(tmp_path, **LOCAL | {"shutdown_grace_seconds": 1, "query_timeout_ms": 110_000})) as world,
        Service(world.settings) as service,
        ThreadPoolExecutor() as pool,
    ):
        headers = world.headers("administrator")
        source_id = connected(service.client(headers), shop.url)
        shop.slow(60)
        asking = pool.submit(lambda: ask(service.client(headers), source_id, SLOW))
        wait_until(lambda: shop.at_work() == 1, seconds=60)
        told_at = time.monotonic()
        service.signal(signal.SIGTERM)
        wait_until(lambda: shop.at_work() == 0, seconds=20)
        assert service.wait(20) == 0
        assert time.monotonic() - told_at < 30
        assert_unavailable(asking.result(60))
        assert unended(world) == []
        with world.database.tenant(world.tenant_id(), read_only=True) as session:
            assert session.scalars(select(Query.status).where(Query.question == SLOW)).one() == "cancelled"
