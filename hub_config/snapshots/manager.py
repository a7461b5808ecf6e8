"""What pages and routes call: the last good snapshot, a refresh on demand, its progress, the schedule.

Reading costs two short statements; what was opened once is remembered unsealed, bounded in bytes, by the row and the moment
it was made: the row is looked up every time, with the reader's rights of that moment.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from hub_config.content.dashboards import edited
from hub_config.database import Dashboard, DashboardSnapshot, DashboardVersion, ScopedSession, utc_now
from hub_config.errors import Conflict, NotFound
from hub_config.principal import Principal
from hub_config.snapshots import store
from hub_config.snapshots.audience import audience, key_over
from hub_config.snapshots.keeper import Keeper
from hub_config.snapshots.keys import attributes_key, sources_of, standings
from hub_config.snapshots.making import Maker
from hub_config.snapshots.model import Progress, Snapshot
from hub_config.snapshots.outcomes import for_viewer
from hub_config.snapshots.schedule import Schedule

if TYPE_CHECKING:
    from hub_config.audit import Audit
    from hub_config.content.publishing import Published, Publishing
    from hub_config.database import Database
    from hub_config.queries import QueryService
    from hub_config.rendering import Renderings
    from hub_config.settings import Settings
    from hub_config.vault import Vault

Row = DashboardSnapshot
_REMEMBERED_BYTES = 64 * 1024 * 1024
_TRIED_LATELY = timedelta(minutes=15)


@dataclass(frozen=True)
class _Page:
    markup: str
    tiles: Mapping[str, bytes]
    size_bytes: int


class Snapshots:
    """The manager. Safe to call from many threads."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        vault: Vault,
        queries: QueryService,
        publishing: Publishing,
        audit: Audit,
    ) -> None:
        self._database = database
        self._vault = vault
        self._audit = audit
        self._most_ahead = settings.refresh_rights_ahead
        self.maker = Maker(queries)
        self.keeper = Keeper(settings, database, vault, queries, audit, self.maker)
        self._lock = threading.Lock()
        self._pages: OrderedDict[tuple[str, str, datetime, bool], _Page] = OrderedDict()
        self._pages_bytes = 0
        publishing.on_change(self.keeper.tell)

    def render_by(self, renderings: Renderings) -> None:
        """Have pages rendered through the hub, where this installation has one."""
        self.maker.renderings = renderings
        renderings.on_leave(self._left)

    def start(self) -> None:
        """Begin to make pages ahead."""
        self.keeper.start()

    def stop(self) -> None:
        """Give back what is under way. Safe twice."""
        self.keeper.stop()

    def forget(self, tenant_id: str) -> None:
        """Drop everything of a tenant that goes away."""
        self.keeper.forget(tenant_id)
        with self._lock:
            for key in [key for key in self._pages if key[0] == tenant_id]:
                self._pages_bytes -= self._pages.pop(key).size_bytes

    def _left(self, tenant_id: str, user_id: str | None) -> None:
        if user_id is None:
            self.forget(tenant_id)
        else:
            self.keeper.tell(tenant_id)

    # ── for readers ───────────────────────────────────────────────────────────────────────────────────────────────

    def of(self, principal: Principal, published: Published) -> Snapshot | None:
        """Return the last good snapshot for this person's rights; None: there is none, and one is asked for.

        Call it only with what :meth:`~hub_config.content.publishing.Publishing.published` just gave this person. One of an
        older version is returned while there is none of the version in force; never one of other rights.
        """
        tenant_id = principal.tenant_id
        mine = attributes_key(tenant_id, principal.attributes)
        with self._database.tenant(tenant_id, read_only=True) as session:
            rows = store.held(
                session, Row.dashboard_id == published.dashboard_id, Row.attributes_key == mine,
                Row.version <= published.number,
            )  # fmt: skip
            sources = sources_of(published.content)
            reach = None if published.by_right else principal
            now_key = key_over(tenant_id, principal.attributes, sources, standings(session, sources, reached_by=reach))
            in_force = next((r for r in rows if r.version == published.number and r.rights_key == now_key), None)
            found: store.Held | None = in_force
            content: Mapping[str, Any] = published.content
            if now_key is None or in_force is None or not in_force.kept:
                found, content = self._older(session, principal, published, rows, reach)
            page = self._page(session, tenant_id, found, viewer=principal.role == "viewer") if found is not None else None
        if now_key is not None and (in_force is None or (not in_force.kept and _may_try(in_force))):
            self.keeper.ask(tenant_id, published.dashboard_id, published.number, mine, now_key)
        if found is None or page is None or found.made_at is None:
            return None
        said = in_force or found
        return Snapshot(
            published.dashboard_id, found.version, found.made_at, page.markup, page.tiles,
            failed_at=said.failed_at, failure=said.failure,
            making=in_force is None or in_force.state != "idle" or not in_force.kept, content=content,
        )  # fmt: skip

    def _older(
        self,
        session: ScopedSession,
        principal: Principal,
        published: Published,
        rows: list[store.Held],
        reach: Principal | None,
    ) -> tuple[store.Held | None, Mapping[str, Any]]:
        """Return what was kept of an older version for exactly these rights, the newest, and that version's content."""
        for row in sorted(rows, key=lambda row: -row.version):
            if not row.kept or row.version >= published.number:
                continue
            content = session.scalars(
                select(DashboardVersion.content_json).where(
                    DashboardVersion.dashboard_id == published.dashboard_id, DashboardVersion.number == row.version
                )
            ).one_or_none()
            sources = sources_of(content or {})
            found = standings(session, sources, reached_by=reach)
            if content is not None and key_over(principal.tenant_id, principal.attributes, sources, found) == row.rights_key:
                return row, content
        return None, {}

    def _page(self, session: ScopedSession, tenant_id: str, row: store.Held, *, viewer: bool) -> _Page | None:
        if row.made_at is None:
            return None
        key = (tenant_id, row.id, row.made_at, viewer)
        with self._lock:
            page = self._pages.get(key)
            if page is not None:
                self._pages.move_to_end(key)
                return page
        read = store.read(session, self._vault, row.id)
        if read is None:
            return None
        markup, tiles = read
        if viewer:
            tiles = {tile: for_viewer(body) for tile, body in tiles.items()}
        page = _Page(markup, tiles, len(markup) + sum(map(len, tiles.values())))
        with self._lock:
            if key not in self._pages:
                self._pages[key] = page
                self._pages_bytes += page.size_bytes
            while self._pages_bytes > _REMEMBERED_BYTES and len(self._pages) > 1:
                self._pages_bytes -= self._pages.popitem(last=False)[1].size_bytes
        return page

    # ── for authors ───────────────────────────────────────────────────────────────────────────────────────────────

    def refresh(self, principal: Principal, dashboard_id: str) -> Progress:
        """Have the version in force made again for everybody's rights.

        Raises
        ------
        NotFound
            It is not theirs to edit, or not published.
        Conflict
            This installation makes no pages ahead.
        """
        with self._database.tenant(principal.tenant_id) as session:
            _published(session, principal, dashboard_id)
            if not self.keeper.works:
                raise Conflict("snapshots.off")
            self._audit.record(
                session, principal, action="dashboard.refresh_asked", object_type="dashboard", object_id=dashboard_id
            )
        self.keeper.refresh(principal.tenant_id, dashboard_id, asked_by=principal.user_id)
        return self.progress(principal, dashboard_id)

    def progress(self, principal: Principal, dashboard_id: str) -> Progress:
        """Return how far the version in force is. Raises NotFound: not theirs to edit, or not published."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            _published(session, principal, dashboard_id)
            known = audience(session, dashboard_id)
            board = next(iter(known.boards), None)
            if board is None:
                raise NotFound(log="published dashboard")
            rows = [
                row
                for row in store.held(session, Row.dashboard_id == dashboard_id, Row.version == board.number)
                if row.attributes_key in known.open_keys(board)
            ]
            keys = self.keeper.keys(session, known, board, known.ahead(board, most=self._most_ahead))
            return self._progress(session, principal, board.number, board.version_id, rows, {rights for _, rights in keys})

    def _progress(
        self,
        session: ScopedSession,
        principal: Principal,
        number: int,
        version_id: str,
        rows: list[store.Held],
        ahead: set[str],
    ) -> Progress:
        now = utc_now()
        states = {row.rights_key: _state(row, now) for row in rows}
        count = [*states.values(), *("queued" for key in ahead - states.keys() if self.keeper.works)].count
        running = next((row for row in rows if row.state == "running"), None)
        failed = max((row for row in rows if row.failed_at is not None), key=_failed_at, default=None)
        made = [row.made_at for row in rows if row.made_at is not None]
        trace = None
        if failed is not None and failed.failure == "author":
            trace = self._own_trace(session, principal, version_id, rows)
        return Progress(
            number, len(states.keys() | ahead), sum(row.kept for row in rows), count("queued"), count("running"),
            count("failed"),
            running.cells_done if running is not None else 0, running.cells if running is not None else 0,
            min(made, default=None),
            failed.failed_at if failed is not None else None, failed.failure if failed is not None else None,
            failed.cell if failed is not None else None, trace,
        )  # fmt: skip

    def _own_trace(
        self, session: ScopedSession, principal: Principal, version_id: str, rows: list[store.Held]
    ) -> str | None:
        """Return the author's error, if it came about with exactly this person's rights: it may quote what those show."""
        sources = self.keeper.contents.sources(session, version_id)
        found = standings(session, sources, reached_by=None if principal.is_administrator else principal)
        mine = key_over(principal.tenant_id, principal.attributes, sources, found)
        row = next((row for row in rows if row.rights_key == mine and row.failure == "author" and row.traced), None)
        return store.trace_of(session, self._vault, row.id) if row is not None else None

    def schedule(self, principal: Principal, dashboard_id: str) -> Schedule:
        """Return when it is refreshed by itself. Raises NotFound: not theirs to edit."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return Schedule.of(edited(session, principal, dashboard_id).refresh_json)

    def set_schedule(self, principal: Principal, dashboard_id: str, schedule: Schedule) -> Schedule:
        """Have it refreshed by itself from the next moment that the schedule says. Raises NotFound: not theirs to edit."""
        stored = schedule.model_dump() | {"done": utc_now().isoformat()}
        with self._database.tenant(principal.tenant_id) as session:
            edited(session, principal, dashboard_id)
            values: dict[str, Any] = {"refresh_json": stored, "updated_at": Dashboard.updated_at}
            changed = update(Dashboard).where(Dashboard.id == dashboard_id).values(**values)
            session.execute(changed.execution_options(synchronize_session=False))
            self._audit.record(
                session, principal, action="dashboard.schedule", object_type="dashboard", object_id=dashboard_id,
                details=schedule.model_dump(),
            )  # fmt: skip
        return schedule


def _published(session: ScopedSession, principal: Principal, dashboard_id: str) -> None:
    if edited(session, principal, dashboard_id).published_version_id is None:
        raise NotFound(log="published dashboard")


def _may_try(row: store.Held) -> bool:
    """Tell whether a page that could not be made is worth another try because somebody came for it."""
    if row.state != "idle":
        return False
    return row.failed_at is None or row.failed_at < utc_now() - _TRIED_LATELY


def _state(row: store.Held, now: datetime) -> str:
    if row.state == "running":
        return "running"
    if row.state == "queued" and (row.not_before is None or row.not_before <= now or row.failed_at is None):
        return "queued"
    return "failed" if row.failed_at is not None else "idle"


def _failed_at(row: store.Held) -> datetime:
    assert row.failed_at is not None
    return row.failed_at
