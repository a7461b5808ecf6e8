"""The semantic layer: what the tenant says its source means. The published format (YAML or JSON), version 1.

Vocabulary. An *entity* is a table with a meaning (« commande »). A *dimension* is something one groups or filters by; a
date or timestamp dimension is a *time dimension*. A *measure* is something one counts or sums; it is either an aggregate
over the columns of its own entity (``expression``) or arithmetic over other measures (``formula``). A *join* leads from
the many side to the one side. References are ``entity.name`` everywhere.

SQL fragments (``expression``, ``filter``, ``row_filter``, ``default_filters``) name columns of the entity's own table
without a qualifier and are written in ``sql_dialect``; the compiler transpiles them, so one layer serves the same tables
in PostgreSQL, MySQL and files. They pass the guard like everything else.

Rejected: measures across tables by SQL (they fan out; a ``formula`` over measures, each aggregated on its own, cannot);
many-to-many joins (same reason).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$", max_length=63)]
"""A short name: lower case, digits, underscore."""

Ref = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$")]
"""``entity.name``."""

DimensionType = Literal["text", "number", "boolean", "date", "timestamp"]
FormatKind = Literal["integer", "decimal", "currency", "percent", "days", "hours", "text", "date", "datetime", "year"]
Additivity = Literal["additive", "semi_additive", "non_additive"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Format(_Model):
    """How a value is written for people. ``percent`` shows 0.125 as 12,5 %. ``decimals`` None: the kind's usual."""

    kind: FormatKind
    decimals: int | None = Field(default=None, ge=0, le=6)
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$", description="None: the layer's currency")
    unit: str | None = Field(default=None, description="Written after the number: « pièces », « kg »")


class Calendar(_Model):
    """How this company counts time.

    ``fiscal_year_start`` is a month (1: the calendar year). ``fiscal_year_named_by`` says which civil year names a
    fiscal year that spans two: « exercice 2025 » ends in 2025 (``end``, the French habit) or starts in it (``start``).
    """

    timezone: str = "Europe/Paris"
    fiscal_year_start: int = Field(default=1, ge=1, le=12)
    fiscal_year_named_by: Literal["start", "end"] = "end"
    week_start: Literal["monday", "sunday"] = "monday"
    holidays: Literal["FR", "FR-57", "none"] = Field(default="FR", description="FR-57: Alsace-Moselle, with its two more")
    worked_saturday: bool = Field(default=False, description="True: jours ouvrables (Monday to Saturday)")


class Dimension(_Model):
    """Something one groups or filters by: exactly one of ``column`` and ``expression``.

    ``values`` maps a stored value to what people call it, the first being its label: ``EXP: [expédiée, envoyée]``.
    ``personal`` values are never listed, indexed or suggested.
    """

    column: str | None = None
    expression: str | None = None
    type: DimensionType = "text"
    label: str
    plural: str | None = None
    synonyms: tuple[str, ...] = ()
    description: str | None = None
    format: Format | None = None
    values: dict[str, tuple[str, ...]] = {}
    personal: bool = False
    hidden: bool = Field(default=False, description="Technical: usable by joins and measures, not offered to people")
    zoned: bool = Field(default=False, description="A timestamp stored with its time zone (timestamptz): an instant")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.column is None) == (self.expression is None):
            raise ValueError("a dimension has either a column or an expression")
        return self


