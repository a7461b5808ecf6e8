"""How the demo tenants' tables are described: names, types, comments, keys; and a tenant as a value.

The same description feeds the loader (PostgreSQL, MariaDB, French CSV), the tests and the documentation's check, so a
column cannot be in one and not in the others. Rows are plain tuples in the order of the columns.
"""

from __future__ import annotations

import calendar
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

Row = tuple[Any, ...]
Rows = Mapping[str, Sequence[Row]]
"""The rows of every table, by table name."""

DEFAULT_SEED = 1789


@dataclass(frozen=True)
class DemoColumn:
    """One column.

    Attributes
    ----------
    type
        ``integer``, ``bigint``, ``text``, ``decimal(p,s)``, ``date``, ``timestamp`` or ``boolean``.
    comment
        In French, as a careful administrator of the database would have written it.
    """

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class DemoForeignKey:
    """``column`` holds values of ``table``.``target``."""

    column: str
    table: str
    target: str


@dataclass(frozen=True)
class DemoTable:
    """One table, with a primary key of one column."""

    name: str
    comment: str
    columns: tuple[DemoColumn, ...]
    foreign_keys: tuple[DemoForeignKey, ...] = ()

    @property
    def primary_key(self) -> str:
        """The first column is the key, in every demo table."""
        return self.columns[0].name

    @property
    def column_names(self) -> list[str]:
        """Names in order."""
        return [column.name for column in self.columns]


@dataclass(frozen=True)
class DemoTenant:
    """A company of the demo.

    Attributes
    ----------
    slug
        What ``datapilot demo-data --tenant`` takes; also the stem of its semantic layer's file.
    tables
        In an order in which every foreign key points backwards.
    generate
        ``(today, seed)`` -> rows of every table; equal arguments give equal rows, byte for byte.
    """

    slug: str
    label: str
    tables: tuple[DemoTable, ...]
    generate: Callable[[date, int], Rows] = field(repr=False)

    @property
    def layer_file(self) -> str:
        """Name of the accepted semantic layer beside this module."""
        return f"{self.slug.replace('-', '_')}.yaml"


def table(
    name: str, comment: str, columns: Sequence[tuple[str, str, str]], keys: Mapping[str, str] | None = None
) -> DemoTable:
    """Build a :class:`DemoTable`; ``keys`` maps a column to ``"table.column"``."""
    foreign = tuple(DemoForeignKey(column, *target.split(".")) for column, target in (keys or {}).items())
    return DemoTable(name, comment, tuple(DemoColumn(*column) for column in columns), foreign)


def stream(seed: int, today: date, name: str) -> random.Random:
    """Return a generator of its own for one part of the data.

    One stream per part: drawing one more number for the clients does not change every order.
    """
    return random.Random(f"{seed}|{today.isoformat()}|{name}")  # noqa: S311  (demo data, not a secret)


def money(cents: int) -> Decimal:
    """Return an amount in euros from cents, always with two decimals."""
    return Decimal(cents).scaleb(-2)


def add_months(day: date, months: int) -> date:
    """Return the same day ``months`` later (or earlier), at most the month's last day."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def month_end(day: date) -> date:
    """Return the last day of the month of ``day``."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])
