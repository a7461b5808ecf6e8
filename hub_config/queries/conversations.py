"""Conversations: a person's questions over one source, and the plans they became. Never a result.

A question without a conversation begins one; « et par région ? » sent with its id stands on the turns before. Bounded: the
last :data:`KEPT_TURNS` are kept, the engine sees fewer. What is not one's own is not found, whoever's it is.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic import ValidationError
from sqlalchemy import delete, func, insert, or_, select, update

from datapilot_kernel.nl2sql.conversation import MAX_TURNS, Conversation, Turn
from datapilot_kernel.plan.model import Plan
from hub_config.database import Conversation as Row
from hub_config.database import ConversationTurn, ScopedSession, utc_now
from hub_config.database.base import new_id, table_of
from hub_config.errors import NotFound

if TYPE_CHECKING:
    from hub_config.audit import Audit
    from hub_config.database import Database
    from hub_config.principal import Principal
    from hub_config.queries.paging import Position

KEPT_TURNS = 100
TITLE_CHARACTERS = 120
# Most questions begin a conversation: two rows, without objects for them.
_BEGIN, _ADD_TURN = insert(table_of(Row)), insert(table_of(ConversationTurn))


def find(session: ScopedSession, principal: Principal, conversation_id: str) -> Row:
    """Return a person's own conversation.

    Raises
    ------
    NotFound
        There is none of that id, or it is somebody else's.
    """
    row: Row | None = session.get(Row, conversation_id)
    if row is None or row.user_id != principal.user_id:
        raise NotFound(log="conversation")
    return row


def load(session: ScopedSession, principal: Principal, conversation_id: str, source_id: str) -> Conversation:
    """Return the conversation as the engine takes it.

    Raises
    ------
    NotFound
        It is not this person's, or is about another source.
    """
    if find(session, principal, conversation_id).data_source_id != source_id:
        raise NotFound(log="conversation about another source")
    turns = session.scalars(
        select(ConversationTurn)
        .where(ConversationTurn.conversation_id == conversation_id)
        .order_by(ConversationTurn.position.desc())
        .limit(MAX_TURNS)
    ).all()
    return Conversation(_turn(row) for row in reversed(turns) if row.plan_json or row.sql or row.asked_back)


def _turn(row: ConversationTurn) -> Turn:
    plan = None
    # A plan of an earlier release that is none any more: the conversation goes on without it.
    with suppress(ValidationError):
        plan = Plan.model_validate(row.plan_json) if row.plan_json is not None else None
    return Turn(row.question, plan, row.sql, row.asked_back)


def go_on(
    session: ScopedSession,
    principal: Principal,
    *,
    conversation_id: str | None,
    source_id: str,
    turn: Turn,
    query_id: str,
) -> str:
    """Add a turn, beginning a conversation when there is none (or it was deleted meanwhile); return its id."""
    row = session.get(Row, conversation_id, with_for_update=True) if conversation_id is not None else None
    now = utc_now()
    if row is None:
        conversation_id, position = new_id(), 1
        begun = {
            "tenant_id": session.tenant_id,
            "id": conversation_id,
            "user_id": principal.user_id,
            "data_source_id": source_id,
            "title": turn.question.strip()[:TITLE_CHARACTERS],
            "created_at": now,
            "updated_at": now,
        }
        session.execute(_BEGIN, begun)
    else:
        conversation_id = row.id
        row.updated_at = now
        position = 1 + int(
            session.scalar(select(func.max(ConversationTurn.position)).where(ConversationTurn.conversation_id == row.id))
            or 0
        )
    added = {
        "tenant_id": session.tenant_id,
        "id": new_id(),
        "conversation_id": conversation_id,
        "position": position,
        "question": turn.question,
        "plan_json": turn.plan.model_dump(mode="json") if turn.plan is not None else None,
        "sql": turn.sql,
        "asked_back": turn.asked_back,
        "query_id": query_id,
        "created_at": now,
    }
    session.execute(_ADD_TURN, added)
    if position > KEPT_TURNS:
        session.execute(
            delete(ConversationTurn).where(
                ConversationTurn.conversation_id == conversation_id,
                ConversationTurn.position <= position - KEPT_TURNS,
            )
        )
    return conversation_id


class Conversations:
    """What a person does with their own conversations."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    def mine(
        self, principal: Principal, *, source_id: str | None = None, before: Position | None = None, limit: int = 50
    ) -> list[Row]:
        """Return one's own conversations, the latest first."""
        statement = select(Row).where(Row.user_id == principal.user_id)
        if source_id is not None:
            statement = statement.where(Row.data_source_id == source_id)
        if before is not None:
            earlier = Row.updated_at < before.at
            statement = statement.where(or_(earlier, (Row.updated_at == before.at) & (Row.id < before.id)))
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return list(session.scalars(statement.order_by(Row.updated_at.desc(), Row.id.desc()).limit(limit)))

    def read(self, principal: Principal, conversation_id: str) -> tuple[Row, list[ConversationTurn]]:
        """Return a conversation and its turns, oldest first."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            row = find(session, principal, conversation_id)
            turns = session.scalars(
                select(ConversationTurn)
                .where(ConversationTurn.conversation_id == row.id)
                .order_by(ConversationTurn.position)
            )
            return row, list(turns)

    def rename(self, principal: Principal, conversation_id: str, title: str) -> Row:
        """Give a conversation another title."""
        with self._database.tenant(principal.tenant_id) as session:
            row = find(session, principal, conversation_id)
            # Its place in the list is that of its last question.
            session.execute(
                update(Row).where(Row.id == row.id).values(title=title.strip()[:TITLE_CHARACTERS], updated_at=row.updated_at)
            )
            session.refresh(row)
            return row

    def delete(self, principal: Principal, conversation_id: str) -> None:
        """Delete a conversation and its turns. The audit keeps that its questions were asked."""
        with self._database.tenant(principal.tenant_id) as session:
            row = find(session, principal, conversation_id)
            self._audit.record(
                session, principal, action="conversation.delete", object_type="conversation", object_id=row.id
            )
            session.delete(row)
