"""What every way of starting a notebook server shares: whose it is, what is in it, what the person reads meanwhile.

A mixin, to stand before a JupyterHub spawner::

    class LocalSpawner(PersonSpawner, SimpleLocalProcessSpawner): ...

It gives
- :attr:`~PersonSpawner.person`: tenant and person, read off the hub's user name. Nothing else of the hub is believed;
- :meth:`~PersonSpawner.get_env`: the environment. The hub's own variables, and ``DATAPILOT_API_URL``; the only secret
  in it is the server's own hub token, which the hub puts there. ``env_keep`` is empty: nothing of the hub's process;
- :attr:`~PersonSpawner.server_token_scopes`: what that token may do (:mod:`hub_config.hub.roles`);
- :meth:`~PersonSpawner.tell`, :meth:`~PersonSpawner.progress`: sentences for the progress page;
- :meth:`~PersonSpawner.refusing`: turns what went wrong into a sentence that says what to do.

Subclasses do their work inside ``with self.refusing():`` in ``start``, call :meth:`~PersonSpawner.tell` at each step,
and raise :func:`failure` with a key of ``locale/LANG/spawning.toml`` when they know what is wrong.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from jupyterhub.spawner import SpawnException
from traitlets import List, Unicode, default
from traitlets.config import LoggingConfigurable

from datapilot_kernel.messages import Language, text
from hub_config.hub.roles import RENDERING_TOKEN_SCOPES, SERVER_TOKEN_SCOPES
from hub_config.hub_names import person_of, rendering_of

SHORT = 12
"""Hex digits of an id in names of containers, networks and volumes."""


class StartFailed(SpawnException):
    """A start that failed for a reason that the person can be told. ``message`` is a catalogue's sentence."""


def failure(
    key: str, /, *, log: str = "", status: int = 503, language: Language | None = None, **values: Any
) -> StartFailed:
    """Return the exception that tells the person why a server does not start, and what to do.

    Parameters
    ----------
    key
        Of ``locale/LANG/spawning.toml``: ``spawning.no_memory``.
    log
        What the log says besides; never a secret.
    """
    # « reason » becomes the status line and a metric's label: ASCII, from a closed set.
    return StartFailed(
        text(key, language=language, **values), reason=key.rpartition(".")[2], log_message=log or key, status_code=status
    )


@dataclass(frozen=True)
class Person:
    """Whose server it is: 32 hexadecimal digits each. Of a rendering, ``user_id`` is the rendering's own id."""

    tenant_id: str
    user_id: str
    kind: Literal["notebook", "rendering"] = "notebook"

    @property
    def tenant12(self) -> str:
        """Return the tenant's short name in names of things."""
        return self.tenant_id[:SHORT]

    @property
    def user12(self) -> str:
        """Return the person's short name in names of things."""
        return self.user_id[:SHORT]


