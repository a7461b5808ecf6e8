"""Work that can be seen in the text and is refused before any server is asked: recursion without an end, products of
tables, huge series and texts.

What needs sizes or a plan is in ``cost.py``. Behind both stand the server's own limits (time, memory, rows), in ``sources``.
The estimates are in ``amounts`` (values, texts, lists) and ``sizes`` (rows); here are the bounds.
"""

from __future__ import annotations

import re
from collections import Counter

from sqlglot import exp

from datapilot_kernel.guard import sizes
from datapilot_kernel.guard.amounts import SERIES, Amounts
from datapilot_kernel.guard.dialects import DialectRules
from datapilot_kernel.guard.reasons import RefusedSql
from datapilot_kernel.guard.scope import Resolution, Scope

MAX_SERIES_ROWS = 200_000
MAX_NESTED_ELEMENTS = 5_000_000
MAX_TEXT = 20_000  # made by one call: repeat, lpad…
MAX_SIZE = 5e7  # of any text or list, as far as it can be followed
MAX_WORK = 1e9  # characters over all rows that the statement makes
MAX_RUNNING = 1e8  # elements of lists that a window collects again for each row
MAX_PAIRS = 1e8  # of functions that compare each element with each
MAX_WEIGHT = 2.6
MAX_MADE = 1.76  # ten million rows
MAX_TABLES = 60
MAX_SELF_JOINS = 4
MAX_SELECTS = 150
MAX_EXPONENT = 2_000
MAX_FORMAT_WIDTH = 5

MAX_REDUCED = 1e6
MAX_GROUPINGS = 1_024

_TEXT = frozenset({"repeat", "lpad", "rpad", "space", "bar", "to_base"})
_NAMES_A_FUNCTION = frozenset({"list_aggregate", "list_aggr", "array_aggregate", "array_aggr"})
_RESIZED = frozenset({"list_resize", "array_resize"})
_PAIRWISE = frozenset(
    {"levenshtein", "editdist3", "damerau_levenshtein", "jaro_similarity", "jaro_winkler_similarity", "jaccard"}
)
_REDUCES = frozenset({"list_reduce", "array_reduce", "reduce"})
_JOINS_TEXT = frozenset({"concat", "concat_ws", "list_concat", "array_concat", "list_cat", "array_cat", "repeat", "replace"})
_SELF_JOIN_PATH = re.compile(r"\?.*\$\s*[\[.]", re.DOTALL)


def check(tree: exp.Expr, found: Resolution, rules: DialectRules) -> None:
    """Refuse what would obviously be too much work.

    Raises
    ------
    RefusedSql
        ``unbounded_recursion``, ``too_many_joins`` or ``too_large``.
    """
    if len(found.tables) + len(found.wrapped) > MAX_TABLES or len(found.selects) > MAX_SELECTS:
        raise RefusedSql("too_many_joins", log=f"{len(found.tables)} tables, {len(found.selects)} selects")
    rows = _products(found)
    nested = 1.0
    for node in found.calls:
        nested *= _call(node, rules, found.amounts)
    if nested > MAX_NESTED_ELEMENTS:
        raise RefusedSql("too_large", name="generate_series", log="series inside series")
    for grown in (*found.calls, *found.growing):
        _size(grown, found.amounts, rows)
    for power in found.powers:
        exponent = found.amounts.value(power.args.get("expression"))
        if exponent is not None and abs(exponent) > MAX_EXPONENT:
            raise RefusedSql("too_large", name="^", log="exponent")


def _products(found: Resolution) -> dict[int, float]:
    """Check what each SELECT goes through; return the rows that the statement makes there, by id of the SELECT."""
    seen: dict[int, tuple[float, float]] = {}
    made_of: dict[int, float] = {}
    for select, scope in found.selects:
        _self_joins(scope)
        _groupings(select)
        weight, made = sizes.total(scope, seen)
        if weight > MAX_WEIGHT or made > MAX_MADE:
            raise RefusedSql("too_many_joins", log=f"weight {weight:.2f}, made {made:.2f}")
        made_of[id(select)] = sizes.rows_of(made)
    return made_of


def _self_joins(scope: Scope) -> None:
    same = Counter(source.table.full for source in scope.sources if source.table is not None)
    if same and max(same.values()) > MAX_SELF_JOINS:
        raise RefusedSql("too_many_joins", log="one table many times")


def _size(node: exp.Expr, amounts: Amounts, rows: dict[int, float]) -> None:
    """Bound a text or list, by itself and over the rows that the statement makes."""
    size = amounts.size(node)
    if size < 1_000:
        return
    name = node.name.lower() if isinstance(node, exp.Anonymous) else "||"
    if size > MAX_SIZE:
        raise RefusedSql("too_large", name=name[:60], log=f"text or list of {size:.0f}")
    over = node.parent
    many = rows.get(id(node.find_ancestor(exp.Select)), 1.0)
    running = isinstance(over, exp.Window) and over.args.get("order") is not None
    if many > 1 and size * many > (MAX_RUNNING if running else MAX_WORK):
        raise RefusedSql("too_large", name=name[:60], log=f"text or list of {size:.0f} in {many:.0f} rows")


