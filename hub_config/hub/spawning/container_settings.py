"""Settings of notebooks in containers: ``DATAPILOT_HUB_DOCKER_*``, and the secret from a file as Docker mounts it."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from datapilot_kernel.errors import BadInput

_GIB = 1024**3


class ContainerSettings(BaseSettings):
    """How people's containers are made. What the gate allows at most, its own settings say."""

    model_config = SettingsConfigDict(
        env_prefix="DATAPILOT_HUB_DOCKER_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    url: str = Field(
        "tcp://docker-gate:2375", description="Where Docker is reached: the docker gate. `unix://…`: the engine itself."
    )
    token: SecretStr | None = Field(
        None, description="What is shown to the docker gate (DATAPILOT_GATE_TOKEN). None: nothing."
    )
    installation: str = Field(
        "datapilot",
        pattern=r"^[a-z0-9][a-z0-9-]{0,31}$",
        description="Name of this installation, the same as DATAPILOT_GATE_INSTALLATION.",
    )
    image: str = Field("datapilot-notebook:latest", description="Image of people's notebooks; it must be on the server.")
    rendering_image: str | None = Field(None, description="Image of dashboards' renderings. None: image.")
    address_pool: str = Field("10.213.0.0/16", description="Where tenants' networks take their addresses from (CIDR).")
    network_prefix_bits: int = Field(26, ge=20, le=29, description="Size of a tenant's network: 26 is 61 containers.")
    memory_bytes: int = Field(2 * _GIB, ge=64 * 1024**2, description="Memory of a container; no swap.")
    cpus: float = Field(2.0, gt=0, le=256, description="CPUs of a container.")
    pids: int = Field(512, ge=16, le=32_768, description="Processes and threads of a container.")
    tmp_bytes: int = Field(512 * 1024**2, ge=1024**2, description="Size of /tmp, which counts as the container's memory.")
    file_bytes: int = Field(5 * _GIB, ge=1024**2, description="Largest single file that a container may write.")
    memory_reserve_bytes: int = Field(
        1 * _GIB, ge=0, description="Memory of the server that must be free for a container to start. 0: not looked at."
    )
    home_bytes: int = Field(10 * _GIB, ge=0, description="Most that a person's own files may take. 0: no limit.")
    shared_bytes: int = Field(20 * _GIB, ge=0, description="Most that the files shared in a tenant may take. 0: no limit.")
    volume_quota: Literal["watch", "engine"] = Field(
        "watch",
        description="engine: volumes are given their size, which the disk holds (XFS with pquota). watch: measured.",
    )
    storage_check_minutes: int = Field(10, ge=0, description="How often volumes are measured. 0: never.")
    disk_reserve_bytes: int = Field(
        5 * _GIB,
        ge=0,
        description="Free disk below which volumes are measured at once, and those beyond their limit stopped.",
    )

    @field_validator("address_pool")
    @classmethod
    def _a_network(cls, value: str) -> str:
        return str(ipaddress.IPv4Network(value))


def load_container_settings(**given: Any) -> ContainerSettings:
    """Read the settings from the environment and the folder of secrets; ``given`` comes first.

    Raises
    ------
    BadInput
        A setting is missing or wrong; says which, never its value.
    """
    from pydantic import ValidationError

    folder = Path(os.environ.get("DATAPILOT_SECRETS_DIR", "") or "/run/secrets")
    try:
        return ContainerSettings(_secrets_dir=folder if folder.is_dir() else None, **given)
    except ValidationError as error:
        names = sorted({"DATAPILOT_HUB_DOCKER_" + str(item["loc"][0]).upper() for item in error.errors() if item["loc"]})
        raise BadInput("hub.bad_settings", names=", ".join(names)) from None
