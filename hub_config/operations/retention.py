"""Nothing is kept longer than the settings say: history, audit, and what has lost its use (ended tokens, links, jobs).

Once a day, tenant by tenant, by the API itself and by ``datapilot platform retention``. An erasure of the audit leaves its
own record (``erasures``). A tenant that fails does not keep the others from being swept.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, or_

from datapilot_kernel.errors import DataPilotError
from hub_config.database import (
    Conversation,
    DashboardSnapshot,
    Database,
    Invitation,
    Job,
    PasswordReset,
    Query,
    RefreshToken,
    ScopedSession,
    UsageCounter,
    erase_audit,
    utc_now,
)

if TYPE_CHECKING:
    from hub_config.settings import Settings

log = logging.getLogger(__name__)

_EVERY_S = 24 * 3600.0
_FIRST_AFTER_S = 600.0
# Ended tokens and links are kept a little: a reused one is still recognised as reused.
_ENDED_DAYS, _JOB_DAYS, _COUNTER_DAYS = 30, 30, 800


@dataclass(frozen=True)
class Swept:
    """How many rows of one tenant went."""

    history_rows: int
    audit_rows: int
    other_rows: int


class Retention:
    """Sweeps. Thread-safe."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Sweep once a day from now on."""
        self._thread = threading.Thread(target=self._daily, name="retention", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Sweep no more. Safe twice."""
        self._stopping.set()

    def _daily(self) -> None:
        wait_s = _FIRST_AFTER_S
        while not self._stopping.wait(wait_s):
            wait_s = _EVERY_S
            try:
                self.sweep_all()
            except DataPilotError as error:
                log.warning("retention could not list the tenants: %s", error.log)

    def sweep_all(self) -> dict[str, Swept]:
        """Sweep every tenant; return what went, by tenant. One that fails is logged and tried again the next day."""
        found: dict[str, Swept] = {}
        for tenant_id in self._database.tenant_ids():
            if self._stopping.is_set():
                break
            try:
                found[tenant_id] = self.sweep(tenant_id)
            except DataPilotError as error:
                log.warning("retention of tenant %s failed: %s", tenant_id, error.log)
        return found

    def sweep(self, tenant_id: str) -> Swept:
        """Sweep one tenant, in one transaction."""
        now = utc_now()
        history = now - timedelta(days=self._settings.history_retention_days)
        ended = now - timedelta(days=_ENDED_DAYS)
        with self._database.tenant(tenant_id) as session:
            rows = _gone(session, Query, Query.created_at < history)
            rows += _gone(session, Conversation, Conversation.updated_at < history)
            other = _gone(session, RefreshToken, RefreshToken.expires_at < ended)
            other += _gone(session, PasswordReset, PasswordReset.expires_at < ended)
            other += _gone(session, Invitation, Invitation.expires_at < ended)
            finished = or_(Job.status == "done", Job.status == "failed", Job.status == "cancelled")
            other += _gone(session, Job, finished, Job.updated_at < now - timedelta(days=_JOB_DAYS))
            other += _gone(session, UsageCounter, UsageCounter.day < (now - timedelta(days=_COUNTER_DAYS)).date())
            stale = now - timedelta(days=self._settings.snapshot_retention_days)
            other += _gone(session, DashboardSnapshot, DashboardSnapshot.made_at < stale, DashboardSnapshot.state == "idle")
            audit = erase_audit(session, now - timedelta(days=self._settings.audit_retention_days))
        return Swept(rows, audit, other)


def _gone(session: ScopedSession, table: Any, *conditions: ColumnElement[bool]) -> int:
    statement = delete(table).where(*conditions).execution_options(synchronize_session=False)
    return int(cast("CursorResult[Any]", session.execute(statement)).rowcount)
