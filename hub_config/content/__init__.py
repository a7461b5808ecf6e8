"""What a tenant makes of its data: workspaces, dashboards and their versions, verified questions.

::

    content.workspaces      groups of sources and dashboards, and their members
    content.dashboards      a dashboard as it is edited: layout, widgets, who may open it
    content.publishing      versions, requests, and the tiles of a version run with the viewer's rights (wall 6)
    content.viewing         what a reader chose, as the plan of a tile
    content.snapshots       versions rendered ahead for each set of rights (:mod:`hub_config.snapshots`)
    content.verified        what is proposed as verified, decided by administrators
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_config.content.dashboards import Dashboards
from hub_config.content.publishing import Publishing
from hub_config.content.verified import VerifiedQuestions
from hub_config.content.viewing import Viewing
from hub_config.content.workspaces import Workspaces

if TYPE_CHECKING:
    from hub_config.audit import Audit
    from hub_config.data_sources import DataSources
    from hub_config.database import Database
    from hub_config.queries import QueryService
    from hub_config.settings import Settings

__all__ = ["Content"]


class Content:
    """The managers of content. Every one is safe to call from many threads."""

    def __init__(
        self, settings: Settings, database: Database, sources: DataSources, queries: QueryService, audit: Audit
    ) -> None:
        self.workspaces = Workspaces(database, audit)
        self.dashboards = Dashboards(database, audit)
        self.publishing = Publishing(database, audit, queries)
        self.viewing = Viewing(database, sources)
        from hub_config.snapshots import Snapshots  # which stands on this room

        self.snapshots = Snapshots(settings, database, sources.vault, queries, self.publishing, audit)
        self.verified = VerifiedQuestions(database, audit, sources, queries)
