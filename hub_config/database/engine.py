"""The platform's database: SQLite on one machine, PostgreSQL on a server; sessions that always work for someone.

::

    with database.tenant(tenant_id) as session:                    # everything of one tenant, one transaction
        session.add(Workspace(name="Ventes"))
    with database.tenant(tenant_id, read_only=True) as session:    # on SQLite it waits for no writer
        session.scalars(select(Workspace)).all()
    with database.sign_in(email_key(address)) as session:          # the people with that address, in every tenant; read only
        people = session.scalars(select(User)).all()
    with database.operator() as session:                           # the list of tenants; read only
        tenants = session.scalars(select(Tenant)).all()

A link or token that must find its row before anyone is signed in carries the tenant's id in its text: it is then looked
up in that tenant's session. Nothing but an address's people and the operator's list is ever looked up across tenants.

SQLite: WAL, foreign keys on, and one writer at a time, queued in the process before it asks the file (SQLite's own
waiting is by polling, and unfair); a transaction that may write says so when it begins (``BEGIN IMMEDIATE``), so that
it never fails half-way for a lock. Keep the block short: never ask a source, a model or the network inside it. A second
writing block inside a first, in one thread, would wait for itself: it is refused.

When the database is away, every call fails within seconds with :class:`hub_config.errors.PlatformUnavailable`, and
works again as soon as it is back. Remaining risk: a PostgreSQL that takes connections and then stays silent (a stopped
process) holds the threads that were talking to it until it wakes or its machine says no.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, exc, make_url, select, text
from sqlalchemy.engine import Connection, ExceptionContext

from hub_config.database.session import ScopedSession, bind_scope
from hub_config.database.tables import Tenant
from hub_config.database.wall import Scope, Unscoped, guard_connection, refuse, set_up
from hub_config.errors import PlatformUnavailable

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 3
WAIT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_MS = 30_000
IDLE_TIMEOUT_MS = 120_000
# After a failed connection no other is tried for so long: a server that does not answer is not asked by every thread.
REST_S = 0.5

# What every transaction begins with, in one statement, until its end.
_SCOPE = (
    "set_config('datapilot.tenant_id', :tenant, true), set_config('datapilot.sign_in', :sign_in, true),"
    " set_config('datapilot.operator', :operator, true)"
)
_FOR_WRITING, _FOR_READING = (
    text(f"SELECT {_SCOPE}"),
    text(f"SELECT {_SCOPE}, set_config('transaction_read_only', 'on', true)"),
)
# SQLSTATE classes and codes of a server that is away, full, stopping, or too busy to answer in time.
_AWAY = ("08", "53", "57P", "55P03", "57014", "40001", "40P01", "58", "25P03")
_SQLITE_AWAY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_PROTOCOL,
}


def normal_url(url: str) -> URL:
    """Return the URL with the driver this platform uses.

    Raises
    ------
    ValueError
        Neither PostgreSQL nor a SQLite file. The message does not repeat the URL, which may hold a password.
    """
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise ValueError("the platform database's URL cannot be read") from None
    backend = parsed.drivername.partition("+")[0]
    if backend in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed.set(drivername="sqlite")
    raise ValueError("the platform's database is PostgreSQL or a SQLite file")


def new_engine(url: str, *, pool_size: int = 10) -> Engine:
    """Return an engine with the connection's limits and the translation of errors, without the wall."""
    parsed = normal_url(url)
    if parsed.drivername == "sqlite":
        path = Path(str(parsed.database))
        if not path.exists() and path.parent.is_dir():
            # Hashes and encrypted configurations are in it: nobody else of this machine reads it.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        engine = create_engine(
            parsed,
            paramstyle="named",
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=WAIT_TIMEOUT_S,
            hide_parameters=True,  # an error's text goes into logs
            connect_args={"timeout": WAIT_TIMEOUT_S},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        options = (
            f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={WAIT_TIMEOUT_S * 1000}"
            f" -c idle_in_transaction_session_timeout={IDLE_TIMEOUT_MS} -c timezone=UTC"
        )
        engine = create_engine(
            parsed,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=WAIT_TIMEOUT_S,
            hide_parameters=True,  # an error's text goes into logs
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "options": options,
                "application_name": "datapilot",
                "tcp_user_timeout": 10_000,
                "keepalives_idle": 10,
                "keepalives_interval": 3,
                "keepalives_count": 3,
            },
        )
    event.listen(engine, "handle_error", _translate)
    return engine


