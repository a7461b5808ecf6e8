"""The local engine: a question to a plan, in milliseconds, without a network.

The road: tokens, numbers, cover (with correction of spelling for what nothing explains), reading, building. Every
content word must be
explained; the builder decides between candidates, and where two readings are equally good the person is asked.

It would rather ask than be wrong. What it rejects on principle: dropping a word it does not know; taking an unknown
word for a
near measure; guessing between two measures of the same name.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from datetime import date
from typing import Any

from datapilot_kernel.catalog.values import ValueIndex
from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.conversation import Conversation
from datapilot_kernel.nl2sql.local.cover import Cover, cover
from datapilot_kernel.nl2sql.local.draft import Draft
from datapilot_kernel.nl2sql.local.followup import follow, is_follow_up, is_fragment, stands_alone
from datapilot_kernel.nl2sql.local.grammar import Grammar, grammar
from datapilot_kernel.nl2sql.local.idioms import settle
from datapilot_kernel.nl2sql.local.knowledge import Knowledge
from datapilot_kernel.nl2sql.local.lexicon import Lexicon
from datapilot_kernel.nl2sql.local.numbers import merge_numbers
from datapilot_kernel.nl2sql.local.reader import Reader
from datapilot_kernel.nl2sql.local.rewriting import rewrite
from datapilot_kernel.nl2sql.local.said_otherwise import say_plainly
from datapilot_kernel.nl2sql.local.shapes import Shaper
from datapilot_kernel.nl2sql.local.signals import Fork, Missing, NotSure, Pick
from datapilot_kernel.nl2sql.local.spelling import Speller
from datapilot_kernel.nl2sql.local.tokens import tokenize
from datapilot_kernel.nl2sql.understanding import (
    Ambiguous,
    Choice,
    NotAnswerable,
    RefusalReason,
    Understanding,
    Understood,
    Unsure,
)
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.semantic.model import Layer

_Build = Callable[[Pick], tuple[Plan, list[str]]]

MAX_CHARACTERS = 1000
MAX_TOKENS = 120
_SQL = re.compile(
    r"^\s*(?:select\b.+\bfrom\b|with\s+\w+\s+as\s*\(|insert\s+into\b|update\s+\w+\s+set\b|delete\s+from\b|drop\s+(?:table|database|schema|view)\b|alter\s+table\b|truncate\s+table\b|create\s+(?:table|view)\b|explain\s+select\b)",
    re.IGNORECASE | re.DOTALL,
)
_MAX_CHOICES = 4


class LocalEngine:
    """Understands questions over one layer, for one person's values.

    Parameters
    ----------
    values
        What the person may see; the engine never offers a value that is not in it or in the layer.
    language
        The language tried first; the other one is tried when words stay unexplained.
    """

    def __init__(self, layer: Layer, values: ValueIndex, *, language: str = "fr") -> None:
        self.layer, self.values, self.language = layer, values, language
        self.lexicon = Lexicon(layer, values)
        self.knowledge = Knowledge(layer, self.lexicon, values)
        self.speller = Speller(self.lexicon, values)

    def understand(self, question: str, *, today: date, conversation: Conversation | None = None) -> Understanding:
        """Understand one question.

        Parameters
        ----------
        today
            The day that relative words refer to (only « lundi dernier » and « depuis mars » need it before compilation).
        conversation
            The turns before; None: a question on its own.
        """
        stripped = question.strip()
        if not stripped:
            return _refuse("empty_question", "")
        if len(stripped) > MAX_CHARACTERS:
            return _refuse("question_too_long", "", limit=MAX_CHARACTERS)
        if _SQL.match(stripped):
            return _refuse("sql_instead_of_question", "")
        if not any(c.isalpha() for c in stripped):
            return _refuse("not_a_question", "")
        own, other = self.language, "en" if self.language == "fr" else "fr"
        own_words, other_words = _words_of(own, stripped), _words_of(other, stripped)
        if other_words > own_words + 1:
            own, other = other, own  # nothing but words of the other language: « which invoices are unpaid »
        first = self._in(own, stripped, today, conversation)
        if not isinstance(first, Unsure):
            return first
        second = self._in(other, stripped, today, conversation)
        if isinstance(second, Unsure):
            # Say what is not known in the language that knew more of it.
            return second if other_words > own_words and own == self.language else first
        return second

    def _in(self, language: str, question: str, today: date, conversation: Conversation | None) -> Understanding:
        words = grammar(language)
        tokens = merge_numbers(tokenize(question, language=language), language=language)
        tokens = say_plainly(rewrite(tokens, words), self.lexicon, language)
        if len(tokens) > MAX_TOKENS:
            return _refuse("question_too_long", "", limit=MAX_CHARACTERS)
        found = cover(tokens, self.lexicon, words, today=today)
        notes: list[str] = []
        if found.unknown:
            corrected = self.speller.correct(found, words)
            if corrected is not None:
                again = cover(corrected.tokens, self.lexicon, words, today=today)
                if len(again.unknown) < len(found.unknown):
                    found = again
                    notes += [text("nl2sql.note.corrected", typed=a, read=b) for a, b in corrected.changes]
        intent = _intent(found, words)
        if intent is not None:
            return intent
        settle(found, self.lexicon, words)
        if all(i.kind == "filler" for i in found.items):
            return _refuse("not_a_data_question", "")
        last = conversation.last_plan if conversation is not None else None
        understood = self._read(found, words, last, today, notes, question)
        if isinstance(understood, Unsure) and not found.unknown:
            second = self._cut_otherwise(found, understood, words, today)
            if second is not None:
                settle(second, self.lexicon, words)
                again_understood = self._read(second, words, last, today, notes, question)
                if not isinstance(again_understood, Unsure):
                    return again_understood
        return understood

    def _cut_otherwise(self, found: Cover, unsure: Unsure, words: Grammar, today: date) -> Cover | None:
        """Every word is known, and one has no place: perhaps it belongs to the phrase before (« nb | clients actifs »)."""
        for before, item in zip(found.items, found.items[1:], strict=False):
            if item.text in unsure.unexplained and before.kind == "lex" and before.end - before.start > 1:
                second = cover(found.tokens, self.lexicon, words, today=today, without=(before.start, before.end))
                return second if not second.unknown else None
        return None

    def _read(
        self, found: Cover, words: Grammar, last: Plan | None, today: date, notes: list[str], question: str
    ) -> Understanding:
        draft = Reader(found, self.lexicon, words).read()
        draft.unexplained = _joined(draft.unexplained, found)
        try:
            if last is not None and is_fragment(draft, last, found):
                try:
                    return self._of_the_same(draft, found, last, today, notes)
                except Missing:
                    pass  # what was narrowed there cannot be narrowed here: it stands on its own
            if last is not None and is_follow_up(draft, last):
                try:
                    if stands_alone(draft):
                        alone = self._settle(lambda pick: self._build(draft, found, pick, today), notes)
                        if isinstance(alone, Understood):
                            return alone
                except (NotSure, Missing):
                    pass
                try:
                    return self._settle(lambda pick: self._follow(draft, found, last, pick, today), notes)
                except NotSure:
                    # It may still stand on its own.
                    if not (draft.measures or draft.subjects) or draft.remove_filter or draft.pointing:
                        raise
                    if draft.again_first:
                        raise
            return self._settle(lambda pick: self._build(draft, found, pick, today), notes)
        except NotSure as unsure:
            missing = tuple(dict.fromkeys(w for w in unsure.words if w)) or (question,)
            return Unsure(
                missing, message=text("nl2sql.unexplained", count=len(missing), words=", ".join(f"« {w} »" for w in missing))
            )
        except Missing as missing_thing:
            return NotAnswerable(missing_thing.reason, missing_thing.missing, missing_thing.message)

    def _of_the_same(self, draft: Draft, found: Cover, last: Plan, today: date, notes: list[str]) -> Understanding:
        """« combien de commandes ? » after a question that was narrowed: of the same, and the notes say so."""
        kept = [*notes, text("nl2sql.note.of_the_same")]
        whole = {
            "dimensions": (),
            "order": (),
            "limit": None,
            "limit_per": None,
            "ties": False,
            "having": (),
            "rollup": None,
        }
        bare = last.model_copy(update=whole)
        total = self._settle(lambda pick: self._follow(draft, found, bare, pick, today), kept)
        if last.limit is not None or last.having or last.rollup is not None:
            # After a ranking nothing says that it goes on: of the same days and part, or of everything?
            alone = self._settle(lambda pick: self._build(draft, found, pick, today), notes)
            if not isinstance(total, Understood) or not isinstance(alone, Understood):
                return alone
            return Ambiguous(
                text("nl2sql.part_or_all", word=draft.measures[0].text),
                (Choice(text("nl2sql.of_that_part"), total.plan), Choice(text("nl2sql.of_everything"), alone.plan)),
            )
        if not last.dimensions or not isinstance(total, Understood):
            return total
        cut = self._settle(lambda pick: self._follow(draft, found, last, pick, today), kept)
        if not isinstance(cut, Understood):
            return cut
        return Ambiguous(
            text("nl2sql.cut_or_total", word=draft.measures[0].text),
            (Choice(text("nl2sql.cut_as_before"), cut.plan), Choice(text("nl2sql.in_total"), total.plan)),
        )

    def _build(self, draft: Draft, found: Cover, pick: Pick, today: date) -> tuple[Plan, list[str]]:
        shaper = Shaper(self.knowledge, copy.deepcopy(draft), pick)
        shaper.words = tuple(t.norm for t in found.tokens)
        plan = shaper.plan(today)
        return plan, shaper.notes

    def _follow(self, draft: Draft, found: Cover, last: Plan, pick: Pick, today: date) -> tuple[Plan, list[str]]:
        return follow(self.knowledge, copy.deepcopy(draft), last, pick, today, tuple(t.norm for t in found.tokens))

    def _settle(self, build: _Build, notes: list[str]) -> Understanding:
        """Build, and where the builder forks, build every reading."""
        try:
            plan, more = build(Pick())
            return Understood(plan, certainty=0.95 if notes or more else 1.0, notes=(*notes, *more))
        except Fork as fork:
            errors: list[Missing | NotSure] = []
            readings = self._readings(build, fork, Pick(), "", errors)
            distinct: list[tuple[str, Plan, list[str]]] = []
            for label, plan, more in readings:
                if not any(plan == known for _, known, _ in distinct):
                    distinct.append((label, plan, more))
            if not distinct:
                if errors:
                    raise errors[0] from None
                raise NotSure(*fork.labels) from None
            if len(distinct) == 1 and fork.slot in ("measure", "target"):
                # What was not said is not settled by what happens to be possible.
                raise NotSure(*(v for v in (distinct[0][0],) if v)) from None
            if len(distinct) == 1:
                return Understood(distinct[0][1], certainty=0.85, notes=(*notes, *distinct[0][2]))
            return Ambiguous(
                fork.message, tuple(Choice(_sentence(label), plan) for label, plan, _ in distinct[:_MAX_CHOICES])
            )

    def _readings(
        self, build: _Build, fork: Fork, pick: Pick, prefix: str, errors: list[Missing | NotSure]
    ) -> list[tuple[str, Plan, list[str]]]:
        readings = []
        for index, label in enumerate(fork.labels):
            shown = f"{prefix}, {label}" if prefix else label
            chosen = pick.plus(fork.slot, index)
            try:
                plan, more = build(chosen)
                readings.append((shown, plan, more))
            except Fork as deeper:
                if len(chosen.slots) < 4:
                    readings += self._readings(build, deeper, chosen, shown, errors)
            except (Missing, NotSure) as error:
                errors.append(error)
            if len(readings) >= _MAX_CHOICES * 2:
                break
        return readings


def _words_of(language: str, question: str) -> int:
    """Return how many words of a question are everyday words of this language, whatever they are in the other."""
    words = grammar(language)
    return sum(
        words.is_filler(t) or t.stem in words.known for t in tokenize(question, language=language) if t.kind == "word"
    )


def _joined(words: list[str], found: Cover) -> list[str]:
    """Name words that stand together as one: « chiffre d'affaires », not « chiffre » and « affaires »."""
    joined: list[str] = []
    last: int | None = None
    for item in found.unknown:
        between = [] if last is None else found.tokens[last : item.start]
        if joined and all(t.norm in ("d", "de", "du", "des", "la", "of") for t in between):
            joined[-1] = " ".join([joined[-1], *(t.text for t in between), item.text])
        else:
            joined.append(item.text)
        last = item.end
    alone = {i.text for i in found.unknown}
    return [*joined, *(w for w in words if w not in alone)] if words else words


