"""The hub's client of the API's routes: sign-in, company sign-in, whether a person is still there, and who is gone for good.

What comes back is one of few values, never an exception of the client's: :class:`Person`, :class:`WrongCredentials`,
:class:`ChooseTenant`, :class:`TooMany`, :class:`NotAdmitted`, :class:`Gone`, :class:`Away`. The key travels in a header
and stands in no message. No proxy of the environment is used: the API is ours.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from hub_config.hub_names import hub_user_name
from hub_config.principal import Role

_ANSWER_BYTES = 256 * 1024
_ASKED_AT_ONCE = 500


class Person(BaseModel):
    """Somebody whom the API knows and lets in."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    tenant_id: str
    tenant_name: str
    user_id: str
    role: Role
    full_name: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()
    epoch: int = 0


@dataclass(frozen=True)
class WrongCredentials:
    """No such account, another password, a disabled account: nobody can tell which."""


@dataclass(frozen=True)
class ChooseTenant:
    """The password is right in several tenants: (id, name) of each."""

    tenants: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TooMany:
    """Too many wrong ones; worth trying again after so many seconds."""

    seconds: int


@dataclass(frozen=True)
class Departed:
    """Who is gone for good, of those asked about: ids of tenants, names of hub users."""

    tenants: frozenset[str]
    people: frozenset[str]


@dataclass(frozen=True)
class NotAdmitted:
    """The company's sign-in is right, and this person has no place here."""


@dataclass(frozen=True)
class Gone:
    """The person was removed or disabled, or never was."""


@dataclass(frozen=True)
class Away:
    """The API does not answer, or not as it should. ``why`` is for the log."""

    why: str


SignIn = Person | WrongCredentials | ChooseTenant | TooMany | Away
CompanySignIn = Person | NotAdmitted | TooMany | Away


class PlatformApi:
    """The API as the hub speaks to it. One for the process; its connections are kept."""

    def __init__(self, url: str, key: str, *, timeout_s: float = 20.0) -> None:
        self._url = url.rstrip("/") + "/api/v1/hub/"
        self._key = key
        self._timeout = httpx.Timeout(timeout_s, connect=5.0)
        self._client: httpx.AsyncClient | None = None

    async def sign_in(self, email: str, password: str, *, tenant_id: str | None, client: str) -> SignIn:
        """Verify an address and a password."""
        body: dict[str, Any] = {"email": email, "password": password, "client": client}
        if tenant_id is not None:
            body["tenant_id"] = tenant_id
        answer = await self._post("sign-in", body)
        match answer:
            case Away():
                return answer
            case (401, said, _) if _code(said) == "wrong_credentials":
                return WrongCredentials()
            case (401, _, _):
                return Away("the API has another key")  # the operator's fault must not read as the person's
            case (422, _, _):  # no address could be like that
                return WrongCredentials()
            case (409, said, _):
                return _tenants(said)
            case (status, said, headers):
                return _person_or_limit(status, said, headers)

    async def company_sign_in(
        self, *, issuer: str, subject: str, email: str, email_verified: bool, full_name: str, claims: dict[str, Any]
    ) -> CompanySignIn:
        """Say whom a company's own sign-in named; the API's rules tell of which tenant they are."""
        body = {
            "issuer": issuer,
            "subject": subject,
            "email": email,
            "email_verified": email_verified,
            "full_name": full_name,
            "claims": claims,
        }
        answer = await self._post("company-sign-in", body)
        match answer:
            case Away():
                return answer
            case (403 | 422, _, _):
                return NotAdmitted()
            case (status, said, headers):
                return _person_or_limit(status, said, headers)

    async def person(self, name: str) -> Person | Gone | Away:
        """Tell whether a person is still there, and what they are now."""
        answer = await self._post("person", {"name": name})
        match answer:
            case Away():
                return answer
            case (404, said, _) if _code(said) == "not_found":
                # Only the API's own « not found »: a proxy's 404 while it starts must not sign everybody out.
                return Gone()
            case (200, said, _):
                found = _person(said)
                return found if isinstance(found, Away) or found.name == name else Away("another person")
            case (status, _, _):
                return Away(f"status {status}")

    async def gone(self, tenants: Collection[str], people: Collection[str]) -> Departed | Away:
        """Ask which of these tenants (ids) and people (hub users' names) are gone for good."""
        found = Departed(frozenset(), frozenset())
        asked = [("tenants", each) for each in sorted(tenants)] + [("people", each) for each in sorted(people)]
        for first in range(0, len(asked), _ASKED_AT_ONCE):
            part = asked[first : first + _ASKED_AT_ONCE]
            body = {kind: [each for of, each in part if of == kind] for kind in ("tenants", "people")}
            match await self._post("gone", body):
                case Away() as away:
                    return away
                case (200, {"tenants": list(some), "people": list(others)}, _):
                    if any(each not in body["tenants"] for each in some) or any(
                        each not in body["people"] for each in others
                    ):
                        return Away("it names others than it was asked about")
                    found = Departed(found.tenants | frozenset(some), found.people | frozenset(others))
                case (status, _, _):
                    return Away(f"status {status}")
        return found

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _post(self, route: str, body: dict[str, Any]) -> tuple[int, Any, httpx.Headers] | Away:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._timeout, trust_env=False, follow_redirects=False)
        try:
            async with self._client.stream(
                "POST", self._url + route, json=body, headers={"Authorization": f"Bearer {self._key}"}
            ) as response:
                content = b""
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > _ANSWER_BYTES:
                        return Away("too long an answer")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Away(type(error).__name__)
        try:
            said = json.loads(content)
        except ValueError:
            return Away(f"status {response.status_code}, not JSON")
        return response.status_code, said, response.headers


def _person_or_limit(status: int, said: Any, headers: httpx.Headers) -> Person | TooMany | Away:
    if status == 200:
        return _person(said)
    if status == 429:
        waited = headers.get("Retry-After", "")
        return TooMany(int(waited) if waited.isdecimal() else 60)
    return Away(f"status {status}, {_code(said)}")


def _person(said: Any) -> Person | Away:
    try:
        person = Person.model_validate(said)
        is_theirs = person.name == hub_user_name(person.tenant_id, person.user_id)
    except (ValidationError, ValueError):
        return Away("not a person")
    return person if is_theirs else Away("a name that is not the person's")


def _tenants(said: Any) -> ChooseTenant | Away:
    try:
        found = tuple((str(t["id"]), str(t["name"])) for t in said["error"]["details"]["tenants"])
    except (KeyError, TypeError):
        return Away("tenants missing")
    return ChooseTenant(found) if found else Away("no tenants")


def _code(said: Any) -> str:
    error = said.get("error") if isinstance(said, dict) else None
    return str(error.get("code", "")) if isinstance(error, dict) else ""
