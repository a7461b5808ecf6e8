"""No statement reaches a tenant's table without that tenant in it: checked on the text that is sent.

Contract. Every statement that SQLAlchemy hands to the driver passes :func:`check` first, whoever wrote it: the ORM,
Core, ``text()``, a bulk insert, a refresh. It is parsed, and every occurrence of a mapped table (in joins, subqueries,
CTEs, unions, EXISTS, INSERT … SELECT) must be bound to the scope's tenant by a parameter that has exactly that value:
``t.tenant_id = :p`` as a conjunct of the WHERE that governs it, or of the ON of the inner or left join that brings it
in; for an INSERT, the value of the column ``tenant_id``. What cannot be parsed, is not SELECT, INSERT, UPDATE or
DELETE, or names a table that is not of the model, is refused. The scoped session (:mod:`hub_config.database.session`)
writes these conditions by itself; the wall notices when it did not.

Vocabulary. A *scope* is what a connection works for: one tenant, one sign-in, the operator's list of tenants, or
nothing.

Rejected: walking SQLAlchemy's own trees (correlation and the ORM's late compilation make « what governs this table » a
guess; the text is what runs), and trusting the automatic criteria alone (Core statements and refreshes do not get
them).

Remaining risk: a driver's connection taken out of SQLAlchemy is not seen. The session hands none out, a test keeps the
rest of the platform from reaching for one, and on PostgreSQL row-level security stands behind all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import sqlglot
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import ExecuteStyle
from sqlalchemy.sql.elements import ReleaseSavepointClause, RollbackToSavepointClause, SavepointClause
from sqlglot import exp

from datapilot_kernel.errors import Fault
from hub_config.database.base import SCOPE_OPTION, Base

_STATEMENTS = (exp.Select, exp.SetOperation, exp.Insert, exp.Update, exp.Delete)
# Functions that would change what the session is, or that read past its statement: a text of SQL, a file, another server.
_FORBIDDEN_FUNCTIONS = re.compile(
    r"set_config|current_setting|datapilot_|pg_|lo_|dblink|\w*_to_xml|ts_stat|crosstab|load_extension|readfile|writefile|edit$"
)


class Unscoped(Fault):
    """A statement or an object would leave its tenant. A fault of the program, never of a person."""


@dataclass(frozen=True)
class Scope:
    """Who a connection works for.

    Attributes
    ----------
    kind
        ``tenant``: everything of one tenant. ``sign_in``: the rows of ``users`` with one address, read only.
        ``operator``: the list of tenants, read only. ``none``: no table at all.
    value
        The tenant's id, or the address's key; empty for the others.
    read_only
        Only SELECT passes.
    """

    kind: Literal["tenant", "sign_in", "operator", "none"]
    value: str = ""
    read_only: bool = False

    @property
    def tenant_id(self) -> str | None:
        """The tenant; None for the other kinds."""
        return self.value if self.kind == "tenant" else None


NOTHING = Scope("none", read_only=True)


def refuse(what: str) -> Unscoped:
    """Return the error of a statement that leaves its tenant. ``what`` holds names of tables, never values."""
    return Unscoped(log=f"unscoped: {what}")


@dataclass(frozen=True)
class _Verdict:
    """What a statement's text needs in order to pass: of each group of parameters, one must hold the scope's value."""

    problem: str | None
    bound: tuple[tuple[str, ...], ...] = ()


_SET_UP_OPTION = "datapilot_set_up"
_SET_UP = object()
_SAVEPOINTS = (SavepointClause, RollbackToSavepointClause, ReleaseSavepointClause)


@contextmanager
def set_up(connection: Connection) -> Iterator[None]:
    """Let the database's own statements pass (BEGIN, the scope's settings) while a connection is being prepared."""
    connection.execution_options(**{_SET_UP_OPTION: _SET_UP})
    try:
        yield
    finally:
        connection.execution_options(**{_SET_UP_OPTION: None})


def _clause(context: Any) -> Any:
    return context.compiled.statement if context.compiled is not None else None


def guard_connection(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    """Refuse a statement that is not bound to the connection's scope (an event ``before_cursor_execute``)."""
    options = connection.get_execution_options()
    if options.get(_SET_UP_OPTION) is _SET_UP or (context is not None and isinstance(_clause(context), _SAVEPOINTS)):
        return
    scope: Scope = options.get(SCOPE_OPTION, NOTHING)
    rows: Iterable[Mapping[str, Any]]
    if context is not None and context.compiled is not None and context.execute_style is ExecuteStyle.INSERTMANYVALUES:
        # The statement that SQLAlchemy repeats in batches, and every row of all of them.
        statement, rows = context.compiled.string, context.compiled_parameters
    else:
        rows = parameters if executemany or isinstance(parameters, (list, tuple)) else [parameters]
    check(statement, rows, scope, connection.dialect.name)


