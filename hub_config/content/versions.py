"""Versions of a dashboard: made of what is edited, put in force, put in force again, taken off.

A version is immutable and holds plans and code, never outputs (wall 6). The version in force is a pointer: going back is to
point at an older one, and what is edited then starts from that one again. A notebook stays with its dashboard: what is
edited and published keeps the text and the code of the version in force, its tiles where they stood.

What is exploratory (no accepted layer stands behind it) is published when whoever publishes says so, and not otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import func, select

from hub_config.content.dashboards import edited, opened
from hub_config.content.paging import Before, newest_first
from hub_config.database import (
    Dashboard,
    DashboardVersion,
    Database,
    ScopedSession,
    SemanticLayer,
    VerifiedQuestion,
    Widget,
)
from hub_config.errors import Conflict, NotFound
from hub_config.principal import Principal

if TYPE_CHECKING:
    from hub_config.audit import Audit
    from hub_config.queries import QueryService

MOST_FILTERS = 20
Mode = Literal["page", "interactive"]


class Versions:
    """The first half of the manager of publishing: what stands in force."""

    def __init__(self, database: Database, audit: Audit, queries: QueryService) -> None:
        self._database = database
        self._audit = audit
        self._queries = queries
        self._listeners: list[Callable[[str, str | None], None]] = []

    def on_change(self, told: Callable[[str, str | None], None]) -> None:
        """Have somebody told ``(tenant, dashboard)`` when another version came into force, or none stands any more."""
        self._listeners.append(told)

    def _changed(self, principal: Principal, dashboard_id: str) -> None:
        for told in self._listeners:
            told(principal.tenant_id, dashboard_id)

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
            return version_of(session, dashboard_id, version_id)

    def in_force(self, principal: Principal, dashboard_id: str) -> DashboardVersion | None:
        """Return the version in force of a dashboard that the person edits; None: nothing is published."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            row = edited(session, principal, dashboard_id)
            return version_of(session, row.id, row.published_version_id) if row.published_version_id else None

    def as_edited(self, principal: Principal, dashboard_id: str) -> dict[str, Any]:
        """Return the content that publishing now would make, each tile with its trust."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            row = edited(session, principal, dashboard_id)
            return self._edited_content(session, row)

    def publish(
        self,
        principal: Principal,
        dashboard_id: str,
        *,
        filters: list[dict[str, Any]] | None = None,
        exploratory: bool = False,
        mode: Mode | None = None,
    ) -> DashboardVersion:
        """Make a version of the dashboard as it is edited now, and put it in force.

        Parameters
        ----------
        filters
            What viewers may choose: ``{"field": "entity.name", "label": …, "values": [...] or None for any, "kind":
            "values" or "period"}``. None: those of the version in force.
        exploratory
            The publisher accepts tiles that no accepted layer stands behind.
        mode
            None: as the version in force.

        Raises
        ------
        Conflict
            There is nothing on it; or something on it is exploratory, and that was not accepted.
        """
        with self._database.tenant(principal.tenant_id) as session:
            row = locked(session, principal, dashboard_id)
            content = self._edited_content(session, row)
            if not content["tiles"]:
                raise Conflict("content.nothing_to_publish")
            if filters is not None:
                content["filters"] = filters[:MOST_FILTERS]
            if mode is not None:
                content["mode"] = mode
            made = self._in_force(session, principal, row, content, exploratory=exploratory)
        self._changed(principal, dashboard_id)
        return made

    def roll_back(self, principal: Principal, dashboard_id: str, version_id: str) -> DashboardVersion:
        """Put an older version in force again; what is edited starts from it."""
        with self._database.tenant(principal.tenant_id) as session:
            row = locked(session, principal, dashboard_id)
            version = version_of(session, dashboard_id, version_id)
            row.status, row.published_version_id = "published", version.id
            self._put_widgets(session, row.id, version.content_json["tiles"], keep_ids=True)
            self._record(session, principal, "dashboard.publish", row.id, {"number": version.number, "again": True})
        self._changed(principal, dashboard_id)
        return version

    def unpublish(self, principal: Principal, dashboard_id: str) -> Dashboard:
        """Take it off the gallery; its versions stay."""
        with self._database.tenant(principal.tenant_id) as session:
            row = locked(session, principal, dashboard_id)
            row.status, row.published_version_id = "draft", None
            self._record(session, principal, "dashboard.unpublish", row.id)
            session.flush()
        self._changed(principal, dashboard_id)
        return row

    # ── the parts of it ───────────────────────────────────────────────────────────────────────────────────────────────

    def _edited_content(self, session: ScopedSession, row: Dashboard) -> dict[str, Any]:
        statement = select(Widget).where(Widget.dashboard_id == row.id).order_by(Widget.position, Widget.id)
        before = version_of(session, row.id, row.published_version_id).content_json if row.published_version_id else {}
        cells = {tile["id"]: tile["cell"] for tile in before.get("tiles", ()) if tile.get("cell") is not None}
        tiles = [
            {"id": w.id, "title": w.title, "chart_type": w.chart_type, "position": w.position, **w.query_json}
            | ({"cell": cells[w.id]} if w.id in cells else {})
            for w in session.scalars(statement)
        ]
        content: dict[str, Any] = {
            "name": row.name, "layout": row.layout_json, "filters": before.get("filters", []),
            "tiles": with_trust(session, tiles), "mode": before.get("mode", "page"),
        }  # fmt: skip
        if before.get("notebook"):
            content["notebook"] = before["notebook"]
        return content

    def _in_force(
        self,
        session: ScopedSession,
        principal: Principal,
        row: Dashboard,
        content: dict[str, Any],
        *,
        exploratory: bool,
    ) -> DashboardVersion:
        doubtful = sum(1 for tile in content["tiles"] if tile["trust"] == "exploratory")
        if doubtful and not exploratory:
            raise Conflict("publishing.exploratory_not_accepted", count=doubtful)
        highest = session.scalar(select(func.max(DashboardVersion.number)).where(DashboardVersion.dashboard_id == row.id))
        version = DashboardVersion(
            dashboard_id=row.id,
            number=int(highest or 0) + 1,
            content_json=content | {"exploratory": bool(doubtful)},
            created_by=principal.user_id,
        )
        session.add(version)
        session.flush()
        row.status, row.published_version_id = "published", version.id
        details = {"number": version.number} | ({"exploratory": doubtful} if doubtful else {})
        self._record(session, principal, "dashboard.publish", row.id, details)
        session.flush()
        return version

    def _put_widgets(
        self, session: ScopedSession, dashboard_id: str, tiles: Iterable[dict[str, Any]], *, keep_ids: bool = False
    ) -> list[dict[str, Any]]:
        """Make these tiles what is edited, in order; return them with their widgets' ids."""
        for old in session.scalars(select(Widget).where(Widget.dashboard_id == dashboard_id)).all():
            session.delete(old)
        session.flush()
        return self._add_widgets(session, dashboard_id, tiles, first=0, keep_ids=keep_ids)

    def _add_widgets(
        self,
        session: ScopedSession,
        dashboard_id: str,
        tiles: Iterable[dict[str, Any]],
        *,
        first: int,
        keep_ids: bool = False,
    ) -> list[dict[str, Any]]:
        made = []
        for position, tile in enumerate(tiles, first):
            query = {"source_id": tile["source_id"], "question": tile.get("question"), "plan": tile["plan"]}
            known = {"id": tile["id"]} if keep_ids else {}
            widget = Widget(
                dashboard_id=dashboard_id, title=tile["title"], query_json=query, chart_type=tile["chart_type"],
                position=position, **known,
            )  # fmt: skip
            session.add(widget)
            session.flush()
            made.append({**tile, "id": widget.id, "position": position})
        return made

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


