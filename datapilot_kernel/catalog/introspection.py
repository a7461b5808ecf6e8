"""Taking a source's catalog: structure in bulk, then contents within a budget of time.

The structure costs a fixed number of queries whatever the number of tables. Contents cost two queries per table, several
tables side by side, the largest tables through a sample; when the budget is spent, what was not looked at is said in the
catalog's notes, and what the server's own statistics know stays. Nothing raises because one table refuses.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from datapilot_kernel.catalog import from_duckdb, from_mysql, from_postgres
from datapilot_kernel.catalog.changes import catalog_version
from datapilot_kernel.catalog.inference import find_foreign_keys, find_keys
from datapilot_kernel.catalog.model import Catalog
from datapilot_kernel.catalog.profiling import mark_personal, profile_table
from datapilot_kernel.catalog.raw import RawTable
from datapilot_kernel.errors import Cancelled, SourceProblem
from datapilot_kernel.messages import text
from datapilot_kernel.sources.model import CancelToken, Source

_STRUCTURE = {
    "postgres": from_postgres.read_structure,
    "mysql": from_mysql.read_structure,
    "duckdb": from_duckdb.read_structure,
}
_WORKERS = 3
_NAMED_IN_NOTES = 8


@dataclass(frozen=True)
class Progress:
    """How far it is: ``step`` is ``structure``, ``profile`` or ``keys``; ``table`` the last one finished."""

    step: str
    done: int
    total: int
    table: str | None = None

    @property
    def message(self) -> str:
        """The sentence for the person."""
        return text(f"catalog.progress_{self.step}", done=self.done, total=self.total)


def introspect(
    source: Source,
    *,
    progress: Callable[[Progress], None] | None = None,
    profile: bool = True,
    budget_s: float = 20.0,
    cancel: CancelToken | None = None,
) -> Catalog:
    """Return the source's catalog.

    Parameters
    ----------
    progress
        Called from this thread after each table.
    profile
        False: structure and the server's statistics only (no table is read, no key is inferred from values).
    budget_s
        Seconds for reading tables; what does not fit is noted.
    cancel
        Looked at between tables.

    Raises
    ------
    SourceProblem
        The structure cannot be read.
    Cancelled
        The token was cancelled.
    """
    tell = progress or (lambda _: None)
    tell(Progress("structure", 0, 1))
    tables = _STRUCTURE[source.dialect](source)
    notes: list[str] = []
    denied = [t for t in tables if not t.readable]
    tables = [t for t in tables if t.readable and t.columns]
    for table in tables:
        mark_personal(table)
        if source.dialect == "postgres":
            table.columns = [c for c in table.columns if c.readable]
    tell(Progress("structure", 1, 1))
    deadline = time.monotonic() + budget_s

    def out_of_time() -> bool:
        return time.monotonic() > deadline or (cancel is not None and cancel.cancelled)

    if profile:
        refused, late = _profile(source, tables, tell, out_of_time)
        denied += refused
        tables = [t for t in tables if t not in refused]
        if late:
            notes.append(_note("not_profiled", late))
    if cancel is not None and cancel.cancelled:
        raise Cancelled
    if profile:
        find_keys(source, tables)
        tell(Progress("keys", 0, 1))
        unchecked = find_foreign_keys(source, tables, out_of_time=out_of_time)
        if unchecked:
            notes.append(text("catalog.keys_unchecked", count=unchecked))
        tell(Progress("keys", 1, 1))
        if cancel is not None and cancel.cancelled:
            raise Cancelled
    if denied:
        notes.append(_note("no_permission", denied))
    _drop_dangling(tables)
    frozen = tuple(t.frozen() for t in sorted(tables, key=lambda t: (t.schema != source.default_schema, t.schema, t.name)))
    return Catalog(
        dialect=source.dialect,
        default_schema=source.default_schema,
        tables=frozen,
        version=catalog_version(source.dialect, frozen),
        taken_at=datetime.now(UTC),
        notes=tuple(notes),
    )


def _profile(
    source: Source, tables: list[RawTable], tell: Callable[[Progress], None], out_of_time: Callable[[], bool]
) -> tuple[list[RawTable], list[RawTable]]:
    """Profile every table; return those that refused to be read, and those for which there was no time."""
    # Small ones first: they are the lookups whose values matter, and the budget goes furthest. Views last: they may be slow.
    order = sorted(tables, key=lambda t: (t.kind == "view", t.rows or 0, t.key))
    refused: list[RawTable] = []
    late: list[RawTable] = []

    def one(table: RawTable) -> str:
        if out_of_time():
            return "late"
        try:
            profile_table(source, table)
        except SourceProblem as problem:
            return "refused" if problem.reason in _PERMISSION else "late"
        return "done"

    with ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="datapilot-catalog") as pool:
        for done, (table, result) in enumerate(zip(order, pool.map(one, order), strict=True), 1):
            if result == "refused":
                refused.append(table)
            elif result == "late":
                late.append(table)
            tell(Progress("profile", done, len(order), table.key))
    return refused, late


_PERMISSION = frozenset({"no_permission", "permission", "denied", "not_allowed"})


def _note(key: str, tables: list[RawTable]) -> str:
    named = ", ".join(t.key for t in sorted(tables, key=lambda t: t.key)[:_NAMED_IN_NOTES])
    more = len(tables) - _NAMED_IN_NOTES
    return text(f"catalog.{key}", count=len(tables), names=named + (f", … (+ {more})" if more > 0 else ""))


def _drop_dangling(tables: list[RawTable]) -> None:
    """Leave out foreign keys whose other end may not be seen."""
    columns = {t.key: {c.name for c in t.columns} for t in tables}
    for table in tables:
        own = columns[table.key]
        table.foreign_keys = [
            fk
            for fk in table.foreign_keys
            if set(fk.ref_columns) <= columns.get(fk.ref_table, set()) and set(fk.columns) <= own
        ]
        table.primary_key = table.primary_key if set(table.primary_key) <= own else ()
        table.unique_keys = [k for k in table.unique_keys if set(k) <= own]
