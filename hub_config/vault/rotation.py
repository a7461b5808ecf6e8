"""Rotation: a new master key, every tenant's keys rewrapped, every tenant a new key, every secret encrypted with it.

It runs while the service serves, and may be killed at any point: there is no state but what the keys and tokens say of
themselves (see :mod:`hub_config.vault.vault`), every step is one transaction or one rename, and each leaves everything
decryptable. Started again, it goes on where it was: a new master key is only made when nothing is left of the rotation
before.

The order is what keeps secrets readable: the new master key is in the file before anything is wrapped by it; a tenant's
new key is in its table before anything is encrypted by it; an old key is retired when no secret uses it any more, and
deleted a day later; an old master key leaves the file when nothing is wrapped by it and no transaction can still be
wrapping with it (``LONGEST_TRANSACTION_S`` after it was replaced).

Every change is a compare-and-swap on the text that was read: a person who edits a connection meanwhile wins. An edit that
began before the new key came holds the old one (FOR KEY SHARE), and retiring waits for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, cast

from sqlalchemy import CursorResult, delete, func, select, update

from hub_config.database.tables import DashboardSnapshot, DataSource, TenantKey
from hub_config.database.types import utc_now
from hub_config.errors import PlatformUnavailable
from hub_config.vault.keys import MasterKey
from hub_config.vault.vault import SecretUnreadable, Vault, born_of, prefix_of, wrapped_by

if TYPE_CHECKING:
    from hub_config.database import Database, ScopedSession

log = logging.getLogger(__name__)

LONGEST_TRANSACTION_S = 300
"""Longer than any transaction of the platform's database lives: its time limits see to that."""

DELETED_AFTER = timedelta(days=1)
_ROUNDS = 5

Step = Literal["master", "rewrapped", "tenant_key", "encrypted", "retired", "deleted", "removed"]


@dataclass
class Progress:
    """How far a rotation has come.

    Attributes
    ----------
    done
        How often each step was taken by this run.
    pending_tenants
        Tenants that are not finished: somebody was changing their connections (run it again), or a key of theirs does not
        unwrap (a master key is missing from the file).
    unreadable
        Secrets and keys that do not decrypt: left as they are.
    """

    tenants: int = 0
    tenant_number: int = 0
    done: dict[Step, int] = field(default_factory=dict)
    resumed: bool = False
    pending_tenants: int = 0
    unreadable: int = 0
    kept_master_keys: int = 0

    def count(self, step: Step) -> None:
        """Count a step."""
        self.done[step] = self.done.get(step, 0) + 1


@dataclass(frozen=True)
class Status:
    """What the vault holds, in numbers and names of keys."""

    master_keys: tuple[tuple[str, int], ...]
    tenants: int
    tenant_keys: int
    retired_keys: int
    secrets: int
    pending_tenants: int
    unreadable_secrets: int


Tell = Callable[[Step, Progress], None]


def rotate(database: Database, vault: Vault, tell: Tell = lambda step, progress: None) -> Progress:
    """Rotate everything, or finish a rotation that was begun.

    Parameters
    ----------
    tell
        Called after every step that changed something.

    Raises
    ------
    KeyFileProblem
        The master keys cannot be read or written.
    """
    progress = Progress()
    tenants = database.tenant_ids()
    progress.tenants = len(tenants)

    def step(name: Step) -> None:
        progress.count(name)
        tell(name, progress)

    newest = vault.master.newest()
    progress.resumed = vault.master.is_value or any(_pending(database, tenant_id, newest) for tenant_id in tenants)
    if not progress.resumed:
        newest = vault.master.prepend()
        step("master")
    for progress.tenant_number, tenant_id in enumerate(tenants, 1):
        try:
            finished = _Tenant(database, vault, tenant_id, newest, step, progress).rotate()
        except SecretUnreadable as unreadable:
            log.warning("rotation leaves a tenant as it is: %s", unreadable.log)
            progress.unreadable += 1
            finished = False
        progress.pending_tenants += not finished
    progress.kept_master_keys = _remove_master_keys(database, vault, step)
    return progress


