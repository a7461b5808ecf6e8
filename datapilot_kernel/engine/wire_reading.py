"""The contract's JSON back as an outcome: what a client of the API makes of what :mod:`datapilot_kernel.engine.wire` wrote.

Values come back by their column's type: decimals exact, dates as dates, moments with the offset they were written with.
What the wire does not carry (the compiled plan, the model's run log) is None here.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast

from datapilot_kernel.answers.model import AnswerColumn, ReadingPart
from datapilot_kernel.engine.outcome import Answer, Clarification, Failure, Outcome, Refusal, Timings
from datapilot_kernel.nl2sql.claude.cost import ModelUse, Usage
from datapilot_kernel.nl2sql.understanding import Choice
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.semantic.model import Format
from datapilot_kernel.sources.model import LogicalType, ResultColumn, ResultTable


def from_json(found: Mapping[str, Any], *, table: ResultTable | None = None) -> Outcome:
    """Return the outcome that ``found`` says.

    Parameters
    ----------
    table
        The answer's rows, when they came another way; None: those in ``found``.
    """
    timings = Timings(**found["timings_ms"])
    common: dict[str, Any] = {
        "id": found["id"],
        "message": found["message"],
        "notes": tuple(found["notes"]),
        "engine": found["engine"],
        "timings_ms": timings,
        "model": _model(found.get("model")),
    }
    match found["outcome"]:
        case "answer":
            return _answer(found, common, table)
        case "clarification":
            choices = tuple(Choice(c["label"], Plan.model_validate(c["plan"])) for c in found["choices"])
            return Clarification(choices=choices, **common)
        case "refusal":
            return Refusal(reason=found["reason"], missing=found["missing"], **common)
        case "failure":
            return Failure(incident=found["incident"], reason=found["reason"], **common)
        case other:
            raise ValueError(f"no outcome is called {other!r}")


def _answer(found: Mapping[str, Any], common: dict[str, Any], table: ResultTable | None) -> Answer:
    columns = tuple(_column(c) for c in found["columns"])
    return Answer(
        question=found["question"],
        trust=found["trust"],
        sentence=found["sentence"],
        reading=tuple(ReadingPart(**part) for part in found["reading"]),
        plan=Plan.model_validate(found["plan"]) if found["plan"] is not None else None,
        sql=found["sql"],
        columns=columns,
        table=table if table is not None else rows_from_json(columns, found["rows"], truncated=found["truncated"]),
        chart=found["chart"],
        **common,
    )


def _column(found: Mapping[str, Any]) -> AnswerColumn:
    return AnswerColumn(**{**found, "format": Format.model_validate(found["format"])})


def _model(found: Mapping[str, Any] | None) -> ModelUse | None:
    if found is None:
        return None
    tokens = ("input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens", "estimated")
    return ModelUse(
        model=found["name"],
        usage=Usage(**{name: found[name] for name in tokens}),
        calls=found["calls"],
        repairs=found["repairs"],
        cost_microeuros=found["cost_microeuros"],
        model_ms=found["model_ms"],
    )


def rows_from_json(columns: tuple[AnswerColumn, ...], rows: list[list[Any]], *, truncated: bool = False) -> ResultTable:
    """Return the table that these rows are, each value by its column's type."""
    readers = [_READERS.get(column.type) for column in columns]
    read = [
        tuple(
            value if value is None or reader is None else reader(value) for value, reader in zip(row, readers, strict=True)
        )
        for row in rows
    ]
    return ResultTable(tuple(ResultColumn(c.name, c.type) for c in columns), read, truncated)


_SPAN = re.compile(
    r"(?P<sign>-?)P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>[\d.]+)S)?)?"
)


def span(value: str) -> timedelta:
    """Return the span that an ISO 8601 duration says.

    >>> span("-PT1H30M"), span("P1DT0.5S")
    (datetime.timedelta(days=-1, seconds=81000), datetime.timedelta(days=1, microseconds=500000))
    """
    found = _SPAN.fullmatch(value)
    if found is None:
        raise ValueError(f"not a duration: {value!r}")
    seconds = Decimal(found["seconds"] or 0)
    whole = timedelta(
        days=int(found["days"] or 0),
        hours=int(found["hours"] or 0),
        minutes=int(found["minutes"] or 0),
        seconds=int(seconds),
        microseconds=int(seconds % 1 * 1_000_000),
    )
    return -whole if found["sign"] else whole


def _time(value: str) -> time | timedelta:
    return span(value) if value.lstrip("-").startswith("P") else time.fromisoformat(value)


_READERS: dict[LogicalType, Callable[[Any], Any]] = {
    "decimal": lambda v: Decimal(str(v)),
    "float": float,
    "date": lambda v: date.fromisoformat(v[:10]),
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
    "time": _time,
    "interval": lambda v: span(cast("str", v)),
    "binary": base64.b64decode,
}
