"""The manager of interactive dashboards: opens them, carries messages between page and process, ends what must end."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from dashboards.interactive import files
from dashboards.interactive.messages import Refused, entry_of, frame_of, from_viewer, to_viewer
from datapilot_kernel.errors import DataPilotError
from hub_config.content.notebooks import run_of
from hub_config.errors import Conflict, NotFound, PlatformUnavailable, TooMany, Unauthenticated
from hub_config.interactive.sittings import Sitting, Sittings, Why, settle
from hub_config.rendering.hub_servers import HubServers
from hub_config.rendering.keeper import Keeper

if TYPE_CHECKING:
    from hub_config.audit import Audit
    from hub_config.content.publishing import Published, Publishing
    from hub_config.database import Database
    from hub_config.people import People
    from hub_config.people.page_sessions import Visitor
    from hub_config.principal import Principal
    from hub_config.queries import Asked
    from hub_config.settings import Settings

log = logging.getLogger(__name__)
_LOOK_EVERY_S = 3.0
_LEFT_S = 90.0
"""A page asks every :data:`POLL_S`: of one that has not for so long nobody looks at it."""
_LONGEST_S = 12 * 3600.0
POLL_S = 20.0
_FILE_S = 20.0
MOST_ENTRIES = 200
MARKUP_CHARACTERS = 12_000_000
TILE_ROWS = 5_000
"""Rows of a tile that the notebook's own code gets to work with."""


class InteractiveServers(HubServers):
    """The hub's servers of interactive dashboards: a rendering's in everything but what runs."""

    def start(self, tenant_id: str, rendering_id: str, grant: str) -> None:
        """Have the process started; returns when the hub began to. Raises PlatformUnavailable."""
        from hub_config.hub_names import rendering_user_name

        name = rendering_user_name(tenant_id, rendering_id)
        self._ask("POST", f"/users/{name}", good=(201, 409))
        self._ask("POST", f"/users/{name}/server", {"grant": grant, "runs": "interactive"}, good=(201, 202))


