"""An outcome as HTML and as plain text: what stays in a saved notebook, readable without a kernel, a script or a network.

Everything that came from data, from a layer or from a person is escaped. The styles use JupyterLab's theme variables, so
that light and dark both read; without them (another viewer) plain defaults stand in.
"""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, assert_never

from datapilot_kernel.answers.formats import Formatter, as_decimal
from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.answers.shape import shape_of
from datapilot_kernel.engine.outcome import Answer, Clarification, Failure, Outcome, Refusal
from datapilot_kernel.messages import text

if TYPE_CHECKING:
    from datapilot_kernel.sources.model import Dialect

MAX_ROWS, MAX_COLUMNS, MAX_TEXT_ROWS = 50, 40, 20
_NUMBERS = frozenset({"integer", "decimal", "currency", "percent", "days", "hours", "year"})


@cache
def _style() -> str:
    return f"<style>{files('datapilot_kernel.notebook').joinpath('style.css').read_text(encoding='utf-8')}</style>"


def head(outcome: Outcome, formatter: Formatter) -> str:
    """Return the head of an outcome: sentence, trust, figures, reading; or the message of what is not an answer."""
    match outcome:
        case Answer():
            body = _answer_head(outcome, formatter)
        case Clarification():
            choices = "".join(f"<li>{escape(c.label)}</li>" for c in outcome.choices)
            hint = escape(text("notebook.choose"))
            body = _message("clarification", outcome.message) + f'<ol class="dp-choices dp-static">{choices}</ol>'
            body += f'<div class="dp-note dp-static">{hint}</div>'
        case Refusal():
            body = _message("refusal", outcome.message)
        case Failure():
            body = _message("failure", outcome.message)
        case _:
            assert_never(outcome)
    return f'{_style()}<div class="dp-card dp-head">{body}{_notes(outcome)}</div>'


def progress(step: str) -> str:
    """Return what stands in the place of an answer while it is made."""
    said = escape(text(f"notebook.step.{step}"))
    return f'{_style()}<div class="dp-card dp-head"><div class="dp-progress">{said}</div></div>'


def message(sentence: str, kind: str = "information") -> str:
    """Return one sentence as a card: what ``%datapilot`` says."""
    return f'{_style()}<div class="dp-card dp-head">{_message(kind, sentence)}</div>'


def page(body: str) -> str:
    """Return HTML that is already escaped as a card."""
    return f'{_style()}<div class="dp-card">{body}</div>'


def table(answer: Answer, formatter: Formatter, dialect: Dialect | None = None) -> str:
    """Return the table of an answer, its footer and its SQL, folded."""
    sql = f'<details><summary>SQL</summary><pre class="dp-sql">{escape(pretty(answer.sql, dialect))}</pre></details>'
    body = "" if is_single(answer) else _table(answer, formatter)
    return f'<div class="dp-card">{body}{_footer(answer, formatter)}{sql}</div>'


def nothing() -> str:
    """Return the content of a place that has nothing to show now, and may have after an edit."""
    return '<span class="dp-nothing"></span>'


def is_single(answer: Answer) -> bool:
    """Tell whether the answer is one row of figures: shown large, not as a table."""
    shape = shape_of(answer.columns, answer.table, answer.plan)
    return shape.kind == "value" and not shape.dimensions and len(answer.columns) <= 6


