"""What waits for an administrator's word: questions proposed as verified, notebooks to be published.

A question is examined on its own page: what its plan says, the statement it becomes, a test run with the administrator's own
rights. An approved one answers everybody who reaches its source, each with their own rights. The list opens no source, so
that it stands while one is down. Publication requests are decided on their own page (:mod:`hub_config.pages.publications`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from starlette.responses import Response

from datapilot_kernel.engine.outcome import Answer
from datapilot_kernel.errors import BadInput, DataPilotError, Fault
from datapilot_kernel.messages import text
from datapilot_kernel.plan.model import Plan
from hub_config.access import permitted
from hub_config.api.ai import ask, stopped_when_gone
from hub_config.api.paging import read_cursor
from hub_config.content.waiting import Waiting, waiting
from hub_config.errors import NotFound, PlatformUnavailable, status_of
from hub_config.pages.given import asked, following, ident, notice, one_of
from hub_config.pages.serving import Page, Visit, run
from hub_config.people.names import people_named
from hub_config.queries import Asked
from hub_config.queries.renderings import formatter_of

if TYPE_CHECKING:
    from hub_config.content.verified import Examined
    from hub_config.database import VerifiedQuestion
    from hub_config.queries import Ended

_STATES = ("proposed", "approved", "rejected")
_PER_PAGE, _PUBLICATIONS = 50, 50
_MOST_ROWS, _MOST_COLUMNS = 20, 20


@dataclass(frozen=True)
class Trial:
    """What a test run came to: a table, or what was said instead."""

    sentence: str
    columns: list[str]
    rows: list[list[str]]
    total: str
    problem: str | None = None


async def waiting_of(visit: Visit) -> Waiting | None:
    """Return what waits for this person's word; None: nothing does, or it is not theirs to decide."""
    if visit.visitor is None or not permitted(visit.visitor.principal, "verified.decide"):
        return None
    found: Waiting = await run(waiting, visit.platform.database, visit.visitor.principal)
    return found if found.total else None


# ── the list ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def approvals(visit: Visit) -> Response:
    """List what waits, and what was decided."""
    principal, platform = visit.person.principal, visit.platform
    state = one_of(asked(visit, "etat"), *_STATES) or "proposed"
    after = asked(visit, "suite") or None
    rows: list[VerifiedQuestion] = await run(
        platform.content.verified.across, principal, status=state, limit=_PER_PAGE, before=read_cursor(after)
    )
    publishing = platform.content.publishing
    open_requests = await run(publishing.requests, principal, status="requested", limit=_PUBLICATIONS)
    latest = await run(publishing.requests, principal, status=None, limit=_PUBLICATIONS)
    decided = [one for one in latest if one.status != "requested"]
    people = [one for row in rows for one in (row.proposed_by, row.decided_by)]
    layers = await run(platform.sources.layers.drafts.proposals, principal)
    people += [proposal.by for _, _, _, proposal in layers]
    people += [one for row in (*open_requests, *decided) for one in (row.requested_by, row.decided_by)]
    sources = await run(platform.sources.administration.listed, principal, limit=1000)
    return visit.page(
        "approvals.html",
        current="approvals",
        done=notice(visit, "approvals"),
        state=state,
        states=_STATES,
        questions=rows,
        waits=await run(waiting, platform.database, principal),
        sources={one.id: one.name for one in sources},
        people=await run(people_named, platform.database, principal.tenant_id, people),
        requests=open_requests,
        layers=layers,
        decided=decided,
        beginning=after is None,
        next=following([(row.created_at, row.id) for row in rows], _PER_PAGE),
    )


# ── one question ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def question(visit: Visit) -> Response:
    """Show one, examined."""
    return await _shown(visit, ident(visit, "question_id"))


