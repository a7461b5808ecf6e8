"""From the text that came in to a text that sqlglot and the server cannot read differently.

A lexer with each engine's own rules (quotes, escapes, dollar quoting, comments and their nesting) cuts the text up.
What sqlglot then gets holds no comment and no character a person chose inside quotes: every string becomes
``'dp0_s<n>'`` and every quoted identifier ``"dp0_i<n>"``, to be restored in the tree. So sqlglot never unescapes a
string, never parses a JSON path or a time format out of one, and a disagreement about quoting cannot hide a
statement.

Every name before a parenthesis that is not syntax is *marked* (``dp0_``), so that sqlglot knows no function at all: each
stays an ``Anonymous`` node with the name as written. Knowing functions is what makes sqlglot rewrite them (``DATE_TRUNC``,
``REGEXP``, ``UTC_DATE``…), and what would make an allow-list guess which of ten spellings was meant.

Rejected: sqlglot's tokenizer alone (takes ``{# #}`` for a comment, drops ``/*! */``), and subclassing its parser (the
compiled one cannot be subclassed, and the interpreted one is ten times slower).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from datapilot_kernel.guard.reasons import RefusedSql

MARK = "dp0_"
MAX_CHARS = 60_000
MAX_TOKENS = 12_000
MAX_DEPTH = 60
MAX_DIGITS = 1_000
MAX_RUN = 12  # prefix operators in a row
MAX_JOINS = 300  # joins, sets and arrows of one statement
MAX_WAITING = 5  # joins without their ON: the parser tries each as nested, twice the time for every one
MAX_CHAIN = 1_000  # operators in a row at one depth: a condition, a sum
MAX_POSTFIX = 40  # subscripts, arrows, casts, calls by a point on one operand: the parser's time grows with their square

# What may stand before a parenthesis without being a function.
SYNTAX = frozenset(
    """
    ALL AND ANTI ANY AS ASC ASOF BETWEEN BY CASE CROSS CUBE DESC DISTINCT DISTINCTROW ELSE END ESCAPE EXCEPT
    EXCLUDE EXISTS FETCH FILTER FOLLOWING FOR FROM FULL GLOB GROUP HAVING ILIKE IN INNER INTERSECT INTERVAL INTO
    IS JOIN LATERAL LEFT_JOIN LIKE LIMIT MATERIALIZED MINUS NATURAL NOT OF OFFSET ON OR ORDER OVER OVERLAPS PIVOT
    PRECEDING QUALIFY RECURSIVE REGEXP RENAME RLIKE ROLLUP SELECT SEMI SEPARATOR SETS SIMILAR SOME SOUNDS THEN
    TO UNION UNPIVOT USING VALUES WHEN WHERE WINDOW WITH XOR ZONE DECIMAL NUMERIC DEC VARCHAR NVARCHAR NCHAR
    CHARACTER VARYING VARBINARY BPCHAR FLOAT INTEGER INT BIGINT SMALLINT TINYINT BINARY STRUCT UNION AGAINST
    ONLY PARTITION SAMPLE RETURNING SYSTEM BERNOULLI RESERVOIR PERCENT REPEATABLE ROWS NULLS
    """.split()  # noqa: SIM905 - words read better as words
)
# A type when it follows AS or ::, a function otherwise.
TYPE_OR_FUNCTION = frozenset(
    """
    DATE TIME TIMESTAMP TIMESTAMPTZ TIMETZ DATETIME CHAR YEAR BIT MAP LIST DOUBLE SIGNED UNSIGNED JSON TEXT
    STRING UUID BOOLEAN ROW ENUM
    """.split()  # noqa: SIM905 - words read better as words
)
# Functions with a syntax of their own, and the words inside their parentheses that tell.
SPECIAL: dict[str, frozenset[str]] = {
    "CAST": frozenset({"AS"}),
    "TRY_CAST": frozenset({"AS"}),
    "EXTRACT": frozenset({"FROM"}),
    "TRIM": frozenset({"FROM", "LEADING", "TRAILING", "BOTH"}),
    "SUBSTRING": frozenset({"FROM", "FOR"}),
    "SUBSTR": frozenset({"FROM", "FOR"}),
    "POSITION": frozenset({"IN"}),
    "OVERLAY": frozenset({"PLACING"}),
    "CONVERT": frozenset({"USING", ","}),
    "GROUP_CONCAT": frozenset({"SEPARATOR"}),
    "JSON_TABLE": frozenset({"COLUMNS"}),
}
# Names to the engine that sqlglot would take for keywords of another one.
_PLAIN_WORDS = {
    "postgres": frozenset({"XOR", "REGEXP", "RLIKE", "GLOB", "QUALIFY", "ROLLBACK", "UNCACHE"}),
    "mysql": frozenset({"CHARSET", "GLOB", "ILIKE", "QUALIFY", "ROLLBACK", "UNCACHE"}),
    "duckdb": frozenset({"XOR", "REGEXP", "RLIKE", "FORCE", "ROLLBACK", "UNCACHE"}),
}
_OPERAND_END = frozenset({"word", "string", "quoted", "number", ")", "]"})
_PREFIXES = frozenset({"-", "+", "~", "!", "@", "|/", "||/", "NOT"})
_POSTFIXES = frozenset({"->", "->>", "#>", "#>>", "::", ".", "COLLATE", "ZONE", "OVER", "FILTER"})
_CHAINED = frozenset(
    {
        "AND",
        "OR",
        "XOR",
        "+",
        "-",
        "*",
        "/",
        "%",
        "||",
        "&&",
        "|",
        "&",
        "^",
        "#",
        "<<",
        ">>",
        "=",
        "<",
        ">",
        "<=",
        ">=",
        "<>",
        "!=",
    }
)
_BREAKS_OPERAND = _CHAINED | {",", ";", "SELECT", "FROM", "WHERE", "WHEN", "THEN", "ELSE", "ON", "JOIN", "BY", "UNION"}
_JOINS_ALONE = frozenset({"CROSS", "NATURAL", "POSITIONAL"})
_ENDS_FROM = frozenset(
    {"SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "QUALIFY"}
)
_OPENERS = {"(": ")", "[": "]", "{": "}"}
_OPERAND_KEYWORDS_BEFORE = frozenset(
    """
    SELECT WHERE AND OR NOT ON WHEN THEN ELSE CASE HAVING BY IN BETWEEN LIKE ILIKE RLIKE REGEXP DISTINCT ALL
    LIMIT OFFSET QUALIFY XOR DIV MOD AS IS FROM JOIN ARRAY USING RETURN ESCAPE UNION EXCEPT INTERSECT INTERVAL
    ANY SOME
    """.split()  # noqa: SIM905 - words read better as words
)
_SPACES = " \t\r\n\f\v\u00a0\u202f"
_WORD = re.compile(r"[A-Za-z_\u0080-\ud7ff\uf900-\ufffd\U00010000-\U0010ffff][\w$]*")
_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_OPERATORS = {
    "postgres": re.compile(r"<->|->>|#>>|\|\|/|\|/|!~~\*|~~\*|!~~|!~\*|->|#>|@>|<@|\?\||\?&|::|:=|<=|>=|<>|!=|=>|\|\||&&|~~|~\*|!~|\^@|<<|>>|\*\*|@@|@\?|#-|-\|-|[-+*/%^=<>~!&|#.,()\[\]:?]"),  # noqa: E501
    "mysql": re.compile(r"<=>|->>|->|<=|>=|<>|!=|\|\||&&|<<|>>|[-+*/%^=<>~!&|.,()]"),
    "duckdb": re.compile(r"->>|->|::|:=|<=|>=|<>|!=|==|=>|\|\||&&|~~~|!~~\*|~~\*|!~~|~~|!~|<<|>>|\*\*|//|@>|<@|\^@|[-+*/%^=<>~!&|.,()\[\]{}:]"),  # noqa: E501
}  # fmt: skip
_DOLLAR = re.compile(r"\$(?:[A-Za-z_\u0080-\uffff][\w]*)?\$")
_MYSQL_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}
_C_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(slots=True)
class Token:
    """One piece: ``kind`` is word, string, quoted, number, bits, or the operator itself."""

    kind: str
    text: str
    gap: bool
    start: int
    upper: str = ""


@dataclass(slots=True)
class Canonical:
    """What sqlglot gets, and what is to be put back."""

    sql: str
    strings: list[str] = field(default_factory=list)
    identifiers: list[str] = field(default_factory=list)
    words: frozenset[str] = frozenset()


def _string(text: str, i: int, quote: str, *, backslash: str | None) -> tuple[str, int]:
    """Read a quoted text that opens at ``i``; return its value and the place after it."""
    out: list[str] = []
    i += 1
    n = len(text)
    while i < n:
        char = text[i]
        if char == quote:
            if text[i + 1 : i + 2] == quote:
                out.append(quote)
                i += 2
                continue
            return "".join(out), i + 1
        if char == "\\" and backslash:
            follower = text[i + 1 : i + 2]
            if not follower:
                break
            if backslash == "mysql":
                out.append(_MYSQL_ESCAPES.get(follower, follower))
                i += 2
                continue
            value, i = _c_escape(text, i)
            out.append(value)
            continue
        out.append(char)
        i += 1
    raise RefusedSql("unreadable", key="unterminated", log="unterminated quote")


_HEX = re.compile(r"\\x([0-9A-Fa-f]{1,2})")
_OCTAL = re.compile(r"\\([0-7]{1,3})")
_UNICODE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")


def _c_escape(text: str, i: int) -> tuple[str, int]:
    for pattern, base in ((_HEX, 16), (_OCTAL, 8)):
        match = pattern.match(text, i)
        if match:
            code = int(match[1], base)
            if not 0 < code < 128:  # a byte of some encoding: the server's reading is not ours to guess
                raise RefusedSql("bad_character", log="byte escape outside ASCII")
            return chr(code), match.end()
    match = _UNICODE.match(text, i)
    if match:
        code = int(match[1] or match[2], 16)
        if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise RefusedSql("bad_character", log="unicode escape out of range")
        return chr(code), match.end()
    return _C_ESCAPES.get(text[i + 1], text[i + 1]), i + 2


_UNICODE_QUOTE = re.compile(r"\\(?:(\\)|([0-9A-Fa-f]{4})|\+([0-9A-Fa-f]{6})|)")


def _unicode_escapes(value: str) -> str:
    r"""Read what PostgreSQL's ``U&'…'`` means.

    >>> _unicode_escapes("d\\00e9j\\+0000e0")
    'déjà'
    """

    def character(match: re.Match[str]) -> str:
        if match[1]:
            return "\\"
        code = int(match[2] or match[3] or "0", 16)
        if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise RefusedSql("bad_character", log="unicode escape out of range")
        return chr(code)

    return _UNICODE_QUOTE.sub(character, value)


def _block_comment(text: str, i: int, *, nested: bool) -> int:
    depth, n, i = 1, len(text), i + 2
    while i < n:
        if text.startswith("*/", i):
            depth -= 1
            i += 2
            if depth == 0:
                return i
        elif nested and text.startswith("/*", i):
            depth += 1
            i += 2
        else:
            i += 1
    raise RefusedSql("unreadable", key="unterminated", log="unterminated comment")


def _line_end(text: str, i: int, *, carriage: bool) -> int:
    ends = [e for e in (text.find("\n", i), text.find("\r", i) if carriage else -1) if e >= 0]
    return min(ends) if ends else len(text)


def tokens(text: str, dialect: str) -> Iterator[Token]:
    """Cut ``text`` up by the rules of the engine; comments are left out.

    Raises
    ------
    RefusedSql
        For what cannot be cut up, executable comments, variables and bound parameters.
    """
    operators = _OPERATORS[dialect]
    mysql, postgres = dialect == "mysql", dialect == "postgres"
    i, n, gap = 0, len(text), False
    while i < n:
        char = text[i]
        if char in _SPACES:
            gap = True
            i += 1
            continue
        if char == "-" and text.startswith("--", i):
            after = text[i + 2 : i + 3]
            if not mysql or not after or after in _SPACES or ord(after) < 32:
                i = _line_end(text, i, carriage=not mysql)
                gap = True
                continue
            # MySQL: 5--2 is arithmetic; written apart so that nobody takes it for a comment
            yield Token("-", "-", gap, i, "-")
            gap = True
            i += 1
            continue
        if char == "#" and mysql:
            i = _line_end(text, i, carriage=False)
            gap = True
            continue
        if char == "/" and text.startswith("/*", i):
            if mysql and (text[i + 2 : i + 3] == "!" or text[i + 2 : i + 4] == "M!"):
                raise RefusedSql("executable_comment", log="executable comment")
            i = _block_comment(text, i, nested=not mysql)
            gap = True
            continue
        start = i
        if char == "'" or (char == '"' and mysql):
            value, i = _string(text, i, char, backslash="mysql" if mysql else None)
            yield Token("string", value, gap, start)
        elif char == '"' or (char == "`" and mysql):
            value, i = _string(text, i, char, backslash=None)
            if not value or any(ord(c) < 32 or ord(c) == 127 for c in value):
                raise RefusedSql("bad_character", log="control character in a name")
            yield Token("quoted", value, gap, start)
        elif char == "$" and not mysql and (match := _DOLLAR.match(text, i)):
            end = text.find(match[0], match.end())
            if end < 0:
                raise RefusedSql("unreadable", key="unterminated", log="unterminated dollar quote")
            yield Token("string", text[match.end() : end], gap, start)
            i = end + len(match[0])
        elif char.isdigit() or (char == "." and text[i + 1 : i + 2].isdigit() and not _after_name(text, i)):
            if mysql and (match := re.compile(r"0x[0-9A-Fa-f]+|0b[01]+").match(text, i)):
                yield Token("bits", match[0], gap, start)
                i = match.end()
            else:
                match = _NUMBER.match(text, i)
                if match is None or not match[0].isascii():
                    raise RefusedSql("bad_character", log="digit outside ASCII")
                i = match.end()
                if i - start > MAX_DIGITS:
                    raise RefusedSql("too_long", log=f"number of {i - start} digits")
                if dialect == "duckdb" and text[i : i + 1] == "_" and text[i + 1 : i + 2].isdigit():
                    match2 = re.compile(r"\d+(?:_\d+)+").match(text, start)
                    if match2:
                        yield Token("number", match2[0].replace("_", ""), gap, start)
                        i = match2.end()
                        gap = False
                        continue
                yield Token("number", match[0], gap, start)
            if text[i : i + 1].isalnum() or text[i : i + 1] == "_":
                raise RefusedSql("unreadable", log="digit stuck to a letter")
        elif match := _WORD.match(text, i):
            word, upper = match[0], match[0].upper()
            follower = text[match.end() : match.end() + 1]
            if follower == "'" or (follower == '"' and mysql):
                found = _prefixed(text, upper, match.end(), dialect)
                if found is not None:
                    yield Token(found[0], found[1], gap, start)
                    i = found[2]
                    gap = False
                    continue
            if follower == "&" and upper == "U" and text[match.end() + 1 : match.end() + 2] in "'\"" and postgres:
                if text[match.end() + 1] == '"':
                    raise RefusedSql("forbidden_syntax", what='U&"…"', log="unicode-escaped name")
                value, i = _string(text, match.end() + 1, "'", backslash=None)
                if re.compile(r"\s*UESCAPE\b", re.IGNORECASE).match(text, i):
                    raise RefusedSql("forbidden_syntax", what="UESCAPE", log="unicode-escaped quote")
                yield Token("string", _unicode_escapes(value), gap, start)
                gap = False
                continue
            if not word.isascii() and not all(c.isascii() or c.isalnum() or unicodedata.category(c)[0] == "M" for c in word):
                raise RefusedSql("bad_character", log="character that no name may hold")
            if word.lower().startswith(MARK):
                raise RefusedSql("unreadable", log="reserved prefix")
            i = match.end()
            yield Token("word", word, gap, start, upper)
        elif match := operators.match(text, i):
            i = match.end()
            yield Token(match[0], match[0], gap, start, match[0])
        elif char == ";":
            i += 1
            yield Token(";", ";", gap, start)
        elif char == "@" and dialect == "duckdb" and not text.startswith("@@", i):
            i += 1  # the absolute value; there are no variables
            yield Token("@", "@", gap, start, "@")
        elif char in "@$?:%" or (char == "#" and dialect == "duckdb"):
            raise RefusedSql("variable", log="variable or bound parameter")
        else:
            raise RefusedSql("bad_character", log=f"character U+{ord(char):04X}")
        gap = False


def _after_name(text: str, i: int) -> bool:
    before = text[i - 1 : i]
    return bool(before) and (before.isalnum() or before in '_"`)]')


def _prefixed(text: str, upper: str, quote_at: int, dialect: str) -> tuple[str, str, int] | None:
    """Read ``E'…'``, ``N'…'``, ``X'…'``, ``B'…'``; None: the word is a word of its own."""
    quote = text[quote_at]
    if upper == "E" and dialect != "mysql":
        value, end = _string(text, quote_at, "'", backslash="c")
        return "string", value, end
    if upper == "N" and dialect != "duckdb":
        value, end = _string(text, quote_at, quote, backslash="mysql" if dialect == "mysql" else None)
        return "string", value, end
    if upper in {"X", "B"}:
        value, end = _string(text, quote_at, "'", backslash=None)
        if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})*" if upper == "X" else r"[01]*", value):
            raise RefusedSql("unreadable", log="bad hexadecimal or bit string")
        return "bits", f"{upper}'{value}'", end
    if upper.startswith("_") and dialect == "mysql":
        if upper not in {"_UTF8", "_UTF8MB4", "_UTF8MB3"}:
            raise RefusedSql("forbidden_syntax", what=f"{upper.lower()}'…'", log="charset introducer")
        value, end = _string(text, quote_at, quote, backslash="mysql")
        return "string", value, end
    return None


def canonicalise(text: str, dialect: str) -> Canonical:
    """Prepare ``text`` for sqlglot.

    Raises
    ------
    RefusedSql
        Empty, too long or too deep, several statements, or what :func:`tokens` refuses.

    Examples
    --------
    >>> canonicalise("SELECT lower('a''b') -- c", "postgres").sql
    "SELECT dp0_lower('dp0_s0')"
    """
    if len(text) > MAX_CHARS:
        raise RefusedSql("too_long", log=f"{len(text)} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RefusedSql("bad_character", log="half a character (a lone surrogate)") from None
    pieces = list(_merged(tokens(text, dialect), dialect, text))
    if dialect == "mysql":
        pieces = _without_modifiers(pieces)
    while pieces and pieces[-1].kind == ";":
        pieces.pop()
    if not pieces:
        raise RefusedSql("empty")
    if len(pieces) > MAX_TOKENS:
        raise RefusedSql("too_long", log=f"{len(pieces)} tokens")
    if any(t.kind == ";" for t in pieces):
        raise RefusedSql("several_statements")
    closers = _measure(pieces)
    result = Canonical("")
    out: list[str] = []
    inside: list[str] = []  # the word before each open parenthesis
    subscripts: list[bool] = []
    words: set[str] = set()
    last = len(pieces) - 1
    quote = "`" if dialect == "mysql" else '"'
    for at, token in enumerate(pieces):
        if token.gap:
            out.append(" ")
        kind = token.kind
        before = pieces[at - 1] if at else None
        if kind == "string":
            result.strings.append(token.text)
            literal = f"'{MARK}s{len(result.strings) - 1}'"
            arrow = before is not None and before.kind in {"->", "->>"}
            if before is not None and before.upper == "INTERVAL" and dialect != "mysql" and not _unit_follows(pieces, at):
                out[-2 if token.gap else -1] = ""  # INTERVAL '1 day': sqlglot would take the next word for its unit
                out.append(f"{MARK}interval({literal})")
            else:
                out.append(f"{MARK}lit({literal})" if arrow else literal)
        elif kind == "bits" and dialect == "mysql" and token.text[0] == "X":
            result.strings.append(token.text[2:-1])  # to MariaDB a string, where 0x41 can be a number
            out.append(f"{MARK}UNHEX('{MARK}s{len(result.strings) - 1}')")
        elif kind == "quoted":
            result.identifiers.append(token.text)
            name = f"{quote}{MARK}i{len(result.identifiers) - 1}{quote}"
            out.append(name)
        elif kind == "number":
            # a subscript or a JSON index: sqlglot would shift or interpret a bare number
            keep = (subscripts and subscripts[-1] and before is not None and before.kind != ":") or (
                before is not None and before.kind in {"->", "->>"}
            )
            out.append(f"{MARK}lit({token.text})" if keep else token.text)
        elif kind == "word":
            words.add(token.upper)
            called = at < last and pieces[at + 1].kind == "("
            if called and _is_function(token, before, inside, pieces, at, closers):
                out.append(MARK)
            if at and not called and token.upper in _PLAIN_WORDS[dialect] and not (before and before.upper == "CHAR"):
                # a keyword to sqlglot, a name to the engine
                result.identifiers.append(token.text.lower() if dialect == "postgres" else token.text)
                out.append(f"{quote}{MARK}i{len(result.identifiers) - 1}{quote}")
            else:
                out.append(token.text)
        elif kind == "[":
            subscripts.append(at > 0 and _ends_operand(before))
            out.append("[")
        elif kind == "]":
            subscripts.pop()
            out.append("]")
        elif kind == "(":
            subscripts.append(False)
            inside.append(before.upper if before is not None and before.kind == "word" else "")
            out.append("(")
        elif kind == ")":
            inside.pop()
            subscripts.pop()
            out.append(")")
        else:
            out.append(_LIKE_OPERATORS.get(token.text, token.text))
    result.sql = "".join(out)
    result.words = frozenset(words)
    return result


_MODIFIERS = frozenset(
    """
    HIGH_PRIORITY STRAIGHT_JOIN SQL_SMALL_RESULT SQL_BIG_RESULT SQL_BUFFER_RESULT SQL_CACHE SQL_NO_CACHE SQL_CALC_FOUND_ROWS
    """.split()  # noqa: SIM905 - words read better as words
)


def _without_modifiers(pieces: list[Token]) -> list[Token]:
    """Leave out what MySQL takes after SELECT: how to go about it, not what is asked."""
    kept: list[Token] = []
    select = False
    for token in pieces:
        word = token.upper if token.kind == "word" else ""
        if select and word in _MODIFIERS:
            continue
        select = word == "SELECT" or (select and word in {"DISTINCT", "ALL", "DISTINCTROW"})
        kept.append(token)
    return kept


# as words, NOT belongs to the comparison and not to what stands around it: x !~~ ANY (…) is not NOT x ~~ ANY (…)
_LIKE_OPERATORS = {"~~": " LIKE ", "!~~": " NOT LIKE ", "~~*": " ILIKE ", "!~~*": " NOT ILIKE "}


def _merged(stream: Iterator[Token], dialect: str, text: str) -> Iterator[Token]:
    """Join adjacent strings as the engine does: MySQL always, the others across a line break."""
    held: Token | None = None
    for token in stream:
        if held is not None and token.kind == "string":
            if dialect == "mysql" or "\n" in text[held.start : token.start]:
                held = Token("string", held.text + token.text, held.gap, token.start)
                continue
            raise RefusedSql("unreadable", log="adjacent strings")
        if held is not None:
            yield held
            held = None
        if token.kind == "string":
            held = token
        else:
            yield token
    if held is not None:
        yield held


def _measure(pieces: list[Token]) -> dict[int, int]:
    """Refuse what is nested too deeply (the parser recurses); return the closing place of each opener."""
    stack: list[tuple[str, int]] = []
    closers: dict[int, int] = {}
    cases = run = joins = 0
    before = ""
    waiting = [0]  # by depth: joins without their ON so far
    chains, postfixes = [0], [0]  # by depth: operators of what stands there, postfixes of the present operand
    for at, token in enumerate(pieces):
        kind = token.kind
        name = token.upper if kind == "word" else kind
        if kind == "[" or name in _POSTFIXES:
            postfixes[-1] += 1
        elif name in _BREAKS_OPERAND:
            postfixes[-1] = 0
            chains[-1] = chains[-1] + 1 if name in _CHAINED else 0
        if name in {"JOIN", "STRAIGHT_JOIN"} and not any(t.upper in _JOINS_ALONE for t in pieces[max(at - 3, 0) : at]):
            waiting[-1] += 1
            if sum(waiting) > MAX_WAITING:
                raise RefusedSql("too_many_joins", log="joins without ON")
        elif name in {"ON", "USING"}:
            waiting[-1] = max(0, waiting[-1] - 1)
        elif name in _ENDS_FROM:
            waiting[-1] = 0
        if postfixes[-1] > MAX_POSTFIX or chains[-1] > MAX_CHAIN:
            raise RefusedSql("too_long", key="too_deep", log="a chain too long")
        if kind in _OPENERS:
            stack.append((_OPENERS[kind], at))
            chains.append(0)
            waiting.append(0)
            postfixes.append(0)
        elif kind in {")", "]", "}"}:
            if not stack or stack[-1][0] != kind:
                raise RefusedSql("unreadable", log="unbalanced brackets")
            closers[stack.pop()[1]] = at
            chains.pop()
            waiting.pop()
            postfixes.pop()
        elif name == "CASE":
            cases += 1
        elif name == "END":
            cases = max(0, cases - 1)
        # prefixes in a row, words repeated in a row, and what associates to the right also recurse
        run = run + 1 if name in _PREFIXES or (kind == "word" and name == before) else 0
        # JOIN without ON nests in the parser; sets, lambdas and the like are bounded with it
        joins += name in {"JOIN", "UNION", "EXCEPT", "INTERSECT", "->", "->>", "LATERAL", "ESCAPE"}
        before = name
        if len(stack) + cases > MAX_DEPTH or run > MAX_RUN or joins > MAX_JOINS:
            raise RefusedSql("too_long", key="too_deep", log="nested too deeply")
    if stack:
        raise RefusedSql("unreadable", log="unbalanced brackets")
    return closers


def _is_function(
    token: Token, before: Token | None, inside: list[str], pieces: list[Token], at: int, closers: dict[int, int]
) -> bool:
    word = token.upper
    if word in SPECIAL:
        opener, depth = at + 1, 0
        for other in pieces[opener + 1 : closers[opener]]:
            if other.kind in _OPENERS:
                depth += 1
            elif other.kind in {")", "]", "}"}:
                depth -= 1
            elif depth == 0 and (other.upper in SPECIAL[word] or other.kind in SPECIAL[word]):
                return False
        return True
    if word in {"FIRST", "NEXT"}:
        return not (before is not None and before.upper == "FETCH")
    if word in {"MOD", "DIV", "REPLACE"}:
        return not (_ends_operand(before) or (word == "REPLACE" and before is not None and before.kind == "*"))
    if word in TYPE_OR_FUNCTION:
        if before is None:
            return True
        if before.kind == "::" or (before.kind == "word" and before.upper == "AS"):
            return False
        return not (before.kind == "," and inside and inside[-1] == "CONVERT")
    if word in {"INDEX", "KEY"} and before is not None and before.upper in {"USE", "FORCE", "IGNORE"}:
        return False
    if word == "COLUMNS" and "JSON_TABLE" in inside:
        return False
    return word not in SYNTAX


_UNIT_WORDS = frozenset(
    f"{u}{s}"
    for u in """
    YEAR QUARTER MONTH WEEK DAY HOUR MINUTE SECOND MICROSECOND MILLISECOND DECADE CENTURY MILLENNIUM
    """.split()  # noqa: SIM905 - words read better as words
    for s in ("", "S")
)


def _unit_follows(pieces: list[Token], at: int) -> bool:
    return at + 1 < len(pieces) and pieces[at + 1].upper in _UNIT_WORDS


def _ends_operand(token: Token | None) -> bool:
    """Tell whether an operand ends with ``token``: what follows is then an operator or a subscript."""
    if token is None or token.kind not in _OPERAND_END:
        return False
    return not (token.kind == "word" and token.upper in _OPERAND_KEYWORDS_BEFORE)
