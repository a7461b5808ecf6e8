"""PostgreSQL through psycopg 3: a read-only transaction per statement, the extended protocol, rows in chunks.

The statement goes out with ``PQsendQueryParams``: the extended protocol takes one statement, where the simple one takes
a script. It is read in chunks (libpq 17's chunked rows mode), so that a cap stops the reading, and memory holds one chunk
more than the caps at most. psycopg's own ``stream()`` was not used: it forgets the columns of an empty result, and
converts row by row; a server-side cursor was not, because PostgreSQL plans it without parallel workers.

Remaining risk: a single value is as large as the server makes it before the byte cap sees it; the guard bounds that.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from datapilot_kernel.sources.location import DatabaseLocation
from datapilot_kernel.sources.model import (
    CancelToken,
    Dialect,
    Limits,
    LogicalType,
    ResultColumn,
    RoleFinding,
)
from datapilot_kernel.sources.pooled import CHUNK_ROWS, Fetched, PooledSource, Rows
from datapilot_kernel.sources.tls import authorities_file

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.pq.abc import PGconn, PGresult

    from datapilot_kernel.sources.streams import Emitter

TYPES: dict[int, LogicalType] = {
    16: "boolean", 17: "binary", 20: "integer", 21: "integer", 23: "integer", 26: "integer", 28: "integer",
    18: "text", 19: "text", 25: "text", 1042: "text", 1043: "text", 2950: "text", 869: "text", 650: "text",
    114: "json", 3802: "json", 700: "float", 701: "float", 790: "decimal", 1700: "decimal", 1082: "date",
    1083: "time", 1266: "time", 1114: "timestamp", 1184: "timestamptz", 1186: "interval",
    1000: "array", 1001: "array", 1005: "array", 1007: "array", 1009: "array", 1014: "array", 1015: "array",
    1016: "array", 1021: "array", 1022: "array", 1115: "array", 1182: "array", 1185: "array", 1231: "array",
}  # fmt: skip
"""PostgreSQL's built-in type numbers. Others (enumerations, ranges, extensions' types) come as text."""

SETTINGS = (
    "SET default_transaction_read_only = on; SET search_path = public, pg_temp; SET standard_conforming_strings = on; "
    "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex'; SET lc_monetary = 'C'; "
    "SET idle_in_transaction_session_timeout = '120s'; SET statement_timeout = '60s'; SET lock_timeout = '5s'; "
)


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
    if where.tls is None:
        for option in ("sslmode", "sslrootcert"):
            if option in where.options:
                arguments[option] = where.options[option]
    else:
        arguments.update(_NOTHING_OF_OURS)
        arguments["user"], arguments["password"] = where.user, where.password or ""
        arguments["sslmode"] = {"verify": "verify-full"}.get(where.tls.mode, where.tls.mode)
        arguments["sslrootcert"] = authorities_file(where.tls) if where.tls.mode == "verify" else ""
    if where.addresses is not None:
        # libpq connects to hostaddr and holds the certificate against host. Several are tried in turn.
        addresses = tuple(where.addresses())
        arguments["host"] = ",".join([where.host] * len(addresses))
        arguments["hostaddr"] = ",".join(addresses)
        arguments["port"] = ",".join([str(where.port)] * len(addresses))
    return arguments


# What libpq would otherwise take from the environment or the home folder, and show to a server that somebody else named.
# An empty value is a value: the variable or file is not read.
_NOTHING_OF_OURS = {
    "passfile": os.devnull,
    "options": "",
    "sslcertmode": "disable",
    "sslcrl": "",
    "gssencmode": "disable",
    "require_auth": "scram-sha-256,md5,password,none",
    "target_session_attrs": "any",
    "load_balance_hosts": "disable",
}


class PostgresSource(PooledSource):
    """A PostgreSQL database. See :class:`datapilot_kernel.sources.model.Source`."""

    dialect: ClassVar[Dialect] = "postgres"
    _SCHEME = "postgresql+psycopg"

    @property
    def default_schema(self) -> str:
        """``public``: the search path is fixed."""
        return "public"

    def _driver_errors(self) -> tuple[type[Exception], ...]:
        import psycopg

        return (psycopg.Error, OSError)

    def _connect(self) -> Connection[Any]:
        import psycopg

        from datapilot_kernel.sources.postgres_values import register

        connection = psycopg.connect(**connect_arguments(self._where), autocommit=True)
        try:
            connection.execute(f"{SETTINGS} SET timezone = '{self._time_zone}'")
            register(connection.adapters)
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin(self, connection: Connection[Any], limits: Limits) -> None:
        connection.execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; "
            f"SET LOCAL statement_timeout = {max(1, limits.timeout_ms)}; "
            f"SET LOCAL lock_timeout = {max(1, limits.lock_timeout_ms)}"
        )

    def _rollback(self, connection: Connection[Any]) -> None:
        connection.execute("ROLLBACK")

    def _kill(self, connection: Connection[Any]) -> None:
        connection.cancel_safe(timeout=4.0)

    def _abort(self, connection: Connection[Any]) -> None:
        with socket.socket(fileno=os.dup(connection.fileno())) as shared:
            shared.shutdown(socket.SHUT_RDWR)

    def _query(self, connection: Connection[Any], sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        return connection.execute(sql, tuple(parameters) or None).fetchall()

    def _fetch(self, connection: Connection[Any], sql: str, limits: Limits) -> Fetched:
        from psycopg.adapt import Transformer

        columns: tuple[ResultColumn, ...] = ()
        collected: Rows | None = None
        transformer = Transformer(connection)
        connection.wait(_send(connection.pgconn, sql.encode()))
        while (result := connection.wait(_next(connection.pgconn))) is not None:
            transformer.set_pgresult(result, set_loaders=collected is None)
            if collected is None:
                columns = _columns(result)
                sized = [i for i, column in enumerate(columns) if column.type in {"text", "json", "binary", "array"}]
                collected = Rows(limits, [i for i in sized if columns[i].type != "json"], len(columns))
            if result.ntuples and not collected.add(transformer.load_rows(0, result.ntuples, tuple)):
                _drop_the_rest(connection)
                break
        assert collected is not None, "the server sends at least one result"
        return Fetched(columns, collected.rows, collected.truncated)

    def _stream(self, connection: Connection[Any], sql: str, limits: Limits, emitter: Emitter) -> bool:
        from datapilot_kernel.sources.postgres_stream import stream

        return stream(connection, self._where, sql, limits, emitter, self._time_zone)

    def explain(self, sql: str, *, cancel: CancelToken | None = None) -> Any:
        """Return ``EXPLAIN (FORMAT JSON)``, parsed."""
        result = self.execute(f"EXPLAIN (FORMAT JSON) {sql}", limits=Limits(timeout_ms=5_000), cancel=cancel)
        return result.rows[0][0]

    def role_report(self) -> tuple[RoleFinding, ...]:
        """Say what the role can do beyond reading."""
        from datapilot_kernel.sources.roles import postgres_findings

        return postgres_findings(self)


def _columns(result: PGresult) -> tuple[ResultColumn, ...]:
    found = []
    for position in range(result.nfields):
        name = result.fname(position)
        found.append(ResultColumn((name or b"").decode(), TYPES.get(result.ftype(position), "text")))
    return tuple(found)


def _send(pgconn: PGconn, sql: bytes) -> Generator[Any, Any, None]:
    from psycopg import generators

    pgconn.send_query_params(sql, None)
    pgconn.set_chunked_rows_mode(CHUNK_ROWS)
    yield from generators.send(pgconn)


def _next(pgconn: PGconn) -> Generator[Any, Any, PGresult | None]:
    """Return the next chunk; None at the end. Raises the statement's error."""
    from psycopg import errors, generators, pq

    result: PGresult | None = yield from generators.fetch(pgconn)
    if result is None:
        return None
    if result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.TUPLES_CHUNK, pq.ExecStatus.SINGLE_TUPLE):
        return result
    while (yield from generators.fetch(pgconn)) is not None:
        pass
    if result.status == pq.ExecStatus.FATAL_ERROR:
        raise errors.error_from_result(result, encoding="utf-8")
    raise errors.FeatureNotSupported


def _drop_the_rest(connection: Connection[Any]) -> None:
    """Stop a statement whose cap is reached; the connection is usable afterwards."""
    import psycopg

    connection.cancel_safe(timeout=4.0)
    try:
        while connection.wait(_next(connection.pgconn)) is not None:
            pass
    except psycopg.errors.QueryCanceled:
        return
