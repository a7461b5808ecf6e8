"""Verified questions: proposed by whoever asked, decided by administrators, checked again when the layer changes.

An approved plan answers its question from then on (trust ``verified``), for everybody who reaches the source. So approval
compiles the plan over the layer in force, and a plan that no longer compiles is shown as broken and not approved.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from sqlalchemy import select

from datapilot_kernel.errors import DataPilotError
from datapilot_kernel.plan.compiler import compile_plan
from datapilot_kernel.plan.model import Plan
from hub_config.content.paging import Before, newest_first
from hub_config.data_sources.visibility import reached, visible
from hub_config.database import Database, DataSource, ScopedSession, VerifiedQuestion, utc_now
from hub_config.errors import Conflict, NotFound
from hub_config.principal import Principal

if TYPE_CHECKING:
    from datapilot_kernel.answers.model import ReadingPart
    from hub_config.audit import Audit
    from hub_config.data_sources import DataSources
    from hub_config.queries import QueryService


@dataclass(frozen=True)
class VerifiedView:
    """A verified question; ``problem`` says why its plan does not hold over the layer in force, None: it does."""

    row: VerifiedQuestion
    problem: str | None = None


@dataclass(frozen=True)
class Examined:
    """What a verified question's plan comes to over the layer in force.

    Attributes
    ----------
    reading
        Its parts in words; empty where it does not hold.
    sql
        The statement before the guard adds rows' filters; None where it does not hold.
    problem
        Why it does not hold; None: it does.
    """

    reading: tuple[ReadingPart, ...]
    sql: str | None
    problem: str | None


class VerifiedQuestions:
    """The manager."""

    def __init__(self, database: Database, audit: Audit, sources: DataSources, queries: QueryService) -> None:
        self._database = database
        self._audit = audit
        self._sources = sources
        self._queries = queries

    def listed(
        self, principal: Principal, source_id: str, *, status: str | None, limit: int, before: Before = None
    ) -> list[VerifiedView]:
        """Return a source's verified questions, newest first, each with what is wrong with it now."""
        statement = select(VerifiedQuestion).where(VerifiedQuestion.data_source_id == source_id)
        if status is not None:
            statement = statement.where(VerifiedQuestion.status == status)
        at, row_id = VerifiedQuestion.created_at, VerifiedQuestion.id
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            reached(session, principal, source_id)
            rows = list(session.scalars(newest_first(statement, at, row_id, limit=limit, before=before)))
        if not rows:
            return []
        check = self._checker(principal, source_id)
        return [VerifiedView(row, check(row.plan_json)) for row in rows]

    def across(self, principal: Principal, *, status: str, limit: int, before: Before = None) -> list[VerifiedQuestion]:
        """Return the questions of every source that the person reaches, newest first, unexamined: no source is opened."""
        statement = select(VerifiedQuestion).where(
            VerifiedQuestion.status == status,
            VerifiedQuestion.data_source_id.in_(visible(principal).with_only_columns(DataSource.id)),
        )
        at, row_id = VerifiedQuestion.created_at, VerifiedQuestion.id
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return list(session.scalars(newest_first(statement, at, row_id, limit=limit, before=before)))

    def read(self, principal: Principal, question_id: str) -> VerifiedQuestion:
        """Return one of a source that the person reaches. Raises NotFound."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            row = _row(session, question_id)
            reached(session, principal, row.data_source_id)
            return row

    def examine(self, principal: Principal, question_id: str) -> Examined:
        """Return what a question's plan says and compiles to, over the layer in force now.

        Raises
        ------
        SourceProblem
            The source cannot be read now.
        """
        from datapilot_kernel.answers.formats import Formatter
        from datapilot_kernel.answers.reading import read_plan
        from datapilot_kernel.engine import today
        from datapilot_kernel.messages import current_language
        from datapilot_kernel.semantic import draft_layer

        row = self.read(principal, question_id)
        with (
            self._sources.turns.taken(principal.tenant_id),
            self._sources.open(principal, row.data_source_id) as opened,
        ):
            layer = opened.layer or draft_layer(opened.catalog)
            dialect = opened.source.dialect
        formatter = Formatter(language=current_language(), currency=layer.currency, calendar=layer.calendar)
        try:
            plan = Plan.model_validate(row.plan_json)
        except ValidationError:
            return Examined((), None, "plan")
        try:
            compiled = compile_plan(plan, layer, dialect=dialect, today=today(layer.calendar.timezone))
        except DataPilotError as error:
            return Examined((), None, error.message)
        return Examined(read_plan(plan, layer, compiled, formatter), compiled.sql, None)

    def decide(self, principal: Principal, question_id: str, *, approve: bool) -> VerifiedView:
        """Approve or reject one; a rejected one can be approved later, and the other way round.

        Raises
        ------
        Conflict
            Its plan does not hold over the layer in force.
        """
        source_id, plan = self._read(principal, question_id)
        problem = self._checker(principal, source_id)(plan)
        if approve and problem is not None:
            raise Conflict("content.verified_broken", problem=problem)
        with self._database.tenant(principal.tenant_id) as session:
            row = _row(session, question_id)
            row.status = "approved" if approve else "rejected"
            row.decided_by, row.decided_at = principal.user_id, utc_now()
            self._record(session, principal, f"verified.{row.status}", row)
            session.flush()
        self._queries.verified.changed(principal.tenant_id, source_id)
        return VerifiedView(row, problem)

    def delete(self, principal: Principal, question_id: str) -> None:
        """Remove one for good."""
        with self._database.tenant(principal.tenant_id) as session:
            row = _row(session, question_id)
            source_id = row.data_source_id
            self._record(session, principal, "verified.delete", row)
            session.delete(row)
        self._queries.verified.changed(principal.tenant_id, source_id)

    def _read(self, principal: Principal, question_id: str) -> tuple[str, dict[str, Any]]:
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            row = _row(session, question_id)
            return row.data_source_id, row.plan_json

    def _checker(self, principal: Principal, source_id: str) -> Any:
        from datapilot_kernel.semantic import draft_layer

        with self._sources.turns.taken(principal.tenant_id), self._sources.open(principal, source_id) as opened:
            layer = opened.layer or draft_layer(opened.catalog)
            dialect = opened.source.dialect

        def problem_of(plan: dict[str, Any]) -> str | None:
            try:
                compile_plan(Plan.model_validate(plan), layer, dialect=dialect, today=date(2026, 1, 1))
            except ValidationError:
                return "plan"
            except DataPilotError as error:
                return error.message
            return None

        return problem_of

    def _record(self, session: ScopedSession, principal: Principal, action: str, row: VerifiedQuestion) -> None:
        self._audit.record(
            session, principal, action=action, object_type="verified_question", object_id=row.id,
            data_source_id=row.data_source_id, question=row.question,
        )  # fmt: skip


def _row(session: ScopedSession, question_id: str) -> VerifiedQuestion:
    row: VerifiedQuestion | None = session.get(VerifiedQuestion, question_id)
    if row is None:
        raise NotFound(log="verified question")
    return row
