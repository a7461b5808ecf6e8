"""What viewers see: the version in force, and its tiles, run with the viewer's own rights.

::

    versions    what is in force, and what was; trust; what changes
    requests    who asks for a version, and what is decided
    notebooks   what a version keeps of a notebook, and what a rendering runs of it

A tile reaches its source through the dashboard's right, without the viewer being a member of the source's workspace; which
rows and columns it shows is the guard's business, with the viewer's attributes. Filters are the ones that the publisher
listed, nothing else: the plan is the version's, and a viewer adds values to it, or another period, where that was foreseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, Select, and_, bindparam, exists, or_, select

from datapilot_kernel.errors import BadInput
from datapilot_kernel.plan.model import Filter, Plan
from hub_config.content.periods import chosen_period
from hub_config.content.requests import Decision, Requests
from hub_config.database import Dashboard, DashboardRight, DashboardVersion, ScopedSession, WorkspaceMember
from hub_config.database.base import table_of
from hub_config.errors import NotFound
from hub_config.principal import Principal

if TYPE_CHECKING:
    from hub_config.queries import Asked

__all__ = ["Decision", "Published", "Publishing"]

_MOST_CONTENTS = 200
"""Versions whose content is remembered, each with its plans and its notebook."""


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


def _in_force() -> Select[Any]:
    """Return the version in force and who may open it, as :func:`hub_config.content.dashboards.open_to` says it.

    Every reader's every request asks this: one statement, built once. Core's tables: each names the tenant.
    """
    boards, versions, rights, members = (
        table_of(model).c for model in (Dashboard, DashboardVersion, DashboardRight, WorkspaceMember)
    )
    tenant: BindParameter[str] = bindparam("tenant")
    person: BindParameter[str] = bindparam("person")
    named = exists().where(
        rights.tenant_id == tenant,
        rights.dashboard_id == boards.id,
        or_(rights.user_id == person, rights.role == bindparam("role")),
    )
    member = exists().where(
        members.tenant_id == tenant, members.workspace_id == boards.workspace_id, members.user_id == person
    )
    return (
        select(versions.id, versions.number, boards.workspace_id, named.label("named"), member.label("member"))
        .select_from(
            table_of(Dashboard).join(
                table_of(DashboardVersion),
                and_(
                    versions.tenant_id == tenant,
                    versions.id == boards.published_version_id,
                    versions.dashboard_id == boards.id,
                ),
            )
        )
        .where(boards.tenant_id == tenant, boards.id == bindparam("dashboard"), boards.status == "published")
    )


_IN_FORCE = _in_force()


class Publishing(Requests):
    """The manager."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._contents: dict[tuple[str, str], dict[str, Any]] = {}

    def forget(self, tenant_id: str) -> None:
        """Drop what is remembered of a tenant that goes away."""
        for key in [key for key in list(self._contents) if key[0] == tenant_id]:
            self._contents.pop(key, None)

    def published(self, principal: Principal, dashboard_id: str) -> Published:
        """Return the version in force, if it is the person's to see. Raises NotFound."""
        given = {"tenant": principal.tenant_id, "dashboard": dashboard_id}
        given |= {"person": principal.user_id, "role": principal.role}
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            row = session.execute(_IN_FORCE, given).one_or_none()
            if row is None:
                raise NotFound(log="published dashboard")
            version_id, number, workspace_id, named, member = row
            by_right = principal.is_administrator or bool(named)
            authors = principal.role == "analyst" and (workspace_id is None or bool(member))
            if not (by_right or authors):
                raise NotFound(log="published dashboard")
            content = self._content(session, version_id)
        return Published(dashboard_id, content["name"], number, content, by_right)

    def _content(self, session: ScopedSession, version_id: str) -> dict[str, Any]:
        """Return a version's content: it never changes, so the versions lately opened are read once."""
        key = (session.tenant_id, version_id)
        found = self._contents.get(key)
        if found is None:
            found = session.scalars(select(DashboardVersion.content_json).where(DashboardVersion.id == version_id)).one()
            if len(self._contents) >= _MOST_CONTENTS:
                self._contents.clear()
            self._contents[key] = found
        return found

    def tile(
        self, principal: Principal, dashboard_id: str, tile_id: str, chosen: Mapping[str, list[Any]]
    ) -> tuple[Asked, bool]:
        """Return what is to be asked for a tile of the version in force, with what the viewer chose; and whether the person
        must reach its source by themselves: a dashboard's rights open it to those whom they name, and to no other author.

        Parameters
        ----------
        chosen
            Values by field of the listed filters; of a filter of kind ``period`` one of
            :data:`~hub_config.content.periods.PERIODS`, or first and last day.

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
        plan = _with_choice(Plan.model_validate(found["plan"]), content["filters"], chosen)
        return Asked(found["source_id"], question=found.get("question") or "", plan=plan), not published.by_right


def _with_choice(plan: Plan, listed: list[dict[str, Any]], chosen: Mapping[str, list[Any]]) -> Plan:
    by_field = {entry["field"]: entry for entry in listed}
    filters = list(plan.filters)
    for field, values in chosen.items():
        entry = by_field.get(field)
        if entry is None or not values:
            raise BadInput("content.filter_not_listed")
        if entry.get("kind") == "period":
            plan = plan.model_copy(update={"period": chosen_period(values)})
            continue
        allowed = entry.get("values")
        if allowed is not None and not set(values) <= set(allowed):
            raise BadInput("content.filter_not_listed")
        filters.append(Filter(field=field, op="in", values=tuple(values)))
    return plan.model_copy(update={"filters": tuple(filters)})
