"""Semantic layers: drafts, their check, the one in force, and its JSON Schema for everybody."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime, StringConstraints

from hub_config.api.paging import Cursor, Limit, next_of, read_cursor
from hub_config.api.routing import Caller, Id, Routes, ThePlatform, Wire
from hub_config.data_sources.layers import LayerView

routes = Routes("/semantic-layers", tag="semantic layers")

SourceId = Annotated[str, Query(pattern=r"^[0-9a-f]{32}$")]
_IdField = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class LayerIn(Wire):
    """A layer's text (YAML or JSON) over a source."""

    source_id: _IdField
    text: Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]


class FindingOut(Wire):
    """One thing to put right, with its place in the text."""

    line: int
    column: int
    severity: str
    code: str
    path: str
    message: str


class LayerOut(Wire):
    """One version of a layer; ``text`` is null in lists."""

    id: str
    source_id: str
    number: int
    status: str
    created_by: str | None
    created_at: AwareDatetime
    accepted_by: str | None
    accepted_at: AwareDatetime | None
    text: str | None


class LayersOut(Wire):
    """A page of versions."""

    items: list[LayerOut]
    next: str | None


class SavedOut(Wire):
    """A draft that was kept, and what is to be put right before it can be accepted."""

    layer: LayerOut
    findings: list[FindingOut]


class FindingsOut(Wire):
    """What is wrong with a text; empty: nothing."""

    findings: list[FindingOut]


class InForceOut(Wire):
    """The layer in force; null: answers are over an automatic draft, and say so."""

    layer: LayerOut | None


class DraftOut(Wire):
    """An automatic draft. It is kept nowhere."""

    text: str


def _layer(view: LayerView) -> LayerOut:
    return LayerOut(**vars(view))


def _findings(found: list[Any]) -> list[FindingOut]:
    return [FindingOut(**finding.to_json()) for finding in found]


@routes.get("/schema", permission=None, summary="The JSON Schema of a layer")
async def schema() -> dict[str, Any]:
    """Return the schema that editors check a layer against."""
    from datapilot_kernel.semantic import json_schema

    return json_schema()


@routes.get("", permission="catalog.read", summary="A source's versions, newest first")
def list_layers(
    source_id: SourceId, caller: Caller, platform: ThePlatform, limit: Limit = 50, cursor: Cursor = None
) -> LayersOut:
    """Return the versions without their text."""
    found = platform.sources.layers.listed(caller, source_id, limit=limit, before=read_cursor(cursor))
    return LayersOut(items=[_layer(view) for view in found], next=next_of(found, limit))


@routes.get("/in-force", permission="catalog.read", summary="A source's layer in force")
def read_in_force(source_id: SourceId, caller: Caller, platform: ThePlatform) -> InForceOut:
    """Return the accepted version, with its text."""
    view = platform.sources.layers.in_force(caller, source_id)
    return InForceOut(layer=_layer(view) if view is not None else None)


@routes.get("/draft", permission="layers.write", summary="An automatic draft from the catalog")
def draft(source_id: SourceId, caller: Caller, platform: ThePlatform) -> DraftOut:
    """Draft a layer from what the catalog says. Keeps nothing."""
    return DraftOut(text=platform.sources.layers.automatic(caller, source_id))


@routes.post("/check", permission="layers.write", summary="What is wrong with a text, by line")
def check(body: LayerIn, caller: Caller, platform: ThePlatform) -> FindingsOut:
    """Check a text against the source's catalog. Keeps nothing."""
    return FindingsOut(findings=_findings(platform.sources.layers.check(caller, body.source_id, body.text)))


@routes.post("", permission="layers.write", status_code=201, summary="Keep a text as a draft")
def save(body: LayerIn, caller: Caller, platform: ThePlatform) -> SavedOut:
    """Keep a new version as a draft."""
    view, found = platform.sources.layers.save(caller, body.source_id, body.text)
    return SavedOut(layer=_layer(view), findings=_findings(found))


@routes.get("/{layer_id}", permission="catalog.read", summary="One version, with its text")
def read_layer(layer_id: Id, caller: Caller, platform: ThePlatform) -> LayerOut:
    """Return one version."""
    return _layer(platform.sources.layers.read(caller, layer_id))


@routes.post("/{layer_id}/accept", permission="layers.accept", summary="Put a version in force; also the way back")
def accept(layer_id: Id, caller: Caller, platform: ThePlatform) -> LayerOut:
    """Put a version in force; the former one is superseded and stays."""
    return _layer(platform.sources.layers.accept(caller, layer_id))


@routes.post("/{layer_id}/reject", permission="layers.accept", summary="Put a draft aside")
def reject(layer_id: Id, caller: Caller, platform: ThePlatform) -> LayerOut:
    """Put a draft aside for good."""
    return _layer(platform.sources.layers.reject(caller, layer_id))
