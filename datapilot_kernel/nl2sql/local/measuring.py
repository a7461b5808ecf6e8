"""What is computed, where the question says it, hints at it, or names nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.local.builder import MAX_CHOICES
from datapilot_kernel.nl2sql.local.draft import Condition, Group, MeasureMention
from datapilot_kernel.nl2sql.local.grammar import phrase
from datapilot_kernel.nl2sql.local.lexicon import Option, content
from datapilot_kernel.nl2sql.local.signals import NotSure
from datapilot_kernel.nl2sql.local.subjects import SubjectBuilder
from datapilot_kernel.plan.model import (
    MeasureItem,
)  # fmt: skip

_DUE = {"echeanc", "due", "deadlin", "limit"}
_LATE = {"impay", "retard", "echu", "overdu", "unpaid", "late", "souffranc", "non"}
_DEFAULT_TOP = 10
_ANY_AMOUNT = {"montant", "valeur", "total", "somme", "amount", "value"}
_JOINING = {"et", "ou", "avec", "ainsi", "puis", "que", ",", "/", "vs", "and", "or", "with", "&", "+", "-", "sur", "entre"}
_PAYING = ("factur", "encaiss", "depens", "pay", "rembours", "donn", "cotis", "collect", "invoic", "spen", "donat")
_ADDED_UP = {"montant", "total", "tva", "frai", "taxe", "amount", "vat"}


class MeasureBuilder(SubjectBuilder):
    """Decides what is computed."""

    def _measures(self, subject: str | None) -> None:
        draft = self.draft
        mentions = sorted(draft.measures, key=lambda m: m.beside and draft.rank is not None)
        if draft.rank is not None and mentions and all(m.beside for m in mentions):
            self._ranked_alone()
        if draft.rank is not None and draft.rank.by is not None:
            mentions.insert(0, draft.rank.by)
        elif draft.rank is not None and draft.rank.doing is not None:
            doing = draft.rank.doing
            if doing.of("measure"):
                mentions.insert(0, MeasureMention(doing.of("measure"), doing.text, doing.start))
            else:
                event = doing.of("entity")[0].ref
                self.items.append(self._paid_out(doing.text, event) or self.count_of(event))
        elif draft.rank is not None and draft.rank.nouns:
            self.items.append(
                self._counted_rows() if draft.rank.nouns == ("*",) else self._noun_measure(draft.rank.nouns, draft.rank.text)
            )
        if draft.actual:
            if self.k.revenue is None:
                raise NotSure("réalisé")
            self.items.append(MeasureItem(alias=self.alias(self.k.revenue.partition(".")[2]), measure=self.k.revenue))
        self._extremes(mentions)
        if not mentions and not self.items and (total := self._bare_amount()) is not None:
            mentions = [total]
        near = self._spoken_of()
        self._no_half_measures(mentions)
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
            if mention.start == draft.sort_by:
                self.sort_key = next(
                    (
                        i.alias
                        for i in self.items
                        if i.measure == item.measure and (i.field, i.entity) == (item.field, item.entity)
                    ),
                    item.alias,
                )
        self._no_strangers()

    def _no_strangers(self) -> None:
        """« montant des budgets (janvier) » where nothing joins a table « janvier » to budgets: not answered without it."""
        roots = {root for item in self.items for root in self.item_roots(item)}
        for mention in self.draft.subjects:
            named = mention.of("entity")
            if named and roots and all(self.k.is_apart(root, o.entity) for root in roots for o in mention.options):
                raise NotSure(mention.text)

    def _bare_amount(self) -> MeasureMention | None:
        """« la TVA de mai »: a column of amounts, named alone, is summed; a price or a rate never is."""
        draft = self.draft
        if draft.rank is not None or draft.count or draft.which or draft.listed or draft.conditions or draft.related:
            return None
        numbers = [
            m
            for m in draft.subjects
            if not m.of("entity") and m.of("dimension") and all(self._is_amount(o.ref) for o in m.of("dimension"))
        ]
        if len(numbers) != 1 or set(phrase(numbers[0].text)) <= _ANY_AMOUNT:
            return None  # « les montants par région »: of what?
        if not (draft.periods or draft.groups or draft.values):
            return None
        draft.subjects.remove(numbers[0])
        return MeasureMention(numbers[0].of("dimension"), numbers[0].text, numbers[0].start, aggregate="sum")

    def _is_amount(self, ref: str) -> bool:
        dimension = self.layer.dimension(ref)
        money = dimension.type == "number" and dimension.format is not None and dimension.format.kind == "currency"
        return money and phrase(dimension.label)[0] in _ADDED_UP

    def _ranked_alone(self) -> None:
        """« top 5 des clients avec leur marge »: ranked by what, where only what stands beside is said?"""
        rank = self.draft.rank
        if rank is None or rank.by is not None or rank.nouns or rank.time or rank.doing is not None:
            return
        entities = frozenset(o.ref for m in self.draft.subjects for o in m.of("entity"))
        self.items.append(self._ranking_measure(entities))

    def _columns_measured(self) -> None:
        """« charges par immeuble »: a column of numbers named where a measure is expected is the measure of it."""
        draft = self.draft
        if draft.measures or draft.rank is not None or draft.listed or draft.which or draft.count or draft.aggregate:
            return
        if not (draft.groups or draft.periods or draft.values or draft.trend or draft.share or draft.sum):
            return
        for mention in list(draft.subjects):
            dims = mention.of("dimension")
            if (
                set(content(phrase(mention.text))) <= _ANY_AMOUNT | {"quantit", "nombr", "somm"}
                or len(dims) != len(mention.options)
                or any(self.layer.dimension(o.ref).type != "number" for o in dims)
            ):
                continue
            summed = tuple(
                Option("measure", f"{o.entity}.{name}", o.quality) for o in dims
                for name, m in self.layer.entities[o.entity].measures.items()
                if not m.hidden and self.k.summed_dimension(f"{o.entity}.{name}") == o.ref
            )  # fmt: skip
            if len(summed) == len(dims):
                draft.subjects.remove(mention)
                draft.measures.append(MeasureMention(summed, mention.text, mention.start))
                return

    def _no_half_measures(self, mentions: list[MeasureMention]) -> None:
        """« montant des factures en attente »: « attente » only begins a name, and nothing joins it to the other measure."""
        said = sorted((m for m in mentions if m.start >= 0), key=lambda m: m.start)
        for first, second in pairwise(said):
            between = set(self.words[first.start : second.start])
            partly = max((o.quality for o in second.of("measure")), default=1.0) <= 0.75
            if partly and second.start > first.start and not second.beside and not between & _JOINING:
                raise NotSure(second.text)

    def _paid_out(self, verb: str, event: str) -> MeasureItem | None:
        """« qui a facturé le plus » is by the amount invoiced, not by how many invoices; None: the verb is not of money."""
        if not phrase(verb)[:1] or not phrase(verb)[0].startswith(_PAYING):
            return None
        if self.k.revenue is not None and self.k.roots(self.k.revenue) == {event}:
            return MeasureItem(alias=self.alias(self.k.revenue.partition(".")[2]), measure=self.k.revenue)
        amounts = [
            f"{event}.{name}" for name, m in self.layer.entities[event].measures.items()
            if not m.hidden and m.format.kind == "currency" and m.additivity == "additive" and m.formula is None
            and m.filter is None
        ]  # fmt: skip
        if not amounts:
            return None
        ref = self.choose("paid", amounts, lambda r: self.layer.measure(r).label, text("nl2sql.which_amount"))
        return MeasureItem(alias=self.alias(ref.partition(".")[2]), measure=ref)

    def _counted_rows(self) -> MeasureItem:
        """« les motifs les plus fréquents »: by the number of rows that have them."""
        owners = {o.entity for m in self.draft.subjects[:1] for o in m.of("dimension")}
        if len(owners) != 1 or self.draft.subjects[0].of("entity"):
            raise NotSure(self.draft.rank.text if self.draft.rank else "")
        return self.count_of(next(iter(owners)))

    def _extremes(self, mentions: list[MeasureMention]) -> None:
        """« le prix le plus élevé » of nothing is a maximum; « le plus bas et le plus élevé » are both."""
        draft = self.draft
        rank = draft.rank
        nothing = not (draft.groups or draft.subjects or draft.units or draft.head_unit or draft.head)
        if rank is not None and rank.by is not None and nothing and rank.count is None and not rank.plural:
            # « le plus gros montant de facture »: of one invoice. The highest revenue is of something to be said.
            if not rank.by.count and not any(o.ref == self.k.revenue for o in rank.by.options):
                rank.by.aggregate = "max" if rank.descending else "min"
                draft.rank = None
            return
        thing = draft.subjects[0].of("entity")[:1] if draft.subjects and draft.groups and not mentions else ()
        if rank is not None and thing and rank.by is None and not (rank.nouns or rank.time or rank.doing or rank.plural):
            field = self.size_of_rows(thing[0].ref) if rank.count is None and len(draft.subjects) == 1 else None
            if field is not None:
                # « la plus grosse commande de chaque magasin »: how much it was.
                how: Literal["min", "max"] = "max" if rank.descending else "min"
                self.items.append(
                    MeasureItem(alias=self.alias(f"{how}_{field.partition('.')[2]}"), aggregate=how, field=field)
                )
                draft.rank = None
                draft.subjects.clear()
                return
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
        if (
            draft.of_rows is not None
            and len(mentions) == 1
            and mentions[0].start == draft.of_rows
            and not draft.groups
            and not numeric
        ):
            # « le plus gros montant de facture »: of one invoice.
            mentions[0].aggregate = "max" if rank.descending else "min"
            draft.rank = None
            return
        owners = {o.entity for m in numeric for o in m.options}
        beside = {o.ref for m in draft.subjects for o in m.of("entity")}
        if len(numeric) != 1 or mentions or draft.groups or beside - owners:
            return
        mention = numeric[0]
        draft.subjects.remove(mention)
        wanted: list[Literal["min", "max"]] = ["min", "max"] if draft.extremes else ["max" if rank.descending else "min"]
        for name in wanted:
            self.items.append(self.measure(MeasureMention(mention.options, mention.text, mention.start, aggregate=name)))
        draft.rank, draft.extremes = None, False

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
        if mention.start == self.draft.of_rows and sum(m.start == mention.start for m in self.draft.measures) > 1:
            return  # « montant minimum et maximum des commandes par mois »: of the orders of each month
        counts = mention.count
        measures = mention.of("measure")
        if self.averaged_over(mention) is not None:
            return
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
        numbered = any(
            pair in (("nombre", "moyen"), ("average", "number")) for pair in zip(self.words, self.words[1:], strict=False)
        )
        numbered = numbered or mention.text.lower().startswith(("nombre ", "number "))
        if numbered and mention.aggregate == "avg":
            summed = False  # « nombre moyen d'utilisateurs par compte » is one number
        if counts or revenue or over_time or not summed:
            if self.draft.aggregate not in (None, mention.aggregate):
                raise NotSure(mention.text)
            self.draft.aggregate, mention.aggregate = mention.aggregate, None

    def size_of_rows(self, subject: str) -> str | None:
        """« les 5 plus grosses commandes »: the amount of each; None where rows are no amounts (clients, products)."""
        if self.k.is_master(subject):
            return None
        try:
            return self._money_column(Condition("gt", ()), frozenset({subject}))
        except NotSure:
            return None

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
        if draft.change is not None or (draft.rank is not None and draft.rank.change is not None):
            # « les magasins en baisse »: what of theirs? Asked, never their number.
            entities = frozenset(
                o.entity for m in (*draft.subjects, *(g.mention for g in draft.groups if g.mention)) for o in m.options
            )
            self.items.append(self._ranking_measure(entities))
            return
        asked_of_subject = (
            draft.groups or draft.share or draft.trend or draft.growth or draft.cumul or draft.sum or draft.compare
        )
        if draft.rank is not None:
            entities = frozenset(o.entity for g in draft.groups if g.mention for o in g.mention.options) or frozenset(
                {subject} if subject else ()
            )
            if not entities and draft.subjects and len({o.entity for o in draft.subjects[0].options}) == 1:
                entities = frozenset(o.entity for o in draft.subjects[0].options)
            self.items.append(self._ranking_measure(entities))
        elif subject is not None and draft.aggregate is not None and not draft.count and not draft.units:
            self.items.append(self._of_each_row(subject))
        elif subject is not None and (asked_of_subject or draft.count) and not draft.sum:
            self.items.append(self.count_of(subject))
        elif self._leftover_subjects():
            raise NotSure(*(m.text for m in draft.subjects))
        elif draft.share and not draft.groups and draft.values and (item := self.revenue(frozenset())) is not None:
            self.items.append(item)
        elif (
            draft.groups
            or draft.values
            or draft.periods
            or draft.trend
            or draft.sum
            or draft.aggregate
            or draft.units
            or draft.share
        ):
            self.items.append(self._any_measure())
        else:
            raise NotSure(*[m.text for m in draft.subjects] or ["?"])

    def _of_each_row(self, subject: str) -> MeasureItem:
        """« don moyen », « facture médiane »: of the one amount that each has; the mean of a count it never is."""
        amounts = {
            column for name, m in self.layer.entities[subject].measures.items()
            if not m.hidden and m.format.kind == "currency" and m.additivity == "additive"
            and (column := self.k.summed_dimension(f"{subject}.{name}")) is not None
        }  # fmt: skip
        own = next((m for m in self.draft.subjects if any(o.ref == subject for o in m.of("entity"))), None)
        after = own.start + len(own.text.split()) if own is not None else len(self.words)
        qualified = after < len(self.words) and self.words[after].startswith(("moyen", "median", "average"))
        qualified = qualified or (own is not None and own.start > 0 and self.words[own.start - 1] in ("average", "median"))
        if len(amounts) != 1 or self.draft.aggregate is None or not qualified:
            # « moyenne des locations » does not say of what.
            raise NotSure(*(m.text for m in self.draft.subjects))
        field, how = next(iter(amounts)), self.draft.aggregate
        self.draft.aggregate = None
        return MeasureItem(alias=self.alias(f"{how}_{field.partition('.')[2]}"), aggregate=how, field=field)

    def _ranking_measure(self, entities: frozenset[str]) -> MeasureItem:
        """« meilleur client », « top 5 des produits »: best at what? Ask, unless there is one main measure only."""
        refs = self.k.main_kinds(entities, self.reaches_measure)
        if len(refs) == 1:
            item = self.revenue(entities)
            if item is not None:
                return item
        revenue = self.k.revenue is not None and all(self.reaches_measure(self.k.revenue, e) for e in entities)
        if (len(refs) < 2 or not revenue) and len(entities) == 1 and not self.k.is_master(min(entities)):
            return self.count_of(min(entities))  # « le principal motif de retour »: of the most returns
        if len(refs) < 2:
            return self._any_measure()
        word = self.draft.rank.text if self.draft.rank is not None else self.draft.change_text
        ref = self.choose(
            "measure", refs, lambda r: text("nl2sql.by_measure", label=_low(self.layer.measure(r).label)),
            text("nl2sql.ranked_by_what", word=word),
        )  # fmt: skip
        return MeasureItem(alias=self.alias(ref.partition(".")[2]), measure=ref)

    def _leftover_subjects(self) -> bool:
        return any(m.of("entity") for m in self.draft.subjects)

    def _any_measure(self) -> MeasureItem:
        """A question that names no measure: offer the main ones that fit."""
        draft = self.draft
        money_only = draft.sum
        entities = {o.entity for g in draft.groups if g.mention for o in g.mention.of("dimension", "entity")}
        entities |= {o.entity for m in draft.subjects for o in m.of("dimension")}
        if draft.count and draft.values:
            entities |= {o.entity for o in draft.values[0].of("value")}
        refs = [r for r in self.k.main_measures(40) if not entities or any(self.reaches_measure(r, e) for e in entities)]
        if draft.count:
            refs = [r for r in refs if self.layer.measure(r).format.kind == "integer"]
            refs += [
                f"{e}.{n}" for e in sorted({r.partition(".")[0] for r in self.k.main_measures(40)})
                for n, m in self.layer.entities[e].measures.items()
                if m.format.kind == "integer" and not m.hidden and m.filter is None and m.additivity == "additive"
                and (not entities or any(self.reaches_measure(f"{e}.{n}", x) for x in entities))
            ]  # fmt: skip
        if money_only:
            refs = [r for r in refs if self.layer.measure(r).format.kind == "currency"]
        counts = [r for e in entities if (r := self.k.row_count(e)) is not None]
        refs = list(dict.fromkeys([*refs[:2], *counts[:1], *refs[2:]]))[:MAX_CHOICES]
        if len(refs) < 2:
            raise NotSure(*[*(v.text for v in draft.values), *(p.text for p in draft.periods)] or ["?"])
        ref = self.choose("measure", refs, lambda r: self.layer.measure(r).label, text("nl2sql.no_measure"))
        return MeasureItem(alias=self.alias(ref.partition(".")[2]), measure=ref)


def _low(label: str) -> str:
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]