def check(statement: str, rows: Iterable[Mapping[str, Any]], scope: Scope, dialect: str) -> None:
    """Refuse what is not bound to the scope.

    Raises
    ------
    Unscoped
        The statement reaches beyond the scope.
    """
    verdict = _examine(statement, scope.kind, scope.read_only, "postgres" if dialect == "postgresql" else dialect)
    if verdict.problem:
        raise refuse(verdict.problem)
    if not verdict.bound:
        return
    for row in rows:
        for names in verdict.bound:
            if not isinstance(row, Mapping) or not any(row.get(name) == scope.value for name in names):
                raise refuse(f"parameter {' or '.join(names)} is not the current {scope.kind}")


@lru_cache(maxsize=4096)
def _examine(statement: str, kind: str, read_only: bool, dialect: str) -> _Verdict:
    try:
        trees = sqlglot.parse(statement, dialect=dialect)
        if len(trees) != 1 or not isinstance(trees[0], _STATEMENTS):
            return _Verdict("not one SELECT, INSERT, UPDATE or DELETE")
        return _Verdict(None, tuple(dict.fromkeys(_Examiner(trees[0], kind, read_only).run())))
    except sqlglot.errors.SqlglotError:
        return _Verdict("a statement that cannot be read")
    except _Refusal as refusal:
        return _Verdict(str(refusal))


class _Refusal(Exception):
    """Why a statement does not pass."""


class _Examiner:
    """Goes over one statement and collects the parameters that bind its tables."""

    def __init__(self, tree: exp.Expr, kind: str, read_only: bool) -> None:
        self.tree = tree
        self.kind = kind
        self.read_only = read_only
        self.column = "email_key" if kind == "sign_in" else "tenant_id"
        self.ctes = {cte.alias for cte in tree.find_all(exp.CTE)}

    def run(self) -> Iterable[tuple[str, ...]]:
        """Yield groups of parameters, one a table: a conjunct with either binds it."""
        known = Base.metadata.tables
        if clash := {name for name in self.ctes if name.lower() in known}:
            raise _Refusal(f"a CTE is named like a table: {sorted(clash)}")
        for node in self.tree.walk():
            if isinstance(node, (exp.Insert, exp.Update, exp.Delete)) and (self.read_only or self.kind != "tenant"):
                raise _Refusal("a write in a read-only session")
            if isinstance(node, (exp.Into, exp.Command, exp.Merge, exp.DDL)) and not isinstance(node, _STATEMENTS):
                raise _Refusal(f"{type(node).__name__} is not allowed")
            if isinstance(node, exp.Func):
                name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
                if _FORBIDDEN_FUNCTIONS.match(name):
                    raise _Refusal(f"function {name} is not allowed")
            if isinstance(node, exp.Insert):
                yield from self._insert(node)
            elif isinstance(node, exp.Update):
                self._assignments(node.expressions)
            elif isinstance(node, exp.Table):
                yield from self._table(node)

    def _table(self, table: exp.Table) -> Iterable[tuple[str, ...]]:
        if isinstance(table.parent, exp.Schema) or (table.parent_select is None and isinstance(table.parent, exp.Insert)):
            self._known(table)
            return
        if not table.db and table.name in self.ctes:
            return
        name = self._known(table)
        if self.kind == "operator" and name == "tenants":
            return
        if self.kind not in ("tenant", "sign_in") or (self.kind == "sign_in" and name != "users"):
            raise _Refusal(f"table {name} in a session of kind {self.kind}")
        bound = tuple(
            parameter
            for condition, alone in _governing(table)
            for parameter in self._binding(condition, table.alias_or_name, alone)
        )
        if not bound:
            raise _Refusal(f"table {name} is not bound to the current {self.kind}")
        yield bound

    def _known(self, table: exp.Table) -> str:
        if table.db or table.catalog or not isinstance(table.this, exp.Identifier) or table.name not in Base.metadata.tables:
            raise _Refusal(f"{table.sql()} is not a table of the platform")
        return table.name

    def _binding(self, condition: exp.Expr | None, source: str, alone: bool) -> Iterable[str]:
        """Yield the parameters that conjuncts compare with the source's column."""
        for conjunct in _conjuncts(condition):
            if not isinstance(conjunct, exp.EQ):
                continue
            for column, value in ((conjunct.this, conjunct.expression), (conjunct.expression, conjunct.this)):
                if not isinstance(column, exp.Column) or column.name != self.column:
                    continue
                parameter = _parameter(value)
                if parameter and (column.table == source or (alone and not column.table)):
                    yield parameter

    def _assignments(self, assignments: Iterable[exp.Expr]) -> None:
        for assignment in assignments:
            target = assignment.this
            names = target.expressions if isinstance(target, exp.Tuple) else [target]
            if not isinstance(assignment, exp.EQ) or any(
                not isinstance(n, exp.Column) or n.name == "tenant_id" for n in names
            ):
                raise _Refusal("a row's tenant does not change")

    def _insert(self, insert: exp.Insert) -> Iterable[tuple[str, ...]]:
        target = insert.this
        if insert.args.get("alternative") or insert.args.get("overwrite") or not isinstance(target, exp.Schema):
            raise _Refusal("an INSERT that names no columns, or replaces")
        columns = [column.name for column in target.expressions]
        if "tenant_id" not in columns:
            raise _Refusal(f"an INSERT into {target.this.sql()} without tenant_id")
        place = columns.index("tenant_id")
        source = insert.expression
        if isinstance(source, exp.Values):
            for row in source.expressions:
                yield self._inserted(row.expressions[place])
        else:
            for select in _arms(source):
                if len(select.expressions) != len(columns) or select.is_star:
                    raise _Refusal("an INSERT … SELECT whose columns cannot be counted")
                value = select.expressions[place].unalias()
                # A column of a table that this SELECT has to bind anyhow is the current tenant's.
                if not (isinstance(value, exp.Column) and value.name == "tenant_id" and value.table in _tables_of(select)):
                    yield self._inserted(value)
        conflict = insert.args.get("conflict")
        if conflict is not None and conflict.expressions:
            if "tenant_id" not in {
                column.name for key in conflict.args["conflict_keys"] or [] for column in key.find_all(exp.Column)
            }:
                raise _Refusal("an upsert over a key that is not the tenant's")
            self._assignments(conflict.expressions)

    def _inserted(self, value: exp.Expr) -> tuple[str]:
        parameter = _parameter(value)
        if parameter is None:
            raise _Refusal("an INSERT whose tenant_id is not a parameter")
        return (parameter,)


