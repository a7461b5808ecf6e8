"""Signing in and out, registration, links, one's own account, and the exchange of a hub's token."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Request, Response
from pydantic import AwareDatetime, Field, SecretStr, StringConstraints

from datapilot_kernel.messages import text
from hub_config.access import MATRIX, permitted
from hub_config.api.routing import Caller, Id, Routes, ThePlatform, Wire
from hub_config.database import Tenant, User
from hub_config.people import Tokens
from hub_config.principal import Audience, Principal, Role

routes = Routes("/auth", tag="people")

# Nothing that is not text: no NUL (PostgreSQL has none), no control character (a name is one line).
Line = StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
Name = Annotated[str, Line]
NameRequired = Annotated[str, Line, Field(min_length=1)]
Email = Annotated[str, StringConstraints(max_length=320, pattern=r"^[^\x00-\x1f\x7f]*$")]
Password = Annotated[SecretStr, Field(min_length=1, max_length=1024)]
SecretText = Annotated[SecretStr, Field(min_length=1, max_length=1024)]
IdField = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class RegisterIn(Wire):
    """A new tenant and its first administrator."""

    tenant_name: NameRequired
    email: Email
    password: Password
    full_name: Name = ""


class LoginIn(Wire):
    """An address and its password; ``tenant_id`` when the address has accounts in several tenants."""

    email: Email
    password: Password
    tenant_id: IdField | None = None


class RefreshIn(Wire):
    """A refresh token."""

    refresh_token: SecretText


class LinkIn(Wire):
    """What stands behind ``#`` in a link."""

    token: SecretText


class AcceptIn(LinkIn):
    """Accepting an invitation."""

    full_name: NameRequired
    password: Password


class ResetIn(LinkIn):
    """Choosing a new password by a link."""

    password: Password


class ForgottenIn(Wire):
    """Whose password was forgotten."""

    email: Email


class ExchangeIn(Wire):
    """A JupyterHub token."""

    token: SecretText


class MeIn(Wire):
    """What a person changes of their own account."""

    full_name: Name


class PasswordIn(Wire):
    """One's own password, before and after."""

    current_password: Password
    new_password: Password


class TokensOut(Wire):
    """A session: ``Authorization: Bearer <access_token>`` on every request; the refresh token is used once."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 -- the name of a scheme
    expires_in_s: int
    refresh_token: str
    refresh_expires_in_s: int
    tenant_id: str
    user_id: str
    role: Role


class NotebookTokenOut(Wire):
    """What a notebook's container holds for some minutes."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 -- the name of a scheme
    expires_in_s: int
    tenant_id: str
    user_id: str
    role: Role


class TenantRef(Wire):
    """A tenant, by name."""

    id: str
    name: str
    slug: str


class MeOut(Wire):
    """Who the caller is and what they may do with this token."""

    id: str
    tenant: TenantRef
    email: str
    full_name: str
    role: Role
    attributes: dict[str, str]
    audience: Audience
    permissions: list[str]
    created_at: AwareDatetime
    last_login_at: AwareDatetime | None


class PreviewOut(Wire):
    """What an invitation says."""

    tenant_name: str
    email: str
    role: Role
    expires_at: AwareDatetime


class SessionOut(Wire):
    """One of the caller's open sessions."""

    id: str
    label: str
    refreshed_at: AwareDatetime
    expires_at: AwareDatetime


class SessionsOut(Wire):
    """The caller's open sessions, all of them."""

    items: list[SessionOut]
    next: None = None


class MessageOut(Wire):
    """A sentence for the person."""

    message: str


def _client(request: Request) -> str:
    return request.client.host if request.client else ""


def _label(request: Request) -> str:
    agent = request.headers.get("user-agent", "")
    return "".join(character for character in agent if character.isprintable())[:100]


def tokens_out(tokens: Tokens) -> TokensOut:
    """Return the wire form of a new session."""
    assert tokens.refresh_token is not None
    assert tokens.refresh_expires_in_s is not None
    return TokensOut(
        access_token=tokens.access_token,
        expires_in_s=tokens.expires_in_s,
        refresh_token=tokens.refresh_token,
        refresh_expires_in_s=tokens.refresh_expires_in_s,
        tenant_id=tokens.tenant_id,
        user_id=tokens.user_id,
        role=tokens.role,
    )


@routes.post("/register", permission=None, status_code=201, summary="Create a tenant and its first administrator")
async def register(body: RegisterIn, request: Request, platform: ThePlatform) -> TokensOut:
    """Create a tenant, where registration is open; the person is signed in."""
    tokens = await platform.people.work.run(
        platform.people.registration.register,
        tenant_name=body.tenant_name,
        email=body.email,
        password=body.password.get_secret_value(),
        full_name=body.full_name,
        client=_client(request),
        label=_label(request),
    )
    return tokens_out(tokens)


@routes.post("/login", permission=None, summary="Sign in")
async def login(body: LoginIn, request: Request, platform: ThePlatform) -> TokensOut:
    """Open a session; 409 `choose_tenant` with `details.tenants` when the password is right in several tenants."""
    tokens = await platform.people.work.run(
        platform.people.signing_in.sign_in,
        email=body.email,
        password=body.password.get_secret_value(),
        tenant_id=body.tenant_id,
        client=_client(request),
        label=_label(request),
    )
    return tokens_out(tokens)


@routes.post("/refresh", permission=None, summary="Exchange a refresh token for the next pair")
def refresh(body: RefreshIn, platform: ThePlatform) -> TokensOut:
    """Return new tokens; the one given is used up. One that is used twice ends its session."""
    return tokens_out(platform.people.sessions.refresh(body.refresh_token.get_secret_value()))


