"""A tenant's people and its open invitations, for its administrators."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query, Response
from pydantic import AwareDatetime, Field, StringConstraints

from hub_config.api.auth import Email, IdField, Name
from hub_config.api.paging import Cursor, Limit, next_of, read_cursor
from hub_config.api.routing import Caller, Id, Routes, ThePlatform, Wire
from hub_config.database import Invitation, User
from hub_config.people import Link, UserChanges
from hub_config.principal import Role

routes = Routes("/users", tag="people")

Status = Literal["active", "disabled"]
AttributeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
AttributeValue = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
Attributes = Annotated[dict[AttributeName, AttributeValue], Field(max_length=50)]


class UserOut(Wire):
    """A person."""

    id: str
    email: str
    full_name: str
    role: Role
    attributes: dict[str, str]
    status: Status
    has_password: bool
    created_at: AwareDatetime
    last_login_at: AwareDatetime | None


class UsersOut(Wire):
    """A page of people."""

    items: list[UserOut]
    next: str | None


class UserPatch(Wire):
    """What to change; what is left out stays."""

    full_name: Name | None = None
    role: Role | None = None
    attributes: Attributes | None = None
    status: Status | None = None


class InvitationIn(Wire):
    """Whom to invite, as what."""

    email: Email
    role: Role
    attributes: Attributes = Field(default_factory=dict)
    workspace_ids: Annotated[list[IdField], Field(max_length=200)] = Field(default_factory=list)


class LinkOut(Wire):
    """A link; null when it was sent by mail, so that only its receiver has it."""

    id: str
    link: str | None
    sent: bool
    expires_at: AwareDatetime


class InvitationOut(Wire):
    """An invitation that can still be accepted."""

    id: str
    email: str
    role: Role
    attributes: dict[str, str]
    workspace_ids: list[str]
    created_by: str | None
    created_at: AwareDatetime
    expires_at: AwareDatetime


class InvitationsOut(Wire):
    """A page of invitations."""

    items: list[InvitationOut]
    next: str | None


def _user(user: User) -> UserOut:
    return UserOut.model_validate(
        {
            "id": user.id,
            "email": user.email,
            "full_name": user.full_name,
            "role": user.role,
            "attributes": user.attributes,
            "status": user.status,
            "has_password": user.hashed_password is not None,
            "created_at": user.created_at,
            "last_login_at": user.last_login_at,
        }
    )


def _invitation(row: Invitation) -> InvitationOut:
    return InvitationOut.model_validate({name: getattr(row, name) for name in InvitationOut.model_fields})


def _link(link: Link) -> LinkOut:
    return LinkOut(id=link.id, link=link.url, sent=link.sent, expires_at=link.expires_at)


@routes.get("/invitations", permission="people.manage", summary="Open invitations")
def list_invitations(caller: Caller, platform: ThePlatform, limit: Limit = 50, cursor: Cursor = None) -> InvitationsOut:
    """List the invitations that can still be accepted, oldest first."""
    rows = platform.people.invitations.list(caller, limit=limit, after=read_cursor(cursor))
    return InvitationsOut(items=[_invitation(row) for row in rows], next=next_of(rows, limit))


@routes.post("/invitations", permission="people.manage", status_code=201, summary="Invite somebody")
def invite(body: InvitationIn, caller: Caller, platform: ThePlatform) -> LinkOut:
    """Make an invitation's link: sent by mail where there is a mail server, else returned to be handed on."""
    link = platform.people.invitations.create(
        caller, email=body.email, role=body.role, attributes=body.attributes, workspace_ids=body.workspace_ids
    )
    return _link(link)


@routes.delete("/invitations/{invitation_id}", permission="people.manage", status_code=204, summary="Revoke an invitation")
def revoke_invitation(invitation_id: Id, caller: Caller, platform: ThePlatform) -> Response:
    """Make an invitation's link worthless."""
    platform.people.invitations.revoke(caller, invitation_id)
    return Response(status_code=204)


@routes.get("", permission="people.manage", summary="The tenant's people")
def list_users(
    caller: Caller,
    platform: ThePlatform,
    limit: Limit = 50,
    cursor: Cursor = None,
    q: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$", description="in address or name")] = None,
    role: Role | None = None,
    status: Status | None = None,
) -> UsersOut:
    """List people, oldest account first."""
    rows = platform.people.accounts.list(caller, limit=limit, after=read_cursor(cursor), words=q, role=role, status=status)
    return UsersOut(items=[_user(row) for row in rows], next=next_of(rows, limit))


@routes.get("/{user_id}", permission="people.manage", summary="One person")
def read_user(user_id: Id, caller: Caller, platform: ThePlatform) -> UserOut:
    """Return a person of the tenant."""
    return _user(platform.people.accounts.read(caller, user_id))


@routes.patch("/{user_id}", permission="people.manage", summary="Change a person")
def change_user(user_id: Id, body: UserPatch, caller: Caller, platform: ThePlatform) -> UserOut:
    """Change role, attributes, name or status; 409 `last_administrator` when none would be left."""
    changes = UserChanges(full_name=body.full_name, role=body.role, attributes=body.attributes, status=body.status)
    changed = platform.people.accounts.change(caller, user_id, changes)
    if body.role is not None or body.attributes is not None or body.status is not None:
        # What was asked with the rights of before is not answered with them.
        platform.end_work_of(caller.tenant_id, user_id)
    return _user(changed)


@routes.delete("/{user_id}", permission="people.manage", status_code=204, summary="Delete a person")
def delete_user(user_id: Id, caller: Caller, platform: ThePlatform) -> Response:
    """Delete a person, their sessions, conversations and memberships; the record keeps what they did."""
    platform.people.accounts.delete(caller, user_id)
    platform.end_work_of(caller.tenant_id, user_id)
    return Response(status_code=204)


@routes.post("/{user_id}/password-link", permission="people.manage", status_code=201, summary="A password link for a person")
def password_link(user_id: Id, caller: Caller, platform: ThePlatform) -> LinkOut:
    """Make a link by which the person chooses a new password: sent by mail, or returned where there is no mail server."""
    return _link(platform.people.resets.link(caller, caller.tenant_id, user_id))
