"""The organisation as a whole: its name and mark, its data as a file, its deletion.

The deletion asks for the exact name and for one's own password, as the API does; what it counted is shown on the last
page that anybody of the organisation sees. The file is asked for by a form: that it was taken is recorded first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.types import Message

from datapilot_kernel.errors import BadInput
from hub_config import face
from hub_config.errors import Forbidden, PlatformUnavailable, TooLarge, status_of
from hub_config.pages import forms
from hub_config.pages.given import line, notice
from hub_config.pages.serving import Page, Visit, run
from hub_config.tenant.logo import HEADERS, MOST_BYTES

if TYPE_CHECKING:
    from hub_config.database import Tenant
    from hub_config.tenant.departure import Certificate

_FORM_BYTES = MOST_BYTES + 64 * 1024


async def organisation(visit: Visit) -> Response:
    """Show it."""
    return await _shown(visit)


async def _shown(
    visit: Visit,
    *,
    status: int = 200,
    problem: str | None = None,
    logo_problem: str | None = None,
    deletion_problem: str | None = None,
    name: str | None = None,
    typed_again: str = "",
) -> Response:
    row: Tenant = await run(visit.platform.office.read, visit.person.principal)
    return visit.page(
        "organisation.html",
        status=status,
        current="organisation",
        done=notice(visit, "organisation"),
        organisation=row,
        name=row.name if name is None else name,
        problem=problem,
        logo=await run(visit.platform.office.logo, visit.person.principal.tenant_id),
        logo_problem=logo_problem,
        deletion_problem=deletion_problem,
        typed_again=typed_again,
    )


async def rename(visit: Visit) -> Response:
    """Give it another name."""
    name = line(visit, "name")
    if not name:
        error = BadInput("organisation.name_missing")
        return await _shown(visit, status=status_of(error), problem=error.message, name=name)
    await run(visit.platform.office.update, visit.person.principal, name=name)
    return visit.go("/organisation?fait=nom")


async def read_logo_form(visit: Visit) -> None:
    """Read a small form with one file in it.

    Raises
    ------
    Forbidden
        From another origin, or without this browser's token.
    TooLarge
        It is more than a logo may be.
    """
    request = visit.request
    if not forms.is_own(request, visit.pages.settings.public_url):
        raise Forbidden("pages.form_foreign", log="a form from another origin")
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Forbidden("pages.form_foreign", log="a form of another type")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _FORM_BYTES:
            raise TooLarge("snapshots.logo_too_large", limit=f"{MOST_BYTES // 1024} Kio")

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        async with Request(request.scope, receive).form(max_files=1, max_fields=5) as form:
            given = form.get("logo")
            request.state.logo = await given.read() if isinstance(given, UploadFile) else b""
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
    except HTTPException:
        raise Forbidden("pages.form_foreign", log="a form that cannot be read") from None
    if visit.new_door or not forms.is_good(fields.pop("csrf", ""), visit.secret):
        raise Forbidden("pages.form_expired", log="a form without this browser's token")
    visit.form = fields


async def set_logo(visit: Visit) -> Response:
    """Take another mark, or none any more."""
    removed = visit.form.get("retirer") == "1"
    try:
        if not removed and not visit.request.state.logo:
            raise BadInput("organisation.logo_missing")
        body = None if removed else visit.request.state.logo
        await run(visit.platform.office.set_logo, visit.person.principal, body)
    except PlatformUnavailable:
        raise
    except BadInput as error:
        return await _shown(visit, status=status_of(error), logo_problem=error.message)
    return visit.go(f"/organisation?fait={'logo_retire' if removed else 'logo'}")


async def logo(visit: Visit) -> Response:
    """Return the organisation's mark to its own people; ours, where it has none."""
    found = await run(visit.platform.office.logo, visit.person.principal.tenant_id)
    if found is None:
        return FileResponse(face.folder() / "logo.svg", media_type="image/svg+xml", headers=dict(HEADERS))
    return Response(found.body, media_type=found.media_type, headers=dict(HEADERS))


async def export(visit: Visit) -> Response:
    """Stream everything of the organisation but its secrets."""
    await run(_record_export, visit)
    headers = {"Content-Disposition": 'attachment; filename="datapilot-export.zip"'}
    pieces = visit.platform.departure.export(visit.person.principal.tenant_id)
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


def _record_export(visit: Visit) -> None:
    principal, platform = visit.person.principal, visit.platform
    with platform.database.tenant(principal.tenant_id) as session:
        platform.audit.record(
            session, principal, action="tenant.export", object_type="tenant", object_id=principal.tenant_id
        )


async def delete(visit: Visit) -> Response:
    """Delete everything; the page that says so is the last one."""
    platform, principal = visit.platform, visit.person.principal
    people = platform.people
    row: Tenant = await run(platform.office.read, principal)
    typed = visit.form.get("name", "")[:200]
    try:
        if typed != row.name:
            raise BadInput("content.wrong_name_again")
        await people.work.run(people.signing_in.confirm, principal, visit.form.get("password", "")[:1024])
    except PlatformUnavailable:
        raise
    except BadInput as error:
        return await _shown(visit, status=status_of(error), deletion_problem=error.message, typed_again=typed)
    certificate: Certificate = await run(platform.departure.delete, principal.tenant_id)
    people.states.forget(principal.tenant_id)
    visit.visitor = None
    response = visit.page(
        "organisation_gone.html", name=row.name, certificate=certificate, rows=sum(certificate.rows.values())
    )
    visit.pages.cookies.drop(response, visit.pages.cookies.session)
    return response


PAGES: tuple[Page, ...] = (
    Page("GET", "/organisation", "tenant.manage", organisation),
    Page("POST", "/organisation", "tenant.manage", rename),
    Page("GET", "/organisation/logo", "account.read", logo),
    Page("POST", "/organisation/logo", "tenant.manage", set_logo, reader=read_logo_form),
    Page("POST", "/organisation/export", "tenant.manage", export),
    Page("POST", "/organisation/suppression", "tenant.manage", delete),
)