class PersonSpawner(LoggingConfigurable):
    """The mixin. Its ``self`` is also a JupyterHub ``Spawner``."""

    api_url = Unicode(config=True, help="Where the server reaches the platform's API: DATAPILOT_API_URL in its environment.")
    rendering_cmd = List(["python3", "-m", "dashboards.rendering"], config=True, help="The command of a rendering.")
    interactive_cmd = List(
        ["python3", "-m", "dashboards.interactive"], config=True, help="The command of an interactive dashboard."
    )
    service = Unicode("datapilot", config=True, help="The API's name at the hub.")
    pages_url = Unicode("", config=True, help="Where browsers reach the platform's pages: DATAPILOT_PAGES_URL.")
    language = Unicode("fr", config=True, help="Language of what the person reads: fr or en.")

    user: Any
    user_options: dict[str, Any]
    start_polling: Any
    _poll_callback: Any
    cmd: Any
    args: Any

    @default("env_keep")
    def _nothing_of_the_hubs_environment(self) -> list[str]:
        return []

    @default("server_token_scopes")
    def _scopes(self) -> list[str]:
        scopes = SERVER_TOKEN_SCOPES if self.person.kind == "notebook" else RENDERING_TOKEN_SCOPES
        return [scope.format(service=self.service) for scope in scopes]

    @property
    def person(self) -> Person:
        """Return whose server it is.

        Raises
        ------
        StartFailed
            The hub's user is not a person of the platform.
        """
        found = person_of(self.user.name)
        if found is not None:
            return Person(*found)
        rendering = rendering_of(self.user.name)
        if rendering is None:
            log = f"no person of the platform: {self.user.name!r}"
            raise failure("spawning.nobody", log=log, status=403, language=self._lang)
        return Person(*rendering, kind="rendering")

    @property
    def _lang(self) -> Language:
        return "en" if self.language == "en" else "fr"

    def said(self, key: str, /, **values: Any) -> str:
        """Return a sentence in the installation's language."""
        return text(key, language=self._lang, **values)

    # ── environment ───────────────────────────────────────────────────────────────────────────────────────────────

    def get_env(self) -> dict[str, str]:
        """Return the server's environment."""
        env: dict[str, str] = super().get_env()
        env["DATAPILOT_API_URL"] = self.api_url
        env["DATAPILOT_LANGUAGE"] = self.language
        if self.pages_url and self.person.kind == "notebook":
            env["DATAPILOT_PAGES_URL"] = self.pages_url
        if self.person.kind == "rendering":
            # The one secret of a rendering besides its hub token: it opens this rendering's routes for some minutes.
            env["DATAPILOT_GRANT"] = str(self.user_options.get("grant", ""))
        return env

    # ── death ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def add_poll_callback(self, callback: Any, *args: Any, **kwargs: Any) -> None:
        """Have the hub told of the server's end, also of one that came before this.

        The hub looks for a server's end as soon as it starts, and says whom to tell only once the proxy has its route: an
        end that is seen between the two stops the looking and is told to nobody (JupyterHub 6.1, ``poll_and_notify``).
        """
        super().add_poll_callback(callback, *args, **kwargs)
        if self._poll_callback is None:
            self.start_polling()

    # ── progress ──────────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, percent: int, key: str, /, **values: Any) -> None:
        """Say a step on the progress page: ``self.tell(30, "spawning.network")``."""
        events: list[dict[str, Any]] = self.__dict__.setdefault("_told", [])
        events.append({"progress": percent, "message": self.said(key, **values)})

    def begin(self) -> None:
        """Forget the steps of an earlier start, and choose what runs: a notebook server, or a rendering."""
        self.__dict__["_told"] = []
        if self.person.kind == "rendering":
            interactive = self.user_options.get("runs") == "interactive"
            self.cmd = [*(self.interactive_cmd if interactive else self.rendering_cmd)]
            self.args = []

    def get_args(self) -> list[str]:
        """Return the command's arguments: a rendering has none."""
        if self.person.kind == "rendering":
            return []
        found: list[str] = super().get_args()
        return found

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the steps as they are told; the hub stops asking when the start is over."""
        seen = 0
        yield {"progress": 5, "message": self.said("spawning.begin")}
        while True:
            events = self.__dict__.get("_told", [])
            seen = min(seen, len(events))
            for event in events[seen:]:
                yield event
            seen = len(events)
            await asyncio.sleep(0.2)

    # ── failures ──────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Turn any exception of a start into a sentence with a number to quote; the log has the rest."""
        try:
            yield
        except (StartFailed, asyncio.CancelledError):
            raise
        except Exception as problem:
            incident = secrets.token_hex(4)
            self.log.exception("incident %s: %s did not start", incident, self.user.name)
            raise failure(
                "spawning.failed",
                log=f"incident {incident}: {type(problem).__name__}",
                language=self._lang,
                incident=incident,
            ) from problem


def sentence_of(problem: BaseException | None, language: Language = "fr") -> str:
    """Return what the person reads of a start that failed, whatever it failed with.

    The hub's own words (English, with user names and addresses in them) are never shown.
    """
    if isinstance(problem, StartFailed):
        return problem.message
    if isinstance(problem, TimeoutError | asyncio.TimeoutError):
        return text("spawning.timeout", language=language)
    status = getattr(problem, "status_code", 500)
    if status == 429:
        return text("spawning.busy", language=language)
    if status == 403:
        return text("spawning.not_yours", language=language)
    return text("spawning.failed_unknown", language=language)
