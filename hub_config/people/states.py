"""What the database says of a person now, remembered for a few seconds: every request asks.

In this process a change shows at once: whoever changes a person calls :meth:`States.forget` after the transaction. Another
process sees it within :data:`SECONDS`. A reading that began before a change is not kept after it (the generation tells).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from sqlalchemy import select

from hub_config.database import Database, Tenant, User
from hub_config.principal import Role

SECONDS = 3.0
_SIZE = 20_000


@dataclass(frozen=True)
class State:
    """A person as they are; ``active`` is False for a disabled one and in a tenant that is being deleted."""

    email: str = field(repr=False)
    role: Role
    epoch: int
    active: bool
    attributes: Mapping[str, str] = field(repr=False)


class States:
    """The present state of people, cached."""

    def __init__(self, database: Database, *, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._generation = 0
        self._known: OrderedDict[tuple[str, str], tuple[float, State | None]] = OrderedDict()

    def of(self, tenant_id: str, user_id: str) -> State | None:
        """Return a person's state; None: there is no such person."""
        key, now = (tenant_id, user_id), self._clock()
        with self._lock:
            found = self._known.get(key)
            if found is not None and found[0] > now:
                return found[1]
            generation = self._generation
        state = self._read(tenant_id, user_id)
        with self._lock:
            if generation == self._generation:
                self._known[key] = (now + self._seconds, state)
                self._known.move_to_end(key)
                while len(self._known) > _SIZE:
                    self._known.popitem(last=False)
        return state

    def known(self, tenant_id: str, user_id: str) -> tuple[bool, State | None]:
        """Return whether a person's state is remembered, and what it is, without asking the database."""
        with self._lock:
            found = self._known.get((tenant_id, user_id))
            if found is not None and found[0] > self._clock():
                return True, found[1]
        return False, None

    def forget(self, tenant_id: str, user_id: str | None = None) -> None:
        """Read a person (or, without one, everybody of a tenant) again next time. Call it after the transaction."""
        with self._lock:
            self._generation += 1
            if user_id is not None:
                self._known.pop((tenant_id, user_id), None)
            else:
                for key in [key for key in self._known if key[0] == tenant_id]:
                    del self._known[key]

    def _read(self, tenant_id: str, user_id: str) -> State | None:
        statement = (
            select(User.email, User.role, User.session_epoch, User.status, User.attributes, Tenant.deleting_at)
            .join(Tenant, Tenant.tenant_id == User.tenant_id)
            .where(User.id == user_id)
        )
        with self._database.tenant(tenant_id, read_only=True) as session:
            row = session.execute(statement).one_or_none()
        if row is None:
            return None
        email, role, epoch, status, attributes, deleting_at = row
        active = status == "active" and deleting_at is None
        values = {str(name): str(value) for name, value in attributes.items()}
        return State(email, cast("Role", role), epoch, active, values)
