"""How calls, windows, casts and nested values are written."""

from __future__ import annotations

from sqlglot import exp

from datapilot_kernel.guard.reasons import RefusedSql
from datapilot_kernel.guard.render import SAFE_WORD, Node, Renderer, bare, writes

# --- functions with a syntax of their own ---------------------------------------------------------------------------


@writes(exp.Cast, exp.TryCast, args="this to safe")
def _cast(r: Renderer, node: exp.Cast) -> str:
    to = node.args["to"]
    if to.this == exp.DType.CHARACTER_SET:
        charset = to.args.get("kind")
        return f"CONVERT({r.sql(node.this)} USING {r.word(charset, r.rules.charsets).lower()})"
    word = "TRY_CAST" if isinstance(node, exp.TryCast) and r.rules.name == "duckdb" else "CAST"
    if isinstance(node, exp.TryCast) and word == "CAST" and r.rules.name == "postgres":
        raise RefusedSql("forbidden_function", name="TRY_CAST", log="try_cast")
    return r.rules.cast(word, r.sql(node.this), to, r, literal=isinstance(node.this, exp.Literal) and node.this.is_string)


@writes(exp.Extract, args="this expression")
def _extract(r: Renderer, node: exp.Extract) -> str:
    part = node.this
    if isinstance(part, exp.Literal):
        part = exp.Var(this=part.this)
    return f"EXTRACT({r.word(part, r.rules.extract_parts)} FROM {r.sql(node.expression)})"


@writes(exp.Trim, args="this expression position")
def _trim(r: Renderer, node: exp.Trim) -> str:
    position = node.args.get("position")
    side = f"{r.word(position, {'LEADING', 'TRAILING', 'BOTH'})} " if position else ""
    what = node.args.get("expression")
    if what is None:
        return f"TRIM({side}{'FROM ' if side else ''}{r.sql(node.this)})"
    return f"TRIM({side}{r.sql(what)} FROM {r.sql(node.this)})"


@writes(exp.Substring, args="this start length")
def _substring(r: Renderer, node: exp.Substring) -> str:
    start = r.sql(node.args.get("start")) or "1"
    length = node.args.get("length")
    return f"SUBSTRING({r.sql(node.this)} FROM {start}{f' FOR {r.sql(length)}' if length is not None else ''})"


@writes(exp.StrPosition, args="this substr")
def _position(r: Renderer, node: exp.StrPosition) -> str:
    return f"POSITION({r.sql(node.args['substr'])} IN {r.sql(node.this)})"


@writes(exp.Overlay, args="this expression from_ for_")
def _overlay(r: Renderer, node: exp.Overlay) -> str:
    args = node.args
    length = f" FOR {r.sql(args['for_'])}" if args.get("for_") is not None else ""
    return f"OVERLAY({r.sql(node.this)} PLACING {r.sql(node.expression)} FROM {r.sql(args.get('from_'))}{length})"


@writes(exp.GroupConcat, args="this separator")
def _group_concat(r: Renderer, node: exp.GroupConcat) -> str:
    separator = node.args.get("separator")
    tail = f" SEPARATOR {r.sql(separator)}" if separator is not None else ""
    return f"GROUP_CONCAT({r.sql(node.this)}{tail})"


@writes(exp.JSONExtract, exp.JSONExtractScalar, args="this expression only_json_types scalar_only")
def _json_extract(r: Renderer, node: exp.Binary) -> str:
    left, right = r.sql(node.this), r.sql(node.expression)
    scalar = isinstance(node, exp.JSONExtractScalar)
    if r.rules.name == "mysql":  # MariaDB has no arrows; the functions mean the same on both
        text = f"JSON_EXTRACT({left}, {right})"
        return f"JSON_UNQUOTE({text})" if scalar else text
    return f"{left} {'->>' if scalar else '->'} {right}"


@writes(exp.JSONTable, args="this path schema alias")
def _json_table(r: Renderer, node: exp.JSONTable) -> str:
    if r.rules.name != "mysql":
        raise RefusedSql("forbidden_function", name="JSON_TABLE", log="json_table")
    path = f", {r.sql(node.args['path'])}" if node.args.get("path") is not None else ""
    text = f"JSON_TABLE({r.sql(node.this)}{path} {r.sql(node.args['schema'])})"
    alias = node.args.get("alias")
    return f"{text} AS {r.sql(alias)}" if alias is not None else text


@writes(exp.JSONSchema, args="expressions")
def _json_schema(r: Renderer, node: exp.JSONSchema) -> str:
    return f"COLUMNS ({r.all(node.expressions)})"


@writes(exp.JSONColumnDef, args="this kind path nested_schema ordinality")
def _json_column(r: Renderer, node: exp.JSONColumnDef) -> str:
    args = node.args
    if args.get("nested_schema") is not None:
        return f"NESTED PATH {r.sql(args['path'])} {r.sql(args['nested_schema'])}"
    if args.get("ordinality"):
        return f"{r.name(node.this)} FOR ORDINALITY"
    return f"{r.name(node.this)} {r.rules.column_type(args.get('kind'), r)} PATH {r.sql(args.get('path'))}"


