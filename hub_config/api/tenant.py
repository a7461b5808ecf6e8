"""The tenant as a whole, for its administrators: name, quotas and use, export, deletion."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import File, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, Field, SecretStr, StringConstraints

from datapilot_kernel.errors import BadInput
from hub_config.api.fields import Name, bounded_json
from hub_config.api.routing import Caller, Routes, ThePlatform, Wire
from hub_config.database import Tenant
from hub_config.errors import NotFound
from hub_config.tenant.logo import HEADERS

routes = Routes("/tenant", tag="tenant")

_Settings = Annotated[dict[Annotated[str, StringConstraints(max_length=64)], Any], Field(max_length=50)]


class TenantOut(Wire):
    """One's own organisation."""

    id: str
    name: str
    slug: str
    settings: dict[str, Any]
    created_at: AwareDatetime


class TenantPatch(Wire):
    """What to change; what is left out stays."""

    name: Name | None = None
    settings: _Settings | None = None


class QuotaOut(Wire):
    """One quota; ``used`` is null where it is not a matter of use."""

    key: str
    value: int
    bound: int = Field(description="what the operator allows at most")
    used: int | None


class QuotasOut(Wire):
    """Every quota. 0 is no limit for queries and seconds a day and for a person."""

    items: list[QuotaOut]


class PersonSpendOut(Wire):
    """What one person spent."""

    user_id: str
    microeuros: int


class ModelSpendOut(Wire):
    """What each person spent this month."""

    items: list[PersonSpendOut]


class QuotaIn(Wire):
    """A quota to set, within the operator's bound."""

    key: Annotated[str, StringConstraints(max_length=64)]
    value: Annotated[int, Field(ge=0, le=10**15)]


class DeletionIn(Wire):
    """The deletion of the organisation: its exact name and one's own password, once more."""

    name: Annotated[str, StringConstraints(max_length=200)]
    password: Annotated[SecretStr, Field(max_length=1024)]


class CertificateOut(Wire):
    """What was removed; what was found left is nothing."""

    tenant_id: str
    finished_at: AwareDatetime
    rows: dict[str, int]
    rows_left: int
    files: int
    files_left: int


def _out(row: Tenant) -> TenantOut:
    return TenantOut(id=row.id, name=row.name, slug=row.slug, settings=row.settings, created_at=row.created_at)


@routes.get("", permission="tenant.manage", summary="One's own organisation")
def read_tenant(caller: Caller, platform: ThePlatform) -> TenantOut:
    """Return it."""
    return _out(platform.office.read(caller))


@routes.patch("", permission="tenant.manage", summary="Change its name or settings")
def update_tenant(body: TenantPatch, caller: Caller, platform: ThePlatform) -> TenantOut:
    """Change it."""
    settings = None if body.settings is None else bounded_json(body.settings)
    return _out(platform.office.update(caller, name=body.name, settings=settings))


@routes.get(
    "/logo",
    permission="account.read",
    summary="The organisation's logo",
    response_class=Response,
    responses={
        200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}, "description": "The image"}
    },
)
def read_logo(caller: Caller, platform: ThePlatform) -> Response:
    """Return the image."""
    found = platform.office.logo(caller.tenant_id)
    if found is None:
        raise NotFound(log="logo")
    return Response(found.body, media_type=found.media_type, headers=dict(HEADERS))


@routes.delete("/logo", permission="tenant.manage", status_code=204, summary="Remove the organisation's logo")
def remove_logo(caller: Caller, platform: ThePlatform) -> Response:
    """Have none any more."""
    platform.office.set_logo(caller, None)
    return Response(status_code=204)


@routes.put("/logo", permission="tenant.manage", status_code=204, summary="Set the organisation's logo")
def set_logo(
    caller: Caller,
    platform: ThePlatform,
    file: Annotated[bytes, File(description="PNG, JPEG or WebP, 200 KiB at most")],
) -> Response:
    """Take an image, known by its content."""
    platform.office.set_logo(caller, file)
    return Response(status_code=204)


@routes.get("/quotas", permission="quotas.manage", summary="Quotas, and what was used of them")
def read_quotas(caller: Caller, platform: ThePlatform) -> QuotasOut:
    """Return every quota."""
    stored = platform.sources.storage(caller.tenant_id).kept_bytes
    found = platform.office.quotas(caller.tenant_id, stored_bytes=stored)
    return QuotasOut(items=[QuotaOut(**vars(view)) for view in found])


@routes.put("/quotas", permission="quotas.manage", summary="Set a quota within the operator's bound")
def set_quota(body: QuotaIn, caller: Caller, platform: ThePlatform) -> QuotasOut:
    """Set one; return all."""
    platform.office.set_quota(caller, body.key, body.value)
    platform.queries.quotas.changed(caller.tenant_id)
    return read_quotas(caller, platform)


@routes.get("/model-spend", permission="quotas.manage", summary="What each person spent on the model this month")
def read_model_spend(caller: Caller, platform: ThePlatform) -> ModelSpendOut:
    """Return it, the most first."""
    spent = sorted(platform.office.model_spend(caller).items(), key=lambda item: (-item[1], item[0]))
    return ModelSpendOut(items=[PersonSpendOut(user_id=user_id, microeuros=sum_) for user_id, sum_ in spent])


@routes.get(
    "/export",
    permission="tenant.manage",
    summary="Everything of the organisation but its secrets, as a zip",
    response_class=Response,
    responses={
        200: {
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
            "description": "A zip of JSON lines, one folder a table, and of the uploaded files",
        }
    },
)
def export_tenant(caller: Caller, platform: ThePlatform) -> StreamingResponse:
    """Stream it. The export is itself recorded."""
    with platform.database.tenant(caller.tenant_id) as session:
        platform.audit.record(session, caller, action="tenant.export", object_type="tenant", object_id=caller.tenant_id)
    headers = {"Content-Disposition": 'attachment; filename="datapilot-export.zip"'}
    return StreamingResponse(platform.departure.export(caller.tenant_id), media_type="application/zip", headers=headers)


@routes.post("/deletion", permission="tenant.manage", summary="Delete the organisation with everything of it")
async def delete_tenant(body: DeletionIn, caller: Caller, platform: ThePlatform) -> CertificateOut:
    """Delete everything, and return what was counted. There is no way back but the operator's backups."""
    from starlette.concurrency import run_in_threadpool

    row = await run_in_threadpool(platform.office.read, caller)
    if body.name != row.name:
        raise BadInput("content.wrong_name_again")
    people = platform.people
    await people.work.run(people.signing_in.confirm, caller, body.password.get_secret_value())
    certificate = await run_in_threadpool(platform.departure.delete, caller.tenant_id)
    people.states.forget(caller.tenant_id)
    return CertificateOut(**vars(certificate))
