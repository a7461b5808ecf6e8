"""What a tenant may use, and what it used: one row for each day (UTC) and thing, counted by the database itself.

A count is one statement (INSERT … ON CONFLICT … DO UPDATE … RETURNING), so two processes never count over each other, and a
query that is refused is not counted: the statement is in the transaction that its refusal rolls back. Limits are the
tenant's row of ``quotas``, by the setting's own name, or the setting. A refusal says which quota, and when it begins anew.

Money is reserved before a call to the model (the most that it can cost) and settled after; what a dead process reserved
stays counted: rather too much than too little.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from datapilot_kernel.errors import DataPilotError
from hub_config.database import Database, Quota, ScopedSession, UsageCounter, utc_now
from hub_config.database.base import table_of
from hub_config.errors import TooMany

if TYPE_CHECKING:
    from datapilot_kernel.nl2sql.claude.cost import Reservation
    from hub_config.settings import Settings

log = logging.getLogger(__name__)

QuotaKey = Literal[
    "tenant_parallel_queries",
    "queries_per_day",
    "database_seconds_per_day",
    "model_euros_per_month",
    "person_model_euros_per_month",
]
QUOTAS: tuple[QuotaKey, ...] = (
    "tenant_parallel_queries",
    "queries_per_day",
    "database_seconds_per_day",
    "model_euros_per_month",
    "person_model_euros_per_month",
)
"""The quotas of questions: names of settings, and keys of the table ``quotas``."""

QUERIES, DATABASE_MS, MODEL_MICROEUROS = "queries", "database_ms", "model_microeuros"
"""Keys of ``usage_counters``."""

_REMEMBERED_S, _MOST_TENANTS = 2.0, 10_000
spender: ContextVar[str] = ContextVar("datapilot_spender", default="")
"""Whose question this thread works on: an engine, and its budget, are shared by people of equal rights."""

_SHOWN_IN = ZoneInfo("Europe/Paris")


def _count(insert: Any) -> Any:
    table = table_of(UsageCounter)
    new = insert(table)
    return new.on_conflict_do_update(
        index_elements=["tenant_id", "user_id", "day", "key"], set_={"value": table.c.value + new.excluded.value}
    ).returning(table.c.value)


_COUNTS = {"sqlite": _count(sqlite.insert), "postgresql": _count(postgresql.insert)}
"""Made once: every query is counted."""


class Quotas:
    """Counts and limits. Every method but :meth:`budget` works in a session that the caller opened."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, dict[QuotaKey, int], int]] = OrderedDict()

    def changed(self, tenant_id: str) -> None:
        """The tenant's limits were changed: read them anew at its next query."""
        with self._lock:
            self._known.pop(tenant_id, None)

    def _now(self, session: ScopedSession, day: date) -> tuple[dict[QuotaKey, int], int]:
        """Return the tenant's limits and the database time it used today, as of a moment ago.

        Queries are counted exactly. The time of a database is known after the fact anyhow, and limits seldom change.
        """
        tenant_id, now = session.tenant_id, monotonic()
        with self._lock:
            known = self._known.get(tenant_id)
        if known is None or known[0] < now:
            known = (now + _REMEMBERED_S, self.limits(session), self.used(session, DATABASE_MS, day=day))
            with self._lock:
                self._known[tenant_id] = known
                self._known.move_to_end(tenant_id)
                while len(self._known) > _MOST_TENANTS:
                    self._known.popitem(last=False)
        return known[1], known[2]

    def limits(self, session: ScopedSession) -> dict[QuotaKey, int]:
        """Return what the tenant may use."""
        rows = session.execute(select(Quota.key, Quota.value).where(Quota.key.in_(QUOTAS)))
        own = {row.key: row.value for row in rows}
        return {key: own.get(key, getattr(self._settings, key)) for key in QUOTAS}

    def admit(self, session: ScopedSession) -> int:
        """Count one query; return how many of the tenant may run at once.

        Raises
        ------
        TooMany
            A quota is used up.
        """
        now = utc_now()
        limits, database_ms = self._now(session, now.date())
        used = self.count(session, QUERIES, 1, day=now.date())
        if limits["queries_per_day"] and used > limits["queries_per_day"]:
            raise _used_up("queries.quota_queries_per_day", limits["queries_per_day"], _tomorrow(now), now)
        seconds = limits["database_seconds_per_day"]
        if seconds and database_ms >= seconds * 1000:
            raise _used_up("queries.quota_database_seconds_per_day", seconds, _tomorrow(now), now)
        return self._at_once(limits)

    def parallel(self, session: ScopedSession) -> int:
        """Return how many queries of the tenant may run at once."""
        return self._at_once(self.limits(session))

    def _at_once(self, limits: dict[QuotaKey, int]) -> int:
        return min(limits["tenant_parallel_queries"], self._settings.parallel_queries)

    def count(self, session: ScopedSession, key: str, amount: int, *, day: date | None = None, user_id: str = "") -> int:
        """Add to a day's counter of the tenant (or, named, of one person) and return what it is then."""
        given = {
            "tenant_id": session.tenant_id,
            "user_id": user_id,
            "day": day or utc_now().date(),
            "key": key,
            "value": amount,
        }
        return int(session.execute(_COUNTS[self._database.dialect], given).scalar_one())

    def used(self, session: ScopedSession, key: str, *, day: date, until: date | None = None, user_id: str = "") -> int:
        """Return what was used on a day, or from one to another (both included)."""
        days = UsageCounter.day == day if until is None else UsageCounter.day.between(day, until)
        total = session.scalar(
            select(func.sum(UsageCounter.value)).where(UsageCounter.user_id == user_id, UsageCounter.key == key, days)
        )
        return int(total or 0)

    def spent_by_person(self, session: ScopedSession) -> dict[str, int]:
        """Return what each person spent on the model this month, in microeuros, by id; who spent nothing is left out."""
        today = utc_now().date()
        rows = session.execute(
            select(UsageCounter.user_id, func.sum(UsageCounter.value).label("spent"))
            .where(
                UsageCounter.user_id != "",
                UsageCounter.key == MODEL_MICROEUROS,
                UsageCounter.day.between(today.replace(day=1), today),
            )
            .group_by(UsageCounter.user_id)
        )
        return {row.user_id: int(row.spent) for row in rows if row.spent}

    def usage(self, session: ScopedSession) -> dict[str, int]:
        """Return what the tenant used today (queries, seconds of its databases) and this month (microeuros)."""
        today = utc_now().date()
        return {
            QUERIES: self.used(session, QUERIES, day=today),
            DATABASE_MS: self.used(session, DATABASE_MS, day=today),
            MODEL_MICROEUROS: self.used(session, MODEL_MICROEUROS, day=today.replace(day=1), until=today),
        }

    def budget(self, tenant_id: str) -> TenantBudget:
        """Return what the tenant may still spend on the model this month."""
        return TenantBudget(self, self._database, tenant_id)


