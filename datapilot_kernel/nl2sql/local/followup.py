"""Follow-ups: a short question that changes the plan before it (« et par région ? », « seulement Lyon », « et l'an
dernier ? »).

A question follows up when it says it does (« et… », « seulement… », « trie… ») or when it lacks what a question of
its own has
(something measured, counted or listed). What it names replaces what the earlier plan had of the same kind; the rest stays.
"""

from __future__ import annotations

import re
from datetime import date

from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.local.carry import carried
from datapilot_kernel.nl2sql.local.cover import Cover
from datapilot_kernel.nl2sql.local.draft import Condition, Draft, Group, MeasureMention
from datapilot_kernel.nl2sql.local.gaps import two_parts
from datapilot_kernel.nl2sql.local.knowledge import Knowledge
from datapilot_kernel.nl2sql.local.shapes import Shaper
from datapilot_kernel.nl2sql.local.signals import Missing, NotSure, Pick
from datapilot_kernel.nl2sql.local.timing import Timing
from datapilot_kernel.nl2sql.local.turns import Turner
from datapilot_kernel.plan.model import (
    AllTime,
    ColumnItem,
    Comparison,
    Filter,
    Having,
    MeasureItem,
    Order,
    Plan,
    Related,
)  # fmt: skip

_ONE_VALUE = re.compile(r"^\s*(\w+)\s*=\s*'([^']*)'\s*$")
_ADDING = {"ajoute", "ajoutez", "rajoute", "aussi", "egalement", "add", "also", "plus"}

_EVERY = {"tous", "toutes", "every", "all"}
_AMOUNTS = {"montant", "montants", "montant total", "valeur", "valeur totale", "amount", "total amount"}

__all__ = ["follow", "is_follow_up", "is_fragment", "stands_alone"]


def is_follow_up(draft: Draft, last: Plan | None) -> bool:
    """Tell whether a draft only makes sense after the plan before it."""
    if last is None or draft.unexplained:
        return False
    against = any(c.against for c in draft.conditions)
    complete = bool(draft.measures) or against or any(m.of("entity") for m in draft.subjects)
    if (
        draft.again_first
        or draft.remove_filter
        or draft.pointing
        or (not complete and (draft.again or draft.only or draft.sort))
    ):
        # « et le CA par mois en 2024 » names everything itself, and still keeps what it does not name.
        return True
    if draft.only and draft.values and not (draft.measures or draft.groups or draft.listed or draft.which or draft.count):
        return True  # « uniquement les commandes web », « seulement les boutiques physiques »
    if draft.gap and not draft.measures:
        return True  # « écart avec Paris ? »
    if draft.share and not draft.groups and not draft.values and not draft.measures:
        return True
    if draft.sort and draft.measures and not draft.groups and not draft.subjects and not draft.values and not draft.periods:
        return True  # « trie par marge »
    if (draft.figures and draft.listed) or (draft.sum and draft.groups and not draft.again):
        return False  # « donne-moi les chiffres du mois », « montant total par région »: of what, is asked
    if _of_those(draft) and any(d.grain is None for d in last.dimensions):
        return True
    if stands_alone(draft) and draft.rank is not None and draft.which:
        return False  # « à quelle heure vend-on le plus » asks something of its own, even where it must be asked back
    return not complete and not (draft.subjects and draft.groups)


_LITTLE = {"le", "la", "les", "l", "de", "d", "du", "des", "en", "the", "of", "?", "!", "."}


def is_fragment(draft: Draft, last: Plan | None, cover: Cover) -> bool:
    """Tell whether a question is nothing but a measure (« combien de commandes ? », « panier moyen ? ») after one that was
    narrowed: said in one breath with it, it asks for the same days and the same part of the whole.

    A sentence (« quel est le panier moyen ? ») stands on its own; so does what the part cannot be taken of.
    """
    if last is None or len(draft.measures) != 1 or draft.unexplained or last.kind != "aggregate" or not last.measures:
        return False
    if last.related or last.comparison is not None:
        return False
    if not (last.filters or last.any_of or last.period is not None) or any(m.transform for m in last.measures):
        return False
    named = [i for i in cover.items if i.kind == "lex"]
    rest = [i for i in cover.items if i.kind != "lex" and not i.is_op("count")]
    return len(named) == 1 and all(i.kind == "filler" and i.norm in _LITTLE for i in rest)


