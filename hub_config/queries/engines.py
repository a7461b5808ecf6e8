"""Prepared engines, by rights: an engine (its guard, its index of values) belongs to one set of rights over one source.

The key is everything that an engine is made of: tenant, source and the revision of its connection, versions of catalog and
layer, the person's sorted attributes, and the language (the local engine reads one). Two people with the same attributes
share one; nobody else does. Bounded: the least used goes first. What an engine holds of a source it does not own: a source
whose connection changed is closed by its manager, and its engines are found no more.

The day is not part of the key: an engine at another day is the same one with another clock (:func:`at_day`).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from datapilot_kernel.engine import Engine
from datapilot_kernel.messages import Language, current_language
from datapilot_kernel.sources import Limits, OpenedSource
from hub_config.principal import Principal
from hub_config.queries.cache import CachedSource, Flights, ResultCache, Scope

if TYPE_CHECKING:
    from hub_config.data_sources import Opened
    from hub_config.data_sources.manager import Known
    from hub_config.settings import Settings


def scope_of(principal: Principal, opened: Opened) -> Scope:
    """Return for whom a result over this source holds."""
    return _scope(principal, opened.source_id, opened.revision, opened.catalog_version, opened.layer_version)


def scope_known(principal: Principal, known: Known) -> Scope | None:
    """Return the scope that :func:`scope_of` gives once the source is open; None: its catalog has to be read first."""
    if known.catalog is None:
        return None
    return _scope(principal, known.id, known.revision, known.catalog.version, known.layer_version)


def _scope(principal: Principal, source_id: str, revision: str, catalog_version: str, layer_version: str) -> Scope:
    return Scope(
        tenant_id=principal.tenant_id,
        source_id=source_id,
        catalog_version=f"{revision}/{catalog_version}",
        layer_version=layer_version,
        rights=rights_of(principal.attributes),
    )


def rights_of(attributes: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the rights that a person's attributes make: sorted, the order in which they were given does not count."""
    return tuple(sorted((str(k), str(v)) for k, v in attributes.items()))


def fingerprint(scope: Scope) -> str:
    """Return a short text that two scopes share only when they are equal in layer and rights.

    The catalog's version is left out: a column more changes nothing of what a person may see of the others.
    """
    parts = [scope.tenant_id, scope.source_id, scope.layer_version, *(list(pair) for pair in scope.rights)]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


@dataclass
class _Entry:
    source: OpenedSource
    lock: threading.Lock = field(default_factory=threading.Lock)
    engine: Engine | None = None


class Engines:
    """The prepared engines of this process. Thread-safe.

    Parameters
    ----------
    most
        Engines kept.
    options
        What else an engine of a scope is given: its approved questions, its model and budget. Told whether values may
        go to the model.
    """

    def __init__(
        self,
        settings: Settings,
        cache: ResultCache,
        flights: Flights,
        *,
        most: int,
        options: Callable[[Scope, bool], dict[str, Any]] | None = None,
    ) -> None:
        self._limits = Limits(max_rows=settings.result_max_rows, timeout_ms=settings.query_timeout_ms)
        self._cache = cache
        self._flights = flights
        self._most = most
        self._options = options or (lambda _scope, _values: {})
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[Scope, Language], _Entry] = OrderedDict()

    def get(self, scope: Scope, opened: Opened) -> Engine:
        """Return the engine for these rights, ready: prepared now by the first who asks; the others wait for it.

        Raises
        ------
        DataPilotError
            It cannot be prepared now; the next who asks tries again.
        """
        key = (scope, current_language())
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.source is not opened.source:
                entry = self._entries[key] = _Entry(opened.source)
            self._entries.move_to_end(key)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)
        with entry.lock:
            if entry.engine is None:
                engine = Engine(
                    CachedSource(opened.source, scope, self._cache, self._flights),
                    catalog=opened.catalog,
                    layer=opened.layer,
                    attributes=dict(scope.rights),
                    limits=self._limits,
                    **self._options(scope, opened.model_values),
                )
                allow_rows(engine, self._limits.max_rows)
                engine.prepare()
                entry.engine = engine
            return entry.engine

    def ready(self, scope: Scope) -> Engine | None:
        """Return the engine for these rights, if it is prepared; waits for nobody."""
        with self._lock:
            entry = self._entries.get((scope, current_language()))
        return entry.engine if entry is not None else None

    def forget(self, tenant_id: str, source_id: str | None = None) -> None:
        """Drop the engines of a source, or of a whole tenant."""
        with self._lock:
            gone = [k for k in self._entries if k[0].tenant_id == tenant_id and source_id in (None, k[0].source_id)]
            for key in gone:
                del self._entries[key]

    def __len__(self) -> int:
        return len(self._entries)


def allow_rows(engine: Engine, max_rows: int) -> None:
    """Let the engine's statements give one row more than the source reads: that there are more shows as « truncated »."""
    engine.use_policy(engine.guard.policy.model_copy(update={"max_rows": max_rows + 1}))


def at_day(engine: Engine, day: date | None) -> Engine:
    """Return the same prepared engine with its clock at ``day``; None: the engine itself.

    A copy that shares all that was prepared. It is for one question: should it notice that the source's tables changed, it
    alone introspects again.
    """
    if day is None:
        return engine
    twin = copy(engine)
    twin._fixed_today = day
    return twin
