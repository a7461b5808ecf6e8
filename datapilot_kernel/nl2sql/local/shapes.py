"""The shape of a plan: which of the few kinds of questions a draft is, and the plan of that kind.

Aggregates (with groups, rankings, comparisons, shares, running totals), rows of an entity, groups that meet a condition, and how
many of those there are.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Literal, cast

from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.local.builder import MAX_CHOICES, Builder
from datapilot_kernel.nl2sql.local.columns import default_columns
from datapilot_kernel.nl2sql.local.draft import Condition, Group, MeasureMention, Mention, RelatedMention
from datapilot_kernel.nl2sql.local.grammar import phrase
from datapilot_kernel.nl2sql.local.lexicon import Option, content
from datapilot_kernel.nl2sql.local.signals import Missing, NotSure
from datapilot_kernel.nl2sql.local.timing import Timing
from datapilot_kernel.plan.model import (
    ColumnItem,
    DimensionItem,
    Filter,
    Having,
    MeasureItem,
    Order,
    Plan,
    Related,
    RelativeTime,
    Rollup,
)  # fmt: skip

_DUE = {"echeanc", "due", "deadlin", "limit"}
_LATE = {"impay", "retard", "echu", "overdu", "unpaid", "late", "souffranc", "non"}
_DEFAULT_TOP = 10


class Shaper(Builder):
    """Builds the plan of one draft under one set of picks."""

    items: list[MeasureItem]
    dims: list[DimensionItem]
    last: Plan | None = None

    def plan(self, today: date) -> Plan:
        """Return the plan. Raises Fork, Missing, NotSure."""
        draft = self.draft
        if draft.unexplained:
            raise NotSure(*draft.unexplained)
        if draft.impossible:
            raise Missing("period_not_possible", draft.impossible)
        self.today = today
        self.items, self.dims = [], []
        self.filters_out: list[Filter] = []
        self.having: list[Having] = []
        self.related: list[Related] = []
        self.ignored: set[str] = set()
        self._counts()
        subject = self._subject()
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

    def _nothing_dropped(self, plan: Plan) -> None:
        """Every operator that was read must have left a trace in the plan: what has none was not understood."""
        draft = self.draft
        transforms = {i.transform for i in plan.measures}
        vias = {v for part in (*plan.dimensions, *plan.filters, *plan.columns, *plan.related) for v in part.via}
        vias |= {v for r in plan.related for f in r.filters for v in f.via}
        grains = {d.grain for d in plan.dimensions if d.grain}
        moment = draft.when and any(i.aggregate in ("min", "max") for i in plan.measures)
        compared = plan.comparison is not None
        to_date = any(p.period.kind == "to_date" for p in draft.periods)
        rank = draft.rank.text if draft.rank else ""
        for dropped, word in (
            (draft.distinct and not any(m.count for m in draft.measures), text("nl2sql.said.distinct")),
            (draft.new and not self.new_placed, text("nl2sql.said.new")),
            (draft.rank is not None and plan.limit is None and not moment, rank),
            (draft.growth and not compared, text("nl2sql.said.growth")),
            (draft.versus is not None and not compared, text("nl2sql.comparison")),
            (draft.compare and not compared and not plan.dimensions and len(plan.measures) < 2, text("nl2sql.comparison")),
            (draft.share and "share" not in transforms, "%"),
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

    new_placed = False

    # ── what is it about ───────────────────────────────────────────────────────────────────────────────────────────────

    def _counts(self) -> None:
        """A measure that only counts the rows of its entity is a count of them, however it was named."""
        for mention in self.draft.measures:
            refs = {o.ref for o in mention.of("measure") if o.quality >= 0.94}
            entities = {r.partition(".")[0] for r in refs}
            if (
                not mention.count
                and len(refs) == 1
                and len(entities) == 1
                and self.k.row_count(next(iter(entities))) in refs
            ):
                mention.options = (*mention.options, Option("entity", next(iter(entities))))
                mention.count = True

    def _subject(self) -> str | None:
        """Return the entity that rows or groups are of: named first, not only in passing."""
        mentions = [m for m in (self.draft.subjects[:1] or self.draft.subjects)]
        for mention in mentions:
            entities = mention.of("entity")
            if entities and max(o.quality for o in entities) >= max(o.quality for o in mention.options) - 0.06:
                best = max(o.quality for o in entities)
                chosen = self.choose(
                    f"e{mention.start}", [o for o in entities if o.quality >= best - 0.06],
                    lambda o: self.layer.entities[o.ref].label, text("nl2sql.which_entity", word=mention.text),
                )  # fmt: skip
                return chosen.ref
        for measure in self.draft.measures:
            if measure.count and measure.of("entity"):
                return measure.of("entity")[0].ref
        draft = self.draft
        if draft.conditions and not draft.groups and not draft.subjects and (inside := self._thing_measured()) is not None:
            return inside
        if (
            (draft.which or draft.listed or draft.count)
            and draft.values
            and not draft.measures
            and not draft.subjects
            and not draft.groups
            and not draft.rank
        ):
            # « quels sont les professionnels de Marseille »: a kind of client stands for the clients.
            kinds = [o for o in draft.values[0].of("value") if o.value in self.layer.dimension(o.ref).values]
            if not kinds and draft.count and len({o.entity for o in draft.values[0].of("value")}) == 1:
                # « combien de CDI »: the rows of that kind, but not « combien de lampadaires », which is the name of one row.
                kinds = [o for o in draft.values[0].of("value") if o.ref != f"{o.entity}.{self.layer.entities[o.entity].name_dimension}"]
            if kinds and not draft.values[0].negated:
                return kinds[0].entity
        return None

    def _thing_measured(self) -> str | None:
        """« produits vendus à moins de 20 »: the measure's own words begin with the thing it is measured of."""
        for mention in self.draft.measures:
            words = content(phrase(mention.text))
            for name, entity in self.layer.entities.items():
                own = {content(phrase(t)) for t in (entity.label, entity.plural or entity.label)}
                if not entity.hidden and any(words[: len(o)] == o and len(words) > len(o) for o in own):
                    return name
        return None

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
        columns = tuple(ColumnItem(alias=self.alias(self._column_name(r)), field=r, via=self.via(entity, r)) for r in refs)
        return Plan(
            kind="rows", entity=entity, columns=columns, distinct=True, filters=tuple(filters), any_of=tuple(any_of),
            order=(Order(by=columns[0].alias, descending=False),),
        )  # fmt: skip

    def _verbs(self, subject: str | None) -> None:
        """Place verbs: what somebody did (or did not) is a condition; what a measure says anyway is not one more."""
        draft = self.draft
        kept: list[RelatedMention] = []
        for mention in draft.related:
            entity = self._related_entity(mention, subject)
            if entity is None:
                raise NotSure(mention.text)
            if not mention.negated and self._said_by_measure(entity):
                continue
            if not mention.negated and entity == subject and not mention.of("entity"):
                raise NotSure(mention.text)
            if mention.active and subject is not None and self._measured_beyond(subject) and self._narrowed_after(mention, subject):
                # « le CA des clients qui ont acheté des lampes »: all they bought, or the lamps only?
                raise NotSure(mention.text)
            parent = subject is not None and entity != subject and self.k.distance(entity, subject) is None
            if parent and subject is not None and self.k.distance(subject, entity) == 1 and mention.of("entity"):
                # « commandes sans commercial »: what a row points at is missing.
                names = self.k.name_columns(entity)
                if not names:
                    raise NotSure(mention.text)
                op: Literal["is_null", "not_null"] = "is_null" if mention.negated else "not_null"
                self.filters_out.append(Filter(field=names[0], op=op, via=self.via(subject, names[0])))
                continue
            if (
                subject is not None
                and entity != subject
                and (mention.negated or not self._measured_beyond(subject))
                and self.k.distance(entity, subject) is not None
            ):
                kept.append(mention)
                self.related.append(Related(entity=entity, negated=mention.negated, period=mention.period, via=mention.ways))
            elif mention.negated or (not draft.measures and subject is None) or (entity != subject and not any(self._about(m, entity) for m in draft.measures)):
                raise NotSure(mention.text)
        draft.related = kept

    def _narrowed_after(self, mention: RelatedMention, subject: str) -> bool:
        return any(
            v.start > mention.start and all(self.k.distance(subject, o.entity) is None for o in v.of("value")) for v in self.draft.values
        )

    def _said_by_measure(self, entity: str) -> bool:
        """« produits vendus à moins de 20 exemplaires »: the measure compared is of the sales already."""
        for condition in self.draft.conditions:
            if condition.target is not None:
                for option in condition.target.of("measure"):
                    if any(
                        entity == r or self.k.distance(entity, r) is not None or self.k.distance(r, entity) is not None
                        for r in self.k.roots(option.ref)
                    ):
                        return True
        return False

    def _measured_beyond(self, subject: str) -> bool:
        """Tell whether something else than the subject's own rows is measured."""
        return any(not (m.count and any(o.ref == subject for o in m.of("entity"))) for m in self.draft.measures)

    def _about(self, mention: MeasureMention, entity: str) -> bool:
        roots = [self.k.roots(o.ref) if o.kind == "measure" else frozenset({o.entity}) for o in mention.options]
        return any(
            entity in r or any(self.k.distance(x, entity) is not None or self.k.distance(entity, x) is not None for x in r)
            for r in roots
        )

    def _related_entity(self, mention: RelatedMention, subject: str | None) -> str | None:
        candidates = list(dict.fromkeys(o.entity for o in mention.options))
        if subject is not None:
            pointing = [e for e in candidates if e != subject and self.k.distance(e, subject) is not None]
            candidates = pointing or candidates
        # The header of an event stands for its lines when both lead there: « clients sans commande » and « sans vente » alike.
        return candidates[0] if candidates else None

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
        return bool(rank.nouns and self._noun_dimension(rank.nouns, subject) is not None)

    # ── rows ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _rows(self, subject: str) -> Plan:
        draft = self.draft
        if draft.when:
            return self._moment(subject)
        extra = [m for m in draft.subjects[1:]]
        columns: list[str] = []
        for mention in extra:
            dims = [o for o in mention.of("dimension") if self.k.distance(subject, o.entity) is not None]
            if dims and not mention.of("entity"):
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
                )
                if by is None:
                    raise Missing("missing_time", self._subject_label(subject))
            else:
                by = self._noun_dimension(rank.nouns, subject)
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
        own_time = f"{subject}.{self.layer.entities[subject].time}"
        if by is not None and by in aliases:
            order = (Order(by=aliases[by], descending=descending),)
        elif own_time in aliases and not self.k.is_master(subject):
            order = (Order(by=aliases[own_time]),)
        else:
            order = (Order(by=aliases[refs[0]], descending=False),)
        return Plan(
            kind="rows", entity=subject, columns=items, filters=tuple(self.filters_out), any_of=tuple(any_of), related=tuple(self.related),
            period=period, time=time, order=order, limit=limit, ties=bool(rank and limit == 1), ignored_defaults=tuple(sorted(self.ignored)),
        )  # fmt: skip

    def _shown(self, ref: str) -> bool:
        return not self.layer.dimension(ref).hidden

    def _new_needs_date(self, subject: str) -> None:
        time = self.layer.entities[subject].time
        if time is None or not self.k.is_creation(f"{subject}.{time}") or not self.draft.periods:
            raise NotSure(text("nl2sql.said.new"))
        self.new_placed = True

    def _narrow_related(self, subject: str | None) -> None:
        """« clients qui ont acheté des lampadaires en 2025 »: what was bought narrows the buying, not the client."""
        if not self.related or subject is None:
            return
        last = self.related[-1]
        for made in list(self.filters_out):
            entity = made.field.partition(".")[0]
            if self.k.distance(subject, entity) is None and self.k.distance(last.entity, entity) is not None:
                self.filters_out.remove(made)
                last = last.model_copy(update={"filters": (*last.filters, made)})
        self.related[-1] = last

    def _moment(self, subject: str) -> Plan:
        """« date de la dernière commande »: the date itself."""
        rank = self.draft.rank
        time = self.k.time_of(subject)
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
            measures=(item,), filters=tuple(self.filters_out), any_of=tuple(any_of), related=tuple(self.related), period=period,
            ignored_defaults=tuple(sorted(self.ignored)),
        )  # fmt: skip

    # ── conditions ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _is_group_condition(self, condition: Condition, subject: str | None) -> bool:
        """Tell whether a comparison is on a computed value of a group (« plus de 3 commandes »), not on a column of a row."""
        if condition.target is None:
            return False
        target = condition.target
        best = max(o.quality for o in target.options)
        dims = [
            o for o in target.of("dimension") if self.layer.dimension(o.ref).type == "number" and o.quality >= best - 0.06
        ]
        if subject is not None and any(o.entity == subject for o in dims):
            return False
        if target.of("measure") or target.of("entity"):
            own = target.of("measure") and subject is not None and all(o.entity == subject for o in target.of("measure"))
            if own and not target.of("entity"):
                summed = [self.k.summed_dimension(o.ref) for o in target.of("measure")]
                return not any(summed)
            return True
        return False

    def _row_condition(self, condition: Condition, subject: str | None) -> None:
        """A comparison on a column of each row."""
        roots = frozenset({subject}) if subject else frozenset[str]().union(*(self.item_roots(i) for i in self.items))
        target = condition.target
        if condition.owner is not None and target is None:
            owners = [o.ref for o in condition.owner.of("entity") if self.k.farthest(roots, o.ref) is not None]
            roots = frozenset(owners[:1]) or roots
        if target is None and condition.unit is not None:
            self._age(condition, roots)
            return
        if target is not None:
            dates = [o for o in target.of("dimension") if self.layer.dimension(o.ref).type in ("date", "timestamp")]
            if dates and condition.unit is not None:
                ref = self.nearest(f"d{target.start}", dates, roots, target.text).ref
                self._age_on(condition, ref)
                return
            options = [o for o in target.of("dimension") if self.layer.dimension(o.ref).type == "number"]
            for o in target.of("measure"):
                summed = self.k.summed_dimension(o.ref)
                if summed is not None and summed.partition(".")[0] in roots:
                    options.append(Option("dimension", summed, o.quality))
            options = [
                o
                for o in options
                if self.k.farthest(roots, o.entity) is not None
                or (len(roots) == 1 and self.crossing(next(iter(roots)), o.entity))
            ]
            if not options:
                raise NotSure(target.text)
            ref = self.nearest(f"d{target.start}", options, roots, target.text).ref
        elif condition.minutes is not None:
            ref = self._duration_column(condition, roots)
        elif condition.money:
            ref = self._money_column(condition, roots)
        else:
            raise NotSure(condition.text)
        form = self.layer.dimension(ref).format
        percent = condition.percent and form is not None and form.kind == "percent"
        starts = sorted({r for i in self.items for r in self.item_roots(i)}) or sorted(roots)
        root = starts[0] if starts else None
        numbers = condition.numbers
        if condition.minutes is not None:
            stored = self._minutes_of(ref)
            if stored is None:
                raise NotSure(condition.text)
            numbers = tuple(n * condition.minutes / stored for n in numbers)
        self.filters_out.append(
            Filter(
                field=ref,
                op=condition.op,
                values=self.numbers(numbers, percent=percent),
                via=self.via(root, ref) if root else (),
            )
        )

    def _minutes_of(self, ref: str) -> int | None:
        """Return how many minutes one unit of a duration column is; None when it is no duration."""
        dimension = self.layer.dimension(ref)
        words = {
            w
            for t in (dimension.label, *dimension.synonyms, dimension.format.unit or "" if dimension.format else "")
            for w in phrase(t)
        }
        if words & {"minut", "min", "mn"}:
            return 1
        if (dimension.format is not None and dimension.format.kind == "hours") or words & {"heur", "hour", "h"}:
            return 60
        return None

    def _duration_column(self, condition: Condition, roots: frozenset[str]) -> str:
        refs = [
            f"{e}.{n}" for e in roots for n, d in self.layer.entities[e].dimensions.items()
            if d.type == "number" and not d.hidden and self._minutes_of(f"{e}.{n}") is not None
        ]  # fmt: skip
        if not refs:
            raise NotSure(condition.text)
        return self.choose("duration", refs, lambda r: self.layer.dimension(r).label, text("nl2sql.which_amount"))

    def _money_column(self, condition: Condition, roots: frozenset[str]) -> str:
        entities = [e for e in roots if e in self.layer.entities]
        refs = [
            f"{e}.{n}" for e in entities for n, d in self.layer.entities[e].dimensions.items()
            if d.type == "number" and not d.hidden and d.format is not None and d.format.kind == "currency"
        ]  # fmt: skip
        if not refs:
            raise NotSure(condition.text)
        said = {
            o.ref
            for word in ("montant", "prix", "amount", "price")
            for o in self.k.lexicon.lookup(word)
            if o.quality >= 0.95
        }
        if len([r for r in refs if r in said]) == 1:
            return next(r for r in refs if r in said)
        if self.draft.tax is not None:
            refs = [r for r in refs if self._says_tax(self.layer.dimension(r), self.draft.tax)] or refs
        gross = [
            r for r in refs if set(phrase(self.layer.dimension(r).label)) & {"montant", "amount", "prix", "price", "total"}
        ]
        return self.choose("money", gross or refs, lambda r: self.layer.dimension(r).label, text("nl2sql.which_amount"))

    def _age(self, condition: Condition, roots: frozenset[str]) -> None:
        """« de plus de 30 jours »: since its date; for what is late, since it was due."""
        entity = min(roots)
        ref = self.k.time_of(entity)
        if ref is None:
            raise Missing("missing_time", self._subject_label(entity))
        due = [
            f"{entity}.{n}" for n, d in self.layer.entities[entity].dimensions.items()
            if d.type in ("date", "timestamp") and not d.hidden and set(phrase(d.label)) & _DUE
        ]  # fmt: skip
        said = [v.text for v in self.draft.values]
        if self.last is not None:
            said += [n for f in self.last.filters for v in f.values if isinstance(v, str) for n in self.layer.dimension(f.field).values.get(v, ())]
        late = any(set(phrase(s)) & _LATE for s in said)
        if due and late:
            ref = due[0]
            self.note("age_since", label=self.layer.dimension(ref).label)
        self._age_on(condition, ref)

    def _age_on(self, condition: Condition, ref: str) -> None:
        older = condition.op in ("gt", "ge")
        if condition.op not in ("gt", "ge", "lt", "le") or condition.unit is None:
            raise NotSure(condition.text)
        span = RelativeTime(count=int(condition.numbers[0]), unit=condition.unit)
        self.filters_out.append(Filter(field=ref, op="older_than" if older else "within_last", span=span))

    def _presences(self, subject: str | None) -> None:
        roots = frozenset({subject}) if subject else frozenset[str]().union(*(self.item_roots(i) for i in self.items))
        for presence in self.draft.presences:
            dims = [o for o in presence.mention.of("dimension") if self.k.farthest(roots, o.entity) is not None]
            if not dims:
                raise Missing("no_join", presence.mention.text, measure=self._subject_label(subject))
            ref = self.nearest(f"p{presence.mention.start}", dims, roots, presence.mention.text).ref
            if set(phrase(self.layer.dimension(ref).label)) & _DUE:
                # « échues »: due by now.
                if presence.empty:
                    raise NotSure(presence.mention.text)
                self.filters_out.append(Filter(field=ref, op="older_than", span=RelativeTime(count=0, unit="day")))
            elif self.layer.dimension(ref).type == "boolean":
                self.filters_out.append(Filter(field=ref, op="ne" if presence.empty else "eq", values=(True,)))
            else:
                self.filters_out.append(Filter(field=ref, op="is_null" if presence.empty else "not_null"))

    def _text_conditions(self, subject: str | None) -> None:
        for condition in self.draft.texts:
            roots = frozenset({subject}) if subject else frozenset[str]().union(*(self.item_roots(i) for i in self.items))
            if condition.target is not None:
                dims = [
                    o
                    for o in condition.target.of("dimension")
                    if self.layer.dimension(o.ref).type == "text" and self.k.farthest(roots, o.entity) is not None
                ]
            elif subject is not None and (name := self.layer.entities[subject].name_dimension):
                dims = [Option("dimension", f"{subject}.{name}")]
            else:
                dims = []
            if not dims:
                raise NotSure(condition.text)
            ref = self.nearest("text", dims, roots, condition.text).ref
            self.filters_out.append(Filter(field=ref, op=condition.op, values=(condition.text,)))

    def _leave_defaults(self, roots: frozenset[str]) -> None:
        """When the question asks for what a default filter excludes, leave that filter out."""
        for made in self.filters_out:
            if made.op not in ("eq", "in"):
                continue
            entity = made.field.partition(".")[0]
            literals = {f"'{v}'" for v in made.values if isinstance(v, str)}
            for name in {entity, *roots}:
                model = self.layer.entities[name]
                if any(literal in sql for sql in model.default_filters for literal in literals):
                    self.ignored.add(name)

    def _include(self, roots: frozenset[str]) -> None:
        """« y compris les annulées »: leave out the default filters that exclude them."""
        for mention in self.draft.included:
            literals = {f"'{o.value}'" for o in mention.of("value") if isinstance(o.value, str)}
            entities = {o.entity for o in mention.of("value")} | roots
            touched = {
                e for e in entities if any(x in sql for sql in self.layer.entities[e].default_filters for x in literals)
            }
            if not touched:
                raise NotSure(mention.text)
            self.ignored |= touched

    def _leave_grouped(self, roots: frozenset[str]) -> None:
        """Grouped by the very column that a default filter looks at: every value is asked for, the excluded one too."""
        for item in self.dims:
            column = self.layer.dimension(item.field).column
            entity = item.field.partition(".")[0]
            model = self.layer.entities[entity]
            if column is None or not any(re.search(rf"\b{re.escape(column)}\b", sql) for sql in model.default_filters):
                continue
            literals = {literal for sql in model.default_filters for literal in re.findall(r"'[^']*'", sql)}
            for name in {entity, *roots}:
                if any(literal in sql for sql in self.layer.entities[name].default_filters for literal in literals):
                    self.ignored.add(name)
            self.note("defaults_left", label=self.layer.dimension(item.field).label)

    def _taxes(self) -> None:
        """« HT », « TTC » must be said by a measure or a column that the plan uses; otherwise the word has no place."""
        if self.draft.tax is None or self.tax_placed:
            return
        used = [self.layer.measure(i.measure) for i in self.items if i.measure] + [
            self.layer.dimension(f.field) for f in self.filters_out
        ]
        if not any(self._says_tax(u, self.draft.tax) for u in used):
            raise NotSure("HT" if self.draft.tax == "net_of_tax" else "TTC")

    def _known_only(self) -> None:
        """Ranked, folded or held to a condition, groups are things: rows that belong to none are left out."""
        if self.draft.rank is None and not self.having and self.draft.aggregate is None:
            return
        for item in self.dims:
            entity, _, name = item.field.partition(".")
            model = self.layer.entities[entity]
            roots = {r for i in self.items for r in self.item_roots(i)}
            if (
                item.grain is None
                and entity not in roots
                and (model.name_dimension in (None, name) or self.draft.rank is not None)
            ):
                if not any(f.field == item.field for f in self.filters_out):
                    self.filters_out.append(Filter(field=item.field, op="not_null", via=item.via))
                break

    # ── aggregates ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _aggregate(self, subject: str | None) -> Plan:
        draft = self.draft
        counted = subject if any(m.count and any(o.ref == subject for o in m.of("entity")) for m in draft.measures) else None
        group_conditions = [c for c in draft.conditions if self._is_group_condition(c, subject)]
        folded = counted is not None and bool(group_conditions) and len(draft.measures) == 1
        if not folded:
            self._measures(subject)
        groups = self._groups(subject, folded=folded, conditions=bool(group_conditions))
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
        self._value_axis(filters)
        timing = Timing(self, subject=counted)
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
        if self.having and not self.dims:
            raise NotSure(*(c.text for c in draft.conditions))
        if draft.rank is not None and (draft.growth or timing.comparison is not None):
            raise NotSure(draft.rank.text)
        if draft.when:
            raise NotSure(text("nl2sql.when"))
        self._narrow_related(subject)
        if timing.comparison is not None and (rollup is not None or self._transformed()):
            raise NotSure(text("nl2sql.comparison"))
        return Plan(
            measures=tuple(self.items), dimensions=tuple(self.dims), filters=tuple(self.filters_out), any_of=tuple(any_of),
            related=tuple(self.related), having=tuple(self.having), period=timing.period, time=time, comparison=timing.comparison,
            order=order, limit=limit, limit_per=limit_per, ties=bool(draft.rank and limit == 1), rollup=rollup,
            ignored_defaults=tuple(sorted(self.ignored)),
        )  # fmt: skip

    def _transformed(self) -> bool:
        return any(i.transform == "running_total" for i in self.items)

    def _measures(self, subject: str | None) -> None:
        draft = self.draft
        mentions = list(draft.measures)
        if draft.rank is not None and draft.rank.by is not None:
            mentions.insert(0, draft.rank.by)
        elif draft.rank is not None and draft.rank.doing is not None:
            doing = draft.rank.doing
            if doing.of("measure"):
                mentions.insert(0, MeasureMention(doing.of("measure"), doing.text, doing.start))
            else:
                self.items.append(self.count_of(doing.of("entity")[0].ref))
        elif draft.rank is not None and draft.rank.nouns:
            self.items.append(self._noun_measure(draft.rank.nouns, draft.rank.text))
        if draft.actual:
            if self.k.revenue is None:
                raise NotSure("réalisé")
            self.items.append(MeasureItem(alias=self.alias(self.k.revenue.partition(".")[2]), measure=self.k.revenue))
        self._extremes(mentions)
        near = self._spoken_of()
        for mention in mentions:
            self._prepare_average(mention)
            item = self.measure(mention, near)
            if not any(
                i.measure == item.measure
                and i.aggregate == item.aggregate
                and i.field == item.field
                and i.entity == item.entity
                for i in self.items
            ):
                self.items.append(item)

    def _extremes(self, mentions: list[MeasureMention]) -> None:
        """« le prix le plus élevé » of nothing is a maximum; « le plus bas et le plus élevé » are both."""
        draft = self.draft
        rank = draft.rank
        if (
            rank is None
            or rank.time
            or rank.by is not None
            or rank.nouns
            or rank.doing is not None
            or draft.head_unit
            or draft.units
        ):
            return
        numeric = [
            m
            for m in draft.subjects
            if m.of("dimension")
            and all(self.layer.dimension(o.ref).type == "number" for o in m.of("dimension"))
            and not m.of("entity")
        ]
        if draft.of_rows is not None and len(mentions) == 1 and mentions[0].start == draft.of_rows and not draft.groups and not numeric:
            # « le plus gros montant de facture »: of one invoice.
            mentions[0].aggregate = "max" if rank.descending else "min"
            draft.rank = None
            return
        if len(numeric) != 1 or mentions or draft.groups:
            return
        mention = numeric[0]
        draft.subjects.remove(mention)
        wanted: list[Literal["min", "max"]] = ["min", "max"] if draft.extremes else ["max" if rank.descending else "min"]
        for name in wanted:
            self.items.append(self.measure(MeasureMention(mention.options, mention.text, mention.start, aggregate=name)))
        draft.rank, draft.extremes = None, False

    def _spoken_of(self) -> frozenset[str]:
        """Entities that the question names, by themselves, by a group or by a value: a measure's homonyms are told apart by them."""
        draft = self.draft
        named = {o.ref for m in draft.subjects for o in m.of("entity")}
        for mention in (*draft.values, *(g.mention for g in draft.groups if g.mention)):
            owners = {o.entity for o in mention.options}
            named |= owners if len(owners) == 1 else set()
        return frozenset(named)

    def _own_rows(self, group: Group, field: str | None) -> bool:
        """Tell whether a group is the very rows that a number is a column of (« frais de port moyens par commande »)."""
        return (
            field is not None
            and group.mention is not None
            and any(o.kind == "entity" and o.ref == field.partition(".")[0] for o in group.mention.options)
        )

    def _prepare_average(self, mention: MeasureMention) -> None:
        """« CA moyen par mois » is an average over months, not over rows: keep it for the rollup."""
        if mention.aggregate is None or mention.aggregate == "sum":
            return
        grouped = bool(self.draft.groups)
        counts = mention.count
        measures = mention.of("measure")
        additive = counts or any(not self.k.is_average(o.ref) for o in measures)
        if not additive and measures:
            if mention.aggregate != "avg":
                # « le panier moyen maximum par magasin » is the highest of them.
                if not grouped or self.draft.aggregate is not None:
                    raise NotSure(mention.text)
                self.draft.aggregate = mention.aggregate
            mention.aggregate = None
            return
        if not (counts or measures) or not grouped:
            return
        fields = [self.k.summed_dimension(o.ref) for o in measures]
        if len(self.draft.groups) == 1 and any(self._own_rows(self.draft.groups[0], f) for f in fields):
            self.draft.groups = []
            return
        revenue = any(o.ref == self.k.revenue for o in measures)
        over_time = any(g.grain is not None for g in self.draft.groups)
        summed = any(self.k.summed_dimension(o.ref) for o in measures)
        if counts or revenue or over_time or not summed:
            if self.draft.aggregate not in (None, mention.aggregate):
                raise NotSure(mention.text)
            self.draft.aggregate, mention.aggregate = mention.aggregate, None

    def _noun_options(self, nouns: tuple[str, ...]) -> tuple[Option, ...]:
        for noun in nouns:
            options = self.k.lexicon.lookup(noun)
            usable = tuple(o for o in options if o.kind in ("measure", "dimension", "entity") and o.quality >= 0.85)
            if usable:
                return usable
        return ()

    def _noun_dimension(self, nouns: tuple[str, ...], subject: str) -> str | None:
        """Return the subject's own number that an adjective stands for (« les plus chers »: the price)."""
        for noun in nouns:
            for option in self.k.lexicon.lookup(noun):
                if (
                    option.kind == "dimension"
                    and option.entity == subject
                    and self.layer.dimension(option.ref).type == "number"
                ):
                    return option.ref
                if option.kind == "measure" and option.quality >= 0.85:
                    return None
        return None

    def _noun_measure(self, nouns: tuple[str, ...], typed: str) -> MeasureItem:
        options = self._noun_options(nouns)
        measures = [o for o in options if o.kind == "measure"]
        entities = [o for o in options if o.kind == "entity"]
        if measures:
            option = self.choose(
                "noun", measures, lambda o: self.layer.measure(o.ref).label, text("nl2sql.which_measure", word=typed)
            )
            self.note("ranked_by", label=self.layer.measure(option.ref).label)
            return MeasureItem(alias=self.alias(option.ref.partition(".")[2]), measure=option.ref)
        if entities:
            item = self.count_of(entities[0].ref)
            self.note("ranked_by", label=self.item_label(item))
            return item
        raise NotSure(typed)

    def _default_measures(self, subject: str | None, group_conditions: list[Condition]) -> None:
        draft = self.draft
        if group_conditions:
            return
        asked_of_subject = (
            draft.groups or draft.share or draft.trend or draft.growth or draft.cumul or draft.sum or draft.compare
        )
        if draft.rank is not None:
            entities = frozenset(o.entity for g in draft.groups if g.mention for o in g.mention.options) or frozenset(
                {subject} if subject else ()
            )
            item = self.revenue(entities)
            self.items.append(item or self._any_measure())
        elif subject is not None and (asked_of_subject or draft.count) and not draft.sum:
            self.items.append(self.count_of(subject))
        elif self._leftover_subjects():
            raise NotSure(*(m.text for m in draft.subjects))
        elif draft.share and not draft.groups and draft.values and (item := self.revenue(frozenset())) is not None:
            self.items.append(item)
        elif draft.groups or draft.values or draft.periods or draft.trend or draft.sum or draft.aggregate or draft.units or draft.share:
            self.items.append(self._any_measure())
        else:
            raise NotSure(*[m.text for m in draft.subjects] or ["?"])

    def _leftover_subjects(self) -> bool:
        return any(m.of("entity") for m in self.draft.subjects)

    def _any_measure(self) -> MeasureItem:
        """A question that names no measure: offer the main ones that fit."""
        draft = self.draft
        money_only = draft.sum
        entities = {o.entity for g in draft.groups if g.mention for o in g.mention.of("dimension", "entity")}
        entities |= {o.entity for m in draft.subjects for o in m.of("dimension")}
        refs = [r for r in self.k.main_measures(40) if not entities or any(self.reaches_measure(r, e) for e in entities)]
        if money_only:
            refs = [r for r in refs if self.layer.measure(r).format.kind == "currency"]
        counts = [r for e in entities if (r := self.k.row_count(e)) is not None]
        refs = list(dict.fromkeys([*refs[:2], *counts[:1], *refs[2:]]))[:MAX_CHOICES]
        if len(refs) < 2:
            raise NotSure(*[m.text for m in [*draft.values, *draft.periods]] or ["?"])
        ref = self.choose("measure", refs, lambda r: self.layer.measure(r).label, text("nl2sql.no_measure"))
        return MeasureItem(alias=self.alias(ref.partition(".")[2]), measure=ref)

    def _groups(self, subject: str | None, *, folded: bool, conditions: bool) -> list[Group]:
        draft = self.draft
        groups = list(draft.groups)
        target = self._rank_target(subject)
        if target is not None:
            groups.append(target)
        elif folded or ((conditions or draft.sort) and subject is not None and not groups):
            assert subject is not None
            groups.append(Group(Mention((Option("entity", subject),), self._subject_label(subject), -2)))
        else:
            target = None
        ranked = target.mention.start if target is not None and target.mention is not None else None
        if not folded:
            for mention in draft.subjects:
                if mention.of("entity") or mention.start == ranked:
                    continue
                head = draft.head is not None and mention.start == draft.head.start
                if (self.items and (self._bare(mention) or head)) or (conditions and not groups):
                    groups.append(Group(mention))
                else:
                    raise NotSure(mention.text)
            for unit in draft.units:
                if target is not None and target.grain == unit:
                    continue
                if self.items and not groups:
                    groups.append(Group(grain=unit))
                elif not any(g.grain == unit for g in groups):
                    raise NotSure(unit)
        if draft.rank is not None and not draft.rank.time and not groups and self.items:
            groups.append(self._any_target())
        if draft.head_unit and not any(g.grain == draft.head_unit for g in groups):
            if not target:
                raise NotSure(draft.head_unit)
        return groups

    def _any_target(self) -> Group:
        """« top 10 » of what? Offer the things that what is measured can be cut by."""
        things = [
            e for e, m in self.layer.entities.items()
            if not m.hidden and self.k.is_master(e) and m.name_dimension and all(self.reaches(i, e) for i in self.items)
        ]  # fmt: skip
        if len(things) < 2:
            raise NotSure(self.draft.rank.text if self.draft.rank else "")
        near = sorted(things, key=lambda e: min(self.k.farthest(self.item_roots(i), e) or 9 for i in self.items))[:MAX_CHOICES]
        chosen = self.choose(
            "target", near, lambda e: self.layer.entities[e].plural or self.layer.entities[e].label, text("nl2sql.top_of_what")
        )
        return Group(Mention((Option("entity", chosen),), self._subject_label(chosen), -3))

    def _rank_target(self, subject: str | None) -> Group | None:
        """Return what is ranked: the head (« quel vendeur… »), the subject, a unit of time; None: the groups already said."""
        draft = self.draft
        if draft.rank is None or draft.rank.time:
            return None
        if draft.head_unit:
            return Group(grain=draft.head_unit)
        mentions = [m for m in draft.subjects]
        for mention in mentions:
            if draft.rank.by is None or mention.start != draft.rank.by.start:
                return Group(mention)
        if draft.units:
            return Group(grain=draft.units[0])
        if draft.head is not None:
            return Group(draft.head)
        return None

    def _bare(self, mention: Mention) -> bool:
        """Tell whether a dimension was named telegraphically (« CA région »): nothing stands before it that governs it."""
        place = mention.start - 1
        words = self.words
        return place >= 0 and words[place] not in ("de", "du", "des", "d", "la", "le", "l", "of", "the", "for")

    words: tuple[str, ...] = ()

    def _context(self, subject: str | None, counted: str | None) -> None:
        """An entity named in passing must be one that the measures speak of."""
        grouped = {d.entity for g in self.draft.groups if g.mention for d in g.mention.options}
        target = self._rank_target(subject)
        ranked = target.mention.start if target is not None and target.mention is not None else None
        for mention in self.draft.subjects:
            entities = mention.of("entity")
            if not entities or mention.start == ranked or any(o.ref in grouped or o.ref == counted for o in entities):
                continue
            for item in self.items:
                if not any(self._speaks_of(item, o.ref) for o in entities):
                    if any(self.reaches(item, o.ref) for o in entities):
                        raise NotSure(mention.text)
                    raise Missing("no_join", mention.text, measure=self.item_label(item))

    def _speaks_of(self, item: MeasureItem, entity: str) -> bool:
        """Tell whether « the measure of the entity's » is the measure itself: its own rows, their event, or a thing they point at."""
        roots = self.item_roots(item)
        if entity in roots:
            return True
        events = {t.partition(".")[0] for r in roots if (t := self.k.time_of(r))}
        if entity in events:
            return True
        filtered = any(o.entity == entity for v in self.draft.values for o in v.of("value"))
        return self.reaches(item, entity) and (self.k.is_master(entity) or filtered)

    def _dimensions(self, group: Group, index: int) -> list[DimensionItem]:
        if group.mention is not None and not self.items:
            return self.group(group, [], index)
        known = self.items if self.items else []
        return self.group(group, known, index)

    def _having(self, condition: Condition, subject: str | None) -> None:
        target = condition.target
        assert target is not None
        entities = target.of("entity")
        measures = target.of("measure")
        if entities and (
            not measures
            or max(o.quality for o in entities) > max(o.quality for o in measures)
            or (not condition.money
            and any(self.k.is_count(m.ref) is False for m in measures))
        ):
            item = self.count_of(entities[0].ref)
        else:
            item = self.measure(MeasureMention(measures, target.text, target.start))
        known = next(
            (i for i in self.items if i.measure == item.measure and i.entity == item.entity and i.field == item.field), None
        )
        if known is None:
            if subject is not None and not self.reaches(item, subject):
                raise Missing("no_join", target.text, measure=self.item_label(item))
            self.items.append(item)
            known = item
        form = self.layer.measure(known.measure).format.kind if known.measure else "integer"
        values = self.numbers(condition.numbers, percent=condition.percent and form == "percent")
        self.having.append(Having(measure=known.alias, op=condition.op, values=values))

    def _average_of_groups(self, groups: list[Group]) -> None:
        if self.draft.aggregate and len(groups) > 1:
            raise NotSure(self.draft.aggregate)
        if self.draft.aggregate and not groups:
            raise NotSure(self.draft.aggregate)

    def _rollup(self, folded: bool, counted: str | None) -> Rollup | None:
        if folded:
            return Rollup(function="count", label=text("nl2sql.count_label", label=self._subject_label(counted)))
        if self.draft.aggregate is None:
            return None
        if len(self.items) != 1 or self.draft.aggregate not in ("avg", "min", "max", "median"):
            raise NotSure(self.draft.aggregate)
        return Rollup(
            function=cast("Literal['avg', 'min', 'max', 'median']", self.draft.aggregate), measure=self.items[0].alias
        )

    def _value_axis(self, filters: list[Filter]) -> None:
        """Two values side by side are two rows: « compare Lyon et Paris », « CA de Lyon et Paris »."""
        draft = self.draft
        for made in filters:
            if made.op != "in" or any(d.field == made.field for d in self.dims):
                continue
            beside = draft.compare or (
                not any(v.joined_by == "or" for v in draft.values) and not self.dims and draft.rank is None
            )
            if beside and draft.aggregate is None:
                self.dims.append(
                    DimensionItem(alias=self.alias(self._column_name(made.field)), field=made.field, via=made.via)
                )
        if draft.compare and not self.dims and not draft.periods and len(self.items) < 2 and draft.versus is None:
            raise NotSure(text("nl2sql.comparison"))

    def _shares(self, filters: list[Filter]) -> list[Filter]:
        if not self.draft.share:
            return filters
        if self.dims:
            if all(i.measure is not None and self.layer.measure(i.measure).format.kind == "percent" for i in self.items):
                self.draft.share = False  # a rate is a percentage already
            for item in list(self.items):
                if item.measure is None or not self.k.is_average(item.measure):
                    self.items.append(
                        item.model_copy(update={"alias": self.alias(f"part_{item.alias}"), "transform": "share"})
                    )
            return filters
        if not filters:
            raise NotSure("%")
        part, *rest = filters
        whole = self.items[0]
        if whole.measure is not None and self.k.is_average(whole.measure):
            raise NotSure("%")
        self.items = [
            whole.model_copy(update={"alias": self.alias(f"part_{whole.alias}"), "transform": "share", "filters": (part,)}),
            whole.model_copy(update={"filters": (part,), "label": None}),
        ]
        return rest

    def _running(self) -> None:
        if not self.draft.cumul:
            return
        if not any(d.grain for d in self.dims):
            to_date = any(p.period.kind == "to_date" for p in self.draft.periods)
            if to_date and not self.dims:
                return
            self.dims.append(self.time_group("month", self.items))
        for item in list(self.items):
            if item.measure is not None and self.k.is_average(item.measure):
                raise NotSure(self.item_label(item))
            self.items.append(
                item.model_copy(update={"alias": self.alias(f"cumul_{item.alias}"), "transform": "running_total"})
            )

    def _limit(self) -> int:
        rank = self.draft.rank
        assert rank is not None
        if rank.count is not None:
            return rank.count
        head_singular = self.draft.which and not self.draft.head_plural
        if head_singular or (not rank.plural and not (self.draft.which and self.draft.head_plural)):
            return 1
        self.note("top_default", count=_DEFAULT_TOP)
        return _DEFAULT_TOP

    def _order(self, split: list[list[DimensionItem]]) -> tuple[tuple[Order, ...], int | None, str | None]:
        draft = self.draft
        times = [d for d in self.dims if d.grain is not None]
        visible = [i for i in self.items if not i.hidden]
        if draft.rank is not None and not draft.rank.time and self.dims and visible:
            by = visible[0].alias
            target = split[-1][0] if split and split[-1] else self.dims[-1]
            per = None
            if len(split) > 1:
                per = split[0][0].alias
                if len(split) > 2:
                    raise NotSure(draft.rank.text)
            del target
            orders = [Order(by=by, descending=draft.rank.descending)]
            if per is not None:
                orders.insert(0, Order(by=per, descending=False))
            return tuple(orders), self._limit(), per
        if draft.rank is not None and not self.dims:
            raise NotSure(draft.rank.text)
        if draft.sort and visible:
            return (Order(by=visible[0].alias, descending=not draft.ascending),), None, None
        if times:
            others = [Order(by=d.alias, descending=False) for d in self.dims if d.grain is None]
            return (Order(by=times[0].alias, descending=False), *others), None, None
        if self.dims and visible:
            return (Order(by=visible[0].alias, descending=not draft.ascending),), None, None
        return (), None, None
