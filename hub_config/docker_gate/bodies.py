"""The bodies that the engine may be sent, as models that forbid whatever they do not name.

Values that have only one good answer are :data:`~typing.Literal`: another one is refused, never corrected in silence. What
clients send as ``null`` counts as not sent. Whether the good values also fit this installation and each other (image,
limits, pool, whose volume) is :mod:`hub_config.docker_gate.policy`'s.

Go matches JSON's keys whatever their case, and takes the last of two: the engine never sees the text that came in, only
what these models write.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from hub_config import docker_names as names

Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Short = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
Image = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9_.:/@-]{0,255}$")]
Installation = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Bridge = Annotated[str, StringConstraints(pattern=r"^dpt-([0-9a-f]{11}|r[0-9a-f]{10})$")]
Word = Annotated[str, StringConstraints(max_length=16_384, pattern=r"^[^\x00]*$")]
Nothing = Annotated[None, BeforeValidator(lambda value: None if value in ([], {}, "", 0, False) else value)]
"""What clients send without meaning it: an empty list, an empty table, zero, false."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    def to_send(self) -> dict[str, Any]:
        """Return what the engine is sent."""
        return self.model_dump(by_alias=True, exclude_none=True)


class TenantLabels(_Body):
    """Whose it is, at least."""

    installation: Installation = Field(alias=names.INSTALLATION)
    tenant: Id = Field(alias=names.TENANT)


class VolumeLabels(TenantLabels):
    """Of volumes: with a person, it is that person's own."""

    person: Id | None = Field(None, alias=names.PERSON)


class NetworkLabels(TenantLabels):
    """Of networks: with a rendering's id and its kind, it is that rendering's own; else its tenant's."""

    person: Id | None = Field(None, alias=names.PERSON)
    kind: Literal["rendering"] | None = Field(None, alias=names.KIND)


class ContainerLabels(TenantLabels):
    """Of containers."""

    person: Id = Field(alias=names.PERSON)
    kind: Literal["notebook", "rendering"] = Field(alias=names.KIND)


class Ulimit(_Body):
    """A limit of a process."""

    name: Literal["nofile", "core", "fsize"] = Field(alias="Name")
    soft: int = Field(alias="Soft", ge=0)
    hard: int = Field(alias="Hard", ge=0)


class LogOptions(_Body):
    """The engine's log of a container ends somewhere."""

    max_size: Literal["1m", "5m", "10m"] = Field(alias="max-size")
    max_file: Literal["1", "2", "3"] = Field(alias="max-file")


class Log(_Body):
    """Where the output goes: nowhere but to the engine's own files."""

    type: Literal["json-file", "local"] = Field(alias="Type")
    config: LogOptions = Field(alias="Config")


class Mount(_Body):
    """A volume of ours. No bind, no option of the volume's driver."""

    type: Literal["volume"] = Field(alias="Type")
    source: Short = Field(alias="Source")
    target: Literal["/home/datapilot", "/home/datapilot/partage"] = Field(alias="Target")
    read_only: bool = Field(False, alias="ReadOnly")


class Restart(_Body):
    """The hub starts, nobody else: a container that ended stays ended."""

    name: Literal["", "no"] = Field("no", alias="Name")
    times: Literal[0] = Field(0, alias="MaximumRetryCount")


class Host(_Body):
    """What a container gets of the host."""

    network: Short = Field(alias="NetworkMode")
    memory: int = Field(alias="Memory", ge=32 * 1024**2)
    memory_and_swap: int = Field(alias="MemorySwap")
    cpu_period: Literal[100000] = Field(100_000, alias="CpuPeriod")
    cpu_quota: int = Field(alias="CpuQuota", ge=1000)
    pids: int = Field(alias="PidsLimit", ge=1)
    cap_drop: Annotated[list[Literal["ALL"]], Field(alias="CapDrop", min_length=1, max_length=1)]
    security: Annotated[
        list[Literal["no-new-privileges", "no-new-privileges:true"]], Field(alias="SecurityOpt", min_length=1, max_length=1)
    ]
    read_only_root: Literal[True] = Field(alias="ReadonlyRootfs")
    tmpfs: dict[Literal["/tmp", "/home/datapilot"], Word] = Field(alias="Tmpfs", default_factory=dict)  # noqa: S108
    mounts: list[Mount] = Field(alias="Mounts", default_factory=list, max_length=2)
    log: Log = Field(alias="LogConfig")
    ulimits: list[Ulimit] = Field(alias="Ulimits", max_length=3)
    ipc: Literal["private"] = Field(alias="IpcMode")
    cgroup_namespace: Literal["private"] = Field(alias="CgroupnsMode")
    init: Literal[True] = Field(alias="Init")
    oom_score: int = Field(alias="OomScoreAdj", ge=0, le=1000)
    dns: Annotated[list[Literal["127.0.0.1"]], Field(alias="Dns", min_length=1, max_length=1)]
    dns_search: Annotated[list[Literal["."]], Field(alias="DnsSearch", min_length=1, max_length=1)]
    shm_bytes: int | None = Field(None, alias="ShmSize", ge=1, le=256 * 1024**2)
    restart: Restart = Field(alias="RestartPolicy", default_factory=Restart)
    # What docker-py writes although nobody asked for it.
    auto_remove: Literal[False] = Field(False, alias="AutoRemove")
    binds: Nothing = Field(None, alias="Binds")
    links: Nothing = Field(None, alias="Links")
    memory_reservation: Nothing = Field(None, alias="MemoryReservation")
    privileged: Literal[False] = Field(False, alias="Privileged")
    publish_all: Literal[False] = Field(False, alias="PublishAllPorts")


