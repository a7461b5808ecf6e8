"""A notebook server as a container on its tenant's own network: the wall between people and between tenants.

Each person has one container, ``dp-<tenant>-<person>``, labelled with both. In it: user 1000, no capability, no new
privileges, a read-only root, ``/tmp`` in memory, the person's volume at home, the tenant's at ``~/partage``, limits of
memory (no swap), CPU, processes, open files and file size; a log that ends; an own IPC and cgroup namespace; no name server
but Docker's own for the network. Of the platform it reaches the hub, the proxy and the API, by alias, and nothing else
(:mod:`hub_config.hub.spawning.networks`); a rendering is alone with hub and API on a network of its own. The only secret in
it is its own hub token, or a rendering's grant.

The hub reaches Docker by the gate (:mod:`hub_config.docker_gate`), which holds every one of these to be so.

A restart of the hub, the proxy or the API leaves containers alone: the hub finds them again by their name. One that ended
is kept until the hub has seen why (memory, exit code, last lines of its log go to the hub's log), then removed. While
Docker does not answer, a container that was there counts as there.

:data:`KINDS` says what each kind of container is given; a rendering has no volume at all, and keeps nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import requests
from dockerspawner import DockerSpawner
from traitlets import Instance, observe

from datapilot_kernel.messages import Language
from hub_config import docker_names as names
from hub_config.hub.settings import HubSettings
from hub_config.hub.spawning.base import PersonSpawner, StartFailed, failure
from hub_config.hub.spawning.container_settings import ContainerSettings, load_container_settings
from hub_config.hub.spawning.docker_line import APIError, DockerException, DockerLine, NotFound, line_to_docker
from hub_config.hub.spawning.leftovers import Containers
from hub_config.hub.spawning.networks import NoAddresses, NoService, TenantNetworks
from hub_config.hub.spawning.storage import StorageWatch, Taken

HOME = "/home/datapilot"
SHARED = f"{HOME}/partage"
_CPU_PERIOD_US = 100_000
_TO_LISTEN_S = 1.0
_CALLS_AT_ONCE = 4
_UNTOUCHED = "rw,nosuid,nodev"


@dataclass(frozen=True)
class KindOfContainer:
    """What a kind of container is given.

    Attributes
    ----------
    keeps
        Whether it has the person's and the tenant's volume; else its home is in memory and goes with it.
    """

    keeps: bool


KINDS: dict[names.Kind, KindOfContainer] = {
    "notebook": KindOfContainer(keeps=True),
    "rendering": KindOfContainer(keeps=False),
}


def configure(settings: HubSettings, c: Any) -> None:
    """Have servers started as containers."""
    given = load_container_settings()
    c.JupyterHub.spawner_class = ContainerSpawner
    c.ContainerSpawner.given = given
    c.ContainerSpawner.image = given.image
    c.ContainerSpawner.hub_connect_url = f"http://{names.alias_of('hub')}:{settings.port}"
    c.ContainerSpawner.mem_limit = given.memory_bytes
    c.ContainerSpawner.cpu_limit = given.cpus
    c.ContainerSpawner.pull_policy = "never"
    c.ContainerSpawner.remove = True
    c.ContainerSpawner.use_internal_ip = True


def leftovers(settings: HubSettings) -> Containers:
    """Return what takes away what lies here of people and tenants who are gone."""
    given = load_container_settings()
    return Containers(given, lambda: line_to_docker(given))


class ContainerSpawner(PersonSpawner, DockerSpawner):
    """Starts a person's server as a container."""

    given = Instance(ContainerSettings, config=True, help="How containers are made.")

    _networks: ClassVar[TenantNetworks | None] = None
    _storage: ClassVar[StorageWatch | None] = None
    _calls: ClassVar[ThreadPoolExecutor | None] = None
    _line: ClassVar[DockerLine | None] = None

    # ── the line to Docker ────────────────────────────────────────────────────────────────────────────────────────

    @property
    def executor(self) -> ThreadPoolExecutor:
        """Return the threads in which Docker is waited for: several, or twenty people would start one after another."""
        if ContainerSpawner._calls is None:
            ContainerSpawner._calls = ThreadPoolExecutor(_CALLS_AT_ONCE, thread_name_prefix="docker")
        return ContainerSpawner._calls

    @property
    def client(self) -> DockerLine:
        """Return the line to Docker, made at the first call."""
        if ContainerSpawner._line is None:
            ContainerSpawner._line = line_to_docker(self.given)
        return ContainerSpawner._line

    @property
    def networks(self) -> TenantNetworks:
        """Return the keeper of tenants' networks: one for all servers."""
        if ContainerSpawner._networks is None:
            ContainerSpawner._networks = TenantNetworks(self.given, self.docker)
        return ContainerSpawner._networks

    @property
    def storage(self) -> StorageWatch:
        """Return the watch over volumes: one for all servers."""
        if ContainerSpawner._storage is None:
            ContainerSpawner._storage = StorageWatch(self.given, self.docker)
        return ContainerSpawner._storage

    # ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _object_name_default(self) -> str:
        person = self.person
        server = hashlib.sha256(self.name.encode()).hexdigest()[:8] if self.name else ""
        return names.container_name(person.tenant_id, person.user_id, server)

    @observe("image")
    def _image_changed(self, change: Any) -> None:
        """A container's name says whose it is, not of which image: nothing to do."""

    @property
    def labels(self) -> dict[str, str]:
        """Return the container's labels."""
        person = self.person
        return {
            names.INSTALLATION: self.given.installation,
            names.TENANT: person.tenant_id,
            names.PERSON: person.user_id,
            names.KIND: person.kind,
        }

    @property
    def _rendering(self) -> str | None:
        """Return the rendering's id; None: it is a person's server."""
        return self.person.user_id if self.person.kind == "rendering" else None

    @property
    def kind(self) -> KindOfContainer:
        """Return what a container of this kind is given."""
        return KINDS[self.person.kind]

    def get_env(self) -> dict[str, str]:
        """Return the environment; runtime files, which name the token, are in memory and not on the person's volume."""
        found: dict[str, str] = super().get_env()
        return found | {"JUPYTER_RUNTIME_DIR": "/tmp/jupyter"}  # noqa: S108 - the container's own

    # ── starting ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> tuple[str, int]:
        """Make what is missing (network, volumes), then the container; wait until it listens."""
        with self.refusing(), self._telling():
            self.begin()
            person = self.person
            self.object_name = self._object_name_default()
            if person.kind == "rendering" and self.given.rendering_image is not None:
                self.image = self.given.rendering_image
            self._room_for_one_more()
            self.network_name = await self.networks.ready(person.tenant_id, self._rendering)
            self.tell(20, "spawning.network")
            if self.kind.keeps:
                await self._make_volumes()
                self.tell(30, "spawning.volumes")
                await self._room_for_files()
            ip, port = await super().start()
            self.tell(50, "spawning.container")
            await self._listens(ip, port)
            self.tell(80, "spawning.waiting")
            return ip, port

    def _room_for_one_more(self) -> None:
        """Refuse to start what the machine has no memory for: the kernel would end somebody else's for it."""
        available = available_memory_bytes()
        if available is not None and available < self.given.memory_reserve_bytes:
            raise failure("containers.no_memory", log=f"only {available} bytes of memory available", language=self._lang)

    async def _make_volumes(self) -> None:
        person = self.person
        whose = {names.INSTALLATION: self.given.installation, names.TENANT: person.tenant_id}
        home = names.home_volume(person.tenant_id, person.user_id)
        shared = names.shared_volume(person.tenant_id)
        for name, labels, size in (
            (home, whose | {names.PERSON: person.user_id}, self.given.home_bytes),
            (shared, whose, self.given.shared_bytes),
        ):
            held = {"size": str(size)} if size and self.given.volume_quota == "engine" else {}
            await self.docker("create_volume", name, driver="local", driver_opts=held, labels=labels)

    async def _room_for_files(self) -> None:
        """Say that a volume is nearly full; refuse to start for one that is over while the disk is short."""
        person = self.person
        over = await self.storage.must_stop(person.tenant_id, person.user_id)
        if over is not None:
            used, limit = self._sizes(over)
            raise failure("containers.over_quota", log=_log_of(over), language=self._lang, used=used, limit=limit)
        for each in await self.storage.taken(person.tenant_id, person.user_id):
            if each.is_nearly_full:
                self.log.warning("%s: %s", self.object_name, _log_of(each))
                used, limit = self._sizes(each)
                self.tell(35, "containers.nearly_full", used=used, limit=limit)

    def _sizes(self, taken: Taken) -> tuple[str, str]:
        return size_text(taken.used_bytes, self._lang), size_text(taken.limit_bytes, self._lang)

    async def pull_image(self, image: str) -> None:
        """Look whether the image is there; nothing is ever pulled."""
        try:
            await self.docker("inspect_image", image)
        except NotFound:
            raise failure("containers.no_image", log=f"image missing: {image}", language=self._lang, image=image) from None

    async def create_object(self) -> dict[str, Any]:
        """Create the container."""
        config = self.described(command=await self.get_command(), environment=self.get_env())
        made: dict[str, Any] = await self.docker("create_container_from_config", config, self.object_name)
        return made

    def described(self, *, command: list[str], environment: dict[str, str]) -> dict[str, Any]:
        """Return the container as the engine is told: everything that is not said here is not given."""
        given, person = self.given, self.person
        memory = int(self.mem_limit or given.memory_bytes)
        tmpfs = {"/tmp": f"{_UNTOUCHED},size={given.tmp_bytes},mode=1777"}  # noqa: S108 - the container's own
        mounts = []
        if self.kind.keeps:
            mounts = [
                {"Type": "volume", "Source": names.home_volume(person.tenant_id, person.user_id), "Target": HOME},
                {"Type": "volume", "Source": names.shared_volume(person.tenant_id), "Target": SHARED},
            ]
        else:
            tmpfs[HOME] = f"{_UNTOUCHED},size={given.tmp_bytes},uid=1000,gid=1000,mode=0700"
        return {
            "Image": self.image,
            "Cmd": command,
            "Env": [f"{key}={value}" for key, value in sorted(environment.items())],
            "User": "1000:1000",
            "Labels": self.labels,
            "ExposedPorts": {f"{self.port}/tcp": {}},
            "HostConfig": {
                "NetworkMode": self.network_name,
                "Memory": memory,
                "MemorySwap": memory,
                "CpuPeriod": _CPU_PERIOD_US,
                "CpuQuota": int((self.cpu_limit or given.cpus) * _CPU_PERIOD_US),
                "PidsLimit": given.pids,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "ReadonlyRootfs": True,
                "Tmpfs": tmpfs,
                "Mounts": mounts,
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "2"}},
                "Ulimits": [
                    {"Name": "nofile", "Soft": 8192, "Hard": 8192},
                    {"Name": "core", "Soft": 0, "Hard": 0},
                    {"Name": "fsize", "Soft": given.file_bytes, "Hard": given.file_bytes},
                ],
                "IpcMode": "private",
                "CgroupnsMode": "private",
                "Init": True,
                # When the machine itself runs out of memory, a notebook goes before the platform does.
                "OomScoreAdj": 500,
                # Names beyond the network are asked of nobody: some engines pass questions on even from internal networks.
                "Dns": ["127.0.0.1"],
                "DnsSearch": ["."],
                "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            },
        }

    async def _listens(self, ip: str, port: int) -> None:
        """Wait until the server listens; one that has ended meanwhile is not waited for.

        The hub has a limit of its own for the whole start (``start_timeout``), which cancels this.
        """
        while True:
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(ip, port), _TO_LISTEN_S)
            except (OSError, TimeoutError):
                pass
            else:
                writer.close()
                return
            container = await self.get_object()
            if container is None or not container["State"]["Running"]:
                await self._ended_at_once(container)
            await asyncio.sleep(0.25)

    async def _ended_at_once(self, container: dict[str, Any] | None) -> None:
        incident = secrets.token_hex(4)
        if container is not None:
            self.log.error(
                "incident %s: %s ended at once: %s", incident, self.object_name, await self._last_words(container)
            )
            if container["State"].get("OOMKilled"):
                limit = size_text(container["HostConfig"]["Memory"], self._lang)
                raise failure("containers.ended_by_memory", log=f"incident {incident}", language=self._lang, limit=limit)
        raise failure("containers.ended_at_once", log=f"incident {incident}", language=self._lang, incident=incident)

    # ── living ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def get_object(self) -> dict[str, Any] | None:
        """Return the container; None: there is none."""
        try:
            found: dict[str, Any] = await self.docker("inspect_container", self.object_name)
        except NotFound:
            self.object_id = ""
            return None
        self.object_id = found["Id"]
        return found

    async def poll(self) -> str | int | None:
        """Return None while the container runs, and keep the platform attached to its network."""
        try:
            container = await self.get_object()
            if container is None:
                await self._let_go()
                return 0
            running = container["State"]["Running"]
            words = await self._kept_running(container) if running else await self._last_words(container)
            if words is None:
                return None
        except (requests.RequestException, DockerException) as problem:
            if not self.object_id:
                raise
            # A hub that takes this for the container's end would forget somebody's running work.
            self.log.warning("%s: Docker does not say: %s", self.object_name, problem)
            return None
        self.log.warning("%s has ended: %s", self.object_name, words)
        try:
            # The hub does not stop what has ended: nobody else would take it away.
            await self.remove_object()
            await self._let_go()
        except (requests.RequestException, DockerException) as problem:
            self.log.warning("%s is left behind until its next start: %s", self.object_name, problem)
        return words

    async def _let_go(self) -> None:
        """Take down a rendering's own network once its container is gone. What fails here the janitor takes up."""
        if self._rendering is None:
            return
        try:
            await self.networks.remove(self.person.tenant_id, self._rendering)
        except (requests.RequestException, DockerException) as problem:
            self.log.warning("the network of %s stays for now: %s", self.object_name, problem)

    async def delete_forever(self) -> None:
        """Leave nothing of a rendering. A person's volumes stay here: whether they go, the janitor asks the API."""
        await self._let_go()

    async def _kept_running(self, container: dict[str, Any]) -> str | None:
        """Look after a running server; return why it had to be stopped, None: it was not."""
        person = self.person
        await self.networks.keep(person.tenant_id, self._rendering)
        over = await self.storage.must_stop(person.tenant_id, person.user_id) if self.kind.keeps else None
        if over is None:
            return None
        await self.docker("stop", container["Id"])
        return f"stopped, the disk is short: {_log_of(over)}"

    async def _last_words(self, container: dict[str, Any]) -> str:
        state = container["State"]
        why = f"exit code {state.get('ExitCode')}" + (", out of memory" if state.get("OOMKilled") else "")
        try:
            said = await self.docker("logs", container["Id"], stdout=True, stderr=True, tail=20)
        except (requests.RequestException, DockerException):
            return why
        return f"{why}; {said.decode(errors='replace')[-2000:]!r}"

    async def stop(self, now: bool = False) -> None:
        """Stop and remove the container; its volumes stay."""
        if not self.object_id and await self.get_object() is None:
            self.clear_state()
            await self._let_go()
            return
        await super().stop(now=now)
        await self._let_go()

    async def remove_object(self) -> None:
        """Remove the container, also one that still runs: an earlier hub may have left it."""
        self.log.info("removing %s", self.object_name)
        try:
            await self.docker("remove_container", self.object_id, v=True, force=True)
        except NotFound:
            return
        except APIError as problem:
            if problem.status_code != 409:  # it is being removed already
                raise

    # ── what went wrong ───────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn what Docker, the gate and the networks raise into sentences that say what to do."""
        incident = secrets.token_hex(4)
        try:
            yield
        except StartFailed:
            raise
        except NoAddresses as problem:
            raise failure("containers.no_addresses", log=f"address pool used up: {problem}", language=self._lang) from None
        except NoService as problem:
            services = ", ".join(problem.services)
            raise failure(
                "containers.no_service", log=f"not running: {services}", language=self._lang, services=services
            ) from None
        except (DockerException, requests.RequestException) as problem:
            key = reason_of(problem)
            if key is None:
                raise
            self.log.error("incident %s: %s: %s", incident, self.object_name, problem)
            raise failure(key, log=f"incident {incident}", language=self._lang, incident=incident) from problem


