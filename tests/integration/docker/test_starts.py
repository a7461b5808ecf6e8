"""The spawner on a real engine through a real gate: what it makes, and what the person reads when it does not start."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from docker.errors import APIError

from hub_config import docker_names as names
from hub_config.docker_gate.app import Gate
from hub_config.docker_gate.engine import EngineLine
from hub_config.docker_gate.settings import GateSettings
from hub_config.hub.spawning import containers
from hub_config.hub.spawning.base import StartFailed
from hub_config.hub.spawning.container_settings import ContainerSettings
from hub_config.hub.spawning.containers import ContainerSpawner
from hub_config.hub.spawning.networks import TenantNetworks
from hub_config.hub.spawning.storage import StorageWatch
from hub_config.hub_names import hub_user_name, rendering_user_name
from tests.docker_engine import Engine, put_file
from tests.gate_support import BAD_CONTAINERS, changed
from tests.servers import free_port

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

TOKEN = "g" * 40
LISTENS = ["python3", "-m", "http.server", "8888"]
POOL = "10.217.{}.0/28"


@dataclass
class Ground:
    """A gate before the engine, and spawners that go through it, without a hub."""

    engine: Engine
    image: str
    port: int
    installation: str
    tenants: list[str] = field(default_factory=list)

    def settings(self, **given: Any) -> ContainerSettings:
        values: dict[str, Any] = {
            "url": f"tcp://127.0.0.1:{self.port}", "token": TOKEN, "installation": self.installation, "image": self.image,
            "memory_bytes": 128 * 1024**2, "pids": 64, "cpus": 1.0, "tmp_bytes": 16 * 1024**2, "memory_reserve_bytes": 0,
            "address_pool": f"10.217.{hash(self.installation) % 250}.0/24", "network_prefix_bits": 28,
        }  # fmt: skip
        return ContainerSettings(_secrets_dir=None, **(values | given))

    def spawner(
        self, tenant: str | None = None, *, person: str | None = None, cmd: list[str] | None = None, rendering: bool = False,
        services: tuple[names.Service, ...] = (), reset: bool = True, **given: Any,
    ) -> ContainerSpawner:  # fmt: skip
        """A spawner of somebody's; ``services`` that its networks must have."""
        tenant, person = tenant or uuid.uuid4().hex, person or uuid.uuid4().hex
        self.tenants.append(tenant)
        if reset:
            ContainerSpawner._line = ContainerSpawner._networks = ContainerSpawner._storage = None
        settings = self.settings(**given)

        class Here(ContainerSpawner):
            def get_env(self) -> dict[str, str]:
                return {"JUPYTERHUB_API_TOKEN": "her-own"}

            async def _listens(self, ip: str, port: int) -> None:
                # The test is on the host, which is meant not to reach it: asked inside instead.
                while True:
                    found = await self.get_object()
                    if found is None or not found["State"]["Running"]:
                        await self._ended_at_once(found)
                    running = engine.client.containers.get(self.object_name)
                    with contextlib.suppress(APIError):  # it ends just now: the next look says so
                        if b":22B8 " in running.exec_run(["cat", "/proc/net/tcp"])[1]:
                            return
                    await asyncio.sleep(0.2)

        engine = self.engine
        made = Here(given=settings, image=settings.image, cmd=cmd or LISTENS)
        made.mem_limit, made.cpu_limit, made.remove, made.use_internal_ip = settings.memory_bytes, settings.cpus, True, True
        name = rendering_user_name(tenant, person) if rendering else hub_user_name(tenant, person)
        made.user = SimpleNamespace(name=name, url="/")
        if rendering:
            made.rendering_cmd = LISTENS
        if ContainerSpawner._networks is None:
            ContainerSpawner._networks = TenantNetworks(settings, made.docker, services=services)
        return made

    def inside(self, spawner: ContainerSpawner) -> Any:
        return self.engine.client.containers.get(spawner.object_name)


@pytest.fixture
def gate_settings(docker_engine: Engine) -> GateSettings:
    image = docker_engine.base_image()
    return GateSettings(
        _secrets_dir=None, token=TOKEN, installation=f"dptest-{uuid.uuid4().hex[:6]}", images=(image, "not-there:1"),  # type: ignore[call-arg]
        address_pool="10.217.0.0/16", network_prefix_bits=28,
    )  # fmt: skip


