"""Whoever goes here goes at the hub: their servers are stopped and their hub user is removed, with its tokens and cookies.

Who goes: somebody deleted or disabled, or whose tenant is deleted; and a viewer who still has what a viewer has not (a
server, the group of another role), because they were made one: they sign in again as what they are now. A tenant's
renderings go with the tenant, and one that this service began and forgot (it was killed) once it has ended. Nobody else of
the hub is touched, and nobody is ever made there: hub users come to be by signing in.

At once after the act, beside it (:meth:`HubLeavers.look`): an administrator's act never waits for the hub, and does not
fail with it. And again every ``hub_tidy_seconds`` the whole hub is looked through, which makes good what was missed while
the hub, or this process, was away. Each time the present state is asked for, so that doing it twice, by two processes, or in
any order does no harm.

The service's token at the hub needs ``list:users``, ``read:users:name``, ``read:users:groups``, ``read:servers``,
``delete:servers`` and ``delete:users``. A notebook's token here is worthless from the moment the act is done, whatever the
hub does: this is about processes and about the hub's own pages.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import httpx

from datapilot_kernel.errors import DataPilotError, logged_fault
from hub_config.database import Database, Tenant
from hub_config.hub_names import hub_user_name, person_of, rendering_of, role_group
from hub_config.people.hub import bounded, new_client
from hub_config.people.states import States
from hub_config.settings import Settings

log = logging.getLogger(__name__)

_PAGE = 100
_ANSWER_BYTES = 8 * 1024 * 1024
_RETRY_S = 5.0
_STOP_S = 30.0
_ENDED_S = 60.0
"""A rendering without a process for so long is over; one that begins has none for a moment."""
_JOIN_S = 15.0
_PAGINATED = "application/jupyterhub-pagination+json"


class HubAway(Exception):
    """The hub does not do what it is asked, now. Never leaves this module's thread."""


