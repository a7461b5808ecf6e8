"""Read the items of a question from left to right into a :class:`Draft`.

Each operator looks at its neighbours for what it applies to; what finds no place is *unexplained*, and the question
is then not
understood. Nothing is dropped in silence: every item is either filler or has been put somewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Literal, cast

from datapilot_kernel.nl2sql.local.changes import change_of
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
    RelatedMention,
    Unit,
)  # fmt: skip
from datapilot_kernel.nl2sql.local.grammar import Grammar
from datapilot_kernel.nl2sql.local.lexicon import Lexicon, Option, is_participle
from datapilot_kernel.nl2sql.local.reading_ranks import RankReader
from datapilot_kernel.nl2sql.local.tokens import fold, stem
from datapilot_kernel.plan.model import LastPeriod, ToDate

_COMPARATORS = ("gt", "ge", "lt", "le", "eq", "between")
_UNITS: dict[str, Unit] = {"day": "day", "week": "week", "month": "month", "year": "year"}
_POSSESSIVES = {"leur", "leurs", "son", "sa", "ses", "their", "its"}
_MONEY = {"€", "eur", "euro", "euros", "$", "keur"}
_AGAINST = re.compile(r"^\s*\{[\w.]+\}\s*([-/])\s*\{([\w.]+)\}\s*$")
_CODE = re.compile(r"(?=(?:\D*\d){3})[A-Za-z0-9_]+$")
_MEASURED_IN = {
    "€",
    "eur",
    "euro",
    "euros",
    "$",
    "%",
    "k€",
    "keur",
    "ht",
    "ttc",
    "h",
    "heures",
    "jours",
    "kg",
    "km",
    "min",
    "mois",
    "ans",
}
_CODE_LABELS = {"code", "numero", "n°", "reference", "matricule", "ref", "sku", "number", "id", "identifiant"}
_HAS_ONE = re.compile(
    r"\b(?:ont|a|avaient|have|had|has)(?: (?:eu|fait|effectue|realise|recu|signe|depose|subi|connu|made|placed|signed))?"
    r"(?: au moins| at least)? (?:un|une|des|a|an|one)$"
)
_FIGURES = {"chiffres", "résultats", "resultats", "indicateurs", "kpi", "figures", "results"}
_AGGREGATES: tuple[Aggregate, ...] = ("avg", "min", "max", "median")


def _mention(item: Item, options: tuple[Option, ...] | None = None) -> Mention:
    return Mention(item.options if options is None else options, item.text, item.start)


class Reader(RankReader):
    """One reading of one cover."""

    def __init__(self, cover: Cover, lexicon: Lexicon, words: Grammar) -> None:
        super().__init__(cover, lexicon, words)
        self._handlers: dict[str, Callable[[int], int]] = {
            "by": self._by, "count": self._count, "top": self._rank, "bottom": self._rank, "most": self._most,
            "least": self._most,
            "recent": self._recent, "oldest": self._recent, "first": self._first, "neg": self._neg, "never": self._neg,
            "which": self._which, "sum": self._sum, "share": self._share, "distribution": self._distribution, "list":
            self._list,
            "versus": self._versus, "empty": self._presence, "filled": self._presence, "start_with": self._text,
            "contain": self._text, "older": self._older, "within": self._older, "sort": self._sort, "amount": self._amount,
            "include": self._include, "with": self._with, "actual": self._actual, "share_by": self._share_by,
            "rate": self._rate, "instead": self._instead,
        }  # fmt: skip

    def read(self) -> Draft:
        """Read everything."""
        i = 0
        first = self.next(0)
        if first is not None and self.items[first].is_op("and", "again"):
            self.draft.again_first = True
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
                if code := self._code_named(i):
                    return self._value(i, code)
                self.draft.unexplained.append(item.text)
                return i + 1
            case "number":
                if code := self._code_named(i):
                    return self._value(i, code)
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
        if item.is_op("ge") and (one := self._at_least_one(i)) is not None:
            return one
        if item.is_op("gt", "lt", "ge", "le", "reach", "below") and (beyond := self._against(i)) is not None:
            return beyond
        if item.is_op("avg", "min", "max", "median", "sum", "count", "amount", "top", "bottom", "most", "least"):
            run = self._run(i)
            if run is not None:
                return run
        for name in item.ops:
            if name in self._handlers:
                return self._handlers[name](i)
        draft = self.draft
        for name in item.ops:
            if name.startswith("day_"):
                if draft.day_type is not None:
                    draft.unexplained.append(item.text)
                draft.day_type, draft.day_text = name.removeprefix("day_"), item.text
                draft.day_type_negated, self.negated = self.negated, False
                return i + 1
        for name in item.ops:
            match name:
                case "avg" | "min" | "max" | "median":
                    return self._aggregate(i, cast("Aggregate", name))
                case "trend" if any(g.grain is not None for g in draft.groups):
                    draft.growth = True  # « CA par mois, avec l'évolution »
                    return i + 1
                case "growth":
                    draft.growth = True
                    self._changed(i)
                    return i + 1
                case "trend" | "cumul" | "compare" | "distinct" | "when" | "new" | "only" | "together" | "gap":
                    setattr(draft, name, True)
                    return i + 1
                case "previous_year" | "previous_period":
                    draft.versus = name
                    self.versus_next = False
                    return i + 1
                case "alphabetical":
                    draft.alphabetical = draft.sort = True
                    return i + 1
                case "ascending" | "descending":
                    draft.ascending = name == "ascending"
                    return i + 1
                case "same_period":
                    draft.same_period = True
                    self.versus_next = self.versus_next or draft.compare
                    return i + 1
                case "moving":
                    draft.growth = True
                    self._changed(i)
                    return i + 1
                case "and" | "or" | "comma" | "have":
                    return i + 1
                case "nothing":
                    draft.figures = draft.figures or item.norm in _FIGURES or any(w in item.text.lower() for w in _FIGURES)
                    return i + 1
                case "now":
                    draft.now = item.text
                    return i + 1
                case "net_of_tax" | "with_tax":
                    before = self.before(i)
                    if before is not None and before.is_op("and") and draft.measures:
                        # « le CA HT et TTC »: the same measure once more.
                        last = draft.measures[-1]
                        twin = name
                        draft.measures.append(MeasureMention(last.options, f"{last.text} {item.text}", item.start, tax=twin))
                        if draft.tax is not None:
                            last.tax, draft.tax = draft.tax, None
                        return i + 1
                    if draft.tax not in (None, name):
                        draft.unexplained.append(item.text)
                    draft.tax = name
                    return i + 1
                case "all":
                    draft.all = True
                    return i + 1
                case "again":
                    draft.again = True
                    return i + 1
                case "remove_filter":
                    draft.remove_filter = True
                    return i + 1
        draft.unexplained.append(item.text)
        return i + 1

    def _changed(self, i: int) -> None:
        """« en baisse », « a progressé »: which way; of a ranking, what it is by."""
        item, draft = self.items[i], self.draft
        change = change_of(item.text)
        if change is None:
            return
        rank = draft.rank
        open_rank = rank is not None and rank.by is None and not (rank.nouns or rank.time or rank.doing or rank.change)
        if rank is not None and open_rank and (near := self.before(i)) is not None and near.text == rank.text:
            rank.change = change  # « ont le plus progressé », « la plus forte hausse »
        elif change.done or (rank is None and self._superlative_next(i)):
            draft.change, draft.change_text = change, item.text

    def _superlative_next(self, i: int) -> bool:
        following = self.peek(i + 1)
        return following is not None and following.is_op("most", "least")

    def _against(self, i: int) -> int | None:
        """« sous l'objectif », « n'ont pas atteint leur objectif »: a measure against another, where the layer has the
        rate or the difference of the two.
        """
        place = self.next(i + 1)
        item = None if place is None else self.items[place]
        if place is None or item is None or item.kind != "lex" or not item.of("measure"):
            return None
        said = {o.ref for m in self.draft.measures for o in m.of("measure")}
        if said & {o.ref for o in item.of("measure")}:
            return None  # « le CA web dépasse le CA magasin » compares a measure with itself
        found = self._ratio_to(item)
        if found is None:
            return None
        ref, bound = found
        op = next((n for n in ("gt", "ge", "lt", "le") if self.items[i].is_op(n)), None)
        op = op or ("lt" if self.items[i].is_op("below") else "ge")
        if self.negated:
            op = {"gt": "le", "ge": "lt", "lt": "ge", "le": "gt"}[op]
            self.negated = False
        target = Mention((Option("measure", ref),), item.text, item.start)
        self.draft.conditions.append(
            Condition(cast("Literal['lt', 'le', 'gt', 'ge']", op), (Decimal(bound),), target, text=item.text, against=True)
        )
        return place + 1

    def _ratio_to(self, item: Item) -> tuple[str, int] | None:
        """Return the measure that sets another against this one, and what it is when both are equal (1, or 0)."""
        layer = self.lexicon.layer
        wanted = {o.ref for o in item.of("measure") if o.quality >= 0.94}
        found: list[tuple[str, int]] = []
        for entity_name, entity in layer.entities.items():
            for name, measure in entity.measures.items():
                match = _AGAINST.match(measure.formula or "")
                if match is None or measure.hidden:
                    continue
                other = match.group(2) if "." in match.group(2) else f"{entity_name}.{match.group(2)}"
                if other in wanted:
                    found.append((f"{entity_name}.{name}", 1 if match.group(1) == "/" else 0))
        rates = [f for f in found if f[1] == 1] or found
        return rates[0] if len(rates) == 1 else None

    def _counted_as(self, i: int) -> int | None:
        """« combien de produits sont en rupture »: one number, not the products and the shortages beside them."""
        item, draft = self.items[i], self.draft
        last = draft.measures[-1] if draft.measures else None
        place = next((j for j, x in enumerate(self.items) if last is not None and x.start == last.start), None)
        if last is None or place is None or place >= i or not last.count or not last.of("entity") or last.aggregate:
            return None
        if any(
            x.kind not in ("filler", "time") and not (x.kind == "lex" and x.of("value")) for x in self.items[place + 1 : i]
        ):
            return None
        if place + 1 == i:
            return None
        said = tuple(
            o
            for between in (" ", " en ", " de ")
            for o in self.lexicon.lookup(f"{last.text}{between}{item.text}")
            if o.kind == "measure" and o.quality >= 0.95
        )
        if said:
            last.options, last.count, last.text = said, False, f"{last.text} {item.text}"
        else:
            draft.unexplained.append(item.text)
        return i + 1

    def _in_brackets(self, item: Item, dims: tuple[Option, ...]) -> bool:
        """« livrées le 12 mai (date de livraison) », « à Toulouse (ville du client) »: which one was meant."""
        draft = self.draft
        dates = tuple(d for d in dims if self._temporal(d))
        if draft.periods and dates and len(dates) == len(dims) and draft.periods[-1].time is None:
            draft.periods[-1].time = _mention(item, dates)
            return True
        meant = {d.ref for d in dims}
        for value in draft.values:
            if any(o.ref in meant for o in value.options):
                value.options = tuple(o for o in value.options if o.ref in meant)
                return True
        return False

    def _measure_of(self, i: int) -> MeasureMention | None:
        """Return the measure that this phrase only says what it is of (« … des … »)."""
        before = self.before(i)
        last = self.draft.measures[-1] if self.draft.measures else None
        if before is None or last is None or before.start != last.start or not last.of("measure") or last.count:
            return None
        between = {x.norm for x in self.items[self.items.index(before) + 1 : i]}
        return last if between & {"de", "des", "du", "d", "of"} else None

    def _at_least_one(self, i: int) -> int | None:
        """« au moins une facture impayée »: there is one; what follows narrows it."""
        place = self.next(i + 1)
        if place is None or not any(x.norm in ("un", "une", "one", "a") for x in self.items[i + 1 : place]):
            return None
        item = self.items[place]
        entities = item.of("entity") if item.kind == "lex" else ()
        if not entities or max(o.quality for o in entities) < max(o.quality for o in item.options) - 0.06:
            return None
        self.draft.related.append(RelatedMention(entities, item.text, item.start, negated=self.negated))
        self.negated = False
        return place + 1

    def _state_of_rows(self, i: int, comparator: int) -> bool:
        """Tell whether an adjective only says in what state the rows are whose amount, tax and all, is compared."""
        item, noun = self.items[i], self.before(i)
        if noun is None or noun.kind != "lex" or noun.end != item.start or not self._qualifies(noun, item):
            return False
        if not is_participle(item.text) or not self._money_follows(comparator):
            return False
        beyond = self.next(comparator + 1)
        after = self.peek(self._unit_marks((beyond or comparator) + 1, False, False)[0])
        return after is not None and after.is_op("net_of_tax", "with_tax")

    def _kind_on_a_way(self, item: Item) -> tuple[Option, ...]:
        """Return the values that a phrase names of the very things that it also calls by a way to them."""
        joins = self.lexicon.layer.joins
        ends = {joins[o.ref].to_entity for o in item.of("way")}
        if not ends or item.of("dimension", "entity", "measure"):
            return ()
        return tuple(o for o in item.of("value") if o.entity in ends and isinstance(o.value, str))

    def _code_named(self, i: int) -> tuple[Option, ...]:
        """« compte 706000 », « commande C2041 »: a code that no index lists, after the thing or the column it is of."""
        item, before = self.items[i], self.before(i)
        if before is None or before.kind != "lex" or before.end != item.start or not _CODE.match(item.text):
            return ()
        after = self.tokens[item.end].norm if item.end < len(self.tokens) else ""
        if item.kind == "number" and (before.text.lower().endswith(("s", "x")) or after in _MEASURED_IN):
            return ()  # « clients 500 € », « 3 000 euros »: an amount
        layer = self.lexicon.layer
        found = [o.ref for o in before.of("dimension") if self._is_code(o.ref)]
        for option in before.of("entity") if not found else ():
            model = layer.entities[option.ref]
            own = [f"{option.ref}.{n}" for n, d in model.dimensions.items() if (d.column,) == model.key]
            named = [f"{option.ref}.{n}" for n in model.dimensions if self._is_code(f"{option.ref}.{n}")]
            found += [r for r in own if r in named] or (named if len(named) == 1 else [])
        return (Option("value", found[0], 1.0, value=item.text),) if len(found) == 1 else ()

    def _is_code(self, ref: str) -> bool:
        dimension = self.lexicon.layer.dimension(ref)
        first = fold(dimension.label).split(" ")[0]
        return not dimension.hidden and not dimension.personal and dimension.type == "text" and first in _CODE_LABELS

    def _has_one(self, i: int) -> bool:
        """Tell whether those asked for are said to have one: « combien de clients ont (fait) une réservation »."""
        item = self.items[i]
        theirs = {o.ref for o in item.of("entity") if o.quality >= 0.9}
        whose = {o.ref for m in (*self.draft.subjects, *self.draft.measures) for o in m.of("entity")}
        said = " ".join(t.norm for t in self.tokens[max(0, item.start - 6) : item.start])
        return bool(theirs) and bool(whose) and not theirs & whose and not self.draft.related and bool(_HAS_ONE.search(said))

    def _lex(self, i: int) -> int:
        item = self.items[i]
        draft = self.draft
        if item.norm in ("montant", "montants", "valeur", "amount") and (run := self._run(i)) is not None:
            return run
        following = self.next(i + 1)
        after = None if following is None else self.items[following]
        values, dims = item.of("value"), item.of("dimension")
        if dims and item.start and self.tokens[item.start - 1].norm == "(" and self._in_brackets(item, dims):
            return i + 1
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
                if self.negated:
                    # « hors région Bretagne »
                    j = self._value(following, inside, named=dims, named_text=item.text, negated=True)
                    return self._more_negated(j)
                return self._value(following, inside, named=dims, named_text=item.text)
        if not self.negated and (dated := self._dated_of_theirs(item)):
            return self._event(i, dated)
        verbs = self.lexicon_grammar.verbs.get(stem(item.norm), ())
        if verbs and item.end - item.start == 1 and is_participle(item.text) and max(o.quality for o in item.options) < 0.95:
            return self._did(i, verbs)
        if (
            after is not None and following is not None and after.is_op(*_COMPARATORS, "older", "within") and
            self._number_follows(following + 1)
            and self._comparable(item, following) and not self._target_follows(following)
        ):  # fmt: skip
            op = next((n for n in after.ops if n in _COMPARATORS), "gt" if after.is_op("older") else "lt")
            if self._state_of_rows(i, following):
                # « factures impayées de plus de 3 000 € TTC »: invoices in that state, of that amount.
                self._value(i, item.of("value"))
                return self._condition(following, op)
            return self._condition(following, op, target=_mention(item))
        if after is not None and following is not None and after.is_op("contain", "start_with") and dims:
            return self._text(following, target=_mention(item, dims))
        if after is not None and following is not None and after.is_op("empty", "filled") and dims:
            draft.presences.append(Presence(_mention(item, dims), after.is_op("empty") != self.negated))
            self.negated = False
            return following + 1
        if after is not None and following is not None and after.is_op("neg") and dims and not values:
            beyond = self.peek(following + 1)
            other = after.norm.startswith("autre") or after.norm.startswith("differ")
            if other and beyond is not None and beyond.kind == "lex":
                inside = tuple(v for v in beyond.of("value") if any(v.ref == d.ref for d in dims))
                if inside:
                    # « des marques autres que Solenza »
                    self.negated, self.neg_item = True, after
                    j = self._value(
                        self.next(following + 1) or following, inside, named=dims, named_text=item.text, negated=True
                    )
                    return self._more_negated(j)
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
        if (on_way := self._kind_on_a_way(item)) and not (draft.measures or self.negated):
            # « quels serveurs ont été embauchés »: employees of that kind, not those that a bill points at.
            draft.subjects.append(Mention((Option("entity", on_way[0].entity),), item.text, item.start))
            return self._value(i, on_way)
        if item.of("way") and not item.of("dimension", "entity", "measure"):
            draft.ways += [o.ref for o in item.of("way")]
            draft.subjects.append(self._way_subject(item))
            return i + 1
        if self.negated:
            return self._negated_lex(i)
        if self._has_one(i):
            draft.related.append(RelatedMention(item.of("entity"), item.text, item.start))
            return i + 1
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
            if (of := self._measure_of(i)) is not None:
                # « CA des produits vendus », « marge des ventes »: one thing measured, not two.
                if not {o.entity for o in of.of("measure")} & {o.entity for o in options}:
                    draft.unexplained.append(item.text)
                return i + 1
            if (counted := self._counted_as(i)) is not None:
                return counted
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
            if any(
                t.norm in ("apres", "avant", "after", "before") for t in self.tokens[max(0, item.start - 2) : item.start]
            ):
                draft.unexplained.append(item.text)  # « après l'heure prévue en mai » is compared with it
            draft.periods.append(PeriodMention(after.time.period, after.text, time=_mention(item, dims), start=item.start))
            return (following or i) + 1
        draft.subjects.append(_mention(item, item.of("entity", "dimension")))
        return i + 1

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
            before = self.before(i)
            follows = before is not None and before.time is not None and bool(draft.periods)
            listed = before is not None and before.is_op("and", "or", "comma") and bool(draft.periods)
            if before is not None and listed and draft.periods[-1].negated and draft.periods[-1].end == before.start:
                self.negated = True  # « hors août et décembre »
            draft.periods.append(
                PeriodMention(
                    time.period, item.text, versus=versus, negated=self.negated, start=item.start, follows=follows,
                    listed=listed, end=item.end,
                )
            )  # fmt: skip
            self.negated = False
        elif time.grain is not None:
            before = self.before(i)
            if time.grain == "year" and before is not None and before.is_op("cumul"):
                # « cumul annuel »: since the beginning of the year.
                draft.periods.append(PeriodMention(ToDate(unit="year"), item.text, start=item.start))
                return i + 1
            draft.groups.append(Group(grain=time.grain))
        elif time.unit is not None:
            draft.units.append(time.unit)
        return i + 1

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

    def _list(self, i: int) -> int:
        self.draft.listed = True
        return i + 1

    def _which(self, i: int) -> int:
        self.draft.which = True
        item = self.items[i]
        self.draft.head_plural = item.norm.endswith("s") or item.text.split()[-1].lower() in ("are", "were", "sont")
        following = self.next(i + 1)
        pronoun = item.norm in ("lesquels", "lesquelles", "lequel", "laquelle") or (
            item.norm == "which" and self.tokens[item.end : item.end + 1] and self.tokens[item.end].norm in ("ones", "one")
        )
        first = all(x.kind == "filler" or x.is_op("and", "again") for x in self.items[:i])
        if pronoun and first and (following is None or not self.items[following].of("entity", "dimension")):
            # « lesquels ? », never « lesquels de nos clients », nor « Lyon ou Paris : lequel… ».
            self.draft.pointing = not any(v.joined_by == "or" for v in self.draft.values)
        if following is not None:
            after = self.items[following]
            if (
                after.kind == "time"
                and after.time is not None
                and (unit := after.time.unit or (after.time.grain if after.time.period is None else None)) is not None
            ):
                self.draft.head_unit = unit
                return following + 1
            if item.norm == "which" and after.kind == "lex" and after.text[-1:].lower() == "s":
                self.draft.head_plural = True  # « which customers »
            if after.kind == "lex" and after.of("entity", "dimension") and self._kind(following) in ("entity", "dimension"):
                self.draft.head = _mention(after, after.of("entity", "dimension"))
        return i + 1

    def _versus(self, i: int) -> int:
        self.versus_next = True
        following = self.peek(i + 1)
        if following is None or following.kind == "lex":
            self.draft.compare = self.draft.compare or following is not None
            self.versus_next = False
            if following is None:
                self.draft.unexplained.append(self.items[i].text)
        elif following.is_op("previous_year", "previous_period", "same_period") or following.kind == "time":
            pass
        else:
            self.draft.unexplained.append(self.items[i].text)
        return i + 1

    def _instead(self, i: int) -> int:
        """« la marge au lieu du CA »: what it replaces must be there."""
        place = self.next(i + 1)
        item = None if place is None else self.items[place]
        if item is None or place is None or item.kind != "lex" or not item.of("measure", "dimension", "entity"):
            self.draft.unexplained.append(self.items[i].text)
            return i + 1
        self.draft.instead.append(_mention(item))
        self.draft.again = self.draft.again_first = True
        return place + 1

    def _sort(self, i: int) -> int:
        self.draft.sort = True
        place = self.next(i + 1)
        if place is not None and self.items[place].is_op("by"):
            place = self.next(place + 1)
        item = None if place is None else self.items[place]
        if item is not None and item.kind == "lex" and item.of("measure", "dimension"):
            kind = self._kind(self.items.index(item))
            if kind in ("measure", "dimension") and not (kind == "dimension" and item.of("entity")):
                self.draft.sort_by = item.start
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
