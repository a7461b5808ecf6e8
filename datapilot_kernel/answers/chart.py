"""A chart chosen from the shape of the result, as a Plotly figure in plain data: nothing here imports Plotly.

No chart for a single value, a list or an empty table. Too many categories: the first ones, and a note in the chart that
says so. Every number in it (hover, ticks) is written by the answer's formatter. The figure names no template, font file or
map, so that it draws without a network.

Rejected: letting Plotly Express choose (it imports pandas, and draws one bar for one number).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, assert_never

from datapilot_kernel.answers.axes import GRID, MUTED, PALETTE, layout, thinned, value_axis
from datapilot_kernel.answers.formats import Formatter, as_decimal
from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.answers.shape import TREND_GRAINS, Shape, shape_of
from datapilot_kernel.messages import text
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.semantic.model import Layer
from datapilot_kernel.sources.model import ResultTable

ChartType = Literal["bar", "column", "line", "area", "donut", "grouped", "stacked", "heatmap"]

MAX_BARS, MAX_SERIES, MAX_SLICES, MAX_POINTS = 25, 8, 6, 2000
MIN_SLICE = 0.02
_LABEL_CHARACTERS = 42


def alternatives(
    columns: tuple[AnswerColumn, ...], table: ResultTable, plan: Plan | None, layer: Layer | None = None
) -> tuple[ChartType, ...]:
    """Return the chart types that fit this result, the best first; empty when none does."""
    return _fitting(shape_of(columns, table, plan, layer), columns, table)


def choose_chart(
    columns: tuple[AnswerColumn, ...],
    table: ResultTable,
    plan: Plan | None,
    layer: Layer | None,
    formatter: Formatter,
    *,
    chart_type: ChartType | None = None,
) -> dict[str, Any] | None:
    """Return a Plotly figure (``{"data": […], "layout": {…}}``), None when a chart would say nothing.

    Parameters
    ----------
    chart_type
        None: the best one. One that does not fit is ignored.
    """
    shape = shape_of(columns, table, plan, layer)
    fitting = _fitting(shape, columns, table)
    if not fitting:
        return None
    kind = chart_type if chart_type in fitting else fitting[0]
    drawing = _Drawing(shape, columns, table, formatter)
    figure = drawing.draw(kind)
    figure["layout"]["meta"] = {"datapilot": {"type": kind, "alternatives": list(fitting)}}
    return figure


def _fitting(shape: Shape, columns: tuple[AnswerColumn, ...], table: ResultTable) -> tuple[ChartType, ...]:
    if shape.kind in ("empty", "rows", "value") or not shape.dimensions or len(shape.dimensions) > 2:
        return ()
    filled = [as_decimal(row[shape.main]) for row in table.rows]
    numbers = [n for n in filled if n is not None]
    if len(numbers) < 2:
        return ()
    if len(shape.dimensions) == 2:
        return _fitting_two(shape, columns, table)
    if shape.kind == "trend":
        return ("grouped", "line") if shape.previous is not None and len(numbers) <= 6 else ("line", "column", "area")
    if shape.previous is not None:
        return ("grouped", "bar")
    if shape.kind == "distribution":
        return ("column", "line")
    # A thin slice has no room for its name, and a ring that is not the whole would lie.
    whole = shape.kind == "share" and len(numbers) <= MAX_SLICES and float(min(numbers)) >= MIN_SLICE
    return ("donut", "bar") if whole and 0.98 < sum(numbers) < 1.02 else ("bar", "column")


def _fitting_two(shape: Shape, columns: tuple[AnswerColumn, ...], table: ResultTable) -> tuple[ChartType, ...]:
    first, second = (len({row[d] for row in table.rows}) for d in shape.dimensions)
    if shape.kind == "trend":
        times = [d for d in shape.dimensions if columns[d].grain in TREND_GRAINS]
        if len(times) == 2:
            return ("heatmap",)
        other = second if shape.dimensions[0] in times or not times else first
        return ("line", "stacked", "heatmap") if other <= MAX_SERIES else ("heatmap",)
    if shape.kind == "share":
        return ("stacked", "grouped", "heatmap") if min(first, second) <= MAX_SERIES else ("heatmap",)
    return ("grouped", "stacked", "heatmap") if min(first, second) <= 5 and max(first, second) <= 16 else ("heatmap",)


@dataclass(frozen=True)
class _Drawing:
    shape: Shape
    columns: tuple[AnswerColumn, ...]
    table: ResultTable
    formatter: Formatter

    def draw(self, kind: ChartType) -> dict[str, Any]:
        two = len(self.shape.dimensions) == 2
        match kind:
            case "bar":
                return self._bars()
            case "donut":
                return self._donut()
            case "heatmap":
                return self._heatmap()
            case "line" | "area" | "column":
                return self._along(kind, self._series() if two else self._single_series())
            case "grouped" | "stacked":
                if not two and self.shape.kind != "trend":
                    return self._compared_bars()
                return self._along(kind, self._series() if two else self._single_series())
            case _:
                assert_never(kind)

    # ── cells ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _float(self, row: tuple[Any, ...], column: int) -> float | None:
        number = as_decimal(row[column])
        return None if number is None else float(number)

    def _shown(self, row: tuple[Any, ...], column: int) -> str:
        return _safe(self.formatter.cell(row[column], self.columns[column]))

    def _name(self, row: tuple[Any, ...], column: int) -> str:
        name = self.formatter.cell(row[column], self.columns[column]) or text(
            "answers.chart.empty", language=self.formatter.language
        )
        return point_label(name)

    def _tick(self, row: tuple[Any, ...], column: int) -> str:
        short = self.formatter.short(row[column], self.columns[column].grain)
        return self._name(row, column) if short is None else _safe(short)

    def _title(self, column: int) -> str:
        return _safe(self.columns[column].label)

    # ── one dimension ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _kept(self) -> list[tuple[Any, ...]]:
        rows = [r for r in self.table.rows if as_decimal(r[self.shape.main]) is not None]
        return rows[:MAX_BARS]

    def _note(self, total: int, shown: int) -> list[dict[str, Any]]:
        if shown >= total:
            return []
        note = text(
            "answers.chart.top_note",
            language=self.formatter.language,
            shown=self.formatter.count(shown),
            total=self.formatter.count(total),
        )
        return [
            {"text": note, "showarrow": False, "xref": "paper", "yref": "paper", "x": 1, "y": 0, "xanchor": "right",
             "yanchor": "bottom", "font": {"size": 11}}
        ]  # fmt: skip

    def _bars(self) -> dict[str, Any]:
        """Horizontal bars, in the table's order from the top, the value beside each."""
        rows, main, name = self._kept(), self.shape.main, self.shape.dimensions[0]
        numbers = [self._float(r, main) or 0.0 for r in rows]
        shown = [self._shown(r, main) for r in rows]
        ids = list(range(len(rows)))
        trace = {
            "type": "bar", "orientation": "h", "x": numbers, "y": ids, "text": shown, "textposition": "auto",
            "customdata": [self._name(r, name) for r in rows], "cliponaxis": False,
            "hovertemplate": "%{customdata}<br><b>%{text}</b><extra></extra>",
            "marker": {"color": [MUTED if r[name] is None else PALETTE[0] for r in rows]}, "name": self._title(main),
        }  # fmt: skip
        figure = layout(self.formatter, height=max(170, 80 + 30 * len(rows)), legend=False, title=self._title(main))
        figure["xaxis"] = value_axis(numbers, self.columns[main].format, self.formatter)
        figure["yaxis"] = {**_names_axis(ids, [self._name(r, name) for r in rows]), "autorange": "reversed"}
        figure["bargap"] = 0.28
        figure["annotations"] = self._note(len(self.table.rows), len(rows))
        return {"data": [trace], "layout": figure}

    def _compared_bars(self) -> dict[str, Any]:
        """Two horizontal bars for each name: now, and the period compared with."""
        rows, name, previous = self._kept()[:15], self.shape.dimensions[0], self.shape.previous
        now = self.shape.measures[0]
        ids = list(range(len(rows)))
        traces, numbers = [], []
        for column, color in ((now, PALETTE[0]), (previous, MUTED)):
            if column is None:
                continue
            values = [self._float(r, column) for r in rows]
            numbers += [v for v in values if v is not None]
            traces.append(
                {"type": "bar", "orientation": "h", "x": values, "y": ids, "name": self._title(column),
                 "text": [self._shown(r, column) for r in rows], "textposition": "auto", "marker": {"color": color},
                 "customdata": [self._name(r, name) for r in rows],
                 "hovertemplate": "%{customdata}<br>" + self._title(column) + " : <b>%{text}</b><extra></extra>"}
            )  # fmt: skip
        figure = layout(self.formatter, height=max(200, 90 + 44 * len(rows)), legend=True)
        figure["barmode"] = "group"
        figure["xaxis"] = value_axis(numbers, self.columns[now].format, self.formatter)
        figure["yaxis"] = {**_names_axis(ids, [self._name(r, name) for r in rows]), "autorange": "reversed"}
        figure["annotations"] = self._note(len(self.table.rows), len(rows))
        figure["legend"]["traceorder"] = "normal"
        return {"data": traces, "layout": figure}

    def _donut(self) -> dict[str, Any]:
        rows, main, name = self._kept(), self.shape.main, self.shape.dimensions[0]
        shown = [self._shown(r, main) for r in rows]
        trace = {
            "type": "pie", "hole": 0.58, "values": [self._float(r, main) for r in rows],
            "labels": [self._name(r, name) for r in rows], "text": shown, "textinfo": "label+text", "sort": False,
            "textposition": "outside", "direction": "clockwise",
            "hovertemplate": "%{label}<br><b>%{text}</b><extra></extra>",
            "marker": {"colors": list(PALETTE[: len(rows)]), "line": {"color": "rgba(255,255,255,0.6)", "width": 1}},
        }  # fmt: skip
        figure = layout(self.formatter, height=340, legend=False, title=self._title(main))
        figure["margin"] = {"l": 24, "r": 24, "t": 64, "b": 36}
        return {"data": [trace], "layout": figure}

    # ── along time, classes or a second dimension ──────────────────────────────────────────────────────────────────────

    def _single_series(self) -> list[tuple[str, int, list[tuple[Any, ...]]]]:
        measures = [
            m for m in self.shape.measures if self.columns[m].format.kind == self.columns[self.shape.main].format.kind
        ]
        if self.shape.main in measures:
            measures.sort(key=lambda m: m != self.shape.main)
        wanted = measures[:MAX_SERIES]
        if self.shape.previous is not None:
            wanted = [self.shape.main, self.shape.previous]
        return [(self._title(m), m, self.table.rows[:MAX_POINTS]) for m in wanted]

    def _axes(self) -> tuple[int, int]:
        """Return the dimension along the axis, and the one that makes the series: time, else the longer one, is the axis."""
        first, second = self.shape.dimensions
        if self.columns[second].grain is not None and self.columns[first].grain is None:
            return second, first
        if self.columns[first].grain is not None:
            return first, second
        lengths = [len({r[d] for r in self.table.rows}) for d in (first, second)]
        return (first, second) if lengths[0] >= lengths[1] else (second, first)

    def _series(self) -> list[tuple[str, int, list[tuple[Any, ...]]]]:
        _, split = self._axes()
        groups: dict[str, list[tuple[Any, ...]]] = {}
        for row in self.table.rows[: MAX_POINTS * MAX_SERIES]:
            groups.setdefault(self._name(row, split), []).append(row)
        return [(name, self.shape.main, rows) for name, rows in groups.items()][:MAX_SERIES]

    def _along(self, kind: ChartType, series: list[tuple[str, int, list[tuple[Any, ...]]]]) -> dict[str, Any]:
        axis = self._axes()[0] if len(self.shape.dimensions) == 2 else self.shape.dimensions[0]
        positions, labels = self._positions(axis)
        traces: list[dict[str, Any]] = []
        numbers: list[float] = []
        totals: dict[Any, float] = {}
        for index, (name, column, rows) in enumerate(series):
            ordered = sorted(
                (r for r in rows if self._place(r, axis) in positions), key=lambda r: positions[self._place(r, axis)]
            )
            values = [self._float(r, column) for r in ordered]
            numbers += [v for v in values if v is not None]
            places = [self._where(r, axis, positions) for r in ordered]
            for place, value in zip(places, values, strict=True):
                totals[place] = totals.get(place, 0.0) + (value or 0.0)
            color = MUTED if self.columns[column].role == "previous" else PALETTE[index % len(PALETTE)]
            traces.append(self._trace(kind, name, color, places, ordered, column, axis, len(series)))
        legend = len(traces) > 1
        several_names = len(self.shape.dimensions) == 1 and legend
        title = None if several_names else self._title(self.shape.main)
        figure = layout(self.formatter, height=360 if legend and title else 340, legend=legend, title=title)
        if legend and title:
            figure["margin"]["t"] = 64
        stacked = kind in ("stacked", "area") and legend
        figure["yaxis"] = value_axis(
            list(totals.values()) if stacked else numbers,
            self.columns[self.shape.main].format,
            self.formatter,
        )
        places_all = [self._position_of(key, positions) for key in positions]
        tickvals, ticktext = thinned(places_all, labels)
        figure["xaxis"] = {
            "tickvals": tickvals, "ticktext": ticktext, "automargin": True, "showgrid": False, "fixedrange": True,
            "linecolor": GRID, "type": "date" if self._on_dates(axis) else "linear",
        }  # fmt: skip
        if kind in ("column", "grouped", "stacked"):
            figure["barmode"] = "stack" if kind == "stacked" else "group"
            figure["bargap"] = 0.25
        return {"data": traces, "layout": figure}

    def _trace(
        self, kind: ChartType, name: str, color: str, places: list[Any], rows: list[tuple[Any, ...]], column: int, axis: int,
        count: int,
    ) -> dict[str, Any]:  # fmt: skip
        trace: dict[str, Any] = {
            "x": places,
            "y": [self._float(r, column) for r in rows],
            "name": name,
            "text": [self._shown(r, column) for r in rows],
            "customdata": [self._name(r, axis) for r in rows],
            "hovertemplate": "%{customdata}<br>" + (f"{name} : " if count > 1 else "") + "<b>%{text}</b><extra></extra>",
        }
        if kind in ("column", "grouped", "stacked"):
            trace |= {"type": "bar", "marker": {"color": color}, "textposition": "none"}
        else:
            trace |= {
                "type": "scatter", "mode": "lines+markers" if len(rows) <= 40 else "lines", "connectgaps": False,
                "line": {"color": color, "width": 2.5}, "marker": {"size": 6, "color": color},
            }  # fmt: skip
            if kind == "area":
                trace |= {"stackgroup": "total"} if count > 1 else {"fill": "tozeroy"}
        return trace

    def _place(self, row: tuple[Any, ...], axis: int) -> Any:
        value = row[axis]
        return value.date() if isinstance(value, datetime) and self.columns[axis].grain is not None else value

    def _positions(self, axis: int) -> tuple[dict[Any, int], list[str]]:
        """Return each value's rank along the axis, and its label: dates and numbers in their order, names in the table's."""
        found: dict[Any, str] = {}
        for row in self.table.rows[: MAX_POINTS * MAX_SERIES]:
            place = self._place(row, axis)
            if place is None and self.columns[axis].grain is not None:
                continue
            found.setdefault(place, self._tick(row, axis))
        keys = list(found)
        if self.columns[axis].grain is not None or self._on_dates(axis):
            keys = sorted(k for k in keys if k is not None)
        return {key: rank for rank, key in enumerate(keys)}, [found[k] for k in keys]

    def _on_dates(self, axis: int) -> bool:
        """Tell whether the axis is one of dates (gaps then show), not of ranks."""
        return all(isinstance(r[axis], date) or r[axis] is None for r in self.table.rows)

    def _position_of(self, key: Any, positions: dict[Any, int]) -> Any:
        return key.isoformat() if isinstance(key, date) else positions[key]

    def _where(self, row: tuple[Any, ...], axis: int, positions: dict[Any, int]) -> Any:
        return self._position_of(self._place(row, axis), positions)

    def _heatmap(self) -> dict[str, Any]:
        across, down = self._axes()
        columns, column_labels = self._positions(across)
        rows, row_labels = self._positions(down)
        columns, rows = dict(list(columns.items())[:60]), dict(list(rows.items())[:MAX_BARS])
        grid: list[list[float | None]] = [[None] * len(columns) for _ in rows]
        shown = [[""] * len(columns) for _ in rows]
        for row in self.table.rows:
            x, y = columns.get(self._place(row, across)), rows.get(self._place(row, down))
            if x is not None and y is not None:
                grid[y][x] = self._float(row, self.shape.main)
                shown[y][x] = (
                    f"{self._name(row, down)} · {self._name(row, across)}<br><b>{self._shown(row, self.shape.main)}</b>"
                )
        numbers = [v for line in grid for v in line if v is not None]
        axis = value_axis(numbers, self.columns[self.shape.main].format, self.formatter)
        # The scale is as high as the grid: few rows leave room for few labels.
        scale, scale_labels = thinned(axis["tickvals"], axis["ticktext"], max(2, len(rows) - 1))
        trace = {
            "type": "heatmap", "z": grid, "x": list(columns.values()), "y": list(rows.values()), "text": shown,
            "hovertemplate": "%{text}<extra></extra>", "hoverongaps": False, "xgap": 1, "ygap": 1,
            "colorscale": [[0, "#e8f1fb"], [0.5, "#6aa5e3"], [1, "#164a86"]],
            "colorbar": {"tickvals": scale, "ticktext": scale_labels, "thickness": 12, "outlinewidth": 0},
        }  # fmt: skip
        figure = layout(
            self.formatter, height=max(220, 120 + 26 * len(rows)), legend=False, title=self._title(self.shape.main)
        )
        tickvals, ticktext = thinned(list(columns.values()), column_labels[: len(columns)], 16)
        figure["xaxis"] = _names_axis(tickvals, ticktext)
        figure["yaxis"] = {**_names_axis(list(rows.values()), row_labels[: len(rows)]), "autorange": "reversed"}
        figure["annotations"] = self._note(len(row_labels), len(rows))
        return {"data": [trace], "layout": figure}


def point_label(name: str) -> str:
    """Return how a chart writes the name of a point or a series: its hover text says which row a point is of."""
    return _safe(name if len(name) <= _LABEL_CHARACTERS else name[: _LABEL_CHARACTERS - 1] + "…")


def _names_axis(positions: list[Any], labels: list[str]) -> dict[str, Any]:
    return {
        "tickvals": positions, "ticktext": labels, "automargin": True, "showgrid": False, "zeroline": False,
        "fixedrange": True, "type": "linear",
    }  # fmt: skip


def _safe(label: str) -> str:
    """Return a value of the data as text that Plotly will not read as markup, template or LaTeX."""
    label = label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return label.replace("$", "&#36;").replace("%{", "%&#123;").replace("\n", " ")
