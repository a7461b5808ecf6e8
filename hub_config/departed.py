"""Who is gone for good: asked by the hub before it deletes a tenant's or a person's files.

A tenant is *gone* when it was deleted here and no row of it is left. Both are asked, for « no row » alone may also mean
another database: one that was restored from before the tenant came, or a new one by mistake. So a deletion writes the
tenant's id, a random number that names nobody, as an empty file into ``DATA/departed``, before the first row goes. A
tenant that has neither row nor mark is unknown here, and nothing of it is anybody's to delete.

A person is gone when their tenant is here and they are not in it. Disabled people, and viewers, are here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import select

from hub_config.database import Database, Tenant, User

_ID = re.compile(r"[0-9a-f]{32}")


class Departed:
    """Knows who is gone.

    Parameters
    ----------
    data_dir
        The API's folder: the marks are in it, and go into its backups.
    """

    def __init__(self, data_dir: Path, database: Database) -> None:
        self._folder = data_dir / "departed"
        self._database = database

    def mark(self, tenant_id: str) -> None:
        """Say that a tenant is being deleted. Twice is as good as once."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._mark_of(tenant_id).touch()

    def tenants(self, tenant_ids: Iterable[str]) -> list[str]:
        """Return those that were deleted here and of which no row is left.

        Raises
        ------
        PlatformUnavailable
            The database is away: nobody is gone for that.
        """
        return [each for each in tenant_ids if self._mark_of(each).is_file() and not self._is_here(each)]

    def people(self, people: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return of these (tenant, person) those who are no longer in a tenant that is here.

        Raises
        ------
        PlatformUnavailable
            The database is away.
        """
        by_tenant: dict[str, list[str]] = {}
        for tenant_id, user_id in people:
            by_tenant.setdefault(tenant_id, []).append(user_id)
        gone: list[tuple[str, str]] = []
        for tenant_id, user_ids in by_tenant.items():
            with self._database.tenant(tenant_id, read_only=True) as session:
                if session.get(Tenant, tenant_id) is None:
                    continue
                here = set(session.scalars(select(User.id).where(User.id.in_(user_ids))))
            gone += [(tenant_id, user_id) for user_id in user_ids if user_id not in here]
        return gone

    def _is_here(self, tenant_id: str) -> bool:
        with self._database.tenant(tenant_id, read_only=True) as session:
            return session.get(Tenant, tenant_id) is not None

    def _mark_of(self, tenant_id: str) -> Path:
        if _ID.fullmatch(tenant_id) is None:
            raise ValueError("not the id of a tenant")
        return self._folder / tenant_id
