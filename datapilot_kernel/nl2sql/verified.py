"""Approved questions: asked again, in the same words but for values and periods, their plan is the answer.

Two questions are *equal* when nothing but the stored values and the periods differ between them: every other word that
carries meaning is the same (small words, case, accents and plural do not count). The plan of the approved one is then taken
with the values and the period of the new one. Where a value or a period of the question is not found in its plan (the
approver meant something that the words do not say), only the very same question is equal to it.

The store is a protocol: the platform has one over its database, per tenant and source; this one is in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from weakref import WeakKeyDictionary

from datapilot_kernel.catalog.values import value_words
from datapilot_kernel.nl2sql.local import LocalEngine
from datapilot_kernel.nl2sql.local.cover import cover
from datapilot_kernel.nl2sql.local.grammar import grammar
from datapilot_kernel.nl2sql.local.numbers import merge_numbers
from datapilot_kernel.nl2sql.local.tokens import stem, tokenize
from datapilot_kernel.plan.filters import map_filters
from datapilot_kernel.plan.model import Filter, Period, Plan

_PUNCTUATION = frozenset("?!.,;:…()\"'«»“”")


@dataclass(frozen=True)
class Approved:
    """A question, and the plan that someone of the tenant approved for it."""

    question: str
    plan: Plan


class VerifiedQuestions(Protocol):
    """The approved questions of one tenant over one source."""

    def find(self, question: str, *, local: LocalEngine, today: date) -> Plan | None:
        """Return the plan of an equal approved question, with this question's values and period; None: there is none."""

    def examples(self, question: str, *, limit: int) -> Sequence[Approved]:
        """Return the approved questions nearest to this one, nearest first: examples for a model."""


@dataclass(frozen=True)
class Slot:
    """What was taken out of a question: a value (what it may be stored as, by dimension) or a period."""

    values: tuple[tuple[str, str], ...] = ()
    period: Period | None = None


@dataclass(frozen=True)
class Shape:
    """A question with its values and periods taken out."""

    key: tuple[str, ...]
    slots: tuple[Slot, ...]


def shape_of(question: str, *, local: LocalEngine, today: date) -> Shape | None:
    """Return a question's shape; None for a question too long to compare."""
    if len(question) > 1000:
        return None
    tokens = merge_numbers(tokenize(question, language=local.language), language=local.language)
    if len(tokens) > 120:
        return None
    key: list[str] = []
    slots: list[Slot] = []
    for item in cover(tokens, local.lexicon, grammar(local.language), today=today).items:
        values = tuple((o.ref, o.value) for o in item.options if o.kind == "value" and isinstance(o.value, str))
        if item.kind == "filler":
            continue
        if item.kind == "lex" and values and item.options[0].kind == "value":
            key.append("§value")
            slots.append(Slot(values=values))
        elif item.kind == "time" and item.time is not None and item.time.period is not None:
            key.append("§period")
            slots.append(Slot(period=item.time.period))
        else:
            key += [t.stem for t in tokens[item.start : item.end] if t.norm not in _PUNCTUATION]
    return Shape(tuple(key), tuple(slots))


def adapted(plan: Plan, before: Shape, after: Shape) -> Plan | None:
    """Return an approved plan with the values and periods of another question of the same shape.

    None when a slot that differs is not found in the plan: then the plan means more than the words say.
    """
    if before.key != after.key:
        return None
    for old, new in zip(before.slots, after.slots, strict=True):
        if old == new:
            continue
        changed = _period(plan, old, new) if old.period is not None else _value(plan, old, new)
        if changed is None:
            return None
        plan = changed
    return plan


def _period(plan: Plan, old: Slot, new: Slot) -> Plan | None:
    if new.period is None:
        return None
    if plan.period == old.period:
        return plan.model_copy(update={"period": new.period})
    if plan.comparison is not None and plan.comparison.period == old.period:
        return plan.model_copy(update={"comparison": plan.comparison.model_copy(update={"period": new.period})})
    return None


def _value(plan: Plan, old: Slot, new: Slot) -> Plan | None:
    by_ref: dict[str, set[str]] = {}
    for ref, value in new.values:
        by_ref.setdefault(ref, set()).add(value)
    found = False

    def change(one: Filter) -> Filter:
        nonlocal found
        there = [value for ref, value in old.values if ref == one.field and value in one.values]
        meant = by_ref.get(one.field, set())
        if not there or len(meant) != 1:
            return one
        found = True
        (stored,) = meant
        values = tuple(stored if value in there else value for value in one.values)
        return one.model_copy(update={"values": tuple(dict.fromkeys(values)), "typed": ()})

    changed = map_filters(plan, change)
    return changed if found else None


class ApprovedQuestions:
    """Approved questions in memory; the latest of two equal ones counts. Immutable, so shapes are kept per engine."""

    def __init__(self, approved: Iterable[Approved]) -> None:
        self.approved = tuple(approved)
        self._words = [frozenset(stem(w) for w in value_words(one.question)) for one in self.approved]
        self._shapes: WeakKeyDictionary[LocalEngine, tuple[date, list[Shape | None]]] = WeakKeyDictionary()

    def find(self, question: str, *, local: LocalEngine, today: date) -> Plan | None:
        """Return the plan of an equal approved question."""
        asked = shape_of(question, local=local, today=today)
        if asked is None or not asked.key:
            return None
        for one, shape in zip(reversed(self.approved), reversed(self._shaped(local, today)), strict=True):
            if shape is not None and shape.key == asked.key:
                plan = adapted(one.plan, shape, asked)
                if plan is not None:
                    return plan
        return None

    def examples(self, question: str, *, limit: int) -> Sequence[Approved]:
        """Return those that share most words with the question."""
        asked = {stem(w) for w in value_words(question)}
        scored = [
            (len(asked & words) / (len(asked | words) or 1), place)
            for place, words in enumerate(self._words)
            if asked & words
        ]
        return [self.approved[place] for _, place in sorted(scored, key=lambda item: (-item[0], item[1]))[:limit]]

    def _shaped(self, local: LocalEngine, today: date) -> list[Shape | None]:
        kept = self._shapes.get(local)
        if kept is None or kept[0] != today:
            kept = (today, [shape_of(one.question, local=local, today=today) for one in self.approved])
            self._shapes[local] = kept
        return kept[1]
