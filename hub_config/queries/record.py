"""What is written down of a query: its row when it is let in, and at its end its row, its audit event, what it used and its
conversation's turn, all in one transaction. What cannot be written is not answered: the person gets a 503, no result.
A query whose answer is in memory when it is let in is written down whole in that one transaction: there is nothing to run.

A query whose end could not be written (the database was away), or whose process died, is not forgotten: the first is tried
again until it is there, the second is found when its tenant next asks something of the new process. Both are written as
failed, with an audit event of their own, because their statement may have run.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlalchemy import Update, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlglot import exp

from datapilot_kernel.errors import DataPilotError
from datapilot_kernel.nl2sql.conversation import Conversation, Turn
from datapilot_kernel.sources import Dialect
from hub_config.audit import Audit
from hub_config.data_sources.visibility import reached
from hub_config.database import Database, Query, ScopedSession, utc_now
from hub_config.database.base import table_of
from hub_config.errors import PlatformUnavailable
from hub_config.principal import Principal
from hub_config.queries import conversations
from hub_config.queries.model import Asked, Ending, Kind
from hub_config.queries.quotas import DATABASE_MS, Quotas

if TYPE_CHECKING:
    from hub_config.data_sources.manager import Known

log = logging.getLogger(__name__)

_LATE_KEPT = 10_000
_UNENDED = ("waiting", "running")


@dataclass(frozen=True)
class AtOnce:
    """What a query came to without running: its answer was in memory."""

    answer: Any
    ending: Ending
    turn: Turn | None


@dataclass(frozen=True)
class LetIn:
    """A query that may run: how many of its tenant may at once, and the conversation it goes on.

    Attributes
    ----------
    known
        What is known of its source, read with all this; None: nobody looked, or it has to be read.
    at_once
        What it came to already: it is written down, and does not run.
    conversation_id
        That was begun or gone on with, when it is answered.
    """

    parallel: int
    conversation: Conversation | None
    known: Known | None = None
    at_once: AtOnce | None = None
    conversation_id: str | None = None


Look = Callable[[ScopedSession, Principal, str], "Known | None"]
"""Says what is known of a source that the person reaches, or raises NotFound."""


@dataclass(frozen=True)
class _Late:
    """An end that is still to be written."""

    principal: Principal
    asked: Asked
    query_id: str
    kind: Kind
    ending: Ending
    context: Context


class Record:
    """Writes queries down. Thread-safe; every method is one short transaction."""

    def __init__(self, database: Database, audit: Audit, quotas: Quotas, look: Look) -> None:
        self._database = database
        self._look = look
        self._audit = audit
        self._quotas = quotas
        self._began_at = utc_now()
        self._lock = threading.Lock()
        self._swept: set[str] = set()
        self._late: deque[_Late] = deque(maxlen=_LATE_KEPT)

    def let_in(
        self,
        principal: Principal,
        asked: Asked,
        query_id: str,
        *,
        kind: Kind,
        reach: bool = True,
        at_once: Callable[[Known, Conversation | None], AtOnce | None] | None = None,
    ) -> LetIn:
        """Check that the person reaches the source and the conversation, count the query, write its row.

        Parameters
        ----------
        reach
            False: whoever calls has already decided that the person may ask this (a dashboard's tile).
        at_once
            Looks into memory for the answer (it waits for nothing). One that is there is written down here, whole: the
            query's end, its audit event, its conversation, in the transaction that let it in.

        Raises
        ------
        NotFound, TooMany, PlatformUnavailable
        """
        self._sweep(principal.tenant_id)
        committing, answered, conversation_id = False, None, asked.conversation_id
        try:
            with self._database.tenant(principal.tenant_id) as session:
                known = self._look(session, principal, asked.source_id) if reach else None
                conversation = None
                if asked.conversation_id is not None:
                    conversation = conversations.load(session, principal, asked.conversation_id, asked.source_id)
                elif kind in ("ask", "plan") and not asked.alone:
                    conversation = Conversation()
                parallel = self._quotas.admit(session)
                if at_once is not None and known is not None:
                    answered = at_once(known, conversation)
                row = _begun(principal, asked, query_id, kind)
                if answered is None:
                    session.execute(_BEGIN, row)
                else:
                    ending, turn = answered.ending, answered.turn
                    conversation_id = self._gone_on(session, principal, asked, query_id, turn)
                    session.execute(_BEGIN, row | _ended(ending, conversation_id))
                    self._audit_end(session, principal, asked, query_id, kind, ending)
                committing = True
        except PlatformUnavailable:
            if committing and answered is None:
                # It may have arrived though its answer did not: then the row is there, and nobody will run it.
                self._later(principal, asked, query_id, kind, Ending("failed", "failure"))
            raise
        return LetIn(parallel, conversation, known, answered, conversation_id)

    def reaches(self, principal: Principal, source_id: str) -> int:
        """Check that the person reaches a source; return how many queries of the tenant may run at once.

        Raises
        ------
        NotFound, PlatformUnavailable
        """
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            reached(session, principal, source_id)
            return self._quotas.parallel(session)

    def end(
        self,
        principal: Principal,
        asked: Asked,
        query_id: str,
        ending: Ending,
        *,
        kind: Kind,
        turn: Turn | None = None,
    ) -> str | None:
        """Write the end; return the conversation that was gone on with, or begun.

        Raises
        ------
        PlatformUnavailable
            It could not be written now; it will be, as failed.
        """
        try:
            return self._write(principal, asked, query_id, ending, kind=kind, turn=turn)
        except PlatformUnavailable:
            self._later(principal, asked, query_id, kind, ending)
            raise

    def _later(self, principal: Principal, asked: Asked, query_id: str, kind: Kind, ending: Ending) -> None:
        """Have the end written as soon as it can be: as failed, for nobody was answered."""
        failed = Ending(
            "cancelled" if ending.status == "cancelled" else "failed",
            outcome=None if ending.status == "cancelled" else "failure",
            reason="not_recorded",
            sql=ending.sql,
            tables=ending.tables,
            source_ms=ending.source_ms,
            duration_ms=ending.duration_ms,
            model=ending.model,
            cost_microeuros=ending.cost_microeuros,
        )
        with self._lock:
            self._late.append(_Late(principal, asked, query_id, kind, failed, copy_context()))

    def _write(
        self, principal: Principal, asked: Asked, query_id: str, ending: Ending, *, kind: Kind, turn: Turn | None = None
    ) -> str | None:
        with self._database.tenant(principal.tenant_id) as session:
            conversation_id = self._gone_on(session, principal, asked, query_id, turn)
            values = _ended(ending, conversation_id)
            session.execute(
                _END_WITH_PLAN if ending.plan is not None else _END,
                values
                | {
                    "of_tenant": principal.tenant_id,
                    "of_query": query_id,
                },
            )
            if ending.source_ms >= 1:
                self._quotas.count(session, DATABASE_MS, round(ending.source_ms))
            self._audit_end(session, principal, asked, query_id, kind, ending)
            return conversation_id

    def _gone_on(
        self, session: ScopedSession, principal: Principal, asked: Asked, query_id: str, turn: Turn | None
    ) -> str | None:
        if turn is None:
            return asked.conversation_id
        return conversations.go_on(
            session,
            principal,
            conversation_id=asked.conversation_id,
            source_id=asked.source_id,
            turn=turn,
            query_id=query_id,
        )

    def _audit_end(
        self, session: ScopedSession, principal: Principal, asked: Asked, query_id: str, kind: Kind, ending: Ending
    ) -> None:
        details = {"status": ending.status, "reason": ending.reason, "trust": ending.trust, "engine": ending.engine}
        if asked.trial is not None:
            details["layer"] = "trial"
        self._audit.record(
            session,
            principal,
            now=True,
            action=f"query.{kind}",
            object_type="query",
            object_id=query_id,
            details={k: v for k, v in details.items() if v is not None},
            query_id=query_id,
            data_source_id=asked.source_id,
            question=asked.text,
            sql=ending.sql,
            tables=ending.tables,
            outcome=ending.outcome,
            row_count=ending.row_count,
            duration_ms=round(ending.duration_ms),
            cost_microeuros=ending.cost_microeuros,
        )

    # ── what was left undone ──────────────────────────────────────────────────────────────────────────────────────

    def write_late(self) -> int:
        """Write the ends that could not be written before; return how many are left."""
        while True:
            with self._lock:
                if not self._late:
                    return 0
                late = self._late[0]
            try:
                late.context.run(self._write_once, late)
            except DataPilotError as error:
                log.warning("the end of a query is still to be written: %s", error.log)
                return len(self._late)
            except IntegrityError:
                # Its tenant or its person was deleted meanwhile: it is nobody's record, and must not hold up the others'.
                log.warning("the end of a query is nobody's any more")
            with self._lock:
                if self._late and self._late[0] is late:
                    self._late.popleft()

    def _write_once(self, late: _Late) -> None:
        """Write a late end, unless it is there: a commit can arrive though the connection broke before its answer."""
        with self._database.tenant(late.principal.tenant_id, read_only=True) as session:
            status = session.scalar(select(Query.status).where(Query.id == late.query_id))
        if status in _UNENDED:
            self._write(late.principal, late.asked, late.query_id, late.ending, kind=late.kind)

    def _sweep(self, tenant_id: str) -> None:
        """Write the end of the tenant's queries that a process left when it died: once in this process's life."""
        with self._lock:
            if tenant_id in self._swept:
                return
        with self._database.tenant(tenant_id) as session:
            left = session.scalars(select(Query).where(Query.status.in_(_UNENDED), Query.created_at < self._began_at)).all()
            for row in left:
                row.status, row.outcome, row.reason, row.finished_at = "failed", "failure", "restarted", utc_now()
                self._audit.record(
                    session,
                    None,
                    action=f"query.{row.kind}",
                    object_type="query",
                    object_id=row.id,
                    details={"status": "failed", "reason": "restarted", "user_id": row.user_id},
                    query_id=row.id,
                    data_source_id=row.data_source_id,
                    question=row.question,
                    outcome="failure",
                )
        with self._lock:
            self._swept.add(tenant_id)


_QUERIES = table_of(Query)
_BEGIN = insert(_QUERIES)
# Without objects: every query is written twice. Each of these names its tenant; the wall looks whether it does.
_ENDED = (
    "conversation_id", "status", "outcome", "engine", "trust", "reason", "incident", "sql", "tables", "row_count",
    "cache_hit", "timings_ms", "model", "cost_microeuros", "finished_at",
)  # fmt: skip


def _update(*columns: str) -> Update:
    this = (_QUERIES.c.tenant_id == bindparam("of_tenant"), _QUERIES.c.id == bindparam("of_query"))
    return update(_QUERIES).where(*this).values({name: bindparam(name) for name in columns})


_END, _END_WITH_PLAN = _update(*_ENDED), _update(*_ENDED, "plan_json")


def _begun(principal: Principal, asked: Asked, query_id: str, kind: Kind) -> dict[str, Any]:
    """Return the row of a query that is let in, every column of it."""
    return {
        **dict.fromkeys(_ENDED),
        "tenant_id": principal.tenant_id,
        "id": query_id,
        "user_id": principal.user_id,
        "data_source_id": asked.source_id,
        "conversation_id": asked.conversation_id,
        "kind": kind,
        "question": asked.text,
        "plan_json": asked.plan.model_dump(mode="json") if asked.plan is not None else None,
        "status": "waiting",
        "tables": [],
        "cache_hit": False,
        "timings_ms": {},
        "cost_microeuros": 0,
        "today": asked.today,
        "audience": principal.audience,
        "created_at": utc_now(),
    }


def _ended(ending: Ending, conversation_id: str | None) -> dict[str, Any]:
    """Return what a query's end changes of its row."""
    found: dict[str, Any] = {
        "conversation_id": conversation_id,
        "status": ending.status,
        "outcome": ending.outcome,
        "engine": ending.engine,
        "trust": ending.trust,
        "reason": ending.reason,
        "incident": ending.incident,
        "sql": ending.sql,
        "tables": ending.tables,
        "row_count": ending.row_count,
        "cache_hit": ending.cache_hit,
        "timings_ms": ending.timings_ms,
        "model": ending.model,
        "cost_microeuros": ending.cost_microeuros,
        "finished_at": utc_now(),
    }
    if ending.plan is not None:
        found["plan_json"] = ending.plan
    return found


_DIALECTS: Mapping[Dialect, str] = {"postgres": "postgres", "mysql": "mysql", "duckdb": "duckdb"}


def tables_of(sql: str | None, dialect: Dialect) -> list[str]:
    """Return the tables that a statement of the guard reads, sorted: it writes every one with its schema.

    >>> tables_of('WITH c AS (SELECT 1 FROM "public"."ventes") SELECT * FROM c', "postgres")
    ['public.ventes']
    """
    return list(_tables_of(sql, dialect)) if sql is not None else []


@lru_cache(maxsize=512)
def _tables_of(sql: str, dialect: Dialect) -> tuple[str, ...]:
    try:
        tree = sqlglot.parse_one(sql, dialect=_DIALECTS[dialect])
    except sqlglot.errors.SqlglotError:
        return ()
    return tuple(sorted({f"{t.db}.{t.name}" for t in tree.find_all(exp.Table) if t.db}))
