"""What a person asked: their own queries, their feedback on them, and what has to be asked to have a result again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy import or_, select

from datapilot_kernel.plan.model import Plan
from hub_config.data_sources.visibility import reached
from hub_config.database import Feedback, Query, ScopedSession, SemanticLayer, VerifiedQuestion
from hub_config.errors import Conflict, NotFound
from hub_config.queries.cache import Scope
from hub_config.queries.engines import fingerprint, rights_of
from hub_config.queries.model import Asked

if TYPE_CHECKING:
    from hub_config.audit import Audit
    from hub_config.database import Database
    from hub_config.principal import Principal
    from hub_config.queries.paging import Position

_CLOCK = ZoneInfo("Europe/Paris")


@dataclass(frozen=True)
class Wanted:
    """What to look for in one's history; None: everything. ``text`` is searched in questions and SQL, letter case aside."""

    text: str | None = None
    source_id: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class History:
    """A person's own queries. What is not theirs is not found."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    def mine(self, principal: Principal, wanted: Wanted, *, before: Position | None = None, limit: int = 50) -> list[Query]:
        """Return one's own queries that fit, the latest first."""
        statement = select(Query).where(Query.user_id == principal.user_id)
        if wanted.text:
            found = (column.icontains(wanted.text, autoescape=True) for column in (Query.question, Query.sql))
            statement = statement.where(or_(*found))
        if wanted.source_id is not None:
            statement = statement.where(Query.data_source_id == wanted.source_id)
        if wanted.outcome is not None:
            statement = statement.where(Query.outcome == wanted.outcome)
        if wanted.since is not None:
            statement = statement.where(Query.created_at >= wanted.since)
        if wanted.until is not None:
            statement = statement.where(Query.created_at < wanted.until)
        if before is not None:
            same = (Query.created_at == before.at) & (Query.id < before.id)
            statement = statement.where(or_(Query.created_at < before.at, same))
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return list(session.scalars(statement.order_by(Query.created_at.desc(), Query.id.desc()).limit(limit)))

    def read(self, principal: Principal, query_id: str, *, anyones: bool = False) -> Query:
        """Return one query.

        Parameters
        ----------
        anyones
            True: of anybody of the tenant.

        Raises
        ------
        NotFound
        """
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return _own(session, principal, query_id, anyones=anyones)

    # ── results again ─────────────────────────────────────────────────────────────────────────────────────────────

    def with_rights(self, principal: Principal, query_id: str) -> tuple[Query, str]:
        """Return a query that was answered, and the fingerprint of what the person may see of its source now.

        Raises
        ------
        NotFound
            The query is not theirs, or they do not reach its source any more.
        Conflict
            It has no result.
        """
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            row = _own(session, principal, query_id)
            reached(session, principal, row.data_source_id)
            accepted = session.scalar(
                select(SemanticLayer.id).where(
                    SemanticLayer.data_source_id == row.data_source_id, SemanticLayer.status == "accepted"
                )
            )
        if row.status in ("waiting", "running"):
            raise Conflict("queries.not_ended")
        if row.outcome != "answer":
            raise Conflict("queries.no_result")
        rights = rights_of(principal.attributes)
        return row, fingerprint(Scope(principal.tenant_id, row.data_source_id, "", accepted or "", rights))

    def to_ask_again(self, row: Query) -> Asked:
        """Return what gives a query's result again, its relative periods those of its day.

        A statement that a model wrote is asked again as the guard rendered it: with the rights of now on top.
        """
        today = row.today or row.created_at.astimezone(_CLOCK).date()
        if row.plan_json is not None:
            try:
                plan = Plan.model_validate(row.plan_json)
            except ValidationError:
                raise Conflict("queries.no_result", log="a plan of an earlier release") from None
            question = (row.question or "") if row.kind != "sql" else ""
            return Asked(row.data_source_id, question=question, plan=plan, today=today)
        sql = row.question if row.kind == "sql" else row.sql
        if sql is None:
            raise Conflict("queries.no_result", log="neither a plan nor SQL")
        return Asked(row.data_source_id, sql=sql, today=today)

    # ── feedback ──────────────────────────────────────────────────────────────────────────────────────────────────

    def give_feedback(
        self,
        principal: Principal,
        query_id: str,
        *,
        verdict: Literal["up", "down"],
        comment: str = "",
        plan: Plan | None = None,
        sql: str | None = None,
        propose: bool = False,
    ) -> tuple[Feedback, VerifiedQuestion | None]:
        """Keep what a person thinks of an answer of theirs.

        Parameters
        ----------
        plan, sql
            What it should have been (« corriger »).
        propose
            Propose the question with that plan (or, without one, with the query's own) to be verified.

        Raises
        ------
        NotFound
            The query is not theirs.
        Conflict
            Nothing to propose: no question, or no plan for it.
        """
        with self._database.tenant(principal.tenant_id) as session:
            row = _own(session, principal, query_id)
            kept = Feedback(
                query_id=row.id,
                user_id=principal.user_id,
                verdict=verdict,
                comment=comment,
                plan_json=plan.model_dump(mode="json") if plan is not None else None,
                sql=sql,
            )
            session.add(kept)
            self._audit.record(
                session,
                principal,
                action="feedback.give",
                object_type="query",
                object_id=row.id,
                details={"verdict": verdict, "corrected": plan is not None or sql is not None},
            )
            return kept, self._proposed(session, principal, row, kept) if propose else None

    def _proposed(self, session: ScopedSession, principal: Principal, row: Query, kept: Feedback) -> VerifiedQuestion:
        plan = kept.plan_json or row.plan_json
        if row.kind == "sql" or not row.question or plan is None:
            raise Conflict("queries.nothing_to_propose")
        reached(session, principal, row.data_source_id)
        proposed = VerifiedQuestion(
            data_source_id=row.data_source_id,
            question=row.question,
            question_key=question_key(row.question),
            plan_json=plan,
            proposed_by=principal.user_id,
        )
        session.add(proposed)
        self._audit.record(
            session,
            principal,
            action="verified.propose",
            object_type="verified_question",
            object_id=proposed.id,
            details={"query_id": row.id},
        )
        return proposed


def question_key(question: str) -> str:
    """Return what two spellings of one question have in common, for finding its row; equality is the engine's to judge.

    >>> question_key("  Quel est le CA   à Lyon ? ")
    'quel est le ca à lyon ?'
    """
    return " ".join(question.casefold().split())[:500]


def _own(session: ScopedSession, principal: Principal, query_id: str, *, anyones: bool = False) -> Query:
    row: Query | None = session.get(Query, query_id)
    if row is None or not (anyones or row.user_id == principal.user_id):
        raise NotFound(log="query")
    return row
