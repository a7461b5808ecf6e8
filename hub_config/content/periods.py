"""The periods that viewers of a dashboard may choose: a short list of words, or two days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from datapilot_kernel.errors import BadInput
from datapilot_kernel.plan.model import AllTime, Between, CalendarPeriod, LastPeriod, Period, ToDate

PERIODS: dict[str, Period] = {
    "month": CalendarPeriod(unit="month", offset=0),
    "last-month": CalendarPeriod(unit="month", offset=-1),
    "quarter": CalendarPeriod(unit="quarter", offset=0),
    "last-quarter": CalendarPeriod(unit="quarter", offset=-1),
    "year-to-date": ToDate(unit="year"),
    "last-year": CalendarPeriod(unit="year", offset=-1),
    "30-days": LastPeriod(count=30, unit="day", complete=False),
    "3-months": LastPeriod(count=3, unit="month"),
    "12-months": LastPeriod(count=12, unit="month"),
    "all": AllTime(),
}
"""The periods that a filter of kind ``period`` offers; counted from the day of the request, in the layer's calendar."""


def chosen_period(values: Sequence[Any]) -> Period:
    """Return the period that a viewer chose: one word of :data:`PERIODS`, or first and last day in ISO form.

    One of the two days may be empty: open on that side.

    Raises
    ------
    BadInput
        It is neither.

    >>> chosen_period(["2026-01-01", "2026-03-31"]).end
    datetime.date(2026, 3, 31)
    """
    said = [str(value) for value in values]
    if len(said) == 1 and said[0] in PERIODS:
        return PERIODS[said[0]]
    if len(said) != 2 or not any(said):
        raise BadInput("content.filter_not_listed")
    try:
        start, end = (date.fromisoformat(day) if day else None for day in said)
    except ValueError:
        raise BadInput("publishing.bad_day") from None
    if start is not None and end is not None and end < start:
        raise BadInput("publishing.days_reversed")
    return Between(start=start, end=end)
