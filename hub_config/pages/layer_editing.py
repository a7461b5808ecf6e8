"""Changing a layer: a form for one thing at a time, and the YAML for everything.

What is sent says which words it was written from (``seen``). When somebody saved meanwhile, nothing is written: a page (409)
shows both texts and their differences, one's own in an editor that saves over the other, knowingly. A form's change is a
splice of the text (:mod:`datapilot_kernel.semantic.editing`), so both roads keep one file, with its comments.

Buttons of one form: ``action`` is ``save``, ``check`` (the editor) or ``try`` (a question over what stands in the form).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from datapilot_kernel.errors import DataPilotError, LayerProblem, SourceProblem
from datapilot_kernel.messages import text
from datapilot_kernel.semantic import Finding, Layer, check_layer, parse_layer
from datapilot_kernel.semantic.editing import edit_text
from hub_config.errors import Conflict, NotFound, status_of
from hub_config.pages import layer_differences, layer_forms, layer_trials
from hub_config.pages.layer_forms import Thing, Typed
from hub_config.pages.serving import Visit, run

if TYPE_CHECKING:
    from hub_config.data_sources.administration import SourceView
    from hub_config.data_sources.layer_drafts import LayerDrafts, Working

HERE = "/sources/{source_id}/couche"
ID = re.compile("[0-9a-f]{32}")
MOST_FINDINGS = 100


@dataclass(frozen=True)
class Marked:
    """A finding with the line that it is about."""

    finding: Finding
    line: str

    @property
    def caret(self) -> str:
        """What stands below the line and points at the place."""
        return " " * (self.finding.column - 1) + "^"


def marked(findings: Iterable[Finding], layer_text: str) -> list[Marked]:
    """Return findings with their lines, errors first."""
    lines = layer_text.split("\n")
    ordered = sorted(findings, key=lambda f: (f.severity != "error", f.line, f.column))
    return [Marked(f, lines[f.line - 1] if f.line <= len(lines) else "") for f in ordered[:MOST_FINDINGS]]


async def source_of(visit: Visit) -> SourceView:
    """Return the source that the address names, if the person reaches it. Raises NotFound."""
    source_id = visit.request.path_params["source_id"]
    if ID.fullmatch(source_id) is None:
        raise NotFound(log="malformed source id")
    found: SourceView = await run(visit.platform.sources.administration.read, visit.person.principal, source_id)
    return found


def layer_of(working: Working) -> Layer | None:
    """Return the layer that a text is."""
    return parse_layer(working.text)[0] if working.view is not None else None


async def found_at(visit: Visit, source_id: str, layer_text: str) -> tuple[list[Marked], str | None]:
    """Return what is wrong with a text; and why it was checked without the source, if it was."""
    layers = visit.platform.sources.layers
    try:
        findings = await run(layers.check, visit.person.principal, source_id, layer_text)
    except SourceProblem as problem:
        return marked(await run(check_layer, layer_text), layer_text), problem.message
    return marked(findings, layer_text), None


async def _working(visit: Visit, source_id: str) -> Working:
    drafts: LayerDrafts = visit.platform.sources.layers.drafts
    found: Working = await run(drafts.working, visit.person.principal, source_id)
    return found


# ── the YAML ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def editor(visit: Visit) -> Response:
    """Show the text; ``?ligne=12`` leads to a line of it."""
    source = await source_of(visit)
    working = await _working(visit, source.id)
    return await _editor(visit, source, working, working.text)


async def edit(visit: Visit) -> Response:
    """Check, try or keep what was typed."""
    source = await source_of(visit)
    working = await _working(visit, source.id)
    said = _plain(visit.form.get("text", ""))
    action = visit.form.get("action", "check")
    try:
        findings, unchecked = await found_at(visit, source.id, said)
    except DataPilotError as error:
        if status_of(error) not in (413, 422):
            raise
        return await _editor(visit, source, working, said, status=status_of(error), problem=error.message)
    shown: dict[str, Any] = {"findings": findings, "unchecked": unchecked, "checked": True}
    layer = parse_layer(said)[0]
    if action == "try":
        if layer is None:
            return await _editor(visit, source, working, said, status=422, problem=text("layer_pages.not_a_layer"), **shown)
        bench = await layer_trials.tried(visit, source.id, layer, in_force=await _is_in_force(visit, source.id))
        return await _editor(visit, source, working, said, bench=bench, **shown)
    if action != "save":
        return await _editor(visit, source, working, said, **shown)
    return await _kept(
        visit,
        source,
        said,
        [one.finding for one in findings],
        lambda status, problem: _editor(visit, source, working, said, status=status, problem=problem, **shown),
        f"{HERE.format(source_id=source.id)}/yaml",
    )


async def _editor(
    visit: Visit,
    source: SourceView,
    working: Working,
    said: str,
    *,
    status: int = 200,
    bench: layer_trials.Bench | None = None,
    **shown: Any,
) -> Response:
    line = visit.request.query_params.get("ligne", "")
    return visit.page(
        "layer_yaml.html",
        status=status,
        current="connect",
        source=source,
        working=working,
        said=said,
        seen=visit.form.get("seen") or working.token,
        bench=bench or layer_trials.bench(visit, parse_layer(said)[0]),
        line=int(line) if re.fullmatch("[0-9]{1,6}", line) else None,
        here=visit.pages.render.url(HERE.format(source_id=source.id)),
        done=text("layer_pages.done.saved") if visit.request.query_params.get("done") == "saved" else None,
        **({"problem": None, "findings": [], "unchecked": None, "checked": False} | shown),
    )


def _plain(given: str) -> str:
    """Return a text with the line ends of a file, and one at its end: browsers send others."""
    said = given.replace("\r\n", "\n").replace("\r", "\n")
    return said if said.endswith("\n") or not said else f"{said}\n"


# ── one thing at a time ───────────────────────────────────────────────────────────────────────────────────────────────


async def form(visit: Visit) -> Response:
    """Show a thing's form."""
    source = await source_of(visit)
    working = await _working(visit, source.id)
    if working.view is None:
        return visit.go(HERE.format(source_id=source.id))  # where one begins
    thing, layer = await _thing(visit, source, working)
    return await _form(visit, source, working, layer, thing, dict(thing.shown))


