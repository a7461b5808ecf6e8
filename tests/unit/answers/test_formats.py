from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapilot_kernel.answers import Formatter
from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.semantic.model import Calendar, Format

FR, EN = Formatter(), Formatter(language="en")
N, B = "\u202f", "\u00a0"


def fmt(kind: str, **more: Any) -> Format:
    return Format(kind=kind, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (Decimal("1234567.891"), "currency", f"1{N}234{N}567,89{B}€"),
        (Decimal("-0.004"), "currency", f"0,00{B}€"),
        (Decimal("2.345"), "currency", f"2,35{B}€"),  # half up, as accountants round
        (0.1 + 0.2, "decimal", "0,30"),
        (Decimal("0.125"), "percent", f"12,5{N}%"),
        (-0.125, "percent", f"-12,5{N}%"),
        (12345, "integer", f"12{N}345"),
        (Decimal("2.5"), "integer", "2,50"),  # never rounded to what it is not
        (Decimal("0.00042"), "decimal", "0,00042"),
        (2025, "year", "2025"),
        (75001, "text", "75001"),
        (Decimal("1"), "days", "1 jour"),
        (Decimal("2.5"), "days", "2,5 jours"),
        (timedelta(days=3), "days", "3 jours"),
        (date(2026, 5, 3), "date", "03/05/2026"),
        (datetime(2026, 5, 3, 14, 30), "datetime", "03/05/2026 14:30"),  # noqa: DTZ001
        (datetime(2026, 7, 1, 12, 0, tzinfo=UTC), "datetime", "01/07/2026 14:00"),  # shown in Paris
        (time(9, 5), "text", "09:05"),
        (True, "text", "oui"),
        (None, "currency", "—"),
        (float("nan"), "decimal", "—"),
        (b"abc", "text", "(3 octets)"),
        ({"a": "é"}, "text", '{"a": "é"}'),
        (10**30, "integer", N.join(["1"] + ["000"] * 10)),
    ],
)
def test_french_values(value: Any, kind: str, expected: str) -> None:
    assert FR.value(value, fmt(kind)) == expected


@pytest.mark.parametrize(
    ("value", "grain", "expected"),
    [
        (date(2026, 8, 1), "month", "août 2026"),
        (date(2025, 4, 1), "quarter", "T2 2025"),
        (date(2025, 7, 1), "semester", "S2 2025"),
        (date(2026, 3, 16), "week", "semaine 12 2026"),
        (date(2024, 12, 30), "week", "semaine 1 2025"),  # the ISO year is not the civil one
        (date(2026, 3, 15), "week", "semaine 12 2026"),  # a week that starts on Sunday
        (2025, "year", "2025"),
        (Decimal(2025), "fiscal_year", "exercice 2025"),  # MySQL gives decimals
        (1, "day_of_week", "lundi"),
        (7, "day_of_week", "dimanche"),
        (12, "month_of_year", "décembre"),
        (3, "quarter_of_year", "T3"),
        (14, "hour_of_day", "14 h"),
        (31, "day_of_month", "31"),
        (datetime(2026, 8, 1), "month", "août 2026"),  # noqa: DTZ001
        (None, "month", "—"),
    ],
)
def test_grains(value: Any, grain: Any, expected: str) -> None:
    assert FR.value(value, fmt("date"), grain) == expected


def test_fiscal_quarters_follow_the_calendar() -> None:
    october = Formatter(calendar=Calendar(fiscal_year_start=10, fiscal_year_named_by="end"))
    assert october.value(date(2025, 10, 1), fmt("date"), "fiscal_quarter") == "T1 exercice 2026"
    assert october.value(date(2026, 7, 1), fmt("date"), "fiscal_quarter") == "T4 exercice 2026"


def test_english_and_other_currencies() -> None:
    assert EN.value(Decimal("-1234.5"), fmt("currency")) == "-€1,234.50"
    assert EN.value(Decimal("0.125"), fmt("percent")) == "12.5%"
    assert FR.value(Decimal("1234.6"), fmt("currency", currency="JPY")) == f"1{N}235{B}JPY"
    assert FR.value(12, fmt("integer", unit="pièces")) == f"12{B}pièces"


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [(1_250_000, "currency", f"1,25{B}M€"), (850_000, "currency", f"850{B}k€"), (0, "currency", f"0{B}€"),
     (3_000_000_000, "integer", f"3{B}Md"), (Decimal("0.125"), "percent", f"12,5{N}%"), (12, "days", f"12{B}j")],
)  # fmt: skip
def test_compact(value: Any, kind: str, expected: str) -> None:
    assert FR.compact(value, fmt(kind)) == expected


def test_a_cell_is_called_as_people_call_it() -> None:
    column = AnswerColumn("statut", "Statut", "text", fmt("text"), role="dimension", values={"EXP": "expédiée"})
    assert FR.cell("EXP", column) == "expédiée"
    assert FR.cell("AUTRE", column) == "AUTRE"
    assert FR.cell(None, column) == "(non renseigné)"


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**15), max_value=10**15))
def test_reading_a_number_back_gives_the_number(number: Decimal) -> None:
    shown = FR.value(number, fmt("currency"))
    assert Decimal(shown.removesuffix(f"{B}€").replace(N, "").replace(",", ".")) == number


@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.decimals(),
        st.text(),
        st.dates(),
        st.binary(),
        st.timedeltas(),
        st.times(),
        st.datetimes(),
    ),
    st.sampled_from(Format.model_fields["kind"].annotation.__args__),
)  # type: ignore[union-attr]
def test_any_value_in_any_format_is_text(value: Any, kind: str) -> None:
    assert isinstance(FR.value(value, fmt(kind)), str)
    assert isinstance(FR.compact(value, fmt(kind)), str)
