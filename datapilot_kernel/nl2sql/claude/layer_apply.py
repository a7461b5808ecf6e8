"""A proposal put into a layer: the part it becomes, and whether the layer still holds with it.

Every proposal passes what a layer's file passes: the model of the format, the check against the catalog, and the rule that
one word means one thing. Literals are settled first: a text compared to a column whose values are known is replaced by the
stored value that it is but for case and accents, or that people call so; what is neither is turned away.

A problem has two texts. ``said`` may go back to the model: names and rules, nothing that only the data know. A *private*
problem (a value that is not stored, a count of nothing) is for the person alone, unless the tenant opened its values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, assert_never

import sqlglot
from pydantic import BaseModel, ValidationError
from sqlglot import exp
from sqlglot.errors import SqlglotError

from datapilot_kernel.catalog.lexicon import fold, words
from datapilot_kernel.catalog.model import Catalog
from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.claude.layer_items import (
    DefaultFilter,
    FirstQuestion,
    Naming,
    NewCalendar,
    NewDimension,
    NewJoin,
    NewMeasure,
    Proposal,
    ValueNames,
    Words,
)
from datapilot_kernel.semantic.check import check_entities
from datapilot_kernel.semantic.findings import Finding
from datapilot_kernel.semantic.model import Dimension, Entity, Format, Join, Layer, Measure

M = TypeVar("M", bound=BaseModel)
Visible = Mapping[str, frozenset[str]]
_CLASHES = frozenset({"same_words", "same_words_entity", "same_label"})


class Unfit(Exception):
    """A proposal that cannot go into the layer.

    Attributes
    ----------
    said
        For the model; None: private, it may not be told why.
    message
        The sentence for the person.
    """

    def __init__(self, message: str, *, said: str | None) -> None:
        super().__init__(message)
        self.message, self.said = message, said


@dataclass(frozen=True)
class Ground:
    """What proposals are checked against: the catalog as this person sees it, and the stored values they may see.

    ``values`` are by ``entity.dimension`` of the draft, as far as they were collected. ``prove`` returns the catalog with
    the keys that a layer's joins claim and the data have (files declare none).
    """

    catalog: Catalog
    values: Mapping[str, Iterable[str]] = field(default_factory=dict)
    prove: Callable[[Catalog, Layer], Catalog] = lambda catalog, _: catalog


def seen_catalog(catalog: Catalog, visible: Visible) -> Catalog:
    """Return the catalog without what this person may not read, nor sample values, which were read without rights."""
    tables = []
    for table in catalog.tables:
        readable = visible.get(table.key)
        if readable is not None:
            columns = tuple(c.model_copy(update={"values": None}) for c in table.columns if c.name in readable)
            tables.append(table.model_copy(update={"columns": columns}))
    return catalog.model_copy(update={"tables": tuple(tables)})


def put(layer: Layer, proposal: Proposal, ground: Ground) -> tuple[Layer, Proposal]:
    """Return the layer with a proposal in it, and the proposal as it went in (its literals settled).

    Raises
    ------
    Unfit
        It does not hold.
    """
    settled = _settled(layer, proposal, ground)
    try:
        after = _with(layer, settled)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]["msg"]
        raise Unfit(text("claude.layer_invalid"), said=first) from None
    catalog = ground.prove(ground.catalog, after) if isinstance(settled, NewJoin) else ground.catalog
    _hold(layer, after, catalog, _touched(settled))
    return after, settled


def _touched(proposal: Proposal) -> tuple[str, ...]:
    """Return the entities that a proposal writes into."""
    match proposal:
        case Words(ref=ref) | ValueNames(ref=ref):
            return (ref.partition(".")[0],)
        case NewMeasure(entity=entity) | NewDimension(entity=entity) | DefaultFilter(entity=entity) | Naming(entity=entity):
            return (entity,)
        case NewJoin(from_entity=one, to_entity=other):
            return (one, other)
        case NewCalendar() | FirstQuestion():
            return ()
        case _:
            assert_never(proposal)


def _hold(before: Layer, after: Layer, catalog: Catalog, names: tuple[str, ...]) -> None:
    """Raise Unfit when the check finds something new: an error, or words that now mean two things."""
    if not names:
        return
    known = {_same(finding) for finding in check_entities(before, catalog, names)}
    for finding in check_entities(after, catalog, names):
        if _same(finding) not in known and (finding.severity == "error" or finding.code in _CLASHES):
            raise Unfit(finding.message, said=f"{'.'.join(finding.path)}: {finding.message}")


def _same(finding: Finding) -> tuple[object, ...]:
    return (finding.code, finding.path, finding.message)


# ── each kind ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _with(layer: Layer, proposal: Proposal) -> Layer:
    match proposal:
        case Words():
            return _words(layer, proposal)
        case NewMeasure():
            return _measure(layer, proposal)
        case NewDimension():
            return _dimension(layer, proposal)
        case ValueNames(ref=ref, stored=stored, names=names):
            entity, name, dimension = _found_dimension(layer, ref)
            values = {**dimension.values, stored: names}
            # One name, one value: what the draft guessed gives way.
            taken = {fold(one) for one in names}
            values = {
                one: kept
                for one, said in values.items()
                if (kept := said if one == stored else tuple(n for n in said if fold(n) not in taken))
            }
            return _set_dimension(layer, entity, name, _changed(dimension, values=values))
        case DefaultFilter(entity=entity, condition=condition):
            found = _found_entity(layer, entity)
            if condition in found.default_filters:
                return layer
            return _set_entity(layer, entity, _changed(found, default_filters=(*found.default_filters, condition)))
        case Naming(entity=entity, time=time, name_dimension=name_dimension):
            found = _found_entity(layer, entity)
            named = {"time": time or found.time, "name_dimension": name_dimension or found.name_dimension}
            return _set_entity(layer, entity, _changed(found, **named))
        case NewJoin():
            return _join(layer, proposal)
        case NewCalendar():
            given = proposal.model_dump(exclude={"kind", "why"})
            return _changed(layer, calendar=_changed(layer.calendar, **given))
        case FirstQuestion(text=asked):
            return layer if asked in layer.questions else _changed(layer, questions=(*layer.questions, asked))
        case _:
            assert_never(proposal)


def _words(layer: Layer, proposal: Words) -> Layer:
    entity, _, name = proposal.ref.partition(".")
    owner = _found_entity(layer, entity)
    named: Entity | Measure | Dimension | None = owner
    if name:
        named = owner.measures.get(name) or owner.dimensions.get(name)
    if named is None:
        raise _unknown(proposal.ref)
    given = {k: v for k in ("label", "plural", "description") if (v := getattr(proposal, k)) is not None}
    label = given.get("label", named.label)
    # The old label stays a word that people may type.
    more = (*named.synonyms, *proposal.synonyms, *((named.label,) if label != named.label else ()))
    plural = given.get("plural", named.plural)
    synonyms = _distinct(more, (label, *((plural,) if plural else ())))
    changed = _changed(named, **given, synonyms=synonyms)
    if isinstance(changed, Entity):
        return _set_entity(layer, entity, changed)
    if isinstance(changed, Measure):
        return _set_measure(layer, entity, name, changed)
    return _set_dimension(layer, entity, name, changed)


def _measure(layer: Layer, proposal: NewMeasure) -> Layer:
    owner = _found_entity(layer, proposal.entity)
    given = proposal.model_dump(include={
        "expression", "formula", "filter", "label", "plural", "description", "additivity", "unfiltered", "time",
        "lower_is_better",
    })  # fmt: skip
    old = owner.measures.get(proposal.name)
    words_given = _distinct(proposal.synonyms, (proposal.label, *((proposal.plural,) if proposal.plural else ())))
    form = old.format if old is not None and old.format.kind == proposal.format else Format(kind=proposal.format)
    measure = Measure.model_validate({**given, "synonyms": words_given, "format": form})
    # The company's own definition takes its words from the draft's guesses; a label that clashes is for the model to settle.
    taken = {words(phrase) for phrase in (measure.label, *measure.synonyms)}
    layer = _without_words(layer, taken, (proposal.entity, proposal.name))
    return _set_measure(layer, proposal.entity, proposal.name, measure)


def _without_words(layer: Layer, taken: set[tuple[str, ...]], keep: tuple[str, str]) -> Layer:
    """Take words that a new measure claims from the synonyms of the other measures."""
    entities = dict(layer.entities)
    for entity_name, entity in layer.entities.items():
        measures = dict(entity.measures)
        for name, measure in entity.measures.items():
            left = tuple(s for s in measure.synonyms if words(s) not in taken)
            if (entity_name, name) != keep and left != measure.synonyms:
                measures[name] = _changed(measure, synonyms=left)
        entities[entity_name] = _changed(entity, measures=measures)
    return _changed(layer, entities=entities)


def _dimension(layer: Layer, proposal: NewDimension) -> Layer:
    owner = _found_entity(layer, proposal.entity)
    old = owner.dimensions.get(proposal.name)
    given = proposal.model_dump(include={"column", "expression", "type", "label", "plural", "synonyms"})
    kept = {}
    if old is not None and proposal.column == old.column:
        # What the draft knows of the column is not the model's to forget, that it is personal least of all.
        kept = old.model_dump(include={"values", "personal", "zoned", "format", "description"})
    elif proposal.column is not None:
        same = [d for d in owner.dimensions.values() if d.column == proposal.column]
        kept = {"personal": any(d.personal for d in same), "zoned": any(d.zoned for d in same)}
    elif proposal.expression is not None:
        personal = {d.column for d in owner.dimensions.values() if d.personal}
        kept = {"personal": bool(personal & set(_columns(proposal.expression, layer)))}
    return _set_dimension(layer, proposal.entity, proposal.name, Dimension.model_validate({**kept, **given}))


def _join(layer: Layer, proposal: NewJoin) -> Layer:
    _found_entity(layer, proposal.from_entity)
    _found_entity(layer, proposal.to_entity)
    given = proposal.model_dump(exclude={"kind", "why"})
    ends = ("from_entity", "from_columns", "to_entity", "to_columns")
    for name, old in layer.joins.items():
        if all(getattr(old, end) == getattr(proposal, end) for end in ends):
            merged = _changed(old, **{**given, "inferred": False, "label": proposal.label or old.label})
            return _changed(layer, joins={**layer.joins, name: merged})
    name = base = f"{proposal.from_entity}_{proposal.to_entity}"[:55]
    count = 1
    while name in layer.joins:
        count += 1
        name = f"{base}_{count}"
    return _changed(layer, joins={**layer.joins, name: Join.model_validate(given)})


# ── literals ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _settled(layer: Layer, proposal: Proposal, ground: Ground) -> Proposal:
    match proposal:
        case ValueNames(ref=ref, stored=stored):
            entity, _, dimension = _found_dimension(layer, ref)
            if dimension.personal:
                raise Unfit(text("claude.layer_personal", ref=ref), said=f"{ref} is personal: its values have no names here")
            del entity
            known = ground.values.get(ref)
            if known is None:
                return proposal
            found = _stored(stored, known, dimension.values)
            if found is None:
                raise _not_stored(stored, ref)
            return proposal.model_copy(update={"stored": found})
        case NewMeasure(entity=entity):
            changed = {k: _sql(layer, entity, v, ground) for k in ("expression", "filter") if (v := getattr(proposal, k))}
            return proposal.model_copy(update=changed)
        case NewDimension(entity=entity, expression=expression) if expression:
            return proposal.model_copy(update={"expression": _sql(layer, entity, expression, ground)})
        case DefaultFilter(entity=entity, condition=condition):
            return proposal.model_copy(update={"condition": _sql(layer, entity, condition, ground)})
        case _:
            return proposal


def _sql(layer: Layer, entity: str, sql: str, ground: Ground) -> str:
    """Return a fragment with the texts it compares to columns as they are stored; unreadable SQL is the check's to say."""
    try:
        tree = sqlglot.parse_one(f"SELECT {sql}\n", read=layer.sql_dialect)
    except (SqlglotError, RecursionError):
        return sql
    dimensions = {d.column: name for name, d in _found_entity(layer, entity).dimensions.items() if d.column}
    changed = False
    for literal in list(tree.find_all(exp.Literal)):
        column = _compared(literal)
        name = dimensions.get(column.name) if column is not None else None
        known = ground.values.get(f"{entity}.{name}") if name else None
        if not literal.is_string or known is None or name is None:
            continue
        found = _stored(literal.name, known, layer.entities[entity].dimensions[name].values)
        if found is None:
            raise _not_stored(literal.name, f"{entity}.{name}")
        if found != literal.name:
            literal.replace(exp.Literal.string(found))
            changed = True
    return tree.expressions[0].sql(dialect=layer.sql_dialect) if changed else sql


