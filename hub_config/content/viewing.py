"""What a reader chose on a dashboard's page, as the plan of a tile: filters, a period, steps into it.

Computed here, from the version's plan; a browser only names choices that the publisher, the calendar or the layer offers.

A filter that a tile's rows cannot be limited by (no way leads from them to it) leaves the tile as it is, and the tile says
so: a page of six tiles is not half errors because one counts something else. A choice that nobody offered is refused.

The layer is the one in force, read from the platform's own database: no source is opened to find out what may be chosen.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.answers.grammar import lower_first
from datapilot_kernel.errors import BadInput
from datapilot_kernel.plan.compiler import compile_plan
from datapilot_kernel.plan.model import Filter, Plan
from datapilot_kernel.plan.problems import PlanProblem
from hub_config.content.drilling import Cell, Level, Step, descend, levels, said
from hub_config.content.periods import PERIODS, chosen_period
from hub_config.data_sources.visibility import reached
from hub_config.database import DashboardSnapshot

if TYPE_CHECKING:
    from datapilot_kernel.semantic.model import Layer
    from datapilot_kernel.sources import Dialect
    from hub_config.content.publishing import Published
    from hub_config.data_sources import DataSources
    from hub_config.database import Database
    from hub_config.principal import Principal
    from hub_config.queries import Asked

_MOST_DRAFTS = 32
_MOST_TYPED = 300


@dataclass(frozen=True)
class Ground:
    """What a tile's source is, as far as choices need it; ``layer`` None: its structure was never read."""

    name: str
    dialect: Dialect
    layer: Layer | None

    def formatter(self) -> Formatter:
        """Return what writes this source's values, in the language in force."""
        from datapilot_kernel.messages import current_language

        if self.layer is None:
            return Formatter(language=current_language())
        return Formatter(language=current_language(), currency=self.layer.currency, calendar=self.layer.calendar)


@dataclass(frozen=True)
class Choice:
    """What was chosen: of each filter its value as the page wrote it, and steps.

    A value is JSON, a period's key, two days with a slash between them, or what was typed.
    """

    filters: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Seen:
    """A tile with what was chosen.

    Attributes
    ----------
    reach
        The person must reach the source by themselves (:meth:`QueryService.ask`).
    without
        Labels of filters that this tile has no part in.
    crumbs
        Of each step: where, and by what, in words.
    """

    asked: Asked
    reach: bool
    without: tuple[str, ...] = ()
    crumbs: tuple[tuple[str, str], ...] = ()


