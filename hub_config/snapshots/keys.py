"""Whose rights are equal, and who makes pages for them.

A *rights key* is a digest of everything that decides what a page may hold: the tenant, the attributes that row filters
bind, and of every source of the version the revision of its connection or files, its catalog and its layer in force. Two
people share a snapshot when theirs are equal, and only then; what changed of any of it makes another key. An *attributes
key* is the part that belongs to the person alone: by it a newer snapshot finds the older ones that it stands in for.

Neither says that somebody may open the dashboard: that is asked before (:class:`~hub_config.content.publishing.Publishing`).
Somebody who may open it as an author, by no right of the dashboard's, needs the sources by themselves: :func:`standings`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import BindParameter, Select, and_, bindparam, select

from hub_config.data_sources.visibility import reaching
from hub_config.database import DataSource, ScopedSession, SemanticLayer
from hub_config.database.base import table_of
from hub_config.principal import Principal
from hub_config.queries.engines import rights_of

REFRESH = "refresh"
"""Name and id of who makes pages ahead: no id of a person, no address. It is in history and audit, and cannot sign in."""

Standings = Mapping[str, tuple[str, ...]]
"""Of each source what a page depends on."""


def refresher(tenant_id: str, attributes: Mapping[str, str]) -> Principal:
    """Return who asks for the figures of a page made ahead: a viewer with these attributes, and nobody."""
    return Principal(tenant_id, REFRESH, REFRESH, "viewer", "session", dict(attributes))


def attributes_key(tenant_id: str, attributes: Mapping[str, str]) -> str:
    """Return what two people's attributes have in common when they are equal, in whatever order they were given."""
    return _digest([tenant_id, *map(list, rights_of(attributes))])


def rights_key(tenant_id: str, attributes: Mapping[str, str], found: Standings) -> str:
    """Return the key of a page over these sources as they stand."""
    stood = sorted([source, *parts] for source, parts in found.items())
    return _digest([attributes_key(tenant_id, attributes), stood])


def sources_of(content: Mapping[str, Any]) -> frozenset[str]:
    """Return the sources that a version's tiles ask."""
    return frozenset(tile["source_id"] for tile in content.get("tiles", ()))


def _standings() -> Select[Any]:
    # With every page that is opened: built once. Core's tables: each names the tenant.
    sources, layers = table_of(DataSource).c, table_of(SemanticLayer).c
    tenant: BindParameter[str] = bindparam("tenant")
    of_source = and_(layers.tenant_id == tenant, layers.data_source_id == sources.id, layers.status == "accepted")
    return (
        select(sources.id, sources.revision, sources.catalog_version, layers.id)
        .select_from(table_of(DataSource).outerjoin(table_of(SemanticLayer), of_source))
        .where(sources.tenant_id == tenant, sources.id.in_(bindparam("wanted", expanding=True)))
    )


_STANDINGS = _standings()


def standings(session: ScopedSession, sources: Iterable[str], *, reached_by: Principal | None = None) -> Standings:
    """Return how the sources stand; those that are gone are left out, and those that ``reached_by`` does not reach."""
    wanted = frozenset(sources)
    if not wanted:
        return {}
    if reached_by is not None and not reached_by.is_administrator:
        own = select(DataSource.id).where(DataSource.id.in_(wanted), reaching(reached_by))
        wanted = frozenset(session.scalars(own))
    rows = session.execute(_STANDINGS, {"tenant": session.tenant_id, "wanted": sorted(wanted)}).all()
    return {source: (str(revision), catalog or "", layer or "") for source, revision, catalog, layer in rows}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
