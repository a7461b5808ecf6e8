"""How much an expression could produce: the value of a number, the length of a text or list, the rows of a series.

Everything is an estimate on the safe side of honest statements. A column of a table counts as ``COLUMN`` (so
``repeat('█', montant / 1000)`` is small and ``repeat('x', id * 100000000)`` is not); a column of a CTE or derived table is
*followed* to the expression that defines it, so a size cannot be hidden behind a name. What cannot be told counts as
small: the server's own limits stand behind.

- ``value``: the number (or date, in days) that the text determines; None when it cannot be told.
- ``number``: how large a number could be; always an answer.
- ``size``: characters of a text, elements of a list (lists of texts: all characters together).

Rejected: evaluating more functions exactly (every engine rounds and counts its own way; an upper guess is enough).
"""

from __future__ import annotations

import datetime
import math
import re
from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from datapilot_kernel.guard.scope import Origin, Source

Node = exp.Expr
COLUMN = 1_000.0  # a number that stands in a table
TEXT_COLUMN = 10.0  # characters of a text that stands in a table
HUGE = 1e18
SERIES = frozenset({"generate_series", "range"})
_DAYS = {"MICROSECOND": 1e-11, "MILLISECOND": 1e-8, "SECOND": 1 / 86400,
         "MINUTE": 1 / 1440, "HOUR": 1 / 24, "DAY": 1.0, "WEEK": 7.0,
         "MONTH": 30.0, "QUARTER": 91.0, "YEAR": 365.0, "DECADE": 3650.0, "CENTURY": 36500.0}  # fmt: skip
_UNIT_SHORT = {
    "MON": "MONTH",
    "MIN": "MINUTE",
    "SEC": "SECOND",
    "H": "HOUR",
    "D": "DAY",
    "Y": "YEAR",
    "M": "MONTH",
    "W": "WEEK",
}
_DATE = re.compile(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2}))?")
_SPAN = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([A-Za-z]+)")
_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d+)?\s*")
_TODAY = frozenset(
    """
    now current_date curdate today current_timestamp localtimestamp sysdate utc_date utc_timestamp
    """.split()  # noqa: SIM905 - words read better as words
)
_LARGEST = frozenset({"greatest", "coalesce", "ifnull", "nvl", "if", "nullif"})
_KEEPS = frozenset(
    """
    round floor ceil ceiling abs trunc truncate date_trunc date max min to_date str_to_date make_date sum avg
    any_value first last
    """.split()  # noqa: SIM905 - words read better as words
)
_LENGTHS = frozenset(
    """
    length char_length character_length octet_length bit_length strlen len array_length cardinality json_length
    list_count
    """.split()  # noqa: SIM905 - words read better as words
)
_INSTANTS = frozenset({"unix_timestamp", "epoch", "epoch_ms", "epoch_us", "epoch_ns", "to_seconds", "crc32", "hash", "ascii",
                       "ord", "unicode", "hashtext", "to_days", "julian", "date_part", "extract", "conv"})  # fmt: skip
_JOINED = frozenset({"concat", "concat_ws", "list_concat", "array_concat", "list_cat", "array_cat", "json_build_array",
                     "json_array", "json_object", "json_build_object", "jsonb_build_object", "row", "list_value",
                     "array_append", "array_prepend", "list_append", "list_prepend", "overlay", "insert"})  # fmt: skip
COLLECTS = frozenset({"string_agg", "array_agg", "json_agg", "jsonb_agg", "list", "group_concat", "listagg", "json_arrayagg",
                      "json_objectagg", "json_object_agg", "jsonb_object_agg", "json_group_array",
                      "json_group_object"})  # fmt: skip
_MEASURES = frozenset({"count", "sum", "avg", "min", "max"}) | _LENGTHS
_SHORT_RESULT = frozenset({"md5", "sha1", "sha256", "sha2", "sha512", "strpos", "position", "instr", "locate", "to_char",
                           "date_format", "strftime", "left", "right", "split_part", "substring_index", "ascii",
                           "substring", "substr", "levenshtein", "starts_with"}) | _MEASURES  # fmt: skip