class Viewing:
    """The manager. Safe to call from many threads."""

    def __init__(self, database: Database, sources: DataSources) -> None:
        self._database = database
        self._sources = sources
        self._lock = threading.Lock()
        self._drafts: OrderedDict[tuple[str, str, str], Layer] = OrderedDict()

    def ground(self, principal: Principal, source_id: str) -> Ground:
        """Return what the source of one of a dashboard's tiles is. Raises NotFound: there is none any more."""
        # The dashboard's right opened it; what of the rows is seen is the guard's business.
        whom = replace(principal, role="administrator")
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            known = self._sources.remembered(session, whom, source_id)
            if known is None:
                known = self._sources.known(session, reached(session, whom, source_id))
        dialect: Dialect = {"postgres": "postgres", "mysql": "mysql"}.get(known.type, "duckdb")  # type: ignore[assignment]
        layer = known.layer
        if layer is None and known.catalog is not None:
            layer = self._draft((known.tenant_id, known.id, known.catalog.version), known.catalog)
        return Ground(known.name, dialect, layer)

    def _draft(self, key: tuple[str, str, str], catalog: Any) -> Layer:
        from datapilot_kernel.semantic.draft import draft_layer

        with self._lock:
            found = self._drafts.get(key)
            if found is None:
                found = self._drafts[key] = draft_layer(catalog)
            self._drafts.move_to_end(key)
            while len(self._drafts) > _MOST_DRAFTS:
                self._drafts.popitem(last=False)
        return found

    def tile(self, principal: Principal, published: Published, tile: Mapping[str, Any], choice: Choice) -> Seen:
        """Return what is to be asked for a tile.

        Raises
        ------
        BadInput
            Something was chosen that was not offered.
        """
        from hub_config.queries import Asked

        plan, without, crumbs = self._chosen(principal, published, tile, choice)
        asked = Asked(tile["source_id"], question=tile.get("question") or "", plan=plan)
        return Seen(asked, not published.by_right, without, crumbs)

    def levels(
        self, principal: Principal, published: Published, tile: Mapping[str, Any], choice: Choice, at: tuple[Cell, ...]
    ) -> tuple[str, list[Level]]:
        """Return what a row of the tile is called, and what it can be broken down by.

        Raises
        ------
        NotFound
            An author, whom no right of the dashboard's names, does not reach the source.
        BadInput
            It is no row of the tile.
        """
        if not published.by_right:
            # Words of a layer are for whoever reaches its source, or whom the dashboard's right opens it to.
            with self._database.tenant(principal.tenant_id, read_only=True) as session:
                reached(session, principal, tile["source_id"])
        plan, _, _ = self._chosen(principal, published, tile, choice)
        ground = self.ground(principal, tile["source_id"])
        if ground.layer is None or len(at) != len(plan.dimensions):
            raise BadInput("content.drill_not_possible")
        today = _today(ground.layer)
        found = []
        for level in levels(plan, ground.layer):
            try:
                _compiled(descend(plan, ground.layer, Step(at, level.key), today=today), ground)
            except PlanProblem:
                continue  # no one way leads there
            found.append(level)
        return said(plan, ground.layer, at), found

    def offered(
        self, principal: Principal, content: Mapping[str, Any], entry: Mapping[str, Any]
    ) -> list[tuple[Any, str]] | None:
        """Return a filter's choices: what names it, and its words. None: anything may be typed."""
        ground = self._ground_of(principal, content, entry["field"])
        if entry.get("kind", "values") == "period":
            from datapilot_kernel.answers.grammar import upper_first
            from datapilot_kernel.answers.wording import describe_period

            formatter = ground.formatter() if ground is not None else Formatter()
            return [(key, upper_first(describe_period(period, formatter))) for key, period in PERIODS.items()]
        names = _names(ground, entry["field"])
        values = _values(entry, names if _is_everybodys(ground, entry["field"]) else {})
        return None if values is None else [(json.dumps(value), names.get(_key(value)) or _word(value)) for value in values]

    def made(self, principal: Principal) -> dict[str, datetime]:
        """Return how old the last good page of each dashboard is, of those that were made for this person's attributes."""
        from hub_config.snapshots.keys import attributes_key  # it stands on this room

        key = attributes_key(principal.tenant_id, principal.attributes)
        kept = (DashboardSnapshot.attributes_key == key, DashboardSnapshot.made_at.is_not(None))
        statement = select(DashboardSnapshot.dashboard_id, func.max(DashboardSnapshot.made_at)).where(*kept)
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            rows = session.execute(statement.group_by(DashboardSnapshot.dashboard_id)).all()
        return {dashboard_id: at for dashboard_id, at in rows if at is not None}

    # ── the plan ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _chosen(
        self, principal: Principal, published: Published, tile: Mapping[str, Any], choice: Choice
    ) -> tuple[Plan, tuple[str, ...], tuple[tuple[str, str], ...]]:
        plan = Plan.model_validate(tile["plan"])
        if not choice.filters and not choice.steps:
            return plan, (), ()
        ground = self.ground(principal, tile["source_id"])
        by_field = {entry["field"]: entry for entry in published.content.get("filters", ())}
        without = []
        for name, given in choice.filters.items():
            entry = by_field.get(name)
            if entry is None or len(given) > _MOST_TYPED:
                raise BadInput("content.filter_not_listed")
            narrowed = self._narrowed(plan, ground, entry, given)
            if narrowed is None:
                without.append(str(entry.get("label") or name.rpartition(".")[2]))
            else:
                plan = narrowed
        crumbs = []
        for step in choice.steps:
            if ground.layer is None:
                raise BadInput("content.drill_not_possible")
            where = said(plan, ground.layer, step.at)
            level = next((one.label for one in levels(plan, ground.layer) if one.key == step.level), "")
            plan = descend(plan, ground.layer, step, today=_today(ground.layer))
            crumbs.append((where, lower_first(level)))
        return plan, tuple(without), tuple(crumbs)

    def _narrowed(self, plan: Plan, ground: Ground, entry: Mapping[str, Any], given: str) -> Plan | None:
        """Return the plan with one filter; None: it has no part in this plan."""
        if entry.get("kind", "values") == "period":
            period = chosen_period(given.split("/") if "/" in given else [given])
            whole = plan.model_copy(update={"period": period})
            # Each measure is dated by its own date, as the tile has it; the filter's is for those that have none.
            return _possible(whole, ground) or _possible(whole.model_copy(update={"time": entry["field"]}), ground)
        names = _names(ground, entry["field"])
        values = _values(entry, names if _is_everybodys(ground, entry["field"]) else {})
        value: Any = given.strip()
        if values is None:
            value = next((key for key, word in names.items() if word.casefold() == value.casefold()), value)
        if values is not None:
            # By what it is written as: of 1, 1.0 and true only the one that was listed.
            known = {json.dumps(listed): listed for listed in values}
            if given not in known:
                raise BadInput("content.filter_not_listed")
            value = known[given]
        if isinstance(value, float):
            value = str(value)
        one = Filter(field=entry["field"], op="in", values=(value,)) if value is not None else None
        one = one or Filter(field=entry["field"], op="is_null")
        return _possible(plan.model_copy(update={"filters": (*plan.filters, one)}), ground)

    def _ground_of(self, principal: Principal, content: Mapping[str, Any], ref: str) -> Ground | None:
        """Return the source whose layer has this dimension, of those that the dashboard's tiles are over."""
        from datapilot_kernel.answers.wording import find_dimension
        from hub_config.errors import NotFound

        first = None
        for source_id in dict.fromkeys(tile["source_id"] for tile in content["tiles"]):
            try:
                ground = self.ground(principal, source_id)
            except NotFound:
                continue
            first = first or ground
            if find_dimension(ref, ground.layer) is not None:
                return ground
        return first


