"""The record, as an administrator reads it: who did what, when; searched, page by page, and as a file.

Every action has words in the catalogue (``journal.action``); one that a later release adds is shown by its own name until it
has some. The file is asked for by a form, because that it was taken is itself recorded.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.responses import Response, StreamingResponse

from datapilot_kernel.answers.exports import harmless
from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import current_language, has_text, keys_below, text
from hub_config.api.paging import read_cursor
from hub_config.audit import AuditFilter
from hub_config.audit_names import names_of
from hub_config.errors import status_of
from hub_config.pages.given import following
from hub_config.pages.serving import Page, Visit, run
from hub_config.pages.spend import euros, number

if TYPE_CHECKING:
    from hub_config.database import AuditEvent
    from hub_config.platform import Platform

_PARIS = ZoneInfo("Europe/Paris")
_PER_PAGE, _BATCH, _MOST_PEOPLE = 50, 500, 500
_FIELDS = ("q", "du", "au", "personne", "action", "objet", "id", "source", "issue")
_OBJECTS = (
    "query", "data_source", "semantic_layer", "verified_question", "dashboard", "publication_request", "workspace", "user",
    "invitation", "conversation", "quota", "tenant", "audit",
)  # fmt: skip
_OUTCOMES = ("answer", "clarification", "refusal", "failure")


def actions() -> dict[str, list[str]]:
    """Return the actions that have words, by what they are about.

    >>> "query.ask" in actions()["query"]
    True
    """
    found: dict[str, list[str]] = {}
    for key in keys_below("journal.action"):
        found.setdefault(key.partition(".")[0], []).append(key)
    return found


def action_words(action: str) -> str:
    """Return what an action is called.

    >>> action_words("nothing.known")
    'nothing.known'
    """
    key = f"journal.action.{action}"
    return text(key) if has_text(key) else action


# ── what is looked for ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Wanted:
    """What was asked for, as it was typed."""

    typed: dict[str, str]

    @classmethod
    def of(cls, given: Any) -> Wanted:
        """Read parameters or fields; control characters are nobody's words."""
        return cls({name: "".join(c for c in given.get(name, "") if c.isprintable()).strip()[:200] for name in _FIELDS})

    def filter(self) -> AuditFilter:
        """Return it as the record takes it.

        Raises
        ------
        BadInput
            A day that is none, or a period that ends before it begins.
        """
        said = {name: value or None for name, value in self.typed.items()}
        since, until = _day(said["du"]), _day(said["au"])
        if since is not None and until is not None and until < since:
            raise BadInput("journal.period_backwards")
        return AuditFilter(
            since=_midnight(since) if since else None,
            until=_midnight(until + timedelta(days=1)) if until else None,
            actor_id=said["personne"],
            data_source_id=said["source"],
            action=said["action"],
            outcome=said["issue"],
            text=said["q"],
            object_type=said["objet"],
            object_id=said["id"],
        )

    def address(self, **more: str) -> str:
        """Return the part of an address that asks for the same, and more."""
        return urlencode({name: value for name, value in {**self.typed, **more}.items() if value})


def _day(said: str | None) -> date | None:
    if said is None:
        return None
    try:
        return date.fromisoformat(said)
    except ValueError:
        raise BadInput("journal.bad_day") from None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), _PARIS)


# ── what is shown ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Line:
    """One event in words."""

    event: AuditEvent
    at: str
    who: str
    did: str
    what: str
    facts: tuple[tuple[str, str], ...]


def line_of(event: AuditEvent, names: dict[tuple[str, str], str]) -> Line:
    """Return an event as it is read."""
    kind, object_id = event.object_type or "", event.object_id or ""
    named = names.get((kind, object_id), "")
    if not named and event.data_source_id:
        named = names.get(("data_source", event.data_source_id), "")
    if kind == "quota" and has_text(f"spend.quota.{object_id}"):
        named = text(f"spend.quota.{object_id}")
    who = event.actor_email or text("journal.nobody")
    if event.audience == "notebook":
        who = text("journal.in_notebook", email=who)
    return Line(
        event=event,
        at=f"{event.at.astimezone(_PARIS):%d/%m/%Y %H:%M:%S}",
        who=who,
        did=action_words(event.action),
        what=named,
        facts=tuple(_facts(event, names)),
    )


def _facts(event: AuditEvent, names: dict[tuple[str, str], str]) -> Iterator[tuple[str, str]]:
    if event.data_source_id and event.object_type != "data_source":
        yield text("journal.source"), names.get(("data_source", event.data_source_id), text("journal.gone"))
    if event.outcome:
        yield text("journal.outcome"), _known("journal.outcomes", event.outcome)
    if event.row_count is not None:
        yield text("journal.row_count"), number(event.row_count)
    if event.duration_ms is not None:
        yield text("journal.duration"), text("journal.milliseconds", number=number(event.duration_ms))
    if event.cost_microeuros:
        yield text("journal.cost"), euros(event.cost_microeuros)
    if event.tables:
        yield text("journal.tables"), ", ".join(event.tables)
    for name, value in sorted(event.details.items()):
        yield _known("journal.detail", name), _value(value, names)
    if event.object_id:
        yield text("journal.object_id"), event.object_id
    if event.request_id:
        yield text("journal.request_id"), event.request_id


