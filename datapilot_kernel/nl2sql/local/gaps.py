"""The difference between two parts of one measure: « écart de CA entre Lyon et Paris », « différence entre le CA web et le
CA magasin », and « écart avec Paris ? » after a question about Lyon.

Both parts are values of one column, named one after the other: the first less the second, and both are shown beside the
difference. Between two periods the plan has a comparison already, which is left to it; a difference between anything else
is not understood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.local.cover import Cover, Item
from datapilot_kernel.nl2sql.local.signals import NotSure
from datapilot_kernel.plan.model import Filter, MeasureItem

if TYPE_CHECKING:
    from datapilot_kernel.nl2sql.local.shapes import Shaper

_GAPS = ("ecart", "difference")
_BETWEEN = {"entre", "between"}


def settle_gap(found: Cover) -> None:
    """Read « écart … entre A et B » of two values as one wish for their difference, in place."""
    items = found.items
    place = next((i for i, x in enumerate(items) if x.kind == "op" and x.norm in _GAPS), None)
    if place is None:
        place = _by_how_much(found)
    if place is None or not items[place].is_op("compare", "growth", "gap") or _with_before(items, place):
        return
    values = [i for i in range(place + 1, len(items)) if items[i].kind == "lex" and items[i].of("value")]
    measured = [x for x in items if x.kind == "lex" and not x.of("value") and x.of("measure")]
    if len(values) != 2 or len({x.options for x in measured}) != 1:
        return
    first, second = values
    between = [x for x in items[first + 1 : second] if x.kind != "filler" and x not in measured]
    if between and (len(between) != 1 or not between[0].is_op("and")):
        return
    shared = {o.ref for o in items[first].of("value")} & {o.ref for o in items[second].of("value")}
    if not shared:
        return
    for item in items[place + 1 : first]:
        if item.norm in _BETWEEN:
            _light(item)
    for again in measured[1:]:
        _light(again)  # « entre le CA web et le CA magasin »: one measure, said of each
    items[place].ops = ("gap",)


def _by_how_much(found: Cover) -> int | None:
    """« de combien le CA web dépasse-t-il le CA magasin »: read as their difference; the place of « combien »."""
    items, norms = found.items, [t.norm for t in found.tokens]
    if norms[:2] != ["de", "combien"]:
        return None
    beyond = next((x for x in items if x.kind == "op" and x.norm.startswith("depass") and x.is_op("gt", "reach")), None)
    count = next((i for i, x in enumerate(items) if x.is_op("count")), None)
    if beyond is None or count is None:
        return None
    beyond.ops, items[count].ops = ("and",), ("gap",)
    for item in items:
        if item.norm in ("celui", "celle", "ceux", "celles", "t", "il", "elle") and item.kind in ("unknown", "filler"):
            _light(item)
    return count


def _with_before(items: list[Item], place: int) -> bool:
    """« écart avec Paris ? »: with the one asked about before."""
    solid = [x for x in items[place + 1 :] if x.kind != "filler"]
    if len(solid) != 2 or not solid[0].is_op("with", "versus") or solid[1].kind != "lex" or not solid[1].of("value"):
        return False
    solid[1].options = solid[1].of("value")
    items[place].ops = ("gap",)
    _light(solid[0])
    return True


def _light(item: Item) -> None:
    item.kind, item.options, item.ops, item.time = "filler", (), (), None


def difference_of(shaper: Shaper, filters: list[Filter]) -> list[Filter]:
    """Make the two parts and their difference of the one measure; return the filters that stay with the whole plan."""
    draft = shaper.draft
    if not draft.gap:
        return filters
    parts = [f for f in filters if f.op == "in" and len(f.values) == 2]
    more = draft.rank or draft.share or draft.cumul or draft.trend or draft.growth or draft.aggregate or draft.together
    if len(parts) != 1 or len(shaper.items) != 1 or more or shaper.items[0].filters:
        raise NotSure(text("nl2sql.comparison"))
    part = parts[0]
    if any(d.field == part.field for d in shaper.dims) or any(v.joined_by == "or" for v in draft.values):
        raise NotSure(text("nl2sql.comparison"))
    shaper.items = two_parts(shaper, shaper.items[0], part)
    return [f for f in filters if f is not part]


def two_parts(shaper: Shaper, whole: MeasureItem, part: Filter) -> list[MeasureItem]:
    """Return a measure of the first value of ``part`` less that of the second, and both of them."""
    sides = [part.model_copy(update={"op": "eq", "values": (value,), "typed": ()}) for value in part.values]
    names = [shaper.value_label(part.field, str(value)) for value in part.values]
    label = shaper.item_label(whole)
    first, second = (
        whole.model_copy(
            update={"alias": shaper.alias(f"{whole.alias}_{n}"), "filters": (side,), "label": f"{label} ({name})"}
        )
        for n, (side, name) in enumerate(zip(sides, names, strict=True), 1)
    )
    gap = whole.model_copy(
        update={
            "alias": shaper.alias(f"ecart_{whole.alias}"), "filters": (sides[0],), "minus": (sides[1],),
            "label": text("nl2sql.gap_label", label=label, first=names[0], second=names[1]),
        }
    )  # fmt: skip
    return [gap, first, second]
