"""Sources: their list, the kinds to choose from, each source's own page, and what was understood of it.

What takes longer than a page (a catalog being read, a connection being tested) goes on beside; the page says how far it is
and looks again, by its script or, without one, by itself. Whoever may read the catalog sees a source; its connection, its
settings and its end are for those who manage sources.
"""

from __future__ import annotations

import re
from typing import Any, cast

from starlette.responses import Response

from datapilot_kernel.engine.outcome import Answer
from datapilot_kernel.errors import BadInput, DataPilotError, Fault
from datapilot_kernel.messages import text
from hub_config.access import permitted
from hub_config.api.ai import ask, dumps, stopped_when_gone
from hub_config.api.data_sources import said
from hub_config.data_sources.administration import SourceView
from hub_config.data_sources.understanding import MOST_TABLES, Understood, understood
from hub_config.database import Job
from hub_config.errors import Conflict, NotFound, PlatformUnavailable, TooMany, status_of
from hub_config.pages.beside import a_moment
from hub_config.pages.connect_database import outcome_of
from hub_config.pages.serving import Visit, problem_page, run
from hub_config.queries import Asked
from hub_config.queries.renderings import formatter_of

_ID = re.compile("[0-9a-f]{32}")
_MOST = 200
_SHOWN_ROWS = 20
_DONE = ("reglages", "actualise", "supprime", "connexion")


# ── the list, the kinds ───────────────────────────────────────────────────────────────────────────────────────────────


async def listing(visit: Visit) -> Response:
    """Show the sources that the person reaches."""
    principal = visit.person.principal
    found = await run(visit.platform.sources.administration.listed, principal, limit=_MOST)
    workspaces = await _workspaces(visit)
    return visit.page(
        "sources.html",
        current="connect",
        sources=[(view, said(view.problem_code), workspaces.get(view.workspace_id or "")) for view in found],
        done=_done(visit),
    )


async def kinds(visit: Visit) -> Response:
    """Show what can be connected; databases are for those who manage connections."""
    return visit.page("connect_kind.html", current="connect")


# ── one source ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def source(visit: Visit) -> Response:
    """Show a source's state, and what can be done with it."""
    return await _shown(visit, await _view(visit))


async def refresh(visit: Visit) -> Response:
    """Have the catalog read again."""
    view = await _view(visit)
    await run(visit.platform.sources.administration.refresh, visit.person.principal, view.id)
    return visit.go(f"/sources/{view.id}?fait=actualise")


async def test(visit: Visit) -> Response:
    """Test what is kept, beside the page."""
    view = await _view(visit)
    await _check(visit, view)
    return visit.go(f"/sources/{view.id}#test")


async def settings(visit: Visit) -> Response:
    """Change the name, the workspace, and whether values may go to the language model."""
    view, form = await _view(visit), visit.form
    name = " ".join(form.get("name", "").split())[:100]
    workspace = form.get("workspace_id", "") or None
    revision = form.get("revision", "")
    try:
        if not name or not name.isprintable():
            raise BadInput("connect.missing.name")
        await run(
            visit.platform.sources.administration.update,
            visit.person.principal,
            view.id,
            revision=int(revision) if revision.isdecimal() else 0,
            name=name,
            workspace_id=workspace,
            move=workspace != view.workspace_id,
            model_values="model_values" in form,
        )
    except (PlatformUnavailable, NotFound):
        raise
    except BadInput as error:
        return await _shown(visit, view, status=status_of(error), problem=error.message, typed=name)
    return visit.go(f"/sources/{view.id}?fait=reglages")


async def removal(visit: Visit) -> Response:
    """Say what goes with a source, before it goes."""
    return await _removal(visit, await _view(visit))


async def remove(visit: Visit) -> Response:
    """Delete it, once the person has said so."""
    view = await _view(visit)
    if visit.form.get("sure") != "1":
        return await _removal(visit, view, problem=text("connect.remove.sure_first"))
    await run(visit.platform.sources.administration.delete, visit.person.principal, view.id)
    return visit.go("/sources?fait=supprime")


