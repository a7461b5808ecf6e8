"""Settings of the docker gate: ``DATAPILOT_GATE_*``, and the secret from a file as Docker mounts it."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from datapilot_kernel.errors import BadInput
from hub_config.settings import Words

_GIB = 1024**3


class GateSettings(BaseSettings):
    """What the gate lets through."""

    model_config = SettingsConfigDict(env_prefix="DATAPILOT_GATE_", frozen=True, extra="forbid", hide_input_in_errors=True)

    token: SecretStr = Field(
        description="What the hub shows at each call, at least 32 characters. The same as DATAPILOT_HUB_DOCKER_TOKEN."
    )
    installation: str = Field(
        "datapilot",
        pattern=r"^[a-z0-9][a-z0-9-]{0,31}$",
        description="Name of this installation: the label of everything that the gate makes and touches.",
    )
    images: Words = Field((), description="Images that may be started, with their tags. Empty: none.")
    address_pool: str = Field("10.213.0.0/16", description="Where tenants' networks take their addresses from (CIDR).")
    network_prefix_bits: int = Field(26, ge=20, le=29, description="Size of a tenant's network: 26 is 61 containers.")
    memory_max_bytes: int = Field(8 * _GIB, ge=64 * 1024**2, description="Most memory that a container may be given.")
    cpu_max: float = Field(4.0, gt=0, le=256, description="Most CPUs that a container may be given.")
    pids_max: int = Field(1024, ge=16, le=32_768, description="Most processes and threads of a container.")
    tmp_max_bytes: int = Field(2 * _GIB, ge=1024**2, description="Largest /tmp (in memory) of a container.")
    file_max_bytes: int = Field(20 * _GIB, ge=1024**2, description="Largest single file that a container may write.")
    volume_max_bytes: int = Field(
        100 * _GIB, ge=1024**2, description="Largest size that a volume may be given, where the engine's disk has quotas."
    )

    @field_validator("token")
    @classmethod
    def _long(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 32:
            raise ValueError("at least 32 characters")
        return value

    @field_validator("address_pool")
    @classmethod
    def _private(cls, value: str) -> str:
        pool = ipaddress.IPv4Network(value)
        if not pool.is_private:
            raise ValueError("not a private network")
        return str(pool)


def load_gate_settings(**given: Any) -> GateSettings:
    """Read the settings from the environment and the folder of secrets; ``given`` comes first.

    Raises
    ------
    BadInput
        A setting is missing or wrong; says which, never its value.
    """
    from pydantic import ValidationError

    folder = Path(os.environ.get("DATAPILOT_SECRETS_DIR", "") or "/run/secrets")
    try:
        return GateSettings(_secrets_dir=folder if folder.is_dir() else None, **given)
    except ValidationError as error:
        names = sorted({"DATAPILOT_GATE_" + str(item["loc"][0]).upper() for item in error.errors() if item["loc"]})
        raise BadInput("hub.bad_settings", names=", ".join(names)) from None
