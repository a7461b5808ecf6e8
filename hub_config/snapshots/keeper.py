"""The queue and the clock: what is to be made now, who makes it, and what is let go.

Every :data:`LOOK_EVERY_S` seconds, and at once when somebody tells of a change, each tenant is looked through: schedules
that are due, rights ahead that have no page of the version in force, rows that wait for another try or whose maker died,
pages that nobody has the rights of any more, pages that an older key of the vault sealed. What is queued stands in the
database; this process's threads take it up, the tenants in turn and one page of a tenant at a time, so that people's own
questions have room.

A page is checked before it is kept: the version must still be in force and the rights key still what it was begun for. A
publication meanwhile ends it without a failure, and the newest version is made instead.

Failures that may pass (a source that is away, a process that was killed) are tried again three times, further and further
apart; then the next refresh is the next try. What is kept stays in any case.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as day_time
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from datapilot_kernel.errors import DataPilotError, logged_fault
from hub_config.database import Dashboard, DashboardSnapshot, Database, ScopedSession, utc_now
from hub_config.queries.quotas import DATABASE_MS, QUERIES
from hub_config.snapshots import store
from hub_config.snapshots.audience import Audience, Board, Contents, audience, key_over
from hub_config.snapshots.keys import refresher, standings
from hub_config.snapshots.making import GivenUp, Maker, NotMade, NotNow, Work
from hub_config.snapshots.model import Failure
from hub_config.snapshots.schedule import Schedule

if TYPE_CHECKING:
    from hub_config.audit import Audit
    from hub_config.queries import QueryService
    from hub_config.settings import Settings
    from hub_config.vault import Vault

log = logging.getLogger(__name__)

LOOK_EVERY_S = 20.0
_SEAL_EVERY_S, _SEALED_AT_ONCE = 3600.0, 20
_AGAIN = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
_PASSING: frozenset[Failure] = frozenset({"source", "not_started", "lost", "fault"})
_BUSY = timedelta(seconds=10)
SHARE_OF_THE_DAY = 0.8
"""Of a day's quota, what pages made by themselves may use up: the rest is people's."""

Row = DashboardSnapshot


@dataclass(frozen=True)
class _Taken:
    row_id: str
    attempt: str
    rights_key: str
    sources: frozenset[str]
    automatic: bool
    attempts: int


class Keeper:
    """Looks after the snapshots of every tenant. Thread-safe."""

    def __init__(
        self, settings: Settings, database: Database, vault: Vault, queries: QueryService, audit: Audit, maker: Maker
    ) -> None:
        self._settings = settings
        self._database = database
        self._vault = vault
        self._queries = queries
        self._audit = audit
        self._maker = maker
        self.contents = Contents()
        self.lease = store.LEASE
        self._condition = threading.Condition()
        self._waiting: OrderedDict[str, deque[str]] = OrderedDict()
        self._busy: dict[str, Work] = {}
        self._told: set[str] = set()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sealed_at = time.monotonic()

    @property
    def works(self) -> bool:
        """Whether pages are made ahead here at all."""
        return self._settings.parallel_refreshes > 0

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin to look and to make."""
        if self._threads or not self.works:
            return
        names = [("datapilot-snapshots", self._watch)]
        names += [(f"datapilot-refresh-{n}", self._take_up) for n in range(self._settings.parallel_refreshes)]
        self._threads = [threading.Thread(target=work, name=name, daemon=True) for name, work in names]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Give back what is under way, for the next process. Safe twice."""
        self._stopping.set()
        self._wake.set()
        with self._condition:
            for work in self._busy.values():
                work.stopped.set()
            self._condition.notify_all()
        for thread in self._threads:
            thread.join(15.0)
        self._threads = []

    def tell(self, tenant_id: str, dashboard_id: str | None = None) -> None:
        """Look through a tenant now: something changed that pages depend on."""
        with self._condition:
            work = self._busy.get(tenant_id)
            self._told.add(tenant_id)
        if work is not None and dashboard_id == work.dashboard_id:
            self._stop_if_old(work)
        self._wake.set()

    def forget(self, tenant_id: str) -> None:
        """Stop what is under way for a tenant that goes, and forget what waits."""
        with self._condition:
            self._waiting.pop(tenant_id, None)
            work = self._busy.get(tenant_id)
            if work is not None:
                work.stopped.set()

    def _stop_if_old(self, work: Work) -> None:
        try:
            with self._database.tenant(work.tenant_id, read_only=True) as session:
                in_force = store.number_in_force(session, work.dashboard_id)
        except DataPilotError:
            return  # the next beat finds out
        if in_force != work.version:
            work.stopped.set()

    # ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _watch(self) -> None:
        looked_at = 0.0
        self._after_the_last_process()
        while not self._stopping.is_set():
            with self._condition:
                told, self._told = self._told, set()
            everything = not looked_at or time.monotonic() - looked_at >= LOOK_EVERY_S
            try:
                tenants: Collection[str] = self._database.tenant_ids() if everything else told
                if everything:
                    looked_at = time.monotonic()
                for tenant_id in tenants:
                    if self._stopping.is_set():
                        return
                    self._look_safely(tenant_id)
            except DataPilotError as error:
                log.warning("snapshots: the tenants could not be listed: %s", error.log)
            self._wake.wait(max(0.5, LOOK_EVERY_S - (time.monotonic() - looked_at)))
            self._wake.clear()

    def _after_the_last_process(self) -> None:
        """Go on with what a process left that died. On PostgreSQL there may be another that lives: there the lease says."""
        if self._database.dialect != "sqlite":
            return
        try:
            for tenant_id in self._database.tenant_ids():
                with self._database.tenant(tenant_id) as session:
                    store.take_back_all(session)
        except DataPilotError as error:
            log.warning("snapshots: what was left under way waits for its lease: %s", error.log)

    def _look_safely(self, tenant_id: str) -> None:
        try:
            self.look(tenant_id)
        except DataPilotError as error:
            log.warning("snapshots of tenant %s: %s", tenant_id, error.log)
        except IntegrityError:
            log.info("snapshots of tenant %s: it, or a dashboard of it, is gone", tenant_id)
        except Exception as error:  # noqa: BLE001 -- the thread's edge: the other tenants go on, the next look tries again
            logged_fault(error, "looking through snapshots", log)

    def look(self, tenant_id: str, *, now: datetime | None = None) -> None:
        """Look through one tenant, and queue what is to be made."""
        moment = now or utc_now()
        with self._database.tenant(tenant_id, read_only=True) as session:
            known = audience(session)
            rows = store.held_by_board(session)
            due = [board for board in known.boards if _due(board, moment)]
            wanted, gone = self._wanted(session, known, rows)
        if wanted or gone or due:
            with self._database.tenant(tenant_id) as session:
                if gone:
                    session.execute(delete(Row).where(Row.id.in_(gone)).execution_options(synchronize_session=False))
                for board in due:
                    if _mark_due(session, board.id, moment):
                        wanted.append((board, self._again(session, known, board, rows.get(board.id, []))))
                for board, keys in wanted:
                    store.ask(session, self._database.dialect, board.id, board.number, keys, asked_by=None)
        with self._database.tenant(tenant_id, read_only=True) as session:
            ready = [row.id for row in store.held(session, Row.state != "idle") if row.open_at(moment)]
        self.push(tenant_id, ready)
        self._seal_again(tenant_id)

    def _wanted(
        self, session: ScopedSession, known: Audience, rows: dict[str, list[store.Held]]
    ) -> tuple[list[tuple[Board, list[tuple[str, str]]]], list[str]]:
        """Return what is missing, by dashboard, and the rows that nobody can read any more."""
        gone = [row.id for board, held in rows.items() if board not in {b.id for b in known.boards} for row in held]
        wanted = []
        for board in known.boards:
            mine = rows.get(board.id, [])
            keys = self.keys(session, known, board, known.ahead(board, most=self._settings.refresh_rights_ahead))
            there = {row.rights_key for row in mine if row.version == board.number and not _abandoned(row)}
            missing = [(attributes, rights) for attributes, rights in keys if rights not in there]
            if missing:
                wanted.append((board, missing))
            gone += self._unreadable(session, known, board, mine)
        return wanted, gone

    def _unreadable(self, session: ScopedSession, known: Audience, board: Board, mine: list[store.Held]) -> list[str]:
        open_keys = known.open_keys(board)
        current = dict(self.keys(session, known, board, [row.attributes_key for row in mine]))
        return [
            row.id
            for row in mine
            if row.attributes_key not in open_keys
            or (row.version == board.number and row.rights_key != current.get(row.attributes_key))
        ]

    def _again(self, session: ScopedSession, known: Audience, board: Board, mine: list[store.Held]) -> list[tuple[str, str]]:
        """Return what a refresh of a dashboard makes: what is made ahead, and what was made for those who came."""
        came = known.open_keys(board) & {row.attributes_key for row in mine}
        ahead = known.ahead(board, most=self._settings.refresh_rights_ahead)
        return self.keys(session, known, board, [*ahead, *sorted(came - set(ahead))])

    def keys(
        self, session: ScopedSession, known: Audience, board: Board, attributes_keys: Collection[str]
    ) -> list[tuple[str, str]]:
        """Return ``(attributes key, rights key)`` for the version in force; nothing while one of its sources is gone."""
        sources = self.contents.sources(session, board.version_id)
        found = standings(session, sources)
        made = []
        for key in dict.fromkeys(attributes_keys):
            attributes = known.attributes(key)
            rights = key_over(known.tenant_id, attributes, sources, found) if attributes is not None else None
            if rights is not None:
                made.append((key, rights))
        return made

    def refresh(self, tenant_id: str, dashboard_id: str, *, asked_by: str) -> None:
        """Have everything of a dashboard made again, on somebody's word."""
        with self._database.tenant(tenant_id) as session:
            known = audience(session, dashboard_id)
            for board in known.boards:
                mine = store.held(session, Row.dashboard_id == dashboard_id)
                own = next((person.key for person in known.people if person.id == asked_by), None)
                keys = self._again(session, known, board, mine)
                if own is not None:
                    keys = list(dict.fromkeys([*self.keys(session, known, board, [own]), *keys]))
                store.ask(session, self._database.dialect, dashboard_id, board.number, keys, asked_by=asked_by)
            ready = [row.id for row in store.held(session, Row.dashboard_id == dashboard_id) if row.open_at(utc_now())]
        self.push(tenant_id, ready)

    def ask(self, tenant_id: str, dashboard_id: str, version: int, attributes: str, rights: str) -> None:
        """Have a page made for a reader who found none."""
        if not self.works:
            return
        try:
            with self._database.tenant(tenant_id) as session:
                made = store.ask(
                    session, self._database.dialect, dashboard_id, version, [(attributes, rights)], asked_by=None
                )
        except IntegrityError:
            return  # gone meanwhile
        self.push(tenant_id, made)

    def _seal_again(self, tenant_id: str) -> None:
        with self._database.tenant(tenant_id, read_only=True) as session:
            older = store.sealed_otherwise(session, self._vault, most=_SEALED_AT_ONCE)
        for row_id in older:
            with self._database.tenant(tenant_id) as session:
                store.seal_again(session, self._vault, row_id)

    # ── making ────────────────────────────────────────────────────────────────────────────────────────────────────

    def push(self, tenant_id: str, row_ids: Collection[str]) -> None:
        """Let threads take these up."""
        if not self.works:
            return
        with self._condition:
            line = self._waiting.setdefault(tenant_id, deque())
            line.extend(row_id for row_id in row_ids if row_id not in line)
            if not line:
                del self._waiting[tenant_id]
            self._condition.notify_all()

    def _take_up(self) -> None:
        while True:
            with self._condition:
                found = self._next()
                while found is None and not self._stopping.is_set():
                    self._condition.wait()
                    found = self._next()
                if found is None or self._stopping.is_set():
                    return
                tenant_id, row_id, work = found
            try:
                self._do_safely(tenant_id, row_id, work)
            finally:
                with self._condition:
                    self._busy.pop(tenant_id, None)
                    self._condition.notify_all()

    def _next(self) -> tuple[str, str, Work] | None:
        """Return what is next of the first tenant that has nothing under way. Behind the condition."""
        for tenant_id, line in list(self._waiting.items()):
            if tenant_id in self._busy:
                continue
            row_id = line.popleft()
            self._waiting.pop(tenant_id)
            if line:
                self._waiting[tenant_id] = line  # behind the others
            work = self._busy[tenant_id] = Work(tenant_id, "", 0, {}, {})
            return tenant_id, row_id, work
        return None

    def _do_safely(self, tenant_id: str, row_id: str, work: Work) -> None:
        try:
            self._do(tenant_id, row_id, work)
        except DataPilotError as error:
            log.warning("a snapshot of tenant %s was left: %s", tenant_id, error.log)
        except IntegrityError:
            log.info("a snapshot of tenant %s: what it was of is gone", tenant_id)
        except Exception as error:  # noqa: BLE001 -- the thread's edge: the lease runs out, and another tries
            logged_fault(error, f"snapshot {row_id}", log)

    def _do(self, tenant_id: str, row_id: str, work: Work) -> None:
        taken = self._begin(tenant_id, row_id, work)
        if taken is None:
            return
        try:
            made = self._maker.make(work, lambda done, of: self._beat(tenant_id, taken, done, of))
        except GivenUp:
            with self._database.tenant(tenant_id) as session:
                if self._stopping.is_set():
                    store.give_back(session, taken.row_id, taken.attempt)
                else:
                    store.drop_attempt(session, taken.row_id, taken.attempt)
            self.tell(tenant_id)
        except NotNow:
            with self._database.tenant(tenant_id) as session:
                store.give_back(session, taken.row_id, taken.attempt, not_before=utc_now() + _BUSY)
        except NotMade as failed:
            self._failed(tenant_id, taken, failed)
        else:
            self._keep(tenant_id, work, taken, made)

    def _begin(self, tenant_id: str, row_id: str, work: Work) -> _Taken | None:
        """Take a row up and find out what it asks for; None: there is nothing to do."""
        with self._database.tenant(tenant_id) as session:
            claimed = store.claim(session, row_id, lease=self.lease)
            if claimed is None:
                return None
            row, attempt = claimed
            known = audience(session, row.dashboard_id)
            board = next(iter(known.boards), None)
            attributes = known.attributes(row.attributes_key)
            keys = {} if board is None else dict(self.keys(session, known, board, [row.attributes_key]))
            content = None if board is None else self.contents.content(session, board.version_id)
            if (
                board is None or content is None or attributes is None or board.number != row.version
                or row.attributes_key not in known.open_keys(board) or keys.get(row.attributes_key) != row.rights_key
            ):  # fmt: skip
                # It is nobody's, or not of now: what is there stays as long as it can be read, and is looked through.
                store.drop_attempt(session, row_id, attempt)
                self.tell(tenant_id)
                return None
            work.dashboard_id, work.version, work.content, work.attributes = (
                row.dashboard_id,
                row.version,
                content,
                attributes,
            )
            automatic = row.asked_by is None
            taken = _Taken(
                row_id, attempt, row.rights_key, self.contents.sources(session, board.version_id), automatic, row.attempts
            )
            over = automatic and self._over_its_share(session, len(content.get("tiles", ())))
            if over:
                self._note(session, taken, NotMade("quota"))
                return None
            details = {"number": row.version, "asked_by": row.asked_by or "schedule"}
            self._audit.record(
                session, refresher(tenant_id, attributes), action="dashboard.refresh", object_type="dashboard",
                object_id=row.dashboard_id, details=details,
            )  # fmt: skip
        return taken

    def _over_its_share(self, session: ScopedSession, tiles: int) -> bool:
        limits, used = self._queries.quotas.limits(session), self._queries.quotas.usage(session)
        queries, seconds = limits["queries_per_day"], limits["database_seconds_per_day"]
        return bool(
            (queries and used[QUERIES] + tiles > queries * SHARE_OF_THE_DAY)
            or (seconds and used[DATABASE_MS] > seconds * 1000 * SHARE_OF_THE_DAY)
        )

    def _beat(self, tenant_id: str, taken: _Taken, done: int, of: int) -> bool:
        try:
            with self._database.tenant(tenant_id) as session:
                return store.renew(session, taken.row_id, taken.attempt, done, of, lease=self.lease)
        except DataPilotError:
            return True  # the platform's database is away for a moment: the lease says for how long that may be

    def _keep(self, tenant_id: str, work: Work, taken: _Taken, made: store.Made) -> None:
        if made.size_bytes > self._settings.snapshot_max_bytes:
            self._failed(tenant_id, taken, NotMade("too_large"))
            return
        packed = made.packed()
        with self._database.tenant(tenant_id) as session:
            rights = key_over(tenant_id, work.attributes, taken.sources, standings(session, taken.sources))
            kept = rights == taken.rights_key and store.keep(session, self._vault, taken.row_id, taken.attempt, made, packed)
            if kept:
                store.make_room(session, self._settings.tenant_snapshot_bytes, but=taken.row_id)
            else:
                # Made of a layer, a source or a version that is not in force any more: nobody's.
                store.drop_attempt(session, taken.row_id, taken.attempt)
        if not kept:
            self.tell(tenant_id)

    def _failed(self, tenant_id: str, taken: _Taken, failed: NotMade) -> None:
        log.warning("a snapshot of tenant %s failed: %s", tenant_id, failed.failure)
        with self._database.tenant(tenant_id) as session:
            self._note(session, taken, failed)

    def _note(self, session: ScopedSession, taken: _Taken, failed: NotMade) -> None:
        again_at = None
        if failed.failure == "quota":
            again_at = datetime.combine(utc_now().date() + timedelta(days=1), day_time(0, 5), UTC)
        elif failed.failure in _PASSING and taken.attempts <= len(_AGAIN):
            again_at = utc_now() + _AGAIN[taken.attempts - 1]
        store.fail(
            session, self._vault, taken.row_id, taken.attempt, failed.failure, cell=failed.cell, trace=failed.trace,
            again_at=again_at,
        )  # fmt: skip

    def work_off(self) -> None:
        """Make everything that is queued, here and now: for tests and commands, where no thread does."""
        while True:
            with self._condition:
                found = self._next()
            if found is None:
                return
            tenant_id, row_id, work = found
            try:
                self._do_safely(tenant_id, row_id, work)
            finally:
                with self._condition:
                    self._busy.pop(tenant_id, None)


