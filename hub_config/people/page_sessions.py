"""A browser's session on the pages: one secret in a cookie, one row, looked at on every request.

Not a token for the API: what stands in the cookie opens no route of ``/api`` (those take a bearer token), and no bearer
token, refresh token or token of the hub opens a page. Who is in it, and as what, is read anew each time, so that a person
who is disabled, deleted, signed out elsewhere or given a new password is out at once, in every process.

Kept in the table of refresh tokens, as a family of one that is never exchanged: whatever ends a person's sessions ends this
one too, and it stands in their list of sessions. It ends by itself after ``page_session_hours``, used or not; with a hub the
next sign-in is a redirect that nobody sees.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import BindParameter, Select, and_, bindparam, delete, select

from hub_config.database import RefreshToken, ScopedSession, Tenant, User, utc_now
from hub_config.database.base import new_id, table_of
from hub_config.errors import Unauthenticated
from hub_config.people.ground import Ground, principal_of
from hub_config.people.secrets import Secret, new_secret, read_secret
from hub_config.principal import Principal, Role


@dataclass(frozen=True)
class PageSession:
    """A session that has just begun."""

    text: str = field(repr=False)
    seconds: int


@dataclass(frozen=True)
class Visitor:
    """Who is in a session, as they are now.

    Attributes
    ----------
    session_id
        The session's own id among the person's sessions.
    has_logo
        Their organisation gave one.
    """

    principal: Principal
    session_id: str
    full_name: str = field(repr=False)
    tenant_name: str
    has_logo: bool = False


def _visitor() -> Select[Any]:
    # Every request to a page asks this: one statement, built once. Core's tables: each names the tenant.
    sessions, users, tenants = (table_of(model).c for model in (RefreshToken, User, Tenant))
    tenant: BindParameter[str] = bindparam("tenant")
    return (
        select(
            users.id, users.email, users.role, users.attributes, users.full_name, sessions.family_id, tenants.name,
            tenants.logo_type,
        )
        .select_from(
            table_of(RefreshToken)
            .join(table_of(User), and_(users.tenant_id == tenant, users.id == sessions.user_id))
            .join(table_of(Tenant), tenants.tenant_id == tenant)
        )
        .where(
            sessions.tenant_id == tenant,
            sessions.token_hash == bindparam("hash"),
            sessions.revoked_at.is_(None),
            sessions.expires_at > bindparam("now", type_=sessions.expires_at.type),
            users.status == "active",
            tenants.deleting_at.is_(None),
        )
    )  # fmt: skip


_VISITOR = _visitor()


class PageSessions:
    """Begins, recognises and ends browsers' sessions."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def begin(self, session: ScopedSession, user: User, *, label: str) -> PageSession:
        """Begin a session of a person (in the caller's transaction)."""
        over = delete(RefreshToken).where(RefreshToken.user_id == user.id, RefreshToken.expires_at < utc_now())
        session.execute(over.execution_options(synchronize_session=False))
        secret = new_secret("dps", session.tenant_id)
        life = timedelta(hours=self._ground.settings.page_session_hours)
        session.add(
            RefreshToken(
                user_id=user.id,
                family_id=new_id(),
                token_hash=secret.hash,
                expires_at=utc_now() + life,
                label=label[:100],
            )
        )
        return PageSession(secret.text, int(life.total_seconds()))

    def begin_by_hub(self, tenant_id: str, user_id: str, *, label: str) -> PageSession:
        """Begin a session of somebody whom the hub has just signed in, in this very browser.

        Raises
        ------
        Unauthenticated
            They are nobody active here.
        """
        with self._ground.database.tenant(tenant_id) as session:
            user = session.get(User, user_id)
            tenant = session.get(Tenant, tenant_id)
            if user is None or user.status != "active" or tenant is None or tenant.deleting_at is not None:
                raise Unauthenticated(log="sign-in by the hub: of nobody active here")
            begun = self.begin(session, user, label=label)
            self._ground.audit.record(
                session,
                principal_of(user),
                action="session.begin",
                object_type="user",
                object_id=user.id,
                details={"by": "hub"},
            )
        return begun

    def visitor(self, text: str) -> Visitor | None:
        """Return who is in the session of a cookie; None: it is none, or over.

        Raises
        ------
        PlatformUnavailable
            The platform's database is away.
        """
        secret = read_secret("dps", text)
        if secret is None:
            return None
        with self._ground.database.tenant(secret.tenant_id, read_only=True) as session:
            given = {"tenant": session.tenant_id, "hash": secret.hash, "now": utc_now()}
            row = session.execute(_VISITOR, given).one_or_none()
        if row is None:
            return None
        user_id, email, role, attributes, full_name, session_id, tenant_name, logo_type = row
        held = {str(name): str(value) for name, value in attributes.items()}
        principal = Principal(secret.tenant_id, user_id, email, cast("Role", role), "session", held)
        return Visitor(principal, session_id, full_name, tenant_name, logo_type is not None)

    def lives(self, tenant_id: str, session_id: str) -> bool:
        """Tell whether a session (:attr:`Visitor.session_id`) is still open.

        Raises
        ------
        PlatformUnavailable
            The platform's database is away.
        """
        with self._ground.database.tenant(tenant_id, read_only=True) as session:
            statement = select(RefreshToken.id).where(
                RefreshToken.family_id == session_id,
                RefreshToken.revoked_at.is_(None),
                RefreshToken.expires_at > utc_now(),
            )
            return session.scalars(statement).first() is not None

    def end(self, text: str) -> None:
        """End the session of a cookie; says nothing about whether there was one."""
        secret = read_secret("dps", text)
        if secret is None:
            return
        with self._ground.database.tenant(secret.tenant_id) as session:
            row = self._open(session, secret)
            if row is None:
                return
            row.revoked_at = utc_now()
            user = session.get(User, row.user_id)
            if user is not None:
                self._ground.audit.record(
                    session, principal_of(user), action="session.end", object_type="user", object_id=user.id
                )

    def _open(self, session: ScopedSession, secret: Secret) -> RefreshToken | None:
        statement = select(RefreshToken).where(
            RefreshToken.token_hash == secret.hash,
            RefreshToken.revoked_at.is_(None),
            RefreshToken.expires_at > utc_now(),
        )
        return session.scalars(statement).one_or_none()
