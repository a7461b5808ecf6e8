"""« Essayer une question avant de garder »: the same question over the draft in the form, and over what is in force.

Both go by the one road, :class:`~hub_config.queries.QueryService`; the draft within the rights in force
(:mod:`hub_config.queries.trials`). Nothing of the draft is kept. Without the language model: what is tried is the layer, and
an answer that costs nothing and comes the same twice can be compared.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.engine.outcome import Answer, Clarification, Failure
from datapilot_kernel.errors import DataPilotError
from datapilot_kernel.messages import current_language, text
from datapilot_kernel.semantic import Layer
from hub_config.api.ai import ask, stopped_when_gone
from hub_config.pages.layer_forms import attributes_of
from hub_config.pages.serving import Visit
from hub_config.queries.model import Asked, Trial
from hub_config.queries.renderings import formatter_of

if TYPE_CHECKING:
    from hub_config.queries import Ended, Running

MOST_ROWS, MOST_COLUMNS = 10, 8
MOST_ASKED = 500
_ATTRIBUTE = "a:"


@dataclass(frozen=True)
class Tried:
    """An outcome, as the page shows it.

    Attributes
    ----------
    kind
        ``answer``, ``clarification``, ``refusal``, ``failure``; ``problem`` when the question was not let in.
    """

    title: str
    kind: str
    message: str
    trust: str | None = None
    notes: tuple[str, ...] = ()
    reading: tuple[Any, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    more: str = ""
    sql: str = ""
    choices: tuple[str, ...] = ()
    incident: str | None = None


@dataclass(frozen=True)
class Bench:
    """What a page with a question to try shows: the question, the attributes its filters ask for, and what came of it."""

    question: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    problem: str | None = None
    outcomes: tuple[Tried, ...] = ()


def bench(visit: Visit, layer: Layer | None) -> Bench:
    """Return what stands in the fields of a trial; attributes that are not typed are the person's own."""
    own = visit.person.principal.attributes
    filters = [entity.row_filter for entity in layer.entities.values()] if layer is not None else []
    given = tuple((name, _typed(visit, name, own)) for name in attributes_of(filters))
    return Bench(visit.form.get("question", "").strip()[:MOST_ASKED], given)


def _typed(visit: Visit, name: str, own: Any) -> str:
    given = visit.form.get(f"{_ATTRIBUTE}{name}")
    return str(own.get(name, "")) if given is None else given.strip()[:200]


async def tried(visit: Visit, source_id: str, layer: Layer, *, in_force: bool) -> Bench:
    """Ask the question over the draft and over what is in force.

    Parameters
    ----------
    in_force
        There is a layer in force; else what answers now is the automatic draft.
    """
    now = bench(visit, layer)
    if not now.question:
        return Bench(now.question, now.attributes, text("layer_pages.trial_no_question"))
    trial = Trial(layer, tuple(sorted((name, value) for name, value in now.attributes if value)))
    plain = Asked(source_id, now.question, engine="local", alone=True)
    over_draft = Asked(source_id, now.question, engine="local", alone=True, trial=trial)
    titles = (text("layer_pages.trial_draft"), text(f"layer_pages.trial_{'in_force' if in_force else 'automatic'}"))
    running: list[Running] = []

    def stop() -> None:
        for one in running:
            one.cancel()

    async def one(title: str, asked: Asked) -> Tried:
        try:
            begun = await ask(visit.platform, visit.person.principal, asked)
            running.append(begun)
            ended = await begun.wait()
        except DataPilotError as error:
            return Tried(title, "problem", error.message, incident=getattr(error, "incident", None))
        return await anyio.to_thread.run_sync(_shown, visit, title, ended)

    async with stopped_when_gone(visit.request, stop):
        outcomes = await asyncio.gather(*(one(t, a) for t, a in zip(titles, (over_draft, plain), strict=True)))
    return Bench(now.question, now.attributes, None, tuple(outcomes))


def _shown(visit: Visit, title: str, ended: Ended) -> Tried:
    outcome = ended.outcome
    if isinstance(outcome, Clarification):
        labels = tuple(choice.label for choice in outcome.choices)
        return Tried(title, "clarification", outcome.message, notes=outcome.notes, choices=labels)
    if isinstance(outcome, Failure):
        return Tried(title, "failure", outcome.message, incident=outcome.incident)
    if not isinstance(outcome, Answer):
        return Tried(title, "refusal", outcome.message, notes=outcome.notes)
    result = visit.platform.queries.results.get(visit.person.principal.tenant_id, ended.query_id)
    formatter = formatter_of(result) if result is not None else Formatter(language=current_language())
    columns = outcome.columns[:MOST_COLUMNS]
    rows = tuple(
        tuple(formatter.cell(value, column) for value, column in zip(row, columns, strict=False))
        for row in outcome.table.rows[:MOST_ROWS]
    )
    total = len(outcome.table.rows)
    more = text("layer_pages.trial_rows", count=total, shown=len(rows), rows=formatter.count(total))
    return Tried(
        title,
        "answer",
        outcome.sentence,
        outcome.trust,
        outcome.notes,
        outcome.reading,
        tuple(column.label for column in columns),
        rows,
        more,
        _pretty(outcome.sql),
    )


def _pretty(sql: str) -> str:
    from datapilot_kernel.notebook.card import pretty

    return pretty(sql, None)
