"""One question put to the model: the loop of request, tool, check, run, and what goes back when something is wrong.

Bounds. What does not validate (wrong arguments, no tool, a tool that does not exist, two at once) goes back once. What
cannot be run (the plan's compiler, the guard, the database) goes back twice. After that: an honest failure, never a
clarification in disguise. Every call reserves its worst cost first and is settled whatever happens.

How a plan or a statement is run is not known here: :class:`Runner` is given by the engine, which has guard and source.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Generic, Protocol, TypeVar, assert_never

from datapilot_kernel.errors import Cancelled
from datapilot_kernel.messages import current_language, text
from datapilot_kernel.nl2sql.claude.context import SourceContext
from datapilot_kernel.nl2sql.claude.cost import Budget, ModelUse, Step, Usage
from datapilot_kernel.nl2sql.claude.feedback import KnownNames, Rejected
from datapilot_kernel.nl2sql.claude.handover import Heard
from datapilot_kernel.nl2sql.claude.paying import PaidModel, followed
from datapilot_kernel.nl2sql.claude.prompt import system_parts, user_text
from datapilot_kernel.nl2sql.claude.said import invents, reads_nothing, shown, without_labels
from datapilot_kernel.nl2sql.claude.settings import ModelSettings
from datapilot_kernel.nl2sql.claude.spelling import Changes, settle_plan, settle_sql
from datapilot_kernel.nl2sql.claude.tools import (
    NAMES,
    AskBack,
    Given,
    GivePlan,
    GiveSql,
    Invalid,
    Refuse,
    definitions,
    validate,
)
from datapilot_kernel.nl2sql.claude.value_tokens import ValueTokens, stored_values
from datapilot_kernel.nl2sql.claude.wire import Model, ModelReply, ModelRequest, ToolCall
from datapilot_kernel.nl2sql.conversation import Conversation
from datapilot_kernel.nl2sql.understanding import Ambiguous, Choice, NotAnswerable, Understanding
from datapilot_kernel.nl2sql.verified import Approved
from datapilot_kernel.plan.compact import compact_plan
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.sources.model import CancelToken, Dialect

T = TypeVar("T")

SENT_BACK = 1
"""How often what does not validate goes back."""
REPAIRS = 2
"""How often what cannot be run goes back."""


class Runner(Protocol[T]):
    """Compiles, guards and runs what the model gave. Any other error than these is the question's outcome."""

    def check_plan(self, plan: Plan) -> None:
        """Compile a plan, without running it. Raises Rejected."""

    def run_plan(self, plan: Plan, notes: tuple[str, ...]) -> T:
        """Run a plan. Raises Rejected."""

    def run_sql(self, sql: str, notes: tuple[str, ...]) -> T:
        """Run a statement. Raises Rejected."""

    def is_empty(self, result: T) -> bool:
        """Tell whether a result has no row, or only a count of nothing."""


@dataclass(frozen=True)
class Ran(Generic[T]):
    """It ran. ``plan`` or ``sql`` is what ran."""

    result: T
    plan: Plan | None = None
    sql: str | None = None


@dataclass(frozen=True)
class GaveUp:
    """Nothing that could be run came of it; ``reason`` is ``gave_up``, ``no_plan`` or ``declined``."""

    reason: str
    message: str


Asked = Ran[T] | Ambiguous | NotAnswerable | GaveUp


@dataclass(frozen=True)
class Question:
    """A question with all that is known of it.

    Attributes
    ----------
    local
        What the local engine came to; None: it was not asked.
    """

    text: str
    today: date
    heard: Heard = field(default_factory=Heard)
    local: Understanding | None = None
    conversation: Conversation | None = None
    examples: Sequence[Approved] = ()


