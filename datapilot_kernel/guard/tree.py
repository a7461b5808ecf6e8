"""Parsing, and putting back what the lexer took out."""

from __future__ import annotations

import logging
import re
from typing import cast

import sqlglot
from sqlglot import exp

from datapilot_kernel.guard.lexer import MARK, Canonical, canonicalise
from datapilot_kernel.guard.reasons import RefusedSql

# sqlglot warns of what it does not support; a statement that it cannot read is a refusal, not a line in the log
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

_STRING, _NAME, _LITERAL = f"{MARK}s", f"{MARK}i", f"{MARK}lit"


def parse(text: str, dialect: str) -> exp.Expr:
    """Parse one statement of ``dialect``.

    Returns
    -------
    exp.Expression
        With strings and names as written; every ordinary function is an ``exp.Anonymous``.

    Raises
    ------
    RefusedSql
    """
    canonical = canonicalise(text, dialect)
    _refuse_by_words(canonical)
    try:
        statements = sqlglot.parse(_statement(canonical.sql, dialect), dialect=dialect)
    except RecursionError:
        raise
    except Exception as error:  # noqa: BLE001 - sqlglot fails in many ways on text that is not SQL
        raise RefusedSql("unreadable", log=f"sqlglot: {type(error).__name__}") from None
    if len(statements) != 1:
        raise RefusedSql("several_statements")
    tree = statements[0]
    if tree is None:
        raise RefusedSql("empty")
    restore(tree, canonical, dialect)
    return tree


_PIVOT_TAIL = re.compile(r"[()\[\]{}]|\b(?:ORDER\s+BY|LIMIT)\b", re.IGNORECASE)


def _statement(sql: str, dialect: str) -> str:
    """Return a form that sqlglot reads of the statements that it does not."""
    if dialect == "duckdb":
        return _statement_pivot(sql)
    if dialect == "mysql" and sql.split(None, 1)[0].upper().startswith("VALUES"):
        rows, tail = _before_tail(sql)
        return f"SELECT * FROM ({rows}) AS {MARK}values {tail}"  # noqa: S608 - for the parser only
    return sql


def _before_tail(sql: str) -> tuple[str, str]:
    """Cut a statement before its last ORDER BY or LIMIT."""
    depth = 0
    for match in _PIVOT_TAIL.finditer(sql):
        if match[0] in "([{":
            depth += 1
        elif match[0] in ")]}":
            depth -= 1
        elif depth == 0:
            return sql[: match.start()], sql[match.start() :]
    return sql, ""


def _statement_pivot(sql: str) -> str:
    """DuckDB's ``PIVOT … ORDER BY …``: sqlglot reads the statement only without what follows, or in parentheses.

    >>> _statement_pivot("PIVOT t ON a IN (1) USING sum(b) ORDER BY c")
    'FROM (PIVOT t ON a IN (1) USING sum(b) ) ORDER BY c'
    """
    if sql.split(None, 1)[0].upper() not in {"PIVOT", "UNPIVOT"}:
        return sql
    pivot, tail = _before_tail(sql)
    return f"FROM ({pivot}) {tail}".rstrip()


_FIRST_WORDS = frozenset({"SELECT", "WITH", "VALUES", "FROM", "TABLE", "PIVOT", "UNPIVOT"})


def _refuse_by_words(canonical: Canonical) -> None:
    """Name the common wrong statements before sqlglot sees them: it cannot parse half of them."""
    first = canonical.sql.lstrip(" (").split(None, 1)
    word = "".join(c for c in first[0] if c.isalnum() or c == "_").upper() if first else ""
    if "INTO" in canonical.words and canonical.words & {"OUTFILE", "DUMPFILE"}:
        raise RefusedSql("writes", log="INTO OUTFILE")
    if word and word not in _FIRST_WORDS:
        raise RefusedSql("not_a_query", what=word[:40] if word.isascii() else "…", log=f"starts with {word[:20]!r}")


_UNIT_FIRST = frozenset({"timestampdiff", "timestampadd", "get_format"})
_BARE_CALLS = frozenset({"UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP"})


