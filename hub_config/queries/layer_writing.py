"""What the language model proposes for a layer, written beside the page that asked for it, with one person's rights.

The work is :mod:`datapilot_kernel.nl2sql.claude.layer_writer`'s; here is who may (a model is configured, the person reaches
the source, one at a time for a tenant), who pays, what is recorded, and where it waits to be read: in this process's memory,
for the person who asked. Nothing is taken before they choose.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datapilot_kernel.errors import BadInput, LayerProblem, Refused
from datapilot_kernel.semantic import Layer, dump_layer, parse_layer
from datapilot_kernel.semantic.document import Path
from datapilot_kernel.semantic.editing import Value, edit_text
from datapilot_kernel.sources import CancelToken
from hub_config.data_sources.drafts import Attempt
from hub_config.errors import Conflict
from hub_config.queries.engines import scope_of
from hub_config.queries.quotas import spender

if TYPE_CHECKING:
    from datapilot_kernel.nl2sql.claude.layer_apply import Ground
    from datapilot_kernel.nl2sql.claude.layer_writer import Dropped, Written
    from hub_config.audit import Audit
    from hub_config.data_sources import DataSources
    from hub_config.database import Database
    from hub_config.principal import Principal
    from hub_config.queries.engines import Engines
    from hub_config.queries.models import ModelParts
    from hub_config.queries.record import Record

LONGEST_GLOSSARY = 60_000


@dataclass
class Writing:
    """One request to the model, and what came of it.

    Attributes
    ----------
    text, seen
        The layer's text that it was begun from, and its token.
    done, parts
        How far it has come.
    """

    tenant_id: str
    user_id: str
    source_id: str
    text: str
    seen: str
    cancel: CancelToken
    attempt: Attempt[tuple[Written, Ground]] | None = None
    done: int = 0
    parts: int = 0

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.attempt is not None and self.attempt.ended


class LayerWriting:
    """The requests of this process. Thread-safe; of one tenant one is under way at a time."""

    def __init__(
        self, sources: DataSources, engines: Engines, models: ModelParts, record: Record, audit: Audit, database: Database
    ) -> None:
        self._sources, self._engines, self._models = sources, engines, models
        self._record, self._audit, self._database = record, audit, database
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str, str], Writing] = {}

    @property
    def configured(self) -> bool:
        """Whether there is a model."""
        return self._models.configured

    def begin(self, principal: Principal, source_id: str, layer_text: str, glossary: str, *, seen: str) -> Writing:
        """Have the model read the company's vocabulary and propose.

        Raises
        ------
        NotFound
            The person does not reach the source.
        Refused
            There is no model.
        Conflict
            Somebody of the tenant already asked, and waits.
        """
        self._record.reaches(principal, source_id)
        if not self.configured:
            raise Refused("engine.claude_not_configured")
        if len(glossary) > LONGEST_GLOSSARY:
            raise BadInput("layer_pages.glossary_too_long", count=LONGEST_GLOSSARY)
        layer, _ = parse_layer(layer_text)
        if layer is None:
            raise BadInput("layer_pages.not_a_layer")
        made = Writing(principal.tenant_id, principal.user_id, source_id, layer_text, seen, CancelToken())
        with self._lock:
            if any(one.tenant_id == made.tenant_id and not one.ended for one in self._kept.values()):
                raise Conflict("layer_pages.model_busy")
            self._kept[(made.tenant_id, made.user_id, source_id)] = made
            made.attempt = Attempt(lambda: self._work(principal, made, layer, glossary))
        return made

    def of(self, principal: Principal, source_id: str) -> Writing | None:
        """Return the person's own, for this source."""
        with self._lock:
            return self._kept.get((principal.tenant_id, principal.user_id, source_id))

    def forget(self, tenant_id: str, source_id: str | None = None) -> None:
        """Stop and drop those of a source, or of a whole tenant."""
        with self._lock:
            gone = [key for key in self._kept if key[0] == tenant_id and source_id in (None, key[2])]
            writings = [self._kept.pop(key) for key in gone]
        for one in writings:
            one.cancel.cancel()

    def taken(self, writing: Writing, numbers: set[int]) -> tuple[str, list[Dropped], bool]:
        """Return the text with the chosen proposals; what stood on one that was not chosen; whether comments stayed."""
        from datapilot_kernel.nl2sql.claude.layer_writer import accept

        assert writing.attempt is not None
        assert writing.attempt.result is not None
        written, ground = writing.attempt.result
        chosen = [one for number, one in enumerate(written.proposed) if number in numbers]
        layer, dropped = accept(written.draft, chosen, ground)
        try:
            return edit_text(writing.text, between(written.draft, layer)), dropped, True
        except LayerProblem:
            return dump_layer(layer), dropped, False

    def _work(self, principal: Principal, made: Writing, layer: Layer, glossary: str) -> tuple[Written, Ground]:
        from datapilot_kernel.engine.layer_effects import layer_ground, layer_writer
        from datapilot_kernel.nl2sql.claude.paying import PaidModel

        spender.set(principal.user_id)

        def told(done: int, parts: int) -> None:
            made.done, made.parts = done, parts

        with self._sources.open(principal, made.source_id) as opened:
            scope = scope_of(principal, opened)
            options = self._models.options(scope, opened.model_values)
            engine = self._engines.get(scope, opened).over(layer)
            paid = PaidModel(options["transport"], options["model"], budget=options["budget"])
            ground = layer_ground(engine)
            written = layer_writer(engine, paid, ground, told=told).write(layer, glossary, cancel=made.cancel)
        with self._database.tenant(principal.tenant_id) as session:
            details = {"proposed": len(written.proposed), "dropped": len(written.dropped), "calls": written.use.calls}
            self._audit.record(
                session,
                principal,
                action="layer.model",
                object_type="data_source",
                object_id=made.source_id,
                details=details,
                data_source_id=made.source_id,
                cost_microeuros=written.use.cost_microeuros,
            )
        return written, ground


def between(before: Layer, after: Layer) -> dict[Path, Value | None]:
    """Return what changes one layer into the other, by path, as deep as it goes."""
    found: dict[Path, Value | None] = {}
    old = before.model_dump(mode="json", exclude_defaults=True)
    new = after.model_dump(mode="json", exclude_defaults=True)
    _compare(old, new, (), found)
    return found


def _compare(old: object, new: object, path: Path, found: dict[Path, Value | None]) -> None:
    if isinstance(old, dict) and isinstance(new, dict) and old and new:
        for key in old.keys() | new.keys():
            if key not in new:
                found[(*path, key)] = None
            elif key not in old:
                found[(*path, key)] = new[key]
            elif old[key] != new[key]:
                _compare(old[key], new[key], (*path, key), found)
        return
    found[path] = new  # type: ignore[assignment]


__all__ = ["LONGEST_GLOSSARY", "LayerWriting", "Writing", "between"]
