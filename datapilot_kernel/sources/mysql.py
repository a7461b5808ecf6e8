"""MySQL 8 and MariaDB through PyMySQL: a read-only transaction per statement, unbuffered rows, ``KILL QUERY``.

The two flavours differ where it matters here: MariaDB bounds a statement with ``max_statement_time`` (seconds), MySQL
with ``max_execution_time`` (milliseconds, SELECT only); MySQL checks ``ONLY_FULL_GROUP_BY`` by functional dependence,
MariaDB literally, so only MySQL gets it. What concerns MySQL 8 alone was read in its manual and not tried here.

``sql_mode`` keeps backslash escapes and leaves ``ANSI_QUOTES`` out, because the guard's generator writes literals for
exactly that. Time zone: the named zone when the server has the tables for it, else its present offset.

PyMySQL's connection holds two private handles used here, both for emergencies of the network: ``_read_timeout`` (set per
statement) and ``_sock`` (shut when a server does not answer a request to stop).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

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
from datapilot_kernel.sources.tls import context

if TYPE_CHECKING:
    from datapilot_kernel.sources.streams import Emitter

_MODE = "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
_BINARY_CHARSET = 63

# PyMySQL's field types, by number (its constants would import it).
_DECIMALS, _TINY, _BIT, _JSON, _TIME = {0, 246}, 1, 16, 245, 11
TYPES: dict[int, LogicalType] = {
    0: "decimal", 246: "decimal", 1: "integer", 2: "integer", 3: "integer", 8: "integer", 9: "integer", 13: "integer",
    4: "float", 5: "float", 7: "timestamptz", 10: "date", 14: "date", 11: "time", 12: "timestamp", 16: "integer",
    245: "json", 247: "text", 248: "text", 249: "text", 250: "text", 251: "text", 252: "text", 253: "text",
    254: "text", 255: "binary", 6: "text", 15: "text",
}  # fmt: skip


def connect_arguments(where: DatabaseLocation) -> dict[str, Any]:
    """Return PyMySQL's arguments for a location: no local files, one statement at a time."""
    arguments: dict[str, Any] = {
        "host": where.host,
        "port": where.port,
        "database": where.database,
        "user": where.user,
        # As bytes: PyMySQL writes text as Latin-1, and fails with the password in its error where that cannot be.
        "password": (where.password or "").encode(),
        "charset": "utf8mb4",
        "connect_timeout": where.connect_timeout_s,
        "local_infile": False,
        "client_flag": 0,
        "program_name": "datapilot",
    }
    if where.tls is not None:
        if where.tls.mode == "disable":
            arguments["ssl_disabled"] = True
        else:
            # A context of its own also makes TLS obligatory: no falling back to plain text.
            arguments["ssl"] = context(where.tls)
        return arguments
    mode = where.options.get("ssl_mode", "").upper()
    if mode in {"REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"} or "ssl_ca" in where.options:
        arguments["ssl"] = {"ca": where.options.get("ssl_ca")}
        arguments["ssl_verify_cert"] = mode in {"VERIFY_CA", "VERIFY_IDENTITY"}
        arguments["ssl_verify_identity"] = mode == "VERIFY_IDENTITY"
    return arguments


def connect(where: DatabaseLocation, *, address: str | None = None, **more: Any) -> Any:
    """Open a connection, to a checked address when the location has some, and hold its certificate against the name.

    Parameters
    ----------
    address
        Only this one, already checked; None: those of the location, in order.
    more
        Arguments of PyMySQL on top of (or instead of) the location's.
    """
    import pymysql

    # Without a limit here, a server that accepts and then says nothing is waited for without an end.
    arguments = {"read_timeout": where.connect_timeout_s, **connect_arguments(where), **more}
    if address is None and where.addresses is None:
        return pymysql.connect(**arguments)
    addresses = (address,) if address is not None else tuple(where.addresses()) if where.addresses else ()
    failed: OSError | None = None
    for one in addresses:
        try:
            plain = socket.create_connection((one, where.port), arguments["connect_timeout"])
        except OSError as error:
            failed = error
            continue
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection: Any = pymysql.connect(**arguments, defer_connect=True)
        try:
            connection.connect(plain)
        except BaseException:
            plain.close()
            raise
        connection.datapilot_address = one
        return connection
    raise pymysql.err.OperationalError(2003, "unreachable") from failed


