"""Weight of a query: its rows on a logarithmic scale, as far as the text tells.

1 is a table (taken for ten thousand rows), so two tables without a join condition weigh 2, and what was reduced by
aggregation or DISTINCT weighs half. Apart from it the rows that the statement itself *makes* are weighed (series, VALUES,
counters, unions of constants): their number is known, so neither DISTINCT nor GROUP BY lowers it.

A condition ties two sources when it is an equality whose sides read different sources and can tell rows apart: not a
column that the row filter holds to one value, nor ``x - x``, nor a constant of a CTE.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from sqlglot import exp

from datapilot_kernel.guard.amounts import COLLECTS, SERIES, Amounts

if TYPE_CHECKING:
    from datapilot_kernel.guard.dialects import DialectRules
    from datapilot_kernel.guard.scope import Origin, Resolution, Scope

Node = exp.Expr
TABLE_WEIGHT = 1.0
REDUCED_WEIGHT = 0.5
_SCALE = 4.0  # 10 ** 4 rows weigh 1
_SMALL_FUNCTION = 0.25
_SPREADING = frozenset(
    """
    unnest string_to_table regexp_split_to_table jsonb_array_elements json_array_elements jsonb_array_elements_text
    json_array_elements_text regexp_matches json_object_keys jsonb_object_keys jsonb_path_query
    """.split()  # noqa: SIM905 - words read better as words
)
_AGGREGATES = COLLECTS | frozenset(
    """
    count sum avg min max stddev stddev_pop stddev_samp variance var_pop var_samp
    median mode percentile_cont percentile_disc bool_and bool_or
    every count_star any_value approx_count_distinct quantile quantile_cont quantile_disc first last
    arg_max arg_min histogram corr
    """.split()  # noqa: SIM905 - words read better as words
)


class Weight(NamedTuple):
    """``rows`` of all kinds, and those that the statement ``made``."""

    rows: float = REDUCED_WEIGHT
    made: float = 0.0


class Product(NamedTuple):
    """What a SELECT goes through: by itself, and on top of each row of the query around it."""

    rows: float = 0.0
    made: float = 0.0
    more_rows: float = 0.0
    more_made: float = 0.0


REDUCED = Weight()
NOTHING = Product()


def rows_weight(rows: float) -> float:
    """Weight of a number of rows."""
    return math.log10(max(rows, 1.0)) / _SCALE


def known(rows: float) -> Weight:
    """Weight of rows that the statement makes."""
    return Weight(rows_weight(rows), rows_weight(rows))


def rows_of(weight: float) -> float:
    """Return the number of rows of a weight."""
    return float(10 ** (min(weight, 15.0) * _SCALE))


def united(weights: Iterable[Weight]) -> Weight:
    """Weight of a union."""
    parts = list(weights)
    return Weight(
        rows_weight(sum(rows_of(w.rows) for w in parts)),
        rows_weight(sum(rows_of(w.made) for w in parts)),
    )


def select_weight(node: exp.Select, scope: Scope, rules: DialectRules, found: Resolution) -> Weight:
    """Weight of a SELECT's result; what it goes through is kept in its scope."""
    scope.product = product = _product(node, scope, rules, found)
    found.amounts.rows_of[id(node)] = rows_of(max(min(product.rows, TABLE_WEIGHT), product.made))
    rows, made = product.rows, product.made
    if rows > 0:
        if node.args.get("group") is not None or (node.args.get("distinct") is not None):
            rows = min(rows, REDUCED_WEIGHT) if rows <= TABLE_WEIGHT else rows / 2
            rows = max(rows, made)
        elif _aggregates(node):
            rows = made = 0.0
    spread = max((_spread(item, rules, found.amounts) for item in node.expressions), default=0.0)
    if spread:
        scope.product = Product(product.rows + spread, product.made + spread, product.more_rows, product.more_made + spread)
    return limited(node, Weight(rows + spread, made + spread), found.amounts)


def limited(node: Node, weight: Weight, amounts: Amounts) -> Weight:
    """Bound a weight by the query's own LIMIT."""
    limit = node.args.get("limit")
    count = (
        amounts.value(limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.expression)
        if limit is not None
        else None
    )
    if count is None:
        return weight
    most = rows_weight(count)
    return Weight(most, most) if most < weight.rows else weight


def _spread(node: Node, rules: DialectRules, amounts: Amounts) -> float:
    """Weight of the rows that a function in the list makes of each."""
    while isinstance(node, (exp.Alias, exp.Cast, exp.TryCast, exp.Paren)):
        node = node.this
    if not isinstance(node, exp.Anonymous):
        return 0.0
    name = node.name.lower()
    if name in _SPREADING or (name in SERIES and rules.name == "postgres"):
        return series_weight(node, amounts).made
    return 0.0


