"""Where the table is in a text file: its delimiter, the lines above it, its header, the totals under it.

Decided on the first and the last part of the file with the standard library's reader. A table's width is the width that
most of its lines have; the header is the first line of about that width that is made of words; what stands above it (an
accounting export's title, company, period) is preamble; a line of totals at the end is left out of the data, or a
question about the turnover would count everything twice.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from datapilot_kernel.sources.files_import.cells import is_null_word, looks_dated, looks_typed, stripped
from datapilot_kernel.sources.files_import.problems import Unreadable
from datapilot_kernel.sources.names import clean_name

DELIMITERS = (";", "\t", "|", ",")
LONGEST_FIELD = 8 << 20
_SEP_LINE = re.compile(r"^\ufeff?sep=(.)\s*$", re.IGNORECASE)
_EXACT_TOTAL = re.compile(
    r"(sous_)?(total|totaux|somme|grand_total|total_general|total_general_ttc|total_general_ht|total_ht|total_ttc)"
)
_BEGINS_TOTAL = re.compile(r"(sous_)?(total|totaux|somme|cumul|grand_total|solde)(_|$)")
_FOOTER = re.compile(r"(edite|imprime|genere|extrait|export|page|fin_|source|nombre_de_lignes|nb_lignes|document)")


@dataclass(frozen=True)
class Record:
    """One line of the table as the reader sees it: its cells and the number of its first physical line."""

    line: int
    cells: list[str]


@dataclass(frozen=True)
class Layout:
    """Where the table is.

    ``skip_records`` counts the records before the first line of data, ``skip_lines`` the physical lines.
    """

    delimiter: str
    width: int
    headers: list[str]
    header_line: int
    skip_records: int
    skip_lines: int
    data: list[Record]
    preamble: bool
    plain_preamble: bool
    ragged: bool


def records_of(text: str, delimiter: str, first_line: int = 1) -> list[Record]:
    """Split a text into records, each with its line."""
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    found, before = [], 0
    try:
        for cells in reader:
            found.append(Record(before + first_line, cells))
            before = reader.line_num
    except csv.Error:
        raise Unreadable("line_too_long", line=before + first_line) from None
    return found


def _filled(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if stripped(cell))


def _worded(cells: Sequence[str]) -> bool:
    return any(stripped(cell) and not looks_typed(cell) for cell in cells)


def choose_delimiter(text: str) -> str:
    """Return the delimiter whose lines agree best on a width; one that the text does not hold when there is one column."""
    directive = _SEP_LINE.match(text.split("\n", 1)[0].rstrip("\r"))
    if directive:
        return directive[1]
    # One column whose text holds delimiters here and there must not be cut at them.
    best, best_score = next((d for d in DELIMITERS if d not in text), "\x1f"), 0.0
    for delimiter in DELIMITERS:
        if delimiter not in text:
            continue
        records = [r.cells for r in records_of(text, delimiter) if any(r.cells)][:2000]
        widths = Counter(len(cells) for cells in records)
        width, lines = max(widths.items(), key=lambda item: (item[1] * (item[0] > 1), item[0]))
        if width < 2:
            continue
        if delimiter == "," and not any(_worded(cells) for cells in records if len(cells) == width):
            continue  # nothing but digits around the commas: they are decimal commas
        agreed = lines / len(records)
        if agreed < 0.4:
            continue
        # A decimal comma and the commas of a text cut lines too, but never so evenly, nor into so many.
        score = agreed * agreed * (width - 1) ** 0.5 * (1.0 if delimiter != "," else 0.8)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def find_table(text: str, whole: bool, delimiter: str, header_line: int | None) -> Layout:
    """Find the header and the width of the table in the first part of a file.

    Parameters
    ----------
    whole
        The text is the whole file; else its last line is cut and is left out.
    header_line
        Decided by a person: the header's line, 0 for none; None: find it.

    Raises
    ------
    Unreadable
        There is no table, or no such header line.
    """
    records = records_of(text, delimiter)
    if not whole and len(records) > 1:
        records.pop()
    start = 1 if records and _SEP_LINE.match(delimiter.join(records[0].cells)) else 0
    full = [r for r in records[start:] if _filled(r.cells)]
    if not full:
        raise Unreadable("file_empty")
    # The body tells the width; a short preamble must not outvote it.
    body = full[len(full) // 3 :] if len(full) > 6 else full
    width = max(Counter(len(r.cells) for r in body).items(), key=lambda item: (item[1], item[0]))[0]
    at = _header_position(records, start, width) if header_line is None else _chosen_position(records, header_line)
    has_header = at is not None
    first_data = (at + 1 if at is not None else _first_full(records, start, width)) if header_line != 0 else start
    data = records[first_data:]
    headers = [stripped(cell) for cell in records[at].cells] if at is not None else []
    while len(headers) > 1 and not headers[-1]:
        headers.pop()  # "A;B;" ends every line with a delimiter: the data below say whether there is a third column
    width = max(len(headers), *(len(r.cells) for r in data), 1) if data else max(1, len(headers))
    while width > len(headers) and not any(len(r.cells) >= width and stripped(r.cells[width - 1]) for r in data):
        width -= 1
    width = max(width, len(headers), 1)
    headers += [""] * (width - len(headers))
    before = records[:first_data]
    skip_lines = data[0].line - 1 if data else (before[-1].line if before else 0)
    if not data and not has_header:
        raise Unreadable("file_empty")
    return Layout(
        delimiter=delimiter,
        width=width,
        headers=headers,
        header_line=records[at].line if at is not None else 0,
        skip_records=first_data,
        skip_lines=skip_lines,
        data=data,
        preamble=at is not None and any(_filled(r.cells) for r in records[start:at]),
        plain_preamble=all('"' not in delimiter.join(r.cells) for r in before[: at or 0]) and skip_lines == first_data,
        ragged=any(len(r.cells) != width for r in data if r.cells),
    )


def _first_full(records: list[Record], start: int, width: int) -> int:
    return next((i for i in range(start, len(records)) if len(records[i].cells) >= width), start)


def _chosen_position(records: list[Record], header_line: int) -> int | None:
    if header_line == 0:
        return None
    for position, record in enumerate(records):
        if record.line == header_line:
            return position
    raise Unreadable("header_line_missing", line=header_line)


def _header_position(records: list[Record], start: int, width: int) -> int | None:
    """Return the header's position; None: the table begins with data."""
    maybe: int | None = None
    for position in range(start, min(len(records), start + 60)):
        cells = records[position].cells
        filled = _filled(cells)
        if not filled or len(cells) < max(1, width - 1) or filled < max(1, round(0.6 * width)):
            continue
        following = [r.cells for r in records[position + 1 : position + 200] if _filled(r.cells)]
        match _reads_as(cells, following):
            case "header":
                return position
            case "data":
                return maybe
            case "preamble":
                maybe = position  # dates above numbers are a header if the data follow, else a title
    return next((i for i in range(start, len(records)) if _filled(records[i].cells)), None)


