"""Files that came in and belong to no source yet: what was understood of one, and what a person decides otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from datapilot_kernel.sources import open_source
from datapilot_kernel.sources.files_import.report import FileOptions, ImportReport
from hub_config.data_sources.manager import DataSources
from hub_config.data_sources.receiving import FormReceiver, Receiver
from hub_config.data_sources.storage import TenantStorage, Upload
from hub_config.database import Quota
from hub_config.principal import Principal

_SHOWN_ROWS = 20
_SHOWN_BAD_CELLS = 20


class Uploads:
    """Receives and shows uploads. Thread-safe."""

    def __init__(self, sources: DataSources) -> None:
        self._sources = sources

    async def receive(
        self,
        principal: Principal,
        stream: AsyncIterator[bytes],
        *,
        content_type: str,
        file_name: str | None,
        content_length: int | None,
        quota_bytes: int,
    ) -> Upload:
        """Take a file in; see :class:`~hub_config.data_sources.receiving.Receiver`."""
        storage = self._sources.storage(principal.tenant_id)
        receiver = Receiver(
            storage, principal.user_id, limit_bytes=self._sources.settings.upload_max_bytes, quota_bytes=quota_bytes
        )
        return await receiver.receive(stream, content_type=content_type, file_name=file_name, content_length=content_length)

    async def receive_form(
        self,
        principal: Principal,
        stream: AsyncIterator[bytes],
        *,
        content_type: str,
        content_length: int | None,
        quota_bytes: int,
        admit: Callable[[dict[str, str]], None],
    ) -> tuple[dict[str, str], list[Upload], list[str]]:
        """Take a page's form with several files in; see :class:`~hub_config.data_sources.receiving.FormReceiver`."""
        storage = self._sources.storage(principal.tenant_id)
        receiver = FormReceiver(
            storage, principal.user_id, limit_bytes=self._sources.settings.upload_max_bytes, quota_bytes=quota_bytes
        )
        return await receiver.receive(stream, content_type=content_type, content_length=content_length, admit=admit)

    def quota_bytes(self, principal: Principal) -> int:
        """Return how much the tenant may keep."""
        with self._sources.database.tenant(principal.tenant_id, read_only=True) as session:
            quota = session.get(Quota, "storage_bytes")
            return int(quota.value) if quota is not None else self._sources.settings.tenant_storage_bytes

    def preview(self, principal: Principal, upload_id: str, options: FileOptions) -> dict[str, Any]:
        """Return what was understood of an upload with these decisions: tables, columns, doubts, the first rows.

        Raises
        ------
        NotFound
            There is no such upload of this person's.
        SourceProblem
            It cannot be read; says why.
        """
        storage = self._sources.storage(principal.tenant_id)
        upload, path = storage.upload(upload_id, principal.user_id)
        with self._sources.readers.taken(principal.tenant_id):
            return self._understood(storage, upload, path, options)

    def _understood(self, storage: TenantStorage, upload: Upload, path: Path, options: FileOptions) -> dict[str, Any]:
        source = open_source(str(path), files_options={upload.name: options}, files_cache=storage.cache)
        try:
            report = source.import_report
            assert report is not None
            rows = {file.table: self._first_rows(source, file.table) for file in report.files}
        finally:
            source.close()
        return shown(report, rows)

    def _first_rows(self, source: Any, table: str) -> list[list[Any]]:
        from datapilot_kernel.engine.wire import wire_value
        from datapilot_kernel.sources import Limits

        quoted = '"' + table.replace('"', '""') + '"'
        # Our own statement over the person's own upload: nothing of anybody else's is in this database.
        result = source.execute(f"SELECT * FROM {quoted} LIMIT {_SHOWN_ROWS}", limits=Limits(max_rows=_SHOWN_ROWS))  # noqa: S608
        return [[wire_value(value) for value in row] for row in result.rows]

    def forget(self, principal: Principal, upload_id: str) -> None:
        """Remove an upload. Raises NotFound."""
        storage = self._sources.storage(principal.tenant_id)
        upload, _ = storage.upload(upload_id, principal.user_id)
        storage.forget_upload(upload.id)


def shown(report: ImportReport, rows: dict[str, list[list[Any]]] | None = None) -> dict[str, Any]:
    """Return an import's report for a person: every note as a sentence in the language in force."""
    files = [
        {
            "file": file.file,
            "table": file.table,
            "kind": file.kind,
            "sheet": file.sheet,
            "encoding": file.encoding,
            "delimiter": file.delimiter,
            "header_line": file.header_line,
            "rows": file.rows,
            "notes": [note.message for note in file.notes],
            "columns": [
                {
                    "name": column.name,
                    "header": column.header,
                    "type": column.type,
                    "format": column.format,
                    "nulls": column.nulls,
                    "doubts": [note.message for note in column.doubts],
                    "bad_cells": [{"line": cell.line, "value": cell.value} for cell in column.bad_cells[:_SHOWN_BAD_CELLS]],
                    "bad_cell_count": column.bad_cell_count,
                    "overridden": column.overridden,
                }
                for column in file.columns
            ],
            "first_rows": (rows or {}).get(file.table, []),
        }
        for file in report.files
    ]
    return {"files": files, "skipped": [{"file": n, "message": note.message} for n, note in report.skipped.items()]}
