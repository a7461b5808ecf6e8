"""The second step for files: they are sent, what was understood of each is shown, and what is doubtful is confirmed.

Files come in straight to the managers' uploads (a day, for whoever sent them), several of one form; which belong together
and what was decided about them is a draft with its own address. They are read beside the page, one after the other, and the
page shows those that are read. A column's type, the sheets of a workbook and totals are a person's decision where the reader
was unsure: a source with doubtful columns is kept once they were looked at.
"""

from __future__ import annotations

import hashlib
import re
import time
from datetime import date
from typing import TYPE_CHECKING, Any, cast

from starlette.responses import Response

from datapilot_kernel.errors import BadInput, DataPilotError, Fault
from datapilot_kernel.messages import current_language, text
from datapilot_kernel.sources.files_import.report import FileOptions
from hub_config.data_sources.drafts import Attempt, FilesDraft
from hub_config.data_sources.storage import KINDS
from hub_config.errors import Forbidden, NotFound, PlatformUnavailable, TooMany, Unauthenticated, status_of
from hub_config.pages.beside import a_moment
from hub_config.pages.serving import Visit, problem_page, run

if TYPE_CHECKING:
    from hub_config.data_sources.administration import SourceView
    from hub_config.data_sources.drafts import Drafts
    from hub_config.data_sources.uploads import Uploads
    from hub_config.principal import Principal

_ID = re.compile("[0-9a-f]{32}")
MOST_FIELDS = 2000
FORM_BYTES = 512 * 1024
_MOST_COLUMNS, _MOST_CHOICES = 200, 1500
"""Of one file, and of all files of a form, shown and open to a decision; what comes after is read as it was understood."""
_ROWS, _CELL = 5, 60
_PATIENCE_S = 120.0
CHOICES = (
    "text", "integer", "decimal:comma", "decimal:point", "date:dmy", "date:mdy", "date:ymd", "timestamp:dmy",
    "timestamp:mdy", "timestamp:ymd", "boolean",
)  # fmt: skip
_NUMBERS = frozenset({"integer", "decimal", "float"})


# ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def form(visit: Visit) -> Response:
    """Show where files are sent to."""
    view = await _kept(visit)
    if view is not None and view.type != "files":
        return visit.go(f"/sources/{view.id}")
    draft = _new(visit, view)
    if "expire" in visit.request.query_params:
        draft.problem = text("connect.expired")
    return await _shown(visit, draft, view)


async def sent(visit: Visit) -> Response:
    """Take files in, and go on to what is understood of them."""
    view = await _kept(visit)
    if view is not None and view.type != "files":
        raise BadInput("data_sources.not_files")
    draft = _begun(visit, view)
    for upload in visit.uploads:
        for old in [i for i, name in draft.uploads.items() if name == upload.name]:
            await _given_up(visit, draft, old)  # the same file again: the later one counts
        draft.uploads[upload.id] = upload.name
    draft.notes = visit.refused
    if not visit.uploads and not visit.refused:
        draft.notes = [text("data_sources.no_file")]
    if not draft.name and draft.uploads:
        draft.name = _named(next(iter(draft.uploads.values())))
    _drafts(visit).put(draft)
    _read(visit, draft)
    await _waited(draft)
    return visit.go(f"{_base(view)}/{draft.id}")


async def draft_form(visit: Visit) -> Response:
    """Show what was understood, and what may be decided otherwise."""
    view = await _kept(visit)
    try:
        draft = _found(visit, view, visit.request.path_params["draft_id"])
    except NotFound:
        return visit.go(f"{_base(view)}?expire=1")
    return await _shown(visit, draft, view)


async def decided(visit: Visit) -> Response:
    """Take decisions: read again with them, leave a file out, or keep it all as a source."""
    view = await _kept(visit)
    try:
        draft = _found(visit, view, visit.request.path_params["draft_id"])
    except NotFound:
        return visit.go(f"{_base(view)}?expire=1")
    act = visit.form.get("act", "")
    draft.name = " ".join(visit.form.get("name", "").split())[:100]
    draft.workspace_id = visit.form.get("workspace_id", "")[:32]
    draft.problem, draft.notes = "", []
    changed = _decide(draft, visit.form)
    if act.startswith("drop:"):
        await _given_up(visit, draft, act.removeprefix("drop:"))
    elif act == "keep" and not changed:
        kept = await _keep(visit, draft, view)
        if kept is not None:
            return kept
    elif act == "keep":
        draft.problem = text("connect.files.changed")
    _drafts(visit).put(draft)
    _read(visit, draft)
    await _waited(draft)
    return visit.go(f"{_base(view)}/{draft.id}")