class MysqlSource(PooledSource):
    """A MySQL or MariaDB database. See :class:`datapilot_kernel.sources.model.Source`."""

    dialect: ClassVar[Dialect] = "mysql"
    _SCHEME = "mysql+pymysql"

    def __init__(self, where: DatabaseLocation, *, time_zone: str = "Europe/Paris") -> None:
        super().__init__(where, time_zone=time_zone)
        self._flavour: str | None = None
        self._named_zone: bool | None = None

    @property
    def default_schema(self) -> str:
        """The database: MySQL has no schemas of its own."""
        return self._where.database

    @property
    def flavour(self) -> str:
        """``mariadb`` or ``mysql``; asks the server the first time."""
        if self._flavour is None:
            self.introspect_rows("SELECT 1")
        return self._flavour or "mysql"

    @property
    def has_named_time_zone(self) -> bool:
        """False: the server has no time zone tables, times with a zone are read with a fixed offset."""
        if self._named_zone is None:
            self.introspect_rows("SELECT 1")
        return bool(self._named_zone)

    def _driver_errors(self) -> tuple[type[Exception], ...]:
        import pymysql

        return (pymysql.MySQLError, OSError)

    def _connect(self) -> Any:
        connection: Any = connect(self._where, conv=_decoders(), autocommit=True)
        try:
            self._flavour = "mariadb" if "mariadb" in connection.get_server_info().lower() else "mysql"
            mode = _MODE if self._flavour == "mariadb" else f"ONLY_FULL_GROUP_BY,{_MODE}"
            with connection.cursor() as cursor:
                cursor.execute(f"SET SESSION sql_mode = '{mode}', SESSION group_concat_max_len = 1048576")
                cursor.execute("SET SESSION TRANSACTION READ ONLY")
                self._set_time_zone(cursor)
        except BaseException:
            connection.close()
            raise
        connection.datapilot_settings = None
        return connection

    def _set_time_zone(self, cursor: Any) -> None:
        import pymysql

        if self._named_zone is not False:
            try:
                cursor.execute("SET SESSION time_zone = %s", (self._time_zone,))
            except pymysql.MySQLError as error:
                if error.args[0] != 1298:  # unknown or incorrect time zone
                    raise
                self._named_zone = False
            else:
                self._named_zone = True
        if self._named_zone is False:
            offset = f"{datetime.now(ZoneInfo(self._time_zone)):%z}"
            cursor.execute("SET SESSION time_zone = %s", (f"{offset[:3]}:{offset[3:5]}",))

    def _begin(self, connection: Any, limits: Limits) -> None:
        connection._read_timeout = limits.timeout_ms / 1000 + 10
        lock_s = max(1, limits.lock_timeout_ms // 1000)
        clock = (
            f"max_statement_time = {limits.timeout_ms / 1000:.3f}"
            if self._flavour == "mariadb"
            else f"max_execution_time = {limits.timeout_ms}"
        )
        wanted = f"{clock}, SESSION lock_wait_timeout = {lock_s}, SESSION innodb_lock_wait_timeout = {lock_s}"
        # Settings of a session outlive the transaction here: they are sent when they change.
        if connection.datapilot_settings != wanted:
            connection.query(f"SET SESSION {wanted}")
            connection.datapilot_settings = wanted
        connection.query("START TRANSACTION READ ONLY")

    def _rollback(self, connection: Any) -> None:
        connection.query("ROLLBACK")

    def _kill(self, connection: Any) -> None:
        # The same machine of a name that has several: a thread's number means nothing to another.
        address = getattr(connection, "datapilot_address", None)
        with connect(self._where, address=address, connect_timeout=4, read_timeout=4, database=None) as second:
            second.query(f"KILL QUERY {int(connection.thread_id())}")

    def _abort(self, connection: Any) -> None:
        connection._sock.shutdown(socket.SHUT_RDWR)

    def _query(self, connection: Any, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(sql, tuple(parameters) or None)
            return list(cursor.fetchall())

    def _fetch(self, connection: Any, sql: str, limits: Limits) -> Fetched:
        from pymysql.cursors import SSCursor

        cursor: Any = SSCursor(connection)
        try:
            cursor.execute(sql)
            fields = list(cursor._result.fields)
            columns, repairs = self.described(fields)
            collected = Rows(limits, [i for i, c in enumerate(columns) if c.type in {"text", "binary"}], len(columns))
            while chunk := cursor.fetchmany(CHUNK_ROWS):
                if not collected.add(_repaired(chunk, repairs) if repairs else chunk):
                    self.drop_the_rest(connection, cursor)
                    break
        finally:
            # Closing (and its own __del__) would read a broken result to its end.
            connection._result = cursor._result = cursor.connection = None
        rows, columns = _booleans(collected.rows, columns, fields)
        return Fetched(columns, rows, collected.truncated)

    def _stream(self, connection: Any, sql: str, limits: Limits, emitter: Emitter) -> bool:
        from datapilot_kernel.sources.mysql_stream import stream

        return stream(self, connection, sql, limits, emitter)

    def drop_the_rest(self, connection: Any, cursor: Any) -> None:
        """Stop a statement whose cap is reached. Usually a row or two remain: the guard's LIMIT is near the cap."""
        import pymysql

        if len(cursor.fetchmany(CHUNK_ROWS)) < CHUNK_ROWS:
            return
        self._kill(connection)
        try:
            while cursor.fetchmany(CHUNK_ROWS):
                pass
        except pymysql.MySQLError:
            return

    def described(self, fields: Sequence[Any]) -> tuple[tuple[ResultColumn, ...], dict[int, Callable[[Any], Any]]]:
        """Return the columns of a result, and by position what makes a driver's value ours."""
        columns, repairs = [], {}
        for position, field in enumerate(fields):
            kind = TYPES.get(field.type_code, "other")
            if kind == "text" and field.charsetnr == _BINARY_CHARSET and field.type_code >= 249:
                kind = "binary"
            repair: Callable[[Any], Any] | None = None
            if field.type_code in _DECIMALS and field.scale == 0:
                kind, repair = "integer", int  # SUM of whole numbers is DECIMAL(n,0) here
            elif kind == "timestamptz":
                repair = _Zoned(self._zone())
            elif field.type_code == _BIT:
                kind, repair = ("boolean", _bit) if field.length == 1 else ("integer", _bits)
            elif field.type_code == _TIME:
                repair = _clock
            elif field.type_code == _JSON:
                repair = json.loads
            if repair is not None:
                repairs[position] = repair
            columns.append(ResultColumn(field.name, kind))
        return tuple(columns), repairs

    def _zone(self) -> tzinfo:
        zone = ZoneInfo(self._time_zone)
        if self._named_zone:
            return zone
        return timezone(datetime.now(zone).utcoffset() or timedelta(0))

    def explain(self, sql: str, *, cancel: CancelToken | None = None) -> Any:
        """Return ``EXPLAIN FORMAT=JSON``, parsed."""
        result = self.execute(f"EXPLAIN FORMAT=JSON {sql}", limits=Limits(timeout_ms=5_000), cancel=cancel)
        try:
            return json.loads(result.rows[0][0])
        except ValueError:
            # MariaDB 10.11 writes the conditions' quotes unescaped: what it says in table form is enough.
            return self._explain_rows(sql, cancel)

    def _explain_rows(self, sql: str, cancel: CancelToken | None) -> Any:
        """Return plain ``EXPLAIN`` in the shape of its JSON: the tables of each SELECT, with their rows."""
        result = self.execute(f"EXPLAIN {sql}", limits=Limits(timeout_ms=5_000), cancel=cancel)
        names = [column.name.lower() for column in result.columns]
        selects: dict[Any, list[dict[str, Any]]] = {}
        for row in result.rows:
            told = dict(zip(names, row, strict=True))
            table = {"table_name": told.get("table"), "rows": told.get("rows")}
            selects.setdefault(told.get("id"), []).append({"table": table})
        return [{"nested_loop": tables} for tables in selects.values()]

    def role_report(self) -> tuple[RoleFinding, ...]:
        """Say what the account can do beyond reading."""
        from datapilot_kernel.sources.roles import mysql_findings

        return mysql_findings(self)


class _Zoned:
    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def __call__(self, value: datetime) -> datetime:
        return value.replace(tzinfo=self._zone)


def _bit(value: bytes) -> bool:
    return value != b"\x00"


def _bits(value: bytes) -> int:
    return int.from_bytes(value, "big")


def _clock(value: Any) -> Any:
    """A TIME that is a time of day; MySQL also keeps durations in it, which stay ``timedelta``."""
    if isinstance(value, timedelta) and timedelta(0) <= value < timedelta(days=1):
        return (datetime.min + value).time()  # noqa: DTZ901
    return value


def _repaired(chunk: Sequence[tuple[Any, ...]], repairs: dict[int, Callable[[Any], Any]]) -> list[tuple[Any, ...]]:
    columns: list[Sequence[Any]] = list(zip(*chunk, strict=True))
    for position, repair in repairs.items():
        columns[position] = [None if value is None else repair(value) for value in columns[position]]
    return list(zip(*columns, strict=True))


def _booleans(
    rows: list[tuple[Any, ...]], columns: tuple[ResultColumn, ...], fields: Sequence[Any]
) -> tuple[list[tuple[Any, ...]], tuple[ResultColumn, ...]]:
    """TINYINT(1) is how MySQL writes a boolean, as long as it holds nothing but 0 and 1."""
    flags = [i for i, f in enumerate(fields) if f.type_code == _TINY and f.length == 1]
    flags = [i for i in flags if all(row[i] in (0, 1, None) for row in rows)]
    if not flags:
        return rows, columns
    named = tuple(ResultColumn(c.name, "boolean") if i in flags else c for i, c in enumerate(columns))
    return _repaired(rows, dict.fromkeys(flags, bool)) if rows else rows, named


def _decoders() -> dict[Any, Any]:
    from pymysql import converters

    decoders: dict[Any, Any] = converters.conversions.copy()
    # '0000-00-00' is MySQL's old way to write no date.
    for code, convert in (
        (10, converters.convert_date),
        (12, converters.convert_datetime),
        (7, converters.convert_datetime),
    ):
        decoders[code] = _Dated(convert)
    return decoders


class _Dated:
    def __init__(self, convert: Callable[[Any], Any]) -> None:
        self._convert = convert

    def __call__(self, value: Any) -> Any:
        converted = self._convert(value)
        return None if isinstance(converted, (str, bytes)) else converted
