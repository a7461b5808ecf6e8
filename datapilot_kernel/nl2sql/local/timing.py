"""What a question says about time, put together: the period, the date it limits, the comparison, the grain of a trend."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.local.draft import PeriodMention
from datapilot_kernel.nl2sql.local.grammar import phrase
from datapilot_kernel.nl2sql.local.signals import Missing, NotSure
from datapilot_kernel.plan.model import (
    Between,
    CalendarPeriod,
    Comparison,
    DimensionItem,
    Filter,
    Grain,
    LastPeriod,
    MeasureItem,
    Period,
    Related,
    ToDate,
)  # fmt: skip

if TYPE_CHECKING:
    from datapilot_kernel.nl2sql.local.shapes import Shaper

_PLANNED = {
    "objectif",
    "budget",
    "plan",
    "prevu",
    "prevision",
    "target",
    "forecast",
    "planifi",
    "cible",
    "prevue",
    "echeanc",
    "due",
}
_LAST_YEAR = CalendarPeriod(unit="year", offset=-1)
_THIS_YEAR = CalendarPeriod(unit="year", offset=0)
_OFFSETS = ("month", "week", "quarter", "semester", "day")


class Timing:
    """The time of one plan."""

    def __init__(self, shaper: Shaper, *, subject: str | None = None) -> None:
        self.s, self.draft, self.subject = shaper, shaper.draft, subject
        self.period: Period | None = None
        self.comparison: Comparison | None = None
        self.inherited: Period | None = None

    # ── rows ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def period_of_rows(self, subject: str) -> tuple[Period | None, str | None]:
        """Return the period of a list and its time dimension."""
        self._day_type(
            (self.s.layer.entities[subject].time and f"{subject}.{self.s.layer.entities[subject].time}")
            or self.s.k.time_of(subject)
        )
        mentions = self._base()
        if any(p.versus for p in self.draft.periods):
            raise NotSure(*(p.text for p in self.draft.periods))
        if not mentions:
            return None, None
        if len(mentions) > 1 or any(p.versus for p in self.draft.periods):
            raise NotSure(*(p.text for p in self.draft.periods))
        mention = mentions[0]
        if self.s.related and mention.time is None:
            self._relate(mention)
            return None, None
        if mention.time is not None:
            return mention.period, self.s.named_time(mention.time, [], subject)
        time = self._participle_time(subject)
        if time is None and self.s.k.time_of(subject) is None:
            raise Missing("missing_time", self.s._subject_label(subject))
        if (
            time is None
            and self.s.k.is_master(subject)
            and not self.draft.new
            and self.s.layer.entities[subject].time is not None
        ):
            event = self._creation_or_activity(subject)
            if event is not None:
                self.s.related.append(Related(entity=event, period=mention.period))
                return None, None
        return mention.period, time

    def _relate(self, mention: PeriodMention) -> None:
        """A period beside what somebody did is the period in which it was done."""
        last = self.s.related[-1]
        if last.period is not None:
            raise NotSure(mention.text)
        if self.s.k.time_of(last.entity) is None:
            raise Missing("missing_time", self.s._subject_label(last.entity))
        self.s.related[-1] = last.model_copy(update={"period": mention.period})

    def _participle_time(self, subject: str) -> str | None:
        """« commandes livrées en mai »: delivered in May, or ordered in May and since delivered? Ask, where both exist."""
        starts = {p.start for p in self.draft.periods}
        for value in self.draft.values:
            if value.negated or value.end not in starts:
                continue
            stems = set(phrase(value.text))
            due = self._due(subject) if stems & {"echoir", "echu", "due"} else None
            if due is not None:
                return due
            for name, dimension in self.s.layer.entities[subject].dimensions.items():
                ref = f"{subject}.{name}"
                if dimension.type not in ("date", "timestamp") or dimension.hidden or ref == self.s.k.time_of(subject):
                    continue
                roots = {w[:4] for w in phrase(dimension.label) if len(w) >= 5 and w != "date"}
                if any(stem[:4] in roots for stem in stems if len(stem) >= 4):
                    own = self.s.k.time_of(subject)
                    refs = [ref, own] if own else [ref]
                    chosen = self.s.choose(
                        "date", refs, lambda r: self.s.layer.dimension(r).label, text("nl2sql.which_date", word=value.text)
                    )
                    return chosen
        return None

    def _due(self, subject: str) -> str | None:
        """« factures à échoir ce mois-ci »: due this month."""
        for name, dimension in self.s.layer.entities[subject].dimensions.items():
            if dimension.type in ("date", "timestamp") and set(phrase(dimension.label)) & {"echeanc", "due"}:
                return f"{subject}.{name}"
        return None

    def _creation_or_activity(self, subject: str) -> str | None:
        """« les clients de 2025 »: who arrived then, or who did something then? Return the event picked, None for
        arrival.
        """
        events = [
            e for e, m in self.s.layer.entities.items()
            if not m.hidden and m.time and not self.s.k.is_master(e) and self.s.k.distance(e, subject) == 1
        ]  # fmt: skip
        if not events:
            return None
        model = self.s.layer.entities[subject]
        labels = {None: self.s.layer.dimension(f"{subject}.{model.time}").label}
        return self.s.choose(
            "arrival", [None, *events[:2]],
            lambda e: labels[None] if e is None else text("nl2sql.with_at_least_one", label=self.s.layer.entities[e].label),
            text("nl2sql.arrival_or_activity", label=model.plural or model.label),
        )  # fmt: skip

    # ── aggregates ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _base(self, *, apart: bool = False) -> list[PeriodMention]:
        if not apart and any(p.negated for p in self.draft.periods):
            raise NotSure(*(p.text for p in self.draft.periods if p.negated))
        base = self._to_date([p for p in self.draft.periods if not p.versus and not p.negated])
        today = CalendarPeriod(unit="day", offset=0)
        if self.draft.now or any(p.period == today for p in base):
            states = self.s.items and all(self._is_state(i) for i in self.s.items)
            if states:
                base = [p for p in base if p.period != today]
                self.s.note("as_of_now")
            elif self.draft.now and not any(p.period == today for p in base) and self.s.items and not base:
                raise NotSure(self.draft.now)
        return base

    def _to_date(self, base: list[PeriodMention]) -> list[PeriodMention]:
        """« YTD 2025 »: the same stretch of that year, not a stretch beside a year."""
        found: list[PeriodMention] = []
        for mention in base:
            last = found[-1] if found else None
            period = mention.period
            if (
                last is not None
                and mention.follows
                and isinstance(last.period, ToDate)
                and isinstance(period, CalendarPeriod)
                and period.unit == "year"
                and period.number is None
            ):
                years = self._start(last.period).year - self._start(period).year
                steps = {"year": 1, "semester": 2, "quarter": 4, "month": 12}.get(last.period.unit)
                if steps is None or years < 0:
                    raise NotSure(mention.text)
                moved = ToDate(unit=last.period.unit, offset=last.period.offset - years * steps)
                found[-1] = replace(last, period=moved, text=f"{last.text} {mention.text}")
            else:
                found.append(mention)
        return found

    def _is_state(self, item: MeasureItem) -> bool:
        if item.measure is not None and self.s.k.is_state(item.measure):
            return True
        roots = self.s.item_roots(item)
        counts = item.measure is None or self.s.k.is_count(item.measure)
        return counts and all(self.s.k.is_master(r) for r in roots)

    def decide(self, items: list[MeasureItem], dims: list[DimensionItem]) -> str | None:
        """Set period, comparison and the grain of a trend; return the time dimension when it is not each measure's own."""
        draft = self.draft
        base = self._base(apart=True)
        axis = self.s.time_axis(items)
        self._day_type(axis)
        base = of_each_year(same_year(base))
        gone = [p for p in self.draft.periods if p.negated]
        if gone and (len(base) != 1 or self.draft.related):
            raise NotSure(*(p.text for p in gone))
        if draft.related and base and any(r.period is None for r in self.s.related):
            for mention in base:
                self._relate(mention)
            base = []
        named = next((p.time for p in base if p.time is not None), None)
        time = self.s.named_time(named, items) if named is not None else None
        if base or draft.versus or any(p.versus for p in draft.periods) or draft.trend or draft.growth:
            for item in items:
                own = self.s.k.measure_time(item.measure) if item.measure else self.s.k.time_of(min(self.s.item_roots(item)))
                if own is None and time is None:
                    raise Missing("missing_time", self.s.item_label(item))
        if self.draft.new and any(d.grain is not None for d in dims):
            self._arrivals(items)
        if base and time is None:
            time = self._counted_time(items)
            if self.s.related and self._moved:
                base = []
        if len(base) > 2 and (whole := self._side_by_side(base, items, dims, time or axis)) is not None:
            self.period = whole
        else:
            self._compare(base, dims)
        if gone:
            self._leave_out(gone, items, time or axis)
        if self.period is not None:
            self._as_planned(items)
            self._not_ahead(items, time)
        self._trend(items, dims)
        grains = [d for d in dims if d.grain is not None]
        if time is not None:
            for i, d in enumerate(dims):
                if d in grains and d.field == axis:
                    dims[i] = d.model_copy(update={"field": time})
        return time

    _moved = False

    def _arrivals(self, items: list[MeasureItem]) -> None:
        """« nouveaux comptes par mois »: the rows by the date of their arrival."""
        time = self.s.layer.entities[self.subject].time if self.subject is not None else None
        counted = len(items) == 1 and (
            items[0].entity == self.subject or items[0].measure == self.s.k.row_count(self.subject or "")
        )
        if time is not None and counted and self.s.k.is_creation(f"{self.subject}.{time}"):
            self.s.new_placed = True

    def _counted_time(self, items: list[MeasureItem]) -> str | None:
        """Counting things over a period: those that arrived then, or those active then? Ask, unless it was said."""
        if self.subject is not None and len(items) == 1:
            item = items[0]
            own_time = self.s.layer.entities[self.subject].time
            counted = item.entity == self.subject or item.measure == self.s.k.row_count(self.subject)
            if self.draft.new and counted and own_time and self.s.k.is_creation(f"{self.subject}.{own_time}"):
                self.s.new_placed = True
            plain = item.entity == self.subject or item.measure == self.s.k.row_count(self.subject)
            model = self.s.layer.entities[self.subject]
            participle = self._participle_time(self.subject)
            if participle is not None:
                return participle
            if plain and self.s.k.is_master(self.subject) and model.time is not None and not self.draft.new:
                event = self._creation_or_activity(self.subject)
                if event is not None:
                    self.s.related.append(Related(entity=event, period=self._base()[0].period))
                    self._moved = True
        else:
            for item in items if len(items) > 1 and not self.draft.new else ():
                root = min(self.s.item_roots(item))
                rows = item.entity == root or (item.measure is not None and item.measure == self.s.k.row_count(root))
                if rows and self.s.k.is_master(root) and self.s.layer.entities[root].time is not None:
                    # « combien de clients en mai et quel CA »: who came then, or who bought then? One thing at a time.
                    raise NotSure(self.s.item_label(item))
            for item in items:
                for root in self.s.item_roots(item):
                    event_time = self.s.k.time_of(root)
                    if (
                        event_time is not None
                        and (participle := self._participle_time(event_time.partition(".")[0])) is not None
                    ):
                        return None if participle == event_time else participle
        return None

    def _compare(self, base: list[PeriodMention], dims: list[DimensionItem]) -> None:
        draft = self.draft
        versus = [p for p in draft.periods if p.versus]
        periods = [p.period for p in base]
        grain = next((d.grain for d in dims if d.grain is not None), None)
        if len(periods) == 2 and not versus:
            first, second = periods
            if draft.versus is not None:
                raise NotSure(base[1].text)
            later, earlier = (first, second) if self._start(first) >= self._start(second) else (second, first)
            if grain is not None and not (draft.compare or draft.growth) and self._follows_on(earlier, later):
                # « par semaine sur avril et mai »: one stretch, along which the weeks go.
                self.period = Between(start=self._start(earlier), end=self._end(later))
                return
            if (
                grain is not None
                and grain in ("month", "quarter", "week", "semester", "day")
                and isinstance(later, CalendarPeriod)
                and later.unit == "year"
            ):
                self._span(earlier, later, base)
                if draft.growth:
                    self.comparison = Comparison(kind="previous_period")
                return
            self.period = later
            self.comparison = self._with_period(earlier, grain)
            return
        if len(periods) > 1 or len(versus) > 1:
            raise NotSure(*(p.text for p in draft.periods))
        self.period = periods[0] if periods else self.inherited
        kind = draft.versus
        if versus:
            other = versus[0].period
            if draft.same_period and isinstance(other, CalendarPeriod) and other.unit == "year" and self.period is not None:
                # « vs même période 2025 »
                named = other.year or self._start(other).year
                if self._start(self.period).year - named == 1:
                    self.comparison = Comparison(kind="previous_year")
                    return
                raise NotSure(versus[0].text)
            relative = self._relative_to_base(other)
            if relative is not None:
                self.comparison = Comparison(kind=relative)
                return
            if self.period is None and isinstance(other, CalendarPeriod) and other.offset == -1:
                kind = "previous_year" if other.unit == "year" else "previous_period"
                if other.unit in _OFFSETS:
                    self.period = CalendarPeriod(unit=other.unit, offset=0)
            elif other == _LAST_YEAR and (grain is not None or not _is_year(self.period)):
                kind = "previous_year"
            elif isinstance(other, ToDate) and other.offset == -1:
                kind = "previous_year"
                self.period = self.period or ToDate(unit=other.unit)
            elif (
                isinstance(other, CalendarPeriod)
                and other.offset == -1
                and isinstance(self.period, CalendarPeriod)
                and self.period.offset == 0
                and self.period.unit == other.unit
            ):
                kind = "previous_year" if other.unit == "year" else "previous_period"
            elif self.period is None:
                raise NotSure(versus[0].text)
            else:
                self.comparison = self._with_period(other, grain)
                return
        apart = draft.trend and bool(dims) and _two_years(self.period)  # « évolution entre 2024 et 2025 par région »
        if kind is None and (draft.growth or draft.compare or apart) and grain is None and self.period is not None:
            self._split(self.period)
            if self.comparison is not None:
                return
        if kind is None and draft.growth and not (draft.compare and self.s.dims):
            kind = self._growth_kind(grain)
        if kind is None:
            if draft.compare and not dims and len(self.s.items) < 2:
                raise NotSure(text("nl2sql.comparison"))
            return
        if self.period is None and (grain is None or (kind == "previous_year" and grain in ("month", *_OFFSETS))):
            self.period = _THIS_YEAR
            self.s.note("assumed_period")
        self.comparison = Comparison(kind=kind)

    def _one_axis(self, items: list[MeasureItem], axis: str | None) -> bool:
        """Tell whether one date dates everything that is measured."""
        own = {
            self.s.k.measure_time(i.measure) if i.measure else self.s.k.time_of(min(self.s.item_roots(i))) for i in items
        }  # fmt: skip
        return axis is not None and bool(items) and (own == {axis} or len(items) == 1)

    def _side_by_side(
        self, base: list[PeriodMention], items: list[MeasureItem], dims: list[DimensionItem], axis: str | None
    ) -> Period | None:
        """« CA en 2023, 2024 et 2025 », « de mai 2024, mai 2025 et mai 2026 »: each of them in a row."""
        draft, periods = self.draft, [p.period for p in base]
        units = {p.unit for p in periods if isinstance(p, CalendarPeriod) and p.count == 1}
        plain = all(isinstance(p, CalendarPeriod) for p in periods) and len(units) == 1
        if not plain or draft.growth or draft.compare or draft.versus or any(p.versus for p in draft.periods):
            return None
        unit = next(iter(units))
        if unit == "fiscal_year" or unit == "fiscal_quarter" or not all(p.listed for p in base[1:]):
            return None
        spans = sorted((self._start(p), self._end(p)) for p in periods)
        if len(set(spans)) != len(spans) or axis is None or not self._one_axis(items, axis):
            return None
        grains = [d for d in dims if d.grain is not None]
        if len(grains) > 1 or (
            grains and grains[0].grain in ("month_of_year", "day_of_week", "day_of_month", "hour_of_day")
        ):
            return None
        if not grains:
            dims.insert(0, self.s.time_group(unit, items))
        if any(b[0] - a[1] != timedelta(days=1) for a, b in pairwise(spans)):
            via = self.s.via_from(items, None, axis)
            self.s.either.append(tuple(Filter(field=axis, op="between", values=span, via=via) for span in spans))
        return Between(start=spans[0][0], end=spans[-1][1])

    def _leave_out(self, gone: list[PeriodMention], items: list[MeasureItem], axis: str | None) -> None:
        """« CA 2025 hors décembre »: the days of the period that are not those."""
        if self.period is None or self.comparison is not None or not self._one_axis(items, axis) or axis is None:
            raise NotSure(*(p.text for p in gone))
        start, end = self._start(self.period), self._end(self.period)
        via = self.s.via_from(items, None, axis)
        for mention in gone:
            period = mention.period
            named = isinstance(period, CalendarPeriod) and period.number is not None
            if named and isinstance(period, CalendarPeriod) and period.year is None and period.year_offset is None:
                period = period.model_copy(update={"year": start.year}) if start.year == end.year else period
            first, last = self._start(period), self._end(period)
            if first < start or last > end or (first, last) == (start, end):
                raise NotSure(mention.text)
            self.s.either.append(
                (
                    Filter(field=axis, op="lt", values=(first,), via=via),
                    Filter(field=axis, op="gt", values=(last,), via=via),
                )
            )

    def _as_planned(self, items: list[MeasureItem]) -> None:
        """« objectif de juillet », asked in June: a plan looks ahead, so this year's, though July of last year is over."""
        period, today = self.period, self.s.today
        if not isinstance(period, CalendarPeriod) or period.number is None or period.year or period.year_offset is not None:
            return
        if not items or not all(set(phrase(self.s.item_label(i))) & _PLANNED for i in items):
            return
        if any(i.measure is not None and self.s.layer.measure(i.measure).formula is not None for i in items):
            return
        if self._start(period).year == today.year - 1 and self.comparison is None:
            self.period = period.model_copy(update={"year": today.year})

    def _with_period(self, other: Period, grain: Grain | None) -> Comparison:
        """Compare with another period; along a time axis only the year before can stand beside each row."""
        assert self.period is not None
        if isinstance(self.period, ToDate) and isinstance(other, CalendarPeriod) and other.unit == "year":
            # « cumul annuel vs 2025 »: what is not over is compared with the same stretch, never with a whole year.
            years = self._start(self.period).year - self._start(other).year
            if years == 1:
                return Comparison(kind="previous_year")
            if self.period.unit != "year" or years < 1 or grain is not None:
                raise NotSure(text("nl2sql.comparison"))
            return Comparison(kind="period", period=ToDate(unit="year", offset=self.period.offset - years))
        if grain is None:
            return Comparison(kind="period", period=other)
        mine, theirs = self._start(self.period), self._start(other)
        if type(other) is type(self.period) and (mine.year - theirs.year, mine.month, mine.day) == (
            1,
            theirs.month,
            theirs.day,
        ):
            return Comparison(kind="previous_year")
        raise NotSure(text("nl2sql.comparison"))

    def _relative_to_base(self, other: Period) -> Literal["previous_period", "previous_year", None]:
        """« mai 2026 vs mois précédent »: the month before May, not before today."""
        base = self.period
        if (
            not isinstance(other, CalendarPeriod)
            or other.offset != -1
            or not isinstance(base, CalendarPeriod)
            or base.offset is not None
        ):
            return None
        if other.unit == base.unit:
            return "previous_year" if base.unit == "year" else "previous_period"
        return "previous_year" if other.unit == "year" else None

    def _split(self, period: Period) -> None:
        """« croissance entre 2024 et 2025 »: the second against the first."""
        if not isinstance(period, Between) or period.start is None or period.end is None:
            return
        start, end = period.start, period.end
        whole_months = start.day == 1 and (end + timedelta(days=1)).day == 1
        if not whole_months or (start.year, start.month) == (end.year, end.month):
            return
        if (start.month, end.month) == (1, 12):
            if start.year == end.year:
                return
            self.period, other = CalendarPeriod(unit="year", year=end.year), CalendarPeriod(unit="year", year=start.year)
        else:
            self.period = CalendarPeriod(unit="month", number=end.month, year=end.year)
            year = start.year
            said = " ".join(p.text for p in self.draft.periods)
            if start.year < end.year and str(start.year) not in said and date(end.year, start.month, 1) <= self.s.today:
                year = end.year  # « écart entre mai et avril »: of the same year, though a stretch would begin a year before
            other = CalendarPeriod(unit="month", number=start.month, year=year)
            if year == end.year and start.month > end.month:
                self.period, other = other, CalendarPeriod(unit="month", number=end.month, year=end.year)
        self.comparison = Comparison(kind="period", period=other)

    def _span(self, earlier: Period, later: Period, base: list[PeriodMention]) -> None:
        start, end = self._start(earlier), self._start(later)
        self.period = Between(start=start, end=date(end.year, 12, 31))
        if end.year - start.year != 1:
            raise NotSure(*(p.text for p in base))

    def _start(self, period: Period) -> date:
        from datapilot_kernel.plan.periods import resolve

        return resolve(period, today=self.s.today, calendar=self.s.layer.calendar).start or date.min

    def _end(self, period: Period) -> date:
        """Return the last day."""
        from datapilot_kernel.plan.periods import resolve

        end = resolve(period, today=self.s.today, calendar=self.s.layer.calendar).end
        return end - timedelta(days=1) if end is not None else date.max

    def _follows_on(self, earlier: Period, later: Period) -> bool:
        """Tell whether one period ends where the other begins."""
        if not isinstance(earlier, CalendarPeriod) or not isinstance(later, CalendarPeriod) or earlier.unit != later.unit:
            return False
        if earlier.unit == "year":
            return False
        return self._end(earlier) != date.max and self._end(earlier) + timedelta(days=1) == self._start(later)

    def _growth_kind(self, grain: Grain | None):  # type: ignore[no-untyped-def]
        if grain is not None:
            return "previous_period"
        period = self.period
        if period is None:
            return "previous_year"
        if _is_year(period) or isinstance(period, ToDate):
            return "previous_year"
        if isinstance(period, CalendarPeriod):
            return self.s.choose(
                "growth",
                ["previous_period", "previous_year"],
                lambda k: text(f"nl2sql.against_{k}"),
                text("nl2sql.which_growth"),
            )
        return "previous_period"

    def _trend(self, items: list[MeasureItem], dims: list[DimensionItem]) -> None:
        if not self.draft.trend or self.comparison is not None or any(d.grain for d in dims):
            return
        grain: Grain = "month"
        period = self.period
        if (
            (isinstance(period, CalendarPeriod) and period.unit in ("month", "week"))
            or (
                isinstance(period, LastPeriod)
                and period.unit in ("day", "week", "working_day")
                and period.count <= (62 if period.unit == "day" else 8)
            )
            or (isinstance(period, Between) and period.start and period.end and (period.end - period.start).days <= 62)
        ):
            grain = "day"
        dims.insert(0, self.s.time_group(grain, items))

    def _day_type(self, axis: str | None) -> None:
        kind = self.draft.day_type
        if kind is None:
            return
        if axis is None:
            raise Missing("missing_time", "")
        self.s.filters_out.append(Filter(field=axis, op="day_type", values=(kind,)))
        if self.draft.day_type_negated:
            raise NotSure(self.draft.day_text)

    def _not_ahead(self, items: list[MeasureItem], time: str | None) -> None:
        """The data ends today: what is asked of a time to come is a forecast, but for plans and due dates."""
        period = self.period
        ahead = isinstance(period, LastPeriod) and period.next
        if isinstance(period, CalendarPeriod):
            ahead = (period.offset or 0) > 0 or (period.year or 0) > self.s.today.year
        if isinstance(period, Between) and period.start is not None:
            ahead = period.start > self.s.today
        if not ahead:
            return
        labels = [self.s.item_label(i) for i in items] + ([self.s.layer.dimension(time).label] if time else [])
        if not any(set(phrase(label)) & _PLANNED for label in labels):
            raise Missing("forecast", labels[0] if labels else "")


