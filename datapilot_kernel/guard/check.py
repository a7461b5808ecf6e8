"""The guard: one statement in, what may be executed out.

The five layers of the design, as far as they are text: parse (``lexer``, ``tree``), resolve and replace (``scope``, here),
write only what is allowed (``render``), bound the work (``limits``), and read again what was written. The connection's own
walls stand in ``sources``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlglot import exp
from sqlglot.errors import SqlglotError

from datapilot_kernel.guard import limits
from datapilot_kernel.guard.conditions import condition_sql
from datapilot_kernel.guard.dialects import RULES, DialectName, DialectRules
from datapilot_kernel.guard.grouping import complete_group_by
from datapilot_kernel.guard.policy import AttributeValue, Policy, TablePolicy, split_name
from datapilot_kernel.guard.reasons import Accepted, Refusal, RefusedSql
from datapilot_kernel.guard.render import Renderer
from datapilot_kernel.guard.scope import Origin, Resolver, TableInfo
from datapilot_kernel.guard.tree import parse

_RESULT = "resultat"


class Guard:
    """Checks statements against one policy; reusable, and safe to share between threads (nothing changes after it is built).

    Parameters
    ----------
    policy
        What the person may see.
    dialect
        ``"postgres"``, ``"mysql"`` (MySQL 8 and MariaDB) or ``"duckdb"``.
    server
        Free text about the server (``"mariadb"``, ``"mysql8"``); what is written suits both, so it is only kept for the log.

    Attributes
    ----------
    problems
        Row filters of the policy that cannot be used, in words for the log; their tables refuse every statement.
    """

    def __init__(self, policy: Policy, dialect: DialectName, *, server: str | None = None) -> None:
        self.policy = policy
        self.dialect: DialectName = dialect
        self.server = server
        self.rules: DialectRules = RULES[dialect]
        self._tables: dict[tuple[str, str], TableInfo] = {}
        problems: list[str] = []
        for written, table in policy.tables.items():
            try:
                schema, name = split_name(written, policy.default_schema)
            except ValueError as error:
                problems.append(str(error))
                continue
            info = _table_info(self.rules, schema, name, table, policy.attributes)
            key = (self.rules.fold_text(schema), self.rules.fold_text(name))
            if key in self._tables:
                problems.append(f"table {written!r} is listed twice")
                continue
            self._tables[key] = info
            if info.refusal is not None and info.refusal.refusal.reason == "bad_policy":
                problems.append(info.refusal.refusal.log)
        self.problems: tuple[str, ...] = tuple(problems)

    # --- the one door

    def check(self, sql: str) -> Accepted | Refusal:
        """Check one statement; never raises, whatever the text.

        Returns
        -------
        Accepted | Refusal
        """
        try:
            return self._check(sql)
        except RefusedSql as refused:
            return refused.refusal
        except RecursionError:
            return Refusal("too_long", key="too_deep", log="recursion")
        except MemoryError:
            return Refusal("too_long", log="memory")
        except Exception as error:  # noqa: BLE001 - the wall: what was not foreseen is refused, and the log says where
            return Refusal("not_confirmed", log=f"unforeseen {type(error).__name__}: {error}"[:300])

    def check_condition(self, condition: str, table: str) -> Refusal | None:
        """Check the form of a row filter, with its attributes left open; None: it can be used."""
        try:
            _, name = split_name(table, self.policy.default_schema)
            condition_sql(condition, self.rules, name, None)
        except RefusedSql as refused:
            return refused.refusal
        except (SqlglotError, RecursionError, ValueError) as error:
            return Refusal("bad_policy", log=f"row filter: {type(error).__name__}")
        return None

    # --- how

    def _check(self, sql: str) -> Accepted:
        tree = parse(sql, self.dialect)
        resolver = self._resolver()
        resolver.query(tree, {}, None)
        found = resolver.found
        limits.check(tree, found, self.rules)
        if self.dialect == "postgres":
            complete_group_by(found, self.rules)
        wrapped, limit_rows = _limit_rows(tree, self.policy.max_rows)
        try:
            text = self._finished(tree, resolver, wrapped, limit_rows, prune=True)
        except RefusedSql as refused:
            if refused.refusal.reason != "not_confirmed":
                raise
            text = self._finished(tree, resolver, wrapped, limit_rows, prune=False)
        return Accepted(text, tuple(sorted(found.read)), tuple(sorted(found.columns)), limit_rows)

    def _finished(self, tree: exp.Expr, resolver: Resolver, wrapped: bool, limit_rows: int, *, prune: bool) -> str:
        """Write the statement and confirm what was written; ``prune``: tables with the columns that are used only."""
        text = self._write(tree, resolver, replace=True, prune=prune)
        if wrapped:
            text = f"SELECT * FROM ({text}) AS {self.rules.quote(_RESULT)} LIMIT {limit_rows}"  # noqa: S608 - of parts that render wrote
        self._confirm(text, resolver.found.read)
        return text

    def _resolver(self) -> Resolver:
        return Resolver(self.rules, self._tables, self.policy.default_schema, self._own)

    def _own(self, select: exp.Select) -> TableInfo | None:
        """Tell whether ``select`` is, to the letter, what the guard puts in a table's place."""
        from_ = select.args.get("from_")
        table = from_.this if from_ is not None else None
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier) or table.args.get("db") is None:
            return None
        key = (self.rules.fold(table.args["db"]), self.rules.fold(table.this))
        info = self._tables.get(key)
        if info is None:
            return None
        try:
            written = Renderer(self.rules, {id(table): _full_name(self.rules, info)}, {}).sql(select)
        except RefusedSql:
            return None
        names = []
        for item in select.expressions:
            named = (
                item.args["alias"] if isinstance(item, exp.Alias) else item.this if isinstance(item, exp.Column) else None
            )
            if not isinstance(named, exp.Identifier):
                return None
            names.append(self.rules.fold(named))
        return info if f"({written})" == info.body([n for n in names if n in info.pieces]) else None

    def _write(self, tree: exp.Expr, resolver: Resolver, *, replace: bool, prune: bool = False) -> str:
        found = resolver.found
        replacements: dict[int, str] = {}
        names = dict(found.names)
        for table in tree.find_all(exp.Table):
            inner = table.this
            if not isinstance(inner, exp.Identifier):
                continue
            info = found.tables.get(id(table))
            if info is not None:
                if not replace:
                    raise RefusedSql("not_confirmed", log="a table outside the guard's subqueries")
                source = found.sources[id(table)]
                replacements[id(table)] = info.body(source.used if prune and not source.whole else None)
                if table.args.get("alias") is None:
                    names[id(table)] = self.rules.quote_identifier(inner)
            elif id(table) in found.cte_references:
                # by the name of its definition: a name that only folds to it could be a table to the engine
                replacements[id(table)] = found.cte_references[id(table)]
                own = self.rules.quote_identifier(inner)
                if own != replacements[id(table)] and table.args.get("alias") is None:
                    names[id(table)] = own
            elif id(table) in found.dual:
                replacements[id(table)] = "DUAL"
        for select in tree.find_all(exp.Select):
            wrapped = found.wrapped.get(id(select))
            if wrapped is not None:
                table = select.args["from_"].this
                replacements[id(table)] = _full_name(self.rules, wrapped)
                names.pop(id(table), None)
        filtered = any(info.filtered for info in (*found.tables.values(), *found.wrapped.values()))
        renderer = Renderer(self.rules, replacements, names, filtered=filtered, own=found.wrapped)
        return renderer.sql(tree)

    def _confirm(self, text: str, read: set[str]) -> None:
        """Parse, resolve and write again what would be sent: a difference fails closed."""
        try:
            tree = parse(text, self.dialect)
            resolver = self._resolver()
            resolver.query(tree, {}, None)
            again = self._write(tree, resolver, replace=False)
        except RefusedSql as refused:
            raise RefusedSql("not_confirmed", log=f"second check: {refused.refusal.reason}: {refused.refusal.log}") from None
        if again != text or resolver.found.read != read:
            raise RefusedSql("not_confirmed", log="second check: the text changed")


