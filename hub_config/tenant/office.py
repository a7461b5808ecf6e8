"""A tenant's name, settings, quotas and use.

A quota's default is the operator's setting; the operator may raise or lower it for one tenant (``datapilot tenant quota``),
and the tenant's administrators may lower it further for themselves, never raise it: two rows of ``quotas``, ``bound.KEY`` by
the operator and ``KEY`` by the tenant, and what holds is the smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from datapilot_kernel.errors import BadInput
from hub_config.database import Database, Quota, ScopedSession, Tenant
from hub_config.principal import Principal
from hub_config.queries.quotas import QUOTAS, Quotas
from hub_config.tenant.logo import Logo, Logos

if TYPE_CHECKING:
    from hub_config.audit import Audit
    from hub_config.settings import Settings

STORAGE = "storage_bytes"
KEYS: tuple[str, ...] = (*QUOTAS, STORAGE)
_BOUND = "bound."
# 0 is « no limit » for these, so the smaller of two is not simply the smaller number.
_ZERO_IS_UNLIMITED = frozenset({"queries_per_day", "database_seconds_per_day", "person_model_euros_per_month"})


@dataclass(frozen=True)
class QuotaView:
    """One quota: what holds, what the operator allows at most, what was used of it (None: not a matter of use)."""

    key: str
    value: int
    bound: int
    used: int | None


class Office:
    """The manager."""

    def __init__(self, settings: Settings, database: Database, audit: Audit) -> None:
        self._settings = settings
        self._database = database
        self._audit = audit
        self._quotas = Quotas(settings, database)
        self._logos = Logos(database, audit)

    def read(self, principal: Principal) -> Tenant:
        """Return the tenant."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return _the_tenant(session)

    def update(self, principal: Principal, *, name: str | None = None, settings: dict[str, Any] | None = None) -> Tenant:
        """Change its name or settings; None: as it is."""
        with self._database.tenant(principal.tenant_id) as session:
            row = _the_tenant(session)
            if name is not None:
                row.name = name
            if settings is not None:
                row.settings = settings
            self._audit.record(session, principal, action="tenant.update", object_type="tenant", object_id=row.id)
            session.flush()
            return row

    def logo(self, tenant_id: str) -> Logo | None:
        """Return the tenant's logo, or None."""
        return self._logos.logo(tenant_id)

    def set_logo(self, principal: Principal, body: bytes | None) -> None:
        """Take an image as the tenant's logo; None: none any more. Raises TooLarge, BadInput: see :mod:`.logo`."""
        self._logos.set_logo(principal, body)

    def quotas(self, tenant_id: str, *, stored_bytes: int = 0) -> list[QuotaView]:
        """Return every quota with what was used of it; ``stored_bytes`` is what the tenant keeps in files."""
        with self._database.tenant(tenant_id, read_only=True) as session:
            rows = {row.key: row.value for row in session.execute(select(Quota.key, Quota.value))}
            usage = self._quotas.usage(session)
        used = {
            "queries_per_day": usage["queries"],
            "database_seconds_per_day": usage["database_ms"] // 1000,
            "model_euros_per_month": -(-usage["model_microeuros"] // 1_000_000),
            STORAGE: stored_bytes,
        }
        views = []
        for key in KEYS:
            bound = rows.get(_BOUND + key, self._default(key))
            views.append(QuotaView(key, rows.get(key, bound), bound, used.get(key)))
        return views

    def model_spend(self, principal: Principal) -> dict[str, int]:
        """Return what each person spent on the language model this month, in microeuros."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return self._quotas.spent_by_person(session)

    def set_quota(self, principal: Principal, key: str, value: int) -> None:
        """Lower a quota for the own tenant, or bring it back up to the operator's bound.

        Raises
        ------
        BadInput
            There is no such quota, or the operator does not allow as much.
        """
        with self._database.tenant(principal.tenant_id) as session:
            bound = self._bound(session, key)
            if _more(key, value, bound):
                raise BadInput("content.quota_above_bound", bound=bound)
            _put(session, key, value)
            self._audit.record(
                session, principal, action="quota.set", object_type="quota", object_id=key, details={"value": value}
            )

    def set_bound(self, tenant_id: str, key: str, value: int) -> None:
        """Say what one tenant may use at most: the operator's word. What it lowered for itself stays lowered."""
        with self._database.tenant(tenant_id) as session:
            before = self._bound(session, key)
            own = session.get(Quota, key)
            _put(session, _BOUND + key, value)
            if own is None or own.value == before or _more(key, own.value, value):
                _put(session, key, value)
            self._audit.record(
                session, None, action="quota.bound", object_type="quota", object_id=key, details={"value": value}
            )

    def _bound(self, session: ScopedSession, key: str) -> int:
        if key not in KEYS:
            raise BadInput("content.quota_unknown", known=", ".join(KEYS))
        row = session.get(Quota, _BOUND + key)
        return int(row.value) if row is not None else self._default(key)

    def _default(self, key: str) -> int:
        return int(self._settings.tenant_storage_bytes if key == STORAGE else getattr(self._settings, key))


def _more(key: str, value: int, bound: int) -> bool:
    """Tell whether a value allows more than the bound."""
    if key in _ZERO_IS_UNLIMITED:
        return bound != 0 and (value == 0 or value > bound)
    return value > bound


def _put(session: ScopedSession, key: str, value: int) -> None:
    row = session.get(Quota, key)
    if row is None:
        session.add(Quota(key=key, value=value))
    else:
        row.value = value
    session.flush()


def _the_tenant(session: ScopedSession) -> Tenant:
    return session.scalars(select(Tenant)).one()
