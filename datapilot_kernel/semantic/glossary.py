"""A company's own words, given when a draft is made: one line per term, ``chiffre d'affaires = CA, ventes nettes``.

A term that the draft knows (a label, or a synonym) gets the words as synonyms; a word that already means something else
there is left out. Lines that begin with ``#`` are remarks.
"""

from __future__ import annotations

from pathlib import Path

from datapilot_kernel.catalog.lexicon import words
from datapilot_kernel.errors import LayerProblem
from datapilot_kernel.semantic.model import Dimension, Entity, Layer, Measure

Glossary = dict[str, tuple[str, ...]]
_Named = Entity | Dimension | Measure


def read_glossary(path: Path) -> Glossary:
    """Return term -> its other words.

    Raises
    ------
    LayerProblem
        ``semantic.glossary_missing``, ``semantic.glossary_line``.
    """
    try:
        lines = path.expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LayerProblem("semantic.glossary_missing", name=path.name, log=type(error).__name__) from None
    found: Glossary = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        term, equals, rest = line.partition("=")
        others = tuple(part.strip() for part in rest.split(",") if part.strip())
        if not equals or not term.strip() or not others:
            raise LayerProblem("semantic.glossary_line", line=number)
        found[term.strip()] = (*found.get(term.strip(), ()), *others)
    return found


def apply_glossary(layer: Layer, glossary: Glossary) -> Layer:
    """Return the layer with the glossary's words as synonyms."""
    if not glossary:
        return layer
    wanted = {words(term): others for term, others in glossary.items()}
    taken = {words(p) for e in layer.entities.values() for p in _phrases(e)}
    for entity in layer.entities.values():
        taken |= {words(p) for m in entity.measures.values() for p in _phrases(m)}
        taken |= {words(p) for d in entity.dimensions.values() for p in _phrases(d)}

    def added(named: _Named) -> tuple[str, ...]:
        others = [o for phrase in _phrases(named) for o in wanted.get(words(phrase), ()) if words(o) not in taken]
        taken.update(words(o) for o in others)
        return (*named.synonyms, *dict.fromkeys(others))

    # Measures first: a company's word is more often a figure than a table, and a table than a column.
    entities = dict(layer.entities)
    for name, entity in entities.items():
        measures: dict[str, Measure] = {n: m.model_copy(update={"synonyms": added(m)}) for n, m in entity.measures.items()}
        entities[name] = entity.model_copy(update={"measures": measures})
    for name, entity in entities.items():
        entities[name] = entity.model_copy(update={"synonyms": added(entity)})
    for name, entity in entities.items():
        dimensions = {
            n: d if d.hidden else d.model_copy(update={"synonyms": added(d)}) for n, d in entity.dimensions.items()
        }
        entities[name] = entity.model_copy(update={"dimensions": dimensions})
    return layer.model_copy(update={"entities": entities})


def _phrases(named: _Named) -> tuple[str, ...]:
    return (named.label, *((named.plural,) if named.plural else ()), *named.synonyms)
