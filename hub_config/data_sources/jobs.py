"""Work in the background: a catalog read again, files imported. Its progress is in the platform's database.

Few threads, fair between tenants: one job of a tenant runs at a time, and the tenants take turns. A job that was running
when the process died is marked ``failed`` (``interrupted``) at the next start; asking again is safe, every kind of job here
can be repeated. The platform's database may be away for a moment: what is told of a job's progress is then not told, and
its end is written as soon as it can be.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sqlalchemy import select, update

from datapilot_kernel.errors import Cancelled, DataPilotError, Fault, logged_fault
from datapilot_kernel.sources import CancelToken
from hub_config.database import Database, Job, utc_now
from hub_config.errors import PlatformUnavailable

log = logging.getLogger(__name__)

THREADS = 3
_TOLD_EVERY_S = 0.5
_AGAIN_AFTER_S = 2.0

Work = Callable[[Callable[[dict[str, Any]], None], CancelToken], None]
"""What a job does, given how to tell its progress and how it may be stopped."""


class Jobs:
    """Runs jobs. Thread-safe."""

    def __init__(self, database: Database, *, threads: int = THREADS) -> None:
        self._database = database
        self._threads = threads
        self._condition = threading.Condition()
        self._waiting: dict[str, deque[tuple[str, Work]]] = {}
        self._running: dict[str, tuple[str, CancelToken]] = {}
        self._turn: deque[str] = deque()
        self._workers: list[threading.Thread] = []
        self._unwritten: deque[tuple[str, str, dict[str, Any]]] = deque()
        self._stopped = False

    def start(self) -> None:
        """Start the threads."""
        for number in range(self._threads):
            worker = threading.Thread(target=self._work, name=f"job-{number}", daemon=True)
            worker.start()
            self._workers.append(worker)

    def stop(self) -> None:
        """Cancel what runs and end. Safe twice."""
        with self._condition:
            self._stopped = True
            running = list(self._running.values())
            self._condition.notify_all()
        for _, cancel in running:
            cancel.cancel()
        for worker in self._workers:
            worker.join(timeout=10)

    def fail_interrupted(self, tenant_id: str) -> None:
        """Mark what a dead process left unfinished. Called at start, before anything runs."""
        with self._database.tenant(tenant_id) as session:
            session.execute(
                update(Job)
                .where(Job.status.in_(("queued", "running")))
                .values(status="failed", problem_code="interrupted", updated_at=utc_now())
            )

    def submit(self, tenant_id: str, job_id: str, work: Work) -> None:
        """Queue the work of a job whose row is committed."""
        with self._condition:
            if tenant_id not in self._waiting:
                self._waiting[tenant_id] = deque()
                self._turn.append(tenant_id)
            self._waiting[tenant_id].append((job_id, work))
            self._condition.notify()

    def cancel(self, tenant_id: str, job_id: str | None = None) -> None:
        """Stop a job (all of the tenant: None), waiting or running."""
        with self._condition:
            queue = self._waiting.get(tenant_id, deque())
            dropped = [entry for entry in queue if job_id in (None, entry[0])]
            for entry in dropped:
                queue.remove(entry)
            running = self._running.get(tenant_id)
        if running is not None and job_id in (None, running[0]):
            running[1].cancel()
        for dropped_id, _ in dropped:
            self._end(tenant_id, dropped_id, "cancelled")

    def _work(self) -> None:
        while True:
            with self._condition:
                found = self._next()
                while found is None:
                    if self._stopped:
                        return
                    if not self._condition.wait(_AGAIN_AFTER_S if self._unwritten else None):
                        break
                    found = self._next()
                if found is not None:
                    tenant_id, job_id, work = found
                    cancel = CancelToken()
                    self._running[tenant_id] = (job_id, cancel)
            if found is not None:
                try:
                    self._run(tenant_id, job_id, work, cancel)
                finally:
                    with self._condition:
                        del self._running[tenant_id]
                        self._condition.notify_all()
            self._write_again()

    def _next(self) -> tuple[str, str, Work] | None:
        if self._stopped:
            return None
        for _ in range(len(self._turn)):
            tenant_id = self._turn.popleft()
            queue = self._waiting[tenant_id]
            if not queue and tenant_id not in self._running:
                del self._waiting[tenant_id]
                continue
            self._turn.append(tenant_id)
            if queue and tenant_id not in self._running:
                return tenant_id, *queue.popleft()
        return None

    def _run(self, tenant_id: str, job_id: str, work: Work, cancel: CancelToken) -> None:
        last = [0.0]

        def tell(progress: dict[str, Any]) -> None:
            if cancel.cancelled:
                raise Cancelled
            now = time.monotonic()
            if now - last[0] >= _TOLD_EVERY_S:
                last[0] = now
                note(progress=progress)

        def note(**values: Any) -> None:
            # Not worth a job's failing: an import of ten minutes outlives a database that is started again.
            with suppress(PlatformUnavailable):
                self._save(tenant_id, job_id, **values)

        try:
            note(status="running")
            work(tell, cancel)
            self._end(tenant_id, job_id, "done")
        except Cancelled:
            self._end(tenant_id, job_id, "cancelled")
        except Fault as fault:
            log.error("incident %s: %s", fault.incident, fault.log)
            self._end(tenant_id, job_id, "failed", problem_code="fault", incident=fault.incident)
        except DataPilotError as error:
            log.info("job failed: %s", error.log)
            self._end(tenant_id, job_id, "failed", problem_code=error.key)
        except Exception as error:  # noqa: BLE001 -- the thread's edge: whatever broke becomes an incident
            broken = logged_fault(error, "a job", log)
            self._end(tenant_id, job_id, "failed", problem_code="fault", incident=broken.incident)

    def _end(self, tenant_id: str, job_id: str, status: str, **values: Any) -> None:
        try:
            self._save(tenant_id, job_id, status=status, **values)
        except PlatformUnavailable as error:
            log.warning("a job's end is still to be written: %s", error.log)
            with self._condition:
                self._unwritten.append((tenant_id, job_id, {"status": status, **values}))
                self._condition.notify()
        except DataPilotError as error:
            # The next start finds the row unfinished and says so.
            log.warning("a job's end could not be written: %s", error.log)

    def _write_again(self) -> None:
        """Write the ends that could not be written before, until one cannot again."""
        while self._unwritten:
            with self._condition:
                if not self._unwritten:
                    return
                tenant_id, job_id, values = self._unwritten.popleft()
            try:
                self._save(tenant_id, job_id, **values)
            except PlatformUnavailable:
                with self._condition:
                    self._unwritten.appendleft((tenant_id, job_id, values))
                return
            except DataPilotError as error:
                log.warning("a job's end could not be written: %s", error.log)

    def _save(self, tenant_id: str, job_id: str, **values: Any) -> None:
        with self._database.tenant(tenant_id) as session:
            session.execute(update(Job).where(Job.id == job_id).values(updated_at=utc_now(), **values))

    def unfinished(self, tenant_id: str, kind: str, source_id: str) -> str | None:
        """Return the id of such a job that waits or runs; None: there is none."""
        with self._database.tenant(tenant_id, read_only=True) as session:
            return session.scalars(
                select(Job.id).where(
                    Job.kind == kind, Job.data_source_id == source_id, Job.status.in_(("queued", "running"))
                )
            ).first()
