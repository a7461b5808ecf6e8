"""What the layer's structure says, computed once: ways between entities, what a measure stands on, what names a row.

Everything here is derived from content (expressions, formats, joins), never from names of a known database.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from datapilot_kernel.catalog.values import ValueIndex
from datapilot_kernel.nl2sql.local.grammar import phrase
from datapilot_kernel.nl2sql.local.lexicon import Lexicon, content
from datapilot_kernel.plan.paths import JoinGraph
from datapilot_kernel.semantic.model import Dimension, Layer, Measure

_BRACED = re.compile(r"\{([a-z_][a-z0-9_.]*)\}")
_COUNT = re.compile(r"^\s*count\s*\(\s*(?:\*|1|(?:distinct\s+)?\"?(\w+)\"?)\s*\)\s*$", re.IGNORECASE)
_SUM = re.compile(r"^\s*sum\s*\(\s*\"?(\w+)\"?\s*\)\s*$", re.IGNORECASE)
_AVG_OF = re.compile(r"^\s*avg\s*\(\s*\"?(\w+)\"?\s*\)\s*$", re.IGNORECASE)
_AVERAGE = re.compile(r"^\s*avg\s*\(", re.IGNORECASE)
_CODE_WORDS = {"code", "referenc", "numero", "matricul", "ref", "num", "identifi", "sku", "number", "id"}
_FIRST_NAME = {"prenom", "first_nam", "firstnam", "first"}
_CREATION = {
    "creation", "inscription", "embauch", "entre", "arrive", "created", "signup", "hire", "ouvertur", "lancement",
    "souscription",
    "recrutement", "adhesion", "registration", "start", "mise", "debut", "enregistrement", "hired", "joined",
    "registered", "opening",
}  # fmt: skip
_ARRIVAL = {
    "inscription",
    "embauch",
    "hire",
    "hired",
    "signup",
    "adhesion",
    "registration",
    "recrutement",
    "naissanc",
    "birth",
}
_STATE = {
    "encour",
    "stock",
    "sold",
    "rest",
    "creanc",
    "balanc",
    "inventori",
    "inventair",
    "impay",
    "outstanding",
    "backlog",
    "du",
    "effectif",
}
_REVENUE = (
    "chiffre d'affaires",
    "ca",
    "revenue",
    "turnover",
    "sales",
    "ventes",
    "montant des ventes",
    "ca ht",
    "recettes",
    "revenus",
)


class Knowledge:
    """Derived facts of one layer; immutable once made."""

    def __init__(self, layer: Layer, lexicon: Lexicon, values: ValueIndex) -> None:
        self.layer, self.lexicon, self.values = layer, lexicon, values
        self.graph = JoinGraph(layer)
        self._distances = {name: self.graph.distances(name) for name in layer.entities}
        self._roots: dict[str, frozenset[str]] = {}
        self.revenue = self._revenue()

    def distance(self, start: str, end: str) -> int | None:
        """Return the number of joins from the many side to the one side; None: no way."""
        return self._distances[start].get(end)

    def is_apart(self, one: str, other: str) -> bool:
        """Tell whether no chain of joins, in whatever direction, leads from one entity to the other."""
        seen, ahead = {one}, [one]
        while ahead:
            here = ahead.pop()
            near = {name for name in self._distances if name in self._distances[here] or here in self._distances[name]}
            ahead += near - seen
            seen |= near
        return other not in seen

    def farthest(self, roots: frozenset[str], end: str) -> int | None:
        """Return the longest of the ways from every root; None when one has no way."""
        distances = [self.distance(root, end) for root in roots]
        return None if any(d is None for d in distances) else max((d for d in distances if d is not None), default=0)

    def roots(self, ref: str) -> frozenset[str]:
        """Return the entities whose rows a measure looks at (of a formula: those of its parts)."""
        if ref not in self._roots:
            entity = ref.partition(".")[0]
            measure = self.layer.measure(ref)
            if measure.formula is None:
                self._roots[ref] = frozenset({entity})
            else:
                self._roots[ref] = frozenset[str]().union(*(self.roots(part) for part in self.parts(ref)))
        return self._roots[ref]

    def parts(self, ref: str) -> list[str]:
        """Return the measures a formula is made of."""
        entity = ref.partition(".")[0]
        names = _BRACED.findall(self.layer.measure(ref).formula or "")
        return [name if "." in name else f"{entity}.{name}" for name in names]

    def is_count(self, ref: str) -> bool:
        """Tell whether a measure counts (rows, or distinct values)."""
        measure = self.layer.measure(ref)
        return bool(measure.expression and _COUNT.match(measure.expression))

    def is_average(self, ref: str) -> bool:
        """Tell whether a measure is an average or a ratio by itself."""
        measure = self.layer.measure(ref)
        return (
            measure.formula is not None
            or measure.additivity == "non_additive"
            or bool(_AVERAGE.match(measure.expression or ""))
        )

    def counted_through(self, ref: str) -> str | None:
        """Return the entity that a measure counts by the column that points at it; None: it counts something else."""
        entity = ref.partition(".")[0]
        match = _COUNT.match(self.layer.measure(ref).expression or "")
        column = match.group(1) if match else None
        if column is None:
            return None
        ends = {j.to_entity for j in self.layer.joins.values() if j.from_entity == entity and j.from_columns == (column,)}
        return next(iter(ends)) if len(ends) == 1 else None

    def main_kinds(self, entities: frozenset[str], reaches: Callable[[str, str], bool]) -> list[str]:
        """Return the main measures that things of these entities may be ranked by, one of a kind: value, number, margin,
        count of events; at most four.
        """
        fitting = [r for r in self.main_measures(40) if all(reaches(r, e) for e in entities)]
        if self.revenue is None or self.revenue not in fitting:
            return fitting[:4]
        home = self.revenue.partition(".")[0]
        finer = self.layer.measure(self.revenue).finer
        detail = finer.partition(".")[0] if finer is not None else home
        near = self._distances[detail].items()
        events = {home, detail, *(e for e, d in near if d == 1 and not self.is_master(e))}
        kinds: dict[str, str] = {"value": self.revenue}
        for entity in [detail, *sorted(events - {detail})]:
            for name, measure in self.layer.entities[entity].measures.items():
                ref = f"{entity}.{name}"
                if measure.hidden or measure.filter is not None or measure.lower_is_better or measure.formula is not None:
                    continue
                if measure.additivity != "additive" or ref == self.revenue or not all(reaches(ref, e) for e in entities):
                    continue
                if measure.format.kind == "integer" and _SUM.match(measure.expression or ""):
                    kinds.setdefault("number", ref)
                elif self.row_count(entity) == ref and (entity != detail or len(events) == 1):
                    kinds.setdefault("count", ref)
                elif measure.format.kind == "currency" and _margin(measure):
                    kinds.setdefault("margin", ref)
        return [kinds[k] for k in ("value", "number", "margin", "count") if k in kinds]

    def row_count(self, entity: str) -> str | None:
        """Return the measure that counts the rows of an entity and nothing less; None when there is none."""
        model = self.layer.entities[entity]
        found = []
        for name, measure in model.measures.items():
            match = _COUNT.match(measure.expression or "")
            if match and not measure.hidden and measure.filter is None and measure.time in (None, model.time):
                column = match.group(1)
                if column is None or (column,) == model.key:
                    found.append((self._named_after(entity, measure), f"{entity}.{name}"))
        named = [ref for is_named, ref in found if is_named]
        return named[0] if named else found[0][1] if len(found) == 1 else None

    def _named_after(self, entity: str, measure: Measure) -> bool:
        model = self.layer.entities[entity]
        own = {content(phrase(t)) for t in (model.label, model.plural or model.label)}
        return any(content(phrase(t))[1:] in own for t in (measure.label, *measure.synonyms))

    def summed_dimension(self, ref: str) -> str | None:
        """Return the visible number that a plain SUM measure adds up; None when there is none."""
        entity = ref.partition(".")[0]
        measure = self.layer.measure(ref)
        match = _SUM.match(measure.expression or "")
        if match is None or measure.filter is not None:
            return None
        for name, dimension in self.layer.entities[entity].dimensions.items():
            if dimension.column == match.group(1) and dimension.type == "number":
                return f"{entity}.{name}"
        return None

    def averaged_dimension(self, ref: str) -> str | None:
        """Return the visible number that a plain AVG measure is the average of; None when there is none."""
        entity = ref.partition(".")[0]
        measure = self.layer.measure(ref)
        match = _AVG_OF.match(measure.expression or "")
        if match is None or measure.filter is not None:
            return None
        for name, dimension in self.layer.entities[entity].dimensions.items():
            if dimension.column == match.group(1) and dimension.type == "number" and not dimension.hidden:
                return f"{entity}.{name}"
        return None

    def time_of(self, entity: str) -> str | None:
        """Return the time dimension that dates the rows of an entity: its own, or that of the nearest it points at."""
        near = sorted(self._distances[entity].items(), key=lambda x: x[1])
        first = next((d for name, d in near if self.layer.entities[name].time), None)
        for name, distance in near:
            time = self.layer.entities[name].time
            if time and distance == first and (distance == 0 or not self.is_master(name)):
                return f"{name}.{time}"
        return None

    def is_master(self, entity: str) -> bool:
        """Tell whether rows of this entity are things (clients) rather than events (orders): its date is that of a
        creation.
        """
        model = self.layer.entities[entity]
        if model.time is None:
            return True
        joins = [j for j in self.layer.joins.values() if j.cardinality == "many_to_one" and j.from_entity != j.to_entity]
        if not any(j.to_entity == entity for j in joins) or not self.is_creation(f"{entity}.{model.time}"):
            return False
        # What points at several other things is something that happens between them (an order of fabrication), unless its
        # date can only be somebody's arrival.
        words = set(phrase(self.layer.dimension(f"{entity}.{model.time}").label))
        return bool(words & _ARRIVAL) or len({j.to_entity for j in joins if j.from_entity == entity}) < 2

    def is_creation(self, ref: str) -> bool:
        """Tell whether a time dimension dates the arrival of a row."""
        dimension = self.layer.dimension(ref)
        words = {w for t in (dimension.label, *dimension.synonyms) for w in phrase(t)}
        return bool(words & _CREATION)

    def measure_time(self, ref: str) -> str | None:
        """Return the time dimension that dates a measure; of a formula, its first part's."""
        entity = ref.partition(".")[0]
        measure = self.layer.measure(ref)
        if measure.time:
            return f"{entity}.{measure.time}"
        if measure.formula is not None:
            return next((t for part in self.parts(ref) if (t := self.measure_time(part))), None)
        return self.time_of(entity)

    def name_columns(self, entity: str) -> list[str]:
        """Return the dimensions that name one row to a person: the name, the first name, and a code when names repeat."""
        model = self.layer.entities[entity]
        if model.name_dimension is None:
            codes = self._codes(entity)
            texts = [n for n, d in model.dimensions.items() if d.type == "text" and not d.hidden and not d.personal]
            chosen = codes[:1] or [n for n in texts if "libell" in n or "nom" in n or "name" in n][:1] or texts[:1]
            return [f"{entity}.{n}" for n in chosen]
        names = [model.name_dimension]
        name = model.dimensions[model.name_dimension]
        for other, dimension in model.dimensions.items():
            if not dimension.hidden and other not in names and set(phrase(dimension.label)) & _FIRST_NAME:
                names.append(other)
        ref = f"{entity}.{model.name_dimension}"
        listed = ref in self.values.values
        key_column = (name.column,) == model.key or self._is_code(name)
        if (not listed or name.personal) and not key_column:
            names += [code for code in self._codes(entity) if code not in names][:1]
        return [f"{entity}.{n}" for n in names]

    def _codes(self, entity: str) -> list[str]:
        model = self.layer.entities[entity]
        keys = [n for n, d in model.dimensions.items() if not d.hidden and d.column is not None and (d.column,) == model.key]
        codes = [
            n
            for n, d in model.dimensions.items()
            if not d.hidden and not d.personal and d.type == "text" and self._is_code(d)
        ]
        return codes + keys

    def _is_code(self, dimension: Dimension) -> bool:
        words = phrase(dimension.label)
        return bool(words) and words[0] in _CODE_WORDS and "postal" not in words

    def _revenue(self) -> str | None:
        """Return the layer's evident revenue measure; None when none or several are."""
        found = []
        for position, text in enumerate(_REVENUE):
            for option in self.lexicon.lookup(text):
                if option.kind == "measure" and option.quality >= 0.85:
                    measure = self.layer.measure(option.ref)
                    if measure.format.kind == "currency" and measure.formula is None:
                        found.append((position, option.ref))
        if found:
            first = min(position for position, _ in found)
            best = list(dict.fromkeys(ref for position, ref in found if position == first))
            return best[0] if len(best) == 1 else None
        money = [
            f"{entity}.{name}"
            for entity, model in self.layer.entities.items()
            for name, measure in model.measures.items()
            if not measure.hidden
            and measure.format.kind == "currency"
            and measure.additivity == "additive"
            and not model.hidden
        ]
        return money[0] if len(money) == 1 else None

    def main_measures(self, limit: int = 4) -> list[str]:
        """Return measures to offer when a question names none: revenue first, then sums, then counts."""
        refs = [
            f"{e}.{n}" for e, m in self.layer.entities.items() if not m.hidden for n, x in m.measures.items() if not x.hidden
        ]

        def weight(ref: str) -> tuple[int, int]:
            measure = self.layer.measure(ref)
            return (
                0 if ref == self.revenue else 1,
                0 if measure.format.kind == "currency" and measure.formula is None else 1,
            )

        return sorted(refs, key=weight)[:limit]

    def is_qualified(self, ref: str) -> bool:
        """Tell whether a dimension's label says whose it is (« région du magasin »)."""
        dimension, entity = self.layer.dimension(ref), self.layer.entities[ref.partition(".")[0]]
        if ref == f"{ref.partition('.')[0]}.{entity.name_dimension}":
            return False
        mine = {w for t in (entity.label, entity.plural or "") for w in content(phrase(t))}
        return bool(mine & set(phrase(dimension.label)))

    def is_state(self, ref: str) -> bool:
        """Tell whether a measure says how things stand, not what happened: a stock, an outstanding amount."""
        measure = self.layer.measure(ref)
        if measure.additivity == "semi_additive":
            return True
        words = {w for t in (measure.label, *measure.synonyms) for w in phrase(t)}
        return bool(words & _STATE)

    def label_of(self, ref: str) -> str:
        """Return a dimension's label, with its entity's when the label alone does not say whose it is."""
        dimension, entity = self.layer.dimension(ref), self.layer.entities[ref.partition(".")[0]]
        mine = set(content(phrase(entity.label)))
        return dimension.label if mine & set(phrase(dimension.label)) else f"{dimension.label} ({entity.label})"


def _margin(measure: Measure) -> bool:
    words = {w for t in (measure.label, *measure.synonyms) for w in phrase(t)}
    return bool(words & {"marg", "benefic", "profit", "margin"})