_DIFFERENCES = frozenset({"timestampdiff", "datediff", "date_diff", "datesub", "date_sub"})
_SMALL_UNITS = frozenset({"SECOND", "MICROSECOND", "MILLISECOND", "EPOCH", "MILLISECONDS", "MICROSECONDS"})
_DIGITS = re.compile(r"0[xX]([0-9A-Fa-f]+)|(\d[\d_]*(?:\.\d+)?(?:[eE]\+?\d+)?)")
_WIDTHS = {"bar": 3, "to_base": 2, "equi_width_bins": 2}  # the place of the argument that says how long
_MULTIPLIES = {"hex": 2.0, "to_hex": 2.0, "to_base64": 1.4, "base64": 1.4, "url_encode": 3.0, "quote": 2.0,
               "json_quote": 2.0, "bin": 8.0, "to_binary": 8.0, "encode": 2.0, "json_detailed": 2.0, "json_pretty": 2.0,
               "jsonb_pretty": 2.0}  # fmt: skip


class Amounts:
    """Estimates over the expressions of one statement; ``origins`` says what each column is (by id of the node)."""

    def __init__(self, origins: dict[int, tuple[Source | None, Origin]]) -> None:
        self.origins = origins
        self.rows_of: dict[int, float] = {}  # rows that a SELECT goes through, by id: for what aggregates collect
        self.elements: dict[int, Node] = {}  # the list of which a lambda's parameter is an element, by id of the column
        self._values: dict[int, float | None] = {}
        self._numbers: dict[int, float] = {}
        self._sizes: dict[int, float] = {}

    def definitions(self, node: Node) -> tuple[Node, ...]:
        """Return the expressions that a column stands for; nothing for a column of a table."""
        at = self.origins.get(id(node))
        return at[1].defined if at is not None else ()

    # --- values

    def value(self, node: Node | None) -> float | None:
        """Evaluate a number or a date (in days); None: it cannot be told."""
        if node is None:
            return None
        key = id(node)
        if key not in self._values:
            self._values[key] = None
            self._values[key] = self._value(node)
        return self._values[key]

    def _value(self, node: Node) -> float | None:
        if isinstance(node, exp.Literal):
            return _literal(node)
        if isinstance(node, (exp.Cast, exp.TryCast)):
            to = node.args.get("to")
            if isinstance(node.this, exp.Literal) and node.this.is_string and _is_interval(to):
                return _span(str(node.this.this))
            return self.value(node.this)
        if isinstance(node, (exp.Paren, exp.Alias, exp.Subquery)):
            return self.value(node.this)
        if isinstance(node, exp.Neg):
            inner = self.value(node.this)
            return None if inner is None else -inner
        if isinstance(node, exp.Interval):
            return self._interval(node)
        if isinstance(node, exp.Column):
            values = [self.value(d) for d in self.definitions(node)]
            known = [v for v in values if v is not None]
            return max(known) if known and (len(known) == len(values) or max(known) > COLUMN) else None
        if isinstance(node, (exp.CurrentDate, exp.CurrentTimestamp, exp.Localtimestamp)):
            return _today()
        if isinstance(node, exp.Select):
            return self.value(node.expressions[0]) if len(node.expressions) == 1 else None
        if isinstance(node, exp.SetOperation):
            return self._largest([node.this, node.expression])
        if isinstance(node, exp.Values):
            return self._largest([e for row in node.expressions for e in (row.expressions or [row.this])])
        if isinstance(node, exp.Case):
            return self._largest([b.args.get("true") for b in node.args.get("ifs") or ()] + [node.args.get("default")])
        if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Pow, exp.Mod)):
            return self._arithmetic(node)
        return self._function(node) if isinstance(node, exp.Anonymous) else None

    def _function(self, node: exp.Anonymous) -> float | None:
        name, arguments = node.name.lower(), node.expressions
        if name in _TODAY:
            return _today()
        if name in {"power", "pow"} and len(arguments) == 2:
            return _power(self.value(arguments[0]), self.value(arguments[1]))
        if name == "mod" and len(arguments) == 2:
            left, right = self.value(arguments[0]), self.value(arguments[1])
            return right if left is None or right is None else min(abs(left), abs(right))
        if name == "least":
            known = [v for v in map(self.value, arguments) if v is not None]
            return min(known) if known else None
        if name in _LARGEST or name in _KEEPS:
            return self._largest(arguments)
        if name in SERIES:
            return self._largest(arguments[:2])
        if name in _LENGTHS and arguments and not _reads(arguments[0]):
            return self.size(arguments[0])
        if name == "exp" and arguments:
            inner = self.value(arguments[0])
            return None if inner is None else _power(math.e, inner)
        return None

    def _largest(self, nodes: list[Node] | list[Node | None] | tuple[Node, ...]) -> float | None:
        known = [v for v in map(self.value, nodes) if v is not None]
        return max(known) if known else None

    def _arithmetic(self, node: Node) -> float | None:
        left, right = self.value(node.this), self.value(node.args.get("expression"))
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
        if right is None:  # a share of a whole: both sides are columns
            shares = left is not None and _varies(node.this) and _varies(node.args["expression"])
            return left / COLUMN if shares and left is not None else left
        if right == 0.0:
            return left
        return None if left is None else left / right

    def _interval(self, node: exp.Interval) -> float | None:
        """Days of an interval."""
        unit, inner = node.args.get("unit"), node.this
        if unit is not None:
            count = self.value(inner)
            days = _DAYS.get(unit.name.upper().removesuffix("S") if isinstance(unit, exp.Var) else "")
            return None if count is None or days is None else count * days
        return _span(str(inner.this)) if isinstance(inner, exp.Literal) else None

    def series_rows(self, node: exp.Anonymous) -> float | None:
        """Rows (or elements) of ``generate_series``/``range``; None: it cannot be told."""
        arguments = node.expressions
        if not arguments:
            return 0.0
        if len(arguments) == 1:
            return self.value(arguments[0])
        start, end = self.value(arguments[0]), self.value(arguments[1])
        step: float | None = 1.0
        if len(arguments) > 2:
            step = self.value(arguments[2])
            text = arguments[2]
            if step is None and isinstance(text, exp.Literal):
                step = _span(str(text.this))
                if step is None:
                    return HUGE
        if step == 0.0 or HUGE in {start, end} or -HUGE in {start or 0.0, end or 0.0}:
            return HUGE
        if start is None or end is None:
            return None if end is None or start is not None else (end if abs(end) > 1e9 else None)
        return None if step is None else max((end - start) / step + 1, 0.0)

    # --- how large a number could be

    def number(self, node: Node | None) -> float:
        """Return how large a number could be, its sign aside."""
        if node is None:
            return 1.0
        key = id(node)
        if key not in self._numbers:
            self._numbers[key] = COLUMN
            found = self.value(node) if not _dated(node) else None
            self._numbers[key] = min(abs(found), HUGE) if found is not None else min(self._number(node), HUGE)
        return self._numbers[key]

    def _number(self, node: Node) -> float:
        if isinstance(node, (exp.Literal, exp.HexString)):
            return max(COLUMN, _digits(node))
        if isinstance(node, exp.Extract):
            if node.name.upper() not in _SMALL_UNITS:
                return COLUMN
            return COLUMN * 1_000 if node.find(exp.Sub) is not None else 1e9
        if isinstance(node, exp.BitwiseNot):
            return self.number(node.this) + 1
        if isinstance(node, exp.DPipe):
            return 10.0 ** min(sum(c.isdigit() for lit in node.find_all(exp.Literal) for c in str(lit.this)), 18)
        element = self.elements.get(id(node))
        if element is not None:
            return self.number(element)
        if isinstance(node, exp.Star):
            return self._number_of_star(node)
        if isinstance(node, exp.Column):
            return max((self.number(d) for d in self.definitions(node)), default=COLUMN)
        if isinstance(node, exp.Select):
            return max((self.number(e) for e in node.expressions), default=COLUMN)
        if isinstance(node, exp.SetOperation):
            return max(self.number(node.this), self.number(node.expression))
        if isinstance(node, (exp.Add, exp.Sub)):
            return self.number(node.this) + self.number(node.args.get("expression"))
        if isinstance(node, (exp.Div, exp.IntDiv)):
            right = node.args["expression"]
            by = self.value(right)
            share = COLUMN if by is None and _varies(right) and _varies(node.this) else 1.0
            return self.number(node.this) / (abs(by) if by else share)
        if isinstance(node, exp.Mul):
            return self.number(node.this) * self.number(node.args.get("expression"))
        if isinstance(node, exp.BitwiseLeftShift):
            return self.number(node.this) * float(2.0 ** min(self.number(node.args.get("expression")), 60.0))
        if isinstance(node, exp.Case):
            branches = [b.args.get("true") for b in node.args.get("ifs") or ()]
            return max(self.number(b) for b in [*branches, node.args.get("default")])
        if isinstance(node, (exp.Window, exp.Paren, exp.Cast, exp.TryCast, exp.Alias, exp.Neg, exp.Subquery)):
            return self.number(node.this)
        if isinstance(node, exp.Anonymous):
            return self._number_of_call(node)
        return max([COLUMN, *(self.number(c) for c in node.iter_expressions() if isinstance(c, exp.Condition))])

    def _number_of_star(self, node: exp.Star) -> float:
        """``SELECT * FROM (VALUES …)``: what stands in FROM."""
        select = node.find_ancestor(exp.Select)
        from_ = select.args.get("from_") if select is not None else None
        inner = from_.this if from_ is not None else None
        return self.number(inner) if isinstance(inner, (exp.Values, exp.Subquery)) else COLUMN

    def _number_of_call(self, node: exp.Anonymous) -> float:
        name, arguments = node.name.lower(), node.expressions
        if name in _LENGTHS:
            return max((self.size(a) for a in arguments[:1]), default=1.0)
        if name == "least":
            return min((self.number(a) for a in arguments), default=1.0)
        if name in _INSTANTS:
            return 1e9 if name not in {"ascii", "ord", "unicode", "date_part", "extract", "to_days"} else COLUMN
        if name in {"power", "pow", "exp"}:
            return HUGE if any(self.number(a) > 20 for a in arguments[1:]) else self.number(arguments[0]) ** 20
        if name in {"sign", "random", "rand", "sin", "cos", "tanh", "cume_dist", "percent_rank"}:
            return 1.0
        if name in _LARGEST or name in _KEEPS or name in SERIES:
            known = [self.number(a) for a in arguments if not isinstance(a, exp.Literal) or not a.is_string]
            return max(known, default=COLUMN)
        if name in _DIFFERENCES and any(u.name.upper().removesuffix("S") in _SMALL_UNITS for u in arguments):
            return 1e9
        if name in {"concat", "concat_ws"}:
            return 10.0 ** min(sum(c.isdigit() for lit in node.find_all(exp.Literal) for c in str(lit.this)), 18)
        return max([COLUMN, *(self.number(a) for a in arguments)])

    # --- texts and lists

    def size(self, node: Node | None) -> float:
        """Characters of a text, elements of a list."""
        if node is None:
            return 1.0
        key = id(node)
        if key not in self._sizes:
            self._sizes[key] = 1.0
            self._sizes[key] = min(self._size(node), HUGE)
        return self._sizes[key]

    def _size(self, node: Node) -> float:
        if isinstance(node, exp.Literal):
            return float(max(len(str(node.this)), 1))
        if isinstance(node, exp.Column):
            return max((self.size(d) for d in self.definitions(node)), default=TEXT_COLUMN)
        if isinstance(node, exp.DPipe):
            return self.size(node.this) + self.size(node.expression)
        if isinstance(node, exp.Add) and (_is_list(node.this) or _is_list(node.expression)):
            return self.size(node.this) + self.size(node.expression)
        if isinstance(node, exp.Select):
            return max((self.size(e) for e in node.expressions), default=1.0)
        if isinstance(node, (exp.Array, exp.Tuple, exp.Struct)):
            query = node.expressions[0] if len(node.expressions) == 1 else None
            if isinstance(query, (exp.Select, exp.Subquery)):
                return self.size(query) * self._collected(query)
            return sum((self.size(e) for e in node.expressions), 1.0)
        if isinstance(node, exp.Case):
            branches = [b.args.get("true") for b in node.args.get("ifs") or ()]
            return max(self.size(b) for b in [*branches, node.args.get("default")])
        if isinstance(node, exp.Comprehension):
            return self.size(node.args.get("iterator")) * self.size(node.this)
        if isinstance(node, exp.GroupConcat):
            return self.size(node.this) * self._rows_around(node)
        if isinstance(node, exp.Anonymous):
            return self._size_of_call(node)
        if isinstance(node, (exp.Condition, exp.Alias, exp.Values, exp.SetOperation, exp.Lambda)):
            return max(
                (self.size(c) for c in node.iter_expressions() if not isinstance(c, (exp.DataType, exp.Identifier))),
                default=1.0,
            )
        return 1.0

    def _size_of_call(self, node: exp.Anonymous) -> float:
        name, arguments = node.name.lower(), node.expressions
        if name == "repeat" and len(arguments) == 2:
            return self.size(arguments[0]) * self.number(arguments[1])
        if name in {"lpad", "rpad"} and len(arguments) >= 2:
            return self.number(arguments[1])
        if name == "space" and arguments:
            return self.number(arguments[0])
        if name in _WIDTHS and len(arguments) > _WIDTHS[name]:
            return self.number(arguments[_WIDTHS[name]])
        if name in _MULTIPLIES and arguments:
            return self.size(arguments[0]) * _MULTIPLIES[name]
        if name in SERIES:
            rows = self.series_rows(node)
            return (
                max(rows, 1.0)
                if rows is not None
                else max((self.number(a) for a in arguments[:2] if not _dated(a)), default=COLUMN)
            )
        if name in {"list_resize", "array_resize"} and len(arguments) > 1:
            return max(self.size(arguments[0]), self.number(arguments[1]))
        if name == "array_fill" and len(arguments) > 1:
            total = self.size(arguments[0])
            for dimension in arguments[1].find_all(exp.Literal):
                total *= max(self.value(dimension) or 1.0, 1.0)
            return total
        if name in {"replace", "regexp_replace", "translate", "array_replace"} and len(arguments) > 2:
            return self._replaced(name, arguments)
        if name in {"array_to_string", "list_aggregate", "string_agg_distinct"} and len(arguments) > 1:
            return self.size(arguments[0]) * max(self.size(arguments[1]), 1.0)
        if name in COLLECTS:
            return sum(self.size(a) for a in arguments) * self._rows_around(node)
        if name in _SHORT_RESULT:
            return (
                TEXT_COLUMN * 3
                if name not in {"left", "right", "substring", "substr"}
                else self._largest_size(arguments[:1])
            )
        if name in _JOINED:
            return sum((self.size(a) for a in arguments), 1.0)
        lambdas = [a for a in arguments if isinstance(a, exp.Lambda)]
        if lambdas and arguments:
            return self.size(arguments[0]) * max(self.size(lambdas[0].this), 1.0)
        return self._largest_size(arguments)

    def _largest_size(self, nodes: list[Node]) -> float:
        return max((self.size(n) for n in nodes), default=1.0)

    def _replaced(self, name: str, arguments: list[Node]) -> float:
        text, old, new = (self.size(a) for a in arguments[:3])
        if name == "translate":
            return text
        if isinstance(arguments[2], exp.Literal) and not str(arguments[2].this):
            return text
        if name == "replace" and isinstance(arguments[1], exp.Literal):
            return text * max(new / max(old, 1.0), 1.0)
        return text * max(new, 1.0)

    def _rows_around(self, node: Node) -> float:
        select = node.find_ancestor(exp.Select)
        return self.rows_of.get(id(select), 1.0)

    def _collected(self, query: Node) -> float:
        while isinstance(query, exp.Subquery):
            query = query.this
        return self.rows_of.get(id(query), 1.0)


