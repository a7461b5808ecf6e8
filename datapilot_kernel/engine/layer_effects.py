"""What a proposal for a layer changes on real numbers: plans like any other, compiled, guarded, run with one's own rights.

The total of a measure before and after, the rows that a value or a filter concerns, the rows that a join finds a partner
for, the bounds of the fiscal year, the local engine's answer to a first question. What cannot be run, or concerns no row, is
unfit; what the source did not answer in time is proposed all the same, unmeasured.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, assert_never

from datapilot_kernel.answers import formatter_for
from datapilot_kernel.catalog.lexicon import words
from datapilot_kernel.engine.engine import Engine
from datapilot_kernel.engine.model_runner import WORTH_REPAIRING
from datapilot_kernel.engine.outcome import Answer, Clarification, Failure, Outcome, Refusal
from datapilot_kernel.engine.policy import visible_columns
from datapilot_kernel.engine.wire import wire_value
from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.claude.context import SourceContext
from datapilot_kernel.nl2sql.claude.layer_apply import Ground, Unfit, seen_catalog
from datapilot_kernel.nl2sql.claude.layer_items import (
    DefaultFilter,
    FirstQuestion,
    Naming,
    NewCalendar,
    NewDimension,
    NewJoin,
    NewMeasure,
    Proposal,
    ValueNames,
    Words,
)
from datapilot_kernel.nl2sql.claude.layer_writer import Effect, LayerWriter
from datapilot_kernel.nl2sql.claude.paying import PaidModel
from datapilot_kernel.plan.model import AllTime, CalendarPeriod, Filter, MeasureItem, Plan
from datapilot_kernel.plan.periods import resolve
from datapilot_kernel.semantic.model import Dimension, Layer
from datapilot_kernel.semantic.proofs import with_proved_keys

log = logging.getLogger(__name__)


def layer_ground(engine: Engine) -> Ground:
    """Return what proposals for this engine's layer are checked against, as this person sees it."""
    catalog = seen_catalog(engine.catalog, visible_columns(engine.guard.policy))
    return Ground(catalog, engine.local.values.values, lambda given, layer: with_proved_keys(engine.source, given, layer))


def layer_writer(engine: Engine, paid: PaidModel, ground: Ground, **options: Any) -> LayerWriter:
    """Return what has a model propose a layer over this engine's source, with this person's rights."""
    visible = visible_columns(engine.guard.policy)
    settings = paid.settings

    def context_of(layer: Layer) -> SourceContext:
        return SourceContext(
            layer, engine.catalog, visible, engine.local.values,
            openness=settings.openness, budget_tokens=settings.context_tokens,
        )  # fmt: skip

    return LayerWriter(paid, context_of, LayerEffects(engine), ground, dialect=engine.source.dialect, **options)