@pytest.fixture
def ground(docker_engine: Engine, gate_settings: GateSettings) -> Iterator[Ground]:
    server, port = serve(gate_settings, docker_engine)
    made = Ground(docker_engine, docker_engine.base_image(), port, gate_settings.installation)
    try:
        yield made
    finally:
        ContainerSpawner._line = ContainerSpawner._networks = ContainerSpawner._storage = None
        only = {"label": f"{names.INSTALLATION}={made.installation}"}
        client = docker_engine.client
        for container in client.containers.list(all=True, filters=only, ignore_removed=True):
            with contextlib.suppress(APIError):
                container.remove(force=True, v=True)
        for network in client.networks.list(filters=only):
            docker_engine.remove_network(network.id)
        for volume in client.volumes.list(filters=only):
            with contextlib.suppress(APIError):
                volume.remove(force=True)
        server()


def serve(settings: GateSettings, engine: Engine) -> tuple[Callable[[], None], int]:
    """A gate on a free port, by the server that the command uses; returns how to stop it, and the port."""
    config = uvicorn.Config(Gate(settings, EngineLine(engine.socket)), log_level="error", access_log=False, ws="none")
    server = uvicorn.Server(config)
    listening, port = bound()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)

    def stop() -> None:
        server.should_exit = True
        thread.join(20)
        listening.close()

    return stop, port


def bound() -> tuple[socket.socket, int]:
    """A port that nobody else can take before the server listens."""
    # Asyncio turns Nagle's waiting off only for a socket that says it is TCP.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.bind(("127.0.0.1", 0))
    return made, int(made.getsockname()[1])


def told(spawner: ContainerSpawner) -> str:
    """What the person reads of a start that fails."""

    async def start() -> None:
        try:
            await spawner.start()
        finally:
            with contextlib.suppress(Exception):
                await spawner.stop()

    with pytest.raises(StartFailed) as refused:
        asyncio.run(start())
    return str(refused.value.message)


# ── what is made ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_container_lives_and_ends(ground: Ground) -> None:
    async def life() -> None:
        spawner = ground.spawner()
        ip, port = await spawner.start()
        assert (ip.startswith("10.217."), port) == (True, 8888)
        assert await spawner.poll() is None
        steps = [event["progress"] async for event in first(spawner.progress(), 4)]
        assert steps == sorted(steps)
        container = ground.inside(spawner)
        # A hub that starts anew knows only what it wrote down.
        again = ground.spawner(spawner.person.tenant_id, person=spawner.person.user_id, reset=False)
        again.load_state(spawner.get_state())
        assert await again.poll() is None
        assert again.object_id == container.id
        container.kill()
        container.wait()
        assert "exit code 137" in str(await again.poll())
        await again.stop()
        assert await again.poll() == 0
        volume = ground.engine.client.volumes.get(names.home_volume(spawner.person.tenant_id, spawner.person.user_id))
        assert volume.attrs["Labels"][names.PERSON] == spawner.person.user_id

    asyncio.run(life())


async def first(events: AsyncIterator[Any], count: int) -> AsyncIterator[Any]:
    """The first events of a stream that does not end."""
    async for event in events:
        yield event
        count -= 1
        if not count:
            return


def test_what_was_left_over_under_the_name_is_replaced(ground: Ground) -> None:
    async def life() -> None:
        spawner = ground.spawner()
        await spawner.start()
        before = ground.inside(spawner).id
        await spawner.start()
        assert ground.inside(spawner).id != before
        await spawner.stop()

    asyncio.run(life())


def test_a_rendering_has_no_volume_and_keeps_nothing(ground: Ground) -> None:
    async def life() -> None:
        spawner = ground.spawner(rendering=True)
        await spawner.start()
        container = ground.inside(spawner)
        assert container.attrs["Mounts"] == []
        assert container.labels[names.KIND] == "rendering"
        assert container.exec_run(["sh", "-c", "touch /home/datapilot/x && ls /home/datapilot"])[1] == b"x\n"
        await spawner.stop()
        assert ground.engine.client.volumes.list(filters={"label": f"{names.INSTALLATION}={ground.installation}"}) == []

    asyncio.run(life())