def upload_problem(visit: Visit, error: DataPilotError) -> Response:
    """Answer an upload that did not come in by a page that leads back to the form."""
    if isinstance(error, (Unauthenticated, Forbidden, NotFound, Fault, PlatformUnavailable)):
        return problem_page(visit, error)
    path = visit.request.url.path.removeprefix(visit.pages.render.base)
    return visit.page("connect_problem.html", status=status_of(error), current="connect", message=error.message, back=path)


# ── the draft ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _drafts(visit: Visit) -> Drafts:
    drafts: Drafts = visit.platform.sources.drafts
    return drafts


def _base(view: SourceView | None) -> str:
    return "/sources/nouvelle/fichiers" if view is None else f"/sources/{view.id}/fichiers"


async def _kept(visit: Visit) -> SourceView | None:
    source_id = visit.request.path_params.get("source_id")
    if source_id is None:
        return None
    if _ID.fullmatch(source_id) is None:
        raise NotFound(log="malformed id")
    return cast("SourceView", await run(visit.platform.sources.administration.read, visit.person.principal, source_id))


def _new(visit: Visit, view: SourceView | None) -> FilesDraft:
    principal = visit.person.principal
    return FilesDraft(principal.tenant_id, principal.user_id, view.id if view else None)


def _found(visit: Visit, view: SourceView | None, draft_id: str) -> FilesDraft:
    return _drafts(visit).get(visit.person.principal, draft_id, FilesDraft, view.id if view else None)


def _begun(visit: Visit, view: SourceView | None) -> FilesDraft:
    try:
        return _found(visit, view, visit.form.get("draft", ""))
    except NotFound:
        return _new(visit, view)


def _named(file_name: str) -> str:
    """Return a name for a source, of its first file's.

    >>> _named("ventes_2026-T1.csv")
    'Ventes 2026-T1'
    """
    stem = file_name.rpartition(".")[0].replace("_", " ").strip()
    return (stem[:1].upper() + stem[1:])[:100]


async def _given_up(visit: Visit, draft: FilesDraft, upload_id: str) -> None:
    if draft.uploads.pop(upload_id, None) is None:
        return
    for kept in (draft.decisions, draft.read, draft.sheets):
        kept.pop(upload_id, None)
    try:
        await run(visit.platform.sources.uploads.forget, visit.person.principal, upload_id)
    except NotFound:
        return  # gone by itself, after a day


def _decide(draft: FilesDraft, form: dict[str, str]) -> bool:
    """Take the form's decisions; return whether anything is read otherwise than before."""
    changed = False
    for number, upload_id in enumerate(draft.uploads):
        if upload_id not in draft.read:
            continue
        headers = headers_of(draft, upload_id)
        if form.get(f"f{number}") != stamp_of(upload_id, headers):
            continue  # the page that was sent shows other files or other columns than there are now
        columns = {}
        for place, header in enumerate(headers):
            chosen = form.get(f"f{number}.c{place}", "")
            if chosen in CHOICES:
                kind, _, shape = chosen.partition(":")
                columns[header] = {"type": kind, "format": shape or None}
        decision: dict[str, Any] = {"columns": columns}
        if f"f{number}.totals" in form:
            decision["keep_totals"] = True
        sheets = draft.sheets.get(upload_id, [])
        wanted = [name for place, name in enumerate(sheets) if f"f{number}.s{place}" in form]
        if sheets and wanted and wanted != sheets:
            decision["sheets"] = wanted
        table = form.get(f"f{number}.table", "").strip()[:100]
        if table:
            decision["table"] = table
        if decision != draft.decisions.get(upload_id, {"columns": {}}):
            draft.decisions[upload_id] = decision
            draft.read.pop(upload_id, None)
            changed = True
    return changed