class LayerEffects:
    """Tries proposals on an engine's source; see :class:`nl2sql.claude.layer_writer.Effects`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked: tuple[Layer, Engine] | None = None

    def of(self, draft: Layer, layer: Layer, proposal: Proposal) -> Effect:
        """Return what a proposal changes; raises Unfit."""
        match proposal:
            case NewMeasure():
                return self._measure(draft, layer, proposal)
            case ValueNames(ref=ref, stored=stored):
                entity = ref.partition(".")[0]
                one = Filter(field=ref, values=(_typed(layer.dimension(ref), stored),))
                rows, of_rows = self._rows(layer, entity, (one,))
                if rows == 0:
                    raise Unfit(text("claude.layer_no_row", about=f"{ref} = {stored}"), said=None)
                return self._counted("claude.effect_value", layer, rows, of_rows)
            case DefaultFilter(entity=entity):
                return self._default_filter(layer, entity)
            case Naming(entity=entity):
                time = layer.entity(entity).time if proposal.time else layer.entity(entity).name_dimension
                return self._filled(layer, entity, f"{entity}.{time}", "claude.effect_filled")
            case NewDimension(entity=entity, name=name):
                return self._filled(layer, entity, f"{entity}.{name}", "claude.effect_filled")
            case NewJoin():
                return self._join(layer, proposal)
            case NewCalendar():
                return self._calendar(draft, layer)
            case FirstQuestion(text=asked):
                return self._question(layer, asked)
            case Words():
                return Effect("none", text("claude.effect_words"))
            case _:
                assert_never(proposal)

    # ── each kind ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _measure(self, draft: Layer, layer: Layer, proposal: NewMeasure) -> Effect:
        ref = f"{proposal.entity}.{proposal.name}"
        after = self._total(layer, ref)
        if after is None:
            return _unmeasured()
        old = _same_measure(draft, proposal)
        before = self._total(draft, old) if old is not None else None
        if before is None or old is None:
            return Effect("total", text("claude.effect_new_total", after=after[1]), None, after[0])
        key = "claude.effect_same_total" if before[0] == after[0] else "claude.effect_total"
        said = text(key, before=before[1], after=after[1], old=draft.measure(old).label)
        return Effect("total", said, before[0], after[0])

    def _total(self, layer: Layer, ref: str) -> tuple[Any, str] | None:
        """Return a measure over all time, as the wire has it and for a person; None: the source did not say."""
        plan = Plan(measures=(MeasureItem(alias="total", measure=ref),), period=AllTime())
        answer = self._run(layer, plan)
        if answer is None:
            return None
        value = answer.table.rows[0][0] if answer.table.rows else None
        return wire_value(value), formatter_for(layer).cell(value, answer.columns[0])

    def _default_filter(self, layer: Layer, entity: str) -> Effect:
        counted = (MeasureItem(alias="lignes", aggregate="count", entity=entity),)
        kept = self._cells(layer, Plan(measures=counted, period=AllTime()))
        every = self._cells(layer, Plan(measures=counted, period=AllTime(), ignored_defaults=(entity,)))
        if kept is None or every is None:
            return _unmeasured()
        if kept[0] == 0 and every[0]:
            raise Unfit(text("claude.layer_nothing_left", entity=entity), said=None)
        return self._counted("claude.effect_kept", layer, kept[0], every[0])

    def _filled(self, layer: Layer, entity: str, ref: str, key: str) -> Effect:
        rows, of_rows = self._rows(layer, entity, (Filter(field=ref, op="not_null"),))
        if rows == 0 and of_rows:
            raise Unfit(text("claude.layer_no_row", about=ref), said=None)
        return self._counted(key, layer, rows, of_rows)

    def _join(self, layer: Layer, proposal: NewJoin) -> Effect:
        ends = (proposal.from_entity, proposal.from_columns, proposal.to_entity, proposal.to_columns)
        name = next(
            name for name, j in layer.joins.items() if (j.from_entity, j.from_columns, j.to_entity, j.to_columns) == ends
        )
        there = layer.entity(proposal.to_entity)
        key = next((n for n, d in there.dimensions.items() if d.column in proposal.to_columns), None)
        if key is None:
            return _unmeasured()
        found = Filter(field=f"{proposal.to_entity}.{key}", op="not_null", via=(name,))
        rows, of_rows = self._rows(layer, proposal.from_entity, (found,))
        if rows == 0 and of_rows:
            raise Unfit(text("claude.layer_no_row", about=f"{proposal.from_entity} -> {proposal.to_entity}"), said=None)
        return self._counted("claude.effect_joined", layer, rows, of_rows)

    def _calendar(self, draft: Layer, layer: Layer) -> Effect:
        today = self._engine.today()
        year = CalendarPeriod(unit="fiscal_year", offset=0)
        old = resolve(year, today=today, calendar=draft.calendar)
        new = resolve(year, today=today, calendar=layer.calendar)
        before, after = f"[{old.start}, {old.end})", f"[{new.start}, {new.end})"
        return Effect("period", text("claude.effect_calendar", start=new.start, end=new.end), before, after)

    def _question(self, layer: Layer, asked: str) -> Effect:
        outcome = self._engine_over(layer.model_copy(update={"questions": ()})).ask(asked, engine="local")
        match outcome:
            case Answer(table=table) if table.rows:
                said = text("claude.effect_answer", sentence=outcome.sentence or "", rows=len(table.rows))
                return Effect("answer", said, rows=len(table.rows))
            case Answer():
                raise Unfit(text("claude.layer_empty_answer"), said=None)
            case Refusal(reason="unknown_word", missing=missing):
                raise Unfit(outcome.message, said=f"the local engine does not know: {missing}")
            case Refusal(reason=reason):
                raise Unfit(outcome.message, said=f"the local engine refuses it: {reason}")
            case Clarification():
                # Its readings may name stored values.
                raise Unfit(outcome.message, said="the local engine finds several readings: ask more precisely")
            case Failure():
                raise Unfit(outcome.message, said=None)
            case _:
                assert_never(outcome)

    # ── running ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _rows(self, layer: Layer, entity: str, filters: Sequence[Filter]) -> tuple[int | None, int | None]:
        """Return how many rows of an entity pass, and of how many; None: the source did not say."""
        plan = Plan(
            measures=(
                MeasureItem(alias="lignes", aggregate="count", entity=entity, filters=tuple(filters)),
                MeasureItem(alias="toutes", aggregate="count", entity=entity),
            ),
            period=AllTime(),
            ignored_defaults=(entity,),
        )
        cells = self._cells(layer, plan)
        return (None, None) if cells is None else (cells[0], cells[1])

    def _counted(self, key: str, layer: Layer, rows: int | None, of_rows: int | None) -> Effect:
        if rows is None or of_rows is None:
            return _unmeasured()
        return Effect("rows", text(key, rows=rows, of_rows=of_rows), rows=rows, of_rows=of_rows)

    def _cells(self, layer: Layer, plan: Plan) -> list[int] | None:
        answer = self._run(layer, plan)
        return None if answer is None else [int(cell or 0) for cell in answer.table.rows[0]]

    def _run(self, layer: Layer, plan: Plan) -> Answer | None:
        """Run a plan over a layer; None when the source did not answer. Raises Unfit when it cannot be run."""
        outcome: Outcome = self._engine.over(layer).run_plan(plan)
        match outcome:
            case Answer():
                return outcome
            case Failure(reason=reason) if reason not in WORTH_REPAIRING:
                log.info("an effect was not measured: %s", reason)
                return None
            case _:
                reason = getattr(outcome, "reason", None) or "failure"
                raise Unfit(outcome.message, said=f"it cannot be run: {reason}")

    def _engine_over(self, layer: Layer) -> Engine:
        """Return an engine for questions; the last one's is kept, for its value index is dear."""
        if self._asked is None or self._asked[0] != layer:
            self._asked = (layer, self._engine.over(layer))
        return self._asked[1]


