"""The whole platform in containers on a real engine, as docker-compose.yml has it: gate, hub, proxy, API; notebooks come and go.

::

    def test_something(container_world: ContainerWorld) -> None:
        server = container_world.server("analyst")             # through the browser's way in, the gate and the engine
        inside = container_world.inside("analyst")             # its container
        container_world.hub.restart()

The services run this very work tree, mounted into the base image; what a *person* gets is the notebook's own image, built from
its Dockerfile. Besides: a stand-in for the platform's database on the network « core », one for the internet on « edge ».
Everything goes when the world is left.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import random
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from docker.errors import APIError

from hub_config import docker_names as names
from tests.docker_engine import Engine, run_shell
from tests.hub_world import AMOUNTS, TODAY, Browser, HubWorld, Server, until
from tests.platform_support import World, make_world
from tests.served import environment_of

ROOT = Path(__file__).parents[1]
_LISTENER = (
    "python3 -c 'import http.server as h; h.ThreadingHTTPServer((\"\", {port}), h.BaseHTTPRequestHandler).serve_forever()'"
)
_PROXY = """
[api]
[providers]
providersThrottleDuration = "0s"
[providers.file]
filename = {rules}
watch = true
[entryPoints.http]
address = ":8000"
[entryPoints.auth_api]
address = "{inner}:8099"
[global]
checkNewVersion = false
sendAnonymousUsage = false
"""


class Service:
    """One of the platform's own containers; the same words as :class:`tests.hub_world.Part`."""

    def __init__(self, container: Any, ready: Callable[[], bool]) -> None:
        self.container, self.ready = container, ready

    def start(self) -> Service:
        """Start it; return at once."""
        self.container.start()
        return self

    def wait_ready(self, seconds: float = 90.0) -> Service:
        """Wait until it answers."""
        until(lambda: self._alive() and self.ready(), seconds, lambda: f"{self.container.name}: {self.last_words()}")
        return self

    def _alive(self) -> bool:
        self.container.reload()
        assert self.container.status == "running", f"{self.container.name} ended: {self.last_words()}"
        return True

    def stop(self) -> None:
        """SIGTERM, as « docker compose stop » does."""
        self.container.stop(timeout=20)

    def kill(self) -> None:
        """SIGKILL: no last word."""
        with contextlib.suppress(APIError):
            self.container.kill()

    def restart(self, *, kill: bool = False) -> Service:
        """Stop (or kill), start, wait until it answers again."""
        self.kill() if kill else self.stop()
        return self.start().wait_ready()

    def last_words(self) -> str:
        """The end of its log."""
        return self.container.logs(tail=60).decode(errors="replace")[-5000:]


