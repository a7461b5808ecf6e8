"""One's own conversations: list, read, rename, delete. A question without a conversation begins one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from hub_config.api.ai import AnyId
from hub_config.api.queries import Cursor, Limit
from hub_config.api.routing import Caller, Id, Routes, ThePlatform, Wire
from hub_config.database import Conversation
from hub_config.queries.paging import Position, position_of

routes = Routes("/conversations", tag="questions")


class ConversationOut(Wire):
    """A conversation."""

    id: str
    source_id: str
    title: str
    created_at: datetime
    updated_at: datetime


class ConversationPage(Wire):
    """A page of one's conversations, the latest first."""

    items: list[ConversationOut]
    next: str | None


class TurnOut(Wire):
    """A question and what it came to."""

    question: str
    plan: dict[str, Any] | None
    sql: str | None
    asked_back: str | None
    query_id: str | None
    created_at: datetime


class ConversationDetail(ConversationOut):
    """A conversation with its turns, oldest first."""

    turns: list[TurnOut]


class Renamed(Wire):
    """A new title."""

    title: str = Field(min_length=1, max_length=120, pattern=r"\S")


def _common(row: Conversation) -> dict[str, Any]:
    return {
        "id": row.id,
        "source_id": row.data_source_id,
        "title": row.title,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


@routes.get("", permission="history.own", summary="One's own conversations, the latest first")
def mine(
    caller: Caller,
    platform: ThePlatform,
    source_id: Annotated[AnyId | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ConversationPage:
    """List one's own conversations."""
    rows = platform.queries.conversations.mine(caller, source_id=source_id, before=position_of(cursor), limit=limit + 1)
    more = rows[limit - 1] if len(rows) > limit else None
    return ConversationPage(
        items=[ConversationOut(**_common(row)) for row in rows[:limit]],
        next=Position(more.updated_at, more.id).cursor() if more is not None else None,
    )


@routes.get("/{conversation_id}", permission="history.own", summary="One of one's own conversations, with its turns")
def read(conversation_id: Id, caller: Caller, platform: ThePlatform) -> ConversationDetail:
    """Return a conversation."""
    row, turns = platform.queries.conversations.read(caller, conversation_id)
    return ConversationDetail(
        **_common(row),
        turns=[
            TurnOut(
                question=turn.question,
                plan=turn.plan_json,
                sql=turn.sql,
                asked_back=turn.asked_back,
                query_id=turn.query_id,
                created_at=turn.created_at,
            )
            for turn in turns
        ],
    )


@routes.patch("/{conversation_id}", permission="history.own", summary="Give a conversation another title")
def rename(conversation_id: Id, body: Renamed, caller: Caller, platform: ThePlatform) -> ConversationOut:
    """Rename a conversation."""
    return ConversationOut(**_common(platform.queries.conversations.rename(caller, conversation_id, body.title)))


@routes.delete("/{conversation_id}", permission="history.own", summary="Delete a conversation", status_code=204)
def delete(conversation_id: Id, caller: Caller, platform: ThePlatform) -> None:
    """Delete a conversation and its turns."""
    platform.queries.conversations.delete(caller, conversation_id)
