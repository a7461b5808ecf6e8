"""The plan: a question understood, as data. The one intermediate form between understanding and SQL.

Both engines produce it, a person edits it through the chips of the reading, the compiler alone turns it into SQL. It is
symbolic: « le mois dernier » stays « le mois dernier » (a plan that somebody approved in May answers for June in July).
References are ``entity.name`` of the semantic layer. JSON round-trips without loss.

Two kinds. ``aggregate`` groups by ``dimensions`` and computes ``measures``. ``rows`` lists rows of ``entity`` with
``columns``. A grouped result may be folded once more by ``rollup`` (« combien de clients ont plus de 3 commandes »).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from datapilot_kernel.semantic.model import Name, Ref

DAY_TYPES = (
    "working", "weekend", "holiday", "not_weekend",
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)  # fmt: skip
"""What ``day_type`` takes."""

Alias = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$", max_length=63)]
Unit = Literal["day", "week", "month", "quarter", "semester", "year", "fiscal_year", "fiscal_quarter"]
Grain = Literal[
    "day", "week", "month", "quarter", "semester", "year", "fiscal_year", "fiscal_quarter",
    "hour_of_day", "day_of_week", "day_of_month", "month_of_year", "quarter_of_year",
]  # fmt: skip
"""``month`` separates March 2025 from March 2026; ``month_of_year`` does not (« quel jour de la semaine… »)."""

Value = str | int | Decimal | date | bool
Operator = Literal[
    "eq", "ne", "in", "not_in", "lt", "le", "gt", "ge", "between", "contains", "not_contains", "starts_with",
    "ends_with", "is_null", "not_null", "older_than", "within_last", "day_type",
]  # fmt: skip


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# ── periods ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Between(_Model):
    """From ``start`` to ``end``, both included; None: open on that side."""

    kind: Literal["between"] = "between"
    start: date | None = None
    end: date | None = None


class CalendarPeriod(_Model):
    """One whole unit of the calendar.

    ``offset`` counts from the current one (``month``, -1: last month). ``number`` picks one within a year: month 1-12,
    ISO week 1-53, quarter 1-4, semester 1-2 (fiscal ones within the fiscal year); its ``year`` None means the latest
    that has begun. A ``year`` alone with unit ``year`` or ``fiscal_year`` is that year. ``year_offset`` (« mai de l'an
    dernier ») counts years from the current one in place of ``year``. Of ``day``, ``number`` is not used: a single date
    is a ``between``.
    """

    kind: Literal["calendar"] = "calendar"
    unit: Unit
    offset: int | None = None
    number: int | None = Field(default=None, ge=1, le=53)
    year: int | None = Field(default=None, ge=1900, le=2200)
    year_offset: int | None = None
    count: int = Field(default=1, ge=1, le=400, description="This many units in a row, the named one being the first")


class LastPeriod(_Model):
    """The last ``count`` units.

    ``complete``: whole calendar units before the current one (« les 3 derniers mois »). Not complete: sliding, up to and
    including today (« sur 12 mois glissants », « depuis 30 jours »). ``next``: ahead instead of behind.
    ``working_day`` skips week-ends and holidays.
    """

    kind: Literal["last"] = "last"
    count: int = Field(ge=1, le=4000)
    unit: Unit | Literal["working_day"]
    complete: bool = True
    next: bool = False


class ToDate(_Model):
    """From the start of the unit to today (« depuis le début de l'année »); ``offset`` -1: the same stretch one earlier."""

    kind: Literal["to_date"] = "to_date"
    unit: Unit
    offset: int = Field(default=0, le=0, description="In units: -1 with unit year is « N-1 à date »")


class AllTime(_Model):
    """No limit in time, said explicitly (« depuis toujours »)."""

    kind: Literal["all"] = "all"


Period = Annotated[Between | CalendarPeriod | LastPeriod | ToDate | AllTime, Field(discriminator="kind")]


# ── parts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


class RelativeTime(_Model):
    """A span counted back from today, for ``older_than`` and ``within_last``: ``{count: 30, unit: day}``."""

    count: int = Field(ge=0, le=4000)
    unit: Literal["day", "week", "month", "year"] = "day"


class Filter(_Model):
    """A condition on one dimension.

    ``values`` has 0 (``is_null``…), 1, 2 (``between``, both included) or more (``in``) values as stored in the database.
    ``ne``, ``not_in`` and ``not_contains`` keep rows whose value is NULL: « hors Lyon » keeps who has no city.
    ``older_than``/``within_last`` take ``span``. ``day_type`` takes ``working``, ``weekend``, ``holiday``,
    ``not_weekend``, or a day of the week (``monday`` … ``sunday``).
    ``typed`` is what the person typed for each value, where it was matched loosely (shown in the reading).
    """

    field: Ref
    op: Operator = "eq"
    values: tuple[Value, ...] = ()
    span: RelativeTime | None = None
    typed: tuple[str, ...] = ()
    via: tuple[Name, ...] = Field(default=(), description="Names of joins, when there is more than one way")


class Related(_Model):
    """Rows that have (or, ``negated``, have not) related rows: « clients sans commande depuis 6 mois ».

    Counts rows of ``entity`` that point at the listed or grouped one, within ``period`` on ``time`` (None: the
    entity's), passing ``filters``; ``op`` and ``value`` compare that count (default: at least 1). ``of`` names the
    entity pointed at where it is neither listed nor counted (« le CA des clients sans retour »: clients); None: the
    listed or counted one, else one that is grouped by, else the nearest that both point at.
    """

    entity: Name
    negated: bool = False
    period: Period | None = None
    time: Ref | None = None
    filters: tuple[Filter, ...] = ()
    op: Literal["lt", "le", "gt", "ge", "eq"] = "ge"
    value: int = 1
    via: tuple[Name, ...] = ()
    of: Name | None = None


class MeasureItem(_Model):
    """A column computed: a measure of the layer, or an ``aggregate`` over a ``field`` (or over the rows of ``entity``).

    ``filters`` narrow this measure alone; with ``minus`` what it is under those is taken away (« écart entre Lyon et
    Paris »). ``transform``: ``share`` of the total (of each value of the dimension whose
    alias is ``within``, when given), ``running_total`` along the time dimension, ``rank``.
    """

    alias: Alias
    measure: Ref | None = None
    aggregate: Literal["count", "count_distinct", "sum", "avg", "min", "max", "median"] | None = None
    field: Ref | None = None
    entity: Name | None = None
    filters: tuple[Filter, ...] = ()
    minus: tuple[Filter, ...] = ()
    transform: Literal["share", "running_total", "rank"] | None = None
    within: Alias | None = None
    label: str | None = Field(default=None, description="None: the measure's")
    hidden: bool = Field(default=False, description="Only for order or conditions: not in the result")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.measure is None) == (self.aggregate is None):
            raise ValueError("either a measure or an aggregate")
        if self.aggregate is not None and (self.field is None) == (self.entity is None):
            raise ValueError("an aggregate is over a field, or (count) over the rows of an entity")
        if self.minus and (not self.filters or self.transform is not None):
            raise ValueError("a difference is between two parts, and nothing more")
        return self


