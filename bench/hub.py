"""Signing in and starting to work, against a stock JupyterHub with the same way of starting servers, in the same run.

- *sign-in*: from the click on « Se connecter » to a JupyterLab that can be used (launcher and list of files are drawn), in
  Chromium with an empty cache. Cold: the person's server has to start. Warm: it runs, and they come with another browser.
- *memory*: what one more idle person takes (proportional set size, so that what processes share is counted once): the
  server alone; with a kernel that nobody used yet; with one that has answered a question.
- *crowd*: twenty people who sign in at the same moment: until the first, the middle and the last one have their JupyterLab.

Stock is JupyterHub as its documentation begins: a password for everybody, local processes, JupyterLab as it is installed,
the same traefik before it. Ours is the platform of :mod:`tests.hub_world`: sign-in against the API's people (with the real
password hash), groups, roles, scopes, our Lab defaults.

``python -m bench.hub sign_in memory crowd`` picks some. Run it alone on the machine: a start takes seconds of one core.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx

from hub_config.hub_names import hub_user_name
from tests.e2e.servers import CHROMIUM, FLAGS
from tests.hub_world import Browser, HubWorld, Server, until
from tests.platform_support import PASSWORD
from tests.servers import free_port

REPEATS = 5
CROWD = 20
USABLE = ".jp-LauncherCard"
FILES = ".jp-DirListing-content"

STOCK = """
c.JupyterHub.bind_url = "{url}/"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.db_url = "sqlite:///{folder}/stock.sqlite"
c.JupyterHub.cookie_secret = bytes.fromhex("{cookie}")
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/homes/{{username}}"
c.Spawner.args = {args!r}
c.Spawner.start_timeout = c.Spawner.http_timeout = 300
c.JupyterHub.concurrent_spawn_limit = 20
c.JupyterHub.proxy_class = "traefik_file"
c.TraefikFileProviderProxy.traefik_api_url = "http://127.0.0.1:{proxy_port}"
c.TraefikFileProviderProxy.dynamic_config_file = "{folder}/rules.toml"
c.TraefikFileProviderProxy.static_config_file = "{folder}/traefik.toml"
c.JupyterHub.services = [{{"name": "bench", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [
    {{"name": "bench", "services": ["bench"], "scopes": ["admin:users", "admin:servers", "read:users"]}},
]
"""


class Platform(Protocol):
    """What is measured."""

    name: str
    url: str

    def person(self, number: int) -> tuple[str, str, str]:
        """Somebody's address, password and hub name."""

    def api(self, method: str, path: str) -> httpx.Response:
        """Ask the hub's API."""


class Ours:
    """The platform."""

    name = "DataPilot"

    def __init__(self, world: HubWorld) -> None:
        from argon2 import PasswordHasher

        self.world, self.url = world, world.url
        self._known: dict[int, str] = {}
        self._hashed = PasswordHasher().hash(PASSWORD)

    def person(self, number: int) -> tuple[str, str, str]:
        email = f"bench{number}@t1.example"
        if number not in self._known:
            made = self.world.world.add_user("t1", email, "analyst", hashed_password=self._hashed)
            self._known[number] = hub_user_name(self.world.world.tenant_id("t1"), made)
        return email, PASSWORD, self._known[number]

    def api(self, method: str, path: str) -> httpx.Response:
        return self.world.hub_api(method, path)


class Stock:
    """JupyterHub as it comes."""

    name = "JupyterHub"

    def __init__(self, folder: Path) -> None:
        self.url, self.token = f"http://127.0.0.1:{free_port()}", secrets.token_hex(32)
        self._hub_port, self._folder = free_port(), folder
        args = ["--allow-root"] if os.geteuid() == 0 else []
        config = STOCK.format(
            url=self.url, hub_port=self._hub_port, folder=folder, cookie="5a" * 32, password=PASSWORD,
            proxy_port=free_port(), token=self.token, args=args,
        )  # fmt: skip
        (folder / "config.py").write_text(config, encoding="utf-8")

    def start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        with (self._folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(self._folder / "config.py")],
                cwd=self._folder, stdout=log, stderr=log, env=os.environ | {"PATH": path}, start_new_session=True,
            )  # fmt: skip
        until(lambda: process.poll() is None and _answers(f"{self.url}/hub/api/"), 90, lambda: str(self._folder / "log"))
        return process

    def person(self, number: int) -> tuple[str, str, str]:
        return f"bench{number}", PASSWORD, f"bench{number}"

    def api(self, method: str, path: str) -> httpx.Response:
        url = f"http://127.0.0.1:{self._hub_port}/hub/api/{path}"
        return httpx.request(method, url, headers={"Authorization": f"token {self.token}"}, timeout=120, trust_env=False)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def both() -> Iterator[list[Platform]]:
    """Both platforms, running."""
    with tempfile.TemporaryDirectory(prefix="bench-hub-") as root:
        ours, stock = Path(root) / "ours", Path(root) / "stock"
        ours.mkdir()
        stock.mkdir()
        with HubWorld(ours) as world:
            beside = Stock(stock)
            process = beside.start()
            try:
                yield [Ours(world), beside]
            finally:
                for user in beside.api("GET", "users?state=active").json():
                    beside.api("DELETE", f"users/{user['name']}/server")
                process.send_signal(signal.SIGTERM)
                process.wait(60)


def stop_server(platform: Platform, name: str) -> None:
    """Stop somebody's server, and wait until it is gone."""
    platform.api("DELETE", f"users/{name}/server")
    until(lambda: not platform.api("GET", f"users/{name}").json().get("servers"), 60)


# ── sign-in ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def visit(browser: Any, platform: Platform, number: int) -> float:
    """Sign in with a browser that knows nothing; return the seconds until JupyterLab can be used."""
    email, password, _ = platform.person(number)
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="fr-FR")
    page = context.new_page()
    page.goto(f"{platform.url}/hub/login")
    page.fill("input[name=username]", email)
    page.fill("input[name=password]", password)
    began = time.perf_counter()
    page.click("button[type=submit], input[type=submit]")
    page.wait_for_selector(USABLE, timeout=180_000)
    page.wait_for_selector(FILES, timeout=180_000)
    took = time.perf_counter() - began
    context.close()
    return took


def sign_in(platforms: list[Platform]) -> None:
    """Print cold and warm."""
    from playwright.sync_api import sync_playwright

    found: dict[tuple[str, str], list[float]] = {}
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for platform in platforms:  # the machine's caches are warm for both alike
            visit(browser, platform, 0)
            stop_server(platform, platform.person(0)[2])
        for number in range(1, REPEATS + 1):
            for platform in platforms:
                found.setdefault((platform.name, "cold"), []).append(visit(browser, platform, number))
                found.setdefault((platform.name, "warm"), []).append(visit(browser, platform, number))
                stop_server(platform, platform.person(number)[2])
        browser.close()
    _table("sign-in to usable JupyterLab, seconds", ("", "cold", "warm"), [
        [p.name, *(_spread(found[p.name, kind]) for kind in ("cold", "warm"))] for p in platforms
    ])  # fmt: skip


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):5.2f}  ({min(values):.2f}–{max(values):.2f})"


