"""A whole platform of real processes: traefik, JupyterHub, the API, two tenants; to sign in to, to break, to start again.

::

    @pytest.fixture(scope="session")      # tests/conftest.py has it: ``hub_world``, one for the whole run
    def hub_world(tmp_path_factory): ...

    def test_something(hub_world: HubWorld) -> None:
        browser = hub_world.sign_in("analyst")                   # an httpx client with the cookies of a browser
        server = hub_world.server("analyst")                     # their JupyterLab, started; stopped with the world
        kernel = server.kernel()
        assert kernel.run("1 + 1") == "2"
        hub_world.api.restart()

Unlike in the demo, the hub starts neither proxy nor API: every one of the three is a process of its own that a test can
kill, as in the containers. People, passwords and sources are those of :mod:`tests.platform_support` (``role@t1.example``,
:data:`~tests.platform_support.PASSWORD`); each tenant has one source « Ventes », with amounts of its own, and an accepted layer.
Browser tests take ``world.url`` and sign in by the form.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import websocket

from hub_config.hub_names import hub_user_name
from tests.platform_support import PASSWORD, World, make_world
from tests.questions_support import accept_layer, add_files
from tests.served import environment_of
from tests.servers import free_port

START_S = 120.0  # as long as the hub gives a start
# What each tenant's source holds: amounts that the other's has nowhere.
AMOUNTS = {
    "t1": ("Sud;2026-01-03;120,50", "Nord;2026-01-04;10,00", "Ouest;2026-02-06;300,25"),
    "t2": ("Lyon;2026-01-03;7777,77",),
}
TODAY = "2026-03-10"
_PROXY = """
[api]
[providers]
providersThrottleDuration = "0s"
[providers.file]
filename = {rules}
watch = true
[entryPoints.http]
address = "127.0.0.1:{port}"
[entryPoints.auth_api]
address = "127.0.0.1:{api_port}"
[global]
checkNewVersion = false
sendAnonymousUsage = false
"""


class Part:
    """One process of the platform. Its log is ``FOLDER/NAME.log``."""

    def __init__(
        self, name: str, command: list[str], environment: dict[str, str], folder: Path, ready: Callable[[], bool]
    ) -> None:
        self.name, self.command, self.environment, self.ready = name, command, environment, ready
        self.folder = folder
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Part:
        """Start it; return at once."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        return self

    def wait_ready(self, seconds: float = START_S) -> Part:
        """Wait until it answers."""
        until(lambda: self._alive() and self.ready(), seconds, lambda: f"{self.name}: {self.last_words()}")
        return self

    def _alive(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended: {self.last_words()}"
        return True

    def stop(self) -> None:
        """SIGTERM, as an operator or docker does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: no last word."""
        self._end(signal.SIGKILL)

    def restart(self, *, kill: bool = False) -> Part:
        """Stop (or kill), start, wait until it answers again."""
        self._end(signal.SIGKILL if kill else signal.SIGTERM)
        return self.start().wait_ready()

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(30)

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-3000:]


class Browser(httpx.Client):
    """A client with a browser's habits: cookies, redirects, the token of forms sent back."""

    def token(self, path: str = "/hub/") -> str:
        """The ``_xsrf`` cookie that belongs to a path; the longest that fits."""
        fitting = [c for c in self.cookies.jar if c.name == "_xsrf" and path.startswith(c.path)]
        return str(max(fitting, key=lambda c: len(c.path)).value) if fitting else ""

    def sign_in(self, email: str, password: str) -> None:
        """Sign in by the hub's form."""
        page = self.get("/hub/login")
        assert page.status_code == 200, page.text[:2000]
        form = {"username": email, "password": password, "_xsrf": self.token("/hub/login")}
        # Where one lands starts a server or renders a page: not what is asked for here.
        answer = self.post("/hub/login", data=form, follow_redirects=False)
        assert answer.status_code == 302, (answer.status_code, re.sub(r"<[^>]+>|\s+", " ", answer.text)[:2000])

    def cookie_header(self, path: str) -> str:
        """What a browser would send to a path, for a websocket."""
        return "; ".join(f"{c.name}={c.value}" for c in self.cookies.jar if path.startswith(c.path))


