"""The application's role on PostgreSQL: owns nothing, bypasses nothing, may do what its work needs and no more.

Two roles. The *owner* runs the migrations and owns every table; the *application* is what the service signs in as.
Grants are made from the live models after every migration (:func:`grant`, idempotent), so that a table added later
cannot be forgotten: privileges are no history, only the present matters. Rejected: grants inside the migrations (the
application's name is a setting), default privileges (they would give UPDATE on an append-only table), and letting the
service be the owner (it could drop its own walls).

:func:`problems` is asked before the service starts: a superuser, a role with BYPASSRLS or an owner would make row-level
security mean nothing, silently.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection, Table, inspect, text

from hub_config.database.base import Base
from hub_config.database.engine import new_engine, normal_url

_FUNCTIONS = ("datapilot_erase_audit(timestamptz, text)", "datapilot_erase_tenant()")


def privileges(table: str) -> tuple[str, ...]:
    """Return what the application may do with a table."""
    mapper = next(mapper for mapper in Base.registry.mappers if cast("Table", mapper.local_table).name == table)
    if mapper.class_.append_only:
        # An erasure is written by the owner's function alone.
        return ("SELECT", "INSERT") if table != "erasures" else ("SELECT",)
    # A tenant goes by the owner's function alone: its audit goes with it.
    return ("SELECT", "INSERT", "UPDATE") if table == "tenants" else ("SELECT", "INSERT", "UPDATE", "DELETE")


def grant(connection: Connection, application_url: str) -> None:
    """Make the application's role if it is missing, and give it exactly what it needs.

    Parameters
    ----------
    connection
        Of the owner; to make a role it needs CREATEROLE (else make the role first, with its password).
    application_url
        Its user and password are what a new role gets; a role that is there keeps its password.

    Raises
    ------
    ValueError
        The user is the owner.
    """
    application = normal_url(application_url)
    role = application.username
    if not role or role == connection.execute(text("SELECT current_user")).scalar_one():
        raise ValueError("the application's role is the owner's: give it a URL with a user of its own")
    name = connection.dialect.identifier_preparer.quote_identifier(role)
    if not connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}).scalar():
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT")
        if application.password:
            _set_password(connection, name, str(application.password))
    _grant_all(connection, name)


def _set_password(connection: Connection, name: str, password: str) -> None:
    # A role's password cannot be a bound parameter; PostgreSQL itself quotes the literal.
    literal = connection.execute(text("SELECT quote_literal(:password)"), {"password": password}).scalar_one()
    connection.exec_driver_sql(f"ALTER ROLE {name} PASSWORD {literal.replace('%', '%%')}")


def _grant_all(connection: Connection, name: str) -> None:
    database, schema = connection.execute(text("SELECT current_database(), current_schema()")).one()
    quote = connection.dialect.identifier_preparer.quote_identifier
    there = set(inspect(connection).get_table_names())
    statements = [
        f"GRANT CONNECT ON DATABASE {quote(database)} TO {name}",
        # A temporary table comes before the real one of its name, also for the owner's functions.
        f"REVOKE TEMPORARY ON DATABASE {quote(database)} FROM PUBLIC, {name}",
        f"REVOKE CREATE ON SCHEMA {quote(schema)} FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA {quote(schema)} TO {name}",
    ]
    for table in Base.metadata.tables:
        if table in there:
            statements.append(f"REVOKE ALL ON {quote(table)} FROM PUBLIC, {name}")
            statements.append(f"GRANT {', '.join(privileges(table))} ON {quote(table)} TO {name}")
    if "alembic_version" in there:
        statements += [f"REVOKE ALL ON alembic_version FROM PUBLIC, {name}", f"GRANT SELECT ON alembic_version TO {name}"]
    if "tenants" in there:
        statements += [f"GRANT EXECUTE ON FUNCTION {function} TO {name}" for function in _FUNCTIONS]
    for statement in statements:
        connection.exec_driver_sql(statement)


def problems(url: str) -> list[str]:
    """Return why the application's role must not be used as it is: codes, empty when all is well (and always on SQLite).

    ``superuser``, ``bypasses_row_security``, ``owns_tables`` (or belongs to a role that does), ``changes_audit``.
    """
    if normal_url(url).drivername == "sqlite":
        return []
    engine = new_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            row = connection.execute(
                text(
                    "SELECT r.rolsuper AS superuser, r.rolbypassrls AS bypasses_row_security, EXISTS ("
                    " SELECT 1 FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace"
                    " AND c.relkind IN ('r', 'p') AND pg_has_role(current_user, c.relowner, 'MEMBER')) AS owns_tables,"
                    " to_regclass('audit_events') IS NOT NULL AND ("
                    "  has_table_privilege('audit_events', 'UPDATE') OR has_table_privilege('audit_events', 'DELETE')"
                    "  OR has_table_privilege('audit_events', 'TRUNCATE')) AS changes_audit"
                    " FROM pg_roles r WHERE r.rolname = current_user"
                )
            ).mappings()
            return [name for name, wrong in row.one().items() if wrong]
    finally:
        engine.dispose()


@dataclass(frozen=True)
class ServerState:
    """What the operator's check asks of a PostgreSQL server.

    Attributes
    ----------
    unforced
        Tables of ours that row-level security does not hold, or not against their owner.
    tables
        How many it holds.
    skew_s
        The server's clock less this machine's, in seconds.
    """

    version: int
    unforced: tuple[str, ...]
    tables: int
    skew_s: float


def server_state(url: str) -> ServerState:
    """Ask a PostgreSQL server of the platform how it stands. Changes nothing."""
    engine = new_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            version, theirs = connection.execute(
                text("SELECT current_setting('server_version_num')::int, extract(epoch FROM clock_timestamp())::float8")
            ).one()
            skew_s = float(theirs) - time.time()
            forced: dict[str, bool] = {
                name: held
                for name, held in connection.execute(
                    text(
                        "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class"
                        " WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"
                    )
                )
                if name in Base.metadata.tables
            }
    finally:
        engine.dispose()
    return ServerState(version // 10_000, tuple(sorted(n for n, held in forced.items() if not held)), len(forced), skew_s)
