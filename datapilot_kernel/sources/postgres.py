"""PostgreSQL through psycopg 3."""

from __future__ import annotations

from typing import Any

from datapilot_kernel.sources.location import DatabaseLocation


def connect_arguments(where: DatabaseLocation) -> dict[str, Any]:
    """Return psycopg's arguments for a location."""
    arguments: dict[str, Any] = {
        "host": where.host,
        "port": where.port,
        "dbname": where.database,
        "connect_timeout": where.connect_timeout_s,
        "application_name": "datapilot",
        "client_encoding": "UTF8",
        # A connection that a firewall forgot must not hold a question for two hours.
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    if where.user:
        arguments["user"] = where.user
    if where.password is not None:
        arguments["password"] = where.password
    for option in ("sslmode", "sslrootcert"):
        if option in where.options:
            arguments[option] = where.options[option]
    return arguments