class ClaudeEngine:
    """Answers questions about one source with one person's rights, through a model. Safe to share between threads."""

    def __init__(
        self,
        model: Model,
        settings: ModelSettings,
        context: SourceContext,
        *,
        dialect: Dialect,
        budget: Budget | None = None,
        keep_requests: bool = False,
    ) -> None:
        self.model, self.settings, self.context, self.dialect = model, settings, context, dialect
        self.paid = PaidModel(model, settings, budget=budget, keep_requests=keep_requests)
        self._stored = stored_values(context.values)
        self.names = KnownNames(context.refs, context.visible, dialect, context.catalog.default_schema)

    def first_request(self, question: Question, tokens: ValueTokens | None = None) -> ModelRequest:
        """Return the request that a question makes: what would leave the machine."""
        tokens = tokens or self.tokens(question)
        heard = self._heard(question.heard)
        plans = [turn.plan for turn in list(question.conversation or ())[-3:] if turn.plan is not None]
        plans += [example.plan for example in question.examples]
        selection = self.context.select(question.text, heard, plans)
        said = user_text(
            question.text,
            today=question.today,
            calendar=self.context.layer.calendar,
            selection=selection,
            tokens=tokens,
            heard=heard,
            local=question.local,
            conversation=question.conversation,
            examples=question.examples,
        )
        return ModelRequest(
            self.settings.model,
            system_parts(self.dialect, current_language(), selection),
            definitions(),
            ({"role": "user", "content": said},),
            self.settings.max_output_tokens,
        )

    def tokens(self, question: Question) -> ValueTokens:
        """Return fresh value tokens, for one question."""
        typed = [turn.question for turn in question.conversation or ()] + [question.text]
        return ValueTokens(self.context.layer, self._stored, self.context.openness, typed)

    def _heard(self, heard: Heard) -> Heard:
        """Return what was heard without what does not exist for this person."""
        words = []
        for one in heard.words:
            names = tuple(named for named in one.names if named.ref in self.context.refs)
            if names or not one.names:
                words.append(replace(one, names=names))
        return replace(heard, words=tuple(words))

    def ask(self, question: Question, runner: Runner[T], *, use: ModelUse, cancel: CancelToken | None = None) -> Asked[T]:
        """Ask, run, repair.

        Parameters
        ----------
        use
            Filled as it goes, so that it is known whatever is raised.

        Raises
        ------
        ModelProblem, OverBudget
            The model could not be had, or may not be paid for.
        Cancelled
            The token was cancelled.
        """
        use.model = self.settings.model
        tokens = self.tokens(question)
        return _Asking(self, question, runner, use, tokens, cancel).whole(self.first_request(question, tokens))


