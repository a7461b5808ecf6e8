"""MySQL 8 and MariaDB through PyMySQL."""

from __future__ import annotations

from typing import Any

from datapilot_kernel.sources.location import DatabaseLocation


def connect_arguments(where: DatabaseLocation) -> dict[str, Any]:
    """Return PyMySQL's arguments for a location: no local files, one statement at a time."""
    arguments: dict[str, Any] = {
        "host": where.host,
        "port": where.port,
        "database": where.database,
        "user": where.user,
        "password": where.password or "",
        "charset": "utf8mb4",
        "connect_timeout": where.connect_timeout_s,
        "local_infile": False,
        "client_flag": 0,
        "program_name": "datapilot",
    }
    mode = where.options.get("ssl_mode", "").upper()
    if mode in {"REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"} or "ssl_ca" in where.options:
        arguments["ssl"] = {"ca": where.options.get("ssl_ca")}
        arguments["ssl_verify_cert"] = mode in {"VERIFY_CA", "VERIFY_IDENTITY"}
        arguments["ssl_verify_identity"] = mode == "VERIFY_IDENTITY"
    return arguments
