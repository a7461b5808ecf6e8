"""Conditions as they are said: values, negations, comparisons with numbers, text, presence, what somebody did."""

from __future__ import annotations

from typing import Literal, cast

from datapilot_kernel.nl2sql.local.cover import Item
from datapilot_kernel.nl2sql.local.draft import (
    Aggregate,
    Condition,
    MeasureMention,
    Mention,
    PeriodMention,
    Presence,
    RelatedMention,
    TextCondition,
    Unit,
    ValueMention,
)  # fmt: skip
from datapilot_kernel.nl2sql.local.lexicon import Option
from datapilot_kernel.nl2sql.local.reading import ReaderBase
from datapilot_kernel.nl2sql.local.tokens import fold, stem

_COMPARATORS = ("gt", "ge", "lt", "le", "eq", "between")
_UNITS: dict[str, Unit] = {"day": "day", "week": "week", "month": "month", "year": "year"}
_POSSESSIVES = {"leur", "leurs", "son", "sa", "ses", "their", "its"}
_MONEY = {"€", "eur", "euro", "euros", "$", "keur"}
_AGGREGATES: tuple[Aggregate, ...] = ("avg", "min", "max", "median")


def _mention(item: Item, options: tuple[Option, ...] | None = None) -> Mention:
    return Mention(item.options if options is None else options, item.text, item.start)


