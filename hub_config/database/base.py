"""What every table of the platform has in common: a tenant, first in its key.

The primary key of every table begins with ``tenant_id``. So the statements that the ORM writes by itself (a refresh,
the UPDATE and DELETE of a flush, a lazy load over a composite foreign key) name the tenant without anyone's help, two
rows of two tenants are never the same object, and a foreign key cannot point into another tenant. Rejected: a key of
``id`` alone with the tenant beside it, where every one of those statements would have needed an exception in the wall
(:mod:`hub_config.database.wall`).

A column of a secret (a hash, an encrypted configuration, a wrapped key) is declared with :func:`secret`: it is never
exported. JSON columns are not watched for changes in place: assign a new value.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, ClassVar, cast
from uuid import uuid4

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, ForeignKeyConstraint, MetaData, String, Table, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hub_config.database.types import JSON_DOCUMENT, UtcDateTime

# The connection's execution option that carries who it works for (a wall.Scope).
SCOPE_OPTION = "datapilot_scope"
ID_LENGTH = 32


def new_id() -> str:
    """Return a fresh identifier: 32 hexadecimal characters, random."""
    return uuid4().hex


def _tenant_of_connection(context: Any) -> str | None:
    """Return the tenant of the connection an INSERT runs on: what ``tenant_id`` is when nobody gave one."""
    scope = context.root_connection.get_execution_options().get(SCOPE_OPTION)
    return getattr(scope, "tenant_id", None)


class Base(DeclarativeBase):
    """Base of every mapped table.

    Attributes
    ----------
    append_only
        The application may add rows and read them, nothing else.
    """

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[Mapping[Any, Any]] = {
        str: Text(),
        int: BigInteger(),
        date: Date(),
        datetime: UtcDateTime(),
        dict[str, Any]: JSON_DOCUMENT,
        list[str]: JSON_DOCUMENT,
        list[Any]: JSON_DOCUMENT,
    }
    append_only: ClassVar[bool] = False

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            if not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} has no column {name!r}")
            setattr(self, name, value)
        # The identifier is there before the row is: a path, a token or a log line may need it.
        if "id" in self.__mapper__.columns and self.id is None:  # type: ignore[has-type]
            self.id = new_id()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__dict__.get('id', '')}>"


class Tenanted:
    """A row of one tenant."""

    tenant_id: Mapped[str] = mapped_column(
        String(ID_LENGTH),
        ForeignKey("tenants.tenant_id", ondelete="CASCADE"),
        primary_key=True,
        default=_tenant_of_connection,
        sort_order=-2,
    )


class Identified(Tenanted):
    """A row of one tenant with an identifier."""

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id, sort_order=-1)


def table_of(model: type[Base]) -> Table:
    """Return the table of a model, for statements without objects. They name the tenant themselves; the wall looks."""
    return cast("Table", model.__table__)


def secret() -> Any:
    """Declare a column of a secret: never exported, never logged."""
    return mapped_column(info={"secret": True})


def one_of(column: str, *values: str) -> CheckConstraint:
    """Return the constraint that a column holds one of a closed set of words (or NULL)."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def belongs_to(table: str, *columns: str, on_delete: str | None = "CASCADE") -> ForeignKeyConstraint:
    """Return the foreign key to a row of the same tenant; by default the row goes when that one goes."""
    targets = ["id"] * len(columns)
    return ForeignKeyConstraint(
        ["tenant_id", *columns], [f"{table}.tenant_id", *(f"{table}.{target}" for target in targets)], ondelete=on_delete
    )
