"""The sources of all tenants: who reaches which, how it is opened, what is known of it.

:meth:`DataSources.open` is the one way from a person and an id to an open source with its catalog and its layer in force;
the QueryService stands on it. Rights inside the source (columns, rows) are the guard's, made from the layer and the person's
attributes. Administration (connections, files, layers) is in the modules beside, over :class:`Ground`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from datapilot_kernel.catalog.model import Catalog
from datapilot_kernel.errors import DataPilotError
from datapilot_kernel.semantic.model import Layer
from datapilot_kernel.sources import CancelToken, OpenedSource, open_source
from datapilot_kernel.sources.files_import.report import FileOptions
from hub_config.data_sources.catalogs import CatalogCache, pack
from hub_config.data_sources.circuit import Circuit, CircuitSource
from hub_config.data_sources.connection import ConnectionConfig
from hub_config.data_sources.drafts import Drafts
from hub_config.data_sources.jobs import Jobs
from hub_config.data_sources.network import NetworkWall
from hub_config.data_sources.pool import IDLE_S, PoolKey, SourcePool
from hub_config.data_sources.standing import Remembered, standing, standing_of
from hub_config.data_sources.storage import TenantStorage
from hub_config.data_sources.turns import READERS_PER_TENANT, READERS_TOGETHER, Turns
from hub_config.data_sources.visibility import reached
from hub_config.database import Database, DataSource, ScopedSession, SemanticLayer, SourceFile, utc_now
from hub_config.principal import Principal

if TYPE_CHECKING:
    from hub_config.audit import Audit
    from hub_config.settings import Settings
    from hub_config.vault import Vault

log = logging.getLogger(__name__)

_TIDY_EVERY_S = 60.0
_SWEEP_EVERY_S = 3600.0


@dataclass(frozen=True)
class Opened:
    """A source in use by one person.

    Attributes
    ----------
    layer
        The accepted layer; None: there is none yet, answers are over an automatic draft.
    catalog_version
        Changes whenever names, types or keys do.
    layer_version
        Changes with the layer in force; ``""`` without one.
    revision
        Changes with the connection, the files or the options.
    model_values
        Values of columns that are not personal may go to the language model, as far as the person sees them. Else only
        names, labels and what the layer itself says.
    """

    tenant_id: str
    source_id: str
    name: str
    source: OpenedSource
    catalog: Catalog
    layer: Layer | None
    catalog_version: str
    layer_version: str
    revision: str
    model_values: bool = False


@dataclass(frozen=True)
class Known:
    """What the platform's database says of a source, taken out of its session. ``repr`` shows no secret."""

    tenant_id: str
    id: str
    name: str
    type: str
    revision: str
    config: ConnectionConfig | None
    files: dict[str, FileOptions]
    catalog: Catalog | None
    layer: Layer | None
    layer_version: str
    model_values: bool = False