def _aggregates(node: exp.Select) -> bool:
    return any(_is_aggregate(e) for e in node.expressions)


def _is_aggregate(node: Node) -> bool:
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, (exp.Window, exp.Subquery, exp.Select)):
            continue
        if isinstance(current, exp.GroupConcat) or (
            isinstance(current, exp.Anonymous) and current.name.lower() in _AGGREGATES
        ):
            return True
        stack.extend(current.iter_expressions())
    return False


# --- what FROM multiplies


def _product(node: exp.Select, scope: Scope, rules: DialectRules, found: Resolution) -> Product:
    """Sources that a condition ties together count once, the others multiply."""
    sources = scope.sources
    if not sources:
        return Product()
    if len(sources) == 1 and not scope.correlated:
        return Product(sources[0].weight, sources[0].made, sources[0].weight, sources[0].made)
    around = len(sources)  # the query around, as one more source
    parent = list(range(around + 1))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    def tie(a: int, b: int) -> None:
        parent[root(a)] = root(b)

    places = {id(s): i for i, s in enumerate(sources)}
    for first, second in scope.ties:
        if first < around and second < around:
            tie(first, second)
    for condition in conditions(node):
        for part in conjuncts(condition):
            for first, second in tied(part, places, around, found, rules, scope):
                tie(first, second)
    groups: dict[int, tuple[float, float]] = {}
    for i, source in enumerate(sources):
        rows, made = groups.get(root(i), (0.0, 0.0))
        groups[root(i)] = (max(rows, source.weight), max(made, source.made))
    outside = root(around)
    return Product(
        sum(r for r, _ in groups.values()),
        sum(m for _, m in groups.values()),
        sum(r for at, (r, _) in groups.items() if at != outside),
        sum(m for at, (_, m) in groups.items() if at != outside),
    )


def total(scope: Scope, seen: dict[int, tuple[float, float]]) -> tuple[float, float]:
    """Rows that a SELECT goes through in all: a correlated one once for each row of the query around it."""
    key = id(scope)
    if key not in seen:
        product = scope.product
        seen[key] = product.rows, product.made
        if scope.correlated and scope.outer is not None:
            rows, made = total(scope.outer, seen)
            seen[key] = max(product.rows, rows + product.more_rows), max(product.made, made + product.more_made)
    return seen[key]


def conditions(node: exp.Select) -> list[Node]:
    """Return WHERE and every ON of a SELECT."""
    found = []
    where = node.args.get("where")
    if where is not None:
        found.append(where.this)
    stack: list[Node] = [node.args["from_"].this] if node.args.get("from_") is not None else []
    joins = list(node.args.get("joins") or ())
    while stack or joins:
        if joins:
            join = joins.pop()
            if join.args.get("on") is not None:
                found.append(join.args["on"])
            stack.append(join.this)
            continue
        source = stack.pop()
        joins.extend(source.args.get("joins") or ())
        if isinstance(source, exp.Subquery) and isinstance(source.this, (exp.Table, exp.Subquery)):
            stack.append(source.this)
    return found


def conjuncts(node: Node) -> list[Node]:
    """Cut a condition up at its ANDs."""
    parts, stack = [], [node]
    while stack:
        current = stack.pop()
        if isinstance(current, exp.And):
            stack.extend([current.this, current.expression])
        elif isinstance(current, exp.Paren):
            stack.append(current.this)
        else:
            parts.append(current)
    return parts


def tied(
    part: Node, places: dict[int, int], around: int, found: Resolution, rules: DialectRules, scope: Scope
) -> list[tuple[int, int]]:
    """Return the pairs of sources that one condition ties."""
    if isinstance(part, (exp.EQ, exp.NullSafeEQ)):
        sides = [part.this, part.expression]
    elif isinstance(part, exp.In) and part.expressions and not any(isinstance(e, exp.Literal) for e in part.expressions):
        sides = [part.this, *part.expressions]
    else:
        return []
    if isinstance(sides[0], exp.Tuple) and len(sides) == 2 and isinstance(sides[1], exp.Tuple):
        pairs = []
        for left, right in zip(sides[0].expressions, sides[1].expressions, strict=False):
            pairs.extend(_tie_of([left, right], places, around, found, rules, scope))
        return pairs
    return _tie_of(sides, places, around, found, rules, scope)


def _tie_of(
    sides: list[Node], places: dict[int, int], around: int, found: Resolution, rules: DialectRules, scope: Scope
) -> list[tuple[int, int]]:
    reads = []
    for side in sides:
        if _cancels(side):
            return []
        seen = _sources_of(side, places, around, found, rules, scope)
        if not seen:
            return []
        reads.append(seen)
    first = reads[0]
    return [(first[0], other[0]) for other in reads[1:] if not set(first) & set(other)]