def status(database: Database, vault: Vault) -> Status:
    """Look at everything, decrypting every secret to see whether it can be."""
    master = vault.master.all()
    tenants = database.tenant_ids()
    keys = retired = found = pending = unreadable = 0
    for tenant_id in tenants:
        pending += _pending(database, tenant_id, master[0])
        with database.tenant(tenant_id, read_only=True) as session:
            rows = session.scalars(select(TenantKey)).all()
            keys += len(rows)
            retired += sum(row.retired_at is not None for row in rows)
            for source_id, token in _secrets(session):
                found += 1
                unreadable += not _readable(vault, session, tenant_id, source_id, token)
    return Status(tuple((k.kid, k.created) for k in master), len(tenants), keys, retired, found, pending, unreadable)


def _readable(vault: Vault, session: ScopedSession, tenant_id: str, source_id: str, token: str) -> bool:
    try:
        vault.decrypted(session, tenant_id, source_id, token)
    except SecretUnreadable:
        return False
    return True


def _secrets(session: ScopedSession) -> list[tuple[str, str]]:
    wanted = select(DataSource.id, DataSource.connection_config_encrypted).where(
        DataSource.connection_config_encrypted.is_not(None)
    )
    return [(row[0], cast("str", row[1])) for row in session.execute(wanted.order_by(DataSource.id))]


def _pending(database: Database, tenant_id: str, newest: MasterKey) -> bool:
    """Tell whether a key of a tenant that is in use is older than the newest master key."""
    with database.tenant(tenant_id, read_only=True) as session:
        rows = session.scalars(select(TenantKey)).all()
        return any(wrapped_by(row) != newest.kid or (row.retired_at is None and born_of(row) != newest.kid) for row in rows)


@dataclass
class _Tenant:
    """The rotation of one tenant."""

    database: Database
    vault: Vault
    tenant_id: str
    newest: MasterKey
    step: Callable[[Step], None]
    progress: Progress
    unreadable: set[str] = field(default_factory=set)

    def rotate(self) -> bool:
        """Bring it up to date; False: somebody else's changes kept some of it back."""
        with self.database.tenant(self.tenant_id, read_only=True) as session:
            rows = session.scalars(select(TenantKey)).all()
        if not rows:
            return True
        for row in rows:
            if self._rewrap(row.id):
                self.step("rewrapped")
        if not any(row.retired_at is None and born_of(row) == self.newest.kid for row in rows):
            with self.database.tenant(self.tenant_id) as session:
                self.vault.new_key(session)
            self.step("tenant_key")
        for _ in range(_ROUNDS):
            with self.database.tenant(self.tenant_id, read_only=True) as session:
                sources = [source_id for source_id, _ in _secrets(session) if source_id not in self.unreadable]
            for source_id in sources:
                if self._encrypt_again(source_id):
                    self.step("encrypted")
            if self._retire():
                _delete_retired(self.database, self.tenant_id, self.step)
                return True
        return False

    def _rewrap(self, key_id: str) -> bool:
        with self.database.tenant(self.tenant_id) as session:
            row = session.get(TenantKey, key_id)
            wrapped = None if row is None else self.vault.rewrapped(row)
            if row is None or wrapped is None:
                return False
            changed = update(TenantKey).where(TenantKey.id == key_id, TenantKey.wrapped_key == row.wrapped_key)
            return _changed(session, changed.values(wrapped_key=wrapped))

    def _encrypt_again(self, source_id: str) -> bool:
        """Encrypt one secret with the tenant's newest key, unless it is, or somebody just changed it."""
        with self.database.tenant(self.tenant_id) as session:
            wanted = select(DataSource.connection_config_encrypted).where(DataSource.id == source_id)
            token = session.scalars(wanted).first()
            key = self.vault.newest_key(session)
            if token is None or key is None or token.startswith(prefix_of(key.id)):
                return False
            try:
                plain = self.vault.decrypted(session, self.tenant_id, source_id, token)
            except SecretUnreadable as unreadable:
                log.warning("rotation leaves a secret as it is: %s", unreadable.log)
                self.unreadable.add(source_id)
                self.progress.unreadable += 1
                return False
            again = self.vault.encrypted(self.tenant_id, source_id, plain, key)
            changed = update(DataSource).where(DataSource.id == source_id, DataSource.connection_config_encrypted == token)
            # The connection is the same: neither its revision nor its date moves, and no pool is closed.
            values: dict[str, Any] = {"connection_config_encrypted": again, "updated_at": DataSource.updated_at}
            return _changed(session, changed.values(**values))

    def _retire(self) -> bool:
        """Retire the tenant's older keys that no secret uses; False: one is still used."""
        with self.database.tenant(self.tenant_id, read_only=True) as session:
            rows = session.scalars(select(TenantKey).where(TenantKey.retired_at.is_(None))).all()
        newest = self.vault.newest_of(rows)
        all_retired = True
        for row in rows:
            if row is newest:
                continue
            try:
                used = self._retire_unused(row.id)
            except PlatformUnavailable:
                # Somebody's edit is open for longer than a lock is waited for (or the database is away: the next look says).
                used = True
            all_retired = all_retired and not used
            if not used:
                self.step("retired")
        return all_retired

    def _retire_unused(self, key_id: str) -> bool:
        """Retire a key unless it is used; tell whether it is."""
        with self.database.tenant(self.tenant_id) as session:
            # First the lock, which waits for whoever is encrypting with this key; then the look.
            session.scalars(select(TenantKey.id).where(TenantKey.id == key_id).with_for_update()).all()
            used = bool(_uses(session, key_id, self.unreadable))
            if not used:
                changed = update(TenantKey).where(TenantKey.id == key_id, TenantKey.retired_at.is_(None))
                _changed(session, changed.values(retired_at=utc_now()))
            return used


