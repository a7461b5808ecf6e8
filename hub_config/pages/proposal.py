"""What a publication will show, to whom: tiles in words, people by what their attributes open, filters that can be offered.

Everything is said from the platform's own database: layers in force (or the automatic draft of a known catalog), row
filters, people. No source is asked, so a page that waits for a decision opens as fast as any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from datapilot_kernel.answers.grammar import upper_first
from datapilot_kernel.errors import DataPilotError
from datapilot_kernel.messages import text
from datapilot_kernel.plan.model import Plan
from hub_config.data_sources.row_filters import RowFilter, row_filters
from hub_config.errors import NotFound

if TYPE_CHECKING:
    from datapilot_kernel.semantic.model import Layer
    from hub_config.content.viewing import Ground
    from hub_config.database import User
    from hub_config.platform import Platform
    from hub_config.principal import Principal

MOST_NAMED = 20
"""People that a form names one by one; of more the addresses are typed."""
MOST_CANDIDATES = 12
_PEOPLE = 2000
CHARTS = (
    "auto", "table", "number", "bar", "horizontal_bar", "line", "area", "pie", "scatter", "stacked_bar", "grouped_bar",
    "histogram",
)  # fmt: skip


@dataclass(frozen=True)
class TileView:
    """A tile as whoever decides reads it.

    Attributes
    ----------
    reading
        ``(label, value)``: what was understood.
    problem
        Why its plan does not hold over the layer of now; None: it does.
    """

    title: str
    question: str | None
    source: str
    reading: list[tuple[str, str]]
    trust: str
    chart: str
    problem: str | None = None
    id: str = ""


def tile_views(platform: Platform, principal: Principal, content: Mapping[str, Any]) -> list[TileView]:
    """Return the tiles of a content in order, in words."""
    grounds: dict[str, Ground | None] = {}
    shown = []
    for tile in sorted(content["tiles"], key=lambda one: int(one.get("position", 0))):
        source_id = tile["source_id"]
        if source_id not in grounds:
            grounds[source_id] = _ground(platform, principal, source_id)
        shown.append(_tile_view(tile, grounds[source_id]))
    return shown


def _ground(platform: Platform, principal: Principal, source_id: str) -> Ground | None:
    try:
        return platform.content.viewing.ground(principal, source_id)
    except (NotFound, DataPilotError):
        return None


def _tile_view(tile: Mapping[str, Any], ground: Ground | None) -> TileView:
    from datapilot_kernel.answers.reading import read_plan
    from datapilot_kernel.engine.engine import today
    from datapilot_kernel.plan.compiler import compile_plan

    problem, reading = None, []
    if ground is None:
        problem = text("publications.source_gone")
    else:
        try:
            plan = Plan.model_validate(tile["plan"])
            compiled = None
            if ground.layer is not None:
                day = today(ground.layer.calendar.timezone)
                try:
                    compiled = compile_plan(plan, ground.layer, dialect=ground.dialect, today=day)
                except DataPilotError as error:
                    problem = error.message
            reading = [(p.label, p.value) for p in read_plan(plan, ground.layer, compiled, ground.formatter())]
        except (ValidationError, KeyError):
            problem = text("publications.plan_broken")
    question = tile.get("question") or None
    chart = text(f"publications.chart.{tile.get('chart_type', 'auto')}")
    return TileView(
        tile["title"] or question or "—", question, ground.name if ground is not None else "—", reading,
        tile.get("trust", "exploratory"), chart, problem, tile.get("id", ""),
    )  # fmt: skip


# ── who, and what they will see ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Group:
    """People whose attributes open the same rows of a publication's sources.

    Attributes
    ----------
    rows
        ``(table, words)``; words None: none of its rows, for want of ``missing``. Empty: all rows of everything.
    """

    rows: list[tuple[str, str | None, str]]
    people: list[User] = field(default_factory=list)


@dataclass(frozen=True)
class Audience:
    """Everybody who could see it, by what they would see."""

    groups: list[Group]
    counts: dict[str, int]
    named: bool

    @property
    def people(self) -> list[User]:
        """Everybody, one after the other."""
        return [user for group in self.groups for user in group.people]


def audience(platform: Platform, principal: Principal, source_ids: Iterable[str]) -> Audience:
    """Return the tenant's active people, grouped by the rows that they see of these sources."""
    wanted = set(source_ids)
    people = platform.people.accounts.list(principal, limit=_PEOPLE, status="active")
    filters = [one for one in row_filters(platform.database, principal) if one.source_id in wanted]
    groups: dict[tuple[tuple[str, str | None, str], ...], Group] = {}
    for user in people:
        rows = tuple(_row(one, {str(k): str(v) for k, v in user.attributes.items()}) for one in filters)
        groups.setdefault(rows, Group(list(rows))).people.append(user)
    counts: dict[str, int] = {}
    for user in people:
        counts[user.role] = counts.get(user.role, 0) + 1
    return Audience(sorted(groups.values(), key=lambda group: -len(group.people)), counts, len(people) <= MOST_NAMED)


