"""A new password by a link: sent by mail to whoever forgot theirs, or made by an administrator where there is no mail
server.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from datapilot_kernel.errors import DataPilotError
from hub_config.database import PasswordReset, ScopedSession, Tenant, User, email_key, utc_now
from hub_config.errors import Conflict
from hub_config.people.ground import Ground, end_sessions, principal_of, the_user, the_user_locked, void_password_links
from hub_config.people.invitations import Link
from hub_config.people.letters import Letters
from hub_config.people.limits import Windows, client_key
from hub_config.people.passwords import check_rules
from hub_config.people.problems import LinkInvalid
from hub_config.people.secrets import Secret, new_secret, read_secret
from hub_config.people.signing_in import ACCOUNTS
from hub_config.principal import Principal

log = logging.getLogger(__name__)

_MAILS_PER_HOUR = 3


@dataclass(frozen=True)
class _Made:
    id: str
    secret: Secret
    email: str
    tenant_name: str
    expires_at: datetime


class Resets:
    """Makes password links and takes them back."""

    def __init__(self, ground: Ground, letters: Letters) -> None:
        self._ground = ground
        self._letters = letters
        self._clients = Windows(ground.settings.login_attempts_per_address, ground.settings.login_wait_seconds)

    def count_request(self, client: str) -> None:
        """Count a « forgotten », or raise :class:`~hub_config.errors.TooMany`."""
        self._clients.reserve(client_key(client))

    def forgotten(self, email: str) -> None:
        """Send a link to every account of an address; runs after the answer, and answers nothing."""
        key = email_key(email)
        if not self._ground.mailer.configured or not key:
            return
        try:
            with self._ground.database.sign_in(key) as session:
                statement = select(User).where(User.status == "active").order_by(User.created_at, User.id).limit(ACCOUNTS)
                accounts = [(user.tenant_id, user.id) for user in session.scalars(statement)]
            for tenant_id, user_id in accounts:
                self._mail(tenant_id, user_id)
        except DataPilotError as error:
            log.warning("forgotten password: %s", error.log)

    def link(self, principal: Principal | None, tenant_id: str, user_id: str) -> Link:
        """Make a link for a person.

        Where there is a mail server the person gets it and nobody else; elsewhere the administrator hands it on.

        Parameters
        ----------
        principal
            The administrator; None: the operator, who always gets the link to see.

        Raises
        ------
        NotFound
            Not of that tenant.
        Conflict
            The account is disabled.
        """
        with self._ground.database.tenant(tenant_id) as session:
            user = the_user(session, user_id)
            if user.status != "active":
                raise Conflict("people.disabled")
            made = self._make(session, user, created_by=principal.user_id if principal else None)
            self._ground.audit.record(session, principal, action="user.password_link", object_type="user", object_id=user_id)
        url = self._letters.link("password", made.secret)
        sent = principal is not None and self._letters.password(made.email, made.tenant_name, url, made.expires_at)
        return Link(made.id, None if sent else url, sent, made.expires_at)

    def reset(self, text: str, *, password: str) -> None:
        """Give the link's person another password; ends their sessions, and whatever they waited for.

        Raises
        ------
        LinkInvalid
            Unknown, expired or used.
        BadInput
            The password is too weak.
        """
        secret = read_secret("dpw", text)
        if secret is None:
            raise LinkInvalid(log="password link: malformed")
        with self._ground.database.tenant(secret.tenant_id, read_only=True) as session:
            email = self._find(session, secret)[1].email
        check_rules(password, email=email)
        hashed = self._ground.passwords.hash(password)
        with self._ground.database.tenant(secret.tenant_id) as session:
            user = the_user_locked(session, self._find(session, secret)[1].id)
            # Again, now that nobody else is at this person.
            reset, user = self._find(session, secret)
            reset.used_at = utc_now()
            user.hashed_password = hashed
            user.failed_logins, user.locked_until = 0, None
            session.flush()
            end_sessions(session, user)
            void_password_links(session, user)
            self._ground.audit.record(
                session, principal_of(user), action="user.password_reset", object_type="user", object_id=user.id
            )
        self._ground.states.forget(secret.tenant_id, user.id)

    def _find(self, session: ScopedSession, secret: Secret) -> tuple[PasswordReset, User]:
        statement = select(PasswordReset).where(
            PasswordReset.token_hash == secret.hash,
            PasswordReset.used_at.is_(None),
            PasswordReset.expires_at > utc_now(),
        )
        reset = session.scalars(statement).one_or_none()
        user = session.get(User, reset.user_id) if reset is not None else None
        tenant = session.get(Tenant, session.tenant_id)
        if reset is None or user is None or user.status != "active" or tenant is None or tenant.deleting_at is not None:
            raise LinkInvalid(log="password link: none that is open")
        return reset, user

    def _mail(self, tenant_id: str, user_id: str) -> None:
        with self._ground.database.tenant(tenant_id) as session:
            user = session.get(User, user_id)
            if user is None or user.status != "active":
                return
            recent = select(func.count()).select_from(PasswordReset)
            recent = recent.where(
                PasswordReset.user_id == user_id, PasswordReset.created_at > utc_now() - timedelta(hours=1)
            )
            if int(session.execute(recent).scalar_one()) >= _MAILS_PER_HOUR:
                return
            made = self._make(session, user, created_by=None)
            self._ground.audit.record(session, None, action="user.password_link", object_type="user", object_id=user_id)
        self._letters.password(made.email, made.tenant_name, self._letters.link("password", made.secret), made.expires_at)

    def _make(self, session: ScopedSession, user: User, *, created_by: str | None) -> _Made:
        long_ago = utc_now() - timedelta(days=1)
        over = delete(PasswordReset).where(PasswordReset.user_id == user.id, PasswordReset.created_at < long_ago)
        session.execute(over.execution_options(synchronize_session=False))
        secret = new_secret("dpw", session.tenant_id)
        expires_at = utc_now() + timedelta(minutes=self._ground.settings.password_reset_minutes)
        row = PasswordReset(user_id=user.id, token_hash=secret.hash, created_by=created_by, expires_at=expires_at)
        session.add(row)
        session.flush()
        tenant = session.get(Tenant, session.tenant_id)
        return _Made(row.id, secret, user.email, tenant.name, expires_at)