async def change(visit: Visit) -> Response:
    """Keep, or try, what was typed."""
    source = await source_of(visit)
    working = await _working(visit, source.id)
    thing, layer = await _thing(visit, source, working)
    given = layer_forms.typed(thing, visit.form)
    wrong = layer_forms.problems(thing, given)
    if wrong:
        return await _form(visit, source, working, layer, thing, given, status=422, problems=wrong)
    changes = layer_forms.changes_of(thing, given, working.text)
    try:
        edited = await run(edit_text, working.text, changes)
    except LayerProblem as problem:
        return await _form(visit, source, working, layer, thing, given, status=422, problem=problem.message)
    findings, unchecked = await found_at(visit, source.id, edited)
    ours = await _of_changes(visit, source, working, findings, changes)
    shown: dict[str, Any] = {"findings": ours, "unchecked": unchecked}
    edited_layer = parse_layer(edited)[0]
    stops = edited_layer is None or any(one.finding.severity == "error" for one in ours)
    if stops or edited_layer is None:
        shown["problem"] = None if ours else text("layer_pages.not_a_layer")
        return await _form(visit, source, working, layer, thing, given, status=422, **shown)
    if visit.form.get("action") == "try":
        bench = await layer_trials.tried(visit, source.id, edited_layer, in_force=await _is_in_force(visit, source.id))
        return await _form(visit, source, working, edited_layer, thing, given, bench=bench, **shown)
    return await _kept(
        visit,
        source,
        edited,
        [one.finding for one in findings],
        lambda status, problem: _form(visit, source, working, layer, thing, given, status=status, problem=problem),
        visit.request.url.path.removeprefix(visit.pages.render.base),
    )


async def _of_changes(
    visit: Visit, source: SourceView, working: Working, findings: list[Marked], changes: Iterable[tuple[str, ...]]
) -> list[Marked]:
    """Return the findings that a form's changes brought: at what was changed, and errors elsewhere that were not there."""
    paths = list(changes)
    ours = [one for one in findings if any(one.finding.path[: len(path)] == path for path in paths)]
    elsewhere = [one for one in findings if one not in ours and one.finding.severity == "error"]
    if not elsewhere or not paths:
        return ours
    before, _ = await found_at(visit, source.id, working.text)
    known = {(one.finding.code, one.finding.path) for one in before}
    return ours + [one for one in elsewhere if (one.finding.code, one.finding.path) not in known]


