"""Edits of a plan, by the pointers of its reading: what a chip does before the plan runs again, without a model.

``apply_edit(plan, "/period", {"kind": "calendar", "unit": "month", "offset": -1})`` puts another period;
``apply_edit(plan, "/filters/0", None)`` takes a filter away. ``/filters/-`` adds one. ``/ignored_defaults/ENTITY`` is the
one pointer that names a key: None leaves the entity's default filters out, True brings them back. What hung on a part that
goes (its order, its condition, a limit per it) goes with it. The result is validated like any plan.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from datapilot_kernel.errors import BadInput
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.semantic.model import Layer

_LISTS = ("measures", "dimensions", "columns", "filters", "any_of", "related", "having", "order")
_SINGLE = ("period", "time", "comparison", "limit", "limit_per", "rollup", "distinct", "ties")


def apply_edit(plan: Plan, path: str, new_value: Any, *, layer: Layer | None = None) -> Plan:
    """Return the plan with one part changed, added or (``new_value`` None) taken away.

    Parameters
    ----------
    path
        A pointer of the reading, or one deeper (``/filters/0/values``, ``/dimensions/0/grain``).
    new_value
        As in the plan's JSON, or a model of the plan; for a measure or a dimension its reference alone will do.
    layer
        Given: every reference that the edit brings must be in it.

    Raises
    ------
    BadInput
        The pointer leads nowhere, or the plan would not be possible.
    """
    data = plan.model_dump(mode="json")
    steps = [s.replace("~1", "/").replace("~0", "~") for s in path.split("/")[1:]]
    if not steps or steps[0] not in (*_LISTS, *_SINGLE, "ignored_defaults"):
        raise BadInput("answers.edit.bad_path", path=path)
    value = new_value.model_dump(mode="json") if isinstance(new_value, BaseModel) else new_value
    if steps[0] == "ignored_defaults":
        _ignore(data, steps, value, path)
    elif steps[0] in _LISTS and len(steps) == 2:
        _edit_item(data, steps[0], steps[1], value, path)
    elif steps[0] in _LISTS and len(steps) == 1:
        _replace_list(data, steps[0], value, path)
    else:
        _set(data, steps, value, path)
    if not (data["measures"] or data["dimensions"] or data["kind"] == "rows"):
        raise BadInput("answers.edit.last_measure")
    _drop_orphans(data, _aliases(plan))
    try:
        edited = Plan.model_validate(data)
    except ValidationError as error:
        raise BadInput("answers.edit.bad_value", path=path) from error
    if layer is not None:
        _check_names(edited, plan, layer)
    return edited


def _aliases(plan: Plan) -> set[str]:
    return {m.alias for m in plan.measures} | {d.alias for d in plan.dimensions} | {c.alias for c in plan.columns}


def _ignore(data: dict[str, Any], steps: list[str], value: Any, path: str) -> None:
    if len(steps) != 2:
        raise BadInput("answers.edit.bad_path", path=path)
    kept = [name for name in data["ignored_defaults"] if name != steps[1]]
    data["ignored_defaults"] = kept if value else [*kept, steps[1]]


def _edit_item(data: dict[str, Any], name: str, index: str, value: Any, path: str) -> None:
    items = data[name]
    if index == "-":
        items.append(_whole(name, value, None, items))
        return
    if not index.isdecimal() or int(index) >= len(items):
        raise BadInput("answers.edit.bad_path", path=path)
    if value is None:
        del items[int(index)]
    else:
        items[int(index)] = _whole(name, value, items[int(index)], items)


def _replace_list(data: dict[str, Any], name: str, value: Any, path: str) -> None:
    if value is not None and not isinstance(value, (list, tuple)):
        raise BadInput("answers.edit.bad_value", path=path)
    items: list[Any] = []
    for item in value or ():
        items.append(_whole(name, item.model_dump(mode="json") if isinstance(item, BaseModel) else item, None, items))
    data[name] = items


def _whole(name: str, value: Any, old: dict[str, Any] | None, items: list[Any]) -> Any:
    """Complete a bare reference into an item, under the alias of the one it takes the place of (orders keep working)."""
    if not isinstance(value, str) or name not in ("measures", "dimensions", "columns"):
        return value
    alias = old["alias"] if old else _fresh(value.rpartition(".")[2], items)
    if name == "measures":
        kept = {k: old[k] for k in ("filters", "transform", "within", "hidden")} if old else {}
        return {"alias": alias, "measure": value, **kept}
    if name == "dimensions":
        return {"alias": alias, "field": value, "grain": None}
    return {"alias": alias, "field": value}


def _fresh(name: str, items: list[Any]) -> str:
    taken = {item.get("alias") for item in items if isinstance(item, dict)}
    alias, number = name, 2
    while alias in taken:
        alias, number = f"{name}_{number}", number + 1
    return alias


def _set(data: dict[str, Any], steps: list[str], value: Any, path: str) -> None:
    target: Any = data
    for step in steps[:-1]:
        target = _child(target, step, path)
    last = steps[-1]
    if isinstance(target, list):
        if last == "-":
            target.append(value)
        elif last.isdecimal() and int(last) < len(target):
            if value is None:
                del target[int(last)]
            else:
                target[int(last)] = value
        else:
            raise BadInput("answers.edit.bad_path", path=path)
    elif isinstance(target, dict) and last in target:
        target[last] = False if value is None and isinstance(target[last], bool) else value
    else:
        raise BadInput("answers.edit.bad_path", path=path)


def _child(target: Any, step: str, path: str) -> Any:
    if isinstance(target, list) and step.isdecimal() and int(step) < len(target):
        return target[int(step)]
    if isinstance(target, dict) and step in target and isinstance(target[step], (dict, list)):
        return target[step]
    raise BadInput("answers.edit.bad_path", path=path)


def _drop_orphans(data: dict[str, Any], before: set[str]) -> None:
    """Take away what refers to a column that is gone; one that never was stays, to be refused."""
    measures = {m.get("alias") for m in data["measures"] if isinstance(m, dict)}
    dimensions = {d.get("alias") for d in data["dimensions"] if isinstance(d, dict)}
    columns = {c.get("alias") for c in data["columns"] if isinstance(c, dict)}
    gone = before - (measures | dimensions | columns)
    data["order"] = [o for o in data["order"] if not isinstance(o, dict) or o.get("by") not in gone]
    data["having"] = [h for h in data["having"] if not isinstance(h, dict) or h.get("measure") not in gone]
    if data["limit_per"] in gone:
        data["limit_per"] = None
    for item in data["measures"]:
        if isinstance(item, dict) and item.get("within") in gone:
            item["within"] = None
    rollup = data["rollup"]
    if isinstance(rollup, dict) and (rollup.get("measure") not in (*measures, None) or not data["dimensions"]):
        data["rollup"] = None


def _references(plan: Plan) -> tuple[set[str], set[str]]:
    """Return the references to measures and to dimensions in a plan."""
    measures = {m.measure for m in plan.measures if m.measure}
    dimensions = {d.field for d in plan.dimensions} | {c.field for c in plan.columns} | {f.field for f in plan.filters}
    dimensions |= {m.field for m in plan.measures if m.field} | ({plan.time} if plan.time else set())
    dimensions |= {f.field for group in plan.any_of for f in group}
    dimensions |= {f.field for measure in plan.measures for f in (*measure.filters, *measure.minus)}
    dimensions |= {f.field for related in plan.related for f in related.filters}
    return measures, dimensions


def _check_names(edited: Plan, before: Plan, layer: Layer) -> None:
    old_measures, old_dimensions = _references(before)
    measures, dimensions = _references(edited)
    for ref in sorted(measures - old_measures):
        owner, _, name = ref.partition(".")
        if owner not in layer.entities or name not in layer.entities[owner].measures:
            raise BadInput("answers.edit.unknown_name", name=ref)
    for ref in sorted(dimensions - old_dimensions):
        owner, _, name = ref.partition(".")
        if owner not in layer.entities or name not in layer.entities[owner].dimensions:
            raise BadInput("answers.edit.unknown_name", name=ref)
    for name in set(edited.ignored_defaults) - set(layer.entities):
        raise BadInput("answers.edit.unknown_name", name=name)
