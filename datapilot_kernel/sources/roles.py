"""What a source's account may do beyond reading, and the SQL for an account that may not.

The read-only transaction stops a write whatever the account may do; an account that can read the server's files or
stop other people's queries needs no write. So the connection test says what it found, and the setup page gives the
operator statements to run as administrator.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from datapilot_kernel.sources.model import RoleFinding

if TYPE_CHECKING:
    from datapilot_kernel.sources.mysql import MysqlSource
    from datapilot_kernel.sources.postgres import PostgresSource

_SHOWN = 5

_POSTGRES_ATTRIBUTES = """
SELECT bool_or(rolsuper), bool_or(rolcreaterole), bool_or(rolcreatedb), bool_or(rolreplication), bool_or(rolbypassrls),
       coalesce(string_agg(rolname, ', ' ORDER BY rolname) FILTER (WHERE rolname IN (
           'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program', 'pg_signal_backend',
           'pg_write_all_data', 'pg_maintain', 'pg_create_subscription', 'pg_checkpoint')), '')
FROM pg_catalog.pg_roles WHERE rolname = current_user OR pg_catalog.pg_has_role(current_user, oid, 'MEMBER')
"""
_POSTGRES_TABLES = """
SELECT n.nspname || '.' || c.relname, pg_catalog.pg_has_role(current_user, c.relowner, 'MEMBER')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'
  AND (pg_catalog.has_table_privilege(current_user, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
       OR pg_catalog.has_any_column_privilege(current_user, c.oid, 'INSERT, UPDATE')
       OR pg_catalog.pg_has_role(current_user, c.relowner, 'MEMBER'))
ORDER BY 1
"""
_POSTGRES_CREATE = """
SELECT n.nspname FROM pg_catalog.pg_namespace n
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
  AND pg_catalog.has_schema_privilege(current_user, n.oid, 'CREATE') ORDER BY 1
"""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f"… ({len(names)})" if len(names) > _SHOWN else "")


def postgres_findings(source: PostgresSource) -> tuple[RoleFinding, ...]:
    """Ask a PostgreSQL server what the role can do."""
    superuser, roles, databases, replication, rls, predefined = source.introspect_rows(_POSTGRES_ATTRIBUTES)[0]
    if superuser:
        return (RoleFinding("sources.role_superuser"),)
    findings = []
    for held, right in ((roles, "CREATEROLE"), (databases, "CREATEDB"), (replication, "REPLICATION"), (rls, "BYPASSRLS")):
        if held:
            findings.append(RoleFinding("sources.role_right", {"right": right}))
    if predefined:
        findings.append(RoleFinding("sources.role_member", {"roles": predefined}))
    tables = source.introspect_rows(_POSTGRES_TABLES)
    owned = [name for name, is_owner in tables if is_owner]
    written = [name for name, is_owner in tables if not is_owner]
    if owned:
        findings.append(RoleFinding("sources.role_owner", {"tables": _some(owned)}))
    if written:
        findings.append(RoleFinding("sources.role_writes", {"tables": _some(written)}))
    schemas = [name for (name,) in source.introspect_rows(_POSTGRES_CREATE)]
    if schemas:
        findings.append(RoleFinding("sources.role_creates", {"schemas": _some(schemas)}, serious=False))
    return tuple(findings)


_GRANT = re.compile(r"^GRANT (?P<rights>.+?) ON (?:(?:TABLE|FUNCTION|PROCEDURE|PACKAGE) )?(?P<on>\S+) TO ", re.IGNORECASE)
_HARMLESS = {"SELECT", "USAGE", "SHOW VIEW"}
_WRITES = {
    "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "TRIGGER", "REFERENCES", "CREATE VIEW", "EVENT",
    "CREATE ROUTINE", "ALTER ROUTINE", "EXECUTE", "LOCK TABLES", "CREATE TEMPORARY TABLES", "DELETE HISTORY",
}  # fmt: skip


def mysql_findings(source: MysqlSource) -> tuple[RoleFinding, ...]:
    """Ask a MySQL or MariaDB server what the account can do."""
    findings = []
    for (grant,) in source.introspect_rows("SHOW GRANTS"):
        findings += _mysql_grant(grant)
    if not source.has_named_time_zone:
        findings.append(RoleFinding("sources.role_no_time_zones", serious=False))
    return tuple(_distinct(findings))


def _distinct(findings: Sequence[RoleFinding]) -> list[RoleFinding]:
    kept: list[RoleFinding] = []
    for finding in findings:
        if finding not in kept:
            kept.append(finding)
    return kept


def _mysql_grant(grant: str) -> list[RoleFinding]:
    match = _GRANT.match(grant)
    if match is None:
        return []
    on = match["on"].replace("`", "").replace("\\", "")
    # "SELECT (a, b), UPDATE (c)": the columns say nothing about which rights these are.
    rights = {part.strip().upper() for part in re.sub(r"\([^)]*\)", "", match["rights"]).split(",")}
    everywhere = on == "*.*"
    findings = []
    if everywhere and rights & {"ALL PRIVILEGES", "SUPER"}:
        return [RoleFinding("sources.role_superuser")]
    if "ALL PRIVILEGES" in rights:
        findings.append(RoleFinding("sources.role_writes", {"tables": on}))
    if "FILE" in rights:
        findings.append(RoleFinding("sources.role_files"))
    if everywhere and "SELECT" in rights:
        findings.append(RoleFinding("sources.role_reads_everything"))
    written = sorted(rights & _WRITES)
    if written:
        findings.append(RoleFinding("sources.role_rights_on", {"rights": _some(written), "on": on}))
    others = sorted(rights - _WRITES - _HARMLESS - {"ALL PRIVILEGES", "FILE", "PROXY"})
    if others:
        findings.append(RoleFinding("sources.role_right", {"right": _some(others)}))
    if "WITH GRANT OPTION" in grant.upper():
        findings.append(RoleFinding("sources.role_right", {"right": "GRANT OPTION"}))
    return findings


Engine = Literal["postgres", "mysql", "mariadb"]


def least_privilege_sql(
    engine: Engine,
    database: str,
    *,
    role: str = "datapilot_lecture",
    schemas: Sequence[str] = ("public",),
    tables: Sequence[str] | None = None,
    client_host: str = "%",
) -> str:
    """Return the statements that make an account which can read and nothing else; an administrator runs them.

    The password is left to the operator: ``«mot de passe»`` stands in its place. Run on MySQL 8: not tried here.

    Parameters
    ----------
    schemas
        PostgreSQL only.
    tables
        ``table`` or ``schema.table``; None: every table of the schemas or the database, later ones included.
    client_host
        MySQL and MariaDB: from where the account may connect.
    """
    if engine == "postgres":
        return _postgres_role(database, role, schemas, tables)
    return _mysql_role(engine, database, role, tables, client_host)


def _postgres_role(database: str, role: str, schemas: Sequence[str], tables: Sequence[str] | None) -> str:
    def name(*parts: str) -> str:
        return ".".join('"' + part.replace('"', '""') + '"' for part in parts)

    who = name(role)
    lines = [
        f"CREATE ROLE {who} LOGIN PASSWORD '«mot de passe»'",
        "    NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT CONNECTION LIMIT 20;",
        f"ALTER ROLE {who} SET default_transaction_read_only = on;",
        f"ALTER ROLE {who} SET statement_timeout = '60s';",
        f"ALTER ROLE {who} SET lock_timeout = '5s';",
        f"ALTER ROLE {who} SET idle_in_transaction_session_timeout = '2min';",
        f"GRANT CONNECT ON DATABASE {name(database)} TO {who};",
    ]
    for schema in schemas:
        lines.append(f"GRANT USAGE ON SCHEMA {name(schema)} TO {who};")
        if tables is None:
            lines.append(f"GRANT SELECT ON ALL TABLES IN SCHEMA {name(schema)} TO {who};")
            lines.append(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {name(schema)} GRANT SELECT ON TABLES TO {who};")
    for table in tables or ():
        schema, _, bare = table.rpartition(".")
        lines.append(f"GRANT SELECT ON TABLE {name(schema or schemas[0], bare)} TO {who};")
    if "public" in schemas:
        lines.append("-- PostgreSQL 14 and before let everyone create tables in the schema public:")
        lines.append("REVOKE CREATE ON SCHEMA public FROM PUBLIC;")
    return "\n".join(lines) + "\n"


def _mysql_role(engine: Engine, database: str, role: str, tables: Sequence[str] | None, client_host: str) -> str:
    def text(value: str) -> str:
        return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"

    def name(value: str) -> str:
        return "`" + value.replace("`", "``") + "`"

    who = f"{text(role)}@{text(client_host)}"
    bound = " MAX_STATEMENT_TIME 60" if engine == "mariadb" else ""
    # In GRANT ON db.*, "_" and "%" in the database's name are wildcards.
    pattern = database.replace("_", "\\_").replace("%", "\\%")
    lines = [f"CREATE USER {who} IDENTIFIED BY '«mot de passe»' WITH MAX_USER_CONNECTIONS 20{bound};"]
    if tables is None:
        lines.append(f"GRANT SELECT, SHOW VIEW ON {name(pattern)}.* TO {who};")
    for table in tables or ():
        lines.append(f"GRANT SELECT, SHOW VIEW ON {name(database)}.{name(table.rpartition('.')[2])} TO {who};")
    return "\n".join(lines) + "\n"