def _abandoned(row: store.Held) -> bool:
    """Tell whether nothing came of a row and nothing is to come: an attempt that was given up."""
    return row.state == "idle" and not row.kept and row.failed_at is None


def _due(board: Board, now: datetime) -> bool:
    due = Schedule.of(board.refresh).due(now)
    return due is not None and due > _done(board.refresh, now)


def _done(stored: dict[str, Any] | None, now: datetime) -> datetime:
    """Return up to when a schedule was seen to; one that does not say begins now."""
    done = (stored or {}).get("done")
    return datetime.fromisoformat(done) if isinstance(done, str) else now


def _mark_due(session: ScopedSession, dashboard_id: str, now: datetime) -> bool:
    """Note that a schedule is seen to; False: another process did."""
    locked = select(Dashboard).where(Dashboard.id == dashboard_id).with_for_update()
    row = session.scalars(locked.execution_options(populate_existing=True)).one_or_none()
    if row is None or row.refresh_json is None:
        return False
    due = Schedule.of(row.refresh_json).due(now)
    if due is None or due <= _done(row.refresh_json, now):
        return False
    values: dict[str, Any] = {
        "refresh_json": row.refresh_json | {"done": now.isoformat()},
        "updated_at": Dashboard.updated_at,
    }
    session.execute(
        update(Dashboard).where(Dashboard.id == dashboard_id).values(**values).execution_options(synchronize_session=False)
    )
    return True
