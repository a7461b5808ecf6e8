"""What one named thing is like: « depuis quand Lyon Bellecour est-il ouvert », « prix de vente de la Suspension Azur ».

One row of an entity is named by its name; what is asked is a column of its own. Nothing is counted or summed, so a name that
several rows share gives as many lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from datapilot_kernel.nl2sql.local.lexicon import Option
from datapilot_kernel.plan.model import ColumnItem, Order, Plan

if TYPE_CHECKING:
    from datapilot_kernel.nl2sql.local.draft import Draft
    from datapilot_kernel.nl2sql.local.shapes import Shaper

_TIER = 0.06


def of_one_thing(s: Shaper) -> Plan | None:
    """Return the plan of a draft that asks for columns of one named thing; None where it asks for something else."""
    draft = s.draft
    if not _plain(draft) or len(draft.values) != 1 or draft.values[0].negated:
        return None
    named = _name_of(s, draft.values[0].of("value"))
    if named is None:
        return None
    entity = named.entity
    wanted: list[str] = []
    for mention in [*draft.subjects, *(p.mention for p in draft.presences)]:
        if any(o.ref == entity for o in mention.of("entity")):
            continue  # « du magasin Lyon Bellecour »
        theirs = [o for o in mention.of("dimension") if o.entity == entity]
        if not theirs or any(p.empty for p in draft.presences):
            return None
        best = max(o.quality for o in mention.options)
        near = [o for o in theirs if o.quality >= best - 0.16]
        if not near:
            return None
        wanted.append(s.nearest(f"c{mention.start}", near, frozenset({entity}), mention.text).ref)
    dates = [r for r in wanted if s.layer.dimension(r).type in ("date", "timestamp")]
    if not wanted or (draft.presences and not draft.when) or (draft.when and len(dates) != len(wanted)):
        return None
    draft.values[0].options = (named,)
    filters, any_of = s.filters([], entity)
    refs = list(dict.fromkeys([named.ref, *wanted]))
    columns = tuple(ColumnItem(alias=s.alias(s._column_name(ref)), field=ref) for ref in refs)
    draft.when, draft.presences = False, []
    return Plan(
        kind="rows", entity=entity, columns=columns, filters=tuple(filters), any_of=tuple(any_of),
        order=(Order(by=columns[0].alias, descending=False),),
    )  # fmt: skip


def _plain(draft: Draft) -> bool:
    """Tell whether nothing but columns and a name are said."""
    return not (
        draft.measures or draft.groups or draft.rank or draft.conditions or draft.texts or draft.related or draft.periods
        or draft.units or draft.head_unit or draft.count or draft.share or draft.trend or draft.growth or draft.cumul
        or draft.compare or draft.aggregate or draft.sum or draft.new or draft.sort or draft.ways or draft.included
        or draft.versus is not None or draft.day_type is not None or draft.distinct or draft.again or draft.extremes
        or draft.actual or draft.now
    )  # fmt: skip


def _name_of(s: Shaper, options: tuple[Option, ...]) -> Option | None:
    best = max((o.quality for o in options), default=0.0)
    names = [
        o for o in options
        if o.quality >= max(0.9, best - _TIER) and o.ref == f"{o.entity}.{s.layer.entities[o.entity].name_dimension}"
    ]  # fmt: skip
    return names[0] if len(names) == 1 else None
