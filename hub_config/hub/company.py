"""Signing in by a company's own provider: Entra, Google, Keycloak, whatever speaks OpenID Connect.

One generic client (oauthenticator's) for all; what tells them apart is settings (docs/company-sign-in.md). The road, each
step of which a test breaks:

1. ``GET /hub/company/ID``: a random state, nonce and PKCE verifier go into a signed cookie, good for ten minutes, that no
   notebook's server ever sees (:func:`cookie_of`); the browser goes to the provider.
2. ``GET /hub/company/ID/callback``: the state must be this browser's and this provider's (each has its own callback, so an
   answer of one is never taken to another), the code is changed for tokens with the verifier.
3. The ID token is verified in full although it came over TLS: signature by the provider's published keys, of asymmetric
   kinds only; issuer, audience (and ``azp``), times, nonce. Nothing else of the provider is read: no userinfo, no groups.
4. The API is told issuer, subject, address, whether it is verified, and those claims that rules look at. *It* says which
   tenant, and refuses an address that is not verified. No token of the provider is kept.

Somebody whom their company locks out keeps the hub's session until it ends (``session_days``) or an administrator disables
them here: no provider is asked in between. Rejected: reading groups into roles: a role is given here, by the tenant.
"""

from __future__ import annotations

import hmac
import json
import secrets
import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import OAuthCallbackHandler, OAuthLoginHandler, _deserialize_state, _serialize_state
from tornado import web
from tornado.httpclient import HTTPError as FetchFailed

from hub_config.hub.authenticator import Verified, problem_of
from hub_config.hub.errors import Said
from hub_config.hub.platform_api import Person
from hub_config.hub.settings import HubSettings, Provider

_KINDS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_LEEWAY_S = 60
_ROUND_TRIP_S = 600
_KEEP_S = 3600
_KEYS_AGAIN_S = 60
_ANSWER_BYTES = 1024 * 1024
_COOKIE = "datapilot-company"


class ProviderAway(Exception):
    """The provider does not answer, or not as its own configuration should."""


class NotValid(Exception):
    """What came is not a valid answer of the provider's. The text is for the log; it holds no token."""


