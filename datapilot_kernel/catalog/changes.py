"""The fingerprint of a catalog, and what changed between two of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from datapilot_kernel.catalog.model import Catalog, Table
from datapilot_kernel.messages import text

ChangeKind = Literal[
    "table_added", "table_removed", "column_added", "column_removed", "type_changed", "key_changed", "foreign_keys_changed"
]


@dataclass(frozen=True)
class Change:
    """One difference. ``column`` is None for a whole table; ``before`` and ``after`` are types or columns of keys."""

    kind: ChangeKind
    table: str
    column: str | None = None
    before: str | None = None
    after: str | None = None

    @property
    def message(self) -> str:
        """The sentence for the person."""
        return text(
            f"catalog.{self.kind}",
            table=self.table,
            column=self.column or "",
            before=self.before or "–",
            after=self.after or "–",
        )


def catalog_version(dialect: str, tables: Iterable[Table]) -> str:
    """Return a hash of names, types and keys: not of contents, comments or estimates."""
    content = [
        [
            t.key,
            t.kind,
            [[c.name, c.type, c.native_type] for c in t.columns],
            list(t.primary_key),
            sorted(map(list, t.unique_keys)),
            sorted([list(f.columns), f.ref_table, list(f.ref_columns)] for f in t.foreign_keys),
        ]
        for t in sorted(tables, key=lambda t: t.key)
    ]
    return hashlib.sha256(json.dumps([dialect, content], ensure_ascii=False).encode()).hexdigest()[:16]


def detect_changes(old: Catalog, new: Catalog) -> list[Change]:
    """Return what is different in ``new``, tables first in their order of name."""
    before, after = {t.key: t for t in old.tables}, {t.key: t for t in new.tables}
    changes: list[Change] = []
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            changes.append(Change("table_removed", key))
        elif key not in before:
            changes.append(Change("table_added", key))
        else:
            changes += _table_changes(before[key], after[key])
    return changes


def _table_changes(old: Table, new: Table) -> list[Change]:
    before, after = {c.name: c for c in old.columns}, {c.name: c for c in new.columns}
    changes = [Change("column_removed", new.key, name) for name in before if name not in after]
    changes += [Change("column_added", new.key, name) for name in after if name not in before]
    for name, column in after.items():
        if name in before and before[name].native_type != column.native_type:
            changes.append(Change("type_changed", new.key, name, before[name].native_type, column.native_type))
    if old.primary_key != new.primary_key:
        changes.append(Change("key_changed", new.key, None, ", ".join(old.primary_key), ", ".join(new.primary_key)))
    said_before, said_after = (sorted(_say(f.columns, f.ref_table) for f in t.foreign_keys) for t in (old, new))
    if said_before != said_after:
        changes.append(Change("foreign_keys_changed", new.key, None, "; ".join(said_before), "; ".join(said_after)))
    return changes


def _say(columns: tuple[str, ...], table: str) -> str:
    return f"{', '.join(columns)} → {table}"
