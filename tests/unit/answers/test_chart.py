from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapilot_kernel.answers.axes import round_ticks
from datapilot_kernel.answers.chart import alternatives, choose_chart
from datapilot_kernel.plan.compiled import CompiledColumn
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.semantic.model import Format
from tests.unit.answers.results import BY_MONTH, BY_REGION, CA, FR, LAYER, MONTH, NB, REGION, plan, result
from tests.unit.answers.test_sentence import GROWTH, LIST, PREVIOUS, SHARE

D = Decimal
MONTHS = [date(2026, m, 1) for m in range(1, 7)]
WEEKDAY = CompiledColumn("jour", "Jour", "dimension", Format(kind="text"), "commande.date", grain="day_of_week")


def chart(columns: list[CompiledColumn], rows: list[tuple[Any, ...]], of_plan: Plan | None, **more: Any) -> Any:
    _, shown, table = result(columns, rows)
    figure = choose_chart(shown, table, of_plan, LAYER, FR, **more)
    if figure is not None:
        json.dumps(figure, allow_nan=False)
        _plotly_accepts(figure)
    return figure


def _plotly_accepts(figure: Any) -> None:
    go = pytest.importorskip("plotly.graph_objects")
    go.Figure(figure)  # raises on a property that Plotly does not know


RANKING = [("Bretagne", D(100)), ("Corse", D("50.5")), (None, D(3))]


@pytest.mark.parametrize(
    ("columns", "rows", "of_plan", "kind"),
    [
        ([CA], [(D(5),)], plan(), None),
        ([REGION], [("A",), ("B",)], LIST, None),
        ([REGION, CA], [], plan(dimensions=(BY_REGION,)), None),
        ([REGION, CA], [("A", D(1))], plan(dimensions=(BY_REGION,)), None),
        ([REGION, CA], [("A", None), ("B", None)], plan(dimensions=(BY_REGION,)), None),
        ([REGION, CA], RANKING, plan(dimensions=(BY_REGION,)), "bar"),
        ([MONTH, CA], [(m, D(i)) for i, m in enumerate(MONTHS)], plan(dimensions=(BY_MONTH,)), "line"),
        ([REGION, SHARE], [("A", D("0.6")), ("B", D("0.4"))], plan(dimensions=(BY_REGION,)), "donut"),
        ([REGION, SHARE], [(str(i), D("0.1")) for i in range(10)], plan(dimensions=(BY_REGION,)), "bar"),
        # Not the whole: a donut would lie.
        ([REGION, SHARE], [("A", D("0.3")), ("B", D("0.1"))], plan(dimensions=(BY_REGION,)), "bar"),
        ([REGION, CA, PREVIOUS, GROWTH], [("A", D(2), D(1), D(1)), ("B", D(2), D(4), D("-.5"))], plan(dimensions=(BY_REGION,)), "grouped"),
        ([WEEKDAY, NB], [(i, 10 * i) for i in range(1, 8)], plan(), "column"),
        ([MONTH, REGION, CA], [(m, r, D(3)) for m in MONTHS for r in "AB"], plan(dimensions=(BY_MONTH, BY_REGION)), "line"),
        ([MONTH, REGION, CA], [(m, str(r), D(3)) for m in MONTHS for r in range(20)], plan(dimensions=(BY_MONTH, BY_REGION)), "heatmap"),
        ([REGION, CompiledColumn("s", "Statut", "dimension", Format(kind="text"), "commande.statut"), CA],
         [(r, s, D(2)) for r in "ABCD" for s in "XY"], plan(dimensions=(BY_REGION,)), "grouped"),
    ],
)  # fmt: skip
def test_the_chart_follows_the_shape(columns: Any, rows: Any, of_plan: Plan, kind: str | None) -> None:
    figure = chart(columns, rows, of_plan)
    assert (figure and figure["layout"]["meta"]["datapilot"]["type"]) == kind


