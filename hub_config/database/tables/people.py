"""Tenants and people: who belongs where, and what proves it."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub_config.database.base import ID_LENGTH, Base, Identified, Tenanted, belongs_to, new_id, one_of, secret
from hub_config.database.types import utc_now

ROLES = ("administrator", "analyst", "viewer")


def email_key(email: str) -> str:
    """Return what two spellings of one address have in common (NFKC, case folded, no spaces around).

    >>> email_key(" Zoé.Martin@Example.FR ")
    'zoé.martin@example.fr'
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email.strip()).casefold())


class Tenant(Tenanted, Base):
    """One client company. Its row is its own tenant's: ``tenant_id`` is ``id``."""

    __tablename__ = "tenants"
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    id: Mapped[str] = mapped_column(String(ID_LENGTH), default=new_id)
    name: Mapped[str]
    slug: Mapped[str]
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    deleting_at: Mapped[datetime | None]
    # Up to 200 KiB: read only by whoever shows it.
    logo: Mapped[bytes | None] = mapped_column(LargeBinary(), deferred=True)
    logo_type: Mapped[str | None]
    __table_args__ = (
        CheckConstraint("tenant_id = id", name="own_tenant"),
        CheckConstraint("tenant_id <> ''", name="named"),
        UniqueConstraint("slug"),
    )

    def __init__(self, **values: Any) -> None:
        values.setdefault("id", values.get("tenant_id") or new_id())
        values.setdefault("tenant_id", values["id"])
        super().__init__(**values)


class User(Identified, Base):
    """A person of one tenant. The same address may belong to several tenants: those are several people.

    ``company_issuer`` and ``company_subject``: who their company's sign-in says they are, once they came that way. An
    address may pass to somebody else, that never does.
    """

    __tablename__ = "users"
    email: Mapped[str]
    email_key: Mapped[str]
    hashed_password: Mapped[str | None] = secret()
    full_name: Mapped[str] = mapped_column(default="")
    role: Mapped[str]
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    status: Mapped[str] = mapped_column(default="active")
    session_epoch: Mapped[int] = mapped_column(default=0)
    failed_logins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    last_login_at: Mapped[datetime | None]
    company_issuer: Mapped[str | None]
    company_subject: Mapped[str | None]
    __table_args__ = (
        one_of("role", *ROLES),
        one_of("status", "active", "disabled"),
        CheckConstraint("email_key <> ''", name="email_key"),
        UniqueConstraint("tenant_id", "email_key"),
        Index(None, "tenant_id", "company_issuer", "company_subject", unique=True),
        Index(None, "email_key"),
    )


class RefreshToken(Identified, Base):
    """One refresh token of a family; the family ends when one of them is used twice."""

    __tablename__ = "refresh_tokens"
    user_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    family_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    token_hash: Mapped[str] = secret()
    issued_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    label: Mapped[str] = mapped_column(default="")
    __table_args__ = (
        belongs_to("users", "user_id"),
        UniqueConstraint("tenant_id", "token_hash"),
        Index(None, "tenant_id", "family_id"),
        Index(None, "tenant_id", "user_id"),
        Index(None, "tenant_id", "expires_at"),
    )


class Invitation(Identified, Base):
    """An invitation by link. The link carries the tenant: its row can be read in that tenant's session."""

    __tablename__ = "invitations"
    email: Mapped[str]
    role: Mapped[str]
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    workspace_ids: Mapped[list[str]] = mapped_column(default=list)
    token_hash: Mapped[str] = secret()
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    __table_args__ = (one_of("role", *ROLES), UniqueConstraint("tenant_id", "token_hash"))


class PasswordReset(Identified, Base):
    """A link that lets one person choose a new password, once."""

    __tablename__ = "password_resets"
    user_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    token_hash: Mapped[str] = secret()
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    __table_args__ = (
        belongs_to("users", "user_id"),
        UniqueConstraint("tenant_id", "token_hash"),
        Index(None, "tenant_id", "user_id"),
    )


class TenantKey(Identified, Base):
    """A tenant's own encryption key, wrapped by the platform's. Gone with the tenant: what it encrypted is gone too."""

    __tablename__ = "tenant_keys"
    wrapped_key: Mapped[str] = secret()
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    retired_at: Mapped[datetime | None]


class Workspace(Identified, Base):
    """A named corner of a tenant, such as a department: groups sources and dashboards, and has members."""

    __tablename__ = "workspaces"
    name: Mapped[str]
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)


class WorkspaceMember(Tenanted, Base):
    """That a person sees a workspace."""

    __tablename__ = "workspace_members"
    workspace_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    __table_args__ = (
        belongs_to("workspaces", "workspace_id"),
        belongs_to("users", "user_id"),
        Index(None, "tenant_id", "user_id"),
    )
