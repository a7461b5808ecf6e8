"""What the gate's tests share: the hub's own bodies, and an engine that is a script and records what it was asked."""

from __future__ import annotations

import asyncio
import copy
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from hub_config import docker_names as names
from hub_config.docker_gate.app import Gate
from hub_config.docker_gate.engine import Answer
from hub_config.docker_gate.settings import GateSettings
from hub_config.hub.spawning.container_settings import ContainerSettings
from hub_config.hub.spawning.containers import ContainerSpawner
from hub_config.hub_names import hub_user_name, rendering_user_name

TENANT, OTHER, PERSON, COLLEAGUE = "a1" * 16, "b2" * 16, "c3" * 16, "d4" * 16
TOKEN, INSTALLATION, IMAGE = "t" * 40, "essai", "datapilot-notebook:1"
GATE = GateSettings(_secrets_dir=None, token=TOKEN, installation=INSTALLATION, images=(IMAGE,))  # type: ignore[call-arg]
CONTAINERS = ContainerSettings(_secrets_dir=None, installation=INSTALLATION, image=IMAGE)  # type: ignore[call-arg]
ID = "f" * 64


def spawner(name: str = hub_user_name(TENANT, PERSON), given: ContainerSettings = CONTAINERS) -> ContainerSpawner:
    """A spawner without a hub: for what it says, not for what it starts."""
    made = ContainerSpawner(given=given, image=given.image)
    made.user = SimpleNamespace(name=name)
    rendering = made.person.user_id if made.person.kind == "rendering" else None
    tenant = made.person.tenant_id
    made.network_name = names.rendering_network(tenant, rendering) if rendering else names.network_name(tenant)
    return made


def container_body(*, rendering: bool = False) -> dict[str, Any]:
    """The body with which the hub creates a container."""
    name = rendering_user_name(TENANT, PERSON) if rendering else hub_user_name(TENANT, PERSON)
    return spawner(name).described(command=["jupyterhub-singleuser"], environment={"JUPYTERHUB_API_TOKEN": "secret-of-hers"})


def network_body() -> dict[str, Any]:
    """The body with which the hub creates a network, as docker-py writes it."""
    return {
        "Name": names.network_name(TENANT), "Driver": "bridge", "CheckDuplicate": True, "Internal": True,
        "Options": {
            "com.docker.network.bridge.name": names.bridge_name(INSTALLATION, TENANT),
            "com.docker.network.bridge.inhibit_ipv4": "true",
            "com.docker.network.bridge.enable_ip_masquerade": "false",
        },
        "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.213.4.64/26"}]},
        "Labels": labels(tenant=TENANT),
    }  # fmt: skip


def rendering_network_body() -> dict[str, Any]:
    """The body with which the hub creates a rendering's network."""
    made = changed(network_body(), "Name", names.rendering_network(TENANT, PERSON))
    made["Options"]["com.docker.network.bridge.name"] = names.rendering_bridge(INSTALLATION, TENANT, PERSON)
    made["IPAM"]["Config"][0]["Subnet"] = "10.213.255.240/28"
    made["Labels"] = labels(tenant=TENANT, person=PERSON, kind="rendering")
    return made


def volume_body() -> dict[str, Any]:
    """The body with which the hub creates a volume."""
    return {
        "Name": names.home_volume(TENANT, PERSON), "Driver": "local", "DriverOpts": {},
        "Labels": labels(tenant=TENANT, person=PERSON),
    }  # fmt: skip


