"""``datapilot demo``: JupyterLab in French, with the demo notebook on the demo data, on this machine alone.

The data are made once and kept (a second start is quick, and what was added to the folder stays); everything the command
started is stopped with it, whether it ends by Ctrl-C, by a closed terminal or by ``kill``. JupyterLab asks nothing of the
outside: no news, no update check, no list of extensions. What the server logs goes to a file, so that the terminal says
only what the person needs. The hub takes this command over when it is there.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from datapilot_kernel.cli.common import note
from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import current_language, text

READY_TIMEOUT_S = 60
_DONE = ".complete"


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("demo", help=text("cli.help_demo"), description=text("cli.help_demo"))
    parser.add_argument("--port", type=int, default=8888, metavar="N", help=text("cli.help_port"))
    parser.add_argument("--data", default="demo-data", metavar="DIR", help=text("cli.help_data"))
    parser.add_argument("--no-browser", action="store_true", help=text("cli.help_no_browser"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prepare the folder, start JupyterLab, wait until it answers, stay until Ctrl-C."""
    if find_spec("jupyterlab") is None:
        raise BadInput("cli.demo_no_lab")
    folder = Path(args.data).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    data = _data(folder)
    _notebooks(folder)
    token = secrets.token_urlsafe(24)
    port = args.port if _is_free(args.port) else _free_port()
    if args.port not in (0, port):
        note(text("cli.demo_other_port", port=args.port))
    note(text("cli.demo_starting"))
    # All three, since a job of a shell without a terminal inherits Ctrl-C ignored.
    for ending in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(ending, _interrupt)
    log = folder / ".lab" / "jupyterlab.log"
    environment = _environment(folder, data, token)
    with log.open("wb") as written:
        lab = subprocess.Popen(  # noqa: S603 -- our own interpreter
            _command(folder, port), env=environment, stdout=written, stderr=written, start_new_session=True
        )
    try:
        _await_lab(lab, port, log)
        url = f"http://127.0.0.1:{port}/lab/tree/Decouverte.ipynb?token={token}"
        note(text("cli.demo_data_ready", folder=data))
        note(text("cli.demo_walls"))
        # The address is the command's result: standard output, where a script can read it.
        print(text("cli.demo_ready", url=url), flush=True)
        if not args.no_browser and _has_screen():
            webbrowser.open(url)
        code = lab.wait()
        note(text("cli.demo_ended", path=log))
        return 3 if code else 0
    except KeyboardInterrupt:
        note(text("cli.demo_stopped"))
        return 0
    finally:
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave kernels behind
        _stop(lab)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _has_screen() -> bool:
    """Tell whether a browser can be opened here: not on a server, where a text browser would take the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _data(folder: Path) -> Path:
    """Return the folder of French CSV files, made once a month (relative periods need recent data) and imported."""
    from datapilot_kernel.demo.loader import load_tenant, tenants
    from datapilot_kernel.engine import today
    from datapilot_kernel.sources import open_source

    tenant = tenants()["maison-lumiere"]
    data, done, day = folder / tenant.slug, folder / _DONE, today()
    if not done.exists() or done.read_text(encoding="utf-8")[:7] != day.isoformat()[:7]:
        note(text("cli.demo_making_data"))
        load_tenant(tenant, str(data), today=day)
        done.write_text(day.isoformat(), encoding="utf-8")
    note(text("cli.demo_importing"))
    open_source(str(data)).close()
    return data


def _notebooks(folder: Path) -> None:
    """Copy the demo notebooks that are not there yet: what a person changed is theirs."""
    with as_file(files("datapilot_kernel.demo").joinpath("notebooks")) as shipped:
        for notebook in sorted(shipped.glob("*.ipynb")):
            target = folder / notebook.name
            if not target.exists():
                shutil.copyfile(notebook, target)


def _command(folder: Path, port: int) -> list[str]:
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}", "--LabApp.news_url=", "--LabApp.collaborative=False",
        "--LabApp.extension_manager=readonly", "--MultiKernelManager.default_kernel_name=datapilot", "--log-level=WARN",
    ]  # fmt: skip
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return command


def _environment(folder: Path, data: Path, token: str) -> dict[str, str]:
    """Return the environment of the server: French, no news, no update check, the demo source by default."""
    settings = folder / ".lab" / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    locale = "fr_FR" if current_language() == "fr" else "en"
    for plugin, values in {
        "translation-extension/plugin": {"locale": locale},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "extensionmanager-extension/plugin": {"enabled": False},
    }.items():
        path = settings / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        if not path.exists():  # what a person changed is theirs
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values), encoding="utf-8")
    from datapilot_kernel.demo.loader import layer_path, tenants

    with as_file(layer_path(tenants()["maison-lumiere"])) as layer:
        return os.environ | {
            "JUPYTER_TOKEN": token,
            "JUPYTERLAB_SETTINGS_DIR": str(settings),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".lab" / "workspaces"),
            "DATAPILOT_SOURCE": str(data),
            "DATAPILOT_SEMANTIC": str(layer),
        }


def _await_lab(lab: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while lab.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise BadInput("cli.demo_not_ready", path=str(log))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the server, which ends its kernels; a kernel whose server was killed ends by itself (``JPY_PARENT_PID``)."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return port != 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
