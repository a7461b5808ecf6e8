"""``datapilot demo``: the whole platform on this machine, until Ctrl-C.

Two demo companies with their people and data, made at the first start and kept. The address and the accounts are the
command's result and go to standard output; what happens meanwhile goes to standard error, what the servers log to a file.
However it ends (Ctrl-C, ``kill``, a closed terminal), everything it started ends with it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import webbrowser
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datapilot_kernel.cli.common import note
from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import text

if TYPE_CHECKING:
    from hub_config.demo.folder import Folder
    from hub_config.demo.seeding import Account

KEPT = ("DATAPILOT_TODAY", "DATAPILOT_MODEL_KEY", "DATAPILOT_MODEL_BASE_URL", "DATAPILOT_MODEL_NAME")
"""What of the environment counts: the fixed day, and the language model."""

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, ``kill``, a closed terminal."""

READY_TIMEOUT_S = 120
_STOP_GRACE_S = 40
# What the demo needs of each extra, by the module that tells; (distribution, module).
_NEEDED = (
    ("jupyterlab", "jupyterlab"),
    ("fastapi", "fastapi"),
    ("uvicorn", "uvicorn"),
    ("alembic", "alembic"),
    ("jupyterhub", "jupyterhub"),
    ("jupyterhub-traefik-proxy", "jupyterhub_traefik_proxy"),
)


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("demo", help=text("local.help"), description=text("local.help"))
    parser.add_argument("--port", type=int, default=8888, metavar="N", help=text("local.help_port"))
    parser.add_argument("--data", default="demo-data", metavar="DIR", type=Path, help=text("local.help_data"))
    parser.add_argument("--no-browser", action="store_true", help=text("local.help_no_browser"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prepare, start, wait until it answers, stay until stopped; return the exit code."""
    missing = [name for name, module in _NEEDED if find_spec(module) is None]
    if missing:
        raise BadInput("local.missing", names=", ".join(missing))
    from hub_config.demo.folder import Folder

    os.umask(0o077)
    # The person's own settings are not the demo's: a database named there must not be filled with it.
    for name in [name for name in os.environ if name.startswith("DATAPILOT_") and name not in KEPT]:
        del os.environ[name]
    folder = Folder(args.data)
    folder.prepare()
    # All of them, since a job of a shell without a terminal inherits Ctrl-C ignored.
    for ending in ENDINGS:
        signal.signal(ending, _interrupt)
    with folder.taken():
        return _run(folder, args)


def _run(folder: Folder, args: argparse.Namespace) -> int:
    from datapilot_kernel.engine import today
    from hub_config.demo import processes, running, seeding
    from hub_config.settings import Settings

    keeper = None
    processes.adopt_orphans()
    try:
        settings = Settings(_secrets_dir=None, data_dir=folder.platform, log_level="error")
        people = seeding.seed(settings, folder, lambda key, **values: note(text(f"local.{key}", **values)), day=today())
        port = args.port if running.is_free(args.port) else running.free_port()
        if args.port not in (0, port):
            note(text("local.other_port", port=args.port))
        note(text("local.starting"))
        keeper = running.start_keeper(folder, port)
        if not running.await_answers(keeper, port, timeout_s=READY_TIMEOUT_S, told=_still):
            raise BadInput("local.not_ready", path=str(folder.log))
        _announce(folder, people, url := f"http://{running.HOST}:{port}/")
        if not args.no_browser and _has_screen():
            webbrowser.open(url)
        keeper.wait()
        note(text("local.ended", path=folder.log))
        return 3
    except KeyboardInterrupt:
        return 0
    finally:
        _take_no_more()
        if keeper is not None:
            _say("local.stopping")
            processes.stop(keeper, grace_s=_STOP_GRACE_S)
        _say("local.stopped")


def _announce(folder: Folder, people: list[Account], url: str) -> None:
    note(text("local.walls"))
    print(text("local.accounts", path=folder.accounts))
    width = max(len(person.email) for person in people)
    company = ""
    for person in people:
        if person.company != company:
            company = person.company
            print(f"  {company}")
        print(f"    {person.email:<{width}}  {person.password}  ({text(f'local.role.{person.role}')})")
    print(text("local.ready", url=url), flush=True)
    note(text("local.stop", folder=folder.root))


def _still(what: str, seconds: int) -> None:
    note(text("local.still", seconds=seconds, what=text(f"local.waiting_{what}")))


def _say(key: str) -> None:
    with suppress(OSError):  # the terminal may be what was closed
        note(text(key))


def _interrupt(*_: object) -> None:
    _take_no_more()
    raise KeyboardInterrupt


def _take_no_more() -> None:
    """Hear no further signal: an impatient second Ctrl-C must leave nothing behind."""
    for ending in ENDINGS:
        # A handler that does nothing, and not « ignored »: one that came together with the first would be complained about.
        signal.signal(ending, lambda *_: None)


def _has_screen() -> bool:
    """Tell whether a browser can be opened here: not on a server, where a text browser would take the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
