"""Versions of a dashboard, who asks for one, and the tiles of the version in force, run with the viewer's own rights.

A version is immutable and holds plans, never outputs (wall 6): what a viewer sees is run again for the viewer. A tile
reaches its source through the dashboard's right, without the viewer being a member of the source's workspace; which rows and
columns it shows is the guard's business, with the viewer's attributes. Filters are the ones that the publisher listed,
nothing else: the plan is the version's, and a viewer adds values to it where that was foreseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from datapilot_kernel.errors import BadInput
from datapilot_kernel.plan.model import Filter, Plan
from hub_config.content.dashboards import edited, named_by, open_to, opened
from hub_config.content.paging import Before, newest_first
from hub_config.data_sources.visibility import reached
from hub_config.database import Dashboard, DashboardVersion, Database, PublicationRequest, ScopedSession, Widget, utc_now
from hub_config.errors import Conflict, NotFound
from hub_config.principal import Principal

if TYPE_CHECKING:
    from hub_config.audit import Audit
    from hub_config.queries import Asked, QueryService

_MOST_FILTERS = 20


@dataclass(frozen=True)
class Published:
    """The version in force of a dashboard, as its viewers read it.

    Attributes
    ----------
    by_right
        A right of the dashboard names the person (or they are an administrator); False: an author who may edit it.
    """

    dashboard_id: str
    name: str
    number: int
    content: dict[str, Any]
    by_right: bool


class Publishing:
    """The manager."""

    def __init__(self, database: Database, audit: Audit, queries: QueryService) -> None:
        self._database = database
        self._audit = audit
        self._queries = queries

    # ── versions ──────────────────────────────────────────────────────────────────────────────────────────────────

    def versions(
        self, principal: Principal, dashboard_id: str, *, limit: int, before: Before = None
    ) -> list[DashboardVersion]:
        """Return a dashboard's versions, newest first."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            edited(session, principal, dashboard_id)
            statement = select(DashboardVersion).where(DashboardVersion.dashboard_id == dashboard_id)
            at, row_id = DashboardVersion.created_at, DashboardVersion.id
            return list(session.scalars(newest_first(statement, at, row_id, limit=limit, before=before)))

    def version(self, principal: Principal, dashboard_id: str, version_id: str) -> DashboardVersion:
        """Return one version, whole. Raises NotFound."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            edited(session, principal, dashboard_id)
            return _version(session, dashboard_id, version_id)

    def publish(self, principal: Principal, dashboard_id: str, *, filters: list[dict[str, Any]]) -> DashboardVersion:
        """Make a version of the dashboard as it is edited now, and put it in force.

        Parameters
        ----------
        filters
            What viewers may choose: ``{"field": "entity.name", "label": …, "values": [...] or None for any}``.

        Raises
        ------
        Conflict
            There is nothing on it.
        """
        with self._database.tenant(principal.tenant_id) as session:
            row = _locked(session, principal, dashboard_id)
            widgets = session.scalars(
                select(Widget).where(Widget.dashboard_id == dashboard_id).order_by(Widget.position, Widget.id)
            ).all()
            if not widgets:
                raise Conflict("content.nothing_to_publish")
            content = {
                "name": row.name,
                "layout": row.layout_json,
                "filters": filters[:_MOST_FILTERS],
                "tiles": [
                    {"id": w.id, "title": w.title, "chart_type": w.chart_type, "position": w.position, **w.query_json}
                    for w in widgets
                ],
            }
            return self._in_force(session, principal, row, content)

    def roll_back(self, principal: Principal, dashboard_id: str, version_id: str) -> DashboardVersion:
        """Put an older version in force again."""
        with self._database.tenant(principal.tenant_id) as session:
            row = _locked(session, principal, dashboard_id)
            version = _version(session, dashboard_id, version_id)
            row.status, row.published_version_id = "published", version.id
            self._record(session, principal, "dashboard.publish", row.id, {"number": version.number, "again": True})
            return version

    def unpublish(self, principal: Principal, dashboard_id: str) -> Dashboard:
        """Take it off the gallery; its versions stay."""
        with self._database.tenant(principal.tenant_id) as session:
            row = _locked(session, principal, dashboard_id)
            row.status, row.published_version_id = "draft", None
            self._record(session, principal, "dashboard.unpublish", row.id)
            session.flush()
            return row

    def _in_force(
        self, session: ScopedSession, principal: Principal, row: Dashboard, content: dict[str, Any]
    ) -> DashboardVersion:
        highest = session.scalar(select(func.max(DashboardVersion.number)).where(DashboardVersion.dashboard_id == row.id))
        version = DashboardVersion(
            dashboard_id=row.id, number=int(highest or 0) + 1, content_json=content, created_by=principal.user_id
        )
        session.add(version)
        session.flush()
        row.status, row.published_version_id = "published", version.id
        self._record(session, principal, "dashboard.publish", row.id, {"number": version.number})
        session.flush()
        return version

    # ── what viewers see ──────────────────────────────────────────────────────────────────────────────────────────

    def published(self, principal: Principal, dashboard_id: str) -> Published:
        """Return the version in force, if it is the person's to see. Raises NotFound."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            statement = select(Dashboard).where(Dashboard.id == dashboard_id, open_to(principal))
            row = session.scalars(statement).one_or_none()
            if row is None or row.published_version_id is None:
                raise NotFound(log="published dashboard")
            version = _version(session, dashboard_id, row.published_version_id)
            named = select(Dashboard.id).where(Dashboard.id == dashboard_id, named_by(principal))
            by_right = principal.is_administrator or session.scalars(named).first() is not None
            return Published(row.id, version.content_json["name"], version.number, version.content_json, by_right)

    def tile(
        self, principal: Principal, dashboard_id: str, tile_id: str, chosen: Mapping[str, list[Any]]
    ) -> tuple[Asked, bool]:
        """Return what is to be asked for a tile of the version in force, with what the viewer chose; and whether the person
        must reach its source by themselves: a dashboard's rights open it to those whom they name, and to no other author.

        Raises
        ------
        NotFound
            No such tile of a dashboard that is this person's to see.
        BadInput
            Something was chosen that the publisher did not foresee.
        """
        from hub_config.queries import Asked

        published = self.published(principal, dashboard_id)
        content = published.content
        found = next((tile for tile in content["tiles"] if tile["id"] == tile_id), None)
        if found is None:
            raise NotFound(log="tile")
        plan = Plan.model_validate(found["plan"])
        plan = plan.model_copy(update={"filters": (*plan.filters, *_chosen(content["filters"], chosen))})
        return Asked(found["source_id"], question=found.get("question") or "", plan=plan), not published.by_right

    # ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────

    def request(
        self, principal: Principal, content: dict[str, Any], *, dashboard_id: str | None = None
    ) -> PublicationRequest:
        """Ask for something to be published; an administrator decides."""
        with self._database.tenant(principal.tenant_id) as session:
            if dashboard_id is not None:
                edited(session, principal, dashboard_id)
            for tile in content["tiles"]:
                reached(session, principal, tile["source_id"])
            row = PublicationRequest(dashboard_id=dashboard_id, content_json=content, requested_by=principal.user_id)
            session.add(row)
            session.flush()
            self._record(session, principal, "publication.request", row.id, kind="publication_request")
            return row

    def requests(
        self, principal: Principal, *, status: str | None, limit: int, before: Before = None
    ) -> list[PublicationRequest]:
        """Return the tenant's requests, newest first."""
        statement = select(PublicationRequest)
        if status is not None:
            statement = statement.where(PublicationRequest.status == status)
        at, row_id = PublicationRequest.requested_at, PublicationRequest.id
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return list(session.scalars(newest_first(statement, at, row_id, limit=limit, before=before)))

    def decide(self, principal: Principal, request_id: str, *, accept: bool) -> PublicationRequest:
        """Accept a request (its content becomes the version in force of its dashboard, made if need be) or reject it.

        Raises
        ------
        Conflict
            It was decided already.
        """
        with self._database.tenant(principal.tenant_id) as session:
            statement = select(PublicationRequest).where(PublicationRequest.id == request_id).with_for_update()
            row = session.scalars(statement).one_or_none()
            if row is None:
                raise NotFound(log="publication request")
            if row.status != "requested":
                raise Conflict("content.already_decided")
            row.status = "accepted" if accept else "rejected"
            row.decided_by, row.decided_at = principal.user_id, utc_now()
            if accept:
                row.dashboard_id = self._published_from(session, principal, row)
            self._record(session, principal, f"publication.{row.status}", row.id, kind="publication_request")
            session.flush()
            return row

    def _published_from(self, session: ScopedSession, principal: Principal, request: PublicationRequest) -> str:
        content = request.content_json
        if request.dashboard_id is not None:
            dashboard = _locked(session, principal, request.dashboard_id)
        else:
            dashboard = Dashboard(name=content["name"], layout_json=content["layout"], created_by=request.requested_by)
            session.add(dashboard)
            session.flush()
        for old in session.scalars(select(Widget).where(Widget.dashboard_id == dashboard.id)).all():
            session.delete(old)
        session.flush()
        tiles = []
        for position, tile in enumerate(content["tiles"]):
            query = {"source_id": tile["source_id"], "question": tile.get("question"), "plan": tile["plan"]}
            widget = Widget(
                dashboard_id=dashboard.id, title=tile["title"], query_json=query, chart_type=tile["chart_type"],
                position=position,
            )  # fmt: skip
            session.add(widget)
            session.flush()
            tiles.append({**tile, "id": widget.id, "position": position})
        self._in_force(session, principal, dashboard, {**content, "tiles": tiles})
        return str(dashboard.id)

    def _record(
        self,
        session: ScopedSession,
        principal: Principal,
        action: str,
        object_id: str,
        details: dict[str, Any] | None = None,
        *,
        kind: str = "dashboard",
    ) -> None:
        self._audit.record(session, principal, action=action, object_type=kind, object_id=object_id, details=details)


def _locked(session: ScopedSession, principal: Principal, dashboard_id: str) -> Dashboard:
    """Return the dashboard, its row locked: of two who publish at once, one waits for the other."""
    session.scalars(select(Dashboard).where(Dashboard.id == dashboard_id).with_for_update()).one_or_none()
    return opened(session, principal, dashboard_id)


def _version(session: ScopedSession, dashboard_id: str, version_id: str) -> DashboardVersion:
    row: DashboardVersion | None = session.get(DashboardVersion, version_id)
    if row is None or row.dashboard_id != dashboard_id:
        raise NotFound(log="version")
    return row


def _chosen(listed: list[dict[str, Any]], chosen: Mapping[str, list[Any]]) -> list[Filter]:
    by_field = {entry["field"]: entry for entry in listed}
    found = []
    for field, values in chosen.items():
        entry = by_field.get(field)
        if entry is None:
            raise BadInput("content.filter_not_listed")
        allowed = entry.get("values")
        if not values or (allowed is not None and not set(values) <= set(allowed)):
            raise BadInput("content.filter_not_listed")
        found.append(Filter(field=field, op="in", values=tuple(values)))
    return found
