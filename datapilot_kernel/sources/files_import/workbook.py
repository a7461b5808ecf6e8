"""Workbooks (Excel, OpenDocument) as records of text, through python-calamine.

A cell's value is written as text in one form (whole numbers without a fraction, decimals with a point and the fifteen
digits that Excel shows, dates as ISO), so that the columns are decided by the same rules as those of a text file. What a
workbook knows about a column's format is not used: people format by hand, and half the cells of a column.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from datapilot_kernel.sources.files_import.layout import Record
from datapilot_kernel.sources.files_import.problems import Unreadable

_LARGEST_BYTES = 1 << 30
"""Of a workbook's parts, unpacked. Beyond it reading takes minutes and gigabytes, and no spreadsheet shows it."""


def _unpacked_bytes(path: Path) -> int:
    """Return what the parts of a zipped workbook say they are, unpacked: a reader stops at what they say."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):
        # An older kind, not zipped; or broken, which its reader says better.
        return 0


def sheets_of(path: Path, wanted: tuple[str, ...] | None) -> Iterator[tuple[str, list[Record]]]:
    """Yield the name and the records of every sheet that holds something.

    Raises
    ------
    Unreadable
        It is no workbook, it is locked with a password, or it unpacks to more than anybody's workbook.
    """
    import python_calamine

    if _unpacked_bytes(path) > _LARGEST_BYTES:
        raise Unreadable("workbook_too_large", file=path.name, limit=_LARGEST_BYTES >> 20)

    try:
        book = python_calamine.CalamineWorkbook.from_path(str(path))
    except python_calamine.PasswordError:
        raise Unreadable("workbook_locked", file=path.name) from None
    except (python_calamine.CalamineError, OSError, ValueError):
        raise Unreadable("workbook_unreadable", file=path.name) from None
    names = [m.name for m in book.sheets_metadata if m.typ == python_calamine.SheetTypeEnum.WorkSheet]
    for name in names:
        if wanted is not None and name not in wanted:
            continue
        try:
            rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        except (python_calamine.CalamineError, ValueError):
            raise Unreadable("workbook_unreadable", file=path.name) from None
        records = [Record(line, [cell_text(value) for value in row]) for line, row in enumerate(rows, 1)]
        records = [record for record in records if any(record.cells)]
        if records:
            yield name, records


def cell_text(value: Any) -> str:
    """Return a cell's value as text.

    >>> cell_text(12.0), cell_text(0.1 + 0.2), cell_text(date(2026, 5, 1)), cell_text(True)
    ('12', '0.3', '2026-05-01', 'VRAI')
    """
    match value:
        case None:
            return ""
        case bool():
            return "VRAI" if value else "FAUX"
        case int():
            return str(value)
        case float():
            if value.is_integer() and abs(value) < 1e18:
                return str(int(value))
            shown = f"{value:.15g}"
            return f"{value:.15f}".rstrip("0") if "e-" in shown else shown
        case datetime():
            return value.isoformat(" ", "seconds")
        case date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case _:
            return str(value).strip()