def _prepare_sqlite(connection: Any, record: Any) -> None:
    # Transactions begin where SQLAlchemy says, not where the driver guesses.
    connection.isolation_level = None
    deadline = time.monotonic() + WAIT_TIMEOUT_S
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON", "trusted_schema=OFF"):
        while True:
            try:
                connection.execute(f"PRAGMA {pragma}").close()
                break
            except sqlite3.OperationalError as error:
                # Going over to WAL does not wait for another process that is doing the same.
                if (error.sqlite_errorcode & 0xFF) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    connection.exec_driver_sql("BEGIN" if options.get("datapilot_read_only") else "BEGIN IMMEDIATE")


def _translate(context: ExceptionContext) -> None:
    if context.is_pre_ping and context.is_disconnect:
        # Not the caller's affair: the pool drops what the server closed meanwhile, and connects anew.
        return
    original = context.original_exception
    if isinstance(original, sqlite3.Error):
        code = getattr(original, "sqlite_errorcode", 0) & 0xFF
        away = code in _SQLITE_AWAY
        detail = f"sqlite {code}"
    else:
        state = getattr(original, "sqlstate", None)
        away = context.is_disconnect or _is_away(context.sqlalchemy_exception, state)
        detail = f"sqlstate {state}"
    if away:
        raise PlatformUnavailable(log=f"platform database away: {type(original).__name__}, {detail}") from None


def _is_away(wrapped: BaseException | None, state: str | None) -> bool:
    if state is None:
        # No answer of a server: the connection itself failed.
        return isinstance(wrapped, (exc.OperationalError, exc.InterfaceError))
    return state.startswith(_AWAY)


