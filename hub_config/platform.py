"""Everything the service is made of, built once from the settings and handed to routes and commands.

Order matters and stands here alone: database, vault, people, sources, queries; stopped the other way round.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hub_config.settings import Settings

if TYPE_CHECKING:
    from hub_config.audit import Audit
    from hub_config.content import Content
    from hub_config.data_sources import DataSources
    from hub_config.database import Database
    from hub_config.interactive import Interactives
    from hub_config.operations.metrics import Metrics
    from hub_config.operations.retention import Retention
    from hub_config.people import People
    from hub_config.queries import QueryService
    from hub_config.rendering import Renderings
    from hub_config.tenant import Departure, Office
    from hub_config.vault import Vault

log = logging.getLogger(__name__)


@dataclass
class Platform:
    """The managers. Every one is safe to call from many threads."""

    settings: Settings
    metrics: Metrics
    database: Database
    vault: Vault
    audit: Audit
    people: People
    sources: DataSources
    queries: QueryService
    content: Content
    office: Office
    renderings: Renderings
    interactives: Interactives = field(init=False)
    departure: Departure = field(init=False)
    retention: Retention = field(init=False)
    _stopping: bool = field(default=False, init=False)

    @classmethod
    def build(cls, settings: Settings) -> Platform:
        """Build every manager. Opens no connection yet, and migrates nothing."""
        from hub_config.audit import Audit
        from hub_config.content import Content
        from hub_config.data_sources import DataSources
        from hub_config.database import Database
        from hub_config.operations.metrics import Metrics
        from hub_config.people import People
        from hub_config.queries import QueryService
        from hub_config.rendering import Renderings
        from hub_config.tenant import Office
        from hub_config.vault import Vault

        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        metrics = Metrics()
        admin_url = settings.database_admin_url.get_secret_value() if settings.database_admin_url else None
        database = Database(settings.resolved_database_url(), admin_url=admin_url, pool_size=settings.database_pool_size)
        vault = Vault.from_settings(settings)
        audit = Audit(database)
        people = People(settings, database, audit)
        sources = DataSources(settings, database, vault, audit)
        queries = QueryService(settings, database, sources, audit, metrics)
        content = Content(settings, database, sources, queries, audit)
        sources.on_change(queries.forget)
        office = Office(settings, database, audit)
        renderings = Renderings(settings, database, people, content.publishing, audit)
        content.snapshots.render_by(renderings)
        return cls(settings, metrics, database, vault, audit, people, sources, queries, content, office, renderings)

    def __post_init__(self) -> None:
        from hub_config.interactive import Interactives
        from hub_config.operations.retention import Retention
        from hub_config.tenant import Departure

        self.departure = Departure(self)
        self.interactives = Interactives(self.settings, self.database, self.people, self.content.publishing, self.audit)
        self.retention = Retention(self.settings, self.database)

    def start(self) -> None:
        """Start background work: catalog refreshes left undone, clearing of old results."""
        self.vault.prepare(self.database)
        self.sources.start()
        self.queries.start()
        self.retention.start()
        self.people.hub_leavers.start()
        self.renderings.start()
        self.content.snapshots.start()
        self.interactives.start()

    def end_work_of(self, tenant_id: str, user_id: str) -> None:
        """End what a person has under way: what was asked with the rights of before is not answered with them."""
        self.queries.leave(tenant_id, user_id)
        self.renderings.leave(tenant_id, user_id)
        self.interactives.leave(tenant_id, user_id)

    def drain(self) -> None:
        """Let queries finish as long as the grace lasts, then cancel them. Returns when none is left."""
        self.queries.drain(grace_s=self.settings.shutdown_grace_seconds)

    def stop(self) -> None:
        """Drain, cancel what is left, give everything back. Safe twice."""
        self.interactives.stop()
        self.content.snapshots.stop()
        self.renderings.stop()
        self.people.hub_leavers.stop()
        self.retention.stop()
        self.queries.stop(grace_s=self.settings.shutdown_grace_seconds)
        self.sources.stop()
        self.people.close()
        self.database.dispose()

    def begin_stopping(self) -> None:
        """Take no more questions: readiness says no from now on."""
        self._stopping = True
        self.interactives.begin_stopping()
        self.queries.begin_stopping()

    def is_ready(self) -> bool:
        """Tell whether questions can be served: not stopping, the database answers and is migrated."""
        from datapilot_kernel.errors import DataPilotError

        try:
            return not self._stopping and self.database.is_current()
        except DataPilotError:
            return False
