"""From the checked tree to the text that is sent: a generator that knows only what is allowed.

Every node class has its method below, and every method names the arguments that it writes. A class without a method, an
argument that is not named (``FOR UPDATE``, ``INTO``, hints, samples…), a function or a type outside the dialect's list: the
statement is refused. So the allow-list and the generator are one thing, and nothing is sent that this file did not write.

Names are always quoted, so that none can be read as a keyword, a variable or a function without parentheses. The order of
the pieces is the order of the source, so the engine applies its own precedence to what the person wrote.

sqlglot's own generator was set aside: it translates between dialects, which breaks statements that came in right
(``REGEXP``, ``UTC_DATE()``, ``MEDIAN``, ``FROM DUAL`` on MariaDB), and it writes whatever it can parse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from datapilot_kernel.guard.reasons import RefusedSql

if TYPE_CHECKING:
    from datapilot_kernel.guard.dialects import DialectRules

Node = exp.Expr
_Method = Callable[["Renderer", Any], str]
_METHODS: dict[type[Node], tuple[_Method, frozenset[str]]] = {}
_REASONS = {"locks": "locking", "into": "writes"}
_SAFE_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def _writes(*classes: type[Node], args: str = "") -> Callable[[_Method], _Method]:
    """Register a method for node classes, with the arguments that it writes."""

    def register(method: _Method) -> _Method:
        for cls in classes:
            _METHODS[cls] = (method, frozenset(args.split()))
        return method

    return register


def known_nodes() -> frozenset[str]:
    """Names of every node class that can be written: the allow-list of syntax."""
    return frozenset(cls.__name__ for cls in _METHODS)


class Renderer:
    """Writes one checked tree.

    Parameters
    ----------
    rules
        The dialect's lists and spellings.
    replacements
        By ``id`` of an ``exp.Table``: the text that stands for it (without its alias), or None for a reference to a CTE.
    names
        By ``id`` of an ``exp.Identifier`` or ``exp.Column``: the text to write in its place.
    filtered
        Whether a table with a row filter is read.
    """

    def __init__(
        self, rules: DialectRules, replacements: dict[int, str], names: dict[int, str], *, filtered: bool = False
    ) -> None:
        self.rules = rules
        self.filtered = filtered
        self.replacements = replacements
        self.names = names

    def sql(self, node: Node | None) -> str:
        """Write ``node``; None writes nothing."""
        if node is None:
            return ""
        found = _METHODS.get(type(node))
        if found is None:
            raise RefusedSql("forbidden_syntax", what=_readable(type(node).__name__), log=f"node {type(node).__name__}")
        method, known = found
        for key, value in node.args.items():
            if value and key not in known:
                raise RefusedSql(
                    _REASONS.get(key, "forbidden_syntax"), what=_readable(key), log=f"{type(node).__name__}.{key}"
                )
        return method(self, node)

    def all(self, nodes: Iterable[Node], separator: str = ", ") -> str:
        """Write several nodes."""
        return separator.join([self.sql(n) for n in nodes])

    def name(self, node: Node | None) -> str:
        """Write an identifier, quoted."""
        if not isinstance(node, exp.Identifier):
            raise RefusedSql("forbidden_syntax", what="?", log=f"name is a {type(node).__name__}")
        special = self.names.get(id(node))
        return special if special is not None else self.rules.quote_identifier(node)

    def function(self, name: str) -> str:
        """Return the spelling of an allowed function."""
        if name.lower() not in self.rules.functions:
            raise RefusedSql("forbidden_function", name=name[:60], log=f"function {name[:60]!r}")
        return name.upper() if self.rules.name == "mysql" else name.lower()

    def type(self, node: Node) -> str:
        """Write a type."""
        return self.rules.type_sql(node, self)

    def word(self, value: object, allowed: Iterable[str]) -> str:
        """Write a keyword that the parser kept as text, if it is one of ``allowed``."""
        text = (value.name if isinstance(value, exp.Expr) else str(value)).upper()
        if text not in allowed:
            raise RefusedSql("forbidden_syntax", what=text[:40], log="unexpected keyword")
        return text


def _readable(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).rstrip("_").upper()


# --- queries ------------------------------------------------------------------------------------------------------------


@_writes(exp.With, args="expressions recursive")
def _with(r: Renderer, node: exp.With) -> str:
    return f"WITH {'RECURSIVE ' if node.args.get('recursive') else ''}{r.all(node.expressions)}"


@_writes(exp.CTE, args="this alias materialized")
def _cte(r: Renderer, node: exp.CTE) -> str:
    materialized = node.args.get("materialized")
    word = (
        "" if materialized is None or r.rules.name == "mysql" else "MATERIALIZED " if materialized else "NOT MATERIALIZED "
    )
    body = node.this
    if not isinstance(body, (exp.Select, exp.SetOperation, exp.Subquery, exp.Values, exp.Pivot)):
        raise RefusedSql("not_a_query", what=_readable(type(body).__name__), log=f"CTE is {type(body).__name__}")
    return f"{r.sql(node.args['alias'])} AS {word}({r.sql(body)})"


@_writes(exp.TableAlias, args="this columns")
def _table_alias(r: Renderer, node: exp.TableAlias) -> str:
    columns = node.args.get("columns")
    listed = ""
    if columns:
        listed = "(" + ", ".join([r.rules.alias_column(c, r) for c in columns]) + ")"
    if node.this is None:
        raise RefusedSql("forbidden_syntax", what="AS (…)", log="alias without a name")
    return r.name(node.this) + listed


_SELECT_ARGS = "with_ distinct expressions from_ joins laterals where group having windows qualify order limit offset kind"


@_writes(exp.Select, args=_SELECT_ARGS)
def _select(r: Renderer, node: exp.Select) -> str:
    args = node.args
    if args.get("kind"):
        raise RefusedSql("forbidden_syntax", what=f"SELECT AS {args['kind']}", log="select kind")
    parts = []
    if args.get("with_"):
        parts.append(r.sql(args["with_"]))
    parts.append("SELECT")
    if args.get("distinct"):
        parts.append(r.sql(args["distinct"]))
    if node.expressions:
        parts.append(r.all(node.expressions))
    if args.get("from_"):
        parts.append(r.sql(args["from_"]))
    parts.extend(_joins(r, args))
    for key in ("where", "group", "having"):
        if args.get(key):
            parts.append(r.sql(args[key]))
    if args.get("windows"):
        parts.append("WINDOW " + ", ".join([_named_window(r, w) for w in args["windows"]]))
    if args.get("qualify"):
        parts.append(r.sql(args["qualify"]))
    parts.extend(_tail(r, args))
    return _spaced(parts)


def _spaced(parts: list[str]) -> str:
    return " ".join(parts).replace(" \0", "")


def _joins(r: Renderer, args: dict[str, Any]) -> list[str]:
    parts = []
    for join in args.get("joins") or ():
        text = r.sql(join)
        parts.append(text)
    for lateral in args.get("laterals") or ():
        parts.append("\0, " + r.sql(lateral))
    return parts


def _tail(r: Renderer, args: dict[str, Any]) -> list[str]:
    return [r.sql(args[key]) for key in ("order", "limit", "offset") if args.get(key)]


@_writes(exp.Union, exp.Except, exp.Intersect, args="with_ this expression distinct by_name order limit offset")
def _set_operation(r: Renderer, node: exp.SetOperation) -> str:
    # left-deep chains are walked, not recursed into
    chain: list[exp.SetOperation] = []
    left: Node = node
    while isinstance(left, exp.SetOperation) and (left is node or not _modified(left)):
        if left is not node:
            known = _METHODS[type(left)][1]
            if any(v and k not in known for k, v in left.args.items()):
                raise RefusedSql("forbidden_syntax", what="UNION", log="set operation")
        chain.append(left)
        left = left.this
    parts = [r.sql(node.args["with_"])] if node.args.get("with_") else []
    parts.append(_branch(r, left))
    for operation in reversed(chain):
        word = {exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT"}[type(operation)]
        if operation.args.get("distinct") is False:
            word += " ALL"
        if operation.args.get("by_name"):
            word += " BY NAME"
        parts.extend([word, _branch(r, operation.expression)])
    parts.extend(_tail(r, node.args))
    return " ".join(parts)


def _modified(node: Node) -> bool:
    return any(node.args.get(key) for key in ("with_", "order", "limit", "offset"))


def _branch(r: Renderer, node: Node) -> str:
    text = r.sql(node)
    if isinstance(node, exp.Subquery):
        return text
    if _modified(node) or isinstance(node, exp.SetOperation):
        return f"({text})"
    return text


@_writes(exp.Subquery, args="this alias with_ joins order limit offset pivots")
def _subquery(r: Renderer, node: exp.Subquery) -> str:
    args = node.args
    parts = [r.sql(args["with_"])] if args.get("with_") else []
    inner = node.this
    if isinstance(inner, exp.Table) or (isinstance(inner, exp.Subquery) and inner.args.get("joins")):
        body = " ".join([r.sql(inner)])
        parts.append(f"({body})")
    else:
        parts.append(f"({r.sql(inner)})")
    parts.extend([r.sql(p) for p in args.get("pivots") or ()])
    if args.get("alias"):
        parts.append("AS " + r.sql(args["alias"]))
    parts.extend(_joins(r, args))
    parts.extend(_tail(r, args))
    return _spaced(parts)


@_writes(exp.Values, args="expressions alias order limit offset")
def _values(r: Renderer, node: exp.Values) -> str:
    rows = []
    for row in node.expressions:
        text = r.sql(row)
        whole = isinstance(row, exp.Tuple) or (isinstance(row, exp.Anonymous) and row.name.upper() == "ROW")
        rows.append(text if whole else f"({text})")
    text = "VALUES " + ", ".join(rows)
    alias = node.args.get("alias")
    if alias:
        return f"({text}) AS {r.sql(alias)}"
    if isinstance(node.parent, (exp.From, exp.Join)):
        return f"({text})"
    return " ".join([text, *_tail(r, node.args)])


@_writes(exp.From, args="this")
def _from(r: Renderer, node: exp.From) -> str:
    return f"FROM {r.sql(node.this)}"


@_writes(exp.Table, args="this db catalog alias ordinality joins pivots")
def _table(r: Renderer, node: exp.Table) -> str:
    inner = node.this
    if isinstance(inner, exp.Anonymous):
        if node.args.get("db") or node.args.get("catalog"):
            raise RefusedSql("forbidden_function", name=inner.name, log="qualified table function")
        name = inner.name.lower()
        if name not in r.rules.table_functions:
            raise RefusedSql("forbidden_function", name=inner.name[:60], log=f"table function {inner.name[:60]!r}")
        text = f"{name}({r.all(inner.expressions)})"
        if node.args.get("ordinality"):
            text += " WITH ORDINALITY"
    elif isinstance(inner, exp.JSONTable):
        text = r.sql(inner)
    else:
        found = r.replacements.get(id(node))
        if found is None:
            raise RefusedSql("unknown_table", name=node.name, log="table that was not resolved")
        text = found
    parts = [text]
    parts.extend([r.sql(p) for p in node.args.get("pivots") or ()])
    if node.args.get("alias"):
        parts.append("AS " + r.sql(node.args["alias"]))
    elif id(node) in r.names:
        parts.append("AS " + r.names[id(node)])
    parts.extend(_joins(r, node.args))
    return _spaced(parts)


_SIDES = {"LEFT", "RIGHT", "FULL", ""}
_KINDS = {"INNER", "CROSS", "OUTER", "SEMI", "ANTI", "STRAIGHT_JOIN", ""}


@_writes(exp.Join, args="this on using method side kind")
def _join(r: Renderer, node: exp.Join) -> str:
    args = node.args
    method = r.word(args.get("method") or "", {"NATURAL", "ASOF", "POSITIONAL", ""})
    side = r.word(args.get("side") or "", _SIDES)
    kind = r.word(args.get("kind") or "", _KINDS)
    target = r.sql(node.this)
    if not (method or side or kind or args.get("on") or args.get("using")):
        # a comma in the source (sqlglot keeps JOIN without a condition apart with kind INNER or not at all)
        return f"\0, {target}"  # \0: no blank before it
    if kind == "STRAIGHT_JOIN":
        kind = "INNER"  # an order for the optimiser, not a meaning
    word = " ".join([w for w in (method, side, kind, "JOIN") if w])
    if args.get("on") is not None:
        return f"{word} {target} ON {r.sql(args['on'])}"
    if args.get("using"):
        return f"{word} {target} USING ({', '.join([r.name(_bare(c)) for c in args['using']])})"
    return f"{word} {target}"


def _bare(node: Node) -> Node:
    return node.this if isinstance(node, exp.Column) and not node.args.get("table") else node


@_writes(exp.Lateral, args="this alias")
def _lateral(r: Renderer, node: exp.Lateral) -> str:
    inner = node.this
    if isinstance(inner, exp.Subquery):
        text = f"LATERAL {r.sql(inner)}"
    elif isinstance(inner, exp.Anonymous) and inner.name.lower() in r.rules.table_functions:
        text = f"LATERAL {inner.name.lower()}({r.all(inner.expressions)})"
    else:
        raise RefusedSql("forbidden_function", name=inner.name[:60] or "LATERAL", log="lateral function")
    alias = node.args.get("alias")
    return f"{text} AS {r.sql(alias)}" if alias else text


@_writes(exp.Where, args="this")
def _where(r: Renderer, node: exp.Where) -> str:
    return f"WHERE {r.sql(node.this)}"


@_writes(exp.Having, args="this")
def _having(r: Renderer, node: exp.Having) -> str:
    return f"HAVING {r.sql(node.this)}"


@_writes(exp.Qualify, args="this")
def _qualify(r: Renderer, node: exp.Qualify) -> str:
    return f"QUALIFY {r.sql(node.this)}"


@_writes(exp.Group, args="expressions grouping_sets rollup cube all extra_keys")
def _group(r: Renderer, node: exp.Group) -> str:
    args = node.args
    if args.get("all") is not None and args.get("all") is not False:
        return "GROUP BY ALL"
    parts = [r.sql(e) for e in node.expressions]
    parts.extend(args.get("extra_keys") or ())
    with_rollup = ""
    for key in ("grouping_sets", "cube", "rollup"):
        for item in args.get(key) or ():
            if isinstance(item, exp.Rollup) and not item.expressions:
                with_rollup = " WITH ROLLUP"
            elif isinstance(item, exp.Expr):
                parts.append(r.sql(item))
    return f"GROUP BY {', '.join(parts)}{with_rollup}"


@_writes(exp.GroupingSets, exp.Rollup, exp.Cube, args="expressions")
def _grouping(r: Renderer, node: Node) -> str:
    word = {exp.GroupingSets: "GROUPING SETS", exp.Rollup: "ROLLUP", exp.Cube: "CUBE"}[type(node)]  # type: ignore[index]
    return f"{word} ({r.all(node.expressions)})"


@_writes(exp.Order, args="this expressions")
def _order(r: Renderer, node: exp.Order) -> str:
    before = f"{r.sql(node.this)} " if node.this is not None else ""
    return f"{before}ORDER BY {r.all(node.expressions)}"


@_writes(exp.Ordered, args="this desc nulls_first")
def _ordered(r: Renderer, node: exp.Ordered) -> str:
    text = r.sql(node.this)
    if node.args.get("desc"):
        text += " DESC"
    wanted = r.rules.nulls_sql(node)
    return f"{text} {wanted}" if wanted else text


@_writes(exp.Limit, args="this expression limit_options")
def _limit(r: Renderer, node: exp.Limit) -> str:
    if node.this is not None:  # inside an aggregate: GROUP_CONCAT(… LIMIT 2)
        return f"{r.sql(node.this)} LIMIT {r.sql(node.expression)}"
    options = node.args.get("limit_options")
    percent = "%" if options is not None and options.args.get("percent") else ""
    return f"LIMIT {r.sql(node.expression)}{percent}"


@_writes(exp.Fetch, args="direction count limit_options")
def _fetch(r: Renderer, node: exp.Fetch) -> str:
    options = node.args.get("limit_options")
    ties = options is not None and options.args.get("with_ties")
    if options is not None and options.args.get("percent"):
        raise RefusedSql("forbidden_syntax", what="FETCH … PERCENT", log="fetch percent")
    return f"FETCH FIRST {r.sql(node.args.get('count')) or '1'} ROWS {'WITH TIES' if ties else 'ONLY'}"


@_writes(exp.Offset, args="this expression")
def _offset(r: Renderer, node: exp.Offset) -> str:
    return f"OFFSET {r.sql(node.args.get('expression') or node.this)}"


@_writes(exp.Distinct, args="expressions on")
def _distinct(r: Renderer, node: exp.Distinct) -> str:
    on = node.args.get("on")
    if on is not None:
        return f"DISTINCT ON ({r.all(on.expressions if isinstance(on, exp.Tuple) else [on])})"
    return f"DISTINCT {r.all(node.expressions)}" if node.expressions else "DISTINCT"


_PIVOT_DERIVED = (
    "columns identify_pivot_strings prefixed_pivot_columns pivot_column_naming value_columns_first default_on_null"
)


@_writes(exp.Pivot, args="with_ this expressions fields unpivot using group include_nulls into alias " + _PIVOT_DERIVED)
def _pivot(r: Renderer, node: exp.Pivot) -> str:
    args = node.args
    if r.rules.name != "duckdb":
        raise RefusedSql("forbidden_syntax", what="PIVOT", log="pivot")
    unpivot = bool(args.get("unpivot"))
    word = "UNPIVOT" if unpivot else "PIVOT"
    if node.this is not None:  # the statement form
        if not unpivot and not all(isinstance(e, exp.In) for e in node.expressions):
            raise RefusedSql("forbidden_syntax", key="pivot_needs_in", what="PIVOT", log="pivot without IN")
        parts = [r.sql(args["with_"])] if args.get("with_") else []
        parts.extend([word, r.sql(node.this), "ON", r.all(node.expressions)])
        if args.get("using"):
            parts.append("USING " + r.all(args["using"]))
        if args.get("into"):
            parts.append(r.sql(args["into"]))
        if args.get("group"):
            parts.append(r.sql(args["group"]))
        return " ".join(parts)
    if unpivot:
        nulls = "INCLUDE NULLS " if args.get("include_nulls") else ""
        inner = f"{r.all(node.expressions)} FOR {r.all(args.get('fields') or (), ' ')}"
        text = f"UNPIVOT {nulls}({inner})"
    else:
        if not all(isinstance(f, exp.In) and f.expressions for f in args.get("fields") or ()):
            raise RefusedSql("forbidden_syntax", key="pivot_needs_in", what="PIVOT", log="pivot without IN")
        inner = f"{r.all(node.expressions)} FOR {r.all(args.get('fields') or (), ' ')}"
        if args.get("group"):
            inner += " " + r.sql(args["group"])
        text = f"PIVOT ({inner})"
    if args.get("alias"):
        text += " AS " + r.sql(args["alias"])
    return text


@_writes(exp.UnpivotColumns, args="this expressions")
def _unpivot_columns(r: Renderer, node: exp.UnpivotColumns) -> str:
    return f"INTO NAME {r.sql(node.this)} VALUE {r.all(node.expressions)}"


@_writes(exp.PivotAlias, args="this alias")
@_writes(exp.Alias, args="this alias")
def _alias(r: Renderer, node: Node) -> str:
    alias = node.args["alias"]
    if isinstance(alias, exp.Literal) and alias.is_string:
        return f"{r.sql(node.this)} AS {r.rules.quote(alias.this)}"
    return f"{r.sql(node.this)} AS {r.name(alias)}"


@_writes(exp.Aliases, args="this expressions")
def _aliases(r: Renderer, node: exp.Aliases) -> str:
    raise RefusedSql("forbidden_syntax", what="AS (…)", log="several aliases")


# --- names and values -----------------------------------------------------------------------------------------------------


@_writes(exp.Identifier, args="this quoted")
def _identifier(r: Renderer, node: exp.Identifier) -> str:
    return r.name(node)


@_writes(exp.Column, args="this table db catalog")
def _column(r: Renderer, node: exp.Column) -> str:
    special = r.names.get(id(node))
    if special is not None:
        return special
    args = node.args
    parts = [r.name(args[key]) for key in ("catalog", "db", "table") if args.get(key)]
    parts.append(r.sql(node.this) if isinstance(node.this, exp.Star) else r.name(node.this))
    return ".".join(parts)


@_writes(exp.Star, args="except_ replace rename")
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


@_writes(exp.Literal, args="this is_string")
def _literal(r: Renderer, node: exp.Literal) -> str:
    if node.is_string:
        return r.rules.string(node.this)
    text = str(node.this)
    if not re.fullmatch(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", text):
        raise RefusedSql("unreadable", log="number")
    return text


@_writes(exp.HexString, exp.BitString, args="this is_integer")
def _bits(r: Renderer, node: Node) -> str:
    value = str(node.this)
    if not re.fullmatch(r"[0-9A-Fa-f]*", value):
        raise RefusedSql("unreadable", log="bits")
    return f"{'X' if isinstance(node, exp.HexString) else 'B'}'{value}'"


@_writes(exp.Null)
def _null(r: Renderer, node: exp.Null) -> str:
    return "NULL"


@_writes(exp.Boolean, args="this")
def _boolean(r: Renderer, node: exp.Boolean) -> str:
    return "TRUE" if node.this else "FALSE"


@_writes(exp.Var, args="this")
def _var(r: Renderer, node: exp.Var) -> str:
    return r.word(node, {"ALL", "DEFAULT"} - {"DEFAULT"})


@_writes(exp.Paren, args="this")
def _paren(r: Renderer, node: exp.Paren) -> str:
    return f"({r.sql(node.this)})"


@_writes(exp.Tuple, args="expressions")
def _tuple(r: Renderer, node: exp.Tuple) -> str:
    return f"({r.all(node.expressions)})"


# --- operators ------------------------------------------------------------------------------------------------------------

_BINARY: dict[type[Node], str] = {
    exp.And: "AND", exp.Or: "OR", exp.Xor: "XOR", exp.EQ: "=",
    exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=",
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%", exp.DPipe: "||",
    exp.BitwiseAnd: "&", exp.BitwiseOr: "|", exp.BitwiseLeftShift: "<<", exp.BitwiseRightShift: ">>",
    exp.Glob: "GLOB", exp.SimilarTo: "SIMILAR TO",
    exp.ArrayContainsAll: "@>", exp.ArrayContainedBy: "<@", exp.ArrayOverlaps: "&&",
    exp.JSONBContains: "?", exp.JSONBContainsTopKey: "?",
    exp.JSONBContainsAnyTopKeys: "?|", exp.JSONBContainsAllTopKeys: "?&",
    exp.JSONBExtract: "#>", exp.JSONBExtractScalar: "#>>", exp.Overlaps: "OVERLAPS", exp.Escape: "ESCAPE", exp.Slice: ":",
}  # fmt: skip
_BINARY_ARGS = "this expression typed safe operator"


@_writes(*_BINARY, args=_BINARY_ARGS)
def _binary(r: Renderer, node: exp.Binary) -> str:
    # chains lean left: walked, not recursed into
    parts: list[str] = []
    current: Node = node
    while (word := _BINARY.get(type(current))) is not None and current.args.get("this") is not None:
        known = _METHODS[type(current)][1]
        for key, value in current.args.items():
            if value and key not in known:
                raise RefusedSql("forbidden_syntax", what=_readable(key), log=f"{type(current).__name__}.{key}")
        if isinstance(current, exp.Slice):
            break
        operator = r.rules.operator(word)
        parts.append(f"{operator} {r.sql(current.expression)}")
        current = current.this
    if isinstance(node, exp.Slice):
        left = r.sql(node.args.get("this"))
        return f"{left}:{r.sql(node.args.get('expression')) if node.args.get('expression') is not None else ''}"
    parts.append(r.sql(current))
    parts.reverse()
    return " ".join(parts)


@_writes(exp.IntDiv, args="this expression")
def _int_div(r: Renderer, node: exp.IntDiv) -> str:
    return f"{r.sql(node.this)} {'DIV' if r.rules.name == 'mysql' else '//'} {r.sql(node.expression)}"


@_writes(exp.Pow, args="this expression")
def _pow(r: Renderer, node: exp.Pow) -> str:
    return f"{r.sql(node.this)} {'^' if r.rules.name == 'postgres' else '**'} {r.sql(node.expression)}"


@_writes(exp.BitwiseXor, args="this expression")
def _xor(r: Renderer, node: exp.BitwiseXor) -> str:
    if r.rules.name == "duckdb":
        return f"xor({r.sql(node.this)}, {r.sql(node.expression)})"
    return f"{r.sql(node.this)} {'#' if r.rules.name == 'postgres' else '^'} {r.sql(node.expression)}"


@_writes(exp.NullSafeEQ, exp.NullSafeNEQ, args="this expression")
def _null_safe(r: Renderer, node: exp.Binary) -> str:
    left, right = r.sql(node.this), r.sql(node.expression)
    equal = isinstance(node, exp.NullSafeEQ)
    if r.rules.name == "mysql":
        return f"{left} <=> {right}" if equal else f"NOT ({left} <=> {right})"
    return f"{left} IS {'NOT ' if equal else ''}DISTINCT FROM {right}"


_LIKES: dict[type[Node], str] = {exp.Like: "LIKE", exp.ILike: "ILIKE"}


@_writes(exp.Like, exp.ILike, args="this expression negate")
def _like(r: Renderer, node: exp.Expr, *, negated: bool = False) -> str:
    word = _LIKES[type(node)]
    if word == "ILIKE" and r.rules.name == "mysql":
        raise RefusedSql("forbidden_syntax", what="ILIKE", log="ilike in mysql")
    if bool(node.args.get("negate")) != negated:
        word = f"NOT {word}"
    return f"{r.sql(node.this)} {word} {r.rules.pattern(node.expression, r, escaped=isinstance(node.parent, exp.Escape))}"


@_writes(exp.RegexpLike, exp.RegexpILike, args="this expression negate")
def _regexp(r: Renderer, node: exp.Binary, *, negated: bool = False) -> str:
    word = r.rules.regexp(case_sensitive=isinstance(node, exp.RegexpLike), negated=negated != bool(node.args.get("negate")))
    return f"{r.sql(node.this)} {word} {r.rules.pattern(node.expression, r, regexp=True)}"


@_writes(exp.JSONArrayContains, args="this expression")
def _member_of(r: Renderer, node: exp.JSONArrayContains) -> str:
    if r.rules.name != "mysql":
        raise RefusedSql("forbidden_syntax", what="MEMBER OF", log="member of")
    return f"{r.sql(node.this)} MEMBER OF ({r.sql(node.expression)})"


@_writes(exp.StartsWith, args="this expression")
def _starts_with(r: Renderer, node: exp.StartsWith) -> str:
    return f"{r.sql(node.this)} ^@ {r.sql(node.expression)}"


@_writes(exp.Is, args="this expression negate")
def _is(r: Renderer, node: exp.Is, *, negated: bool = False) -> str:
    right = node.expression
    if not isinstance(right, (exp.Null, exp.Boolean)):
        raise RefusedSql("forbidden_syntax", what="IS …", log=f"IS {type(right).__name__}")
    word = "IS NOT" if negated != bool(node.args.get("negate")) else "IS"
    return f"{r.sql(node.this)} {word} {r.sql(right)}"


@_writes(exp.In, args="this expressions query unnest field")
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


@_writes(exp.Between, args="this low high symmetric")
def _between(r: Renderer, node: exp.Between, *, negated: bool = False) -> str:
    word = "NOT BETWEEN" if negated else "BETWEEN"
    if node.args.get("symmetric"):
        word += " SYMMETRIC"
    return f"{r.sql(node.this)} {word} {r.sql(node.args['low'])} AND {r.sql(node.args['high'])}"


_NEGATABLE: dict[type[Node], Callable[..., str]] = {
    exp.Like: _like, exp.ILike: _like, exp.RegexpLike: _regexp,
    exp.RegexpILike: _regexp, exp.Is: _is, exp.In: _in, exp.Between: _between,
}  # fmt: skip


@_writes(exp.Not, args="this")
def _not(r: Renderer, node: exp.Not) -> str:
    inner = node.this
    method = _NEGATABLE.get(type(inner))
    if method is not None:
        known = _METHODS[type(inner)][1]
        if all(not v or k in known for k, v in inner.args.items()):
            return method(r, inner, negated=True)
    if isinstance(inner, exp.Escape) and type(inner.this) in _LIKES:
        return f"{_NEGATABLE[exp.Like](r, inner.this, negated=True)} ESCAPE {r.sql(inner.expression)}"
    if isinstance(inner, (exp.SimilarTo, exp.Glob)) and isinstance(inner, exp.SimilarTo):
        return f"{r.sql(inner.this)} NOT SIMILAR TO {r.sql(inner.expression)}"
    return f"NOT {r.sql(inner)}"


@_writes(exp.Neg, args="this")
def _neg(r: Renderer, node: exp.Neg) -> str:
    inner = r.sql(node.this)
    return f"-{' ' if inner.startswith('-') else ''}{inner}"


@_writes(exp.BitwiseNot, args="this")
def _bitwise_not(r: Renderer, node: exp.BitwiseNot) -> str:
    return f"~ {r.sql(node.this)}"


@_writes(exp.Sqrt, exp.Cbrt, args="this")
def _roots(r: Renderer, node: Node) -> str:
    return f"{r.function('sqrt' if isinstance(node, exp.Sqrt) else 'cbrt')}({r.sql(node.this)})"


@_writes(exp.MatchAgainst, args="this expressions")
def _match(r: Renderer, node: exp.MatchAgainst) -> str:
    if r.rules.name != "postgres" or len(node.expressions) != 1:
        raise RefusedSql("forbidden_syntax", what="MATCH … AGAINST", log="match against")
    return f"{r.sql(node.expressions[0])} @@ {r.sql(node.this)}"


@_writes(exp.Concat, args="expressions safe coalesce")
def _concat(r: Renderer, node: exp.Concat) -> str:
    """Write GROUP_CONCAT of several expressions, as sqlglot reads it."""
    return f"{r.function('concat')}({r.all(node.expressions)})"


@_writes(exp.Soundex, args="this")
def _soundex(r: Renderer, node: exp.Soundex) -> str:
    return f"{r.function('soundex')}({r.sql(node.this)})"


@_writes(exp.Any, exp.All, args="this")
def _quantified(r: Renderer, node: Node) -> str:
    word = "ANY" if isinstance(node, exp.Any) else "ALL"
    inner = node.this
    if isinstance(inner, (exp.Paren, exp.Subquery, exp.Tuple)):
        return f"{word} {r.sql(inner)}"
    return f"{word} ({r.sql(inner)})"


@_writes(exp.Exists, args="this expression")
def _exists(r: Renderer, node: exp.Exists) -> str:
    inner = node.this
    return f"EXISTS {r.sql(inner)}" if isinstance(inner, exp.Subquery) else f"EXISTS ({r.sql(inner)})"


@_writes(exp.Case, args="this ifs default")
def _case(r: Renderer, node: exp.Case) -> str:
    parts = ["CASE"]
    if node.this is not None:
        parts.append(r.sql(node.this))
    for branch in node.args.get("ifs") or ():
        parts.append(f"WHEN {r.sql(branch.this)} THEN {r.sql(branch.args.get('true'))}")
    if node.args.get("default") is not None:
        parts.append(f"ELSE {r.sql(node.args['default'])}")
    return " ".join([*parts, "END"])


@_writes(exp.Collate, args="this expression")
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


@_writes(exp.AtTimeZone, args="this zone")
def _at_time_zone(r: Renderer, node: exp.AtTimeZone) -> str:
    return f"{r.sql(node.this)} AT TIME ZONE {r.sql(node.args['zone'])}"


@_writes(exp.Interval, args="this unit")
def _interval(r: Renderer, node: exp.Interval) -> str:
    unit = node.args.get("unit")
    text = f"INTERVAL {r.sql(node.this)}"
    if unit is None:
        return text
    if isinstance(unit, exp.IntervalSpan):
        return f"{text} {r.word(unit.this, r.rules.units)} TO {r.word(unit.expression, r.rules.units)}"
    return f"{text} {r.word(unit, r.rules.units)}"


# --- functions with a syntax of their own ---------------------------------------------------------------------------


@_writes(exp.Cast, exp.TryCast, args="this to safe")
def _cast(r: Renderer, node: exp.Cast) -> str:
    to = node.args["to"]
    if to.this == exp.DType.CHARACTER_SET:
        charset = to.args.get("kind")
        return f"CONVERT({r.sql(node.this)} USING {r.word(charset, r.rules.charsets).lower()})"
    word = "TRY_CAST" if isinstance(node, exp.TryCast) and r.rules.name == "duckdb" else "CAST"
    if isinstance(node, exp.TryCast) and word == "CAST" and r.rules.name == "postgres":
        raise RefusedSql("forbidden_function", name="TRY_CAST", log="try_cast")
    return r.rules.cast(word, r.sql(node.this), to, r, literal=isinstance(node.this, exp.Literal) and node.this.is_string)


@_writes(exp.Extract, args="this expression")
def _extract(r: Renderer, node: exp.Extract) -> str:
    part = node.this
    if isinstance(part, exp.Literal):
        part = exp.Var(this=part.this)
    return f"EXTRACT({r.word(part, r.rules.extract_parts)} FROM {r.sql(node.expression)})"


@_writes(exp.Trim, args="this expression position")
def _trim(r: Renderer, node: exp.Trim) -> str:
    position = node.args.get("position")
    side = f"{r.word(position, {'LEADING', 'TRAILING', 'BOTH'})} " if position else ""
    what = node.args.get("expression")
    if what is None:
        return f"TRIM({side}{'FROM ' if side else ''}{r.sql(node.this)})"
    return f"TRIM({side}{r.sql(what)} FROM {r.sql(node.this)})"


@_writes(exp.Substring, args="this start length")
def _substring(r: Renderer, node: exp.Substring) -> str:
    start = r.sql(node.args.get("start")) or "1"
    length = node.args.get("length")
    return f"SUBSTRING({r.sql(node.this)} FROM {start}{f' FOR {r.sql(length)}' if length is not None else ''})"


@_writes(exp.StrPosition, args="this substr")
def _position(r: Renderer, node: exp.StrPosition) -> str:
    return f"POSITION({r.sql(node.args['substr'])} IN {r.sql(node.this)})"


@_writes(exp.Overlay, args="this expression from_ for_")
def _overlay(r: Renderer, node: exp.Overlay) -> str:
    args = node.args
    length = f" FOR {r.sql(args['for_'])}" if args.get("for_") is not None else ""
    return f"OVERLAY({r.sql(node.this)} PLACING {r.sql(node.expression)} FROM {r.sql(args.get('from_'))}{length})"


@_writes(exp.GroupConcat, args="this separator")
def _group_concat(r: Renderer, node: exp.GroupConcat) -> str:
    separator = node.args.get("separator")
    tail = f" SEPARATOR {r.sql(separator)}" if separator is not None else ""
    return f"GROUP_CONCAT({r.sql(node.this)}{tail})"


@_writes(exp.JSONExtract, exp.JSONExtractScalar, args="this expression only_json_types scalar_only")
def _json_extract(r: Renderer, node: exp.Binary) -> str:
    left, right = r.sql(node.this), r.sql(node.expression)
    scalar = isinstance(node, exp.JSONExtractScalar)
    if r.rules.name == "mysql":  # MariaDB has no arrows; the functions mean the same on both
        text = f"JSON_EXTRACT({left}, {right})"
        return f"JSON_UNQUOTE({text})" if scalar else text
    return f"{left} {'->>' if scalar else '->'} {right}"


@_writes(exp.JSONTable, args="this path schema alias")
def _json_table(r: Renderer, node: exp.JSONTable) -> str:
    if r.rules.name != "mysql":
        raise RefusedSql("forbidden_function", name="JSON_TABLE", log="json_table")
    path = f", {r.sql(node.args['path'])}" if node.args.get("path") is not None else ""
    text = f"JSON_TABLE({r.sql(node.this)}{path} {r.sql(node.args['schema'])})"
    alias = node.args.get("alias")
    return f"{text} AS {r.sql(alias)}" if alias is not None else text


@_writes(exp.JSONSchema, args="expressions")
def _json_schema(r: Renderer, node: exp.JSONSchema) -> str:
    return f"COLUMNS ({r.all(node.expressions)})"


@_writes(exp.JSONColumnDef, args="this kind path nested_schema ordinality")
def _json_column(r: Renderer, node: exp.JSONColumnDef) -> str:
    args = node.args
    if args.get("nested_schema") is not None:
        return f"NESTED PATH {r.sql(args['path'])} {r.sql(args['nested_schema'])}"
    if args.get("ordinality"):
        return f"{r.name(node.this)} FOR ORDINALITY"
    return f"{r.name(node.this)} {r.rules.column_type(args.get('kind'), r)} PATH {r.sql(args.get('path'))}"


@_writes(exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp, exp.Localtime, exp.Localtimestamp, args="this")
def _now(r: Renderer, node: Node) -> str:
    word = {
        exp.CurrentDate: "CURRENT_DATE", exp.CurrentTime: "CURRENT_TIME", exp.CurrentTimestamp: "CURRENT_TIMESTAMP",
        exp.Localtime: "LOCALTIME", exp.Localtimestamp: "LOCALTIMESTAMP",
    }[type(node)]  # type: ignore[index]  # fmt: skip
    return f"{word}({r.sql(node.this)})" if node.this is not None else word


@_writes(exp.Anonymous, args="this expressions")
def _call(r: Renderer, node: exp.Anonymous) -> str:
    lowered = node.name.lower()
    if lowered in r.rules.special_calls:
        return r.rules.special_calls[lowered](r, node)
    return f"{r.function(node.name)}({r.all(node.expressions)})"


@_writes(exp.Filter, args="this expression")
def _filter(r: Renderer, node: exp.Filter) -> str:
    if r.rules.name == "mysql":
        raise RefusedSql("forbidden_syntax", key="no_filter_clause", what="FILTER", log="filter in mysql")
    return f"{r.sql(node.this)} FILTER ({r.sql(node.expression)})"


@_writes(exp.WithinGroup, args="this expression")
def _within_group(r: Renderer, node: exp.WithinGroup) -> str:
    return f"{r.sql(node.this)} WITHIN GROUP ({r.sql(node.expression)})"


@_writes(exp.IgnoreNulls, exp.RespectNulls, args="this")
def _nulls(r: Renderer, node: Node) -> str:
    word = "IGNORE" if isinstance(node, exp.IgnoreNulls) else "RESPECT"
    if isinstance(node.parent, exp.Anonymous):
        return f"{r.sql(node.this)} {word} NULLS"
    return f"{r.sql(node.this)} {word} NULLS"


@_writes(exp.Window, args="this partition_by order spec alias over first")
def _window(r: Renderer, node: exp.Window) -> str:
    over = node.args.get("over")
    if over and str(over).upper() != "OVER":
        raise RefusedSql("forbidden_syntax", what=str(over)[:40], log="window over")
    inner = _window_inner(r, node)
    alias = node.args.get("alias")
    if alias is not None and not inner:
        return f"{r.sql(node.this)} OVER {r.name(alias)}"
    base = f"{r.name(alias)} " if alias is not None else ""
    return f"{r.sql(node.this)} OVER ({base}{inner})"


def _named_window(r: Renderer, node: exp.Window) -> str:
    alias = node.args.get("alias")
    base = f"{r.name(alias)} " if alias is not None else ""
    return f"{r.name(node.this)} AS ({base}{_window_inner(r, node)})"


def _window_inner(r: Renderer, node: exp.Window) -> str:
    parts = []
    if node.args.get("partition_by"):
        parts.append("PARTITION BY " + r.all(node.args["partition_by"]))
    if node.args.get("order") is not None:
        parts.append(r.sql(node.args["order"]))
    if node.args.get("spec") is not None:
        parts.append(r.sql(node.args["spec"]))
    return " ".join(parts)


@_writes(exp.WindowSpec, args="kind start start_side end end_side exclude")
def _window_spec(r: Renderer, node: exp.WindowSpec) -> str:
    args = node.args
    kind = r.word(args["kind"], {"ROWS", "RANGE", "GROUPS"})

    def bound(value: object, side: object) -> str:
        if isinstance(value, exp.Expr) and not isinstance(value, exp.Var):
            return f"{r.sql(value)} {r.word(side, {'PRECEDING', 'FOLLOWING'})}"
        text = r.word(value, {"UNBOUNDED", "CURRENT ROW"})
        return f"{text} {r.word(side, {'PRECEDING', 'FOLLOWING'})}" if side else text

    start = bound(args.get("start"), args.get("start_side"))
    text = f"{kind} BETWEEN {start} AND {bound(args['end'], args.get('end_side'))}" if args.get("end") else f"{kind} {start}"
    if args.get("exclude"):
        text += f" EXCLUDE {r.word(args['exclude'], {'CURRENT ROW', 'GROUP', 'TIES', 'NO OTHERS'})}"
    return text


# --- nested values: arrays, structs, maps, lambdas ------------------------------------------------------------------


@_writes(exp.Array, args="expressions bracket_notation struct_name_inheritance value_constructor")
def _array(r: Renderer, node: exp.Array) -> str:
    if r.rules.name == "mysql":
        raise RefusedSql("forbidden_syntax", what="[…]", log="array in mysql")
    inner = f"[{r.all(node.expressions)}]"
    return f"ARRAY{inner}" if r.rules.name == "postgres" and not isinstance(node.parent, exp.Array) else inner


@_writes(exp.Bracket, args="this expressions offset safe returns_list_for_maps")
def _bracket(r: Renderer, node: exp.Bracket) -> str:
    return f"{r.sql(node.this)}[{r.all(node.expressions)}]"


@_writes(exp.Dot, args="this expression")
def _dot(r: Renderer, node: exp.Dot) -> str:
    field = node.expression
    if isinstance(field, exp.Star):
        return f"{r.sql(node.this)}.*"
    if isinstance(field, exp.Anonymous):
        return r.rules.method_call(r, node.this, field)
    return f"{r.sql(node.this)}.{r.name(field)}"


@_writes(exp.Struct, args="expressions")
def _struct(r: Renderer, node: exp.Struct) -> str:
    pairs = []
    for item in node.expressions:
        if not isinstance(item, exp.PropertyEQ):
            raise RefusedSql("forbidden_syntax", what="{…}", log="struct")
        key = item.this
        written = r.rules.string(key.name) if isinstance(key, (exp.Identifier, exp.Literal)) else r.sql(key)
        if isinstance(node.parent, exp.ToMap):
            written = r.sql(key) if not isinstance(key, exp.Identifier) else r.rules.string(key.name)
        pairs.append(f"{written}: {r.sql(item.expression)}")
    return "{" + ", ".join(pairs) + "}"


@_writes(exp.ToMap, args="this")
def _to_map(r: Renderer, node: exp.ToMap) -> str:
    return f"MAP {r.sql(node.this)}"


@_writes(exp.PropertyEQ, args="this expression")
def _named_value(r: Renderer, node: exp.PropertyEQ) -> str:
    return f"{r.name(_bare(node.this))} := {r.sql(node.expression)}"


@_writes(exp.Kwarg, args="this expression")
def _kwarg(r: Renderer, node: exp.Kwarg) -> str:
    name = node.this.name if isinstance(node.this, exp.Expr) else str(node.this)
    if not _SAFE_WORD.match(name):
        raise RefusedSql("forbidden_syntax", what="=>", log="named argument")
    return f"{name.lower()} => {r.sql(node.expression)}"


@_writes(exp.Lambda, args="this expressions colon")
def _lambda(r: Renderer, node: exp.Lambda) -> str:
    params = ", ".join([r.name(_bare(e)) for e in node.expressions])
    return f"lambda {params}: {r.sql(node.this)}"


@_writes(exp.Comprehension, args="this expression position iterator condition")
def _comprehension(r: Renderer, node: exp.Comprehension) -> str:
    condition = node.args.get("condition")
    tail = f" IF {r.sql(condition)}" if condition is not None else ""
    variables = [node.expression] + ([node.args["position"]] if node.args.get("position") is not None else [])
    listed = ", ".join([r.name(_bare(v)) for v in variables])
    return f"{r.sql(node.this)} FOR {listed} IN {r.sql(node.args['iterator'])}{tail}"


def method_table() -> dict[type[Node], frozenset[str]]:
    """Every node class that can be written, with the arguments it may carry (for tests and documentation)."""
    return {cls: known for cls, (_, known) in _METHODS.items()}
