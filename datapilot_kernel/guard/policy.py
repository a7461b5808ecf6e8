"""The policy: which tables, columns and rows of a source one person may see (``contracts.md``, "guard policy").

Names are the database's own. A table that is not listed does not exist, nor does a column that is neither in ``columns``
nor in ``masked``. The policy is data: everything the guard knows about a person's rights stands in it, so two people with
equal policies get equal statements.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

AttributeValue = str | int | float | bool | None | list[str] | list[int]


class TablePolicy(BaseModel):
    """What of one table may be seen.

    Attributes
    ----------
    columns
        Readable columns, in the order ``*`` shows them.
    masked
        Columns that exist but read as NULL.
    row_filter
        A SQL condition over the table's own columns (hidden ones included); ``{name}`` stands for an attribute.
        None: every row.
    types
        Optional: a column's type in the database, so that a masked column keeps its type.
    primary_key
        Optional: lets ``GROUP BY`` of the key stand for the whole row in PostgreSQL, as it does on a bare table.
        None: a column called ``id`` is taken for the key.
    order
        Optional: every column in the table's own order, so that ``*`` shows a masked one in its place. A name that stands
        neither in ``columns`` nor in ``masked`` stays hidden.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: list[str]
    masked: list[str] = Field(default_factory=list)
    row_filter: str | None = None
    types: dict[str, str] = Field(default_factory=dict)
    primary_key: list[str] | None = None
    order: list[str] = Field(default_factory=list)


class Policy(BaseModel):
    """The rights of one person over one source.

    Attributes
    ----------
    default_schema
        Schema (database, for MySQL) of unqualified names.
    attributes
        Values for ``{name}`` in row filters. A missing or null one refuses every statement that reads the table.
    tables
        By ``table`` or ``schema.table``; a dot inside a name is written in double quotes: ``"a.b".c``.
    max_rows
        Rows of a result at most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    default_schema: str
    attributes: dict[str, AttributeValue] = Field(default_factory=dict)
    tables: dict[str, TablePolicy]
    max_rows: int = Field(default=10_000, ge=1, le=10_000_000)

    @field_validator("default_schema")
    @classmethod
    def _named(cls, value: str) -> str:
        if not value:
            raise ValueError("default_schema must name a schema")
        return value


def split_name(name: str, default_schema: str) -> tuple[str, str]:
    """Split a policy's table name into schema and table.

    >>> split_name("ventes", "public")
    ('public', 'ventes')
    >>> split_name("rh.salaires", "public")
    ('rh', 'salaires')
    >>> split_name('"Chiffre d.affaires"', "public")
    ('public', 'Chiffre d.affaires')
    """
    parts: list[str] = []
    current, quoted, i = "", False, 0
    while i < len(name):
        char = name[i]
        if quoted and char == '"' and name[i + 1 : i + 2] == '"':
            current += char
            i += 1
        elif char == '"' and (quoted or (not current and name.count('"') >= 2)):
            quoted = not quoted
        elif char == "." and not quoted:
            parts.append(current)
            current = ""
        else:
            current += char
        i += 1
    parts.append(current)
    if len(parts) == 1:
        return default_schema, parts[0]
    if len(parts) == 2 and all(parts):
        return parts[0], parts[1]
    raise ValueError(f"table name {name!r}: expected table or schema.table")
