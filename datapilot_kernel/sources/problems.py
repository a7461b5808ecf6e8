"""Engines' errors, translated: a class and an SQLSTATE (or error number) become a key of our catalogue, and nothing more.

An engine's text quotes values of rows the reader may not see, names of tables that do not exist for them, and hosts. So
no translated error carries it: not in its message, not in ``repr``, not in ``log``, and not as ``__cause__``. What the
log gets is the class and the SQLSTATE. The one thing taken out of a text is the kind of a failed *connection*, because
libpq gives no SQLSTATE for it.

What was rejected: a default for whatever is not in the tables. A fallback exists, so that a new server's new error is
still one sentence, but a test walks every error class of the three drivers and fails on one that only the fallback takes.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.sources.model import Dialect

# PostgreSQL: whole SQLSTATEs first, then their two-character classes.
POSTGRES_STATES: Final[dict[str, str]] = {
    "28P01": "wrong_password",
    "28000": "wrong_password",
    "3D000": "database_missing",
    "53300": "too_many_connections",
    "57P03": "server_starting",
    "57014": "timeout",
    "57P05": "connection_lost",
    "25P03": "connection_lost",
    "25P04": "timeout",
    "55P03": "locked",
    "25006": "read_only",
    "42501": "no_permission",
    "42P01": "object_missing",
    "42703": "object_missing",
    "42704": "object_missing",
    "42883": "object_missing",
    "42P02": "statement_rejected",
    "3F000": "object_missing",
    "22012": "division_by_zero",
    "22003": "out_of_range",
    "22008": "out_of_range",
    "21000": "several_rows",
    "0A000": "unsupported",
    "53100": "out_of_resources",
    "53200": "out_of_resources",
}
POSTGRES_CLASSES: Final[dict[str, str]] = {
    "02": "server_refused", "03": "server_refused", "08": "connection_lost", "09": "server_refused",
    "0A": "unsupported", "0B": "statement_rejected", "0F": "server_refused", "0L": "no_permission",
    "0P": "no_permission", "0Z": "server_refused", "10": "server_refused", "20": "statement_rejected",
    "21": "several_rows", "22": "bad_value", "23": "statement_rejected", "24": "server_refused",
    "25": "server_refused", "26": "server_refused", "27": "server_refused", "28": "wrong_password",
    "2B": "server_refused", "2D": "server_refused", "2F": "server_refused", "34": "server_refused",
    "38": "server_refused", "39": "server_refused", "3B": "server_refused", "3D": "database_missing",
    "3F": "object_missing", "40": "conflict", "42": "statement_rejected", "44": "statement_rejected",
    "53": "out_of_resources", "54": "too_complex", "55": "locked", "57": "connection_lost",
    "58": "server_fault", "72": "conflict", "F0": "server_fault", "HV": "foreign_data", "P0": "server_refused",
    "XX": "server_fault",
}  # fmt: skip

MYSQL_CODES: Final[dict[int, str]] = {
    1044: "no_permission_database", 1045: "wrong_password", 1698: "wrong_password", 1862: "wrong_password",
    1820: "wrong_password", 3118: "wrong_password", 4151: "wrong_password", 1130: "host_not_allowed",
    1129: "host_not_allowed", 1251: "authentication_method", 2059: "authentication_method", 1049: "database_missing",
    1040: "too_many_connections", 1203: "too_many_connections", 1226: "too_many_connections",
    2002: "unreachable", 2003: "unreachable", 2005: "unknown_host", 2026: "tls_unsupported",
    2006: "connection_lost", 2013: "connection_lost", 2014: "connection_lost", 2055: "connection_lost",
    1053: "connection_lost", 1152: "connection_lost", 1158: "connection_lost", 1159: "connection_lost",
    1160: "connection_lost", 1161: "connection_lost", 1184: "connection_lost", 1927: "connection_lost",
    1077: "connection_lost", 1079: "connection_lost", 4031: "connection_lost",
    1142: "no_permission", 1143: "no_permission", 1227: "no_permission", 1370: "no_permission", 1356: "no_permission",
    1146: "object_missing", 1054: "object_missing", 1051: "object_missing", 1305: "object_missing",
    1109: "object_missing", 1630: "object_missing", 1128: "object_missing",
    3024: "timeout", 1969: "timeout", 1317: "timeout", 1028: "timeout",
    1205: "locked", 1213: "conflict", 3572: "locked", 1412: "conflict", 1020: "conflict",
    1792: "read_only", 1290: "read_only", 1836: "read_only",
    1365: "division_by_zero", 1690: "out_of_range", 1264: "out_of_range", 1441: "out_of_range", 1242: "several_rows",
    1064: "statement_rejected", 1065: "statement_rejected", 1055: "statement_rejected", 1052: "statement_rejected",
    1222: "statement_rejected", 1267: "statement_rejected", 1111: "statement_rejected",
    1292: "bad_value", 1366: "bad_value", 1411: "bad_value", 1525: "bad_value", 3140: "bad_value", 1139: "bad_value",
    1037: "out_of_resources", 1038: "out_of_resources", 1041: "out_of_resources", 1114: "out_of_resources",
    1021: "out_of_resources", 1135: "out_of_resources", 3: "out_of_resources", 1301: "out_of_resources",
    1436: "too_complex", 1104: "too_complex", 1116: "too_complex", 1456: "too_complex", 3636: "too_complex",
    1390: "too_complex", 4078: "statement_rejected", 1235: "unsupported", 1296: "foreign_data", 1429: "foreign_data",
    1033: "server_fault", 1034: "server_fault", 1194: "server_fault", 1195: "server_fault", 1030: "server_fault",
    1105: "server_fault", 1153: "too_complex", 2020: "too_complex", 2027: "connection_lost",
}  # fmt: skip
# PyMySQL sorts whatever number it knows into these classes, most particular first.
MYSQL_CLASSES: Final[dict[str, str]] = {
    "DataError": "bad_value",
    "IntegrityError": "statement_rejected",
    "InternalError": "server_fault",
    "NotSupportedError": "unsupported",
    "ProgrammingError": "statement_rejected",
    "InterfaceError": "connection_lost",
    "OperationalError": "server_refused",
    "DatabaseError": "server_refused",
    "Error": "server_refused",
    "MySQLError": "server_refused",
    "Warning": "server_refused",
}

DUCKDB_CLASSES: Final[dict[str, str]] = {
    "BinderException": "statement_rejected", "CatalogException": "object_missing", "ConnectionException": "worker_lost",
    "ConstraintException": "statement_rejected", "ConversionException": "bad_value", "DataError": "bad_value",
    "DependencyException": "server_refused", "Error": "server_refused", "FatalException": "worker_lost",
    "HTTPException": "server_refused", "IOException": "file_unreadable", "IntegrityError": "statement_rejected",
    "InternalError": "server_fault", "InternalException": "server_fault", "InterruptException": "timeout",
    "InvalidInputException": "bad_value", "InvalidTypeException": "statement_rejected",
    "NotImplementedException": "unsupported", "NotSupportedError": "unsupported", "OperationalError": "server_refused",
    "OutOfMemoryException": "out_of_resources", "OutOfRangeException": "out_of_range",
    "ParserException": "statement_rejected", "PermissionException": "read_only", "ProgrammingError": "statement_rejected",
    "ResourceInUseException": "locked", "SequenceException": "server_refused", "SerializationException": "file_unreadable",
    "SyntaxException": "statement_rejected", "TransactionException": "server_refused",
    "TypeMismatchException": "statement_rejected", "Warning": "server_refused", "DatabaseError": "server_refused",
    "MemoryError": "out_of_resources", "UnicodeDecodeError": "bad_value",
}  # fmt: skip

# OpenSSL's numbers for why a certificate is not believed; the others are all about who signed it.
_CERTIFICATE_CODES: Final[dict[int, str]] = {
    9: "certificate_expired",
    10: "certificate_expired",
    62: "certificate_name",
    64: "certificate_name",
}

FALLBACK: Final = "server_refused"

# libpq's words for a connection that did not come about; the server's own part may be in the server's language.
_POSTGRES_CONNECT: Final[tuple[tuple[str, str], ...]] = (
    ("unknown_host", r"resolve host|translate host name|name or service not known|nodename nor servname|name resolution"),
    ("too_many_connections", r"too many (clients|connections)|connection slots|trop de (clients|connexions)"),
    ("too_many_connections", r"emplacements de connexion"),
    ("wrong_password", r"no password supplied|authentication failed|authentification .*(échou|echou)"),
    ("wrong_password", r"role .* (does not exist|is not permitted to log in)|le r[ôo]le .* n.existe pas|n.est pas autoris"),
    ("host_not_allowed", r"pg_hba\.conf"),
    ("database_missing", r"database .* does not exist|la base de donn[ée]es .* n.existe pas"),
    ("no_permission_database", r"permission denied for database|droit refus"),
    ("database_missing", r"not currently accepting connections|n.accepte plus (actuellement )?les connexions"),
    ("server_starting", r"is starting up|shutting down|in recovery mode|d[ée]marrage|arr[êe]t en cours"),
    ("certificate_name", r"certificate for .* does not match host name|does not match host name"),
    ("certificate_expired", r"certificate has expired|certificate is not yet valid"),
    ("certificate_untrusted", r"certificate verify failed"),
    ("tls_unsupported", r"does not support SSL"),
    # A cable cut under TLS: libpq says it of the encryption.
    ("connection_lost", r"SSL connection has been closed|connexion SSL a [ée]t[ée] ferm[ée]e|SSL SYSCALL|unexpected eof"),
    ("encryption", r"\bSSL\b|\bTLS\b|certificate|certificat|GSSAPI"),
    ("connection_lost", r"closed the connection unexpectedly|connection reset|ferm[ée] la connexion"),
    ("unreachable", r"refused|timeout|timed out|unreachable|no route|could not connect|connection failed|refus[ée]e"),
)

_DENIED_TABLE = re.compile(r'^permission denied for (?:table|view|relation|materialized view) "?([\w ]+?)"?$')


def postgres_key(error: Exception) -> str:
    """Return the catalogue's key for an error of psycopg."""
    state = getattr(error, "sqlstate", None)
    if state:
        return POSTGRES_STATES.get(state) or POSTGRES_CLASSES.get(state[:2], FALLBACK)
    import psycopg

    text = str(error)
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return "unreachable"
    if isinstance(error, psycopg.OperationalError):
        return next((k for k, words in _POSTGRES_CONNECT if re.search(words, text, re.IGNORECASE)), "connection_lost")
    if isinstance(error, psycopg.DataError):
        return "bad_value"
    if isinstance(error, psycopg.NotSupportedError):
        return "unsupported"
    return "connection_lost" if isinstance(error, psycopg.InterfaceError) else FALLBACK