class Kernel:
    """A kernel of somebody's server, spoken to through the proxy."""

    def __init__(self, server: Server, kernel_id: str) -> None:
        self.server, self.id = server, kernel_id
        self._socket: websocket.WebSocket | None = None
        self.connect()

    def connect(self) -> None:
        """Open the connection (again): a restarted proxy cuts it, as JupyterLab's is cut, which then connects anew."""
        self.close()
        path = f"{self.server.path}api/kernels/{self.id}/channels"
        self._socket = websocket.create_connection(
            f"{self.server.world.url.replace('http', 'ws', 1)}{path}",
            header=[f"Cookie: {self.server.browser.cookie_header(path)}"], origin=self.server.world.url, timeout=60,
        )  # fmt: skip

    def close(self) -> None:
        """Close the connection, not the kernel."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def run(self, code: str, *, seconds: float = 60) -> str:
        """Run a cell; return all that it showed, as text. An error of the cell comes as its last lines."""
        assert self._socket is not None
        asked = uuid.uuid4().hex
        header = {"msg_id": asked, "username": "", "session": asked, "msg_type": "execute_request", "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        self._socket.send(
            json.dumps({"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"})
        )
        shown: list[str] = []
        deadline = time.monotonic() + seconds
        while True:
            self._socket.settimeout(max(0.1, deadline - time.monotonic()))
            message = json.loads(self._socket.recv())
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, found = message["header"]["msg_type"], message["content"]
            if kind == "stream":
                shown.append(found["text"])
            elif kind in ("execute_result", "display_data", "update_display_data"):
                shown.append(found["data"].get("text/plain", ""))
            elif kind == "error":
                shown.append(f"{found['ename']}: {found['evalue']}")
            elif kind == "status" and found["execution_state"] == "idle":
                return "\n".join(part for part in shown if part)


@dataclass
class Server:
    """Somebody's JupyterLab, running. Of ``world``, the address alone is used."""

    world: Any
    browser: Browser
    name: str
    kernels: list[Kernel] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Where it is below the platform's address."""
        return f"/user/{self.name}/"

    def opened(self) -> bool:
        """Start it, and tell whether its page is there."""
        page = self.browser.get(f"/hub/spawn/{self.name}")
        # A failed start is the hub's 500; a gateway's answer is the proxy's, whose rule still leads to the server of before.
        assert page.status_code < 500 or page.status_code in (502, 503, 504), page.text[:2000]
        lab = self.browser.get(f"{self.path}lab")
        return lab.status_code == 200 and "jupyter-config-data" in lab.text

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask its API, as its owner's page does."""
        headers = {"X-XSRFToken": self.browser.token(self.path)}
        return self.browser.request(method, f"{self.path}api/{path}", headers=headers, **options)

    def kernel(self) -> Kernel:
        """Start a DataPilot kernel."""
        made = self.request("POST", "kernels", json={"name": "datapilot"})
        assert made.status_code == 201, made.text
        kernel = Kernel(self, made.json()["id"])
        self.kernels.append(kernel)
        return kernel


