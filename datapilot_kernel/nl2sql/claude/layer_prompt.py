"""The requests that write a layer: tools, rules and glossary first (the same for all of them, cached), then one part of the
draft after another, neighbours together, what the glossary speaks of first.

What leaves is what a question's prompt may hold (:mod:`.context` writes both), and the glossary, whole: its author wrote it
to be read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from datapilot_kernel.catalog.values import value_words
from datapilot_kernel.nl2sql.claude.context import SourceContext, plain
from datapilot_kernel.nl2sql.claude.handover import Heard
from datapilot_kernel.nl2sql.claude.layer_items import MOST_QUESTIONS, PROPOSE, QUESTIONS, propose_tool, questions_tool
from datapilot_kernel.nl2sql.claude.prompt import closed
from datapilot_kernel.nl2sql.claude.wire import ModelRequest
from datapilot_kernel.nl2sql.local.tokens import stem
from datapilot_kernel.sources.model import Dialect

MAX_GLOSSARY_CHARACTERS = 60_000
OUTPUT_TOKENS = 8_000
"""Of one call: a part's proposals."""
MOST_ENTITIES = 12
"""Of one part: more, and a reply would not hold what there is to say of them."""

_DIALECTS: dict[Dialect, str] = {"postgres": "PostgreSQL", "mysql": "MySQL", "duckdb": "DuckDB"}
_LANGUAGES = {"fr": "French", "en": "English"}


@cache
def layer_rules(dialect: Dialect, language: str) -> str:
    """Return the rules of writing a layer."""
    template = files("datapilot_kernel").joinpath("nl2sql", "claude", "layer.md").read_text(encoding="utf-8")
    return template.format(dialect=_DIALECTS[dialect], language=_LANGUAGES.get(language, "French")).strip()


def parts_of(context: SourceContext, glossary: str) -> list[tuple[str, ...]]:
    """Return the units of a source in parts that fit a request, neighbours together, the glossary's own first."""
    asked = {stem(word) for word in value_words(re.sub(r"[_\-]", " ", glossary))}
    score = {
        name: sum(weight for word, weight in unit.words.items() if word in asked) for name, unit in context.units.items()
    }
    near: dict[str, list[str]] = {}
    for join in context.layer.joins.values():
        near.setdefault(join.from_entity, []).append(join.to_entity)
        near.setdefault(join.to_entity, []).append(join.from_entity)
    hidden = {name for name, entity in context.layer.entities.items() if entity.hidden}
    # Bare and technical tables are context where they stand beside another, not something to name.
    left = dict.fromkeys(
        name
        for name in sorted(context.units, key=lambda n: (-score[n], n))
        if name in context.layer.entities and name not in hidden
    )
    parts: list[tuple[str, ...]] = []
    while left:
        part: list[str] = []
        tokens = 0
        queue = [next(iter(left))]
        while queue and len(part) < MOST_ENTITIES:
            name = queue.pop(0)
            if name not in left:
                continue
            unit = context.units[name]
            if part and tokens + unit.tokens > context.budget_tokens:
                break
            part.append(name)
            tokens += unit.tokens
            del left[name]
            queue += sorted((n for n in near.get(name, ()) if n in left), key=lambda n: (-score[n], n))
            if not queue and left and score[next(iter(left))] > 0:
                queue.append(next(iter(left)))
        parts.append(tuple(part))
    return parts


def part_request(
    context: SourceContext,
    part: Sequence[str],
    glossary: str,
    *,
    model: str,
    dialect: Dialect,
    first: bool,
    output_tokens: int,
) -> ModelRequest:
    """Return the request for one part. ``first``: the calendar belongs to it."""
    units = "\n\n".join(context.units[name].text for name in part)
    edges = [
        f"{name}: {', '.join(join.from_columns)} -> {join.to_entity}({', '.join(join.to_columns)})"
        for name, join in context.layer.joins.items()
        if join.to_entity in part and join.from_entity not in part and join.from_entity in context.units
    ]
    said = [f"<draft>\n{units}\n</draft>"]
    if edges:
        said.append("Joins that lead here from entities that are not in this part:\n" + "\n".join(edges[:40]))
    said.append(
        f"Call {PROPOSE}, for exactly these entities."
        + ("" if first else " The calendar is settled: leave `calendar` empty.")
        + (" There is no glossary: propose from names and comments alone." if not glossary.strip() else "")
    )
    return ModelRequest(
        model,
        _system(context, glossary, dialect),
        (propose_tool(), questions_tool()),
        ({"role": "user", "content": "\n\n".join(said)},),
        output_tokens,
    )


def questions_request(
    context: SourceContext, glossary: str, *, model: str, dialect: Dialect, output_tokens: int
) -> ModelRequest:
    """Return the request for first questions. ``context`` is of the layer with everything that was proposed."""
    chosen = context.select(glossary or " ".join(context.units), Heard())
    source = "\n\n".join(part for part in (chosen.stable, chosen.chosen) if part)
    said = (
        f"<draft>\n{source}\n</draft>\n\n"
        f"Call {QUESTIONS}: {MOST_QUESTIONS} first questions for the people of this company, in {_language(context)}, each "
        "answerable from this layer alone: measures by dimensions, over periods (« le mois dernier », « par mois »), "
        "rankings, comparisons with last year, counts, lists. Use the labels exactly as they stand above. No question needs "
        "a value that is not named above. Begin with what a manager asks first."
    )
    return ModelRequest(
        model,
        _system(context, glossary, dialect),
        (propose_tool(), questions_tool()),
        ({"role": "user", "content": said},),
        output_tokens,
    )


def _system(context: SourceContext, glossary: str, dialect: Dialect) -> tuple[tuple[str, bool], ...]:
    head = (
        f"Source: {plain(context.layer.name)}; currency {context.layer.currency}. "
        f"Entities: {', '.join(list(context.layer.entities)[:600])}."
    )
    return (
        (layer_rules(dialect, context.layer.language), True),
        (f"<glossary>\n{closed(glossary.strip()) or '(none)'}\n</glossary>\n\n{head}", True),
    )


def _language(context: SourceContext) -> str:
    return _LANGUAGES.get(context.layer.language, "French")
