"""How much a piece of a statement could produce, as far as the text tells: rows of a series, length of a text, weight
of a query.

Sizes are estimates on the safe side of honest statements: a column counts as ``COLUMN`` (so ``repeat('█', montant /
1000)`` is small and ``repeat('x', id * 100000000)`` is not); what cannot be told counts as small, and the server's
own limits stand behind it.

The *weight* of a query is its rows on a logarithmic scale: 1 is a table (taken for ten thousand rows), so two tables
without a join condition weigh 2, and what was reduced by aggregation or DISTINCT weighs half.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from datapilot_kernel.guard.dialects import DialectRules
    from datapilot_kernel.guard.scope import Resolution, Scope

Node = exp.Expr
COLUMN = 1_000.0
TABLE_WEIGHT = 1.0
REDUCED_WEIGHT = 0.5
_SCALE = 4.0  # 10 ** 4 rows weigh 1
_HUGE = 1e18
_DAYS = {"MICROSECOND": 1e-11, "MILLISECOND": 1e-8, "SECOND": 1 / 86400,
         "MINUTE": 1 / 1440, "HOUR": 1 / 24, "DAY": 1.0, "WEEK": 7.0,
         "MONTH": 30.0, "QUARTER": 91.0, "YEAR": 365.0, "DECADE": 3650.0, "CENTURY": 36500.0}  # fmt: skip
_DATE = re.compile(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2}))?")
_SPAN = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([A-Za-z]+)")
_TODAY = {
    "now",
    "current_date",
    "curdate",
    "today",
    "current_timestamp",
    "localtimestamp",
    "sysdate",
    "utc_date",
    "utc_timestamp",
}
_AGGREGATES = frozenset(
    """
    count sum avg min max stddev stddev_pop stddev_samp variance var_pop var_samp array_agg string_agg
    group_concat json_agg jsonb_agg json_arrayagg median mode percentile_cont percentile_disc bool_and bool_or
    every list count_star any_value approx_count_distinct quantile quantile_cont quantile_disc first last
    arg_max arg_min json_group_array histogram corr
    """.split()  # noqa: SIM905 - words read better as words
)


def rows_weight(rows: float) -> float:
    """Weight of a number of rows."""
    return math.log10(max(rows, 1.0)) / _SCALE


def united(weights: Iterable[float]) -> float:
    """Weight of a union."""
    return rows_weight(sum(10 ** (min(w, 60.0) * _SCALE) for w in weights))


def value(node: Node | None) -> float | None:
    """Evaluate a number or a date (in days); None: it cannot be told."""
    if node is None:
        return None
    if isinstance(node, exp.Literal):
        text = str(node.this)
        if not node.is_string:
            return float(text)
        return _date_value(text) if not re.fullmatch(r"\s*[+-]?\d+(\.\d+)?\s*", text) else float(text)
    if isinstance(node, (exp.Paren, exp.Cast, exp.TryCast)):
        return value(node.this)
    if isinstance(node, exp.Neg):
        inner = value(node.this)
        return None if inner is None else -inner
    if isinstance(node, exp.Interval):
        return _span_value(node)
    if isinstance(node, exp.Column):
        return None
    if isinstance(node, (exp.CurrentDate, exp.CurrentTimestamp, exp.Localtimestamp)):
        return float(datetime.date.today().toordinal())  # noqa: DTZ011 - a size, not an instant
    if isinstance(node, exp.Subquery):
        return value(node.this)
    if isinstance(node, exp.Select):
        return value(node.expressions[0]) if len(node.expressions) == 1 else None
    if isinstance(node, exp.Alias):
        return value(node.this)
    if isinstance(node, exp.Case):
        return _largest([b.args.get("true") for b in node.args.get("ifs") or ()] + [node.args.get("default")])
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Pow, exp.Mod)):
        return _arithmetic(node)
    if isinstance(node, exp.Anonymous):
        name = node.name.lower()
        if name in _TODAY:
            return float(datetime.date.today().toordinal())  # noqa: DTZ011
        arguments = node.expressions
        if name in {"power", "pow"} and len(arguments) == 2:
            return _power(value(arguments[0]), value(arguments[1]))
        if name in {"least"}:
            known = [v for v in map(value, arguments) if v is not None]
            return min(known) if known else None
        if name in {"greatest", "coalesce", "ifnull", "nvl", "if", "nullif"}:
            return _largest(arguments)
        if name in {
            "round",
            "floor",
            "ceil",
            "ceiling",
            "abs",
            "trunc",
            "truncate",
            "date_trunc",
            "date",
            "max",
            "min",
            "to_date",
            "str_to_date",
            "make_date",
            "sum",
        }:
            return _largest(arguments)
        if name in {"exp"} and arguments:
            inner = value(arguments[0])
            return None if inner is None else _power(math.e, inner)
    return None


def _largest(nodes: list[Node | None]) -> float | None:
    known = [v for v in map(value, nodes) if v is not None]
    return max(known) if known else None


def _power(base: float | None, exponent: float | None) -> float | None:
    if base is None or exponent is None:
        return None
    try:
        return float(min(abs(base) ** exponent, _HUGE))
    except (OverflowError, ZeroDivisionError):
        return _HUGE


def _arithmetic(node: Node) -> float | None:
    left, right = value(node.this), value(node.args.get("expression"))
    if isinstance(node, exp.Pow):
        return _power(left, right)
    if isinstance(node, (exp.Add, exp.Sub)):
        if left is None or right is None:
            return None
        return left + right if isinstance(node, exp.Add) else left - right
    if isinstance(node, exp.Mul):
        # an unknown factor is a column
        return (COLUMN if left is None else left) * (COLUMN if right is None else right)
    if isinstance(node, exp.Mod):
        return right
    if right in {None, 0.0}:
        return left
    assert right is not None
    return None if left is None else left / right


def _date_value(text: str) -> float | None:
    match = _DATE.match(text)
    if match is None:
        return None
    try:
        day = datetime.date(int(match[1]), int(match[2]), int(match[3])).toordinal()
    except ValueError:
        return None
    return day + (int(match[4]) / 24 + int(match[5]) / 1440 if match[4] else 0.0)


def _span_value(node: exp.Interval) -> float | None:
    """Days of an interval."""
    unit = node.args.get("unit")
    inner = node.this
    if unit is not None:
        count = value(inner)
        days = _DAYS.get(unit.name.upper().removesuffix("S") if isinstance(unit, exp.Var) else "")
        return None if count is None or days is None else count * days
    if isinstance(inner, exp.Literal):
        found = _SPAN.findall(str(inner.this))
        if found:
            total = 0.0
            for count, word in found:
                singular = word.upper().removesuffix("S")
                short = {
                    "MON": "MONTH",
                    "MIN": "MINUTE",
                    "SEC": "SECOND",
                    "H": "HOUR",
                    "D": "DAY",
                    "Y": "YEAR",
                    "M": "MONTH",
                    "W": "WEEK",
                }
                days = _DAYS.get(short.get(singular, singular))
                if days is None:
                    return None
                total += float(count) * days
            return total
    return None


def series_rows(node: exp.Anonymous) -> float | None:
    """Rows (or elements) of ``generate_series``/``range``; None: it cannot be told."""
    arguments = node.expressions
    if not arguments:
        return 0.0
    if len(arguments) == 1:
        return value(arguments[0])
    start, end = value(arguments[0]), value(arguments[1])
    if start is None or end is None:
        return None if end is None or start is not None else (end if abs(end) > 1e9 else None)
    step = value(arguments[2]) if len(arguments) > 2 else 1.0
    if step == 0.0:
        return _HUGE
    if step is None:
        return None
    return max((end - start) / step + 1, 0.0)


def text_length(node: Node | None) -> float:
    """Length of a text, roughly; what is not known counts as short."""
    if isinstance(node, exp.Literal) and node.is_string:
        return float(len(node.this))
    if isinstance(node, (exp.Paren, exp.Cast, exp.Alias)):
        return text_length(node.this)
    if isinstance(node, exp.DPipe):
        return text_length(node.this) + text_length(node.expression)
    if isinstance(node, exp.Subquery) or (isinstance(node, exp.Select) and len(node.expressions) == 1):
        return text_length(node.this if isinstance(node, exp.Subquery) else node.expressions[0])
    if isinstance(node, exp.Anonymous):
        name, arguments = node.name.lower(), node.expressions
        if name == "repeat" and len(arguments) == 2:
            return max(text_length(arguments[0]), 1.0) * count_of(arguments[1])
        if name in {"lpad", "rpad"} and len(arguments) >= 2:
            return count_of(arguments[1])
        if name == "space" and arguments:
            return count_of(arguments[0])
        if name in {"concat", "concat_ws", "replace", "regexp_replace"}:
            total = sum(text_length(a) for a in arguments)
            return (
                total
                if name.startswith("concat")
                else max((text_length(a) for a in arguments), default=0.0) ** (2 if total > 200 else 1)
            )
        return max((text_length(a) for a in arguments), default=0.0)
    return 1.0


def count_of(node: Node | None) -> float:
    """A number of times; what is not known counts as a column."""
    found = value(node)
    if found is None:
        found = COLUMN if node is not None and node.find(exp.Column) is not None else 1.0
    return abs(found)


# --- weights --------------------------------------------------------------------------------------------------------------


def select_weight(node: exp.Select, scope: Scope, rules: DialectRules, found: Resolution) -> float:
    """Weight of a SELECT's result; also kept as ``found.heaviest`` before it is reduced."""
    weight = product_weight(node, scope, rules, found)
    found.heaviest = max(found.heaviest, weight)
    if weight > 0:
        if node.args.get("group") is not None or (node.args.get("distinct") is not None):
            weight = min(weight, REDUCED_WEIGHT) if weight <= TABLE_WEIGHT else weight / 2
        elif _aggregates(node):
            weight = 0.0
    return limited(node, weight)


