"""Frames as queries: let in, in a line of their own, written down at their end. See :mod:`hub_config.queries.frames`."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import uuid4

from datapilot_kernel.engine.outcome import Answer
from datapilot_kernel.errors import Cancelled, DataPilotError, logged_fault
from datapilot_kernel.sources import CancelToken, Limits
from hub_config.errors import PlatformUnavailable
from hub_config.queries.engines import Engines, at_day, scope_of
from hub_config.queries.frames import FrameSource, encoder, pump, refused, streaming
from hub_config.queries.model import Asked, Ending
from hub_config.queries.pipe import Frame, Pipe
from hub_config.queries.record import Record, tables_of
from hub_config.queries.renderings import Format
from hub_config.queries.scheduler import Scheduler

if TYPE_CHECKING:
    from datapilot_kernel.sources import Dialect
    from hub_config.data_sources import DataSources
    from hub_config.operations.metrics import Metrics
    from hub_config.principal import Principal
    from hub_config.settings import Settings

log = logging.getLogger(__name__)

_MAX_BYTES = 8 * 1024**3


@dataclass
class _Flowing:
    """A frame that was let in."""

    id: str
    principal: Principal
    asked: Asked
    kind: Format
    pipe: Pipe
    cancelling: CancelToken
    began: float


class Frames:
    """Whole results on their way. Thread-safe."""

    def __init__(self, settings: Settings, sources: DataSources, engines: Engines, record: Record, metrics: Metrics) -> None:
        self._sources = sources
        self._engines = engines
        self._record = record
        self._metrics = metrics
        self._per_tenant = max(1, settings.parallel_frames // 2)
        self._limits = Limits(max_rows=settings.frame_max_rows, max_bytes=_MAX_BYTES, timeout_ms=settings.frame_timeout_ms)
        self.scheduler = Scheduler(
            parallel=settings.parallel_frames, queue_per_tenant=settings.queue_per_tenant, metrics=metrics
        )
        self._live: dict[str, _Flowing] = {}
        self._cut_off = False

    def begin(self, principal: Principal, asked: Asked, kind: Format, loop: asyncio.AbstractEventLoop) -> Frame:
        """Let a frame in; its pieces come through :attr:`Frame.pipe`, in ``loop``.

        Raises
        ------
        NotFound, TooMany, PlatformUnavailable
        """
        flowing = _Flowing(uuid4().hex, principal, asked, kind, Pipe(loop), CancelToken(), time.perf_counter())
        place = self.scheduler.reserve(principal.tenant_id, principal.user_id)
        try:
            self._record.let_in(principal, asked, flowing.id, kind="frame")
        except BaseException:
            place.release()
            raise
        self._live[flowing.id] = flowing

        def stop() -> None:
            flowing.cancelling.cancel()
            flowing.pipe.leave()
            place.hurry()

        place.submit(lambda: self._run(flowing), parallel=self._per_tenant)
        return Frame(flowing.pipe, stop)

    def forget(self, tenant_id: str, source_id: str | None = None) -> None:
        """Stop the frames of a source, or of a whole tenant."""
        for flowing in list(self._live.values()):
            if flowing.principal.tenant_id == tenant_id and source_id in (None, flowing.asked.source_id):
                flowing.cancelling.cancel()

    def leave(self, tenant_id: str, user_id: str) -> None:
        """Stop the frames of a person."""
        for flowing in list(self._live.values()):
            if (flowing.principal.tenant_id, flowing.principal.user_id) == (tenant_id, user_id):
                flowing.cancelling.cancel()

    def drain(self, grace_s: float) -> None:
        """Let what flows come to its end, then cancel what is left. Safe twice, and beside itself."""
        self.scheduler.begin_stopping()
        if not self.scheduler.drain(grace_s):
            self._cut_off = True
            for flowing in list(self._live.values()):
                flowing.cancelling.cancel()
                flowing.pipe.leave()
            self.scheduler.drain(10.0)

    def close(self) -> None:
        """Let the threads go."""
        self.scheduler.close()

    def _run(self, flowing: _Flowing) -> None:
        try:
            self._flow(flowing)
        except DataPilotError as error:
            self._failed(flowing, error)
        except Exception as error:  # noqa: BLE001 -- the thread's edge: whatever broke becomes an incident
            self._failed(flowing, logged_fault(error, f"frame {flowing.id}", log))
        finally:
            self._live.pop(flowing.id, None)

    def _flow(self, flowing: _Flowing) -> None:
        asked = flowing.asked
        if flowing.cancelling.cancelled:
            raise Cancelled
        with self._sources.open(flowing.principal, asked.source_id) as opened:
            ready = at_day(self._engines.get(scope_of(flowing.principal, opened), opened), asked.today)
            engine, source = streaming(ready, opened.source, self._limits)
            try:
                if asked.plan is not None:
                    outcome = engine.run_plan(asked.plan, cancel=flowing.cancelling)
                else:
                    outcome = engine.run_sql(asked.sql or "", cancel=flowing.cancelling)
                if not isinstance(outcome, Answer) or source.stream is None:
                    raise refused(outcome)
                made = encoder(flowing.kind, source.stream, outcome, engine)
                pumped = pump(source.stream, made, flowing.pipe.put)
                made.finish()
            except DataPilotError as error:
                raise _About(error, source, opened.source.dialect) from None
            finally:
                source.close()
        ending = Ending("done", "answer", engine=outcome.engine, trust=outcome.trust, row_count=pumped.row_count)
        self._end(flowing, ending, source.sql, opened.source.dialect, pumped.source_ms)
        self._metrics.queries.labels("frame", "answer", outcome.engine).inc()
        for piece in made.take():
            flowing.pipe.put(piece)
        flowing.pipe.end()

    def _failed(self, flowing: _Flowing, error: DataPilotError) -> None:
        sql, dialect = None, None
        if isinstance(error, _About):
            sql, dialect, error = error.source.sql, error.dialect, error.error
        cancelled = isinstance(error, Cancelled)
        ending = Ending(
            "cancelled" if cancelled else "failed",
            None if cancelled else "failure",
            reason=error.reason,
            incident=getattr(error, "incident", None),
        )
        try:
            self._end(flowing, ending, sql, dialect, _since(flowing.began) if sql is not None else 0.0)
        except DataPilotError as unwritten:
            error = unwritten
        if cancelled and self._cut_off:
            error = PlatformUnavailable(log="stopped while a frame was read")
        self._metrics.queries.labels("frame", "cancelled" if cancelled else "failure", "none").inc()
        flowing.pipe.end(error)

    def _end(self, flowing: _Flowing, ending: Ending, sql: str | None, dialect: Dialect | None, source_ms: float) -> None:
        ending = replace(ending, sql=sql, source_ms=source_ms, duration_ms=_since(flowing.began))
        if dialect is not None:
            ending.tables = tables_of(sql, dialect)
        self._record.end(flowing.principal, flowing.asked, flowing.id, ending, kind="frame")


class _About(DataPilotError):
    """What a frame's error is about, on its way to what is written down."""

    def __init__(self, error: DataPilotError, source: FrameSource, dialect: Dialect) -> None:
        super().__init__(error.key, log=error.log, **error.values)
        self.error, self.source, self.dialect = error, source, dialect


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