class Measure(_Model):
    """Something one counts or sums: exactly one of ``expression`` and ``formula``.

    Attributes
    ----------
    expression
        Aggregates over columns of the entity's own table: ``SUM(montant_ht)``.
    formula
        Arithmetic over measures in braces, own ones by bare name: ``{ca} / {nb_commandes}``; a division by zero is
        NULL.
    filter
        Rows the expression looks at: ``statut <> 'ANN'``.
    unfiltered
        Looks at every row, those too that the entity's default filters (and those of the event that dates it) leave out: a
        rate of cancellation counts the cancelled orders. Conditions of the question still hold.
    time
        The entity's time dimension that dates this measure; None: the entity's.
    additivity
        ``semi_additive``: adds up over everything but time, where the last value of the period counts (a stock).
    finer
        The measure that is the same quantity one grain finer (the amount of the lines, for the amount of the orders):
        taken in this one's place when a dimension or filter asked for can be reached from there only (« CA par produit »).
    """

    expression: str | None = None
    formula: str | None = None
    filter: str | None = None
    unfiltered: bool = False
    label: str
    plural: str | None = None
    synonyms: tuple[str, ...] = ()
    description: str | None = None
    format: Format = Format(kind="decimal")
    additivity: Additivity = "additive"
    time: Name | None = None
    finer: Ref | None = None
    lower_is_better: bool = False
    hidden: bool = False

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.expression is None) == (self.formula is None):
            raise ValueError("a measure has either an expression or a formula")
        if self.formula is not None and self.filter is not None:
            raise ValueError("a formula has no filter of its own: filter the measures it is made of")
        if self.formula is not None and self.unfiltered:
            raise ValueError("a formula has no rows of its own: say unfiltered of the measures it is made of")
        return self


class Entity(_Model):
    """A table with a meaning.

    Attributes
    ----------
    table
        ``schema.table`` or ``table`` (in the source's default schema), in the database's own spelling.
    key
        Columns of the primary key (names of columns, not of dimensions).
    name_dimension
        The dimension that names one row to a person (« Durand SA »), used when somebody asks « par client ».
    time
        The time dimension that dates a row by default.
    default_filters
        Conditions always applied when rows of this entity are counted, listed or measured, unless the question asks for
        what they exclude.
    row_filter
        Which rows a person sees: SQL with ``{attribute}``, bound as values by the guard. Empty of effect on joins.
    masked
        Columns shown as empty and usable in nothing.
    """

    table: str
    label: str
    plural: str | None = None
    gender: Literal["f", "m"] | None = Field(default=None, description="Of the label, in French")
    synonyms: tuple[str, ...] = ()
    description: str | None = None
    key: tuple[str, ...] = ()
    name_dimension: Name | None = None
    time: Name | None = None
    dimensions: dict[Name, Dimension] = {}
    measures: dict[Name, Measure] = {}
    default_filters: tuple[str, ...] = ()
    row_filter: str | None = None
    masked: tuple[str, ...] = ()
    hidden: bool = Field(default=False, description="A bridge or a technical table: joins may pass, people do not see it")


class Join(_Model):
    """From many to one: ``from_columns`` of ``from_entity`` point at ``to_columns``, which are unique in ``to_entity``.

    ``label`` tells apart two ways to the same entity (« client facturé », « client livré »). ``preferred`` settles it
    without asking.
    """

    from_entity: Name
    from_columns: tuple[str, ...] = Field(min_length=1)
    to_entity: Name
    to_columns: tuple[str, ...] = Field(min_length=1)
    cardinality: Literal["many_to_one", "one_to_one"] = "many_to_one"
    label: str | None = None
    synonyms: tuple[str, ...] = ()
    preferred: bool = False
    inferred: bool = False


class Layer(_Model):
    """A source's semantic layer. ``joins`` are named: plans refer to them when there is more than one way."""

    version: Literal[1] = 1
    name: str
    description: str | None = None
    status: Literal["draft", "accepted"] = "draft"
    language: Literal["fr", "en"] = "fr"
    sql_dialect: Literal["postgres", "mysql", "duckdb"] = "postgres"
    currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$")
    calendar: Calendar = Calendar()
    entities: dict[Name, Entity]
    joins: dict[Name, Join] = {}
    questions: tuple[str, ...] = Field(default=(), description="First questions to suggest")

    def entity(self, name: str) -> Entity:
        """Return the entity of that name. Raises KeyError."""
        return self.entities[name]

    def dimension(self, ref: str) -> Dimension:
        """Return the dimension ``entity.name``. Raises KeyError."""
        entity, _, name = ref.partition(".")
        return self.entities[entity].dimensions[name]

    def measure(self, ref: str) -> Measure:
        """Return the measure ``entity.name``. Raises KeyError."""
        entity, _, name = ref.partition(".")
        return self.entities[entity].measures[name]
