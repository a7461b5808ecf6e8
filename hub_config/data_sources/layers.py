"""Semantic layers of a source: drafts, what is wrong with them, which one is in force, and going back to an older one.

A layer is kept as its author wrote it (YAML, comments and all) beside what was read of it. A draft becomes the layer when an
administrator accepts it: the former one is superseded, never lost, and accepting it again is the way back. What a person
typed is always parsed as text: :func:`~datapilot_kernel.semantic.load_layer` would take one line for a path.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select, update
from sqlglot import exp

from datapilot_kernel.catalog.model import Catalog, Table
from datapilot_kernel.errors import BadInput, LayerProblem, SourceProblem
from datapilot_kernel.messages import text as message
from datapilot_kernel.semantic import Finding, Layer, check_layer, draft_layer, dump_layer, parse_layer
from datapilot_kernel.semantic.proofs import with_proved_keys
from datapilot_kernel.sources import Limits
from hub_config.data_sources.manager import DataSources
from hub_config.data_sources.visibility import reached
from hub_config.database import DataSource, ScopedSession, SemanticLayer, utc_now
from hub_config.errors import Conflict, NotFound
from hub_config.principal import Principal

if TYPE_CHECKING:
    from datapilot_kernel.engine.outcome import Outcome

_LONGEST_TEXT = 1_000_000
_SHOWN = 10


@dataclass(frozen=True)
class LayerView:
    """One version of a layer; ``text`` None in lists."""

    id: str
    source_id: str
    number: int
    status: str
    created_by: str | None
    created_at: datetime
    accepted_by: str | None
    accepted_at: datetime | None
    text: str | None = None


class Layers:
    """Keeps layers. Thread-safe."""

    def __init__(self, sources: DataSources) -> None:
        self._sources = sources
        self._database = sources.database
        from hub_config.data_sources.layer_drafts import LayerDrafts

        self.drafts = LayerDrafts(sources, self)

    def listed(
        self, principal: Principal, source_id: str, *, limit: int, before: tuple[datetime, str] | None = None
    ) -> list[LayerView]:
        """Return a source's versions, newest first; ``before`` is ``(created_at, id)`` of the last one already seen."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            reached(session, principal, source_id)
            statement = select(SemanticLayer).where(SemanticLayer.data_source_id == source_id)
            if before is not None:
                at, seen = before
                older = SemanticLayer.created_at < at
                statement = statement.where(or_(older, and_(SemanticLayer.created_at == at, SemanticLayer.id < seen)))
            newest = (SemanticLayer.created_at.desc(), SemanticLayer.id.desc())
            rows = session.scalars(statement.order_by(*newest).limit(limit))
            return [view_of(row) for row in rows]

    def read(self, principal: Principal, layer_id: str) -> LayerView:
        """Return one version with its text."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return view_of(self.row(session, principal, layer_id), whole=True)

    def in_force(self, principal: Principal, source_id: str) -> LayerView | None:
        """Return the accepted version; None: answers are over an automatic draft."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            reached(session, principal, source_id)
            row = self._accepted(session, source_id)
            return view_of(row, whole=True) if row is not None else None

    def automatic(self, principal: Principal, source_id: str) -> str:
        """Return an automatic draft's text, made from the catalog as it is known. Keeps nothing."""
        with self._sources.turns.taken(principal.tenant_id), self._sources.open(principal, source_id) as opened:
            return dump_layer(draft_layer(opened.catalog))

    def check(self, principal: Principal, source_id: str, layer_text: str) -> list[Finding]:
        """Return everything that is wrong with a text over the source's catalog, by line."""
        _bounded(layer_text)
        layer, _ = parse_layer(layer_text)
        with self._sources.turns.taken(principal.tenant_id), self._sources.open(principal, source_id) as opened:
            catalog = opened.catalog
            if layer is not None:
                catalog = with_proved_keys(opened.source, catalog, layer)
        # A finding proposes the nearest value: to whom row filters may apply, the profile's values are not to be told.
        return check_layer(layer_text, catalog if principal.is_administrator else _without_values(catalog))

    def save(self, principal: Principal, source_id: str, layer_text: str) -> tuple[LayerView, list[Finding]]:
        """Keep a text as a new draft; return it with what is to be put right before it can be accepted.

        Raises
        ------
        LayerProblem
            It is no layer at all: there is nothing that could be kept as data.
        """
        layer, _ = self.parsed(layer_text)
        findings = self.check(principal, source_id, layer_text)
        with self._database.tenant(principal.tenant_id) as session:
            reached(session, principal, source_id)
            row = SemanticLayer(
                data_source_id=source_id,
                number=self.next_number(session, source_id),
                definitions_json={"text": layer_text, "layer": layer.model_dump(mode="json")},
                created_by=principal.user_id,
            )
            session.add(row)
            session.flush()
            self.record(session, principal, "layer.save", row)
            return view_of(row, whole=True), findings

    def accept(self, principal: Principal, layer_id: str, *, text_seen: str | None = None) -> LayerView:
        """Put a version in force.

        Parameters
        ----------
        text_seen
            What whoever accepts has read; None: whatever it says now.

        Raises
        ------
        Conflict
            It was rejected, or is no longer what was read and checked.
        LayerProblem
            It does not fit the source's present catalog; says the lines.
        """
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            row = self.row(session, principal, layer_id)
            source_id, layer_text = row.data_source_id, row.definitions_json["text"]
        if text_seen is not None and text_seen != layer_text:
            raise Conflict("layer_pages.changed", log="the version was changed since it was read")
        errors = [f for f in self.check(principal, source_id, layer_text) if f.severity == "error"]
        if errors:
            raise _problem(errors)
        layer, _ = self.parsed(layer_text)
        accepted = layer.model_copy(update={"status": "accepted"})
        with self._database.tenant(principal.tenant_id) as session:
            # The row of the source is the lock: of two acceptances at once one waits for the other.
            session.scalars(select(DataSource).where(DataSource.id == source_id).with_for_update()).one()
            row = self.row(session, principal, layer_id)
            if row.status == "rejected":
                raise Conflict("data_sources.layer_rejected")
            session.execute(
                update(SemanticLayer)
                .where(SemanticLayer.data_source_id == source_id, SemanticLayer.status == "accepted")
                .values(status="superseded")
            )
            session.refresh(row)
            if row.definitions_json["text"] != layer_text:
                # Its author went on writing while it was checked: what is accepted is what was read.
                raise Conflict("layer_pages.changed", log="the draft was changed while it was accepted")
            row.status = "accepted"
            row.accepted_by, row.accepted_at = principal.user_id, utc_now()
            row.definitions_json = {"text": layer_text, "layer": accepted.model_dump(mode="json")}
            session.flush()
            self.record(session, principal, "layer.accept", row)
            view = view_of(row, whole=True)
        return view

    def reject(self, principal: Principal, layer_id: str) -> LayerView:
        """Put a draft aside for good."""
        with self._database.tenant(principal.tenant_id) as session:
            row = self.row(session, principal, layer_id)
            if row.status != "draft":
                raise Conflict("data_sources.layer_not_a_draft")
            row.status = "rejected"
            self.record(session, principal, "layer.reject", row)
            session.flush()
            return view_of(row)

    def catalog(self, principal: Principal, source_id: str) -> Catalog:
        """Return the catalog as this person may see it: masked columns and counts of filtered rows for administrators."""
        with self._sources.turns.taken(principal.tenant_id), self._sources.open(principal, source_id) as opened:
            catalog, layer = opened.catalog, opened.layer
        return catalog if principal.is_administrator or layer is None else without_masked(catalog, layer)

    def preview(self, principal: Principal, source_id: str, table: str, limit: int) -> dict[str, Any]:
        """Return the first rows of a table, through the guard with the person's rights.

        Raises
        ------
        NotFound
            There is no such table in the catalog that the person sees.
        """
        from datapilot_kernel.engine import Answer, Engine
        from datapilot_kernel.engine.wire import to_json

        with self._sources.turns.taken(principal.tenant_id), self._sources.open(principal, source_id) as opened:
            found = next((t for t in opened.catalog.tables if t.key == table), None)
            if found is None:
                raise NotFound(log="table")
            limits = Limits(max_rows=limit, timeout_ms=self._sources.settings.query_timeout_ms)
            engine = Engine(
                opened.source, catalog=opened.catalog, layer=opened.layer, attributes=principal.attributes, limits=limits
            )
            # Every engine here takes double quotes but MySQL; sqlglot writes the name in the source's own way.
            name = exp.table_(found.name, db=found.db_schema, quoted=True)
            outcome = engine.run_sql(exp.select("*").from_(name).limit(limit).sql(dialect=opened.source.dialect))
        self._record_preview(principal, source_id, table, outcome)
        if not isinstance(outcome, Answer):
            raise SourceProblem("data_sources.not_readable", log=f"preview: {outcome.message}")
        answer = to_json(outcome)
        return {"table": table, "columns": answer["columns"], "rows": answer["rows"], "truncated": answer["truncated"]}

    def _record_preview(self, principal: Principal, source_id: str, table: str, outcome: Outcome) -> None:
        """Write down that rows were shown: a statement like any other."""
        from datapilot_kernel.engine import Answer

        with self._database.tenant(principal.tenant_id) as session:
            self._sources.audit.record(
                session, principal, action="source.preview", object_type="data_source", object_id=source_id,
                data_source_id=source_id, sql=outcome.sql if isinstance(outcome, Answer) else None, tables=[table],
                outcome=type(outcome).__name__.lower(),
                row_count=len(outcome.table.rows) if isinstance(outcome, Answer) else None,
            )  # fmt: skip

    def parsed(self, layer_text: str) -> tuple[Layer, list[Finding]]:
        """Return the layer that a text is, and what is wrong with its form; raises LayerProblem when it is none."""
        _bounded(layer_text)
        layer, findings = parse_layer(layer_text)
        if layer is None:
            raise _problem([f for f in findings if f.severity == "error"])
        return layer, findings

    def row(self, session: ScopedSession, principal: Principal, layer_id: str) -> SemanticLayer:
        """Return a version's row, of a source that the person reaches; raises NotFound."""
        row: SemanticLayer | None = session.get(SemanticLayer, layer_id)
        if row is None:
            raise NotFound(log="semantic layer")
        reached(session, principal, row.data_source_id)
        return row

    def _accepted(self, session: ScopedSession, source_id: str) -> SemanticLayer | None:
        return session.scalars(
            select(SemanticLayer).where(SemanticLayer.data_source_id == source_id, SemanticLayer.status == "accepted")
        ).one_or_none()

    def next_number(self, session: ScopedSession, source_id: str) -> int:
        """Return the number of a source's next version; holds the source until the transaction ends."""
        session.scalars(select(DataSource).where(DataSource.id == source_id).with_for_update()).one()
        highest = session.scalar(select(func.max(SemanticLayer.number)).where(SemanticLayer.data_source_id == source_id))
        return int(highest or 0) + 1

    def record(self, session: ScopedSession, principal: Principal, action: str, row: SemanticLayer) -> None:
        """Write down what was done with a version."""
        self._sources.audit.record(
            session, principal, action=action, object_type="semantic_layer", object_id=row.id,
            details={"number": row.number}, data_source_id=row.data_source_id,
        )  # fmt: skip