# ── memory ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def memory(platforms: list[Platform]) -> None:
    """Print what one more idle person takes. One is there already: what all share is not the second one's."""
    rows = []
    for platform in platforms:
        kernel_name = "datapilot" if isinstance(platform, Ours) else "python3"
        first, second = opened(platform, 100), opened(platform, 101)
        first_kernel = start_kernel(first, kernel_name)
        time.sleep(5)
        alone = pss_mib(second.name)
        kernel = start_kernel(second, kernel_name)
        time.sleep(3)
        unused = pss_mib(second.name)
        for each in (first_kernel, kernel):
            if isinstance(platform, Ours):
                assert "300,25" in each.run("%ask montant par région")
            else:
                each.run("import pandas, plotly.express as px; px.bar(x=['a'], y=[1])", seconds=120)
        time.sleep(3)
        rows.append([platform.name, f"{alone:6.0f}", f"{unused:6.0f}", f"{pss_mib(second.name):6.0f}"])
        for server in (first, second):
            stop_server(platform, server.name)
    _table(
        "one more idle person, MiB (proportional set size); stock's question: import pandas and plotly, draw a bar",
        ("", "server", "+ kernel", "after a question"), rows,
    )  # fmt: skip


def start_kernel(server: Server, kind: str) -> Any:
    """Start a kernel of that name."""
    from tests.hub_world import Kernel

    made = server.request("POST", "kernels", json={"name": kind})
    assert made.status_code == 201, made.text
    return Kernel(server, made.json()["id"])


