"""The compiler: a plan over a layer, to one SELECT of one dialect. The same plan gives the same result on every engine.

What comes out of a time dimension, by grain (answers write it for people; ``CompiledColumn.grain`` says which):

=====================================================  ==================================================
``day``                                                DATE
``week``                                               DATE, the week's first day (Monday unless the calendar says Sunday)
``month``, ``quarter``, ``semester``, ``fiscal_quarter``  DATE, the first day
``year``                                               whole number, 2026
``fiscal_year``                                        whole number, the civil year that names it
``day_of_week``                                        1 (Monday) to 7
``hour_of_day``                                        0 to 23
``day_of_month``                                       1 to 31
``month_of_year``, ``quarter_of_year``                 1 to 12, 1 to 4
none                                                   a date as it is; a timestamp by its day
=====================================================  ==================================================

Groups whose value is NULL are kept. Bins come out as their label (text), in order. Without an order, groups come in the
order of the dimensions; what an order leaves open, the dimensions (a list: the primary key) settle. NULL comes last.

How it is done, module by module: ``validate`` (does the layer have it), ``leaves`` (measures taken apart), ``branches``
(each aggregated alone, so nothing fans out), ``comparing`` (the other period), ``assemble`` (put together), ``lists``;
``conditions``, ``scope``, ``paths`` for filters and joins; ``dialects`` for what the engines say differently.

Rejected: one statement that joins everything and divides the sums again (wrong as soon as two measures differ in grain),
and sqlglot's transpiler from one dialect to the others (it does not know collations, division, NULL order or time
zones).

Remaining risk: text that differs only in trailing blanks is one group in MySQL (see ``dialects``); MySQL 8 itself is not
among the servers this was tried on (MariaDB 10.11 is).
"""

from __future__ import annotations

from datetime import date

from datapilot_kernel.plan.assemble import aggregate
from datapilot_kernel.plan.compiled import Compiled
from datapilot_kernel.plan.dialects import Dialect, Forms
from datapilot_kernel.plan.lists import rows
from datapilot_kernel.plan.model import AllTime, Plan
from datapilot_kernel.plan.paths import JoinGraph
from datapilot_kernel.plan.periods import resolve
from datapilot_kernel.plan.scope import Context
from datapilot_kernel.plan.validate import validate_plan
from datapilot_kernel.semantic.model import Layer


def compile_plan(plan: Plan, layer: Layer, *, dialect: Dialect, today: date, server: str | None = None) -> Compiled:
    """Turn a plan into SQL.

    Parameters
    ----------
    dialect
        Of the source. ``mysql`` is MySQL 8 and MariaDB alike.
    today
        The day that every relative period counts from.
    server
        Name and version of the server, when known (``"10.11.6-MariaDB"``). What is written today runs on all of them.

    Raises
    ------
    PlanProblem
        The plan cannot be computed on this layer; ``reason`` says why, the message is for the person.
    AmbiguousPath
        Two ways are equally good (a ``PlanProblem`` that carries them).
    """
    del server
    validate_plan(plan, layer)
    period = None
    if plan.period is not None and not isinstance(plan.period, AllTime):
        period = resolve(plan.period, today=today, calendar=layer.calendar)
    context = Context(plan, layer, Forms(dialect, layer.calendar), today, JoinGraph.of(layer), period)
    result = rows(context) if plan.kind == "rows" else aggregate(context)
    sql = result.select.sql(dialect=dialect, pretty=True, comments=False)
    return Compiled(sql, result.columns, period, result.previous, tuple(context.notes))
