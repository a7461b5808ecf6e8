"""The manager of renderings: begins them, serves their processes, ends what takes too long."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hub_config.errors import NotFound
from hub_config.principal import Principal
from hub_config.rendering.hub_servers import HubServers
from hub_config.rendering.jobs import Failure, Job, Jobs
from hub_config.rendering.keeper import Keeper
from hub_config.rendering.markup import cleaned, links_of, places
from hub_config.rendering.notebook import notebook_of

if TYPE_CHECKING:
    from hub_config.audit import Audit
    from hub_config.content.publishing import Publishing
    from hub_config.database import Database
    from hub_config.people import People
    from hub_config.queries import Asked
    from hub_config.settings import Settings

log = logging.getLogger(__name__)
_LOOK_EVERY_S = 5.0
MARKUP_CHARACTERS = 2_000_000
TILE_ROWS = 500
"""Rows of a tile that come with the page; the others are fetched when a reader asks for them."""


class Renderings:
    """Safe to call from many threads."""

    def __init__(self, settings: Settings, database: Database, people: People, publishing: Publishing, audit: Audit) -> None:
        self._settings = settings
        self._database = database
        self.people = people
        self._publishing = publishing
        self._audit = audit
        self._servers = HubServers(settings)
        self.jobs = Jobs(life_s=settings.rendering_minutes * 60, tenant_most=settings.tenant_parallel_renderings)
        self._keeper = Keeper("renderings", self._servers, self.look, _LOOK_EVERY_S)
        self._told: list[Callable[[str, str | None], None]] = []

    def on_leave(self, told: Callable[[str, str | None], None]) -> None:
        """Have ``told(tenant_id, user_id)`` called when a person is gone or changed; None: the whole tenant goes."""
        self._told.append(told)

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin to look after the processes."""
        self._keeper.start()

    def stop(self) -> None:
        """End what is under way: nobody would take its page. Safe twice."""
        self._keeper.stop()
        for job in self.jobs.under_way():
            self._failed(job, "lost")
        self._keeper.clear()
        self._servers.close()

    def forget(self, tenant_id: str) -> None:
        """Drop everything of a tenant that goes away."""
        for job in self.jobs.under_way(tenant_id):
            self._failed(job, "lost")
        self.jobs.forget(tenant_id)
        self._keeper.wake()
        for told in self._told:
            told(tenant_id, None)

    def leave(self, tenant_id: str, user_id: str) -> None:
        """End what is under way for a person who is gone, or is no longer who they were."""
        for job in self.jobs.under_way(tenant_id, user_id):
            self._failed(job, "lost")
        for told in self._told:
            told(tenant_id, user_id)

    # ── for people ────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, principal: Principal, dashboard_id: str) -> Job:
        """Have the version in force rendered for this person. Asks the hub: call it from a thread.

        Raises
        ------
        NotFound
            No such published dashboard for this person; or this installation has no hub.
        TooMany
            As many of the tenant's are under way as may be.
        PlatformUnavailable
            The hub is away.
        """
        if not self._servers.available:
            raise NotFound(log="renderings: no hub is set")
        published = self._publishing.published(principal, dashboard_id)
        job, grant = self.jobs.add(principal, dashboard_id, published.number, notebook_of(published.content))
        try:
            with self._database.tenant(principal.tenant_id) as session:
                details = {"number": published.number}
                self._audit.record(
                    session, principal, action="dashboard.render", object_type="dashboard", object_id=dashboard_id,
                    details=details,
                )  # fmt: skip
            self._servers.start(principal.tenant_id, job.id, grant)
            job.on_hub = True
        except BaseException:
            self._failed(job, "not_started")
            raise
        return job

    @property
    def available(self) -> bool:
        """Whether this installation has a hub that renders."""
        return self._servers.available

    def begin_ahead(
        self, principal: Principal, dashboard_id: str, version: int, notebook: dict[str, Any], asked: Mapping[str, Asked]
    ) -> Job:
        """Have a version rendered ahead: ``asked`` is what its tiles may ask, and the whole of it. See ``Job.over``.

        Raises
        ------
        TooMany
            As many of the tenant's are under way as may be.
        PlatformUnavailable
            The hub is away.
        """
        job, grant = self.jobs.add(principal, dashboard_id, version, notebook, asked=asked)
        try:
            self._servers.start(principal.tenant_id, job.id, grant)
            job.on_hub = True
        except BaseException:
            self._failed(job, "not_started")
            raise
        return job

    def end(self, job: Job) -> None:
        """End a rendering that nobody waits for any more."""
        self._failed(job, "lost")

    def read(self, principal: Principal, job_id: str) -> Job:
        """Return one's own rendering. Raises NotFound."""
        return self.jobs.of_person(principal, job_id)

    # ── for the process ───────────────────────────────────────────────────────────────────────────────────────────

    def job(self, grant: str) -> Job:
        """Return what is to be rendered. Raises Unauthenticated."""
        job = self.jobs.of_grant(grant)
        job.state = "running"
        return job

    def tile(self, grant: str, tile_id: str) -> tuple[Job, Principal, Asked, bool]:
        """Return what is to be asked for a tile: of this job's version, with the viewer's rights as they are now.

        Raises
        ------
        Unauthenticated
            The grant is over, or the person is.
        NotFound
            No such tile; another version is in force; the person may no longer open it.
        """
        job = self.jobs.of_grant(grant)
        if job.asked is not None:
            if tile_id not in job.asked:
                raise NotFound(log="rendering: no such tile of the version")
            return job, job.principal, job.asked[tile_id], False
        principal = self.people.as_now(job.principal)
        if self._publishing.published(principal, job.dashboard_id).number != job.version:
            raise NotFound(log="rendering: another version is in force")
        asked, reach = self._publishing.tile(principal, job.dashboard_id, tile_id, {})
        return job, principal, asked, reach

    def progress(self, grant: str, done: int, of: int) -> None:
        """Note how far the process is."""
        job = self.jobs.of_grant(grant)
        job.done, job.of = max(job.done, min(done, of)), of

    def page(self, grant: str, markup: str) -> None:
        """Take the page: cleaned, with places for tiles that this service ran for it and no others."""
        job = self.jobs.of_grant(grant)
        clean = cleaned(markup[:MARKUP_CHARACTERS], links=links_of(job.notebook))
        kept = {tile: job.outcomes[tile] for tile in places(clean) if tile in job.outcomes}
        self.jobs.end(job, "ready", markup=clean, outcomes=kept, done=job.of)
        self._keeper.leave(job.principal.tenant_id, job.id)

    def failure(self, grant: str, *, cell: int | None, trace: str, name: str = "") -> None:
        """Take the author's error, or (``cell`` None) the process's own."""
        job = self.jobs.of_grant(grant)
        if cell is None:
            log.error("rendering %s of dashboard %s failed in its process", job.id, job.dashboard_id)
        why: Failure = "fault" if cell is None else "timeout" if name == "Timeout" else "author"
        self._failed(job, job.problem or why, cell=cell, trace=trace)

    # ── looking after ─────────────────────────────────────────────────────────────────────────────────────────────

    def _failed(self, job: Job, why: Failure, **found: Any) -> None:
        if self.jobs.end(job, "failed", failure=why, **found):
            self._keeper.leave(job.principal.tenant_id, job.id)

    def look(self) -> None:
        """End what must end now, and take away what is left of it."""
        for job in self.jobs.overdue():
            self._failed(job, "lost")
        for job in self.jobs.under_way():
            if job.on_hub and not self._servers.lives(job.principal.tenant_id, job.id):
                self._failed(job, "lost" if job.state == "running" else "not_started")
        self._keeper.clear()
        self.jobs.sweep()