def _today() -> float:
    return float(datetime.date.today().toordinal())  # noqa: DTZ011 - a size, not an instant


def _literal(node: exp.Literal) -> float | None:
    text = str(node.this)
    if not node.is_string or _NUMBER.fullmatch(text):
        return max(min(float(text), HUGE), -HUGE)
    if "infinity" in text.lower():
        return -HUGE if "-" in text else HUGE
    match = _DATE.match(text)
    if match is None:
        return None
    try:
        day = datetime.date(int(match[1]), int(match[2]), int(match[3])).toordinal()
    except ValueError:
        return None
    return day + (int(match[4]) / 24 + int(match[5]) / 1440 if match[4] else 0.0)


def _digits(node: Node) -> float:
    """Return the largest number that a text could be read as."""
    if isinstance(node, exp.HexString):
        return float(min(int(str(node.this) or "0", 16), HUGE))
    largest = 0.0
    for hexadecimal, decimal in _DIGITS.findall(str(node.this)):
        found = float(int(hexadecimal, 16)) if hexadecimal else float(decimal.replace("_", ""))
        largest = max(largest, found)
    return min(largest, HUGE)


def _dated(node: Node) -> bool:
    """Tell whether a number can only be a date: its days are no count."""
    return isinstance(node, (exp.CurrentDate, exp.CurrentTimestamp)) or any(
        lit.is_string and not _NUMBER.fullmatch(str(lit.this)) for lit in node.find_all(exp.Literal)
    )


def _is_interval(to: object) -> bool:
    if isinstance(to, exp.DataType):
        return str(to.this).upper().endswith("INTERVAL") or isinstance(to.this, exp.Interval)
    return isinstance(to, exp.Interval)


def _is_list(node: Node) -> bool:
    return isinstance(node, (exp.Array, exp.Comprehension))


def _varies(node: Node) -> bool:
    return node.find(exp.Column, exp.Anonymous) is not None


def _reads(node: Node) -> bool:
    return node.find(exp.Column) is not None


def _span(text: str) -> float | None:
    """Days of an interval's text."""
    total, found = 0.0, _SPAN.findall(text)
    for count, word in found:
        singular = word.upper().removesuffix("S")
        days = _DAYS.get(_UNIT_SHORT.get(singular, singular))
        if days is None:
            return None
        total += float(count) * days
    return total if found else None


def _power(base: float | None, exponent: float | None) -> float | None:
    if base is None or exponent is None:
        return None
    try:
        return float(min(abs(base) ** exponent, HUGE))
    except (OverflowError, ZeroDivisionError):
        return HUGE
