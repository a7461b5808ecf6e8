"""JupyterLab and Voilà on a free port, and a Chromium that has no way out: what the browser tests share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat

from tests.e2e.quiet_network import CHROMIUM, FLAGS, chromium
from tests.servers import free_port

__all__ = ["CHROMIUM", "FLAGS", "chromium", "free_port"]

ROOT = Path(__file__).parents[2]


def notebook(path: Path, cells: list[str]) -> None:
    """Write a notebook of code cells for the DataPilot kernel."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    made.metadata["kernelspec"] = {"name": "datapilot", "display_name": "DataPilot", "language": "python"}
    made.metadata["language_info"] = {"name": "python", "mimetype": "text/x-python", "file_extension": ".py"}
    nbformat.write(made, path)


def environment(root: Path, **more: str) -> dict[str, str]:
    """Return an environment with settings, kernels and history of its own, the DataPilot kernel among them."""
    from datapilot_kernel.notebook.kernelspec import install

    install(str(root / "prefix"))
    settings = root / "settings" / "@jupyterlab"
    for plugin, values in {
        "translation-extension/plugin": {"locale": more.pop("locale", "fr_FR")},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "apputils-extension/themes": {"theme": more.pop("theme", "JupyterLab Light")},
    }.items():
        target = settings / f"{plugin}.jupyterlab-settings"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(values), encoding="utf-8")
    return os.environ | {
        "JUPYTER_PATH": str(root / "prefix" / "share" / "jupyter"),
        "JUPYTERLAB_SETTINGS_DIR": str(root / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(root / "workspaces"),
        "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
        "JUPYTER_CONFIG_DIR": str(root / "config"),
        "IPYTHONDIR": str(root / "ipython"),
        "PYTHONPATH": str(ROOT),
        **more,
    }


@contextmanager
def serving(command: list[str], url: str, env: dict[str, str], log: Path) -> Iterator[None]:
    """Run a server until the block ends; it answers at ``url`` when the block begins."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=out)
        try:
            deadline = time.monotonic() + 150
            while process.poll() is None and time.monotonic() < deadline:
                try:
                    with urllib.request.urlopen(url, timeout=60):
                        break
                except urllib.error.HTTPError:
                    break
                except (urllib.error.URLError, OSError):
                    time.sleep(0.2)
            else:
                raise RuntimeError(log.read_text(encoding="utf-8", errors="replace")[-2000:])
            yield
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


@contextmanager
def lab(root: Path, folder: Path, **more: str) -> Iterator[str]:
    """Serve JupyterLab over ``folder``; yield the address of its tree."""
    port = free_port()
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=", "--LabApp.news_url=", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with serving(command, f"http://127.0.0.1:{port}/api", environment(root, **more), root / "lab.log"):
        yield f"http://127.0.0.1:{port}/lab/tree"


@contextmanager
def voila(root: Path, path: Path, **more: str) -> Iterator[str]:
    """Serve one notebook by Voilà; yield its address."""
    port = free_port()
    command = [
        sys.executable, "-m", "voila", str(path), "--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1",
        "--VoilaConfiguration.show_tracebacks=True",
    ]  # fmt: skip
    with serving(command, f"http://127.0.0.1:{port}/voila/static/voila.js", environment(root, **more), root / "voila.log"):
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def page(*, width: int = 1280, height: int = 1600) -> Iterator[tuple[Any, list[str]]]:
    """Open a page; yield it with the list of addresses it asked for that are not this machine's."""
    from playwright.sync_api import sync_playwright

    outside: list[str] = []
    with sync_playwright() as play:
        browser = chromium(play)
        context = browser.new_context(viewport={"width": width, "height": height}, locale="fr-FR")
        context.set_default_timeout(60_000)
        opened = context.new_page()

        def seen(request: Any) -> None:
            address = request.url
            if not address.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "about:")):
                outside.append(address)

        context.on("request", seen)
        try:
            yield opened, outside
        finally:
            browser.close()