def _uses(session: ScopedSession, key_id: str, but: Collection[str] = ()) -> int:
    """Return how many secrets this key encrypts, apart from those of some sources."""
    wanted = select(func.count()).select_from(DataSource)
    mine = DataSource.connection_config_encrypted.startswith(prefix_of(key_id), autoescape=True)
    return session.scalars(wanted.where(mine, DataSource.id.not_in(but))).one()


def _seals(session: ScopedSession, key_id: str) -> bool:
    """Tell whether a snapshot still needs this key: they go over to the newest by themselves, while the service serves."""
    wanted = select(DashboardSnapshot.id).where(DashboardSnapshot.sealed_by == key_id).limit(1)
    return session.scalars(wanted).first() is not None


def _delete_retired(database: Database, tenant_id: str, step: Callable[[Step], None]) -> None:
    before = utc_now() - DELETED_AFTER
    with database.tenant(tenant_id, read_only=True) as session:
        rows = session.scalars(select(TenantKey.id).where(TenantKey.retired_at < before)).all()
    for key_id in rows:
        with database.tenant(tenant_id) as session:
            if _uses(session, key_id) or _seals(session, key_id):
                continue
            session.execute(delete(TenantKey).where(TenantKey.id == key_id))
        step("deleted")


def _remove_master_keys(database: Database, vault: Vault, step: Callable[[Step], None]) -> int:
    """Take the master keys that nothing needs out of the file; return how many older ones stay."""
    newest, *older = vault.master.all()
    if vault.master.is_value or not older:
        return len(older)
    used: set[str] = set()
    for tenant_id in database.tenant_ids():
        with database.tenant(tenant_id, read_only=True) as session:
            used |= {wrapped_by(row) for row in session.scalars(select(TenantKey))}
    # A key wraps until the one in front of it was made, and in transactions that were open then.
    ended = [key.created for key in (newest, *older)]
    now = time.time()
    removable = [
        key.kid for key, end in zip(older, ended, strict=False) if key.kid not in used and now - end > LONGEST_TRANSACTION_S
    ]
    if removable:
        vault.master.remove(removable)
        step("removed")
    return len(older) - len(removable)


def _changed(session: ScopedSession, statement: Any) -> bool:
    result = cast("CursorResult[Any]", session.execute(statement.execution_options(synchronize_session=False)))
    return result.rowcount == 1
