"""A session that works for one tenant, or for one sign-in, or lists tenants.

What it does by itself: every ORM query gets ``tenant_id = :current`` on every table it touches (also in joins,
subqueries, aliases and relationship loads), every new row gets the tenant, and an object of another tenant can be
neither added nor saved. What SQLAlchemy adds no criteria to must bind the tenant itself (``Model.tenant_id ==
session.tenant_id``), or the wall (:mod:`hub_config.database.wall`) refuses it: Core tables, ``text()``, the SELECT of
an INSERT … SELECT, the second table of an UPDATE … FROM, and a window function without ``select_from``.

A session lives in one ``with`` block and one transaction, which the block ends: ``commit`` is refused, ``flush`` and
``begin_nested`` are there. It hands out no connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import Executable, event, inspect
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Mapper, ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.orm.interfaces import ORMOption as ExecutableOption
from sqlalchemy.orm.session import _EntityBindKey, _PKIdentityArgument

from hub_config.database.base import SCOPE_OPTION, Tenanted
from hub_config.database.tables import User
from hub_config.database.wall import Scope, refuse, set_up

ERASURE_TIMEOUT_MS = 900_000


class ScopedSession(Session):
    """A session with a scope. Made by :class:`hub_config.database.Database` alone."""

    def __init__(self, *args: Any, scope: Scope, **options: Any) -> None:
        super().__init__(*args, autoflush=True, expire_on_commit=False, **options)
        self.scope = scope

    @property
    def tenant_id(self) -> str:
        """The tenant this session works for.

        Raises
        ------
        Unscoped
            It works for none.
        """
        if self.scope.tenant_id is None:
            raise refuse(f"a session of kind {self.scope.kind} has no tenant")
        return self.scope.tenant_id

    def connection(self, *args: Any, **options: Any) -> Connection:
        """Refused: statements go through the session."""
        raise refuse("a connection taken out of a session")

    def commit(self) -> None:
        """Refused: one block, one transaction. ``flush`` sends what is pending."""
        raise refuse("commit inside the block of a transaction")

    def rollback(self) -> None:
        """Refused: an error that leaves the block rolls it back; ``begin_nested`` takes back a part."""
        raise refuse("rollback inside the block of a transaction")

    def end(self) -> None:
        """Send what is pending: the block's end, which then commits."""
        super().commit()

    def get(self, entity: _EntityBindKey[Any], ident: _PKIdentityArgument, **options: Any) -> Any:
        """Return a row by its identifier (the tenant in front of it may be left out), or None."""
        mapper: Mapper[Any] = inspect(entity).mapper
        parts = ident if isinstance(ident, (tuple, list)) else () if isinstance(ident, dict) else (ident,)
        if not isinstance(ident, dict):
            full = len(mapper.primary_key)
            ident = (self.tenant_id, *parts) if len(parts) == full - 1 else tuple(parts)
        return super().get(entity, ident, **options)

    def criteria(self) -> list[ExecutableOption]:
        """Return the options that hold every ORM query to the scope."""
        value = self.scope.value
        if self.scope.kind == "tenant":
            return [with_loader_criteria(Tenanted, lambda cls: cls.tenant_id == value, include_aliases=True)]
        if self.scope.kind == "sign_in":
            return [with_loader_criteria(User, lambda cls: cls.email_key == value, include_aliases=True)]
        return []

    def refuse_foreign(self, instance: Any) -> None:
        """Refuse an object that is, or was when it was loaded, another tenant's."""
        state = inspect(instance)
        tenants = {state.dict.get("tenant_id"), state.identity[0] if state.identity else None} - {None}
        if not isinstance(instance, Tenanted) or tenants - {self.scope.tenant_id}:
            raise refuse(f"an object of another tenant ({type(instance).__name__})")


@event.listens_for(ScopedSession, "do_orm_execute")
def _add_criteria(state: ORMExecuteState) -> None:
    session = cast("ScopedSession", state.session)
    if (state.is_select or state.is_update or state.is_delete) and isinstance(state.statement, Executable):
        options = session.criteria()
        if options:
            state.statement = state.statement.options(*options)


@event.listens_for(ScopedSession, "after_attach")
def _check_attached(session: Session, instance: Any) -> None:
    if cast("ScopedSession", session).scope.kind == "tenant":
        cast("ScopedSession", session).refuse_foreign(instance)


@event.listens_for(ScopedSession, "before_flush")
def _check_flushed(session: Session, context: Any, instances: Any) -> None:
    scoped = cast("ScopedSession", session)
    if scoped.scope.kind != "tenant" or scoped.scope.read_only:
        if session.new or session.deleted or any(session.is_modified(instance) for instance in session.dirty):
            raise refuse("a write in a read-only session")
        return
    for instance in session.new:
        if isinstance(instance, Tenanted) and inspect(instance).dict.get("tenant_id") is None:
            instance.tenant_id = scoped.tenant_id
    for instance in (*session.new, *session.dirty, *session.deleted):
        scoped.refuse_foreign(instance)


@contextmanager
def owner_function(session: ScopedSession) -> Iterator[None]:
    """Let the call of one of the owner's functions pass: they bind themselves to the session's tenant."""
    connection = cast("Connection", session.get_bind())
    with set_up(connection):
        if session.tenant_id and connection.dialect.name == "postgresql":
            # Years of audit take longer to go than an ordinary statement may.
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {ERASURE_TIMEOUT_MS}")
        yield


def bind_scope(connection: Connection, scope: Scope) -> Connection:
    """Let a connection work for a scope until it is given back."""
    return connection.execution_options(**{SCOPE_OPTION: scope})
