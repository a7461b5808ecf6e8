"""``datapilot doctor --server``: what of a server's installation is right, what is not, and what to do about it.

The parts look at one thing each, with what they are given (an :class:`Installation`), and yield :class:`Finding` s: ``ok``,
``warning`` (it works, and will not always), ``problem`` (it does not work, or is not safe), ``skipped`` (this process cannot
see it: a container sees neither the host's firewall nor Docker's socket, a host's shell not the services' names). Nothing is
changed: no migration, no key made, no mail sent, nothing asked of the language model. No finding holds a secret: values are
names, addresses, dates and counts.

A part that breaks is a finding itself: the others still look.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from datapilot_kernel.errors import DataPilotError
from hub_config.doctor.findings import Finding, Level, ok, problem, skipped, warning

if TYPE_CHECKING:
    from hub_config.hub.settings import HubSettings
    from hub_config.hub.spawning.container_settings import ContainerSettings
    from hub_config.settings import Settings

__all__ = ["PARTS", "Finding", "Installation", "Level", "examine", "ok", "problem", "skipped", "warning"]

log = logging.getLogger(__name__)

PARTS: tuple[str, ...] = (
    "machine", "names", "certificates", "engine", "containers", "firewall", "production", "keys", "database", "mail", "hub",
    "providers", "model",
)  # fmt: skip
"""In the order in which they look; each is the module of that name, with a function ``look``."""


@dataclass(frozen=True)
class Installation:
    """What is looked at.

    Attributes
    ----------
    hub, containers
        Settings of the hub's process and of people's containers; None: this process has none.
    backups
        Folder of the backups; None: not known here.
    docker_socket
        Where the engine is, when this process may see it.
    one_origin
        People's servers share one name, on purpose (``DATAPILOT_WILDCARD=no``).
    """

    settings: Settings
    hub: HubSettings | None = None
    containers: ContainerSettings | None = None
    backups: Path | None = None
    docker_socket: Path = Path("/var/run/docker.sock")
    one_origin: bool = False


def examine(installation: Installation, parts: Iterable[str] = PARTS) -> Iterator[Finding]:
    """Yield what each part finds, as it finds it."""
    for part in parts:
        look: Callable[[Installation], Iterator[Finding]] = import_module(f"hub_config.doctor.{part}").look
        try:
            yield from look(installation)
        except DataPilotError as error:
            yield problem(part, "broken", part=part, why=error.message)
        except Exception as error:
            # The class alone: a foreign text may quote what it was given.
            log.debug("doctor: %s", part, exc_info=True)
            yield problem(part, "broken", part=part, why=type(error).__name__)