def _compared(literal: exp.Expression) -> exp.Column | None:
    """Return the bare column that a literal is compared to by ``=``, ``<>`` or ``IN``."""
    parent = literal.parent
    if isinstance(parent, exp.EQ | exp.NEQ):
        other = parent.expression if parent.this is literal else parent.this
        return other if isinstance(other, exp.Column) else None
    if isinstance(parent, exp.In) and isinstance(parent.this, exp.Column):
        return parent.this
    return None


def _stored(said: str, known: Iterable[str], names: Mapping[str, tuple[str, ...]]) -> str | None:
    """Return the stored value that a text is: exactly, but for case and accents, or by what people call it."""
    every = tuple(known)
    if said in every:
        return said
    near = {one for one in every if fold(one) == fold(said)}
    if not near:
        near = {one for one in every if any(fold(n) == fold(said) for n in names.get(one, ()))}
    return near.pop() if len(near) == 1 else None


def _not_stored(said: str, ref: str) -> Unfit:
    return Unfit(text("claude.layer_value_not_stored", value=said, ref=ref), said=None)


def _columns(sql: str, layer: Layer) -> list[str]:
    try:
        return [c.name for c in sqlglot.parse_one(f"SELECT {sql}\n", read=layer.sql_dialect).find_all(exp.Column)]
    except (SqlglotError, RecursionError):
        return []


