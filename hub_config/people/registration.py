"""A new tenant and its first administrator: by whoever comes, where registration is open, or by the operator's command."""

from __future__ import annotations

import re
import secrets
import unicodedata

from hub_config.database import Tenant, User, email_key
from hub_config.database.base import new_id
from hub_config.errors import Forbidden
from hub_config.people.ground import Ground, clean_email, principal_of
from hub_config.people.limits import Windows, client_key
from hub_config.people.passwords import check_rules
from hub_config.people.sessions import Sessions, Tokens

_PER_CLIENT = 10
"""Tenants one client may make in ``login_wait_seconds``."""


class Registration:
    """Makes tenants."""

    def __init__(self, ground: Ground, sessions: Sessions) -> None:
        self._ground = ground
        self._sessions = sessions
        self._clients = Windows(_PER_CLIENT, ground.settings.login_wait_seconds)

    def register(
        self, *, tenant_name: str, email: str, password: str, full_name: str = "", client: str = "", label: str = ""
    ) -> Tokens:
        """Make a tenant and its first administrator, signed in.

        The address may have accounts elsewhere: this answers the same, and tells nothing about them.

        Raises
        ------
        Forbidden
            Registration is closed.
        BadInput
            The address or the password cannot be taken.
        TooMany
            Too many from this client.
        """
        if self._ground.settings.registration != "open":
            raise Forbidden("people.registration_closed")
        email = clean_email(email)
        check_rules(password, email=email)
        self._clients.reserve(client_key(client))
        hashed = self._ground.passwords.hash(password)
        tenant, user = _new_tenant(tenant_name, email, full_name, hashed)
        with self._ground.database.tenant(tenant.id) as session:
            session.add(tenant)
            session.flush()
            session.add(user)
            session.flush()
            tokens = self._sessions.begin(session, user, label=label)
            self._ground.audit.record(
                session, principal_of(user), action="tenant.create", object_type="tenant", object_id=tenant.id
            )
        return tokens

    def create(self, *, tenant_name: str, email: str, full_name: str = "") -> tuple[Tenant, User]:
        """Make a tenant and its first administrator, who has no password yet (the operator's command)."""
        tenant, user = _new_tenant(tenant_name, clean_email(email), full_name, None)
        with self._ground.database.tenant(tenant.id) as session:
            session.add(tenant)
            session.flush()
            session.add(user)
            session.flush()
            self._ground.audit.record(session, None, action="tenant.create", object_type="tenant", object_id=tenant.id)
        return tenant, user


def _new_tenant(name: str, email: str, full_name: str, hashed: str | None) -> tuple[Tenant, User]:
    tenant = Tenant(id=new_id(), name=name, slug=slug_of(name))
    user = User(
        tenant_id=tenant.id,
        email=email,
        email_key=email_key(email),
        hashed_password=hashed,
        full_name=full_name,
        role="administrator",
    )
    return tenant, user


def slug_of(name: str) -> str:
    """Return a fresh short name for a tenant: readable, and random at the end, so that it tells of no other tenant."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:30].strip("-")
    return f"{words or 'client'}-{secrets.token_hex(3)}"
