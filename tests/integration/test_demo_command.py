"""``datapilot demo`` as a person starts it: address and accounts, the whole platform behind them, everything stopped, all kept."""

from __future__ import annotations

import json
import os
import pwd
import queue
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import psutil
import pytest

from hub_config.demo import processes
from hub_config.demo.seeding import COMPANIES
from tests.hub_world import Browser, Server, until

pytest.importorskip("jupyterhub")
READY = re.compile(r"http://127\.0\.0\.1:\d+/")
SETTINGS = {
    "@jupyterlab/translation-extension:plugin": '"default": "fr_FR"',
    "@jupyterlab/apputils-extension:notification": '"default": "false"',
}


class Demo:
    """The command, running. ``said`` is its standard output."""

    def __init__(self, folder: Path, account: str | None = None, **environment: str) -> None:
        self.folder = folder
        command = [
            sys.executable,
            "-m",
            "datapilot_kernel.cli",
            "demo",
            "--port",
            "0",
            "--data",
            folder.name,
            "--no-browser",
        ]
        self.errors = folder.parent / "erreurs.txt"
        began = time.monotonic()
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=folder.parent, user=account, group=None,
                env=os.environ | environment,
                # As a shell without a terminal starts it.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
            )  # fmt: skip
        self.said: list[str] = []
        self.browsers: list[Browser] = []
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        while not self.said or not READY.search(self.said[-1]):
            self.said.append(lines.get(timeout=150))
            assert self.said[-1], self.errors.read_text()[-3000:]
        self.ready_s = time.monotonic() - began
        found = READY.search(self.said[-1])
        assert found is not None
        self.url = found[0].rstrip("/")

    def _read(self, lines: queue.Queue[str]) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            for line in out:
                lines.put(line)
        lines.put("")

    def accounts(self) -> dict[str, str]:
        """The addresses and passwords that were printed."""
        return dict(re.findall(r"^\s+(\S+@\S+)\s+(\S+)", "".join(self.said), re.MULTILINE))

    def below(self) -> list[psutil.Process]:
        """Every process that it started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals) -> int:
        for browser in self.browsers:
            browser.close()
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def place() -> Iterator[tuple[Path, str | None]]:
    """A folder with a space in its path, and the account to run as: nobody, where the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="démo avec espace ") as root:
        account = "nobody" if os.geteuid() == 0 and _can_run_as("nobody") else None
        if account is not None:
            os.chown(root, pwd.getpwnam(account).pw_uid, -1)
        yield Path(root) / "demo-data", account


def _can_run_as(account: str) -> bool:
    try:
        return (
            subprocess.run([sys.executable, "-c", "import jupyterhub"], user=account, cwd="/", check=False).returncode == 0
        )
    except OSError:
        return False


def _browser(demo: Demo, email: str) -> Browser:
    browser = Browser(base_url=demo.url, follow_redirects=True, timeout=60, trust_env=False)
    demo.browsers.append(browser)
    browser.sign_in(email, demo.accounts()[email])
    return browser


def _server(demo: Demo, browser: Browser) -> Server:
    name = browser.get("/hub/home", follow_redirects=True).text
    found = re.search(r"[a-z2-7]{26}-[a-z2-7]{26}", name + "".join(c.path for c in browser.cookies.jar))
    assert found is not None
    server = Server(SimpleNamespace(url=demo.url), browser, found[0])
    until(server.opened, 90)
    return server


