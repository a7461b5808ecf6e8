"""The hub's servers of renderings: started, looked at and removed by the hub's REST API. The API has no docker of its own.

The service's token at the hub needs ``admin:users`` (a user is made for each rendering), ``servers`` and ``delete:servers``.
"""

from __future__ import annotations

import logging
import ssl
import threading

import httpx

from hub_config.errors import PlatformUnavailable
from hub_config.hub_names import rendering_user_name
from hub_config.settings import Settings

log = logging.getLogger(__name__)
_TIMEOUT = httpx.Timeout(30.0, connect=3.0)


class HubServers:
    """Starts and removes; thread-safe. Nothing is asked of the hub before the first rendering."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    @property
    def available(self) -> bool:
        """Whether this installation has a hub that renders."""
        return self._settings.hub_api_url is not None and self._settings.hub_api_token is not None

    def start(self, tenant_id: str, rendering_id: str, grant: str) -> None:
        """Have the process of a rendering started; returns when the hub began to.

        Raises
        ------
        PlatformUnavailable
            The hub is away or does not let us.
        """
        name = rendering_user_name(tenant_id, rendering_id)
        self._ask("POST", f"/users/{name}", good=(201, 409))
        self._ask("POST", f"/users/{name}/server", {"grant": grant}, good=(201, 202))

    def lives(self, tenant_id: str, rendering_id: str) -> bool:
        """Tell whether the process starts or runs; True as well while the hub does not say."""
        name = rendering_user_name(tenant_id, rendering_id)
        try:
            response = self._ask("GET", f"/users/{name}", good=(200, 404))
        except PlatformUnavailable:
            return True
        if response.status_code == 404:
            return False
        found = response.json()
        return bool(found.get("server") or found.get("pending") or found.get("servers"))

    def remove(self, tenant_id: str, rendering_id: str) -> bool:
        """Remove the process and its hub user; False: the hub could not now, and it is worth trying again."""
        name = rendering_user_name(tenant_id, rendering_id)
        try:
            self._ask("DELETE", f"/users/{name}/server", good=(202, 204, 400, 404))
            return self._ask("DELETE", f"/users/{name}", good=(204, 404, 400)).status_code != 400
        except PlatformUnavailable:
            return False

    def close(self) -> None:
        """Close the connections. Safe twice."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ask(self, method: str, path: str, body: object = None, *, good: tuple[int, ...]) -> httpx.Response:
        try:
            response = self._http().request(method, path, json=body)
        except httpx.HTTPError as error:
            raise PlatformUnavailable(log=f"hub: {type(error).__name__}") from None
        if response.status_code not in good:
            raise PlatformUnavailable(log=f"hub: {method} of a rendering: {response.status_code}")
        return response

    def _http(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                settings = self._settings
                if settings.hub_api_url is None or settings.hub_api_token is None:
                    raise PlatformUnavailable(log="no hub is set")
                context = ssl.create_default_context()
                if settings.ca_bundle_file is not None:
                    context.load_verify_locations(settings.ca_bundle_file)
                self._client = httpx.Client(
                    base_url=settings.hub_api_url,
                    headers={"Authorization": f"token {settings.hub_api_token.get_secret_value()}"},
                    timeout=_TIMEOUT,
                    verify=context,
                    trust_env=False,
                )
            return self._client