class _Asking(Generic[T]):
    """The state of one question."""

    def __init__(
        self,
        engine: ClaudeEngine,
        question: Question,
        runner: Runner[T],
        use: ModelUse,
        tokens: ValueTokens,
        cancel: CancelToken | None,
    ) -> None:
        self.engine, self.question, self.runner = engine, question, runner
        self.use, self.tokens, self.cancel = use, tokens, cancel
        self.layer, self.values = engine.context.layer, engine.context.values
        self.left_s = engine.settings.whole_timeout_ms / 1000
        self.sent = ""

    def whole(self, request: ModelRequest) -> Asked[T]:
        self.sent = "\n".join([*(part for part, _ in request.system[1:]), *(str(m["content"]) for m in request.messages)])
        sent_back = repairs = 0
        while True:
            reply = self._send(request)
            if reply.stop_reason == "refusal":
                self._step(reply, None, None, "declined", "refusal")
                return GaveUp("declined", text("claude.declined"))
            given = self._given(reply, last=sent_back >= SENT_BACK)
            if isinstance(given, _Wrong):
                self._step(reply, given.tool, None, given.verdict, given.verdict)
                if sent_back >= SENT_BACK:
                    return GaveUp("no_plan", text("claude.no_plan"))
                sent_back += 1
                request = followed(request, reply, self.tokens.hidden_text(given.said))
                continue
            call, arguments = given
            try:
                done = self._done(arguments)
            except Rejected as rejected:
                self._step(reply, call.name, call.arguments, rejected.kind, rejected.reason)
                if repairs >= REPAIRS:
                    return GaveUp("gave_up", text("claude.gave_up"))
                repairs += 1
                self.use.repairs += 1
                sql = arguments.sql if isinstance(arguments, GiveSql) else None
                said = self.tokens.hidden_text(self.engine.names.feedback(rejected, sql))
                request = followed(request, reply, said)
                continue
            self._step(reply, call.name, call.arguments, _verdict(done), "")
            return done

    # ── the model ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _send(self, request: ModelRequest) -> ModelReply:
        """One call, its time taken from what is left."""
        began = time.monotonic()
        try:
            return self.engine.paid.send(request, use=self.use, within_s=self.left_s, cancel=self.cancel)
        finally:
            self.left_s -= time.monotonic() - began

    def _given(self, reply: ModelReply, *, last: bool) -> tuple[ToolCall, Given] | _Wrong:
        """Return the one tool that was called, its arguments checked; or what is wrong."""
        if not reply.calls:
            return _Wrong("no_tool", None, "You called no tool. Call exactly one of: " + ", ".join(NAMES) + ".")
        calls = reply.calls
        if len(calls) > 1 and not last:
            return _Wrong("several_tools", calls[0].name, "You called several tools. Call exactly one, the best.")
        # Told once already: the first that can be used counts.
        wrong: _Wrong | None = None
        for call in calls:
            checked = self._checked(call)
            if not isinstance(checked, _Wrong):
                return call, checked
            wrong = wrong or checked
        assert wrong is not None
        return wrong

    def _checked(self, call: ToolCall) -> Given | _Wrong:
        if call.name not in NAMES:
            return _Wrong("unknown_tool", call.name, "There is no such tool. Call exactly one of: " + ", ".join(NAMES) + ".")
        unknown = self.tokens.unknown(call.arguments)
        if unknown:
            return _Wrong(
                "invalid", call.name, f"{', '.join(unknown)} stands for no value here. Write what the person typed."
            )
        arguments = validate(call.name, call.arguments, self.tokens.restored)
        if isinstance(arguments, Invalid):
            return _Wrong("invalid", call.name, arguments.said)
        return arguments

    def _step(self, reply: ModelReply, tool: str | None, given: object, verdict: str, detail: str) -> None:
        usage = Usage()
        usage.add(reply.usage)
        self.use.steps.append(Step(tool, given, verdict, detail, usage, reply.first_token_ms, reply.total_ms))

    # ── what it gave ──────────────────────────────────────────────────────────────────────────────────────────────

    def _done(self, given: Given) -> Asked[T]:
        if self.cancel is not None and self.cancel.cancelled:
            raise Cancelled
        match given:
            case GivePlan():
                return self._run_plan(given)
            case GiveSql():
                return self._run_sql(given)
            case AskBack():
                return self._ask_back(given)
            case Refuse(reason=reason, missing=missing, message=message):
                return NotAnswerable(reason, self._told(missing), self._told(message) or text("claude.refused"))
            case _:
                assert_never(given)

    def _told(self, said: str, given: object = "") -> str:
        """Return words of the model for a person, tokens put back; none when they claim what it cannot know."""
        asked = f"{self.question.text}\n{given}"
        return "" if invents(said, self.sent, asked) else shown(self.tokens.restored(said))

    def _run_plan(self, given: GivePlan) -> Ran[T]:
        plan, changes = settle_plan(without_labels(given.plan), self.layer, self.values, loosely=False)
        note = self._told(given.note, compact_plan(plan))
        result = self.runner.run_plan(plan, _notes(note, Changes()))
        if self.runner.is_empty(result):
            again, loose = settle_plan(plan, self.layer, self.values, loosely=True)
            second = self._second(lambda: self.runner.run_plan(again, _notes(note, loose))) if loose.made else None
            if second is not None:
                return Ran(second, plan=again)
        del changes  # case and accents: nothing a person need be told
        return Ran(result, plan=plan)

    def _run_sql(self, given: GiveSql) -> Ran[T]:
        dialect = self.engine.dialect
        restored = self.tokens.restored_sql(given.sql, backslash_escapes=dialect == "mysql")
        sql, _ = settle_sql(restored, dialect, self.layer, self.values, loosely=False)
        note = self._told(given.note, given.sql)
        result = self.runner.run_sql(sql, _notes(note, Changes()))
        if reads_nothing(sql, dialect):
            raise Rejected("guard", "constants", "Figures come from the source: select from its tables, or refuse.")
        if self.runner.is_empty(result):
            again, loose = settle_sql(sql, dialect, self.layer, self.values, loosely=True)
            second = self._second(lambda: self.runner.run_sql(again, _notes(note, loose))) if loose.made else None
            if second is not None:
                return Ran(second, sql=again)
        return Ran(result, sql=sql)

    def _second(self, run: Callable[[], T]) -> T | None:
        """Return what the statement with the other spelling gives; None when that is nothing either, or does not run: the
        spelling is ours, so there is nothing to tell the model.
        """
        try:
            result = run()
        except Rejected:
            return None
        return None if self.runner.is_empty(result) else result

    def _ask_back(self, given: AskBack) -> Ambiguous:
        choices: list[Choice] = []
        first: Rejected | None = None
        for reading in given.readings:
            plan, _ = settle_plan(without_labels(reading.plan), self.layer, self.values, loosely=False)
            try:
                self.runner.check_plan(plan)
            except Rejected as rejected:
                first = first or rejected
                continue
            label = self._told(reading.label, compact_plan(plan))
            if not label or any(label.casefold() == known.label.casefold() for known in choices):
                first = first or Rejected(
                    "plan_problem", "same_labels", "Each label says what its plan alone does, no figure."
                )
                continue
            if all(plan != known.plan for known in choices):
                choices.append(Choice(label, plan))
        if len(choices) < 2:
            raise first or Rejected("plan_problem", "same_readings", "The readings are the same plan.")
        return Ambiguous(self._told(given.question) or text("claude.ask_without_readings"), tuple(choices))


@dataclass(frozen=True)
class _Wrong:
    """A reply that is no usable call: which verdict the log gets, and what the model is told."""

    verdict: str
    tool: str | None
    said: str


def _verdict(done: Asked[Any]) -> str:
    match done:
        case Ran():
            return "ran"
        case Ambiguous():
            return "asked"
        case NotAnswerable():
            return "refused"
        case _:
            return "gave_up"


def _notes(note: str, changes: Changes) -> tuple[str, ...]:
    return ((note.strip(),) if note.strip() else ()) + changes.notes
