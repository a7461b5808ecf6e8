"""``datapilot doctor --server``: looks at a server's installation. See :mod:`hub_config.doctor`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import text

if TYPE_CHECKING:
    from datapilot_kernel.cli.doctor_command import Check
    from hub_config.doctor import Finding, Installation


def register(parser: argparse.ArgumentParser) -> None:
    """Add the options to ``datapilot doctor``."""
    from hub_config.doctor import PARTS

    parser.add_argument("--server", action="store_true", help=text("doctor.help_server"))
    parser.add_argument("--data", metavar="DIR", type=Path, help=text("people.command.data"))
    parser.add_argument("--backups", metavar="DIR", type=Path, help=text("doctor.help_backups"))
    parser.add_argument("--part", action="append", choices=PARTS, metavar="PART", help=_parts_help(PARTS))


def _parts_help(parts: tuple[str, ...]) -> str:
    return text("doctor.help_part", parts=", ".join(parts))


def examine(args: argparse.Namespace) -> Iterator[Check] | None:
    """Yield the checks of a server's installation; None when the command was not asked for them."""
    if not (args.server or args.part):
        return None
    from hub_config.doctor import PARTS, examine

    wanted = [part for part in PARTS if args.part is None or part in args.part]
    return (_check(finding) for finding in examine(installation(args.data, args.backups), wanted))


def installation(data: Path | None = None, backups: Path | None = None) -> Installation:
    """Return what this process's settings say of the installation. Makes no folder.

    Raises
    ------
    BadInput
        A setting is not what it must be.
    """
    from hub_config.doctor import Installation
    from hub_config.settings import load_settings

    settings = load_settings(**({"data_dir": data} if data is not None else {}))
    hub = containers = None
    # Only the hub's own process has these; what is half there elsewhere says nothing.
    with suppress(BadInput, ImportError):
        if "DATAPILOT_HUB_SERVICE_URL" in os.environ or "DATAPILOT_HUB_SPAWNER" in os.environ:
            from hub_config.hub.settings import load_hub_settings

            hub = load_hub_settings()
    with suppress(BadInput, ImportError):
        if any(name.startswith("DATAPILOT_HUB_DOCKER_") for name in os.environ):
            from hub_config.hub.spawning.container_settings import load_container_settings

            containers = load_container_settings()
    # A word of the compose file's, which the entry point turns into the hub's setting.
    one_origin = os.environ.get("DATAPILOT_WILDCARD", "").lower() in {"no", "non", "false", "0"}
    return Installation(settings, hub, containers, backups, one_origin=one_origin)


def _check(finding: Finding) -> Check:
    from datapilot_kernel.cli.doctor_command import Check

    return Check(finding.name, finding.level != "problem", finding.message, finding.level, finding.action)