def _call(node: exp.Anonymous, rules: DialectRules, amounts: Amounts) -> float:
    """Check one call; return how many elements it makes where it stands in an expression."""
    name, arguments = node.name.lower(), node.expressions
    if name in SERIES:
        rows = amounts.series_rows(node)
        if rows is not None and rows > MAX_SERIES_ROWS:
            raise RefusedSql("too_large", name=name, log=f"series of {rows:.0f}")
        return 1.0 if rows is None or isinstance(node.parent, (exp.Table, exp.Lateral)) else max(rows, 1.0)
    if name in _TEXT:
        length = amounts.size(node)
        if length > MAX_TEXT:
            raise RefusedSql("too_large", name=name, log=f"text of {length:.0f}")
    elif name in _RESIZED and len(arguments) > 1:
        if amounts.number(arguments[1]) > MAX_SERIES_ROWS:
            raise RefusedSql("too_large", name=name, log="resized list")
    elif name == "array_fill" and len(arguments) > 1:
        if amounts.size(node) > MAX_SERIES_ROWS:
            raise RefusedSql("too_large", name=name, log="filled array")
    elif name in _NAMES_A_FUNCTION and len(arguments) > 1:
        named = arguments[1]
        if not (isinstance(named, exp.Literal) and named.is_string and named.this.lower() in rules.functions):
            shown = named.this if isinstance(named, exp.Literal) else name
            raise RefusedSql("forbidden_function", name=str(shown)[:60], log="aggregate named by a text")
    elif name == "factorial" and arguments:
        if amounts.number(arguments[0]) > MAX_EXPONENT:
            raise RefusedSql("too_large", name=name, log="factorial")
    elif name in {"power", "pow"} and len(arguments) == 2:
        exponent = amounts.value(arguments[1])
        if exponent is not None and abs(exponent) > MAX_EXPONENT:
            raise RefusedSql("too_large", name=name, log="exponent")
    elif (name in {"format", "printf"} and arguments and rules.name != "mysql") or (name == "sformat" and arguments):
        _format(arguments[0], name)
    elif name in _PAIRWISE and len(arguments) > 1:
        if amounts.size(arguments[0]) * amounts.size(arguments[1]) > MAX_PAIRS:
            raise RefusedSql("too_large", name=name, log="long texts compared")
    elif name in _REDUCES:
        _reduction(node, name, amounts)
    elif name.startswith("jsonb_path_") and len(arguments) > 1:
        path = arguments[1]
        if isinstance(path, exp.Literal) and _SELF_JOIN_PATH.search(str(path.this)) and amounts.size(arguments[0]) > 1_000:
            raise RefusedSql("too_large", name=name, log="a path that compares each element with each")
    return 1.0


def _groupings(select: exp.Select) -> None:
    """``CUBE`` of ten columns groups a thousand times."""
    group = select.args.get("group")
    if group is None:
        return
    sets = 1.0
    for part in [*group.expressions, *(group.args.get("cube") or ()), *(group.args.get("rollup") or ())]:
        if isinstance(part, exp.Cube):
            sets *= 2.0 ** min(len(part.expressions), 60)
        elif isinstance(part, exp.Rollup):
            sets *= len(part.expressions) + 1.0
    if sets > MAX_GROUPINGS:
        raise RefusedSql("too_large", name="CUBE", log=f"{sets:.0f} groupings")


def _reduction(node: exp.Anonymous, name: str, amounts: Amounts) -> None:
    """``list_reduce(l, (a, b) -> a || a)`` doubles at every element."""
    for step in node.expressions:
        if not isinstance(step, exp.Lambda):
            continue
        body = step.this
        if body.find(exp.DPipe) is None and not any(a.name.lower() in _JOINS_TEXT for a in body.find_all(exp.Anonymous)):
            continue
        if amounts.size(node.expressions[0]) > MAX_REDUCED:
            raise RefusedSql("too_large", name=name, log="a long list put together step by step")
        names = Counter(str(i.this).lower() for i in body.find_all(exp.Identifier))
        parameter = step.expressions[0] if step.expressions else None
        if parameter is not None and names[str(parameter.name).lower()] > 1:
            raise RefusedSql("too_large", name=name, log="a reduction that doubles")


def _format(node: exp.Expr, name: str) -> None:
    """``format('%1000000000s', x)`` is a repeated blank; so is a width that is an argument or is put together."""
    while isinstance(node, (exp.Paren, exp.Cast)):
        node = node.this
    if isinstance(node, exp.Null):
        return
    if not isinstance(node, exp.Literal) or not node.is_string:
        raise RefusedSql("too_large", name=name, log="computed format")
    text = str(node.this)
    wide = any(len(digits) >= MAX_FORMAT_WIDTH for digits in re.findall(r"\d+", text)) and ("%" in text or "{" in text)
    if wide or re.search(r"%[^A-Za-z%]*\*", text) or re.search(r"\{[^{}]*:[^{}]*\{", text):
        raise RefusedSql("too_large", name=name, log="format width")