@writes(exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp, exp.Localtime, exp.Localtimestamp, args="this")
def _now(r: Renderer, node: Node) -> str:
    word = {
        exp.CurrentDate: "CURRENT_DATE", exp.CurrentTime: "CURRENT_TIME", exp.CurrentTimestamp: "CURRENT_TIMESTAMP",
        exp.Localtime: "LOCALTIME", exp.Localtimestamp: "LOCALTIMESTAMP",
    }[type(node)]  # type: ignore[index]  # fmt: skip
    return f"{word}({r.sql(node.this)})" if node.this is not None else word


@writes(exp.Anonymous, args="this expressions")
def _call(r: Renderer, node: exp.Anonymous) -> str:
    lowered = node.name.lower()
    if lowered in r.rules.special_calls:
        return r.rules.special_calls[lowered](r, node)
    return f"{r.function(node.name)}({r.all(node.expressions)})"


@writes(exp.Filter, args="this expression")
def _filter(r: Renderer, node: exp.Filter) -> str:
    if r.rules.name == "mysql":
        raise RefusedSql("forbidden_syntax", key="no_filter_clause", what="FILTER", log="filter in mysql")
    return f"{r.sql(node.this)} FILTER ({r.sql(node.expression)})"


@writes(exp.WithinGroup, args="this expression")
def _within_group(r: Renderer, node: exp.WithinGroup) -> str:
    return f"{r.sql(node.this)} WITHIN GROUP ({r.sql(node.expression)})"


@writes(exp.IgnoreNulls, exp.RespectNulls, args="this")
def _nulls(r: Renderer, node: Node) -> str:
    word = "IGNORE" if isinstance(node, exp.IgnoreNulls) else "RESPECT"
    if isinstance(node.parent, exp.Anonymous):
        return f"{r.sql(node.this)} {word} NULLS"
    return f"{r.sql(node.this)} {word} NULLS"


@writes(exp.Window, args="this partition_by order spec alias over first")
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


def named_window(r: Renderer, node: exp.Window) -> str:
    """Write one entry of the WINDOW clause."""
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


@writes(exp.WindowSpec, args="kind start start_side end end_side exclude")
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


@writes(exp.Array, args="expressions bracket_notation struct_name_inheritance value_constructor")
def _array(r: Renderer, node: exp.Array) -> str:
    if r.rules.name == "mysql":
        raise RefusedSql("forbidden_syntax", what="[…]", log="array in mysql")
    inner = f"[{r.all(node.expressions)}]"
    return f"ARRAY{inner}" if r.rules.name == "postgres" and not isinstance(node.parent, exp.Array) else inner


@writes(exp.Bracket, args="this expressions offset safe returns_list_for_maps")
def _bracket(r: Renderer, node: exp.Bracket) -> str:
    return f"{r.sql(node.this)}[{r.all(node.expressions)}]"


@writes(exp.Dot, args="this expression")
def _dot(r: Renderer, node: exp.Dot) -> str:
    field = node.expression
    if isinstance(field, exp.Star):
        return f"{r.sql(node.this)}.*"
    if isinstance(field, exp.Anonymous):
        return r.rules.method_call(r, node.this, field)
    return f"{r.sql(node.this)}.{r.name(field)}"


@writes(exp.Struct, args="expressions")
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


@writes(exp.ToMap, args="this")
def _to_map(r: Renderer, node: exp.ToMap) -> str:
    return f"MAP {r.sql(node.this)}"


@writes(exp.PropertyEQ, args="this expression")
def _named_value(r: Renderer, node: exp.PropertyEQ) -> str:
    return f"{r.name(bare(node.this))} := {r.sql(node.expression)}"


@writes(exp.Kwarg, args="this expression")
def _kwarg(r: Renderer, node: exp.Kwarg) -> str:
    name = node.this.name if isinstance(node.this, exp.Expr) else str(node.this)
    if not SAFE_WORD.match(name):
        raise RefusedSql("forbidden_syntax", what="=>", log="named argument")
    return f"{name.lower()} => {r.sql(node.expression)}"


@writes(exp.Lambda, args="this expressions colon")
def _lambda(r: Renderer, node: exp.Lambda) -> str:
    params = ", ".join([r.name(bare(e)) for e in node.expressions])
    return f"lambda {params}: {r.sql(node.this)}"


@writes(exp.Comprehension, args="this expression position iterator condition")
def _comprehension(r: Renderer, node: exp.Comprehension) -> str:
    condition = node.args.get("condition")
    tail = f" IF {r.sql(condition)}" if condition is not None else ""
    variables = [node.expression] + ([node.args["position"]] if node.args.get("position") is not None else [])
    listed = ", ".join([r.name(bare(v)) for v in variables])
    return f"{r.sql(node.this)} FOR {listed} IN {r.sql(node.args['iterator'])}{tail}"
