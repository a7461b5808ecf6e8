"""The platform's own database: its tables, sessions that always work for someone, and its migrations."""

from hub_config.database.counters import add_usage, usage
from hub_config.database.engine import Database
from hub_config.database.erasure import delete_tenant, erase_audit, export_tenant
from hub_config.database.migration import migrate
from hub_config.database.roles import problems
from hub_config.database.session import ScopedSession
from hub_config.database.tables import *  # noqa: F403
from hub_config.database.tables import __all__ as _tables
from hub_config.database.types import utc_now
from hub_config.database.wall import Unscoped

__all__ = [
    "Database",
    "ScopedSession",
    "Unscoped",
    "add_usage",
    "delete_tenant",
    "erase_audit",
    "export_tenant",
    "migrate",
    "problems",
    "usage",
    "utc_now",
    *_tables,
]
