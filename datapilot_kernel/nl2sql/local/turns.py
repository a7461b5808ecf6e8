"""What a follow-up takes away or turns: « enlève le web », « et en TTC ? », « tous », « en tout », « lesquels ? ».

The other half of :mod:`.followup`, which adds and replaces. A thing to take away that the plan before does not have is not
understood: nothing is removed by guessing.
"""

from __future__ import annotations

from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.local.columns import default_columns
from datapilot_kernel.nl2sql.local.draft import Mention
from datapilot_kernel.nl2sql.local.lexicon import Option
from datapilot_kernel.nl2sql.local.shapes import Shaper
from datapilot_kernel.nl2sql.local.signals import NotSure
from datapilot_kernel.plan.model import ColumnItem, Filter, MeasureItem, Order, Plan, Rollup

_COMPARED = ("lt", "le", "gt", "ge", "between", "older_than", "within_last")


class Turner(Shaper):
    """Changes of a plan that take something away, or turn it as a whole."""

    changed = False
    adding = False

    def _without_filters(self, plan: Plan) -> Plan:
        """« enlève le filtre sur la ville », « sans filtre », « tous »."""
        self.changed = True
        draft = self.draft
        targets = {o.ref for s in draft.subjects for o in s.of("dimension")}
        entities = {o.ref for s in draft.subjects for o in s.of("entity")}
        if not targets and not entities:
            bare: dict[str, object] = {"filters": (), "any_of": (), "having": ()}
            if draft.all and plan.limit is not None:
                bare = {"limit": None, "limit_per": None, "ties": False}
            elif not (plan.filters or plan.any_of or plan.having):
                bare = {"period": None, "comparison": None}
            return plan.model_copy(update=bare)
        kept = tuple(f for f in plan.filters if f.field not in targets and f.field.partition(".")[0] not in entities)
        if kept == plan.filters:
            return self._without_groups(plan)
        draft.subjects = []
        return plan.model_copy(update={"filters": kept})

    def _without_groups(self, plan: Plan) -> Plan:
        """« enlève le canal », where the plan is cut by it."""
        draft = self.draft
        refs = {o.ref for s in draft.subjects for o in s.options}
        kept = [d for d in self.dims if d.field not in refs and d.field.partition(".")[0] not in refs]
        gone = {d.alias for d in self.dims} - {d.alias for d in kept}
        if not gone or plan.limit_per in gone or (plan.limit is not None and not kept):
            raise NotSure(*(s.text for s in draft.subjects))
        self.dims, draft.subjects = kept, []
        return plan

    def _without_values(self, plan: Plan) -> Plan:
        """« enlève le web »: no longer only the web, or all but the web."""
        draft = self.draft
        filters: list[Filter] = list(plan.filters)
        for value in draft.values:
            stored = {(o.ref, o.value) for o in value.of("value")}
            held = next((f for f in filters if f.op in ("eq", "in") and any((f.field, v) in stored for v in f.values)), None)
            if held is None:
                dims = {d.field for d in self.dims}
                inside = tuple(o for o in value.options if o.ref in dims)
                value.options, value.negated = inside or value.options, True
                continue
            left = tuple(v for v in held.values if (held.field, v) not in stored)
            place = filters.index(held)
            filters[place : place + 1] = [held.model_copy(update={"values": left, "typed": ()})] if left else []
            value.options = ()
        draft.values = [v for v in draft.values if v.options]
        self.changed = True
        return plan.model_copy(update={"filters": tuple(filters)})

    def _without_measures(self, plan: Plan) -> Plan:
        """« enlève la marge »: one column less."""
        gone: set[str] = set()
        for mention in self.draft.measures:
            refs = {o.ref for o in mention.of("measure") if o.quality >= 0.94}
            found = {i.alias for i in self.items if i.measure in refs}
            if not found:
                raise NotSure(mention.text)
            gone |= found
        kept = [i for i in self.items if i.alias not in gone]
        if not any(not i.hidden for i in kept) or any(h.measure in gone for h in plan.having):
            raise NotSure(*(m.text for m in self.draft.measures))
        self.items, self.draft.measures, self.changed = kept, [], True
        return plan

    def _instead_of(self, plan: Plan) -> Plan:
        """« la marge au lieu du CA »: only what is replaced goes."""
        for mention in self.draft.instead:
            refs = {o.ref for o in mention.options if o.quality >= 0.94}
            measured = [i for i in self.items if i.measure in refs]
            grouped = [d for d in self.dims if d.field in refs or d.field.partition(".")[0] in refs]
            if not (measured and self.draft.measures) and not (grouped and (self.draft.groups or self.draft.subjects)):
                raise NotSure(mention.text)
            ranked = plan.limit is not None and any(o.by == i.alias for o in plan.order for i in measured)
            if ranked and len(self.items) > len(measured):
                raise NotSure(mention.text)  # ranked by what goes: by which of the others then?
            if measured and len(self.items) > len(measured):
                self.items = [i for i in self.items if i not in measured]
                self.adding = True
        return plan

    def _retaxed(self, plan: Plan) -> None:
        """« et en TTC ? »: the same measures, with the tax or without."""
        tax = self.draft.tax
        if tax is None or self.draft.measures or plan.kind != "aggregate" or self.draft.conditions:
            return
        turned: list[MeasureItem] = []
        for item in self.items:
            self._aliases.discard(item.alias)
            wish = item.alias
            if item.measure is not None:
                found = self._taxed([Option("measure", item.measure)], tax)
                made = item.model_copy(update={"measure": found[0].ref})
                wish = wish if found[0].ref == item.measure else found[0].ref.partition(".")[2]
                if len(found) != 1:
                    raise NotSure(text("nl2sql.follow_up"))
            elif item.field is not None:
                made = item.model_copy(update={"field": self._taxed_field(item.field, tax)})
            else:
                made = item
            turned.append(made.model_copy(update={"alias": self.alias(wish)}))
        if self.tax_placed:
            self.items, self.changed = turned, True

    def _in_all(self, plan: Plan) -> Plan:
        """« et en tout ? » after figures by something: their total."""
        if plan.kind != "aggregate" or not self.dims or plan.limit is not None or plan.having or plan.rollup is not None:
            raise NotSure(text("nl2sql.follow_up"))
        if any(i.transform is not None for i in self.items):
            raise NotSure(text("nl2sql.follow_up"))
        self.dims, self.changed = [], True
        return plan.model_copy(update={"order": ()})

    def _folded(self, plan: Plan) -> Plan:
        """« et en moyenne ? » after figures by something: over those."""
        how = self.draft.aggregate
        one = len(self.items) == 1 and len(self.dims) == 1 and plan.kind == "aggregate"
        if not one or plan.limit is not None or plan.comparison is not None or plan.having or self.items[0].transform:
            raise NotSure(text("nl2sql.said.average"))
        if how not in ("avg", "min", "max", "median") or plan.rollup is not None:
            raise NotSure(text("nl2sql.said.average"))
        self.changed = True
        return plan.model_copy(update={"rollup": Rollup(function=how, measure=self.items[0].alias), "order": ()})

    def _counted_entity(self, plan: Plan) -> str | None:
        """Return the entity whose rows the plan lists or counts; None when it does neither."""
        if plan.kind == "rows":
            return plan.entity
        if len(plan.measures) != 1 or plan.dimensions or plan.rollup is not None:
            return None
        item = plan.measures[0]
        if item.measure is None:
            return item.entity if item.aggregate == "count" else None
        entity = item.measure.partition(".")[0]
        return entity if self.k.row_count(entity) == item.measure else None

    def _listed(self, plan: Plan) -> Plan:
        """« lesquels ? » after a number of rows: the rows."""
        entity = self._counted_entity(plan)
        if entity is None:
            raise NotSure(text("nl2sql.follow_up"))
        wanted = [f.field for f in plan.filters]
        reached = [r for r in dict.fromkeys(wanted) if self._shown(r) and self.k.distance(entity, r.partition(".")[0]) == 0]
        refs = default_columns(self.k, entity, tuple(reached))
        if not refs:
            raise NotSure(text("nl2sql.follow_up"))
        self._aliases = set()
        columns = tuple(ColumnItem(alias=self.alias(self._column_name(r)), field=r, via=self.via(entity, r)) for r in refs)
        self.items, self.dims, self.changed = [], [], True
        return Plan(
            kind="rows", entity=entity, columns=columns, filters=plan.filters, any_of=plan.any_of, related=plan.related,
            period=plan.period, time=plan.time, order=(Order(by=columns[0].alias, descending=False),),
            ignored_defaults=plan.ignored_defaults,
        )  # fmt: skip

    def _replaced(self, made: list[Filter], kept: tuple[Filter, ...]) -> list[Filter]:
        """Leave out the filters that new ones stand in for: « et de plus de 90 jours ? » after 60."""
        whole = {f.field for f in made if f.op in ("eq", "in", "ne", "not_in")}
        same = {(f.field, f.op) for f in made if f.op in _COMPARED}
        known = set(made)
        return [
            f
            for f in kept
            if f not in known
            and (f.field, f.op) not in same
            and not (f.field in whole and f.op in ("eq", "in"))
            and not (f.field in {m.field for m in made if m.op in ("eq", "in")} and f.op in ("ne", "not_in"))
        ]

    def _of_groups(self, mentions: list[Option]) -> tuple[Option, ...]:
        """« seulement Lyon » after figures by shop: the shops of Lyon, not the clients."""
        homes = {d.field.partition(".")[0] for d in self.dims if d.grain is None}
        return tuple(o for o in mentions if o.entity in homes and o.quality >= 0.94)

    def _entity_counted_too(self) -> Mention | None:
        """« pareil pour les commandes »: how many of them; None where the question asks for something else."""
        draft = self.draft
        if draft.measures or draft.groups or draft.values or draft.listed or draft.which or draft.rank is not None:
            return None
        if len(draft.subjects) != 1 or draft.conditions or draft.sort or draft.remove_filter:
            return None
        mention = draft.subjects[0]
        entities = [o for o in mention.of("entity") if o.quality >= 0.94]
        return mention if len(entities) == 1 and not self.k.is_master(entities[0].ref) else None
