"""Groups, and what is done with them: order, limit, shares, running totals, averages over them."""

from __future__ import annotations

from typing import Literal

from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.local.builder import MAX_CHOICES
from datapilot_kernel.nl2sql.local.changes import Change, Part
from datapilot_kernel.nl2sql.local.draft import Group, Mention
from datapilot_kernel.nl2sql.local.lexicon import Option
from datapilot_kernel.nl2sql.local.measuring import MeasureBuilder
from datapilot_kernel.nl2sql.local.signals import NotSure
from datapilot_kernel.plan.model import (
    CalendarPeriod,
    DimensionItem,
    Filter,
    Having,
    MeasureItem,
    Order,
    Rollup,
    ToDate,
)  # fmt: skip

_DUE = {"echeanc", "due", "deadlin", "limit"}
_LATE = {"impay", "retard", "echu", "overdu", "unpaid", "late", "souffranc", "non"}
_DEFAULT_TOP = 10


class GroupBuilder(MeasureBuilder):
    """Decides how the result is cut and ordered."""

    def _groups(self, subject: str | None, *, folded: bool, conditions: bool) -> list[Group]:
        draft = self.draft
        groups = list(draft.groups)
        target = self._rank_target(subject)
        if target is not None:
            groups.append(target)
        elif folded or ((conditions or draft.sort) and subject is not None and not groups):
            assert subject is not None
            groups.append(Group(Mention((Option("entity", subject),), self._subject_label(subject), -2)))
        else:
            target = None
        ranked = target.mention.start if target is not None and target.mention is not None else None
        if not folded:
            for mention in draft.subjects:
                if not groups and mention.of("entity") and self._rate_of_each(mention):
                    groups.append(Group(mention))
                if mention.of("entity") or mention.start in (ranked, draft.sort_by):
                    continue
                head = draft.head is not None and mention.start == draft.head.start
                number = all(self.layer.dimension(o.ref).type == "number" for o in mention.of("dimension"))
                sorted_too = draft.sort and not groups and mention.start == draft.subjects[0].start
                each = not groups and self._rate_of_each(mention)
                if (self.items and (self._bare(mention) or head or sorted_too or each) and not number) or (
                    conditions and not groups
                ):
                    groups.append(Group(mention))
                else:
                    raise NotSure(mention.text)
            for unit in draft.units:
                if target is not None and target.grain == unit:
                    continue
                if self.items and not groups:
                    groups.append(Group(grain=unit))
                elif not any(g.grain == unit for g in groups):
                    raise NotSure(text(f"plan.grain.{unit}").lower())
        if draft.rank is not None and not draft.rank.time and not groups and self.items:
            groups.append(self._any_target())
        if draft.head_unit and not any(g.grain == draft.head_unit for g in groups) and not target:
            raise NotSure(text(f"plan.grain.{draft.head_unit}").lower())
        return groups

    def _rate_of_each(self, mention: Mention) -> bool:
        """« taux de marge des marques »: rates do not add up, so of each."""
        last = mention.text.lower().split()[-1]
        before = self.words[mention.start - 1] if 0 < mention.start <= len(self.words) else ""
        rates = bool(self.items) and all(i.measure is not None and self.k.is_average(i.measure) for i in self.items)
        rates = rates and all(self.layer.measure(i.measure or "").format.kind == "percent" for i in self.items)
        things = {o.ref for o in mention.of("entity")}
        narrowed = any(o.entity in things for v in self.draft.values for o in v.options)
        if narrowed or not all(self.k.is_master(t) for t in things):
            return False  # « taux de marge des clients pro »: of all of them together
        return rates and last.endswith(("s", "x")) and before in ("des", "les", "nos") and not self.draft.rank

    def _any_target(self) -> Group:
        """« top 10 » of what? Offer the things that what is measured can be cut by."""
        things = [
            e for e, m in self.layer.entities.items()
            if not m.hidden and self.k.is_master(e) and m.name_dimension and all(self.reaches(i, e) for i in self.items)
        ]  # fmt: skip
        owing = [i for i in self.items if i.measure is not None and self.k.is_state(i.measure)]
        if self.words[:1] == ("qui",) and owing:
            # « qui nous doit le plus »: who an invoice is made out to.
            people = [e for e in things if all(self.k.farthest(self.item_roots(i), e) == 1 for i in owing)]
            things = people if len(people) == 1 else things
            if len(people) == 1:
                return Group(Mention((Option("entity", people[0]),), self._subject_label(people[0]), -3))
        if len(things) < 2:
            raise NotSure(self.draft.rank.text if self.draft.rank else "")
        near = sorted(things, key=lambda e: min(self.k.farthest(self.item_roots(i), e) or 9 for i in self.items))[
            :MAX_CHOICES
        ]
        chosen = self.choose(
            "target",
            near,
            lambda e: self.layer.entities[e].plural or self.layer.entities[e].label,
            text("nl2sql.top_of_what"),
        )
        return Group(Mention((Option("entity", chosen),), self._subject_label(chosen), -3))

    def _dimensions(self, group: Group, index: int) -> list[DimensionItem]:
        if group.mention is not None and not self.items:
            return self.group(group, [], index)
        known = self.items if self.items else []
        return self.group(group, known, index)

    def _average_of_groups(self, groups: list[Group]) -> None:
        if self.draft.aggregate and len(groups) > 1:
            raise NotSure(text("nl2sql.said.average"))
        if self.draft.aggregate and not groups:
            raise NotSure(text("nl2sql.said.average"))

    def _rollup(self, folded: bool, counted: str | None) -> Rollup | None:
        if folded:
            return Rollup(function="count", label=text("nl2sql.count_label", label=self._subject_label(counted)))
        if self.draft.aggregate is None:
            return None
        if len(self.items) != 1 or self.draft.aggregate not in ("avg", "min", "max", "median"):
            raise NotSure(text("nl2sql.said.average"))
        return Rollup(function=self.draft.aggregate, measure=self.items[0].alias)

    def _value_axis(self, filters: list[Filter]) -> None:
        """Two values side by side are two rows: « compare Lyon et Paris », « CA de Lyon et Paris »."""
        draft = self.draft
        for made in filters:
            if made.op != "in" or any(d.field == made.field for d in self.dims):
                continue
            if sum(any(o.ref == made.field for o in v.of("value")) for v in draft.values) < 2:
                continue  # « les OTA »: one name for several values is one group of them
            beside = draft.compare or (
                not any(v.joined_by == "or" for v in draft.values) and not self.dims and draft.rank is None
            )
            parts = draft.share and not draft.spread and not self.dims and len(self.items) == 1
            if beside and draft.aggregate is None and not draft.together and not (parts and not draft.compare):
                self.dims.append(
                    DimensionItem(alias=self.alias(self._column_name(made.field)), field=made.field, via=made.via)
                )
        if draft.compare and not self.dims and not draft.periods and len(self.items) < 2 and draft.versus is None:
            raise NotSure(text("nl2sql.comparison"))

    def _shares(self, filters: list[Filter]) -> list[Filter]:
        if not self.draft.share:
            return filters
        if self.draft.rate and not filters:
            # « taux de … » is a part of something only where a condition says which part.
            raise NotSure(self.draft.rate)
        if self.dims and filters and not self.draft.spread and (rate := self._rate_of_groups(filters)) is not None:
            return rate
        if self.dims:
            if self.draft.trend and filters and all(d.grain is not None for d in self.dims):
                # « évolution de la part du web »: a share of each month, which a plan cannot say yet.
                raise NotSure("%")
            if all(i.measure is not None and self.layer.measure(i.measure).format.kind == "percent" for i in self.items):
                self.draft.share = False  # a rate is a percentage already
            for item in list(self.items):
                if item.measure is None or not self.k.is_average(item.measure):
                    self.items.append(
                        item.model_copy(update={"alias": self.alias(f"part_{item.alias}"), "transform": "share"})
                    )
            return filters
        if not filters:
            raise NotSure("%")
        part, *rest = filters
        whole = self.items[0]
        if whole.measure is not None and self.k.is_average(whole.measure):
            raise NotSure("%")
        each: list[MeasureItem] = []
        if part.op == "in" and not self.draft.together and not any(v.joined_by == "or" for v in self.draft.values):
            # « part du web et du téléphone »: of each, and of both.
            for value in part.values:
                one = part.model_copy(update={"op": "eq", "values": (value,), "typed": ()})
                alias, label = (
                    self.alias(f"part_{whole.alias}"),
                    f"{self.item_label(whole)} ({self.value_label(part.field, str(value))})",
                )
                each.append(
                    whole.model_copy(update={"alias": alias, "transform": "share", "filters": (one,), "label": label})
                )
        self.items = [
            *each,
            whole.model_copy(update={"alias": self.alias(f"part_{whole.alias}"), "transform": "share", "filters": (part,)}),
            whole.model_copy(update={"filters": (part,), "label": None}),
        ]
        return rest

    def _rate_of_groups(self, filters: list[Filter]) -> list[Filter] | None:
        """« % de commandes annulées par canal »: of each channel's own; None: how the whole is spread over the groups."""
        part = next((f for f in filters if all(f.field != d.field for d in self.dims)), None)
        plain = all(i.measure is None or not self.k.is_average(i.measure) for i in self.items)
        if part is None or len(self.items) != 1 or len(self.dims) != 1 or not plain:
            return None
        item, axis = self.items[0], self.dims[0]
        state = part.field.partition(".")[0] in self.item_roots(item) and (
            item.measure is None or self.k.is_count(item.measure)
        )
        if not state and not self.draft.rate:
            within = self.choose(
                "share", [True, False],
                lambda own: text(
                    "nl2sql.share_within" if own else "nl2sql.share_among", label=self.layer.dimension(axis.field).label
                ),
                text("nl2sql.which_share"),
            )  # fmt: skip
            if not within:
                return None
        self.items = [
            item.model_copy(
                update={
                    "alias": self.alias(f"part_{item.alias}"), "transform": "share", "filters": (part,),
                    "within": axis.alias,
                }
            ),
            item.model_copy(update={"filters": (part,), "label": None}),
        ]  # fmt: skip
        return [f for f in filters if f is not part]

    def _total_of_last_year(self) -> None:
        """« CA cumulé N-1 »: up to the same day a year ago, or month by month over the whole year? Ask."""
        periods = self.draft.periods
        if (
            not self.draft.cumul
            or any(d.grain for d in self.dims)
            or [p.period for p in periods] != [CalendarPeriod(unit="year", offset=-1)]
        ):
            return
        stretch = self.choose(
            "cumul", [True, False],
            lambda to_date: text("nl2sql.cumul_to_date" if to_date else "nl2sql.cumul_by_month"),
            text("nl2sql.which_cumul"),
        )  # fmt: skip
        if stretch:
            periods[0].period = ToDate(unit="year", offset=-1)

    def _undated(self, item: MeasureItem) -> bool:
        own = self.k.measure_time(item.measure) if item.measure else self.k.time_of(min(self.item_roots(item)))
        return own is None and (item.measure is None or not self.k.is_average(item.measure))

    def _running(self) -> None:
        if not self.draft.cumul:
            return
        if not self.draft.periods and not self.dims and all(self._undated(i) for i in self.items):
            self.draft.cumul = False  # « surface cumulée des magasins »: their total
            return
        if not any(d.grain for d in self.dims):
            to_date = any(p.period.kind == "to_date" for p in self.draft.periods)
            if to_date and not self.dims:
                return
            self.dims.append(self.time_group("month", self.items))
        for item in list(self.items):
            if item.measure is not None and self.k.is_average(item.measure):
                raise NotSure(self.item_label(item))
            self.items.append(
                item.model_copy(update={"alias": self.alias(f"cumul_{item.alias}"), "transform": "running_total"})
            )

    def _limit(self) -> int | None:
        rank = self.draft.rank
        assert rank is not None
        if rank.whole and rank.count is None:
            return None
        if rank.count is not None:
            return rank.count
        head_singular = self.draft.which and not self.draft.head_plural
        if not head_singular and any(self._several(m) for m in self.draft.subjects[:1]):
            # « les produits qui se vendent le mieux »: more than one, though the superlative is invariable.
            self.note("top_default", count=_DEFAULT_TOP)
            return _DEFAULT_TOP
        if head_singular or (not rank.plural and not (self.draft.which and self.draft.head_plural)):
            return 1
        self.note("top_default", count=_DEFAULT_TOP)
        return _DEFAULT_TOP

    def _several(self, mention: Mention) -> bool:
        """Tell whether a thing was named in the plural, by its article."""
        place = mention.start - 1
        if mention.text[-1:].lower() == "s" and {"most", "least", "best", "worst"} & set(self.words):
            return True  # « most expensive products »
        if place < 0:
            return mention.text[-1:].lower() in ("s", "x")  # « villes avec le plus de clients »
        if place > 0 and self.words[place - 1] in ("parmi", "entre", "among", "of"):
            return False  # « le meilleur taux parmi les vendeurs » is one of them
        return 0 <= place < len(self.words) and self.words[place] in ("les", "des", "nos", "mes", "vos", "ces")

    def _order(self, split: list[list[DimensionItem]]) -> tuple[tuple[Order, ...], int | None, str | None]:
        draft = self.draft
        times = [d for d in self.dims if d.grain is not None]
        visible = [i for i in self.items if not i.hidden]
        if draft.rank is not None and not draft.rank.time and self.dims and visible:
            by = visible[0].alias
            target = split[-1][0] if split and split[-1] else self.dims[-1]
            per = None
            if len(split) > 1:
                per = split[0][0].alias
                if len(split) > 2:
                    raise NotSure(draft.rank.text)
            del target
            orders = [Order(by=by, descending=draft.rank.descending)]
            if draft.rank.change is not None:
                up = draft.rank.change.up == draft.rank.descending
                orders = [Order(by=by, descending=up, part=self._part_of_change(draft.rank.change))]
            if per is not None:
                orders.insert(0, Order(by=per, descending=False))
            return tuple(orders), self._limit(), per
        if draft.rank is not None and not self.dims:
            raise NotSure(draft.rank.text)
        if draft.alphabetical and (named := [d for d in self.dims if d.grain is None]):
            return tuple(Order(by=d.alias, descending=draft.ascending is False) for d in named), None, None
        if draft.sort and visible:
            return (Order(by=self.sort_key or visible[0].alias, descending=not draft.ascending),), None, None
        if times:
            others = [Order(by=d.alias, descending=False) for d in self.dims if d.grain is None]
            return (Order(by=times[0].alias, descending=False), *others), None, None
        if self.dims and visible:
            return (Order(by=visible[0].alias, descending=not draft.ascending),), None, None
        return (), None, None

    def _part_of_change(self, change: Change) -> Part:
        """Return whether a ranking by a change is by its rate or by its amount; asked where the word may be either."""
        words = set(self.words)
        if change.rate or words & {"%", "pourcentage", "pourcent", "taux", "percent", "percentage", "rate"}:
            return "growth"
        if words & {"euros", "€", "valeur", "absolu", "absolue", "montant", "value", "amount", "nombre"}:
            return "difference"
        return self.choose(
            "change", ["growth", "difference"], lambda part: text(f"nl2sql.change_by.{part}"), text("nl2sql.change_by_what")
        )

    def _in_that_direction(self) -> None:
        """« les magasins en baisse »: only those."""
        change = self.draft.change
        if change is not None and not self.dims and self.draft.change_text.lower().startswith("en "):
            raise NotSure(self.draft.change_text)  # « CA en hausse »: of what?
        if change is None or not any(d.grain is None for d in self.dims):
            return
        for item in [i for i in self.items if not i.hidden and i.transform is None][:1]:
            op: Literal["gt", "lt"] = "gt" if change.up else "lt"
            self.having.append(Having(measure=item.alias, part="difference", op=op, values=(0,)))

    def _transformed(self) -> bool:
        return any(i.transform == "running_total" for i in self.items)
