"""The shape of a plan: which of the few kinds of questions a draft is, and the plan of that kind.

Aggregates (with groups, rankings, comparisons, shares, running totals), rows of an entity, groups that meet a
condition, and how
many of those there are.
"""

from __future__ import annotations

from datetime import date
from typing import cast

from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.local.columns import default_columns
from datapilot_kernel.nl2sql.local.draft import Group, MeasureMention, Mention
from datapilot_kernel.nl2sql.local.gaps import difference_of
from datapilot_kernel.nl2sql.local.grouping import GroupBuilder
from datapilot_kernel.nl2sql.local.lexicon import Option
from datapilot_kernel.nl2sql.local.one_thing import of_one_thing
from datapilot_kernel.nl2sql.local.signals import Missing, NotSure
from datapilot_kernel.nl2sql.local.timing import Timing
from datapilot_kernel.plan.model import (
    ColumnItem,
    Filter,
    Grain,
    Having,
    MeasureItem,
    Order,
    Plan,
    Related,
    Rollup,
)  # fmt: skip

_DUE = {"echeanc", "due", "deadlin", "limit"}
_LATE = {"impay", "retard", "echu", "overdu", "unpaid", "late", "souffranc", "non"}
_DEFAULT_TOP = 10


class Shaper(GroupBuilder):
    """Builds the plan of one draft under one set of picks."""

    def plan(self, today: date) -> Plan:
        """Return the plan. Raises Fork, Missing, NotSure."""
        draft = self.draft
        if draft.unexplained:
            raise NotSure(*draft.unexplained)
        if draft.instead:
            raise NotSure(*(m.text for m in draft.instead))  # instead of something that was not asked
        if draft.impossible:
            raise Missing("period_not_possible", draft.impossible)
        self.today = today
        self.items, self.dims = [], []
        self.filters_out: list[Filter] = []
        self.having: list[Having] = []
        self.related: list[Related] = []
        self.either: list[tuple[Filter, ...]] = []
        self.ignored: set[str] = set()
        if (one := of_one_thing(self)) is not None:
            return one
        self._dated_by_what_happened()
        self._which_of_two()
        self._how_big()
        self._with_theirs()
        self._first_date()
        self._listing()
        self._counts()
        subject = self._subject()
        self._totals(subject)
        self._kind_or_thing(subject)
        self._verbs(subject)
        if subject is None and self._is_values():
            plan = self._values_list()
        elif self._is_rows(subject):
            plan = self._rows(cast("str", subject))
        else:
            plan = self._aggregate(subject)
        self._taxes()
        self._nothing_dropped(plan)
        return plan

    def _how_big(self) -> None:
        """« la plus grosse commande de mai, elle était à combien ? »: how much, not how many."""
        draft, rank = self.draft, self.draft.rank
        if rank is None or not draft.count or draft.count_of or draft.measures or rank.by is not None or rank.nouns:
            return
        entities = [o.ref for m in draft.subjects for o in m.of("entity") if o.quality >= 0.94]
        if len(entities) == 1 and not rank.time and self.size_of_rows(entities[0]) is not None:
            draft.count = False

    def _with_theirs(self) -> None:
        """« magasins avec leur CA et leur marge »: for each of them."""
        draft = self.draft
        if draft.rank is not None or draft.groups or not draft.subjects or not any(m.beside for m in draft.measures):
            return
        draft.groups.append(Group(draft.subjects.pop(0)))

    def _nothing_dropped(self, plan: Plan) -> None:
        """Every operator that was read must have left a trace in the plan: what has none was not understood."""
        draft = self.draft
        transforms = {i.transform for i in plan.measures}
        filtered = [*plan.filters, *(f for i in plan.measures for f in i.filters)]
        parts = [p.via for p in plan.dimensions] + [p.via for p in plan.filters] + [p.via for p in plan.columns]
        vias = {v for part in (*parts, *(r.via for r in plan.related)) for v in part}
        vias |= {v for r in plan.related for f in r.filters for v in f.via}
        grains = {d.grain for d in plan.dimensions if d.grain}
        moment = draft.when and any(i.aggregate in ("min", "max") for i in plan.measures)
        compared = plan.comparison is not None
        to_date = any(p.period.kind == "to_date" for p in draft.periods)
        rank = draft.rank.text if draft.rank else ""
        for dropped, word in (
            (draft.distinct and not any(m.count for m in draft.measures), text("nl2sql.said.distinct")),
            (draft.new and not self.new_placed, text("nl2sql.said.new")),
            (draft.rank is not None and plan.limit is None and not moment and not draft.rank.whole, rank),
            (draft.sort and not plan.order, text("nl2sql.said.order")),
            (draft.together and not any(f.op == "in" for f in filtered), text("nl2sql.said.together")),
            (draft.growth and not compared, text("nl2sql.said.growth")),
            (draft.versus is not None and not compared, text("nl2sql.comparison")),
            (draft.compare and not compared and not plan.dimensions and len(plan.measures) < 2, text("nl2sql.comparison")),
            (draft.share and "share" not in transforms, "%"),
            (draft.remove_filter, text("nl2sql.follow_up")),  # « articles retirés »: there is no filter to take away
            (self.words.count("combien") > 1 and len(plan.measures) < 2, "combien"),
            (draft.gap and not any(i.minus for i in plan.measures), text("nl2sql.comparison")),
            (draft.cumul and "running_total" not in transforms and not to_date, text("nl2sql.said.cumul")),
            (draft.trend and not grains and not compared, text("nl2sql.said.trend")),
            (draft.aggregate is not None and plan.rollup is None, text("nl2sql.said.average")),
            (bool(draft.ways) and not vias & set(draft.ways), text("nl2sql.said.way")),
            (draft.ascending is not None and not plan.order, text("nl2sql.said.order")),
            (draft.when and not moment, text("nl2sql.when")),
            (draft.day_type is not None and not any(f.op == "day_type" for f in plan.filters), text("nl2sql.said.days")),
            (bool(draft.included) and not plan.ignored_defaults, text("nl2sql.said.include")),
        ):
            if dropped:
                raise NotSure(word)

    def _is_values(self) -> bool:
        draft = self.draft
        plain = not (
            draft.measures
            or draft.groups
            or draft.rank
            or draft.share
            or draft.trend
            or draft.growth
            or draft.cumul
            or draft.compare
        )
        quiet = not (
            draft.conditions
            or draft.related
            or draft.periods
            or draft.aggregate
            or draft.units
            or draft.head_unit
            or draft.sum
        )
        return (
            plain
            and quiet
            and bool(draft.subjects)
            and (draft.which or draft.listed)
            and all(m.of("dimension", "entity") for m in draft.subjects)
            and bool(draft.subjects[0].of("dimension"))
        )

    def _values_list(self) -> Plan:
        """« liste des marques », « quelles villes »: each value once."""
        if self.draft.count:
            raise NotSure(*(m.text for m in self.draft.subjects))
        refs: list[str] = []
        first, *others = self.draft.subjects
        owners = {o.ref for m in others for o in m.of("entity")}
        theirs = tuple(o for o in first.of("dimension") if o.entity in owners)
        if theirs:
            # « dans quelles villes avons-nous des magasins »
            first.options, others = theirs, [m for m in others if not m.of("entity")]
        for mention in (first, *others):
            refs.append(self.nearest(f"c{mention.start}", mention.of("dimension"), frozenset(), mention.text).ref)
        if any(self.layer.dimension(r).type == "number" for r in refs):
            # « quelle est la durée »: of what, and which of them?
            raise NotSure(*(m.text for m in self.draft.subjects))
        entity = refs[0].partition(".")[0]
        if any(self.k.distance(entity, r.partition(".")[0]) is None for r in refs):
            raise NotSure(*(m.text for m in self.draft.subjects))
        filters, any_of = self.filters([], entity)
        if any(self.k.distance(entity, f.field.partition(".")[0]) is None for f in filters):
            raise NotSure(*(v.text for v in self.draft.values))
        columns = tuple(ColumnItem(alias=self.alias(self._column_name(r)), field=r, via=self.via(entity, r)) for r in refs)
        return Plan(
            kind="rows", entity=entity, columns=columns, distinct=True, filters=tuple(filters), any_of=tuple(any_of),
            order=(Order(by=columns[0].alias, descending=False),),
        )  # fmt: skip

    def _is_rows(self, subject: str | None) -> bool:
        draft = self.draft
        if (
            draft.measures
            or draft.groups
            or draft.share
            or draft.trend
            or draft.cumul
            or draft.growth
            or draft.aggregate
            or draft.sum
        ):
            return False
        if draft.count or draft.actual or draft.extremes:
            return False
        if draft.head_unit or draft.units or draft.compare:
            return False
        if subject is None:
            return False
        if any(self._is_group_condition(c, subject) for c in draft.conditions):
            return False
        rank = draft.rank
        if rank is None:
            return True
        if rank.time:
            return True
        if rank.by is not None or rank.doing is not None:
            return False
        if not rank.nouns:
            return self.size_of_rows(subject) is not None
        return self._noun_dimension(rank.nouns, subject) is not None

    def _rows(self, subject: str) -> Plan:
        draft = self.draft
        if self.words[:1] == ("qui",) and self.words[1:2] != ("sont",) and not self.k.is_master(subject):
            # « qui a saisi les écritures » asks for people, not for what they made.
            raise Missing("missing_dimension", text("nl2sql.said.who"))
        if draft.when:
            return self._moment(subject)
        if self._only_when(subject) and not self._wanted_rows(subject):
            draft.measures.append(MeasureMention((Option("entity", subject),), draft.subjects[0].text, 0, count=True))
            draft.subjects.clear()
            return self._aggregate(subject)
        extra = list(draft.subjects[1:])
        columns: list[str] = []
        born = self._born(subject)
        for mention in extra:
            dims = [o for o in mention.of("dimension") if self.k.distance(subject, o.entity) is not None]
            own = [o for o in dims if o.entity == subject]
            if mention.start == draft.sort_by and own and not mention.of("entity"):
                # « factures triées par montant »: theirs, however another table calls its own.
                tier = [o for o in own if o.quality >= max(x.quality for x in own) - 0.06]
                columns.append(self.nearest(f"c{mention.start}", tier, frozenset({subject}), mention.text).ref)
            elif dims and not mention.of("entity"):
                if max(o.quality for o in dims) < 0.85 or any(self.layer.dimension(o.ref).type == "boolean" for o in dims):
                    raise NotSure(mention.text)
                columns.append(self.nearest(f"c{mention.start}", dims, frozenset({subject}), mention.text).ref)
            elif not any(
                self.k.distance(subject, o.ref) is not None or self.k.distance(o.ref, subject) is not None
                for o in mention.of("entity")
            ):
                raise Missing("no_join", mention.text, measure=self._subject_label(subject))
        if draft.new:
            self._new_needs_date(subject)
        timing = Timing(self, subject=subject)
        period, time = timing.period_of_rows(subject)
        self._text_conditions(subject)
        for condition in draft.conditions:
            self._row_condition(condition, subject)
        self._presences(subject)
        filters, any_of = self.filters([], subject)
        self.filters_out += filters
        self._leave_defaults(frozenset({subject}))
        self._include(frozenset({subject}))
        rank = draft.rank
        order: tuple[Order, ...] = ()
        limit: int | None = None
        by: str | None = None
        descending = True
        if rank is not None:
            if rank.time:
                by = (
                    time
                    or (f"{subject}.{self.layer.entities[subject].time}" if self.layer.entities[subject].time else None)
                    or self.k.time_of(subject)
                    or born
                )
                if by is None:
                    raise Missing("missing_time", self._subject_label(subject))
            else:
                by = self._noun_dimension(rank.nouns, subject) if rank.nouns else self.size_of_rows(subject)
            descending = rank.descending
            limit = self._limit()
        self._narrow_related(subject)
        wanted = [*columns, *([by] if by else []), *(f.field for f in self.filters_out)]
        refs = default_columns(
            self.k,
            subject,
            tuple(
                dict.fromkeys(
                    r for r in wanted if self._shown(r) and self.k.distance(subject, r.partition(".")[0]) is not None
                )
            ),
        )
        if not refs:
            raise Missing("missing_dimension", self._subject_label(subject))
        aliases = {ref: self.alias(self._column_name(ref)) for ref in refs}
        items = tuple(ColumnItem(alias=aliases[ref], field=ref, via=self.via(subject, ref)) for ref in refs)
        sorted_by = self._sorted_rows(subject, columns)
        own_time = f"{subject}.{self.layer.entities[subject].time}"
        if sorted_by is not None and sorted_by[0] in aliases:
            order = (Order(by=aliases[sorted_by[0]], descending=sorted_by[1]),)
        elif by is not None and by in aliases:
            order = (Order(by=aliases[by], descending=descending),)
        elif own_time in aliases and not self.k.is_master(subject):
            order = (Order(by=aliases[own_time]),)
        else:
            order = (Order(by=aliases[refs[0]], descending=False),)
        return Plan(
            kind="rows", entity=subject, columns=items, filters=tuple(self.filters_out), any_of=tuple(any_of),
            related=tuple(self.related),
            period=period, time=time, order=order, limit=limit, ties=bool(rank and limit == 1),
            ignored_defaults=tuple(sorted(self.ignored)),
        )  # fmt: skip

    def _only_when(self, subject: str) -> bool:
        """« commandes enregistrées en mai »: nothing but what and when, and not a word that says a list."""
        draft = self.draft
        more = (
            draft.listed or draft.which or draft.rank or draft.conditions or draft.related or draft.presences or draft.texts
            or draft.values or draft.included or draft.new or draft.sort or draft.when or draft.day_type or draft.again
        )  # fmt: skip
        bare = len(draft.subjects) == 1 and draft.subjects[0].start == 0 and bool(draft.periods)
        return bare and not more and not self.k.is_master(subject)

    def _wanted_rows(self, subject: str) -> bool:
        model = self.layer.entities[subject]
        if "qui" in self.words[1:4] or "that" in self.words[1:3]:
            return True  # « factures qui arrivent à échéance cette semaine »: those that do
        return self.choose(
            "listing", [True, False],
            lambda rows: text("nl2sql.the_list" if rows else "nl2sql.their_number", label=model.plural or model.label),
            text("nl2sql.list_or_number", word=self.draft.subjects[0].text),
        )  # fmt: skip

    def _sorted_rows(self, subject: str, columns: list[str]) -> tuple[str, bool] | None:
        """« factures triées par échéance »: the column, and whether the greatest come first."""
        draft = self.draft
        if not draft.sort:
            return None
        if draft.alphabetical or draft.sort_by is None:
            name = next(iter(self.k.name_columns(subject)), None)
            if name is None or (not draft.alphabetical and draft.ascending is None):
                raise NotSure(text("nl2sql.said.order"))
            return name, draft.ascending is False
        mention = next((m for m in draft.subjects[1:] if m.start == draft.sort_by), None)
        if mention is None:
            raise NotSure(text("nl2sql.said.order"))
        ref = columns[[m.start for m in draft.subjects[1:] if m.of("dimension") and not m.of("entity")].index(mention.start)]
        number = self.layer.dimension(ref).type == "number"
        return ref, draft.ascending is False if draft.ascending is not None else number

    def _shown(self, ref: str) -> bool:
        return not self.layer.dimension(ref).hidden

    def _born(self, subject: str) -> str | None:
        """« le dernier magasin ouvert », « le plus ancien magasin »: the date since when, where no other dates it."""
        draft, model = self.draft, self.layer.entities[subject]
        if draft.rank is None or not draft.rank.time or model.time is not None or self.k.time_of(subject) is not None:
            return None
        dates = {f"{subject}.{n}" for n, d in model.dimensions.items() if d.type in ("date", "timestamp") and not d.hidden}
        for presence in draft.presences:
            theirs = sorted({o.ref for o in presence.mention.of("dimension")} & dates)
            if len(theirs) == 1 and not presence.empty:
                draft.presences.remove(presence)
                return theirs[0]
        created = sorted(ref for ref in dates if self.k.is_creation(ref))
        return created[0] if len(created) == 1 and not draft.presences else None

    def _moment(self, subject: str) -> Plan:
        """« date de la dernière commande »: the date itself."""
        rank = self.draft.rank
        time = self._born(subject) or self.k.time_of(subject)
        if time is None:
            raise Missing("missing_time", self._subject_label(subject))
        if rank is None or not rank.time or self.draft.subjects[1:]:
            raise NotSure(text("nl2sql.when"))
        filters, any_of = self.filters([], subject)
        period, _ = Timing(self, subject=subject).period_of_rows(subject)
        self.filters_out += filters
        self._leave_defaults(frozenset({subject}))
        item = MeasureItem(
            alias=self.alias(time.partition(".")[2]), aggregate="max" if rank.descending else "min", field=time
        )
        return Plan(
            measures=(item,), filters=tuple(self.filters_out), any_of=tuple(any_of), related=tuple(self.related),
            period=period,
            ignored_defaults=tuple(sorted(self.ignored)),
        )  # fmt: skip

    def _units_counted(self, subject: str | None) -> Grain | None:
        """« combien de jours de mai ont dépassé 20 000 € de CA »: the unit of time that is counted."""
        draft = self.draft
        more = (
            draft.measures or draft.groups or draft.subjects or draft.rank or draft.related or draft.share or draft.trend
            or draft.growth or draft.cumul or draft.compare or draft.aggregate or draft.head_unit or draft.presences
        )  # fmt: skip
        if not draft.count or len(draft.units) != 1 or more or subject is not None or not draft.conditions:
            return None
        for condition in draft.conditions:
            if condition.target is None and condition.money and not condition.unit and self.k.revenue is not None:
                condition.target = Mention((Option("measure", self.k.revenue),), condition.text)
                self.note("default_measure", label=self.layer.measure(self.k.revenue).label)
        return draft.units[0] if all(self._is_group_condition(c, None) for c in draft.conditions) else None

    def _count_units(self, unit: Grain) -> Plan:
        draft = self.draft
        for condition in draft.conditions:
            self._having(condition, None)
        self.dims = [self.time_group(unit, self.items)]
        filters, any_of = self.filters(self.items, None)
        timing = Timing(self)
        time = timing.decide(self.items, self.dims)
        if timing.comparison is not None:
            raise NotSure(text("nl2sql.comparison"))
        self.filters_out += filters
        roots = frozenset[str]().union(*(self.item_roots(i) for i in self.items))
        self._leave_defaults(roots)
        self._include(roots)
        return Plan(
            measures=tuple(self.items), dimensions=tuple(self.dims), filters=tuple(self.filters_out),
            any_of=(*any_of, *self.either), having=tuple(self.having), period=timing.period, time=time,
            rollup=Rollup(function="count", label=text("nl2sql.count_label", label=text(f"plan.grain.{unit}").lower())),
            ignored_defaults=tuple(sorted(self.ignored)),
        )  # fmt: skip

    def _aggregate(self, subject: str | None) -> Plan:
        draft = self.draft
        if (unit := self._units_counted(subject)) is not None:
            return self._count_units(unit)
        counted = subject if any(m.count and any(o.ref == subject for o in m.of("entity")) for m in draft.measures) else None
        group_conditions = [c for c in draft.conditions if self._is_group_condition(c, subject)]
        self._bare_amounts()
        self._columns_measured()
        folded = counted is not None and bool(group_conditions) and len(draft.measures) == 1
        if not folded:
            self._measures(subject)
        moving = draft.change is not None and (subject is not None or bool(draft.subjects))
        groups = self._groups(subject, folded=folded, conditions=bool(group_conditions) or moving)
        if folded:
            pass
        elif not self.items:
            self._default_measures(subject, group_conditions)
        self._context(subject, counted)
        self._average_of_groups(groups)
        split = [self._dimensions(g, i) for i, g in enumerate(groups)]
        self.dims = [d for dims in split for d in dims]
        for condition in draft.conditions:
            if condition in group_conditions:
                self._having(condition, subject)
            else:
                self._row_condition(condition, None if self.items else subject)
        rowless = None if self.items else subject
        self._presences(rowless)
        self._text_conditions(rowless)
        filters, any_of = self.filters(self.items, subject)
        self._known_only()
        filters = difference_of(self, filters)
        self._value_axis(filters)
        self._total_of_last_year()
        timing = Timing(self, subject=counted or subject)
        time = timing.decide(self.items, self.dims)
        filters = self._shares(filters)
        self.filters_out += filters
        self._running()
        roots = frozenset[str]().union(*(self.item_roots(i) for i in self.items))
        self._leave_defaults(roots)
        self._leave_grouped(roots)
        self._include(roots)
        if draft.extremes:
            raise NotSure(draft.rank.text if draft.rank else "")
        order, limit, limit_per = self._order(split)
        rollup = self._rollup(folded, counted)
        if rollup is not None:
            order, limit, limit_per = (), None, None
        self._in_that_direction()
        if self.having and not self.dims and all(c.against for c in group_conditions):
            # « Bordeaux a-t-il atteint son objectif ? »: how far it is from it.
            self.having = []
        if self.having and not self.dims:
            raise NotSure(*(c.text for c in draft.conditions))
        if draft.rank is not None and (draft.growth or timing.comparison is not None) and draft.rank.change is None:
            raise NotSure(draft.rank.text)
        if draft.rank is not None and draft.rank.change is not None and timing.comparison is None:
            raise NotSure(draft.rank.text)
        if draft.when:
            raise NotSure(text("nl2sql.when"))
        self._narrow_related(subject)
        if timing.comparison is not None and (rollup is not None or self._transformed()):
            raise NotSure(text("nl2sql.comparison"))
        return Plan(
            measures=tuple(self.items), dimensions=tuple(self.dims), filters=tuple(self.filters_out),
            any_of=(*any_of, *self.either),
            related=tuple(self.related), having=tuple(self.having), period=timing.period, time=time,
            comparison=timing.comparison,
            order=order, limit=limit, limit_per=limit_per, ties=bool(draft.rank and limit == 1), rollup=rollup,
            ignored_defaults=tuple(sorted(self.ignored)),
        )  # fmt: skip