class Interactives:
    """Safe to call from many threads."""

    def __init__(self, settings: Settings, database: Database, people: People, publishing: Publishing, audit: Audit) -> None:
        self._settings = settings
        self._database = database
        self.people = people
        self._publishing = publishing
        self._audit = audit
        self._servers = InteractiveServers(settings)
        self.sittings = Sittings(tenant_most=settings.interactive_dashboards_per_tenant)
        # The same for everybody, each known by its digest: fetched once for all sittings.
        self._files: dict[str, bytes] = {}
        self._keeper = Keeper("interactives", self._servers, self.look, _LOOK_EVERY_S)

    @property
    def available(self) -> bool:
        """Whether this installation has a hub that starts them."""
        return self._servers.available

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin to look after them."""
        self._keeper.start()

    def stop(self) -> None:
        """End all. Safe twice."""
        self._keeper.stop()
        self.begin_stopping()
        self._keeper.clear()
        self._servers.close()

    def begin_stopping(self) -> None:
        """End all: requests that wait for a message return, and hold no stop up."""
        for sitting in self.sittings.live():
            self._end(sitting, "stopped")

    def forget(self, tenant_id: str) -> None:
        """Drop everything of a tenant that goes away."""
        for sitting in self.sittings.live(tenant_id):
            self._end(sitting, "rights")
        self.sittings.forget(tenant_id)

    def leave(self, tenant_id: str, user_id: str) -> None:
        """End what is open of a person who is gone, or is no longer who they were."""
        for sitting in self.sittings.live(tenant_id, user_id):
            self._end(sitting, "rights")

    # ── for people ────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, visitor: Visitor, dashboard_id: str) -> Sitting:
        """Open the version in force for this person, or return what they have open. Asks the hub: call it from a thread.

        Raises
        ------
        NotFound
            No such published dashboard for this person, or none that is interactive; or this installation has no hub.
        TooMany
            As many of the tenant's, or of this person's, are open as may be.
        PlatformUnavailable
            The hub is away.
        """
        if not self._servers.available:
            raise NotFound(log="interactive dashboards: no hub is set")
        principal = visitor.principal
        published = self._publishing.published(principal, dashboard_id)
        if published.content.get("mode") != "interactive":
            raise NotFound(log="this version is not interactive")
        notebook = run_of(published.content)
        sitting, grant = self.sittings.add(principal, visitor.session_id, dashboard_id, published.number, notebook)
        if grant is None:
            return sitting
        try:
            sitting.stood = self._stood(principal, published)
            with self._database.tenant(principal.tenant_id) as session:
                self._audit.record(
                    session, principal, action="dashboard.interact", object_type="dashboard", object_id=dashboard_id,
                    details={"number": published.number},
                )  # fmt: skip
            self._servers.start(principal.tenant_id, sitting.id, grant)
            sitting.on_hub = True
        except BaseException:
            self._end(sitting, "not_started")
            raise
        return sitting

    def read(self, principal: Principal, dashboard_id: str) -> Sitting | None:
        """Return what the person has open of it, or lately had; None: nothing. Raises NotFound: not theirs to see."""
        published = self._publishing.published(principal, dashboard_id)
        found = self.sittings.of_person(principal, dashboard_id)
        if found is not None and not found.ended and found.version != published.number:
            self._end(found, "version")
        return found

    def close(self, principal: Principal, dashboard_id: str) -> None:
        """End what the person has open of it."""
        found = self.sittings.of_person(principal, dashboard_id)
        if found is not None:
            self._end(found, "closed")

    def say(self, principal: Principal, dashboard_id: str, entries: list[Any]) -> None:
        """Hand what a page said on to the kernel: what may be said (:mod:`dashboards.interactive.messages`), and no more.

        Raises
        ------
        NotFound
            Nothing is open.
        Refused
            One of them may not be said; none of them is handed on.
        TooMany
            More lies there than the process fetches.
        """
        sitting = self._open(principal, dashboard_id)
        if len(entries) > MOST_ENTRIES:
            raise Refused("many")
        said = [from_viewer(frame_of(entry)).frame() for entry in entries]
        many, _ = sitting.to_process.waiting()
        if many + len(said) > 400:
            raise TooMany("interactive.too_fast", retry_after_s=1, log="messages of an interactive dashboard")
        now = self.sittings.clock()
        sitting.heard_at = sitting.said_at = now
        sitting.to_process.put([{"message": entry_of(frame)} for frame in said], [len(frame) for frame in said])

    async def heard(
        self, principal: Principal, dashboard_id: str, after: int
    ) -> tuple[Sitting | None, list[Any], int, bool]:
        """Return what the kernel said after that number, waiting for it; the next number; whether some of it was lost."""
        sitting = self.sittings.of_person(principal, dashboard_id)
        if sitting is None or sitting.ended:
            return sitting, [], after, False
        sitting.heard_at = self.sittings.clock()
        await sitting.to_page.wait(after, POLL_S)
        sitting.heard_at = self.sittings.clock()
        if sitting.ended:
            return sitting, [], after, False
        found, following, lost = sitting.to_page.after(after)
        return sitting, found, following, lost

    async def file(self, key: str, name: str) -> bytes:
        """Return a file of the page's script, from the process. Raises NotFound."""
        sitting = self.sittings.of_key(key)
        if name not in files.known():
            raise NotFound(log="no file of the page's script")
        found = self._files.get(name) or await self._fetched(sitting, name)
        if found is None:
            raise NotFound(log="a file of the page's script did not come")
        return found

    async def _fetched(self, sitting: Sitting, name: str) -> bytes | None:
        if len(sitting.awaited) >= 100:
            raise TooMany("interactive.too_fast", retry_after_s=1, log="files of an interactive dashboard")
        order = uuid4().hex
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bytes | None] = loop.create_future()
        sitting.awaited[order] = (name, loop, future)
        sitting.to_process.put([{"id": order, "file": name}], [len(name)])
        try:
            return await asyncio.wait_for(future, _FILE_S)
        except TimeoutError:
            raise PlatformUnavailable(log="a file of an interactive dashboard did not come") from None
        finally:
            sitting.awaited.pop(order, None)

    def _open(self, principal: Principal, dashboard_id: str) -> Sitting:
        found = self.sittings.of_person(principal, dashboard_id)
        if found is None or found.state != "ready":
            raise NotFound(log="interactive dashboard: none is open")
        return found

    # ── for the process ───────────────────────────────────────────────────────────────────────────────────────────

    def job(self, grant: str) -> Sitting:
        """Return what is to be run. Raises Unauthenticated."""
        sitting = self.sittings.of_grant(grant)
        if sitting.state == "starting":
            sitting.state = "running"
        return sitting

    def tile(self, grant: str, tile_id: str) -> tuple[Principal, Asked, bool]:
        """Return what is to be asked for a tile: of this sitting's version, with the viewer's rights as they are now.

        Raises
        ------
        Unauthenticated
            It is over, or the person is.
        NotFound
            No such tile; another version is in force; the person may no longer open it.
        """
        sitting = self.sittings.of_grant(grant)
        principal = self.people.as_now(sitting.principal)
        if self._publishing.published(principal, sitting.dashboard_id).number != sitting.version:
            raise NotFound(log="interactive dashboard: another version is in force")
        asked, reach = self._publishing.tile(principal, sitting.dashboard_id, tile_id, {})
        return principal, asked, reach

    def progress(self, grant: str, done: int, of: int) -> None:
        """Note how far the process is."""
        sitting = self.sittings.of_grant(grant)
        sitting.done, sitting.of = max(sitting.done, min(done, of)), of

    def page(self, grant: str, markup: str) -> None:
        """Take the page. Raises Conflict: there is one already."""
        sitting = self.sittings.of_grant(grant)
        if sitting.state != "running":
            raise Conflict("interactive.opened_already")
        sitting.markup = markup
        sitting.heard_at = sitting.said_at = self.sittings.clock()  # however long it took, its reader is given time to look
        sitting.state = "ready"

    def failure(self, grant: str, *, cell: int | None, trace: str) -> None:
        """Take the author's error, or (``cell`` None) the process's own."""
        sitting = self.sittings.of_grant(grant)
        if cell is None:
            log.error("interactive dashboard %s (%s) failed in its process", sitting.dashboard_id, sitting.id)
        self._end(sitting, "fault" if cell is None else "author", cell=cell, trace=trace)

    async def orders(self, grant: str, after: int) -> tuple[list[Any], int]:
        """Return what the process has to do, waiting for it; what it fetched before is dropped."""
        sitting = self.sittings.of_grant(grant)
        sitting.to_process.taken(after)
        await sitting.to_process.wait(after, POLL_S)
        if sitting.ended:
            raise Unauthenticated(log="interactive dashboard: it is over")
        found, following, _ = sitting.to_process.after(after)
        return found, following

    def spoke(self, grant: str, entries: list[Any]) -> None:
        """Take what the kernel said, as its viewer may see it; what is not for a page is dropped."""
        sitting = self.sittings.of_grant(grant)
        author = sitting.principal.role != "viewer"
        kept = []
        for entry in entries:
            try:
                kept.append(to_viewer(frame_of(entry), author=author).frame())
            except Refused as why:
                log.debug("interactive dashboard %s: dropped (%s)", sitting.id, why)
        if kept:
            sitting.to_page.put([entry_of(frame) for frame in kept], [len(frame) for frame in kept])

    def arrived(self, grant: str, order: str, body: bytes | None) -> None:
        """Take a file that was asked for. Raises NotFound: nobody asked, or nobody waits any more."""
        sitting = self.sittings.of_grant(grant)
        waiting = sitting.awaited.pop(order, None)
        if waiting is None:
            raise NotFound(log="a file that nobody waits for")
        name, loop, future = waiting
        if body is not None and files.is_known(name, body):
            self._files[name] = body
            settle(loop, future, body)
            return
        log.warning("interactive dashboard %s: %s is not the file that it should be", sitting.dashboard_id, name)
        settle(loop, future, None)

    # ── looking after ─────────────────────────────────────────────────────────────────────────────────────────────

    def _end(self, sitting: Sitting, why: Why, *, cell: int | None = None, trace: str = "") -> None:
        if self.sittings.end(sitting, why, cell=cell, trace=trace):
            self._keeper.leave(sitting.principal.tenant_id, sitting.id)

    def look(self) -> None:
        """End what must end now, and take away what is left of it."""
        for sitting in self.sittings.live():
            why = self._why_over(sitting)
            if why is not None:
                self._end(sitting, why)
        self._keeper.clear()
        self.sittings.sweep()

    def _why_over(self, sitting: Sitting) -> Why | None:
        now = self.sittings.clock()
        if now - sitting.begun_at > _LONGEST_S:
            return "time"
        if sitting.state == "ready":
            if now - sitting.heard_at > _LEFT_S:
                return "left"
            if now - sitting.said_at > self._settings.interactive_idle_minutes * 60:
                return "idle"
        elif now - sitting.begun_at > self._settings.rendering_minutes * 60:
            return "lost"
        found = self._rights(sitting)
        if found is None and sitting.on_hub and not self._servers.lives(sitting.principal.tenant_id, sitting.id):
            found = "not_started" if sitting.state == "starting" else "lost"
        return found

    def _rights(self, sitting: Sitting) -> Why | None:
        """Return why it is no longer this person's to have open; None: it is, or nobody can tell just now."""
        tenant_id = sitting.principal.tenant_id
        try:
            if not self.people.page_sessions.lives(tenant_id, sitting.session_id):
                return "rights"
            principal = self.people.as_now(sitting.principal)
            if (principal.role, principal.attributes) != (sitting.principal.role, sitting.principal.attributes):
                return "rights"  # what the kernel holds was fetched with those of before
            published = self._publishing.published(principal, sitting.dashboard_id)
            if published.number != sitting.version:
                return "version"
            if sitting.stood not in (None, self._stood(principal, published)):
                return "rights"  # a layer hides or filters otherwise now, or a source is out of reach
        except PlatformUnavailable:
            return None
        except DataPilotError:
            return "rights"
        return None

    def _stood(self, principal: Principal, published: Published) -> frozenset[tuple[str, str]]:
        """Return the layers in force of the sources that this person reaches here: what they may see goes by these."""
        from hub_config.snapshots.keys import sources_of, standings

        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            reach = None if published.by_right else principal
            found = standings(session, sources_of(published.content), reached_by=reach)
        return frozenset((source, layer) for source, (_, _, layer) in found.items())
