"""Recursive CTEs: only those whose end can be seen.

A recursion ends when a value of the recursive row moves at every turn and a condition stops it
(``n + 1 … WHERE n < 100``, a calendar), when it walks a table from row to row along a key (a tree of categories), or when
UNION drops rows that came before and nothing new is computed. A wrong guess costs a timeout on the server, no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from datapilot_kernel.guard import sizes
from datapilot_kernel.guard.amounts import Amounts
from datapilot_kernel.guard.dialects import DialectRules
from datapilot_kernel.guard.reasons import RefusedSql

if TYPE_CHECKING:
    from datapilot_kernel.guard.scope import Resolution, Scope, Source

Node = exp.Expr
MAX_TURNS = 20_000
_GROWS_TEXT = frozenset(
    {
        "format",
        "printf",
        "concat",
        "concat_ws",
        "repeat",
        "lpad",
        "rpad",
        "array_cat",
        "list_concat",
        "list_cat",
        "array_concat",
        "replace",
    }
)
_FORWARD = frozenset({"date_add", "adddate", "add_months", "timestampadd", "addtime"})
_BACKWARD = frozenset({"date_sub", "subdate", "subtime"})


def check(name: str, cte: exp.CTE, found: Resolution, rules: DialectRules) -> float | None:
    """Refuse a recursive CTE whose end cannot be seen.

    Returns
    -------
    float or None
        How many rows it makes; None: as many as a table has.

    Raises
    ------
    RefusedSql
    """
    body = cte.this
    if not isinstance(body, exp.Union):
        raise _refused(name, "not a union")
    listed = [rules.fold(c) for c in cte.args["alias"].args.get("columns") or ()]
    members: list[tuple[exp.Select, bool]] = []
    current: Node = body
    while isinstance(current, exp.Union):
        member = _plain(current.expression)
        if not isinstance(member, exp.Select):
            raise _refused(name, "member is not a select")
        members.append((member, current.args.get("distinct") is not False))
        current = current.this
    anchor = _plain(current)
    starts = anchor.expressions if isinstance(anchor, exp.Select) else []
    if isinstance(anchor, exp.Values) and anchor.expressions and isinstance(anchor.expressions[0], exp.Tuple):
        starts = anchor.expressions[0].expressions
    columns = listed or [_output_name(e, rules) for e in starts]
    rows: list[float | None] = []
    for member, distinct in members:
        references = [t for t in member.find_all(exp.Table) if _refers(t, name, rules)]
        if not references:
            continue
        if len(references) > 1:
            raise _refused(name, "several references")
        alias_of = references[0].args.get("alias")
        alias = rules.fold(alias_of.this) if alias_of is not None else name
        turning = _Member(name, alias, member, columns, starts, found, rules)
        rows.append(turning.check(references[0], distinct))
    weight = found.weights.get(id(anchor))
    made = [r for r in rows if r is not None]
    if not made or len(made) < len(rows) or weight is None:
        return None
    if weight.rows > weight.made:  # rows of a table, each with its turns
        found.weights[id(cte.this)] = sizes.Weight(weight.rows + min(sizes.rows_weight(max(made)), sizes.REDUCED_WEIGHT))
        return None
    return sum(made) * sizes.rows_of(weight.made)


def _plain(node: Node) -> Node:
    while isinstance(node, (exp.Subquery, exp.Paren)):
        node = node.this
    return node


def _refused(name: str, log: str) -> RefusedSql:
    return RefusedSql("unbounded_recursion", name=name[:60], log=f"recursion: {log}")


def _refers(table: exp.Table, name: str, rules: DialectRules) -> bool:
    return isinstance(table.this, exp.Identifier) and table.args.get("db") is None and rules.fold(table.this) == name


def _output_name(node: Node, rules: DialectRules) -> str:
    if isinstance(node, exp.Alias) and isinstance(node.args["alias"], exp.Identifier):
        return rules.fold(node.args["alias"])
    return rules.fold(node.this) if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier) else ""


class _Member:
    """One recursive member: whether it ends, and after how many turns."""

    def __init__(
        self,
        name: str,
        alias: str,
        member: exp.Select,
        columns: list[str],
        starts: list[Node],
        found: Resolution,
        rules: DialectRules,
    ) -> None:
        self.name, self.alias, self.member = name, alias, member
        self.columns, self.starts, self.found, self.rules = columns, starts, found, rules
        self.amounts: Amounts = found.amounts
        self.outputs: list[Node] = [e.this if isinstance(e, exp.Alias) else e for e in member.expressions]

    def check(self, reference: exp.Table, distinct: bool) -> float | None:
        """Refuse what has no end; return its turns when it stands alone and they can be told."""
        member = self.member
        for output in self.outputs:
            self._refuse_growing(output)
        from_ = member.args.get("from_")
        joins = list(member.args.get("joins") or ()) + list(member.args.get("laterals") or ())
        alone = not joins and from_ is not None and from_.this is reference
        parts = [p for c in sizes.conditions(member) for p in sizes.conjuncts(c)]
        walks = [p for p in parts if self._walks(p)]
        if not alone:
            self._refuse_fan_out(parts, walks, joins)
        for part in parts:
            bounded, turns = self._bounds(part)
            if bounded:
                return max(turns, 1.0) if turns is not None else (1_000.0 if alone else None)
        limit = member.args.get("limit")
        if limit is not None and (most := self.amounts.value(getattr(limit, "expression", None))) is not None:
            return most
        if not alone and any(self._walks(p, strictly=True) for p in walks):
            return None
        if distinct and all(isinstance(o, (exp.Column, exp.Literal)) for o in self.outputs):
            return None
        raise _refused(self.name, "no visible end")

    # --- joins

    def _scope(self) -> Scope | None:
        return next((scope for select, scope in self.found.selects if select is self.member), None)

    def _refuse_fan_out(self, parts: list[Node], walks: list[Node], joins: list[Node]) -> None:
        """Each source beside the recursive row has one row, or is found by an equality that moves on or names its key."""
        scope = self._scope()
        if scope is None:
            raise _refused(self.name, "joined in a way that cannot be seen")
        reached = [s for s in scope.sources if s.name == self.alias]
        others = [s for s in scope.sources if s.name != self.alias and s.weight > 0]
        for other in others:
            if not (self._moves_to(other, walks, scope) or self._by_key(other, parts, joins)):
                if reached and self._beside(other, reached, parts, scope):
                    continue
                raise _refused(self.name, "joined without a condition that moves on")
            reached.append(other)

    def _moves_to(self, other: Source, walks: list[Node], scope: Scope) -> bool:
        unsure = other.columns is None
        for part in walks:
            for column in part.find_all(exp.Column):
                at = self.found.column_origins.get(id(column))
                table = column.args.get("table")
                if (at is not None and at[0] is other) or (
                    unsure and (table is None or self.rules.fold(table) == other.name)
                ):
                    return True
        return False

    def _beside(self, other: Source, reached: list[Source], parts: list[Node], scope: Scope) -> bool:
        """Tell whether ``other`` hangs on a source that was reached already: rows of a walk, looked up further."""
        places = {id(s): i for i, s in enumerate(scope.sources)}
        ok = {places[id(s)] for s in reached if s.name != self.alias}
        at = places[id(other)]
        for part in parts:
            for first, second in sizes.tied(part, places, len(places), self.found, self.rules, scope):
                if (first == at and second in ok) or (second == at and first in ok):
                    return True
        return False

    def _by_key(self, other: Source, parts: list[Node], joins: list[Node]) -> bool:
        """Tell whether ``other`` is looked up by its key: one row at most."""
        key = other.table.key if other.table is not None else ()
        if not key:
            return False
        held: set[str] = set()
        for part in parts:
            if isinstance(part, exp.EQ):
                for mine, far in ((part.this, part.expression), (part.expression, part.this)):
                    at = self.found.column_origins.get(id(mine))
                    reads = [self.found.column_origins.get(id(c)) for c in far.find_all(exp.Column)]
                    if at is not None and at[0] is other and not any(r is not None and r[0] is other for r in reads):
                        held.add(self.rules.fold(mine.this))
        for join in joins:
            for column in join.args.get("using") or ():
                held.add(self.rules.fold(column.this if isinstance(column, exp.Column) else column))
        return set(key) <= held

    def _walks(self, part: Node, *, strictly: bool = False) -> bool:
        """``JOIN t ON t.parent = r.id`` with ``t.id`` coming out where ``r.id`` stood (``strictly``: a column)."""
        if not isinstance(part, exp.EQ):
            return False
        for mine, other in ((part.this, part.expression), (part.expression, part.this)):
            moved = isinstance(mine, (exp.Add, exp.Sub)) and bool(self.amounts.value(mine.expression))
            column = _is_recursive(mine.this if moved else mine, self.alias, self.columns, self.rules)
            if column is None or not isinstance(other, exp.Column) or isinstance(other.this, exp.Star):
                continue
            if column not in self.columns or self.columns.index(column) >= len(self.outputs):
                continue
            output = self.outputs[self.columns.index(column)]
            if not isinstance(output, exp.Column) or isinstance(output.this, exp.Star):
                if (
                    not strictly
                    and not isinstance(output, exp.Star)
                    and _step(output, column, self.alias, self.columns, self.rules, self.amounts)[0]
                ):
                    return True
                continue
            table, far = output.args.get("table"), other.args.get("table")
            if table is not None and self.rules.fold(table) == self.alias:
                continue
            if (
                moved
                or self.rules.fold(output.this) != self.rules.fold(other.this)
                or (table is not None and far is not None and self.rules.fold(table) != self.rules.fold(far))
            ):
                return True
        return False

    # --- ends

    def _bounds(self, part: Node) -> tuple[bool, float | None]:
        """Tell whether ``part`` stops a value that moves towards it, and after how many turns."""
        if isinstance(part, exp.Between):
            sides = [(part.this, part.args["high"], True), (part.this, part.args["low"], False)]
        elif isinstance(part, (exp.LT, exp.LTE, exp.GT, exp.GTE)):
            rising = isinstance(part, (exp.LT, exp.LTE))
            sides = [(part.this, part.expression, rising), (part.expression, part.this, not rising)]
        else:
            return False, None
        for left, right, up in sides:
            inside = [c for c in left.find_all(exp.Column) if _is_recursive(c, self.alias, self.columns, self.rules)]
            outside = [c for c in right.find_all(exp.Column) if self._own(c)]
            carried = [self._carried(c) for c in outside]
            if len(inside) != 1 or any(c is None for c in carried):
                continue
            column = _is_recursive(inside[0], self.alias, self.columns, self.rules)
            if column is None or column not in self.columns:
                continue
            at = self.columns.index(column)
            if at >= len(self.outputs):
                continue
            direction, step = _step(self.outputs[at], column, self.alias, self.columns, self.rules, self.amounts)
            if direction == 0 or (direction > 0) != up:
                continue
            start = self.amounts.value(self.starts[at]) if at < len(self.starts) else None
            bound = self.amounts.value(right if not (carried and isinstance(right, exp.Column)) else carried[0])
            if start is not None and bound is not None and step:
                turns = abs(bound - start) / step
                if turns > MAX_TURNS:
                    raise RefusedSql("too_large", name=self.name[:60], log=f"recursion of {turns:.0f} turns")
                return True, turns
            if start is not None and bound is None and step:
                if right.find(exp.Column, exp.Anonymous, exp.Select, exp.CurrentDate) is None:
                    continue
                largest = max([self.amounts.number(right), *(self.amounts.number(c) for c in carried)])
                if largest / step > MAX_TURNS * 10:
                    raise RefusedSql("too_large", name=self.name[:60], log="recursion with a huge bound")
            return True, None
        return False, None

    def _carried(self, column: exp.Column) -> Node | None:
        """Return what a column of the recursive row starts with when every turn hands it on as it is."""
        name = _is_recursive(column, self.alias, self.columns, self.rules)
        if name is None or name not in self.columns:
            return None
        at = self.columns.index(name)
        if at >= len(self.outputs) or at >= len(self.starts):
            return None
        output = self.outputs[at]
        return self.starts[at] if _is_recursive(output, self.alias, self.columns, self.rules) == name else None

    def _own(self, column: exp.Column) -> bool:
        """Tell whether a column is of the recursive row (an unqualified one of another source is not)."""
        at = self.found.column_origins.get(id(column))
        if at is not None and at[0] is not None and at[0].name != self.alias:
            return False
        return _is_recursive(column, self.alias, self.columns, self.rules) is not None

    def _refuse_growing(self, output: Node) -> None:
        """``s || s``, ``replace(s, 'x', 'xx')`` and ``repeat(s, 2)`` multiply at every turn."""
        for call in output.find_all(exp.Anonymous):
            kind, arguments = call.name.lower(), call.expressions
            if not arguments or not any(self._own(c) for c in arguments[0].find_all(exp.Column)):
                continue
            if (
                kind == "repeat"
                and len(arguments) > 1
                and self._is_text(arguments[0])
                and self.amounts.number(arguments[1]) > 1
            ):
                raise RefusedSql("too_large", name=self.name[:60], log="text repeated in a recursion")
            if kind in {"replace", "regexp_replace"} and len(arguments) > 2:
                old, new = arguments[1], arguments[2]
                both = isinstance(old, exp.Literal) and isinstance(new, exp.Literal)
                if not both or len(str(new.this)) > (len(str(old.this)) if kind == "replace" else 1):
                    raise RefusedSql("too_large", name=self.name[:60], log="text that multiplies in a recursion")
        _refuse_doubling(self.name, output, self.rules)

    def _is_text(self, node: Node) -> bool:
        """A literal repeated n times is an indentation; the column of the turn before is not."""
        return any(self._own(c) for c in node.find_all(exp.Column))


def _refuse_doubling(name: str, output: Node, rules: DialectRules) -> None:
    """``s || s`` doubles at every turn."""
    grows = output.find(exp.DPipe) is not None or any(a.name.lower() in _GROWS_TEXT for a in output.find_all(exp.Anonymous))
    if not grows:
        return
    seen: set[str] = set()
    for column in output.find_all(exp.Column):
        if isinstance(column.this, exp.Star):
            continue
        key = f"{column.args['table'].name if column.args.get('table') else ''}.{rules.fold(column.this)}"
        if key in seen and not isinstance(column.find_ancestor(exp.Case), exp.Case):
            raise RefusedSql("too_large", name=name[:60], log="text that doubles in a recursion")
        seen.add(key)


def _is_recursive(node: Node, alias: str, columns: list[str], rules: DialectRules) -> str | None:
    """Return the column of the recursive row that ``node`` is."""
    if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
        return None
    table = node.args.get("table")
    column = rules.fold(node.this)
    if table is not None:
        return column if rules.fold(table) == alias else None
    return column if column in columns else None


def _step(
    output: Node, column: str, alias: str, columns: list[str], rules: DialectRules, amounts: Amounts
) -> tuple[int, float | None]:
    """Return how the column moves at each turn: +1, -1 or 0 (not seen), and by how much."""
    while isinstance(output, (exp.Paren, exp.Cast, exp.TryCast, exp.Alias)):
        output = output.this
    if isinstance(output, (exp.Add, exp.Sub)):
        left, right = output.this, output.expression
        sign = 1 if isinstance(output, exp.Add) else -1
        if sign > 0 and _is_recursive(left, alias, columns, rules) and _is_recursive(right, alias, columns, rules):
            return 1, None  # a + b of the row before (Fibonacci): moves unless both are nought
        if _one(left, column, alias, columns, rules):
            step = amounts.value(right)
        elif _one(right, column, alias, columns, rules) and sign > 0:
            step = amounts.value(left)
        else:
            return 0, None
        if step is None or step == 0:
            return 0, None
        return (sign if step > 0 else -sign), abs(step)
    if isinstance(output, exp.Mul):
        factor = amounts.value(output.expression) if _one(output.this, column, alias, columns, rules) else None
        return (1, None) if factor is not None and factor > 1 else (0, None)
    if isinstance(output, exp.Anonymous) and output.expressions:
        name = output.name.lower()
        arguments = output.expressions
        if name in _FORWARD | _BACKWARD and any(_one(a, column, alias, columns, rules) for a in arguments):
            steps = [amounts.value(a) for a in arguments if not _one(a, column, alias, columns, rules)]
            step = next((s for s in steps if s is not None), None)
            if step is None or step == 0:
                return 0, None
            sign = 1 if name in _FORWARD else -1
            return (sign if step > 0 else -sign), abs(step) if name != "add_months" else abs(step) * 30
    return 0, None


def _one(node: Node, column: str, alias: str, columns: list[str], rules: DialectRules) -> bool:
    while isinstance(node, (exp.Paren, exp.Cast, exp.TryCast)):
        node = node.this
    return _is_recursive(node, alias, columns, rules) == column
