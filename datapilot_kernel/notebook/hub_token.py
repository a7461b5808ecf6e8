"""The API's token of a notebook: the hub's token, exchanged, and exchanged again before its ten minutes are over.

What a container holds is the hub's token in ``JUPYTERHUB_API_TOKEN``; the API gives a short-lived one of audience
``notebook`` for it. Neither is ever shown: ``repr`` says nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from datapilot_kernel.errors import BadInput

if TYPE_CHECKING:
    import httpx

URL_VARIABLE, HUB_TOKEN_VARIABLE = "DATAPILOT_API_URL", "JUPYTERHUB_API_TOKEN"
_BEFORE_S = 30.0


class HubToken:
    """Gives the token to send; thread-safe.

    Parameters
    ----------
    hub_token
        None: ``JUPYTERHUB_API_TOKEN``, read at each exchange (the hub may renew it).
    """

    def __init__(self, hub_token: str | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._hub_token = hub_token
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    def __repr__(self) -> str:
        return "HubToken()"

    def current(self, client: httpx.Client) -> str:
        """Return a token that is good for a while yet.

        Raises
        ------
        BadInput
            There is no hub token, or the API does not take it.
        """
        with self._lock:
            if self._clock() >= self._until:
                self._exchange(client)
            return self._token

    def forget(self, token: str) -> None:
        """A token was refused: exchange anew at the next use."""
        with self._lock:
            if token == self._token:
                self._until = 0.0

    def _exchange(self, client: httpx.Client) -> None:
        hub_token = self._hub_token or os.environ.get(HUB_TOKEN_VARIABLE, "")
        if not hub_token:
            raise BadInput("remote.no_hub_token")
        asked_at = self._clock()
        answer = client.post("/auth/exchange", json={"token": hub_token})
        if answer.status_code != 200:
            raise BadInput("remote.not_signed_in", log=f"exchange: {answer.status_code}")
        found = answer.json()
        self._token = found["access_token"]
        life_s = float(found["expires_in_s"])
        self._until = asked_at + max(1.0, life_s - min(_BEFORE_S, life_s / 2))
