"""The tenant's data as the platform knows it: sources, their files, their layers, the questions approved over them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub_config.database.base import ID_LENGTH, Base, Identified, belongs_to, one_of, secret
from hub_config.database.types import utc_now


class DataSource(Identified, Base):
    """A connected database or set of files.

    ``status`` is the data source manager's word (``new``, ``ready``, ``failed``…); ``revision`` grows with every change of
    the connection, so that a pool or a cache of before is not used after.
    """

    __tablename__ = "data_sources"
    workspace_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    name: Mapped[str]
    type: Mapped[str]
    connection_config_encrypted: Mapped[str | None] = secret()
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    schema_cache: Mapped[dict[str, Any] | None]
    catalog_version: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="new")
    problem_code: Mapped[str | None]
    refreshed_at: Mapped[datetime | None]
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
    revision: Mapped[int] = mapped_column(default=1)
    __table_args__ = (
        one_of("type", "postgres", "mysql", "files"),
        # A workspace that still groups something is not deleted under it.
        belongs_to("workspaces", "workspace_id", on_delete=None),
        UniqueConstraint("tenant_id", "name"),
        Index(None, "tenant_id", "workspace_id"),
    )


class SourceFile(Identified, Base):
    """One uploaded file of a source of files."""

    __tablename__ = "source_files"
    data_source_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    name: Mapped[str]
    size_bytes: Mapped[int]
    sha256: Mapped[str]
    status: Mapped[str]
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    __table_args__ = (
        belongs_to("data_sources", "data_source_id"),
        UniqueConstraint("tenant_id", "data_source_id", "name"),
    )


class SemanticLayer(Identified, Base):
    """One version of what a source means; at most one of a source is accepted."""

    __tablename__ = "semantic_layers"
    data_source_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    number: Mapped[int]
    status: Mapped[str] = mapped_column(default="draft")
    definitions_json: Mapped[dict[str, Any]]
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    accepted_by: Mapped[str | None]
    accepted_at: Mapped[datetime | None]
    __table_args__ = (
        one_of("status", "draft", "accepted", "superseded", "rejected"),
        belongs_to("data_sources", "data_source_id"),
        UniqueConstraint("tenant_id", "data_source_id", "number"),
    )


class VerifiedQuestion(Identified, Base):
    """A question and the plan someone proposed for it; once approved its answers are « verified »."""

    __tablename__ = "verified_questions"
    data_source_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    question: Mapped[str]
    question_key: Mapped[str]
    plan_json: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(default="proposed")
    proposed_by: Mapped[str | None]
    decided_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    decided_at: Mapped[datetime | None]
    __table_args__ = (
        one_of("status", "proposed", "approved", "rejected"),
        belongs_to("data_sources", "data_source_id"),
        Index(None, "tenant_id", "data_source_id", "question_key"),
        Index(None, "tenant_id", "status"),
    )


class Job(Identified, Base):
    """Work in the background, and how far it has come."""

    __tablename__ = "jobs"
    kind: Mapped[str]
    data_source_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    status: Mapped[str] = mapped_column(default="queued")
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    problem_code: Mapped[str | None]
    incident: Mapped[str | None]
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
    __table_args__ = (
        one_of("status", "queued", "running", "done", "failed", "cancelled"),
        belongs_to("data_sources", "data_source_id"),
        Index(None, "tenant_id", "status"),
        Index(None, "tenant_id", "data_source_id"),
    )
