"""The closed set of reasons, and what a check answers.

``REASONS`` documents every reason; a test holds the French and English catalogues to exactly these keys. A message names
the thing that was refused *as the person wrote it* and says what to do instead. Nothing in it may come from outside the
policy: a table that is forbidden and a table that does not exist read the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from datapilot_kernel.messages import text

REASONS: dict[str, str] = {
    "bad_request": "A line of the guard's stream is not the JSON it should be.",
    "empty": "There is no statement, or only comments.",
    "too_long": "The text is longer, deeper or has more parts than any honest statement.",
    "unreadable": "The text is not SQL of this dialect as far as the parser knows.",
    "bad_character": "A control character, or a character that cannot stand outside quotes.",
    "executable_comment": "A comment that the server would execute.",
    "several_statements": "More than one statement.",
    "not_a_query": "The statement is not a SELECT.",
    "locking": "Rows would be locked (FOR UPDATE, FOR SHARE…).",
    "writes": "The result would be written somewhere (INTO, OUTFILE, a variable).",
    "variable": "A system, session or bound variable.",
    "unknown_table": "A table that does not exist for this person.",
    "unknown_column": "A column that does not exist for this person.",
    "masked_column": "A masked column used in an expression.",
    "ambiguous_name": "A name that the engine and a reader could resolve differently.",
    "forbidden_function": "A function outside the allow-list.",
    "forbidden_type": "A type outside the allow-list.",
    "forbidden_syntax": "A construct outside the allow-list.",
    "missing_attribute": "A row filter needs an attribute that this person does not have.",
    "bad_policy": "A row filter of the policy cannot be used; nothing is let through.",
    "too_many_joins": "Tables are combined without a condition, or too many are.",
    "unbounded_recursion": "A recursive WITH without a visible end.",
    "too_large": "A generated series, repeated text or similar that would be huge.",
    "too_expensive": "The work estimated by the source is above the limit.",
    "not_confirmed": "What would be sent did not pass the second check.",
}


@dataclass(frozen=True)
class Accepted:
    """A statement that may run.

    Attributes
    ----------
    sql
        What is executed: complete, literals rendered, row limit applied, without comments.
    tables
        ``schema.table`` of every physical table that is read, sorted.
    columns
        ``(schema.table, column)`` read, sorted; with ``*`` or a whole-row reference, every column of the table.
    limit_rows
        No more rows than this come back.
    """

    sql: str
    tables: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    limit_rows: int = 0
    ok: Literal[True] = field(default=True, init=False)


@dataclass(frozen=True)
class Refusal:
    """A statement that may not run: not a fault.

    Attributes
    ----------
    reason
        A key of ``REASONS``.
    values
        Placeholders of the message.
    log
        For the log: no literal of the statement, no value of a row.
    """

    reason: str
    values: dict[str, Any] = field(default_factory=dict)
    log: str = ""
    key: str = ""
    ok: Literal[False] = field(default=False, init=False)

    @property
    def message(self) -> str:
        """The sentence for the person, in the language in force when it is read."""
        return text(f"guard.{self.key or self.reason}", **self.values)


class RefusedSql(Exception):
    """Raised inside the room only; ``Guard.check`` turns it into a :class:`Refusal`."""

    def __init__(self, reason: str, *, key: str = "", log: str = "", **values: object) -> None:
        super().__init__(reason)
        self.refusal = Refusal(reason, values, log or reason, key)