class HubWorld:
    """The processes, the people, and ways in. Made by :func:`running_hub_world`."""

    def __init__(self, folder: Path, *, api: Mapping[str, Any] | None = None, **hub_settings: str) -> None:
        self.folder = folder
        self.port, ports = free_port(), [free_port() for _ in range(3)]
        hub_port, api_port, proxy_port = ports
        self.url = f"http://127.0.0.1:{self.port}"
        self.hub_url, self.api_url = f"http://127.0.0.1:{hub_port}", f"http://127.0.0.1:{api_port}/services/datapilot"
        self.hub_key, self.hub_token = secrets.token_hex(32), secrets.token_hex(32)
        proxy_password = secrets.token_hex(32)
        self.world: World = make_world(
            folder,
            public_url=f"{self.url}/services/datapilot/",
            trusted_proxies=("127.0.0.1",),
            hub_api_url=f"{self.hub_url}/hub/api",
            hub_public_url=f"{self.url}/hub/",
            hub_api_token=self.hub_token,
            hub_key=self.hub_key,
            hub_cache_seconds=5,
            hub_tidy_seconds=3,
            **(api or {}),
        )
        self.sources = {tenant: self._source(tenant) for tenant in AMOUNTS}
        self.hub_data = folder / "hub"
        rules = self.hub_data / "proxy" / "rules.toml"
        rules.parent.mkdir(parents=True)
        rules.touch()
        # Browser tests ask the page what its kernel does: besides the defaults, which the hub writes.
        lab = self.hub_data / "lab" / "etc" / "jupyter"
        lab.mkdir(parents=True)
        (lab / "jupyter_server_config.py").write_text("c.LabApp.expose_app_in_browser = True\n", encoding="utf-8")
        (folder / "traefik.toml").write_text(
            _PROXY.format(rules=json.dumps(str(rules)), port=self.port, api_port=proxy_port), encoding="utf-8"
        )
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("DATAPILOT_", "JUPYTER"))}
        hub = {
            "SECRETS_DIR": str(folder / "no-secrets"), "HUB_DATA_DIR": str(self.hub_data), "HUB_PUBLIC_URL": self.url,
            "HUB_PORT": str(hub_port), "HUB_KEY": self.hub_key, "HUB_API_TOKEN": self.hub_token,
            "HUB_SERVICE_URL": f"http://127.0.0.1:{api_port}", "HUB_PROXY_START": "false",
            "HUB_PROXY_API_URL": f"http://127.0.0.1:{proxy_port}", "HUB_PROXY_API_PASSWORD": proxy_password,
            "HUB_PROXY_RULES_FILE": str(rules), "HUB_SPAWNER": "local", "HUB_REFRESH_SECONDS": "5", "HUB_POLL_SECONDS": "3",
            "HUB_IDLE_MINUTES": "0",  # a culler would outlive a hub that is killed
            **{f"HUB_{name.upper()}": value for name, value in hub_settings.items()},
        }  # fmt: skip
        python = sys.executable
        import hub_config.hub

        config = Path(hub_config.hub.__file__).with_name("jupyterhub_config.py")
        self.proxy = Part(
            "proxy", [str(Path(python).with_name("traefik")), f"--configfile={folder / 'traefik.toml'}"], plain, folder,
            lambda: _status(f"{self.url}/nothing-there") is not None,
        )  # fmt: skip
        self.hub = Part(
            "hub", [python, "-m", "jupyterhub", "-f", str(config)],
            plain | {f"DATAPILOT_{name}": value for name, value in hub.items()}, folder,
            lambda: _status(f"{self.url}/hub/api/") == 200,
        )  # fmt: skip
        self.api = Part(
            "api",
            [python, "-m", "datapilot_kernel.cli", "serve", "--port", str(api_port), "--data", str(self.world.settings.data_dir)],
            environment_of(self.world.settings) | {"DATAPILOT_TODAY": TODAY}, folder,
            lambda: _status(f"{self.api_url}/api/v1/readyz") == 200,
        )  # fmt: skip
        self._browsers: list[Browser] = []
        self._servers: list[Server] = []

    def _source(self, tenant: str) -> str:
        lines = "region;date_vente;montant\n" + "".join(f"{line}\n" for line in AMOUNTS[tenant])
        source_id = add_files(self.world, tenant, content=lines)
        accept_layer(self.world, source_id, tenant)
        return source_id

    # ── people ────────────────────────────────────────────────────────────────────────────────────────────────────

    def name(self, role: str, tenant: str = "t1") -> str:
        """The hub user of the person of that role."""
        return hub_user_name(self.world.tenant_id(tenant), self.world.user_id(role, tenant))

    def browser(self) -> Browser:
        """A browser that has not been anywhere yet."""
        made = Browser(base_url=self.url, follow_redirects=True, timeout=90, trust_env=False)
        self._browsers.append(made)
        return made

    def sign_in(self, role: str, tenant: str = "t1", *, email: str | None = None) -> Browser:
        """Sign somebody in by the hub's form; return their browser."""
        browser = self.browser()
        browser.sign_in(email or f"{role}@{tenant}.example", PASSWORD)
        return browser

    def server(self, role: str, tenant: str = "t1", *, name: str | None = None, browser: Browser | None = None) -> Server:
        """Start somebody's server as they do, and open it."""
        browser = browser or self.sign_in(role, tenant)
        server = Server(self, browser, name or self.name(role, tenant))
        self._servers.append(server)
        until(server.opened, START_S, lambda: f"{server.name} does not start: {self.hub.last_words()}")
        return server

    def hub_api(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask the hub's API as the platform's API does."""
        headers = {"Authorization": f"token {self.hub_token}"}
        return httpx.request(
            method, f"{self.hub_url}/hub/api/{path}", headers=headers, timeout=60, trust_env=False, **options
        )

    def is_running(self, name: str) -> bool:
        """Tell whether the hub knows a running server of somebody's."""
        found = self.hub_api("GET", f"users/{name}")
        return found.status_code == 200 and bool(found.json().get("servers"))

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> HubWorld:
        try:
            for part in (self.proxy, self.api, self.hub):
                part.start()
            for part in (self.proxy, self.api, self.hub):
                part.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *problem: object) -> None:
        for kernel in (kernel for server in self._servers for kernel in server.kernels):
            kernel.close()
        for browser in self._browsers:
            browser.close()
        self._stop_servers()
        for part in (self.hub, self.api, self.proxy):
            part.stop()
        self.world.platform.people.close()
        self.world.platform.database.dispose()

    def _stop_servers(self) -> None:
        """Have the hub stop everybody's server; what it cannot reach is ended by its mark in the environment."""
        try:
            for user in self.hub_api("GET", "users?state=active").json():
                self.hub_api("DELETE", f"users/{user['name']}/server")
            until(lambda: not self.hub_api("GET", "users?state=active").json(), 30)
        except (httpx.HTTPError, AssertionError, ValueError):
            pass
        mark = f"HOME={self.hub_data}/people/".encode()
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdecimal() and mark in (entry / "environ").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue


def _status(url: str) -> int | None:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code
    except httpx.HTTPError:
        return None


def until(condition: Callable[[], object], seconds: float, otherwise: Callable[[], str] = lambda: "did not happen") -> None:
    """Wait for something that happens beside the test."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, otherwise()
        time.sleep(0.2)


@contextmanager
def running_hub_world(folder: Path, *, api: Mapping[str, Any] | None = None, **hub_settings: str) -> Iterator[HubWorld]:
    """A world of its own for a test that breaks more than it mends.

    ``api``: settings of the API (``{"parallel_refreshes": 1}``); ``hub_settings``: ``refresh_seconds="5"``.
    """
    with HubWorld(folder, api=api, **hub_settings) as world:
        yield world
