"""The room of sources: PostgreSQL, MySQL and MariaDB, files. The only code that opens a data connection.

Nothing heavy is imported here; drivers are loaded by the adapter that needs them.
"""

from __future__ import annotations

from datapilot_kernel.sources.location import redact
from datapilot_kernel.sources.model import CancelToken, Dialect, Limits, LogicalType, ResultColumn, ResultTable, Source

__all__ = [
    "CancelToken",
    "Dialect",
    "Limits",
    "LogicalType",
    "ResultColumn",
    "ResultTable",
    "Source",
    "redact",
]