def plain(outcome: Outcome, formatter: Formatter) -> str:
    """Return an outcome as text: the fallback of every output."""
    if not isinstance(outcome, Answer):
        lines = [outcome.message]
        if isinstance(outcome, Clarification):
            lines += [f"  {i}. {c.label}" for i, c in enumerate(outcome.choices, 1)]
        return "\n".join([*lines, *outcome.notes])
    lines = [outcome.sentence, *(f"  {p.label} : {p.value}" for p in outcome.reading), ""]
    shown = [[c.label for c in outcome.columns]]
    shown += [
        [formatter.cell(v, c) for v, c in zip(row, outcome.columns, strict=True)]
        for row in outcome.table.rows[:MAX_TEXT_ROWS]
    ]
    widths = [min(40, max(len(row[i]) for row in shown)) for i in range(len(outcome.columns))]
    for row in shown:
        cells = [
            cell[:40].rjust(w) if _is_number(c) else cell[:40].ljust(w)
            for cell, w, c in zip(row, widths, outcome.columns, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    hidden = len(outcome.table.rows) - MAX_TEXT_ROWS
    if hidden > 0:
        lines.append(text("notebook.more_rows", count=hidden, rows=formatter.count(hidden)))
    return "\n".join([*lines, *outcome.notes])


def pretty(sql: str, dialect: Dialect | None) -> str:
    """Return a statement on several lines; as it is when it cannot be read."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        return sqlglot.parse_one(sql, read=dialect).sql(dialect=dialect, pretty=True)
    except SqlglotError:
        return sql


# ── pieces ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _message(kind: str, sentence: str) -> str:
    return f'<div class="dp-message dp-{escape(kind)}">{escape(sentence)}</div>'


def _notes(outcome: Outcome) -> str:
    return "".join(f'<div class="dp-note">{escape(note)}</div>' for note in outcome.notes)


def _answer_head(answer: Answer, formatter: Formatter) -> str:
    badge = (
        f'<span class="dp-badge dp-{answer.trust}" title="{escape(text(f"notebook.trust.{answer.trust}_why"))}">'
        f"{escape(text(f'notebook.trust.{answer.trust}'))}</span>"
    )
    top = f'<div class="dp-top"><div class="dp-sentence">{escape(answer.sentence)}</div>{badge}</div>'
    return top + (_figures(answer, formatter) if is_single(answer) else "") + _chips(answer)


def _figures(answer: Answer, formatter: Formatter) -> str:
    row = answer.table.rows[0]
    tiles = []
    for value, column in zip(row, answer.columns, strict=True):
        shown, tone = formatter.cell(value, column), ""
        if column.role in ("growth", "difference"):
            shown, tone = formatter.signed(value, column.format), _tone(value, column)
        size = "" if column.role in ("measure", "column") else " dp-second"
        tiles.append(
            f'<div class="dp-kpi{size}"><div class="dp-kpi-value {tone}">{escape(shown)}</div>'
            f'<div class="dp-kpi-label">{escape(column.label)}</div></div>'
        )
    return f'<div class="dp-kpis">{"".join(tiles)}</div>'


def _chips(answer: Answer) -> str:
    title = escape(text("notebook.understood"))
    # The spaces are for viewers that drop the styles of a notebook they do not trust.
    chips = " ".join(
        f'<span class="dp-chip{" dp-default" if p.kind == "default_filter" else ""}">'
        f"<b>{escape(p.label)}</b> {escape(p.value)}</span>"
        for p in answer.reading
    )
    return f'<div class="dp-chips dp-static" title="{title}">{chips}</div>' if chips else ""


def _is_number(column: AnswerColumn) -> bool:
    return (
        column.format.kind in _NUMBERS
        and column.grain is None
        and column.type in ("integer", "decimal", "float", "interval")
    )


def _table(answer: Answer, formatter: Formatter) -> str:
    if not answer.table.rows:
        return ""
    columns = answer.columns[:MAX_COLUMNS]
    header = "".join(f'<th{_class(c, "")} title="{escape(c.name)}">{escape(c.label)}</th>' for c in columns)
    body = []
    for row in answer.table.rows[:MAX_ROWS]:
        cells = [_cell(value, column, formatter) for value, column in zip(row, columns, strict=False)]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="dp-scroll"><table class="dp-table"><thead><tr>{header}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _class(column: AnswerColumn, more: str) -> str:
    names = " ".join(n for n in ("dp-num" if _is_number(column) else "", more) if n)
    return f' class="{names}"' if names else ""


def _cell(value: object, column: AnswerColumn, formatter: Formatter) -> str:
    shown = formatter.cell(value, column)
    tone = "dp-null" if value is None else ""
    if column.role in ("growth", "difference") and value is not None:
        shown = formatter.signed(value, column.format)
        tone = _tone(value, column)
    return f"<td{_class(column, tone)}>{escape(shown)}</td>"


def _tone(value: object, column: AnswerColumn) -> str:
    """Return the class of a change: good or bad, by what is better for its measure."""
    number = as_decimal(value)
    if not number:
        return ""
    return "dp-up" if (number > 0) != column.lower_is_better else "dp-down"


def _footer(answer: Answer, formatter: Formatter) -> str:
    total = len(answer.table.rows)
    parts = []
    if not is_single(answer):
        rows = formatter.count(total)
        if answer.truncated:
            parts.append(text("notebook.rows_truncated", count=total, rows=rows))
        elif total > MAX_ROWS:
            parts.append(text("notebook.rows_shown", count=total, shown=formatter.count(MAX_ROWS), rows=rows))
        else:
            parts.append(text("notebook.rows", count=total, rows=rows))
        if len(answer.columns) > MAX_COLUMNS:
            parts.append(text("notebook.columns_shown", shown=MAX_COLUMNS, total=len(answer.columns)))
    if answer.timings_ms.total is not None:
        parts.append(text("notebook.took", ms=formatter.count(round(answer.timings_ms.total))))
    parts.append(text(f"notebook.by.{answer.engine}"))
    return f'<div class="dp-foot">{" ".join(f"<span>{escape(p)}</span>" for p in parts)}</div>'
