"""Conditions: on a column of each row, on the age of a row, on what is computed of a group."""

from __future__ import annotations

from datetime import date

from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.local.draft import Condition, MeasureMention
from datapilot_kernel.nl2sql.local.filtering import FilterBuilder
from datapilot_kernel.nl2sql.local.grammar import phrase
from datapilot_kernel.nl2sql.local.lexicon import Option, content
from datapilot_kernel.nl2sql.local.signals import Missing, NotSure
from datapilot_kernel.plan.model import (
    DimensionItem,
    Filter,
    Having,
    MeasureItem,
    Plan,
    Related,
    RelativeTime,
)  # fmt: skip

_DUE = {"echeanc", "due", "deadlin", "limit"}
_LATE = {"impay", "retard", "echu", "overdu", "unpaid", "late", "souffranc", "non"}
_DEFAULT_TOP = 10
_AGE_OF_PEOPLE = 12
"""Years from which « de plus de … ans », said of people, is their age and not how long they have been known."""


class ConditionBuilder(FilterBuilder):
    """The plan under construction, and its conditions."""

    items: list[MeasureItem]
    dims: list[DimensionItem]
    filters_out: list[Filter]
    having: list[Having]
    related: list[Related]
    ignored: set[str]
    today: date
    last: Plan | None = None
    new_placed = False

    def _is_group_condition(self, condition: Condition, subject: str | None) -> bool:
        """Tell whether a comparison is on a computed value of a group (« plus de 3 commandes »), not on a column of a
        row.
        """
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
        if self.draft.tax is not None:
            saying = [r for r in refs if self._says_tax(self.layer.dimension(r), self.draft.tax)]
            self.tax_placed = self.tax_placed or bool(saying)
            refs = saying or refs
        said = {
            o.ref
            for word in ("montant", "prix", "amount", "price")
            for o in self.k.lexicon.lookup(word)
            if o.quality >= 0.95
        }
        if len([r for r in refs if r in said]) == 1:
            return next(r for r in refs if r in said)
        plain = [r for r in refs if self._plain_amount(r)]
        if len(plain) == 1 and self.draft.tax is None:
            self.note("chosen", typed=text("nl2sql.said.amount"), label=self.layer.dimension(plain[0]).label)
            return plain[0]
        gross = [
            r for r in refs if set(phrase(self.layer.dimension(r).label)) & {"montant", "amount", "prix", "price", "total"}
        ]
        return self.choose("money", gross or refs, lambda r: self.layer.dimension(r).label, text("nl2sql.which_amount"))

    def _plain_amount(self, ref: str) -> bool:
        """Tell whether the layer calls a column the amount of the thing, and no more: « montant de la facture »."""
        entity = self.layer.entities[ref.partition(".")[0]]
        names = {content(phrase(f"{word} {entity.label}")) for word in ("montant", "prix", "amount", "price")}
        dimension = self.layer.dimension(ref)
        return any(content(phrase(t)) in names for t in (dimension.label, *dimension.synonyms))

    def _age(self, condition: Condition, roots: frozenset[str]) -> None:
        """« de plus de 30 jours »: since its date; for what is late, since it was due."""
        entity = min(roots)
        if condition.unit == "year" and any(d.personal for d in self.layer.entities[entity].dimensions.values()):
            born = self._birth(entity)
            if born is None and condition.numbers[0] >= _AGE_OF_PEOPLE:
                raise NotSure(condition.text)  # « patients de plus de 80 ans » is no question of when they first came
            if born is not None:
                if condition.numbers[0] < _AGE_OF_PEOPLE:
                    raise NotSure(condition.text)
                self._age_on(condition, born)
                return
        ref = self.k.time_of(entity)
        if ref is None:
            raise Missing("missing_time", self._subject_label(entity))
        due = [
            f"{entity}.{n}" for n, d in self.layer.entities[entity].dimensions.items()
            if d.type in ("date", "timestamp") and not d.hidden and set(phrase(d.label)) & _DUE
        ]  # fmt: skip
        said = [v.text for v in self.draft.values] + [m.text for m in self.draft.measures]
        if self.last is not None:
            said += [
                n
                for f in self.last.filters
                for v in f.values
                if isinstance(v, str)
                for n in self.layer.dimension(f.field).values.get(v, ())
            ]
        late = any(set(phrase(s)) & _LATE for s in said)
        if due and late:
            ref = due[0]
            self.note("age_since", label=self.layer.dimension(ref).label)
        self._age_on(condition, ref)

    def _birth(self, entity: str) -> str | None:
        """Return the date of birth of an entity's people; None where it is not there or not shown."""
        for name, dimension in self.layer.entities[entity].dimensions.items():
            dated = dimension.type in ("date", "timestamp") and not dimension.hidden
            if dated and set(phrase(dimension.label)) & {"naissanc", "birth", "naissance"}:
                return f"{entity}.{name}"
        return None

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

    def _having(self, condition: Condition, subject: str | None) -> None:
        target = condition.target
        assert target is not None
        entities = target.of("entity")
        measures = target.of("measure")
        if entities and (
            not measures
            or max(o.quality for o in entities) > max(o.quality for o in measures)
            or (not condition.money and any(self.k.is_count(m.ref) is False for m in measures))
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