async def _removal(visit: Visit, view: SourceView, *, problem: str = "") -> Response:
    dependents = await run(visit.platform.sources.administration.dependents, visit.person.principal, view.id)
    return visit.page(
        "source_removal.html",
        status=422 if problem else 200,
        current="connect",
        view=view,
        dependents=dependents,
        problem=problem,
    )


# ── what was understood ───────────────────────────────────────────────────────────────────────────────────────────────


async def summary(visit: Visit) -> Response:
    """Show the third step: what was understood, and what comes next; while it is being read, how far that is."""
    view = await _view(visit)
    job = await _job(visit, view)
    reading = _running(job)
    found = None if reading else await _understood(visit, view)
    outcome = None
    checking = False
    if found is not None and view.connection is not None:
        attempt = await _check(visit, view, again=False)
        outcome = outcome_of(attempt, _kind(view), str(view.connection["database"]), found.schemas)
        checking = not attempt.ended
    return visit.page(
        "understood.html",
        connects=reading or checking,
        current="connect",
        view=view,
        found=found,
        most=MOST_TABLES,
        reading=reading,
        checking=checking,
        progress=progress_of(job),
        problem=_problem(view, job) if not reading else None,
        outcome=outcome,
    )


async def question(visit: Visit) -> Response:
    """Answer a first question, with the person's rights, by the road of every question."""
    view = await _view(visit)
    asked = " ".join(visit.form.get("question", "").split())[:500]
    if not asked:
        return visit.go(f"/sources/{view.id}/compris")
    running = await ask(visit.platform, visit.person.principal, Asked(view.id, question=asked))
    async with stopped_when_gone(visit.request, running.cancel):
        ended = await running.wait()
    outcome = ended.outcome
    columns: list[tuple[str, bool]] = []
    rows: list[list[str]] = []
    if isinstance(outcome, Answer):
        result = visit.platform.queries.results.get(visit.person.principal.tenant_id, ended.query_id)
        if result is not None:
            formatter = formatter_of(result)
            numbers = ("integer", "decimal", "float")
            columns = [(c.label, c.type in numbers and c.grain is None and not c.values) for c in outcome.columns]
            rows = [
                [formatter.cell(value, column) for value, column in zip(row, outcome.columns, strict=False)]
                for row in outcome.table.rows[:_SHOWN_ROWS]
            ]
    return visit.page(
        "source_answer.html",
        current="connect",
        view=view,
        asked=asked,
        outcome=outcome,
        answered=isinstance(outcome, Answer),
        incident=getattr(outcome, "incident", None),
        columns=columns,
        rows=rows,
        more=isinstance(outcome, Answer) and len(outcome.table.rows) > _SHOWN_ROWS,
    )


# ── how far ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def state(visit: Visit) -> Response:
    """Say how far the reading of a source is, for the page's script."""
    view = await _view(visit)
    job = await _job(visit, view)
    attempt = visit.platform.sources.drafts.check(visit.person.principal.tenant_id, view.id, view.revision)
    busy = _running(job) or (attempt is not None and not attempt.ended)
    return _json({"ended": not busy} | progress_of(job))


async def draft_state(visit: Visit) -> Response:
    """Say whether something is still under way for a draft, for the page's script."""
    busy = visit.platform.sources.drafts.busy(visit.person.principal, visit.request.path_params["draft_id"])
    return _json({"ended": not busy})


def progress_of(job: Job | None) -> dict[str, Any]:
    """Return a job's progress: a sentence, and its share of the whole (None: unknown)."""
    progress = job.progress if job is not None else {}
    step, done, total = progress.get("step"), int(progress.get("done") or 0), int(progress.get("total") or 0)
    if job is None or job.status == "queued" or step not in ("structure", "profile", "keys"):
        waiting = job is not None and job.status == "queued"
        return {"message": text("connect.progress.queued" if waiting else "connect.progress.open"), "share": 5}
    share = {"structure": 10, "profile": 15 + round(75 * done / total) if total else 15, "keys": 92}[step]
    return {"message": text(f"catalog.progress_{step}", done=done, total=total), "share": share}


