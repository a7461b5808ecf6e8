"""Which sources a person reaches: the tenant's own, those of their workspaces, every one for an administrator.

What they do not reach does not exist for them: :class:`~hub_config.errors.NotFound`, always the same.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import defer

from hub_config.database import DataSource, ScopedSession, WorkspaceMember
from hub_config.errors import NotFound
from hub_config.principal import Principal


def visible(principal: Principal) -> Select[DataSource]:
    """Return the query of the sources that the person reaches."""
    # The catalog may be megabytes: whoever needs it asks for it.
    statement = select(DataSource).options(defer(DataSource.schema_cache))
    return statement if principal.is_administrator else statement.where(reaching(principal))


def reaching(principal: Principal) -> ColumnElement[bool]:
    """Return the condition that somebody who is no administrator reaches a source."""
    mine = select(WorkspaceMember.workspace_id).where(WorkspaceMember.user_id == principal.user_id)
    return or_(DataSource.workspace_id.is_(None), DataSource.workspace_id.in_(mine))


def reached(session: ScopedSession, principal: Principal, source_id: str) -> DataSource:
    """Return the source, if the person reaches it.

    Raises
    ------
    NotFound
        There is none, or it is not for this person.
    """
    found = session.scalars(visible(principal).where(DataSource.id == source_id)).one_or_none()
    if found is None:
        raise NotFound(log="data source")
    return found
