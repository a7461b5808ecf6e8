"""A plan as short JSON: what is at its default left out, and still the same plan when it is read again."""

from __future__ import annotations

from typing import Any

from datapilot_kernel.plan.model import Plan

_PERIODS = frozenset({"between", "calendar", "last", "to_date", "all"})


def compact_plan(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON without its defaults; a period keeps its ``kind``, by which it is read.

    >>> compact_plan(Plan(measures=({"alias": "n", "measure": "ventes.nb"},), period={"kind": "all"}))
    {'measures': [{'alias': 'n', 'measure': 'ventes.nb'}], 'period': {'kind': 'all'}}
    """
    found = _kept(plan.model_dump(mode="json", exclude_defaults=True), plan.model_dump(mode="json"))
    assert isinstance(found, dict)
    return found


def _kept(short: Any, whole: Any) -> Any:
    if isinstance(short, list):
        return [_kept(one, other) for one, other in zip(short, whole, strict=True)]
    if not isinstance(short, dict):
        return short
    kind = whole.get("kind")
    head = {"kind": kind} if kind in _PERIODS and "kind" not in short else {}
    return head | {key: _kept(value, whole[key]) for key, value in short.items()}