def _of_those(draft: Draft) -> bool:
    """« quelle est la plus rentable ? »: a superlative of nothing that is named."""
    rank = draft.rank
    bare = rank is not None and not rank.time and rank.by is None and rank.doing is None
    named = draft.subjects or draft.measures or draft.groups or draft.head or draft.head_unit or draft.units or draft.values
    return bare and not named


def stands_alone(draft: Draft) -> bool:
    """Tell whether a draft says by itself what is measured or listed, and nothing in it points back.

    Such a question is read on its own whenever it can be: conversations last for hours, and most of their questions are new.
    """
    whole = bool(draft.groups) and any(m.start != draft.sort_by for m in draft.measures)  # « CA par marque trié par marge »
    if draft.again_first or draft.again or draft.only or (draft.sort and not whole) or draft.remove_filter or draft.pointing:
        return False
    if draft.share and not draft.measures and draft.rank is None and not draft.subjects and not draft.groups:
        return False  # « quelle part pour le web ? »: of what was asked just before
    rank = draft.rank
    ranked = rank is not None and (rank.by is not None or bool(rank.nouns) or rank.doing is not None)
    ranked = ranked or (rank is not None and bool(draft.subjects))  # « motif de retour principal »: where it says enough
    asked = draft.which or draft.listed or draft.when
    named = draft.head_unit is not None or bool(draft.subjects or draft.values)
    against = any(c.against for c in draft.conditions)
    units_counted = draft.count and bool(draft.units) and bool(draft.conditions)  # « combien de jours ont dépassé… »
    return bool(draft.measures) or ranked or against or units_counted or (asked and named)


def follow(
    k: Knowledge, draft: Draft, last: Plan, pick: Pick, today: date, words: tuple[str, ...]
) -> tuple[Plan, list[str]]:
    """Return the plan before, changed by what the draft names. Raises Fork, Missing, NotSure."""
    if draft.unexplained:
        raise NotSure(*draft.unexplained)
    if draft.impossible:
        raise Missing("period_not_possible", draft.impossible)
    return _Follower(k, draft, pick).change(last, today, words)


