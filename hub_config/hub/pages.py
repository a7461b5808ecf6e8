"""The hub's pages: which addresses are ours instead of JupyterHub's, and what the templates are given.

JupyterHub looks its handlers up in order and asks the authenticator's first, so an address listed here is ours. Replaced:
sign-in and sign-out, home and spawn (a viewer is sent to their dashboards), the progress of a start (its events in the
reader's language). Taken away: the pages of tokens, of administration and of shares: nobody has the scopes.

Everything a page loads comes from here (``/hub/face/``, ``/hub/pages/``); the policy in :func:`content_security_policy`
lets nothing else in, no inline script included. Every page works without a script except the one that watches a start,
which then reloads itself.
"""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlsplit

from jupyterhub.apihandlers.users import SpawnProgressAPIHandler
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.handlers.login import LogoutHandler
from jupyterhub.handlers.pages import HomeHandler, SpawnHandler
from tornado import web
from tornado.httputil import url_concat

from datapilot_kernel.messages import text
from hub_config.hub.errors import sentence_for, title_for
from hub_config.hub.roles import WITH_SERVERS, role_in
from hub_config.hub.settings import HubSettings
from hub_config.hub.spawning.base import sentence_of

FACE = files("hub_config") / "face"
OWN = files("hub_config.hub") / "static"
TEMPLATES = files("hub_config.hub") / "templates"


def content_security_policy(settings: HubSettings) -> str:
    """Return the policy of every page of the hub.

    ``form-action`` also holds for the redirects after a form: a sign-in ends on a server's own host.
    """
    own = "'self'"
    if settings.subdomain_host is not None:
        where = urlsplit(settings.subdomain_host)
        own = f"'self' {where.scheme}://*.{where.netloc}"
    service = urlsplit(settings.resolved_service_public_url())
    forms = f"{own} {service.scheme}://{service.netloc}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        f"connect-src 'self'; form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
    )


def headers(settings: HubSettings) -> dict[str, str]:
    """Return the headers of every answer of the hub."""
    return {
        "Content-Security-Policy": content_security_policy(settings),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "X-Frame-Options": "DENY",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }


def template_vars(settings: HubSettings) -> dict[str, Any]:
    """Return what every template is given besides the hub's own. The hub calls what can be called with the user."""
    language = settings.language

    def said(key: str, /, **values: Any) -> str:
        return text(f"hub_pages.{key}", language=language, **values)

    return {
        "t": lambda _user: said,
        "language": language,
        "pages_url": settings.resolved_service_public_url(),
        "forgotten_path": "forgotten",
        "role": lambda user: role_of(user),
        "has_server": lambda user: role_of(user) in WITH_SERVERS,
        "error_sentence": lambda _user: lambda status, problem: sentence_for(status, problem, language),
        "error_title": lambda _user: lambda status: title_for(status, language),
        "start_sentence": lambda _user: lambda problem: sentence_of(problem, language),
        "year": datetime.now().astimezone().year,
    }


def role_of(user: Any) -> str | None:
    """Return a hub user's role in their tenant; None: nobody, or a service."""
    orm_user = getattr(user, "orm_user", None)
    return role_in([group.name for group in orm_user.groups]) if orm_user is not None else None


def landing(settings: HubSettings) -> Any:
    """Return the hub's ``default_url``: a viewer's dashboards; others go to their server."""

    def url(handler: Any) -> str:
        return settings.resolved_service_public_url() if role_of(handler.current_user) == "viewer" else ""

    return url


class HomePage(HomeHandler):
    """The home: a person's workspace and the platform's pages. A viewer's is among their dashboards."""

    def initialize(self, given: HubSettings) -> None:
        """Take the settings."""
        self.given = given

    @web.authenticated
    async def get(self) -> None:
        """Show it."""
        if role_of(self.current_user) == "viewer":
            self.redirect(self.given.resolved_service_public_url())
            return
        await super().get()


