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

from sqlalchemy import select

from datapilot_kernel.errors import BadInput
from datapilot_kernel.plan.model import Filter, Plan
from hub_config.content.dashboards import named_by, open_to
from hub_config.content.periods import chosen_period
from hub_config.content.requests import Decision, Requests
from hub_config.content.versions import version_of
from hub_config.database import Dashboard
from hub_config.errors import NotFound
from hub_config.principal import Principal

if TYPE_CHECKING:
    from hub_config.queries import Asked

__all__ = ["Decision", "Published", "Publishing"]


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


class Publishing(Requests):
    """The manager."""

    def published(self, principal: Principal, dashboard_id: str) -> Published:
        """Return the version in force, if it is the person's to see. Raises NotFound."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            statement = select(Dashboard).where(Dashboard.id == dashboard_id, open_to(principal))
            row = session.scalars(statement).one_or_none()
            if row is None or row.published_version_id is None:
                raise NotFound(log="published dashboard")
            version = version_of(session, dashboard_id, row.published_version_id)
            named = select(Dashboard.id).where(Dashboard.id == dashboard_id, named_by(principal))
            by_right = principal.is_administrator or session.scalars(named).first() is not None
            return Published(row.id, version.content_json["name"], version.number, version.content_json, by_right)

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
