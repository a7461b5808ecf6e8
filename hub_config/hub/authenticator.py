"""Signing in at the hub: the platform's people, by password or by their company's own sign-in.

The hub knows nobody. It shows the forms (:mod:`hub_config.hub.sign_in`, :mod:`hub_config.hub.company`), asks the API who
it is, and takes from its answer name, groups and role. Passwords, lockouts, invitations and the rules of company sign-in
are the API's.

What is believed lasts ``refresh_seconds``: then the API is asked again. Gone or disabled: the session ends, for cookies
and for tokens. Sessions ended meanwhile (a new password, « close my sessions »; the API counts them in ``epoch``): every
browser session at the hub ends, whichever browser asked first. The API away: what was known stands, so that a restart of
the API throws nobody out; a person removed in those seconds is stopped by the API's own reconciler when it is back, and
a notebook can do nothing without the API anyway.

A viewer has no server: their role lacks the scope (:mod:`hub_config.hub.roles`), ``pre_spawn_start`` refuses once more
whoever asks, and the pages send them to their dashboards.
"""

from __future__ import annotations

from typing import Any

from jupyterhub import orm
from jupyterhub.auth import Authenticator
from tornado import web
from traitlets import Any as AnyTrait

from datapilot_kernel.messages import text
from hub_config.hub.errors import Said
from hub_config.hub.platform_api import (
    Away,
    ChooseTenant,
    Gone,
    NotAdmitted,
    Person,
    PlatformApi,
    SignIn,
    TooMany,
    WrongCredentials,
)
from hub_config.hub.roles import WITH_SERVERS, role_in, roles_of
from hub_config.hub.settings import HubSettings
from hub_config.hub.spawning.base import failure
from hub_config.hub_names import person_of, rendering_of


class Verified:
    """What the sign-in's own pages hand to :meth:`PlatformAuthenticator.authenticate`: a person whom the API named.

    A class and no dictionary: the fields of a browser's form arrive as one, and must never be taken for this.
    """

    def __init__(self, person: Person) -> None:
        self.person = person

    def get(self, _key: str, default: Any = None) -> Any:
        """Answer the hub, which asks for a « username » to log when a sign-in fails."""
        return default


