"""What ends, ends whole: people, sources and tenants with work under way. Found by a review, each once open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub_config.database import Query
from hub_config.errors import NotFound, PlatformUnavailable
from hub_config.queries.model import Asked
from tests.platform_support import World, wait_until
from tests.questions_support import add_files, asking_world, slow_down
from tests.unit.platform.test_data_sources_files import _done, _kept, _send

SLOW = "SELECT 1 AS un FROM ventes"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with asking_world(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    "change",
    [{"status": "disabled"}, {"role": "viewer"}, {"attributes": {"region": "Nord"}}, None],
    ids=["disabled", "demoted", "other attributes", "deleted"],
)
def test_what_a_person_asked_ends_with_what_they_were(
    world: World, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any] | None
) -> None:
    source = add_files(world)
    slow = slow_down(world, source, monkeypatch)
    running = world.platform.queries.ask(world.principal("analyst"), Asked(source, sql=SLOW))
    others = world.platform.queries.ask(world.principal("administrator"), Asked(source, sql=SLOW + " LIMIT 3"))
    wait_until(lambda: slow.running == 2)
    path, headers = f"/api/v1/users/{world.user_id('analyst')}", world.headers("administrator")
    if change is None:
        assert world.client.delete(path, headers=headers).status_code == 204
    else:
        assert world.client.patch(path, json=change, headers=headers).status_code == 200
    wait_until(running.future.done)
    assert running.future.exception() is not None
    assert not others.future.done()
    others.cancel()


def _on_disk(world: World) -> list[str]:
    return sorted(p.name for p in (world.settings.data_dir / "tenants").rglob("*") if p.is_file())


def test_a_source_that_is_deleted_leaves_no_copy_of_its_rows(world: World) -> None:
    source = _kept(world)
    assert [n for n in _on_disk(world) if n.endswith(".duckdb")], "the rows are kept a second time, as a database"
    gone = world.client.delete(f"/api/v1/data-sources/{source}", headers=world.headers("administrator"))
    assert gone.status_code == 204
    assert _on_disk(world) == []


def test_an_upload_that_is_given_up_leaves_no_copy_of_its_rows(world: World) -> None:
    upload = _send(world).json()["id"]
    headers = world.headers("analyst")
    assert world.client.post(f"/api/v1/data-sources/uploads/{upload}/preview", json={}, headers=headers).status_code == 200
    assert world.client.delete(f"/api/v1/data-sources/uploads/{upload}", headers=headers).status_code == 204
    assert _on_disk(world) == []


def test_no_secret_of_the_service_is_in_the_environment_of_what_reads_files(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess

    monkeypatch.setenv("DATAPILOT_MODEL_KEY", "sk-not-for-strangers")
    seen: list[dict[str, str]] = []
    real = subprocess.Popen.__init__

    def watched(self: Any, *args: Any, **options: Any) -> None:
        seen.append(dict(options.get("env") or {"DATAPILOT_MODEL_KEY": "inherited"}))
        real(self, *args, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", watched)
    _kept(world)
    assert len(seen) >= 2, "the reader and the database's worker"
    assert not [environment for environment in seen if "DATAPILOT_MODEL_KEY" in environment]


def test_what_is_still_to_be_written_of_a_deleted_tenant_holds_up_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, foreign = add_files(world), add_files(world, "t2")
    record, audit = world.platform.queries.record, world.platform.audit
    real = audit.record

    def away(*args: Any, **options: Any) -> None:
        raise PlatformUnavailable(log="away")

    monkeypatch.setattr(audit, "record", away)
    asked = {"t1": source, "t2": foreign}
    for tenant, one in asked.items():
        with pytest.raises(PlatformUnavailable):
            world.platform.queries.run(world.principal("analyst", tenant), Asked(one, sql=SLOW))
    monkeypatch.setattr(audit, "record", real)
    world.platform.departure.delete(world.tenant_id())
    assert record.write_late() == 0
    with world.database.tenant(world.tenant_id("t2"), read_only=True) as session:
        assert {row.status for row in session.scalars(select(Query))} == {"failed"}, "the other tenant's was written"


def test_an_upload_on_its_way_when_its_tenant_is_deleted_leaves_nothing(world: World) -> None:
    storage = world.platform.sources.storage(world.tenant_id())
    world.platform.departure.delete(world.tenant_id())
    with pytest.raises(NotFound):
        storage.part("0" * 32)
    assert not storage.root.exists()


def test_what_a_new_revision_replaced_is_not_kept(world: World) -> None:
    source = _kept(world)
    upload = _send(world, content=b"a;b\r\n1;2\r\n").json()["id"]
    path = f"/api/v1/data-sources/{source}/files"
    again = world.client.post(path, json={"uploads": [upload]}, headers=world.headers("analyst"))
    assert again.status_code == 202, again.text
    assert _done(world, source, again.json()["job_id"])["status"] == "done"
    folder = world.settings.data_dir / "tenants" / world.tenant_id()
    assert [entry.name for entry in (folder / "sources" / source).iterdir()] == ["2"]
    assert len(list((folder / "cache").glob("*.duckdb"))) == 1


def test_an_upload_that_nobody_wanted_goes_after_a_day_without_a_restart(world: World) -> None:
    old, new = (_send(world, name=name).json()["id"] for name in ("vieux.csv", "neuf.csv"))
    uploads = world.settings.data_dir / "tenants" / world.tenant_id() / "uploads"
    os.utime(uploads / old, (1, 1))
    world.platform.sources.sweep_uploads()
    assert [entry.name for entry in uploads.iterdir()] == [new]
