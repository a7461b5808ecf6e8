"""What every part of the reader shares: where it stands in the question, what its neighbours are, what a phrase can be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from decimal import Decimal

from datapilot_kernel.nl2sql.local.cover import Cover, Item
from datapilot_kernel.nl2sql.local.draft import (
    Aggregate,
    Draft,
    Mention,
    Unit,
)  # fmt: skip
from datapilot_kernel.nl2sql.local.grammar import Grammar, phrase
from datapilot_kernel.nl2sql.local.lexicon import TRANSLATED, Lexicon, Option, content, is_participle

_COMPARATORS = ("gt", "ge", "lt", "le", "eq", "between")
_UNITS: dict[str, Unit] = {"day": "day", "week": "week", "month": "month", "year": "year"}
_POSSESSIVES = {"leur", "leurs", "son", "sa", "ses", "their", "its"}
_STILL = {"encore", "toujours", "deja", "actuellement", "still"}
_MONEY = {"€", "eur", "euro", "euros", "$", "keur"}
_AGGREGATES: tuple[Aggregate, ...] = ("avg", "min", "max", "median")


def _mention(item: Item, options: tuple[Option, ...] | None = None) -> Mention:
    return Mention(item.options if options is None else options, item.text, item.start)


def _without_parts(item: Item) -> Item:
    """A word that is only a part of stored values loses to what the layer calls by it (« ligne », « Boutique en ligne »)."""
    named = max((o.quality for o in item.options if o.kind != "value"), default=0.0)
    kept = tuple(
        o
        for o in item.options
        if o.kind != "value" or o.quality >= 0.9 or o.quality > named or o.quality == named == TRANSLATED
    )
    return item if len(kept) == len(item.options) else replace(item, options=kept)


class ReaderBase(ABC):
    """Items, the place in them, and the draft that grows."""

    def __init__(self, cover: Cover, lexicon: Lexicon, words: Grammar) -> None:
        self.items, self.lexicon, self.lexicon_grammar = [_without_parts(i) for i in cover.items], lexicon, words
        self.tokens = cover.tokens
        self.draft = Draft()
        self.number: Item | None = None
        self.negated = False
        self.neg_item: Item | None = None
        self.pending: Aggregate | None = None
        self.versus_next = False

    @abstractmethod
    def _lex(self, i: int) -> int:
        """Read the item at ``i`` as words of the layer; return the place after it."""

    @abstractmethod
    def _op(self, i: int) -> int:
        """Read the item at ``i`` as an operator; return the place after it."""

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

    def _numeric(self, option: Option) -> bool:
        return option.kind == "dimension" and self.lexicon.layer.dimension(option.ref).type == "number"

    def _temporal(self, option: Option) -> bool:
        return option.kind == "dimension" and self.lexicon.layer.dimension(option.ref).type in ("date", "timestamp")

    def _comparable(self, item: Item, comparator: int) -> bool:
        """Tell whether a comparison is of this phrase: it has a number, and an age (« de plus de 30 jours ») is not of
        an amount.
        """
        numeric = [o for o in item.options if o.kind == "measure" or self._numeric(o)]
        if any(self._temporal(o) for o in item.options) and self._age_follows(comparator):
            return True
        if self._age_follows(comparator):
            numeric = [o for o in numeric if self._in_days(o)]
        elif self._money_follows(comparator):
            numeric = [o for o in numeric if self._in_money(o)]
        return bool(numeric)

    def _in_money(self, option: Option) -> bool:
        layer = self.lexicon.layer
        form = layer.measure(option.ref).format if option.kind == "measure" else layer.dimension(option.ref).format
        return form is None or form.kind in ("currency", "decimal")

    def _in_days(self, option: Option) -> bool:
        layer = self.lexicon.layer
        form = layer.measure(option.ref).format if option.kind == "measure" else layer.dimension(option.ref).format
        return form is None or form.kind in ("days", "hours", "integer", "decimal")

    def _money_follows(self, comparator: int) -> bool:
        number = self.next(comparator + 1)
        return number is not None and self._unit_marks(number + 1, False, False)[1]

    def _age_follows(self, comparator: int) -> bool:
        number = self.next(comparator + 1)
        unit = None if number is None else self.peek(number + 1)
        return unit is not None and unit.time is not None and unit.time.unit in _UNITS

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

    def _number_follows(self, i: int) -> bool:
        item = self.peek(i)
        return item is not None and (item.kind == "number" or (item.kind == "time" and item.text.isdigit()))

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

    def _measurable(self, item: Item) -> bool:
        """Tell whether a phrase can be what a number counts or measures, and is not a value first."""
        if item.kind != "lex":
            return False
        best = max(o.quality for o in item.options)
        able = [o for o in item.options if o.kind in ("measure", "entity") or self._numeric(o)]
        values = [o for o in item.of("value") if o.quality >= best - 0.06]
        return any(o.quality >= best - 0.06 for o in able) and not (values and is_participle(item.text))

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

    def _list_glue(self, i: int, j: int) -> bool:
        return any(self.items[k].is_op("and", "or", "comma") for k in range(i + 1, j))

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
            following = self.items[i + 1] if i + 1 < len(self.items) else None
            english = self.lexicon_grammar.language == "en" or best == TRANSLATED
            noun = following if english and following is not None and following.kind == "lex" else None
            if noun is not None and noun.of("entity") and self._qualifies(noun, item):
                return "value"  # « unpaid invoices »
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
            if self.draft.only and self.draft.values == [] and not self.draft.measures and not kinds & {"entity"}:
                return "value"  # « seulement les impayées »: those, of what was asked before
            if any(isinstance(o.value, bool) for o in item.of("value")) and not kinds & {"entity", "measure"}:
                return "value"
        theirs = bool(i) and self.items[i - 1].norm in _POSSESSIVES
        if "measure" in kinds and theirs and self.draft.listed:
            return "measure"  # « la liste des produits et leur stock »
        if "measure" in kinds and not (kinds & {"entity"} and (self.draft.listed or self.draft.count)):
            return "measure"
        for kind in ("entity", "dimension", "value"):
            if kind in kinds:
                return "dimension" if kind == "dimension" else kind
        return "entity"

    def _qualifies(self, noun: Item, item: Item) -> bool:
        entities = {o.ref for o in noun.of("entity")}
        entities |= {o.entity for o in noun.of("measure") if o.quality >= 0.94}
        adjacent = item.start in (noun.end, noun.start - (item.end - item.start))
        # « une facture encore impayée »
        between = {t.norm for t in self.tokens[noun.end : item.start]}
        adjacent = adjacent or (bool(between) and between <= _STILL)
        return adjacent and any(o.entity in entities and o.quality >= TRANSLATED for o in item.of("value"))

    def _placed(self, item: Item) -> bool:
        """Tell whether a phrase was read as an entity or a dimension, not as a value."""
        return not any(v.start == item.start for v in self.draft.values)

    def _way_subject(self, item: Item) -> Mention:
        joins = [self.lexicon.layer.joins[o.ref] for o in item.of("way")]
        return Mention(tuple(Option("entity", j.to_entity) for j in joins), item.text, item.start)

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

    def _ranked_later(self, i: int) -> bool:
        return any(x.is_op("top", "bottom", "most", "least", "recent", "oldest", "first") for x in self.items[i:])

    def _bare_unit(self, place: int) -> bool:
        return self.items[place].time is not None
