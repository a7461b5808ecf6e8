"""All that is made from a result, at once: the one call of the engine into this room."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datapilot_kernel.answers.chart import choose_chart
from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.answers.model import AnswerColumn, ReadingPart
from datapilot_kernel.answers.sentence import write_sentence
from datapilot_kernel.messages import current_language

if TYPE_CHECKING:
    from datapilot_kernel.plan.compiled import Compiled
    from datapilot_kernel.plan.model import Plan
    from datapilot_kernel.semantic.model import Layer
    from datapilot_kernel.sources.model import Dialect, ResultTable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Composed:
    """What people read of a result."""

    sentence: str
    reading: tuple[ReadingPart, ...]
    chart: dict[str, Any] | None


def formatter_for(layer: Layer | None) -> Formatter:
    """Return the formatter of a layer in the language in force."""
    if layer is None:
        return Formatter(language=current_language())
    return Formatter(language=current_language(), currency=layer.currency, calendar=layer.calendar)


def compose(
    table: ResultTable,
    columns: tuple[AnswerColumn, ...],
    *,
    plan: Plan | None,
    compiled: Compiled | None,
    layer: Layer | None,
    sql: str,
    dialect: Dialect,
) -> Composed:
    """Return sentence, reading and chart of a result.

    Parameters
    ----------
    plan, compiled
        None when SQL was run; the reading then comes from the tree of ``sql``, the statement that ran.
    """
    formatter = formatter_for(layer)
    if plan is not None:
        from datapilot_kernel.answers.reading import read_plan

        reading = read_plan(plan, layer, compiled, formatter)
    else:
        reading = _reading_of_sql(sql, layer, formatter, dialect)
    return Composed(
        sentence=write_sentence(plan, compiled, columns, table, layer, formatter),
        reading=reading,
        chart=choose_chart(columns, table, plan, layer, formatter),
    )


def _reading_of_sql(sql: str, layer: Layer | None, formatter: Formatter, dialect: Dialect) -> tuple[ReadingPart, ...]:
    import sqlglot
    from sqlglot.errors import SqlglotError

    from datapilot_kernel.answers.sql_reading import read_sql

    try:
        return read_sql(sqlglot.parse_one(sql, read=dialect), layer, formatter, dialect)
    except SqlglotError:
        # The statement ran; only its description is missing. Its text may hold values: it is not logged.
        log.warning("the reading of a statement that ran could not be made")
        return ()
