"""Starting the platform on this machine, and telling when it answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from datapilot_kernel.messages import current_language
from hub_config.demo.folder import Folder
from hub_config.demo.processes import end_with_parent

SERVICE = "datapilot"
HOST = "127.0.0.1"
_ASK_S = 2.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Tell whether somebody could listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
        return port != 0


def environment(folder: Folder, port: int) -> dict[str, str]:
    """Return the environment of the hub, and of the API, which it starts.

    What is there of Jupyter's own variables is left out: they belong to another Jupyter, in which this was started.
    """
    api, hub, proxy = free_port(), free_port(), free_port()
    own = f"http://{HOST}:{port}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    return kept | {
        "DATAPILOT_SECRETS_DIR": str(folder.secrets),
        "DATAPILOT_DATA_DIR": str(folder.platform),
        "DATAPILOT_REGISTRATION": "closed",
        "DATAPILOT_TRUSTED_PROXIES": HOST,
        "DATAPILOT_SHUTDOWN_GRACE_SECONDS": "2",
        "DATAPILOT_HUB_DATA_DIR": str(folder.hub),
        "DATAPILOT_HUB_LANGUAGE": current_language(),
        "DATAPILOT_HUB_PUBLIC_URL": own,
        "DATAPILOT_HUB_PORT": str(hub),
        "DATAPILOT_HUB_PROXY_API_URL": f"http://{HOST}:{proxy}",
        "DATAPILOT_HUB_SERVICE": SERVICE,
        "DATAPILOT_HUB_SERVICE_URL": f"http://{HOST}:{api}",
        # By name, found on the path that the hub makes: an interpreter's own path may have spaces in it.
        "DATAPILOT_HUB_SERVICE_COMMAND": f"{Path(sys.executable).name} -m datapilot_kernel.cli serve --port {api}",
        "DATAPILOT_HUB_SPAWNER": "local",
        "DATAPILOT_HUB_STOP_SERVERS_WITH_HUB": "true",
    }


def start_keeper(folder: Folder, port: int) -> subprocess.Popen[bytes]:
    """Start what runs the hub (:mod:`hub_config.demo.keeper`) in a session of its own: Ctrl-C is for the command alone."""
    with folder.log.open("wb") as log:
        return subprocess.Popen(  # noqa: S603 -- our own interpreter
            [sys.executable, "-m", "hub_config.demo.keeper", str(folder.root), str(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )


def start_hub(folder: Folder, port: int) -> subprocess.Popen[bytes]:
    """Start the hub; it writes where this process does."""
    import hub_config.hub

    (folder.hub / "proxy" / "rules.toml").unlink(missing_ok=True)  # routes of the last time, to ports of the last time
    file = Path(hub_config.hub.__file__).with_name("jupyterhub_config.py")
    return subprocess.Popen(  # noqa: S603 -- our own interpreter
        [sys.executable, "-m", "jupyterhub", "-f", str(file)],
        env=environment(folder, port),
        cwd=folder.hub,
        stdin=subprocess.DEVNULL,
        preexec_fn=end_with_parent,
    )


def await_answers(
    keeper: subprocess.Popen[bytes],
    port: int,
    *,
    timeout_s: float,
    told: Callable[[str, int], None],
    told_every_s: float = 10,
) -> bool:
    """Wait until the hub and the API answer through the proxy; False: one of them does not.

    Parameters
    ----------
    told
        Called every now and then with what is waited for (``hub``, ``api``) and the seconds so far.
    """
    began = last = time.monotonic()
    waiting = {"hub": f"http://{HOST}:{port}/hub/api/", "api": f"http://{HOST}:{port}/services/{SERVICE}/api/v1/readyz"}
    while waiting:
        for name, url in list(waiting.items()):
            if _answers(url):
                del waiting[name]
        now = time.monotonic()
        if waiting and (keeper.poll() is not None or now - began > timeout_s):
            return False
        if waiting and now - last >= told_every_s:
            last = now
            told(next(iter(waiting)), int(now - began))
        time.sleep(0.1)
    return True


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a company's proxy has no business here
    try:
        with opener.open(url, timeout=_ASK_S) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError, ValueError):
        return False
