"""Of every published dashboard of a tenant: for whose rights its page is made, and for whom what is kept may stay.

*Ahead* are those whom a right of the dashboard names, by person or by role, whoever made the version in force, and whoever
asked for it. *Open* are all who may open it: those, administrators, and analysts in reach of its workspace; for them a page
is made when they come, and what is kept of one that nobody of them has the rights of is let go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from hub_config.database import Dashboard, DashboardRight, DashboardVersion, ScopedSession, User, WorkspaceMember
from hub_config.snapshots.keys import Standings, attributes_key, rights_key, sources_of, standings


@dataclass(frozen=True)
class Person:
    """Somebody who is active."""

    id: str
    role: str
    attributes: Mapping[str, str] = field(repr=False)
    key: str


@dataclass(frozen=True)
class Board:
    """A published dashboard and the version in force."""

    id: str
    workspace_id: str | None
    refresh: dict[str, Any] | None
    version_id: str
    number: int
    made_by: str | None
    rights: frozenset[tuple[str | None, str | None]]

    def names(self, person: Person) -> bool:
        """Tell whether a right of it names the person."""
        return (person.id, None) in self.rights or (None, person.role) in self.rights


@dataclass(frozen=True)
class Audience:
    """A tenant's people and what they may open."""

    tenant_id: str
    people: tuple[Person, ...]
    boards: tuple[Board, ...]
    members: frozenset[tuple[str, str]]

    def attributes(self, key: str) -> Mapping[str, str] | None:
        """Return the attributes of an attributes key; None: nobody has them."""
        return next((person.attributes for person in self.people if person.key == key), None)

    def may_open(self, board: Board, person: Person) -> bool:
        """Tell whether what is published is this person's to see, as the managers decide it."""
        if person.role == "administrator" or board.names(person):
            return True
        return person.role == "analyst" and (board.workspace_id is None or (board.workspace_id, person.id) in self.members)

    def open_keys(self, board: Board) -> frozenset[str]:
        """Return the attributes keys of everybody who may open it."""
        return frozenset(person.key for person in self.people if self.may_open(board, person))

    def ahead(self, board: Board, *, most: int, also: str | None = None) -> list[str]:
        """Return the attributes keys that its page is made for ahead, those of the most people first."""
        wanted = {board.made_by, also}
        first = [p.key for p in self.people if p.id in wanted and self.may_open(board, p)]
        counted = Counter(person.key for person in self.people if board.names(person))
        return list(dict.fromkeys([*first, *(key for key, _ in counted.most_common())]))[:most]


def audience(session: ScopedSession, dashboard_id: str | None = None) -> Audience:
    """Read it: of one dashboard, or of all that are published. Without one there is no need to know the people."""
    boards = _boards(session, dashboard_id)
    if not boards:
        return Audience(session.tenant_id, (), (), frozenset())
    people = []
    for user_id, role, given in session.execute(select(User.id, User.role, User.attributes).where(User.status == "active")):
        attributes = {str(name): str(value) for name, value in given.items()}
        people.append(Person(user_id, role, attributes, attributes_key(session.tenant_id, attributes)))
    members = session.execute(select(WorkspaceMember.workspace_id, WorkspaceMember.user_id)).all()
    return Audience(session.tenant_id, tuple(people), boards, frozenset((w, u) for w, u in members))


def _boards(session: ScopedSession, dashboard_id: str | None) -> tuple[Board, ...]:
    statement = (
        select(
            Dashboard.id, Dashboard.workspace_id, Dashboard.refresh_json, DashboardVersion.id, DashboardVersion.number,
            DashboardVersion.created_by,
        )
        .select_from(Dashboard)
        .join(DashboardVersion, DashboardVersion.id == Dashboard.published_version_id)
        .where(Dashboard.status == "published")
        .order_by(Dashboard.id)
    )  # fmt: skip
    rights = select(DashboardRight.dashboard_id, DashboardRight.user_id, DashboardRight.role)
    if dashboard_id is not None:
        statement = statement.where(Dashboard.id == dashboard_id)
        rights = rights.where(DashboardRight.dashboard_id == dashboard_id)
    rows = session.execute(statement).all()
    if not rows:
        return ()
    named: dict[str, set[tuple[str | None, str | None]]] = {}
    for board, user_id, role in session.execute(rights):
        named.setdefault(board, set()).add((user_id, role))
    return tuple(
        Board(board, workspace, refresh, version_id, number, made_by, frozenset(named.get(board, ())))
        for board, workspace, refresh, version_id, number, made_by in rows
    )


class Contents:
    """What versions hold: they never change, so each is read once. Thread-safe by its dictionary."""

    def __init__(self, *, most: int = 500) -> None:
        self._most = most
        self._sources: dict[tuple[str, str], frozenset[str]] = {}

    def sources(self, session: ScopedSession, version_id: str) -> frozenset[str]:
        """Return the sources that a version asks; none, when it is gone."""
        key = (session.tenant_id, version_id)
        found = self._sources.get(key)
        if found is None:
            content = self.content(session, version_id)
            found = sources_of(content or {})
            if len(self._sources) >= self._most:
                self._sources.clear()
            self._sources[key] = found
        return found

    @staticmethod
    def content(session: ScopedSession, version_id: str) -> dict[str, Any] | None:
        """Return a version's content; None: it is gone."""
        return session.scalars(select(DashboardVersion.content_json).where(DashboardVersion.id == version_id)).one_or_none()


def key_over(tenant_id: str, attributes: Mapping[str, str], sources: frozenset[str], found: Standings) -> str | None:
    """Return the rights key over a version's sources as they stand; None: one of them is gone, or not reached."""
    if not sources <= found.keys():
        return None
    return rights_key(tenant_id, attributes, {source: found[source] for source in sources})


__all__ = ["Audience", "Board", "Contents", "Person", "audience", "key_over", "standings"]