def test_twenty_start_at_once(ground: Ground) -> None:
    async def life() -> float:
        tenants = [uuid.uuid4().hex for _ in range(4)]
        people = [ground.spawner(tenants[number % 4], reset=number == 0, memory_bytes=64 * 1024**2) for number in range(20)]
        started = time.monotonic()
        found = await asyncio.gather(*(spawner.start() for spawner in people))
        took = time.monotonic() - started
        assert len({ip for ip, _ in found}) == 20
        own = {"label": [f"{names.INSTALLATION}={ground.installation}", names.TENANT]}
        assert len(ground.engine.client.networks.list(filters=own)) == 4
        await asyncio.gather(*(spawner.stop() for spawner in people))
        return took

    assert asyncio.run(life()) < 200


# ── networks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_pool_ends_with_a_sentence_and_unused_networks_are_given_back(ground: Ground) -> None:
    pool = {"address_pool": f"10.217.{hash(ground.installation) % 250}.0/27"}

    async def life() -> None:
        people = [ground.spawner(reset=number == 0, **pool) for number in range(3)]
        for spawner in people[:2]:
            await spawner.start()
        with pytest.raises(StartFailed) as refused:
            await people[2].start()
        assert "DATAPILOT_HUB_ADDRESS_POOL" in str(refused.value.message)
        await people[0].stop()
        await people[2].start()
        assert await people[1].poll() is None, "the network of somebody who runs stays"
        networks = ground.engine.client.networks
        assert networks.list(names=[people[0].network_name]) == []

    asyncio.run(life())


def test_a_place_that_somebody_elses_network_has_is_passed_over(ground: Ground) -> None:
    pool = f"10.217.{hash(ground.installation) % 250}.0/27"
    tenant = uuid.uuid4().hex
    settings = ground.settings(address_pool=pool)
    places = list(TenantNetworks(settings, None)._places(tenant))  # type: ignore[arg-type]
    assert len(places) == len(set(places)) == 2
    foreign = ground.engine.client.networks.create(
        f"{ground.installation}-foreign", labels=ground.engine.labels, driver="bridge",
        ipam={"Driver": "default", "Config": [{"Subnet": str(places[0])}]},  # type: ignore[arg-type]
    )  # fmt: skip
    try:

        async def life() -> str:
            spawner = ground.spawner(tenant, address_pool=pool)
            return (await spawner.start())[0]

        import ipaddress

        assert ipaddress.ip_address(asyncio.run(life())) in places[1]
    finally:
        ground.engine.remove_network(foreign.id)


def test_services_are_attached_again_when_they_were_made_anew(ground: Ground) -> None:
    def service() -> Any:
        return ground.engine.client.containers.run(
            ground.image, ["sleep", "7200"], detach=True, init=True,
            labels={names.INSTALLATION: ground.installation, names.SERVICE: "api"},
        )  # fmt: skip

    async def life() -> None:
        spawner = ground.spawner(services=("api",))
        ContainerSpawner._networks._clock = lambda: 0.0  # type: ignore[union-attr]  # « a while » is not over before we say so
        with pytest.raises(StartFailed) as refused:
            await spawner.start()
        assert "docker compose ps" in str(refused.value.message)
        assert "api" in str(refused.value.message)
        before = service()
        await spawner.start()
        assert spawner.network_name in attached(before)
        before.remove(force=True)
        after = service()
        assert await spawner.poll() is None
        assert spawner.network_name not in attached(after), "believed for a while"
        ContainerSpawner._networks._kept.clear()  # type: ignore[union-attr]
        assert await spawner.poll() is None
        assert spawner.network_name in attached(after)
        assert ground.inside(spawner).exec_run(["getent", "hosts", "dp-api"])[0] == 0

    def attached(container: Any) -> list[str]:
        container.reload()
        return list(container.attrs["NetworkSettings"]["Networks"])

    asyncio.run(life())


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_missing_image_is_named(ground: Ground) -> None:
    said = told(ground.spawner(image="not-there:1"))
    assert "not-there:1" in said
    assert "docker load" in said


