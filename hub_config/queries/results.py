"""Results that can be fetched again for a while: Arrow on the disk, a folder for each tenant, bounded in bytes and time.

A result is kept by the id of its query, with the fingerprint of the rights it was made for; it is handed out only to the
same fingerprint (the service compares). The latest are in memory (their rows are shared with the cache of results); older
ones are written to the disk, behind the answers, on a thread of its own. A file is whole or not there (written aside, then
renamed), readable by this account alone. What a stopped process had in memory is made again when somebody asks for it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.semantic.model import Calendar
from datapilot_kernel.sources import ResultTable
from datapilot_kernel.sources.arrow_reading import arrow_to_table

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

_COLUMNS: TypeAdapter[tuple[AnswerColumn, ...]] = TypeAdapter(tuple[AnswerColumn, ...])
_IN_MEMORY = 1000
_IN_MEMORY_CELLS = 2_000_000
_ROOM_MADE = 0.9


@dataclass(frozen=True)
class Result:
    """A result with what its renderings need.

    Attributes
    ----------
    rights
        The fingerprint of the rights it was made for.
    read_at
        When the oldest of its rows were read from the source, in seconds since 1970; None: not known.
    """

    columns: tuple[AnswerColumn, ...]
    table: ResultTable
    rights: str
    currency: str = "EUR"
    calendar: Calendar = field(default_factory=Calendar)
    read_at: float | None = None

    def to_arrow(self) -> pa.Table:
        """Return the table as Arrow; what Arrow cannot say of it stands in the schema's metadata."""
        about = {
            "columns": _COLUMNS.dump_python(self.columns, mode="json"),
            "types": [c.type for c in self.table.columns],
            "truncated": self.table.truncated,
            "rights": self.rights,
            "currency": self.currency,
            "calendar": self.calendar.model_dump(mode="json"),
            "read_at": self.read_at,
        }
        return self.table.to_arrow().replace_schema_metadata({b"datapilot": json.dumps(about).encode()})

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Result:
        """Read what :meth:`to_arrow` gave."""
        about: dict[str, Any] = json.loads(table.schema.metadata[b"datapilot"])
        return cls(
            columns=_COLUMNS.validate_python(about["columns"]),
            table=arrow_to_table(table, about["types"], truncated=about["truncated"]),
            rights=about["rights"],
            currency=about["currency"],
            calendar=Calendar.model_validate(about["calendar"]),
            read_at=about.get("read_at"),
        )


