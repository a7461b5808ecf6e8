"""Make a plan of a draft: decide what each mention is, check that it can be joined, dated and measured.

Decisions with one good answer are taken; with several equally good ones they raise :class:`Fork` (the person
chooses); with none,
:class:`Missing` says what is lacking. The order of preference is always the same: how exactly the layer's words were used,
then what was named beside it, then how near it is to what is measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.local.draft import Draft, Group, MeasureMention, Mention
from datapilot_kernel.nl2sql.local.grammar import phrase
from datapilot_kernel.nl2sql.local.knowledge import Knowledge
from datapilot_kernel.nl2sql.local.lexicon import Option, content
from datapilot_kernel.nl2sql.local.signals import Fork, Missing, NotSure, Pick
from datapilot_kernel.nl2sql.local.taxes import tax_of_columns
from datapilot_kernel.plan.model import DimensionItem, Grain, MeasureItem
from datapilot_kernel.plan.problems import AmbiguousPath
from datapilot_kernel.semantic.model import Dimension, Measure

T = TypeVar("T")
_TIER = 0.06
_TAX_WORDS = {"ht", "ttc", "hor", "tax", "taxe", "compris", "tout"}
MAX_CHOICES = 4


class Builder:
    """Decides about measures, dimensions and ways; the shapes of plans are in :mod:`.shapes`."""

    tax_placed = False
    sort_key: str | None = None

    def __init__(self, knowledge: Knowledge, draft: Draft, pick: Pick) -> None:
        self.k, self.layer, self.draft, self.pick = knowledge, knowledge.layer, draft, pick
        self.notes: list[str] = []
        self._aliases: set[str] = set()

    def choose(self, slot: str, candidates: Sequence[T], label: Callable[[T], str], message: str) -> T:
        """Return the only candidate, or the one picked; raise Fork otherwise."""
        if len(candidates) == 1:
            return candidates[0]
        picked = self.pick.get(slot)
        if picked is not None and picked < len(candidates):
            return candidates[picked]
        shown = list(candidates)[:MAX_CHOICES]
        raise Fork(slot, [label(c) for c in shown], message)

    def alias(self, wish: str) -> str:
        """Return a column name that is free."""
        base = re.sub(r"[^a-z0-9_]", "_", wish.lower())[:55] or "colonne"
        base = base if base[0].isalpha() or base[0] == "_" else f"c_{base}"
        name, number = base, 2
        while name in self._aliases:
            name, number = f"{base}_{number}", number + 1
        self._aliases.add(name)
        return name

    def note(self, key: str, **values: Any) -> None:
        """Add a sentence for the person, once."""
        sentence = text(f"nl2sql.note.{key}", **values)
        if sentence not in self.notes:
            self.notes.append(sentence)

    def measure(self, mention: MeasureMention, entities: frozenset[str] = frozenset()) -> MeasureItem:
        """Decide what a measure mention computes."""
        if mention.count and mention.aggregate not in (None, "sum"):
            raise NotSure(mention.text)
        if mention.count:
            return self._count(mention)
        options = list(mention.of("measure"))
        tax = mention.tax or self.draft.tax
        if (averaged := self.averaged_over(mention)) is not None:
            alias = self.alias(f"{mention.aggregate}_{averaged.partition('.')[2]}")
            return MeasureItem(alias=alias, aggregate=mention.aggregate, field=averaged)
        if (
            options
            and mention.aggregate in ("avg", "min", "max", "median")
            and not any(self.k.is_average(o.ref) for o in options)
        ):
            if any(o.ref == self.k.revenue for o in options) and not mention.of("dimension"):
                # « CA moyen » of what: of an order, a day, a client?
                raise NotSure(f"{mention.text} ({text('nl2sql.average_of_what')})")
            columns = [o for o in mention.of("dimension") if self.layer.dimension(o.ref).type == "number"]
            columns += [
                Option("dimension", s, o.quality) for o in options if (s := self.k.summed_dimension(o.ref)) is not None
            ]
            if not columns:
                raise NotSure(mention.text)
            field = self.nearest(f"m{mention.start}", columns, frozenset(), mention.text, near=entities).ref
            field = self._taxed_field(field, tax)
            wish = f"{mention.aggregate}_{field.partition('.')[2]}"
            return MeasureItem(alias=self.alias(wish), aggregate=mention.aggregate, field=field)
        if options:
            if mention.aggregate == "sum":
                mention.aggregate = None
            best = max(o.quality for o in options)
            options = [o for o in options if o.quality >= best - _TIER]
            near = [o for o in options if o.entity in entities]
            options = near or options
            options = self._taxed(options, tax)
            option = self.choose(
                f"m{mention.start}",
                options,
                lambda o: self.layer.measure(o.ref).label,
                text("nl2sql.which_measure", word=mention.text),
            )
            if option.quality <= 0.75:
                self.note("read_as", typed=mention.text, label=self.layer.measure(option.ref).label)
            if mention.aggregate in ("avg", "min", "max", "median") and not self.k.is_average(option.ref):
                summed = self.k.summed_dimension(option.ref)
                if summed is None:
                    raise NotSure(mention.text)
                field = self._taxed_field(summed, tax)
                return MeasureItem(
                    alias=self.alias(f"{mention.aggregate}_{field.partition('.')[2]}"),
                    aggregate=mention.aggregate,
                    field=field,
                )
            return MeasureItem(alias=self.alias(option.ref.partition(".")[2]), measure=option.ref)
        dims = [
            o
            for o in mention.of("dimension")
            if self.layer.dimension(o.ref).type == "number" or mention.aggregate in ("min", "max")
        ]
        if mention.aggregate is None or not dims:
            raise NotSure(mention.text)
        option = self.nearest(f"m{mention.start}", dims, frozenset(), mention.text, near=entities)
        if mention.aggregate == "sum" and self._only_averaged(option.ref):
            raise NotSure(mention.text)  # « total des notes »
        field = self._taxed_field(option.ref, tax)
        return MeasureItem(
            alias=self.alias(f"{mention.aggregate}_{field.partition('.')[2]}"), aggregate=mention.aggregate, field=field
        )

    def _only_averaged(self, field: str) -> bool:
        """Tell whether the layer averages a column and never adds it up: a rating, a price."""
        entity = field.partition(".")[0]
        refs = [f"{entity}.{name}" for name, m in self.layer.entities[entity].measures.items() if not m.hidden]
        return any(self.k.averaged_dimension(r) == field for r in refs) and not any(
            self.k.summed_dimension(r) == field for r in refs
        )

    def averaged_over(self, mention: MeasureMention) -> str | None:
        """« délai de règlement maximum »: the number that a measure averages, where its least or greatest is wanted."""
        options = mention.of("measure")
        if mention.aggregate not in ("min", "max", "median") or len(options) != 1 or mention.count:
            return None
        if {"moyen", "average", "moyenn"} & set(phrase(mention.text)):
            return None  # « le délai moyen maximum » is the highest of the averages
        return self.k.averaged_dimension(options[0].ref)

    def _taxed_field(self, field: str, tax: str | None) -> str:
        """« montant moyen TTC »: the column that says so, or the one that differs by nothing else."""
        if tax is None:
            return field
        said = self.layer.dimension(field)
        if self._says_tax(said, tax):
            self.tax_placed = True
            return field
        entity = field.partition(".")[0]
        own = set(content(phrase(said.label))) - _TAX_WORDS
        twins = [
            f"{entity}.{name}" for name, other in self.layer.entities[entity].dimensions.items()
            if other.type == "number" and not other.hidden and self._says_tax(other, tax)
            and set(content(phrase(other.label))) - _TAX_WORDS == own
        ]  # fmt: skip
        if len(twins) != 1:
            return field
        self.tax_placed = True
        return twins[0]

    def _taxed(self, options: list[Option], tax: str | None) -> list[Option]:
        """« hors taxes », « TTC » said beside a measure: keep it if it says so itself, else take the one that does."""
        if tax is None:
            return options
        saying = [o for o in options if self._says_tax(self.layer.measure(o.ref), tax)]
        if saying:
            self.tax_placed = True
            return saying
        twins = []
        for option in options:
            own = content(phrase(self.layer.measure(option.ref).label))
            for name, measure in self.layer.entities[option.entity].measures.items():
                other = content(phrase(measure.label))
                same = other[: len(own)] == own or set(other) - _TAX_WORDS == set(own) - _TAX_WORDS
                if not measure.hidden and same and self._says_tax(measure, tax):
                    twins.append(Option("measure", f"{option.entity}.{name}"))
        if not twins:
            # « marge HT »: nothing says so but the columns it is made of.
            twins = [o for o in options if tax_of_columns(self.layer, o.ref) == tax]
        if twins:
            self.tax_placed = True
        return twins or options

    def _says_tax(self, said: Measure | Dimension, tax: str | None) -> bool:
        texts = [said.label, *said.synonyms]
        words = [set(phrase(t)) for t in texts]
        net = any(w & {"ht"} or {"hor", "tax"} <= w for w in words) or bool({"ht"} & set(phrase(said.description or "")))
        gross = "ttc" in set(phrase(said.label)) or any({"taxe", "compris"} <= w for w in words[:1])
        return gross if tax == "with_tax" else net and not gross

    def _count(self, mention: MeasureMention) -> MeasureItem:
        entities = mention.of("entity")
        dims = tuple(o for o in mention.of("dimension") if self.layer.dimension(o.ref).type in ("text", "number"))
        best_entity = max((o.quality for o in entities), default=0.0)
        if entities and best_entity >= max((o.quality for o in dims), default=0.0) - _TIER:
            option = self.choose(
                f"e{mention.start}", [o for o in entities if o.quality >= best_entity - _TIER],
                lambda o: self.layer.entities[o.ref].label, text("nl2sql.which_entity", word=mention.text),
            )  # fmt: skip
            return self.count_of(option.ref)
        if dims:
            option = self.nearest(f"m{mention.start}", list(dims), frozenset(), mention.text)
            number = self.layer.dimension(option.ref)
            coded = number.values or (number.format is not None and number.format.kind in ("text", "year"))
            if number.type == "number" and not coded and not self.draft.distinct:
                raise NotSure(mention.text)  # « nombre d'étages »: how many different ones, or how many in all?
            return MeasureItem(
                alias=self.alias(f"nb_{option.ref.partition('.')[2]}"), aggregate="count_distinct", field=option.ref
            )
        options = mention.of("measure")
        counting = [o for o in options if self.layer.measure(o.ref).format.kind == "integer"]
        if counting:
            option = self.choose(
                f"m{mention.start}",
                counting,
                lambda o: self.layer.measure(o.ref).label,
                text("nl2sql.which_measure", word=mention.text),
            )
            return MeasureItem(alias=self.alias(option.ref.partition(".")[2]), measure=option.ref)
        # « nombre de ventes » where sales are an amount: which count was meant?
        owners = {o.entity for o in options}
        near = [
            e for owner in owners for e, d in self.k.graph.distances(owner).items() if d <= 1 and not self.k.is_master(e)
        ]
        refs = [
            f"{e}.{n}" for e in dict.fromkeys(near) for n, m in self.layer.entities[e].measures.items()
            if m.format.kind == "integer" and not m.hidden and m.additivity == "additive" and not m.lower_is_better
        ]  # fmt: skip
        if len(refs) < 2:
            raise NotSure(mention.text)
        ref = self.choose(
            f"m{mention.start}", refs, lambda r: self.layer.measure(r).label, text("nl2sql.which_count", word=mention.text)
        )
        return MeasureItem(alias=self.alias(ref.partition(".")[2]), measure=ref)

    def count_of(self, entity: str) -> MeasureItem:
        """Return the count of an entity's rows: the layer's own measure for it when there is one."""
        ref = self.k.row_count(entity)
        if ref is not None:
            return MeasureItem(alias=self.alias(ref.partition(".")[2]), measure=ref)
        return MeasureItem(alias=self.alias(f"nb_{entity}"), aggregate="count", entity=entity)

    def revenue(self, roots: frozenset[str]) -> MeasureItem | None:
        """Return the evident measure of value of these entities, noting the assumption; None when there is none."""
        ref = self.k.revenue
        if ref is None or not all(self.reaches_measure(ref, root) for root in roots):
            return None
        self.note("default_measure", label=self.layer.measure(ref).label)
        return MeasureItem(alias=self.alias(ref.partition(".")[2]), measure=ref)

    def item_roots(self, item: MeasureItem) -> frozenset[str]:
        """Return the entities whose rows a measure of the plan looks at."""
        if item.measure is not None:
            return self.k.roots(item.measure)
        return frozenset({item.entity or (item.field or "").partition(".")[0]})

    def reaches_measure(self, ref: str, entity: str) -> bool:
        """Tell whether a measure (or a finer one that it names) can be cut by the dimensions of an entity."""
        if self.k.farthest(self.k.roots(ref), entity) is not None:
            return True
        finer = getattr(self.layer.measure(ref), "finer", None)
        return finer is not None and finer != ref and self.reaches_measure(finer, entity)

    def reaches(self, item: MeasureItem, entity: str) -> bool:
        """Tell whether a measure of the plan can be cut by the dimensions of an entity."""
        if item.measure is not None and self.reaches_measure(item.measure, entity):
            return True
        roots = self.item_roots(item)
        if self.k.farthest(roots, entity) is not None:
            return True
        # Rows are counted across the nearest rows that reach both.
        countable = item.aggregate in ("count", "count_distinct") or (
            item.measure is not None and self.k.is_count(item.measure)
        )
        return countable and all(self.crossing(root, entity) for root in roots)

    def crossing(self, one: str, other: str) -> bool:
        """Tell whether the rows of some entity lead to both."""
        return any(
            self.k.distance(e, one) is not None and self.k.distance(e, other) is not None for e in self.layer.entities
        )

    def nearest(
        self, slot: str, options: Sequence[Option], roots: frozenset[str], typed: str, *, near: frozenset[str] = frozenset()
    ) -> Option:
        """Return the option used most exactly, then named beside, then nearest to the rows measured; ask between equals."""
        best = max(o.quality for o in options)
        tier = [o for o in options if o.quality >= best - _TIER]
        # « montant des factures »: the column of what is named beside it, even under a longer label.
        beside = [o for o in options if o.entity in near and o.quality >= best - 0.16]
        tier = [o for o in beside if o.quality >= max(b.quality for b in beside) - _TIER] or tier
        if roots and len(tier) > 1:
            distances = {o: self.k.farthest(roots, o.entity) for o in tier}
            known = [d for d in distances.values() if d is not None]
            if known:
                tier = [o for o in tier if distances[o] == min(known)]
        unique = list({(o.ref, o.value): o for o in tier}.values())
        chosen = self.choose(slot, unique, self._option_label, text("nl2sql.which_one", word=typed))
        others = [o for o in options if o.ref != chosen.ref and o.quality < best - _TIER and o.quality >= 0.85]
        if others and len(unique) == 1 and chosen.kind == "dimension" and not near:
            self.note("chosen", typed=typed, label=self.k.label_of(chosen.ref))
        return chosen

    def _option_label(self, option: Option) -> str:
        if option.kind == "entity":
            return self.layer.entities[option.ref].label
        if option.kind == "value" and isinstance(option.value, str):
            return f"{self.k.label_of(option.ref)} : {self.value_label(option.ref, option.value)}"
        return self.k.label_of(option.ref)

    def value_label(self, ref: str, value: str) -> str:
        """Return what people call a stored value."""
        names = self.layer.dimension(ref).values.get(value, ())
        return names[0] if names else value

    def via(self, root: str, ref: str) -> tuple[str, ...]:
        """Return the joins to name for the way from ``root`` to a dimension: none when there is only one way."""
        entity = ref.partition(".")[0]
        asked = tuple(w for w in self.draft.ways if self.layer.joins[w].to_entity == entity)
        if self.k.distance(root, entity) is None:
            return ()
        try:
            path = self.k.graph.best(root, entity, asked, ref=ref, label=self.k.label_of(ref))
        except AmbiguousPath as several:
            wanted = self.choose(
                f"way_{root}_{entity}",
                several.candidates,
                lambda c: c.label,
                text("nl2sql.which_way", label=self.layer.entities[entity].label),
            )
            return wanted.joins
        return path.joins if asked and path is not None and set(asked) <= set(path.joins) else ()

    def via_from(self, items: Sequence[MeasureItem], subject: str | None, ref: str) -> tuple[str, ...]:
        """Return the joins to name so that every measure (or the subject) has one way to a dimension."""
        entity = ref.partition(".")[0]
        roots = sorted({r for item in items for r in self.item_roots(item)}) or ([subject] if subject else [])
        named: dict[str, None] = {}
        for root in roots:
            if self.k.distance(root, entity) is not None:
                named.update(dict.fromkeys(self.via(root, ref)))
        return tuple(named)

    def group(self, group: Group, items: Sequence[MeasureItem], index: int) -> list[DimensionItem]:
        """Decide what a group is, and return the columns that show it."""
        if group.grain is not None:
            return [self.time_group(group.grain, items)]
        assert group.mention is not None
        mention = group.mention
        counting = any(self._counts_things(o) for o in mention.of("dimension")) and not mention.of("entity")
        if counting and items and phrase(mention.text)[:1] != phrase("nombre"):
            raise NotSure(mention.text)  # « CA par nuit » is for each of them, not by how many there are
        options = [o for o in mention.of("dimension", "entity") if all(self.reaches(item, o.entity) for item in items)]
        if not options:
            raise Missing("no_join", mention.text, measure=self.item_label(items[0]) if items else mention.text)
        options = self._same_thing_once(options)
        roots = frozenset[str]().union(*(self.item_roots(i) for i in items)) if items else frozenset[str]()
        option = self.nearest(f"g{mention.start}", options, roots, mention.text, near=self._named_entities(mention))
        if option.kind == "entity":
            refs = self.k.name_columns(option.ref)
            if not refs:
                raise Missing("missing_dimension", mention.text)
        else:
            refs = [option.ref]
            model = self.layer.entities[option.entity]
            if option.ref == f"{option.entity}.{model.name_dimension}":
                refs = self.k.name_columns(option.entity)
        if self.layer.dimension(refs[0]).type in ("date", "timestamp"):
            return [
                DimensionItem(
                    alias=self.alias(refs[0].partition(".")[2]),
                    field=refs[0],
                    grain="day",
                    via=self._via_items(items, refs[0]),
                )
            ]
        return [
            DimensionItem(alias=self.alias(self._column_name(ref)), field=ref, via=self._via_items(items, ref))
            for ref in refs
        ]

    def _counts_things(self, option: Option) -> bool:
        dimension = self.layer.dimension(option.ref)
        return dimension.type == "number" and phrase(dimension.label)[:1] == phrase("nombre")

    def _named_entities(self, mention: Mention) -> frozenset[str]:
        """Entities that the question names elsewhere: « CA des magasins par ville » speaks of the shops' towns."""
        return frozenset(o.ref for s in self.draft.subjects if s.start != mention.start for o in s.of("entity"))

    def _same_thing_once(self, options: list[Option]) -> list[Option]:
        """An entity and its own naming dimension are one thing."""
        named = {f"{o.ref}.{self.layer.entities[o.ref].name_dimension}": o for o in options if o.kind == "entity"}
        kept = [o for o in options if o.ref not in named]
        for o in options:
            if o.ref in named and o.quality > named[o.ref].quality:
                kept = [Option("entity", named[o.ref].ref, o.quality) if k == named[o.ref] else k for k in kept]
        return kept

    def _via_items(self, items: Sequence[MeasureItem], ref: str) -> tuple[str, ...]:
        return self.via_from(items, None, ref)

    def _column_name(self, ref: str) -> str:
        entity, _, name = ref.partition(".")
        return name if name not in ("nom", "libelle", "name", "label", "code", "id") else entity

    def time_group(self, grain: Grain, items: Sequence[MeasureItem]) -> DimensionItem:
        """Return the time axis of these measures."""
        ref = self.time_axis(items)
        if ref is None:
            raise Missing("missing_time", self.item_label(items[0]) if items else "")
        if grain == "hour_of_day" and self.layer.dimension(ref).type != "timestamp":
            raise Missing("missing_time", text("nl2sql.hour"))
        return DimensionItem(alias=self.alias(grain), field=ref, grain=grain)

    def time_axis(self, items: Sequence[MeasureItem]) -> str | None:
        """Return the time dimension that dates these measures: the one named, or the first measure's."""
        for mention in self.draft.periods:
            if mention.time is not None:
                return self.named_time(mention.time, items)
        for item in items:
            time = self.k.measure_time(item.measure) if item.measure else self.k.time_of(min(self.item_roots(item)))
            if time is not None:
                return time
        return None

    def named_time(self, mention: Mention, items: Sequence[MeasureItem], subject: str | None = None) -> str:
        """Decide which time dimension was named."""
        dims = [o for o in mention.of("dimension") if self.layer.dimension(o.ref).type in ("date", "timestamp")]
        roots = (
            frozenset[str]().union(*(self.item_roots(i) for i in items))
            if items
            else frozenset({subject} if subject else ())
        )
        reachable = [o for o in dims if self.k.farthest(roots, o.entity) is not None]
        if not reachable:
            raise Missing("no_join", mention.text, measure=self.item_label(items[0]) if items else mention.text)
        return self.nearest(f"t{mention.start}", reachable, roots, mention.text).ref

    def item_label(self, item: MeasureItem) -> str:
        """Return the label of a measure of the plan."""
        if item.measure is not None:
            return self.layer.measure(item.measure).label
        if item.field is not None:
            return self.layer.dimension(item.field).label
        return self.layer.entities[item.entity or ""].plural or self.layer.entities[item.entity or ""].label

    def _subject_label(self, subject: str | None) -> str:
        return self.layer.entities[subject].plural or self.layer.entities[subject].label if subject else ""
