"""The machine: memory, processors, disks, its clock."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hub_config.doctor import Finding, Installation, ok, problem, skipped, warning

_GIB = 1024**3
LEAST_MEMORY_BYTES = 2 * _GIB
USUAL_MEMORY_BYTES = 8 * _GIB
LEAST_DISK_BYTES = 2 * _GIB
USUAL_DISK_BYTES = 10 * _GIB
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


def look(installation: Installation) -> Iterator[Finding]:
    """Look at the machine."""
    yield from memory(Path("/proc/meminfo"))
    cores = os.cpu_count() or 1
    yield (ok if cores >= 2 else warning)("processors", "processors" if cores >= 2 else "processors_few", count=cores)
    folders = {"data": installation.settings.data_dir, "docker": Path("/var/lib/docker")}
    if installation.backups is not None:
        folders["backups"] = installation.backups
    seen: set[int] = set()
    for name, folder in folders.items():
        # A folder that is not here, or not this account's to look at, is another process's matter.
        with suppress(OSError):
            if (device := folder.stat().st_dev) not in seen:
                found = disk(f"disk_{name}", folder)
                seen.add(device)
                yield found
    yield clock()


def memory(meminfo: Path) -> Iterator[Finding]:
    """Look at the memory that the kernel counts."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines() if ":" in line)
        total, free = (int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        yield skipped("memory", "memory_unknown")
        return
    values = {"total_gb": total // _GIB, "free_gb": free // _GIB}
    if total < LEAST_MEMORY_BYTES or free < LEAST_MEMORY_BYTES // 4:
        yield problem("memory", "memory_low", **values)
    elif total < USUAL_MEMORY_BYTES or free < total // 10:
        yield warning("memory", "memory_small", **values)
    else:
        yield ok("memory", "memory", **values)


def disk(name: str, folder: Path) -> Finding:
    """Look at the free space and the free entries of a folder's disk."""
    usage, entries = shutil.disk_usage(folder), os.statvfs(folder)
    values = {"folder": str(folder), "free_gb": usage.free // _GIB}
    few_entries = entries.f_files and entries.f_favail < entries.f_files // 20
    if usage.free < LEAST_DISK_BYTES or (entries.f_files and not entries.f_favail):
        return problem(name, "disk_full", **values)
    if usage.free < USUAL_DISK_BYTES or few_entries:
        return warning(name, "disk_low", **values)
    return ok(name, "disk", **values)


def clock() -> Finding:
    """Ask the kernel whether its clock is kept by a time service."""
    # struct timex is below 256 bytes everywhere; modes = 0 reads and changes nothing.
    asked = ctypes.create_string_buffer(256)
    try:
        state = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True).adjtimex(asked)
    except (OSError, AttributeError):
        state = -1
    if state < 0:
        return skipped("clock", "clock_unknown")
    return warning("clock", "clock_alone") if state == _TIME_ERROR else ok("clock", "clock")
