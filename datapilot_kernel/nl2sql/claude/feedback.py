"""What goes back to the model when what it gave could not be run: a reason, and names that exist.

A database's own text never goes back (it quotes values): its class does, and the names that this person may see. Of the
guard, its reason and its sentence, which names only what the statement itself named.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from datapilot_kernel.nl2sql.claude.context import Visible
from datapilot_kernel.sources.model import Dialect

RejectionKind = Literal["plan_problem", "guard", "database"]
_MOST = 8


class Rejected(Exception):
    """What the model gave could not be run, and another try may be better.

    Attributes
    ----------
    kind
        Who turned it away.
    reason
        From the closed set of that one.
    said
        A sentence that may go to the model: nothing in it comes from a row or from outside this person's rights.
    named
        What it was about (a table, a column, a reference); nearest names are looked for.
    """

    def __init__(self, kind: RejectionKind, reason: str, said: str, named: Iterable[str] = ()) -> None:
        super().__init__(f"{kind} {reason}")
        self.kind: RejectionKind = kind
        self.reason = reason
        self.said = said
        self.named = tuple(named)


@dataclass(frozen=True)
class KnownNames:
    """The names that exist for this person; ``refs`` those of the layer."""

    refs: frozenset[str]
    visible: Visible
    dialect: Dialect
    default_schema: str

    def feedback(self, rejected: Rejected, sql: str | None) -> str:
        """Return what the model is told."""
        lines = [f"This could not be run: {rejected.kind} {rejected.reason}. {rejected.said}"]
        if rejected.kind == "plan_problem":
            near = nearest(rejected.named, sorted(self.refs))
            if near:
                lines.append("Nearest references: " + ", ".join(near) + ".")
        else:
            lines += self._near_columns(rejected.named, sql)
        lines.append("Correct it and call one tool again; if the source really does not have it, refuse.")
        return "\n".join(lines)

    def _near_columns(self, named: tuple[str, ...], sql: str | None) -> list[str]:
        lines: list[str] = []
        tables = {key.rpartition(".")[2]: key for key in self.visible}
        wanted = [part for name in named for part in name.replace('"', "").replace("`", "").split(".") if part]
        near = nearest(wanted, tables)
        if near:
            lines.append("Nearest tables: " + ", ".join(self._short(tables[name]) for name in near) + ".")
        read = self._tables_of(sql) if sql else []
        holders: dict[str, list[str]] = {}
        for key, columns in self.visible.items():
            for column in nearest(wanted, columns, most=3):
                holders.setdefault(column, []).append(self._short(key))
        if holders:
            found = [f"{column} ({', '.join(tables[:4])})" for column, tables in list(holders.items())[:_MOST]]
            lines.append("Nearest columns: " + "; ".join(found) + ".")
        for key in read[:4]:
            lines.append(f"Columns of {self._short(key)}: {', '.join(sorted(self.visible[key])[:60])}.")
        return lines

    def _short(self, key: str) -> str:
        return key.removeprefix(f"{self.default_schema}.")

    def _tables_of(self, sql: str) -> list[str]:
        try:
            tree = sqlglot.parse_one(sql, read=self.dialect)
        except (SqlglotError, RecursionError):
            return []
        found: dict[str, None] = {}
        folded: Mapping[str, str] = {key.lower(): key for key in self.visible}
        for table in tree.find_all(exp.Table):
            name = f"{table.db or self.default_schema}.{table.name}".lower()
            if name in folded:
                found[folded[name]] = None
        return list(found)


def nearest(wanted: Iterable[str], known: Iterable[str], *, most: int = _MOST) -> list[str]:
    """Return the known names nearest in spelling, or holding or held by a wanted one.

    >>> nearest(["client.ville"], ["clients.ville", "clients.nom", "ventes.date"])
    ['clients.ville', 'clients.nom']
    """
    folded = {name.lower(): name for name in known}
    found: dict[str, None] = {}
    for one in wanted:
        small = one.lower()
        for name in difflib.get_close_matches(small, folded, n=most, cutoff=0.6):
            found[folded[name]] = None
        if len(small) > 2:
            for name in folded:
                if small in name.split(".")[-1].split("_"):
                    found[folded[name]] = None
    return list(found)[:most]
