"""Row filters: a condition over one table's own columns, with a person's attributes bound as values.

``{name}`` becomes a value of the tree, never text of the statement: a tenant called ``x' OR 1=1 --`` is a string like any
other. An attribute that is missing or null refuses every statement that reads the table.

A value compares as what it is, whatever the column's type, or not at all:

- It is written as a string wherever it is compared, unless the column is known to hold numbers (MySQL: ``text = 0`` and
  ``number = 'abc'`` are true of every row); a number column takes numbers only.
- MySQL's collations ignore case, accents and trailing blanks: a comparison with an attribute gets a second, binary half
  (``col = 'v' AND CAST(CONVERT(col USING utf8mb4) AS BINARY) = …``), the first half keeping the index.
- In the pattern of LIKE, the value's own ``%`` and ``_`` are escaped. In a regular expression it is refused.

Left to the policy's author: a comparison by order (``<``, BETWEEN) follows the column's collation; DuckDB and PostgreSQL
columns with a collation of their own that ignores case compare as they say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from sqlglot import exp

from datapilot_kernel.guard.dialects import DialectRules
from datapilot_kernel.guard.policy import AttributeValue
from datapilot_kernel.guard.reasons import RefusedSql
from datapilot_kernel.guard.render import Renderer
from datapilot_kernel.guard.tree import parse

_ATTRIBUTE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_STAND_IN = "guardattribute_"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NUMBER_TYPE = re.compile(
    r"\s*(?:(?:tiny|small|medium|big|huge|u)*int(?:eger)?\d*\b|(?:small|big)?serial|dec(?:imal)?\b|numeric|number|float|double|real"
    r"|bit\b|year\b|money)",
    re.IGNORECASE,
)
_OTHER_TYPE = re.compile(r"\s*(?:date|time|interval|uuid|bool)", re.IGNORECASE)
_TEXT_TYPE = re.compile(
    r"\s*(?:(?:long|medium|tiny)?text|n?(?:var)?char|character|string|bpchar|enum|set|citext|name)", re.IGNORECASE
)
_EXACT = (exp.EQ, exp.NullSafeEQ, exp.In)
_ORDERED = (exp.NEQ, exp.NullSafeNEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between)
_LIKE = (exp.Like, exp.ILike)
_PATTERNS = (exp.RegexpLike, exp.RegexpILike, exp.SimilarTo, exp.Glob, exp.MatchAgainst)
_PATTERN_CALL = re.compile(r"regexp|rlike|.*like|glob|similar|json_search|jsonb_path|to_tsquery|.*match", re.IGNORECASE)
_COMPARING_CALLS = frozenset({"find_in_set", "field", "instr", "locate", "strcmp", "nullif"})
_FORBIDDEN = (exp.Select, exp.SetOperation, exp.Subquery, exp.Table, exp.Star, exp.Window, exp.Exists, exp.Lambda)


def attributes_of(condition: str) -> frozenset[str]:
    """Names of the attributes that a row filter needs."""
    return frozenset(_ATTRIBUTE.findall(condition))


def condition_sql(
    condition: str,
    rules: DialectRules,
    table: str,
    attributes: Mapping[str, AttributeValue] | None,
    types: Mapping[str, str] | None = None,
) -> str:
    """Write a row filter, its attributes bound.

    Parameters
    ----------
    attributes
        None: only the form is checked, every attribute reads as NULL.
    types
        Types of the table's columns, as far as they are known.

    Raises
    ------
    RefusedSql
        ``missing_attribute``, or ``bad_policy`` when it is not a condition over the table's own columns.
    """
    missing = [n for n in sorted(attributes_of(condition)) if attributes is not None and attributes.get(n) is None]
    if missing:
        raise RefusedSql("missing_attribute", name=missing[0], log=f"attribute {missing[0]!r} missing for {table!r}")
    text = _ATTRIBUTE.sub(lambda m: f"{_STAND_IN}{m[1]}", condition)
    try:
        tree = parse(f"SELECT 1 WHERE ({text})", rules.name)
        node = _condition(tree)
        _Binder(rules, table, attributes, types or {}).bind(node)
        return Renderer(rules, {}, {}).sql(node)
    except RefusedSql as refused:
        if refused.refusal.reason in {"bad_policy", "missing_attribute"}:
            raise
        raise RefusedSql(
            "bad_policy", log=f"row filter of {table!r}: {refused.refusal.reason}: {refused.refusal.log}"
        ) from None


def _condition(tree: exp.Expr) -> exp.Expr:
    where = tree.args.get("where")
    others = [k for k, v in tree.args.items() if v and k not in {"where", "expressions"}]
    if not isinstance(tree, exp.Select) or where is None or others or not isinstance(where.this, exp.Paren):
        raise RefusedSql("bad_policy", log="row filter is not one condition")
    node: exp.Expr = where.this
    if any(isinstance(n, _FORBIDDEN) for n in node.walk()):
        raise RefusedSql("bad_policy", log="row filter reads more than its own row")
    return node


class _Binder:
    """Puts values in the place of a condition's attributes."""

    def __init__(
        self, rules: DialectRules, table: str, attributes: Mapping[str, AttributeValue] | None, types: Mapping[str, str]
    ) -> None:
        self.rules = rules
        self.table = table
        self.attributes = attributes
        self.types = {rules.fold_text(name): text for name, text in types.items()}
        self.exact: dict[int, exp.Expr] = {}  # comparisons that must hold to the letter (MySQL)
        self.escaped: dict[int, exp.Expr] = {}  # LIKEs that need an ESCAPE (DuckDB)

    def bind(self, node: exp.Expr) -> None:
        for found in list(node.walk()):
            if isinstance(found, exp.Literal) and found.is_string and _STAND_IN in found.this:
                raise self._bad("attribute inside quotes")
            if not isinstance(found, exp.Column):
                continue
            qualifier = found.args.get("table")
            if qualifier is not None:
                if self.rules.fold(qualifier) != self.rules.fold_text(self.table) or found.args.get("db"):
                    raise self._bad("another table is named")
                found.set("table", None)
            if found.name.startswith(_STAND_IN):
                self._attribute(found, found.name[len(_STAND_IN) :])
        for comparison in self.exact.values():
            _compare_exactly(comparison)
        for like in self.escaped.values():
            like.replace(exp.Escape(this=like.copy(), expression=exp.Literal.string("\\")))

    def _bad(self, what: str) -> RefusedSql:
        return RefusedSql("bad_policy", log=f"row filter of {self.table!r}: {what}")

    def _attribute(self, found: exp.Column, name: str) -> None:
        value = self.attributes.get(name) if self.attributes is not None else None
        parent, inner = _past_parentheses(found)
        comparison = self._comparison(found)
        direct = parent is comparison
        if isinstance(value, list):
            if not isinstance(found.parent, exp.In) or found.arg_key != "expressions":
                raise self._bad("list attribute outside IN (…)")
            kind = self._kind(parent, inner)
            others = [e for e in found.parent.expressions if e is not found]
            found.parent.set("expressions", others + ([self._compared(v, kind) for v in value] or [exp.Null()]))
            if value and kind not in {"number", "other"} and self.rules.name == "mysql":
                self.exact[id(parent)] = found.parent
            return
        if isinstance(comparison, _LIKE):
            found.replace(self._in_pattern(value, name, comparison))
        elif direct:
            kind = self._kind(parent, inner)
            found.replace(self._compared(value, kind))
            if kind in {"other", "number"}:
                return
        else:
            if value == "":  # a prefix, a part, a list: the empty one fits everything
                raise RefusedSql("missing_attribute", name=name, log=f"attribute {name!r} empty for {self.table!r}")
            found.replace(self._argument(value, parent))
        if comparison is not None and value is not None and self.rules.name == "mysql":
            if isinstance(comparison, _EXACT) and not direct and _looks_number(value):
                return  # arithmetic: 10.00 is 10
            if isinstance(comparison, (*_EXACT, *_LIKE)):
                self.exact[id(comparison)] = comparison

    def _comparison(self, found: exp.Expr) -> exp.Expr | None:
        """Return the nearest comparison that ``found`` takes part in; refuse what would read it as a pattern."""
        current: exp.Expr = found
        while (parent := current.parent) is not None:
            if isinstance(parent, _PATTERNS) and current.arg_key != "this":
                raise self._bad("attribute in a pattern")
            if isinstance(parent, exp.MatchAgainst) or (
                isinstance(parent, exp.Anonymous) and _PATTERN_CALL.match(parent.name)
            ):
                raise self._bad("attribute in a pattern")
            if isinstance(parent, exp.Tuple) and self.rules.name == "mysql":
                raise self._bad("attribute in a row of values: compare one column after the other")
            if isinstance(parent, _LIKE) and current.arg_key == "this":
                return None
            if isinstance(parent, (*_EXACT, *_ORDERED, *_LIKE)):
                return parent
            current = parent
        return None

    def _kind(self, comparison: exp.Expr | None, own: exp.Expr) -> str:
        """Say what the other side holds: number, text, other (dates…), or "" when it is not known."""
        if comparison is None:
            return ""
        sides = (
            [comparison.this] if own is not comparison.this else [comparison.args.get("expression"), *comparison.expressions]
        )
        kinds = set()
        for side in sides:
            while isinstance(side, exp.Paren):
                side = side.this
            known = self.types.get(self.rules.fold(side.this), "") if isinstance(side, exp.Column) else ""
            kinds.add(
                "number"
                if _NUMBER_TYPE.match(known)
                else "other"
                if _OTHER_TYPE.match(known)
                else "text"
                if _TEXT_TYPE.match(known)
                else ""
            )
        return kinds.pop() if len(kinds) == 1 else ""

    def _compared(self, value: AttributeValue, kind: str) -> exp.Expr:
        if value is None:
            return exp.Null()
        if kind == "number":
            if not _looks_number(value):
                raise self._bad("a number column is compared with an attribute that is no number")
            return _number(_plain(value, as_number=True))
        if isinstance(value, bool) and kind != "text" and self.rules.name == "mysql":
            return exp.Literal.string("1" if value else "0")
        return exp.Literal.string(_plain(value))

    def _argument(self, value: AttributeValue, parent: exp.Expr | None) -> exp.Expr:
        """Return the value where it is computed with."""
        if value is None:
            return exp.Null()
        if self.rules.name == "mysql":
            text = exp.Literal.string(_plain(value, as_number=isinstance(value, bool)))
            compares = isinstance(parent, (exp.Case, exp.If)) or (
                isinstance(parent, exp.Anonymous) and parent.name.lower() in _COMPARING_CALLS
            )
            return _bytes_of(text) if compares else text
        if isinstance(value, bool):
            return exp.Boolean(this=value)
        if isinstance(value, (int, float)):
            return _number(_plain(value))
        return exp.Literal.string(_plain(value))

    def _in_pattern(self, value: AttributeValue, name: str, like: exp.Expr) -> exp.Expr:
        """Return the value with nothing in it that a pattern could read; DuckDB has no escape unless one is named."""
        if value is None:
            return exp.Null()
        text = _plain(value)
        if not text:
            raise RefusedSql("missing_attribute", name=name, log=f"attribute {name!r} empty for {self.table!r}")
        escape = "\\"
        outer = like.parent
        if isinstance(outer, exp.Escape):
            character = outer.expression
            if not isinstance(character, exp.Literal) or len(str(character.this)) != 1:
                raise self._bad("ESCAPE of a pattern with an attribute")
            escape = str(character.this)
        elif self.rules.name == "duckdb":
            if any("\\" in str(part.this) for part in like.expression.find_all(exp.Literal)):
                raise self._bad("backslash in a pattern with an attribute")
            self.escaped[id(like)] = like
        return exp.Literal.string("".join([escape + c if c in {"%", "_", escape} else c for c in text]))