def test_every_alternative_can_be_drawn() -> None:
    cases: list[tuple[list[CompiledColumn], list[tuple[Any, ...]], Plan]] = [
        ([MONTH, CA], [(m, D(i)) for i, m in enumerate(MONTHS)], plan(dimensions=(BY_MONTH,))),
        ([MONTH, REGION, CA], [(m, r, D(3)) for m in MONTHS for r in "AB"], plan(dimensions=(BY_MONTH, BY_REGION))),
        ([REGION, SHARE], [("A", D("0.6")), ("B", D("0.4"))], plan(dimensions=(BY_REGION,))),
        ([REGION, CA, PREVIOUS], [("A", D(2), D(1)), ("B", D(2), D(4))], plan(dimensions=(BY_REGION,))),
    ]
    for columns, rows, of_plan in cases:
        _, shown, table = result(columns, rows)
        kinds = alternatives(shown, table, of_plan)
        assert len(kinds) >= 2
        for kind in kinds:
            assert chart(columns, rows, of_plan, chart_type=kind)["layout"]["meta"]["datapilot"]["type"] == kind


def test_bars_are_read_from_the_top_with_french_labels() -> None:
    figure = chart([REGION, CA], RANKING, plan(dimensions=(BY_REGION,)))
    assert figure["layout"]["yaxis"]["autorange"] == "reversed"
    assert figure["layout"]["yaxis"]["ticktext"] == ["Bretagne", "Corse", "(non renseigné)"]
    assert figure["data"][0]["text"][1] == "50,50\u00a0€"
    assert figure["layout"]["separators"] == ",\u202f"
    assert figure["layout"]["xaxis"]["ticktext"][-1] == "100\u00a0€"


def test_sql_is_drawn_by_what_its_rows_are_ordered_by() -> None:
    from datapilot_kernel.answers import answer_columns
    from datapilot_kernel.sources.model import ResultColumn, ResultTable

    columns = (ResultColumn("canal", "text"), ResultColumn("n", "integer"), ResultColumn("total", "decimal"))
    table = ResultTable(columns, [("A", 5, D(90)), ("B", 9, D(70)), ("C", 2, D(10))])
    figure = choose_chart(answer_columns(None, table), table, None, None, FR)
    assert figure is not None
    assert figure["data"][0]["x"] == [90.0, 70.0, 10.0]


def test_too_many_bars_are_cut_and_the_chart_says_so() -> None:
    figure = chart([REGION, CA], [(f"r{i}", D(200 - i)) for i in range(60)], plan(dimensions=(BY_REGION,)))
    assert len(figure["data"][0]["x"]) == 25
    assert "25" in figure["layout"]["annotations"][0]["text"]
    assert "60" in figure["layout"]["annotations"][0]["text"]


def test_a_gap_in_time_stays_a_gap() -> None:
    rows = [(date(2026, 1, 1), D(1)), (date(2026, 2, 1), D(2)), (date(2026, 6, 1), D(3))]
    figure = chart([MONTH, CA], rows, plan(dimensions=(BY_MONTH,)))
    assert figure["layout"]["xaxis"]["type"] == "date"
    assert figure["data"][0]["x"] == ["2026-01-01", "2026-02-01", "2026-06-01"]
    assert figure["layout"]["xaxis"]["ticktext"] == ["janv. 2026", "févr. 2026", "juin 2026"]


def test_a_value_is_text_and_nothing_else() -> None:
    evil = "<a href='javascript:x'>$x$ %{y}</a>"
    figure = chart([REGION, CA], [(evil, D(2)), ("B", D(1))], plan(dimensions=(BY_REGION,)))
    shown = json.dumps(figure)
    assert "<a" not in shown
    assert "$x$" not in shown
    assert "%{y}" not in shown


def test_nothing_in_a_figure_is_fetched() -> None:
    figure = chart([REGION, CA], RANKING, plan(dimensions=(BY_REGION,)))
    assert "http" not in json.dumps(figure)


@given(st.floats(-1e12, 1e12), st.floats(0, 1e12))
def test_ticks_are_few_round_and_span_the_numbers(low: float, width: float) -> None:
    ticks = round_ticks(low, low + width)
    assert 2 <= len(ticks) <= 9
    if width > max(abs(low), 1) * 1e-9:
        assert ticks[0] <= low + width * 1e-6
        assert ticks[-1] >= low + width * (1 - 1e-6)
    assert ticks == sorted(ticks)