class ConditionReader(ReaderBase):
    """Reads what narrows."""

    def _condition(self, i: int, op: str, *, target: Mention | None = None) -> int:
        comparator = self.items[i]
        place = self.next(i + 1)
        assert place is not None
        numbers, money, percent, unit = [self._decimal(place)], False, False, None
        i = place + 1
        minutes: int | None = None
        if i < len(self.items) and self.items[i].end - self.items[i].start >= 1:
            minutes = self.lexicon_grammar.durations.get(stem(self.items[i].norm or fold(self.items[i].text)))
            if minutes is not None:
                i += 1
        i, money, percent = self._unit_marks(i, money, percent)
        if target is None and i < len(self.items) and (columns := self._columns_in(self.items[i])):
            # « plus de 5 kg »: of what is weighed in them.
            target, i = Mention(columns, self.items[i].text, self.items[i].start), i + 1
        if op == "between":
            place = self.next(i)
            if place is not None and self.items[place].is_op("and"):
                second = self.next(place + 1)
                if second is not None and self._number_follows(place + 1):
                    numbers.append(self._decimal(second))
                    i, money, percent = self._unit_marks(second + 1, money, percent)
            if len(numbers) == 1:
                self.draft.unexplained.append(comparator.text)
                return i
        place = self.next(i)
        if (
            place is not None
            and (time := self.items[place].time) is not None
            and time.unit in _UNITS
            and self._bare_unit(place)
        ):
            unit = _UNITS[str(time.unit)]
            i = place + 1
            place = self.next(i)
        if minutes is not None and target is None:
            pass
        elif place is not None and self.items[place].is_op("times") and target is not None and target.of("measure"):
            i = place + 1  # « produits vendus plus de 100 fois »
        elif place is not None and self.items[place].is_op("times") and target is None and self._ranked_number() is not None:
            # « les 4 villes où l'on compte le moins de clients, parmi celles qui en ont au moins 50 »
            target, i = self._ranked_number(), place + 1
        elif (
            place is not None
            and self.items[place].is_op("times")
            and not self.draft.related
            and self.draft.measures
            and target is None
        ):
            last = self.draft.measures[-1]
            target, i = Mention(last.options, last.text, last.start), place + 1
        elif (
            place is not None
            and self.items[place].is_op("times")
            and self.draft.related
            and not self.draft.related[-1].negated
            and self.draft.related[-1].of("entity")
            and target is None
        ):
            # « ont commandé au moins 3 fois »: how many of what they did.
            done = self.draft.related.pop()
            target, i = Mention(done.of("entity"), done.text, done.start), place + 1
        elif (
            target is None
            and unit is None
            and place is not None
            and self._measurable(self.items[place])
            and not self._comparator_after(place)
        ):
            target = _mention(self.items[place])
            said = {x.norm for x in self.items[i:place]}
            if not money and not said & {"de", "d", "of"} and not target.of("entity") and self._all_money(target):
                # « moins de 5 ventes » counts sales; it is no amount below 5.
                self.draft.unexplained.append(self.items[place].text)
            i = place + 1
        if self.negated:
            op = {"gt": "le", "ge": "lt", "lt": "ge", "le": "gt", "eq": "ne"}.get(op, op)
            self.negated = False
        owner, doing = None, None
        before = self.before(self.items.index(comparator))
        if (
            money
            and target is None
            and self.draft.related
            and not self.draft.related[-1].negated
            and before is not None
            and (before.start == self.draft.related[-1].start or before.kind == "verb")
        ):
            # « ont acheté pour plus de 10 000 € »: the total of what they did, not one row of it.
            doing = self.draft.related.pop()
        if target is None and before is not None and before.kind == "lex" and before.of("entity"):
            owner = _mention(before, before.of("entity"))
        self.draft.conditions.append(
            Condition(
                cast("Literal['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'between']", op), tuple(numbers), target, money,
                percent, unit,
                minutes, comparator.text, owner, doing,
            )
        )  # fmt: skip
        return i

    def _ranked_number(self) -> Mention | None:
        """Return the number that a ranking is by; None when it is by none."""
        rank = self.draft.rank
        if rank is None or rank.by is None or self.draft.measures or self.draft.related:
            return None
        return Mention(rank.by.of("entity") if rank.by.count else rank.by.options, rank.by.text, rank.by.start)

    def _columns_in(self, item: Item) -> tuple[Option, ...]:
        """Return the numbers of the layer that are written in a unit (« kg », « m² »)."""
        if item.kind != "unknown" or not item.text:
            return ()
        return tuple(
            Option("dimension", f"{name}.{n}")
            for name, entity in self.lexicon.layer.entities.items()
            for n, d in entity.dimensions.items()
            if d.type == "number" and not d.hidden and d.format is not None and d.format.unit == item.text.lower()
        )

    def _all_money(self, target: Mention) -> bool:
        layer = self.lexicon.layer
        kinds: list[str] = [layer.measure(o.ref).format.kind for o in target.of("measure")]
        kinds += [f.kind if (f := layer.dimension(o.ref).format) else "" for o in target.of("dimension") if self._numeric(o)]
        return bool(kinds) and all(k == "currency" for k in kinds)

    def _older(self, i: int) -> int:
        place = self.next(i + 1)
        if place is None or self.items[place].kind != "number":
            self.draft.unexplained.append(self.items[i].text)
            return i + 1
        return self._condition(i, "gt" if self.items[i].is_op("older") else "lt")

    def _text(self, i: int, *, target: Mention | None = None) -> int:
        start = self.items[i].end
        words = [
            t
            for t in self.tokens[start:]
            if t.norm not in ("«", "»", '"', "“", "”", "le", "la", "l", "mot", "texte", "?", ".")
        ]
        if not words:
            self.draft.unexplained.append(self.items[i].text)
            return i + 1
        if len(words) > 3 or (target is None and not self.draft.subjects):
            self.draft.unexplained.append(self.items[i].text)
            return i + 1
        text = " ".join(w.text for w in words)
        op: Literal["contains", "starts_with", "not_contains"] = (
            "starts_with" if self.items[i].is_op("start_with") else "contains"
        )
        if self.negated and op == "contains":
            op, self.negated = "not_contains", False
        self.draft.texts.append(TextCondition(op, text, target))
        return len(self.items)

    def _presence(self, i: int) -> int:
        item = self.items[i]
        before = self.before(i)
        subject = self.draft.subjects[-1] if self.draft.subjects else None
        if before is not None and subject is not None and before.start == subject.start and subject.of("dimension"):
            self.draft.subjects.pop()
            self.draft.presences.append(
                Presence(Mention(subject.of("dimension"), subject.text), item.is_op("empty") != self.negated)
            )
            self.negated = False
        else:
            self.draft.unexplained.append(item.text)
        return i + 1

    def _with(self, i: int) -> int:
        """« clients avec un e-mail », « avec un CA supérieur à », « commandes avec remise »: what follows must be there."""
        place = self.next(i + 1)
        item = None if place is None else self.items[place]
        if item is None:
            self.draft.unexplained.append(self.items[i].text)
            return i + 1
        if place is None or item.kind != "lex":
            return i + 1
        if self._comparator_after(place):
            return i + 1
        kind = self._kind(place)
        if kind == "value":
            return i + 1
        if kind == "dimension" and not item.of("entity"):
            dims = item.of("dimension")
            following = self.peek(place + 1)
            if (
                following is not None
                and following.kind == "lex"
                and any(v.ref == d.ref for v in following.of("value") for d in dims)
            ):
                return i + 1
            if any(self._numeric(d) for d in dims) and not self.draft.listed:
                self.draft.unexplained.append(self.items[i].text)
                return i + 1
            theirs = any(x.norm in _POSSESSIVES for x in self.items[i + 1 : place])
            if self.draft.listed or theirs:
                # « la liste des magasins avec leur ville »: a column more.
                self.draft.subjects.append(_mention(item, dims))
                return place + 1
            self.draft.presences.append(Presence(_mention(item, dims), empty=False))
            return place + 1
        if item.of("entity") and kind == "entity":
            self.draft.related.append(RelatedMention(item.of("entity"), item.text, item.start))
            return place + 1
        superlative = self.peek(place + 1)
        if superlative is not None and superlative.is_op("most", "least", "top", "bottom"):
            return i + 1  # « avec le taux de marge le plus faible »
        theirs = any(x.norm in _POSSESSIVES for x in self.items[i + 1 : place])
        if kind == "measure" and (theirs or self.draft.rank is not None or self.draft.groups):
            # « top 5 des clients avec leur marge »: shown beside.
            shown = MeasureMention(item.of("measure"), item.text, item.start, beside=True)
            if theirs and not (self.draft.subjects or self.draft.measures or self.draft.groups or self.draft.rank):
                # « avec leur marge »: of what was asked just before.
                self.draft.again = self.draft.again_first = self.draft.adding = True
            self.draft.measures.append(shown)
            return place + 1
        # « CA avec la marge » adds a measure; « nombre de commandes avec frais de port » is a condition that is not known.
        counting = any(
            self.lexicon.layer.measure(o.ref).format.kind == "integer"
            for m in self.draft.measures[-1:]
            for o in m.of("measure")
        )
        if (
            self.draft.measures
            and not counting
            and not self.draft.measures[-1].count
            and not self.draft.count
            and not self.draft.subjects
        ):
            return i + 1
        self.draft.unexplained.append(self.items[i].text)
        return i + 1

    def _include(self, i: int) -> int:
        """« y compris les annulées »: what a default filter leaves out is wanted too."""
        place = self.next(i + 1)
        before = self.before(i)
        if place is not None and self.items[place].kind == "lex" and self.items[place].of("value"):
            self.draft.included.append(_mention(self.items[place], self.items[place].of("value")))
            return place + 1
        if before is not None and self.draft.values and before.start == self.draft.values[-1].start:
            value = self.draft.values.pop()
            self.draft.included.append(Mention(value.options, value.text, value.start))
            return i + 1
        self.draft.unexplained.append(self.items[i].text)
        return i + 1

    def _value(
        self,
        i: int,
        options: tuple[Option, ...],
        *,
        named: tuple[Option, ...] = (),
        named_text: str = "",
        negated: bool = False,
    ) -> int:
        item = self.items[i]
        named_start = -1
        noun = self.before(i)
        if (
            noun is not None
            and noun.kind == "lex"
            and noun.end == item.start
            and all(isinstance(o.value, bool) for o in options)
        ):
            # « clients actifs » is nothing that a product's « actif » says.
            owners = {o.entity for o in noun.of("entity", "measure", "dimension")}
            options = tuple(o for o in options if o.entity in owners) if owners else options
            if not options:
                self.draft.unexplained.append(item.text)
                return i + 1
        if not named:
            before = self.before(i)
            last = self.draft.values[-1] if self.draft.values else None
            if before is not None and before.is_op("and", "or", "comma", "neg", "versus") and last is not None:
                named, named_text = last.named, last.named_text
            elif before is not None and before.kind == "lex" and before.of("entity", "dimension") and self._placed(before):
                named, named_text = before.of("entity", "dimension"), before.text
                named_start = before.start
        inside = self._entity_inside(item, options)
        if (
            inside is not None
            and not negated
            and not any(o.ref == inside.ref for s in self.draft.subjects for o in s.of("entity"))
        ):
            # « clients professionnels » names the clients as well as their kind.
            if self.draft.count and not self.draft.measures:
                self.draft.measures.append(MeasureMention((inside,), item.text, item.start, count=True))
            else:
                self.draft.subjects.append(Mention((inside,), item.text, item.start))
        joined: Literal["and", "or", ""] = ""
        before = self.before(i)
        if (
            self.tokens[item.start].hyphened
            and self.draft.values
            and self.draft.values[-1].end == item.start
            and {o.ref for o in self.draft.values[-1].options} & {o.ref for o in options}
        ):
            # « équipe Sud-Ouest », where there are Sud and Ouest: one name that is not there, not two that are.
            self.draft.unexplained.append(f"{self.draft.values[-1].text}-{item.text}")
            return i + 1
        if before is not None and before.is_op("by"):
            before = self.before(self.items.index(before))  # « d'Annecy ou par téléphone »
        if before is not None and before.is_op("or"):
            joined = "or"
        elif before is not None and before.is_op("and", "comma", "versus"):
            joined = "and"
        self.draft.values.append(
            ValueMention(
                options,
                item.text,
                item.start,
                negated=negated,
                named=named,
                named_text=named_text,
                named_start=named_start,
                end=item.end,
                joined_by=joined,
            )
        )
        return i + 1

    def _neg(self, i: int) -> int:
        item = self.items[i]
        if item.is_op("never"):
            self.negated, self.neg_item = True, item
            return i + 1
        self.negated, self.neg_item = True, item
        following = self.peek(i + 1)
        if following is None:
            self.draft.unexplained.append(item.text)
            self.negated = False
        return i + 1

    def _negated_lex(self, i: int) -> int:
        """After « sauf », « sans », « pas »…: values to leave out, rows there are none of, or a column that is empty."""
        item = self.items[i]
        draft = self.draft
        following = self.next(i + 1)
        values = item.of("value")
        dims = item.of("dimension")
        if (
            dims
            and not values
            and following is not None
            and self.items[following].kind == "lex"
            and not self._list_glue(i, following)
        ):
            inside = tuple(v for v in self.items[following].of("value") if any(v.ref == d.ref for d in dims))
            if inside:
                j = self._value(following, inside, named=dims, named_text=item.text, negated=True)
                return self._more_negated(j)
        about = {o.entity for m in (*draft.subjects, *draft.measures) for o in m.of("entity")}
        if dated := self._dated_of_theirs(item):
            self.negated = False
            draft.presences.append(Presence(_mention(item, dated), empty=True))
            return i + 1
        theirs = tuple(d for d in dims if d.entity in about)
        without = self.neg_item is not None and self.neg_item.norm in ("sans", "without")
        if without and theirs and not any(v.entity in about for v in values):
            # « clients sans téléphone »: a column of theirs, though a sale may be by telephone.
            self.negated = False
            draft.presences.append(Presence(_mention(item, theirs), empty=True))
            return i + 1
        if values and not (item.of("entity") and self.neg_item is not None and self.neg_item.norm == "sans"):
            j = self._value(i, values, negated=True)
            return self._more_negated(j)
        self.negated = False
        if item.of("entity") or item.of("measure"):
            options = item.of("entity") or item.of("measure")
            if dims and self._own_dimension(dims):
                options = options + dims
            draft.related.append(RelatedMention(options, item.text, item.start, negated=True))
            return i + 1
        if dims:
            beside = self.items[i + 1] if i + 1 < len(self.items) else None
            if beside is not None and beside.kind == "lex" and beside.of("dimension") and not beside.of("value"):
                draft.unexplained.append(f"{item.text} {beside.text}")  # « pas d'adresse mail »: one column or two?
                return i + 2
            if draft.measures and all(self._numeric(d) for d in dims):
                draft.unexplained.append(item.text)  # « CA hors frais »: less an amount, and no empty column
                return i + 1
            draft.presences.append(Presence(_mention(item, dims), empty=True))
            return i + 1
        draft.unexplained.append(item.text)
        return i + 1

    def _dated_of_theirs(self, item: Item) -> tuple[Option, ...]:
        """« commerciaux partis »: a date of theirs, though orders may be called so too."""
        nouns = self.lexicon_grammar.verbs.get(stem(item.norm), ())
        about = {o.entity for m in (*self.draft.subjects, *self.draft.measures) for o in m.of("entity", "measure")}
        if not nouns or item.end - item.start != 1 or not about or any(v.entity in about for v in item.of("value")):
            return ()
        if not item.of("value") or item.of("measure", "entity", "dimension"):
            return ()
        found = [o for noun in nouns for o in self.lexicon.lookup(noun) if self._temporal(o) and o.entity in about]
        return tuple(dict.fromkeys(found))

    def _own_dimension(self, dims: tuple[Option, ...]) -> bool:
        subjects = {o.ref for s in self.draft.subjects for o in s.of("entity")}
        return any(d.entity in subjects for d in dims)

    def _more_negated(self, j: int) -> int:
        """« hors Lyon et Paris », « sauf Lyon, Paris »: the negation goes on over the list."""
        place = self.next(j)
        while place is not None and self.items[place].is_op("and", "or", "comma"):
            following = self.next(place + 1)
            if (
                following is None
                or self.items[following].kind != "lex"
                or not self.items[following].of("value")
                or self.items[following].of("measure", "entity")
            ):
                break
            last = self.draft.values[-1]
            j = self._value(
                following, self.items[following].of("value"), named=last.named, named_text=last.named_text, negated=True
            )
            place = self.next(j)
        self.negated = False
        return j

    def _verb(self, i: int) -> int:
        """« ont commandé », « jamais vendus »: a verb stands for the rows it makes."""
        item = self.items[i]
        return self._did(i, item.nouns or item.ranked_by)

    def _did(self, i: int, nouns: tuple[str, ...]) -> int:
        item = self.items[i]
        options: tuple[Option, ...] = ()
        for noun in nouns:
            options = tuple(o for o in self.lexicon.lookup(noun) if o.kind in ("entity", "measure") or self._temporal(o))
            if options:
                break
        options = options or self.lexicon.dated_by(self.tokens[item.start])
        if not options:
            self.draft.unexplained.append(item.text)
            return i + 1
        if (
            self.draft.rank is not None
            and self.draft.rank.by is None
            and not self.draft.rank.nouns
            and not self.draft.rank.time
        ):
            self.draft.rank.nouns = self.lexicon_grammar.adjectives.get(stem(item.norm)) or nouns
            return i + 1
        dates = tuple(o for o in options if o.kind == "dimension")
        about = {o.entity for m in (*self.draft.subjects, *self.draft.measures) for o in m.options}
        theirs = tuple(o for noun in nouns for o in self.lexicon.lookup(noun) if self._temporal(o) and o.entity in about)
        theirs = theirs or (
            self.lexicon.dated_by(self.tokens[item.start])
            if any(o.entity in about and o.kind == "measure" for o in options)
            else ()
        )
        if theirs and not any(o.entity not in about and o.kind == "entity" for o in options):
            # « salariés embauchés en 2024 »: their own date.
            return self._event(i, tuple(dict.fromkeys(o for o in theirs if o.entity in about)))
        if dates and len(dates) == len(options):
            return self._event(i, dates)
        measures = tuple(o for o in options if o.kind == "measure")
        last = self.draft.measures[-1] if self.draft.measures else None
        if last is not None and last.count and not self.draft.distinct and not self.negated:
            said = tuple(
                o for o in self.lexicon.lookup(f"{last.text} {item.text}") if o.kind == "measure" and o.quality >= 0.95
            )
            if said:
                # « combien d'articles avons-nous vendus » is « articles vendus ».
                last.options, last.count = said, False
                return i + 1
        if self.draft.count and self.draft.count_of and measures and self._counting_values():
            # « combien de lampadaires vendus »: how many of them, never how much money.
            pieces = self._pieces(item, measures)
            if not pieces:
                self.draft.unexplained.append(item.text)
                return i + 1
            if not any(m.options == pieces for m in self.draft.measures):
                self.draft.measures.append(MeasureMention(pieces, item.text, item.start))
            self.draft.count = False
            return i + 1
        if self.draft.count and not self.draft.measures and not self.draft.subjects and measures and not self.negated:
            # « combien avons-nous encaissé »
            self.draft.measures.append(MeasureMention(measures, item.text, item.start))
            self.draft.count = False
            return i + 1
        self.draft.related.append(
            RelatedMention(
                tuple(o for o in options if o.kind != "dimension"), item.text, item.start, negated=self.negated,
                active=i > 0 and (self.items[i - 1].norm in ("ont", "a", "have", "has") or self.items[i - 1].is_op("have")),
            )
        )  # fmt: skip
        self.negated = False
        return i + 1

    def _counting_values(self) -> bool:
        """Tell whether values alone stand after « combien de »."""
        draft = self.draft
        return bool(draft.values) and not draft.measures and not draft.subjects and not self.negated

    def _pieces(self, item: Item, measures: tuple[Option, ...]) -> tuple[Option, ...]:
        """Return the measures of pieces that go with what was done: « quantité vendue » for « vendus »."""
        layer = self.lexicon.layer
        owners = {o.entity for o in measures}
        said = [
            o
            for noun in ("quantité", "articles", "nombre d'articles", "unités", "pièces")
            for o in self.lexicon.lookup(f"{noun} {item.text}")
            if o.kind == "measure" and o.quality >= 0.95
        ]
        found = [o for o in said if layer.measure(o.ref).format.kind == "integer"]
        if not found:
            found = [
                o
                for noun in ("quantité", "quantity")
                for o in self.lexicon.lookup(noun)
                if o.kind == "measure" and o.quality >= 0.95 and o.entity in owners
            ]
        return tuple(dict.fromkeys(found))

    def _event(self, i: int, dates: tuple[Option, ...]) -> int:
        """« ouverts depuis 2019 », « partis en mai », « ont quitté »: a participle that a date of the layer dates."""
        item, draft = self.items[i], self.draft
        following = self.next(i + 1)
        after = None if following is None else self.items[following]
        mention = _mention(item, dates)
        if (
            after is not None
            and following is not None
            and after.is_op("older", "within", "gt", "lt", "ge", "le")
            and self._age_follows(following)
        ):
            op = next((n for n in after.ops if n in _COMPARATORS), "gt" if after.is_op("older") else "lt")
            return self._condition(following, op, target=mention)
        if (
            after is not None
            and following is not None
            and after.time is not None
            and after.time.period is not None
            and not self.negated
        ):
            draft.periods.append(PeriodMention(after.time.period, after.text, time=mention, start=item.start))
            return following + 1
        draft.presences.append(Presence(mention, empty=self.negated))
        self.negated = False
        return i + 1
