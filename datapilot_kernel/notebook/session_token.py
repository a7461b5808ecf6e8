"""The API's token of somebody's own session, for a command on a machine of theirs: signed in, renewed, ended.

The same two methods as :class:`~datapilot_kernel.notebook.hub_token.HubToken`. The password is held for one request and
forgotten; ``repr`` says nothing.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from datapilot_kernel.errors import BadInput, SourceProblem

if TYPE_CHECKING:
    import httpx

_BEFORE_S = 30.0


class SessionToken:
    """Signs in at the first use.

    Parameters
    ----------
    tenant_id
        Which organisation, where the address is known to several; None: the only one.
    """

    def __init__(self, server: str, email: str, password: str, *, tenant_id: str | None = None) -> None:
        self._server = server.rstrip("/")
        self._sign_in: dict[str, str] | None = {"email": email, "password": password}
        if tenant_id:
            self._sign_in["tenant_id"] = tenant_id
        self._lock = threading.Lock()
        self._token = self._refresh = ""
        self._until = 0.0

    def __repr__(self) -> str:
        return "SessionToken()"

    def current(self, client: httpx.Client) -> str:
        """Return a token that is good for a while yet.

        Raises
        ------
        BadInput
            The server does not take the address and the password, or the address belongs to several organisations.
        """
        with self._lock:
            if self._sign_in is not None:
                body, self._sign_in = self._sign_in, None
                self._take(client.post("/auth/login", json=body))
            elif time.monotonic() >= self._until:
                self._take(client.post("/auth/refresh", json={"refresh_token": self._refresh}))
            return self._token

    def forget(self, token: str) -> None:
        """A token was refused: renew at the next use."""
        with self._lock:
            if token == self._token:
                self._until = 0.0

    def end(self) -> None:
        """End the session, if one was opened."""
        import httpx

        if not self._refresh:
            return
        with suppress(httpx.HTTPError):  # it ends by itself
            httpx.post(f"{self._server}/api/v1/auth/logout", json={"refresh_token": self._refresh}, timeout=5.0)
        self._token = self._refresh = ""

    def _take(self, answer: httpx.Response) -> None:
        try:
            found: dict[str, Any] = answer.json()
            if answer.status_code == 409 and found["error"]["code"] == "choose_tenant":
                known = ", ".join(f"{one['name']} ({one['id']})" for one in found["error"]["details"]["tenants"])
                raise BadInput("publish.which_tenant", known=known)
            if answer.status_code != 200:
                raise BadInput("remote.said", message=str(found["error"]["message"]), log=f"login: {answer.status_code}")
            self._token, self._refresh = found["access_token"], found["refresh_token"]
            life_s = float(found["expires_in_s"])
        except (ValueError, KeyError, TypeError):
            raise SourceProblem("remote.unreachable", log=f"login answered {answer.status_code}") from None
        self._until = time.monotonic() + max(1.0, life_s - min(_BEFORE_S, life_s / 2))
