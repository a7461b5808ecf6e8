"""What introspection found in a source, as data: the only thing the rooms above know about a database.

Table keys are ``schema.table`` in the database's own spelling; files have the schema ``main``.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from datapilot_kernel.sources.model import Dialect, LogicalType


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Frozen):
    """One column.

    ``null_share`` is between 0 and 1, None when unknown. ``distinct_count`` may be an estimate. ``minimum`` and
    ``maximum`` are kept for dates and numbers. ``values`` are the distinct values of a low-cardinality text column, most
    frequent first, None when they were not taken (too many, or ``personal``).
    """

    name: str
    type: LogicalType
    native_type: str
    nullable: bool = True
    comment: str | None = None
    null_share: float | None = None
    distinct_count: int | None = None
    minimum: date | datetime | Decimal | int | float | None = None
    maximum: date | datetime | Decimal | int | float | None = None
    values: tuple[str, ...] | None = None
    personal: bool = False


class ForeignKey(_Frozen):
    """Columns of this table that point at the key of another; ``inferred`` when nobody declared it."""

    columns: tuple[str, ...]
    ref_table: str = Field(description="schema.table")
    ref_columns: tuple[str, ...]
    inferred: bool = False


class Table(_Frozen):
    """One table or view. ``row_estimate`` is None when unknown."""

    db_schema: str
    name: str
    kind: Literal["table", "view"] = "table"
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    comment: str | None = None
    row_estimate: int | None = None

    @property
    def key(self) -> str:
        """``schema.table``."""
        return f"{self.db_schema}.{self.name}"

    def column(self, name: str) -> Column:
        """Return the column of that name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


class Catalog(_Frozen):
    """A source's tables at one moment. ``version`` changes whenever names, types or keys change."""

    dialect: Dialect
    default_schema: str
    tables: tuple[Table, ...]
    version: str
    taken_at: datetime
    notes: tuple[str, ...] = ()

    def table(self, key: str) -> Table:
        """Return the table of that key (``schema.table``). Raises KeyError."""
        for table in self.tables:
            if table.key == key:
                return table
        raise KeyError(key)
