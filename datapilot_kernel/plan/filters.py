"""The filters of a plan, wherever they stand."""

from __future__ import annotations

from collections.abc import Callable

from datapilot_kernel.plan.model import Filter, MeasureItem, Plan, Related


def map_filters(plan: Plan, change: Callable[[Filter], Filter]) -> Plan:
    """Return a plan with each of its filters changed: its own, those of ``any_of``, of measures and of related rows."""

    def each(filters: tuple[Filter, ...]) -> tuple[Filter, ...]:
        return tuple(change(one) for one in filters)

    def measure(item: MeasureItem) -> MeasureItem:
        changed = {"filters": each(item.filters), "minus": each(item.minus)}
        return item.model_copy(update=changed) if item.filters else item

    def related(item: Related) -> Related:
        return item.model_copy(update={"filters": each(item.filters)}) if item.filters else item

    return plan.model_copy(
        update={
            "filters": each(plan.filters),
            "any_of": tuple(each(group) for group in plan.any_of),
            "measures": tuple(measure(item) for item in plan.measures),
            "related": tuple(related(item) for item in plan.related),
        }
    )
