"""What a question is about: its subject, what is named in passing, what somebody did."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.local.defaults import DefaultsBuilder
from datapilot_kernel.nl2sql.local.draft import (
    Condition,
    Group,
    MeasureMention,
    Mention,
    PeriodMention,
    RelatedMention,
    ValueMention,
)  # fmt: skip
from datapilot_kernel.nl2sql.local.grammar import phrase
from datapilot_kernel.nl2sql.local.lexicon import TRANSLATED, Option, content
from datapilot_kernel.nl2sql.local.signals import Missing, NotSure
from datapilot_kernel.plan.model import (
    Filter,
    MeasureItem,
    Related,
)  # fmt: skip

_DUE = {"echeanc", "due", "deadlin", "limit"}
_LATE = {"impay", "retard", "echu", "overdu", "unpaid", "late", "souffranc", "non"}
_DEFAULT_TOP = 10
_AMOUNTS = {"montant", "amount"}
_TAXED = {"ht", "ttc", "hor", "tax", "moyen", "total"}


class SubjectBuilder(DefaultsBuilder):
    """Decides what a question is about."""

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

    def _listing(self) -> None:
        """« donne-moi les clients inscrits en mai » wants the clients, even where a measure counting them has that name."""
        draft = self.draft
        if len(draft.measures) != 1 or draft.count or draft.rank is not None or draft.groups:
            return
        if draft.share or draft.trend or draft.growth or draft.cumul or draft.compare or draft.sum or draft.aggregate:
            return
        if draft.units or draft.head_unit or draft.versus is not None or any(p.versus for p in draft.periods):
            return
        mention = draft.measures[0]
        refs = {o.ref for o in mention.of("measure") if o.quality >= 0.94 or o.quality == TRANSLATED}
        if mention.aggregate is not None or len(refs) != 1:
            return
        ref = next(iter(refs))
        time = self.layer.measure(ref).time
        arrived = draft.new and time is not None and self.k.is_creation(f"{ref.partition('.')[0]}.{time}")
        if arrived and not (draft.listed or draft.which or draft.subjects):
            # « nouveaux clients inscrits en mai »: the number that « nouveaux clients » is.
            self.new_placed = True
            return
        if draft.subjects:
            self._those_with(mention, ref)
            return
        in_state = draft.values and mention.start and self.words[mention.start - 1] == "en" and not draft.periods
        thing = self._things_counted(ref, mention)
        if thing is None and in_state and self.k.is_count(ref):
            # « lustres en rupture »: which, or how many? What is out of stock, another name of the measure says.
            names = [MeasureMention((), t) for t in (self.layer.measure(ref).label, *self.layer.measure(ref).synonyms)]
            things = {t for n in names if (t := self._things_counted(ref, n)) not in (None, ref.partition(".")[0])}
            thing = next(iter(things)) if len(things) == 1 else self.k.counted_through(ref)
        if thing is None:
            return
        if not (draft.listed or draft.which or draft.related or any(c.doing or c.money for c in draft.conditions)):
            named = {phrase(self.layer.measure(ref).label), phrase(self.layer.measure(ref).plural or "")}
            if phrase(mention.text) in named and not in_state:
                return
            wanted = self.choose(
                "listing", [True, False],
                lambda rows: text(
                    "nl2sql.the_list" if rows else "nl2sql.their_number",
                    label=self.layer.entities[thing].plural or self.layer.entities[thing].label,
                ),
                text("nl2sql.list_or_number", word=mention.text),
            )  # fmt: skip
            if not wanted:
                return
        self._list_instead(mention, ref, thing)

    def _which_of_two(self) -> None:
        """« qui de Lyon ou de Paris fait le plus de CA »: the two side by side, the first before the other."""
        draft, rank = self.draft, self.draft.rank
        named = [v for v in draft.values if not v.negated]
        if rank is None or rank.time or rank.count is not None or len(named) < 2 or named[-1].joined_by != "or":
            return
        if draft.subjects or draft.groups or draft.head or draft.head_unit or draft.units or draft.compare:
            return
        asked = {"qui", "entre", "who", "lequel", "laquelle", "which"}
        last = max(v.end for v in named)
        if not set(self.words[:1]) & asked and not set(self.words[last : last + 3]) & asked:
            return  # « Lyon ou Paris : qui vend le plus ? »
        for value in named:
            value.joined_by = "and" if value.joined_by else ""
        draft.compare, draft.ascending = True, not rank.descending
        if rank.by is not None:
            draft.measures.insert(0, rank.by)
        elif rank.nouns and (options := self._noun_options(rank.nouns)):
            draft.measures.insert(0, MeasureMention(options, rank.text, -1))
        draft.rank = None

    def _dated_by_what_happened(self) -> None:
        """« ordres lancés en 2025 »: a state called « lancé » as well as what dates every order. The year says which."""
        starts = {p.start for p in self.draft.periods if p.time is None}
        for value in list(self.draft.values):
            own = {self.k.time_of(o.entity) for o in value.of("value")}
            time = next(iter(own)) if len(own) == 1 else None
            if value.negated or value.joined_by or value.end not in starts or time is None:
                continue
            if any(time.partition(".")[0] != o.entity for o in value.of("value")):
                continue
            dated = {w[:4] for w in phrase(self.layer.dimension(time).label) if len(w) >= 4 and w != "date"}
            if {w[:4] for w in phrase(value.text) if len(w) >= 4} & dated:
                self.draft.values.remove(value)

    def _first_date(self) -> None:
        """« première date de commande », « dernière date de facture »: the earliest, the latest."""
        draft, rank = self.draft, self.draft.rank
        if rank is None or not rank.time or len(draft.subjects) != 1 or draft.measures or (rank.count or 1) != 1:
            return
        mention = draft.subjects[0]
        dates = tuple(o for o in mention.of("dimension") if self.layer.dimension(o.ref).type in ("date", "timestamp"))
        if not dates or mention.of("entity") or len(dates) != len(mention.options):
            return
        draft.subjects.clear()
        draft.rank, draft.when = None, False
        aggregate: Literal["min", "max"] = "max" if rank.descending else "min"
        draft.measures.append(MeasureMention(dates, mention.text, mention.start, aggregate=aggregate))

    def _kind_or_thing(self, subject: str | None) -> None:
        """« combien de boutiques », where a boutique is a kind of shop as well as another word for one: ask which."""
        draft = self.draft
        mentions = [*draft.subjects, *(m for m in draft.measures if m.count)]
        for mention in mentions:
            entities = [o for o in mention.of("entity") if o.quality >= 0.94]
            said = content(phrase(mention.text))
            if len(entities) != 1 or not said or mention.start in {v.named_start for v in draft.values}:
                continue
            name = entities[0].ref
            model = self.layer.entities[name]
            if said in {content(phrase(model.label)), content(phrase(model.plural or model.label))}:
                continue
            kinds = [
                Option("value", f"{name}.{n}", 1.0, value=stored)
                for n, d in model.dimensions.items() if not d.hidden
                for stored, names in d.values.items()
                if any(content(phrase(t))[: len(said)] == said for t in names) and len(d.values) > 1
            ]  # fmt: skip
            named = {content(phrase(t)) for t in model.synonyms}
            if said in named and not any(
                content(phrase(t)) == said
                for d in model.dimensions.values() for names in d.values.values() for t in names
            ):  # fmt: skip
                # The layer calls all of them so, and the kind only with a word more: « boutique », « boutique physique ».
                if kinds and not any(o.ref == kinds[0].ref for v in draft.values for o in v.options):
                    self.note("chosen", typed=mention.text, label=model.plural or model.label)
                continue
            if len(kinds) != 1 or any(o.ref == kinds[0].ref for v in draft.values for o in v.options):
                continue
            kind = kinds[0]
            labels = {True: self._option_label(kind), False: text("nl2sql.all_rows", label=model.plural or model.label)}
            chosen = self.choose(
                f"kind{mention.start}", [True, False], labels.__getitem__, text("nl2sql.which_one", word=mention.text)
            )
            if chosen:
                draft.values.append(ValueMention((kind,), mention.text, mention.start, end=mention.start + 1))

    def _those_with(self, mention: MeasureMention, ref: str) -> None:
        """« quels produits sont en rupture », « quelles lignes ont une remise »: those of which there is any."""
        draft, subject = self.draft, self.draft.subjects[0]
        entities = [o for o in subject.of("entity") if o.quality >= 0.94]
        if subject.start > mention.start or len(entities) != 1 or draft.conditions:
            return
        if not (draft.which or draft.listed) and not self._list_wanted(mention, ref, subject):
            return
        if (len(draft.subjects) > 1 and not all(m.of("entity") for m in draft.subjects)) or draft.texts or draft.presences:
            return
        thing = entities[0].ref
        if not self.reaches_measure(ref, thing):
            raise Missing("no_join", subject.text, measure=self.layer.measure(ref).label)
        between = self.words[subject.start : mention.start]
        if draft.which or not {"et", "avec", "leur", "leurs", "son", "sa", "and", "with", "their"} & set(between):
            if self.layer.measure(ref).formula is not None:
                raise NotSure(mention.text)
            options = mention.of("measure")
            draft.conditions.append(Condition("gt", (Decimal(0),), Mention(options, mention.text, mention.start)))
            draft.measures.clear()
        else:
            draft.groups.append(Group(Mention((entities[0],), subject.text, subject.start)))

    def _list_wanted(self, mention: MeasureMention, ref: str, subject: Mention) -> bool:
        """« articles en rupture »: the articles, or how many they are? Ask; « le CA des articles » is no list."""
        together = self.words[subject.start + 1 : mention.start]
        counted = self.layer.measure(ref).filter is not None and self.layer.measure(ref).format.kind == "integer"
        first = all(w in ("les", "nos", "mes", "des", "quid") for w in self.words[: subject.start])
        if not counted or tuple(together) != ("en",) or not first or not subject.text.lower().endswith(("s", "x")):
            return False
        entity = subject.of("entity")[0].ref
        model = self.layer.entities[entity]
        wanted: bool = self.choose(
            "listing", [True, False],
            lambda rows: text("nl2sql.the_list" if rows else "nl2sql.their_number", label=model.plural or model.label),
            text("nl2sql.list_or_number", word=f"{subject.text} {' '.join(together)} {mention.text}"),
        )  # fmt: skip
        self.draft.listed = wanted
        return wanted

    def _things_counted(self, ref: str, mention: MeasureMention) -> str | None:
        """Return the entity that a measure's words name in the plural and whose rows it counts; None: it is a number."""
        words = content(phrase(mention.text))
        if not self.k.is_count(ref) or not words or not mention.text.split()[0].lower().endswith(("s", "x")):
            return None
        for last in (False, True):  # « clients qui ont commandé », then « nouveaux clients »
            for name, entity in self.layer.entities.items():
                own = {content(phrase(t)) for t in (entity.label, entity.plural or entity.label, *entity.synonyms)}
                if not entity.hidden and any(
                    o and len(words) > len(o) and o == (words[-len(o) :] if last else words[: len(o)]) for o in own
                ):
                    return name
        return self.k.counted_through(ref)

    def _list_instead(self, mention: MeasureMention, ref: str, thing: str) -> None:
        draft, measure, entity = self.draft, self.layer.measure(ref), ref.partition(".")[0]
        subject = Mention((Option("entity", thing),), mention.text, mention.start)
        plain = measure.filter is None
        if plain and self.k.counted_through(ref) == thing:
            done = RelatedMention((Option("entity", entity),), mention.text, mention.start)
            money = next((c for c in draft.conditions if c.money and c.target is None), None)
            if money is not None:
                money.doing = done
            else:
                draft.related.append(done)
        elif plain and entity == thing and measure.time is not None and draft.periods:
            time = Mention((Option("dimension", f"{entity}.{measure.time}"),), mention.text, mention.start)
            for period in draft.periods:
                period.time = period.time or time
            draft.new = False
        elif entity != thing and self.k.distance(entity, thing) is not None:
            draft.conditions.append(
                Condition(
                    "gt", (Decimal(0),), Mention(mention.of("measure"), mention.text, mention.start), text=mention.text
                )
            )
        else:
            raise NotSure(mention.text)
        draft.measures.clear()
        draft.subjects.append(subject)

    def _totals(self, subject: str | None) -> None:
        """« ont acheté pour plus de 10 000 € »: a condition on the total of what each did."""
        for condition in self.draft.conditions:
            doing = condition.doing
            if doing is None:
                continue
            if subject is None or condition.target is not None:
                raise NotSure(condition.text)
            money = tuple(o for o in doing.of("measure") if self.layer.measure(o.ref).format.kind == "currency")
            events = {o.ref for o in doing.of("entity")} or {o.entity for o in doing.of("measure")}
            if money and all(self.layer.measure(o.ref).lower_is_better for o in money):
                money = ()  # what clients spend is what is sold to them, not a cost of one's own
            if not money and self.k.revenue is not None:
                roots = self.k.roots(self.k.revenue)
                told = all(e in roots or any(self.k.distance(r, e) is not None for r in roots) for e in events)
                money = (Option("measure", self.k.revenue),) if told and events else ()
            if not money:
                raise NotSure(condition.text)
            condition.target = Mention(money, doing.text, doing.start)
            if doing.period is not None:
                self.draft.periods.append(PeriodMention(doing.period, doing.text, start=doing.start))

    def _subject(self) -> str | None:
        """Return the entity that rows or groups are of: named first, not only in passing."""
        mentions = list(self.draft.subjects[:1] or self.draft.subjects)
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
            and (draft.count or not draft.groups)
            and not draft.rank
        ):
            # « quels sont les professionnels de Marseille »: a kind of client stands for the clients.
            kinds = [o for o in draft.values[0].of("value") if o.value in self.layer.dimension(o.ref).values]
            one_home = len({o.entity for o in draft.values[0].of("value")}) == 1
            if not kinds and one_home and (draft.count or (draft.which and draft.head is None)):
                # « combien de CDI »: the rows of that kind, but not « combien de lampadaires », which is the name of
                # one row.
                kinds = [
                    o
                    for o in draft.values[0].of("value")
                    if o.ref != f"{o.entity}.{self.layer.entities[o.entity].name_dimension}"
                ]
            if kinds and not draft.values[0].negated:
                best = max(o.quality for o in kinds)
                homes = list(dict.fromkeys(o.entity for o in kinds if o.quality >= best - 0.06))
                # « liste des annulées »: orders, or invoices?
                return self.choose(
                    "home", homes, lambda e: self.layer.entities[e].plural or self.layer.entities[e].label,
                    text("nl2sql.which_one", word=draft.values[0].text),
                )  # fmt: skip
        return None

    def _bare_amounts(self) -> None:
        """« montant moyen en mai », « le montant HT par région »: of the orders, the invoices, the payments? Ask."""
        draft = self.draft
        for mention in (*draft.measures, *draft.subjects):
            said = set(content(phrase(mention.text)))
            if not said & _AMOUNTS or not said <= _AMOUNTS | _TAXED or any(o.quality >= 0.94 for o in mention.of("measure")):
                continue
            amounts = [
                o for o in mention.of("dimension")
                if o.quality >= 0.85 and (form := self.layer.dimension(o.ref).format) and form.kind == "currency"
            ]  # fmt: skip
            owners = {o.entity for o in amounts}
            beside: list[Mention] = [m for m in (*draft.measures, *draft.subjects, *draft.values) if m is not mention]
            beside += [g.mention for g in draft.groups if g.mention is not None] + list(draft.related)
            beside += [c.target for c in draft.conditions if c.target is not None]
            if len(owners) < 2 or any(o.entity in owners for m in beside for o in m.options):
                continue
            first = list({o.entity: o for o in reversed(amounts)}.values())[::-1]
            chosen = self.choose(
                f"amount{mention.start}", first, lambda o: self.layer.entities[o.entity].plural or o.entity,
                text("nl2sql.which_amount"),
            )  # fmt: skip
            mention.options = (chosen,)

    def _thing_measured(self) -> str | None:
        """« produits vendus à moins de 20 »: the measure's own words begin with the thing it is measured of."""
        for mention in self.draft.measures:
            words = content(phrase(mention.text))
            for name, entity in self.layer.entities.items():
                own = {content(phrase(t)) for t in (entity.label, entity.plural or entity.label)}
                if not entity.hidden and any(words[: len(o)] == o and len(words) > len(o) for o in own):
                    return name
        return None

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
            if (
                mention.active
                and subject is not None
                and self._measured_beyond(subject)
                and self._narrowed_after(mention, subject)
            ):
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
            elif (
                mention.negated
                or (not draft.measures and subject is None)
                or (entity != subject and not any(self._about(m, entity) for m in self._measured()))
            ):
                raise NotSure(mention.text)
        draft.related = kept

    def _narrowed_after(self, mention: RelatedMention, subject: str) -> bool:
        return any(
            v.start > mention.start and all(self.k.distance(subject, o.entity) is None for o in v.of("value"))
            for v in self.draft.values
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
        return any(not (m.count and any(o.ref == subject for o in m.of("entity"))) for m in self._measured())

    def _measured(self) -> list[MeasureMention]:
        """What is computed, what a ranking is by included: « qui rapportent le plus de marge » measures the margin."""
        rank = self.draft.rank
        by = [rank.by] if rank is not None and rank.by is not None else []
        if rank is not None and rank.nouns and (options := self._noun_options(rank.nouns)):
            by.append(MeasureMention(options, rank.text, -1, count=not any(o.kind == "measure" for o in options)))
        return [*by, *self.draft.measures]

    def _noun_options(self, nouns: tuple[str, ...]) -> tuple[Option, ...]:
        for noun in nouns:
            options = self.k.lexicon.lookup(noun)
            usable = tuple(o for o in options if o.kind in ("measure", "dimension", "entity") and o.quality >= 0.85)
            if usable:
                return usable
        return ()

    def _about(self, mention: MeasureMention, entity: str) -> bool:
        roots = [self._looks_at(o.ref) if o.kind == "measure" else frozenset({o.entity}) for o in mention.options]
        # What points at the rows measured is one more condition on them: « nouveaux clients ayant commandé ».
        return any(any(self.k.distance(x, entity) is not None for x in r) for r in roots)

    def _looks_at(self, ref: str) -> frozenset[str]:
        finer = self.layer.measure(ref).finer
        return self.k.roots(ref) | (self.k.roots(finer) if finer is not None else frozenset())

    def _related_entity(self, mention: RelatedMention, subject: str | None) -> str | None:
        candidates = list(dict.fromkeys(o.entity for o in mention.options))
        if subject is None or not candidates:
            return candidates[0] if candidates else None
        pointing = [e for e in candidates if e != subject and self.k.distance(e, subject) is not None]
        if pointing or subject in candidates:
            return (pointing or [subject])[0]
        # « products never ordered »: an order does not point at a product, its lines do.
        details = [
            d for d in self.layer.entities for e in candidates
            if self.k.distance(d, e) == 1 and self.k.distance(d, subject) == 1
        ]  # fmt: skip
        return (details or candidates)[0]

    def _spoken_of(self) -> frozenset[str]:
        """Entities that the question names, by themselves, by a group or by a value: a measure's homonyms are told apart
        by them.
        """
        draft = self.draft
        named = {o.ref for m in draft.subjects for o in m.of("entity")}
        for mention in (*draft.values, *(g.mention for g in draft.groups if g.mention)):
            owners = {o.entity for o in mention.options}
            named |= owners if len(owners) == 1 else set()
        return frozenset(named)

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
        """Tell whether « the measure of the entity's » is the measure itself: its own rows, their event, or a thing they
        point at.
        """
        roots = self.item_roots(item)
        if entity in roots:
            return True
        events = {t.partition(".")[0] for r in roots if (t := self.k.time_of(r))}
        if entity in events:
            return True
        filtered = any(o.entity == entity for v in self.draft.values for o in v.of("value"))
        return self.reaches(item, entity) and (self.k.is_master(entity) or filtered)

    def _bare(self, mention: Mention) -> bool:
        """Tell whether a dimension was named telegraphically (« CA région »): nothing stands before it that governs it."""
        place = mention.start - 1
        words = self.words
        return place >= 0 and words[place] not in ("de", "du", "des", "d", "la", "le", "l", "of", "the", "for")

    def _new_needs_date(self, subject: str) -> None:
        time = self.layer.entities[subject].time
        if time is None or not self.k.is_creation(f"{subject}.{time}") or not self.draft.periods:
            raise NotSure(text("nl2sql.said.new"))
        self.new_placed = True

    def _only_numbers(self, mention: Mention) -> bool:
        dims = mention.of("dimension")
        return bool(dims) and all(self.layer.dimension(o.ref).type == "number" for o in dims)

    def _rank_target(self, subject: str | None) -> Group | None:
        """Return what is ranked: the head (« quel vendeur… »), the subject, a unit of time; None: the groups already
        said.
        """
        draft = self.draft
        if draft.rank is None or draft.rank.time:
            return None
        if draft.head_unit:
            return Group(grain=draft.head_unit)
        mentions = [m for m in draft.subjects if m.of("entity") or not self._only_numbers(m)]
        for mention in mentions:
            if draft.rank.by is None or mention.start != draft.rank.by.start:
                return Group(mention)
        if draft.units:
            return Group(grain=draft.units[0])
        if draft.head is not None:
            return Group(draft.head)
        return None
