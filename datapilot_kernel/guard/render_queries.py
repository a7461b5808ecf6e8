"""How queries are written: WITH, SELECT, FROM, joins, set operations, PIVOT, limits."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from datapilot_kernel.guard.reasons import RefusedSql
from datapilot_kernel.guard.render import METHODS, Node, Renderer, bare, readable, writes
from datapilot_kernel.guard.render_functions import named_window

# --- queries ------------------------------------------------------------------------------------------------------------


@writes(exp.With, args="expressions recursive")
def _with(r: Renderer, node: exp.With) -> str:
    return f"WITH {'RECURSIVE ' if node.args.get('recursive') else ''}{r.all(node.expressions)}"


@writes(exp.CTE, args="this alias materialized")
def _cte(r: Renderer, node: exp.CTE) -> str:
    materialized = node.args.get("materialized")
    word = (
        "" if materialized is None or r.rules.name == "mysql" else "MATERIALIZED " if materialized else "NOT MATERIALIZED "
    )
    body = node.this
    if not isinstance(body, (exp.Select, exp.SetOperation, exp.Subquery, exp.Values, exp.Pivot)):
        raise RefusedSql("not_a_query", what=readable(type(body).__name__), log=f"CTE is {type(body).__name__}")
    return f"{r.sql(node.args['alias'])} AS {word}({r.sql(body)})"


@writes(exp.TableAlias, args="this columns")
def _table_alias(r: Renderer, node: exp.TableAlias) -> str:
    columns = node.args.get("columns")
    listed = ""
    if columns:
        listed = "(" + ", ".join([r.rules.alias_column(c, r) for c in columns]) + ")"
    if node.this is None:
        raise RefusedSql("forbidden_syntax", what="AS (…)", log="alias without a name")
    return r.name(node.this) + listed


_SELECT_ARGS = "with_ distinct expressions from_ joins laterals where group having windows qualify order limit offset kind"
# dropped: they say how to go about it, not what is asked
_SELECT_ARGS += " operation_modifiers sample"


@writes(exp.Select, args=_SELECT_ARGS)
def _select(r: Renderer, node: exp.Select) -> str:
    if r.filtered and id(node) in r.own:
        r.filtered = False
        try:
            return _select(r, node)
        finally:
            r.filtered = True
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
        parts.append("WINDOW " + ", ".join([named_window(r, w) for w in args["windows"]]))
    if args.get("qualify"):
        parts.append(r.sql(args["qualify"]))
    if args.get("sample"):
        parts.append(f"USING SAMPLE {r.sql(args['sample'])}")
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


@writes(exp.Union, exp.Except, exp.Intersect, args="with_ this expression distinct by_name order limit offset")
def _set_operation(r: Renderer, node: exp.SetOperation) -> str:
    # left-deep chains are walked, not recursed into
    chain: list[exp.SetOperation] = []
    left: Node = node
    while isinstance(left, exp.SetOperation) and (left is node or not _modified(left)):
        if left is not node:
            known = METHODS[type(left)][1]
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


_SAMPLES = {"SYSTEM", "BERNOULLI", "RESERVOIR"}


@writes(exp.TableSample, args="method percent size seed")
def _sample(r: Renderer, node: exp.TableSample) -> str:
    """Write a sample: it is taken of the rows that the guard's subquery lets through."""
    args = node.args
    amount = args.get("percent") or args.get("size")
    if r.rules.name != "duckdb" or not isinstance(amount, exp.Literal):
        raise RefusedSql("forbidden_syntax", what="TABLESAMPLE", log="sample")
    method = r.word(args.get("method") or ("SYSTEM" if args.get("percent") else "RESERVOIR"), _SAMPLES)
    seed = args.get("seed")
    tail = f" REPEATABLE ({r.sql(seed)})" if isinstance(seed, exp.Literal) else ""
    return f"{method}({r.sql(amount)} {'PERCENT' if args.get('percent') else 'ROWS'}){tail}"


@writes(exp.Subquery, args="this alias with_ joins order limit offset pivots sample")
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
    if args.get("sample"):
        parts.append(f"TABLESAMPLE {r.sql(args['sample'])}")
    parts.extend(_joins(r, args))
    parts.extend(_tail(r, args))
    return _spaced(parts)


@writes(exp.Values, args="expressions alias order limit offset")
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


@writes(exp.From, args="this")
def _from(r: Renderer, node: exp.From) -> str:
    return f"FROM {r.sql(node.this)}"


@writes(exp.Table, args="this db catalog alias ordinality joins pivots sample hints")
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
    if not all(isinstance(hint, exp.IndexTableHint) for hint in node.args.get("hints") or ()):
        raise RefusedSql("forbidden_syntax", what="WITH (…)", log="table hint")
    parts = [text]
    parts.extend([r.sql(p) for p in node.args.get("pivots") or ()])
    if node.args.get("alias"):
        parts.append("AS " + r.sql(node.args["alias"]))
    elif id(node) in r.names:
        parts.append("AS " + r.names[id(node)])
    if node.args.get("sample"):
        parts.append(f"TABLESAMPLE {r.sql(node.args['sample'])}")
    parts.extend(_joins(r, node.args))
    return _spaced(parts)


