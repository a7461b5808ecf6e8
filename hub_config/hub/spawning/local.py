"""A notebook server as a process of this machine: for the demo and for tests. It is no wall between people.

Every server runs under the hub's own account, so that a notebook's author who looks can read what another person's
process reads. What is kept apart is what one stumbles over: each person has a folder (0700), and in it the home, the runtime
files (connection files of kernels), the settings and the temporary files; the environment is made here from nothing,
and the only secret in it is the person's own hub token. Only containers separate people.

::

    DATA/people/<hub user>/home       what JupyterLab shows; ~/partage leads to the tenant's shared folder
    DATA/people/<hub user>/private    runtime files, settings, history, temporary files (a rendering's folder goes with it)
    DATA/shared/<tenant>              shared by the tenant's people
    DATA/welcome[/<tenant>]/*.ipynb   copied into a home that is made new: what a person deletes does not come back
    DATA/lab                          JupyterLab's defaults (datapilot_kernel.notebook.lab)

A server outlives a hub that was restarted. The hub remembers its process id; ids are given again, so the moment the process
started is remembered with it, and another process of that id is not taken for it, nor stopped.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner
from traitlets import Unicode

from hub_config.hub.settings import HubSettings
from hub_config.hub.spawning.base import PersonSpawner
from hub_config.hub.spawning.leftovers import Folders
from hub_config.hub_names import rendering_of

_TO_END_S = 10
"""How long a server may take to end at each of the three ways of asking."""


def configure(settings: HubSettings, c: Any) -> None:
    """Have servers started as processes of this machine; write JupyterLab's defaults."""
    from datapilot_kernel.notebook import lab

    data = settings.data_dir.resolve()
    prefix = data / "lab"
    lab.write(prefix, locale="fr_FR" if settings.language == "fr" else "en")
    c.LocalSpawner.data_dir = str(data)
    # The module, not the script: no shebang line, which a path with spaces breaks.
    c.LocalSpawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
    c.LocalSpawner.rendering_cmd = [sys.executable, "-m", "dashboards.rendering"]
    c.PersonSpawner.rendering_cmd = [sys.executable, "-m", "dashboards.rendering"]
    c.PersonSpawner.interactive_cmd = [sys.executable, "-m", "dashboards.interactive"]
    c.LocalSpawner.interrupt_timeout = _TO_END_S
    c.LocalSpawner.term_timeout = _TO_END_S


def leftovers(settings: HubSettings) -> Folders:
    """Return what takes away what lies here of people and tenants who are gone."""
    return Folders(settings.data_dir.resolve())


class LocalSpawner(PersonSpawner, LocalProcessSpawner):
    """Starts a person's server as a process."""

    data_dir = Unicode(config=True, help="Folder above people, shared, welcome and lab.")

    @property
    def folder(self) -> Path:
        """Return the person's folder."""
        self.person  # noqa: B018 -- refuses a user who is not a person: the name becomes a path
        return Path(self.data_dir) / "people" / str(self.user.name)

    @property
    def home(self) -> Path:
        """Return what the person sees as their files."""
        return self.folder / "home"

    # ── starting ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> tuple[str, int]:
        """Make the folders, then start the process."""
        with self.refusing():
            self.begin()
            self._make_folders()
            self.tell(20, "spawning.volumes")
            where: tuple[str, int] = await super().start()
            self.started = moment_of(self.pid)
            self.tell(60, "spawning.waiting")
            return where

    def _make_folders(self) -> None:
        is_new = not self.home.exists()
        people, shared = Path(self.data_dir) / "people", Path(self.data_dir) / "shared" / self.person.tenant_id
        for folder in (people, self.folder, self.home, *self._private().values(), shared.parent, shared):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)  # whatever it was made with
        if self.person.kind == "rendering":
            return  # nothing of what a viewer may see goes where others read
        link = self.home / "partage"
        if not link.exists() and not link.is_symlink():
            link.symlink_to(shared, target_is_directory=True)
        if is_new:
            self._welcome()

    async def delete_forever(self) -> None:
        """Keep nothing of a rendering. A person's files stay here: whether they go, the janitor asks the API."""
        if rendering_of(self.user.name) is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _welcome(self) -> None:
        general = Path(self.data_dir) / "welcome"
        for notebook in sorted([*general.glob("*.ipynb"), *(general / self.person.tenant_id).glob("*.ipynb")]):
            shutil.copyfile(notebook, self.home / notebook.name)

    def _private(self) -> dict[str, Path]:
        private = self.folder / "private"
        return {
            "JUPYTER_RUNTIME_DIR": private / "runtime",
            "JUPYTER_DATA_DIR": private / "data",
            "JUPYTER_CONFIG_DIR": private / "config",
            "IPYTHONDIR": private / "ipython",
            "XDG_CACHE_HOME": private / "cache",
            "XDG_CONFIG_HOME": private / "config",
            "XDG_DATA_HOME": private / "data",
            "TMPDIR": private / "tmp",
        }

    def get_args(self) -> list[str]:
        """Add what a server of root's needs: it refuses to run as root unless told."""
        arguments: list[str] = super().get_args()
        needed = os.geteuid() == 0 and self.person.kind == "notebook"
        return [*arguments, "--allow-root"] if needed else arguments

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Return the environment with the person's own places; nobody of that name need exist on the machine."""
        from datapilot_kernel.notebook import lab

        interpreter = str(Path(sys.executable).parent)
        return {
            **env,
            **lab.environment(Path(self.data_dir) / "lab"),
            **{name: str(path) for name, path in self._private().items()},
            "HOME": str(self.home),
            "USER": str(self.user.name),
            "LANG": "C.UTF-8",
            "SHELL": "/bin/sh",
            "PATH": os.pathsep.join((interpreter, "/usr/local/bin", "/usr/bin", "/bin")),
        }

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Return what the new process does first: go home, and write what is its own alone."""
        home = str(self.home)

        def first() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # it may have been handed down ignored; stops begin with it
            os.umask(0o077)
            os.chdir(home)

        return first

    # ── the process, also one that an earlier hub started ─────────────────────────────────────────────────────────

    started: str | None = None

    def get_state(self) -> dict[str, Any]:
        """Remember the process and when it started."""
        state: dict[str, Any] = super().get_state()
        if self.pid and self.started is not None:
            state["started"] = self.started
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up the process of an earlier hub."""
        super().load_state(state)
        self.started = state.get("started")

    def clear_state(self) -> None:
        """Forget the process."""
        super().clear_state()
        self.started = None

    async def poll(self) -> int | None:
        """Return None while the process lives; another one that was given its id is not it."""
        if self.proc is None and self.pid and self.started is not None and moment_of(self.pid) != self.started:
            self.clear_state()
            return 0
        found: int | None = await super().poll()
        return found

    async def stop(self, now: bool = False) -> None:
        """Stop the server, and whatever it left in its own group."""
        pid = self.pid if await self.poll() is None else 0
        await super().stop(now=now)
        if pid:
            # The group of the session that the process was started with: only what did not leave it by itself.
            try:
                os.killpg(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                return


def moment_of(pid: int) -> str | None:
    """Return when a living process was started, as the system counts it. None: it is not there, or nobody can tell."""
    try:
        said = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name, in parentheses, may have spaces and parentheses itself.
    fields = said[said.rindex(b")") + 2 :].split()
    return None if fields[0] == b"Z" else fields[19].decode()


SPAWNER = LocalSpawner
"""What ``c.JupyterHub.spawner_class`` is set to."""
