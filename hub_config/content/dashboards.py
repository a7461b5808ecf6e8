"""Dashboards as they are edited: name, layout, widgets, and who may open what is published of them.

An administrator reaches all of the tenant's; an analyst those of the whole tenant and of their workspaces; a viewer what is
published and open to them. A widget is a plan over a source: data, never code, never an output.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select

from datapilot_kernel.errors import BadInput
from hub_config.content.paging import Before, newest_first
from hub_config.content.workspaces import seen
from hub_config.data_sources.visibility import reached
from hub_config.database import (
    Dashboard,
    DashboardRight,
    DashboardVersion,
    Database,
    ScopedSession,
    User,
    Widget,
    Workspace,
    WorkspaceMember,
)
from hub_config.errors import Forbidden, NotFound
from hub_config.principal import Principal

if TYPE_CHECKING:
    from hub_config.audit import Audit

MOST_WIDGETS = 60


@dataclass(frozen=True)
class Right:
    """One person, or everyone of a role: exactly one of the two."""

    user_id: str | None = None
    role: str | None = None


@dataclass(frozen=True)
class Shown:
    """A published dashboard as the gallery shows it.

    Attributes
    ----------
    workspace
        Name of the workspace it stands in; None: the whole tenant's.
    published_at
        When the version in force was made.
    """

    id: str
    name: str
    workspace: str | None
    published_at: datetime
    tiles: int


class Dashboards:
    """The manager."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    def listed(self, principal: Principal, *, limit: int, before: Before = None) -> list[Dashboard]:
        """Return the dashboards that the person reaches, newest first."""
        statement = select(Dashboard).where(_reach(principal))
        statement = newest_first(statement, Dashboard.created_at, Dashboard.id, limit=limit, before=before)
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return list(session.scalars(statement))

    def gallery(self, principal: Principal, *, limit: int) -> list[Shown]:
        """Return what is published and open to the person, by name."""
        statement = _shown(principal).order_by(Dashboard.name, Dashboard.id).limit(limit)
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            rows = session.execute(statement).all()
        return [Shown(i, n, workspace, at, len(content.get("tiles", ()))) for i, n, workspace, at, content in rows]

    def shown(self, principal: Principal, dashboard_id: str) -> Shown:
        """Return one of the gallery. Raises NotFound."""
        statement = _shown(principal).where(Dashboard.id == dashboard_id)
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            row = session.execute(statement).one_or_none()
        if row is None:
            raise NotFound(log="dashboard of the gallery")
        found_id, name, workspace, at, content = row
        return Shown(found_id, name, workspace, at, len(content.get("tiles", ())))

    def read(self, principal: Principal, dashboard_id: str) -> Dashboard:
        """Return one that the person reaches. Raises NotFound."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return opened(session, principal, dashboard_id)

    def create(
        self, principal: Principal, name: str, *, workspace_id: str | None = None, layout: dict[str, Any] | None = None
    ) -> Dashboard:
        """Make one, empty."""
        with self._database.tenant(principal.tenant_id) as session:
            if workspace_id is not None:
                seen(session, principal, workspace_id)
            row = Dashboard(name=name, workspace_id=workspace_id, layout_json=layout or {}, created_by=principal.user_id)
            session.add(row)
            session.flush()
            self._record(session, principal, "dashboard.create", row.id)
            return row

    def update(
        self,
        principal: Principal,
        dashboard_id: str,
        *,
        name: str | None = None,
        layout: dict[str, Any] | None = None,
        workspace_id: str | None = None,
        move: bool = False,
    ) -> Dashboard:
        """Change it; None: as it is. ``move`` puts it into ``workspace_id`` (None: the whole tenant's)."""
        with self._database.tenant(principal.tenant_id) as session:
            row = edited(session, principal, dashboard_id)
            if name is not None:
                row.name = name
            if layout is not None:
                row.layout_json = layout
            if move:
                _not_of_the_gallery(principal, row)
                if workspace_id is not None:
                    seen(session, principal, workspace_id)
                row.workspace_id = workspace_id
            self._record(session, principal, "dashboard.update", row.id)
            session.flush()
            return row

    def delete(self, principal: Principal, dashboard_id: str) -> None:
        """Remove it with its widgets and versions."""
        with self._database.tenant(principal.tenant_id) as session:
            row = edited(session, principal, dashboard_id)
            _not_of_the_gallery(principal, row)
            self._record(session, principal, "dashboard.delete", row.id, {"name": row.name})
            session.delete(row)

    # ── widgets ───────────────────────────────────────────────────────────────────────────────────────────────────

    def widgets(self, principal: Principal, dashboard_id: str) -> list[Widget]:
        """Return the widgets as they are edited, in order."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            edited(session, principal, dashboard_id)
            return _widgets(session, dashboard_id)

    def add_widget(
        self, principal: Principal, dashboard_id: str, *, title: str, query: dict[str, Any], chart_type: str, position: int
    ) -> Widget:
        """Add a tile.

        Raises
        ------
        NotFound
            The person does not reach the dashboard, or the source of the tile.
        BadInput
            There are as many as a page can hold.
        """
        with self._database.tenant(principal.tenant_id) as session:
            edited(session, principal, dashboard_id)
            reached(session, principal, query["source_id"])
            count = session.scalar(select(func.count()).select_from(Widget).where(Widget.dashboard_id == dashboard_id))
            if int(count or 0) >= MOST_WIDGETS:
                raise BadInput("content.too_many_widgets", count=MOST_WIDGETS)
            row = Widget(dashboard_id=dashboard_id, title=title, query_json=query, chart_type=chart_type, position=position)
            session.add(row)
            session.flush()
            self._record(session, principal, "dashboard.add_widget", dashboard_id)
            return row

    def update_widget(self, principal: Principal, dashboard_id: str, widget_id: str, **changes: Any) -> Widget:
        """Change a tile: ``title``, ``query_json``, ``chart_type``, ``position``."""
        with self._database.tenant(principal.tenant_id) as session:
            row = self._widget(session, principal, dashboard_id, widget_id)
            if "query_json" in changes:
                reached(session, principal, changes["query_json"]["source_id"])
            for name, value in changes.items():
                setattr(row, name, value)
            self._record(session, principal, "dashboard.update_widget", dashboard_id)
            session.flush()
            return row

    def move_widget(self, principal: Principal, dashboard_id: str, widget_id: str, *, up: bool) -> None:
        """Move a tile one place; the first stays the first, the last the last."""
        with self._database.tenant(principal.tenant_id) as session:
            moved = self._widget(session, principal, dashboard_id, widget_id)
            order = _widgets(session, dashboard_id)
            at = order.index(moved)
            to = max(0, at - 1) if up else min(len(order) - 1, at + 1)
            order.insert(to, order.pop(at))
            for position, widget in enumerate(order):
                widget.position = position
            self._record(session, principal, "dashboard.update_widget", dashboard_id)

    def delete_widget(self, principal: Principal, dashboard_id: str, widget_id: str) -> None:
        """Remove a tile; the published version keeps its own."""
        with self._database.tenant(principal.tenant_id) as session:
            session.delete(self._widget(session, principal, dashboard_id, widget_id))
            self._record(session, principal, "dashboard.delete_widget", dashboard_id)

    def _widget(self, session: ScopedSession, principal: Principal, dashboard_id: str, widget_id: str) -> Widget:
        edited(session, principal, dashboard_id)
        row: Widget | None = session.get(Widget, widget_id)
        if row is None or row.dashboard_id != dashboard_id:
            raise NotFound(log="widget")
        return row

    # ── rights ────────────────────────────────────────────────────────────────────────────────────────────────────

    def rights(self, principal: Principal, dashboard_id: str) -> list[Right]:
        """Return who may open what is published."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            edited(session, principal, dashboard_id)
            rows = session.scalars(select(DashboardRight).where(DashboardRight.dashboard_id == dashboard_id))
            return sorted((Right(r.user_id, r.role) for r in rows), key=lambda r: (r.role or "", r.user_id or ""))

    def set_rights(self, principal: Principal, dashboard_id: str, rights: list[Right]) -> list[Right]:
        """Let these people and roles, and nobody else, open it.

        Raises
        ------
        NotFound
            One of the people is nobody of this tenant.
        """
        wanted = list(dict.fromkeys(rights))
        with self._database.tenant(principal.tenant_id) as session:
            edited(session, principal, dashboard_id)
            put_rights(session, dashboard_id, wanted)
            people = sum(1 for r in wanted if r.user_id is not None)
            details = {"people": people, "roles": sorted(r.role for r in wanted if r.role)}
            self._record(session, principal, "dashboard.rights", dashboard_id, details)
        return self.rights(principal, dashboard_id)

    def _record(
        self,
        session: ScopedSession,
        principal: Principal,
        action: str,
        object_id: str,
        details: dict[str, Any] | None = None,
    ) -> None:
        self._audit.record(session, principal, action=action, object_type="dashboard", object_id=object_id, details=details)


def put_rights(session: ScopedSession, dashboard_id: str, rights: list[Right]) -> None:
    """Let these people and roles, and nobody else, open it. Raises NotFound: one of the people is nobody of this tenant."""
    wanted = list(dict.fromkeys(rights))
    people = {right.user_id for right in wanted if right.user_id is not None}
    if set(session.scalars(select(User.id).where(User.id.in_(people)))) != people:
        raise NotFound(log="person of a right")
    session.execute(delete(DashboardRight).where(DashboardRight.dashboard_id == dashboard_id))
    session.flush()
    session.add_all(DashboardRight(dashboard_id=dashboard_id, user_id=r.user_id, role=r.role) for r in wanted)
    session.flush()


def _not_of_the_gallery(principal: Principal, row: Dashboard) -> None:
    """Refuse to take away what is published, or to open it to others: that is for whoever publishes."""
    if row.status == "published" and not principal.is_administrator:
        raise Forbidden(log="an author removes or moves what is published")


def _widgets(session: ScopedSession, dashboard_id: str) -> list[Widget]:
    statement = select(Widget).where(Widget.dashboard_id == dashboard_id).order_by(Widget.position, Widget.id)
    return list(session.scalars(statement))


def _in_reach_of_authors(principal: Principal) -> ColumnElement[bool]:
    mine = select(WorkspaceMember.workspace_id).where(WorkspaceMember.user_id == principal.user_id)
    return or_(Dashboard.workspace_id.is_(None), Dashboard.workspace_id.in_(mine))


def reach_of_authors(principal: Principal) -> ColumnElement[bool]:
    """Return the condition that a dashboard is the person's to edit: an administrator's all, a viewer's none."""
    if principal.is_administrator:
        return Dashboard.id.is_not(None)
    return _in_reach_of_authors(principal) if principal.role == "analyst" else Dashboard.id.is_(None)


def named_by(principal: Principal) -> ColumnElement[bool]:
    """Return the condition that a dashboard is published and a right of it names the person or their role."""
    right = select(DashboardRight.dashboard_id).where(
        or_(DashboardRight.user_id == principal.user_id, DashboardRight.role == principal.role)
    )
    return and_(Dashboard.status == "published", Dashboard.id.in_(right))


def _reach(principal: Principal) -> ColumnElement[bool]:
    if principal.is_administrator:
        return Dashboard.id.is_not(None)
    if principal.role == "analyst":
        return or_(_in_reach_of_authors(principal), named_by(principal))
    return named_by(principal)


def opened(session: ScopedSession, principal: Principal, dashboard_id: str) -> Dashboard:
    """Return a dashboard that the person reaches, to read what they may of it. Raises NotFound."""
    statement = select(Dashboard).where(Dashboard.id == dashboard_id, _reach(principal))
    found = session.scalars(statement).one_or_none()
    if found is None:
        raise NotFound(log="dashboard")
    return found


def edited(session: ScopedSession, principal: Principal, dashboard_id: str) -> Dashboard:
    """Return a dashboard that the person edits: an author's reach, not a viewer's. Raises NotFound."""
    statement = select(Dashboard).where(Dashboard.id == dashboard_id)
    if not principal.is_administrator:
        statement = statement.where(_in_reach_of_authors(principal))
    found = session.scalars(statement).one_or_none()
    if found is None or principal.role == "viewer":
        raise NotFound(log="dashboard to edit")
    return found


def _shown(principal: Principal) -> Any:
    return (
        select(Dashboard.id, Dashboard.name, Workspace.name, DashboardVersion.created_at, DashboardVersion.content_json)
        .select_from(Dashboard)
        .join(DashboardVersion, DashboardVersion.id == Dashboard.published_version_id)
        .outerjoin(Workspace, Workspace.id == Dashboard.workspace_id)
        .where(open_to(principal))
    )


def open_to(principal: Principal) -> ColumnElement[bool]:
    """Return the condition that what is published of a dashboard is the person's to see."""
    if principal.is_administrator:
        return Dashboard.status == "published"
    if principal.role == "analyst":
        return and_(Dashboard.status == "published", or_(_in_reach_of_authors(principal), named_by(principal)))
    return named_by(principal)
