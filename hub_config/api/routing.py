"""How a route is declared: with a permission, or as one of the public ones. Forgetting is a ``TypeError`` at import.

::

    routes = Routes("/conversations", tag="conversations")

    @routes.get("/{conversation_id}", permission="history.own")
    def read(conversation_id: Id, caller: Caller, platform: ThePlatform) -> ConversationOut: ...

The permission becomes a dependency that verifies the token before anything of the body is used, is written into the OpenAPI
description (``x-permission``), and is what the tests enumerate. Every answer that is not a success has one shape
(:class:`ErrorBody`), documented as ``default`` for every route.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Depends, Path, Request
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from hub_config.access import MATRIX, PUBLIC, Permission, permitted, roles_of
from hub_config.api.bodies import KeepableRoute
from hub_config.errors import Forbidden, Unauthenticated
from hub_config.principal import Principal

if TYPE_CHECKING:
    from hub_config.platform import Platform

PREFIX = "/api/v1"
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Wire(BaseModel):
    """Base of everything that crosses the wire: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: str = Field(description="snake_case, from a closed set")
    message: str = Field(description="one sentence for a person")
    details: dict[str, Any] = Field(default_factory=dict)
    incident: str | None = Field(None, description="for the operator's log; null when it is not a fault of ours")


class ErrorBody(BaseModel):
    """The one shape of every answer that is not a success."""

    error: ErrorDetail


_bearer = HTTPBearer(auto_error=False, description="An access token of /auth/login, /auth/refresh or /auth/exchange")


def the_platform(request: Request) -> Platform:
    """Return the platform that this application serves."""
    return cast("Platform", request.app.state.platform)


# Dependencies that wait for nothing are coroutines: FastAPI sends every other one to a thread and back.
async def _served(request: Request) -> Platform:
    return the_platform(request)


ThePlatform = Annotated[Any, Depends(_served)]
"""A parameter that is the :class:`~hub_config.platform.Platform`."""


async def _caller(request: Request) -> Principal:
    principal = getattr(request.state, "principal", None)
    if not isinstance(principal, Principal):
        raise Unauthenticated(log="caller asked for on a public route")
    return principal


Caller = Annotated[Principal, Depends(_caller)]
"""A parameter that is the verified :class:`~hub_config.principal.Principal`."""

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="32 hexadecimal digits")]


class _Requires:
    """The dependency that verifies the token and holds the matrix."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, request: Request, credentials: Annotated[Any, Depends(_bearer)]) -> None:
        """Put the principal on the request, or raise."""
        if credentials is None:
            raise Unauthenticated(log="no bearer token")
        people = the_platform(request).people
        principal = people.remembered(credentials.credentials)
        if principal is None:
            principal = await run_in_threadpool(people.authenticate, credentials.credentials)
        request.state.principal = principal
        if permitted(principal, self.permission):
            return
        log = f"{principal.role}/{principal.audience} lacks {self.permission}"
        if principal.audience == "notebook" and principal.role in roles_of(self.permission, "session"):
            raise Forbidden("hub.session_needed", log=log)
        raise Forbidden(log=log)


class Routes:
    """A group of routes under one path; :attr:`router` goes into the application."""

    def __init__(self, prefix: str, *, tag: str, dependencies: Sequence[Any] = ()) -> None:
        self.prefix = PREFIX + prefix
        self.router = APIRouter(
            prefix=self.prefix,
            tags=[tag],
            responses={"default": {"model": ErrorBody}},
            route_class=KeepableRoute,
            dependencies=list(dependencies),
        )

    def get(self, path: str, *, permission: Permission | None, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Declare a GET; ``permission`` None only for what :data:`~hub_config.access.PUBLIC` lists."""
        return self._declare("GET", path, permission, options)

    def post(self, path: str, *, permission: Permission | None, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Declare a POST."""
        return self._declare("POST", path, permission, options)

    def put(self, path: str, *, permission: Permission | None, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Declare a PUT."""
        return self._declare("PUT", path, permission, options)

    def patch(self, path: str, *, permission: Permission | None, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Declare a PATCH."""
        return self._declare("PATCH", path, permission, options)

    def delete(self, path: str, *, permission: Permission | None, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Declare a DELETE."""
        return self._declare("DELETE", path, permission, options)

    def _declare(
        self, method: str, path: str, permission: Permission | None, options: dict[str, Any]
    ) -> Callable[[Endpoint], Endpoint]:
        if permission is None:
            if (method, self.prefix + path) not in PUBLIC:
                raise TypeError(f"{method} {self.prefix + path} names no permission and is not public")
            return self.router.api_route(path, methods=[method], **options)
        if permission not in MATRIX:
            raise TypeError(f"{permission!r} is no permission")
        dependencies = [Depends(_Requires(permission)), *options.pop("dependencies", [])]
        extra = {"x-permission": permission, **options.pop("openapi_extra", {})}
        return self.router.api_route(path, methods=[method], dependencies=dependencies, openapi_extra=extra, **options)