class HubLeavers:
    """Removes from the hub whoever is gone here. Without a hub, or without its token, does nothing."""

    def __init__(self, settings: Settings, database: Database, states: States, *, stop_s: float = _STOP_S) -> None:
        self._settings = settings
        self._database = database
        self._states = states
        self._stop_s = stop_s
        self._woken = threading.Condition()
        self._waiting: set[str] = set()
        self._all = True
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._said_away = ""
        self._ended: dict[str, float] = {}

    @property
    def enabled(self) -> bool:
        """True where there is a hub that listens to us."""
        return self._settings.hub_api_url is not None and self._settings.hub_api_token is not None

    def start(self) -> None:
        """Begin to look, the whole hub first. Safe twice."""
        if self.enabled and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="hub-leavers", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop looking. Safe twice."""
        with self._woken:
            self._stopping = True
            self._woken.notify()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_JOIN_S)

    def look(self, tenant_id: str, user_id: str) -> None:
        """Look at a person soon, after their change is in the database. Returns at once."""
        with self._woken:
            self._waiting.add(hub_user_name(tenant_id, user_id))
            self._woken.notify()

    def look_at_all(self) -> None:
        """Look through the whole hub soon (a tenant is gone). Returns at once."""
        with self._woken:
            self._all = True
            self._woken.notify()

    # ── the thread ────────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        due = 0.0
        while True:
            with self._woken:
                # What could not be done is tried again soon; otherwise until somebody wakes us or the time has come.
                if not self._stopping and (self._said_away or not (self._waiting or self._all)):
                    left = max(0.0, due - time.monotonic())
                    self._woken.wait(min(left, _RETRY_S) if self._said_away else left)
                if self._stopping:
                    return
                names, self._waiting = self._waiting, set()
                everybody, self._all = self._all or time.monotonic() >= due, False
            try:
                with new_client(self._settings) as client:
                    self.tidy(client, names=names, everybody=everybody)
            except (HubAway, DataPilotError) as problem:
                self._put_back(names, everybody=everybody, problem=problem)
            except Exception as error:  # noqa: BLE001 -- a thread's edge: the next look may go well
                self._put_back(names, everybody=everybody, problem=logged_fault(error, "hub leavers", log))
            else:
                self._said_away = ""
            if everybody:
                due = time.monotonic() + self._settings.hub_tidy_seconds

    def _put_back(self, names: set[str], *, everybody: bool, problem: Exception) -> None:
        with self._woken:
            self._waiting |= names
            self._all = self._all or everybody
        said = problem.log if isinstance(problem, DataPilotError) else str(problem)
        if said != self._said_away:
            log.warning("the hub is not tidied now: %s", said)
        self._said_away = said or "away"

    # ── the work ──────────────────────────────────────────────────────────────────────────────────────────────────

    def tidy(self, client: httpx.Client, *, names: set[str], everybody: bool) -> None:
        """Look at these hub users, or at all.

        Raises
        ------
        HubAway
            The hub does not do it now. What was done stays done.
        PlatformUnavailable
            The platform's database is away: nobody is removed for that.
        """
        hub = _HubApi(client, self._settings)
        if everybody:
            everyone = list(hub.users())
            self._note_ended_renderings(everyone)
            for found in everyone:
                self._settle(hub, found)
            return
        for name in sorted(names):
            found_one = hub.user(name)
            if found_one is not None:
                self._settle(hub, found_one)

    def _note_ended_renderings(self, everyone: list[dict[str, Any]]) -> None:
        """Note since when renderings have no process: whoever began them removes them, unless it was killed meanwhile."""
        now = time.monotonic()
        ended = {
            str(found.get("name", ""))
            for found in everyone
            if rendering_of(str(found.get("name", ""))) is not None and not found.get("servers")
        }
        self._ended = {name: self._ended.get(name, now) for name in ended}

    def _settle(self, hub: _HubApi, found: dict[str, Any]) -> None:
        name = str(found.get("name", ""))
        why = self._why_not(name, found)
        if why is None:
            return
        servers = list(found.get("servers") or {})
        for server in servers:
            hub.stop_server(name, server)
        hub.remove(name, within_s=self._stop_s, stopping=lambda: self._stopping)
        log.warning("removed from the hub: %s (%s), %d servers stopped", name, why, len(servers))

    def _why_not(self, name: str, found: dict[str, Any]) -> str | None:
        """Return why somebody is not to be at the hub as they are; None: all is well, or none of our business."""
        rendering = rendering_of(name)
        if rendering is not None:
            if not self._is_there(rendering[0]):
                return "rendering of a tenant that is gone"
            ended = self._ended.get(name)
            return None if ended is None or time.monotonic() - ended < _ENDED_S else "rendering that has ended"
        person = person_of(name)
        if person is None:
            return None
        state = self._states.of(*person)
        if state is None or not state.active:
            return "gone or disabled"
        if state.role == "viewer":
            others = {role_group(person[0], "administrator"), role_group(person[0], "analyst")}
            if found.get("servers") or others & set(found.get("groups") or ()):
                return "a viewer now"
        return None

    def _is_there(self, tenant_id: str) -> bool:
        with self._database.tenant(tenant_id, read_only=True) as session:
            tenant = session.get(Tenant, tenant_id)
            return tenant is not None and tenant.deleting_at is None


class _HubApi:
    """The few calls, as the service."""

    def __init__(self, client: httpx.Client, settings: Settings) -> None:
        assert settings.hub_api_token is not None
        self._client = client
        self._url = str(settings.hub_api_url).rstrip("/")
        self._headers = {"Authorization": f"token {settings.hub_api_token.get_secret_value()}", "Accept": _PAGINATED}

    def users(self) -> Iterator[dict[str, Any]]:
        """Yield every user. All pages are read first: what is removed meanwhile must not shift the next page."""
        found: list[dict[str, Any]] = []
        offset = 0
        while True:
            status, said = self._call("GET", f"/users?offset={offset}&limit={_PAGE}")
            if status != 200:
                raise HubAway(f"the list of users: status {status}")
            items = said.get("items") if isinstance(said, dict) else said
            if not isinstance(items, list):
                raise HubAway("the list of users is none")
            found += [item for item in items if isinstance(item, dict)]
            # A hub may give fewer than asked for: it says itself whether there are more.
            more = (said.get("_pagination") or {}).get("next") if isinstance(said, dict) else None
            if not items or not more:
                break
            offset += len(items)
        yield from found

    def user(self, name: str) -> dict[str, Any] | None:
        """Return one user; None: there is none."""
        status, said = self._call("GET", f"/users/{quote(name, safe='')}")
        if status == 404:
            return None
        if status != 200 or not isinstance(said, dict):
            raise HubAway(f"a user: status {status}")
        return said

    def stop_server(self, name: str, server: str) -> None:
        """Ask for a server to be stopped; it may take a while (202), or be over already (400, 404)."""
        where = f"/servers/{quote(server, safe='')}" if server else "/server"
        status, _ = self._call("DELETE", f"/users/{quote(name, safe='')}{where}")
        if status not in (202, 204, 400, 404):
            raise HubAway(f"stopping a server: status {status}")

    def remove(self, name: str, *, within_s: float, stopping: Callable[[], bool]) -> None:
        """Remove a user once their servers have stopped."""
        end = time.monotonic() + within_s
        while True:
            found = self.user(name)
            if found is None:
                return
            if not found.get("servers"):
                status, _ = self._call("DELETE", f"/users/{quote(name, safe='')}")
                if status in (204, 404):
                    return
                if status != 400:  # 400: a server is stopping
                    raise HubAway(f"removing a user: status {status}")
            if stopping() or time.monotonic() >= end:
                raise HubAway("a server does not stop")
            time.sleep(0.2)

    def _call(self, method: str, path: str) -> tuple[int, Any]:
        try:
            with self._client.stream(method, self._url + path, headers=self._headers) as response:
                status, body = response.status_code, bounded(response, limit_bytes=_ANSWER_BYTES)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise HubAway(type(error).__name__) from None
        said: Any = None
        with suppress(ValueError):
            said = json.loads(body) if body else None
        return status, said
