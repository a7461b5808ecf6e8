"""The sign-in page: address and password, the companies' buttons, and the choice between tenants.

When a password is right in several tenants the person chooses one. What they typed waits here meanwhile, in memory, for two
minutes, under a random ticket that is the only thing in the page and works once: the password goes back to no browser.

JupyterHub's own check of the form (``_xsrf``) stays; what it finds is said in our words, and the form comes again.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jupyterhub.handlers.login import LoginHandler
from tornado import web

from datapilot_kernel.messages import text
from hub_config.hub.authenticator import Verified, problem_of
from hub_config.hub.clients import client_of_request
from hub_config.hub.errors import Said, sentence_for
from hub_config.hub.platform_api import ChooseTenant, Person
from hub_config.hub.settings import HubSettings

_WAIT_S = 120.0
_WAITING = 500
_LONGEST = 1024


@dataclass(frozen=True)
class Typed:
    """What a person typed, and between which tenants they choose."""

    email: str
    password: str = field(repr=False)
    tenants: tuple[tuple[str, str], ...]
    client: str
    until: float


class Waiting:
    """Sign-ins that wait for the choice of a tenant."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._typed: OrderedDict[str, Typed] = OrderedDict()

    def keep(self, email: str, password: str, tenants: tuple[tuple[str, str], ...], client: str) -> str:
        """Keep them; return the ticket."""
        self._forget()
        while len(self._typed) >= _WAITING:
            self._typed.popitem(last=False)
        ticket = secrets.token_urlsafe(32)
        self._typed[ticket] = Typed(email, password, tenants, client, self._clock() + _WAIT_S)
        return ticket

    def take(self, ticket: str, client: str) -> Typed | None:
        """Return them once, to the address that typed them; None: too late, or never there."""
        self._forget()
        typed = self._typed.pop(ticket, None)
        return typed if typed is not None and typed.client == client else None

    def _forget(self) -> None:
        now = self._clock()
        while self._typed and next(iter(self._typed.values())).until <= now:
            self._typed.popitem(last=False)


_waiting = Waiting()


class SignInPage(LoginHandler):
    """The page and its form."""

    def initialize(self, given: HubSettings) -> None:
        """Take the settings."""
        self.given = given

    async def post(self) -> None:
        """Sign in, ask for the tenant, or say what is wrong."""
        try:
            person = await self._person()
        except Said as problem:
            await self._again(problem)
            return
        if person is None:
            return  # the choice is on the page
        user = await self.login_user(Verified(person))
        if user is None:
            raise web.HTTPError(500, "the hub did not take a person whom the API named")
        self._jupyterhub_user = user
        self.redirect(self.get_next_url(user))

    async def _person(self) -> Person | None:
        client = client_of_request(self.request, self.given.trusted_proxies)
        ticket = self.get_body_argument("ticket", "")
        if ticket:
            typed = _waiting.take(ticket, client)
            tenant = self.get_body_argument("tenant_id", "")
            if typed is None or tenant not in {tenant_id for tenant_id, _ in typed.tenants}:
                raise Said("hub_pages.choice_over", status=401, language=self.given.language)
            email, password, tenant_id = typed.email, typed.password, tenant
        else:
            email = self.get_body_argument("username", "")
            password, tenant_id = self.get_body_argument("password", "", strip=False), None
        if not email or not password or max(len(email), len(password)) > _LONGEST:
            raise Said("hub_pages.wrong_credentials", status=401, language=self.given.language)
        answer = await self.authenticator.ask(email, password, tenant_id=tenant_id, client=client)
        match answer:
            case Person():
                return answer
            case ChooseTenant(tenants):
                kept = _waiting.keep(email, password, tenants, client)
                self.finish(await self._form(ticket=kept, tenants=tenants))
                return None
            case _:
                raise problem_of(answer, self.given.language)

    async def _again(self, problem: Said) -> None:
        self.set_status(problem.status_code)
        for name, value in problem.headers.items():
            self.set_header(name, value)
        typed = self.get_body_argument("username", "")[:_LONGEST]
        self.finish(await self._form(login_error=problem.said, username=typed))

    def _form(self, **more: Any) -> Any:
        return self._render(**more)

    def _render(self, login_error: str | None = None, username: str | None = None, **kwargs: Any) -> Any:
        """Render the page, as the hub's own handler asks for it too."""
        from hub_config.hub.pages import button_address, login_address

        following = self.get_argument("next", "")
        status = kwargs.pop("status_code", None)
        if status is not None:  # the hub's own errors of this form: an expired or foreign token
            key = "hub_pages.form_over" if status == 403 else None
            exception = kwargs.get("exception")
            language = self.given.language
            login_error = text(key, language=language) if key else sentence_for(status, exception, language)
        return super(LoginHandler, self).render_template(
            "login.html",
            sync=kwargs.pop("sync", False),
            form_action=login_address(self.hub.base_url, following),
            login_error=login_error,
            username=username or "",
            providers=[
                {"name": each.name, "url": button_address(self.hub.base_url, each.id, following)}
                for each in self.given.all_providers()
            ],
            tenants=kwargs.pop("tenants", ()),
            ticket=kwargs.pop("ticket", ""),
            insecure=self._is_insecure(),
        )

    def _is_insecure(self) -> bool:
        host = self.request.host_name
        return not self.given.is_https and host not in ("127.0.0.1", "localhost", "::1") and not host.endswith(".localhost")