_SIDES = {"LEFT", "RIGHT", "FULL", ""}
_KINDS = {"INNER", "CROSS", "OUTER", "SEMI", "ANTI", "STRAIGHT_JOIN", ""}


@writes(exp.Join, args="this on using method side kind")
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
        return f"{word} {target} USING ({', '.join([r.name(bare(c)) for c in args['using']])})"
    return f"{word} {target}"


@writes(exp.Lateral, args="this alias")
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


@writes(exp.Where, args="this")
def _where(r: Renderer, node: exp.Where) -> str:
    return f"WHERE {r.sql(node.this)}"


@writes(exp.Having, args="this")
def _having(r: Renderer, node: exp.Having) -> str:
    return f"HAVING {r.sql(node.this)}"


@writes(exp.Qualify, args="this")
def _qualify(r: Renderer, node: exp.Qualify) -> str:
    return f"QUALIFY {r.sql(node.this)}"


@writes(exp.Group, args="expressions grouping_sets rollup cube all extra_keys")
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


@writes(exp.GroupingSets, exp.Rollup, exp.Cube, args="expressions")
def _grouping(r: Renderer, node: Node) -> str:
    word = {exp.GroupingSets: "GROUPING SETS", exp.Rollup: "ROLLUP", exp.Cube: "CUBE"}[type(node)]  # type: ignore[index]
    return f"{word} ({r.all(node.expressions)})"


@writes(exp.Order, args="this expressions")
def _order(r: Renderer, node: exp.Order) -> str:
    before = f"{r.sql(node.this)} " if node.this is not None else ""
    return f"{before}ORDER BY {r.all(node.expressions)}"


@writes(exp.Ordered, args="this desc nulls_first")
def _ordered(r: Renderer, node: exp.Ordered) -> str:
    text = r.sql(node.this)
    if node.args.get("desc"):
        text += " DESC"
    wanted = r.rules.nulls_sql(node)
    return f"{text} {wanted}" if wanted else text


@writes(exp.Limit, args="this expression limit_options")
def _limit(r: Renderer, node: exp.Limit) -> str:
    if node.this is not None:  # inside an aggregate: GROUP_CONCAT(… LIMIT 2)
        return f"{r.sql(node.this)} LIMIT {r.sql(node.expression)}"
    options = node.args.get("limit_options")
    percent = "%" if options is not None and options.args.get("percent") else ""
    return f"LIMIT {r.sql(node.expression)}{percent}"


@writes(exp.Fetch, args="direction count limit_options")
def _fetch(r: Renderer, node: exp.Fetch) -> str:
    options = node.args.get("limit_options")
    ties = options is not None and options.args.get("with_ties")
    if options is not None and options.args.get("percent"):
        raise RefusedSql("forbidden_syntax", what="FETCH … PERCENT", log="fetch percent")
    return f"FETCH FIRST {r.sql(node.args.get('count')) or '1'} ROWS {'WITH TIES' if ties else 'ONLY'}"


@writes(exp.Offset, args="this expression")
def _offset(r: Renderer, node: exp.Offset) -> str:
    return f"OFFSET {r.sql(node.args.get('expression') or node.this)}"


@writes(exp.Distinct, args="expressions on")
def _distinct(r: Renderer, node: exp.Distinct) -> str:
    on = node.args.get("on")
    if on is not None:
        return f"DISTINCT ON ({r.all(on.expressions if isinstance(on, exp.Tuple) else [on])})"
    return f"DISTINCT {r.all(node.expressions)}" if node.expressions else "DISTINCT"


_PIVOT_DERIVED = (
    "columns identify_pivot_strings prefixed_pivot_columns pivot_column_naming value_columns_first default_on_null"
)


@writes(exp.Pivot, args="with_ this expressions fields unpivot using group include_nulls into alias " + _PIVOT_DERIVED)
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


@writes(exp.UnpivotColumns, args="this expressions")
def _unpivot_columns(r: Renderer, node: exp.UnpivotColumns) -> str:
    return f"INTO NAME {r.sql(node.this)} VALUE {r.all(node.expressions)}"


@writes(exp.PivotAlias, args="this alias")
@writes(exp.Alias, args="this alias")
def _alias(r: Renderer, node: Node) -> str:
    alias = node.args["alias"]
    if isinstance(alias, exp.Literal) and alias.is_string:
        return f"{r.sql(node.this)} AS {r.rules.quote(alias.this)}"
    return f"{r.sql(node.this)} AS {r.name(alias)}"


@writes(exp.Aliases, args="this expressions")
def _aliases(r: Renderer, node: exp.Aliases) -> str:
    raise RefusedSql("forbidden_syntax", what="AS (…)", log="several aliases")
