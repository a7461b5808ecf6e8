"""The platform's database: it answers, is migrated, its two roles are two, and every table is behind row-level security."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from datapilot_kernel.errors import DataPilotError
from hub_config.doctor import Finding, Installation, ok, problem, warning


def look(installation: Installation) -> Iterator[Finding]:
    """Look at the database. Nothing is migrated."""
    from hub_config.database import Database
    from hub_config.database.roles import problems, server_state

    settings = installation.settings
    url, admin = settings.resolved_database_url(), settings.database_admin_url
    if url.startswith("sqlite"):
        if not (settings.data_dir / "platform.sqlite3").is_file():
            yield ok("database", "database_new")
            return
        yield (problem if settings.mode == "production" else warning)("database", "database_sqlite")
    database = Database(url, admin_url=admin.get_secret_value() if admin else None, pool_size=1)
    host = urlsplit(url).hostname or "SQLite"
    try:
        database.ping()
        current = database.is_current()
    except DataPilotError:
        yield problem("database", "database_away", host=host)
        return
    finally:
        database.dispose()
    yield ok("database", "database", host=host)
    yield ok("migration", "migration") if current else problem("migration", "migration_missing")
    if url.startswith("sqlite"):
        return
    for code in problems(url):
        yield problem("role", f"role_{code}")
    if admin is None or urlsplit(admin.get_secret_value()).username == urlsplit(url).username:
        yield problem("role", "role_same")
    state = server_state(url)
    if state.unforced:
        yield problem("row_security", "row_security_missing", tables=", ".join(state.unforced[:5]))
    elif current:
        yield ok("row_security", "row_security", count=state.tables)
    if abs(state.skew_s) > 5:
        yield problem("clock_database", "clock_skew", who=host, seconds=round(abs(state.skew_s)))
    if state.version < 14:
        yield warning("database_version", "database_old", version=state.version)