def limited(node: Node, weight: float) -> float:
    """Bound a weight by the query's own LIMIT."""
    limit = node.args.get("limit")
    count = (
        value(limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.expression) if limit is not None else None
    )
    return weight if count is None else min(weight, rows_weight(count))


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


def product_weight(node: exp.Select, scope: Scope, rules: DialectRules, found: Resolution) -> float:
    """Weight of FROM: sources that a condition ties together count once, the others multiply."""
    sources = scope.sources
    if len(sources) <= 1:
        return sources[0].weight if sources else 0.0
    parent = list(range(len(sources)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    def tie(a: int, b: int) -> None:
        parent[root(a)] = root(b)

    places = {id(s): i for i, s in enumerate(sources)}
    for first, second in scope.ties:
        if first < len(sources) and second < len(sources):
            tie(first, second)
    for condition in conditions(node):
        for part in conjuncts(condition):
            tied = _tied(part, places, found, rules, scope)
            for other in tied[1:]:
                tie(tied[0], other)
    groups: dict[int, float] = {}
    for i, source in enumerate(sources):
        groups[root(i)] = max(groups.get(root(i), 0.0), source.weight)
    return sum(groups.values())


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


def _tied(part: Node, places: dict[int, int], found: Resolution, rules: DialectRules, scope: Scope) -> list[int]:
    """Sources that one condition ties: an equality between two of them (not over a column that the row filter fixes)."""
    if isinstance(part, exp.Or):
        return []
    if not isinstance(
        part,
        (exp.EQ, exp.NullSafeEQ, exp.Between, exp.Like, exp.ILike, exp.In, exp.GTE, exp.LTE, exp.LT, exp.GT, exp.Anonymous),
    ):
        return []
    strong = isinstance(part, (exp.EQ, exp.NullSafeEQ, exp.In))
    if not strong:
        return []
    seen: list[int] = []
    for column in part.find_all(exp.Column):
        at = found.column_origins.get(id(column))
        if at is None or at[0] is None:
            table = column.args.get("table")
            if table is not None:
                name = rules.fold(table)
                seen.extend([i for i, s in enumerate(scope.sources) if s.name == name][:1])
            continue
        source, origin = at
        place = places.get(id(source))
        if place is None:
            continue
        if source is not None and source.table is not None and origin.column in source.table.fixed:
            continue
        if place not in seen:
            seen.append(place)
    return seen


def series_weight(node: Node) -> float:
    """Weight of a table function."""
    if not isinstance(node, exp.Anonymous):
        return 0.25
    name = node.name.lower()
    if name in {"generate_series", "range"}:
        rows = series_rows(node)
        if rows is None:  # bounded by a column of another source, or by a subquery
            return (
                1.3
                if any(a.find(exp.Column) for a in node.expressions)
                and not any(a.find(exp.Select) for a in node.expressions)
                else 0.5
            )
        return rows_weight(rows)
    return 0.25
