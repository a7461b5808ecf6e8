"""A tenant leaves: with its own data first, if it likes, and then without a trace (GDPR, articles 17 and 20).

The export is a zip of JSON lines, a folder for each table, without secrets, and of the files that were uploaded; it is made
on disk a part at a time. The deletion stops everything of the tenant, removes what is open, its files, its results and its
rows, its keys among them, and *proves* it: it counts again, in the database and on disk, and the certificate says what it
counted. The hub then takes away containers, networks, volumes and folders (:mod:`hub_config.hub.janitor`). What remains is
outside this service: backups, until they are overwritten (the operator's guide says how long).
"""

from __future__ import annotations

import json
import logging
import tempfile
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_config.database import utc_now
from hub_config.database.erasure import count_rows, delete_tenant, export_tenant
from hub_config.departed import Departed
from hub_config.errors import PlatformUnavailable

if TYPE_CHECKING:
    from hub_config.platform import Platform

log = logging.getLogger(__name__)

_BLOCK = 256 * 1024


@dataclass(frozen=True)
class Certificate:
    """What a deletion removed, and what was found left (nothing, or there is no certificate)."""

    tenant_id: str
    finished_at: datetime
    rows: dict[str, int]
    rows_left: int
    files: int
    files_left: int


class Departure:
    """The manager."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def export(self, tenant_id: str) -> Iterator[bytes]:
        """Yield a zip of everything of the tenant but its secrets."""
        platform = self._platform
        with tempfile.TemporaryFile(dir=platform.settings.data_dir) as spool:
            with zipfile.ZipFile(spool, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                self._write_tables(archive, tenant_id)
                folder = platform.sources.storage(tenant_id).root
                for path in sorted((folder / "sources").rglob("*")):
                    if path.is_file():
                        archive.write(path, f"files/{path.relative_to(folder / 'sources')}")
            spool.seek(0)
            while block := spool.read(_BLOCK):
                yield block

    def _write_tables(self, archive: zipfile.ZipFile, tenant_id: str) -> None:
        with self._platform.database.tenant(tenant_id, read_only=True) as session:
            parts: dict[str, int] = {}
            for table, rows in export_tenant(session):
                parts[table] = parts.get(table, 0) + 1
                lines = "".join(json.dumps(row, default=plain, ensure_ascii=False) + "\n" for row in rows)
                archive.writestr(f"tables/{table}/{parts[table]:06}.jsonl", lines)

    def delete(self, tenant_id: str) -> Certificate:
        """Remove everything of a tenant, and prove it.

        Raises
        ------
        PlatformUnavailable
            Something would be left: it can be asked again, and goes on where it stopped.
        """
        platform = self._platform
        # Before the first row goes: the hub deletes a tenant's volumes only where it was deleted, not where it is unknown.
        Departed(platform.settings.data_dir, platform.database).mark(tenant_id)
        platform.renderings.forget(tenant_id)
        platform.interactives.forget(tenant_id)
        platform.content.publishing.forget(tenant_id)
        platform.queries.forget(tenant_id)
        platform.sources.jobs.cancel(tenant_id)
        platform.sources.forget(tenant_id)
        storage = platform.sources.storage(tenant_id)
        files = _files(storage.root)
        storage.remove()
        rows = delete_tenant(platform.database, tenant_id)
        # What ran meanwhile may have kept something a moment ago.
        platform.renderings.forget(tenant_id)
        platform.interactives.forget(tenant_id)
        platform.content.publishing.forget(tenant_id)
        platform.queries.forget(tenant_id)
        platform.sources.forget(tenant_id)
        storage.remove()
        with platform.database.tenant(tenant_id, read_only=True) as session:
            left = sum(count_rows(session).values())
        files_left = _files(storage.root)
        if left or files_left:
            raise PlatformUnavailable(log=f"a deletion left {left} rows and {files_left} files")
        platform.people.states.forget(tenant_id)
        platform.people.hub_leavers.look_at_all()
        certificate = Certificate(tenant_id, utc_now(), rows, left, files, files_left)
        log.warning("tenant deleted: tenant_id=%s rows=%d files=%d, none left", tenant_id, sum(rows.values()), files)
        return certificate


def _files(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def plain(value: Any) -> Any:
    """Return what JSON does not know as text; for ``json.dumps(default=…)``."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    raise TypeError(type(value).__name__)
