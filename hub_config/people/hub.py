"""Wall 1: a JupyterHub token can be exchanged for a short-lived token of audience ``notebook``, and for nothing else.

The hub's user name *is* the person (:mod:`hub_config.hub_names`). Whatever else the hub says of a person (admin, groups) is
not believed: role and attributes are the platform's own.

The token must be meant for this service: the hub must list ``access:services!service=NAME`` among its scopes
(``DATAPILOT_HUB_SERVICE``), or a token that another service of the hub was given could be turned against this one.

A small client of one route of the hub rather than ``jupyterhub.services.auth``: the API's image needs no JupyterHub,
and that one raises tornado's errors. No proxy of the environment is used: the hub is ours, and its tokens are nobody
else's business. What was verified is believed for ``hub_cache_seconds``; a token that the hub revokes works that long,
the person being disabled here ends it at once.
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import httpx

from hub_config.errors import Forbidden, NotFound, PlatformUnavailable, Unauthenticated
from hub_config.hub_names import person_of
from hub_config.people.ground import Ground
from hub_config.people.limits import Windows, client_key
from hub_config.people.sessions import Tokens
from hub_config.principal import Principal
from hub_config.settings import Settings

_TOKEN = re.compile(r"[\x21-\x7e]{16,512}")
_TIMEOUT = httpx.Timeout(5.0, connect=3.0)
_ANSWER_BYTES = 256 * 1024
# After a failure the hub is left alone for so long: while it is away nobody waits for it.
_REST_S = 1.0
_SIZE = 10_000


class Hub:
    """Asks the hub whose a token is."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._known: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._rest_until = 0.0

    def name_of(self, token: str) -> str:
        """Return the hub user whose token this is.

        Raises
        ------
        Unauthenticated
            The hub does not know it, or it is not meant for this service.
        PlatformUnavailable
            The hub is away, or answers what no hub would.
        """
        if _TOKEN.fullmatch(token) is None:
            raise Unauthenticated(log="hub token: malformed")
        key, now = hashlib.sha256(token.encode()).hexdigest(), self._clock()
        with self._lock:
            found = self._known.get(key)
            if found is not None and found[0] > now:
                return found[1]
            if now < self._rest_until:
                raise PlatformUnavailable(log="hub away: not asked again yet")
        name = self._ask(token)
        if self._settings.hub_cache_seconds:
            with self._lock:
                self._known[key] = (now + self._settings.hub_cache_seconds, name)
                self._known.move_to_end(key)
                while len(self._known) > _SIZE:
                    self._known.popitem(last=False)
        return name

    def name_behind_code(self, code: str, *, verifier: str, redirect_uri: str) -> str:
        """Return the hub user whose browser the hub sent back with this code of its sign-in (OAuth, with PKCE).

        The token that the code is worth is used once, to ask for the name, and kept nowhere.

        Raises
        ------
        Unauthenticated
            The code is not good: unknown, used, over, or not of this client, address and verifier.
        PlatformUnavailable
            The hub is away.
        """
        settings = self._settings
        assert settings.hub_api_token is not None
        form = {
            "grant_type": "authorization_code",
            "client_id": f"service-{settings.hub_service}",
            "client_secret": settings.hub_api_token.get_secret_value(),
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        url = f"{str(settings.hub_api_url).rstrip('/')}/oauth2/token"
        try:
            with self._http().stream("POST", url, data=form) as response:
                status, body = response.status_code, bounded(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._away(type(error).__name__) from None
        if status in (400, 401, 403):
            raise Unauthenticated(log=f"code of the hub's sign-in: the hub says {status}")
        if status != 200:
            raise self._away(f"status {status}")
        try:
            token = json.loads(body)["access_token"]
        except (ValueError, KeyError, TypeError):
            raise self._away("an answer that is not a hub's") from None
        if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
            raise self._away("a token that is none")
        return self._ask(token)

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ask(self, token: str) -> str:
        url = f"{str(self._settings.hub_api_url).rstrip('/')}/user"
        try:
            with self._http().stream("GET", url, headers={"Authorization": f"token {token}"}) as response:
                status, body = response.status_code, bounded(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._away(type(error).__name__) from None
        if status in (401, 403, 404):
            raise Unauthenticated(log=f"hub token: the hub says {status}")
        if status != 200:
            raise self._away(f"status {status}")
        try:
            said = json.loads(body)
            kind, name, scopes = said["kind"], said["name"], said["scopes"]
        except (ValueError, KeyError, TypeError):
            raise self._away("an answer that is not a hub's") from None
        if kind != "user" or not isinstance(name, str):
            raise Unauthenticated(log="hub token: not a user's")
        meant = {"access:services", f"access:services!service={self._settings.hub_service}"}
        if not isinstance(scopes, list) or meant.isdisjoint(scope for scope in scopes if isinstance(scope, str)):
            raise Unauthenticated(log="hub token: not meant for this service")
        return name

    def _away(self, why: str) -> PlatformUnavailable:
        with self._lock:
            self._rest_until = self._clock() + _REST_S
        return PlatformUnavailable(log=f"hub away: {why}")

    def _http(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                self._client = new_client(self._settings)
            return self._client


def new_client(settings: Settings) -> httpx.Client:
    """Return a client for the hub: no proxy of the environment, no redirect, an end to every wait."""
    context = ssl.create_default_context()
    if settings.ca_bundle_file is not None:
        context.load_verify_locations(settings.ca_bundle_file)
    return httpx.Client(timeout=_TIMEOUT, verify=context, trust_env=False, follow_redirects=False)


def bounded(response: httpx.Response, *, limit_bytes: int = _ANSWER_BYTES) -> bytes:
    """Return a streamed answer's body, or raise ``httpx.DecodingError`` when it is longer than a hub's answers are."""
    body = b""
    for part in response.iter_bytes():
        body += part
        if len(body) > limit_bytes:
            raise httpx.DecodingError("too long an answer")
    return body


class Exchange:
    """Turns a hub token into a notebook's token."""

    def __init__(self, ground: Ground, hub: Hub) -> None:
        self._ground = ground
        self._hub = hub
        settings = ground.settings
        self._clients = Windows(settings.login_attempts_per_address, settings.login_wait_seconds)

    def exchange(self, token: str, *, client: str = "") -> Tokens:
        """Return a token of audience ``notebook`` for the hub token's person.

        Raises
        ------
        NotFound
            This installation has no hub.
        Unauthenticated
            The hub does not know the token, or its user is nobody active here.
        Forbidden
            A viewer: they have no notebooks.
        PlatformUnavailable
            The hub or the database is away.
        TooMany
            Too many wrong ones from this client.
        """
        if self._ground.settings.hub_api_url is None:
            raise NotFound(log="no hub is set")
        client = client_key(client)
        self._clients.reserve(client)
        try:
            person = person_of(self._hub.name_of(token))
            state = self._ground.states.of(*person) if person is not None else None
        except PlatformUnavailable:
            self._clients.give_back(client)
            raise
        if person is None or state is None or not state.active:
            raise Unauthenticated(log="hub token: of nobody active here")
        self._clients.give_back(client)
        if state.role == "viewer":
            raise Forbidden(log="a viewer's hub token")
        tenant_id, user_id = person
        issued, seconds = self._ground.tokens.issue(
            tenant_id=tenant_id, user_id=user_id, role=state.role, epoch=state.epoch, audience="notebook"
        )
        principal = Principal(tenant_id, user_id, state.email, state.role, "notebook", state.attributes)
        with self._ground.database.tenant(tenant_id) as session:
            self._ground.audit.record(session, principal, action="session.exchange", object_type="user", object_id=user_id)
        return Tokens(issued, seconds, tenant_id=tenant_id, user_id=user_id, role=state.role)
