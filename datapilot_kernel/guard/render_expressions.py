"""How names, values and operators are written."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from datapilot_kernel.guard.reasons import RefusedSql
from datapilot_kernel.guard.render import METHODS, Node, Renderer, readable, writes

# --- names and values -----------------------------------------------------------------------------------------------------


@writes(exp.Identifier, args="this quoted")
def _identifier(r: Renderer, node: exp.Identifier) -> str:
    return r.name(node)


@writes(exp.Column, args="this table db catalog")
def _column(r: Renderer, node: exp.Column) -> str:
    special = r.names.get(id(node))
    if special is not None:
        return special
    args = node.args
    parts = [r.name(args[key]) for key in ("catalog", "db", "table") if args.get(key)]
    parts.append(r.sql(node.this) if isinstance(node.this, exp.Star) else r.name(node.this))
    return ".".join(parts)


@writes(exp.Star, args="except_ replace rename")
def _star(r: Renderer, node: exp.Star) -> str:
    text = "*"
    if any(node.args.get(key) for key in ("except_", "replace", "rename")) and r.rules.name != "duckdb":
        raise RefusedSql("forbidden_syntax", what="* EXCLUDE", log="star modifiers")
    for key, word in (("except_", "EXCLUDE"), ("replace", "REPLACE"), ("rename", "RENAME")):
        value = node.args.get(key)
        if value:
            listed = value if isinstance(value, list) else [value]
            text += f" {word} ({r.all(listed)})"
    return text


@writes(exp.Literal, args="this is_string")
def _literal(r: Renderer, node: exp.Literal) -> str:
    if node.is_string:
        return r.rules.string(node.this)
    text = str(node.this)
    if not re.fullmatch(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", text):
        raise RefusedSql("unreadable", log="number")
    return text


@writes(exp.HexString, exp.BitString, args="this is_integer")
def _bits(r: Renderer, node: Node) -> str:
    value = str(node.this)
    if not re.fullmatch(r"[0-9A-Fa-f]*", value):
        raise RefusedSql("unreadable", log="bits")
    if isinstance(node, exp.HexString) and r.rules.name == "mysql":
        return f"0x{value}"
    return f"{'X' if isinstance(node, exp.HexString) else 'B'}'{value}'"


@writes(exp.Null)
def _null(r: Renderer, node: exp.Null) -> str:
    return "NULL"


@writes(exp.Boolean, args="this")
def _boolean(r: Renderer, node: exp.Boolean) -> str:
    return "TRUE" if node.this else "FALSE"


@writes(exp.Var, args="this")
def _var(r: Renderer, node: exp.Var) -> str:
    return r.word(node, {"ALL", "DEFAULT"} - {"DEFAULT"})


@writes(exp.Paren, args="this")
def _paren(r: Renderer, node: exp.Paren) -> str:
    return f"({r.sql(node.this)})"


@writes(exp.Tuple, args="expressions")
def _tuple(r: Renderer, node: exp.Tuple) -> str:
    return f"({r.all(node.expressions)})"


# --- operators ------------------------------------------------------------------------------------------------------------

_BINARY: dict[type[Node], str] = {
    exp.And: "AND", exp.Or: "OR", exp.Xor: "XOR", exp.EQ: "=",
    exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=",
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%", exp.DPipe: "||",
    exp.BitwiseAnd: "&", exp.BitwiseOr: "|", exp.BitwiseLeftShift: "<<", exp.BitwiseRightShift: ">>",
    exp.Glob: "GLOB", exp.SimilarTo: "SIMILAR TO", exp.JSONBPathExists: "@?",
    exp.ArrayContainsAll: "@>", exp.ArrayContainedBy: "<@", exp.ArrayOverlaps: "&&",
    exp.JSONBContains: "?", exp.JSONBContainsTopKey: "?",
    exp.JSONBContainsAnyTopKeys: "?|", exp.JSONBContainsAllTopKeys: "?&",
    exp.JSONBExtract: "#>", exp.JSONBExtractScalar: "#>>", exp.Overlaps: "OVERLAPS", exp.Escape: "ESCAPE", exp.Slice: ":",
}  # fmt: skip
_BINARY_ARGS = "this expression typed safe operator step"


@writes(*_BINARY, args=_BINARY_ARGS)
def _binary(r: Renderer, node: exp.Binary) -> str:
    # chains lean left: walked, not recursed into
    parts: list[str] = []
    current: Node = node
    while (word := _BINARY.get(type(current))) is not None and current.args.get("this") is not None:
        known = METHODS[type(current)][1]
        for key, value in current.args.items():
            if value and key not in known:
                raise RefusedSql("forbidden_syntax", what=readable(key), log=f"{type(current).__name__}.{key}")
        if isinstance(current, exp.Slice):
            break
        operator = r.rules.operator(word)
        parts.append(f"{operator} {_similar(r, current) if word == 'SIMILAR TO' else r.sql(current.expression)}")
        current = current.this
    if isinstance(node, exp.Slice):
        bounds = [r.sql(node.args.get("this")), r.sql(node.args.get("expression"))]
        step = node.args.get("step")
        if step is not None:
            if r.rules.name != "duckdb" or not bounds[1]:
                raise RefusedSql("forbidden_syntax", what="[::]", log="slice step")
            bounds.append(r.sql(step))
        return ":".join(bounds)
    parts.append(r.sql(current))
    parts.reverse()
    return " ".join(parts)


def _similar(r: Renderer, node: Node) -> str:
    return r.rules.pattern(node.expression, r, regexp=True, escaped=isinstance(node.parent, exp.Escape))


@writes(exp.IntDiv, args="this expression")
def _int_div(r: Renderer, node: exp.IntDiv) -> str:
    return f"{r.sql(node.this)} {'DIV' if r.rules.name == 'mysql' else '//'} {r.sql(node.expression)}"


@writes(exp.Pow, args="this expression")
def _pow(r: Renderer, node: exp.Pow) -> str:
    return f"{r.sql(node.this)} {'^' if r.rules.name == 'postgres' else '**'} {r.sql(node.expression)}"


@writes(exp.BitwiseXor, args="this expression")
def _xor(r: Renderer, node: exp.BitwiseXor) -> str:
    if r.rules.name == "duckdb":
        return f"xor({r.sql(node.this)}, {r.sql(node.expression)})"
    return f"{r.sql(node.this)} {'#' if r.rules.name == 'postgres' else '^'} {r.sql(node.expression)}"


@writes(exp.NullSafeEQ, exp.NullSafeNEQ, args="this expression")
def _null_safe(r: Renderer, node: exp.Binary) -> str:
    left, right = r.sql(node.this), r.sql(node.expression)
    equal = isinstance(node, exp.NullSafeEQ)
    if r.rules.name == "mysql":
        return f"{left} <=> {right}" if equal else f"NOT ({left} <=> {right})"
    return f"{left} IS {'NOT ' if equal else ''}DISTINCT FROM {right}"


_LIKES: dict[type[Node], str] = {exp.Like: "LIKE", exp.ILike: "ILIKE"}


@writes(exp.Like, exp.ILike, args="this expression negate")
def _like(r: Renderer, node: exp.Expr, *, negated: bool = False) -> str:
    word = _LIKES[type(node)]
    if word == "ILIKE" and r.rules.name == "mysql":
        raise RefusedSql("forbidden_syntax", what="ILIKE", log="ilike in mysql")
    if bool(node.args.get("negate")) != negated:
        word = f"NOT {word}"
    return f"{r.sql(node.this)} {word} {r.rules.pattern(node.expression, r, escaped=isinstance(node.parent, exp.Escape))}"


@writes(exp.RegexpLike, exp.RegexpILike, args="this expression negate")
def _regexp(r: Renderer, node: exp.Binary, *, negated: bool = False) -> str:
    word = r.rules.regexp(case_sensitive=isinstance(node, exp.RegexpLike), negated=negated != bool(node.args.get("negate")))
    return f"{r.sql(node.this)} {word} {r.rules.pattern(node.expression, r, regexp=True)}"


@writes(exp.JSONArrayContains, args="this expression")
def _member_of(r: Renderer, node: exp.JSONArrayContains) -> str:
    if r.rules.name != "mysql":
        raise RefusedSql("forbidden_syntax", what="MEMBER OF", log="member of")
    return f"{r.sql(node.this)} MEMBER OF ({r.sql(node.expression)})"


@writes(exp.StartsWith, args="this expression")
def _starts_with(r: Renderer, node: exp.StartsWith) -> str:
    return f"{r.sql(node.this)} ^@ {r.sql(node.expression)}"


@writes(exp.Is, args="this expression negate")
def _is(r: Renderer, node: exp.Is, *, negated: bool = False) -> str:
    right = node.expression
    if not isinstance(right, (exp.Null, exp.Boolean)):
        raise RefusedSql("forbidden_syntax", what="IS …", log=f"IS {type(right).__name__}")
    word = "IS NOT" if negated != bool(node.args.get("negate")) else "IS"
    return f"{r.sql(node.this)} {word} {r.sql(right)}"


@writes(exp.In, args="this expressions query unnest field")
def _in(r: Renderer, node: exp.In, *, negated: bool = False) -> str:
    word = "NOT IN" if negated else "IN"
    left = r.sql(node.this)
    query, field = node.args.get("query"), node.args.get("field")
    if query is not None:
        text = r.sql(query)
        return f"{left} {word} {text}" if isinstance(query, exp.Subquery) else f"{left} {word} ({text})"
    if field is not None:
        return f"{left} {word} {r.sql(field)}"
    if node.args.get("unnest") is not None:
        raise RefusedSql("forbidden_syntax", what="IN UNNEST", log="in unnest")
    return f"{left} {word} ({r.all(node.expressions)})"


@writes(exp.Between, args="this low high symmetric")
def _between(r: Renderer, node: exp.Between, *, negated: bool = False) -> str:
    word = "NOT BETWEEN" if negated else "BETWEEN"
    if node.args.get("symmetric"):
        word += " SYMMETRIC"
    return f"{r.sql(node.this)} {word} {r.sql(node.args['low'])} AND {r.sql(node.args['high'])}"


_NEGATABLE: dict[type[Node], Callable[..., str]] = {
    exp.Like: _like, exp.ILike: _like, exp.RegexpLike: _regexp,
    exp.RegexpILike: _regexp, exp.Is: _is, exp.In: _in, exp.Between: _between,
}  # fmt: skip


@writes(exp.Not, args="this")
def _not(r: Renderer, node: exp.Not) -> str:
    inner = node.this
    if isinstance(inner.args.get("expression"), (exp.Any, exp.All)) and isinstance(
        inner, (exp.Like, exp.ILike, exp.RegexpLike, exp.RegexpILike)
    ):
        # NOT x LIKE ANY (…) is not x NOT LIKE ANY (…)
        return f"NOT {r.sql(inner)}"
    method = _NEGATABLE.get(type(inner))
    if method is not None:
        known = METHODS[type(inner)][1]
        if all(not v or k in known for k, v in inner.args.items()):
            return method(r, inner, negated=True)
    if isinstance(inner, exp.Escape) and type(inner.this) in _LIKES:
        return f"{_NEGATABLE[exp.Like](r, inner.this, negated=True)} ESCAPE {r.sql(inner.expression)}"
    if isinstance(inner, exp.SimilarTo):
        r.rules.operator("SIMILAR TO")
        return f"{r.sql(inner.this)} NOT SIMILAR TO {_similar(r, inner)}"
    return f"NOT {r.sql(inner)}"


@writes(exp.Neg, args="this")
def _neg(r: Renderer, node: exp.Neg) -> str:
    inner = r.sql(node.this)
    return f"-{' ' if inner.startswith('-') else ''}{inner}"


@writes(exp.BitwiseNot, args="this")
def _bitwise_not(r: Renderer, node: exp.BitwiseNot) -> str:
    return f"~ {r.sql(node.this)}"


@writes(exp.Sqrt, exp.Cbrt, args="this")
def _roots(r: Renderer, node: Node) -> str:
    if r.rules.name != "postgres":
        raise RefusedSql("forbidden_syntax", what="|/", log="root operator")
    return f"{'|/' if isinstance(node, exp.Sqrt) else '||/'} {r.sql(node.this)}"  # never a call here: those are Anonymous


@writes(exp.Abs, args="this")
def _absolute(r: Renderer, node: exp.Abs) -> str:
    if r.rules.name != "duckdb":
        raise RefusedSql("forbidden_syntax", what="@", log="absolute value operator")
    return f"@ {r.sql(node.this)}"


@writes(exp.MatchAgainst, args="this expressions")
def _match(r: Renderer, node: exp.MatchAgainst) -> str:
    if r.rules.name != "postgres" or len(node.expressions) != 1:
        raise RefusedSql("forbidden_syntax", what="MATCH … AGAINST", log="match against")
    return f"{r.sql(node.expressions[0])} @@ {r.sql(node.this)}"


@writes(exp.Concat, args="expressions safe coalesce")
def _concat(r: Renderer, node: exp.Concat) -> str:
    """Write GROUP_CONCAT of several expressions, as sqlglot reads it."""
    return f"{r.function('concat')}({r.all(node.expressions)})"


@writes(exp.Soundex, args="this")
def _soundex(r: Renderer, node: exp.Soundex) -> str:
    return f"{r.function('soundex')}({r.sql(node.this)})"


@writes(exp.Any, exp.All, args="this")
def _quantified(r: Renderer, node: Node) -> str:
    word = "ANY" if isinstance(node, exp.Any) else "ALL"
    inner = node.this
    if isinstance(inner, (exp.Paren, exp.Subquery, exp.Tuple)):
        return f"{word} {r.sql(inner)}"
    return f"{word} ({r.sql(inner)})"


@writes(exp.Exists, args="this expression")
def _exists(r: Renderer, node: exp.Exists) -> str:
    inner = node.this
    return f"EXISTS {r.sql(inner)}" if isinstance(inner, exp.Subquery) else f"EXISTS ({r.sql(inner)})"


@writes(exp.Case, args="this ifs default")
def _case(r: Renderer, node: exp.Case) -> str:
    parts = ["CASE"]
    if node.this is not None:
        parts.append(r.sql(node.this))
    for branch in node.args.get("ifs") or ():
        parts.append(f"WHEN {r.sql(branch.this)} THEN {r.sql(branch.args.get('true'))}")
    if node.args.get("default") is not None:
        parts.append(f"ELSE {r.sql(node.args['default'])}")
    return " ".join([*parts, "END"])


@writes(exp.Collate, args="this expression")
def _collate(r: Renderer, node: exp.Collate) -> str:
    collation = node.expression
    if (
        isinstance(collation, exp.Column)
        and collation.args.get("table")
        and collation.args["table"].name.lower() == "pg_catalog"
    ):
        collation = collation.this
    if isinstance(collation, exp.Column) and collation.args.get("table") and r.rules.name == "duckdb":
        collation = exp.Var(this=f"{collation.args['table'].name}.{collation.name}")
    if isinstance(collation, exp.Column):
        collation = collation.this
    name = collation.name if isinstance(collation, (exp.Identifier, exp.Var, exp.Literal)) else ""
    if not r.rules.collations.fullmatch(name):
        raise RefusedSql("forbidden_syntax", what=f"COLLATE {name[:40]}", log="collation")
    return f"{r.sql(node.this)} COLLATE {r.rules.quote(name) if r.rules.name == 'postgres' else name}"


@writes(exp.AtTimeZone, args="this zone")
def _at_time_zone(r: Renderer, node: exp.AtTimeZone) -> str:
    return f"{r.sql(node.this)} AT TIME ZONE {r.sql(node.args['zone'])}"


@writes(exp.Interval, args="this unit")
def _interval(r: Renderer, node: exp.Interval) -> str:
    unit = node.args.get("unit")
    text = f"INTERVAL {r.sql(node.this)}"
    if unit is None:
        return text
    if isinstance(unit, exp.IntervalSpan):
        return f"{text} {r.word(unit.this, r.rules.units)} TO {r.word(unit.expression, r.rules.units)}"
    return f"{text} {r.word(unit, r.rules.units)}"
