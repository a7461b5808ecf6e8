"""Names and flags of the cookies. All are host-only and out of reach of scripts (HttpOnly, SameSite=Lax, Secure on https).

Where the pages have a host of their own the names begin with ``__Host-``: no other host, and no script of a subdomain, can
set them. Where they share it with the hub the path is theirs alone, so that no browser sends the session to a notebook's
server (the path is not allowed with that prefix: ``__Secure-`` then).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from hub_config.operations.base_path import base_of
from hub_config.settings import Settings

DOOR_SECONDS = 3600
OAUTH_SECONDS = 600


@dataclass(frozen=True)
class Cookies:
    """The cookies of one installation."""

    prefix: str
    path: str
    secure: bool

    @classmethod
    def of(cls, settings: Settings) -> Cookies:
        """Return what fits the public address.

        >>> Cookies.of(Settings(public_url="https://datapilot.example")).session
        '__Host-datapilot'
        """
        base, secure = base_of(settings.public_url), settings.public_url.startswith("https:")
        hub = settings.hub_public_url
        # Below a path, but on a host where nothing else is served (a hub with subdomains): the whole host is ours.
        alone = not base or (hub is not None and urlsplit(hub).hostname != urlsplit(settings.public_url).hostname)
        prefix = ("__Host-" if alone else "__Secure-") if secure else ""
        return cls(prefix, "/" if alone else f"{base}/", secure)

    @property
    def session(self) -> str:
        """Name of the signed-in session's."""
        return f"{self.prefix}datapilot"

    @property
    def door(self) -> str:
        """Name of the one that binds forms to a browser before anybody is signed in."""
        return f"{self.prefix}datapilot-door"

    def oauth(self, state: str) -> str:
        """Name of the one that remembers a sign-in by the hub that is under way; several tabs have one each."""
        return f"{self.prefix}datapilot-oauth-{state[:12]}"

    def put(self, response: Response, name: str, value: str, *, seconds: int) -> None:
        """Set one."""
        response.set_cookie(name, value, max_age=seconds, path=self.path, secure=self.secure, httponly=True, samesite="lax")

    def drop(self, response: Response, name: str) -> None:
        """Take one away."""
        response.delete_cookie(name, path=self.path, secure=self.secure, httponly=True, samesite="lax")


def given(request: Request, name: str) -> str:
    """Return a cookie's value, or an empty text; longer than ours ever are is none."""
    value = request.cookies.get(name, "")
    return value if len(value) <= 4096 else ""
