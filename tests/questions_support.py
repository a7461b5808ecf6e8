"""What the tests of questions share: a platform with a QueryService, sources of every kind, a layer with a row filter."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from datapilot_kernel.catalog import introspect
from datapilot_kernel.errors import Cancelled
from datapilot_kernel.semantic import draft_layer
from datapilot_kernel.semantic.model import Layer
from datapilot_kernel.sources import CancelToken, ResultTable
from hub_config.database import DataSource, SemanticLayer, SourceFile, User
from hub_config.queries import QueryService
from tests.platform_support import World, make_settings, make_world

LINES = [
    ("Sud", "2026-01-03", "120.50"),
    ("Nord", "2026-01-04", "10.00"),
    ("Sud", "2026-02-05", "79.50"),
    ("Ouest", "2026-02-06", "300.25"),
    ("Nord", "2026-02-07", "40.00"),
]
CSV = "region;date_vente;montant\n" + "".join(f"{r};{d};{m.replace('.', ',')}\n" for r, d, m in LINES)
STATEMENTS = (
    "CREATE TABLE ventes (id INTEGER PRIMARY KEY, region VARCHAR(40), date_vente DATE, montant DECIMAL(12,2))",
    "INSERT INTO ventes VALUES " + ", ".join(f"({i}, '{r}', '{d}', {m})" for i, (r, d, m) in enumerate(LINES, 1)),
)
TODAY = "2026-03-10"


class PlainVault:
    """A vault that does not encrypt, while the real one is not there: the tests here are not about it."""

    def encrypt(self, session: Any, tenant_id: str, source_id: str, config: dict[str, Any]) -> str:
        return json.dumps(config)

    def decrypt(self, session: Any, tenant_id: str, source_id: str, token: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(token)
        return found


@contextmanager
def asking_world(folder: Path, *, admin_url: str | None = None, **given: Any) -> Iterator[World]:
    """A world whose platform answers questions, and may reach servers of this machine."""
    given = {"source_networks_allowed": ("127.0.0.1",)} | given
    made = make_world(folder, admin_url=admin_url, **given)
    platform = made.platform
    if platform.sources.vault is None:
        platform.sources.vault = PlainVault()
    if not hasattr(platform, "queries"):
        platform.queries = QueryService(made.settings, platform.database, platform.sources, platform.audit, platform.metrics)
        platform.start, platform.stop = _both(platform, made.settings.shutdown_grace_seconds)
        platform.begin_stopping = platform.queries.begin_stopping
    with made:
        yield made


def _both(platform: Any, grace_s: float) -> Any:
    sources_start, sources_stop = platform.sources.start, platform.sources.stop

    def start() -> None:
        sources_start()
        platform.queries.start()

    def stop() -> None:
        platform.queries.stop(grace_s=grace_s)
        sources_stop()

    return start, stop


def add_files(world: World, tenant: str = "t1", *, content: str = CSV, name: str = "Ventes") -> str:
    """A source of one CSV file, there at once."""
    tenant_id = world.tenant_id(tenant)
    row = DataSource(name=name, type="files")
    with world.database.tenant(tenant_id) as session:
        session.add(row)
        session.add(SourceFile(data_source_id=row.id, name="ventes.csv", size_bytes=len(content), sha256="0", status="kept"))
    where = world.platform.sources.storage(tenant_id).source_folder(row.id, "1")
    where.mkdir(parents=True, exist_ok=True)
    (where / "ventes.csv").write_text(content, encoding="utf-8")
    return row.id


def add_database(world: World, url: str, tenant: str = "t1", *, name: str = "Base") -> str:
    """A source that is a database server's."""
    parts = urlsplit(url)
    kind = "postgres" if parts.scheme.startswith("postgres") else "mysql"
    config = {
        "type": "postgresql" if kind == "postgres" else "mariadb",
        "host": parts.hostname,
        "port": parts.port,
        "database": parts.path.strip("/"),
        "user": parts.username,
        "password": parts.password or "",
        "tls": "disable",
    }
    row = DataSource(name=name, type=kind)
    with world.database.tenant(world.tenant_id(tenant)) as session:
        session.add(row)
        session.flush()
        row.connection_config_encrypted = world.platform.sources.vault.encrypt(session, row.tenant_id, row.id, config)
    return row.id