async def _thing(visit: Visit, source: SourceView, working: Working) -> tuple[Thing, Layer]:
    layer = layer_of(working)
    if layer is None:
        raise NotFound(log="no layer to change")
    names = visit.request.path_params
    try:
        if "entity" not in names:
            return layer_forms.company(layer), layer
        if "measure" in names:
            return layer_forms.of_measure(layer, names["entity"], names["measure"]), layer
        if "dimension" in names:
            return layer_forms.of_dimension(layer, names["entity"], names["dimension"]), layer
        return layer_forms.of_entity(layer, names["entity"], await _columns(visit, source, layer)), layer
    except KeyError:
        raise NotFound(log="no such thing in the layer") from None


async def _columns(visit: Visit, source: SourceView, layer: Layer) -> dict[str, str]:
    """Return the table's columns with their types, as this person may see them; what the layer names when it is away."""
    entity = layer.entities[visit.request.path_params["entity"]]
    try:
        catalog = await run(visit.platform.sources.layers.catalog, visit.person.principal, source.id)
    except SourceProblem:
        return {d.column: "" for d in entity.dimensions.values() if d.column is not None}
    key = entity.table if "." in entity.table else f"{catalog.default_schema}.{entity.table}"
    table = next((table for table in catalog.tables if table.key.lower() == key.lower()), None)
    return {column.name: column.native_type for column in table.columns} if table is not None else {}


async def _form(
    visit: Visit,
    source: SourceView,
    working: Working,
    layer: Layer,
    thing: Thing,
    given: Typed,
    *,
    status: int = 200,
    bench: layer_trials.Bench | None = None,
    **shown: Any,
) -> Response:
    names = visit.request.path_params
    entity = names.get("entity")
    row_filter = given.get("row_filter", "").strip()
    asked = layer_forms.attributes_of([row_filter])
    without: dict[str, tuple[int, int]] = {}
    if asked and visit.person.principal.is_administrator:
        drafts: LayerDrafts = visit.platform.sources.layers.drafts
        without = await run(drafts.without_attribute, visit.person.principal, asked)
    return visit.page(
        "layer_form.html",
        status=status,
        current="connect",
        source=source,
        working=working,
        thing=thing,
        given=given,
        entity=entity,
        owner=layer.entities.get(entity) if entity else None,
        joins=[
            (name, join) for name, join in layer.joins.items() if entity and entity in (join.from_entity, join.to_entity)
        ],
        layer=layer,
        explained=layer_forms.explained(row_filter) if row_filter else None,
        without=without,
        seen=visit.form.get("seen") or working.token,
        bench=bench or layer_trials.bench(visit, layer),
        path=visit.request.url.path,
        here=visit.pages.render.url(HERE.format(source_id=source.id)),
        done=text("layer_pages.done.saved") if visit.request.query_params.get("done") == "saved" else None,
        **({"problem": None, "problems": {}, "findings": [], "unchecked": None} | shown),
    )


# ── keeping ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _kept(visit: Visit, source: SourceView, said: str, findings: Sequence[Finding], again: Any, back: str) -> Response:
    """Keep a text as the draft and go ``back``; ``again(status, problem)`` shows what was typed once more."""
    drafts: LayerDrafts = visit.platform.sources.layers.drafts
    try:
        await run(
            drafts.keep, visit.person.principal, source.id, said, seen=visit.form.get("seen", ""), findings=list(findings)
        )
    except Conflict:
        return await _conflict(visit, source, said)
    except LayerProblem:
        response: Response = await again(422, text("layer_pages.not_a_layer"))
        return response
    return visit.go(f"{back}?done=saved")


async def _conflict(visit: Visit, source: SourceView, said: str) -> Response:
    """Show what somebody else kept meanwhile and what was typed, and lose neither."""
    working = await _working(visit, source.id)
    view = working.view
    drafts: LayerDrafts = visit.platform.sources.layers.drafts
    return visit.page(
        "layer_conflict.html",
        status=409,
        current="connect",
        source=source,
        working=working,
        names=await run(drafts.names, visit.person.principal, [view.created_by, view.accepted_by] if view else []),
        said=said,
        lines=layer_differences.lines(working.text, said),
        differences=layer_differences.said(working.text, said),
        here=visit.pages.render.url(HERE.format(source_id=source.id)),
    )


async def _is_in_force(visit: Visit, source_id: str) -> bool:
    return await run(visit.platform.sources.layers.in_force, visit.person.principal, source_id) is not None