class DataSources:
    """The manager. Safe to call from many threads."""

    def __init__(
        self, settings: Settings, database: Database, vault: Vault, audit: Audit, *, wall: NetworkWall | None = None
    ) -> None:
        self.settings = settings
        self.database = database
        self.vault = vault
        self.audit = audit
        self.wall = wall or NetworkWall.from_settings(settings)
        self.jobs = Jobs(database)
        self.pool = SourcePool()
        self.turns = Turns()
        self.readers = Turns(per_tenant=READERS_PER_TENANT, together=READERS_TOGETHER)
        self.drafts = Drafts()
        self._catalogs = CatalogCache()
        self._remembered = Remembered()
        self._lock = threading.Lock()
        self._circuits: dict[PoolKey, Circuit] = {}
        self._layers: dict[tuple[str, str], Layer] = {}
        self._storages: dict[str, TenantStorage] = {}
        self._told: list[Callable[[str, str | None], None]] = []
        self._stopping = threading.Event()
        self._tidying: threading.Thread | None = None
        # The rooms beside stand on this one, and are reached through it.
        from hub_config.data_sources.administration import Administration
        from hub_config.data_sources.layers import Layers
        from hub_config.data_sources.uploads import Uploads

        self.administration = Administration(self)
        self.layers = Layers(self)
        self.uploads = Uploads(self)

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Tidy up after the last process, then run jobs and close what is idle."""
        for tenant_id in self._tenants_here():
            self.jobs.fail_interrupted(tenant_id)
            self._sweep(tenant_id, starting=True)
        self.jobs.start()
        self._tidying = threading.Thread(target=self._tidy, name="source-tidy", daemon=True)
        self._tidying.start()

    def stop(self) -> None:
        """End jobs and close every source. Safe twice."""
        self._stopping.set()
        self.jobs.stop()
        self.pool.stop()

    def _tidy(self) -> None:
        swept_at = time.monotonic()
        while not self._stopping.wait(_TIDY_EVERY_S):
            self.pool.close_idle()
            self._remembered.forget_idle(IDLE_S)
            self.drafts.forget_old()
            if time.monotonic() - swept_at >= _SWEEP_EVERY_S:
                swept_at = time.monotonic()
                self.sweep_uploads()

    def sweep_uploads(self) -> None:
        """Remove uploads that nobody made a source of within a day, of every tenant that has files here."""
        try:
            for tenant_id in self._tenants_here():
                self._sweep(tenant_id, starting=False)
        except (DataPilotError, OSError) as error:
            # The next hour tries again.
            log.warning("uploads were not swept: %s", type(error).__name__)

    def _tenants_here(self) -> list[str]:
        folder = self.settings.data_dir / "tenants"
        on_disk = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
        return sorted(on_disk | set(self.database.tenant_ids()))

    def _sweep(self, tenant_id: str, *, starting: bool) -> None:
        with self.database.tenant(tenant_id, read_only=True) as session:
            rows = session.scalars(select(DataSource).where(DataSource.type == "files"))
            revisions = {row.id: row.revision for row in rows}
        self.storage(tenant_id).sweep(revisions, starting=starting)

    def storage(self, tenant_id: str) -> TenantStorage:
        """Return the tenant's folders."""
        with self._lock:
            found = self._storages.get(tenant_id)
            if found is None:
                found = self._storages[tenant_id] = TenantStorage(self.settings.data_dir / "tenants" / tenant_id)
            return found

    def on_change(self, told: Callable[[str, str | None], None]) -> None:
        """Have ``told(tenant_id, source_id)`` called when a source was changed or removed (all of a tenant: None)."""
        self._told.append(told)

    def forget(self, tenant_id: str, source_id: str | None = None, *, keep: str | None = None) -> None:
        """Drop what is open or remembered of a source (of the whole tenant: None); ``keep`` is the revision that stays."""
        for told in self._told:
            told(tenant_id, source_id)
        self.pool.drop(tenant_id, source_id, keep=keep)
        self._catalogs.forget(tenant_id, source_id)
        self._remembered.forget(tenant_id, source_id)
        self.drafts.forget(tenant_id, source_id)
        with self._lock:
            for key in [k for k in self._circuits if k.tenant_id == tenant_id and source_id in (None, k.source_id)]:
                if key.revision != keep:
                    del self._circuits[key]

    def down_for_s(self, tenant_id: str, source_id: str) -> int | None:
        """Return after how many seconds a source that was found down is tried again; None: it was not."""
        with self._lock:
            found = [c for k, c in self._circuits.items() if (k.tenant_id, k.source_id) == (tenant_id, source_id)]
        return max((s for c in found if (s := c.retry_in_s) is not None), default=None)

    # ── opening ───────────────────────────────────────────────────────────────────────────────────────────────────

    def remembered(self, session: ScopedSession, principal: Principal, source_id: str) -> Known | None:
        """Return what is known of a source, if it is in memory and nothing of it changed; None: :meth:`open` reads it.

        Raises
        ------
        NotFound
            The person does not reach it.
        """
        return self._remembered.get(standing(session, principal, source_id))

    @contextmanager
    def open(self, principal: Principal, source_id: str, *, known: Known | None = None) -> Iterator[Opened]:
        """Hand out the open source, as long as the block lasts.

        Parameters
        ----------
        known
            What :meth:`remembered` said to this person a moment ago: nothing is read again.

        Raises
        ------
        NotFound
            The person does not reach it.
        SourceProblem
            It cannot be opened, or was found down a moment ago.
        """
        if known is None:
            with self.database.tenant(principal.tenant_id, read_only=True) as session:
                known = self.remembered(session, principal, source_id)
                if known is None:
                    row = reached(session, principal, source_id)
                    known = self.known(session, row)
                    self._remembered.put(standing_of(row, known.layer_version), known)
        with self.leased(known) as source:
            catalog = known.catalog or self.introspected(known, source)
            yield Opened(
                known.tenant_id, known.id, known.name, source, catalog, known.layer, catalog.version, known.layer_version,
                known.revision, known.model_values,
            )  # fmt: skip

    @contextmanager
    def leased(self, known: Known) -> Iterator[OpenedSource]:
        """Hand out the open source without asking who wants it: for this room's own work."""
        key = PoolKey(known.tenant_id, known.id, known.revision)
        with self.pool.lease(key, lambda: self._opened(known, key)) as source:
            yield source

    def _opened(self, known: Known, key: PoolKey) -> OpenedSource:
        if known.config is None:
            storage = self.storage(known.tenant_id)
            folder = storage.source_folder(known.id, known.revision)
            return open_source(str(folder), files_options=known.files, files_cache=storage.cache)
        source = open_source(known.config.location(self.wall))
        with self._lock:
            circuit = self._circuits.setdefault(key, Circuit())
        return CircuitSource(source, circuit)

    def known(self, session: ScopedSession, row: DataSource) -> Known:
        """Return what is known of a source, its secret read from the vault."""
        config, files = None, {}
        if row.connection_config_encrypted is not None:
            plain = self.vault.decrypt(session, row.tenant_id, row.id, row.connection_config_encrypted)
            config = ConnectionConfig.model_validate(plain)
        if row.type == "files":
            # Who came first keeps the names of their tables: a layer's masks and filters go by these.
            kept = (
                select(SourceFile).where(SourceFile.data_source_id == row.id).order_by(SourceFile.created_at, SourceFile.id)
            )
            for rank, file in enumerate(session.scalars(kept)):
                files[file.name] = replace(FileOptions.from_data(file.options), rank=rank)
        catalog = None
        if row.catalog_version is not None:
            stamp = f"{row.revision}/{row.refreshed_at}"
            stored = select(DataSource.schema_cache).where(DataSource.id == row.id)
            catalog = self._catalogs.get(row.tenant_id, row.id, stamp, lambda: session.scalars(stored).one_or_none())
        # The definitions are large: they are read once for each layer, which never changes.
        accepted = session.scalars(
            select(SemanticLayer.id).where(SemanticLayer.data_source_id == row.id, SemanticLayer.status == "accepted")
        ).one_or_none()
        layer = self._layer(session, row.tenant_id, accepted) if accepted is not None else None
        return Known(
            row.tenant_id, row.id, row.name, row.type, str(row.revision), config, files, catalog, layer, accepted or "",
            bool(row.options.get("model_values", False)),
        )  # fmt: skip

    def _layer(self, session: ScopedSession, tenant_id: str, layer_id: str) -> Layer:
        key = (tenant_id, layer_id)
        found = self._layers.get(key)
        if found is None:
            row = session.scalars(select(SemanticLayer).where(SemanticLayer.id == layer_id)).one()
            found = Layer.model_validate(row.definitions_json["layer"])
            self._layers[key] = found
        return found

    def introspected(
        self,
        known: Known,
        source: OpenedSource,
        *,
        tell: Callable[[dict[str, Any]], None] | None = None,
        cancel: CancelToken | None = None,
    ) -> Catalog:
        """Read the source's catalog and keep it, unless the source was changed meanwhile."""
        from datapilot_kernel.catalog import introspect
        from datapilot_kernel.catalog.introspection import Progress

        def progress(now: Progress) -> None:
            if tell is not None:
                tell({"step": now.step, "done": now.done, "total": now.total})

        catalog = introspect(source, progress=progress, cancel=cancel)
        with self.database.tenant(known.tenant_id) as session:
            row = session.get(DataSource, known.id)
            if row is not None and str(row.revision) == known.revision:
                row.schema_cache = pack(catalog)
                row.catalog_version = catalog.version
                row.refreshed_at = utc_now()
                row.status, row.problem_code = "ready", None
        return catalog