def _known(prefix: str, word: str) -> str:
    return text(f"{prefix}.{word}") if has_text(f"{prefix}.{word}") else word


def _value(value: Any, names: dict[tuple[str, str], str]) -> str:
    if isinstance(value, bool):
        return text("pages.dashboard.yes" if value else "pages.dashboard.no")
    if isinstance(value, list):
        return ", ".join(_value(one, names) for one in value)
    if isinstance(value, str):
        return names.get(("user", value)) or _known("journal.value", value)
    return str(value) if isinstance(value, (int, float)) else json.dumps(value, ensure_ascii=False)


# ── the pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def journal(visit: Visit) -> Response:
    """Show what fits, newest first."""
    principal, platform = visit.person.principal, visit.platform
    wanted, after = Wanted.of(visit.request.query_params), visit.request.query_params.get("suite") or None
    problem, status, events = None, 200, []
    try:
        before = read_cursor(after)
        events = await run(platform.audit.search, principal.tenant_id, wanted.filter(), limit=_PER_PAGE, before=before)
    except BadInput as error:
        problem, status = error.message, status_of(error)
    names = await run(names_of, platform.database, principal.tenant_id, events)
    following_cursor = following([(one.at, one.id) for one in events], _PER_PAGE)
    people = await run(platform.people.accounts.list, principal, limit=_MOST_PEOPLE)
    return visit.page(
        "journal.html",
        status=status,
        current="journal",
        problem=problem,
        lines=[line_of(one, names) for one in events],
        typed=wanted.typed,
        narrowed=bool(wanted.address()),
        known_actions=actions(),
        objects=_OBJECTS,
        outcomes=_OUTCOMES,
        people=sorted(people, key=lambda one: (one.full_name or one.email).casefold()),
        sources=await run(platform.sources.administration.listed, principal, limit=200),
        days=visit.pages.settings.audit_retention_days,
        again=wanted.address(),
        next=wanted.address(suite=following_cursor) if following_cursor else None,
        beginning=after is None,
    )


async def export(visit: Visit) -> Response:
    """Stream what fits as a file that French Excel opens by a double click. That it was taken is recorded first."""
    principal, platform = visit.person.principal, visit.platform
    wanted = Wanted.of(visit.form)
    try:
        looked_for = wanted.filter()
    except BadInput:
        return visit.go(f"/journal?{wanted.address()}")
    await run(_record_export, visit, wanted)
    name = f"journal-{datetime.now(_PARIS):%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    lines = as_csv(platform, principal.tenant_id, looked_for)
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def _record_export(visit: Visit, wanted: Wanted) -> None:
    principal, platform = visit.person.principal, visit.platform
    details = {"filter": {name: value for name, value in wanted.typed.items() if value}}
    with platform.database.tenant(principal.tenant_id) as session:
        platform.audit.record(session, principal, action="audit.export", object_type="audit", details=details)


_COLUMNS = (
    "at", "who", "did", "action", "kind", "what", "source", "question", "sql", "tables", "outcome", "row_count",
    "duration_ms", "cost", "details", "object_id", "request_id",
)  # fmt: skip


def as_csv(platform: Platform, tenant_id: str, wanted: AuditFilter) -> Iterator[bytes]:
    """Yield the events that fit, newest first, in batches, in words and in French form."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow([text(f"journal.column.{name}") for name in _COLUMNS])
    yield out.getvalue().encode("utf-8-sig")
    before: tuple[datetime, str] | None = None
    while True:
        events = platform.audit.search(tenant_id, wanted, limit=_BATCH, before=before)
        if not events:
            return
        names = names_of(platform.database, tenant_id, events)
        out.seek(0)
        out.truncate()
        for event in events:
            writer.writerow([harmless(cell) for cell in _cells(event, names)])
        yield out.getvalue().encode()
        before = (events[-1].at, events[-1].id)


def _cells(event: AuditEvent, names: dict[tuple[str, str], str]) -> list[str]:
    line = line_of(event, names)
    cost = f"{event.cost_microeuros / 1_000_000:.6f}" if event.cost_microeuros else ""
    return [
        line.at,
        line.who,
        line.did,
        event.action,
        _known("journal.object", event.object_type) if event.object_type else "",
        line.what,
        names.get(("data_source", event.data_source_id or ""), event.data_source_id or ""),
        event.question or "",
        event.sql or "",
        ", ".join(event.tables or ()),
        _known("journal.outcomes", event.outcome) if event.outcome else "",
        "" if event.row_count is None else str(event.row_count),
        "" if event.duration_ms is None else str(event.duration_ms),
        cost.replace(".", ",") if current_language() == "fr" else cost,
        " ; ".join(f"{_known('journal.detail', k)} = {_value(v, names)}" for k, v in sorted(event.details.items())),
        event.object_id or "",
        event.request_id or "",
    ]


PAGES: tuple[Page, ...] = (
    Page("GET", "/journal", "audit.read", journal),
    Page("POST", "/journal/export", "audit.read", export),
)
