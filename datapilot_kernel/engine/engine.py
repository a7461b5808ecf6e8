"""One object: ``ask(question) -> outcome``. What the notebook, the API, the command line and the tests all call.

The life of a question: understand (an approved question, the local engine, Claude for what it could not place), compile,
guard, execute, answer. Every road to the data goes through :meth:`Engine._execute`: guard, then source. A question never
raises for something the person or their source did: it comes back as a refusal or a failure. Only a cancelled token raises.

The engine belongs to one person's rights over one source: its policy, value index and caches are never shared between
people whose rights differ.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, assert_never, runtime_checkable
from uuid import uuid4
from zoneinfo import ZoneInfo

from datapilot_kernel.catalog.model import Catalog
from datapilot_kernel.engine.model_runner import GuardSaidNo, ModelRunner
from datapilot_kernel.engine.outcome import (
    Answer,
    Clarification,
    EngineName,
    Failure,
    Outcome,
    Refusal,
    Timings,
    Trust,
)
from datapilot_kernel.engine.policy import build_policy, visible_columns
from datapilot_kernel.engine.values import collect_values
from datapilot_kernel.errors import BadInput, Cancelled, DataPilotError, Fault, Refused, SourceProblem, logged_fault
from datapilot_kernel.guard import Accepted, Guard, Policy, cost
from datapilot_kernel.guard import Refusal as GuardRefusal
from datapilot_kernel.messages import current_language, text
from datapilot_kernel.nl2sql.router import Routing
from datapilot_kernel.nl2sql.understanding import Ambiguous, NotAnswerable, Understanding, Understood, Unsure
from datapilot_kernel.plan.compiled import Compiled
from datapilot_kernel.plan.compiler import compile_plan
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.semantic.model import Layer
from datapilot_kernel.sources.model import CancelToken, Limits, ResultTable, Source

if TYPE_CHECKING:
    from datapilot_kernel.nl2sql.claude.asking import ClaudeEngine
    from datapilot_kernel.nl2sql.claude.cost import Budget, ModelUse
    from datapilot_kernel.nl2sql.claude.settings import ModelSettings
    from datapilot_kernel.nl2sql.claude.wire import Model
    from datapilot_kernel.nl2sql.conversation import Conversation
    from datapilot_kernel.nl2sql.local import LocalEngine
    from datapilot_kernel.nl2sql.verified import VerifiedQuestions

log = logging.getLogger(__name__)

Step = Literal["understand", "guard", "execute", "answer"]
Progress = Callable[[Step], None]
Choice = Literal["auto", "local", "claude"]


def today(timezone: str = "Europe/Paris") -> date:
    """Return the reference day: ``DATAPILOT_TODAY`` when set, else the day it is in ``timezone``.

    Raises
    ------
    BadInput
        ``DATAPILOT_TODAY`` is not an ISO date.
    """
    fixed = os.environ.get("DATAPILOT_TODAY")
    if fixed:
        try:
            return date.fromisoformat(fixed)
        except ValueError as error:
            raise BadInput("engine.bad_today", value=fixed) from error
    return datetime.now(ZoneInfo(timezone)).date()


class Engine:
    """Answers questions about one source with one person's rights.

    Parameters
    ----------
    source
        Open; the engine does not close it.
    catalog
        None: introspected at first use.
    layer
        None: drafted from the catalog, and every answer is then exploratory.
    attributes
        Of the person, for row filters.
    fixed_today
        None: the clock of each question.
    model
        The language model for what the local engine hands on; None: there is none, and outcomes say so.
    transport
        What carries its requests: share one between the engines of the same settings (it holds the connections), and close
        it yourself. None: the engine makes its own at first use; :meth:`close` closes that.
    budget
        Asked before each call of the model; None: no limit.
    verified
        Approved questions of this tenant and source; None: none.
    routing
        When to hand on.
    keep_requests
        Keep what is sent to the model in ``outcome.model.requests``, for a run log.
    """

    def __init__(
        self,
        source: Source,
        *,
        catalog: Catalog | None = None,
        layer: Layer | None = None,
        attributes: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        fixed_today: date | None = None,
        model: ModelSettings | None = None,
        transport: Model | None = None,
        budget: Budget | None = None,
        verified: VerifiedQuestions | None = None,
        routing: Routing | None = None,
        keep_requests: bool = False,
    ) -> None:
        self.source = source
        self.limits = limits or Limits()
        self._attributes = dict(attributes or {})
        self._fixed_today = fixed_today
        self._given_layer = layer
        self._lock = threading.RLock()
        self._catalog = catalog
        self._layer = layer
        self._given_policy: Policy | None = None
        self._guard: Guard | None = None
        self._local: LocalEngine | None = None
        self.model = model
        self.budget = budget
        self.verified = verified
        self.routing = routing or Routing()
        self._keep_requests = keep_requests
        self._given_transport = transport
        self._transport: Model | None = transport
        self._claude: ClaudeEngine | None = None

    # ── what the engine knows ─────────────────────────────────────────────────────────────────────────────────────

    @property
    def catalog(self) -> Catalog:
        """The source's catalog, introspected when first needed."""
        with self._lock:
            if self._catalog is None:
                from datapilot_kernel.catalog import introspect

                self._catalog = introspect(self.source)
            return self._catalog

    @property
    def layer(self) -> Layer:
        """The semantic layer: the one given, or an automatic draft."""
        with self._lock:
            if self._layer is None:
                from datapilot_kernel.semantic import draft_layer

                self._layer = draft_layer(self.catalog)
            return self._layer

    @property
    def guard(self) -> Guard:
        """The guard with this person's policy."""
        with self._lock:
            if self._guard is None:
                policy = self._given_policy or build_policy(
                    self.catalog, self.layer, attributes=self._attributes, max_rows=self.limits.max_rows
                )
                self._guard = Guard(policy, self.source.dialect)
            return self._guard

    @property
    def local(self) -> LocalEngine:
        """The local engine over the layer and this person's values."""
        with self._lock:
            if self._local is None:
                from datapilot_kernel.nl2sql.local import LocalEngine

                values = collect_values(self.catalog, self.layer, self._one_column)
                self._local = LocalEngine(self.layer, values, language=current_language())
            return self._local

    @property
    def claude(self) -> ClaudeEngine | None:
        """The model's engine over what this person may see; None without a configured model."""
        if self.model is None:
            return None
        with self._lock:
            if self._claude is None:
                from datapilot_kernel.nl2sql.claude.asking import ClaudeEngine
                from datapilot_kernel.nl2sql.claude.context import SourceContext

                context = SourceContext(
                    self.layer,
                    self.catalog,
                    visible_columns(self.guard.policy),
                    self.local.values,
                    openness=self.model.openness,
                    budget_tokens=self.model.context_tokens,
                )
                self._claude = ClaudeEngine(
                    self._model_transport(self.model),
                    self.model,
                    context,
                    dialect=self.source.dialect,
                    budget=self.budget,
                    keep_requests=self._keep_requests,
                )
            return self._claude

    def _model_transport(self, settings: ModelSettings) -> Model:
        if self._transport is None:
            from datapilot_kernel.nl2sql.claude.adapter import ClaudeModel

            self._transport = ClaudeModel(settings)
        return self._transport

    def use_policy(self, policy: Policy) -> None:
        """Replace the policy made from catalog and layer by one given whole (``datapilot sql --policy``)."""
        with self._lock:
            self._given_policy = policy
            self._guard = self._claude = None

    def over(self, layer: Layer) -> Engine:
        """Return an engine over the same source with the same rights and another layer, without a model.

        For trying out a layer that is being written: the rights stay those of this one, whatever the other layer says.
        """
        other = Engine(
            self.source,
            catalog=self.catalog,
            layer=layer,
            attributes=self._attributes,
            limits=self.limits,
            fixed_today=self._fixed_today,
        )
        other._given_policy, other._guard = self.guard.policy, self.guard
        return other

    def close(self) -> None:
        """Close the model's connections that this engine made itself. Not the source, nor a transport that was given."""
        with self._lock:
            own, self._transport, self._claude = self._transport, self._given_transport, None
        if own is not None and own is not self._given_transport:
            own.close()

    def prepare(self) -> None:
        """Do all first-use work now: catalog, layer, guard, value index."""
        _ = (self.catalog, self.layer, self.guard, self.local)
        if self.claude is not None:
            self.claude.model.warm()

    def refresh(self) -> bool:
        """Introspect again; return True when names, types or keys changed (everything built on them is then rebuilt)."""
        from datapilot_kernel.catalog import introspect

        with self._lock:
            before = self._catalog.version if self._catalog else None
            self._catalog = introspect(self.source)
            if self._catalog.version == before:
                return False
            self._guard = self._local = self._claude = None
            self._layer = self._given_layer
            return True

    def today(self) -> date:
        """The reference day of relative periods."""
        return self._fixed_today or today(self.layer.calendar.timezone)

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(
        self,
        question: str,
        *,
        engine: Choice = "auto",
        conversation: Conversation | None = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Answer a question; the conversation, when given, is used for follow-ups and continued.

        Parameters
        ----------
        engine
            ``auto``: an approved question, the local engine, Claude, in that order. The others force one; a forced Claude
            that cannot be had gives way to the local outcome, which says so.

        Raises
        ------
        Cancelled
            The token was cancelled.
        """
        run = _Run(question, cancel, progress)
        with run.catching() as caught:
            return self._routed(run, engine, conversation)
        return caught.outcome("local")

    def _routed(self, run: _Run, engine: Choice, conversation: Conversation | None) -> Outcome:
        if engine == "claude" and self.model is None:
            raise Refused("engine.claude_not_configured")
        if engine == "auto" and self.verified is not None:
            with run.timed("understand"):
                plan = self.verified.find(run.question, local=self.local, today=self.today())
            if plan is not None:
                return _continued(conversation, run.question, self._from_plan(run, plan, "verified", (), trust="verified"))
        with run.timed("understand"):
            understanding = self.local.understand(run.question, today=self.today(), conversation=conversation)
        if engine == "local" or (engine == "auto" and not self.routing.hands_on(understanding, conversation)):
            return _continued(conversation, run.question, self._from_understanding(run, understanding))
        if self.claude is None:
            outcome = _continued(conversation, run.question, self._from_understanding(run, understanding))
            if isinstance(outcome, Answer):
                return outcome
            return replace(outcome, notes=(*outcome.notes, text("claude.problem.not_configured")))
        return self._by_claude(run, self.claude, understanding, conversation)

    def _by_claude(
        self, run: _Run, claude: ClaudeEngine, understanding: Understanding, conversation: Conversation | None
    ) -> Outcome:
        from datapilot_kernel.nl2sql.claude.asking import GaveUp, Question, Ran
        from datapilot_kernel.nl2sql.claude.cost import ModelUse, OverBudget
        from datapilot_kernel.nl2sql.claude.handover import hear
        from datapilot_kernel.nl2sql.claude.wire import ModelProblem

        use = run.model = ModelUse()
        with run.timed("understand"):
            question = Question(
                run.question,
                self.today(),
                hear(self.local, run.question, today=self.today()),
                understanding,
                conversation,
                self.verified.examples(run.question, limit=6) if self.verified is not None else (),
            )
        runner = ModelRunner(
            self._compile,
            lambda plan, notes: self._from_plan(run, plan, "claude", notes),
            lambda sql, notes: self._from_sql(run, sql, "claude", notes),
        )
        try:
            asked = claude.ask(question, runner, use=use, cancel=run.cancel)
        except (ModelProblem, OverBudget) as problem:
            log.info("model not used in question %s: %s", run.id, problem.log)
            run.spent("understand", use.model_ms)
            outcome = _continued(conversation, run.question, self._from_understanding(run, understanding))
            return replace(outcome, notes=(*outcome.notes, problem.message), model=use)
        except Exception:
            run.spent("understand", use.model_ms)
            raise
        run.spent("understand", use.model_ms)
        match asked:
            case Ran(result=answer, sql=sql):
                answer = replace(answer, timings_ms=run.done(), model=use)
                return _continued(conversation, run.question, answer, sql=sql)
            case Ambiguous(message=message, choices=choices):
                if conversation is not None:
                    conversation.add(run.question, asked_back=message)
                return Clarification(run.id, message, (), "claude", run.done(), choices[:4], model=use)
            case NotAnswerable(reason=reason, missing=missing, message=message):
                return Refusal(run.id, message, (), "claude", run.done(), reason, missing, model=use)
            case GaveUp(reason=why, message=message):
                return Failure(run.id, message, (), "claude", run.done(), None, why, model=use)
            case _:
                assert_never(asked)

    def run_plan(
        self,
        plan: Plan,
        *,
        question: str = "",
        conversation: Conversation | None = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Run a plan as it is: a reading that was edited, a choice that was clicked, a dashboard's tile."""
        run = _Run(question, cancel, progress)
        with run.catching() as caught:
            outcome = self._from_plan(run, plan, "plan", ())
            if conversation is not None and isinstance(outcome, Answer):
                conversation.add(question, plan)
            return outcome
        return caught.outcome("plan")

    def run_sql(self, sql: str, *, cancel: CancelToken | None = None, progress: Progress | None = None) -> Outcome:
        """Run a statement that a person wrote, through the guard."""
        run = _Run("", cancel, progress)
        with run.catching() as caught:
            return self._from_sql(run, sql)
        return caught.outcome("sql")

    def _from_understanding(self, run: _Run, understanding: Understanding) -> Outcome:
        match understanding:
            case Understood(plan=plan, notes=notes):
                return self._from_plan(run, plan, "local", notes)
            case Ambiguous(message=message, choices=choices):
                return Clarification(run.id, message, (), "local", run.done(), choices[:4])
            case NotAnswerable(reason=reason, missing=missing, message=message):
                return Refusal(run.id, message, (), "local", run.done(), reason, missing)
            case Unsure(unexplained=words, suggestions=suggestions, message=message):
                if len(suggestions) >= 2:
                    message = message or text("engine.did_you_mean")
                    return Clarification(run.id, message, (), "local", run.done(), suggestions[:4])
                missing = ", ".join(words)
                message = message or text("engine.unknown_words", words=" ".join(f"« {word} »" for word in words))
                return Refusal(run.id, message, (), "local", run.done(), "unknown_word", missing)
            case _:
                assert_never(understanding)

    def _from_plan(
        self, run: _Run, plan: Plan, engine: EngineName, notes: tuple[str, ...], *, trust: Trust | None = None
    ) -> Answer:
        from datapilot_kernel.answers import answer_columns, compose

        with run.timed("understand"):
            compiled = self._compile(plan)
        accepted, table = self._execute(compiled.sql, run)
        with run.timed("answer"):
            columns = answer_columns(compiled, table, self.layer)
            composed = compose(
                table, columns, plan=plan, compiled=compiled, layer=self.layer, sql=accepted.sql, dialect=self.source.dialect
            )
        if trust is None or self.layer.status != "accepted":
            trust = "governed" if self.layer.status == "accepted" else "exploratory"
        every_note = notes + compiled.notes + self._draft_note()
        return Answer(
            run.id, composed.sentence, every_note, engine, run.done(), run.question, trust, composed.sentence,
            composed.reading, plan, accepted.sql, columns, table, composed.chart, compiled,
        )  # fmt: skip

    def _from_sql(self, run: _Run, sql: str, engine: EngineName = "sql", notes: tuple[str, ...] = ()) -> Answer:
        from datapilot_kernel.answers import answer_columns, compose

        accepted, table = self._execute(sql, run)
        with run.timed("answer"):
            columns = answer_columns(None, table)
            composed = compose(
                table, columns, plan=None, compiled=None, layer=self._layer, sql=accepted.sql, dialect=self.source.dialect
            )
        return Answer(
            run.id, composed.sentence, notes, engine, run.done(), run.question, "exploratory", composed.sentence,
            composed.reading, None, accepted.sql, columns, table, composed.chart, None,
        )  # fmt: skip

    def _draft_note(self) -> tuple[str, ...]:
        return () if self.layer.status == "accepted" else (text("engine.over_a_draft"),)

    # ── the one road to the data ──────────────────────────────────────────────────────────────────────────────────

    def _compile(self, plan: Plan) -> Compiled:
        return compile_plan(plan, self.layer, dialect=self.source.dialect, today=self.today())

    def _execute(self, sql: str, run: _Run) -> tuple[Accepted, ResultTable]:
        """Guard, then source; once more over a fresh catalog when the source's tables are no longer as introspected."""
        try:
            return self._execute_once(sql, run)
        except SourceProblem as problem:
            if problem.reason not in _SCHEMA_REASONS or not self.refresh():
                raise
            log.info("catalog changed under a statement; refreshed: %s", self._catalog and self._catalog.version)
            try:
                return self._execute_once(sql, run)
            except SourceProblem as again:
                if again.reason in _SCHEMA_REASONS:
                    raise SourceProblem("engine.schema_changed") from again
                raise

    def _execute_once(self, sql: str, run: _Run) -> tuple[Accepted, ResultTable]:
        with run.timed("guard"):
            verdict = self.guard.check(sql)
        if isinstance(verdict, GuardRefusal):
            raise GuardSaidNo(verdict)
        with run.timed("guard"):
            too_much = self._too_expensive(verdict, run.cancel)
        if too_much is not None:
            raise GuardSaidNo(too_much)
        with run.timed("execute"):
            table = self.source.execute(verdict.sql, limits=self.limits, cancel=run.cancel)
        return verdict, table

    def _too_expensive(self, verdict: Accepted, cancel: CancelToken | None) -> GuardRefusal | None:
        """Ask the source for its estimate where the sizes alone do not show that the work is small; judge it.

        A source that gives no estimate in time is not kept from answering: its own limits stand behind this one.
        """
        if not isinstance(self.source, Explains) or not _worth_asking(verdict.tables, self._sizes()):
            return None
        read = {"postgres": cost.from_postgres, "mysql": cost.from_mysql, "duckdb": cost.from_duckdb}[self.source.dialect]
        try:
            plan = self.source.explain(verdict.sql, cancel=cancel)
        except SourceProblem as problem:
            if problem.reason in _SCHEMA_REASONS:
                raise
            return None
        return cost.judge(read(plan))

    def _sizes(self) -> dict[str, int | None]:
        return {table.key: table.row_estimate for table in self.catalog.tables} if self._catalog else {}

    def _one_column(self, plan: Plan, max_rows: int) -> list[object]:
        verdict = self.guard.check(self._compile(plan).sql)
        if isinstance(verdict, GuardRefusal):
            raise GuardSaidNo(verdict)
        limits = Limits(max_rows=max_rows, timeout_ms=3_000)
        return [row[0] for row in self.source.execute(verdict.sql, limits=limits).rows]


def _continued(conversation: Conversation | None, question: str, outcome: Outcome, *, sql: str | None = None) -> Outcome:
    """Remember in the conversation what a question came to."""
    if conversation is not None and isinstance(outcome, Answer) and (outcome.plan is not None or sql is not None):
        conversation.add(question, outcome.plan, sql=sql)
    return outcome


_SMALL_ROWS = 5_000
"""A statement over tables of no more rows than this is not worth asking about: the guard's own limits see its joins."""


@runtime_checkable
class Explains(Protocol):
    """A source that can say what a statement would cost."""

    def explain(self, sql: str, *, cancel: CancelToken | None = None) -> Any:
        """Return EXPLAIN's JSON, parsed."""


def _worth_asking(tables: tuple[str, ...], sizes: Mapping[str, int | None]) -> bool:
    """Tell whether the sizes of the tables leave open that the work is large; an unknown size does.

    >>> _worth_asking(("main.a", "main.b"), {"main.a": 1000, "main.b": 1000})
    False
    >>> _worth_asking(("main.a",), {"main.a": None})
    True
    """
    rows = [sizes.get(table) for table in tables]
    return any(known is None or known > _SMALL_ROWS for known in rows)


_SCHEMA_REASONS = frozenset({"undefined_table", "undefined_column", "schema_changed"})


class _Caught:
    """What :meth:`_Run.catching` caught, as an outcome."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self.error: Exception | None = None

    def outcome(self, engine: EngineName) -> Outcome:
        """Return the outcome of the error; what a model cost by then is on it."""
        if self._run.model is not None:
            return replace(self._outcome("claude"), model=self._run.model)
        return self._outcome(engine)

    def _outcome(self, engine: EngineName) -> Outcome:
        run, error = self._run, self.error
        match error:
            case GuardSaidNo(verdict=verdict):
                return Refusal(run.id, verdict.message, (), engine, run.done(), verdict.reason, "")
            case SourceProblem():
                return Failure(run.id, error.message, (), engine, run.done(), None, error.reason)
            case Refused() | BadInput():
                missing = str(error.values.get("missing", ""))
                return Refusal(run.id, error.message, (), engine, run.done(), error.reason, missing)
            case Fault():
                return Failure(run.id, error.message, (), engine, run.done(), error.incident)
            case _:
                assert error is not None, "asked for an outcome when nothing was caught"
                fault = logged_fault(error, f"question {run.id}", log)
                return Failure(run.id, fault.message, (), engine, run.done(), fault.incident)


class _Run:
    """One question on its way: its id, its clock, its cancel token, where it tells its progress."""

    def __init__(self, question: str, cancel: CancelToken | None, progress: Progress | None) -> None:
        self.id = uuid4().hex
        self.question = question
        self.cancel = cancel
        self._progress = progress
        self.model: ModelUse | None = None
        self._started = time.perf_counter()
        self._spent: dict[Step, float] = {}

    def spent(self, step: Step, milliseconds: float) -> None:
        """Add time that was spent outside :meth:`timed`."""
        self._spent[step] = self._spent.get(step, 0.0) + milliseconds

    @contextmanager
    def timed(self, step: Step) -> Iterator[None]:
        """Tell the progress, refuse to go on when cancelled, and add up the time of ``step``."""
        if self.cancel is not None and self.cancel.cancelled:
            raise Cancelled
        if self._progress is not None and step not in self._spent:
            self._progress(step)
        started = time.perf_counter()
        try:
            yield
        finally:
            self._spent[step] = self._spent.get(step, 0.0) + (time.perf_counter() - started) * 1000

    @contextmanager
    def catching(self) -> Iterator[_Caught]:
        """Turn what is raised inside into :class:`_Caught`; a cancelled token goes through."""
        caught = _Caught(self)
        try:
            yield caught
        except Cancelled as stopped:
            stopped.model = self.model
            raise
        except DataPilotError as error:
            caught.error = error
        except Exception as error:  # noqa: BLE001 -- the edge: whatever broke becomes a failure with an incident id
            caught.error = error

    def done(self) -> Timings:
        """Return the timings so far, with the total."""
        total = (time.perf_counter() - self._started) * 1000
        return Timings(
            self._spent.get("understand"),
            self._spent.get("guard"),
            self._spent.get("execute"),
            self._spent.get("answer"),
            total,
        )
