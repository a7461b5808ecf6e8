"""Signing in: an address and a password, in whichever tenants that address has an account.

What somebody outside can learn: nothing but « right » or « wrong ». An unknown address, a wrong password and a disabled
account get the same words, as many hashes (one, or one per account of the address), the same limits, and an answer that
takes the same time (:mod:`hub_config.people.work`). The names of the tenants are told to whoever gave the right
password for them.

Remaining risk: where registration is open anybody can make accounts of an address that is not theirs, in tenants of
their own. They see nothing by it; at most :data:`ACCOUNTS` of one address are tried at a sign-in that names no tenant,
oldest first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import case, or_, select, update

from datapilot_kernel.errors import BadInput
from hub_config.database import ScopedSession, Tenant, User, email_key, utc_now
from hub_config.errors import PlatformUnavailable, Unauthenticated
from hub_config.people.ground import Ground, principal_of
from hub_config.people.limits import Attempts, Windows, client_key, too_many
from hub_config.people.problems import ChooseTenant, WrongCredentials
from hub_config.people.sessions import Sessions, Tokens
from hub_config.principal import Principal

ACCOUNTS = 10

Begun = TypeVar("Begun")
Beginning = Callable[[ScopedSession, User, Tenant], Begun]
"""What a right password begins, in the transaction that counted it."""


@dataclass(frozen=True)
class _Account:
    tenant_id: str
    user_id: str
    hashed: str | None = field(repr=False)
    active: bool
    locked_until: datetime | None


class SigningIn:
    """Verifies passwords, and counts the wrong ones."""

    def __init__(self, ground: Ground, sessions: Sessions) -> None:
        self._ground = ground
        self._sessions = sessions
        settings = ground.settings
        self._unknown = Attempts(settings.login_attempts, settings.login_wait_seconds)
        self._clients = Windows(settings.login_attempts_per_address, settings.login_wait_seconds)

    def sign_in(
        self, *, email: str, password: str, tenant_id: str | None = None, client: str = "", label: str = ""
    ) -> Tokens:
        """Return the tokens of a new session.

        Parameters
        ----------
        tenant_id
            Which tenant, when the address has accounts in several.
        client
            The client's network address.
        label
            What the client calls itself, for the list of sessions.

        Raises
        ------
        WrongCredentials
            No such account, another password, a disabled account: nobody can tell which.
        ChooseTenant
            The password is right in several tenants.
        TooMany
            Too many wrong ones for this account or from this client.
        """
        return self.begin(
            lambda session, user, tenant: self._sessions.begin(session, user, label=label),
            email=email,
            password=password,
            tenant_id=tenant_id,
            client=client,
        )

    def begin(
        self, beginning: Beginning[Begun], *, email: str, password: str, tenant_id: str | None = None, client: str = ""
    ) -> Begun:
        """Verify a password as :meth:`sign_in` does, and return what the beginning makes for the person.

        The beginning runs in the transaction that records the sign-in: a session's tokens, a page's cookie, or what the
        hub is told.
        """
        client = client_key(client)
        self._clients.reserve(client)
        try:
            begun = self._sign_in(email_key(email), password, tenant_id, beginning)
        except (ChooseTenant, PlatformUnavailable):
            self._clients.give_back(client)  # the password was right, or was not looked at
            raise
        self._clients.give_back(client)
        return begun

    def confirm(self, principal: Principal, password: str) -> None:
        """Verify the caller's own password again, before something that cannot be undone; counted like a sign-in.

        Raises
        ------
        BadInput
            It is another.
        TooMany
            Too many wrong ones.
        """
        with self._ground.database.tenant(principal.tenant_id, read_only=True) as session:
            user = session.get(User, principal.user_id)
            account = _account(user) if user is not None else _NOBODY
        if account is not _NOBODY:
            self._reserve_all([account])
        if not self._is_right(account, password):
            raise BadInput("people.wrong_password", log="own password: wrong")
        self._give_back(account)

    def _sign_in(self, key: str, password: str, tenant_id: str | None, beginning: Beginning[Begun]) -> Begun:
        accounts = self._accounts(key, tenant_id) if key else []
        if accounts:
            self._reserve_all(accounts)
        else:
            self._unknown.reserve((key, tenant_id))
        right = [account for account in accounts or [_NOBODY] if self._is_right(account, password)]
        if not right:
            self._record_refusals(accounts)
            raise WrongCredentials(log="sign-in refused")
        if len(right) > 1:
            for account in right:
                self._give_back(account)
            raise ChooseTenant(self._tenants(right))
        return self._begin(right[0], password, beginning)

    def _accounts(self, key: str, tenant_id: str | None) -> list[_Account]:
        with self._ground.database.sign_in(key) as session:
            users = session.scalars(select(User).order_by(User.created_at, User.id)).all()
            found = [_account(user) for user in users]
        if tenant_id is not None:
            return [account for account in found if account.tenant_id == tenant_id]
        return found[:ACCOUNTS]

    def _is_right(self, account: _Account, password: str) -> bool:
        right = self._ground.passwords.verify(account.hashed, password)
        return right and account.active

    def _reserve_all(self, accounts: list[_Account]) -> None:
        now = utc_now()
        locked = [account.locked_until for account in accounts if account.locked_until and account.locked_until > now]
        if locked:
            raise too_many((max(locked) - now).total_seconds())
        for account in accounts:
            self._reserve(account, now)

    def _reserve(self, account: _Account, now: datetime) -> None:
        """Count an attempt in the account's row, in one statement: a hundred at once are counted one by one."""
        settings = self._ground.settings
        attempts = case((User.locked_until.is_not(None), 1), else_=User.failed_logins + 1)
        until = now + timedelta(seconds=settings.login_wait_seconds)
        statement = (
            update(User)
            .where(User.id == account.user_id, or_(User.locked_until.is_(None), User.locked_until <= now))
            .values(failed_logins=attempts, locked_until=case((attempts >= settings.login_attempts, until), else_=None))
            .execution_options(synchronize_session=False)
        )
        with self._ground.database.tenant(account.tenant_id) as session:
            counted = session.execute(statement).rowcount  # type: ignore[attr-defined]
        if not counted:
            raise too_many(settings.login_wait_seconds)

    def _give_back(self, account: _Account) -> None:
        statement = update(User).where(User.id == account.user_id).values(failed_logins=0, locked_until=None)
        with self._ground.database.tenant(account.tenant_id) as session:
            session.execute(statement.execution_options(synchronize_session=False))

    def _begin(self, account: _Account, password: str, beginning: Beginning[Begun]) -> Begun:
        old = account.hashed
        rehashed = self._ground.passwords.hash(password) if old and self._ground.passwords.needs_rehash(old) else None
        with self._ground.database.tenant(account.tenant_id) as session:
            statement = select(User).where(User.id == account.user_id).with_for_update(key_share=True)
            user = session.scalars(statement).one_or_none()
            tenant = session.get(Tenant, account.tenant_id)
            # Between the look and the hash the person may have been disabled, or have got another password.
            if (
                user is None
                or user.status != "active"
                or user.hashed_password != old
                or tenant is None
                or tenant.deleting_at
            ):
                raise WrongCredentials(log="sign-in refused: changed meanwhile")
            user.failed_logins, user.locked_until, user.last_login_at = 0, None, utc_now()
            user.hashed_password = rehashed or old
            begun = beginning(session, user, tenant)
            self._ground.audit.record(
                session, principal_of(user), action="session.begin", object_type="user", object_id=user.id
            )
        return begun

    def _record_refusals(self, accounts: list[_Account]) -> None:
        for account in accounts:
            with self._ground.database.tenant(account.tenant_id) as session:
                self._ground.audit.record(
                    session, None, action="session.refused", object_type="user", object_id=account.user_id
                )

    def _tenants(self, accounts: list[_Account]) -> list[dict[str, str]]:
        found = []
        for account in accounts:
            with self._ground.database.tenant(account.tenant_id, read_only=True) as session:
                tenant = session.get(Tenant, account.tenant_id)
                if tenant is not None and tenant.deleting_at is None:
                    found.append({"id": tenant.id, "name": tenant.name})
        if not found:
            raise Unauthenticated(log="every tenant is being deleted")
        return sorted(found, key=lambda tenant: (tenant["name"].casefold(), tenant["id"]))


_NOBODY = _Account("", "", None, active=False, locked_until=None)


def _account(user: User) -> _Account:
    active = user.status == "active"
    return _Account(user.tenant_id, user.id, user.hashed_password if active else None, active, user.locked_until)