class SpawnPage(SpawnHandler):
    """The start of a server. A viewer who comes here is brought to their dashboards; a POST is refused by scope."""

    def initialize(self, given: HubSettings) -> None:
        """Take the settings."""
        self.given = given

    @web.authenticated
    def get(self, user_name: str | None = None, server_name: str = "") -> Any:
        """Start it, or bring a viewer home."""
        if role_of(self.current_user) == "viewer":
            return self.redirect(self.given.resolved_service_public_url())
        return super().get(user_name, server_name)


class StartEvents(SpawnProgressAPIHandler):
    """What the progress page listens to. The hub's last words (ready, failed) are English: ours instead."""

    def initialize(self, given: HubSettings) -> None:
        """Take the settings."""
        self.given = given
        super().initialize()

    async def send_event(self, event: dict[str, Any]) -> None:
        """Send an event, in the reader's language."""
        if event.get("ready"):
            event = event | {"message": text("spawning.ready", language=self.given.language)}
        if event.get("failed"):
            event = event | {"message": sentence_of(self._problem(), self.given.language)}
        event.pop("html_message", None)
        await super().send_event(event)

    def _problem(self) -> BaseException | None:
        user = self.find_user(self.path_args[0])
        server = (self.path_args[1] if len(self.path_args) > 1 else "") or ""
        spawner = user.spawners.get(server) if user is not None else None
        future = getattr(spawner, "_spawn_future", None)
        return future.exception() if future is not None and future.done() and not future.cancelled() else None


class SignOutPage(LogoutHandler):
    """Signing out of the hub, and then of the API's pages."""

    def initialize(self, given: HubSettings) -> None:
        """Take the settings."""
        self.given = given

    async def get(self) -> None:
        """Ask first when another site sent the browser here; else sign out."""
        if self.request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "same-site", "none"):
            self.finish(await self.render_template("logout.html", ask=True))
            return
        await super().get()

    async def render_logout_page(self) -> None:
        """Go on to the API's pages, which end their own session and say that it is done."""
        self.redirect(self.given.resolved_service_public_url() + "sign-out")


class NotHere(BaseHandler):
    """A page of JupyterHub's that this installation does not have."""

    async def get(self, *_: str) -> None:
        """Say so."""
        raise web.HTTPError(404)


class Files(web.StaticFileHandler):
    """Style sheets, scripts and pictures of the pages."""

    def set_extra_headers(self, path: str) -> None:
        """Let browsers keep them for an hour; their names carry no version."""
        self.set_header("Cache-Control", "public, max-age=3600")
        self.set_header("X-Content-Type-Options", "nosniff")


def login_address(base_url: str, following: str) -> str:
    """Return the sign-in's address, with what comes after it."""
    return url_concat(f"{base_url}login", {"next": following}) if following else f"{base_url}login"


def button_address(base_url: str, provider: str, following: str) -> str:
    """Return the address behind a company's button."""
    address = f"{base_url}company/{quote(provider)}"
    return url_concat(address, {"next": following}) if following else address


def handlers(settings: HubSettings) -> list[tuple[Any, ...]]:
    """Return our addresses, below the hub's own prefix."""
    from hub_config.hub.company import company_handlers
    from hub_config.hub.sign_in import SignInPage

    given = {"given": settings}
    return [
        (r"/login", SignInPage, given),
        (r"/logout", SignOutPage, given),
        (r"/home", HomePage, given),
        (r"/spawn", SpawnPage, given),
        (r"/spawn/([^/]+)", SpawnPage, given),
        (r"/spawn/([^/]+)/([^/]+)", SpawnPage, given),
        (r"/api/users/([^/]+)/server/progress", StartEvents, given),
        (r"/api/users/([^/]+)/servers/([^/]*)/progress", StartEvents, given),
        (r"/token", NotHere),
        (r"/admin", NotHere),
        (r"/accept-share", NotHere),
        (r"/face/(.*)", Files, {"path": str(FACE)}),
        (r"/pages/(.*)", Files, {"path": str(OWN)}),
        *company_handlers(settings),
    ]
