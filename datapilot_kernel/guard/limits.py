"""Work that can be seen in the text and is refused before any server is asked: recursion without an end, products of
tables, huge series and texts.

What needs sizes or a plan is in ``cost.py``. Behind both stand the server's own limits (time, memory, rows), in ``sources``.
"""

from __future__ import annotations

from collections import Counter

from sqlglot import exp

from datapilot_kernel.guard import recursion, sizes
from datapilot_kernel.guard.dialects import DialectRules
from datapilot_kernel.guard.reasons import RefusedSql
from datapilot_kernel.guard.scope import Resolution

MAX_SERIES_ROWS = 200_000
MAX_NESTED_ELEMENTS = 5_000_000
MAX_TEXT = 20_000
MAX_WEIGHT = 2.6
MAX_TABLES = 60
MAX_SELF_JOINS = 4
MAX_SELECTS = 150
MAX_EXPONENT = 2_000
MAX_FORMAT_WIDTH = 5

_TEXT = frozenset({"repeat", "lpad", "rpad", "space"})
_SERIES = frozenset({"generate_series", "range"})
_NAMES_A_FUNCTION = frozenset({"list_aggregate", "list_aggr", "array_aggregate", "array_aggr"})
_RESIZED = frozenset({"list_resize", "array_resize"})


def check(tree: exp.Expr, found: Resolution, rules: DialectRules) -> None:
    """Refuse what would obviously be too much work.

    Raises
    ------
    RefusedSql
        ``unbounded_recursion``, ``too_many_joins`` or ``too_large``.
    """
    if len(found.tables) + len(found.wrapped) > MAX_TABLES or len(found.selects) > MAX_SELECTS:
        raise RefusedSql("too_many_joins", log=f"{len(found.tables)} tables, {len(found.selects)} selects")
    for _, scope in found.selects:
        same = Counter(source.table.full for source in scope.sources if source.table is not None)
        if same and max(same.values()) > MAX_SELF_JOINS:
            raise RefusedSql("too_many_joins", log="one table many times")
    for name, cte in found.recursive:
        recursion.check(name, cte, rules)
    if found.heaviest > MAX_WEIGHT:
        raise RefusedSql("too_many_joins", log=f"weight {found.heaviest:.2f}")
    nested = 1.0
    for node in found.calls:
        nested *= _call(node, rules)
    if nested > MAX_NESTED_ELEMENTS:
        raise RefusedSql("too_large", name="generate_series", log="series inside series")
    for power in found.powers:
        exponent = sizes.value(power.args.get("expression"))
        if exponent is not None and abs(exponent) > MAX_EXPONENT:
            raise RefusedSql("too_large", name="^", log="exponent")


def _call(node: exp.Anonymous, rules: DialectRules) -> float:
    """Check one call; return how many elements it makes where it stands in an expression."""
    name = node.name.lower()
    if name in _SERIES:
        rows = sizes.series_rows(node)
        if rows is not None and rows > MAX_SERIES_ROWS:
            raise RefusedSql("too_large", name=name, log=f"series of {rows:.0f}")
        return 1.0 if rows is None or isinstance(node.parent, (exp.Table, exp.Lateral)) else max(rows, 1.0)
    if name in _TEXT:
        length = sizes.text_length(node)
        if length > MAX_TEXT:
            raise RefusedSql("too_large", name=name, log=f"text of {length:.0f}")
    elif name in _RESIZED and len(node.expressions) > 1:
        if sizes.count_of(node.expressions[1]) > MAX_SERIES_ROWS:
            raise RefusedSql("too_large", name=name, log="resized list")
    elif name == "array_fill" and len(node.expressions) > 1:
        total = 1.0
        for dimension in node.expressions[1].find_all(exp.Literal):
            total *= max(sizes.value(dimension) or 1.0, 1.0)
        if total > MAX_SERIES_ROWS:
            raise RefusedSql("too_large", name=name, log="filled array")
    elif name in _NAMES_A_FUNCTION and len(node.expressions) > 1:
        named = node.expressions[1]
        if not (isinstance(named, exp.Literal) and named.is_string and named.this.lower() in rules.functions):
            shown = named.this if isinstance(named, exp.Literal) else name
            raise RefusedSql("forbidden_function", name=str(shown)[:60], log="aggregate named by a text")
    elif name == "factorial" and node.expressions:
        if sizes.count_of(node.expressions[0]) > MAX_EXPONENT:
            raise RefusedSql("too_large", name=name, log="factorial")
    elif name in {"power", "pow"} and len(node.expressions) == 2:
        exponent = sizes.value(node.expressions[1])
        if exponent is not None and abs(exponent) > MAX_EXPONENT:
            raise RefusedSql("too_large", name=name, log="exponent")
    elif name in {"format", "printf"} and node.expressions:
        _format(node.expressions[0], name)
    return 1.0


def _format(node: exp.Expr, name: str) -> None:
    """``format('%1000000000s', x)`` is a repeated blank."""
    if isinstance(node, exp.Literal):
        digits = run = 0
        for char in str(node.this):
            run = run + 1 if char.isdigit() else 0
            digits = max(digits, run)
        if node.is_string and digits >= MAX_FORMAT_WIDTH and "%" in node.this:
            raise RefusedSql("too_large", name=name, log="format width")
        if node.is_string and digits >= MAX_FORMAT_WIDTH and "{" in node.this:
            raise RefusedSql("too_large", name=name, log="format width")
    elif isinstance(node, exp.Anonymous) or node.find(exp.Anonymous) is not None:
        raise RefusedSql("too_large", name=name, log="computed format")
