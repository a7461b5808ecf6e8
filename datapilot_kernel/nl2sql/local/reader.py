"""Read the items of a question from left to right into a :class:`Draft`.

Each operator looks at its neighbours for what it applies to; what finds no place is *unexplained*, and the question is then not
understood. Nothing is dropped in silence: every item is either filler or has been put somewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal, cast

from datapilot_kernel.nl2sql.local.cover import Cover, Item
from datapilot_kernel.nl2sql.local.draft import (
    Aggregate,
    Condition,
    Draft,
    Group,
    MeasureMention,
    Mention,
    PeriodMention,
    Presence,
    Rank,
    RelatedMention,
    TextCondition,
    Unit,
    ValueMention,
)  # fmt: skip
from datapilot_kernel.nl2sql.local.grammar import Grammar, phrase
from datapilot_kernel.nl2sql.local.lexicon import Lexicon, Option, content, is_participle
from datapilot_kernel.nl2sql.local.tokens import fold, stem
from datapilot_kernel.plan.model import LastPeriod

_COMPARATORS = ("gt", "ge", "lt", "le", "eq", "between")
_UNITS: dict[str, Unit] = {"day": "day", "week": "week", "month": "month", "year": "year"}
_POSSESSIVES = {"leur", "leurs", "son", "sa", "ses", "their", "its"}
_MONEY = {"€", "eur", "euro", "euros", "$", "keur"}
_AGGREGATES: tuple[Aggregate, ...] = ("avg", "min", "max", "median")


def _mention(item: Item, options: tuple[Option, ...] | None = None) -> Mention:
    return Mention(item.options if options is None else options, item.text, item.start)


class Reader:
    """One reading of one cover."""

    def __init__(self, cover: Cover, lexicon: Lexicon, words: Grammar) -> None:
        self.items, self.lexicon, self.lexicon_grammar = cover.items, lexicon, words
        self.tokens = cover.tokens
        self.draft = Draft()
        self.number: Item | None = None
        self.negated = False
        self.neg_item: Item | None = None
        self.pending: Aggregate | None = None
        self.versus_next = False
        self._handlers: dict[str, Callable[[int], int]] = {
            "by": self._by, "count": self._count, "top": self._rank, "bottom": self._rank, "most": self._most, "least": self._most,
            "recent": self._recent, "oldest": self._recent, "first": self._first, "neg": self._neg, "never": self._neg,
            "which": self._which, "sum": self._sum, "share": self._share, "distribution": self._distribution, "list": self._list,
            "versus": self._versus, "empty": self._presence, "filled": self._presence, "start_with": self._text,
            "contain": self._text, "older": self._older, "within": self._older, "sort": self._sort, "amount": self._amount,
            "include": self._include, "with": self._with, "actual": self._actual, "share_by": self._share_by,
        }  # fmt: skip

    # ── movement ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def next(self, i: int, *, over_comma: bool = False) -> int | None:
        """Return the place of the next item that is not filler."""
        while i < len(self.items):
            item = self.items[i]
            if item.kind != "filler" and not (over_comma and item.is_op("comma")):
                return i
            i += 1
        return None

    def peek(self, i: int) -> Item | None:
        """Return the next item that is not filler."""
        place = self.next(i)
        return None if place is None else self.items[place]

    def before(self, i: int) -> Item | None:
        """Return the item before ``i`` that is not filler."""
        i -= 1
        while i >= 0 and self.items[i].kind == "filler":
            i -= 1
        return self.items[i] if i >= 0 else None

    def read(self) -> Draft:
        """Read everything."""
        i = 0
        first = self.next(0)
        if first is not None and self.items[first].is_op("and", "again"):
            self.draft.and_first = self.items[first].is_op("and")
            self.draft.again = True
            i = first + 1
        while i < len(self.items):
            i = self._item(i)
        self._finish()
        return self.draft

    def _item(self, i: int) -> int:
        item = self.items[i]
        match item.kind:
            case "filler":
                return i + 1
            case "unknown":
                self.draft.unexplained.append(item.text)
                return i + 1
            case "number":
                return self._number(i)
            case "time":
                return self._time(i)
            case "lex":
                return self._lex(i)
            case "verb":
                return self._verb(i)
            case "op":
                return self._op(i)

    def _op(self, i: int) -> int:
        item = self.items[i]
        for name in item.ops:
            if name in _COMPARATORS and self._number_follows(i + 1):
                return self._condition(i, name)
        for name in item.ops:
            if name in self._handlers:
                return self._handlers[name](i)
        draft = self.draft
        for name in item.ops:
            match name:
                case "avg" | "min" | "max" | "median":
                    return self._aggregate(i, cast("Aggregate", name))
                case "trend" | "growth" | "cumul" | "compare" | "distinct" | "when" | "new" | "only":
                    setattr(draft, name, True)
                    return i + 1
                case "previous_year" | "previous_period":
                    draft.versus = cast("Literal['previous_year', 'previous_period']", name)
                    self.versus_next = False
                    return i + 1
                case "day_working" | "day_weekend" | "day_holiday":
                    draft.day_type = cast("Literal['working', 'weekend', 'holiday']", name[4:])
                    draft.day_type_negated, self.negated = self.negated, False
                    return i + 1
                case "ascending" | "descending":
                    draft.ascending = name == "ascending"
                    return i + 1
                case "moving":
                    draft.unexplained.append(item.text)
                    return i + 1
                case "and" | "or" | "comma" | "have" | "nothing":
                    return i + 1
                case "now":
                    draft.now = item.text
                    return i + 1
                case "net_of_tax" | "with_tax":
                    before = self.before(i)
                    if before is not None and before.is_op("and") and draft.measures:
                        # « le CA HT et TTC »: the same measure once more.
                        last = draft.measures[-1]
                        twin = cast("Literal['net_of_tax', 'with_tax']", name)
                        draft.measures.append(MeasureMention(last.options, f"{last.text} {item.text}", item.start, tax=twin))
                        if draft.tax is not None:
                            last.tax, draft.tax = draft.tax, None
                        return i + 1
                    if draft.tax not in (None, name):
                        draft.unexplained.append(item.text)
                    draft.tax = cast("Literal['net_of_tax', 'with_tax']", name)
                    return i + 1
                case "again":
                    draft.again = True
                    return i + 1
                case "remove_filter":
                    draft.remove_filter = True
                    return i + 1
        draft.unexplained.append(item.text)
        return i + 1

    # ── phrases of the layer ───────────────────────────────────────────────────────────────────────────────────────────

    def _lex(self, i: int) -> int:
        item = self.items[i]
        draft = self.draft
        following = self.next(i + 1)
        after = None if following is None else self.items[following]
        values, dims = item.of("value"), item.of("dimension")
        # « le canal web », « région Bretagne »: the dimension only says where the value lies.
        if (
            after is not None
            and following is not None
            and after.kind == "lex"
            and (dims or item.of("entity"))
            and not self._list_glue(i, following)
        ):
            inside = tuple(v for v in after.of("value") if any(v.ref == d.ref for d in dims))
            if inside and not (after.of("measure")):
                return self._value(following, inside, named=dims, named_text=item.text)
        verbs = self.lexicon_grammar.verbs.get(stem(item.norm), ())
        if verbs and item.end - item.start == 1 and is_participle(item.text) and max(o.quality for o in item.options) < 0.95:
            return self._did(i, verbs)
        if (
            after is not None and following is not None and after.is_op(*_COMPARATORS, "older", "within") and self._number_follows(following + 1)
            and self._comparable(item, following) and not self._target_follows(following)
        ):  # fmt: skip
            op = next((n for n in after.ops if n in _COMPARATORS), "gt" if after.is_op("older") else "lt")
            return self._condition(following, op, target=_mention(item))
        if after is not None and following is not None and after.is_op("contain", "start_with") and dims:
            return self._text(following, target=_mention(item, dims))
        if after is not None and following is not None and after.is_op("empty", "filled") and dims:
            draft.presences.append(Presence(_mention(item, dims), after.is_op("empty")))
            return following + 1
        if after is not None and following is not None and after.is_op("neg") and dims and not values:
            beyond = self.peek(following + 1)
            if beyond is not None and beyond.is_op("filled"):
                draft.presences.append(Presence(_mention(item, dims), empty=True))
                return (self.next(following + 1) or following) + 1
        if (
            dims
            and len(dims) == len(item.options)
            and item.options[0].quality == 0.8
            and all(self._temporal(o) for o in dims)
        ):
            return self._event(i, dims)
        if item.of("way") and not item.of("dimension", "entity", "measure") and (self.negated or draft.related):
            joins = {o.ref: self.lexicon.layer.joins[o.ref] for o in item.of("way")}
            options = tuple(Option("entity", j.from_entity) for j in joins.values())
            draft.related.append(RelatedMention(options, item.text, item.start, negated=self.negated, ways=tuple(joins)))
            self.negated = False
            return i + 1
        if item.of("way") and not item.of("dimension", "entity", "measure"):
            draft.ways += [o.ref for o in item.of("way")]
            draft.subjects.append(self._way_subject(item))
            return i + 1
        if self.negated:
            return self._negated_lex(i)
        kind = self._kind(i)
        if kind == "value":
            return self._value(i, values)
        if self.pending is not None and kind in ("measure", "dimension"):
            options = (*item.of("measure"), *(d for d in dims if self._numeric(d))) or dims
            draft.measures.append(MeasureMention(options, item.text, item.start, aggregate=self.pending))
            self.pending = None
            return i + 1
        if kind == "measure":
            options = item.of("measure")
            draft.measures.append(MeasureMention(options, item.text, item.start))
            return i + 1
        # A date named just before a period says which date: « date d'échéance en mai ».
        if (
            kind == "dimension"
            and after is not None
            and after.time is not None
            and after.time.period is not None
            and all(self._temporal(d) for d in dims)
        ):
            draft.periods.append(PeriodMention(after.time.period, after.text, time=_mention(item, dims), start=item.start))
            return (following or i) + 1
        draft.subjects.append(_mention(item, item.of("entity", "dimension")))
        return i + 1

    def _way_subject(self, item: Item) -> Mention:
        joins = [self.lexicon.layer.joins[o.ref] for o in item.of("way")]
        return Mention(tuple(Option("entity", j.to_entity) for j in joins), item.text, item.start)

    def _kind(self, i: int) -> str:
        """Choose what an item without a governing operator is: by what the layer says best, then by its neighbours."""
        item = self.items[i]
        best = max(o.quality for o in item.options)
        kinds = {o.kind for o in item.options if o.quality >= best - 0.06}
        if "value" in kinds and len(kinds) > 1:
            mine = {o.ref for o in item.of("value")}
            previous = self.before(i)
            if previous is not None and previous.kind == "lex" and self._qualifies(previous, item):
                # « factures impayées »: an adjective of the noun before it.
                return "value"
            for near in (self._other_side(i, -1), self._other_side(i, 1)):
                if near is not None and any(o.kind == "value" and o.ref in mine for o in near.options):
                    return "value"
            before = self.items[i - 1] if i else None
            if (
                before is not None
                and before.kind == "filler"
                and before.norm in ("en", "via", "sur")
                and not kinds & {"measure"}
            ):
                return "value"
            if any(isinstance(o.value, bool) for o in item.of("value")) and not kinds & {"entity", "measure"}:
                return "value"
        if "measure" in kinds and not (kinds & {"entity"} and (self.draft.listed or self.draft.count)):
            return "measure"
        for kind in ("entity", "dimension", "value"):
            if kind in kinds:
                return "dimension" if kind == "dimension" else kind
        return "entity"

    def _qualifies(self, noun: Item, item: Item) -> bool:
        entities = {o.ref for o in noun.of("entity")}
        entities |= {o.entity for o in noun.of("measure") if o.quality >= 0.94}
        adjacent = noun.end == item.start
        return adjacent and any(o.entity in entities and o.quality >= 0.9 for o in item.of("value"))

    def _other_side(self, i: int, step: int) -> Item | None:
        """Return the item joined to this one by « et », « ou », « vs », a comma, « compare »."""
        j = i + step
        joined = False
        while 0 <= j < len(self.items):
            item = self.items[j]
            if item.is_op("and", "or", "comma", "versus"):
                joined = True
            elif item.kind != "filler":
                return item if joined and item.kind == "lex" else None
            j += step
        return None

    def _list_glue(self, i: int, j: int) -> bool:
        return any(self.items[k].is_op("and", "or", "comma") for k in range(i + 1, j))

    def _numeric(self, option: Option) -> bool:
        return option.kind == "dimension" and self.lexicon.layer.dimension(option.ref).type == "number"

    def _temporal(self, option: Option) -> bool:
        return option.kind == "dimension" and self.lexicon.layer.dimension(option.ref).type in ("date", "timestamp")

    def _comparable(self, item: Item, comparator: int) -> bool:
        """Tell whether a comparison is of this phrase: it has a number, and an age (« de plus de 30 jours ») is not of an amount."""
        numeric = [o for o in item.options if o.kind == "measure" or self._numeric(o)]
        if any(self._temporal(o) for o in item.options) and self._age_follows(comparator):
            return True
        if self._age_follows(comparator):
            numeric = [o for o in numeric if self._in_days(o)]
        elif self._money_follows(comparator):
            numeric = [o for o in numeric if self._in_money(o)]
        return bool(numeric)

    def _money_follows(self, comparator: int) -> bool:
        number = self.next(comparator + 1)
        return number is not None and self._unit_marks(number + 1, False, False)[1]

    def _in_money(self, option: Option) -> bool:
        layer = self.lexicon.layer
        form = layer.measure(option.ref).format if option.kind == "measure" else layer.dimension(option.ref).format
        return form is None or form.kind in ("currency", "decimal")

    def _target_follows(self, comparator: int) -> bool:
        """Tell whether what is compared stands after the number: « plus de 3 commandes », « plus de 10 000 € de CA »."""
        place = self.next(comparator + 1)
        if place is None or self.items[comparator].is_op("between"):
            return False
        i, _, _ = self._unit_marks(place + 1, False, False)
        while i < len(self.items) and self.items[i].kind == "filler" and self.items[i].norm in ("de", "d", "of"):
            i += 1
        item = self.items[i] if i < len(self.items) else None
        return (
            item is not None and item.kind == "lex" and bool(item.of("entity", "measure")) and not self._comparator_after(i)
        )

    def _age_follows(self, comparator: int) -> bool:
        number = self.next(comparator + 1)
        unit = None if number is None else self.peek(number + 1)
        return unit is not None and unit.time is not None and unit.time.unit in _UNITS

    def _in_days(self, option: Option) -> bool:
        layer = self.lexicon.layer
        form = layer.measure(option.ref).format if option.kind == "measure" else layer.dimension(option.ref).format
        return form is None or form.kind in ("days", "hours", "integer", "decimal")

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
        noun = self.before(i)
        if noun is not None and noun.kind == "lex" and noun.end == item.start and all(isinstance(o.value, bool) for o in options):
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
                end=item.end,
                joined_by=joined,
            )
        )
        return i + 1

    def _placed(self, item: Item) -> bool:
        """Tell whether a phrase was read as an entity or a dimension, not as a value."""
        return not any(v.start == item.start for v in self.draft.values)

    def _entity_inside(self, item: Item, options: tuple[Option, ...]) -> Option | None:
        stems = [t.stem for t in self.tokens[item.start : item.end]]
        if len(stems) < 2:
            return None
        for entity in dict.fromkeys(o.entity for o in options):
            model = self.lexicon.layer.entities[entity]
            for name in (model.label, *model.synonyms):
                own = content(phrase(name))
                if own and set(own) <= set(stems):
                    return Option("entity", entity)
        return None

    # ── time and numbers ───────────────────────────────────────────────────────────────────────────────────────────────

    def _time(self, i: int) -> int:
        item = self.items[i]
        time, draft = item.time, self.draft
        assert time is not None
        if not time.possible:
            draft.impossible = item.text
        elif time.period is not None:
            versus, self.versus_next = self.versus_next, False
            if self.negated and draft.related:
                # « ayant commandé en 2024 mais pas en 2025 »
                last = draft.related[-1]
                if last.period is None and draft.periods:
                    last.period = draft.periods.pop().period
                draft.related.append(
                    RelatedMention(
                        last.options, last.text, last.start, negated=not last.negated, period=time.period, ways=last.ways
                    )
                )
                self.negated = False
                return i + 1
            draft.periods.append(
                PeriodMention(time.period, item.text, versus=versus, negated=self.negated, start=item.start)
            )
            self.negated = False
        elif time.grain is not None:
            if self.pending is not None and not draft.measures:
                pass
            draft.groups.append(Group(grain=time.grain))
        elif time.unit is not None:
            draft.units.append(time.unit)
        return i + 1

    def _number_follows(self, i: int) -> bool:
        item = self.peek(i)
        return item is not None and (item.kind == "number" or (item.kind == "time" and item.text.isdigit()))

    def _number(self, i: int) -> int:
        following = self.peek(i + 1)
        item = self.items[i]
        if following is not None and (
            following.kind == "lex" or following.is_op("top", "bottom", "most", "least", "recent", "oldest", "first")
        ):
            if following.kind == "lex" and not self._ranked_later(i + 1):
                # « 10 clients » without a ranking says nothing of which ten.
                self.draft.unexplained.append(item.text)
                return i + 1
            self.number = item
            return i + 1
        if (
            self.draft.rank is not None
            and self.draft.rank.count is None
            and item.number is not None
            and item.number == int(item.number)
        ):
            self.draft.rank.count = int(item.number)
            return i + 1
        self.draft.unexplained.append(item.text)
        return i + 1

    def _ranked_later(self, i: int) -> bool:
        return any(x.is_op("top", "bottom", "most", "least", "recent", "oldest", "first") for x in self.items[i:])

    def _take_number(self, i: int) -> tuple[int | None, int]:
        """Return the number just before (kept) or just after ``i``, and where to go on."""
        if self.number is not None and self.number.number is not None:
            number, self.number = int(self.number.number), None
            return number, i
        place = self.next(i)
        if place is not None and self.items[place].kind == "number":
            value = self.items[place].number
            if value is not None and value == int(value) and 1 <= value <= 100_000:
                return int(value), place + 1
        return None, i

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
        elif place is not None and self.items[place].is_op("times") and not self.draft.related and self.draft.measures and target is None:
            last = self.draft.measures[-1]
            target, i = Mention(last.options, last.text, last.start), place + 1
        elif (
            place is not None
            and self.items[place].is_op("times")
            and self.draft.related
            and not self.draft.related[-1].negated
            and target is None
        ):
            # « ont commandé au moins 3 fois »: how many of what they did.
            done = self.draft.related.pop()
            target, i = Mention(done.options, done.text, done.start), place + 1
        elif (
            target is None
            and unit is None
            and place is not None
            and self._measurable(self.items[place])
            and not self._comparator_after(place)
        ):
            target = _mention(self.items[place])
            i = place + 1
        if self.negated:
            op = {"gt": "le", "ge": "lt", "lt": "ge", "le": "gt", "eq": "ne"}.get(op, op)
            self.negated = False
        owner = None
        before = self.before(self.items.index(comparator))
        if target is None and before is not None and before.kind == "lex" and before.of("entity"):
            owner = _mention(before, before.of("entity"))
        self.draft.conditions.append(
            Condition(
                cast("Literal['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'between']", op), tuple(numbers), target, money, percent, unit,
                minutes, comparator.text, owner,
            )
        )  # fmt: skip
        return i

    def _measurable(self, item: Item) -> bool:
        """Tell whether a phrase can be what a number counts or measures, and is not a value first."""
        if item.kind != "lex":
            return False
        best = max(o.quality for o in item.options)
        able = [o for o in item.options if o.kind in ("measure", "entity") or self._numeric(o)]
        values = [o for o in item.of("value") if o.quality >= best - 0.06]
        return any(o.quality >= best - 0.06 for o in able) and not (values and is_participle(item.text))

    def _bare_unit(self, place: int) -> bool:
        return self.items[place].time is not None

    def _comparator_after(self, place: int) -> bool:
        following = self.next(place + 1)
        return following is not None and self.items[following].is_op(*_COMPARATORS) and self._number_follows(following + 1)

    def _decimal(self, place: int) -> Decimal:
        item = self.items[place]
        return item.number if item.number is not None else Decimal(item.text)

    def _unit_marks(self, i: int, money: bool, percent: bool) -> tuple[int, bool, bool]:
        while i < len(self.items):
            item = self.items[i]
            if item.norm in _MONEY:
                money, i = True, i + 1
            elif item.text == "%" or item.norm in ("pourcent", "percent"):
                percent, i = True, i + 1
            else:
                break
        return i, money, percent

    def _older(self, i: int) -> int:
        place = self.next(i + 1)
        if place is None or self.items[place].kind != "number":
            self.draft.unexplained.append(self.items[i].text)
            return i + 1
        return self._condition(i, "gt" if self.items[i].is_op("older") else "lt")

    # ── operators ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _by(self, i: int) -> int:
        """« par région et par mois », « par canal, mois »; « par carte bancaire » is a value."""
        place = self.next(i + 1)
        taken = False
        while place is not None:
            item = self.items[place]
            if item.kind == "time" and item.time is not None and item.time.unit is not None:
                self.draft.groups.append(Group(grain=item.time.unit))
            elif item.kind == "time" and item.time is not None and item.time.grain is not None:
                self.draft.groups.append(Group(grain=item.time.grain))
            elif item.kind == "lex" and item.of("dimension", "entity"):
                ways = item.of("way")
                self.draft.ways += [o.ref for o in ways]
                self.draft.groups.append(Group(_mention(item, item.of("dimension", "entity"))))
            elif item.kind == "lex" and item.of("way"):
                self.draft.ways += [o.ref for o in item.of("way")]
                self.draft.groups.append(Group(self._way_subject(item)))
            elif not taken and item.kind == "lex" and item.of("value"):
                return self._value(place, item.of("value"))
            elif not taken and item.kind == "lex" and item.of("measure") and self.draft.sort:
                return self._lex(place)
            elif not taken and item.is_op("top", "bottom"):
                return self._op(place)
            elif (
                not taken
                and item.kind == "lex"
                and item.of("measure")
                and self.draft.rank is not None
                and self.draft.rank.by is None
            ):
                # « top 10 des produits par quantité vendue »
                self.draft.rank.by = MeasureMention(item.of("measure"), item.text, item.start)
                return place + 1
            elif not taken and item.kind == "lex" and item.of("measure") and not self.draft.measures:
                # « magasins par CA »: in the order of it.
                self.draft.sort = True
                return self._lex(place)
            else:
                break
            taken = True
            i = place
            place = self.next(i + 1)
            if place is None or not self.items[place].is_op("and", "comma", "by"):
                break
            glue = place
            place = self.next(glue + 1)
            if place is not None and self.items[place].is_op("by"):
                place = self.next(place + 1)
            candidate = self.items[place] if place is not None else None
            grouped = candidate is not None and (
                (candidate.time is not None and candidate.time.period is None)
                or (candidate.kind == "lex" and bool(candidate.of("dimension", "entity")) and not candidate.of("measure"))
            )
            if not grouped:
                return glue
        if not taken:
            # A lone « par » explains nothing; before a word that is not known, that word is the matter.
            if place is None or self.items[place].kind != "unknown":
                self.draft.unexplained.append(self.items[i].text)
            return i + 1
        return i + 1

    def _count(self, i: int) -> int:
        place = self.next(i + 1)
        if place is None:
            self.draft.count = True
            return i + 1
        item = self.items[place]
        bare = self.items[i].text.lower().split()[-1] in ("combien", "much")
        if bare and item.kind == "lex" and item.of("measure") and place == self.next(i + 1):
            # « de combien le CA a-t-il progressé », « combien le CA »: no count, the measure itself.
            return i + 1
        self.draft.count = True
        while item.is_op("distinct", "sum") and not item.is_op("amount"):
            # « nombre total de », « combien de différents »
            self.draft.distinct = self.draft.distinct or item.is_op("distinct")
            following = self.next(place + 1)
            if following is None:
                break
            place, item = following, self.items[following]
        if item.kind == "lex" and item.of("entity", "dimension") and not self._value_named(place):
            options = item.of("entity", "dimension")
            self.draft.measures.append(MeasureMention(options, item.text, item.start, count=True))
            return place + 1
        if item.kind == "lex" and item.of("measure"):
            self.draft.measures.append(MeasureMention(item.of("measure"), item.text, item.start, count=True))
            return place + 1
        return i + 1

    def _value_named(self, place: int) -> bool:
        item = self.items[place]
        if item.of("entity"):
            return False
        following = self.peek(place + 1)
        return (
            following is not None
            and following.kind == "lex"
            and any(v.ref == d.ref for v in following.of("value") for d in item.of("dimension"))
        )

    def _aggregate(self, i: int, name: Aggregate) -> int:
        """« moyenne du prix », « prix moyen », « CA moyen par client »."""
        before = self.before(i)
        last = self.draft.measures[-1] if self.draft.measures else None
        subject = self.draft.subjects[-1] if self.draft.subjects else None
        following = self.next(i + 1)
        after = None if following is None else self.items[following]
        if last is not None and before is not None and before.kind == "lex" and before.start == last.start:
            last.aggregate = name
        elif (
            subject is not None
            and before is not None
            and before.kind == "lex"
            and before.start == subject.start
            and any(self._numeric(o) for o in subject.options)
        ):
            self.draft.subjects.pop()
            self.draft.measures.append(
                MeasureMention(
                    tuple(o for o in subject.options if self._numeric(o)), subject.text, subject.start, aggregate=name
                )
            )
        elif (
            after is not None
            and (after.kind == "lex" or after.is_op("count", "sum"))
            and not (last is not None and self.draft.groups)
        ):
            self.pending = name
        elif self.draft.aggregate is None:
            self.draft.aggregate = name
        else:
            self.draft.unexplained.append(self.items[i].text)
        return i + 1

    def _sum(self, i: int) -> int:
        before = self.before(i)
        last = self.draft.subjects[-1] if self.draft.subjects else None
        if (
            last is not None
            and before is not None
            and before.start == last.start
            and any(self._numeric(o) for o in last.options)
        ):
            self.draft.subjects.pop()
            self.draft.measures.append(
                MeasureMention(tuple(o for o in last.options if self._numeric(o)), last.text, last.start, aggregate="sum")
            )
            return i + 1
        following = self.next(i + 1)
        if following is not None and self.items[following].kind == "lex":
            item = self.items[following]
            numeric = tuple(o for o in item.of("dimension") if self._numeric(o))
            if numeric and not item.of("measure"):
                self.draft.measures.append(MeasureMention(numeric, item.text, item.start, aggregate="sum"))
                return following + 1
            if item.of("entity") and not item.of("measure") and self.items[i].is_op("amount"):
                return self._amount(i)
        self.draft.sum = True
        return i + 1

    def _share(self, i: int) -> int:
        before = self.before(i)
        last = self.draft.measures[-1] if self.draft.measures else None
        if (
            last is not None
            and before is not None
            and before.start == last.start
            and self.items[i].text.lower() in ("%", "en %", "pct", "en pourcentage")
        ):
            rates = self._rate_of(last)
            if rates:
                # « marge % » is the margin's rate, where the layer has one.
                last.options = rates
                return i + 1
        self.draft.share = True
        return i + 1

    def _rate_of(self, mention: Mention) -> tuple[Option, ...]:
        layer = self.lexicon.layer
        names = {t for o in mention.of("measure") for t in (layer.measure(o.ref).label, *layer.measure(o.ref).synonyms)}
        found = [
            o
            for n in sorted(names)
            for o in (
                *self.lexicon.lookup(f"taux de {n}"),
                *self.lexicon.lookup(f"{n} %"),
                *self.lexicon.lookup(f"{n} rate"),
            )
        ]
        return tuple(dict.fromkeys(o for o in found if o.kind == "measure" and o.quality >= 0.95))

    def _share_by(self, i: int) -> int:
        self.draft.share = True
        return self._by(i)

    def _amount(self, i: int) -> int:
        """« montant des factures »: the money of what follows."""
        place = self.next(i + 1)
        item = None if place is None else self.items[place]
        if item is not None and place is not None and item.is_op(*_AGGREGATES) and self.pending is None:
            # « montant moyen des factures »
            beyond = self.next(place + 1)
            if beyond is not None and self.items[beyond].kind == "lex":
                self.pending = next(a for a in _AGGREGATES if item.is_op(a))
                place, item = beyond, self.items[beyond]
        layer = self.lexicon.layer
        if item is None or place is None or item.kind != "lex":
            options = tuple(
                o for o in self.lexicon.lookup(self.items[i].text.split()[0]) if o.kind in ("measure", "dimension")
            )
            if options:
                return self._plain(i, options)
            self.draft.unexplained.append(self.items[i].text)
            return i + 1
        money = tuple(o for o in item.of("measure") if layer.measure(o.ref).format.kind == "currency")
        if money:
            self.draft.measures.append(MeasureMention(money, item.text, item.start, aggregate=self.pending))
            self.pending = None
            return place + 1
        if item.of("entity"):
            found = tuple(
                Option("measure", f"{o.ref}.{n}", o.quality) for o in item.of("entity")
                for n, m in layer.entities[o.ref].measures.items()
                if not m.hidden and m.format.kind == "currency" and m.formula is None and m.filter is None
            )  # fmt: skip
            said = [o for f in ("montant des", "montant") for n in (item.text,) for o in self.lexicon.lookup(f"{f} {n}")]
            found = tuple(o for o in said if o.kind == "measure" and o.quality >= 0.95 and o.ref in {f.ref for f in found}) or found
            if found:
                self.draft.of_rows = item.start
                self.draft.measures.append(
                    MeasureMention(found, f"{self.items[i].text} {item.text}", item.start, aggregate=self.pending)
                )
                self.pending = None
                self.draft.subjects.append(_mention(item, item.of("entity")))
                return place + 1
        self.draft.unexplained.append(self.items[i].text)
        return i + 1

    def _plain(self, i: int, options: tuple[Option, ...]) -> int:
        item = self.items[i]
        measures = tuple(o for o in options if o.kind == "measure")
        if measures:
            self.draft.measures.append(MeasureMention(measures, item.text, item.start, aggregate=self.pending))
            self.pending = None
        else:
            self.draft.subjects.append(Mention(options, item.text, item.start))
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

    def _actual(self, i: int) -> int:
        """« CA réalisé » says nothing more; « réalisé et objectif » is what was sold."""
        before = self.before(i)
        if not (before is not None and before.kind == "lex" and before.of("measure")):
            self.draft.actual = True
        return i + 1

    def _distribution(self, i: int) -> int:
        # « répartition du CA par canal » shows the values and their shares.
        self.draft.share = True
        following = self.next(i + 1)
        if following is not None:
            item = self.items[following]
            if item.kind == "lex" and item.of("entity") and not item.of("measure"):
                self.draft.measures.append(MeasureMention(item.of("entity"), item.text, item.start, count=True))
                return following + 1
        return i + 1

    def _list(self, i: int) -> int:
        self.draft.listed = True
        return i + 1

    def _which(self, i: int) -> int:
        self.draft.which = True
        item = self.items[i]
        self.draft.head_plural = item.norm.endswith("s") or item.text.split()[-1].lower() in ("are", "were", "sont")
        following = self.next(i + 1)
        if following is not None:
            after = self.items[following]
            if (
                after.kind == "time"
                and after.time is not None
                and (unit := after.time.unit or (after.time.grain if after.time.period is None else None)) is not None
            ):
                self.draft.head_unit = unit
                return following + 1
            if after.kind == "lex" and after.of("entity", "dimension") and self._kind(following) in ("entity", "dimension"):
                self.draft.head = _mention(after, after.of("entity", "dimension"))
        return i + 1

    def _rank(self, i: int) -> int:
        item = self.items[i]
        if self.draft.rank is not None:
            self.draft.unexplained.append(item.text)
            return i + 1
        count, j = self._take_number(i + 1)
        if item.is_op("first") and count is None and not item.norm.endswith("s"):
            # « la première commande » is the oldest.
            self.draft.rank = Rank(1, False, time=True, plural=False, text=item.text)
            return j
        plural = any(w.endswith("s") for w in item.text.lower().split() if w not in ("plus", "moins")) or item.norm in (
            "top",
            "flop",
            "bottom",
            "palmares",
            "classement",
            "podium",
        )
        if item.norm == "podium" and count is None:
            count = 3
        self.draft.rank = Rank(count, item.is_op("top"), plural=plural, text=item.text)
        return self._rank_by(j, allow_subject=True)

    def _most(self, i: int) -> int:
        item = self.items[i]
        if self.draft.rank is not None:
            if self.draft.rank.by is None and not self.draft.rank.nouns and self.draft.rank.descending != item.is_op("most"):
                self.draft.extremes = True
                return i + 1
            self.draft.unexplained.append(item.text)
            return i + 1
        count, j = self._take_number(i + 1)
        words = item.text.lower().split()
        plural = words[0] in ("les", "the") and len(words) > 1 and (words[0] == "les")
        rank = Rank(count, item.is_op("most"), plural=plural, text=item.text)
        self.draft.rank = rank
        place = self.next(j)
        if place is not None and self.items[place].is_op("count"):
            place = self.next(place + 1)
        of = words[-1] in ("de", "d")
        after = None if place is None else self.items[place]
        if place is None or after is None:
            return j
        active = i > 0 and (
            self.items[i - 1].norm in ("ont", "a", "avons", "have", "has") or self.items[i - 1].is_op("have")
        )
        if after.kind == "verb":
            # « ont le plus acheté » speaks of who buys; « les plus achetés » of what is bought.
            rank.nouns = (after.nouns or after.ranked_by) if active else (after.ranked_by or after.nouns)
            return place + 1
        entities = after.of("entity") if after.kind == "lex" else ()
        if entities and not of and (ranked := self._participle(after, active=active)):
            # « qui ont le plus commandé »: a participle that is also a noun of the layer.
            rank.nouns = ranked
            return place + 1
        if after.is_op("recent", "oldest"):
            rank.time = True
            rank.descending = after.is_op("recent") == rank.descending
            return place + 1
        if after.kind == "lex" and self.items[j : place + 1]:
            if after.of("measure"):
                rank.by = MeasureMention(after.of("measure"), after.text, after.start)
                return place + 1
            if of and after.of("entity"):
                rank.by = MeasureMention(after.of("entity"), after.text, after.start, count=True)
                return place + 1
        return j

    def _participle(self, item: Item, *, active: bool) -> tuple[str, ...]:
        """Return what a superlative ranks by when this phrase, of one word, was written as a participle."""
        if item.end - item.start != 1 or not is_participle(item.text) or not self.lexicon_grammar:
            return ()
        word = stem(item.norm)
        does, is_done = self.lexicon_grammar.verbs.get(word, ()), self.lexicon_grammar.adjectives.get(word, ())
        return (does or is_done) if active else (is_done or does)

    def _rank_by(self, j: int, *, allow_subject: bool) -> int:
        place = self.next(j)
        if place is not None and self.items[place].kind == "verb" and self.items[place].ranked_by:
            assert self.draft.rank is not None
            self.draft.rank.nouns = self.items[place].ranked_by
            return place + 1
        return j

    def _recent(self, i: int) -> int:
        item = self.items[i]
        if self.draft.rank is not None and not self.draft.rank.time and self.draft.rank.by is None:
            self.draft.rank.time = True
            self.draft.rank.descending = item.is_op("recent") == self.draft.rank.descending
            return i + 1
        if self.draft.rank is not None:
            self.draft.unexplained.append(item.text)
            return i + 1
        count, j = self._take_number(i + 1)
        plural = any(w.endswith("s") for w in item.text.lower().split() if w != "plus")
        self.draft.rank = Rank(count, item.is_op("recent"), time=True, plural=plural, text=item.text)
        return j

    def _first(self, i: int) -> int:
        # « la première commande » is the oldest; « les 10 premiers clients » a ranking.
        item = self.items[i]
        if item.is_op("top") and (self.number is not None or item.norm.endswith("s")):
            return self._rank(i)
        self.draft.rank = Rank(1, False, time=True, plural=False, text=item.text)
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
            draft.presences.append(Presence(_mention(item, dims), empty=True))
            return i + 1
        draft.unexplained.append(item.text)
        return i + 1

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

    def _versus(self, i: int) -> int:
        self.versus_next = True
        following = self.peek(i + 1)
        if following is None or following.kind == "lex":
            self.draft.compare = self.draft.compare or following is not None
            self.versus_next = False
            if following is None:
                self.draft.unexplained.append(self.items[i].text)
        elif following.is_op("previous_year", "previous_period") or following.kind == "time":
            pass
        else:
            self.draft.unexplained.append(self.items[i].text)
        return i + 1

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

    def _sort(self, i: int) -> int:
        self.draft.sort = True
        return i + 1

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
        theirs = theirs or (self.lexicon.dated_by(self.tokens[item.start]) if any(o.entity in about and o.kind == "measure" for o in options) else ())
        if theirs and not any(o.entity not in about and o.kind == "entity" for o in options):
            # « salariés embauchés en 2024 »: their own date.
            return self._event(i, tuple(dict.fromkeys(o for o in theirs if o.entity in about)))
        if dates and len(dates) == len(options):
            return self._event(i, dates)
        measures = tuple(o for o in options if o.kind == "measure")
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

    def _finish(self) -> None:
        draft = self.draft
        if self.negated and self.neg_item is not None:
            draft.unexplained.append(self.neg_item.text)
        if self.number is not None:
            draft.unexplained.append(self.number.text)
        alternatives = [i for i in self.items if i.is_op("or")]
        if len(alternatives) > sum(v.joined_by == "or" for v in draft.values):
            draft.unexplained.append(alternatives[0].text)
        if self.versus_next:
            draft.unexplained.append("vs")
        if self.pending is not None:
            if draft.measures and draft.measures[-1].aggregate is None:
                draft.measures[-1].aggregate = self.pending
            elif draft.aggregate is None:
                draft.aggregate = self.pending
        # « les magasins qui vendent le moins »: what they do is what they are ranked by.
        if (
            draft.rank is not None
            and draft.rank.by is None
            and not draft.rank.nouns
            and not draft.rank.time
            and not draft.measures
        ):
            for mention in list(draft.related):
                if not mention.negated:
                    draft.rank.doing = mention
                    draft.related.remove(mention)
                    break
        # « clients sans commande depuis plus de 6 mois »: the age is the period of the absence.
        if draft.related and draft.related[-1].negated:
            for condition in list(draft.conditions):
                if condition.unit is not None and condition.target is None and condition.op in ("gt", "ge"):
                    draft.conditions.remove(condition)
                    draft.related[-1].period = LastPeriod(
                        count=int(condition.numbers[0]), unit=condition.unit, complete=False
                    )
