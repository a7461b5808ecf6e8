from __future__ import annotations

import csv
import io
from datetime import date, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from datapilot_kernel.answers import Formatter, answer_columns
from datapilot_kernel.answers.exports import harmless, to_csv
from datapilot_kernel.plan.compiled import CompiledColumn
from datapilot_kernel.semantic.model import Format
from datapilot_kernel.sources.model import ResultColumn, ResultTable
from tests.unit.answers.results import CA, FR, MONTH, REGION, result

GROWTH = CompiledColumn("evo", "Évolution", "growth", Format(kind="percent"))


def test_french_csv() -> None:
    _, columns, table = result(
        [REGION, MONTH, CA, GROWTH],
        [("Île; de \"France\"", date(2026, 5, 1), Decimal("1234567.891"), Decimal("-0.12534")), (None, None, None, None),
         ("=HYPERLINK(1)", date(2026, 6, 1), Decimal("-1E+3"), 0.5)],
    )  # fmt: skip
    data = to_csv(columns, table, FR)
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert rows == [
        ["Région", "Mois", "Chiffre d’affaires", "Évolution"],
        ['Île; de "France"', "mai 2026", "1234567,891", "-12,53400%"],
        ["", "", "", ""],
        ["'=HYPERLINK(1)", "juin 2026", "-1000", "50,0%"],
    ]
    assert data.count(b"\r\n") == 4


def test_english_csv_has_iso_dates_and_points() -> None:
    table = ResultTable(
        (ResultColumn("d", "date"), ResultColumn("t", "timestamp"), ResultColumn("n", "decimal")),
        [(date(2026, 5, 1), datetime(2026, 5, 1, 8, 0), Decimal("1.50"))],  # noqa: DTZ001
    )
    data = to_csv(answer_columns(None, table), table, Formatter(language="en")).decode("utf-8-sig")
    assert data.splitlines()[1] == "2026-05-01,2026-05-01 08:00:00,1.50"


@given(st.text())
def test_no_text_is_a_formula(value: str) -> None:
    assert not harmless(value).lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
