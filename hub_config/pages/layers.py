"""A source's semantic layer: what is in force, the draft, the versions and what differs, and putting one in force.

The forms and the YAML editor are in :mod:`hub_config.pages.layer_editing`; trying a question in
:mod:`hub_config.pages.layer_trials`. Authors write drafts and propose them; administrators put one in force, and only the
words that they read (:meth:`~hub_config.data_sources.layer_drafts.LayerDrafts.accept`).
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from datapilot_kernel.errors import DataPilotError, LayerProblem, SourceProblem
from datapilot_kernel.messages import text
from datapilot_kernel.semantic import Layer
from hub_config.data_sources.layer_drafts import Working
from hub_config.data_sources.layers import LayerView
from hub_config.errors import Conflict, NotFound, status_of
from hub_config.pages import layer_differences, layer_editing, layer_model, layer_trials
from hub_config.pages.layer_editing import HERE, ID, found_at, layer_of, source_of
from hub_config.pages.serving import Page, Visit, run

_MOST_VERSIONS = 200
_DONE = ("saved", "rewritten", "begun", "proposed", "accepted", "restored", "rejected")


async def overview(visit: Visit) -> Response:
    """Show the layer, and what may be done with it."""
    return await _overview(visit)


async def begin(visit: Visit) -> Response:
    """Make the automatic draft the first version."""
    source = await source_of(visit)
    try:
        await run(_drafts(visit).begin, visit.person.principal, source.id, seen=visit.form.get("seen", ""))
    except Conflict:
        return visit.go(HERE.format(source_id=source.id))  # somebody was quicker: there it is
    except SourceProblem as problem:
        return await _overview(visit, status=status_of(problem), problem=problem.message)
    return visit.go(f"{HERE.format(source_id=source.id)}?done=begun")


async def propose(visit: Visit) -> Response:
    """Ask the administrators for it."""
    source = await source_of(visit)
    note = visit.form.get("note", "").strip()
    try:
        await run(_drafts(visit).propose, visit.person.principal, source.id, seen=visit.form.get("seen", ""), note=note)
    except DataPilotError as error:
        if status_of(error) not in (409, 422):
            raise
        return await _overview(visit, status=status_of(error), problem=error.message, note=note)
    return visit.go(f"{HERE.format(source_id=source.id)}?done=proposed")


async def try_question(visit: Visit) -> Response:
    """Try a question over the draft as it is kept."""
    source = await source_of(visit)
    working = await run(_drafts(visit).working, visit.person.principal, source.id)
    layer = layer_of(working)
    if layer is None:
        raise NotFound(log="a trial without a draft")
    in_force = await run(visit.platform.sources.layers.in_force, visit.person.principal, source.id)
    bench = await layer_trials.tried(visit, source.id, layer, in_force=in_force is not None)
    return await _overview(visit, bench=bench)


async def _overview(visit: Visit, *, status: int = 200, bench: Any = None, **shown: Any) -> Response:
    source = await source_of(visit)
    principal, layers = visit.person.principal, visit.platform.sources.layers
    working: Working = await run(layers.drafts.working, principal, source.id)
    in_force: LayerView | None = await run(layers.in_force, principal, source.id)
    layer = layer_of(working)
    findings, unchecked = await found_at(visit, source.id, working.text) if working.is_draft else ([], None)
    done = visit.request.query_params.get("done", "")
    differences = (
        layer_differences.said(in_force.text or "", working.text) if in_force is not None and working.is_draft else []
    )
    joins = layer.joins.values() if layer is not None else ()
    return visit.page(
        "layer.html",
        status=status,
        current="connect",
        source=source,
        working=working,
        in_force=in_force,
        layer=layer,
        joins=[(_label(layer, join.from_entity), _label(layer, join.to_entity), join) for join in joins],
        findings=findings,
        unchecked=unchecked,
        differences=differences,
        names=await run(layers.drafts.names, principal, _people(working, in_force)),
        done=text(f"layer_pages.done.{done}") if done in _DONE else None,
        bench=bench or layer_trials.bench(visit, layer),
        model=visit.platform.queries.layer_writing.configured,
        here=visit.pages.render.url(HERE.format(source_id=source.id)),
        **({"problem": None, "note": ""} | shown),
    )


def _label(layer: Layer | None, name: str) -> str:
    return layer.entities[name].label if layer is not None and name in layer.entities else name


def _people(working: Working, *views: LayerView | None) -> list[str | None]:
    found = [working.proposal.by] if working.proposal is not None else []
    for view in (working.view, *views):
        found += [view.created_by, view.accepted_by] if view is not None else []
    return found


# ── versions ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def versions(visit: Visit) -> Response:
    """List what there was, newest first."""
    source = await source_of(visit)
    principal, layers = visit.person.principal, visit.platform.sources.layers
    listed: list[LayerView] = await run(layers.listed, principal, source.id, limit=_MOST_VERSIONS)
    people = [person for view in listed for person in (view.created_by, view.accepted_by)]
    return visit.page(
        "layer_versions.html",
        current="connect",
        source=source,
        versions=listed,
        names=await run(layers.drafts.names, principal, people),
        here=visit.pages.render.url(HERE.format(source_id=source.id)),
    )


async def version(visit: Visit) -> Response:
    """Show one version, and what it changes of the one in force (of the one before it, for that one itself)."""
    return await _version(visit)


async def accept(visit: Visit) -> Response:
    """Put a version in force: a draft, or a former one again."""
    source = await source_of(visit)
    found = await _found(visit, source.id)
    assert found.view is not None
    again = found.view.status != "draft"
    try:
        await run(_drafts(visit).accept, visit.person.principal, found.view.id, seen=visit.form.get("seen", ""))
    except LayerProblem as problem:
        findings = layer_editing.marked(problem.values.get("findings", ()), found.text)
        return await _version(visit, status=422, problem=text("layer_pages.not_acceptable"), findings=findings)
    except (Conflict, SourceProblem) as error:
        return await _version(visit, status=status_of(error), problem=error.message)
    return visit.go(f"{HERE.format(source_id=source.id)}?done={'restored' if again else 'accepted'}")


async def reject(visit: Visit) -> Response:
    """Put a draft aside."""
    source = await source_of(visit)
    found = await _found(visit, source.id)
    assert found.view is not None
    try:
        await run(visit.platform.sources.layers.reject, visit.person.principal, found.view.id)
    except Conflict as error:
        return await _version(visit, status=409, problem=error.message)
    return visit.go(f"{HERE.format(source_id=source.id)}?done=rejected")


async def _version(visit: Visit, *, status: int = 200, **shown: Any) -> Response:
    source = await source_of(visit)
    principal, layers = visit.person.principal, visit.platform.sources.layers
    found = await _found(visit, source.id)
    view = found.view
    assert view is not None
    listed: list[LayerView] = await run(layers.listed, principal, source.id, limit=_MOST_VERSIONS)
    other = await _other(visit, source.id, view, listed)
    before = other.text if other is not None else ""
    return visit.page(
        "layer_version.html",
        status=status,
        current="connect",
        source=source,
        found=found,
        version=view,
        other=other.view if other is not None else None,
        others=[one for one in listed if one.id != view.id],
        lines=layer_differences.lines(before, found.text),
        differences=layer_differences.said(before, found.text) if other is not None else [],
        names=await run(layers.drafts.names, principal, _people(found)),
        here=visit.pages.render.url(HERE.format(source_id=source.id)),
        **({"problem": None, "findings": []} | shown),
    )


async def _other(visit: Visit, source_id: str, view: LayerView, listed: list[LayerView]) -> Working | None:
    wanted = visit.request.query_params.get("avec", "")
    if ID.fullmatch(wanted) is None:
        in_force = next((one for one in listed if one.status == "accepted" and one.id != view.id), None)
        before = next((one for one in listed if one.number < view.number and one.status != "rejected"), None)
        chosen = before if view.status == "accepted" else (in_force or before)
        if chosen is None:
            return None
        wanted = chosen.id
    other: Working = await run(_drafts(visit).version, visit.person.principal, source_id, wanted)
    return other


async def _found(visit: Visit, source_id: str) -> Working:
    layer_id = visit.request.path_params["layer_id"]
    if ID.fullmatch(layer_id) is None:
        raise NotFound(log="malformed id")
    found: Working = await run(_drafts(visit).version, visit.person.principal, source_id, layer_id)
    return found


def _drafts(visit: Visit) -> Any:
    return visit.platform.sources.layers.drafts


_B = "/sources/{source_id}/couche"
_ONE = f"{_B}/versions/{{layer_id}}"
_LARGE: dict[str, Any] = {"form_bytes": 4 * 1024 * 1024, "form_fields": 2_000}

PAGES: tuple[Page, ...] = (
    Page("GET", _B, "layers.write", overview),
    Page("POST", f"{_B}/debut", "layers.write", begin),
    Page("POST", f"{_B}/proposer", "layers.write", propose),
    Page("POST", f"{_B}/essai", "layers.write", try_question),
    Page("GET", f"{_B}/yaml", "layers.write", layer_editing.editor),
    Page("POST", f"{_B}/yaml", "layers.write", layer_editing.edit, **_LARGE),
    Page("GET", f"{_B}/entreprise", "layers.write", layer_editing.form),
    Page("POST", f"{_B}/entreprise", "layers.write", layer_editing.change, **_LARGE),
    Page("GET", f"{_B}/tables/{{entity}}", "layers.write", layer_editing.form),
    Page("POST", f"{_B}/tables/{{entity}}", "layers.write", layer_editing.change, **_LARGE),
    Page("GET", f"{_B}/tables/{{entity}}/mesures/{{measure}}", "layers.write", layer_editing.form),
    Page("POST", f"{_B}/tables/{{entity}}/mesures/{{measure}}", "layers.write", layer_editing.change, **_LARGE),
    Page("GET", f"{_B}/tables/{{entity}}/dimensions/{{dimension}}", "layers.write", layer_editing.form),
    Page("POST", f"{_B}/tables/{{entity}}/dimensions/{{dimension}}", "layers.write", layer_editing.change, **_LARGE),
    Page("GET", f"{_B}/modele", "layers.write", layer_model.shown),
    Page("POST", f"{_B}/modele", "layers.write", layer_model.ask, form_bytes=512 * 1024),
    Page("POST", f"{_B}/modele/arreter", "layers.write", layer_model.stop),
    Page("POST", f"{_B}/modele/garder", "layers.write", layer_model.take, form_fields=1_000),
    Page("GET", f"{_B}/versions", "layers.write", versions),
    Page("GET", _ONE, "layers.write", version),
    Page("POST", f"{_ONE}/accepter", "layers.accept", accept),
    Page("POST", f"{_ONE}/ecarter", "layers.accept", reject),
)
