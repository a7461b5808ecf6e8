"""One tenant cannot hold up the others: found by a review, each once open."""

from __future__ import annotations

import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from datapilot_kernel.errors import SourceProblem
from hub_config.data_sources.turns import PER_TENANT, READERS_PER_TENANT
from tests.platform_support import World, wait_until
from tests.unit.platform.test_data_sources_files import _send

CONNECTION = {"type": "postgresql", "host": "db.client.fr", "database": "d", "user": "u", "password": "p"}


def _test(world: World, tenant: str = "t1") -> Any:
    headers = world.headers("administrator", tenant)
    return world.client.post("/api/v1/data-sources/test", json=CONNECTION, headers=headers)


def test_a_server_that_never_answers_holds_few_threads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    go, held = threading.Event(), []

    def never(host: str, port: int) -> tuple[str, ...]:
        held.append(host)
        assert go.wait(30)
        raise OSError("nobody")

    monkeypatch.setattr(world.platform.sources.wall, "addresses", never)
    with ThreadPoolExecutor(PER_TENANT) as threads:
        waiting = [threads.submit(_test, world) for _ in range(PER_TENANT)]
        try:
            wait_until(lambda: len(held) == PER_TENANT)
            refused = _test(world)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_at_once")
            assert int(refused.headers["Retry-After"]) > 0
            assert len(held) == PER_TENANT, "it did not wait"
        finally:
            go.set()
        assert all(one.result().status_code != 429 for one in waiting)
    monkeypatch.undo()
    assert _test(world).status_code != 429, "given back"


def test_previews_of_files_leave_cores_and_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    go, held = threading.Event(), []

    def slow(*args: Any, **options: Any) -> Any:
        held.append(1)
        assert go.wait(30)
        raise SourceProblem("sources.import_failed")

    monkeypatch.setattr("hub_config.data_sources.uploads.open_source", slow)
    upload = _send(world).json()["id"]

    def preview() -> Any:
        path = f"/api/v1/data-sources/uploads/{upload}/preview"
        return world.client.post(path, json={}, headers=world.headers("analyst"))

    with ThreadPoolExecutor(READERS_PER_TENANT) as threads:
        waiting = [threads.submit(preview) for _ in range(READERS_PER_TENANT)]
        try:
            wait_until(lambda: len(held) == READERS_PER_TENANT)
            assert preview().status_code == 429
        finally:
            go.set()
        assert {one.result().status_code for one in waiting} == {422}


def test_a_workbook_that_unpacks_to_gigabytes_is_not_read(world: World, tmp_path: Path) -> None:
    bomb = tmp_path / "bombe.xlsx"
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(1030):
            part.write(bytes(1 << 20))
    upload = _send(world, bomb.read_bytes(), bomb.name).json()["id"]
    path = f"/api/v1/data-sources/uploads/{upload}/preview"
    shown = world.client.post(path, json={}, headers=world.headers("analyst"))
    assert (shown.status_code, shown.json()["error"]["code"]) == (422, "workbook_too_large")


def test_a_tenant_does_not_send_mail_to_the_world(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_config.people.invitations.MOST_A_DAY", 3)

    def invite(number: int, tenant: str = "t1") -> int:
        body = {"email": f"p{number}@monde.example", "role": "viewer"}
        headers = world.headers("administrator", tenant)
        return int(world.client.post("/api/v1/users/invitations", json=body, headers=headers).status_code)

    assert [invite(n) for n in range(5)] == [201, 201, 201, 429, 429]
    assert invite(1, "t2") == 201
