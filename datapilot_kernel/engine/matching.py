"""Does a result say what a gold result says? The rule of the contract (``datapilot eval``).

A result matches when every gold column is found among its columns with the same rows: extra columns allowed, names
ignored; whole numbers and text exactly; decimals within 0.01 or 0.5 %; as a bag of rows, or in order.

Rejected: comparing each column's values on its own (two columns may each match and their rows not), and rounding before
comparing (two equal values may round apart). Columns are assigned by backtracking over the candidates that match as bags;
rows are then paired, exactly where values are exact and within tolerance elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

ABSOLUTE = Decimal("0.01")
RELATIVE = Decimal("0.005")

_Cell = tuple[str, Any]
"""A kind (``n`` number, ``f`` decimal, ``t`` text, ``d`` date, ``-`` NULL…) and a comparable value."""


def results_match(gold: Sequence[Sequence[Any]], result: Sequence[Sequence[Any]], *, ordered: bool = False) -> bool:
    """Tell whether ``result`` holds ``gold``.

    >>> results_match([("Lyon", 10)], [("Lyon", "Rhône", Decimal("10.00"))])
    True
    >>> results_match([(1, 2), (3, 4)], [(1, 4), (3, 2)])
    False
    >>> results_match([(Decimal("0.125"),)], [(0.1251,)])
    True
    """
    if len(gold) != len(result):
        return False
    if not gold:
        return True
    wanted = [[_cell(row[i]) for row in gold] for i in range(len(gold[0]))]
    offered = [[_cell(row[i]) for row in result] for i in range(len(result[0]))]
    candidates = [
        [j for j, have in enumerate(offered) if (_column_in_order(want, have) if ordered else _column_as_bag(want, have))]
        for want in wanted
    ]
    return _assign(wanted, offered, candidates, [], ordered)


def _assign(
    wanted: list[list[_Cell]], offered: list[list[_Cell]], candidates: list[list[int]], chosen: list[int], ordered: bool
) -> bool:
    if len(chosen) == len(wanted):
        return ordered or _same_bag(list(zip(*wanted, strict=True)), list(zip(*(offered[j] for j in chosen), strict=True)))
    for j in candidates[len(chosen)]:
        if j not in chosen and _assign(wanted, offered, candidates, [*chosen, j], ordered):
            return True
    return False


def comparable(value: Any) -> tuple[str, Any]:
    """Return a value's kind (number, decimal, text, date, NULL) and what of it is compared."""
    return _cell(value)


def _cell(value: Any) -> _Cell:
    match value:
        case None:
            return ("-", 0)
        case bool():
            return ("n", int(value))
        case int():
            return ("n", value)
        case Decimal() | float():
            number = Decimal(str(value))
            if not number.is_finite():
                return ("t", str(value))
            return ("n", int(number)) if number == number.to_integral_value() else ("f", number)
        case datetime():
            naive = value.replace(tzinfo=None)
            return ("d", naive.isoformat()) if naive.time() != time() else ("d", naive.date().isoformat())
        case date():
            return ("d", value.isoformat())
        case timedelta():
            return ("f", Decimal(str(value.total_seconds())))
        case _:
            return ("t", str(value))


def _equal(a: _Cell, b: _Cell) -> bool:
    if a == b:
        return True
    kinds = {a[0], b[0]}
    if kinds <= {"n", "f"} and "f" in kinds:
        x, y = Decimal(a[1]), Decimal(b[1])
        gap = abs(x - y)
        return gap <= ABSOLUTE or gap <= RELATIVE * max(abs(x), abs(y))
    return False


def _column_in_order(want: list[_Cell], have: list[_Cell]) -> bool:
    return all(_equal(a, b) for a, b in zip(want, have, strict=True))


def _order(cell: _Cell) -> tuple[str, Any]:
    return ("#", Decimal(cell[1])) if cell[0] in "nf" else cell


def _column_as_bag(want: list[_Cell], have: list[_Cell]) -> bool:
    return all(_equal(a, b) for a, b in zip(sorted(want, key=_order), sorted(have, key=_order), strict=True))


def _same_bag(gold: list[tuple[_Cell, ...]], result: list[tuple[_Cell, ...]]) -> bool:
    """Pair the rows: by their exact cells first, then within tolerance inside each group.

    A column is exact when no decimal stands in it on either side.
    """
    exact = [
        i
        for i in range(len(gold[0]))
        if not any(row[i][0] == "f" for row in gold) and not any(row[i][0] == "f" for row in result)
    ]
    loose = [i for i in range(len(gold[0])) if i not in exact]
    left, right = _grouped(gold, exact, loose), _grouped(result, exact, loose)
    if left.keys() != right.keys():
        return False
    return all(_paired(left[key], right[key]) for key in left)


def _grouped(
    rows: list[tuple[_Cell, ...]], exact: list[int], loose: list[int]
) -> dict[tuple[_Cell, ...], list[tuple[_Cell, ...]]]:
    groups: dict[tuple[_Cell, ...], list[tuple[_Cell, ...]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[i] for i in exact), []).append(tuple(row[i] for i in loose))
    return groups


def _paired(gold: list[tuple[_Cell, ...]], result: list[tuple[_Cell, ...]]) -> bool:
    if len(gold) != len(result):
        return False
    left = sorted(gold, key=lambda row: [_order(cell) for cell in row])
    rest = sorted(result, key=lambda row: [_order(cell) for cell in row])
    for row in left:
        for k, other in enumerate(rest):
            if all(_equal(a, b) for a, b in zip(row, other, strict=True)):
                del rest[k]
                break
        else:
            return False
    return True
