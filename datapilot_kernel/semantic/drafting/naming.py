"""What names a row to a person: a name, a label, a title; first and last name together; a code when nothing else does."""

from __future__ import annotations

import re

from datapilot_kernel.catalog.model import Column
from datapilot_kernel.catalog.names import is_code_name
from datapilot_kernel.semantic.drafting.context import TableDraft, distinct, of, safe_name, same
from datapilot_kernel.semantic.drafting.reserved import RESERVED
from datapilot_kernel.semantic.model import Dimension, Format

NAMES = ("nom", "raison sociale", "libellé", "désignation", "intitulé", "titre", "nom complet")
_NAME_RANK = ("raison sociale", "nom", "libellé", "désignation", "intitulé", "titre", "description", "modèle")


def name_dimension(table: TableDraft) -> None:
    """Choose the dimension that names a row, or make it."""
    texts = [
        c for c in table.table.columns if c.type == "text" and not table.dimensions[table.dimension_names[c.name]].hidden
    ]
    first = next((c for c in texts if table.reading_of(c).has("prénom")), None)
    last = next(
        (c for c in texts if table.reading_of(c).head and table.reading_of(c).label in {"nom", "nom de famille"}), None
    )
    if first is not None and last is not None:
        dialect_free = f"CONCAT_WS(' ', {_bare(table, first)}, {_bare(table, last)})"
        name = safe_name("nom_complet", dict.fromkeys(table.dimensions), "n")
        synonyms = ["nom et prénom", "prénom et nom", "full name"]
        table.dimensions[name] = Dimension(expression=dialect_free, label="nom complet", plural="noms complets",
            synonyms=tuple(synonyms), personal=True)  # fmt: skip
        # Two columns name a person, the family name first: a list by person is sorted and joined by them.
        table.name_dimension = table.dimension_names[last.name]
        return
    best: tuple[int, int, str] | None = None
    for position, column in enumerate(texts):
        reading = table.reading_of(column)
        head = reading.head.french if reading.head else ""
        about_other = {c.french for c in reading.nouns[1:]} - {table.concept, *(w for w in NAMES)}
        if head in _NAME_RANK and not (head == "nom" and about_other and "contact" in about_other):
            rank = _NAME_RANK.index(head) + (4 if about_other else 0)
        elif head and head == table.concept:
            rank = 8  # a table « catégorie » with a column « categorie »
        elif is_code_name(column.name) and _unique(table, column):
            rank = 20
        else:
            continue
        if best is None or (rank, position) < best[:2]:
            best = (rank, position, column.name)
    if best is None and table.role != "fact":
        alone = [c for c in texts if _unique(table, c)]
        if alone:
            best = (30, 0, alone[0].name)
        elif len(texts) == 1 and not texts[0].values:
            best = (31, 0, texts[0].name)
    if best is not None and not (table.role == "fact" and best[0] in range(2, 20) and not _fact_titled(table, best[2])):
        table.name_dimension = table.dimension_names[best[2]]
        return
    codes = [c for c in texts if is_code_name(c.name)]
    code = next((c for c in codes if _unique(table, c)), None) or next(
        (c for c in codes if table.concept and table.reading_of(c).has(table.concept)), None
    )
    if code is not None:
        table.name_dimension = table.dimension_names[code.name]
    elif len(table.table.primary_key) == 1 and table.table.primary_key[0] in table.dimension_names:
        name = table.dimension_names[table.table.primary_key[0]]
        table.name_dimension = name
        table.dimensions[name] = table.dimensions[name].model_copy(update={"hidden": False, "format": Format(kind="text")})


def named_after_table(table: TableDraft) -> None:
    """Call what names a thing by the thing: « catégorie » rather than « libellé », in a result's header and sentence."""
    name = table.name_dimension
    if (
        name is None
        or table.role == "fact"
        or any(same(d.label, table.label) for n, d in table.dimensions.items() if n != name)
    ):
        return
    old = table.dimensions[name]
    if old.column is not None and is_code_name(old.column):
        return
    synonyms = distinct(
        [old.label, *old.synonyms, f"{old.label.split(' ')[0]} {of(table.label)}"], table.label, table.plural
    )
    table.dimensions[name] = old.model_copy(
        update={"label": table.label, "plural": table.plural, "synonyms": tuple(synonyms)}
    )


def _fact_titled(table: TableDraft, column: str) -> bool:
    """A fact is named by a title or a name that tells its rows apart, not by a wording that many rows share."""
    found = table.table.column(column)
    rows = table.table.row_estimate
    return _unique(table, found) or not rows or found.distinct_count is None or found.distinct_count >= 0.5 * rows


def _unique(table: TableDraft, column: Column) -> bool:
    if table.table.primary_key == (column.name,) or (column.name,) in table.table.unique_keys:
        return True
    rows = table.table.row_estimate
    return bool(rows and column.distinct_count and column.distinct_count >= 0.98 * rows and (column.null_share or 0) < 0.02)


def _bare(table: TableDraft, column: Column) -> str:
    return (
        f'"{column.name}"' if not re.fullmatch(r"[a-z_][a-z0-9_]*", column.name) or column.name in RESERVED else column.name
    )