def mysql_key(error: Exception) -> str:
    """Return the catalogue's key for an error of PyMySQL."""
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, socket.gaierror):
        return "unknown_host"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _CERTIFICATE_CODES.get(cause.verify_code, "certificate_untrusted")
    if isinstance(cause, ssl.SSLError):
        return "encryption"
    code = error.args[0] if error.args and isinstance(error.args[0], int) else None
    if code in MYSQL_CODES:
        return MYSQL_CODES[code]
    for kind in type(error).__mro__:
        if kind.__name__ in MYSQL_CLASSES:
            return MYSQL_CLASSES[kind.__name__]
    return "connection_lost" if isinstance(error, OSError) else FALLBACK


def duckdb_key(class_name: str) -> str:
    """Return the catalogue's key for an error class of DuckDB (the worker sends the name, never the text)."""
    return DUCKDB_CLASSES.get(class_name, FALLBACK)


def translate(dialect: Dialect, error: Exception, sql: str = "") -> SourceProblem:
    """Return our error for a driver's.

    ``sql`` is the statement that was sent: a table that the engine denied is named when the statement names it (it then
    came through the guard, so the reader may know of it).
    """
    if dialect == "postgres":
        key, code = postgres_key(error), getattr(error, "sqlstate", None)
    elif dialect == "mysql":
        first = error.args[0] if error.args else None
        key, code = mysql_key(error), first if isinstance(first, int) else None
    else:
        key, code = duckdb_key(type(error).__name__), None
    return problem(key, f"{dialect} {type(error).__name__} {code or '-'}", _denied_table(error, sql))


