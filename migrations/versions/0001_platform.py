"""The platform's tables as of the first release, their row-level security, and the road by which an audit may be erased.

Audit events are append-only for the application. They go in two ways, both through an *erasure*, a row that says up to
when and who asked: retention (the row stays as the record) and the deletion of the tenant (which takes the row along).
On PostgreSQL the application's role may not delete them: two functions of the owner do, for the tenant of the session
and no other. On SQLite the triggers let a row go only while an erasure that covers it is open.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.protection import append_only, is_postgresql, protect

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(32)
MOMENT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

# In the order of their foreign keys.
TABLES = (
    "tenants",
    "audit_events",
    "erasures",
    "invitations",
    "queries",
    "quotas",
    "tenant_keys",
    "usage_counters",
    "users",
    "workspaces",
    "dashboards",
    "data_sources",
    "feedback",
    "password_resets",
    "refresh_tokens",
    "workspace_members",
    "conversations",
    "dashboard_rights",
    "dashboard_versions",
    "jobs",
    "publication_requests",
    "semantic_layers",
    "source_files",
    "verified_questions",
    "widgets",
    "conversation_turns",
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tenants",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("slug", sa.Text, nullable=False),
        sa.Column("settings", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("deleting_at", MOMENT, nullable=True),
        sa.CheckConstraint("tenant_id <> ''", name="ck_tenants_named"),
        sa.CheckConstraint("tenant_id = id", name="ck_tenants_own_tenant"),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_tenants"),
        sa.UniqueConstraint("slug", name="uq_tenants_slug"),
    )
    op.create_table(
        "audit_events",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor_id", sa.Text, nullable=True),
        sa.Column("actor_email", sa.Text, nullable=True),
        sa.Column("audience", sa.Text, nullable=True),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("object_type", sa.Text, nullable=True),
        sa.Column("object_id", sa.Text, nullable=True),
        sa.Column("query_id", sa.Text, nullable=True),
        sa.Column("data_source_id", sa.Text, nullable=True),
        sa.Column("question", sa.Text, nullable=True),
        sa.Column("sql", sa.Text, nullable=True),
        sa.Column("tables", DOCUMENT, nullable=True),
        sa.Column("outcome", sa.Text, nullable=True),
        sa.Column("row_count", sa.BigInteger, nullable=True),
        sa.Column("duration_ms", sa.BigInteger, nullable=True),
        sa.Column("cost_microeuros", sa.BigInteger, nullable=True),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.Column("request_id", sa.Text, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_audit_events_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_audit_events"),
    )
    op.create_index("ix_audit_events_tenant_id_action_at", "audit_events", ["tenant_id", "action", "at"])
    op.create_index("ix_audit_events_tenant_id_actor_id_at", "audit_events", ["tenant_id", "actor_id", "at"])
    op.create_index("ix_audit_events_tenant_id_at", "audit_events", ["tenant_id", "at"])
    op.create_table(
        "erasures",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("before", MOMENT, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("requested_by", sa.Text, nullable=True),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("erased_rows", sa.BigInteger, nullable=True),
        sa.CheckConstraint("reason IN ('retention', 'tenant')", name="ck_erasures_reason"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_erasures_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_erasures"),
    )
    op.create_table(
        "invitations",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("attributes", DOCUMENT, nullable=False),
        sa.Column("workspace_ids", DOCUMENT, nullable=False),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("accepted_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.CheckConstraint("role IN ('administrator', 'analyst', 'viewer')", name="ck_invitations_role"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_invitations_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_invitations"),
        sa.UniqueConstraint("tenant_id", "token_hash", name="uq_invitations_tenant_id_token_hash"),
    )
    op.create_table(
        "queries",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("data_source_id", ID, nullable=False),
        sa.Column("conversation_id", ID, nullable=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("question", sa.Text, nullable=True),
        sa.Column("plan_json", DOCUMENT, nullable=True),
        sa.Column("engine", sa.Text, nullable=True),
        sa.Column("outcome", sa.Text, nullable=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("trust", sa.Text, nullable=True),
        sa.Column("reason", sa.Text, nullable=True),
        sa.Column("incident", sa.Text, nullable=True),
        sa.Column("sql", sa.Text, nullable=True),
        sa.Column("tables", DOCUMENT, nullable=False),
        sa.Column("row_count", sa.BigInteger, nullable=True),
        sa.Column("cache_hit", sa.Boolean, nullable=False),
        sa.Column("timings_ms", DOCUMENT, nullable=False),
        sa.Column("model", DOCUMENT, nullable=True),
        sa.Column("cost_microeuros", sa.BigInteger, nullable=False),
        sa.Column("today", sa.Date, nullable=True),
        sa.Column("audience", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.CheckConstraint("kind IN ('ask', 'plan', 'sql', 'frame')", name="ck_queries_kind"),
        sa.CheckConstraint("outcome IN ('answer', 'clarification', 'refusal', 'failure')", name="ck_queries_outcome"),
        sa.CheckConstraint("status IN ('waiting', 'running', 'done', 'cancelled', 'failed')", name="ck_queries_status"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_queries_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_queries"),
    )
    op.create_index("ix_queries_tenant_id_created_at", "queries", ["tenant_id", "created_at"])
    op.create_index("ix_queries_tenant_id_status", "queries", ["tenant_id", "status"])
    op.create_index("ix_queries_tenant_id_user_id_created_at", "queries", ["tenant_id", "user_id", "created_at"])
    op.create_table(
        "quotas",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_quotas_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "key", name="pk_quotas"),
    )
    op.create_table(
        "tenant_keys",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("wrapped_key", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_tenant_keys_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_tenant_keys"),
    )
    op.create_table(
        "usage_counters",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_usage_counters_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "day", "key", name="pk_usage_counters"),
    )
    op.create_table(
        "users",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_key", sa.Text, nullable=False),
        sa.Column("hashed_password", sa.Text, nullable=True),
        sa.Column("full_name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("attributes", DOCUMENT, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("session_epoch", sa.BigInteger, nullable=False),
        sa.Column("failed_logins", sa.BigInteger, nullable=False),
        sa.Column("locked_until", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_login_at", MOMENT, nullable=True),
        sa.CheckConstraint("email_key <> ''", name="ck_users_email_key"),
        sa.CheckConstraint("role IN ('administrator', 'analyst', 'viewer')", name="ck_users_role"),
        sa.CheckConstraint("status IN ('active', 'disabled')", name="ck_users_status"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_users_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_users"),
        sa.UniqueConstraint("tenant_id", "email_key", name="uq_users_tenant_id_email_key"),
    )
    op.create_index("ix_users_email_key", "users", ["email_key"])
    op.create_table(
        "workspaces",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("settings", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_workspaces_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_workspaces"),
        sa.UniqueConstraint("tenant_id", "name", name="uq_workspaces_tenant_id_name"),
    )
    op.create_table(
        "dashboards",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("layout_json", DOCUMENT, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("published_version_id", ID, nullable=True),
        sa.Column("created_by", sa.Text, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint("status IN ('draft', 'published')", name="ck_dashboards_status"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "workspace_id"],
            ["workspaces.tenant_id", "workspaces.id"],
            name="fk_dashboards_tenant_id_workspace_id",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_dashboards_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_dashboards"),
    )
    op.create_index("ix_dashboards_tenant_id_workspace_id", "dashboards", ["tenant_id", "workspace_id"])
    op.create_table(
        "data_sources",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("connection_config_encrypted", sa.Text, nullable=True),
        sa.Column("options", DOCUMENT, nullable=False),
        sa.Column("schema_cache", DOCUMENT, nullable=True),
        sa.Column("catalog_version", sa.Text, nullable=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("problem_code", sa.Text, nullable=True),
        sa.Column("refreshed_at", MOMENT, nullable=True),
        sa.Column("created_by", sa.Text, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.CheckConstraint("type IN ('postgres', 'mysql', 'files')", name="ck_data_sources_type"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "workspace_id"],
            ["workspaces.tenant_id", "workspaces.id"],
            name="fk_data_sources_tenant_id_workspace_id",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_data_sources_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_data_sources"),
        sa.UniqueConstraint("tenant_id", "name", name="uq_data_sources_tenant_id_name"),
    )
    op.create_index("ix_data_sources_tenant_id_workspace_id", "data_sources", ["tenant_id", "workspace_id"])
    op.create_table(
        "feedback",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("query_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("plan_json", DOCUMENT, nullable=True),
        sa.Column("sql", sa.Text, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "query_id"],
            ["queries.tenant_id", "queries.id"],
            name="fk_feedback_tenant_id_query_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_feedback_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_feedback"),
    )
    op.create_index("ix_feedback_tenant_id_query_id", "feedback", ["tenant_id", "query_id"])
    op.create_table(
        "password_resets",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name="fk_password_resets_tenant_id_user_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_password_resets_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_password_resets"),
        sa.UniqueConstraint("tenant_id", "token_hash", name="uq_password_resets_tenant_id_token_hash"),
    )
    op.create_index("ix_password_resets_tenant_id_user_id", "password_resets", ["tenant_id", "user_id"])
    op.create_table(
        "refresh_tokens",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("family_id", ID, nullable=False),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name="fk_refresh_tokens_tenant_id_user_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_refresh_tokens_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_refresh_tokens"),
        sa.UniqueConstraint("tenant_id", "token_hash", name="uq_refresh_tokens_tenant_id_token_hash"),
    )
    op.create_index("ix_refresh_tokens_tenant_id_expires_at", "refresh_tokens", ["tenant_id", "expires_at"])
    op.create_index("ix_refresh_tokens_tenant_id_family_id", "refresh_tokens", ["tenant_id", "family_id"])
    op.create_index("ix_refresh_tokens_tenant_id_user_id", "refresh_tokens", ["tenant_id", "user_id"])
    op.create_table(
        "workspace_members",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name="fk_workspace_members_tenant_id_user_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "workspace_id"],
            ["workspaces.tenant_id", "workspaces.id"],
            name="fk_workspace_members_tenant_id_workspace_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_workspace_members_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "user_id", name="pk_workspace_members"),
    )
    op.create_index("ix_workspace_members_tenant_id_user_id", "workspace_members", ["tenant_id", "user_id"])
    op.create_table(
        "conversations",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("data_source_id", ID, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "data_source_id"],
            ["data_sources.tenant_id", "data_sources.id"],
            name="fk_conversations_tenant_id_data_source_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name="fk_conversations_tenant_id_user_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_conversations_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_conversations"),
    )
    op.create_index("ix_conversations_tenant_id_data_source_id", "conversations", ["tenant_id", "data_source_id"])
    op.create_index("ix_conversations_tenant_id_user_id_updated_at", "conversations", ["tenant_id", "user_id", "updated_at"])
    op.create_table(
        "dashboard_rights",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("dashboard_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("role", sa.Text, nullable=True),
        sa.CheckConstraint("role IN ('administrator', 'analyst', 'viewer')", name="ck_dashboard_rights_role"),
        sa.CheckConstraint("(user_id IS NULL) <> (role IS NULL)", name="ck_dashboard_rights_user_or_role"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "dashboard_id"],
            ["dashboards.tenant_id", "dashboards.id"],
            name="fk_dashboard_rights_tenant_id_dashboard_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name="fk_dashboard_rights_tenant_id_user_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_dashboard_rights_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_dashboard_rights"),
        sa.UniqueConstraint(
            "tenant_id", "dashboard_id", "user_id", "role", name="uq_dashboard_rights_tenant_id_dashboard_id_user_id_role"
        ),
    )
    op.create_index("ix_dashboard_rights_tenant_id_user_id", "dashboard_rights", ["tenant_id", "user_id"])
    op.create_table(
        "dashboard_versions",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("dashboard_id", ID, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("content_json", DOCUMENT, nullable=False),
        sa.Column("created_by", sa.Text, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "dashboard_id"],
            ["dashboards.tenant_id", "dashboards.id"],
            name="fk_dashboard_versions_tenant_id_dashboard_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_dashboard_versions_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_dashboard_versions"),
        sa.UniqueConstraint(
            "tenant_id", "dashboard_id", "number", name="uq_dashboard_versions_tenant_id_dashboard_id_number"
        ),
    )
    op.create_table(
        "jobs",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("data_source_id", ID, nullable=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("progress", DOCUMENT, nullable=False),
        sa.Column("problem_code", sa.Text, nullable=True),
        sa.Column("incident", sa.Text, nullable=True),
        sa.Column("created_by", sa.Text, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint("status IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="ck_jobs_status"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "data_source_id"],
            ["data_sources.tenant_id", "data_sources.id"],
            name="fk_jobs_tenant_id_data_source_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_jobs_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_tenant_id_data_source_id", "jobs", ["tenant_id", "data_source_id"])
    op.create_index("ix_jobs_tenant_id_status", "jobs", ["tenant_id", "status"])
    op.create_table(
        "publication_requests",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("dashboard_id", ID, nullable=True),
        sa.Column("content_json", DOCUMENT, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("requested_by", sa.Text, nullable=True),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.CheckConstraint("status IN ('requested', 'accepted', 'rejected')", name="ck_publication_requests_status"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "dashboard_id"],
            ["dashboards.tenant_id", "dashboards.id"],
            name="fk_publication_requests_tenant_id_dashboard_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_publication_requests_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_publication_requests"),
    )
    op.create_index("ix_publication_requests_tenant_id_dashboard_id", "publication_requests", ["tenant_id", "dashboard_id"])
    op.create_index("ix_publication_requests_tenant_id_status", "publication_requests", ["tenant_id", "status"])
    op.create_table(
        "semantic_layers",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("data_source_id", ID, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("definitions_json", DOCUMENT, nullable=False),
        sa.Column("created_by", sa.Text, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("accepted_by", sa.Text, nullable=True),
        sa.Column("accepted_at", MOMENT, nullable=True),
        sa.CheckConstraint("status IN ('draft', 'accepted', 'superseded', 'rejected')", name="ck_semantic_layers_status"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "data_source_id"],
            ["data_sources.tenant_id", "data_sources.id"],
            name="fk_semantic_layers_tenant_id_data_source_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_semantic_layers_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_semantic_layers"),
        sa.UniqueConstraint(
            "tenant_id", "data_source_id", "number", name="uq_semantic_layers_tenant_id_data_source_id_number"
        ),
    )
    op.create_table(
        "source_files",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("data_source_id", ID, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("options", DOCUMENT, nullable=False),
        sa.Column("created_by", sa.Text, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "data_source_id"],
            ["data_sources.tenant_id", "data_sources.id"],
            name="fk_source_files_tenant_id_data_source_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_source_files_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_source_files"),
        sa.UniqueConstraint("tenant_id", "data_source_id", "name", name="uq_source_files_tenant_id_data_source_id_name"),
    )
    op.create_table(
        "verified_questions",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("data_source_id", ID, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("question_key", sa.Text, nullable=False),
        sa.Column("plan_json", DOCUMENT, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("proposed_by", sa.Text, nullable=True),
        sa.Column("decided_by", sa.Text, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.CheckConstraint("status IN ('proposed', 'approved', 'rejected')", name="ck_verified_questions_status"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "data_source_id"],
            ["data_sources.tenant_id", "data_sources.id"],
            name="fk_verified_questions_tenant_id_data_source_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_verified_questions_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_verified_questions"),
    )
    op.create_index(
        "ix_verified_questions_tenant_id_data_source_id_question_key",
        "verified_questions",
        ["tenant_id", "data_source_id", "question_key"],
    )
    op.create_index("ix_verified_questions_tenant_id_status", "verified_questions", ["tenant_id", "status"])
    op.create_table(
        "widgets",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("dashboard_id", ID, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("query_json", DOCUMENT, nullable=False),
        sa.Column("chart_type", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "dashboard_id"],
            ["dashboards.tenant_id", "dashboards.id"],
            name="fk_widgets_tenant_id_dashboard_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name="fk_widgets_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_widgets"),
    )
    op.create_index("ix_widgets_tenant_id_dashboard_id", "widgets", ["tenant_id", "dashboard_id"])
    op.create_table(
        "conversation_turns",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("plan_json", DOCUMENT, nullable=True),
        sa.Column("sql", sa.Text, nullable=True),
        sa.Column("asked_back", sa.Text, nullable=True),
        sa.Column("query_id", ID, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name="fk_conversation_turns_tenant_id_conversation_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_conversation_turns_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_conversation_turns"),
        sa.UniqueConstraint(
            "tenant_id", "conversation_id", "position", name="uq_conversation_turns_tenant_id_conversation_id_position"
        ),
    )
    for table in TABLES:
        protect(table)
    covered = "SELECT 1 FROM erasures e WHERE e.tenant_id = OLD.tenant_id AND e.finished_at IS NULL AND OLD.at < e.before"
    append_only("audit_events", deletion_if=f"EXISTS ({covered})")
    if is_postgresql():
        _open_doors()


def _open_doors() -> None:
    """Make what crosses the policy on purpose: a sign-in, the operator's list, and the two erasures."""
    op.execute(
        "CREATE POLICY sign_in ON users FOR SELECT "
        "USING (email_key = nullif(current_setting('datapilot.sign_in', true), ''))"
    )
    schema = op.get_bind().execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
    # Only the owner, who runs this, gets the operator's list: the application's role can say the word, and nothing opens.
    op.execute(
        "CREATE POLICY operator ON tenants FOR SELECT TO CURRENT_USER "
        "USING (current_setting('datapilot.operator', true) = 'on')"
    )
    op.execute(
        f"""
        CREATE FUNCTION datapilot_erase_audit(erase_before timestamptz, asked_by text) RETURNS bigint
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
        DECLARE
            tenant text := current_setting('datapilot.tenant_id');
            erased bigint;
        BEGIN
            IF erase_before > now() - interval '1 day' THEN
                RAISE EXCEPTION 'the audit of the last day is not erased' USING ERRCODE = '22023';
            END IF;
            DELETE FROM audit_events WHERE tenant_id = tenant AND at < erase_before;
            GET DIAGNOSTICS erased = ROW_COUNT;
            INSERT INTO erasures (tenant_id, id, before, reason, requested_by, started_at, finished_at, erased_rows)
            VALUES (tenant, replace(gen_random_uuid()::text, '-', ''), erase_before, 'retention', asked_by,
                    now(), clock_timestamp(), erased);
            RETURN erased;
        END $$
        """  # noqa: S608 (an identifier that PostgreSQL quoted)
    )
    op.execute(
        f"""
        CREATE FUNCTION datapilot_erase_tenant() RETURNS bigint
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
        DECLARE
            tenant text := current_setting('datapilot.tenant_id');
            erased bigint;
        BEGIN
            -- Asked for first, done afterwards: never by one stray call.
            DELETE FROM tenants WHERE tenant_id = tenant AND deleting_at IS NOT NULL;
            GET DIAGNOSTICS erased = ROW_COUNT;
            RETURN erased;
        END $$
        """  # noqa: S608 (an identifier that PostgreSQL quoted)
    )
    for function in ("datapilot_erase_audit(timestamptz, text)", "datapilot_erase_tenant()"):
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")


def downgrade() -> None:
    """Drop them."""
    if is_postgresql():
        op.execute("DROP FUNCTION datapilot_erase_tenant()")
        op.execute("DROP FUNCTION datapilot_erase_audit(timestamptz, text)")
    else:
        # The triggers would hold the rows back.
        op.execute("DROP TRIGGER audit_events_no_delete")
        op.execute("DROP TRIGGER audit_events_no_update")
    for table in reversed(TABLES):
        op.drop_table(table)