def _past_parentheses(node: exp.Expr) -> tuple[exp.Expr | None, exp.Expr]:
    """Return what ``node`` stands in and the part of it that holds ``node``."""
    current = node
    while isinstance(current.parent, exp.Paren):
        current = current.parent
    return current.parent, current


def _looks_number(value: AttributeValue) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, (bool, int)) or (isinstance(value, str) and _NUMBER.fullmatch(value) is not None)


def _plain(value: AttributeValue, *, as_number: bool = False) -> str:
    if isinstance(value, bool):
        return str(int(value)) if as_number else str(value).lower()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise RefusedSql("bad_policy", log="attribute is not a finite number")
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def _number(text: str) -> exp.Expr:
    number = exp.Literal.number(text.removeprefix("-"))
    return exp.Paren(this=exp.Neg(this=number)) if text.startswith("-") else number


def _bytes_of(node: exp.Expr) -> exp.Expr:
    """``CAST(CONVERT(x USING utf8mb4) AS BINARY)``: the same bytes whatever the column's and the connection's charset."""
    charset = exp.DataType(this=exp.DType.CHARACTER_SET, kind=exp.Var(this="utf8mb4"))
    text = exp.Cast(this=node.copy(), to=charset)
    return exp.Cast(this=text, to=exp.DataType(this=exp.DType.BINARY))


def _compare_exactly(comparison: exp.Expr) -> None:
    twin = comparison.copy()
    for key in ("this", "expression"):
        side = twin.args.get(key)
        if side is not None:
            twin.set(key, _bytes_of(side))
    if isinstance(twin, exp.In):
        twin.set("expressions", [_bytes_of(e) for e in twin.expressions])
    outer = comparison.parent
    if isinstance(outer, exp.Escape):  # of the pattern: both halves keep it
        twin = exp.Escape(this=twin, expression=outer.expression.copy())
        comparison = outer
    both = exp.Paren(this=exp.And(this=comparison.copy(), expression=twin))
    comparison.replace(both)
