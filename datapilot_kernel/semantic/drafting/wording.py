"""Who may use which words: a measure's label is its own, and no two measures share a synonym.

Two measures that wish for the same bare label (« montant HT » of orders and of invoices) both get the longer one
(« montant HT des factures ») and nobody gets the bare one: a question that says only « montant HT » then has two readings,
and the person chooses. The one exception is a header and its own lines: the words go to the header, whose ``finer``
measure is the lines'.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from datapilot_kernel.catalog.lexicon import words
from datapilot_kernel.semantic.drafting.context import TableDraft, distinct, of
from datapilot_kernel.semantic.model import Additivity, Format, Measure


@dataclass
class MeasureDraft:
    """A measure on its way: ``wishes`` are labels in order of preference, ``priority`` decides who comes first (0)."""

    table: TableDraft
    name: str
    wishes: list[str]
    expression: str | None = None
    formula: str | None = None
    synonyms: list[str] = field(default_factory=list)
    format: Format = field(default_factory=lambda: Format(kind="decimal"))
    additivity: Additivity = "additive"
    description: str | None = None
    finer: str | None = None
    time: str | None = None
    lower_is_better: bool = False
    hidden: bool = False
    priority: int = 5
    bare: list[str] = field(default_factory=list)
    """Synonyms that it gets only where no other measure wishes for them."""
    yields: bool = False
    """Gives way for its bare label: the lines', beside their header's."""
    column: str | None = None
    """The column that it adds up, when it is one."""
    label: str = ""
    was: str | None = None
    """The column's own label, where the measure has got a better one: others do not get it alone."""

    @property
    def ref(self) -> str:
        """``entity.name``."""
        return f"{self.table.name}.{self.name}"

    def finished(self, synonyms: tuple[str, ...]) -> Measure:
        """Return the layer's measure."""
        return Measure(
            expression=self.expression,
            formula=self.formula,
            label=self.label,
            synonyms=synonyms,
            description=self.description,
            format=self.format,
            additivity=self.additivity,
            finer=self.finer,
            time=self.time,
            lower_is_better=self.lower_is_better,
            hidden=self.hidden,
        )


def qualified(label: str, table: TableDraft) -> str:
    """Return « montant HT des factures » for « montant HT »; as it is when it already says so."""
    said = set(words(label))
    if any(set(words(own)) <= said for own in (table.label, table.plural, table.concept) if own):
        return label
    return f"{label} des {table.plural}"


_TOTALS = frozenset({("total",), ("montant", "total"), ("somme",), ("valeur",), ("valeur", "totale")})
"""Words that say no more of an amount than that it is one: where there are several amounts, they are nobody's."""


def settle(measures: list[MeasureDraft]) -> None:
    """Give every measure its label and synonyms, and put it into its table."""
    measures = sorted(measures, key=lambda m: m.priority)  # stable: the tables' importance decides the rest
    wanted = Counter(words(label) for m in measures if not m.yields for label in {m.wishes[0], m.was or m.wishes[0]})
    openings = {words(m.wishes[0])[:n] for m in measures for n in (1, 2) if len(words(m.wishes[0])) > n}
    owners: dict[tuple[str, ...], set[str]] = {}
    for m in measures:
        for label in {m.wishes[0], m.was or m.wishes[0]} if not m.yields else set():
            owners.setdefault(_core(label), set()).add(m.ref)
    alone = Counter(words(name) for m in measures for name in m.bare)
    wished_by = Counter(words(s) for m in measures for s in {words(s): s for s in m.synonyms}.values())
    paid = sum(m.format.kind == "currency" and m.additivity == "additive" and not m.yields for m in measures)
    taken: dict[tuple[str, ...], str] = {}
    bare: list[tuple[MeasureDraft, str]] = []
    for measure in measures:
        wishes = list(measure.wishes)
        first = words(wishes[0])
        # « montant » alone is contested by every « montant HT » there is.
        shared = first[:1] == ("montant",) and len(owners.get(_core(wishes[0]), ())) > 1
        contested = wanted[first] > 1 or (first in _TOTALS and paid > 1) or measure.yields or first in openings or shared
        if contested and measure.priority > 0:
            wishes = [w for w in wishes if words(w) != first]
        wishes += [
            qualified(measure.wishes[0], measure.table),
            f"{measure.wishes[0]} ({measure.table.table.name}, {measure.name})",
        ]
        measure.label = next((w for w in wishes if words(w) not in taken), "")
        if not measure.label:
            measure.label = f"{measure.wishes[0]} ({measure.ref})"
        taken[words(measure.label)] = measure.ref
        if not contested and words(measure.label) != first:
            bare.append((measure, measure.wishes[0]))
    for measure, label in bare:
        taken.setdefault(words(label), measure.ref)
        measure.synonyms.insert(0, label)
    first_of = {m.ref: words(m.wishes[0]) for m in measures}
    for measure in measures:
        unshared = [name for name in measure.bare if alone[words(name)] == 1]
        wished = [
            *measure.synonyms, *(w for w in measure.wishes[1:]), qualified(measure.wishes[0], measure.table), *unshared
        ]  # fmt: skip
        kept = []
        for synonym in distinct(wished, measure.label):
            key = words(synonym)
            if key == words(measure.label) or (wanted[key] > 1 and measure.priority > 0):
                continue
            if wished_by[key] > 1 and (wanted[first_of[measure.ref]] > 1 or measure.priority >= 5):
                continue  # « charges » of leases and of receipts: nobody's
            if paid > 1 and key in _TOTALS:
                continue
            if key[0] == "montant" and owners.get(_core(synonym), set()) - {measure.ref}:
                continue  # « montant », « montant HT total » are another table's just as much: nobody's
            if taken.setdefault(key, measure.ref) == measure.ref:
                kept.append(synonym)
        measure.table.measures[measure.name] = measure.finished(tuple(_once(kept)))


def _core(label: str) -> tuple[str, ...]:
    """Return the words of a label but « total », which tells no two amounts apart."""
    return tuple(w for w in words(label) if w not in {"total", "totale"})


def _once(phrases: list[str]) -> list[str]:
    """Keep one of the phrases that differ by linking words only."""
    seen: set[tuple[str, ...]] = set()
    return [p for p in phrases if not (words(p) in seen or seen.add(words(p)))]  # type: ignore[func-returns-value]


def counted(table: TableDraft) -> str:
    """Return « nombre de commandes »."""
    return f"nombre {of(table.plural)}"
