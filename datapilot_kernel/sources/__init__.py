"""The room of sources: PostgreSQL, MySQL and MariaDB, files. The only code that opens a data connection.

Nothing heavy is imported here; drivers are loaded by the adapter that needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from datapilot_kernel.sources.location import DatabaseLocation, cache_folder, parse_location, redact
from datapilot_kernel.sources.model import (
    CancelToken,
    Dialect,
    Limits,
    LogicalType,
    OpenedSource,
    ResultColumn,
    ResultTable,
    RoleFinding,
    Source,
)
from datapilot_kernel.sources.ssh import HostKey, SshServer
from datapilot_kernel.sources.tls import Tls, TlsMode

if TYPE_CHECKING:
    from pathlib import Path

    from datapilot_kernel.sources.files_import.report import FilesOptions

__all__ = [
    "CancelToken",
    "DatabaseLocation",
    "Dialect",
    "HostKey",
    "Limits",
    "LogicalType",
    "OpenedSource",
    "ResultColumn",
    "ResultTable",
    "RoleFinding",
    "Source",
    "SshServer",
    "Tls",
    "TlsMode",
    "cache_folder",
    "open_source",
    "redact",
]


def open_source(
    location: str | DatabaseLocation,
    *,
    files_options: FilesOptions | None = None,
    time_zone: str = "Europe/Paris",
    files_cache: Path | None = None,
) -> OpenedSource:
    """Open a source.

    Parameters
    ----------
    location
        ``postgresql://…``, ``mysql://…`` or ``mariadb://…``; or the path of a CSV, Excel, Parquet or ``.duckdb`` file, or
        of a folder of such files. A database is not asked anything yet: the first statement connects. Or a
        :class:`DatabaseLocation`, where the password is in no string.
    files_options
        What a person decided about files, by file name; see :mod:`datapilot_kernel.sources.files_import.report`.
    files_cache
        Folder where databases made of files are kept; None: the person's own cache folder.
    time_zone
        In which the source's times with a zone are computed and shown.

    Raises
    ------
    SourceProblem
        The location says nothing that can be opened, or no file in it can be read.
    ZoneInfoNotFoundError, ValueError
        There is no such time zone.
    """
    # It becomes part of the sessions' settings: a zone that the machine knows, and no other text.
    ZoneInfo(time_zone)
    where = parse_location(location) if isinstance(location, str) else location
    if isinstance(where, DatabaseLocation):
        if where.kind == "postgres":
            from datapilot_kernel.sources.postgres import PostgresSource

            return PostgresSource(where, time_zone=time_zone)
        from datapilot_kernel.sources.mysql import MysqlSource

        return MysqlSource(where, time_zone=time_zone)
    from datapilot_kernel.sources import files

    if where.kind == "duckdb":
        return files.open_duckdb(where.path, time_zone=time_zone)
    return files.open_files(where.path, files_options or {}, time_zone=time_zone, cache=files_cache)