def accept_layer(world: World, source_id: str, tenant: str = "t1", **changes: Any) -> Layer:
    """Make the automatic draft, changed in its one entity, the layer in force."""
    principal = world.principal("administrator", tenant)
    with world.platform.sources.open(principal, source_id) as opened:
        draft = draft_layer(introspect(opened.source))
    (name, entity), *_ = draft.entities.items()
    changed = entity.model_copy(update=changes)
    layer = draft.model_copy(update={"status": "accepted", "entities": {**draft.entities, name: changed}})
    with world.database.tenant(world.tenant_id(tenant)) as session:
        from sqlalchemy import func, select, update

        session.execute(update(SemanticLayer).where(SemanticLayer.data_source_id == source_id).values(status="superseded"))
        number = session.scalar(select(func.count()).select_from(SemanticLayer)) or 0
        session.add(
            SemanticLayer(
                data_source_id=source_id,
                number=number + 1,
                status="accepted",
                definitions_json={"layer": layer.model_dump(mode="json")},
            )
        )
    return layer


def give_attributes(world: World, role: str, tenant: str = "t1", **attributes: str) -> None:
    """Change a person's attributes, as an administrator would."""
    with world.database.tenant(world.tenant_id(tenant)) as session:
        session.get(User, world.user_id(role, tenant)).attributes = attributes
    world.people.states.forget(world.tenant_id(tenant), world.user_id(role, tenant))


class Slow:
    """A source whose statements take until they are let go or stopped."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.go = threading.Event()
        self.running = 0
        self.stopped = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def execute(self, sql: str, *, limits: Any = None, cancel: CancelToken | None = None) -> ResultTable:
        assert cancel is not None
        self.running += 1
        woken = threading.Event()
        release = cancel.on_cancel(woken.set)
        while not self.go.is_set() and not woken.wait(0.01):
            pass
        release()
        self.running -= 1
        if cancel.cancelled:
            self.stopped += 1
            raise Cancelled
        found: ResultTable = self.inner.execute(sql, limits=limits, cancel=cancel)
        return found


def slow_down(world: World, source_id: str, monkeypatch: pytest.MonkeyPatch) -> Slow:
    """Make a source slow from now on; its index of values is ready."""
    answer(world, {"source_id": source_id, "question": "montant par region", "today": TODAY})
    sources = world.platform.sources
    real = sources.open

    @contextmanager
    def opened(principal: Any, wanted: str, **options: Any) -> Iterator[Any]:
        with real(principal, wanted, **options) as found:
            if wanted == source_id:
                yield replace(found, source=slow)
            else:
                yield found

    with real(world.principal("administrator"), source_id) as found:
        slow = Slow(found.source)
    engines = world.platform.queries.engines
    for entry in engines._entries.values():
        entry.source = slow
        entry.engine.source.inner = slow
    monkeypatch.setattr(sources, "open", opened)
    return slow


def post(world: World, body: dict[str, Any], role: str = "analyst", tenant: str = "t1", **headers: str) -> Any:
    """Send a query."""
    return world.client.post("/api/v1/ai/query", json=body, headers=world.headers(role, tenant) | headers)


def answer(world: World, body: dict[str, Any], role: str = "analyst", tenant: str = "t1") -> dict[str, Any]:
    """Send a query that must be answered."""
    got = post(world, body, role, tenant)
    assert got.status_code == 200, got.text
    outcome: dict[str, Any] = got.json()
    assert outcome["outcome"] == "answer", outcome
    return outcome


__all__ = [
    "CSV",
    "STATEMENTS",
    "TODAY",
    "accept_layer",
    "add_database",
    "add_files",
    "answer",
    "asking_world",
    "make_settings",
    "post",
]
