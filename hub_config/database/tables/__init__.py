"""Every table of the platform, one module a subject."""

from hub_config.database.tables.dashboards import (
    Dashboard,
    DashboardRight,
    DashboardSnapshot,
    DashboardVersion,
    PublicationRequest,
    Widget,
)
from hub_config.database.tables.data import DataSource, Job, SemanticLayer, SourceFile, VerifiedQuestion
from hub_config.database.tables.history import (
    AuditEvent,
    Conversation,
    ConversationTurn,
    Erasure,
    Feedback,
    Query,
    Quota,
    UsageCounter,
)
from hub_config.database.tables.people import (
    Invitation,
    PasswordReset,
    RefreshToken,
    Tenant,
    TenantKey,
    User,
    Workspace,
    WorkspaceMember,
    email_key,
)

__all__ = [
    "AuditEvent",
    "Conversation",
    "ConversationTurn",
    "Dashboard",
    "DashboardRight",
    "DashboardSnapshot",
    "DashboardVersion",
    "DataSource",
    "Erasure",
    "Feedback",
    "Invitation",
    "Job",
    "PasswordReset",
    "PublicationRequest",
    "Query",
    "Quota",
    "RefreshToken",
    "SemanticLayer",
    "SourceFile",
    "Tenant",
    "TenantKey",
    "UsageCounter",
    "User",
    "VerifiedQuestion",
    "Widget",
    "Workspace",
    "WorkspaceMember",
    "email_key",
]
