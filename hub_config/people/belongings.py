"""What is somebody's: what goes with them when they are deleted, and what stays as the company's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from hub_config.database import (
    Conversation,
    Dashboard,
    DashboardRight,
    DataSource,
    Query,
    ScopedSession,
    VerifiedQuestion,
    WorkspaceMember,
)

if TYPE_CHECKING:
    from hub_config.database import Database
    from hub_config.principal import Principal


@dataclass(frozen=True)
class Belongings:
    """Counts.

    Attributes
    ----------
    conversations, rights, workspaces
        Go with the person.
    dashboards, sources, proposals, queries
        Stay: what they made is the company's, what they asked is in its history and its record.
    """

    conversations: int
    rights: int
    workspaces: int
    dashboards: int
    sources: int
    proposals: int
    queries: int


def belongings(database: Database, principal: Principal, user_id: str) -> Belongings:
    """Return what a person of the caller's tenant has."""
    with database.tenant(principal.tenant_id, read_only=True) as session:
        return Belongings(
            conversations=_count(session, Conversation.user_id, user_id),
            rights=_count(session, DashboardRight.user_id, user_id),
            workspaces=_count(session, WorkspaceMember.user_id, user_id),
            dashboards=_count(session, Dashboard.created_by, user_id),
            sources=_count(session, DataSource.created_by, user_id),
            proposals=_count(session, VerifiedQuestion.proposed_by, user_id),
            queries=_count(session, Query.user_id, user_id),
        )


def _count(session: ScopedSession, column: Any, user_id: str) -> int:
    return int(session.scalar(select(func.count()).select_from(column.class_).where(column == user_id)) or 0)