def _running(job: Job | None) -> bool:
    return job is not None and job.status in ("queued", "running")


def _json(value: dict[str, Any]) -> Response:
    return Response(dumps(value), media_type="application/json")


# ── what every page of a source needs ─────────────────────────────────────────────────────────────────────────────────


async def _view(visit: Visit) -> SourceView:
    source_id = visit.request.path_params["source_id"]
    if _ID.fullmatch(source_id) is None:
        raise NotFound(log="malformed id")
    principal = visit.person.principal
    manages = permitted(principal, "sources.manage")
    read = visit.platform.sources.administration.read
    return cast("SourceView", await run(read, principal, source_id, managing=manages))


async def _job(visit: Visit, view: SourceView) -> Job | None:
    return cast("Job | None", await run(visit.platform.sources.administration.last_job, visit.person.principal, view.id))


async def _understood(visit: Visit, view: SourceView) -> Understood | None:
    return cast("Understood | None", await run(understood, visit.platform.sources, visit.person.principal, view.id))


async def _workspaces(visit: Visit) -> dict[str, str]:
    found = await run(visit.platform.content.workspaces.listed, visit.person.principal, limit=_MOST)
    return {one.id: one.name for one in found}


async def _check(visit: Visit, view: SourceView, *, again: bool = True) -> Any:
    """Begin a test of what is kept (``again`` False: take the last one), and wait for it a moment."""
    sources, principal = visit.platform.sources, visit.person.principal
    attempt = None if again else sources.drafts.check(principal.tenant_id, view.id, view.revision)
    if attempt is None:
        attempt = sources.drafts.begin_check(
            principal.tenant_id, view.id, view.revision, lambda: sources.administration.test_kept(principal, view.id)
        )
    await a_moment(attempt)
    return attempt


def _kind(view: SourceView) -> str:
    return str((view.connection or {}).get("type", view.type))


def _problem(view: SourceView, job: Job | None) -> str | None:
    """Return why a source could not be read; a fault of ours by its number."""
    if job is not None and job.status == "failed" and job.incident:
        return text("errors.fault", incident=job.incident)
    if job is not None and job.status == "failed" and (view.status != "ready" or view.problem_code):
        return said(view.problem_code or job.problem_code)
    return said(view.problem_code)


def _done(visit: Visit) -> str | None:
    done = visit.request.query_params.get("fait", "")
    return text(f"connect.done.{done}") if done in _DONE else None


async def _shown(
    visit: Visit, view: SourceView, *, status: int = 200, problem: str | None = None, typed: str | None = None
) -> Response:
    principal, sources = visit.person.principal, visit.platform.sources
    job = await _job(visit, view)
    reading = _running(job)
    attempt = sources.drafts.check(principal.tenant_id, view.id, view.revision) if view.connection or view.files else None
    found = None if reading else await _understood(visit, view)
    database = str((view.connection or {}).get("database", ""))
    outcome = None
    if attempt is not None:
        outcome = outcome_of(attempt, _kind(view), database, found.schemas if found is not None else ("public",))
    testing = attempt is not None and not attempt.ended
    workspaces = await _workspaces(visit)
    return visit.page(
        "source.html",
        status=status,
        connects=reading or testing,
        current="connect",
        view=view,
        typed=typed if typed is not None else view.name,
        found=found,
        reading=reading,
        testing=testing,
        progress=progress_of(job),
        problem=problem,
        broken=_problem(view, job) if not reading else None,
        away_s=sources.down_for_s(principal.tenant_id, view.id),
        outcome=outcome,
        workspaces=workspaces,
        layer=await run(sources.layers.in_force, principal, view.id),
        done=_done(visit),
    )


def problem(visit: Visit, error: DataPilotError) -> Response:
    """Answer a question that was not asked (a quota, a source that is gone) by a page that leads back."""
    if isinstance(error, (Conflict, TooMany)) and not isinstance(error, Fault):
        back = f"/sources/{visit.request.path_params['source_id']}/compris"
        return visit.page(
            "connect_problem.html", status=status_of(error), current="connect", message=error.message, back=back
        )
    return problem_page(visit, error)
