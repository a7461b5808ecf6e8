"""A plan, an understanding, in one readable line: what the data files of these tests are written in.

``measure | by dimension@grain | where field op value | …``. A clarification is ``? choice / choice``, a refusal ``! reason``,
what was not understood ``?? word, word``.
"""

from __future__ import annotations

from datapilot_kernel.nl2sql.understanding import Ambiguous, NotAnswerable, Understanding, Understood, Unsure
from datapilot_kernel.plan.model import Filter, MeasureItem, Period, Plan, Related


def line(understanding: Understanding) -> str:
    match understanding:
        case Understood(plan=plan):
            return plan_line(plan)
        case Ambiguous(choices=choices):
            return "? " + " / ".join(choice.label for choice in choices)
        case NotAnswerable(reason=reason):
            return f"! {reason}"
        case Unsure(unexplained=words):
            return "?? " + ", ".join(words)


def plan_line(plan: Plan) -> str:
    parts = [f"rows of {plan.entity}" if plan.kind == "rows" else ", ".join(_measure(m) for m in plan.measures)]
    if plan.distinct:
        parts.append("distinct " + ", ".join(c.field for c in plan.columns))
    if plan.dimensions:
        parts.append(
            "by "
            + ", ".join(
                d.field + (f"@{d.grain}" if d.grain else "") + "".join(f"~{v}" for v in d.via) for d in plan.dimensions
            )
        )
    parts += [f"where {_filter(f)}" for f in plan.filters]
    parts += ["where " + " or ".join(_filter(f) for f in group) for group in plan.any_of]
    parts += [_related(r) for r in plan.related]
    parts += [f"having {h.measure}{_part(h.part)} {h.op} {' '.join(str(v) for v in h.values)}" for h in plan.having]
    if plan.period is not None:
        parts.append("in " + _period(plan.period) + (f" on {plan.time}" if plan.time else ""))
    if plan.comparison is not None:
        parts.append(
            f"against {plan.comparison.kind}" + (f" {_period(plan.comparison.period)}" if plan.comparison.period else "")
        )
    if plan.order and (plan.limit or plan.kind == "rows" or _sorted_otherwise(plan)):
        parts.append("order " + ", ".join(("-" if o.descending else "+") + o.by + _part(o.part) for o in plan.order))
    if plan.limit:
        parts.append(f"first {plan.limit}" + (f" per {plan.limit_per}" if plan.limit_per else ""))
    if plan.rollup:
        parts.append(f"rollup {plan.rollup.function}")
    if plan.ignored_defaults:
        parts.append("with the excluded of " + ", ".join(plan.ignored_defaults))
    return " | ".join(parts)


def _part(part: str) -> str:
    return "" if part == "value" else f".{part}"


def _sorted_otherwise(plan: Plan) -> bool:
    """Tell whether groups stand in another order than by their first measure, or along time."""
    first = plan.order[0]
    series = {d.alias for d in plan.dimensions if d.grain is not None}
    return first.by not in series and not (first.descending and first.by == plan.measures[0].alias and first.part == "value")


def _measure(item: MeasureItem) -> str:
    name = item.measure or f"{item.aggregate}({item.field or item.entity})"
    name += f" as {item.transform}" if item.transform else ""
    name += "".join(f" [{_filter(f)}]" for f in item.filters)
    return name + "".join(f" minus [{_filter(f)}]" for f in item.minus)


def _filter(made: Filter) -> str:
    span = f" {made.span.count} {made.span.unit}" if made.span else ""
    return f"{made.field} {made.op}" + "".join(f" {v}" for v in made.values) + span + "".join(f"~{v}" for v in made.via)


def _related(related: Related) -> str:
    inner = "".join(f" [{_filter(f)}]" for f in related.filters) + (
        f" in {_period(related.period)}" if related.period else ""
    )
    return ("without " if related.negated else "with ") + related.entity + inner


def _period(period: Period) -> str:
    values = period.model_dump(exclude_defaults=True, mode="json")
    values.pop("kind", None)
    return period.kind + "".join(f" {k}={v}" for k, v in values.items())
