"""Recursive CTEs: only those whose end can be seen.

A recursion ends when a value of the recursive row moves at every turn and a condition stops it
(``n + 1 … WHERE n < 100``, a calendar), when it walks a table from row to row along a key (a tree of categories), or when
UNION drops rows that came before and nothing new is computed. A wrong guess costs a timeout on the server, no more.
"""

from __future__ import annotations

from sqlglot import exp

from datapilot_kernel.guard import sizes
from datapilot_kernel.guard.dialects import DialectRules
from datapilot_kernel.guard.reasons import RefusedSql

Node = exp.Expr
MAX_TURNS = 20_000
_GROWS_TEXT = frozenset(
    {"concat", "concat_ws", "repeat", "lpad", "rpad", "array_cat", "list_concat", "list_cat", "array_concat", "replace"}
)
_FORWARD = frozenset({"date_add", "adddate", "add_months", "timestampadd", "addtime"})
_BACKWARD = frozenset({"date_sub", "subdate", "subtime"})


def check(name: str, cte: exp.CTE, rules: DialectRules) -> None:
    """Refuse a recursive CTE whose end cannot be seen.

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
    for member, distinct in members:
        references = [t for t in member.find_all(exp.Table) if _refers(t, name, rules)]
        if not references:
            continue
        if len(references) > 1:
            raise _refused(name, "several references")
        _check_member(name, member, references[0], distinct, columns, starts, rules)


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


def _check_member(
    name: str,
    member: exp.Select,
    reference: exp.Table,
    distinct: bool,
    columns: list[str],
    starts: list[Node],
    rules: DialectRules,
) -> None:
    alias = rules.fold(reference.args["alias"].this) if reference.args.get("alias") is not None else name
    outputs = [e.this if isinstance(e, exp.Alias) else e for e in member.expressions]
    for output in outputs:
        _refuse_doubling(name, output, rules)
    from_ = member.args.get("from_")
    joins = list(member.args.get("joins") or ()) + list(member.args.get("laterals") or ())
    alone = not joins and from_ is not None and from_.this is reference
    parts = [p for c in sizes.conditions(member) for p in sizes.conjuncts(c)]
    if not alone and not any(_links(p, alias, rules) for p in parts) and not _using(joins):
        raise _refused(name, "joined without a condition")
    if any(_bounds(p, alias, columns, outputs, starts, rules, name, alone=alone) for p in parts):
        return
    if member.args.get("limit") is not None and sizes.value(getattr(member.args["limit"], "expression", None)) is not None:
        return
    if not alone and any(_walks(p, alias, columns, outputs, rules) for p in parts):
        return
    if distinct and all(isinstance(o, (exp.Column, exp.Literal)) for o in outputs):
        return
    raise _refused(name, "no visible end")


def _using(joins: list[Node]) -> bool:
    return any(j.args.get("using") for j in joins)


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


def _links(part: Node, alias: str, rules: DialectRules) -> bool:
    """Tell whether an equality ties the recursive row to another source."""
    if not isinstance(part, (exp.EQ, exp.In, exp.Like, exp.Anonymous, exp.GT, exp.LT, exp.GTE, exp.LTE, exp.Between)):
        return False
    tables = {rules.fold(c.args["table"]) if c.args.get("table") is not None else "" for c in part.find_all(exp.Column)}
    return len(tables) > 1 or "" in tables


def _walks(part: Node, alias: str, columns: list[str], outputs: list[Node], rules: DialectRules) -> bool:
    """``JOIN t ON t.parent = r.id`` with ``t.id`` coming out where ``r.id`` stood."""
    if not isinstance(part, exp.EQ):
        return False
    for mine, other in ((part.this, part.expression), (part.expression, part.this)):
        moved = isinstance(mine, (exp.Add, exp.Sub)) and bool(sizes.value(mine.expression))
        column = _is_recursive(mine.this if moved else mine, alias, columns, rules)
        if column is None or not isinstance(other, exp.Column) or isinstance(other.this, exp.Star):
            continue
        if column not in columns:
            continue
        at = columns.index(column)
        if at >= len(outputs):
            continue
        output = outputs[at]
        if not isinstance(output, exp.Column) or isinstance(output.this, exp.Star):
            continue
        table, far = output.args.get("table"), other.args.get("table")
        if table is not None and rules.fold(table) == alias:
            continue
        if (
            moved
            or rules.fold(output.this) != rules.fold(other.this)
            or (table is not None and far is not None and rules.fold(table) != rules.fold(far))
        ):
            return True
    return False


def _bounds(
    part: Node,
    alias: str,
    columns: list[str],
    outputs: list[Node],
    starts: list[Node],
    rules: DialectRules,
    name: str,
    *,
    alone: bool,
) -> bool:
    """Tell whether ``part`` stops a value that moves towards it."""
    if isinstance(part, exp.Between):
        upper: Node = exp.LTE(this=part.this.copy(), expression=part.args["high"].copy())
        lower: Node = exp.GTE(this=part.this.copy(), expression=part.args["low"].copy())
        return any(_bounds(p, alias, columns, outputs, starts, rules, name, alone=alone) for p in (upper, lower))
    if not isinstance(part, (exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NEQ)):
        return False
    rising = isinstance(part, (exp.LT, exp.LTE))
    for left, right, up in ((part.this, part.expression, rising), (part.expression, part.this, not rising)):
        inside = [c for c in left.find_all(exp.Column) if _is_recursive(c, alias, columns, rules)]
        outside = [c for c in right.find_all(exp.Column) if _is_recursive(c, alias, columns, rules)]
        if len(inside) != 1 or outside or isinstance(part, exp.NEQ):
            continue
        column = _is_recursive(inside[0], alias, columns, rules)
        if column is None or column not in columns:
            continue
        at = columns.index(column)
        if at >= len(outputs):
            continue
        direction, step = _step(outputs[at], column, alias, columns, rules)
        if direction == 0 or (direction > 0) != up:
            continue
        start = sizes.value(starts[at]) if at < len(starts) else None
        bound = sizes.value(right)
        if start is not None and bound is not None and step:
            turns = abs(bound - start) / step
            if turns > MAX_TURNS:
                raise RefusedSql("too_large", name=name[:60], log=f"recursion of {turns:.0f} turns")
        elif (
            start is not None
            and bound is None
            and step
            and right.find(exp.Column) is None
            and right.find(exp.Anonymous, exp.Select, exp.CurrentDate) is None
        ):
            continue
        return True
    return False


def _step(output: Node, column: str, alias: str, columns: list[str], rules: DialectRules) -> tuple[int, float | None]:
    """Return how the column moves at each turn: +1, -1 or 0 (not seen), and by how much."""
    while isinstance(output, (exp.Paren, exp.Cast, exp.TryCast, exp.Alias)):
        output = output.this
    if isinstance(output, (exp.Add, exp.Sub)):
        left, right = output.this, output.expression
        sign = 1 if isinstance(output, exp.Add) else -1
        if sign > 0 and _is_recursive(left, alias, columns, rules) and _is_recursive(right, alias, columns, rules):
            return 1, None  # a + b of the row before (Fibonacci): moves unless both are nought
        if _one(left, column, alias, columns, rules):
            step = sizes.value(right)
        elif _one(right, column, alias, columns, rules) and sign > 0:
            step = sizes.value(left)
        else:
            return 0, None
        if step is None or step == 0:
            return 0, None
        return (sign if step > 0 else -sign), abs(step)
    if isinstance(output, exp.Mul):
        factor = sizes.value(output.expression) if _one(output.this, column, alias, columns, rules) else None
        return (1, None) if factor is not None and factor > 1 else (0, None)
    if isinstance(output, exp.Anonymous) and output.expressions:
        name = output.name.lower()
        arguments = output.expressions
        if name in _FORWARD | _BACKWARD and any(_one(a, column, alias, columns, rules) for a in arguments):
            steps = [sizes.value(a) for a in arguments if not _one(a, column, alias, columns, rules)]
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
