"""The vault: what a tenant's connections need to stay secret, encrypted twice over.

::

    master keys (a file, apart from the database)  wrap
    the tenants' keys (table tenant_keys)          encrypt
    connections (column of data_sources)

A tenant's key is random, and encrypts nothing but that tenant's secrets; it is stored wrapped by a master key. So a copy of
the database alone opens nothing, deleting a tenant's rows destroys the keys to whatever copies are left, and a new master
key rewraps a few keys instead of touching every secret.

Fernet knows no associated data. The binding is in the key instead: what encrypts is derived (HKDF) from the tenant's key
for one tenant and one source, what wraps from the master key for one tenant and one key of it. A ciphertext moved to another
row, tenant or key does not decrypt. Tokens carry the name of their key, which is how a rotation knows what is left to do::

    data_sources.connection_config_encrypted   v1.<id of the tenant's key>.<Fernet token>
    tenant_keys.wrapped_key                    v1.<kid>.<born>.<Fernet token>

``kid``: the master key that wrapped it; ``born``: the one that was newest when the tenant's key was made.

Rejected: one ``MultiFernet`` over everything (it tries every key on every token, cannot say which are still used, and
lets ciphertexts be swapped between rows); the tenant's id inside the plaintext (checked after decrypting, by code that
someone may forget). Remaining risk: whoever runs code in this process reads what it decrypts; keys and secrets lie in the
process's memory, which Python does not wipe.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import select

from datapilot_kernel.errors import Fault
from hub_config.data_sources.connection import ConnectionConfig
from hub_config.database.base import new_id
from hub_config.database.tables import TenantKey
from hub_config.database.types import utc_now
from hub_config.database.wall import Unscoped
from hub_config.vault.keys import KeyFileProblem, MasterKey, MasterKeys

if TYPE_CHECKING:
    from pathlib import Path

    from hub_config.database import Database, ScopedSession
    from hub_config.settings import Settings

_VERSION = "v1"


class SecretUnreadable(Fault):
    """A secret, or the key to it, cannot be decrypted: the key is missing, or the row is not what was written.

    A fault of the installation: the person gets an incident id, the log which tenant and why, nobody a text of it.
    """


class Vault:
    """Encrypts and decrypts connections. Safe to call from many threads.

    Parameters
    ----------
    key_file
        Of the master keys. Read when it is first needed, and again when it changes.
    keys
        The master keys themselves instead; see :class:`hub_config.vault.keys.MasterKeys`.
    """

    def __init__(self, key_file: Path, *, keys: str | None = None) -> None:
        self.master = MasterKeys(key_file, keys)

    @classmethod
    def from_settings(cls, settings: Settings) -> Vault:
        """Return the vault of an installation."""
        given = settings.vault_keys
        return cls(settings.resolved_vault_key_file(), keys=None if given is None else given.get_secret_value())

    def __repr__(self) -> str:
        return f"Vault({self.master!r})"

    def __reduce__(self) -> str:
        raise TypeError("a vault is not pickled")

    def prepare(self, database: Database) -> None:
        """Make sure that the master keys are there: before the service starts. The first start makes the file.

        Raises
        ------
        KeyFileProblem
            There are none although tenants have keys (the file was lost: it must come back, a new one opens nothing), or
            they cannot be used.
        """
        if not self.master.exist():
            try:
                lost = any_keys(database)
            except Unscoped:  # no operator in this process: nobody to say that no tenant has keys
                raise KeyFileProblem("vault.missing", path=self.master.path) from None
            if lost:
                raise KeyFileProblem("vault.lost", path=self.master.path)
            self.master.create()
        self.master.all()

    def encrypt(
        self, session: ScopedSession, tenant_id: str, source_id: str, config: Mapping[str, Any] | ConnectionConfig
    ) -> str:
        """Encrypt a connection for one source, in the session that will write it.

        Parameters
        ----------
        session
            Of that tenant; makes the tenant's first key if it has none.
        config
            Everything, the password in clear (``ConnectionConfig.plain()``), or the config itself.

        Raises
        ------
        SecretUnreadable
            The master keys cannot be used.
        """
        plain = config.plain() if isinstance(config, ConnectionConfig) else dict(config)
        _same_tenant(session, tenant_id)
        key = self.newest_key(session) or self.new_key(session)
        return self.encrypted(tenant_id, source_id, plain, key)

    def decrypt(self, session: ScopedSession, tenant_id: str, source_id: str, token: str) -> ConnectionConfig:
        """Return the connection that was encrypted for this source.

        Raises
        ------
        SecretUnreadable
            It was not, or its key is missing.
        """
        return ConnectionConfig.model_validate(self.decrypted(session, tenant_id, source_id, token))

    # Other values of a tenant that are kept encrypted: what a dashboard was rendered to.

    def seal(self, session: ScopedSession, purpose: str, object_id: str, body: bytes) -> tuple[str, str]:
        """Encrypt something of the session's tenant for one purpose and object; return it, and the id of the key.

        Parameters
        ----------
        purpose
            A word of ours without ``|``; what was sealed for another does not open.
        """
        key = self.newest_key(session) or self.new_key(session)
        box = _derived(self._unwrapped(key), purpose, session.tenant_id, object_id)
        return f"{_VERSION}.{key.id}.{box.encrypt(body).decode()}", key.id

    def unseal(self, session: ScopedSession, purpose: str, object_id: str, token: str) -> bytes:
        """Return what was sealed for this purpose and object of the session's tenant.

        Raises
        ------
        SecretUnreadable
            It was not, or its key is missing.
        """
        why = f"{purpose} {object_id} of tenant {session.tenant_id}"
        parts = token.split(".")
        key = session.get(TenantKey, parts[1]) if len(parts) == 3 and parts[0] == _VERSION else None
        if key is None:
            raise SecretUnreadable(log=f"vault: {why}: unknown key or form")
        with suppress(InvalidToken):
            return _derived(self._unwrapped(key), purpose, session.tenant_id, object_id).decrypt(parts[2])
        raise SecretUnreadable(log=f"vault: {why}: does not decrypt")

    # What a rotation works with.

    def newest_key(self, session: ScopedSession) -> TenantKey | None:
        """Return the tenant's key that encrypts; None: it has none. Holds it against being retired until the block ends."""
        # FOR KEY SHARE: a rewrapping passes beside it, a retiring (FOR UPDATE) waits.
        wanted = select(TenantKey).where(TenantKey.retired_at.is_(None)).with_for_update(read=True, key_share=True)
        rows = session.scalars(wanted.execution_options(populate_existing=True)).all()
        return self.newest_of(rows)

    def newest_of(self, rows: Sequence[TenantKey]) -> TenantKey | None:
        """Return the key of these that encrypts: born under the newest master key, whatever two machines' clocks say."""
        kids = [key.kid for key in self._master_all("choosing a tenant's key")]
        ages = {kid: -age for age, kid in enumerate(kids)}
        return max(rows, key=lambda row: (ages.get(born_of(row), -len(kids)), row.created_at, row.id), default=None)

    def new_key(self, session: ScopedSession) -> TenantKey:
        """Make a key for the session's tenant."""
        made = TenantKey(id=new_id(), created_at=utc_now())
        master = self._master_newest(session.tenant_id)
        made.wrapped_key = _wrapped(master, master.kid, session.tenant_id, made.id, secrets.token_bytes(32))
        session.add(made)
        session.flush()
        return made

    def rewrapped(self, row: TenantKey) -> str | None:
        """Return a tenant's key wrapped by the newest master key; None: it is already."""
        _, kid, born, _ = _parts(row.wrapped_key, 4)
        master = self._master_newest(row.tenant_id)
        if kid == master.kid:
            return None
        return _wrapped(master, born, row.tenant_id, row.id, self._unwrapped(row))

    def encrypted(self, tenant_id: str, source_id: str, plain: Mapping[str, Any], key: TenantKey) -> str:
        """Encrypt with this key."""
        body = json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
        return f"{_VERSION}.{key.id}.{_secret_box(self._unwrapped(key), tenant_id, source_id).encrypt(body).decode()}"

    def decrypted(self, session: ScopedSession, tenant_id: str, source_id: str, token: str) -> dict[str, Any]:
        """Return what was encrypted, the password in clear."""
        _same_tenant(session, tenant_id)
        why = f"secret of source {source_id} of tenant {tenant_id}"
        parts = token.split(".")
        key = session.get(TenantKey, parts[1]) if len(parts) == 3 and parts[0] == _VERSION else None
        if key is None:
            raise SecretUnreadable(log=f"vault: {why}: unknown key or form")
        box = _secret_box(self._unwrapped(key), tenant_id, source_id)
        found: Any = None
        # A ValueError's own text is the plaintext: it ends here.
        with suppress(InvalidToken, ValueError):
            found = json.loads(box.decrypt(parts[2]))
        if not isinstance(found, dict):
            raise SecretUnreadable(log=f"vault: {why}: does not decrypt")
        return found

    def _unwrapped(self, row: TenantKey) -> bytes:
        _, kid, _, token = _parts(row.wrapped_key, 4)
        why = f"key {row.id} of tenant {row.tenant_id}"
        master = self._master(kid, why)
        secret = b""
        with suppress(InvalidToken):
            secret = _wrapping_box(master, row.tenant_id, row.id).decrypt(token)
        if len(secret) != 32:
            raise SecretUnreadable(log=f"vault: {why}: does not unwrap")
        return secret

    def _master(self, kid: str, why: str) -> MasterKey:
        found = next((key for key in self._master_all(why) if key.kid == kid), None)
        if found is None:
            raise SecretUnreadable(log=f"vault: {why}: its master key is not in the file")
        return found

    def _master_newest(self, tenant_id: str) -> MasterKey:
        return self._master_all(f"wrapping for tenant {tenant_id}")[0]

    def _master_all(self, why: str) -> tuple[MasterKey, ...]:
        try:
            return self.master.all()
        except KeyFileProblem as error:
            problem = error.reason
        raise SecretUnreadable(log=f"vault: {why}: key file {problem}")


