"""What every part of :class:`hub_config.people.People` works with, and the small acts they share."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import cast

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from datapilot_kernel.errors import BadInput
from hub_config.audit import Audit
from hub_config.database import Database, PasswordReset, RefreshToken, ScopedSession, Tenant, User, utc_now
from hub_config.errors import NotFound
from hub_config.people.mail import Mailer
from hub_config.people.passwords import Passwords
from hub_config.people.states import States
from hub_config.people.tokens import AccessTokens
from hub_config.principal import Audience, Principal, Role
from hub_config.settings import Settings

# One @, no space, no control character, nothing that a mail header reads as more than one address.
_EMAIL = re.compile(r"[^@\s<>,;:\"()\[\]\\\x00-\x1f\x7f]{1,64}@[^@\s<>,;:\"()\[\]\\\x00-\x1f\x7f]{1,190}")


@dataclass(frozen=True)
class Ground:
    """Settings, database, record and tools."""

    settings: Settings
    database: Database
    audit: Audit
    passwords: Passwords
    states: States
    tokens: AccessTokens
    mailer: Mailer


def clean_email(email: str) -> str:
    """Return an address without spaces around.

    Raises
    ------
    BadInput
        It cannot be one.
    """
    cleaned = unicodedata.normalize("NFC", email.strip())
    if _EMAIL.fullmatch(cleaned) is None or not cleaned.isprintable():
        raise BadInput("people.email_malformed")
    return cleaned


def principal_of(user: User, audience: Audience = "session") -> Principal:
    """Return the principal of a row that was just read or made."""
    return Principal(
        tenant_id=user.tenant_id,
        user_id=user.id,
        email=user.email,
        role=cast("Role", user.role),
        audience=audience,
        attributes={str(name): str(value) for name, value in user.attributes.items()},
    )


def the_user(session: ScopedSession, user_id: str) -> User:
    """Return a person of the session's tenant.

    Raises
    ------
    NotFound
        There is none with this id.
    """
    user = session.get(User, user_id)
    if user is None:
        raise NotFound(log="no such user")
    return cast("User", user)


def the_user_locked(session: ScopedSession, user_id: str) -> User:
    """Return a person, and let nobody else change them until the transaction ends.

    Whoever changes a person and what is theirs (tokens, links) takes the person first: nobody waits in a circle.
    """
    statement = select(User).where(User.id == user_id).with_for_update(key_share=True)
    user = session.scalars(statement.execution_options(populate_existing=True)).one_or_none()
    if user is None:
        raise NotFound(log="no such user")
    return user


def lock_tenant(session: ScopedSession) -> None:
    """Let changes of a tenant's people happen one after the other (rules that count people must not race).

    PostgreSQL locks the tenant's row, without hindering rows that refer to it; SQLite has one writer anyhow.
    """
    statement = select(Tenant.id).where(Tenant.id == session.tenant_id).with_for_update(key_share=True)
    session.execute(statement)


def end_sessions(session: ScopedSession, user: User, *, except_family: str | None = None) -> None:
    """End every session of a person: access tokens by the epoch, refresh tokens one by one."""
    user.session_epoch = user.session_epoch + 1
    statement = update(RefreshToken).where(RefreshToken.user_id == user.id, RefreshToken.revoked_at.is_(None))
    if except_family is not None:
        statement = statement.where(RefreshToken.family_id != except_family)
    session.execute(statement.values(revoked_at=utc_now()).execution_options(synchronize_session=False))


def void_password_links(session: ScopedSession, user: User) -> None:
    """Make every password link of a person worthless."""
    unused = delete(PasswordReset).where(PasswordReset.user_id == user.id, PasswordReset.used_at.is_(None))
    session.execute(unused.execution_options(synchronize_session=False))


def active_administrators(session: ScopedSession, *, besides: str) -> int:
    """Return how many active administrators the tenant has besides one person. Meaningful under :func:`lock_tenant`."""
    statement = select(func.count()).select_from(User)
    statement = statement.where(User.role == "administrator", User.status == "active", User.id != besides)
    return int(session.execute(statement).scalar_one())


def contains(columns: tuple[InstrumentedAttribute[str], ...], words: str) -> ColumnElement[bool]:
    """Return the condition that one of the columns contains the words, letter case aside."""
    return or_(*(column.icontains(words, autoescape=True) for column in columns))