class DimensionItem(_Model):
    """A column grouped by. ``grain`` for time dimensions; ``bins`` cuts a number at these bounds (distribution)."""

    alias: Alias
    field: Ref
    grain: Grain | None = None
    bins: tuple[Decimal, ...] = ()
    via: tuple[Name, ...] = ()
    label: str | None = None


class ColumnItem(_Model):
    """A column of a ``rows`` plan."""

    alias: Alias
    field: Ref
    via: tuple[Name, ...] = ()
    label: str | None = None


Part = Literal["value", "previous", "difference", "growth"]
"""Of a measure that is compared: itself, its value then, the difference, the growth rate."""


class Having(_Model):
    """A condition on a computed column (a measure's alias); ``part`` of a comparison (« les régions en baisse »)."""

    measure: Alias
    part: Part = "value"
    op: Literal["eq", "ne", "lt", "le", "gt", "ge", "between"]
    values: tuple[int | Decimal, ...] = Field(min_length=1, max_length=2)


class Order(_Model):
    """``by`` is an alias of a measure, a dimension or a column; ``part`` of a comparison (« ont le plus progressé »)."""

    by: Alias
    descending: bool = True
    part: Part = "value"


class Comparison(_Model):
    """Beside each measure, its value in another period, the difference and the growth rate.

    ``previous_period``: the stretch of equal length just before (the unit before, for whole units). ``previous_year``:
    the same stretch a year earlier (to date when the period is to date or not over). ``period``: the one given.
    With a time dimension of grain day … year, each row is compared with its predecessor (``previous_period``) or the
    same unit a year before.
    """

    kind: Literal["previous_period", "previous_year", "period"]
    period: Period | None = None
    show: tuple[Literal["value", "difference", "growth"], ...] = ("value", "difference", "growth")

    @model_validator(mode="after")
    def _period_given(self) -> Self:
        if (self.kind == "period") != (self.period is not None):
            raise ValueError("a comparison with a period gives it, and only that one")
        return self


