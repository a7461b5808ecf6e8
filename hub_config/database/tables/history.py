"""What was asked: conversations, queries, feedback, the audit, quotas and what was used of them.

History points at people and sources by identifier without a foreign key: it says what happened, also once the person or the
source is gone. Following such an identifier goes through the session of the tenant like everything else.
"""

from __future__ import annotations

import datetime as dt
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub_config.database.base import ID_LENGTH, Base, Identified, Tenanted, belongs_to, one_of
from hub_config.database.types import utc_now


class Conversation(Identified, Base):
    """A person's questions, one after the other, over one source."""

    __tablename__ = "conversations"
    user_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    data_source_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    title: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
    turns: Mapped[list[ConversationTurn]] = relationship(
        back_populates="conversation",
        order_by="ConversationTurn.position",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )
    __table_args__ = (
        belongs_to("users", "user_id"),
        belongs_to("data_sources", "data_source_id"),
        Index(None, "tenant_id", "user_id", "updated_at"),
        Index(None, "tenant_id", "data_source_id"),
    )


class ConversationTurn(Identified, Base):
    """One question of a conversation and what it came to: a plan, a statement, or a question back."""

    __tablename__ = "conversation_turns"
    conversation_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    position: Mapped[int]
    question: Mapped[str]
    plan_json: Mapped[dict[str, Any] | None]
    sql: Mapped[str | None]
    asked_back: Mapped[str | None]
    query_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    conversation: Mapped[Conversation] = relationship(back_populates="turns")
    __table_args__ = (
        belongs_to("conversations", "conversation_id"),
        UniqueConstraint("tenant_id", "conversation_id", "position"),
    )


class Query(Identified, Base):
    """One question, plan or statement that someone sent, and what became of it."""

    __tablename__ = "queries"
    user_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    data_source_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    conversation_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    kind: Mapped[str]
    question: Mapped[str | None]
    plan_json: Mapped[dict[str, Any] | None]
    engine: Mapped[str | None]
    outcome: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="waiting")
    trust: Mapped[str | None]
    reason: Mapped[str | None]
    incident: Mapped[str | None]
    sql: Mapped[str | None]
    tables: Mapped[list[str]] = mapped_column(default=list)
    row_count: Mapped[int | None]
    cache_hit: Mapped[bool] = mapped_column(default=False)
    timings_ms: Mapped[dict[str, Any]] = mapped_column(default=dict)
    model: Mapped[dict[str, Any] | None]
    cost_microeuros: Mapped[int] = mapped_column(default=0)
    today: Mapped[dt.date | None]
    audience: Mapped[str] = mapped_column(default="session")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        one_of("kind", "ask", "plan", "sql", "frame"),
        one_of("outcome", "answer", "clarification", "refusal", "failure"),
        one_of("status", "waiting", "running", "done", "cancelled", "failed"),
        Index(None, "tenant_id", "created_at"),
        Index(None, "tenant_id", "user_id", "created_at"),
        Index(None, "tenant_id", "status"),
    )


class AuditEvent(Identified, Base):
    """Who did what, and when. The application adds to it and reads it; nothing else."""

    __tablename__ = "audit_events"
    append_only: ClassVar[bool] = True
    at: Mapped[datetime] = mapped_column(default=utc_now)
    actor_id: Mapped[str | None]
    actor_email: Mapped[str | None]
    audience: Mapped[str | None]
    action: Mapped[str]
    object_type: Mapped[str | None]
    object_id: Mapped[str | None]
    query_id: Mapped[str | None]
    data_source_id: Mapped[str | None]
    question: Mapped[str | None]
    sql: Mapped[str | None]
    tables: Mapped[list[str] | None]
    outcome: Mapped[str | None]
    row_count: Mapped[int | None]
    duration_ms: Mapped[int | None]
    cost_microeuros: Mapped[int | None]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    request_id: Mapped[str | None]
    __table_args__ = (
        Index(None, "tenant_id", "at"),
        Index(None, "tenant_id", "actor_id", "at"),
        Index(None, "tenant_id", "action", "at"),
    )


class Erasure(Identified, Base):
    """That audit events were erased on purpose: up to when, by whom, how many. Itself never changed by the application.

    Events older than ``before`` may go while ``finished_at`` is NULL, and at no other time.
    """

    __tablename__ = "erasures"
    append_only: ClassVar[bool] = True
    before: Mapped[datetime]
    reason: Mapped[str]
    requested_by: Mapped[str | None]
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]
    erased_rows: Mapped[int | None]
    __table_args__ = (one_of("reason", "retention", "tenant"),)


class Feedback(Identified, Base):
    """What a person thought of an answer, and the plan or the statement it should have been."""

    __tablename__ = "feedback"
    query_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    user_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    verdict: Mapped[str]
    comment: Mapped[str] = mapped_column(default="")
    plan_json: Mapped[dict[str, Any] | None]
    sql: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    __table_args__ = (belongs_to("queries", "query_id"), Index(None, "tenant_id", "query_id"))


class Quota(Tenanted, Base):
    """A limit of a tenant that differs from the settings' default."""

    __tablename__ = "quotas"
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int]


class UsageCounter(Tenanted, Base):
    """What was used of something on one day (UTC), by one person or, with ``user_id`` empty, by the whole tenant."""

    __tablename__ = "usage_counters"
    user_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default="")
    day: Mapped[dt.date] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(default=0)