def any_keys(database: Database) -> bool:
    """Tell whether any tenant has a key (as the operator)."""
    for tenant_id in database.tenant_ids():
        with database.tenant(tenant_id, read_only=True) as session:
            if session.scalars(select(TenantKey.id).limit(1)).first() is not None:
                return True
    return False


def born_of(row: TenantKey) -> str:
    """Return the name of the master key that was newest when the tenant's key was made."""
    return _parts(row.wrapped_key, 4)[2]


def wrapped_by(row: TenantKey) -> str:
    """Return the name of the master key that wraps the tenant's key."""
    return _parts(row.wrapped_key, 4)[1]


def prefix_of(key_id: str) -> str:
    """Return how the tokens begin that this key encrypted."""
    return f"{_VERSION}.{key_id}."


def _parts(token: str, count: int) -> list[str]:
    parts = token.split(".")
    if len(parts) != count or parts[0] != _VERSION:
        raise SecretUnreadable(log="vault: a wrapped key of unknown form")
    return parts


def _same_tenant(session: ScopedSession, tenant_id: str) -> None:
    if session.tenant_id != tenant_id:
        raise SecretUnreadable(log=f"vault: a session of another tenant than {tenant_id}")


def _derived(secret: bytes, *purpose: str) -> Fernet:
    # Identifiers have no "|" and a fixed length: no two purposes read the same.
    info = "|".join(("datapilot vault 1", *purpose)).encode()
    return Fernet(base64.urlsafe_b64encode(HKDF(SHA256(), 32, salt=None, info=info).derive(secret)))


def _secret_box(secret: bytes, tenant_id: str, source_id: str) -> Fernet:
    return _derived(secret, "source", tenant_id, source_id)


def _wrapping_box(master: MasterKey, tenant_id: str, key_id: str) -> Fernet:
    return _derived(master.secret, "tenant key", tenant_id, key_id)


def _wrapped(master: MasterKey, born: str, tenant_id: str, key_id: str, secret: bytes) -> str:
    token = _wrapping_box(master, tenant_id, key_id).encrypt(secret).decode()
    return f"{_VERSION}.{master.kid}.{born}.{token}"