class Container(_Body):
    """``POST /containers/create``."""

    image: Image = Field(alias="Image")
    user: Literal["1000:1000"] = Field(alias="User")
    labels: ContainerLabels = Field(alias="Labels")
    host: Host = Field(alias="HostConfig")
    env: list[Word] = Field(alias="Env", default_factory=list, max_length=200)
    cmd: list[Word] = Field(alias="Cmd", default_factory=list, max_length=64)
    ports: dict[Annotated[str, StringConstraints(pattern=r"^[0-9]{1,5}/tcp$")], dict[str, None]] = Field(
        alias="ExposedPorts", default_factory=dict, max_length=1
    )
    stop_timeout_s: int | None = Field(None, alias="StopTimeout", ge=0, le=60)
    # What docker-py writes although nobody asked for it.
    attach_stdin: Literal[False] = Field(False, alias="AttachStdin")
    attach_stdout: bool = Field(False, alias="AttachStdout")
    attach_stderr: bool = Field(False, alias="AttachStderr")
    open_stdin: Literal[False] = Field(False, alias="OpenStdin")
    stdin_once: Literal[False] = Field(False, alias="StdinOnce")
    tty: Literal[False] = Field(False, alias="Tty")
    network_disabled: Literal[False] = Field(False, alias="NetworkDisabled")
    volumes: Nothing = Field(None, alias="Volumes")
    networking: Nothing = Field(None, alias="NetworkingConfig")


class Subnet(_Body):
    """A network's addresses."""

    subnet: str = Field(alias="Subnet", max_length=18)


class Addresses(_Body):
    """Where a network's addresses come from."""

    driver: Literal["default"] = Field(alias="Driver")
    config: Annotated[list[Subnet], Field(alias="Config", min_length=1, max_length=1)]
    options: Nothing = Field(None, alias="Options")


class BridgeOptions(_Body):
    """A bridge on which the host has no address."""

    name: Bridge = Field(alias="com.docker.network.bridge.name")
    no_address: Literal["true"] = Field(alias="com.docker.network.bridge.inhibit_ipv4")
    masquerade: Literal["false"] = Field(alias="com.docker.network.bridge.enable_ip_masquerade")
    gateway_mode: Literal["isolated"] | None = Field(None, alias="com.docker.network.bridge.gateway_mode_ipv4")


class Network(_Body):
    """``POST /networks/create``."""

    name: Short = Field(alias="Name")
    driver: Literal["bridge"] = Field(alias="Driver")
    internal: Literal[True] = Field(alias="Internal")
    check_duplicate: Literal[True] = Field(True, alias="CheckDuplicate")
    ipv6: Literal[False] = Field(False, alias="EnableIPv6")
    attachable: Literal[False] = Field(False, alias="Attachable")
    ingress: Literal[False] = Field(False, alias="Ingress")
    labels: NetworkLabels = Field(alias="Labels")
    addresses: Addresses = Field(alias="IPAM")
    options: BridgeOptions = Field(alias="Options")


class Endpoint(_Body):
    """Under which name a service of the platform is found."""

    aliases: Annotated[list[Literal["dp-hub", "dp-proxy", "dp-api"]], Field(alias="Aliases", min_length=1, max_length=1)]


class Connect(_Body):
    """``POST /networks/{id}/connect``."""

    container: Short = Field(alias="Container")
    endpoint: Endpoint = Field(alias="EndpointConfig")


class Disconnect(_Body):
    """``POST /networks/{id}/disconnect``."""

    container: Short = Field(alias="Container")
    force: bool = Field(False, alias="Force")


class DriverOptions(_Body):
    """A size and nothing else: ``o``, ``device`` and ``type`` would be a mount of the host's."""

    size: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,14}$")] | None = None


class Volume(_Body):
    """``POST /volumes/create``."""

    name: Short = Field(alias="Name")
    driver: Literal["local"] = Field("local", alias="Driver")
    labels: VolumeLabels = Field(alias="Labels")
    options: DriverOptions = Field(alias="DriverOpts", default_factory=DriverOptions)