def problem(key: str, log: str, table: str | None = None) -> SourceProblem:
    """Return the error of a bare key (``timeout``), with what the log may hold."""
    if key == "no_permission" and table:
        return SourceProblem("sources.no_permission_table", log=log, table=table)
    return SourceProblem(f"sources.{key}", log=log)


def _denied_table(error: Exception, sql: str) -> str | None:
    diagnosis = getattr(getattr(error, "diag", None), "message_primary", None) or ""
    found = _DENIED_TABLE.match(diagnosis)
    if found is None and error.args and error.args[0] == 1142:
        found = re.search(r"for table (?:`[^`]*`\.)?[`']([\w ]+)[`']$", str(error.args[-1]))
    name = found[1] if found else None
    return name if name and re.search(rf"\b{re.escape(name)}\b", sql) else None


@contextmanager
def translated(dialect: Dialect) -> Iterator[None]:
    """Turn a driver's errors inside the block into ours. For our own statements; ``execute`` has its own road."""
    import_error: tuple[type[Exception], ...]
    if dialect == "postgres":
        import psycopg

        import_error = (psycopg.Error,)
    elif dialect == "mysql":
        import pymysql

        import_error = (pymysql.MySQLError, OSError)
    else:
        import duckdb

        import_error = (duckdb.Error,)
    try:
        yield
    except import_error as error:
        raise translate(dialect, error) from None
