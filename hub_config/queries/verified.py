"""The approved questions of a tenant over a source, as the engine asks for them: read from the platform's database.

What is read is kept for a moment; whoever decides about one says so (:meth:`VerifiedStore.changed`), and it holds from the
next question on in this process, in others after that moment.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from pydantic import ValidationError
from sqlalchemy import select

from datapilot_kernel.nl2sql.verified import Approved, ApprovedQuestions
from datapilot_kernel.plan.model import Plan
from hub_config.database import Database, VerifiedQuestion

if TYPE_CHECKING:
    from datapilot_kernel.nl2sql.local import LocalEngine

log = logging.getLogger(__name__)

KEPT_S = 10.0
_MOST_SOURCES = 500


class VerifiedStore:
    """The approved questions of all tenants, by source. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[float, ApprovedQuestions]] = OrderedDict()

    def of(self, tenant_id: str, source_id: str) -> TenantVerified:
        """Return what an engine holds: it reads through to what is approved now."""
        return TenantVerified(self, tenant_id, source_id)

    def questions(self, tenant_id: str, source_id: str) -> ApprovedQuestions:
        """Return what is approved."""
        key = (tenant_id, source_id)
        with self._lock:
            found = self._kept.get(key)
        if found is not None and found[0] > time.monotonic():
            return found[1]
        approved = self._read(tenant_id, source_id)
        # The same questions: what was computed of them stays.
        same = found is not None and found[1].approved == approved
        questions = found[1] if found is not None and same else ApprovedQuestions(approved)
        with self._lock:
            self._kept[key] = (time.monotonic() + KEPT_S, questions)
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST_SOURCES:
                self._kept.popitem(last=False)
        return questions

    def remembered(self, tenant_id: str, source_id: str) -> ApprovedQuestions | None:
        """Return what is approved, if it was read a moment ago; None: :meth:`questions` reads it."""
        with self._lock:
            found = self._kept.get((tenant_id, source_id))
        return found[1] if found is not None and found[0] > time.monotonic() else None

    def changed(self, tenant_id: str, source_id: str | None = None) -> None:
        """Read anew at the next question: something was approved, rejected, edited or deleted."""
        with self._lock:
            for key in [k for k in self._kept if k[0] == tenant_id and source_id in (None, k[1])]:
                del self._kept[key]

    def _read(self, tenant_id: str, source_id: str) -> tuple[Approved, ...]:
        with self._database.tenant(tenant_id, read_only=True) as session:
            rows = session.execute(
                select(VerifiedQuestion.question, VerifiedQuestion.plan_json)
                .where(VerifiedQuestion.data_source_id == source_id, VerifiedQuestion.status == "approved")
                .order_by(VerifiedQuestion.decided_at, VerifiedQuestion.id)
            ).all()
        found = []
        for row in rows:
            try:
                found.append(Approved(row.question, Plan.model_validate(row.plan_json)))
            except ValidationError:
                # Of an earlier release, and no plan any more: the list of verified questions shows it as broken.
                continue
        return tuple(found)


class TenantVerified:
    """The protocol ``nl2sql.verified.VerifiedQuestions``, for one tenant and source."""

    def __init__(self, store: VerifiedStore, tenant_id: str, source_id: str) -> None:
        self._store, self._tenant_id, self._source_id = store, tenant_id, source_id

    def find(self, question: str, *, local: LocalEngine, today: date) -> Plan | None:
        """Return the plan of an equal approved question; None: there is none."""
        return self._store.questions(self._tenant_id, self._source_id).find(question, local=local, today=today)

    def examples(self, question: str, *, limit: int) -> Sequence[Approved]:
        """Return the approved questions nearest to this one."""
        return self._store.questions(self._tenant_id, self._source_id).examples(question, limit=limit)
