"""Counters of use: added to by many at once, never lost, never read before written."""

from __future__ import annotations

from datetime import date

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from hub_config.database.session import ScopedSession
from hub_config.database.tables import UsageCounter


def add_usage(session: ScopedSession, key: str, amount: int = 1, *, day: date, user_id: str = "") -> int:
    """Add to a counter in one statement.

    Parameters
    ----------
    key
        What is counted (``queries``, ``database_ms``, ``model_microeuros``…).
    amount
        How much; negative gives back.
    day
        Of the count, in UTC.
    user_id
        Whose; empty: the whole tenant's.

    Returns
    -------
    int
        The counter's new value.
    """
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    row = {"tenant_id": session.tenant_id, "user_id": user_id, "day": day, "key": key, "value": amount}
    new = insert(UsageCounter).values(row)
    statement = new.on_conflict_do_update(
        index_elements=[UsageCounter.tenant_id, UsageCounter.user_id, UsageCounter.day, UsageCounter.key],
        set_={"value": UsageCounter.value + new.excluded.value},
    ).returning(UsageCounter.value)
    return int(session.execute(statement).scalar_one())


def usage(session: ScopedSession, key: str, *, since: date, until: date | None = None, user_id: str = "") -> int:
    """Return the sum of a counter over days, both ends included; ``until`` None: to the newest."""
    statement = select(func.coalesce(func.sum(UsageCounter.value), 0)).where(
        UsageCounter.key == key, UsageCounter.user_id == user_id, UsageCounter.day >= since
    )
    if until is not None:
        statement = statement.where(UsageCounter.day <= until)
    return int(session.execute(statement).scalar_one())
