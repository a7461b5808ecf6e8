"""What differs between the engines when a checked tree is written: quoting, spellings, lists."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sqlglot import exp

from datapilot_kernel.guard.allow import duckdb, mysql, postgres
from datapilot_kernel.guard.reasons import RefusedSql

if TYPE_CHECKING:
    from datapilot_kernel.guard.render import Renderer

DialectName = Literal["postgres", "mysql", "duckdb"]

_UNITS = frozenset(
    """
    YEAR QUARTER MONTH WEEK DAY HOUR MINUTE SECOND MICROSECOND MILLISECOND DECADE CENTURY MILLENNIUM
    """.split()  # noqa: SIM905 - words read better as words
)
_UNITS_MYSQL = _UNITS | frozenset(
    """
    SECOND_MICROSECOND MINUTE_MICROSECOND MINUTE_SECOND HOUR_MICROSECOND HOUR_SECOND HOUR_MINUTE DAY_MICROSECOND
    DAY_SECOND DAY_MINUTE DAY_HOUR YEAR_MONTH
    """.split()  # noqa: SIM905 - words read better as words
)
_UNITS_PLURAL = _UNITS | {f"{u}S" for u in _UNITS} | {"CENTURIES", "MILLENNIA"}
_PARTS = _UNITS | frozenset(
    """
    DOW ISODOW DOY EPOCH ISOYEAR WEEKDAY DAYOFWEEK DAYOFYEAR YEARWEEK MICROSECONDS MILLISECONDS TIMEZONE
    TIMEZONE_HOUR TIMEZONE_MINUTE JULIAN ERA NANOSECOND NANOSECONDS DAYOFMONTH WEEKOFYEAR YEARS MONTHS DAYS
    HOURS MINUTES SECONDS WEEKS QUARTERS
    """.split()  # noqa: SIM905 - words read better as words
)


def _units_as_words(names: frozenset[str], first: int) -> Callable[[Renderer, exp.Anonymous], str]:
    """Write a call whose argument ``first`` is a bare unit (``TIMESTAMPDIFF(MONTH, …)``)."""

    def write(r: Renderer, node: exp.Anonymous) -> str:
        arguments = []
        for at, argument in enumerate(node.expressions):
            if at == first and isinstance(argument, exp.Var):
                text = argument.name.upper().removeprefix("SQL_TSI_")
                arguments.append(r.word(text, names))
            else:
                arguments.append(r.sql(argument))
        return f"{r.function(node.name)}({', '.join(arguments)})"

    return write


def _without_parentheses(r: Renderer, node: exp.Anonymous) -> str:
    """PostgreSQL: ``current_date`` takes none, the others a precision only."""
    inner = r.all(node.expressions)
    word = r.function(node.name).upper()
    return f"{word}({inner})" if inner else word


def _columns_call(r: Renderer, node: exp.Anonymous) -> str:
    return f"COLUMNS({r.all(node.expressions)})"


def _row(r: Renderer, node: exp.Anonymous) -> str:
    return f"ROW({r.all(node.expressions)})"


def _pg_array(r: Renderer, node: exp.Anonymous) -> str:
    return f"ARRAY({r.all(node.expressions)})"


@dataclass(frozen=True, eq=False)
class DialectRules:
    """Lists and spellings of one dialect.

    Attributes
    ----------
    barrier
        What ends a filtered subquery so that the optimiser neither merges it nor pushes a condition into it (measured on
        PostgreSQL 15, MariaDB 10.11, DuckDB 2.0; ``tests/integration/test_guard_barrier.py``).
    """

    name: DialectName
    functions: frozenset[str]
    table_functions: frozenset[str]
    types: dict[str, str]
    barrier: str
    units: frozenset[str]
    collations: re.Pattern[str]
    operators: dict[str, str] = field(default_factory=dict)
    special_calls: dict[str, Callable[[Renderer, exp.Anonymous], str]] = field(default_factory=dict)
    extract_parts: frozenset[str] = _PARTS
    charsets: frozenset[str] = frozenset({"UTF8MB4", "UTF8", "UTF8MB3", "LATIN1", "ASCII"})

    # --- names

    def quote(self, name: str) -> str:
        """Quote a name of the database."""
        if not _encodable(name):
            raise RefusedSql("bad_character", log="half a character in a name")
        mark = "`" if self.name == "mysql" else '"'
        return f"{mark}{name.replace(mark, mark * 2)}{mark}"

    def fold(self, node: exp.Expr) -> str:
        """Return what a name compares by: exact in PostgreSQL once folded, without case elsewhere."""
        name = str(node.this)
        if self.name == "postgres":
            return name if node.args.get("quoted") else _lower_ascii(name)
        return _lower_ascii(name)  # as DuckDB does; a name that MySQL folds further is only refused

    def fold_text(self, name: str) -> str:
        """Return what a name of the database compares by."""
        return name if self.name == "postgres" else _lower_ascii(name)

    def quote_identifier(self, node: exp.Identifier) -> str:
        """Quote a name of the statement, folded as the engine would."""
        if self.name == "postgres" and not node.args.get("quoted"):
            return self.quote(_lower_ascii(str(node.this)))
        return self.quote(str(node.this))

    # --- values

    def string(self, value: str) -> str:
        """Write a string so that no setting of the server reads it otherwise."""
        if "\0" in value or not _encodable(value):
            raise RefusedSql("bad_character", log="NUL or half a character in a string")
        doubled = value.replace("'", "''")
        if "\\" in value:
            if self.name == "mysql":
                return "'" + doubled.replace("\\", "\\\\") + "'"
            if self.name == "postgres":
                return "E'" + doubled.replace("\\", "\\\\") + "'"
        return f"'{doubled}'"

    def pattern(self, node: exp.Expr, r: Renderer, *, regexp: bool = False, escaped: bool = False) -> str:
        """Write the pattern of LIKE or of a regular expression.

        PostgreSQL's planner tries a constant pattern on the column's most common values, other tenants' included, so a
        pattern that fails (a trailing backslash) or takes long there tells of them. Where a row filter stands, such a
        pattern is put into a scalar subquery: it then is not a constant, and runs on the filtered rows only.
        """
        text = r.sql(node)
        if self.name != "postgres" or not r.filtered or isinstance(node, exp.Subquery):
            return text
        if isinstance(node, exp.Literal):
            trailing = len(node.this) - len(node.this.rstrip("\\"))
            plain = trailing % 2 == 0 and not escaped if not regexp else not re.search(r"\\\d", node.this)
            return text if plain else f"(SELECT {text})"
        if isinstance(node, (exp.Any, exp.All)):
            inner = node.this
            while isinstance(inner, (exp.Paren, exp.Cast)):
                inner = inner.this
            elements = inner.expressions if isinstance(inner, exp.Array) else [inner]
            if isinstance(inner, (exp.Select, exp.Subquery)):
                return text
            if regexp or any(not isinstance(e, exp.Literal) or "\\" in str(e.this) for e in elements):
                word = "ANY" if isinstance(node, exp.Any) else "ALL"
                listed = node.this
                while isinstance(listed, exp.Paren):
                    listed = listed.this
                return f"{word} (CAST((SELECT {r.sql(listed)}) AS TEXT[]))"
            return text
        return f"(SELECT {text})"  # even with a column in it: CASE and COALESCE fold to constants

    def operator(self, word: str) -> str:
        """Return an operator's spelling; refuse what the dialect does not have."""
        found = self.operators.get(word, word)
        if not found:
            raise RefusedSql("forbidden_syntax", what=word, log=f"operator {word}")
        return found

    def regexp(self, *, case_sensitive: bool, negated: bool) -> str:
        """Return the operator of a regular expression."""
        if self.name == "mysql":
            return "NOT REGEXP" if negated else "REGEXP"
        if not case_sensitive and self.name == "duckdb":
            raise RefusedSql("forbidden_syntax", what="~*", log="~* in duckdb")
        return ("!~" if negated else "~") + ("" if case_sensitive else "*")

    def nulls_sql(self, node: exp.Ordered) -> str:
        """Return ``NULLS FIRST/LAST`` where the statement said so."""
        first = node.args.get("nulls_first")
        descending = bool(node.args.get("desc"))
        if self.name == "mysql":
            if bool(first) is descending and first is not None:
                raise RefusedSql("forbidden_syntax", what="NULLS FIRST/LAST", log="nulls ordering in mysql")
            return ""
        if self.name == "postgres":
            if first and not descending:
                return "NULLS FIRST"
            return "NULLS LAST" if descending and not first else ""
        return "NULLS FIRST" if first else ""

    def alias_column(self, node: exp.Expr, r: Renderer) -> str:
        """Write one column of an alias's list (with its type, for ``jsonb_to_recordset``)."""
        if isinstance(node, exp.ColumnDef):
            kind = node.args.get("kind")
            if self.name != "postgres" or kind is None or node.args.get("constraints"):
                raise RefusedSql("forbidden_syntax", what="AS (…)", log="column definition")
            return f"{r.name(node.this)} {self.type_sql(kind, r)}"
        return r.name(node)

    # --- types

    def type_sql(self, node: exp.Expr, r: Renderer) -> str:
        """Write a type of the list."""
        if not isinstance(node, exp.DataType) or isinstance(node.this, str):
            raise RefusedSql("forbidden_type", name=str(node.this)[:40], log="type")
        kind = node.this.name
        inner = node.expressions
        if self.name != "mysql" and kind in {"ARRAY", "LIST"} and len(inner) == 1:
            size = node.args.get("values")
            length = ""
            if size:
                length = r.sql(size[0])
            return f"{self.type_sql(inner[0], r)}[{length}]"
        if self.name == "duckdb" and kind == "STRUCT":
            fields = [f"{r.name(f.this)} {self.type_sql(f.args['kind'], r)}" for f in inner if isinstance(f, exp.ColumnDef)]
            if len(fields) == len(inner):
                return f"STRUCT({', '.join(fields)})"
        if self.name == "duckdb" and kind == "MAP" and len(inner) == 2:
            return f"MAP({self.type_sql(inner[0], r)}, {self.type_sql(inner[1], r)})"
        written = self.types.get(kind)
        if written is None:
            named = node.args.get("kind")
            shown = getattr(named, "name", None) or str(named or kind)
            raise RefusedSql("forbidden_type", name=shown[:40], log=f"type {shown[:40]!r}")
        if inner:
            if not all(
                isinstance(p, exp.DataTypeParam) and isinstance(p.this, exp.Literal) and not p.this.is_string for p in inner
            ):
                raise RefusedSql("forbidden_type", name=kind, log="type parameters")
            written += f"({', '.join([r.sql(p.this) for p in inner])})"
        return written

    def column_type(self, node: exp.Expr | None, r: Renderer) -> str:
        """Write the type of a JSON_TABLE column (MySQL's column types, not its cast types)."""
        kind = node.this.name if isinstance(node, exp.DataType) and not isinstance(node.this, str) else ""
        if kind not in {
            "INT",
            "BIGINT",
            "SMALLINT",
            "DECIMAL",
            "DOUBLE",
            "FLOAT",
            "VARCHAR",
            "CHAR",
            "TEXT",
            "DATE",
            "DATETIME",
            "TIME",
            "JSON",
        }:
            raise RefusedSql("forbidden_type", name=kind or "?", log="json_table column type")
        assert isinstance(node, exp.DataType)
        inner = [r.sql(p.this) for p in node.expressions if isinstance(p, exp.DataTypeParam)]
        return kind + (f"({', '.join(inner)})" if inner else "")

    def cast(self, word: str, value: str, to: exp.Expr, r: Renderer, *, literal: bool) -> str:
        """Write a cast; MySQL's typed literals (``DATE '…'``) are casts in the tree."""
        return f"{word}({value} AS {self.type_sql(to, r)})"

    def method_call(self, r: Renderer, left: exp.Expr, call: exp.Anonymous) -> str:
        """Refuse a qualified function name (``tree`` has already taken apart the forms that mean something else)."""
        raise RefusedSql("forbidden_function", name=call.name[:60], log="qualified function name")