def labels(installation: str = INSTALLATION, **given: str) -> dict[str, str]:
    """Labels by their short names."""
    return {names.INSTALLATION: installation} | {f"fr.datapilot.{key}": value for key, value in given.items()}


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one value put at a path: ``HostConfig.Privileged``; what does not exist on the way is made."""
    made = copy.deepcopy(body)
    inner: Any = made
    *way, last = path.split("/")
    for part in way:
        inner = inner[int(part)] if isinstance(inner, list) else inner.setdefault(part, {})
    if isinstance(inner, list):
        inner[int(last)] = value
    else:
        inner[last] = value
    return made


class ScriptedEngine:
    """Knows some objects; answers everything else as if it had done it, and records it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any, Any]] = []
        whose = {"tenant": TENANT}
        self.containers = {
            names.container_name(TENANT, PERSON): labels(**whose, person=PERSON, kind="notebook"),
            "hub-1": labels(service="hub"),
            "proxy-1": labels(service="proxy"),
            "gate-1": labels(service="docker-gate"),
            "other-installation": labels("autre", **whose, person=PERSON, kind="notebook"),
            "postgres-1": {},
        }
        self.networks = {
            names.network_name(TENANT): labels(**whose),
            names.network_name(OTHER): labels(tenant=OTHER),
            names.rendering_network(TENANT, PERSON): labels(**whose, person=PERSON, kind="rendering"),
            names.rendering_network(TENANT, COLLEAGUE): labels(**whose, person=COLLEAGUE, kind="rendering"),
            "core": labels(),
            "bridge": {},
            "host": {},
            "dpt-foreign": labels("autre", **whose),
        }
        self.volumes = {
            names.home_volume(TENANT, PERSON): labels(**whose, person=PERSON),
            names.home_volume(TENANT, COLLEAGUE): labels(**whose, person=COLLEAGUE),
            names.shared_volume(TENANT): labels(**whose),
            "pgdata": {},
        }

    async def ask(self, method: str, path: str, *, query: Any = None, body: Any = None) -> Answer:
        self.asked.append((method, path, query, body))
        found = re.fullmatch(r"(?:/v[0-9.]+)?/(containers|networks|volumes)/([^/]+)(?:/json)?", path)
        if method == "GET" and found and found[2] != "json":
            return self._about(found[1], found[2])
        if method == "GET" and path.endswith(("/containers/json", "/networks")):
            known = self.containers if "containers" in path else self.networks
            return _answer([{"Id": ID, "Names": [f"/{n}"], "Labels": v, "Env": ["SECRET=1"]} for n, v in known.items()])
        if method == "POST" and path.endswith("/volumes/create"):
            return _answer({"Name": body["Name"], "Labels": self.volumes.get(body["Name"], body["Labels"])}, 201)
        return _answer({"Id": ID}, 201 if method == "POST" else 200)

    def _about(self, kind: str, name: str) -> Answer:
        known: dict[str, dict[str, str]] = getattr(self, kind)
        if name not in known:
            return _answer({"message": "no such thing"}, 404)
        whose = known[name]
        return _answer({"Id": ID, "Name": name, "Labels": whose, "Config": {"Labels": whose}, "State": {"Running": True}})

    @property
    def done(self) -> list[tuple[str, str, Any, Any]]:
        """What was asked besides looking."""
        return [call for call in self.asked if call[0] != "GET"]


def _answer(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode(), "application/json")


def call(
    method: str, path: str, body: Any = None, *, engine: ScriptedEngine | None = None, query: str = "",
    token: str | None = TOKEN, headers: dict[str, str] | None = None, settings: GateSettings = GATE,
) -> tuple[int, Any]:  # fmt: skip
    """Ask a gate before a scripted engine; the path goes as it is. Return status and the answer's JSON."""
    engine = engine or ScriptedEngine()
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    given = {"content-type": "application/json", **(headers or {})}
    if token is not None:
        given["authorization"] = f"Bearer {token}"
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode("latin-1"), "query_string": query.encode(),
        "headers": [(key.encode(), value.encode()) for key, value in given.items()],
    }  # fmt: skip
    sent: list[Any] = []
    pieces = [content[at : at + 65_536] for at in range(0, len(content), 65_536)] or [b""]

    async def receive() -> Any:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Gate(settings, engine)(scope, receive, send))  # type: ignore[arg-type]
    said = sent[1]["body"]
    return sent[0]["status"], json.loads(said) if said else None


