"""The rule of the contract, with hypothesis: what is shuffled or widened still matches, what is altered does not."""

from __future__ import annotations

import random
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapilot_kernel.engine.matching import results_match

CELLS = st.one_of(st.none(), st.integers(-50, 50), st.sampled_from(["a", "b", "é"]), st.decimals(-9, 9, places=2))
ROWS = st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[CELLS] * width), min_size=1, max_size=12))


@given(ROWS, st.randoms(use_true_random=False))
def test_shuffled_and_widened_matches(rows: list[tuple[object, ...]], rng: random.Random) -> None:
    columns = list(range(len(rows[0])))
    rng.shuffle(columns)
    other = [("extra", *(row[i] for i in columns)) for row in rows]
    rng.shuffle(other)
    assert results_match(rows, other)


@given(ROWS)
def test_a_changed_number_of_rows_never_matches(rows: list[tuple[object, ...]]) -> None:
    assert not results_match(rows, [*rows, rows[0]])


@pytest.mark.parametrize(
    ("gold", "result", "ordered", "expected"),
    [
        ([(1, 2), (3, 4)], [(3, 4), (1, 2)], False, True),
        ([(1, 2), (3, 4)], [(3, 4), (1, 2)], True, False),
        ([(1, 2), (3, 4)], [(1, 4), (3, 2)], False, False),
        ([("Lyon",)], [("lyon",)], False, False),
        ([(100,)], [(101,)], False, False),
        ([(Decimal("100.4"),)], [(Decimal("100.8"),)], False, True),
        ([(Decimal("100.4"),)], [(Decimal("101.8"),)], False, False),
        ([(Decimal("0.333"),)], [(0.3333333,)], False, True),
        ([(date(2026, 5, 1),)], [(datetime(2026, 5, 1),)], False, True),  # noqa: DTZ001
        ([(date(2026, 5, 1),)], [(date(2026, 5, 2),)], False, False),
        ([(1, Decimal("5.5")), (1, Decimal("5.51"))], [(1, Decimal("5.51")), (1, Decimal("5.5"))], False, True),
        ([], [], False, True),
        ([], [(1,)], False, False),
        ([(None,)], [(0,)], False, False),
        ([(1, 1)], [(1,)], False, False),
    ],
)
def test_rule(gold: list[tuple[object, ...]], result: list[tuple[object, ...]], ordered: bool, expected: bool) -> None:
    assert results_match(gold, result, ordered=ordered) is expected
