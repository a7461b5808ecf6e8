"""Who somebody is called, by id: for lists that point at people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import select

from hub_config.database import User

if TYPE_CHECKING:
    from hub_config.database import Database


def people_named(database: Database, tenant_id: str, ids: Iterable[str | None]) -> dict[str, str]:
    """Return name or address of those of the tenant's people whose ids are given; who is gone is left out."""
    wanted = {one for one in ids if one is not None}
    if not wanted:
        return {}
    with database.tenant(tenant_id, read_only=True) as session:
        rows = session.execute(select(User.id, User.full_name, User.email).where(User.id.in_(wanted)))
        return {row.id: row.full_name or row.email for row in rows}