def test_a_refusal_of_the_gate_has_a_number(ground: Ground) -> None:
    assert "Le filtre Docker a refusé" in told(ground.spawner(image="another:1"))
    assert "Le filtre Docker a refusé" in told(ground.spawner(memory_bytes=10**12))
    assert "Le filtre Docker a refusé" in told(ground.spawner(token="w" * 40))


def test_an_engine_that_is_away_is_said_to_be(ground: Ground) -> None:
    assert "Docker ne répond pas" in told(ground.spawner(url=f"tcp://127.0.0.1:{free_port()}"))


def test_a_container_that_ends_at_once_is_not_waited_for(ground: Ground) -> None:
    started = time.monotonic()
    assert "s’est arrêté dès son démarrage" in told(ground.spawner(cmd=["sh", "-c", "echo pourquoi >&2; exit 3"]))
    assert time.monotonic() - started < 60


def test_a_container_that_runs_out_of_memory_is_told_so(ground: Ground) -> None:
    hog = ["python3", "-c", "x = b'x' * (1024**3)"]
    said = told(ground.spawner(cmd=hog, memory_bytes=64 * 1024**2))
    assert "faute de mémoire" in said
    assert "0,1 Go" in said


def test_a_machine_without_memory_starts_nobody(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "available_memory_bytes", lambda: 1000)
    assert "plus assez de mémoire" in told(ground.spawner(memory_reserve_bytes=2000))


def test_while_docker_is_away_a_running_container_counts_as_running(ground: Ground) -> None:
    async def life() -> None:
        spawner = ground.spawner()
        await spawner.start()
        ContainerSpawner._line = None
        spawner.given = ground.settings(url=f"tcp://127.0.0.1:{free_port()}")
        assert await spawner.poll() is None
        fresh = ground.spawner(url=f"tcp://127.0.0.1:{free_port()}")
        with pytest.raises(Exception, match=r"(?i)connection"):
            await fresh.poll()

    asyncio.run(life())


# ── the gate on the wire ─────────────────────────────────────────────────────────────────────────────────────────────


def exchange(port: int, *pieces: bytes) -> bytes:
    """Send bytes as they are; return everything that comes back."""
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        line.settimeout(10)
        with contextlib.suppress(OSError):
            for piece in pieces:
                line.sendall(piece)
        said = b""
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_WR)
            while piece := line.recv(65_536):
                said += piece
        return said


HEAD = b"Host: docker\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /v1.41/containers/x/attach?stream=1 HTTP/1.1\r\n" + HEAD + b"Upgrade: tcp\r\nConnection: Upgrade\r\n\r\n",
        b"GET /v1.41/version HTTP/1.1\r\n" + HEAD + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n\0\1\2\3",
        b"GET /version HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        b"POST /v1.41/containers/prune HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET /version HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: xchunked\r\nContent-Length: 40\r\n\r\n"
        b"POST /v1.41/containers/prune HTTP/1.1\r\n\r\n",
        b"GET /version HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"GET /version\r\n X: POST /containers/prune HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET http://docker/containers/../info HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"CONNECT docker:80 HTTP/1.1\r\n" + HEAD + b"\r\n",
    ],
    ids=["attach", "h2c", "both lengths", "odd encoding", "two lengths", "split line", "absolute", "connect"],
)  # fmt: skip
def test_nothing_is_smuggled_past_the_gate(docker_engine: Engine, request_bytes: bytes) -> None:
    """A recording engine: whatever the bytes, it hears of the version and of nothing else."""
    from tests.gate_support import ScriptedEngine

    heard = ScriptedEngine()
    settings = GateSettings(_secrets_dir=None, token=TOKEN, images=())  # type: ignore[call-arg]
    config = uvicorn.Config(Gate(settings, heard), log_level="critical", ws="none")  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    listening, port = bound()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        said = exchange(port, request_bytes)
        assert b"101 Switching" not in said
        assert {call[:2] for call in heard.asked} <= {("GET", "/version"), ("GET", "/v1.41/version")}
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


def used(answer: Any) -> None:
    """Read what docker-py only reads when it is asked to."""
    if hasattr(answer, "__next__"):
        list(answer)


