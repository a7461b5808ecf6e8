"""Rankings: « top 5 », « les moins chers », « la dernière », « qui ont le plus acheté »."""

from __future__ import annotations

from typing import cast

from datapilot_kernel.nl2sql.local.changes import change_of
from datapilot_kernel.nl2sql.local.cover import Item
from datapilot_kernel.nl2sql.local.draft import (
    Aggregate,
    MeasureMention,
    Mention,
    Rank,
    Unit,
)  # fmt: skip
from datapilot_kernel.nl2sql.local.lexicon import Option, is_participle
from datapilot_kernel.nl2sql.local.reading_runs import RunReader
from datapilot_kernel.nl2sql.local.tokens import stem

_COMPARATORS = ("gt", "ge", "lt", "le", "eq", "between")
_UNITS: dict[str, Unit] = {"day": "day", "week": "week", "month": "month", "year": "year"}
_POSSESSIVES = {"leur", "leurs", "son", "sa", "ses", "their", "its"}
_MONEY = {"€", "eur", "euro", "euros", "$", "keur"}
_AGGREGATES: tuple[Aggregate, ...] = ("avg", "min", "max", "median")
_LENGTHS = {
    stem(w): long for w, long in (("long", True), ("lent", True), ("court", False), ("rapide", False), ("bref", False))
}
_SEVERAL = {"les", "nos", "mes", "ses", "vos", "leurs", "ces", "des", "the"}
_WHOLE = {"classement", "palmares", "ranking"}
_ANNOUNCED = {"classement", "palmares", "palmarès", "top", "podium", "hit", "ranking", "liste"}


def _mention(item: Item, options: tuple[Option, ...] | None = None) -> Mention:
    return Mention(item.options if options is None else options, item.text, item.start)


class RankReader(RunReader):
    """Reads superlatives."""

    def _rank(self, i: int) -> int:
        item = self.items[i]
        if self.draft.rank is not None and self._goes_on(self.draft.rank, i):
            # « classement des 5 meilleurs … », « palmarès des pires … »: one ranking.
            rank = self.draft.rank
            self.draft.rank, count, j = None, *self._take_number(i + 1)
            self.draft.rank = Rank(count or rank.count, item.is_op("top"), plural=True, text=item.text)
            return self._rank_by(j, allow_subject=True)
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
        if plural and {w for w in item.text.lower().split() if w.endswith("s")} <= {"plus", "moins", "gros", "bas"}:
            plural = self._said_in_plural(i, j)  # « le plus gros règlement », « nos plus gros clients »
        if item.norm == "podium" and count is None:
            count = 3
        self.draft.rank = Rank(count, item.is_op("top"), plural=plural, text=item.text, whole=item.norm in _WHOLE)
        return self._rank_by(j, allow_subject=True)

    def _said_in_plural(self, i: int, j: int) -> bool:
        article = self.items[i - 1].norm if i else ""
        following = self.peek(j)
        if article in ("le", "la", "l", "un", "une", "du", "son", "sa", "notre"):
            return False
        return article in _SEVERAL or (following is not None and following.text[-1:].lower() in "sx")

    def _goes_on(self, rank: Rank, i: int) -> bool:
        """Tell whether a ranking was only announced (« classement des », « top 5 des ») and this says of what kind."""
        announced = rank.text.lower().split()[0] in _ANNOUNCED if rank.text else False
        return announced and not (rank.by or rank.nouns or rank.time or rank.doing) and not self.items[i].is_op("first")

    def _most(self, i: int) -> int:
        item = self.items[i]
        if self.draft.rank is not None and self._goes_on(self.draft.rank, i):
            count = self.draft.rank.count
            self.draft.rank = None
            j = self._most(i)
            rank = cast("Rank | None", self.draft.rank)
            if rank is not None:
                rank.count, rank.plural = rank.count or count, True
            return j
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
        if self.draft.change is not None and (last := self.before(i)) is not None and last.text == self.draft.change_text:
            # « grew the most », « whose sales fell the most »
            rank.change, self.draft.change = self.draft.change, None
            return j
        place = self.next(j)
        if place is not None and self.items[place].is_op("growth", "moving") and change_of(self.items[place].text):
            return place  # « le plus progressé »: read where the change is
        if place is not None and self.items[place].is_op("count"):
            place = self.next(place + 1)
        of = words[-1] in ("de", "d")
        after = None if place is None else self.items[place]
        if place is None or after is None:
            return j
        active = i > 0 and (
            self.items[i - 1].norm in ("ont", "a", "avons", "have", "has") or self.items[i - 1].is_op("have")
        )
        length = _LENGTHS.get(stem(after.norm)) if after.kind in ("verb", "unknown") else None
        before = self.before(i)
        if length is not None and before is not None and before.kind == "lex" and before.of("measure"):
            # « le délai de paiement le plus long »
            rank.descending = rank.descending == length
            return place + 1
        if after.kind == "verb":
            # « ont le plus acheté » speaks of who buys; « les plus achetés » of what is bought.
            rank.nouns = (after.nouns or after.ranked_by) if active else (after.ranked_by or after.nouns)
            return place + 1
        entities = after.of("entity") if after.kind == "lex" else ()
        if (
            (entities or (after.kind == "lex" and after.of("dimension")))
            and not of
            and (ranked := self._participle(after, active=active))
        ):
            # « qui ont le plus commandé »: a participle that is also a noun of the layer.
            rank.nouns = ranked
            return place + 1
        if after.is_op("recent", "oldest"):
            rank.time = True
            rank.descending = after.is_op("recent") == rank.descending
            return place + 1
        if after.kind == "lex" and self.items[j : place + 1]:
            if after.of("measure"):
                numbers = tuple(o for o in after.of("dimension") if self._numeric(o))
                rank.by = MeasureMention((*after.of("measure"), *numbers), after.text, after.start)
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
