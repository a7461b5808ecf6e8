"""Files become a source: sent, previewed, kept, asked, replaced, deleted; nothing half-written, nobody else's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub_config.data_sources import storage as storage_module
from tests.platform_support import World, make_world

CSV = "Région;Montant HT;Date\r\nSud;1 234,50 €;03/01/2026\r\nNord;10,00 €;04/01/2026\r\n".encode("cp1252")


@pytest.fixture
def small_world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path, upload_max_bytes=3_000_000, tenant_storage_bytes=4_000_000) as made:
        yield made


def _send(world: World, content: bytes = CSV, name: str = "Ventes région.csv", role: str = "analyst", **more: Any) -> Any:
    return world.client.post(
        "/api/v1/data-sources/upload", files={"file": (name, content)}, headers=world.headers(role, **more)
    )


def _kept(world: World, role: str = "analyst", name: str = "Ventes", **more: Any) -> str:
    upload = _send(world, role=role, **more).json()["id"]
    made = world.client.post(
        "/api/v1/data-sources/from-files", json={"name": name, "uploads": [upload]}, headers=world.headers(role, **more)
    )
    assert made.status_code == 201, made.text
    source_id: str = made.json()["source"]["id"]
    _done(world, source_id, made.json()["job_id"], role, **more)
    return source_id


def _done(world: World, source_id: str, job_id: str, role: str = "analyst", **more: Any) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = world.client.get(f"/api/v1/data-sources/{source_id}/jobs/{job_id}", headers=world.headers(role, **more)).json()
        if job["status"] not in ("queued", "running"):
            return job  # type: ignore[no-any-return]
        time.sleep(0.05)
    raise AssertionError(job)


def _folder(world: World, tenant: str = "t1") -> Path:
    return world.settings.data_dir / "tenants" / world.tenant_id(tenant)


def _left(world: World) -> list[str]:
    return sorted(str(p.relative_to(_folder(world))) for p in _folder(world).rglob("*") if p.is_file())


def test_a_french_csv_is_previewed_kept_and_asked(world: World) -> None:
    sent = _send(world).json()
    assert (sent["name"], sent["size_bytes"]) == ("Ventes région.csv", len(CSV))
    path = f"/api/v1/data-sources/uploads/{sent['id']}/preview"
    preview = world.client.post(path, json={}, headers=world.headers("analyst")).json()
    columns = {c["header"]: c["type"] for c in preview["files"][0]["columns"]}
    assert columns == {"Région": "text", "Montant HT": "decimal", "Date": "date"}
    assert preview["files"][0]["first_rows"][0] == ["Sud", "1234.50", "2026-01-03"]
    as_text = {"columns": {"Montant HT": {"type": "text"}}}
    decided = world.client.post(path, json=as_text, headers=world.headers("analyst")).json()
    assert [c["type"] for c in decided["files"][0]["columns"]] == ["text", "text", "date"]

    source_id = _kept(world)
    shown = world.client.get(f"/api/v1/data-sources/{source_id}", headers=world.headers("analyst")).json()
    assert (shown["type"], shown["status"], shown["problem"]) == ("files", "ready", None)
    catalog = world.client.get(f"/api/v1/data-sources/{source_id}/catalog", headers=world.headers("analyst")).json()
    (table,) = catalog["tables"]
    rows = world.client.get(
        f"/api/v1/data-sources/{source_id}/preview",
        params={"table": f"{table['db_schema']}.{table['name']}"},
        headers=world.headers("analyst"),
    ).json()["rows"]
    assert rows == [["Sud", "1234.50", "2026-01-03"], ["Nord", 10, "2026-01-04"]] or rows[1][1] == "10.00"
    assert not list((_folder(world) / "uploads").glob("*.part"))


def test_a_raw_body_with_its_name_in_a_header(world: World) -> None:
    headers = world.headers("analyst", audience="notebook") | {"X-File-Name": "Chiffres%20d%C3%A9cembre.csv"}
    sent = world.client.post("/api/v1/data-sources/upload", content=CSV, headers=headers)
    assert (sent.status_code, sent.json()["name"]) == (201, "Chiffres décembre.csv")
    nameless = world.client.post("/api/v1/data-sources/upload", content=CSV, headers=world.headers("analyst"))
    assert (nameless.status_code, nameless.json()["error"]["code"]) == (422, "file_name_missing")


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"", "vide.csv", "file_empty"),
        (b"x", "script.exe", "file_kind"),
        (b"x", "../.csv", "file_kind"),
        (b"x", "\x00\x01", "file_kind"),
    ],
)
def test_what_cannot_be_kept_is_said_and_leaves_nothing(world: World, content: bytes, name: str, code: str) -> None:
    answer = _send(world, content, name)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
    assert _left(world) == []


def test_names_cannot_leave_the_folder(world: World) -> None:
    sent = _send(world, name="../../../../etc/passwd.csv").json()
    assert sent["name"] == "passwd.csv"
    (data,) = (_folder(world) / "uploads" / sent["id"] / "files").iterdir()
    assert data.read_bytes() == CSV


def test_a_broken_form_leaves_nothing(world: World) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\na;b\r\n1;2'
    headers = world.headers("analyst") | {"Content-Type": "multipart/form-data; boundary=b"}
    answer = world.client.post("/api/v1/data-sources/upload", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_form")
    no_file = b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nx\r\n--b--\r\n'
    answer = world.client.post("/api/v1/data-sources/upload", content=no_file, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_file")
    assert _left(world) == []


def test_size_and_space_are_limited_and_a_refused_file_leaves_nothing(small_world: World) -> None:
    world = small_world
    line = b"a;b\r\n" * 1000
    too_large = _send(world, line * 700)
    assert (too_large.status_code, too_large.json()["error"]["code"]) == (413, "file_too_large")
    assert _send(world, line * 500).status_code == 201
    full = _send(world, line * 500)
    assert (full.status_code, full.json()["error"]["code"]) == (413, "storage_full")
    assert len([p for p in _left(world) if p.endswith("meta.json")]) == 1
    assert _send(world, line, tenant="t2").status_code == 201, "another tenant's space is its own"


def test_a_full_disk_is_one_sentence_and_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = _send(world)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "disk_full")
    monkeypatch.undo()
    assert _left(world) == []
    assert _send(world).status_code == 201


def test_an_upload_is_its_senders(world: World) -> None:
    upload = _send(world).json()["id"]
    for headers in (world.headers("administrator"), world.headers("analyst", "t2")):
        answer = world.client.post(f"/api/v1/data-sources/uploads/{upload}/preview", json={}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        made = world.client.post("/api/v1/data-sources/from-files", json={"name": "x", "uploads": [upload]}, headers=headers)
        assert made.status_code == 404
    assert world.client.delete(f"/api/v1/data-sources/uploads/{upload}", headers=world.headers("analyst")).status_code == 204
    assert _left(world) == []


def test_a_file_that_is_not_what_its_name_says(world: World) -> None:
    upload = _send(world, b"PK\x03\x04" + bytes(range(256)) * 40, "faux.csv").json()["id"]
    answer = world.client.post(f"/api/v1/data-sources/uploads/{upload}/preview", json={}, headers=world.headers("analyst"))
    assert answer.status_code == 422
    assert "faux.csv" in answer.json()["error"]["message"]


def test_files_are_replaced_as_a_new_revision(world: World) -> None:
    source_id = _kept(world)
    upload = _send(world, b"R\xe9gion;Montant HT\r\nEst;1,00\r\n").json()["id"]
    added = world.client.post(
        f"/api/v1/data-sources/{source_id}/files", json={"uploads": [upload]}, headers=world.headers("analyst")
    )
    assert added.status_code == 202, added.text
    _done(world, source_id, added.json()["job_id"])
    rows = world.client.get(
        f"/api/v1/data-sources/{source_id}/preview", params={"table": "main.ventes_region"}, headers=world.headers("analyst")
    ).json()["rows"]
    assert [row[0] for row in rows] == ["Est"]


def test_a_deleted_source_leaves_nothing_and_does_not_exist(world: World) -> None:
    source_id = _kept(world)
    assert world.client.delete(f"/api/v1/data-sources/{source_id}", headers=world.headers("analyst")).status_code == 403
    gone = world.client.delete(f"/api/v1/data-sources/{source_id}", headers=world.headers("administrator"))
    assert gone.status_code == 204
    assert not [p for p in _left(world) if p.startswith(("sources", "uploads"))]
    for path in ("", "/catalog", "/connection"):
        answer = world.client.get(f"/api/v1/data-sources/{source_id}{path}", headers=world.headers("administrator"))
        assert answer.status_code == 404


def test_another_tenant_sees_nothing_of_it(world: World) -> None:
    source_id = _kept(world)
    stranger = world.headers("administrator", "t2")
    never = world.client.get("/api/v1/data-sources/" + "0" * 32, headers=stranger).json()
    for method, path in (("GET", ""), ("GET", "/catalog"), ("GET", "/connection"), ("POST", "/refresh"), ("DELETE", "")):
        answer = world.client.request(method, f"/api/v1/data-sources/{source_id}{path}", headers=stranger)
        assert (answer.status_code, answer.json()) == (404, never)
    assert world.client.get("/api/v1/data-sources", headers=stranger).json()["items"] == []


def test_what_a_killed_process_left_is_swept_at_the_next_start(world: World) -> None:
    source_id = _kept(world)
    storage = world.platform.sources.storage(world.tenant_id())
    storage.part("a" * 32)
    (storage.root / "sources" / ("b" * 32) / "1").mkdir(parents=True)
    (storage.root / "sources" / source_id / "99.part").mkdir()
    world.platform.sources._sweep(world.tenant_id(), starting=True)
    assert not list(storage.root.glob("uploads/*.part"))
    assert [p.name for p in (storage.root / "sources").iterdir()] == [source_id]
    assert [p.name for p in (storage.root / "sources" / source_id).iterdir()] == ["1"]


def test_uploads_side_by_side_share_one_limit(tmp_path: Path) -> None:
    storage = storage_module.TenantStorage(tmp_path)
    storage.reserve(60, 100)
    with pytest.raises(storage_module.TooLarge):
        storage.reserve(60, 100)
    storage.release(60)
    storage.reserve(60, 100)