def headers_of(draft: FilesDraft, upload_id: str) -> list[str]:
    """Return the columns of a file that may be decided about, what is doubtful first.

    Each header once: a decision holds for all sheets of a workbook.
    """
    columns = [c for file in draft.read.get(upload_id, {}).get("files", ()) for c in file["columns"]]
    columns.sort(key=_is_doubtful, reverse=True)
    found = dict.fromkeys(column["header"] or column["name"] for column in columns)
    return list(found)[: min(_MOST_COLUMNS, _MOST_CHOICES // max(1, len(draft.uploads)))]


def stamp_of(upload_id: str, headers: list[str]) -> str:
    """Return what says which columns a form's choices are about: they go by their place."""
    return hashlib.sha256("\0".join([upload_id, *headers]).encode()).hexdigest()[:16]


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(visit: Visit, draft: FilesDraft) -> None:
    """Have what is not read yet read beside the page."""
    if (draft.reader is not None and not draft.reader.ended) or draft.uploads.keys() <= draft.read.keys():
        return
    uploads, principal = visit.platform.sources.uploads, visit.person.principal
    draft.reader = Attempt(lambda: _read_all(draft, uploads, principal))


def _read_all(draft: FilesDraft, uploads: Uploads, principal: Principal) -> None:
    while (upload_id := next((i for i in list(draft.uploads) if i not in draft.read), None)) is not None:
        decision = draft.decisions.get(upload_id)
        found = _patiently(uploads, principal, upload_id, FileOptions.from_data(decision or {}))
        if draft.decisions.get(upload_id) is not decision:
            continue  # decided otherwise meanwhile
        names = [file["sheet"] for file in found.get("files", ()) if file["sheet"]]
        if "sheets" not in (decision or {}) and len(names) > 1:
            draft.sheets[upload_id] = names
        if upload_id in draft.uploads:
            draft.read[upload_id] = found


def _patiently(uploads: Uploads, principal: Principal, upload_id: str, options: FileOptions) -> dict[str, Any]:
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return _short(uploads.preview(principal, upload_id, options))
        except TooMany as error:
            if time.monotonic() > end:
                return {"problem": error.message}
            time.sleep(0.3)
        except NotFound:
            return {"problem": text("connect.files.gone")}
        except Fault:
            raise
        except DataPilotError as error:
            return {"problem": error.message}


def _short(found: dict[str, Any]) -> dict[str, Any]:
    """Return what was understood with no more rows than a page shows."""
    for file in found["files"]:
        kinds = [column["type"] for column in file["columns"]]
        file["first_rows"] = [[_cell(v, k) for v, k in zip(row, kinds, strict=False)] for row in file["first_rows"][:_ROWS]]
    return found


def _cell(value: Any, kind: str) -> str:
    r"""Return a value as people write it.

    >>> _cell("1234.50", "decimal"), _cell("2026-05-03", "date"), _cell(None, "text")
    ('1\u202f234,50', '03/05/2026', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return text("pages.dashboard.yes" if value else "pages.dashboard.no")
    said = str(value)
    french = current_language() == "fr"
    if kind in _NUMBERS and re.fullmatch(r"-?\d+(\.\d+)?", said):
        whole, _, part = said.partition(".")
        grouped = f"{int(whole):,}".replace(",", "\u202f") if french else f"{int(whole):,}"
        sign = "-" if said.startswith("-") and not grouped.startswith("-") else ""
        return sign + grouped + (("," if french else ".") + part if part else "")
    if kind == "date" and french:
        try:
            return date.fromisoformat(said[:10]).strftime("%d/%m/%Y")
        except ValueError:
            return said[:_CELL]
    return said if len(said) <= _CELL else said[:_CELL] + "…"


async def _waited(draft: FilesDraft) -> None:
    if draft.reader is not None:
        await a_moment(draft.reader)


# ── keeping ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def doubtful(read: dict[str, Any]) -> int:
    """Return how many columns of a file a person is to look at."""
    return sum(_is_doubtful(column) for file in read.get("files", ()) for column in file["columns"])


def _is_doubtful(column: dict[str, Any]) -> bool:
    """Tell whether a column may have been read wrongly. One that was kept as text lost nothing: that is only said."""
    if column["overridden"]:
        return False
    return bool(column["bad_cell_count"] or (column["doubts"] and column["type"] != "text"))


async def _keep(visit: Visit, draft: FilesDraft, view: SourceView | None) -> Response | None:
    administration, principal = visit.platform.sources.administration, visit.person.principal
    readable = [i for i in draft.uploads if draft.read.get(i, {}).get("files")]
    if draft.uploads.keys() - draft.read.keys():
        draft.problem = text("connect.files.still_reading")
    elif not readable:
        draft.problem = text("connect.files.none_readable")
    elif view is None and not draft.name:
        draft.problem = text("connect.missing.name")
    elif any(doubtful(draft.read[i]) for i in readable) and not visit.form.get("confirm"):
        draft.problem = text("connect.files.confirm_first")
    if draft.problem:
        return None
    options = {draft.uploads[i]: FileOptions.from_data(draft.decisions.get(i) or {}) for i in readable}
    try:
        if view is None:
            workspace = draft.workspace_id or None
            made, _ = await run(
                administration.create_files, principal, draft.name, readable, options, workspace_id=workspace
            )
        else:
            made, _ = await run(administration.add_files, principal, view.id, readable, options)
    except NotFound:
        draft.problem = text("connect.files.gone")
        return None
    except (PlatformUnavailable, TooMany, Fault):
        raise
    except DataPilotError as error:
        draft.problem = error.message
        return None
    for upload_id in draft.uploads.keys() - set(readable):
        await _given_up(visit, draft, upload_id)
    _drafts(visit).drop(draft)
    return visit.go(f"/sources/{made.id}/compris")


# ── what is shown ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def _shown(visit: Visit, draft: FilesDraft, view: SourceView | None) -> Response:
    reading = draft.reader is not None and not draft.reader.ended
    broken = draft.reader.problem if draft.reader is not None and not reading else None
    workspaces = await run(visit.platform.content.workspaces.listed, visit.person.principal, limit=200)
    files = [_file(draft, number, upload_id) for number, upload_id in enumerate(draft.uploads)]
    return visit.page(
        "connect_files.html",
        connects=True,
        current="connect",
        draft=draft,
        view=view,
        files=files,
        doubts=sum(file["doubts"] for file in files),
        reading=reading,
        problem=broken.message if broken is not None else draft.problem,
        workspaces=workspaces,
        choices=CHOICES,
        kinds=",".join(sorted(KINDS)),
        limit=visit.pages.settings.upload_max_bytes,
        base=_base(view),
    )


def _file(draft: FilesDraft, number: int, upload_id: str) -> dict[str, Any]:
    """Return a file as the page shows it."""
    read = draft.read.get(upload_id)
    decision = draft.decisions.get(upload_id, {})
    headers = headers_of(draft, upload_id)
    places = {header: place for place, header in enumerate(headers)}
    seen: set[str] = set()
    tables = []
    for table in (read or {}).get("files", ()):
        columns = []
        for column in table["columns"][:_MOST_COLUMNS]:
            header = column["header"] or column["name"]
            chosen = decision.get("columns", {}).get(header, {})
            columns.append(
                column
                | {
                    # Once for the file: the same header on another sheet follows.
                    "place": places.get(header) if header not in seen else None,
                    "chosen": ":".join(part for part in (chosen.get("type"), chosen.get("format")) if part),
                    "doubtful": _is_doubtful(column),
                    "number": column["type"] in _NUMBERS,
                }
            )
            seen.add(header)
        tables.append(table | {"columns": columns, "more": max(0, len(table["columns"]) - _MOST_COLUMNS)})
    sheets = draft.sheets.get(upload_id, [])
    return {
        "number": number,
        "stamp": stamp_of(upload_id, headers),
        "upload_id": upload_id,
        "name": draft.uploads[upload_id],
        "ready": read is not None,
        "problem": (read or {}).get("problem") or next((s["message"] for s in (read or {}).get("skipped", ())), ""),
        "tables": tables,
        "doubts": doubtful(read or {}),
        "sheets": [(place, name, name in decision.get("sheets", sheets)) for place, name in enumerate(sheets)],
        "keep_totals": bool(decision.get("keep_totals")),
        "table": decision.get("table", ""),
    }
