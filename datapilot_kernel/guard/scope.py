"""What every name of a statement stands for: CTE, table of the policy, derived table, column.

Each engine's own rules (measured, see the tests):

- A CTE is visible after its definition and in the query that carries the WITH, nested queries included; never
  outside.
- Not recursive: inside its own body a CTE's name is the table of that name.
- ``WITH RECURSIVE``: its own name is the CTE in the recursive member only (the other members must not use it:
  refused, the engines differ). A name defined *later* in the same WITH is the CTE in PostgreSQL, the table in DuckDB;
  MySQL 8 and MariaDB differ, so there it is refused.
- PostgreSQL folds what is not quoted and compares exactly; DuckDB and MySQL ignore case (MySQL's tables do not, but a
  name that differs from the policy's only by case can only mean that table).

What a wrong guess could cost: a reference taken for a CTE stays unqualified, so it must never be able to reach a
table. Hence every case in which the engines could disagree is refused or the table's reference is replaced by a
schema-qualified subquery.

Columns are resolved as far as they can be. A name that nothing in sight can mean is refused here (in PostgreSQL
``c.row_to_json`` would be a function call); where a source's columns are not known (table functions, PIVOT) it is let
through, quoted: it can then only be a column of what the statement may read anyway.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from sqlglot import exp

from datapilot_kernel.guard import recursion, sizes
from datapilot_kernel.guard.amounts import Amounts
from datapilot_kernel.guard.dialects import DialectRules
from datapilot_kernel.guard.reasons import RefusedSql

Node = exp.Expr
MAX_CTES = 60
MAX_REFERENCES = 400
_FIELD = re.compile(r"key|value|ordinality|f\d{1,2}|column\d{1,2}")
_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)


@dataclass(slots=True)
class Origin:
    """Where a column comes from: of a table, or computed (``table`` is empty)."""

    table: str = ""
    column: str = ""
    masked: bool = False
    fixed: bool = False  # held to one value by the row filter
    defined: tuple[Node, ...] = ()  # the expressions that a column of a CTE or derived table stands for


COMPUTED = Origin()
Columns = dict[str, Origin]  # by folded name, in order


@dataclass(slots=True, eq=False)
class TableInfo:
    """A table of the policy, indexed.

    Attributes
    ----------
    full
        ``schema.table``.
    pieces, tail
        What stands for it: by folded name, how each column is written; and FROM with what follows.
    refusal
        Why it cannot be read by this person (an attribute is missing); None when it can.
    """

    schema: str
    name: str
    full: str
    columns: Columns
    shown: tuple[str, ...]
    pieces: dict[str, str] = field(default_factory=dict)
    tail: str = ""
    nothing: str = "NULL"  # what is read of a table without a readable column
    filtered: bool = False
    # columns of the key, folded; columns that the row filter holds to a value
    key: tuple[str, ...] = ()
    fixed: frozenset[str] = frozenset()
    refusal: RefusedSql | None = None

    def body(self, used: Iterable[str] | None = None) -> str:
        """Return the subquery that stands for the table; with ``used``, with these columns only (one at least)."""
        if used is not None:
            wanted = set(used) or set(list(self.pieces)[:1])
            listed = [text for name, text in self.pieces.items() if name in wanted]
        else:
            listed = list(self.pieces.values())
        return f"(SELECT {', '.join(listed) or self.nothing} {self.tail})"


@dataclass(slots=True, eq=False)
class Source:
    """One item of FROM. ``columns`` is None when they are not known; ``whole`` when every column counts (``*``…)."""

    name: str
    columns: Columns | None
    table: TableInfo | None = None
    weight: float = sizes.REDUCED_WEIGHT
    made: float = 0.0
    used: set[str] = field(default_factory=set)
    whole: bool = False
    body: Node | None = None  # the function or VALUES that it is, when its columns are not known

    def weigh(self, weight: sizes.Weight) -> None:
        """Set both weights."""
        self.weight, self.made = weight


@dataclass(slots=True, eq=False)
class Cte:
    """A CTE in sight; ``columns`` is None when they are not known, ``written`` is its name as it was defined, quoted."""

    name: str
    columns: Columns | None
    usable: bool = True
    weight: sizes.Weight = sizes.REDUCED
    written: str = ""
    body: Node | None = None
    references: int = 0  # tables and CTEs in it when every CTE is written out where it is used


@dataclass(slots=True, eq=False)
class Scope:
    """The sources of one SELECT, and what surrounds it."""

    outer: Scope | None
    sources: list[Source] = field(default_factory=list)
    aliases: dict[str, Origin] = field(default_factory=dict)
    free: bool = False  # some names in it cannot be known
    ties: list[tuple[int, int]] = field(default_factory=list)  # sources joined by USING or NATURAL, by place
    correlated: bool = False  # it reads the query around it
    product: sizes.Product = sizes.NOTHING

    def open(self) -> bool:
        """Tell whether some names in it cannot be known."""
        return self.free or any(s.columns is None for s in self.sources)


@dataclass(slots=True)
class Resolution:
    """What was found: filled by :class:`Resolver`."""

    tables: dict[int, TableInfo] = field(default_factory=dict)  # by id of exp.Table
    sources: dict[int, Source] = field(default_factory=dict)  # by id of exp.Table: the source it became
    cte_references: dict[int, str] = field(default_factory=dict)  # by id of exp.Table: the name as it was defined
    read: set[str] = field(default_factory=set)
    columns: set[tuple[str, str]] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)  # by id of a node: what to write instead
    selects: list[tuple[exp.Select, Scope]] = field(default_factory=list)
    recursive: list[tuple[str, exp.CTE]] = field(default_factory=list)
    wrapped: dict[int, TableInfo] = field(default_factory=dict)  # by id of a SELECT that is the guard's own
    dual: set[int] = field(default_factory=set)
    calls: list[exp.Anonymous] = field(default_factory=list)
    powers: list[exp.Pow] = field(default_factory=list)
    growing: list[Node] = field(default_factory=list)  # || and list comprehensions
    references: int = 0  # tables and CTEs, when every CTE is written out where it is used
    weights: dict[int, sizes.Weight] = field(default_factory=dict)  # by id of a query
    column_origins: dict[int, tuple[Source | None, Origin]] = field(default_factory=dict)
    amounts: Amounts = field(init=False)

    def __post_init__(self) -> None:
        self.amounts = Amounts(self.column_origins)


class Resolver:
    """Resolves one statement.

    Parameters
    ----------
    rules
        Of the dialect.
    tables
        By folded (schema, table).
    default_schema
        Of unqualified names.
    own
        Tells the guard's own subquery from any other: an accepted statement comes back unchanged, and the second check finds
        every table inside one.
    """

    def __init__(
        self,
        rules: DialectRules,
        tables: dict[tuple[str, str], TableInfo],
        default_schema: str,
        own: Callable[[exp.Select], TableInfo | None],
    ) -> None:
        self.rules = rules
        self.own = own
        self.tables = tables
        self.default_schema = rules.fold_text(default_schema)
        self.found = Resolution()
        self.ctes_seen = 0
        self.free_names: set[str] = set()  # lambda parameters and the like

    # --- queries

    def query(self, node: Node, ctes: dict[str, Cte], outer: Scope | None) -> Columns | None:
        """Resolve a query; return its output columns, None when they are not known."""
        if isinstance(node, exp.Select):
            return self._select(node, self._with(node, ctes, outer), outer)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, ctes, outer)
        if isinstance(node, exp.Subquery):
            columns = self._subquery(node, ctes, outer)
            self._weigh(node, self._weight(node.this))
            return columns
        if isinstance(node, exp.Values):
            scope = Scope(outer, free=False)
            for row in node.expressions:
                self._walk(row, ctes, scope)
            scope.free = True
            self._tail(node, ctes, scope)
            self._weigh(node, sizes.known(len(node.expressions)))
            return None
        if isinstance(node, exp.Pivot):
            self._pivot_statement(node, self._with(node, ctes, outer), outer)
            return None
        raise RefusedSql("not_a_query", what=type(node).__name__.upper()[:40], log=f"root {type(node).__name__}")

    def _weight(self, node: Node) -> sizes.Weight:
        return self.found.weights.get(id(node), sizes.Weight())

    def _weigh(self, node: Node, weight: sizes.Weight) -> None:
        self.found.weights[id(node)] = sizes.limited(node, weight, self.found.amounts)

    def _set_operation(self, node: exp.SetOperation, ctes: dict[str, Cte], outer: Scope | None) -> Columns | None:
        visible = self._with(node, ctes, outer)
        branches: list[Node] = []
        current: Node = node
        while isinstance(current, exp.SetOperation):  # chains lean left
            if current is not node:
                if current.args.get("with_"):
                    break
                self._tail(current, visible, Scope(outer, free=True))
            branches.append(current.expression)
            current = current.this
        columns = self.query(current, visible, outer)
        by_name = bool(node.args.get("by_name"))
        merged = dict(columns) if columns is not None else None
        for branch in reversed(branches):
            other = self.query(branch, visible, outer)
            if merged is None or other is None or by_name:
                merged = None
            else:
                for key, origin in zip(list(merged), other.values(), strict=False):
                    mine = merged[key]
                    if origin.masked:
                        merged[key] = origin
                    elif mine.defined or origin.defined:  # a branch that is a table's column adds nothing to be followed
                        merged[key] = replace(mine, defined=mine.defined + origin.defined, fixed=False)
                    elif mine.fixed and not origin.fixed:
                        merged[key] = replace(mine, fixed=False)
        self._tail(node, visible, Scope(outer, aliases=dict(merged or {}), free=True))
        self._weigh(node, sizes.united(self._weight(part) for part in (current, *branches)))
        return merged

    def _subquery(self, node: exp.Subquery, ctes: dict[str, Cte], outer: Scope | None) -> Columns | None:
        visible = self._with(node, ctes, outer)
        if node.args.get("joins") or isinstance(node.this, exp.Table):
            scope = Scope(outer)
            self._source(node, visible, scope)
            return None
        columns = self.query(node.this, visible, outer)
        self._tail(node, visible, Scope(outer, aliases=dict(columns or {}), free=True))
        return None if node.args.get("pivots") else columns

    def _tail(self, node: Node, ctes: dict[str, Cte], scope: Scope) -> None:
        for key in ("order", "limit", "offset"):
            part = node.args.get(key)
            if part is not None:
                self._walk(part, ctes, scope)

    def _pivot_statement(self, node: exp.Pivot, ctes: dict[str, Cte], outer: Scope | None) -> None:
        scope = Scope(outer)
        self._source(node.this, ctes, scope)
        scope.free = True
        _all_whole(scope)
        for key in ("expressions", "using", "group", "fields"):
            part = node.args.get(key)
            for item in part if isinstance(part, list) else [part] if isinstance(part, exp.Expr) else []:
                self._walk(item, ctes, scope)

    # --- WITH

    def _with(self, node: Node, ctes: dict[str, Cte], outer: Scope | None) -> dict[str, Cte]:
        clause = node.args.get("with_")
        if clause is None:
            return ctes
        visible = dict(ctes)
        recursive = bool(clause.args.get("recursive"))
        names = [self.rules.fold(cte.args["alias"].this) for cte in clause.expressions]
        written = {
            name: self.rules.quote_identifier(cte.args["alias"].this)
            for name, cte in zip(names, clause.expressions, strict=True)
        }
        if len(set(names)) != len(names):
            raise RefusedSql("ambiguous_name", name=clause.expressions[0].alias[:60], log="CTE defined twice")
        self.ctes_seen += len(names)
        if self.ctes_seen > MAX_CTES:
            raise RefusedSql("too_long", log="too many CTEs")
        for at, (name, cte) in enumerate(zip(names, clause.expressions, strict=True)):
            inside = dict(visible)
            inside.pop(name, None) if not recursive else None
            if recursive:
                if self.rules.name == "postgres":
                    for later in names[at + 1 :]:
                        inside[later] = Cte(later, None, written=written[later])
                elif self.rules.name == "mysql":
                    for later in names[at + 1 :]:
                        inside[later] = Cte(later, None, usable=False)
                else:
                    for later in names[at + 1 :]:
                        inside.pop(later, None)
            elif self.rules.name == "mysql":
                for later in names[at + 1 :]:
                    if later not in visible:
                        inside[later] = Cte(later, None, usable=False)
            listed = [self.rules.fold(c) for c in cte.args["alias"].args.get("columns") or ()]
            body = cte.this
            if not isinstance(body, (*_QUERIES, exp.Pivot)):
                raise RefusedSql("not_a_query", what=type(body).__name__.upper()[:40], log=f"CTE is {type(body).__name__}")
            before = self.found.references
            columns = (
                self._recursive_body(name, cte, inside, listed, outer) if recursive else self.query(body, inside, outer)
            )
            weight = self._weight(body)
            if any(c is cte for _, c in self.found.recursive):
                turns = recursion.check(name, cte, self.found, self.rules)
                weight = self._weight(body)
                weight = sizes.known(turns) if turns else sizes.Weight(max(weight.rows, sizes.TABLE_WEIGHT))
            visible[name] = Cte(
                name,
                _renamed(columns, listed),
                weight=weight,
                written=written[name],
                body=None if any(c is cte for _, c in self.found.recursive) else body,
                references=self.found.references - before,
            )
        return visible

    def _recursive_body(
        self, name: str, cte: exp.CTE, inside: dict[str, Cte], listed: list[str], outer: Scope | None
    ) -> Columns | None:
        body = cte.this
        before = len(self.found.cte_references)
        own = self.rules.quote_identifier(cte.args["alias"].this)
        marker = Cte(name, dict.fromkeys(listed, COMPUTED) if listed else None, written=own)
        forbidden = Cte(name, None, usable=False)
        if not isinstance(body, exp.Union):
            return self.query(body, {**inside, name: forbidden}, outer)
        visible = self._with(body, inside, outer) if body.args.get("with_") else inside
        members: list[Node] = []
        current: Node = body
        while isinstance(current, exp.Union) and (current is body or not current.args.get("with_")):
            members.append(current.expression)
            current = current.this
        columns = self.query(current, {**visible, name: forbidden}, outer)
        if marker.columns is None and columns is not None:
            marker.columns = dict.fromkeys(_renamed(columns, listed) or columns, COMPUTED)
        members.reverse()
        for at, member in enumerate(members):
            # PostgreSQL and DuckDB know one recursive member, the last
            may = self.rules.name == "mysql" or at == len(members) - 1
            other = self.query(member, {**visible, name: marker if may else forbidden}, outer)
            if columns is not None and other is not None:
                columns = {
                    key: replace(
                        mine, defined=mine.defined + (theirs.defined or mine.defined), fixed=mine.fixed and theirs.fixed
                    )
                    for (key, mine), theirs in zip(columns.items(), other.values(), strict=False)
                } | {k: o for k, o in columns.items() if len(other) < len(columns) and k not in list(columns)[: len(other)]}
        self._tail(body, visible, Scope(outer, free=True))
        if len(self.found.cte_references) > before:
            self.found.recursive.append((name, cte))
        return columns

    # --- FROM

    def _source(self, node: Node, ctes: dict[str, Cte], scope: Scope) -> None:
        """Add one item of FROM to ``scope``."""
        if isinstance(node, exp.Table):
            self._table(node, ctes, scope)
        elif isinstance(node, exp.Subquery):
            self._derived(node, ctes, scope)
        elif isinstance(node, exp.Lateral):
            alias = node.args.get("alias")
            inner = node.this
            columns = None
            if isinstance(inner, exp.Subquery):
                columns = self.query(inner, ctes, scope)
            else:
                self._walk(inner, ctes, scope)
            source = self._aliased(alias, columns)
            if isinstance(inner, exp.Subquery):
                source.weigh(self._weight(inner))
            else:
                source.weigh(sizes.series_weight(inner, self.found.amounts))
                source.body = inner
            scope.sources.append(source)
        elif isinstance(node, exp.Values):
            self.query(node, ctes, self._lateral_scope(scope))
            alias = node.args.get("alias")
            width = max((len(row.expressions) for row in node.expressions if isinstance(row, exp.Tuple)), default=0)
            known = self.rules.name == "postgres" or (
                alias is not None and len(alias.args.get("columns") or ()) >= width > 0
            )
            rows = [row.expressions for row in node.expressions if isinstance(row, exp.Tuple)]
            columns = (
                {f"column{i + 1}": Origin(defined=tuple(r[i] for r in rows if len(r) > i)) for i in range(width)}
                if known
                else None
            )
            source = self._aliased(alias, columns)
            source.body = node
            source.weigh(self._weight(node))
            scope.sources.append(source)
        else:
            raise RefusedSql("forbidden_syntax", what=type(node).__name__.upper()[:40], log=f"FROM {type(node).__name__}")

    def _lateral_scope(self, scope: Scope) -> Scope | None:
        return scope if self.rules.name == "duckdb" else scope.outer

    def _aliased(self, alias: Node | None, columns: Columns | None) -> Source:
        if alias is None:
            return Source("", columns)
        name = self.rules.fold(alias.this) if alias.this is not None else ""
        return Source(name, _renamed(columns, [self._fold_alias_column(c) for c in alias.args.get("columns") or ()]))

    def _fold_alias_column(self, node: Node) -> str:
        return self.rules.fold(node.this if isinstance(node, exp.ColumnDef) else node)

    def _derived(self, node: exp.Subquery, ctes: dict[str, Cte], scope: Scope) -> None:
        alias = node.args.get("alias")
        inner = node.this
        if isinstance(inner, exp.Table) or (isinstance(inner, exp.Subquery) and inner.args.get("joins")):
            # a join in parentheses: its sources stay in sight unless it has an alias
            nested = Scope(scope.outer, list(scope.sources)) if self.rules.name == "duckdb" else Scope(scope.outer)
            start = len(nested.sources)
            self._source(inner, ctes, nested)
            self._joins(node, ctes, nested)
            scope.sources.extend([Source(self._aliased(alias, None).name, None)] if alias else nested.sources[start:])
            return
        info = self.own(inner) if isinstance(inner, exp.Select) else None
        pivots = node.args.get("pivots")
        if alias is None and pivots:  # sqlglot gives the name to the last of them
            alias = pivots[-1].args.get("alias")
        if info is not None and alias is not None:
            if info.refusal is not None:
                raise info.refusal
            self.found.wrapped[id(inner)] = info
            self.found.read.add(info.full)
            names = [self.rules.fold(i.args["alias"] if isinstance(i, exp.Alias) else i.this) for i in inner.expressions]
            source = self._aliased(alias, {n: info.columns[n] for n in names if n in info.columns})
            source.table = info
            source.weight = sizes.TABLE_WEIGHT
            if node.args.get("pivots"):
                self._pivots(node, ctes, Scope(scope.outer, [source], free=True))
                source.columns = None
            scope.sources.append(source)
            self._joins(node, ctes, scope)
            return
        visible = self._with(node, ctes, scope.outer)
        columns = self.query(inner, visible, self._lateral_scope(scope))
        self._tail(node, visible, Scope(scope.outer, free=True))
        if node.args.get("pivots"):
            self._pivots(node, ctes, scope)
            columns = None
        source = self._aliased(alias, columns)
        source.weigh(sizes.limited(node, self._weight(inner), self.found.amounts))
        source.body = inner
        scope.sources.append(source)
        self._joins(node, ctes, scope)

    def _table(self, node: exp.Table, ctes: dict[str, Cte], scope: Scope) -> None:
        alias = node.args.get("alias")
        inner = node.this
        if isinstance(inner, (exp.Anonymous, exp.JSONTable)):
            self._walk(inner.this if isinstance(inner, exp.JSONTable) else inner, ctes, scope)
            columns = None
            listed = alias.args.get("columns") if alias is not None else None
            source = self._aliased(alias, columns)
            if self.rules.name == "postgres":
                # closed, because PostgreSQL takes g.pg_sleep for a call of pg_sleep on g when g has no such column
                own = [self._fold_alias_column(c) for c in listed or ()] or [source.name or inner.name.lower()]
                source.columns = dict.fromkeys([*own, "key", "value", "ordinality"], Origin(defined=(inner,)))
            if alias is None and isinstance(inner, exp.Anonymous):
                source.name = inner.name.lower()
            source.weigh(sizes.series_weight(inner, self.found.amounts))
            source.body = inner
            scope.sources.append(source)
        elif isinstance(inner, exp.Identifier):
            source = self._named_table(node, inner, ctes)
            if alias is not None:
                source.name = self.rules.fold(alias.this)
                listed = [self._fold_alias_column(c) for c in alias.args.get("columns") or ()]
                source.whole = bool(listed)
                if listed and source.table is not None and any(o.masked for o in source.table.columns.values()):
                    # by position: where the masked column stands in the table is not known here
                    masked = next(c for c, o in source.table.columns.items() if o.masked)
                    raise RefusedSql("masked_column", name=masked, log="column list over a masked column")
                source.columns = _renamed(source.columns, listed)
            if node.args.get("pivots"):
                if alias is not None:
                    raise RefusedSql("forbidden_syntax", what="PIVOT", log="alias before pivot")
                source.whole = True
                probe = Scope(scope.outer, [source], free=True)
                self._pivots(node, ctes, probe)
                source = Source(source.name, None, weight=sizes.REDUCED_WEIGHT)
            scope.sources.append(source)
        else:
            raise RefusedSql("forbidden_syntax", what="FROM", log=f"table {type(inner).__name__}")
        self._joins(node, ctes, scope)

    def _pivots(self, node: Node, ctes: dict[str, Cte], scope: Scope) -> None:
        probe = Scope(scope.outer, list(scope.sources), free=True)
        for pivot in node.args.get("pivots") or ():
            for key in ("expressions", "fields", "group", "using"):
                part = pivot.args.get(key)
                for item in part if isinstance(part, list) else [part] if isinstance(part, exp.Expr) else []:
                    self._walk(item, ctes, probe)

    def _named_table(self, node: exp.Table, inner: exp.Identifier, ctes: dict[str, Cte]) -> Source:
        name = self.rules.fold(inner)
        db, catalog = node.args.get("db"), node.args.get("catalog")
        if db is None and catalog is None:
            cte = ctes.get(name)
            if cte is not None:
                if not cte.usable:
                    raise RefusedSql("ambiguous_name", name=inner.name[:60], log="CTE that the engines resolve differently")
                self.found.cte_references[id(node)] = cte.written
                self._refer(1 + cte.references)
                return Source(name, cte.columns, None, *cte.weight, body=cte.body)
            if self.rules.name == "mysql" and name == "dual" and not node.args.get("alias"):
                self.found.dual.add(id(node))
                return Source("dual", {}, weight=0.0)
        schema = self.rules.fold(db) if isinstance(db, exp.Identifier) else self.default_schema
        if catalog is not None or (db is not None and not isinstance(db, exp.Identifier)):
            raise self._unknown(node)
        info = self.tables.get((schema, name))
        if info is None:
            raise self._unknown(node)
        if info.refusal is not None:
            raise info.refusal
        self.found.tables[id(node)] = info
        self._refer(1)
        self.found.read.add(info.full)
        source = Source(name, dict(info.columns), info, sizes.TABLE_WEIGHT)
        self.found.sources[id(node)] = source
        return source

    def _refer(self, count: int) -> None:
        """Count references with the CTEs written out: engines copy a CTE wherever it is used, before any limit of theirs."""
        self.found.references += count
        if self.found.references > MAX_REFERENCES:
            raise RefusedSql("too_many_joins", log=f"{self.found.references} references once the CTEs are written out")

    def _unknown(self, node: exp.Table) -> RefusedSql:
        written = ".".join([str(node.args[k].name) for k in ("catalog", "db") if node.args.get(k)] + [node.name])
        close = get_close_matches(node.name, sorted({t.name for t in self.tables.values()}), n=1, cutoff=0.75)
        shown = written[:80]
        if close and close[0].lower() != node.name.lower():
            return RefusedSql(
                "unknown_table", key="unknown_table_near", name=shown, near=close[0], log="table outside the policy"
            )
        return RefusedSql("unknown_table", name=shown, log="table outside the policy")

    def _joins(self, node: Node, ctes: dict[str, Cte], scope: Scope) -> None:
        for join in node.args.get("joins") or ():
            before = list(scope.sources)
            self._source(join.this, ctes, scope)
            on = join.args.get("on")
            if on is not None:
                self._walk(on, ctes, scope)
            for name in join.args.get("using") or ():
                self._using(name, before, scope)
            self._tie(join, before, scope)
            if str(join.args.get("method") or "").upper() == "NATURAL":
                self._natural(before, scope)

    def _tie(self, join: Node, before: list[Source], scope: Scope) -> None:
        """Note what USING or NATURAL ties."""
        using = join.args.get("using")
        natural = str(join.args.get("method") or "").upper() == "NATURAL"
        if not before or not (using or join.args.get("method")):
            return
        for at in range(len(before), len(scope.sources)):
            mine = scope.sources[at].columns
            for place in range(len(before) - 1, -1, -1):
                theirs = before[place].columns
                if mine is None or theirs is None or not (using or natural):
                    pairs: list[tuple[Origin | None, Origin | None]] = [(None, None)]
                else:
                    names = [self.rules.fold(n.this if isinstance(n, exp.Column) else n) for n in using or ()] or [
                        n for n in mine if n in theirs
                    ]
                    pairs = [(theirs[n], mine[n]) for n in names if n in mine and n in theirs]
                if sizes.using_ties(pairs, self.found):
                    scope.ties.append((place, at))
                    break

    def _using(self, node: Node, before: list[Source], scope: Scope) -> None:
        identifier = node.this if isinstance(node, exp.Column) else node
        name = self.rules.fold(identifier)
        for source in scope.sources:
            origin = (source.columns or {}).get(name)
            if origin is not None:
                source.used.add(name)
                self._use(origin, identifier.name, bare=False)
        if before and not any(s.columns is None or name in s.columns for s in before):
            raise RefusedSql("unknown_column", name=identifier.name[:60], log="USING")

    def _natural(self, before: list[Source], scope: Scope) -> None:
        _all_whole(scope)
        mine = {n: o for s in before for n, o in (s.columns or {}).items()}
        for source in scope.sources[len(before) :]:
            for name, origin in (source.columns or {}).items():
                if name in mine:
                    self._use(origin, name, bare=False)
                    self._use(mine[name], name, bare=False)

    # --- SELECT

    def _select(self, node: exp.Select, ctes: dict[str, Cte], outer: Scope | None) -> Columns | None:
        scope = Scope(outer)
        from_ = node.args.get("from_")
        if from_ is not None:
            self._source(from_.this, ctes, scope)
        self._joins(node, ctes, scope)
        for lateral in node.args.get("laterals") or ():
            self._source(lateral, ctes, scope)
        self.found.selects.append((node, scope))
        output: Columns | None = {}
        computed = 0
        pending: list[tuple[str, Origin]] = []
        for item in node.expressions:
            inner, alias = (item.this, item.args.get("alias")) if isinstance(item, exp.Alias) else (item, None)
            if alias is not None:
                name = self.rules.fold(alias) if isinstance(alias, exp.Identifier) else str(alias.name)
            elif isinstance(inner, exp.Column) and not isinstance(inner.this, exp.Star):
                name = self.rules.fold(inner.this)
            else:
                name = ""
            if isinstance(inner, exp.Star) or (isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)):
                expanded = self._star(inner, ctes, scope)
                output = None if expanded is None or output is None else {**output, **expanded}
                continue
            if alias is None and isinstance(inner, (exp.Dot, exp.Anonymous)) and _spreads(inner):
                self._walk(inner, ctes, scope)
                output = None
                continue
            if isinstance(inner, exp.Column):
                origin = self._column(inner, scope, bare=True, aliases=self.rules.name == "duckdb")
            else:
                self._walk(inner, ctes, scope, aliases=self.rules.name == "duckdb")
                origin = Origin(defined=(inner,))
            if not name:
                computed += 1
                name = (
                    f"?{computed}"
                    if not isinstance(inner, (exp.Anonymous, exp.Cast))
                    else self._computed_name(inner, computed)
                )
                if output is not None and self.rules.name != "postgres":
                    output = None if self.rules.name == "duckdb" else output
            pending.append((name, origin))
            if output is not None:
                output[name] = origin
            if alias is not None:
                scope.aliases[name] = origin if origin.masked or origin.defined else COMPUTED
        for name, origin in pending:
            scope.aliases.setdefault(name, origin if origin.masked or origin.defined else COMPUTED)
        for key in ("where", "group", "having", "qualify", "order", "limit", "offset", "distinct"):
            part = node.args.get(key)
            if part is not None:
                self._walk(part, ctes, scope, aliases=key != "where" or self.rules.name == "duckdb")
        for window in node.args.get("windows") or ():
            self._walk(window, ctes, scope)
        self.found.weights[id(node)] = sizes.select_weight(node, scope, self.rules, self.found)
        return output

    def _computed_name(self, node: Node, number: int) -> str:
        """PostgreSQL names an unnamed function's column after the function; the others are left open."""
        if self.rules.name == "postgres" and isinstance(node, exp.Anonymous):
            return node.name.lower()
        if self.rules.name == "postgres" and isinstance(node, exp.Cast) and isinstance(node.this, exp.Column):
            return self.rules.fold(node.this.this)
        return f"?{number}"

    def _star(self, node: Node, ctes: dict[str, Cte], scope: Scope, *, bare: bool = True) -> Columns | None:
        star = node.this if isinstance(node, exp.Column) else node
        excluded = star.args.get("except_") or []
        left_out = {
            self.rules.fold(item.this if isinstance(item, exp.Column) else item)
            for item in (excluded if isinstance(excluded, list) else [excluded])
        }
        sources = scope.sources
        if isinstance(node, exp.Column):
            wanted = self.rules.fold(node.args["table"])
            sources = self._by_name(wanted, scope)
            if not sources and self.rules.name == "duckdb" and node.args.get("db") is None:
                self._column(
                    exp.Column(this=node.args["table"].copy()), scope, bare=False, aliases=True
                )  # a struct's fields
                return None
            if not sources:
                raise RefusedSql(
                    "unknown_table", key="unknown_alias", name=node.args["table"].name[:60], log="star of nothing"
                )
            if node.args.get("db") is not None:
                self._drop_schema(node, sources[0])
        result: Columns | None = {}
        for source in sources:
            source.whole = True
            if source.columns is None:
                result = None
                continue
            for name, origin in source.columns.items():
                if name in left_out:
                    continue
                self._use(origin, name, bare=bare)
                if result is not None:
                    result[name] = origin
        for item in star.args.get("replace") or ():
            self._walk(item.this if isinstance(item, exp.Alias) else item, ctes, scope)
        if star.args.get("rename"):
            result = None
        return result

    def _by_name(self, name: str, scope: Scope | None) -> list[Source]:
        while scope is not None:
            found = [s for s in scope.sources if s.name == name]
            if found:
                return found
            scope = scope.outer
        return []

    # --- expressions

    def _walk(self, root: Node, ctes: dict[str, Cte], scope: Scope, *, aliases: bool = False) -> None:
        stack: list[Node] = [root]
        while stack:
            node = stack.pop()
            if isinstance(node, exp.Column):
                if isinstance(node.this, exp.Star):
                    self._star(node, ctes, scope, bare=False)
                else:
                    self._column(node, scope, bare=False, aliases=aliases)
                continue
            if isinstance(node, exp.Star):
                if not isinstance(node.parent, exp.Anonymous) or node.parent.name.lower() != "count":
                    self._star(node, ctes, scope, bare=False)
                continue
            if isinstance(node, _QUERIES):
                self.query(node, ctes, scope)
                continue
            if isinstance(node, exp.Collate):
                stack.append(node.this)
                continue
            if isinstance(node, exp.Table):
                raise RefusedSql("forbidden_syntax", what=node.name[:40], log="table in an expression")
            if (
                isinstance(node, exp.Dot)
                and self.rules.name == "postgres"
                and isinstance(node.expression, exp.Identifier)
                and self._field(node, scope)
            ):
                continue
            if isinstance(node, exp.Anonymous):
                if node.name.lower() == "columns":
                    _all_whole(scope)
                self.found.calls.append(node)
            elif isinstance(node, (exp.DPipe, exp.Comprehension, exp.GroupConcat)):
                self.found.growing.append(node)
                if isinstance(node, exp.Comprehension):
                    self._bind(node)
            elif isinstance(node, exp.Pow):
                self.found.powers.append(node)
            elif isinstance(node, exp.Lambda):
                self._bind(node)
            for value in node.args.values():
                if isinstance(value, exp.Expr):
                    stack.append(value)
                elif isinstance(value, list):
                    stack.extend([v for v in value if isinstance(v, exp.Expr)])

    def _field(self, node: exp.Dot, scope: Scope) -> bool:
        """``(x).name``: to PostgreSQL a call of ``name(x)`` when x has no such field, ``(nom).pg_read_file`` included.

        Returns
        -------
        bool
            Whether it is a column of a row in sight: nothing else of that row is read.
        """
        name = self.rules.fold(node.expression)
        inner = node.this
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if isinstance(inner, exp.Column) and not inner.args.get("table") and isinstance(inner.this, exp.Identifier):
            row = self.rules.fold(inner.this)
            sources = self._by_name(row, scope)
            if sources and not any(row in (s.columns or {}) for s in scope.sources):
                columns = sources[0].columns
                if columns is not None and name in columns:
                    sources[0].whole = True
                    self._use(columns[name], node.expression.name, bare=False)
                    return True
        if not _FIELD.fullmatch(name):
            raise RefusedSql("unknown_column", name=node.expression.name[:60], log="field of an unknown row")
        return False

    def _bind(self, node: Node) -> None:
        names: list[Any] = (
            list(node.expressions)
            if isinstance(node, exp.Lambda)
            else [node.args.get("expression"), node.args.get("position")]
        )
        for name in names:
            if isinstance(name, exp.Expr):
                folded = self.rules.fold(name.this if isinstance(name, exp.Column) else name)
                self.free_names.add(folded)
                parent = node.parent
                elements = (
                    node.args.get("iterator")
                    if isinstance(node, exp.Comprehension)
                    else parent.expressions[0]
                    if isinstance(parent, exp.Anonymous) and parent.expressions
                    else None
                )
                if elements is None or not isinstance(node.this, exp.Expr):
                    continue
                for used in node.this.find_all(exp.Identifier):
                    if self.rules.fold(used) == folded:
                        whole = used.parent if isinstance(used.parent, exp.Column) else used
                        self.found.amounts.elements[id(whole)] = elements

    def _use(self, origin: Origin, name: str, *, bare: bool) -> None:
        if origin.masked and not bare:
            raise RefusedSql("masked_column", name=name[:60], log="masked column in an expression")
        if origin.table:
            self.found.columns.add((origin.table, origin.column))

    def _column(self, node: exp.Column, scope: Scope, *, bare: bool, aliases: bool) -> Origin:
        name = self.rules.fold(node.this)
        table = node.args.get("table")
        if table is not None:
            return self._qualified(node, name, table, scope, bare=bare)
        current: Scope | None = scope
        while current is not None:
            for source in current.sources:
                origin = (source.columns or {}).get(name)
                if origin is not None:
                    source.used.add(name)
                    self._use(origin, node.name, bare=bare)
                    self.found.column_origins[id(node)] = (source, origin)
                    if current is not scope:
                        _correlate(scope, current)
                    return origin
            if (aliases or current is not scope) and name in current.aliases:
                self._use(current.aliases[name], node.name, bare=bare)
                self.found.column_origins[id(node)] = (None, current.aliases[name])
                return current.aliases[name]
            for source in current.sources:
                if source.name == name:  # the whole row
                    source.whole = True
                    for own, origin in (source.columns or {}).items():
                        self._use(origin, own, bare=False)
                    return COMPUTED
            if current.open() or name in self.free_names:
                bodies = tuple(s.body for s in current.sources if s.columns is None and s.body is not None)
                if bodies and name not in self.free_names:
                    self.found.column_origins[id(node)] = (None, Origin(defined=bodies))
                if current is not scope:
                    _correlate(scope, current)
                return COMPUTED
            current = current.outer
        if name in scope.aliases:  # an alias where this engine has none: it says so itself
            self._use(scope.aliases[name], node.name, bare=bare)
            return scope.aliases[name]
        known = [n for s in scope.sources for n in (s.columns or {})]
        close = get_close_matches(name, known, n=1, cutoff=0.7)
        if close:
            raise RefusedSql(
                "unknown_column", key="unknown_column_near", name=node.name[:60], near=close[0], log="unknown column"
            )
        raise RefusedSql("unknown_column", name=node.name[:60], log="unknown column")

    def _qualified(self, node: exp.Column, name: str, table: Node, scope: Scope, *, bare: bool) -> Origin:
        wanted = self.rules.fold(table)
        sources = self._by_name(wanted, scope)
        if node.args.get("db") is not None:
            if (
                sources
                and sources[0].table is not None
                and self.rules.fold(node.args["db"]) == self.rules.fold_text(sources[0].table.schema)
            ):
                self._drop_schema(node, sources[0])
            elif self.rules.name != "duckdb":
                raise RefusedSql("unknown_column", name=node.name[:60], log="column of another schema")
            else:
                return self._struct_field(node, table, scope)
        if sources:
            if sources[0] not in scope.sources:
                _correlate(scope, sources[0])
            for source in sources:
                if source.columns is None:
                    if source.body is not None:
                        self.found.column_origins[id(node)] = (source, Origin(defined=(source.body,)))
                    if self.rules.name == "postgres" and not _FIELD.fullmatch(name):
                        raise RefusedSql(
                            "unknown_column", name=f"{table.name}.{node.name}"[:80], log="column of an unknown row"
                        )
                    return COMPUTED
                origin = source.columns.get(name)
                if origin is not None:
                    source.used.add(name)
                    self._use(origin, node.name, bare=bare)
                    self.found.column_origins[id(node)] = (source, origin)
                    return origin
            known = [n for s in sources for n in (s.columns or {})]
            close = get_close_matches(name, known, n=1, cutoff=0.7)
            shown = f"{table.name}.{node.name}"[:80]
            if close:
                raise RefusedSql(
                    "unknown_column", key="unknown_column_near", name=shown, near=close[0], log="unknown column"
                )
            raise RefusedSql("unknown_column", name=shown, log="unknown column")
        if self.rules.name == "duckdb":  # a field of a struct column
            probe = exp.Column(this=table.copy())
            self._column(probe, scope, bare=False, aliases=True)
            return COMPUTED
        raise RefusedSql("unknown_table", key="unknown_alias", name=table.name[:60], log="unknown alias")

    def _struct_field(self, node: exp.Column, table: Node, scope: Scope) -> Origin:
        """``a.b.c`` in DuckDB: field c of column b of the source a, or a field of a field of the column a."""
        parts = [part for part in (node.args.get("catalog"), node.args["db"], table) if part is not None]
        if self._by_name(self.rules.fold(parts[0]), scope):
            probe = exp.Column(this=parts[1].copy(), table=parts[0].copy())
        else:
            probe = exp.Column(this=parts[0].copy())
        self._column(probe, scope, bare=False, aliases=True)
        return COMPUTED

    def _drop_schema(self, node: exp.Column, source: Source) -> None:
        """``public.clients.nom``: the table is a subquery now, which has no schema."""
        info = source.table
        if info is None or self.rules.fold(node.args["db"]) != self.rules.fold_text(info.schema) or node.args.get("catalog"):
            raise RefusedSql("unknown_column", name=node.name[:60], log="column of another schema")
        node.set("db", None)


def _correlate(scope: Scope, until: Scope | Source) -> None:
    """Note that queries read what is around them, as far as ``until``."""
    current: Scope | None = scope
    while current is not None and current is not until and until not in current.sources:
        current.correlated = True
        current = current.outer


def _all_whole(scope: Scope) -> None:
    for source in scope.sources:
        source.whole = True


def _spreads(node: Node) -> bool:
    if isinstance(node, exp.Dot):
        return isinstance(node.expression, exp.Star)
    return node.name.lower() in {"columns", "unnest"}


def _renamed(columns: Columns | None, names: list[str]) -> Columns | None:
    """Apply an alias's column list, by position."""
    if not names:
        return columns
    if columns is None:
        return None
    values = list(columns.items())
    if len(names) > len(values):
        return None
    renamed = dict(zip(names, [o for _, o in values], strict=False))
    renamed.update({n: o for n, o in values[len(names) :] if n not in renamed})
    return renamed
