"""Parsing, and putting back what the lexer took out."""

from __future__ import annotations

import logging
from typing import cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

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
        statements = sqlglot.parse(canonical.sql, dialect=dialect)
    except SqlglotError as error:
        raise RefusedSql("unreadable", log=f"sqlglot: {type(error).__name__}") from None
    if len(statements) != 1:
        raise RefusedSql("several_statements")
    tree = statements[0]
    if tree is None:
        raise RefusedSql("empty")
    restore(tree, canonical)
    return tree


_FIRST_WORDS = frozenset({"SELECT", "WITH", "VALUES", "FROM", "TABLE", "PIVOT", "UNPIVOT"})


def _refuse_by_words(canonical: Canonical) -> None:
    """Name the common wrong statements before sqlglot sees them: it cannot parse half of them."""
    first = canonical.sql.lstrip(" (").split(None, 1)
    word = "".join(c for c in first[0] if c.isalnum() or c == "_").upper() if first else ""
    if word and word not in _FIRST_WORDS:
        raise RefusedSql("not_a_query", what=word[:40] if word.isascii() else "…", log=f"starts with {word[:20]!r}")


def restore(tree: exp.Expr, canonical: Canonical) -> None:
    """Put strings and names back into ``tree`` and take the marks off, in place."""
    for node in list(tree.walk()):
        if isinstance(node, exp.Literal):
            if not node.is_string:
                continue
            text = node.this
            if text.startswith(_STRING):
                node.set("this", canonical.strings[int(text[len(_STRING) :])])
            elif text.replace(".", "", 1).isdigit():  # sqlglot quotes the number of INTERVAL 1 DAY
                node.set("is_string", False)
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
            if name == _LITERAL:
                node.replace(cast("exp.Expr", node.expressions[0]))
            elif name.startswith(MARK):
                node.set("this", name[len(MARK) :])
        else:
            for key, value in node.args.items():
                if isinstance(value, str) and MARK in value:
                    raise RefusedSql("unreadable", log=f"mark left in {type(node).__name__}.{key}")