def without_masked(catalog: Catalog, layer: Layer) -> Catalog:
    """Return a catalog without the columns that a layer masks, and without counts of the rows that it filters."""
    masked: dict[str, set[str]] = {}
    filtered: set[str] = set()
    for entity in layer.entities.values():
        key = entity.table if "." in entity.table else f"{catalog.default_schema}.{entity.table}"
        masked.setdefault(key, set()).update(entity.masked)
        if entity.row_filter:
            filtered.add(key)
    tables = tuple(_shown(table, masked, counts=table.key not in filtered) for table in catalog.tables)
    return catalog.model_copy(update={"tables": tables})


def _shown(table: Table, masked: dict[str, set[str]], *, counts: bool) -> Table:
    hidden = masked.get(table.key, set())
    columns = tuple(c for c in table.columns if c.name not in hidden)
    keys = tuple(
        key
        for key in table.foreign_keys
        if hidden.isdisjoint(key.columns) and masked.get(key.ref_table, set()).isdisjoint(key.ref_columns)
    )
    update: dict[str, Any] = {
        "columns": columns,
        "primary_key": table.primary_key if hidden.isdisjoint(table.primary_key) else (),
        "unique_keys": tuple(key for key in table.unique_keys if hidden.isdisjoint(key)),
        "foreign_keys": keys,
    }
    if not counts:
        # Of all rows, those included that the person may not see.
        nothing = {"null_share": None, "distinct_count": None, "minimum": None, "maximum": None, "values": None}
        update["columns"] = tuple(c.model_copy(update=nothing) for c in columns)
        update["row_estimate"] = None
    return table.model_copy(update=update)