async def _shown(
    visit: Visit, question_id: str, *, status: int = 200, problem: str | None = None, trial: Trial | None = None
) -> Response:
    principal, platform = visit.person.principal, visit.platform
    row: VerifiedQuestion = await run(platform.content.verified.read, principal, question_id)
    source = await run(platform.sources.administration.read, principal, row.data_source_id)
    examined: Examined | None = None
    away: str | None = None
    try:
        examined = await run(platform.content.verified.examine, principal, question_id)
    except (NotFound, PlatformUnavailable, Fault):
        raise
    except DataPilotError as error:
        away = error.message
    names = await run(people_named, platform.database, principal.tenant_id, [row.proposed_by, row.decided_by])
    broken = examined is not None and examined.problem is not None
    return visit.page(
        "approval.html",
        status=status,
        current="approvals",
        done=notice(visit, "approvals"),
        problem=problem,
        question=row,
        source=source,
        examined=examined,
        why_broken=_why(examined) if examined is not None and broken else None,
        away=away,
        sql=_pretty(examined.sql) if examined is not None and examined.sql else "",
        proposed_by=names.get(row.proposed_by or "", text("approvals.somebody_gone")),
        decided_by=names.get(row.decided_by or "", text("approvals.somebody_gone")),
        trial=trial,
    )


def _why(examined: Examined) -> str:
    return text("approvals.plan_unreadable") if examined.problem == "plan" else str(examined.problem)


def _pretty(sql: str) -> str:
    from datapilot_kernel.notebook.card import pretty

    return pretty(sql, None)


async def decide(visit: Visit) -> Response:
    """Approve one, or put it aside."""
    question_id, word = ident(visit, "question_id"), one_of(visit.form.get("decision", ""), "approve", "reject")
    if word is None:
        raise NotFound(log="decision")
    verified = visit.platform.content.verified
    before: VerifiedQuestion = await run(verified.read, visit.person.principal, question_id)
    try:
        await run(verified.decide, visit.person.principal, question_id, approve=word == "approve")
    except (NotFound, PlatformUnavailable):
        raise
    except BadInput as error:
        return await _shown(visit, question_id, status=status_of(error), problem=error.message)
    done = "approuvee" if word == "approve" else "retiree" if before.status == "approved" else "ecartee"
    return visit.go(f"/approbations?fait={done}")


async def delete(visit: Visit) -> Response:
    """Remove one for good."""
    await run(visit.platform.content.verified.delete, visit.person.principal, ident(visit, "question_id"))
    return visit.go("/approbations?fait=supprimee")


async def try_out(visit: Visit) -> Response:
    """Run its plan now, with the administrator's own rights; whoever leaves the page stops it."""
    question_id, principal = ident(visit, "question_id"), visit.person.principal
    row: VerifiedQuestion = await run(visit.platform.content.verified.read, principal, question_id)
    try:
        plan = Plan.model_validate(row.plan_json)
    except ValidationError:
        return await _shown(visit, question_id, status=422, problem=text("approvals.plan_unreadable"))
    try:
        running = await ask(
            visit.platform, principal, Asked(row.data_source_id, question=row.question, plan=plan, fresh=True)
        )
        async with stopped_when_gone(visit.request, running.cancel):
            ended = await running.wait()
    except (NotFound, PlatformUnavailable, Fault):
        raise
    except DataPilotError as error:
        return await _shown(visit, question_id, status=status_of(error), problem=error.message)
    return await _shown(visit, question_id, trial=await run(_trial, visit, ended))


def _trial(visit: Visit, ended: Ended) -> Trial:
    outcome: Any = ended.outcome
    result = visit.platform.queries.results.get(visit.person.principal.tenant_id, ended.query_id)
    if not isinstance(outcome, Answer) or result is None:
        return Trial("", [], [], "", problem=outcome.message)
    formatter = formatter_of(result)
    columns = outcome.columns[:_MOST_COLUMNS]
    shown = [
        [formatter.cell(value, column) for value, column in zip(row, columns, strict=False)]
        for row in outcome.table.rows[:_MOST_ROWS]
    ]
    count = len(outcome.table.rows)
    total = text("approvals.rows", count=count, shown=len(shown), rows=formatter.count(count))
    return Trial(outcome.sentence, [column.label for column in columns], shown, total)


_ONE = "/approbations/questions/{question_id}"

PAGES: tuple[Page, ...] = (
    Page("GET", "/approbations", "verified.decide", approvals),
    Page("GET", _ONE, "verified.decide", question),
    Page("POST", f"{_ONE}/decision", "verified.decide", decide),
    Page("POST", f"{_ONE}/suppression", "verified.decide", delete),
    Page("POST", f"{_ONE}/essai", "verified.decide", try_out),
)