def _full_name(rules: DialectRules, info: TableInfo) -> str:
    return f"{rules.quote(info.schema)}.{rules.quote(info.name)}"


def _table_info(
    rules: DialectRules, schema: str, name: str, table: TablePolicy, attributes: Mapping[str, AttributeValue]
) -> TableInfo:
    full = f"{schema}.{name}"
    shown = [*table.columns, *[m for m in table.masked if m not in table.columns]]
    if table.order:
        places = {name: at for at, name in enumerate(table.order)}
        shown.sort(key=lambda name: places.get(name, len(places)))
    masked = set(table.masked)
    info = TableInfo(
        schema=schema,
        name=name,
        full=full,
        columns={rules.fold_text(c): Origin(full, c, masked=c in masked) for c in shown},
        shown=tuple(shown),
        filtered=table.row_filter is not None,
        key=tuple(rules.fold_text(c) for c in table.primary_key)
        if table.primary_key is not None
        else tuple(rules.fold_text(c) for c in table.columns if c.lower() == "id"),
    )
    if table.row_filter is not None:
        words = {rules.fold_text(w) for w in re.findall(r"[A-Za-z_]\w*", re.sub(r"'[^']*'", "", table.row_filter))}
        info.fixed = frozenset(c for c in shown if rules.fold_text(c) in words)
        for origin in info.columns.values():
            origin.fixed = origin.column in info.fixed
    try:
        for column in shown:
            text = rules.quote(column)
            if column in masked:
                text = f"{_null_of(rules, table.types.get(column))} AS {text}"
            info.pieces[rules.fold_text(column)] = text
        info.nothing = f"NULL AS {rules.quote('vide')}"
        info.tail = f"FROM {_full_name(rules, info)}"
        if table.row_filter is not None:
            condition = condition_sql(table.row_filter, rules, name, attributes, table.types)
            info.tail += f" WHERE {condition}{rules.barrier}"
    except RefusedSql as refused:
        info.refusal = refused
    except (SqlglotError, RecursionError) as error:
        info.refusal = RefusedSql("bad_policy", log=f"row filter of {full!r}: {type(error).__name__}")
    return info


