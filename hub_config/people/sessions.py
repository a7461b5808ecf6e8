"""Sessions: an access token, and a refresh token that is exchanged for the next pair, once.

Each refresh token belongs to a *family* (one sign-in). Its use marks it used and makes its one successor, issued at the
very moment the other was used. A token that is used again ends the whole family: two hold it, and nobody can tell which
is the thief.

One exception, of :data:`GRACE_S`: a client whose answer got lost on the way asks again with the token it still has. As
long as the successor has not been used, it is revoked and another is made. A thief gains nothing: of the two that now
hold a successor, the one with the revoked one ends the family when it comes. Rejected: answering the same successor
twice (it would have to be kept in clear) and letting both live (a theft within the grace would never show).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import delete, select, update

from hub_config.database import RefreshToken, ScopedSession, Tenant, User, utc_now
from hub_config.database.base import new_id
from hub_config.errors import NotFound, Unauthenticated
from hub_config.people.ground import Ground, end_sessions, principal_of, the_user_locked
from hub_config.people.secrets import new_secret, read_secret
from hub_config.principal import Audience, Principal, Role

GRACE_S = 10


@dataclass(frozen=True)
class Tokens:
    """What a signed-in client holds.

    Attributes
    ----------
    refresh_token
        None for a notebook's token: it is exchanged anew.
    """

    access_token: str = field(repr=False)
    expires_in_s: int
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_in_s: int | None = None
    tenant_id: str = ""
    user_id: str = ""
    role: Role = "viewer"


@dataclass(frozen=True)
class OpenSession:
    """A session that can go on.

    Attributes
    ----------
    label
        What its client called itself.
    refreshed_at
        When its refresh token was issued last.
    """

    id: str
    label: str
    refreshed_at: datetime
    expires_at: datetime


class Sessions:
    """Begins, refreshes and ends sessions."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def begin(self, session: ScopedSession, user: User, *, label: str) -> Tokens:
        """Begin a session of a person (in the caller's transaction)."""
        return self._issue(session, user, family_id=new_id(), at=utc_now(), label=label)

    def access(self, user: User, audience: Audience = "session") -> Tokens:
        """Return an access token alone."""
        role = cast("Role", user.role)
        token, seconds = self._ground.tokens.issue(
            tenant_id=user.tenant_id, user_id=user.id, role=role, epoch=user.session_epoch, audience=audience
        )
        return Tokens(token, seconds, tenant_id=user.tenant_id, user_id=user.id, role=role)

    def refresh(self, text: str) -> Tokens:
        """Exchange a refresh token for the next pair.

        Raises
        ------
        Unauthenticated
            Unknown, expired, revoked, or used before (which ends its family); or the person is disabled.
        """
        secret = read_secret("dpr", text)
        if secret is None:
            raise Unauthenticated(log="refresh token: malformed")
        with self._ground.database.tenant(secret.tenant_id) as session:
            tokens, ended = self._refresh(session, secret.hash)
        if ended is not None:
            self._ground.states.forget(secret.tenant_id, ended)
        if tokens is None:
            raise Unauthenticated(log="refresh token: not accepted")
        return tokens

    def end(self, text: str) -> None:
        """End the session that a refresh token belongs to; says nothing about whether there was one.

        Its access tokens end at once, by the epoch: the person's other sessions notice by having to refresh.
        """
        secret = read_secret("dpr", text)
        if secret is None:
            return
        with self._ground.database.tenant(secret.tenant_id) as session:
            token = self._find(session, secret.hash)
            if token is None or token.revoked_at is not None:
                return
            user = the_user_locked(session, token.user_id)
            self._revoke_family(session, token.family_id)
            user.session_epoch = user.session_epoch + 1
            self._ground.audit.record(
                session, principal_of(user), action="session.end", object_type="user", object_id=user.id
            )
        self._ground.states.forget(secret.tenant_id, user.id)

    def list(self, principal: Principal) -> list[OpenSession]:
        """Return the caller's open sessions, the one refreshed last first."""
        statement = select(RefreshToken).where(
            RefreshToken.user_id == principal.user_id,
            RefreshToken.used_at.is_(None),
            RefreshToken.revoked_at.is_(None),
            RefreshToken.expires_at > utc_now(),
        )
        with self._ground.database.tenant(principal.tenant_id, read_only=True) as session:
            rows = session.scalars(statement.order_by(RefreshToken.issued_at.desc(), RefreshToken.id)).all()
        return [OpenSession(row.family_id, row.label, row.issued_at, row.expires_at) for row in rows]

    def end_one(self, principal: Principal, session_id: str) -> None:
        """End one of the caller's sessions, or raise :class:`~hub_config.errors.NotFound`."""
        if session_id not in {one.id for one in self.list(principal)}:
            raise NotFound(log="no such session of this person")
        with self._ground.database.tenant(principal.tenant_id) as session:
            user = the_user_locked(session, principal.user_id)
            self._revoke_family(session, session_id)
            user.session_epoch = user.session_epoch + 1
            self._ground.audit.record(session, principal, action="session.end", object_type="user", object_id=user.id)
        self._ground.states.forget(principal.tenant_id, principal.user_id)

    def end_all(self, principal: Principal) -> None:
        """End every session of the caller, this one and notebooks' tokens included."""
        with self._ground.database.tenant(principal.tenant_id) as session:
            user = the_user_locked(session, principal.user_id)
            end_sessions(session, user)
            self._ground.audit.record(
                session, principal, action="session.end_all", object_type="user", object_id=principal.user_id
            )
        self._ground.states.forget(principal.tenant_id, principal.user_id)

    def _refresh(self, session: ScopedSession, token_hash: str) -> tuple[Tokens | None, str | None]:
        """Return the next pair or None, and whose sessions were ended; what it changes stays (so it does not raise)."""
        token = self._find(session, token_hash)
        if token is None:
            return None, None
        # One refresh of a person at a time: two with the same token do not both find it unused.
        user = the_user_locked(session, token.user_id)
        session.refresh(token)
        tenant = session.get(Tenant, session.tenant_id)
        now = utc_now()
        if user.status != "active" or tenant is None or tenant.deleting_at is not None or token.expires_at <= now:
            return None, None
        if token.revoked_at is not None or (token.used_at is not None and not self._was_lost(session, token, now)):
            return None, user.id if self._reuse(session, user, token) else None
        token.used_at = token.used_at or now
        return self._issue(session, user, family_id=token.family_id, at=token.used_at, label=token.label), None

    def _was_lost(self, session: ScopedSession, token: RefreshToken, now: datetime) -> bool:
        """Tell whether this may be a client whose answer got lost; if so its successor is revoked."""
        used_at = token.used_at
        if used_at is None or now - used_at > timedelta(seconds=GRACE_S):
            return False
        successor = session.scalars(
            select(RefreshToken).where(
                RefreshToken.family_id == token.family_id,
                RefreshToken.issued_at == used_at,
                RefreshToken.id != token.id,
                RefreshToken.used_at.is_(None),
                RefreshToken.revoked_at.is_(None),
            )
        ).one_or_none()
        if successor is None:
            return False
        successor.revoked_at = now
        return True

    def _reuse(self, session: ScopedSession, user: User, token: RefreshToken) -> bool:
        """End the family; access tokens already issued to whoever has them end too, by the epoch. False: it was over."""
        alive = session.scalars(
            select(RefreshToken.id).where(
                RefreshToken.family_id == token.family_id,
                RefreshToken.revoked_at.is_(None),
                RefreshToken.used_at.is_(None),
            )
        ).first()
        if alive is None:
            return False  # somebody signed out knocks again
        self._revoke_family(session, token.family_id)
        user.session_epoch = user.session_epoch + 1
        self._ground.audit.record(session, None, action="session.reuse_detected", object_type="user", object_id=user.id)
        return True

    def _find(self, session: ScopedSession, token_hash: str) -> RefreshToken | None:
        return session.scalars(select(RefreshToken).where(RefreshToken.token_hash == token_hash)).one_or_none()

    def _revoke_family(self, session: ScopedSession, family_id: str) -> None:
        statement = update(RefreshToken).where(RefreshToken.family_id == family_id, RefreshToken.revoked_at.is_(None))
        session.execute(statement.values(revoked_at=utc_now()).execution_options(synchronize_session=False))

    def _issue(self, session: ScopedSession, user: User, *, family_id: str, at: datetime, label: str) -> Tokens:
        over = delete(RefreshToken).where(RefreshToken.user_id == user.id, RefreshToken.expires_at < utc_now())
        session.execute(over.execution_options(synchronize_session=False))
        secret = new_secret("dpr", session.tenant_id)
        days = timedelta(days=self._ground.settings.refresh_token_days)
        session.add(
            RefreshToken(
                user_id=user.id,
                family_id=family_id,
                token_hash=secret.hash,
                issued_at=at,
                expires_at=utc_now() + days,
                label=label[:100],
            )
        )
        access = self.access(user)
        return Tokens(
            access.access_token,
            access.expires_in_s,
            secret.text,
            int(days.total_seconds()),
            access.tenant_id,
            access.user_id,
            access.role,
        )
