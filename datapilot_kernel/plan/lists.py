"""Plans that list rows: « factures impayées de plus de 30 jours ». One row out for each row of the entity."""

from __future__ import annotations

from sqlglot import exp

from datapilot_kernel.plan.assemble import Result
from datapilot_kernel.plan.branches import free
from datapilot_kernel.plan.columns import list_column
from datapilot_kernel.plan.comparing import note_unfinished
from datapilot_kernel.plan.conditions import all_of, period_condition, plan_conditions
from datapilot_kernel.plan.dialects import number
from datapilot_kernel.plan.events import default_conditions, time_of
from datapilot_kernel.plan.meeting import Statement, from_part
from datapilot_kernel.plan.problems import PlanProblem
from datapilot_kernel.plan.quoting import alias, column, identifier
from datapilot_kernel.plan.scope import Context, Names, Rows


def rows(context: Context) -> Result:
    """Compile a plan that lists rows."""
    plan, layer = context.plan, context.layer
    assert plan.entity is not None
    if not plan.columns:
        raise PlanProblem("empty_list")
    listed = Rows(context, plan.entity, Names())
    cells: list[exp.Expr] = []
    for item in plan.columns:
        field = listed.field(item.field, item.via)
        if field is None:
            raise PlanProblem(
                "column_not_reachable", column=layer.dimension(item.field).label, entity=layer.entities[plan.entity].label
            )
        value = field.expression
        if field.is_time:
            value = context.forms.local(value, field.dimension.zoned)
        elif plan.distinct and field.dimension.type == "text":
            value = context.forms.exact(value)
        cells.append(alias(value, item.alias))
    where = default_conditions(listed) + plan_conditions(listed)
    if context.period is not None and (context.period.start or context.period.end):
        time = plan.time or time_of(context, plan.entity)
        if time is None:
            raise PlanProblem("time_missing", label=layer.entities[plan.entity].label)
        where += period_condition(listed, time, context.period)
    note_unfinished(context)
    select = listed.select(*cells)
    condition = all_of(where)
    if condition is not None:
        select.where(condition, copy=False)
    statement = Statement(taken={entity.table.rpartition(".")[2].lower() for entity in layer.entities.values()})
    finished = _ordered(context, listed, select, statement)
    return Result(statement.finish(finished), tuple(list_column(layer, item) for item in plan.columns))


def _ordered(context: Context, listed: Rows, select: exp.Select, statement: Statement) -> exp.Select:
    plan, forms = context.plan, context.forms
    names = [item.alias for item in plan.columns]
    ranked = plan.limit is not None and (plan.limit_per is not None or plan.ties)
    direct = not ranked and not (plan.distinct and forms.dialect == "mysql")
    origins = {cell.alias: cell.this for cell in select.expressions} if direct else {}
    asked = [
        term for order in plan.order for term in forms.ordered(column(order.by), order.descending, origins.get(order.by))
    ]
    ordered = {order.by for order in plan.order}
    if plan.distinct:
        select.set("distinct", exp.Distinct())
        rest = [term for name in names if name not in ordered for term in forms.ordered(column(name), False)]
    else:
        # The primary key settles what the order leaves open, so that the same question gives the same rows.
        keys = context.layer.entities[listed.entity].key
        rest = [exp.Ordered(this=column(key, listed.alias), nulls_first=forms.dialect == "mysql") for key in keys]
    if direct:
        select.set("order", exp.Order(expressions=asked + rest) if asked or rest else None)
        return select.limit(plan.limit, copy=False) if plan.limit else select
    if not plan.distinct:
        taken = set(names)
        hidden = [free("cle", taken) for _ in rest]
        keyed = [alias(term.this.copy(), name) for term, name in zip(rest, hidden, strict=True)]
        select.set("expressions", [*select.expressions, *keyed])
        rest = [term for name in hidden for term in forms.ordered(column(name), False)]
    name = statement.part("lignes", select)
    if not ranked:
        outer = from_part(name, *(column(each) for each in names))
        outer.set("order", exp.Order(expressions=asked + rest))
        return outer.limit(plan.limit, copy=False) if plan.limit else outer
    per = [column(plan.limit_per)] if plan.limit_per else []
    terms = asked or rest
    function = exp.Anonymous(this="RANK" if plan.ties else "ROW_NUMBER", expressions=[])
    rank = free("rang", {cell.alias_or_name for cell in select.expressions})
    window = exp.Window(
        this=function, partition_by=per, order=exp.Order(expressions=terms if plan.ties else asked + rest) if terms else None
    )
    inner = from_part(name, exp.Star(), alias(window, rank))
    inner.set("expressions", [column(each.alias_or_name) for each in select.expressions] + [alias(window, rank)])
    outer = from_part(statement.part("classement", inner), *(column(each) for each in names))
    outer.where(exp.LTE(this=exp.Column(this=identifier(rank)), expression=number(plan.limit or 0)), copy=False)
    first = [term for each in per for term in forms.ordered(each.copy(), False)]
    outer.set("order", exp.Order(expressions=[term.copy() for term in (*first, *asked, *rest)]))
    return outer
