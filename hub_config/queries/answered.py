"""Whole answers, kept beside their results: what was asked in the same words, of the same scope, on the same day, with no
turn before it, is not understood, compiled, guarded and composed a second time.

An answer lives in the cache of results, under the same scope (tenant, source, versions of catalog and layer, rights), and
not longer than the result it was made of. It holds only as long as the approved questions of its source are the very ones
it was found with. Answers that cost money are not kept: who asks a model again wants it asked.

Rejected: remembering the guard's verdicts alone (half the gain), and looking answers up before the source is reached: rights
and versions are read anew for every query, and a query that is answered from here is counted and written down like any.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from datapilot_kernel.engine.outcome import Answer, Outcome
from datapilot_kernel.messages import current_language
from hub_config.queries.cache import Key, ResultCache, Scope, Statements, size_of

if TYPE_CHECKING:
    from datapilot_kernel.engine import Engine
    from datapilot_kernel.nl2sql.conversation import Conversation
    from datapilot_kernel.nl2sql.verified import ApprovedQuestions
    from hub_config.queries.model import Asked
    from hub_config.queries.verified import VerifiedStore

_BESIDE_ROWS_BYTES = 16 * 1024


@dataclass(frozen=True)
class _Kept:
    answer: Answer
    approved: ApprovedQuestions
    read_at: float


class Answers:
    """The answers of one process. Thread-safe."""

    def __init__(self, cache: ResultCache, verified: VerifiedStore) -> None:
        self._cache = cache
        self._verified = verified

    def find(
        self, scope: Scope, asked: Asked, engine: Engine, conversation: Conversation | None, statements: Statements
    ) -> Answer | None:
        """Return what was answered to the same, or None; what was read and said for it is told to ``statements``."""
        if statements.fresh or _goes_on(conversation):
            return None
        found = self._cache.get(_key(scope, asked, engine))
        return _taken(found, asked, conversation, statements, self._approved(scope))

    def remembered(
        self, scope: Scope, asked: Asked, engine: Engine, conversation: Conversation | None, statements: Statements
    ) -> Answer | None:
        """Do what :meth:`find` does, from memory alone: None also when it would have to ask the database."""
        if statements.fresh or _goes_on(conversation):
            return None
        approved = self._verified.remembered(scope.tenant_id, scope.source_id)
        if approved is None:
            return None
        found = self._cache.get(_key(scope, asked, engine), again=True)
        return _taken(found, asked, conversation, statements, approved)

    def keep(
        self,
        scope: Scope,
        asked: Asked,
        engine: Engine,
        conversation_before: tuple[object, ...],
        outcome: Outcome,
        statements: Statements,
    ) -> None:
        """Keep an answer that was just made, for as long as its result."""
        if not isinstance(outcome, Answer) or outcome.model is not None or outcome.engine == "claude":
            return
        if conversation_before:
            return
        # Without the rows twice: the cache of results holds the same table.
        size_bytes = _BESIDE_ROWS_BYTES + size_of(outcome.table)
        kept = _Kept(replace(outcome, id=""), self._approved(scope), statements.read_at)
        self._cache.put(_key(scope, asked, engine), kept, size_bytes, until=statements.until)

    def _approved(self, scope: Scope) -> ApprovedQuestions:
        return self._verified.questions(scope.tenant_id, scope.source_id)


def _taken(
    found: object, asked: Asked, conversation: Conversation | None, statements: Statements, approved: ApprovedQuestions
) -> Answer | None:
    if not isinstance(found, _Kept) or found.approved is not approved:
        return None
    answer = found.answer
    statements.sql = answer.sql
    statements.hits += 1
    statements.read_at = min(statements.read_at, found.read_at)
    if statements.tell is not None:
        statements.tell(answer.sql)
    if conversation is not None and answer.plan is not None:
        conversation.add(asked.question, answer.plan)
    return answer


def _goes_on(conversation: Conversation | None) -> bool:
    return conversation is not None and bool(conversation.turns)


def _key(scope: Scope, asked: Asked, engine: Engine) -> Key:
    plan = asked.plan.model_dump_json() if asked.plan is not None else ""
    words = (asked.question, plan, asked.sql or "")
    return (scope, "answer", asked.kind, asked.engine, current_language(), engine.today().isoformat(), *words)