def _log_of(taken: Taken) -> str:
    return f"a volume holds {taken.used_bytes} of {taken.limit_bytes} bytes"


_SAID = (
    ("no quota support", "containers.no_quota"),
    ("no space left on device", "containers.no_disk"),
    ("disk quota exceeded", "containers.no_disk"),
    ("cannot allocate memory", "containers.no_memory"),
    ("non-overlapping ipv4 address pool", "containers.no_addresses"),
    ("no available ipv4 addresses", "containers.no_addresses"),
    ("no available addresses", "containers.no_addresses"),
)


def reason_of(problem: Exception) -> str | None:
    """Return the catalogue's key of what Docker or the gate said; None: nothing that we know.

    >>> reason_of(requests.ConnectionError("refused"))
    'containers.engine_away'
    """
    if not isinstance(problem, APIError):
        return "containers.engine_away" if isinstance(problem, requests.RequestException) else None
    said = str(problem.explanation or "").lower()
    if said.startswith("docker gate:"):
        return "containers.engine_away" if problem.status_code == 502 else "containers.gate_refuses"
    return next((key for words, key in _SAID if words in said), None)


def available_memory_bytes(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Return the machine's available memory, also from inside a container; None: it does not say."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith("MemAvailable:")]
    return int(found[0][1]) * 1024 if found else None


def size_text(size_bytes: int, language: Language) -> str:
    """Return a size for people.

    >>> size_text(2 * 1024**3, "fr")
    '2,0 Go'
    """
    value = f"{size_bytes / 1024**3:.1f}"
    return f"{value} GB" if language == "en" else f"{value.replace('.', ',')} Go"