def _unmeasured() -> Effect:
    return Effect("none", text("claude.effect_unmeasured"))


def _typed(dimension: Dimension, stored: str) -> str | bool | int | Decimal:
    """Return a stored value, written as text in a layer, as the column has it."""
    if dimension.type == "boolean":
        return stored.lower() in ("true", "1", "t")
    if dimension.type == "number":
        try:
            number = Decimal(stored)
        except InvalidOperation:
            raise Unfit(text("claude.layer_no_row", about=stored), said="a number is needed") from None
        return int(number) if number == number.to_integral_value() else number
    return stored


def _same_measure(draft: Layer, proposal: NewMeasure) -> str | None:
    """Return the draft's measure that a proposal stands in the place of: of that name, those words or that expression."""
    entity = draft.entities.get(proposal.entity)
    if entity is not None and proposal.name in entity.measures:
        return f"{proposal.entity}.{proposal.name}"
    for name, measure in entity.measures.items() if entity is not None else ():
        if measure.expression is not None and _flat(measure.expression) == _flat(proposal.expression):
            return f"{proposal.entity}.{name}"
    said = {words(phrase) for phrase in (proposal.label, *proposal.synonyms)}
    for name, other in draft.entities.items():
        for measure_name, measure in other.measures.items():
            if not measure.hidden and said & {words(phrase) for phrase in (measure.label, *measure.synonyms)}:
                return f"{name}.{measure_name}"
    return None


def _flat(sql: str | None) -> str:
    return "".join((sql or "").split()).lower()
