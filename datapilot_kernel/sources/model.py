"""What a source is to the rest of the package: a dialect, a guarded road to its rows, and how a result looks.

A *source* is a PostgreSQL database, a MySQL or MariaDB database, or a set of files served by DuckDB. Everything above
speaks to it through :class:`Source`; the adapters (``postgres``, ``mysql``, ``files``) are the only code that opens a
data connection.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from datapilot_kernel.messages import text

if TYPE_CHECKING:
    import pyarrow as pa

    from datapilot_kernel.sources.files_import.report import ImportReport
    from datapilot_kernel.sources.streams import ArrowStream

Dialect = Literal["postgres", "mysql", "duckdb"]

LogicalType = Literal[
    "integer", "decimal", "float", "text", "boolean", "date", "timestamp", "timestamptz", "time", "interval",
    "json", "binary", "array", "other",
]  # fmt: skip
"""A column's type, the same words for all engines. ``timestamptz`` carries a time zone, ``timestamp`` does not."""


@dataclass(frozen=True)
class ResultColumn:
    """One column of a result, as the database names it."""

    name: str
    type: LogicalType


@dataclass(frozen=True)
class ResultTable:
    """A result, whole in memory (it is capped before it gets here).

    Attributes
    ----------
    columns
        In order; names may repeat.
    rows
        Tuples of plain Python values: int, ``Decimal``, float, str, bool, ``date``, ``datetime`` (aware for
        timestamptz), ``time``, ``timedelta``, list/dict (json, array), bytes, None.
    truncated
        The row or byte cap cut it.
    elapsed_ms
        Time between sending the statement and holding its last row.
    """

    columns: tuple[ResultColumn, ...]
    rows: list[tuple[Any, ...]] = field(repr=False)
    truncated: bool = False
    elapsed_ms: float = 0.0

    def to_arrow(self) -> pa.Table:
        """Return the same as an Arrow table (decimals stay decimals). Imports pyarrow when called."""
        from datapilot_kernel.sources.arrow import table_to_arrow

        return table_to_arrow(self)


@dataclass(frozen=True)
class Limits:
    """What one statement may cost. 0 is not "no limit": every limit is at least 1."""

    max_rows: int = 10_000
    max_bytes: int = 64 * 1024 * 1024
    timeout_ms: int = 30_000
    lock_timeout_ms: int = 2_000
    memory_bytes: int = 1024 * 1024 * 1024
    threads: int = 2


class CancelToken:
    """Lets another thread stop a running statement, at any moment, also before it starts.

    An adapter registers how to stop its statement with :meth:`on_cancel`; the callback runs in the thread that cancels,
    once, and at once if the token is already cancelled.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """True once :meth:`cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """Stop what is registered; later registrations are stopped at once. Safe from any thread, twice too."""
        with self._lock:
            if self._cancelled:
                return
            self._cancelled = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Register ``callback``; return a function that takes it back."""
        with self._lock:
            if not self._cancelled:
                self._callbacks.append(callback)
                return lambda: self._forget(callback)
        callback()
        return lambda: None

    def _forget(self, callback: Callable[[], None]) -> None:
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)


@runtime_checkable
class Source(Protocol):
    """A connected source. Thread-safe: statements may run side by side."""

    @property
    def dialect(self) -> Dialect:
        """Which SQL it speaks."""

    @property
    def name(self) -> str:
        """For people: the database's or the folder's name. Never holds a host, a user or a password."""

    @property
    def default_schema(self) -> str:
        """The schema of unqualified names: ``public``; MySQL: the database; DuckDB: ``main``."""

    def execute(self, sql: str, *, limits: Limits | None = None, cancel: CancelToken | None = None) -> ResultTable:
        """Run one statement that the guard produced, read-only.

        Raises
        ------
        SourceProblem
            The source cannot be reached, refused, timed out or lacks something; the engine's own text never shows.
        Cancelled
            The token was cancelled.
        """

    def introspect_rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one of our own catalog queries (``information_schema`` and the like), which the guard would refuse.

        For ``catalog`` only: ``sql`` is a constant of ours, ``parameters`` are bound by the driver (``%s``; DuckDB ``?``).
        """

    def close(self) -> None:
        """Give back every connection and process. Safe twice."""


@dataclass(frozen=True)
class RoleFinding:
    """One thing that a source's account can do and should not.

    Attributes
    ----------
    key
        The message's key in the catalogues.
    values
        Its placeholders: names of tables, of roles, of rights.
    serious
        True: it reaches beyond reading this database's data.
    """

    key: str
    values: dict[str, str] = field(default_factory=dict)
    serious: bool = True

    @property
    def message(self) -> str:
        """The sentence for the operator, in the language in force."""
        values: dict[str, object] = dict(self.values)
        return text(self.key, **values)  # type: ignore[arg-type]  # no placeholder is called language


class OpenedSource(Source, Protocol):
    """What :func:`datapilot_kernel.sources.open_source` gives: a source with the questions an operator asks it."""

    def explain(self, sql: str, *, cancel: CancelToken | None = None) -> Any:
        """Return the engine's own plan of a guarded statement (EXPLAIN's JSON, parsed), without running it.

        ``guard.cost`` reads it. It may quote literals of the statement: never shown, never logged.
        """

    def stream_arrow(self, sql: str, *, limits: Limits | None = None, cancel: CancelToken | None = None) -> ArrowStream:
        """Run one statement that the guard produced, read-only, and give its result as Arrow batches, one after another.

        Returns once the columns and their types are known. ``limits`` None:
        :data:`datapilot_kernel.sources.streams.STREAM_LIMITS`; ``timeout_ms`` covers the reading to the end. Close the
        stream, or read it to its end: until then it holds a connection.

        Raises
        ------
        SourceProblem, Cancelled
            As ``execute`` does; also from the stream, after batches were given out.
        """

    def role_report(self) -> tuple[RoleFinding, ...]:
        """Say what the account can do beyond reading; empty: nothing. Raises as ``execute`` does."""

    @property
    def import_report(self) -> ImportReport | None:
        """What was decided when files were read; None for a database."""
