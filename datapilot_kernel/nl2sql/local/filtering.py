"""Stored values: which one was meant, and the filters they make."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.local.builder import Builder
from datapilot_kernel.nl2sql.local.draft import ValueMention
from datapilot_kernel.nl2sql.local.grammar import phrase
from datapilot_kernel.nl2sql.local.lexicon import Option, content
from datapilot_kernel.nl2sql.local.signals import Missing, NotSure
from datapilot_kernel.plan.model import Filter, MeasureItem

_TIER = 0.06


class FilterBuilder(Builder):
    """Decides about values."""

    words: tuple[str, ...] = ()

    def value(self, mention: ValueMention, items: Sequence[MeasureItem], subject: str | None) -> Option:
        """Decide which stored value was meant."""
        options = list(mention.of("value"))
        named_dims = {o.ref for o in mention.named if o.kind == "dimension"}
        named_entities = frozenset(o.ref for o in mention.named if o.kind == "entity")
        inside = [o for o in options if o.ref in named_dims]
        options = inside or options
        if named_entities and not inside:
            # « la boutique de Dijon » is a shop: a client's town is no answer.
            theirs = [o for o in options if any(self.k.distance(e, o.entity) is not None for e in named_entities)]
            if not theirs:
                raise Missing("value_not_found", f"{mention.named_text} {mention.text}")
            options = theirs
        roots = (
            frozenset[str]().union(*(self.item_roots(i) for i in items))
            if items
            else frozenset({subject} if subject else ())
        )
        reachable = [o for o in options if self._filterable(o.entity, items, subject)]
        if not reachable:
            raise Missing(
                "no_join", mention.text, measure=self.item_label(items[0]) if items else self._subject_label(subject)
            )
        best = max(o.quality for o in reachable)
        own = [o for o in reachable if roots == {o.entity} and o.quality >= best - _TIER]
        reachable = own if own and not named_entities else self._unqualified(reachable, named_entities)
        # What the layer calls a value counts as much as the value itself; a part of a value counts less.
        option = self.nearest(f"v{mention.start}", reachable, roots, mention.text, near=named_entities)
        return self._one_row(mention, option)

    def _one_row(self, mention: ValueMention, option: Option) -> Option:
        """« le magasin de Paris » is one shop: when the names of several say that they are in Paris, ask which."""
        model = self.layer.entities[option.entity]
        name = model.name_dimension
        noun = mention.named_text.lower()
        place = mention.named_start - 1
        singular = 0 <= place < len(self.words) and self.words[place] in ("le", "la", "l", "du", "au", "un", "the")
        if (
            name is None
            or option.ref == f"{option.entity}.{name}"
            or mention.negated
            or mention.joined_by
            or not singular
            or noun.endswith(("s", "x"))
            or not any(o.kind == "entity" and o.ref == option.entity for o in mention.named)
        ):
            return option
        said = set(content(phrase(str(option.value))))
        names = [v for v in self.k.values.values.get(f"{option.entity}.{name}", ()) if said <= set(phrase(v))]
        if len(names) < 2:
            return option
        rows = [Option("value", f"{option.entity}.{name}", 1.0, value=v) for v in names[:3]]
        return self.choose(
            f"row{mention.start}", [*rows, option],
            lambda o: text("nl2sql.all_of_them", label=model.plural or model.label, value=str(option.value))
            if o is option else str(o.value),
            text("nl2sql.which_row", word=f"{mention.named_text} {mention.text}"),
        )  # fmt: skip

    def _unqualified(self, options: list[Option], named: frozenset[str]) -> list[Option]:
        """Prefer the dimension whose label needs no « of what »: « Bretagne » is a « région » before a « région du
        magasin ».
        """
        best = max(o.quality for o in options)
        tier = [o for o in options if o.quality >= best - _TIER]
        if any(o.entity in named for o in tier) or len({o.ref for o in tier}) < 2:
            return options
        if len({o.entity for o in tier}) == 1:
            return self._said_with_entity(tier) or options
        plain = [o for o in tier if not self.k.is_qualified(o.ref)]
        if len({o.ref for o in plain}) == 1 and len(plain) < len(tier):
            self.note(
                "chosen", typed=self.value_label(plain[0].ref, str(plain[0].value)), label=self.k.label_of(plain[0].ref)
            )
            return plain
        return options

    def _said_with_entity(self, options: list[Option]) -> list[Option]:
        """« clients particuliers »: the value that the layer also calls « client particulier »."""
        entity = self.layer.entities[options[0].entity]
        own = set(content(phrase(entity.label)))
        said = [
            o
            for o in options
            if any(own <= set(phrase(n)) for n in self.layer.dimension(o.ref).values.get(str(o.value), ()))
        ]
        return said if len(said) == 1 else []

    def _means_the_company(self, mention: ValueMention) -> bool:
        """« ventes Maison Lumière », said of Maison Lumière's own data: the whole house, or the brand of that name? Ask."""
        own = content(phrase(self.layer.name))
        same = [o for o in mention.of("value") if isinstance(o.value, str) and content(phrase(o.value)) == own]
        if not same or not own or mention.named or mention.negated or mention.joined_by:
            return False
        options: list[Option | None] = [None, *{o.ref: o for o in same}.values()]
        chosen = self.choose(
            f"company{mention.start}", options[:4],
            lambda o: text("nl2sql.the_whole_company", name=mention.text) if o is None else self._option_label(o),
            text("nl2sql.which_one", word=mention.text),
        )  # fmt: skip
        if chosen is not None:
            mention.options = (chosen,)
        return chosen is None

    def _filterable(self, entity: str, items: Sequence[MeasureItem], subject: str | None) -> bool:
        if items:
            return all(self.reaches(item, entity) for item in items)
        return subject is None or self.k.distance(subject, entity) is not None or self.crossing(subject, entity)

    def filters(self, items: Sequence[MeasureItem], subject: str | None) -> tuple[list[Filter], list[tuple[Filter, ...]]]:
        """Return the conditions on stored values: those that all hold, and groups of which one must."""
        decided: list[tuple[ValueMention, Option]] = []
        for i, mention in enumerate(self.draft.values):
            if self._means_the_company(mention):
                continue
            chain = [mention]
            for other in self.draft.values[i + 1 :]:
                if not other.joined_by and not (other.negated and mention.negated):
                    break
                chain.append(other)
            if mention.joined_by and decided and any(o.ref == decided[-1][1].ref for o in mention.options):
                # « Lyon et Paris »: both of one dimension.
                mention.options = tuple(o for o in mention.options if o.ref == decided[-1][1].ref)
            else:
                shared = set.intersection(*({o.ref for o in m.of("value")} for m in chain))
                if shared:
                    mention.options = tuple(o for o in mention.options if o.ref in shared)
            decided += [(mention, option) for option in self._all_called_so(mention, items, subject)]
        by_field: dict[tuple[str, bool], list[tuple[ValueMention, Option]]] = {}
        start = subject if not items else None
        for mention, option in decided:
            across = start is not None and self.k.distance(start, option.entity) is None
            if mention.negated and across:
                # « clients pas en ligne »: never online, or also elsewhere?
                raise NotSure(mention.text)
        for mention, option in decided:
            by_field.setdefault((option.ref, mention.negated), []).append((mention, option))
        filters: list[Filter] = []
        alternatives: list[Filter] = []
        for (ref, negated), entries in by_field.items():
            via = self.via_from(items, subject, ref)
            values = tuple(dict.fromkeys(o.value for _, o in entries if o.value is not None))
            typed = tuple(m.text for m, o in entries if o.quality < 0.9)
            for mention, option in entries:
                if option.quality < 0.9 and isinstance(option.value, str):
                    self.note("value_read_as", typed=mention.text, value=self.value_label(ref, option.value))
            if all(isinstance(v, bool) for v in values):
                # NULL counts as « no » for a yes/no: « not true », never « false ».
                made = Filter(field=ref, op="ne" if negated else "eq", values=values[:1], typed=typed, via=via)
            elif len(values) == 1:
                made = Filter(field=ref, op="ne" if negated else "eq", values=values, typed=typed, via=via)
            elif not negated and self._side_by_side([m for m, _ in entries], ref):
                # « préavis en cours »: no row is in two states at once, and neither « et » nor « ou » was said.
                raise NotSure(*(m.text for m, _ in entries))
            else:
                made = Filter(field=ref, op="not_in" if negated else "in", values=values, typed=typed, via=via)
            if not negated and any(m.joined_by == "or" for m, _ in entries) and len(by_field) > 1:
                alternatives.append(made)
            else:
                filters.append(made)
        if alternatives:
            # « à Lyon ou sur le web »: the value before the « ou » is the other alternative.
            first = filters.pop() if filters else None
            return filters, [tuple(f for f in (first, *alternatives) if f is not None)]
        return filters, []

    def _all_called_so(self, mention: ValueMention, items: Sequence[MeasureItem], subject: str | None) -> list[Option]:
        """Return the value meant, or every value of one column that the layer gives that very name (« impayées »)."""
        best = max((o.quality for o in mention.of("value")), default=0.0)
        exact = [o for o in mention.of("value") if o.quality >= max(best - _TIER, 0.94)]
        said = content(phrase(mention.text))
        if len(exact) > 1 and len({o.ref for o in exact}) == 1 and len(exact) == len(mention.of("value")):
            names = self.layer.dimension(exact[0].ref).values
            if all(said in {content(phrase(n)) for n in names.get(str(o.value), ())} for o in exact):
                if not self._filterable(exact[0].entity, items, subject):
                    return [self.value(mention, items, subject)]
                return exact
        return [self.value(mention, items, subject)]

    def _side_by_side(self, mentions: list[ValueMention], ref: str) -> bool:
        """Tell whether two states of one thing were said in one breath, nothing between them."""
        states = self.layer.dimension(ref).values
        ordered = sorted(mentions, key=lambda m: m.start)
        return any(
            not later.joined_by and later.start == first.end and later.text != first.text
            and any(str(o.value) in states for o in later.of("value") if o.ref == ref)
            for first, later in pairwise(ordered)
        )  # fmt: skip

    @staticmethod
    def numbers(values: tuple[Decimal, ...], *, percent: bool) -> tuple[int | Decimal, ...]:
        """Return numbers as the plan holds them; a percentage of a ratio as its fraction."""
        scaled = [v / 100 if percent else v for v in values]
        return tuple(int(v) if v == int(v) else v for v in scaled)
