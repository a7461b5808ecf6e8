"""What the hub's authenticator asks of the platform. The credential is the key that only the two hold, never a person's.

Without ``DATAPILOT_HUB_KEY`` these routes do not exist. The hub says from which address the browser came (``client``): it is
that one that is held to the limits, not the hub's.
"""

from __future__ import annotations

import hmac
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import Field, StringConstraints

from hub_config.api.auth import Email, IdField, Password
from hub_config.api.routing import Routes, ThePlatform, Wire, the_platform
from hub_config.departed import Departed
from hub_config.errors import NotFound, Unauthenticated
from hub_config.hub_names import hub_user_name, person_of
from hub_config.people.hub_sign_in import HubPerson
from hub_config.principal import Role

Text = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
HubId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
HubName = Annotated[str, StringConstraints(max_length=100)]


class HubSignInIn(Wire):
    """An address and its password, as they were typed into the hub's form."""

    email: Email
    password: Password
    tenant_id: IdField | None = None
    client: Annotated[str, Field(max_length=100, description="the browser's address, as the hub saw it")] = ""


class CompanySignInIn(Wire):
    """What a company's provider said of somebody."""

    issuer: Text
    subject: Text
    email: Email
    email_verified: bool = False
    full_name: Annotated[str, Field(max_length=500)] = ""
    claims: Annotated[
        dict[str, Any],
        Field(max_length=50, description="only those that the rules of DATAPILOT_COMPANY_SIGN_IN look at"),
    ] = {}  # noqa: RUF012 -- pydantic copies it


class HubPersonIn(Wire):
    """A hub user's name."""

    name: HubName


class HubPersonOut(Wire):
    """A person, as the hub knows them."""

    name: str
    tenant_id: str
    tenant_name: str
    user_id: str
    role: Role
    full_name: str
    email: str
    groups: list[str]
    epoch: int = Field(description="grows when the person's sessions are ended")


class HubGoneIn(Wire):
    """Whose files lie at the hub."""

    tenants: Annotated[list[HubId], Field(max_length=500)]
    people: Annotated[list[HubName], Field(max_length=500, description="hub users' names")]


class HubGoneOut(Wire):
    """Those of them who are gone for good: deleted here, and no row of them left."""

    tenants: list[str]
    people: list[str]


def _is_the_hub(request: Request) -> None:
    """Let the hub through, and nobody else.

    Raises
    ------
    NotFound
        This installation has no key for its hub.
    Unauthenticated
        Another key, or none.
    """
    key = the_platform(request).settings.hub_key
    if key is None:
        raise NotFound(log="no hub key is set")
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), key.get_secret_value().encode()):
        raise Unauthenticated(log="another key than the hub's")


routes = Routes("/hub", tag="hub", dependencies=[Depends(_is_the_hub)])


def _out(person: HubPerson) -> HubPersonOut:
    return HubPersonOut(
        name=person.name,
        tenant_id=person.tenant_id,
        tenant_name=person.tenant_name,
        user_id=person.user_id,
        role=person.role,
        full_name=person.full_name,
        email=person.email,
        groups=person.groups,
        epoch=person.epoch,
    )


@routes.post("/sign-in", permission=None, summary="The hub: verify an address and a password")
async def sign_in(body: HubSignInIn, platform: ThePlatform) -> HubPersonOut:
    """Return who it is; 401, 409 `choose_tenant` and 429 as for `/auth/login`."""
    return _out(
        await platform.people.work.run(
            platform.people.hub_sign_in.sign_in,
            email=body.email,
            password=body.password.get_secret_value(),
            tenant_id=body.tenant_id,
            client=body.client,
        )
    )


@routes.post("/company-sign-in", permission=None, summary="The hub: whom a company's sign-in means")
def company_sign_in(body: CompanySignInIn, platform: ThePlatform) -> HubPersonOut:
    """Return who it is by the operator's rules; 403 `company_refused` when they open nothing."""
    return _out(
        platform.people.hub_sign_in.company(
            issuer=body.issuer,
            subject=body.subject,
            email=body.email,
            email_verified=body.email_verified,
            full_name=body.full_name,
            claims=body.claims,
        )
    )


@routes.post("/person", permission=None, summary="The hub: is this person still here, and as what?")
def person(body: HubPersonIn, platform: ThePlatform) -> HubPersonOut:
    """Return the person as they are now; 404 when they are gone or disabled."""
    return _out(platform.people.hub_sign_in.person(body.name))


@routes.post("/gone", permission=None, summary="The hub: whose files are nobody's any more?")
def gone(body: HubGoneIn, platform: ThePlatform) -> HubGoneOut:
    """Return who is gone for good. Disabled people, viewers, and whom this database does not know are not."""
    departed = Departed(platform.settings.data_dir, platform.database)
    people = [found for found in map(person_of, body.people) if found is not None]
    return HubGoneOut(
        tenants=departed.tenants(body.tenants), people=[hub_user_name(*each) for each in departed.people(people)]
    )