def _kind(cell: str) -> Literal["year", "date", "number", "word"]:
    if _is_year(cell):
        return "year"
    if not looks_typed(cell):
        return "word"
    return "date" if looks_dated(cell) else "number"


def _reads_as(cells: list[str], following: list[list[str]]) -> Literal["header", "data", "preamble"]:
    """Compare a line with those under it: like them it is data; words (or years) above values are a header."""
    below: dict[int, str] = {}
    for position in range(len(cells)):
        kinds = Counter(_kind(row[position]) for row in following if position < len(row) and not is_null_word(row[position]))
        for kind, count in kinds.most_common(1):
            if kind != "word" and count >= 0.8 * kinds.total():
                below[position] = kind
    same = sum(1 for position, kind in below.items() if _kind(cells[position]) == kind)
    if below and same >= 0.6 * len(below):
        return "data"
    valued = any(_kind(cell) in {"date", "number"} for cell in cells if stripped(cell))
    return "preamble" if valued else "header"


def _is_year(cell: str) -> bool:
    return bool(re.fullmatch(r"(19|20)\d\d", stripped(cell)))


@dataclass(frozen=True)
class Tail:
    """What stands under the table: how many physical lines to leave out, and which of them are totals."""

    lines: int
    totals: tuple[str, ...]
    total_lines: int
    footer_lines: int