def _tomorrow(now: datetime) -> datetime:
    return datetime.combine(now.date() + timedelta(days=1), time(), UTC)


def _used_up(key: str, limit: int, reset: datetime, now: datetime) -> TooMany:
    shown = reset.astimezone(_SHOWN_IN)
    seconds = max(1, int((reset - now).total_seconds()))
    return TooMany(key, retry_after_s=seconds, limit=limit, reset=f"{shown:%d/%m/%Y %H:%M}")


class TenantBudget:
    """The tenant's money for the model, this month: the protocol of ``nl2sql.claude.cost.Budget``."""

    def __init__(self, quotas: Quotas, database: Database, tenant_id: str) -> None:
        self._quotas = quotas
        self._database = database
        self._tenant_id = tenant_id

    def reserve(self, microeuros: int) -> Reservation:
        """Set aside the most that a call can cost; raises OverBudget when the month's quota has no room for it."""
        from datapilot_kernel.nl2sql.claude.cost import OverBudget

        today, user_id = utc_now().date(), spender.get()
        with self._database.tenant(self._tenant_id) as session:
            limits = self._quotas.limits(session)
            # Leaving the block by an error takes the reservations back.
            for whose, limit, who in (("", limits["model_euros_per_month"], "tenant"), *_person(user_id, limits)):
                self._quotas.count(session, MODEL_MICROEUROS, microeuros, day=today, user_id=whose)
                month = today.replace(day=1)
                spent = self._quotas.used(session, MODEL_MICROEUROS, day=month, until=today, user_id=whose)
                if limit is not None and spent > limit * 1_000_000:
                    raise OverBudget(who)
        return _Reserved(self, today, microeuros, user_id)

    def settle(self, day: date, reserved: int, spent: int, user_id: str) -> None:
        """Count what was spent in place of what was reserved."""
        try:
            with self._database.tenant(self._tenant_id) as session:
                for whose in ("", user_id) if user_id else ("",):
                    self._quotas.count(session, MODEL_MICROEUROS, spent - reserved, day=day, user_id=whose)
        except DataPilotError as error:
            # The answer is paid for; what was reserved stays counted.
            log.warning("a reservation was not settled: %s", error.log)


def _person(user_id: str, limits: dict[QuotaKey, int]) -> tuple[tuple[str, int | None, str], ...]:
    """Return the person's own budget; its limit is None where only the tenant's counts."""
    return ((user_id, limits["person_model_euros_per_month"] or None, "person"),) if user_id else ()


class _Reserved:
    def __init__(self, budget: TenantBudget, day: date, microeuros: int, user_id: str) -> None:
        self._budget, self._day, self._microeuros, self._user_id = budget, day, microeuros, user_id

    def settle(self, microeuros: int) -> None:
        self._budget.settle(self._day, self._microeuros, microeuros, self._user_id)
