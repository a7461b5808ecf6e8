"""What is measured and how: counts, sums, averages, amounts, shares, and what it is grouped by."""

from __future__ import annotations

import re

from datapilot_kernel.nl2sql.local.cover import Item
from datapilot_kernel.nl2sql.local.draft import (
    Aggregate,
    Group,
    MeasureMention,
    Mention,
    Unit,
)  # fmt: skip
from datapilot_kernel.nl2sql.local.lexicon import TRANSLATED, Option
from datapilot_kernel.nl2sql.local.reading_conditions import ConditionReader

_COMPARATORS = ("gt", "ge", "lt", "le", "eq", "between")
_UNITS: dict[str, Unit] = {"day": "day", "week": "week", "month": "month", "year": "year"}
_POSSESSIVES = {"leur", "leurs", "son", "sa", "ses", "their", "its"}
_MONEY = {"€", "eur", "euro", "euros", "$", "keur"}
_AGGREGATES: tuple[Aggregate, ...] = ("avg", "min", "max", "median")


def _mention(item: Item, options: tuple[Option, ...] | None = None) -> Mention:
    return Mention(item.options if options is None else options, item.text, item.start)


class MeasureReader(ConditionReader):
    """Reads what is computed."""

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
            elif not taken and self._ranks_by(item):
                # « top 10 des articles par quantité »: the most of it, not one group for each number.
                assert self.draft.rank is not None
                numbers = tuple(o for o in item.of("dimension") if self._numeric(o))
                by = item.of("measure") or self._computed_of(numbers)
                how: Aggregate | None = None if any(o.kind == "measure" for o in by) else "sum"
                self.draft.rank.by = MeasureMention(by, item.text, item.start, aggregate=how)
                return place + 1
            elif item.kind == "lex" and item.of("dimension", "entity"):
                ways = item.of("way")
                self.draft.ways += [o.ref for o in ways]
                self.draft.groups.append(Group(_mention(item, item.of("dimension", "entity"))))
            elif item.kind == "lex" and item.of("way"):
                self.draft.ways += [o.ref for o in item.of("way")]
                self.draft.groups.append(Group(self._way_subject(item)))
            elif not taken and item.kind == "lex" and self._by_value(item):
                return self._value(place, self._by_value(item))
            elif not taken and item.kind == "lex" and item.of("measure") and self.draft.sort:
                self.draft.sort_by = item.start
                return self._lex(place)
            elif not taken and item.is_op("top", "bottom"):
                return self._op(place)
            elif not taken and item.is_op("count") and (counted := self._ranked_by_count(place)) is not None:
                return counted
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
                self.draft.sort, self.draft.sort_by = True, item.start
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

    def _ranked_by_count(self, place: int) -> int | None:
        """« top 5 customers by number of orders », « trié par nombre de commandes »."""
        rank, following = self.draft.rank, self.next(place + 1)
        item = None if following is None else self.items[following]
        ranked = rank is not None and rank.by is None and not rank.nouns and not rank.time
        if item is None or following is None or item.kind != "lex" or not item.of("entity"):
            return None
        mention = MeasureMention(item.of("entity"), item.text, item.start, count=True)
        if rank is not None and ranked:
            rank.by = mention
        elif self.draft.sort:
            self.draft.measures.append(mention)
            self.draft.sort_by = item.start
        else:
            return None
        return following + 1

    def _by_value(self, item: Item) -> tuple[Option, ...]:
        """« par carte bancaire » is a value; « par mag. » may as well be a column cut short: a code is no answer."""
        layer = self.lexicon.layer
        typed = item.text.lower()
        return tuple(
            o for o in item.of("value")
            if not (isinstance(o.value, str) and o.value.lower() == typed and layer.dimension(o.ref).values.get(o.value))
            or typed in (n.lower() for n in layer.dimension(o.ref).values.get(str(o.value), ()))
        )  # fmt: skip

    def _computed_of(self, numbers: tuple[Option, ...]) -> tuple[Option, ...]:
        """Return the measures that add these numbers up, or else average them (« top 3 des hôtels par note »)."""
        layer = self.lexicon.layer
        for function in ("sum", "avg"):
            of = rf'{function}\(["`]?%s["`]?\)'
            found = tuple(
                Option("measure", f"{o.entity}.{name}", o.quality) for o in numbers
                for name, m in layer.entities[o.entity].measures.items()
                if not m.hidden and m.filter is None and (column := layer.dimension(o.ref).column) is not None
                and re.fullmatch(of % re.escape(column), (m.expression or "").strip(), re.IGNORECASE)
            )  # fmt: skip
            if found:
                return found
        return numbers

    def _ranks_by(self, item: Item) -> bool:
        rank = self.draft.rank
        if rank is None or rank.by is not None or rank.time or item.kind != "lex" or not item.options:
            return False
        best = max(o.quality for o in item.options)
        measures = [o for o in item.of("measure") if o.quality >= best - 0.06]
        return bool(measures) or all(self._numeric(o) for o in item.options)

    def _count(self, i: int) -> int:
        if self.items[i].text.lower().replace("’", "'").split()[-1].split("'")[-1] in ("de", "d", "of", "many"):
            self.draft.count_of = True
        place = self.next(i + 1)
        if place is None:
            self.draft.count = True
            return i + 1
        item = self.items[place]
        if item.is_op("and", "comma"):
            # « nombre et … »: of what?
            self.draft.unexplained.append(self.items[i].text)
            return i + 1
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
        if self.items[i].norm == "volume" and item.kind == "lex" and (several := self._volumes(item)):
            # « volume d'absences »: how many, or how many days?
            self.draft.count = False
            self.draft.measures.append(MeasureMention(several, f"{self.items[i].text} {item.text}", item.start))
            return place + 1
        if item.kind == "lex" and (amount := self._amount_counted(item)):
            # « combien de couverts », « combien d'heures pointées »: a column that says how many adds up.
            self.draft.count = False
            self.draft.measures.append(MeasureMention(amount, item.text, item.start))
            return place + 1
        if item.kind == "lex" and item.of("entity", "dimension") and not self._value_named(place):
            options = item.of("entity", "dimension")
            self.draft.measures.append(MeasureMention(options, item.text, item.start, count=True))
            return place + 1
        if item.kind == "lex" and self.items[i].norm in ("combien", "how") and self._mass(item):
            # « combien de chiffre », « combien de marge »: how much.
            self.draft.measures.append(MeasureMention(item.of("measure"), item.text, item.start))
            self.draft.count = False
            return place + 1
        if item.kind == "lex" and item.of("measure"):
            named = tuple(
                o
                for form in ("nombre", "nombre de", "number of")
                for o in self.lexicon.lookup(f"{form} {item.text}")
                if o.kind == "measure" and o.quality >= 0.95
            )
            if named and not any(self.lexicon.layer.measure(o.ref).format.kind == "integer" for o in item.of("measure")):
                # « nb d'articles par commande » is what the layer calls so.
                self.draft.count = self.draft.count_of = False
                self.draft.measures.append(MeasureMention(tuple(dict.fromkeys(named)), item.text, item.start))
                return place + 1
            self.draft.measures.append(MeasureMention(item.of("measure"), item.text, item.start, count=True))
            return place + 1
        if item.kind == "lex" and (kind := self._kind_counted(place)) is not None:
            self.draft.measures.append(MeasureMention((kind,), item.text, item.start, count=True))
            return self._value(place, item.of("value"))
        return i + 1

    def _amount_counted(self, item: Item) -> tuple[Option, ...]:
        """Return the measures that add up the very numbers that a phrase names, where no rows are called so."""
        layer = self.lexicon.layer
        best = max(o.quality for o in item.options)
        if any(o.quality >= best - 0.06 for o in item.of("entity", "value")):
            return ()
        if any(o.quality >= best - 0.06 and not self._numeric(o) for o in item.of("dimension")):
            return ()
        numbers = tuple(o for o in item.of("dimension") if o.quality >= best - 0.06)
        if numbers and not item.of("measure"):
            computed = self._computed_of(numbers)
            added = all(o.kind == "measure" and layer.measure(o.ref).additivity != "non_additive" for o in computed)
            return computed if added else ()
        summed = tuple(
            o for o in item.of("measure")
            if o.quality >= best - 0.06 and (layer.measure(o.ref).expression or "").upper().startswith("SUM(")
            and (layer.measure(o.ref).format.kind in ("integer", "hours", "days") or layer.measure(o.ref).format.unit)
        )  # fmt: skip
        return summed if len(summed) == len([o for o in item.of("measure") if o.quality >= best - 0.06]) else ()

    def _kind_counted(self, place: int) -> Option | None:
        """« combien d'entreprises ont fait un don »: a kind of giver stands for the givers, and they are who is counted."""
        layer, values = self.lexicon.layer, self.items[place].of("value")
        owners = {o.entity for o in values}
        if not self.draft.count_of or len(owners) != 1 or any(isinstance(o.value, bool) for o in values):
            return None
        owner = next(iter(owners))
        named = f"{owner}.{layer.entities[owner].name_dimension}"
        beyond = any(
            x.kind == "verb" or (x.kind == "lex" and any(o.ref != owner for o in x.of("entity")))
            for x in self.items[place + 1 :]
        )
        return Option("entity", owner) if beyond and all(o.ref != named for o in values) else None

    def _mass(self, item: Item) -> bool:
        """Tell whether a phrase in the singular names amounts only, which nobody counts."""
        layer = self.lexicon.layer
        if item.text.lower().endswith(("s", "x")) or item.of("entity", "dimension", "value"):
            return False
        return bool(item.options) and all(layer.measure(o.ref).format.kind == "currency" for o in item.of("measure"))

    def _volumes(self, item: Item) -> tuple[Option, ...]:
        """Return what the volume of an entity may be: its rows, or a quantity of theirs; () where there is one answer."""
        layer = self.lexicon.layer
        entities = [o.ref for o in item.of("entity") if o.quality >= 0.94]
        if len(entities) != 1 or item.of("measure"):
            return ()
        found = [
            f"{entities[0]}.{name}" for name, m in layer.entities[entities[0]].measures.items()
            if not m.hidden and m.filter is None and m.formula is None and m.additivity == "additive"
            and m.format.kind != "currency"
        ]  # fmt: skip
        return tuple(Option("measure", ref) for ref in found) if len(found) > 1 else ()

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
        percent = self.items[i].text.lower() in (
            "%",
            "en %",
            "pct",
            "en pourcentage",
            "in %",
            "as a percentage",
            "in percent",
        )
        if percent and before is not None and before.is_op("growth", "trend", "previous_year", "previous_period"):
            # « l'évolution en % » is a growth rate, and every comparison shows one.
            if before.is_op("trend"):
                self.draft.trend, self.draft.growth = False, True
            return i + 1
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

    def _rate(self, i: int) -> int:
        """« taux de commandes annulées »: the part of them that a condition names."""
        before, last = self.before(i), self.draft.measures[-1] if self.draft.measures else None
        if last is not None and before is not None and before.start == last.start and before.end == self.items[i].start:
            # « margin rate of Solenza »
            if rates := self._rate_of(last):
                last.options = rates
            else:
                self.draft.unexplained.append(self.items[i].text)
            return i + 1
        if before is not None and before.kind == "lex" and before.end == self.items[i].start:
            # « return rate of Solenza »
            named = tuple(
                o
                for form in (f"{before.text} rate", f"taux de {before.text}")
                for o in self.lexicon.lookup(form)
                if o.kind == "measure" and o.quality >= TRANSLATED
            )
            self.draft.subjects = [s for s in self.draft.subjects if s.start != before.start]
            if named:
                self.draft.measures.append(MeasureMention(named, before.text, before.start))
            else:
                self.draft.unexplained.append(self.items[i].text)
            return i + 1
        self.draft.share, self.draft.rate = True, self.items[i].text
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
        self.draft.share = self.draft.spread = True
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
            found = (
                tuple(o for o in said if o.kind == "measure" and o.quality >= 0.95 and o.ref in {f.ref for f in found})
                or found
            )
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

    def _actual(self, i: int) -> int:
        """« CA réalisé » says nothing more; « réalisé et objectif » is what was sold."""
        before = self.before(i)
        if not (before is not None and before.kind == "lex" and before.of("measure")):
            self.draft.actual = True
        return i + 1

    def _distribution(self, i: int) -> int:
        # « répartition du CA par canal » shows the values and their shares.
        self.draft.share = self.draft.spread = True
        following = self.next(i + 1)
        if following is not None:
            item = self.items[following]
            if item.kind == "lex" and item.of("entity") and not item.of("measure"):
                self.draft.measures.append(MeasureMention(item.of("entity"), item.text, item.start, count=True))
                return following + 1
        return i + 1