@routes.post("/logout", permission=None, status_code=204, summary="End a session")
def logout(body: RefreshIn, platform: ThePlatform) -> Response:
    """End the session of a refresh token; the answer is the same when there was none."""
    platform.people.sessions.end(body.refresh_token.get_secret_value())
    return Response(status_code=204)


@routes.post("/exchange", permission=None, summary="Exchange a JupyterHub token for a notebook's token")
async def exchange(body: ExchangeIn, request: Request, platform: ThePlatform) -> NotebookTokenOut:
    """Return a token of audience `notebook`, for some minutes."""
    tokens = await platform.people.outside.run(
        platform.people.exchange.exchange, body.token.get_secret_value(), client=_client(request)
    )
    return NotebookTokenOut(
        access_token=tokens.access_token,
        expires_in_s=tokens.expires_in_s,
        tenant_id=tokens.tenant_id,
        user_id=tokens.user_id,
        role=tokens.role,
    )


@routes.post("/password/forgotten", permission=None, status_code=202, summary="Ask for a password link by mail")
def forgotten(body: ForgottenIn, request: Request, platform: ThePlatform) -> MessageOut:
    """Send a link to whoever has this address, if anybody does; the answer is always the same."""
    people, email = platform.people, body.email
    people.resets.count_request(_client(request))
    people.mailing.later(lambda: people.resets.forgotten(email))
    mails = platform.settings.smtp_host is not None
    return MessageOut(message=text("people.forgotten_by_mail" if mails else "people.forgotten_by_administrator"))


@routes.post("/password/reset", permission=None, status_code=204, summary="Choose a new password by a link")
async def reset(body: ResetIn, platform: ThePlatform) -> Response:
    """Set a new password; every session of the person ends."""
    await platform.people.work.run(
        platform.people.resets.reset, body.token.get_secret_value(), password=body.password.get_secret_value()
    )
    return Response(status_code=204)


@routes.post("/invitations/preview", permission=None, summary="What an invitation says")
def preview(body: LinkIn, platform: ThePlatform) -> PreviewOut:
    """Return who invites whom, before anything is accepted."""
    found = platform.people.invitations.preview(body.token.get_secret_value())
    return PreviewOut(tenant_name=found.tenant_name, email=found.email, role=found.role, expires_at=found.expires_at)


@routes.post("/invitations/accept", permission=None, status_code=201, summary="Accept an invitation")
async def accept(body: AcceptIn, request: Request, platform: ThePlatform) -> TokensOut:
    """Make the account; the person is signed in."""
    tokens = await platform.people.work.run(
        platform.people.invitations.accept,
        body.token.get_secret_value(),
        full_name=body.full_name,
        password=body.password.get_secret_value(),
        label=_label(request),
    )
    return tokens_out(tokens)


def _me(user: User, tenant: Tenant, caller: Principal) -> MeOut:
    return MeOut(
        id=user.id,
        tenant=TenantRef(id=tenant.id, name=tenant.name, slug=tenant.slug),
        email=user.email,
        full_name=user.full_name,
        role=caller.role,
        attributes=dict(caller.attributes),
        audience=caller.audience,
        permissions=[permission for permission in MATRIX if permitted(caller, permission)],
        created_at=user.created_at,
        last_login_at=user.last_login_at,
    )


@routes.get("/me", permission="account.read", summary="Who am I")
def me(caller: Caller, platform: ThePlatform) -> MeOut:
    """Return the caller's account and what they may do with this token."""
    user, tenant = platform.people.accounts.me(caller)
    return _me(user, tenant, caller)


@routes.patch("/me", permission="account.write", summary="Change my name")
def change_me(body: MeIn, caller: Caller, platform: ThePlatform) -> MeOut:
    """Change the caller's own name."""
    platform.people.accounts.rename_self(caller, body.full_name)
    user, tenant = platform.people.accounts.me(caller)
    return _me(user, tenant, caller)


@routes.post("/me/password", permission="account.write", summary="Change my password")
async def change_password(body: PasswordIn, request: Request, caller: Caller, platform: ThePlatform) -> TokensOut:
    """Set another password; every other session ends, this one goes on with the tokens returned."""
    tokens = await platform.people.work.run(
        platform.people.accounts.change_password,
        caller,
        current=body.current_password.get_secret_value(),
        new=body.new_password.get_secret_value(),
        label=_label(request),
    )
    return tokens_out(tokens)


@routes.get("/me/sessions", permission="account.write", summary="My open sessions")
def list_sessions(caller: Caller, platform: ThePlatform) -> SessionsOut:
    """List the caller's open sessions, the one refreshed last first."""
    found = platform.people.sessions.list(caller)
    items = [SessionOut(id=o.id, label=o.label, refreshed_at=o.refreshed_at, expires_at=o.expires_at) for o in found]
    return SessionsOut(items=items)


@routes.delete("/me/sessions/{session_id}", permission="account.write", status_code=204, summary="End one of my sessions")
def end_session(session_id: Id, caller: Caller, platform: ThePlatform) -> Response:
    """End one of the caller's sessions; the others go on as soon as they have refreshed."""
    platform.people.sessions.end_one(caller, session_id)
    return Response(status_code=204)


@routes.delete("/me/sessions", permission="account.write", status_code=204, summary="End all my sessions")
def end_sessions(caller: Caller, platform: ThePlatform) -> Response:
    """End every session of the caller, this one included."""
    platform.people.sessions.end_all(caller)
    return Response(status_code=204)
