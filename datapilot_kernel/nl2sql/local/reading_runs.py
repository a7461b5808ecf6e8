"""Several aggregates of one thing: « mini et maxi du prix », « nombre, total et moyenne des commandes », « le plus petit et
le plus grand montant ».

A run is two or more of them in a row, joined by « et » or a comma, before the thing they are of, or after it. Each becomes
a measure of its own; a run whose thing cannot be found is not understood, never cut down to the aggregate that fits.
"""

from __future__ import annotations

from typing import Literal, cast

from datapilot_kernel.nl2sql.local.cover import Item
from datapilot_kernel.nl2sql.local.draft import Aggregate, MeasureMention, Mention
from datapilot_kernel.nl2sql.local.lexicon import TRANSLATED, Option
from datapilot_kernel.nl2sql.local.reading_measures import MeasureReader

Element = Literal["count", "amount", "sum", "avg", "min", "max", "median"]

_PLAIN: tuple[Element, ...] = ("avg", "min", "max", "median")
_AMOUNTS = {"montant", "montants", "valeur", "valeurs", "amount", "amounts", "value"}
_OF = {"de", "d'", "des", "du", "d", "of", "the", "un", "une", "la", "le", "les", "total", "totale"}
_AVERAGED = {"moyen", "moyenne", "moyens", "moyennes", "average", "median", "mediane", "minimum", "maximum"}


