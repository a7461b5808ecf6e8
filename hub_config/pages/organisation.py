"""The organisation as a whole: its name and mark, its data as a file, its deletion.

The deletion asks for the exact name and for one's own password, as the API does; what it counted is shown on the last page that
anybody of the organisation sees. The file is asked for by a form: that it was taken is recorded first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse

from datapilot_kernel.errors import BadInput
from hub_config.errors import PlatformUnavailable, status_of
from hub_config.pages.given import line, notice
from hub_config.pages.serving import Page, Visit, run

if TYPE_CHECKING:
    from hub_config.database import Tenant
    from hub_config.tenant.departure import Certificate


async def organisation(visit: Visit) -> Response:
    """Show it."""
    return await _shown(visit)


async def _shown(
    visit: Visit,
    *,
    status: int = 200,
    problem: str | None = None,
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
    Page("POST", "/organisation/export", "tenant.manage", export),
    Page("POST", "/organisation/suppression", "tenant.manage", delete),
)
