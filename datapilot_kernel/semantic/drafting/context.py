"""What the steps of a draft share: each table with its reading, its role, and what is still being collected for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from datapilot_kernel.catalog.lexicon import fold, words
from datapilot_kernel.catalog.model import Catalog, Column, ForeignKey, Table
from datapilot_kernel.catalog.names import Reading, split_name
from datapilot_kernel.semantic.model import Dimension, Entity, Join, Measure

Role = Literal["fact", "thing", "bridge", "technical", "view"]


@dataclass
class TableDraft:
    """One table on its way to an entity.

    ``role``: a *fact* is something that happens or is counted (it has a date or an amount, and points at things); a
    *thing* is what facts are about.
    """

    table: Table
    name: str
    reading: Reading
    label: str
    plural: str
    gender: Literal["f", "m"]
    role: Role
    dimension_names: dict[str, str] = field(default_factory=dict)
    column_readings: dict[str, Reading] = field(default_factory=dict)
    synonyms: list[str] = field(default_factory=list)
    dimensions: dict[str, Dimension] = field(default_factory=dict)
    measures: dict[str, Measure] = field(default_factory=dict)
    name_dimension: str | None = None
    time: str | None = None
    description: str | None = None

    @property
    def hidden(self) -> bool:
        """Whether people do not see it."""
        return self.role in {"bridge", "technical"}

    @property
    def concept(self) -> str:
        """The French word of what the table is about; empty when unknown."""
        return self.reading.head.french if self.reading.head else ""

    def is_a(self, *french: str) -> bool:
        """Tell whether the table is about one of these."""
        return self.concept in french

    def reading_of(self, column: Column) -> Reading:
        """Return the column's reading."""
        return self.column_readings[column.name]

    def concept_of(self, column: Column) -> str:
        """Return the French word of what a column is about; empty when unknown."""
        head = self.column_readings[column.name].head
        return head.french if head else ""

    def label_of(self, column: Column) -> str:
        """Return the label of the column's dimension."""
        return self.dimensions[self.dimension_names[column.name]].label

    def foreign(self, column: str) -> ForeignKey | None:
        """Return the foreign key that this column alone makes; None when it makes none."""
        return next((fk for fk in self.table.foreign_keys if fk.columns == (column,)), None)

    def entity(self, default_schema: str) -> Entity:
        """Return the finished entity. A table of the default schema is named alone: copies elsewhere can use the layer."""
        return Entity(
            table=self.table.name
            if self.table.db_schema == default_schema and "." not in self.table.name
            else self.table.key,
            label=self.label,
            plural=self.plural,
            gender=self.gender,
            synonyms=tuple(self.synonyms),
            description=self.description,
            key=self.table.primary_key,
            name_dimension=self.name_dimension,
            time=self.time,
            dimensions=self.dimensions,
            measures=self.measures,
            hidden=self.hidden,
        )


@dataclass
class Draft:
    """The whole draft: its tables by key, in order of importance, and the joins."""

    catalog: Catalog
    tables: dict[str, TableDraft]
    joins: dict[str, Join] = field(default_factory=dict)
    senses: dict[str, str] = field(default_factory=dict)
    """Words of names that mean something else in this database: a « location » may be a place, a « check » a bill."""

    def spelled(self, name: str) -> str:
        """Return a technical name with each word in the sense that it has here."""
        return in_sense(name, self.senses)

    def target(self, fk: ForeignKey) -> TableDraft | None:
        """Return the table that a foreign key points at."""
        return self.tables.get(fk.ref_table)

    def visible(self) -> list[TableDraft]:
        """Return what people see, most important first."""
        return [t for t in self.tables.values() if not t.hidden]


def in_sense(name: str, senses: dict[str, str]) -> str:
    """Return a technical name with its words replaced by words of one sense.

    >>> in_sense("location_name", {"location": "site"}), in_sense("Statut", {})
    ('site_name', 'Statut')
    """
    tokens = split_name(name) if senses else ()
    return "_".join(senses.get(t, t) for t in tokens) if any(t in senses for t in tokens) else name


def safe_name(text: str, taken: set[str] | dict[str, object], fallback: str = "x") -> str:
    """Return a layer's name (lower case, digits, underscore) for a technical one, not among ``taken``.

    >>> safe_name("Montant HT (€)", set()), safe_name("2025", set()), safe_name("id", {"id"})
    ('montant_ht', 'x_2025', 'id_2')
    """
    name = re.sub(r"[^a-z0-9]+", "_", fold(text)).strip("_")[:55].strip("_") or fallback
    if name[0].isdigit():
        name = f"{fallback}_{name}"
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}_{count}"
    return candidate


def of(word: str) -> str:
    """Return « de X » or « d’X ».

    >>> of("commandes"), of("employés")
    ('de commandes', 'd’employés')
    """
    folded = fold(word)
    return (
        f"d’{word}"
        if folded[:1] in "aeiouy" or (folded.startswith(("he", "ho", "hi")) and not folded.startswith("hors"))
        else f"de {word}"
    )


def same(one: str, other: str) -> bool:
    """Tell whether two phrases are the same but for accents, case and linking words."""
    return words(one) == words(other)


def distinct(phrases: list[str], *without: str | None) -> list[str]:
    """Return the phrases in order, each once (but for case and accents), without those given.

    >>> distinct(["CA", "ca", "ventes"], "Ventes")
    ['CA']
    """
    seen = {fold(w) for w in without if w}
    kept: list[str] = []
    for phrase in phrases:
        if phrase and fold(phrase) not in seen:
            seen.add(fold(phrase))
            kept.append(phrase)
    return kept