def _possible(plan: Plan, ground: Ground) -> Plan | None:
    if ground.layer is None:
        return plan  # the engine will say
    try:
        _compiled(plan, ground)
    except PlanProblem:
        return None
    return plan


def _compiled(plan: Plan, ground: Ground) -> None:
    assert ground.layer is not None
    compile_plan(plan, ground.layer, dialect=ground.dialect, today=_today(ground.layer))


def _today(layer: Layer) -> Any:
    from datapilot_kernel.engine.engine import today

    return today(layer.calendar.timezone)


def _names(ground: Ground | None, ref: str) -> dict[str, str]:
    from datapilot_kernel.answers.wording import find_dimension

    dimension = find_dimension(ref, ground.layer) if ground is not None else None
    return {key: words[0] for key, words in (dimension.values if dimension else {}).items() if words}


def _is_everybodys(ground: Ground | None, ref: str) -> bool:
    """Tell whether a dimension's values may be told to every reader: not where rows go by the person, or it is masked."""
    layer = ground.layer if ground is not None else None
    entity = layer.entities.get(ref.partition(".")[0]) if layer is not None else None
    if entity is None or entity.row_filter is not None:
        return False
    dimension = entity.dimensions.get(ref.partition(".")[2])
    return dimension is not None and dimension.column not in entity.masked


def _values(entry: Mapping[str, Any], names: Mapping[str, str]) -> list[Any] | None:
    """Return what may be chosen: as the publisher listed it; not listed, what the layer names; neither: None."""
    listed = entry.get("values")
    return list(listed) if listed is not None else (list(names) or None)


def _key(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _word(value: Any) -> str:
    from datapilot_kernel.messages import text

    if value is None:
        return text("answers.not_given")
    if isinstance(value, bool):
        return text("pages.dashboard.yes" if value else "pages.dashboard.no")
    return str(value).replace(".", ",") if isinstance(value, float) else str(value)
