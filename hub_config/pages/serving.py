"""One request to a page: who is in the session, may they, is the form ours, and every error as a page.

A handler gets a :class:`Visit` and returns a response; what it raises becomes a page with the error's own status and words,
an incident's number where it was a fault of ours. Nothing but the session's cookie says who somebody is: an
``Authorization`` header is not looked at.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl, quote

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from datapilot_kernel.errors import DataPilotError, Fault
from datapilot_kernel.messages import has_text, text
from hub_config.access import Permission, permitted
from hub_config.api.errors import fault_of
from hub_config.data_sources.storage import Upload
from hub_config.errors import Forbidden, NotFound, PlatformUnavailable, TooLarge, TooMany, Unauthenticated, status_of
from hub_config.pages import forms
from hub_config.pages.boards import Abouts, Boards
from hub_config.pages.cookies import DOOR_SECONDS, Cookies, given
from hub_config.pages.rendering import Renderer
from hub_config.people.page_sessions import Visitor
from hub_config.platform import Platform
from hub_config.settings import Settings

_FORM_BYTES = 64 * 1024
_FORM_FIELDS = 50


_QUICK = 8
"""Readers who are looked up at once (see :func:`quickly`)."""


@dataclass(frozen=True)
class Pages:
    """What every page works with."""

    settings: Settings
    platform: Platform
    cookies: Cookies
    render: Renderer
    boards: Boards = field(default_factory=Boards)
    abouts: Abouts = field(default_factory=Abouts)
    quick: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_QUICK))

    def left(self, tenant_id: str, user_id: str | None) -> None:
        """Keep nothing that was prepared of a tenant that goes away."""
        if user_id is None:
            self.boards.clear()
            self.abouts.clear()


@dataclass
class Visit:
    """One request, and who makes it.

    Attributes
    ----------
    visitor
        None on a page that needs nobody, when nobody is signed in.
    secret
        What forms are bound to: the session's cookie, or the door's.
    form
        The fields that were sent; empty for a GET.
    uploads, refused
        On a page that takes files: those that came in, and what is said of the others.
    """

    request: Request
    pages: Pages
    visitor: Visitor | None
    secret: str
    new_door: bool = False
    form: dict[str, str] = field(default_factory=dict)
    uploads: list[Upload] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def platform(self) -> Platform:
        """The managers."""
        return self.pages.platform

    @property
    def person(self) -> Visitor:
        """Who is signed in; only on pages that name a permission."""
        if self.visitor is None:
            raise Unauthenticated(log="a page that needs a session was served without one")
        return self.visitor

    @property
    def client(self) -> str:
        """The browser's address."""
        return self.request.client.host if self.request.client else ""

    @property
    def label(self) -> str:
        """What the browser calls itself, for the list of sessions."""
        agent = self.request.headers.get("user-agent", "")
        return "".join(character for character in agent if character.isprintable())[:100]

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Return a page with what every page shows."""
        response = self.pages.render.page(
            template,
            status=status,
            visitor=self.visitor,
            allowed=self._allowed,
            csrf=forms.token_of(self.secret) if self.secret else "",
            **values,
        )
        if self.new_door:
            self.pages.cookies.put(response, self.pages.cookies.door, self.secret, seconds=DOOR_SECONDS)
        return response

    def go(self, path: str) -> Response:
        """Send the browser on to a page of ours."""
        return RedirectResponse(self.pages.render.url(path), 303)

    def _allowed(self, permission: Permission) -> bool:
        return self.visitor is not None and permitted(self.visitor.principal, permission)


Handler = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True)
class Page:
    """A page: where it is, who may, and what answers.

    Attributes
    ----------
    permission
        None only with ``why``: the reason for which it needs nobody.
    problem
        Makes the answer of an error; None: a page.
    form_bytes, form_fields
        How large its form may be.
    uploads
        Its form brings files, and is multipart (how much: the setting of uploads); every other form is not.
    reader
        Reads the form in another way, and refuses what another page sent; None: as it is said above.
    """

    method: str
    path: str
    permission: Permission | None
    handler: Handler
    why: str = ""
    problem: Callable[[Visit, DataPilotError], Response] | None = None
    form_bytes: int = _FORM_BYTES
    form_fields: int = _FORM_FIELDS
    uploads: bool = False
    reader: Callable[[Visit], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        if (self.permission is None) == (not self.why):
            raise TypeError(f"{self.method} {self.path} names a permission, or why it needs none")


def install(app: FastAPI, settings: Settings, platform: Platform, table: tuple[Page, ...]) -> None:
    """Add the pages, and a page for every address that is none."""
    pages = Pages(settings, platform, Cookies.of(settings), Renderer(settings))
    platform.renderings.on_leave(pages.left)
    paths: dict[str, dict[str, Page]] = {}
    for page in table:
        paths.setdefault(page.path, {})[page.method] = page
    routes = [
        Route(path, _endpoint(pages, by_method), methods=sorted(by_method), name=path) for path, by_method in paths.items()
    ]
    routes.append(_Nowhere("/{anything:path}", _endpoint(pages, {"GET": _NOWHERE}), methods=["GET"]))
    app.router.routes.insert(0, _Shelf(routes))


class _Shelf(BaseRoute):
    """All pages as one route before the API's: a reader's page is not held against two hundred routes that it is not."""

    def __init__(self, routes: list[Route]) -> None:
        self._routes = routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match like the first of the pages that matches best; what is the API's, never."""
        partial: tuple[Match, Scope] = (Match.NONE, {})
        if scope["type"] != "http" or "/api/" in scope["path"]:
            return partial
        for route in self._routes:
            match, child = route.matches(scope)
            if match == Match.FULL:
                return match, {**child, "route": route}
            if match == Match.PARTIAL and partial[0] == Match.NONE:
                partial = match, {**child, "route": route}
        return partial

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand it to the page that matched."""
        await scope["route"].handle(scope, receive, send)


class _Nowhere(Route):
    """Addresses that are no page. Those of the API keep the API's answers."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match what is not the API's and what a browser asks for."""
        if scope["type"] != "http" or "/api/" in scope["path"]:
            return Match.NONE, {}
        accepted = dict(scope["headers"]).get(b"accept", b"")
        return super().matches(scope) if b"text/html" in accepted else (Match.NONE, {})


async def _nowhere(visit: Visit) -> Response:
    raise NotFound(log="no such page")


_NOWHERE = Page("GET", "/{anything:path}", None, _nowhere, why="says that there is no such page")


def _endpoint(pages: Pages, by_method: dict[str, Page]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        page = by_method["GET" if request.method == "HEAD" else request.method]
        visit = Visit(request, pages, None, "")
        try:
            return await _serve(visit, page)
        except DataPilotError as error:
            return (page.problem or problem_page)(visit, error)
        except (HTTPException, ClientDisconnect):
            raise
        except Exception as error:  # noqa: BLE001 -- the edge: whatever broke becomes a page with an incident's number
            return (page.problem or problem_page)(visit, fault_of(error, f"{page.method} {page.path}"))

    return endpoint


async def _serve(visit: Visit, page: Page) -> Response:
    request, pages = visit.request, visit.pages
    base = pages.render.base
    if base and request.scope.get("root_path", "") != base and request.method in ("GET", "HEAD"):
        # By an internal name, or by an old address: links, cookies and forms are those of the public one.
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{base}{quote(request.scope['path'])}{query}", 307)
    await _who(visit)
    if page.permission is not None:
        if visit.visitor is None:
            return _to_the_door(visit)
        if not permitted(visit.visitor.principal, page.permission):
            raise Forbidden(log=f"{visit.visitor.principal.role} lacks {page.permission} (page)")
    if page.method == "POST":
        if page.reader is not None:
            await page.reader(visit)
        else:
            await (_read_files(visit) if page.uploads else _read_form(visit, page))
    return await page.handler(visit)


async def _who(visit: Visit) -> None:
    """Find out who is in the session, and what forms are bound to."""
    cookies, request = visit.pages.cookies, visit.request
    session = given(request, cookies.session)
    if session:
        visit.visitor = await quickly(visit, visit.platform.people.page_sessions.visitor, session)
    if visit.visitor is not None:
        request.state.principal = visit.visitor.principal  # for the log
        visit.secret = session
        return
    visit.secret = given(request, cookies.door)
    if len(visit.secret) != _DOOR_CHARACTERS:
        visit.secret, visit.new_door = secrets.token_urlsafe(32), True


_DOOR_CHARACTERS = len(secrets.token_urlsafe(32))


def _to_the_door(visit: Visit) -> Response:
    """Ask for a sign-in, and come back to where a GET was going."""
    if visit.request.method != "GET":
        return visit.go("/sign-in")
    path = visit.request.url.path.removeprefix(visit.pages.render.base)
    query = f"?{visit.request.url.query}" if visit.request.url.query else ""
    wanted = forms.safe_next(path + query)
    return visit.go("/sign-in" if wanted == "/" else f"/sign-in?next={quote(wanted, safe='')}")


async def _read_form(visit: Visit, page: Page) -> None:
    """Read the fields, and refuse what another page sent.

    Raises
    ------
    Forbidden
        From another origin, or without this browser's token.
    """
    request = visit.request
    if not forms.is_own(request, visit.pages.settings.public_url):
        raise Forbidden("pages.form_foreign", log="a form from another origin")
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise Forbidden("pages.form_foreign", log="a form of another type")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > page.form_bytes:
            raise TooLarge("hub.too_large", limit=f"{page.form_bytes // 1024} Kio")
    try:
        fields = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=page.form_fields))
    except ValueError:
        raise Forbidden("pages.form_foreign", log="a form that cannot be read") from None
    if visit.new_door or not forms.is_good(fields.pop("csrf", ""), visit.secret):
        raise Forbidden("pages.form_expired", log="a form without this browser's token")
    # No NUL and no half of a pair: nobody's text, and no database keeps them.
    visit.form = {name: value.replace("\x00", "") for name, value in fields.items()}


async def _read_files(visit: Visit) -> None:
    """Read a form that brings files. The token is judged before the first of them: what another page sends is not kept.

    Raises
    ------
    Forbidden
        From another origin, or without this browser's token.
    TooLarge, BadInput
        It is too much, or no such form.
    """
    request = visit.request
    if not forms.is_own(request, visit.pages.settings.public_url):
        raise Forbidden("pages.form_foreign", log="a form from another origin")
    content_type = request.headers.get("content-type", "")
    if not content_type.startswith("multipart/form-data"):
        raise Forbidden("pages.form_foreign", log="a form of another type")

    def admit(fields: dict[str, str]) -> None:
        if visit.new_door or not forms.is_good(fields.get("csrf", ""), visit.secret):
            raise Forbidden("pages.form_expired", log="a form without this browser's token")

    uploads, principal = visit.platform.sources.uploads, visit.person.principal
    length = request.headers.get("content-length", "")
    fields, visit.uploads, visit.refused = await uploads.receive_form(
        principal,
        request.stream(),
        content_type=content_type,
        content_length=int(length) if length.isdecimal() else None,
        quota_bytes=await run(uploads.quota_bytes, principal),
        admit=admit,
    )
    fields.pop("csrf", None)
    visit.form = fields


def problem_page(visit: Visit, error: DataPilotError) -> Response:
    """Return the page of an error."""
    status = status_of(error)
    incident = error.incident if isinstance(error, Fault) else None
    title = f"pages.problem.title_{status}"
    response = visit.page(
        "problem.html",
        status=status,
        title=text(title if has_text(title) else "pages.problem.title"),
        message=error.message,
        incident=incident,
        again=status in (503, 500),
    )
    if isinstance(error, (TooMany, PlatformUnavailable)) and error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def run(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Awaitable[Any]:
    """Run a manager's quick act beside the event loop."""
    return cast("Awaitable[Any]", anyio.to_thread.run_sync(lambda: function(*args, **kwargs)))


def quickly(visit: Visit, function: Callable[..., Any], /, *args: Any) -> Awaitable[Any]:
    """Run what only looks something up, a few at once: of fifty threads that want the interpreter each waits for all."""
    return cast("Awaitable[Any]", anyio.to_thread.run_sync(lambda: function(*args), limiter=visit.pages.quick))