class PlatformAuthenticator(Authenticator):
    """The authenticator. Its one configuration is ``settings``."""

    settings = AnyTrait(config=True, help="The HubSettings.")

    api: PlatformApi

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        settings: HubSettings = self.settings
        key = settings.key
        self.api = PlatformApi(
            settings.resolved_service_url(),
            key.get_secret_value() if key is not None else "",
            timeout_s=settings.api_timeout_seconds,
        )
        self._last: dict[str, Person] = {}

    # ── signing in ────────────────────────────────────────────────────────────────────────────────────────────────

    async def ask(self, email: str, password: str, *, tenant_id: str | None, client: str) -> SignIn:
        """Ask the API whose address and password these are."""
        answer = await self.api.sign_in(email, password, tenant_id=tenant_id, client=client)
        if isinstance(answer, Away):
            self.log.error("sign-in: the API is away: %s", answer.why)
        return answer

    async def authenticate(self, handler: Any, data: Any) -> dict[str, Any] | None:
        """Return the hub's model of a person whom our own pages have verified; nothing else signs in."""
        if not isinstance(data, Verified):
            return None
        person = data.person
        user = handler.find_user(person.name)
        if user is not None:
            end_older_sessions(handler.db, user, person.epoch)
        self._last[person.name] = person
        return model_of(person, self.settings.service)

    async def refresh_user(self, user: Any, handler: Any = None) -> bool | dict[str, Any]:
        """Ask the API whether a person is still there, and what they are now."""
        if person_of(user.name) is None:
            return rendering_of(user.name) is not None  # a rendering: nobody's session
        found = await self.api.person(user.name)
        if isinstance(found, Away):
            self.log.warning("refresh of %s: the API is away: %s", user.name, found.why)
            return True
        if isinstance(found, Gone):
            self.log.info("%s is gone: the session ends", user.name)
            self._last.pop(user.name, None)
            return False
        ended = handler is not None and end_older_sessions(handler.db, user, found.epoch)
        if ended and not getattr(handler, "_token_authenticated", False):
            return False  # a browser signs in again; a server's own token, which happened to ask first, goes on
        if self._last.get(user.name) == found:
            return True
        self._last[user.name] = found
        return model_of(found, self.settings.service)

    # ── servers ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def pre_spawn_start(self, user: Any, spawner: Any) -> None:
        """Refuse a server to whoever may have none, whoever asks for it.

        Raises
        ------
        StartFailed
            A viewer; nobody of the platform; a second server of a person; a person's server that somebody else asks for.
        """
        language = self.settings.language
        asking = getattr(getattr(spawner.handler, "current_user", None), "name", None)
        if rendering_of(user.name) is not None:
            if asking != self.settings.service:
                raise failure("spawning.not_yours", status=403, language=language)
            return
        role = role_in([group.name for group in user.orm_user.groups])
        if person_of(user.name) is None or role is None:
            raise failure("spawning.nobody", status=403, language=language)
        if role not in WITH_SERVERS:
            raise failure("spawning.viewer", status=403, language=language)
        if asking != user.name:
            raise failure("spawning.not_yours", status=403, language=language)
        if spawner.name:
            raise failure("spawning.named", status=403, language=language)

    # ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Return our own pages; they come before the hub's of the same addresses.

        The hub calls this once, when its database and services are there: tokens of services that were replaced go now, and
        the janitor begins (:mod:`hub_config.hub.janitor`).
        """
        from hub_config.hub import janitor
        from hub_config.hub.pages import handlers
        from hub_config.hub.tokens import forget_old_tokens

        forget_old_tokens(app)
        self._janitor = janitor.begin(self.settings, self.api)  # held: a task that nobody holds may end at any time
        return handlers(self.settings)

    def said(self, key: str, /, **values: Any) -> str:
        """Return a sentence in the installation's language."""
        return text(key, language=self.settings.language, **values)


def model_of(person: Person, service: str = "datapilot") -> dict[str, Any]:
    """Return what the hub keeps of a person. Never an administrator of the hub."""
    return {
        "name": person.name,
        "admin": False,
        "groups": list(person.groups),
        "roles": roles_of(person.role, service),
        "user_info": info_of(person),
    }


def info_of(person: Person) -> dict[str, Any]:
    """Return what the pages show of a person, and the count of ended sessions."""
    return {
        "full_name": person.full_name,
        "email": person.email,
        "tenant_name": person.tenant_name,
        "role": person.role,
        "epoch": person.epoch,
    }


def end_older_sessions(db: Any, user: Any, epoch: int) -> bool:
    """End every browser session of a person at the hub when their sessions were ended at the API since; tell whether.

    The cookie names a value of the person's, so another value is another cookie; tokens of browser sessions go too. The
    server's own token stays: its notebook runs on.
    """
    info = user.orm_user.user_info or {}
    known = info.get("epoch")
    if known is None or epoch <= known:
        return False
    user.orm_user.user_info = info | {"epoch": epoch}
    user.orm_user.cookie_id = orm.new_token()
    for token in db.query(orm.APIToken).filter(
        orm.APIToken.user_id == user.orm_user.id, orm.APIToken.session_id.isnot(None)
    ):
        db.delete(token)
    db.commit()
    return True


def problem_of(answer: WrongCredentials | TooMany | Away | NotAdmitted, language: Any) -> Said | web.HTTPError:
    """Return the error that a person reads for an answer that is nobody."""
    match answer:
        case WrongCredentials():
            return Said("hub_pages.wrong_credentials", status=401, language=language)
        case NotAdmitted():
            return Said("hub_pages.not_admitted", status=403, language=language)
        case TooMany(seconds):
            return Said("hub_pages.too_many", status=429, language=language, retry_after=seconds, minutes=-(-seconds // 60))
        case Away():
            return Said("hub_pages.api_away", status=503, language=language)


__all__ = ["ChooseTenant", "PlatformAuthenticator", "Verified", "end_older_sessions", "model_of", "problem_of"]
