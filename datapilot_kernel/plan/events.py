"""Which date dates the rows of an entity, and which default filters hold for them.

An entity without a time dimension of its own is a detail of a nearer event: order lines are dated by their order. The
nearest entity on the one side that has a ``time`` dates it; two equally near ones leave it undated. The default filters
of that event hold for its details too (lines of cancelled orders are left out as the orders are). Default filters of
other entities on the way (inactive clients) do not: nobody asked to count clients.
"""

from __future__ import annotations

from sqlglot import exp

from datapilot_kernel.plan.scope import Context, Rows


def event_of(context: Context, entity: str) -> str | None:
    """Return the entity that dates this one: itself, or the event it is a detail of; None when nothing does."""
    if context.layer.entities[entity].time is not None:
        return entity
    nearest: list[str] = []
    best = 0
    for other, distance in context.graph.distances(entity).items():
        if nearest and distance > best:
            break
        if context.layer.entities[other].time is not None:
            nearest.append(other)
            best = distance
    return nearest[0] if len(nearest) == 1 else None


def time_of(context: Context, entity: str) -> str | None:
    """Return the time dimension (``entity.name``) that dates this entity by default; None when nothing does."""
    event = event_of(context, entity)
    return None if event is None else f"{event}.{context.layer.entities[event].time}"


def default_conditions(rows: Rows, *, already: str | None = None) -> list[exp.Expr]:
    """Return the default filters of an entity (and of the event it is a detail of), bound to its rows.

    ``already`` names an event whose filters the statement around them applies.
    """
    context = rows.context
    names = [rows.entity]
    event = event_of(context, rows.entity)
    if event is not None and event not in (rows.entity, already):
        names.append(event)
    found: list[exp.Expr] = []
    for name in names:
        filters = context.layer.entities[name].default_filters
        if not filters or name in context.plan.ignored_defaults:
            continue
        path = rows.path(name)
        assert path is not None
        alias = rows.reach(path)
        for sql in filters:
            condition = rows.own(sql, alias, name)
            found.append(exp.Paren(this=condition) if isinstance(condition, exp.Or) else condition)
    return found
