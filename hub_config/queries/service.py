"""QueryService: the one road from a person to the data of a source, with rights, quota, fairness, cache, cancel and audit.

The life of a query:

1. *let in* (one short transaction): the person reaches the source and the conversation, the quotas have room, the row is
   written. What fails here is an error of the request: 404, 429, 503.
   An answer that is in memory for these rights is written down with it, and is the end.
2. *in line*: its tenant's, without a thread (:mod:`scheduler`).
3. *run*, on a thread of the scheduler: the source is opened, the engine of the person's rights asked; the guard is in the
   engine, the cache behind it. Whatever the engine or the source says is an outcome.
4. *written down* (one transaction: history, audit, usage, conversation), and only then answered.

Cancelling is heard at every step: in line, while the model streams, while the source works; the token that the engine and
the source listen to is the query's own. :meth:`Running.cancel` is for whoever holds the query (a client that went away),
:meth:`QueryService.cancel` for whoever knows its id.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from datapilot_kernel.engine.outcome import Answer, Clarification, EngineName, Failure, Outcome, Refusal, Timings
from datapilot_kernel.errors import Cancelled, DataPilotError, SourceProblem, logged_fault
from datapilot_kernel.nl2sql.conversation import Conversation, Turn
from datapilot_kernel.sources import CancelToken
from hub_config.errors import NotFound, PlatformUnavailable
from hub_config.queries import cache, scheduler
from hub_config.queries.answered import Answers
from hub_config.queries.conversations import Conversations
from hub_config.queries.engines import Engines, at_day, fingerprint, scope_known, scope_of
from hub_config.queries.framing import Frames
from hub_config.queries.history import History
from hub_config.queries.layer_writing import LayerWriting
from hub_config.queries.model import Asked, Described, Ended, Ending
from hub_config.queries.models import ModelParts
from hub_config.queries.quotas import Quotas, spender
from hub_config.queries.record import AtOnce, LetIn, Record, tables_of
from hub_config.queries.results import Result, ResultStore
from hub_config.queries.trials import Trials
from hub_config.queries.verified import VerifiedStore

if TYPE_CHECKING:
    from datapilot_kernel.engine import Engine
    from hub_config.audit import Audit
    from hub_config.data_sources import DataSources, Opened
    from hub_config.data_sources.manager import Known
    from hub_config.database import Database
    from hub_config.operations.metrics import Metrics
    from hub_config.principal import Principal
    from hub_config.queries.pipe import Frame
    from hub_config.queries.renderings import Format
    from hub_config.settings import Settings

log = logging.getLogger(__name__)

Tell = Callable[[str, dict[str, Any]], None]
"""Told of an event (``step``, ``partial``) from the query's thread."""

_ENGINE_OF: dict[str, EngineName] = {"ask": "local", "plan": "plan", "sql": "sql"}
_LATE_EVERY_S, _SWEEP_EVERY_S = 5.0, 60.0
_COMPUTING_AT_ONCE = 2
_KNOWN_FOR_S = 1.0
"""So old may what was read of the source at letting in be when the query runs; one that waited longer reads it again."""


@dataclass
class Running:
    """A query that was let in and has not ended.

    Attributes
    ----------
    future
        Ends with :class:`Ended`, or raises: ``Cancelled``, ``PlatformUnavailable`` (it could not be written down),
        ``NotFound`` (the source went away meanwhile).
    """

    id: str
    principal: Principal
    asked: Asked
    cancelling: CancelToken = field(default_factory=CancelToken)
    future: Future[Ended] = field(default_factory=Future)
    _place: scheduler.Place | None = None

    def cancel(self) -> None:
        """Stop it, whatever it does. Safe from any thread, at any time, twice. Returns at once."""
        self.cancelling.cancel()
        if self._place is not None:
            self._place.hurry()

    @property
    def state(self) -> Literal["waiting", "running"]:
        """Whether it is in line or runs."""
        if self.future.done():
            return "running"
        return "running" if self._place is not None and self._place.state in ("running", "done") else "waiting"

    async def wait(self) -> Ended:
        """Wait for the end; whoever stops waiting (a client that went away) stops the query."""
        try:
            return await asyncio.shield(asyncio.wrap_future(self.future))
        except asyncio.CancelledError:
            self.cancel()
            raise


