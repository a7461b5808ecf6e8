"""Having the language model read the company's vocabulary: it proposes, a person chooses, the draft takes what was chosen.

The work runs beside (:mod:`hub_config.queries.layer_writing`): the page shows how far it has come and looks again by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from datapilot_kernel.errors import DataPilotError
from datapilot_kernel.messages import current_language, text
from hub_config.errors import Conflict, status_of
from hub_config.pages.layer_editing import HERE, layer_of, source_of
from hub_config.pages.serving import Visit, run

if TYPE_CHECKING:
    from hub_config.queries.layer_writing import LayerWriting


async def shown(visit: Visit) -> Response:
    """Show the form, how far it has come, or what was proposed."""
    return await _shown(visit)


async def ask(visit: Visit) -> Response:
    """Begin."""
    source = await source_of(visit)
    drafts = visit.platform.sources.layers.drafts
    working = await run(drafts.working, visit.person.principal, source.id)
    glossary = visit.form.get("glossary", "").replace("\r\n", "\n")
    try:
        await run(_writing(visit).begin, visit.person.principal, source.id, working.text, glossary, seen=working.token)
    except DataPilotError as error:
        if status_of(error) not in (403, 409, 422):
            raise
        return await _shown(visit, status=status_of(error), problem=error.message, glossary=glossary)
    return visit.go(f"{HERE.format(source_id=source.id)}/modele")


async def stop(visit: Visit) -> Response:
    """Stop the person's own request."""
    source = await source_of(visit)
    writing = _writing(visit).of(visit.person.principal, source.id)
    if writing is not None:
        writing.cancel.cancel()
    return visit.go(f"{HERE.format(source_id=source.id)}/modele")


async def take(visit: Visit) -> Response:
    """Put what was chosen into the draft."""
    source = await source_of(visit)
    writing = _writing(visit).of(visit.person.principal, source.id)
    if writing is None or writing.attempt is None or writing.attempt.result is None:
        return await _shown(visit, status=409, problem=text("layer_pages.model_lost"))
    proposed = writing.attempt.result[0].proposed
    numbers = {number for number in range(len(proposed)) if visit.form.get(f"take:{number}")}
    said, _, whole = await run(_writing(visit).taken, writing, numbers)
    drafts = visit.platform.sources.layers.drafts
    try:
        await run(drafts.keep, visit.person.principal, source.id, said, seen=writing.seen)
    except Conflict:
        return await _shown(visit, status=409, problem=text("layer_pages.model_lost"))
    return visit.go(f"{HERE.format(source_id=source.id)}?done={'saved' if whole else 'rewritten'}")


async def _shown(visit: Visit, *, status: int = 200, problem: str | None = None, glossary: str = "") -> Response:
    source = await source_of(visit)
    principal = visit.person.principal
    writings = _writing(visit)
    working = await run(visit.platform.sources.layers.drafts.working, principal, source.id)
    if layer_of(working) is None:
        return visit.go(HERE.format(source_id=source.id))  # where one begins
    writing = writings.of(principal, source.id)
    result = writing.attempt.result if writing is not None and writing.attempt is not None else None
    if writing is not None and writing.attempt is not None and writing.ended and writing.attempt.problem is not None:
        problem = problem or writing.attempt.problem.message
    written = result[0] if result is not None else None
    cost = written.use.cost_microeuros / 1_000_000 if written is not None else 0.0
    return visit.page(
        "layer_model.html",
        status=status,
        current="connect",
        source=source,
        working=working,
        configured=writings.configured,
        writing=writing,
        written=written,
        said=[_said(one.proposal) for one in written.proposed] if written is not None else [],
        euros=f"{cost:.2f}".replace(".", "," if current_language() == "fr" else "."),
        problem=problem,
        glossary=glossary,
        here=visit.pages.render.url(HERE.format(source_id=source.id)),
    )


def _said(proposal: Any) -> str:
    """Return a proposal in a line: its label or text, and what it is made of."""
    given = proposal.model_dump(mode="json", exclude={"kind", "why", "entity", "name", "ref"}, exclude_defaults=True)
    parts = [", ".join(v) if isinstance(v, list) else str(v) for v in given.values() if v not in ("", [], None, False)]
    return " · ".join(parts)[:300]


def _writing(visit: Visit) -> LayerWriting:
    found: LayerWriting = visit.platform.queries.layer_writing
    return found