def _sentence(label: str) -> str:
    return label[:1].upper() + label[1:]


def _refuse(reason: RefusalReason, missing: str, **values: Any) -> NotAnswerable:
    return NotAnswerable(reason, missing, text(f"nl2sql.{reason}", missing=missing, **values))


def _intent(found: Cover, words: Grammar) -> NotAnswerable | None:
    """Recognise a question that is not one about the data at hand: a wish to change it, a forecast, a why, small talk."""
    stems = [t.stem for t in found.tokens]
    inside = {p for i in found.items if i.kind in ("lex", "time") and i.end - i.start > 1 for p in range(i.start, i.end)}
    inside |= {i.start for i in found.items if i.kind == "lex"}
    begun = False
    lexical = any(i.kind == "lex" for i in found.items)
    for place, token in enumerate(found.tokens):
        for end, reasons in words.intents.at(stems, place):
            if all(p in inside for p in range(place, end)):
                continue
            phrase_text = " ".join(t.text for t in found.tokens[place:end])
            for reason in reasons:
                if reason == "write_request" and begun:
                    continue
                if reason == "not_a_data_question" and lexical and not found.unknown:
                    continue
                return _refuse(reason, phrase_text)  # type: ignore[arg-type]
        if not words.is_filler(token):
            begun = True
    return None
