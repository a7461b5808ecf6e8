"""From a tile's outcome to what its page shows: a sentence, how far to trust it, figures or a table, a chart, and its age.

Everything is written here, by the formatter of the answer: the page's script puts pieces into their places and draws the
chart, it formats nothing. A viewer's pieces hold neither a statement nor a plan; what a source said of itself when it failed
(a host's name, a port) is for authors.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from datapilot_kernel.answers.chart import ChartType, choose_chart
from datapilot_kernel.answers.formats import Formatter, as_decimal
from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.answers.shape import shape_of
from datapilot_kernel.engine.outcome import Answer, Failure
from datapilot_kernel.messages import current_language, text
from hub_config.errors import is_away
from hub_config.queries.renderings import formatter_of

if TYPE_CHECKING:
    from datapilot_kernel.engine.outcome import Outcome
    from hub_config.pages.rendering import Renderer
    from hub_config.queries.results import Result

MOST_ROWS, MOST_COLUMNS, MOST_FIGURES = 50, 40, 6
_NUMBERS = frozenset({"integer", "decimal", "float", "interval"})
_CHARTS: dict[str, ChartType] = {
    "bar": "column",
    "horizontal_bar": "bar",
    "line": "line",
    "area": "area",
    "pie": "donut",
    "stacked_bar": "stacked",
    "grouped_bar": "grouped",
}
"""What a tile's author may ask for, in the words of the charts; every other kind is the one that fits best."""
_WITHOUT = frozenset({"table", "number"})


@dataclass(frozen=True)
class Cell:
    """A cell as it is shown; ``tone``: the classes that say what it is."""

    shown: str
    tone: str = ""


def pieces(
    outcome: Outcome, result: Result | None, tile: dict[str, Any], render: Renderer, *, author: bool
) -> dict[str, Any]:
    """Return what the page's script puts into a tile: ``head`` and ``body`` as HTML, ``chart`` as data."""
    if not isinstance(outcome, Answer):
        return problem(render, *_said(outcome, author=author), incident=getattr(outcome, "incident", None))
    formatter = formatter_of(result) if result is not None else Formatter(language=current_language())
    single = _is_single(outcome)
    columns = outcome.columns[:MOST_COLUMNS]
    shown = {
        "answer": outcome,
        "author": author,
        "sql": _pretty(outcome.sql) if author else "",
        "single": single,
        "columns": [(column.label, _is_number(column)) for column in columns],
        "rows": [
            [_cell(v, c, formatter) for v, c in zip(row, columns, strict=False)] for row in outcome.table.rows[:MOST_ROWS]
        ],
        "said": _rows(outcome, formatter),
        "as_of": datetime.fromtimestamp(result.read_at, UTC) if result is not None and result.read_at is not None else None,
    }
    return {
        "state": "shown",
        "head": render.part("tile_head.html", **shown),
        "body": render.part("tile_body.html", **shown),
        "chart": _chart(outcome, tile.get("chart_type", "auto"), formatter),
    }


def problem(
    render: Renderer, message: str, label: str | None = None, *, incident: str | None = None, again: bool = True
) -> dict[str, Any]:
    """Return the pieces of a tile that has nothing to show, and why."""
    body = render.part("tile_problem.html", message=message, label=label, incident=incident, again=again)
    return {"state": "problem", "head": "", "body": body, "chart": None, "message": message, "incident": incident}


def _said(outcome: Outcome, *, author: bool) -> tuple[str, str | None]:
    if not isinstance(outcome, Failure):
        return outcome.message, None
    away = is_away(outcome.reason)
    label = text("pages.dashboard.away") if away else None
    if author or outcome.incident is not None:
        return outcome.message, label
    return text("pages.dashboard.away_why" if away else "pages.dashboard.failed"), label


def _is_single(answer: Answer) -> bool:
    shape = shape_of(answer.columns, answer.table, answer.plan)
    return shape.kind == "value" and not shape.dimensions and len(answer.columns) <= MOST_FIGURES


def _is_number(column: AnswerColumn) -> bool:
    return column.type in _NUMBERS and column.grain is None and not column.values


def _cell(value: Any, column: AnswerColumn, formatter: Formatter) -> Cell:
    if column.role in ("growth", "difference") and value is not None:
        number = as_decimal(value)
        tone = "" if not number else "dp-up" if (number > 0) != column.lower_is_better else "dp-down"
        return Cell(formatter.signed(value, column.format), tone)
    return Cell(formatter.cell(value, column), "dp-null" if value is None else "")


def _rows(answer: Answer, formatter: Formatter) -> str:
    total = len(answer.table.rows)
    rows = formatter.count(total)
    if answer.truncated:
        return text("notebook.rows_truncated", count=total, rows=rows)
    if total > MOST_ROWS:
        return text("notebook.rows_shown", count=total, shown=formatter.count(MOST_ROWS), rows=rows)
    return text("notebook.rows", count=total, rows=rows)


def _chart(answer: Answer, wanted: str, formatter: Formatter) -> dict[str, Any] | None:
    if answer.chart is None or wanted in _WITHOUT:
        return None
    kind = _CHARTS.get(wanted)
    drawn = answer.chart.get("layout", {}).get("meta", {}).get("datapilot", {})
    if kind is None or kind == drawn.get("type") or kind not in drawn.get("alternatives", ()):
        return answer.chart
    return choose_chart(answer.columns, answer.table, answer.plan, None, formatter, chart_type=kind) or answer.chart


def _pretty(sql: str) -> str:
    from datapilot_kernel.notebook.card import pretty

    return pretty(sql, None)
