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
METHODS: dict[type[Node], tuple[_Method, frozenset[str]]] = {}
_REASONS = {"locks": "locking", "into": "writes"}
SAFE_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def writes(*classes: type[Node], args: str = "") -> Callable[[_Method], _Method]:
    """Register a method for node classes, with the arguments that it writes."""

    def register(method: _Method) -> _Method:
        for cls in classes:
            METHODS[cls] = (method, frozenset(args.split()))
        return method

    return register


def known_nodes() -> frozenset[str]:
    """Names of every node class that can be written: the allow-list of syntax."""
    return frozenset(cls.__name__ for cls in METHODS)


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
    own
        By ``id`` of an ``exp.Select``: the guard's own subqueries, whose row filter is the policy's and written as it is.
    """

    def __init__(
        self,
        rules: DialectRules,
        replacements: dict[int, str],
        names: dict[int, str],
        *,
        filtered: bool = False,
        own: Iterable[int] = (),
    ) -> None:
        self.rules = rules
        self.filtered = filtered
        self.own = frozenset(own)
        self.replacements = replacements
        self.names = names

    def sql(self, node: Node | None) -> str:
        """Write ``node``; None writes nothing."""
        if node is None:
            return ""
        found = METHODS.get(type(node))
        if found is None:
            raise RefusedSql("forbidden_syntax", what=readable(type(node).__name__), log=f"node {type(node).__name__}")
        method, known = found
        for key, value in node.args.items():
            if value and key not in known:
                raise RefusedSql(
                    _REASONS.get(key, "forbidden_syntax"), what=readable(key), log=f"{type(node).__name__}.{key}"
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


def readable(name: str) -> str:
    """Write a node's or argument's name as SQL would."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).rstrip("_").upper()


def bare(node: Node) -> Node:
    """Return the identifier of an unqualified column."""
    return node.this if isinstance(node, exp.Column) and not node.args.get("table") else node


def method_table() -> dict[type[Node], frozenset[str]]:
    """Every node class that can be written, with the arguments it may carry (for tests and documentation)."""
    return {cls: known for cls, (_, known) in METHODS.items()}


from datapilot_kernel.guard import render_expressions, render_functions, render_queries  # noqa: E402 - they register their methods here

__all__ = [
    "METHODS",
    "SAFE_WORD",
    "Node",
    "Renderer",
    "bare",
    "known_nodes",
    "method_table",
    "readable",
    "render_expressions",
    "render_functions",
    "render_queries",
    "writes",
]