class ContainerWorld(HubWorld):
    """The containers, the people, and ways in."""

    def __init__(self, engine: Engine, folder: Path, image: str, **hub_settings: str) -> None:
        self.engine, self.folder, self.image = engine, folder, image
        self.installation = f"dptest-{engine.run}-{secrets.token_hex(2)}"
        self.networks: dict[str, Any] = {}
        self._browsers: list[Browser] = []
        self._servers: list[Server] = []
        edge = self._network("edge", internal=False)
        self.inner_proxy_ip = str(self._network("core", internal=True)[10])
        self._network("docker", internal=True)
        self.proxy_ip, self.api_ip, self.internet_ip = (str(edge[place]) for place in (10, 11, 12))
        self.url = f"http://{self.proxy_ip}:8000"
        self.api_url = f"http://{self.api_ip}:8000/services/datapilot"
        self.hub_key, self.hub_token, self.gate_token, password = (secrets.token_hex(32) for _ in range(4))
        self.world: World = make_world(
            folder,
            public_url=f"{self.url}/services/datapilot/",
            hub_api_url="http://hub:8081/hub/api",
            hub_public_url=f"{self.url}/hub/",
            hub_api_token=self.hub_token,
            hub_key=self.hub_key,
            hub_cache_seconds=5,
            hub_tidy_seconds=3,
        )
        self.sources = {tenant: self._source(tenant) for tenant in AMOUNTS}
        self._make_services(password, hub_settings)

    # ── making ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _network(self, name: str, *, internal: bool) -> ipaddress.IPv4Network:
        """Make one of the platform's own networks; where a place is taken, another."""
        for _ in range(50):
            place = ipaddress.IPv4Network((int(ipaddress.IPv4Address("10.214.0.0")) + 16 * random.randrange(4096), 28))
            try:
                made = self.engine.client.api.create_network(
                    f"{self.installation}-{name}", driver="bridge", internal=internal, labels=self.engine.labels,
                    ipam={"Driver": "default", "Config": [{"Subnet": str(place)}]},
                )  # fmt: skip
            except APIError as error:
                if "overlap" not in str(error):
                    raise
                continue
            self.networks[name] = self.engine.client.networks.get(made["Id"])
            return place
        raise AssertionError("no place for a network")

    def _container(
        self, name: str, command: list[str], *, networks: dict[str, str | None], environment: dict[str, str] | None = None,
        service: str | None = None, extra: dict[str, str] | None = None, **options: Any,
    ) -> Any:  # fmt: skip
        """Create one of the platform's containers, attached under its own name; ``networks``: name to address."""
        labels = self.engine.labels
        if service is not None:
            labels |= {names.INSTALLATION: self.installation, names.SERVICE: service}
        mounted = {str(path): {"bind": str(path), "mode": "ro"} for path in {ROOT, Path(sys.base_prefix)}}
        mounted[str(self.folder)] = {"bind": str(self.folder), "mode": "rw"}
        api = self.engine.client.api
        first, *rest = networks
        made = api.create_container(
            self.engine.base_image(), command, name=f"{self.installation}-{name}", environment=environment or {}, labels=labels,
            working_dir=str(self.folder),
            host_config=api.create_host_config(
                binds=mounted | {path: {"bind": path, "mode": "rw"} for path in (extra or {})}, init=True, cap_drop=["ALL"], **options
            ),
            networking_config=api.create_networking_config(
                {self.networks[first].name: api.create_endpoint_config(aliases=[name], ipv4_address=networks[first])}
            ),
        )  # fmt: skip
        container = self.engine.client.containers.get(made["Id"])
        for other in rest:
            self.networks[other].connect(container, aliases=[name], ipv4_address=networks[other])
        return container

    def _make_services(self, proxy_password: str, hub_settings: dict[str, str]) -> None:
        python, data = sys.executable, self.folder / "hub"
        rules = data / "proxy" / "rules.toml"
        rules.parent.mkdir(parents=True)
        rules.touch()
        (self.folder / "traefik.toml").write_text(
            _PROXY.format(rules=json.dumps(str(rules)), inner=self.inner_proxy_ip), encoding="utf-8"
        )
        datapilot = [python, "-m", "datapilot_kernel.cli"]
        common = {"PATH": f"{Path(python).parent}:/usr/bin:/bin", "LANG": "C.UTF-8", "DATAPILOT_SECRETS_DIR": "/nowhere"}
        hub = {
            "DATA_DIR": str(data), "PUBLIC_URL": self.url, "IP": "0.0.0.0", "PORT": "8081", "CONNECT_URL": "http://hub:8081",
            "KEY": self.hub_key, "API_TOKEN": self.hub_token, "SERVICE_URL": "http://api:8000",
            "SERVER_API_URL": "http://dp-api:8000/services/datapilot/", "PROXY_START": "false",
            "PROXY_API_URL": "http://proxy:8099", "PROXY_API_PASSWORD": proxy_password, "PROXY_RULES_FILE": str(rules),
            "SPAWNER": "containers", "REFRESH_SECONDS": "5", "POLL_SECONDS": "3",
            "DOCKER_URL": "tcp://docker-gate:2375", "DOCKER_TOKEN": self.gate_token, "DOCKER_INSTALLATION": self.installation,
            "DOCKER_IMAGE": self.image, "DOCKER_MEMORY_BYTES": str(1024**3), "DOCKER_PIDS": "256", "DOCKER_CPUS": "1",
            "DOCKER_TMP_BYTES": str(64 * 1024**2), "DOCKER_FILE_BYTES": str(32 * 1024**2), "DOCKER_STORAGE_CHECK_MINUTES": "0",
            **{name.upper(): value for name, value in hub_settings.items()},
        }  # fmt: skip
        socket = str(self.engine.socket)
        self.gate = Service(
            self._container(
                "docker-gate", [*datapilot, "docker-gate", "--listen", "0.0.0.0:2375", "--socket", socket],
                networks={"docker": None}, extra={socket: socket},
                environment=common | {
                    "DATAPILOT_GATE_TOKEN": self.gate_token, "DATAPILOT_GATE_INSTALLATION": self.installation,
                    "DATAPILOT_GATE_IMAGES": self.image,
                },
            ),
            lambda: self._answers("docker", "docker-gate", 2375),
        )  # fmt: skip
        self.proxy = Service(
            self._container(
                "proxy", [str(Path(python).with_name("traefik")), f"--configfile={self.folder / 'traefik.toml'}"],
                networks={"edge": self.proxy_ip, "core": self.inner_proxy_ip}, environment=common, service="proxy",
            ),
            lambda: _status(f"{self.url}/nothing-there") is not None,
        )  # fmt: skip
        self.api = Service(
            self._container(
                "api",
                [*datapilot, "serve", "--host", "0.0.0.0", "--port", "8000", "--data", str(self.world.settings.data_dir)],
                networks={"edge": self.api_ip, "core": None}, service="api",
                environment={
                    name: value for name, value in environment_of(self.world.settings).items() if name.startswith("DATAPILOT_")
                } | common | {"DATAPILOT_TODAY": TODAY},
            ),
            lambda: _status(f"{self.api_url}/api/v1/readyz") == 200,
        )  # fmt: skip
        config = ROOT / "hub_config" / "hub" / "jupyterhub_config.py"
        self.hub = Service(
            self._container(
                "hub", [python, "-m", "jupyterhub", "-f", str(config)], networks={"core": None, "docker": None},
                environment=common | {f"DATAPILOT_HUB_{name}": value for name, value in hub.items()}, service="hub",
            ),
            lambda: _status(f"{self.url}/hub/api/") == 200,
        )  # fmt: skip
        listen = ["sh", "-c", f"{_LISTENER.format(port=5432)} & {_LISTENER.format(port=80)}"]
        self.database = self._container("postgres", listen, networks={"core": None})
        self.internet = self._container("internet", listen, networks={"edge": self.internet_ip})

    # ── looking inside ────────────────────────────────────────────────────────────────────────────────────────────

    def container_name(self, role: str, tenant: str = "t1") -> str:
        """The container of the person of that role."""
        return names.container_name(self.world.tenant_id(tenant), self.world.user_id(role, tenant))

    def inside(self, role: str, tenant: str = "t1") -> Any:
        """The running container of the person of that role, by the engine's own socket."""
        return self.engine.client.containers.get(self.container_name(role, tenant))

    def address(self, container: Any, network: str) -> str:
        """A container's address on a network, by the network's full name."""
        container.reload()
        return str(container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"])

    def control(self, network: str) -> Any:
        """A container of ours on a network (full name), for proving that what is refused inside is there to be reached."""
        made = self.engine.client.containers.run(
            self.engine.base_image(), ["sleep", "7200"], detach=True, init=True, network=network, labels=self.engine.labels
        )
        return made

    def _answers(self, network: str, host: str, port: int) -> bool:
        """Whether something listens, seen from the base image on one of the platform's networks."""
        ip = self.address(self.gate.container, self.networks[network].name)
        code, _ = run_shell(self.gate.container, f"exec 3<>/dev/tcp/{ip}/{port}".join(["bash -c '", "'"]))
        return code == 0

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def hub_api(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask the hub's API, by the proxy."""
        headers = {"Authorization": f"token {self.hub_token}"}
        return httpx.request(method, f"{self.url}/hub/api/{path}", headers=headers, timeout=60, trust_env=False, **options)

    def __enter__(self) -> ContainerWorld:
        try:
            for container in (self.database, self.internet):
                container.start()
            for part in (self.gate, self.proxy, self.api, self.hub):
                part.start()
            for part in (self.gate, self.proxy, self.api, self.hub):
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
        own = {"label": f"{names.INSTALLATION}={self.installation}"}
        client = self.engine.client
        for container in client.containers.list(all=True, filters=own, ignore_removed=True):
            with contextlib.suppress(APIError):
                container.remove(force=True, v=True)
        for container in (self.gate.container, self.database, self.internet):
            with contextlib.suppress(APIError):
                container.remove(force=True, v=True)
        for network in [*client.networks.list(filters=own), *self.networks.values()]:
            self.engine.remove_network(network.id)
        for volume in client.volumes.list(filters=own):
            with contextlib.suppress(APIError):
                volume.remove(force=True)
        self.world.platform.people.close()
        self.world.platform.database.dispose()


def _status(url: str) -> int | None:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code
    except httpx.HTTPError:
        return None


def settle(seconds: float) -> None:
    """Give something that must not happen the time to happen."""
    time.sleep(seconds)
