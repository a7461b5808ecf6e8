"""What leaves the database for good, and what leaves it as the tenant's own copy.

Deleting a tenant takes every row of it and proves that none is left, in every mapped table, before it commits. Its
files and keys outside the database are others' to delete (first, so that nothing can point at them any more
afterwards). What stays of a deleted tenant is the line in the service's log and the counts returned here: no row can,
since every row is some tenant's.

The audit is append-only for the application (``migrations/versions/0001_platform.py``): :func:`erase_audit` is its one
way out while the tenant lives, and leaves an :class:`~hub_config.database.tables.Erasure` behind that says how many
rows went, and for whom.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Table, delete, func, inspect, select, text, update
from sqlalchemy.orm import Mapper

from hub_config.database.base import Base, new_id
from hub_config.database.engine import Database
from hub_config.database.session import ScopedSession, owner_function
from hub_config.database.tables import AuditEvent, Erasure, Tenant
from hub_config.database.types import utc_now

log = logging.getLogger(__name__)

# The audit of the last day is never erased: whoever erases leaves a trace that outlives the erasure.
LEAST_AGE = timedelta(days=1)
_EVER = datetime.fromisoformat("9999-01-01T00:00:00+00:00")


def mappers() -> list[Mapper[Any]]:
    """Return every mapped table's mapper, by name of table."""
    return sorted(Base.registry.mappers, key=lambda mapper: cast("Table", mapper.local_table).name)


def count_rows(session: ScopedSession) -> dict[str, int]:
    """Return how many rows the session's tenant has in every table."""
    return {
        cast("Table", mapper.local_table).name: session.execute(select(func.count()).select_from(mapper.class_)).scalar_one()
        for mapper in mappers()
    }


def delete_tenant(database: Database, tenant_id: str) -> dict[str, int]:
    """Delete everything of a tenant.

    Returns
    -------
    dict
        How many rows went, by table, every mapped table named.

    Raises
    ------
    RuntimeError
        Rows would be left; nothing was deleted.
    """
    with database.tenant(tenant_id) as session:
        session.execute(update(Tenant).where(Tenant.deleting_at.is_(None)).values(deleting_at=utc_now()))
    with database.tenant(tenant_id) as session:
        counts = count_rows(session)
        if database.dialect == "postgresql":
            with owner_function(session):
                session.execute(text("SELECT datapilot_erase_tenant()"))
        elif counts["tenants"]:
            session.add(Erasure(before=_EVER, reason="tenant"))
            session.flush()
            session.execute(delete(AuditEvent))
            session.execute(delete(Tenant))
        session.expunge_all()
        left = {table: count for table, count in count_rows(session).items() if count}
        if left:
            raise RuntimeError(f"rows of a deleted tenant would be left in {sorted(left)}")
    log.warning("tenant deleted: tenant_id=%s rows=%d", tenant_id, sum(counts.values()))
    return counts


def erase_audit(session: ScopedSession, before: datetime, *, requested_by: str | None = None) -> int:
    """Erase the audit events of the session's tenant that are older than ``before``, and record that it was done.

    Raises
    ------
    ValueError
        ``before`` is less than a day ago.
    """
    if before > utc_now() - LEAST_AGE:
        raise ValueError("the audit of the last day is not erased")
    if session.get_bind().dialect.name == "postgresql":
        with owner_function(session):
            return int(
                session.execute(
                    text("SELECT datapilot_erase_audit(:before, :asked_by)"), {"before": before, "asked_by": requested_by}
                ).scalar_one()
            )
    erasure = Erasure(id=new_id(), before=before, reason="retention", requested_by=requested_by)
    session.add(erasure)
    session.flush()
    erased = cast("CursorResult[Any]", session.execute(delete(AuditEvent).where(AuditEvent.at < before))).rowcount
    erasure.finished_at = utc_now()
    erasure.erased_rows = erased
    session.flush()
    return erased


def export_tenant(session: ScopedSession, *, batch_rows: int = 500) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield everything of the session's tenant but secrets: the table's name and some of its rows, several times a table.

    Values are Python's (moments with their zone, documents as they are); columns declared
    :func:`~hub_config.database.base.secret` are left out.
    """
    for mapper in mappers():
        table = cast("Table", mapper.local_table)
        names = [column.key for column in table.columns if not column.info.get("secret")]
        attributes = [inspect(mapper.class_).attrs[name].class_attribute for name in names]
        key = [mapper.get_property_by_column(column).class_attribute for column in mapper.primary_key]
        result = session.execute(select(*attributes).order_by(*key).execution_options(yield_per=batch_rows))
        for part in result.partitions(batch_rows):
            yield table.name, [dict(zip(names, row, strict=True)) for row in part]
