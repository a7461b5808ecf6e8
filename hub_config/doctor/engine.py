"""The Docker engine, where this process may see its socket: the gate's container, or a shell of the server."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from hub_config.doctor import Finding, Installation, ok, problem, skipped, warning
from hub_config.doctor.containers import asked, direct

_OLDEST_ENGINE = (20, 10)


def look(installation: Installation) -> Iterator[Finding]:
    """Look at the engine."""
    if not installation.docker_socket.is_socket():
        yield skipped("engine", "engine_unseen")
        return
    with direct(installation.docker_socket) as line:
        yield from engine(line)


def engine(line: httpx.Client) -> Iterator[Finding]:
    """Ask the engine what it is."""
    status, told = asked(line, "/version")
    if status != 200:
        yield problem("engine", "engine_away")
        return
    version = str(told.get("Version", "?"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    old = numbers < _OLDEST_ENGINE
    yield (problem if old else ok)("engine", "engine_old" if old else "engine", version=version)
    _, info = asked(line, "/info")
    info = info or {}
    if not info.get("LiveRestoreEnabled", False):
        yield warning("live_restore", "live_restore_off")
    if not all(info.get(limit, True) for limit in ("MemoryLimit", "PidsLimit", "CpuCfsQuota")):
        yield problem("limits", "limits_missing")
