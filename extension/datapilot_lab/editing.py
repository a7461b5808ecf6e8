"""The reading as chips: what an editor of a chip offers, and the plan after an edit. No engine, no model, no data.

The notebook's chips (:mod:`datapilot_kernel.notebook.chips`) offer the same, from the same functions.
"""

from __future__ import annotations

from typing import Any

from datapilot_kernel.answers import apply_edit, formatter_for
from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.errors import BadInput
from datapilot_kernel.notebook import choices
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.semantic.model import Layer
from datapilot_lab.shown import read_plan
from datapilot_lab.wire import EditIn, Editor, Option, Place

_TIMED = ("date", "timestamp")


def editor_for(place: Place, layer: Layer) -> Editor:
    """Return what can be done with one part of a reading."""
    plan = _plan(place)
    formatter = formatter_for(layer)
    match place.kind:
        case "period":
            options = [Option(label=label, value=p.model_dump(mode="json")) for label, p in choices.periods(formatter)]
            now = plan.period.model_dump(mode="json") if plan.period is not None else None
            return Editor(editor="period", options=options, value=now, removable=plan.period is not None)
        case "measure":
            options = [Option(label=label, value=ref) for label, ref in choices.measures(layer)]
            return Editor(editor="choice", options=options, value=plan.measures[_index(place)].measure)
        case "dimension":
            index = place.path.rpartition("/")[2]
            current = plan.dimensions[int(index)] if index.isdecimal() else None
            return Editor(
                editor="choice",
                options=_dimensions(layer, plan),
                grains=_grains(formatter),
                value=current.field if current is not None else None,
                removable=current is not None,
            )
        case "filter" if place.path.startswith("/filters/"):
            condition = plan.filters[_index(place)]
            if not condition.values or condition.op == "day_type":
                return Editor(editor="none")
            return Editor(editor="values", value=" ; ".join(str(v) for v in condition.values))
        case "limit":
            return Editor(editor="number", value=plan.limit or 10)
        case "order":
            if not plan.order:
                return Editor(editor="none", removable=False)
            order = plan.order[_index(place)]
            return Editor(editor="order", value={"by": order.by, "descending": not order.descending})
        case _:
            return Editor(editor="none")


def edited(asked: EditIn, layer: Layer) -> Plan:
    """Return the plan after an edit.

    Raises
    ------
    BadInput
        The plan would not be possible.
    """
    plan = _plan(asked)
    value: Any = asked.value
    if asked.typed is not None:
        value = _filter(asked, plan)
    elif asked.kind == "dimension" and isinstance(value, str) and asked.grain is not None:
        value = _timed(asked, plan, value)
    return apply_edit(plan, asked.path, value, layer=layer)


def _filter(asked: EditIn, plan: Plan) -> dict[str, Any]:
    condition = plan.filters[_index(asked)]
    values = choices.value_of(asked.typed or "", condition.values)
    op: str = condition.op
    if len(values) > 1 and op in ("eq", "ne"):
        op = "in" if op == "eq" else "not_in"
    return condition.model_dump(mode="json") | {"values": values, "op": op, "typed": []}


def _timed(asked: EditIn, plan: Plan, field: str) -> dict[str, Any]:
    index = asked.path.rpartition("/")[2]
    if index.isdecimal():
        return {"alias": plan.dimensions[int(index)].alias, "field": field, "grain": asked.grain}
    taken = {d.alias for d in plan.dimensions} | {m.alias for m in plan.measures}
    alias = field.rpartition(".")[2]
    while alias in taken:
        alias += "_2"
    return {"alias": alias, "field": field, "grain": asked.grain}


def _dimensions(layer: Layer, plan: Plan) -> list[Option]:
    found = choices.dimensions(layer, plan)
    return [Option(label=label, value=ref, timed=layer.dimension(ref).type in _TIMED) for label, ref in found]


def _grains(formatter: Formatter) -> list[Option]:
    return [Option(label=label, value=grain) for label, grain in choices.grains(formatter)]


def _plan(place: Place) -> Plan:
    plan = read_plan(place.plan)
    if plan is None:
        raise BadInput("notebook.no_plan")
    return plan


def _index(place: Place) -> int:
    """Return the number at the end of a path, of a list that has it."""
    _, name, index = place.path.split("/", 2) if place.path.count("/") == 2 else ("", "", "")
    plan = read_plan(place.plan)
    if not index.isdecimal() or plan is None or int(index) >= len(getattr(plan, name, ())):
        raise BadInput("answers.edit.bad_path", path=place.path)
    return int(index)
