"""``datapilot demo`` as a person starts it: an address, French menus, nothing asked outside, everything stopped, data kept."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

SETTINGS = {
    "@jupyterlab/translation-extension:plugin": ("locale", "fr_FR"),
    "@jupyterlab/apputils-extension:notification": ("fetchNews", "false"),
    "@jupyterlab/extensionmanager-extension:plugin": ("enabled", False),
}


def _start(folder: Path) -> tuple[subprocess.Popen[str], str, str]:
    """Start the demo with SIGINT ignored, as a shell without a terminal does; return it, its address and its token."""
    command = [sys.executable, "-m", "datapilot_kernel.cli", "demo", "--port", "0", "--data", str(folder), "--no-browser"]
    demo = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder.parent,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )  # fmt: skip
    assert demo.stdout is not None
    with demo.stdout:
        line = demo.stdout.readline()
    found = re.search(r"(http://127\.0\.0\.1:\d+)/lab/tree/Decouverte\.ipynb\?token=(\S+)", line)
    assert found is not None
    return demo, found[1], found[2]


def _ask(url: str, token: str, path: str, data: bytes | None = None) -> dict[str, object]:
    request = urllib.request.Request(f"{url}{path}", data=data, headers={"Authorization": f"token {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, object] = json.load(answer)
        return found


@pytest.mark.timeout(180)
def test_the_demo_from_start_to_stop_and_again(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo, url, token = _start(folder)
    try:
        for plugin, (key, value) in SETTINGS.items():
            assert json.loads(str(_ask(url, token, f"/lab/api/settings/{plugin}")["raw"]))[key] == value
        _ask(url, token, "/api/kernels", json.dumps({"name": "datapilot"}).encode())
        children = psutil.Process(demo.pid).children(recursive=True)
        assert len(children) >= 2  # the server and a kernel
    finally:
        demo.send_signal(signal.SIGINT)
    assert demo.wait(30) == 0
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []

    kept = folder / "Decouverte.ipynb"
    kept.write_text("{}", encoding="utf-8")
    made = {path.name: path.stat().st_mtime_ns for path in (folder / "maison-lumiere").iterdir()}
    began = time.monotonic()
    demo, _, _ = _start(folder)
    demo.terminate()
    assert demo.wait(30) == 0
    assert time.monotonic() - began < 60
    assert kept.read_text(encoding="utf-8") == "{}"
    assert made == {path.name: path.stat().st_mtime_ns for path in (folder / "maison-lumiere").iterdir()}
