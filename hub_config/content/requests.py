"""Requests for publication: what a notebook asks, what it would change, and what an administrator decides.

A request comes from whoever writes notebooks, by a notebook's token if need be: it puts nothing in force. What it may hold
is bounded and cleaned when it comes; how far its tiles can be trusted is looked up when it comes and again when it is
decided, never believed. The one who asked reads their own request and what became of it; administrators read all.

``add``: the tiles come beside those of the version in force, whichever it is at the decision, instead of replacing them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from datapilot_kernel.errors import BadInput
from hub_config.content.dashboards import MOST_WIDGETS, Right, edited, put_rights, reach_of_authors
from hub_config.content.notebooks import kept
from hub_config.content.paging import Before, newest_first
from hub_config.content.versions import MOST_FILTERS, Mode, Versions, locked, version_of, with_trust
from hub_config.content.workspaces import seen
from hub_config.data_sources.visibility import reached
from hub_config.database import Dashboard, PublicationRequest, ScopedSession, utc_now
from hub_config.errors import Conflict, NotFound, TooMany
from hub_config.principal import Principal

MOST_OPEN = 50
"""Requests of one person that wait for a decision."""


@dataclass(frozen=True)
class Decision:
    """What an administrator decides; None: as it was asked.

    Attributes
    ----------
    reason
        Said to the one who asked, where it is rejected.
    exploratory
        Tiles that no accepted layer stands behind are accepted.
    into
        The dashboard that it becomes a version of; an empty text: a new one.
    workspace_id
        Where a new dashboard stands; None: the whole tenant's.
    rights
        Who may open it; None: as it is (nobody, for a new one).
    """

    accept: bool
    reason: str = ""
    exploratory: bool = False
    name: str | None = None
    into: str | None = None
    workspace_id: str | None = None
    filters: list[dict[str, Any]] | None = None
    rights: list[Right] | None = None
    mode: Mode | None = None


class Requests(Versions):
    """The second half of the manager of publishing: what is asked."""

    def publishable(self, principal: Principal, *, limit: int) -> list[Dashboard]:
        """Return the dashboards that the person may ask to add to, by name."""
        statement = select(Dashboard).where(reach_of_authors(principal)).order_by(Dashboard.name, Dashboard.id).limit(limit)
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return list(session.scalars(statement))

    def name_of(self, principal: Principal, dashboard_id: str) -> str:
        """Return the name of a dashboard that the person may ask to add to. Raises NotFound."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return str(edited(session, principal, dashboard_id).name)

    def request(
        self, principal: Principal, content: dict[str, Any], *, dashboard_id: str | None = None, add: bool = False
    ) -> PublicationRequest:
        """Ask for something to be published; an administrator decides.

        Raises
        ------
        NotFound
            The dashboard, or the source of a tile, is not the person's to work with.
        BadInput, TooLarge
            The notebook is none, is too large, or has what looks like a secret.
        TooMany
            As many of the person's requests wait as may be.
        """
        if content.get("notebook") is not None:
            content = content | {"notebook": kept(content["notebook"])}
        with self._database.tenant(principal.tenant_id) as session:
            if dashboard_id is not None:
                edited(session, principal, dashboard_id)
            for source_id in {tile["source_id"] for tile in content["tiles"]}:
                reached(session, principal, source_id)
            mine = PublicationRequest.requested_by == principal.user_id
            waiting = select(func.count()).select_from(PublicationRequest)
            waiting = waiting.where(mine, PublicationRequest.status == "requested")
            if int(session.scalar(waiting) or 0) >= MOST_OPEN:
                raise TooMany("publishing.too_many_requests", count=MOST_OPEN, log="open publication requests")
            content = content | {"tiles": with_trust(session, content["tiles"]), "add": add}
            row = PublicationRequest(dashboard_id=dashboard_id, content_json=content, requested_by=principal.user_id)
            session.add(row)
            session.flush()
            self._record(session, principal, "publication.request", row.id, kind="publication_request")
            return row

    def ask_as_edited(self, principal: Principal, dashboard_id: str, *, filters: list[dict[str, Any]]) -> PublicationRequest:
        """Ask for a dashboard to be published as it is edited now. Raises Conflict: there is nothing on it."""
        content = self.as_edited(principal, dashboard_id)
        if not content["tiles"]:
            raise Conflict("content.nothing_to_publish")
        tiles = [{k: v for k, v in tile.items() if k not in ("id", "trust", "position")} for tile in content["tiles"]]
        asked = content | {"tiles": tiles, "filters": filters[:MOST_FILTERS], "exploratory": True}
        return self.request(principal, asked, dashboard_id=dashboard_id)

    def requests(
        self, principal: Principal, *, status: str | None, limit: int, before: Before = None, mine: bool = False
    ) -> list[PublicationRequest]:
        """Return requests, newest first: the tenant's to administrators, to others (or with ``mine``) their own."""
        statement = select(PublicationRequest)
        if mine or not principal.is_administrator:
            statement = statement.where(PublicationRequest.requested_by == principal.user_id)
        if status is not None:
            statement = statement.where(PublicationRequest.status == status)
        at, row_id = PublicationRequest.requested_at, PublicationRequest.id
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return list(session.scalars(newest_first(statement, at, row_id, limit=limit, before=before)))

    def read_request(self, principal: Principal, request_id: str) -> PublicationRequest:
        """Return a request: one's own, or any to an administrator. Raises NotFound."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return _request_of(session, principal, request_id)

    def proposed(self, principal: Principal, request_id: str, *, into: str | None = None) -> dict[str, Any]:
        """Return the content that accepting the request now would put in force, each tile with its trust of now."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            row = _request_of(session, principal, request_id)
            target = into if into is not None else row.dashboard_id
            dashboard = edited(session, principal, target) if target else None
            return self._proposed(session, row, dashboard)

    def decide(self, principal: Principal, request_id: str, decision: Decision) -> PublicationRequest:
        """Accept a request (its content becomes the version in force of its dashboard, made if need be) or reject it.

        Raises
        ------
        Conflict
            It was decided already; or something in it is exploratory, and that was not accepted.
        """
        with self._database.tenant(principal.tenant_id) as session:
            statement = select(PublicationRequest).where(PublicationRequest.id == request_id).with_for_update()
            row = session.scalars(statement).one_or_none()
            if row is None:
                raise NotFound(log="publication request")
            if row.status != "requested":
                raise Conflict("content.already_decided")
            row.status = "accepted" if decision.accept else "rejected"
            row.decided_by, row.decided_at = principal.user_id, utc_now()
            if decision.accept:
                row.dashboard_id, number = self._published_from(session, principal, row, decision)
                row.content_json = row.content_json | {"decision": {"number": number}}
            elif decision.reason:
                row.content_json = row.content_json | {"decision": {"reason": decision.reason}}
            self._record(session, principal, f"publication.{row.status}", row.id, kind="publication_request")
            session.flush()
        if row.status == "accepted" and row.dashboard_id is not None:
            self._changed(principal, row.dashboard_id)
        return row

    def _published_from(
        self, session: ScopedSession, principal: Principal, request: PublicationRequest, decision: Decision
    ) -> tuple[str, int]:
        target = decision.into if decision.into is not None else request.dashboard_id
        dashboard = locked(session, principal, target) if target else None
        content = self._proposed(session, request, dashboard)
        if decision.name:
            content["name"] = decision.name
        if decision.filters is not None:
            content["filters"] = decision.filters[:MOST_FILTERS]
        if decision.mode is not None:
            content["mode"] = decision.mode
        if dashboard is None:
            if decision.workspace_id is not None:
                seen(session, principal, decision.workspace_id)
            dashboard = Dashboard(
                name=content["name"], layout_json=content["layout"], created_by=request.requested_by,
                workspace_id=decision.workspace_id,
            )  # fmt: skip
            session.add(dashboard)
            session.flush()
        elif decision.name:
            dashboard.name = decision.name
        dashboard_id = dashboard.id
        # Tiles that stand already (added to) keep their ids: addresses of theirs stay good.
        old = [tile for tile in content["tiles"] if "id" in tile]
        new = [tile for tile in content["tiles"] if "id" not in tile]
        kept_tiles = self._put_widgets(session, dashboard_id, old, keep_ids=True)
        tiles = kept_tiles + self._add_widgets(session, dashboard_id, new, first=len(kept_tiles))
        if decision.rights is not None:
            put_rights(session, dashboard_id, decision.rights)
            details = {"people": sum(1 for r in decision.rights if r.user_id), "roles": sorted(
                r.role for r in decision.rights if r.role)}  # fmt: skip
            self._record(session, principal, "dashboard.rights", dashboard_id, details)
        dashboard = locked(session, principal, dashboard_id)
        version = self._in_force(session, principal, dashboard, content | {"tiles": tiles}, exploratory=decision.exploratory)
        return dashboard_id, version.number

    def _proposed(self, session: ScopedSession, request: PublicationRequest, dashboard: Dashboard | None) -> dict[str, Any]:
        asked = {k: v for k, v in request.content_json.items() if k not in ("add", "decision")}
        asked["tiles"] = with_trust(session, [{"question": None, **tile} for tile in asked["tiles"]])
        if not request.content_json.get("add") or dashboard is None:
            return asked
        if dashboard.published_version_id:
            base = version_of(session, dashboard.id, dashboard.published_version_id).content_json
            base = base | {"tiles": with_trust(session, base["tiles"])}
        else:
            base = self._edited_content(session, dashboard)
        # A tile's cell is one of the notebook that it came with.
        more = [{k: v for k, v in tile.items() if k != "cell"} for tile in asked["tiles"]]
        tiles = [*base["tiles"], *more]
        if len(tiles) > MOST_WIDGETS:
            raise BadInput("content.too_many_widgets", count=MOST_WIDGETS)
        known = {entry["field"] for entry in base["filters"]}
        filters = [*base["filters"], *(entry for entry in asked["filters"] if entry["field"] not in known)]
        return base | {"tiles": tiles, "filters": filters[:MOST_FILTERS]}


def _request_of(session: ScopedSession, principal: Principal, request_id: str) -> PublicationRequest:
    statement = select(PublicationRequest).where(PublicationRequest.id == request_id)
    if not principal.is_administrator:
        statement = statement.where(PublicationRequest.requested_by == principal.user_id)
    row = session.scalars(statement).one_or_none()
    if row is None:
        raise NotFound(log="publication request")
    return row
