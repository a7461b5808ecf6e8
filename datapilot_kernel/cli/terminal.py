"""An outcome as text for a terminal: sentence, reading, table, notes, SQL."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import assert_never

from datapilot_kernel.cli.common import note
from datapilot_kernel.engine.outcome import Answer, Clarification, Failure, Outcome, Refusal
from datapilot_kernel.messages import text
from datapilot_kernel.semantic.model import Layer

MAX_ROWS = 30
MAX_WIDTH = 40


def print_outcome(outcome: Outcome, layer: Layer | None) -> None:
    """Print an outcome: what answers on standard output, what does not on standard error."""
    match outcome:
        case Answer():
            _print_answer(outcome, layer)
        case Clarification():
            note(outcome.message)
            for number, choice in enumerate(outcome.choices, 1):
                note(f"  {number}. {choice.label}")
        case Refusal() | Failure():
            note(outcome.message)
            for sentence in outcome.notes:
                note(text("cli.note", note=sentence))
        case _:
            assert_never(outcome)


def _print_answer(answer: Answer, layer: Layer | None) -> None:
    from datapilot_kernel.answers import formatter_for

    formatter = formatter_for(layer)
    out = sys.stdout
    if answer.sentence:
        print(answer.sentence, file=out)
    for part in answer.reading:
        note(f"  {part.label} : {part.value}")
    cells = [
        [formatter.cell(value, column) for value, column in zip(row, answer.columns, strict=True)]
        for row in answer.table.rows[:MAX_ROWS]
    ]
    right = [column.format.kind in _NUMBERS for column in answer.columns]
    print(file=out)
    for line in _table([column.label for column in answer.columns], cells, right):
        print(line, file=out)
    hidden = len(answer.table.rows) - MAX_ROWS
    if hidden > 0:
        print(text("cli.more_rows", count=hidden), file=out)
    for sentence in answer.notes:
        note(text("cli.note", note=sentence))
    note(text("cli.trust", trust=text(f"cli.trust_{answer.trust}"), ms=round(answer.timings_ms.total or 0)))
    note("\n" + answer.sql)


_NUMBERS = frozenset({"integer", "decimal", "currency", "percent", "days", "hours"})


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Return the lines of a table of texts; ``right`` says which columns are set to the right."""
    return _table(header, rows, right)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Return the lines of a table with aligned columns.

    >>> _table(["Ville", "CA"], [["Lyon", "12"], ["Nice", "3"]], [False, True])
    ['Ville  CA', '─────  ──', 'Lyon   12', 'Nice    3']
    """
    cut = [[_cut(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cut) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ).rstrip()

    return [line(cut[0]), "  ".join("─" * width for width in widths), *(line(row) for row in cut[1:])]


def _cut(cell: str) -> str:
    flat = " ".join(cell.split()) if "\n" in cell else cell
    return flat if len(flat) <= MAX_WIDTH else flat[: MAX_WIDTH - 1] + "…"