def _encodable(text: str) -> bool:
    """Tell whether ``text`` can be sent: a lone surrogate cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _lower_ascii(name: str) -> str:
    return "".join([c.lower() if c.isascii() else c for c in name])


_PG_BARE = frozenset({"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"})

POSTGRES = DialectRules(
    name="postgres",
    functions=postgres.FUNCTIONS,
    table_functions=postgres.TABLE_FUNCTIONS,
    types=postgres.TYPES,
    barrier=" OFFSET 0",
    units=_UNITS_PLURAL,
    collations=re.compile(
        r"C|POSIX|default|ucs_basic|[a-z]{2}(?:[-_][A-Za-z]{2})?(?:\.utf-?8)?(?:-x-icu)?|und-x-icu", re.IGNORECASE
    ),
    operators={"GLOB": "", ":": ":", "XOR": ""},
    special_calls={**dict.fromkeys(_PG_BARE, _without_parentheses), "row": _row, "array": _pg_array},
)
MYSQL = DialectRules(
    name="mysql",
    functions=mysql.FUNCTIONS,
    table_functions=mysql.TABLE_FUNCTIONS,
    types=mysql.TYPES,
    barrier=" LIMIT 18446744073709551615",
    units=_UNITS_MYSQL,
    extract_parts=_PARTS | _UNITS_MYSQL,
    collations=re.compile(r"(?:utf8|utf8mb3|utf8mb4|latin1|ascii)_[a-z0-9_]{2,40}|binary", re.IGNORECASE),
    operators=dict.fromkeys(
        ("GLOB", "SIMILAR TO", "@>", "<@", "&&", "@?", "?", "?|", "?&", "#>", "#>>", "OVERLAPS", ":", "||"), ""
    ),
    special_calls={
        "timestampdiff": _units_as_words(_UNITS_MYSQL, 0),
        "timestampadd": _units_as_words(_UNITS_MYSQL, 0),
        "get_format": _units_as_words(frozenset({"DATE", "TIME", "DATETIME"}), 0),
        "row": _row,
    },
)
DUCKDB = DialectRules(
    name="duckdb",
    functions=duckdb.FUNCTIONS,
    table_functions=duckdb.TABLE_FUNCTIONS,
    types=duckdb.TYPES,
    barrier=" LIMIT 4611686018427387903",
    units=_UNITS_PLURAL,
    collations=re.compile(
        r"[a-z]{2}(?:_[A-Za-z]{2})?|nocase|noaccent|nfc|binary|c|posix|(?:nocase|noaccent)\.(?:nocase|noaccent|[a-z]{2})|[a-z]{2}\.(?:nocase|noaccent)",
        re.IGNORECASE,
    ),
    operators={"@?": "", "?": "", "?|": "", "?&": "", "#>": "", "#>>": "", "OVERLAPS": "", "XOR": ""},
    special_calls={"columns": _columns_call, "row": _row},
)
RULES: dict[str, DialectRules] = {"postgres": POSTGRES, "mysql": MYSQL, "duckdb": DUCKDB}