def pss_mib(name: str) -> float:
    """Return the proportional memory of somebody's server and all below it."""
    import psutil

    mark = f"/user/{name}/"
    for process in psutil.process_iter():
        try:
            is_server = process.environ().get("JUPYTERHUB_SERVICE_PREFIX") == mark and "singleuser" in " ".join(
                process.cmdline()
            )
        except (psutil.Error, OSError):
            continue
        if is_server:
            return sum(_pss(each.pid) for each in [process, *process.children(recursive=True)]) / 1024
    raise AssertionError(f"no server of {name}")


def _pss(pid: int) -> int:
    try:
        said = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", said, re.MULTILINE)
    return int(found[1]) if found else 0


# ── crowd ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def opened(platform: Platform, number: int) -> Server:
    """Sign somebody in without a browser, start their server, and wait for its page."""
    email, password, name = platform.person(number)
    browser = Browser(base_url=platform.url, follow_redirects=True, timeout=180, trust_env=False)
    browser.sign_in(email, password)
    server = Server(platform, browser, name)
    until(server.opened, 300, lambda: f"{name} does not start")
    return server


def crowd(platforms: list[Platform]) -> None:
    """Print how twenty people fare who come at once."""
    rows = []
    for platform in platforms:
        numbers = range(200, 200 + CROWD)
        for number in numbers:
            platform.person(number)
        began = time.perf_counter()

        def one(number: int, platform: Platform = platform, began: float = began) -> float:
            opened(platform, number)
            return time.perf_counter() - began

        with ThreadPoolExecutor(CROWD) as pool:
            took = sorted(pool.map(_counted(one), numbers))
        good = [seconds for seconds in took if seconds >= 0]
        rows.append([
            platform.name, f"{len(good)} of {CROWD}", *(f"{v:6.1f}" for v in (good[0], statistics.median(good), good[-1]))
        ])  # fmt: skip
        for number in numbers:
            stop_server(platform, platform.person(number)[2])
    _table(f"{CROWD} people at once, seconds", ("", "got in", "first", "median", "last"), rows)


def _counted(work: Callable[[int], float]) -> Callable[[int], float]:
    def run(number: int) -> float:
        try:
            return work(number)
        except (AssertionError, httpx.HTTPError) as problem:
            print(f"  person {number}: {str(problem)[:200]}", file=sys.stderr)
            return -1.0

    return run


def _table(title: str, head: tuple[str, ...], rows: list[list[str]]) -> None:
    print(f"\n{title}")
    widths = [max(len(row[i]) for row in [list(head), *rows]) for i in range(len(head))]
    for row in [list(head), *rows]:
        print("  " + "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def main() -> int:
    """Run those named on the command line, or all."""
    every = {"sign_in": sign_in, "memory": memory, "crowd": crowd}
    wanted = sys.argv[1:] or list(every)
    if unknown := [name for name in wanted if name not in every]:
        print(f"unknown {unknown}; there are: {', '.join(every)}", file=sys.stderr)
        return 2
    with both() as platforms:
        for name in wanted:
            every[name](platforms)
    return 0


if __name__ == "__main__":
    sys.exit(main())
