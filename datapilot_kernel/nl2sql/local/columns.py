"""What a list of rows shows when nobody said: what names the row, its date, what tells it apart, its amounts.

Hidden and personal columns are left out (but for the name itself), so are columns that a list does not need.
"""

from __future__ import annotations

from datapilot_kernel.nl2sql.local.knowledge import Knowledge

MOST = 12


def default_columns(k: Knowledge, entity: str, wanted: tuple[str, ...] = ()) -> list[str]:
    """Return references, in order; ``wanted`` (what the question filters or orders by) are always among them."""
    model = k.layer.entities[entity]
    chosen = list(k.name_columns(entity)) if model.name_dimension else [f"{entity}.{n}" for n in k._codes(entity)[:1]]
    codes = [f"{entity}.{n}" for n in k._codes(entity)[:1]]
    if model.time:
        chosen.append(f"{entity}.{model.time}")
    chosen += codes
    own = [f"{entity}.{n}" for n, d in model.dimensions.items() if not d.hidden and not d.personal]
    dates = [r for r in own if k.layer.dimension(r).type in ("date", "timestamp")]
    amounts = [r for r in own if k.layer.dimension(r).type == "number" and _is_money(k, r)]
    texts = [r for r in own if k.layer.dimension(r).type in ("text", "boolean")]
    numbers = [r for r in own if k.layer.dimension(r).type == "number" and r not in amounts]
    parents = []
    for name, distance in k.graph.distances(entity).items():
        parent = k.layer.entities[name]
        if distance == 1 and parent.name_dimension and not parent.hidden and k.is_master(name):
            ways = next(k.graph.paths(entity, name), [])
            if len(ways) == 1:
                parents.append(f"{name}.{parent.name_dimension}")
    chosen += [*texts[:4], *dates[:3], *amounts[:4], *parents[:2], *numbers, *texts]
    ordered = list(dict.fromkeys([*chosen[:1], *wanted, *chosen]))
    return ordered[: max(MOST, len(wanted) + 1)]


def _is_money(k: Knowledge, ref: str) -> bool:
    form = k.layer.dimension(ref).format
    return form is not None and form.kind == "currency"