Change = Callable[[dict[str, Any]], dict[str, Any]]
BAD_CONTAINERS: dict[str, tuple[str, Any]] = {
    "privileged": ("HostConfig/Privileged", True),
    "bind of the host": ("HostConfig/Binds", ["/:/host"]),
    "bind of the socket": ("HostConfig/Binds", ["/var/run/docker.sock:/s"]),
    "bind of a volume": ("HostConfig/Binds", ["pgdata:/home/datapilot"]),
    "capability": ("HostConfig/CapAdd", ["NET_ADMIN"]),
    "kept capabilities": ("HostConfig/CapDrop", []),
    "one dropped capability": ("HostConfig/CapDrop", ["NET_RAW"]),
    "device": ("HostConfig/Devices", [{"PathOnHost": "/dev/vda", "PathInContainer": "/dev/x", "CgroupPermissions": "rwm"}]),
    "device request": ("HostConfig/DeviceRequests", [{"Driver": "nvidia"}]),
    "device rule": ("HostConfig/DeviceCgroupRules", ["a *:* rwm"]),
    "host's network": ("HostConfig/NetworkMode", "host"),
    "default network": ("HostConfig/NetworkMode", "bridge"),
    "core network": ("HostConfig/NetworkMode", "core"),
    "other tenant's network": ("HostConfig/NetworkMode", names.network_name(OTHER)),
    "a rendering's network": ("HostConfig/NetworkMode", names.rendering_network(TENANT, PERSON)),
    "another's network namespace": ("HostConfig/NetworkMode", "container:hub-1"),
    "host's processes": ("HostConfig/PidMode", "host"),
    "another's processes": ("HostConfig/PidMode", "container:hub-1"),
    "host's IPC": ("HostConfig/IpcMode", "host"),
    "shareable IPC": ("HostConfig/IpcMode", "shareable"),
    "host's UTS": ("HostConfig/UTSMode", "host"),
    "host's users": ("HostConfig/UsernsMode", "host"),
    "host's cgroups": ("HostConfig/CgroupnsMode", "host"),
    "cgroup parent": ("HostConfig/CgroupParent", "/"),
    "no seccomp": ("HostConfig/SecurityOpt", ["no-new-privileges", "seccomp=unconfined"]),
    "no apparmor": ("HostConfig/SecurityOpt", ["apparmor=unconfined"]),
    "systempaths": ("HostConfig/SecurityOpt", ["systempaths=unconfined"]),
    "new privileges": ("HostConfig/SecurityOpt", []),
    "masked paths": ("HostConfig/MaskedPaths", ["/none"]),
    "read-only paths": ("HostConfig/ReadonlyPaths", ["/none"]),
    "writable root": ("HostConfig/ReadonlyRootfs", False),
    "sysctl": ("HostConfig/Sysctls", {"net.ipv4.ip_forward": "1"}),
    "runtime": ("HostConfig/Runtime", "kata"),
    "runtime at the top": ("Runtime", "runc"),
    "storage options": ("HostConfig/StorageOpt", {"size": "100G"}),
    "volumes of another": ("HostConfig/VolumesFrom", ["hub-1"]),
    "mount of the host": ("HostConfig/Mounts/0", {"Type": "bind", "Source": "/", "Target": "/home/datapilot"}),
    "mount type in capitals": ("HostConfig/Mounts/0/Type", "BIND"),
    "mount propagation": ("HostConfig/Mounts/0/BindOptions", {"Propagation": "rshared"}),
    "mount by the driver": (
        "HostConfig/Mounts/0/VolumeOptions",
        {"DriverConfig": {"Name": "local", "Options": {"type": "none", "o": "bind", "device": "/"}}},
    ),
    "mount elsewhere": ("HostConfig/Mounts/0/Target", "/etc"),
    "a path as a volume": ("HostConfig/Mounts/0/Source", "/etc"),
    "a colleague's volume": ("HostConfig/Mounts/0/Source", names.home_volume(TENANT, COLLEAGUE)),
    "another service's volume": ("HostConfig/Mounts/0/Source", "pgdata"),
    "no volumes": ("HostConfig/Mounts", []),
    "a volume too many": ("HostConfig/Mounts", container_body()["HostConfig"]["Mounts"] * 2),
    "anonymous volumes": ("Volumes", {"/x": {}}),
    "published port": ("HostConfig/PortBindings", {"8888/tcp": [{"HostPort": "80"}]}),
    "all ports published": ("HostConfig/PublishAllPorts", True),
    "links": ("HostConfig/Links", ["hub-1:hub"]),
    "extra hosts": ("HostConfig/ExtraHosts", ["dp-hub:1.2.3.4"]),
    "name server": ("HostConfig/Dns", ["8.8.8.8"]),
    "groups": ("HostConfig/GroupAdd", ["0"]),
    "no memory limit": ("HostConfig/Memory", 0),
    "too much memory": ("HostConfig/Memory", 10**12),
    "swap": ("HostConfig/MemorySwap", -1),
    "swappiness": ("HostConfig/MemorySwappiness", 100),
    "never ended by memory": ("HostConfig/OomKillDisable", True),
    "ended by memory last": ("HostConfig/OomScoreAdj", -1000),
    "kernel memory": ("HostConfig/KernelMemory", 1),
    "no limit of processes": ("HostConfig/PidsLimit", -1),
    "too many processes": ("HostConfig/PidsLimit", 10**6),
    "too many CPUs": ("HostConfig/CpuQuota", 10**9),
    "CPUs another way": ("HostConfig/NanoCpus", 10**12),
    "real-time": ("HostConfig/CpuRealtimeRuntime", 950_000),
    "limits of a process": ("HostConfig/Ulimits", [{"Name": "rtprio", "Soft": 99, "Hard": 99}]),
    "large files": ("HostConfig/Ulimits/2/Hard", 10**15),
    "core dumps": ("HostConfig/Ulimits/1/Hard", 1),
    "log elsewhere": ("HostConfig/LogConfig", {"Type": "syslog", "Config": {"syslog-address": "tcp://1.2.3.4:514"}}),
    "endless log": ("HostConfig/LogConfig/Config", {}),
    "a log's driver option": ("HostConfig/LogConfig/Config/env", "JUPYTERHUB_API_TOKEN"),
    "restarts by itself": ("HostConfig/RestartPolicy", {"Name": "always"}),
    "removes itself": ("HostConfig/AutoRemove", True),
    "volume driver": ("HostConfig/VolumeDriver", "nfs"),
    "container id file": ("HostConfig/ContainerIDFile", "/etc/x"),
    "tmpfs elsewhere": ("HostConfig/Tmpfs/~1etc".replace("~1", ""), ""),
    "tmpfs with setuid": ("HostConfig/Tmpfs", {"/tmp": "rw,suid,size=1000"}),
    "tmpfs with devices": ("HostConfig/Tmpfs", {"/tmp": "rw,nosuid,dev,size=1000,mode=1777"}),
    "tmpfs without end": ("HostConfig/Tmpfs", {"/tmp": "rw,nosuid,nodev,size=99999999999,mode=1777"}),
    "shared memory": ("HostConfig/ShmSize", 10**12),
    "root": ("User", "0"),
    "root's group": ("User", "1000:0"),
    "nobody named": ("User", ""),
    "another image": ("Image", "alpine"),
    "image by digest": ("Image", "datapilot-notebook@sha256:" + "0" * 64),
    "image's tag": ("Image", "datapilot-notebook:2"),
    "image of a registry": ("Image", "evil.example/datapilot-notebook:1"),
    "another entry point": ("Entrypoint", ["sh"]),
    "health check": ("Healthcheck", {"Test": ["CMD", "x"]}),
    "own MAC": ("MacAddress", "02:42:0a:d5:00:02"),
    "own address": ("NetworkingConfig", {"EndpointsConfig": {"bridge": {}}}),
    "second network": ("NetworkingConfig", {"EndpointsConfig": {"core": {"Aliases": ["dp-api"]}}}),
    "on build": ("OnBuild", ["RUN x"]),
    "a terminal": ("Tty", True),
    "open input": ("OpenStdin", True),
    "another installation's label": (f"Labels/{names.INSTALLATION}", "autre"),
    "other tenant's label": (f"Labels/{names.TENANT}", OTHER),
    "a colleague's label": (f"Labels/{names.PERSON}", COLLEAGUE),
    "a service's label": (f"Labels/{names.SERVICE}", "api"),
    "compose's label": ("Labels/com.docker.compose.project", "datapilot"),
    "a kind that is none": (f"Labels/{names.KIND}", "root"),
    "rendering with volumes": (f"Labels/{names.KIND}", "rendering"),
    "another case of a key": ("hostconfig", {"Privileged": True}),
    "another case inside": ("HostConfig/privileged", True),
    "annotations": ("HostConfig/Annotations", {"x": "y"}),
    "isolation": ("HostConfig/Isolation", "hyperv"),
    "text for a number": ("HostConfig/Memory", "2147483648"),
    "too much environment": ("Env", ["A=b"] * 500),
    "a NUL": ("Env", ["A=\0b"]),
}