class Rollup(_Model):
    """Fold the grouped rows once more: ``count`` them, or aggregate ``measure`` over them."""

    function: Literal["count", "sum", "avg", "min", "max", "median"]
    measure: Alias | None = None
    label: str | None = None


class Plan(_Model):
    """A question understood.

    Attributes
    ----------
    period, time
        The period, and the time dimension it limits; ``time`` None: each measure's own (or the listed entity's).
    limit, limit_per
        At most this many rows, for each value of the dimension ``limit_per`` when given (« top 3 par région »).
        None: no limit but the guard's.
    ties
        True: rows equal to the last one kept are kept too (« le meilleur vendeur » may be two).
    """

    version: Literal[1] = 1
    kind: Literal["aggregate", "rows"] = "aggregate"
    entity: Name | None = Field(default=None, description="rows: what is listed; aggregate: None")
    measures: tuple[MeasureItem, ...] = ()
    dimensions: tuple[DimensionItem, ...] = ()
    columns: tuple[ColumnItem, ...] = ()
    distinct: bool = Field(default=False, description="rows: each combination once (« quelles villes… »)")
    filters: tuple[Filter, ...] = ()
    any_of: tuple[tuple[Filter, ...], ...] = Field(default=(), description="Each group: at least one holds")
    related: tuple[Related, ...] = ()
    having: tuple[Having, ...] = ()
    period: Period | None = None
    time: Ref | None = None
    comparison: Comparison | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = Field(default=None, ge=1, le=100_000)
    limit_per: Alias | None = None
    ties: bool = False
    rollup: Rollup | None = None
    ignored_defaults: tuple[Name, ...] = Field(default=(), description="Entities whose default filters are left out")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == "rows" and (self.entity is None or self.measures or self.dimensions):
            raise ValueError("a list of rows names its entity, and has columns only")
        if self.kind == "aggregate" and (self.columns or not (self.measures or self.dimensions)):
            raise ValueError("an aggregate has measures or dimensions, and no columns")
        aliases = [m.alias for m in self.measures] + [d.alias for d in self.dimensions] + [c.alias for c in self.columns]
        if len(set(aliases)) != len(aliases):
            raise ValueError("two columns have the same alias")
        known = set(aliases)
        used = [o.by for o in self.order] + [h.measure for h in self.having]
        used += [self.limit_per] if self.limit_per else []
        for alias in used:
            if alias not in known:
                raise ValueError(f"unknown alias {alias!r}")
        return self