def _row(one: RowFilter, attributes: Mapping[str, str]) -> tuple[str, str | None, str]:
    return one.table, one.opens(attributes), ", ".join(one.missing(attributes))


# ── filters that can be offered ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Candidate:
    """A filter that readers could be given; ``offered``: it is asked for, or stands already."""

    entry: dict[str, Any]
    offered: bool

    @property
    def key(self) -> str:
        """What names it in a form."""
        return f"filtre.{self.entry['field']}"


def candidates(platform: Platform, principal: Principal, content: Mapping[str, Any]) -> list[Candidate]:
    """Return the filters of a content, then those that its tiles and their layers make possible."""
    found = [Candidate(dict(entry), True) for entry in content.get("filters", ())]
    known = {one.entry["field"] for one in found}
    has_period = any(one.entry.get("kind") == "period" for one in found)
    for tile in content["tiles"]:
        ground = _ground(platform, principal, tile["source_id"])
        try:
            plan = Plan.model_validate(tile["plan"])
        except ValidationError:
            continue
        layer = ground.layer if ground is not None else None
        if layer is None:
            continue
        time = _time_of(plan, layer)
        if time is not None and not has_period and time not in known:
            has_period = True
            known.add(time)
            label = text("publications.filter_period")
            found.insert(0, Candidate({"field": time, "label": label, "values": None, "kind": "period"}, False))
        for ref in _fields_of(plan):
            named = _label_of(ref, layer)
            if ref not in known and named is not None and len(found) < MOST_CANDIDATES:
                known.add(ref)
                found.append(Candidate({"field": ref, "label": named, "values": None, "kind": "values"}, False))
    return found[:20]


def _time_of(plan: Plan, layer: Layer) -> str | None:
    if plan.time is not None:
        return plan.time
    names = [ref.partition(".")[0] for item in plan.measures for ref in (item.measure or item.field,) if ref]
    names += [item.entity for item in plan.measures if item.entity] + ([plan.entity] if plan.entity else [])
    for name in names:
        entity = layer.entities.get(name)
        if entity is not None and entity.time is not None:
            return f"{name}.{entity.time}"
    return None


def _fields_of(plan: Plan) -> list[str]:
    dimensions = [item.field for item in plan.dimensions if item.grain is None and not item.bins]
    filters = [one.field for one in (*plan.filters, *(one for group in plan.any_of for one in group))]
    return list(dict.fromkeys([*dimensions, *filters]))


def _label_of(ref: str, layer: Layer) -> str | None:
    """Return what people call a dimension that may be offered; None: it may not."""
    entity_name, _, name = ref.partition(".")
    entity = layer.entities.get(entity_name)
    dimension = entity.dimensions.get(name) if entity is not None else None
    if entity is None or dimension is None or dimension.personal or dimension.hidden:
        return None
    if dimension.column in entity.masked or dimension.type not in ("text", "boolean"):
        return None
    return upper_first(dimension.label)