# ── small ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _changed(model: M, **changes: Any) -> M:
    """Return a model with some keys changed, validated as a file's would be."""
    return type(model).model_validate({**{k: getattr(model, k) for k in type(model).model_fields}, **changes})


def _distinct(phrases: Iterable[str], taken: Iterable[str]) -> tuple[str, ...]:
    seen = {fold(one) for one in taken}
    kept = []
    for phrase in phrases:
        if fold(phrase) not in seen:
            seen.add(fold(phrase))
            kept.append(phrase)
    return tuple(kept)


def _unknown(ref: str) -> Unfit:
    return Unfit(text("claude.layer_unknown", ref=ref), said=f"{ref} does not exist in the layer")


def _found_entity(layer: Layer, name: str) -> Entity:
    if name not in layer.entities:
        raise _unknown(name)
    return layer.entities[name]


def _found_dimension(layer: Layer, ref: str) -> tuple[str, str, Dimension]:
    entity, _, name = ref.partition(".")
    if name not in _found_entity(layer, entity).dimensions:
        raise _unknown(ref)
    return entity, name, layer.entities[entity].dimensions[name]


def _set_entity(layer: Layer, name: str, entity: Entity) -> Layer:
    return _changed(layer, entities={**layer.entities, name: entity})


def _set_measure(layer: Layer, entity: str, name: str, measure: Measure) -> Layer:
    owner = layer.entities[entity]
    return _set_entity(layer, entity, _changed(owner, measures={**owner.measures, name: measure}))


def _set_dimension(layer: Layer, entity: str, name: str, dimension: Dimension) -> Layer:
    owner = layer.entities[entity]
    return _set_entity(layer, entity, _changed(owner, dimensions={**owner.dimensions, name: dimension}))