def restore(tree: exp.Expr, canonical: Canonical, dialect: str) -> None:
    """Put strings and names back into ``tree`` and take the marks off, in place."""
    dots: list[exp.Dot] = []
    for node in list(tree.walk()):
        if isinstance(node, exp.Literal):
            if not node.is_string:
                continue
            text = node.this
            if text.startswith(_STRING):
                node.set("this", canonical.strings[int(text[len(_STRING) :])])
            elif text.lstrip("-").replace(".", "", 1).isdigit():  # sqlglot quotes the number of INTERVAL 1 DAY
                number = exp.Literal.number(text.lstrip("-"))
                node.replace(exp.Neg(this=number) if text.startswith("-") else number)
            else:
                raise RefusedSql("unreadable", log="a string that was not in the text")
        elif isinstance(node, exp.Identifier):
            text = node.this
            if isinstance(text, str) and text.startswith(MARK):
                if text.startswith(_NAME) and text[len(_NAME) :].isdigit():
                    node.set("this", canonical.identifiers[int(text[len(_NAME) :])])
                    node.set("quoted", True)
                elif text.startswith(_STRING) and text[len(_STRING) :].isdigit():
                    node.set("this", canonical.strings[int(text[len(_STRING) :])])
                    node.set("quoted", True)
                else:
                    node.set("this", text[len(MARK) :])
        elif isinstance(node, exp.Anonymous):
            name = node.this
            if isinstance(name, exp.Identifier):
                raise RefusedSql("forbidden_function", name=str(name.this), log="quoted function name")
            if name.upper() == "ALL" and len(node.expressions) == 1 and dialect != "mysql":
                node.replace(exp.All(this=node.expressions[0]))  # x <> ALL (an array)
            elif name == _LITERAL:
                node.replace(cast("exp.Expr", node.expressions[0]))
            elif name == f"{MARK}interval":
                node.replace(exp.Interval(this=node.expressions[0]))
            elif name.startswith(MARK):
                name = name[len(MARK) :]
                node.set("this", name)
                if dialect == "mysql" and name.lower() in _UNIT_FIRST and node.expressions:
                    unit = node.expressions[0]
                    if isinstance(unit, (exp.Column, exp.DataType)):
                        word = unit.name if isinstance(unit, exp.Column) else unit.sql()
                        unit.replace(exp.Var(this=word))
        elif isinstance(node, exp.Interval):
            if node.args.get("unit") is None:  # ours come from the mark; sqlglot makes others of INTERVAL … + 'text'
                node.replace(node.this)
        elif isinstance(node, exp.Column):
            identifier = node.this
            if (
                dialect == "mysql"
                and isinstance(identifier, exp.Identifier)
                and not identifier.args.get("quoted")
                and not node.args.get("table")
                and str(identifier.this).upper() in _BARE_CALLS
            ):
                node.replace(exp.Anonymous(this=str(identifier.this)))
        elif isinstance(node, exp.Not):
            _negated_list(node, canonical)
        elif isinstance(node, exp.Dot):
            dots.append(node)
        elif isinstance(node, exp.JSONExtract | exp.JSONExtractScalar) and isinstance(node.this, exp.Identifier):
            node.set("this", exp.Column(this=node.this))
        else:
            for key, value in node.args.items():
                if isinstance(value, str) and MARK in value:
                    raise RefusedSql("unreadable", log=f"mark left in {type(node).__name__}.{key}")
    for dot in reversed(dots):
        _unqualify_call(dot, dialect)


def _negated_list(node: exp.Not, canonical: Canonical) -> None:
    """Tell ``x !~ ANY (…)`` from ``NOT x ~ ANY (…)``: sqlglot reads both alike, and they differ."""
    inner = node.this
    if not isinstance(inner, (exp.RegexpLike, exp.RegexpILike)):
        return
    if not isinstance(inner.expression, (exp.Any, exp.All)) and not (
        isinstance(inner.expression, exp.Anonymous) and inner.expression.name.upper() == "ALL"
    ):
        return
    if "!~" not in canonical.sql:
        return
    if "NOT" in canonical.words:
        raise RefusedSql("forbidden_syntax", what="!~ ANY (…)", log="negated pattern list beside a NOT")
    inner.set("negate", True)
    node.replace(inner)


def _unqualify_call(dot: exp.Dot, dialect: str) -> None:
    """``x.f(y)``: DuckDB's chaining is ``f(x, y)``; PostgreSQL's ``pg_catalog.f(y)`` is ``f(y)``; nothing else is known."""
    call, left = dot.expression, dot.this
    if not isinstance(call, exp.Anonymous):
        return
    if dialect == "postgres" and isinstance(left, exp.Identifier) and left.name.lower() == "pg_catalog":
        dot.replace(call)
    elif dialect == "duckdb":
        first = exp.Column(this=left) if isinstance(left, exp.Identifier) else left
        call.set("expressions", [first, *call.expressions])
        dot.replace(call)
    else:
        raise RefusedSql("forbidden_function", name=call.name[:60], log="qualified function name")
