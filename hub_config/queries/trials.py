"""A question over a layer that is being written, before it is kept: never with more rights than the layer in force gives.

A draft says its own rights (row filters, masked columns), and whoever writes one could leave out those in force. So a
trial's engine stands on the engine in force as on a source: what its own guard let through passes the guard in force too,
which puts the permitted rows and columns in every table's place once more. A draft can only narrow; nothing of two policies
is joined as text.

::

    question ─► engine over the draft ─► its guard (the draft's rights, the attributes tried)
                                          └─► guard in force (the person's rights) ─► cache ─► source

What comes out is exploratory. Approved questions and the model stay out: what is tried is the layer.

Rejected: ``Engine.over`` (the draft's own filters would have no effect: the very thing to be tried), and one policy with
both conditions in one text (a draft may be written in another dialect than the source's, where a quote ends elsewhere).
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from datapilot_kernel.engine import Engine
from datapilot_kernel.engine.engine import Explains
from datapilot_kernel.engine.model_runner import GuardSaidNo
from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.guard import Refusal
from datapilot_kernel.messages import Language, current_language
from datapilot_kernel.sources import CancelToken, Dialect, Limits, ResultTable
from hub_config.queries.cache import Scope
from hub_config.queries.engines import allow_rows
from hub_config.queries.model import Trial

MOST = 6
"""Drafts that are tried at a time in one process; an engine over one holds an index of values."""


class WithinRights:
    """The source of a trial: the engine in force, for statements. The protocol ``sources.model.Source``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def dialect(self) -> Dialect:
        """Which SQL it speaks."""
        return self._engine.source.dialect

    @property
    def name(self) -> str:
        """For people."""
        return self._engine.source.name

    @property
    def default_schema(self) -> str:
        """The schema of unqualified names."""
        return self._engine.source.default_schema

    def execute(self, sql: str, *, limits: Limits | None = None, cancel: CancelToken | None = None) -> ResultTable:
        """Run a statement, if the rights in force let it through, as they let it through.

        Raises
        ------
        GuardSaidNo
            They do not.
        """
        return self._engine.source.execute(self._permitted(sql), limits=limits, cancel=cancel)

    def explain(self, sql: str, *, cancel: CancelToken | None = None) -> Any:
        """Return the source's own plan of it."""
        source = self._engine.source
        if not isinstance(source, Explains):
            raise SourceProblem("engine.schema_changed", log="a source without EXPLAIN was asked for one")
        return source.explain(self._permitted(sql), cancel=cancel)

    def introspect_rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one of our own catalog queries."""
        return self._engine.source.introspect_rows(sql, parameters)

    def close(self) -> None:
        """Do nothing: the source is the tenant's."""

    def _permitted(self, sql: str) -> str:
        verdict = self._engine.guard.check(sql)
        if isinstance(verdict, Refusal):
            raise GuardSaidNo(verdict)
        return verdict.sql


class Trials:
    """The engines over drafts of this process. Thread-safe; the least used goes first."""

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Scope, Language, str], tuple[Engine, Engine]] = OrderedDict()

    def get(self, scope: Scope, in_force: Engine, trial: Trial) -> Engine:
        """Return the engine over a draft, ready, within the rights of ``in_force``.

        Parameters
        ----------
        scope
            Of ``in_force``.
        """
        key = (scope, current_language(), _digest(trial))
        with self._lock:
            found = self._kept.get(key)
            if found is not None and found[0] is in_force:
                self._kept.move_to_end(key)
                return found[1]
        engine = Engine(
            WithinRights(in_force),
            catalog=in_force.catalog,
            layer=trial.layer.model_copy(update={"status": "draft"}),
            attributes=dict(trial.attributes),
            limits=in_force.limits,
        )
        allow_rows(engine, in_force.limits.max_rows)
        engine.prepare()
        with self._lock:
            self._kept[key] = (in_force, engine)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return engine

    def forget(self, tenant_id: str, source_id: str | None = None) -> None:
        """Drop those of a source, or of a whole tenant."""
        with self._lock:
            for key in [k for k in self._kept if k[0].tenant_id == tenant_id and source_id in (None, k[0].source_id)]:
                del self._kept[key]


def _digest(trial: Trial) -> str:
    said = f"{trial.layer.model_dump_json()}{sorted(trial.attributes)!r}"
    return hashlib.sha256(said.encode()).hexdigest()