class QueryService:
    """The service. Safe to call from many threads; nothing but what is told otherwise waits for a source."""

    def __init__(self, settings: Settings, database: Database, sources: DataSources, audit: Audit, metrics: Metrics) -> None:
        self._settings = settings
        self._database = database
        self._sources = sources
        self._metrics = metrics
        self.quotas = Quotas(settings, database)
        self.verified = VerifiedStore(database)
        self.conversations = Conversations(database, audit)
        self.history = History(database, audit)
        self.cache = cache.ResultCache(
            max_bytes=settings.result_cache_bytes, ttl_s=settings.result_cache_seconds, metrics=metrics
        )
        self.results = ResultStore(
            settings.data_dir / "results",
            max_bytes=settings.result_store_bytes,
            keep_s=settings.result_keep_minutes * 60,
        )
        self._answers = Answers(self.cache, self.verified)
        self._models = ModelParts(settings, self.quotas, self.verified)
        self._flights = cache.Flights(threads=2 * settings.parallel_queries)
        self.engines = Engines(settings, self.cache, self._flights, most=settings.engines_kept, options=self._models.options)
        self.trials = Trials()
        self._gate = scheduler.Gate(slots=_COMPUTING_AT_ONCE)
        self.scheduler = scheduler.Scheduler(
            parallel=settings.parallel_queries, queue_per_tenant=settings.queue_per_tenant, metrics=metrics
        )
        self.record = Record(database, audit, self.quotas, sources.remembered)
        self.layer_writing = LayerWriting(sources, self.engines, self._models, self.record, audit, database)
        self.frames = Frames(settings, sources, self.engines, self.record, metrics)
        self._lock = threading.Lock()
        self._live: dict[str, Running] = {}
        self._stopped = threading.Event()
        self._stopping_at: float | None = None
        self._cut_off = False
        self._housekeeper: threading.Thread | None = None

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin housekeeping: old results, ends that are still to be written."""
        if self._housekeeper is None:
            self._housekeeper = threading.Thread(target=self._keep_house, name="datapilot-housekeeper", daemon=True)
            self._housekeeper.start()

    def begin_stopping(self) -> None:
        """Take no new queries; those in line and running go on."""
        if self._stopping_at is None:
            self._stopping_at = time.monotonic()
        self.scheduler.begin_stopping()
        self.frames.scheduler.begin_stopping()

    def drain(self, *, grace_s: float) -> None:
        """Let what runs finish until ``grace_s`` after the stopping began, then cancel it. Safe twice, and beside itself."""
        self.begin_stopping()
        until = (self._stopping_at or 0.0) + grace_s
        if not self.scheduler.drain(until - time.monotonic()):
            self._cut_off = True
            for running in self._all_live():
                running.cancel()
        self.frames.drain(until - time.monotonic())
        self.scheduler.drain(10.0)

    def stop(self, *, grace_s: float = 0.0) -> None:
        """Drain (:meth:`drain`), and give everything back. Safe twice."""
        self.drain(grace_s=grace_s)
        self.frames.close()
        self._stopped.set()
        if self._housekeeper is not None:
            self._housekeeper.join(5.0)
        self.record.write_late()
        self.scheduler.close()
        self._flights.close()
        self.results.close()
        self._models.close()

    def _keep_house(self) -> None:
        swept_at = 0.0
        # Loaded behind the start, not in front of the first result: making an Arrow array of rows asks for pandas.
        for name in ("pyarrow", "pandas"):
            import_module(name)
        while not self._stopped.wait(_LATE_EVERY_S if swept_at else 0.0):
            try:
                self.record.write_late()
                if not swept_at or time.monotonic() - swept_at > _SWEEP_EVERY_S:
                    swept_at = time.monotonic()
                    self.results.sweep()
            except Exception as error:  # noqa: BLE001 -- the thread's edge: the next round tries again
                log.warning("housekeeping failed: %s", type(error).__name__)

    def forget(self, tenant_id: str, source_id: str | None = None) -> None:
        """Stop and drop what is held of a source, or of a whole tenant: queries, engines, kept results."""
        for running in self._all_live():
            if running.principal.tenant_id == tenant_id and source_id in (None, running.asked.source_id):
                running.cancel()
        self.frames.forget(tenant_id, source_id)
        self.engines.forget(tenant_id, source_id)
        self.trials.forget(tenant_id, source_id)
        self.layer_writing.forget(tenant_id, source_id)
        self.cache.forget(tenant_id, source_id)
        self.verified.changed(tenant_id, source_id)
        if source_id is None:
            self.results.forget(tenant_id)

    def leave(self, tenant_id: str, user_id: str) -> None:
        """Stop what a person has under way: they are gone, or are no longer who they were when they asked."""
        for running in self._all_live():
            if (running.principal.tenant_id, running.principal.user_id) == (tenant_id, user_id):
                running.cancel()
        self.frames.leave(tenant_id, user_id)

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(
        self,
        principal: Principal,
        asked: Asked,
        *,
        reach: bool = True,
        tell: Tell | None = None,
        shape: Callable[[Ended], bytes] | None = None,
    ) -> Running:
        """Let a query in and put it into its tenant's line.

        Touches the platform's database: call it from a thread.

        Parameters
        ----------
        reach
            False: whoever calls has already decided that the person may ask this (a dashboard's tile). The rows and columns
            are the person's own in any case.
        tell
            Told of steps and parts, from the query's thread.
        shape
            Makes the answer's bytes, on the query's thread: a large result does not hold up an event loop.

        Raises
        ------
        NotFound
            The source or the conversation is not there for this person.
        TooMany
            The line is full, or a quota is used up.
        PlatformUnavailable
            The platform's database is away, or the service is stopping.
        """
        began = time.perf_counter()
        running = Running(uuid4().hex, principal, asked)
        telling = _told_of_sql(tell)
        place = self.scheduler.reserve(principal.tenant_id, principal.user_id)
        try:
            let_in = self.record.let_in(
                principal,
                asked,
                running.id,
                kind=asked.kind,
                reach=reach,
                at_once=lambda known, conversation: self._in_memory(running, known, conversation, telling, began),
            )
            if let_in.at_once is not None:
                running.future.set_result(self._answered(running, let_in, shape, began))
                place.release()
                return running
        except BaseException:
            place.release()
            raise
        read_at = time.monotonic()
        running._place, running.future = place, place.future
        with self._lock:
            self._live[running.id] = running
        began = time.perf_counter()
        place.submit(lambda: self._run(running, let_in, reach, tell, shape, began, read_at), parallel=let_in.parallel)
        if running.cancelling.cancelled:
            place.hurry()
        return running

    def _in_memory(
        self,
        running: Running,
        known: Known,
        conversation: Conversation | None,
        tell: Callable[[str], None] | None,
        began: float,
    ) -> AtOnce | None:
        """Return the answer of the same question to the same rights, if it is in memory; what it waits for is nothing."""
        principal, asked = running.principal, running.asked
        if asked.fresh or asked.conversation_id is not None or asked.trial is not None:
            return None
        scope = scope_known(principal, known)
        engine = self.engines.ready(scope) if scope is not None else None
        if scope is None or engine is None:
            return None
        statements = cache.Statements(scheduler.Turn(self._gate, principal.tenant_id), tell=tell)
        engine = at_day(engine, asked.today)
        found = self._answers.remembered(scope, asked, engine, conversation, statements)
        if found is None:
            return None
        rights = fingerprint(scope)
        answer = replace(found, id=running.id, timings_ms=Timings(total=_since(began)))
        ending = _ending(answer, statements, _since(began))
        ending.tables = tables_of(answer.sql, engine.source.dialect)
        kept = _result(answer, rights, engine, statements)
        return AtOnce((answer, kept), ending, _turn(conversation, (), asked, answer))

    def _answered(self, running: Running, let_in: LetIn, shape: Callable[[Ended], bytes] | None, began: float) -> Ended:
        assert let_in.at_once is not None
        answer, kept = let_in.at_once.answer
        kind = running.asked.kind
        self._metrics.queries.labels(kind, "answer", answer.engine).inc()
        self._metrics.query_seconds.labels(kind).observe(_since(began) / 1000)
        self.results.keep(running.principal.tenant_id, running.id, kept)
        ended = Ended(running.id, answer, let_in.conversation_id, True, kept.rights)
        return replace(ended, body=shape(ended)) if shape is not None else ended

    def run(self, principal: Principal, asked: Asked, *, reach: bool = True) -> Ended:
        """Ask and wait for the end, in the calling thread. See :meth:`ask`."""
        return self.ask(principal, asked, reach=reach).future.result()

    def cancel(self, principal: Principal, query_id: str) -> bool:
        """Stop a query by its id: one's own; an administrator any of the tenant. False: it had already ended.

        Raises
        ------
        NotFound
            There is none, or it is somebody else's.
        """
        running = self.live(principal, query_id)
        if running is None:
            self.history.read(principal, query_id, anyones=principal.is_administrator)
            return False
        running.cancel()
        return True

    def live(self, principal: Principal, query_id: str) -> Running | None:
        """Return a query that has not ended, if it is this person's to see; an administrator's are all of the tenant."""
        with self._lock:
            running = self._live.get(query_id)
        if running is None or running.principal.tenant_id != principal.tenant_id:
            return None
        mine = running.principal.user_id == principal.user_id
        return running if mine or principal.is_administrator else None

    def _all_live(self) -> list[Running]:
        with self._lock:
            return list(self._live.values())

    def describe(self, principal: Principal, source_id: str) -> Future[Described]:
        """Get the person's engine over a source ready, in the tenant's line, and say what it answers over.

        Asks nothing of anybody's data beyond the index of values; not counted as a query.

        Raises
        ------
        NotFound, TooMany, PlatformUnavailable
            Now, or from the future; there also SourceProblem.
        """
        parallel = self.record.reaches(principal, source_id)

        def work() -> Described:
            with self._sources.open(principal, source_id) as opened:
                engine = self.engines.get(scope_of(principal, opened), opened)
                return Described(
                    opened.name, opened.source.dialect, len(opened.catalog.tables), engine.layer, engine.today()
                )

        place = self.scheduler.reserve(principal.tenant_id, principal.user_id)
        return place.submit(work, parallel=parallel)

    # ── results ───────────────────────────────────────────────────────────────────────────────────────────────────

    def kept_result(self, principal: Principal, query_id: str) -> Result | Asked:
        """Return the kept result of one's own query; or, when it is gone, what has to be asked to have it again.

        A result that was made for other rights than the person has now (attributes, another layer in force) is not handed
        out: it is made again, with those of now. Relative periods stay those of the day of the query.

        Raises
        ------
        NotFound
            No such query of this person, or its source is no longer there for them.
        Conflict
            It has no result.
        """
        row, rights = self.history.with_rights(principal, query_id)
        found = self.results.get(principal.tenant_id, query_id)
        if found is not None and found.rights == rights:
            return found
        return self.history.to_ask_again(row)

    def keep_result(self, principal: Principal, query_id: str, ended: Ended) -> Result:
        """Keep the result of a re-run under the query that it is the result of, and return it."""
        found = self.results.get(principal.tenant_id, ended.query_id)
        if found is None:
            raise PlatformUnavailable(log="a result was gone before it was handed out")
        self.results.keep(principal.tenant_id, query_id, found)
        return found

    def frame(self, principal: Principal, query_id: str, kind: Format, loop: asyncio.AbstractEventLoop) -> Frame:
        """Begin to read the whole result of one's own query, beyond an answer's limit of rows, with the rights of now.

        Raises
        ------
        NotFound, Conflict, TooMany, PlatformUnavailable
        """
        row, _ = self.history.with_rights(principal, query_id)
        return self.frames.begin(principal, self.history.to_ask_again(row), kind, loop)

    # ── on the scheduler's threads ────────────────────────────────────────────────────────────────────────────────

    def _run(
        self,
        running: Running,
        let_in: LetIn,
        reach: bool,
        tell: Tell | None,
        shape: Callable[[Ended], bytes] | None,
        began: float,
        read_at: float,
    ) -> Ended:
        turn = scheduler.Turn(self._gate, running.principal.tenant_id)
        if time.monotonic() - read_at > _KNOWN_FOR_S:
            let_in = replace(let_in, known=None)
        try:
            with turn.computing():
                return self._ended(running, let_in, reach, tell, shape, began, turn)
        finally:
            with self._lock:
                self._live.pop(running.id, None)

    def _ended(
        self,
        running: Running,
        let_in: LetIn,
        reach: bool,
        tell: Tell | None,
        shape: Callable[[Ended], bytes] | None,
        began: float,
        turn: scheduler.Turn,
    ) -> Ended:
        principal, asked = running.principal, running.asked
        spender.set(principal.user_id)
        statements = cache.Statements(
            turn,
            fresh=asked.fresh,
            tell=_told_of_sql(tell),
        )
        before = let_in.conversation.turns if let_in.conversation is not None else ()
        outcome: Outcome
        kept: Result | None = None
        rights, dialect = "", None
        try:
            if running.cancelling.cancelled:
                raise Cancelled
            with ExitStack() as held:
                with statements.turn.away():
                    # A source that has to be connected, or looked at for the first time, takes its while.
                    opened = held.enter_context(self._opened(principal, asked.source_id, reach, let_in.known))
                    scope = scope_of(principal, opened)
                    rights, dialect = fingerprint(scope), opened.source.dialect
                    engine = self.engines.get(scope, opened)
                    if asked.trial is not None:
                        engine = self.trials.get(scope, engine, asked.trial)
                    engine = at_day(engine, asked.today)
                known = None
                if asked.trial is None:
                    known = self._answers.find(scope, asked, engine, let_in.conversation, statements)
                if known is not None:
                    outcome = replace(known, timings_ms=Timings(total=_since(began)))
                else:
                    with _told(statements):
                        outcome = _outcome(engine, running, let_in, tell, began)
                    if asked.trial is None:
                        self._answers.keep(scope, asked, engine, before, outcome, statements)
                    elif isinstance(outcome, Answer) and statements.sql is not None:
                        outcome = replace(outcome, sql=statements.sql)  # as the rights in force let it through
                if isinstance(outcome, Answer):
                    kept = _result(outcome, rights, engine, statements)
        except SourceProblem as problem:
            outcome = Failure(
                running.id, problem.message, (), _ENGINE_OF[asked.kind], Timings(total=_since(began)), None, problem.reason
            )
        except Cancelled as stopped:
            ending = Ending("cancelled", duration_ms=_since(began))
            if stopped.model is not None:  # stopped, and still paid for
                ending.model, ending.cost_microeuros = stopped.model.to_json(), stopped.model.cost_microeuros
            self._end(running, ending, statements, dialect)
            self._metrics.queries.labels(asked.kind, "cancelled", "none").inc()
            if self._cut_off:
                raise PlatformUnavailable(log="stopped while the query ran") from None
            raise
        except DataPilotError as error:
            incident = getattr(error, "incident", None)
            ending = Ending("failed", "failure", reason=error.reason, incident=incident, duration_ms=_since(began))
            self._end(running, ending, statements, dialect)
            raise
        except Exception as error:  # noqa: BLE001 -- the thread's edge: whatever broke becomes an incident
            fault = logged_fault(error, f"query {running.id}", log)
            ending = Ending("failed", "failure", reason=fault.reason, incident=fault.incident, duration_ms=_since(began))
            self._end(running, ending, statements, dialect)
            raise fault from None
        outcome = replace(outcome, id=running.id)
        ending = _ending(outcome, statements, _since(began))
        conversation_id = self._end(
            running, ending, statements, dialect, turn=_turn(let_in.conversation, before, asked, outcome)
        )
        self._metrics.queries.labels(asked.kind, ending.outcome, outcome.engine).inc()
        self._metrics.query_seconds.labels(asked.kind).observe(_since(began) / 1000)
        ended = Ended(running.id, outcome, conversation_id, statements.from_cache, rights)
        if kept is not None:
            self.results.keep(principal.tenant_id, running.id, kept)
        return replace(ended, body=shape(ended)) if shape is not None else ended

    @contextmanager
    def _opened(self, principal: Principal, source_id: str, reach: bool, known: Known | None) -> Iterator[Opened]:
        # A tile's source is the dashboard's affair; what of it is seen is still the person's.
        whom = principal if reach else replace(principal, role="administrator")
        with self._sources.open(whom, source_id, known=known) as opened:
            yield opened

    def _end(
        self,
        running: Running,
        ending: Ending,
        statements: cache.Statements,
        dialect: Any,
        *,
        turn: Turn | None = None,
    ) -> str | None:
        ending.sql = ending.sql or statements.sql
        ending.source_ms = statements.source_ms
        if dialect is not None:
            ending.tables = tables_of(ending.sql, dialect)
        return self.record.end(running.principal, running.asked, running.id, ending, kind=running.asked.kind, turn=turn)


def _told_of_sql(tell: Tell | None) -> Callable[[str], None] | None:
    return (lambda sql: tell("partial", {"sql": sql})) if tell is not None else None


@contextmanager
def _told(statements: cache.Statements) -> Iterator[None]:
    """Let the source in this thread know which query it works for."""
    token = cache.current.set(statements)
    try:
        yield
    finally:
        cache.current.reset(token)


def _result(answer: Answer, rights: str, engine: Engine, statements: cache.Statements) -> Result:
    read_at = statements.read_at if statements.read_at < math.inf else None
    return Result(answer.columns, answer.table, rights, engine.layer.currency, engine.layer.calendar, read_at)


def _outcome(engine: Engine, running: Running, let_in: LetIn, tell: Tell | None, began: float) -> Outcome:
    asked, cancel = running.asked, running.cancelling

    def progress(step: str) -> None:
        if tell is not None:
            tell("step", {"step": step, "elapsed_ms": round(_since(began), 1)})

    if asked.sql is not None:
        return engine.run_sql(asked.sql, cancel=cancel, progress=progress)
    if asked.plan is not None:
        return engine.run_plan(
            asked.plan, question=asked.question, conversation=let_in.conversation, cancel=cancel, progress=progress
        )
    return engine.ask(
        asked.question, engine=asked.engine, conversation=let_in.conversation, cancel=cancel, progress=progress
    )


def _turn(conversation: Conversation | None, before: tuple[Turn, ...], asked: Asked, outcome: Outcome) -> Turn | None:
    """Return the conversation's new turn; None when there is nothing to remember."""
    if conversation is None:
        return None
    if conversation.turns and (not before or conversation.turns[-1] is not before[-1]):
        return conversation.turns[-1]
    if isinstance(outcome, Clarification):
        return Turn(asked.question, asked_back=outcome.message)
    # A refusal belongs into a conversation that there is; it begins none.
    return Turn(asked.question) if asked.conversation_id is not None else None


def _ending(outcome: Outcome, statements: cache.Statements, duration_ms: float) -> Ending:
    steps = ("understand", "guard", "execute", "answer", "total")
    timings = {s: None if (v := getattr(outcome.timings_ms, s)) is None else round(v, 1) for s in steps}
    ending = Ending(
        "done",
        type(outcome).__name__.lower(),
        engine=outcome.engine,
        cache_hit=statements.from_cache,
        timings_ms=timings,
        duration_ms=duration_ms,
    )
    if outcome.model is not None:
        ending.model, ending.cost_microeuros = outcome.model.to_json(), outcome.model.cost_microeuros
    match outcome:
        case Answer():
            ending.trust, ending.sql, ending.row_count = outcome.trust, outcome.sql, len(outcome.table.rows)
            ending.plan = outcome.plan.model_dump(mode="json") if outcome.plan is not None else None
        case Refusal():
            ending.reason = outcome.reason
        case Failure():
            ending.reason, ending.incident = outcome.reason, outcome.incident
        case Clarification():
            pass
    return ending


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


__all__ = ["NotFound", "QueryService", "Running"]