class ResultStore:
    """Results by tenant and query. Thread-safe.

    Parameters
    ----------
    max_bytes
        Of one tenant on the disk; its oldest results go first.
    keep_s
        How long a result is handed out.
    """

    def __init__(self, folder: Path, *, max_bytes: int, keep_s: float) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._keep_s = keep_s
        self._lock = threading.Lock()
        self._unwritten: OrderedDict[tuple[str, str], tuple[float, Result]] = OrderedDict()
        self._cells = 0
        # About how much a tenant has on the disk: looked up once, then added to. Looking costs as much as there are files.
        self._on_disk: dict[str, int] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="datapilot-results")

    def keep(self, tenant_id: str, query_id: str, result: Result) -> None:
        """Keep a result; returns at once."""
        key = (tenant_id, query_id)
        with self._lock:
            self._take(key)
            self._unwritten[key] = (time.time(), result)
            self._cells += _cells(result)
            older = self._surplus()
        for one in older:
            self._submit(one)

    def _surplus(self) -> list[tuple[str, str]]:
        """Return the oldest in memory that have to go to the disk."""
        count, cells, found = len(self._unwritten), self._cells, []
        for key, (_, result) in self._unwritten.items():
            if count <= _IN_MEMORY and cells <= _IN_MEMORY_CELLS:
                break
            found.append(key)
            count, cells = count - 1, cells - _cells(result)
        if len(found) > _IN_MEMORY:
            # The disk does not keep up: the oldest are made again when somebody asks for them.
            for key in found[:-_IN_MEMORY]:
                self._take(key)
            found = found[-_IN_MEMORY:]
        return found

    def _submit(self, key: tuple[str, str]) -> None:
        with suppress(RuntimeError):
            # The writer is gone when the service stops.
            self._writer.submit(self._write, *key)

    def _take(self, key: tuple[str, str]) -> Result | None:
        """Take a result out of memory. Behind the lock."""
        found = self._unwritten.pop(key, None)
        if found is None:
            return None
        self._cells -= _cells(found[1])
        return found[1]

    def get(self, tenant_id: str, query_id: str) -> Result | None:
        """Return what is kept of a query, or None."""
        with self._lock:
            found = self._unwritten.get((tenant_id, query_id))
        if found is not None:
            return found[1] if found[0] >= time.time() - self._keep_s else None
        path = self._path(tenant_id, query_id)
        try:
            if path.stat().st_mtime < time.time() - self._keep_s:
                return None
            return Result.from_arrow(_read(path))
        except FileNotFoundError:
            return None

    def forget(self, tenant_id: str, query_id: str | None = None) -> None:
        """Delete what is kept of a query, or of a whole tenant."""
        with self._lock:
            for key in [k for k in self._unwritten if k[0] == tenant_id and query_id in (None, k[1])]:
                self._take(key)
        if query_id is not None:
            self._path(tenant_id, query_id).unlink(missing_ok=True)
        else:
            shutil.rmtree(self._folder / tenant_id, ignore_errors=True)
            with self._lock:
                self._on_disk.pop(tenant_id, None)

    def sweep(self) -> None:
        """Delete what is too old, and what a dead process left half-written."""
        oldest = time.time() - self._keep_s
        with self._lock:
            for key in [k for k, (kept_at, _) in self._unwritten.items() if kept_at < oldest]:
                self._take(key)
        for path, _, modified in self._files():
            if modified < oldest:
                path.unlink(missing_ok=True)
        with self._lock:
            self._on_disk.clear()

    def flush(self) -> None:
        """Write everything kept so far to the disk, and wait for it."""
        with self._lock:
            keys = list(self._unwritten)
        for key in keys:
            self._submit(key)
        self._writer.submit(_nothing).result()

    def close(self) -> None:
        """Write no more."""
        self._writer.shutdown(wait=True, cancel_futures=True)

    def _path(self, tenant_id: str, query_id: str) -> Path:
        return self._folder / tenant_id / f"{query_id}.arrow"

    def _write(self, tenant_id: str, query_id: str) -> None:
        with self._lock:
            found = self._unwritten.get((tenant_id, query_id))
        if found is None:
            return
        kept_at, result = found
        path = self._path(tenant_id, query_id)
        aside = path.with_suffix(".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_arrow(aside, result.to_arrow())
            os.utime(aside, (kept_at, kept_at))
            size = aside.stat().st_size
            aside.replace(path)
            self._make_room(tenant_id, size)
        except OSError as error:
            # A full disk costs a re-run, not an answer.
            log.warning("a result was not kept: %s", type(error).__name__)
            with suppress(OSError):
                aside.unlink(missing_ok=True)
        finally:
            with self._lock:
                gone = self._take((tenant_id, query_id)) is None
            if gone:
                # Forgotten while it was written.
                path.unlink(missing_ok=True)

    def _make_room(self, tenant_id: str, added: int) -> None:
        with self._lock:
            known = self._on_disk.get(tenant_id)
            if known is not None and known + added <= self._max_bytes:
                self._on_disk[tenant_id] = known + added
                return
        files = sorted(self._files(tenant_id), key=lambda item: item[2])
        total = sum(size for _, size, _ in files)
        if total > self._max_bytes:
            # A little more than has to go, so that the next one does not look through all of them again.
            for path, size, _ in files:
                if total <= self._max_bytes * _ROOM_MADE:
                    break
                path.unlink(missing_ok=True)
                total -= size
        with self._lock:
            self._on_disk[tenant_id] = total

    def _files(self, tenant_id: str | None = None) -> Iterator[tuple[Path, int, float]]:
        folders = [entry.name for entry in _entries(self._folder)] if tenant_id is None else [tenant_id]
        for folder in folders:
            for entry in _entries(self._folder / folder):
                with suppress(FileNotFoundError):
                    status = entry.stat()
                    yield Path(entry.path), status.st_size, status.st_mtime


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _write_arrow(path: Path, table: pa.Table) -> None:
    import pyarrow as pa

    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_stream(file, table.schema, options=options) as writer:
            writer.write_table(table)


def _read(path: Path) -> pa.Table:
    import pyarrow as pa

    with path.open("rb") as file, pa.ipc.open_stream(file) as reader:
        return reader.read_all()


def _cells(result: Result) -> int:
    return len(result.table.rows) * len(result.columns)


def _nothing() -> None:
    return None
