"""What a question says, before anything is decided: mentions in slots. The reader fills it, the builder makes a plan of
it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from datapilot_kernel.nl2sql.local.changes import Change
from datapilot_kernel.nl2sql.local.lexicon import Option
from datapilot_kernel.plan.model import Grain, Period

Aggregate = Literal["count_distinct", "sum", "avg", "min", "max", "median"]
Unit = Literal["day", "week", "month", "year"]


@dataclass
class Mention:
    """A phrase of the layer in a role. ``text`` is what was typed."""

    options: tuple[Option, ...]
    text: str
    start: int = 0

    def of(self, *kinds: str) -> tuple[Option, ...]:
        """Return its options of these kinds."""
        return tuple(o for o in self.options if o.kind in kinds)


@dataclass
class MeasureMention(Mention):
    """A measure (or a column, or rows) asked for, perhaps aggregated in a way that was said.

    ``beside``: shown with what is ranked, never what it is ranked by (« top 5 des clients avec leur marge »).
    """

    aggregate: Aggregate | None = None
    count: bool = False
    tax: Literal["net_of_tax", "with_tax", None] = None
    beside: bool = False


@dataclass
class Group:
    """Grouped by a phrase of the layer, or by a grain of time."""

    mention: Mention | None = None
    grain: Grain | None = None


@dataclass
class ValueMention(Mention):
    """A stored value. ``named``: the dimension or entity named just before (« ville Paris », « clients de Paris »)."""

    negated: bool = False
    named: tuple[Option, ...] = ()
    named_text: str = ""
    named_start: int = -1
    end: int = 0
    joined_by: Literal["and", "or", ""] = ""


@dataclass
class TextCondition:
    """Text that a dimension contains or begins with."""

    op: Literal["contains", "starts_with", "not_contains"]
    text: str
    target: Mention | None = None


@dataclass
class Condition:
    """A comparison with numbers. ``target`` is what is compared; ``unit`` a unit of time after the
    number; ``against``: of one measure with another (« sous l'objectif »).
    """

    op: Literal["eq", "ne", "lt", "le", "gt", "ge", "between"]
    numbers: tuple[Decimal, ...]
    target: Mention | None = None
    money: bool = False
    percent: bool = False
    unit: Unit | None = None
    minutes: int | None = None
    text: str = ""
    owner: Mention | None = None
    doing: RelatedMention | None = None
    against: bool = False


@dataclass
class RelatedMention(Mention):
    """Rows that have, or have not, rows of something else."""

    negated: bool = False
    period: Period | None = None
    ways: tuple[str, ...] = ()
    active: bool = False


@dataclass
class Presence:
    """A column that is filled, or empty."""

    mention: Mention
    empty: bool


@dataclass
class Rank:
    """The first or last so many. ``by``: what they are ranked by; None: what is measured. ``time``: by date; ``whole``:
    all of them, in that order (« classement des magasins »).
    """

    count: int | None = None
    descending: bool = True
    by: MeasureMention | None = None
    nouns: tuple[str, ...] = ()
    time: bool = False
    plural: bool = True
    text: str = ""
    doing: RelatedMention | None = None
    whole: bool = False
    change: Change | None = None


@dataclass
class PeriodMention:
    """A period; ``versus`` when it is what another is compared with; ``time`` the time dimension named with it.

    ``follows``: it stands right after another; ``listed``: joined to the one before by « et », « ou » or a comma.
    """

    period: Period
    text: str
    versus: bool = False
    negated: bool = False
    time: Mention | None = None
    start: int = 0
    follows: bool = False
    listed: bool = False
    end: int = 0


@dataclass
class Draft:
    """Everything a question says."""

    measures: list[MeasureMention] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    subjects: list[Mention] = field(default_factory=list)
    values: list[ValueMention] = field(default_factory=list)
    texts: list[TextCondition] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    related: list[RelatedMention] = field(default_factory=list)
    presences: list[Presence] = field(default_factory=list)
    periods: list[PeriodMention] = field(default_factory=list)
    ways: list[str] = field(default_factory=list)
    units: list[Grain] = field(default_factory=list)
    rank: Rank | None = None
    head: Mention | None = None
    head_unit: Grain | None = None
    head_plural: bool = True
    count: bool = False
    count_of: bool = False
    distinct: bool = False
    aggregate: Aggregate | None = None
    sum: bool = False
    figures: bool = False
    share: bool = False
    rate: str = ""
    spread: bool = False
    trend: bool = False
    growth: bool = False
    change: Change | None = None
    change_text: str = ""
    cumul: bool = False
    compare: bool = False
    together: bool = False
    gap: bool = False
    adding: bool = False
    instead: list[Mention] = field(default_factory=list)
    versus: Literal["previous_year", "previous_period", None] = None
    day_type: str | None = None
    day_text: str = ""
    day_type_negated: bool = False
    listed: bool = False
    which: bool = False
    pointing: bool = False
    when: bool = False
    new: bool = False
    sort: bool = False
    sort_by: int | None = None
    alphabetical: bool = False
    ascending: bool | None = None
    only: bool = False
    again: bool = False
    again_first: bool = False
    remove_filter: bool = False
    all: bool = False
    extremes: bool = False
    included: list[Mention] = field(default_factory=list)
    actual: bool = False
    now: str = ""
    tax: Literal["net_of_tax", "with_tax", None] = None
    amount: bool = False
    same_period: bool = False
    impossible: str = ""
    of_rows: int | None = None
    unexplained: list[str] = field(default_factory=list)