def is_total(cells: Sequence[str], usual_filled: int) -> bool:
    """Tell a line of totals from a line of data.

    >>> is_total(["Total général", "", "", "1 234,50"], 4), is_total(["Total Énergies", "Paris", "3", "12,00"], 4)
    (True, False)
    """
    filled = [stripped(cell) for cell in cells if stripped(cell)]
    if not filled or looks_typed(filled[0]):
        return False
    first = clean_name(filled[0])
    if _EXACT_TOTAL.fullmatch(first):
        return True
    return (
        bool(_BEGINS_TOTAL.match(first)) and len(filled) <= max(1, 0.7 * usual_filled) and any(map(looks_typed, filled[1:]))
    )


def find_tail(lines: Sequence[str], delimiter: str, width: int, usual_filled: int, keep_totals: bool) -> Tail:
    """Look at the last physical lines of a file, from the bottom up, for totals and footers."""
    dropped, totals, total_lines, footers, pending = 0, [], 0, 0, 0
    for line in reversed(lines):
        pending += 1
        if '"' in line and line.count('"') % 2:
            break  # inside a quoted line break: data
        cells = next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
        filled = [stripped(cell) for cell in cells if stripped(cell)]
        if not filled:
            continue
        if width > 1 and is_total(cells, usual_filled) and not keep_totals:
            totals.append(" ".join(filled)[:80])
            total_lines += 1
        elif width >= 3 and len(filled) == 1 and _FOOTER.match(clean_name(filled[0])):
            footers += 1
        else:
            break
        dropped = pending
    return Tail(dropped, tuple(reversed(totals)), total_lines, footers)


def find_book_table(records: list[Record], header_line: int | None) -> tuple[list[str], int, list[Record], Tail] | None:
    """Find the table on a sheet: headers, header line, records of data (empty edge columns cut off), totals.

    None: the sheet holds no table (a title, a drawing's text).
    """
    filled = [r for r in records if _filled(r.cells)]
    if not filled:
        return None
    used = [i for i in range(max(len(r.cells) for r in filled)) if sum(1 for r in filled if stripped(r.cells[i])) > 0]
    first, last = used[0], used[-1]
    cut = [Record(r.line, r.cells[first : last + 1]) for r in filled]
    body = cut[len(cut) // 3 :] if len(cut) > 6 else cut
    # Every row of a sheet has the sheet's width: its table's width is where most rows end.
    width = max(Counter(_last_filled(r.cells) for r in body).items(), key=lambda item: (item[1], item[0]))[0]
    at = _header_position(cut, 0, width) if header_line is None else _chosen_position(cut, header_line)
    data = cut[at + 1 :] if at is not None else cut
    width = max([_last_filled(cut[at].cells) if at is not None else 1, *(_last_filled(r.cells) for r in data)])
    headers = [stripped(c) for c in cut[at].cells[:width]] if at is not None else [""] * width
    if not data and (at is None or width < 2):
        return None
    counts = sorted(_filled(r.cells) for r in data)
    usual = counts[len(counts) // 2] if counts else width
    totals: list[str] = []
    while data and width > 1 and is_total(data[-1].cells, usual):
        totals.insert(0, " ".join(c for c in map(stripped, data.pop().cells) if c)[:80])
    kept = [i for i in range(width) if headers[i] or any(stripped(r.cells[i]) for r in data)]
    data = [Record(r.line, [r.cells[i] for i in kept]) for r in data]
    return [headers[i] for i in kept], cut[at].line if at is not None else 0, data, Tail(0, tuple(totals), len(totals), 0)


def _last_filled(cells: Sequence[str]) -> int:
    return max((i + 1 for i, cell in enumerate(cells) if stripped(cell)), default=0)
