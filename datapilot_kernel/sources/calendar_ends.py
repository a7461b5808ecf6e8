"""Databases' calendars are longer than Python's: infinities become its ends, what else does not fit becomes null."""

from __future__ import annotations

from datetime import date
from typing import Any

_EPOCH, _DAY_MICROS = date(1970, 1, 1).toordinal(), 86_400 * 10**6
DAYS = (date.min.toordinal() - _EPOCH, date.max.toordinal() - _EPOCH)
"""Python's first and last day, counted from 1970."""
MICROS = (DAYS[0] * _DAY_MICROS, (DAYS[1] + 1) * _DAY_MICROS - 1)
"""Its first and last microsecond."""


def fits(values: Any, low: int, high: int) -> bool:
    """Tell whether every number of an Arrow array is between two others."""
    import pyarrow.compute as pc

    ends = pc.min_max(values)
    return ends["min"].as_py() is None or (int(ends["min"].as_py()) >= low and int(ends["max"].as_py()) <= high)


def within(numbers: Any, kind: Any, calendar: tuple[int, int], infinities: tuple[int, int]) -> Any:
    """Bring counted days or moments into a calendar.

    Parameters
    ----------
    infinities
        How the engine writes its negative and its positive one; they become the calendar's ends. Others become null.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if fits(numbers, *calendar):
        return numbers
    for infinity, end in zip(infinities, calendar, strict=True):
        numbers = pc.if_else(pc.equal(numbers, pa.scalar(infinity, kind)), pa.scalar(end, kind), numbers)
    outside = pc.or_(pc.less(numbers, pa.scalar(calendar[0], kind)), pc.greater(numbers, pa.scalar(calendar[1], kind)))
    return pc.if_else(outside, pa.scalar(None, kind), numbers)