def locked(session: ScopedSession, principal: Principal, dashboard_id: str) -> Dashboard:
    """Return the dashboard, its row locked: of two who publish at once, one waits for the other."""
    session.scalars(select(Dashboard).where(Dashboard.id == dashboard_id).with_for_update()).one_or_none()
    return opened(session, principal, dashboard_id)


def version_of(session: ScopedSession, dashboard_id: str, version_id: str) -> DashboardVersion:
    """Return a version of the dashboard. Raises NotFound."""
    row: DashboardVersion | None = session.get(DashboardVersion, version_id)
    if row is None or row.dashboard_id != dashboard_id:
        raise NotFound(log="version")
    return row


def with_trust(session: ScopedSession, tiles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return tiles, each with how far what it shows can be trusted now: never as whoever sent it says."""
    sources = {tile["source_id"] for tile in tiles}
    accepted = set(
        session.scalars(
            select(SemanticLayer.data_source_id).where(
                SemanticLayer.data_source_id.in_(sources), SemanticLayer.status == "accepted"
            )
        )
    )
    approved = [
        (row.data_source_id, row.plan_json)
        for row in session.scalars(
            select(VerifiedQuestion).where(
                VerifiedQuestion.data_source_id.in_(accepted), VerifiedQuestion.status == "approved"
            )
        )
    ]

    def trust(tile: dict[str, Any]) -> str:
        if tile["source_id"] not in accepted:
            return "exploratory"
        return "verified" if any(one == (tile["source_id"], tile["plan"]) for one in approved) else "governed"

    return [{**tile, "trust": trust(tile)} for tile in tiles]


# ── what changes ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Difference:
    """What a new content would change for the readers, in titles."""

    added: list[str]
    removed: list[str]
    changed: list[str]
    same: list[str]


def difference(before: dict[str, Any], after: dict[str, Any]) -> Difference:
    """Return what changes between two contents: a tile is the same by what it asks, changed by its title alone.

    >>> tile = lambda title, plan: {"title": title, "source_id": "s", "plan": plan, "chart_type": "auto"}
    >>> difference({"tiles": [tile("CA", 1), tile("B", 2)]}, {"tiles": [tile("CA", 3), tile("B", 2), tile("C", 4)]})
    Difference(added=['C'], removed=[], changed=['CA'], same=['B'])
    """
    old, new = list(before.get("tiles", ())), list(after["tiles"])
    same: list[str] = []
    changed: list[str] = []
    for alike in (_equal, _asks_the_same, _called_the_same):
        left = []
        for tile in new:
            match = next((one for one in old if alike(one, tile)), None)
            if match is None:
                left.append(tile)
                continue
            old.remove(match)
            (same if alike is _equal else changed).append(_title(tile))
        new = left
    added = [_title(tile) for tile in new]
    return Difference(added, [_title(tile) for tile in old], changed, same)


def _title(tile: dict[str, Any]) -> str:
    return str(tile["title"] or tile.get("question") or "—")


def _asks_the_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return (one["source_id"], one["plan"]) == (other["source_id"], other["plan"])


def _called_the_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return _title(one) == _title(other)


def _equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return _asks_the_same(one, other) and _called_the_same(one, other) and one["chart_type"] == other["chart_type"]