class Company:
    """One provider: its configuration and keys as it publishes them, kept for an hour, and its client."""

    def __init__(self, provider: Provider, settings: HubSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.provider = provider
        self._clock = clock
        self._context = _trusted(settings)
        self._read_at: float | None = None
        self._keys_at = 0.0
        self._keys: dict[str | None, Any] = {}
        self._jwks_uri = ""
        self.client = GenericOAuthenticator(
            client_id=provider.client_id,
            client_secret=_secret(provider),
            scope=list(provider.scopes),
            enable_pkce=True,
            oauth_callback_url=f"{settings.public_url}/hub/company/{provider.id}/callback",
            http_request_kwargs={"ssl_options": self._context, "follow_redirects": False, "request_timeout": 10},
            enable_auth_state=False,
        )

    async def ready(self) -> None:
        """Read the provider's configuration if it was not read lately.

        Raises
        ------
        ProviderAway
            It cannot be read, or is another issuer's.
        """
        if self._read_at is not None and self._clock() - self._read_at < _KEEP_S:
            return
        found = await self._get(self.provider.issuer.rstrip("/") + "/.well-known/openid-configuration")
        try:
            if found["issuer"] != self.provider.issuer:
                raise ProviderAway(f"the configuration is of another issuer: {found['issuer']!r}")
            addresses = [found["authorization_endpoint"], found["token_endpoint"], found["jwks_uri"]]
        except (KeyError, TypeError):
            raise ProviderAway("the configuration lacks what it must have") from None
        for address in addresses:
            if not isinstance(address, str) or urlsplit(address).scheme != urlsplit(self.provider.issuer).scheme:
                raise ProviderAway("an address of the configuration is not https")
        self.client.authorize_url, self.client.token_url, self._jwks_uri = addresses
        how = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        self.client.basic_auth = "client_secret_basic" in how
        self._read_at = self._clock()

    async def verified(self, id_token: object, nonce: str) -> dict[str, Any]:
        """Return the claims of an ID token.

        Raises
        ------
        NotValid
            It is not this provider's, not for us, not of now, or not the answer to this sign-in.
        ProviderAway
            Its keys cannot be read.
        """
        if not isinstance(id_token, str) or len(id_token) > _ANSWER_BYTES:
            raise NotValid("no ID token")
        try:
            head = jwt.get_unverified_header(id_token)
            key = await self._key(head.get("kid"))
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key,
                algorithms=[kind for kind in _KINDS if kind == head.get("alg")],
                audience=self.provider.client_id,
                issuer=self.provider.issuer,
                leeway=_LEEWAY_S,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except jwt.PyJWTError as problem:
            raise NotValid(type(problem).__name__) from None
        given = claims.get("nonce")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
            raise NotValid("nonce")
        parties = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if claims.get("azp", self.provider.client_id) != self.provider.client_id or (
            len(parties) > 1 and "azp" not in claims
        ):
            raise NotValid("azp")
        return claims

    async def _key(self, kid: str | None) -> Any:
        now = self._clock()
        known = kid in self._keys
        stale = now - self._keys_at > _KEEP_S
        if not self._keys or stale or (not known and now - self._keys_at > _KEYS_AGAIN_S):
            found = await self._get(self._jwks_uri)
            try:
                keys = jwt.PyJWKSet.from_dict(found).keys
            except (jwt.PyJWTError, TypeError, AttributeError):
                raise ProviderAway("keys that cannot be read") from None
            self._keys = {key.key_id: key for key in keys if key.public_key_use in (None, "sig")}
            self._keys_at = now
        if kid in self._keys:
            return self._keys[kid]
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        raise NotValid("a key that the provider does not publish")

    async def _get(self, address: str) -> dict[str, Any]:
        try:
            async with (
                httpx.AsyncClient(timeout=10, verify=self._context, trust_env=False) as client,
                client.stream("GET", address, headers={"Accept": "application/json"}) as response,
            ):
                body = b""
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > _ANSWER_BYTES:
                        raise ProviderAway("too long an answer")
            if response.status_code != 200:
                raise ProviderAway(f"status {response.status_code}")
            found = json.loads(body)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as problem:
            raise ProviderAway(type(problem).__name__) from None
        if not isinstance(found, dict):
            raise ProviderAway("not an object")
        return found


class CompanyStart(OAuthLoginHandler):
    """The way to the provider."""

    def initialize(self, given: HubSettings, company: Company) -> None:
        """Take the settings and the provider."""
        self.given = given
        self.company = company

    @property
    def _OAUTH_AUTHORIZE_URL(self) -> str:  # noqa: N802  # tornado's name
        return self.company.client.authorize_url

    async def get(self) -> None:
        """Go there."""
        try:
            await self.company.ready()
        except ProviderAway as problem:
            self.log.error("company sign-in %s: %s", self.company.provider.id, problem)
            raise Said("hub_pages.company_away", status=503, language=self.given.language) from None
        state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        verifier, challenge = self._generate_pkce_params()
        following = self._validate_next_url(self.get_argument("next", ""))
        kept = {
            "state_id": state,
            "nonce": nonce,
            "code_verifier": verifier,
            "provider": self.company.provider.id,
            "next_url": following,
            "at": int(time.time()),
        }
        name, path = cookie_of(self.given, self.hub.base_url)
        self._set_cookie(name, _serialize_state(kept), path=path, max_age=_ROUND_TRIP_S)
        self.authorize_redirect(
            redirect_uri=self.company.client.oauth_callback_url,
            client_id=self.company.provider.client_id,
            scope=list(self.company.provider.scopes),
            response_type="code",
            extra_params={"state": state, "nonce": nonce, "code_challenge": challenge, "code_challenge_method": "S256"},
        )


class CompanyBack(OAuthCallbackHandler):
    """The way back."""

    _state_cookie: str | None = None

    def initialize(self, given: HubSettings, company: Company) -> None:
        """Take the settings and the provider."""
        self.given = given
        self.company = company

    def get_state_cookie(self) -> str:
        """Return what this browser left with, as oauthenticator asks for it; once."""
        if self._state_cookie is None:
            name, path = cookie_of(self.given, self.hub.base_url)
            self._state_cookie = (self.get_secure_cookie(name, max_age_days=1) or b"").decode("utf8", "replace")
            self.clear_cookie(name, path=path)
        return self._state_cookie

    async def get(self) -> None:
        """Verify what came back, and sign in."""
        kept = self._kept()
        if self.get_argument("error", ""):
            raise self._said("company_cancelled", 400, f"the provider says {self.get_argument('error')[:100]!r}")
        if not self.get_argument("code", ""):
            raise self._said("company_wrong", 400, "no code")
        if self.get_argument("iss", self.company.provider.issuer) != self.company.provider.issuer:
            raise self._said("company_wrong", 400, "an answer of another issuer")
        claims = await self._claims(str(kept["nonce"]))
        person = await self._person(claims)
        user = await self.login_user(Verified(person))
        if user is None:
            raise web.HTTPError(500, "the hub did not take a person whom the API named")
        self._jupyterhub_user = user
        following = str(kept.get("next_url") or "")
        self.redirect(following or super(OAuthCallbackHandler, self).get_next_url(user))

    def _kept(self) -> dict[str, Any]:
        cookie = self.get_state_cookie()
        kept = _deserialize_state(cookie) if cookie else {}
        given = self.get_argument("state", "")
        fits = (
            isinstance(kept, dict)
            and kept.get("provider") == self.company.provider.id
            and hmac.compare_digest(str(kept.get("state_id", "")).encode(), given.encode())
            and 0 <= time.time() - int(kept.get("at", 0)) <= _ROUND_TRIP_S
        )
        if not (fits and given):
            raise self._said("company_over", 400, "state missing, foreign or old")
        return kept

    async def _claims(self, nonce: str) -> dict[str, Any]:
        client = self.company.client
        try:
            await self.company.ready()
            tokens = await client.get_token_info(self, client.build_access_tokens_request_params(self))
            return await self.company.verified(tokens.get("id_token"), nonce)
        except NotValid as problem:
            raise self._said("company_wrong", 403, f"ID token: {problem}") from None
        except FetchFailed as problem:
            key, status = ("company_wrong", 403) if 400 <= problem.code < 500 else ("company_away", 503)
            raise self._said(key, status, f"token endpoint: status {problem.code}") from None
        except web.HTTPError as problem:
            raise self._said("company_wrong", 403, f"token endpoint: {problem.status_code}") from None
        except (ProviderAway, OSError, ValueError, TypeError) as problem:
            raise self._said("company_away", 503, f"{type(problem).__name__}: {problem}") from None

    async def _person(self, claims: dict[str, Any]) -> Person:
        provider = self.company.provider
        email, name = claims.get(provider.email_claim), claims.get("name")
        if not isinstance(email, str) or "@" not in email:
            raise self._said("company_no_email", 403, f"no address in the claim {provider.email_claim!r}")
        answer = await self.authenticator.api.company_sign_in(
            issuer=provider.issuer,
            subject=str(claims["sub"]),
            email=email,
            email_verified=claims.get("email_verified") in (True, "true"),
            full_name=name if isinstance(name, str) else "",
            claims={each: claims[each] for each in provider.claims if each in claims},
        )
        if isinstance(answer, Person):
            return answer
        self.log.warning("company sign-in %s: %s", provider.id, answer)
        raise problem_of(answer, self.given.language)

    def _said(self, key: str, status: int, why: str) -> Said:
        self.log.warning("company sign-in %s: %s", self.company.provider.id, why)
        return Said(f"hub_pages.{key}", status=status, language=self.given.language, log=why)


def cookie_of(settings: HubSettings, base_url: str) -> tuple[str, str]:
    """Return name and path of the cookie of a sign-in under way.

    Where servers have their own hosts, below ours, the prefix keeps them from setting one of the name here: theirs would
    have the browser finish somebody else's sign-in. Where they share ours the path is the callback's alone.
    """
    if settings.subdomain_host is not None and settings.is_https:
        return f"__Host-{_COOKIE}", "/"
    return _COOKIE, f"{base_url}company/"


def company_handlers(settings: HubSettings) -> list[tuple[Any, ...]]:
    """Return the addresses of every provider."""
    found: list[tuple[Any, ...]] = []
    for provider in settings.all_providers():
        given = {"given": settings, "company": Company(provider, settings)}
        found += [
            (f"/company/{provider.id}", CompanyStart, given),
            (f"/company/{provider.id}/callback", CompanyBack, given),
        ]
    return found


def _secret(provider: Provider) -> str:
    if provider.client_secret is not None:
        return provider.client_secret.get_secret_value()
    if provider.client_secret_file is not None:
        return provider.client_secret_file.read_text(encoding="utf-8").strip()
    return ""


def _trusted(settings: HubSettings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.ca_bundle_file is not None:
        context.load_verify_locations(settings.ca_bundle_file)
    return context