def _null_of(rules: DialectRules, type_text: str | None) -> str:
    """NULL, of the column's own type when it is known and on the list; MySQL casts to few types, and needs none."""
    if type_text is None or rules.name == "mysql":
        return "NULL"
    try:
        tree = parse(f"SELECT CAST(NULL AS {type_text})", rules.name)
        return Renderer(rules, {}, {}).sql(tree.expressions[0])
    except (RefusedSql, SqlglotError):
        return "NULL"


def _limit_rows(tree: exp.Expr, most: int) -> tuple[bool, int]:
    """Bound the rows of the outermost query, in place.

    Returns
    -------
    tuple
        Whether the text must be wrapped in a query of its own (a computed LIMIT, ties, a percentage), and the limit.
    """
    if isinstance(tree, exp.Pivot):
        return True, most
    limit = tree.args.get("limit")
    if limit is None:
        if tree.args.get("offset") is not None and isinstance(tree, exp.Values):
            return True, most
        tree.set("limit", exp.Limit(expression=exp.Literal.number(most)))
        return False, most
    value = limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.expression
    options = limit.args.get("limit_options")
    special = options is not None and (options.args.get("with_ties") or options.args.get("percent"))
    if special or not isinstance(value, exp.Literal) or value.is_string or not str(value.this).isdigit():
        if isinstance(limit, exp.Fetch) and value is None:
            return False, 1
        return True, most
    wanted = int(str(value.this))
    if wanted > most:
        key = "count" if isinstance(limit, exp.Fetch) else "expression"
        limit.set(key, exp.Literal.number(most))
    return False, min(wanted, most)