def _without_values(catalog: Catalog) -> Catalog:
    nothing = {"values": None, "minimum": None, "maximum": None}
    tables = tuple(
        table.model_copy(update={"columns": tuple(column.model_copy(update=nothing) for column in table.columns)})
        for table in catalog.tables
    )
    return catalog.model_copy(update={"tables": tables})


def _bounded(layer_text: str) -> None:
    if len(layer_text) > _LONGEST_TEXT:
        raise BadInput("data_sources.layer_too_long", count=_LONGEST_TEXT)


def _problem(errors: list[Finding]) -> LayerProblem:
    return LayerProblem(
        "semantic.invalid",
        log="semantic.invalid: " + ", ".join(f"{f.code}@{f.line}" for f in errors[:_SHOWN]),
        count=len(errors),
        details="\n".join(message("semantic.at_line", line=f.line, message=f.message) for f in errors[:_SHOWN]),
        findings=tuple(errors),
    )


def view_of(row: SemanticLayer, *, whole: bool = False, words: str | None = None) -> LayerView:
    """Return what a row says; ``whole``: with its text, or the one given."""
    return LayerView(
        row.id, row.data_source_id, row.number, row.status, row.created_by, row.created_at, row.accepted_by, row.accepted_at,
        row.definitions_json["text"] if whole else words,
    )  # fmt: skip
