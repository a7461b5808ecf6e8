"""What every query asks about its source, in one statement: does the person reach it, and is it still as it was?

:class:`Standing` is everything of the platform's database that a :class:`~hub_config.data_sources.manager.Known` is made
of. Its text comes from the row and the layer in force; files and their options change with the revision, the catalog with
the moment it was read. While it is equal, what was made of it holds, and neither the vault nor the layer is asked again.
What is remembered is never older than the row: reading the row is what is not saved.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import BindParameter, Select, and_, bindparam, or_, select

from hub_config.database import DataSource, ScopedSession, SemanticLayer, WorkspaceMember
from hub_config.database.base import table_of
from hub_config.errors import NotFound
from hub_config.principal import Principal

if TYPE_CHECKING:
    from hub_config.data_sources.manager import Known

_MOST_KEPT = 256


class Standing(NamedTuple):
    """A source as its row and its layer in force say now. The connection is as it is kept: encrypted."""

    tenant_id: str
    id: str
    name: str
    type: str
    revision: int
    options: dict[str, Any]
    catalog_version: str | None
    refreshed_at: datetime | None
    connection: str | None
    layer_id: str


def standing_of(row: DataSource, layer_id: str) -> Standing:
    """Return the standing of a row that was read."""
    return Standing(
        row.tenant_id,
        row.id,
        row.name,
        row.type,
        row.revision,
        row.options,
        row.catalog_version,
        row.refreshed_at,
        row.connection_config_encrypted,
        layer_id,
    )


_SOURCES, _LAYERS, _MEMBERS = (table_of(model).c for model in (DataSource, SemanticLayer, WorkspaceMember))
# Core's tables: the session adds no tenant to them, so every one names it (and the wall looks whether it does).
_TENANT: BindParameter[str] = bindparam("tenant")


def _statement(*, everything: bool) -> Select[Any]:
    found = (
        select(
            _SOURCES.name,
            _SOURCES.type,
            _SOURCES.revision,
            _SOURCES.options,
            _SOURCES.catalog_version,
            _SOURCES.refreshed_at,
            _SOURCES.connection_config_encrypted,
            _LAYERS.id.label("layer_id"),
        )
        .select_from(
            table_of(DataSource).outerjoin(
                table_of(SemanticLayer),
                and_(
                    _LAYERS.tenant_id == _TENANT,
                    _LAYERS.data_source_id == _SOURCES.id,
                    _LAYERS.status == "accepted",
                ),
            )
        )
        .where(_SOURCES.tenant_id == _TENANT, _SOURCES.id == bindparam("source"))
    )
    if everything:
        return found
    mine = select(_MEMBERS.workspace_id).where(_MEMBERS.tenant_id == _TENANT, _MEMBERS.user_id == bindparam("person"))
    return found.where(or_(_SOURCES.workspace_id.is_(None), _SOURCES.workspace_id.in_(mine)))


_OF_ALL, _OF_MINE = _statement(everything=True), _statement(everything=False)


def standing(session: ScopedSession, principal: Principal, source_id: str) -> Standing:
    """Return how a source stands, if the person reaches it (see :mod:`hub_config.data_sources.visibility`).

    Raises
    ------
    NotFound
        There is none, or it is not for this person.
    """
    given = {"tenant": session.tenant_id, "source": source_id}
    if principal.is_administrator:
        row = session.execute(_OF_ALL, given).one_or_none()
    else:
        row = session.execute(_OF_MINE, given | {"person": principal.user_id}).one_or_none()
    if row is None:
        raise NotFound(log="data source")
    name, kind, revision, options, catalog_version, refreshed_at, connection, layer_id = row
    return Standing(
        session.tenant_id,
        source_id,
        name,
        kind,
        revision,
        options,
        catalog_version,
        refreshed_at,
        connection,
        layer_id or "",
    )


class Remembered:
    """What was made of the sources lately used, with the standing it was made of. Thread-safe."""

    def __init__(self, *, most: int = _MOST_KEPT, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[Standing, Known, float]] = OrderedDict()

    def get(self, now: Standing) -> Known | None:
        """Return what was made of a source that stands like this; None: it has to be made."""
        key = (now.tenant_id, now.id)
        with self._lock:
            found = self._kept.get(key)
            if found is None or found[0] != now:
                return None
            self._kept[key] = (found[0], found[1], self._clock())
            self._kept.move_to_end(key)
            return found[1]

    def put(self, made_of: Standing, known: Known) -> None:
        """Remember what was made of a source."""
        key = (made_of.tenant_id, made_of.id)
        with self._lock:
            self._kept[key] = (made_of, known, self._clock())
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def forget(self, tenant_id: str, source_id: str | None = None) -> None:
        """Drop a source; of the whole tenant: None."""
        with self._lock:
            for key in [k for k in self._kept if k[0] == tenant_id and source_id in (None, k[1])]:
                del self._kept[key]

    def forget_idle(self, idle_s: float) -> None:
        """Drop what nobody asked for lately: a connection's secret is in memory no longer than its connection."""
        oldest = self._clock() - idle_s
        with self._lock:
            for key in [k for k, (_, _, used_at) in self._kept.items() if used_at < oldest]:
                del self._kept[key]
