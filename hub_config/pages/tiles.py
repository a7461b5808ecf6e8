"""From a tile's outcome to what its page shows: a sentence, how far to trust it, figures or a table, a chart, and its age.

Everything is written here, by the formatter of the answer: the page's script puts pieces into their places and draws the
chart, it formats nothing. A viewer's pieces hold neither a statement nor a plan; what a source said of itself when it failed
(a host's name, a port) is for authors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from datapilot_kernel.answers.chart import ChartType, choose_chart, point_label
from datapilot_kernel.answers.formats import Formatter, as_decimal
from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.answers.shape import shape_of
from datapilot_kernel.engine.outcome import Answer, Failure
from datapilot_kernel.engine.wire import wire_value
from datapilot_kernel.messages import text
from hub_config.content.drilling import descends
from hub_config.errors import is_away

if TYPE_CHECKING:
    from datapilot_kernel.engine.outcome import Outcome
    from datapilot_kernel.plan.model import Plan
    from hub_config.pages.rendering import Renderer
    from hub_config.queries.results import Result

MOST_ROWS, MOST_COLUMNS, MOST_FIGURES, MOST_PLACES = 50, 40, 6, 500
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


@dataclass(frozen=True)
class Around:
    """What is known of a tile beside its outcome.

    Attributes
    ----------
    formatter
        Of the source: its currency and calendar.
    read_at
        When its rows were read; None: not known.
    total
        Rows of the whole result; None: those of the outcome.
    source
        The source's name; for authors alone.
    accepted
        The publisher accepted exploratory figures.
    plan
        What was run; None: nothing that a row could be broken down by.
    without
        Labels of chosen filters that this tile has no part in.
    crumbs
        Steps into it: where, and by what.
    """

    formatter: Formatter
    read_at: datetime | None = None
    total: int | None = None
    source: str = ""
    accepted: bool = False
    plan: Plan | None = None
    without: tuple[str, ...] = ()
    crumbs: tuple[tuple[str, str], ...] = ()


def pieces(outcome: Outcome, tile: Mapping[str, Any], around: Around, render: Renderer, *, author: bool) -> dict[str, Any]:
    """Return what a page puts into a tile: ``head`` and ``body`` as HTML, ``chart`` and ``rows`` (their places) as data."""
    if not isinstance(outcome, Answer):
        return problem(render, *_said(outcome, author=author), incident=getattr(outcome, "incident", None)) | _way(
            around, render
        )
    if outcome.trust == "exploratory" and not around.accepted:
        said = text("pages.dashboard.exploratory_" + ("author" if author else "viewer"))
        return problem(render, said, text("notebook.trust.exploratory"), again=False, calm=True) | _way(around, render)
    formatter = around.formatter
    single = _is_single(outcome)
    columns = outcome.columns[:MOST_COLUMNS]
    places = _places(outcome, around.plan)
    shown = {
        "answer": outcome,
        "author": author,
        "sql": _pretty(outcome.sql) if author and outcome.sql else "",
        "source": around.source if author else "",
        "single": single,
        "columns": [(column.label, _is_number(column)) for column in columns],
        "rows": [
            [_cell(v, c, formatter) for v, c in zip(row, columns, strict=False)] for row in outcome.table.rows[:MOST_ROWS]
        ],
        "opens": bool(places),
        "said": _rows(outcome, formatter, around.total),
        "as_of": around.read_at,
        "without": around.without,
    }
    chart = _chart(outcome, tile.get("chart_type", "auto"), formatter)
    return {
        "state": "shown",
        "head": render.part("tile_head.html", **shown),
        "body": render.part("tile_body.html", **shown),
        "chart": chart,
        "rows": places,
        "points": _points(chart, outcome, formatter) if places and chart is not None else [],
    } | _way(around, render)


def _way(around: Around, render: Renderer) -> dict[str, Any]:
    return {"way": render.part("tile_way.html", crumbs=around.crumbs) if around.crumbs else ""}


def moment_of(result: Result | None) -> datetime | None:
    """Return when a result's rows were read; None: not known."""
    return datetime.fromtimestamp(result.read_at, UTC) if result is not None and result.read_at is not None else None


def problem(
    render: Renderer,
    message: str,
    label: str | None = None,
    *,
    incident: str | None = None,
    again: bool = True,
    calm: bool = False,
) -> dict[str, Any]:
    """Return the pieces of a tile that has nothing to show, and why; ``calm``: nothing is broken."""
    body = render.part("tile_problem.html", message=message, label=label, incident=incident, again=again, calm=calm)
    return {
        "state": "problem", "head": "", "body": body, "chart": None, "message": message, "incident": incident, "calm": calm,
    }  # fmt: skip


# ── places: what a row is called when it is opened ────────────────────────────────────────────────────────────────────


def _places(answer: Answer, plan: Plan | None) -> list[list[Any]]:
    """Return of each row the values of the plan's dimensions, as they are named on the way back; empty: no row leads on."""
    if plan is None or not descends(plan):
        return []
    by_name = {column.name: index for index, column in enumerate(answer.columns)}
    if any(item.alias not in by_name for item in plan.dimensions):
        return []
    found = [by_name[item.alias] for item in plan.dimensions]
    return [[wire_value(row[index]) for index in found] for row in answer.table.rows[:MOST_PLACES]]


def _points(chart: dict[str, Any], answer: Answer, formatter: Formatter) -> list[list[int]]:
    """Return which row each point of each trace is of (-1: of none that is known), by the names that the chart shows."""
    dimensions = [index for index, column in enumerate(answer.columns) if column.role == "dimension"]
    rows: dict[tuple[str, ...], int] = {}
    for number, row in enumerate(answer.table.rows[:MOST_PLACES]):
        names = [point_label(formatter.cell(row[index], answer.columns[index]) or "") for index in dimensions]
        for name in names if len(names) > 1 else ():
            rows.setdefault((name,), -1)
        rows[tuple(sorted(names))] = number
    found = []
    for trace in chart["data"]:
        names = trace.get("labels") or trace.get("customdata") or []
        series = (str(trace.get("name", "")),) if len(dimensions) > 1 else ()
        found.append([rows.get(tuple(sorted((str(name), *series))), -1) for name in names])
    return found


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


def _rows(answer: Answer, formatter: Formatter, whole: int | None) -> str:
    total = whole if whole is not None else len(answer.table.rows)
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