class Database:
    """The platform's database.

    Parameters
    ----------
    url
        ``sqlite:///…/file.db`` or ``postgresql://…`` of the application's role, which owns nothing.
    admin_url
        PostgreSQL only: of the owner, for the operator's list of tenants. None: there is no operator in this process.
    pool_size
        Connections kept; as many again for a rush.
    """

    def __init__(self, url: str, *, admin_url: str | None = None, pool_size: int = 10) -> None:
        self._url = url
        self.dialect = "sqlite" if normal_url(url).drivername == "sqlite" else "postgresql"
        self._engine = new_engine(url, pool_size=pool_size)
        self._operator_engine: Engine | None = self._engine if self.dialect == "sqlite" else None
        if self.dialect == "postgresql" and admin_url is not None:
            self._operator_engine = new_engine(admin_url, pool_size=1)
        for engine in {self._engine, *([self._operator_engine] if self._operator_engine else [])}:
            self._raise_wall(engine)
        self._writer_lock = threading.Lock()
        self._writer_thread: int | None = None
        self._rest_until = 0.0

    def _raise_wall(self, engine: Engine) -> None:
        event.listen(engine, "before_cursor_execute", guard_connection)

    @contextmanager
    def tenant(self, tenant_id: str, *, read_only: bool = False) -> Iterator[ScopedSession]:
        """Open a session for one tenant: commits at the end, rolls back on an error.

        Parameters
        ----------
        tenant_id
            Whose. Not looked up: a tenant that does not exist has no rows.
        read_only
            Refuse writes, and on SQLite wait for no writer.

        Raises
        ------
        PlatformUnavailable
            The database is away.
        Unscoped
            Something in the block would leave the tenant.
        """
        if not tenant_id:
            raise refuse("a session for a tenant without an id")
        with self._session(self._engine, Scope("tenant", tenant_id, read_only)) as session:
            yield session

    @contextmanager
    def sign_in(self, email_key: str) -> Iterator[ScopedSession]:
        """Open a read-only session that sees the ``users`` with this address's key, of all tenants, and nothing else."""
        if not email_key:
            raise refuse("a sign-in without an address")
        with self._session(self._engine, Scope("sign_in", email_key, read_only=True)) as session:
            yield session

    @contextmanager
    def operator(self) -> Iterator[ScopedSession]:
        """Open a read-only session that lists tenants, and sees nothing else.

        Raises
        ------
        Unscoped
            PostgreSQL, and no ``admin_url`` was given.
        """
        if self._operator_engine is None:
            raise refuse("the operator's session needs the owner's URL")
        with self._session(self._operator_engine, Scope("operator", read_only=True)) as session:
            yield session

    def tenant_ids(self) -> list[str]:
        """Return the ids of all tenants, oldest first (as the operator)."""
        with self.operator() as session:
            return list(session.scalars(select(Tenant.id).order_by(Tenant.created_at, Tenant.id)))

    def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises
        ------
        PlatformUnavailable
            It gives none.
        """
        with self._connection(self._engine, Scope("none", read_only=True)) as connection:
            connection.execute(select(1))

    def is_current(self) -> bool:
        """Tell whether the tables are those of this program: migrated to the newest revision."""
        from hub_config.database.migration import head

        with self._connection(self._engine, Scope("none", read_only=True)) as connection, set_up(connection):
            try:
                return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == head()
            except (exc.ProgrammingError, exc.OperationalError):
                return False

    def dispose(self) -> None:
        """Close every idle connection; the next session opens new ones."""
        self._engine.dispose()
        if self._operator_engine is not None:
            self._operator_engine.dispose()

    @contextmanager
    def _session(self, engine: Engine, scope: Scope) -> Iterator[ScopedSession]:
        with self._connection(engine, scope) as connection, self._new_session(connection, scope) as session:
            yield session
            session.end()

    def _new_session(self, connection: Connection, scope: Scope) -> ScopedSession:
        return ScopedSession(bind=connection, scope=scope)

    @contextmanager
    def _connection(self, engine: Engine, scope: Scope) -> Iterator[Connection]:
        """Open a connection in a transaction that works for a scope."""
        with self._writer(scope), self._connect(engine) as connection:
            bind_scope(connection, scope)
            connection.execution_options(datapilot_read_only=scope.read_only)
            with set_up(connection):
                transaction = connection.begin()
                if self.dialect == "postgresql":
                    self._tell_postgres(connection, scope)
            with transaction:
                yield connection

    def _connect(self, engine: Engine) -> Connection:
        if time.monotonic() < self._rest_until:
            raise PlatformUnavailable(log="platform database away: not asked again yet")
        try:
            return engine.connect()
        except PlatformUnavailable:
            self._rest_until = time.monotonic() + REST_S
            raise
        except exc.TimeoutError:
            raise PlatformUnavailable(log="platform database: no free connection") from None
        except sqlite3.Error as error:
            # From the preparation of a new connection, which SQLAlchemy does not translate.
            raise PlatformUnavailable(log=f"platform database away: {type(error).__name__}") from None

    @staticmethod
    def _tell_postgres(connection: Connection, scope: Scope) -> None:
        given = {
            "tenant": scope.tenant_id or "",
            "sign_in": scope.value if scope.kind == "sign_in" else "",
            "operator": "on" if scope.kind == "operator" else "",
        }
        connection.execute(_FOR_READING if scope.read_only else _FOR_WRITING, given)

    @contextmanager
    def _writer(self, scope: Scope) -> Iterator[None]:
        """Queue the writers of SQLite."""
        if self.dialect != "sqlite" or scope.read_only:
            yield
            return
        if self._writer_thread == threading.get_ident():
            raise refuse("a writing block inside a writing block")
        if not self._writer_lock.acquire(timeout=WAIT_TIMEOUT_S):
            raise PlatformUnavailable(log="platform database busy: another writer holds it")
        self._writer_thread = threading.get_ident()
        try:
            yield
        finally:
            self._writer_thread = None
            self._writer_lock.release()


__all__ = ["Database", "Unscoped", "new_engine", "normal_url"]