def test_the_real_engine_takes_what_passes_and_hears_nothing_of_the_rest(ground: Ground) -> None:
    def everything() -> set[str]:
        """Of this run: others' come and go."""
        ours = (f"{names.INSTALLATION}={ground.installation}", *(f"{k}={v}" for k, v in ground.engine.labels.items()))
        found = (ground.engine.client.api.containers(all=True, filters={"label": each}) for each in ours)
        return {container["Id"] for some in found for container in some}

    async def life() -> None:
        spawner = ground.spawner()
        await spawner.start()
        await spawner.stop()
        good = spawner.described(command=LISTENS, environment={})
        name = spawner.object_name
        for what, (path, value) in BAD_CONTAINERS.items():
            with pytest.raises(APIError) as refused:
                await spawner.docker("create_container_from_config", changed(good, path, value), name)
            assert refused.value.status_code in (403, 404), what
        made = await spawner.docker("create_container_from_config", good, name)
        assert made["Id"]
        before = everything()
        foreign = ground.engine.client.containers.run(
            ground.image, ["sleep", "7200"], detach=True, labels=ground.engine.labels
        )
        try:
            for method, arguments in (
                ("start", ()), ("stop", ()), ("kill", ()), ("remove_container", ()), ("inspect_container", ()), ("logs", ()),
                ("exec_create", ("id",)), ("export", ()), ("get_archive", ("/etc",)), ("commit", ()), ("rename", ("x",)), ("top", ()),
            ):  # fmt: skip
                with pytest.raises(APIError) as refused:
                    used(await spawner.docker(method, foreign.id, *arguments))
                assert refused.value.status_code == 403, method
            for method, arguments in (("exec_create", ("id",)), ("export", ()), ("get_archive", ("/etc",)), ("commit", ())):
                with pytest.raises(APIError) as refused:
                    used(await spawner.docker(method, made["Id"], *arguments))
                assert refused.value.status_code == 403, method
            foreign.reload()
            assert foreign.status == "running"
            assert before < everything()
        finally:
            foreign.remove(force=True)

    asyncio.run(life())


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_whoever_is_over_is_stopped_when_the_disk_is_short_and_nobody_else(ground: Ground) -> None:
    free = [10**12]

    async def life() -> None:
        tenant = uuid.uuid4().hex
        limits: dict[str, Any] = {"home_bytes": 2 * 1024**2, "storage_check_minutes": 1, "disk_reserve_bytes": 10**9}
        hoarder = ground.spawner(tenant, **limits)
        frugal = ground.spawner(tenant, reset=False, **limits)
        now = [0.0]
        ContainerSpawner._storage = StorageWatch(
            hoarder.given, hoarder.docker, clock=lambda: now[0], free_bytes=lambda: free[0]
        )
        await hoarder.start()
        await frugal.start()
        put_file(ground.inside(hoarder), "/home/datapilot/big", bytes(4 * 1024**2))
        now[0] += 100
        assert await hoarder.poll() is None, "over, and the disk has room: nobody is stopped"
        free[0] = 10**6
        now[0] += 100
        assert "the disk is short" in str(await hoarder.poll())
        assert await hoarder.poll() == 0
        assert await frugal.poll() is None
        with pytest.raises(StartFailed) as refused:
            await hoarder.start()
        assert "0,0 Go" in str(refused.value.message)
        free[0] = 10**12
        await hoarder.start()
        assert any("faites de la place" in event["message"] for event in hoarder.__dict__["_told"])
        assert ground.inside(hoarder).exec_run(["stat", "-c", "%s", "/home/datapilot/big"])[1].strip() == b"4194304"

    try:
        asyncio.run(life())
    finally:
        ContainerSpawner._storage = None


def test_a_size_that_the_disk_cannot_hold_is_not_pretended(ground: Ground) -> None:
    """On ext4 the engine says so, and so does the start; where the disk has quotas, it holds."""
    spawner = ground.spawner(volume_quota="engine", home_bytes=10 * 1024**2)

    async def start() -> str:
        try:
            await spawner.start()
        except StartFailed as refused:
            return str(refused.message)
        container = ground.inside(spawner)
        return str(container.exec_run(["dd", "if=/dev/zero", "of=/home/datapilot/x", "bs=1M", "count=20"])[1])

    said = asyncio.run(start())
    assert "DATAPILOT_HUB_DOCKER_VOLUME_QUOTA" in said or "quota exceeded" in said or "No space" in said