class RunReader(MeasureReader):
    """Reads runs of aggregates."""

    def _run(self, i: int) -> int | None:
        """Read the run that begins at ``i``; None when there is no run, and nothing was read."""
        elements, j = self._elements(i)
        if elements[:1] == ["count"] and (measured := self._amount_of(j)) is not None:
            # « nombre et montant des factures »: the layer has words for the amount.
            self._spread(elements, measured[0])
            return measured[1]
        if elements and (average := self._average_after(j)) is not None:
            self._spread([*elements, "avg"], average[0])
            return average[1]
        worth = self.items[i].text.split()[0].lower() in _AMOUNTS  # « valeur médiane des commandes »
        if len(elements) == 1 and elements[0] in _PLAIN and worth:
            following = self.peek(j)
            if following is not None and following.kind == "lex" and following.of("entity") and not following.of("measure"):
                self._spread(elements, Mention(following.options, following.text, following.start))
                return self.items.index(following) + 1
        if len(elements) < 2 and not (elements == ["amount"] and self._counted_before(i) is not None):
            return None
        before = self.before(i)
        if before is not None and before.is_op("comma", "and"):
            earlier = self.before(self.items.index(before))
            before = earlier if earlier is not None and self._averaged(earlier.text) else before
        if before is not None and before.kind == "lex" and (target := self._take_back(before)) is not None:
            self._spread(elements, target)
            return j
        place = self.next(j)
        if place is not None and self.items[place].is_op("amount") and "amount" not in elements:
            place = self.next(place + 1)  # « mini et maxi du montant des commandes »
        item = None if place is None else self.items[place]
        of = item is not None and place is not None and (place == j or all(x.kind == "filler" for x in self.items[j:place]))
        if item is not None and place is not None and of and self._may_be_measured(item):
            self._spread(elements, Mention(item.options, item.text, item.start))
            return place + 1
        counted = self._counted_before(i)
        if counted is not None and "count" not in elements:
            self._spread(elements, counted)
            return j
        return None

    def _amount_of(self, j: int) -> tuple[Mention, int] | None:
        """Return what « … et montant des factures » is of, and the place of those words; None when they do not follow."""
        place, joined = self.next(j), False
        while place is not None and self.items[place].is_op("and", "comma", "again"):
            joined, place = True, self.next(place + 1)
        item = None if place is None else self.items[place]
        if not joined or item is None or place is None or item.kind != "lex" or not item.of("measure"):
            return None
        words = item.text.replace("’", "'").replace("d'", "d' ").split()
        if words[0].lower() not in _AMOUNTS or len(words) < 3:
            return None
        while words and (words[0].lower() in _AMOUNTS or words[0].lower() in _OF or self._averaged(words[0])):
            words = words[1:]
        found = tuple(o for o in self.lexicon.lookup(" ".join(words)) if o.kind == "entity" and o.quality >= 0.94)
        return (Mention(found, " ".join(words), item.start), place) if found else None

    def _average_after(self, j: int) -> tuple[Mention, int] | None:
        """« minimum, maximum and average price »: the layer may call the average by a name, the three are of the price."""
        place = self.next(j)
        if place is None or not self.items[place].is_op("and", "comma"):
            return None
        place = self.next(place + 1)
        item = None if place is None else self.items[place]
        words = item.text.split() if item is not None and item.kind == "lex" and item.of("measure") else []
        if place is None or len(words) < 2 or words[0].lower() not in _AVERAGED:
            return None
        found = tuple(o for o in self.lexicon.lookup(" ".join(words[1:])) if o.quality >= TRANSLATED and self._numeric(o))
        return (Mention(found, " ".join(words[1:]), item.start if item else 0), place + 1) if found else None

    def _averaged(self, text: str) -> bool:
        return text.split()[-1].lower() in _AVERAGED

    def _elements(self, i: int) -> tuple[list[Element], int]:
        found: list[Element] = []
        place, end = self.next(i), i
        while place is not None:
            element, after = self._element(place, found)
            if element is None or element in found:
                break
            found.append(element)
            end = after
            place = self.next(end)
            joined = False
            while place is not None and self.items[place].is_op("and", "comma", "again"):
                joined, place = True, self.next(place + 1)
            if not joined:
                break
        return found, end

    def _element(self, place: int, found: list[Element]) -> tuple[Element | None, int]:
        item = self.items[place]
        for name in _PLAIN:
            if item.is_op(name):
                return name, place + 1
        following = self.next(place + 1)
        after = None if following is None else self.items[following]
        amount = item.is_op("amount") or (item.kind == "lex" and item.norm in _AMOUNTS and item.end - item.start == 1)
        if amount:
            if after is not None and following is not None:
                for name in _PLAIN:
                    if after.is_op(name):
                        return name, following + 1
                if after.is_op("sum"):
                    return "amount", following + 1
            return ("amount", place + 1) if item.is_op("amount") or found or self._counted_before(place) else (None, place)
        if item.is_op("sum"):
            return "sum", place + 1
        if (
            item.is_op("count")
            and item.norm != "combien"
            and not item.text.lower().endswith(("de", "d'", "des", "of", "many"))
        ):
            return "count", place + 1
        if item.is_op("top", "bottom", "most", "least") and self.number is None and self.draft.rank is None:
            name = "max" if item.is_op("top", "most") else "min"
            if found and found[-1] in ("min", "max"):
                return cast("Element", name), place + 1
            # « le plus petit et le plus grand … »: only where the other one follows.
            if after is not None and following is not None and after.is_op("and"):
                beyond = self.peek(following + 1)
                if beyond is not None and beyond.is_op(*(("bottom", "least") if name == "max" else ("top", "most"))):
                    return cast("Element", name), place + 1
        return None, place

    def _counted_before(self, i: int) -> Mention | None:
        """Return what was counted just before: « nombre de commandes et montant total »."""
        before = self.before(i)
        while before is not None and (before.is_op("and", "comma", "again", "which") or _only_value(before)):
            before = self.before(self.items.index(before))
        last = self.draft.measures[-1] if self.draft.measures else None
        if last is None or before is None or before.kind != "lex" or before.start != last.start:
            return None
        layer = self.lexicon.layer
        if last.count and last.of("entity"):
            return Mention(last.of("entity"), last.text, last.start)
        counting = {
            o.entity
            for o in last.of("measure")
            if o.quality >= 0.94 and (layer.measure(o.ref).expression or "").replace(" ", "").upper() == "COUNT(*)"
        }
        if len(counting) != 1:
            return None
        entity = next(iter(counting))
        return Mention((Option("entity", entity),), layer.entities[entity].label, last.start)

    def _may_be_measured(self, item: Item) -> bool:
        if item.kind != "lex":
            return False
        best = max(o.quality for o in item.options)
        able = [o for o in item.options if o.kind in ("measure", "entity") or self._numeric(o)]
        return any(o.quality >= best - 0.06 for o in able)

    def _take_back(self, before: Item) -> Mention | None:
        """Return what stands just before the run, taken back from where it was put."""
        draft = self.draft
        last = draft.measures[-1] if draft.measures else None
        if last is not None and last.start == before.start and last.of("measure") and not last.count and not last.aggregate:
            draft.measures.pop()
            return self._without_average(before) or Mention(last.options, last.text, last.start)
        subject = draft.subjects[-1] if draft.subjects else None
        if subject is not None and subject.start == before.start and any(self._numeric(o) for o in subject.options):
            draft.subjects.pop()
            return subject
        return None

    def _without_average(self, item: Item) -> Mention | None:
        """« prix moyen, mini et maxi »: the run is of the price, and its average is one of the three."""
        words = item.text.split()
        if len(words) < 2 or words[-1].lower() not in _AVERAGED:
            return None
        options = tuple(o for o in self.lexicon.lookup(" ".join(words[:-1])) if o.quality >= 0.94 and o.kind != "value")
        usable = tuple(o for o in options if o.kind == "measure" or self._numeric(o))
        return Mention(usable, item.text, item.start) if usable else None

    def _spread(self, elements: list[Element], target: Mention) -> None:
        """Make a measure of each element."""
        averaged = target.text.split()[-1].lower() if target.text else ""
        if (
            averaged in _AVERAGED
            and not target.of("entity")
            and "avg" not in elements
            and averaged.startswith(("moy", "ave"))
        ):
            elements = ["avg", *elements]
        entities = target.of("entity") if not target.of("measure") else ()
        money = self._money_of(entities, target.text) if entities else ()
        numbers = (*target.of("measure"), *(o for o in target.of("dimension") if self._numeric(o)))
        for element in elements:
            if element == "count":
                options: tuple[Option, ...] = entities
            elif entities and element in _PLAIN:
                options = self._amount_columns(entities) or money
            elif entities:
                options = money
            else:
                options = numbers
            if not options:
                self.draft.unexplained.append(target.text)
                return
            how: Aggregate | None = None if element in ("count", "amount") else cast("Aggregate", element)
            if element == "sum" and (entities or target.of("measure")):
                how = None
            mention = MeasureMention(options, target.text, target.start, aggregate=how, count=element == "count")
            self.draft.measures.append(mention)
        if entities:
            self.draft.of_rows = target.start
            if not any(s.start == target.start for s in self.draft.subjects) and "count" not in elements:
                self.draft.subjects.append(Mention(entities, target.text, target.start))

    def _amount_columns(self, entities: tuple[Option, ...]) -> tuple[Option, ...]:
        """Return the column that each of these rows calls its amount."""
        owners = {o.ref for o in entities}
        found = tuple(
            o
            for word in ("montant", "amount")
            for o in self.lexicon.lookup(word)
            if o.kind == "dimension" and o.entity in owners and o.quality >= 0.95 and self._numeric(o)
        )
        return tuple(dict.fromkeys(found))

    def _money_of(self, entities: tuple[Option, ...], typed: str) -> tuple[Option, ...]:
        """Return the measure that sums the money of these rows; () when there is none."""
        layer = self.lexicon.layer
        found = tuple(
            Option("measure", f"{o.ref}.{n}", o.quality) for o in entities
            for n, m in layer.entities[o.ref].measures.items()
            if not m.hidden and m.format.kind == "currency" and m.formula is None and m.filter is None
        )  # fmt: skip
        refs = {f.ref for f in found}
        said = tuple(
            o
            for form in ("montant des", "montant")
            for o in self.lexicon.lookup(f"{form} {typed}")
            if o.kind == "measure" and o.quality >= 0.95 and o.ref in refs
        )
        return said[:1] or found


def _only_value(item: Item) -> bool:
    return item.kind == "lex" and bool(item.of("value")) and not item.of("entity", "measure")