class _Follower(Turner):
    def change(self, last: Plan, today: date, words: tuple[str, ...]) -> tuple[Plan, list[str]]:
        self.today, self.words, self.last = today, words, last
        self.filters_out, self.having, self.related, self.narrowing = [], [], [], list[Filter]()
        self.either = list[tuple[Filter, ...]]()
        self.ignored = set(last.ignored_defaults)
        self._aliases = (
            {m.alias for m in last.measures} | {d.alias for d in last.dimensions} | {c.alias for c in last.columns}
        )
        self.items, self.dims = list(last.measures), list(last.dimensions)
        draft = self.draft
        subject = last.entity
        plan = last
        if draft.related or (draft.conditions and plan.kind == "aggregate" and not plan.measures):
            raise NotSure(*(r.text for r in draft.related))
        self.adding = draft.adding or any(w in _ADDING for w in words)
        if draft.gap:
            return self._gap_with(plan), self.notes
        if self._only_the_amount():
            return self._amount_of_those(plan), self.notes
        if draft.instead:
            plan = self._instead_of(plan)
        if draft.same_period:
            self._same_stretch(plan)
        for mention in draft.periods:
            if not mention.versus:
                mention.period = carried(
                    plan.period, mention.period, mention.text, today=today, calendar=self.layer.calendar
                )
        if draft.remove_filter and plan.kind == "aggregate" and draft.measures:
            plan = self._without_measures(plan)
        if draft.remove_filter and draft.values:
            plan = self._without_values(plan)
        elif (draft.remove_filter and not self.changed) or (draft.all and not draft.measures and not draft.groups):
            plan = self._without_filters(plan)
        if draft.pointing and draft.measures:
            raise NotSure(*(m.text for m in draft.measures))
        if draft.pointing and plan.kind == "aggregate" and draft.rank is None:
            plan = self._listed(plan)
            subject = plan.entity
        if (counted := self._entity_counted_too()) is not None and plan.kind == "aggregate":
            draft.measures.append(MeasureMention(counted.of("entity"), counted.text, counted.start, count=True))
            draft.subjects = []
        if draft.only and draft.values:
            # « uniquement les magasins d'Île-de-France »: what the values are of, no column more.
            whose = {o.entity for v in draft.values for o in v.options}
            draft.subjects = [m for m in draft.subjects if not whose & {o.ref for o in m.of("entity")}]
        self._retaxed(plan)
        if draft.sum and not (draft.measures or draft.groups or draft.values or draft.periods or draft.subjects):
            plan = self._in_all(plan)
        if draft.sum and self.dims and any(self.k.is_count(m.measure) for m in plan.measures if m.measure is not None):
            raise NotSure(text("nl2sql.follow_up"))  # « montant total » after a count: of what?
        if draft.count and not draft.measures and plan.kind == "rows" and not plan.distinct:
            return self._counted(plan), self.notes
        if draft.sort and draft.measures and plan.kind == "aggregate":
            return self._sorted_by(plan, draft.measures[0]), self.notes
        if draft.measures and plan.kind == "aggregate":
            self._new_measures(plan)
            plan = self._arrived_or_active(plan)
        elif draft.measures:
            return self._from_scratch()
        if self.narrowing:
            plan = plan.model_copy(update={"filters": (*plan.filters, *self.narrowing)})
        plan = self._groups_of(plan)
        plan = self._filters_of(plan, subject)
        plan = self._period_of(plan, subject)
        plan = self._rank_of(plan)
        if draft.share and plan.kind == "aggregate":
            plan = self._shares_of(plan)
        if draft.aggregate is not None and not draft.measures:
            plan = self._folded(plan)
        if draft.cumul:
            self._running()
            self.changed = True
        if draft.tax is not None and not self.tax_placed:
            raise NotSure("HT" if draft.tax == "net_of_tax" else "TTC")
        if not self.changed:
            raise NotSure(text("nl2sql.follow_up"))
        if plan.kind == "rows":
            return plan, self.notes
        aliases = {i.alias for i in self.items} | {d.alias for d in self.dims}
        order = () if not self.dims and plan.rollup is None else tuple(o for o in plan.order if o.by in aliases)
        if not order and self.items and self.dims:
            axis = next((d for d in self.dims if d.grain is not None), None)
            order = (Order(by=axis.alias, descending=False),) if axis else (Order(by=self.items[0].alias),)
        axis = next((d for d in self.dims if d.grain is not None), None)
        if (draft.groups or draft.trend) and axis is not None and plan.limit is None and not draft.sort:
            order = (Order(by=axis.alias, descending=False),)
        limit_per = plan.limit_per if plan.limit_per in aliases else None
        having = tuple(h for h in plan.having if h.measure in aliases)
        rollup = plan.rollup if plan.rollup is None or plan.rollup.measure in (None, *aliases) else None
        return (
            plan.model_copy(
                update={
                    "measures": tuple(self.items), "dimensions": tuple(self.dims), "order": order, "limit_per": limit_per,
                    "having": having,
                    "rollup": rollup, "ignored_defaults": tuple(sorted(self.ignored)),
                }
            ),
            self.notes,
        )  # fmt: skip

    def _gap_with(self, plan: Plan) -> Plan:
        """« écart avec Paris ? » after Lyon: the one less the other, and both."""
        draft = self.draft
        more = draft.measures or draft.groups or draft.periods or draft.subjects or draft.conditions or draft.rank
        shape = plan.having or plan.limit is not None or plan.rollup is not None or plan.comparison is not None
        if plan.kind != "aggregate" or len(plan.measures) != 1 or len(draft.values) != 1 or more or shape:
            raise NotSure(text("nl2sql.comparison"))
        item = plan.measures[0]
        stored = {o.ref: o for o in draft.values[0].of("value")}
        held = next((f for f in plan.filters if f.op == "eq" and f.field in stored), None)
        if held is None or item.filters or item.transform is not None or any(d.field == held.field for d in self.dims):
            raise NotSure(text("nl2sql.comparison"))
        other = stored[held.field].value
        if other is None or other in held.values:
            raise NotSure(draft.values[0].text)
        self.items = two_parts(self, item, held.model_copy(update={"op": "in", "values": (*held.values, other)}))
        rest = tuple(f for f in plan.filters if f is not held)
        order = tuple(o for o in plan.order if o.by in {d.alias for d in self.dims})
        return plan.model_copy(update={"measures": tuple(self.items), "filters": rest, "order": order})

    def _only_the_amount(self) -> bool:
        """« pour quel montant ? », « pour un total de combien ? »: nothing else is said."""
        draft = self.draft
        more = (
            draft.measures or draft.groups or draft.values or draft.periods or draft.conditions or draft.rank or draft.share
            or draft.units or draft.related or draft.trend or draft.growth or draft.cumul or draft.aggregate or draft.tax
        )  # fmt: skip
        named = [m for m in draft.subjects if m.text.lower() in _AMOUNTS]
        said = len(named) == 1 and len(draft.subjects) == 1
        return not more and (said or (draft.sum and draft.count and not draft.subjects))

    def _amount_of_those(self, plan: Plan) -> Plan:
        """The money of the rows that were listed or counted; asked where a state of theirs has an amount of its own."""
        entity = self._counted_entity(plan)
        if entity is None or plan.limit is not None or plan.having or plan.distinct or plan.comparison is not None:
            raise NotSure(text("nl2sql.follow_up"))
        model = self.layer.entities[entity]
        money = {
            f"{entity}.{n}" for n, m in model.measures.items()
            if not m.hidden and m.format.kind == "currency" and m.formula is None and m.additivity == "additive"
        }  # fmt: skip
        name = model.plural or model.label
        said = [o.ref for o in self.k.lexicon.lookup(f"montant des {name}") if o.ref in money and o.quality >= 0.95]
        held = {self.layer.dimension(f.field).column for f in plan.filters if f.field.startswith(f"{entity}.")}
        states = [r for r in sorted(money) if (own := self.layer.measure(r).filter) and any(c and c in own for c in held)]
        refs = list(dict.fromkeys([*said[:1], *states])) or sorted(money)
        if not refs:
            raise NotSure(text("nl2sql.follow_up"))
        ref = self.choose("money", refs, lambda r: self.layer.measure(r).label, text("nl2sql.which_amount"))
        self._aliases = set()
        item = MeasureItem(alias=self.alias(ref.partition(".")[2]), measure=ref)
        return Plan(
            measures=(item,), filters=plan.filters, any_of=plan.any_of, related=plan.related, period=plan.period,
            time=plan.time, ignored_defaults=plan.ignored_defaults,
        )  # fmt: skip

    def _counted(self, plan: Plan) -> Plan:
        """« combien ? » after a list."""
        item = self.count_of(plan.entity or "")
        return Plan(
            measures=(item,), filters=plan.filters, any_of=plan.any_of, related=plan.related, period=plan.period,
            time=plan.time,
            ignored_defaults=plan.ignored_defaults,
        )  # fmt: skip

    def _sorted_by(self, plan: Plan, wanted: MeasureMention) -> Plan:
        """« trie par marge »: the margin is shown too, and orders the rows."""
        draft = self.draft
        if draft.values or draft.groups or draft.periods or draft.conditions or len(draft.measures) > 1:
            raise NotSure(wanted.text)
        rank = draft.rank
        if rank is not None and (rank.by is not None or rank.nouns or rank.time or rank.doing is not None):
            raise NotSure(rank.text)
        by = self._sort_key(wanted)
        for dimension in self.dims:
            if dimension.grain is None and not self.reaches(
                next(i for i in self.items if i.alias == by), dimension.field.partition(".")[0]
            ):
                raise Missing("no_join", self.layer.dimension(dimension.field).label, measure=wanted.text)
        order = (Order(by=by, descending=not draft.ascending if rank is None else rank.descending),)
        update: dict[str, object] = {"measures": tuple(self.items), "order": order}
        if rank is not None:
            update["limit"] = self._limit()  # « trié par marge, les 5 premiers »
        return plan.model_copy(update=update)

    def _from_scratch(self) -> tuple[Plan, list[str]]:
        fresh = Shaper(self.k, self.draft, self.pick)
        fresh.words = self.words
        return fresh.plan(self.today), fresh.notes

    def _new_measures(self, plan: Plan) -> None:
        parts = {i.filters for i in plan.measures}
        one_part = next(iter(parts)) if len(parts) == 1 else ()
        if (
            (plan.rollup is not None and plan.rollup.measure is not None)
            or plan.having
            or (any(parts) and (not one_part or self.adding or len(self.draft.measures) > 1))
        ):
            raise NotSure(*(m.text for m in self.draft.measures))
        if not self.adding:
            self._aliases -= {m.alias for m in plan.measures}
        items: list[MeasureItem] = []
        for mention in self.draft.measures:
            item = self.measure(mention)
            if mention.count or (item.measure is not None and self.k.is_count(item.measure)):
                self._of_the_same_rows(plan, item)
            for dimension in plan.dimensions:
                entity = dimension.field.partition(".")[0]
                if dimension.grain is None and not self.reaches(item, entity):
                    raise Missing("no_join", self.layer.dimension(dimension.field).label, measure=self.item_label(item))
            items.append(item.model_copy(update={"filters": one_part}) if one_part else item)
            if one_part and self._averages(item):
                raise NotSure(mention.text)
        transforms = {m.transform for m in plan.measures if m.transform}
        for transform in transforms:
            items += [
                i.model_copy(update={"alias": self.alias(f"{transform}_{i.alias}"), "transform": transform})
                for i in list(items)
                if not (transform == "share" and (i.aggregate not in (None, "sum", "count") or self._averages(i)))
            ]
        self.items = [*self.items, *items] if self.adding else items
        axis = self.time_axis(items)
        self.dims = [
            d.model_copy(update={"field": axis}) if d.grain is not None and axis is not None and
            self.layer.dimension(d.field).type in ("date", "timestamp") else d
            for d in self.dims
        ]  # fmt: skip
        self.changed = True

    def _arrived_or_active(self, plan: Plan) -> Plan:
        """« et combien de clients ? » after sales of May: who arrived then, or who bought then? Asked, as on its own."""
        if len(self.items) != 1 or plan.period is None or isinstance(plan.period, AllTime) or self.adding:
            return plan
        item = self.items[0]
        entity = next(iter(self.item_roots(item)))
        rows = item.entity == entity or (item.measure is not None and item.measure == self.k.row_count(entity))
        if not rows or not self.k.is_master(entity) or self.layer.entities[entity].time is None:
            return plan
        beyond = [f for f in plan.filters if self.k.distance(entity, f.field.partition(".")[0]) is None]
        if beyond or plan.any_of or plan.related or any(d.grain is not None for d in plan.dimensions):
            raise NotSure(self.item_label(item))
        event = Timing(self, subject=entity)._creation_or_activity(entity)
        if event is None:
            return plan
        return plan.model_copy(update={"period": None, "related": (Related(entity=event, period=plan.period),)})

    def _held_to(self, condition: Condition) -> None:
        """« seulement plus de 100 000 € » after figures by something: those figures, never single rows."""
        shown = [i for i in self.items if not i.hidden and i.transform is None]
        measure = shown[0].measure if len(shown) == 1 else None
        if measure is None or (condition.money and self.layer.measure(measure).format.kind != "currency"):
            raise NotSure(condition.text)
        percent = condition.percent and self.layer.measure(measure).format.kind == "percent"
        if condition.percent and not percent:
            raise NotSure(condition.text)
        values = self.numbers(condition.numbers, percent=percent)
        self.having.append(Having(measure=shown[0].alias, op=condition.op, values=values))

    def _of_the_same_rows(self, plan: Plan, item: MeasureItem) -> None:
        """« et combien de factures ? » after the amount unpaid: of those, where the measure's own filter can be said."""
        entity = next(iter(self.item_roots(item)))
        for old in plan.measures:
            said = self.layer.measure(old.measure).filter if old.measure is not None else None
            if (
                said is None
                or self.item_roots(old) != {entity}
                or (item.measure and self.layer.measure(item.measure).filter)
            ):
                continue
            match = _ONE_VALUE.match(said)
            ref = next(
                (
                    f"{entity}.{n}"
                    for n, d in self.layer.entities[entity].dimensions.items()
                    if match and d.column == match[1]
                ),
                None,
            )
            if match is None or ref is None:
                raise NotSure(self.item_label(item))
            self.narrowing.append(Filter(field=ref, op="eq", values=(match[2],)))

    def _ranked_otherwise(self, groups: list[Group]) -> list[Group]:
        """« top 3 des marques » after figures by product: by brand now."""
        draft = self.draft
        if draft.rank is None or draft.rank.time or groups or not draft.subjects or self.last is None:
            return []
        fields = {d.field for d in self.dims}
        owners = {f.partition(".")[0] for f in fields}
        mention = draft.subjects[0]
        if any(o.ref in fields or (o.kind == "entity" and o.ref in owners) for o in mention.options):
            return []
        return [Group(mention)]

    def _averages(self, item: MeasureItem) -> bool:
        return item.measure is not None and self.k.is_average(item.measure)

    def _groups_of(self, plan: Plan) -> Plan:
        draft = self.draft
        groups = list(draft.groups)
        added = self.adding
        if plan.kind == "rows":
            if groups or draft.units:
                if plan.distinct:
                    raise NotSure(*(g.mention.text for g in groups if g.mention))
                # « et par client ? » after a list: how many of them.
                self.items = [self.count_of(plan.entity or "")]
                self.dims = [d for g in groups for d in self.group(g, self.items, 0)]
                self.changed = True
                return Plan(
                    measures=tuple(self.items), dimensions=tuple(self.dims), filters=plan.filters, any_of=plan.any_of,
                    related=plan.related,
                    period=plan.period, time=plan.time, ignored_defaults=plan.ignored_defaults,
                )  # fmt: skip
            extra = [m for m in draft.subjects if m.of("dimension")]
            columns = list(plan.columns)
            for mention in extra:
                option = self.nearest(
                    f"c{mention.start}", mention.of("dimension"), frozenset({plan.entity or ""}), mention.text
                )
                numeric = self.layer.dimension(option.ref).type == "number" and option.entity != plan.entity
                if numeric:
                    raise NotSure(mention.text)
                if self.k.distance(plan.entity or "", option.entity) is None:
                    raise Missing("no_join", mention.text, measure=self._subject_label(plan.entity))
                if not any(c.field == option.ref for c in columns):
                    columns.append(ColumnItem(alias=self.alias(self._column_name(option.ref)), field=option.ref))
                    self.changed = True
            return plan.model_copy(update={"columns": tuple(columns)})
        if added:
            groups += [Group(m) for m in draft.subjects if m.of("dimension")]
            draft.subjects = [m for m in draft.subjects if not m.of("dimension")]
        groups += self._ranked_otherwise(groups)
        for mention in draft.subjects:
            if mention.of("dimension") and not draft.rank:
                raise NotSure(mention.text)
            if mention.of("entity") and not draft.rank and not draft.values:
                raise NotSure(mention.text)
        if not groups:
            return plan
        self.changed = True
        if not added:
            self._aliases -= {d.alias for d in self.dims}
            self.dims = []
        made = [d for g in groups for d in self.group(g, self.items, 0)]
        self.dims += made
        if set(self.words) & _EVERY:
            # « et pour toutes les villes ? » after one of them.
            open_now = {d.field for d in made}
            plan = plan.model_copy(update={"filters": tuple(f for f in plan.filters if f.field not in open_now)})
        return plan.model_copy(update={"limit_per": None}) if not added else plan

    def _filters_of(self, plan: Plan, subject: str | None) -> Plan:
        draft = self.draft
        if not (draft.values or draft.conditions or draft.presences or draft.texts):
            return plan
        aggregate = plan.kind == "aggregate"
        known = {f.field for f in plan.filters}
        for value in draft.values:
            inside = tuple(o for o in value.options if o.ref in known)
            if inside and not value.named:
                # « et pour Paris ? » after « à Lyon »: the same dimension.
                value.options = inside
            elif not value.named and aggregate and (of_groups := self._of_groups(list(value.of("value")))):
                value.options = of_groups
        if draft.share and aggregate and draft.values:
            return plan  # « quelle part pour le web ? »: the part is one of the whole that was asked
        made, any_of = self.filters(self.items if aggregate else [], subject)
        for condition in draft.conditions:
            if aggregate and self.dims and condition.target is None and condition.unit is None and condition.minutes is None:
                self._held_to(condition)
            elif self._is_group_condition(condition, subject) and aggregate and self.dims:
                self._having(condition, subject)
            else:
                self._row_condition(condition, None if aggregate else subject)
        self._presences(None if aggregate else subject)
        self._text_conditions(None if aggregate else subject)
        made += self.filters_out
        kept = self._replaced(made, plan.filters)
        self.filters_out = made
        roots = (
            frozenset[str]().union(*(self.item_roots(i) for i in self.items)) if aggregate else frozenset({subject or ""})
        )
        self._leave_defaults(roots)
        said = {(h.measure, h.op, h.part) for h in self.having}
        held = [h for h in plan.having if (h.measure, h.op, h.part) not in said]
        self.changed = True
        return plan.model_copy(
            update={"filters": (*kept, *made), "any_of": (*plan.any_of, *any_of), "having": (*held, *self.having)}
        )

    def _period_of(self, plan: Plan, subject: str | None) -> Plan:
        draft = self.draft
        if not (draft.periods or draft.versus or draft.growth or draft.trend or draft.day_type):
            return plan
        self.changed = True
        if plan.kind == "rows":
            if len(draft.periods) != 1:
                raise NotSure(*(p.text for p in draft.periods))
            if plan.related and plan.period is None:
                related = [*plan.related[:-1], plan.related[-1].model_copy(update={"period": draft.periods[0].period})]
                return plan.model_copy(update={"related": tuple(related)})
            if self.k.time_of(subject or "") is None:
                raise Missing("missing_time", self._subject_label(subject))
            return plan.model_copy(update={"period": draft.periods[0].period})
        if not draft.periods and plan.period is not None:
            draft.periods = []
        timing = Timing(self)
        timing.inherited = plan.period
        time = timing.decide(self.items, self.dims)
        update: dict[str, object] = {"period": timing.period if timing.period is not None else plan.period}
        if time is not None:
            update["time"] = time
        comparison: Comparison | None = timing.comparison or plan.comparison
        if plan.comparison is not None and plan.comparison.kind == "period" and timing.comparison is None:
            comparison = None
        update["comparison"] = comparison
        said_day = [f for f in self.filters_out if f.op == "day_type"]
        day = getattr(timing.period, "unit", None) == "day"
        # « et hier ? » after « combien de commandes lundi »: another day, and stretches left out go with their period.
        kept = [f for f in plan.filters if f.op != "day_type" or not (day or said_day)]
        either = [group for group in plan.any_of if not draft.periods or not all(self._temporal_filter(f) for f in group)]
        return plan.model_copy(update={**update, "filters": (*kept, *said_day), "any_of": (*either, *self.either)})

    def _temporal_filter(self, one: Filter) -> bool:
        return self.layer.dimension(one.field).type in ("date", "timestamp")

    def _rank_of(self, plan: Plan) -> Plan:
        draft = self.draft
        if draft.sort and plan.kind == "rows":
            dims = {o.ref for s in draft.subjects for o in s.of("dimension")} | {
                d for m in draft.measures for o in m.of("measure") if (d := self.k.summed_dimension(o.ref))
            }
            column = next((c for c in plan.columns if c.field in dims), None)
            if column is None:
                raise NotSure(*(s.text for s in draft.subjects))
            self.changed = True
            return plan.model_copy(update={"order": (Order(by=column.alias, descending=not draft.ascending),)})
        if draft.alphabetical and (named := [d for d in self.dims if d.grain is None]):
            self.changed = True
            return plan.model_copy(update={"order": tuple(Order(by=d.alias, descending=False) for d in named)})
        if draft.sort or draft.ascending is not None:
            if draft.alphabetical:
                raise NotSure(text("nl2sql.said.order"))
            wanted = draft.rank.by if draft.rank else None
            by = self._sort_key(wanted)
            self.changed = True
            return plan.model_copy(
                update={"order": (Order(by=by, descending=not draft.ascending if draft.ascending is not None else True),)}
            )
        if draft.rank is None:
            return plan
        if draft.rank.time:
            raise NotSure(draft.rank.text)
        if draft.rank.nouns:
            return self._ranked_by_nouns(plan)
        self.changed = True
        if plan.kind == "rows":
            return plan.model_copy(update={"limit": self._limit()})
        if not self.dims:
            raise NotSure(draft.rank.text)
        if (
            draft.rank.by is None
            and plan.order
            and draft.rank.descending
            and any(o.by == i.alias for i in self.items for o in plan.order[:1])
        ):
            return plan.model_copy(update={"limit": self._limit()})
        by = self._sort_key(draft.rank.by)
        return plan.model_copy(update={"order": (Order(by=by, descending=draft.rank.descending),), "limit": self._limit()})

    def _ranked_by_nouns(self, plan: Plan) -> Plan:
        """« quelle est la plus rentable ? », « plutôt les moins vendus »: of the groups there are, by what that means."""
        rank = self.draft.rank
        assert rank is not None
        if plan.kind != "aggregate" or not any(d.grain is None for d in self.dims) or rank.nouns == ("*",):
            raise NotSure(rank.text)
        refs = {o.ref for noun in rank.nouns for o in self.k.lexicon.lookup(noun) if o.quality >= 0.94}
        by = next((i.alias for i in self.items if i.measure in refs and not i.transform), None)
        if by is None:
            item = self._noun_measure(rank.nouns, rank.text)
            for dimension in self.dims:
                if dimension.grain is None and not self.reaches(item, dimension.field.partition(".")[0]):
                    raise NotSure(rank.text)
            self.items.append(item)
            by = item.alias
        self.changed = True
        count = rank.count or (plan.limit if rank.plural and plan.limit is not None else self._limit())
        return plan.model_copy(
            update={"order": (Order(by=by, descending=rank.descending),), "limit": count, "limit_per": None}
        )

    def _same_stretch(self, plan: Plan) -> None:
        """« et l'an dernier à la même époque ? »: the period of before, a year earlier."""
        draft = self.draft
        if plan.period is None or len(draft.periods) != 1 or draft.periods[0].versus:
            raise NotSure(text("nl2sql.follow_up"))
        draft.same_period = False

    def _sort_key(self, wanted: MeasureMention | None) -> str:
        if wanted is not None:
            item = self.measure(wanted)
            known = next(
                (
                    i
                    for i in self.items
                    if i.measure == item.measure and i.entity == item.entity and i.field == item.field and not i.transform
                ),
                None,
            )
            if known is None:
                self.items.append(item)
                known = item
            return known.alias
        return next(i.alias for i in self.items if not i.hidden)

    def _shares_of(self, plan: Plan) -> Plan:
        if any(i.transform == "share" for i in self.items):
            raise NotSure("%")
        if self.draft.values:
            if plan.having or plan.limit is not None:
                raise NotSure("%")
            made, any_of = self.filters(self.items, None)
            if len(made) != 1 or any_of or any(f.field == made[0].field for f in plan.filters):
                raise NotSure("%")
            if [d for d in self.dims if d.field != made[0].field]:
                raise NotSure("%")
            self._aliases -= {i.alias for i in self.items}
            self.dims = []
            self._shares(made)
            self.changed = True
            return plan
        if not self.dims:
            raise NotSure("%")
        self._shares([])
        self.changed = True
        return plan