def _two_years(period: Period | None) -> bool:
    """Tell whether a stretch is two whole years, the second just after the first."""
    if not isinstance(period, Between) or period.start is None or period.end is None:
        return False
    whole = (period.start.month, period.start.day, period.end.month, period.end.day) == (1, 1, 12, 31)
    return whole and period.end.year - period.start.year == 1


def _is_year(period: Period | None) -> bool:
    return isinstance(period, CalendarPeriod) and period.unit in ("year", "fiscal_year")


def of_each_year(base: list[PeriodMention]) -> list[PeriodMention]:
    """« mai en 2024, 2025 et 2026 », « T1 2025 et 2026 »: that part of each of these years."""
    first = base[0].period if base else None
    if len(base) < 2 or not isinstance(first, CalendarPeriod) or first.number is None or first.year_offset is not None:
        return base
    years = [p.period for p in base[1:]]
    if first.unit not in ("month", "quarter", "semester", "week") or any(p.time is not None for p in base[1:]):
        return base
    if not all(isinstance(y, CalendarPeriod) and y.unit == "year" and y.year and y.number is None for y in years):
        return base
    whole = first.year is not None
    joined = base[1:] if whole else base[2:]
    if not (whole or base[1].follows) or not all(p.listed for p in joined):
        return base
    made = [replace(m, period=first.model_copy(update={"year": m.period.year}), listed=True) for m in base[1:]]  # type: ignore[union-attr]
    return [base[0], *made] if whole else made


def same_year(base: list[PeriodMention]) -> list[PeriodMention]:
    """« au T1, T2 et T3 2025 »: the year said last is the year of all that are listed before it, in their order."""
    out = list(base)
    for i in range(len(out) - 2, -1, -1):
        one, after = out[i].period, out[i + 1].period
        if not out[i + 1].listed or not isinstance(one, CalendarPeriod) or not isinstance(after, CalendarPeriod):
            continue
        if one.unit != after.unit or one.year or after.year is None or one.year_offset is not None:
            continue
        if one.number is not None and after.number is not None and one.number < after.number:
            out[i] = replace(out[i], period=one.model_copy(update={"year": after.year}))
    return out