def _sources_of(
    side: Node, places: dict[int, int], around: int, found: Resolution, rules: DialectRules, scope: Scope
) -> list[int]:
    """Places of the sources that one side reads (``around``: of the query around), by columns that tell rows apart."""
    seen: list[int] = []
    for column in side.find_all(exp.Column):
        at = found.column_origins.get(id(column))
        if at is None or at[0] is None:
            table = column.args.get("table")
            if table is not None:
                name = rules.fold(table)
                seen.extend([i for i, s in enumerate(scope.sources) if s.name == name and i not in seen][:1])
            continue
        source, origin = at
        place = places.get(id(source))
        if place is None:
            if not _within(column, side):
                place = around
            else:
                continue
        if place not in seen and varies(origin, found):
            seen.append(place)
    return seen


def _within(column: Node, side: Node) -> bool:
    """Tell whether a column stands in a query of its own inside ``side``."""
    node: Node | None = column.find_ancestor(exp.Select)
    while node is not None and node is not side:
        node = node.parent
    return node is side


def varies(origin: Origin, found: Resolution, depth: int = 0) -> bool:
    """Tell whether a column tells rows apart: not one that the row filter holds to a value, nor a constant."""
    if origin.fixed:
        return False
    if not origin.defined or depth > 20 or any(d != origin.defined[0] for d in origin.defined):
        return True
    return any(_varies(definition, found, depth) for definition in origin.defined)


def _varies(node: Node, found: Resolution, depth: int) -> bool:
    if isinstance(node, (exp.Literal, exp.Null, exp.Boolean)) or _cancels(node):
        return False
    columns = list(node.find_all(exp.Column))
    if not columns:
        return not isinstance(node, (exp.Cast, exp.Paren, exp.Neg))
    for column in columns:
        at = found.column_origins.get(id(column))
        if at is None or varies(at[1], found, depth + 1):
            return True
    return node.find(exp.Window) is not None or _is_aggregate(node)


def _cancels(side: Node) -> bool:
    """``x - x``, ``x * 0``, ``x % 1``, ``x > 0``, ``sign(x)``: the same for every row, or for half of them."""
    while isinstance(side, (exp.Paren, exp.Cast)):
        side = side.this
    if isinstance(side, (exp.Is, exp.Not, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ, exp.NEQ, exp.In, exp.Between)):
        return True
    if isinstance(side, exp.Case):
        branches = [b.args.get("true") for b in side.args.get("ifs") or ()] + [side.args.get("default")]
        if not any(b is not None and b.find(exp.Column) is not None for b in branches):
            return True
    if isinstance(side, exp.Anonymous):
        name, literal = side.name.lower(), [isinstance(a, exp.Literal) for a in side.expressions]
        if name in {"sign", "isnull"} or (name in {"greatest", "least"} and any(literal)):
            return True
        if name in {"coalesce", "ifnull"} and literal[:1] == [True]:
            return True
    for node in side.find_all(exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod):
        left, right = node.this, node.args.get("expression")
        if isinstance(node, exp.Mul):
            if any(isinstance(f, exp.Literal) and not f.is_string and float(f.this) == 0 for f in (left, right)):
                return True
        elif isinstance(node, exp.Mod):
            if isinstance(right, exp.Literal) and not right.is_string and float(right.this) <= 1:
                return True
        elif left == right:
            return True
    return False


def series_weight(node: Node, amounts: Amounts) -> Weight:
    """Weight of a table function."""
    if isinstance(node, exp.JSONTable):
        made = rows_weight(amounts.size(node.this))
        return Weight(max(_SMALL_FUNCTION, made), made)
    if not isinstance(node, exp.Anonymous):
        return Weight(_SMALL_FUNCTION)
    if node.name.lower() in SERIES:
        rows = amounts.series_rows(node)
        if rows is None:  # bounded by a column of another source, or by a subquery
            columns = any(a.find(exp.Column) for a in node.expressions)
            return Weight(1.3 if columns and not any(a.find(exp.Select) for a in node.expressions) else 0.5)
        return known(rows)
    made = rows_weight(max((amounts.size(a) for a in node.expressions[:1]), default=1.0))
    return Weight(max(_SMALL_FUNCTION, made), made)


def using_ties(pairs: Iterable[tuple[Origin | None, Origin | None]], found: Resolution) -> bool:
    """Tell whether the columns of USING or NATURAL tie: one of them tells rows apart on both sides."""
    return any((a is None or varies(a, found)) and (b is None or varies(b, found)) for a, b in pairs)
