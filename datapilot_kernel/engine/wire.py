"""An outcome as JSON, exactly as the contract has it: shared by ``ask --json``, the API and the notebook's remote client.

Decimals are strings with a point, whole numbers are numbers, dates and times are ISO 8601 text, NULL is null.
"""

from __future__ import annotations

import base64
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, assert_never

from datapilot_kernel.engine.outcome import Answer, Clarification, Failure, Outcome, Refusal, Timings


def to_json(outcome: Outcome) -> dict[str, Any]:
    """Return the contract's object for any outcome."""
    common: dict[str, Any] = {
        "id": outcome.id,
        "outcome": kind_of(outcome),
        "message": outcome.message,
        "notes": list(outcome.notes),
        "engine": outcome.engine,
        "timings_ms": _timings(outcome.timings_ms),
        "model": outcome.model.to_json() if outcome.model is not None else None,
    }
    match outcome:
        case Answer():
            return common | _answer(outcome)
        case Clarification(choices=choices):
            found = [{"label": c.label, "plan": c.plan.model_dump(mode="json")} for c in choices]
            return common | {"choices": found}
        case Refusal(reason=reason, missing=missing):
            return common | {"reason": reason, "missing": missing}
        case Failure(incident=incident, reason=reason):
            return common | {"incident": incident, "reason": reason}
        case _:
            assert_never(outcome)


def kind_of(outcome: Outcome) -> str:
    """Return ``answer``, ``clarification``, ``refusal`` or ``failure``."""
    return type(outcome).__name__.lower()


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "question": answer.question,
        "trust": answer.trust,
        "sentence": answer.sentence,
        "reading": [
            {"path": p.path, "kind": p.kind, "label": p.label, "value": p.value, "editable": p.editable}
            for p in answer.reading
        ],
        "plan": answer.plan.model_dump(mode="json") if answer.plan is not None else None,
        "sql": answer.sql,
        "columns": [
            {
                "name": c.name,
                "label": c.label,
                "type": c.type,
                "format": c.format.model_dump(mode="json", exclude_none=True),
                "role": c.role,
                "grain": c.grain,
                "ref": c.ref,
                "of": c.of,
                "lower_is_better": c.lower_is_better,
                "values": dict(c.values),
            }
            for c in answer.columns
        ],
        "rows": [[wire_value(v) for v in row] for row in answer.table.rows],
        "truncated": answer.truncated,
        "chart": answer.chart,
    }


def _timings(timings: Timings) -> dict[str, float | None]:
    steps = ("understand", "guard", "execute", "answer", "total")
    found = {step: getattr(timings, step) for step in steps}
    return {step: None if spent is None else round(spent, 3) for step, spent in found.items()}


def wire_value(value: Any) -> Any:
    """Return one value as the contract's JSON.

    >>> wire_value(Decimal("12.50")), wire_value(Decimal("12")), wire_value(0.5), wire_value(date(2026, 5, 3))
    ('12.50', 12, '0.5', '2026-05-03')
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Decimal):
        whole = value.is_finite() and isinstance(value.as_tuple().exponent, int) and value.as_tuple().exponent >= 0  # type: ignore[operator]
        return int(value) if whole else f"{value:f}"
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}"
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, (list, tuple)):
        return [wire_value(v) for v in value]
    if isinstance(value, dict):
        return {str(k): wire_value(v) for k, v in value.items()}
    return str(value)


def _duration(value: timedelta) -> str:
    """Return an ISO 8601 duration.

    >>> _duration(timedelta(days=1, hours=2, seconds=3))
    'P1DT2H3S'
    """
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    hours, rest = divmod(value.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    second = f"{Decimal(seconds) + Decimal(value.microseconds) / 1_000_000:f}"
    second = second.rstrip("0").rstrip(".") if "." in second else second
    clock = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M")) if n) + (
        f"{second}S" if second != "0" else ""
    )
    days = f"{value.days}D" if value.days else ""
    return f"{sign}P{days}{'T' + clock if clock else ''}" if days or clock else "PT0S"
