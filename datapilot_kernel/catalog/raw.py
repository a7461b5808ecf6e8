"""A catalog while it is being taken: the same shape as :mod:`.model`, still open to what the next step finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from datapilot_kernel.catalog.model import Column, ForeignKey, Table
from datapilot_kernel.sources.model import LogicalType

Bound = date | datetime | Decimal | int | float | None


@dataclass
class RawColumn:
    """See :class:`datapilot_kernel.catalog.model.Column`.

    ``readable`` is False when the account may not read it. ``unique`` is True when counting proved it (every row has a
    value, and no two the same), False when counting disproved it, None when nobody counted.
    """

    name: str
    type: LogicalType
    native: str
    nullable: bool = True
    comment: str | None = None
    null_share: float | None = None
    distinct_count: int | None = None
    minimum: Bound = None
    maximum: Bound = None
    values: tuple[str, ...] | None = None
    personal: bool = False
    readable: bool = True
    unique: bool | None = None

    def frozen(self) -> Column:
        """Return the catalog's column."""
        hidden = self.personal
        return Column(
            name=self.name,
            type=self.type,
            native_type=self.native,
            nullable=self.nullable,
            comment=self.comment or None,
            null_share=None if self.null_share is None else round(self.null_share, 4),
            distinct_count=self.distinct_count,
            minimum=None if hidden else self.minimum,
            maximum=None if hidden else self.maximum,
            values=None if hidden else self.values,
            personal=self.personal,
        )


@dataclass
class RawTable:
    """See :class:`datapilot_kernel.catalog.model.Table`. ``counted`` is True once every row was looked at."""

    schema: str
    name: str
    kind: Literal["table", "view"]
    columns: list[RawColumn] = field(default_factory=list)
    primary_key: tuple[str, ...] = ()
    unique_keys: list[tuple[str, ...]] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    comment: str | None = None
    rows: int | None = None
    readable: bool = True
    profiled: bool = False
    counted: bool = False

    @property
    def key(self) -> str:
        """``schema.table``."""
        return f"{self.schema}.{self.name}"

    def column(self, name: str) -> RawColumn:
        """Return the column of that name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def is_unique(self, column: str) -> bool:
        """Tell whether one column alone tells rows apart, by declaration or by counting."""
        return self.primary_key == (column,) or (column,) in self.unique_keys or self.column(column).unique is True

    def frozen(self) -> Table:
        """Return the catalog's table."""
        return Table(
            db_schema=self.schema,
            name=self.name,
            kind=self.kind,
            columns=tuple(c.frozen() for c in self.columns),
            primary_key=self.primary_key,
            unique_keys=tuple(self.unique_keys),
            foreign_keys=tuple(self.foreign_keys),
            comment=self.comment or None,
            row_estimate=self.rows,
        )
