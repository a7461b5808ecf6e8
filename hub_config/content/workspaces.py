"""Workspaces: named corners of a tenant. Administrators see and manage all; everybody else those they are a member of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select

from hub_config.content.paging import Before, newest_first
from hub_config.database import Dashboard, Database, DataSource, ScopedSession, User, Workspace, WorkspaceMember
from hub_config.errors import Conflict, NotFound
from hub_config.principal import Principal

if TYPE_CHECKING:
    from hub_config.audit import Audit


@dataclass(frozen=True)
class Corner:
    """A workspace as it is administered: what it groups, and how many see it."""

    row: Workspace
    members: int
    sources: int
    dashboards: int


class Workspaces:
    """The manager."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    def listed(self, principal: Principal, *, limit: int, before: Before = None) -> list[Workspace]:
        """Return the workspaces that the person sees, newest first."""
        statement = select(Workspace)
        if not principal.is_administrator:
            mine = select(WorkspaceMember.workspace_id).where(WorkspaceMember.user_id == principal.user_id)
            statement = statement.where(Workspace.id.in_(mine))
        statement = newest_first(statement, Workspace.created_at, Workspace.id, limit=limit, before=before)
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return list(session.scalars(statement))

    def corners(self, principal: Principal, *, limit: int) -> list[Corner]:
        """Return the workspaces that the person sees, by name, with what they group."""
        statement = select(Workspace).order_by(Workspace.name, Workspace.id).limit(limit)
        if not principal.is_administrator:
            mine = select(WorkspaceMember.workspace_id).where(WorkspaceMember.user_id == principal.user_id)
            statement = statement.where(Workspace.id.in_(mine))
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            rows = list(session.scalars(statement))
            members, sources, dashboards = (
                _counted(session, column)
                for column in (WorkspaceMember.workspace_id, DataSource.workspace_id, Dashboard.workspace_id)
            )
        return [Corner(row, members.get(row.id, 0), sources.get(row.id, 0), dashboards.get(row.id, 0)) for row in rows]

    def memberships(self, principal: Principal) -> dict[str, list[Workspace]]:
        """Return the workspaces of each of the tenant's people, by name; only for administrators' pages."""
        statement = select(WorkspaceMember.user_id, Workspace).join(
            Workspace, (Workspace.tenant_id == WorkspaceMember.tenant_id) & (Workspace.id == WorkspaceMember.workspace_id)
        )
        found: dict[str, list[Workspace]] = {}
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            for user_id, row in session.execute(statement.order_by(Workspace.name, Workspace.id)):
                found.setdefault(user_id, []).append(row)
        return found

    def read(self, principal: Principal, workspace_id: str) -> Workspace:
        """Return one. Raises NotFound."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return seen(session, principal, workspace_id)

    def create(self, principal: Principal, name: str, settings: dict[str, Any]) -> Workspace:
        """Make one; whoever makes it is not its member by that.

        Raises
        ------
        Conflict
            There is one of that name.
        """
        with self._database.tenant(principal.tenant_id) as session:
            self._free(session, name)
            row = Workspace(name=name, settings=settings)
            session.add(row)
            session.flush()
            self._record(session, principal, "workspace.create", row.id)
            return row

    def update(
        self, principal: Principal, workspace_id: str, *, name: str | None = None, settings: dict[str, Any] | None = None
    ) -> Workspace:
        """Change its name or settings; None: as it is."""
        with self._database.tenant(principal.tenant_id) as session:
            row = seen(session, principal, workspace_id)
            if name is not None and name != row.name:
                self._free(session, name)
                row.name = name
            if settings is not None:
                row.settings = settings
            self._record(session, principal, "workspace.update", row.id)
            session.flush()
            return row

    def delete(self, principal: Principal, workspace_id: str) -> None:
        """Remove one that groups nothing any more.

        Raises
        ------
        Conflict
            Sources or dashboards are still in it: deleting it would show them to the whole tenant.
        """
        with self._database.tenant(principal.tenant_id) as session:
            row = seen(session, principal, workspace_id)
            for table in (DataSource, Dashboard):
                if session.scalars(select(table.id).where(table.workspace_id == workspace_id)).first() is not None:
                    raise Conflict("content.workspace_in_use")
            self._record(session, principal, "workspace.delete", row.id)
            session.delete(row)

    def members(self, principal: Principal, workspace_id: str) -> list[str]:
        """Return its members' ids."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            seen(session, principal, workspace_id)
            statement = select(WorkspaceMember.user_id).where(WorkspaceMember.workspace_id == workspace_id)
            return sorted(session.scalars(statement))

    def set_members(self, principal: Principal, workspace_id: str, user_ids: list[str]) -> list[str]:
        """Make these people, and nobody else, its members.

        Raises
        ------
        NotFound
            One of them is nobody of this tenant.
        """
        wanted = sorted(set(user_ids))
        with self._database.tenant(principal.tenant_id) as session:
            seen(session, principal, workspace_id)
            known = set(session.scalars(select(User.id).where(User.id.in_(wanted))))
            if known != set(wanted):
                raise NotFound(log="member")
            session.execute(delete(WorkspaceMember).where(WorkspaceMember.workspace_id == workspace_id))
            session.flush()
            session.add_all(WorkspaceMember(workspace_id=workspace_id, user_id=user_id) for user_id in wanted)
            self._record(session, principal, "workspace.members", workspace_id, {"members": len(wanted)})
        return wanted

    def admit(self, principal: Principal, workspace_id: str, user_id: str) -> None:
        """Make one more person a member; without effect on one who is.

        Raises
        ------
        NotFound
            No such workspace, or nobody of this tenant.
        """
        with self._database.tenant(principal.tenant_id) as session:
            seen(session, principal, workspace_id)
            if session.get(User, user_id) is None:
                raise NotFound(log="member")
            if session.get(WorkspaceMember, (workspace_id, user_id)) is None:
                session.add(WorkspaceMember(workspace_id=workspace_id, user_id=user_id))
                self._record(session, principal, "workspace.admit", workspace_id, {"user_id": user_id})

    def dismiss(self, principal: Principal, workspace_id: str, user_id: str) -> None:
        """Make a member none any more; without effect on one who is none. Raises NotFound."""
        with self._database.tenant(principal.tenant_id) as session:
            seen(session, principal, workspace_id)
            row = session.get(WorkspaceMember, (workspace_id, user_id))
            if row is not None:
                session.delete(row)
                self._record(session, principal, "workspace.dismiss", workspace_id, {"user_id": user_id})

    def _free(self, session: ScopedSession, name: str) -> None:
        if session.scalars(select(Workspace.id).where(Workspace.name == name)).first() is not None:
            raise Conflict("content.name_taken")

    def _record(
        self,
        session: ScopedSession,
        principal: Principal,
        action: str,
        object_id: str,
        details: dict[str, Any] | None = None,
    ) -> None:
        self._audit.record(session, principal, action=action, object_type="workspace", object_id=object_id, details=details)


def seen(session: ScopedSession, principal: Principal, workspace_id: str) -> Workspace:
    """Return a workspace that the person sees. Raises NotFound."""
    row: Workspace | None = session.get(Workspace, workspace_id)
    if row is None or not (principal.is_administrator or is_member(session, principal, workspace_id)):
        raise NotFound(log="workspace")
    return row


def is_member(session: ScopedSession, principal: Principal, workspace_id: str) -> bool:
    """Tell whether the person is a member."""
    return session.get(WorkspaceMember, (workspace_id, principal.user_id)) is not None


def _counted(session: ScopedSession, column: Any) -> dict[str, int]:
    """Return how many rows stand in each workspace."""
    rows = session.execute(select(column, func.count()).where(column.is_not(None)).group_by(column))
    return {workspace_id: int(number) for workspace_id, number in rows}
