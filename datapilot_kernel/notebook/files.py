"""What was decided when files were read, as HTML and as text: what ``%datapilot files`` shows.

One foldable part for each file, open where something deserves a look; a line for each column, with its type in a person's
words, the doubts that remain and where a cell does not fit. Never a cell's content: a notebook is shared.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.messages import has_text, text
from datapilot_kernel.notebook.card import page

if TYPE_CHECKING:
    from datapilot_kernel.sources.files_import.report import ColumnReport, FileReport, ImportReport

MAX_LINES = 5


def report_card(report: ImportReport, formatter: Formatter, table: str | None = None) -> tuple[str, str]:
    """Return a report as HTML and as plain text. ``table`` None: every file, only doubtful ones unfolded.

    Raises
    ------
    KeyError
        No file became a table of that name.
    """
    shown = report.files if table is None else (report.table(table),)
    skipped = report.skipped if table is None else {}
    alone = len(shown) == 1
    body = "".join(
        f'<div class="dp-message dp-failure">{escape(name)} : {escape(problem.message)}</div>'
        for name, problem in skipped.items()
    )
    body += "".join(_file(file, formatter, unfolded=alone or bool(_remark_count(file))) for file in shown)
    hint = text("notebook.files.decide")
    lines = [f"{name} : {problem.message}" for name, problem in skipped.items()]
    for file in shown:
        lines.append(_title(file, formatter))
        lines += [
            f"  {column.name} : {_type(column)}" + "".join(f" ; {remark}" for remark in _remarks(column, formatter))
            for column in file.columns
            if alone or _remarks(column, formatter)
        ]
        lines += [f"  {note.message}" for note in file.notes]
    return page(f'{body}<div class="dp-note">{escape(hint)}</div>'), "\n".join([*lines, hint])


def _file(file: FileReport, formatter: Formatter, *, unfolded: bool) -> str:
    names = ("column", "type", "header", "empty", "remarks")
    header = "".join(f"<th>{escape(text(f'notebook.files.{name}'))}</th>" for name in names)
    rows = []
    for column in file.columns:
        remarks = "<br>".join(escape(remark) for remark in _remarks(column, formatter))
        empty = formatter.count(column.nulls) if column.nulls else ""
        rows.append(
            f"<tr><td>{escape(column.name)}</td><td>{escape(_type(column))}</td><td>{escape(column.header)}</td>"
            f'<td class="dp-num">{escape(empty)}</td><td class="dp-wrap">{remarks}</td></tr>'
        )
    notes = "".join(f'<div class="dp-note">{escape(note.message)}</div>' for note in file.notes)
    count = _remark_count(file)
    badge = f' <b class="dp-exploratory">{escape(text("notebook.files.to_check", count=count))}</b>' if count else ""
    return (
        f"<details{' open' if unfolded else ''}><summary>{escape(_title(file, formatter))}{badge}</summary>{notes}"
        f'<div class="dp-scroll"><table class="dp-table"><thead><tr>{header}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def _title(file: FileReport, formatter: Formatter) -> str:
    said = [text("notebook.files.rows", count=file.rows, rows=formatter.count(file.rows))]
    if file.sheet:
        said.append(text("notebook.files.sheet", name=file.sheet))
    if file.encoding:
        said.append(file.encoding)
    if file.delimiter:
        sign = text("notebook.files.tab") if file.delimiter == "\t" else file.delimiter
        said.append(text("notebook.files.delimiter", sign=sign))
    return text("notebook.files.title", file=file.file, table=file.table, said=", ".join(said))


def _type(column: ColumnReport) -> str:
    """Return « date (jour/mois/année) »: the type, and how it is written in the file."""
    named = f"notebook.files.kind.{column.type}"
    kind = text(named) if has_text(named) else column.native_type
    if column.format is None:
        return kind
    key = f"notebook.files.form.{column.format.replace('/', '_')}"
    return f"{kind} ({text(key) if has_text(key) else column.format})"


def _remarks(column: ColumnReport, formatter: Formatter) -> list[str]:
    remarks = [text("notebook.files.overridden")] if column.overridden else []
    remarks += [doubt.message for doubt in column.doubts]
    if column.bad_cell_count:
        lines = ", ".join(str(cell.line) for cell in column.bad_cells[:MAX_LINES])
        more = "…" if column.bad_cell_count > MAX_LINES else ""
        count = formatter.count(column.bad_cell_count)
        remarks.append(text("notebook.files.bad_cells", count=column.bad_cell_count, cells=count, lines=lines + more))
    return remarks


def _remark_count(file: FileReport) -> int:
    return sum(bool(column.doubts or column.bad_cell_count) for column in file.columns)