def _governing(table: exp.Table) -> Iterable[tuple[exp.Expr | None, bool]]:
    """Yield the conditions that decide which rows of a table its statement sees, and whether it is the only source there."""
    holder = table.parent
    if isinstance(holder, exp.Join):
        side, kind = holder.side.upper(), holder.kind.upper()
        if side in ("", "LEFT") and kind in ("", "INNER", "OUTER"):
            yield holder.args.get("on"), False
        elif not (side == "" and kind == "CROSS"):
            # Rows that the other conditions leave out come back through a RIGHT or FULL join.
            raise _Refusal(f"a {side or kind} join")
        holder = holder.parent
        # A table of FROM a, b JOIN c: the statement is one further up.
        while isinstance(holder, (exp.Table, exp.From, exp.Subquery)) and not (
            isinstance(holder, exp.Subquery) and holder.alias
        ):
            holder = holder.parent
        alone = False
    else:
        if isinstance(holder, exp.From):
            holder = holder.parent
        alone = isinstance(holder, (exp.Select, exp.Update, exp.Delete)) and not holder.args.get("joins")
        alone = alone and not (
            isinstance(holder, (exp.Update, exp.Delete)) and (holder.args.get("from_") or holder.args.get("using"))
        )
    if isinstance(holder, (exp.Select, exp.Update, exp.Delete)):
        for join in holder.args.get("joins") or []:
            if join.side.upper() in ("RIGHT", "FULL"):
                raise _Refusal(f"a {join.side} join")
        where = holder.args.get("where")
        yield (where.this if where is not None else None), alone


def _conjuncts(condition: exp.Expr | None) -> Iterable[exp.Expr]:
    if condition is None:
        return
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    else:
        yield condition


def _parameter(value: exp.Expr) -> str | None:
    """Return the name of a parameter, also behind a cast to text; None for anything else."""
    value = value.unnest()
    if isinstance(value, exp.Cast):
        value = value.this
    return (value.name or None) if isinstance(value, exp.Placeholder) else None


def _arms(source: exp.Expr | None) -> Iterable[exp.Select]:
    source = source.unnest() if source is not None else None
    if isinstance(source, exp.SetOperation):
        yield from _arms(source.left)
        yield from _arms(source.right)
    elif isinstance(source, exp.Select):
        yield source
    else:
        raise _Refusal("an INSERT whose rows cannot be read")


def _tables_of(select: exp.Select) -> set[str]:
    sources = [select.args["from_"].this] if select.args.get("from_") else []
    sources += [join.this for join in select.args.get("joins") or []]
    return {
        source.alias_or_name for source in sources if isinstance(source, exp.Table) and source.name in Base.metadata.tables
    }
