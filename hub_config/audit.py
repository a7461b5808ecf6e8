"""The record: who did what, when, over which source; every question and statement. Append-only for the application.

An event is written in the transaction of the act it tells of: what is not recorded did not happen. It holds names, ids, SQL
and counts, never a secret and never a row's value. SQL quotes what a person typed; it is the tenant's own, and only its
administrators read it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import ColumnElement, and_, insert, or_, select

from datapilot_kernel.answers.exports import harmless
from hub_config.database import AuditEvent, Database, ScopedSession, utc_now
from hub_config.database.base import new_id, table_of
from hub_config.principal import Principal

_QUERY_FIELDS = frozenset(
    {"query_id", "data_source_id", "question", "sql", "tables", "outcome", "row_count", "duration_ms", "cost_microeuros"}
)
_COLUMNS = (
    "at", "actor_email", "audience", "action", "object_type", "object_id", "data_source_id", "question", "sql", "tables",
    "outcome", "row_count", "duration_ms", "cost_microeuros", "request_id",
)  # fmt: skip
_BATCH = 500


@dataclass(frozen=True)
class AuditFilter:
    """What to look for; None: everything. ``text`` is searched in questions and SQL, letter case aside."""

    since: datetime | None = None
    until: datetime | None = None
    actor_id: str | None = None
    data_source_id: str | None = None
    action: str | None = None
    outcome: str | None = None
    text: str | None = None
    object_type: str | None = None
    object_id: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions, to be joined by AND."""
        exact = {
            AuditEvent.actor_id: self.actor_id,
            AuditEvent.data_source_id: self.data_source_id,
            AuditEvent.action: self.action,
            AuditEvent.outcome: self.outcome,
            AuditEvent.object_type: self.object_type,
            AuditEvent.object_id: self.object_id,
        }
        found: list[ColumnElement[bool]] = [column == value for column, value in exact.items() if value is not None]
        if self.since is not None:
            found.append(AuditEvent.at >= self.since)
        if self.until is not None:
            found.append(AuditEvent.at < self.until)
        if self.text:
            columns = (AuditEvent.question, AuditEvent.sql, AuditEvent.actor_email)
            found.append(or_(*(column.icontains(self.text, autoescape=True) for column in columns)))
        return found


class Audit:
    """Writes and reads the record of one platform."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        session: ScopedSession,
        principal: Principal | None,
        *,
        action: str,
        object_type: str | None = None,
        object_id: str | None = None,
        details: Mapping[str, Any] | None = None,
        now: bool = False,
        **query_fields: Any,
    ) -> None:
        """Add one event to the session's transaction.

        Parameters
        ----------
        principal
            None: nobody signed in (a registration, an accepted invitation, the operator).
        action
            ``object.verb``: ``source.create``, ``question.ask``.
        details
            Small, JSON, without secrets.
        now
            Send it at once, not with the next flush, and without an object: for what every query does.
        query_fields
            Of a question or statement: ``query_id``, ``data_source_id``, ``question``, ``sql``, ``tables``, ``outcome``,
            ``row_count``, ``duration_ms``, ``cost_microeuros``.
        """
        event = _event(session, principal, action, object_type, object_id, details, query_fields)
        if now:
            session.execute(_INSERT, _NOTHING_GIVEN | event | {"id": new_id(), "at": utc_now()})
        else:
            session.add(AuditEvent(**event))

    def search(
        self, tenant_id: str, wanted: AuditFilter, *, limit: int = 50, before: tuple[datetime, str] | None = None
    ) -> list[AuditEvent]:
        """Return the latest events that fit, newest first; ``before`` is ``(at, id)`` of the last one already seen."""
        conditions = wanted.conditions()
        if before is not None:
            at, event_id = before
            conditions.append(or_(AuditEvent.at < at, and_(AuditEvent.at == at, AuditEvent.id < event_id)))
        statement = select(AuditEvent).where(*conditions).order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(limit)
        with self._database.tenant(tenant_id) as session:
            return list(session.scalars(statement))

    def as_csv(self, tenant_id: str, wanted: AuditFilter) -> Iterator[bytes]:
        """Yield the events that fit as CSV that French Excel opens by a double click, newest first, in batches."""
        out = io.StringIO()
        writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
        writer.writerow(_COLUMNS)
        yield out.getvalue().encode("utf-8-sig")
        before: tuple[datetime, str] | None = None
        while True:
            events = self.search(tenant_id, wanted, limit=_BATCH, before=before)
            if not events:
                return
            out.seek(0)
            out.truncate()
            for event in events:
                writer.writerow([_cell(getattr(event, column)) for column in _COLUMNS])
            yield out.getvalue().encode()
            before = (events[-1].at, events[-1].id)


_INSERT = insert(table_of(AuditEvent))
_NOTHING_GIVEN: dict[str, Any] = dict.fromkeys(_QUERY_FIELDS)


def _event(
    session: ScopedSession,
    principal: Principal | None,
    action: str,
    object_type: str | None,
    object_id: str | None,
    details: Mapping[str, Any] | None,
    query_fields: dict[str, Any],
) -> dict[str, Any]:
    unknown = query_fields.keys() - _QUERY_FIELDS
    if unknown:
        raise TypeError(f"an audit event has no {', '.join(sorted(unknown))}")
    if principal is not None and principal.tenant_id != session.tenant_id:
        raise ValueError("an audit event of one tenant by a person of another")
    return {
        "tenant_id": session.tenant_id,
        "actor_id": principal.user_id if principal else None,
        "actor_email": principal.email if principal else None,
        "audience": principal.audience if principal else None,
        "action": action,
        "object_type": object_type,
        "object_id": object_id,
        "details": dict(details or {}),
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
        **query_fields,
    }


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return harmless(str(value))