@pytest.mark.timeout(420)
def test_the_demo_from_start_to_stop_and_again(place: tuple[Path, str | None]) -> None:
    folder, account = place
    demo = Demo(folder, account, HOME="/nonexistent", DATAPILOT_DATABASE_URL="postgresql://nowhere/not-the-demos")
    try:
        emails = {company.email(before) for company in COMPANIES for _, before, _ in company.people}
        passwords = demo.accounts()
        assert passwords.keys() == emails
        assert len(set(passwords.values())) == len(emails)
        assert "Rien ne sépare vraiment les personnes" in demo.errors.read_text()
        for secret in [
            folder / "comptes.json",
            *(folder / "secrets").iterdir(),
            *(folder / "plateforme" / "keys").iterdir(),
        ]:
            assert secret.stat().st_mode & 0o077 == 0, secret

        # An analyst: JupyterLab in French, the welcome notebook, and an answer through the API.
        browser = _browser(demo, "analyste@maison-lumiere.example")
        server = _server(demo, browser)
        for plugin, wanted in SETTINGS.items():
            assert wanted in server.browser.get(f"{server.path}lab/api/settings/{plugin}").text
        files = {entry["name"] for entry in server.request("GET", "contents/").json()["content"]}
        assert files == {"Decouverte.ipynb", "partage"}
        cells = server.request("GET", "contents/Decouverte.ipynb").json()["content"]["cells"]
        question = next(cell["source"] for cell in cells if cell["source"].startswith("%ask"))
        kernel = server.kernel()
        answered = kernel.run(question, seconds=120)
        assert "Île-de-France" in answered, answered
        assert "€" in answered
        # What it holds: its own token, and no other secret of the platform.
        held = kernel.run("import os; print(os.environ)")
        for secret in (folder / "secrets").iterdir():
            assert secret.read_text() not in held
        assert "DATAPILOT_HUB_KEY" not in held
        kernel.run("import subprocess; p = subprocess.Popen(['sleep', '1000'], start_new_session=True)")

        # The other company's analyst has other data; a manager lands on dashboards.
        other = _browser(demo, "analyste@atelier-roche.example")
        asked = other.get("/services/datapilot/")
        assert "Atelier Roche" in asked.text
        assert "Maison Lumière" not in asked.text
        viewer = _browser(demo, "responsable@maison-lumiere.example")
        home = viewer.get("/").text
        assert "Les ventes" in home, "a manager finds a dashboard on the first day"
        assert "La production" not in home
        board = re.search(r'href="([^"]*/tableaux/[0-9a-f]{32})"', home)
        assert board
        assert "Chiffre d’affaires par région" in viewer.get(board[1]).text
        started = demo.below()
        assert {"traefik", "sleep"} <= {process.name() for process in started}
        kernel.close()
    finally:
        demo.process.send_signal(signal.SIGTERM)  # an impatient person
        code = demo.end(signal.SIGINT)
    assert code == 0
    _, alive = psutil.wait_procs(started, timeout=40)
    assert alive == []

    changed = folder / "hub" / "people" / server.name / "home" / "Decouverte.ipynb"
    changed.write_text("{}", encoding="utf-8")
    made = {path.name: path.stat().st_mtime_ns for path in (folder / "maison-lumiere").iterdir()}
    demo = Demo(folder, account)
    try:
        assert demo.accounts() == passwords
        assert made == {path.name: path.stat().st_mtime_ns for path in (folder / "maison-lumiere").iterdir()}
        assert changed.read_text(encoding="utf-8") == "{}"
        assert demo.ready_s < 60
        _browser(demo, "admin@atelier-roche.example")
        # A second one in the same folder would undo the first one's work.
        second = subprocess.run(
            [sys.executable, "-m", "datapilot_kernel.cli", "demo", "--data", folder.name, "--no-browser"],
            cwd=folder.parent, user=account, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert second.returncode == 2
        assert "tourne déjà" in second.stderr
        started = demo.below()
        assert len(started) >= 4  # the keeper, the hub, the proxy, the API
    finally:
        # Killed, without a word: the system tells the keeper.
        demo.end(signal.SIGKILL)
    if sys.platform == "linux":
        _, alive = psutil.wait_procs(started, timeout=40)
        assert alive == []
    with pytest.raises(httpx.HTTPError):
        httpx.get(demo.url, trust_env=False)


def test_without_the_hubs_packages_it_says_what_to_install(tmp_path: Path) -> None:
    code = """
import sys
from importlib import util
real = util.find_spec
util.find_spec = lambda name, *a: None if name == "jupyterhub" else real(name, *a)
from datapilot_kernel.cli import main
sys.exit(main(["demo"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "jupyterhub" in done.stderr
    assert 'pip install "datapilot[lab,hub,jupyterhub]"' in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "fichier").write_text("")
    command = [sys.executable, "-m", "datapilot_kernel.cli", "demo", "--data", "fichier/demo", "--no-browser"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert str(tmp_path / "fichier") in done.stderr
    assert "--data" in done.stderr


def test_orphans_of_a_killed_child_end_too(tmp_path: Path) -> None:
    """What a child leaves when it is killed has nobody above it but the first process of the system, and us."""
    code = """
import subprocess, sys
from hub_config.demo import processes
processes.adopt_orphans()
inner = "import subprocess; print(subprocess.Popen(['sleep', '1000'], start_new_session=True).pid, flush=True); input()"
child = subprocess.Popen([sys.executable, "-c", inner], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
orphan = int(child.stdout.readline())
child.kill(); child.wait()
print(orphan, orphan in processes.descendants(), flush=True)
processes.stop(child, grace_s=1)
print(processes.descendants())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    first, left = done.stdout.splitlines()
    assert first.endswith("True")
    assert left == "[]"
    until(lambda: not psutil.pid_exists(int(first.split()[0])), 30)


def test_data_of_another_month_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import date

    from hub_config.demo import seeding
    from hub_config.demo.folder import Folder

    made: list[str] = []
    told: list[Any] = []
    monkeypatch.setattr("datapilot_kernel.demo.loader.load_tenant", lambda tenant, where, today: made.append(tenant.slug))
    folder = Folder(tmp_path)
    for day in (date(2026, 3, 10), date(2026, 3, 31), date(2026, 4, 1)):
        seeding.make_data(folder, lambda key, **values: told.append(values["name"]), day=day)
    assert made == ["maison-lumiere", "atelier-roche"] * 2
    assert told == ["Maison Lumière", "Atelier Roche"] * 2
    assert json.loads(json.dumps(made)) == made


def test_a_port_that_is_taken_is_not_used() -> None:
    from hub_config.demo import running

    with socket.socket() as taken:
        taken.bind((running.HOST, 0))
        taken.listen()
        assert not running.is_free(taken.getsockname()[1])
    assert running.is_free(running.free_port())
    assert not running.is_free(70_000)


def test_processes_of_ours_are_found_whatever_their_name(tmp_path: Path) -> None:
    script = tmp_path / "a (b) c"
    script.write_text("#!/bin/sh\nsleep 1000\n")
    script.chmod(0o755)
    child = subprocess.Popen([str(script)])
    try:
        until(lambda: child.pid in processes.descendants(), 30)
    finally:
        child.kill()
        child.wait()
