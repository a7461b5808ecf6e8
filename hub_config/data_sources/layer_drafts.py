"""The draft that a source's layer is worked on in: one at a time, seen by every author, and lost by nobody.

A layer's *draft* is its newest version, as long as nobody accepted or rejected it. Its author goes on writing the same
version; when somebody else changes it, theirs is a version of its own, and the former one stays to be read. Whoever saves
says what they saw (:attr:`Working.token`): when that is no longer what there is, nothing is written and
:class:`~hub_config.errors.Conflict` ``layer_pages.changed`` is raised, so that both texts can be shown.

An author who may not accept *proposes*: a word beside the draft, for the administrators.

Rejected: a version for every saved field (a history nobody reads), and locks (people forget them).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from datapilot_kernel.errors import BadInput
from datapilot_kernel.semantic import Finding, Layer, dump_layer
from hub_config.data_sources.layers import LayerView, view_of
from hub_config.data_sources.visibility import reached
from hub_config.database import DataSource, ScopedSession, SemanticLayer, User, utc_now
from hub_config.errors import Conflict, NotFound
from hub_config.principal import Principal

if TYPE_CHECKING:
    from hub_config.data_sources.layers import Layers
    from hub_config.data_sources.manager import DataSources

NOTHING = "0"
"""The token of a source that has no layer yet."""

LONGEST_NOTE = 500


@dataclass(frozen=True)
class Proposal:
    """That an author asks for a draft to be put in force."""

    by: str | None
    at: datetime
    note: str


@dataclass(frozen=True)
class Working:
    """What the next change is made to: the draft; without one the layer in force; None at the very beginning.

    Attributes
    ----------
    token
        Of these very words in this very version.
    """

    view: LayerView | None
    token: str
    proposal: Proposal | None = None

    @property
    def text(self) -> str:
        """Its text; empty when there is none."""
        return (self.view.text or "") if self.view is not None else ""

    @property
    def is_draft(self) -> bool:
        """True when it is not in force yet."""
        return self.view is not None and self.view.status == "draft"


class LayerDrafts:
    """Keeps drafts. Thread-safe."""

    def __init__(self, sources: DataSources, layers: Layers) -> None:
        self._sources = sources
        self._layers = layers
        self._database = sources.database

    def working(self, principal: Principal, source_id: str) -> Working:
        """Return what the next change is made to."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            reached(session, principal, source_id)
            return _working(self._base(session, source_id))

    def keep(
        self,
        principal: Principal,
        source_id: str,
        layer_text: str,
        *,
        seen: str,
        findings: list[Finding] | None = None,
    ) -> tuple[LayerView, list[Finding]]:
        """Keep a text as the draft; return it with what is to be put right before it can be accepted.

        Parameters
        ----------
        seen
            The token of what it was written from.
        findings
            Of a check a moment ago; None: it is checked now.

        Raises
        ------
        LayerProblem
            It is no layer at all.
        Conflict
            Somebody changed it since: ``layer_pages.changed``.
        """
        layer, _ = self._layers.parsed(layer_text)
        if findings is None:
            findings = self._layers.check(principal, source_id, layer_text)
        content = {"text": layer_text, "layer": layer.model_dump(mode="json")}
        with self._database.tenant(principal.tenant_id) as session:
            reached(session, principal, source_id)
            # The row of the source is the lock: of two who save at once one waits for the other.
            session.scalars(select(DataSource).where(DataSource.id == source_id).with_for_update()).one()
            base = self._base(session, source_id)
            if base is not None:
                session.refresh(base)
            if _working(base).token != seen:
                raise Conflict("layer_pages.changed", log="the layer's draft was changed meanwhile")
            if base is not None and base.definitions_json.get("text") == layer_text:
                return view_of(base, whole=True), findings
            if base is not None and base.status == "draft" and base.created_by == principal.user_id:
                row, proposal = base, base.definitions_json.get("proposal")
                row.definitions_json = content | ({"proposal": proposal} if proposal is not None else {})
            else:
                number = self._layers.next_number(session, source_id)
                row = SemanticLayer(
                    data_source_id=source_id, number=number, definitions_json=content, created_by=principal.user_id
                )
                session.add(row)
            session.flush()
            self._layers.record(session, principal, "layer.save", row)
            return view_of(row, whole=True), findings

    def begin(self, principal: Principal, source_id: str, *, seen: str) -> LayerView:
        """Keep the automatic draft from the catalog as the draft; see :meth:`keep`."""
        return self.keep(principal, source_id, self._layers.automatic(principal, source_id), seen=seen)[0]

    def propose(self, principal: Principal, source_id: str, *, seen: str, note: str = "") -> LayerView:
        """Ask the administrators to put the draft in force.

        Raises
        ------
        Conflict
            There is no draft, or it is not the one that was seen.
        """
        if len(note) > LONGEST_NOTE:
            raise BadInput("layer_pages.note_too_long", count=LONGEST_NOTE)
        with self._database.tenant(principal.tenant_id) as session:
            reached(session, principal, source_id)
            session.scalars(select(DataSource).where(DataSource.id == source_id).with_for_update()).one()
            row = self._base(session, source_id)
            if row is None or row.status != "draft":
                raise Conflict("layer_pages.no_draft")
            session.refresh(row)
            if _working(row).token != seen:
                raise Conflict("layer_pages.changed", log="the layer's draft was changed meanwhile")
            proposal = {"by": principal.user_id, "at": utc_now().isoformat(), "note": note.strip()}
            row.definitions_json = row.definitions_json | {"proposal": proposal}
            self._layers.record(session, principal, "layer.propose", row)
            session.flush()
            return view_of(row)

    def accept(self, principal: Principal, layer_id: str, *, seen: str) -> LayerView:
        """Put a version in force, if it still says what was seen: a draft may be written on while it is read.

        Raises
        ------
        Conflict
            It was changed since.
        LayerProblem
            It does not fit the source's present catalog.
        """
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            found = _working(self._layers.row(session, principal, layer_id))
        if found.token != seen:
            raise Conflict("layer_pages.changed", log="the version was changed since it was read")
        return self._layers.accept(principal, layer_id, text_seen=found.text)

    def version(self, principal: Principal, source_id: str, layer_id: str) -> Working:
        """Return one version of this source.

        Raises
        ------
        NotFound
            There is none, or it is another source's.
        """
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            row = self._layers.row(session, principal, layer_id)
            if row.data_source_id != source_id:
                raise NotFound(log="a version of another source")
            return _working(row)

    def proposals(self, principal: Principal) -> list[tuple[str, str, LayerView, Proposal]]:
        """Return the drafts that wait for an administrator: source's id and name, version, proposal; the oldest first."""
        found = []
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            names = {row.id: row.name for row in session.execute(select(DataSource.id, DataSource.name))}
            versions = session.execute(select(SemanticLayer.id, SemanticLayer.data_source_id, SemanticLayer.number))
            newest: dict[str, tuple[int, str]] = {}
            for row in versions:
                newest[row.data_source_id] = max(newest.get(row.data_source_id, (0, "")), (row.number, row.id))
            drafts = select(SemanticLayer).where(
                SemanticLayer.status == "draft", SemanticLayer.id.in_([layer_id for _, layer_id in newest.values()])
            )
            for draft in session.scalars(drafts):
                working = _working(draft)
                if working.proposal is not None and working.view is not None:
                    found.append((draft.data_source_id, names[draft.data_source_id], working.view, working.proposal))
        return sorted(found, key=lambda entry: entry[3].at)

    def names(self, principal: Principal, user_ids: Iterable[str | None]) -> dict[str, str]:
        """Return what people are called, by id; who is gone is not in it."""
        wanted = {user_id for user_id in user_ids if user_id}
        if not wanted:
            return {}
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            rows = session.execute(select(User.id, User.full_name, User.email).where(User.id.in_(wanted)))
            return {row.id: row.full_name or row.email for row in rows}

    def without_attribute(self, principal: Principal, names: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Return for each attribute how many active people have none, and of how many. For administrators."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            rows = list(session.scalars(select(User.attributes).where(User.status == "active")))
        return {name: (sum(1 for row in rows if not (row or {}).get(name)), len(rows)) for name in names}

    def _base(self, session: ScopedSession, source_id: str) -> SemanticLayer | None:
        of_source = select(SemanticLayer).where(SemanticLayer.data_source_id == source_id)
        newest: SemanticLayer | None = session.scalars(of_source.order_by(SemanticLayer.number.desc()).limit(1)).first()
        if newest is None or newest.status == "draft":
            return newest
        accepted: SemanticLayer | None = session.scalars(of_source.where(SemanticLayer.status == "accepted")).one_or_none()
        return accepted


def token_of(layer_id: str, layer_text: str) -> str:
    """Return the token of a version's words."""
    return f"{layer_id}.{hashlib.sha256(layer_text.encode()).hexdigest()[:20]}"


def _working(row: SemanticLayer | None) -> Working:
    if row is None:
        return Working(None, NOTHING)
    content: dict[str, Any] = row.definitions_json
    # One that came in some other way has no text of its own: it is written out.
    said = content.get("text")
    words = said if isinstance(said, str) else dump_layer(Layer.model_validate(content["layer"]))
    given = content.get("proposal")
    proposal = None
    if isinstance(given, dict):
        proposal = Proposal(given.get("by"), datetime.fromisoformat(given["at"]), str(given.get("note", "")))
    view = view_of(row, whole=True) if isinstance(said, str) else view_of(row, words=words)
    return Working(view, token_of(row.id, words), proposal)
