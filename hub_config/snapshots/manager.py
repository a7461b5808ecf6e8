"""What pages and routes call: the last good snapshot, a refresh on demand, its progress, the schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_config.principal import Principal
from hub_config.snapshots.model import Progress, Snapshot
from hub_config.snapshots.schedule import Schedule

if TYPE_CHECKING:
    from hub_config.content.publishing import Published


class Snapshots:
    """The manager. Safe to call from many threads."""

    def of(self, principal: Principal, published: Published) -> Snapshot | None:
        """Return the last good snapshot for this person's rights; None: there is none, and one is asked for.

        Call it only with what :meth:`~hub_config.content.publishing.Publishing.published` just gave this person.
        """
        return None

    def refresh(self, principal: Principal, dashboard_id: str) -> Progress:
        """Have the version in force made again for everybody's rights. Raises NotFound: not theirs to edit."""
        raise NotImplementedError

    def progress(self, principal: Principal, dashboard_id: str) -> Progress:
        """Return how far it is. Raises NotFound: not theirs to edit, or not published."""
        raise NotImplementedError

    def schedule(self, principal: Principal, dashboard_id: str) -> Schedule:
        """Return when it is refreshed by itself. Raises NotFound."""
        raise NotImplementedError

    def set_schedule(self, principal: Principal, dashboard_id: str, schedule: Schedule) -> Schedule:
        """Have it refreshed by itself from now on. Raises NotFound."""
        raise NotImplementedError
