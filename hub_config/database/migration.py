"""Migrations, run in process from the package: no ``alembic.ini``, no path, no command line.

One call is one transaction on both engines: killed in the middle, it never happened. Two services that start together
do not migrate twice: the second waits for the first (an advisory lock on PostgreSQL, the file's write lock on SQLite)
and finds nothing left to do.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from hub_config.database.engine import new_engine
from hub_config.database.roles import grant

# Alembic keeps the migration that runs in a module of its own: one at a time in a process.
_in_this_process = threading.Lock()
_LOCK = 7_308_324_465_745_711_470


def _config(**attributes: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    config.attributes.update(attributes)
    return config


@cache
def head() -> str:
    """Return the newest revision this program knows."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def migrate(url: str, revision: str = "head", *, application_url: str | None = None) -> None:
    """Bring the platform's database to a revision, up or down.

    Parameters
    ----------
    url
        Of the owner (PostgreSQL) or the file (SQLite).
    revision
        ``head``, ``base`` or a revision's id.
    application_url
        PostgreSQL: of the application's role, which is made if it is missing and granted what it needs
        (:func:`hub_config.database.roles.grant`). None: grants stay as they are.

    Raises
    ------
    PlatformUnavailable
        The database is away, or another migration holds it for too long.
    """
    with _in_this_process, _locked(url) as connection:
        config = _config(connection=connection)
        script = ScriptDirectory.from_config(config)
        down = revision == "base" or (revision != "head" and _is_below(script, revision, connection))
        (command.downgrade if down else command.upgrade)(config, revision)
        if application_url is not None and connection.dialect.name == "postgresql":
            grant(connection, application_url)


def _is_below(script: ScriptDirectory, revision: str, connection: Connection) -> bool:
    from alembic.migration import MigrationContext

    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        return False
    return revision in {found.revision for found in script.iterate_revisions(current, "base")}


@contextmanager
def _locked(url: str) -> Iterator[Connection]:
    """Open the one transaction of a migration; others wait outside."""
    engine = new_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                # Tables are rebuilt to be altered: references are checked at the end instead, all of them.
                connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SET LOCAL lock_timeout = '60s'"))
                    connection.execute(text("SET LOCAL statement_timeout = 0"))
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                yield connection
                if connection.dialect.name == "sqlite":
                    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                    if broken:
                        raise RuntimeError(f"the migration broke references of {sorted({row[0] for row in broken})}")
    finally:
        engine.dispose()
