"""Dashboards, their tiles, their versions, who sees them and who asks for them to be published."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub_config.database.base import ID_LENGTH, Base, Identified, belongs_to, one_of, secret
from hub_config.database.tables.people import ROLES
from hub_config.database.types import utc_now


class Dashboard(Identified, Base):
    """A dashboard as it is being edited; what viewers see is its published version."""

    __tablename__ = "dashboards"
    workspace_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    name: Mapped[str]
    layout_json: Mapped[dict[str, Any]] = mapped_column(default=dict)
    status: Mapped[str] = mapped_column(default="draft")
    # No foreign key: the version has one to its dashboard, and SQLite cannot add the second side of a circle.
    published_version_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
    refresh_json: Mapped[dict[str, Any] | None]
    widgets: Mapped[list[Widget]] = relationship(
        back_populates="dashboard", order_by="Widget.position", cascade="all, delete-orphan", passive_deletes=True
    )
    __table_args__ = (
        one_of("status", "draft", "published"),
        belongs_to("workspaces", "workspace_id", on_delete=None),
        Index(None, "tenant_id", "workspace_id"),
    )


class Widget(Identified, Base):
    """A tile: a plan and how it is drawn."""

    __tablename__ = "widgets"
    dashboard_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    title: Mapped[str] = mapped_column(default="")
    query_json: Mapped[dict[str, Any]]
    chart_type: Mapped[str]
    position: Mapped[int] = mapped_column(default=0)
    dashboard: Mapped[Dashboard] = relationship(back_populates="widgets")
    __table_args__ = (belongs_to("dashboards", "dashboard_id"), Index(None, "tenant_id", "dashboard_id"))


class DashboardVersion(Identified, Base):
    """A dashboard as it was published once: plans and code, never outputs."""

    __tablename__ = "dashboard_versions"
    dashboard_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    number: Mapped[int]
    content_json: Mapped[dict[str, Any]]
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    __table_args__ = (belongs_to("dashboards", "dashboard_id"), UniqueConstraint("tenant_id", "dashboard_id", "number"))


class DashboardSnapshot(Identified, Base):
    """A version's page made for one set of rights (:mod:`hub_config.snapshots`), and how far its next one is.

    ``attributes_key``: whose attributes; ``rights_key``: those, and the sources as they stood. ``attempt``: who makes it
    now, until ``leased_until``. ``sealed_by``: the tenant's key that what is encrypted here needs.
    """

    __tablename__ = "dashboard_snapshots"
    dashboard_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    version: Mapped[int]
    attributes_key: Mapped[str]
    rights_key: Mapped[str]
    state: Mapped[str] = mapped_column(default="queued")
    asked_by: Mapped[str | None]
    asked_at: Mapped[datetime] = mapped_column(default=utc_now)
    not_before: Mapped[datetime | None]
    attempt: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[datetime | None]
    cells_done: Mapped[int] = mapped_column(default=0)
    cells: Mapped[int] = mapped_column(default=0)
    sealed_by: Mapped[str | None]
    content_encrypted: Mapped[str | None] = secret()
    size_bytes: Mapped[int] = mapped_column(default=0)
    made_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    failure: Mapped[str | None]
    cell: Mapped[int | None]
    trace_encrypted: Mapped[str | None] = secret()
    __table_args__ = (
        one_of("state", "idle", "queued", "running"),
        belongs_to("dashboards", "dashboard_id"),
        # The usual name would be longer than PostgreSQL takes.
        UniqueConstraint("tenant_id", "dashboard_id", "version", "rights_key", name="uq_dashboard_snapshots_rights"),
        Index(None, "tenant_id", "state"),
    )


class DashboardRight(Identified, Base):
    """That one person, or everyone of a role, may open a dashboard."""

    __tablename__ = "dashboard_rights"
    dashboard_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    user_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    role: Mapped[str | None]
    __table_args__ = (
        one_of("role", *ROLES),
        CheckConstraint("(user_id IS NULL) <> (role IS NULL)", name="user_or_role"),
        belongs_to("dashboards", "dashboard_id"),
        belongs_to("users", "user_id"),
        UniqueConstraint("tenant_id", "dashboard_id", "user_id", "role"),
        Index(None, "tenant_id", "user_id"),
    )


class PublicationRequest(Identified, Base):
    """What a notebook asks for: that this content become a version. A person of the tenant decides."""

    __tablename__ = "publication_requests"
    dashboard_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    content_json: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(default="requested")
    requested_by: Mapped[str | None]
    requested_at: Mapped[datetime] = mapped_column(default=utc_now)
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    __table_args__ = (
        one_of("status", "requested", "accepted", "rejected"),
        belongs_to("dashboards", "dashboard_id"),
        Index(None, "tenant_id", "dashboard_id"),
        Index(None, "tenant_id", "status"),
    )
